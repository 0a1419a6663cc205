"""The unmodified ``clearml.automation.HyperParameterOptimizer`` with trials in processes of this machine."""

from __future__ import annotations

import pytest
from clearml import Task
from clearml.automation import HyperParameterOptimizer

from tests.clearml.recorded import calls, recorded, recorded_launch

pytestmark = pytest.mark.slow

CONTROLLER = """
import json

from clearml import Task
from clearml.automation import (
    DiscreteParameterRange, HyperParameterOptimizer, RandomSearch, UniformIntegerParameterRange, UniformParameterRange,
)
from clearml.automation.optuna import OptimizerOptuna

task = Task.init("{project}", "controller", task_type=Task.TaskTypes.optimizer, reuse_last_task_id=False,
                 auto_connect_frameworks=False)
called = []
optimizer = HyperParameterOptimizer(
    base_task_id="{template}",
    hyper_parameters=[
        UniformParameterRange("General/x", 0, 1),
        UniformIntegerParameterRange("General/units", 1, 8),
        DiscreteParameterRange("General/kind", ["plain", "fancy"]),
    ],
    objective_metric_title="validation",
    objective_metric_series="loss",
    objective_metric_sign="min",
    optimizer_class={strategy},
    max_number_of_concurrent_tasks=2,
    spawn_project="{project}/trials",
    total_max_jobs={jobs},
    max_iteration_per_job=3,
    min_iteration_per_job=1,
    pool_period_min=0.005,
    save_top_k_tasks_only={top},
)
optimizer.set_report_period(0.02)
started = optimizer.start_locally(job_complete_callback=lambda *told: called.append(told))
ended = optimizer.wait(timeout=7)
optimizer.stop(wait_for_reporter={reported})
top = optimizer.get_top_experiments(top_k=10)
details = optimizer.get_top_experiments_details(top_k=10, all_hyper_parameters=True)
task.close()
print(json.dumps({{"task": task.id, "started": started, "ended": ended, "called": called,
                  "top": [experiment.id for experiment in top], "details": details}}))
"""


@pytest.fixture
def controller(script, project, template):
    """``controller(strategy, jobs)`` runs a search of the SDK's to its end and gives what it said."""

    def run(strategy, jobs, top=-1, reported=False, through=None):
        source = CONTROLLER.format(
            project=project,
            template=template,
            strategy=strategy,
            jobs=jobs,
            top=top,
            reported=reported,
        )
        return script(source, name="controller.py", through=through).said

    return run


def trials_of(said):
    return Task.get_tasks(task_filter={"parent": said["task"], "system_tags": ["-hidden"]})


def objective(task):
    return task.get_last_scalar_metrics()["validation"]["loss"]["last"]


def expected(task):
    """The last loss that the template reports for the values of a Task."""
    return (float(task.get_parameters()["General/x"]) - 0.25) ** 2 + 1 / 3


def assert_told_the_truth(said, project, jobs):
    """All that a controller's end leaves on the server, and what it says of it, agree."""
    trials = trials_of(said)
    assert said["started"]
    assert said["ended"]
    assert len(trials) == jobs
    assert {trial.get_status() for trial in trials} == {"completed"}
    assert {trial.get_project_name() for trial in trials} == {f"{project}/trials"}
    for trial in trials:
        assert objective(trial) == pytest.approx(expected(trial))
        assert trial.get_last_iteration() == 2
    ranked = sorted(trials, key=expected)
    assert said["top"] == [trial.id for trial in ranked]
    assert [detail["task_id"] for detail in said["details"]] == said["top"]
    assert said["details"][0]["hyper_parameters"] == ranked[0].get_parameters()
    best = said["details"][0]["metrics"]["validation/loss"]
    assert (best["metric"], best["variant"]) == ("validation", "loss")
    assert best["value"] == pytest.approx(expected(ranked[0]))
    return ranked


def test_random_search_ends_with_its_trials_ranked_reported_and_the_others_archived(controller, project, passing_by):
    made = passing_by()

    said = controller("RandomSearch", jobs=2, top=1, reported=True, through=made)

    ranked = assert_told_the_truth(said, project, jobs=2)
    # The second is beyond the best one.
    assert [trial.get_archived() for trial in ranked] == [False, True]
    # The callback has the value and the iteration of each trial, and the best so far.
    told = {job: (value, iteration) for job, value, iteration, _, _ in said["called"]}
    assert told == {trial.id: (pytest.approx([expected(trial)]), [2]) for trial in ranked}
    assert said["called"][-1][-1] == ranked[0].id
    for trial in ranked:
        assert 0 <= float(trial.get_parameters()["General/x"]) <= 1
        assert int(trial.get_parameters()["General/units"]) in range(1, 9)
        assert trial.get_parameters()["General/kind"] in {"plain", "fancy"}
        assert trial.get_parameters()["General/shuffle"] == "True"
    optimizer = Task.get_task(task_id=said["task"])
    assert optimizer.get_status() == "completed"
    assert optimizer.get_parameters()["General/opt/optimizer_class"] == "RandomSearch"
    assert "General/units" in optimizer.get_configuration_object("General")
    assert optimizer.get_reported_scalars()["remaining budget"]["jobs %"]["y"][-1] == 0
    assert {plot["metric"] for plot in optimizer.get_reported_plots()} >= {"summary"}
    found = HyperParameterOptimizer.get_optimizer_top_experiments("validation", "loss", "min", said["task"], 2)
    assert [trial.id for trial in found] == [trial.id for trial in ranked]

    # The template of the recording uploads an artifact, this one does not; the controllers both do.
    assert calls(recorded("hpo_local")) <= made.calls()
    for trial in ranked:
        assert made.launch(trial.id, "tasks.started") == recorded_launch("hpo_local", "tasks.started")


def test_optuna_ends_with_its_trials_ranked(controller, project, passing_by):
    made = passing_by()

    said = controller("OptimizerOptuna", jobs=2, through=made)

    assert_told_the_truth(said, project, jobs=2)
    # The recorded controller also reported, which this one had no time for.
    reports = {"workers.get_all", "tasks.add_or_update_artifacts"}
    steps = [step for step in recorded("hpo_optuna") if step.endpoint not in reports and step.edited != "system_tags"]
    assert calls(steps) <= made.calls()
