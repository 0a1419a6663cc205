"""Everything that the server knows, in memory, with the indexes that keep each question short."""

from __future__ import annotations

from datetime import timedelta
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from hpo_widgets.testing.clearml_server._api.auth import Authority, Identity
from hpo_widgets.testing.clearml_server._api.documents import Clock, stored
from hpo_widgets.testing.clearml_server._api.errors import bad_request
from hpo_widgets.testing.clearml_server._api.tasks import IN_PROGRESS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from hpo_widgets.testing.clearml_server._api.documents import Document

SCALAR = "training_stats_scalar"
LOG = "log"
PLOT = "plot"
_IMAGE = "training_debug_image"
EVENT_TYPES = frozenset({SCALAR, "training_stats_vector", _IMAGE, PLOT, LOG})
SINGLE_VALUE = -(2**31)
DEFAULT_QUEUE = "default"


def iteration_of(event: Document) -> int:
    """The iteration of an event; none is 0."""
    return int(event.get("iter") or 0)


class _EventLog:
    """The events of all Tasks, by Task and type."""

    def __init__(self) -> None:
        # Task → type → events in order of arrival; scalars apart: Task → metric → variant → iteration → value.
        self._events: dict[str, dict[str, list[Document]]] = {}
        self._scalars: dict[str, dict[str, dict[str, dict[int, Document]]]] = {}

    def add(self, task_id: str, event: Document) -> None:
        """Keep one event; a scalar replaces an earlier one of the same metric, variant and iteration."""
        if event["type"] == SCALAR:
            variants = self._scalars.setdefault(task_id, {}).setdefault(event["metric"], {})
            variants.setdefault(event["variant"], {})[iteration_of(event)] = event
        else:
            self._events.setdefault(task_id, {}).setdefault(event["type"], []).append(event)

    def remove(self, task_id: str) -> None:
        """Forget the events of a Task."""
        self._events.pop(task_id, None)
        self._scalars.pop(task_id, None)

    def scalars(self, task_id: str) -> dict[str, dict[str, dict[int, Document]]]:
        """The scalars of a Task: metric → variant → iteration → event."""
        return self._scalars.get(task_id, {})

    def of_type(self, task_id: str, event_type: str) -> list[Document]:
        """The events of a Task of one type, by time and then in order of arrival."""
        if event_type == SCALAR:
            found = [
                event
                for variants in self.scalars(task_id).values()
                for iterations in variants.values()
                for event in iterations.values()
            ]
        else:
            found = self._events.get(task_id, {}).get(event_type, [])
        return sorted(found, key=itemgetter("timestamp"))


class _QueueTable:
    """All queues, in order of creation, with their entries in the order in which they will be handed out.

    An entry is no more than a Task's id and a time: the Task's status is its own affair.
    """

    def __init__(self) -> None:
        self._queues: dict[str, Document] = {}
        self._entries: dict[str, dict[str, datetime]] = {}

    def __contains__(self, queue_id: object) -> bool:
        return queue_id in self._queues

    def get(self, queue_id: str) -> Document | None:
        """The queue of an id as it stands, entries included."""
        queue = self._queues.get(queue_id)
        return None if queue is None else self._with_entries(queue)

    def all(self) -> list[Document]:
        """All queues as they stand."""
        return [self._with_entries(queue) for queue in self._queues.values()]

    def named(self, name: str) -> Document | None:
        """The queue of a name."""
        return next((self._with_entries(queue) for queue in self._queues.values() if queue["name"] == name), None)

    def add(self, queue: Document) -> None:
        """Add a queue, whose id is new."""
        self._queues[queue["id"]] = queue
        self._entries[queue["id"]] = {}

    def remove(self, queue_id: str) -> None:
        """Forget a queue and its entries."""
        del self._queues[queue_id]
        del self._entries[queue_id]

    def entries(self, queue_id: str) -> list[str]:
        """The ids of the Tasks that wait, next first."""
        return list(self._entries[queue_id])

    def holds(self, queue_id: str, task_id: str) -> bool:
        """Whether a Task waits in a queue."""
        return task_id in self._entries.get(queue_id, {})

    def enter(self, queue_id: str, task_id: str, moment: datetime) -> None:
        """Let a Task wait at the end of a queue."""
        if self.holds(queue_id, task_id):
            raise bad_request(706, "Failed adding task to queue since task is already queued", task=task_id)
        self._entries[queue_id][task_id] = stored(moment)
        self._touch(queue_id, moment)

    def leave(self, queue_id: str, task_id: str, moment: datetime) -> bool:
        """Let a Task wait no more in a queue; whether it did."""
        if not self.holds(queue_id, task_id):
            return False
        del self._entries[queue_id][task_id]
        self._touch(queue_id, moment)
        return True

    def leave_all(self, task_id: str, moment: datetime) -> int:
        """Let a Task wait nowhere; in how many queues it did."""
        return sum(self.leave(queue_id, task_id, moment) for queue_id in self._queues)

    def leave_others(self, queue_id: str, task_id: str, moment: datetime) -> None:
        """Let a Task wait in no other queue than one."""
        for other in self._queues:
            if other != queue_id:
                self.leave(other, task_id, moment)

    def hand_out(self, queue_id: str, moment: datetime) -> Document | None:
        """Take the next entry out of a queue, if there is one."""
        entries = self._entries[queue_id]
        task_id = next(iter(entries), None)
        if task_id is None:
            return None
        added = entries.pop(task_id)
        self._touch(queue_id, moment)
        return {"task": task_id, "added": added}

    def _with_entries(self, queue: Document) -> Document:
        entries = [{"task": task, "added": added} for task, added in self._entries[queue["id"]].items()]
        return {**queue, "entries": entries}

    def _touch(self, queue_id: str, moment: datetime) -> None:
        self._queues[queue_id]["last_update"] = stored(moment)


class _TaskTable:
    """Tasks by id in order of creation, and by parent and project."""

    def __init__(self) -> None:
        self._tasks: dict[str, Document] = {}
        self._rank: dict[str, int] = {}
        self._created = 0
        # Dicts as ordered sets: parent or project → ids.
        self._groups: dict[str, dict[str, dict[str, None]]] = {"parent": {}, "project": {}}

    def __iter__(self) -> Iterator[Document]:
        return iter(self._tasks.values())

    def get(self, task_id: Any) -> Document | None:
        """The Task of an id, if there is one."""
        return self._tasks.get(task_id) if isinstance(task_id, str) else None

    def add(self, task: Document) -> None:
        """Add a Task, whose id is new."""
        task_id = task["id"]
        self._tasks[task_id] = task
        self._rank[task_id] = self._created
        self._created += 1
        for name in self._groups:
            self._enter(name, task)

    def remove(self, task: Document) -> None:
        """Forget a Task."""
        for name in self._groups:
            self._leave(name, task)
        del self._tasks[task["id"]]
        del self._rank[task["id"]]

    def move(self, task: Document, group: str, owner: str | None) -> None:
        """Give a Task another parent or project."""
        self._leave(group, task)
        if owner:
            task[group] = owner
        else:
            task.pop(group, None)
        self._enter(group, task)

    def of(self, group: str, owners: Iterable[str]) -> list[Document]:
        """The Tasks of some parents or projects, in order of creation."""
        found = dict.fromkeys(one for owner in owners for one in self._groups[group].get(owner, ()))
        return self._in_order(found)

    def of_ids(self, ids: Iterable[str]) -> list[Document]:
        """The Tasks of some ids, each once, in order of creation."""
        return self._in_order(dict.fromkeys(one for one in ids if one in self._tasks))

    def _in_order(self, ids: Iterable[str]) -> list[Document]:
        return [self._tasks[one] for one in sorted(ids, key=self._rank.__getitem__)]

    def _enter(self, group: str, task: Document) -> None:
        owner = task.get(group)
        if owner:
            self._groups[group].setdefault(owner, {})[task["id"]] = None

    def _leave(self, group: str, task: Document) -> None:
        members = self._groups[group].get(task.get(group, ""), {})
        members.pop(task["id"], None)
        if not members:
            self._groups[group].pop(task.get(group, ""), None)


class Store:
    """The whole content of one server. The server's thread (``clearml-server``) alone touches it.

    Attributes
    ----------
    clock : Clock
        The server's time.
    authority : Authority
        Keys and tokens.
    tasks : _TaskTable
        All Tasks.
    projects, workers, models : dict
        Documents by id, in order of creation.
    queues : _QueueTable
        All queues.
    enqueued_from : dict
        Task id → the status that it had when it was enqueued.
    scrolls : dict
        The id of a scroll → how many documents it has handed out.
    events : _EventLog
        What Tasks reported.
    files : dict
        What Tasks uploaded, by path: artifacts, as the file server keeps them.
    """

    def __init__(self) -> None:
        self.clock = Clock()
        self.authority = Authority(self.clock)
        self.tasks = _TaskTable()
        self.projects: dict[str, Document] = {}
        self.project_ids: dict[str, str] = {}
        self.queues = _QueueTable()
        self.enqueued_from: dict[str, str] = {}
        self.scrolls: dict[str, int] = {}
        self.workers: dict[str, Document] = {}
        self.models: dict[str, Document] = {}
        self.events = _EventLog()
        self.files: dict[str, bytes] = {}

    @property
    def identity(self) -> Identity:
        """The one user."""
        return self.authority.identity

    def now(self) -> datetime:
        """The server's time."""
        return self.clock.now()

    def task(self, task_id: Any) -> Document:
        """The Task of an id, or error 400/101."""
        task = self.tasks.get(task_id)
        if task is None:
            raise bad_request(101, "Invalid task id", id=task_id, company=self.identity.company)
        return task

    def queue_id(self, queue_id: Any) -> str:
        """The id, if it is a queue's; else error 400/701."""
        if queue_id not in self.queues:
            raise bad_request(701, "Invalid queue id", id=queue_id, company=self.identity.company)
        return str(queue_id)

    def note_activity(self, task: Document) -> None:
        """Note that a Task was heard of, and for how many whole seconds it has run, if it runs."""
        moment = self.now()
        if task["status"] == IN_PROGRESS and "started" in task:
            task["active_duration"] = max(0, (moment - task["started"]) // timedelta(seconds=1))
        self.touch(task, moment)

    def touch(self, task: Document, moment: datetime, *, update: bool = True) -> None:
        """Note that a Task was changed."""
        moment = stored(moment)
        task["last_change"] = moment
        task["last_changed_by"] = self.identity.user
        if update:
            task["last_update"] = moment
            project = self.projects.get(task.get("project", ""))
            if project is not None:
                project["last_update"] = moment
