"""``tasks.*_many``: one operation on several Tasks, each with its own success or failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpo_widgets.testing.clearml_server.endpoints.deletion import archive_task, delete_task, unarchive_task
from hpo_widgets.testing.clearml_server.endpoints.task_changes import stop_task
from hpo_widgets.testing.clearml_server.endpoints.task_queueing import enqueue_task
from hpo_widgets.testing.clearml_server.errors import ApiError, bad_request
from hpo_widgets.testing.clearml_server.fields import Field
from hpo_widgets.testing.clearml_server.routing import Call, endpoint
from hpo_widgets.testing.clearml_server.states import STOPPED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hpo_widgets.testing.clearml_server.documents import Document

_MANY = (
    Field("ids", list, filled=True),
    Field("status_reason", str),
    Field("status_message", str),
)
_FORCE = Field("force", bool)


def _each(ids: Iterable[str], act: Callable[[str], Document]) -> Document:
    succeeded, failed = [], []
    for task_id in ids:
        try:
            succeeded.append({"id": task_id, **act(task_id)})
        except ApiError as error:
            problem = {"codes": [error.code, error.subcode], "msg": error.message, "data": {}}
            failed.append({"id": task_id, "error": problem})
    return {"succeeded": succeeded, "failed": failed}


@endpoint("tasks.archive_many", _MANY)
def archive_many(call: Call) -> Document:
    """Hide Tasks."""
    store, data = call.store, call.data

    def act(task_id: str) -> Document:
        archive_task(store, store.task(task_id), data.get("status_reason"), data.get("status_message"))
        return {"archived": True}

    return _each(data["ids"], act)


@endpoint("tasks.unarchive_many", _MANY)
def unarchive_many(call: Call) -> Document:
    """Show Tasks again."""

    def act(task_id: str) -> Document:
        unarchive_task(call.store, call.store.task(task_id))
        return {"unarchived": True}

    return _each(call.data["ids"], act)


@endpoint("tasks.delete_many", [*_MANY, _FORCE])
def delete_many(call: Call) -> Document:
    """Forget Tasks."""
    store, force = call.store, bool(call.data.get("force"))
    return _each(call.data["ids"], lambda task_id: delete_task(store, store.task(task_id), force=force))


@endpoint("tasks.stop_many", [*_MANY, _FORCE])
def stop_many(call: Call) -> Document:
    """Stop Tasks."""
    store, data = call.store, call.data
    force, reason = bool(data.get("force")), data.get("status_reason")

    def act(task_id: str) -> Document:
        task = store.task(task_id)
        if call.halfway:
            stop_task(store, task, force=True, reason="stopped by another request")
            raise bad_request(121, "Failed changing task status", task=task_id, new_status=STOPPED)
        return stop_task(store, task, force=force, reason=reason)

    return _each(data["ids"], act)


@endpoint("tasks.enqueue_many", [*_MANY, _FORCE, Field("queue", str), Field("queue_name", str)])
def enqueue_many(call: Call) -> Document:
    """Let Tasks wait in a queue."""
    data = call.data
    return _each(data["ids"], lambda task_id: enqueue_task(call.store, {**data, "task": task_id}))
