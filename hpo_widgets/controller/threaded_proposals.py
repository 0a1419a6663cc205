"""A model that may think for long, asked ahead on a thread of its own."""

from __future__ import annotations

import threading
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hpo_widgets.controller.drawing import Drawing
    from hpo_widgets.space import Space
    from hpo_widgets.strategies.base import Observation, Proposal


class ThreadedProposals:
    """Asks a model on a thread of its own, at most ``ahead`` points before they are needed.

    The strategy is touched by that thread only. The controller's thread owns everything else here;
    the two deques are the mailboxes between them.

    Parameters
    ----------
    num_workers
        Returns how many points to hold ready at most.
    wake
        Wakes the controller when an answer is there.
    asks_one_at_a_time
        With a seed and one worker nothing is asked before the last trial was told, so that the same
        seed gives the same search.
    """

    def __init__(
        self,
        drawing: Drawing,
        *,
        num_workers: Callable[[], int],
        asks_one_at_a_time: Callable[[], bool],
        wake: Callable[[], None],
    ) -> None:
        self._drawing = drawing
        self._num_workers = num_workers
        self._asks_one_at_a_time = asks_one_at_a_time
        self._wake = wake
        self._questions: deque[Callable[[], None] | None] = deque()
        self._has_questions = threading.Semaphore(0)
        self._answers: deque[tuple[int, tuple[Proposal, list[float | None]] | None]] = deque()
        self._ready: deque[tuple[Proposal, list[float | None]]] = deque()
        self._prunes: deque[int] = deque()
        self._num_asked = 0
        self._running: set[int] = set()
        self._is_handing_over = False
        self._epoch = -1
        self.wants_observations = True
        self.is_exhausted = False
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="hpo_widgets strategy", daemon=True)
        self._thread.start()

    def begin(self, space: Space, epoch: int, history: Sequence[Observation], draws: int) -> None:
        self.is_exhausted = False
        self._epoch = epoch
        self._ready.clear()
        self._num_asked = 0
        self._put(lambda: self._drawing.begin(space, epoch, history, draws))

    def next(self) -> tuple[Proposal, list[float | None]] | None:
        self._take_answers()
        drawn = None
        while self._ready and self.error is None and drawn is None:
            candidate = self._ready.popleft()
            # A point asked ahead may have been run by hand since, or be asked twice: only the first is run.
            if self._drawing.allow_duplicates or tuple(candidate[1]) not in self._drawing.seen_keys:
                drawn = candidate
            else:
                self._put(partial(self._drawing.strategy.dropped, candidate[0]))
        self._is_handing_over = drawn is not None
        self._ask_ahead()
        return drawn

    def launched(self, proposal: Proposal, number: int) -> None:
        self._running.add(number)
        self._is_handing_over = False
        self._put(lambda: self._drawing.strategy.launched(proposal, number))

    def ended(self, number: int) -> None:
        self._running.discard(number)

    def tell(self, observation: Observation) -> None:
        self._put(lambda: self._drawing.strategy.tell(observation))
        self._ask_ahead()

    def report(self, number: int, iteration: int, value: float) -> None:
        def ask_pruner() -> None:
            if self._drawing.strategy.report(number, iteration, value):
                self._prunes.append(number)
                self._wake()

        self._put(ask_pruner)

    def take_prunes(self) -> list[int]:
        return [self._prunes.popleft() for _ in range(len(self._prunes))]

    def close(self) -> None:
        """Let the thread end after the question it is at; it is a daemon and holds nothing open."""
        self._questions.clear()
        self._put(None)

    def _ask_ahead(self) -> None:
        if self.is_exhausted or self.error is not None:
            return
        if self._asks_one_at_a_time():
            wanted = 0 if self._running or self._is_handing_over else 1
        else:
            wanted = self._num_workers()
        while len(self._ready) + self._num_asked < wanted:
            self._num_asked += 1
            epoch = self._epoch

            def ask(epoch: int = epoch) -> None:
                if epoch != self._epoch:
                    return  # The space has changed since: spare the model the thought.
                self._answers.append((epoch, self._drawing.draw()))
                self._wake()

            self._put(ask)

    def _take_answers(self) -> None:
        while self._answers:
            epoch, drawn = self._answers.popleft()
            if epoch != self._epoch:
                continue
            self._num_asked -= 1
            if drawn is None:
                self.is_exhausted = True
            else:
                self._ready.append(drawn)

    def _put(self, question: Callable[[], None] | None) -> None:
        self._questions.append(question)
        self._has_questions.release()

    def _run(self) -> None:
        # The thread of an earlier run may still be at its last question.
        with self._drawing.alone:
            self._answer()

    def _answer(self) -> None:
        while True:
            self._has_questions.acquire()
            try:
                question = self._questions.popleft()
            except IndexError:
                continue
            if question is None:
                return
            try:
                question()
            except Exception as error:  # noqa: BLE001 -- a strategy may be the user's own
                self.error = error
                self._wake()
