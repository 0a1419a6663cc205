"""A notebook that is opened without its kernel shows its last picture, with the settings that everybody begins with."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import expect

from hpo_widgets.widget.parts.snapshot import MIME
from tests.browser.test_continue import run_new_cell
from tests.hosts.test_live import complaints

pytestmark = pytest.mark.browser

PANEL = """
from hpo_widgets import HyperParameterOptimizer, OptimizerWidget, RandomSearch, UniformParameterRange

def train(x, y):
    return (x - 0.3) ** 2 + y

optimizer = HyperParameterOptimizer(
    train,
    [UniformParameterRange("x", 0, 1), UniformParameterRange("y", 0, 1)],
    optimizer_class=RandomSearch, max_number_of_concurrent_tasks=1, total_max_jobs=12, seed=1,
)
widget = OptimizerWidget(optimizer)
widget
"""
RUN = "optimizer.start(); _ = optimizer.wait()"


def output_in_file(page, name):
    """The data of the one output of a panel in the file."""
    notebook = json.loads((page.lab.root / name).read_text(encoding="utf-8"))
    (data,) = [
        output["data"] for cell in notebook["cells"] for output in cell["outputs"] if MIME in output.get("data", {})
    ]
    return {kind: "".join(value) if isinstance(value, list) else value for kind, value in data.items()}


def wait_until_kept(page, words):
    """Wait until the notebook that is open has some words, saved or not."""
    page.page.wait_for_function(
        """words => {
          const { context } = window.jupyterapp.shell.currentWidget;
          return JSON.stringify(context.model.toJSON()).includes(words);
        }""",
        arg=words,
    )


def state_of_document(page):
    return page.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.model.dirty")


def expect_live(page):
    expect(page.panel().locator(".hpo-pill")).to_be_visible()
    expect(page.page.locator(".hpo-saved")).not_to_be_visible()


def expect_picture(page):
    saved = page.page.locator(".hpo-saved")
    expect(saved).to_be_visible()
    expect(page.page.get_by_text("Error displaying widget").filter(visible=True)).to_have_count(0)
    return saved


@pytest.mark.slow
def test_the_end_of_a_search_is_kept_without_a_save_and_the_last_save_is_there_when_the_kernel_has_gone(page):
    page.open(PANEL, RUN)
    page.run_cell(0)
    expect_live(page)
    page.save()
    page.run_cell(1)
    # The end of a search is kept without a save.
    wait_until_kept(page, "12 completed")
    expect(page.panel().locator(".hpo-pill")).to_have_text(re.compile("completed"))
    expect_live(page)
    page.kernel("optimizer.set_range('y', (0.0, 0.5))")
    name = page.save_with_picture()

    # Of that very save, as the range is another one than at the end; and nothing is left to be saved.
    data = output_in_file(page, name)
    assert data[MIME]["space"][1] == {"name": "y", "range": "0 … 0.5"}
    assert "12 completed" in data["text/plain"]
    assert "12 completed" in data["text/html"]
    assert data["image/png"].strip() in data["text/html"]
    assert data[MIME]["counts"] == [{"text": "12 completed", "is_bad": False}]
    assert len(json.dumps(data)) < 300_000
    assert not state_of_document(page)

    page.command("kernelmenu:shutdown")
    page.page.goto("about:blank")
    page.open_file(name)
    saved = expect_picture(page)
    expect(saved).to_contain_text(re.compile(r"Saved picture from \d\d:\d\d. To continue:"))
    expect(saved.locator("code")).to_have_text(re.compile(r'OptimizerWidget\.open\(".*", base_task_id=train\)'))
    expect(saved.get_by_role("button")).to_have_count(1)
    expect(saved).to_contain_text("was complete")
    expect(saved.get_by_role("img")).to_have_js_property("naturalWidth", 1520)
    expect(saved.locator("tbody tr")).to_have_count(5)
    expect(saved.locator("caption")).to_have_text("Best trials first, failed ones last")
    kind = page.lab.opens.split("/", maxsplit=1)[0]
    page.screenshots_in_both_themes(f"reopened-{kind}", page.page.locator(".jp-Notebook"))
    page.page.set_viewport_size({"width": 640, "height": 1000})
    page.screenshot(f"reopened-{kind}-narrow", page.page.locator(".jp-Notebook"))

    # The code that the picture shows opens the search live, as it is, once the cell has said what `train` is.
    code = saved.locator("code").inner_text()
    page.run_cell(0)
    expect_live(page)
    run_new_cell(page, code)
    assert page.kernel("len(_.search.snapshot())") == 12


RACE = """
from hpo_widgets import HyperParameterOptimizer, RandomSearch, StrategyRace, UniformParameterRange, compare
from hpo_widgets.testing.objectives import branin
from hpo_widgets.widget import Challenge

space = [UniformParameterRange("x", -5, 10), UniformParameterRange("y", 0, 15)]
race = StrategyRace(branin, space, ["grid", "random"], trials=9, repeats=3)
race
"""
COMPARED = """
searches = {
    name: HyperParameterOptimizer(branin, space, optimizer_class=RandomSearch, total_max_jobs=12, seed=seed)
    for seed, name in enumerate(["first", "second"])
}
compare(searches)
"""
CHALLENGE = """
challenge = Challenge(branin, space, trials=3, seed=1)
challenge
"""
RUN_ALL = """
for search in searches.values():
    search.start()
challenge.propose(x=3, y=2)
race.start()
_ = race.wait(), challenge.wait(), [search.wait() for search in searches.values()]
"""


# What is painted before the race itself is there would seem to be said of it.
NOTE_EACH_LINE = """() => {
  window.lines = [];
  const look = () => {
    for (const { innerText } of document.querySelectorAll(".hpo-snapshot")) {
      if (innerText.includes("Run its cell again")) {
        window.lines.push(innerText);
      }
    }
    requestAnimationFrame(look);
  };
  look();
}"""


@pytest.mark.slow
def test_a_race_a_comparison_and_a_challenge_are_live_again_in_a_page_that_is_loaded_again_and_else_pictures(page):
    page.open(RACE, COMPARED, CHALLENGE, RUN_ALL)
    page.page.evaluate(NOTE_EACH_LINE)
    page.run_all()
    panels = page.page.locator(".jp-OutputArea .hpo-race")
    saved = page.page.locator(".hpo-saved")
    expect(panels.locator(".hpo-race-layout:visible")).to_have_count(3)
    expect(saved.filter(visible=True)).to_have_count(0)
    # The end of a race is kept without a save.
    wait_until_kept(page, "3 whole repeats")
    assert page.page.evaluate("() => window.lines") == []
    page.load_again()
    expect(panels.locator(".hpo-race-layout:visible")).to_have_count(3)
    page.kernel("challenge.propose(x=-3, y=12)")
    page.kernel("challenge.wait(1)")
    name = page.save()
    assert (page.lab.root / name).stat().st_size < 450_000

    page.command("kernelmenu:shutdown")
    page.page.goto("about:blank")
    page.open_file(name)
    expect(saved.filter(visible=True)).to_have_count(3)
    expect(page.page.get_by_text("Error displaying widget").filter(visible=True)).to_have_count(0)
    of_race, of_searches, of_game = (saved.nth(place) for place in range(3))
    expect(of_race).to_contain_text(re.compile(r"Saved picture from \d\d:\d\d. Run its cell again for another race."))
    expect(of_race).to_contain_text("3 whole repeats")
    expect(of_race.locator("caption")).to_have_text("Standings")
    expect(of_searches).to_contain_text(re.compile(r"best [\d.]+ in (first|second) at #\d+"))
    expect(of_game).to_contain_text("1 point is left.")  # of that very save
    for one in (of_race, of_searches, of_game):
        expect(one.get_by_role("img")).to_have_js_property("naturalWidth", 1520)
    kind = page.lab.opens.partition("/")[0]
    for name, one in {"race": of_race, "comparison": of_searches, "challenge": of_game}.items():
        page.screenshots_in_both_themes(f"reopened-{name}-{kind}", one)
    page.run_cell(0)
    expect(panels.first.locator(".hpo-pill")).to_be_visible()


# In JupyterLab tests of tests/browser do this.
@pytest.mark.slow
@pytest.mark.parametrize("host", ["notebook"], indirect=True)
def test_a_panel_is_live_again_in_a_page_that_is_loaded_again_and_left_with_the_way_back_by_a_restart(page):
    page.show(PANEL, RUN)
    expect_live(page)
    page.load_again()
    expect_live(page)
    expect(page.panel().locator(".hpo-pill")).to_have_text("✓completed")
    # What is shown after the page was loaded again can be renewed, too.
    page.kernel("[optimizer.set_total_max_jobs(14), optimizer.start(), optimizer.wait()] and None")
    expect(page.panel().locator(".hpo-status-body")).to_contain_text("14 completed")
    assert "14 completed" in output_in_file(page, page.save_with_picture())["text/plain"]

    search_id = page.kernel("optimizer.id")
    page.restart()
    # All that was seen can still be read, the numbers of the plot too; nothing looks as if it acted.
    panel = page.panel()
    gone = panel.get_by_role("alert").filter(has_text="Not connected any more")
    expect(gone.locator("code")).to_have_text(
        "from hpo_widgets import OptimizerWidget # First run the cells that define train and what it uses. "
        f'OptimizerWidget.open("{search_id}", base_task_id=train)'
    )
    expect(panel.locator(".hpo-history-host .dot").first).to_be_visible()
    expect(panel.locator(".hpo-counts")).to_contain_text("14 completed")
    expect(page.page.locator(".hpo-saved")).not_to_be_visible()
    # A save keeps the last picture, which is what is shown once the page has forgotten the panel.
    name = page.save()
    assert "14 completed" in (page.lab.root / name).read_text(encoding="utf-8")
    page.load_again()
    saved = page.page.locator(".hpo-saved")
    expect(saved).to_be_visible()
    expect(saved).to_contain_text("was complete")
    assert complaints(page) == []


NASTY = "<img src=x onerror='window.wasHit = true'><script>window.wasHit = true</script>"


@pytest.mark.slow
def test_what_a_file_says_is_text_and_not_trusted(page):
    kept = {
        "version": 1, "at": 1.0, "name": NASTY, "did": NASTY, "facts": [NASTY, 3], "best": NASTY, "reason": NASTY,
        "budgets": [{"name": NASTY, "text": NASTY, "fraction": 7}, None], "counts": [{"text": NASTY}], "plot": NASTY,
        "space": [{"name": NASTY, "range": NASTY}], "code": NASTY, "shown": NASTY,
        "table": {"caption": NASTY, "columns": [{"label": NASTY}], "rows": [{"mark": "best", "cells": [NASTY, NASTY]}]},
    }  # fmt: skip
    view = {"version_major": 2, "version_minor": 0, "model_id": "0" * 32}
    data = {
        "application/vnd.jupyter.widget-view+json": view,
        "text/plain": NASTY,
        "image/png": f'x" onerror="window.wasHit = true" {NASTY}',
        MIME: kept,
    }
    page.open("1")
    path = page.lab.root / page.save()
    notebook = json.loads(path.read_text(encoding="utf-8"))
    notebook["cells"][0]["outputs"] = [
        {"output_type": "display_data", "metadata": {}, "data": data},
        {"output_type": "display_data", "metadata": {}, "data": {**data, MIME: {"version": 2}}},
    ]
    path.write_text(json.dumps(notebook), encoding="utf-8")
    page.page.goto("about:blank")
    page.open_file(path.name)
    saved = expect_picture(page)
    expect(saved).to_contain_text(NASTY)
    expect(saved.locator(".hpo-saved-tally")).to_contain_text(NASTY)
    expect(saved.locator("caption")).to_have_text(NASTY)
    expect(saved.locator("img, script")).to_have_count(0)
    # Of a version to come: its plain text.
    of_later = page.page.locator(".hpo-snapshot").nth(1)
    expect(of_later).to_be_visible()
    expect(of_later).to_have_text(NASTY, use_inner_text=True)  # as soon as the kernel has answered
    assert page.page.evaluate("() => window.wasHit") is None
