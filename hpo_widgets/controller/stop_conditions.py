"""The reasons for which a search ends by itself."""

from __future__ import annotations

import logging
import math
import traceback
from typing import TYPE_CHECKING

from hpo_widgets._messages import counted, short
from hpo_widgets.search import StopReason
from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from hpo_widgets.controller.proposals import Proposals
    from hpo_widgets.controller.state import SearchState
    from hpo_widgets.search.limits import SearchClock, Settings

logger = logging.getLogger("hpo_widgets")

TRIALS_WITHOUT_OBJECTIVE = 3
"""Trials without the objective that end the search, as long as no trial has reported it."""

LAUNCH_FAILURES = 3
"""Failed launches in a row that end the search."""

_MOST_ERROR = 200
"""Characters of a trial's error that the reason of an end has at most."""


class StopConditions:
    """Counts failures and checks budgets; belongs to the controller's thread.

    Parameters
    ----------
    settings
        The limits.
    clock
        Measures the time that is used.
    """

    def __init__(self, settings: Settings, clock: SearchClock) -> None:
        self._settings = settings
        self._clock = clock
        self.has_objective = False
        """True once any trial that ran has reported an objective and did not fail."""
        self.last_failure = ""
        """The error of the trial of this process that failed last, with its introduction, as a reason ends with it."""
        self.why_none_launched: StopReason | None = None
        """Why no further trial is launched in this run, though those that are left go on; None: further ones are."""
        self.begin_run()

    @property
    def num_failures_left(self) -> float:
        """How many trials in a row have to fail from now on before the search ends for that."""
        limit = self._settings.max_failures
        return math.inf if limit is None else limit - self._num_failures_in_a_row

    def begin_run(self) -> None:
        """Count failures anew for a search that is continued."""
        self._num_failures_in_a_row = 0
        self._num_launch_failures_in_a_row = 0
        self._num_without_objective = 0
        self._num_stopped_in_a_row = 0
        self.why_none_launched = None
        self._has_logged_error = False

    def after_trial(
        self,
        state: TrialState,
        error: str | None,
        *,
        launch_failed: bool = False,
        without_objective: bool = False,
        stopped_elsewhere: bool = False,
    ) -> StopReason | None:
        """Count one ended trial. Pruned and aborted ones neither count nor end a row of failures.

        Those that were stopped at the server before they ran are a row of their own, see `why_none_launched`.

        Parameters
        ----------
        state
            How it ended.
        error
            What went wrong.
        launch_failed
            Whether it could not be started.
        without_objective
            Whether it failed only because it did not report its objective.
        stopped_elsewhere
            Whether somebody has stopped it at a server before it ran.

        Returns
        -------
        StopReason or None
            Why the search has to end now.
        """
        if stopped_elsewhere:
            self._count_stopped_elsewhere(error)
        elif state != TrialState.ABORTED:
            self._num_stopped_in_a_row = 0
        if state == TrialState.COMPLETED:
            self.has_objective = True
            self._num_failures_in_a_row = 0
            self._num_launch_failures_in_a_row = 0
            return None
        if state != TrialState.FAILED:
            return None
        self.last_failure = _the_last(error)
        self._num_failures_in_a_row += 1
        self._num_without_objective += without_objective
        self._num_launch_failures_in_a_row = self._num_launch_failures_in_a_row + 1 if launch_failed else 0
        if self._num_launch_failures_in_a_row >= LAUNCH_FAILURES:
            return StopReason("launch_failed", f"trials could not be started: {error}")
        if not self.has_objective and self._num_without_objective >= TRIALS_WITHOUT_OBJECTIVE:
            return StopReason(
                "objective_never_reported",
                f"the first {self._num_without_objective} trials {error}",
            )
        limit = self._settings.max_failures
        if limit is not None and self._num_failures_in_a_row >= limit:
            return StopReason(
                "max_failures",
                f"{self._num_failures_in_a_row} trials in a row failed{self.last_failure}",
            )
        return None

    def _count_stopped_elsewhere(self, error: str | None) -> None:
        """Count a trial that somebody has stopped at the server before it ran.

        As many as may wait at once may have been stopped by one hand: those beyond are compared with the limit.
        """
        self._num_stopped_in_a_row += 1
        limit, number = self._settings.max_failures, self._num_stopped_in_a_row
        if limit is not None and number >= limit + self._settings.max_number_of_concurrent_tasks:
            self.why_none_launched = self.why_none_launched or StopReason(
                "max_failures",
                f"{number} trials in a row were stopped at the server before they ran; see there who stops them, then "
                f"continue{_the_last(error)}",
            )

    def why_no_more(self, state: SearchState, proposals: Proposals) -> StopReason | None:
        """Say why a search without running trials is over; None: it goes on.

        Parameters
        ----------
        state
            The search.
        proposals
            Where its points come from.

        Returns
        -------
        StopReason or None
            Why it is over.
        """
        num_launched, strategy_name = state.num_launched, type(state.strategy).__name__
        limit = self._settings.total_max_jobs
        if limit is not None and num_launched >= limit:
            return StopReason("total_max_jobs", _budget_used(limit))
        if self.why_none_launched is not None:
            return self.why_none_launched
        error = proposals.error
        if error is not None:
            if not self._has_logged_error:  # asked while trials run, too
                self._has_logged_error = True
                logger.error("strategy: %s", "".join(traceback.format_exception(error)))
            return StopReason("error", f"{strategy_name} raised {type(error).__name__}: {error}")
        if proposals.is_exhausted and not state.enqueued and not state.is_paused:
            size = state.space.size
            has_tried_all = size is not None and num_launched >= size
            words = "every point of the space was tried" if has_tried_all else f"{strategy_name} has no further point"
            if state.constraint is not None and not has_tried_all:
                words += f" that the constraint {state.constraint!r} allows"
            return StopReason("space_exhausted", f"{words} ({counted(num_launched, 'trial')})")
        return None

    def why_nothing_left(self, num_launched: int) -> StopReason | None:
        """Say why a search cannot be started again; None: it can."""
        settings, clock = self._settings, self._clock
        limit = settings.total_max_jobs
        if limit is not None and num_launched >= limit:
            return StopReason("total_max_jobs", f"{_budget_used(limit)}; raise the number of trials to continue")
        wall_left = clock.wall_left
        if wall_left is not None and wall_left <= 0:
            return StopReason("optimization_time_limit", "the time limit has passed; set a new one to continue")
        compute = settings.compute_time_limit
        if compute is not None and clock.compute_used >= compute:
            return StopReason("compute_time_limit", "the compute time was used up; raise its limit to continue")
        return None


def _the_last(error: str | None) -> str:
    return f"; the last: {short(' '.join(error.split()), _MOST_ERROR)}" if error else ""


def _budget_used(limit: int) -> str:
    return "the only trial of the budget was used" if limit == 1 else f"all {limit} trials of the budget were used"
