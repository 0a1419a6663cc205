"""How trials begin: points by hand and proposals for whoever is free, and jobs that an earlier process left running."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hpo_widgets.controller.active_trial import ActiveTrial
from hpo_widgets.trials import NAN, TrialRow

if TYPE_CHECKING:
    from hpo_widgets.controller.proposals import Proposals
    from hpo_widgets.controller.recorder import Recorder
    from hpo_widgets.controller.state import SearchState
    from hpo_widgets.controller.timetable import Timetable
    from hpo_widgets.engines.base import JobEngine, QueueEngine
    from hpo_widgets.strategies.base import Proposal


class Launches:
    """Begins the trials of one run; belongs to the controller's thread.

    Parameters
    ----------
    engine
        What runs the trials.
    queue
        The same, where it runs them as jobs of a server.
    """

    def __init__(
        self,
        state: SearchState,
        recorder: Recorder,
        proposals: Proposals,
        timetable: Timetable,
        engine: JobEngine,
        queue: QueueEngine | None,
    ) -> None:
        self._state = state
        self._recorder = recorder
        self._proposals = proposals
        self._timetable = timetable
        self._engine = engine
        self._queue = queue

    def launch(self) -> None:
        """Give every free worker a trial, and ask for the points that are missing; a worker gets one only when free."""
        state, proposals = self._state, self._proposals
        limit = state.settings.total_max_jobs
        num_free = self._engine.free()
        while num_free > 0 and (limit is None or state.num_launched < limit):
            if state.waiting_by_hand:
                point = state.waiting_by_hand.popleft()
                self._launch_point(point, state.space.encode(point), None)
            else:
                sampled = proposals.next()
                if sampled is None:
                    break
                proposal, encoded = sampled
                number = state.num_numbered
                self._launch_point(proposal.point, encoded, proposal)
                proposals.launched(proposal, number)
            num_free -= 1
        num_left = None
        if limit is not None:
            num_left = max(0, limit - state.num_launched - len(state.waiting_by_hand))
        proposals.ask(max(0, num_free), num_left)

    def _launch_point(self, point: dict[str, object], encoded: list[float | None], proposal: Proposal | None) -> None:
        state = self._state
        number = state.num_numbered
        state.num_numbered = number + 1
        state.num_launched += 1
        state.seen.add(tuple(encoded))
        now = time.monotonic()
        row = TrialRow(
            number,
            1,  # TrialState.RUNNING, spelt as the integer it is stored as: this is the hot path
            state.epochs.number,
            encoded,
            started=time.time(),
            manual=proposal is None,
        )
        if proposal is not None:
            row.draw = proposal.draw
            state.num_draws = proposal.draw + 1
        state.active[number] = ActiveTrial(row, proposal, now)
        if self._queue is None:
            state.clock.active_started[number] = now
        else:
            row.state, row.started = 0, NAN  # TrialState.QUEUED, until an event says that it runs
            self._queue.describe(row)
        row.worker = self._engine.launch(number, point)
        self._recorder.change(row)
        self._timetable.job_began()

    def adopt(self) -> None:
        """Take over the jobs that an earlier process left running."""
        state, queue = self._state, self._queue
        interrupted, state.interrupted = state.interrupted, []
        if queue is None:
            return
        for row, job in sorted(interrupted, key=lambda pair: pair[0].number):
            trial = state.active[row.number] = ActiveTrial(row, None, time.monotonic())
            trial.restore()
            queue.adopt(row.number, job, state.space.decode(row.parameters))
            self._recorder.change(row)
