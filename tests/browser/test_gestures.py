"""Gestures that filter, select and steer, by mouse and by keyboard: chips, keys held, brush, a point to be tried."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.hand import button, click_dot
from tests.browser.looks import cut_off
from tests.browser.notebook import VIEWPORT, rest
from tests.browser.scripted import commands, panel_of, wait_for_commands

pytestmark = pytest.mark.browser

PANEL = panel_of(
    then="""
search.command("start")
for number in range(30):
    lr = 10 ** (-4 + 3 * number / 29)
    point = {"lr": lr, "dropout": (number * 7 % 30) / 60, "layers": 1 + number % 6, "activation": "tanh"}
    search.add_trial(0.1 + abs(math.log10(lr) + 2.5) / 3, point)
search.add_trial(None, {**point, "lr": 1e-4}, state=TrialState.FAILED, error="ValueError: no")
search.commands.clear()
"""
)


@pytest.fixture
def panel(run_anew):
    """A new panel of a running search, in the page that the tests of this module share."""
    shown = run_anew.panel()
    expect(shown.locator(".hpo-pill")).to_have_text("●running")
    expect(shown.locator(".hpo-plot-host .dot").first).to_be_visible()
    return shown


@pytest.fixture
def slices(panel):
    """The figures of the slices, in front."""
    panel.get_by_role("tab", name="Slices").click()
    figures = panel.locator(".hpo-slices-grid .bqplot")
    expect(figures).to_have_count(4)
    expect(figures.first.locator(".dot").first).to_be_visible()
    return figures


def dot(figure, index):
    return figure.locator(".dot").nth(index)


def plot_area(figure):
    """Left, top, width and height on the page of what lies inside the axes."""
    box = figure.locator(".plotarea_events").bounding_box()
    return box["x"], box["y"], box["width"], box["height"]


def test_chips_filter_all_plots_by_keyboard(opened, panel):
    history = panel.locator(".hpo-plot-host .bqplot:visible").first
    bar = panel.get_by_role("region", name="Filter")
    # 30 completed, one failed, the best.
    expect(history.locator(".dot")).to_have_count(32)
    button(bar, "+ filter").press("Enter")
    form = bar.get_by_role("form", name="Filter by")
    expect(form.get_by_role("combobox")).to_be_focused()
    field = form.get_by_role("textbox", name="How many of the best trials")
    field.fill("none")
    field.press("Enter")
    expect(form.get_by_role("alert")).to_have_text("Type a whole number from 1 on.")
    field.fill("12")
    field.press("Enter")
    expect(form).to_be_hidden()
    expect(button(bar, "+ filter")).to_be_focused()
    expect(bar.get_by_text("12 of 31 left").first).to_be_visible()
    expect(history.locator(".dot")).to_have_count(13)
    opened.wait_kernel("widget.filter.top_k == 12 and widget.plots['History'].filter == widget.filter")

    button(bar, "+ filter").press("Enter")
    form.get_by_role("combobox").select_option(label="layers")
    form.get_by_role("textbox", name="layers, at most").fill("3")
    form.get_by_role("textbox", name="layers, at most").press("Enter")
    expect(bar.get_by_role("listitem")).to_have_text(["top 12✕", "layers ≤ 3✕"])
    opened.wait_kernel("dict(widget.filter.within) == {'layers': (float('-inf'), 3.0)}")
    left = opened.kernel("widget._filter_bar.left[0]")
    assert 0 < left < 12
    expect(bar.get_by_text(f"{left} of 31 left").first).to_be_visible()

    bar.get_by_role("button", name="Remove the filter top 12").press("Enter")
    expect(bar.get_by_role("listitem")).to_have_text(["layers ≤ 3✕"])
    expect(bar.get_by_role("button", name="Remove the filter layers ≤ 3")).to_be_focused()
    # What code assigns is a chip, too.
    opened.kernel("setattr(widget, 'filter', {'states': ['failed']})")
    expect(bar.get_by_role("listitem")).to_have_text(["failed✕"])
    expect(history.locator(".dot")).to_have_count(1)
    button(bar, "clear all").press("Enter")
    opened.wait_kernel("widget.filter.is_empty")
    expect(history.locator(".dot")).to_have_count(32)
    expect(button(bar, "+ filter")).to_be_focused()


def test_a_click_with_a_key_held_adds_to_the_selection(opened, panel):
    history = panel.locator(".hpo-plot-host .bqplot:visible").first
    # So narrow that details open below, and nothing moves under the pointer.
    opened.set_panel_width(900)
    # On the line of the best so far, which hears no clicks.
    click_dot(dot(history, 5))
    opened.wait_kernel("len(widget.selected) == 1")
    (first,) = opened.kernel("widget.selected")
    rest(panel)
    click_dot(dot(history, 24), modifiers=["Shift"])
    opened.wait_kernel("len(widget.selected) == 2")
    rest(panel)
    click_dot(dot(history, 28), modifiers=["Control"])
    opened.wait_kernel("len(widget.selected) == 3")
    expect(panel.get_by_role("row", selected=True)).to_have_count(3)
    rest(panel)
    click_dot(dot(history, 24), modifiers=["Shift"])
    opened.wait_kernel("len(widget.selected) == 2")
    assert opened.kernel("widget.selected")[0] == first
    rest(panel)
    click_dot(dot(history, 28))
    opened.wait_kernel("len(widget.selected) == 1")
    assert opened.page.evaluate("() => getSelection().toString()") == ""


def test_a_brush_selects_and_narrows_and_is_undone(opened, panel, slices):
    button(panel, "▭ select").click()
    expect(slices.first.locator(".brushintsel .overlay")).to_be_attached()
    x, y, width, height = plot_area(slices.first)
    mouse = opened.page.mouse
    mouse.move(x + 0.35 * width, y + 2)
    mouse.down()
    mouse.move(x + 0.65 * width, y + 0.9 * height, steps=5)
    bar = panel.get_by_role("region", name="Brushed box")
    expect(bar).to_contain_text("narrow lr to")
    opened.wait_kernel("'lr' in widget.box")
    # Shown before anything is steered, and selected when the hand lets go.
    assert opened.kernel("widget.selected") == []
    lr = panel.get_by_role("group", name="lr")
    expect(lr.get_by_text("box: ")).to_be_visible()
    expect(lr.locator(".hpo-preview")).to_be_visible()
    mouse.up()
    opened.wait_kernel("len(widget.selected) > 3")
    expect(panel.get_by_role("button", name=re.compile(r"^Leave out \d+ selected$"))).to_be_visible()
    inside = opened.kernel("list(widget.box['lr'])")
    within = f"[n for n in range(30) if {inside[0]} <= search.trial(n).parameters['lr'] <= {inside[1]}]"
    assert opened.kernel("sorted(widget.selected)") == opened.kernel(within)
    expect(bar).to_contain_text(f"{len(opened.kernel(within))} of 31 trials inside, best inside")
    assert commands(opened) == []
    expect(panel.locator(".hpo-details")).to_be_hidden()
    opened.screenshot("brush-box", panel)

    button(bar, "Narrow ranges").click()
    assert wait_for_commands(opened) == [["set_ranges", {"lr": inside}]]
    expect(bar).to_be_hidden()
    expect(lr.locator(".hpo-preview")).to_be_hidden()
    expect(slices.first.locator(".brushintsel .selection")).to_be_hidden()
    assert opened.kernel("[len(search.epochs), list(search.space.ranges['lr'])]") == [2, inside]
    # The button has gone with its line, and the panel still hears keys.
    opened.page.keyboard.press("Control+z")
    opened.wait_kernel("search.space.ranges['lr'] == (1e-4, 1e-1)")


def empty_place(slices, index=0, across=0.8, up=0.93):
    """A place high up in a slice, where no trial is."""
    x, y, width, height = plot_area(slices.nth(index))
    return x + across * width, y + (1 - up) * height


def test_a_click_on_an_empty_place_offers_a_point_that_is_queued_next(opened, panel, slices):
    page = opened.page
    opened.set_panel_width(900)
    click_dot(dot(slices.first, 12))
    opened.wait_kernel("len(widget.selected) == 1")
    page.mouse.click(*empty_place(slices, across=0.5))
    opened.wait_kernel("widget.selected == []")
    expect(panel.locator(".hpo-details")).to_be_hidden()
    form = panel.get_by_role("form", name="Try this point")
    expect(form).to_be_hidden()
    rest(panel)
    page.mouse.click(*empty_place(slices, across=0.5))
    expect(form).to_be_visible()
    expect(form.get_by_role("textbox", name="lr")).to_be_focused()
    opened.wait_kernel("list(widget.point) == ['lr']")
    clicked = opened.kernel("widget.point['lr']")
    assert 1e-3 < clicked < 1e-2
    expect(form.get_by_role("textbox", name="lr")).to_have_value(str(clicked))
    expect(form.get_by_role("combobox", name="activation")).to_have_value("1")
    opened.screenshot("point-form", panel)

    layers = form.get_by_role("textbox", name="layers")
    layers.fill("2.5")
    layers.press("Enter")
    expect(form.get_by_role("alert").filter(has_text="Type a whole number.")).to_be_visible()
    expect(layers).to_be_focused()
    assert commands(opened) == []
    layers.fill("5")
    form.get_by_role("combobox", name="activation").select_option("relu")
    button(form, "Queue next").click()
    ((name, point),) = wait_for_commands(opened)
    assert (name, point["lr"], point["layers"], point["activation"]) == ("enqueue_trial", clicked, 5, "relu")
    expect(form).to_be_hidden()
    assert opened.kernel("[search.trial(31).enqueued, search.trial(31).parameters['layers']]") == [True, 5]


@pytest.mark.slow
def test_a_variation_of_a_trial_and_a_point_of_ones_own(opened, panel):
    opened.kernel("setattr(widget, 'selected', [4])")
    details = panel.get_by_role("region", name="Details of trial 4")
    button(details, "Try a variation").click()
    form = panel.get_by_role("form", name="Try this point")
    expect(form.get_by_role("textbox", name="lr")).to_be_focused()
    values = opened.kernel("search.trial(4).parameters")
    expect(form.get_by_role("textbox", name="lr")).to_have_value("2.59294e-4")
    form.get_by_role("textbox", name="dropout").fill("0.4")
    form.get_by_role("textbox", name="dropout").press("Enter")
    ((name, point),) = wait_for_commands(opened)
    assert (name, point) == ("enqueue_trial", point | {"lr": pytest.approx(values["lr"], rel=1e-5), "dropout": 0.4})
    expect(form).to_be_hidden()
    expect(button(details, "Try a variation")).to_be_focused()

    button(panel, "try a point").press("Enter")
    expect(form.get_by_role("textbox", name="lr")).to_be_focused()
    opened.wait_kernel("dict(widget.point) == dict(search.best_trial.parameters)")
    opened.page.keyboard.press("Escape")
    expect(form).to_be_hidden()
    expect(button(panel, "try a point")).to_be_focused()
    expect(button(details, "Stop trial")).to_be_hidden()
    button(details, "Retry").click()
    assert wait_for_commands(opened, 2)[1] == ["retry", 4]
    number = opened.kernel("search.add_trial(state=TrialState.RUNNING)")
    opened.kernel(f"setattr(widget, 'selected', [{number}])")
    button(panel.get_by_role("region", name=f"Details of trial {number}"), "Stop trial").click()
    assert wait_for_commands(opened, 3)[2] == ["stop_trial", number]


@pytest.mark.slow
def test_the_bars_fit_a_wide_and_a_narrow_panel(opened, panel, slices):
    opened.kernel(
        "setattr(widget, 'filter', {'top_k': 20, 'states': ['completed'], 'within': {'dropout': (0.04, 0.4)}})"
    )
    opened.kernel("setattr(widget, 'box', {'lr': (0.001, 0.01), 'activation': ('tanh',)})")
    opened.kernel("setattr(widget, 'point', {'lr': 0.01})")
    expect(panel.get_by_role("form", name="Try this point")).to_be_visible()
    for width in (1400, 600):
        opened.page.set_viewport_size({"width": 1400 + 350, "height": 1400})
        opened.set_panel_width(width)
        opened.screenshots_in_both_themes(f"gestures-{width}", panel)
        rest(panel)
        assert cut_off(panel) == []
    opened.page.set_viewport_size(VIEWPORT)


@pytest.mark.slow
def test_the_map_is_brushed_and_clicked_on_an_empty_place(opened, panel):
    opened.kernel("[setattr(widget.plots['Map'], 'x', 'lr'), setattr(widget.plots['Map'], 'y', 'dropout')] and None")
    panel.get_by_role("tab", name="Map").click()
    figure = panel.locator(".hpo-map .bqplot")
    expect(figure.locator(".dot").first).to_be_visible()
    rest(panel)
    button(panel.locator(".hpo-plot-controls:visible"), "▭ select").click()
    expect(figure.locator(".brushintsel .overlay")).to_be_attached()
    x, y, width, height = plot_area(figure)
    mouse = opened.page.mouse
    mouse.move(x + 0.3 * width, y + 0.2 * height)
    mouse.down()
    mouse.move(x + 0.7 * width, y + 0.7 * height, steps=5)
    mouse.up()
    opened.wait_kernel("sorted(widget.box) == ['dropout', 'lr'] and len(widget.selected) > 1")
    bar = panel.get_by_role("region", name="Brushed box")
    expect(bar).to_contain_text("narrow to this box: ")
    opened.screenshot("brush-map", panel)
    button(bar, "Clear").click()
    opened.wait_kernel("len(widget.box) == 0")
    expect(figure.locator(".brushintsel .selection")).to_be_hidden()
    button(panel.locator(".hpo-plot-controls:visible"), "▭ select").click()
    expect(figure.locator(".brushintsel")).to_have_count(0)
    opened.kernel("setattr(widget, 'selected', [])")
    expect(panel.locator(".hpo-details")).to_be_hidden()
    rest(panel)
    x, y, width, height = plot_area(figure)
    mouse.click(x + 0.03 * width, y + 0.03 * height)
    expect(panel.get_by_role("form", name="Try this point")).to_be_visible()
    assert opened.kernel("sorted(widget.point)") == ["dropout", "lr"]


REAL = """
import time
from pathlib import Path
from hpo_widgets import HyperParameterOptimizer, LogUniformParameterRange, OptimizerWidget, UniformParameterRange

def train(lr, dropout):
    while Path("held").exists():
        time.sleep(0.01)
    return lr + dropout

optimizer = HyperParameterOptimizer(
    train, [LogUniformParameterRange("lr", -4, -1), UniformParameterRange("dropout", 0.0, 0.5)],
    objective_metric_title="validation", objective_metric_series="loss", objective_metric_sign="min",
    max_number_of_concurrent_tasks=1, total_max_jobs=4, name="queued", seed=3,
)
widget = OptimizerWidget(optimizer)
Path("held").touch()
widget
"""


@pytest.mark.slow
def test_a_queued_point_is_the_next_trial_and_is_marked(notebook):
    panel = notebook.show(REAL)
    button(panel, "Start").click()
    notebook.wait_kernel("widget.num_active > 0")
    button(panel, "try a point").click()
    form = panel.get_by_role("form", name="Try this point")
    form.get_by_role("textbox", name="lr").fill("0.0123")
    form.get_by_role("textbox", name="dropout").fill("0.25")
    button(form, "Queue next").click()
    expect(form).to_be_hidden()
    notebook.kernel("Path('held').unlink()")
    notebook.wait_kernel("widget.status == 'completed'")
    queued = "[one.number for one in map(optimizer.trial, range(4)) if one.enqueued]"
    ((number,),) = [notebook.kernel(queued)]
    # A trial that was proposed before may have been on its way.
    assert number <= 2
    assert notebook.kernel(f"optimizer.trial({number}).parameters") == {"lr": 0.0123, "dropout": 0.25}
    notebook.kernel(f"setattr(widget, 'selected', [{number}])")
    details = panel.get_by_role("region", name=f"Details of trial {number}")
    expect(details.get_by_role("row", name="point enqueued")).to_be_visible()


@pytest.mark.slow
def test_a_result_that_is_known_already_is_recorded_in_the_form_and_runs_nothing(notebook):
    panel = notebook.show(REAL)
    button(panel, "try a point").click()
    form = panel.get_by_role("form", name="Try this point")
    form.get_by_role("textbox", name="lr").fill("0.0123")
    form.get_by_role("textbox", name="dropout").fill("0.25")
    result = form.get_by_role("textbox", name="validation / loss")
    result.fill("small")
    result.press("Enter")
    expect(form.get_by_role("alert").filter(has_text="Type a number")).to_be_visible()
    expect(result).to_be_focused()
    result.fill("0.5")
    notebook.screenshot("point-form-result", panel)
    button(form, "Record result").click()
    expect(form).to_be_hidden()
    notebook.wait_kernel("widget.status == 'idle' and optimizer.trial(0).is_recorded")
    assert notebook.kernel("[dict(optimizer.trial(0).parameters), optimizer.trial(0).value]") == [
        {"lr": 0.0123, "dropout": 0.25},
        0.5,
    ]
    expect(panel.get_by_role("row", name="recorded")).to_be_visible()
    notebook.kernel("setattr(widget, 'selected', [0])")
    details = panel.get_by_role("region", name="Details of trial 0")
    expect(details.get_by_role("row", name=re.compile("^recorded 20"))).to_be_visible()
    notebook.screenshot("recorded-result", panel)


@pytest.mark.slow
def test_a_trial_beyond_the_axis_tells_its_value_and_is_selected_with_a_click(opened, panel):
    history = panel.locator(".hpo-plot-host .bqplot:visible").first
    num_dots = history.locator(".dot").count()
    opened.kernel("search.add_trial(1e9, point)")
    expect(panel.get_by_text("1 beyond the axis")).to_be_visible()
    expect(history.locator(".dot")).to_have_count(num_dots + 1)
    rest(panel)
    _, top, _, height = plot_area(history)
    boxes = [one.bounding_box() for one in history.locator(".dot").all()]
    (beyond,) = [one for one in boxes if one["y"] - top < 0.05 * height]
    opened.page.mouse.move(beyond["x"] + beyond["width"] / 2, beyond["y"] + beyond["height"] / 2)
    tip = opened.page.locator(".bqplot_mark_tooltip:visible")
    expect(tip).to_contain_text("31 · 1e+9")
    opened.page.mouse.down()
    opened.page.mouse.up()
    opened.wait_kernel("widget.selected == [31]")
    opened.screenshots_in_both_themes("beyond-the-axis", panel)
