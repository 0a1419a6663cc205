"""What the tables of an open journal hold, read and checked: all of it, one trial, or what changed since a write."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from hpo_widgets.journal import schema
from hpo_widgets.journal.errors import Damage
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
from hpo_widgets.journal.state import State, Totals, read_state

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from hpo_widgets.journal.rows import Record, StoredTrial
    from hpo_widgets.trials import TrialRow
    from hpo_widgets.trials.export import Extra

_PAGE = 1000
"""Rows that are read and decoded at once: few enough to be freed before the garbage collector visits them."""

_MOST_VARIABLES = 500
"""Values that one SQL statement gets at most."""


class Content:
    """The rows of a journal in one snapshot of it. All members raise `Damage` for what no journal has.

    Parameters
    ----------
    connection
        An open journal; whoever has the content keeps other threads from using it.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    @cached_property
    def state(self) -> State:
        """The owner, and how many rows there are."""
        return read_state(self.connection)

    @property
    def totals(self) -> Totals:
        """How many rows there are."""
        return self.state.totals

    @property
    def search_id(self) -> str:
        """The search that the journal holds."""
        return self._id_and_header[0]

    @property
    def header(self) -> dict[str, Any]:
        """What the search is."""
        return self._id_and_header[1]

    @cached_property
    def _id_and_header(self) -> tuple[str, dict[str, Any]]:
        row = self.connection.execute("SELECT * FROM header WHERE id = 1").fetchone()
        value = decode_row(schema.HEADER, row, "the header")
        if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], dict):
            return value[0], value[1]
        raise Damage("its header does not have the form of a journal")

    def metrics(self) -> list[tuple[str, str]]:
        """Read title and series of all metrics, the first being number 1."""
        count = self.totals.metrics
        rows = self.connection.execute("SELECT * FROM metrics ORDER BY id LIMIT ?", (count + 1,)).fetchall()
        # The stored count may be wrong and huge, so the range is as long as the rows that were found.
        if len(rows) != count or [row[0] for row in rows] != list(range(1, len(rows) + 1)):
            raise _rows_missing("metrics")
        pairs = [decode_row(schema.METRICS, row, "a metric") for row in rows]
        for pair in pairs:
            if not isinstance(pair, list) or list(map(type, pair)) != [str, str]:
                raise Damage("a metric does not have the form of a journal")
        return [(title, series) for title, series in pairs]

    def trial(self, number: int) -> StoredTrial | None:
        """Read one trial; None when the journal has none of that number."""
        found = self.trials([int(number)]).get(int(number))
        if found is None and 0 <= number <= self.totals.highest:
            is_complete = self.totals.trials == self.totals.highest + 1
            # Where numbers were left out, a full read tells whether this is one of them or a lost row.
            if is_complete or any(number == other for page in self._pages() for other, *_ in page):
                raise _rows_missing("trials")
        return found

    def trials(self, numbers: Sequence[int]) -> dict[int, StoredTrial]:
        """Read the trials of these numbers that there are, by number."""
        found: dict[int, StoredTrial] = {}
        for records in self._records(numbers):
            found.update({stored.row.number: stored for stored in decode_trials(records)})
        return found

    def extras(self, numbers: Sequence[int], objectives: AbstractSet[str]) -> dict[int, Extra]:
        """Read what `JournalReader.extras` returns.

        Parameters
        ----------
        numbers, objectives
            As for `JournalReader.extras`.

        Returns
        -------
        dict
            By the trial's number.
        """
        found: dict[int, Extra] = {}
        for records in self._records(numbers):
            found.update(decode_extras(records, objectives))
        return found

    def _records(self, numbers: Sequence[int]) -> Iterator[list[Record]]:
        """Read the rows of these trials that there are, some at a time."""
        for first in range(0, len(numbers), _MOST_VARIABLES):
            some = numbers[first : first + _MOST_VARIABLES]
            marks = ", ".join("?" * len(some))
            query = f"SELECT * FROM trials WHERE number IN ({marks})"  # noqa: S608 -- question marks only
            yield self.connection.execute(query, some).fetchall()

    def running(self) -> list[TrialRow]:
        """Read the trials that are running, by number."""
        running = [record for page in self._pages() for record in running_records(page)]
        return [stored.row for stored in decode_trials(running)]

    def jobs(self) -> dict[int, str]:
        """Read the ids of jobs by the number of their trial."""
        # The id is the last of the fields; where there is none it is null.
        query = "SELECT * FROM trials WHERE more NOT LIKE '%,null]' ORDER BY number"
        found = decode_trials(self.connection.execute(query).fetchall())
        return {stored.row.number: stored.row.job for stored in found if stored.row.job is not None}

    def columns(self) -> BulkColumns:
        """Read all trials as columns; the header says how many objectives they have, 1 where it does not."""
        objectives = self.header.get("objectives")
        num_objectives = len(objectives) if isinstance(objectives, list) and objectives else 1
        parts = [decode_columns(page, num_objectives) for page in self._pages()]
        return join_columns(parts or [decode_columns([], num_objectives)])

    def _pages(self) -> Iterator[list[Record]]:
        """Read all rows of ``trials`` by number, some at a time, and check that none is missing or doubled."""
        totals = self.totals
        cursor = self.connection.execute("SELECT * FROM trials ORDER BY number LIMIT ?", (totals.trials + 1,))
        last, count = -1, 0
        while page := cursor.fetchmany(_PAGE):
            numbers = [last, *(record[0] for record in page)]
            count += len(page)
            if count > totals.trials or not all(map(int.__lt__, numbers, numbers[1:])):
                break
            last = numbers[-1]
            yield page
        if count != totals.trials or last != totals.highest:
            raise _rows_missing("trials")

    def changed(self, since: int) -> list[TrialRow]:
        """Read the trials that changed after a write, in the order of writes and numbers."""
        if since <= 0:
            found = [stored for page in self._pages() for stored in decode_trials(page)]
        else:
            numbers = sorted(self._changed_numbers(since))
            found = list(self.trials(numbers).values())
            if len(found) != len(numbers):
                raise _rows_missing("trials")
        return [stored.row for stored in sorted(found, key=lambda stored: (stored.sequence, stored.row.number))]

    def _changed_numbers(self, since: int) -> set[int]:
        """Read which trials changed after a write."""
        numbers: set[int] = set()
        expected = since + 1
        for row in self.connection.execute("SELECT * FROM writes WHERE seq > ? ORDER BY seq", (since,)):
            changed = decode_row(schema.WRITES, row, f"write {row[0]}")
            if row[0] != expected or not isinstance(changed, list) or not set(map(type, changed)) <= {int}:
                raise Damage(f"write {row[0]} does not have the form of a journal")
            numbers.update(changed)
            expected += 1
        if expected <= self.totals.sequence:
            raise _rows_missing("writes")
        return numbers

    def events(self, since: int) -> list[dict[str, Any]]:
        """Read the events after a write.

        Each row says how many rows there are up to it. With the row before the first one that is wanted, these counts
        show that none is missing.
        """
        rows = self.connection.execute(
            "SELECT * FROM events WHERE seq >= coalesce((SELECT max(seq) FROM events WHERE seq <= ?), 0) "
            "ORDER BY seq LIMIT ?",
            (since, self.totals.events + 1),
        ).fetchall()
        found: list[dict[str, Any]] = []
        places = []
        for row in rows:
            sequence = row[0]
            value = decode_row(schema.EVENTS, row, f"the events of write {sequence}")
            try:
                place, *events = value
                places.append(place)
                if sequence > since:
                    found += [_event(sequence, *event) for event in events]
            except (TypeError, ValueError) as error:
                raise Damage(f"an event of write {sequence} does not have the form of a journal") from error
        first = 1 if not rows or rows[0][0] > since or type(places[0]) is not int else places[0]
        if len(places) != self.totals.events - first + 1 or places != list(range(first, first + len(places))):
            raise _rows_missing("events")
        return found

    def curve(self, newest: int, after: int) -> list[tuple[str, str, float, int]]:
        """Read a trial's reports, from the newest row back to the one that is known, and return them in report order.

        Parameters
        ----------
        newest, after
            Keys of these rows; 0 for the second: all reports.

        Returns
        -------
        list of tuple
            Title, series, value, iteration.

        Raises
        ------
        Damage
            When a row is missing or not as it was written.
        """
        metrics = self.metrics()
        parts: list[list[Any]] = []
        key = newest
        while key > after:
            row = self.connection.execute("SELECT * FROM scalars WHERE key = ?", (key,)).fetchone()
            part = decode_row(schema.SCALARS, row, f"row {key} of reports")
            if not isinstance(part, list) or len(part) % 3 != 1 or type(part[0]) is not int or not 0 <= part[0] < key:
                raise Damage(f"row {key} of reports does not have the form of a journal")
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
            raise Damage("a report does not have the form of a journal")
        return [
            (*metrics[number - 1], value, iteration)
            for number, value, iteration in zip(numbers, values, iterations, strict=True)
        ]

    def output(self, number: int) -> tuple[str, str, str]:
        """Read the log of a trial that has one."""
        row = self.connection.execute("SELECT * FROM outputs WHERE number = ?", (number,)).fetchone()
        texts = decode_row(schema.OUTPUTS, row, f"the log of trial {number}")
        if not isinstance(texts, list) or len(texts) != 3 or not all(isinstance(text, str | None) for text in texts):
            raise Damage(f"the log of trial {number} does not have the form of a journal")
        stdout, stderr, traceback = (text or "" for text in texts)
        return stdout, stderr, traceback


def _event(sequence: int, at: Any, kind: Any, data: Any) -> dict[str, Any]:
    """Make of an event's fields the dict that was written."""
    if type(at) is not float or not abs(at) <= LATEST or type(kind) is not str or type(data) is not dict:
        raise TypeError("it has other fields")
    return data | {"sequence": sequence, "kind": kind, "at": at}


def _rows_missing(table: str) -> Damage:
    return Damage(f"some of its {table} are missing")
