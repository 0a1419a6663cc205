"""Guards the launches of a strategy's jobs: keeps why one failed, and launches none after a stop."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger("hpo_widgets")

MOST_IN_A_ROW = 3
"""So many jobs in a row may fail to launch; the SDK goes on for ever, and leaves a draft Task each time."""

_TOO_LATE = "not launched: the search was stopped"
_job_logger = logging.getLogger("clearml.automation.job")


class LaunchGuard:
    """Launches the jobs of one strategy, on the SDK's threads.

    Attributes
    ----------
    failures : dict
        Task id to the sentence on a job that could not be launched, or was not because of a stop.

    Parameters
    ----------
    strategy
        The SDK's strategy object.
    is_refusing
        Whether nothing may be launched any more.
    withdraw
        Takes back a Task that was launched while a stop was under way.
    """

    def __init__(self, strategy: Any, *, is_refusing: Callable[[], bool], withdraw: Callable[[str], None]) -> None:
        self.failures: dict[str, str] = {}
        self._strategy = strategy
        self._is_refusing = is_refusing
        self._withdraw = withdraw
        self._counting = threading.Lock()
        self._failed_in_a_row = 0

    @property
    def may_go_on(self) -> bool:
        """Whether not too many have failed in a row."""
        return self._failed_in_a_row < MOST_IN_A_ROW

    def allow(self) -> None:
        """Launch again, after an end."""
        self._failed_in_a_row = 0

    def guard(self, job: Any, wake: Callable[[], None]) -> None:
        """Have the SDK launch a job through this object.

        Parameters
        ----------
        job
            The SDK's job; its ``launch`` is replaced.
        wake
            Called after the launch.
        """
        launch = job.launch

        def launched(queue_name: str | None = None) -> bool:
            sentence = self._launch(job.task_id(), launch, queue_name)
            if sentence is not None:
                self.failures[job.task_id()] = sentence
                running = self._strategy.get_running_jobs()
                if job in running:
                    running.remove(job)  # Optuna's strategy counts it as running for ever
            wake()
            return sentence is None

        job.launch = launched

    def _launch(self, task_id: str, launch: Callable[..., Any], queue_name: str | None) -> str | None:
        """Launch one job; the sentence on why it does not run, None when it does."""
        if self._is_refusing():
            return _TOO_LATE
        warnings = _Warnings()
        _job_logger.addHandler(warnings)
        reason: object = None
        try:
            if not launch(queue_name):
                reason = warnings.reason(queue_name)
        except Exception as error:  # whatever starts a job may raise anything, and the loop must live
            logger.warning("a ClearML job could not be launched", exc_info=True)
            reason = error
        finally:
            _job_logger.removeHandler(warnings)
        with self._counting:
            # Only now: Optuna's workers launch at once, and a launch that has not returned is no failure.
            self._failed_in_a_row = 0 if reason is None else self._failed_in_a_row + 1
        if reason is not None:
            return f"could not be launched: {reason}"
        if self._is_refusing():
            # The thread that stopped the search did not see this Task in the queue yet.
            self._withdraw(task_id)
            return _TOO_LATE
        return None


class _Warnings(logging.Handler):
    """Keeps what the SDK warns of on this thread while it launches a job: it says nowhere else why it did not."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._thread = threading.get_ident()
        self._messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self._messages.append(record.getMessage())

    def reason(self, queue_name: str | None) -> str:
        """The last warning without the words that every one begins with."""
        if not self._messages:
            return f"ClearML refused it (queue {queue_name!r})"
        _, _, reason = self._messages[-1].partition(": ")
        return reason or self._messages[-1]
