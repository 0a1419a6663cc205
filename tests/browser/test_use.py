"""What a person stumbles over in use: things left behind, hidden, repeated or not to be undone."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.hand import button, click_dot, middle, press_keys
from tests.browser.looks import scrolls_by_few_pixels
from tests.browser.notebook import rest
from tests.browser.scripted import panel_of, wait_for_commands

pytestmark = pytest.mark.browser

PANEL = panel_of()
TRIALS = """
[search.add_trial(0.2 + number % 10 / 20) if number != 7 else
 search.add_trial(state=TrialState.FAILED, error="ValueError: loss is NaN") for number in range(30)] and None
"""
MANY = """
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import OptimizerWidget

one = ScriptedSearch(name="one", jobs=200)
searches = [one if place < 3 else ScriptedSearch(name=f"search {place}", jobs=200) for place in range(8)]
panels = []
"""
ONE_OF_MANY = """
panels.append(OptimizerWidget(searches[len(panels)]))
panels[-1]
"""
LINES = """
node => {
  const words = document.createRange();
  words.selectNodeContents(node);
  return words.getClientRects().length;
}
"""
VISIBLE_TOOLTIPS = """
() => [...document.querySelectorAll('.bqplot_mark_tooltip')]
  .filter(one => getComputedStyle(one).display !== 'none' && getComputedStyle(one).opacity > 0.5).length
"""


@pytest.fixture
def busy(opened, panel):
    """The panel of a search with thirty trials, the eighth of which failed."""
    opened.kernel(TRIALS)
    expect(panel.locator(".hpo-counts")).to_contain_text("29 completed")
    expect(panel.locator(".hpo-plot-host .bqplot path.dot").first).to_be_visible()
    return panel


def dots(panel):
    return panel.locator(".hpo-plot-host .bqplot path.dot:visible")


@pytest.mark.slow
def test_a_tooltip_goes_with_its_mark_and_a_point_that_is_in_the_picture_too_has_one_and_is_not_painted(opened, busy):
    page = opened.page
    for index in (3, 12, 20):
        dots(busy).nth(index).hover()
        page.wait_for_function(f"({VISIBLE_TOOLTIPS})() === 1")
        opened.kernel(f"search.set_ranges({{'lr': (1e-4, {10.0 ** -(1 + index / 30)})}})")
    page.mouse.move(*middle(busy.locator(".hpo-title")))
    page.wait_for_function(f"({VISIBLE_TOOLTIPS})() === 0")

    opened.kernel("search.add_trials([0.5 + 0.4 * (number * 37 % 100) / 100 for number in range(3_000)])")
    expect(busy.locator(".hpo-counts")).to_contain_text("3029 completed")
    points = busy.locator(".hpo-plot-host .bqplot path.dot[style*='opacity: 0;']")
    expect(points.nth(900)).to_be_attached()
    assert points.nth(900).evaluate("point => getComputedStyle(point).visibility") == "hidden"
    rest(busy)
    box = points.nth(900).bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_function(f"({VISIBLE_TOOLTIPS})() === 1")


def test_a_failed_trial_is_ringed_and_escape_or_a_click_beside_the_points_selects_nothing(opened, busy):
    opened.kernel("setattr(widget, 'selected', [7])")
    expect(busy.locator(".hpo-details")).to_contain_text("Trial #7")
    figure = busy.locator(".hpo-plot-host .bqplot svg").first.bounding_box()
    page = opened.page
    page.mouse.click(figure["x"] + 0.9 * figure["width"], figure["y"] + 0.5 * figure["height"])
    opened.wait_kernel("widget.selected == []")
    opened.kernel("setattr(widget, 'selected', [7])")
    expect(busy.locator(".hpo-details")).to_be_visible()
    busy.locator(".hpo-title").click()
    page.keyboard.press("Escape")
    opened.wait_kernel("widget.selected == []")
    expect(busy.locator(".hpo-details")).to_be_hidden()


def test_plots_are_as_high_as_the_ranges_where_these_need_more_and_nothing_scrolls_by_few_pixels(opened, busy):
    plots, space = busy.locator(".hpo-tabs-host"), busy.locator(".hpo-space-host")
    figure = busy.locator(".hpo-plot-host .bqplot:visible").first
    rest(busy)
    before = figure.bounding_box()["height"]
    assert plots.bounding_box()["height"] == pytest.approx(480, abs=1)
    # The mark of the best trial hangs below a range, the last one too.
    choice = busy.locator(".hpo-parameter").last
    choice.evaluate("group => { group.style.display = 'none'; }")
    assert scrolls_by_few_pixels(busy) == []
    choice.evaluate("group => { group.style.display = ''; }")
    for bell in busy.get_by_role("button", name=re.compile("^Prior of")).all():
        bell.click()
    opened.page.wait_for_function(ENDS_WITH, arg=[plots.element_handle(), space.element_handle()])
    height = plots.bounding_box()["height"]
    assert height > 520
    rest(busy)
    assert figure.bounding_box()["height"] == pytest.approx(before + height - 480, abs=2)
    # Neither what is in another tab nor the details make them higher.
    for name in ("Slices", "Map"):
        busy.get_by_role("tab", name=name).click()
        expect(busy.locator(".hpo-tabs-host .bqplot:visible").first).to_be_visible()
        rest(busy)
        assert plots.bounding_box()["height"] == pytest.approx(height, abs=1)
        assert scrolls_by_few_pixels(busy) == []
    opened.kernel("setattr(widget, 'selected', [3])")
    expect(busy.locator(".hpo-details")).to_be_visible()
    assert plots.bounding_box()["height"] == pytest.approx(height, abs=1)
    # Nor does a box, whose words hang below its ranges, nor a point.
    opened.kernel("setattr(widget, 'box', {'lr': (1e-3, 1e-2), 'dropout': (0.1, 0.2)})")
    expect(busy.locator(".hpo-box-host")).to_contain_text("to this box")
    expect(busy.locator(".hpo-preview-words").first).to_contain_text("box:")
    busy.get_by_role("button", name="try a point").click()
    expect(busy.get_by_role("button", name="Queue next")).to_be_visible()
    assert plots.bounding_box()["height"] == pytest.approx(height, abs=1)
    opened.screenshot("tall-space", busy)
    busy.get_by_role("tab", name="History").click()


ENDS_WITH = """
([one, other]) => Math.abs(one.getBoundingClientRect().bottom - other.getBoundingClientRect().bottom) < 1
"""


FILLS_FIGURE = """
plots => {
  const figure = plots.querySelector('.hpo-history-host .bqplot');
  const drawn = figure.querySelector('.plotarea_background').getBoundingClientRect().right;
  return Math.abs(figure.getBoundingClientRect().right - drawn - 26) < 2;  // with room at its right
}
"""


@pytest.mark.slow
def test_neither_details_beside_the_plot_nor_another_tab_move_the_table(opened, busy):
    table = busy.locator(".hpo-table-host")
    rest(busy)
    before = table.bounding_box()["y"] - busy.bounding_box()["y"]
    opened.kernel("setattr(widget, 'selected', [3])")
    details, plots = busy.locator(".hpo-details-host"), busy.locator(".hpo-tabs-host")
    expect(details).to_be_visible()
    # The plot is as wide as they leave room for.
    opened.page.wait_for_function(FILLS_FIGURE, arg=plots.element_handle())
    assert details.bounding_box()["x"] >= plots.bounding_box()["x"] + plots.bounding_box()["width"] - 1
    assert details.bounding_box()["y"] == pytest.approx(plots.bounding_box()["y"], abs=1)
    assert table.bounding_box()["y"] - busy.bounding_box()["y"] == pytest.approx(before, abs=1)
    opened.kernel("setattr(widget, 'selected', [])")
    expect(details).to_be_hidden()
    busy.get_by_role("tab", name="Slices").click()
    expect(busy.locator(".hpo-slices-grid .bqplot")).to_have_count(4)
    assert table.bounding_box()["y"] - busy.bounding_box()["y"] == pytest.approx(before, abs=1)
    busy.get_by_role("tab", name="History").click()


def test_a_press_on_a_point_of_the_slices_keeps_it_in_view(opened, busy):
    busy.get_by_role("tab", name="Slices").click()
    expect(busy.locator(".hpo-slices-grid .bqplot")).to_have_count(4)
    rest(busy)
    figure = busy.locator(".hpo-slices-grid .bqplot").nth(2)
    dot = figure.locator("path.dot:visible").nth(4)
    with opened.longer(5000):  # for which it is kept there
        click_dot(dot)
    expect(busy.locator(".hpo-details")).to_be_visible()
    # Two figures in a row are left beside the details, so this one goes below.
    opened.page.wait_for_function(IS_IN_VIEW, arg=figure.element_handle())
    assert opened.page.evaluate(IS_BELOW_THE_FIRST, figure.element_handle())
    busy.get_by_role("tab", name="History").click()


@pytest.mark.slow
def test_figures_are_named_and_their_sizes_told_also_in_a_tab_that_is_shown_later(opened, busy):
    told = "widget._refresher.flow.view.plot_sizes"
    opened.wait_kernel(f"{told}.get('plot', (0, 0))[0] > 500")
    busy.evaluate("panel => { panel.style.width = '480px'; }")
    opened.wait_kernel(f"{told}['plot'][0] < 500")
    busy.get_by_role("tab", name="Slices").click()
    expect(busy.locator(".hpo-slices-grid").get_by_role("img", name="lr")).to_be_visible()
    opened.wait_kernel(f"400 < {told}.get('slices', (0, 0))[0] < 500")
    busy.get_by_role("tab", name="History").click()


IS_IN_VIEW = """
figure => {
  const [box, host] = [figure, figure.closest('.hpo-slices-host')].map(node => node.getBoundingClientRect());
  return host.width < 600 && box.top >= host.top - 1 && box.bottom <= host.bottom + 1;
}
"""
IS_BELOW_THE_FIRST = """
figure => figure.getBoundingClientRect().top >= figure.parentElement.firstElementChild.getBoundingClientRect().bottom
"""


def test_decimal_points_of_a_column_stand_below_each_other(opened, busy):
    opened.kernel("[search.add_trial(value) for value in (1e-5, 3, 120.5, 0.123)] and None")
    expect(busy.get_by_role("row", name="1e-5")).to_be_visible()
    places = busy.locator(".hpo-table").evaluate(DECIMAL_POINTS)
    assert len(places) >= 5
    assert max(places) - min(places) < 2
    # Each is one word to those who do not see it.
    expect(busy.get_by_role("gridcell", name="0.123", exact=True)).to_be_visible()


DECIMAL_POINTS = """
table => [...table.querySelectorAll('tbody tr td:nth-child(2) span')].map(span => {
  const text = span.firstChild, at = text.data.search(/[.e]|$/);
  const range = document.createRange();
  range.setStart(text, 0);
  range.setEnd(text, at);
  return range.getBoundingClientRect().right;
})
"""


def test_the_focused_row_has_an_outline_all_round(busy):
    row = busy.locator(".hpo-table tbody tr").first
    row.focus()
    row.press("ArrowDown")
    row.press("ArrowUp")
    for cell, side in (("th", "2px 0px"), ("td:last-child", "-2px 0px")):
        assert side in row.locator(cell).evaluate("cell => getComputedStyle(cell).boxShadow")


@pytest.mark.slow
def test_the_panel_below_the_status_stays_where_it_is_when_trials_begin_and_end(opened, busy):
    status = busy.locator(".hpo-status-body")
    before = status.bounding_box()["height"]
    opened.kernel("[search.add_trial(state=TrialState.RUNNING) for _ in range(2)] and None")
    expect(busy.locator(".hpo-budgets")).to_contain_text("2 running")
    rest(busy)
    assert status.bounding_box()["height"] == pytest.approx(before, abs=1)


@pytest.mark.slow
def test_in_a_panel_that_is_less_wide_budgets_have_one_line_and_counts_and_the_best_the_next(opened, busy):
    opened.kernel("[search.add_trial(state=TrialState.RUNNING) for _ in range(2)] and None")
    words = busy.locator(".hpo-budgets .hpo-row > *:visible")
    expect(words.filter(has_text="2 running")).to_be_visible()
    for width in (810, 730):
        busy.evaluate("(panel, width) => { panel.style.width = `${width}px`; }", width)
        rest(busy)
        tops = [one.bounding_box()["y"] for one in words.all()]
        assert max(tops) - min(tops) < 6
        below = [busy.locator(f".hpo-facts-row {one}").bounding_box() for one in (".hpo-counts", "> :last-child")]
        assert below[0]["y"] == pytest.approx(below[1]["y"], abs=2)
        assert below[0]["y"] > max(tops) + 12
    # Also where there are more limits, and counts stand beside them.
    opened.kernel("[setattr(search.budget.compute_minutes, 'limit', 1200.0), search.add_trial(0.5)] and None")
    expect(words.filter(has_text="/ 20:00:00")).to_be_visible()
    busy.evaluate("panel => { panel.style.width = '880px'; }")
    rest(busy)
    tops = [one.bounding_box()["y"] for one in words.all()]
    assert max(tops) - min(tops) < 6


def test_in_a_narrow_panel_nothing_overlaps_and_what_is_beyond_the_edge_is_hinted_at(opened, busy):
    opened.kernel("[search.add_trial(0.4, state=TrialState.RUNNING) for _ in range(2)] and None")
    words = busy.locator(".hpo-budgets .hpo-row > *")
    for width in (820, 480):
        busy.evaluate("(panel, width) => { panel.style.width = `${width}px`; }", width)
        expect(words.filter(has_text="2 running")).to_be_visible()
        boxes = [box for box in (one.bounding_box() for one in words.all()) if box]
        for index, box in enumerate(boxes):
            for other in boxes[:index]:
                is_beside = box["x"] >= other["x"] + other["width"] or other["x"] >= box["x"] + box["width"]
                is_below = box["y"] >= other["y"] + other["height"] - 1 or other["y"] >= box["y"] + box["height"] - 1
                assert is_beside or is_below
        buttons = [busy.get_by_role("button", name=name, exact=True).bounding_box() for name in ("Wait", "Code")]
        assert buttons[0]["y"] == pytest.approx(buttons[1]["y"], abs=2)
        assert buttons[1]["x"] - buttons[0]["x"] - buttons[0]["width"] < 24
        is_cut = busy.locator(".hpo-table-scroll").evaluate("node => node.scrollWidth > node.clientWidth + 1")
        assert is_cut is (width == 480)
        expect(busy.locator(".hpo-table-frame.hpo-more")).to_have_count(int(is_cut))


@pytest.mark.slow
def test_as_wide_as_a_side_panel_nothing_lies_on_another_or_beyond_the_edge(opened, busy):
    busy.evaluate("panel => { panel.style.width = '250px'; }")
    panel = busy.bounding_box()
    parts = [busy.locator(".hpo-pill"), busy.locator(".hpo-export-summary")]
    parts += [busy.get_by_role("button", name=name, exact=True) for name in ("Start", "Pause", "Stop", "Wait", "Code")]
    boxes = [part.bounding_box() for part in parts]
    for index, box in enumerate(boxes):
        assert box["x"] >= panel["x"]
        assert box["x"] + box["width"] <= panel["x"] + panel["width"]
        for other in boxes[:index]:
            is_beside = box["x"] >= other["x"] + other["width"] or other["x"] >= box["x"] + box["width"]
            assert is_beside or box["y"] >= other["y"] + other["height"] or other["y"] >= box["y"] + box["height"]
    opened.screenshot("side-panel-width", busy)


def test_in_a_page_of_four_times_the_size_words_end_in_the_panel_and_what_is_wider_scrolls_by_itself(opened, busy):
    # Of 1280 pixels 320 are left, and JupyterLab takes 120 of them.
    opened.kernel("[search.add_trial(0.4, state=one) for one in (TrialState.RUNNING, TrialState.PRUNED)] and None")
    opened.kernel("search.set_ranges({'lr': (1e-3, 0.01)})")
    busy.evaluate("panel => { panel.style.width = '200px'; }")
    select = button(busy, "▭ select")
    for tab in ("History", "Map"):
        busy.get_by_role("tab", name=tab).click()
        expect(busy.locator(".hpo-tabs-host .bqplot:visible").first).to_have_css("width", "280px")
        rest(busy)
        right = busy.bounding_box()["x"] + 200
        press = select.filter(visible=True).bounding_box()
        words = [one.bounding_box() for one in busy.locator(".hpo-tabs-host .hpo-key:visible > span").all()]
        assert len(words) > 4
        for box in words:
            assert box["x"] + box["width"] <= right
            assert box["y"] + box["height"] <= press["y"] + 1 or box["y"] >= press["y"] + press["height"] - 1
        assert press["x"] + press["width"] <= right
    choice = busy.get_by_role("combobox", name="x").filter(visible=True)
    assert choice.bounding_box()["width"] > 100
    opened.kernel("setattr(widget, 'selected', [7])")
    rows = busy.locator(".hpo-details .hpo-data tr > :first-child")
    for name in ("activation", "started", "worker"):
        expect(rows.filter(has_text=name)).to_be_visible()
        assert rows.filter(has_text=name).evaluate(LINES) == 1, name
    opened.screenshot("four-times-the-size", busy)


def test_marks_of_tried_values_stay_wide_when_ranges_change(opened, busy):
    opened.kernel("search.set_ranges({'lr': (1e-3, 2e-3), 'layers': (5, 6)})")
    expect(busy.locator(".hpo-rug path.hpo-earlier-range").first).to_be_attached()
    widths = busy.locator(".hpo-rug path").evaluate_all(
        "all => all.map(one => parseFloat(getComputedStyle(one).strokeWidth))"
    )
    assert min(widths) >= 3


@pytest.mark.slow
def test_presses_of_a_key_are_one_change_and_it_and_a_bound_beyond_what_was_declared_are_taken_back(opened, panel):
    handle = panel.get_by_role("slider", name="dropout, upper end")
    press_keys(handle, ["ArrowLeft"] * 4)
    assert [name for name, *_ in wait_for_commands(opened)] == ["set_ranges"]
    opened.page.keyboard.press("Control+z")
    assert [name for name, *_ in wait_for_commands(opened, 2)] == ["set_ranges", "undo"]
    expect(handle).to_have_attribute("aria-valuenow", "0.5")
    opened.page.keyboard.press("Control+Shift+z")
    assert wait_for_commands(opened, 3)[-1] == ["redo"]

    dropout = panel.get_by_role("group", name="dropout")
    field = dropout.get_by_label("dropout, upper bound")
    field.fill("0.9")
    field.press("Enter")
    expect(dropout.get_by_text("wider than declared (0 … 0.5)")).to_be_visible()
    wait_for_commands(opened, 4)
    button(dropout, "Undo: dropout back into its declared range").click()
    expect(dropout.get_by_text("wider than declared")).to_be_hidden()
    assert wait_for_commands(opened, 5)[-1] == ["set_ranges", {"dropout": [0.0, 0.5]}]


def test_a_press_on_a_repeated_notice_or_a_count_acts_on_what_was_there_before_another_came(opened, panel):
    opened.kernel("[search.notify('callback', 'the callback raised KeyError') for _ in range(12)] and None")
    notice, counts = panel.locator(".hpo-notices li"), panel.locator(".hpo-counts button")
    expect(notice).to_have_count(1)
    expect(notice).to_contain_text("✕ the callback raised KeyError ×12")
    button(notice, "Dismiss this notice").focus()
    opened.kernel("[search.advance(1), search.notify('disk', 'the disk is full')] and None")
    expect(notice).to_have_count(2)
    expect(notice.first).to_contain_text("the disk is full")
    opened.page.keyboard.press("Enter")
    expect(notice).to_have_count(1)
    expect(notice).to_contain_text("the disk is full")
    button(notice, "Dismiss this notice").click()
    expect(notice).to_have_count(0)
    opened.kernel("search.add_trial(state=TrialState.FAILED, error='no')")
    expect(counts.last).to_have_text("1 failed")
    counts.last.focus()
    opened.kernel("search.add_trial(state=TrialState.PRUNED)")
    expect(counts).to_contain_text(["1 pruned", "1 failed"])
    opened.page.keyboard.press("Enter")
    opened.wait_kernel("widget.selected == [0]")


@pytest.mark.slow
def test_running_trials_are_drawn_with_their_values_before_the_first_has_ended(opened, panel):
    opened.kernel("search.add_trial(0.4, state=TrialState.RUNNING)")
    expect(panel.locator(".hpo-plot-host .bqplot path.dot:visible")).to_have_count(1)


@pytest.mark.slow
def test_small_numbers_are_decimals_to_a_screen_reader(opened, panel):
    opened.kernel("search.set_ranges({'lr': (1e-4, 1e-2)})")
    opened.wait_kernel("widget.ranges['lr'] == (1e-4, 1e-2)")
    for end in ("lower", "upper"):
        handle = panel.get_by_role("slider", name=f"lr, {end} end")
        for name in ("min", "max", "now"):
            assert re.fullmatch(r"-?\d+(\.\d+)?", handle.get_attribute(f"aria-value{name}"))


def test_a_panel_that_is_on_no_page_any_more_acknowledges_nothing(opened, panel):
    flow = "widget._refresher.flow"
    opened.wait_kernel(f"{flow}.was_ever_seen and {flow}.is_acknowledged")
    opened.command("notebook:clear-cell-output")
    expect(opened.page.locator(".hpo-panel")).to_have_count(0)
    opened.kernel("search.add_trial(0.5)")
    opened.wait_kernel(f"not {flow}.is_acknowledged")


@pytest.mark.slow
def test_a_notebook_of_many_panels_draws_them_all_and_each_steers_its_own_search(notebook):
    """Eight panels, the first three of one search, a cell each that is run when the one before it is drawn."""
    notebook.open(MANY, *[ONE_OF_MANY] * 8)
    notebook.run_cell(0)
    for place in range(8):
        notebook.run_cell(place + 1)
        panel = notebook.page.locator(f".jp-Cell[data-windowed-list-index='{place + 1}'] .hpo-panel")
        expect(panel.locator(".hpo-history-host .axis")).to_have_count(2)
        expect(panel.get_by_role("slider").first).to_be_visible()
    notebook.kernel("[search.command('start') for search in dict.fromkeys(searches)] and None")
    notebook.kernel("[search.add_trials([0.5, 0.25, 0.4]) for search in dict.fromkeys(searches)] and None")
    for place in range(8):
        notebook.page.evaluate(TO_CELL, place + 1)
        panel = notebook.page.locator(f".jp-Cell[data-windowed-list-index='{place + 1}'] .hpo-panel")
        expect(panel.locator(".hpo-pill")).to_have_text("●running")
        # Three trials, and the best.
        expect(panel.locator(".hpo-history-host .dot")).to_have_count(4)
    panel.get_by_role("slider", name="layers, upper end").press("ArrowLeft")
    notebook.wait_kernel("searches[7].space.ranges['layers'] == (1, 5)")
    assert notebook.kernel("[list(search.space.ranges['layers']) for search in searches[:7]]") == [[1, 6]] * 7
    notebook.kernel("[panel.close() for panel in panels] and None")
    notebook.wait_kernel("[search.num_subscribers for search in searches] == [0] * 8")


TO_CELL = """index => window.jupyterapp.shell.currentWidget.content.scrollToItem(index)"""


def test_with_colours_of_the_system_what_is_chosen_or_pressed_and_what_a_colour_means_are_seen(opened, busy):
    busy.get_by_role("tab", name="Map").click()
    select = button(busy, "▭ select").filter(visible=True)
    select.click()
    expect(select).to_have_attribute("aria-pressed", "true")
    try:
        # A page in light colours where those of the system are dark ones, as JupyterLab does not follow it.
        opened.page.emulate_media(forced_colors="active", color_scheme="dark")
        ground = "node => getComputedStyle(node).backgroundColor"
        tabs = [busy.get_by_role("tab", name=name).evaluate(ground) for name in ("Map", "History", "Slices")]
        assert tabs[0] != tabs[1] == tabs[2]
        assert select.evaluate(ground) != button(busy, "Pause").evaluate(ground)
        ramp = busy.locator(".hpo-ramp > div")
        assert "gradient" in ramp.evaluate("node => getComputedStyle(node).backgroundImage")
        mark, word = (busy.locator(".hpo-key:visible").locator(one).first for one in ("i", "span"))
        colour = "node => getComputedStyle(node).color"
        assert mark.evaluate(colour) != word.evaluate(colour)
        title = busy.locator(".bqplot:visible .axis text.axislabel").first
        assert title.evaluate("node => getComputedStyle(node).fill") == word.evaluate(colour)
        opened.screenshot("forced-colours", busy)
    finally:
        opened.page.emulate_media(forced_colors="none", color_scheme="light")
        select.click()


def test_in_a_page_from_right_to_left_the_lower_bound_stands_where_the_lower_end_is(opened, busy):
    opened.page.evaluate("() => { document.documentElement.dir = 'rtl'; }")
    try:
        lower, upper = (
            busy.get_by_role("textbox", name=f"lr, {end} bound").bounding_box() for end in ("lower", "upper")
        )
        ends = [middle(busy.get_by_role("slider", name=f"lr, {end} end"))[0] for end in ("lower", "upper")]
        assert ends[0] < ends[1]
        assert lower["x"] < upper["x"]
    finally:
        opened.page.evaluate("() => document.documentElement.removeAttribute('dir')")
