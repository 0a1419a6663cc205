"""The rows of one transaction of a journal: encoded before the transaction begins, stored inside it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from hpo_widgets._messages import printable
from hpo_widgets.journal import connection as connecting
from hpo_widgets.journal.rows import LATEST, StoredTrial, encode, encode_row, encode_trial
from hpo_widgets.journal.schema import EVENTS, HEADER, METRICS, OUTPUTS, SCALARS, WRITES
from hpo_widgets.journal.state import MOST_GAPS, MOST_TRIALS, Totals

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from hpo_widgets.trials import TrialRow

Scalar = tuple[int, str, str, float, int | None]
"""A report: number of the trial, title, series, value, iteration."""

Output = tuple[int, str | None, str | None, str | None]
"""A trial's log: number of the trial, stdout, stderr, traceback."""


_PUT_HEADER = "REPLACE INTO header VALUES (?, ?, ?)"
_PUT_TRIAL = "REPLACE INTO trials VALUES (?, ?, ?, ?)"
_ADD_METRIC = "INSERT INTO metrics VALUES (?, ?, ?)"
_ADD_SCALARS = "INSERT INTO scalars VALUES (?, ?, ?)"
_PUT_OUTPUT = "REPLACE INTO outputs VALUES (?, ?, ?)"
_ADD_EVENTS = "INSERT INTO events VALUES (?, ?, ?)"
_ADD_WRITE = "INSERT INTO writes VALUES (?, ?, ?)"
_REPORTS_A_ROW = 100_000
"""Reports of a trial in a row at most: far less than a row may hold, however long a journal was locked."""


class Given(NamedTuple):
    """What one write is given, see `Journal.write`; a ``header`` of None leaves the one that is there."""

    trials: Iterable[TrialRow] = ()
    scalars: Iterable[Scalar] = ()
    outputs: Iterable[Output] = ()
    events: Sequence[Mapping[str, Any]] = ()
    header: object = None


class Links(NamedTuple):
    """What the next row of a trial builds on: its state, the key of its newest reports, whether it has a log."""

    state: int
    curve: int
    has_output: bool


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows of one write.

    Parameters
    ----------
    totals
        What the journal holds after it.
    links
        Trial number to links, for each trial of the write.
    metrics
        New pairs of title and series to the numbers that stand for them.
    rows
        For each statement that stores rows, the rows.
    """

    totals: Totals
    links: Mapping[int, Links]
    metrics: Mapping[tuple[str, str], int]
    rows: Sequence[tuple[str, Sequence[tuple[Any, ...]]]]

    def store(self, connection: sqlite3.Connection) -> None:
        """Write the rows, inside a transaction."""
        for statement, rows in self.rows:
            connection.executemany(statement, rows)


class BatchMaker:
    """Encodes one write.

    Parameters
    ----------
    totals
        What the journal holds before it.
    find
        Reads trials that the journal holds, by number.
    links
        Links of trials that are known without reading.
    metrics
        Numbers of all titles and series.
    """

    def __init__(
        self,
        totals: Totals,
        find: Callable[[Sequence[int]], Mapping[int, StoredTrial]],
        links: Mapping[int, Links],
        metrics: Mapping[tuple[str, str], int],
    ) -> None:
        self._totals = totals
        self._sequence = totals.sequence + 1
        self._find = find
        self._links = links
        self._metrics = metrics
        self._new_metrics: dict[tuple[str, str], int] = {}

    def make(self, given: Given) -> Batch:
        """Encode what a write is given; raises a TypeError or ValueError for what is not of the form that it needs."""
        trials, scalars, outputs, events, header = given
        totals, sequence = self._totals, self._sequence
        rows = {row.number: row for row in trials}
        curves: dict[int, list[Any]] = {}
        for number, title, series, value, iteration in scalars:
            metric = self._metrics.get((title, series)) or self._metric(title, series)
            curve = curves.setdefault(number, [])
            curve += (metric, float(value), iteration if iteration is None else int(iteration))
        logs = {number: [None if text is None else printable(text) for text in texts] for number, *texts in outputs}
        former = self._former(rows, curves.keys() | logs.keys())
        links: dict[int, Links] = {}
        scalar_rows: list[tuple[int, str, int]] = []
        records = []
        states = list(totals.states)
        num_new_logs = 0
        for number, row in rows.items():
            state, curve_key, has_output = int(row.state), 0, False
            if not 0 <= state < len(states):
                raise ValueError(f"Trial {number} has the unknown state {state}.")
            states[state] += 1
            if number in former:
                old_state, curve_key, has_output = former[number]
                states[old_state] -= 1
            curve = curves.get(number, [])
            for begin in range(0, len(curve), 3 * _REPORTS_A_ROW):
                key = totals.scalars + 1 + len(scalar_rows)
                scalar_rows.append(encode_row(SCALARS, key, [curve_key, *curve[begin : begin + 3 * _REPORTS_A_ROW]]))
                curve_key = key
            if number in logs and not has_output:
                has_output = True
                num_new_logs += 1
            links[number] = Links(state, curve_key, has_output)
            records.append(encode_trial(StoredTrial(row, sequence, curve_key, has_output)))
        after = Totals(
            sequence,
            tuple(states),
            max(totals.highest, *rows) if rows else totals.highest,
            totals.metrics + len(self._new_metrics),
            totals.scalars + len(scalar_rows),
            totals.outputs + num_new_logs,
            totals.events + bool(events),
        )
        _check_numbers(rows, after)
        stored: list[tuple[str, Sequence[tuple[Any, ...]]]] = [(_PUT_TRIAL, records)]
        if header is not None:
            stored.append((_PUT_HEADER, [encode_row(HEADER, 1, header)]))
        if self._new_metrics:
            new = [encode_row(METRICS, key, pair) for pair, key in self._new_metrics.items()]
            stored.append((_ADD_METRIC, new))
        if curves:
            stored.append((_ADD_SCALARS, scalar_rows))
        if logs:
            stored.append((_PUT_OUTPUT, [encode_row(OUTPUTS, number, texts) for number, texts in logs.items()]))
        if events:
            stored.append((_ADD_EVENTS, [encode_row(EVENTS, sequence, [after.events, *map(_event, events)])]))
        stored.append((_ADD_WRITE, [encode_row(WRITES, sequence, list(rows))]))
        return Batch(after, links, self._new_metrics, stored)

    def _metric(self, title: str, series: str) -> int:
        """Return the number of a title and series that may be new."""
        pair = (printable(title), printable(series))
        metric = self._metrics.get(pair) or self._new_metrics.get(pair)
        if metric is None:
            metric = self._new_metrics[pair] = self._totals.metrics + len(self._new_metrics) + 1
        return metric

    def _former(self, rows: dict[int, TrialRow], reporting: AbstractSet[int]) -> dict[int, Links]:
        """Return the links of all trials of this write that are in the journal.

        Trials that report without being given are added to ``rows`` as they are.
        """
        highest = self._totals.highest
        former = {}
        unknown = []
        for number in rows:
            links = self._links.get(number)
            if links is not None:
                former[number] = links
            elif number <= highest:
                unknown.append(number)
        others = reporting - rows.keys()
        if unknown or others:
            for number, found in self._find([*unknown, *others]).items():
                former[number] = Links(found.row.state, found.curve, found.has_output)
                if number in others:
                    rows[number] = found.row
            missing = sorted(others - rows.keys())
            if missing:
                raise ValueError(
                    f"Reports and logs belong to a trial, and there is no trial {missing[0]} in this journal."
                )
        return former


def _check_numbers(rows: Mapping[int, TrialRow], after: Totals) -> None:
    """Refuse trials of numbers that a journal does not hold."""
    lowest = min(rows, default=0)
    if lowest < 0 or after.highest - after.trials > MOST_GAPS or after.trials > MOST_TRIALS:
        raise ValueError(
            f"A journal numbers trials from 0, holds at most {MOST_TRIALS:,}, and leaves at most {MOST_GAPS:,} numbers "
            f"out; got trial {lowest if lowest < 0 else after.highest}."
        )


def fits_in_event(value: object) -> bool:
    """Whether an event may hold this: the events of a write share a row, so each has half of it at most."""
    return len(encode(value)) <= connecting.MOST_BYTES // 2


def _event(event: Mapping[str, Any]) -> tuple[float, str, dict[str, Any]]:
    """Split an event into its time, its kind and the rest."""
    data = dict(event)
    kind = data.pop("kind", None)
    if not isinstance(kind, str):
        raise ValueError(f"An event of a journal needs a kind (text), got {event!r}.")  # noqa: TRY004 -- a missing key
    if "sequence" in data:
        raise ValueError(f"An event's sequence is given by the journal; rename that key of {event!r}.")
    at = data.pop("at", None)
    at = time.time() if at is None else float(at)
    if not abs(at) <= LATEST:
        raise ValueError(f"An event has a time in Unix seconds, got {event!r}.")
    return at, kind, data
