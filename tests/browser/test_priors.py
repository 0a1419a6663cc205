"""A prior drawn by hand and by keyboard, and the running search that follows it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.hand import press_keys
from tests.browser.scripted import IMPORTS, commands, wait_for_commands

pytestmark = pytest.mark.browser

PANEL = f"""{IMPORTS}
from IPython.display import display

search = ScriptedSearch()
search.add_trials([0.5] * 30)
widget = SpacePanel(search)
display(widget)
"""


@pytest.fixture
def panel(run_anew):
    """A space panel in the page that the tests of this module share."""
    shown = run_anew.page.locator(".jp-OutputArea .hpo-space")
    expect(shown.get_by_role("slider").first).to_be_visible()
    return shown


def strip(panel, name):
    """Open the strip of a parameter; gives what is drawn in."""
    panel.get_by_role("button", name=f"Prior of {name}", exact=True).click()
    area = panel.get_by_role("slider", name=f"Prior of {name}", exact=True)
    expect(area).to_be_visible()
    return area


def stroke(page, area, *places):
    """Draw through places, each a share of the width and of the height from below."""
    box = area.bounding_box()
    at = [(box["x"] + across * box["width"], box["y"] + (1 - up) * box["height"]) for across, up in places]
    page.mouse.move(*at[0])
    page.mouse.down()
    for place in at[1:]:
        page.mouse.move(*place, steps=4)
    page.mouse.up()


def test_a_stroke_of_the_mouse_is_one_prior_that_undo_takes_back(opened, panel):
    area = strip(panel, "lr")
    stroke(opened.page, area, (0.5, 0.02), (0.75, 0.98), (0.99, 0.02))
    wait_for_commands(opened, 1)
    [[kind, priors]] = commands(opened)
    assert (kind, list(priors)) == ("set_priors", ["lr"])
    weights = priors["lr"]["weights"]
    assert len(weights) == 40
    assert max(range(40), key=weights.__getitem__) in (29, 30)
    assert weights[:19] == [0] * 19
    assert sorted(weights[20:30]) == weights[20:30]
    expect(panel.get_by_text("Counts in full. Grey: tried.")).to_be_visible()
    expect(area.locator(".hpo-prior-tried")).to_have_attribute("d", re.compile(r"^M"))
    area.press("Control+z")
    wait_for_commands(opened, 2)
    assert commands(opened)[-1][0] == "undo"
    expect(area.locator(".hpo-prior-line")).to_have_attribute("d", "")


def test_a_prior_is_drawn_by_keys_alone_and_read_out(opened, panel):
    toggle = panel.get_by_role("button", name="Prior of layers", exact=True)
    toggle.focus()
    toggle.press("Enter")
    expect(toggle).to_have_attribute("aria-expanded", "true")
    area = panel.get_by_role("slider", name="Prior of layers", exact=True)
    press_keys(area, ("Home", "ArrowRight", "ArrowRight", "PageUp", "PageUp", "ArrowUp", "ArrowRight", "ArrowUp"))
    expect(area).to_have_attribute("aria-valuetext", "4: 10 %")
    area.press("ArrowLeft")
    expect(area).to_have_attribute("aria-valuetext", "3: 70 %")
    wait_for_commands(opened, 1)
    [[_, priors]] = commands(opened)
    assert priors["layers"]["weights"] == [0, 0, 0.7, 0.1, 0, 0]
    area.press("Delete")
    wait_for_commands(opened, 2)
    assert commands(opened)[-1] == ["set_priors", {"layers": None}]
    expect(area).to_have_attribute("aria-valuetext", "3: 0 %")


def test_choices_are_drawn_in_columns_with_their_names(opened, panel):
    area = strip(panel, "activation")
    stroke(opened.page, area, (0.5, 0.9), (0.52, 0.9))
    wait_for_commands(opened, 1)
    [[_, priors]] = commands(opened)
    weights = priors["activation"]["weights"]
    assert weights[0] == weights[2] == 0
    assert weights[1] == pytest.approx(0.9, abs=0.08)
    panel.get_by_role("button", name="Clear the prior of activation").click()
    wait_for_commands(opened, 2)
    assert commands(opened)[-1] == ["set_priors", {"activation": None}]


def test_a_stroke_that_is_given_up_leaves_what_was(opened, panel):
    area = strip(panel, "dropout")
    box = area.bounding_box()
    opened.page.mouse.move(box["x"] + 20, box["y"] + 10)
    opened.page.mouse.down()
    opened.page.mouse.move(box["x"] + 60, box["y"] + 10)
    expect(area.locator(".hpo-prior-line")).to_have_attribute("d", re.compile("^M"))
    opened.page.keyboard.press("Escape")
    opened.page.mouse.up()
    expect(area.locator(".hpo-prior-line")).to_have_attribute("d", "")
    assert commands(opened) == []


def test_a_prior_is_of_the_track_on_which_its_stroke_was_begun(opened, panel):
    area = strip(panel, "dropout")
    box = area.bounding_box()
    opened.page.mouse.move(box["x"] + 20, box["y"] + 10)
    opened.page.mouse.down()
    opened.kernel("search.set_ranges({'dropout': (0.0, 1.0)})")
    expect(panel.get_by_role("textbox", name="dropout, upper bound")).to_have_value("1")
    opened.page.mouse.move(box["x"] + 60, box["y"] + 10)
    opened.page.mouse.up()
    wait_for_commands(opened, 1)
    [[_, priors]] = commands(opened)
    assert priors["dropout"]["range"] == [0.0, 0.5]
    opened.wait_kernel("'dropout' in widget.priors")
    expect(area.locator(".hpo-prior-line")).to_have_attribute("d", re.compile("^M"))


def test_where_no_prior_is_followed_the_bell_says_why(opened, panel):
    opened.kernel("search.refuse('set_priors', 'grid search follows no prior')")
    toggle = panel.get_by_role("button", name="Prior of lr", exact=True)
    expect(toggle).to_have_attribute("aria-description", "grid search follows no prior")
    toggle.press("Enter")
    expect(toggle).to_have_attribute("aria-expanded", "false")


RUNNING = """
import time
from pathlib import Path
from hpo_widgets import *

def loss(x, layers, kind, trial):
    while trial.number == 20 and Path("held.priors").exists():  # a door for the test
        time.sleep(0.01)
    return (x - 7) ** 2 + layers

optimizer = HyperParameterOptimizer(
    loss,
    [
        UniformParameterRange("x", 0, 10),
        UniformIntegerParameterRange("layers", 1, 8),
        DiscreteParameterRange("kind", ["relu", "tanh", "logistic"]),
    ],
    optimizer_class=OptimizerOptuna, max_number_of_concurrent_tasks=1, seed=1,
)
optimizer.start()
widget = OptimizerWidget(optimizer)
widget
"""
DRAWN = {
    "x": [(0.15, 0.02), (0.22, 0.5), (0.28, 0.97), (0.34, 0.5), (0.42, 0.02)],
    "layers": [(0.43, 0.9), (0.56, 0.6)],
    "kind": [(0.4, 0.9), (0.9, 0.3)],
}


@pytest.mark.slow
def test_a_running_search_proposes_where_it_was_drawn(notebook):
    # What TPE has learnt when it is drawn is always the same.
    door = notebook.lab.root / "held.priors"
    door.touch()
    notebook.show(RUNNING)
    panel = notebook.panel().locator(".hpo-space")
    expect(panel.get_by_role("slider").first).to_be_visible()
    notebook.wait_kernel("len(optimizer.snapshot()) == 21")
    notebook.kernel("optimizer.pause()")
    door.unlink()
    notebook.wait_kernel("optimizer.trial(20).status == 'completed'")
    for number, (name, places) in enumerate(DRAWN.items(), 2):
        stroke(notebook.page, strip(panel, name), *places)
        notebook.wait_kernel(f"len(optimizer.epochs) == {number}")
    notebook.kernel("optimizer.resume()")
    notebook.wait_kernel("len(optimizer.snapshot()) >= optimizer.epochs[-1].first_number + 12")
    notebook.kernel("optimizer.stop()")
    points = notebook.kernel(
        "[optimizer.trial(optimizer.epochs[-1].first_number + number).parameters for number in range(10)]"
    )
    # TPE weighs what it has learnt of the first 21 trials, too: its best x are elsewhere.
    assert sum(1.5 <= point["x"] <= 4.2 for point in points) >= 6
    assert sum(point["layers"] in (4, 5) for point in points) >= 6
    assert sum(point["kind"] != "relu" for point in points) >= 7
    expect(panel.get_by_text(re.compile(r"^Faded to power 0\.\d+\. Grey: tried\.$"))).to_have_count(3)
    notebook.screenshots_in_both_themes("priors", notebook.panel())
    notebook.set_panel_width(320)
    # What is drawn stays within its control.
    assert panel.evaluate(
        "panel => [...panel.querySelectorAll('.hpo-prior-area')].every(area =>"
        " area.getBoundingClientRect().right <= panel.getBoundingClientRect().right)"
    )
    notebook.screenshots_in_both_themes("priors-narrow", panel)
