"""The controller's thread: the only writer of a search's state.

Everything that happens to a search enters one inbox: commands of people, events of jobs, answers
of the strategy. The thread sleeps until there is one, acts, and lets the recorder make the result
durable and then visible. `HyperParameterOptimizer` is the public face of this module.
"""

from __future__ import annotations

import contextlib
import datetime as dt
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
from hpo_widgets.controller.endings import Endings
from hpo_widgets.controller.proposals import Proposals, make_proposals
from hpo_widgets.epochs import Epochs
from hpo_widgets.history import History, observation_of
from hpo_widgets.jobs.base import QueueEngine
from hpo_widgets.journal import JournalError
from hpo_widgets.limits import SECONDS_A_MINUTE, Clock, Settings
from hpo_widgets.search import EpochMark, Notice, SearchStatus, StopReason
from hpo_widgets.trials import NAN, TrialRow, TrialState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hpo_widgets.callbacks import CallbackThread
    from hpo_widgets.chronicle import Chronicle
    from hpo_widgets.jobs.base import JobEngine, JobEvent, Outcome, Summary
    from hpo_widgets.objectives import Objective
    from hpo_widgets.recorder import Recorder
    from hpo_widgets.space import Space
    from hpo_widgets.strategies.base import SearchStrategy

logger = logging.getLogger("hpo_widgets")

HEARTBEAT_SECONDS = 5.0
MAX_NOTICES = 100


class Controller:
    """Runs one search on one thread.

    Attributes without an underscore are written by the controller's thread (or, while none runs,
    by the thread that holds ``_gate``) and may be read from any.
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
        self.epochs = Epochs(space)
        self.objectives = objectives
        self.strategy = strategy
        self.settings = settings
        self.recorder = recorder
        self.clock = Clock(settings)
        self.status = SearchStatus.IDLE
        self.stop_reason: StopReason | None = None
        self.notices: list[Notice] = []
        self.num_launched = 0
        self.num_numbered = 0
        self.num_iterations = 0
        self.active: dict[int, ActiveTrial] = {}
        self.waiting_by_hand: deque[dict[str, object]] = deque()
        self.ended = threading.Event()
        """One for each run, so that who follows a run sees its end even when the next has begun by then."""
        self.ended.set()
        self.aborts_sent = threading.Event()
        """Set once nothing of a stop is left to be sent: at the end, or where jobs run elsewhere, before it."""
        self.aborts_sent.set()

        self._calls = CallsDue(recorder, self.epochs, callbacks)
        self._make_engine = make_engine
        self._is_seeded = is_seeded
        self._gate = threading.RLock()
        self._thread: threading.Thread | None = None
        self._inbox: deque[tuple[Callable[[], object], Future[Any]]] = deque()
        self._engine: JobEngine | None = None
        self._queue: QueueEngine | None = None
        """The same, where it runs trials as jobs of a server."""
        self._interrupted: list[tuple[TrialRow, str]] = []
        """Trials whose jobs an earlier process launched, to be taken over by the next run."""
        self._starts_again = False
        self._proposals: Proposals | None = None
        self._alone = threading.Lock()
        self._seen: set[tuple[float | None, ...]] = set()
        self._draws = 0
        self._endings = Endings(settings, self.clock)
        self._is_paused = False
        self._exhausted: int | None = None
        """The epoch in which the strategy had no further point; None: not yet."""
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
    def space(self) -> Space:
        """The present space epoch."""
        return self.epochs.space

    @property
    def is_paused(self) -> bool:
        """True while nothing is launched because a person said so."""
        return self._is_paused

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
            nothing_left = self.why_nothing_left()
            if nothing_left is not None:
                self.recorder.flush()  # what a full disk kept from being written at the end
                self.stop_reason = nothing_left
                self.status = END_STATUS.get(nothing_left.code, SearchStatus.COMPLETED)
                self.recorder.shown.notify()
                return False
            self.recorder.open_journal()
            if self.ended.is_set():
                self.ended = threading.Event()
            self.aborts_sent.clear()
            self.stop_reason = None
            self._ending = None
            self._endings.begin_run()
            self.clock.begin_run()
            self.status = SearchStatus.PAUSED if self._is_paused else SearchStatus.RUNNING
            self.recorder.event("start")
            self._thread = threading.Thread(target=self._run, name="hpo_widgets controller", daemon=True)
            self._thread.start()
        return True

    def why_nothing_left(self) -> StopReason | None:
        """Why a search that does not run cannot be started now; None: it can."""
        if self._interrupted:
            return None
        reason = self._endings.why_nothing_left(self.num_launched)
        if reason is None and self._exhausted == self.epochs.number and not self.waiting_by_hand:
            return self.stop_reason
        return reason

    @property
    def _has_job_limits(self) -> bool:
        settings = self.settings
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
        self._interrupted = [(row, row.job) for row in interrupted if row.job is not None]
        self.epochs.restore(chronicle)
        self.notices = [*chronicle.notices, *self.notices][-MAX_NOTICES:]  # the template may have told something now
        self.stop_reason = chronicle.stop_reason
        self._is_paused = chronicle.is_paused
        self.status = chronicle.status(owner_is_alive=False)
        clock = self.clock
        clock.wall_before = chronicle.wall_before
        clock.was_started = chronicle.was_started
        if chronicle.has_own_deadline:
            deadline = chronicle.deadline
            clock.set_deadline(None if deadline is None else dt.datetime.fromisoformat(deadline))
        numbers = bulk["number"]
        self.num_launched = len(numbers)
        self.num_numbered = int(numbers.max()) + 1 if len(numbers) else 0
        seconds = (bulk["ended"] - bulk["started"]).tolist()
        clock.compute_done = sum(s for s in seconds if s == s) / SECONDS_A_MINUTE  # noqa: PLR0124 -- NaN
        self._seen = {tuple(point) for point in bulk["parameters"]}
        in_epoch = bulk["epoch"] == self.epochs.number
        self._draws = int(bulk["draw"][in_epoch].max()) + 1 if in_epoch.any() else 0
        self._endings.has_objective = bool((bulk["state"] == TrialState.COMPLETED).any())
        num_by_hand = int(bulk["manual"].sum())
        self.waiting_by_hand.extend(
            dict(chronicle.declared_space.decode(encoded)) for encoded in chronicle.points_by_hand[num_by_hand:]
        )

    # Commands, on the controller's thread --------------------------------------------------------

    def set_ranges(self, ranges: Mapping[str, Any]) -> None:
        """Narrow or widen ranges: one call is one epoch and one step of `undo`."""
        self._begin(self.epochs.set_ranges(ranges, self.num_numbered), "set")

    def undo(self) -> None:
        """Go back to the ranges before the last change."""
        self._begin(self.epochs.undo(self.num_numbered), "undo")

    def redo(self) -> None:
        """Take back the last `undo`."""
        self._begin(self.epochs.redo(self.num_numbered), "redo")

    def _begin(self, mark: EpochMark | None, step: str) -> None:
        """Make a new epoch known; what was asked under the old one is dropped."""
        if mark is None:
            return
        self._draws = 0
        self.recorder.event(
            "set_ranges",
            step=step,
            epoch=mark.epoch,
            first_number=mark.first_number,
            space=self.epochs.space.to_dict(),
        )
        if self._proposals is not None:
            self._begin_epoch()

    def pause(self) -> None:
        """Launch nothing more; running trials finish."""
        self._set_paused(True)

    def resume(self) -> None:
        """Launch again; a search that was reopened paused is started."""
        self._set_paused(False)
        if self._thread is None and self.status is SearchStatus.PAUSED:
            self.status = SearchStatus.STOPPED
            self.start()

    def _set_paused(self, paused: bool) -> None:
        if paused == self._is_paused:
            return
        self._is_paused = paused
        self.recorder.event("pause" if paused else "resume")
        if self._thread is not None and self.status in {SearchStatus.RUNNING, SearchStatus.PAUSED}:
            self.status = SearchStatus.PAUSED if paused else SearchStatus.RUNNING

    def stop(self, sentence: str = "stopped by hand") -> None:
        """Abort what runs and end the search; nothing happens when it does not run."""
        self._starts_again = False
        if self._thread is not None:
            self._end(StopReason("stopped", sentence))

    def changed_settings(self, **changes: object) -> None:
        """Set limits and sizes; the names are those of `Settings`."""
        for name, value in changes.items():
            setattr(self.settings, name, value)
        if "max_number_of_concurrent_tasks" in changes and self._engine is not None:
            self._engine.resize(self.settings.max_number_of_concurrent_tasks)
        if "report_period" in changes:
            self._next_report = time.monotonic() + self.settings.report_period * SECONDS_A_MINUTE
        self._next_check = 0.0
        self.recorder.event("settings", changes=changes)

    def set_deadline(self, deadline: Any) -> None:
        """Set the moment at which the search ends."""
        self.clock.set_deadline(deadline)
        self._next_check = 0.0
        self.recorder.event("set_time_limit", deadline=deadline and deadline.isoformat())

    def enqueue(self, point: dict[str, object]) -> None:
        """Run a point by hand next; it counts against the budget like any other."""
        self.waiting_by_hand.append(point)
        self.recorder.event("enqueue_trial", parameters=self.space.encode(point))

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
            self._engine = self._make_engine(self.settings.max_number_of_concurrent_tasks)
        except OSError as error:
            return StopReason("launch_failed", f"no worker could be started: {error}")
        self._queue = self._engine if isinstance(self._engine, QueueEngine) else None
        self._proposals = make_proposals(
            self.strategy,
            self.objectives,
            self._seen,
            allow_duplicates=self.settings.allow_duplicates,
            is_seeded=self._is_seeded,
            num_workers=lambda: self.settings.max_number_of_concurrent_tasks,
            wake=self._wake,
            alone=self._alone,
        )
        self._adopt()
        self._begin_epoch()
        now = time.monotonic()
        self._next_check = 0.0
        self._next_heartbeat = now + HEARTBEAT_SECONDS
        self._next_report = now + self.settings.report_period * SECONDS_A_MINUTE
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
        if self._ending is None and not self._is_paused:
            self._launch(engine)
            if self._next_check <= 0:
                self._check_limits(now)
        if not self.active:
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
            trial = self.active.get(number)
            if trial is not None:
                self.recorder.change(trial.refresh(self.objectives))
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
        for number, trial in list(self.active.items()):
            # Only an error leaves trials behind; their workers are gone now.
            trial.refresh(self.objectives)
            self._finish(number, trial, TrialState.ABORTED, reason.sentence)
        self.clock.end_run()
        self._is_paused = False
        self.recorder.event("end", code=reason.code, sentence=reason.sentence, wall_minutes=self.clock.elapsed)
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
            self.stop_reason = reason
            self._exhausted = self.epochs.number if reason.code == "space_exhausted" else None
            self.status = END_STATUS.get(reason.code, SearchStatus.COMPLETED)
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
        limit = self.settings.total_max_jobs
        proposals = cast("Proposals", self._proposals)
        num_free = min(engine.free(), self.settings.max_number_of_concurrent_tasks - len(self.active))
        while num_free > 0 and (limit is None or self.num_launched < limit):
            if self.waiting_by_hand:
                point = self.waiting_by_hand.popleft()
                self._launch_point(engine, point, self.space.encode(point), None)
            else:
                drawn = proposals.next()
                if drawn is None:
                    return
                proposal, encoded = drawn
                number = self.num_numbered
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
        number = self.num_numbered
        self.num_numbered = number + 1
        self.num_launched += 1
        self._seen.add(tuple(encoded))
        now = time.monotonic()
        row = TrialRow(
            number,
            1,  # TrialState.RUNNING, spelt as the integer it is stored as: this is the hot path
            self.epochs.number,
            encoded,
            started=time.time(),
            manual=proposal is None,
        )
        if proposal is not None:
            row.draw = proposal.draw
            self._draws = proposal.draw + 1
        self.active[number] = ActiveTrial(row, proposal, now)
        if self._queue is None:
            self.clock.active_started[number] = now
        else:
            row.state, row.started = 0, NAN  # TrialState.QUEUED, until an event says that it runs
            self._queue.describe(row)
        row.worker = engine.launch(number, point)
        self.recorder.change(row)
        if self._has_job_limits:
            self._next_check = 0.0  # it may be the next to reach one

    def _adopt(self) -> None:
        """Take over the jobs that an earlier process left running."""
        interrupted, self._interrupted = self._interrupted, []
        queue = self._queue
        if queue is None:
            return
        for row, job in sorted(interrupted, key=lambda pair: pair[0].number):
            trial = self.active[row.number] = ActiveTrial(row, None, time.monotonic())
            trial.restore()
            queue.adopt(row.number, job, self.space.decode(row.parameters))
            self.recorder.change(row)

    def _begin_epoch(self) -> None:
        # So that the history is whole: what ended is in the journal before a strategy reads it.
        self._flush()
        proposals = cast("Proposals", self._proposals)
        history = History(self.recorder, self.space, self.num_numbered, frozenset(self.active))
        proposals.begin(self.space, self.epochs.number, history, self._draws)

    def _why_no_more(self) -> StopReason | None:
        return self._endings.why_no_more(
            self.num_launched,
            cast("Proposals", self._proposals),
            type(self.strategy).__name__,
            may_launch=not (self.waiting_by_hand or self._is_paused),
        )

    # Ending --------------------------------------------------------------------------------------

    def _end(self, reason: StopReason) -> None:
        """Abort every running trial and launch nothing more."""
        if self._ending is not None:
            return
        self._ending = reason
        self.status = SearchStatus.STOPPING
        with self._queue.together() if self._queue is not None else contextlib.nullcontext():
            for number in self.active:
                self._abort(number, reason.sentence)

    def _abort(self, number: int, sentence: str) -> None:
        self.active[number].end_reason = sentence
        if self._queue is not None:
            self._queue.give_reason(number, sentence)
        cast("JobEngine", self._engine).abort(number, self.settings.stop_grace)

    def _ask_stop(self, number: int, state: TrialState, sentence: str) -> None:
        """Ask a trial to end by itself, once."""
        self.active[number].asked_to_stop = True
        if self._queue is not None:
            self._queue.give_reason(number, sentence)
        cast("JobEngine", self._engine).ask_stop(number, state)

    def _check_limits(self, now: float) -> None:
        """Act on every limit that is reached and say when to look again."""
        clock = self.clock
        if now >= self._next_heartbeat:
            self.recorder.heartbeat()
            self._next_heartbeat = now + HEARTBEAT_SECONDS
        if now >= self._next_report:
            self._report()
            self._next_report = now + self.settings.report_period * SECONDS_A_MINUTE
        to_job_limit = clock.seconds_to_job_limit()
        if to_job_limit is not None and to_job_limit <= 0:
            self._abort_overdue(now)
            to_job_limit = clock.seconds_to_job_limit()
        to_deadline, to_compute = clock.seconds_to_deadline(), clock.seconds_to_compute_limit()
        if to_deadline is not None and to_deadline <= 0:
            self._end(StopReason("optimization_time_limit", "the time limit has passed"))
        elif to_compute is not None and to_compute <= 0:
            limit = self.settings.compute_time_limit
            self._end(StopReason("compute_time_limit", f"all {limit:g} minutes of compute time were used"))
        waits = [
            seconds for seconds in (to_deadline, to_compute, to_job_limit)
            if seconds is not None and seconds > 0
        ]  # fmt: skip
        soonest = min([now + wait for wait in waits], default=self._next_heartbeat)
        self._next_check = min(soonest, self._next_heartbeat, self._next_report)

    def _abort_overdue(self, now: float) -> None:
        limit = cast("float", self.settings.time_limit_per_job)
        for number, started in list(self.clock.active_started.items()):
            if started + limit * SECONDS_A_MINUTE > now:
                return
            self._abort(number, f"aborted after {limit:g} minutes (time_limit_per_job)")
            # It is on its way out: the next oldest sets the next look.
            self.clock.compute_done += (now - started) / SECONDS_A_MINUTE
            del self.clock.active_started[number]

    def _prune(self) -> None:
        proposals = cast("Proposals", self._proposals)
        for number in proposals.take_prunes():
            trial = self.active.get(number)
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
        trial = self.active.get(number)
        if trial is None:
            return
        row = trial.row
        if event.kind == "job":
            row.job = cast("str", event.data)
        elif event.kind == "queued":
            row.state, row.started = TrialState.QUEUED, NAN
            self.clock.active_started.pop(number, None)
        elif event.kind == "started":
            row.state, row.started = TrialState.RUNNING, cast("float", event.data)
            self.clock.active_started[number] = time.monotonic() - max(0.0, time.time() - row.started)
            self._next_check = 0.0
        elif not self._summary(number, trial, cast("Summary", event.data)):
            return
        self.recorder.change(row)

    def _summary(self, number: int, trial: ActiveTrial, summary: Summary) -> bool:
        before = trial.last_iteration
        if not trial.take_summary(summary):
            return False
        self.num_iterations += max(0, trial.last_iteration - max(before, 0))
        self._dirty.add(number)
        objective = self.objectives[0]
        reported = trial.summaries.get((objective.title, objective.series))
        if reported is not None:
            self._reported(number, trial, trial.last_iteration, reported.last)
        else:
            self._count_iteration(number, trial, trial.last_iteration)
        return True

    def _scalar(self, event: JobEvent) -> None:
        number = event.number
        trial = self.active.get(number)
        if trial is None:
            return
        title, series, value, iteration = cast("tuple[str, str, float, int]", event.data)
        before = trial.last_iteration
        trial.report(title, series, value, iteration)
        self.num_iterations += max(0, trial.last_iteration - max(before, 0))
        self.recorder.scalar(number, title, series, value, iteration)
        self.recorder.change(trial.row)
        self._dirty.add(number)
        first = self.objectives[0]
        if title == first.title and series == first.series:
            self._reported(number, trial, iteration, value)
        else:
            self._count_iteration(number, trial, iteration)

    def _count_iteration(self, number: int, trial: ActiveTrial, iteration: int) -> None:
        limit = self.settings.max_iteration_per_job
        if limit is not None and iteration >= limit and not trial.asked_to_stop:
            self._ask_stop(number, TrialState.COMPLETED, f"iteration {limit} was reached (max_iteration_per_job)")

    def _reported(self, number: int, trial: ActiveTrial, iteration: int, value: float) -> None:
        """Act on an interim value of the first objective."""
        self._count_iteration(number, trial, iteration)
        if not trial.asked_to_stop:
            minimum = self.settings.min_iteration_per_job
            if minimum is None or iteration >= minimum:
                cast("Proposals", self._proposals).report(number, iteration, value)

    def _ended(self, number: int, outcome: Outcome) -> None:
        trial = self.active[number]
        state = outcome.state
        error = outcome.error
        had_reports = bool(trial.summaries)
        lacks_objective = False
        wrong = trial.take_result(outcome.result, self.objectives)
        if had_reports and outcome.result is not None and wrong is None:
            self._record_result(number, trial, outcome.result)
        trial.refresh(self.objectives)
        if state == TrialState.COMPLETED:
            error = wrong or trial.judge(self.objectives)
            if error is not None:
                state = TrialState.FAILED
                lacks_objective = wrong is None and trial.row.values is None
        elif state != TrialState.FAILED:
            error = trial.end_reason or error
        if outcome.stdout or outcome.stderr or outcome.traceback:
            self.recorder.output(number, outcome.stdout, outcome.stderr, outcome.traceback or "")
        self._finish(number, trial, state, error, outcome.duration if self._queue is not None else None)
        if state != TrialState.FAILED and trial.row.values is not None:
            self._endings.has_objective = True
        reason = self._endings.after_trial(
            state,
            error,
            launch_failed=outcome.launch_failed,
            without_objective=lacks_objective,
        )
        if reason is not None:
            self._end(reason)

    def _record_result(self, number: int, trial: ActiveTrial, result: Any) -> None:
        """Keep a returned value with the curve that it ends."""
        first = self.objectives[0]
        values = result if isinstance(result, dict) else {first.key: result}
        for key, value in values.items():
            title, _, series = key.rpartition("/")
            self.recorder.scalar(number, title, series, float(value), max(trial.last_iteration, 0))

    def _finish(
        self, number: int, trial: ActiveTrial, state: TrialState, error: str | None, duration: float | None = None
    ) -> None:
        """End a trial; ``duration`` is what a server's clock says that its job took, in seconds."""
        del self.active[number]
        started = self.clock.active_started.pop(number, None)
        if duration:
            self.clock.compute_done += duration / SECONDS_A_MINUTE
        elif started is not None:
            self.clock.compute_done += (time.monotonic() - started) / SECONDS_A_MINUTE
        self._dirty.discard(number)
        row = trial.finish(state, time.time(), error, duration)
        self.recorder.ended(row)
        if self._proposals is not None:
            self._proposals.ended(number)
            if self._proposals.wants_observations:
                self._proposals.tell(observation_of(row, self.space))

    def _report(self) -> None:
        """Keep a picture of the search's progress in the journal (`set_report_period`)."""
        budget = self.clock.budget(self.num_launched, self.num_iterations)
        top = self.recorder.shown.top(10)
        self.recorder.event("report", budget=budget.to_dict(), top=top)


def _complete(future: Future[Any], function: Callable[[], object]) -> None:
    """Run a command and give its result or error to whoever waits for it."""
    try:
        future.set_result(function())
    except Exception as error:  # noqa: BLE001 -- it belongs to the one who asked
        future.set_exception(error)
