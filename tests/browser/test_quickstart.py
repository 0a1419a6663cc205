"""The quickstart notebook in a real JupyterLab: press Start, watch, steer with the mouse, stop it in the list."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.hand import button, drag
from tests.browser.notebook import copy_with_easy_training

pytestmark = pytest.mark.browser


NUM_COMPLETED = (
    """() => Number((document.querySelector(".hpo-counts").textContent.match(/(\\d+) completed/) ?? [0, 0])[1])"""
)
WORKERS = "[child.pid for child in __import__('psutil').Process().children()]"
NUM_COMPLETED_ABOVE = f"(before) => ({NUM_COMPLETED})() > before"


@pytest.mark.slow
def test_the_quickstart_is_run_watched_steered_and_stopped(notebook, repository):
    name = "01_quickstart.ipynb"
    copy_with_easy_training(repository / "notebooks" / name, notebook.lab.root, epochs=20)
    notebook.open_file(name)
    # So many that a person may take their time.
    notebook.kernel("__import__('os').environ.update(HPO_WIDGETS_TRIALS='4000')")
    cells = notebook.page.evaluate(
        """() => window.jupyterapp.shell.currentWidget.content.widgets
             .map(cell => cell.model.sharedModel.getSource())"""
    )
    shows_panel = next(index for index, cell in enumerate(cells) if "OptimizerWidget(optimizer)" in cell)
    waits = next(index for index, cell in enumerate(cells) if "optimizer.wait()" in cell)
    for index in range(shows_panel + 1):
        notebook.run_cell(index)

    panel = notebook.panel()
    pill = panel.locator(".hpo-pill")
    expect(pill).to_have_text("○idle")
    # Workers are ready before Start is pressed, and it uses them.
    ready = notebook.wait_kernel(WORKERS)
    button(panel, "Start").click()
    expect(pill).to_have_text("●running")
    assert set(ready) <= set(notebook.kernel(WORKERS))
    plot = panel.locator(".hpo-plot-host")
    # A dot and the mark of the best.
    expect(plot.locator(".dot")).not_to_have_count(0)

    name = notebook.kernel("optimizer.name")
    # The cell that waits keeps the kernel busy from here on.
    notebook.start_cell(waits)
    drag(panel.get_by_role("slider", name="lr, lower end"), 70)
    notebook.page.mouse.up()
    # With the next trial that is proposed, for which one that runs has to end.
    expect(plot.locator("text", has_text="space 2: lr")).to_be_visible()
    # The dot of a trial that runs comes with its first report: only an end makes room for a trial of the new space.
    notebook.page.wait_for_function(NUM_COMPLETED_ABOVE, arg=notebook.page.evaluate(NUM_COMPLETED))
    notebook.screenshots_in_both_themes("quickstart", panel)

    notebook.command("hpo-widgets:open-search-panel")
    button(notebook.page.locator(".hpo-side"), f"Stop {name}").click()
    expect(pill).to_have_text("■stopped")
    # The kernel is free again: the waiting cell has ended.
    low, high = notebook.kernel("list(optimizer.space.ranges['lr'])")
    first, drawn = notebook.kernel(
        "[optimizer.epochs[-1].first_number,"
        " [(int(n), float(lr)) for s in [optimizer.snapshot()] for n, lr in zip(s.numbers, s.parameters['lr'])]]"
    )
    steered = [lr for number, lr in drawn if number >= first]
    assert steered
    assert all(low <= lr <= high for lr in steered)
