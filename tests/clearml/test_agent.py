"""The unmodified clearml-agent takes trials from a queue and runs them."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from clearml import Task

from tests.clearml.recorded import calls, recorded, recorded_launch
from tests.clearml.way import Way
from tests.runs import wait_for

pytestmark = pytest.mark.slow

CONTROLLER = """
import json

from clearml import Task
from clearml.automation import HyperParameterOptimizer, RandomSearch, UniformParameterRange

task = Task.init("{project}", "controller", task_type=Task.TaskTypes.optimizer, reuse_last_task_id=False,
                 auto_connect_frameworks=False)
optimizer = HyperParameterOptimizer(
    base_task_id="{template}",
    hyper_parameters=[UniformParameterRange("General/x", 0, 1)],
    objective_metric_title="validation",
    objective_metric_series="loss",
    objective_metric_sign="min",
    optimizer_class=RandomSearch,
    execution_queue="{queue}",
    max_number_of_concurrent_tasks=2,
    spawn_project="{project}/trials",
    total_max_jobs={jobs},
    pool_period_min=0.005,
)
optimizer.start()
ended = optimizer.wait(timeout=7)
optimizer.stop(wait_for_reporter=False)
top = optimizer.get_top_experiments(top_k=10)
task.close()
print(json.dumps({{"task": task.id, "ended": ended, "top": [experiment.id for experiment in top]}}))
"""

ENDLESS = """
import itertools
import time

from clearml import Task

logger = Task.init("any", "any").get_logger()
for iteration in itertools.count():
    logger.report_scalar("validation", "loss", 1 / (iteration + 1), iteration)
    logger.flush()
    time.sleep(0.2)
"""

FAILING = """
from clearml import Task

Task.init("any", "any")
raise ValueError("no such data")
"""


def expected(task):
    return (float(task.get_parameters()["General/x"]) - 0.25) ** 2 + 1 / 3


def objective(task):
    return task.get_last_scalar_metrics()["validation"]["loss"]["last"]


@dataclass(frozen=True)
class Served:
    """A queue with an agent, and the calls of that agent and its trials."""

    queue: str
    worker: str
    by_agent: Way


@pytest.fixture(scope="module")
def served(new_queue, new_agent, clearml_api):
    """One agent for all tests."""
    with new_queue() as queue, Way(clearml_api.url) as way, new_agent(queue, through=way) as started:
        yield Served(queue, started.worker, way)


@pytest.fixture
def enqueued(api_client, project, served):
    """``enqueued(source, parameters=())`` gives a Task that waits to run a script."""

    def make(source, parameters=()):
        task = Task.create(project, "a script")
        api_client.tasks.edit(task=task.id, script={"diff": source, "entry_point": "train.py"})
        task.set_parameters(dict(parameters))
        Task.enqueue(task, queue_name=served.queue)
        return task

    return make


@pytest.fixture
def search(script, project, template, served):
    """``search(jobs)`` runs a search of the SDK's over the queue and gives its trials, best first."""

    def run(jobs, through=None):
        source = CONTROLLER.format(project=project, template=template, queue=served.queue, jobs=jobs)
        said = script(source, name="controller.py", through=through).said
        assert said["ended"]
        return [Task.get_task(task_id=task) for task in said["top"]]

    return run


def status_of(task):
    task.reload()
    return task.get_status()


def assert_ran(trials, workers):
    for trial in trials:
        assert trial.get_status() == "completed"
        assert objective(trial) == pytest.approx(expected(trial))
        assert trial.get_last_iteration() == 2
    assert [trial.id for trial in trials] == [trial.id for trial in sorted(trials, key=expected)]
    assert {trial.data.last_worker for trial in trials} == workers


def test_an_agent_runs_the_trials_of_a_search_one_after_another(search, served, passing_by):
    by_controller = passing_by()

    trials = search(jobs=2, through=by_controller)

    assert len(trials) == 2
    assert_ran(trials, {served.worker})
    first, second = sorted(trials, key=lambda trial: trial.data.started)
    assert first.data.completed <= second.data.started
    # The recorded agent made its queue, its trials uploaded artifacts, and it pinged as they took longer.
    elsewhere = {"queues.create", "tasks.add_or_update_artifacts", "tasks.ping"}
    steps = [step for step in recorded("hpo_agent") if step.endpoint not in elsewhere]
    assert calls(steps, "agent", "trial") <= served.by_agent.calls()
    for trial in trials:
        assert by_controller.launch(trial.id, "tasks.enqueue") == recorded_launch("hpo_agent", "tasks.enqueue")


def test_two_agents_share_the_tasks_of_a_queue(template, enqueued, served, new_agent, tmp_path):
    both_run = tmp_path / "both run"
    waits = f"import pathlib, time\nwhile not pathlib.Path({str(both_run)!r}).exists():\n    time.sleep(0.05)\n"
    with new_agent(served.queue) as other:
        trials = [enqueued(waits + Task.get_task(template).data.script.diff, {"General/x": x}) for x in (0.5, 0.75)]
        wait_for(lambda: {status_of(trial) for trial in trials} == {"in_progress"}, "they do not run at the same time")
        both_run.touch()
        wait_for(lambda: {status_of(trial) for trial in trials} == {"completed"}, "they did not complete")

    assert [expected(trial) for trial in trials] == [0.25**2 + 1 / 3, 0.5**2 + 1 / 3]
    assert_ran(trials, {served.worker, other.worker})


def test_a_trial_that_is_stopped_from_outside_ends_stopped(enqueued):
    task = enqueued(ENDLESS)
    wait_for(lambda: (status_of(task), task.get_last_iteration() > 0) == ("in_progress", True), "it did not report")

    task.mark_stopped(force=True, status_message="seen enough")

    wait_for(lambda: "User aborted: stopping task" in console(task), "the agent did not stop it")
    assert status_of(task) == "stopped"


def test_a_trial_that_raises_ends_failed_with_its_traceback(enqueued):
    task = enqueued(FAILING)

    wait_for(lambda: status_of(task) == "failed", "the trial did not fail")

    wait_for(lambda: "no such data" in console(task), "the traceback did not arrive")


def console(task):
    return "".join(task.get_reported_console_output(number_of_reports=200))
