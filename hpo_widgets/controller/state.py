"""The state of a search that outlives its runs."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hpo_widgets.controller.stop_conditions import StopConditions
from hpo_widgets.search import END_STATUS, SearchStatus
from hpo_widgets.search.limits import SECONDS_A_MINUTE, SearchClock, TimeLimit, WallClock
from hpo_widgets.space.range_history import RangeHistory
from hpo_widgets.trials import TrialRow, TrialState
from hpo_widgets.trials.columns import never_ran, recorded, run_times

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hpo_widgets.controller.active_trial import ActiveTrial
    from hpo_widgets.controller.constraint import Constraint
    from hpo_widgets.objectives import Objective
    from hpo_widgets.search import StopReason
    from hpo_widgets.search.budget import Budget
    from hpo_widgets.search.limits import Settings
    from hpo_widgets.space import Space
    from hpo_widgets.strategies.base import SearchStrategy
    from hpo_widgets.viewer.journal_state import JournalState

LONG_TRIAL = 1.0
"""Seconds that trials take of which each launch is made durable before it; the commit takes about 0.3 ms."""

_FADING = 0.9
"""What remains of the run time of a long trial with each one that ends after it."""

_MOST_DRAWS_BACK = 500
"""Draws at most by which a run goes back: a strategy that repeats too many points in a row counts as exhausted."""

_MOST_RECENT = 200
"""Trials of a journal of which that is computed."""


@dataclass(slots=True)
class RestoredTrials:
    """What a search that is opened again takes up from its journal."""

    journal_state: JournalState
    """Ranges, limits and status at the end of the journal."""
    columns: Mapping[str, Any]
    """All trials (`JournalReader.columns`)."""
    sequence: int
    """The journal's last write that they hold."""
    jobs: Mapping[int, str]
    """Trial number to the id of its job."""
    interrupted: Sequence[TrialRow]
    """Trials whose jobs still run somewhere; the next run takes them over."""


class SearchState:
    """The state of one search over all its runs.

    Written by the controller's thread or, while none runs, by the thread that holds the controller's
    gate; may be read from any.
    """

    def __init__(
        self,
        space: Space,
        objectives: tuple[Objective, ...],
        strategy: SearchStrategy,
        settings: Settings,
        constraint: Constraint | None = None,
    ) -> None:
        self.epochs = RangeHistory(space)
        self.constraint = constraint
        self.objectives = objectives
        self.strategy = strategy
        self.settings = settings
        self.clock = SearchClock(settings)
        self.stop_conditions = StopConditions(settings, self.clock)
        self.status = SearchStatus.IDLE
        self.stop_reason: StopReason | None = None
        self.is_paused = False
        """True while nothing is launched because a person said so."""
        self.num_launched = 0
        """Trials that count against the budget: all but those that were recorded, or aborted before they ran."""
        self.num_failed = 0
        self.num_numbered = 0
        self.num_iterations = 0
        self.num_draws = 0
        """From which draw of the present epoch a run goes on: after the latest, or at one that was aborted before it
        ran and after which none was launched."""
        self.seen: set[tuple[float | None, ...]] = set()
        """Every point with a trial, encoded, but those of the strategy that were aborted before they ran."""
        self.active: dict[int, ActiveTrial] = {}
        self.enqueued: deque[list[float | None]] = deque()
        """Points that people want to be tried next, encoded."""
        self.num_enqueued = 0
        """How many points people have enqueued in all, launched ones included."""
        self.interrupted: list[tuple[TrialRow, str]] = []
        """Trials whose jobs an earlier process launched, to be taken over by the next run."""
        self.was_killed = False
        """True until the next run when the process of the last one died in it."""
        self.exhausted: int | None = None
        """The epoch in which the strategy had no further point; None: not yet."""
        self._recent_seconds = -1.0
        """About how long the longest of the latest trials took; negative: none has ended."""

    @property
    def space(self) -> Space:
        """The present space epoch."""
        return self.epochs.space

    @property
    def most_at_once(self) -> int:
        """How many trials may run at once as things are: no more than are left of the budget, and at least one."""
        most, total = self.settings.max_number_of_concurrent_tasks, self.settings.total_max_jobs
        return most if total is None else max(1, min(most, total - self.num_launched + len(self.interrupted)))

    @property
    def budget(self) -> Budget:
        """Limits and what is used of them; only trials that have ended count as used."""
        num_ended = self.num_launched - len(self.active) - len(self.interrupted)
        return self.clock.budget(max(0, num_ended), self.num_iterations)

    @property
    def has_long_trials(self) -> bool:
        """Whether trials take long, as far as is known."""
        return not 0.0 <= self._recent_seconds < LONG_TRIAL

    def forget_launch(self, row: TrialRow) -> None:
        """Take a trial that was aborted before it ran out of the count, and let the strategy propose its point again.

        That happens after a change of ranges, or where nothing more is launched in this run, in the next one.
        """
        self.num_launched -= 1
        if row.enqueued:
            return
        self.seen.discard(tuple(row.parameters))
        is_near = self.num_draws - row.draw <= _MOST_DRAWS_BACK
        if row.epoch == self.epochs.number and is_near and not self.settings.allow_duplicates:
            self.num_draws = min(self.num_draws, row.draw)

    def took(self, seconds: float) -> None:
        """Note how long a trial took that has ended by itself."""
        self._recent_seconds = max(seconds, _FADING * self._recent_seconds)

    def status_after(self, reason: StopReason) -> SearchStatus:
        """Return the status of a search that has ended: failed, too, where trials failed and none has a result.

        A result that a person has recorded does not count, as it says nothing about what the search runs.
        """
        if self.num_failed and not self.stop_conditions.has_objective:
            return END_STATUS.get(reason.code, SearchStatus.FAILED)
        return END_STATUS.get(reason.code, SearchStatus.COMPLETED)

    def why_nothing_left(self) -> StopReason | None:
        """Why a search that does not run cannot be started now; None: it can."""
        if self.interrupted:
            return None
        reason = self.stop_conditions.why_nothing_left(self.num_launched)
        if reason is None and self.exhausted == self.epochs.number and not self.enqueued:
            return self.stop_reason
        return reason

    def restore(self, past: RestoredTrials) -> None:
        """Restore the state that a journal holds, before the first start in this process."""
        journal_state, bulk = past.journal_state, past.columns
        self.interrupted = [(row, row.job) for row in past.interrupted if row.job is not None]
        self.epochs.restore(journal_state.ranges)
        self.stop_reason = journal_state.stop_reason
        self.was_killed = journal_state.was_started and journal_state.stop_reason is None
        self.is_paused = journal_state.is_paused
        self.status = journal_state.status(owner_is_alive=False)
        clock = self.clock
        clock.wall = WallClock(journal_state.wall_before)
        clock.was_started = journal_state.was_started
        if journal_state.has_own_deadline:
            deadline = journal_state.deadline
            clock.set_time_limit(None if deadline is None else TimeLimit(deadline))
        numbers = bulk["number"]
        has_never_run = never_ran(bulk)
        did_not_run = has_never_run | recorded(bulk)
        self.num_launched = len(numbers) - int(did_not_run.sum())
        self.num_numbered = int(numbers.max()) + 1 if len(numbers) else 0
        self.num_iterations = int(np.maximum(bulk["last_iteration"], 0).sum())
        seconds = run_times(bulk)
        clock.compute_done = float(np.nansum(seconds)) / SECONDS_A_MINUTE
        # How long a trial would have taken that was aborted, or ended while its worker loaded, nobody knows.
        of_itself = np.isin(bulk["state"], (TrialState.COMPLETED, TrialState.FAILED, TrialState.PRUNED))
        for one in seconds[of_itself & (seconds > 0.0)][-_MOST_RECENT:].tolist():
            self.took(one)
        points = bulk["parameters"].astype(object)
        points[np.isnan(bulk["parameters"])] = None
        self.seen = set(map(tuple, points[~has_never_run | bulk["enqueued"].astype(bool)].tolist()))
        in_epoch = bulk["epoch"] == self.epochs.number
        self.num_draws = int(bulk["draw"][in_epoch].max()) + 1 if in_epoch.any() else 0
        if journal_state.num_draws is not None:
            self.num_draws = min(self.num_draws, journal_state.num_draws)
        has_failed = bulk["state"] == TrialState.FAILED
        self.num_failed = int(has_failed.sum())
        has_values = ~np.isnan(bulk["values"]).any(axis=1)
        self.stop_conditions.has_objective = bool((~has_failed & ~did_not_run & has_values).any())
        self.num_enqueued = len(journal_state.enqueued)
        self.enqueued.extend(journal_state.enqueued[int(bulk["enqueued"].sum()) :])
