"""Patches a live strategy of the SDK, to control what is launched, when, and with which values.

The SDK's classes stay as they are. The one strategy object becomes an instance of a subclass of its class, which
overrides public methods only: ``start``, ``stop``, ``process_step``, ``create_job``, ``helper_create_job`` and
``monitor_job``. A loop that runs already calls the overrides from its next turn on. ``budget.compute_time``, which is
public, is replaced.

Private names of the SDK that are written, and why nothing public does it:

``SearchStrategy._stop_event``
    The loop sleeps on it for a whole pool period, two minutes by default. No method wakes the loop without ending it,
    and a loop that runs already is not reached by an override of ``start``. `WakeableEvent` takes its place.
``SearchStrategy._num_concurrent_workers``
    ``process_step`` takes the number of free places from it; no method sets it after the constructor.
``SearchStrategy._hyper_parameters``
    The Optuna strategy reads its ranges from it in ``start``; no method sets it. Random and grid searches get other
    ranges by ``create_job``.
``OptimizerOptuna._objective``
    Its ``sleep_interval``, a public attribute, is set to 0 once it exists: the SDK's pause does not end at a stop, and
    `StrategyPatches` pauses instead.
``HyperParameterOptimizer._stop_event``
    Set before a second start, to end the reporter of the run before (`end_reporter`); ``stop`` does nothing once the
    loop has ended, or waits up to a report period.

Private names that are only read, because no public name gives the same: ``SearchStrategy._base_task_id``,
``_base_task_name``, ``_job_class`` and ``_num_jobs``; ``OptimizerOptuna._study``, ``_optuna_sampler`` and
``_optuna_pruner``; ``HyperParameterOptimizer._thread`` (``is_running`` does not tell a loop that died, or one that
still launches after a stop), ``_thread_reporter``, ``_task``, ``_experiment_completed_cb`` and
``_save_top_k_tasks_only``; ``RandomSeed._random``, the generator that ``set_random_seed`` seeds.

Tried on clearml 2.1.12 and 2.0.0 with all tests of the adapter, and on 2.1.0 with those of Optuna and of steering.
"""

from __future__ import annotations

import itertools
import logging
import sys
import threading
import time
from collections import deque
from random import SystemRandom
from typing import TYPE_CHECKING, Any

from clearml.automation.optimization import Budget, GridSearch, RandomSearch, SearchStrategy
from clearml.automation.parameters import Parameter as SdkParameter
from clearml.automation.parameters import RandomSeed, UniformParameterRange

from hpo_widgets.clearml_sdk.launch_guard import LaunchGuard
from hpo_widgets.parameters import LeafParameter, as_parameter, redeclared
from hpo_widgets.parameters.choices import identity
from hpo_widgets.strategies.sampling import PointStream, first_unseen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from hpo_widgets.space import Space

logger = logging.getLogger("hpo_widgets")

_DEFAULT_SEED = 1337
"""The SDK's default seed, with which every process draws the same points in the same order."""

_MOST_ERRORS = 3
_MOST_SEEN_IN_A_ROW = 42
"""Points in a row that were tried before and end a random search, as in the SDK."""
_SECONDS_TO_AN_END = 0.2
_REPORTER_SECONDS = 60.0
_SECONDS_BETWEEN_LOOKS = 1.0
"""Seconds at least between two looks at one job: the SDK's Optuna strategy has no pause before the first scalar."""


class StrategyPatches:
    """Pause, stop, enqueued points, ranges and sizes of one live strategy; may be used from any thread.

    Attributes
    ----------
    strategy
        The SDK's strategy object.
    kind
        Its class, before it was patched.
    guard
        Guards the launches of its jobs.
    epoch_of, enqueued
        Task id to the space epoch of its point; ids of Tasks of enqueued points.
    error
        The error that ended the SDK's loop; None: there was none.
    is_paused
        Whether nothing is launched.

    Parameters
    ----------
    strategy
        The strategy to patch.
    wake
        Called when something has happened, on any of the SDK's threads; it must only set a flag.
    began
        Called on the loop's thread when the loop begins, by whomever it was started.
    withdraw
        Takes back a Task that was launched while a stop was under way.
    """

    def __init__(
        self,
        strategy: Any,
        *,
        wake: Callable[[], None],
        began: Callable[[], None],
        withdraw: Callable[[str], None],
    ) -> None:
        self.strategy = strategy
        self.kind: Any = next(kind for kind in type(strategy).__mro__ if not issubclass(kind, _PatchedStrategy))
        self.guard = LaunchGuard(strategy, is_refusing=lambda: self._is_refusing, withdraw=withdraw, wake=wake)
        self.epoch_of: dict[str, int] = {}
        self.enqueued: set[str] = set()
        self.error: str | None = None
        self.epoch = 0
        self._wake = wake
        self._began = began
        self._declared = list(strategy._hyper_parameters)  # noqa: SLF001 -- see the module
        self._has_own_seed = False
        self._seed: int | None = None
        self._points: Iterator[dict[str, Any]] | None = None
        """Where `create_job` takes points from; None: the SDK's own."""
        self._waiting: deque[dict[str, Any]] = deque()
        self.is_paused = False
        self._is_refusing = False
        self._num_errors = 0
        self._looked_at: dict[str, float] = {}
        self._ended: set[str] = set()
        self._read_again: set[str] = set()
        self._changed = threading.Condition()
        self.event = WakeableEvent(strategy._stop_event)  # noqa: SLF001
        strategy._stop_event = self.event  # noqa: SLF001
        strategy.budget.compute_time = _ReportedComputeTime(strategy.budget.compute_time)
        strategy._hpo_widgets = self  # noqa: SLF001 -- ours
        home = {"__module__": self.kind.__module__}
        strategy.__class__ = type(self.kind.__name__, (_PatchedStrategy, self.kind), home)

    # What kind of strategy it is ------------------------------------------------------------------------

    @property
    def is_random(self) -> bool:
        """A random search."""
        return issubclass(self.kind, RandomSearch)

    @property
    def is_grid(self) -> bool:
        """A grid search."""
        return issubclass(self.kind, GridSearch)

    @property
    def is_optuna(self) -> bool:
        """The SDK's Optuna strategy, or one derived from it."""
        return any(kind.__name__ == "OptimizerOptuna" for kind in self.kind.__mro__)

    @property
    def has_loop(self) -> bool:
        """Whether the SDK's common loop runs it, which calls ``create_job`` for each job."""
        return self.kind.start is SearchStrategy.start

    @property
    def study(self) -> Any:
        """The study of an Optuna strategy; None before its start and for others."""
        return getattr(self.strategy, "_study", None) if self.is_optuna else None

    # Commands -----------------------------------------------------------------------------------------

    def prepare(self, space: Space) -> None:
        """Prepare the first start: a random search gets points of its own, unless a seed was set.

        It gets them with a seed, too, where the SDK would never draw the maximum of a stepped range.
        """
        self._has_own_seed = RandomSeed.get_random_seed() == _DEFAULT_SEED
        if self.is_random and (self._has_own_seed or any(map(_misses_its_maximum, self._declared))):
            self._points = self._random_points(space, 0)

    def set_space(self, space: Space, epoch: int, *, was_started: bool) -> None:
        """Draw from other ranges from the next point on.

        Parameters
        ----------
        space
            The declared space with its present ranges.
        epoch
            The number of this version of the space, kept with each Task.
        was_started
            Whether the search was started; the Optuna strategy takes no other ranges then.
        """
        self.epoch = epoch
        # The loop's thread takes each point from the iterator that is set at that time.
        if self.is_random:
            self._points = self._random_points(space, epoch)
        elif self.is_grid:
            self._points = self._grid_points(space)
        elif not was_started:
            self.strategy._hyper_parameters = _redeclared(self._declared, space)  # noqa: SLF001
        self.event.wake()

    def _random_points(self, space: Space, epoch: int) -> Iterator[dict[str, Any]]:
        # Called on the loop's thread, as all use of the SDK's generator, so that `set_random_seed` repeats the points.
        if self._seed is None:
            source = SystemRandom() if self._has_own_seed else RandomSeed._random  # noqa: SLF001
            self._seed = source.getrandbits(32)
        stream, numbers = PointStream(space, self._seed, epoch), itertools.count()
        while True:
            drawn = (stream[number] for number in itertools.islice(numbers, _MOST_SEEN_IN_A_ROW))
            point = self._first_untried(space, drawn)
            if point is None:
                return
            yield point

    def _first_untried(self, space: Space, drawn: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
        tried = self._tried()

        def is_tried(point: dict[str, Any]) -> bool:
            return identity(point) in tried

        point = next((point for point in drawn if not is_tried(point)), None)
        return first_unseen(space, is_tried, 0) if point is None and space.size is not None else point

    def _grid_points(self, space: Space) -> Iterator[dict[str, Any]]:
        tried = self._tried()  # at the first point, on the loop's thread: it creates no job meanwhile
        for point in space.grid():
            if identity(point) not in tried:
                yield point

    def _tried(self) -> set[Any]:
        return {identity(point) for point in self.strategy.get_created_jobs_ids().values() if point}

    def have_ended(self, task_ids: list[str]) -> None:
        """Fill the places of ended Tasks at once; the state that a job caches may be a second old."""
        self._ended.update(task_ids)
        self.event.wake()

    def pause(self, *, paused: bool) -> None:
        """Launch nothing more, or launch again."""
        with self._changed:
            self.is_paused = paused
            self._changed.notify_all()
        self.event.wake()

    def refuse(self) -> None:
        """Launch nothing any more."""
        with self._changed:
            self._is_refusing = True
            self._changed.notify_all()

    def allow(self) -> None:
        """Allow launches again, for a new run."""
        self._is_refusing = False
        self.error = None
        self._num_errors = 0
        self.guard.allow()
        self.event.clear()

    @property
    def concurrency(self) -> int:
        """Jobs that may run at once."""
        return int(self.strategy._num_concurrent_workers)  # noqa: SLF001 -- see the module

    def set_concurrency(self, number: int) -> None:
        """Change how many jobs may run at once."""
        self.strategy._num_concurrent_workers = number  # noqa: SLF001
        self.event.wake()

    def set_total_max_jobs(self, number: int | None) -> None:
        """Change how many jobs may be launched in all."""
        self.strategy.total_max_jobs = self.strategy.budget.jobs.limit = number
        self.event.wake()

    @property
    def num_launched(self) -> int:
        """Jobs that were launched so far."""
        # Only the common loop counts them; Optuna's strategy counts points, those that it skips included.
        strategy = self.strategy
        return int(strategy._num_jobs if self.has_loop else len(strategy.get_created_jobs_ids()))  # noqa: SLF001

    @property
    def num_left(self) -> int | None:
        """Jobs of the budget that are neither launched nor taken by enqueued points; None without a limit."""
        limit = self.strategy.total_max_jobs
        return max(0, limit - self.num_launched - len(self._waiting)) if limit else None

    @property
    def waiting(self) -> list[dict[str, Any]]:
        """Enqueued points that are no job yet."""
        return list(self._waiting)

    @property
    def all_used(self) -> str:
        """A sentence for when nothing is left of the budget."""
        limit, launched = self.strategy.total_max_jobs, self.num_launched
        return f"all {limit} jobs have run" if launched <= limit else f"{launched} jobs have run, {limit} are allowed"

    def set_compute_limit(self, minutes: float | None) -> None:
        """Count compute time and report it as a share of a limit, in minutes; None: no limit."""
        self.strategy.compute_time_limit = minutes
        self.strategy.budget.compute_time.minutes = minutes

    def enqueue(self, point: dict[str, Any]) -> None:
        """Run a point next, duplicate or not."""
        if self.study is not None:
            history = self.strategy.parameter_override_history
            while point in history:
                history.remove(point)  # or the SDK would prune it without running it
            self.study.enqueue_trial(dict(point))
        self._waiting.append(point)
        self.event.wake()

    # The overrides, on the SDK's threads ------------------------------------------------------------------

    def run(self, start: Callable[[], None]) -> None:
        """Run the whole loop; after an error it ends properly, while the SDK would count it as running for ever."""
        self._began()
        try:
            start()
        except Exception as error:
            if not self._is_refusing:
                logger.exception("the ClearML controller's loop ended with an error")
                self.error = f"{type(error).__name__}: {error}"
        finally:
            self._wake()

    def stop(self) -> None:
        """End the loop at once; the SDK's stop acts at the end of a pool period, and with Optuna never."""
        self.refuse()
        self.event.set()

    def step(self, process_step: Callable[[], bool]) -> bool:
        """One turn of the common loop; False ends it."""
        if self._is_refusing:
            return False
        was_paused = self.is_paused  # if a pause ends during this turn, nothing was launched in it
        try:
            goes_on = bool(process_step())
            self._num_errors = 0
        except Exception as error:
            self._num_errors += 1
            logger.warning("an iteration of the ClearML controller's loop failed", exc_info=True)
            if self._num_errors >= _MOST_ERRORS:
                self.error = f"{type(error).__name__}: {error}"
                return False
            return True
        finally:
            self._wake()
        return (goes_on or was_paused or self.is_paused or bool(self._waiting)) and not self._is_refusing

    @property
    def _may_launch(self) -> bool:
        return not self._is_refusing and self.guard.may_go_on

    def next_job(self, create_job: Callable[[], Any]) -> Any:
        """The next job of the common loop; None: none now. The SDK fills all free places without counting."""
        limit = self.strategy.total_max_jobs
        if self.is_paused or not self._may_launch or (limit and self.num_launched >= limit):
            return None
        if self._waiting:
            point: dict[str, Any] | None = self._waiting[0]
        elif self._points is None:
            return create_job()
        else:
            point = next(self._points, None)
        if point is None:
            return None
        base = self.strategy._base_task_id  # noqa: SLF001 -- as the SDK's own strategies
        return self.strategy.helper_create_job(base_task_id=base, parameter_override=point)

    def make_job(self, helper_create_job: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
        """Make one job, known here before it is launched.

        Parameters
        ----------
        helper_create_job
            The SDK's method.
        *arguments, **keywords
            What it was called with.

        Returns
        -------
        object
            The SDK's job, not launched yet.
        """
        if self.is_optuna:
            self._wait_while_paused()
        epoch = self.epoch
        job = helper_create_job(*arguments, **keywords)
        task_id = job.task_id()
        self.epoch_of[task_id] = epoch
        point = keywords.get("parameter_override")
        if point is not None and point in self._waiting:
            self._waiting.remove(point)
            self.enqueued.add(task_id)
        self.guard.guard(job)
        self._wake()
        return job

    def _wait_while_paused(self) -> None:
        """Block an Optuna worker until the pause ends; at a stop, end its study and raise ``TrialPruned``."""
        with self._changed:
            self._changed.wait_for(lambda: not self.is_paused or self._is_refusing)
        if not self._may_launch:
            if self.study is not None:
                self.study.stop()  # on a worker's thread, the only place where Optuna allows it
            home = next(kind for kind in self.kind.__mro__ if kind.__name__ == "OptimizerOptuna")
            raise sys.modules[home.__module__].optuna.TrialPruned

    def monitor(self, monitor_job: Callable[[Any], bool], job: Any) -> bool:
        """Look at a job, for Optuna after a pause that a stop ends, which the SDK's own pauses do not.

        Parameters
        ----------
        monitor_job
            The SDK's method.
        job
            The SDK's job.

        Returns
        -------
        bool
            False when the job is of no interest any more.
        """
        task_id = job.task_id()
        if self.is_optuna:
            objective = getattr(self.strategy, "_objective", None)
            if objective is not None:
                objective.sleep_interval = 0
            pause = max(_SECONDS_BETWEEN_LOOKS, float(self.strategy.pool_period_minutes) * 60.0)
            left = self._looked_at.get(task_id, 0.0) + pause - time.monotonic()
            if left > 0 and task_id not in self._read_again and self.event.wait(left):
                time.sleep(_SECONDS_TO_AN_END)  # the job ends soon
            self._looked_at[task_id] = time.monotonic()
        if task_id in self._ended:
            self._ended.discard(task_id)
            job.status(force=True)
        goes_on = bool(monitor_job(job))
        if self.is_optuna and not goes_on and task_id not in self._read_again:
            # Look once more, so that Optuna sees the last value; without it, releases such as 2.1.0 of the SDK fail.
            self._read_again.add(task_id)
            goes_on = True
        # A Task that was taken out of its queue is a draft again, which the SDK would watch for ever.
        return goes_on and not self._is_refusing and job.status() != "created"


class _PatchedStrategy(SearchStrategy):
    """Precedes the class of a patched strategy: passes each call on, together with the method that it overrides."""

    _hpo_widgets: StrategyPatches

    def start(self) -> None:
        self._hpo_widgets.run(super().start)

    def stop(self) -> None:
        self._hpo_widgets.stop()

    def process_step(self) -> bool:
        return self._hpo_widgets.step(super().process_step)

    def create_job(self) -> Any:
        return self._hpo_widgets.next_job(super().create_job)

    def helper_create_job(self, *arguments: Any, **keywords: Any) -> Any:
        return self._hpo_widgets.make_job(super().helper_create_job, *arguments, **keywords)

    def monitor_job(self, job: Any) -> bool:
        return self._hpo_widgets.monitor(super().monitor_job, job)


class _ReportedComputeTime(Budget.Field):
    """Compute time that is reported as before, but without the limit at which the SDK's reporter would fail.

    At that limit the SDK compares a fraction with minutes, and reads an attribute that does not exist.
    """

    def __init__(self, former: Any) -> None:
        super().__init__(None)
        self.current = former.current
        self.minutes = former.limit

    @property
    def used(self) -> float | None:
        """The share that is used, as the SDK reports it."""
        if not self.minutes or not self.current:
            return None
        return float(sum(self.current.values())) / float(self.minutes)


class WakeableEvent(threading.Event):
    """An event whose waiters can be woken without setting it.

    The SDK's loop is woken when a job ends, so that it fills the free place at once instead of at the end of its pool
    period. A wake-up that comes while a thread does not wait ends that thread's next wait.

    Parameters
    ----------
    former
        The event that this one replaces; threads that still wait for it are woken by `set`, too.
    """

    def __init__(self, former: threading.Event) -> None:
        super().__init__()
        self._former = former
        self._changed = threading.Condition()
        self._wakes = 0
        self._seen = threading.local()
        if former.is_set():
            super().set()

    def set(self) -> None:
        """Set this event and the one that it replaces."""
        super().set()
        self._former.set()
        self.wake()

    def clear(self) -> None:
        """Clear this event and the one that it replaces."""
        self._former.clear()
        super().clear()

    def wake(self) -> None:
        """Wake all waiters without setting anything."""
        with self._changed:
            self._wakes += 1
            self._changed.notify_all()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set or woken; True when it is set."""
        with self._changed:
            seen = getattr(self._seen, "wakes", 0)
            self._changed.wait_for(lambda: self.is_set() or self._wakes != seen, timeout)
            self._seen.wakes = self._wakes
        return self.is_set()


def end_reporter(optimizer: Any) -> None:
    """End the reporter of the SDK's last run, which would go on beside that of the next one."""
    optimizer._stop_event.set()  # noqa: SLF001 -- see the module
    optimizer._thread_reporter.join(_REPORTER_SECONDS)  # noqa: SLF001


def _redeclared(declared: Sequence[Any], space: Space) -> list[Any]:
    """Parameters of the SDK's own classes with the ranges of ``space``; Optuna's strategy takes no others."""
    parameters = []
    for parameter in declared:
        ours = as_parameter(parameter)
        if isinstance(ours, LeafParameter) and space.leaf(ours.name).range_key != ours.range_key:
            now = redeclared(space.leaf(ours.name), exact=False)
            assert now is not None  # noqa: S101 -- there always is one that is not exact
            parameters.append(SdkParameter.from_dict(now.to_dict()))
        else:
            parameters.append(parameter)
    return parameters


def _misses_its_maximum(parameter: Any) -> bool:
    """Whether the SDK draws every step of a range but the last."""
    return isinstance(parameter, UniformParameterRange) and bool(parameter.step_size) and bool(parameter.include_max)
