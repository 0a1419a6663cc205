"""What the server keeps of one Task's run, fetched when somebody looks at its trial: curves and console."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, TypeVar

from hpo_widgets.engines.clearml.server import ClearmlError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hpo_widgets.engines.clearml.server import Server

KEPT_SECONDS = 5.0
"""A page that is drawn again within this time asks no server."""

LOG_LINES = 500
_MOST_KEPT = 32

_Answer = TypeVar("_Answer")


class TaskRecords:
    """Reads curves and console of Tasks; may be used from any thread."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str], tuple[float, object]] = {}

    def scalars(self, job: str) -> list[tuple[str, str, float, int]]:
        """All reports of a Task, curve by curve: (title, series, value, iteration).

        The server thins curves of many points out.
        """
        return self._remembered("scalars", job, lambda: self._scalars(job))

    def output(self, job: str, *, fresh: bool = False) -> tuple[str, str, str]:
        """The last lines of a Task's console; the server does not tell errors from the rest."""
        if fresh:
            with self._lock:
                self._kept.pop(("output", job), None)
        try:
            return self._remembered("output", job, lambda: (self._console(job), "", ""))
        except ClearmlError as error:
            return f"The console of this trial cannot be read now: {error}", "", ""

    def _scalars(self, job: str) -> list[tuple[str, str, float, int]]:
        curves = self._server.call("events.scalar_metrics_iter_histogram", task=job, key="iter")
        return [
            (title, series, float(y), int(x))
            for title, variants in curves.items()
            for series, curve in variants.items()
            for x, y in zip(curve.get("x") or (), curve.get("y") or (), strict=False)
        ]

    def _console(self, job: str) -> str:
        answer = self._server.call("events.get_task_log", task=job, batch_size=LOG_LINES, navigate_earlier=True)
        events = sorted(answer.get("events") or (), key=lambda event: event.get("timestamp") or 0)
        return "\n".join(str(event.get("msg") or "").rstrip("\n") for event in events)

    def _remembered(self, kind: str, job: str, ask: Callable[[], _Answer]) -> _Answer:
        now = time.monotonic()
        with self._lock:
            kept = self._kept.get((kind, job))
        if kept is not None and now - kept[0] < KEPT_SECONDS:
            return kept[1]  # type: ignore[return-value]
        answer = ask()
        with self._lock:
            while len(self._kept) >= _MOST_KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[kind, job] = (now, answer)
        return answer
