"""The readers' side of a journal: all of it, one trial, what changed, and waiting for a change.

A reader never writes and never disturbs the owner. Reading what changed since a sequence number costs what
changed, not what there is: the index on ``seq`` finds the rows.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from hpo_widgets.journal import schema
from hpo_widgets.journal.connection import BUSY_TIMEOUT, connect_reader, connect_still, has_log
from hpo_widgets.journal.errors import JournalError, damaged, explain
from hpo_widgets.journal.lease import Owner, read_owner
from hpo_widgets.journal.migration import migrated_copy
from hpo_widgets.journal.rows import (
    BULK_FIELDS,
    RECORD_FIELDS,
    BulkColumns,
    Record,
    decode,
    decode_column,
    from_records,
    join_columns,
    to_columns,
)
from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from hpo_widgets.trials import TrialRow

POLL_SECONDS = 0.005
"""How often `JournalReader.wait_for_change` looks; a look costs some 5 microseconds."""

_FIELDS = ", ".join(RECORD_FIELDS)


class JournalChanges(NamedTuple):
    """What changed after a sequence number, up to ``sequence``."""

    sequence: int
    trials: list[TrialRow]
    events: list[dict[str, Any]]


class JournalReader:
    """A journal to read and follow, from any thread of any process; made by `Journal.view`.

    Sequence numbers order what happened: each write of the owner has the next one, and the things it changed carry
    it. To follow a search::

        sequence, trials, events = reader.changes()
        while True:
            reader.wait_for_change(sequence, timeout=1.0)
            sequence, trials, events = reader.changes(since=sequence)

    A journal of an older version is read as it would be after migration, from a copy in memory: it is shown as it
    was when it was opened.

    All methods raise `JournalDamaged` when they meet damage, and `JournalError` after `close`.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = connection
        self._lock = threading.Lock()
        self._closed = threading.Event()

    @classmethod
    def open(cls, path: str | Path, *, busy_timeout: float = BUSY_TIMEOUT) -> JournalReader:
        """Open a journal read-only.

        Parameters
        ----------
        path : str or pathlib.Path
            The file.
        busy_timeout : float
            Seconds to wait when another process holds the file locked. Default: 5.

        Raises
        ------
        JournalNotFound, JournalDamaged, JournalVersionError, JournalError
            The file was not touched.
        """
        path = Path(path).absolute()
        schema.check_file(path)
        try:
            if not has_log(path):
                # Nobody is at work on it. This look leaves nothing beside a file that will not be opened after all.
                with closing(connect_still(path)) as still:
                    schema.check_connection(still, path)
            connection = connect_reader(path, busy_timeout)
            try:
                version = schema.check_connection(connection, path)
                if version < schema.VERSION:
                    connection = migrated_copy(connection, version)
                return cls(path, connection)
            except BaseException:
                connection.close()
                raise
        except sqlite3.Error as error:
            raise explain(error, path, "read") from error

    @property
    def sequence(self) -> int:
        """Sequence number of the last write."""
        with self._reading() as connection:
            return self._read_sequence(connection)

    @property
    def search_id(self) -> str:
        """The search that the journal holds."""
        return str(self._one("SELECT search_id FROM header")[0])

    @property
    def header(self) -> dict[str, Any]:
        """What the search is, as given to `Journal.create` or last to `Journal.set_header`."""
        header = decode(self._one("SELECT data FROM header")[0], self.path, "the header")
        if not isinstance(header, dict):
            raise damaged(self.path, "its header is not a JSON object")
        return header

    def owner(self) -> Owner | None:
        """Who may write the journal now; None when it was closed. ``owner.is_alive`` tells whether it still can."""
        with self._reading() as connection:
            return read_owner(connection)

    def counts(self) -> dict[TrialState, int]:
        """Count the trials in each state."""
        found = dict(self._all("SELECT state, count(*) FROM trials INDEXED BY trials_by_seq GROUP BY state"))
        return {state: found.get(int(state), 0) for state in TrialState}

    def trials(self, since: int = 0, limit: int | None = None) -> tuple[int, list[TrialRow]]:
        """Read the trials that changed after a sequence number.

        Parameters
        ----------
        since : int
            A sequence number returned before; 0 (the default): all trials.
        limit : int, optional
            Stop after the write in which so many trials are reached; what one write changed is never split, so
            there may be more.

        Returns
        -------
        sequence : int
            Up to where this is complete: the ``since`` of the next call.
        trials : list of TrialRow
            In the order of the writes that changed them last, within one by number.
        """
        with self._snapshot() as connection:
            sequence = self._read_sequence(connection)
            if limit is not None:
                cut = connection.execute(
                    "SELECT seq FROM trials WHERE seq > ? ORDER BY seq LIMIT 1 OFFSET ?", (since, max(limit, 1) - 1)
                ).fetchone()
                sequence = sequence if cut is None else cut[0]
            records = self._read_trials(connection, since, sequence)
        return sequence, from_records(records, self.path)

    def changes(self, since: int = 0) -> JournalChanges:
        """Read the trials that changed and the events that happened after a sequence number, at one moment.

        Read one by one, events could be of a later write than trials; to go on from here, nothing is missed and
        nothing comes twice.
        """
        with self._snapshot() as connection:
            sequence = self._read_sequence(connection)
            records = self._read_trials(connection, since, sequence)
            events = self._read_events(connection, since)
        return JournalChanges(sequence, from_records(records, self.path), self._events(events))

    def newest(self, count: int = 1000) -> list[TrialRow]:
        """Read the trials of the highest numbers, rising; what a first view needs of a long journal."""
        records = self._all(f"SELECT {_FIELDS} FROM trials ORDER BY number DESC LIMIT ?", count)  # noqa: S608
        return from_records(records[::-1], self.path)

    def row(self, number: int) -> TrialRow:
        """Read one trial; ``IndexError`` when there is none of that number."""
        records = self._all(f"SELECT {_FIELDS} FROM trials WHERE number = ?", int(number))  # noqa: S608
        if not records:
            raise IndexError(f"there is no trial {number} in {self.path}")
        return from_records(records, self.path)[0]

    def jobs(self) -> dict[int, str]:
        """Read the ids of jobs by the number of their trial; empty for a search on one machine."""
        return dict(self._all("SELECT number, job FROM trials WHERE job IS NOT NULL ORDER BY number"))

    def columns(self) -> BulkColumns:
        """Read all trials as columns: the quick way to fill a column store (see `BulkColumns`).

        The number of objectives is the header's, if its ``objectives`` is a list; else what the trials have.
        """
        objectives = self.header.get("objectives")
        num_objectives = len(objectives) if isinstance(objectives, list) and objectives else None
        with self._reading() as connection:
            found = connection.execute(f"SELECT {BULK_FIELDS} FROM trials ORDER BY number")  # noqa: S608
            if num_objectives is None:
                return to_columns(found.fetchall(), None, self.path)
            # A thousand at a time: rows become arrays and are gone before the garbage collector looks at them, which
            # takes a third off the time.
            parts = [to_columns(found.fetchmany(1000), num_objectives, self.path)]
            while records := found.fetchmany(1000):
                parts.append(to_columns(records, num_objectives, self.path))
        return join_columns(parts)

    def scalars(self, number: int) -> list[tuple[str, str, float, int]]:
        """Read a trial's reports in report order: (title, series, value, iteration)."""
        rows = self._all(
            "SELECT title, series, coalesce(value, 'NaN'), iteration FROM scalars JOIN metrics ON metrics.id = metric "
            "WHERE number = ? ORDER BY key",
            int(number),
        )
        return [(title, series, float(value), iteration) for title, series, value, iteration in rows]

    def scalars_since(self, since: int = 0) -> list[tuple[int, str, str, float, int]]:
        """Read the reports of all trials after a sequence number: (number, title, series, value, iteration)."""
        rows = self._all(
            "SELECT number, title, series, coalesce(value, 'NaN'), iteration FROM scalars "
            "JOIN metrics ON metrics.id = metric WHERE key >= ? ORDER BY key",
            (since + 1) * schema.PLACES if since > 0 else 0,
        )
        return [(number, title, series, float(value), iteration) for number, title, series, value, iteration in rows]

    def output(self, number: int) -> tuple[str, str, str]:
        """Read what a trial printed and its traceback: (stdout, stderr, traceback), empty when there is none."""
        rows = self._all("SELECT stdout, stderr, traceback FROM outputs WHERE number = ?", int(number))
        if not rows:
            return "", "", ""
        stdout, stderr, traceback = (text or "" for text in rows[0])
        return stdout, stderr, traceback

    def events(self, since: int = 0) -> list[dict[str, Any]]:
        """Read what happened to the search after a sequence number, in order.

        Each is the dict that was written, with ``kind``, ``at`` (Unix seconds), and beside them ``sequence``.
        """
        with self._reading() as connection:
            rows = self._read_events(connection, since)
        return self._events(rows)

    def wait_for_change(self, sequence: int, timeout: float | None = None) -> int:
        """Wait until the owner has written something after ``sequence``.

        The signal is SQLite's ``data_version``, which rises with each commit of another connection; it is looked at
        every 5 ms, which costs a few microseconds and touches no page of the file.

        Parameters
        ----------
        sequence : int
            What has been seen already.
        timeout : float, optional
            Seconds. Default: without end.

        Returns
        -------
        int
            The sequence number now; not above ``sequence`` when the time was over or the reader was closed
            meanwhile (by another thread: that ends the wait at once).
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        seen: object = None
        latest = sequence
        while not self._closed.is_set():
            try:
                with self._reading() as connection:
                    version = connection.execute("PRAGMA data_version").fetchone()
                    if version != seen:
                        seen = version
                        latest = self._read_sequence(connection)
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
        with self._reading() as connection:
            schema.check_whole(connection, self.path)
            self._read_sequence(connection)
        _ = self.header

    def close(self) -> None:
        """Close the file and end a wait in another thread. May be called twice."""
        self._closed.set()
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """Hold the connection for one thread and say in words what SQLite cannot do."""
        with self._lock:
            if self._connection is None:
                raise JournalError(f"The reader of {self.path} is closed; open it again (Journal.view).")
            try:
                yield self._connection
            except sqlite3.Error as error:
                raise explain(error, self.path, "read") from error

    @contextmanager
    def _snapshot(self) -> Iterator[sqlite3.Connection]:
        """See the file as it is at one moment for several reads."""
        with self._reading() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("COMMIT")

    def _read_trials(self, connection: sqlite3.Connection, since: int, until: int) -> list[Record]:
        """Read changed trials by the index on ``seq``, in the order of writes and numbers."""
        records: list[Record] = connection.execute(
            f"SELECT {_FIELDS} FROM trials WHERE seq > ? AND seq <= ? ORDER BY seq",  # noqa: S608
            (since, until),
        ).fetchall()
        records.sort(key=lambda record: (record[1], record[0]))
        return records

    @staticmethod
    def _read_events(connection: sqlite3.Connection, since: int) -> list[tuple[Any, ...]]:
        first = (since + 1) * schema.PLACES if since > 0 else 0
        return connection.execute(
            "SELECT key, at, kind, data FROM events WHERE key >= ? ORDER BY key", (first,)
        ).fetchall()

    def _events(self, rows: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
        """Make of rows of ``events`` the dicts that were written."""
        if not rows:
            return []
        keys, ats, kinds, texts = zip(*rows, strict=True)
        data = decode_column(texts, keys, self.path, "event")
        if not all(isinstance(more, dict) for more in data):
            raise damaged(self.path, "an event is not a JSON object")
        return [
            {"sequence": key // schema.PLACES, "kind": kind, "at": at, **more}
            for key, at, kind, more in zip(keys, ats, kinds, data, strict=True)
        ]

    def _all(self, statement: str, *values: int) -> list[tuple[Any, ...]]:
        with self._reading() as connection:
            return connection.execute(statement, values).fetchall()

    def _one(self, statement: str) -> tuple[Any, ...]:
        rows = self._all(statement)
        if not rows:
            raise damaged(self.path, "a row that every journal has is missing")
        return rows[0]

    def _read_sequence(self, connection: sqlite3.Connection) -> int:
        row = connection.execute("SELECT sequence FROM lease").fetchone()
        if row is None:
            raise damaged(self.path, "a row that every journal has is missing")
        return int(row[0])
