"""Whatever a process sends costs its own trial, with a sentence, and never runs code in this process."""

from __future__ import annotations

import ast
import functools
import os
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

import hpo_widgets
from hpo_widgets import HyperParameterOptimizer, RandomSearch, UniformIntegerParameterRange
from hpo_widgets.engines.local import engine
from hpo_widgets.engines.local.messages import BadMessageError, ended_line, read
from hpo_widgets.trials import TrialState
from tests.engines.local.conftest import Driver, wait_for
from tests.engines.local.garbage import GARBAGE, misbehave, send, send_from_a_callable

COMPLETED, FAILED = TrialState.COMPLETED, TrialState.FAILED


def test_only_the_workers_program_unpickles_and_nothing_that_runs_beside_the_search_imports_it():
    package = Path(hpo_widgets.__file__).parent
    unpickling, importing = set(), set()
    for path in package.rglob("*.py"):
        name = path.relative_to(package).as_posix()
        text = path.read_text(encoding="utf-8")
        if "pickle" not in text and "worker" not in text:
            continue  # it has neither name, so that it needs no parsing
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Attribute) and node.attr in {"loads", "load", "Unpickler"}:
                unpickling |= {name} if "pickle" in ast.unparse(node.value) else set()
            elif isinstance(node, ast.ImportFrom):
                names = {alias.name for alias in node.names}
                unpickling |= {name} if "pickle" in (node.module or "") and names - {"dumps"} else set()
                modules = {node.module, *(f"{node.module}.{imported}" for imported in names)}
                importing |= {name} if "hpo_widgets.engines.local.worker" in modules else set()
            elif isinstance(node, ast.Import):
                names = {alias.name for alias in node.names}
                importing |= {name} if "hpo_widgets.engines.local.worker" in names else set()
    assert unpickling == {"engines/local/worker.py"}
    assert importing == set()


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_is_read_as_such(kind):
    *lines, _rest = (GARBAGE[kind] + ended_line(0, 0.5, 1.0)).split(b"\n")
    with pytest.raises(BadMessageError):
        [read(line) for line in lines]


SEND_FROM_A_SCRIPT = """
import argparse, os
from hpo_widgets import report_scalar
from tests.engines.local.garbage import GARBAGE, misbehave, send, send_from_a_callable

parser = argparse.ArgumentParser()
parser.add_argument("--kind")
kind = parser.parse_args().kind
if kind is not None:
    view = memoryview(GARBAGE[kind])
    while view:
        view = view[os.write(int(os.environ["HPO_WIDGETS_REPORT"].split(":")[0]), view):]
else:
    report_scalar("objective", "objective", 1.0, 0)
"""


class Counted(Driver):
    """Counts the processes that its engine starts."""

    def __init__(self, engine):
        super().__init__(engine)
        self.num_started = 0
        start = engine._start

        def counting(*arguments):
            self.num_started += 1
            start(*arguments)

        engine._start = counting


def fail_by_all_garbage(driver):
    driver = Counted(driver.engine)
    for number, kind in enumerate(GARBAGE):
        outcome = driver.run(number, kind=kind)
        assert outcome.state == FAILED, kind
        assert "report" in outcome.error, kind
        assert len(outcome.error) < 250, kind
        assert outcome.result is None, kind
        assert not Path("unpickled").exists(), kind
    assert driver.run(len(GARBAGE), kind=None).state == COMPLETED
    return driver.num_started


def test_garbage_of_a_callable_fails_its_trial_and_replaces_its_worker(drive):
    assert fail_by_all_garbage(drive(send_from_a_callable)) == len(GARBAGE)


def test_a_line_that_never_ends_fails_its_trial_at_its_maximum_and_is_not_waited_for(drive):
    def train(x):
        send(b"x" * (5 << 20) * x)
        while x:
            time.sleep(1)
        return 1.0

    driver = drive(train)
    outcome = driver.run(0, x=1)
    assert outcome.state == FAILED
    assert "of more than 4194304 bytes" in outcome.error
    assert driver.run(1, x=0).state == COMPLETED


@pytest.mark.slow
def test_garbage_of_a_script_fails_its_trial(drive_script, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(hpo_widgets.__file__).parent.parent))
    assert fail_by_all_garbage(drive_script(SEND_FROM_A_SCRIPT)) == len(GARBAGE) + 1


def test_a_message_that_is_not_a_scripts_fails_it(drive_script):
    driver = drive_script(
        "import os\nos.write(int(os.environ['HPO_WIDGETS_REPORT'].split(':')[0]), b'[1,0,0.5,1.0,null]\\n')"
    )
    outcome = driver.run()
    assert "which a script cannot send" in outcome.error
    assert not outcome.launch_failed  # else three of them would end the search


def test_a_trial_that_says_twice_how_it_ended_is_heard_once(drive):
    # The second one arrives while the worker, which left something behind, is being ended.
    messages = b"[1,0,0.5,1.0,[16,null,null]]\n[1,0,0.5,2.0,null]\n"
    driver = drive(functools.partial(send, garbage=messages))
    assert driver.run(0).result == 1.0
    assert driver.run(1).state == COMPLETED


def test_a_trial_that_says_it_has_ended_and_goes_on_holds_no_other_back(drive, monkeypatch):
    def train(x):
        if x:
            send(b"[1,0,0.5,1.0,null]\n")
            time.sleep(1000)
        return 2.0

    driver = Counted(drive(train).engine)
    assert driver.run(0, x=1).result == 1.0
    # Only the worker that is busy is short of time, none that is slow to begin.
    with monkeypatch.context() as patch:
        patch.setattr("hpo_widgets.engines.local.functions._STARTING", 0.2)
        driver.launch(1, x=0)
        driver.until(lambda: driver.num_started == 1, "the start of another worker")
    assert driver.ended(1).result == 2.0
    assert driver.num_started == 1


def test_what_a_trial_prints_stays_bounded_where_a_busy_worker_was_replaced_for_it(drive, monkeypatch):
    def train(x):
        if x:
            send(b"[1,0,0.5,1.0,null]\n")
        else:
            for _ in range(64):
                os.write(1, bytes(65536))
        time.sleep(1000)

    driver = drive(train)
    driver.run(0, x=1)
    worker = driver.engine._workers[0]
    busy = worker.process
    driver.launch(1, x=0)
    with monkeypatch.context() as patch:
        patch.setattr("hpo_widgets.engines.local.functions._STARTING", -1.0)
        driver.engine._check(time.monotonic())  # ends the busy worker
    # The engine's thread has other things to do until the next check is due, and finds the worker gone with that.
    wait_for(lambda: busy.has_ended() and time.monotonic() >= driver.engine._check_at, lambda: "it lives on")
    driver.until(lambda: worker.process not in {busy, None}, "the start of another worker")
    driver.until(lambda: worker.process.stdout.is_cut, "the first cut")


def test_garbage_while_no_trial_runs_costs_none(drive, gone):
    def train(x):
        def later():
            while not os.path.exists("ended"):
                time.sleep(0.001)
            for name in os.listdir("/proc/self/fd"):
                try:
                    if os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                        os.write(int(name), b"garbage\n")
                except OSError:
                    pass

        if x == 0:
            thread = threading.Thread(target=later)
            threading.enumerate().append(thread)
            thread.start()
            threading._active.pop(thread.ident)  # not seen as left behind
        return x

    driver = drive(train)
    pid = driver.worker_pid()
    assert driver.run(0, x=0).result == 0
    Path("ended").touch()
    driver.until(lambda: driver.engine._workers[0].process is None, "the end of the worker")
    gone(pid)
    assert driver.run(1, x=1).result == 1


@pytest.mark.parametrize("how", ["close", "shutdown"])
def test_a_trial_that_closes_the_connection_fails_soon(drive, how):
    def train(how):
        for name in os.listdir("/proc/self/fd") if how else ():
            try:
                if os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                    if how == "close":
                        os.close(int(name))
                    else:
                        socket.socket(fileno=int(name)).shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        while how:
            time.sleep(1)
        return 1.0

    driver = drive(train)
    assert driver.run(0, how=how).error == "the trial's process closed its connection to the search"
    assert driver.run(1, how=None).state == COMPLETED


def test_a_process_that_takes_long_to_vanish_is_told_to_have_closed_its_connection(drive, monkeypatch):
    monkeypatch.setattr(engine, "_PATIENCE", 0.0)  # as on a busy machine: killed, it is seen to run still

    def train():
        os.closerange(3, 1 << 20)
        while True:
            time.sleep(1)

    assert drive(train).run(0).error == "the trial's process closed its connection to the search"


def test_an_end_that_is_noticed_late_is_told_as_it_was(drive):
    def train(how):
        if how:
            # Nothing waits for this process until the engine's patience with its closed connection is over.
            os.kill(os.getppid(), signal.SIGSTOP)
            os._exit(3)
        return 1.0

    driver = drive(train)
    assert driver.run(0, how="exits").error == "the trial's process ended with exit code 3"
    assert driver.run(1, how=None).state == COMPLETED


class FailsToLoad:
    """A value that a worker cannot load."""

    def __init__(self, how):
        self.how = how

    def __reduce__(self):
        return (os._exit, (3,)) if self.how == "exits" else (int, ("no number",))


class FailsToSend:
    """A value that cannot be sent."""

    def __reduce__(self):
        raise LookupError("lost")


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (FailsToLoad("raises"), "the trial's parameters could not be loaded in a worker process: ValueError"),
        (FailsToLoad("exits"), "the trial's process ended with exit code 3"),
        (FailsToSend(), "its parameters cannot be sent to one (LookupError: lost)"),
    ],
    ids=["raises", "exits", "cannot be sent"],
)
def test_a_value_that_does_not_load_fails_its_trial_once(drive, value, sentence):
    driver = Counted(drive(lambda x: 1.0).engine)
    outcome = driver.run(0, x=value)
    assert outcome.state == FAILED
    assert sentence in outcome.error
    assert driver.run(1, x=1).state == COMPLETED
    assert driver.num_started <= 1


def test_workers_that_die_between_trials_are_not_started_for_ever(drive, tmp_path, monkeypatch):
    path = tmp_path / "ends_its_importer.py"
    path.write_text("def train(x): return x\n")
    monkeypatch.syspath_prepend(tmp_path)
    import ends_its_importer

    path.write_text(
        "import os, signal\n"
        "from hpo_widgets.engines.local.worker import Worker\n"
        "Worker.serve = lambda self: os._exit(4)\n"
        "def train(x): return x\n"
    )
    driver = Counted(drive(ends_its_importer.train).engine)
    outcome = driver.run(0, x=1)
    assert outcome.launch_failed
    assert "3 in a row ended before they began the trial" in outcome.error
    assert driver.num_started <= 3


WELL = {0, 1, 6, 7, 13}


def test_a_search_goes_on_whatever_its_trials_do(tmp_path):
    optimizer = HyperParameterOptimizer(
        misbehave, [UniformIntegerParameterRange("way", 0, 15)], optimizer_class=RandomSearch,
        total_max_jobs=16, max_failures=100, max_number_of_concurrent_tasks=2, journal=tmp_path,
    )  # fmt: skip
    optimizer.start()
    assert optimizer.wait(timeout=2)
    assert optimizer.stop_reason.code in {"total_max_jobs", "space_exhausted"}
    trials = {trial.parameters["way"]: trial for trial in optimizer.get_top_experiments(16)}
    assert set(trials) >= WELL
    assert optimizer.counts[COMPLETED] == len(WELL)
    assert optimizer.counts[FAILED] == 16 - len(WELL)
