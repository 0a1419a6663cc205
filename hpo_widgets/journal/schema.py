"""The tables of a journal, and whether a file holds them, whole and in a version that is known.

Each write has a sequence number, one higher than the last. ``trials`` and ``outputs`` are stamped with the number
of the write that changed them last; ``scalars`` and ``events`` are only ever added to, and their key is
``sequence * 2**20 + place in the write``, so that one number gives both their order and their write.
"""

from __future__ import annotations

import os
from stat import S_ISDIR
from typing import TYPE_CHECKING

from hpo_widgets.journal.errors import JournalError, JournalNotFound, JournalVersionError, damaged
from hpo_widgets.journal.naming import find

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

APPLICATION_ID = 0x48504F57
"""``"HPOW"``: tells a journal from any other SQLite file."""

VERSION = 3
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
    summary TEXT,
    job TEXT)""",
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
    """Say what can be said of a file without opening it: whether it is there and may be read.

    A journal is opened by SQLite only. In the process of its owner, closing any other descriptor of the file would
    release SQLite's locks on it (that is how POSIX has it), and a program that opens the journal next would take it
    for unused and remove its log.
    """
    try:
        stat = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        find(path.stem, path.parent)  # raises with near matches
        raise JournalNotFound(f"There is no journal {path}.") from error
    except OSError as error:
        raise JournalError(f"{path} cannot be read: {error.strerror}.") from error
    if S_ISDIR(stat.st_mode):
        raise JournalNotFound(f"{path} is a folder. Give the journal itself, one of the .sqlite files in it.")
    if not os.access(path, os.R_OK):
        raise JournalError(f"{path} cannot be read: this user may not.")
    if stat.st_size == 0:
        raise damaged(path, "it is empty, as when its making was interrupted")


def check_connection(connection: sqlite3.Connection, path: Path) -> int:
    """Check that an open file is a journal of a version that is known, and return the version."""
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    if application_id != APPLICATION_ID:
        raise damaged(path, "it is an SQLite file of some other program")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    _check_version(version, path)
    (page_size,) = connection.execute("PRAGMA page_size").fetchone()
    over = path.stat().st_size % page_size
    if over and not path.with_name(path.name + "-wal").exists():
        # SQLite would read the missing end of the last page as zeros.
        raise damaged(path, f"{page_size - over} bytes at its end are missing")
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
