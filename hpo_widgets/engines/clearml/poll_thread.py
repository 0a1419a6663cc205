"""The thread that looks at the Tasks of all active trials, by one request."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from hpo_widgets.engines.clearml import local_jobs
from hpo_widgets.engines.clearml.reading import POLL_FIELDS, TaskView, read_task
from hpo_widgets.engines.clearml.server import ClearmlError, RequestFailedError
from hpo_widgets.engines.clearml.task_news import SETTLE_SECONDS, TaskNews
from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hpo_widgets.engines.clearml.abort_thread import AbortThread
    from hpo_widgets.engines.clearml.active_jobs import ActiveJob, ActiveJobs
    from hpo_widgets.engines.clearml.availability import Availability
    from hpo_widgets.engines.clearml.queue_watch import QueueWatch
    from hpo_widgets.engines.clearml.server import Server
    from hpo_widgets.space import Space

logger = logging.getLogger("hpo_widgets")

PROCESS_SECONDS = 0.1
"""How often processes of this machine are looked at, which asks no server."""

ESCALATION_SECONDS = 10.0
"""A Task that was asked to stop and is still running after so long is marked as stopped."""


class PollThread:
    """Follows Tasks until they end; what is new of one is the business of `TaskNews`."""

    def __init__(
        self,
        jobs: ActiveJobs,
        server: Server,
        availability: Availability,
        aborts: AbortThread,
        queue: QueueWatch,
        space: Space,
    ) -> None:
        self._jobs = jobs
        self._server = server
        self._availability = availability
        self._aborts = aborts
        self._queue = queue
        self._news = TaskNews(jobs, space, aborts.start)
        self._fields = [*POLL_FIELDS, *self._news.fields]
        self._thread = threading.Thread(target=self._run, name="hpo_widgets poller", daemon=True)

    def start(self) -> None:
        """Begin; the thread ends when the jobs are closed."""
        self._thread.start()

    def join(self, timeout: float) -> None:
        """Wait for its end."""
        self._thread.join(timeout)

    def _run(self) -> None:
        jobs, pace = self._jobs, self._jobs.pace
        while True:
            with jobs.changed:
                if not jobs.is_closed:  # it may have been closed during the last look
                    jobs.changed.wait(self._seconds_to_next())
                if jobs.is_closed:
                    return
                followed = jobs.followed()
                if not followed:
                    pace.due = None
                    continue
                if self._has_process_ended(followed):
                    pace.look_now()
                if pace.due is None or time.monotonic() < pace.due:
                    continue
            try:
                self.look(followed)
                self._availability.answered()
            except ClearmlError as error:
                seconds = self._availability.failed(error)
                with jobs.changed:
                    pace.look_in(seconds)
            except Exception:
                logger.exception("clearml: an answer of the server could not be read")
                with jobs.changed:
                    pace.look_in(pace.seconds)

    def _seconds_to_next(self) -> float | None:
        due = self._jobs.pace.due
        if due is None:
            return None
        seconds = max(0.0, due - time.monotonic())
        has_processes = any(local_jobs.process_of(job.job) is not None for job in self._jobs.by_number.values())
        return min(seconds, PROCESS_SECONDS) if has_processes else seconds

    def _has_process_ended(self, followed: Mapping[str, ActiveJob]) -> bool:
        """Whether a process of this machine has ended since the last look."""
        has_ended = False
        for job in followed.values():
            if job.job is not None and job.exit_code is None:
                job.exit_code = local_jobs.exit_code(job.job)
                has_ended |= job.exit_code is not None
        return has_ended

    def look(self, followed: Mapping[str, ActiveJob]) -> None:
        """Look at some Tasks by one request, and act on what is new."""
        asked = time.monotonic()
        views = {view.id: view for view in map(read_task, self._server.tasks(list(followed), self._fields))}
        is_news = is_pressing = False
        for task, job in followed.items():
            if job.launched is None or job.launched > asked:
                continue
            view = views.get(task)
            with self._jobs.changed:
                if job.number not in self._jobs.by_number:
                    continue
                is_news |= self._news.take(job, view)
            if view is not None and view.state is TrialState.RUNNING:
                is_pressing |= self._follow_up(task, job)
            elif view is None or view.state in {None, TrialState.ABORTED}:
                self._end_process(job)
        self._queue.look(views.values())
        with self._jobs.changed:
            self._plan(views.values(), is_news=is_news, is_pressing=is_pressing)

    def _end_process(self, job: ActiveJob) -> None:
        """End the process of a trial whose Task somebody has stopped or taken away."""
        with self._jobs.changed:
            has_ended = job.number not in self._jobs.by_number
        if has_ended:
            local_jobs.kill(job.job)

    def _follow_up(self, task: str, job: ActiveJob) -> bool:
        """Say to the server what nobody else will: how a process ended that said nothing, that a worker is gone.

        Returns whether it was told something, so that the next look is to come at once.
        """
        is_gone = job.stop_tried and time.monotonic() - job.stop_wanted > ESCALATION_SECONDS
        try:
            if job.exit_code is not None and job.stop_state is None:
                self._tell_exit(task, job.exit_code)
            elif is_gone and not job.is_escalated:
                self._aborts.mark_stopped(task, job.reason)
                job.is_escalated = True  # not before: what got lost is said again
            else:
                return False
        except RequestFailedError as error:  # it has changed since the look; the next one tells, in its own time
            logger.debug("clearml: %s", error)
            return False
        return True

    def _tell_exit(self, task: str, code: int) -> None:
        if code == 0:
            self._server.call("tasks.completed", task=task, status_reason="the process ended")
        else:
            reason = f"the process ended with exit code {code}"
            self._server.call("tasks.failed", task=task, force=True, status_reason=reason)

    def _plan(self, views: Iterable[TaskView], *, is_news: bool, is_pressing: bool) -> None:
        """Under the lock: when to look next."""
        pace, active = self._jobs.pace, self._jobs.by_number.values()
        if is_news:
            pace.news()
        else:
            pace.quiet([view.seconds for view in views if view.state is TrialState.RUNNING and view.seconds])
        if not active:
            pace.due = None
        elif is_pressing:
            pace.look_now()
        elif any(job.stopped is not None or job.stop_state is not None for job in active):
            pace.look_in(min(pace.seconds, SETTLE_SECONDS / 2))
        else:
            pace.look_in(pace.seconds)
