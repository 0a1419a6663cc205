"""The controller's thread: the only writer of a search's state.

Everything that happens to a search enters one inbox: commands of people, events of jobs, answers
of the strategy. The thread sleeps until there is one, acts, and lets the recorder make the result
durable and then visible. `HyperParameterOptimizer` is the public face of this module.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from concurrent.futures import Future
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast

from hpo_widgets.active_trial import ActiveTrial
from hpo_widgets.chronicle import END_STATUS
from hpo_widgets.controller.calls_due import CallsDue
from hpo_widgets.controller.proposals import Proposals, make_proposals
from hpo_widgets.controller.state import SearchState
from hpo_widgets.history import History, observation_of
from hpo_widgets.jobs.base import QueueEngine
from hpo_widgets.journal import JournalError
from hpo_widgets.limits import SECONDS_A_MINUTE
from hpo_widgets.search import EpochMark, Notice, SearchStatus, StopReason
from hpo_widgets.trials import NAN, TrialRow, TrialState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hpo_widgets.callbacks import CallbackThread
    from hpo_widgets.chronicle import Chronicle
    from hpo_widgets.jobs.base import JobEngine, JobEvent, Outcome, Summary
    from hpo_widgets.limits import Settings
    from hpo_widgets.objectives import Objective
    from hpo_widgets.recorder import Recorder
    from hpo_widgets.space import Space
    from hpo_widgets.strategies.base import SearchStrategy

logger = logging.getLogger("hpo_widgets")

HEARTBEAT_SECONDS = 5.0
MAX_NOTICES = 100


class Controller:
    """Runs one search on one thread.

    Everything here is written by the controller's thread or, while none runs, by the thread that holds
    ``_gate``; attributes without an underscore may be read from any.
    """

    def __init__(
        self,
        *,
        space: Space,
        objectives: tuple[Objective, ...],
        strategy: SearchStrategy,
        is_seeded: bool,
        settings: Settings,
        recorder: Recorder,
        callbacks: CallbackThread,
        make_engine: Callable[[int], JobEngine],
    ) -> None:
        self.state = SearchState(space, objectives, strategy, settings)
        self.recorder = recorder
        self.notices: Sequence[Notice] = []
        """Written under ``_gate`` by any thread."""
        self.ended = threading.Event()
        """One for each run, so that who follows a run sees its end even when the next has begun by then."""
        self.ended.set()
        self.aborts_sent = threading.Event()
        """Set once nothing of a stop is left to be sent: at the end, or where jobs run elsewhere, before it."""
        self.aborts_sent.set()

        self._calls = CallsDue(recorder, self.state.epochs, callbacks)
        self._make_engine = make_engine
        self._is_seeded = is_seeded
        self._gate = threading.RLock()
        self._thread: threading.Thread | None = None
        self._inbox: deque[tuple[Callable[[], object], Future[Any]]] = deque()
        self._engine: JobEngine | None = None
        self._queue: QueueEngine | None = None
        """The same, where it runs trials as jobs of a server."""
        self._starts_again = False
        self._proposals: Proposals | None = None
        self._alone = threading.Lock()
        self._ending: StopReason | None = None
        self._dirty: set[int] = set()
        self._next_check = 0.0
        self._next_heartbeat = 0.0
        self._next_report = 0.0

    # Any thread ---------------------------------------------------------------------------------

    @property
    def callback(self) -> Callable[..., object] | None:
        """The ``job_complete_callback`` of the next call."""
        return self._calls.callback

    @callback.setter
    def callback(self, callback: Callable[..., object] | None) -> None:
        self._calls.callback = callback

    @property
    def is_current(self) -> bool:
        """True when asked on the controller's own thread."""
        return threading.current_thread() is self._thread

    def start(self) -> bool:
        """Begin or continue; True when it runs now, False with `stop_reason` when nothing is left."""
        with self._gate:
            if self._thread is not None:
                # Jobs of a server take their time to end: a start meanwhile begins after them.
                self._starts_again = self._queue is not None and self._ending is not None
                return True
            nothing_left = self.state.why_nothing_left()
            if nothing_left is not None:
                self.recorder.flush()  # what a full disk kept from being written at the end
                self.state.stop_reason = nothing_left
                self.state.status = END_STATUS.get(nothing_left.code, SearchStatus.COMPLETED)
                self.recorder.shown.notify()
                return False
            self.recorder.open_journal()
            if self.ended.is_set():
                self.ended = threading.Event()
            self.aborts_sent.clear()
            self.state.stop_reason = None
            self._ending = None
            self.state.endings.begin_run()
            self.state.clock.begin_run()
            self.state.status = SearchStatus.PAUSED if self.state.is_paused else SearchStatus.RUNNING
            self.recorder.event("start")
            self._thread = threading.Thread(target=self._run, name="hpo_widgets controller", daemon=True)
            self._thread.start()
        return True

    @property
    def _has_job_limits(self) -> bool:
        settings = self.state.settings
        return settings.time_limit_per_job is not None or settings.compute_time_limit is not None

    @property
    def next_poll(self) -> float | None:
        """``time.monotonic()`` of the next look at the server that runs the jobs; None: none is due."""
        queue = self._queue
        return None if queue is None else queue.next_poll

    def submit(self, function: Callable[[], object]) -> Future[Any]:
        """Have ``function`` run by the owner of the search's state: the thread, or here if none."""
        future: Future[Any] = Future()
        with self._gate:
            if self._thread is not None and not self.is_current:
                self._inbox.append((function, future))
                self._wake()
                return future
            _complete(future, function)
            if self._thread is None:
                self.recorder.flush()
        return future

    def notice(self, source: str, sentence: str) -> None:
        """Tell people of an error: in the panel's strip, the journal and on the ``hpo_widgets`` logger."""
        logger.warning("%s: %s", source, sentence)
        notice = Notice(source, sentence)
        with self._gate:
            self.notices = [*self.notices, notice][-MAX_NOTICES:]
            try:
                self.submit(lambda: self.recorder.event("notice", **asdict(notice)))
            except JournalError:
                logger.debug("a notice is not in the journal yet", exc_info=True)
        self.recorder.shown.notify()

    def _wake(self) -> None:
        engine = self._engine
        if engine is not None:
            engine.wake()

    def restore(self, chronicle: Chronicle, bulk: Mapping[str, Any], interrupted: Sequence[TrialRow]) -> None:
        """Take up what a journal tells, before the first start in this process.

        ``interrupted`` are trials whose jobs still run somewhere; the next run takes them over.
        """
        self.state.restore(chronicle, bulk, interrupted)
        self.notices = [*chronicle.notices, *self.notices][-MAX_NOTICES:]  # the template may have told something now

    # Commands, on the controller's thread --------------------------------------------------------

    def set_ranges(self, ranges: Mapping[str, Any]) -> None:
        """Narrow or widen ranges: one call is one epoch and one step of `undo`."""
        self._begin(self.state.epochs.set_ranges(ranges, self.state.num_numbered), "set")

    def undo(self) -> None:
        """Go back to the ranges before the last change."""
        self._begin(self.state.epochs.undo(self.state.num_numbered), "undo")

    def redo(self) -> None:
        """Take back the last `undo`."""
        self._begin(self.state.epochs.redo(self.state.num_numbered), "redo")

    def _begin(self, mark: EpochMark | None, step: str) -> None:
        """Make a new epoch known; what was asked under the old one is dropped."""
        if mark is None:
            return
        self.state.num_draws = 0
        self.recorder.event(
            "set_ranges",
            step=step,
            epoch=mark.epoch,
            first_number=mark.first_number,
            space=self.state.epochs.space.to_dict(),
        )
        if self._proposals is not None:
            self._begin_epoch()

    def pause(self) -> None:
        """Launch nothing more; running trials finish."""
        self._set_paused(True)

    def resume(self) -> None:
        """Launch again; a search that was reopened paused is started."""
        self._set_paused(False)
        if self._thread is None and self.state.status is SearchStatus.PAUSED:
            self.state.status = SearchStatus.STOPPED
            self.start()

    def _set_paused(self, paused: bool) -> None:
        if paused == self.state.is_paused:
            return
        self.state.is_paused = paused
        self.recorder.event("pause" if paused else "resume")
        if self._thread is not None and self.state.status in {SearchStatus.RUNNING, SearchStatus.PAUSED}:
            self.state.status = SearchStatus.PAUSED if paused else SearchStatus.RUNNING

    def stop(self, sentence: str = "stopped by hand") -> None:
        """Abort what runs and end the search; nothing happens when it does not run."""
        self._starts_again = False
        if self._thread is not None:
            self._end(StopReason("stopped", sentence))

    def changed_settings(self, **changes: object) -> None:
        """Set limits and sizes; the names are those of `Settings`."""
        for name, value in changes.items():
            setattr(self.state.settings, name, value)
        if "max_number_of_concurrent_tasks" in changes and self._engine is not None:
            self._engine.resize(self.state.settings.max_number_of_concurrent_tasks)
        if "report_period" in changes:
            self._next_report = time.monotonic() + self.state.settings.report_period * SECONDS_A_MINUTE
        self._next_check = 0.0
        self.recorder.event("settings", changes=changes)

    def set_deadline(self, deadline: Any) -> None:
        """Set the moment at which the search ends."""
        self.state.clock.set_deadline(deadline)
        self._next_check = 0.0
        self.recorder.event("set_time_limit", deadline=deadline and deadline.isoformat())

    def enqueue(self, point: dict[str, object]) -> None:
        """Run a point by hand next; it counts against the budget like any other."""
        self.state.waiting_by_hand.append(point)
        self.recorder.event("enqueue_trial", parameters=self.state.space.encode(point))

    def log(self, number: int) -> str:
        """What a running trial has printed so far, empty for others and where a server keeps it."""
        return "" if self._engine is None else self._engine.log(number)

    # The thread ----------------------------------------------------------------------------------

    def _run(self) -> None:
        reason: StopReason | None = None
        try:
            reason = self._open()
            while reason is None:
                reason = self._step()
        except JournalError as error:
            reason = StopReason("error", f"the journal could not be written: {error}")
        except BaseException as error:  # every way out must leave an ended search with its reason
            logger.exception("the search ended with an error")
            reason = StopReason("error", f"the search ended with an error: {error!r}")
        try:
            reason = self._close(reason)
        except Exception:  # whoever waits for the end must not wait for ever
            logger.exception("not everything of the search could be closed")
        finally:
            self._set_ended(reason)

    def _open(self) -> StopReason | None:
        """Start workers and strategy."""
        try:
            self._engine = self._make_engine(self.state.settings.max_number_of_concurrent_tasks)
        except OSError as error:
            return StopReason("launch_failed", f"no worker could be started: {error}")
        self._queue = self._engine if isinstance(self._engine, QueueEngine) else None
        self._proposals = make_proposals(
            self.state.strategy,
            self.state.objectives,
            self.state.seen,
            allow_duplicates=self.state.settings.allow_duplicates,
            is_seeded=self._is_seeded,
            num_workers=lambda: self.state.settings.max_number_of_concurrent_tasks,
            wake=self._wake,
            alone=self._alone,
        )
        self._adopt()
        self._begin_epoch()
        now = time.monotonic()
        self._next_check = 0.0
        self._next_heartbeat = now + HEARTBEAT_SECONDS
        self._next_report = now + self.state.settings.report_period * SECONDS_A_MINUTE
        return None

    def _step(self) -> StopReason | None:
        """One turn: act on what waits, then sleep until something happens; the reason ends it."""
        engine = cast("JobEngine", self._engine)
        recorder = self.recorder
        while self._inbox:
            function, future = self._inbox.popleft()
            _complete(future, function)
            if recorder.due is None:
                recorder.shown.notify()
        self._prune()
        now = time.monotonic()
        if now >= self._next_check:
            self._check_limits(now)
        if self._ending is None and not self.state.is_paused:
            self._launch(engine)
            if self._next_check <= 0:
                self._check_limits(now)
        if not self.state.active:
            reason = self._ending or self._why_no_more()
            if reason is not None:
                return reason
        due, now = recorder.due, time.monotonic()
        if due is not None and now >= due:
            # Only after the launch: no free worker waits for the commit of what it did before.
            self._flush()
            due, now = recorder.due, time.monotonic()
        until = self._next_check if due is None else min(self._next_check, due)
        for event in engine.wait(max(0.0, until - now)):
            if event.kind == "ended":
                self._ended(event.number, cast("Outcome", event.data))
            elif event.kind == "scalar":
                self._scalar(event)
            else:
                self._job_event(event)
        if self._ending is not None and self._queue is not None and self._queue.has_sent_aborts():
            self.aborts_sent.set()
        return None

    def _flush(self) -> None:
        for number in self._dirty:
            trial = self.state.active.get(number)
            if trial is not None:
                self.recorder.change(trial.refresh(self.state.objectives))
        self._dirty.clear()
        self.recorder.flush()
        self._calls.hand_over()

    def _close(self, reason: StopReason) -> StopReason:
        """Close every process and file that the run opened, and write its end; returns the reason."""
        engine, proposals = self._engine, self._proposals
        if engine is not None:
            engine.close()
        if proposals is not None:
            proposals.close()
        for number, trial in list(self.state.active.items()):
            # Only an error leaves trials behind; their workers are gone now.
            trial.refresh(self.state.objectives)
            self._finish(number, trial, TrialState.ABORTED, reason.sentence)
        self.state.clock.end_run()
        self.state.is_paused = False
        self.recorder.event("end", code=reason.code, sentence=reason.sentence, wall_minutes=self.state.clock.elapsed)
        if reason.code in {"error", "launch_failed"}:
            self.notice("search", reason.sentence)
        try:
            self._flush()
        except JournalError as error:
            self.notice("journal", f"{error} What was not written yet is kept in memory.")
            if reason.code != "error":
                reason = StopReason("error", f"the journal could not be written: {error}")
        self.recorder.close_journal()
        self._calls.close()
        return reason

    def _set_ended(self, reason: StopReason) -> None:
        """Say that the search has ended; commands that came too late for it are done now."""
        with self._gate:
            self._engine = self._proposals = self._queue = None
            self.state.stop_reason = reason
            self.state.exhausted = self.state.epochs.number if reason.code == "space_exhausted" else None
            self.state.status = END_STATUS.get(reason.code, SearchStatus.COMPLETED)
            self._thread = None
            if self._inbox:
                while self._inbox:
                    function, future = self._inbox.popleft()
                    _complete(future, function)
                try:
                    self.recorder.flush()
                except JournalError as error:
                    logger.warning("journal: %s", error)
            if not self._start_again():
                self.aborts_sent.set()
                self.ended.set()
        self.recorder.shown.notify()

    def _start_again(self) -> bool:
        """Begin the run that was asked for while the last one was ending."""
        asked, self._starts_again = self._starts_again, False
        try:
            return asked and self.start()
        except JournalError as error:
            logger.warning("journal: %s", error)
            return False

    # Launching -----------------------------------------------------------------------------------

    def _launch(self, engine: JobEngine) -> None:
        """Give every free worker a trial; a worker gets one only when it is free."""
        limit = self.state.settings.total_max_jobs
        proposals = cast("Proposals", self._proposals)
        num_free = min(engine.free(), self.state.settings.max_number_of_concurrent_tasks - len(self.state.active))
        while num_free > 0 and (limit is None or self.state.num_launched < limit):
            if self.state.waiting_by_hand:
                point = self.state.waiting_by_hand.popleft()
                self._launch_point(engine, point, self.state.space.encode(point), None)
            else:
                drawn = proposals.next()
                if drawn is None:
                    return
                proposal, encoded = drawn
                number = self.state.num_numbered
                self._launch_point(engine, proposal.point, encoded, proposal)
                proposals.launched(proposal, number)
            num_free -= 1

    def _launch_point(
        self,
        engine: JobEngine,
        point: dict[str, object],
        encoded: list[float | None],
        proposal: Any,
    ) -> None:
        number = self.state.num_numbered
        self.state.num_numbered = number + 1
        self.state.num_launched += 1
        self.state.seen.add(tuple(encoded))
        now = time.monotonic()
        row = TrialRow(
            number,
            1,  # TrialState.RUNNING, spelt as the integer it is stored as: this is the hot path
            self.state.epochs.number,
            encoded,
            started=time.time(),
            manual=proposal is None,
        )
        if proposal is not None:
            row.draw = proposal.draw
            self.state.num_draws = proposal.draw + 1
        self.state.active[number] = ActiveTrial(row, proposal, now)
        if self._queue is None:
            self.state.clock.active_started[number] = now
        else:
            row.state, row.started = 0, NAN  # TrialState.QUEUED, until an event says that it runs
            self._queue.describe(row)
        row.worker = engine.launch(number, point)
        self.recorder.change(row)
        if self._has_job_limits:
            self._next_check = 0.0  # it may be the next to reach one

    def _adopt(self) -> None:
        """Take over the jobs that an earlier process left running."""
        interrupted, self.state.interrupted = self.state.interrupted, []
        queue = self._queue
        if queue is None:
            return
        for row, job in sorted(interrupted, key=lambda pair: pair[0].number):
            trial = self.state.active[row.number] = ActiveTrial(row, None, time.monotonic())
            trial.restore()
            queue.adopt(row.number, job, self.state.space.decode(row.parameters))
            self.recorder.change(row)

    def _begin_epoch(self) -> None:
        # So that the history is whole: what ended is in the journal before a strategy reads it.
        self._flush()
        proposals = cast("Proposals", self._proposals)
        history = History(self.recorder, self.state.space, self.state.num_numbered, frozenset(self.state.active))
        proposals.begin(self.state.space, self.state.epochs.number, history, self.state.num_draws)

    def _why_no_more(self) -> StopReason | None:
        return self.state.endings.why_no_more(
            self.state.num_launched,
            cast("Proposals", self._proposals),
            type(self.state.strategy).__name__,
            may_launch=not (self.state.waiting_by_hand or self.state.is_paused),
        )

    # Ending --------------------------------------------------------------------------------------

    def _end(self, reason: StopReason) -> None:
        """Abort every running trial and launch nothing more."""
        if self._ending is not None:
            return
        self._ending = reason
        self.state.status = SearchStatus.STOPPING
        with self._queue.together() if self._queue is not None else contextlib.nullcontext():
            for number in self.state.active:
                self._abort(number, reason.sentence)

    def _abort(self, number: int, sentence: str) -> None:
        self.state.active[number].end_reason = sentence
        if self._queue is not None:
            self._queue.give_reason(number, sentence)
        cast("JobEngine", self._engine).abort(number, self.state.settings.stop_grace)

    def _ask_stop(self, number: int, state: TrialState, sentence: str) -> None:
        """Ask a trial to end by itself, once."""
        self.state.active[number].asked_to_stop = True
        if self._queue is not None:
            self._queue.give_reason(number, sentence)
        cast("JobEngine", self._engine).ask_stop(number, state)

    def _check_limits(self, now: float) -> None:
        """Act on every limit that is reached and say when to look again."""
        clock = self.state.clock
        if now >= self._next_heartbeat:
            self.recorder.heartbeat()
            self._next_heartbeat = now + HEARTBEAT_SECONDS
        if now >= self._next_report:
            self._report()
            self._next_report = now + self.state.settings.report_period * SECONDS_A_MINUTE
        to_job_limit = clock.seconds_to_job_limit()
        if to_job_limit is not None and to_job_limit <= 0:
            self._abort_overdue(now)
            to_job_limit = clock.seconds_to_job_limit()
        to_deadline, to_compute = clock.seconds_to_deadline(), clock.seconds_to_compute_limit()
        if to_deadline is not None and to_deadline <= 0:
            self._end(StopReason("optimization_time_limit", "the time limit has passed"))
        elif to_compute is not None and to_compute <= 0:
            limit = self.state.settings.compute_time_limit
            self._end(StopReason("compute_time_limit", f"all {limit:g} minutes of compute time were used"))
        waits = [
            seconds for seconds in (to_deadline, to_compute, to_job_limit)
            if seconds is not None and seconds > 0
        ]  # fmt: skip
        soonest = min([now + wait for wait in waits], default=self._next_heartbeat)
        self._next_check = min(soonest, self._next_heartbeat, self._next_report)

    def _abort_overdue(self, now: float) -> None:
        limit = cast("float", self.state.settings.time_limit_per_job)
        for number, started in list(self.state.clock.active_started.items()):
            if started + limit * SECONDS_A_MINUTE > now:
                return
            self._abort(number, f"aborted after {limit:g} minutes (time_limit_per_job)")
            # It is on its way out: the next oldest sets the next look.
            self.state.clock.compute_done += (now - started) / SECONDS_A_MINUTE
            del self.state.clock.active_started[number]

    def _prune(self) -> None:
        proposals = cast("Proposals", self._proposals)
        for number in proposals.take_prunes():
            trial = self.state.active.get(number)
            if trial is not None and not trial.asked_to_stop:
                trial.end_reason = "pruned: behind the others at the same iteration"
                self._ask_stop(number, TrialState.PRUNED, trial.end_reason)

    # Events of jobs ------------------------------------------------------------------------------

    def _job_event(self, event: JobEvent) -> None:
        """Act on what a server tells of a job."""
        if event.kind == "notice":
            self.notice(*cast("tuple[str, str]", event.data))
            return
        number = event.number
        trial = self.state.active.get(number)
        if trial is None:
            return
        row = trial.row
        if event.kind == "job":
            row.job = cast("str", event.data)
        elif event.kind == "queued":
            row.state, row.started = TrialState.QUEUED, NAN
            self.state.clock.active_started.pop(number, None)
        elif event.kind == "started":
            row.state, row.started = TrialState.RUNNING, cast("float", event.data)
            self.state.clock.active_started[number] = time.monotonic() - max(0.0, time.time() - row.started)
            self._next_check = 0.0
        elif not self._summary(number, trial, cast("Summary", event.data)):
            return
        self.recorder.change(row)

    def _summary(self, number: int, trial: ActiveTrial, summary: Summary) -> bool:
        before = trial.last_iteration
        if not trial.take_summary(summary):
            return False
        self.state.num_iterations += max(0, trial.last_iteration - max(before, 0))
        self._dirty.add(number)
        objective = self.state.objectives[0]
        reported = trial.summaries.get((objective.title, objective.series))
        if reported is not None:
            self._reported(number, trial, trial.last_iteration, reported.last)
        else:
            self._count_iteration(number, trial, trial.last_iteration)
        return True

    def _scalar(self, event: JobEvent) -> None:
        number = event.number
        trial = self.state.active.get(number)
        if trial is None:
            return
        title, series, value, iteration = cast("tuple[str, str, float, int]", event.data)
        before = trial.last_iteration
        trial.report(title, series, value, iteration)
        self.state.num_iterations += max(0, trial.last_iteration - max(before, 0))
        self.recorder.scalar(number, title, series, value, iteration)
        self.recorder.change(trial.row)
        self._dirty.add(number)
        first = self.state.objectives[0]
        if title == first.title and series == first.series:
            self._reported(number, trial, iteration, value)
        else:
            self._count_iteration(number, trial, iteration)

    def _count_iteration(self, number: int, trial: ActiveTrial, iteration: int) -> None:
        limit = self.state.settings.max_iteration_per_job
        if limit is not None and iteration >= limit and not trial.asked_to_stop:
            self._ask_stop(number, TrialState.COMPLETED, f"iteration {limit} was reached (max_iteration_per_job)")

    def _reported(self, number: int, trial: ActiveTrial, iteration: int, value: float) -> None:
        """Act on an interim value of the first objective."""
        self._count_iteration(number, trial, iteration)
        if not trial.asked_to_stop:
            minimum = self.state.settings.min_iteration_per_job
            if minimum is None or iteration >= minimum:
                cast("Proposals", self._proposals).report(number, iteration, value)

    def _ended(self, number: int, outcome: Outcome) -> None:
        trial = self.state.active[number]
        state = outcome.state
        error = outcome.error
        had_reports = bool(trial.summaries)
        lacks_objective = False
        wrong = trial.take_result(outcome.result, self.state.objectives)
        if had_reports and outcome.result is not None and wrong is None:
            self._record_result(number, trial, outcome.result)
        trial.refresh(self.state.objectives)
        if state == TrialState.COMPLETED:
            error = wrong or trial.judge(self.state.objectives)
            if error is not None:
                state = TrialState.FAILED
                lacks_objective = wrong is None and trial.row.values is None
        elif state != TrialState.FAILED:
            error = trial.end_reason or error
        if outcome.stdout or outcome.stderr or outcome.traceback:
            self.recorder.output(number, outcome.stdout, outcome.stderr, outcome.traceback or "")
        self._finish(number, trial, state, error, outcome.duration if self._queue is not None else None)
        if state != TrialState.FAILED and trial.row.values is not None:
            self.state.endings.has_objective = True
        reason = self.state.endings.after_trial(
            state,
            error,
            launch_failed=outcome.launch_failed,
            without_objective=lacks_objective,
        )
        if reason is not None:
            self._end(reason)

    def _record_result(self, number: int, trial: ActiveTrial, result: Any) -> None:
        """Keep a returned value with the curve that it ends."""
        first = self.state.objectives[0]
        values = result if isinstance(result, dict) else {first.key: result}
        for key, value in values.items():
            title, _, series = key.rpartition("/")
            self.recorder.scalar(number, title, series, float(value), max(trial.last_iteration, 0))

    def _finish(
        self, number: int, trial: ActiveTrial, state: TrialState, error: str | None, duration: float | None = None
    ) -> None:
        """End a trial; ``duration`` is what a server's clock says that its job took, in seconds."""
        del self.state.active[number]
        started = self.state.clock.active_started.pop(number, None)
        if duration:
            self.state.clock.compute_done += duration / SECONDS_A_MINUTE
        elif started is not None:
            self.state.clock.compute_done += (time.monotonic() - started) / SECONDS_A_MINUTE
        self._dirty.discard(number)
        row = trial.finish(state, time.time(), error, duration)
        self.recorder.ended(row)
        if self._proposals is not None:
            self._proposals.ended(number)
            if self._proposals.wants_observations:
                self._proposals.tell(observation_of(row, self.state.space))

    def _report(self) -> None:
        """Keep a picture of the search's progress in the journal (`set_report_period`)."""
        budget = self.state.budget
        top = self.recorder.shown.top(10)
        self.recorder.event("report", budget=budget.to_dict(), top=top)


def _complete(future: Future[Any], function: Callable[[], object]) -> None:
    """Run a command and give its result or error to whoever waits for it."""
    try:
        future.set_result(function())
    except Exception as error:  # noqa: BLE001 -- it belongs to the one who asked
        future.set_exception(error)
