"""Running trials of which a server hears nothing any more: their agent has died, or their machine is cut off."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hpo_widgets.engines.clearml.reading import TaskView

SILENT_SECONDS = 300.0
"""An agent gives a sign of life of its Task each minute, and the SDK twice a minute."""

_MOST_NAMED = 5


class SilenceWatch:
    """Tells people, once each time, of running trials without a sign of life; used by the poller's thread alone.

    Parameters
    ----------
    tell
        Called with a sentence.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._heard: dict[int, tuple[float, float]] = {}
        """Trial to how long it had run by its last sign of life, and ``time.monotonic()`` of the look that found it."""
        self._silent: set[int] = set()

    def forget(self) -> None:
        """Begin anew: while a server does not answer it hears of no Task."""
        self._heard.clear()

    def look(self, views: Mapping[int, TaskView]) -> None:
        """Take note of what the Tasks of active trials are doing."""
        now = time.monotonic()
        running = {
            number: view.seconds
            for number, view in views.items()
            if view.state is TrialState.RUNNING and view.seconds is not None
        }
        for number, seconds in running.items():
            if self._heard.get(number, (None,))[0] != seconds:
                self._heard[number] = (seconds, now)
        self._heard = {number: self._heard[number] for number in running}
        silent = {number for number, (_, heard) in self._heard.items() if now - heard >= SILENT_SECONDS}
        new, self._silent = sorted(silent - self._silent), silent
        if new:
            self._tell(_sentence(new))


def _sentence(numbers: list[int]) -> str:
    named = ", ".join(f"#{number}" for number in numbers[:_MOST_NAMED]) + (", …" if len(numbers) > _MOST_NAMED else "")
    return (
        f"for {SILENT_SECONDS / 60:.0f} minutes there was no sign of life of {named}: an agent may have died. A trial "
        "occupies its slot until its Task is aborted: in ClearML's web UI, by Task.mark_stopped, or by the server "
        "some hours later. With time_limit_per_job the search aborts such trials itself"
    )
