"""Where the controller gets its next point: the strategy, asked inline or on a thread of its own.

Strategies that only sample (random, grid) answer in microseconds and are asked on the controller's
thread. A model may think for 100 ms, so it is asked on its own thread, which alone touches it; its
answers come back through the controller's inbox. Points chosen under an earlier space epoch are
dropped here and never run.
"""

from __future__ import annotations

import threading
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hpo_widgets.objectives import Objective
    from hpo_widgets.space import Space
    from hpo_widgets.strategies.base import Observation, Proposal, SearchStrategy

MAX_DUPLICATES_IN_A_ROW = 1000
"""After so many repeats in a row the strategy is taken to have nothing new to offer."""


class Proposals(Protocol):
    """What the controller asks; used on the controller's thread only."""

    is_exhausted: bool
    """True when the strategy has no further point in the present epoch."""
    error: BaseException | None
    """What the strategy raised; the search ends with it."""
    wants_observations: bool
    """False when telling it of ended trials would be for nobody."""

    def begin(self, space: Space, epoch: int, history: Sequence[Observation], draws: int) -> None:
        """Begin a space epoch: what was asked before is dropped."""
        ...

    def next(self) -> tuple[Proposal, list[float | None]] | None:
        """The next point with its encoded form; None: not yet, exhausted, or an error."""
        ...

    def launched(self, proposal: Proposal, number: int) -> None:
        """Tell the strategy which trial runs its point."""
        ...

    def ended(self, number: int) -> None:
        """Count a trial as ended, before `tell`."""
        ...

    def tell(self, observation: Observation) -> None:
        """Tell the strategy how a trial ended."""
        ...

    def report(self, number: int, iteration: int, value: float) -> None:
        """Pass on an interim value, for pruning."""
        ...

    def take_prunes(self) -> list[int]:
        """Trials that the pruner has given up since the last call."""
        ...

    def close(self) -> None:
        """Let go of the strategy; its thread, if any, ends after the question it is at."""
        ...


class _Drawing:
    """Draws from a strategy until a point is new; shared by both ways of asking."""

    def __init__(
        self,
        strategy: SearchStrategy,
        objectives: tuple[Objective, ...],
        seen: set[tuple[float | None, ...]],
        *,
        allow_duplicates: bool,
        alone: threading.Lock,
    ) -> None:
        self.alone = alone
        self.strategy = strategy
        self.objectives = objectives
        self.seen_keys = seen
        self.allow_duplicates = allow_duplicates
        self.space: Space | None = None
        strategy.seen = self.seen

    def seen(self, point: dict[str, object]) -> bool:
        """Whether the point was tried; ``in`` on a set is atomic, the controller alone adds."""
        if self.space is None or self.allow_duplicates:
            return False
        return tuple(self.space.encode(point)) in self.seen_keys

    def begin(self, space: Space, epoch: int, history: Sequence[Observation], draws: int) -> None:
        self.space = space
        self.strategy.begin(space, self.objectives, epoch, history, draws)

    def draw(self) -> tuple[Proposal, list[float | None]] | None:
        space = self.space
        if space is None:
            return None
        ask, encode, seen_keys = self.strategy.ask, space.encode, self.seen_keys
        checks = not type(self.strategy).__module__.startswith("hpo_widgets.")
        for _ in range(MAX_DUPLICATES_IN_A_ROW):
            proposal = ask()
            if proposal is None:
                return None
            if checks and not space.contains(proposal.point):
                msg = f"proposed {proposal.point!r}, which is not a point of the present space"
                raise ValueError(msg)
            encoded = encode(proposal.point)
            if self.allow_duplicates or tuple(encoded) not in seen_keys:
                return proposal, encoded
            self.strategy.dropped(proposal)
        return None


class InlineProposals:
    """Asks a sampling strategy on the controller's own thread."""

    def __init__(self, drawing: _Drawing) -> None:
        self._drawing = drawing
        self.wants_observations = _overrides(drawing.strategy, "tell")
        self._wants_launches = _overrides(drawing.strategy, "launched")
        self._wants_reports = _overrides(drawing.strategy, "report")
        self._prunes: list[int] = []
        self.is_exhausted = False
        self.error: BaseException | None = None

    def begin(self, space: Space, epoch: int, history: Sequence[Observation], draws: int) -> None:
        self.is_exhausted = False
        self._guarded(lambda: self._drawing.begin(space, epoch, history, draws))

    def next(self) -> tuple[Proposal, list[float | None]] | None:
        if self.is_exhausted or self.error is not None:
            return None
        try:
            drawn = self._drawing.draw()
        except Exception as error:  # noqa: BLE001 -- a strategy may be the user's own
            self.error = error
            return None
        if drawn is None:
            self.is_exhausted = True
            return None
        return drawn

    def launched(self, proposal: Proposal, number: int) -> None:
        if self._wants_launches:
            self._guarded(lambda: self._drawing.strategy.launched(proposal, number))

    def ended(self, number: int) -> None:
        """Nothing depends on it: an inline strategy is never asked ahead."""

    def tell(self, observation: Observation) -> None:
        self._guarded(lambda: self._drawing.strategy.tell(observation))

    def report(self, number: int, iteration: int, value: float) -> None:
        if not self._wants_reports:
            return

        def ask_pruner() -> None:
            if self._drawing.strategy.report(number, iteration, value):
                self._prunes.append(number)

        self._guarded(ask_pruner)

    def take_prunes(self) -> list[int]:
        prunes, self._prunes = self._prunes, []
        return prunes

    def close(self) -> None:
        """Nothing to let go of."""

    def _guarded(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as error:  # noqa: BLE001 -- a strategy may be the user's own
            self.error = error


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
        drawing: _Drawing,
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


def make_proposals(
    strategy: SearchStrategy,
    objectives: tuple[Objective, ...],
    seen: set[tuple[float | None, ...]],
    *,
    allow_duplicates: bool,
    is_seeded: bool,
    num_workers: Callable[[], int],
    wake: Callable[[], None],
    alone: threading.Lock,
) -> Proposals:
    """Choose how a strategy is asked; see the module's docstring.

    ``alone`` is held by the thread that asks the strategy: one lock a strategy, whatever the runs.
    """
    drawing = _Drawing(strategy, objectives, seen, allow_duplicates=allow_duplicates, alone=alone)
    if not strategy.is_model_based:
        return InlineProposals(drawing)
    return ThreadedProposals(
        drawing,
        num_workers=num_workers,
        asks_one_at_a_time=lambda: is_seeded and num_workers() == 1,
        wake=wake,
    )


def _overrides(strategy: SearchStrategy, method: str) -> bool:
    """Whether a strategy has its own form of a method, so that no call is made for nobody."""
    from hpo_widgets.strategies.base import SearchStrategy as Base

    return getattr(type(strategy), method) is not getattr(Base, method)
