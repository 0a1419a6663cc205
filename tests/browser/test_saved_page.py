"""Saved pages in a real browser without network: plots are shown, controls are off, names stay text."""

from __future__ import annotations

import dataclasses
import re

import bqplot
import ipywidgets
import pytest
from playwright.sync_api import expect

from hpo_widgets import StrategyRace, UniformParameterRange
from hpo_widgets.search import StopReason
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.testing.objectives import branin
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import OptimizerWidget, save_html
from tests.browser.hand import middle
from tests.browser.looks import MISPLACED
from tests.browser.notebook import PAINTED, rest

NASTY = "</script><script>alert(1)</script><img src=x onerror=alert(2)><!--"

pytestmark = pytest.mark.browser


def figure() -> bqplot.Figure:
    x, y = bqplot.LinearScale(), bqplot.LogScale()
    dots = bqplot.Scatter(x=[0, 1, 2, 3], y=[1.0, 2.0, 5.0, 8.0], scales={"x": x, "y": y})
    axes = [bqplot.Axis(scale=x, label="trial"), bqplot.Axis(scale=y, orientation="vertical")]
    return bqplot.Figure(marks=[dots], axes=axes)


@pytest.fixture
def panel():
    search = ScriptedSearch(name=NASTY)
    panel = OptimizerWidget(search)
    yield panel
    panel.close()


def test_a_page_shows_plots_without_kernel_and_network_and_dots_stand_above_their_ticks(tmp_path, open_saved):
    shown = open_saved(save_html(figure(), tmp_path / "page.html").path)

    shown.page.locator(".bqplot .dot").nth(3).wait_for()
    expect(shown.page.locator(".bqplot .axis")).to_have_count(2)
    assert [url for url in shown.requests if not url.startswith(("file:", "blob:", "data:"))] == []
    rest(shown.page.locator(".bqplot"))
    first_dot, *_, last_dot = [middle(dot)[0] for dot in shown.page.locator(".bqplot .dot").all()]
    ticks = [middle(tick)[0] for tick in shown.page.locator(".bqplot .axis >> nth=0 >> .tick text").all()]

    assert first_dot == pytest.approx(min(ticks), abs=2)
    assert last_dot == pytest.approx(max(ticks), abs=2)


def test_the_whole_panel_is_shown_a_name_stays_text_and_no_kernel_is_missed(tmp_path, open_saved, panel):
    shown = open_saved(save_html(panel, tmp_path / "page.html", title=NASTY).path)

    shown.page.get_by_text(NASTY).first.wait_for()
    shown.page.locator(".bqplot .axis").first.wait_for()
    assert shown.page.title() == NASTY
    assert shown.page.get_by_role("alert").filter(visible=True).all_inner_texts() == []
    status = shown.page.locator(".hpo-status-body")
    assert status.evaluate("element => getComputedStyle(element).opacity") == "1"


def test_a_page_of_a_search_that_ran_does_not_say_later_that_its_kernel_is_silent(tmp_path, open_saved):
    search = ScriptedSearch()
    search.command("start")
    panel = OptimizerWidget(search)
    page = open_saved(save_html(panel, tmp_path / "page.html").path).page
    panel.close()
    page.clock.install()
    page.reload()
    page.wait_for_selector("html[data-shown]")
    page.clock.fast_forward(60_000)
    page.evaluate(PAINTED)
    assert set(page.locator(".hpo-away").all_inner_texts()) == {""}


class Output:
    """What a trial has printed."""

    def scalars(self, number):
        return []

    def page(self, number):
        return None

    def output(self, number):
        return "", "", "Traceback (most recent call last)"


@pytest.mark.slow
def test_a_page_shows_what_was_tried_the_table_details_and_numbers_with_commands_off(tmp_path, open_saved):
    search = ScriptedSearch()
    search.add_trials([0.5 - number / 1000 for number in range(250)])
    point = {"dropout": 0.25, "layers": 3, "activation": "tanh"}
    search.add_trial(0.1, {"lr": 0.09, **point})
    search.add_trial(state=TrialState.FAILED, error="ValueError")
    search._trials[:] = [dataclasses.replace(trial, source=Output()) for trial in search._trials]
    panel = OptimizerWidget(search, selected=[251], top_k=6)
    shown = open_saved(save_html(panel, tmp_path / "page.html").path)
    panel.close()

    page = shown.page
    lr = page.get_by_role("group", name="lr")
    expect(lr.locator(".hpo-rug path.hpo-level-8")).to_have_count(1)
    expect(lr.locator(".hpo-rug-best")).to_have_attribute("title", "best trial #250 at 0.09")
    expect(page.get_by_role("checkbox", name="tanh,")).to_be_visible()
    expect(lr.get_by_role("slider", name="lr, lower end")).to_have_attribute("aria-disabled", "true")
    expect(page.get_by_role("note")).to_have_count(0)

    rows = page.locator(".hpo-table tbody tr")
    expect(rows).to_have_count(7)
    expect(page.locator(".hpo-details")).to_contain_text("Traceback")
    of_details = page.locator(".hpo-details").get_by_role("button", name="Retry", exact=True)
    of_all = page.get_by_role("button", name="retry 1 point")
    for retry in (page.get_by_role("button", name="Retry trial 251"), of_details, of_all):
        expect(retry).to_have_attribute("aria-disabled", "true")
    rows.first.click()
    expect(rows.last).to_have_attribute("aria-selected", "true")
    page.get_by_role("columnheader", name="trial").get_by_role("button").click()
    expect(rows.first).not_to_have_attribute("aria-selected", "true")

    page.get_by_role("button", name="numbers").filter(visible=True).press("Enter")
    numbers = page.get_by_role("table", name="Numbers of History")
    expect(numbers.get_by_role("rowheader")).to_have_count(200)
    update = page.get_by_role("button", name="Update").filter(visible=True)
    expect(update).to_have_attribute("aria-disabled", "true")
    shown.screenshot("panel-saved")


LONG = "encoder_first_block_attention_dropout_learning_rate_multiplier"


@pytest.mark.slow
def test_the_text_of_axes_fits_into_a_page_that_no_browser_has_shown_before(tmp_path, open_saved):
    search = ScriptedSearch([UniformParameterRange(LONG, 0, 1), UniformParameterRange(f"{LONG}_2", 0, 1)])
    search.add_trials([1234567 + number / 20 for number in range(40)])
    panel = OptimizerWidget(search)
    page = open_saved(save_html(panel, tmp_path / "page.html").path).page
    panel.close()
    page.set_viewport_size({"width": 360, "height": 900})
    for tab in ("History", "Map", "Distribution"):
        page.get_by_role("tab", name=tab).click()
        figure = page.locator(".hpo-plot-host > .bqplot").filter(visible=True)
        figure.wait_for()
        figure.scroll_into_view_if_needed()
        rest(figure)
        outside, alike, on_one_another = figure.evaluate(MISPLACED)
        assert (outside, alike, on_one_another) == ([], [], []), tab
    page.get_by_role("tab", name="Map").click()
    label = page.locator(".bqplot .axis text.axislabel", has_text="encoder").filter(visible=True).first
    assert "…" in label.evaluate("label => label.firstChild.nodeValue")
    whole = label.locator("title").text_content()
    assert whole in search.space.names
    label.scroll_into_view_if_needed()
    box = label.bounding_box()
    under = "([x, y]) => document.elementFromPoint(x, y).querySelector('title')?.textContent"
    assert page.evaluate(under, [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]) == whole


@pytest.mark.slow
def test_a_page_offers_no_way_to_go_on(tmp_path, open_saved):
    search = ScriptedSearch()
    search.command("set_total_max_jobs", 20)
    search.command("start")
    search.add_trials([0.5] * 20)
    search.set_status("completed", StopReason("total_max_jobs", "all trials were run"))
    panel = OptimizerWidget(search)
    shown = open_saved(save_html(panel, tmp_path / "page.html").path)
    panel.close()

    shown.page.get_by_text("all trials were run", exact=False).first.wait_for()
    assert shown.page.get_by_role("button", name="Raise to").count() == 0


def test_controls_of_a_page_are_off(tmp_path, open_saved, panel):
    panel.filter, panel.box, panel.point = {"states": ["completed"]}, {"lr": (1e-3, 1e-2)}, {"lr": 1e-2}
    row = ipywidgets.VBox([ipywidgets.Button(description="Go"), ipywidgets.FloatRangeSlider(), panel])
    shown = open_saved(save_html(row, tmp_path / "page.html").path)

    shown.page.locator(".hpo-panel button").first.wait_for()
    for control in shown.page.locator(
        # Headings sort, and numbers are shown, in the page itself, without a kernel.
        "button:visible:not(thead button, .hpo-numbers button), "
        ".hpo-panel [role=slider]:visible, .hpo-panel input:visible"
    ).all():
        assert control.is_disabled() or control.get_attribute("aria-disabled") == "true", control.inner_html()
    assert "controls are off" in shown.page.locator("header").inner_text()
    # What is to be read is not faded, or not twice.
    for read in (".hpo-chip > input", ".hpo-remarks > textarea"):
        assert shown.page.locator(read).first.evaluate("node => getComputedStyle(node).opacity") == "1"
    # The number of a choice has not the looks of a button of the status.
    count = shown.page.locator(".hpo-chip > .hpo-number").first
    assert count.evaluate("node => getComputedStyle(node).margin") == "0px"


@pytest.mark.slow
def test_a_page_and_its_panel_follow_the_colour_scheme(tmp_path, open_saved, panel):
    saved = save_html(panel, tmp_path / "page.html")
    colours = []
    for scheme in ("light", "dark"):
        shown = open_saved(saved.path, scheme)
        shown.page.locator(".hpo-panel .bqplot").first.wait_for()
        read = "name => getComputedStyle(document.querySelector('.hpo-panel')).getPropertyValue(name)"
        colours.append([shown.page.evaluate(read, name) for name in ("--hpo-accent", "--hpo-text", "--hpo-surface")])
        background = shown.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (max(map(int, re.findall(r"\d+", background)[:3])) < 128) == (scheme == "dark")

    assert all(light != dark for light, dark in zip(*colours, strict=True)), colours


def test_a_dark_page_is_printed_in_the_colours_of_a_light_one_with_all_that_scrolls(tmp_path, open_saved):
    search = ScriptedSearch(jobs=40)
    panel = OptimizerWidget(search, top_k=25)
    search.command("start")
    search.add_trials([0.1 + number / 40 for number in range(30)])
    page = open_saved(save_html(panel, tmp_path / "page.html").path, "dark").page
    panel.close()
    expect(page.locator(".hpo-table tbody tr")).to_have_count(25)
    read = """() => [
      ...["--hpo-accent", "--hpo-text", "--hpo-dot"].map(
        name => getComputedStyle(document.querySelector(".hpo-panel")).getPropertyValue(name)),
      getComputedStyle(document.body).backgroundColor,
    ]"""
    dark = page.evaluate(read)
    scrolls = "all => all.some(one => one.scrollHeight > one.clientHeight + 1)"
    assert page.locator(".hpo-table-scroll").evaluate_all(scrolls)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.evaluate(read)[::3] == ["#1565c0", "rgb(255, 255, 255)"]
    assert not page.locator(".hpo-table-scroll").evaluate_all(scrolls)
    bar = page.locator(".hpo-bar > div").first
    assert bar.evaluate("node => getComputedStyle(node).printColorAdjust") == "exact"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    assert page.evaluate(read) == dark


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_race_is_a_page_of_its_own_too(tmp_path, open_saved, scheme):
    space = [UniformParameterRange("x", -5, 10), UniformParameterRange("y", 0, 15)]
    race = StrategyRace(branin, space, ["grid", "random"], trials=4, repeats=2, seed=1)
    race.start()
    assert race.wait(5)
    path = tmp_path / "race.html"
    path.write_bytes(race._export.file("html")[1])
    race.close()

    shown = open_saved(path, scheme)

    expect(shown.page.get_by_text("2 of 2 repeats")).to_be_visible()
    expect(shown.page.get_by_role("table", name="Pairs").get_by_role("row")).to_have_count(2)
    shown.page.locator(".hpo-look .dot").nth(7).wait_for()
    shown.page.get_by_text("Export").click()
    kinds = ["Trials as CSV", "Plot as PNG", "Plot as SVG", "Panel as a page"]
    for kind in kinds:
        expect(shown.page.get_by_role("button", name=kind)).to_have_attribute("aria-disabled", "true")
    expect(shown.page.get_by_role("button", name="Copy best parameters")).to_be_hidden()
    shown.screenshot(f"race-page-{scheme}")
