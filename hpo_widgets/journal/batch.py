"""What goes into one transaction of a journal: encoded before it begins, stored while it lasts."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from hpo_widgets.journal.rows import encode_row, encode_trial, printable
from hpo_widgets.journal.schema import EVENTS, HEADER, METRICS, OUTPUTS, SCALARS, WRITES
from hpo_widgets.journal.state import MOST_GAPS, MOST_TRIALS, Totals

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from hpo_widgets.journal.rows import StoredTrial
    from hpo_widgets.trials import TrialRow

Scalar = tuple[int, str, str, float, int | None]
"""A report: number of the trial, title, series, value, iteration."""

Output = tuple[int, str | None, str | None, str | None]
"""A trial's log: number of the trial, stdout, stderr, traceback."""


class Links(NamedTuple):
    """What a trial's next row follows from: its state, the key of its newest reports, whether it has a log."""

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
        By number of each trial in it.
    metrics
        Title and series that are new with it, and the numbers that stand for them.
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
            if rows:
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

    def make(
        self,
        trials: Iterable[TrialRow],
        scalars: Iterable[Scalar],
        outputs: Iterable[Output],
        events: Sequence[Mapping[str, Any]],
        header: object = None,
    ) -> Batch:
        """Encode what `Journal.write` and `Journal.set_header` were given.

        Raises
        ------
        TypeError, ValueError
            Something is not JSON, or not what belongs there.
        """
        totals, sequence = self._totals, self._sequence
        rows = {row.number: row for row in trials}
        curves: dict[int, list[Any]] = {}
        for number, title, series, value, iteration in scalars:
            metric = self._metric(title, series)
            curve = curves.setdefault(number, [])
            curve += (metric, float(value), iteration if iteration is None else int(iteration))
        logs = {number: [None if text is None else printable(text) for text in texts] for number, *texts in outputs}
        former = self._former(rows, {*curves, *logs})
        links: dict[int, Links] = {}
        scalar_rows: list[tuple[Any, ...]] = []
        records = []
        states = Counter[int]()
        for number, row in rows.items():
            old = former.get(number)
            state, (curve_key, has_output) = int(row.state), (0, False) if old is None else old[1:]
            if not 0 <= state < len(totals.states):
                raise ValueError(f"Trial {number} has the unknown state {state}.")
            if number in curves:
                key = totals.scalars + 1 + len(scalar_rows)
                scalar_rows.append(encode_row(SCALARS, key, [curve_key, *curves[number]]))
                curve_key = key
            links[number] = Links(state, curve_key, has_output or number in logs)
            records.append(encode_trial(row, sequence, *links[number][1:]))
            states[state] += 1
            if old is not None:
                states[old.state] -= 1
        new_logs = sum(not (number in former and former[number].has_output) for number in logs)
        after = Totals(
            sequence,
            tuple(count + states[state] for state, count in enumerate(totals.states)),
            max(totals.highest, max(rows, default=-1)),
            totals.metrics + len(self._new_metrics),
            totals.scalars + len(scalar_rows),
            totals.outputs + new_logs,
            totals.events + bool(events),
        )
        _check_numbers(rows, after)
        return Batch(
            after,
            links,
            self._new_metrics,
            (
                ("REPLACE INTO header VALUES (?, ?, ?)", [] if header is None else [encode_row(HEADER, 1, header)]),
                ("REPLACE INTO trials VALUES (?, ?, ?, ?)", records),
                (
                    "INSERT INTO metrics VALUES (?, ?, ?)",
                    [encode_row(METRICS, key, pair) for pair, key in self._new_metrics.items()],
                ),
                ("INSERT INTO scalars VALUES (?, ?, ?)", scalar_rows),
                (
                    "REPLACE INTO outputs VALUES (?, ?, ?)",
                    [encode_row(OUTPUTS, number, texts) for number, texts in logs.items()],
                ),
                (
                    "INSERT INTO events VALUES (?, ?, ?)",
                    [encode_row(EVENTS, sequence, [after.events, *map(_event, events)])] if events else [],
                ),
                ("INSERT INTO writes VALUES (?, ?, ?)", [encode_row(WRITES, sequence, list(rows))]),
            ),
        )

    def _metric(self, title: str, series: str) -> int:
        """Return the number of a title and series, a new one when they are new."""
        pair = (title, series)
        metric = self._metrics.get(pair) or self._new_metrics.get(pair)
        if metric is None:
            pair = (printable(title), printable(series))
            metric = self._metrics.get(pair) or self._new_metrics.get(pair)
        if metric is None:
            metric = self._new_metrics[pair] = self._totals.metrics + len(self._new_metrics) + 1
        return metric

    def _former(self, rows: dict[int, TrialRow], reporting: set[int]) -> dict[int, Links]:
        """Return the links of all trials of this write that are in the journal.

        Trials that report without being given are added to ``rows`` as they are.
        """
        highest = self._totals.highest
        former = {number: self._links[number] for number in rows if number in self._links}
        others = reporting - rows.keys()
        unknown = [number for number in {*rows, *others} if number <= highest and number not in former]
        for number, found in (self._find(unknown) if unknown else {}).items():
            former[number] = Links(found.row.state, found.curve, found.has_output)
            if number in others:
                rows[number] = found.row
        missing = sorted(others - rows.keys())
        if missing:
            raise ValueError(f"Reports and logs belong to a trial, and there is no trial {missing[0]} in this journal.")
        return former


def _check_numbers(rows: Mapping[int, TrialRow], after: Totals) -> None:
    """Refuse trials of numbers that a journal does not hold."""
    if min(rows, default=0) < 0 or after.highest - after.trials > MOST_GAPS or after.trials > MOST_TRIALS:
        raise ValueError(
            f"A journal numbers trials from 0, holds at most {MOST_TRIALS:,}, and leaves at most {MOST_GAPS:,} numbers "
            f"out; got trial {after.highest if min(rows) >= 0 else min(rows)}."
        )


def _event(event: Mapping[str, Any]) -> tuple[float, str, dict[str, Any]]:
    """Split an event into its time, its kind and the rest."""
    data = dict(event)
    kind = data.pop("kind", None)
    if not isinstance(kind, str):
        raise ValueError(f"An event of a journal needs a kind (text), got {event!r}.")  # noqa: TRY004 -- a missing key
    if "sequence" in data:
        raise ValueError(f"An event's sequence is given by the journal; rename that key of {event!r}.")
    at = data.pop("at", None)
    return time.time() if at is None else float(at), kind, data
