"""A search by a live controller of the SDK: its facts, its start, its clock and limits, and its end with the reason."""

from __future__ import annotations

import logging
import threading
import time
import weakref
from inspect import signature
from typing import TYPE_CHECKING, Any

from hpo_widgets.clearml_sdk.commands import SdkCommands
from hpo_widgets.clearml_sdk.launch_guard import MOST_IN_A_ROW
from hpo_widgets.clearml_sdk.patches import StrategyPatches, end_reporter
from hpo_widgets.clearml_sdk.search import SdkSearch
from hpo_widgets.clearml_sdk.tasks import abort, withdraw
from hpo_widgets.engines.clearml.local_jobs import kill
from hpo_widgets.engines.clearml.server import ClearmlError
from hpo_widgets.objectives import Objective
from hpo_widgets.parameters import as_parameter
from hpo_widgets.search import END_STATUS, SearchStatus, StopReason
from hpo_widgets.search.as_code import constructor_call
from hpo_widgets.search.limits import SECONDS_A_MINUTE
from hpo_widgets.space import Space
from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hpo_widgets.clearml_sdk.tasks import TaskTrial

logger = logging.getLogger("hpo_widgets")

# By `id()` of the SDK's controller. Search and controller keep each other alive, so an id is reused only after both.
_known: weakref.WeakValueDictionary[int, LiveSearch] = weakref.WeakValueDictionary()
_known_lock = threading.Lock()

POLL_SECONDS = 1.0
"""Seconds between two requests for the running Tasks; each request is for all of them."""
_POLL_ENDED_SECONDS = 30.0


def adapt(optimizer: Any, *, locally: bool = False) -> LiveSearch:
    """Return the search of a controller of the SDK, the same object for each call, so that all panels agree.

    Parameters
    ----------
    optimizer
        A ``clearml.automation.HyperParameterOptimizer``, started or not. Its class is not touched.
    locally
        Whether Start means ``start_locally``: Tasks run in processes of this machine. Default False: on its queue.

    Returns
    -------
    LiveSearch
        The search; it is the same object in every call for a controller.
    """
    with _known_lock:
        search = _known.get(id(optimizer))
        if search is None:
            search = _known[id(optimizer)] = LiveSearch(optimizer, locally=locally)
        return search


class LiveSearch(SdkSearch):
    """A ``clearml.automation.HyperParameterOptimizer`` of this process, started or not.

    Only the watcher's thread writes trials. All else is written under ``lock``, by the watcher's thread, by commands
    and by the SDK's loop.

    The strategy is patched (`hpo_widgets.clearml_sdk.patches`): nothing beyond ``total_max_jobs`` is launched, a free
    place is filled when a job ends and not a pool period later, a random search draws points of its own unless a seed
    was set (``set_random_seed``), stepped ranges give their maximum too, and ``stop`` stops every strategy.

    Attributes
    ----------
    stop_reason
        Why the last run ended; None while a run goes on, or before the first.
    is_starting
        Whether a start is under way.
    stopping
        The thread of the last stop.

    Parameters
    ----------
    optimizer
        The SDK's controller.
    locally
        Whether a start means ``start_locally``.
    """

    commands: SdkCommands

    def __init__(self, optimizer: Any, *, locally: bool) -> None:
        strategy = optimizer.get_optimizer()
        metric = optimizer.objective_metric
        objectives = tuple(
            Objective(one.title, one.series, ("min" if one.sign < 0 else "max") + ("_global" if one.extremum else ""))
            for one in getattr(metric, "objectives", [metric])
        )
        name, strategy_name = str(strategy._base_task_name), type(strategy).__name__  # noqa: SLF001 -- see patches.py
        declared = Space([as_parameter(parameter) for parameter in strategy._hyper_parameters])  # noqa: SLF001
        task = optimizer._task  # noqa: SLF001 -- see patches.py, as for all that follows
        super().__init__(None if task is None else str(task.id), name, strategy_name, declared, objectives)
        self.optimizer = optimizer
        self.locally = locally
        self.lock = threading.RLock()
        self._pruned: set[object] | None = None
        """Points of the study's pruned trials, once the present look has asked for them."""
        self._loop: threading.Thread | None = None
        self._former_reporter: threading.Thread | None = None
        """The SDK's reporter of the run that ended last, or one that is known to have died."""
        self._ending: StopReason | None = None
        self._clock = (0.0, 0.0)
        """The SDK's start time of a run in Unix seconds, and ``time.monotonic()`` at the same moment."""
        self._minutes_before = 0.0
        """Minutes of the runs before this one."""
        self._minutes_in_all: float | None = None
        """Minutes of all runs, once the last has ended."""
        self.stop_reason: StopReason | None = None
        self.is_starting = False
        self.stopping: threading.Thread | None = None
        self.patches = StrategyPatches(strategy, wake=self.watcher.wake, began=self._has_begun, withdraw=self._withdraw)
        self.commands = SdkCommands(self)
        self._limit_from_start: tuple[float, float] | None = self._constructor_limit()
        """Minutes that count from the first start, and the timeout by which the SDK knows them before."""
        if not self.was_started:
            self.patches.prepare(self.declared)
            if self.patches.study is not None:
                self.notices.tell(
                    "strategy",
                    "ClearML's Optuna strategy ignores continue_previous_study: it starts from the beginning",
                )

    # What it says -----------------------------------------------------------------------------------------

    @property
    def engine_name(self) -> str:
        """Where trials run."""
        job_class = self.patches.strategy._job_class  # noqa: SLF001
        if job_class.__name__ == "LocalClearmlJob" or (self.locally and not self.was_started):
            return "ClearML, on this machine"
        return f"ClearML, queue {self.optimizer.execution_queue}"

    @property
    def max_number_of_concurrent_tasks(self) -> int:
        """Trials that run at once at most."""
        return self.patches.concurrency

    @property
    def total_max_jobs(self) -> int | None:
        """The job budget; None: no limit."""
        limit: int | None = self.patches.strategy.total_max_jobs
        return limit or None

    @property
    def num_waiting_points(self) -> int:
        """How many enqueued points are no job yet."""
        return len(self.patches.waiting)

    def failed_points(self) -> list[int]:
        """Find the points that have failed and that nothing else has become of: the number of a trial of each."""
        trials = self.trials
        jobs = list(self.patches.strategy.get_created_jobs_ids().items())
        # A job is a trial from the next look on.
        under_way = [*self.patches.waiting, *(point or {} for task_id, point in jobs if not trials.knows(task_id))]
        return trials.store.columns.snapshot().failed_points(map(trials.encode, under_way))

    @property
    def capabilities(self) -> Mapping[str, str | None]:
        """Command to None when it can be done now, else to the sentence that says why not."""
        return self.commands.capabilities

    def _limit(self, name: str) -> float | None:
        if name == "optimization_time_limit":
            return self.wall_limit
        limit: float | None = getattr(self.patches.strategy, name)
        return limit or None

    @property
    def compute_limit(self) -> float | None:
        """The compute budget in minutes; None: no limit."""
        return self._limit("compute_time_limit")

    def as_code(self) -> str:
        """The controller as Python: imports and the constructor call with the ranges and limits of this moment."""
        strategy, optimizer, kind = self.patches.strategy, self.optimizer, self.patches.kind
        wall = self.wall_limit
        keywords: dict[str, object] = {
            "max_number_of_concurrent_tasks": self.patches.concurrency,
            "execution_queue": optimizer.execution_queue,
            "optimization_time_limit": round(wall, 2) if wall else None,
            "compute_time_limit": self.compute_limit,
            "save_top_k_tasks_only": optimizer._save_top_k_tasks_only or None,  # noqa: SLF001
            "pool_period_min": strategy.pool_period_minutes,
            "time_limit_per_job": strategy.time_limit_per_job,
            "min_iteration_per_job": strategy.min_iteration_per_job,
            "max_iteration_per_job": strategy.max_iteration_per_job,
            "total_max_jobs": strategy.total_max_jobs,
        }
        for name in ("optuna_sampler", "optuna_pruner"):
            keywords[name] = getattr(strategy, f"_{name}", None)
        # The Optuna strategy has arguments that may be None, but not left out.
        required = {name for name, one in signature(kind).parameters.items() if one.default is one.empty}
        return constructor_call(
            optimizer.base_task_id,
            self.history.space,
            self.objectives,
            kind,
            {name: value for name, value in keywords.items() if value is not None or name in required},
            package="clearml.automation",
        )

    @property
    def was_started(self) -> bool:
        """Whether it was ever started, by whomever."""
        return self.optimizer.optimization_start_time is not None

    @property
    def is_running(self) -> bool:
        """Whether the loop's thread is alive: the SDK may forget a live thread, and keeps one that has died."""
        loop = self._loop = self.optimizer._thread or self._loop  # noqa: SLF001 -- see patches.py
        return loop is not None and (loop.ident is None or loop.is_alive())

    @property
    def is_ending(self) -> bool:
        """Whether a stop is under way."""
        return self._ending is not None

    @property
    def status(self) -> SearchStatus:
        """What the search is doing."""
        if not self.was_started:
            return SearchStatus.IDLE
        reason = self.stop_reason
        if reason is not None:
            return self.trials.status_after(reason)
        if self._ending is not None:
            return SearchStatus.STOPPING
        if self.is_running or self.is_starting or self.watcher.is_watched:
            # Until the watcher has found the reason, a run that has ended is still shown as running.
            return SearchStatus.PAUSED if self.patches.is_paused else SearchStatus.RUNNING
        return SearchStatus.STOPPED

    @property
    def elapsed_minutes(self) -> float:
        """Minutes of all runs; 0 before the first. A change of the machine's clock does not change it."""
        if self._minutes_in_all is not None:
            return self._minutes_in_all
        began = self.optimizer.optimization_start_time
        if began is None:
            return 0.0
        if began != self._clock[0]:
            self._clock = (began, time.monotonic() - max(0.0, time.time() - began))
        return self._minutes_before + (time.monotonic() - self._clock[1]) / SECONDS_A_MINUTE

    @property
    def wall_limit(self) -> float | None:
        """Minutes that all runs may take together; None: any."""
        began, timeout = self.optimizer.optimization_start_time, self.optimizer.optimization_timeout
        if began is None:
            if self.minutes_from_start is not None:
                return self.minutes_from_start
            began = time.time()
        return None if timeout is None else max(0.0, self._minutes_before + (timeout - began) / SECONDS_A_MINUTE)

    @property
    def minutes_from_start(self) -> float | None:
        """Minutes of a time limit that counts from the first start; None: it is a moment, or there is none."""
        limit = self._limit_from_start
        # Whoever has set another limit, here or in a cell, has replaced it.
        is_so = limit is not None and not self.was_started and self.optimizer.optimization_timeout == limit[1]
        return limit[0] if limit is not None and is_so else None

    @property
    def is_past_limit(self) -> bool:
        """Whether the time limit has passed; one that counts from the start has not before it."""
        timeout = self.optimizer.optimization_timeout
        return timeout is not None and time.time() >= timeout and self.minutes_from_start is None

    @property
    def has_used_compute(self) -> bool:
        """Whether nothing of the compute budget is left."""
        return self.compute_limit is not None and self.trials.compute_minutes >= self.compute_limit

    def _constructor_limit(self) -> tuple[float, float] | None:
        timeout = self.optimizer.optimization_timeout
        # The SDK does not keep whether it is the constructor's limit or a moment that was set since. A moment that a
        # person names has whole seconds, which the sum of the present time and some minutes has only by chance.
        if timeout is None or self.was_started or float(timeout).is_integer():
            return None
        # The SDK counts the limit from the constructor's call. Rounding undoes the moment that has passed since then.
        return round(max(0.0, timeout - time.time()) / SECONDS_A_MINUTE, 2) or 0.01, timeout

    def set_limit_from_start(self, minutes: float | None) -> None:
        """Set a time limit that counts from the start, or from now if the search was started; None: no limit."""
        self.optimizer.set_time_limit(in_minutes=minutes)
        self._limit_from_start = None if minutes is None else (minutes, self.optimizer.optimization_timeout)

    # Looking --------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Read what has happened since the last look."""
        with self._looking:
            before = self.status, self.stop_reason
            self._pruned = None
            # Only a look that begins after the end knows how the last trials ended, so that look notes the end.
            may_have_ended = not self.is_running
            changed = self._discover()
            # Limits hold whether the server answers or not.
            self._keep_limits()
            try:
                changed += self._ask()
            finally:
                self.trials.show(changed)
                if may_have_ended:
                    self._notice_end()
                elif not self.is_running:
                    self.watcher.wake()
                if changed or (self.status, self.stop_reason) != before:
                    self.trials.store.notify()

    def _pause(self) -> float:
        return POLL_SECONDS if self.status.is_alive or not self.was_started else _POLL_ENDED_SECONDS

    def _discover(self) -> list[TaskTrial]:
        """Add the Tasks that the controller has made since the last look."""
        patches = self.patches
        found = []
        for task_id, point in list(patches.strategy.get_created_jobs_ids().items()):
            epoch = patches.epoch_of.get(task_id, 0)
            trial = self.trials.add(task_id, point or {}, epoch, is_enqueued=task_id in patches.enqueued)
            if trial is not None:
                found.append(trial)
        for task_id, sentence in list(patches.guard.failures.items()):
            failed = self.trials.launch_failed(task_id, sentence)
            if failed is not None:
                found.append(failed)
                if failed.state is TrialState.FAILED:
                    self.notices.tell("launch", f"trial {failed.row.number} {sentence}")
        return found

    def _ask(self) -> list[TaskTrial]:
        changed = self.trials.ask()
        ended = [trial.task_id for trial in changed if trial.state.has_ended]
        if ended:
            self.patches.have_ended(ended)
        if self.is_ending:
            self._abort_active()  # what was launched while the stop was under way
        return changed

    def _was_pruned(self, trial: TaskTrial) -> bool:
        study = self.patches.study
        if study is None:
            return False
        if self._pruned is None:
            # The SDK also has a trial pruned, unrun and without a report, whose point was tried before.
            self._pruned = {
                _as_key(one.params)
                for one in study.get_trials(deepcopy=False)
                if one.state.name == "PRUNED" and one.intermediate_values
            }
        return _as_key(trial.point) in self._pruned

    def _withdraw(self, task_id: str) -> None:
        try:
            withdraw(task_id)
        except ClearmlError as error:
            self.notices.tell("stop", f"Task {task_id} may still be in its queue: {error}")

    # Start ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the controller, or go on with what is left of its budget; returns at once."""
        start = self.optimizer.start_locally if self.locally else self.optimizer.start
        with self.lock:
            if self.status.is_alive or self.is_starting:
                return
            self.is_starting = True
            is_again = self.was_started
        if is_again:
            # The reporter of the run before must end first, else it would stop the new run.
            _in_background("start", lambda: self._start_again(start))
            return
        try:
            if self.minutes_from_start is not None:
                self.optimizer.set_time_limit(in_minutes=self.minutes_from_start)
            self._start_with_callback(start)
        finally:
            self._has_started()

    def _start_again(self, start: Callable[..., Any]) -> None:
        optimizer = self.optimizer
        try:
            if self.stopping is not None:
                # If the SDK's stop is still at work, it would forget the thread of the new run.
                self.stopping.join()
            end_reporter(optimizer)
            with self.lock:
                self._go_on()
                self._start_with_callback(start)
        except Exception as error:
            self.notices.tell("command", f"start: {error}")
            raise
        finally:
            self._has_started()

    def _start_with_callback(self, start: Callable[..., Any]) -> None:
        start(job_complete_callback=self.optimizer._experiment_completed_cb)  # noqa: SLF001
        self.notices.forget_failed_starts()

    def _has_started(self) -> None:
        self.is_starting = False
        self.watcher.wake()

    def _has_begun(self) -> None:
        """Note that a loop begins; where an end is shown already, somebody has started the search again in a cell."""
        with self.lock:
            if self.stop_reason is not None:
                self._go_on()

    def _go_on(self) -> None:
        self._minutes_before = self.elapsed_minutes
        self._minutes_in_all = self.stop_reason = self._ending = None
        self.patches.allow()

    # End ------------------------------------------------------------------------------------------------

    def _keep_limits(self) -> None:
        """End the run at its limits: the SDK's reporter acts late on time, and never on compute time."""
        if not self.is_running or self.is_ending:
            return
        if self.is_past_limit:
            self.end(StopReason("optimization_time_limit", "the time limit has passed"))
        elif self.has_used_compute:
            self.end(StopReason("compute_time_limit", f"all {self.compute_limit:g} minutes of compute time were used"))
        reporter = self.optimizer._thread_reporter  # noqa: SLF001
        if reporter is None or reporter is self._former_reporter or reporter.ident is None:
            return  # the SDK starts it a moment after the loop
        # In this order: the reporter ends with the loop.
        if not reporter.is_alive() and self.is_running:
            self._former_reporter = reporter  # told once
            self.notices.tell(
                "report", "ClearML's reporter has ended with an error: the optimizer Task gets no more reports"
            )

    def end(self, reason: StopReason) -> None:
        """End the run for a reason and return at once; the SDK's own stop, on a thread, may take minutes."""
        with self.lock:
            if self._ending is not None or self.stop_reason is not None or not self.was_started:
                return
            self._ending = reason
            self.patches.refuse()
            self.stopping = _in_background("stop", self._stop)
        self.watcher.wake()

    def _stop(self) -> None:
        try:
            self._abort_active()
            self.optimizer.stop(wait_for_reporter=False)
            self._abort_active()
        except Exception as error:  # whatever happens, nothing new is launched; the person must know
            logger.exception("the ClearML controller could not be stopped")
            self.notices.tell("stop", f"not all could be stopped: {error}")
        finally:
            self.watcher.wake()
        # A local job learns of its Task's abort only at its next request to the server.
        for job in list(self.patches.strategy.get_created_jobs_tasks().values()):
            kill(job)

    def _abort_active(self) -> None:
        """Abort all trials that have not ended."""
        for trial in self.trials.active:
            try:
                abort(trial)
            except ClearmlError as error:
                self.notices.tell("stop", f"trial {trial.row.number} could not be aborted: {error}")

    def _notice_end(self) -> None:
        """Find the reason once nothing runs any more, and stop the clock."""
        if not self.was_started or self.is_running or self.is_starting or self.stop_reason is not None:
            return
        reason = self._ending
        if reason is None:
            reason = self._why_ended()
        elif self.trials.active:
            return
        num_failed = self.trials.num_failed_without_result
        if num_failed and reason.code not in END_STATUS:
            reason = StopReason(reason.code, f"{reason.sentence}; no trial has a result, {num_failed} failed")
        with self.lock:
            self._minutes_in_all = self.elapsed_minutes
            self.stop_reason, self._ending = reason, None
            self._former_reporter = self.optimizer._thread_reporter  # noqa: SLF001

    def _why_ended(self) -> StopReason:
        """Find the reason of an end that was not caused by `end`; the SDK keeps none."""
        optimizer, error = self.optimizer, self.patches.error
        if error is not None:
            return StopReason("error", f"ClearML's controller ended with an error: {error}")
        if optimizer._thread is not None:  # noqa: SLF001 -- its loop died before it was patched
            return StopReason("error", "ClearML's controller ended with an error; its traceback is in its output")
        if self.is_past_limit:
            return StopReason("optimization_time_limit", "the time limit has passed")
        if optimizer._stop_event is not None and optimizer._stop_event.is_set():  # noqa: SLF001
            return StopReason("stopped", "stopped by optimizer.stop()")
        return self._natural_end()

    def _natural_end(self) -> StopReason:
        patches, trials = self.patches, self.trials.all
        failures = [sentence for sentence in patches.guard.failures.values() if sentence.startswith("could")]
        launched = len(trials) - len(failures)
        if failures and (not launched or len(failures) >= MOST_IN_A_ROW):
            return StopReason("launch_failed", f"jobs {failures[-1]}")
        ended = [trial for trial in trials if trial.state is not TrialState.ABORTED]
        if ended and all("without reporting" in (trial.row.error or "") for trial in ended):
            return StopReason("objective_never_reported", f"no job reported the objective: each {ended[-1].row.error}")
        limit = self.total_max_jobs
        if limit and launched >= limit:
            return StopReason("total_max_jobs", f"all {limit} jobs have run")
        if patches.is_optuna and limit:
            return StopReason(
                "total_max_jobs",
                f"ClearML's Optuna strategy is done after {launched} of {limit} jobs: "
                f"{limit - launched} of its points had been tried and counted without being run",
            )
        if patches.is_grid:
            return StopReason("space_exhausted", f"every point of the grid has run, {launched} in all")
        if patches.is_random:
            return StopReason("space_exhausted", f"the random search found no further new point after {launched} jobs")
        return StopReason("space_exhausted", f"the strategy had no further job after {launched}")


def _as_key(point: Mapping[str, Any]) -> object:
    """What two points share when they are equal."""
    try:
        return frozenset(point.items())
    except TypeError:  # a value that has no hash
        return repr(sorted(point.items()))


def _in_background(what: str, action: Callable[[], None]) -> threading.Thread:
    """Do something that may take minutes on a thread of its own, which is returned."""

    def run() -> None:
        try:
            action()
        except Exception:
            logger.exception("the ClearML search could not %s", what)

    thread = threading.Thread(target=run, name=f"hpo_widgets clearml {what}", daemon=True)
    thread.start()
    return thread
