"""Guards the launches of a strategy's jobs: records why a launch failed, and refuses launches after a stop."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger("hpo_widgets")

MOST_IN_A_ROW = 3
"""Failed launches in a row after which no more are tried; the SDK would go on, leaving a draft Task each time."""

_TOO_LATE = "not launched: the search was stopped"
_job_logger = logging.getLogger("clearml.automation.job")


class LaunchGuard:
    """Launches the jobs of one strategy, on the SDK's threads.

    Attributes
    ----------
    failures : dict
        Task id to the sentence that says why its job was not launched: an error, or a stop.

    Parameters
    ----------
    strategy
        The SDK's strategy object.
    is_refusing
        Returns whether nothing may be launched any more.
    withdraw
        Takes back a Task that was launched while a stop was under way.
    wake
        Called after each launch.
    """

    def __init__(
        self,
        strategy: Any,
        *,
        is_refusing: Callable[[], bool],
        withdraw: Callable[[str], None],
        wake: Callable[[], None],
    ) -> None:
        self.failures: dict[str, str] = {}
        self._strategy = strategy
        self._is_refusing = is_refusing
        self._withdraw = withdraw
        self._wake = wake
        self._counting = threading.Lock()
        self._failed_in_a_row = 0

    @property
    def may_go_on(self) -> bool:
        """Whether fewer than `MOST_IN_A_ROW` launches have failed in a row."""
        return self._failed_in_a_row < MOST_IN_A_ROW

    def allow(self) -> None:
        """Allow launches again, for a new run."""
        self._failed_in_a_row = 0

    def guard(self, job: Any) -> None:
        """Have the SDK launch a job through this object: the job's ``launch`` is replaced."""
        launch = job.launch

        def launched(queue_name: str | None = None) -> bool:
            sentence = self._launch(job.task_id(), launch, queue_name)
            if sentence is not None:
                self.failures[job.task_id()] = sentence
                running = self._strategy.get_running_jobs()
                if job in running:
                    running.remove(job)  # Optuna's strategy counts it as running for ever
            self._wake()
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
        except Exception as error:  # a launch may raise anything, and the SDK's loop must survive it
            logger.warning("a ClearML job could not be launched", exc_info=True)
            reason = error
        finally:
            _job_logger.removeHandler(warnings)
        with self._counting:
            # Counted after the launch: Optuna's workers launch in parallel, and a launch under way is no failure.
            self._failed_in_a_row = 0 if reason is None else self._failed_in_a_row + 1
        if reason is not None:
            return f"could not be launched: {reason}"
        if self._is_refusing():
            # The thread that stopped the search did not see this Task in the queue yet.
            self._withdraw(task_id)
            return _TOO_LATE
        return None


class _Warnings(logging.Handler):
    """Collects the SDK's warnings on this thread during a launch: only these say why a launch failed."""

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
