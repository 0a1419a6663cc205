"""What is due by the clock, and when the clock has to be looked at again."""

from __future__ import annotations

import datetime as dt
import math
import time

import pytest

from hpo_widgets.controller.timetable import HEARTBEAT_SECONDS, Timetable
from hpo_widgets.search import SearchStatus


@pytest.fixture
def timetable(state, recorder, stopping):
    return Timetable(state, recorder, stopping)


def test_a_search_without_limits_looks_again_for_its_next_sign_of_life(timetable, recorder, stopping):
    now = time.monotonic()
    timetable.look(now)
    assert (recorder.beats, recorder.events, stopping.reason) == (0, [], None)
    assert now < timetable.next_look <= now + HEARTBEAT_SECONDS
    timetable.look(timetable.next_look)
    assert recorder.beats == 1


def test_a_report_is_due_once_a_period(timetable, recorder, state):
    state.settings.report_period = 1.0
    timetable.begin_report_period()
    begin = time.monotonic()
    for seconds in (59, 61, 62, 125):
        timetable.look(begin + seconds)
    assert recorder.events == ["report", "report"]


def test_a_job_over_its_time_is_aborted_and_the_next_oldest_sets_the_next_look(timetable, state, engine, run_trial):
    state.settings.time_limit_per_job = 1.0
    run_trial(0, 61)
    run_trial(1, 57)
    now = time.monotonic()
    timetable.look(now)
    assert engine.aborted == [0]
    assert "time_limit_per_job" in state.active[0].end_reason
    assert list(state.clock.active_started) == [1]
    assert timetable.next_look < now + HEARTBEAT_SECONDS


@pytest.mark.parametrize("code", ["optimization_time_limit", "compute_time_limit"])
def test_a_limit_of_the_search_aborts_every_trial(code, timetable, stopping, state, engine, run_trial):
    run_trial(0, 61)
    run_trial(1, 61)
    if code == "compute_time_limit":
        state.settings.compute_time_limit = 2.0
    else:
        state.clock.set_deadline(dt.datetime.now() - dt.timedelta(seconds=1))
    timetable.look(time.monotonic())
    assert stopping.reason.code == code
    assert state.status is SearchStatus.STOPPING
    assert engine.aborted == [0, 1]
    assert {trial.end_reason for trial in state.active.values()} == {stopping.reason.sentence}


@pytest.mark.parametrize(
    ("limit", "looks"), [(None, False), ("time_limit_per_job", True), ("compute_time_limit", True)]
)
def test_a_job_that_begins_is_looked_at_where_it_may_reach_a_limit(limit, looks, timetable, state):
    timetable.next_look = math.inf
    if limit is not None:
        setattr(state.settings, limit, 1.0)
    timetable.job_began()
    assert (timetable.next_look <= 0) is looks
