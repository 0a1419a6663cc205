"""The Task of the search itself: what it keeps, what it shows, what it archives, and how it runs for an agent."""

from __future__ import annotations

import json
import re

import pytest
from clearml import Task, automation
from clearml.backend_interface.task.development.stop_signal import TaskStopSignal

from hpo_widgets import (
    DiscreteParameterRange,
    HyperParameterOptimizer,
    OptimizerOptuna,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from hpo_widgets.journal import Journal
from hpo_widgets.objectives import SIGNS
from hpo_widgets.trials import TrialState
from tests.clearml.fake_worker import close_current_task, send_events
from tests.runs import finished


@pytest.fixture
def own_task(project):
    """A Task of the test's own, made by the SDK as a script's would be."""
    task = Task.init(
        project,
        "optimizer",
        task_type=Task.TaskTypes.optimizer,
        reuse_last_task_id=False,
        auto_connect_frameworks=False,
        auto_resource_monitoring=False,
    )
    yield task
    close_current_task()


@pytest.fixture
def close_current():
    """Whatever Task a search makes its process's current one is closed."""
    yield
    close_current_task()


def options_of(task):
    section = "General/opt/"
    task.reload()
    return {
        name.removeprefix(section): value for name, value in task.get_parameters().items() if name.startswith(section)
    }


def test_arguments_and_space_are_stored_where_the_sdk_stores_them(optimizer, own_task, base_task, queue):
    optimizer(
        [UniformParameterRange("x", 0, 1), DiscreteParameterRange("kind", ["a", "b"])],
        optimizer_class=OptimizerOptuna,
        optimization_time_limit=60.0,
    )
    options = options_of(own_task)
    assert options["base_task_id"] == base_task
    assert options["execution_queue"] == queue
    assert options["optimization_time_limit"] == "60.0"
    assert options["max_number_of_concurrent_tasks"] == "2"
    assert options["optimizer_class"] == "OptimizerOptuna"
    assert options["optimizer_kwargs/total_max_jobs"] == "3"
    assert json.loads(options["objective_metric_title"]) == ["validation"]
    assert "optimization" in own_task.get_tags()
    space = own_task.get_configuration_object_as_dict("General")["parameter_optimization_space"]
    assert [(form["type"], form["name"]) for form in space] == [
        ("UniformParameterRange", "x"),
        ("DiscreteParameterRange", "kind"),
    ]


def test_what_is_stored_is_what_the_sdks_own_controller_stores(project, base_task, queue):
    theirs, ours = (Task.create(project_name=project, task_name=name) for name in ("theirs", "ours"))
    given = {
        "objective_metric_title": "validation",
        "objective_metric_series": "loss",
        "objective_metric_sign": "min_global",
        "max_number_of_concurrent_tasks": 3,
        "execution_queue": queue,
        "optimization_time_limit": 60.0,
        "compute_time_limit": 120.0,
        "pool_period_min": 0.02,
        "time_limit_per_job": 30.0,
        "total_max_jobs": 5,
        "min_iteration_per_job": 1,
        "max_iteration_per_job": 10,
    }
    parameters = [
        automation.UniformParameterRange("x", 0, 1, step_size=0.25),
        automation.UniformIntegerParameterRange("units", 1, 8),
        automation.LogUniformParameterRange("Args/free", -4, -1),
        automation.DiscreteParameterRange("kind", ["a", "b"]),
    ]
    automation.HyperParameterOptimizer(base_task, parameters, auto_connect_task=theirs, **given)
    made = HyperParameterOptimizer(base_task, parameters, auto_connect_task=ours, **given)
    assert options_of(ours) == options_of(theirs)
    assert ours.get_configuration_object("General") == theirs.get_configuration_object("General")
    assert ours.get_tags() == theirs.get_tags() == ["optimization"]
    assert made.objectives[0].sign == "min_global"


@pytest.mark.slow
def test_without_auto_connect_nothing_is_stored_but_trials_are_children_all_the_same(optimizer, own_task):
    made = finished(optimizer(auto_connect_task=False))
    assert options_of(own_task) == {}
    for trial in made.top(3):
        task = Task.get_task(task_id=trial.id)
        assert task.parent == own_task.id
        assert sorted(task.get_tags()) == [f"opt: {own_task.id}", "optimization"]
        assert task.project == own_task.project


def test_a_task_that_has_ended_is_a_parent_and_nothing_is_written_to_it(optimizer, api_client, own):
    own.mark_started()
    own.mark_completed()
    own.reload()
    finished(optimizer(auto_connect_task=own))
    assert options_of(own) == {}
    assert not own.get_tags()


def test_a_further_search_of_a_process_gets_a_task_of_its_own(optimizer, project, close_current, tmp_path):
    made = [finished(optimizer(always_create_task=True)) for _ in range(2)]
    tasks = [Task.get_task(task_id=search.trial(0).id).parent for search in made]
    assert tasks[0] == Task.current_task().id != tasks[1]
    for search, task in zip(made, tasks, strict=True):
        assert HyperParameterOptimizer.open(task, journal=tmp_path / "elsewhere").id == search.id
    further = Task.get_task(task_id=tasks[1])
    assert (further.name, further.get_project_name(), further.status) == ("Optimizing: train", project, "completed")
    assert {"remaining budget", "validation/loss"} <= set(further.get_reported_scalars())


@pytest.mark.parametrize("is_elsewhere", [False, True], ids=["here", "elsewhere"])
def test_a_search_that_is_opened_again_leaves_the_task_of_a_living_kernel_running(
    optimizer, own_task, worker, monkeypatch, is_elsewhere
):
    # The SDK kills the process whose current Task somebody ends.
    monkeypatch.setattr(TaskStopSignal, "test", lambda self: None)
    made = finished(optimizer(auto_connect_task=own_task))
    with pytest.MonkeyPatch.context() as patch:
        if is_elsewhere:
            patch.setattr(Task, "current_task", lambda: None)
        again = HyperParameterOptimizer.open(own_task.id)
    again.set_total_max_jobs(5)
    finished(again)
    assert (again.id, again.counts[TrialState.COMPLETED]) == (made.id, 5)
    assert again.errors == []
    assert worker.status(own_task.id) == "in_progress"


def test_a_task_that_keeps_a_search_stays_its_and_the_next_one_is_told(optimizer, own, tmp_path):
    first, second = (finished(optimizer(auto_connect_task=own)) for _ in range(2))
    assert HyperParameterOptimizer.open(own.id, journal=tmp_path / "elsewhere").id == first.id
    assert first.errors == []
    (notice,) = second.errors
    assert f"the optimizer Task {own.id} already keeps the search {first.id}" in notice.sentence
    # As many reports as one search has.
    own.flush(wait_for_uploads=True)
    assert len(own.get_reported_scalars()["validation/loss"]["last reported"]["y"]) == 3


@pytest.mark.slow
def test_no_task_is_made_where_there_is_one(optimizer, own_task, base_task):
    optimizer(always_create_task=True)
    assert Task.current_task().id == own_task.id
    assert options_of(own_task)["base_task_id"] == base_task


@pytest.mark.slow
def test_a_task_that_is_made_without_being_connected_stores_nothing(optimizer, close_current):
    made = finished(optimizer(always_create_task=True, auto_connect_task=False))
    own = Task.current_task()
    assert options_of(own) == {}
    assert {Task.get_task(task_id=trial.id).parent for trial in made.top(3)} == {own.id}


def test_a_search_whose_optimizer_task_somebody_deletes_ends_with_the_servers_words(running, worker, api_client, own):
    made = running(auto_connect_task=own, total_max_jobs=10)
    api_client.tasks.delete(task=own.id, force=True)
    worker.gate.set()
    assert made.wait(timeout=1.0)
    assert made.stop_reason.code == "launch_failed"
    assert "Invalid task id (invalid parent)" in made.stop_reason.sentence
    # The first to end makes room for a launch, and its failure may come before the other ends.
    assert made.counts[TrialState.COMPLETED] + made.counts[TrialState.ABORTED] == 2


@pytest.mark.slow
def test_what_the_journal_keeps_of_the_task_is_its_id(optimizer, own_task):
    made = finished(optimizer(auto_connect_task=own_task))
    with Journal.view(made.journal_path) as reader:
        header = reader.header
    assert header["arguments"]["auto_connect_task"] == own_task.id
    assert header["clearml"]["optimizer_task"] == own_task.id


REMOTE = """
import json, sys
from clearml import Task
from hpo_widgets import HyperParameterOptimizer, UniformParameterRange

task = Task.init("{project}", "search", task_type="optimizer", reuse_last_task_id=False,
                 auto_connect_frameworks=False)
optimizer = HyperParameterOptimizer(
    "{base_task}", [UniformParameterRange("x", 0, 1)], "validation", "loss", "min",
    execution_queue="{queue}", total_max_jobs=3, pool_period_min=0.005)
print(json.dumps({{
    "id": task.id,
    "ranges": dict(optimizer.space.ranges),
    "total_max_jobs": optimizer.total_max_jobs,
    "limit": optimizer.budget.wall_minutes.limit,
    "strategy": optimizer.strategy_name,
    "objective": [optimizer.objectives[0].key, optimizer.objectives[0].sign],
    "workers": optimizer.max_number_of_concurrent_tasks,
}}))
"""


@pytest.mark.slow
def test_what_the_task_says_wins_where_it_runs_for_an_agent(script, project, base_task, queue):
    source = REMOTE.format(project=project, base_task=base_task, queue=queue)
    first = script(source).said
    assert (first["ranges"], first["total_max_jobs"], first["limit"]) == ({"x": [0, 1]}, 3, None)
    changes = {
        "optimizer_kwargs/total_max_jobs": 7,
        "optimization_time_limit": 90,
        "optimizer_class": "GridSearch",
        "objective_metric_sign": ["max"],
        "max_number_of_concurrent_tasks": 5,
    }
    for section in ("General/opt", "opt"):
        # A person clones the optimizer's Task, changes what it says and runs it: the code is the same.
        clone = Task.clone(source_task=first["id"])
        stored = {name.replace("General/opt", section): value for name, value in clone.get_parameters().items()}
        clone.set_parameters({**stored, **{f"{section}/{name}": value for name, value in changes.items()}})
        space = clone.get_configuration_object("General")
        clone.set_configuration_object("General", re.sub(r"max_value = 1(\.0)?", "max_value = 0.25", space))
        environment = {
            "CLEARML_TASK_ID": clone.id,
            "CLEARML_LOG_TASK_TO_BACKEND": "1",
            "CLEARML_SIMULATE_REMOTE_TASK": "1",
        }
        ran = script(f"import os\nos.environ.update({environment!r})\n{source}").said
        assert ran == {
            "id": clone.id,
            "ranges": {"x": [0, 0.25]},
            "total_max_jobs": 7,
            "limit": 90,
            "strategy": "GridSearch",
            "objective": ["validation/loss", "max"],
            "workers": 5,
        }, section


# The report ------------------------------------------------------------------------------------------------------


def test_the_report_has_the_plots_and_scalars_of_the_sdks(optimizer, own_task, monkeypatch):
    monkeypatch.setenv("CLEARML_WEB_HOST", "https://somebody:planted-0c6e@web.example")
    made = finished(
        optimizer(
            [
                UniformParameterRange("x", 0, 1),
                UniformIntegerParameterRange("units", 512, 514),
                DiscreteParameterRange("Args/depth", [128, 16]),
                DiscreteParameterRange("kind", ["<b>", "plain"]),
            ],
            auto_connect_task=own_task,
            optimization_time_limit=10,
            time_limit_per_job=2,
            total_max_jobs=6,
        )
    )
    own_task.flush(wait_for_uploads=True)
    scalars = own_task.get_reported_scalars()
    assert set(scalars["remaining budget"]) == {"jobs %", "time %", "compute_time %"}
    assert scalars["remaining budget"]["jobs %"]["y"][-1] == 0
    assert set(scalars["resources"]) == {"queue workers", "running tasks", "pending tasks"}
    best = scalars["validation/loss"]["min"]["y"]
    assert best == sorted(best, reverse=True)
    assert best[-1] == pytest.approx(made.best_trial.value)
    assert len(scalars["validation/loss"]["last reported"]["y"]) == 6
    plots = {plot["metric"]: json.loads(plot["plot_str"]) for plot in own_task.get_reported_plots()}
    assert set(plots) == {"Optimization Objective", "summary", "Parallel Coordinates"}
    assert sorted(plots["Optimization Objective"]["data"][0]["y"]) == pytest.approx([t.value for t in made.top(6)])
    cells = plots["summary"]["data"][0]["cells"]["values"]
    assert made.best_trial.id in cells[0][0]
    page = f"https://web.example/projects/*/experiments/{made.best_trial.id}/output/log"
    assert f'href="{page}"' in cells[0][0]
    assert all("<b>" not in plot["plot_str"] for plot in own_task.get_reported_plots())
    assert "kind: &lt;b&gt;" in str(plots["Optimization Objective"]["data"][0]["text"])
    assert set(cells[4]) <= {"512", "513", "514"}
    axes = {axis["label"]: axis for axis in plots["Parallel Coordinates"]["data"][0]["dimensions"]}
    assert list(axes) == ["task id", "iteration", "x", "units", "Args/depth", "kind", "validation/loss"]
    assert set(axes["iteration"]["values"]) == {2}
    assert set(axes["Args/depth"]["values"]) <= {16, 128}
    assert axes["kind"]["ticktext"]


@pytest.mark.slow
def test_the_report_of_several_objectives_has_a_curve_and_a_scatter_for_each(optimizer, own_task):
    made = finished(
        optimizer(
            auto_connect_task=own_task,
            objective_metric_title=["validation", "accuracy per class"],
            objective_metric_series=["loss", "cat"],
            objective_metric_sign=["min_global", "max"],
        )
    )
    own_task.flush(wait_for_uploads=True)
    scalars = own_task.get_reported_scalars()
    assert set(scalars["validation/loss"]) == {"min", "last reported"}
    assert set(scalars["accuracy per class/cat"]) == {"max", "last reported"}
    plots = {(plot["metric"], plot["variant"]): json.loads(plot["plot_str"]) for plot in own_task.get_reported_plots()}
    values = [trial.values for trial in made.top(3)]
    for index, key in enumerate(("validation/loss", "accuracy per class/cat")):
        drawn = plots["Optimization Objective", key]["data"][0]["y"]
        assert sorted(drawn) == pytest.approx(sorted(value[index] for value in values))
    header = plots["summary", "job"]["data"][0]["header"]["values"]
    assert header == ["task id", "validation/loss", "accuracy per class/cat", "iteration", "x", "status"]


GROWING = """
import json, time
from clearml import Task
from hpo_widgets.engines.clearml.reporting import OptimizerReport
from hpo_widgets.engines.clearml.server import server
from hpo_widgets.engines.base import StartedSearch
from hpo_widgets.testing import ScriptedSearch

def report(number):
    task = Task.create(project_name="{project}", task_name=f"search of {{number}}")
    search = ScriptedSearch(jobs=number)
    top = lambda k: [trial.number for trial in search.top(k)]
    source = StartedSearch(search, str, top, dict, float, bool, print, print)
    made = OptimizerReport(task, server(), "{queue}")
    for at in range(number):
        search.add_trial(1 / (at + 1))
        made.send(source, is_last=at == number - 1)
    task.flush(wait_for_uploads=True)
    return task.id

print(json.dumps([report(number) for number in (20, 160)]))
"""


@pytest.mark.slow
def test_all_reports_of_a_search_together_cost_what_its_trials_do_and_not_their_square(
    script, passing_by, project, queue
):
    way = passing_by()
    # The worst case: a report after each trial.
    few, many = script(GROWING.format(project=project, queue=queue), through=way).said
    sent = [sum(len(json.dumps(event)) for event in way.events(task)) for task in (few, many)]
    assert 4 < sent[1] / sent[0] < 16, sent
    # Nothing is asked about single trials.
    endpoints = {step.endpoint for step in way.steps if "events" not in step.request}
    assert not endpoints & {"tasks.get_all", "events.scalar_metrics_iter_histogram", "events.get_task_metrics"}


# The archive -----------------------------------------------------------------------------------------------------


def archived(trial):
    return "archived" in (Task.get_task(task_id=trial.id).get_system_tags() or [])


def test_a_trial_that_falls_out_of_the_top_and_rises_again_is_archived_and_brought_back(optimizer, worker):
    # With the fourth the second lies closest to the others of its front; the fifth thins that front out.
    values = [(0.0, 3.0), (0.0, 6.0), (3.0, 1.0), (5.0, 0.0), (1.0, 0.0)]

    def work(worker, task, x):
        loss, cat = values[round(10 * x)]
        send_events(worker.session, task, ("validation", "loss", loss, 0), ("accuracy per class", "cat", cat, 0))

    worker.work = work
    made = optimizer(
        objective_metric_title=["validation", "accuracy per class"],
        objective_metric_series=["loss", "cat"],
        objective_metric_sign=["min", "min"],
        save_top_k_tasks_only=3,
        total_max_jobs=4,
        max_number_of_concurrent_tasks=1,
    )
    for number in range(4):
        made.enqueue_trial({"x": number / 10})
    finished(made)
    assert [archived(made.trial(number)) for number in range(4)] == [False, True, False, False]
    made.set_total_max_jobs(5)
    made.enqueue_trial({"x": 0.4})
    finished(made)
    assert [archived(made.trial(number)) for number in range(5)] == [False, False, True, True, False]


# Top experiments of any optimizer Task ---------------------------------------------------------------------------


@pytest.mark.slow
def test_the_best_children_of_an_optimizer_task_by_any_scalar_and_sign(optimizer, own_task):
    made = finished(optimizer(auto_connect_task=own_task, total_max_jobs=4))
    for sign in SIGNS:
        top = HyperParameterOptimizer.get_optimizer_top_experiments("accuracy per class", "cat", sign, own_task.id, 3)
        by_x = sorted(made.top(4), key=lambda trial: trial.parameters["x"], reverse=sign.startswith("min"))
        assert [type(task) for task in top] == [Task] * 3
        assert [task.id for task in top] == [trial.id for trial in by_x[:3]], sign


@pytest.mark.slow
def test_the_best_children_for_several_objectives_are_the_fronts_one_after_the_other(optimizer, own_task):
    made = finished(optimizer(auto_connect_task=own_task, total_max_jobs=4))
    # x is to be small and large at once: all are on the first front.
    top = HyperParameterOptimizer.get_optimizer_top_experiments(
        ["validation", "accuracy per class"], ["loss", "cat"], ["min", "min"], own_task.id, 10
    )
    assert {task.id for task in top} == {trial.id for trial in made.top(4)}
    same = HyperParameterOptimizer.get_optimizer_top_experiments(
        ["validation", "accuracy per class"], ["loss", "cat"], ["min", "max"], own_task.id, 10
    )
    assert [task.id for task in same] == [trial.id for trial in made.top(4)]


@pytest.mark.slow
def test_children_without_the_objective_and_failed_ones_are_never_among_the_best(optimizer, own_task, worker):
    def fail_large(worker, task):
        x = float(Task.get_task(task_id=task).get_parameters()["General/x"])
        worker.call("tasks.failed" if x > 0.5 else "tasks.completed", task=task)

    worker.end = fail_large
    made = finished(optimizer(auto_connect_task=own_task, total_max_jobs=6))
    top = HyperParameterOptimizer.get_optimizer_top_experiments("validation", "loss", "min", own_task.id, 10)
    assert 0 < made.counts[TrialState.FAILED] < 6
    assert [task.id for task in top] == [trial.id for trial in made.top(6)]
    nothing = HyperParameterOptimizer.get_optimizer_top_experiments("validation", "los", "min", own_task.id, 10)
    assert list(nothing) == []
