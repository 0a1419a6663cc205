"""What Tasks reported: scalars, plots, images and log lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpo_widgets.testing.clearml_server.documents import Document

SCALAR = "training_stats_scalar"
LOG = "log"
PLOT = "plot"
IMAGE = "training_debug_image"
EVENT_TYPES = frozenset({SCALAR, "training_stats_vector", IMAGE, PLOT, LOG})
SINGLE_VALUE = -(2**31)


def iteration_of(event: Document) -> int:
    """The iteration of an event; none is 0."""
    return int(event.get("iter") or 0)


class EventLog:
    """The events of all Tasks, by Task and type."""

    def __init__(self) -> None:
        # Task → type → events in order of arrival; scalars apart: Task → metric → variant → iteration → value.
        self._events: dict[str, dict[str, list[Document]]] = {}
        self._scalars: dict[str, dict[str, dict[str, dict[int, Document]]]] = {}

    def add(self, task_id: str, event: Document) -> None:
        """Keep one event; a scalar replaces an earlier one of the same metric, variant and iteration.

        Parameters
        ----------
        task_id : str
            The Task that reports it.
        event : dict
            The event.
        """
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
        """The events of a Task of one type, by time and then in order of arrival.

        Parameters
        ----------
        task_id : str
            The Task.
        event_type : str
            The type, such as ``"log"``.

        Returns
        -------
        list[dict]
            The events.
        """
        if event_type == SCALAR:
            found = [
                event
                for variants in self.scalars(task_id).values()
                for iterations in variants.values()
                for event in iterations.values()
            ]
        else:
            found = self._events.get(task_id, {}).get(event_type, [])
        return sorted(found, key=_time)


def _time(event: Document) -> Any:
    return event["timestamp"]
