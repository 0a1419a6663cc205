"""What the Tasks of a search tell of its trials, whichever Tasks there are."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from hpo_widgets import UniformParameterRange
from hpo_widgets.engines.clearml import local_jobs
from hpo_widgets.engines.clearml.children import recover
from hpo_widgets.engines.clearml.server import Server
from hpo_widgets.space import Space
from hpo_widgets.trials import TrialRow, TrialState

SPACE = Space([UniformParameterRange("x", 0, 1)])


class Holding(Server):
    """A server that has some Tasks."""

    def __init__(self, *tasks):
        self.held = tasks
        self.stopped = []

    def call(self, action, /, **body):
        if action == "tasks.stop_many":
            self.stopped += body["ids"]
            return {}
        assert action == "tasks.get_all"
        ids, parent = body.get("id"), body.get("parent")
        tasks = [task for task in self.held if (task["parent"] == parent if ids is None else task["id"] in ids)]
        return {"tasks": tasks}


def child(task_id, status, parent="parent", trial=0, **more):
    facts = {"search": "s", "trial": trial, "epoch": 0, "draw": trial, "enqueued": False, "point": json.dumps([0.5])}
    hyperparams = {"hpo_widgets": {name: {"value": str(value)} for name, value in {**facts, **more}.items()}}
    return {"id": task_id, "status": status, "parent": parent, "hyperparams": hyperparams}


def launched(number, job):
    row = TrialRow(number, TrialState.RUNNING, 0, [0.5])
    row.job = job
    return row


def recovered(tasks, rows=()):
    told = []
    found = recover(Holding(*tasks), "parent", "s", rows, SPACE, told.append)
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
    gone, unlaunched = recover(Holding(), "parent", "s", [launched(0, "a"), launched(1, None)], SPACE, print)
    assert (gone.state, gone.error) == (None, "its Task was deleted on the server")
    assert (unlaunched.state, unlaunched.error) == (None, None)


@pytest.fixture
def process():
    """A process of this machine that runs the Task ``"here"``."""
    environment = {**os.environ, "CLEARML_TASK_ID": "here"}
    waits = [sys.executable, "-c", "print(flush=True); input()"]
    with subprocess.Popen(waits, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as made:
        made.stdout.readline()
        yield
        made.communicate(b"\n")


@pytest.mark.usefixtures("process")
def test_a_task_of_this_machine_runs_only_while_its_process_does():
    here = local_jobs.here()
    tasks = [
        child("here", "in_progress", trial=0, machine=here),
        child("gone", "in_progress", trial=1, machine=here),
        child("done", "completed", trial=2, machine=here),
        child("far", "in_progress", trial=3, machine=f"{here}0"),  # another user's
        child("agent", "in_progress", trial=4),
        {**child("queued", "in_progress", trial=5, machine=here), "execution": {"queue": "q"}},
    ]
    server = Holding(*tasks)
    found = recover(server, "parent", "s", [], SPACE, print)
    ended = {2: TrialState.COMPLETED, 1: TrialState.ABORTED}
    assert [one.state for one in found] == [ended.get(number, TrialState.RUNNING) for number in range(6)]
    assert found[1].error == "its process has ended without reporting an end"
    assert server.stopped == ["gone"]


@pytest.mark.parametrize("section", ["General", "a.section"])
@pytest.mark.parametrize(("text", "state"), [("0.5", TrialState.COMPLETED), ("0.25", TrialState.FAILED)])
def test_a_task_that_was_edited_before_it_completed_is_no_result(section, text, state):
    task = child("a", "completed")
    task["hyperparams"][section] = {"x": {"value": text}}
    space = Space([UniformParameterRange(f"{section}/x", 0, 1)])
    (found,) = recover(Holding(task), "parent", "s", [launched(0, "a")], space, print)
    assert found.state is state
    if state is TrialState.FAILED:
        assert found.error == f"its Task was edited on the server: {section}/x is '0.25' there and not '0.5'"
