"""Notices when all trials wait in a queue that nobody serves."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hpo_widgets.engines.clearml.server import ClearmlError
from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from hpo_widgets.engines.clearml.launching import Launcher
    from hpo_widgets.engines.clearml.reading import TaskView
    from hpo_widgets.engines.clearml.server import Server

PATIENCE_SECONDS = 60.0
"""When all trials have waited for so long, it is looked at who serves their queue."""


class QueueWatch:
    """Tells once for each time that everything waits; used by the poller's thread alone.

    Parameters
    ----------
    tell
        Called with a sentence.
    """

    def __init__(self, server: Server, launcher: Launcher, queue: str, tell: Callable[[str], None]) -> None:
        self._server = server
        self._launcher = launcher
        self._queue = queue
        self._tell = tell
        self._idle_since: float | None = None
        self._has_told = False

    def look(self, views: Collection[TaskView]) -> None:
        """Take note of what all active Tasks are doing."""
        if not views or any(view.state is not TrialState.QUEUED for view in views):
            self._idle_since = None
            self._has_told = False
            return
        now = time.monotonic()
        self._idle_since = self._idle_since or now
        if not self._has_told and now - self._idle_since >= PATIENCE_SECONDS:
            self._has_told = True
            waiting = f"{len(views)} wait{'s' if len(views) == 1 else ''}"
            self._tell(f"no trial runs and {waiting} in the queue {self._queue!r}: {self._why()}")

    def _why(self) -> str:
        try:
            workers = self._server.call("workers.get_all").get("workers") or ()
        except ClearmlError as error:  # keys may be allowed Tasks and not workers, which is no reason to look no more
            return f"who serves it could not be looked up: {error}"
        serving = [
            str(worker.get("id"))
            for worker in workers
            if any(served.get("id") == self._launcher.queue_id for served in worker.get("queues") or ())
        ]
        if serving:
            return f"its workers ({', '.join(serving[:5])}) are busy with other Tasks"
        return f"no agent serves it; start one with `clearml-agent daemon --queue {self._queue}`"
