"""The Task of the search itself: what it keeps, what it shows, what it archives, and how it runs for an agent."""

from __future__ import annotations

import itertools
import json
import re

import pytest
from clearml import Task

from hpo_widgets import (
    DiscreteParameterRange,
    HyperParameterOptimizer,
    OptimizerOptuna,
    UniformParameterRange,
)
from hpo_widgets.journal import Journal
from hpo_widgets.objectives import SIGNS
from hpo_widgets.trials import TrialState
from tests.clearml.hands import close_current_task, finished

pytest_plugins = ["tests.clearml.hands"]


@pytest.fixture
def optimizer(task_search, hands):
    del hands
    return task_search


@pytest.fixture
def own_task(project):
    """A Task of the test's own, made by the SDK as a script's would be."""
    task = Task.init(project, "optimizer", task_type=Task.TaskTypes.optimizer, reuse_last_task_id=False)
    yield task
    close_current_task()


@pytest.fixture
def close_current():
    """Whatever Task a search makes its process's current one is closed."""
    yield
    close_current_task()


def options_of(task):
    task.reload()
    return {
        name.removeprefix("opt/"): value for name, value in task.get_parameters().items() if name.startswith("opt/")
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


def test_without_auto_connect_nothing_is_stored_but_trials_are_children_all_the_same(optimizer, own_task):
    made = finished(optimizer(auto_connect_task=False))
    assert options_of(own_task) == {}
    for trial in made.top(3):
        task = Task.get_task(task_id=trial.id)
        assert task.parent == own_task.id
        assert sorted(task.get_tags()) == [f"opt: {own_task.id}", "optimization"]
        assert task.project == own_task.project


def test_a_task_of_ones_own_is_connected(optimizer, api_client, project, base_task):
    own = Task.create(project_name=project, task_name="mine")
    made = finished(optimizer(auto_connect_task=own))
    assert options_of(own)["base_task_id"] == base_task
    assert {Task.get_task(task_id=trial.id).parent for trial in made.top(3)} == {own.id}
    with pytest.raises(TypeError, match=r"auto_connect_task must be True, False or a clearml.Task, got 'mine'"):
        optimizer(auto_connect_task="mine")


def test_a_task_that_has_ended_is_a_parent_and_nothing_is_written_to_it(optimizer, api_client, project):
    own = Task.create(project_name=project, task_name="mine")
    own.mark_started()
    own.mark_completed()
    own.reload()
    finished(optimizer(auto_connect_task=own))
    assert options_of(own) == {}
    assert not own.get_tags()


def test_a_task_is_made_when_it_is_asked_for(optimizer, project, close_current):
    made = finished(optimizer(always_create_task=True))
    own = Task.current_task()
    assert own.name == "Optimizing: train"
    assert own.get_project_name() == project
    assert own.task_type == Task.TaskTypes.optimizer
    assert {Task.get_task(task_id=trial.id).parent for trial in made.top(3)} == {own.id}


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


def test_what_the_task_says_wins_where_it_runs_for_an_agent(script, project, base_task, queue):
    source = REMOTE.format(project=project, base_task=base_task, queue=queue)
    first = script(source).said
    assert (first["ranges"], first["total_max_jobs"], first["limit"]) == ({"x": [0, 1]}, 3, None)
    # A person clones the optimizer's Task, changes what it says and runs it: the code is the same.
    clone = Task.clone(source_task=first["id"])
    clone.set_parameters(
        {
            **clone.get_parameters(),
            "opt/optimizer_kwargs/total_max_jobs": 7,
            "opt/optimization_time_limit": 90,
            "opt/optimizer_class": "GridSearch",
            "opt/objective_metric_sign": ["max"],
            "opt/max_number_of_concurrent_tasks": 5,
        }
    )
    space = clone.get_configuration_object("General")
    clone.set_configuration_object("General", re.sub(r"max_value = 1(\.0)?", "max_value = 0.25", space))
    environment = {"CLEARML_TASK_ID": clone.id, "CLEARML_LOG_TASK_TO_BACKEND": "1", "CLEARML_SIMULATE_REMOTE_TASK": "1"}
    ran = script(f"import os\nos.environ.update({environment!r})\n{source}").said
    assert ran == {
        "id": clone.id,
        "ranges": {"x": [0, 0.25]},
        "total_max_jobs": 7,
        "limit": 90,
        "strategy": "GridSearch",
        "objective": ["validation/loss", "max"],
        "workers": 5,
    }


# The report ------------------------------------------------------------------------------------------------------


def test_the_report_has_the_plots_and_scalars_of_the_sdks(optimizer, own_task, api_client, queue):
    made = finished(
        optimizer(
            [UniformParameterRange("x", 0, 1), DiscreteParameterRange("kind", ["<b>", "plain"])],
            auto_connect_task=own_task,
            optimization_time_limit=10,
            total_max_jobs=6,
        )
    )
    own_task.flush(wait_for_uploads=True)
    scalars = own_task.get_reported_scalars()
    assert set(scalars["remaining budget"]) == {"jobs %", "time %"}
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
    assert "href=" in cells[0][0]
    assert "<b>" not in json.dumps(cells)
    axes = [axis["label"] for axis in plots["Parallel Coordinates"]["data"][0]["dimensions"]]
    assert axes == ["task id", "x", "kind", "validation/loss"]


def test_a_report_asks_nothing_about_single_trials_and_draws_plots_again_when_they_have_grown(
    optimizer, own_task, passing_by, monkeypatch
):
    drawn = []
    monkeypatch.setattr(
        "hpo_widgets.clearml.report.Report._send_plots",
        lambda self, logger, source, snapshot: drawn.append(int((snapshot.state >= 2).sum())),
    )
    made = optimizer(auto_connect_task=own_task, total_max_jobs=30, max_number_of_concurrent_tasks=8)
    made.set_report_period(0.001)
    finished(made)
    assert all(after >= 1.1 * before or after == 30 for before, after in itertools.pairwise(drawn))
    assert drawn[-1] == 30


# The archive -----------------------------------------------------------------------------------------------------


def archived(trial):
    return "archived" in (Task.get_task(task_id=trial.id).get_system_tags() or [])


def test_only_the_top_k_tasks_stay_and_one_that_rises_again_comes_back(optimizer, hands, until):
    made = finished(optimizer(save_top_k_tasks_only=2, total_max_jobs=5))
    trials = made.top(5)
    assert [archived(trial) for trial in trials] == [False, False, True, True, True]
    assert [trial.archived for trial in trials] == [False, False, True, True, True]


def test_nothing_is_archived_by_minus_one(optimizer):
    made = finished(optimizer(save_top_k_tasks_only=-1))
    assert [archived(trial) for trial in made.top(3)] == [False] * 3


# Top experiments of any optimizer Task ---------------------------------------------------------------------------


@pytest.mark.parametrize("sign", SIGNS)
def test_the_best_children_of_an_optimizer_task_by_any_scalar_and_sign(optimizer, own_task, sign):
    made = finished(optimizer(auto_connect_task=own_task, total_max_jobs=4))
    top = HyperParameterOptimizer.get_optimizer_top_experiments("accuracy per class", "cat", sign, own_task.id, 3)
    by_x = sorted(made.top(4), key=lambda trial: trial.parameters["x"], reverse=sign.startswith("min"))
    assert [type(task) for task in top] == [Task] * 3
    assert [task.id for task in top] == [trial.id for trial in by_x[:3]]


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


def test_children_without_the_objective_and_failed_ones_are_never_among_the_best(optimizer, own_task, hands):
    def fail_large(hands, task):
        x = float(
            hands.call("tasks.get_all", id=[task], only_fields=["hyperparams"])["tasks"][0]["hyperparams"]["General"][
                "x"
            ]["value"]
        )
        hands.call("tasks.failed" if x > 0.5 else "tasks.completed", task=task)

    hands.end = fail_large
    made = finished(optimizer(auto_connect_task=own_task, total_max_jobs=6))
    top = HyperParameterOptimizer.get_optimizer_top_experiments("validation", "loss", "min", own_task.id, 10)
    assert 0 < made.counts[TrialState.FAILED] < 6
    assert [task.id for task in top] == [trial.id for trial in made.top(6)]
    nothing = HyperParameterOptimizer.get_optimizer_top_experiments("validation", "los", "min", own_task.id, 10)
    assert list(nothing) == []
