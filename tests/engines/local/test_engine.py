"""Ending trials: asked to stop, aborted, killed with everything that they started."""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hpo_widgets.trials import TrialState
from tests.conftest import DEADLINE
from tests.engines.local.conftest import wait_for

pytestmark = pytest.mark.usefixtures("by_value")

ABORTED, COMPLETED, FAILED, PRUNED = (
    TrialState.ABORTED,
    TrialState.COMPLETED,
    TrialState.FAILED,
    TrialState.PRUNED,
)


def sleeps(trial):
    trial.report_scalar("is", "running", 1, 0)
    time.sleep(1000)


def spins(trial):
    trial.report_scalar("is", "running", 1, 0)
    while True:
        pass


def ignores_signals(trial):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    trial.report_scalar("is", "running", 1, 0)
    while True:
        time.sleep(1)


def swallows_exceptions(trial):
    trial.report_scalar("is", "running", 1, 0)
    while True:
        with contextlib.suppress(BaseException):
            time.sleep(1)


def holds_the_interpreter(trial):
    trial.report_scalar("is", "running", 1, 0)
    deque(itertools.repeat(0), maxlen=0)  # compiled code that looks at no signal and lets no thread in


def waits_for_a_child(trial):
    trial.report_scalar("is", "running", 1, 0)
    subprocess.run(["sleep", "1000"], check=False)


ENDLESS = [sleeps, spins, ignores_signals, swallows_exceptions, holds_the_interpreter, waits_for_a_child]


@pytest.mark.parametrize("function", ENDLESS, ids=lambda function: function.__name__)
@pytest.mark.parametrize("grace", [0.0, 0.1])
def test_abort_ends_a_trial_whatever_it_does_and_frees_its_worker(drive, gone, function, grace):
    driver = drive(function)
    driver.begin()
    pid = driver.worker_pid()
    driver.engine.abort(0, grace)
    outcome = driver.ended(0)
    assert outcome.state == ABORTED
    assert driver.engine.free() == 1
    gone(pid)
    driver.begin(1)


def test_an_aborted_trial_runs_its_finally_blocks(drive, tmp_path):
    def train(trial):
        try:
            trial.report_scalar("is", "running", 1, 0)
            while True:  # a signal in the instant before a long sleep would wait for its end
                time.sleep(0.01)
        finally:
            Path("cleaned").write_text("up")
            print("cleaned up")

    driver = drive(train)
    driver.begin()
    driver.engine.abort(0, grace=30)
    outcome = driver.ended(0)
    assert outcome.state == ABORTED
    assert outcome.error is None
    assert outcome.stdout == "cleaned up\n"
    assert (tmp_path / "cleaned").read_text() == "up"


def test_an_abort_may_count_as_another_state(drive):
    driver = drive(sleeps)
    driver.begin()
    driver.engine.abort(0, 0.05, PRUNED)
    assert driver.ended(0).state == PRUNED


def test_an_abort_in_the_middle_of_many_reports_keeps_the_stream_whole(drive):
    def train(trial):
        step = 0
        while True:
            trial.report_scalar("a", "b", step, step)
            step += 1

    driver = drive(train)
    for number in range(8):
        driver.begin(number)
        driver.engine.abort(number, grace=30)
        assert driver.ended(number).state == ABORTED
        assert [value for _, _, value, _ in driver.scalars[number]] == list(range(len(driver.scalars[number])))


def test_an_abort_that_comes_late_does_not_hit_the_next_trial(drive):
    driver = drive(lambda x: x)
    for number in range(200):
        driver.launch(number, x=number)
        driver.engine.abort(number, grace=30)
        outcome = driver.ended(number)
        driver.engine.abort(number, grace=30)
        assert outcome.state in {COMPLETED, ABORTED}
        assert driver.run(1000 + number, x=number).result == number
    assert driver.engine.free() == 1


def test_a_worker_that_is_being_killed_gets_no_further_trial(drive, monkeypatch):
    driver = drive(lambda x: x)
    driver.run(0, x=0)
    [worker] = driver.engine._workers
    process = worker.process
    driver.launch(1, x=1)
    assert select.select([worker.connection], [], [], DEADLINE)[0]  # it says that it has ended, and nobody has read it
    with monkeypatch.context() as busy:  # the order to end reaches the process late
        busy.setattr(type(process), "kill", lambda self: None)
        driver.engine.abort(1, grace=0)
    assert driver.ended(1).state == COMPLETED
    assert driver.run(2, x=2).state == COMPLETED
    assert worker.process is not process


def test_an_abort_while_the_callable_is_still_loading(drive, tmp_path, monkeypatch):
    path = tmp_path / "slow_to_import.py"
    path.write_text("def train(x): return x\n")
    monkeypatch.syspath_prepend(tmp_path)
    import slow_to_import

    path.write_text("import time; time.sleep(1000)\n")
    driver = drive(slow_to_import.train)
    driver.launch(0, x=1)
    driver.engine.abort(0, 0.05)
    assert driver.ended(0).state == ABORTED


def test_an_abort_kills_children_and_grandchildren_even_in_other_sessions(drive, gone, read_pid):
    def train(trial):
        code = (
            "import os, subprocess, time, pathlib; p = subprocess.Popen(['sleep', '1000']);"
            "pathlib.Path('grandchild').write_text(f'{p.pid}\\n'); time.sleep(1000)"
        )
        child = subprocess.Popen([sys.executable, "-c", code])
        elsewhere = subprocess.Popen(["sleep", "1000"], start_new_session=True)
        forked = os.fork()
        if not forked:
            time.sleep(1000)
        for name, pid in [("child", child.pid), ("elsewhere", elsewhere.pid), ("forked", forked)]:
            Path(name).write_text(f"{pid}\n")
        time.sleep(1000)

    driver = drive(train)
    driver.launch(0)
    pids = [read_pid(name) for name in ("child", "grandchild", "elsewhere", "forked")]
    driver.engine.abort(0, 0.0)
    assert driver.ended(0).state == ABORTED
    gone(*pids)


def test_a_trial_that_looks_at_should_stop_ends_by_itself(drive):
    def train(trial):
        step = 0
        while not trial.should_stop:
            trial.report_scalar("a", "b", step, step)
            step += 1
        return {"a/last": step}

    driver = drive(train)
    pid = driver.worker_pid()
    for number, state in enumerate([PRUNED, ABORTED]):
        driver.begin(number)
        driver.engine.ask_stop(number, state)
        outcome = driver.ended(number)
        assert outcome.state == state
        assert outcome.result["a/last"] > 0
        assert outcome.error is None
    assert driver.worker_pid() == pid, "nothing had to be killed"


@pytest.mark.parametrize("asks", [True, False], ids=["asked", "by itself"])
def test_a_trial_that_raises_as_optuna_has_it_is_pruned_when_it_was_asked_to_end(drive, asks):
    class TrialPruned(Exception):  # noqa: N818 -- as Optuna calls it
        pass

    def train(trial):
        trial.report_scalar("a", "b", 1.0, 0)
        while asks and not trial.should_stop:
            pass
        raise TrialPruned

    driver = drive(train)
    driver.begin()
    if asks:
        driver.engine.ask_stop(0, PRUNED)
    outcome = driver.ended(0)
    assert (outcome.state, outcome.error is None) == ((PRUNED, True) if asks else (FAILED, False))


def test_a_trial_that_never_looks_is_stopped_at_its_next_report(drive, tmp_path):
    def train(trial):
        step = 0
        try:
            while True:
                with contextlib.suppress(Exception):
                    trial.report_scalar("a", "b", step, step)
                step += 1
                time.sleep(0.001)
        finally:
            Path("cleaned").touch()

    driver = drive(train)
    pid = driver.worker_pid()
    driver.begin()
    driver.engine.ask_stop(0, PRUNED)
    assert driver.ended(0).state == PRUNED
    assert (tmp_path / "cleaned").exists()
    assert driver.worker_pid() == pid


def test_a_trial_is_pruned_too_where_a_library_raises_an_error_of_its_own_for_the_stop(drive):
    def train(trial):
        try:
            while True:
                trial.report_scalar("a", "b", 1, 1)
                time.sleep(0.001)
        except BaseException as error:
            raise RuntimeError(f"the callback raised {error!r}") from None  # as CatBoost does

    driver = drive(train)
    driver.begin()
    driver.engine.ask_stop(0, PRUNED)
    outcome = driver.ended(0)
    assert (outcome.state, outcome.error) == (PRUNED, None)


def test_a_trial_that_looked_once_and_no_more_is_stopped_all_the_same(drive):
    def train(trial):
        if trial.should_stop:
            return
        while True:
            trial.report_scalar("a", "b", 1, 1)
            time.sleep(0.001)

    driver = drive(train)
    driver.begin()
    driver.engine.ask_stop(0, PRUNED)
    assert driver.ended(0).state == PRUNED


def test_a_trial_that_ends_before_it_hears_of_the_stop_has_completed(drive, tmp_path):
    def train():
        while not Path("go").exists():
            time.sleep(0.005)
        return 1.0

    driver = drive(train)
    driver.launch(0)
    driver.engine.ask_stop(0, PRUNED)
    (tmp_path / "go").touch()
    assert driver.ended(0).state == COMPLETED


def test_asking_or_aborting_an_unknown_trial_does_nothing(drive):
    driver = drive(lambda: 1)
    driver.engine.ask_stop(99, PRUNED)
    driver.engine.abort(99, 0.0)
    assert driver.engine.log(99) == ""
    assert driver.run().state == COMPLETED


def test_a_process_left_behind_is_killed_and_the_result_kept(drive, gone, read_pid):
    def train(x):
        child = subprocess.Popen(["sleep", "1000"])
        Path(f"pid{x}").write_text(f"{child.pid}\n")
        return x

    driver = drive(train)
    for x in range(4):
        outcome = driver.run(x, x=x)
        assert (outcome.state, outcome.result) == (COMPLETED, x)
        gone(read_pid(f"pid{x}"))
        assert len(driver.notices) == (x >= 2)  # once, when it is no exception
    assert driver.notices[0].startswith("3 trials have left processes or threads running, as a pool of n_jobs=2 does.")


def test_children_that_have_ended_cost_no_new_worker(drive):
    def train(x):
        subprocess.run(["true"], check=True)
        subprocess.Popen(["true"]).wait()
        return x

    driver = drive(train)
    pid = driver.worker_pid()
    assert [driver.run(x, x=x).result for x in range(3)] == [0, 1, 2]
    assert driver.worker_pid() == pid


def test_a_thread_left_behind_is_ended_with_its_worker_and_the_result_kept(drive, gone):
    def train(x, trial):
        def chatter():
            while True:
                trial.report_scalar("late", "report", 1, 1)
                time.sleep(0.001)

        threading.Thread(target=chatter, daemon=bool(x)).start()
        return x

    driver = drive(train)
    for x in range(2):
        pid = driver.worker_pid() if driver.engine._workers[0].process else None
        outcome = driver.run(x, x=x)
        assert (outcome.state, outcome.result) == (COMPLETED, x)
        if pid:
            gone(pid)


def test_threads_that_are_joined_cost_no_new_worker(drive):
    def train(x):
        with ThreadPoolExecutor(4) as executor:
            return sum(executor.map(abs, range(x)))

    driver = drive(train)
    pid = driver.worker_pid()
    assert [driver.run(x, x=x).result for x in range(3)] == [0, 0, 1]
    assert driver.worker_pid() == pid


def test_a_fork_that_returns_into_the_worker_harms_nobody(drive):
    def train(x):
        if os.fork() == 0:
            return -1
        os.wait()
        return x

    driver = drive(train)
    assert [driver.run(x, x=x).result for x in range(3)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [(lambda: sys.exit(3), 3, ""), (lambda: 1 / 0, 1, "ZeroDivisionError"), (lambda: None, 0, "")],
    ids=["exit", "error", "return"],
)
def test_a_fork_that_leaves_the_callable_ends_as_it_would_in_a_script(drive, end, code, said):
    def train():
        fork = os.fork()
        if not fork:
            return end()
        return os.waitstatus_to_exitcode(os.waitpid(fork, 0)[1])

    outcome = drive(train).run()
    assert outcome.result == code
    assert said in outcome.stderr
    assert "OSError" not in outcome.stderr


def test_an_alarm_that_a_trial_leaves_on_does_not_end_the_next_one(drive):
    def train(seconds):
        left = signal.getitimer(signal.ITIMER_REAL)[0]
        signal.setitimer(signal.ITIMER_REAL, seconds)
        return left

    driver = drive(train)
    assert [driver.run(number, seconds=1000).result for number in range(2)] == [0, 0]


def test_a_forked_child_is_told_not_to_report(drive, tmp_path):
    def train(trial):
        if os.fork() == 0:
            try:
                trial.report_scalar("a", "b", 1, 1)
            except RuntimeError as error:
                Path("said").write_text(str(error))
            os._exit(0)
        os.wait()
        return 1.0

    assert drive(train).run().result == 1.0
    assert "child process" in (tmp_path / "said").read_text()


def test_a_forked_child_dies_of_sigterm_as_any_process_does(drive):
    def train():
        fork = os.fork()
        if not fork:
            time.sleep(1000)
        os.kill(fork, signal.SIGTERM)
        return os.waitstatus_to_exitcode(os.waitpid(fork, 0)[1])

    assert drive(train).run().result == -15


def test_multiprocessing_inside_a_trial_works(drive):
    def train(x):
        import multiprocessing

        with multiprocessing.get_context("fork").Pool(2) as pool:
            return sum(pool.map(abs, range(x)))

    assert drive(train).run(x=4).result == 6


def test_an_interrupt_of_the_parents_group_does_not_reach_workers(drive, tmp_path):
    def train(trial):
        trial.report_scalar("is", "running", 1, 0)
        while not Path("go").exists():
            time.sleep(0.005)
        return os.getpgid(0) == os.getsid(0) == os.getppid()

    driver = drive(train)
    driver.begin()
    heard = []
    previous = signal.signal(signal.SIGINT, lambda *_: heard.append(True))
    try:
        os.killpg(os.getpgid(0), signal.SIGINT) if os.getpgid(0) == os.getpid() else os.kill(os.getpid(), signal.SIGINT)
        wait_for(lambda: heard, lambda: "the interrupt was not heard")
    finally:
        signal.signal(signal.SIGINT, previous)
    (tmp_path / "go").touch()
    assert driver.ended(0).result == 1, "it is in a group and a session of its own, which its supervisor leads"
