"""The tables of a journal, and the check that a file holds exactly these tables, in the known version.

Every table has an integer key, a JSON text and a checksum over both (`checksum`); ``trials`` has a binary record of
numbers too. There is no other index, and ``state`` says how many rows each table has, so that a reader notices a row
that is lost, doubled or changed.

``state``
    One row, renewed by every write: the owner (`hpo_widgets.journal.lease`), the sequence number of the last write and
    the number of rows of each table.
``header``
    One row: search id and what the search is.
``trials``
    By trial number. ``data`` is what columns need (see `hpo_widgets.journal.rows`), ``more`` the rest as JSON, with the
    key of the trial's newest row in ``scalars`` and whether it has a row in ``outputs``.
``metrics``
    Title and series by the number that stands for them in ``scalars``.
``scalars``
    What a trial reported in one write, with the key of the trial's row before.
``outputs``
    By trial number: stdout, stderr, traceback.
``events``
    By sequence number: how many rows there are up to this one, and what happened to the search in that write.
``writes``
    By sequence number: the numbers of the trials that were changed. Every sequence number from 2 has a row.
"""

from __future__ import annotations

import os
from stat import S_ISDIR
from typing import TYPE_CHECKING
from zlib import crc32

from hpo_widgets.journal.errors import Damage, JournalError, JournalNotFound, JournalVersionError
from hpo_widgets.journal.naming import find

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

APPLICATION_ID = 0x48504F4A
"""``"HPOJ"``: tells a journal from any other SQLite file."""

VERSION = 1
"""Of the tables below; rises with any change of them."""

_BEFORE_RELEASE = 0x48504F57
"""Application id of journals from before the first release, which had other tables."""

STATE, HEADER, TRIALS, METRICS, SCALARS, OUTPUTS, EVENTS, WRITES = range(8)
"""The number of each table in its checksums."""

_NUM_TABLES = 8

TABLES = (
    "CREATE TABLE state (id INTEGER PRIMARY KEY, token TEXT, data TEXT NOT NULL, crc INTEGER NOT NULL)",
    "CREATE TABLE header (id INTEGER PRIMARY KEY, data TEXT NOT NULL, crc INTEGER NOT NULL)",
    "CREATE TABLE trials (number INTEGER PRIMARY KEY, data BLOB NOT NULL, more TEXT NOT NULL, crc INTEGER NOT NULL)",
    "CREATE TABLE metrics (id INTEGER PRIMARY KEY, data TEXT NOT NULL, crc INTEGER NOT NULL)",
    "CREATE TABLE scalars (key INTEGER PRIMARY KEY, data TEXT NOT NULL, crc INTEGER NOT NULL)",
    "CREATE TABLE outputs (number INTEGER PRIMARY KEY, data TEXT NOT NULL, crc INTEGER NOT NULL)",
    "CREATE TABLE events (seq INTEGER PRIMARY KEY, data TEXT NOT NULL, crc INTEGER NOT NULL)",
    "CREATE TABLE writes (seq INTEGER PRIMARY KEY, data TEXT NOT NULL, crc INTEGER NOT NULL)",
)


def checksum(table: int, key: int, data: bytes, more: bytes = b"") -> int:
    """Return the checksum of a row, which differs for the same text in another table or under another key.

    Parameters
    ----------
    table : int
        `STATE` to `WRITES`.
    key : int
        The row's key.
    data, more : bytes
        Its contents.

    Returns
    -------
    int
        The CRC-32 that the row's column ``crc`` holds.
    """
    return crc32(more, crc32(data, (key * _NUM_TABLES + table) & 0xFFFFFFFF))


def create_tables(connection: sqlite3.Connection) -> None:
    """Make the tables of a new journal, inside a transaction of the caller's."""
    for statement in TABLES:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def check_file(path: Path) -> None:
    """Check, without opening a file, that it exists, is not empty and may be read.

    Only SQLite opens a journal. In its owner's process, closing any other descriptor of the file would release
    SQLite's locks on it, as POSIX demands, and a program that opens the journal next would take it for unused and
    remove its log.
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
        raise Damage("it is empty, as when its making was interrupted")


def check_connection(connection: sqlite3.Connection, path: Path) -> None:
    """Check that an open file is a journal of the known version, with its tables and nothing else.

    It runs before any query on the tables: a trigger, a view or a table of another form is refused here.

    Parameters
    ----------
    connection : sqlite3.Connection
        An open connection to it.
    path : pathlib.Path
        The file, for messages and its size.

    Raises
    ------
    Damage, JournalVersionError
        The file was not touched.
    """
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    if application_id == _BEFORE_RELEASE:
        raise JournalVersionError(
            f"{path} was written by a version of hpo-widgets from before the first release, which this one does not "
            "read. Begin a new search. The file was left untouched."
        )
    if application_id != APPLICATION_ID:
        raise Damage("it is an SQLite file of some other program")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise JournalVersionError(
            f"{path} was written by a newer version of hpo-widgets (journal version {version}; this one "
            f"knows {VERSION}). Upgrade hpo-widgets to open it (pip install -U hpo-widgets). "
            "The file was left untouched."
        )
    if version < VERSION:
        raise Damage(f"its version is {version}")
    (page_size,) = connection.execute("PRAGMA page_size").fetchone()
    over = path.stat().st_size % page_size
    if over and not path.with_name(path.name + "-wal").exists():
        # SQLite would read the missing end of the last page as zeros.
        raise Damage(f"{page_size - over} bytes at its end are missing")
    found = connection.execute("SELECT type, sql FROM sqlite_schema LIMIT ?", (len(TABLES) + 1,)).fetchall()
    if sorted(found, key=str) != sorted(((b"table", statement.encode()) for statement in TABLES), key=str):
        raise Damage("it has other tables than a journal of its version")


def check_whole(connection: sqlite3.Connection) -> None:
    """Read every page and raise `Damage` when one is not as it should be."""
    (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if said != b"ok":
        raise Damage(" ".join(said.decode(errors="replace").split()))
