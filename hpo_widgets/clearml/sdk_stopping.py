"""Ends what runs for a controller of the SDK."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from hpo_widgets.clearml.server import server
from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from collections.abc import Callable

    from hpo_widgets.clearml.sdk_children import Child

logger = logging.getLogger("hpo_widgets")

USER_ABORTED = "user aborted in hpo_widgets"
"""Begins as the SDK wants it: a local job that is stopped for any other reason is turned into a failed one."""


def abort(child: Child) -> None:
    """Take a Task out of its queue, or stop it.

    Raises
    ------
    ClearmlError
        When the server does not do so.
    """
    api = server()
    if child.state is TrialState.QUEUED:
        api.call("tasks.dequeue", task=child.task_id, status_reason=USER_ABORTED)
        child.was_queued = True
        # It may have been pulled from the queue in this moment.
        status = api.tasks([child.task_id], ["id", "status"])
        if not status or status[0]["status"] != "in_progress":
            return
    child.was_stopped = True
    api.call("tasks.stopped", task=child.task_id, status_reason=USER_ABORTED, force=True)


def in_background(what: str, action: Callable[[], None]) -> None:
    """Do something that may take minutes on a thread of its own."""

    def run() -> None:
        try:
            action()
        except Exception:
            logger.exception("the ClearML search could not %s", what)

    threading.Thread(target=run, name=f"hpo_widgets clearml {what}", daemon=True).start()
