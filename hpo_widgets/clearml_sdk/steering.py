"""The hands on a live strategy of the SDK: what is launched, when, with which values.

The SDK's classes stay as they are. The one strategy object gets methods of its own in front of the class's, which the
SDK's loop finds at its next turn, so that a search that runs already can be taken over.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections import deque
from random import Random
from typing import TYPE_CHECKING, Any

from clearml.automation.parameters import RandomSeed

from hpo_widgets.clearml_sdk.budget import ReportedCompute
from hpo_widgets.clearml_sdk.events import NudgedEvent
from hpo_widgets.clearml_sdk.kinds import StrategyKind
from hpo_widgets.clearml_sdk.launches import Launches
from hpo_widgets.clearml_sdk.parameters import DEFAULT_SEED, redeclared_for_optuna, steered
from hpo_widgets.parameters.choices import identity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hpo_widgets.space import Space

logger = logging.getLogger("hpo_widgets")

_MOST_ERRORS = 3
_PACE_OF_AN_END = 0.2
_LEAST_PACE = 1.0
"""Seconds between two looks at one job; the SDK's Optuna strategy has none before the first scalar."""


class Steering(StrategyKind):
    """Pause, stop, points by hand, ranges and sizes of one live strategy; may be used from any thread.

    Attributes
    ----------
    strategy
        The SDK's strategy object.
    launches
        The launches of its jobs.
    epoch_of, by_hand
        Task id to the space epoch of its point; ids of points by hand.
    error
        Why the SDK's loop ended by an error; None: it did not.

    Parameters
    ----------
    strategy
        Its methods, this object's only, are taken over.
    wake
        Called when something has happened, on any of the SDK's threads; it must only set a flag.
    began
        Called on the loop's thread when the loop begins, by whomever it was started.
    withdraw
        Takes a Task back that was launched while a stop was on its way.
    """

    def __init__(
        self,
        strategy: Any,
        *,
        wake: Callable[[], None],
        began: Callable[[], None],
        withdraw: Callable[[str], None],
    ) -> None:
        super().__init__(strategy)
        self.launches = Launches(strategy, is_refusing=lambda: self._is_refusing, withdraw=withdraw)
        self.epoch_of: dict[str, int] = {}
        self.by_hand: set[str] = set()
        self.error: str | None = None
        self.epoch = 0
        self._wake = wake
        self._began = began
        self._declared = list(strategy._hyper_parameters)  # noqa: SLF001 -- the SDK has no public way
        self._source: Random | None = None
        self._concurrency = int(strategy._num_concurrent_workers)  # noqa: SLF001
        self._waiting: deque[dict[str, Any]] = deque()
        self._is_paused = False
        self._is_refusing = False
        self._errors = 0
        self._looked_at: dict[str, float] = {}
        self._ended: set[str] = set()
        self._changed = threading.Condition()
        self.event = NudgedEvent(strategy._stop_event)  # noqa: SLF001
        self._original = {
            name: getattr(strategy, name)
            for name in ("start", "stop", "process_step", "create_job", "helper_create_job", "monitor_job")
        }
        strategy._stop_event = self.event  # noqa: SLF001
        strategy.budget.compute_time = ReportedCompute(strategy.budget.compute_time)
        strategy.start, strategy.stop = self._run, self._stop
        strategy.process_step, strategy.create_job = self._step, self._next
        strategy.helper_create_job, strategy.monitor_job = self._create, self._monitor

    # Commands -----------------------------------------------------------------------------------------

    def prepare(self, space: Space) -> None:
        """Get ready for the first start: random points of its own, unless somebody has set a seed."""
        if self.is_random:
            if RandomSeed.get_random_seed() == DEFAULT_SEED:
                self._source = Random()
            self.set_space(space, 0, was_started=False)

    def set_space(self, space: Space, epoch: int, *, was_started: bool) -> None:
        """Draw from other ranges from the next point on."""
        self.epoch = epoch
        strategy = self.strategy
        if self.is_random:
            strategy._hyper_parameters = steered(self._declared, space, self._source)  # noqa: SLF001
        elif self.is_grid:
            strategy._hyper_parameters = steered(self._declared, space, None)  # noqa: SLF001
            # The loop's thread takes the next point from whatever iterator is there.
            strategy._param_iterator = self._points_left(space)  # noqa: SLF001
        elif not was_started:
            strategy._hyper_parameters = redeclared_for_optuna(self._declared, space)  # noqa: SLF001
        self.event.nudge()

    def have_ended(self, task_ids: list[str]) -> None:
        """Fill the places of ended Tasks at once; what a job remembers of its Task is up to a second old."""
        self._ended.update(task_ids)
        self.event.nudge()

    def _points_left(self, space: Space) -> Iterator[dict[str, Any]]:
        # Looked up at the first point, on the loop's thread: it creates no job meanwhile.
        done = {identity(point) for point in self.strategy.get_created_jobs_ids().values() if point}
        for point in space.grid():
            if identity(point) not in done:
                yield point

    @property
    def is_paused(self) -> bool:
        """Nothing is launched."""
        return self._is_paused

    def pause(self, *, paused: bool) -> None:
        """Launch nothing more, or launch again."""
        with self._changed:
            self._is_paused = paused
            self._changed.notify_all()
        self.event.nudge()

    def refuse(self) -> None:
        """Launch nothing any more."""
        with self._changed:
            self._is_refusing = True
            self._changed.notify_all()

    def allow(self) -> None:
        """Launch again, after an end."""
        self._is_refusing = False
        self.error = None
        self._errors = 0
        self.launches.allow()
        self.event.clear()

    @property
    def concurrency(self) -> int:
        """Jobs that may run at once."""
        return self._concurrency

    @concurrency.setter
    def concurrency(self, number: int) -> None:
        self._concurrency = number
        self.strategy._num_concurrent_workers = number  # noqa: SLF001
        self.event.nudge()

    @property
    def total_max_jobs(self) -> int | None:
        """Jobs that may be launched in all."""
        limit: int | None = self.strategy.total_max_jobs
        return limit

    @total_max_jobs.setter
    def total_max_jobs(self, number: int | None) -> None:
        self.strategy.total_max_jobs = number
        self.strategy.budget.jobs.limit = number
        self.event.nudge()

    def set_compute_limit(self, minutes: float | None) -> None:
        """Have compute time counted, and reported as a share of a limit."""
        self.strategy.compute_time_limit = minutes
        self.strategy.budget.compute_time.minutes = minutes

    def enqueue(self, point: dict[str, Any]) -> None:
        """Run a point next, duplicate or not."""
        if self.study is not None:
            history = self.strategy.parameter_override_history
            while point in history:
                history.remove(point)  # which it would else be pruned for, unrun
            self.study.enqueue_trial(dict(point))
        self._waiting.append(point)
        self.event.nudge()

    # In front of the strategy's own methods, on the SDK's threads ---------------------------------------

    def _run(self) -> None:
        """The whole loop. An error ends it as it should end: the SDK would count it as running for ever."""
        self._began()
        try:
            self._original["start"]()
        except Exception as error:
            if not self._is_refusing:
                logger.exception("the ClearML controller's loop ended with an error")
                self.error = f"{type(error).__name__}: {error}"
        finally:
            self._wake()

    def _stop(self) -> None:
        """The SDK's own stops at the end of a pool period, and with Optuna not at all."""
        self.refuse()
        self.event.set()

    def _step(self) -> bool:
        """One turn of the common loop; False ends it."""
        if self._is_refusing:
            return False
        strategy = self.strategy
        was_paused = self._is_paused  # a pause may end during this turn, in which nothing was launched then
        strategy._num_concurrent_workers = 0 if was_paused else self._concurrency  # noqa: SLF001
        try:
            goes_on = bool(self._original["process_step"]())
            self._errors = 0
        except Exception as error:
            self._errors += 1
            logger.warning("a turn of the ClearML controller's loop failed", exc_info=True)
            if self._errors >= _MOST_ERRORS:
                self.error = f"{type(error).__name__}: {error}"
                return False
            return True
        finally:
            strategy._num_concurrent_workers = self._concurrency  # noqa: SLF001
            self._wake()
        return (goes_on or was_paused or self._is_paused or bool(self._waiting)) and not self._is_refusing

    @property
    def _may_launch(self) -> bool:
        return not self._is_refusing and self.launches.may_go_on

    def _has_budget(self) -> bool:
        limit = self.strategy.total_max_jobs
        return not limit or self.strategy._num_jobs < limit  # noqa: SLF001

    def _next(self) -> Any:
        """The next job of the common loop; None: none now. The SDK fills all free places without counting."""
        if self._is_paused or not self._may_launch or not self._has_budget():
            return None
        if self._waiting:
            base = self.strategy._base_task_id  # noqa: SLF001
            return self._create(base_task_id=base, parameter_override=self._waiting[0])
        return self._original["create_job"]()

    def _create(self, *arguments: Any, **keywords: Any) -> Any:
        """Make one job, known to us before it is launched."""
        if self.is_optuna:
            self._wait_while_paused()
        epoch = self.epoch
        job = self._original["helper_create_job"](*arguments, **keywords)
        task_id = job.task_id()
        self.epoch_of[task_id] = epoch
        point = keywords.get("parameter_override")
        if point is not None and point in self._waiting:
            self._waiting.remove(point)
            self.by_hand.add(task_id)
        self.launches.take(job, self._wake)
        self._wake()
        return job

    def _wait_while_paused(self) -> None:
        """An Optuna worker waits here for the end of a pause; at a stop it ends its study and has no trial."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_paused or self._is_refusing)
        if not self._may_launch:
            if self.study is not None:
                self.study.stop()  # on a worker's thread, the only place where Optuna allows it
            home = next(kind for kind in type(self.strategy).__mro__ if kind.__name__ == "OptimizerOptuna")
            raise sys.modules[home.__module__].optuna.TrialPruned

    def _monitor(self, job: Any) -> bool:
        """Look at a job, not again at once: Optuna's workers ask without a pause, or sleep deaf to a stop."""
        if self.is_optuna:
            objective = getattr(self.strategy, "_objective", None)
            if objective is not None:
                objective.sleep_interval = 0
            pace = max(_LEAST_PACE, float(self.strategy.pool_period_minutes) * 60.0)
            task_id = job.task_id()
            left = self._looked_at.get(task_id, 0.0) + pace - time.monotonic()
            if left > 0 and self.event.wait(left):
                time.sleep(_PACE_OF_AN_END)  # the job's end is on its way
            self._looked_at[task_id] = time.monotonic()
        if job.task_id() in self._ended:
            self._ended.discard(job.task_id())
            job.status(force=True)
        # A Task that was taken out of its queue is a draft again, which Optuna's workers would watch for ever.
        return not self._is_refusing and bool(self._original["monitor_job"](job))
