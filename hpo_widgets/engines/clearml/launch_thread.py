"""The thread that launches trials one after another: each is tried until it works or is refused, and sent only once.

It takes them out of the queue again, too, so that none is sent and taken out at the same moment, and puts back what an
earlier process has left in no queue.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from hpo_widgets.engines.base import JobEvent, Outcome
from hpo_widgets.engines.clearml import local_jobs
from hpo_widgets.engines.clearml.server import (
    INVALID_STATUS,
    LONGEST_WAIT,
    NO_SUCH_QUEUE,
    UNKNOWN_TASK,
    ClearmlError,
    RefusedError,
    RequestFailedError,
    sentence_of,
)
from hpo_widgets.search.limits import SECONDS_A_MINUTE
from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from collections.abc import Callable

    from hpo_widgets.engines.clearml.abort_thread import AbortThread
    from hpo_widgets.engines.clearml.active_jobs import ActiveJob, ActiveJobs
    from hpo_widgets.engines.clearml.launching import TaskFactory
    from hpo_widgets.engines.clearml.server import Availability

logger = logging.getLogger("hpo_widgets")

_Answer = TypeVar("_Answer")

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


MOST_ROUNDS = 3
"""Looks at most at whether Tasks that were taken out of the queue are drafts."""


class LaunchThread(threading.Thread):
    """Launches what waits in ``jobs.to_launch``, and takes out of the queue what ``jobs.to_take_out`` says.

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
        """Launch and take out until the jobs are closed."""
        jobs = self._jobs
        while True:
            with jobs.changed:
                jobs.changed.wait_for(lambda: jobs.to_look_for or jobs.to_take_out or jobs.may_launch or jobs.is_closed)
                if jobs.is_closed:
                    return
                to_look_for, jobs.to_look_for = jobs.to_look_for, []
                to_take_out, job = [], None
                if not to_look_for:
                    to_take_out = self._chosen_to_take_out()
                    job = None if to_take_out else jobs.next_to_launch()
            if to_look_for:
                self._look_for(to_look_for)
                continue
            if job is None:
                self._take_out(to_take_out)
                continue
            try:
                outcome = self._launch(job)
            except BaseException as error:  # a class of the user's own may raise anything, or leave by sys.exit
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
                elif jobs.is_paused or job.withdrawn:  # since its launch has begun
                    jobs.take_out([job])
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
            f"{FAILING_SECONDS / SECONDS_A_MINUTE:g} minutes, running trials continue"
        )

    def _gives_up(self, job: ActiveJob, seconds: float, *, is_away: bool) -> bool:
        """Wait before the next try; True when there is to be none.

        A stop does not wait for a server that is away: what was never sent ends at once, and what may have been sent
        is looked for when the server is back. A server that answers with errors is asked for it soon.
        """
        jobs = self._jobs
        self._wait(seconds, lambda: jobs.is_closed or job.stop_state is not None)
        with jobs.changed:
            if jobs.is_closed or job.stop_state is None:
                return jobs.is_closed
            if job.task is None and not job.may_exist:
                return True
            job.stop_tried = True
        jobs.wake()
        return self._wait(seconds if is_away else RETRY_SECONDS, lambda: jobs.is_closed)

    def _wait(self, seconds: float, is_over: Callable[[], bool]) -> bool:
        """Wait between two tries of a launch; a pause or new ranges, which take others out of the queue, do not wait.

        Returns whether ``is_over`` is true, which ends the wait.
        """
        jobs, until = self._jobs, time.monotonic() + seconds
        while True:
            with jobs.changed:
                jobs.changed.wait_for(lambda: is_over() or jobs.to_take_out, max(0.0, until - time.monotonic()))
                if is_over() or not jobs.to_take_out:
                    return is_over()
                chosen = self._chosen_to_take_out()
            self._take_out(chosen)

    def _try(self, job: ActiveJob) -> Outcome | None:
        """Do what is left of a launch; the outcome if the trial was stopped before there was a Task."""
        if job.task is None and job.may_exist:
            with self._jobs.changed:
                known = self._jobs.tasks()
            job.task = self._factory.find(job, known)
            if job.task is None and self._is_unwanted(job):
                return _stopped(job)
        if job.task is None:
            self._factory.prepare()
            if self._is_unwanted(job):
                return _stopped(job)
            job.may_exist = True
            self._factory.make(job)
        if not job.is_told:
            job.is_told = True
            with self._jobs.changed:
                self._jobs.emit(JobEvent("job", job.number, job.task))
        if not self._is_unwanted(job):
            if self._is_to_be_held(job):
                with self._jobs.changed:
                    self._jobs.hold([job])
                return None
            self._send(job)
        with self._jobs.changed:
            job.launched = time.monotonic()
            job.stop_tried = False
        return None

    def _is_to_be_held(self, job: ActiveJob) -> bool:
        """Whether a pause has come while a Task was made or sent in vain, so that it stays a draft."""
        with self._jobs.changed:
            is_paused = self._jobs.is_paused and not job.withdrawn and not self._factory.is_local
        return is_paused and (not job.may_be_sent or self._factory.is_draft(str(job.task)))

    def _look_for(self, adopted: list[ActiveJob]) -> None:
        """Have those Tasks of an earlier process taken out, and put back, that wait by their status and in no queue.

        It was killed between the two requests by which it took them out, or an agent was that had just got them.
        """
        failing = "whether trials wait in a queue could not be looked up"
        tasks = {str(job.task) for job in adopted}
        lost = self._insist(partial(self._factory.in_no_queue, tasks), failing)
        if not lost:
            return
        with self._jobs.changed:
            self._jobs.changed.wait_for(lambda: self._jobs.is_closed, TAKEN_SECONDS)
        lost = self._insist(partial(self._factory.in_no_queue, lost), failing) or set()
        with self._jobs.changed:
            found = [job for job in adopted if job.task in lost]
            for job in found:
                job.is_coming_out = True
            self._jobs.take_out(found)

    def _insist(self, act: Callable[[], _Answer], failing: str) -> _Answer | None:
        """Do something at the server, whatever time it takes; None where it is not done, and people are told why."""
        tries = 0
        while True:
            try:
                answer = act()
                self._availability.answered()
                return answer
            except Exception as error:  # whatever an answer says: the next launch needs this thread
                is_away, tries = isinstance(error, ClearmlError) and error.is_away, tries + 1
                if not is_away and tries >= TOLD_TRIES:
                    logger.debug("%s", failing, exc_info=True)
                    self._jobs.notice(f"{failing}: {sentence_of(error)}")
                    return None
                seconds = self._availability.failed(error) if is_away else RETRY_SECONDS
            with self._jobs.changed:
                if self._jobs.changed.wait_for(lambda: self._jobs.is_closed, seconds):
                    return None

    def _chosen_to_take_out(self) -> list[ActiveJob]:
        """Under the lock: the jobs that have to be taken out of the queue, of which none is due any more then."""
        chosen, self._jobs.to_take_out = list(dict.fromkeys(self._jobs.to_take_out)), deque()
        return chosen

    def _take_out(self, chosen: list[ActiveJob]) -> None:
        """Take Tasks out of the queue, whatever time it takes; those that an agent has taken go on."""
        rounds = 0
        while chosen := self._to_be_taken_out(chosen):
            act = partial(self._try_to_take_out, chosen, is_last=rounds >= MOST_ROUNDS)
            again = self._insist(act, f"waiting trials could not be taken out of the queue ({len(chosen)})")
            if again is None:
                self._settle(chosen, [job for job in chosen if job.is_coming_out])
                return
            chosen, rounds = again, rounds + 1

    def _to_be_taken_out(self, chosen: list[ActiveJob]) -> list[ActiveJob]:
        """Those of some jobs that have still to be taken out of the queue."""
        jobs = self._jobs
        if self._factory.is_local:
            return []
        with jobs.changed:
            return [
                job
                for job in chosen
                if not jobs.is_closed
                and job.number in jobs.by_number
                and job.stop_state is None
                and not job.is_held
                and (jobs.is_paused or job.withdrawn or job.is_coming_out)
            ]

    def _try_to_take_out(self, chosen: list[ActiveJob], *, is_last: bool) -> list[ActiveJob]:
        """Take some Tasks out of the queue; returns those of which a further look has to tell whether they are out."""
        chosen = self._to_be_taken_out(chosen)
        found = self._factory.where_they_wait([str(job.task) for job in chosen])
        out, again = [], []
        for job in chosen:
            status, queue = found.get(str(job.task), (None, None))
            if job.is_coming_out and (status == "created" or (status == "queued" and is_last)):
                out.append(job)
            elif status == "queued" and self._to_be_taken_out([job]) and self._try_to_take(job, queue):
                again.append(job)
        self._settle([job for job in chosen if job not in again], out)
        return again

    def _try_to_take(self, job: ActiveJob, queue: str | None) -> bool:
        """Take one Task out of its queue; False where an agent was quicker."""
        task, was_coming_out = str(job.task), job.is_coming_out
        job.is_coming_out = True  # before the request: the poller may see its effect before its answer is here
        has_waited = queue is not None and self._factory.take_entry(task, queue)
        if not has_waited and not was_coming_out:
            return False
        if job.withdrawn:
            self._settle([], [job])
        else:
            self._factory.make_draft(task)
        return True

    def _settle(self, chosen: list[ActiveJob], out: list[ActiveJob]) -> None:
        """Hold or end those of some jobs that are out of the queue, and let the others go on."""
        jobs = self._jobs
        with jobs.changed:
            still_out = [job for job in out if job.number in jobs.by_number and job.stop_state is None]
            jobs.hold([job for job in still_out if not job.withdrawn])
            for job in still_out:
                if job.withdrawn:
                    job.reason, job.stop_state, job.stop_wanted = job.withdrawn, TrialState.ABORTED, time.monotonic()
                    self._aborts.start()
            for job in chosen:
                if job.stop_state is None:
                    job.is_coming_out, job.withdrawn = False, ""

    def _is_unwanted(self, job: ActiveJob) -> bool:
        """Whether a job is to be stopped, as all jobs are once the engine is closed."""
        with self._jobs.changed:
            return job.stop_state is not None

    def _send(self, job: ActiveJob) -> None:
        task = str(job.task)
        was_tried = job.may_be_sent
        if was_tried and not self._factory.is_draft(task) and not self._is_lost(job, task):
            return
        job.may_be_sent = True
        try:
            self._factory.send(job)
        except RequestFailedError as error:
            if not was_tried or error.subcode != INVALID_STATUS:
                raise  # else the earlier request has had its effect since, and an agent has begun the Task

    def _is_lost(self, job: ActiveJob, task: str) -> bool:
        """Whether a Task is queued and in no queue, also after the time in which an agent says that it has taken it."""
        if not self._factory.in_no_queue([task]):
            return False
        with self._jobs.changed:
            self._jobs.changed.wait_for(lambda: self._jobs.is_closed or job.stop_state is not None, TAKEN_SECONDS)
            if self._jobs.is_closed or job.stop_state is not None:
                return False
        return bool(self._factory.in_no_queue([task]))


def _stopped(job: ActiveJob) -> Outcome:
    """The end of a trial that was stopped before it had a Task."""
    return Outcome(job.ended_as, error=job.reason or None)


_REMEDIES = {
    NO_SUCH_QUEUE: "; its queue was deleted: create it again, then start the search again",
    UNKNOWN_TASK: "; its Task, or the template, was deleted",
}


def _sentence(error: BaseException) -> str:
    if isinstance(error, RequestFailedError):
        return f"the server refused to launch it: {error}{_REMEDIES.get(error.subcode, '')}"
    if isinstance(error, (RefusedError, ValueError)):
        return str(error)
    return f"it could not be launched: {type(error).__name__}: {error}"
