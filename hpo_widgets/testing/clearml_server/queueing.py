"""Queues and what waits in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpo_widgets.testing.clearml_server.clock import stored
from hpo_widgets.testing.clearml_server.errors import bad_request

if TYPE_CHECKING:
    from datetime import datetime

    from hpo_widgets.testing.clearml_server.documents import Document

DEFAULT_QUEUE = "default"


class QueueTable:
    """All queues, in order of creation, with their entries in the order in which they will be handed out.

    An entry is no more than a Task's id and a time: the Task's status is its own affair.
    """

    def __init__(self) -> None:
        self._queues: dict[str, Document] = {}
        self._entries: dict[str, dict[str, datetime]] = {}

    def __len__(self) -> int:
        return len(self._queues)

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

    def edit(self, queue_id: str, values: Document, moment: datetime) -> None:
        """Write some fields of a queue.

        Parameters
        ----------
        queue_id : str
            The queue.
        values : dict
            The new values.
        moment : datetime
            When.
        """
        self._queues[queue_id].update(values)
        self._touch(queue_id, moment)

    def remove(self, queue_id: str) -> None:
        """Forget a queue and its entries."""
        del self._queues[queue_id]
        del self._entries[queue_id]

    def entries(self, queue_id: str) -> list[str]:
        """The ids of the Tasks that wait, next first."""
        return list(self._entries[queue_id])

    def holds(self, queue_id: str, task_id: str) -> bool:
        """Whether a Task waits in a queue.

        Parameters
        ----------
        queue_id : str
            The queue.
        task_id : str
            The Task.

        Returns
        -------
        bool
            False also for a queue that does not exist.
        """
        return task_id in self._entries.get(queue_id, {})

    def enter(self, queue_id: str, task_id: str, moment: datetime) -> None:
        """Let a Task wait at the end of a queue.

        Parameters
        ----------
        queue_id : str
            The queue.
        task_id : str
            The Task.
        moment : datetime
            When.

        Raises
        ------
        ApiError
            400/706 if it waits there already.
        """
        if self.holds(queue_id, task_id):
            raise bad_request(706, "Failed adding task to queue since task is already queued", task=task_id)
        self._entries[queue_id][task_id] = stored(moment)
        self._touch(queue_id, moment)

    def leave(self, queue_id: str, task_id: str, moment: datetime) -> bool:
        """Let a Task wait no more in a queue; whether it did.

        Parameters
        ----------
        queue_id : str
            The queue.
        task_id : str
            The Task.
        moment : datetime
            When.

        Returns
        -------
        bool
            Whether it waited there.
        """
        if not self.holds(queue_id, task_id):
            return False
        del self._entries[queue_id][task_id]
        self._touch(queue_id, moment)
        return True

    def leave_all(self, task_id: str, moment: datetime) -> int:
        """Let a Task wait nowhere; in how many queues it did.

        Parameters
        ----------
        task_id : str
            The Task.
        moment : datetime
            When.

        Returns
        -------
        int
            In how many queues it waited.
        """
        return sum(self.leave(queue_id, task_id, moment) for queue_id in self._queues)

    def leave_others(self, queue_id: str, task_id: str, moment: datetime) -> None:
        """Let a Task wait in no other queue than one.

        Parameters
        ----------
        queue_id : str
            The queue in which it stays.
        task_id : str
            The Task.
        moment : datetime
            When.
        """
        for other in self._queues:
            if other != queue_id:
                self.leave(other, task_id, moment)

    def hand_out(self, queue_id: str, moment: datetime) -> Document | None:
        """Take the next entry out of a queue, if there is one.

        Parameters
        ----------
        queue_id : str
            The queue.
        moment : datetime
            When.

        Returns
        -------
        dict or None
            The entry; None when the queue is empty.
        """
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
