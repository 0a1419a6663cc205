"""Writes, kills, full disks, locks, files that vanish, in any order: the journal has what returned, and no more."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hpo_widgets.journal import Journal, JournalBusy, JournalError, TrialRow
from hpo_widgets.trials import TrialState
from tests.faults import table
from tests.journal.conftest import change_owner

NUMBERS = st.lists(st.integers(0, 12), min_size=1, max_size=4, unique=True)
VALUES = st.floats(allow_nan=False)


def row(number, value, **fields):
    ends = {"state": 2, "values": [value], "iteration": [0], "started": 1000.0, "ended": 1001.0, **fields}
    return TrialRow(number=number, epoch=0, parameters=[value], **ends)


def in_words(rows):
    """Rows that can be compared, with numbers in them that are none."""
    return {number: repr(each) for number, each in rows.items()}


class FaultyJournal(RuleBasedStateMachine):
    """A journal of an owner to whom things happen, beside what it must have."""

    def __init__(self):
        super().__init__()
        self.line = table.line("journal written, killed, full, locked, deleted, in any order")
        self.folder = Path(tempfile.mkdtemp())
        self.num_lives = 0
        self.journal = Journal.create(self.folder / "0" / "one.sqlite", "one", {"name": "one"})
        self.journal.set_busy_timeout(0.01)
        self.rows = {}
        self.scalars = {}
        self.num_events = 0

    @rule(numbers=NUMBERS, value=VALUES)
    def write(self, numbers, value):
        new = [row(number, value) for number in numbers]
        scalars = [(number, "title", "series", value, 0) for number in numbers]
        self.journal.write(new, scalars, events=[{"kind": "report"}])
        self.rows.update({each.number: each for each in new})
        for number in numbers:
            self.scalars.setdefault(number, []).append(("title", "series", value, 0))
        self.num_events += 1

    @rule(number=st.integers(0, 12), value=VALUES)
    def launch(self, number, value):
        self.rows[number] = row(number, value, state=1, values=None, iteration=None, ended=float("nan"))
        self.journal.write([self.rows[number]])

    @rule(numbers=NUMBERS, archived=st.booleans())
    def archive(self, numbers, archived):
        self.journal.set_archived(numbers, archived=archived)
        for number in set(numbers) & set(self.rows):
            self.rows[number].archived = archived

    @rule()
    def be_killed(self):
        """Go on with the files as they are at this moment, which is what a killed owner leaves."""
        self.line.tried += 1
        self.num_lives += 1
        left = self.folder / str(self.num_lives)
        left.mkdir()
        for suffix in ("", "-wal", "-journal"):
            path = Path(f"{self.journal.path}{suffix}")
            if path.exists():
                # Not by this process, whose locks on the file would be released.
                subprocess.run(["cp", path, left / path.name], check=True)
        self.journal.close()
        path = left / self.journal.path.name
        change_owner(path, pid=2**22 - 1, token="dead")
        self.journal = Journal.open(path)
        self.journal.set_busy_timeout(0.01)
        aborted = self.journal.abort_interrupted()
        running = [number for number, each in self.rows.items() if each.state == TrialState.RUNNING]
        assert aborted == sorted(running)
        for each in self.journal.reader.trials()[1]:
            if each.number in running:
                assert each.state == TrialState.ABORTED
                self.rows[each.number] = each

    @rule()
    def be_closed_and_opened(self):
        self.journal.close()
        self.journal = Journal.open(self.journal.path)
        self.journal.set_busy_timeout(0.01)

    @rule(value=VALUES)
    def find_the_disk_full(self, value):
        self.line.tried += 1
        execute = self.journal._connection.execute
        [(pages,)] = execute("PRAGMA page_count").fetchall()
        execute(f"PRAGMA max_page_count = {pages}").fetchall()
        large = [row(number, value, error="x" * 2000) for number in range(100)]
        with pytest.raises(JournalError, match="full"):
            self.journal.write(large)
        execute("PRAGMA max_page_count = 1000000").fetchall()

    @rule()
    def be_locked(self):
        self.line.tried += 1
        with closing(sqlite3.connect(self.journal.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(JournalBusy):
                self.journal.write([row(0, 0.0)])
            other.execute("ROLLBACK")

    @rule(is_moved=st.booleans())
    def vanish(self, is_moved):
        self.line.tried += 1
        for suffix in ("", "-wal", "-shm"):
            path = Path(f"{self.journal.path}{suffix}")
            if path.exists():
                if is_moved:
                    path.rename(path.with_name(f"moved-{self.journal.num_written_again}-{path.name}"))
                else:
                    path.unlink()
        self.journal.heartbeat()

    @invariant()
    def has_what_returned(self):
        with Journal.view(self.journal.path) as reader:
            reader.check_whole()
            rows = in_words({each.number: each for each in reader.trials()[1]})
            scalars = {number: reader.scalars(number) for number in self.scalars}
            assert len(reader.events()) == self.num_events
        kept = in_words(self.rows)
        self.line.lost += sum(rows.get(number) != each for number, each in kept.items())
        self.line.lost += sum(scalars[number] != each for number, each in self.scalars.items())
        assert (rows, scalars) == (kept, self.scalars)

    def teardown(self):
        self.journal.close()
        shutil.rmtree(self.folder)


TestFaultyJournal = FaultyJournal.TestCase
TestFaultyJournal.settings = settings(settings(), max_examples=settings().max_examples // 4, stateful_step_count=20)
