"""What is new of a Task since the last look, and what it means for its trial."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hpo_widgets.engines.base import JobEvent, Outcome
from hpo_widgets.engines.clearml.values import full_name, is_same, split_name, text_of
from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from collections.abc import Callable

    from hpo_widgets.engines.clearml.active_jobs import ActiveJob, ActiveJobs
    from hpo_widgets.engines.clearml.reading import TaskView
    from hpo_widgets.space import Space

SETTLE_SECONDS = 1.0
"""An abort counts once the Task has been stopped for so long: a trial that was just completing may still say so."""


class TaskNews:
    """Turns what the server says of Tasks into events and ends of their trials; used by the poller's thread alone.

    Parameters
    ----------
    stop
        Called under the lock after a job's ``stop_state`` was set.
    """

    def __init__(self, jobs: ActiveJobs, space: Space, stop: Callable[[], None]) -> None:
        self._jobs = jobs
        self._stop = stop
        sections = {split_name(name)[0] for name in space.names}
        # A dot would part the name of a field.
        can_be_named = not any("." in section for section in sections)
        self.fields = sorted(f"hyperparams.{section}" for section in sections) if can_be_named else ["hyperparams"]
        """The fields of a Task that hold the values it was given."""

    def take(self, job: ActiveJob, view: TaskView | None) -> bool:
        """Under the lock: act on what the server says of one Task; False when nothing of it is new."""
        if view is None:
            self._end(job, job.ended_as, "its Task was deleted on the server")
            return True
        before, job.state = job.state, view.state
        is_new = view.state is not before
        if view.summary.scalars and repr(view.summary) != job.seen:
            job.seen = repr(view.summary)
            self._jobs.emit(JobEvent("summary", job.number, view.summary))
            is_new = True
        if view.state is not TrialState.ABORTED:
            job.stopped = None
        if view.state is None:
            self._take_draft(job, view, before)
        elif view.state is TrialState.QUEUED and before is TrialState.RUNNING:
            self._jobs.emit(JobEvent("queued", job.number, None))
        elif view.state is TrialState.RUNNING and before is not TrialState.RUNNING:
            self._jobs.emit(JobEvent("started", job.number, time.time() - (view.seconds or 0.0)))
        elif view.state is TrialState.ABORTED:
            self._take_stopped(job, view)
        elif view.state is TrialState.FAILED:
            self._finish(job, view, TrialState.FAILED, f"its Task failed: {view.reason or 'the server has no reason'}")
        elif view.state is TrialState.COMPLETED:
            self._take_completed(job, view)
        if view.state in {TrialState.QUEUED, TrialState.RUNNING} and job.stop_state is None:
            self._stop_if_changed(job, view)
        return is_new

    def _take_draft(self, job: ActiveJob, view: TaskView, before: TrialState | None) -> None:
        """A Task that waits in no queue: it was never sent on its way, or somebody has taken it back."""
        if job.is_adopted and before is None and job.stop_state is None:
            job.launched = None
            self._jobs.have_launched(job)
        elif job.stop_state is None or before is not None:
            reason = view.reason if view.reason not in {"", "reset", "reset reset"} else ""
            sentence = "its Task was reset or taken out of the queue on the server" + (reason and f": {reason}")
            self._end(job, job.ended_as, sentence)

    def _take_stopped(self, job: ActiveJob, view: TaskView) -> None:
        now = time.monotonic()
        job.stopped = job.stopped or now
        if now - job.stopped >= SETTLE_SECONDS or job.exit_code is not None:
            self._finish(job, view, job.ended_as, f"its Task was stopped: {view.reason or 'no reason'}")

    def _take_completed(self, job: ActiveJob, view: TaskView) -> None:
        changed = _difference(job, view)
        if changed is None:
            self._finish(job, view, TrialState.COMPLETED)
        else:
            self._finish(job, view, TrialState.FAILED, changed)

    def _stop_if_changed(self, job: ActiveJob, view: TaskView) -> None:
        """What a Task with other values than the trial's reports is not that point's result."""
        changed = _difference(job, view)
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
        self._jobs.end(job, Outcome(state, error=error, duration=seconds))


def _difference(job: ActiveJob, view: TaskView) -> str | None:
    """What is not the trial's in the values of a Task, in words; None: nothing."""
    for name, value in job.point.items():
        own = full_name(name)
        text = view.values.get(own)
        if text is not None and not is_same(text, value):
            return f"its Task was edited on the server: {own} is {text!r} there and not {text_of(value)!r}"
    return None
