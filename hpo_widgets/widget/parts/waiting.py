"""Waiting for the end of a search in the panel, which goes on meanwhile.

It is no thread and no blocked call. It is two traits and a deadline, looked at whenever the panel is
brought up to date, at least once a second while the search is alive.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import traitlets as t

from hpo_widgets.search import Replays, SearchStatus
from hpo_widgets.search.in_words import num_done
from hpo_widgets.search.limits import SECONDS_A_MINUTE
from hpo_widgets.search.readable import is_over
from hpo_widgets.widget import text
from hpo_widgets.widget.parts import summary

if TYPE_CHECKING:
    from hpo_widgets.search import Search

_LONGEST_TIMEOUT = 525_600.0
"""Minutes of the longest time-out: a year."""

_GONE = "the process that ran the search has ended"


def why_not(search: Search) -> str | None:
    """Why there is nothing to wait for; None: there is."""
    if isinstance(search, Replays):
        return "there is nothing to wait for: a replay runs nothing"
    if not is_over(search):
        return None
    if search.status.is_alive:
        return f"there is nothing to wait for: {_GONE}"
    began = "not started" if search.status is SearchStatus.IDLE else "ended"
    return f"there is nothing to wait for: the search has {began}"


class WaitingTrait(t.Bool[bool, Any]):
    """Whether somebody waits for the end of ``obj.search``; True is refused when there is nothing to wait for."""

    def validate(self, obj: Any, value: Any) -> bool:
        """Return the value, or raise a ``TraitError`` that says what is wrong."""
        waiting: bool = super().validate(obj, value)
        reason = why_not(obj.search) if waiting else None
        if reason is not None:
            raise t.TraitError(reason)
        return waiting


class TimeoutTrait(t.Float[Any, Any]):
    """A time-out in minutes, above 0 and at most a year; None: none."""

    def validate(self, obj: Any, value: Any) -> float | None:
        """Return the minutes, or raise a ``TraitError`` that says what is wrong."""
        if not isinstance(value, bool):
            try:
                found: float | None = super().validate(obj, value)
            except OverflowError:  # a whole number that is too large for a float
                found = math.inf
            if found is None or 0 < found <= _LONGEST_TIMEOUT:
                return found
        most = f"{_LONGEST_TIMEOUT:.0f} (a year)"
        msg = f"{self.name} is in minutes, above 0 and at most {most}, or None; got {value!r:.80}"
        raise t.TraitError(msg)


class Deadline:
    """Until when somebody waits: a time-out counts from the press of Wait, or from when it was set after that."""

    def __init__(self) -> None:
        self._minutes: float | None = None
        self._at = 0.0

    def set(self, minutes: float | None) -> None:
        """Begin to count, or stop counting."""
        self._minutes, self._at = minutes, time.monotonic() + (minutes or 0.0) * SECONDS_A_MINUTE

    @property
    def minutes_left(self) -> float | None:
        """Minutes until the time-out, 0 when it has passed; None: there is none."""
        return None if self._minutes is None else max(0.0, (self._at - time.monotonic()) / SECONDS_A_MINUTE)

    @property
    def limit(self) -> str:
        """When waiting ends in any case, in words."""
        left = self.minutes_left
        return "no time-out" if left is None else f"time-out in {text.duration(left)}"

    def outcome(self, search: Search) -> str | None:
        """Say how a wait ended: with the search, or by its time-out; None while it goes on."""
        if is_over(search):
            if search.status.is_alive:
                return _GONE
            reason = search.stop_reason
            return f"the search has ended: {reason.sentence}" if reason is not None else "the search has ended"
        if self._minutes is not None and self.minutes_left == 0:
            plural = "" if self._minutes == 1 else "s"
            return f"the time-out of {text.number(self._minutes)} minute{plural} has passed; the search goes on"
        return None


def progress(search: Search) -> str:
    """Say what is waited for and, where that can be known, for how long: ``104 trials left, ends in ...``."""
    if search.status is SearchStatus.PAUSED:
        limited = search.budget.wall_minutes.limit is not None
        return "the search is paused, so this lasts until it is resumed" + (" or its time limit has passed" * limited)
    if search.status is SearchStatus.STOPPING:
        return "the search is stopping"
    if summary.progress(search) is None:
        return "no budget is set, so it is not known when the search ends"
    parts = []
    total = search.total_max_jobs
    if total is not None:
        left = max(0, total - num_done(search))
        parts.append(f"{text.counted(left, 'trial')} left")
    parts.append(summary.forecast(search) or "too early to tell when the search ends")
    return ", ".join(parts)
