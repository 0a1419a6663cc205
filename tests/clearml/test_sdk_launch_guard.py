"""The launches of a strategy's jobs, on as many threads as the SDK's Optuna strategy has workers."""

from __future__ import annotations

import threading

import pytest

from hpo_widgets.clearml_sdk.launch_guard import MOST_IN_A_ROW, LaunchGuard
from tests.conftest import DEADLINE


class Strategy:
    """As much of the SDK's strategy as launches need."""

    def __init__(self):
        self.running = []

    def get_running_jobs(self):
        return self.running


class Job:
    """A job whose launch does what it is told to."""

    def __init__(self, name, launch):
        self.name = name
        self.launch = launch

    def task_id(self):
        return self.name


@pytest.fixture
def launches():
    return LaunchGuard(Strategy(), is_refusing=lambda: False, withdraw=lambda _task: None, wake=lambda: None)


def make(launches, name, launch):
    job = Job(name, launch)
    launches.guard(job)
    return job


def test_launches_that_are_on_their_way_count_as_no_failures(launches):
    are_inside, go_on = threading.Barrier(MOST_IN_A_ROW + 1), threading.Event()

    def launch(_queue):
        are_inside.wait(DEADLINE)
        return go_on.wait(DEADLINE)

    threads = [
        threading.Thread(target=make(launches, f"task-{n}", launch).launch, daemon=True) for n in range(MOST_IN_A_ROW)
    ]
    for thread in threads:
        thread.start()
    are_inside.wait(DEADLINE)
    may_go_on = launches.may_go_on
    go_on.set()
    for thread in threads:
        thread.join(DEADLINE)
    assert may_go_on
    assert launches.may_go_on
    assert launches.failures == {}


def test_so_many_failures_in_a_row_are_enough_and_one_success_begins_anew(launches):
    def fail(_queue):
        raise OSError("no")

    refuse = [lambda _queue: False, fail]
    for n in range(MOST_IN_A_ROW - 1):
        assert make(launches, f"task-{n}", refuse[n % 2]).launch("queue") is False
    assert launches.may_go_on
    assert make(launches, "good", lambda _queue: True).launch("queue") is True
    for n in range(MOST_IN_A_ROW):
        assert launches.may_go_on
        make(launches, f"later-{n}", refuse[n % 2]).launch("queue")
    assert not launches.may_go_on
    launches.allow()
    assert launches.may_go_on
