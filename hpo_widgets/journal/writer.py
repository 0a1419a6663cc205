"""The owner's side of a journal: one transaction a write, each with the next sequence number."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from hpo_widgets.journal import lease, schema
from hpo_widgets.journal.batch import Batch
from hpo_widgets.journal.connection import BUSY_TIMEOUT, connect_new, connect_owner, transaction
from hpo_widgets.journal.errors import JournalError, JournalLeaseLost, explain
from hpo_widgets.journal.migration import bring_up_to_date
from hpo_widgets.journal.naming import journal_path, prepare_directory
from hpo_widgets.journal.reader import JournalReader
from hpo_widgets.journal.rows import encode
from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from hpo_widgets.journal.batch import Output, Scalar
    from hpo_widgets.trials import TrialRow

_UPDATE_LEASE = "UPDATE lease SET sequence = ?, heartbeat = ? WHERE id = 1 AND token = ?"
_logger = logging.getLogger("hpo_widgets")


class Journal:
    """A journal that this process owns; made by `create` or `open`, never directly.

    Its methods may be called from one thread at a time, whichever that is. Reading goes by `view` or `reader`,
    from any thread.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    search_id : str
        The search that it holds.
    last_owner_seen : float or None
        Last sign of life, in Unix seconds, of a former owner that ended without closing the journal; None when it
        was closed properly.
    """

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        owner: lease.Owner,
        hold: lease.Hold,
        former: lease.Owner | None,
    ) -> None:
        self.path = path
        self.last_owner_seen = None if former is None else former.heartbeat
        self._connection: sqlite3.Connection | None = connection
        self._owner = owner
        self._hold = hold
        self._pid = os.getpid()
        self._reader: JournalReader | None = None
        self._reader_lock = threading.Lock()
        self._sequence: int
        (self._sequence,) = connection.execute("SELECT sequence FROM lease").fetchone()
        self.search_id: str
        (self.search_id,) = connection.execute("SELECT search_id FROM header").fetchone()
        self._metrics: dict[tuple[str, str], int] = {
            (title, series): metric
            for metric, title, series in connection.execute("SELECT id, title, series FROM metrics")
        }

    @classmethod
    def create(
        cls, path: str | Path, search_id: str, header: Mapping[str, Any], *, busy_timeout: float = BUSY_TIMEOUT
    ) -> Journal:
        """Make the journal of a new search and own it.

        Parameters
        ----------
        path : str or pathlib.Path
            The file to make if it ends with ``.sqlite``, else the folder for ``<search_id>.sqlite``. Folders are
            made; ``.hpo_widgets`` gets a ``.gitignore`` of its own.
        search_id : str
            See `new_search_id`.
        header : mapping
            What the search is, JSON values: name, space, objectives, arguments, group.
        busy_timeout : float
            Seconds to wait when another process holds the file locked. Default: 5.

        Raises
        ------
        JournalError
            When there is such a file already, or none can be made there.
        TypeError
            When the header holds something that is not JSON.
        """
        path = journal_path(path, search_id).absolute()
        text = encode(dict(header))
        prepare_directory(path.parent)
        try:
            # The name is claimed first, so that of two makers one fails.
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666))
        except FileExistsError as error:
            raise JournalError(
                f"There is a journal {path} already. Open it to continue that search, or give the new one another id."
            ) from error
        except OSError as error:
            raise JournalError(
                f"The journal {path} cannot be made ({error.strerror}). Choose another folder (journal=)."
            ) from error
        owner = lease.Owner.here()
        hold = lease.hold(owner)
        try:
            connection = connect_new(path, busy_timeout)
            try:
                with transaction(connection):
                    schema.create(connection, search_id, text)
                    lease.take(connection, owner, path)
            finally:
                connection.close()
            connection = connect_owner(path, busy_timeout)
            try:
                return cls(path, connection, owner, hold, None)
            except BaseException:
                connection.close()
                raise
        except sqlite3.Error as error:
            _remove(path)
            raise explain(error, path, "made") from error
        except BaseException:
            _remove(path)
            raise

    @classmethod
    def open(cls, path: str | Path, *, busy_timeout: float = BUSY_TIMEOUT) -> Journal:
        """Own a journal that nobody owns any more, to continue its search.

        A journal of an older version is brought up to date after a copy of it was made beside it,
        ``<file>.v<version>.bak``. Trials that were running when the last owner died are left as they are; see
        `abort_interrupted`.

        Parameters
        ----------
        path : str or pathlib.Path
            The file.
        busy_timeout : float
            Seconds to wait when another process holds the file locked. Default: 5.

        Raises
        ------
        JournalNotFound, JournalDamaged, JournalVersionError
            The file was not touched.
        JournalInUse
            A live process owns it.
        JournalError
            It cannot be read or written.
        """
        path = Path(path).absolute()
        # First as a reader: what is damaged, too new or in use must not be touched, and SQLite tidies up what it may
        # write to.
        with JournalReader.open(path, busy_timeout=busy_timeout) as reader:
            lease.refuse_living(reader.owner(), path)
            reader.check_whole()
        owner = lease.Owner.here()
        hold = lease.hold(owner)
        try:
            connection = connect_owner(path, busy_timeout)
            try:
                with transaction(connection):
                    former = lease.take(connection, owner, path)
                bring_up_to_date(connection, path)
            except BaseException:
                _give_back(connection, owner)
                raise
            return cls(path, connection, owner, hold, former)
        except sqlite3.Error as error:
            raise explain(error, path, "opened") from error

    @staticmethod
    def view(path: str | Path, *, busy_timeout: float = BUSY_TIMEOUT) -> JournalReader:
        """Open a journal to read and follow it; see `JournalReader`. A live owner is not disturbed."""
        return JournalReader.open(path, busy_timeout=busy_timeout)

    @property
    def sequence(self) -> int:
        """Sequence number of the last write."""
        return self._sequence

    @property
    def owner(self) -> lease.Owner:
        """The lease by which this process owns the journal."""
        return self._owner

    @property
    def reader(self) -> JournalReader:
        """A reader of this journal for any thread, opened when first asked for and closed with the journal."""
        with self._reader_lock:
            if self._connection is None:
                raise JournalError(f"The journal {self.path} is closed; view it to read it (Journal.view).")
            if self._reader is None:
                self._reader = JournalReader.open(self.path)
            return self._reader

    def write(
        self,
        trials: Sequence[TrialRow] = (),
        scalars: Sequence[Scalar] = (),
        outputs: Sequence[Output] = (),
        events: Sequence[Mapping[str, Any]] = (),
    ) -> int:
        """Make things durable, all or nothing, and renew the lease.

        Parameters
        ----------
        trials : sequence of TrialRow
            New or changed trials; each replaces what was there under its number.
        scalars : sequence of (number, title, series, value, iteration)
            Reports, in report order.
        outputs : sequence of (number, stdout, stderr, traceback)
            Logs; each replaces the earlier one of its trial. What UTF-8 cannot hold is spelt out.
        events : sequence of dict
            What happened to the search: ``kind`` (text), ``at`` (Unix seconds; default: now), and any further keys
            with JSON values.

        Returns
        -------
        int
            The sequence number of this write.

        Raises
        ------
        JournalError
            Nothing of this was stored; the same may be tried again. `JournalLeaseLost`: another process has taken
            the journal over, and no later write will do better.
        TypeError, ValueError
            Something is not JSON, or not what belongs there; nothing was stored.
        """
        batch = Batch.make(self._sequence, trials, scalars, outputs, events)
        try:
            self._store(batch)
        except UnicodeEncodeError:
            # Lone surrogates in an error or a log: so rare that nobody else should pay for the look.
            self._store(batch.spelt_out())
        return batch.sequence

    def _store(self, batch: Batch) -> None:
        added: dict[tuple[str, str], int] = {}
        self._commit(batch.sequence, lambda connection: added.update(batch.store(connection, self._metrics)))
        self._metrics.update(added)

    def set_archived(self, numbers: Sequence[int], *, archived: bool) -> int:
        """Hide trials, or show them again, without writing them anew; returns the sequence number."""
        sequence = self._sequence + 1
        changes = [(sequence, int(archived), number) for number in numbers]
        self._commit(
            sequence,
            lambda connection: connection.executemany(
                "UPDATE trials SET seq = ?, archived = ? WHERE number = ?", changes
            ),
        )
        return sequence

    def set_header(self, header: Mapping[str, Any]) -> int:
        """Replace the header; returns the sequence number."""
        sequence = self._sequence + 1
        text = encode(dict(header))
        self._commit(
            sequence,
            lambda connection: connection.execute("UPDATE header SET seq = ?, data = ? WHERE id = 1", (sequence, text)),
        )
        return sequence

    def abort_interrupted(self) -> list[int]:
        """Mark the trials that were running when the last owner died as aborted by the restart.

        For the new owner, once, right after `open`. They end at the last owner's last sign of life. Queued trials
        stay queued: nothing of them was lost.

        Returns
        -------
        list of int
            Their numbers, rising.
        """
        ended = self.last_owner_seen if self.last_owner_seen is not None else time.time()
        sequence = self._sequence + 1
        numbers: list[int] = []

        def work(connection: sqlite3.Connection) -> None:
            running = connection.execute(
                "SELECT number FROM trials WHERE state = ? ORDER BY number", (int(TrialState.RUNNING),)
            )
            numbers.extend(number for (number,) in running)
            connection.execute(
                "UPDATE trials SET seq = ?, state = ?, ended = max(coalesce(started, ?), ?), error = ? WHERE state = ?",
                (
                    sequence,
                    int(TrialState.ABORTED),
                    ended,
                    ended,
                    "Aborted by a restart: the process that ran the search ended while this trial was running.",
                    int(TrialState.RUNNING),
                ),
            )

        self._commit(sequence, work)
        return numbers

    def heartbeat(self) -> None:
        """Renew the lease; at least every 20 seconds while nothing is written. Raises as `write` does."""
        self._commit(self._sequence, lambda _: None)

    def close(self) -> None:
        """Give the lease back and close the files. May be called twice."""
        with self._reader_lock:
            connection, self._connection = self._connection, None
            if self._reader is not None:
                self._reader.close()
                self._reader = None
        if connection is not None:
            _give_back(connection, self._owner)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _commit(self, sequence: int, work: Callable[[sqlite3.Connection], object]) -> None:
        """Do ``work`` in one transaction that also proves and renews the lease."""
        connection = self._connection
        if connection is None:
            raise JournalError(f"The journal {self.path} is closed; open it again to write to it.")
        if os.getpid() != self._pid:
            raise JournalError(
                f"The journal {self.path} belongs to process {self._pid}; a fork of it cannot write to it."
            )
        try:
            with transaction(connection):
                lease_row = (sequence, time.time(), self._owner.token)
                if connection.execute(_UPDATE_LEASE, lease_row).rowcount != 1:
                    raise self._lease_lost(connection)
                work(connection)
        except (sqlite3.ProgrammingError, sqlite3.InterfaceError) as error:
            raise TypeError(
                f"Something written to {self.path} is not of a type that a journal holds: {error}"
            ) from error
        except sqlite3.Error as error:
            raise explain(error, self.path, "written") from error
        self._sequence = sequence

    def _lease_lost(self, connection: sqlite3.Connection) -> JournalLeaseLost:
        other = lease.read_owner(connection)
        who = "Another process" if other is None else f"Process {other.pid} on {other.host}"
        return JournalLeaseLost(
            f"{who} has taken over {self.path}, because this one gave no sign of life for too long. Nothing more is "
            "written from here; view the journal to follow the search there."
        )


def _give_back(connection: sqlite3.Connection, owner: lease.Owner) -> None:
    """Release a lease, as far as the file still lets us, and close the connection."""
    try:
        connection.execute("UPDATE lease SET token = NULL WHERE token = ?", (owner.token,))
    except sqlite3.Error as error:
        # The lease dies with this process anyway.
        _logger.debug("The lease on a journal could not be given back: %s", error)
    finally:
        lease.release(owner)
        connection.close()


def _remove(path: Path) -> None:
    """Remove a file whose making failed."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        with suppress(OSError):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
