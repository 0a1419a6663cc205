"""What the server says of a Task, in the words of this package."""

from __future__ import annotations

import threading

import pytest

from hpo_widgets.engines.clearml.reading import TaskRecords, read_task
from hpo_widgets.engines.clearml.server import RequestFailedError
from hpo_widgets.trials import Remark, TrialState
from tests.clearml.fake_server import FakeServer
from tests.conftest import DEADLINE


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("created", None),
        ("queued", TrialState.QUEUED),
        ("in_progress", TrialState.RUNNING),
        ("stopped", TrialState.ABORTED),
        ("failed", TrialState.FAILED),
        ("completed", TrialState.COMPLETED),
        ("closed", TrialState.COMPLETED),
        ("published", TrialState.COMPLETED),
    ],
)
def test_every_status_is_a_state(status, state):
    assert read_task({"id": "a", "status": status}).state is state


@pytest.mark.parametrize(
    ("reason", "message", "words"),
    [
        ("", "", ""),
        ("aborted", "", "aborted"),
        ("exit 1", "oom", "exit 1 oom"),
        ("reset", "reset", "reset"),
        (None, "x", "x"),
    ],
)
def test_reason_and_message_are_one_sentence(reason, message, words):
    assert read_task({"id": "a", "status_reason": reason, "status_message": message}).reason == words


def test_a_scalar_has_its_last_value_and_its_extremes_with_their_iterations():
    entry = {"metric": "m", "variant": "v", "value": 2, "min_value": 1, "min_value_iteration": 3, "count": 5}
    view = read_task({"id": "a", "last_iteration": 9, "last_metrics": {"x": {"y": entry}}})
    assert view.summary.scalars == {("m", "v"): [2.0, 9, 1.0, 3, 2.0, 0, 5]}
    assert view.summary.last_iteration == 9


@pytest.mark.parametrize(("value", "summary"), [(0.5, [0.5, 9, 0.5, 3, 2.0, 4, 5]), (3.0, [3.0, 9, 1.0, 3, 3.0, 4, 5])])
def test_a_last_value_that_the_extremes_do_not_have_yet_is_one(value, summary):
    # The server writes the extremes a moment after the value.
    entry = {"metric": "m", "variant": "v", "value": value, "count": 5}
    entry |= {"min_value": 1.0, "min_value_iteration": 3, "max_value": 2.0, "max_value_iteration": 4}
    view = read_task({"id": "a", "last_iteration": 9, "last_metrics": {"x": {"y": entry}}})
    assert view.summary.scalars == {("m", "v"): summary}


@pytest.mark.parametrize("value", [None, "1", True])
def test_what_is_no_number_is_no_scalar(value):
    entry = {"metric": "m", "variant": "v", "value": value}
    view = read_task({"id": "a", "last_iteration": 9, "last_metrics": {"x": {"y": entry}}})
    assert (dict(view.summary.scalars), view.summary.last_iteration) == ({}, -1)


@pytest.mark.parametrize(
    ("times", "seconds"),
    [
        ({}, None),
        ({"started": "2026-01-01T00:00:00"}, None),
        ({"started": "2026-01-01T00:00:00", "last_update": "2026-01-01T00:00:05+00:00"}, 5.0),
        ({"started": "2026-01-01T00:00:00Z", "completed": "2026-01-01T00:01:00.500000Z", "status": "completed"}, 60.5),
        ({"started": "2026-01-01T00:00:00", "status_changed": "2026-01-01T00:00:07", "status": "stopped"}, 7.0),
        ({"started": "2026-01-01T00:00:09", "completed": "2026-01-01T00:00:00", "status": "failed"}, 0.0),
        ({"started": "soon", "completed": "2026-01-01T00:00:00"}, None),
    ],
    ids=["never", "just now", "runs", "ended", "stopped without an end", "backwards", "nonsense"],
)
def test_how_long_it_ran_is_a_difference_of_the_servers_times(times, seconds):
    assert read_task({"id": "a", "status": "in_progress", **times}).seconds == seconds


def test_values_are_by_full_name():
    hyperparams = {"General": {"lr": {"value": "1"}}, "Args": {"a/b": {"value": ""}, "c": {}}}
    values = read_task({"id": "a", "hyperparams": hyperparams}).values
    assert values == {"General/lr": "1", "Args/a/b": "", "Args/c": ""}


def test_a_task_that_is_not_on_the_server_any_more_has_reported_nothing():
    def records(code, subcode):
        return TaskRecords(FakeServer(RequestFailedError("events.get", code, subcode, "Invalid task id")))

    assert records(400, 101).scalars("gone") == []
    for code, subcode in ((400, 12), (500, 101)):
        with pytest.raises(RequestFailedError):
            records(code, subcode).scalars("there")


def test_a_remark_is_noted_while_the_server_takes_its_time_for_another():
    is_asked, may_answer, was_let = threading.Event(), threading.Event(), []

    def answer(_action, **_body):
        is_asked.set()
        was_let.append(may_answer.wait(DEADLINE))
        return {"tasks": [{}]}

    records = TaskRecords(FakeServer(answer))
    tell = records.remark("a", Remark(), lambda: Remark("first"))
    told = threading.Thread(target=tell)
    told.start()
    assert is_asked.wait(DEADLINE)
    records.remark("b", Remark(), Remark)
    records.remark("a", Remark("first"), Remark)
    may_answer.set()
    told.join()
    assert was_let == [True, True]
