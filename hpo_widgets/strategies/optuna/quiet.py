"""Keeps Optuna's log lines of our own searches out of notebooks, and leaves those of others alone."""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_ours = logging.getLogger("hpo_widgets.strategies.optuna")
_here = threading.local()


class _HoldBack(logging.Filter):
    """Lets pass what was logged outside `quiet`; the rest goes to our own logger as DEBUG."""

    def filter(self, record: logging.LogRecord) -> bool:
        # A handler may serve other loggers too, ours among them.
        if not getattr(_here, "depth", 0) or record.name.partition(".")[0] != "optuna":
            return True
        _ours.debug("%s: %s", record.name, record.getMessage())
        return False


_hold_back = _HoldBack()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hold back what Optuna logs on this thread inside the block.

    Optuna's verbosity and handlers stay as the user set them: a study of the user's own beside this
    search, also on another thread, logs as before.
    """
    for handler in logging.getLogger("optuna").handlers:
        handler.addFilter(_hold_back)  # does nothing when it is there already
    _here.depth = getattr(_here, "depth", 0) + 1
    try:
        yield
    finally:
        _here.depth -= 1
