"""The SDK's Optuna strategy as a search: what it does wrongly is held back, what it cannot do is said."""

from __future__ import annotations

import math
import time

import optuna
from clearml.automation import DiscreteParameterRange, ParameterSet, UniformIntegerParameterRange
from clearml.automation.optuna import OptimizerOptuna

from hpo_widgets.trials import TrialState
from tests.clearml.fake_server import Impatient
from tests.clearml.sdk_worker import OPTUNA, states
from tests.runs import wait_for

STARTED = "ClearML's Optuna strategy fixes {} when it starts"


def test_a_stop_while_its_jobs_wait_in_the_queue_ends_it(watched, sdk_worker, until):
    search = watched(**OPTUNA)
    search.command("start")
    until(search, lambda: states(search) == {"queued": 2})
    wait_for(lambda: sdk_worker.num_waiting() == 2, "the jobs were not put into the queue")
    search.command("stop")
    until(search, lambda: search.status == "stopped")
    assert states(search) == {"aborted": 2}
    assert sdk_worker.num_waiting() == 0


def test_a_stop_in_a_pause_ends_it(started, sdk_worker, until):
    search, task = started(1, **OPTUNA, max_number_of_concurrent_tasks=1)
    sdk_worker.complete(task, 1.0)
    search.command("pause")
    until(search, lambda: search.counts[TrialState.COMPLETED] == 1)
    search.command("stop")
    until(search, lambda: search.status == "stopped")
    assert sdk_worker.num_waiting() == 0


def test_it_takes_other_ranges_before_the_start_and_refuses_them_afterwards(watched, sdk_worker):
    search = watched(**OPTUNA, max_number_of_concurrent_tasks=1)
    search.command("set_ranges", {"General/x": (0.25, 0.5), "General/kind": ("fancy",)})
    search.command("start")
    point = sdk_worker.point(sdk_worker.take())
    assert 0.25 <= float(point["x"]) <= 0.5
    assert point["kind"] == "fancy"
    for name, what in [
        ("set_ranges", "its ranges"),
        ("undo", "its ranges"),
        ("set_max_number_of_concurrent_tasks", "the number of its workers"),
        ("set_total_max_jobs", "the number of its jobs"),
    ]:
        assert search.capabilities[name] == STARTED.format(what)
    search.command("set_ranges", {"General/x": (0.0, 0.1)})
    assert search.errors[-1].sentence == f"set_ranges did nothing: {STARTED.format('its ranges')}"
    assert search.space.ranges["General/x"] == (0.25, 0.5)


def test_an_enqueued_point_runs_next_though_it_was_tried(started, sdk_worker, until):
    search, first = started(1, **OPTUNA, max_number_of_concurrent_tasks=1)
    until(search, lambda: states(search).get("running"))
    search.command("retry", 0)
    sdk_worker.complete(first, 1.0)
    second = sdk_worker.take()
    assert sdk_worker.point(second) == sdk_worker.point(first)
    until(search, lambda: sum(search.counts.values()) == 2)
    assert search.trial(1).enqueued


def test_it_looks_at_its_jobs_with_pauses(watched, sdk_worker, monkeypatch):
    search = watched(**OPTUNA)
    looks = {}
    real = OptimizerOptuna.monitor_job

    def look(strategy, job):
        looks.setdefault(job.task_id(), []).append(time.monotonic())
        return real(strategy, job)

    monkeypatch.setattr(OptimizerOptuna, "monitor_job", look)
    search.command("start")
    task = sdk_worker.take()
    wait_for(lambda: len(looks.get(task, ())) >= 3, "its jobs were not looked at")
    # Left alone it looks without a pause until the first scalar.
    first, second, third = looks[task][:3]
    assert min(second - first, third - second) >= 1


def test_a_pruned_trial_is_pruned(started, sdk_worker, until):
    search, task = started(1, **OPTUNA, optuna_pruner=Impatient(), max_number_of_concurrent_tasks=1, total_max_jobs=2)
    sdk_worker.report(task, 0.5, 1)
    until(search, lambda: search.counts[TrialState.PRUNED] == 1)
    assert sdk_worker.status(task) == "stopped"
    assert "behind the others" in search.trial(0).error
    assert search.best_trial.is_partial


def test_a_look_walks_through_the_study_once_however_many_were_stopped(watched, sdk_worker, until, monkeypatch):
    search = watched(**OPTUNA, optuna_pruner=Impatient(), max_number_of_concurrent_tasks=1, total_max_jobs=2)
    search.command("start")
    for _ in range(2):
        sdk_worker.report(sdk_worker.take(), 0.5, 1)
    until(search, lambda: not search.status.is_alive)
    study = search.patches.study
    walks, get_trials = [], study.get_trials

    def get(**keywords):
        walks.append(keywords)
        return get_trials(**keywords)

    monkeypatch.setattr(study, "get_trials", get)
    search.trials._asked_all_at = -math.inf
    for trial in search.trials.all:
        trial.said = ""  # its Task may have changed
    search.look()
    assert len(walks) == 1
    assert states(search) == {"pruned": 2}


def test_a_trial_whose_point_comes_again_is_not_taken_for_pruned(started, sdk_worker, until):
    plain, once = [DiscreteParameterRange("General/kind", ["plain"])], OPTUNA | {"max_iteration_per_job": 1}
    search, task = started(1, plain, **once, max_number_of_concurrent_tasks=1, total_max_jobs=3)
    sdk_worker.report(task, 0.5, 1)  # it has all of its iterations, and the SDK stops it
    until(search, lambda: not search.status.is_alive)
    search.trials._asked_all_at = -math.inf
    search.look()
    assert states(search) == {"aborted": 1}
    assert "max_iteration_per_job" in search.trial(0).error


def test_points_that_it_skips_are_told_at_the_end(watched, sdk_worker, until):
    kinds = [DiscreteParameterRange("General/kind", ["plain", "fancy"])]
    search = watched(kinds, **OPTUNA, max_number_of_concurrent_tasks=1, total_max_jobs=12)
    search.command("start")
    for _ in range(2):
        sdk_worker.complete(sdk_worker.take(), 1.0)
    until(search, lambda: not search.status.is_alive)
    assert states(search) == {"completed": 2}
    assert search.stop_reason.code == "total_max_jobs"
    assert "done after 2 of 12 jobs: 10 of its points had been tried" in search.stop_reason.sentence


def test_a_study_to_continue_is_told_to_be_left_out(watched):
    search = watched(**OPTUNA, continue_previous_study=optuna.create_study())
    assert [notice.sentence for notice in search.errors] == [
        "ClearML's Optuna strategy ignores continue_previous_study: it starts from the beginning"
    ]


def test_a_parameter_set_is_refused_before_anything_runs(watched):
    parameters = [
        UniformIntegerParameterRange("General/units", 1, 8),
        ParameterSet([{"General/kind": "plain"}, {"General/kind": "fancy"}]),
    ]
    search = watched(parameters, **OPTUNA)
    assert search.capabilities["start"] == "ClearML's Optuna strategy takes no ParameterSet"
    search.command("start")
    assert search.status == "idle"


def test_several_objectives_are_ranked_by_fronts(started, sdk_worker, until):
    search, *tasks = started(
        4,
        **OPTUNA,
        objective_metric_title=["validation", "validation"],
        objective_metric_series=["loss", "seconds"],
        objective_metric_sign=["min", "min"],
        max_number_of_concurrent_tasks=4,
        total_max_jobs=4,
    )
    for task, (loss, seconds) in zip(tasks, [(4.0, 4.0), (1.0, 3.0), (3.0, 1.0), (2.0, 2.0)], strict=True):
        sdk_worker.report(task, loss)
        sdk_worker.report(task, seconds, series="seconds")
        sdk_worker.complete(task)
    until(search, lambda: search.counts[TrialState.COMPLETED] == 4)
    ranked = [trial.id for trial in search.top(4)]
    assert ranked[-1] == tasks[0]  # all others dominate it
    assert set(ranked[:3]) == set(tasks[1:])
    assert search.trial(0).objectives == search.objectives
