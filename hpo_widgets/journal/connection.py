"""The file of a journal: opening it for the owner and for readers, checking that it is in its place, and copying it.

A file that was deleted, moved or replaced stays open: it can be written without an error, and is lost when the process
ends. The same holds for a log that another program has removed. That can happen because POSIX releases a process's
locks on a file when the process closes any descriptor of it (as ``shutil.copy`` of its own journal does), and SQLite
takes a file without locks for unused.
"""

from __future__ import annotations

import logging
import math
import os
import sqlite3
import sys
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from hpo_widgets.journal.errors import JournalError, explained
from hpo_widgets.journal.naming import prepare_directory
from hpo_widgets.journal.state import State, put_state, read_state

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BUSY_TIMEOUT = 5.0
"""Seconds that a connection waits for another process's transaction to end."""

QUERY_SECONDS = 120.0
"""Seconds after which a query counts as endless: a file that was made to do harm can cause such queries."""

MOST_BYTES = 1 << 25
"""A row of a journal is shorter than this; what JSON says in it takes up to 55 times as much memory."""

_STEPS = 100_000
"""Instructions of SQLite's virtual machine between two checks of the time."""

_NETWORK_FILESYSTEMS = frozenset({
    "9p", "afpfs", "afs", "beegfs", "ceph", "cifs", "davfs", "fhgfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs",
    "nfs3", "nfs4", "ocfs2", "orangefs", "panfs", "prl_fs", "smb2", "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs",
    "webdav",
})  # fmt: skip
_NETWORK_FUSE = frozenset({
    "fuse.ceph", "fuse.cephfs", "fuse.davfs2", "fuse.gcsfuse", "fuse.glusterfs", "fuse.goofys", "fuse.mfs",
    "fuse.rclone", "fuse.s3fs", "fuse.sshfs", "fuse.vmhgfs-fuse", "fuse.juicefs", "fuse.osxfuse",
})  # fmt: skip

_logger = logging.getLogger("hpo_widgets")
_said: set[str] = set()


def connect_owner(path: Path) -> sqlite3.Connection:
    """Open the file for its owner, in the best journal mode that its file system supports; the caller closes it.

    A write may take long, and the file was read and checked before, so its queries may too.
    """
    connection = _connect(path, "rw")
    try:
        limit_time(connection, math.inf)
        _set_journal_mode(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """Open the file read-only, also in a folder that cannot be written to; the caller closes it.

    A reader of a WAL file shares an index with the writer, ``-shm``, and creates it if it is missing. On read-only
    media the reader cannot; then there can be no writer either, and the file is read as it is.

    Raises
    ------
    JournalError
        When the last writes cannot be read where the file is.
    """
    try:
        return _connect_and_read(path, "ro")
    except sqlite3.OperationalError as error:
        code = getattr(error, "sqlite_errorcode", 0)
        if code & 0xFF not in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}:
            raise
        if _size(path, "-journal"):
            # Its owner died in the middle of a write (without WAL). SQLite rolls such a write back as soon as any
            # process opens the file for writing.
            _connect_and_read(path, "rw").close()
            return _connect_and_read(path, "ro")
        if _size(path, "-wal"):
            raise JournalError(
                f"{path} cannot be read where it is: its last writes are still in {path.name}-wal and cannot be merged "
                "in a folder that is read-only. Copy both files to a folder that can be written to, and open the copy."
            ) from error
        return connect_still(path)


def connect_still(path: Path) -> sqlite3.Connection:
    """Open a file that nobody writes, to read what is in the file itself, with no lock and no file beside it."""
    return _connect_and_read(path, "ro&immutable=1")


def _connect_and_read(path: Path, mode: str) -> sqlite3.Connection:
    connection = _connect(path, mode)
    try:
        # SQLite opens a file when it is first read.
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what the block does, or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
        raise


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    # The locks of `JournalReader` and the callers of `Journal` ensure that one thread at a time uses a connection.
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        timeout=BUSY_TIMEOUT,
        check_same_thread=False,
    )
    try:
        _protect(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _protect(connection: sqlite3.Connection) -> None:
    """Make SQLite trust nothing in the file, which may come from anybody, and end queries that take too long."""
    # Checksums are computed over bytes, and the JSON parser accepts bytes.
    connection.text_factory = bytes
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_BYTES)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    if sys.version_info >= (3, 12):
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE, True)
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_TRIGGER, False)
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_VIEW, False)
    limit_time(connection, time.monotonic() + QUERY_SECONDS)


def limit_time(connection: sqlite3.Connection, until: float) -> None:
    """Set the moment at which a query of a connection ends with an error.

    Parameters
    ----------
    connection
        An open journal.
    until
        The moment, by ``time.monotonic()``.
    """
    connection.set_progress_handler(lambda: time.monotonic() > until, _STEPS)


def _set_journal_mode(connection: sqlite3.Connection, path: Path) -> None:
    """Use WAL, where readers and the writer do not wait for each other, unless the file system cannot do it."""
    kind = filesystem_type(path)
    if not is_network(kind):
        try:
            mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
            if mode == b"wal":
                # On a file system without shared memory the first transaction fails.
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("COMMIT")
                connection.execute("PRAGMA synchronous=NORMAL")
                return
        except sqlite3.OperationalError as error:
            primary = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if primary not in {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PROTOCOL}:
                raise
    with explained(path, "opened"):
        connection.execute("PRAGMA journal_mode=TRUNCATE").fetchone()
        connection.execute("PRAGMA synchronous=FULL")
    directory = str(path.parent)
    if directory not in _said:
        _said.add(directory)
        _logger.warning(
            "The journals in %s are on a network file system (%s), where SQLite's write-ahead log is not safe: a "
            "rollback journal is used, which is slower. A folder on a local disk is quicker (journal=).",
            directory,
            kind or "of unknown kind",
        )


def is_network(kind: str) -> bool:
    """Whether a file system of this type is shared over a network."""
    return kind in _NETWORK_FILESYSTEMS or kind in _NETWORK_FUSE


def filesystem_type(path: Path) -> str:
    """Type of the file system that holds a path, such as ``"ext4"`` or ``"nfs4"``; empty when unknown."""
    resolved = path.absolute().resolve()
    if resolved.drive.startswith("\\\\"):
        return "smbfs"
    try:
        partitions = psutil.disk_partitions(all=True)
    except (OSError, psutil.Error):
        return ""
    kind, longest = "", -1
    for partition in partitions:
        mountpoint = Path(partition.mountpoint)
        # Of several mounts at one place the last one is seen.
        if len(mountpoint.parts) >= longest and resolved.is_relative_to(mountpoint):
            longest = len(mountpoint.parts)
            kind = "smbfs" if "remote" in partition.opts.split(",") else partition.fstype.lower()
    return kind


def has_log(path: Path) -> bool:
    """Whether writes may be under way, or waiting beside the file: its log or rollback journal exists."""
    return any(path.with_name(path.name + suffix).exists() for suffix in ("-wal", "-journal"))


def _size(path: Path, suffix: str) -> int:
    try:
        return path.with_name(path.name + suffix).stat().st_size
    except OSError:
        return 0


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


def write_backup(connection: sqlite3.Connection, path: Path) -> None:
    """Write a copy that nobody owns, so that it can be opened like any journal.

    Parameters
    ----------
    connection
        An open journal, also one whose file was deleted.
    path
        The new file; its folder is made.

    Raises
    ------
    JournalError
        When there is such a file, or it cannot be written.
    """
    with _copied(connection, path), closing(sqlite3.connect(path, isolation_level=None)) as copy:
        copy.text_factory = bytes
        with transaction(copy):
            put_state(copy, State(None, read_state(copy).totals))


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
    remove(partial)
    with _copied(connection, partial):
        try:
            partial.replace(path)
        except OSError as error:
            raise JournalError(f"{path} cannot be written: {error.strerror}.") from error
    # Closing removes a log by its name, and a log that is left would be taken for one of the new file: both happen
    # before the new file has a log of its own.
    connection.close()
    remove(path, LOGS)


@contextmanager
def _copied(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    """Write all that a connection sees to a new file; where that or the block fails, no file is left."""
    prepare_directory(path.parent)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except OSError as error:
        raise JournalError(f"{path} cannot be written: {error.strerror}.") from error
    try:
        with explained(path, "written"):
            with closing(sqlite3.connect(path)) as target:
                connection.backup(target)
            yield
    except BaseException:
        remove(path)
        raise


def remove(path: Path, suffixes: Iterable[str] = ("", "-journal", *LOGS)) -> None:
    """Remove a file and what SQLite may have put beside it, as far as that is possible.

    Parameters
    ----------
    path
        The file.
    suffixes
        What its name and those of the other files end with. Default: all that there may be.
    """
    for suffix in suffixes:
        with suppress(OSError):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
