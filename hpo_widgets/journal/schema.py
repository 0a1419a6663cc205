"""The tables of a journal, and whether a file holds them, whole and in a version that is known.

Each write has a sequence number, one higher than the last. ``trials`` and ``outputs`` are stamped with the number
of the write that changed them last; ``scalars`` and ``events`` are only ever added to, and their key is
``sequence * 2**20 + place in the write``, so that one number gives both their order and their write.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from hpo_widgets.journal.errors import JournalError, JournalNotFound, JournalVersionError, damaged
from hpo_widgets.journal.naming import find

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

APPLICATION_ID = 0x48504F57
"""``"HPOW"``: tells a journal from any other SQLite file."""

VERSION = 2
"""Of the tables below; rises with any change of them."""

PLACES = 1 << 20
"""Keys per sequence number in ``scalars`` and ``events``."""

_LEASE = """CREATE TABLE lease (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    sequence INTEGER NOT NULL,
    host TEXT, machine TEXT, pid INTEGER, process_started REAL, heartbeat REAL, token TEXT)"""

TABLES = (
    """CREATE TABLE header (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    seq INTEGER NOT NULL,
    search_id TEXT NOT NULL,
    data TEXT NOT NULL)""",
    """CREATE TABLE trials (
    number INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL,
    state INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    parameters TEXT NOT NULL,
    objective_values TEXT,
    objective_iterations TEXT,
    started REAL, ended REAL,
    worker INTEGER NOT NULL,
    archived INTEGER NOT NULL,
    manual INTEGER NOT NULL,
    draw INTEGER NOT NULL,
    error TEXT,
    summary TEXT)""",
    # With the state in the index, counting trials by state reads the index alone.
    "CREATE INDEX trials_by_seq ON trials (seq, state)",
    "CREATE TABLE metrics (id INTEGER PRIMARY KEY, title TEXT NOT NULL, series TEXT NOT NULL, UNIQUE (title, series))",
    """CREATE TABLE scalars (
    key INTEGER PRIMARY KEY,
    number INTEGER NOT NULL,
    metric INTEGER NOT NULL,
    value REAL,
    iteration INTEGER)""",
    "CREATE INDEX scalars_by_number ON scalars (number)",
    "CREATE TABLE outputs (number INTEGER PRIMARY KEY, seq INTEGER NOT NULL, stdout TEXT, stderr TEXT, traceback TEXT)",
    "CREATE TABLE events (key INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, data TEXT NOT NULL)",
)


def create(connection: sqlite3.Connection, search_id: str, header: str) -> None:
    """Make the tables of a new journal, inside a transaction of the caller's."""
    for statement in (_LEASE, *TABLES):
        connection.execute(statement)
    connection.execute("INSERT INTO lease (id, sequence) VALUES (1, 1)")
    connection.execute("INSERT INTO header (id, seq, search_id, data) VALUES (1, 1, ?, ?)", (search_id, header))
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def check_file(path: Path) -> None:
    """Look at the file's first bytes and its size, without SQLite and so without touching anything.

    Raises `JournalNotFound`, `JournalDamaged` or `JournalVersionError`.
    """
    try:
        with path.open("rb") as file:
            head = file.read(100)
            size = file.seek(0, 2)
    except (FileNotFoundError, NotADirectoryError) as error:
        find(path.stem, path.parent)  # raises with near matches
        raise JournalNotFound(f"There is no journal {path}.") from error
    except IsADirectoryError as error:
        raise JournalNotFound(
            f"{path} is a folder. Give the journal itself, one of the .sqlite files in it."
        ) from error
    except OSError as error:
        raise JournalError(f"{path} cannot be read: {error.strerror}.") from error
    if size == 0:
        raise damaged(path, "it is empty, as when its making was interrupted")
    if len(head) < 100 or not head.startswith(b"SQLite format 3\0"):
        raise damaged(path, "it is not an SQLite file")
    page_size, change_counter, pages, version, valid_for, application_id = _header_fields(head)
    if application_id != APPLICATION_ID:
        raise damaged(path, "it is an SQLite file of some other program")
    _check_version(version, path)
    has_log = path.with_name(path.name + "-wal").exists() or path.with_name(path.name + "-journal").exists()
    if not has_log and change_counter == valid_for and size < pages * page_size:
        raise damaged(path, f"{pages * page_size - size} bytes at its end are missing")


def check_connection(connection: sqlite3.Connection, path: Path) -> int:
    """Check the version again as SQLite sees it, with writes that are still in the log, and return it."""
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    if application_id != APPLICATION_ID:
        raise damaged(path, "it is an SQLite file of some other program")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    _check_version(version, path)
    return int(version)


def check_whole(connection: sqlite3.Connection, path: Path) -> None:
    """Read every page and raise `JournalDamaged` when one is not as it should be."""
    (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if said != "ok":
        raise damaged(path, " ".join(str(said).split()))


def _check_version(version: int, path: Path) -> None:
    if version > VERSION:
        raise JournalVersionError(
            f"{path} was written by a newer version of hpo-widgets (journal version {version}; this one "
            f"knows {VERSION}). Upgrade hpo-widgets to open it (pip install -U hpo-widgets). "
            "The file was left untouched."
        )
    if version < 1:
        raise damaged(path, f"its version is {version}")


def _header_fields(head: bytes) -> tuple[int, int, int, int, int, int]:
    """Take from SQLite's file header: page size, change counter, pages, user version, valid-for, application id."""
    (page_size,) = struct.unpack_from(">H", head, 16)
    change_counter, pages = struct.unpack_from(">II", head, 24)
    (version,) = struct.unpack_from(">i", head, 60)
    (application_id,) = struct.unpack_from(">i", head, 68)
    (valid_for,) = struct.unpack_from(">I", head, 92)
    return (65536 if page_size == 1 else page_size), change_counter, pages, version, valid_for, application_id
