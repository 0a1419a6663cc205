"""Workers, who serve queues, and what they were last heard to run; ``workers``: register, report and list them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hpo_widgets.testing.clearml_server._api.documents import stored
from hpo_widgets.testing.clearml_server._api.errors import bad_request
from hpo_widgets.testing.clearml_server._api.routing import Call, Field, endpoint

if TYPE_CHECKING:
    from hpo_widgets.testing.clearml_server._api.documents import Document
    from hpo_widgets.testing.clearml_server._api.store import Store

_DEFAULT_TIMEOUT = 600


def _heard_of(store: Store, worker_id: str) -> Document:
    """The worker of an id, who is known from now on and was heard of just now."""
    moment = store.now()
    worker = store.workers.setdefault(
        worker_id,
        {
            "id": worker_id,
            "ip": "127.0.0.1",
            "queues": [],
            "tags": [],
            "system_tags": [],
            "register_time": moment,
            "register_timeout": _DEFAULT_TIMEOUT,
            "task": None,
            "queue": None,
        },
    )
    worker["last_activity_time"] = worker["last_report_time"] = moment
    return worker


def is_alive(store: Store, worker_id: str | None) -> bool:
    """Whether a worker was heard of within its timeout."""
    worker = store.workers.get(worker_id or "")
    return worker is not None and silence(store, worker) < timedelta(seconds=worker["register_timeout"])


def silence(store: Store, worker: Document) -> timedelta:
    """For how long nothing was heard of a worker."""
    elapsed: timedelta = store.now() - worker["last_report_time"]
    return elapsed


def described(store: Store, worker: Document) -> Document:
    """A worker as answers show it, with its queues and what it runs."""
    identity = store.identity
    result: Document = {
        "company": {"id": identity.company, "name": identity.company_name},
        "id": worker["id"],
        "ip": worker["ip"],
        "key": f"worker_{identity.company}_{identity.user}_{worker['id']}",
        "last_activity_time": worker["last_activity_time"],
        "last_report_time": worker["last_report_time"],
        "queues": [_queue(store, queue) for queue in worker["queues"] if queue in store.queues],
        "register_time": worker["register_time"],
        "register_timeout": worker["register_timeout"],
        "system_tags": worker["system_tags"],
        "tags": worker["tags"],
        "user": {"id": identity.user, "name": identity.user_name},
    }
    task = store.tasks.get(worker["task"])
    if task is not None:
        result["task"] = _task(task)
        project = store.projects.get(task.get("project", ""))
        if project is not None:
            result["project"] = {"id": project["id"], "name": project["name"]}
        if worker["queue"] in store.queues:
            result["queue"] = _queue(store, worker["queue"])
    return result


def _task(task: Document) -> Document:
    result: Document = {"id": task["id"], "name": task["name"], "last_iteration": task["last_iteration"]}
    if "active_duration" in task:
        result["running_time"] = task["active_duration"] * 1000
    return result


def _queue(store: Store, queue_id: str) -> Document:
    queue: Any = store.queues.get(queue_id)
    waiting = store.queues.entries(queue_id)
    result: Document = {"id": queue_id, "name": queue["name"], "num_tasks": len(waiting)}
    task = store.tasks.get(waiting[0]) if waiting else None
    if task is not None:
        result["next_task"] = {"id": task["id"], "name": task["name"]}
    return result


SINCE = (2, 4)
_WORKER = Field("worker", str, required=True)
_QUEUES = Field("queues", list)


def _check_queues(call: Call) -> list[str]:
    queues: list[str] = call.data.get("queues") or []
    unknown = tuple(queue for queue in queues if queue not in call.store.queues)
    if unknown:
        raise bad_request(701, "Invalid queue id", ids=unknown)
    return queues


@endpoint("workers.register", [_WORKER, _QUEUES, Field("timeout", int), Field("tags", list)], since=SINCE)
def register(call: Call) -> Document:
    """Somebody serves queues from now on."""
    queues = _check_queues(call)
    worker = _heard_of(call.store, call.data["worker"])
    worker.update(
        queues=queues,
        tags=call.data.get("tags") or [],
        register_timeout=call.data.get("timeout") or _DEFAULT_TIMEOUT,
        register_time=call.store.now(),
    )
    return {}


@endpoint("workers.unregister", [_WORKER], since=SINCE)
def unregister(call: Call) -> Document:
    """Somebody serves no more."""
    call.store.workers.pop(call.data["worker"], None)
    return {}


@endpoint(
    "workers.status_report",
    [
        _WORKER,
        _QUEUES,
        Field("timestamp", int, required=True),
        Field("task", str),
        Field("queue", str),
        Field("tags", list),
        Field("machine_stats", dict),
    ],
    since=SINCE,
)
def status_report(call: Call) -> Document:
    """Somebody says what they run; a Task learns who runs it."""
    store, data = call.store, call.data
    worker = _heard_of(store, data["worker"])
    if data.get("queues") is not None:
        worker["queues"] = [queue for queue in data["queues"] if queue in store.queues]
    if data.get("tags") is not None:
        worker["tags"] = data["tags"]
    worker["task"], worker["queue"] = data.get("task"), data.get("queue")
    task = store.tasks.get(data.get("task"))
    if task is not None:
        moment = store.now()
        task["last_worker"] = data["worker"]
        task["last_worker_report"] = stored(moment)
        store.touch(task, moment)
    return {}


@endpoint("workers.get_all", [Field("last_seen", int)], since=SINCE)
def get_all(call: Call) -> Document:
    """The workers that were heard of within some seconds."""
    store = call.store
    longest = call.data.get("last_seen")
    return {
        "workers": [
            described(store, worker)
            for worker in store.workers.values()
            if not longest or silence(store, worker) <= timedelta(seconds=longest)
        ],
    }
