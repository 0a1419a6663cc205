"""Reporting from a trial: the `RunningTrial` that a callable is given, and ``hpo_widgets.report_scalar``.

A script that runs under a search finds the descriptor of its connection in an environment variable. The
variable also names the descriptor's inode: a child that inherited the variable but not the descriptor
must not write into another file of that number. Outside a search ``report_scalar`` does nothing.
"""

from __future__ import annotations

import contextlib
import os
import threading
import warnings
from typing import TYPE_CHECKING, Any, Protocol

from hpo_widgets.engines.local.messages import MAX_NAME, STOP, ScalarLines, argument_name, plain_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

VARIABLE = "HPO_WIDGETS_REPORT"
NUMBER_VARIABLE = "HPO_WIDGETS_TRIAL_NUMBER"
"""The environment variable in which a script finds the number of its trial."""


class TrialStopped(BaseException):
    """Raised by ``report_scalar`` in a trial that was asked to stop and does not look at ``should_stop``.

    A ``BaseException``, so that ``except Exception`` in the callable does not swallow it.
    """


class TrialAborted(BaseException):
    """Raised in the main thread of a trial that is aborted, so that its ``finally`` blocks run."""


class Connection(Protocol):
    """The worker's end of the connection to the controller."""

    page: memoryview

    def send(self, line: bytes) -> None:
        """Send one message whole."""
        ...


class RunningTrial:
    """What a callable with an argument ``trial`` is given.

    It also has what an objective of Optuna uses of its trial, so that such a function runs as it is: `suggest_float`,
    `suggest_int` and `suggest_categorical` return the value that the search has chosen, whatever range they name.

    Attributes
    ----------
    number : int
        The trial's number in its search, from 0.
    parameters : dict
        Full parameter name, with its section if it has one, to value.
    """

    __slots__ = (
        "_connection",
        "_lines",
        "_objectives",
        "_pid",
        "_reports_since_stop",
        "_step",
        "_told",
        "has_ended",
        "number",
        "parameters",
        "was_stopped",
    )

    def __init__(
        self,
        number: int,
        parameters: Mapping[str, Any],
        connection: Connection,
        pid: int,
        objectives: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.number = number
        self.parameters = dict(parameters)
        self.has_ended = self.was_stopped = False
        self._connection = connection
        self._lines = ScalarLines(number)
        self._pid = pid
        self._objectives = objectives
        self._step = 0
        self._told: bool | None = None
        self._reports_since_stop = 0

    def __repr__(self) -> str:
        return f"<trial {self.number}>"

    @property
    def should_stop(self) -> bool:
        """True when the trial was pruned or reached ``max_iteration_per_job``: return soon, with or without a value.

        A callable that never reads it is stopped by an exception in its next `report_scalar`. When the search is
        stopped, or the trial's time limit is over, this stays False: an exception is raised in the callable at once.
        Reading it costs well under a microsecond.
        """
        told = self._connection.page[STOP] == self.number
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
            Names of the plot and of the curve in it, at most 500 characters each.
        value
            A number; numpy scalars and tensors of one element too, NaN and infinity included.
        iteration
            An integer, such as the epoch.

        Raises
        ------
        TypeError
            When `value` is not a number, or `iteration` not a whole one.
        ValueError
            When a name is too long, a number too large, or the trial has more than 10,000 curves.
        RuntimeError
            In a forked child of the trial: report from the trial's own process.
        """
        line = self._lines.line(title, series, value, iteration)
        if self.has_ended:
            return
        if os.getpid() != self._pid:
            raise RuntimeError(
                "report_scalar was called in a child process; hand the value to the trial's own process "
                "and report it there"
            )
        connection = self._connection
        connection.send(line)
        if connection.page[STOP] == self.number and not self._told:
            # A callable that reads should_stop, but not before each report, may send one report more.
            self._reports_since_stop += 1
            if self._told is None or self._reports_since_stop > 1:
                self.was_stopped = True  # a library may raise an exception of its own instead, as CatBoost does
                raise TrialStopped

    # As an objective of Optuna asks its trial ------------------------------------------------------

    @property
    def params(self) -> dict[str, Any]:
        """Its parameters, as `parameters`."""
        return self.parameters

    def suggest_float(self, name: str, *_range: object, **_options: object) -> float:
        """Return the value of a parameter; the search has chosen it in its own range.

        Parameters
        ----------
        name
            The parameter's name, with its section or without.
        *_range, **_options
            As of ``optuna.Trial.suggest_float``; they have no effect.

        Returns
        -------
        float
            The value.

        Raises
        ------
        ValueError
            When the search has no such parameter, or not in this trial.
        """
        return float(self._chosen(name))

    def suggest_int(self, name: str, *_range: object, **_options: object) -> int:
        """Return the value of a parameter, as `suggest_float` does.

        Parameters
        ----------
        name
            The parameter's name, with its section or without.
        *_range, **_options
            As of ``optuna.Trial.suggest_int``; they have no effect.

        Returns
        -------
        int
            The value.
        """
        return int(self._chosen(name))

    def suggest_categorical(self, name: str, *_choices: object, **_options: object) -> Any:
        """Return the value of a parameter, as `suggest_float` does.

        Parameters
        ----------
        name
            The parameter's name, with its section or without.
        *_choices, **_options
            As of ``optuna.Trial.suggest_categorical``; they have no effect.

        Returns
        -------
        object
            The value.
        """
        return self._chosen(name)

    def _chosen(self, name: str) -> Any:
        for full, value in self.parameters.items():
            if name in {full, argument_name(full)}:
                return value
        raise ValueError(
            f"this trial has no parameter {name!r}, only {', '.join(map(repr, self.parameters)) or 'none'}: add it to "
            "hyper_parameters"
        )

    def report(self, value: float, step: int) -> None:
        """Report a value of the search's objective; see `report_scalar`.

        Parameters
        ----------
        value
            A number.
        step
            An integer, such as the epoch.

        Raises
        ------
        RuntimeError
            When the search has several objectives, so that the value belongs to none of them.
        """
        if len(self._objectives) != 1:
            raise RuntimeError("trial.report needs a search with a single objective; call trial.report_scalar")
        (title, series), self._step = self._objectives[0], int(step)
        self.report_scalar(title, series, value, step)

    def should_prune(self) -> bool:
        """Return `should_stop`."""
        return self.should_stop

    def set_user_attr(self, key: str, value: object) -> None:
        """Keep a number as a scalar of that name; anything else is not kept, and no name of an objective.

        Parameters
        ----------
        key
            The scalar's title and series.
        value
            A number, or any other object.
        """
        number = None if isinstance(value, (bool, str)) else plain_number(value)
        if number is None or not 0 < len(key) <= MAX_NAME or (key, key) in self._objectives:
            return
        with contextlib.suppress(ValueError):  # a number that is too large
            self.report_scalar(key, key, number, self._step)


current_trial: RunningTrial | None = None
"""The trial that this worker runs; set by the worker's main thread."""

_script_lines = ScalarLines(0)
_script_lock = threading.Lock()


def report_scalar(title: str, series: str, value: float, iteration: int) -> None:
    """Report one value of one curve to the search that runs this script; does nothing outside a search.

    In another process that the script has started, as by ``torchrun``, it does nothing but warn.

    Parameters
    ----------
    title, series
        Names of the plot and of the curve in it, such as ``"validation", "loss"``; at most 500 characters each.
    value
        A number; numpy scalars and tensors of one element too, NaN and infinity included.
    iteration
        An integer, such as the epoch.

    Raises
    ------
    TypeError
        When `value` or `iteration` is not a number; also outside a search, so that it shows early.
    ValueError
        When a name is too long, the iteration too large, or the trial has more than 10,000 curves.

    Examples
    --------
    >>> from hpo_widgets import report_scalar
    >>> report_scalar("validation", "loss", 0.25, iteration=3)
    """
    if current_trial is not None:
        current_trial.report_scalar(title, series, value, iteration)
        return
    descriptor = _script_descriptor()
    lines = _script_lines if descriptor is not None else ScalarLines(0)  # outside a search only checked
    data = memoryview(lines.line(title, series, value, iteration))
    if descriptor is None:
        return
    with _script_lock:
        while data:
            try:
                data = data[os.write(descriptor, data) :]
            except (BrokenPipeError, ConnectionResetError):  # the search is gone; the script goes on
                return


def _script_descriptor() -> int | None:
    text = os.environ.get(VARIABLE)
    if not text:
        return None
    number, _, inode = text.partition(":")
    try:
        descriptor = int(number)
        if os.fstat(descriptor).st_ino == int(inode):
            return descriptor
    except (ValueError, OSError):
        pass
    warnings.warn(
        "report_scalar did nothing: a process that a trial's script has started has no connection to the search; hand "
        "the value to the script's own process and report it there",
        RuntimeWarning,
        stacklevel=3,
    )
    return None
