"""One row for each member of `HyperParameterOptimizer`, on a callable and on a script.

The row of a member ``name`` is a test whose name begins with ``test_name``; the row of a constructor's argument
begins with ``test_argument_name``. `test_every_member_has_a_row` fails for a member without one.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import inspect
import json
import os
import textwrap
import threading

import pytest

from hpo_widgets import (
    DiscreteParameterRange,
    GridSearch,
    HyperParameterOptimizer,
    OptimizerOptuna,
    RandomSearch,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from hpo_widgets.journal import Journal, JournalNotFound, find
from hpo_widgets.objectives import SIGNS
from hpo_widgets.search import COMMANDS, SearchStatus
from hpo_widgets.trials import Trial, TrialState

DEADLINE = 60.0

REFERENCE_MEMBERS = (
    "elapsed",
    "get_active_experiments",
    "get_num_active_experiments",
    "get_optimizer",
    "get_optimizer_top_experiments",
    "get_time_limit",
    "get_top_experiments",
    "get_top_experiments_details",
    "is_active",
    "is_running",
    "reached_time_limit",
    "set_default_job_class",
    "set_report_period",
    "set_time_limit",
    "start",
    "start_locally",
    "stop",
    "wait",
)
"""The methods of the reference page of ClearML's controller."""

REFERENCE_ARGUMENTS = (
    "base_task_id",
    "hyper_parameters",
    "objective_metric_title",
    "objective_metric_series",
    "objective_metric_sign",
    "optimizer_class",
    "max_number_of_concurrent_tasks",
    "execution_queue",
    "optimization_time_limit",
    "compute_time_limit",
    "auto_connect_task",
    "always_create_task",
    "spawn_project",
    "save_top_k_tasks_only",
    "optimizer_kwargs",
)
"""The arguments of its constructor on that page."""


def make_function(gate):
    path = str(gate.path)

    def train(x, network="a"):
        import os
        import time

        from hpo_widgets import report_scalar

        for iteration, step in enumerate((1.0, -1.0, 0.0)):
            report_scalar("validation", "loss", x + step, iteration)
            report_scalar("accuracy per class", "cat", -x, iteration)
        while not os.path.exists(path):
            time.sleep(0.002)

    return train


def make_script(gate, folder):
    path = folder / "train_script.py"
    path.write_text(
        textwrap.dedent(f"""
            import argparse, os, time
            from hpo_widgets import report_scalar

            parser = argparse.ArgumentParser()
            parser.add_argument("--x", type=float, required=True)
            parser.add_argument("--network", default="a")
            arguments = parser.parse_args()
            for iteration, step in enumerate((1.0, -1.0, 0.0)):
                report_scalar("validation", "loss", arguments.x + step, iteration)
                report_scalar("accuracy per class", "cat", -arguments.x, iteration)
            while not os.path.exists({str(gate.path)!r}):
                time.sleep(0.002)
        """)
    )
    return path


@pytest.fixture(params=["callable", "script"])
def template(request, gate, tmp_path):
    """A template experiment that reports x+1, x-1, x as ``validation/loss`` and then waits before the gate."""
    return make_function(gate) if request.param == "callable" else make_script(gate, tmp_path)


@pytest.fixture
def optimizer(search, template):
    """``optimizer(...)`` gives a search over x in [0, 1] that minimises the last ``validation/loss``."""

    def make(hyper_parameters=None, **keywords):
        defaults = {
            "objective_metric_title": "validation",
            "objective_metric_series": "loss",
            "objective_metric_sign": "min",
            "total_max_jobs": 3,
            "seed": 1,
        }
        return search(template, hyper_parameters, **{**defaults, **keywords})

    return make


def finished(made):
    assert made.start() is True
    assert made.wait() is True
    return made


@pytest.fixture
def running(optimizer, gate, until):
    """``running(...)`` gives a search whose two running trials have reported and wait before the gate."""

    def make(**keywords):
        gate.shut()
        made = optimizer(**{"total_max_jobs": 4, **keywords})
        assert made.start()
        until(made, lambda: len(made.top(4)) == 2)
        return made

    return make


# The table is whole ----------------------------------------------------------------------------------------------


def rows():
    return [name.removeprefix("test_") for name in globals() if name.startswith("test_")]


def has_row(name):
    return any(row == name or row.startswith(f"{name}_") for row in rows())


def test_every_member_has_a_row():
    own = {name for name in dir(HyperParameterOptimizer) if not name.startswith("_")}
    assert set(REFERENCE_MEMBERS) <= own
    assert [name for name in sorted(own) if not has_row(name)] == []


def test_every_argument_has_a_row_and_the_order_of_the_reference():
    given = tuple(inspect.signature(HyperParameterOptimizer).parameters)
    assert given == REFERENCE_ARGUMENTS
    assert [name for name in given if not has_row(f"argument_{name}")] == []


# The constructor -------------------------------------------------------------------------------------------------


def test_argument_base_task_id_is_what_runs(optimizer, template):
    made = finished(optimizer())
    assert made.counts[TrialState.COMPLETED] == 3
    assert made.name == ("train" if callable(template) else "train_script")


def test_argument_hyper_parameters_are_of_ours_and_of_clearmls(optimizer):
    automation = pytest.importorskip("clearml.automation")
    made = finished(
        optimizer(
            [
                automation.UniformParameterRange("General/x", min_value=0.2, max_value=0.4, step_size=0.1),
                DiscreteParameterRange("network", values=["a", "b"]),
            ],
            optimizer_class=automation.GridSearch,
            total_max_jobs=None,
        )
    )
    assert made.stop_reason.code == "space_exhausted"
    assert {(round(t.parameters["General/x"], 6), t.parameters["network"]) for t in made.top(10)} == {
        (x, network) for x in (0.2, 0.3, 0.4) for network in "ab"
    }


def test_argument_objective_metric_title_and_the_others_may_be_sequences(optimizer):
    made = finished(
        optimizer(
            objective_metric_title=["validation", "accuracy per class"],
            objective_metric_series=["loss", "cat"],
            objective_metric_sign=["min_global", "max"],
        )
    )
    for trial in made.top(3):
        x = trial.parameters["x"]
        assert trial.values == pytest.approx((x - 1, -x))
        assert trial.iterations == (1, 2)


def test_argument_objective_metric_series_names_the_scalar(optimizer):
    made = finished(optimizer(objective_metric_title="accuracy per class", objective_metric_series="cat"))
    assert [t.value for t in made.top(3)] == sorted(-t.parameters["x"] for t in made.top(3))


@pytest.mark.parametrize("sign", SIGNS)
def test_argument_objective_metric_sign(optimizer, sign):
    made = finished(optimizer(objective_metric_sign=sign))
    step, iteration = {"min": (0, 2), "max": (0, 2), "min_global": (-1, 1), "max_global": (1, 0)}[sign]
    top = made.get_top_experiments(3)
    assert [t.value for t in top] == pytest.approx([t.parameters["x"] + step for t in top])
    assert all(t.iterations == (iteration,) for t in top)
    values = [t.value for t in top]
    assert values == sorted(values, reverse=sign.startswith("max"))


@pytest.mark.parametrize("strategy", [RandomSearch, GridSearch, OptimizerOptuna])
def test_argument_optimizer_class(optimizer, strategy):
    made = finished(optimizer(optimizer_class=strategy))
    assert isinstance(made.get_optimizer(), strategy)
    assert made.counts[TrialState.COMPLETED] == 3


def test_argument_max_number_of_concurrent_tasks(running, gate):
    made = running()
    assert made.max_number_of_concurrent_tasks == 2
    assert made.get_num_active_experiments() == 2
    gate.open()
    assert made.wait()


def test_argument_execution_queue_is_accepted_and_kept(optimizer):
    made = finished(optimizer(execution_queue="workers", pool_period_min=0.2))
    assert header_of(made)["arguments"]["execution_queue"] == "workers"


def test_argument_optimization_time_limit_counts_from_the_start(running):
    made = running(optimization_time_limit=0.002, total_max_jobs=None)
    assert made.wait() is True
    assert made.stop_reason.code == "optimization_time_limit"
    assert made.reached_time_limit()
    assert made.counts[TrialState.ABORTED] == 2


def test_argument_compute_time_limit_aborts_every_job(running):
    made = running(compute_time_limit=0.005, total_max_jobs=None)
    assert made.wait() is True
    assert made.stop_reason.code == "compute_time_limit"
    assert made.counts[TrialState.ABORTED] == 2
    assert made.start() is False


@pytest.mark.parametrize("value", [True, False, object()])
def test_argument_auto_connect_task_is_accepted(optimizer, value):
    assert finished(optimizer(auto_connect_task=value)).stop_reason.code == "total_max_jobs"


def test_argument_always_create_task_is_kept_with_the_space_and_the_other_arguments(optimizer):
    made = finished(optimizer(always_create_task=True))
    header = header_of(made)
    assert header["arguments"]["always_create_task"] is True
    assert header["arguments"]["total_max_jobs"] == 3
    assert header["space"] == json.loads(json.dumps(made.space.to_dict()))


def test_argument_spawn_project_is_the_journals_group(optimizer):
    assert header_of(finished(optimizer(spawn_project="lecture")))["group"] == "lecture"


def test_argument_save_top_k_tasks_only_archives_the_rest(optimizer):
    made = finished(optimizer(save_top_k_tasks_only=1))
    archived = {number for number in range(3) if made.trial(number).archived}
    assert archived == {0, 1, 2} - {made.best_trial.number}


def test_argument_save_top_k_tasks_only_keeps_all_by_minus_one(optimizer):
    made = finished(optimizer(save_top_k_tasks_only=-1))
    assert not made.snapshot().archived.any()


def test_argument_optimizer_kwargs_reach_the_controller_and_the_strategy(optimizer):
    made = optimizer(total_max_jobs=2, seed=7, time_limit_per_job=120, min_iteration_per_job=1, name="mine")
    assert (made.total_max_jobs, made.get_optimizer().seed, made.name) == (2, 7, "mine")
    with pytest.raises(TypeError, match="total_max_job.*Did you mean 'total_max_jobs'"):
        optimizer(total_max_job=2)


def header_of(made):
    with Journal.view(made.journal_path) as reader:
        return reader.header


# The reference's members -----------------------------------------------------------------------------------------


def test_elapsed_is_negative_before_the_start_and_frozen_after_the_end(optimizer):
    made = optimizer()
    assert made.elapsed() < 0
    finished(made)
    assert 0 < made.elapsed() == made.elapsed() < 5


def test_get_active_experiments_are_those_that_run(running, gate):
    made = running()
    active = made.get_active_experiments()
    assert [t.status for t in active] == ["running", "running"]
    assert [t.number for t in active] == [0, 1]
    gate.open()
    assert made.wait()
    assert made.get_active_experiments() == []


def test_get_num_active_experiments(running, gate, optimizer):
    assert optimizer().get_num_active_experiments() == 0
    made = running()
    assert made.get_num_active_experiments() == 2
    made.stop()
    assert made.get_num_active_experiments() == 0


def test_get_optimizer_is_the_strategy(optimizer):
    assert type(optimizer(optimizer_class=GridSearch).get_optimizer()) is GridSearch


@pytest.mark.parametrize("sign", SIGNS)
def test_get_optimizer_top_experiments_ranks_by_any_scalar_and_sign(optimizer, sign):
    made = finished(optimizer())
    for source in (made.id, str(made.journal_path)):
        top = HyperParameterOptimizer.get_optimizer_top_experiments("accuracy per class", "cat", sign, source, 2)
        by_x = sorted(made.top(3), key=lambda t: t.parameters["x"], reverse=sign.startswith("min"))
        assert [t.number for t in top] == [t.number for t in by_x[:2]]
        assert all(isinstance(t, Trial) for t in top)


def test_get_optimizer_top_experiments_says_when_there_is_no_such_search(optimizer):
    with pytest.raises(JournalNotFound):
        HyperParameterOptimizer.get_optimizer_top_experiments("validation", "loss", "min", "nothing", 2)


def test_get_time_limit_is_none_without_a_limit_and_naive_local_time_with_one(optimizer):
    made = optimizer()
    assert made.get_time_limit() is None
    before = dt.datetime.now()
    made.set_time_limit(in_minutes=10.0)
    ten = dt.timedelta(minutes=10)
    assert before + ten <= made.get_time_limit() <= dt.datetime.now() + ten


def test_get_top_experiments_are_best_first_with_the_accessors_of_a_task(optimizer):
    made = finished(optimizer())
    top = made.get_top_experiments(top_k=2)
    assert [t.value for t in top] == sorted(t.value for t in made.get_top_experiments(3))[:2]
    best = top[0]
    x = best.parameters["x"]
    assert best.id == f"{made.id}/{best.number}"
    assert (best.name, best.status) == (f"#{best.number}", "completed")
    assert best.get_parameters() == {"General/x": str(x)}
    assert best.get_last_scalar_metrics()["validation"]["loss"] == {"last": x, "min": x - 1, "max": x + 1}
    assert best.get_reported_scalars()["validation"]["loss"] == {
        "name": "loss",
        "x": [0, 1, 2],
        "y": pytest.approx([x + 1, x - 1, x]),
    }


def test_get_top_experiments_ranks_running_trials_too(running):
    made = running()
    assert [t.status for t in made.get_top_experiments(3)] == ["running", "running"]


def test_get_top_experiments_details_have_the_exact_shape(optimizer):
    made = finished(optimizer([UniformParameterRange("x", 0, 1), UniformParameterRange("Args/network", 0, 1)]))
    best = made.best_trial
    x, network = best.parameters["x"], best.parameters["Args/network"]
    loss = {
        "validation/loss": {
            "metric": "validation",
            "variant": "loss",
            "value": x,
            "min_value": x - 1,
            "max_value": x + 1,
        }
    }
    expected = {
        "task_id": best.id,
        "hyper_parameters": {"General/x": str(x), "Args/network": str(network)},
        "metrics": loss,
    }
    assert made.get_top_experiments_details(1) == [expected]
    assert list(made.get_top_experiments_details(1)[0]) == ["task_id", "hyper_parameters", "metrics"]

    cat = {"metric": "accuracy per class", "variant": "cat", "value": -x, "min_value": -x, "max_value": -x}
    assert made.get_top_experiments_details(1, all_metrics=True) == [
        {**expected, "metrics": {**loss, "accuracy per class/cat": cat}}
    ]
    everything = made.get_top_experiments_details(1, all_hyper_parameters=True)[0]["hyper_parameters"]
    assert everything.items() > expected["hyper_parameters"].items()
    assert all(isinstance(value, str) for value in everything.values())
    assert len(made.get_top_experiments_details(2)) == 2


def test_get_top_experiments_details_leave_out_what_did_not_complete_if_asked(running):
    made = running()
    made.stop()
    assert len(made.get_top_experiments_details(5)) == 2
    assert made.get_top_experiments_details(5, only_completed=True) == []


def test_is_active_before_and_during_but_not_after(running, optimizer, gate):
    assert optimizer().is_active() is True
    made = running()
    assert made.is_active() is True
    made.stop()
    assert made.is_active() is False


def test_is_running_only_during(running, optimizer):
    assert optimizer().is_running() is False
    made = running()
    assert made.is_running() is True
    made.stop()
    assert made.is_running() is False


def test_reached_time_limit_is_false_without_one_and_stays_true_past_it(optimizer):
    made = finished(optimizer())
    assert made.reached_time_limit() is False
    limited = optimizer(optimization_time_limit=0.0005, total_max_jobs=None)
    assert limited.reached_time_limit() is False
    finished(limited)
    assert limited.reached_time_limit() is True


def test_set_default_job_class_is_used_from_the_next_start(optimizer, template):
    from hpo_widgets.jobs.functions import FunctionPool
    from hpo_widgets.jobs.scripts import ScriptEngine

    launched = []

    class Counting(FunctionPool if callable(template) else ScriptEngine):
        def launch(self, number, point):
            launched.append(number)
            return super().launch(number, point)

    made = optimizer()
    made.set_default_job_class(Counting)
    finished(made)
    assert launched == [0, 1, 2]
    with pytest.raises(TypeError, match=r"job_class must be a class with the methods of .*JobEngine"):
        made.set_default_job_class(object)


def test_set_report_period_reports_progress_to_the_journal(running, until):
    made = running()
    made.set_report_period(0.0001)
    with Journal.view(made.journal_path) as reader:
        sequence = reader.sequence
        while not [event for event in reader.events() if event["kind"] == "report"]:
            sequence = reader.wait_for_change(sequence, DEADLINE)
        report = next(event for event in reader.events() if event["kind"] == "report")
    assert report["budget"]["jobs"]["limit"] == 4
    assert sorted(report["top"]) == [0, 1]
    with pytest.raises(ValueError, match="above 0"):
        made.set_report_period(0)


def test_set_time_limit_by_minutes_or_by_a_moment_naive_or_aware(optimizer):
    made = optimizer()
    moment = dt.datetime.now() + dt.timedelta(hours=1)
    made.set_time_limit(specific_time=moment)
    assert made.get_time_limit() == moment
    made.set_time_limit(specific_time=moment.astimezone(dt.timezone(dt.timedelta(hours=5))))
    assert made.get_time_limit() == moment
    made.set_time_limit(in_minutes=1, specific_time=moment)
    assert made.get_time_limit() == moment
    made.set_time_limit()
    assert made.get_time_limit() is None


def test_set_time_limit_ends_a_running_search(running):
    made = running()
    made.set_time_limit(in_minutes=0.0001)
    assert made.wait() is True
    assert made.stop_reason.code == "optimization_time_limit"
    assert made.reached_time_limit() is True


def test_start_returns_at_once_and_again_while_it_runs(running, gate):
    made = running()
    assert made.start() is True
    assert made.counts[TrialState.RUNNING] == 2
    gate.open()
    assert made.wait()
    assert made.start() is False
    assert made.stop_reason.code == "total_max_jobs"


def test_start_calls_back_for_each_job(optimizer):
    calls = []
    made = optimizer()
    assert made.start(lambda *arguments: calls.append(arguments))
    assert made.wait()
    assert sorted(call[0] for call in calls) == [f"{made.id}/{number}" for number in range(3)]
    for job_id, value, iteration, parameters, best_id in calls:
        assert (type(job_id), type(value), type(iteration), type(parameters)) == (str, float, int, dict)
        assert value == parameters["x"]
        assert iteration == 2
        assert best_id.startswith(made.id)
    assert calls[-1][4] == made.best_trial.id


def test_start_locally_is_start(optimizer):
    calls = []
    made = optimizer()
    assert made.start_locally(job_complete_callback=lambda *arguments: calls.append(arguments)) is True
    assert made.wait()
    assert len(calls) == 3


def test_stop_aborts_what_runs_and_may_be_repeated(running):
    made = running()
    made.stop()
    assert made.status is SearchStatus.STOPPED
    assert made.stop_reason.code == "stopped"
    assert made.counts[TrialState.ABORTED] == 2
    made.stop(timeout=1.0, wait_for_reporter=False)
    assert made.counts[TrialState.ABORTED] == 2


def test_stop_lets_the_same_search_be_continued(running, gate):
    made = running()
    made.stop()
    gate.open()
    finished(made)
    assert made.stop_reason.code == "total_max_jobs"
    assert (made.counts[TrialState.ABORTED], made.counts[TrialState.COMPLETED]) == (2, 2)


def test_wait_is_false_when_it_timed_out_and_true_at_the_end(running, gate):
    made = running()
    assert made.wait(timeout=0.0005) is False
    assert made.is_running()
    gate.open()
    assert made.wait(timeout=1.0) is True


# Beyond the reference --------------------------------------------------------------------------------------------


def test_wait_async_lets_other_coroutines_go_on(running, gate):
    made = running()

    async def main():
        waiting = asyncio.create_task(made.wait_async())
        assert await made.wait_async(timeout=0.0001) is False
        gate.open()
        return await waiting

    assert asyncio.run(main()) is True


def test_pause_launches_nothing_more_and_lets_trials_finish(running, gate, until):
    made = running()
    made.pause()
    gate.open()
    until(made, lambda: made.counts[TrialState.COMPLETED] == 2)
    assert (made.status, made.is_active(), made.is_running()) == (SearchStatus.PAUSED, True, True)
    assert made.wait(timeout=0.0005) is False
    assert len(made.snapshot()) == 2


def test_resume_launches_again(running, gate, until):
    made = running()
    made.pause()
    gate.open()
    until(made, lambda: made.counts[TrialState.COMPLETED] == 2)
    made.resume()
    assert made.wait()
    assert made.counts[TrialState.COMPLETED] == 4


def test_set_range_bounds_every_trial_proposed_afterwards(running, gate):
    made = running()
    made.set_range("x", (0.4, 0.45))
    gate.open()
    assert made.wait()
    assert all(0.4 <= made.trial(number).parameters["x"] <= 0.45 for number in (2, 3))
    assert [made.trial(number).epoch for number in range(4)] == [0, 0, 1, 1]


def test_set_ranges_is_one_epoch(optimizer):
    made = optimizer([UniformParameterRange("x", 0, 1), DiscreteParameterRange("network", ["a", "b", "c"])])
    made.set_ranges({"x": (0.4, 0.45), "network": ("b", "c")})
    finished(made)
    assert len(made.epochs) == 2
    for trial in made.top(3):
        assert 0.4 <= trial.parameters["x"] <= 0.45
        assert trial.parameters["network"] in "bc"


def test_undo_goes_back_to_the_ranges_before(optimizer):
    made = optimizer()
    made.set_range("x", (0.4, 0.5))
    made.undo()
    assert made.space.ranges["x"] == (0, 1)
    finished(made)
    assert {made.trial(number).epoch for number in range(3)} == {2}


def test_redo_takes_back_the_undo(optimizer):
    made = optimizer()
    made.set_range("x", (0.4, 0.5))
    made.undo()
    made.redo()
    assert made.space.ranges["x"] == (0.4, 0.5)
    finished(made)
    assert all(0.4 <= trial.parameters["x"] <= 0.5 for trial in made.top(3))


def test_enqueue_trial_runs_a_point_by_hand_next(running, gate):
    made = running()
    made.enqueue_trial({"x": 0.125})
    gate.open()
    assert made.wait()
    assert (made.trial(2).parameters, made.trial(2).manual) == ({"x": 0.125}, True)
    assert not made.trial(3).manual
    assert made.budget.jobs.used == 4


def test_retry_runs_the_same_point_again(running, gate):
    made = running()
    made.retry(made.trial(1))
    gate.open()
    assert made.wait()
    assert made.trial(2).parameters == made.trial(1).parameters


def test_set_max_number_of_concurrent_tasks_while_running(running, gate, until):
    made = running()
    made.set_max_number_of_concurrent_tasks(3)
    until(made, lambda: made.counts[TrialState.RUNNING] == 3)
    made.set_max_number_of_concurrent_tasks(1)
    gate.open()
    assert made.wait()
    assert made.max_number_of_concurrent_tasks == 1
    assert made.counts[TrialState.COMPLETED] == 4


def test_set_total_max_jobs_raises_the_budget_and_the_search_goes_on(optimizer):
    made = finished(optimizer())
    made.set_total_max_jobs(5)
    assert made.total_max_jobs == 5
    finished(made)
    assert made.counts[TrialState.COMPLETED] == 5


def test_set_compute_time_limit_ends_a_running_search(running):
    made = running()
    made.set_compute_time_limit(0.0001)
    assert made.wait()
    assert made.stop_reason.code == "compute_time_limit"


def test_to_dataframe_has_typed_values(optimizer):
    made = finished(
        optimizer([UniformIntegerParameterRange("x", 1, 9), DiscreteParameterRange("network", ["a", None, 1])])
    )
    frame = made.to_dataframe()
    assert list(frame.index) == [0, 1, 2]
    assert list(frame["state"]) == ["completed"] * 3
    for number in range(3):
        trial = made.trial(number)
        assert frame.loc[number, "x"] == trial.parameters["x"]
        assert frame.loc[number, "network"] is trial.parameters["network"]
        assert frame.loc[number, "validation/loss"] == trial.value
    assert str(frame["x"].dtype) == "Int64"


def test_to_optuna_is_a_study_of_the_search(optimizer):
    made = finished(optimizer())
    study = made.to_optuna()
    assert study.best_value == made.best_trial.value
    assert study.best_params == made.best_trial.parameters
    assert len(study.trials) == 3


def test_open_continues_with_the_template_and_shows_without(optimizer, template):
    made = finished(optimizer())
    viewer = HyperParameterOptimizer.open(made.journal_path)
    assert viewer.counts == made.counts
    assert all(reason for reason in viewer.capabilities.values())
    viewer.close()
    again = HyperParameterOptimizer.open(made.journal_path.parent, made.id, base_task_id=template)
    again.set_total_max_jobs(5)
    finished(again)
    assert again.id == made.id
    assert again.counts[TrialState.COMPLETED] == 5


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


def test_engine_name_and_strategy(optimizer):
    assert optimizer().engine_name == "this machine"


def test_strategy_name(optimizer):
    assert optimizer(optimizer_class=GridSearch).strategy_name == "GridSearch"


def test_status_follows_the_search(optimizer, running):
    assert optimizer().status is SearchStatus.IDLE
    made = running()
    assert made.status is SearchStatus.RUNNING
    made.stop()
    assert made.status is SearchStatus.STOPPED


def test_stop_reason_is_a_code_and_a_sentence(optimizer):
    made = optimizer()
    assert made.stop_reason is None
    finished(made)
    assert made.stop_reason.code == "total_max_jobs"
    assert "3 trials" in made.stop_reason.sentence


def test_budget_has_limits_and_what_is_used(optimizer):
    made = optimizer(optimization_time_limit=10, compute_time_limit=20, max_iteration_per_job=100)
    budget = made.budget
    assert (budget.jobs.limit, budget.jobs.used) == (3, 0)
    finished(made)
    budget = made.budget
    assert (budget.jobs.limit, budget.jobs.used) == (3, 3)
    assert (budget.iterations.limit, budget.iterations.used) == (300, 6)
    assert budget.compute_minutes.limit == 20
    assert 0 < budget.compute_minutes.used < 20
    assert budget.wall_minutes.limit == 10
    assert budget.wall_minutes.used == made.elapsed()


def test_elapsed_minutes_is_zero_before_the_start(optimizer):
    made = optimizer()
    assert made.elapsed_minutes == 0
    finished(made)
    assert made.elapsed_minutes == made.elapsed()


def test_next_poll_is_none_where_no_server_runs_the_trials(running):
    assert running().next_poll is None


def test_log_so_far_is_empty_before_a_trial_has_printed(running):
    assert running().log_so_far(0).result(DEADLINE) == ""


def test_close_files_lets_the_next_look_open_them_again(optimizer):
    made = finished(optimizer())
    before = made.trial(0)
    made.close_files()
    assert made.trial(0) == before


def test_as_code_names_the_template_and_the_present_ranges(optimizer, template):
    made = optimizer()
    made.set_range("x", (0.25, 0.5))
    scope = {"template_experiment": template}  # how code names a function that lives in another one
    exec(compile(made.as_code(), "<copied>", "exec"), scope)
    copied = scope["optimizer"]
    assert copied.space.ranges == {"x": (0.25, 0.5)}
    assert copied.objectives == made.objectives
    assert copied.total_max_jobs == 3


def test_epochs_begin_with_the_first_space(optimizer):
    made = finished(optimizer())
    made.set_range("x", (0.5, 1))
    assert [(mark.epoch, mark.first_number, dict(mark.ranges)) for mark in made.epochs] == [
        (0, 0, {"x": (0, 1)}),
        (1, 3, {"x": (0.5, 1)}),
    ]
    assert made.epochs[1].changed == {"x": (0.5, 1)}


def test_counts_of_trials_by_state(optimizer):
    made = optimizer()
    assert made.counts == dict.fromkeys(TrialState, 0)
    finished(made)
    assert made.counts == {**dict.fromkeys(TrialState, 0), TrialState.COMPLETED: 3}


def test_max_number_of_concurrent_tasks_is_the_number_of_cores_by_default(optimizer):
    made = optimizer(max_number_of_concurrent_tasks=None)
    assert made.max_number_of_concurrent_tasks == len(os.sched_getaffinity(0))


def test_best_trial_prefers_completed_ones_and_marks_a_partial_best(running, gate, until):
    made = running(total_max_jobs=2)
    assert made.best_trial.is_partial
    gate.open()
    assert made.wait()
    assert not made.best_trial.is_partial
    assert made.best_trial == made.top(1)[0]


def test_errors_are_in_words(optimizer):
    made = optimizer()
    assert list(made.errors) == []
    made.start(lambda *arguments: 1 / 0)
    assert made.wait()
    assert {notice.source for notice in made.errors} == {"callback"}
    assert "ZeroDivisionError" in made.errors[0].sentence


def test_total_max_jobs_is_never_exceeded(optimizer):
    made = finished(optimizer(max_number_of_concurrent_tasks=4, total_max_jobs=3))
    assert made.total_max_jobs == 3
    assert len(made.snapshot()) == 3


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
    assert list(snapshot.iteration[:, 0]) == [2, 2, 2]
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
    unsubscribe = made.subscribe(second.set)
    unsubscribe()
    finished(made)
    assert first.is_set()
    assert not second.is_set()


def test_trial_by_its_number(optimizer):
    made = finished(optimizer())
    assert made.trial(1).number == 1
    for number in (3, -1):
        with pytest.raises(IndexError, match=f"no trial {number}: the search has 3"):
            made.trial(number)


def test_top_is_best_first(optimizer):
    made = finished(optimizer())
    assert made.top(2) == made.get_top_experiments(2)


def test_command_returns_at_once_and_tells_problems_as_notices(running, gate):
    made = running()
    made.command("undo")
    made.command("set_range", "x", (5, 4))
    made.command("set_range", "x", (0.4, 0.45))
    made.command("set_total_max_jobs", 2)
    gate.open()
    assert made.wait()
    sentences = [notice.sentence for notice in made.errors]
    assert len(sentences) == 2
    assert sentences[0] == "undo did nothing: no range was changed"
    assert "must rise from low to high" in sentences[1]
    assert made.space.ranges["x"] == (0.4, 0.45)
    assert made.total_max_jobs == 2
    with pytest.raises(ValueError, match="'stopp' is no command.*'stop'"):
        made.command("stopp")
