"""What the tests of a search on ClearML share: a template that needs no script, and a worker that only calls.

A trial that is only calls takes milliseconds, and waits before a gate for as long as a test likes. That real scripts
and agents do the same calls is the business of other tests.
"""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from collections import Counter

import pytest

from hpo_widgets import HyperParameterOptimizer, UniformParameterRange
from hpo_widgets.engines.clearml import abort_thread, launch_thread, poll_thread, server
from hpo_widgets.engines.clearml.poll_thread import PollThread
from tests.clearml.way import Way
from tests.conftest import DEADLINE

PARAMETERS = {
    "General": {"x": ("0.5", "float"), "units": ("4", "int"), "kind": ("plain", "str"), "shuffle": ("True", "bool")},
    "Args": {"depth": ("2", "int"), "free": ("", "")},
}


def send_events(session, task, *lines):
    """Report scalars: (title, series, value, iteration)."""
    events = [
        {"type": "training_stats_scalar", "task": task, "metric": title, "variant": series, "value": value, "iter": at}
        for title, series, value, at in lines
    ]
    _send(session, events)


def print_lines(session, task, *lines):
    """Write lines to the console of a Task, one after another."""
    now = 1000 * time.time()
    _send(
        session,
        [
            {"type": "log", "task": task, "level": "info", "worker": "w", "msg": line, "timestamp": now + at}
            for at, line in enumerate(lines)
        ],
    )


def _send(session, events):
    answer = session.send_request(
        "events",
        "add_batch",
        data="\n".join(map(json.dumps, events)),
        headers={"Content-Type": "application/json-lines"},
    )
    assert answer.status_code == 200, answer.text


class FakeWorker(threading.Thread):
    """Takes Tasks from a queue and does with each what ``work`` says, until the gate is open.

    Attributes
    ----------
    gate : threading.Event
        Open: a Task ends as soon as it has begun.
    work : callable
        ``work(worker, task, x)`` begins a Task; the default reports x+1, x-1, x.
    end : callable
        ``end(worker, task)`` ends it; the default says completed.
    takes : threading.Event
        Open: it looks for Tasks in its queue; ``has_looked`` is set after each look.
    taken : list of str
        Tasks in the order in which they came.
    """

    def __init__(self, queue):
        super().__init__(daemon=True)
        from clearml.backend_api import Session

        self.name = f"fake-worker-{uuid.uuid4().hex[:8]}"
        self.session = Session(worker=self.name, initialize_logging=False)
        [found] = self.call("queues.get_all", name=f"^{queue}$")["queues"]
        self.queue = found["id"]
        self.gate = threading.Event()
        self.gate.set()
        self.takes = threading.Event()
        self.takes.set()
        self.has_looked = threading.Event()
        self.taken = []
        self.held = []
        self.work = FakeWorker.report
        self.end = FakeWorker.complete
        self.error = None
        self._closed = threading.Event()

    def call(self, action, ok=True, **body):
        service, _, name = action.partition(".")
        answer = self.session.send_request(service, name, json=body).json()
        assert not ok or answer["meta"]["result_code"] == 200, answer["meta"]
        return answer["data"]

    def run(self):
        try:
            self._run()
        except Exception as error:  # looked at when the test ends
            self.error = error

    def _run(self):
        # The longer nothing came, the more seldom it asks: a request takes milliseconds of computing.
        pause, next_look = 0.02, 0.0
        while not self._closed.wait(0.01):
            if self.takes.is_set() and time.monotonic() >= next_look:
                entry = self.call("queues.get_next_task", queue=self.queue).get("entry")
                if entry is not None:
                    self._begin(entry["task"])
                pause = 0.02 if entry is not None else min(1.5 * pause, 0.2)
                next_look = time.monotonic() + pause
                self.has_looked.set()
            if self.held and self.gate.is_set():
                task = self.held.pop(0)
                if self.status(task) == "in_progress":
                    self.end(self, task)

    def _begin(self, task):
        found = self.call("tasks.get_all", id=[task], only_fields=["status", "hyperparams"])["tasks"]
        if not found or found[0]["status"] != "queued":
            return
        self.call("tasks.started", task=task, force=True)
        self.taken.append(task)
        self.held.append(task)
        self.work(self, task, float(found[0]["hyperparams"]["General"].get("x", {"value": 0})["value"]))

    def status(self, task):
        found = self.call("tasks.get_all", id=[task], only_fields=["status"])["tasks"]
        return found[0]["status"] if found else None

    def report(self, task, x):
        send_events(
            self.session,
            task,
            *(("validation", "loss", x + step, at) for at, step in enumerate((1.0, -1.0, 0.0))),
            *(("accuracy per class", "cat", -x, at) for at in range(3)),
        )

    def complete(self, task):
        self.call("tasks.completed", task=task)

    def close(self):
        self._closed.set()
        self.gate.set()
        self.join(DEADLINE)
        assert self.error is None, self.error


def make_base_task(client, project, *, parameters=None, reports=True):
    """The id of a Task with parameters and, unless it "never ran", a report of each scalar."""
    found = client.projects.get_all(name=f"^{project}$", only_fields=["id"])
    project_id = found[0].id if found else client.projects.create(name=project).id
    task = client.tasks.create(name="train", type="training", project=project_id)
    hyperparams = {
        section: {
            name: {"section": section, "name": name, "value": value, "type": kind, "description": ""}
            for name, (value, kind) in entries.items()
        }
        for section, entries in (PARAMETERS if parameters is None else parameters).items()
    }
    client.tasks.edit(task=task.id, hyperparams=hyperparams, force=True)
    if reports:
        client.tasks.started(task=task.id)
        send_events(client.session, task.id, ("validation", "loss", 1.0, 0), ("accuracy per class", "cat", 0.5, 0))
        client.tasks.completed(task=task.id)
    return task.id


@pytest.fixture
def base_task(api_client, project):
    """The id of a template Task; its trials report ``validation/loss`` and ``accuracy per class/cat``."""
    return make_base_task(api_client, project)


@pytest.fixture
def worker(queue):
    """`FakeWorker` that serve the test's queue, with their gate open."""
    made = FakeWorker(queue)
    made.start()
    yield made
    made.close()


@pytest.fixture
def own(project):
    """A Task for an optimizer, which this process does not run as."""
    from clearml import Task

    return Task.create(project_name=project, task_name="mine")


class Asked:
    """What the searches of a test have asked of the server, by the server's own log.

    They ask as a worker of a name of their own. An external server shows no log: there their requests are noted on
    their way, ``through``.
    """

    def __init__(self, worker, log, through):
        self.through = through
        self._worker = worker
        self._log = log
        self._mark = 0

    def _entries(self):
        if self._log is None:
            return list(self.through.steps)
        return [entry for entry in self._log if entry.worker == self._worker]

    def start_over(self):
        """Leave out what was asked so far."""
        self._mark = len(self._entries())

    def in_order(self):
        """The endpoints, one after another."""
        return [entry.endpoint for entry in self._entries()[self._mark :]]

    def counts(self):
        """Endpoint to number of requests."""
        return Counter(self.in_order())


@pytest.fixture
def asked(clearml_api, base_task, worker, monkeypatch):
    """What the searches of the test ask; see `Asked`."""
    from clearml import Task

    del worker
    Task.get_task(task_id=base_task)  # the SDK's own session is there before, under another name
    worker = f"searches-{uuid.uuid4().hex[:8]}"
    monkeypatch.setenv("CLEARML_WORKER_NAME", worker)
    if clearml_api.server is not None:
        yield Asked(worker, clearml_api.server.log, None)
        return
    with Way(clearml_api.url) as through, pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLEARML_API_HOST", through.environment["CLEARML_API_HOST"])
        yield Asked(worker, None, through)


@pytest.fixture
def way(clearml_api, base_task, worker):
    """A `Way` to the API, which only the searches of the test take.

    Nothing is led this way any more when it is closed.
    """
    from clearml import Task

    del worker
    Task.get_task(task_id=base_task)  # the SDK's own session is there before, and goes straight
    with Way(clearml_api.url) as made, pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLEARML_API_HOST", made.url)
        yield made


@pytest.fixture
def task_search(base_task, queue, tmp_path, monkeypatch):
    """``task_search(parameters, ...)`` gives a search over the test's template, ended after the test.

    It looks at the server some thirty times a second, and is no more patient otherwise.
    """
    monkeypatch.setattr(poll_thread, "SETTLE_SECONDS", 0.1)
    monkeypatch.setattr(server, "FIRST_WAIT", 0.1)
    monkeypatch.setattr(launch_thread, "RETRY_SECONDS", 0.1)
    monkeypatch.setattr(abort_thread, "REFUSED_SECONDS", 0.1)
    searches = []

    def make(hyper_parameters=None, base=None, **keywords):
        if hyper_parameters is None:
            hyper_parameters = [UniformParameterRange("x", 0, 1)]
        defaults = {
            "objective_metric_title": "validation",
            "objective_metric_series": "loss",
            "objective_metric_sign": "min",
            "execution_queue": queue,
            "max_number_of_concurrent_tasks": 2,
            "total_max_jobs": 3,
            "pool_period_min": 0.005,
            "seed": 1,
            "journal": tmp_path / "journals",
        }
        searches.append(HyperParameterOptimizer(base or base_task, hyper_parameters, **{**defaults, **keywords}))
        return searches[-1]

    yield make
    for made in searches:
        made.stop()
        assert made.wait(timeout=DEADLINE / 60), f"it did not end: {made!r} {made.counts} {made.errors}"


@pytest.fixture
def optimizer(task_search, worker):
    """``optimizer(...)`` gives a search over x in [0, 1] that minimises the last ``validation/loss``."""
    del worker
    return task_search


@pytest.fixture
def running(optimizer, worker, until):
    """``running(...)`` gives a search whose two running trials have reported and wait before the gate."""

    def make(**keywords):
        worker.gate.clear()
        made = optimizer(**{"total_max_jobs": 4, **keywords})
        assert made.start()
        until(made, lambda: len(made.top(4)) == 2)
        return made

    return make


@pytest.fixture
def looks(monkeypatch):
    """How many trials each look at the server was for; the looks are the real ones."""
    counted = []
    look = PollThread.look

    def counting(self, followed):
        counted.append(len(followed))
        look(self, followed)

    monkeypatch.setattr(PollThread, "look", counting)
    return counted


def close_current_task():
    """Close this process's current Task, so that processes started later are not taken for parts of it."""
    from clearml import Task

    current = Task.current_task()
    if current is not None:
        current.close()
    for name in ("CLEARML_PROC_MASTER_ID", "TRAINS_PROC_MASTER_ID"):
        os.environ.pop(name, None)
