"""What is no journal, or no whole one, is said to be so and left as it is."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from hpo_widgets.journal import Journal, JournalDamaged, JournalError, JournalVersionError, schema


@pytest.fixture
def closed(directory, make_row):
    """Path of a closed journal of some 40 pages."""
    with Journal.create(directory, "damaged", {"name": "damaged"}) as journal:
        for start in range(0, 600, 50):
            rows = [make_row(start + n) for n in range(50)]
            journal.write(rows, [(row.number, "t", "s", 1.0, 0) for row in rows])
    assert sorted(path.name for path in directory.iterdir()) == [".gitignore", "damaged.sqlite"]
    return journal.path


def read_all(path):
    with Journal.view(path) as reader:
        return reader.header, reader.sequence, reader.trials(), reader.scalars_since()


def assert_untouched(path, before):
    assert path.read_bytes() == before
    assert not path.with_name(path.name + ".v1.bak").exists()


@pytest.mark.parametrize("opener", [Journal.open, Journal.view])
@pytest.mark.parametrize("length", [0, 1, 15, 16, 60, 99, 100, 511, 4096, 5000, 8192, 40_000, -1, -4096])
def test_a_truncated_file_is_damaged(closed, opener, length):
    closed.write_bytes(closed.read_bytes()[:length])
    before = closed.read_bytes()
    with pytest.raises(JournalDamaged, match="left untouched"):
        opener(closed)
    assert_untouched(closed, before)


@pytest.mark.parametrize("opener", [Journal.open, Journal.view])
@pytest.mark.parametrize(
    ("offset", "replacement"),
    [
        (0, b"X"),
        (0, b"\x80\x04\x95pickled"),
        (15, b"\x01"),
        (16, b"\x00\x03"),
        (68, b"\x00" * 4),
        (60, b"\xff" * 4),
        (60, b"\x00" * 4),
    ],
)
def test_a_file_with_a_wrong_head_is_damaged(closed, opener, offset, replacement):
    data = bytearray(closed.read_bytes())
    data[offset : offset + len(replacement)] = replacement
    closed.write_bytes(data)
    with pytest.raises(JournalDamaged, match="damaged or is no journal"):
        opener(closed)
    assert_untouched(closed, bytes(data))


@pytest.mark.parametrize("content", [b"not a journal at all, but long enough to be looked at. " * 5, b"\x80\x04K\x01."])
def test_other_files_are_no_journals(tmp_path, content):
    path = tmp_path / "other.sqlite"
    path.write_bytes(content)
    for opener in (Journal.open, Journal.view):
        with pytest.raises(JournalDamaged):
            opener(path)
    assert_untouched(path, content)


def test_another_programs_database_is_no_journal(tmp_path):
    path = tmp_path / "browser.sqlite"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE trials (number INTEGER)")
    before = path.read_bytes()
    for opener in (Journal.open, Journal.view):
        with pytest.raises(JournalDamaged, match="some other program"):
            opener(path)
    assert_untouched(path, before)


def test_an_overwritten_page_is_found_before_the_journal_is_owned(closed):
    data = bytearray(closed.read_bytes())
    pages = len(data) // 4096
    for page in range(2, pages, 3):
        data[page * 4096 : page * 4096 + 64] = b"\xde\xad\xbe\xef" * 16
    closed.write_bytes(data)
    with pytest.raises(JournalDamaged):
        Journal.open(closed)
    assert_untouched(closed, bytes(data))
    # A viewer meets it where it reads.
    with pytest.raises(JournalDamaged):
        read_all(closed)
    assert_untouched(closed, bytes(data))


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM lease",
        "DELETE FROM header",
        "UPDATE header SET data = '[1]'",
        "UPDATE header SET data = '{'",
        "UPDATE header SET data = x'80049503'",
    ],
)
def test_missing_or_odd_rows_are_damage(closed, statement):
    with closing(sqlite3.connect(closed, isolation_level=None)) as vandal:
        vandal.execute(statement)
    with pytest.raises(JournalDamaged):
        Journal.open(closed)
    with pytest.raises(JournalDamaged):
        read_all(closed)


def test_missing_tables_are_an_error(closed):
    with closing(sqlite3.connect(closed, isolation_level=None)) as vandal:
        vandal.execute("DROP TABLE scalars")
    with pytest.raises(JournalError), Journal.view(closed) as reader:
        reader.scalars(0)


@pytest.mark.parametrize("opener", [Journal.open, Journal.view])
@pytest.mark.parametrize("version", [schema.VERSION + 1, 2**31 - 1])
@pytest.mark.parametrize("mode", ["WAL", "DELETE"])
def test_a_newer_journal_asks_for_an_upgrade(closed, opener, version, mode):
    with closing(sqlite3.connect(closed, isolation_level=None)) as newer:
        newer.execute(f"PRAGMA journal_mode={mode}")
        newer.execute(f"PRAGMA user_version = {version}")
    before = closed.read_bytes()
    with pytest.raises(JournalVersionError, match=f"(?s)newer version.*{version}.*[Uu]pgrade"):
        opener(closed)
    assert_untouched(closed, before)
    assert sorted(path.name for path in closed.parent.iterdir()) == [".gitignore", "damaged.sqlite"]


def test_a_version_that_is_still_in_the_log_counts(closed):
    newer = sqlite3.connect(closed, isolation_level=None)
    try:
        newer.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
        before = closed.read_bytes()
        for opener in (Journal.open, Journal.view):
            with pytest.raises(JournalVersionError):
                opener(closed)
        assert closed.read_bytes() == before
    finally:
        newer.close()
