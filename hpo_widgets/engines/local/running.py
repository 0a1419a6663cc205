"""The running trial as the callable sees it: what it reports to, and whether it should stop."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Protocol

from hpo_widgets.engines.local.frames import SCALAR, STOP
from hpo_widgets.engines.local.results import plain_number

if TYPE_CHECKING:
    from collections.abc import Mapping


class TrialStopped(BaseException):
    """Raised by ``report_scalar`` in a trial that was asked to stop and does not look at ``should_stop``.

    A ``BaseException``, so that ``except Exception`` in the callable does not swallow it.
    """


class TrialAborted(BaseException):
    """Raised in the main thread of a trial that is aborted, so that its ``finally`` blocks run."""


class Sender(Protocol):
    """The worker's end of the connection."""

    page: memoryview

    def send(self, message: object) -> None:
        """Send one message whole."""
        ...


class RunningTrial:
    """What a callable with an argument ``trial`` is given.

    Attributes
    ----------
    number : int
        The trial's number in its search, from 0.
    parameters : dict
        Full parameter name, with its section if it has one, to value.
    """

    __slots__ = ("_pid", "_reports_since_stop", "_sender", "_told", "has_ended", "number", "parameters")

    def __init__(self, number: int, parameters: Mapping[str, Any], sender: Sender, pid: int) -> None:
        self.number = number
        self.parameters = dict(parameters)
        self.has_ended = False
        self._sender = sender
        self._pid = pid
        self._told: bool | None = None
        self._reports_since_stop = 0

    def __repr__(self) -> str:
        return f"<trial {self.number}>"

    @property
    def should_stop(self) -> bool:
        """True when the trial was pruned or the search is stopping: return soon, with or without a value.

        Reading it costs well under a microsecond. A callable that never reads it is stopped by an
        exception in its next `report_scalar`.
        """
        told = self._sender.page[STOP] == self.number
        if not self._told:
            self._told = told
        return told

    @property
    def was_told(self) -> bool:
        """True when `should_stop` has said True at least once."""
        return self._told is True

    def report_scalar(self, title: str, series: str, value: float, iteration: int) -> None:
        """Report one value of one curve; the search sees it at once.

        Parameters
        ----------
        title, series
            Names of the plot and of the curve in it.
        value
            A number; numpy scalars and tensors of one element too, NaN and infinity included.
        iteration
            An integer, such as the epoch.

        Raises
        ------
        TypeError
            When `value` or `iteration` is not a number.
        RuntimeError
            In a forked child of the trial: report from the trial's own process.
        """
        message = scalar(self.number, title, series, value, iteration)
        if self.has_ended:
            return
        if os.getpid() != self._pid:
            raise RuntimeError(
                "report_scalar was called in a child process; hand the value to the trial's own process "
                "and report it there"
            )
        sender = self._sender
        sender.send(message)
        if sender.page[STOP] == self.number and not self._told:
            # One report of grace for a callable that does look at should_stop, only less often.
            self._reports_since_stop += 1
            if self._told is None or self._reports_since_stop > 1:
                raise TrialStopped


def scalar(number: int, title: object, series: object, value: object, iteration: object) -> tuple[Any, ...]:
    """The frame of one reported scalar, checked."""
    if type(value) is not float:
        plain = plain_number(value)
        if plain is None:
            raise TypeError(f"report_scalar takes a number as value, not a {type(value).__name__}")
        value = float(plain)
    if type(iteration) is not int:
        plain = plain_number(iteration)
        if plain is None or plain != plain or plain in {float("inf"), float("-inf")}:  # noqa: PLR0124 - NaN
            raise TypeError(f"report_scalar takes an integer as iteration, not {iteration!r:.60}")
        iteration = int(plain)
    if not -(2**63) <= iteration < 2**63:
        raise ValueError(f"report_scalar takes an iteration of at most 63 bits, not {iteration!r:.60}")
    return (SCALAR, number, (str(title), str(series), value, iteration), None, None)
