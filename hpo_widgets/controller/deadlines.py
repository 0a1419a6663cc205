"""What is due by the clock: limits of time, the lease's renewal, the report; and when to check again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hpo_widgets.search import StopReason
from hpo_widgets.search.limits import SECONDS_A_MINUTE

if TYPE_CHECKING:
    from hpo_widgets.controller.recorder import Recorder
    from hpo_widgets.controller.state import SearchState
    from hpo_widgets.controller.trial_lifecycle import TrialLifecycle

HEARTBEAT_SECONDS = 5.0


class Deadlines:
    """Does on time what one run has to do on time; belongs to the controller's thread.

    All moments are those of ``time.monotonic``.

    Parameters
    ----------
    state
        Has the limits and what is used of them.
    recorder
        Keeps the lease and the reports.
    trials
        Aborts what is over its time.
    """

    def __init__(self, state: SearchState, recorder: Recorder, trials: TrialLifecycle) -> None:
        self._state = state
        self._recorder = recorder
        self._trials = trials
        self.next_check = 0.0
        """When `check` is due again."""
        self._next_heartbeat = time.monotonic() + HEARTBEAT_SECONDS
        self._next_report = 0.0
        self.begin_report_period()

    def begin_report_period(self) -> None:
        """Have the next report a whole period from now."""
        self._next_report = time.monotonic() + self._state.settings.report_period * SECONDS_A_MINUTE

    def check_now(self) -> None:
        """Have `check` called at the next turn: a limit may have become nearer."""
        self.next_check = 0.0

    def trial_began(self) -> None:
        """Take into account that a trial that has begun may be the next to reach a limit."""
        settings = self._state.settings
        if settings.time_limit_per_job is not None or settings.compute_time_limit is not None:
            self.next_check = 0.0

    def check_if_due(self) -> None:
        """Call `check` when it is due."""
        now = time.monotonic()
        if now >= self.next_check:
            self.check(now)

    def check(self, now: float) -> None:
        """Act on every limit that is reached, and set `next_check`."""
        clock = self._state.clock
        if now >= self._next_heartbeat:
            self._recorder.heartbeat()
            self._next_heartbeat = now + HEARTBEAT_SECONDS
        if now >= self._next_report:
            self._report()
            self._next_report = now + self._state.settings.report_period * SECONDS_A_MINUTE
        to_job_limit = self._abort_overdue(now)
        to_deadline, to_compute = clock.seconds_to_deadline(), clock.seconds_to_compute_limit()
        if to_deadline is not None and to_deadline <= 0:
            self._trials.stop(StopReason("optimization_time_limit", "the time limit has passed"))
        elif to_compute is not None and to_compute <= 0:
            limit = self._state.settings.compute_time_limit
            sentence = f"all {limit:g} minutes of compute time were used"
            self._trials.stop(StopReason("compute_time_limit", sentence))
        waits = [
            seconds for seconds in (to_deadline, to_compute, to_job_limit)
            if seconds is not None and seconds > 0
        ]  # fmt: skip
        soonest = min([now + wait for wait in waits], default=self._next_heartbeat)
        self.next_check = min(soonest, self._next_heartbeat, self._next_report)

    def _abort_overdue(self, now: float) -> float | None:
        """Abort each trial that has had its time; returns the seconds until the next one has, None: none will.

        What a trial took is counted when it has ended, as its clock says, not here.
        """
        limit = self._state.settings.time_limit_per_job
        if limit is None:
            return None
        soonest = None
        # Not in the order of their starts: trials may be taken over, or return to their queue.
        for number, started in list(self._state.clock.active_started.items()):
            if self._state.active[number].is_aborted:
                continue
            left = started + limit * SECONDS_A_MINUTE - now
            if left <= 0:
                self._trials.abort(number, f"aborted after {limit:g} minutes (time_limit_per_job)")
            elif soonest is None or left < soonest:
                soonest = left
        return soonest

    def _report(self) -> None:
        """Keep a picture of the search's progress in the journal (`set_report_period`)."""
        self._recorder.event("report", budget=self._state.budget.to_dict(), top=self._recorder.shown.top(10))
