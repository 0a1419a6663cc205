"""Starts on their way, which may wait for a server, and the stop that takes them back meanwhile."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Starts:
    """The starts of one search that have not begun a run yet; every member may be used from any thread.

    One lock guards which of them still count. It is held while a run begins, so that a stop comes either before the
    beginning, which then does not happen, or after it, when there is a run to stop.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._lock = threading.Lock()
        self._waiting: set[object] = set()

    @property
    def are_on_their_way(self) -> bool:
        """Whether one waits that no stop has taken back."""
        return bool(self._waiting)

    def announce(self) -> object:
        """Make a start known, which from now on can be taken back."""
        start = object()
        with self._lock:
            self._waiting.add(start)
        return start

    def take_back(self) -> None:
        """Have none of those on their way begin a run."""
        with self._lock:
            self._waiting.clear()

    @contextmanager
    def turn(self, start: object) -> Iterator[None]:
        """Wait until it is the only one that asks for what it needs; afterwards it is no longer on its way."""
        try:
            with self._turn:
                yield
        finally:
            with self._lock:
                self._waiting.discard(start)

    def begin(self, start: object, begin: Callable[[], bool]) -> bool:
        """Begin a run by ``begin``, and return what it does; False when the start was taken back."""
        with self._lock:
            return start in self._waiting and begin()
