"""The panel and its kernel: a kernel that is busy, a page that is loaded late, a real search that is steered.

These open notebooks of their own one after another in one page, which a module that shares a notebook keeps to itself.
"""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import expect

from tests.browser.hand import drag, take
from tests.browser.notebook import LONGER, PATIENCE, Notebook
from tests.browser.scripted import panel_of

pytestmark = pytest.mark.browser

PANEL = panel_of()


def test_stop_pause_and_a_range_act_while_a_cell_computes(notebook):
    busy = """
from pathlib import Path
while not Path("told").exists():
    sum(range(100_000))  # a cell that computes, and lets go of nothing by itself
acted = [command[0] for command in search.commands]
"""
    told = notebook.lab.root / "told"
    told.unlink(missing_ok=True)
    notebook.open(
        PANEL.replace(
            "\nwidget\n", "\nsearch.command('start')\nsearch.add_trials([0.5, 0.4])\nsearch.commands.clear()\nwidget\n"
        ),
        busy,
    )
    notebook.start_all()
    panel = notebook.panel()
    expect(panel.locator(".hpo-pill")).to_have_text("●running")
    field = panel.get_by_role("textbox", name="dropout, lower bound")
    field.fill("0.2")
    field.press("Enter")
    # What the search makes of it is shown while the cell still runs.
    expect(panel.locator(".hpo-plot-host text", has_text="space 2: dropout 0.2")).to_be_visible()
    panel.get_by_role("button", name="Pause").click()
    expect(panel.locator(".hpo-pill")).to_contain_text("paused")
    panel.get_by_role("button", name="Stop").click()
    expect(panel.locator(".hpo-pill")).to_have_text("■stopped")
    told.touch()
    assert notebook.kernel("acted") == ["set_ranges", "pause", "stop"]


@pytest.mark.slow
def test_a_picture_in_a_page_that_is_opened_while_a_cell_runs_says_that_the_panel_comes(notebook):
    busy = """
from pathlib import Path
import time
Path("begun").touch()
while not Path("told").exists():
    time.sleep(0.01)
"""
    begun, told = (notebook.lab.root / name for name in ("begun", "told"))
    for path in (begun, told):
        path.unlink(missing_ok=True)
    notebook.open(PANEL.replace("\nwidget\n", "\nsearch.add_trials([0.5, 0.4])\nwidget\n"), busy)
    notebook.run_cell(0)
    name = notebook.save_with_picture()
    notebook.start_cell(1)
    deadline = time.monotonic() + PATIENCE
    while not begun.exists():
        assert time.monotonic() < deadline
        notebook.page.wait_for_timeout(20)
    notebook.page.goto("about:blank")
    notebook.open_file(name)
    saved = notebook.page.locator(".hpo-saved-banner")
    expect(saved).to_contain_text("The kernel has not answered yet: if it runs this search, the panel is live when")
    # A name that has room is one line, as a shorter one is.
    heights = notebook.page.locator(".hpo-saved dt").evaluate_all("names => names.map(name => name.offsetHeight)")
    assert len(heights) == 4
    assert len(set(heights)) == 1
    notebook.screenshots_in_both_themes("kernel-busy", notebook.page.locator(".hpo-saved"))
    told.touch()
    expect(notebook.panel().locator(".hpo-pill")).to_be_visible()
    expect(saved).to_be_hidden()
    assert "not answered" not in saved.text_content()


# ipywidgets looks for a widget every 100 milliseconds for two seconds, and not again after the last of them: a page
# that was busy until then has made the widget, and is told that there is none.
LOOKS_ONCE = f"({LONGER})([100, 2500])"


@pytest.mark.slow
def test_the_panel_is_there_again_though_the_page_made_its_widgets_while_it_was_not_looked_for(notebook):
    notebook.show(PANEL)
    expect(notebook.panel().locator(".hpo-pill")).to_have_text("○idle")
    with notebook.page.context.new_page() as page:
        page.add_init_script(LOOKS_ONCE)
        again = Notebook(page, notebook.lab)
        again.open_file(notebook.save())
        expect(again.panel().locator(".hpo-pill")).to_have_text("○idle")
        expect(page.locator(".hpo-saved")).not_to_be_visible()


ANOTHER = """
from IPython.display import display

MIME = "application/vnd.jupyter.widget-view+json"
data = widget._repr_mimebundle_()
output = display({**data, MIME: {**data[MIME], "model_id": "0" * 32}}, raw=True, display_id=True)
output.update(data, raw=True)
"""


@pytest.mark.slow
def test_an_output_that_is_to_show_another_panel_while_the_first_is_looked_for_shows_that_one(notebook):
    notebook.show(PANEL.replace("\nwidget\n", ANOTHER))
    expect(notebook.panel().locator(".hpo-pill")).to_have_text("○idle")
    notebook.console_errors.clear()  # ipywidgets says that the first one does not exist


SEARCH = """
import time
from hpo_widgets import HyperParameterOptimizer, LogUniformParameterRange, OptimizerWidget, RandomSearch
from hpo_widgets import UniformParameterRange

def train(lr, dropout):
    time.sleep(0.05)
    return lr + dropout

optimizer = HyperParameterOptimizer(
    base_task_id=train,
    hyper_parameters=[LogUniformParameterRange("lr", -4, -1), UniformParameterRange("dropout", 0.0, 0.5)],
    optimizer_class=RandomSearch, max_number_of_concurrent_tasks=2, seed=1,
)
optimizer.start()
OptimizerWidget(optimizer)
"""
NUM_TRIALS = "len(optimizer.snapshot())"


@pytest.fixture
def running(notebook):
    """A search of a function that runs in worker processes, with its panel."""
    notebook.show(SEARCH)
    expect(notebook.panel().locator(".hpo-pill")).to_have_text("●running")
    notebook.wait_kernel(f"{NUM_TRIALS} > 30")
    yield notebook
    notebook.kernel("optimizer.stop() and None")


def test_a_drag_in_mid_search_steers_every_trial_that_is_proposed_afterwards(running):
    mouse = running.page.mouse
    panel = running.panel()
    lower = panel.get_by_role("slider", name="lr, lower end")
    x, y = take(lower)
    for step in range(1, 11):
        mouse.move(x + 9 * step, y)
        # Trials go on under the hand.
        running.wait_kernel(f"{NUM_TRIALS} > {30 + 2 * step}")
    # Nothing is steered before it lets go.
    assert running.kernel("len(optimizer.epochs)") == 1
    mouse.up()
    running.wait_kernel("len(optimizer.epochs) > 1")
    first = running.kernel("optimizer.epochs[1].first_number")
    running.wait_kernel(f"{NUM_TRIALS} > {first} + 40")
    epochs, (low, high), drawn = running.kernel(
        "[len(optimizer.epochs), list(optimizer.space.ranges['lr']),"
        " [(int(n), float(lr), int(e)) for s in [optimizer.snapshot()]"
        "  for n, lr, e in zip(s.numbers, s.parameters['lr'], s.epoch)]]"
    )
    assert epochs == 2
    assert 3e-4 < low < high == pytest.approx(0.1)
    expect(lower).to_have_attribute("aria-valuenow", str(low))
    steered = [lr for number, lr, _ in drawn if number >= first]
    assert len(steered) > 40
    assert all(low <= lr <= high for lr in steered)
    assert {epoch for number, _, epoch in drawn if number >= first} == {1}
    # It made a difference: before, some were drawn below.
    assert any(lr < low for number, lr, _ in drawn if number < first)
    expect(panel.locator(".hpo-plot-host text", has_text="space 2: lr")).to_be_visible()
    expect(panel.get_by_role("group", name="lr").locator(".hpo-rug path").first).to_be_attached()
    running.screenshot("space-steered", panel)


@pytest.mark.slow
def test_a_page_that_is_closed_in_mid_drag_commits_nothing_and_the_search_goes_on(running):
    name = running.save()
    drag(running.panel().get_by_role("slider", name="lr, lower end"), 90)
    expect(running.panel().locator("[data-dragged]")).to_have_count(1)
    before = running.kernel(NUM_TRIALS)
    running.page.goto("about:blank")
    running.page.mouse.up()
    running.open_file(name)
    running.wait_kernel(f"{NUM_TRIALS} > {before} + 20")
    assert running.kernel("[len(optimizer.epochs), str(optimizer.status), len(optimizer.errors)]") == [1, "running", 0]
    lower = running.panel().get_by_role("slider", name="lr, lower end")
    expect(lower).to_have_attribute("aria-valuenow", "0.0001")
    # The panel in the new page steers.
    lower.press("PageUp")
    running.wait_kernel("len(optimizer.epochs) == 2")
    running.console_errors.clear()  # of widgets that the kernel told of before the page that was left had made them


# What a module that takes over two seconds to load meets: the time that anywidget gives it is over at once.
LATE = """() => {
  const { timeout } = AbortSignal;
  AbortSignal.timeout = () => AbortSignal.abort();
  const add = AbortSignal.prototype.addEventListener;
  AbortSignal.prototype.addEventListener = function (kind, act, ...others) {
    if (this.aborted && kind === "abort") act();
    else add.call(this, kind, act, ...others);
  };
  return () => {
    AbortSignal.timeout = timeout;
    AbortSignal.prototype.addEventListener = add;
  };
}"""


@pytest.mark.slow
def test_a_panel_whose_views_were_loaded_too_late_follows_its_search(notebook):
    notebook.open(PANEL.replace("\nwidget\n", "\nsearch.command('start')\nwidget\n"))
    panel = notebook.panel()
    be_in_time = notebook.page.evaluate_handle(LATE)
    try:
        notebook.run_all()
        expect(panel.locator(".hpo-pill")).to_have_text("●running")
    finally:
        be_in_time.evaluate("end => end()")  # the page is lent to other tests
    assert any("Failed to initialize model" in said for said in notebook.console_errors)
    notebook.kernel("search.add_trials([0.5, 0.4, 0.3])")
    expect(panel.locator(".hpo-counts")).to_contain_text("3 completed")
    notebook.kernel("search.command('pause')")
    expect(panel.locator(".hpo-pill")).to_contain_text("paused")
    assert not any("TypeError" in said for said in notebook.console_errors)
