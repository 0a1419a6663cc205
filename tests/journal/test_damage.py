"""What is no journal, or no whole one, is said to be so and left as it is."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing

import pytest

from hpo_widgets.journal import Journal, JournalDamaged, JournalVersionError, schema


def make_journal(directory, make_row, trials, each):
    with Journal.create(directory, "damaged", {"name": "damaged"}) as journal:
        for start in range(0, trials, each):
            rows = [make_row(start + n, job=f"job {start}") for n in range(each)]
            reports = [(row.number, "t", "s", 1.0, 0) for row in rows]
            outputs = [(start + 3, "printed", "warned", "")]
            journal.write(rows, reports, outputs, [{"kind": "wrote", "at": 1.0}])
    assert sorted(path.name for path in directory.iterdir()) == [".gitignore", "damaged.sqlite"]


@pytest.fixture(scope="module")
def journals(tmp_path_factory, make_row):
    """Folder of a large and a small journal, of which each test gets a copy."""
    made = tmp_path_factory.mktemp("journals")
    make_journal(made / "large" / ".hpo_widgets", make_row, 600, 50)
    make_journal(made / "small" / ".hpo_widgets", make_row, 24, 4)
    return made


@pytest.fixture
def closed(directory, journals):
    """Path of a closed journal of some 40 pages."""
    return shutil.copytree(journals / "large" / directory.name, directory) / "damaged.sqlite"


@pytest.fixture
def small(directory, journals):
    """Path of a closed journal of some 15 pages, quickly read."""
    return shutil.copytree(journals / "small" / directory.name, directory) / "damaged.sqlite"


def read_all(path):
    with Journal.view(path) as reader:
        _, rows = reader.trials()
        numbers = [row.number for row in rows]
        return {
            "header": reader.header,
            "sequence": reader.sequence,
            "search_id": reader.search_id,
            "owner": reader.owner(),
            # Their text, as NaN does not equal itself.
            "trials": repr(rows),
            "later trials": repr(reader.trials(since=reader.sequence // 2)),
            "single trials": repr([reader.row(number) for number in numbers]),
            "columns": {name: str(column) for name, column in reader.columns().items()},
            "jobs": reader.jobs(),
            "counts": reader.counts(),
            "scalars": [reader.scalars(number) for number in numbers],
            "outputs": [reader.output(number) for number in numbers],
            "events": reader.events(),
            "later events": reader.events(since=reader.sequence // 2),
        }


def assert_untouched(path, before):
    assert path.read_bytes() == before


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
    with pytest.raises(JournalDamaged, match="damaged or not a journal"):
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
        "DELETE FROM state",
        "DELETE FROM header",
        "UPDATE header SET data = '[1]'",
        "UPDATE header SET data = '{'",
        "UPDATE header SET data = x'80049503'",
        "UPDATE header SET crc = 0",
        "UPDATE state SET crc = 'x'",
        "UPDATE state SET token = 'me'",
    ],
)
def test_missing_or_odd_rows_are_damage(closed, statement):
    with closing(sqlite3.connect(closed, isolation_level=None)) as vandal:
        vandal.execute(statement)
    with pytest.raises(JournalDamaged):
        Journal.open(closed)
    with pytest.raises(JournalDamaged):
        read_all(closed)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM trials WHERE number = 300",
        "DELETE FROM trials WHERE number = 599",
        "UPDATE trials SET number = 1000 WHERE number = 599",
        "INSERT INTO trials SELECT 600, data, more, crc FROM trials WHERE number = 0",
        "UPDATE trials SET data = (SELECT data FROM trials WHERE number = 1) WHERE number = 0",
        "UPDATE trials SET crc = crc + 1 WHERE number = 599",
        "DELETE FROM scalars WHERE key = 300",
        "UPDATE scalars SET data = replace(data, '1.0', '2.0') WHERE key = 300",
        "DELETE FROM metrics",
        'UPDATE metrics SET data = \'["s","t"]\'',
        "DELETE FROM outputs WHERE number = 3",
        'UPDATE outputs SET data = \'["","",""]\' WHERE number = 3',
        "DELETE FROM events WHERE seq = (SELECT min(seq) FROM events)",
        "DELETE FROM events WHERE seq = (SELECT max(seq) FROM events)",
        "DELETE FROM events",
        "DELETE FROM writes WHERE seq = 10",
        "DELETE FROM writes WHERE seq = (SELECT max(seq) FROM writes)",
        "UPDATE writes SET data = '[]' WHERE seq = 10",
    ],
)
def test_a_row_that_is_lost_or_changed_is_damage_for_who_reads_it(closed, statement):
    with closing(sqlite3.connect(closed, isolation_level=None)) as vandal:
        assert vandal.execute(statement).rowcount >= 1
    with pytest.raises(JournalDamaged):
        read_all(closed)


@pytest.mark.parametrize(
    ("flips", "span"),
    [
        (40, 4096),
        # Where SQLite keeps its own records of a page: the file's head, counts, pointers.
        (20, 100),
        pytest.param(300, 4096, marks=pytest.mark.slow),
        pytest.param(150, 100, marks=pytest.mark.slow),
    ],
)
def test_a_flipped_bit_is_noticed_or_changes_nothing_that_is_read(small, flips, span):
    whole = small.read_bytes()
    before = read_all(small)
    generator = random.Random(flips)
    unnoticed = []
    for _ in range(flips):
        data = bytearray(whole)
        page, bit = generator.randrange(len(data) // 4096), generator.randrange(span * 8)
        data[page * 4096 + bit // 8] ^= 1 << bit % 8
        small.write_bytes(data)
        try:
            after = read_all(small)
        except (JournalDamaged, JournalVersionError):
            continue
        if after != before:
            unnoticed.append((page, bit))
    assert unnoticed == []


@pytest.mark.parametrize("opener", [Journal.open, Journal.view])
def test_a_journal_from_before_the_first_release_is_refused_with_a_sentence(closed, opener):
    with closing(sqlite3.connect(closed, isolation_level=None)) as vandal:
        vandal.execute(f"PRAGMA application_id = {0x48504F57}")
        vandal.execute("PRAGMA user_version = 3")
    before = closed.read_bytes()
    with pytest.raises(JournalVersionError, match="before the first release.*left untouched"):
        opener(closed)
    assert_untouched(closed, before)


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE scalars",
        "CREATE TABLE more (a)",
        "CREATE INDEX by_data ON trials (data)",
        "CREATE VIEW shown AS SELECT * FROM trials",
        "CREATE TRIGGER gone AFTER UPDATE ON state BEGIN DELETE FROM trials; END",
        "ALTER TABLE trials ADD COLUMN more_still TEXT",
        "ALTER TABLE trials ADD COLUMN made TEXT AS (upper(data)) VIRTUAL",
        "ALTER TABLE trials RENAME TO attempts",
    ],
)
@pytest.mark.parametrize("opener", [Journal.open, Journal.view])
def test_other_tables_than_a_journal_has_are_damage(closed, opener, statement):
    with closing(sqlite3.connect(closed, isolation_level=None)) as vandal:
        vandal.execute(statement)
    before = closed.read_bytes()
    with pytest.raises(JournalDamaged, match="other tables"):
        opener(closed)
    assert_untouched(closed, before)


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
