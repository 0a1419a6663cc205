"""Limits as a person gives them, and the clock of a search, whose time a test sets."""

from __future__ import annotations

import datetime as dt
import math
import re
from dataclasses import asdict

import numpy as np
import pytest

from hpo_widgets.search import limits
from hpo_widgets.search.limits import (
    SearchClock,
    Settings,
    TimeLimit,
    local_time,
    positive_int,
    positive_minutes,
    seconds_to_wait,
    typed_minutes,
    typed_positive_int,
)
from tests.runs import Time

NOON = dt.datetime.fromisoformat("2030-01-01T12:00")


@pytest.fixture
def time(monkeypatch):
    made = Time(NOON.timestamp())
    monkeypatch.setattr(limits, "time", made)
    return made


@pytest.fixture
def settings():
    return Settings(2)


@pytest.fixture
def clock(settings, time):
    return SearchClock(settings)


def test_before_the_start_nothing_is_used_and_nothing_due(clock, time):
    time.pass_minutes(5)
    assert (clock.elapsed, clock.compute_used, clock.wall_left) == (0.0, 0.0, None)
    assert clock.seconds_to_deadline() is None
    assert clock.seconds_to_compute_limit() is None
    assert not clock.is_past_deadline


def test_it_runs_while_the_search_does_over_all_runs(clock, time):
    clock.begin_run()
    time.pass_minutes(2)
    assert clock.elapsed == pytest.approx(2)
    clock.end_run()
    time.pass_minutes(100)
    assert clock.elapsed == pytest.approx(2)
    clock.begin_run()
    time.pass_minutes(1.5)
    assert clock.elapsed == pytest.approx(3.5)
    clock.end_run()
    clock.end_run()
    assert clock.elapsed == pytest.approx(3.5)


def test_who_reads_it_as_the_run_ends_sees_the_run_once(clock, time):
    clock.begin_run()
    time.pass_minutes(2)

    def end_meanwhile():
        del time.monotonic
        clock.end_run()
        return time.seconds

    time.monotonic = end_meanwhile
    assert clock.elapsed == pytest.approx(2)
    assert clock.elapsed == pytest.approx(2)


class Cleared(SearchClock):
    """A clock whose limit somebody takes away as soon as it was looked at."""

    @property
    def time_limit(self):
        seen, self.seen = getattr(self, "seen", None), None
        return seen

    @time_limit.setter
    def time_limit(self, limit):
        self.seen = limit


@pytest.mark.parametrize(
    ("name", "expected"), [("is_past_deadline", True), ("wall_left", -1.0), ("seconds_to_deadline", -60.0)]
)
def test_who_looks_at_the_deadline_as_it_is_taken_away_gets_an_answer(settings, time, name, expected):
    clock = Cleared(settings)
    clock.begin_run()
    clock.set_time_limit(TimeLimit(NOON))
    time.pass_minutes(1)
    found = getattr(clock, name)
    assert (found() if callable(found) else found) == pytest.approx(expected)
    assert clock.deadline is None


def test_the_time_limit_counts_from_the_start_and_stands_still_while_the_search_does(settings, clock, time):
    settings.optimization_time_limit = 10.0
    time.pass_minutes(60)
    assert clock.wall_left == pytest.approx(10)
    clock.begin_run()
    time.pass_minutes(4)
    assert clock.seconds_to_deadline() == pytest.approx(360)
    assert clock.wall_left == pytest.approx(6)
    clock.end_run()
    time.pass_minutes(60)
    assert clock.wall_left == pytest.approx(6)
    clock.begin_run()
    time.pass_minutes(5.75)
    assert not clock.is_past_deadline
    time.pass_minutes(0.25)
    assert clock.is_past_deadline


def test_a_limit_that_has_passed_leaves_nothing_though_the_two_clocks_differ(settings, clock, time):
    settings.optimization_time_limit = 10.0
    clock.begin_run()
    time.pass_minutes(10)
    clock.wall = clock.wall._replace(run_started=clock.wall.run_started + 0.001)
    clock.end_run()
    assert clock.wall_left == 0.0


def test_a_deadline_of_ones_own_is_a_moment_whether_the_search_runs_or_not(settings, clock, time):
    settings.optimization_time_limit = 1.0
    clock.set_time_limit(TimeLimit(NOON + dt.timedelta(minutes=30)))
    time.pass_minutes(10)
    assert clock.wall_left == pytest.approx(20)
    clock.begin_run()
    time.pass_minutes(5)
    assert clock.wall_left == pytest.approx(15)
    clock.end_run()
    time.pass_minutes(15)
    assert clock.wall_left == pytest.approx(0)
    assert clock.elapsed == pytest.approx(5)


def test_a_deadline_does_not_pass_before_the_first_start(clock, time):
    clock.set_time_limit(TimeLimit(NOON))
    time.pass_minutes(1)
    assert not clock.is_past_deadline
    clock.begin_run()
    assert clock.is_past_deadline


def test_a_deadline_that_is_taken_away_is_no_limit(settings, clock):
    settings.optimization_time_limit = 1.0
    clock.set_time_limit(None)
    clock.begin_run()
    assert clock.wall_left is None
    assert clock.budget(0, 0).wall_minutes.limit is None


def test_compute_time_is_that_of_all_jobs_together(settings, clock, time):
    settings.compute_time_limit = 10.0
    clock.compute_done = 1.0
    clock.active_started = {0: time.monotonic()}
    time.pass_minutes(1)
    clock.active_started[1] = time.monotonic()
    time.pass_minutes(2)
    assert clock.compute_used == pytest.approx(1 + 3 + 2)
    assert clock.seconds_to_compute_limit() == pytest.approx(4 * 60 / 2)
    clock.active_started.clear()
    assert clock.seconds_to_compute_limit() == pytest.approx(9 * 60)


def test_a_limit_that_is_changed_holds_at_once(settings, clock, time):
    clock.active_started = {0: time.monotonic()}
    settings.compute_time_limit = 1.0
    time.pass_minutes(2)
    assert clock.seconds_to_compute_limit() == pytest.approx(-60)


def test_the_budget_has_every_limit_with_what_is_used(settings, clock, time):
    settings.total_max_jobs, settings.max_iteration_per_job = 20, 50
    settings.compute_time_limit, settings.optimization_time_limit = 30.0, 8.0
    clock.begin_run()
    clock.active_started = {0: time.monotonic(), 1: time.monotonic()}
    time.pass_minutes(2)
    budget = clock.budget(5, 123)
    assert (budget.jobs.limit, budget.jobs.used) == (20, 5)
    assert (budget.iterations.limit, budget.iterations.used) == (1000, 123)
    assert (budget.compute_minutes.limit, budget.compute_minutes.used) == (30.0, pytest.approx(4))
    assert (budget.wall_minutes.limit, budget.wall_minutes.used) == (8.0, pytest.approx(2))


@pytest.mark.parametrize(("jobs", "iterations"), [(None, 50), (20, None), (None, None)])
def test_iterations_have_a_limit_only_when_jobs_and_iterations_per_job_do(settings, clock, jobs, iterations):
    settings.total_max_jobs, settings.max_iteration_per_job = jobs, iterations
    assert clock.budget(0, 0).iterations.limit is None


@pytest.mark.parametrize(
    ("used", "moment", "limit"),
    [
        (0, None, None),
        (3, NOON + dt.timedelta(minutes=5), 5),
        (3, NOON + dt.timedelta(minutes=1), 3),
        (0, NOON - dt.timedelta(minutes=2), None),
    ],
)
def test_a_moment_as_limit_is_what_is_used_and_what_is_left(clock, time, used, moment, limit):
    clock.begin_run()
    time.pass_minutes(used)
    clock.set_time_limit(None if moment is None else TimeLimit(moment))
    assert clock.budget(0, 0).wall_minutes.limit == pytest.approx(limit)


def test_the_budget_of_a_passed_deadline_has_nothing_left(clock, time):
    clock.begin_run()
    time.pass_minutes(3)
    clock.set_time_limit(TimeLimit(NOON + dt.timedelta(minutes=1)))
    wall = clock.budget(0, 0).wall_minutes
    assert (wall.limit, wall.used) == (pytest.approx(3), pytest.approx(3))
    assert wall.exceeded


def settings_of(concurrency=1, minutes=None, compute=None, **keywords):
    return Settings.checked(
        keywords,
        max_number_of_concurrent_tasks=concurrency,
        optimization_time_limit=minutes,
        compute_time_limit=compute,
    )


def test_what_is_left_out_is_the_default():
    assert asdict(settings_of()) == asdict(Settings(1))


def test_all_that_is_given_is_kept():
    given = {
        "total_max_jobs": 5,
        "time_limit_per_job": 3,
        "min_iteration_per_job": 1,
        "max_iteration_per_job": 7,
        "max_failures": 2,
        "max_memory_per_job": 1.5,
        "allow_duplicates": True,
        "stop_grace": 0,
    }
    made = asdict(settings_of(4, 1.5, 2, **given))
    assert {name: made[name] for name in given} == given
    assert (made["max_number_of_concurrent_tasks"], made["optimization_time_limit"], made["compute_time_limit"]) == (
        4,
        1.5,
        2.0,
    )


@pytest.mark.parametrize("name", ["total_max_jobs", "min_iteration_per_job", "max_iteration_per_job", "max_failures"])
@pytest.mark.parametrize("value", [0, -1, 1.5, "3", True])
def test_numbers_of_things_are_whole_and_above_zero(name, value):
    with pytest.raises((TypeError, ValueError), match=f"{name} must be"):
        settings_of(**{name: value})


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "is in gigabytes and must be above 0, got 0"),
        (16_000_000_000, "is in gigabytes and must be at most 1,000,000, got 16000000000"),
        ("2 GB", "must be a number of gigabytes above 0, got '2 GB'"),
    ],
)
def test_memory_is_a_number_of_gigabytes_above_zero(value, said):
    with pytest.raises((TypeError, ValueError), match=f"max_memory_per_job {said}"):
        settings_of(max_memory_per_job=value)


def test_a_whole_number_is_taken_or_refused_by_name():
    assert positive_int("n", 1) == 1
    assert type(positive_int("n", np.int64(3))) is int
    with pytest.raises(TypeError, match="n must be a whole number of at least 1, got True"):
        positive_int("n", True)
    with pytest.raises(ValueError, match="n must be a whole number of at least 1, got 0"):
        positive_int("n", 0)


def test_minutes_are_a_number_above_zero_or_none():
    assert positive_minutes("t", None) is None
    assert positive_minutes("t", math.inf) is None
    for given in (3, np.float64(3)):
        assert positive_minutes("t", given) == 3.0
        assert type(positive_minutes("t", given)) is float
    for wrong in (0, -1, math.nan, -math.inf):
        with pytest.raises(ValueError, match="t is in minutes and must be above 0"):
            positive_minutes("t", wrong)
    with pytest.raises(ValueError, match="t is in minutes and must be at most 1,000,000,000, got"):
        positive_minutes("t", 1e10)
    for wrong in ("10", True, [1]):
        with pytest.raises(TypeError, match="t must be a number of minutes"):
            positive_minutes("t", wrong)


def test_a_typed_number_is_read_or_refused_with_what_was_typed():
    assert typed_positive_int("n", "12") == 12
    for typed, words in {"": "nothing", "0": "“0”", "-3": "“-3”", "1.5": "“1.5”", "x" * 40: f"“{'x' * 30}…”"}.items():
        with pytest.raises(ValueError, match=f"n is a whole number of at least 1, not {words}"):
            typed_positive_int("n", typed)
    with pytest.raises(ValueError, match="n is at most 10 here, not “11”"):
        typed_positive_int("n", "11", most=10)


def test_typed_minutes_are_read_or_refused_with_what_was_typed():
    assert typed_minutes("a time-out", "0.5") == 0.5
    for typed in ("soon", "0", "-1", "nan", "inf"):
        with pytest.raises(ValueError, match=f"a time-out is in minutes and above 0, such as 5 or 0.5, not “{typed}”"):
            typed_minutes("a time-out", typed)


@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf"), pytest.param(10**400, id="huge"), "1", True, None])
def test_the_grace_is_a_number_of_seconds_after_which_a_stop_ends(value):
    with pytest.raises(ValueError, match="stop_grace must be a number of seconds of at least 0"):
        settings_of(stop_grace=value)


@pytest.mark.parametrize("value", [np.float32(0.5), np.float64(0.5)])
def test_the_grace_may_be_a_number_of_numpy(value):
    assert settings_of(stop_grace=value).stop_grace == 0.5


def test_a_trial_may_not_end_before_it_is_compared_with_others():
    with pytest.raises(ValueError, match="min_iteration_per_job=100 is above max_iteration_per_job=10"):
        settings_of(min_iteration_per_job=100, max_iteration_per_job=10)
    assert settings_of(min_iteration_per_job=10, max_iteration_per_job=10).max_iteration_per_job == 10


# When somebody sets the machine's clock, or summer time ends ------------------------------------------------------


@pytest.mark.parametrize("hours", [-1, 24])
def test_a_limit_of_so_many_minutes_stays_when_the_machines_clock_is_set(settings, clock, time, hours):
    settings.optimization_time_limit = 10.0
    clock.begin_run()
    time.set_by = hours * 3600.0
    time.pass_minutes(4)
    assert clock.seconds_to_deadline() == pytest.approx(360)
    clock.set_time_limit(TimeLimit.in_seconds(60.0))
    time.set_by = 0.0
    assert clock.seconds_to_deadline() == pytest.approx(60)


def test_a_moment_that_somebody_chose_follows_the_machines_clock(clock, time):
    clock.set_time_limit(TimeLimit(NOON + dt.timedelta(minutes=10)))
    time.set_by = 120.0
    assert clock.seconds_to_deadline() == pytest.approx(480)


@pytest.mark.parametrize(
    "zone", [None, dt.UTC, dt.timezone(dt.timedelta(hours=12)), dt.timezone(dt.timedelta(hours=-12))]
)
def test_a_moment_that_not_every_zone_can_name_is_refused(zone):
    with pytest.raises(ValueError, match="at most 1,000,000,000 minutes away; None for no limit"):
        TimeLimit.at(dt.datetime.max.replace(tzinfo=zone))


def test_a_limit_that_spans_the_end_of_summer_time_is_no_hour_longer(berlin, monkeypatch):
    before = dt.datetime.fromisoformat("2030-10-27T01:00").timestamp()  # clocks go from 3:00 back to 2:00
    monkeypatch.setattr(limits, "time", Time(before))
    assert TimeLimit(dt.datetime.fromisoformat("2030-10-27T05:00")).seconds_left == 5 * 3600
    shown = TimeLimit.in_seconds(5 * 3600).moment
    assert shown == dt.datetime.fromisoformat("2030-10-27T05:00")


@pytest.mark.parametrize("moment", ["2030-07-01T12:00+02:00", "2030-10-27T02:30+02:00", "2030-10-27T02:30+01:00"])
def test_a_recorded_limit_is_the_same_moment_also_in_the_hour_that_comes_twice(berlin, moment):
    meant = dt.datetime.fromisoformat(moment)
    limit = TimeLimit(local_time(meant))
    assert limit.moment.tzinfo is None
    assert limit.moment.timestamp() == meant.timestamp()
    assert local_time(dt.datetime.fromisoformat(limit.recorded)).timestamp() == meant.timestamp()


def test_who_waits_says_so_in_minutes():
    found = [seconds_to_wait(timeout) for timeout in (None, math.inf, 0.5, 2, np.float64(1), np.int64(1), -3)]
    assert found == [None, None, 30.0, 120.0, 60.0, 60.0, 0.0]


@pytest.mark.parametrize("timeout", ["x", "5", True, [1]])
def test_what_is_no_number_of_minutes_to_wait_is_refused(timeout):
    with pytest.raises(TypeError, match=f"timeout must be a number of minutes, .* got {re.escape(repr(timeout))}"):
        seconds_to_wait(timeout)
