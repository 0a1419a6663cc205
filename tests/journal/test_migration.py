"""A journal of an older version is brought up to date after a backup, or viewed as it is."""

from __future__ import annotations

import math
import sqlite3
from contextlib import closing

import pytest

from hpo_widgets.journal import Journal, JournalError, JournalInUse, TrialRow, migration, schema

VERSION_1 = """
CREATE TABLE lease (id INTEGER PRIMARY KEY CHECK (id = 1), sequence INTEGER NOT NULL, host TEXT, machine TEXT,
    pid INTEGER, process_started REAL, heartbeat REAL, token TEXT);
CREATE TABLE header (id INTEGER PRIMARY KEY CHECK (id = 1), search_id TEXT NOT NULL, data TEXT NOT NULL);
CREATE TABLE trials (number INTEGER PRIMARY KEY, seq INTEGER NOT NULL, state INTEGER NOT NULL, epoch INTEGER NOT NULL,
    parameters TEXT NOT NULL, value REAL, iteration INTEGER, started REAL, ended REAL, worker INTEGER NOT NULL,
    error TEXT);
CREATE TABLE scalars (id INTEGER PRIMARY KEY, number INTEGER NOT NULL, title TEXT NOT NULL, series TEXT NOT NULL,
    value REAL, iteration INTEGER);
CREATE TABLE outputs (number INTEGER PRIMARY KEY, stdout TEXT, stderr TEXT, traceback TEXT);
CREATE TABLE events (seq INTEGER NOT NULL, at REAL NOT NULL, kind TEXT NOT NULL, data TEXT NOT NULL);
INSERT INTO lease (id, sequence) VALUES (1, 9);
INSERT INTO header VALUES (1, 'old-search', '{"name": "old"}');
INSERT INTO trials VALUES (0, 3, 2, 0, '[0.5,3]', 0.25, 7, 100.0, 101.0, 0, NULL);
INSERT INTO trials VALUES (1, 9, 3, 1, '[0.1,null]', NULL, NULL, 100.0, NULL, 1, 'ValueError: no');
INSERT INTO trials VALUES (2, 4, 2, 1, '[0.2,1]', 9e999, 0, 100.0, 101.0, 1, NULL);
INSERT INTO scalars VALUES (1, 0, 'validation', 'loss', 0.5, 0), (2, 1, 'validation', 'accuracy', NULL, 0),
    (3, 0, 'validation', 'loss', 0.25, 7);
INSERT INTO outputs VALUES (1, 'out', 'err', 'Traceback');
INSERT INTO events VALUES (2, 50.0, 'start', '{}'), (5, 60.0, 'set_range', '{"name": "lr"}'), (5, 60.0, 'note', '{}');
"""


@pytest.fixture
def old(tmp_path):
    """Path of a journal of version 1."""
    path = tmp_path / "old-search.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.executescript(VERSION_1)
        raw.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        raw.execute("PRAGMA user_version = 1")
        raw.execute("PRAGMA journal_mode=WAL")
    return path


EXPECTED = [
    TrialRow(0, 2, 0, [0.5, 3], [0.25], [7], 100.0, 101.0, 0),
    TrialRow(2, 2, 1, [0.2, 1], [math.inf], [0], 100.0, 101.0, 1),
]


def check(reader):
    sequence, rows = reader.trials()
    assert sequence == 9
    assert rows[:2] == EXPECTED
    assert (rows[2].number, rows[2].values, rows[2].error) == (1, None, "ValueError: no")
    assert math.isnan(rows[2].ended)
    assert reader.trials(since=4)[1][0].number == 1
    assert reader.header == {"name": "old"}
    assert reader.search_id == "old-search"
    assert reader.scalars(0) == [("validation", "loss", 0.5, 0), ("validation", "loss", 0.25, 7)]
    assert math.isnan(reader.scalars(1)[0][2])
    assert reader.output(1) == ("out", "err", "Traceback")
    assert [(event["sequence"], event["kind"]) for event in reader.events()] == [
        (2, "start"),
        (5, "set_range"),
        (5, "note"),
    ]
    assert reader.events(since=2)[0]["name"] == "lr"
    reader.check_whole()


def version_of(path):
    with closing(sqlite3.connect(path)) as raw:
        return raw.execute("PRAGMA user_version").fetchone()[0]


def test_an_older_journal_is_brought_up_to_date_after_a_backup(old, make_row):
    with Journal.open(old) as journal:
        check(journal.reader)
        assert journal.write([make_row(3)], [(3, "validation", "loss", 1.0, 0), (3, "new", "one", 2.0, 0)]) == 10
        assert journal.reader.trials(since=9)[1] == [make_row(3)]
        assert journal.reader.scalars(3) == [("validation", "loss", 1.0, 0), ("new", "one", 2.0, 0)]
    assert version_of(old) == schema.VERSION
    backup = old.with_name(old.name + ".v1.bak")
    assert version_of(backup) == 1
    with closing(sqlite3.connect(backup)) as raw:
        assert raw.execute("SELECT value FROM trials WHERE number = 0").fetchone() == (0.25,)
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    tables = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name"
    with Journal.create(old.parent, "new", {}) as new, closing(sqlite3.connect(old)) as migrated:
        made = ["".join(sql.split()) for (sql,) in new._connection.execute(tables)]
        assert ["".join(sql.split()) for (sql,) in migrated.execute(tables)] == made


def test_the_backup_holds_what_was_still_in_the_log(old):
    raw = sqlite3.connect(old, isolation_level=None)
    try:
        raw.execute("UPDATE trials SET value = 0.125 WHERE number = 0")
        with Journal.open(old) as journal:
            assert journal.reader.row(0).values == [0.125]
    finally:
        raw.close()
    with closing(sqlite3.connect(old.with_name(old.name + ".v1.bak"))) as backup:
        assert backup.execute("SELECT value FROM trials WHERE number = 0").fetchone() == (0.125,)


def test_a_backup_is_never_overwritten(old):
    earlier = old.with_name(old.name + ".v1.bak")
    earlier.write_text("kept")
    Journal.open(old).close()
    assert earlier.read_text() == "kept"
    assert version_of(old.with_name(old.name + ".v1-2.bak")) == 1


def test_viewing_an_older_journal_changes_no_byte_of_it(old):
    before = old.read_bytes()
    with Journal.view(old) as reader:
        check(reader)
        assert reader.wait_for_change(9, timeout=0.01) == 9
        assert reader.columns()["values"][0] == [0.25]
    assert old.read_bytes() == before
    assert not list(old.parent.glob("*.bak*"))


def test_a_live_owner_of_an_older_journal_is_respected(old):
    with closing(sqlite3.connect(old, isolation_level=None)) as raw:
        raw.execute(
            "UPDATE lease SET token = 't', host = 'node7', machine = 'node7', pid = 1, heartbeat = unixepoch('now')"
        )
    with pytest.raises(JournalInUse, match="node7"):
        Journal.open(old)
    assert version_of(old) == 1
    assert not list(old.parent.glob("*.bak*"))


@pytest.mark.parametrize("good_runs", [0, 1])
def test_a_migration_that_fails_leaves_the_journal_as_it_was(old, monkeypatch, good_runs):
    real = migration._STEPS[1]
    runs = iter([real] * good_runs)

    def fails(connection):
        step = next(runs, None)
        if step is not None:
            step(connection)
            return
        connection.execute("DROP TABLE scalars")
        connection.execute("nonsense")

    monkeypatch.setitem(migration._STEPS, 1, fails)
    with pytest.raises(JournalError, match=r"could not be .*nonsense"):
        Journal.open(old)
    monkeypatch.undo()
    assert version_of(old) == 1
    with Journal.open(old) as journal:
        check(journal.reader)


def test_a_migration_that_cannot_be_backed_up_is_not_done(old, monkeypatch):
    old.with_name(old.name + ".v1.bak.partial").mkdir()
    with pytest.raises(JournalError, match="must be backed up"):
        Journal.open(old)
    assert version_of(old) == 1
