"""Whole runs of a search: when a strategy is asked, and what it was told by then."""

from __future__ import annotations

import math
import os
import sqlite3
import time
from contextlib import closing
from typing import ClassVar

import pytest

from hpo_widgets import GridSearch, HyperParameterOptimizer, RandomSearch, UniformIntegerParameterRange
from hpo_widgets.controller import proposals
from hpo_widgets.engines.base import ENGINE_METHODS
from hpo_widgets.engines.local.functions import FunctionPool
from hpo_widgets.journal import Journal
from hpo_widgets.search import SearchStatus
from hpo_widgets.strategies.base import Proposal, SearchStrategy
from hpo_widgets.trials import TrialState
from tests.runs import finished, identity, let_an_hour_go_by, wait_for


class Watching(SearchStrategy):
    """Notes at each ask how many of its trials are unfinished."""

    is_model_based = True
    made: ClassVar = []

    def __init__(self, *, seed=None):
        super().__init__(seed=seed)
        self.num_asked = 0
        self.num_told = 0
        self.unfinished = []
        self.made.append(self)

    def ask(self):
        self.unfinished.append(self.num_asked - self.num_told)
        self.num_asked += 1
        return Proposal({"x": 1.0 / self.num_asked})

    def tell(self, observation):
        self.num_told += 1


@pytest.mark.parametrize("num_workers", [1, 3])
def test_a_model_is_asked_for_workers_that_are_free_and_for_no_trial_too_many(search, num_workers, monkeypatch):
    monkeypatch.setattr(proposals, "SLOW_ASK", math.inf)  # however slow this machine is now
    made = search(identity, optimizer_class=Watching, total_max_jobs=30, max_number_of_concurrent_tasks=num_workers)
    finished(made)
    [strategy] = Watching.made[-1:]
    assert strategy.num_asked == 30
    assert max(strategy.unfinished) <= num_workers - 1


def test_enqueued_points_occupy_workers_and_count_as_trials_that_are_left(search):
    made = search(identity, optimizer_class=Watching, total_max_jobs=6, max_number_of_concurrent_tasks=3)
    for number in range(4):
        made.enqueue_trial({"x": 0.9 + number / 100})
    finished(made)
    [strategy] = Watching.made[-1:]
    assert len(made.snapshot()) == 6
    assert strategy.num_asked == 2


def test_a_running_trial_is_not_yet_used_of_the_budget_but_counts_for_its_limit(two_running, gate):
    made = two_running(total_max_jobs=2)
    assert (made.budget.jobs.used, made.budget.jobs.limit) == (0, 2)
    gate.open()
    assert made.wait()
    assert made.budget.jobs.used == 2


def fail(x):
    raise ValueError("no luck")


def test_a_search_whose_trials_all_failed_has_failed_here_and_in_every_view(search):
    made = search(fail, total_max_jobs=3)
    finished(made)
    assert made.status is SearchStatus.FAILED
    assert made.stop_reason.code == "total_max_jobs"
    assert made.stop_reason.sentence == (
        "all 3 trials of the budget were used; no trial has a result, 3 failed; the last: ValueError: no luck"
    )
    with HyperParameterOptimizer.open(made.journal_path) as viewer:
        assert viewer.status is SearchStatus.FAILED
    again = HyperParameterOptimizer.open(made.journal_path, base_task_id=fail)
    assert again.start() is False
    assert again.status is SearchStatus.FAILED


def test_one_result_among_failures_completes_a_search(search):
    made = search(fail_below_half, total_max_jobs=2)
    made.enqueue_trial({"x": 0.25})
    made.enqueue_trial({"x": 0.75})
    finished(made)
    assert made.status is SearchStatus.COMPLETED


def fail_below_half(x):
    return x if x > 0.5 else fail(x)


@pytest.mark.parametrize("wrong", [-60.0, 172_800.0])
def test_a_search_is_reopened_though_clocks_were_set_while_it_ran(search, wrong):
    made = search(identity, total_max_jobs=2)
    finished(made)
    with closing(Journal.open(made.journal_path)) as journal:
        row = journal.reader.trials()[1][0]
        row.ended = row.started + wrong
        journal.write([row])
    again = HyperParameterOptimizer.open(made.journal_path, base_task_id=identity)
    assert 0.0 <= again.budget.compute_minutes.used < 1.0
    with HyperParameterOptimizer.open(made.journal_path) as viewer:
        assert viewer.budget.compute_minutes.used >= 0.0


class Broken(SearchStrategy):
    """Raises when it is told of the second trial, which runs by then."""

    def ask(self):
        self.num_asked = getattr(self, "num_asked", 0) + 1
        return Proposal({"x": self.num_asked / 10})

    def launched(self, proposal, number):
        if number == 1:
            raise LookupError("lost")


class BrokenModel(Broken):
    is_model_based = True


@pytest.mark.parametrize("optimizer_class", [Broken, BrokenModel])
def test_what_a_strategy_raises_is_told_while_its_trials_run_on(two_running, gate, until, caplog, optimizer_class):
    made = two_running(optimizer_class=optimizer_class)
    until(made, lambda: made.errors)
    [notice] = made.errors
    raised = f"{optimizer_class.__name__} raised LookupError: lost"
    more = "it proposes no further trial; the search ends after the running and enqueued ones"
    assert notice.sentence == f"{raised}; {more}"
    assert (made.status, made.counts[TrialState.RUNNING]) == (SearchStatus.RUNNING, 2)
    with HyperParameterOptimizer.open(made.journal_path) as viewer:
        until(viewer, lambda: viewer.errors)
    gate.open()
    assert made.wait()
    assert (made.stop_reason.code, made.stop_reason.sentence) == ("error", raised)
    assert made.counts[TrialState.COMPLETED] == 2
    assert [one.sentence for one in made.errors] == [notice.sentence, raised]
    assert sum("Traceback" in record.getMessage() for record in caplog.records) == 1


def test_of_a_strategy_that_fails_when_it_is_not_needed_any_more_nothing_is_told(two_running, gate):
    made = two_running(optimizer_class=Broken, total_max_jobs=2)
    gate.open()
    assert made.wait()
    assert (made.stop_reason.code, list(made.errors)) == ("total_max_jobs", [])


@pytest.mark.parametrize(("was_killed", "seconds", "is_said"), [(True, 0.01, 1), (False, 0.01, 0), (True, 3.0, 0)])
def test_what_may_run_a_second_time_after_a_kill_is_said(search, was_killed, seconds, is_said):
    made = search(identity, total_max_jobs=2)
    finished(made)
    if was_killed:
        with closing(Journal.open(made.journal_path)) as journal:
            rows = journal.reader.trials()[1]
            for row in rows:
                row.duration = seconds
            journal.write(rows, events=[{"kind": "start"}])
    again = HyperParameterOptimizer.open(made.journal_path, base_task_id=identity)
    again.set_total_max_jobs(3)
    finished(again)
    expected = ["trials from #2 on may have begun"] * is_said
    assert [sentence for sentence in expected if sentence not in again.errors[-1].sentence] == []
    assert len(again.errors) == is_said


def test_a_launch_is_durable_before_it_where_trials_take_long_or_none_has_ended(search, held, gate, until):
    known = []

    class Looking(FunctionPool):
        def launch(self, number, point):
            with closing(Journal.view(made.journal_path)) as reader:
                known.append(number in [row.number for row in reader.trials()[1]])
            return super().launch(number, point)

    gate.shut()
    made = search(held, total_max_jobs=4)
    made.set_default_job_class(Looking)
    made.start()
    until(made, lambda: made.counts[TrialState.RUNNING] == 2)
    let_an_hour_go_by(made)
    gate.open()
    assert made.wait()
    assert known == [True] * 4


# Trials that the engine holds ----------------------------------------------------------------------------------------


class Pool(FunctionPool):
    """Keeps the numbers of the trials that it was given to hold, and the last point."""

    made: ClassVar = []

    def __init__(self, *arguments, **keywords):
        super().__init__(*arguments, **keywords)
        self.numbers = []
        self.made.append(self)

    def hold(self, number, point):
        self.numbers.append(number)
        self.last = number, point
        super().hold(number, point)


@pytest.fixture
def two_held(search, gate, until, monkeypatch):
    """``two_held(...)`` gives a search and its engine: three trials have ended, two run, and two are held."""
    monkeypatch.setattr("hpo_widgets.controller.state.LONG_TRIAL", math.inf)  # however slow this machine is now
    path = str(gate.path)

    def train(trial, n):
        while trial.number > 2 and not os.path.exists(path):
            time.sleep(0.001)
        return n

    def start(**keywords):
        gate.shut()
        made = search(train, [UniformIntegerParameterRange("n", 0, 999)], optimizer_class=RandomSearch, **keywords)
        made.set_default_job_class(Pool)
        made.start()
        until(made, lambda: made.counts[TrialState.RUNNING] == 2 and len(made.snapshot()) == 5)
        [pool] = Pool.made[-1:]
        assert pool.numbers[-2:] == [5, 6]
        return made, pool

    return start


class Wrapped:
    """An engine that launches by itself, and gives all else to the one of this machine."""

    def __init__(self, *arguments, **keywords):
        self.pool = FunctionPool(*arguments, **keywords)

    def __getattr__(self, name):
        return getattr(self.pool, name)

    def launch(self, number, point):
        return self.pool.launch(number, {"x": point["x"] + 1.0})


for _name in set(ENGINE_METHODS) - {"launch"}:
    setattr(Wrapped, _name, lambda self, *arguments, _name=_name: getattr(self.pool, _name)(*arguments))


def test_an_engine_in_front_of_another_launches_each_trial_itself(search):
    made = search(identity, total_max_jobs=50, max_number_of_concurrent_tasks=2)
    made.set_default_job_class(Wrapped)
    finished(made)
    assert min(points(made)) >= 1.0


def points(made):
    """The point of each trial, which has returned it."""
    return made.snapshot().values[:, 0].tolist()


def test_what_was_held_when_a_search_was_paused_is_launched_when_it_goes_on(two_held, gate, until):
    made, pool = two_held(total_max_jobs=9)
    made.pause()
    gate.open()
    until(made, lambda: made.counts[TrialState.COMPLETED] == 5)
    assert len(made.snapshot()) == 5
    made.resume()
    assert made.wait()
    assert len(set(points(made))) == made.counts[TrialState.COMPLETED] == 9
    assert pool.numbers[-1] == 8


def test_a_seed_gives_the_same_points_whatever_was_held_and_dropped(two_held, search, gate):
    def by(*steps):
        made, _pool = two_held(total_max_jobs=9, seed=3)
        for step, *arguments in steps:
            getattr(made, step)(*arguments)
        gate.open()
        assert made.wait()
        return points(made)

    expected = by()
    assert by(["pause"], ["resume"]) == expected
    assert by(["set_max_number_of_concurrent_tasks", 3]) == expected
    assert by(["enqueue_trial", {"n": 1000}]) == [*expected[:5], 1000, *expected[5:8]]
    assert by(["set_total_max_jobs", 6]) == expected[:6]


def test_a_point_that_was_held_for_earlier_ranges_is_not_launched(two_held, gate):
    made, _pool = two_held(total_max_jobs=9)
    made.set_ranges({"n": (500, 510)})
    gate.open()
    assert made.wait()
    snapshot = made.snapshot()
    assert snapshot.epoch.tolist() == [0] * 5 + [1] * 4
    assert all(500 <= point <= 510 for point in points(made)[5:])


def test_a_result_that_is_recorded_takes_number_and_point_of_what_was_held(two_held, gate):
    made, pool = two_held(total_max_jobs=9)
    number, point = pool.last
    made.add_trial(point, point["n"])
    gate.open()
    assert made.wait()
    assert len(set(points(made))) == len(points(made)) == 10
    assert points(made)[number - 1] == point["n"]


def test_a_search_that_is_stopped_launches_nothing_of_what_was_held(two_held, gate):
    made, _pool = two_held()
    made.stop()
    assert made.wait()
    assert made.counts[TrialState.ABORTED] == 2
    assert len(made.snapshot()) == 5
    gate.open()
    made.set_total_max_jobs(9)
    finished(made)
    assert (len(set(points(made))), made.counts[TrialState.COMPLETED]) == (9, 7)


def test_while_another_program_locks_the_journal_nothing_of_what_was_held_is_launched(two_held, gate):
    made, _pool = two_held()
    with closing(sqlite3.connect(made.journal_path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        made.set_total_max_jobs(9)
        wait_for(lambda: made._recorder.locked_since is not None, "the lock was not met")
        gate.open()
        wait_for(lambda: not made._controller.state.active, "two trials did not end")
        assert made._controller.state.num_launched == 5
    assert made.wait()
    assert made.counts[TrialState.COMPLETED] == 9


@pytest.mark.parametrize("optimizer_class", [RandomSearch, GridSearch])
def test_no_point_is_lost_or_run_twice_however_a_search_is_steered(search, optimizer_class):
    made = search(
        identity,
        [UniformIntegerParameterRange("x", 0, 299)],
        optimizer_class=optimizer_class,
        max_number_of_concurrent_tasks=3,
    )
    made.set_default_job_class(Pool)
    made.start()
    while made.is_running():
        made.pause()
        made.set_total_max_jobs(301)
        made.resume()
        made.set_total_max_jobs(None)
    assert made.stop_reason.code == "space_exhausted"
    assert sorted(points(made)) == list(range(300))
    assert Pool.made[-1].numbers


def test_a_subscriber_that_lowers_the_budget_ends_what_is_held(search):
    made = search(identity, optimizer_class=RandomSearch)
    made.set_default_job_class(Pool)
    limits = []

    def lower():
        if len(made.snapshot()) >= 20 and not limits:
            limits.append(made._controller.state.num_launched)
            made.set_total_max_jobs(limits[0])

    made.subscribe(lower)
    finished(made)
    assert len(made.snapshot()) == limits[0]


def nan_from_5(n):
    return n if n < 5 else math.nan


@pytest.mark.parametrize("max_failures", [1, 3])
def test_a_trial_without_a_number_is_followed_by_none_where_the_search_is_over(search, max_failures):
    made = search(
        nan_from_5,
        [UniformIntegerParameterRange("n", 0, 20)],
        optimizer_class=GridSearch,
        max_number_of_concurrent_tasks=1,
        max_failures=max_failures,
    )
    finished(made)
    assert made.stop_reason.code == "max_failures"
    assert len(made.snapshot()) == 5 + max_failures


class Listening(RandomSearch):
    """Is told how its trials end."""

    def tell(self, observation):
        pass


def test_for_a_strategy_that_learns_no_trial_is_held(search):
    made = search(identity, total_max_jobs=20, optimizer_class=Listening)
    made.set_default_job_class(Pool)
    finished(made)
    assert Pool.made[-1].numbers == []


def test_before_a_trial_has_a_result_none_is_held(search):
    made = search(fail, total_max_jobs=20, max_failures=None, optimizer_class=RandomSearch)
    made.set_default_job_class(Pool)
    finished(made)
    assert Pool.made[-1].numbers == []
