"""The readers' side of a journal: reading all of it, one trial, or what changed, and waiting for a change.

A reader never writes and never disturbs the owner. The cost of reading what changed since a sequence number grows with
the number of changes, not of trials: for each write there is a row with the numbers of the trials that it changed.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from hpo_widgets.journal import schema
from hpo_widgets.journal.connection import (
    BUSY_TIMEOUT,
    QUERY_SECONDS,
    connect_reader,
    connect_still,
    has_log,
    identity,
    limit_time,
    write_backup,
)
from hpo_widgets.journal.errors import JournalDamaged, JournalError, damaged, explain
from hpo_widgets.journal.rows import (
    LATEST,
    BulkColumns,
    decode_columns,
    decode_extras,
    decode_row,
    decode_trials,
    join_columns,
    running_records,
)
from hpo_widgets.journal.state import read_state
from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from hpo_widgets.journal.lease import Owner
    from hpo_widgets.journal.rows import Record, StoredTrial
    from hpo_widgets.journal.state import Totals
    from hpo_widgets.trials import TrialRow
    from hpo_widgets.trials.export import Extra

POLL_SECONDS = 0.005
"""Seconds between two checks of `JournalReader.wait_for_change`; a check takes some 5 microseconds."""

_PAGE = 1000
"""Rows that are read and decoded at once: few enough to be freed before the garbage collector visits them."""

_MOST_VARIABLES = 500
"""Values that one SQL statement gets at most."""


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

    def __init__(self, path: Path, connection: sqlite3.Connection, busy_timeout: float = BUSY_TIMEOUT) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = connection
        self._busy_timeout = busy_timeout
        self._file = identity(path)
        self._search_id = read_header(connection, path)[0]
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
        try:
            connection = _connect_checked(path, busy_timeout)
            try:
                return cls(path, connection, busy_timeout)
            except BaseException:
                connection.close()
                raise
        except sqlite3.Error as error:
            raise explain(error, path, "read") from error

    @property
    def sequence(self) -> int:
        """Sequence number of the last write."""
        with self._reading() as connection:
            return read_state(connection, self.path).totals.sequence

    @property
    def search_id(self) -> str:
        """The search that the journal holds."""
        with self._reading() as connection:
            return read_header(connection, self.path)[0]

    @property
    def header(self) -> dict[str, Any]:
        """What the search is, as given to `Journal.create` or last to `Journal.set_header`."""
        with self._reading() as connection:
            return read_header(connection, self.path)[1]

    def owner(self) -> Owner | None:
        """Who may write the journal now; None when it was closed. ``owner.is_alive`` tells whether it still can."""
        with self._reading() as connection:
            return read_state(connection, self.path).owner

    def counts(self) -> dict[TrialState, int]:
        """Count the trials in each state."""
        with self._reading() as connection:
            states = read_state(connection, self.path).totals.states
        return dict(zip(TrialState, states, strict=True))

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
        with self._snapshot() as connection:
            totals = read_state(connection, self.path).totals
            found = _read_changed(connection, since, totals, self.path)
        return totals.sequence, [stored.row for stored in found]

    def changes(self, since: int = 0) -> JournalChanges:
        """Read the trials that changed and the events that happened after a sequence number, in one snapshot.

        With the returned sequence number as the next ``since`` nothing is missed and nothing comes twice. Calls of
        `trials` and `events` one after the other could see different writes.
        """
        with self._snapshot() as connection:
            totals = read_state(connection, self.path).totals
            found = _read_changed(connection, since, totals, self.path)
            events = _read_events(connection, since, totals, self.path)
        return JournalChanges(totals.sequence, [stored.row for stored in found], events)

    def running(self) -> list[TrialRow]:
        """Read the trials that are running, by number."""
        with self._snapshot() as connection:
            return read_running(connection, read_state(connection, self.path).totals, self.path)

    def row(self, number: int) -> TrialRow:
        """Read one trial; ``IndexError`` when there is none of that number."""
        with self._snapshot() as connection:
            found = self._stored(connection, number)
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
        read: dict[int, Extra] = {}
        with self._reading() as connection:
            for records in _find_records(connection, numbers):
                read.update(decode_extras(records, objectives, self.path))
        return read

    def jobs(self) -> dict[int, str]:
        """Read the ids of jobs by the number of their trial; empty for a search on one machine."""
        with self._reading() as connection:
            # The id is the last of the fields; where there is none it is null.
            rows = connection.execute("SELECT * FROM trials WHERE more NOT LIKE '%,null]' ORDER BY number").fetchall()
        found = decode_trials(rows, self.path)
        return {stored.row.number: stored.row.job for stored in found if stored.row.job is not None}

    def columns(self) -> BulkColumns:
        """Read all trials as columns: the quick way to fill a column store (see `BulkColumns`).

        The number of objectives is the header's, if its ``objectives`` is a list; else what the trials have.
        """
        objectives = self.header.get("objectives")
        num_objectives = len(objectives) if isinstance(objectives, list) and objectives else None
        with self._snapshot() as connection:
            totals = read_state(connection, self.path).totals
            pages = list(_read_pages(connection, totals, self.path)) if num_objectives is None else None
            if pages is not None:
                everything = [record for page in pages for record in page]
                return decode_columns(everything, None, self.path)
            parts = [
                decode_columns(page, num_objectives, self.path) for page in _read_pages(connection, totals, self.path)
            ]
        return join_columns(parts or [decode_columns([], num_objectives, self.path)])

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
        with self._snapshot() as connection:
            found = self._stored(connection, number)
            if found is None or found.curve <= after:
                return after, []
            metrics = read_metrics(connection, read_state(connection, self.path).totals, self.path)
            return found.curve, _read_curve(connection, found.curve, metrics, self.path, after)

    def output(self, number: int) -> tuple[str, str, str]:
        """Read what a trial printed and its traceback: (stdout, stderr, traceback), empty when there is none."""
        with self._snapshot() as connection:
            found = self._stored(connection, number)
            if found is None or not found.has_output:
                return "", "", ""
            row = connection.execute("SELECT * FROM outputs WHERE number = ?", (number,)).fetchone()
        texts = decode_row(schema.OUTPUTS, row, self.path, f"the log of trial {number}")
        if not isinstance(texts, list) or len(texts) != 3 or not all(isinstance(text, str | None) for text in texts):
            raise damaged(self.path, f"the log of trial {number} is not as a journal has it")
        stdout, stderr, traceback = (text or "" for text in texts)
        return stdout, stderr, traceback

    def events(self, since: int = 0) -> list[dict[str, Any]]:
        """Read what happened to the search after a sequence number, in order.

        Each is the dict that was written, with ``kind``, ``at`` (Unix seconds), and beside them ``sequence``.
        """
        with self._snapshot() as connection:
            return _read_events(connection, since, read_state(connection, self.path).totals, self.path)

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
                with self._reading() as connection:
                    version = connection.execute("PRAGMA data_version").fetchone()
                    if version != seen:
                        seen = version
                        latest = read_state(connection, self.path).totals.sequence
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
            read_state(connection, self.path)
            read_header(connection, self.path)

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
        with self._reading() as connection:
            write_backup(connection, path)
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

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """Lock the connection for one thread, and turn SQLite's errors into `JournalError`."""
        with self._lock:
            if self._connection is None:
                raise JournalError(f"The reader of {self.path} is closed; open it again (Journal.view).")
            try:
                found = identity(self.path)
                if found != self._file and found is not None:
                    self._connection = self._follow_to_new_file(self._connection)
                    self._file = found
                limit_time(self._connection, time.monotonic() + QUERY_SECONDS)
                yield self._connection
            except sqlite3.Error as error:
                raise explain(error, self.path, "read") from error

    def _follow_to_new_file(self, former: sqlite3.Connection) -> sqlite3.Connection:
        """Open the new file at the path, which the owner writes when its file was deleted or moved."""
        connection = _connect_checked(self.path, self._busy_timeout)
        is_same_search = False
        try:
            is_same_search = read_header(connection, self.path)[0] == self._search_id
        finally:
            if not is_same_search:
                connection.close()
        if not is_same_search:
            raise JournalError(f"{self.path} was replaced by the journal of another search; open that one anew.")
        former.close()
        return connection

    @contextmanager
    def _snapshot(self) -> Iterator[sqlite3.Connection]:
        """See the file as it is at one moment for several reads."""
        with self._reading() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("COMMIT")

    def _stored(self, connection: sqlite3.Connection, number: int) -> StoredTrial | None:
        """Read one trial; None when the journal has none of that number."""
        found = find_trials(connection, [int(number)], self.path).get(int(number))
        if found is None:
            totals = read_state(connection, self.path).totals
            if 0 <= number <= totals.highest:
                is_complete = totals.trials == totals.highest + 1
                # Where numbers were left out, a full read tells whether this is one of them or a lost row.
                if is_complete or any(
                    number == other for page in _read_pages(connection, totals, self.path) for other, *_ in page
                ):
                    raise _rows_missing(self.path, "trials")
        return found


def backup(journal: Path, path: str | Path) -> Path:
    """Write a copy of a journal; see `JournalReader.backup`.

    Parameters
    ----------
    journal
        The journal.
    path
        The new file, or the folder for one of the same name.

    Returns
    -------
    Path
        The new file.

    Raises
    ------
    JournalError
        When there is such a file, or it cannot be written.
    """
    with JournalReader.open(journal) as reader:
        return reader.backup(path)


def _connect_checked(path: Path, busy_timeout: float) -> sqlite3.Connection:
    """Open a journal to read and check that it is one."""
    schema.check_file(path)
    if not has_log(path):
        # No process has it open. Checked like this, a file that is refused gets no files beside it.
        with closing(connect_still(path)) as still:
            schema.check_connection(still, path)
    connection = connect_reader(path, busy_timeout)
    try:
        schema.check_connection(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def read_header(connection: sqlite3.Connection, path: Path) -> tuple[str, dict[str, Any]]:
    """Read the search id and the header.

    Parameters
    ----------
    connection
        An open journal.
    path
        The file, for messages.

    Returns
    -------
    tuple[str, dict]
        The search id, and the header.

    Raises
    ------
    JournalDamaged
        When the row is not as it was written.
    """
    row = connection.execute("SELECT * FROM header WHERE id = 1").fetchone()
    value = decode_row(schema.HEADER, row, path, "the header")
    if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], dict):
        return value[0], value[1]
    raise damaged(path, "its header is not as a journal has it")


def read_metrics(connection: sqlite3.Connection, totals: Totals, path: Path) -> list[tuple[str, str]]:
    """Read title and series of all metrics, the first being number 1.

    Parameters
    ----------
    connection
        An open journal.
    totals
        How many rows the journal holds.
    path
        The file, for messages.

    Returns
    -------
    list[tuple[str, str]]
        (title, series) of each metric, in the order of their numbers.

    Raises
    ------
    JournalDamaged
        When rows are missing or not as they were written.
    """
    rows = connection.execute("SELECT * FROM metrics ORDER BY id LIMIT ?", (totals.metrics + 1,)).fetchall()
    # The stored count may be wrong and huge, so the range is as long as the rows that were found.
    if len(rows) != totals.metrics or [row[0] for row in rows] != list(range(1, len(rows) + 1)):
        raise _rows_missing(path, "metrics")
    pairs = [decode_row(schema.METRICS, row, path, "a metric") for row in rows]
    for pair in pairs:
        if not isinstance(pair, list) or list(map(type, pair)) != [str, str]:
            raise damaged(path, "a metric is not as a journal has it")
    return [(title, series) for title, series in pairs]


def find_trials(connection: sqlite3.Connection, numbers: Sequence[int], path: Path) -> dict[int, StoredTrial]:
    """Read the trials of these numbers that there are.

    Parameters
    ----------
    connection
        An open journal.
    numbers
        Trial numbers; unknown ones are left out.
    path
        The file, for messages.

    Returns
    -------
    dict
        Trial number to what is stored of it.

    Raises
    ------
    JournalDamaged
        When a row is not as it was written.
    """
    found: dict[int, StoredTrial] = {}
    for records in _find_records(connection, numbers):
        found.update({stored.row.number: stored for stored in decode_trials(records, path)})
    return found


def _find_records(connection: sqlite3.Connection, numbers: Sequence[int]) -> Iterator[list[Record]]:
    """Read the rows of these trials that there are, some at a time."""
    for first in range(0, len(numbers), _MOST_VARIABLES):
        some = numbers[first : first + _MOST_VARIABLES]
        marks = ", ".join("?" * len(some))
        yield connection.execute(f"SELECT * FROM trials WHERE number IN ({marks})", some).fetchall()  # noqa: S608


def read_running(connection: sqlite3.Connection, totals: Totals, path: Path) -> list[TrialRow]:
    """Read the trials that are running, by number.

    Parameters
    ----------
    connection
        An open journal.
    totals
        How many rows the journal holds.
    path
        The file, for messages.

    Returns
    -------
    list of TrialRow
        The rows of the trials that run, by number.

    Raises
    ------
    JournalDamaged
        When rows are missing or not as they were written.
    """
    running = [record for page in _read_pages(connection, totals, path) for record in running_records(page, path)]
    return [stored.row for stored in decode_trials(running, path)]


def _read_pages(connection: sqlite3.Connection, totals: Totals, path: Path) -> Iterator[list[Record]]:
    """Read all rows of ``trials`` by number, some at a time, and check that none is missing or doubled."""
    cursor = connection.execute("SELECT * FROM trials ORDER BY number LIMIT ?", (totals.trials + 1,))
    last, count = -1, 0
    while page := cursor.fetchmany(_PAGE):
        numbers = [last, *(record[0] for record in page)]
        count += len(page)
        if count > totals.trials or not all(map(int.__lt__, numbers, numbers[1:])):
            break
        last = numbers[-1]
        yield page
    if count != totals.trials or last != totals.highest:
        raise _rows_missing(path, "trials")


def _read_changed(connection: sqlite3.Connection, since: int, totals: Totals, path: Path) -> list[StoredTrial]:
    """Read the trials that changed after a write, in the order of writes and numbers."""
    if since <= 0:
        found = [stored for page in _read_pages(connection, totals, path) for stored in decode_trials(page, path)]
    else:
        numbers = sorted(_changed_numbers(connection, since, totals, path))
        by_number = find_trials(connection, numbers, path)
        if len(by_number) != len(numbers):
            raise _rows_missing(path, "trials")
        found = list(by_number.values())
    return sorted(found, key=lambda stored: (stored.sequence, stored.row.number))


def _changed_numbers(connection: sqlite3.Connection, since: int, totals: Totals, path: Path) -> set[int]:
    """Read which trials changed after a write."""
    first = max(since, 1) + 1
    numbers: set[int] = set()
    cursor = connection.execute("SELECT * FROM writes WHERE seq >= ? ORDER BY seq", (first,))
    expected = first
    for row in cursor:
        changed = decode_row(schema.WRITES, row, path, f"write {row[0]}")
        if row[0] != expected or not isinstance(changed, list) or not set(map(type, changed)) <= {int}:
            raise damaged(path, f"write {row[0]} is not as a journal has it")
        numbers.update(changed)
        expected += 1
    if expected <= totals.sequence:
        raise _rows_missing(path, "writes")
    return numbers


def _read_events(connection: sqlite3.Connection, since: int, totals: Totals, path: Path) -> list[dict[str, Any]]:
    """Read the events after a write.

    Each row says how many rows there are up to it. With the row before the first one that is wanted, these counts show
    that none is missing.
    """
    rows = connection.execute(
        "SELECT * FROM events WHERE seq >= coalesce((SELECT max(seq) FROM events WHERE seq <= ?), 0) "
        "ORDER BY seq LIMIT ?",
        (since, totals.events + 1),
    ).fetchall()
    found: list[dict[str, Any]] = []
    places = []
    for row in rows:
        sequence = row[0]
        value = decode_row(schema.EVENTS, row, path, f"the events of write {sequence}")
        try:
            place, *events = value
            places.append(place)
            if sequence > since:
                found += [_event(sequence, *event) for event in events]
        except (TypeError, ValueError) as error:
            raise damaged(path, f"an event of write {sequence} is not as a journal has it") from error
    first = 1 if not rows or rows[0][0] > since or type(places[0]) is not int else places[0]
    if len(places) != totals.events - first + 1 or places != list(range(first, first + len(places))):
        raise _rows_missing(path, "events")
    return found


def _event(sequence: int, at: Any, kind: Any, data: Any) -> dict[str, Any]:
    """Make of an event's fields the dict that was written."""
    if type(at) is not float or not abs(at) <= LATEST or type(kind) is not str or type(data) is not dict:
        raise TypeError("it has other fields")
    return data | {"sequence": sequence, "kind": kind, "at": at}


def _read_curve(
    connection: sqlite3.Connection, key: int, metrics: Sequence[tuple[str, str]], path: Path, after: int
) -> list[tuple[str, str, float, int]]:
    """Read a trial's reports, from the newest row back to the one that is known, and return them in report order."""
    parts: list[list[Any]] = []
    while key > after:
        row = connection.execute("SELECT * FROM scalars WHERE key = ?", (key,)).fetchone()
        part = decode_row(schema.SCALARS, row, path, f"row {key} of reports")
        if not isinstance(part, list) or len(part) % 3 != 1 or type(part[0]) is not int or not 0 <= part[0] < key:
            raise damaged(path, f"row {key} of reports is not as a journal has it")
        key = part[0]
        parts.append(part)
    flat = [entry for part in reversed(parts) for entry in part[1:]]
    numbers, values, iterations = flat[::3], flat[1::3], flat[2::3]
    if (
        not set(map(type, numbers)) <= {int}
        or not set(map(type, values)) <= {float}
        or not set(map(type, iterations)) <= {int, type(None)}
        or not 1 <= min(numbers, default=1) <= max(numbers, default=1) <= max(len(metrics), 1)
    ):
        raise damaged(path, "a report is not as a journal has it")
    return [
        (*metrics[number - 1], value, iteration)
        for number, value, iteration in zip(numbers, values, iterations, strict=True)
    ]


def _rows_missing(path: Path, table: str) -> JournalDamaged:
    return damaged(path, f"some of its {table} are missing")
