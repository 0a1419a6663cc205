"""A script in the shape of ClearML's published example of a search runs after a change of its import line."""

from __future__ import annotations

import re

import pytest
from clearml import Task

from tests.clearml.fake_worker import make_base_task, send_events

THEIRS = "from clearml.automation import"
OURS = "from hpo_widgets import"

# The published one: examples/optimization/hyper-parameter-optimization/hyper_parameter_optimizer.py of clearml.
EXAMPLE = """
import logging

from clearml import Task
from clearml.automation import (
    DiscreteParameterRange, HyperParameterOptimizer, RandomSearch, UniformIntegerParameterRange)

try:
    from clearml.automation.optuna import OptimizerOptuna
    strategy = OptimizerOptuna
except ImportError:
    logging.getLogger().warning("Optuna is not installed: points are drawn at random")
    strategy = RandomSearch


def job_complete_callback(job_id, objective_value, objective_iteration, job_parameters, top_performance_job_id):
    print("Job completed!", job_id, objective_value, objective_iteration, job_parameters)
    if job_id == top_performance_job_id:
        print("A new record:", objective_value)


task = Task.init(project_name="{project}", task_name="Automatic Hyper-Parameter Optimization",
                 task_type=Task.TaskTypes.optimizer, reuse_last_task_id=False)

args = {{"template_task_id": None, "run_as_service": False}}
args = task.connect(args)
if not args["template_task_id"]:
    args["template_task_id"] = Task.get_task(project_name="{project}", task_name="train").id

execution_queue = "{queue}"

an_optimizer = HyperParameterOptimizer(
    base_task_id=args["template_task_id"],
    hyper_parameters=[
        UniformIntegerParameterRange("General/layer_1", min_value=128, max_value=512, step_size=128),
        UniformIntegerParameterRange("General/layer_2", min_value=128, max_value=512, step_size=128),
        DiscreteParameterRange("General/batch_size", values=[96, 128, 160]),
        DiscreteParameterRange("General/epochs", values=[30]),
    ],
    objective_metric_title="epoch_accuracy",
    objective_metric_series="epoch_accuracy",
    objective_metric_sign="max",
    max_number_of_concurrent_tasks=2,
    optimizer_class=strategy,
    execution_queue=execution_queue,
    time_limit_per_job=10.,
    pool_period_min=0.01,
    total_max_jobs=10,
    min_iteration_per_job=10,
    max_iteration_per_job=30,
)

if args["run_as_service"]:
    task.execute_remotely(queue_name="services", exit_process=True)

an_optimizer.set_report_period(2.2)
an_optimizer.start(job_complete_callback=job_complete_callback)
an_optimizer.set_time_limit(in_minutes=120.0)
an_optimizer.wait()
top_exp = an_optimizer.get_top_experiments(top_k=3)
print([t.id for t in top_exp])
an_optimizer.stop()

print("We are done, good bye")
"""


def accuracy(parameters):
    """What the worker reports for a trial; the points of the space have different ones."""
    first, second, batch = (float(parameters[f"General/{name}"]) for name in ("layer_1", "layer_2", "batch_size"))
    return first / 600 - second / 7000 - batch / 90000


def train(worker, task):
    value = accuracy(Task.get_task(task_id=task).get_parameters())
    # None reaches the iteration from which trials are pruned, however late the server hears that it has completed.
    lines = [("epoch_accuracy", "epoch_accuracy", value * (epoch / 9), epoch) for epoch in range(10)]
    send_events(worker.session, task, *lines)


@pytest.mark.slow
def test_the_example_runs_after_a_change_of_its_import_line(script, api_client, project, queue, worker):
    parameters = dict.fromkeys(("layer_1", "layer_2", "batch_size", "epochs"), ("128", "int"))
    make_base_task(api_client, project, parameters={"General": parameters}, reports=False)
    worker.work = lambda worker, task, _: train(worker, task)

    said = script(EXAMPLE.format(project=project, queue=queue).replace(THEIRS, OURS)).stdout

    assert "We are done, good bye" in said.splitlines()  # the SDK may say more behind it
    [optimizer] = Task.get_tasks(project_name=project, task_name="^Automatic")
    trials = Task.get_tasks(task_filter={"parent": optimizer.id})
    assert optimizer.get_status() == "completed"
    assert len(trials) == 10
    assert {trial.get_status() for trial in trials} == {"completed"}
    ranked = sorted(trials, key=lambda trial: -accuracy(trial.get_parameters()))
    assert repr([trial.id for trial in ranked[:3]]) in said
    told = re.findall(r"^Job completed! (\w+) (\S+) 9 ", said, re.MULTILINE)
    assert {job: float(value) for job, value in told} == {
        trial.id: pytest.approx(accuracy(trial.get_parameters())) for trial in trials
    }
    assert len(told) == 10
    assert len(re.findall("^A new record", said, re.MULTILINE)) >= 1
