"""An event that can be waited for again: it takes the place of the one that the SDK's loop sleeps on."""

from __future__ import annotations

import threading


class NudgedEvent(threading.Event):
    """An event whose waiters can be woken without setting it.

    The SDK's loop looks at its jobs once a pool period, two minutes by default. Woken when a job ends, it
    fills the free place at once. A nudge that comes while a thread does not wait ends its next wait.

    Parameters
    ----------
    former
        The event that this one replaces; whoever still waits for it is served too.
    """

    def __init__(self, former: threading.Event) -> None:
        super().__init__()
        self._former = former
        self._changed = threading.Condition()
        self._nudges = 0
        self._seen = threading.local()
        if former.is_set():
            super().set()

    def set(self) -> None:
        """Set it, and the one that it replaces."""
        super().set()
        self._former.set()
        self.nudge()

    def clear(self) -> None:
        """Make it unset again."""
        self._former.clear()
        super().clear()

    def nudge(self) -> None:
        """Wake whoever waits, without setting anything."""
        with self._changed:
            self._nudges += 1
            self._changed.notify_all()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set or nudged; True when it is set."""
        with self._changed:
            seen = getattr(self._seen, "nudges", 0)
            self._changed.wait_for(lambda: self.is_set() or self._nudges != seen, timeout)
            self._seen.nudges = self._nudges
        return self.is_set()
