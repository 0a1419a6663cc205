"""The numbers of plots as tables: opened, read and closed by keyboard, in a notebook and in a saved page."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.notebook import rest
from tests.browser.scripted import panel_of

pytestmark = pytest.mark.browser

PANEL = panel_of("name='digits', series='<img src=x onerror=window.hit=1>', jobs=500")
FILLED = "[search.command('start'), search.add_trials([0.5 - number / 1000 for number in range(250)])] and None"


@pytest.fixture
def filled(opened, panel):
    """The panel of a search with 250 trials."""
    opened.kernel(FILLED)
    expect(panel.locator(".hpo-counts")).to_contain_text("250 completed")
    return panel


def test_numbers_are_read_by_keyboard_and_nothing_moves(opened, filled):
    page = opened.page
    table_of_trials = filled.locator(".hpo-table-host")
    rest(filled)
    # A focus scrolls the page.
    before = table_of_trials.bounding_box()["y"] - filled.bounding_box()["y"]
    opened.kernel("setattr(widget, 'selected', [3])")
    toggle = filled.get_by_role("button", name="numbers").filter(visible=True)
    toggle.focus()
    page.keyboard.press("Enter")
    numbers = filled.get_by_role("table", name="Numbers of History")
    expect(numbers.get_by_role("columnheader").nth(1)).to_have_text("validation / <img src=x onerror=window.hit=1>")
    expect(numbers.get_by_role("rowheader")).to_have_count(200)
    expect(numbers.get_by_role("rowheader").first).to_have_text("#249")
    said = filled.locator(".hpo-numbers [role=status]:visible")
    expect(said).to_contain_text("200 of 250 trials, the newest first. All of them: Export")
    opened.kernel("search.add_trials([0.1])")
    expect(filled.locator(".hpo-counts")).to_contain_text("251 completed")
    expect(numbers.get_by_role("rowheader").first).to_have_text("#249")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(numbers.get_by_role("rowheader").first).to_have_text("#250")
    page.keyboard.press("Tab")
    region = filled.get_by_role("region", name="Numbers of History")
    expect(region).to_be_focused()
    opened.screenshot("numbers-history", filled)
    page.keyboard.press("End")
    expect(numbers.get_by_role("rowheader").last).to_be_in_viewport()
    page.keyboard.press("Escape")
    expect(toggle).to_be_focused()
    expect(numbers).to_be_hidden()
    assert table_of_trials.bounding_box()["y"] - filled.bounding_box()["y"] == pytest.approx(before, abs=1)
    opened.wait_kernel("widget.plots['History']._numbers_table.rows == []")
    # Escape closed the numbers, and took no selection away.
    assert opened.kernel("widget.selected") == [3]


@pytest.mark.slow
def test_a_plot_that_scrolls_has_the_table_where_it_is_seen(opened, filled):
    page = opened.page
    filled.get_by_role("tab", name="Slices").click()
    expect(filled.get_by_role("img", name="against activation")).to_be_attached()
    host = filled.locator(".hpo-slices-host")
    host.evaluate("host => { host.scrollTop = host.scrollHeight; }")
    toggle = filled.get_by_role("button", name="numbers").filter(visible=True)
    expect(toggle).to_be_in_viewport()
    toggle.press("Enter")
    numbers = filled.get_by_role("table", name="Numbers of Slices")
    expect(numbers.get_by_role("rowheader").first).to_be_in_viewport()
    opened.screenshot("numbers-slices", filled)
    page.keyboard.press("Escape")
    expect(toggle).to_be_focused()


@pytest.mark.slow
def test_the_button_covers_no_figure_and_no_scroll_bar(opened, filled):
    toggle = filled.get_by_role("button", name="numbers").filter(visible=True)
    filled.get_by_role("tab", name="Slices").click()
    expect(filled.get_by_role("img", name="against activation")).to_be_attached()
    # Below its upper edge nothing of a figure is seen, from one side to the other, however far they have scrolled.
    under = """button => {
        const host = button.closest(".hpo-slices-host");
        const grid = host.querySelector(".hpo-slices-grid").getBoundingClientRect();
        const y = button.getBoundingClientRect().top + 2;
        if (host.scrollHeight <= host.clientHeight) {
            return "nothing scrolls";
        }
        return [0, 0.2, 0.6, 1].map(share => {
            host.scrollTop = share * host.scrollHeight;
            const points = [0.01, 0.3, 0.7, 0.99].map(across => grid.left + across * grid.width);
            return points.some(x => document.elementsFromPoint(x, y)[0].closest(".hpo-slices-grid") !== null);
        });
    }"""
    toggle.scroll_into_view_if_needed()
    rest(filled)
    assert toggle.evaluate(under) == [False] * 4
    filled.locator(".hpo-slices-host").evaluate("host => { host.scrollTop = 30; }")
    for dark in (False, True):
        opened.use_theme(dark=dark)
        opened.screenshot(f"numbers-button-slices-{'dark' if dark else 'light'}", filled)
    filled.get_by_role("tab", name="Parallel").click()
    scrolled = filled.locator(".hpo-parallel-host")
    expect(scrolled.locator(".bqplot")).to_be_visible()
    # Where the legend takes one line, the button is higher than that.
    opened.set_panel_width(1300)
    for dark in (True, False):
        opened.use_theme(dark=dark)
        opened.screenshot(f"numbers-button-parallel-{'dark' if dark else 'light'}", filled)
    legend, button = filled.locator(".hpo-key:visible").bounding_box(), toggle.bounding_box()
    assert legend["height"] < button["height"]
    axes = scrolled.bounding_box()
    assert button["y"] - (axes["y"] + axes["height"]) >= 2
