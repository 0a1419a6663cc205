"""What of a search is durable and shown: every change goes to the journal, then to the columns.

The controller hands over rows, scalars, outputs and events as they happen; `flush` writes them as
one journal transaction and only then shows them: columns, ranking, counts, callbacks, subscribers.
So whatever somebody has seen survives the death of the kernel.
"""

from __future__ import annotations

import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

from hpo_widgets.journal import Journal, JournalError
from hpo_widgets.ranking import Ranking
from hpo_widgets.trial_reader import TrialReader
from hpo_widgets.trials import TrialColumns, TrialState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from hpo_widgets.objectives import Objective
    from hpo_widgets.space import Space
    from hpo_widgets.trials import Changes, Snapshot, Trial, TrialRow

FLUSH_SECONDS = 0.005
"""Changes wait at most this long for company: one commit then serves all of them."""

FLUSH_ROWS = 256
"""So many changed rows are flushed at once, whatever the time."""


class Recorder:
    """Keeps journal, columns and ranking of one search in step.

    Written by the controller's thread (or, while none runs, by the thread that holds the
    controller's gate); `snapshot`, `changes_since`, `trial`, `top` may be called from any thread.

    Parameters
    ----------
    path
        Where the journal is or will be; the file is made by `open_journal`.
    header
        What the journal's first page says of the search (JSON values).
    save_top_k
        Archive ended trials beyond the top k; 0 or less keeps all.
    """

    def __init__(
        self,
        search_id: str,
        path: Path,
        header: dict[str, Any],
        space: Space,
        objectives: tuple[Objective, ...],
        *,
        save_top_k: int = 0,
    ) -> None:
        self.search_id = search_id
        self.path = path
        self.header = header
        self.objectives = objectives
        self.columns = TrialColumns(space.columns, len(objectives))
        self._ranking = Ranking(objectives)
        self._ranking_lock = threading.Lock()
        self._save_top_k = save_top_k
        self._kept: set[int] = set()
        self._journal: Journal | None = None
        self.reader = TrialReader(path, search_id, space, objectives)
        self._rows: dict[int, TrialRow] = {}
        self._ended: list[TrialRow] = []
        self._scalars: list[tuple[int, str, str, float, int]] = []
        self._outputs: list[tuple[int, str, str, str]] = []
        self._events: list[dict[str, Any]] = []
        self._due: float | None = None
        self._subscribers: list[Callable[[], None]] = []
        self.on_ended: Callable[[TrialRow, int | None], None] | None = None
        """Called in order for each ended row once it is durable, with the best number then."""

    # What the controller hands over ------------------------------------------------------------

    @property
    def due(self) -> float | None:
        """When the next flush is due (``time.monotonic``); None: nothing waits."""
        return self._due

    def change(self, row: TrialRow) -> None:
        """Have a row written with the next flush."""
        self._rows[row.number] = row
        if self._due is None:
            self._due = time.monotonic() + FLUSH_SECONDS
        elif len(self._rows) >= FLUSH_ROWS:
            self._due = 0.0

    def ended(self, row: TrialRow) -> None:
        """Have a trial's last row written; what follows from its end follows when it is durable."""
        self._ended.append(row)
        self.change(row)

    def scalar(self, number: int, title: str, series: str, value: float, iteration: int) -> None:
        """Have one report written; the row's own change makes the flush due."""
        self._scalars.append((number, title, series, value, iteration))

    def output(self, number: int, stdout: str, stderr: str, traceback: str) -> None:
        """Have a trial's log written."""
        self._outputs.append((number, stdout, stderr, traceback))

    def event(self, kind: str, **data: Any) -> None:
        """Have something that happened to the search itself written."""
        self._events.append({"kind": kind, "at": time.time(), **data})
        if self._due is None:
            self._due = time.monotonic() + FLUSH_SECONDS

    def flush(self) -> None:
        """Make durable, then show. A `JournalError` leaves everything waiting for the next flush."""
        self._due = None
        if self._journal is None:
            # Before the first start nothing is worth a file; the events wait for it.
            self._notify()
            return
        rows = list(self._rows.values())
        if rows or self._events or self._outputs or self._scalars:
            try:
                self._journal.write(rows, self._scalars, self._outputs, self._events)
            except JournalError:
                self._due = time.monotonic() + 1.0
                raise
            ended = self._ended
            self._rows = {}
            self._ended, self._scalars, self._outputs, self._events = [], [], [], []
            self.columns.put(rows)
            self._rank(rows, ended)
        self._notify()

    def _rank(self, rows: list[TrialRow], ended: list[TrialRow]) -> None:
        """Put values into the ranking, ended trials in the order of their ends."""
        on_ended = self.on_ended
        ended_numbers = {row.number for row in ended}
        with self._ranking_lock:
            for row in rows:
                if row.values is not None and row.number not in ended_numbers:
                    self._put(row)
        for row in ended:
            with self._ranking_lock:
                self._put(row)
                best = self._ranking.best
            if on_ended is not None:
                on_ended(row, best)
        if self._save_top_k > 0 and ended:
            self._archive(ended)

    def _put(self, row: TrialRow) -> None:
        if row.state == TrialState.FAILED or row.values is None or None in row.values:
            self._ranking.discard(row.number)
        else:
            self._ranking.put(row.number, tuple(row.values))  # type: ignore[arg-type]

    def _archive(self, ended: Sequence[TrialRow]) -> None:
        """Hide what fell out of the top k and show what rose into it again."""
        with self._ranking_lock:
            top = set(self._ranking.top(self._save_top_k))
        risen = sorted(top - self._kept)
        fallen = sorted((self._kept | {row.number for row in ended}) - top)
        self._kept = top
        archived = self.columns.archived(risen + fallen)
        changed = [n for n in risen if archived[n]], [n for n in fallen if not archived[n]]
        for numbers, value in zip(changed, (False, True), strict=True):
            if numbers:
                if self._journal is not None:
                    self._journal.set_archived(numbers, archived=value)
                self.columns.set_archived(numbers, value)

    # The journal ------------------------------------------------------------------------------

    @property
    def has_journal(self) -> bool:
        """True while this process owns the open journal."""
        return self._journal is not None

    def open_journal(self) -> None:
        """Make the journal, or take it up again; raises `JournalError` before anything has run."""
        if self._journal is not None:
            return
        if self.path.exists():
            self._journal = Journal.open(self.path)
        else:
            self._journal = Journal.create(self.path, self.search_id, self.header)

    def adopt(self, journal: Journal) -> None:
        """Take over an open journal with all that is in it (a search that is continued)."""
        self._journal = journal
        with closing(Journal.view(self.path)) as reader:
            bulk = reader.columns()
        self.columns.load(bulk)
        values, states = bulk["values"], bulk["state"]
        with self._ranking_lock:
            for number, value, state in zip(
                bulk["number"].tolist(), values.tolist(), states.tolist(), strict=True
            ):
                if state != TrialState.FAILED and None not in value:
                    self._ranking.put(number, tuple(value))
            if self._save_top_k > 0:
                self._kept = set(self._ranking.top(self._save_top_k))

    def heartbeat(self) -> None:
        """Renew the lease that names this process the journal's owner."""
        if self._journal is not None:
            self._journal.heartbeat()

    def close(self) -> None:
        """Give the lease back and close the journal's files; reading opens them again."""
        self.reader.close()
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    # What is shown ------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """All trials as columns."""
        return self.columns.snapshot()

    def changes_since(self, version: int) -> Changes:
        """The trials that changed after ``version``."""
        return self.columns.changes_since(version)

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` after each flush; returns the function that ends it."""
        self._subscribers = [*self._subscribers, callback]

        def unsubscribe() -> None:
            self._subscribers = [other for other in self._subscribers if other is not callback]

        return unsubscribe

    def notify(self) -> None:
        """Tell subscribers of a change that needs no journal (status, limits)."""
        self._notify()

    def _notify(self) -> None:
        for callback in self._subscribers:
            callback()

    def top(self, k: int, accept: Callable[[int], bool] | None = None) -> list[int]:
        """Numbers of the k best trials, best first."""
        with self._ranking_lock:
            return list(self._ranking.top(k, accept))

    def trial(self, number: int) -> Trial:
        """One trial as the journal has it; ``IndexError`` when there is none of that number."""
        self.columns.state_of(number)
        return self.reader.trial(number)

    def ended_rows(self) -> list[TrialRow]:
        """All durable rows of ended trials, in the order of their numbers."""
        if not self.path.exists():
            return []
        with closing(Journal.view(self.path)) as reader:
            _, rows = reader.trials()
        ended = [row for row in rows if TrialState(row.state).has_ended]
        return sorted(ended, key=lambda row: row.number)
