"""A search outlives its kernel: restarted in mid-search, shown again by its id, continued to its budget."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.hand import button, reached_by_tab

pytestmark = pytest.mark.browser

TRAIN = """
import time
from pathlib import Path

def train(lr, dropout, trial):
    for epoch in range(4):
        print("epoch", epoch, flush=True)
        trial.report_scalar("validation", "loss", (lr - 0.01) ** 2 + dropout / (1 + epoch), iteration=epoch)
        time.sleep(0.03)
    # Doors for the test: each keeps trials from its number on from ending.
    while any(trial.number >= int(door.suffix[1:]) for door in Path().glob("door.*")):
        time.sleep(0.01)
"""
SEARCH = """
from hpo_widgets import HyperParameterOptimizer, LogUniformParameterRange, OptimizerWidget, UniformParameterRange

optimizer = HyperParameterOptimizer(
    train, [LogUniformParameterRange("lr", -4, -1), UniformParameterRange("dropout", 0.0, 0.5)],
    objective_metric_title="validation", objective_metric_series="loss", objective_metric_sign="min",
    max_number_of_concurrent_tasks=2, total_max_jobs=24, name="outlived", seed=3,
)
widget = OptimizerWidget(optimizer)
widget
"""
IMPORT = "from hpo_widgets import OptimizerWidget\n"
# As one does that needs more memory than there is.
DIE = """() => {
  const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
  kernel.requestExecute({code: "import os; os.kill(os.getpid(), 9)"});
}"""
APPEND = """([source]) => {
  const { content } = window.jupyterapp.shell.currentWidget;
  content.model.sharedModel.insertCell(content.widgets.length, {cell_type: 'code', source});
  content.activeCellIndex = content.widgets.length - 1;
}"""


def run_new_cell(notebook, source):
    """Append a cell, run it, and give the panel that it shows."""
    notebook.page.evaluate(APPEND, [source])
    notebook.command("notebook:run-cell")
    panel = notebook.page.locator(".jp-OutputArea .hpo-panel").last
    panel.scroll_into_view_if_needed()
    return panel


@pytest.fixture
def door(lab):
    """A file that keeps all trials from ending as long as it is there."""
    yield lab.root / "door.0"
    for path in lab.root.glob("door.*"):
        path.unlink()


@pytest.mark.slow
def test_a_search_is_continued_in_a_fresh_kernel_and_seen_in_another_without_its_callable(notebook, door):
    notebook.open(TRAIN, SEARCH)
    door = door.with_suffix(".6")
    door.touch()
    notebook.run_all()
    panel = notebook.panel()
    button(panel, "Start").click()
    notebook.wait_kernel("optimizer.counts[2] == 6 and optimizer.counts[1] == 2")
    notebook.wait_kernel("all(t.value for t in optimizer.get_active_experiments())")
    search_id = notebook.kernel("optimizer.id")
    workers = notebook.kernel("[c.pid for c in __import__('psutil').Process().children()]")
    best, done = notebook.kernel("[optimizer.best_trial.number, optimizer.counts[2]]")
    in_file = notebook.lab.root / notebook.save_with_picture()
    assert f"{done} completed" in in_file.read_text(encoding="utf-8")
    # In mid-search, as a person does who has lost patience.
    notebook.restart()
    gone = panel.get_by_role("alert").filter(has_text="Not connected any more")
    code = gone.locator("code").inner_text()
    assert code.splitlines()[-1] == f'OptimizerWidget.open("{search_id}", base_task_id=train)'
    # All that was seen can still be read, and a save keeps the last picture.
    expect(panel.locator(".hpo-history-host .dot").first).to_be_visible()
    expect(panel.locator(".hpo-counts")).to_contain_text(f"{done} completed")
    expect(notebook.page.locator(".hpo-saved")).not_to_be_visible()
    notebook.save()
    assert f"{done} completed" in in_file.read_text(encoding="utf-8")
    notebook.screenshots_in_both_themes("continue-gone", panel)
    # What its words and its comment say: the cell that defines the function, and then that code, as it is.
    expect(gone).to_contain_text("First run the cells that define train")
    notebook.run_cell(0)
    assert notebook.kernel("'optimizer' in globals()") is False
    panel = run_new_cell(notebook, code)
    assert notebook.kernel("globals().update(widget=_)") is None
    expect(panel.locator(".hpo-pill")).to_have_text("■stopped")
    expect(panel.locator(".hpo-gone")).to_be_hidden()
    # Everything that was seen is there, and what ran is told from what ended.
    expect(panel.get_by_role("button", name=f"{done} completed")).to_be_visible()
    expect(panel.get_by_role("button", name="2 aborted")).to_be_visible()
    expect(panel.get_by_role("button", name="0 running", exact=True)).to_have_count(0)
    assert notebook.kernel("widget.best_trial") == best
    # A dot a trial, those of the aborted ones too, and the mark of the best.
    expect(panel.locator(".hpo-history-host .dot")).to_have_count(done + 3)
    panel.get_by_role("button", name="2 aborted").click()
    details = panel.locator(".hpo-details")
    expect(details).to_contain_text("Aborted: the process that ran the search ended while")
    notebook.screenshots_in_both_themes("continue-reopened", panel)
    alive = f"[p for p in {workers} if __import__('psutil').pid_exists(p)]"
    notebook.wait_kernel(f"not {alive}")

    door.unlink()
    button(panel, "Continue").click()
    expect(panel.locator(".hpo-pill")).to_have_text("✓completed")
    expect(panel.locator(".hpo-sentence")).to_contain_text("24")
    assert notebook.kernel("[sum(widget.search.counts.values()), widget.search.counts[2]]") == [24, 22]
    # The same search, not another one.
    assert notebook.kernel("widget.search.id") == search_id
    notebook.screenshots_in_both_themes("continue-ended", panel)

    # Without the callable there is a view that says how to go on.
    notebook.restart()
    notebook.run_cell(0)
    panel = run_new_cell(notebook, f"{IMPORT}widget = OptimizerWidget.open({search_id!r})\nwidget")
    expect(panel.locator(".hpo-pill")).to_have_text("✓completed")
    start = button(panel, "Continue")
    expect(start).to_have_attribute("aria-disabled", "true")
    expect(start).to_have_attribute("title", "this is a view of a journal; to continue, open it with base_task_id=")
    notebook.screenshot("continue-view", panel)
    notebook.kernel("widget.close()")


@pytest.mark.slow
def test_a_search_that_was_never_started_says_to_run_its_cell_again(notebook):
    panel = notebook.show(TRAIN, SEARCH)
    expect(button(panel, "Start")).to_be_visible()
    notebook.restart()
    gone = panel.get_by_role("alert").filter(has_text="Not connected any more")
    expect(gone).to_contain_text("This search was not started yet: run its cell again.")
    expect(gone.locator("code")).to_be_hidden()
    expect(gone.get_by_role("button")).to_have_count(0)
    notebook.screenshot("continue-gone-new", panel)


RACE = """
from hpo_widgets import StrategyRace
space = [LogUniformParameterRange("lr", -4, -1), UniformParameterRange("dropout", 0.0, 0.5)]
race = StrategyRace(train, space, ["random", "TPE"], trials=4, repeats=2)
race
"""


@pytest.mark.slow
@pytest.mark.parametrize("end", ["shut down", "died"])
def test_a_panel_says_that_its_kernel_was_shut_down_or_died(notebook, door, end):
    door.touch()
    notebook.show(TRAIN, SEARCH, RACE)
    panel = notebook.page.locator(".jp-OutputArea .hpo-panel").first
    race = notebook.page.locator(".jp-OutputArea .hpo-race-layout")
    button(panel, "Start").click()
    notebook.wait_kernel("optimizer.counts[1] == 2")
    notebook.run_cell(1)  # of which the first search goes on
    button(panel, "Start").click()
    notebook.wait_kernel("optimizer.counts[1] == 2")
    expect(panel.get_by_role("button", name="Stop the earlier run")).to_be_visible()
    panel.get_by_role("button", name="2 running", exact=True).click()
    expect(button(panel, "Stop trial")).to_be_visible()
    code = f'OptimizerWidget.open("{notebook.kernel("optimizer.id")}", base_task_id=train)'
    expect(panel.locator(".hpo-gone")).to_be_hidden()
    if end == "shut down":
        notebook.command("kernelmenu:shutdown")
    else:
        notebook.page.evaluate(DIE)
        notebook.page.get_by_role("dialog").get_by_role("button", name="Ok").click()
    gone = panel.get_by_role("alert").filter(has_text="Not connected any more")
    expect(gone).to_be_visible()
    assert gone.locator("code").inner_text().splitlines()[-1] == code
    for place in (".hpo-controls", ".hpo-earlier", ".hpo-tab .hpo-select", ".hpo-tab .hpo-numbers button"):
        expect(panel.locator(place).first).to_have_css("pointer-events", "none")
    expect(race.get_by_role("alert").filter(has_text="the kernel of this race has ended")).to_be_visible()
    for place in (".hpo-race-buttons", ".hpo-export", ".hpo-looks-head .widget-dropdown"):
        expect(race.locator(place)).to_have_css("pointer-events", "none")
    # The keyboard reaches no more than the mouse, and all that is there to be read.
    of_panel = reached_by_tab(panel, gone)
    of_race = reached_by_tab(race, race.get_by_role("alert").filter(has_text="the kernel of this race has ended"))
    assert all(may_be_pressed for _, may_be_pressed in [*of_panel, *of_race])
    names = {name for name, _ in of_panel}
    assert {"Copy the code", "</> Code", "History", "Copy as dict"} <= names
    assert not {"Stop trial", "Try a variation", "Note", "Add a tag"} & names
    assert [name for name, _ in of_race] == ["Standings", "Pairs"]
    copy = gone.get_by_role("button", name="Copy the code")
    copy.focus()
    notebook.page.keyboard.press("Enter")
    expect(gone.get_by_role("status")).to_have_text(re.compile("Copied|Selected"))
    # The line of a strategy is no sign of a widget without its kernel.
    signs = "node => { const { height, padding } = getComputedStyle(node, '::before'); return [height, padding]; }"
    assert race.locator(".hpo-look-head .hpo-series").first.evaluate(signs) == ["3px", "0px"]
    # A tab that nobody had looked at is empty, and says why.
    panel.get_by_role("tab", name="Slices").click()
    expect(panel.locator(".hpo-tab:visible")).to_be_empty()
    words = "node => getComputedStyle(node, '::before').content"
    assert "nobody had looked at this tab" in panel.locator(".hpo-tab:visible").evaluate(words)
    notebook.screenshots_in_both_themes(f"continue-{end.replace(' ', '-')}", panel)


@pytest.mark.slow
def test_two_panels_of_one_search_stay_in_step(notebook, door):
    door.touch()
    notebook.show(TRAIN, SEARCH, "second = OptimizerWidget(optimizer)\nsecond")
    panels = notebook.page.locator(".jp-OutputArea .hpo-panel")
    first, second = panels.nth(0), panels.nth(1)
    button(first, "Start").click()
    for panel in (first, second):
        expect(panel.locator(".hpo-pill")).to_have_text("●running")
    field = first.get_by_role("textbox", name="dropout, upper bound")
    field.fill("0.25")
    field.press("Enter")
    expect(second.get_by_role("textbox", name="dropout, upper bound")).to_have_value("0.25")
    # Waiting is each panel's own.
    button(second, "Wait").click()
    expect(button(second, "Wait")).to_have_attribute("aria-pressed", "true")
    expect(button(first, "Wait")).to_have_attribute("aria-pressed", "false")
    notebook.kernel("widget.close()")
    expect(panels).to_have_count(1)
    # Where the other one was, the notebook keeps it as it was when it was closed.
    kept = notebook.page.locator(".jp-OutputArea .hpo-snapshot").first
    expect(kept).to_contain_text("was running")
    expect(kept).to_contain_text(f'OptimizerWidget.open("{notebook.kernel("optimizer.id")}"')
    button(panels.last, "Stop").click()
    expect(panels.last.locator(".hpo-pill")).to_have_text("■stopped")
    expect(panels.last.locator(".hpo-wait").get_by_role("status")).to_contain_text("the search has ended: stopped")


@pytest.mark.slow
def test_the_output_of_a_running_trial_grows_while_it_is_looked_at(notebook, door):
    door.touch()
    notebook.open(
        TRAIN.replace(
            "        time.sleep(0.01)", "        print(Path('line').read_text(), flush=True); time.sleep(0.2)"
        ),
        SEARCH,
    )
    line = door.with_name("line")
    line.write_text("first <img src=x onerror=window.hit=1>")
    notebook.run_all()
    panel = notebook.panel()
    button(panel, "Start").click()
    notebook.wait_kernel("optimizer.counts[1] == 2")
    panel.get_by_role("button", name="2 running", exact=True).click()
    details = panel.locator(".hpo-details")
    expect(details.get_by_role("heading", name="Output so far")).to_be_visible()
    output = details.locator("pre", has_text="epoch 0")
    expect(output).to_contain_text("first <img src=x onerror=window.hit=1>")
    # Nobody has pressed anything since: it grows by itself, and its end stays in view.
    line.write_text("second")
    expect(output).to_contain_text("second")
    notebook.page.set_viewport_size({"width": 1400, "height": 1400})
    notebook.screenshots_in_both_themes("live-log", panel)
    is_at_end = "pre => pre.scrollHeight - pre.scrollTop - pre.clientHeight < 8"
    assert output.evaluate(is_at_end)
    # Larger letters, as another theme may have, are no reason to leave the end.
    output.evaluate("pre => { pre.style.fontSize = '24px'; }")
    line.write_text("third")
    expect(output).to_contain_text("third")
    assert output.evaluate(is_at_end)
    selected = notebook.kernel("widget.selected")
    rows = panel.get_by_role("grid", name="Top trials").locator("tbody tr[aria-selected=true]")
    expect(rows).to_have_count(len(selected))
    # The first two trials end, and not the search.
    door.with_suffix(".2").touch()
    door.unlink()
    expect(details).to_contain_text("completed")
    expect(details.get_by_role("heading", name="Output", exact=True)).to_be_visible()
    button(panel, "Stop").click()
    expect(panel.locator(".hpo-pill")).to_have_text("■stopped")
