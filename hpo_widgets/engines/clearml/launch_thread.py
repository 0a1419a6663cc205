"""The thread that launches trials one after another: each is tried until it works or is refused, and sent only once."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from hpo_widgets.engines.base import JobEvent, Outcome
from hpo_widgets.engines.clearml import local_jobs
from hpo_widgets.engines.clearml.server import LONGEST_WAIT, ClearmlError, RefusedError, RequestFailedError
from hpo_widgets.search.limits import SECONDS_A_MINUTE
from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from hpo_widgets.engines.clearml.abort_thread import AbortThread
    from hpo_widgets.engines.clearml.active_jobs import ActiveJob, ActiveJobs
    from hpo_widgets.engines.clearml.launching import TaskFactory
    from hpo_widgets.engines.clearml.server import Availability

logger = logging.getLogger("hpo_widgets")

TAKEN_SECONDS = 5.0
"""Seconds within which an agent that takes a Task from its queue reports that."""

FAILING_SECONDS = 300.0
"""Seconds for which a launch is tried again that the server answers with an error of its own (a code of 500 or above).

It may be without its database for a while; but it may also be this launch alone that it cannot answer.
"""

RETRY_SECONDS = 1.0
"""Seconds before the second try; before each further one twice as many, up to `LONGEST_WAIT`."""

TOLD_TRIES = 3
"""Tries in a row that the server has answered so when people are told."""


class LaunchThread(threading.Thread):
    """Launches what waits in ``jobs.to_launch``.

    A request without an answer may have had its effect, so the thread asks the server about that before it sends the
    request again: no trial becomes two Tasks, and no Task is enqueued twice.

    Parameters
    ----------
    aborts
        Stops Tasks whose abort came during their launch, and Tasks left behind by a launch that failed.
    """

    def __init__(self, jobs: ActiveJobs, factory: TaskFactory, availability: Availability, aborts: AbortThread) -> None:
        super().__init__(name="hpo_widgets launcher", daemon=True)
        self._jobs = jobs
        self._factory = factory
        self._availability = availability
        self._aborts = aborts
        self._has_told_failing = False
        """Whether people take it that no trial can be launched."""

    def run(self) -> None:
        """Launch until the jobs are closed."""
        jobs = self._jobs
        while True:
            with jobs.changed:
                jobs.changed.wait_for(lambda: jobs.to_launch or jobs.is_closed)
                if jobs.is_closed:
                    return
                job = jobs.to_launch.popleft()
            try:
                outcome = self._launch(job)
            except Exception as error:  # a class of the user's own may raise anything
                logger.debug("a launch failed", exc_info=True)
                job.reason = _sentence(error)
                self._stop_task(job)
                outcome = Outcome(TrialState.FAILED, error=job.reason, launch_failed=True)
            with jobs.changed:
                is_closed = self._jobs.is_closed
                if outcome is not None:
                    jobs.end(job, outcome)
                    continue
                jobs.pace.look_soon()
                if job.stop_state is not None:
                    self._aborts.start()
                jobs.changed.notify_all()
            if is_closed:
                self._stop_task(job)

    def _stop_task(self, job: ActiveJob) -> None:
        """Stop what nobody follows: the Task of a launch that failed, or that went on when the engine was closed."""
        if job.task is None:
            return
        try:
            self._aborts.stop_tasks([job])
        except Exception as error:  # noqa: BLE001 -- whatever it is, the next trial needs this thread
            local_jobs.kill(job.job)
            logger.warning("clearml: Task %s could not be stopped: %s", job.task, error)

    def _launch(self, job: ActiveJob) -> Outcome | None:
        """Launch a trial, whatever time it takes; the outcome if it ended so."""
        tries, failing_since = 0, 0.0
        while True:
            try:
                outcome = self._try(job)
                self._availability.answered()
                if outcome is None and self._has_told_failing:
                    self._has_told_failing = False
                    self._jobs.notice("trials can be launched again")
                return outcome
            except RequestFailedError as error:
                now = time.monotonic()
                failing_since = failing_since if tries else now
                if not error.is_the_servers_fault or now - failing_since > FAILING_SECONDS:
                    raise
                tries += 1
                seconds = min(RETRY_SECONDS * 2 ** (tries - 1), LONGEST_WAIT)
                if tries == TOLD_TRIES:
                    self._tell_failing(job, error)
            except ClearmlError as error:
                if not error.is_away:
                    raise
                seconds, tries = self._availability.failed(error), 0
            if self._gives_up(job, seconds, is_away=not tries):
                return _stopped(job)

    def _tell_failing(self, job: ActiveJob, error: RequestFailedError) -> None:
        """Tell people that none is launched; `Availability` cannot, as looks at the trials that run are answered."""
        self._has_told_failing = True
        self._jobs.notice(
            f"no trial can be launched: {error}; trial #{job.number} is tried again for "
            f"{FAILING_SECONDS / SECONDS_A_MINUTE:g} minutes, those that run go on"
        )

    def _gives_up(self, job: ActiveJob, seconds: float, *, is_away: bool) -> bool:
        """Wait before the next try; True when there is to be none.

        A stop does not wait for a server that is away: what was never sent ends at once, and what may have been sent
        is looked for when the server is back. A server that answers with errors is asked for it soon.
        """
        jobs = self._jobs
        with jobs.changed:
            jobs.changed.wait_for(lambda: jobs.is_closed or job.stop_state is not None, seconds)
            if jobs.is_closed or job.stop_state is None:
                return jobs.is_closed
            if job.task is None and not job.may_exist:
                return True
            job.stop_tried = True
        jobs.wake()
        with jobs.changed:
            return jobs.changed.wait_for(lambda: jobs.is_closed, seconds if is_away else RETRY_SECONDS)

    def _try(self, job: ActiveJob) -> Outcome | None:
        """Do what is left of a launch; the outcome if the trial was stopped before there was a Task."""
        if job.task is None and job.may_exist:
            with self._jobs.changed:
                known = self._jobs.tasks()
            job.task = self._factory.find(job.number, job.point, known)
            if job.task is None and self._is_unwanted(job):
                return _stopped(job)
        if job.task is None:
            self._factory.prepare()
            if self._is_unwanted(job):
                return _stopped(job)
            job.may_exist = True
            job.task, job.job = self._factory.make(job.row, job.number, job.point)
        if not job.is_told:
            job.is_told = True
            with self._jobs.changed:
                self._jobs.emit(JobEvent("job", job.number, job.task))
        if not self._is_unwanted(job):
            self._send(job)
        with self._jobs.changed:
            job.launched = time.monotonic()
            job.stop_tried = False
        return None

    def _is_unwanted(self, job: ActiveJob) -> bool:
        """Whether a job is to be stopped, as all jobs are once the engine is closed."""
        with self._jobs.changed:
            return job.stop_state is not None

    def _send(self, job: ActiveJob) -> None:
        task = str(job.task)
        if job.may_be_sent and not self._factory.is_draft(task) and not self._is_lost(job, task):
            return
        job.may_be_sent = True
        job.job = self._factory.send(task, job.job)

    def _is_lost(self, job: ActiveJob, task: str) -> bool:
        """Whether a Task is queued and in no queue, also after the time in which an agent says that it has taken it."""
        if not self._factory.is_missing_in_queue(task):
            return False
        with self._jobs.changed:
            self._jobs.changed.wait_for(lambda: self._jobs.is_closed or job.stop_state is not None, TAKEN_SECONDS)
            if self._jobs.is_closed or job.stop_state is not None:
                return False
        return self._factory.is_missing_in_queue(task)


def _stopped(job: ActiveJob) -> Outcome:
    """The end of a trial that was stopped before it had a Task."""
    return Outcome(job.ended_as, error=job.reason or None)


def _sentence(error: BaseException) -> str:
    if isinstance(error, RequestFailedError):
        return f"the server refused to launch it: {error}"
    if isinstance(error, (RefusedError, ValueError)):
        return str(error)
    return f"it could not be launched: {type(error).__name__}: {error}"
