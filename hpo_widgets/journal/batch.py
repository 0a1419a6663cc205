"""What goes into one transaction of a journal: encoded before it begins, stored while it lasts."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hpo_widgets.journal.rows import RECORD_FIELDS, Record, encode, printable, to_records
from hpo_widgets.journal.schema import PLACES

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from hpo_widgets.trials import TrialRow

Scalar = tuple[int, str, str, float, int | None]
"""A report: number of the trial, title, series, value, iteration."""

Output = tuple[int, str | None, str | None, str | None]
"""A trial's log: number of the trial, stdout, stderr, traceback."""

_PUT_TRIAL = "REPLACE INTO trials VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_PUT_OUTPUT = "REPLACE INTO outputs (number, seq, stdout, stderr, traceback) VALUES (?, ?, ?, ?, ?)"
_ADD_SCALAR = "INSERT INTO scalars (key, number, metric, value, iteration) VALUES (?, ?, ?, ?, ?)"
_ADD_EVENT = "INSERT INTO events (key, at, kind, data) VALUES (?, ?, ?, ?)"
_ADD_METRIC = "INSERT INTO metrics (id, title, series) VALUES (?, ?, ?)"
_ERROR = RECORD_FIELDS.index("error")


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows of one write.

    Parameters
    ----------
    sequence
        The number of the write, which trials and outputs are stamped with.
    first_key
        Key of the first report and of the first event.
    records, scalars, outputs
        Rows as they go into the tables, and reports and logs as they were given.
    events
        Rows ``(key, at, kind, data)``.
    """

    sequence: int
    first_key: int
    records: Sequence[Record]
    scalars: Sequence[Scalar]
    outputs: Sequence[Output]
    events: Sequence[tuple[int, float, str, str]]

    @classmethod
    def make(
        cls,
        former_sequence: int,
        trials: Sequence[TrialRow],
        scalars: Sequence[Scalar],
        outputs: Sequence[Output],
        events: Sequence[Mapping[str, Any]],
    ) -> Batch:
        """Encode what is to be written next; raises TypeError or ValueError for what is not JSON."""
        first = former_sequence + 1
        # A write of more rows than a sequence number has keys takes several numbers.
        sequence = first + max(len(scalars), len(events)) // PLACES
        first_key = first * PLACES
        return cls(
            sequence,
            first_key,
            to_records(trials, sequence),
            scalars,
            outputs,
            [_event(event, first_key + place) for place, event in enumerate(events)],
        )

    def spelt_out(self) -> Batch:
        """Return the same with whatever UTF-8 cannot hold (lone surrogates) spelt out."""
        end = _ERROR + 1
        return replace(
            self,
            records=[(*row[:_ERROR], row[_ERROR] and printable(row[_ERROR]), *row[end:]) for row in self.records],
            scalars=[
                (number, printable(title), printable(series), value, iteration)
                for number, title, series, value, iteration in self.scalars
            ],
            outputs=[
                (number, out and printable(out), err and printable(err), trace and printable(trace))
                for number, out, err, trace in self.outputs
            ],
            events=[(key, at, printable(kind), data) for key, at, kind, data in self.events],
        )

    def store(
        self, connection: sqlite3.Connection, metrics: Mapping[tuple[str, str], int]
    ) -> dict[tuple[str, str], int]:
        """Write the rows, inside a transaction.

        ``metrics`` numbers the (title, series) pairs that are in the file. Returns those that are new in this
        write, which hold once it is committed.
        """
        added: dict[tuple[str, str], int] = {}
        if self.records:
            connection.executemany(_PUT_TRIAL, self.records)
        if self.scalars:
            rows = []
            key = self.first_key
            for number, title, series, value, iteration in self.scalars:
                pair = (title, series)
                metric = metrics.get(pair) or added.get(pair)
                if metric is None:
                    metric = added[pair] = len(metrics) + len(added) + 1
                    connection.execute(_ADD_METRIC, (metric, title, series))
                rows.append((key, number, metric, float(value), iteration))
                key += 1
            connection.executemany(_ADD_SCALAR, rows)
        if self.outputs:
            connection.executemany(_PUT_OUTPUT, [(number, self.sequence, *texts) for number, *texts in self.outputs])
        if self.events:
            connection.executemany(_ADD_EVENT, self.events)
        return added


def _event(event: Mapping[str, Any], key: int) -> tuple[int, float, str, str]:
    """Split an event into its row."""
    data = dict(event)
    kind = data.pop("kind", None)
    if not isinstance(kind, str):
        raise ValueError(f"An event of a journal needs a kind (text), got {event!r}.")  # noqa: TRY004 -- a missing key
    if "sequence" in data:
        raise ValueError(f"An event's sequence is given by the journal; rename that key of {event!r}.")
    at = data.pop("at", None)
    return key, time.time() if at is None else float(at), kind, encode(data)
