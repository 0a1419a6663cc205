"""Workers: who serves which queues, and what they were last heard to run."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpo_widgets.testing.clearml_server.documents import Document
    from hpo_widgets.testing.clearml_server.store import Store

DEFAULT_TIMEOUT = 600


def heard_of(store: Store, worker_id: str) -> Document:
    """The worker of an id, who is known from now on and was heard of just now.

    Parameters
    ----------
    store : Store
        Where.
    worker_id : str
        Who.

    Returns
    -------
    dict
        The worker itself, no copy.
    """
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
            "register_timeout": DEFAULT_TIMEOUT,
            "task": None,
            "queue": None,
        },
    )
    worker["last_activity_time"] = worker["last_report_time"] = moment
    return worker


def is_alive(store: Store, worker_id: str | None) -> bool:
    """Whether a worker was heard of within its timeout.

    Parameters
    ----------
    store : Store
        Where it is.
    worker_id : str or None
        Its id; None: no worker.

    Returns
    -------
    bool
        False also for a worker that is not known.
    """
    worker = store.workers.get(worker_id or "")
    return worker is not None and silence(store, worker) < timedelta(seconds=worker["register_timeout"])


def silence(store: Store, worker: Document) -> timedelta:
    """For how long nothing was heard of a worker.

    Parameters
    ----------
    store : Store
        Where it is.
    worker : dict
        The worker.

    Returns
    -------
    timedelta
        Since its last report.
    """
    elapsed: timedelta = store.now() - worker["last_report_time"]
    return elapsed


def described(store: Store, worker: Document) -> Document:
    """A worker as answers show it, with its queues and what it runs.

    Parameters
    ----------
    store : Store
        Where it is.
    worker : dict
        The worker.

    Returns
    -------
    dict
        A new document.
    """
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
