"""``queues``: create, find and delete them, and take what waits in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hpo_widgets.testing.clearml_server._api.documents import (
    Document,
    as_list,
    listed,
    new_id,
    projected,
    selected_fields,
    stored,
)
from hpo_widgets.testing.clearml_server._api.errors import bad_request
from hpo_widgets.testing.clearml_server._api.routing import Call, Field, Version, endpoint
from hpo_widgets.testing.clearml_server._api.store import DEFAULT_QUEUE
from hpo_widgets.testing.clearml_server._api.tasks import CREATED, QUEUED, change, check_name

if TYPE_CHECKING:
    from hpo_widgets.testing.clearml_server._api.store import Store

SINCE = (2, 4)
QUEUE = Field("queue", str, required=True)
_QUEUE_FIELDS = frozenset({
    "id", "name", "display_name", "company", "created", "tags", "system_tags", "entries", "last_update",
    "metadata", "workers",
})  # fmt: skip
# From this version on, metadata are an object; before it a list.
_METADATA_OBJECTS_SINCE = Version(2, 20)


def make_queue(store: Store, name: str, **values: Any) -> str:
    """Make a queue; its id."""
    moment = stored(store.now())
    queue: Document = {
        "id": new_id(),
        "name": name,
        "company": store.identity.company,
        "created": moment,
        "tags": [],
        "system_tags": [],
        "last_update": moment,
        "metadata": {},
        **values,
    }
    store.queues.add(queue)
    return str(queue["id"])


def default_queue(store: Store) -> str:
    """The id of the queue named "default", which is made when somebody asks for it first."""
    found = store.queues.named(DEFAULT_QUEUE)
    return found["id"] if found else make_queue(store, DEFAULT_QUEUE)


def _check_unused(store: Store, name: str) -> None:
    if store.queues.named(name) is not None:
        raise bad_request(
            801,
            "Value combination already exists",
            "unique field already contains this value",
            name=name,
            company=store.identity.company,
        )


@endpoint(
    "queues.create",
    [Field("name", str, required=True), Field("tags", list), Field("system_tags", list)],
    since=SINCE,
)
def create(call: Call) -> Document:
    """Make a queue."""
    name = call.data["name"]
    check_name(name)
    _check_unused(call.store, name)
    values = {field: call.data[field] for field in ("tags", "system_tags") if call.data.get(field)}
    return {"id": make_queue(call.store, name, **values)}


@endpoint("queues.get_by_id", [QUEUE], since=SINCE)
def get_by_id(call: Call) -> Document:
    """One queue."""
    queue = call.store.queues.get(call.store.queue_id(call.data["queue"]))
    return {"queue": _of_version(queue or {}, call.version)}


@endpoint("queues.get_all", since=SINCE)
def get_all(call: Call) -> Document:
    """The queues that a request asks for."""
    return {"queues": projected(_matching(call), selected_fields(call.data, _QUEUE_FIELDS))}


def _matching(call: Call) -> list[Document]:
    data = call.data
    found = [_of_version(queue, call.version) for queue in call.store.queues.all()]
    for name in ("tags", "system_tags"):
        wanted = set(as_list(data.get(name) or []))
        found = [queue for queue in found if not wanted or wanted & set(queue[name])]
    return listed(found, data, _QUEUE_FIELDS)


def _of_version(queue: Document, version: Version) -> Document:
    return queue if version >= _METADATA_OBJECTS_SINCE else {**queue, "metadata": list(queue["metadata"])}


@endpoint("queues.delete", [QUEUE, Field("force", bool)], since=SINCE)
def delete(call: Call) -> Document:
    """Forget a queue; one where Tasks wait only by force, and they are then as they were made."""
    store = call.store
    queue_id = store.queue_id(call.data["queue"])
    waiting = store.queues.entries(queue_id)
    if waiting and not call.data.get("force"):
        raise bad_request(702, "Queue is not empty", "use force=true to delete", id=queue_id)
    for task_id in waiting:
        task = store.tasks.get(task_id)
        if task is not None and task["status"] == QUEUED:
            change(store, task, CREATED, reason=f"Queue {queue_id} was deleted")
            store.enqueued_from.pop(task_id, None)
    store.queues.remove(queue_id)
    return {"deleted": 1}


@endpoint("queues.remove_task", [QUEUE, Field("task", str, required=True)], since=SINCE)
def remove_task(call: Call) -> Document:
    """Take the entry of a Task out of a queue. The Task itself stays as it is."""
    store, queue_id, task_id = call.store, call.data["queue"], call.data["task"]
    if not store.queues.holds(queue_id, task_id):
        company = store.identity.company
        raise bad_request(703, "Invalid queue id or task not in queue", task=task_id, id=queue_id, company=company)
    store.queues.leave(queue_id, task_id, store.now())
    return {"removed": 1}


@endpoint("queues.get_next_task", [QUEUE])
def get_next_task(call: Call) -> Document:
    """Take the next entry out of a queue. The Task itself stays as it is."""
    store = call.store
    entry = store.queues.hand_out(store.queue_id(call.data["queue"]), store.now())
    return {"entry": entry} if entry else {}
