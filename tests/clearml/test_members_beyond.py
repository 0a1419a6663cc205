"""Rows of the table of `test_members` for what the controller has beyond ClearML's reference."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest
from clearml import Task

from hpo_widgets import (
    DiscreteParameterRange,
    GridSearch,
    HyperParameterOptimizer,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from hpo_widgets.journal import find
from hpo_widgets.search import COMMANDS, SearchStatus
from hpo_widgets.trials import TrialState
from tests.clearml.hands import finished, print_lines

pytest_plugins = ["tests.clearml.hands"]


def test_wait_async_lets_other_coroutines_go_on(running, hands):
    made = running()

    async def main():
        waiting = asyncio.create_task(made.wait_async())
        assert await made.wait_async(timeout=0.0001) is False
        hands.gate.set()
        return await waiting

    assert asyncio.run(main()) is True


def test_pause_launches_nothing_more_and_lets_trials_finish(running, hands, until):
    made = running()
    made.pause()
    hands.gate.set()
    until(made, lambda: made.counts[TrialState.COMPLETED] == 2)
    assert (made.status, made.is_active(), made.is_running()) == (SearchStatus.PAUSED, True, True)
    assert made.wait(timeout=0.0005) is False
    assert len(made.snapshot()) == 2


def test_resume_launches_again(running, hands, until):
    made = running()
    made.pause()
    hands.gate.set()
    until(made, lambda: made.counts[TrialState.COMPLETED] == 2)
    made.resume()
    assert made.wait()
    assert made.counts[TrialState.COMPLETED] == 4


def test_set_range_bounds_every_trial_proposed_afterwards(running, hands):
    made = running()
    made.set_range("x", (0.4, 0.45))
    hands.gate.set()
    assert made.wait()
    assert all(0.4 <= made.trial(number).parameters["x"] <= 0.45 for number in (2, 3))
    assert [made.trial(number).epoch for number in range(4)] == [0, 0, 1, 1]


def test_set_ranges_is_one_epoch(optimizer):
    made = optimizer([UniformParameterRange("x", 0, 1), DiscreteParameterRange("kind", ["a", "b", "c"])])
    made.set_ranges({"x": (0.4, 0.45), "kind": ("b", "c")})
    finished(made)
    assert len(made.epochs) == 2
    for trial in made.top(3):
        assert 0.4 <= trial.parameters["x"] <= 0.45
        assert trial.parameters["kind"] in "bc"


def test_undo_goes_back_to_the_ranges_before(optimizer):
    made = optimizer()
    made.set_range("x", (0.4, 0.5))
    made.undo()
    assert made.space.ranges["x"] == (0, 1)


def test_redo_takes_back_the_undo(optimizer):
    made = optimizer()
    made.set_range("x", (0.4, 0.5))
    made.undo()
    made.redo()
    finished(made)
    assert all(0.4 <= trial.parameters["x"] <= 0.5 for trial in made.top(3))


def test_enqueue_trial_runs_a_point_by_hand_next(running, hands):
    made = running()
    made.enqueue_trial({"x": 0.125})
    hands.gate.set()
    assert made.wait()
    assert (made.trial(2).parameters, made.trial(2).manual) == ({"x": 0.125}, True)
    assert Task.get_task(task_id=made.trial(2).id).get_parameters()["General/x"] == "0.125"


def test_retry_runs_the_same_point_again_as_another_task(running, hands):
    made = running()
    made.retry(made.trial(1))
    hands.gate.set()
    assert made.wait()
    assert made.trial(2).parameters == made.trial(1).parameters
    assert made.trial(2).id != made.trial(1).id


def test_set_max_number_of_concurrent_tasks_while_running(running, hands, until):
    made = running()
    made.set_max_number_of_concurrent_tasks(3)
    until(made, lambda: made.counts[TrialState.RUNNING] == 3)
    made.set_max_number_of_concurrent_tasks(1)
    hands.gate.set()
    assert made.wait()
    assert made.max_number_of_concurrent_tasks == 1
    assert made.counts[TrialState.COMPLETED] == 4


def test_set_total_max_jobs_raises_the_budget_and_the_search_goes_on(optimizer):
    made = finished(optimizer())
    made.set_total_max_jobs(5)
    finished(made)
    assert made.counts[TrialState.COMPLETED] == 5


def test_set_compute_time_limit_ends_a_running_search(running):
    made = running()
    made.set_compute_time_limit(0.0001)
    assert made.wait()
    assert made.stop_reason.code == "compute_time_limit"


def test_to_dataframe_has_typed_values(optimizer):
    made = finished(
        optimizer([UniformIntegerParameterRange("units", 1, 9), DiscreteParameterRange("Args/free", ["a", None, 1])])
    )
    frame = made.to_dataframe()
    assert list(frame["state"]) == ["completed"] * 3
    for number in range(3):
        trial = made.trial(number)
        assert frame.loc[number, "units"] == trial.parameters["units"]
        assert frame.loc[number, "Args/free"] is trial.parameters["Args/free"]
        assert frame.loc[number, "validation/loss"] == trial.value


def test_to_optuna_is_a_study_of_the_search(optimizer):
    made = finished(optimizer())
    study = made.to_optuna()
    assert study.best_value == made.best_trial.value
    assert len(study.trials) == 3


def test_id_is_readable_unique_and_finds_its_file(optimizer):
    made, other = finished(optimizer()), optimizer()
    assert made.id != other.id
    assert made.id.startswith("train")
    assert find(made.id, made.journal_path.parent) == made.journal_path


def test_journal_path_is_there_once_the_search_was_started(optimizer):
    made = optimizer()
    assert not made.journal_path.exists()
    finished(made)
    assert made.journal_path.is_file()


def test_name_is_given_or_the_templates(optimizer):
    assert optimizer(name="mine").name == "mine"


def test_space_is_that_of_the_present_epoch(optimizer):
    made = optimizer()
    made.set_range("x", (0, 0.5))
    assert made.space.ranges == {"x": (0, 0.5)}


def test_objectives_are_those_of_the_constructor(optimizer):
    [objective] = optimizer().objectives
    assert (objective.key, objective.sign) == ("validation/loss", "min")


def test_engine_name_is_the_queue(optimizer, queue):
    assert optimizer().engine_name == f"ClearML, queue {queue}"


def test_strategy_name(optimizer):
    assert optimizer(optimizer_class=GridSearch).strategy_name == "GridSearch"


def test_status_is_stopping_until_the_server_agrees(optimizer, running, until):
    assert optimizer().status is SearchStatus.IDLE
    made = running()
    assert made.status is SearchStatus.RUNNING
    made.command("stop")
    until(made, lambda: made.status is SearchStatus.STOPPING)
    assert made.wait()
    assert made.status is SearchStatus.STOPPED


def test_stop_reason_is_a_code_and_a_sentence(optimizer):
    made = optimizer()
    assert made.stop_reason is None
    finished(made)
    assert made.stop_reason.code == "total_max_jobs"
    assert "3 trials" in made.stop_reason.sentence


def test_budget_has_limits_and_what_is_used(optimizer):
    made = finished(optimizer(optimization_time_limit=10, compute_time_limit=20, max_iteration_per_job=100))
    budget = made.budget
    assert (budget.jobs.limit, budget.jobs.used) == (3, 3)
    assert (budget.iterations.limit, budget.iterations.used) == (300, 6)
    trials = made.top(3)
    assert budget.compute_minutes.used * 60 == pytest.approx(sum(trial.duration for trial in trials), abs=1e-3)
    assert budget.wall_minutes.used == made.elapsed()


def test_next_poll_is_in_seconds_while_there_is_one(running, hands):
    made = running(pool_period_min=0.05)
    assert 0 <= made.next_poll <= 6
    hands.gate.set()
    made.stop()
    assert made.wait()
    assert made.next_poll is None


def test_elapsed_minutes_is_zero_before_the_start(optimizer):
    made = optimizer()
    assert made.elapsed_minutes == 0
    finished(made)
    assert made.elapsed_minutes == made.elapsed()


def test_epochs_begin_with_the_first_space(optimizer):
    made = finished(optimizer())
    made.set_range("x", (0.5, 1))
    assert [(mark.epoch, mark.first_number) for mark in made.epochs] == [(0, 0), (1, 3)]


def test_counts_of_trials_by_state(optimizer):
    made = finished(optimizer())
    assert made.counts == {**dict.fromkeys(TrialState, 0), TrialState.COMPLETED: 3}


def test_max_number_of_concurrent_tasks_is_ten_by_default_and_the_number_of_cores_on_this_machine(
    task_search, template
):
    made = task_search(base=template, max_number_of_concurrent_tasks=None, total_max_jobs=1)
    assert made.max_number_of_concurrent_tasks == 10
    assert made.start_locally()
    assert made.max_number_of_concurrent_tasks == len(os.sched_getaffinity(0))
    made.stop()
    assert made.wait()


def test_best_trial_prefers_completed_ones_and_marks_a_partial_best(running, hands):
    made = running(total_max_jobs=2)
    assert made.best_trial.is_partial
    hands.gate.set()
    assert made.wait()
    assert not made.best_trial.is_partial


def test_errors_are_in_words(optimizer):
    made = optimizer()
    assert list(made.errors) == []
    finished(made, lambda *arguments: 1 / 0)
    assert {notice.source for notice in made.errors} == {"callback"}


def test_total_max_jobs_is_never_exceeded(optimizer, hands):
    made = finished(optimizer(max_number_of_concurrent_tasks=4, total_max_jobs=3))
    assert made.total_max_jobs == 3
    assert len(made.snapshot()) == len(hands.taken) == 3


def test_capabilities_say_why_not(running, optimizer):
    made = optimizer()
    assert tuple(made.capabilities) == COMMANDS
    assert made.capabilities["start"] is None
    assert made.capabilities["stop"] == "the search is not running"
    made = running()
    assert made.capabilities["start"] == "the search is running"
    assert made.capabilities["stop"] is None


def test_snapshot_has_all_trials_as_columns(optimizer):
    made = finished(optimizer())
    snapshot = made.snapshot()
    assert list(snapshot.numbers) == [0, 1, 2]
    assert list(snapshot.values[:, 0]) == list(snapshot.parameters["x"])
    assert (snapshot.ended >= snapshot.started).all()


def test_changes_since_has_the_changed_rows_only(optimizer):
    made = finished(optimizer())
    version = made.snapshot().version
    assert len(made.changes_since(version)) == 0
    made.set_total_max_jobs(4)
    finished(made)
    assert list(made.changes_since(version).numbers) == [3]


def test_subscribe_tells_of_changes_until_it_is_ended(optimizer):
    made = optimizer()
    first, second = threading.Event(), threading.Event()
    made.subscribe(first.set)
    made.subscribe(second.set)()
    finished(made)
    assert first.is_set()
    assert not second.is_set()


def test_trial_by_its_number_has_the_id_of_its_task(optimizer, hands):
    made = finished(optimizer())
    assert sorted(made.trial(number).id for number in range(3)) == sorted(hands.taken)
    with pytest.raises(IndexError, match="no trial 3: the search has 3"):
        made.trial(3)


def test_top_are_trials_best_first(optimizer):
    made = finished(optimizer())
    assert [trial.value for trial in made.top(3)] == sorted(trial.value for trial in made.top(3))


def test_command_returns_at_once_and_tells_problems_as_notices(running, hands):
    made = running()
    made.command("undo")
    made.command("set_range", "x", (0.4, 0.45))
    hands.gate.set()
    assert made.wait()
    assert [notice.sentence for notice in made.errors] == ["undo did nothing: no range was changed"]
    assert made.space.ranges["x"] == (0.4, 0.45)


def test_as_code_names_the_task(optimizer, base_task):
    assert f"base_task_id={base_task!r}" in optimizer().as_code()


def test_log_so_far_is_the_console_that_the_server_keeps(running, hands):
    made = running()
    task = made.trial(0).id
    print_lines(hands.session, task, "epoch 1", "epoch 2")
    assert made.log_so_far(0).result(60) == "epoch 1\nepoch 2"
    hands.gate.set()
    assert made.wait()
    print_lines(hands.session, task, "done")
    assert made.log_so_far(0).result(60) == "epoch 1\nepoch 2\ndone"


def test_open_continues_by_the_id_of_the_optimizer_task(optimizer, project):
    own = Task.create(project_name=project, task_name="mine")
    made = finished(optimizer(auto_connect_task=own))
    again = HyperParameterOptimizer.open(own.id)
    again.set_total_max_jobs(4)
    finished(again)
    assert again.id == made.id
    assert again.counts[TrialState.COMPLETED] == 4


def test_close_files_lets_the_next_look_open_them_again(optimizer):
    made = finished(optimizer())
    before = made.trial(0)
    made.close_files()
    assert made.trial(0) == before
