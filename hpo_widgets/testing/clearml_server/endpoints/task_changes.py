"""``tasks``: changes of status that need no queue."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hpo_widgets.testing.clearml_server.errors import bad_request
from hpo_widgets.testing.clearml_server.fields import Field
from hpo_widgets.testing.clearml_server.routing import Call, endpoint
from hpo_widgets.testing.clearml_server.states import (
    COMPLETED,
    CREATED,
    FAILED,
    IN_PROGRESS,
    PUBLISHED,
    QUEUED,
    STOPPED,
    change,
    check_change,
)
from hpo_widgets.testing.clearml_server.tasks import DEVELOPMENT, new_execution
from hpo_widgets.testing.clearml_server.workers import is_alive

if TYPE_CHECKING:
    from hpo_widgets.testing.clearml_server.documents import Document
    from hpo_widgets.testing.clearml_server.store import Store

TASK = Field("task", str, required=True)
CHANGE = (TASK, Field("force", bool), Field("status_reason", str), Field("status_message", str))
STOPPING = "stopping"
_OUTPUT = "output"


def _changed(call: Call, task: Document, new_status: str, **values: Any) -> Document:
    """Check and write a status, with the reason and the message of the request; what was written."""
    check_change(task, new_status, force=bool(call.data.get("force")))
    return change(
        call.store,
        task,
        new_status,
        reason=call.data.get("status_reason"),
        message=call.data.get("status_message"),
        **values,
    )


@endpoint("tasks.started", CHANGE)
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


@endpoint("tasks.stopped", CHANGE)
def stopped(call: Call) -> Document:
    """A Task was stopped."""
    task = call.store.task(call.data["task"])
    return {"updated": 1, "fields": _changed(call, task, STOPPED, completed=call.store.now())}


@endpoint("tasks.failed", CHANGE)
def failed(call: Call) -> Document:
    """A Task failed."""
    task = call.store.task(call.data["task"])
    return {"updated": 1, "fields": _changed(call, task, FAILED, completed=call.store.now())}


@endpoint("tasks.completed", [*CHANGE, Field("publish", bool)], since=(2, 2))
def completed(call: Call) -> Document:
    """A Task came to its end, and is published if the request says so."""
    task = call.store.task(call.data["task"])
    fields = _changed(call, task, COMPLETED, completed=call.store.now())
    if not call.data.get("publish"):
        return {"updated": 1, "published": 0, "fields": fields}
    published = change(
        call.store,
        task,
        PUBLISHED,
        reason=call.data.get("status_reason"),
        message=call.data.get("status_message"),
        published=call.store.now(),
    )
    return {"updated": 1, "published": 1, "fields": {**fields, **published}}


@endpoint("tasks.publish", [*CHANGE, Field("publish_model", bool)])
def publish(call: Call) -> Document:
    """A Task is published."""
    task = call.store.task(call.data["task"])
    fields = _changed(call, task, PUBLISHED, published=call.store.now())
    return {"updated": 1, "fields": {**fields, "output": task["output"]}}


@endpoint("tasks.stop", CHANGE)
def stop(call: Call) -> Document:
    """Ask a Task to stop: at once, unless a worker runs it, which is then left to do it."""
    return stop_task(
        call.store,
        call.store.task(call.data["task"]),
        force=bool(call.data.get("force")),
        reason=call.data.get("status_reason"),
    )


def stop_task(store: Store, task: Document, *, force: bool, reason: str | None) -> Document:
    """Ask a Task to stop.

    Parameters
    ----------
    store : Store
        Where it is.
    task : dict
        The Task.
    force : bool
        Whether any status will do.
    reason : str or None
        Why.

    Returns
    -------
    dict
        The answer's data.
    """
    runs_elsewhere = DEVELOPMENT not in task["system_tags"] and is_alive(store, task.get("last_worker"))
    if task["status"] == IN_PROGRESS and runs_elsewhere:
        fields = change(store, task, IN_PROGRESS, reason=reason, message=STOPPING)
        return {"updated": 1, "fields": fields}
    check_change(task, STOPPED, force=force)
    if task["status"] == QUEUED:
        store.queues.leave_all(task["id"], store.now())
    fields = change(store, task, STOPPED, reason=reason, message=f"Stopped by {store.identity.user_name}")
    return {"updated": 1, "fields": fields}


@endpoint("tasks.reset", [*CHANGE, Field("clear_all", bool)])
def reset(call: Call) -> Document:
    """A Task is as if it had never run; what it is to run with stays."""
    store = call.store
    task = store.task(call.data["task"])
    if task["status"] == PUBLISHED and not call.data.get("force"):
        raise bad_request(110, "Invalid task status", task_id=task["id"], status=PUBLISHED)
    removed = store.queues.leave_all(task["id"], store.now())
    store.enqueued_from.pop(task["id"], None)
    store.events.remove(task["id"])
    fields = change(store, task, CREATED, reason="reset", message="reset")
    clear_run(task)
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


def clear_run(task: Document) -> None:
    """Forget what a run wrote into a Task."""
    for name in ("started", "completed", "published", "active_duration", "last_worker", "last_worker_report"):
        task.pop(name, None)
    task["last_iteration"] = 0
    for name in ("last_metrics", "metric_stats", "runtime"):
        task[name] = {}
    execution = task["execution"]
    kept = [artifact for artifact in execution["artifacts"] if artifact["mode"] != _OUTPUT]
    task["execution"] = {name: value for name, value in execution.items() if name != "queue"} | {"artifacts": kept}


@endpoint("tasks.ping", [TASK])
def ping(call: Call) -> Document:
    """A sign of life of a Task; one of an unknown Task is taken as well."""
    task = call.store.tasks.get(call.data["task"])
    if task is not None:
        note_activity(call.store, task)
        call.store.touch(task, call.store.now())
    return {}


def note_activity(store: Store, task: Document) -> None:
    """Note for how long a Task that runs has run, in whole seconds.

    Parameters
    ----------
    store : Store
        Where it is.
    task : dict
        The Task.
    """
    if task["status"] == IN_PROGRESS and "started" in task:
        task["active_duration"] = max(0, (store.now() - task["started"]) // timedelta(seconds=1))
