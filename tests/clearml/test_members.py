"""One row for each member of `HyperParameterOptimizer` where trials are ClearML Tasks; as `test_optimizer_members`.

The row of a member ``name`` is a test whose name begins with ``test_name``; the row of a constructor's argument
begins with ``test_argument_name``. What Tasks are is asked of the SDK. Members beyond the reference have their rows in
`test_members_beyond`.
"""

from __future__ import annotations

import datetime as dt
import inspect

import pytest
from clearml import Task
from clearml.automation import ClearmlJob

from hpo_widgets import (
    DiscreteParameterRange,
    GridSearch,
    HyperParameterOptimizer,
    OptimizerOptuna,
    RandomSearch,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from hpo_widgets.journal import Journal
from hpo_widgets.objectives import SIGNS
from hpo_widgets.search import SearchStatus
from hpo_widgets.trials import TrialState
from tests.clearml import test_members_beyond
from tests.clearml.hands import close_current_task, finished
from tests.test_optimizer_members import REFERENCE_ARGUMENTS, REFERENCE_MEMBERS

pytest_plugins = ["tests.clearml.hands"]


def ids(trials):
    return [trial.id for trial in trials]


def header_of(made):
    with Journal.view(made.journal_path) as reader:
        return reader.header


# The table is whole ----------------------------------------------------------------------------------------------


def rows():
    return [
        name.removeprefix("test_") for name in {**globals(), **vars(test_members_beyond)} if name.startswith("test_")
    ]


def has_row(name):
    return any(row == name or row.startswith(f"{name}_") for row in rows())


def test_every_member_has_a_row():
    own = {name for name in dir(HyperParameterOptimizer) if not name.startswith("_")}
    assert set(REFERENCE_MEMBERS) <= own
    assert [name for name in sorted(own) if not has_row(name)] == []


def test_every_argument_has_a_row():
    given = tuple(inspect.signature(HyperParameterOptimizer).parameters)
    assert given == REFERENCE_ARGUMENTS
    assert [name for name in given if not has_row(f"argument_{name}")] == []


# The constructor -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [str, lambda base_task: Task.get_task(task_id=base_task)], ids=["id", "Task"])
def test_argument_base_task_id_is_cloned(optimizer, base_task, form):
    made = finished(optimizer(base=form(base_task)))
    assert made.counts[TrialState.COMPLETED] == 3
    assert made.name == "train"
    for trial in made.top(3):
        task = Task.get_task(task_id=trial.id)
        assert task.parent == base_task
        assert task.name == f"train: x={trial.parameters['x']}"
        assert task.comment == f"x={trial.parameters['x']}"
        assert sorted(task.get_tags()) == ["opt", "optimization"]
        assert task.project == Task.get_task(task_id=base_task).project


def test_argument_hyper_parameters_reach_the_tasks_with_their_types(optimizer):
    made = finished(
        optimizer(
            [
                UniformParameterRange("General/x", 0.2, 0.4, step_size=0.2),
                DiscreteParameterRange("shuffle", values=[True, False]),
                DiscreteParameterRange("Args/free", values=[None, [1, 2]]),
            ],
            optimizer_class=GridSearch,
            total_max_jobs=None,
            max_number_of_concurrent_tasks=8,
        )
    )
    assert made.stop_reason.code == "space_exhausted"
    trials = made.top(20)
    assert len(trials) == 8
    for trial in trials:
        cast = Task.get_task(task_id=trial.id).get_parameters(cast=True)
        assert cast["General/x"] == trial.parameters["General/x"]
        assert cast["General/shuffle"] is trial.parameters["shuffle"]
        assert cast["Args/free"] == trial.parameters["Args/free"]
        assert cast["General/units"] == 4


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
    top = made.top(3)
    assert [t.value for t in top] == pytest.approx([t.parameters["x"] + step for t in top])
    assert all(t.iterations == (iteration,) for t in top)
    values = [t.value for t in top]
    assert values == sorted(values, reverse=sign.startswith("max"))


@pytest.mark.parametrize("strategy", [RandomSearch, GridSearch, OptimizerOptuna])
def test_argument_optimizer_class(optimizer, strategy):
    made = finished(optimizer(optimizer_class=strategy))
    assert isinstance(made.get_optimizer(), strategy)
    assert made.counts[TrialState.COMPLETED] == 3


def test_argument_max_number_of_concurrent_tasks(running, hands):
    made = running()
    assert made.get_num_active_experiments() == 2
    assert len(hands.taken) == 2
    hands.gate.set()
    assert made.wait()


def test_argument_execution_queue_is_where_trials_go(optimizer, queue):
    made = finished(optimizer(execution_queue=queue))
    assert made.engine_name == f"ClearML, queue {queue}"
    assert header_of(made)["arguments"]["execution_queue"] == queue


def test_argument_optimization_time_limit_counts_from_the_start(running):
    made = running(optimization_time_limit=0.02, total_max_jobs=None)
    assert made.wait() is True
    assert made.stop_reason.code == "optimization_time_limit"
    assert made.reached_time_limit()
    assert made.counts[TrialState.ABORTED] == 2


def test_argument_compute_time_limit_aborts_every_job(running):
    made = running(compute_time_limit=0.01, total_max_jobs=None)
    assert made.wait() is True
    assert made.stop_reason.code == "compute_time_limit"
    assert {Task.get_task(task_id=job).status for job in ids(made.top(2))} == {"stopped"}
    assert made.start() is False


def test_argument_auto_connect_task_stores_arguments_and_space(optimizer, project):
    own = Task.create(project_name=project, task_name="mine")
    made = finished(optimizer(auto_connect_task=own))
    own.reload()
    assert own.get_parameters()["opt/optimizer_kwargs/total_max_jobs"] == "3"
    assert {Task.get_task(task_id=job).parent for job in ids(made.top(3))} == {own.id}


def test_argument_always_create_task_makes_one_in_the_templates_project(optimizer, project):
    made = finished(optimizer(always_create_task=True))
    own = Task.current_task()
    assert (own.name, own.get_project_name()) == ("Optimizing: train", project)
    assert {Task.get_task(task_id=job).parent for job in ids(made.top(3))} == {own.id}
    close_current_task()


def test_argument_save_top_k_tasks_only_archives_the_rest(optimizer):
    made = finished(optimizer(save_top_k_tasks_only=1))
    tags = [Task.get_task(task_id=job).get_system_tags() or [] for job in ids(made.top(3))]
    assert ["archived" in own for own in tags] == [False, True, True]


def test_argument_spawn_project_is_where_the_tasks_are(optimizer, project):
    made = finished(optimizer(spawn_project=f"{project}/trials"))
    assert {Task.get_task(task_id=job).get_project_name() for job in ids(made.top(3))} == {f"{project}/trials"}
    assert header_of(made)["group"] == f"{project}/trials"


def test_argument_optimizer_kwargs_reach_the_controller_and_the_strategy(optimizer):
    made = optimizer(total_max_jobs=2, seed=7, time_limit_per_job=120, min_iteration_per_job=1, name="mine")
    assert (made.total_max_jobs, made.get_optimizer().seed, made.name) == (2, 7, "mine")
    with pytest.raises(TypeError, match="total_max_job.*Did you mean 'total_max_jobs'"):
        optimizer(total_max_job=2)


# The reference's members -----------------------------------------------------------------------------------------


def test_elapsed_is_negative_before_the_start_and_frozen_after_the_end(optimizer):
    made = optimizer()
    assert made.elapsed() < 0
    finished(made)
    assert 0 < made.elapsed() == made.elapsed() < 5


def test_get_active_experiments_are_the_tasks_that_run(running, hands):
    made = running()
    active = made.get_active_experiments()
    assert [(type(task), task.status) for task in active] == [(Task, "in_progress")] * 2
    assert [task.id for task in active] == hands.taken
    hands.gate.set()
    assert made.wait()
    assert list(made.get_active_experiments()) == []


def test_get_num_active_experiments(running, optimizer):
    assert optimizer().get_num_active_experiments() == 0
    made = running()
    assert made.get_num_active_experiments() == 2
    made.stop()
    assert made.wait()
    assert made.get_num_active_experiments() == 0


def test_get_optimizer_is_the_strategy(optimizer):
    assert type(optimizer(optimizer_class=GridSearch).get_optimizer()) is GridSearch


def test_get_optimizer_top_experiments_are_tasks(optimizer, base_task):
    made = finished(optimizer())
    top = HyperParameterOptimizer.get_optimizer_top_experiments("validation", "loss", "min", base_task, 2)
    assert [task.id for task in top] == ids(made.top(2))


def test_get_time_limit_is_none_without_a_limit_and_naive_local_time_with_one(optimizer):
    made = optimizer()
    assert made.get_time_limit() is None
    before = dt.datetime.now()
    made.set_time_limit(in_minutes=10.0)
    ten = dt.timedelta(minutes=10)
    assert before + ten <= made.get_time_limit() <= dt.datetime.now() + ten


def test_get_top_experiments_are_tasks_best_first(optimizer):
    made = finished(optimizer())
    top = made.get_top_experiments(top_k=2)
    assert [type(task) for task in top] == [Task, Task]
    assert [task.id for task in top] == ids(made.top(2))
    best = made.top(1)[0]
    x = best.parameters["x"]
    assert float(top[0].get_parameters()["General/x"]) == x
    assert top[0].get_last_scalar_metrics()["validation"]["loss"]["last"] == x
    # The panel's own view of it has the same accessors.
    assert (best.name, best.status) == (f"#{best.number}", "completed")
    assert best.get_last_scalar_metrics()["validation"]["loss"] == {"last": x, "min": x - 1, "max": x + 1}
    assert best.get_reported_scalars()["validation"]["loss"] == {
        "name": "loss",
        "x": [0, 1, 2],
        "y": pytest.approx([x + 1, x - 1, x]),
    }


def test_get_top_experiments_leave_out_tasks_that_somebody_deleted(optimizer, hands):
    made = finished(optimizer())
    first, second, third = ids(made.top(3))
    hands.call("tasks.delete", task=first, force=True)
    assert [task.id for task in made.get_top_experiments(3)] == [second, third]
    assert made.best_trial.id == first


def test_get_top_experiments_ranks_running_trials_too(running):
    made = running()
    assert [task.status for task in made.get_top_experiments(3)] == ["in_progress", "in_progress"]


def test_get_top_experiments_details_have_the_exact_shape(optimizer):
    made = finished(optimizer([UniformParameterRange("x", 0, 1), UniformIntegerParameterRange("Args/depth", 1, 9)]))
    best = made.best_trial
    x, depth = best.parameters["x"], best.parameters["Args/depth"]
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
        "hyper_parameters": {"General/x": str(x), "Args/depth": str(depth)},
        "metrics": loss,
    }
    assert made.get_top_experiments_details(1) == [expected]
    assert list(made.get_top_experiments_details(1)[0]) == ["task_id", "hyper_parameters", "metrics"]

    cat = {"metric": "accuracy per class", "variant": "cat", "value": -x, "min_value": -x, "max_value": -x}
    assert made.get_top_experiments_details(1, all_metrics=True) == [
        {**expected, "metrics": {**loss, "accuracy per class/cat": cat}}
    ]
    everything = made.get_top_experiments_details(1, all_hyper_parameters=True)[0]["hyper_parameters"]
    assert everything.items() >= {**expected["hyper_parameters"], "General/units": "4", "Args/free": ""}.items()
    assert all(isinstance(value, str) for value in everything.values())
    assert len(made.get_top_experiments_details(2)) == 2


def test_get_top_experiments_details_leave_out_what_did_not_complete_if_asked(running):
    made = running()
    made.stop()
    assert made.wait()
    assert len(made.get_top_experiments_details(5)) == 2
    assert made.get_top_experiments_details(5, only_completed=True) == []


def test_is_active_before_and_during_but_not_after(running, optimizer):
    assert optimizer().is_active() is True
    made = running()
    assert made.is_active() is True
    made.stop()
    assert made.wait()
    assert made.is_active() is False


def test_is_running_until_the_server_agrees(running, optimizer):
    assert optimizer().is_running() is False
    made = running()
    assert made.is_running() is True
    made.stop()
    assert made.wait()
    assert made.is_running() is False


def test_reached_time_limit_is_false_without_one_and_stays_true_past_it(optimizer, running):
    made = finished(optimizer())
    assert made.reached_time_limit() is False
    limited = running(optimization_time_limit=0.02, total_max_jobs=None)
    assert limited.wait()
    assert limited.reached_time_limit() is True


def test_set_default_job_class_is_used_from_the_next_start(optimizer, hands):
    made_by = []

    class Counting(ClearmlJob):
        def __init__(self, *args, **keywords):
            made_by.append(keywords["parameter_override"])
            super().__init__(*args, **keywords)

    made = optimizer()
    made.set_default_job_class(Counting)
    finished(made)
    assert [list(override) for override in made_by] == [["General/x"]] * 3
    assert made.counts[TrialState.COMPLETED] == 3
    assert len(hands.taken) == 3
    with pytest.raises(TypeError, match=r"job_class must be clearml.automation.ClearmlJob"):
        made.set_default_job_class(object)


def test_set_report_period_reports_progress_to_the_journal(running):
    made = running()
    made.set_report_period(0.0001)
    with Journal.view(made.journal_path) as reader:
        sequence = reader.sequence
        while not [event for event in reader.events() if event["kind"] == "report"]:
            sequence = reader.wait_for_change(sequence, 60)
        report = next(event for event in reader.events() if event["kind"] == "report")
    assert report["budget"]["jobs"]["limit"] == 4


def test_set_time_limit_ends_a_running_search(running):
    made = running()
    made.set_time_limit(in_minutes=0.0001)
    assert made.wait() is True
    assert made.stop_reason.code == "optimization_time_limit"
    assert made.reached_time_limit() is True


def test_start_returns_at_once_and_again_while_it_runs(running, hands):
    made = running()
    assert made.start() is True
    hands.gate.set()
    assert made.wait()
    assert made.start() is False
    assert made.stop_reason.code == "total_max_jobs"


def test_start_calls_back_for_each_job_with_the_ids_of_tasks(optimizer):
    calls = []
    made = finished(optimizer(), lambda *arguments: calls.append(arguments))
    assert sorted(call[0] for call in calls) == sorted(ids(made.top(3)))
    for job_id, value, iteration, parameters, best_id in calls:
        assert (type(job_id), type(value), type(iteration), type(parameters)) == (str, float, int, dict)
        assert value == parameters["x"]
        assert iteration == 2
        assert best_id in {call[0] for call in calls}
    assert calls[-1][4] == made.best_trial.id


def test_start_locally_runs_trials_as_processes_of_this_machine(task_search, template):
    calls = []
    made = task_search(
        [UniformParameterRange("x", 0, 1), DiscreteParameterRange("shuffle", [True])],
        base=template,
        execution_queue="no-such-queue",
        total_max_jobs=2,
    )
    assert made.start_locally(lambda *arguments: calls.append(arguments)) is True
    assert made.engine_name == "ClearML, this machine"
    assert made.wait()
    assert made.counts[TrialState.COMPLETED] == 2, made.errors
    assert len(calls) == 2
    for task in made.get_top_experiments(2):
        assert task.status == "completed"
        x = float(task.get_parameters()["General/x"])
        assert made.trial(0 if task.id == made.trial(0).id else 1).value == pytest.approx((x - 0.25) ** 2 + 1 / 3)


def test_stop_returns_once_the_aborts_are_sent_and_may_be_repeated(running, hands):
    made = running()
    made.stop()
    assert {hands.status(task) for task in hands.taken} == {"stopped"}
    assert made.wait()
    assert made.status is SearchStatus.STOPPED
    assert made.stop_reason.code == "stopped"
    assert made.counts[TrialState.ABORTED] == 2
    assert {trial.error for trial in made.top(2)} == {"stopped by hand"}
    made.stop(timeout=1.0, wait_for_reporter=False)
    assert made.counts[TrialState.ABORTED] == 2


def test_stop_lets_the_same_search_be_continued(running, hands):
    made = running()
    made.stop()
    hands.gate.set()
    finished(made)
    assert made.stop_reason.code == "total_max_jobs"
    assert (made.counts[TrialState.ABORTED], made.counts[TrialState.COMPLETED]) == (2, 2)


def test_wait_is_false_when_it_timed_out_and_true_at_the_end(running, hands):
    made = running()
    assert made.wait(timeout=0.0005) is False
    assert made.is_running()
    hands.gate.set()
    assert made.wait(timeout=1.0) is True
