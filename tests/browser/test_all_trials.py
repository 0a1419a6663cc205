"""All trials in a real JupyterLab: pages, order, columns, the filter of the plots; a hundred thousand of them."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.hand import middle
from tests.browser.scripted import panel_of

pytestmark = pytest.mark.browser

PANEL = panel_of("name='digits', jobs=200_000")


@pytest.fixture
def panel(run_anew):
    """The panel of a search of 60 trials, shown with all of them."""
    run_anew.kernel("search.add_trials([number * 37 % 60 / 60 for number in range(60)])")
    shown = run_anew.panel()
    shown.get_by_role("button", name="all trials").click()
    expect(shown.get_by_role("grid", name="All trials").locator("tbody tr")).to_have_count(25)
    return shown


def names(panel):
    return panel.get_by_role("grid", name="All trials").locator("tbody th span:nth-child(2)")


def test_pages_are_turned_and_sorted_in_the_kernel(opened, panel):
    expect(panel.locator(".hpo-table-pager")).to_contain_text("rows 1–25 of 60")
    expect(names(panel).first).to_have_text("#59")
    panel.get_by_role("button", name="Next page").focus()
    opened.page.keyboard.press("Enter")
    expect(panel.locator(".hpo-table-pager")).to_contain_text("rows 26–50 of 60")
    assert opened.kernel("widget._table.page") == 1
    heading = panel.get_by_role("columnheader", name="validation / loss")
    heading.get_by_role("button").click()
    expect(heading).to_have_attribute("aria-sort", "ascending")
    expect(names(panel).first).to_have_text("#0")
    opened.wait_kernel("widget._table.sorting == {'name': 'validation / loss', 'is_descending': False}")
    assert opened.kernel("widget._table.page") == 0
    heading.get_by_role("button").click()
    expect(heading).to_have_attribute("aria-sort", "descending")
    best = opened.kernel("int(np.argmax(search.snapshot().values[:, 0]))")
    expect(names(panel).first).to_have_text(f"#{best}")


@pytest.mark.slow
def test_a_press_means_the_trial_that_lies_under_it_though_others_come_above(opened, panel):
    pressed = names(panel).nth(2)
    expect(pressed).to_have_text("#57")
    pressed.hover()
    x, y = middle(pressed)
    opened.page.mouse.down()
    opened.kernel("search.add_trials([0.5] * 7)")
    opened.page.mouse.move(x, y + 1)  # a press of which nothing is heard for a minute is taken to be over
    expect(panel.locator(".hpo-table-pager")).to_contain_text("rows 1–25 of 67")
    expect(pressed).to_have_text("#57")
    opened.page.mouse.up()
    opened.wait_kernel("list(widget.selected) == [57]")
    expect(names(panel).first).to_have_text("#66")


@pytest.mark.slow
def test_columns_are_chosen_and_rows_are_those_that_pass_the_filter_of_the_plots(opened, panel):
    opened.set_panel_width(340)  # in which the word stands at the left of a line of its own
    panel.locator(".hpo-table-columns > summary").click()
    boxes = panel.get_by_role("group", name="Columns").bounding_box()
    assert boxes["x"] >= panel.bounding_box()["x"]
    panel.get_by_role("group", name="Columns").get_by_role("checkbox", name="dropout").uncheck()
    expect(panel.get_by_role("columnheader", name="dropout")).to_have_count(0)
    opened.wait_kernel("widget._table.hidden == ['dropout']")
    panel.get_by_role("group", name="Columns").get_by_role("checkbox", name="dropout").check()
    expect(panel.get_by_role("columnheader", name="dropout")).to_have_count(1)
    opened.page.keyboard.press("Escape")
    expect(panel.get_by_role("group", name="Columns")).to_be_hidden()
    expect(panel.locator(".hpo-table-columns > summary")).to_be_focused()
    inside = opened.kernel("int((search.snapshot().parameters['layers'] >= 5).sum())")
    opened.kernel("setattr(widget, 'filter', {'within': {'layers': (5, 6)}})")
    expect(panel.locator(".hpo-table-pager")).to_contain_text(f"of {inside}, same filter as the plots")


@pytest.mark.slow
def test_a_hundred_thousand_trials_are_one_page(opened, run_anew):
    opened.kernel("search.add_trials(np.random.default_rng(0).random(100_000).tolist())")
    opened.kernel("setattr(widget._table, 'shows_all', True)")
    panel = opened.panel()
    expect(panel.locator(".hpo-table-pager")).to_contain_text("rows 1–25 of 100000")
    opened.kernel("setattr(widget._table, 'page', 3999)")
    expect(names(panel).last).to_have_text("#0")


@pytest.mark.slow
def test_both_themes_and_widths(opened, panel, themes_and_widths):
    panel.locator(".hpo-table-columns > summary").click()
    for name in themes_and_widths(1500):
        opened.screenshot(f"all-trials-{name}", panel)
