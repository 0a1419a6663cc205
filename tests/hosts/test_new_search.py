"""The form for a new search opens beside the notebook in each host, and ends in a cell that shows the panel."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]


# In JupyterLab this is a test of tests/browser.
@pytest.mark.parametrize("host", ["notebook"], indirect=True)
def test_a_function_becomes_a_cell_with_its_panel(page):
    page.show("def train(lr=0.001):\n    return lr")
    page.console_errors.clear()  # Notebook 7 complains of its own settings while it is loaded
    page.command("hpo-widgets:new-search")
    form = page.page.locator(".hpo-new")
    expect(form.get_by_label("Function", exact=True)).to_have_value("train")
    expect(form.get_by_role("region", name="The cell that is written")).to_contain_text("base_task_id=train")
    page.screenshot(f"new-search-{page.lab.opens.partition('/')[0]}")
    form.get_by_role("button", name="Write and run").click()
    expect(form).to_have_count(0)
    expect(page.panel().locator(".hpo-pill")).to_have_text("○idle")
    cells = page.page.evaluate(
        "() => [...window.jupyterapp.shell.currentWidget.context.model.cells].map(cell => cell.sharedModel.source)"
    )
    assert len(cells) == 2
    assert "base_task_id=train" in cells[1]
    assert page.complaints() == []
