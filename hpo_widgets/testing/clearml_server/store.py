"""Everything that the server knows, in memory, with the indexes that keep each question short."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hpo_widgets.testing.clearml_server.auth import Authority, Identity
from hpo_widgets.testing.clearml_server.clock import Clock, stored
from hpo_widgets.testing.clearml_server.errors import unknown_queue, unknown_task
from hpo_widgets.testing.clearml_server.events import EventLog
from hpo_widgets.testing.clearml_server.files import Files
from hpo_widgets.testing.clearml_server.queueing import QueueTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from hpo_widgets.testing.clearml_server.documents import Document


class TaskTable:
    """Tasks by id in order of creation, and by parent and project."""

    def __init__(self) -> None:
        self._tasks: dict[str, Document] = {}
        self._rank: dict[str, int] = {}
        self._created = 0
        # Dicts as ordered sets: parent or project → ids.
        self._groups: dict[str, dict[str, dict[str, None]]] = {"parent": {}, "project": {}}

    def __len__(self) -> int:
        return len(self._tasks)

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
        """Give a Task another parent or project.

        Parameters
        ----------
        task : dict
            The Task.
        group : str
            ``parent`` or ``project``.
        owner : str or None
            The id of the new one; None for none.
        """
        self._leave(group, task)
        if owner:
            task[group] = owner
        else:
            task.pop(group, None)
        self._enter(group, task)

    def of(self, group: str, owners: Iterable[str]) -> list[Document]:
        """The Tasks of some parents or projects, in order of creation.

        Parameters
        ----------
        group : str
            ``"parent"`` or ``"project"``.
        owners : Iterable[str]
            Their ids.

        Returns
        -------
        list[dict]
            The Tasks themselves, no copies.
        """
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
    tasks : TaskTable
        All Tasks.
    projects, workers, models : dict
        Documents by id, in order of creation.
    queues : QueueTable
        All queues.
    enqueued_from : dict
        Task id → the status that it had when it was enqueued.
    scrolls : dict
        The id of a scroll → how many documents it has handed out.
    events : EventLog
        What Tasks reported.
    files : Files
        What was uploaded.
    """

    def __init__(self) -> None:
        self.clock = Clock()
        self.authority = Authority(self.clock)
        self.tasks = TaskTable()
        self.projects: dict[str, Document] = {}
        self.project_ids: dict[str, str] = {}
        self.queues = QueueTable()
        self.enqueued_from: dict[str, str] = {}
        self.scrolls: dict[str, int] = {}
        self.workers: dict[str, Document] = {}
        self.models: dict[str, Document] = {}
        self.events = EventLog()
        self.files = Files()

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
            raise unknown_task(task_id, self.identity.company)
        return task

    def queue_id(self, queue_id: Any) -> str:
        """The id, if it is a queue's; else error 400/701."""
        if queue_id not in self.queues:
            raise unknown_queue(queue_id, self.identity.company)
        return str(queue_id)

    def touch(self, task: Document, moment: datetime, *, update: bool = True) -> None:
        """Note that a Task was changed.

        Parameters
        ----------
        task : dict
            The Task.
        moment : datetime.datetime
            When.
        update : bool, default True
            Whether ``last_update`` moves too: names and comments leave it.
        """
        moment = stored(moment)
        task["last_change"] = moment
        task["last_changed_by"] = self.identity.user
        if update:
            task["last_update"] = moment
            project = self.projects.get(task.get("project", ""))
            if project is not None:
                project["last_update"] = moment
