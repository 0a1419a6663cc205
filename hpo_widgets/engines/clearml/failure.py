"""What made a Task fail, by its console: the reason that an agent gives is the exit code alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hpo_widgets._messages import short
from hpo_widgets.engines.clearml.reading import read_console
from hpo_widgets.engines.clearml.server import ClearmlError

if TYPE_CHECKING:
    from hpo_widgets.engines.clearml.server import Server

_TRACEBACK = "Traceback (most recent call last):"
_ERROR = re.compile(r"(clearml_agent: )?ERROR\b", re.IGNORECASE)
_MOST_LETTERS = 300


def cause_of_failure(server: Server, task: str) -> str:
    """Ask for the console of a Task that has failed; empty where it tells nothing, or cannot be read.

    Parameters
    ----------
    server
        The server to ask.
    task
        The Task's id.

    Returns
    -------
    str
        What was raised last, or the last line that says ``ERROR``, as pip's and the agent's do.
    """
    try:
        console = read_console(server, task)
    except ClearmlError:
        return ""
    return short(last_error(console), _MOST_LETTERS)


def last_error(console: str) -> str:
    """Return the line of a console that says what went wrong, by the last traceback in it; empty for none."""
    _, traceback, after = console.rpartition(_TRACEBACK)
    if traceback:
        raised = (line for line in after.splitlines() if line.strip() and not line[0].isspace())
        return next(raised, "").strip()
    return next((line.strip() for line in reversed(after.splitlines()) if _ERROR.match(line.strip())), "")
