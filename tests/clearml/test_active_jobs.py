"""When the server is looked at next."""

from __future__ import annotations

import time

import pytest

from hpo_widgets.engines.base import Outcome
from hpo_widgets.engines.clearml.active_jobs import ActiveJob, ActiveJobs, Pace
from hpo_widgets.engines.clearml.template import TaskTemplate
from hpo_widgets.trials import TrialState

PERIOD = 6.0


@pytest.fixture
def pace():
    return Pace(PERIOD / 60)


def test_the_period_is_six_seconds_by_default():
    assert TaskTemplate.pool_period * 60 == PERIOD


def test_after_news_looks_come_soon_and_then_ever_more_seldom(pace):
    seconds = []
    for _ in range(12):
        pace.quiet([1.0])
        seconds.append(pace.seconds)
    assert seconds[0] == pytest.approx(1.5 * PERIOD / 8)
    assert seconds == sorted(seconds)
    assert seconds[-1] == 2 * PERIOD
    pace.news()
    assert pace.seconds == PERIOD / 8


@pytest.mark.parametrize(
    ("ages", "seconds"),
    [
        pytest.param([10.0], 2 * PERIOD, id="long before the age at which trials end"),
        pytest.param([10.0, 541.0], PERIOD / 8, id="one of two is a minute before it"),
        pytest.param([600.0 - 60.0 - 4.0], 4.0, id="not put off beyond the time from which an end is near"),
        pytest.param([5000.0], 2 * PERIOD, id="an age beyond all that was seen says nothing"),
    ],
)
def test_near_the_age_at_which_trials_end_looks_come_often(pace, ages, seconds):
    for _ in range(3):
        pace.ended(600.0)
    for _ in range(12):
        pace.quiet([10.0])
    assert pace.seconds == 2 * PERIOD
    for _ in range(12):
        pace.quiet(ages)
    assert pace.seconds == pytest.approx(seconds)


def test_a_launch_brings_the_next_look_forward_and_never_puts_it_off(pace):
    assert pace.due is None
    pace.look_in(100.0)
    before = time.monotonic()
    pace.look_soon()
    assert pace.due <= time.monotonic() + PERIOD / 8
    assert pace.due >= before + PERIOD / 8
    pace.look_now()
    now = pace.due
    pace.look_soon()
    assert pace.due == now


def test_what_is_held_waits_in_the_order_of_its_numbers_before_the_launcher_until_it_ends():
    jobs = ActiveJobs(Pace(0.1), most=3)
    first, second, third = (ActiveJob(number, {}, task=f"task-{number}", launched=0.0) for number in range(3))
    with jobs.changed:
        for job in (first, second, third):
            jobs.add(job)
        jobs.hold([third])
        jobs.hold([first, second])
        assert list(jobs.to_launch) == [first, second, third]
        jobs.end(second, Outcome(TrialState.ABORTED))
        assert list(jobs.to_launch) == [first, third]
        jobs.is_paused = True
        assert not jobs.may_launch
        jobs.is_paused = False
        assert jobs.next_to_launch() is first
