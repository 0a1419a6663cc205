"""What is due by the clock, and when to check again."""

from __future__ import annotations

import datetime as dt
import math
import time

import pytest

from hpo_widgets.controller.run import HEARTBEAT_SECONDS, Deadlines
from hpo_widgets.search import SearchStatus
from hpo_widgets.search.limits import TimeLimit


@pytest.fixture
def deadlines(state, recorder, trials):
    return Deadlines(state, recorder, trials)


def test_a_search_without_limits_checks_again_for_its_next_heartbeat(deadlines, recorder, trials):
    now = time.monotonic()
    deadlines.check(now)
    assert (recorder.beats, recorder.events, trials.stop_reason) == (0, [], None)
    assert now < deadlines.next_check <= now + HEARTBEAT_SECONDS
    deadlines.check(deadlines.next_check)
    assert recorder.beats == 1


def test_a_report_is_due_once_a_period(deadlines, recorder, state):
    state.settings.report_period = 1.0
    deadlines.begin_report_period()
    begin = time.monotonic()
    for seconds in (59, 61, 62, 125):
        deadlines.check(begin + seconds)
    assert recorder.events == ["report", "report"]


def test_a_job_over_its_time_is_aborted_and_the_next_oldest_sets_the_next_check(deadlines, state, engine, run_trial):
    state.settings.time_limit_per_job = 1.0
    run_trial(0, 61)
    run_trial(1, 57)
    now = time.monotonic()
    deadlines.check(now)
    assert engine.aborted == [0]
    assert "time_limit_per_job" in state.active[0].end_reason
    assert deadlines.next_check == pytest.approx(now + 3, abs=0.5)
    deadlines.check(now + 1)  # the first has not ended yet
    assert engine.aborted == [0]


def test_every_trial_over_its_time_is_aborted_though_a_younger_one_was_taken_up_first(
    deadlines, state, engine, run_trial
):
    state.settings.time_limit_per_job = 1.0
    for number, seconds in ((0, 5), (1, 61), (2, 30), (3, 90)):
        run_trial(number, seconds)
    deadlines.check(time.monotonic())
    assert engine.aborted == [1, 3]


def test_a_trial_that_was_asked_to_stop_and_does_not_is_aborted_when_its_time_is_over(
    deadlines, trials, state, engine, run_trial
):
    state.settings.time_limit_per_job = 1.0
    run_trial(0, 61)
    trials.prune([0])
    deadlines.check(time.monotonic())
    assert engine.aborted == [0]


@pytest.mark.parametrize("code", ["optimization_time_limit", "compute_time_limit"])
def test_a_limit_of_the_search_aborts_every_trial(code, deadlines, trials, state, engine, run_trial):
    run_trial(0, 61)
    run_trial(1, 61)
    if code == "compute_time_limit":
        state.settings.compute_time_limit = 2.0
    else:
        state.clock.set_time_limit(TimeLimit(dt.datetime.now() - dt.timedelta(seconds=1)))
    deadlines.check(time.monotonic())
    assert trials.stop_reason.code == code
    assert state.status is SearchStatus.STOPPING
    assert engine.aborted == [0, 1]
    assert {trial.end_reason for trial in state.active.values()} == {trials.stop_reason.sentence}


@pytest.mark.parametrize(
    ("limit", "checks"), [(None, False), ("time_limit_per_job", True), ("compute_time_limit", True)]
)
def test_a_job_that_begins_is_checked_where_it_may_reach_a_limit(limit, checks, deadlines, state):
    deadlines.next_check = math.inf
    if limit is not None:
        setattr(state.settings, limit, 1.0)
    deadlines.trial_began()
    assert (deadlines.next_check <= 0) is checks


@pytest.mark.parametrize("hours", [-1000, 1000])
def test_a_clock_that_was_set_is_written_down_once_and_trials_began_as_long_ago(
    hours, deadlines, state, recorder, run_trial, monkeypatch
):
    run_trial(0, 60)
    deadlines.compare_clocks()
    assert recorder.events == []
    by_day = time.time() + 3600 * hours
    monkeypatch.setattr("hpo_widgets.controller.run.time.time", lambda: by_day)
    for _ in range(2):
        deadlines.compare_clocks()
    assert recorder.events == ["clock_set"]
    assert by_day - state.active[0].row.started == pytest.approx(60, abs=5)
