"""The way of a journal from older versions to this one, and the copy that is made before.

**Version 1**, of before the first release, knew one objective: ``trials`` had ``value`` and ``iteration`` as plain
numbers, and neither ``archived``, ``manual``, ``draw`` nor ``summary``; ``scalars`` repeated title and series in every
row; ``events`` had a column ``seq``; ``header`` and ``outputs`` had none.

**Version 2** knew no ids of jobs: ``trials`` had no ``job``.
"""

from __future__ import annotations

import logging
import sqlite3
from typing import TYPE_CHECKING

from hpo_widgets.journal.connection import transaction
from hpo_widgets.journal.errors import JournalError, explain
from hpo_widgets.journal.rows import encode
from hpo_widgets.journal.schema import PLACES, TABLES, VERSION, check_connection

if TYPE_CHECKING:
    from pathlib import Path

_logger = logging.getLogger("hpo_widgets")


def bring_up_to_date(connection: sqlite3.Connection, path: Path) -> None:
    """Migrate an older journal after a copy of it was made."""
    version = check_connection(connection, path)
    if version == VERSION:
        return
    backup = _back_up(connection, path, version)
    with transaction(connection):
        _migrate(connection, version)
    _logger.info("%s was brought from version %d to %d; %s is as it was.", path, version, VERSION, backup.name)


def migrated_copy(connection: sqlite3.Connection, version: int) -> sqlite3.Connection:
    """Copy an older journal into memory and bring the copy up to date; the file stays as it is."""
    copy = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    try:
        connection.backup(copy)
        with transaction(copy):
            _migrate(copy, version)
    except BaseException:
        copy.close()
        raise
    connection.close()
    return copy


def _back_up(connection: sqlite3.Connection, path: Path, version: int) -> Path:
    """Copy the journal as it is to ``<file>.v<version>.bak`` (or ``.v<version>-2.bak``, ...) beside it."""
    backup, count = path.with_name(f"{path.name}.v{version}.bak"), 1
    while backup.exists():
        count += 1
        backup = path.with_name(f"{path.name}.v{version}-{count}.bak")
    partial = backup.with_name(backup.name + ".partial")
    try:
        partial.unlink(missing_ok=True)
        target = sqlite3.connect(partial)
        try:
            connection.backup(target)
        finally:
            target.close()
        partial.replace(backup)
    except sqlite3.Error as error:
        partial.unlink(missing_ok=True)
        raise explain(error, backup, "written") from error
    except OSError as error:
        raise JournalError(
            f"{path} is of an older version and must be backed up before it is brought up to date, but {backup.name} "
            f"cannot be written ({error.strerror}). The journal was left as it is."
        ) from error
    return backup


def _migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring the tables from ``version`` to `VERSION`, inside a transaction of the caller's."""
    for step in range(version, VERSION):
        _STEPS[step](connection)
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _from_1_to_2(connection: sqlite3.Connection) -> None:
    """Several objectives instead of one; titles and series by number; keys that hold the sequence."""
    for table in ("header", "trials", "scalars", "outputs", "events"):
        connection.execute(f"ALTER TABLE {table} RENAME TO {table}_1")
    for statement in TABLES:
        connection.execute(statement)
    (sequence,) = connection.execute("SELECT sequence FROM lease").fetchone()
    connection.execute("INSERT INTO header SELECT id, ?, search_id, data FROM header_1", (sequence,))
    connection.executemany(
        "INSERT INTO trials VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, -1, ?, NULL, NULL)",
        (
            (
                *row[:5],
                None if row[5] is None else encode([row[5]]),
                None if row[6] is None else encode([row[6]]),
                *row[7:],
            )
            for row in connection.execute(
                "SELECT number, seq, state, epoch, parameters, value, iteration, started, ended, worker, error "
                "FROM trials_1"
            )
        ),
    )
    connection.execute(
        "INSERT INTO metrics (title, series) "
        "SELECT title, series FROM scalars_1 GROUP BY title, series ORDER BY min(id)"
    )
    connection.execute(
        "INSERT INTO scalars SELECT s.id, s.number, m.id, s.value, s.iteration FROM scalars_1 AS s "
        "JOIN metrics AS m ON m.title = s.title AND m.series = s.series ORDER BY s.id"
    )
    connection.execute("INSERT INTO outputs SELECT number, ?, stdout, stderr, traceback FROM outputs_1", (sequence,))
    connection.execute(
        f"INSERT INTO events SELECT seq * {PLACES} + row_number() OVER (PARTITION BY seq ORDER BY rowid) - 1, "  # noqa: S608
        "at, kind, data FROM events_1"
    )
    for table in ("header", "trials", "scalars", "outputs", "events"):
        connection.execute(f"DROP TABLE {table}_1")


def _from_2_to_3(connection: sqlite3.Connection) -> None:
    """A column for the id that a job has where it runs."""
    columns = {name for _, name, *_ in connection.execute("PRAGMA table_info(trials)")}
    if "job" not in columns:  # the step before makes the tables as they are today
        connection.execute("ALTER TABLE trials ADD COLUMN job TEXT")


_STEPS = {1: _from_1_to_2, 2: _from_2_to_3}
