"""The state machine of a Task: which status may follow which, and what a change writes."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from hpo_widgets.testing.clearml_server.clock import stored
from hpo_widgets.testing.clearml_server.errors import ApiError, bad_request

if TYPE_CHECKING:
    from hpo_widgets.testing.clearml_server.documents import Document
    from hpo_widgets.testing.clearml_server.store import Store

CREATED = "created"
QUEUED = "queued"
IN_PROGRESS = "in_progress"
STOPPED = "stopped"
CLOSED = "closed"
COMPLETED = "completed"
FAILED = "failed"
PUBLISHED = "published"
STATUSES = (CREATED, QUEUED, IN_PROGRESS, STOPPED, CLOSED, COMPLETED, FAILED, PUBLISHED, "publishing", "unknown")

# The status that is asked for → the statuses that it may follow without force.
FOLLOWS: dict[str, frozenset[str]] = {
    QUEUED: frozenset({CREATED, QUEUED, STOPPED, FAILED}),
    IN_PROGRESS: frozenset({CREATED, QUEUED, IN_PROGRESS, STOPPED, COMPLETED}),
    STOPPED: frozenset({QUEUED, IN_PROGRESS, STOPPED, CLOSED, FAILED}),
    CLOSED: frozenset({STOPPED, CLOSED}),
    COMPLETED: frozenset({IN_PROGRESS, STOPPED, COMPLETED}),
    FAILED: frozenset({IN_PROGRESS, STOPPED, CLOSED, FAILED}),
    PUBLISHED: frozenset({STOPPED, CLOSED, COMPLETED, FAILED}),
}


def check_change(task: Document, new_status: str, *, force: bool) -> None:
    """Refuse a status that may not follow the Task's.

    Parameters
    ----------
    task : dict
        The Task.
    new_status : str
        What it is to become.
    force : bool
        Whether any status may follow.

    Raises
    ------
    ApiError
        400/110.
    """
    status = task["status"]
    if not force and status not in FOLLOWS[new_status]:
        raise bad_request(
            110,
            "Invalid task status",
            "Invalid status change",
            current_status=status,
            new_status=new_status,
        )


def check_status(task: Document, *allowed: str) -> None:
    """Refuse a Task that is in none of the statuses.

    Parameters
    ----------
    task : dict
        The Task.
    *allowed
        The statuses that will do.

    Raises
    ------
    ApiError
        400/110, which names the first of them.
    """
    if task["status"] not in allowed:
        raise not_in_status(task, allowed[0])


def not_in_status(task: Document, expected: str) -> ApiError:
    """A Task that is not in the status that an operation needs.

    Parameters
    ----------
    task : dict
        The Task.
    expected : str
        The status that is needed.

    Returns
    -------
    ApiError
        The error, to be raised.
    """
    return bad_request(110, "Invalid task status", expected=expected, status=task["status"])


def change(
    store: Store,
    task: Document,
    new_status: str,
    *,
    reason: str | None = None,
    message: str | None = None,
    moment: datetime | None = None,
    **values: Any,
) -> Document:
    """Write a status, whatever the status was.

    Reason and message are overwritten by every change, with "" when there is none.

    Parameters
    ----------
    store : Store
        Where the Task is.
    task : dict
        The Task.
    new_status : str
        What it becomes.
    reason, message : str, optional
        Why.
    moment : datetime.datetime, optional
        When; now by default.
    **values
        Other fields to write with it; None removes.

    Returns
    -------
    dict
        What was written, as an answer echoes it: times with microseconds.
    """
    moment = moment or store.now()
    written: Document = {
        "status": new_status,
        "status_reason": reason or "",
        "status_message": message or "",
        "status_changed": moment,
    }
    store.touch(task, moment)
    echo: Document = {
        **written,
        "last_update": moment,
        "last_change": moment,
        "last_changed_by": store.identity.user,
        **values,
    }
    for name, value in (written | values).items():
        if value is None:
            task.pop(name, None)
        else:
            task[name] = stored(value) if isinstance(value, datetime) else value
    return echo
