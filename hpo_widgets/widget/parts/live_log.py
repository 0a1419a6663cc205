"""What a trial has printed so far: asked for while somebody looks at it, now and then, and never waited for."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from hpo_widgets.search import TellsLogs

if TYPE_CHECKING:
    from concurrent.futures import Future

    from hpo_widgets.search import Search

_INTERVAL = 1.0


class LiveLog:
    """The output of one trial at a time.

    Attributes
    ----------
    text
        What it had printed when it was last asked for; None as long as there is no answer, and where the search
        cannot tell.
    """

    def __init__(self) -> None:
        self.text: str | None = None
        self._number: int | None = None
        self._answer: Future[str | None] | None = None
        self._asked_at = float("-inf")
        self._grows = True

    def look(self, search: Search, number: int | None, *, grows: bool = True) -> None:
        """Take an answer that has come, and ask again when it is time; returns at once.

        Parameters
        ----------
        search
            The search of the trial.
        number
            The trial that somebody looks at; None: nobody does.
        grows
            Whether it may print more. When it does not, it is asked for once.
        """
        if number != self._number:
            self._number, self.text, self._answer, self._asked_at = number, None, None, float("-inf")
        if grows != self._grows:
            self._grows, self._asked_at = grows, float("-inf")
        if number is None or not isinstance(search, TellsLogs):
            return
        if self._answer is not None and self._answer.done():
            if self._answer.exception() is None:  # else it has just ended, and its output is in the journal
                self.text = self._answer.result()
            self._answer = None
        now = time.monotonic()
        is_due = now - self._asked_at >= _INTERVAL if grows else math.isinf(self._asked_at)
        if self._answer is None and is_due:
            self._asked_at = now
            self._answer = search.log_so_far(number)
