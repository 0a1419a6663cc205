"""Wait, and the numbers of workers and trials, under a person's hand: mouse, keyboard, a reload."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.hand import button, click_again, drag
from tests.browser.looks import cut_off
from tests.browser.notebook import rest
from tests.browser.scripted import commands, panel_of, wait_for_commands

pytestmark = pytest.mark.browser

PANEL = panel_of()


def test_code_and_export_stand_side_by_side_in_a_narrow_window_of_large_text(opened, panel):
    opened.set_panel_width(178)
    code, export = button(panel, "Code").bounding_box(), panel.locator(".hpo-export-summary").bounding_box()
    assert code["x"] + code["width"] <= export["x"]
    assert export["x"] + export["width"] <= panel.bounding_box()["x"] + 178


def test_wait_says_what_it_waits_for_and_announces_the_end(opened, panel):
    wait, line = button(panel, "Wait"), panel.locator(".hpo-wait")
    expect(wait).to_have_attribute("aria-disabled", "true")
    expect(wait).to_have_attribute("title", "there is nothing to wait for: the search has not started")
    wait.click(force=True)
    assert opened.kernel("widget.waiting") is False
    button(panel, "Start").click()
    expect(wait).not_to_have_attribute("aria-disabled", "true")
    wait.click()
    expect(line).to_contain_text("waiting: 200 trials left, ends in about 5:00")
    expect(wait).to_have_attribute("aria-pressed", "true")
    opened.kernel("[search.add_trials([0.5] * 60), search.advance(60)]")
    # The kernel is free all the while, and what is said follows the search.
    expect(line).to_contain_text("waiting: 140 trials left, ends in about 2:20")
    opened.kernel("search.set_status('completed', StopReason('total_max_jobs', 'all 200 trials were run'))")
    end = line.get_by_role("status")
    expect(end).to_have_text("the search has ended: all 200 trials were run")
    expect(wait).to_have_attribute("aria-pressed", "false")
    line.get_by_role("button", name="Dismiss").click()
    expect(end).to_be_empty()
    expect(wait).to_be_focused()


def test_the_second_click_of_a_double_click_on_pause_does_not_resume(opened, panel):
    button(panel, "Start").click()
    button(panel, "Pause").click()
    expect(panel.locator(".hpo-pill")).to_have_text("❚❚paused")
    resume = button(panel, "Resume")
    expect(resume).not_to_have_attribute("aria-busy", "true")
    click_again(resume)
    button(panel, "Stop").click()
    assert wait_for_commands(opened, 3) == [["start"], ["pause"], ["stop"]]


def test_a_retry_of_failed_points_that_is_refused_looks_like_other_controls_that_are_off(run_anew, panel):
    run_anew.kernel("search.add_trial(None, state=TrialState.FAILED)")
    retry = panel.get_by_role("button", name="retry 1 point")
    expect(retry).to_have_css("opacity", "1")
    run_anew.kernel("search.refuse('retry_failed', 'this is a view of a journal')")
    expect(retry).to_have_attribute("aria-disabled", "true")
    expect(retry).to_have_css("opacity", "0.5")


@pytest.mark.slow
def test_a_wait_is_begun_by_a_press_or_from_code_and_ends_by_a_press_the_cross_or_its_time_out(opened, panel):
    button(panel, "Start").click()
    wait, line = button(panel, "Wait"), panel.locator(".hpo-wait")
    wait.click()
    expect(line).to_contain_text("waiting:")
    click_again(wait)  # a double click on Wait waits
    wait.click()
    expect(line).not_to_contain_text("waiting:")
    wait.press("Enter")
    expect(line).to_contain_text("waiting:")
    line.get_by_role("button", name="Stop waiting").click()
    expect(wait).to_have_attribute("aria-pressed", "false")
    assert commands(opened) == [["start"]]

    opened.kernel("setattr(widget, 'waiting', True)")
    expect(wait).to_have_attribute("aria-pressed", "true")
    opened.kernel("search.command('pause')")
    expect(line).to_contain_text(
        "waiting: the search is paused, so this lasts until it is resumed or its time limit has passed"
    )
    opened.kernel("search.command('resume')")
    line.get_by_role("button", name="time-out in minutes: no time-out").click()
    field = line.get_by_role("textbox", name="time-out in minutes")
    expect(field).to_be_focused()
    field.fill("soon")
    field.press("Enter")
    alert = line.get_by_role("alert")
    expect(alert).to_have_text("a time-out is in minutes and above 0, such as 5 or 0.5, not “soon”")
    expect(field).to_have_attribute("aria-invalid", "true")
    opened.screenshot("wait-bad-timeout", panel)
    field.fill("59.5")
    field.press("Enter")
    expect(line).to_contain_text(re.compile(r"time-out in 5\d:\d\d"))
    expect(alert).to_be_hidden()
    expect(line.get_by_role("button", name="time-out in minutes: time-out in 5")).to_be_focused()
    opened.kernel("setattr(widget, 'wait_timeout', 0.01)")
    expect(line.get_by_role("status")).to_have_text("the time-out of 0.01 minutes has passed; the search goes on")
    expect(panel.locator(".hpo-pill")).to_have_text("●running")


def test_numbers_can_be_typed_over(opened, panel):
    for num_before, (shown, field, good, command) in enumerate(
        [
            ("workers: 2 workers", "workers", "5", ["set_max_number_of_concurrent_tasks", 5]),
            ("trials in all: 0 of 200 done", "trials in all", "300", ["set_total_max_jobs", 300]),
        ]
    ):
        panel.get_by_role("button", name=shown).focus()
        opened.page.keyboard.press("Enter")
        box = panel.get_by_role("textbox", name=field)
        expect(box).to_be_focused()
        for bad in ("-1", "two", "<img src=x onerror=alert(1)>"):
            box.fill(bad)
            box.press("Enter")
            expect(panel.get_by_role("alert").filter(has_text=bad)).to_contain_text("is a whole number of at least 1")
        assert len(commands(opened)) == num_before
        opened.screenshot(f"typed-{field.replace(' ', '-')}", panel)
        box.fill(good)
        box.press("Enter")
        expect(box).to_be_hidden()
        expect(panel.get_by_role("button", name=f"{field}: ").filter(has_text=good)).to_be_focused()
        assert wait_for_commands(opened, num_before + 1)[num_before:] == [command]


@pytest.mark.slow
def test_escape_leaves_a_number_as_it_is_and_leaving_the_field_takes_it(opened, panel):
    shown = panel.get_by_role("button", name="workers: 2 workers")
    shown.click()
    box = panel.get_by_role("textbox", name="workers")
    box.fill("7")
    box.press("Escape")
    expect(shown).to_be_focused()
    assert commands(opened) == []
    shown.click()
    box.fill("7")
    panel.locator(".hpo-title").click()
    expect(panel.get_by_role("button", name="workers: 7 workers")).to_be_visible()
    assert wait_for_commands(opened) == [["set_max_number_of_concurrent_tasks", 7]]


@pytest.mark.slow
def test_what_cannot_be_changed_says_why(opened, panel):
    opened.kernel("search.refuse('set_max_number_of_concurrent_tasks', 'this is a view of a journal')")
    shown = panel.get_by_role("button", name="workers: 2 workers")
    expect(shown).to_have_attribute("title", "this is a view of a journal")
    shown.click(force=True)
    expect(panel.get_by_role("textbox", name="workers")).to_be_hidden()


@pytest.mark.slow
def test_a_used_up_budget_is_raised_and_the_search_goes_on(opened, panel):
    opened.kernel("[search.command('start'), search.add_trials([0.5] * 200)]")
    sentence = "all 200 trials were run that the limit of this search allows"
    opened.kernel(f"search.set_status('completed', StopReason('total_max_jobs', {sentence!r}))")
    offer = panel.get_by_role("button", name="Raise to 300 trials and continue")
    expect(offer).to_be_visible()
    opened.screenshot("panel-used-up", panel)
    opened.set_panel_width(360)
    told = panel.locator(".hpo-sentence").bounding_box()
    assert offer.bounding_box()["y"] > told["y"] + told["height"]
    assert offer.bounding_box()["x"] == told["x"]
    offer.click()
    expect(panel.locator(".hpo-pill")).to_have_text("●running")
    expect(offer).to_be_hidden()
    expect(panel.get_by_role("button", name="trials in all: 200 of 300 done")).to_be_visible()


REAL = """
from hpo_widgets import HyperParameterOptimizer, OptimizerWidget, RandomSearch, UniformParameterRange

def loss(x, y):
    return (x - 0.3) ** 2 + y

def tell(*_):
    raise KeyError("no such metric")

optimizer = HyperParameterOptimizer(
    loss, [UniformParameterRange("x", 0, 1), UniformParameterRange("y", 0, 1)], "validation", "loss", "min",
    RandomSearch,
    max_number_of_concurrent_tasks=2, total_max_jobs=8, seed=1)
widget = OptimizerWidget(optimizer)
widget
"""


@pytest.mark.slow
def test_the_budget_of_a_real_search_is_raised_though_its_callback_raises(notebook):
    panel = notebook.show(REAL)
    notebook.kernel("[optimizer.start(tell)] and None")
    expect(panel.locator(".hpo-pill")).to_have_text("✓completed")
    notice = panel.locator(".hpo-notices li")
    expect(notice).to_have_count(1)
    expect(notice).to_contain_text("×8")
    notebook.screenshot("controls-real-used-up", panel)
    panel.get_by_role("button", name="Raise to 18 trials and continue").click()
    expect(panel.get_by_role("button", name="18 completed")).to_be_visible()
    expect(panel.locator(".hpo-pill")).to_have_text("✓completed")
    notebook.screenshot("controls-real-raised", panel)
    assert notebook.kernel("optimizer.counts[2]") == 18


@pytest.mark.slow
def test_waiting_fits_a_narrow_panel(opened, panel):
    opened.kernel("search.command('start')")
    opened.kernel("[search.add_trials([0.03 + 0.4 / (1 + n % 37) for n in range(96)]), search.advance(72)]")
    opened.kernel("[setattr(widget, 'wait_timeout', 5), setattr(widget, 'waiting', True)]")
    expect(panel.locator(".hpo-wait")).to_contain_text("waiting: 104 trials left, ends in about 1:20")
    expect(panel.get_by_text("96 completed")).to_be_visible()
    opened.screenshots_in_both_themes("wait", panel)
    panel.evaluate("panel => { panel.style.width = '400px'; window.dispatchEvent(new Event('resize')); }")
    rest(panel)
    assert cut_off(panel) == []
    name = panel.get_by_text("trials", exact=True)
    num_done = panel.get_by_text("96 of 200 done")
    assert abs(name.bounding_box()["y"] - num_done.bounding_box()["y"]) < 3
    opened.screenshots_in_both_themes("wait-narrow", panel)


@pytest.mark.slow
def test_the_panel_follows_acts_and_waits_on_when_the_page_is_loaded_again(notebook):
    panel = notebook.show(PANEL)
    button(panel, "Start").click()
    button(panel, "Wait").click()
    expect(panel.locator(".hpo-wait")).to_contain_text("waiting: 200 trials left")
    notebook.load_again()
    panel = notebook.panel()
    expect(button(panel, "Wait")).to_have_attribute("aria-pressed", "true")
    expect(notebook.page.locator(".hpo-saved")).not_to_be_visible()
    expect(panel.locator(".hpo-wait")).to_contain_text("waiting: 200 trials left")
    notebook.kernel("search.add_trials([0.5, 0.25, 0.4])")
    expect(panel.locator(".hpo-plot-host .dot")).to_have_count(4)
    notebook.wait_kernel("widget._refresher.flow.is_acknowledged")
    # What is shown after the page was loaded again can be renewed, too.
    assert "3 completed" in (notebook.lab.root / notebook.save_with_picture()).read_text(encoding="utf-8")
    button(panel, "Pause").click()
    expect(panel.locator(".hpo-pill")).to_have_text("❚❚paused")
    notebook.kernel("search.set_status('completed', StopReason('total_max_jobs', 'all 200 trials were run'))")
    expect(panel.locator(".hpo-wait").get_by_role("status")).to_have_text(
        "the search has ended: all 200 trials were run"
    )
    assert notebook.kernel("widget.waiting") is False


STEERED = """
import time
from pathlib import Path
from hpo_widgets import HyperParameterOptimizer, LogUniformParameterRange, OptimizerWidget, RandomSearch
from hpo_widgets.trials import TrialState

def train(lr):
    time.sleep(0.02)
    while Path("held").exists():  # a door for the test
        time.sleep(0.01)
    return lr

optimizer = HyperParameterOptimizer(
    train, [LogUniformParameterRange("lr", -4, -1)], optimizer_class=RandomSearch, max_number_of_concurrent_tasks=2
)
log = []

def note():
    seen = [str(optimizer.status), len(optimizer.epochs)]
    if log[-1:] != [seen] and seen[0] != "stopping":
        log.append(seen)

optimizer.subscribe(note)
widget = OptimizerWidget(optimizer)
optimizer.start()
widget
"""
WAITS = """
outcome = widget.wait(), str(optimizer.status)
"""


@pytest.mark.slow
def test_a_cell_that_waits_ends_after_what_a_person_does_meanwhile(notebook):
    door = notebook.lab.root / "held"
    door.unlink(missing_ok=True)
    notebook.open(STEERED, WAITS)
    notebook.start_all()
    panel = notebook.panel()
    pill = panel.locator(".hpo-pill")
    expect(pill).to_have_text("●running")
    expect(notebook.page.locator(".jp-InputPrompt", has_text="[*]")).to_have_count(1)
    button(panel, "Pause").click()
    expect(pill).to_have_text("❚❚paused")
    expect(panel.get_by_role("button", name="0 running", exact=True)).to_be_visible()
    drag(panel.get_by_role("slider", name="lr, lower end"), 90)
    notebook.page.mouse.up()
    expect(panel.locator(".hpo-plot-host text", has_text="space 2: lr")).to_be_visible()
    try:
        door.touch()
        button(panel, "Resume").click()
        # In the middle of their trials, both workers are stopped.
        expect(panel.get_by_role("button", name="2 running", exact=True)).to_be_visible()
        notebook.screenshot("wait-in-a-cell")
        button(panel, "Stop").click()
        expect(pill).to_have_text("■stopped")
    finally:
        door.unlink()
    expect(panel.get_by_role("button", name="2 aborted")).to_be_visible()
    assert notebook.kernel("outcome") == [True, "stopped"]
    assert notebook.wait_kernel("log[-1][0] == 'stopped' and log") == [
        ["running", 1], ["paused", 1], ["paused", 2], ["running", 2], ["stopped", 2]
    ]  # fmt: skip
    low, held = notebook.kernel(
        "[optimizer.space.ranges['lr'][0],"
        " [float(lr) for s in [optimizer.snapshot()] for lr in s.parameters['lr'][s.state == TrialState.ABORTED]]]"
    )
    assert len(held) == 2
    assert all(lr >= low > 1e-4 for lr in held)


FULL_DISK = """
from pathlib import Path
from hpo_widgets import HyperParameterOptimizer, LogUniformParameterRange, OptimizerWidget, UniformParameterRange

def train(lr, dropout):
    if Path("disk-is-full").exists() and dropout > 0.1:
        raise OSError("[Errno 28] No space left on device: 'checkpoint.pt'")
    return lr + dropout

optimizer = HyperParameterOptimizer(
    train, [LogUniformParameterRange("lr", -4, -1), UniformParameterRange("dropout", 0.0, 0.5)],
    objective_metric_title="validation", objective_metric_series="loss", objective_metric_sign="min",
    max_number_of_concurrent_tasks=1, total_max_jobs=60, name="full disk", seed=3,
)
widget = OptimizerWidget(optimizer)
Path("disk-is-full").touch()
widget
"""


@pytest.mark.slow
def test_one_press_runs_all_failed_trials_again(notebook):
    panel = notebook.show(FULL_DISK)
    again = panel.get_by_role("button", name=re.compile(r"retry \d+ points"))
    expect(again).to_be_hidden()
    button(panel, "Start").click()
    notebook.wait_kernel("widget.status == 'failed'")
    num_failed, num_done = notebook.kernel("[widget.num_failed, optimizer.budget.jobs.used]")
    expect(again).to_have_text(f"retry {num_failed} points")
    notebook.screenshots_in_both_themes("retry-failed", panel)
    again.focus()
    notebook.page.keyboard.press("Enter")
    expect(again).to_be_hidden()
    expect(panel.locator(".hpo-status :focus")).to_be_visible()
    expect(panel.locator(".hpo-status")).to_contain_text(f"{num_failed} points wait for Continue")
    beyond = num_done + num_failed - 60
    expect(panel.get_by_role("list", name="Notices")).to_contain_text(
        f"{beyond} of {num_failed} points wait, as the budget of 60 trials has room for {60 - num_done}; "
        f"raise the budget to {num_done + num_failed} to run them"
    )
    notebook.screenshots_in_both_themes("retry-failed-waits", panel)
    notebook.kernel("Path('disk-is-full').unlink()")
    button(panel, "Continue").click()
    notebook.wait_kernel("widget.status == 'completed'")
    expect(panel.locator(".hpo-status")).to_contain_text(f"{beyond} points wait")
    button(panel, "Raise to 90 trials and continue").click()
    notebook.wait_kernel("widget.status == 'completed' and optimizer.budget.jobs.used == 90")
    assert notebook.kernel("[widget.num_failed, optimizer.failed_points()]") == [num_failed, []]
    expect(again).to_be_hidden()
    notebook.screenshots_in_both_themes("retry-failed-done", panel)
