"""A race in a real JupyterLab: started, paused, stopped and continued by hand, looked at in both themes and widths."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.hand import button, reached_by_tab
from tests.browser.looks import assert_accessible
from tests.browser.notebook import rest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

RACE = """
import os
import time
from pathlib import Path
from hpo_widgets import StrategyRace, UniformParameterRange
from hpo_widgets.testing.objectives import branin

kernel = os.getpid()

def held(x, y):
    # Trials end when the test has pressed what it presses in mid-race; the kernel draws the function behind them.
    while os.getpid() != kernel and Path("held").exists():
        time.sleep(0.01)
    return branin(x, y)

held.landscape = branin.landscape
space = [UniformParameterRange("x", -5, 10), UniformParameterRange("y", 0, 15)]
race = StrategyRace(held, space, ["grid", "random", "TPE"], trials=25, repeats=3)
race
"""


def test_a_race_is_started_paused_and_continued_by_hand(notebook):
    door = notebook.lab.root / "held"
    door.touch()
    notebook.open(RACE, "race.wait()")
    notebook.run_cell(0)
    panel = notebook.panel()
    pill = panel.locator(".hpo-pill")
    expect(pill).to_contain_text("idle")
    expect(button(panel, "Pause")).to_have_attribute("aria-disabled", "true")

    start = button(panel, "Start")
    start.focus()
    notebook.page.keyboard.press("Enter")
    expect(pill).to_contain_text("running")
    notebook.start_cell(1)  # which is busy until the race has ended
    button(panel, "Pause").click()
    expect(pill).to_contain_text("paused")
    door.unlink()
    button(panel, "Resume").click()
    expect(pill).to_contain_text("completed")
    expect(panel.get_by_text("3 of 3 repeats")).to_be_visible()
    expect(panel.get_by_role("progressbar", name="TPE")).to_have_attribute("aria-valuetext", "75 / 75")

    pairs = panel.get_by_role("table", name="Pairs")
    expect(pairs.get_by_role("row")).to_have_count(4)
    expect(panel.locator(".hpo-verdict")).to_contain_text(re.compile("not distinguishable|is ahead of"))
    expect(panel.get_by_role("img", name="median and middle half")).to_be_visible()
    expect(panel.get_by_role("img", name=re.compile("where grid has looked"))).to_be_visible()
    expect(panel.locator(".hpo-look .bqplot image")).to_have_count(3)
    assert_accessible(notebook, panel, "race", (1400, 972, 600))
    for width in (420, 345):  # beside the file browser in a zoomed window
        panel.evaluate("(panel, width) => { panel.style.width = `${width}px`; }", width)
        shown = panel.locator(".hpo-race-buttons").get_by_role("button").all()
        assert len({round(one.bounding_box()["y"]) for one in shown}) == 1, width
        assert max(one.bounding_box()["height"] for one in shown) < 36, width
        name = panel.locator(".hpo-race-strategy b").nth(1).bounding_box()
        assert name["height"] < 24, width
        notebook.screenshot(f"race-{width}", panel)
    panel.evaluate("panel => { panel.style.width = '178px'; }")  # a window of 600 px with text of twice the size
    for one in panel.locator(".hpo-race-buttons").get_by_role("button").all():
        assert one.bounding_box()["x"] + one.bounding_box()["width"] <= panel.bounding_box()["x"] + 178
    panel.evaluate("panel => { panel.style.width = ''; }")

    panel.get_by_label("repeat", exact=True).select_option(label="2 of 3")
    notebook.wait_kernel("race.repeat == 2")
    panel.get_by_label("against", exact=True).select_option(label="minutes")
    expect(panel.locator(".hpo-best-host text.axislabel", has_text="seconds")).to_be_visible()
    toggle = panel.get_by_role("button", name="numbers")
    toggle.focus()
    notebook.page.keyboard.press("Enter")
    numbers = panel.get_by_role("table", name="Numbers of the best so far")
    expect(numbers.get_by_role("columnheader").nth(1)).to_have_text("grid median")
    notebook.page.keyboard.press("Escape")
    expect(numbers).to_be_hidden()

    door.touch()
    button(panel, "Start 3 more").click()
    expect(pill).to_contain_text("running")
    button(panel, "Stop").click()
    expect(pill).to_contain_text("stopped")
    door.unlink()
    notebook.kernel("race.close()")


COMPARED = """
from hpo_widgets import HyperParameterOptimizer, OptimizerOptuna, UniformParameterRange, compare
from hpo_widgets.testing.objectives import branin

y = UniformParameterRange("y", 0, 15)
searches = {
    "wide": HyperParameterOptimizer(branin, [UniformParameterRange("x", -5, 10), y], total_max_jobs=30, seed=1),
    "narrow": HyperParameterOptimizer(branin, [UniformParameterRange("x", 5, 10), y], total_max_jobs=30, seed=1),
    "TPE": HyperParameterOptimizer(
        branin, [UniformParameterRange("x", -5, 10), y], optimizer_class=OptimizerOptuna, total_max_jobs=30, seed=1
    ),
}
shown = compare(searches)
shown
"""


def test_searches_are_compared_while_they_run(notebook):
    panel = notebook.show(COMPARED, "[search.start() for search in searches.values()]")
    best = panel.get_by_role("table", name="The best of each search")
    expect(best.get_by_role("row", name=re.compile("^TPE 30, completed"))).to_be_visible()
    expect(best.get_by_role("row", name=re.compile("^wide 30, completed"))).to_be_visible()
    importance = panel.get_by_role("table", name="Importance of each parameter")
    expect(importance.get_by_role("row", name=re.compile("^TPE .*%"))).to_be_visible()
    expect(panel.locator(".hpo-verdict")).to_contain_text("narrow has another range of x than wide.")
    expect(panel.locator(".hpo-best-host text.label")).to_have_count(3)
    assert_accessible(notebook, panel, "compare")
    notebook.kernel("shown.close()")


CHALLENGE = """
from hpo_widgets import UniformParameterRange
from hpo_widgets.testing.objectives import himmelblau
from hpo_widgets.widget import Challenge

space = [UniformParameterRange("x", -5, 5), UniformParameterRange("y", -5, 5)]
challenge = Challenge(himmelblau, space, trials=3, seed=1)
challenge
"""


def test_a_challenge_is_played_by_mouse_and_keyboard(notebook):
    panel = notebook.show(CHALLENGE)
    score = panel.get_by_role("table", name="Score")
    expect(panel.locator(".hpo-verdict")).to_contain_text("3 points are left.")
    expect(score.get_by_role("row")).to_have_count(2)

    # A click into the map fills the form, the button runs the point.
    picture = panel.locator(".hpo-map .bqplot image").last  # which fills the figure and hears clicks
    rest(panel)
    box = picture.bounding_box()
    notebook.page.mouse.click(box["x"] + 0.8 * box["width"], box["y"] + 0.3 * box["height"])
    queue = button(panel, "Queue next")
    notebook.wait_kernel("challenge._form.point['x'] > 1")
    queue.click()
    expect(panel.locator(".hpo-verdict")).to_contain_text("2 points are left.")
    notebook.screenshot("challenge-light", panel)

    # And by keyboard alone.
    field = panel.get_by_label("x", exact=True).and_(panel.locator("input"))
    field.focus()
    for value, left in (("3", "1 point is left."), ("-2", "better")):
        expect(field).to_be_focused()
        notebook.page.keyboard.press("Control+a")
        notebook.page.keyboard.type(value)
        notebook.wait_kernel(f"challenge._map.figures[0]._offered.x.tolist() == [{value}]")  # which marks what is typed
        notebook.page.keyboard.press("Enter")
        expect(panel.locator(".hpo-verdict")).to_contain_text(left)
    expect(score.get_by_role("row")).to_have_count(3)
    expect(panel.get_by_role("img", name=re.compile("where TPE has looked"))).to_be_visible()
    assert_accessible(notebook, panel, "challenge-end", (1400, 972, 600))
    notebook.kernel("challenge.close()")


@pytest.mark.parametrize(("shown", "what"), [(COMPARED, "comparison"), (CHALLENGE, "challenge")])
def test_what_is_shown_again_by_its_cell_says_that_its_kernel_has_ended(notebook, shown, what):
    panel = notebook.show(shown)
    gone = panel.get_by_role("alert").filter(has_text=f"the kernel of this {what} has ended. Run its cell again.")
    expect(gone).to_have_count(0)  # of what the tree of accessibility has
    notebook.command("kernelmenu:shutdown")
    expect(gone).to_be_visible()
    for place in (".hpo-export", ".hpo-point", ".hpo-plot-host .widget-dropdown"):
        for control in panel.locator(place).all():
            expect(control).to_have_css("pointer-events", "none")
    reached = reached_by_tab(panel, gone)
    assert reached  # its tables can be scrolled
    assert all(may_be_pressed for _, may_be_pressed in reached)
    notebook.screenshots_in_both_themes(f"{what}-gone", panel)


LONG_NAME = """
from hpo_widgets import StrategyRace, UniformParameterRange
from hpo_widgets.testing.objectives import branin

space = [UniformParameterRange("x", -5, 10), UniformParameterRange("y", 0, 15)]
strategies = {"random, of a name for two lines": "random", "TPE": "TPE", "grid": "grid"}
StrategyRace(branin, space, strategies, trials=4, repeats=1)
"""


def test_maps_stand_in_one_line_whatever_the_strategies_are_called(notebook):
    notebook.page.set_viewport_size({"width": 1100, "height": 1000})
    panel = notebook.show(LONG_NAME)
    expect(panel.locator(".hpo-look .bqplot svg").first).to_be_visible()
    rest(panel)
    names = [one.bounding_box()["height"] for one in panel.locator(".hpo-look-head .hpo-series").all()]
    assert names[0] > 1.5 * names[1]
    counts = [one.bounding_box()["height"] for one in panel.locator(".hpo-race-strategy .hpo-row > span").all()]
    assert len(set(counts)) == 1
    maps = [one.bounding_box() for one in panel.locator(".hpo-look .bqplot").all()]
    assert len({round(one["y"]) for one in maps}) == 1
    notebook.screenshot("race-long-name", panel)
