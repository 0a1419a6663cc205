"""The Pareto front, the importance, the map and the curves on a page: drawn and clicked."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.hand import click_dot
from tests.browser.looks import MISPLACED, scrolls_by_few_pixels
from tests.browser.notebook import rest
from tests.browser.scripted import panel_of

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PANEL = panel_of(
    "titles=['error', 'size'], series=['error', 'size'], signs=['min', 'min']",
    """
random.seed(1)
search.command("start")
for _ in range(60):
    point = {"lr": 10 ** random.uniform(-4, -1), "dropout": random.random() / 2, "layers": 2, "activation": "relu"}
    search.add_trial([0.3 + point["dropout"], 1 - point["dropout"] + random.random()], point)
""",
)


def test_the_front_and_the_importance_are_looked_at_and_clicked(notebook):
    panel = notebook.show(PANEL)
    expect(panel.get_by_role("tab", name="Pareto")).to_have_attribute("aria-selected", "true")
    notebook.wait_kernel("len(widget.plots['Pareto'].figures[0]._front.names) > 1")
    notebook.kernel("search.add_trial([-1.0, -1.0])")
    notebook.wait_kernel("widget.plots['Pareto'].figures[0]._front.names.tolist() == [60]")
    rest(panel)
    assert scrolls_by_few_pixels(panel) == []
    places = [tab.bounding_box()["y"] for tab in panel.get_by_role("tab").all()]
    assert len(places) == 9
    assert max(places) - min(places) < 2  # in one line, in a window of the usual width
    alone = panel.locator(".bqplot:visible .dot").last
    click_dot(alone)
    notebook.wait_kernel("widget.selected == [60]")

    panel.get_by_role("tab", name="Importance").click()
    notebook.kernel("search.command('stop')")
    expect(panel.locator(".bqplot:visible .bar").first).to_be_visible()
    expect(panel.get_by_text("trials apart (PED-ANOVA)")).to_be_visible()
    notebook.screenshots_in_both_themes("importance", panel)
    for objective, name in ((1, "size"), (0, "error")):
        notebook.kernel(f"setattr(widget.plots['Importance'], 'objective', {objective})")
        expect(panel.get_by_role("img", name=f"importance of each parameter for {name}")).to_be_visible()
    expect(panel.get_by_text("trials apart (PED-ANOVA)")).to_be_visible()
    # The greatest bar is the top one, which is drawn last.
    panel.locator(".bqplot:visible .bar").last.click()
    expect(panel.get_by_role("tab", name="Slices")).to_have_attribute("aria-selected", "true")
    notebook.wait_kernel("widget.plots['Slices'].parameters[0] == 'dropout'")


def test_trials_beyond_the_axes_of_pareto_tell_both_values_at_their_edge(notebook):
    panel = notebook.show(PANEL)
    notebook.kernel("search.add_trials([[1e9, 0.9], [0.7, 1e9]])")
    expect(panel.get_by_text("2 beyond an axis")).to_be_visible()
    rest(panel)
    right = max((dot.bounding_box() for dot in panel.locator(".bqplot:visible .dot").all()), key=lambda box: box["x"])
    notebook.page.mouse.move(right["x"] + right["width"] / 2, right["y"] + right["height"] / 2)
    expect(notebook.page.locator(".bqplot_mark_tooltip:visible")).to_contain_text("60 · 1e+9 · 0.9")
    notebook.page.mouse.down()
    notebook.page.mouse.up()
    notebook.wait_kernel("widget.selected == [60]")
    notebook.screenshots_in_both_themes("pareto-beyond", panel)


THREE = panel_of(
    "titles=['error', 'size', 'latency'], series=['error', 'size', 'latency'], signs=['min'] * 3",
    """
random.seed(1)
search.add_trials([[random.random() for _objective in range(3)] for _trial in range(40)])
""",
)
SELECTS_ARE_WHOLE = """
panel => [...panel.querySelectorAll('.widget-dropdown select')].every(select =>
  select.getBoundingClientRect().bottom <= select.closest('.widget-hbox').getBoundingClientRect().bottom)
"""


def test_of_three_objectives_two_are_chosen_and_the_front_of_all_is_clicked(notebook):
    panel = notebook.show(THREE)
    across = panel.get_by_label("Across")
    expect(across).to_be_visible()
    assert panel.locator(".hpo-tabs-host").evaluate(SELECTS_ARE_WHOLE)
    # The arrow is the browser's, which can be seen in a dark theme.
    expect(across).to_have_css("appearance", "auto")
    expect(across).to_have_css("background-image", "none")
    across.select_option("latency")
    notebook.wait_kernel("widget.plots['Pareto'].pair == (2, 1)")
    rest(panel)
    notebook.screenshots_in_both_themes("three-objectives", panel)
    rimmed = notebook.kernel("widget.plots['Pareto'].figures[0]._front_of_all.names.tolist()")
    click_dot(panel.locator(".bqplot:visible .dot[style*='surface']").first)
    notebook.wait_kernel("len(widget.selected) == 1")
    assert notebook.kernel("widget.selected[0]") in rimmed


MAP = panel_of(
    "",
    """
numbers = np.random.default_rng(3)
search.command("start")
at = {"layers": 2, "activation": "relu"}
for number in range(90):
    lr = float(np.clip(10 ** numbers.normal(-2.5, 0.5), 1e-4, 1e-1))
    point = {"lr": lr, "dropout": float(numbers.random() / 2), **at}
    value = 0.03 + (np.log10(point["lr"]) + 2.2) ** 2 * 0.1 + abs(point["dropout"] - 0.2) * 0.3
    search.add_trial(float(value), point, state=TrialState.FAILED if number % 23 == 7 else TrialState.COMPLETED)
for lr in (2e-3, 8e-3):
    search.add_trial(None, {"lr": lr, "dropout": 0.1, **at}, state=TrialState.RUNNING)
search.set_ranges({"lr": (1e-3, 1e-2), "dropout": (0.05, 0.4)})
""",
)


def test_the_map_is_looked_at_chosen_and_clicked(notebook):
    panel = notebook.show(MAP)
    panel.get_by_role("tab", name="Map").click()
    notebook.kernel("globals().update(plot=widget.plots['Map'])")
    notebook.wait_kernel("{plot.x, plot.y} == {'lr', 'dropout'} and not plot._waits_for_importance")
    expect(panel.get_by_text("lower is better")).to_be_visible()
    notebook.screenshots_in_both_themes("map", panel)

    # The best trial lies on top, as a triangle.
    panel.locator(".hpo-map .bqplot .dot[fill*='best'], .hpo-map .bqplot .dot[style*='best']").first.dispatch_event(
        "click"
    )
    notebook.wait_kernel("widget.selected == [search.best_trial.number]")

    picture = panel.locator(".hpo-map .bqplot image").first
    expect(picture).to_have_attribute("href", re.compile("blob|data"))
    panel.get_by_role("checkbox", name="background").uncheck()
    notebook.wait_kernel("plot.background is False")
    notebook.wait_kernel("plot.figures[0]._background.visible is False")

    panel.get_by_label("x", exact=True).select_option(label="layers")
    notebook.wait_kernel("plot.x == 'layers'")
    expect(panel.locator(".hpo-map .axislabel", has_text="layers")).to_be_visible()
    panel.get_by_role("button", name="swap x and y").click()
    notebook.wait_kernel("plot.y == 'layers'")
    notebook.kernel("setattr(plot, 'x', 'activation')")
    expect(panel.get_by_label("x", exact=True)).to_have_value("activation")


CURVES = panel_of(
    "",
    """
numbers = np.random.default_rng(4)
search.command("start")
for number in range(72):
    floor = float(10 ** numbers.uniform(-1.5, 0))
    losses = floor + 2 * np.exp(-np.arange(41) / numbers.uniform(3, 8)) + numbers.normal(0, 0.02 * floor, 41)
    early = int(numbers.choice([5, 10, 19])) if floor > 0.3 and number % 2 else 40
    state = TrialState.COMPLETED if early == 40 else TrialState.PRUNED
    losses, state = (losses[:7], TrialState.FAILED) if number == 40 else (losses[:early + 1], state)
    search.add_trial(None if state is TrialState.FAILED else float(losses[-1]), state=state)
    search.report(number, losses.tolist())
    search.report(number, (1 - losses / 4).tolist(), ("train", "accuracy"))
for length in (8, 15):
    number = search.add_trial(None, state=TrialState.RUNNING)
    search.report(number, (0.2 + 2 * np.exp(-np.arange(length) / 5)).tolist())
""",
)


def test_the_curves_are_looked_at_chosen_and_clicked(notebook):
    panel = notebook.show(CURVES)
    panel.get_by_role("tab", name="Curves").click()
    notebook.kernel("globals().update(plot=widget.plots['Curves'])")
    expect(panel.get_by_text("74 of 74 trials")).to_be_visible()
    best = notebook.kernel("search.best_trial.number")
    expect(panel.locator(".hpo-curves text.label", has_text=f"▲ #{best}")).to_be_visible()
    notebook.screenshots_in_both_themes("curves", panel)

    # The failed one ends with a cross, which is in nobody's way.
    panel.locator(".hpo-curves .bqplot .dot[style*='cross'], .hpo-curves .bqplot .dot[fill*='cross']").dispatch_event(
        "click"
    )
    notebook.wait_kernel("widget.selected == [40]")
    expect(panel.locator(".hpo-curves text.label", has_text="#40")).to_be_visible()

    is_log = notebook.kernel("plot._y.domain.is_log")
    panel.get_by_role("checkbox", name="log", exact=True).set_checked(not is_log)
    notebook.wait_kernel(f"plot._y.domain.is_log is {not is_log} and plot.log_scale is {not is_log}")

    panel.get_by_label("scalar", exact=True).select_option(label="train / accuracy")
    notebook.wait_kernel("plot.scalar == 'train/accuracy'")
    notebook.wait_kernel("plot._y.domain.high < 2")
    expect(panel.get_by_text("72 of 74 trials")).to_be_visible()
    notebook.kernel("setattr(plot, 'scalar', 'validation/loss')")
    expect(panel.get_by_label("scalar", exact=True)).to_have_value("validation / loss")
    expect(panel.get_by_text("74 of 74 trials")).to_be_visible()


OBJECTIVES = panel_of(
    "titles=['error', 'size'], series=['error', 'size'], signs=['min', 'max']",
    """
random.seed(1)
search.command("start")
for _ in range(60):
    point = {"lr": 10 ** random.uniform(-4, -1), "dropout": random.random() / 2, "layers": 2, "activation": "relu"}
    search.add_trial([point["dropout"] + random.random() / 4, 10 ** random.uniform(0, 5)], point)
""",
    panel=", selected=[7]",
)
ABOUT = {
    "History": ".axislabel:text-is('{} (log)')",
    "Slices": ".widget-label:has-text('{} against each parameter')",
    "Importance": ".widget-label:has-text('best tenth by {} of 60 trials')",
    "Distribution": ".axislabel:text-is('{} (log)')",
}
"""What of each tab says, at a place of its own, which objective it is about."""


def test_with_two_objectives_all_tabs_are_about_the_one_that_is_chosen_by_keyboard_in_one_of_them(notebook):
    panel = notebook.show(OBJECTIVES)
    page = notebook.page
    chooser = panel.get_by_label("objective", exact=True).locator("visible=true")
    for title, about in ABOUT.items():
        panel.get_by_role("tab", name=title).click()
        told = panel.locator(about.format("size")).locator("visible=true")
        if title == "History":
            expect(chooser).to_have_value("error")
            expect(told).to_have_count(0)
            chooser.focus()
            page.keyboard.press("ArrowDown")
            notebook.wait_kernel("widget.objective == 1")
            expect(chooser).to_be_focused()
        expect(chooser).to_have_value("size")
        expect(told).to_be_visible()
        assert panel.locator(".hpo-tabs-host").evaluate(SELECTS_ARE_WHOLE)
        rest(panel)
        notebook.screenshots_in_both_themes(f"objective-{title.lower()}", panel)
    assert notebook.kernel("widget.selected") == [7]
    notebook.kernel("search.command('stop')")
    notebook.load_again()
    for title, about in ABOUT.items():
        panel.get_by_role("tab", name=title).click()
        expect(chooser).to_have_value("size")
        expect(panel.locator(about.format("size")).locator("visible=true")).to_be_visible()


MOODY = """
import ipywidgets
from hpo_widgets.widget import Plot

class Moody(Plot):
    fails_in = "make"

    def make(self, search):
        if self.fails_in == "make": raise ZeroDivisionError("in make")
        self.drawn, self.known = ipywidgets.Label(), set()

    def forget(self):
        self.known = set()

    def contents(self):
        return [self.drawn]

    def refresh(self, update):
        if self.fails_in == "refresh": raise ZeroDivisionError("in refresh")
        self.known.update(update.rows.numbers.tolist())  # of a running search nothing may have changed in a second
        self.drawn.value = f"{len(self.known)} drawn"
""" + panel_of(then='search.command("start")\nsearch.add_trials([0.5, 0.25])', panel=", plots=['History', Moody]")


def test_a_plot_that_fails_says_why_and_is_whole_once_it_succeeds(notebook):
    panel = notebook.show(MOODY)
    history, moody = (panel.get_by_role("tab", name=name) for name in ("History", "Moody"))
    notices = panel.get_by_role("list", name="Notices")
    moody.click()
    expect(notices).to_contain_text("Moody could not be drawn: ZeroDivisionError: in make")
    # A plot that cannot be made leaves the one that was seen.
    expect(history).to_have_attribute("aria-selected", "true")
    expect(panel.locator(".hpo-history-host .dot").first).to_be_visible()
    notebook.kernel("setattr(Moody, 'fails_in', 'refresh')")
    moody.click()
    expect(notices).to_contain_text("Moody could not be drawn: ZeroDivisionError: in refresh")
    expect(moody).to_have_attribute("aria-selected", "true")
    notebook.screenshots_in_both_themes("plot-failed", panel)
    notebook.kernel("setattr(Moody, 'fails_in', '')")
    notebook.kernel("search.add_trial(0.125)")
    expect(panel.get_by_text("3 drawn")).to_be_visible()


LONG = "encoder_first_block_attention_dropout_learning_rate_multiplier"
LONG_NAMES = panel_of(
    f"[UniformParameterRange({LONG!r}, 0, 1), UniformParameterRange({LONG + '_2'!r}, 0, 1)]",
    "search.add_trials([1234567 + number / 20 for number in range(40)])",
)


def test_the_text_of_axes_is_fitted_again_whenever_its_figure_or_what_it_says_changes(notebook):
    panel = notebook.show(LONG_NAMES)
    wide = {"width": 2000, "height": 1000}
    notebook.page.set_viewport_size(wide)
    rest(panel)
    beside = wide["width"] - round(panel.bounding_box()["width"])
    values = panel.locator(".hpo-history-host .bqplot:visible")
    notebook.page.set_viewport_size({**wide, "width": 360 + beside})
    notebook.kernel("search.add_trials([1234567.0] * 1_000)")
    expect(values.locator(".tick text").get_by_text("1000", exact=True)).to_have_count(1)
    values.scroll_into_view_if_needed()  # until then bqplot does not draw it narrower
    rest(values)
    assert values.evaluate(MISPLACED) == [[], [], []]

    panel.get_by_role("tab", name="Map").click()
    figure = panel.locator(".hpo-map .bqplot:visible")
    across = figure.locator(".axislabel:not([transform^=rotate])")
    first, second = (notebook.kernel(f"widget.plots['Map'].{axis}") for axis in "xy")
    expect(across.locator("title")).to_have_text(first)
    assert "…" in across.evaluate("label => label.firstChild.nodeValue")
    notebook.kernel("widget.plots['Map'].set_trait('x', widget.plots['Map'].y)")
    expect(across.locator("title")).to_have_text(second)
    rest(figure)
    assert figure.evaluate(MISPLACED) == [[], [], []]
    notebook.page.set_viewport_size(wide)
    expect(across).to_have_text(second)
    expect(across.locator("title")).to_have_count(0)
