"""``queues``: what waits in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpo_widgets.testing.clearml_server.endpoints.queues import QUEUE, SINCE
from hpo_widgets.testing.clearml_server.errors import bad_request
from hpo_widgets.testing.clearml_server.fields import Field
from hpo_widgets.testing.clearml_server.routing import Call, endpoint

if TYPE_CHECKING:
    from hpo_widgets.testing.clearml_server.documents import Document

_TASK = Field("task", str, required=True)
_COUNT = Field("count", int)


@endpoint("queues.get_next_task", [QUEUE])
def get_next_task(call: Call) -> Document:
    """Take the next entry out of a queue. The Task itself stays as it is."""
    store = call.store
    entry = store.queues.hand_out(store.queue_id(call.data["queue"]), store.now())
    return {"entry": entry} if entry else {}


@endpoint("queues.peek_task", [QUEUE], since=SINCE)
def peek_task(call: Call) -> Document:
    """The next entry, which stays."""
    store = call.store
    waiting = store.queues.entries(store.queue_id(call.data["queue"]))
    return {"task": waiting[0]} if waiting else {}


@endpoint("queues.get_num_entries", [QUEUE], since=SINCE)
def get_num_entries(call: Call) -> Document:
    """How many wait."""
    return {"num": len(call.store.queues.entries(call.store.queue_id(call.data["queue"])))}


@endpoint("queues.add_task", [QUEUE, _TASK], since=SINCE)
def add_task(call: Call) -> Document:
    """Add an entry, whether or not there is such a Task, and leave its status."""
    store = call.store
    store.queues.enter(store.queue_id(call.data["queue"]), call.data["task"], store.now())
    return {"added": 1}


@endpoint("queues.remove_task", [QUEUE, _TASK], since=SINCE)
def remove_task(call: Call) -> Document:
    """Remove an entry."""
    store, data = call.store, call.data
    if not store.queues.leave(data["queue"], data["task"], store.now()):
        raise _not_there(call)
    return {"removed": 1}


def _not_there(call: Call) -> Exception:
    return bad_request(
        703,
        "Invalid queue id or task not in queue",
        task=call.data["task"],
        id=call.data["queue"],
        company=call.store.identity.company,
    )


def _placed(call: Call, position: int) -> Document:
    store, data = call.store, call.data
    if not store.queues.holds(data["queue"], data["task"]):
        raise _not_there(call)
    return {"position": store.queues.place(data["queue"], data["task"], position, store.now())}


def _position(call: Call) -> int:
    waiting = call.store.queues.entries(call.store.queue_id(call.data["queue"]))
    if call.data["task"] not in waiting:
        raise _not_there(call)
    return waiting.index(call.data["task"])


@endpoint("queues.move_task_to_front", [QUEUE, _TASK], since=SINCE)
def move_task_to_front(call: Call) -> Document:
    """Let an entry be the next."""
    return _placed(call, 0)


@endpoint("queues.move_task_to_back", [QUEUE, _TASK], since=SINCE)
def move_task_to_back(call: Call) -> Document:
    """Let an entry be the last."""
    return _placed(call, len(call.store.queues.entries(call.store.queue_id(call.data["queue"]))))


@endpoint("queues.move_task_forward", [QUEUE, _TASK, _COUNT], since=SINCE)
def move_task_forward(call: Call) -> Document:
    """Move an entry towards the front."""
    return _placed(call, _position(call) - (call.data.get("count") or 1))


@endpoint("queues.move_task_backward", [QUEUE, _TASK, _COUNT], since=SINCE)
def move_task_backward(call: Call) -> Document:
    """Move an entry towards the back."""
    return _placed(call, _position(call) + (call.data.get("count") or 1))
