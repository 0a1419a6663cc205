"""Processes, files and environments: nothing outlives the pool or the parent, nothing leaks."""

from __future__ import annotations

import io
import linecache
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from hpo_widgets.engines.local.functions import FunctionPool
from hpo_widgets.engines.local.process import CUT_AT, HEAD, TAIL, THREAD_LIMITS, Capture, Environments
from hpo_widgets.engines.local.template import FunctionTemplate
from hpo_widgets.trials import TrialState
from tests.engines.local.conftest import wait_for


def test_close_leaves_no_process_and_no_descriptor(counts, nothing_left, gone):
    FunctionPool(FunctionTemplate(lambda: 1), workers=1).close()  # whatever is opened once, is opened now
    before = counts()
    pool = FunctionPool(FunctionTemplate(lambda: time.sleep(1000)), workers=3)
    pids = [slot.process.pid for slot in pool._workers]
    for number in range(2):
        pool.launch(number, {})
    pool.close()
    pool.close()
    nothing_left(before)
    gone(*pids)


def test_aborts_deaths_and_resizes_leak_nothing(drive, counts):
    def train(kind):
        if kind == "die":
            os._exit(1)
        if kind == "leave":
            subprocess.Popen(["sleep", "1000"])
        if kind == "print":
            print("x" * 100_000)
        return 1.0

    driver = drive(train, workers=2)
    # At once, so that both workers run one: a worker that has ended a trial has been forked by its supervisor.
    driver.launch(0, kind="print")
    driver.launch(1, kind="print")
    driver.ended(0)
    driver.ended(1)
    before = counts()
    number = 2
    for kind in ["die", "leave", "print"] * 4:
        driver.run(number, kind=kind)
        number += 1
    driver.engine.resize(5)
    driver.engine.resize(2)
    for _ in range(2):
        driver.launch(number, kind="print")
        driver.launch(number + 1, kind="print")
        driver.ended(number)
        driver.ended(number + 1)
        number += 2
    driver.until(lambda: counts() == before, "the end of what was replaced")


def test_a_closed_pool_says_so(drive):
    driver = drive(lambda: 1)
    driver.engine.close()
    with pytest.raises(RuntimeError, match="closed"):
        driver.launch(0)
    assert driver.engine.wait(1) == []


def test_a_forgotten_pool_is_closed(counts, nothing_left):
    FunctionPool(FunctionTemplate(lambda: 1), workers=1).close()
    before = counts()
    pool = FunctionPool(FunctionTemplate(lambda: 1), workers=2)
    del pool
    nothing_left(before)


POOL_OF_HARD_CASES = """
    import os, time
    from pathlib import Path
    from hpo_widgets.engines.local.functions import FunctionPool
    from hpo_widgets.engines.local.template import FunctionTemplate

    def train(kind):
        import itertools, subprocess
        from collections import deque
        child = subprocess.Popen(["sleep", "1000"])
        Path(f"{kind}_child").write_text(f"{child.pid}\\n")
        Path(kind).write_text(f"{os.getpid()}\\n")
        if kind == "stuck":
            deque(itertools.repeat(0), maxlen=0)
        time.sleep(1000)

    pool = FunctionPool(FunctionTemplate(train), workers=3)
    pool.launch(0, {"kind": "stuck"})
    pool.launch(1, {"kind": "asleep"})
    Path("idle").write_text(f"{pool._workers[0].process.pid}\\n")
    while True:
        pool.wait(1)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_workers_and_their_children_end_with_their_parent(child_python, read_pid, gone, number):
    parent = child_python(POOL_OF_HARD_CASES)
    pids = [read_pid(name) for name in ("stuck", "stuck_child", "asleep", "asleep_child", "idle")]
    parent.send_signal(number)
    parent.wait()
    gone(*pids)


def test_a_fork_of_the_parent_does_not_keep_workers_alive(child_python, read_pid, gone):
    parent = child_python(
        """
        import os, time
        from pathlib import Path
        from hpo_widgets.engines.local.functions import FunctionPool
        from hpo_widgets.engines.local.template import FunctionTemplate

        pool = FunctionPool(FunctionTemplate(lambda: time.sleep(1000)), workers=1)
        pool.launch(0, {})
        Path("worker").write_text(f"{pool._workers[0].process.pid}\\n")
        fork = os.fork()
        if fork == 0:
            time.sleep(1000)
        Path("fork").write_text(f"{fork}\\n")
        while True:
            pool.wait(1)
        """
    )
    worker, fork = read_pid("worker"), read_pid("fork")
    parent.kill()
    parent.wait()
    try:
        gone(worker)
    finally:
        os.kill(fork, signal.SIGKILL)


def test_workers_survive_the_end_of_the_thread_that_started_them(drive):
    drivers = []
    thread = threading.Thread(target=lambda: drivers.append(drive(lambda x: x)))
    thread.start()
    thread.join()
    assert drivers[0].run(x=5).result == 5


def test_a_script_without_a_main_guard_may_own_a_pool(child_python):
    parent = child_python(
        """
        import dataclasses
        from contextlib import closing
        from hpo_widgets.engines.local.functions import FunctionPool
        from hpo_widgets.engines.local.template import FunctionTemplate

        print("once")
        FACTOR = 3

        @dataclasses.dataclass
        class Settings:
            x: int

        def helper(settings):
            return settings.x * FACTOR

        def train(x):
            return helper(Settings(x))

        with closing(FunctionPool(FunctionTemplate(train), workers=2)) as pool:
            for number in range(2):
                pool.launch(number, {"x": number + 1})
            results = {}
            while len(results) < 2:
                results |= {event.number: event.data.result for event in pool.wait(10) if event.kind == "ended"}
        print(results[0], results[1])
        """
    )
    out, err = parent.communicate(timeout=60)
    assert out == "once\n3 6\n", err


def test_an_error_in_a_script_shows_its_lines(child_python):
    parent = child_python(
        """
        from contextlib import closing
        from hpo_widgets.engines.local.functions import FunctionPool
        from hpo_widgets.engines.local.template import FunctionTemplate

        def train():
            raise ValueError("here")  # the marked line

        with closing(FunctionPool(FunctionTemplate(train), workers=1)) as pool:
            pool.launch(0, {})
            while not (ended := [event for event in pool.wait(10) if event.kind == "ended"]):
                pass
            print(ended[0].data.traceback)
        """
    )
    out, err = parent.communicate(timeout=60)
    assert "# the marked line" in out, err


def test_an_error_in_a_notebooks_cell_shows_its_lines(drive):
    source = "def train(x):\n    return 1 / x  # in the cell\n"
    linecache.cache["/nowhere/ipykernel/1.py"] = (len(source), None, source.splitlines(keepends=True), "")
    namespace = {"__name__": "__main__"}
    exec(compile(source, "/nowhere/ipykernel/1.py", "exec"), namespace)
    outcome = drive(namespace["train"]).run(x=0)
    assert outcome.error == "ZeroDivisionError: division by zero"
    assert "# in the cell" in outcome.traceback


def test_a_process_that_cannot_be_started_fails_its_trial(drive, monkeypatch):
    driver = drive(lambda: 1)
    driver.engine._discard(driver.engine._workers[0])
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    outcome = driver.run(0)
    assert outcome.state == TrialState.FAILED
    assert outcome.launch_failed
    assert "no worker process could be started" in outcome.error
    monkeypatch.undo()
    assert driver.run(1).state == TrialState.COMPLETED


def test_a_child_reaped_by_somebody_else_is_noticed(drive):
    driver = drive(lambda: time.sleep(1000))
    driver.launch(0)
    pid = driver.worker_pid()
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    outcome = driver.ended(0)
    assert outcome.state == TrialState.FAILED


@pytest.fixture(params=["no pidfd", "no waitid", "no memfd", "none of them"])
def elsewhere(request, monkeypatch):
    """Systems that lack what Linux has."""

    lacks = {
        "no pidfd": [(os, "pidfd_open")],
        "no waitid": [(os, "waitid"), (os, "pidfd_open")],
        "no memfd": [(os, "memfd_create")],
    }
    names = [request.param] if request.param in lacks else list(lacks)
    for module, name in {pair for key in names for pair in lacks[key]}:
        monkeypatch.delattr(module, name)


@pytest.mark.usefixtures("elsewhere")
def test_systems_with_less_than_linux_do_the_same(counts, nothing_left, gone):
    FunctionPool(FunctionTemplate(lambda: 1), workers=1).close()
    before = counts()

    def train(kind, trial):
        trial.report_scalar("is", "running", 1, 0)
        if kind == "die":
            os._exit(5)
        if kind == "hang":
            subprocess.Popen(["sleep", "1000"])
            while True:
                time.sleep(1)
        return 1.0

    with closing(FunctionPool(FunctionTemplate(train), workers=2)) as pool:
        pids = [slot.process.pid for slot in pool._workers]
        outcomes = {}
        for number, kind in enumerate(["die", "hang", "plain"]):
            pool.launch(number, {"kind": kind})
            while number not in outcomes:
                for event in pool.wait(0.1):
                    if event.kind == "ended":
                        outcomes[event.number] = event.data
                    elif kind == "hang":
                        pool.abort(number, 0.05)
        assert "exit code 5" in outcomes[0].error
        assert outcomes[1].state == TrialState.ABORTED
        assert outcomes[2].result == 1.0
    gone(*pids)
    nothing_left(before)


def test_the_modules_import_without_posix(child_python):
    child = child_python(
        """
        import sys
        for name in ("fcntl", "resource", "termios", "pwd", "grp"):
            sys.modules[name] = None
        import os, signal, select
        for module, names in {
            os: ["killpg", "fork", "register_at_fork", "pidfd_open", "waitid", "memfd_create", "setsid", "getpgid",
                 "setpriority", "getpriority", "nice", "WEXITED", "WNOWAIT", "P_PID"],
            signal: ["SIGKILL", "SIGBUS", "SIGALRM", "pthread_kill", "setitimer"],
            select: ["epoll", "poll", "POLLIN", "POLLOUT"],
        }.items():
            for name in names:
                if hasattr(module, name):
                    delattr(module, name)
        import hpo_widgets.engines.local.functions, hpo_widgets.engines.local.scripts, hpo_widgets.engines.local.worker
        from hpo_widgets.engines.local.template import FunctionTemplate
        from hpo_widgets import report_scalar
        report_scalar("a", "b", 1, 1)
        try:
            hpo_widgets.engines.local.functions.FunctionPool(FunctionTemplate(lambda: 1), workers=1)
        except OSError as error:
            print(error)
        """
    )
    out, err = child.communicate(timeout=60)
    assert "needs process groups" in out, err


def test_too_few_descriptors_fail_the_trial_and_leak_none(counts, monkeypatch):
    pool = FunctionPool(FunctionTemplate(lambda: 1), workers=1)
    pool._discard(pool._workers[0])
    before = counts()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(entry.name) for entry in Path("/proc/self/fd").iterdir())
    try:
        for room in range(12):
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest + room, limits[1]))
            pool.launch(room, {})
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            while not (ended := [event.data for event in pool.wait(60) if event.kind == "ended"]):
                pass
            assert ended[0].state in {TrialState.FAILED, TrialState.COMPLETED}
            if ended[0].state == TrialState.FAILED:
                assert "no worker process could be started: OSError" in ended[0].error
                # What was ending then may have ended since, and a thread of another test may hold a file just now.
                wait_for(
                    lambda: all(now <= then for now, then in zip(counts(), before, strict=True)),
                    lambda: f"left: {counts()}, before: {before}",
                )
        assert ended[0].state == TrialState.COMPLETED
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        pool.close()


def test_a_fork_that_drops_its_copy_of_the_pool_kills_nothing(drive):
    driver = drive(lambda x: x)
    pid = driver.worker_pid()
    fork = os.fork()
    if not fork:
        try:
            driver.engine.close()
            driver.engine.__del__()
        finally:
            os._exit(0)
    os.waitpid(fork, 0)
    assert driver.run(x=3).result == 3
    assert driver.worker_pid() == pid


@pytest.mark.parametrize(
    "own",
    [
        pytest.param({1: {"DEVICE": 7}}, id="a mapping"),
        pytest.param([{}, {"DEVICE": 7}], id="a sequence"),
        pytest.param(lambda index: {"DEVICE": 7} if index == 1 else {}, id="a function"),
    ],
)
def test_each_worker_has_its_own_variables_and_one_that_is_not_named_has_none(own):
    environments = Environments(own)
    assert [environments.of(index).get("DEVICE") for index in range(3)] == [None, "7", None]


def test_none_removes_a_variable_from_one_worker_only(monkeypatch):
    monkeypatch.setenv("SECRET", "value")
    environments = Environments({0: {"SECRET": None}})
    assert ["SECRET" in environments.of(index) for index in (0, 1)] == [False, True]


def test_numeric_libraries_get_one_thread_unless_the_user_said_otherwise(monkeypatch):
    for name in THREAD_LIMITS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    environment = Environments(None).of(0)
    assert environment["OMP_NUM_THREADS"] == "3"
    assert {environment[name] for name in THREAD_LIMITS if name != "OMP_NUM_THREADS"} == {"1"}


@pytest.mark.parametrize(
    "names",
    [
        ["TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "PJRT_NPROC"],
        ["NUMBA_NUM_THREADS", "POLARS_MAX_THREADS", "RAYON_NUM_THREADS"],
    ],
)
def test_libraries_with_variables_of_their_own_get_one_thread_too(monkeypatch, names):
    for name in names:
        monkeypatch.delenv(name, raising=False)
    environment = Environments(None).of(0)
    assert [environment.get(name) for name in names] == ["1"] * 3


def test_each_trial_has_one_core_where_joblib_counts_them(monkeypatch):
    joblib = pytest.importorskip("joblib.externals.loky")
    monkeypatch.delenv("LOKY_MAX_CPU_COUNT", raising=False)
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", Environments(None).of(0)["LOKY_MAX_CPU_COUNT"])
    assert joblib.cpu_count() == 1


def test_a_worker_cannot_change_what_the_others_get():
    environments = Environments(None)
    environments.of(0)["MINE"] = "1"
    assert "MINE" not in environments.of(1)


def test_what_a_trial_prints_is_its_own(drive):
    def train(x):
        if x:
            print(f"out {x}")
            print(f"err {x}", file=sys.stderr)
        return x

    driver = drive(train)
    outcomes = [driver.run(x, x=x) for x in range(3)]
    assert [(o.stdout, o.stderr) for o in outcomes] == [("", ""), ("out 1\n", "err 1\n"), ("out 2\n", "err 2\n")]


def test_output_of_compiled_code_and_of_children_is_kept(drive):
    def train():
        os.write(1, b"compiled\n")
        subprocess.run(["sh", "-c", "echo child; echo wrong >&2"], check=True)

    outcome = drive(train).run()
    assert outcome.stdout == "compiled\nchild\n"
    assert outcome.stderr == "wrong\n"


def test_a_failed_trial_keeps_what_it_printed(drive):
    def train():
        print("before")
        raise ValueError

    assert drive(train).run().stdout == "before\n"


@pytest.mark.parametrize("end", [b"\n", b""], ids=["in lines", "without a newline"])
def test_a_trial_that_prints_without_end_is_bounded_and_can_be_aborted(drive, end):
    def train(trial):
        os.write(1, b"first\n")
        trial.report_scalar("is", "running", 1, 0)
        line = b"x" * 65535 + end
        while True:
            os.write(1, line)

    driver = drive(train)
    driver.begin()
    stdout = driver.engine._workers[0].process.stdout
    driver.until(lambda: stdout.is_cut, "the first cut")
    sizes = []
    driver.until(lambda: sizes.append(os.fstat(stdout.fd).st_size) or len(sizes) > 20)
    driver.engine.abort(0, 0.05)
    outcome = driver.ended(0)
    assert outcome.stdout.startswith("first\n")
    assert "bytes left out" in outcome.stdout
    assert len(outcome.stdout) < HEAD + TAIL + 100
    assert driver.engine.free() == 1


def test_output_of_one_trial_never_shows_in_the_next(drive):
    def train(x):
        print(str(x) * (3 << 20) if x == 1 else x)
        return x

    driver = drive(train)
    assert "bytes left out" in driver.run(1, x=1).stdout
    assert driver.run(2, x=2).stdout == "2\n"


def test_the_log_of_a_running_trial_can_be_read(drive, tmp_path):
    def train():
        print("epoch 1")
        print("careful", file=sys.stderr)
        while not Path("go").exists():
            time.sleep(0.005)

    driver = drive(train)
    driver.launch(0)
    driver.until(lambda: "careful" in driver.engine.log(0), "the log")
    assert driver.engine.log(0) == "epoch 1\ncareful"
    (tmp_path / "go").touch()
    assert driver.ended(0).stdout == "epoch 1\n"
    assert driver.engine.log(0) == ""


def test_a_trial_that_replaces_or_closes_stdout_harms_no_other(drive):
    def train(how):
        print("before")
        if how == "replace":
            sys.stdout = io.StringIO()
        elif how == "close":
            sys.stdout.close()
        elif how == "close fd":
            os.close(1)
        return 1.0

    driver = drive(train)
    for number, how in enumerate(["replace", "close", "close fd", "none"]):
        outcome = driver.run(number, how=how)
        assert outcome.state == TrialState.COMPLETED
        assert outcome.stdout == "before\n"


def test_bytes_that_are_no_text_are_shown_as_such(drive):
    def train():
        os.write(1, b"\xff\xfe ok")

    assert drive(train).run().stdout == "\ufffd\ufffd ok"


def test_a_capture_counts_what_it_leaves_out():
    capture = Capture()
    try:
        total = 0
        for letter in b"abc":
            os.write(capture.fd, bytes([letter]) * (CUT_AT + 1))
            total += CUT_AT + 1
            assert capture.cut()
            assert not capture.cut()
            assert os.fstat(capture.fd).st_size == 0
        os.write(capture.fd, b"end")
        total += 3
        head, middle, tail = capture.text().split("\n")
        assert head == "a" * HEAD
        assert tail == "c" * (TAIL - 3) + "end"
        assert middle == f"… {total - HEAD - TAIL} bytes left out …"
        assert capture.take().endswith("end")
        assert capture.text() == ""
    finally:
        capture.close()


def test_of_progress_bars_the_last_state_is_kept_and_what_was_printed_between(drive):
    def train():
        from tqdm import tqdm

        for epoch in tqdm(range(3), desc="epochs", file=sys.stdout, ascii=True):
            for _ in tqdm(range(500), desc="batches", leave=False, mininterval=0, file=sys.stdout, ascii=True):
                pass
            tqdm.write(f"\x1b[31mepoch {epoch}\x1b[0m", file=sys.stdout)

    first, second, third, bar, end = drive(train).run().stdout.split("\n")
    assert [first, second, third] == ["epoch 0", "epoch 1", "epoch 2"]
    assert bar.startswith("epochs: 100%")
    assert end == ""


@pytest.mark.parametrize("num_lines", [1, 2, 3])
def test_of_lines_that_are_drawn_again_together_the_last_state_is_kept(num_lines):
    up = "\r\x1b[2K" + "\x1b[1A\x1b[2K" * (num_lines - 1)  # as rich writes it
    states = ["\n".join(f"\x1b[35mbar {line}: {step}\x1b[0m" for line in range(num_lines)) for step in range(50)]
    capture = Capture()
    try:
        os.write(capture.fd, f"before\n{up.join(states)}\nafter\n".encode())
        assert capture.take() == "before\n" + "".join(f"bar {line}: 49\n" for line in range(num_lines)) + "after\n"
    finally:
        capture.close()


def test_output_just_within_the_bound_is_whole():
    capture = Capture()
    try:
        os.write(capture.fd, b"x" * (HEAD + TAIL))
        assert capture.take() == "x" * (HEAD + TAIL)
        os.write(capture.fd, b"y" * (HEAD + TAIL + 1))
        assert "… 1 bytes left out …" in capture.take()
    finally:
        capture.close()
