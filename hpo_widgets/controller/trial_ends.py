"""What the end of a job makes of its trial: its last state and values, and what the search learns from it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from hpo_widgets.controller.history import observation_of
from hpo_widgets.search.limits import SECONDS_A_MINUTE
from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from collections.abc import Collection

    from hpo_widgets.controller.active_trial import ActiveTrial
    from hpo_widgets.controller.proposals import Proposals
    from hpo_widgets.controller.recorder import Recorder
    from hpo_widgets.controller.state import SearchState
    from hpo_widgets.controller.stopping import Stopping
    from hpo_widgets.engines.base import Outcome
    from hpo_widgets.trials import TrialRow


class TrialEnds:
    """Ends the trials of one run; belongs to the controller's thread.

    Parameters
    ----------
    by_servers_clock
        Whether a server says how long a job took, which counts then.
    """

    def __init__(
        self,
        state: SearchState,
        recorder: Recorder,
        proposals: Proposals,
        stopping: Stopping,
        *,
        by_servers_clock: bool,
    ) -> None:
        self._state = state
        self._recorder = recorder
        self._proposals = proposals
        self._stopping = stopping
        self._by_servers_clock = by_servers_clock

    def end(self, number: int, outcome: Outcome) -> None:
        """Judge a trial whose job has ended; the search ends with it where it speaks for that."""
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
            error = wrong or trial.judge(objectives)
            if error is not None:
                state = TrialState.FAILED
                lacks_objective = wrong is None and trial.row.values is None
        elif state != TrialState.FAILED:
            error = trial.end_reason or error
        if outcome.stdout or outcome.stderr or outcome.traceback:
            self._recorder.output(number, outcome.stdout, outcome.stderr, outcome.traceback or "")
        self._finish(number, trial, state, error, outcome.duration if self._by_servers_clock else None)
        if state != TrialState.FAILED and trial.row.values is not None:
            search.endings.has_objective = True
        reason = search.endings.after_trial(
            state,
            error,
            launch_failed=outcome.launch_failed,
            without_objective=lacks_objective,
        )
        if reason is not None:
            self._stopping.end(reason)

    def abandon(self, sentence: str) -> None:
        """End as aborted whatever is left, once the workers are gone: only an error leaves trials behind."""
        for number, trial in list(self._state.active.items()):
            trial.refresh(self._state.objectives)
            self._finish(number, trial, TrialState.ABORTED, sentence)

    def leave(self, may_go_on: Collection[int]) -> list[TrialRow]:
        """Let go of the trials whose jobs may go on, as they are, for the next run to take over; returns their rows."""
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
        """Keep a returned value with the curve that it ends."""
        first = self._state.objectives[0]
        values = result if isinstance(result, dict) else {first.key: result}
        for key, value in values.items():
            title, _, series = key.rpartition("/")
            self._recorder.scalar(number, title, series, float(value), max(trial.last_iteration, 0))

    def _finish(
        self, number: int, trial: ActiveTrial, state: TrialState, error: str | None, duration: float | None = None
    ) -> None:
        """Take a trial out; ``duration`` is what a server's clock says that its job took, in seconds."""
        search, proposals = self._state, self._proposals
        del search.active[number]
        clock = search.clock
        started = clock.active_started.pop(number, None)
        if duration:
            clock.compute_done += duration / SECONDS_A_MINUTE
        elif started is not None:
            clock.compute_done += (time.monotonic() - started) / SECONDS_A_MINUTE
        row = trial.finish(state, time.time(), error, duration)
        self._recorder.ended(row)
        if proposals.wants_observations:
            proposals.tell(observation_of(row, search.space))
