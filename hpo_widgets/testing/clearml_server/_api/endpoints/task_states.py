"""``tasks``: change their status, enqueue, archive and delete them, one or many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hpo_widgets.testing.clearml_server._api.endpoints.queues import default_queue, make_queue
from hpo_widgets.testing.clearml_server._api.endpoints.workers import is_alive
from hpo_widgets.testing.clearml_server._api.errors import ApiError, bad_request, unknown_tasks, validation_error
from hpo_widgets.testing.clearml_server._api.routing import Call, Field, endpoint
from hpo_widgets.testing.clearml_server._api.tasks import (
    ARCHIVED,
    COMPLETED,
    CREATED,
    DEVELOPMENT,
    FAILED,
    IN_PROGRESS,
    PUBLISHED,
    QUEUED,
    STATUSES,
    STOPPED,
    change,
    check_change,
    new_execution,
    sorted_tags,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from hpo_widgets.testing.clearml_server._api.documents import Document

_TASK = Field("task", str, required=True)
_FORCE = Field("force", bool)
_REASONS = (Field("status_reason", str), Field("status_message", str))
_CHANGE = (_TASK, _FORCE, *_REASONS)
_MANY = (Field("ids", list, filled=True), _FORCE, *_REASONS)
_QUEUE = (Field("queue", str), Field("queue_name", str))
STOPPING = "stopping"
_OUTPUT = "output"
_NO_PARENT = "__DELETED__"


def _each(call: Call, act: Callable[[Call, Document], Document]) -> Document:
    """Do the same to each of several Tasks, each with its own success or failure."""
    succeeded, failed = [], []
    for task_id in call.data["ids"]:
        try:
            succeeded.append({"id": task_id, **act(call, call.store.task(task_id))})
        except ApiError as error:
            problem = {"codes": [error.code, error.subcode], "msg": error.message, "data": {}}
            failed.append({"id": task_id, "error": problem})
    return {"succeeded": succeeded, "failed": failed}


def _write_status(call: Call, task: Document, new_status: str, **values: Any) -> Document:
    """Write a status with the reason and the message of the request; what was written."""
    data = call.data
    reason, message = data.get("status_reason"), data.get("status_message")
    return change(call.store, task, new_status, reason=reason, message=message, **values)


def _changed(call: Call, task: Document, new_status: str, **values: Any) -> Document:
    """Check and write a status; what was written."""
    check_change(task, new_status, force=bool(call.data.get("force")))
    return _write_status(call, task, new_status, **values)


@endpoint("tasks.started", _CHANGE)
def started(call: Call) -> Document:
    """A Task runs. Where it did not run before, the run begins now."""
    task = call.store.tasks.get(call.data["task"])
    if task is None:
        raise bad_request(10, "Invalid object id", task=None)
    begins = task["status"] != IN_PROGRESS
    moment = call.store.now()
    fields = _changed(call, task, IN_PROGRESS, **({"started": moment} if begins else {}))
    if begins:
        task.pop("completed", None)
    return {"updated": 1, "started": 1, "fields": fields}


@endpoint("tasks.stopped", _CHANGE)
def stopped(call: Call) -> Document:
    """A Task was stopped."""
    return {"updated": 1, "fields": _changed(call, call.task, STOPPED, completed=call.store.now())}


@endpoint("tasks.failed", _CHANGE)
def failed(call: Call) -> Document:
    """A Task failed."""
    return {"updated": 1, "fields": _changed(call, call.task, FAILED, completed=call.store.now())}


@endpoint("tasks.completed", [*_CHANGE, Field("publish", bool)], since=(2, 2))
def completed(call: Call) -> Document:
    """A Task came to its end, and is published if the request says so."""
    task = call.task
    fields = _changed(call, task, COMPLETED, completed=call.store.now())
    if not call.data.get("publish"):
        return {"updated": 1, "published": 0, "fields": fields}
    published = _write_status(call, task, PUBLISHED, published=call.store.now())
    return {"updated": 1, "published": 1, "fields": {**fields, **published}}


@endpoint("tasks.publish", [*_CHANGE, Field("publish_model", bool)])
def publish(call: Call) -> Document:
    """A Task is published."""
    task = call.task
    fields = _changed(call, task, PUBLISHED, published=call.store.now())
    return {"updated": 1, "fields": {**fields, "output": task["output"]}}


@endpoint("tasks.stop", _CHANGE)
def stop(call: Call) -> Document:
    """Ask a Task to stop: at once, unless a worker runs it, which is then left to do it."""
    return _stop(call, call.task)


@endpoint("tasks.stop_many", _MANY)
def stop_many(call: Call) -> Document:
    """Stop Tasks."""
    return _each(call, _stop)


def _stop(call: Call, task: Document) -> Document:
    store, reason = call.store, call.data.get("status_reason")
    if call.halfway:
        change(store, task, STOPPED, reason="stopped by another request")
        raise bad_request(121, "Failed changing task status", task=task["id"], new_status=STOPPED)
    runs_elsewhere = DEVELOPMENT not in task["system_tags"] and is_alive(store, task.get("last_worker"))
    if task["status"] == IN_PROGRESS and runs_elsewhere:
        return {"updated": 1, "fields": change(store, task, IN_PROGRESS, reason=reason, message=STOPPING)}
    check_change(task, STOPPED, force=bool(call.data.get("force")))
    if task["status"] == QUEUED:
        store.queues.leave_all(task["id"], store.now())
    fields = change(store, task, STOPPED, reason=reason, message=f"Stopped by {store.identity.user_name}")
    return {"updated": 1, "fields": fields}


@endpoint("tasks.reset", [*_CHANGE, Field("clear_all", bool)])
def reset(call: Call) -> Document:
    """A Task is as if it had never run; what it is to run with stays."""
    store, task = call.store, call.task
    if task["status"] == PUBLISHED and not call.data.get("force"):
        raise bad_request(110, "Invalid task status", task_id=task["id"], status=PUBLISHED)
    removed = store.queues.leave_all(task["id"], store.now())
    store.enqueued_from.pop(task["id"], None)
    store.events.remove(task["id"])
    fields = change(store, task, CREATED, reason="reset", message="reset")
    _clear_run(task)
    if call.data.get("clear_all"):
        task["script"] = {"binary": "python", "repository": "", "entry_point": "", "requirements": {}}
        task["execution"] = new_execution()
        task["hyperparams"], task["configuration"] = {}, {}
    return {
        "updated": 1,
        "fields": fields,
        "dequeued": {"removed": removed} if removed else {},
        "deleted_models": 0,
        "events": {},
        "urls": {},
    }


def _clear_run(task: Document) -> None:
    """Forget what a run wrote into a Task."""
    for name in ("started", "completed", "published", "active_duration", "last_worker", "last_worker_report"):
        task.pop(name, None)
    task["last_iteration"] = 0
    for name in ("last_metrics", "metric_stats", "runtime"):
        task[name] = {}
    execution = task["execution"]
    kept = [artifact for artifact in execution["artifacts"] if artifact["mode"] != _OUTPUT]
    task["execution"] = {name: value for name, value in execution.items() if name != "queue"} | {"artifacts": kept}


@endpoint("tasks.ping", [_TASK])
def ping(call: Call) -> Document:
    """A sign of life of a Task; one of an unknown Task is taken as well."""
    task = call.store.tasks.get(call.data["task"])
    if task is not None:
        call.store.note_activity(task)
    return {}


@endpoint("tasks.enqueue", [*_CHANGE, *_QUEUE, Field("verify_watched_queue", bool)])
def enqueue(call: Call) -> Document:
    """Let a Task wait in a queue."""
    if call.data.get("queue") and call.data.get("queue_name"):
        raise validation_error("Either queue id or queue name should be provided")
    return _enqueue(call, call.task)


@endpoint("tasks.enqueue_many", [*_MANY, *_QUEUE])
def enqueue_many(call: Call) -> Document:
    """Let Tasks wait in a queue."""
    return _each(call, _enqueue)


def _enqueue(call: Call, task: Document) -> Document:
    store = call.store
    queue_id = _queue(call)
    before = task["status"]
    moment = store.now()
    fields = _changed(call, task, QUEUED, moment=moment)
    if before != QUEUED:
        store.enqueued_from[task["id"]] = before
    if call.halfway:
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
    if call.data.get("verify_watched_queue"):
        result["queue_watched"] = any(queue_id in worker["queues"] for worker in store.workers.values())
    return result


def _queue(call: Call) -> str:
    store, name = call.store, call.data.get("queue_name")
    if call.data.get("queue"):
        return store.queue_id(call.data["queue"])
    if not name:
        return default_queue(store)
    found = store.queues.named(name)
    return found["id"] if found else make_queue(store, name)


@endpoint("tasks.dequeue", [_TASK, *_REASONS, Field("new_status", str), Field("remove_from_all_queues", bool)])
def dequeue(call: Call) -> Document:
    """Let a Task wait no more; it gets the status back that it had, or one that the request names."""
    new_status = call.data.get("new_status")
    if new_status and new_status not in STATUSES:
        raise validation_error(f"Invalid task status: {new_status}")
    task = call.store.tasks.get(call.data["task"])
    if task is None or task["status"] not in {QUEUED, IN_PROGRESS}:
        return {"dequeued": 1, "updated": 0, "fields": {}}
    return {"dequeued": 1, "updated": 1, "fields": {**_dequeue(call, task), "enqueue_status": None}}


def _dequeue(call: Call, task: Document) -> Document:
    store = call.store
    if task["status"] == QUEUED:
        store.queues.leave_all(task["id"], store.now())
    before = store.enqueued_from.pop(task["id"], CREATED)
    return _write_status(call, task, call.data.get("new_status") or before)


@endpoint("tasks.archive", [Field("tasks", list, filled=True), *_REASONS])
def archive(call: Call) -> Document:
    """Hide Tasks; those that wait or run are taken out first."""
    tasks = call.store.tasks
    unknown = [task_id for task_id in call.data["tasks"] if tasks.get(task_id) is None]
    if unknown:
        raise unknown_tasks(*unknown)
    found = tasks.of_ids(call.data["tasks"])
    for task in found:
        _archive(call, task)
    return {"archived": len(found)}


@endpoint("tasks.archive_many", _MANY)
def archive_many(call: Call) -> Document:
    """Hide Tasks."""
    return _each(call, _archive)


def _archive(call: Call, task: Document) -> Document:
    if task["status"] == QUEUED:
        _dequeue(call, task)
    elif task["status"] == IN_PROGRESS:
        _write_status(call, task, STOPPED)
    task["status_reason"] = call.data.get("status_reason") or ""
    task["status_message"] = call.data.get("status_message") or ""
    task["system_tags"] = sorted_tags([*(tag for tag in task["system_tags"] if tag != ARCHIVED), ARCHIVED])
    call.store.touch(task, call.store.now(), update=False)
    return {"archived": True}


@endpoint("tasks.unarchive_many", _MANY)
def unarchive_many(call: Call) -> Document:
    """Show Tasks again that were hidden."""
    return _each(call, _unarchive)


def _unarchive(call: Call, task: Document) -> Document:
    task["system_tags"] = [tag for tag in task["system_tags"] if tag != ARCHIVED]
    call.store.touch(task, call.store.now(), update=False)
    return {"unarchived": True}


@endpoint("tasks.delete", [_TASK, _FORCE, Field("return_file_urls", bool)])
def delete(call: Call) -> Document:
    """Forget a Task with all that it reported."""
    return _delete(call, call.task)


@endpoint("tasks.delete_many", _MANY)
def delete_many(call: Call) -> Document:
    """Forget Tasks."""
    return _each(call, _delete)


def _delete(call: Call, task: Document) -> Document:
    store, task_id = call.store, task["id"]
    children = store.tasks.of("parent", [task_id])
    if not call.data.get("force"):
        _check_deletable(task, children)
    if call.halfway:
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
