"""What the controller does beyond ClearML's: steering, budgets, reproducibility, callbacks, failures."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import math
import os
import sys
import threading
import time

import numpy as np
import pytest
from optuna.samplers import BruteForceSampler, QMCSampler, TPESampler

from hpo_widgets import (
    DiscreteParameterRange,
    GridSearch,
    HyperParameterOptimizer,
    OptimizerBOHB,
    OptimizerOptuna,
    ParameterSet,
    RandomSearch,
    UniformIntegerParameterRange,
    UniformParameterRange,
    replay,
)
from hpo_widgets.engines.base import default_concurrency
from hpo_widgets.engines.local.functions import FunctionPool
from hpo_widgets.journal import Journal, JournalBusy, JournalError
from hpo_widgets.search import SearchStatus
from hpo_widgets.search.limits import TimeLimit
from hpo_widgets.strategies.base import Proposal, SearchStrategy
from hpo_widgets.trials import TrialState
from hpo_widgets.viewer import SearchViewer
from tests.conftest import DEADLINE
from tests.runs import X, finished, identity, let_an_hour_go_by, wait_for


def points(made):
    return [made.trial(number).parameters for number in range(len(made.snapshot()))]


# Changing the space in mid-search --------------------------------------------------------------------------------

UNIFORM = UniformParameterRange("x", 0, 1, step_size=0.01)
IN_A_SET = ParameterSet(
    [{"x": UNIFORM, "kind": "a"}, {"x": UniformParameterRange("x", 0, 1, step_size=0.02), "kind": "b"}]
)


# Every class of parameter with every strategy is tried in tests/strategies/test_every_parameter_every_strategy.py.
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize(
    ("parameter", "optimizer_class", "keywords"),
    [
        pytest.param(UNIFORM, RandomSearch, {}, id="random"),
        pytest.param(IN_A_SET, RandomSearch, {}, id="in a set"),
        pytest.param(UNIFORM, GridSearch, {}, id="grid"),
        pytest.param(UNIFORM, OptimizerOptuna, {}, id="optuna"),
        pytest.param(UNIFORM, OptimizerBOHB, {"min_iteration_per_job": 1, "max_iteration_per_job": 9}, id="bohb"),
    ],
)
def test_a_change_of_range_bounds_what_is_proposed_next_and_undo_works(
    search, tmp_path, parameter, optimizer_class, keywords
):
    narrow = (0.25, 0.5)
    waits = [(first, str(tmp_path / step)) for first, step in ((8, "narrow"), (16, "undo"))]

    def train(x, trial, kind=None):
        # From these numbers on no trial ends before the range was changed.
        for first, step in waits:
            while trial.number >= first and not os.path.exists(step):
                time.sleep(0.002)
        return float(len(str(x)))

    made = search(train, [parameter], optimizer_class=optimizer_class, total_max_jobs=24, seed=3, **keywords)
    epochs = []

    def steer(job_id, *_):
        number = int(job_id.rpartition("/")[2])
        if number >= 5 and len(epochs) == 0:
            epochs.append("narrow")
            made.set_range("x", narrow)
            (tmp_path / "narrow").touch()
        elif number >= 12 and len(epochs) == 1:
            epochs.append("undo")
            made.undo()
            (tmp_path / "undo").touch()

    finished(made, steer)
    assert not made.errors
    assert epochs == ["narrow", "undo"]
    assert len(made.snapshot()) == 24
    assert [mark.epoch for mark in made.epochs] == [0, 1, 2]
    narrowed = made.epochs[0].epoch == 0 and made.space.with_ranges({"x": narrow})
    in_narrow = [trial.parameters for trial in made.top(24) if trial.epoch == 1]
    assert in_narrow
    assert all(narrowed.contains(point) for point in in_narrow)
    assert made.space.ranges["x"] == made.epochs[0].ranges["x"]
    firsts = [mark.first_number for mark in made.epochs]
    for number in range(24):
        assert made.trial(number).epoch == sum(number >= first for first in firsts) - 1
    keys = [made.space.key(point) for point in points(made)]
    assert len(set(keys)) == 24


@pytest.mark.parametrize("optimizer_class", [RandomSearch, OptimizerOptuna, GridSearch])
def test_points_asked_ahead_under_the_old_range_are_dropped(two_running, gate, optimizer_class):
    made = two_running(
        [UniformIntegerParameterRange("x", 0, 99)], optimizer_class=optimizer_class, total_max_jobs=8, seed=1
    )
    made.set_range("x", (70, 90))
    gate.open()
    assert made.wait()
    assert all(70 <= point["x"] <= 90 for point in points(made)[2:])
    assert [made.trial(number).epoch for number in range(8)] == [0, 0, 1, 1, 1, 1, 1, 1]


def test_a_change_of_ranges_that_the_journal_cannot_take_at_once_holds_all_the_same(two_running, gate, monkeypatch):
    made, write = two_running(total_max_jobs=6), Journal.write

    def refuse_the_change_once(journal, rows, scalars, outputs, events):
        if any(event["kind"] == "set_ranges" for event in events):  # not what of the two trials may still wait
            monkeypatch.setattr(Journal, "write", write)
            raise JournalError("locked by another process")
        write(journal, rows, scalars, outputs, events)

    monkeypatch.setattr(Journal, "write", refuse_the_change_once)
    with pytest.raises(JournalError, match="locked"):
        made.set_ranges({"x": (0.9, 1.0)})
    gate.open()
    assert made.wait()
    assert made.space.ranges["x"] == (0.9, 1.0)
    assert min(made.snapshot().parameters["x"][2:]) >= 0.9


def test_where_nothing_can_be_undone_or_redone_nothing_happens_and_it_is_said(search):
    made = search(identity)
    made.undo()
    made.redo()
    assert len(made.epochs) == 1
    assert made.capabilities["undo"] == "no range was changed"
    assert made.capabilities["redo"] == "no change of a range was undone"


def test_a_range_may_be_widened_to_its_limit_and_no_further(search):
    made = search(identity, limits={"x": (-1, 2)}, total_max_jobs=20, seed=1)
    made.set_range("x", (-1, 2))
    with pytest.raises(ValueError, match="limit"):
        made.set_range("x", (-1, 3))
    assert made.space.ranges["x"] == (-1, 2)
    finished(made)
    assert any(not 0 <= point["x"] <= 1 for point in points(made))


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_an_unsupported_pair_of_parameter_and_strategy_is_refused_with_its_reason(search):
    import optuna

    with pytest.raises(ValueError, match="without steps"):
        search(identity, optimizer_class=OptimizerOptuna, optuna_sampler=optuna.samplers.BruteForceSampler())


# Pause ------------------------------------------------------------------------------------------------------------


def test_a_paused_search_can_be_stopped_and_then_goes_on(two_running, gate):
    made = two_running(total_max_jobs=4)
    made.pause()
    made.stop()
    assert made.status is SearchStatus.STOPPED
    gate.open()
    finished(made)
    assert made.counts[TrialState.COMPLETED] == 2


@pytest.mark.parametrize(
    ("commands", "status"),
    [
        (("start", "pause"), SearchStatus.PAUSED),
        (("start", "pause", "start"), SearchStatus.PAUSED),
        (("start", "pause", "resume"), SearchStatus.RUNNING),
        (("pause", "start"), SearchStatus.RUNNING),
        (("start", "pause", "stop"), SearchStatus.STOPPED),
        (("start", "pause", "stop", "start"), SearchStatus.RUNNING),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, tuple) else str(given),
)
def test_a_pause_of_a_start_that_waits_for_the_end_of_a_run_holds(two_running, until, commands, status):
    made = two_running()

    def command():  # all in one step of the run, which is still stopping then
        for name in commands:
            getattr(made, name)()

    made._controller.submit(lambda: (made.stop(), command())).result()
    until(made, lambda: made.status is status)
    if status.is_alive:
        assert made.wait(0.0005) is False
        made.add_trial({"x": 0.5}, 1.0)  # what is durable when this returns tells views the same
        with SearchViewer(made.journal_path) as viewer:
            assert viewer.status is status
    if status is SearchStatus.PAUSED:
        assert made.get_num_active_experiments() == 0
        made.resume()
    if status.is_alive:
        until(made, lambda: made.counts[TrialState.RUNNING] == 2)


def test_a_search_may_be_paused_before_its_start(search, until):
    made = search(identity, total_max_jobs=2)
    made.pause()
    assert made.start()
    assert made.status is SearchStatus.PAUSED
    made.resume()
    assert made.wait()
    assert made.counts[TrialState.COMPLETED] == 2


def test_the_wall_limit_runs_on_while_paused(search):
    made = search(identity, optimization_time_limit=0.002)
    made.pause()
    finished(made)
    assert made.stop_reason.code == "optimization_time_limit"
    assert len(made.snapshot()) == 0


def test_a_pause_does_not_end_an_exhausted_space_search_with_enqueued_waiting(search, until):
    made = search(identity, [DiscreteParameterRange("x", [1, 2])])
    finished(made)
    assert made.stop_reason.code == "space_exhausted"
    assert made.start() is False
    assert made.capabilities["start"] == made.stop_reason.sentence
    made.enqueue_trial({"x": 1})
    finished(made)
    assert [point["x"] for point in points(made)][2:] == [1]
    made.set_range("x", (1,))
    assert made.capabilities["start"] is None


# Budgets ----------------------------------------------------------------------------------------------------------


def test_a_budget_below_what_was_launched_lets_running_trials_finish(two_running, gate):
    made = two_running(total_max_jobs=9)
    made.set_total_max_jobs(1)
    gate.open()
    assert made.wait()
    assert made.counts[TrialState.COMPLETED] == 2
    assert made.stop_reason.code == "total_max_jobs"
    assert (made.total_max_jobs, made.budget.jobs.limit, made.budget.jobs.used) == (2, 2, 2)
    assert [notice.sentence for notice in made.errors] == [
        "2 trials were launched already, so the budget is 2 trials, not 1"
    ]


def test_workers_that_are_many_for_this_machine_are_taken_and_told(search):
    made = search(identity)
    cores = default_concurrency()
    made.command("set_max_number_of_concurrent_tasks", 4 * cores)
    assert not made.errors
    made.command("set_max_number_of_concurrent_tasks", 1000 * cores)
    (notice,) = made.errors
    assert notice.sentence.startswith(f"{1000 * cores:,} workers are many for {cores} core")
    assert made.max_number_of_concurrent_tasks == 1000 * cores


def test_a_budget_of_one_trial_that_is_used_is_told_in_the_singular(search):
    made = search(identity, total_max_jobs=1)
    finished(made)
    made.enqueue_trial({"x": 0.5})
    (notice,) = made.errors
    assert "as the only trial of the budget is used" in notice.sentence


@pytest.mark.parametrize("name", ["enqueue_trial", "retry"])
@pytest.mark.parametrize("is_command", [True, False], ids=["command", "method"])
def test_a_trial_that_waits_for_a_larger_budget_says_so_and_runs_with_it(search, name, is_command):
    made = search(identity, total_max_jobs=2)
    finished(made)
    argument = {"x": 0.5} if name == "enqueue_trial" else 0
    if is_command:
        made.command(name, argument)
    else:
        getattr(made, name)(argument)
    assert [notice.sentence for notice in made.errors] == [
        "the trial waits, as all 2 trials of the budget are used; raise the budget to run it"
    ]
    made.set_total_max_jobs(3)
    finished(made)
    assert made.trial(2).enqueued
    assert len(made.errors) == 1


def failing_while(path):
    """A function that fails as long as a file is there, above 0.25."""
    flag = str(path)

    def train(x):
        if x > 0.25 and os.path.exists(flag):
            raise OSError("no space left on device")
        return x

    return train


@pytest.fixture
def full_disk(tmp_path):
    path = tmp_path / "disk-is-full"
    path.touch()
    return path


def num_of(made):
    return made.counts[TrialState.COMPLETED], made.counts[TrialState.FAILED]


def test_all_failed_trials_are_retried_oldest_first_and_not_again_once_they_have_completed(search, full_disk):
    made = finished(search(failing_while(full_disk), total_max_jobs=12, seed=1, max_failures=None))
    failed = [made.trial(n).parameters for n in range(12) if made.trial(n).state is TrialState.FAILED]
    assert len(failed) > 2
    full_disk.unlink()
    made.set_total_max_jobs(12 + len(failed))
    assert made.retry_failed() == len(failed)
    finished(made)
    retried = [made.trial(number) for number in range(12, 12 + len(failed))]
    assert [trial.parameters for trial in retried] == failed
    assert {trial.state for trial in retried} == {TrialState.COMPLETED}
    assert (made.failed_points(), made.retry_failed(), made.errors) == ([], 0, [])


@pytest.mark.parametrize("is_command", [True, False], ids=["command", "method"])
def test_failed_points_beyond_the_budget_wait_and_it_is_said_what_they_need(search, full_disk, is_command):
    made = finished(search(failing_while(full_disk), [UniformIntegerParameterRange("x", 1, 4)], total_max_jobs=4))
    assert num_of(made) == (0, 4)
    made.set_total_max_jobs(5)
    if is_command:
        made.command("retry_failed")
    else:
        assert made.retry_failed() == 4
    full_disk.unlink()
    (notice,) = made.errors
    assert notice.sentence == (
        "3 of 4 points wait, as the budget of 5 trials has room for 1; raise the budget to 8 to run them"
    )
    finished(made)
    assert (num_of(made), made.num_waiting_points) == ((1, 4), 3)
    made.set_total_max_jobs(8)
    finished(made)
    assert (num_of(made), made.num_waiting_points, made.retry_failed()) == ((4, 4), 0, 0)


@pytest.mark.parametrize(
    ("total", "sentence"),
    [
        (1, "the trial waits, as the only trial of the budget is used; raise the budget to run it"),
        (3, "3 points wait, as all 3 trials of the budget are used; raise the budget to 6 to run them"),
    ],
)
def test_failed_points_that_all_wait_say_so(search, full_disk, total, sentence):
    made = search(failing_while(full_disk), [UniformIntegerParameterRange("x", 1, 4)], total_max_jobs=total)
    assert finished(made).retry_failed() == total
    assert [notice.sentence for notice in made.errors] == [sentence]
    assert made.retry_failed() == 0
    assert len(made.errors) == 1


def test_failed_trials_are_retried_in_a_paused_search_that_then_goes_on(search, full_disk, until):
    made = search(failing_while(full_disk), [UniformIntegerParameterRange("x", 1, 50)], max_failures=None)
    made.start()
    until(made, lambda: made.counts[TrialState.FAILED] > 3)
    made.pause()
    until(made, lambda: made.counts[TrialState.RUNNING] == 0)
    full_disk.unlink()
    queued = made.retry_failed()
    assert (queued, made.num_waiting_points, made.status) == (made.counts[TrialState.FAILED], queued, "paused")
    made.resume()
    assert made.wait()
    assert made.counts[TrialState.COMPLETED] == 50
    assert made.failed_points() == []


def test_failed_trials_are_retried_in_a_search_that_was_opened_again(search, full_disk):
    train = failing_while(full_disk)
    path = finished(search(train, [UniformIntegerParameterRange("x", 1, 4)], total_max_jobs=4)).journal_path
    full_disk.unlink()
    again = HyperParameterOptimizer.open(path, base_task_id=train)
    assert again.retry_failed() == 4
    # What waits is in the journal.
    once_more = HyperParameterOptimizer.open(path, base_task_id=train)
    assert (once_more.num_waiting_points, once_more.failed_points(), once_more.retry_failed()) == (4, [], 0)
    once_more.set_total_max_jobs(8)
    assert num_of(finished(once_more)) == (4, 4)


def test_all_failed_trials_are_queued_by_one_write_of_the_journal(search, full_disk):
    made = search(failing_while(full_disk), [UniformIntegerParameterRange("x", 1, 40)], max_failures=None)
    made.set_total_max_jobs(40)
    finished(made)
    made.set_total_max_jobs(None)

    def sequence():
        with Journal.view(made.journal_path) as reader:
            return reader.sequence

    before = sequence()
    assert made.retry_failed() == 40
    assert sequence() == before + 1


@pytest.mark.parametrize("has_ended", [False, True], ids=["runs", "has ended"])
def test_a_point_whose_retry_is_not_shown_yet_is_not_queued_twice(search, full_disk, tmp_path, monkeypatch, has_ended):
    gate = tmp_path / "gate"

    def train(x, full_disk=str(full_disk), gate=str(gate)):
        if os.path.exists(full_disk):
            raise OSError("no space left on device")
        while not os.path.exists(gate):
            time.sleep(0.002)
        return x

    made = finished(search(train, [UniformIntegerParameterRange("x", 1, 4)], total_max_jobs=4))
    made.set_total_max_jobs(8)
    full_disk.unlink()
    if has_ended:
        gate.touch()
    made.retry_failed()
    write, is_locked, has_met_lock = Journal.write, True, threading.Event()

    def write_unless_locked(self, rows, *arguments, **keywords):
        retries = [row for row in rows if row.number >= 4]
        if is_locked and retries:
            if len(retries) == 2 and (not has_ended or all(row.state == TrialState.COMPLETED for row in retries)):
                has_met_lock.set()
            raise JournalBusy("locked")
        return write(self, rows, *arguments, **keywords)

    monkeypatch.setattr(Journal, "write", write_unless_locked)
    made.start()
    assert has_met_lock.wait(DEADLINE)
    assert made.failed_points() == []
    assert made.retry_failed() == 0
    is_locked = False
    gate.touch()
    assert made.wait()
    assert num_of(made) == (4, 4)


def test_no_limit_of_jobs_is_none(search, held, gate, until):
    gate.shut()
    made = search(held, total_max_jobs=2)
    made.set_total_max_jobs(None)
    assert made.total_max_jobs is None
    made.start()
    until(made, lambda: made.counts[TrialState.RUNNING] == 2)
    gate.open()
    until(made, lambda: made.counts[TrialState.COMPLETED] > 5)
    made.stop()


def test_enqueued_and_retries_count_against_the_budget(search):
    made = search(identity, total_max_jobs=3, seed=1)
    made.enqueue_trial({"x": 0.5})
    made.enqueue_trial({"x": 0.5})
    finished(made)
    assert [trial["x"] for trial in points(made)][:2] == [0.5, 0.5]
    assert [made.trial(number).enqueued for number in range(3)] == [True, True, False]
    made.retry(2)
    assert made.start() is False
    assert "raise the number of trials to continue" in made.stop_reason.sentence
    made.set_total_max_jobs(4)
    finished(made)
    assert points(made)[3] == points(made)[2]


def test_a_retry_runs_outside_the_present_range_too(search):
    made = finished(search(identity, total_max_jobs=1, seed=1))
    x = points(made)[0]["x"]
    made.set_range("x", (x + 1e-6, 1))
    made.set_total_max_jobs(2)
    made.retry(0)
    finished(made)
    assert points(made)[1] == {"x": x}


@pytest.mark.parametrize("given", ["0", None, True, 0.5])
def test_what_names_no_trial_is_told_with_what_does(search, given):
    made = search(identity)
    for name, *rest in (
        ("retry",),
        ("stop_trial",),
        ("set_note", "stable"),
        ("set_tags", ["a"]),
        ("leave_out",),
        ("take_back",),
    ):
        with pytest.raises(TypeError, match=f"a trial is given by its number, .* got {given!r}"):
            getattr(made, name)(given, *rest)


def test_a_trial_of_another_search_is_not_taken_for_the_own_one_of_its_number(search):
    other, made = (finished(search(identity, total_max_jobs=2, seed=seed)) for seed in (1, 2))
    foreign = other.trial(1)
    for name, *rest in (("retry",), ("set_note", "stable"), ("set_tags", ["a"]), ("leave_out",), ("take_back",)):
        with pytest.raises(ValueError, match=r"trial #1 .* belongs to another search than .*enqueue_trial"):
            getattr(made, name)(foreign, *rest)
    assert (made.trial(1).note, made.trial(1).tags) == ("", ())
    assert made.budget.jobs.used == 2
    made.set_note(made.trial(1), "its own")
    assert made.trial(1).note == "its own"


@pytest.mark.parametrize(
    ("point", "sentence"),
    [({"y": 1}, "y"), ({}, "x"), ({"x": "a"}, "x"), ({"x": math.nan}, "x"), ({"x": None}, "x")],
)
def test_a_point_by_hand_is_checked(search, point, sentence):
    with pytest.raises((ValueError, TypeError), match=sentence):
        search(identity).enqueue_trial(point)


def test_a_job_that_overruns_its_limit_is_aborted_and_does_not_count_as_a_failure(search, until):
    def train(x):
        import threading

        if x == 1:
            threading.Event().wait()
        return x

    made = search(train, [DiscreteParameterRange("x", [1, 2])], time_limit_per_job=60, max_failures=1)
    made.start()
    until(made, lambda: made.counts[TrialState.COMPLETED] == made.counts[TrialState.RUNNING] == 1)
    let_an_hour_go_by(made)
    assert made.wait()
    assert made.stop_reason.code == "space_exhausted"
    aborted = next(made.trial(number) for number in range(2) if made.trial(number).parameters["x"] == 1)
    assert aborted.status == "aborted"
    assert "time_limit_per_job" in aborted.error
    assert made.counts[TrialState.COMPLETED] == 1


def test_what_a_worker_loads_is_no_run_time_of_its_first_trial(search, gate, until, tmp_path, monkeypatch):
    path = tmp_path / "slow_to_import.py"
    path.write_text("def train(x): return x\n")
    monkeypatch.syspath_prepend(tmp_path)
    import slow_to_import

    gate.shut()
    wait = f"import os, time\nwhile not os.path.exists({str(gate.path)!r}): time.sleep(0.002)\n"
    path.write_text(wait + path.read_text())
    made = search(slow_to_import.train, total_max_jobs=1, max_number_of_concurrent_tasks=1)
    made.start()
    until(made, lambda: made.counts[TrialState.RUNNING] and made.budget.compute_minutes.used == 0)
    opened = time.monotonic()
    gate.open()
    assert made.wait()
    assert made.trial(0).duration <= time.monotonic() - opened
    assert made.trial(0).value is not None


def test_a_job_ends_at_its_iteration_limit(search):
    def train(x, trial):
        import itertools

        for iteration in itertools.count():
            trial.report_scalar("objective", "objective", x, iteration)
            if trial.should_stop:
                return
            time.sleep(0.002)

    made = search(train, total_max_jobs=2, max_iteration_per_job=5)
    finished(made)
    for trial in made.top(2):
        assert trial.status == "completed"
        assert trial.iterations[0] >= 5
        assert trial.value == trial.parameters["x"]
    assert made.stop_reason.code == "total_max_jobs"


def test_a_stop_raises_in_a_trial_at_once_instead_of_telling_should_stop(search, until, tmp_path):
    seen = tmp_path / "seen"
    where = str(seen)

    def run_until_told(trial):
        # A function of its own, as Python 3.13 leaves the end of a loop out of the try statement that holds it.
        while not trial.should_stop:
            pass

    def train(x, trial):
        told = False
        try:
            trial.report_scalar("objective", "objective", x, 0)
            run_until_told(trial)
            told = True
        finally:
            with open(where, "w", encoding="utf-8") as file:
                file.write(f"{told} {trial.should_stop}")

    made = search(train, max_number_of_concurrent_tasks=1, stop_grace=DEADLINE)
    made.start()
    until(made, lambda: made.best_trial is not None)
    made.stop()
    assert seen.read_text(encoding="utf-8") == "False False"
    assert made.counts[TrialState.ABORTED] == 1


def test_the_iteration_limit_counts_the_objective_and_no_other_scalar(search):
    def train(x, trial):
        for epoch in range(10):
            for batch in range(20):
                trial.report_scalar("train", "loss", x, 20 * epoch + batch)
            trial.report_scalar("objective", "objective", x, epoch)
            if trial.should_stop:
                return

    made = finished(search(train, total_max_jobs=1, max_iteration_per_job=10))
    [trial] = made.top(1)
    assert (trial.status, trial.iterations[0]) == ("completed", 9)


def test_a_full_compute_budget_lets_no_search_start(search, held, gate, until):
    gate.shut()
    made = search(held, compute_time_limit=0.002)
    finished(made)
    assert made.stop_reason.code == "compute_time_limit"
    assert made.counts[TrialState.ABORTED] == len(made.snapshot()) > 0
    assert made.capabilities["start"] == "the compute time was used up; raise its limit to continue"
    made.set_compute_time_limit(None)
    made.set_total_max_jobs(3)
    gate.open()
    finished(made)
    assert made.stop_reason.code == "total_max_jobs"


def test_a_stopped_search_keeps_the_rest_of_its_time(two_running, gate, monkeypatch):
    made = two_running(optimization_time_limit=5, total_max_jobs=3)
    made.stop()
    deadline = made.get_time_limit()
    clock = made._controller.state.clock
    monkeypatch.setattr(clock, "time_limit", TimeLimit(deadline.replace(year=deadline.year - 1)))  # a year goes by
    assert made.reached_time_limit()
    assert made.budget.wall_minutes.limit == 5
    gate.open()
    finished(made)
    assert made.stop_reason.code == "total_max_jobs"


def test_a_search_out_of_time_goes_on_with_a_new_limit(search, held, gate):
    gate.shut()
    made = search(held, optimization_time_limit=0.001, total_max_jobs=3)
    finished(made)
    assert made.start() is False
    assert made.stop_reason.sentence == "the time limit has passed; set a new one to continue"
    made.set_time_limit(in_minutes=10)
    gate.open()
    finished(made)
    assert made.stop_reason.code == "total_max_jobs"


def test_a_moment_that_passed_before_the_start_lets_no_search_start(search, monkeypatch):
    made = search(identity, total_max_jobs=1)
    made.set_time_limit(in_minutes=1)
    clock = made._controller.state.clock
    monkeypatch.setattr(clock, "time_limit", TimeLimit(clock.deadline.replace(year=2000)))
    assert made.start() is False
    assert made.stop_reason.code == "optimization_time_limit"
    assert made.budget.wall_minutes.limit is None


# Ends -------------------------------------------------------------------------------------------------------------


def test_failures_in_a_row_end_the_search_and_a_success_forgets_them(search):
    def train(x):
        if x < 8:
            raise RuntimeError(f"no luck with {x}")
        return x

    made = search(train, [UniformIntegerParameterRange("x", 0, 9)], max_failures=3, max_number_of_concurrent_tasks=1)
    for x in (0, 1, 9, 2, 3, 8, 4, 5, 6):
        made.enqueue_trial({"x": x})
    finished(made)
    assert made.stop_reason.code == "max_failures"
    assert made.stop_reason.sentence == "3 trials in a row failed; the last: RuntimeError: no luck with 6"
    assert made.status is SearchStatus.FAILED
    assert len(made.snapshot()) == 9


def test_no_limit_of_failures_is_none(search):
    def train(x):
        raise RuntimeError

    made = finished(search(train, max_failures=None, total_max_jobs=12))
    assert made.stop_reason.code == "total_max_jobs"
    assert made.counts[TrialState.FAILED] == 12


@pytest.mark.parametrize("optimizer_class", [RandomSearch, OptimizerOptuna])
def test_duplicates_run_only_where_they_are_allowed(search, optimizer_class):
    parameters = [UniformIntegerParameterRange("x", 1, 3)]
    made = finished(search(identity, parameters, optimizer_class=optimizer_class, total_max_jobs=8))
    assert len(made.snapshot()) == 3
    made = finished(
        search(identity, parameters, optimizer_class=optimizer_class, total_max_jobs=8, allow_duplicates=True)
    )
    assert len(made.snapshot()) == 8


def test_a_point_by_hand_is_not_proposed_again(search):
    made = search(identity, [UniformIntegerParameterRange("x", 1, 4)], optimizer_class=OptimizerOptuna)
    for x in (2, 3):
        made.enqueue_trial({"x": x})
    finished(made)
    assert sorted(point["x"] for point in points(made)) == [1, 2, 3, 4]


class Raising(SearchStrategy):
    """A strategy that proposes two points and then raises where it is told to."""

    def __init__(self, *, where="ask", seed=None):
        super().__init__(seed=seed)
        self.where = where
        self.drawn = 0

    def begin(self, *arguments):
        super().begin(*arguments)
        self._raise_at("begin")

    def ask(self):
        if self.drawn == 2:
            self._raise_at("ask")
        self.drawn += 1
        return Proposal({"x": self.drawn / 100}, self.drawn - 1)

    def launched(self, proposal, number):
        self._raise_at("launched")

    def tell(self, observation):
        self._raise_at("tell")

    def _raise_at(self, where):
        if where == self.where:
            raise LookupError(f"lost in {where}")


class RaisingModel(Raising):
    is_model_based = True


@pytest.mark.parametrize("optimizer_class", [Raising, RaisingModel])
@pytest.mark.parametrize("where", ["begin", "ask", "launched", "tell"])
def test_a_strategy_that_raises_ends_the_search_with_its_error(search, optimizer_class, where):
    made = finished(search(identity, optimizer_class=optimizer_class, where=where, total_max_jobs=50))
    assert made.stop_reason.code == "error"
    assert made.stop_reason.sentence == f"{optimizer_class.__name__} raised LookupError: lost in {where}"
    assert made.counts[TrialState.RUNNING] == 0
    assert made.errors[-1].sentence == made.stop_reason.sentence
    # Where the other trial still ran, it was told before.
    assert {notice.sentence.partition(";")[0] for notice in made.errors} == {made.stop_reason.sentence}


class Leaving(SearchStrategy):
    def ask(self):
        raise SystemExit(3)


class LeavingModel(Leaving):
    is_model_based = True


@pytest.mark.parametrize("optimizer_class", [Leaving, LeavingModel])
def test_a_strategy_that_exits_ends_the_search(search, optimizer_class):
    made = finished(search(identity, optimizer_class=optimizer_class))
    assert made.stop_reason.code == "error"


# Reproducible -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer_class", [RandomSearch, GridSearch])
def test_point_n_follows_from_the_seed_whatever_the_number_of_workers(search, optimizer_class):
    def run(workers):
        made = search(
            identity,
            [UniformParameterRange("x", 0, 1, step_size=0.001)],
            optimizer_class=optimizer_class,
            seed=11,
            total_max_jobs=12,
            max_number_of_concurrent_tasks=workers,
        )
        return points(finished(made))

    assert run(1) == run(3)


def test_a_model_repeats_itself_with_a_seed_and_one_worker(search):
    def run():
        made = search(
            lambda x: (x - 0.3) ** 2,
            optimizer_class=OptimizerOptuna,
            seed=11,
            total_max_jobs=15,
            max_number_of_concurrent_tasks=1,
        )
        return points(finished(made))

    assert run() == run()


# Values -----------------------------------------------------------------------------------------------------------


def test_several_objectives_rank_by_front(search):
    def train(x):
        return {"a/loss": float(x), "b/size": float((x - 2) ** 2)}

    made = finished(
        search(
            train,
            [UniformIntegerParameterRange("x", 0, 5)],
            objective_metric_title=["a", "b"],
            objective_metric_series=["loss", "size"],
            objective_metric_sign=["min", "min"],
        )
    )
    top = [trial.parameters["x"] for trial in made.top(6)]
    assert set(top[:3]) == {0, 1, 2}
    assert top[3:] == [3, 4, 5]
    assert made.to_dataframe()["b/size"].notna().all()
    assert len(made.to_optuna().best_trials) == 3


def test_a_trial_with_one_of_two_objectives_fails_and_is_not_ranked(search):
    made = finished(
        search(
            lambda x: {"a/loss": x},
            objective_metric_title=["a", "b"],
            objective_metric_series=["loss", "size"],
            objective_metric_sign=["min", "min"],
            total_max_jobs=2,
        )
    )
    assert made.top(2) == []
    assert made.counts[TrialState.FAILED] == 2
    assert "'b/size'" in made.trial(0).error


def test_a_value_returned_after_reports_is_the_last_report(search):
    def train(x, trial):
        trial.report_scalar("objective", "objective", 7, 3)
        return x

    made = finished(search(train, total_max_jobs=1))
    trial = made.trial(0)
    x = trial.parameters["x"]
    assert (trial.value, trial.iterations) == (x, (3,))
    assert trial.get_reported_scalars()["objective"]["objective"]["y"] == [7, x]


def test_a_word_returned_after_reports_is_in_the_curve_that_it_names(search):
    def train(x, trial):
        trial.report_scalar("validation", "loss", 7, 3)
        return {"loss": x, "size": 2}

    trial = finished(
        search(train, total_max_jobs=1, objective_metric_title="validation", objective_metric_series="loss")
    ).trial(0)
    curves = trial.get_reported_scalars()
    assert curves["validation"]["loss"]["y"] == [7, trial.value]
    assert curves["size"]["size"]["y"] == [2]
    assert len(curves) == 2


def test_save_top_k_archives_and_unarchives(search):
    made = search(
        identity,
        [UniformIntegerParameterRange("x", 0, 9)],
        save_top_k_tasks_only=2,
        max_number_of_concurrent_tasks=1,
    )
    for x in (5, 4, 3, 9, 1):
        made.enqueue_trial({"x": x})
    made.set_total_max_jobs(5)
    finished(made)

    def shown():
        return [made.trial(number).parameters["x"] for number in range(5) if not made.trial(number).archived]

    assert shown() == [3, 1]
    snapshot = made.snapshot()
    assert [bool(archived) for archived in snapshot.archived] == [True, True, False, True, False]
    assert len(made.top(5)) == 5  # hidden, not lost


def test_choices_keep_their_types(search):
    values = [True, 1, 1.0, "1", None, "None"]
    made = finished(search(lambda x: float(len(repr(x))), [DiscreteParameterRange("x", values)]))
    found = [point["x"] for point in points(made)]
    assert sorted((type(x).__name__, repr(x)) for x in found) == sorted((type(x).__name__, repr(x)) for x in values)
    frame = made.to_dataframe()
    assert [type(x) for x in frame["x"]] == [type(x) for x in found]


def test_exports_have_what_went_wrong_in_a_view_and_a_replay_too(search):
    def fail_below_half(x):
        if x < 0.5:
            raise ValueError("no luck")
        return x

    made = search(fail_below_half, total_max_jobs=3)
    assert made.to_dataframe()["error"].tolist() == []
    for x in (0.25, 0.75, 0.125):
        made.enqueue_trial({"x": x})
    finished(made)
    with HyperParameterOptimizer.open(made.journal_path) as viewer, replay(made.journal_path) as played:
        assert played.to_dataframe()["error"].tolist() == []
        played.seek(played.duration)
        for exported in (made, viewer, played):
            frame = exported.to_dataframe()
            by_point = dict(zip(frame["x"], frame["error"], strict=True))
            assert by_point == {0.25: "ValueError: no luck", 0.75: "", 0.125: "ValueError: no luck"}
            assert [record["error"] for record in json.loads(exported.to_json())] == frame["error"].tolist()
            assert exported.to_csv().count("ValueError: no luck") == 2


def test_exports_have_all_that_a_function_returns_and_reports(search):
    def train(x, trial):
        for epoch in range(3):
            trial.report_scalar("train", "loss", x + epoch, epoch)
        return {"loss": x, "accuracy": 1 - x}

    chosen = [DiscreteParameterRange("x", [0.25, 0.75])]
    made = finished(search(train, chosen, objective_metric_series="loss", optimizer_class=GridSearch))
    with HyperParameterOptimizer.open(made.journal_path) as viewer, replay(made.journal_path) as played:
        played.seek(played.duration)
        for exported in (made, viewer, played):
            frame = exported.to_dataframe().sort_values("x")
            assert frame["accuracy/accuracy"].tolist() == [0.75, 0.25]
            assert frame["train/loss"].tolist() == [2.25, 2.75]
            heading = exported.to_csv().splitlines()[0]
            assert heading.startswith("number,state,objective/loss,train/loss,accuracy/accuracy,x,")
            scalars = [record["scalars"] for record in json.loads(exported.to_json())]
            assert sorted(map(sorted, scalars)) == [["accuracy/accuracy", "train/loss"]] * 2


def test_results_are_exported_though_the_journal_is_gone(search):
    def fail_below_half(x):
        assert x >= 0.5
        return x

    made = search(fail_below_half, total_max_jobs=2)
    for x in (0.25, 0.75):
        made.enqueue_trial({"x": x})
    finished(made)
    with HyperParameterOptimizer.open(made.journal_path) as viewer:
        for path in made.journal_path.parent.iterdir():
            path.unlink()
        for exported in (made, viewer):
            frame = exported.to_dataframe().set_index("x")
            assert frame.loc[0.75, "objective/objective"] == 0.75
            assert frame.loc[0.25, "error"].startswith("not known: There is no search")
            assert frame.loc[0.75, "error"] == ""


# Waiting ----------------------------------------------------------------------------------------------------------


def test_a_cancelled_wait_leaves_the_search_running(two_running, gate):
    made = two_running(total_max_jobs=2)

    async def main():
        waiting = asyncio.create_task(made.wait_async())
        await asyncio.sleep(0)
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        assert waiting.cancelled()

    asyncio.run(main())
    assert made.is_running()
    gate.open()
    assert made.wait()
    assert not made.errors


def is_inside(function, frame):
    """Whether a thread with that frame is in a call of a function."""
    return frame is not None and (frame.f_code is function.__code__ or is_inside(function, frame.f_back))


def test_an_interrupt_ends_the_waiting_and_not_the_search(two_running, gate, request):
    import signal

    heard = threading.Event()

    def interrupted(_number, _frame):
        if not heard.is_set():
            heard.set()
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupted)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    made = two_running(total_max_jobs=2)
    main = threading.main_thread().ident

    def interrupt():
        while not is_inside(HyperParameterOptimizer.wait, sys._current_frames()[main]):
            time.sleep(0.001)
        # Python sees a signal that comes just before a lock is waited for when the next one comes.
        while not heard.wait(0.1):
            signal.pthread_kill(main, signal.SIGINT)

    interrupter = threading.Thread(target=interrupt)
    interrupter.start()
    with pytest.raises(KeyboardInterrupt):
        made.wait()
    interrupter.join(DEADLINE)
    assert made.is_running()
    gate.open()
    assert made.wait()


def test_several_threads_may_wait_and_stop(two_running):
    made = two_running(total_max_jobs=2)
    results = []
    threads = [threading.Thread(target=lambda: results.append(made.wait())) for _ in range(3)]
    threads += [threading.Thread(target=made.stop) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert results == [True] * 3
    assert made.stop_reason.code == "stopped"


# Callbacks --------------------------------------------------------------------------------------------------------


def test_callbacks_come_once_and_in_the_order_of_the_ends(search, gate):
    gate.shut()
    path = str(gate.path)

    def train(x, trial):
        while trial.number == 0 and not os.path.exists(path):
            time.sleep(0.002)
        return x

    calls = []

    def completed(*arguments):
        calls.append(arguments)
        if len(calls) == 39:
            gate.open()

    made = finished(search(train, total_max_jobs=40), completed)
    # The first trial ends after all others, which run one after another beside it.
    assert [int(call[0].rpartition("/")[2]) for call in calls] == [*range(1, 40), 0]
    best = math.inf
    for _, value, iteration, parameters, best_id in calls:
        best = min(best, value)
        assert made.trial(int(best_id.rpartition("/")[2])).value == best
        assert (iteration, value) == (0, parameters["x"])


def test_a_global_sign_gives_the_iteration_of_the_extreme(search):
    def train(x, trial):
        for iteration, value in enumerate((3.0, 1.0, 2.0)):
            trial.report_scalar("v", "l", value, iteration)

    calls = []
    finished(
        search(
            train,
            total_max_jobs=1,
            objective_metric_title="v",
            objective_metric_series="l",
            objective_metric_sign="min_global",
        ),
        lambda *arguments: calls.append(arguments),
    )
    assert calls[0][1:3] == (1.0, 1)


def test_several_objectives_give_lists(search):
    calls = []
    finished(
        search(
            lambda x: {"a/loss": x, "b/size": -x},
            total_max_jobs=1,
            objective_metric_title=["a", "b"],
            objective_metric_series=["loss", "size"],
            objective_metric_sign=["min", "max"],
        ),
        lambda *arguments: calls.append(arguments),
    )
    [(_, values, iterations, parameters, _)] = calls
    assert values == [parameters["x"], -parameters["x"]]
    assert iterations == [0, 0]


def test_no_call_for_a_job_without_an_objective(search):
    def train(x):
        if x == 1:
            raise RuntimeError
        return float(x)

    calls = []
    finished(
        search(train, [UniformIntegerParameterRange("x", 1, 3)]), lambda *arguments: calls.append(arguments[3]["x"])
    )
    assert sorted(calls) == [2, 3]


def test_an_exception_in_a_callback_is_logged_and_shown_and_the_search_goes_on(search, caplog):
    def callback(*_):
        raise LookupError("lost")

    with caplog.at_level(logging.WARNING, "hpo_widgets"):
        made = finished(search(identity, total_max_jobs=3), callback)
    assert made.counts[TrialState.COMPLETED] == 3
    assert [notice.sentence for notice in made.errors] == ["job_complete_callback raised LookupError: lost"] * 3
    assert "job_complete_callback raised LookupError: lost" in caplog.text
    with Journal.view(made.journal_path) as reader:
        assert [event["sentence"] for event in reader.events() if event["kind"] == "notice"] == [
            notice.sentence for notice in made.errors
        ]


def test_a_slow_callback_delays_neither_launches_nor_the_end_but_wait_and_stop_return_after_it(search, until):
    go = threading.Event()
    calls = []

    def callback(*arguments):
        assert go.wait(DEADLINE)
        calls.append(arguments)

    made = search(identity, total_max_jobs=10)
    made.start(callback)
    until(made, lambda: not made.is_running())
    assert made.counts[TrialState.COMPLETED] == 10
    assert calls == []
    assert made.wait(0.0005) is False
    made.stop(timeout=0.0005)
    made.stop(wait_for_reporter=False)
    assert calls == []
    go.set()
    assert made.wait() is True
    assert len(calls) == 10


def test_every_method_may_be_called_from_inside_a_callback(search):
    seen = []

    def callback(job_id, *_):
        if "stopped" in seen:
            return  # another start would go on with the search
        made.set_range("x", (0.1, 0.9))
        made.undo()
        made.redo()
        made.undo()
        made.pause()
        made.resume()
        made.set_total_max_jobs(10_000)
        made.set_max_number_of_concurrent_tasks(2)
        made.set_time_limit(in_minutes=5)
        made.set_compute_time_limit(100)
        made.set_report_period(5)
        made.enqueue_trial({"x": 0.5})
        made.retry(0)
        seen.append((made.start(), made.is_active(), len(made.get_top_experiments(3)), made.trial(0).number))
        made.get_top_experiments_details(3)
        made.get_active_experiments()
        made.to_dataframe()
        assert made.budget.jobs.used
        if len(seen) == 3:
            made.stop()
            seen.append("stopped")

    made = search(identity, total_max_jobs=4)
    finished(made, callback)
    assert all("the point waits" in notice.sentence for notice in made.errors)
    assert "stopped" in seen
    assert made.stop_reason.code in {"stopped", "total_max_jobs"}


def test_stop_inside_a_callback_ends_the_search(search, held, gate):
    calls = []

    def callback(*arguments):
        calls.append(arguments)
        made.stop()
        calls.append(made.status)

    made = search(held)
    finished(made, callback)
    assert made.stop_reason.code == "stopped"
    assert calls[1] is SearchStatus.STOPPED
    assert len(calls) == 2 * made.counts[TrialState.COMPLETED]


def test_a_callback_may_wait_for_the_end(search):
    results = []
    made = search(identity, total_max_jobs=3)
    finished(made, lambda *_: results.append(made.wait()))
    assert results == [True] * 3


def test_an_aborted_job_with_an_objective_is_called_back_too(search, until):
    def train(x, trial):
        import threading

        trial.report_scalar("objective", "objective", x, 4)
        threading.Event().wait()

    calls = []
    made = search(train, total_max_jobs=2)
    made.start(lambda *arguments: calls.append(arguments))
    until(made, lambda: len(made.top(2)) == 2)
    made.stop()
    assert sorted(call[0] for call in calls) == [f"{made.id}/0", f"{made.id}/1"]
    assert {call[2] for call in calls} == {4}


# Commands and ends in each other's way ----------------------------------------------------------------------------


def test_commands_at_the_very_end_are_done_or_said_not_to_be(search):
    for _ in range(5):
        made = search(identity, total_max_jobs=3)
        made.start()
        for number in itertools.count(4):
            made.set_total_max_jobs(number)
            if number >= 30:
                break
        made.set_range("x", (0.2, 0.4))
        assert made.wait()
        assert made.space.ranges["x"] == (0.2, 0.4)
        assert made.total_max_jobs == 30
        if made.start():
            assert made.wait()
        assert len(made.snapshot()) == 30
        with Journal.view(made.journal_path) as reader:
            kinds = [event["kind"] for event in reader.events()]
        assert kinds.count("set_ranges") == 1
        assert kinds.count("settings") == 27


def test_stop_right_after_start_ends_it(search, held, gate):
    gate.shut()
    made = search(held)
    for _ in range(5):
        assert made.start()
        made.stop()
        assert made.status is SearchStatus.STOPPED
        assert made.get_num_active_experiments() == 0
    assert made.counts[TrialState.RUNNING] == 0


def test_a_model_that_still_thinks_when_the_search_is_stopped_is_not_disturbed_by_the_next_run(search):
    thinking, go = threading.Event(), threading.Event()
    threads = set()

    class Slow(SearchStrategy):
        is_model_based = True
        inside = 0

        def begin(self, space, objectives, epoch, history, draws):
            assert self.inside == 0
            super().begin(space, objectives, epoch, history, draws)
            self.drawn = draws

        def ask(self):
            self.inside += 1
            threads.add(threading.current_thread())
            thinking.set()
            assert go.wait(DEADLINE)
            self.inside -= 1
            self.drawn += 1
            return Proposal({"x": self.drawn / 1000}, self.drawn - 1)

    made = search(identity, optimizer_class=Slow, total_max_jobs=4)
    made.start()
    assert thinking.wait(DEADLINE)
    made.stop()
    assert made.start()
    go.set()
    assert made.wait()
    assert made.stop_reason.code == "total_max_jobs"
    assert len(threads) == 2


def be_cancelled():
    raise asyncio.CancelledError


@pytest.mark.parametrize("raises", [lambda: 1 / 0, sys.exit, be_cancelled])
def test_a_subscriber_that_raises_does_no_harm(search, caplog, raises):
    made = search(identity, total_max_jobs=2)
    made.subscribe(raises)
    finished(made)
    assert made.counts[TrialState.COMPLETED] == 2
    assert "subscriber" in caplog.text


def test_unsubscribing_one_of_two_leaves_the_other(search):
    made = search(identity, total_max_jobs=1)
    told = threading.Event()
    unsubscribe = made.subscribe(told.set)
    made.subscribe(told.set)
    unsubscribe()
    finished(made)
    assert told.is_set()


class UnspeakableError(Exception):
    def __repr__(self):
        raise ValueError("an error that cannot even be told")


def test_a_worker_environment_that_raises_what_cannot_be_told_ends_the_search(search):
    def raises(_index):
        raise UnspeakableError

    made = finished(search(identity, worker_env=raises))
    assert made.stop_reason.code == "error"
    assert "UnspeakableError" in made.stop_reason.sentence


def test_a_worker_environment_reaches_the_trial_but_no_file_and_no_text(search):
    def train(x):
        import os

        return float(len(os.environ["TOKEN"]))

    secret = "s3cr3t-t0k3n"
    made = search(train, total_max_jobs=2, worker_env={0: {"TOKEN": secret}, 1: {"TOKEN": secret}})
    finished(made)
    assert made.best_trial.value == len(secret)
    assert secret not in repr(made)
    assert secret not in repr(made._definition)
    for file in made.journal_path.parent.iterdir():
        assert secret.encode() not in file.read_bytes()


def test_trials_that_cannot_be_launched_end_the_search_with_that_reason(search):
    class Unloadable:
        def __call__(self, x):
            return x

        def __reduce__(self):
            return explode, ()

    def explode():
        import os

        if os.environ.get("HPO_TEST_PARENT") is None:
            raise ImportError("no module of that name on this worker")
        return Unloadable()

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HPO_TEST_PARENT", "1")
        made = search(
            Unloadable(), worker_env={0: {"HPO_TEST_PARENT": None}, 1: {"HPO_TEST_PARENT": None}}, total_max_jobs=50
        )
        finished(made)
    assert made.stop_reason.code == "launch_failed"
    assert "no module of that name on this worker" in made.stop_reason.sentence
    assert made.status is SearchStatus.FAILED


def test_type_of_the_controller_is_kept_by_a_class_of_ones_own(tmp_path):
    class Own(HyperParameterOptimizer):
        pass

    made = Own(identity, [X], journal=tmp_path, total_max_jobs=1)
    finished(made)
    again = Own.open(made.journal_path, base_task_id=identity)
    assert type(again) is Own


def test_a_pause_that_comes_after_the_end_changes_nothing(search):
    made = finished(search(identity, total_max_jobs=1))
    made.pause()
    assert made.status is SearchStatus.COMPLETED
    with SearchViewer(made.journal_path) as viewer:
        assert viewer.status is SearchStatus.COMPLETED
        assert viewer.wait(DEADLINE / 60)
    made.set_total_max_jobs(2)
    assert made.start()
    assert made.wait(DEADLINE / 60)
    assert made.counts[TrialState.COMPLETED] == 2


def test_a_pause_by_who_hears_of_the_last_ends_is_over_with_the_run(search):
    class Closing(FunctionPool):
        is_closed = False

        def close(self):
            super().close()
            Closing.is_closed = True

    made = search(identity, total_max_jobs=1)
    made.set_default_job_class(Closing)
    heard = []

    def pause_at_the_end():
        if Closing.is_closed and made.is_running():
            made.pause()
            heard.append(made.status)

    unsubscribe = made.subscribe(pause_at_the_end)
    finished(made)
    assert heard
    assert made.status is SearchStatus.COMPLETED
    assert made.capabilities["resume"] == "the search is not paused"
    unsubscribe()
    made.set_total_max_jobs(2)
    finished(made)
    assert made.counts[TrialState.COMPLETED] == 2


def test_a_lock_at_the_moment_of_archiving_does_not_hold_up_the_search(search, monkeypatch):
    set_archived = Journal.set_archived
    busy = [True]

    def busy_once(self, numbers, *, archived):
        if busy.pop() if busy else False:
            raise JournalBusy("locked")
        return set_archived(self, numbers, archived=archived)

    monkeypatch.setattr(Journal, "set_archived", busy_once)
    made = search(identity, total_max_jobs=4, max_number_of_concurrent_tasks=1, save_top_k_tasks_only=1)
    made.start()
    assert made.wait(DEADLINE / 60)
    assert not busy
    assert made.counts[TrialState.COMPLETED] == 4


def test_a_search_for_which_no_thread_is_left_has_failed_and_may_be_started_again(search, monkeypatch):
    made = search(identity, total_max_jobs=2)
    start = threading.Thread.start

    def no_thread(self):
        if self.name == "hpo_widgets controller":
            raise RuntimeError("can't start new thread")
        start(self)

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        assert not made.start()
    assert made.stop_reason.code == "launch_failed"
    assert made.stop_reason.sentence == "no thread could be started: can't start new thread"
    assert made.wait(DEADLINE / 60)
    made.stop()
    assert finished(made).counts[TrialState.COMPLETED] == 2


# A constraint ----------------------------------------------------------------------------------------------------

WIDTH_AND_HEADS = [UniformIntegerParameterRange("width", 1, 64), UniformIntegerParameterRange("heads", 1, 8)]


def divides(width, heads):
    return width % heads == 0


class AnyPoint(SearchStrategy):
    """A strategy of one's own that knows nothing of constraints."""

    def begin(self, space, objectives, epoch, history, draws):
        super().begin(space, objectives, epoch, history, draws)
        self._rng = np.random.default_rng(self.seed)

    def ask(self):
        return Proposal(self.space.points(self._rng.random((1, self.space.num_dimensions)))[0])


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize(
    ("optimizer_class", "keywords"),
    [
        pytest.param(RandomSearch, {}, id="random"),
        pytest.param(GridSearch, {}, id="grid"),
        pytest.param(OptimizerOptuna, {}, id="default of optuna"),
        pytest.param(OptimizerOptuna, {"optuna_sampler": TPESampler}, id="tpe"),
        pytest.param(OptimizerOptuna, {"optuna_sampler": QMCSampler}, id="qmc"),
        pytest.param(OptimizerOptuna, {"optuna_sampler": BruteForceSampler}, id="brute force"),
        pytest.param(OptimizerBOHB, {"min_iteration_per_job": 1, "max_iteration_per_job": 9}, id="bohb"),
        pytest.param(AnyPoint, {}, id="own"),
    ],
)
def test_every_strategy_runs_only_points_that_the_constraint_allows(search, optimizer_class, keywords):
    if "optuna_sampler" in keywords:
        keywords = {"optuna_sampler": keywords["optuna_sampler"]()}
    made = search(
        lambda width, heads: abs(width - 48) + heads,
        WIDTH_AND_HEADS,
        optimizer_class=optimizer_class,
        constraint=divides,
        total_max_jobs=30,
        seed=1,
        **keywords,
    )
    finished(made)
    assert len(made.snapshot()) == 30
    assert all(divides(**point) for point in points(made))
    assert made.counts[TrialState.COMPLETED] == 30


def test_a_search_ends_when_the_constraint_allows_no_further_point_and_goes_on_in_another_range(search):
    made = search(identity, [UniformIntegerParameterRange("x", 0, 9)], constraint=lambda x: x % 5 == 0, seed=1)
    finished(made)
    assert sorted(point["x"] for point in points(made)) == [0, 5]
    assert made.stop_reason.code == "space_exhausted"
    assert made.stop_reason.sentence == (
        "RandomSearch has no further point that the constraint <lambda>(x) allows (2 trials)"
    )


def test_random_search_ends_where_new_ranges_leave_nothing_that_the_constraint_allows(search):
    made = search(identity, [X], constraint=lambda x: x > 0.5)
    made.set_range("x", (0, 0.25))
    finished(made)
    assert made.stop_reason.code == "space_exhausted"
    assert not len(made.snapshot())
    made.undo()
    made.set_total_max_jobs(3)
    finished(made)
    assert all(point["x"] > 0.5 for point in points(made))
    assert len(made.snapshot()) == 3


def test_a_point_that_the_constraint_does_not_allow_cannot_be_enqueued(search):
    made = search(lambda width, heads: width, WIDTH_AND_HEADS, constraint=divides, total_max_jobs=1)
    with pytest.raises(
        ValueError, match=r"constraint divides\(width, heads\) of this search does not allow this point"
    ):
        made.enqueue_trial({"width": 9, "heads": 2})
    made.enqueue_trial({"width": 9, "heads": 3})
    finished(made)
    assert points(made) == [{"width": 9, "heads": 3}]


def test_points_run_in_the_order_in_which_a_panel_has_queued_them_however_long_the_constraint_takes(search):
    may_answer = threading.Event()
    may_answer.set()
    made = search(
        identity,
        [UniformIntegerParameterRange("x", 0, 19)],
        constraint=lambda x: x > 0 or may_answer.wait(DEADLINE),
        total_max_jobs=20,
    )
    may_answer.clear()
    for x in range(20):
        made.command("enqueue_trial", {"x": x})
    may_answer.set()
    wait_for(lambda: made.num_waiting_points == 20, "they were not queued")
    finished(made)
    assert [point["x"] for point in points(made)] == list(range(20))


def test_a_result_that_one_has_already_may_violate_the_constraint(search):
    made = search(lambda width, heads: width, WIDTH_AND_HEADS, constraint=divides)
    assert made.trial(made.add_trial({"width": 9, "heads": 2}, 1.0)).value == 1.0


def test_a_stop_does_not_wait_for_a_constraint_that_refuses_all_points(search):
    asked = threading.Event()

    def refuses(x):
        if threading.current_thread() is not threading.main_thread():
            asked.set()
            return False
        return True

    made = search(identity, [X], constraint=refuses)
    made.start()
    assert asked.wait(DEADLINE)
    made.stop()
    assert made.status is SearchStatus.STOPPED


def test_the_code_of_a_search_names_its_constraint(search):
    made = search(lambda width, heads: width, WIDTH_AND_HEADS, constraint=divides)
    assert "constraint=divides," in made.as_code()
