"""The tabs and the slices under a person's hand: mouse, keyboard, a narrow page."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.hand import click_dot, hover_dot
from tests.browser.notebook import rest
from tests.browser.scripted import panel_of

pytestmark = pytest.mark.browser

PANEL = panel_of(
    then="""
search.command("start")
search.add_trials([0.03 + 0.4 / (1 + number % 37) for number in range(60)])
search.set_ranges({"lr": (0.001, 0.01), "activation": ("relu", "tanh")})
search.add_trials([0.04 + 0.1 / (1 + number % 13) for number in range(36)])
[search.add_trial(state=TrialState.FAILED), search.add_trial(0.3, state=TrialState.PRUNED)]
"""
)


@pytest.mark.slow
def test_slices_are_looked_at_clicked_and_followed(notebook):
    panel, page = notebook.show(PANEL), notebook.page
    history, slices = (panel.get_by_role("tab", name=name) for name in ("History", "Slices"))
    expect(history).to_have_attribute("aria-selected", "true")
    # By keyboard: the list of tabs is one stop, its arrows lead on.
    history.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(slices).to_have_attribute("aria-selected", "true")
    figures = panel.locator(".hpo-slices-grid .bqplot")
    expect(figures).to_have_count(4)
    expect(figures.first).to_be_visible()
    # 96 completed, one pruned, one failed, and the mark of the best.
    dots = figures.first.locator(".dot")
    expect(dots).to_have_count(99)
    notebook.kernel("search.add_trial(0.05)")
    expect(dots).to_have_count(100)
    rest(panel)

    # All the width is theirs.
    notebook.set_panel_width(1700)
    page.wait_for_function(
        "([last, grid]) => last.getBoundingClientRect().right > grid.getBoundingClientRect().right - 10",
        arg=[figures.last.element_handle(), panel.locator(".hpo-slices-grid").element_handle()],
    )
    notebook.screenshot("slices-wide", panel)
    notebook.set_panel_width(1000)
    # Four figures are seen whole, with the names below them.
    assert panel.locator(".hpo-slices-host").evaluate("host => host.scrollHeight <= host.clientHeight")

    # The best is on top: it is named under the pointer, and a click selects it in both plots.
    best = dots.last
    hover_dot(best)
    tip = page.locator(".bqplot_mark_tooltip:visible")
    expect(tip).to_contain_text("trial")
    notebook.screenshot("slices-tooltip", panel)
    click_dot(best)
    everywhere = "[widget.selected, widget.plots['History'].selected, widget.plots['Slices'].selected]"
    notebook.wait_kernel(f"{everywhere} == [[search.best_trial.number]] * 3")
    expect(dots).to_have_count(101)

    page.mouse.move(5, 5)
    expect(tip).to_have_count(0)
    notebook.screenshots_in_both_themes("slices", panel)
    notebook.set_panel_width(420)
    # One below the other.
    page.wait_for_function(
        "([first, second]) => first.getBoundingClientRect().bottom <= second.getBoundingClientRect().top + 1",
        arg=[figures.nth(index).element_handle() for index in range(2)],
    )
    notebook.screenshot("slices-narrow", panel)

    history.click()
    # It was hidden meanwhile, and is up to date: 97 completed, one pruned, one failed, the best, the selected.
    expect(panel.locator(".hpo-history-host .dot")).to_have_count(101)
    expect(panel.locator(".hpo-history-host .dot").first).to_be_visible()
    notebook.screenshot("slices-history-again", panel)
