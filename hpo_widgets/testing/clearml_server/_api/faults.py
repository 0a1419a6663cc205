"""Planned trouble: answers that fail, connections that are cut, delays."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from dataclasses import dataclass

ANY = "*"
TWO_STEPS = {"tasks.enqueue": 0, "tasks.delete": 0, "events.add_batch": 0, "tasks.stop_many": 200}
"""The endpoints that can be interrupted, and the status of their answer then; 0 cuts the connection."""


@dataclass(frozen=True)
class Fault:
    """One failing answer.

    Attributes
    ----------
    status : int
        The HTTP status; 0 cuts the connection without an answer.
    subcode : int
        ``meta.result_subcode``.
    message : str
        ``meta.result_msg``.
    after : bool
        Whether the request takes effect before its answer fails.
    halfway : bool
        Whether the request takes effect up to the middle of what it does (`ClearmlServer.interrupt_next`).
    """

    status: int
    subcode: int
    message: str
    after: bool = False
    halfway: bool = False


class Faults:
    """The trouble that is planned. Any thread may plan; the server's (``clearml-server``) takes.

    Attributes
    ----------
    latency : float
        Seconds for which each request is held back.
    held : int
        How many requests are held back now.
    """

    def __init__(self) -> None:
        self._planned: dict[str, deque[Fault]] = {}
        self._lock = threading.Lock()
        self.latency = 0.0
        self.held = 0

    async def hold(self) -> None:
        """Hold a request back for as long as is planned."""
        if self.latency:
            self.held += 1
            try:
                await asyncio.sleep(self.latency)
            finally:
                self.held -= 1

    def plan(self, endpoint: str, fault: Fault, times: int) -> None:
        """Let the next answers of an endpoint fail; `ANY` is whatever comes next."""
        with self._lock:
            self._planned.setdefault(endpoint, deque()).extend([fault] * times)

    def take(self, endpoint: str) -> Fault | None:
        """The fault that is due for an endpoint, which is then used up."""
        with self._lock:
            for name in (endpoint, ANY):
                planned = self._planned.get(name)
                if planned:
                    return planned.popleft()
        return None

    def clear(self) -> None:
        """Plan no trouble any more."""
        with self._lock:
            self._planned.clear()
        self.latency = 0.0
