"""One run of a search: asks for points, launches trials, acts on their events, records, until it has to end."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, cast

from hpo_widgets.controller.recorder import RecordedHistory
from hpo_widgets.controller.trial_lifecycle import AGREEMENT_SECONDS, TrialLifecycle
from hpo_widgets.engines.base import can_hold_trials
from hpo_widgets.search import StopReason
from hpo_widgets.search.limits import SECONDS_A_MINUTE
from hpo_widgets.strategies.base import Observation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hpo_widgets.controller.callbacks import CallbackQueue
    from hpo_widgets.controller.proposals import Proposals
    from hpo_widgets.controller.recorder import Recorder
    from hpo_widgets.controller.state import SearchState
    from hpo_widgets.engines.base import JobEngine, JobEvent, QueueEngine
    from hpo_widgets.strategies.base import Proposal
    from hpo_widgets.trials import TrialRow

MOST_NAMES = 10
"""Trials that one sentence names at most."""

HEARTBEAT_SECONDS = 5.0
"""Seconds between two renewals of the journal's lease."""

CLOCKS_AGREE_SECONDS = 1.0
"""Seconds; a larger change between time of day and monotonic clock means that it was set, or the machine slept."""


class Run:
    """From the first launch to the last end; belongs to the controller's thread.

    Other threads may read ``queue`` and ``trials.stop_reason``.

    Parameters
    ----------
    state
        What outlives the run.
    recorder
        Makes everything durable, and then known.
    callbacks
        Takes the calls that follow from the ends of trials.
    engine
        What runs the trials; the caller closes it.
    proposals
        Where points come from.
    tell
        Tells people a sentence, after its source.
    """

    def __init__(
        self,
        state: SearchState,
        recorder: Recorder,
        callbacks: CallbackQueue,
        engine: JobEngine,
        proposals: Proposals,
        tell: Callable[[str, str], None],
    ) -> None:
        self.engine = engine
        self.trials = TrialLifecycle(state, recorder, proposals, engine, tell)
        self.deadlines = Deadlines(state, recorder, self.trials)
        self.trials.on_began = self.deadlines.trial_began
        self.trials.record = self._record
        self._state = state
        self._recorder = recorder
        self._callbacks = callbacks
        self._proposals = proposals
        self._tell = tell
        self._has_notified_error = False
        self._num_begun = 0
        """How often the strategy has begun, or was about to."""
        self._num_to_begin = 0
        """How often it is about to: subscribers are told what is recorded before it begins, and may have it begin."""
        self._num_workers = state.settings.max_number_of_concurrent_tasks
        # A strategy that learns from the ends of trials is asked for a point when a worker is free, not before.
        self._holder = engine if can_hold_trials(engine) and not proposals.wants_observations else None
        self._held: deque[tuple[Proposal, list[float | None]]] = deque()
        """Points that the engine holds, with their encoded forms."""

    @property
    def queue(self) -> QueueEngine | None:
        """The engine, where it runs trials as jobs of a server."""
        return self.trials.queue

    def open(self) -> None:
        """Take over the jobs that an earlier process left running, and begin the strategy's epoch."""
        state = self._state
        if state.was_killed and self.queue is None and not state.has_long_trials:
            # The launch of a short trial is durable with the next commit, some milliseconds later: a commit before it
            # would double what the trial costs the kernel.
            self._tell(
                "search",
                f"the process that ran this search was killed: trials from #{state.num_numbered} on may have begun in "
                "its last milliseconds, and would then run a second time",
            )
        state.was_killed = False
        if self.queue is not None and state.is_paused:
            self.queue.set_paused(paused=True)
        self.trials.adopt()
        self.begin_epoch()

    def begin_epoch(self) -> None:
        """Begin the present space with the strategy; points proposed before are dropped, or withdrawn."""
        self.drop_held()
        try:
            self._begin_strategy()
        finally:
            self.trials.withdraw_outside()

    def learn_anew(self) -> None:
        """Have a strategy that learns begin anew with the trials that count now; it drops what it proposed before."""
        if self._proposals.wants_observations:
            self._begin_strategy()

    def _begin_strategy(self) -> None:
        """Begin the present space with the strategy."""
        state = self._state
        self._num_begun += 1
        self._num_to_begin += 1
        try:
            # The strategy reads its history from the journal, so all that has ended must be in it.
            self._record()
        finally:  # the ranges, or which trials count, have changed already, whatever the journal says
            history = RecordedHistory(self._recorder, state.space, state.num_numbered, frozenset(state.active))
            self._num_to_begin -= 1
            self._proposals.begin(state.space, state.epochs.number, history, state.num_draws)

    def add_trials(self, rows: Sequence[TrialRow]) -> None:
        """Make results that people have recorded durable, and have the strategy learn from them."""
        num_begun = self._num_begun
        self._record()
        # Where it is about to begin, or a subscriber has changed ranges, or which trials count, the strategy has them
        # from its history.
        has_begun = 0 < num_begun == self._num_begun and not self._num_to_begin
        if self._proposals.wants_observations and has_begun:
            for row in rows:
                self._proposals.tell(Observation.of(row, self._state.space))

    def step(self) -> StopReason | None:
        """Act on what is due, then wait until something happens; the returned reason ends the run."""
        trials, deadlines, recorder = self.trials, self.deadlines, self._recorder
        self._resize()
        trials.prune(self._proposals.take_prunes())
        deadlines.check_if_due()
        next_ask = None
        if self._may_launch:
            num_free = self._launch()
            self._proposals.ask(num_free, self._num_left())
            next_ask = self._proposals.next_ask
            deadlines.check_if_due()
        reason = self._why_over()
        if reason is not None:
            return reason
        if recorder.due is not None and time.monotonic() >= recorder.due:
            # Only after the launch, so that no free worker waits for the commit of its last trial.
            was_locked = recorder.locked_since is not None
            self._record()
            if was_locked:
                return None  # where the lock is gone, trials are launched again
        self._resize()
        self._hold()
        until = min(moment for moment in (deadlines.next_check, recorder.due, next_ask) if moment is not None)
        events = self.engine.wait(max(0.0, until - time.monotonic()))
        # First, as a subscriber that hears of another event may command the search, which these run in already.
        for event in events:
            if event.kind == "launched":
                self._launched(event)
        for event in events:
            if event.kind != "launched":
                trials.receive(event)
        return None

    def close(self, reason: StopReason) -> None:
        """Stop asking the strategy, and mark the trials that the engine's close has ended as aborted."""
        self.trials.stop_reason = self.trials.stop_reason or reason
        self.drop_held()
        self._proposals.close()
        self.trials.abandon(reason.sentence)

    @property
    def _may_launch(self) -> bool:
        """Whether trials are launched now; a lock would keep their launches from being durable."""
        state = self._state
        is_over = self.trials.stop_reason is not None or state.stop_conditions.why_none_launched is not None
        return not is_over and not state.is_paused and self._recorder.locked_since is None

    @property
    def _is_in_budget(self) -> bool:
        """Whether one more trial may be launched, as far as it goes by their number."""
        limit = self._state.settings.total_max_jobs
        return limit is None or self._state.num_launched < limit

    def _resize(self) -> None:
        """Let the engine run as many trials as are set; not at once, as a subscriber may while one is launched."""
        most = self._state.settings.max_number_of_concurrent_tasks
        if most != self._num_workers:
            self._num_workers = most
            self.engine.resize(most)

    def _launch(self) -> int:
        """Give free workers what is enqueued, then what the strategy proposed; returns how many stay free."""
        state, proposals, trials = self._state, self._proposals, self.trials
        num_free = self.engine.free()
        if num_free > 0:
            self.drop_held()
        while num_free > 0 and self._is_in_budget:
            if trials.keeps_launches:
                self._record()
                # A lock was met, or a subscriber has stopped or paused the search, or lowered its budget.
                if not (self._may_launch and self._is_in_budget):
                    break
            if state.enqueued:
                encoded = state.enqueued.popleft()
                trials.launch(dict(state.space.decode(encoded)), encoded, None)
            else:
                sampled = proposals.next()
                if sampled is None:
                    break
                proposal, encoded = sampled
                proposals.launched(proposal, trials.launch(proposal.point, encoded, proposal))
            num_free -= 1
        return max(0, num_free)

    def _hold(self) -> None:
        """Let the engine hold the next trials, as many as run at once: a short one leaves its worker little to do.

        This is the last before the engine launches them, so that a command of any thread comes before.
        """
        holder, state = self._holder, self._state
        if holder is None:
            return
        most = self._most_held()
        if len(self._held) > most:
            self.drop_held()
        while len(self._held) < most:
            sampled = self._proposals.next()
            if sampled is None:
                return
            proposal, encoded = sampled
            if not state.settings.allow_duplicates:
                state.seen.add(tuple(encoded))
            holder.hold(state.num_numbered + len(self._held), proposal.point)
            self._held.append(sampled)

    def _most_held(self) -> float:
        """How many trials the engine may hold now.

        The launch of a long one has to be durable before it begins, and a search without any result may be over soon.
        So may one that fails: the engine does not know that a trial failed which has returned no number.
        """
        state, conditions = self._state, self._state.stop_conditions
        if not self._may_launch or state.enqueued or self.trials.keeps_launches or not conditions.has_objective:
            return 0
        limit, num_active = state.settings.total_max_jobs, len(state.active)
        most = min(num_active, conditions.num_failures_left - num_active)
        return most if limit is None else min(most, limit - state.num_launched)

    def drop_held(self) -> None:
        """Let the engine hold nothing; the points are the next ones again."""
        if self._holder is None or not self._held:
            return
        self._holder.drop_held()
        if not self._state.settings.allow_duplicates:
            self._state.seen.difference_update(tuple(encoded) for _proposal, encoded in self._held)
        self._proposals.give_back(self._held)
        self._held.clear()

    def _launched(self, event: JobEvent) -> None:
        """Count a trial that the engine has held and launched."""
        proposal, encoded = self._held.popleft()
        worker, began, after = cast("tuple[int, float, int]", event.data)
        self._proposals.launched(proposal, self.trials.launched(encoded, proposal, worker, began, after))

    def _num_left(self) -> int | None:
        """How many trials the strategy may still propose; None: no limit."""
        state = self._state
        limit = state.settings.total_max_jobs
        return None if limit is None else max(0, limit - state.num_launched - len(state.enqueued))

    def _why_over(self) -> StopReason | None:
        """Why the run is over; None: it goes on."""
        state = self._state
        if self.trials.is_handed_over:
            self.trials.leave(cast("QueueEngine", self.queue).release())
            return self.trials.stop_reason
        if state.active:
            if self._proposals.error is not None:
                self._notify_error()
            return self._leave() if self.trials.has_waited_long_enough() else None
        if self._recorder.locked_since is not None and self.trials.stop_reason is None:
            return None
        return self.trials.stop_reason or self._why_no_more()

    def _why_no_more(self) -> StopReason | None:
        """Why the strategy proposes no further trial; None: it does."""
        return self._state.stop_conditions.why_no_more(self._state, self._proposals)

    def _notify_error(self) -> None:
        """Tell people once what the strategy raised: the run ends with it only after its trials, maybe in hours."""
        if self._has_notified_error or self.trials.stop_reason is not None:
            return
        reason = self._why_no_more()
        if reason is not None and reason.code == "error":
            self._has_notified_error = True
            more = "it proposes no further trial; the search ends after the running and enqueued ones"
            self._tell("strategy", f"{reason.sentence}; {more}")

    def _leave(self) -> StopReason:
        """Give up waiting for jobs whose end the server has not confirmed, and tell people which they are."""
        reason = cast("StopReason", self.trials.stop_reason)
        left = self.trials.leave(cast("QueueEngine", self.queue).may_go_on())
        if not left:
            return reason
        names = [f"#{row.number} ({row.job})" for row in left]
        more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
        unknown = (
            f"the server did not say in {AGREEMENT_SECONDS / SECONDS_A_MINUTE:g} minutes that these trials have ended, "
            f"and they may still run: {', '.join(names[:MOST_NAMES])}{more}"
        )
        self._tell("search", f"{unknown}. Starting or opening the search again takes them over in their state by then")
        return StopReason(reason.code, f"{reason.sentence}; {unknown}")

    def _record(self) -> None:
        """Make everything durable, and then known."""
        self.deadlines.compare_clocks()
        self.trials.refresh_rows()
        self._recorder.flush()
        self._callbacks.hand_over()


class Deadlines:
    """The timed work of one run: limits, heartbeats and reports; belongs to the controller's thread.

    All moments are those of ``time.monotonic``.

    Parameters
    ----------
    state
        Has the limits and what is used of them.
    recorder
        Keeps the lease and the reports.
    trials
        Aborts trials that have reached a limit.
    """

    def __init__(self, state: SearchState, recorder: Recorder, trials: TrialLifecycle) -> None:
        self._state = state
        self._recorder = recorder
        self._trials = trials
        self.next_check = 0.0
        """When `check` is due again."""
        self._next_heartbeat = time.monotonic() + HEARTBEAT_SECONDS
        self._next_report = 0.0
        self._clocks_differ_by = _clocks_differ_by()
        self.begin_report_period()

    def begin_report_period(self) -> None:
        """Plan the next report for a whole period from now."""
        self._next_report = time.monotonic() + self._state.settings.report_period * SECONDS_A_MINUTE

    def check_now(self) -> None:
        """Make `check` due in the next step: a limit may have come nearer."""
        self.next_check = 0.0

    def trial_began(self) -> None:
        """Make `check` due where a limit is set that the trial that has begun may be the first to reach."""
        settings = self._state.settings
        if settings.time_limit_per_job is not None or settings.compute_time_limit is not None:
            self.next_check = 0.0

    def check_if_due(self) -> None:
        """Call `check` when it is due."""
        now = time.monotonic()
        if now >= self.next_check:
            self.check(now)

    def compare_clocks(self) -> None:
        """Record how long search and trials have run, if the time of day was set or the machine has slept.

        The journal's readers compute the duration of a run whose process was killed from the time of day.
        """
        differ_by = _clocks_differ_by()
        if abs(differ_by - self._clocks_differ_by) <= CLOCKS_AGREE_SECONDS:
            return
        self._clocks_differ_by = differ_by
        self._recorder.event("clock_set", wall_minutes=self._state.clock.elapsed)
        self._trials.restate_starts()

    def check(self, now: float) -> None:
        """Act on every limit that is reached, and set `next_check`."""
        clock = self._state.clock
        if now >= self._next_heartbeat:
            self.compare_clocks()
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
        """Abort each trial that has used up its time; return the seconds until the next one has, None: none will."""
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
        """Record the search's progress in the journal (`set_report_period`)."""
        self._recorder.event("report", budget=self._state.budget.to_dict(), top=self._recorder.shown.top(10))


def _clocks_differ_by() -> float:
    """Seconds by which the time of day is ahead of the monotonic clock, which nobody can set."""
    return time.time() - time.monotonic()
