"""The thread that stops Tasks; it lives only while there is something to stop."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from hpo_widgets.engines.clearml import local_jobs
from hpo_widgets.engines.clearml.server import CHANGED_MEANWHILE, INVALID_STATUS, ClearmlError, pages, sentence_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hpo_widgets.engines.clearml.active_jobs import ActiveJob, ActiveJobs
    from hpo_widgets.engines.clearml.server import Availability, Server

logger = logging.getLogger("hpo_widgets")

SENDING_SECONDS = 2.0
"""Seconds after which an abort counts as sent, even without an answer."""

MOST_TRIES = 3
"""Requests at most to stop Tasks that somebody else changes at the same moment."""

REFUSED_SECONDS = 5.0
"""Seconds after which an abort that the server has refused is sent again."""


class AbortThread:
    """Stops the Tasks of jobs that have a ``stop_state``, all together by one request for each reason."""

    def __init__(self, jobs: ActiveJobs, server: Server, availability: Availability) -> None:
        self._jobs = jobs
        self._server = server
        self._availability = availability
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Under the lock: begin to stop the jobs that have a ``stop_state``."""
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="hpo_widgets aborter", daemon=True)
            thread.start()  # where the system has no thread left, the next abort tries again
            self._thread = thread

    def has_sent_all(self) -> bool:
        """Under the lock: whether every abort was sent, or tried once at a server that does not answer."""
        return all(self.has_sent(job) for job in self._jobs.by_number.values() if job.stop_state is not None)

    def has_sent(self, job: ActiveJob) -> bool:
        """Under the lock: whether the abort of one job was sent, or tried once; see `has_sent_all`."""
        return job.stop_tried or job.stop_wanted < time.monotonic() - SENDING_SECONDS

    def stop_tasks(self, jobs: Sequence[ActiveJob]) -> None:
        """Send the aborts, and end the processes of this machine."""
        by_reason: dict[str, list[ActiveJob]] = {}
        for job in jobs:
            by_reason.setdefault(job.reason, []).append(job)
        for reason, together in by_reason.items():
            tasks = [job.task for job in together if job.task is not None]
            for page in pages(tasks):
                self._stop(page, reason)
            for job in together:
                local_jobs.kill(job.job)

    def mark_stopped(self, task: str, reason: str, *, is_draft: bool = False) -> None:
        """Have a Task count as stopped, whatever its process does.

        Parameters
        ----------
        task
            The Task's id.
        reason
            Why, for the server's records.
        is_draft
            Whether no queue has seen it, so that the server has to be forced. A Task that has completed since it was
            looked at would be forced, too. Default False.

        Raises
        ------
        ClearmlError
            When the server does not do so.
        """
        self._server.call("tasks.stopped", task=task, force=is_draft or None, status_reason=_told(reason))

    def _stop(self, tasks: Sequence[str], reason: str) -> None:
        """Stop Tasks; try again for those that somebody else changed at the same moment and that still run."""
        for _ in range(MOST_TRIES):
            answer = self._server.call("tasks.stop_many", ids=tasks, status_reason=_told(reason))
            codes = {
                str(failure["id"]): (failure.get("error") or {}).get("codes") for failure in answer.get("failed") or ()
            }
            for task, code in codes.items():
                if code == [400, INVALID_STATUS]:
                    self._stop_draft(task, reason)
            changed = [task for task, code in codes.items() if code == [400, CHANGED_MEANWHILE]]
            found = self._server.tasks(changed, ["id", "status"])
            # One that was taken out of the queue at that moment is a draft, which is stopped otherwise.
            tasks = [str(task["id"]) for task in found if task.get("status") in {"created", "queued", "in_progress"}]
            if not tasks:
                return

    def _stop_draft(self, task: str, reason: str) -> None:
        """Stop a Task that no queue has seen yet: the server does so only when it is forced to."""
        found = self._server.tasks([task], ["status"])
        status = found[0].get("status") if found else None
        if status in {"created", "in_progress"}:
            self.mark_stopped(task, reason, is_draft=status == "created")

    def _run(self) -> None:
        changed = self._jobs.changed
        wait = 0.0
        failed: list[ActiveJob] = []
        told = ""
        while True:
            with changed:
                if wait:
                    changed.wait_for(lambda: self._jobs.is_closed, wait)
                failed = [job for job in failed if job.number in self._jobs.by_number]
                jobs = [*failed, *(job for job in self._due() if job not in failed)]
                if self._jobs.is_closed or not jobs:
                    self._thread = None
                    return
            try:
                self.stop_tasks(jobs)
                self._availability.answered()
                wait, failed = 0.0, []
            except Exception as error:  # whatever an answer or a process does: the next aborts need this thread
                failed = jobs
                if isinstance(error, ClearmlError) and error.is_away:
                    wait = self._availability.failed(error)
                else:
                    wait = REFUSED_SECONDS
                    if (sentence := sentence_of(error)) != told:
                        logger.debug("trials could not be stopped", exc_info=True)
                        self._jobs.notice(f"trials could not be stopped ({len(jobs)}): {sentence}")
                        told = sentence
            with changed:
                for job in jobs:
                    job.stop_tried, job.is_stop_answered = True, not failed
                self._jobs.pace.news()
                self._jobs.pace.look_now()
            self._jobs.wake()

    def _due(self) -> list[ActiveJob]:
        return [
            job
            for job in self._jobs.by_number.values()
            if job.stop_state is not None and job.launched is not None and not job.stop_tried
        ]


def _told(reason: str) -> str:
    """The reason as the server keeps it; the SDK does not mark a Task as failed whose reason begins like this."""
    return f"User aborted: {reason or 'stopped by hpo_widgets'}"
