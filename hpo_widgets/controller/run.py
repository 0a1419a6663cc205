"""One run of a search, turn by turn: what is due by the clock, launches, what jobs tell, and why it is over."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

from hpo_widgets.active_trial import ActiveTrial
from hpo_widgets.controller.stopping import Stopping
from hpo_widgets.controller.timetable import Timetable
from hpo_widgets.history import History, observation_of
from hpo_widgets.jobs.base import QueueEngine
from hpo_widgets.limits import SECONDS_A_MINUTE
from hpo_widgets.trials import NAN, TrialRow, TrialState

if TYPE_CHECKING:
    from collections.abc import Callable

    from hpo_widgets.controller.calls_due import CallsDue
    from hpo_widgets.controller.proposals import Proposals
    from hpo_widgets.controller.state import SearchState
    from hpo_widgets.jobs.base import JobEngine, JobEvent, Outcome, Summary
    from hpo_widgets.recorder import Recorder
    from hpo_widgets.search import StopReason


class Run:
    """From the first launch to the last end; belongs to the controller's thread.

    Other threads may read ``queue`` and ``stopping.reason``.

    Parameters
    ----------
    engine
        What runs the trials; who made it closes it.
    tell
        Tells people a sentence, after its source.
    """

    def __init__(
        self,
        state: SearchState,
        recorder: Recorder,
        calls: CallsDue,
        engine: JobEngine,
        proposals: Proposals,
        tell: Callable[[str, str], None],
    ) -> None:
        self.engine = engine
        self.queue = engine if isinstance(engine, QueueEngine) else None
        """The engine, where it runs trials as jobs of a server."""
        self.stopping = Stopping(state, engine, self.queue)
        self.timetable = Timetable(state, recorder, self.stopping)
        self._state = state
        self._recorder = recorder
        self._calls = calls
        self._proposals = proposals
        self._tell = tell
        self._dirty: set[int] = set()

    def open(self) -> None:
        """Take over what an earlier process left running, and have the strategy begin."""
        self._adopt()
        self.begin_epoch()

    def step(self) -> StopReason | None:
        """One turn: act on what waits, then sleep until something happens; the reason ends the run."""
        state, recorder, timetable = self._state, self._recorder, self.timetable
        self.stopping.prune(self._proposals.take_prunes())
        now = time.monotonic()
        if now >= timetable.next_look:
            timetable.look(now)
        if self.stopping.reason is None and not state.is_paused:
            self._launch()
            if timetable.next_look <= 0:
                timetable.look(now)
        if not state.active:
            reason = self.stopping.reason or self._why_no_more()
            if reason is not None:
                return reason
        due, now = recorder.due, time.monotonic()
        if due is not None and now >= due:
            # Only after the launch: no free worker waits for the commit of what it did before.
            self._flush()
            due, now = recorder.due, time.monotonic()
        until = timetable.next_look if due is None else min(timetable.next_look, due)
        for event in self.engine.wait(max(0.0, until - now)):
            if event.kind == "ended":
                self._ended(event.number, cast("Outcome", event.data))
            elif event.kind == "scalar":
                self._scalar(event)
            else:
                self._job_event(event)
        return None

    def close(self, reason: StopReason) -> None:
        """Let go of the strategy, and end in the rows what the engine has ended by its close."""
        self._proposals.close()
        for number, trial in list(self._state.active.items()):
            # Only an error leaves trials behind; their workers are gone now.
            trial.refresh(self._state.objectives)
            self._finish(number, trial, TrialState.ABORTED, reason.sentence)

    def _flush(self) -> None:
        """Make everything durable, and then known."""
        for number in self._dirty:
            trial = self._state.active.get(number)
            if trial is not None:
                self._recorder.change(trial.refresh(self._state.objectives))
        self._dirty.clear()
        self._recorder.flush()
        self._calls.hand_over()

    # Launching -----------------------------------------------------------------------------------

    def _launch(self) -> None:
        """Give every free worker a trial; a worker gets one only when it is free."""
        limit = self._state.settings.total_max_jobs
        proposals = self._proposals
        num_free = min(
            self.engine.free(), self._state.settings.max_number_of_concurrent_tasks - len(self._state.active)
        )
        while num_free > 0 and (limit is None or self._state.num_launched < limit):
            if self._state.waiting_by_hand:
                point = self._state.waiting_by_hand.popleft()
                self._launch_point(point, self._state.space.encode(point), None)
            else:
                drawn = proposals.next()
                if drawn is None:
                    return
                proposal, encoded = drawn
                number = self._state.num_numbered
                self._launch_point(proposal.point, encoded, proposal)
                proposals.launched(proposal, number)
            num_free -= 1

    def _launch_point(
        self,
        point: dict[str, object],
        encoded: list[float | None],
        proposal: Any,
    ) -> None:
        number = self._state.num_numbered
        self._state.num_numbered = number + 1
        self._state.num_launched += 1
        self._state.seen.add(tuple(encoded))
        now = time.monotonic()
        row = TrialRow(
            number,
            1,  # TrialState.RUNNING, spelt as the integer it is stored as: this is the hot path
            self._state.epochs.number,
            encoded,
            started=time.time(),
            manual=proposal is None,
        )
        if proposal is not None:
            row.draw = proposal.draw
            self._state.num_draws = proposal.draw + 1
        self._state.active[number] = ActiveTrial(row, proposal, now)
        if self.queue is None:
            self._state.clock.active_started[number] = now
        else:
            row.state, row.started = 0, NAN  # TrialState.QUEUED, until an event says that it runs
            self.queue.describe(row)
        row.worker = self.engine.launch(number, point)
        self._recorder.change(row)
        self.timetable.job_began()

    def _adopt(self) -> None:
        """Take over the jobs that an earlier process left running."""
        interrupted, self._state.interrupted = self._state.interrupted, []
        queue = self.queue
        if queue is None:
            return
        for row, job in sorted(interrupted, key=lambda pair: pair[0].number):
            trial = self._state.active[row.number] = ActiveTrial(row, None, time.monotonic())
            trial.restore()
            queue.adopt(row.number, job, self._state.space.decode(row.parameters))
            self._recorder.change(row)

    def begin_epoch(self) -> None:
        """Have the strategy begin with the present space; what was asked before is dropped."""
        # So that the history is whole: what ended is in the journal before a strategy reads it.
        self._flush()
        proposals = self._proposals
        history = History(self._recorder, self._state.space, self._state.num_numbered, frozenset(self._state.active))
        proposals.begin(self._state.space, self._state.epochs.number, history, self._state.num_draws)

    def _why_no_more(self) -> StopReason | None:
        return self._state.endings.why_no_more(
            self._state.num_launched,
            self._proposals,
            type(self._state.strategy).__name__,
            may_launch=not (self._state.waiting_by_hand or self._state.is_paused),
        )

    # Events of jobs ------------------------------------------------------------------------------

    def _job_event(self, event: JobEvent) -> None:
        """Act on what a server tells of a job."""
        if event.kind == "notice":
            self._tell(*cast("tuple[str, str]", event.data))
            return
        number = event.number
        trial = self._state.active.get(number)
        if trial is None:
            return
        row = trial.row
        if event.kind == "job":
            row.job = cast("str", event.data)
        elif event.kind == "queued":
            row.state, row.started = TrialState.QUEUED, NAN
            self._state.clock.active_started.pop(number, None)
        elif event.kind == "started":
            row.state, row.started = TrialState.RUNNING, cast("float", event.data)
            self._state.clock.active_started[number] = time.monotonic() - max(0.0, time.time() - row.started)
            self.timetable.look_at_once()
        elif not self._summary(number, trial, cast("Summary", event.data)):
            return
        self._recorder.change(row)

    def _summary(self, number: int, trial: ActiveTrial, summary: Summary) -> bool:
        before = trial.last_iteration
        if not trial.take_summary(summary):
            return False
        self._state.num_iterations += max(0, trial.last_iteration - max(before, 0))
        self._dirty.add(number)
        objective = self._state.objectives[0]
        reported = trial.summaries.get((objective.title, objective.series))
        if reported is not None:
            self._reported(number, trial, trial.last_iteration, reported.last)
        else:
            self._count_iteration(number, trial, trial.last_iteration)
        return True

    def _scalar(self, event: JobEvent) -> None:
        number = event.number
        trial = self._state.active.get(number)
        if trial is None:
            return
        title, series, value, iteration = cast("tuple[str, str, float, int]", event.data)
        before = trial.last_iteration
        trial.report(title, series, value, iteration)
        self._state.num_iterations += max(0, trial.last_iteration - max(before, 0))
        self._recorder.scalar(number, title, series, value, iteration)
        self._recorder.change(trial.row)
        self._dirty.add(number)
        first = self._state.objectives[0]
        if title == first.title and series == first.series:
            self._reported(number, trial, iteration, value)
        else:
            self._count_iteration(number, trial, iteration)

    def _count_iteration(self, number: int, trial: ActiveTrial, iteration: int) -> None:
        limit = self._state.settings.max_iteration_per_job
        if limit is not None and iteration >= limit and not trial.asked_to_stop:
            self.stopping.ask(number, TrialState.COMPLETED, f"iteration {limit} was reached (max_iteration_per_job)")

    def _reported(self, number: int, trial: ActiveTrial, iteration: int, value: float) -> None:
        """Act on an interim value of the first objective."""
        self._count_iteration(number, trial, iteration)
        if not trial.asked_to_stop:
            minimum = self._state.settings.min_iteration_per_job
            if minimum is None or iteration >= minimum:
                self._proposals.report(number, iteration, value)

    def _ended(self, number: int, outcome: Outcome) -> None:
        trial = self._state.active[number]
        state = outcome.state
        error = outcome.error
        had_reports = bool(trial.summaries)
        lacks_objective = False
        wrong = trial.take_result(outcome.result, self._state.objectives)
        if had_reports and outcome.result is not None and wrong is None:
            self._record_result(number, trial, outcome.result)
        trial.refresh(self._state.objectives)
        if state == TrialState.COMPLETED:
            error = wrong or trial.judge(self._state.objectives)
            if error is not None:
                state = TrialState.FAILED
                lacks_objective = wrong is None and trial.row.values is None
        elif state != TrialState.FAILED:
            error = trial.end_reason or error
        if outcome.stdout or outcome.stderr or outcome.traceback:
            self._recorder.output(number, outcome.stdout, outcome.stderr, outcome.traceback or "")
        self._finish(number, trial, state, error, outcome.duration if self.queue is not None else None)
        if state != TrialState.FAILED and trial.row.values is not None:
            self._state.endings.has_objective = True
        reason = self._state.endings.after_trial(
            state,
            error,
            launch_failed=outcome.launch_failed,
            without_objective=lacks_objective,
        )
        if reason is not None:
            self.stopping.end(reason)

    def _record_result(self, number: int, trial: ActiveTrial, result: Any) -> None:
        """Keep a returned value with the curve that it ends."""
        first = self._state.objectives[0]
        values = result if isinstance(result, dict) else {first.key: result}
        for key, value in values.items():
            title, _, series = key.rpartition("/")
            self._recorder.scalar(number, title, series, float(value), max(trial.last_iteration, 0))

    def _finish(
        self, number: int, trial: ActiveTrial, state: TrialState, error: str | None, duration: float | None = None
    ) -> None:
        """End a trial; ``duration`` is what a server's clock says that its job took, in seconds."""
        del self._state.active[number]
        started = self._state.clock.active_started.pop(number, None)
        if duration:
            self._state.clock.compute_done += duration / SECONDS_A_MINUTE
        elif started is not None:
            self._state.clock.compute_done += (time.monotonic() - started) / SECONDS_A_MINUTE
        self._dirty.discard(number)
        row = trial.finish(state, time.time(), error, duration)
        self._recorder.ended(row)
        self._proposals.ended(number)
        if self._proposals.wants_observations:
            self._proposals.tell(observation_of(row, self._state.space))
