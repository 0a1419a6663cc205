"""The machine's clock is set, summer time begins or ends in mid-search: limits, timings and journals stay right."""

from __future__ import annotations

import datetime as dt
import random
import subprocess
import sys
import time
from contextlib import closing

import pytest

from hpo_widgets import HyperParameterOptimizer
from hpo_widgets.controller import run
from hpo_widgets.journal import Journal
from hpo_widgets.trials import TrialState
from tests.conftest import DEADLINE
from tests.faults import table
from tests.journal.conftest import change_owner
from tests.runs import finished, identity


class Wall:
    """The time of day, which may be set for the package; what measures tests goes by the true one."""

    def __init__(self):
        self.read = time.time
        self.offset = 0.0

    def __call__(self):
        is_asked_by_package = sys._getframe(1).f_globals["__name__"].startswith("hpo_widgets")
        return self.read() + self.offset * is_asked_by_package


@pytest.fixture
def wall(monkeypatch):
    made = Wall()
    monkeypatch.setattr(time, "time", made)
    return made


def test_limits_and_timings_do_not_care_about_clocks_that_are_set(wall, search, account, record):
    line = record("clock set by up to 1,000 hours, after each trial")
    rng = random.Random(table.SEED)

    def completed(*told):
        account.told(*told)
        wall.offset = 3600 * rng.uniform(-1000, 1000)
        line.tried += 1

    limits = dict.fromkeys(("optimization_time_limit", "compute_time_limit", "time_limit_per_job"), 10)
    made = search(account.objective(), total_max_jobs=25, seed=table.SEED, **limits)
    finished(made, completed)
    account.settle(line, made.journal_path)
    assert made.stop_reason.code == "total_max_jobs"
    assert made.counts[TrialState.COMPLETED] == line.tried == 25
    again = HyperParameterOptimizer.open(made.journal_path, base_task_id=identity)
    for one in (made, again):
        assert 0 <= one.budget.wall_minutes.used < 5
        assert 0 <= one.budget.compute_minutes.used < 5
        assert len(one.snapshot()) == 25
        trials = [one.trial(number) for number in range(25)]
        assert all(0 <= trial.ended - trial.started < 300 for trial in trials)


@pytest.mark.parametrize("hours", [-5.0, 5.0])
def test_time_that_a_clock_was_set_by_is_no_time_of_a_search_that_is_killed(
    two_running, wall, monkeypatch, tmp_path, hours
):
    monkeypatch.setattr(run, "HEARTBEAT_SECONDS", 0.01)
    wall.offset = 0.0
    made = two_running(optimization_time_limit=60)
    wall.offset = 3600 * hours
    with closing(Journal.view(made.journal_path)) as reader:
        while abs(reader.row(0).started - (time.time() + wall.offset)) > 1800:
            assert reader.wait_for_change(reader.sequence, timeout=DEADLINE)
    # What is in the journal now is what a process leaves that is killed. This process does not copy files that it has
    # open: that would release its locks on them.
    copied = tmp_path / made.journal_path.name
    for suffix in ("", "-wal"):
        subprocess.run(["cp", f"{made.journal_path}{suffix}", f"{copied}{suffix}"], check=True)
    change_owner(copied, pid=2**22 - 1, token="dead")
    again = HyperParameterOptimizer.open(copied, base_task_id=identity)
    assert again.counts[TrialState.ABORTED] == 2
    assert 0 <= again.budget.wall_minutes.used < 5
    assert 0 <= again.budget.compute_minutes.used < 5
    with HyperParameterOptimizer.open(made.journal_path) as viewer:
        assert 0 <= viewer.budget.wall_minutes.used < 5


@pytest.mark.parametrize("begins", [True, False])
def test_a_change_of_summer_time_in_mid_search_moves_no_limit(
    search, gate, until, berlin, monkeypatch, account, record, begins
):
    line = record("summer time that begins or ends, in mid-search")
    line.tried += 1
    monkeypatch.setenv("TZ", "STD0" if begins else "DST-1")
    time.tzset()
    gate.shut()
    objective = account.objective(held=(0, 1), gate=gate.path)
    made = search(objective, total_max_jobs=4, seed=table.SEED, optimization_time_limit=30, time_limit_per_job=30)
    made.start(account.told)
    until(made, lambda: made.counts[TrialState.RUNNING] == 2)
    monkeypatch.setenv("TZ", zone_that_changes(int(time.time()) + 1, begins=begins))
    time.tzset()
    while time.localtime().tm_isdst != begins:
        time.sleep(0.01)
    gate.open()
    assert 20 < made._controller.state.clock.seconds_to_deadline() / 60 < 30
    assert made.wait()
    account.settle(line, made.journal_path)
    assert made.counts[TrialState.COMPLETED] == 4
    again = HyperParameterOptimizer.open(made.journal_path, base_task_id=identity)
    for one in (made, again):
        assert 0 <= one.budget.wall_minutes.used < 5
        assert 0 <= one.budget.compute_minutes.used < 5


def zone_that_changes(moment, *, begins):
    """A time zone whose summer time, an hour ahead of UTC, begins or ends at a moment."""
    at = dt.datetime.fromtimestamp(moment, dt.UTC) + dt.timedelta(hours=not begins)  # by the clock until then
    day = f"J{_day_without_leap_days(at)}/{at:%H:%M:%S}"
    other = f"J{_day_without_leap_days(at + dt.timedelta(days=100))}/2"
    return f"STD0DST-1,{day},{other}" if begins else f"STD0DST-1,{other},{day}"


def _day_without_leap_days(at):
    return (dt.date(2001, at.month, min(at.day, 28) if at.month == 2 else at.day) - dt.date(2000, 12, 31)).days
