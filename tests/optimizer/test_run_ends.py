"""What comes just as a run ends: starts, stops, commands and errors. Nothing is lost, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import itertools
import signal
import sys
import threading
import time
from concurrent.futures import Future
from contextlib import closing, suppress

import pytest

from hpo_widgets import HyperParameterOptimizer
from hpo_widgets._messages import run_in_thread
from hpo_widgets.controller import controller
from hpo_widgets.engines.local.functions import FunctionPool
from hpo_widgets.journal import Journal, JournalError
from hpo_widgets.optimizer.commands import PendingStarts
from hpo_widgets.search import SearchStatus
from hpo_widgets.strategies import RandomSearch
from hpo_widgets.trials import TrialState
from tests.conftest import DEADLINE
from tests.runs import identity, wait_for

MINUTES = DEADLINE / 60


@pytest.fixture
def hold():
    """``hold(search)`` has the search's thread do nothing until ``hold.set()``."""

    class Hold(threading.Event):
        def __call__(self, made):
            made._controller.submit(lambda: self.wait(DEADLINE))
            wait_for_commands(made, 0)

    made = Hold()
    yield made
    made.set()


def wait_for_commands(made, number):
    """Wait until so many commands are on their way."""
    end = time.monotonic() + DEADLINE
    while len(made._controller._inbox) != number:
        assert time.monotonic() < end
        time.sleep(0.001)


def test_commands_run_in_their_order_and_an_error_reaches_the_one_who_asked(two_running):
    made, done = two_running(), []
    asked = [made._controller.submit(do) for do in (lambda: done.append(1), lambda: 1 // 0, lambda: done.append(2))]
    asked[-1].result(DEADLINE)
    assert done == [1, 2]
    with pytest.raises(ZeroDivisionError):
        asked[1].result(DEADLINE)


def test_a_start_after_a_stop_begins_when_the_search_has_stopped(two_running, gate, hold, until):
    made = two_running(total_max_jobs=4)
    hold(made)
    made.command("stop")
    assert made.start() is True
    hold.set()
    until(made, lambda: made.counts[TrialState.ABORTED] == 2)
    gate.open()
    assert made.wait(MINUTES)
    assert made.stop_reason.code == "total_max_jobs"
    assert made.counts[TrialState.ABORTED] == made.counts[TrialState.COMPLETED] == 2


def test_a_start_after_a_stop_that_cannot_begin_says_why(two_running, hold, monkeypatch):
    made = two_running(total_max_jobs=4)
    hold(made)
    made.command("stop")
    assert made.start() is True

    def refuse():
        raise JournalError("the disk is full")

    monkeypatch.setattr(made._recorder, "open_journal", refuse)
    hold.set()
    assert made.wait(MINUTES)
    assert made.stop_reason.code == "stopped"
    assert made.errors[-1].sentence == "the search was not started again: the disk is full"


@pytest.mark.parametrize("has_begun", [False, True])
def test_a_start_that_is_interrupted_leaves_a_search_that_can_be_started(search, monkeypatch, has_begun):
    made = search(identity, total_max_jobs=2)
    begin = threading.Thread.start

    def interrupted(thread):
        if has_begun or "controller" not in thread.name:
            begin(thread)
        if "controller" in thread.name:
            raise KeyboardInterrupt

    with monkeypatch.context() as pressed:
        pressed.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            made.start()
    assert made.wait(0)
    assert (made.status, made.is_running(), made.stop_reason.code) == (SearchStatus.STOPPED, False, "stopped")
    with closing(Journal.view(made.journal_path)) as reader:
        assert reader.owner() is None  # nobody takes it for one that runs
        assert [event["kind"] for event in reader.events()] == ["start", "end"]
    assert made.start()
    assert made.wait(MINUTES)
    assert made.counts[TrialState.COMPLETED] == 2


def test_a_start_that_is_interrupted_as_it_opens_the_journal_gives_the_lease_back(search, monkeypatch):
    made = search(identity, total_max_jobs=2)
    with monkeypatch.context() as pressed:
        pressed.setattr(Journal, "set_busy_timeout", lambda *_: signal.raise_signal(signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            made.start()
    assert (made.status, made.is_running(), made.stop_reason.code) == (SearchStatus.STOPPED, False, "stopped")
    with closing(Journal.view(made.journal_path)) as reader:
        assert reader.owner() is None
    assert made.start()
    assert made.wait(MINUTES)
    assert made.counts[TrialState.COMPLETED] == 2


@pytest.mark.parametrize("is_written", [False, True])
def test_an_interrupt_of_a_command_on_the_main_thread_comes_once_it_is_done(search, monkeypatch, is_written):
    made, write = search(identity, total_max_jobs=1), Journal.write

    def interrupted(journal, *given):
        if not is_written:
            signal.raise_signal(signal.SIGINT)
        write(journal, *given)
        if is_written:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as pressed:
        pressed.setattr(Journal, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            made.add_trial({"x": 0.5}, 1.0)
    assert len(made.snapshot()) == 1
    assert made.add_trial({"x": 0.25}, 2.0) == 1
    with closing(Journal.view(made.journal_path)) as reader:
        assert [row.number for row in reader.trials()[1]] == [0, 1]
    assert made.start()
    assert made.wait(MINUTES)


def test_an_interrupt_that_comes_as_starts_take_the_gate_leaves_it_free(monkeypatch):
    gate = threading.RLock()
    starts = PendingStarts(gate)
    start = starts.register()

    def acquire():
        with starts.acquire(start):
            pass

    enter = threading.Condition.__enter__

    def interrupted(condition):  # as Python raises what has come while a lock was waited for
        enter(condition)
        raise KeyboardInterrupt

    def is_free():
        if gate.acquire(blocking=False):
            gate.release()
            return True
        return False

    for act in (starts.register, lambda: starts.begin(start, bool), acquire, lambda: starts.wait(0), starts.cancel):
        with monkeypatch.context() as pressed, suppress(KeyboardInterrupt):
            pressed.setattr(threading.Condition, "__enter__", interrupted)
            act()
        assert run_in_thread("other", is_free, bool).result(DEADLINE)


@pytest.mark.parametrize("is_ended", [False, True])
def test_who_waits_for_no_time_is_told_whether_the_search_has_ended(two_running, gate, is_ended):
    made = two_running(total_max_jobs=2)
    if is_ended:
        gate.open()
        assert made.wait(MINUTES)
    assert (made.wait(0), asyncio.run(made.wait_async(0))) == (is_ended, is_ended)


def test_a_start_before_a_stop_begins_nothing_more(two_running, hold):
    made = two_running(total_max_jobs=4)
    hold(made)
    made.start()
    made.command("stop")
    hold.set()
    assert made.wait(MINUTES)
    assert made.stop_reason.code == "stopped"


def test_a_stop_returns_though_the_next_run_has_begun_before_it_looks(two_running, hold, monkeypatch):
    made = two_running()
    hold(made)
    is_begun = threading.Event()
    stop_run = made._commands.stop

    def slowly():
        stopping = stop_run()
        assert is_begun.wait(DEADLINE)
        return stopping

    monkeypatch.setattr(made._commands, "stop", slowly)
    stopper = threading.Thread(target=made.stop, daemon=True)
    stopper.start()
    wait_for_commands(made, 1)
    monkeypatch.undo()
    first = made._controller._thread
    assert made.start()
    hold.set()
    first.join(DEADLINE)
    assert made.is_running()
    is_begun.set()
    stopper.join(DEADLINE)
    assert not stopper.is_alive()
    assert made.is_running()


def test_a_coroutine_that_waits_for_a_run_sees_its_end_though_the_next_has_begun(two_running):
    made = two_running()

    async def wait():
        waiting = asyncio.create_task(made.wait_async())
        await asyncio.sleep(0)  # it waits now, and sees nothing of what comes until this coroutine waits again
        made.stop()
        made.start()
        return await asyncio.wait_for(waiting, DEADLINE)

    assert asyncio.run(wait()) is True
    assert made.is_running()


def test_a_run_that_a_start_begins_is_followed_though_another_was_running_when_it_was_asked(search, monkeypatch):
    made = search(identity)
    followed = []
    monkeypatch.setattr(made._definition.template, "started", followed.append)
    begin = made._commands._starts.begin

    def begin_later(start, begin_run):
        if followed:
            ended = made._controller.ended
            made._controller.submit(made._controller.stop)
            assert ended.wait(DEADLINE)
        return begin(start, begin_run)

    monkeypatch.setattr(made._commands._starts, "begin", begin_later)
    assert made.start()
    assert made.start()
    assert len(followed) == 2
    assert not followed[1].wait_for_end(0)
    made.stop()
    assert followed[1].wait_for_end(DEADLINE)


def test_a_search_whose_workers_cannot_be_closed_ends_whole(two_running, gate):
    class UnclosablePool(FunctionPool):
        def close(self):
            super().close()
            raise RuntimeError("stuck")

    gate.shut()
    made = two_running(total_max_jobs=4)
    made.stop()
    made.set_default_job_class(UnclosablePool)
    made.start()
    made.stop()
    assert made.counts[TrialState.RUNNING] == 0
    assert "stuck" in made.errors[-1].sentence
    with Journal.view(made.journal_path) as reader:
        assert reader.owner() is None
    made.set_default_job_class(FunctionPool)
    made.set_total_max_jobs(6)
    gate.open()
    assert made.start()
    assert made.wait(MINUTES)
    assert made.stop_reason.code == "total_max_jobs"


def test_a_command_at_the_end_of_a_search_whose_journal_refuses_what_it_is_given_keeps_nobody_waiting(
    two_running, monkeypatch
):
    made = two_running()

    def refuse():
        made._controller._inbox.append((lambda: None, Future()))  # as from another thread, and too late for the run
        raise TypeError("not of a type that a journal holds")

    monkeypatch.setattr(made._recorder, "flush", refuse)
    made._controller.submit(made._controller.stop)
    assert made.wait(MINUTES)
    assert made.stop_reason.code == "error"
    monkeypatch.undo()
    with Journal.view(made.journal_path) as reader:
        assert reader.owner() is None


def test_a_start_while_the_end_of_a_run_that_ended_by_itself_is_written_begins_the_next(two_running, gate, monkeypatch):
    made = two_running(total_max_jobs=2)
    write_end = made._controller._write_end

    def start_meanwhile():  # as commands do that come while another program holds the journal locked
        monkeypatch.undo()
        made.set_total_max_jobs(3)
        assert made.start()
        write_end()

    monkeypatch.setattr(made._controller, "_write_end", start_meanwhile)
    gate.open()
    assert made.wait(MINUTES)
    assert made.counts[TrialState.COMPLETED] == 3


def test_a_question_that_nobody_waits_for_any_more_is_not_answered_and_harms_no_search(two_running, hold):
    made, answered = two_running(), []
    hold(made)
    asked = [made.log_so_far(0), made._controller.submit(lambda: answered.append(1))]
    assert all(one.cancel() for one in asked)
    hold.set()
    made._controller.submit(lambda: answered.append(2)).result(DEADLINE)
    assert answered == [2]
    made.stop()
    assert made.stop_reason.code == "stopped"


@pytest.mark.parametrize("method", ["begin", "ask"])
def test_a_strategy_that_leaves_by_sys_exit_ends_the_search_and_keeps_nobody_waiting(two_running, gate, method):
    class Leaving(RandomSearch):
        is_to_leave = False

    def leave(self, *arguments):
        return sys.exit("enough") if Leaving.is_to_leave else getattr(super(Leaving, self), method)(*arguments)

    setattr(Leaving, method, leave)
    made = two_running(optimizer_class=Leaving)
    Leaving.is_to_leave = True
    made._controller.submit(lambda: made._controller.set_ranges({"x": (0, 0.5)})).result(DEADLINE)
    gate.open()
    assert made.wait(MINUTES)
    assert made.stop_reason.sentence == "Leaving raised SystemExit: enough"


def test_a_command_that_would_end_the_searchs_thread_reaches_the_one_who_asked(two_running):
    made = two_running()
    asked = made._controller.submit(lambda: sys.exit("enough"))
    with pytest.raises(SystemExit):
        asked.result(DEADLINE)
    assert made.wait(MINUTES)
    assert made.stop_reason.code == "error"


@pytest.mark.parametrize("number", [2, 3])
def test_a_stop_by_a_subscriber_that_hears_of_a_launch_leaves_no_trial_running(search, held, gate, number):
    gate.shut()
    made, calls = search(held), []

    def stop_at():
        calls.append(0)
        if len(calls) == number:
            made.stop()

    made.subscribe(stop_at)
    made.start()
    assert made.wait(MINUTES)
    assert made.stop_reason.code == "stopped"
    assert made.counts[TrialState.ABORTED] == len(made.snapshot())


def test_a_subscriber_may_stop_a_search_that_a_start_finds_used_up(search):
    made = search(identity, total_max_jobs=1)
    assert made.start()
    assert made.wait()
    made.subscribe(made.stop)
    started = []
    starting = threading.Thread(target=lambda: started.append(made.start()), daemon=True)
    starting.start()
    starting.join(DEADLINE)
    assert started == [False]


@pytest.mark.parametrize("call", ["stop", "pause"])
def test_a_command_tells_that_a_subscriber_waits_for_it_and_is_done_once_that_returns(
    search, held, gate, monkeypatch, call
):
    monkeypatch.setattr(controller, "SUBSCRIBER_PATIENCE", 0.05)
    gate.shut()
    made = search(held, total_max_jobs=2)
    told = []

    def command():
        try:
            getattr(made, call)()
        except RuntimeError as error:
            told.append(str(error))

    def wait_for_command():
        unsubscribe()
        commanding = threading.Thread(target=command, daemon=True)
        commanding.start()
        commanding.join()

    made.start()
    unsubscribe = made.subscribe(wait_for_command)
    made.command("set_total_max_jobs", 3)  # which subscribers are told
    wait_for(lambda: told, "it waits for ever")
    assert "a callback of subscribe() has not returned for 0.05 s, and the search waits for it" in told[0]
    expected = {"stop": SearchStatus.STOPPED, "pause": SearchStatus.PAUSED}[call]
    wait_for(lambda: made.status is expected, "it is not done")
    gate.open()
    made.stop()


@pytest.mark.parametrize("has_late_command", [False, True])
def test_what_a_subscriber_says_that_hears_of_the_last_trial_is_in_the_journal(search, has_late_command, monkeypatch):
    made = search(identity, total_max_jobs=2)
    close, said = made._controller._close, []

    def hear():
        if len(made.snapshot()) == 2 and not made.counts[TrialState.RUNNING] and len(said) < 2:
            said.append(f"text {len(said)}")
            made.set_note(1, said[-1])
            made.set_range("x", (0, 0.5))
            made.leave_out(0)

    def close_with_a_late_command(reason):
        reason = close(reason)
        if has_late_command:
            made._controller._inbox.append((said.clear, Future()))  # as from another thread, and too late for the run
        return reason

    monkeypatch.setattr(made._controller, "_close", close_with_a_late_command)
    made.subscribe(hear)
    assert made.start()
    assert made.wait(MINUTES)
    with HyperParameterOptimizer.open(made.journal_path) as viewer:
        for one in (made, viewer):
            assert one.trial(1).note == said[-1]
            assert one.trial(0).state is TrialState.LEFT_OUT
            assert one.space.ranges["x"] == (0, 0.5)


def test_a_subscriber_that_changes_something_whenever_it_hears_keeps_no_run_from_its_end(search):
    made = search(identity, total_max_jobs=2)
    numbers = itertools.count()

    def hear():
        if made.is_running() and made.counts[TrialState.COMPLETED] == 2:
            made.set_note(1, f"text {next(numbers)}")

    made.subscribe(hear)
    assert made.start()
    assert made.wait(MINUTES)
    assert made.stop_reason.code == "total_max_jobs"


@pytest.mark.parametrize("call", ["stop", "wait"])
def test_a_subscriber_that_stops_or_waits_keeps_no_end_waiting_that_had_a_last_command(two_running, monkeypatch, call):
    made = two_running()
    close = made._controller._close

    def close_with_a_late_command(reason):
        reason = close(reason)
        made._controller._inbox.append((lambda: None, Future()))  # as from another thread, and too late for the run
        made.subscribe(getattr(made, call))
        return reason

    monkeypatch.setattr(made._controller, "_close", close_with_a_late_command)
    made.command("stop")
    assert made._controller.ended.wait(DEADLINE)
    assert made.stop_reason.code == "stopped"


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be deleted there")
def test_people_are_told_that_a_journal_that_was_deleted_is_written_again(two_running, gate):
    made = two_running(total_max_jobs=4)
    made.journal_path.unlink()
    gate.open()
    assert made.wait()
    (notice,) = [notice for notice in made.errors if notice.source == "journal"]
    assert notice.sentence.endswith("was deleted or moved; all of it was written there again, nothing is lost")
    with HyperParameterOptimizer.open(made.journal_path) as viewer:
        assert viewer.counts[TrialState.COMPLETED] == 4
