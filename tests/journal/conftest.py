"""A journal to write to, and other processes that write, read and die."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from hpo_widgets.journal import Journal, TrialRow, new_search_id

ROOT = Path(__file__).parents[2]


@pytest.fixture
def directory(tmp_path):
    return tmp_path / ".hpo_widgets"


@pytest.fixture
def journal(directory):
    """An open journal of this process."""
    with Journal.create(directory, new_search_id("digits"), {"name": "digits", "objectives": [{"title": "t"}]}) as made:
        yield made


@pytest.fixture
def make_row():
    """Make a trial that looks like a real one, anything of it replaced by keyword."""

    def make(number, **fields):
        generator = random.Random(number)
        value = generator.random()
        everything = {
            "state": 2,
            "epoch": 0,
            "parameters": [generator.random(), 3, None],
            "values": [value],
            "iteration": [9],
            "started": 1_700_000_000.0 + number,
            "ended": 1_700_000_001.5 + number,
            "worker": number % 2,
            "draw": number,
            "summary": {"validation/loss": [value, 9, value, 9, 0.9, 0, 10]},
            **fields,
        }
        return TrialRow(number=number, **everything)

    return make


@pytest.fixture
def run_python():
    """Start another interpreter on a piece of code; it is killed at the end of the test if it is still there."""
    started = []

    def run(code, *arguments, **options):
        process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            **options,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
