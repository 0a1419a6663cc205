"""The thread that looks at the Tasks of all active trials, and what a look means for each of them."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from hpo_widgets.engines.base import JobEvent, Outcome
from hpo_widgets.engines.clearml import local_jobs
from hpo_widgets.engines.clearml.reading import (
    POLL_FIELDS,
    TaskView,
    UnreadableTaskError,
    cause_of_failure,
    read_iterations,
    read_task,
)
from hpo_widgets.engines.clearml.server import ClearmlError, RefusedError
from hpo_widgets.engines.clearml.silence import SilenceWatch
from hpo_widgets.engines.clearml.values import difference, fields_of
from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from hpo_widgets.engines.clearml.abort_thread import AbortThread
    from hpo_widgets.engines.clearml.active_jobs import ActiveJob, ActiveJobs
    from hpo_widgets.engines.clearml.server import Availability, Server
    from hpo_widgets.objectives import Objective
    from hpo_widgets.space import Space

logger = logging.getLogger("hpo_widgets")

SETTLE_SECONDS = 1.0
"""Seconds before a stop, a draft or a Task that is not found counts.

A stopped Task may still complete, a draft may be about to be deleted, and one answer may lack a Task that runs.
"""

PATIENCE_SECONDS = 60.0
"""Seconds for which all trials wait in the queue before the server is asked which agents serve it."""

_PROCESS_SECONDS = 0.1
"""Seconds at least between two passes over all jobs to check processes of this machine, which asks no server."""

ESCALATION_SECONDS = 10.0
"""Seconds after which a Task that was asked to stop and still runs is marked as stopped."""

_NO_ITERATIONS = "the iterations at which trials have last reported objectives cannot be read"


class _TaskNews:
    """Turns what the server says of Tasks into events and ends of their trials; used by the poller's thread alone.

    Parameters
    ----------
    stop
        Called under the lock after a job's ``stop_state`` was set.
    """

    def __init__(self, jobs: ActiveJobs, space: Space, stop: Callable[[], None]) -> None:
        self._jobs = jobs
        self._stop = stop
        self.fields = fields_of(space.names)
        """The fields of a Task that hold the values it was given."""

    def take(self, job: ActiveJob, view: TaskView | None) -> bool:
        """Under the lock: act on what the server says of one Task; False when nothing of it is new."""
        if view is None:
            return self._take_missing(job)
        job.missing = None
        before, job.state = job.state, view.state
        is_new = is_changed = view.state is not before
        if _was_put_back(job, view):
            self._jobs.emit(JobEvent("queued", job.number, None))
            job.has_begun, is_new = False, True
        if repr(view.summary) != job.seen:
            job.seen = repr(view.summary)
            self._jobs.emit(JobEvent("summary", job.number, view.summary))
            is_new = True
        if is_changed:
            job.unsettled = None
        if job.is_held and view.state is not None:  # somebody else has sent it
            self._jobs.let_go(job)
        if view.state is TrialState.QUEUED and is_new and self._jobs.is_paused:
            self._jobs.take_out([job])
        if view.state is None:
            self._take_draft(job, view, before)
        elif view.state is TrialState.RUNNING and (before is not TrialState.RUNNING or not job.has_begun):
            job.has_begun, job.started = True, view.started
            self._jobs.emit(JobEvent("started", job.number, time.time() - (view.seconds or 0.0)))
        elif view.state is TrialState.ABORTED:
            self._take_stopped(job, view)
        elif view.state is TrialState.FAILED:
            self._finish(job, view, TrialState.FAILED, view.reason)
        elif view.state is TrialState.COMPLETED:
            self._take_completed(job, view)
        if view.state in {TrialState.QUEUED, TrialState.RUNNING} and job.stop_state is None:
            self._stop_if_changed(job, view)
        return is_new

    def _take_missing(self, job: ActiveJob) -> bool:
        """A Task that an answer lacks may run: it was deleted if it had stopped, or the next second's lack it, too."""
        now = time.monotonic()
        job.missing = job.missing or now
        if job.unsettled is None and now - job.missing < SETTLE_SECONDS:
            return False
        self._end(job, job.ended_as, "its Task was deleted on the server")
        return True

    def _take_draft(self, job: ActiveJob, view: TaskView, before: TrialState | None) -> None:
        """A Task that waits in no queue: it was never enqueued, or was taken out of its queue, by a person or here."""
        if job.stop_state is None and (job.is_held or job.is_coming_out):
            return
        if job.stop_state is not None and not job.is_stop_answered:  # nobody would stop the Task after its trial's end
            return
        if job.is_adopted and before is None and job.unsettled is None and job.stop_state is None:
            self._jobs.hold([job])
        elif (job.stop_state is None or before is not None or job.unsettled is not None) and self._has_settled(job):
            reason = view.reason if view.reason not in {"", "reset", "reset reset"} else ""
            sentence = "its Task was reset or taken out of the queue on the server" + (reason and f": {reason}")
            self._end(job, job.ended_as, sentence)

    def _has_settled(self, job: ActiveJob) -> bool:
        """Whether a Task has been stopped, or a draft, for so long that it is not just completing or being deleted."""
        now = time.monotonic()
        job.unsettled = job.unsettled or now
        return now - job.unsettled >= SETTLE_SECONDS

    def _take_stopped(self, job: ActiveJob, view: TaskView) -> None:
        if self._has_settled(job) or job.exit_code is not None:
            self._finish(job, view, job.ended_as, f"its Task was stopped: {view.reason or 'no reason'}")

    def _take_completed(self, job: ActiveJob, view: TaskView) -> None:
        changed = difference(job.point, view.values)
        if changed is None:
            self._finish(job, view, TrialState.COMPLETED)
        else:
            self._finish(job, view, TrialState.FAILED, changed)

    def _stop_if_changed(self, job: ActiveJob, view: TaskView) -> None:
        """Stop a Task whose values were edited: what it reports is not the result of the trial's point."""
        changed = difference(job.point, view.values)
        if changed is not None:
            job.reason, job.stop_state, job.stop_wanted = changed, TrialState.FAILED, time.monotonic()
            self._stop()

    def _finish(self, job: ActiveJob, view: TaskView, state: TrialState, error: str | None = None) -> None:
        seconds = view.seconds or 0.0
        if seconds:
            self._jobs.pace.ended(seconds)
        self._end(job, state, error, seconds)

    def _end(self, job: ActiveJob, state: TrialState, error: str | None, seconds: float = 0.0) -> None:
        """End a trial; who asked for its stop has said why, else the server does."""
        if state is not TrialState.FAILED or job.stop_state is TrialState.FAILED:
            error = error and (job.reason or error)
        self._jobs.end(job, Outcome(state, error=error, duration=seconds, ended_elsewhere=job.stop_state is None))


def _was_put_back(job: ActiveJob, view: TaskView) -> bool:
    """Whether a Task has waited in a queue since it was seen running, also where no look has seen it wait."""
    if not job.has_begun:
        return False
    if view.state is TrialState.QUEUED:
        return True
    return job.started is not None and view.started is not None and view.started > job.started


class SideRequests:
    """Keeps what fails beside the look at all Tasks from ending it; used by the poller's thread alone.

    A server that is away ends a look, whatever was asked of it.

    Parameters
    ----------
    tell
        Called with a sentence about what the server does not allow (403), which it will not with the next look either.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._told: set[str] = set()

    @contextmanager
    def may_fail(self, consequence: str) -> Iterator[None]:
        """Go on after this context where a request in it fails; people are told once of each consequence."""
        try:
            yield
        except ClearmlError as error:
            if error.is_away:
                raise
            logger.debug("clearml: %s", error)
            if isinstance(error, RefusedError) and consequence not in self._told:
                self._told.add(consequence)
                self._tell(f"{consequence}: {error}")


class ObjectiveIterations:
    """Finds the iterations at which Tasks have last reported their objectives; used by the poller's thread alone.

    The server keeps no iteration with the last value of a scalar; only the curve tells. It is asked for when an
    objective was reported since and the strategy wants to know, and else once a Task has completed, where its highest
    iteration may be that of another scalar.

    Parameters
    ----------
    objectives
        What is optimised.
    are_wanted
        Returns whether the strategy compares trials by them.
    limit
        ``max_iteration_per_job``, the last iteration that is allowed. Default: there is none.
    tell
        See `SideRequests`. Default: nobody is told.
    """

    def __init__(
        self,
        server: Server,
        objectives: Sequence[Objective],
        are_wanted: Callable[[], bool],
        limit: int | None = None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.limit = limit
        self._side = SideRequests(tell)
        self._server = server
        self._are_wanted = are_wanted
        self._keys = [(objective.title, objective.series) for objective in objectives]
        self._last = [(one.title, one.series) for one in objectives if not one.is_global]
        self._found: dict[str, tuple[str, dict[tuple[str, str], tuple[int, int]]]] = {}
        """Task to the reports of its objectives when its curves were asked for, and what these told."""

    def reported(self, view: TaskView) -> dict[tuple[str, str], Sequence[float]]:
        """What a Task has reported of its objectives, as in its summary."""
        scalars = view.summary.scalars
        return {key: scalars[key] for key in self._keys if key in scalars}

    def keep_only(self, tasks: Collection[str]) -> None:
        """Forget what was found of all other Tasks."""
        self._found = {task: found for task, found in self._found.items() if task in tasks}

    def newest(self, view: TaskView) -> list[int]:
        """The last iterations of a Task's objectives, which may be later than the values of the view."""
        return [newest for _, newest in self._of(view).values()]

    def _of(self, view: TaskView) -> dict[tuple[str, str], tuple[int, int]]:
        """The iterations of a Task's objectives, as of `read_iterations`."""
        reported = self.reported(view)
        if not reported:
            return {}
        # The last value and the number of reports, by repr, because a NaN is not equal to itself.
        reports = repr([(entry[0], entry[-1]) for entry in reported.values()])
        known, iterations = self._found.get(view.id, ("", {}))
        if known != reports:
            metrics = [{"metric": title, "variants": [series]} for title, series in reported]
            body = {"task": view.id, "key": "iter", "metrics": metrics}
            curves = self._server.call("events.scalar_metrics_iter_histogram", **body)
            iterations = read_iterations(view.id, curves, {key: entry[0] for key, entry in reported.items()})
            self._found[view.id] = (reports, iterations)  # not before: what got lost is asked again
        return iterations

    def _is_unsure(self, view: TaskView) -> bool:
        """Whether an objective's last value counts, and may have been reported before the Task's highest iteration.

        One that was reported as often as there are iterations was reported at each; one whose least or
        greatest value is at the highest, there.
        """
        reported, last = self.reported(view), view.summary.last_iteration
        ends = [reported[key] for key in self._last if key in reported]
        return any(0 <= max(entry[3], entry[5]) < last and entry[-1] <= last for entry in ends)

    def is_limit_exceeded(self, view: TaskView) -> bool:
        """Whether a Task has reported an objective beyond the limit.

        What counts is the iteration of the objectives, as in the SDK. A Task that reports at the limit itself ends by
        itself, with all that it uploads after its last scalar; one that reports an objective later is to be stopped.
        """
        limit = self.limit
        if limit is None or view.summary.last_iteration <= limit:
            return False
        reported = self.reported(view).values()
        if any(max(least_at, greatest_at) > limit for _, _, _, least_at, _, greatest_at, _ in reported):
            return True
        newest: list[int] = []
        with self._side.may_fail(_NO_ITERATIONS):
            newest = self.newest(view)
        return any(iteration > limit for iteration in newest)

    def written_into(self, view: TaskView) -> TaskView:
        """The same view with the iterations of its values instead of the Task's highest, where these are asked for."""
        if not self._are_wanted() and not (view.state is TrialState.COMPLETED and self._is_unsure(view)):
            return view
        iterations: dict[tuple[str, str], tuple[int, int]] = {}
        with self._side.may_fail(_NO_ITERATIONS):
            iterations = self._of(view)
        scalars = dict(view.summary.scalars)
        for key, (iteration, _) in iterations.items():
            scalars[key] = [scalars[key][0], iteration, *scalars[key][2:]]
        return replace(view, summary=view.summary._replace(scalars=scalars))


class QueueWatch:
    """Tells people, once each time, that all trials wait in the queue and why; used by the poller's thread alone.

    Parameters
    ----------
    tell
        Called with a sentence.
    """

    def __init__(self, server: Server, queue: str, tell: Callable[[str], None]) -> None:
        self._server = server
        self._queue = queue
        self._tell = tell
        self._idle_since: float | None = None
        self._has_told = False

    def look(self, views: Collection[TaskView]) -> None:
        """Take note of what all active Tasks are doing."""
        if not views or any(view.state is not TrialState.QUEUED for view in views):
            self._idle_since = None
            self._has_told = False
            return
        now = time.monotonic()
        self._idle_since = self._idle_since or now
        if not self._has_told and now - self._idle_since >= PATIENCE_SECONDS:
            self._has_told = True
            waiting = f"{len(views)} wait{'s' if len(views) == 1 else ''}"
            self._tell(f"no trial runs and {waiting} in the queue {self._queue!r}: {self._why()}")

    def _why(self) -> str:
        try:
            serving = self._server.workers_of(self._queue)
        except ClearmlError as error:  # keys may be allowed Tasks and not workers, which is no reason to look no more
            return f"its agents could not be looked up: {error}"
        if serving:
            return f"its workers ({', '.join(serving[:5])}) are busy with other Tasks"
        return f"no agent serves it; start one with `clearml-agent daemon --queue {self._queue}`"


class PollThread(threading.Thread):
    """Follows Tasks until they end; `_TaskNews` turns what is new of one into events."""

    def __init__(
        self,
        jobs: ActiveJobs,
        server: Server,
        availability: Availability,
        aborts: AbortThread,
        queue: QueueWatch,
        iterations: ObjectiveIterations,
        space: Space,
    ) -> None:
        super().__init__(name="hpo_widgets poller", daemon=True)
        self._jobs = jobs
        self._server = server
        self._availability = availability
        self._aborts = aborts
        self._queue = queue
        self._silence = SilenceWatch(jobs.notice)
        self._side = SideRequests(jobs.notice)
        self._iterations = iterations
        self._news = _TaskNews(jobs, space, aborts.start)
        self._fields = [*POLL_FIELDS, *self._news.fields]
        self._unreadable: set[str] = set()
        """Tasks of which nothing could be read with the last look."""
        self._not_before = 0.0
        """``time.monotonic()`` before which this thread goes through all jobs only when a look is due."""
        self._is_put_off = False
        """Whether something has happened since it last went through them."""
        self._has_processes = False
        """Whether some of them were processes of this machine then."""

    def run(self) -> None:
        """Look at the server when it is time, until the jobs are closed."""
        jobs, pace = self._jobs, self._jobs.pace
        while True:
            with jobs.changed:
                if not jobs.is_closed:  # it may have been closed during the last look
                    jobs.changed.wait(self._seconds_to_next())
                if jobs.is_closed:
                    return
                if not self._may_go_through():
                    continue
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
                self._silence.forget()
                seconds = self._availability.failed(error)
                with jobs.changed:
                    pace.look_in(seconds)
            except Exception:
                logger.exception("clearml: an answer of the server could not be read")
                with jobs.changed:
                    pace.look_in(pace.seconds)

    def _may_go_through(self) -> bool:
        """Under the lock: whether to go through all jobs now.

        Every launch and every end wakes this thread. Going through all jobs each time would cost the square of their
        number, so it is done when a look is due, and else ten times a second at most.
        """
        now, due = time.monotonic(), self._jobs.pace.due
        if now < self._not_before and (due is None or now < due):
            self._is_put_off = True
            return False
        self._not_before, self._is_put_off = now + _PROCESS_SECONDS, False
        jobs = self._jobs.by_number.values()
        self._has_processes = any(local_jobs.process_of(job.job) is not None for job in jobs)
        return True

    def _seconds_to_next(self) -> float | None:
        """Under the lock: how long to sleep unless something happens; None: for ever."""
        moments = [moment for moment in (self._jobs.pace.due,) if moment is not None]
        if self._is_put_off or (moments and self._has_processes):
            moments.append(self._not_before)
        return max(0.0, min(moments) - time.monotonic()) if moments else None

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
        self._iterations.keep_only(followed)
        views, unreadable = self._views(list(followed))
        is_news = is_pressing = False
        for task, job in followed.items():
            if job.launched is None or job.launched > asked or task in unreadable:
                continue
            try:
                has_news, presses = self._act_on(task, job, views.get(task))
            except ClearmlError:
                raise
            except Exception as error:  # whatever it is about one Task, the others are followed
                logger.debug("clearml: Task %s", task, exc_info=True)
                unreadable[task] = UnreadableTaskError(task, error)
                continue
            is_news |= has_news
            is_pressing |= presses
        self._tell_unreadable(unreadable)
        self._queue.look(views.values())
        of_agents = {task: job for task, job in followed.items() if local_jobs.process_of(job.job) is None}
        self._silence.look({job.number: views[task] for task, job in of_agents.items() if task in views})
        with self._jobs.changed:
            self._plan(views.values(), is_news=is_news, is_pressing=is_pressing)

    def _act_on(self, task: str, job: ActiveJob, view: TaskView | None) -> tuple[bool, bool]:
        """Act on what is new of one Task; returns whether anything is, and whether to look again at once."""
        if view is not None:
            view = self._iterations.written_into(view)
            if view.state is TrialState.ABORTED:
                self._write_reason(job, view)
            elif view.state is TrialState.FAILED:
                view = self._why_failed(view)
        with self._jobs.changed:
            if job.number not in self._jobs.by_number:
                return False, False
            is_news = self._news.take(job, view)
        if view is not None and view.state is TrialState.RUNNING:
            return is_news, self._follow_up(task, job) or self._stop_if_beyond_limit(job, view)
        if view is None or view.state in {None, TrialState.ABORTED}:
            self._end_process(job)
        return is_news, False

    def _views(self, tasks: list[str]) -> tuple[dict[str, TaskView], dict[str, UnreadableTaskError]]:
        """Return what is said of Tasks, and those of which nothing can be read, which keep the state that they have."""
        views: dict[str, TaskView] = {}
        unreadable: dict[str, UnreadableTaskError] = {}
        for said in self._server.tasks(tasks, self._fields):
            try:
                view = read_task(said)
            except UnreadableTaskError as error:
                if error.task_id is None:
                    raise
                unreadable[error.task_id] = error
            else:
                other = views.setdefault(view.id, view)
                if other.state is not view.state:
                    states = " and as ".join("draft" if one.state is None else one.state.label for one in (other, view))
                    problem = ValueError(f"one answer names it twice, as {states}")
                    unreadable[view.id] = UnreadableTaskError(view.id, problem)
        return views, unreadable

    def _tell_unreadable(self, unreadable: Mapping[str, UnreadableTaskError]) -> None:
        """Tell of the Tasks that could be read with the last look and cannot be any more."""
        for task, error in unreadable.items():
            if task not in self._unreadable:
                self._jobs.notice(str(error))
        self._unreadable = set(unreadable)

    def _end_process(self, job: ActiveJob) -> None:
        """End the process of a trial whose Task somebody has stopped or taken away."""
        with self._jobs.changed:
            has_ended = job.number not in self._jobs.by_number
        if has_ended:
            local_jobs.kill(job.job)

    def _why_failed(self, view: TaskView) -> TaskView:
        """The same view, whose reason begins with what the Task's console ends with."""
        reason = view.reason or "the server gives no reason"
        cause = cause_of_failure(self._server, view.id)
        return replace(view, reason=f"{cause} ({reason})" if cause else reason)

    def _write_reason(self, job: ActiveJob, view: TaskView) -> None:
        """Write once more why a Task was stopped: an agent replaces the reason by words of its own."""
        if job.stop_state is None or not job.reason or job.is_reason_written or job.reason in view.reason:
            return
        with self._side.may_fail("why trials were stopped cannot be written into their Tasks"):
            self._aborts.mark_stopped(view.id, job.reason)
        job.is_reason_written = True  # not before: what got lost is written with the next look

    def _follow_up(self, task: str, job: ActiveJob) -> bool:
        """Tell the server what no agent will: that a local process has ended, or that a Task does not obey its stop.

        Returns whether something was sent, so that the next look has to come at once.
        """
        is_gone = job.stop_tried and time.monotonic() - job.stop_wanted > ESCALATION_SECONDS
        was_sent = False  # where it fails, the Task has changed since the look; the next one tells, in its own time
        if job.exit_code is not None and job.stop_state is None:
            with self._side.may_fail("how processes have ended cannot be written into their Tasks"):
                self._tell_exit(task, job.exit_code)
                was_sent = True
        elif is_gone and not job.is_escalated:
            with self._side.may_fail("Tasks that go on after their stop cannot be marked as stopped"):
                self._aborts.mark_stopped(task, job.reason)
                was_sent = job.is_escalated = True  # not before: what got lost is said again
        return was_sent

    def _stop_if_beyond_limit(self, job: ActiveJob, view: TaskView) -> bool:
        """Have a Task stopped that went beyond ``max_iteration_per_job``; returns whether it was."""
        if job.stop_state is not None or not self._iterations.is_limit_exceeded(view):
            return False
        with self._jobs.changed:
            if job.stop_state is None:
                job.reason = f"it went beyond iteration {self._iterations.limit} (max_iteration_per_job)"
                job.stop_state, job.stop_wanted = TrialState.ABORTED, time.monotonic()
                self._aborts.start()
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
        elif any(job.is_unsettled for job in active):
            pace.look_in(min(pace.seconds, SETTLE_SECONDS / 2))
        else:
            pace.look_in(pace.seconds)
