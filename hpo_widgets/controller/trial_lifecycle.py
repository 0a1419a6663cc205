"""A trial from its launch to its end: the events of its job, how it is stopped, and how its end is judged."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any, cast

from hpo_widgets._messages import PRUNED
from hpo_widgets.controller.active_trial import ActiveTrial, returned_name
from hpo_widgets.engines.base import has_queue
from hpo_widgets.search import SearchStatus, StopReason
from hpo_widgets.search.limits import SECONDS_A_MINUTE
from hpo_widgets.strategies.base import Observation
from hpo_widgets.trials import NAN, TrialRow, TrialState

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from hpo_widgets.controller.proposals import Proposals
    from hpo_widgets.controller.recorder import Recorder
    from hpo_widgets.controller.state import SearchState
    from hpo_widgets.engines.base import JobEngine, JobEvent, Outcome, Summary
    from hpo_widgets.strategies.base import Proposal

WITHDRAWN = "taken out of the queue: its point lies outside the new ranges"

AGREEMENT_SECONDS = 300.0
"""Seconds that a stopping search waits for a server to confirm that all jobs have ended.

This is longer than a restart of the server takes.
"""


class TrialLifecycle:
    """Launches, follows, stops and ends the trials of one run; belongs to the controller's thread.

    Other threads may read ``stop_reason`` and ``queue``.

    Parameters
    ----------
    state
        Holds the running trials.
    recorder
        Makes their rows durable.
    proposals
        Is told of reports and ends.
    engine
        What runs them.
    tell
        Shows people a notice, given its source and a sentence.
    """

    def __init__(
        self,
        state: SearchState,
        recorder: Recorder,
        proposals: Proposals,
        engine: JobEngine,
        tell: Callable[[str, str], None],
    ) -> None:
        self.queue = engine if has_queue(engine) else None
        """The engine, where it runs trials as jobs of a server."""
        self.stop_reason: StopReason | None = None
        """Why the run is ending; None: it goes on."""
        self.is_handed_over = False
        """Whether another process has taken over the jobs."""
        self.on_began: Callable[[], None] = lambda: None
        """Called when a trial has begun to run."""
        self.record: Callable[[], None] = lambda: None
        """Makes all that was recorded durable."""
        self._stop_asked = 0.0
        """``time.monotonic()`` at which ``stop_reason`` was set."""
        self._state = state
        self._recorder = recorder
        self._proposals = proposals
        self._engine = engine
        self._tell = tell
        self._reported: set[int] = set()
        """Trials that have reported since their rows were refreshed."""

    # Launching -----------------------------------------------------------------------------------

    @property
    def keeps_launches(self) -> bool:
        """Whether a launch is durable before its trial begins, so that none that a kill ended runs a second time."""
        return self.queue is None and self._state.has_long_trials

    def launch(self, point: dict[str, object], encoded: list[float | None], proposal: Proposal | None) -> int:
        """Run a point on a free worker.

        Parameters
        ----------
        point
            Full parameter names to values.
        encoded
            The same point as `Space.encode` gives it.
        proposal
            The strategy's proposal of this point; None: a person enqueued it.

        Returns
        -------
        int
            The trial's number.
        """
        trial = self._add(encoded, proposal, time.monotonic())
        row = trial.row
        if self.queue is not None:
            row.state, row.started = 0, NAN  # TrialState.QUEUED, until an event says that it runs
            self.queue.describe(row)
        if self.keeps_launches:
            self._recorder.change(row)
            self.record()
        row.worker = self._engine.launch(row.number, point)
        self._recorder.change(row)
        self.on_began()
        if trial.is_aborted:  # by a subscriber, when its launch was recorded
            self._engine.abort(row.number, self._state.settings.stop_grace)
        return row.number

    def launched(self, encoded: list[float | None], proposal: Proposal, worker: int, began: float, after: int) -> int:
        """Count a trial that the engine has held and launched.

        Parameters
        ----------
        encoded
            Its point, as `Space.encode` gives it.
        proposal
            The strategy's proposal of this point.
        worker
            Index of its worker.
        began
            ``time.monotonic()`` at its launch.
        after
            The trial that had ended on its worker then; its end is still to be received.

        Returns
        -------
        int
            The trial's number.
        """
        self._state.active[after].ended = began
        row = self._add(encoded, proposal, began).row
        row.worker = worker
        self._recorder.change(row)
        self.on_began()
        return row.number

    def _add(self, encoded: list[float | None], proposal: Proposal | None, began: float) -> ActiveTrial:
        """Add a trial to the active ones, under the next number; ``began`` is a moment of `time.monotonic`."""
        state = self._state
        number = state.num_numbered
        state.num_numbered = number + 1
        state.num_launched += 1
        state.seen.add(tuple(encoded))
        row = TrialRow(
            number,
            1,  # TrialState.RUNNING, spelt as the integer it is stored as: this is the hot path
            state.epochs.number,
            encoded,
            started=time.time() - (time.monotonic() - began),
            enqueued=proposal is None,
        )
        if proposal is not None:
            row.draw = proposal.draw
            state.num_draws = proposal.draw + 1
        if self.queue is None:
            state.clock.active_started[number] = began
        trial = state.active[number] = ActiveTrial(row, proposal, began)
        return trial

    def adopt(self) -> None:
        """Take over the jobs that an earlier process left running."""
        state, queue = self._state, self.queue
        interrupted, state.interrupted = state.interrupted, []
        if queue is None:
            return
        with queue.together():
            for row, job in sorted(interrupted, key=lambda pair: pair[0].number):
                trial = state.active[row.number] = ActiveTrial(row, None, time.monotonic())
                trial.restore(self._state.objectives)
                queue.adopt(row.number, job, state.space.decode(row.parameters))
                self._recorder.change(row)

    def withdraw_outside(self) -> None:
        """End the trials that still wait in a server's queue and whose points the present ranges cannot give.

        Points that people have enqueued stay. Priors say which points come first and exclude none.
        """
        if self.queue is None or self.stop_reason is not None:
            return
        space = self._state.space
        outside = [
            number
            for number, trial in self._state.active.items()
            if trial.row.state == TrialState.QUEUED
            and not trial.row.enqueued
            and not trial.is_aborted
            and not space.contains(space.decode(trial.row.parameters))
        ]
        if outside:
            self.queue.withdraw(outside, WITHDRAWN)

    # What jobs tell ------------------------------------------------------------------------------

    def receive(self, event: JobEvent) -> None:
        """Act on what a job tells of its trial."""
        if event.kind == "ended":
            self._end(event.number, cast("Outcome", event.data))
        elif event.kind == "notice":
            self._tell(*cast("tuple[str, str]", event.data))
        else:
            trial = self._state.active.get(event.number)
            if trial is None:
                return
            if event.kind == "scalar":
                self._take_scalar(event.number, trial, *cast("tuple[str, str, float, int]", event.data))
            elif event.kind == "summary":
                self._take_summary(event.number, trial, cast("Summary", event.data))
            else:
                self._take_change(event, trial)

    def _take_change(self, event: JobEvent, trial: ActiveTrial) -> None:
        """Take in that a worker still loads, or what a server did with a job: made, began or queued it again."""
        row, number = trial.row, event.number
        active_started = self._state.clock.active_started
        if event.kind == "job":
            row.job = cast("str", event.data)
        elif event.kind == "loading":
            active_started.pop(number, None)
        elif event.kind == "queued":
            row.state, row.started = TrialState.QUEUED, NAN
            began = active_started.pop(number, None)
            if began is not None:  # the time of a run that was lost is used all the same
                self._state.clock.compute_done += (time.monotonic() - began) / SECONDS_A_MINUTE
        else:
            started = cast("float", event.data)
            if self.queue is not None:  # a worker of this machine is taken from the launch on, while it loads too
                row.state, row.started = TrialState.RUNNING, started
            active_started[number] = time.monotonic() - max(0.0, time.time() - started)
            self.on_began()
        self._recorder.change(row)

    def _take_summary(self, number: int, trial: ActiveTrial, summary: Summary) -> None:
        objective = self._state.objectives[0]
        key = (objective.title, objective.series)
        before, known = trial.last_iteration, trial.summaries.get(key)
        if not trial.take_summary(summary):
            return
        reported = trial.summaries.get(key)
        if reported is None or reported.is_as_of(known):  # something else was reported
            self._take_progress(number, trial, before, trial.last_iteration, None, is_objective=False)
        else:
            self._take_progress(number, trial, before, reported.last_iteration, reported.last, is_objective=True)

    def _take_scalar(self, number: int, trial: ActiveTrial, title: str, series: str, value: float, at: int) -> None:
        before = trial.last_iteration
        trial.report(title, series, value, at)
        self._recorder.scalar(number, title, series, value, at)
        objectives = self._state.objectives
        is_first = (title, series) == (objectives[0].title, objectives[0].series)
        is_objective = is_first or any((title, series) == (one.title, one.series) for one in objectives[1:])
        self._take_progress(number, trial, before, at, value if is_first else None, is_objective=is_objective)

    def _take_progress(
        self, number: int, trial: ActiveTrial, before: int, at: int, value: float | None, *, is_objective: bool
    ) -> None:
        """Act on the iteration of a report, and on an interim value of the first objective where there is one."""
        state = self._state
        settings = state.settings
        # Less than nothing where a job began anew: the iterations of a run that was lost are not used.
        state.num_iterations += max(trial.last_iteration, 0) - max(before, 0)
        self._recorder.change(trial.row)
        self._reported.add(number)
        if trial.asked_to_stop:
            return
        limit = settings.max_iteration_per_job if self.queue is None else None  # the engine of a queue knows better
        # Other scalars may count another thing, such as batches.
        if limit is not None and is_objective and at >= limit:
            self.ask_stop(number, TrialState.COMPLETED, f"iteration {limit} was reached (max_iteration_per_job)")
        elif value is not None and (settings.min_iteration_per_job is None or at >= settings.min_iteration_per_job):
            self._proposals.report(number, at, value)

    def refresh_rows(self) -> None:
        """Bring the rows of running trials up to their reports, before they are written."""
        if not self._reported:
            return
        active, objectives = self._state.active, self._state.objectives
        for number in self._reported:
            trial = active.get(number)
            if trial is not None:
                self._recorder.change(trial.refresh(objectives))
        self._reported.clear()

    def restate_starts(self) -> None:
        """Recompute the start of each running trial after the time of day was set, so that its age stays right."""
        if self.queue is not None:  # a server has a clock of its own
            return
        now, monotonic = time.time(), time.monotonic()
        for trial in self._state.active.values():
            trial.row.started = now - (monotonic - trial.started)
            self._recorder.change(trial.row)

    # Stopping ------------------------------------------------------------------------------------

    def stop(self, reason: StopReason) -> None:
        """Abort every running trial and launch no more; only the first reason counts."""
        if self.stop_reason is not None:
            return
        self.stop_reason = reason
        self._stop_asked = time.monotonic()
        self._state.status = SearchStatus.STOPPING
        with self.queue.together() if self.queue is not None else contextlib.nullcontext():
            for number in self._state.active:
                self.abort(number, reason.sentence)

    def hand_over(self, reason: StopReason) -> None:
        """Launch no more, and leave the jobs to the process that has taken them over."""
        self.stop_reason = self.stop_reason or reason
        self.is_handed_over = True
        self._state.status = SearchStatus.STOPPING

    def abort(self, number: int, sentence: str) -> None:
        """End a trial; the sentence becomes its error.

        Parameters
        ----------
        number
            The trial's number.
        sentence
            Why; becomes the trial's error.
        """
        trial = self._state.active[number]
        trial.end_reason = sentence
        trial.is_aborted = True
        if self.queue is not None:
            self.queue.give_reason(number, sentence)
        self._engine.abort(number, self._state.settings.stop_grace)

    def ask_stop(self, number: int, state: TrialState, sentence: str) -> None:
        """Ask a trial to end by itself, once, to be counted as ``state``.

        Parameters
        ----------
        number
            Its number.
        state
            What it counts as.
        sentence
            Why, for a server's records.
        """
        self._state.active[number].asked_to_stop = True
        if self.queue is not None:
            self.queue.give_reason(number, sentence)
        self._engine.ask_stop(number, state)

    def prune(self, numbers: Iterable[int]) -> None:
        """Ask the trials that the pruner has given up to end."""
        for number in numbers:
            trial = self._state.active.get(number)
            if trial is not None and not trial.asked_to_stop:
                trial.end_reason = PRUNED
                self.ask_stop(number, TrialState.PRUNED, trial.end_reason)

    def has_sent_all(self) -> bool:
        """Whether the run is ending and a server has been sent every abort of it."""
        return self.stop_reason is not None and self.queue is not None and self.queue.has_sent_aborts()

    def has_waited_long_enough(self) -> bool:
        """Whether the run is ending, and a server has not confirmed the end of all jobs in `AGREEMENT_SECONDS`."""
        return (
            self.stop_reason is not None
            and self.queue is not None
            and time.monotonic() - self._stop_asked > AGREEMENT_SECONDS
        )

    # Ends ----------------------------------------------------------------------------------------

    def _end(self, number: int, outcome: Outcome) -> None:
        """Judge a trial whose job has ended, and stop the search where `StopConditions` says so."""
        search = self._state
        trial = search.active[number]
        objectives = search.objectives
        state = outcome.state
        error = outcome.error
        had_reports = bool(trial.summaries)
        lacks_objective = False
        wrong = trial.take_result(outcome.result, objectives)
        if had_reports and outcome.result is not None and wrong is None:
            self._record_result(number, trial, outcome.result)
        trial.refresh(objectives)
        if state == TrialState.COMPLETED:
            error = wrong or trial.validate_objectives(objectives, outcome.error)
            if error is not None:
                state = TrialState.FAILED
                lacks_objective = wrong is None and not trial.has_values
        elif state != TrialState.FAILED:
            error = trial.end_reason or error
        if outcome.stdout or outcome.stderr or outcome.traceback:
            self._recorder.output(number, outcome.stdout, outcome.stderr, outcome.traceback or "")
        self._finish(number, trial, state, error, outcome.duration)
        if state != TrialState.FAILED and trial.has_values:
            search.stop_conditions.has_objective = True
        conditions = search.stop_conditions
        had_reason = conditions.why_none_launched is not None
        reason = conditions.after_trial(
            state,
            error,
            launch_failed=outcome.launch_failed,
            without_objective=lacks_objective,
            stopped_elsewhere=outcome.ended_elsewhere and trial.row.never_ran,
        )
        if reason is not None:
            self.stop(reason)
        if conditions.why_none_launched is not None and not had_reason and self.stop_reason is None:
            more = "no further one is launched; the search ends after those that are left"
            self._tell("search", f"{conditions.why_none_launched.sentence}; {more}")

    def abandon(self, sentence: str) -> None:
        """Mark as aborted the trials that are left once the engine is closed, which only an error leaves."""
        for number, trial in list(self._state.active.items()):
            trial.refresh(self._state.objectives)
            self._finish(number, trial, TrialState.ABORTED, sentence)

    def leave(self, may_go_on: Collection[int]) -> list[TrialRow]:
        """Leave the trials whose jobs may go on to the next run, which takes them over; returns their rows."""
        search = self._state
        left = []
        for number, trial in sorted(search.active.items()):
            job = trial.row.job
            if job is not None and number in may_go_on:
                row = trial.refresh(search.objectives)
                search.interrupted.append((row, job))
                search.clock.active_started.pop(number, None)
                self._recorder.change(row)
                left.append(row)
        for row in left:
            del search.active[row.number]
        return left

    def _record_result(self, number: int, trial: ActiveTrial, result: Any) -> None:
        """Record a returned value as the last point of its curve."""
        first = self._state.objectives[0]
        values = result if isinstance(result, dict) else {first.key: result}
        for key, value in values.items():
            title, series = returned_name(key, self._state.objectives)
            self._recorder.scalar(number, title, series, float(value), max(trial.last_iteration, 0))

    def _finish(
        self, number: int, trial: ActiveTrial, state: TrialState, error: str | None, measured: float = 0.0
    ) -> None:
        """Remove an ended trial from the active ones and record its row; ``measured``: seconds by its engine, or 0."""
        search, proposals = self._state, self._proposals
        del search.active[number]
        search.num_failed += state == TrialState.FAILED
        now = time.monotonic() if trial.ended is None else trial.ended
        began = search.clock.active_started.pop(number, None)
        duration = None if began is None else now - began
        if self.queue is not None:
            duration = measured or duration
        elif duration is None:
            duration = 0.0  # its worker still loaded
        elif measured > duration:
            # This thread was busy when it began. The number comes from its own process, so it is bounded by the launch.
            duration = min(measured, now - trial.started)
        search.clock.compute_done += (duration or 0.0) / SECONDS_A_MINUTE
        if duration and state != TrialState.ABORTED:  # how long an aborted one would have taken, nobody knows
            search.took(duration)
        row = trial.finish(state, time.time(), error, duration)
        if row.never_ran:
            search.forget_launch(row)
        if self.queue is None:
            row.ended = row.started + now - trial.started  # what its worker loaded is no part of its duration
        self._recorder.ended(row)
        if proposals.wants_observations:
            proposals.tell(Observation.of(row, search.space))
