"""Whole runs of a search: when a strategy is asked, and what it was told by then."""

from __future__ import annotations

import math
from contextlib import closing
from typing import ClassVar

import pytest

from hpo_widgets import HyperParameterOptimizer
from hpo_widgets.controller import proposals
from hpo_widgets.engines.local.functions import FunctionPool
from hpo_widgets.journal import Journal
from hpo_widgets.search import SearchStatus
from hpo_widgets.strategies.base import Proposal, SearchStrategy
from hpo_widgets.trials import TrialState
from tests.runs import finished, identity, let_an_hour_go_by


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
    expected = ["trials #2 to #3 may have begun"] * is_said
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
