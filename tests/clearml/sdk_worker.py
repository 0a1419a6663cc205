"""A live, unmodified controller of the SDK, and a worker that does with its Tasks what a test says, when it says so."""

from __future__ import annotations

import json
import threading

import pytest
from clearml import Task
from clearml.automation import (
    DiscreteParameterRange,
    HyperParameterOptimizer,
    RandomSearch,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from clearml.automation.optuna import OptimizerOptuna

from hpo_widgets.clearml_sdk import live
from hpo_widgets.clearml_sdk.live import adapt
from tests.runs import HANGS, wait_for

OPTUNA = {"optimizer_class": OptimizerOptuna, "max_iteration_per_job": 100}
every_strategy = pytest.mark.parametrize("strategy", [{}, OPTUNA], ids=["random", "optuna"])
"""The SDK's own strategies with a loop, and its Optuna strategy with a thread a worker."""


class SdkWorker:
    """Serves one queue, by hand."""

    def __init__(self, client, queue):
        self.client = client
        self._queue = client.queues.get_all(name=queue)[0].id

    def take(self):
        """The next Task of the queue, started; waits for one."""
        taken = []

        def one_came():
            entry = self.client.queues.get_next_task(queue=self._queue).entry
            taken.extend([entry.task] if entry else [])
            return taken

        wait_for(one_came, "no job was put into the queue", pause=0.02)
        self.client.tasks.started(task=taken[0], force=True)
        return taken[0]

    def num_waiting(self):
        """How many Tasks wait in the queue."""
        return len(self.client.queues.get_by_id(queue=self._queue).entries or ())

    def report(self, task, value, iteration=0, title="validation", series="loss"):
        """Report a scalar."""
        event = {"type": "training_stats_scalar", "task": task, "metric": title, "variant": series}
        answer = self.client.session.send_request(
            "events",
            "add_batch",
            data=json.dumps(event | {"iter": iteration, "value": value}),
            headers={"Content-Type": "application/json-lines"},
        )
        assert answer.ok, answer.text

    def complete(self, task, value=None):
        """End a Task well, with a last value when one is given."""
        if value is not None:
            self.report(task, value)
        self.client.tasks.completed(task=task)

    def fail(self, task, reason="it broke"):
        """End a Task badly."""
        self.client.tasks.failed(task=task, status_reason=reason)

    def status(self, task):
        """What the server says of a Task."""
        return str(self.client.tasks.get_by_id(task=task).status.value)

    def point(self, task):
        """The values that a Task was given, as the server keeps them."""
        parameters = self.client.tasks.get_by_id(task=task).hyperparams["General"]
        return {name: parameters[name].value for name in ("x", "units", "kind")}


def ranges():
    """The space of most tests, in the SDK's classes."""
    return [
        UniformParameterRange("General/x", 0, 1),
        UniformIntegerParameterRange("General/units", 1, 8),
        DiscreteParameterRange("General/kind", ["plain", "fancy"]),
    ]


def states(search):
    """How many trials are in each state."""
    return {state.label: number for state, number in search.counts.items() if number}


def end(optimizer):
    """Stop a controller and see its threads off, before the Tasks that they ask for are removed."""
    own = {optimizer._daemon, optimizer._report_daemon}  # also of an earlier start
    threads = [thread for thread in threading.enumerate() if getattr(thread, "_target", None) in own]
    optimizer.stop(wait_for_reporter=False)
    if optimizer._stop_event is not None:
        # The SDK sets it only while its loop runs: its reporter sleeps on after the last job.
        optimizer._stop_event.set()
    for thread in threads:
        thread.join(HANGS)
        assert not thread.is_alive(), f"{thread.name} of the SDK does not end"
    # What is left to be sent would be tried for minutes at the end of the process, when the server is gone.
    optimizer._task.flush(wait_for_uploads=True)


@pytest.fixture
def base(project):
    """A template Task."""
    task = Task.create(project, "train")
    task.set_parameters({"General/x": 0.5, "General/units": 4, "General/kind": "plain"})
    return task


@pytest.fixture
def sdk_worker(api_client, queue):
    """Plays the agent."""
    return SdkWorker(api_client, queue)


@pytest.fixture
def controller(base, queue, project, monkeypatch):
    """``controller(...)`` makes a controller of the SDK; it is stopped after the test.

    Whoever watches it asks about its Tasks five times a second.
    """
    monkeypatch.setattr(live, "POLL_SECONDS", 0.2)
    made = []

    def make(parameters=None, **keywords):
        # An optimizer Task that this process does not run as.
        task = Task.create(project, "optimizer", task_type="optimizer")
        defaults = {
            "objective_metric_title": "validation",
            "objective_metric_series": "loss",
            "objective_metric_sign": "min",
            "optimizer_class": RandomSearch,
            "execution_queue": queue,
            "auto_connect_task": task,
            "spawn_project": f"{project}/trials",
            "pool_period_min": 0.02,
            "max_number_of_concurrent_tasks": 2,
            "total_max_jobs": 10,
        }
        optimizer = HyperParameterOptimizer(
            base.id, ranges() if parameters is None else parameters, **defaults | keywords
        )
        made.append(optimizer)
        return optimizer

    yield make
    for optimizer in made:
        end(optimizer)


@pytest.fixture
def watched(controller, until):
    """``watched(...)`` makes a controller and watches it, to its end after the test."""
    watching = []

    def make(*arguments, **keywords):
        search = adapt(controller(*arguments, **keywords))
        watching.append((search, search.subscribe(lambda: None)))
        return search

    yield make
    for search, unsubscribe in watching:
        if search.status.is_alive:
            search.command("stop")
            until(search, lambda search=search: not search.status.is_alive)
        unsubscribe()
        search.close()


@pytest.fixture
def started(watched, sdk_worker):
    """``search, *tasks = started(number, ...)`` starts a controller, and so many of its Tasks begin."""

    def make(number, *arguments, **keywords):
        search = watched(*arguments, **keywords)
        search.command("start")
        return search, *(sdk_worker.take() for _ in range(number))

    return make
