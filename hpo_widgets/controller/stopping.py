"""How running trials are made to stop: asked to end by themselves, aborted one by one, or all as the search ends."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from hpo_widgets.search import SearchStatus, StopReason
from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hpo_widgets.controller.state import SearchState
    from hpo_widgets.engines.base import JobEngine, QueueEngine

AGREEMENT_SECONDS = 300.0
"""So long after its end was wanted a search waits for a server to say that all jobs have ended.

Longer than a restart of the server takes; whoever waits for the end of the search waits no longer.
"""


class Stopping:
    """Stops trials of one run and knows why the run ends; written by the controller's thread.

    Parameters
    ----------
    engine
        What runs the trials.
    queue
        The same, where it runs them as jobs of a server.
    """

    def __init__(self, state: SearchState, engine: JobEngine, queue: QueueEngine | None) -> None:
        self.reason: StopReason | None = None
        """Why the run is ending; None: it goes on."""
        self._wanted = 0.0
        """``time.monotonic()`` of the reason."""
        self._state = state
        self._engine = engine
        self._queue = queue

    def end(self, reason: StopReason) -> None:
        """Abort every running trial and have nothing more launched; only the first reason counts."""
        if self.reason is not None:
            return
        self.reason = reason
        self._wanted = time.monotonic()
        self._state.status = SearchStatus.STOPPING
        with self._queue.together() if self._queue is not None else contextlib.nullcontext():
            for number in self._state.active:
                self.abort(number, reason.sentence)

    def abort(self, number: int, sentence: str) -> None:
        """End a trial; the sentence becomes its error."""
        self._state.active[number].end_reason = sentence
        if self._queue is not None:
            self._queue.give_reason(number, sentence)
        self._engine.abort(number, self._state.settings.stop_grace)

    def ask(self, number: int, state: TrialState, sentence: str) -> None:
        """Ask a trial to end by itself, once, to be counted as ``state``."""
        self._state.active[number].asked_to_stop = True
        if self._queue is not None:
            self._queue.give_reason(number, sentence)
        self._engine.ask_stop(number, state)

    def prune(self, numbers: Iterable[int]) -> None:
        """Ask trials to end that the pruner has given up."""
        for number in numbers:
            trial = self._state.active.get(number)
            if trial is not None and not trial.asked_to_stop:
                trial.end_reason = "pruned: behind the others at the same iteration"
                self.ask(number, TrialState.PRUNED, trial.end_reason)

    def has_sent_all(self) -> bool:
        """Whether the run is ending and a server has been sent every abort of it."""
        return self.reason is not None and self._queue is not None and self._queue.has_sent_aborts()

    def has_waited_long_enough(self) -> bool:
        """Whether the run is ending, and a server has not agreed to it in `AGREEMENT_SECONDS`."""
        return (
            self.reason is not None and self._queue is not None and time.monotonic() - self._wanted > AGREEMENT_SECONDS
        )
