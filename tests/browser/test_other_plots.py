"""The Pareto front and the importance on a page: drawn, clicked, in both themes."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(180)]

PANEL = """
import random
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.widget import OptimizerWidget

random.seed(1)
search = ScriptedSearch(titles=["error", "size"], series=["error", "size"], signs=["min", "min"])
search.command("start")
for _ in range(60):
    point = {"lr": 10 ** random.uniform(-4, -1), "dropout": random.random() / 2, "layers": 2, "activation": "relu"}
    search.add_trial([point["dropout"], 1 - point["dropout"] + random.random()], point)
widget = OptimizerWidget(search)
widget
"""


def test_the_front_and_the_importance_are_looked_at_and_clicked(notebook):
    notebook.open(PANEL)
    notebook.run_all()
    panel = notebook.panel()
    expect(panel.get_by_role("tab", name="Pareto")).to_have_attribute("aria-selected", "true")
    notebook.wait_kernel("len(widget.plots['Pareto'].figures[0]._front.names) > 1")
    notebook.kernel("search.add_trial([-1.0, -1.0])")
    notebook.wait_kernel("widget.plots['Pareto'].figures[0]._front.names.tolist() == [60]")
    alone = panel.locator(".bqplot:visible .dot").last
    alone.click(force=True)
    notebook.wait_kernel("widget.selected == [60]")

    panel.get_by_role("tab", name="Importance").click()
    notebook.kernel("search.command('stop')")
    expect(panel.locator(".bqplot:visible .bar").first).to_be_visible()
    expect(panel.get_by_text("completed trials from the rest")).to_be_visible()
    for dark in (False, True):
        notebook.use_theme(dark=dark)
        notebook.screenshot(f"importance-{'dark' if dark else 'light'}", panel)
    # The greatest bar is the top one, which is drawn last.
    panel.locator(".bqplot:visible .bar").last.click()
    expect(panel.get_by_role("tab", name="Slices")).to_have_attribute("aria-selected", "true")
    notebook.wait_kernel("widget.plots['Slices'].parameters[0] == 'dropout'")
    assert notebook.console_errors == []
