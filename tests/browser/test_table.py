"""The table and the details in a real JupyterLab and in a saved page: rows, keys, selection, both themes."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.hand import click_again
from tests.browser.scripted import panel_of

pytestmark = pytest.mark.browser

PANEL = panel_of(
    then="""
class Output:
    def scalars(self, number):
        return []
    def page(self, number):
        return None
    def output(self, number):
        trace = "Traceback (most recent call last):\\n  ...\\nValueError: loss is NaN" if number == 57 else ""
        return "epoch 1 loss 0.5\\nepoch 2 loss 0.25 <img src=x onerror=window.hit=1>", "", trace
"""
)
TRIALS = """
[search.add_trial(0.03 + (number * 37 % 101) / 300, seconds=1 + number % 7 / 10) if number != 57 else
 search.add_trial(state=TrialState.FAILED, error="ValueError: loss is NaN at epoch 3 <img src=x onerror=window.hit=1>")
 for number in range(96)]
"""
SUMMARIES = """
[search._trials.__setitem__(t.number, replace(t, source=Output(), summary={} if t.value is None else {
    "validation/loss": [t.value, 4, t.value, 4, 1.0, 0, 5],
    "validation/accuracy": [0.985 - t.value / 3, 4, 0.1, 0, 0.99, 3, 5]})) for t in search._trials] and None
"""

BACKGROUND = "node => getComputedStyle(node).backgroundColor"
FILLED = ("tbody tr[aria-selected=true] td", ".hpo-fill", ".hpo-bar > div")


@pytest.fixture
def table(run_anew):
    """The table of a new search of 96 trials, one of which failed."""
    run_anew.kernel(TRIALS)
    run_anew.kernel(SUMMARIES)
    run_anew.kernel("search.command('start')")
    shown = run_anew.panel().get_by_role("grid", name="Top trials")
    expect(shown.locator("tbody tr")).to_have_count(11)
    # Summaries came after the trials: have the top shown once more.
    run_anew.kernel("setattr(widget, 'top_k', 6)")
    expect(shown.locator("tbody tr")).to_have_count(7)
    return shown


def names(table):
    """The names of the trials, row by row."""
    return table.locator("tbody th span:nth-child(2)")


def order(table):
    return names(table).all_inner_texts()


def test_a_row_and_the_kernel_select_the_same_trial(opened, table):
    rows = table.locator("tbody tr")
    rows.nth(1).click()
    expect(rows.nth(1)).to_have_attribute("aria-selected", "true")
    number = int(order(table)[1].removeprefix("#"))
    opened.wait_kernel(f"widget.selected == [{number}]")
    details = opened.panel().get_by_role("region", name=f"Details of trial {number}")
    expect(details).to_contain_text("epoch 2 loss 0.25")
    opened.kernel("setattr(widget, 'selected', [57])")
    expect(rows.last).to_have_attribute("aria-selected", "true")
    expect(rows.nth(1)).to_have_attribute("aria-selected", "false")
    expect(opened.panel().locator(".hpo-details")).to_contain_text("Traceback (most recent call last)")
    rows.nth(0).click()
    rows.nth(2).click(modifiers=["Shift"])
    expect(table.locator("[aria-selected=true]")).to_have_count(3)
    opened.wait_kernel("len(widget.selected) == 3")


@pytest.mark.slow
def test_retry_is_one_press_that_selects_nothing_and_a_double_click_selects_a_row(opened, table):
    table.get_by_role("button", name="Retry trial 57").click()
    opened.wait_kernel("('retry', 57) in search.commands")
    assert opened.kernel("list(widget.selected)") == []
    row = table.locator("tbody tr").nth(1)
    row.click()
    number = int(order(table)[1].removeprefix("#"))
    opened.wait_kernel(f"widget.selected == [{number}]")
    expect(row).to_have_attribute("aria-selected", "true")
    click_again(row)
    # What is sent after the click arrives after it.
    field = opened.panel().get_by_role("spinbutton", name="top")
    field.fill("3")
    field.press("Enter")
    expect(table.locator("tbody tr")).to_have_count(4)
    assert opened.kernel("list(widget.selected)") == [number]


def test_keys_walk_and_select(opened, table):
    rows = table.locator("tbody tr")
    rows.first.focus()
    opened.page.keyboard.press("ArrowDown")
    expect(rows.nth(1)).to_be_focused()
    opened.page.keyboard.press("Enter")
    expect(rows.nth(1)).to_have_attribute("aria-selected", "true")
    # In the colours of a system, too, what is selected, focused or filled is not as what is beside it.
    opened.page.emulate_media(forced_colors="active")
    backgrounds = [opened.panel().locator(one).first.evaluate(BACKGROUND) for one in FILLED]
    row, other = (rows.nth(place).locator("td").first for place in (1, 2))
    unselected, outline = other.evaluate(BACKGROUND), row.evaluate("cell => getComputedStyle(cell).outlineStyle")
    opened.page.emulate_media(forced_colors="none")
    assert len(set(backgrounds)) == 1
    assert unselected not in backgrounds
    assert outline == "solid"
    # A better trial comes in above: the row moves, and the focus stays on it.
    opened.kernel("search.add_trial(0.001)")
    expect(rows.nth(2)).to_have_attribute("aria-selected", "true")
    expect(rows.nth(2)).to_be_focused()
    opened.page.keyboard.press("Escape")
    expect(table.locator("[aria-selected=true]")).to_have_count(0)
    opened.page.keyboard.press("End")
    expect(rows.last).to_be_focused()
    # A better trial displaces the last of the top: the focus stays in its place, and does not go to the first row.
    opened.page.keyboard.press("ArrowUp")
    displaced = names(table).nth(5).inner_text()
    opened.kernel("search.add_trial(0.0005)")
    expect(names(table).get_by_text(displaced, exact=True)).to_have_count(0)
    expect(rows.nth(5)).to_be_focused()
    opened.page.keyboard.press("ArrowDown")
    opened.page.keyboard.press("r")
    opened.wait_kernel("('retry', 57) in search.commands")


@pytest.mark.slow
def test_headings_sort_up_down_and_back_and_the_number_of_rows_can_be_typed(opened, table):
    ranked = order(table)
    heading = table.get_by_role("columnheader", name="trial")
    heading.get_by_role("button").click()
    expect(heading).to_have_attribute("aria-sort", "ascending")
    expect(names(table)).to_have_text(sorted(ranked, key=lambda name: int(name[1:])))
    heading.get_by_role("button").click()
    expect(heading).to_have_attribute("aria-sort", "descending")
    expect(names(table)).to_have_text(sorted(ranked, key=lambda name: -int(name[1:])))
    heading.get_by_role("button").click()
    expect(names(table)).to_have_text(ranked)
    loss = table.get_by_role("columnheader", name="validation / loss")
    loss.get_by_role("button").click()
    loss.get_by_role("button").click()
    # What has no value is last in both directions.
    expect(names(table)).to_have_text([*ranked[-2::-1], ranked[-1]])
    field = opened.panel().get_by_role("spinbutton", name="top")
    field.fill("3")
    field.press("Enter")
    expect(table.locator("tbody tr")).to_have_count(4)
    assert opened.kernel("widget.top_k") == 3
    field.fill("-5")
    field.press("Enter")
    expect(field).to_have_value("3")
    assert opened.kernel("widget.top_k") == 3


@pytest.mark.slow
def test_both_themes_and_widths(opened, table, themes_and_widths):
    # With a notice, and all that ranges that were narrowed have.
    opened.kernel("search.notify('callback', 'ValueError: something is wrong in the callback of trial 12')")
    opened.kernel("search.set_ranges({'lr': (0.001, 0.01), 'activation': ('relu', 'tanh')})")
    opened.kernel("search.add_trial(state=TrialState.RUNNING)")
    expect(opened.panel().locator(".hpo-notices li")).to_have_count(1)
    expect(opened.panel().locator(".hpo-counts")).to_contain_text("1 running")
    table.locator("tbody tr").last.click()
    expect(opened.panel().locator(".hpo-details")).to_contain_text("Traceback")
    for name in themes_and_widths(1600):
        opened.screenshot(f"table-{name}", opened.panel())


def test_several_selected_trials_are_left_out_by_one_press_and_taken_back_by_the_next(run_anew, table):
    panel = run_anew.panel()
    best = order(table)[:3]
    rows = table.locator("tbody tr")
    rows.first.click()
    rows.nth(2).click(modifiers=["Shift"])
    leave = panel.get_by_role("button", name="Leave out 3 selected")
    expect(leave).to_be_visible()
    run_anew.screenshots_in_both_themes("leave-out-together", panel)
    leave.focus()
    leave.press("Enter")
    back = panel.get_by_role("button", name="Take back 3 selected")
    expect(back).to_be_focused()
    expect(panel.get_by_text("3 left out")).to_be_visible()
    assert run_anew.kernel("sorted(trial.number for trial in search.top(6))") != sorted(int(one[1:]) for one in best)
    run_anew.screenshots_in_both_themes("take-back-together", panel)
    back.press("Enter")
    expect(leave).to_be_focused()
    expect(panel.get_by_text("3 left out")).to_be_hidden()
    assert order(table)[:3] == best
