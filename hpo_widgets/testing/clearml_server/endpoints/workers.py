"""``workers``: register, report and list them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from hpo_widgets.testing.clearml_server.clock import stored
from hpo_widgets.testing.clearml_server.errors import bad_request
from hpo_widgets.testing.clearml_server.fields import Field
from hpo_widgets.testing.clearml_server.routing import Call, endpoint
from hpo_widgets.testing.clearml_server.workers import DEFAULT_TIMEOUT, described, heard_of, silence

if TYPE_CHECKING:
    from hpo_widgets.testing.clearml_server.documents import Document

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
    worker = heard_of(call.store, call.data["worker"])
    worker.update(
        queues=queues,
        tags=call.data.get("tags") or [],
        register_timeout=call.data.get("timeout") or DEFAULT_TIMEOUT,
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
    worker = heard_of(store, data["worker"])
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
