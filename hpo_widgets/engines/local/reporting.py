"""``hpo_widgets.report_scalar``: reporting from a script, or from anywhere below a callable.

A script that runs under a search finds the descriptor of its connection in an environment variable. The
variable also names the descriptor's inode: in a child that inherited the variable but not the descriptor
nothing is written to a stranger's file. Outside a search every call does nothing.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from hpo_widgets.engines.local.frames import frame

if TYPE_CHECKING:
    from hpo_widgets.engines.local.running import RunningTrial

VARIABLE = "HPO_WIDGETS_REPORT"


class _Reporter:
    """Where this process reports to."""

    def __init__(self) -> None:
        self.trial: RunningTrial | None = None
        self._lock = threading.Lock()

    def report(self, title: str, series: str, value: float, iteration: int) -> None:
        if self.trial is not None:
            self.trial.report_scalar(title, series, value, iteration)
            return
        from hpo_widgets.engines.local.running import scalar

        message = scalar(0, title, series, value, iteration)
        descriptor = _descriptor()
        if descriptor is None:
            return
        data = memoryview(frame(message))
        with self._lock:
            while data:
                try:
                    data = data[os.write(descriptor, data) :]
                except (BrokenPipeError, ConnectionResetError):  # the search is gone; the script goes on
                    return


def _descriptor() -> int | None:
    text = os.environ.get(VARIABLE)
    if not text:
        return None
    number, _, inode = text.partition(":")
    try:
        descriptor = int(number)
        return descriptor if os.fstat(descriptor).st_ino == int(inode) else None
    except (ValueError, OSError):
        return None


reporter = _Reporter()


def report_scalar(title: str, series: str, value: float, iteration: int) -> None:
    """Report one value of one curve to the search that runs this script; does nothing outside a search.

    Parameters
    ----------
    title, series
        Names of the plot and of the curve in it, such as ``"validation", "loss"``.
    value
        A number; numpy scalars and tensors of one element too, NaN and infinity included.
    iteration
        An integer, such as the epoch.

    Raises
    ------
    TypeError
        When `value` or `iteration` is not a number; also outside a search, so that it shows early.

    Examples
    --------
    >>> from hpo_widgets import report_scalar
    >>> report_scalar("validation", "loss", 0.25, iteration=3)
    """
    reporter.report(title, series, value, iteration)
