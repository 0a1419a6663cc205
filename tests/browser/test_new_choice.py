"""A choice that is typed while a search runs, in the panel of a search and in its plots."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.looks import assert_looks_right
from tests.browser.notebook import rest
from tests.browser.scripted import commands, panel_of

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PANEL = panel_of(
    then="""
search.command("start")
search.add_trials([0.03 + 0.4 / (1 + number % 37) for number in range(60)])
"""
)
POINT = "{'lr': 0.003, 'dropout': 0.1, 'layers': 2 + number % 3, 'activation': 'gelu'}"


def test_a_new_choice_is_typed_and_in_every_plot_at_once(notebook):
    panel, page = notebook.show(PANEL), notebook.page
    activation = panel.get_by_role("group", name="activation")
    for name in ("Slices", "Parallel", "Map", "Importance"):
        panel.get_by_role("tab", name=name).click()
        expect(panel.locator(".bqplot:visible").first).to_be_visible()
    button = activation.get_by_role("button", name="Add a choice to activation")
    field = activation.get_by_role("textbox", name="New choice of activation")
    button.focus()
    page.keyboard.press("Enter")
    expect(field).to_be_focused()
    page.keyboard.type("tanh")
    page.keyboard.press("Enter")
    expect(activation.get_by_role("alert")).to_have_text("'tanh' is there already")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description("'tanh' is there already")
    notebook.screenshot("new-choice-refused", panel)
    field.fill("gelu")
    page.keyboard.press("Enter")
    new = activation.get_by_role("checkbox", name="gelu, 0 trials")
    expect(new).to_be_checked()
    expect(field).to_be_hidden()
    expect(button).to_be_focused()
    assert commands(notebook)[-1] == ["add_choices", "activation", ["gelu"]]
    notebook.kernel(f"[search.add_trial(0.02 + number / 500, {POINT}) for number in range(12)] and None")
    expect(activation.get_by_role("checkbox", name="gelu, 12 trials, the best trial")).to_be_visible()

    for dark in (False, True):
        notebook.use_theme(dark=dark)
        for name in ("Slices", "Parallel", "Map"):
            panel.get_by_role("tab", name=name).click()
            if name == "Map":
                panel.get_by_label(re.compile("^x")).select_option("activation")
            figure = panel.locator(".bqplot:visible").last
            expect(figure.get_by_text("gelu", exact=True).first).to_be_visible()
            rest(panel)
            notebook.screenshot(f"new-choice-{name.lower()}-{'dark' if dark else 'light'}", panel)
    notebook.use_theme(dark=False)
    expect(panel.get_by_role("row").filter(has_text="gelu").first).to_be_visible()

    panel.get_by_role("button", name="Undo the last change of ranges").click()
    expect(activation.get_by_role("checkbox", name="gelu, 12 trials, the best trial")).not_to_be_checked()
    panel.get_by_role("button", name="Redo the change of ranges").click()
    expect(activation.get_by_role("checkbox", name="gelu, 12 trials, the best trial")).to_be_checked()
    assert_looks_right(panel)


def test_a_view_of_a_search_says_why_no_choice_can_be_added(notebook):
    panel = notebook.show(panel_of(then="search.refuse('add_choices', 'this is only a view')"))
    button = panel.get_by_role("button", name="Add a choice to activation")
    expect(button).to_have_attribute("aria-disabled", "true")
    expect(button).to_have_accessible_description("this is only a view")
    button.click(force=True)
    expect(panel.get_by_role("textbox", name="New choice of activation")).to_be_hidden()
