"""The readers' side of a journal: reading all of it, one trial, or what changed, and waiting for a change.

A reader never writes and never disturbs the owner. The cost of reading what changed since a sequence number grows with
the number of changes, not of trials: for each write there is a row with the numbers of the trials that it changed.
"""

from __future__ import annotations

import sqlite3
import threading
import time
import weakref
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from hpo_widgets.journal import schema
from hpo_widgets.journal.connection import (
    QUERY_SECONDS,
    connect_reader,
    connect_still,
    has_log,
    identity,
    limit_time,
    write_backup,
)
from hpo_widgets.journal.content import Content
from hpo_widgets.journal.errors import Damage, JournalError, explained, explanation
from hpo_widgets.trials.trial import STORED_STATES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from hpo_widgets.journal.lease import Owner
    from hpo_widgets.journal.rows import BulkColumns
    from hpo_widgets.trials import TrialRow, TrialState
    from hpo_widgets.trials.export import Extra

POLL_SECONDS = 0.005
"""Seconds between two checks of `JournalReader.wait_for_change`; a check takes some 5 microseconds."""


class JournalChanges(NamedTuple):
    """What changed after a sequence number, up to ``sequence``."""

    sequence: int
    trials: list[TrialRow]
    events: list[dict[str, Any]]


class JournalReader:
    """A journal to read and follow, from any thread of any process; made by `Journal.view`.

    Sequence numbers order the writes: each write of the owner gets the next one, and the trials and events that it
    changed are marked with it. To follow a search::

        sequence, trials, events = reader.changes()
        while True:
            reader.wait_for_change(sequence, timeout=1.0)
            sequence, trials, events = reader.changes(since=sequence)

    All methods raise `JournalDamaged` when they meet damage, and `JournalError` after `close`.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None
        self._read_from(connection)
        self._file = identity(path)
        self._search_id = Content(connection).search_id
        self._lock = threading.Lock()
        self._closed = threading.Event()

    @classmethod
    def open(cls, path: str | Path) -> JournalReader:
        """Open a journal read-only; a file that another process holds locked is waited for for five seconds.

        Raises
        ------
        JournalNotFound, JournalDamaged, JournalVersionError, JournalError
            The file was not touched.
        """
        path = Path(path).absolute()
        with explained(path, "read"):
            connection = _connect_checked(path)
            try:
                return cls(path, connection)
            except BaseException:
                connection.close()
                raise

    @property
    def sequence(self) -> int:
        """Sequence number of the last write."""
        with self._reading() as content:
            return content.totals.sequence

    @property
    def search_id(self) -> str:
        """The search that the journal holds."""
        with self._reading() as content:
            return content.search_id

    @property
    def header(self) -> dict[str, Any]:
        """What the search is, as given to `Journal.create` or last to `Journal.set_header`."""
        with self._reading() as content:
            return content.header

    def owner(self) -> Owner | None:
        """Who may write the journal now; None when it was closed. ``owner.is_alive`` tells whether it still can."""
        with self._reading() as content:
            return content.state.owner

    def counts(self) -> dict[TrialState, int]:
        """Count the trials in each state."""
        with self._reading() as content:
            return dict(zip(STORED_STATES, content.totals.states, strict=True))

    def trials(self, since: int = 0) -> tuple[int, list[TrialRow]]:
        """Read the trials that changed after a sequence number.

        Parameters
        ----------
        since : int
            A sequence number returned before; 0 (the default): all trials.

        Returns
        -------
        sequence : int
            The last write that is included: the ``since`` of the next call.
        trials : list of TrialRow
            In the order of the writes that changed them last; trials of the same write by number.
        """
        with self._snapshot() as content:
            return content.totals.sequence, content.changed(since)

    def changes(self, since: int = 0) -> JournalChanges:
        """Read the trials that changed and the events that happened after a sequence number, in one snapshot.

        With the returned sequence number as the next ``since`` nothing is missed and nothing comes twice. Calls of
        `trials` and `events` one after the other could see different writes.
        """
        with self._snapshot() as content:
            return JournalChanges(content.totals.sequence, content.changed(since), content.events(since))

    def running(self) -> list[TrialRow]:
        """Read the trials that are running, by number."""
        with self._snapshot() as content:
            return content.running()

    def row(self, number: int) -> TrialRow:
        """Read one trial; ``IndexError`` when there is none of that number."""
        with self._snapshot() as content:
            found = content.trial(number)
        if found is None:
            raise IndexError(f"there is no trial {number} in {self.path}")
        return found.row

    def extras(self, numbers: Sequence[int], objectives: AbstractSet[str]) -> dict[int, Extra]:
        """Read what an export has of trials beside their columns.

        Parameters
        ----------
        numbers
            The trials' numbers; unknown ones are left out.
        objectives
            Names of the objectives.

        Returns
        -------
        dict
            As `trials.export.extras_of_trials`.
        """
        with self._reading() as content:
            return content.extras(numbers, objectives)

    def jobs(self) -> dict[int, str]:
        """Read the ids of jobs by the number of their trial; empty for a search on one machine."""
        with self._reading() as content:
            return content.jobs()

    def columns(self) -> BulkColumns:
        """Read all trials as columns: the quick way to fill a column store (see `BulkColumns`).

        The number of objectives is the header's, if its ``objectives`` is a list; else 1.
        """
        with self._snapshot() as content:
            return content.columns()

    def whole(self) -> tuple[int, BulkColumns, list[dict[str, Any]]]:
        """Read the sequence number, all trials as columns, and all events, in one snapshot."""
        with self._snapshot() as content:
            return content.totals.sequence, content.columns(), content.events(0)

    def scalars(self, number: int) -> list[tuple[str, str, float, int]]:
        """Read a trial's reports in report order: (title, series, value, iteration)."""
        return self.scalars_after(number, 0)[1]

    def scalars_after(self, number: int, after: int) -> tuple[int, list[tuple[str, str, float, int]]]:
        """Read what a trial has reported since it was read last.

        Parameters
        ----------
        number : int
            The trial's number.
        after : int
            The key that the last call returned; 0: everything.

        Returns
        -------
        key : int
            Key of the newest report that is included: the ``after`` of the next call.
        reports : list of tuple
            The reports, in report order.
        """
        with self._snapshot() as content:
            found = content.trial(number)
            if found is None or found.curve <= after:
                return after, []
            return found.curve, content.curve(found.curve, after)

    def output(self, number: int) -> tuple[str, str, str]:
        """Read what a trial printed and its traceback: (stdout, stderr, traceback), empty when there is none."""
        with self._snapshot() as content:
            found = content.trial(number)
            return content.output(number) if found is not None and found.has_output else ("", "", "")

    def events(self, since: int = 0) -> list[dict[str, Any]]:
        """Read what happened to the search after a sequence number, in order.

        Each is the dict that was written, with ``kind``, ``at`` (Unix seconds), and beside them ``sequence``.
        """
        with self._snapshot() as content:
            return content.events(since)

    def wait_for_change(self, sequence: int, timeout: float | None = None) -> int:
        """Wait until the owner has written something after ``sequence``.

        The signal is SQLite's ``data_version``, which rises with each commit of another connection; it is looked at
        every 5 ms, which costs a few microseconds and touches no page of the file.

        Parameters
        ----------
        sequence : int
            What has been seen already.
        timeout : float, optional
            Seconds to wait at most. Default: no limit.

        Returns
        -------
        int
            The sequence number now; not above ``sequence`` when the time was over, or when another thread closed
            the reader, which ends the wait at once.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        seen: object = None
        latest = sequence
        while not self._closed.is_set():
            try:
                with self._reading() as content:
                    version = content.connection.execute("PRAGMA data_version").fetchone()
                    if version != seen:
                        seen = version
                        latest = content.totals.sequence
            except JournalError:
                if self._closed.is_set():  # since it was looked at
                    break
                raise
            if latest > sequence:
                break
            pause = POLL_SECONDS
            if deadline is not None:
                pause = min(pause, deadline - time.monotonic())
                if pause <= 0:
                    break
            self._closed.wait(pause)
        return latest

    def check_whole(self) -> None:
        """Read every page of the file and raise `JournalDamaged` when something is not as it should be."""
        with self._reading() as content:
            schema.check_whole(content.connection)
            _ = content.state, content.header  # which are checked as they are read

    def backup(self, path: str | Path) -> Path:
        """Write a copy of the journal, as it is at this moment, that can be viewed and continued like any other.

        Also while its search is at work. Copying the file by other means misses what is still in its log.

        Parameters
        ----------
        path : str or pathlib.Path
            The new file, or the folder for one of the same name.

        Returns
        -------
        pathlib.Path
            The new file.

        Raises
        ------
        JournalError
            When there is such a file, or it cannot be written.
        """
        path = Path(path).absolute()
        if path.is_dir():
            path /= self.path.name
        with self._reading() as content:
            write_backup(content.connection, path)
        return path

    def close(self) -> None:
        """Close the file and end a wait in another thread. May be called twice."""
        self._closed.set()
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _read_from(self, connection: sqlite3.Connection) -> None:
        """Read from a connection, and close it when the reader is dropped, as Python warns of one that is left open."""
        self._connection = connection
        weakref.finalize(self, connection.close).atexit = False

    @contextmanager
    def _reading(self) -> Iterator[Content]:
        """Lock the connection for one thread, and turn what goes wrong into `JournalError`."""
        with self._lock:
            if self._connection is None:
                raise JournalError(f"The reader of {self.path} is closed; open it again (Journal.view).")
            try:  # and not `explained`, which would take a tenth of the time of a poll
                found = identity(self.path)
                if found != self._file and found is not None:
                    self._read_from(self._follow_to_new_file(self._connection))
                    self._file = found
                limit_time(self._connection, time.monotonic() + QUERY_SECONDS)
                yield Content(self._connection)
            except (Damage, sqlite3.Error) as error:
                raise explanation(error, self.path, "read") from error

    def _follow_to_new_file(self, former: sqlite3.Connection) -> sqlite3.Connection:
        """Open the new file at the path, which the owner writes when its file was deleted or moved."""
        connection = _connect_checked(self.path)
        is_same_search = False
        try:
            is_same_search = Content(connection).search_id == self._search_id
        finally:
            if not is_same_search:
                connection.close()
        if not is_same_search:
            raise JournalError(f"{self.path} was replaced by the journal of another search; open that one anew.")
        former.close()
        return connection

    @contextmanager
    def _snapshot(self) -> Iterator[Content]:
        """See the file as it is at one moment for several reads."""
        with self._reading() as content:
            content.connection.execute("BEGIN")
            try:
                yield content
            finally:
                content.connection.execute("COMMIT")


def _connect_checked(path: Path) -> sqlite3.Connection:
    """Open a journal to read and check that it is one."""
    schema.check_file(path)
    if not has_log(path):
        # No process has it open. Checked like this, a file that is refused gets no files beside it.
        with closing(connect_still(path)) as still:
            schema.check_connection(still, path)
    connection = connect_reader(path)
    try:
        schema.check_connection(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection
