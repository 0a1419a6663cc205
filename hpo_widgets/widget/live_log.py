"""What a running trial has printed so far: asked for now and then, while somebody looks at it, and never waited for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hpo_widgets.search import TellsLogs

if TYPE_CHECKING:
    from concurrent.futures import Future

    from hpo_widgets.search import Search

_INTERVAL = 1.0


class LiveLog:
    """The output of one running trial at a time.

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

    def look(self, search: Search, number: int | None) -> None:
        """Take an answer that has come, and ask again when it is time; returns at once.

        Parameters
        ----------
        search
            The search of the trial.
        number
            The running trial that somebody looks at; None: nobody does.
        """
        if number != self._number:
            self._number, self.text, self._answer, self._asked_at = number, None, None, float("-inf")
        if number is None or not isinstance(search, TellsLogs):
            return
        if self._answer is not None and self._answer.done():
            if self._answer.exception() is None:  # else it has just ended, and its output is in the journal
                self.text = self._answer.result()
            self._answer = None
        now = time.monotonic()
        if self._answer is None and now - self._asked_at >= _INTERVAL:
            self._asked_at = now
            self._answer = search.log_so_far(number)
