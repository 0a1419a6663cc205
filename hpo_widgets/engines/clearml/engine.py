"""Runs trials as ClearML Tasks: launches, follows and aborts them on threads of its own.

The controller's thread only enqueues requests and receives events. Three threads talk to the server, so that none of
these waits for another: the launcher makes Tasks, the poller looks at all of them by one request, and the aborter,
which lives only while there is something to abort, stops them.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import time
import weakref
from typing import TYPE_CHECKING, Any

from hpo_widgets.engines.base import Outcome
from hpo_widgets.engines.clearml import local_jobs
from hpo_widgets.engines.clearml.abort_thread import SENDING_SECONDS, AbortThread
from hpo_widgets.engines.clearml.active_jobs import ActiveJob, ActiveJobs, Pace
from hpo_widgets.engines.clearml.launch_thread import LaunchThread
from hpo_widgets.engines.clearml.launching import TaskFactory
from hpo_widgets.engines.clearml.poll_thread import ObjectiveIterations, PollThread, QueueWatch
from hpo_widgets.engines.clearml.server import Availability, ClearmlError, sentence_of
from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    import threading
    from collections.abc import Collection, Mapping

    from hpo_widgets.engines.base import EngineOptions, JobEvent
    from hpo_widgets.engines.clearml.template import TaskTemplate
    from hpo_widgets.space import Space
    from hpo_widgets.trials import TrialRow


class ClearmlEngine:
    """See `hpo_widgets.engines.base.QueueEngine`.

    Parameters
    ----------
    template
        The Task to clone, and where to.
    workers
        Trials that may wait and run at once.
    job_class
        The SDK's class of jobs.
    options
        The search's id, which each Task is told so that it can be found again; objectives and their limit.
    """

    def __init__(
        self, template: TaskTemplate, workers: int, *, space: Space, job_class: Any, options: EngineOptions
    ) -> None:
        self._rows: dict[int, TrialRow] = {}
        self._jobs = jobs = ActiveJobs(Pace(template.pool_period), workers)
        server, factory = template.server, TaskFactory(template, job_class, options.search_id)
        availability = Availability(jobs.notice)
        self._aborts = AbortThread(jobs, server, availability)
        queue = QueueWatch(server, template.queue, jobs.notice)
        limit = options.max_iteration_per_job
        iterations = ObjectiveIterations(server, options.objectives, options.wants_reports, limit, jobs.notice)
        self._threads = (
            LaunchThread(jobs, factory, availability, self._aborts),
            PollThread(jobs, server, availability, self._aborts, queue, iterations, space),
        )
        try:
            for thread in self._threads:
                thread.start()
        except BaseException:  # the system has no thread left: that which has begun ends
            with jobs.changed:
                jobs.is_closed = True
                jobs.changed.notify_all()
            raise
        _ENGINES.add(self)

    @property
    def next_poll(self) -> float | None:
        """``time.monotonic()`` of the next look at the server."""
        return self._jobs.pace.due

    def free(self) -> int:
        """How many trials can be launched right now."""
        return self._jobs.most - len(self._jobs.by_number)

    def describe(self, row: TrialRow) -> None:
        """Take the row of a trial before its launch; how its point was chosen is written into its Task."""
        self._rows[row.number] = row

    def launch(self, number: int, point: Mapping[str, Any]) -> int:
        """Queue a trial for the launcher and return -1 at once: agents have no index."""
        job = ActiveJob(number, dict(point), self._rows.pop(number, None))
        with self._jobs.changed:
            self._jobs.add(job)
            self._jobs.have_launched(job)
        return -1

    def adopt(self, number: int, job: str, point: Mapping[str, Any]) -> None:
        """Follow a Task that an earlier process launched."""
        with self._jobs.changed:
            adopted = ActiveJob(number, dict(point), task=job, is_told=True, launched=0.0, is_adopted=True)
            adopted.has_begun, adopted.seen = True, ""  # what was known of it may not hold any more
            self._jobs.adopt(adopted)

    def give_reason(self, number: int, sentence: str) -> None:
        """Say why a trial is about to be stopped."""
        with self._jobs.changed:
            if number in self._jobs.by_number:
                self._jobs.by_number[number].reason = sentence

    def together(self) -> threading.Condition:
        """Within this context, aborts and adoptions are gathered, so that a thousand of them are one request."""
        return self._jobs.changed  # the threads look for what there is to do under the same lock

    def ask_stop(self, number: int, state: TrialState = TrialState.ABORTED) -> None:
        """Stop a trial's Task, to be counted as ``state``."""
        self.abort(number, state=state)

    def abort(self, number: int, grace: float = 0.1, state: TrialState = TrialState.ABORTED) -> None:
        """Stop a trial's Task; one that was not launched yet ends without one."""
        del grace  # the worker's own, on ClearML
        jobs = self._jobs
        with jobs.changed:
            job = jobs.by_number.get(number)
            if job is None or job.stop_state is not None:
                return
            job.stop_state, job.stop_wanted = state, time.monotonic()
            if job in jobs.to_launch and not job.is_held:
                jobs.to_launch.remove(job)
                jobs.end(job, Outcome(state, error=job.reason or None))
            elif job.launched is not None:
                self._aborts.start()
            else:
                jobs.changed.notify_all()  # the launcher, which is launching it

    def resize(self, workers: int) -> None:
        """Change how many trials may wait and run at once."""
        with self._jobs.changed:
            self._jobs.most = workers
            self._jobs.changed.notify_all()

    def set_paused(self, paused: bool) -> None:
        """Have waiting Tasks taken out of the queue, or put back; processes of this machine go on."""
        jobs = self._jobs
        with jobs.changed:
            jobs.is_paused = paused
            if paused:
                jobs.take_out(jobs.by_number.values())
            jobs.changed.notify_all()

    def withdraw(self, numbers: Collection[int], sentence: str) -> None:
        """Stop the Tasks of trials that no agent has taken yet."""
        jobs = self._jobs
        with jobs.changed:
            chosen = [jobs.by_number[number] for number in numbers if number in jobs.by_number]
            for job in chosen:
                if job.stop_state is None and job in jobs.to_launch:
                    job.reason = sentence
                    self.abort(job.number)
                else:
                    job.withdrawn = sentence
            jobs.take_out(chosen)

    def wait(self, timeout: float | None = None) -> list[JobEvent]:
        """Events since the last call."""
        if not self.has_sent_aborts():
            timeout = SENDING_SECONDS if timeout is None else min(timeout, SENDING_SECONDS)
        return self._jobs.take_events(timeout)

    def wake(self) -> None:
        """Let `wait` return now."""
        self._jobs.wake()

    def log(self, number: int) -> str:
        """Nothing: a Task's log is at the server."""
        del number
        return ""

    def has_sent_aborts(self) -> bool:
        """Whether every abort was sent, or tried once at a server that does not answer."""
        with self._jobs.changed:
            return self._aborts.has_sent_all()

    def may_go_on(self) -> set[int]:
        """The trials that have Tasks: all but those whose processes end with this machine's."""
        with self._jobs.changed:
            active = self._jobs.by_number.values()
            return {job.number for job in active if job.task is not None and local_jobs.process_of(job.job) is None}

    def release(self) -> set[int]:
        """Leave the launched Tasks to another process; processes of this machine and launches end with `close`."""
        with self._jobs.changed:
            numbers = {number for number in self.may_go_on() if self._jobs.by_number[number].launched is not None}
            for number in numbers:
                job = self._jobs.by_number.pop(number)
                if job.is_held:
                    self._jobs.let_go(job)
        return numbers

    def close(self) -> None:
        """Stop what runs and end the threads."""
        with self._jobs.changed:
            if self._jobs.is_closed:
                return
            self._jobs.is_closed = True
            for job in self._jobs.by_number.values():
                if job.stop_state is None:  # the launcher may be launching it
                    job.stop_state, job.stop_wanted = TrialState.ABORTED, time.monotonic()
            active = self._jobs.by_number.values()
            left = [job for job in active if job.task is not None and not self._aborts.has_sent(job)]
            self._jobs.changed.notify_all()
        _ENGINES.discard(self)
        try:
            if left:
                self._aborts.stop_tasks(left)
        except Exception as error:
            raise ClearmlError(f"trials could not be stopped ({len(left)}): {sentence_of(error)}") from error
        finally:
            self.kill_processes()
            for thread in self._threads:
                thread.join(timeout=1.0)

    def leave(self) -> None:
        """End the processes of this machine with this one, and tell the server so; Tasks on a queue go on."""
        jobs = self._jobs
        with jobs.changed:
            local = [job for job in jobs.by_number.values() if local_jobs.process_of(job.job) is not None]
            if not local:
                return
            jobs.is_closed = True  # the poller would have a process that was killed count as one that failed
            for job in local:
                job.reason = job.reason or "its process ended with the one that ran the search"
            jobs.changed.notify_all()
        self.kill_processes()
        with contextlib.suppress(Exception):  # whatever an answer says: other engines have processes, too
            self._aborts.stop_tasks(local)

    def kill_processes(self) -> None:
        """End the processes of this machine, whatever the server knows of them."""
        for job in list(self._jobs.by_number.values()):
            local_jobs.kill(job.job)


_ENGINES: weakref.WeakSet[ClearmlEngine] = weakref.WeakSet()

if hasattr(os, "register_at_fork"):
    # The trials belong to this process: a fork that exits must not kill them.
    os.register_at_fork(after_in_child=_ENGINES.clear)


@atexit.register
def _kill_processes() -> None:
    """No process of a trial outlives the process that runs the search, unless that is killed."""
    for engine in list(_ENGINES):
        engine.leave()
