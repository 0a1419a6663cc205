"""Watches a live controller of the SDK: finds its Tasks, reads them, keeps its limits, notices its end."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from hpo_widgets.clearml_sdk.endings import why_ended
from hpo_widgets.clearml_sdk.state import SdkState
from hpo_widgets.clearml_sdk.stopping import abort, in_background, withdraw
from hpo_widgets.engines.clearml.local_jobs import kill
from hpo_widgets.engines.clearml.server import ClearmlError, server
from hpo_widgets.search import StopReason
from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hpo_widgets.clearml_sdk.children import Child

logger = logging.getLogger("hpo_widgets")

POLL_SECONDS = 1.0
"""How often the running Tasks are asked about, all by one request."""
POLL_ALL_SECONDS = 15.0
"""How often the ended ones are asked about, too: a Task may be completed late, reset or deleted."""
_POLL_ENDED_SECONDS = 30.0
_MOST_SECONDS_AWAY = 30.0


class SdkWatch(SdkState):
    """Keeps the state of a live controller true, on a thread that lives as long as somebody has subscribed."""

    def __init__(self, optimizer: Any, *, locally: bool = False) -> None:
        self._looking = threading.Lock()
        self._wake = threading.Event()
        self._watcher: threading.Thread | None = None
        self._stopping: threading.Thread | None = None
        self._asked_all_at = 0.0
        self._away_since: float | None = None
        super().__init__(optimizer, locally=locally)

    # Watching -------------------------------------------------------------------------------------------

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Watch the search and have ``callback`` called after every change; it must only set a flag."""
        unsubscribe = self._shown.subscribe(callback)
        follower = object()
        with self._gate:
            self._followers.add(follower)
            if self._watcher is None:
                self._watcher = threading.Thread(
                    target=self._watch, args=(self._wake,), name="hpo_widgets clearml watcher", daemon=True
                )
                self._watcher.start()

        def end() -> None:
            unsubscribe()
            with self._gate:
                self._followers.discard(follower)
            self.wake()

        return end

    def close(self) -> None:
        """End watching, until somebody subscribes anew. The search goes on."""
        with self._gate:
            self._followers.clear()
            watcher, self._watcher = self._watcher, None
            # One for each watcher: who subscribes while this one is at its last look gets another.
            wake, self._wake = self._wake, threading.Event()
        wake.set()
        if watcher is not None and watcher is not threading.current_thread():
            watcher.join()

    def wake(self) -> None:
        """Have the watcher look now."""
        self._wake.set()

    def _watch(self, wake: threading.Event) -> None:
        wait = 0.0
        while True:
            wake.wait(wait)
            wake.clear()
            with self._gate:
                if wake is not self._wake:
                    return
                if not self._followers:
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
        for task_id, sentence in list(steering.launches.failures.items()):
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
        ended = [child.task_id for child in changed if child.state.has_ended]
        if ended:
            self._steering.have_ended(ended)
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
        if reporter is None or reporter is self._former_reporter or reporter.ident is None:
            return  # the SDK starts it a moment after the loop
        # Asked in this order: the reporter ends with the loop.
        if not reporter.is_alive() and self.is_running:
            self.tell_once(
                "report", "ClearML's reporter has ended by an error: the optimizer Task gets no more reports"
            )

    def _notice_end(self) -> None:
        """Find the reason once nothing runs any more."""
        if not self.was_started or self.is_running or self._is_starting or self._reason is not None:
            return
        if self._ending is None:
            self._has_ended(why_ended(self._optimizer, self._steering, self._children))
        elif not self._children.active:
            self._has_ended(self._ending)

    # Its end -------------------------------------------------------------------------------------------

    def end(self, reason: StopReason) -> None:
        """End the search for a reason; the SDK's own stop may take minutes, so it gets a thread."""
        with self._gate:
            if self._ending is not None or self._reason is not None or not self.was_started:
                return
            self._ending = reason
            self._steering.refuse()
            self._stopping = in_background("stop", self._stop_now)
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

    def _withdraw(self, task_id: str) -> None:
        try:
            withdraw(task_id)
        except ClearmlError as error:
            self.tell("stop", f"Task {task_id} may still be in its queue: {error}")
