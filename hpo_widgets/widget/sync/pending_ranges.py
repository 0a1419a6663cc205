"""Ranges that were asked for and not yet answered: until then, older ranges are not shown again."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hpo_widgets.search import Notice, Search

_PATIENCE = 2.0


class PendingRanges:
    """Remembers the newest request for other ranges until the search has answered it.

    An answer is a new space epoch, or a notice that says why not. A request that changes nothing
    has no answer; after two seconds it counts as answered. It is pending on the thread of a cell or of a page, and
    answered on the refresher's; a lock keeps request and answer whole.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._request: float | None = None
        self._asked_at = 0.0
        self._before: tuple[int, Notice | None] = (0, None)

    def ask(self, search: Search, request: float = 0.0) -> None:
        """Remember a request; call it before the command is sent.

        Parameters
        ----------
        search
            The search.
        request
            The view's time of the request, in its own clock. Default 0.0.
        """
        before = _mark(search)
        with self._lock:
            # Two views may ask at once, by clocks of their own: the answer serves both.
            self._request = request if self._request is None else max(request, self._request)
            self._asked_at = time.monotonic()
            self._before = before

    def answered(self, search: Search) -> float | None:
        """Return the request that has been answered since the last call, None when there is none."""
        with self._lock:  # what is looked at under it is not older than the request
            if self._request is None or not self._has_answer(search):
                return None
            request, self._request = self._request, None
        return request

    @property
    def is_waiting(self) -> bool:
        """True while a request has no answer."""
        return self._request is not None

    def _has_answer(self, search: Search) -> bool:
        return _mark(search) != self._before or time.monotonic() - self._asked_at > _PATIENCE


def _mark(search: Search) -> tuple[int, Notice | None]:
    errors = search.errors
    return len(search.epochs), errors[-1] if errors else None
