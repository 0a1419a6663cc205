"""Nothing that a trial starts survives it, whatever the child does to get away and whoever dies first."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from hpo_widgets.engines.local.process import Process
from hpo_widgets.engines.local.supervisor import KILL
from hpo_widgets.trials import TrialState
from tests.engines.local.conftest import wait_for

pytestmark = pytest.mark.usefixtures("by_value")

START_CHILDREN = """
import os, subprocess
from pathlib import Path

def start_children():
    plain = subprocess.Popen(["sleep", "1000"])
    session = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    told, tell = os.pipe()
    if not os.fork():
        os.setsid()
        last = os.fork()
        if not last:
            os.execvp("sleep", ["sleep", "1000"])
        os.write(tell, str(last).encode())
        os._exit(0)
    os.wait()
    daemon = int(os.read(told, 20))
    Path("part").write_text(f"{os.getpid()} {os.getppid()} {plain.pid} {session.pid} {daemon}")
    Path("part").rename("pids")
"""


@pytest.fixture
def read_pids(tmp_path):
    """``read_pids()`` waits for the trial's own process, its supervisor, a plain child, one in a session, a daemon."""

    def read():
        wait_for((tmp_path / "pids").exists, lambda: "the trial did not start its children")
        return [int(word) for word in (tmp_path / "pids").read_text().split()]

    return read


def leave(ending):
    """A trial that starts children and ends."""
    names: dict[str, object] = {}
    exec(text, names)
    names["start_children"]()
    if ending == "raises":
        raise ValueError
    if ending == "exits":
        os._exit(1)
    if ending == "crashes":
        os.abort()
    while ending == "waits":
        time.sleep(1000)
    return 1.0


text = START_CHILDREN


@pytest.mark.parametrize("ending", ["returns", "raises", "exits", "crashes"])
def test_nothing_is_left_when_a_callable_has_ended(drive, read_pids, gone, ending):
    outcome = drive(leave).run(ending=ending)
    assert outcome.state == (TrialState.COMPLETED if ending == "returns" else TrialState.FAILED)
    gone(*read_pids())


@pytest.mark.parametrize("how", ["abort", "abort with grace", "close", "kill the worker", "stop the supervisor"])
def test_nothing_is_left_when_a_callable_is_ended(drive, read_pids, gone, how):
    driver = drive(leave)
    driver.launch(0, ending="waits")
    pids = read_pids()
    if how == "close":
        driver.engine.close()
        assert not [pid for pid in pids if psutil.pid_exists(pid)], "gone before close returns"
        return
    if how == "kill the worker":
        os.kill(pids[0], signal.SIGKILL)
    elif how == "stop the supervisor":
        os.kill(pids[1], signal.SIGSTOP)  # as a trial may do to its whole group
        driver.engine.abort(0, 0.0)
    else:
        driver.engine.abort(0, 0.05 if "grace" in how else 0.0)
    state = driver.ended(0).state
    assert state == (TrialState.FAILED if how == "kill the worker" else TrialState.ABORTED)
    gone(*pids)


@pytest.mark.parametrize("how", ["returns", "abort", "stop", "kill the script"])
def test_nothing_is_left_when_a_script_ends(drive_script, read_pids, gone, how):
    driver = drive_script(
        START_CHILDREN + "import time\nstart_children()\n" + ("" if how == "returns" else "time.sleep(1000)\n")
    )
    driver.launch(0)
    pids = read_pids()
    if how == "abort":
        driver.engine.abort(0, 0.05)
    elif how == "stop":
        driver.engine.ask_stop(0, TrialState.PRUNED)
    elif how == "kill the script":
        os.kill(pids[0], signal.SIGKILL)
    expected = {"returns": TrialState.COMPLETED, "abort": TrialState.ABORTED, "stop": TrialState.PRUNED}
    assert driver.ended(0).state == expected.get(how, TrialState.FAILED)
    gone(*pids)


OWNER = """
from pathlib import Path
from hpo_widgets.engines.local.functions import FunctionPool
from hpo_widgets.engines.local.scripts import ScriptEngine
from hpo_widgets.engines.local.template import FunctionTemplate, ScriptTemplate

text = {text!r}

def train():
    import time
    names = {{}}
    exec(text, names)
    names["start_children"]()
    time.sleep(1000)

Path("script.py").write_text(text + "import time\\nstart_children()\\ntime.sleep(1000)\\n")
engine = {engine}
engine.launch(0, {{}})
while True:
    engine.wait(1)
"""
ENGINES = {
    "callable": "FunctionPool(FunctionTemplate(train), workers=1)",
    "script": "ScriptEngine(ScriptTemplate('script.py'), workers=1)",
}


@pytest.mark.parametrize(
    "order", [["kernel"], ["kernel", "worker"], ["worker", "kernel"], ["supervisor"]], ids=", then ".join
)
@pytest.mark.parametrize("kind", ENGINES)
def test_nothing_is_left_when_processes_are_killed(child_python, read_pids, gone, kind, order):
    kernel = child_python(OWNER.format(text=START_CHILDREN, engine=ENGINES[kind]))
    worker, supervisor, plain, *others = read_pids()
    for name in order:
        with suppress(ProcessLookupError):  # the first death may have ended the second by now
            os.kill({"kernel": kernel.pid, "worker": worker, "supervisor": supervisor}[name], signal.SIGKILL)
    if order == ["supervisor"]:
        gone(worker, plain)  # those that have left its group are beyond reach
        for pid in others:
            os.kill(pid, signal.SIGKILL)
    else:
        gone(worker, supervisor, plain, *others)


ELSEWHERE = """
import fcntl, subprocess, sys, time
del fcntl.F_SETSIG
sys.platform = "elsewhere"
from hpo_widgets.engines.local import supervisor
supervisor._children = lambda child: [child]
supervisor.supervise([])
exec(sys.argv[1])
start_children()
time.sleep(1000)
"""


@pytest.mark.parametrize("end", ["kill", "the end of the life line"])
def test_a_system_without_subreapers_ends_the_group(tmp_path, read_pids, gone, end):
    process = Process(
        [sys.executable, "-c", ELSEWHERE, START_CHILDREN], environment=os.environ, directory=str(tmp_path)
    )
    worker, supervisor, plain, *others = read_pids()
    try:
        if end == "kill":
            process.kill()
            assert process.reap(timeout=60)
        process.close()
        gone(worker, supervisor, plain)
        assert all(map(psutil.pid_exists, others))
    finally:
        process.reap(timeout=60)
        for pid in others:
            os.kill(pid, signal.SIGKILL)


SUPERVISED = """
import sys, time
from hpo_widgets.engines.local.supervisor import supervise
supervise([])
exec(sys.argv[1])
start_children()
time.sleep(1000)
"""


def test_a_supervisor_that_is_seconds_late_still_ends_what_has_left_its_group(tmp_path, read_pids, gone):
    command = [sys.executable, "-c", SUPERVISED, START_CHILDREN]
    process = Process(command, environment=os.environ, directory=str(tmp_path))
    pids = read_pids()
    try:
        os.kill(process.pid, signal.SIGSTOP)  # as a machine does that has no time for it
        process._order(KILL)
        process._killed_at = time.monotonic() - 3
        assert not process.reap()
        os.kill(process.pid, signal.SIGCONT)
        assert process.reap(timeout=60)
        process.close()
        gone(*pids)
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def test_a_supervisor_ends_as_its_child_does(tmp_path):
    code = (
        "from hpo_widgets.engines.local.supervisor import supervise; supervise([]); import os, sys; exec(sys.argv[1])"
    )
    for text, returncode in [
        ("os._exit(0)", 0),
        ("os._exit(77)", 77),
        ("os.kill(os.getpid(), 15)", -15),
        ("os.kill(os.getpid(), 9)", -9),
        ("os.abort()", -6),
    ]:
        process = Process([sys.executable, "-c", code, text], environment=os.environ, directory=str(tmp_path))
        assert process.reap(timeout=60)
        process.close()
        assert process.returncode == returncode
    assert not list(Path(tmp_path).iterdir()), "no dump of memory"


def test_a_child_cannot_read_its_life_line(drive):
    def train():
        return {"read/read": len(os.read(0, 1)), "stdin/stdin": len(sys.stdin.read())}

    assert drive(train).run().result == {"read/read": 0, "stdin/stdin": 0}
