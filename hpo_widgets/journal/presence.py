"""Whether the files at a journal's path are those that are open, and copies of what is open.

A file that was deleted, moved or replaced stays open and can be written without an error, and is lost with its process.
So can a log that another program has removed: POSIX releases a process's locks on a file when the process closes any
descriptor of it (``shutil.copy`` of its own journal does), and SQLite takes a file without locks for unused.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from hpo_widgets.journal.connection import transaction
from hpo_widgets.journal.errors import JournalError, explain
from hpo_widgets.journal.naming import prepare_directory
from hpo_widgets.journal.state import give_back, read_state

if TYPE_CHECKING:
    from pathlib import Path

Identity = tuple[int, int]
"""Device and inode of a file."""

LOGS = ("-wal", "-shm")
"""What SQLite's write-ahead log adds to the name of a file."""


def identity(path: str | Path) -> Identity | None:
    """Return what tells a file from another one under the same name; None when there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 -- this is asked before each write, and pathlib takes twice as long
    except OSError:
        return None
    return found.st_dev, found.st_ino


class OpenFiles:
    """The files of an open journal, as they were when it was opened.

    Parameters
    ----------
    path
        The journal.
    """

    def __init__(self, path: Path) -> None:
        names = [str(path), *(f"{path}{suffix}" for suffix in LOGS)]
        self._path = names[0]
        # Without a write-ahead log there is one file.
        self._files = [(name, found) for name in names if (found := identity(name)) is not None]

    def are_in_place(self) -> bool:
        """Whether each is still found under its name."""
        return all(identity(name) == found for name, found in self._files)

    def is_replaced(self) -> bool:
        """Whether another file has taken the journal's name."""
        return identity(self._path) not in (None, self._files[0][1])


def write_copy(connection: sqlite3.Connection, path: Path) -> None:
    """Write all that a connection sees to a new file.

    Parameters
    ----------
    connection : sqlite3.Connection
        An open journal, also one whose file was deleted.
    path : pathlib.Path
        The new file; its folder is made.

    Raises
    ------
    JournalError
        When there is such a file, or it cannot be written.
    """
    prepare_directory(path.parent)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except OSError as error:
        raise JournalError(f"{path} cannot be written: {error.strerror}.") from error
    try:
        with closing(sqlite3.connect(path)) as target:
            connection.backup(target)
    except BaseException as error:
        for suffix in ("", "-journal"):
            with suppress(OSError):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
        if isinstance(error, sqlite3.Error):
            raise explain(error, path, "written") from error
        raise


def write_backup(connection: sqlite3.Connection, path: Path) -> None:
    """Write a copy that nobody owns, so that it can be opened like any journal; see `write_copy`.

    Parameters
    ----------
    connection
        An open journal.
    path
        The new file; its folder is made.

    Raises
    ------
    JournalError
        When there is such a file, or it cannot be written.
    """
    write_copy(connection, path)
    with closing(sqlite3.connect(path, isolation_level=None)) as copy:
        copy.text_factory = bytes
        with transaction(copy):
            owner = read_state(copy, path).owner
            if owner is not None:
                give_back(copy, owner, path)


def write_again(connection: sqlite3.Connection, path: Path) -> None:
    """Put a copy of an open journal in the place of its file, which may be gone.

    The connection is closed; whatever it had beside the path is removed.

    Parameters
    ----------
    connection : sqlite3.Connection
        The open journal.
    path : pathlib.Path
        Where it belongs. A file that is there is replaced.

    Raises
    ------
    JournalError
        When it cannot be written; the connection is still open.
    """
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    with suppress(OSError):
        partial.unlink(missing_ok=True)
    write_copy(connection, partial)
    try:
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise JournalError(f"{path} cannot be written: {error.strerror}.") from error
    # Closing removes a log by its name, and a log that is left would be taken for one of the new file: both happen
    # before the new file has a log of its own.
    connection.close()
    for suffix in LOGS:
        with suppress(OSError):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
