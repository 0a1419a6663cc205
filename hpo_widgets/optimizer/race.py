"""A race of strategies: searches over one space with equal budgets and equal seeds, repeat after repeat."""

from __future__ import annotations

import atexit
import inspect
import itertools
import math
import os
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo_widgets._messages import near_match, printable
from hpo_widgets.journal.naming import folder_of_journals
from hpo_widgets.objectives.landscape import landscape_of
from hpo_widgets.optimizer.definition import CONTROLLER_KEYWORDS, names_a_task
from hpo_widgets.optimizer.optimizer import HyperParameterOptimizer
from hpo_widgets.optimizer.temporary_folder import TemporaryFolder
from hpo_widgets.parameters import as_parameters
from hpo_widgets.search import SearchStatus
from hpo_widgets.search.comparison import Pair, Standing, Trace, distances, pairs, standings, trace_of, verdict
from hpo_widgets.search.limits import SECONDS_A_MINUTE, WallClock, positive_int, seconds_to_wait
from hpo_widgets.strategies.registry import by_common_name, resolve
from hpo_widgets.trials.columns import tell
from hpo_widgets.trials.export import Export

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    import pandas as pd

    from hpo_widgets.objectives import Objective
    from hpo_widgets.objectives.landscape import Landscape
    from hpo_widgets.space import Space
    from hpo_widgets.strategies.base import SearchStrategy
    from hpo_widgets.trials.columns import Rows

LEAST_STRATEGIES, MOST_STRATEGIES = 2, 4

EXIT_MINUTES = 5 / SECONDS_A_MINUTE
"""How long the end of a process waits for searches to end."""

OF_TASKS = dict.fromkeys(
    ["execution_queue", "auto_connect_task", "always_create_task", "spawn_project", "save_top_k_tasks_only"]
)
"""Arguments of a search of Tasks, which searches on this machine do not take."""
_OF_THE_RACE = {
    "optimizer_class": "strategies",
    "total_max_jobs": "trials",
    "max_number_of_concurrent_tasks": "workers",
    **OF_TASKS,
}
"""Arguments of a search that the race sets itself, each with the race's own argument for it."""

RUN, PAUSE, STOP = "run", "pause", "stop"
"""What a race was asked to do last."""

_SAME_OPTIMUM = 1e-5
"""By so much of it, or of 1, a value may be better than an optimum that was given with few digits."""


@dataclass(frozen=True)
class Repeat:
    """One repeat of a race: a search of each strategy, all with the same seed.

    Attributes
    ----------
    number, seed : int
        From 0, and the seed of all searches.
    rows : mapping
        Strategy to its trials as columns.
    traces : mapping
        Strategy to its best so far, in values of the objective.
    """

    number: int
    seed: int
    rows: Mapping[str, Rows]
    traces: Mapping[str, Trace]


@dataclass(frozen=True)
class RaceSummary:
    """What came out so far; printing it gives a table, once a repeat has ended.

    Attributes
    ----------
    standings : list of Standing
        One per strategy, most wins first.
    pairs : list of Pair
        Each strategy against each.
    verdict : str
        What can be said of the two that stand first.
    num_repeats : int
        Whole repeats that it rests on.
    """

    standings: list[Standing]
    pairs: list[Pair]
    verdict: str
    num_repeats: int

    def __str__(self) -> str:
        if not self.num_repeats:
            return self.verdict
        width = max(len(one.name) for one in self.standings)
        lines = [
            f"{'strategy':<{width}}  {'end':>9}  {'middle half':>21}  {'area':>8}  wins of {self.num_repeats}, 95 %"
        ]
        lines += [
            f"{one.name:<{width}}  {one.end:>9.4g}  {one.low:>9.4g} … {one.high:>9.4g}  {one.area:>8.3f}  "
            f"{one.wins}, {one.interval[0]:.0%} … {one.interval[1]:.0%}"
            for one in self.standings
        ]
        lines += [
            f"{one.first} ahead of {one.second} in {one.wins} of {one.wins + one.losses}, "
            f"{one.interval[0]:.0%} … {one.interval[1]:.0%}: {one.verdict}"
            for one in self.pairs
        ]
        return "\n".join([*lines, self.verdict])


@dataclass
class _Running:
    """The searches of the repeat that runs now; owned by the race's thread."""

    number: int
    searches: dict[str, HyperParameterOptimizer]
    num_alive: int
    """Searches that were alive when one of them changed last."""
    unsubscribe: list[Callable[[], None]] = field(default_factory=list)

    @property
    def alive(self) -> list[HyperParameterOptimizer]:
        return [one for one in self.searches.values() if one.status.is_alive]


class Race:
    """Runs two to four strategies on one space, with the same number of trials, of workers, and the same seeds.

    All strategies of a repeat start together and run side by side, each with ``workers`` worker processes of its own,
    so that they share the machine as equals; the next repeat begins when all of them have ended. Repeat n has the
    seed ``seed + n`` for each strategy. With one worker the same seeds give the same trials again.

    Its methods may be called from any thread. A thread of the race makes, starts and ends the searches; it lives from
    `start` to the end of the last repeat. What the methods share with it is changed under one lock.

    Parameters
    ----------
    base_task_id
        What is run: a callable, or a `pathlib.Path` to a script.
    hyper_parameters
        The parameters, as for `HyperParameterOptimizer`.
    strategies
        Two to four: names (``"grid"``, ``"random"``, ``"TPE"``, ``"TPE + GP"``, ``"Sobol"``), classes of strategies, or
        pairs of a class and a dict of its keywords. A dict from names of your own to these is taken too. Given by
        name, the grid is an even one of at most ``trials`` points, and no strategy prunes.
    trials
        The budget of each search. Default: 49.
    repeats
        How many repeats a start runs. Default: 10.
    seed
        Seed of the first repeat. Default: 0.
    workers
        Worker processes of each strategy. Default: 1.
    journal
        The folder in which the journals of all searches are kept. Default: a temporary one, which `close` removes.
    name
        What the race is called. Default: the name of what is run.
    **arguments
        Further arguments of each search, such as ``objective_metric_sign``, ``time_limit_per_job`` or ``constraint``.

    Raises
    ------
    TypeError, ValueError
        For invalid input, with a correction, before anything runs.

    Examples
    --------
    >>> race = Race(branin, space, ["grid", "random", "TPE"], trials=49)  # doctest: +SKIP
    >>> race.start(); race.wait(); print(race.summary())  # doctest: +SKIP
    """

    def __init__(
        self,
        base_task_id: Callable[..., Any] | Path,
        hyper_parameters: Sequence[Any],
        strategies: Sequence[Any] | Mapping[str, Any] = ("grid", "random", "TPE"),
        *,
        trials: int = 49,
        repeats: int = 10,
        seed: int = 0,
        workers: int = 1,
        journal: str | Path | None = None,
        name: str | None = None,
        **arguments: Any,
    ) -> None:
        if isinstance(base_task_id, HyperParameterOptimizer):
            raise TypeError("a race runs a function or a script, got a search; compare([a, b]) shows searches")
        self.trials = positive_int("trials", trials)
        self.repeats = positive_int("repeats", repeats)
        self.workers = positive_int("workers", workers)
        if type(seed) is not int or seed < 0:
            msg = f"seed must be a whole number of at least 0, got {seed!r}"
            raise ValueError(msg)
        self.seed = seed
        if names_a_task(base_task_id):
            msg = "a race runs on this machine: base_task_id is a callable or the pathlib.Path of a script, not a Task"
            raise ValueError(msg)
        self._strategies = _named_strategies(strategies, self.trials, arguments)
        check_passed_on(Race, "a race", arguments, _OF_THE_RACE, *(one for one, _ in self._strategies.values()))
        self.names = tuple(self._strategies)
        """The strategies, in the order given."""
        # Its searches are made repeat by repeat: a path must still lead there when the working directory has changed.
        self.function: Callable[..., Any] | Path = (
            base_task_id.expanduser().absolute() if isinstance(base_task_id, Path) else base_task_id
        )
        """What is run."""
        self._arguments = arguments
        self._hyper_parameters = as_parameters(hyper_parameters)
        self._folder: TemporaryFolder | None = None
        self._journal = None if journal is None else folder_of_journals(journal)
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._idle = threading.Event()
        """Set while no thread of the race runs."""
        self._idle.set()
        self._run_ended = threading.Event()
        """Set once the present or last run has ended; one for each, so that a stop sees its own."""
        self._run_ended.set()
        self._asked = RUN
        self._next_status: SearchStatus | None = None
        """Running or paused, where a start came while it was stopping: as what it then begins; None: none came."""
        self._status = SearchStatus.IDLE
        self._reason = ""
        self._target = self.repeats
        self._finished: list[Repeat] = []
        self._running: _Running | None = None
        self._broken: Repeat | None = None
        self._pauses: list[tuple[float, float]] = []
        self._paused_at: float | None = None
        self._clock = WallClock()
        """Of the time without pauses."""
        self._subscribers: list[Callable[[], None]] = []
        self._is_closed = False
        # Made before anything runs, so that what is wrong with them is said here.
        self._ready: dict[str, HyperParameterOptimizer] | None = self._make(0)
        first = next(iter(self._ready.values()))
        if len(first.objectives) > 1:
            self._close_folder()
            msg = f"a race compares strategies by one objective, got {len(first.objectives)}: choose one of them"
            raise ValueError(msg)
        self.name = first.name if name is None else printable(str(name))
        self.space: Space = first.space
        self.objective: Objective = first.objectives[0]
        self.landscape: Landscape | None = landscape_of(base_task_id)
        self.id = f"race of {first.id}"

    # What is run ----------------------------------------------------------------------------------

    def _make(self, number: int) -> dict[str, HyperParameterOptimizer]:
        """Make the searches of a repeat; nothing runs yet."""
        journal: Path | str | None = self._journal
        if journal is None:
            if self._folder is None:
                self._folder = TemporaryFolder("race")
                call_at_exit(self._leave)
            journal = self._folder.name
        made: dict[str, HyperParameterOptimizer] = {}
        for name, (strategy, keywords) in self._strategies.items():
            if "seed" in keywords:
                self._close_folder()
                raise TypeError(f"{name}: each repeat of a race has a seed, the same for all: give seed= to the race")
            try:
                made[name] = HyperParameterOptimizer(
                    self.function,
                    self._hyper_parameters,
                    optimizer_class=strategy,
                    max_number_of_concurrent_tasks=self.workers,
                    total_max_jobs=self.trials,
                    journal=journal,
                    **{"seed": self.seed + number, **keywords, **self._arguments},
                )
            except (TypeError, ValueError) as error:
                self._close_folder()
                raise type(error)(f"{name}: {error}") from error
        return made

    # Start and end --------------------------------------------------------------------------------

    def start(self) -> bool:
        """Run the repeats that are left; when none is left, as many again.

        A repeat that was stopped is run again from its beginning. A race that is stopping starts again when it has
        stopped.

        Returns
        -------
        bool
            True, also when the race was running already; False when the system has no thread left, as `reason` says.

        Raises
        ------
        RuntimeError
            After `close`.
        """
        with self._lock:
            if self._is_closed:
                msg = "the race is closed; make another one"
                raise RuntimeError(msg)
            if not self._idle.is_set():
                if self._status is SearchStatus.STOPPING:
                    self._next_status = self._next_status or SearchStatus.RUNNING
                return True
            has_begun = self._begin()
        self._notify()
        return has_begun

    def _begin(self) -> bool:
        if len(self._finished) >= self._target:
            self._target += self.repeats
        self._asked, self._status, self._reason = RUN, SearchStatus.RUNNING, ""
        self._clock = self._clock.started()
        if self._next_status is SearchStatus.PAUSED:
            self._begin_pause()
        self._next_status = None
        self._idle.clear()
        self._run_ended = threading.Event()
        thread = threading.Thread(target=self._run, args=(self._run_ended,), name="hpo_widgets race", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # the system has no thread left
            self._clock = self._clock.stopped()
            self._status, self._reason = SearchStatus.FAILED, f"no thread could be started: {error}"
            self._idle.set()
            self._run_ended.set()
            return False
        return True

    def pause(self) -> None:
        """Launch nothing more; running trials finish, and the clock of the race stands."""
        with self._lock:
            if self._next_status is not None:
                self._next_status = SearchStatus.PAUSED
            if self._status is not SearchStatus.RUNNING:
                return
            self._begin_pause()
        self._wake.set()
        self._notify()

    def resume(self) -> None:
        """Go on after `pause`."""
        with self._lock:
            if self._next_status is not None:
                self._next_status = SearchStatus.RUNNING
            if self._status is not SearchStatus.PAUSED:
                return
            self._asked, self._status = RUN, SearchStatus.RUNNING
            self._end_pause()
            self._clock = self._clock.started()
        self._wake.set()
        self._notify()

    def _begin_pause(self) -> None:
        self._asked, self._status = PAUSE, SearchStatus.PAUSED
        self._paused_at = time.time()
        self._clock = self._clock.stopped()

    def _end_pause(self) -> None:
        if self._paused_at is not None:
            self._pauses.append((self._paused_at, time.time()))
            self._paused_at = None

    def stop(self, timeout: float | None = None) -> bool:
        """Stop all searches; the repeat that runs counts for nothing.

        Parameters
        ----------
        timeout
            Minutes to wait at most for the end. Default: until it has ended (under a second).

        Returns
        -------
        bool
            Whether it has ended.
        """
        return self._ask_to_stop().wait(seconds_to_wait(timeout))

    def _ask_to_stop(self) -> threading.Event:
        """Stop without waiting; the returned event is set once the run has ended."""
        with self._lock:
            self._next_status = None
            ended = self._run_ended
            if ended.is_set():
                return ended
            self._clock = self._clock.stopped()
            self._asked, self._status = STOP, SearchStatus.STOPPING
        self._wake.set()
        self._notify()
        return ended

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end of the last repeat; interruptible.

        Parameters
        ----------
        timeout
            Minutes. Default: until the end.

        Returns
        -------
        bool
            True when the race has ended or was never started, False when it timed out.
        """
        return self._idle.wait(seconds_to_wait(timeout))

    def close(self) -> None:
        """Stop, and remove the temporary folder of the journals; what came out stays."""
        with self._lock:
            self._is_closed = True
        self.stop()
        self._close_folder()

    def _leave(self) -> None:
        """Leave no folder behind when the process ends: searches that still run would write their journals again."""
        self.stop(EXIT_MINUTES)
        self._close_folder()

    def _close_folder(self) -> None:
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    # Commands of a panel --------------------------------------------------------------------------

    @property
    def capabilities(self) -> dict[str, str | None]:
        """Command to None when it can be done now, else to the sentence that says why not."""
        status = self._status
        running = "the race is running" if status.is_alive else None
        not_running = None if status.is_alive else "the race is not running"
        if self._is_closed:
            running = not_running = "the race is closed"
        return {
            "start": running,
            "pause": not_running or ("the race is paused already" if status is not SearchStatus.RUNNING else None),
            "resume": not_running or ("the race is not paused" if status is not SearchStatus.PAUSED else None),
            "stop": not_running or ("the race is stopping" if status is SearchStatus.STOPPING else None),
        }

    def command(self, name: str) -> None:
        """Do one of `capabilities` without waiting for it; what cannot be done does nothing."""
        if self.capabilities.get(name, "unknown") is not None:
            return
        {"start": self.start, "pause": self.pause, "resume": self.resume, "stop": self._ask_to_stop}[name]()

    # The thread of the race -----------------------------------------------------------------------

    def _run(self, ended: threading.Event) -> None:
        """Run repeat after repeat."""
        status, reason = SearchStatus.COMPLETED, ""
        try:
            while self._may_go_on():
                self._run_repeat(len(self._finished))
            if self._asked == STOP:
                status = SearchStatus.STOPPED
        except _StrategyError as failed:
            status, reason = SearchStatus.FAILED, str(failed)
        except BaseException as error:  # noqa: BLE001 -- also where a strategy leaves by sys.exit: somebody may wait for the end
            status, reason = SearchStatus.FAILED, f"{type(error).__name__}: {error}"
        with self._lock:
            self._clock = self._clock.stopped()
            self._end_pause()
            broken = self._current()
            has_trials = broken is not None and any(len(one.levels) for one in broken.traces.values())
            self._broken, self._running = broken if has_trials else None, None
            self._status, self._reason = status, reason
            if self._next_status is not None:
                self._begin()
            else:
                self._idle.set()
            ended.set()
        self._notify()

    def _may_go_on(self) -> bool:
        """Wait out a pause between two repeats; returns whether there is another one to run."""
        while self._asked == PAUSE:
            self._wake.wait()
            self._wake.clear()
        return self._asked == RUN and len(self._finished) < self._target

    def _run_repeat(self, number: int) -> None:
        ready, self._ready = self._ready, None
        searches = ready or self._make(number)
        running = _Running(number, searches, len(searches))
        try:
            for search in running.searches.values():
                running.unsubscribe.append(search.subscribe(self._changed))
            with self._lock:
                self._running, self._broken = running, None
            for search in running.searches.values():
                search.start()
            asked = RUN
            while running.alive:
                if self._asked != asked:
                    asked = self._asked
                    for search in running.alive:
                        if asked == STOP:
                            search.command("stop")  # all end at the same time
                        else:
                            # It waits until it is done: a resume is refused as long as the pause before it waits.
                            {RUN: search.resume, PAUSE: search.pause}[asked]()
                self._wake.wait()
                self._wake.clear()
                self._refuse_failure(running)
        finally:
            self._end(running)
        if self._asked != STOP:
            self._finish(running)

    def _refuse_failure(self, running: _Running) -> None:
        for name, search in running.searches.items():
            if search.status is SearchStatus.FAILED:
                raise _StrategyError(f"{name}, repeat {running.number + 1}: {search.stop_reason}")

    def _end(self, running: _Running) -> None:
        """Leave nothing of a repeat running or open."""
        for search in running.alive:
            search.command("stop")
        for search in running.searches.values():
            search.wait()
            search.close_files()
        for unsubscribe in running.unsubscribe:
            unsubscribe()

    def _finish(self, running: _Running) -> None:
        self._refuse_failure(running)
        with self._lock:
            self._finished.append(self._so_far(running))
            self._running = None
        self._notify()

    def _so_far(self, running: _Running) -> Repeat:
        rows: dict[str, Rows] = {name: search.snapshot() for name, search in running.searches.items()}
        pauses = [*self._pauses]
        if self._paused_at is not None:
            pauses.append((self._paused_at, time.time()))
        traces = {name: trace_of(one, minimise=self.objective.minimise, pauses=pauses) for name, one in rows.items()}
        return Repeat(running.number, self.seed + running.number, rows, traces)

    # What readers see -----------------------------------------------------------------------------

    def _changed(self) -> None:
        """Note a change of a search, on that search's thread: only flags are set."""
        running = self._running
        if running is not None and (num_alive := len(running.alive)) != running.num_alive:
            running.num_alive = num_alive
            self._wake.set()
        self._notify()

    def _notify(self) -> None:
        tell(tuple(self._subscribers))

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have ``callback`` called after every change, on any thread; it must only set a flag.

        Returns the function that ends the subscription.
        """
        with self._lock:
            self._subscribers.append(callback)

        def unsubscribe() -> None:
            with self._lock:
                if callback in self._subscribers:
                    self._subscribers.remove(callback)

        return unsubscribe

    @property
    def status(self) -> SearchStatus:
        """What the race is doing."""
        return self._status

    @property
    def reason(self) -> str:
        """Why it failed; empty else."""
        return self._reason

    @property
    def target(self) -> int:
        """How many repeats are to be run in all."""
        return self._target

    @property
    def elapsed_minutes(self) -> float:
        """Minutes that it has run, without pauses."""
        return self._clock.minutes

    @property
    def finished(self) -> tuple[Repeat, ...]:
        """The whole repeats."""
        with self._lock:
            return tuple(self._finished)

    @property
    def current(self) -> Repeat | None:
        """The repeat that runs, as far as it is; None while none does."""
        with self._lock:
            return self._current()

    @property
    def broken(self) -> Repeat | None:
        """The repeat that a stop or a failure broke off, as far as it was; None once another one runs.

        It counts for nothing, and a start runs it again from its beginning.
        """
        with self._lock:
            return self._broken

    def _current(self) -> Repeat | None:
        return None if self._running is None else self._so_far(self._running)

    @property
    def num_ended(self) -> dict[str, int]:
        """Strategy to the number of its trials that have ended, those of the repeat that runs included."""
        with self._lock:  # a repeat that ends meanwhile is counted once
            return self._num_ended_in(*self._finished, self._current())

    @property
    def num_shown(self) -> dict[str, int]:
        """As `num_ended`, with those of a repeat that was broken off, which counts for nothing but is shown."""
        with self._lock:
            return self._num_ended_in(*self._finished, self._current() or self._broken)

    def _num_ended_in(self, *repeats: Repeat | None) -> dict[str, int]:
        known = [one for one in repeats if one is not None]
        return {name: sum(len(one.traces[name].levels) for one in known) for name in self.names}

    @property
    def compares_distances(self) -> bool:
        """Whether values are compared as distances from the optimum, which is known."""
        return self.landscape is not None

    def compared(self, trace: Trace) -> Trace:
        """Return a best so far as it is compared: as the distance from the optimum where that is known."""
        if self.landscape is None:
            return trace
        return distances(trace, self.landscape.optimum, minimise=self.objective.minimise)

    @property
    def minimise(self) -> bool:
        """Whether less is better in what is compared."""
        return self.compares_distances or self.objective.minimise

    def traces(self) -> dict[str, list[Trace]]:
        """Strategy to its best so far in each whole repeat, as it is compared."""
        finished = self.finished
        return {name: [self.compared(one.traces[name]) for one in finished] for name in self.names}

    def summary(self) -> RaceSummary:
        """What came out so far: medians, areas, wins and pairs with their 95 % intervals, and the verdict."""
        traces = self.traces()
        stand = standings(traces, self.trials, minimise=self.minimise, is_log=self.compares_distances)
        against = pairs(traces, minimise=self.minimise)
        words = [*verdict(stand, against), self._doubt_about_the_optimum()]
        return RaceSummary(stand, against, " ".join(filter(None, words)), len(self.finished))

    def _doubt_about_the_optimum(self) -> str:
        """Say that a trial is better than the optimum that is taken to be known: then distances mean nothing."""
        if self.landscape is None:
            return ""
        optimum, sign = self.landscape.optimum, 1 if self.objective.minimise else -1
        ends = (repeat.traces[name].end for repeat in self.finished for name in self.names)
        best = min((sign * end for end in ends if not math.isnan(end)), default=math.inf) * sign
        if sign * (optimum - best) <= _SAME_OPTIMUM * max(1.0, abs(optimum)):
            return ""
        return (
            f"But a trial has reached {best:.6g}, which is better than the optimum that the function is said to have, "
            f"{optimum:.6g}: distances from it mean nothing."
        )

    def to_dataframe(self) -> pd.DataFrame:
        """All trials of the whole repeats, one row each: number, strategy, repeat, seed, then as of any search.

        There is no column ``error``.
        """
        import pandas as pd

        frames = []
        for repeat, name in itertools.product(self.finished, self.names):
            of_race: dict[str, Any] = {"strategy": name, "repeat": repeat.number + 1, "seed": repeat.seed}
            frame = Export(repeat.rows[name], self.space, (self.objective,)).to_dataframe(reserved=of_race)
            for place, (title, value) in enumerate(of_race.items()):
                frame.insert(place, title, value)
            frames.append(frame.reset_index())
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}: {self._status}, {len(self._finished)} of {self._target} repeats>"


class _StrategyError(Exception):
    """A search of the race has failed; its message says which and why."""


def call_at_exit(method: Callable[[], object]) -> None:
    """Have a method called when this process ends, unless its object has gone by then; forks do not call it."""
    atexit.register(_call, weakref.WeakMethod(method), os.getpid())


def _call(method: weakref.WeakMethod[Callable[[], object]], pid: int) -> None:
    found = method()
    if found is not None and pid == os.getpid():
        found()


def check_passed_on(
    kind: type,
    what: str,
    arguments: Mapping[str, Any],
    own: Mapping[str, str | None],
    *strategies: type[SearchStrategy],
) -> None:
    """Refuse arguments that something which makes searches cannot pass on to them.

    Parameters
    ----------
    kind
        Its class, whose constructor says what it takes itself.
    what
        What it is called.
    arguments
        What it was given for its searches.
    own
        Arguments of a search that it sets itself, each with its own argument for that, if it has one.
    *strategies
        Those of its searches, which take keywords of theirs.

    Raises
    ------
    TypeError
        For the first of them, with what to give instead.
    """
    takers = [inspect.signature(one).parameters for one in (kind, HyperParameterOptimizer)]
    known = dict.fromkeys(itertools.chain(*takers, CONTROLLER_KEYWORDS, *(one.keywords() for one in strategies)))
    for given in arguments:
        if given in own:
            instead = f"; use {own[given]}" if own[given] else ""
            raise TypeError(f"{what} takes no {given}: it gives its searches their own{instead}")
        if given not in known:
            raise TypeError(f"{what} takes no {given}. {near_match(given, [one for one in known if one not in own])}")


def _named_strategies(
    given: Sequence[Any] | Mapping[str, Any], num_trials: int, arguments: Mapping[str, Any]
) -> dict[str, tuple[type[SearchStrategy], dict[str, Any]]]:
    """Return the class and keywords of each strategy by its name; those without one go by their titles."""
    if isinstance(given, str) or not isinstance(given, (Sequence, Mapping)):
        msg = f"strategies is a list such as ['grid', 'random', 'TPE'], or a dict of names to strategies, got {given!r}"
        raise TypeError(msg)
    if not LEAST_STRATEGIES <= len(given) <= MOST_STRATEGIES:
        msg = f"a race takes {LEAST_STRATEGIES} to {MOST_STRATEGIES} strategies, got {len(given)}"
        raise ValueError(msg)
    named: dict[str, tuple[type[SearchStrategy], dict[str, Any]]] = {}
    entries = given.items() if isinstance(given, Mapping) else ((None, one) for one in given)
    for name, one in entries:
        keywords: dict[str, Any] = {}
        if isinstance(one, str):
            strategy, keywords = by_common_name(one, num_trials)
            own_name = one.strip()
        else:
            if isinstance(one, tuple) and len(one) == 2 and isinstance(one[1], Mapping):
                one, keywords = one[0], dict(one[1])  # noqa: PLW2901 -- the pair is taken apart
            strategy = resolve(one)
            own_name = _title(strategy, keywords, arguments) if name is None else ""
        name = printable(own_name if name is None else str(name))  # noqa: PLW2901 -- as given, else its own
        if name in named:
            msg = f"two strategies are called {name!r}: give them names of their own by a dict"
            raise ValueError(msg)
        named[name] = strategy, keywords
    return named


def _title(strategy: type[SearchStrategy], keywords: Mapping[str, Any], arguments: Mapping[str, Any]) -> str:
    """What a person calls a strategy with its own keywords and those of all searches' arguments that it takes."""
    taken = {name: arguments[name] for name in strategy.keywords() if name in arguments}
    return strategy(**{**keywords, **taken}).title
