"""``tasks``: into a queue and out of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpo_widgets.testing.clearml_server.endpoints.queues import default_queue, make_queue
from hpo_widgets.testing.clearml_server.errors import ApiError, validation_error
from hpo_widgets.testing.clearml_server.fields import Field
from hpo_widgets.testing.clearml_server.routing import Call, endpoint
from hpo_widgets.testing.clearml_server.states import (
    CREATED,
    IN_PROGRESS,
    QUEUED,
    STATUSES,
    change,
    check_change,
)
from hpo_widgets.testing.clearml_server.tasks import DEVELOPMENT

if TYPE_CHECKING:
    from hpo_widgets.testing.clearml_server.documents import Document
    from hpo_widgets.testing.clearml_server.store import Store

_TASK = Field("task", str, required=True)
_REASONS = (Field("status_reason", str), Field("status_message", str))


@endpoint(
    "tasks.enqueue",
    [
        _TASK,
        *_REASONS,
        Field("force", bool),
        Field("queue", str),
        Field("queue_name", str),
        Field("verify_watched_queue", bool),
    ],
)
def enqueue(call: Call) -> Document:
    """Let a Task wait in a queue."""
    return enqueue_task(call.store, call.data, halfway=call.halfway)


def enqueue_task(store: Store, data: Document, *, halfway: bool = False) -> Document:
    """Let a Task wait in a queue.

    Parameters
    ----------
    store : Store
        Where both are.
    data : dict
        The request: ``task``, and ``queue`` or ``queue_name``.
    halfway : bool, default False
        Whether it ends before the queue has an entry.

    Returns
    -------
    dict
        The answer's data.

    Raises
    ------
    ApiError
        When there is no such Task or queue, or the Task waits there already.
    """
    if data.get("queue") and data.get("queue_name"):
        raise validation_error("Either queue id or queue name should be provided")
    task = store.task(data["task"])
    queue_id = _queue(store, data)
    check_change(task, QUEUED, force=bool(data.get("force")))
    before = task["status"]
    moment = store.now()
    fields = change(
        store,
        task,
        QUEUED,
        reason=data.get("status_reason"),
        message=data.get("status_message"),
        moment=moment,
    )
    if before != QUEUED:
        store.enqueued_from[task["id"]] = before
    if halfway:
        return {}
    try:
        store.queues.enter(queue_id, task["id"], moment)
    except ApiError:
        change(store, task, before, reason="failed enqueueing")
        raise
    if before == QUEUED:
        store.queues.leave_others(queue_id, task["id"], moment)
    task["execution"] = {**task["execution"], "queue": queue_id}
    if DEVELOPMENT in task["system_tags"]:
        task["system_tags"] = [tag for tag in task["system_tags"] if tag != DEVELOPMENT]
    result: Document = {
        "queued": 1,
        "updated": 1,
        "fields": {**fields, "enqueue_status": before, "execution.queue": queue_id},
    }
    if data.get("verify_watched_queue"):
        result["queue_watched"] = any(queue_id in worker["queues"] for worker in store.workers.values())
    return result


def _queue(store: Store, data: Document) -> str:
    if data.get("queue"):
        return store.queue_id(data["queue"])
    name = data.get("queue_name")
    if not name:
        return default_queue(store)
    found = store.queues.named(name)
    return found["id"] if found else make_queue(store, name)


@endpoint("tasks.dequeue", [_TASK, *_REASONS, Field("new_status", str), Field("remove_from_all_queues", bool)])
def dequeue(call: Call) -> Document:
    """Let a Task wait no more; it gets the status back that it had, or one that the request names."""
    store, data = call.store, call.data
    new_status = data.get("new_status")
    if new_status and new_status not in STATUSES:
        raise validation_error(f"Invalid task status: {new_status}")
    task = store.tasks.get(data["task"])
    if task is None:
        return {"dequeued": 1, "updated": 0, "fields": {}}
    return dequeue_task(
        store,
        task,
        new_status,
        reason=data.get("status_reason"),
        message=data.get("status_message"),
    )


def dequeue_task(
    store: Store,
    task: Document,
    new_status: str | None = None,
    *,
    reason: str | None = None,
    message: str | None = None,
) -> Document:
    """Let a Task wait no more.

    Parameters
    ----------
    store : Store
        Where it is.
    task : dict
        The Task.
    new_status : str, optional
        What it becomes; by default what it was before it waited.
    reason, message : str, optional
        Why.

    Returns
    -------
    dict
        The answer's data.
    """
    if task["status"] not in {QUEUED, IN_PROGRESS}:
        return {"dequeued": 1, "updated": 0, "fields": {}}
    if task["status"] == QUEUED:
        store.queues.leave_all(task["id"], store.now())
    before = store.enqueued_from.pop(task["id"], CREATED)
    fields = change(store, task, new_status or before, reason=reason, message=message)
    return {"dequeued": 1, "updated": 1, "fields": {**fields, "enqueue_status": None}}
