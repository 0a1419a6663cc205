"""Where a run gets its next point: the strategy, asked on the controller's thread or on a thread of its own.

Strategies that only sample (random, grid) answer in microseconds and are asked on the controller's thread. A model may
take 100 ms, so it is asked on its own thread, and its answers come back through the controller's wake-up.

A model is asked for a point when a worker is free, never before: a point that is chosen while another trial runs is
chosen without that trial's result, from which the model could have learned. The one exception is a model whose answer
takes more than the share `SLOW_ASK` of a trial's time: it is asked just before trials end, and its points are held
ready. The points of a strategy that does not learn may be taken earlier, and given back.

Where the search has a constraint, every strategy is asked on its own thread: the constraint is a function of the user's
that may be slow, and may refuse many points in a row.
"""

from __future__ import annotations

import math
import statistics
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from hpo_widgets._messages import counted
from hpo_widgets.controller.recorder import RETRY_SECONDS
from hpo_widgets.journal import JournalBusy
from hpo_widgets.strategies.base import SearchStrategy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from hpo_widgets.controller.constraint import Constraint
    from hpo_widgets.objectives import Objective
    from hpo_widgets.space import Space
    from hpo_widgets.strategies.base import Curves, Observation, Proposal

    EncodedPoint = list[float | None]

_Found = TypeVar("_Found")

LONG_SEARCH_SECONDS = 10.0
"""Seconds that a free worker waits for a point that the constraint allows before people are told why."""

MAX_DUPLICATES_IN_A_ROW = 1000
"""Repeated points in a row after which the strategy counts as exhausted."""

SLOW_ASK = 0.15
"""A model whose asks take more than this share of the time of trials, on average, is asked ahead."""

_LONG_HISTORY, _SLOW_ASK_OF_LONG_HISTORY = 1000, 0.01
"""From so many trials on, this smaller share is enough: asks are slow then, and one more result changes little."""

_NUM_TIMED = 15
"""The latest asks, and the latest trials, by whose times it is decided when a model is asked."""

_MIN_TIMED = 3
"""Asks and trials at least before a model is asked ahead."""


def _always() -> bool:
    return True


class _NotWanted(Exception):  # noqa: N818 -- no error: it ends a question whose answer nobody waits for
    """The space has changed, or the run has ended, while a strategy looked for a point that the constraint allows."""


class DistinctSampler:
    """Asks a strategy until a point is new and allowed; belongs to the thread that asks the strategy.

    Parameters
    ----------
    strategy
        What is asked.
    objectives
        What is optimised.
    seen
        Every point that was launched, encoded; the controller's thread adds to it.
    allow_duplicates
        Whether a point may be run twice.
    constraint
        What points have to meet; None: nothing.
    """

    def __init__(
        self,
        strategy: SearchStrategy,
        objectives: tuple[Objective, ...],
        seen: set[tuple[float | None, ...]],
        *,
        allow_duplicates: bool,
        constraint: Constraint | None = None,
    ) -> None:
        self.strategy = strategy
        self.objectives = objectives
        self._seen_keys = seen
        self._allow_duplicates = allow_duplicates
        self._constraint = constraint
        self._is_wanted: Callable[[], bool] = _always
        self.num_tested = 0
        """Points that the constraint was asked about since `sample` was called, with that which it is asked about."""
        self.num_allowed = 0
        """How many of these it has allowed."""
        self.space: Space | None = None
        # The tests of this package's own strategies show that these stay inside the space.
        self._checks = not type(strategy).__module__.startswith("hpo_widgets.")
        strategy.seen = self._is_seen
        self.has_constraint = constraint is not None
        if self.has_constraint:
            strategy.allows = self._allows

    def _allows(self, point: dict[str, object]) -> bool:
        """Whether a point meets the constraint of the search."""
        if self._constraint is None:
            return True
        if not self._is_wanted():
            raise _NotWanted
        self.num_tested += 1
        is_allowed = self._constraint.allows(point)
        self.num_allowed += is_allowed
        return is_allowed

    def _is_seen(self, point: dict[str, object]) -> bool:
        """Whether a point was launched, or is not allowed; ``in`` on a set is atomic, so that any thread may ask."""
        if not self._allows(point):
            return True
        if self.space is None or self._allow_duplicates:
            return False
        return tuple(self.space.encode(point)) in self._seen_keys

    def why_no_point(self, *, is_asked: bool) -> str | None:
        """Say why there is no point yet, as far as it is for the constraint; None: it was not asked.

        Parameters
        ----------
        is_asked
            Whether the strategy is asked; else it, or the constraint, is still at a point for an earlier run.
        """
        title, num_tested = self.strategy.title, self.num_tested
        if not is_asked:
            return (
                f"{title}, or the constraint {self._constraint!r}, has not answered yet for the run before. Wait, or "
                "restart the kernel and open the search with another constraint="
            )
        if not num_tested:
            return None
        return (
            f"{title} looks for a point that the constraint {self._constraint!r} allows. Of "
            f"{counted(num_tested, 'point')} that it was asked about it has allowed {self.num_allowed or 'none'}. "
            "Change the ranges, or stop the search and open it with another constraint="
        )

    def is_new(self, encoded: EncodedPoint) -> bool:
        """Whether a point may be launched."""
        return self._allow_duplicates or tuple(encoded) not in self._seen_keys

    def sample(self, is_wanted: Callable[[], bool] = _always) -> tuple[Proposal, EncodedPoint] | None:
        """Look for the next point that is new and allowed.

        Parameters
        ----------
        is_wanted
            Tells whether somebody still waits for it; asked before each call of the constraint.

        Returns
        -------
        tuple or None
            The proposal and its encoded point; None: the strategy offers none.
        """
        self._is_wanted = is_wanted
        self.num_tested = self.num_allowed = 0
        try:
            return self._sample()
        finally:
            self._is_wanted = _always  # what else the strategy asks, as at `begin`, is always answered

    def _sample(self) -> tuple[Proposal, EncodedPoint] | None:
        space = self.space
        if space is None:
            return None
        ask, encode = self.strategy.ask, space.encode
        for _ in range(MAX_DUPLICATES_IN_A_ROW):
            proposal = ask()
            if proposal is None:
                return None
            if self._checks and not space.contains(proposal.point):
                msg = f"proposed {proposal.point!r}, which is not a point of the present space"
                raise ValueError(msg)
            encoded = encode(proposal.point)
            if self.is_new(encoded) and self._allows(proposal.point):
                return proposal, encoded
            self.strategy.dropped(proposal)
        return None


class Proposals(ABC):
    """What the controller asks of a strategy; used on the controller's thread only.

    Parameters
    ----------
    sampler
        The strategy.
    """

    def __init__(self, sampler: DistinctSampler) -> None:
        self._sampler = sampler
        self.is_exhausted = False
        """True when the strategy has no further point in the present epoch."""
        self.error: BaseException | None = None
        """What the strategy raised; the search ends with it."""
        self.wants_observations = True
        """False when the strategy does not use how trials end, so that `tell` need not be called."""
        self.next_ask: float | None = None
        """``time.monotonic()`` at which `ask` has to be called again even if no event comes; None: never."""
        self._ready: deque[tuple[Proposal, EncodedPoint]] = deque()
        """Points of the present epoch that were proposed, and that `next` has to return."""

    @abstractmethod
    def begin(self, space: Space, epoch: int, history: Sequence[Observation], draws: int) -> None:
        """Begin a space epoch, or begin it anew where other trials count; points proposed before are dropped.

        Parameters
        ----------
        space
            The space from now on.
        epoch
            Its number.
        history
            All trials that have ended and are not left out.
        draws
            How many points were drawn in this epoch already.
        """

    def _begin_strategy(self, space: Space, epoch: int, history: Sequence[Observation], draws: int) -> None:
        self._sampler.space = space
        self._sampler.strategy.begin(space, self._sampler.objectives, epoch, history, draws)

    @abstractmethod
    def next(self) -> tuple[Proposal, EncodedPoint] | None:
        """Return the next point with its encoded form; None: not yet, exhausted, or an error."""

    def give_back(self, points: Iterable[tuple[Proposal, EncodedPoint]]) -> None:
        """Take back points that `next` has returned, in their order, and that were not launched: they are next again.

        Parameters
        ----------
        points
            What `next` returned.
        """
        self._ready.extendleft(reversed(list(points)))

    def _next_ready(self) -> tuple[Proposal, EncodedPoint] | None:
        """Take the next point that is ready; None: there is none."""
        while self._ready:
            proposal, encoded = self._ready.popleft()
            # A person may have enqueued the same point since, or the strategy proposed it twice: it is run once.
            if self._sampler.is_new(encoded):
                return proposal, encoded
            self._drop(proposal)
        return None

    @abstractmethod
    def _drop(self, proposal: Proposal) -> None:
        """Tell the strategy of a point that is not launched, as it was launched before."""

    def ask(self, num_free: int, num_left: int | None) -> None:  # noqa: B027 -- where `next` asks, nothing is missing
        """Ask for the points that are still missing; called after `tell` for all trials that have ended.

        Parameters
        ----------
        num_free
            How many workers are free and have no point.
        num_left
            How many trials may still be proposed; None: no limit.
        """

    @abstractmethod
    def launched(self, proposal: Proposal, number: int) -> None:
        """Tell the strategy which trial runs its point.

        Parameters
        ----------
        proposal
            What `next` returned.
        number
            The trial's number.
        """

    @abstractmethod
    def tell(self, observation: Observation) -> None:
        """Tell the strategy how a trial ended."""

    @abstractmethod
    def report(self, number: int, iteration: int, value: float) -> None:
        """Pass on an interim value, for pruning.

        Parameters
        ----------
        number
            The trial's number.
        iteration
            The iteration that the value was reported for.
        value
            The value of the first objective at it.
        """

    @abstractmethod
    def take_prunes(self) -> list[int]:
        """Return the trials that the pruner has given up since the last call."""

    def close(self) -> None:  # noqa: B027 -- where there is no thread, nothing is to be done
        """Stop asking the strategy; its thread, if it has one, ends after the call that it is in."""


class InlineProposals(Proposals):
    """Asks a sampling strategy on the controller's own thread.

    One that learns reads the journal when it begins. Where another program's lock keeps it from that, all that it is to
    be told waits, in its order, and no point is asked for.
    """

    def __init__(self, sampler: DistinctSampler) -> None:
        super().__init__(sampler)
        strategy = sampler.strategy
        self.wants_observations = _overrides(strategy, "tell")
        self._wants_launches = _overrides(strategy, "launched")
        self._wants_reports = strategy.wants_reports
        self._prunes: list[int] = []
        self._waiting: deque[Callable[[], None]] = deque()
        """Calls that wait for the end of a lock on the journal."""

    def begin(self, space: Space, epoch: int, history: Sequence[Observation], draws: int) -> None:
        self.is_exhausted = False
        self._ready.clear()
        self._call(lambda: self._begin_strategy(space, epoch, history, draws))

    def next(self) -> tuple[Proposal, EncodedPoint] | None:
        if self._waiting:
            return None
        if self._ready and (given_back := self._next_ready()) is not None:
            return given_back
        if self.is_exhausted or self.error is not None:
            return None
        try:
            sampled = self._sampler.sample()
        except BaseException as error:  # noqa: BLE001 -- a strategy may be the user's own, and leave by sys.exit
            self.error = error
            return None
        self.is_exhausted = sampled is None
        return sampled

    def ask(self, num_free: int, num_left: int | None) -> None:  # noqa: ARG002 -- `next` asks
        self.next_ask = None
        if self._waiting:
            self._call_waiting()
            self.next_ask = time.monotonic() + (RETRY_SECONDS if self._waiting else 0.0)

    def launched(self, proposal: Proposal, number: int) -> None:
        if self._wants_launches:
            self._call(lambda: self._sampler.strategy.launched(proposal, number))

    def tell(self, observation: Observation) -> None:
        self._call(lambda: self._sampler.strategy.tell(observation))

    def report(self, number: int, iteration: int, value: float) -> None:
        if not self._wants_reports:
            return

        def ask_pruner() -> None:
            if self._sampler.strategy.report_many(number, [(iteration, value)]):
                self._prunes.append(number)

        self._call(ask_pruner)

    def take_prunes(self) -> list[int]:
        prunes, self._prunes = self._prunes, []
        return prunes

    def _drop(self, proposal: Proposal) -> None:
        self._call(lambda: self._sampler.strategy.dropped(proposal))

    def _call(self, call: Callable[[], None]) -> None:
        self._waiting.append(call)
        if len(self._waiting) == 1:
            self._call_waiting()

    def _call_waiting(self) -> None:
        """Call what waits, until the journal is found locked."""
        while self._waiting:
            try:
                self._waiting[0]()
            except JournalBusy:
                return
            except BaseException as error:  # noqa: BLE001 -- a strategy may be the user's own, and leave by sys.exit
                self.error = error
            self._waiting.popleft()


class _Answer(NamedTuple):
    """What a model answered, how many calls of `begin` there were when it was asked, and how many seconds it took."""

    begun: int
    sampled: tuple[Proposal, list[float | None]] | None
    seconds: float


class ThreadedProposals(Proposals):
    """Asks a model on a thread of its own, for workers that are free.

    Only that thread calls the strategy and the constraint. The controller's thread owns everything else here,
    except the queues between the two: news, asks and reports, which `_condition` guards, and the deques of answers
    and prunes. News (a new space, launches, ends of trials) are handled first, in their order, so that each point
    is chosen with all that is known, also where several workers wait for a slow model. Asks are handled next, then
    reports. The reports that a trial has made meanwhile become one question to the pruner, so that a trial that
    reports often does not overload it.

    Parameters
    ----------
    sampler
        The strategy.
    may_hold
        Returns whether a slow model may be asked one point ahead.
    wake
        Wakes the controller when an answer is there.
    lock
        Held by the thread that asks the strategy: the thread of an earlier run may still be at its last question.
    curves
        Reads what trials that have ended had reported; see `SearchStrategy.past_curves`.
    tell
        Tells people a sentence.
    clock
        Returns the time in seconds.
    """

    def __init__(
        self,
        sampler: DistinctSampler,
        *,
        may_hold: Callable[[], bool],
        wake: Callable[[], None],
        lock: threading.Lock,
        curves: Callable[[Sequence[int]], Curves],
        tell: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(sampler)
        sampler.strategy.past_curves = lambda numbers: self._read(lambda: curves(numbers))
        self._may_hold = may_hold
        self._wake = wake
        self._lock = lock
        self._tell = tell
        self._clock = clock
        self._condition = threading.Condition()
        self._news: deque[Callable[[], None] | None] = deque()
        self._last_begin: Callable[[], None] = lambda: None
        """What the last call of `begin` has put there."""
        self._asks: deque[int] = deque()
        """For each point that is asked for, how many calls of `begin` there were then."""
        self._reports: dict[int, list[tuple[int, float]]] = {}
        self._answers: deque[_Answer] = deque()
        self._prunes: deque[int] = deque()
        self._num_asked = 0
        self._waits_since: float | None = None
        """Since when a free worker waits for a point; None: none waits."""
        self._has_lock = False
        """Whether its thread may ask the strategy: that of an earlier run has answered."""
        self._epoch = 0
        self._told_epoch: int | None = None
        """The epoch in which people were told last that a point is looked for long."""
        self._num_begun = 0
        """How many calls of `begin` there were: answers to what was asked before the last one are not used."""
        self._launched: dict[int, float] = {}
        """Running trial to the time of its launch, oldest first."""
        # The strategy's thread counts them, as that may read the journal.
        self._num_in_history = 0
        """Trials that had ended when the epoch began."""
        self._num_told = 0
        """Trials that have ended since."""
        self._trial_seconds: deque[float] = deque(maxlen=_NUM_TIMED)
        self._ask_seconds: deque[float] = deque(maxlen=_NUM_TIMED)
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="hpo_widgets strategy", daemon=True)
        self._thread.start()

    def begin(self, space: Space, epoch: int, history: Sequence[Observation], draws: int) -> None:
        self.is_exhausted = False
        self._epoch, self._waits_since = epoch, None
        self._num_begun += 1
        self._ready.clear()
        self._num_asked = 0
        self._num_told = 0

        def begin_strategy() -> None:
            self._num_in_history = self._read(lambda: len(history))
            self._begin_strategy(space, epoch, history, draws)

        with self._condition:
            if self._news and self._news[-1] is self._last_begin:
                self._news.pop()  # nobody has asked for anything since: it would begin only to begin anew
            self._last_begin = begin_strategy
            self._put(begin_strategy)

    def next(self) -> tuple[Proposal, EncodedPoint] | None:
        self._take_answers()
        return None if self.error is not None else self._next_ready()

    def ask(self, num_free: int, num_left: int | None) -> None:
        self.next_ask = None
        self._take_answers()
        if self.is_exhausted or self.error is not None or num_left == 0:
            return
        num_there = len(self._ready) + self._num_asked
        num_missing = num_free - num_there if num_free else self._num_due(num_there)
        if num_left is not None:
            num_missing = min(num_missing, num_left - num_there)
        for _ in range(num_missing):
            self._num_asked += 1
            with self._condition:
                self._asks.append(self._num_begun)
                self._condition.notify()
        if num_free == 0 or not self._num_asked:
            self._waits_since = None
        elif self._sampler.has_constraint and self._told_epoch != self._epoch:
            self._tell_of_long_search()

    def _tell_of_long_search(self) -> None:
        """Tell people why no trial starts, once it is looked long for a point that the constraint allows."""
        now = self._clock()
        since = self._waits_since = self._waits_since or now
        due = since + LONG_SEARCH_SECONDS
        if now < due:
            self.next_ask = due
        elif (sentence := self._sampler.why_no_point(is_asked=self._has_lock)) is not None:
            self._told_epoch = self._epoch
            self._tell(f"no trial has started for {LONG_SEARCH_SECONDS:g} s: {sentence}")

    def _num_due(self, num_there: int) -> int:
        """How many points have to be asked for now, beside those there, so that each trial finds one when it ends.

        Trials that end together need their points together, and answers come one after another. A point that comes a
        little too late costs more than one that comes a little too early, so a trial is expected to be one of the
        shorter ones, and an answer one of the slower.
        """
        trials, asks = self._trial_seconds, self._ask_seconds
        if min(len(trials), len(asks)) < _MIN_TIMED or not self._may_hold():
            return 0
        num_observed = self._num_in_history + self._num_told
        share = SLOW_ASK if num_observed < _LONG_HISTORY else _SLOW_ASK_OF_LONG_HISTORY
        if statistics.fmean(asks) <= share * statistics.fmean(trials):
            return 0
        trial = statistics.quantiles(trials, n=4, method="inclusive")[0]
        ask = statistics.quantiles(asks, n=4, method="inclusive")[-1]
        num_due, due, now = 0, math.inf, self._clock()
        for launched in reversed(list(self._launched.values())[num_there:]):
            due = min(due, launched + trial) - ask  # an answer is there when the one for the next trial is asked for
            if due > now:
                self.next_ask = due
            else:
                num_due += 1
        return num_due

    def launched(self, proposal: Proposal, number: int) -> None:
        self._launched[number] = self._clock()
        self._put(lambda: self._sampler.strategy.launched(proposal, number))

    def tell(self, observation: Observation) -> None:
        number = observation.number
        self._num_told += 1
        launched = self._launched.pop(number, None)
        if launched is not None:
            self._trial_seconds.append(self._clock() - launched)

        def tell_strategy() -> None:
            with self._condition:
                reports = self._reports.pop(number, None)
            if reports is not None:
                self._sampler.strategy.report_many(number, reports)
            self._sampler.strategy.tell(observation)

        self._put(tell_strategy)

    def report(self, number: int, iteration: int, value: float) -> None:
        with self._condition:
            self._reports.setdefault(number, []).append((iteration, value))
            self._condition.notify()

    def take_prunes(self) -> list[int]:
        return [self._prunes.popleft() for _ in range(len(self._prunes))]

    def close(self) -> None:
        """Let the thread end after the call that it is in; it is a daemon and holds no file open."""
        self._is_closed = True
        with self._condition:
            self._news.clear()
            self._asks.clear()
            self._reports.clear()
        self._put(None)

    def _take_answers(self) -> None:
        while self._answers:
            begun, sampled, seconds = self._answers.popleft()
            self._ask_seconds.append(seconds)
            if begun != self._num_begun:
                continue
            self._num_asked -= 1
            if sampled is None:
                self.is_exhausted = True
            else:
                self._ready.append(sampled)

    def _drop(self, proposal: Proposal) -> None:
        self._put(partial(self._sampler.strategy.dropped, proposal))

    def _put(self, news: Callable[[], None] | None) -> None:
        with self._condition:
            self._news.append(news)
            self._condition.notify()

    # The strategy's thread -----------------------------------------------------------------------

    def _run(self) -> None:
        with self._lock:
            self._has_lock = True
            while True:
                with self._condition:
                    self._condition.wait_for(lambda: self._news or self._asks or self._reports)
                    question: Callable[[], None] | None
                    if self._news:
                        question = self._news.popleft()
                    elif self._asks:
                        question = partial(self._ask_strategy, self._asks.popleft())
                    else:
                        number = next(iter(self._reports))
                        question = partial(self._ask_pruner, number, self._reports.pop(number))
                if question is None:
                    return
                try:
                    question()
                except BaseException as error:  # noqa: BLE001 -- a strategy may be the user's own, and leave by sys.exit
                    self.error = error
                    self._wake()

    def _read(self, read: Callable[[], _Found]) -> _Found:
        """Return what is read from the journal; another program's lock on it is waited for."""
        while True:
            try:
                return read()
            except JournalBusy:
                if self._is_closed:
                    raise
            time.sleep(RETRY_SECONDS)

    def _ask_strategy(self, begun: int) -> None:
        if begun != self._num_begun:
            return  # The space, or what counts, has changed since, so nobody needs the answer.
        began = self._clock()
        try:
            sampled = self._sampler.sample(lambda: begun == self._num_begun and not self._is_closed)
        except _NotWanted:
            return
        self._answers.append(_Answer(begun, sampled, self._clock() - began))
        self._wake()

    def _ask_pruner(self, number: int, reports: Sequence[tuple[int, float]]) -> None:
        if self._sampler.strategy.report_many(number, reports):
            self._prunes.append(number)
            self._wake()


def _overrides(strategy: SearchStrategy, method: str) -> bool:
    """Whether a strategy overrides a method; else calls of it, which would do nothing, are left out."""
    return getattr(type(strategy), method) is not getattr(SearchStrategy, method)
