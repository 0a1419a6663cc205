"""Watches a live controller of the SDK: finds its Tasks, reads them, keeps its limits, notices its end."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from hpo_widgets.clearml.local_jobs import kill
from hpo_widgets.clearml.sdk_children import Children, Judge, TaskSource
from hpo_widgets.clearml.sdk_endings import why_ended
from hpo_widgets.clearml.sdk_steering import Steering
from hpo_widgets.clearml.sdk_stopping import abort, in_background
from hpo_widgets.clearml.server import ClearmlError, server
from hpo_widgets.epochs import Epochs
from hpo_widgets.limits import SECONDS_A_MINUTE
from hpo_widgets.objectives import Objective
from hpo_widgets.parameters import as_parameter
from hpo_widgets.search import END_STATUS, Notice, SearchStatus, StopReason
from hpo_widgets.shown import ShownTrials
from hpo_widgets.space import Space
from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hpo_widgets.clearml.sdk_children import Child

logger = logging.getLogger("hpo_widgets")

POLL_SECONDS = 1.0
"""How often the running Tasks are asked about, all by one request."""
POLL_ALL_SECONDS = 15.0
"""How often the ended ones are asked about, too: a Task may be completed late, reset or deleted."""
_POLL_ENDED_SECONDS = 30.0
_MOST_SECONDS_AWAY = 30.0
_MOST_NOTICES = 100


class SdkWatch:
    """The state of a live controller of the SDK as it is seen from outside; `SdkSearch` tells what is done with it.

    Written by the watcher's thread, which lives as long as somebody has subscribed, and under ``_gate`` by
    commands.
    """

    def __init__(self, optimizer: Any, *, locally: bool = False) -> None:
        strategy = optimizer.get_optimizer()
        self._optimizer = optimizer
        self.locally = locally
        self._declared = Space([as_parameter(parameter) for parameter in strategy._hyper_parameters])  # noqa: SLF001
        self.objectives = tuple(
            Objective(one.title, one.series, ("min" if one.sign < 0 else "max") + ("_global" if one.extremum else ""))
            for one in optimizer._objective_metric.objectives  # noqa: SLF001
        )
        self._epochs = Epochs(self._declared)
        self._shown = ShownTrials(self._declared, self.objectives)
        self._steering = Steering(strategy, self.wake)
        self._children = Children(self._declared, self.objectives, Judge(strategy, lambda: self._steering.study))
        self._source = TaskSource(lambda number: self._children.all[number], self._tell_of_server)
        self._notices: list[Notice] = []
        self._gate = threading.RLock()
        self._looking = threading.Lock()
        self._wake = threading.Event()
        self._watcher: threading.Thread | None = None
        self._num_followers = 0
        self._ending: StopReason | None = None
        self._reason: StopReason | None = None
        self._is_starting = False
        self._wall_before = 0.0
        self._ended_at: float | None = None
        self._limit_minutes = self._minutes_left() if not self.was_started else None
        self._compute_limit: float | None = strategy.compute_time_limit or None
        self._asked_all_at = 0.0
        self._away_since: float | None = None
        self._told: set[str] = set()
        if not self.was_started:
            self._steering.prepare(self._declared)
            if self._steering.study is not None:
                self.tell("strategy", "ClearML's Optuna strategy leaves continue_previous_study out: it begins anew")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.status}>"

    # What the controller says ---------------------------------------------------------------------------

    @property
    def optimizer(self) -> Any:
        """The SDK's controller."""
        return self._optimizer

    @property
    def was_started(self) -> bool:
        """Whether it was ever started, by whomever."""
        return self._optimizer.optimization_start_time is not None

    @property
    def is_running(self) -> bool:
        """Whether its loop's thread lives; the SDK takes one that died of an error for running."""
        thread = self._optimizer._thread  # noqa: SLF001 -- the SDK has no public way
        return thread is not None and thread.is_alive()

    def _minutes_left(self) -> float | None:
        timeout = self._optimizer.optimization_timeout
        if timeout is None:
            return None
        # The constructor's clock runs before the start; a breath later its limit is still the whole one.
        return round(max(0.0, timeout - time.time()) / SECONDS_A_MINUTE, 2) or 0.01

    # Watching -------------------------------------------------------------------------------------------

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Watch the search and have ``callback`` called after every change; it must only set a flag."""
        unsubscribe = self._shown.subscribe(callback)
        with self._gate:
            self._num_followers += 1
            if self._watcher is None:
                self._watcher = threading.Thread(target=self._watch, name="hpo_widgets clearml watcher", daemon=True)
                self._watcher.start()
        is_over = threading.Event()

        def end() -> None:
            unsubscribe()
            with self._gate:
                if not is_over.is_set():
                    is_over.set()
                    self._num_followers -= 1
            self._wake.set()

        return end

    def close(self) -> None:
        """End watching. The search goes on."""
        with self._gate:
            self._num_followers = 0
            watcher = self._watcher
        self._wake.set()
        if watcher is not None and watcher is not threading.current_thread():
            watcher.join()

    def wake(self) -> None:
        """Have the watcher look now."""
        self._wake.set()

    def _watch(self) -> None:
        wait = 0.0
        while True:
            self._wake.wait(wait)
            self._wake.clear()
            with self._gate:
                if self._num_followers <= 0:
                    self._watcher = None
                    return
            wait = self._turn()

    def _turn(self) -> float:
        """Look once; returns the seconds until the next look."""
        try:
            self.look()
        except ClearmlError as error:
            return self._was_away(str(error))
        except Exception as error:  # the watcher lives as long as somebody watches
            logger.exception("the ClearML search could not be read")
            return self._was_away(f"{type(error).__name__}: {error}")
        if self._away_since is not None:
            self._away_since = None
            self.tell("server", "the ClearML server answers again")
        return POLL_SECONDS if self.status.is_alive or not self.was_started else _POLL_ENDED_SECONDS

    def _was_away(self, sentence: str) -> float:
        now = time.monotonic()
        if self._away_since is None:
            self._away_since = now
            self.tell("server", f"{sentence}; what is shown may be old, trying again")
        return min(_MOST_SECONDS_AWAY, max(POLL_SECONDS, (now - self._away_since) / 4))

    def look(self) -> None:
        """Take in what has happened since the last look; the watcher does so by itself.

        Raises
        ------
        ClearmlError
            When the server does not answer.
        """
        with self._looking:
            before = self._mark()
            changed = self._discover()
            # Enforced whether the server answers or not.
            self._keep_limits()
            try:
                changed += self._ask()
            finally:
                self._show(changed)
                self._notice_end()
                if changed or self._mark() != before:
                    self._shown.notify()

    def _mark(self) -> tuple[object, ...]:
        return self.status, self._reason, len(self._notices), len(self._epochs.marks)

    def _discover(self) -> list[Child]:
        """Know the Tasks that the controller has made since the last look."""
        steering = self._steering
        found = []
        for task_id, point in list(steering.strategy.get_created_jobs_ids().items()):
            epoch = steering.epoch_of.get(task_id, 0)
            child = self._children.add(task_id, point or {}, epoch, manual=task_id in steering.by_hand)
            if child is not None:
                found.append(child)
        for task_id, sentence in list(steering.failures.items()):
            failed = self._children.launch_failed(task_id, sentence)
            if failed is not None:
                found.append(failed)
                if failed.state is TrialState.FAILED:
                    self.tell("launch", f"trial {failed.row.number} {sentence}")
        return found

    def _ask(self) -> list[Child]:
        now = time.monotonic()
        asked = self._children.active
        if now - self._asked_all_at >= POLL_ALL_SECONDS:
            asked = self._children.all
        if not asked:
            return []
        changed = self._children.read(server(), asked)
        if asked is self._children.all:
            self._asked_all_at = now
        if any(child.state.has_ended for child in changed):
            self._steering.event.nudge()  # a place is free
        if self._ending is not None:
            self._abort_active()  # what was launched while the stop was on its way
        return changed

    def _show(self, changed: Sequence[Child]) -> None:
        if changed:
            rows = [child.row for child in changed]
            self._shown.put(rows)
            self._shown.rank_all(rows)

    def _keep_limits(self) -> None:
        """End the search at its limits: the SDK's reporter is late for one and never acts on the other."""
        if not self.is_running or self._ending is not None:
            return
        timeout = self._optimizer.optimization_timeout
        if timeout is not None and time.time() >= timeout:
            self.end(StopReason("optimization_time_limit", "the time limit has passed"))
        elif self._compute_limit is not None and self.compute_minutes >= self._compute_limit:
            self.end(StopReason("compute_time_limit", f"all {self._compute_limit:g} minutes of compute time were used"))
        reporter = self._optimizer._thread_reporter  # noqa: SLF001
        if reporter is not None and not reporter.is_alive() and self.is_running:
            self.tell_once(
                "report", "ClearML's reporter has ended by an error: the optimizer Task gets no more reports"
            )

    def _notice_end(self) -> None:
        """Freeze the clock and find the reason once nothing runs any more."""
        if not self.was_started or self.is_running or self._is_starting or self._reason is not None:
            return
        if self._ending is not None and self._children.active:
            return
        with self._gate:
            self._ended_at = time.time()
            self._reason = self._ending or why_ended(self._optimizer, self._steering, self._children)
            self._ending = None

    # What is told ---------------------------------------------------------------------------------------

    def tell(self, source: str, sentence: str) -> None:
        """Add a notice for people."""
        logger.warning("%s: %s", source, sentence)
        with self._gate:
            self._notices = [*self._notices, Notice(source, sentence)][-_MOST_NOTICES:]
        self._shown.notify()

    def tell_once(self, source: str, sentence: str) -> None:
        """Add a notice that is there only once."""
        if sentence not in self._told:
            self._told.add(sentence)
            self.tell(source, sentence)

    def _tell_of_server(self, sentence: str) -> None:
        self.tell("server", sentence)

    @property
    def space(self) -> Space:
        """The present space epoch."""
        return self._epochs.space

    @property
    def status(self) -> SearchStatus:
        """What the search is doing."""
        if not self.was_started:
            return SearchStatus.IDLE
        reason = self._reason
        if reason is not None:
            return END_STATUS.get(reason.code, SearchStatus.COMPLETED)
        if self._ending is not None:
            return SearchStatus.STOPPING
        if self.is_running or self._is_starting or self._num_followers:
            # An end is told together with its reason, by the watcher.
            return SearchStatus.PAUSED if self._steering.is_paused else SearchStatus.RUNNING
        return SearchStatus.STOPPED

    @property
    def elapsed_minutes(self) -> float:
        """Minutes it has run; 0 before its start."""
        began = self._optimizer.optimization_start_time
        if began is None:
            return 0.0
        until = time.time() if self._ended_at is None else self._ended_at
        return self._wall_before + max(0.0, until - began) / SECONDS_A_MINUTE

    @property
    def compute_minutes(self) -> float:
        """Minutes of all jobs together."""
        return sum(child.seconds for child in list(self._children.all)) / SECONDS_A_MINUTE

    # Its end -------------------------------------------------------------------------------------------

    def end(self, reason: StopReason) -> None:
        """End the search for a reason; the SDK's own stop may take minutes, so it gets a thread."""
        with self._gate:
            if self._ending is not None or self._reason is not None or not self.was_started:
                return
            self._ending = reason
        self._steering.refuse()
        in_background("stop", self._stop_now)
        self.wake()

    def _stop_now(self) -> None:
        try:
            self._abort_active()
            self._optimizer.stop(wait_for_reporter=False)
            self._abort_active()
        except Exception as error:  # whatever happens, nothing new is launched; the person must know
            logger.exception("the ClearML controller could not be stopped")
            self.tell("stop", f"not all could be stopped: {error}")
        finally:
            self.wake()
        # A local job hears of its Task's abort only when it asks the server.
        for job in list(self._steering.strategy.get_created_jobs_tasks().values()):
            kill(job)

    def _abort_active(self) -> None:
        for child in self._children.active:
            try:
                abort(child)
            except ClearmlError as error:
                self.tell("stop", f"trial {child.row.number} could not be aborted: {error}")
