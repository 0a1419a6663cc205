"""The line of advice in a real JupyterLab: what it says, what it does, that it is undone; both themes and widths."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.hand import middle, take
from tests.browser.scripted import IMPORTS, wait_for_commands

pytestmark = pytest.mark.browser

PANEL = f"""{IMPORTS}
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
# All at once for the panel: advice is looked for when some more trials have ended, and would be of a part of them.
FAILURES = """
[widget._refresher.lock.acquire(),
 [search.add_trial(None if number % 5 > 2 and number % 4 else 0.1 + number % 89 / 89,
    {"lr": 0.001, "dropout": number % 7 / 20, "batch": [32, 64, 128, 256, 512][number % 5],
     "activation": ["relu", "tanh", MARKUP][number % 3]},
    state=TrialState.FAILED if number % 5 > 2 and number % 4 else TrialState.COMPLETED, error="OutOfMemory")
  for number in range(100)],
 widget._refresher.lock.release()] and None
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


@pytest.mark.slow
def test_advice_moves_nothing_while_a_pointer_is_pressed(run_anew):
    run_anew.kernel("search.command('start')")
    panel = run_anew.panel()
    handle = panel.get_by_role("slider", name="dropout, lower end")
    x, y = take(handle)
    mouse = run_anew.page.mouse
    mouse.move(x + 40, y, steps=5)
    before = middle(handle)
    run_anew.kernel(FAILURES)
    # No hand is quite still; a press of which nothing is heard for a minute is taken to be over.
    mouse.move(x + 40, y + 1)
    run_anew.wait_kernel("widget.advice is not None")
    mouse.move(x + 40, y)
    expect(panel.locator(".hpo-counts")).to_contain_text("30 failed")
    run_anew.screenshot("advice-waits")  # painted by then
    advice = panel.get_by_role("region", name="Advice")
    expect(advice).to_be_hidden()
    assert middle(handle) == before
    # Let go with another range, the trials outside of it would soon count no more.
    run_anew.page.keyboard.press("Escape")
    mouse.up()
    expect(advice).to_contain_text("30 of 30 failures have batch ≥ 256")


@pytest.mark.slow
def test_a_press_that_began_on_another_advice_does_nothing(opened, advice):
    act = advice.get_by_role("button", name="Exclude batch ≥ 256")
    opened.page.mouse.move(*middle(act))
    opened.page.mouse.down()
    opened.kernel(
        "[line := widget._advice_line, setattr(line, 'refresh', lambda update: None),"
        " line._show(__import__('dataclasses').replace(line._now, label='Exclude batch ≥ 128'))] and None"
    )
    opened.page.mouse.up()
    expect(advice.get_by_role("button", name="Exclude batch ≥ 128")).to_be_visible()
    # What is pressed now comes after what the first press has sent, and is about what stands there.
    advice.get_by_role("button", name="Not now").press("Enter")
    opened.wait_kernel("len(widget._advice_line._put_off) == 1")
    assert opened.kernel("[one[0] for one in search.commands]") == ["start"]


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


@pytest.mark.slow
def test_both_themes_and_widths(opened, advice, themes_and_widths):
    for name in themes_and_widths(1200, beside=80):
        expect(advice).to_be_visible()
        opened.screenshot(f"advice-{name}", opened.panel())


WORKING = """
import numpy as np
from hpo_widgets.search import StopReason

rng = np.random.default_rng(0)

def point():
    return {"lr": float(10 ** rng.uniform(-4, -1)), "dropout": float(rng.uniform(0, 0.5)),
            "batch": int(rng.choice([32, 64, 128, 256, 512])), "activation": str(rng.choice(["relu", "tanh"]))}

def add(count, value_of, gap=0.0):
    for number in range(count):
        chosen = point()
        search.add_trial(value_of(number, chosen), chosen, seconds=1.0)
        if gap:
            search.advance(1.0 + gap)

search.command("start")
"""


@pytest.fixture
def working(run_anew):
    """A search that runs, with ``add(count, value_of, gap)`` in its kernel; gives its line of advice."""
    run_anew.kernel(f"exec({WORKING!r}, globals())")
    return run_anew.panel().get_by_role("region", name="Advice")


def act(opened, line, sentence, evidence, label):
    """Press the button of an advice by keyboard, once it is there, and wait until it was taken."""
    expect(line).to_contain_text(sentence)
    expect(line).to_contain_text(evidence)
    num_before = opened.kernel("len(search.commands)")
    button = line.get_by_role("button", name=label)
    button.focus()
    opened.page.keyboard.press("Enter")
    expect(button).not_to_be_visible()
    (command,) = wait_for_commands(opened, num_before + 1)[num_before:]
    return command


@pytest.mark.slow
def test_workers_that_wait_for_the_strategy_become_fewer(opened, working):
    opened.kernel("add(60, lambda number, chosen: 0.5 + number % 7 / 10, gap=3.0)")
    command = act(opened, working, "Workers wait for the strategy", "1 of 2 workers would be enough", "Use 1 worker")
    assert command == ["set_max_number_of_concurrent_tasks", 1]
    opened.wait_kernel("search.max_number_of_concurrent_tasks == widget.max_number_of_concurrent_tasks == 1")


@pytest.mark.slow
def test_a_space_that_is_used_up_goes_back_to_what_it_was(opened, working):
    opened.kernel("search.set_ranges({'dropout': (0.1, 0.2)})")
    opened.kernel("add(12, lambda number, chosen: 0.5 + number % 7 / 10)")
    opened.kernel("search.set_status('completed', StopReason('space_exhausted', 'All points were tried.'))")
    label = "Undo the last change of ranges"
    command = act(opened, working, "The strategy has no further point", "then Continue goes on", label)
    assert command == ["undo"]
    assert opened.kernel("list(search.space.ranges['dropout'])") == [0.0, 0.5]


@pytest.mark.slow
def test_a_space_that_is_used_up_is_widened_and_that_is_undone(opened, working):
    opened.kernel("add(12, lambda number, chosen: 0.5 + number % 7 / 10)")
    opened.kernel("search.add_trial(0.01, {**point(), 'lr': 0.1, 'dropout': 0.25})")
    opened.kernel("search.set_status('completed', StopReason('space_exhausted', 'All points were tried.'))")
    name, ranges = act(opened, working, "The strategy has no further point", "13 trials; then", "Widen lr")
    assert name == "set_ranges"
    assert list(ranges) == ["lr"]
    assert opened.kernel("search.space.ranges['lr'][1] > 0.1")
    opened.panel().get_by_role("button", name="Undo the last change of ranges").click()
    opened.wait_kernel("search.space.ranges['lr'] == (1e-4, 0.1)")


@pytest.mark.slow
def test_a_plateau_ends_the_search(opened, working):
    opened.kernel("add(200, lambda number, chosen: 0.1 + 1e-6 * number if number % 3 == 0 else 0.2 + number % 50)")
    sentence = "No better value is expected in these ranges"
    assert act(opened, working, sentence, "of 200 trials differ by", "Stop the search") == ["stop"]
    expect(opened.panel().locator(".hpo-pill")).to_contain_text("stopped")


@pytest.mark.slow
def test_a_parameter_that_does_not_matter_is_fixed_and_freed_by_undo(opened, working):
    opened.kernel("add(900, lambda number, chosen: (np.log10(chosen['lr']) + 2.5) ** 2 + rng.normal(0, 0.01))")
    name, ranges = act(opened, working, "hardly matters", "of the differences between 864 trials", "Fix at")
    assert name == "set_ranges"
    ((fixed, chosen),) = ranges.items()
    assert fixed != "lr"
    assert len(set(chosen)) == 1
    assert opened.kernel(f"len(set(search.space.ranges[{fixed!r}])) == 1 and len(search.epochs) == 2")
    opened.panel().get_by_role("button", name="Undo the last change of ranges").click()
    opened.wait_kernel(f"len(set(search.space.ranges[{fixed!r}])) > 1")
