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
