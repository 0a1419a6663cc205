"""A driver for engines: launches, and waits for what a test looks at, with a generous deadline."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from pathlib import Path

import cloudpickle
import psutil
import pytest

from hpo_widgets.engines.local.functions import FunctionPool
from hpo_widgets.engines.local.scripts import ScriptEngine
from hpo_widgets.engines.local.template import FunctionTemplate, ScriptTemplate
from tests.conftest import DEADLINE


def wait_for(condition, said):
    """Wait until a condition holds; ``said()`` tells what is the matter when it never does."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, said()
        time.sleep(0.005)


class Driver:
    """Owns an engine and keeps all of its events."""

    def __init__(self, engine):
        self.engine = engine
        self.outcomes = {}
        self.scalars = {}
        self.told = []
        """Kind and number of all other events."""
        self.notices = []

    def launch(self, number=0, **point):
        return self.engine.launch(number, point)

    def step(self, timeout=0.2):
        for event in self.engine.wait(timeout):
            if event.kind == "scalar":
                self.scalars.setdefault(event.number, []).append(event.data)
            elif event.kind == "notice":
                self.notices.append(event.data[1])
            elif event.kind != "ended":
                self.told.append((event.kind, event.number))
            else:
                assert event.number not in self.outcomes, "a trial ended twice"
                self.outcomes[event.number] = event.data

    def until(self, condition, what="it"):
        deadline = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < deadline, f"{what} did not happen"
            self.step(0.02)

    def ended(self, number=0):
        self.until(lambda: number in self.outcomes, f"the end of trial {number}")
        return self.outcomes[number]

    def run(self, number=0, **point):
        self.launch(number, **point)
        return self.ended(number)

    def begin(self, number=0, **point):
        """Launch a trial and wait until it has reported."""
        self.launch(number, **point)
        return self.reported(number)

    def reported(self, number=0):
        self.until(lambda: self.scalars.get(number), f"a report of trial {number}")
        return self.scalars[number]

    def worker_pid(self, index=0):
        return self.engine._workers[index].process.pid


@pytest.fixture
def drive_engine():
    """``drive_engine(engine)`` gives a `Driver` of an engine that is closed after the test."""
    drivers = []

    def start(engine):
        drivers.append(Driver(engine))
        return drivers[-1]

    yield start
    for driver in drivers:
        driver.engine.close()


@pytest.fixture
def drive(drive_engine):
    """``drive(function, workers=1, ...)`` gives a `Driver` of a pool that is closed after the test."""

    def start(function, workers=1, **keywords):
        return drive_engine(FunctionPool(FunctionTemplate(function), workers=workers, **keywords))

    return start


@pytest.fixture
def drive_script(drive_engine, tmp_path):
    """``drive_script(text, workers=1, ...)`` gives a `Driver` of an engine for a script with that text."""
    numbers = itertools.count()

    def start(text, workers=1, arguments=None, **keywords):
        path = tmp_path / f"script_{next(numbers)}.py"
        path.write_text(text)
        return drive_engine(ScriptEngine(ScriptTemplate(path, arguments), workers=workers, **keywords))

    return start


@pytest.fixture
def by_value(request):
    """Workers get the functions of the test's module as they are, as they cannot import it."""
    cloudpickle.register_pickle_by_value(request.module)
    yield
    cloudpickle.unregister_pickle_by_value(request.module)


def is_running(pid):
    """True for a process that is there and is not a zombie."""
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


@pytest.fixture
def gone():
    """``gone(pid, ...)`` waits until none of these processes runs."""

    def wait(*pids):
        wait_for(lambda: not any(map(is_running, pids)), lambda: f"still running: {list(filter(is_running, pids))}")

    return wait


@pytest.fixture
def read_pid(tmp_path):
    """``read_pid(name)`` waits for a file in which a trial has written a process number."""

    def read(name="pid"):
        path = tmp_path / name
        wait_for(lambda: path.exists() and path.read_text().endswith("\n"), lambda: f"nobody wrote {name}")
        return int(path.read_text())

    return read


@pytest.fixture
def counts():
    """``counts()`` gives how many descriptors and child processes, zombies included, there are that the test opened.

    What was there before the test is not counted: a browser that other tests share starts and ends processes.
    """

    def descriptors():
        # With what each is open on: a number is given again when what another test opened is closed meanwhile.
        found = set()
        for path in Path("/proc/self/fd").iterdir():
            with suppress(FileNotFoundError):
                found.add((path.name, os.readlink(path)))
        return found

    def children():
        return set(psutil.Process().children())

    known = descriptors(), children()

    def count():
        new = children() - known[1]
        num_processes = 0
        for child in new:
            with suppress(psutil.NoSuchProcess):
                num_processes += 1 + len(child.children(recursive=True))
        return len(descriptors() - known[0]), num_processes

    return count


@pytest.fixture
def nothing_left(counts):
    """``nothing_left(before)`` compares with earlier `counts`: processes at once, descriptors when they are closed.

    A thread that an earlier test left may have one open just now.
    """

    def compare(before):
        assert counts()[1] == before[1]
        wait_for(lambda: counts()[0] <= before[0], lambda: f"left: {counts()}, before: {before}")

    return compare


@pytest.fixture
def child_python(tmp_path):
    """``child_python(text)`` starts a Python script with that text; it ends with the test."""
    started = []

    def start(text):
        path = tmp_path / f"parent_{len(started)}.py"
        path.write_text(textwrap.dedent(text))
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        process = subprocess.Popen(
            [sys.executable, str(path)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
