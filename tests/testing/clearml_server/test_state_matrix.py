"""Each operation does to a Task in each status what it does on the real server."""

from __future__ import annotations

from collections import Counter

import pytest

from hpo_widgets.testing.clearml_server import ClearmlServer
from tests.each import each
from tests.testing.clearml_server.replay import DATA, Client, lines

ROWS = lines(DATA / "state_matrix.jsonl.gz")
# The calls that bring a fresh Task into each status.
WAYS = {
    "created": (),
    "queued": ("enqueue",),
    "in_progress": ("started",),
    "stopped": ("started", "stopped"),
    "completed": ("started", "completed"),
    "failed": ("started", "failed"),
    "published": ("started", "completed", "publish"),
}
PARAMETER = {"section": "General", "name": "lr", "value": "7"}
# What is sent beside the Task's id and force.
ARGUMENTS = {
    ("tasks.edit", "name"): {"name": "another name"},
    ("tasks.edit", "comment"): {"comment": "another comment"},
    ("tasks.edit", "hyperparams"): {"hyperparams": {"General": {"lr": PARAMETER}}},
    ("tasks.edit_hyper_params", "hyperparams"): {"hyperparams": [PARAMETER]},
    ("tasks.set_requirements", "requirements"): {"requirements": {"pip": "clearml"}},
}
STEP = 1.5  # seconds of the server's clock between calls, so that each has a time of its own


class Bench:
    """One server and one queue for all rows."""

    def __init__(self, server):
        self.server = server
        self.client = Client(server)
        self.clock = 0.0
        self.queue = self.data("queues.create", name="one queue")["id"]

    def call(self, endpoint, **data):
        self.clock += STEP
        self.server.skew(self.clock)
        return self.client.call(f"/{endpoint}", data)

    def data(self, endpoint, **data):
        answer = self.call(endpoint, **data)
        assert answer.status == 200, answer.body
        return answer.body["data"]

    def task_in(self, status):
        task = self.data("tasks.create", name="a task", type="training")["id"]
        for operation in WAYS[status]:
            arguments = {"queue": self.queue} if operation == "enqueue" else {}
            self.data(f"tasks.{operation}", task=task, **arguments)
        assert self.read(task)["status"] == status
        return task

    def read(self, task):
        answer = self.client.call("/tasks.get_by_id", {"task": task})
        return answer.body["data"]["task"] if answer.status == 200 else {"status": "GONE"}


@pytest.fixture(scope="module")
def bench():
    with ClearmlServer() as server:
        one = Bench(server)
        yield one
        one.client.close()


def test_all_rows_are_here():
    assert len(ROWS) == 238
    operations = Counter((row["op"], row["variant"], row["force"]) for row in ROWS)
    assert len(operations) == 34
    assert set(operations.values()) == {len(WAYS)}


def label(row):
    force = "-force" if row["force"] else ""
    return f"{row['op']}-{row['variant'] or 'plain'}{force}-{row['from']}"


def check(bench, row):
    task = bench.task_in(row["from"])
    before = bench.read(task)
    arguments = dict(ARGUMENTS.get((row["op"], row["variant"]), {}))
    if row["op"] == "tasks.enqueue":
        arguments["queue"] = bench.queue
    target = {"tasks": [task]} if row["op"] == "tasks.archive" else {"task": task}
    force = {"force": True} if row["force"] else {}
    answer = bench.call(row["op"], **target, **force, **arguments)
    after = bench.read(task)
    assert (answer.status, answer.body["meta"]["result_subcode"]) == (row["code"], row["subcode"])
    assert after["status"] == row["to"]
    if row["to"] != "GONE":
        changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
        assert sorted(changed) == row["changed_fields"]


def test_an_operation_on_a_task_in_a_status(bench):
    rows = {label(row): row for row in ROWS}
    assert len(rows) == len(ROWS)
    each(rows, lambda row: check(bench, row))
