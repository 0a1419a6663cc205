"""The controller's thread: the only writer of a search's state.

Everything that happens to a search enters one inbox: commands of people, events of jobs, answers
of the strategy. The thread sleeps until there is one, acts, and lets the recorder make the result
durable and then visible. `HyperParameterOptimizer` is the public face of this module.
"""

from __future__ import annotations

import logging
import math
import signal
import threading
import time
from collections import deque
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

from hpo_widgets._messages import complete
from hpo_widgets.controller.callbacks import CallbackQueue
from hpo_widgets.controller.proposals import DistinctSampler, InlineProposals, ThreadedProposals
from hpo_widgets.controller.recorder import RETRY_SECONDS
from hpo_widgets.controller.run import Run
from hpo_widgets.controller.state import SearchState
from hpo_widgets.journal import JournalError
from hpo_widgets.search import END_STATUS, MOST_NOTICES, Notice, SearchStatus, StopReason
from hpo_widgets.search.limits import SECONDS_A_MINUTE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from hpo_widgets.controller.callbacks import CallbackThread
    from hpo_widgets.controller.constraint import Constraint
    from hpo_widgets.controller.proposals import Proposals
    from hpo_widgets.controller.recorder import Recorder
    from hpo_widgets.controller.state import RestoredTrials
    from hpo_widgets.engines.base import JobEngine
    from hpo_widgets.objectives import Objective
    from hpo_widgets.search.limits import Settings, TimeLimit
    from hpo_widgets.space import Space
    from hpo_widgets.space.range_history import EpochMark
    from hpo_widgets.strategies.base import SearchStrategy
    from hpo_widgets.trials import Remark, TrialRow

logger = logging.getLogger("hpo_widgets")

_Result = TypeVar("_Result")

LOCK_PATIENCE = 300.0
"""Seconds that the end of a search waits for another program's lock on the journal."""

_MOST_FLUSHES = 10
"""How often the end of a run is written again, as somebody who heard of it has changed something."""

SUBSCRIBER_PATIENCE = 60.0
"""Seconds that a command waits for the search's thread while that is in a subscriber, which may wait for it in turn."""


class Controller:
    """Runs one search on one thread.

    Everything here is written by the controller's thread or, while none runs, by the thread that holds
    ``gate``; attributes without an underscore may be read from any.
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
        constraint: Constraint | None = None,
    ) -> None:
        self.state = SearchState(space, objectives, strategy, settings, constraint)
        self.recorder = recorder
        self.callback_queue = CallbackQueue(recorder, self.state.epochs, callbacks)
        recorder.on_notice = lambda sentence: self.notice("journal", sentence)
        self.notices: Sequence[Notice] = []
        """Written under ``gate`` by any thread."""
        self.ended = threading.Event()
        """One for each run, so that a thread that waits for a run sees its end even when the next one has begun."""
        self.ended.set()

        self.gate = threading.RLock()
        """Held by the thread that begins a run, and while one ends; nothing else is waited for under it but files."""

        self._make_engine = make_engine
        self._is_seeded = is_seeded
        self._thread: threading.Thread | None = None
        self._inbox: deque[tuple[Callable[[], object], Future[Any]]] = deque()
        """Filled under ``gate``, so that nothing comes after the thread has emptied it for the last time."""
        self._engine: JobEngine | None = None
        self._present_run: Run | None = None
        self._next_status: SearchStatus | None = None
        """Running or paused, where the next run is to begin once the present one has ended; None: none is to."""
        self._aborts_sent = threading.Event()
        """Set once every abort of a stop has been sent: at the end of the run, or before it where jobs run elsewhere.
        One for each run, as `ended`."""
        self._aborts_sent.set()
        self._strategy_lock = threading.Lock()
        """Held by the thread that asks the strategy: the thread of an earlier run may still be at its last question."""

    # Any thread ---------------------------------------------------------------------------------

    @property
    def is_current(self) -> bool:
        """True when asked on the controller's own thread."""
        return threading.current_thread() is self._thread

    def start(self) -> bool:
        """Begin or continue the search; True when it runs now, False with `stop_reason` when nothing is left to run."""
        with self.gate:
            if self._thread is not None:
                self.submit(self._start_after_end)  # queued, because an earlier stop may still wait in the inbox
                return True
            state = self.state
            nothing_left = state.why_nothing_left()
            if nothing_left is not None:
                self.recorder.flush()  # what a full disk kept from being written at the end
                state.stop_reason = nothing_left
                state.status = state.status_after(nothing_left)
                self.recorder.shown.notify()
                return False
            try:
                with _interrupts_kept_back():
                    self.recorder.open_journal()
                return self._begin_run()
            except BaseException:  # Ctrl-C: a run that was begun is ended, and its thread, if there is one, finds it so
                if self.recorder.owner() is not None:
                    self._set_ended(self._close(StopReason("stopped", "its start was interrupted")))
                raise

    def _begin_run(self) -> bool:
        state = self.state
        if self.ended.is_set():
            self.ended = threading.Event()
        self._aborts_sent = threading.Event()
        state.stop_reason = None
        state.stop_conditions.begin_run()
        state.clock.begin_run()
        state.status = SearchStatus.PAUSED if state.is_paused else SearchStatus.RUNNING
        # With the time of earlier runs: a run whose process died has no "end" event that tells its time.
        self.recorder.event("start", run=self.recorder.run, wall_minutes=state.clock.elapsed)
        self._thread = threading.Thread(target=self._own, name="hpo_widgets controller", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:  # the system has no thread left
            self._set_ended(self._close(StopReason("launch_failed", f"no thread could be started: {error}")))
            return False
        with self.gate:
            self.notices = [one for one in self.notices if not one.is_of_failed_start]
        return True

    @property
    def next_poll(self) -> float | None:
        """``time.monotonic()`` of the next request to the server that runs the jobs; None: none is planned."""
        run = self._present_run
        return None if run is None or run.queue is None else run.queue.next_poll

    def submit(self, function: Callable[[], object]) -> Future[Any]:
        """Have ``function`` run by the owner of the search's state: the controller's thread, else the caller's."""
        with self.gate:
            future: Future[Any] = Future()
            if self._thread is not None and not self.is_current:
                self._inbox.append((function, future))
                self._wake()
                return future
            with _interrupts_kept_back():
                complete(future, function)
                if self._thread is None:
                    self.recorder.flush()
        return future

    def wait_until(self, happens: Callable[[float], object], seconds: float | None = None) -> bool:
        """Wait for something that the search's thread does; not where that waits for this one.

        Parameters
        ----------
        happens
            Waits for it, for so many seconds at most; returns whether it has happened.
        seconds
            How long to wait at most. Default: as long as it takes.

        Returns
        -------
        bool
            Whether it has happened.

        Raises
        ------
        RuntimeError
            When a subscriber does not return, which may wait for the caller.
        """
        until = math.inf if seconds is None else time.monotonic() + seconds
        while not happens(max(0.0, min(SUBSCRIBER_PATIENCE / 4, until - time.monotonic()))):
            if time.monotonic() >= until:
                return False
            if self.recorder.shown.seconds_told(self._thread) > SUBSCRIBER_PATIENCE:
                raise RuntimeError(
                    f"a callback of subscribe() has not returned for {SUBSCRIBER_PATIENCE:g} s, and the search waits "
                    "for it; what was asked is done when it returns. A callback must only set a flag, and not wait for "
                    "another thread that commands the search"
                )
        return True

    def result_of(self, future: Future[_Result], seconds: float | None = None) -> _Result:
        """Wait, as `wait_until`, for what was submitted; raises what that raises, and TimeoutError after the time.

        Parameters
        ----------
        future
            What `submit` has returned.
        seconds
            How long to wait at most. Default: as long as it takes.

        Returns
        -------
        object
            What was returned.
        """
        if not self.wait_until(lambda most: wait([future], most).done, seconds):
            raise TimeoutError
        return future.result()

    def notice(self, source: str, sentence: str) -> None:
        """Tell people of an error: in the panel's strip, the journal and on the ``hpo_widgets`` logger.

        Parameters
        ----------
        source
            What the notice is about, such as ``"callback"``, ``"journal"`` or ``"command"``.
        sentence
            What people should know.
        """
        logger.warning("%s: %s", source, sentence)
        notice = Notice(source, sentence)
        with self.gate:
            self.notices = [*self.notices, notice][-MOST_NOTICES:]
            try:
                self.submit(lambda: self.recorder.event("notice", **asdict(notice)))
            except Exception:  # also for what a journal does not take: people are told all the same
                logger.debug("a notice is not in the journal yet", exc_info=True)
        self.recorder.shown.notify()

    def _run_next(self) -> bool:
        """Run the command that has waited longest; False when there is none."""
        if not self._inbox:
            return False
        function, future = self._inbox.popleft()
        complete(future, function)
        return True

    def _wake(self) -> None:
        engine = self._engine
        if engine is not None:
            engine.wake()

    def restore(self, past: RestoredTrials) -> None:
        """Restore the state that a journal holds, before the first start in this process."""
        self.recorder.load(past)
        self.state.restore(past)
        self.recorder.reader.space = self.state.epochs.first_space
        # The template may have told something now.
        self.notices = [*past.journal_state.notices, *self.notices][-MOST_NOTICES:]

    # Commands, on the controller's thread: `submit` them -----------------------------------------

    def set_ranges(self, ranges: Mapping[str, Any]) -> None:
        """Narrow or widen ranges: one call is one epoch and one step of `undo`."""
        self._begin_epoch(self.state.epochs.set_ranges(ranges, self.state.num_numbered), "set")

    def add_choices(self, choices: Mapping[str, Sequence[Any]]) -> None:
        """Add choices to those of some parameters: one call is one epoch and one step of `undo`."""
        mark = self.state.epochs.add_choices(choices, self.state.num_numbered)
        self.recorder.reader.space = self.state.epochs.first_space
        self._begin_epoch(mark, "set")

    def set_priors(self, priors: Mapping[str, Any]) -> None:
        """Draw priors or take them away: one call is one epoch and one step of `undo`."""
        reason = self.state.strategy.why_no_prior()
        if reason is not None and any(prior is not None for prior in priors.values()):
            raise ValueError(reason)
        self._begin_epoch(self.state.epochs.set_priors(priors, self.state.num_numbered), "set")

    def undo(self) -> None:
        """Go back to the ranges and priors before the last change."""
        self._begin_epoch(self.state.epochs.undo(self.state.num_numbered), "undo")

    def redo(self) -> None:
        """Take back the last `undo`."""
        self._begin_epoch(self.state.epochs.redo(self.state.num_numbered), "redo")

    def _begin_epoch(self, mark: EpochMark | None, step: str) -> None:
        """Record a new epoch and begin it; points proposed for the old one are dropped."""
        if mark is None:
            return
        self.state.num_draws = 0
        space = self.state.space.to_dict()
        self.recorder.event("set_ranges", step=step, epoch=mark.epoch, first_number=mark.first_number, space=space)
        if self._present_run is not None:
            self._present_run.begin_epoch()

    def set_settings(self, **changes: object) -> None:
        """Set limits and sizes; the names are those of `Settings`."""
        settings, run = self.state.settings, self._present_run
        for name, value in changes.items():
            setattr(settings, name, value)
        if run is not None:
            if "report_period" in changes:
                run.deadlines.begin_report_period()
            run.deadlines.check_now()
        self.recorder.event("settings", changes=changes)

    def set_time_limit(self, limit: TimeLimit | None) -> None:
        """Set when the search has to end; None: no limit."""
        self.state.clock.set_time_limit(limit)
        if self._present_run is not None:
            self._present_run.deadlines.check_now()
        self.recorder.event("set_time_limit", deadline=limit and limit.recorded)

    def enqueue(self, encoded: list[float | None]) -> None:
        """Queue a point to be run before those of the strategy; it counts against the budget like any other."""
        self.state.enqueued.append(encoded)
        self.state.num_enqueued += 1
        self.recorder.event("enqueue_trial", parameters=encoded)

    def set_left_out(self, numbers: Sequence[int], *, left_out: bool) -> None:
        """Leave trials out of the search, or take them back; a strategy that learns begins anew.

        Parameters
        ----------
        numbers
            Numbers of trials that have ended.
        left_out
            Whether they are left out from then on.
        """
        if self.recorder.set_left_out(numbers, left_out=left_out) and self._present_run is not None:
            self._present_run.learn_anew()

    def add_trials(self, rows: Sequence[TrialRow], remark: Remark) -> list[int]:
        """Record results that are known already as the next trials: they have ended, and no limit counts them.

        Parameters
        ----------
        rows
            Their points and results (`recorded_row`); this gives them their numbers.
        remark
            What people have written about each of them.

        Returns
        -------
        list of int
            The numbers. The trials are durable, and shown, unless another program holds the journal locked.

        Raises
        ------
        JournalError
            When the journal cannot be written: none of them is recorded.
        """
        state, recorder, run = self.state, self.recorder, self._present_run
        if run is not None:
            run.drop_held()  # those would have got these numbers, and may have the same points
        numbers = range(state.num_numbered, state.num_numbered + len(rows))
        new = {tuple(row.parameters) for row in rows} - state.seen
        state.num_numbered = numbers.stop
        state.seen |= new
        remarks = {name: value for name, value in asdict(remark).items() if value}
        for number, row in zip(numbers, rows, strict=True):
            row.number, row.epoch, row.ended = number, state.epochs.number, time.time()
            recorder.ended(row)
            for name, value in remarks.items():
                recorder.remark(number, **{name: value})
        try:
            if run is None:
                recorder.flush()
            else:
                run.add_trials(rows)
        except JournalError:
            if recorder.withdraw(numbers):  # so that whoever tries again does not record them twice
                state.num_numbered = numbers.start
                state.seen -= new
            raise
        return list(numbers)

    def pause(self) -> None:
        """Launch nothing more; running trials finish, and those that wait in a queue are kept from beginning."""
        self._set_paused(True)

    def resume(self) -> None:
        """Launch again; a search that was reopened paused is started."""
        self._set_paused(False)
        if self._thread is None and self.state.status is SearchStatus.PAUSED:
            self.state.status = SearchStatus.STOPPED
            self.start()

    def _set_paused(self, paused: bool) -> None:
        if self._next_status is not None:  # what ends launches nothing: the run that begins then is meant
            self._next_status = SearchStatus.PAUSED if paused else SearchStatus.RUNNING
            return
        if paused == self.state.is_paused or (paused and self.state.stop_reason is not None):
            return  # also where a callback of the last trial pauses a search that has ended meanwhile
        self.state.is_paused = paused
        run = self._present_run
        if run is not None and run.queue is not None:
            run.queue.set_paused(paused=paused)
        self.recorder.event("pause" if paused else "resume")
        if self._thread is not None and self.state.status in {SearchStatus.RUNNING, SearchStatus.PAUSED}:
            self.state.status = SearchStatus.PAUSED if paused else SearchStatus.RUNNING

    def stop(self, sentence: str = "stopped by hand") -> threading.Event:
        """Abort what runs and end the search; nothing happens when it does not run.

        The returned event is set once every abort has been sent.
        """
        self._next_status = None
        if self._present_run is not None:
            self._present_run.trials.stop(StopReason("stopped", sentence))
        return self._aborts_sent

    def stop_trial(self, number: int) -> None:
        """End one trial, which counts as aborted; nothing happens when it has ended, or is being ended."""
        trial = self.state.active.get(number)
        if self._present_run is not None and trial is not None and not trial.is_aborted:
            self._present_run.trials.abort(number, "stopped by hand")

    def leave(self, sentence: str) -> None:
        """End the search here and leave its jobs to another process, which has taken it over; people are told."""
        if self._present_run is not None:
            self._next_status = None
            self.notice("search", sentence)
            self._present_run.trials.hand_over(StopReason("stopped", sentence))

    def _start_after_end(self) -> None:
        """Begin another run once the present one has ended, if it is ending; else it just goes on."""
        run = self._present_run
        if run is None or run.trials.stop_reason is not None:
            self._next_status = self._next_status or SearchStatus.RUNNING

    def log(self, number: int) -> str:
        """What a running trial has printed so far; empty for other trials, and where a server keeps the output."""
        return "" if self._engine is None else self._engine.log(number)

    # The thread ----------------------------------------------------------------------------------

    def _own(self) -> None:
        """Own the search from the start of a run to its end."""
        with self.gate:  # once `start` has returned, or was interrupted
            if not self.is_current:
                return
        try:
            reason = self._run()
        except JournalError as error:
            reason = StopReason("error", f"the journal could not be written: {error}")
        except BaseException as error:  # every way out must leave an ended search with its reason
            logger.exception("the search ended with an error")
            try:
                words = repr(error)
            except Exception:  # noqa: BLE001 -- its class may be the user's own, as of what worker_env raises
                words = type(error).__name__
            reason = StopReason("error", f"the search ended with an error: {words}")
        try:
            reason = self._close(reason)
        except Exception:  # whoever waits for the end must not wait for ever
            logger.exception("not everything of the search could be closed")
        finally:
            self._set_ended(reason)

    def _run(self) -> StopReason:
        """Start workers and strategy, and run trials until there is a reason to end."""
        state, recorder = self.state, self.recorder
        most = state.settings.max_number_of_concurrent_tasks
        try:
            # Each worker takes memory, so that none is started for which there is no trial.
            engine = self._engine = self._make_engine(state.most_at_once)
        except OSError as error:
            return StopReason("launch_failed", f"no worker could be started: {error}")
        if state.most_at_once < most:
            engine.resize(most)  # the budget may be raised meanwhile
        proposals = self._make_proposals()
        run = self._present_run = Run(state, recorder, self.callback_queue, engine, proposals, self.notice)
        run.open()
        while True:
            while self._run_next():
                if recorder.due is None:
                    recorder.shown.notify()
            reason = run.step()
            if reason is not None:
                return reason
            if run.trials.has_sent_all():
                self._aborts_sent.set()

    def _make_proposals(self) -> Proposals:
        """Choose how the strategy is asked."""
        state = self.state
        sampler = DistinctSampler(
            state.strategy,
            state.objectives,
            state.seen,
            allow_duplicates=state.settings.allow_duplicates,
            constraint=state.constraint,
        )
        if not state.strategy.is_model_based and state.constraint is None:
            return InlineProposals(sampler)
        return ThreadedProposals(
            sampler,
            # With a seed and one worker the same seed gives the same search, whatever the times.
            may_hold=lambda: not (self._is_seeded and state.settings.max_number_of_concurrent_tasks == 1),
            wake=self._wake,
            lock=self._strategy_lock,
            curves=self.recorder.curves,
            tell=lambda sentence: self.notice("strategy", sentence),
        )

    def _close(self, reason: StopReason) -> StopReason:
        """Close every process and file that the run opened, and write its end; returns the reason."""
        state = self.state
        state.exhausted = state.epochs.number  # before a subscriber that hears of the last ends changes the ranges
        if self._engine is not None:
            try:
                self._engine.close()
            except Exception as error:  # its class may be the user's own
                logger.exception("what ran the trials could not be closed")
                self.notice("search", f"what ran the trials could not be closed: {error!r}")
        if self._present_run is not None:
            self._present_run.close(reason)
        state.clock.end_run()
        status = state.status_after(reason)
        if status is SearchStatus.FAILED and reason.code not in END_STATUS:
            which = "" if self.recorder.shown.best() is None else " that ran"  # recorded ones have theirs
            sentence = f"{reason.sentence}; no trial{which} has a result, {state.num_failed} failed"
            reason = StopReason(reason.code, f"{sentence}{state.stop_conditions.last_failure}")
        self.recorder.event(
            "end",
            code=reason.code,
            sentence=reason.sentence,
            status=status,
            wall_minutes=state.clock.elapsed,
            draws=state.num_draws,
        )
        if reason.code in {"error", "launch_failed"}:
            self.notice("search", reason.sentence)
        try:
            self._write_end()
            self.callback_queue.hand_over()
        except Exception as error:  # noqa: BLE001 -- also what a journal does not take; the files are closed all the same
            self.notice("journal", f"{error} What was not written yet is kept in memory.")
            if reason.code != "error":
                reason = StopReason("error", f"the journal could not be written: {error}")
        try:
            self.recorder.close_journal()
        except JournalError as error:
            self.notice("journal", str(error))
            reason = StopReason("error", f"the journal could not be written: {error}")
        self.callback_queue.close()
        return reason

    def _write_end(self) -> None:
        """Write what is left, waiting for another program's lock; a caller of `stop` need not wait for that."""
        recorder = self.recorder
        self._flush_all()
        until = time.monotonic() + LOCK_PATIENCE
        while recorder.locked_since is not None:
            self._aborts_sent.set()
            if time.monotonic() > until:
                msg = f"another program held {recorder.path} locked for {LOCK_PATIENCE / SECONDS_A_MINUTE:g} minutes."
                raise JournalError(msg)
            while self._run_next():
                pass
            time.sleep(RETRY_SECONDS)
            self._flush_all()

    def _flush_all(self) -> None:
        """Flush, and also what subscribers change who hear of it; not for ever, as one may do so each time."""
        for _ in range(_MOST_FLUSHES):
            self.recorder.flush()
            if self.recorder.due is None or self.recorder.locked_since is not None:
                break

    def _set_ended(self, reason: StopReason) -> None:
        """Mark the search as ended, and run the commands that came too late for its thread."""
        with self.gate:
            # This thread owns the search until all is said: a subscriber that stops it now must not wait for its end.
            self._thread = threading.current_thread()
            self._engine = self._present_run = None
            self.state.stop_reason = reason
            self.state.is_paused = False  # only now, as a subscriber that hears of the last ends may have paused it
            if reason.code != "space_exhausted":
                self.state.exhausted = None
            self.state.status = self.state.status_after(reason)
            if self._inbox:
                while self._run_next():
                    pass
                try:
                    self._flush_all()
                except Exception as error:  # noqa: BLE001 -- whoever waits for the end must not wait for ever
                    self.notice("journal", f"{error} What was not written yet is kept in memory.")
            self._thread = None
            self._aborts_sent.set()
            if not self._start_again():
                self.ended.set()
        self.recorder.shown.notify()

    def _start_again(self) -> bool:
        """Begin the run that was asked for while the last one was ending."""
        status, self._next_status = self._next_status, None
        try:
            has_begun = status is not None and self.start()
        except Exception as error:  # noqa: BLE001 -- whoever waits for the end must not wait for ever
            self.notice("journal", f"the search was not started again: {error}")
            return False
        self._set_paused(status is SearchStatus.PAUSED)  # its thread begins once this one gives the gate back
        return has_begun


@contextmanager
def _interrupts_kept_back() -> Iterator[None]:
    """Have an interrupt (Ctrl-C) come after this context.

    It would else end a command that runs on the main thread in the middle: what the journal has would not be shown, or
    what it has not would be written with the next command.
    """
    before = signal.getsignal(signal.SIGINT)
    # One that is not Python's own (None) could not be set again.
    if before is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    kept_back: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _frame: kept_back.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if kept_back:
            signal.raise_signal(signal.SIGINT)
