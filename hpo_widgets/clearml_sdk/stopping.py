"""Ends what runs for a controller of the SDK."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from hpo_widgets.engines.clearml.server import server
from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from collections.abc import Callable

    from hpo_widgets.clearml_sdk.children import Child

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
    if child.state is TrialState.QUEUED:
        child.was_queued = True
        child.was_stopped = withdraw(child.task_id)
    else:
        child.was_stopped = True
        _stop(child.task_id)


def withdraw(task_id: str) -> bool:
    """Take a Task out of its queue; True when it was pulled in this moment, and had to be stopped."""
    api = server()
    api.call("tasks.dequeue", task=task_id, status_reason=USER_ABORTED)
    status = api.tasks([task_id], ["id", "status"])
    if not status or status[0]["status"] != "in_progress":
        return False
    _stop(task_id)
    return True


def _stop(task_id: str) -> None:
    server().call("tasks.stopped", task=task_id, status_reason=USER_ABORTED, force=True)


def in_background(what: str, action: Callable[[], None]) -> threading.Thread:
    """Do something that may take minutes on a thread of its own, which is returned."""

    def run() -> None:
        try:
            action()
        except Exception:
            logger.exception("the ClearML search could not %s", what)

    thread = threading.Thread(target=run, name=f"hpo_widgets clearml {what}", daemon=True)
    thread.start()
    return thread
