"""A journal to write to, and other processes that write, read and die."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

from hpo_widgets.journal import Journal, TrialRow, new_search_id, schema
from hpo_widgets.journal.rows import TRIAL_HEAD

ROOT = Path(__file__).parents[2]


def rewrite(path, table, key, change, column="data"):
    """Replace a row's content by what ``change`` makes of its value, or of its bytes, with a checksum that fits."""
    number = getattr(schema, table.upper())
    with closing(sqlite3.connect(path, isolation_level=None)) as vandal:
        key_name = vandal.execute(f"SELECT name FROM pragma_table_info('{table}') WHERE pk").fetchone()[0]
        (found,) = vandal.execute(f"SELECT {column} FROM {table} WHERE {key_name} = ?", (key,)).fetchone()
        value = change(found if isinstance(found, bytes) else json.loads(found))
        new = value if isinstance(value, bytes | int | None) else json.dumps(value)
        vandal.execute(f"UPDATE {table} SET {column} = ? WHERE {key_name} = ?", (new, key))
        reseal(vandal, table, number, key_name)


def rewrite_trial(path, number, **fields):
    """Change numbers of a trial's record; ``body`` are the bytes after the fixed part."""

    def change(record):
        head = np.frombuffer(record[: TRIAL_HEAD.itemsize], TRIAL_HEAD).copy()
        body = fields.pop("body", record[TRIAL_HEAD.itemsize :])
        for name, value in fields.items():
            head[name] = value
        return head.tobytes() + body

    rewrite(path, "trials", number, change)


def reseal(vandal, table, number, key_name):
    """Give all rows of a table checksums that fit."""
    names = [name for _, name, *_ in vandal.execute(f"PRAGMA table_info({table})")]
    for row in vandal.execute(f"SELECT * FROM {table}").fetchall():
        fields = dict(zip(names, row, strict=True))
        texts = [fields.get("data"), fields.get("more", "")]
        data, more = (text if isinstance(text, bytes) else str(text).encode() for text in texts)
        crc = schema.checksum(number, fields[key_name], data, more)
        vandal.execute(f"UPDATE {table} SET crc = ? WHERE {key_name} = ?", (crc, fields[key_name]))


def change_owner(path, **fields):
    """Change who owns a journal, as nobody does it."""
    names = ("host", "machine", "pid", "process_started", "token")

    def change(value):
        *totals, heartbeat, owner = value
        owner = dict(zip(names, owner or (None,) * len(names), strict=True)) | fields
        return [*totals, fields.get("heartbeat", heartbeat), [owner[name] for name in names]]

    rewrite(path, "state", 1, change)
    with closing(sqlite3.connect(path, isolation_level=None)) as vandal:
        (text,) = vandal.execute("SELECT data FROM state").fetchone()
        vandal.execute("UPDATE state SET token = ?", (json.loads(text)[-1][-1],))


@contextmanager
def locked(path):
    """Another program holds the journal's lock on writing."""
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute('BEGIN IMMEDIATE'); "
        "print('locked', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "locked\n"
        yield
        other.stdin.close()


@pytest.fixture
def directory(tmp_path):
    return tmp_path / ".hpo_widgets"


@pytest.fixture
def journal(directory):
    """An open journal of this process."""
    with Journal.create(directory, new_search_id("digits"), {"name": "digits", "objectives": [{"title": "t"}]}) as made:
        yield made


@pytest.fixture(scope="session")
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
