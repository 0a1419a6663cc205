"""The owner's side of a journal: each write is one transaction and gets the next sequence number."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self

from hpo_widgets.journal import lease, schema
from hpo_widgets.journal.batch import BatchMaker, Given
from hpo_widgets.journal.connection import (
    OpenFiles,
    connect_owner,
    remove,
    transaction,
    write_again,
    write_backup,
)
from hpo_widgets.journal.content import Content
from hpo_widgets.journal.errors import Damage, JournalError, JournalLeaseLost, explained
from hpo_widgets.journal.naming import SUFFIX, journal_path, prepare_directory
from hpo_widgets.journal.reader import JournalReader
from hpo_widgets.journal.rows import encode_row
from hpo_widgets.journal.state import State, Totals, insert_state, put_state, read_state, renew_state
from hpo_widgets.trials import TrialState
from hpo_widgets.trials.trial import STORED_STATES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from hpo_widgets.journal.batch import Links, Output, Scalar
    from hpo_widgets.journal.rows import StoredTrial
    from hpo_widgets.trials import TrialRow

_NEVER_CLOSED: list[sqlite3.Connection] = []
_ENDED = frozenset(int(state) for state in STORED_STATES if state.has_ended)
_logger = logging.getLogger("hpo_widgets")


class Journal:
    """A journal that this process owns; made by `create` or `open`, never directly.

    Its methods may be called from any thread, but by one at a time. `view` and `reader` give readers for all threads.

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
        hold: lease.LeaseHold,
        former: State,
    ) -> None:
        self.path = path
        self.last_owner_seen = None if former.owner is None else former.owner.heartbeat
        self._connection: sqlite3.Connection | None = connection
        self._busy_timeout: float | None = None
        """What `set_busy_timeout` was given; None before."""
        self._lost = ""
        """Why nothing is written any more, once another file has taken the path; empty before."""
        self._owner = owner
        self._hold = hold
        self._pid = os.getpid()
        self._reader: JournalReader | None = None
        self._reader_lock = threading.Lock()
        content = Content(connection)
        self._totals = former.totals
        self._links: dict[int, Links] = {}
        """Links of the trials that were written and have not ended."""
        self.search_id: str
        self.search_id = content.search_id
        self._files = OpenFiles(path)
        self.num_written_again = 0
        """How often the file was deleted or moved and has been written again."""
        self._metrics: dict[tuple[str, str], int] = {pair: key for key, pair in enumerate(content.metrics(), start=1)}

    @classmethod
    def create(cls, path: str | Path, search_id: str, header: Mapping[str, Any]) -> Journal:
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

        Raises
        ------
        JournalError
            When there is such a file already, or none can be made there.
        TypeError
            When the header holds something that is not JSON.
        """
        path = journal_path(path, search_id).absolute()
        row = encode_row(schema.HEADER, 1, [search_id, dict(header)])
        prepare_directory(path.parent)
        owner = lease.Owner.here()
        hold = lease.hold(owner)
        # Made under another name, so that a reader, also after a kill, finds either a whole journal or none.
        made = path.with_name(f"{path.name}.{owner.token}.partial")
        try:
            os.close(os.open(made, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except OSError as error:
            raise _cannot_be_made(path, error) from error
        try:
            with explained(path, "made"):
                # Its journal mode is set when it is opened under its own name.
                with closing(sqlite3.connect(made, isolation_level=None)) as new, transaction(new):
                    schema.create_tables(new)
                    new.execute("INSERT INTO header VALUES (?, ?, ?)", row)
                    insert_state(new, owner)
                _put_in_place(made, path)
                made = path
                connection = connect_owner(path)
                try:
                    return cls(path, connection, owner, hold, State(None, Totals()))
                except BaseException:
                    connection.close()
                    raise
        except BaseException:
            with suppress(OSError):
                if path.samefile(made):  # Ctrl-C just when it had got its name
                    remove(path)
            remove(made)
            raise

    @classmethod
    def open(cls, path: str | Path, *, whole: bool = True) -> Journal:
        """Own a journal that nobody owns any more, to continue its search.

        Trials that were running when the last owner died are left as they are; see `abort_interrupted`.

        Parameters
        ----------
        path : str or pathlib.Path
            The file.
        whole : bool
            Read every page of the file first, so that a damaged one is not touched. Default: True. It takes longer
            the larger the file is, and a process that has owned the journal before need not do it again.

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
        # First as a reader: a file that is damaged, too new or in use must stay untouched, and SQLite may change a file
        # as soon as it opens it for writing.
        with JournalReader.open(path) as reader:
            lease.refuse_living(reader.owner(), path)
            if whole:
                reader.check_whole()
        owner = lease.Owner.here()
        hold = lease.hold(owner)
        with explained(path, "opened"):
            connection = connect_owner(path)
            try:
                schema.check_connection(connection, path)
                # A write transaction, so that of two processes that try to own it only one succeeds.
                with transaction(connection):
                    former = read_state(connection)
                    lease.refuse_living(former.owner, path)
                    put_state(connection, State(owner, former.totals))
                return cls(path, connection, owner, hold, former)
            except BaseException:
                _leave(connection, owner)
                raise

    view = JournalReader.open
    """Open a journal to read and follow it; see `JournalReader`. A live owner is not disturbed."""

    @property
    def sequence(self) -> int:
        """Sequence number of the last write."""
        return self._totals.sequence

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
        """Store all that is given or, after an error, nothing of it, and renew the lease.

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
            Nothing was stored; the same write may be tried again. After `JournalLeaseLost` no write can succeed:
            another process has taken the journal over.
        TypeError, ValueError
            Something is not JSON, or not of the form that its place needs; nothing was stored.
        """
        return self._write(Given(trials, scalars, outputs, events))

    def set_archived(self, numbers: Sequence[int], *, archived: bool) -> int:
        """Hide trials, or show them again; returns the sequence number.

        Parameters
        ----------
        numbers
            Trial numbers; unknown ones are left out.
        archived
            True hides them, False shows them.

        Returns
        -------
        int
            The journal's sequence number after it.
        """
        found = self._find(numbers)
        rows = [replace(found[number].row, archived=archived) for number in numbers if number in found]
        return self._write(Given(rows))

    def set_header(self, header: Mapping[str, Any], events: Sequence[Mapping[str, Any]] = ()) -> int:
        """Replace the header; returns the sequence number.

        Parameters
        ----------
        header
            The new one.
        events
            What has happened with it, stored in the same transaction.

        Returns
        -------
        int
            The journal's sequence number after it.
        """
        return self._write(Given(events=events, header=[self.search_id, dict(header)]))

    def abort_interrupted(self) -> list[int]:
        """Mark the trials that were running when the last owner died as aborted, and return their numbers, rising.

        The new owner calls it once, right after `open`. The trials end at the last owner's last sign of life. Queued
        trials stay queued, as they had not begun.
        """
        last_sign = self.last_owner_seen if self.last_owner_seen is not None else time.time()
        running: list[TrialRow] = []
        if self._totals.states[TrialState.RUNNING]:
            with self._using() as connection:
                running = Content(connection).running()
        self._write(Given([row.cut_off(last_sign) for row in running]))
        return [row.number for row in running]

    def heartbeat(self) -> None:
        """Renew the lease, as has to be done every 20 seconds while nothing is written. Raises as `write` does."""
        self._commit(self._totals, lambda _: None)

    def ensure_in_place(self) -> None:
        """Write the journal again if its file or its log was deleted, moved or replaced since it was opened.

        Every write and `close` do this first, so that nothing is lost unnoticed.

        Raises
        ------
        JournalError
            When it cannot be written again, or another file has taken its name: that is left as it is, and what
            this journal holds is in a file beside it, whose name the message says.
        """
        with self._using() as connection:
            if self._files.are_in_place():
                return
            if self._files.is_replaced():
                self._set_aside(connection)
            try:
                write_again(connection, self.path)
            except JournalError as error:
                raise JournalError(
                    f"{self.path} was deleted or moved while its search was running, and cannot be written again: "
                    f"{error}"
                ) from error
            self._connection = None
            self._connection = connect_owner(self.path)
            if self._busy_timeout is not None:
                _set_busy_timeout(self._connection, self._busy_timeout)
            # The first read makes the log.
            read_state(self._connection)
            self._files = OpenFiles(self.path)
        self.num_written_again += 1
        _logger.warning("%s was deleted or moved while its search was running; it was written again.", self.path)

    def _set_aside(self, connection: sqlite3.Connection) -> NoReturn:
        """Copy the open journal to a new file, because another file has taken its path."""
        stem, count = self.path.name.removesuffix(SUFFIX), 1
        rescued = self.path.with_name(f"{stem}-rescued{SUFFIX}")
        while rescued.exists():
            count += 1
            rescued = self.path.with_name(f"{stem}-rescued-{count}{SUFFIX}")
        write_backup(connection, rescued)
        # Closing the connection would remove the log of the other file, which has the same name.
        _NEVER_CLOSED.append(connection)
        self._connection = None
        lease.release(self._owner)
        self._lost = (
            f"{self.path} was replaced by another file while its search was running. All that the search had written "
            f"is in {rescued}; nothing more is written."
        )
        raise JournalError(self._lost)

    def set_busy_timeout(self, seconds: float) -> None:
        """Change how long a write waits when another process holds the file locked; five seconds before."""
        self._busy_timeout = seconds
        with self._using() as connection:
            _set_busy_timeout(connection, seconds)

    def close(self) -> None:
        """Give the lease back and close the files. May be called twice.

        Raises
        ------
        JournalError
            As `ensure_in_place` does; the files are closed all the same.
        """
        with self._reader_lock:
            if self._reader is not None:
                self._reader.close()
                self._reader = None
        if self._connection is None:
            return
        try:
            if os.getpid() == self._pid:
                self.ensure_in_place()
        finally:
            connection, self._connection = self._connection, None
            if connection is not None:
                _leave(connection, self._owner)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _write(self, given: Given) -> int:
        batch = BatchMaker(self._totals, self._find, self._links, self._metrics).make(given)
        self._commit(batch.totals, batch.store)
        self._metrics.update(batch.metrics)
        for number, links in batch.links.items():
            if links.state in _ENDED:
                self._links.pop(number, None)
            else:
                self._links[number] = links
        return batch.totals.sequence

    def _find(self, numbers: Sequence[int]) -> dict[int, StoredTrial]:
        with self._using() as connection:
            return Content(connection).trials(numbers)

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        """Check that this process may use the journal, and turn SQLite's errors into ours."""
        connection = self._connection
        if self._lost:
            raise JournalError(self._lost)
        if connection is None:
            raise JournalError(f"The journal {self.path} is closed; open it again to write to it.")
        if os.getpid() != self._pid:
            raise JournalError(
                f"The journal {self.path} belongs to process {self._pid}; a fork of it cannot write to it."
            )
        with explained(self.path, "written"):
            try:
                yield connection
            except (sqlite3.ProgrammingError, sqlite3.InterfaceError) as error:
                raise TypeError(
                    f"Something written to {self.path} is not of a type that a journal holds: {error}"
                ) from error

    def _commit(self, totals: Totals, work: Callable[[sqlite3.Connection], object]) -> None:
        """Do ``work`` in one transaction that also proves and renews the lease."""
        self.ensure_in_place()
        with self._using() as connection, transaction(connection):
            if not renew_state(connection, self._owner, totals, time.time()):
                raise self._lease_lost(connection)
            work(connection)
        self._totals = totals

    def _lease_lost(self, connection: sqlite3.Connection) -> JournalLeaseLost:
        other = read_state(connection).owner
        who = "Another process" if other is None else f"Process {other.pid} on {other.host}"
        return JournalLeaseLost(
            f"{who} has taken over {self.path}, because this one gave no sign of life for too long. Nothing more is "
            "written from here; view the journal to follow the search there."
        )


def _set_busy_timeout(connection: sqlite3.Connection, seconds: float) -> None:
    connection.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")


def _leave(connection: sqlite3.Connection, owner: lease.Owner) -> None:
    """Give the lease back if it still is the owner's and the file can be written, and close the connection."""
    try:
        with transaction(connection):
            state = read_state(connection)
            if state.owner is not None and state.owner.token == owner.token:
                put_state(connection, State(None, state.totals))
    except (sqlite3.Error, Damage) as error:
        # The lease dies with this process anyway.
        _logger.debug("The lease on a journal could not be given back: %s", error)
    finally:
        lease.release(owner)
        connection.close()


def _put_in_place(made: Path, path: Path) -> None:
    """Give a new journal its name, so that of two makers one fails."""
    try:
        try:
            os.link(made, path)
        except FileExistsError:
            raise
        except OSError:  # a file system without links: the name is claimed by an empty file, which is replaced
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            made.replace(path)
        else:
            made.unlink()
    except FileExistsError as error:
        raise JournalError(
            f"There is a journal {path} already. Open it to continue that search, or give the new one another journal=."
        ) from error
    except OSError as error:
        raise _cannot_be_made(path, error) from error


def _cannot_be_made(path: Path, error: OSError) -> JournalError:
    return JournalError(f"The journal {path} cannot be made ({error.strerror}). Choose another folder (journal=).")
