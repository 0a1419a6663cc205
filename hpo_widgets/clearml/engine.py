"""Runs trials as ClearML Tasks: launches, follows and aborts them on threads of its own.

The controller's thread only puts wishes down and takes events up. Three threads talk to the server, so that none of
these waits for another: the launcher makes Tasks, the poller looks at all of them by one request, and the aborter,
which lives only while there is something to abort, stops them.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
import weakref
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hpo_widgets.clearml import local_jobs
from hpo_widgets.clearml.availability import Availability
from hpo_widgets.clearml.launching import Launcher
from hpo_widgets.clearml.pace import Pace
from hpo_widgets.clearml.reading import POLL_FIELDS, TaskView, read_task
from hpo_widgets.clearml.server import ClearmlError, RefusedError, RequestFailedError, UnreachableError
from hpo_widgets.jobs.base import JobEvent, Outcome
from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hpo_widgets.clearml.template import TaskTemplate
    from hpo_widgets.space import Space
    from hpo_widgets.trials import TrialRow

logger = logging.getLogger("hpo_widgets")

SETTLE_SECONDS = 1.0
"""An abort counts once the Task has been stopped for so long: a trial that was just completing may still say so."""

PROCESS_SECONDS = 0.1
"""How often processes of this machine are looked at, which asks no server."""

SENDING_SECONDS = 2.0
"""An abort whose request has been on its way for so long is taken to be sent."""

ESCALATION_SECONDS = 10.0
"""A Task that was asked to stop and is still running after so long is marked as stopped."""

QUEUE_PATIENCE_SECONDS = 60.0
"""When all trials have waited in the queue for so long, it is looked at who serves it."""

MOST_TRIES = 3
"""So often a launch is tried that the server answers with an error of its own."""

BATCH = 500


@dataclass(slots=True, eq=False)
class _Job:
    """One active trial; guarded by the engine's lock."""

    number: int
    point: Mapping[str, Any]
    row: TrialRow | None = None
    task: str | None = None
    job: Any = None
    """The SDK's job, where there is one."""
    is_adopted: bool = False
    """An earlier process made its Task, and may have died before it sent it on its way."""
    may_exist: bool = False
    """A request that got no answer may have made its Task."""
    launched: float | None = None
    """``time.monotonic()`` of its being sent; None: not yet."""
    is_sending: bool = False
    state: TrialState | None = None
    """As last seen at the server."""
    reason: str = ""
    stop_state: TrialState | None = None
    stop_wanted: float = 0.0
    stop_tried: bool = False
    is_escalated: bool = False
    stopped: float | None = None
    """When it was first seen as stopped."""
    exit_code: int | None = None
    seen: str = ""
    """The last summary, to tell whether anything is new."""


class ClearmlEngine:
    """See `hpo_widgets.jobs.base.QueueEngine`.

    Parameters
    ----------
    template
        The Task to clone, and where to.
    workers
        Trials that may wait and run at once.
    job_class
        The SDK's class of jobs.
    search_id
        Told to each Task, so that it can be found again.
    """

    def __init__(self, template: TaskTemplate, workers: int, *, space: Space, job_class: Any, search_id: str) -> None:
        self._template = template
        self._server = template.server
        self._workers = workers
        self._space = space
        self._launcher = Launcher(template, job_class, search_id)
        self._pace = Pace(template.where.pool_period)
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._events: deque[JobEvent] = deque()
        self._is_woken = False
        self._is_closed = False
        self._jobs: dict[int, _Job] = {}
        self._to_launch: deque[_Job] = deque()
        self._rows: dict[int, TrialRow] = {}
        self._due: float | None = None
        self._idle_since = time.monotonic()
        self._told_of_queue = False
        self._aborter: threading.Thread | None = None
        self._availability = Availability(self._notice)
        self._threads = [
            threading.Thread(target=self._launching, name="hpo_widgets launcher", daemon=True),
            threading.Thread(target=self._polling, name="hpo_widgets poller", daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        _ENGINES.add(self)

    # The controller's thread ----------------------------------------------------------------------

    @property
    def num_workers(self) -> int:
        """Trials that may wait and run at once."""
        return self._workers

    @property
    def next_poll(self) -> float | None:
        """``time.monotonic()`` of the next look at the server."""
        return self._due

    def free(self) -> int:
        """How many trials can be launched right now."""
        return self._workers - len(self._jobs)

    def describe(self, row: TrialRow) -> None:
        """Tell of a trial's row before its launch: how its point was chosen is kept with its Task."""
        self._rows[row.number] = row

    def launch(self, number: int, point: Mapping[str, Any]) -> int:
        """Have a trial launched; returns at once."""
        job = _Job(number, dict(point), self._rows.pop(number, None))
        with self._changed:
            self._jobs[number] = job
            self._to_launch.append(job)
            self._changed.notify_all()
        return -1

    def adopt(self, number: int, job: str, point: Mapping[str, Any]) -> None:
        """Follow a Task that an earlier process launched."""
        with self._changed:
            self._jobs[number] = _Job(number, dict(point), task=job, launched=0.0, is_adopted=True)
            self._due = time.monotonic()
            self._changed.notify_all()

    def give_reason(self, number: int, sentence: str) -> None:
        """Say why a trial is about to be stopped."""
        with self._lock:
            if number in self._jobs:
                self._jobs[number].reason = sentence

    def ask_stop(self, number: int, state: TrialState = TrialState.ABORTED) -> None:
        """Stop a trial's Task, to be counted as ``state``."""
        self.abort(number, state=state)

    def abort(self, number: int, grace: float = 0.1, state: TrialState = TrialState.ABORTED) -> None:
        """Stop a trial's Task; one that was not launched yet ends without one."""
        del grace  # the worker's own, on ClearML
        with self._changed:
            job = self._jobs.get(number)
            if job is None or job.stop_state is not None:
                return
            job.stop_state, job.stop_wanted = state, time.monotonic()
            if job.launched is None and not job.is_sending:
                self._to_launch.remove(job)
                self._end(job, Outcome(state, error=job.reason or None))
                return
            if job.launched is not None:
                self._start_aborter()

    def resize(self, workers: int) -> None:
        """Change how many trials may wait and run at once."""
        self._workers = workers

    def wait(self, timeout: float | None = None) -> list[JobEvent]:
        """Events since the last call."""
        with self._changed:
            if not self._events and not self._is_woken:
                self._changed.wait(timeout)
            self._is_woken = False
            events = list(self._events)
            self._events.clear()
        return events

    def wake(self) -> None:
        """Let `wait` return now."""
        with self._changed:
            self._is_woken = True
            self._changed.notify_all()

    def log(self, number: int) -> str:
        """Nothing: a Task's log is at the server."""
        del number
        return ""

    def has_sent_aborts(self) -> bool:
        """Whether every abort was sent, or tried once at a server that does not answer."""
        with self._lock:
            overdue = time.monotonic() - SENDING_SECONDS
            return all(
                job.stop_tried or job.stop_wanted < overdue for job in self._jobs.values() if job.stop_state is not None
            )

    def close(self, grace: float = 0.0) -> None:
        """Stop what runs and end the threads."""
        del grace
        with self._changed:
            if self._is_closed:
                return
            self._is_closed = True
            left = [job for job in self._jobs.values() if job.task is not None]
            self._changed.notify_all()
        _ENGINES.discard(self)
        if left:
            try:
                self._stop_tasks([job for job in left if not job.stop_tried])
            except ClearmlError as error:
                logger.warning("clearml: %d Tasks could not be stopped: %s", len(left), error)
        for job in left:
            local_jobs.kill(job.job)
        for thread in self._threads:
            thread.join(timeout=1.0)

    def kill_processes(self) -> None:
        """End the processes of this machine, whatever the server knows of them."""
        for job in list(self._jobs.values()):
            local_jobs.kill(job.job)

    # Events, under the lock -----------------------------------------------------------------------

    def _emit(self, event: JobEvent) -> None:
        self._events.append(event)
        self._changed.notify_all()

    def _notice(self, sentence: str) -> None:
        with self._changed:
            self._emit(JobEvent("notice", -1, ("ClearML", sentence)))

    def _end(self, job: _Job, outcome: Outcome) -> None:
        if self._jobs.pop(job.number, None) is not None:
            self._emit(JobEvent("ended", job.number, outcome))

    # The launcher's thread ------------------------------------------------------------------------

    def _launching(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._to_launch or self._is_closed)
                if self._is_closed:
                    return
                job = self._to_launch.popleft()
                job.is_sending = True
            try:
                outcome = self._launch(job)
            except Exception as error:  # a class of the user's own may raise anything
                logger.debug("a launch failed", exc_info=True)
                outcome = Outcome(TrialState.FAILED, error=_sentence(error), launch_failed=True)
            with self._changed:
                job.is_sending = False
                if outcome is not None:
                    self._end(job, outcome)
                    continue
                self._pace.news()
                self._due = min(self._due or float("inf"), time.monotonic() + self._pace.seconds)
                if job.stop_state is not None:
                    self._start_aborter()
                self._changed.notify_all()

    def _launch(self, job: _Job) -> Outcome | None:
        """Launch a trial, whatever time it takes; the outcome if it ended so."""
        tries = 0
        while True:
            try:
                self._try_launch(job)
                self._availability.answered()
                return None
            except UnreachableError as error:
                wait = self._availability.failed(error)
            except RequestFailedError as error:
                tries += 1
                if not error.is_the_servers_fault or tries >= MOST_TRIES:
                    raise
                wait = float(tries)
            with self._changed:
                # A stop does not wait for a server that is away: what was never sent ends here.
                self._changed.wait_for(lambda: self._is_closed or job.stop_state is not None, wait)
                if self._is_closed or (job.stop_state is not None and job.task is None and not job.may_exist):
                    return Outcome(job.stop_state or TrialState.ABORTED, error=job.reason or None)
                if job.stop_state is not None:
                    job.stop_tried = True
                    self._changed.wait_for(lambda: self._is_closed, wait)

    def _try_launch(self, job: _Job) -> None:
        if job.task is None:
            if job.may_exist:
                job.task = self._launcher.find(job.number, job.point, self._known())
            if job.task is None:
                self._launcher.prepare()
                job.may_exist = True
                job.task, job.job = self._launcher.make(job.row, job.number, job.point)
            with self._changed:
                self._emit(JobEvent("job", job.number, job.task))
        if job.stop_state is None:
            job.job = self._launcher.send(job.task, job.job)
        with self._lock:
            job.launched = time.monotonic()

    def _known(self) -> set[str]:
        with self._lock:
            return {job.task for job in self._jobs.values() if job.task is not None}

    # The aborter's thread -------------------------------------------------------------------------

    def _start_aborter(self) -> None:
        """Under the lock: have what is to be stopped stopped, by a thread that ends with that."""
        if self._aborter is None:
            self._aborter = threading.Thread(target=self._aborting, name="hpo_widgets aborter", daemon=True)
            self._aborter.start()

    def _to_stop(self) -> list[_Job]:
        return [
            job
            for job in self._jobs.values()
            if job.stop_state is not None and job.launched is not None and not job.stop_tried
        ]

    def _aborting(self) -> None:
        wait = 0.0
        failed: list[_Job] = []
        while True:
            with self._changed:
                if wait:
                    self._changed.wait_for(lambda: self._is_closed, wait)
                jobs = [*failed, *(job for job in self._to_stop() if job not in failed)]
                jobs = [job for job in jobs if job.number in self._jobs]
                if self._is_closed or not jobs:
                    self._aborter = None
                    return
            try:
                self._stop_tasks(jobs)
                self._availability.answered()
                wait, failed = 0.0, []
            except UnreachableError as error:
                wait, failed = self._availability.failed(error), jobs
            except ClearmlError as error:
                self._notice(f"{len(jobs)} trials could not be stopped: {error}")
                wait, failed = 5.0, jobs
            with self._changed:
                for job in jobs:
                    job.stop_tried = True
                self._pace.news()
                self._due = time.monotonic()
                self._is_woken = True
                self._changed.notify_all()

    def _stop_tasks(self, jobs: list[_Job]) -> None:
        """Send the aborts, by one request for each reason, and end the processes of this machine."""
        by_reason: dict[str, list[_Job]] = {}
        for job in jobs:
            by_reason.setdefault(job.reason or "stopped by hpo_widgets", []).append(job)
        for reason, together in by_reason.items():
            tasks = [job.task for job in together if job.task is not None]
            answer = self._server.call("tasks.stop_many", ids=tasks, status_reason=f"User aborted: {reason}")
            for failure in answer.get("failed") or ():
                # A draft that no queue has seen yet: the server stops it only when it is told to.
                codes = (failure.get("error") or {}).get("codes")
                if codes == [400, 110]:
                    self._mark_stopped(str(failure["id"]), reason)
            for job in together:
                local_jobs.kill(job.job)

    def _mark_stopped(self, task: str, reason: str) -> None:
        found = self._server.tasks([task], ["status"])
        if found and found[0].get("status") in {"created", "in_progress"}:
            self._server.call("tasks.stopped", task=task, force=True, status_reason=f"User aborted: {reason}")

    # The poller's thread --------------------------------------------------------------------------

    def _polling(self) -> None:
        while True:
            with self._changed:
                self._changed.wait(self._seconds_to_next())
                if self._is_closed:
                    return
                followed = {job.task: job for job in self._jobs.values() if job.launched is not None and job.task}
                if not followed:
                    self._due = None
                    continue
                local = [job for job in followed.values() if job.job is not None]
            if self._look_at_processes(local):
                self._due = time.monotonic()
            if self._due is None or time.monotonic() < self._due:
                continue
            try:
                self._poll(followed)
                self._availability.answered()
            except ClearmlError as error:
                self._due = time.monotonic() + self._availability.failed(error)
            except Exception:
                logger.exception("clearml: an answer of the server could not be read")
                self._due = time.monotonic() + self._pace.seconds

    def _seconds_to_next(self) -> float | None:
        if self._due is None:
            return None
        seconds = max(0.0, self._due - time.monotonic())
        has_processes = any(local_jobs.process_of(job.job) is not None for job in self._jobs.values())
        return min(seconds, PROCESS_SECONDS) if has_processes else seconds

    def _look_at_processes(self, jobs: list[_Job]) -> bool:
        """Whether a process of this machine has ended since the last look."""
        has_ended = False
        for job in jobs:
            if job.exit_code is None:
                job.exit_code = local_jobs.exit_code(job.job)
                has_ended |= job.exit_code is not None
        return has_ended

    def _poll(self, followed: Mapping[str, _Job]) -> None:
        """Look at all Tasks by one request, and act on what is new."""
        asked = time.monotonic()
        ids = list(followed)
        tasks: dict[str, TaskView] = {}
        for first in range(0, len(ids), BATCH):
            batch = ids[first : first + BATCH]
            for task in self._server.tasks(batch, POLL_FIELDS, page=0, page_size=BATCH):
                view = read_task(task)
                tasks[view.id] = view
        is_news = False
        for task_id, job in followed.items():
            if job.launched is None or job.launched > asked:
                continue
            found = tasks.get(task_id)
            with self._changed:
                if job.number not in self._jobs:
                    continue
                if found is None:
                    self._end(job, Outcome(_stopped(job), error=job.reason or "its Task was deleted on the server"))
                    is_news = True
                    continue
                is_news |= self._take(job, found)
            try:
                self._follow_up(job, found)
            except RequestFailedError as error:  # it has changed since the look; the next one tells
                logger.debug("clearml: %s", error)
        self._look_at_queue(tasks)
        with self._changed:
            if is_news:
                self._pace.news()
            else:
                self._pace.quiet(
                    [view.seconds for view in tasks.values() if view.state is TrialState.RUNNING and view.seconds]
                )
            settling = any(job.stopped is not None or job.stop_state is not None for job in self._jobs.values())
            wait = min(self._pace.seconds, SETTLE_SECONDS / 2) if settling else self._pace.seconds
            self._due = time.monotonic() + wait if self._jobs else None

    def _take(self, job: _Job, view: TaskView) -> bool:
        """Under the lock: act on one Task; False when nothing of it is new."""
        is_new = view.state is not job.state
        summary = repr(view.summary)
        if view.summary.scalars and summary != job.seen:
            job.seen = summary
            self._emit(JobEvent("summary", job.number, view.summary))
            is_new = True
        before, job.state = job.state, view.state
        if view.state is None and job.is_adopted and before is None and job.stop_state is None:
            job.launched = None
            self._to_launch.append(job)
            self._changed.notify_all()
        elif view.state is None:
            job.stopped = None
            if job.stop_state is None or before is not None:
                reason = view.reason if view.reason not in {"", "reset", "reset reset"} else ""
                sentence = "its Task was reset or taken out of the queue on the server" + (reason and f": {reason}")
                self._end(job, Outcome(_stopped(job), error=job.reason or sentence))
        elif view.state is TrialState.QUEUED:
            job.stopped = None
            if before is TrialState.RUNNING:
                self._emit(JobEvent("queued", job.number, None))
        elif view.state is TrialState.RUNNING:
            job.stopped = None
            if is_new and before is not TrialState.RUNNING:
                self._emit(JobEvent("started", job.number, time.time() - (view.seconds or 0.0)))
        elif view.state is TrialState.ABORTED:
            now = time.monotonic()
            job.stopped = job.stopped or now
            if now - job.stopped >= SETTLE_SECONDS or job.exit_code is not None:
                self._finish(
                    job, view, _stopped(job), job.reason or f"its Task was stopped: {view.reason or 'no reason'}"
                )
        elif view.state is TrialState.FAILED:
            self._finish(job, view, TrialState.FAILED, f"its Task failed: {view.reason or 'the server has no reason'}")
        else:
            self._finish(job, view, TrialState.COMPLETED, None)
        return is_new

    def _finish(self, job: _Job, view: TaskView, state: TrialState, error: str | None) -> None:
        seconds = view.seconds or 0.0
        if seconds:
            self._pace.ended(seconds)
        self._end(job, Outcome(state, error=error, duration=seconds))

    def _follow_up(self, job: _Job, view: TaskView) -> None:
        """Say to the server what nobody else will: how a process ended that said nothing, that a worker is gone."""
        if view.state is not TrialState.RUNNING:
            return
        now = time.monotonic()
        if job.exit_code is not None and job.stop_state is None:
            if job.exit_code == 0:
                self._server.call("tasks.completed", task=job.task, status_reason="the process ended")
            else:
                self._server.call(
                    "tasks.failed",
                    task=job.task,
                    force=True,
                    status_reason=f"the process ended with exit code {job.exit_code}",
                )
            self._due = now
        elif job.stop_tried and not job.is_escalated and now - job.stop_wanted > ESCALATION_SECONDS:
            job.is_escalated = True
            self._server.call("tasks.stopped", task=job.task, force=True, status_reason=f"User aborted: {job.reason}")

    def _look_at_queue(self, tasks: Mapping[str, TaskView]) -> None:
        """Tell once when everything waits and nobody serves the queue."""
        now = time.monotonic()
        num_waiting = sum(view.state is TrialState.QUEUED for view in tasks.values())
        if num_waiting < len(tasks) or not num_waiting:
            self._idle_since = now
            self._told_of_queue = False
            return
        if self._told_of_queue or now - self._idle_since < QUEUE_PATIENCE_SECONDS:
            return
        self._told_of_queue = True
        queue = self._template.where.queue
        workers = self._server.call("workers.get_all").get("workers") or ()
        serving = [
            str(worker.get("id"))
            for worker in workers
            if any(served.get("id") == self._launcher.queue_id for served in worker.get("queues") or ())
        ]
        if serving:
            what = f"its workers ({', '.join(serving[:5])}) are busy with other Tasks"
        else:
            what = f"no agent serves it; start one with `clearml-agent daemon --queue {queue}`"
        self._notice(f"{num_waiting} trials wait in the queue {queue!r} and none runs: {what}")


def _stopped(job: _Job) -> TrialState:
    """What a stopped Task counts as."""
    return job.stop_state if job.stop_state is not None else TrialState.ABORTED


def _sentence(error: BaseException) -> str:
    if isinstance(error, RequestFailedError):
        return f"the server refused to launch it: {error}"
    if isinstance(error, (RefusedError, ValueError)):
        return str(error)
    return f"it could not be launched: {type(error).__name__}: {error}"


_ENGINES: weakref.WeakSet[ClearmlEngine] = weakref.WeakSet()


@atexit.register
def _kill_processes() -> None:
    """No process of a trial outlives the process that runs the search."""
    for engine in list(_ENGINES):
        engine.kill_processes()
