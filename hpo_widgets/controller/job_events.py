"""What jobs tell of their trials while they run: where they are, what they report, and that they have ended."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, cast

from hpo_widgets.trials import NAN, TrialState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hpo_widgets.controller.active_trial import ActiveTrial
    from hpo_widgets.controller.proposals import Proposals
    from hpo_widgets.controller.recorder import Recorder
    from hpo_widgets.controller.state import SearchState
    from hpo_widgets.controller.stopping import Stopping
    from hpo_widgets.controller.timetable import Timetable
    from hpo_widgets.controller.trial_ends import TrialEnds
    from hpo_widgets.engines.base import JobEvent, Outcome, Summary


class JobEvents:
    """Acts on the events of one run's jobs; belongs to the controller's thread.

    Parameters
    ----------
    ends
        What is done with a trial whose job has ended.
    tell
        Tells people a sentence, after its source.
    """

    def __init__(
        self,
        state: SearchState,
        recorder: Recorder,
        proposals: Proposals,
        stopping: Stopping,
        timetable: Timetable,
        ends: TrialEnds,
        tell: Callable[[str, str], None],
    ) -> None:
        self._state = state
        self._recorder = recorder
        self._proposals = proposals
        self._stopping = stopping
        self._timetable = timetable
        self._ends = ends
        self._tell = tell
        self._reported: set[int] = set()
        """Trials whose rows are behind their reports."""

    def act(self, events: Iterable[JobEvent]) -> None:
        """Act on events in their order."""
        for event in events:
            if event.kind == "ended":
                self._ends.end(event.number, cast("Outcome", event.data))
            elif event.kind == "scalar":
                self._scalar(event)
            else:
                self._news(event)

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

    def _news(self, event: JobEvent) -> None:
        """Act on what a server tells of a job."""
        if event.kind == "notice":
            self._tell(*cast("tuple[str, str]", event.data))
            return
        number = event.number
        trial = self._state.active.get(number)
        if trial is None:
            return
        row = trial.row
        active_started = self._state.clock.active_started
        if event.kind == "job":
            row.job = cast("str", event.data)
        elif event.kind == "queued":
            row.state, row.started = TrialState.QUEUED, NAN
            active_started.pop(number, None)
        elif event.kind == "started":
            row.state, row.started = TrialState.RUNNING, cast("float", event.data)
            active_started[number] = time.monotonic() - max(0.0, time.time() - row.started)
            self._timetable.look_at_once()
        elif not self._summary(number, trial, cast("Summary", event.data)):
            return
        self._recorder.change(row)

    def _summary(self, number: int, trial: ActiveTrial, summary: Summary) -> bool:
        before = trial.last_iteration
        if not trial.take_summary(summary):
            return False
        self._state.num_iterations += max(0, trial.last_iteration - max(before, 0))
        self._reported.add(number)
        objective = self._state.objectives[0]
        reported = trial.summaries.get((objective.title, objective.series))
        if reported is not None:
            self._interim_value(number, trial, trial.last_iteration, reported.last)
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
        self._reported.add(number)
        first = self._state.objectives[0]
        if title == first.title and series == first.series:
            self._interim_value(number, trial, iteration, value)
        else:
            self._count_iteration(number, trial, iteration)

    def _count_iteration(self, number: int, trial: ActiveTrial, iteration: int) -> None:
        limit = self._state.settings.max_iteration_per_job
        if limit is not None and iteration >= limit and not trial.asked_to_stop:
            self._stopping.ask(number, TrialState.COMPLETED, f"iteration {limit} was reached (max_iteration_per_job)")

    def _interim_value(self, number: int, trial: ActiveTrial, iteration: int, value: float) -> None:
        """Act on an interim value of the first objective."""
        self._count_iteration(number, trial, iteration)
        if not trial.asked_to_stop:
            minimum = self._state.settings.min_iteration_per_job
            if minimum is None or iteration >= minimum:
                self._proposals.report(number, iteration, value)
