"""The line of advice in a real JupyterLab: what it says, what it does, that it is undone; both themes and widths."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.scripted import wait_for_commands

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

PANEL = """
from hpo_widgets.parameters import *
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import OptimizerWidget

MARKUP = "<img src=x onerror=window.hit=1>"
search = ScriptedSearch([
    LogUniformParameterRange("lr", -4, -1),
    UniformParameterRange("dropout", 0.0, 0.5),
    DiscreteParameterRange("batch", [32, 64, 128, 256, 512]),
    DiscreteParameterRange("activation", ["relu", "tanh", MARKUP]),
], name="digits", jobs=500)
widget = OptimizerWidget(search)
widget
"""
FAILURES = """
[search.add_trial(None if number % 5 > 2 and number % 4 else 0.1 + number % 89 / 89,
    {"lr": 0.001, "dropout": number % 7 / 20, "batch": [32, 64, 128, 256, 512][number % 5],
     "activation": ["relu", "tanh", MARKUP][number % 3]},
    state=TrialState.FAILED if number % 5 > 2 and number % 4 else TrialState.COMPLETED, error="OutOfMemory")
 for number in range(100)] and None
"""
OF_MARKUP = FAILURES.replace("number % 5 > 2 and number % 4", "number % 3 == 2 and number % 4")


@pytest.fixture
def advice(run_anew):
    """The line of advice of a search in which large batches fail."""
    run_anew.kernel("search.command('start')")
    run_anew.kernel(FAILURES)
    line = run_anew.panel().get_by_role("region", name="Advice")
    expect(line).to_contain_text("30 of 30 failures have batch ≥ 256")
    return line


def test_acting_narrows_the_range_as_one_change_that_can_be_undone(opened, advice):
    panel = opened.panel()
    expect(advice).to_contain_text("30 of 40 such trials failed (75 %), 0 of 60 others (0 %)")
    batch = panel.get_by_role("group", name="batch")
    expect(batch.locator(".hpo-chip.hpo-advised")).to_have_count(2)
    expect(batch).to_contain_text("dashed: what the advice would exclude")
    button = advice.get_by_role("button", name="Exclude batch ≥ 256")
    button.focus()
    opened.page.keyboard.press("Enter")
    wait_for_commands(opened, 2)
    assert opened.kernel("list(search.space.ranges['batch'])") == [32, 64, 128]
    assert opened.kernel("len(search.epochs)") == 2
    expect(advice).to_be_hidden()
    expect(batch.locator(".hpo-chip.hpo-advised")).to_have_count(0)
    expect(batch.get_by_role("checkbox", checked=True)).to_have_count(3)
    panel.get_by_role("button", name="Undo the last change of ranges").click()
    opened.wait_kernel("search.space.ranges['batch'] == (32, 64, 128, 256, 512)")
    expect(batch.get_by_role("checkbox", checked=True)).to_have_count(5)
    assert opened.complaints() == []


@pytest.mark.slow
def test_its_trials_are_shown_and_it_is_announced_and_put_off(opened, advice):
    expect(opened.panel().locator(".hpo-advice-host [aria-live=polite]")).to_contain_text("Advice: 30 of 30 failures")
    advice.get_by_role("button", name="Select the 30 trials").click()
    opened.wait_kernel("len(widget.selected) == 30")
    assert opened.kernel("widget.selected == widget.advice['trials']")
    advice.get_by_role("button", name="Not now").click()
    expect(advice).to_be_hidden()
    opened.wait_kernel("widget.advice is None")
    assert opened.kernel("len(search.epochs)") == 1


@pytest.mark.slow
def test_what_a_choice_is_called_is_text(opened, run_anew):
    run_anew.kernel(OF_MARKUP)
    line = opened.panel().get_by_role("region", name="Advice")
    expect(line).to_contain_text("failures have activation <img src=x onerror=window.hit=1>")
    assert opened.page.evaluate("() => window.hit") is None


@pytest.mark.slow
@pytest.mark.parametrize("width", [1400, 600])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_both_themes_and_widths(opened, advice, dark, width, request):
    opened.use_theme(dark=dark)
    request.addfinalizer(lambda: opened.use_theme(dark=False))
    opened.page.set_viewport_size({"width": width + 80, "height": 1200})
    request.addfinalizer(lambda: opened.page.set_viewport_size({"width": 1400, "height": 1000}))
    opened.screenshot(f"advice-{'dark' if dark else 'light'}-{width}", opened.panel())
    assert opened.complaints() == []
