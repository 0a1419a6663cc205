"""``tasks``: archive and delete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpo_widgets.testing.clearml_server.endpoints.task_queueing import dequeue_task
from hpo_widgets.testing.clearml_server.errors import bad_request, unknown_tasks
from hpo_widgets.testing.clearml_server.fields import Field
from hpo_widgets.testing.clearml_server.routing import Call, endpoint
from hpo_widgets.testing.clearml_server.states import CREATED, IN_PROGRESS, PUBLISHED, QUEUED, STOPPED, change
from hpo_widgets.testing.clearml_server.tasks import ARCHIVED, sorted_tags

if TYPE_CHECKING:
    from hpo_widgets.testing.clearml_server.documents import Document
    from hpo_widgets.testing.clearml_server.store import Store

_NO_PARENT = "__DELETED__"


@endpoint(
    "tasks.archive",
    [Field("tasks", list, filled=True), Field("status_reason", str), Field("status_message", str)],
)
def archive(call: Call) -> Document:
    """Hide Tasks; those that wait or run are taken out first."""
    store, data = call.store, call.data
    unknown = [task_id for task_id in data["tasks"] if store.tasks.get(task_id) is None]
    if unknown:
        raise unknown_tasks(*unknown)
    found = store.tasks.of_ids(data["tasks"])
    for task in found:
        archive_task(store, task, data.get("status_reason"), data.get("status_message"))
    return {"archived": len(found)}


def archive_task(store: Store, task: Document, reason: str | None, message: str | None) -> None:
    """Hide a Task.

    Parameters
    ----------
    store : Store
        Where it is.
    task : dict
        The Task.
    reason, message : str or None
        Why.
    """
    if task["status"] == QUEUED:
        dequeue_task(store, task, reason=reason, message=message)
    elif task["status"] == IN_PROGRESS:
        change(store, task, STOPPED, reason=reason, message=message)
    task["status_reason"], task["status_message"] = reason or "", message or ""
    task["system_tags"] = sorted_tags([*(tag for tag in task["system_tags"] if tag != ARCHIVED), ARCHIVED])
    store.touch(task, store.now(), update=False)


def unarchive_task(store: Store, task: Document) -> None:
    """Show a Task again that was hidden.

    Parameters
    ----------
    store : Store
        Where it is.
    task : dict
        The Task.
    """
    task["system_tags"] = [tag for tag in task["system_tags"] if tag != ARCHIVED]
    store.touch(task, store.now(), update=False)


@endpoint(
    "tasks.delete",
    [Field("task", str, required=True), Field("force", bool), Field("return_file_urls", bool)],
)
def delete(call: Call) -> Document:
    """Forget a Task with all that it reported."""
    task = call.store.task(call.data["task"])
    return delete_task(call.store, task, force=bool(call.data.get("force")), halfway=call.halfway)


def delete_task(store: Store, task: Document, *, force: bool, halfway: bool = False) -> Document:
    """Forget a Task with all that it reported.

    Parameters
    ----------
    store : Store
        Where it is.
    task : dict
        The Task.
    force : bool
        Whether also one that is not in its first state, or has published children.
    halfway : bool, default False
        Whether it ends before the Task is gone.

    Returns
    -------
    dict
        The answer's data.
    """
    task_id = task["id"]
    children = store.tasks.of("parent", [task_id])
    if not force:
        _check_deletable(task, children)
    if halfway:
        change(store, task, CREATED)
        return {}
    for child in children:
        store.tasks.move(child, "parent", f"{_NO_PARENT}{task_id}")
    store.queues.leave_all(task_id, store.now())
    store.enqueued_from.pop(task_id, None)
    store.events.remove(task_id)
    store.tasks.remove(task)
    return {"deleted": True, "updated_children": len(children), "updated_models": 0, "deleted_models": 0, "urls": None}


def _check_deletable(task: Document, children: list[Document]) -> None:
    title, task_id, status = "Task cannot be deleted", task["id"], task["status"]
    archived = ARCHIVED in task["system_tags"] and status not in {QUEUED, IN_PROGRESS}
    if status != CREATED and not archived:
        raise bad_request(123, title, "due to status, use force=True", task=task_id, expected=CREATED, current=status)
    published = [child for child in children if child["status"] == PUBLISHED]
    if published:
        raise bad_request(123, title, "has children, use force=True", task=task_id, children=len(published))
