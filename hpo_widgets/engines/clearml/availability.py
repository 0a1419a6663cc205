"""Whether the server answers, and how to wait while it does not."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST_WAIT = 0.5
LONGEST_WAIT = 30.0


class Availability:
    """Counts failed requests of all threads of an engine, and tells people once when the server goes and comes.

    Parameters
    ----------
    tell
        Called with a sentence, under the lock, so that the last sentence is of what holds; it must not wait for long.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._away_since: float | None = None
        self._since = ""
        self._wait = FIRST_WAIT

    def failed(self, error: BaseException) -> float:
        """Take note of a request without an answer; returns the seconds to wait before the next."""
        with self._lock:
            wait = self._wait
            self._wait = min(2 * self._wait, LONGEST_WAIT)
            if self._away_since is None:
                self._away_since = time.monotonic()
                self._since = time.strftime("%H:%M:%S")
                self._tell(
                    f"{error}; since {self._since} nothing is known of the running trials and none is launched. Trying "
                    f"again in {wait:g} s, later every {LONGEST_WAIT:g} s; nothing is lost"
                )
        return wait

    def answered(self) -> None:
        """Take note of an answer."""
        with self._lock:
            if self._away_since is None:
                return
            seconds = time.monotonic() - self._away_since
            self._away_since = None
            self._wait = FIRST_WAIT
            self._tell(f"the ClearML server answers again after {seconds:.0f} s (it did not since {self._since})")
