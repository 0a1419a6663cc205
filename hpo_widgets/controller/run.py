"""One run of a search, turn by turn: what is due by the clock, launches, what jobs tell, and why it is over."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, cast

from hpo_widgets.controller.history import History
from hpo_widgets.controller.job_events import JobEvents
from hpo_widgets.controller.launches import Launches
from hpo_widgets.controller.stopping import AGREEMENT_SECONDS, Stopping
from hpo_widgets.controller.timetable import Timetable
from hpo_widgets.controller.trial_ends import TrialEnds
from hpo_widgets.engines.base import QueueEngine
from hpo_widgets.search import StopReason
from hpo_widgets.search.limits import SECONDS_A_MINUTE

if TYPE_CHECKING:
    from collections.abc import Callable

    from hpo_widgets.controller.calls_due import CallsDue
    from hpo_widgets.controller.proposals import Proposals
    from hpo_widgets.controller.recorder import Recorder
    from hpo_widgets.controller.state import SearchState
    from hpo_widgets.engines.base import JobEngine

MOST_NAMES = 10
"""So many trials are named in one sentence."""


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
        self._launches = Launches(state, recorder, proposals, self.timetable, engine, self.queue)
        self._ends = TrialEnds(state, recorder, proposals, self.stopping, by_servers_clock=self.queue is not None)
        self._events = JobEvents(state, recorder, proposals, self.stopping, self.timetable, self._ends, tell)

    def open(self) -> None:
        """Take over what an earlier process left running, and have the strategy begin."""
        self._launches.adopt()
        self.begin_epoch()

    def begin_epoch(self) -> None:
        """Have the strategy begin with the present space; what was asked before is dropped."""
        state = self._state
        try:
            # So that the history is whole: what ended is in the journal before a strategy reads it.
            self._flush()
        finally:  # the ranges have changed already, whatever the journal says
            history = History(self._recorder, state.space, state.num_numbered, frozenset(state.active))
            self._proposals.begin(state.space, state.epochs.number, history, state.num_draws)

    def step(self) -> StopReason | None:
        """One turn: act on what waits, then sleep until something happens; the reason ends the run."""
        state, recorder, timetable = self._state, self._recorder, self.timetable
        self.stopping.prune(self._proposals.take_prunes())
        now = time.monotonic()
        if now >= timetable.next_look:
            timetable.look(now)
        next_ask = None
        if self.stopping.reason is None and not state.is_paused:
            self._launches.launch()
            next_ask = self._proposals.next_ask
            if timetable.next_look <= 0:
                timetable.look(now)
        if not state.active:
            reason = self.stopping.reason or self._why_no_more()
            if reason is not None:
                return reason
        elif self.stopping.has_waited_long_enough():
            return self._leave()
        due, now = recorder.due, time.monotonic()
        if due is not None and now >= due:
            # Only after the launch: no free worker waits for the commit of what it did before.
            self._flush()
            due, now = recorder.due, time.monotonic()
        until = min(moment for moment in (timetable.next_look, due, next_ask) if moment is not None)
        self._events.act(self.engine.wait(max(0.0, until - now)))
        return None

    def close(self, reason: StopReason) -> None:
        """Let go of the strategy, and end in the rows what the engine has ended by its close."""
        self._proposals.close()
        self._ends.abandon(reason.sentence)

    def _leave(self) -> StopReason:
        """Let go of the jobs whose end the server has not told, and say which they are."""
        reason = cast("StopReason", self.stopping.reason)
        left = self._ends.leave(cast("QueueEngine", self.queue).may_go_on())
        if not left:
            return reason
        names = [f"#{row.number} ({row.job})" for row in left]
        more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
        unknown = (
            f"the server did not say in {AGREEMENT_SECONDS / SECONDS_A_MINUTE:g} minutes that these trials have ended, "
            f"and they may still run: {', '.join(names[:MOST_NAMES])}{more}"
        )
        self._tell("search", f"{unknown}. Starting the search again, or opening it, takes them up as they are then")
        return StopReason(reason.code, f"{reason.sentence}; {unknown}")

    def _why_no_more(self) -> StopReason | None:
        state = self._state
        return state.endings.why_no_more(
            state.num_launched,
            self._proposals,
            type(state.strategy).__name__,
            may_launch=not (state.waiting_by_hand or state.is_paused),
        )

    def _flush(self) -> None:
        """Make everything durable, and then known."""
        self._events.refresh_rows()
        self._recorder.flush()
        self._calls.hand_over()
