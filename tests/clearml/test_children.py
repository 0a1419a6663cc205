"""What the Tasks of a search tell of its trials, whichever Tasks there are."""

from __future__ import annotations

import json

import pytest

from hpo_widgets.engines.clearml.children import recover
from hpo_widgets.engines.clearml.server import Server
from hpo_widgets.trials import TrialRow, TrialState


class Holding(Server):
    """A server that has some Tasks."""

    def __init__(self, *tasks):
        self.held = tasks

    def call(self, action, /, **body):
        assert action == "tasks.get_all"
        ids, parent = body.get("id"), body.get("parent")
        tasks = [task for task in self.held if (task["parent"] == parent if ids is None else task["id"] in ids)]
        return {"tasks": tasks}


def child(task_id, status, parent="parent", trial=0):
    facts = {"search": "s", "trial": trial, "epoch": 0, "draw": trial, "enqueued": False, "point": json.dumps([0.5])}
    hyperparams = {"hpo_widgets": {name: {"value": str(value)} for name, value in facts.items()}}
    return {"id": task_id, "status": status, "parent": parent, "hyperparams": hyperparams}


def launched(number, job):
    row = TrialRow(number, TrialState.RUNNING, 0, [0.5])
    row.job = job
    return row


def recovered(tasks, rows=()):
    told = []
    found = recover(Holding(*tasks), "parent", "s", rows, told.append)
    assert told == []
    return [(one.row.number, one.row.job, one.state) for one in found]


def test_a_trial_is_found_by_its_task_below_another_parent():
    rows = [launched(0, "a"), launched(1, "b"), launched(2, "c")]
    tasks = [child("a", "in_progress"), child("b", "in_progress", "another", 1)]
    assert recovered(tasks, rows) == [(0, "a", TrialState.RUNNING), (1, "b", TrialState.RUNNING), (2, "c", None)]


@pytest.mark.parametrize("rows", [[], [None]], ids=["unknown", "known without its Task"])
@pytest.mark.parametrize("status", ["completed", "in_progress"])
def test_a_draft_that_a_launch_has_left_behind_does_not_stand_for_the_trial(rows, status):
    tasks = [child("draft", "created"), child("trial", status), child("clone", "completed"), child("later", "created")]
    state = {"completed": TrialState.COMPLETED, "in_progress": TrialState.RUNNING}[status]
    assert recovered(tasks, [launched(0, job) for job in rows]) == [(0, "trial", state)]


def test_of_drafts_alone_the_oldest_is_the_trial():
    tasks = [child("first", "created"), child("second", "created")]
    assert recovered(tasks) == [(0, "first", TrialState.QUEUED)]


def test_a_trial_whose_task_is_gone_was_not_one_that_was_never_launched():
    gone, unlaunched = recover(Holding(), "parent", "s", [launched(0, "a"), launched(1, None)], print)
    assert (gone.state, gone.error) == (None, "its Task was deleted on the server")
    assert (unlaunched.state, unlaunched.error) == (None, None)
