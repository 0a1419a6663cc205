"""Writes every change of a search to the journal, and shows it only then.

The controller hands over rows, scalars, outputs and events as they happen; `flush` writes them as
one journal transaction and only then shows them: columns, ranking, callbacks, subscribers. So
whatever somebody has seen survives the death of the kernel.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hpo_widgets.journal import Journal, JournalBusy, JournalDamaged, JournalError
from hpo_widgets.strategies.base import Observation
from hpo_widgets.trials import TrialState
from hpo_widgets.trials.columns import TrialStore
from hpo_widgets.viewer.trial_reader import TrialReader

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from hpo_widgets.controller.state import RestoredTrials
    from hpo_widgets.journal import Owner
    from hpo_widgets.objectives import Objective
    from hpo_widgets.search import RemoteSource
    from hpo_widgets.space import Space
    from hpo_widgets.trials import Remark, Trial, TrialRow

_FLUSH_SECONDS = 0.005
"""Seconds that a change waits at most for further ones, so that one commit serves several."""

_REST_SECONDS = 0.01
"""Seconds after the last commit from which on a change does not wait: further ones are not to be expected soon."""

_LOCK_SECONDS = 0.02
"""Seconds that a write waits for another program's lock before the search goes on; it is tried again later."""

RETRY_SECONDS = 0.1
"""Seconds after which a write that met a lock is tried again."""

LOCK_NOTICE_SECONDS = 1.0
"""Seconds after which people are told of a lock that still lasts."""

MOST_REPORTS = 200_000
"""Reports of earlier trials, about, that are read for a pruner before the first point."""

FLUSH_ROWS = 256
"""Changed rows that are flushed without waiting for `_FLUSH_SECONDS`."""


class Recorder:
    """Keeps the journal of one search, and the columns that are shown of it, in step.

    Used by the controller's thread, or, while none runs, by the thread that holds the controller's
    gate; `trial`, `owner`, `curves`, ``run`` and ``shown`` may be used from any.

    Parameters
    ----------
    path
        Where the journal is or will be; `open_journal` makes the file.
    header
        What the journal's first page says of the search (JSON values).
    save_top_k
        Archive ended trials beyond the top k; 0 or less keeps all.
    remote
        Reads the curves and logs of trials that run as jobs of a server.
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
        remote: RemoteSource | None = None,
    ) -> None:
        self.search_id = search_id
        self.path = path
        self.header = header
        self.shown = TrialStore(space, objectives)
        self._first = objectives[0].title, objectives[0].series
        self.reader = TrialReader(path, search_id, space, objectives, remote, self.shown.columns.remark)
        self._save_top_k = save_top_k
        self._kept: set[int] = set()
        self._not_archived: list[TrialRow] = []
        """Ended trials of which is not durable yet whether they are archived."""
        self._journal: Journal | None = None
        self._has_owned = False
        """Whether this process has owned the journal, and so has read all of it or written it."""
        self.run: str | None = None
        """Identifies the present or last run of this process; None before the first."""
        self._sequence: int | None = None
        """The journal's last sequence number known here; a different one shows that it was continued elsewhere."""
        self._jobs: dict[int, str] = {}
        """Trial number to the id that its job has where it runs."""
        self._rows: dict[int, TrialRow] = {}
        self._ended: list[TrialRow] = []
        self._scalars: list[tuple[int, str, str, float, int]] = []
        self._outputs: list[tuple[int, str, str, str]] = []
        self._events: list[dict[str, Any]] = []
        self._remarks: dict[int, Remark] = {}
        """What people have said about trials that is not durable yet."""
        self.due: float | None = None
        """When the next flush is due (``time.monotonic``); None: nothing waits to be written."""
        self._flushed_at = -math.inf
        self.locked_since: float | None = None
        """``time.monotonic()`` since which another program's lock keeps a run from writing; None: none does."""
        self._has_lock_notice = False
        self._num_written_again = 0
        """How often people were told that the open journal was written again."""
        self.on_notice: Callable[[str], None] | None = None
        """Called with a sentence on what happened to the journal: a lock that lasts, a file that was gone."""
        self.on_ended: Callable[[TrialRow, int | None], None] | None = None
        """Called in order for each ended row once it is durable, with the best number then."""

    def change(self, row: TrialRow) -> None:
        """Write a row with the next flush."""
        self._rows[row.number] = row
        if row.job is not None:
            self._jobs[row.number] = row.job
        if self.due is None:
            self._make_due()
        elif len(self._rows) >= FLUSH_ROWS and self.locked_since is None:
            self.due = 0.0

    def _make_due(self) -> None:
        """Plan the flush of a first change."""
        now = time.monotonic()
        self.due = now if now - self._flushed_at >= _REST_SECONDS else now + _FLUSH_SECONDS

    def job_of(self, number: int) -> str | None:
        """The id that a trial's job has where it runs; None on this machine."""
        return self._jobs.get(number)

    def owner(self) -> Owner | None:
        """The journal's owner, with the present time as its heartbeat; None: this process does not own it now."""
        journal = self._journal
        return None if journal is None else replace(journal.owner, heartbeat=time.time())

    def ended(self, row: TrialRow) -> None:
        """Write a trial's last row with the next flush; ranking and callbacks follow once it is durable."""
        self._ended.append(row)
        self.change(row)

    def withdraw(self, numbers: Collection[int]) -> bool:
        """Forget the ended rows of new trials, with their remarks; False: they are durable already."""
        if not self._rows.keys() >= set(numbers):
            return False
        for number in numbers:
            del self._rows[number]
            self._remarks.pop(number, None)
        self._ended = [row for row in self._ended if row.number not in numbers]
        self._events = [event for event in self._events if event.get("number") not in numbers]
        return True

    def scalar(self, number: int, title: str, series: str, value: float, iteration: int) -> None:
        """Write one report with the next flush, which the caller makes due by `change` for the trial's row.

        Parameters
        ----------
        number
            The trial's number.
        title, series
            Names of the scalar.
        value
            The reported value.
        iteration
            The reported iteration.
        """
        self._scalars.append((number, title, series, value, iteration))

    def output(self, number: int, stdout: str, stderr: str, traceback: str) -> None:
        """Write a trial's log with the next flush.

        Parameters
        ----------
        number
            The trial's number.
        stdout, stderr
            What it printed, cut to its first and last 16 kB each.
        traceback
            The traceback of the exception that ended it; empty without one.
        """
        self._outputs.append((number, stdout, stderr, traceback))

    def event(self, kind: str, **data: Any) -> None:
        """Write, with the next flush, something that happened to the search itself.

        Parameters
        ----------
        kind
            What happened: ``"start"``, ``"end"``, ``"set_ranges"``, ``"settings"``, ``"notice"`` and so on.
        **data
            Its fields, in JSON values.
        """
        self._events.append({"kind": kind, "at": time.time(), **data})
        if self.due is None:
            self._make_due()

    def remark_of(self, number: int) -> Remark:
        """What people have said about a trial, durable or not."""
        return self._remarks.get(number, self.shown.columns.remark(number))

    def remark(self, number: int, **changes: Any) -> Remark:
        """Write a trial's note or tags with the next flush.

        Parameters
        ----------
        number
            The trial's number.
        **changes
            ``note`` or ``tags``.

        Returns
        -------
        Remark
            Note and tags before the change.
        """
        before = self.remark_of(number)
        self._remarks[number] = replace(before, **changes)
        for name, value in changes.items():
            self.event(f"set_{name}", number=number, **{name: value})
        return before

    def set_left_out(self, numbers: Sequence[int], *, left_out: bool) -> bool:
        """Leave trials out with the next flush, or take them back, all by one event.

        Parameters
        ----------
        numbers
            Numbers of trials that have ended.
        left_out
            Whether they are left out from then on.

        Returns
        -------
        bool
            False: all of them were so already.
        """
        before = {number: self.remark_of(number) for number in numbers}
        changed = {number: remark for number, remark in before.items() if remark.left_out != left_out}
        if changed:
            self._remarks |= {number: replace(remark, left_out=left_out) for number, remark in changed.items()}
            self.event("leave_out" if left_out else "take_back", numbers=list(changed))
        return bool(changed)

    def flush(self) -> None:
        """Write all that waits, then show it. After a `JournalError` it waits for the next flush.

        During a run another program's lock raises no error: all waits, and `locked_since` says since when.
        """
        self.due = None
        rows = list(self._rows.values())
        if self._journal is not None:  # also where nothing waits, so that a lock is known
            try:
                self._write(self._journal, rows)
            except JournalBusy:
                self._wait_for_lock()
                return
            self._notify_if_written_again(self._journal)
        elif rows or (self._sequence is not None and (self._events or self._outputs or self._scalars)):
            # A change to a search that does not run: its journal is opened for just that.
            with closing(self._opened(whole=not self._has_owned)) as journal:
                self._write(journal, rows)
                self._sequence = journal.sequence
        # Before the first trial nothing is worth a file; the events wait for it.
        self.locked_since = None
        self._flushed_at = time.monotonic()
        self.shown.notify()

    def _notify_if_written_again(self, journal: Journal) -> None:
        if journal.num_written_again > self._num_written_again and self.on_notice is not None:
            self._num_written_again = journal.num_written_again
            self.on_notice(f"{self.path} was deleted or moved; all of it was written there again, nothing is lost")

    def _wait_for_lock(self) -> None:
        """Plan the next try, and tell people of a lock that lasts."""
        now = time.monotonic()
        self.due = now + RETRY_SECONDS
        if self.locked_since is None:
            self.locked_since, self._has_lock_notice = now, False
        elif not self._has_lock_notice and now - self.locked_since > LOCK_NOTICE_SECONDS and self.on_notice is not None:
            self._has_lock_notice = True
            self.on_notice(
                f"another program holds {self.path} locked (a backup, a database browser?): until it releases it, no "
                "trial is launched and no result is shown; nothing is lost"
            )

    def _write(self, journal: Journal, rows: list[TrialRow]) -> None:
        try:
            journal.write(rows, self._scalars, self._outputs, self._events)
        except Exception:
            self.due = time.monotonic() + 1.0
            raise
        ended = self._ended
        if self._save_top_k > 0:
            self._not_archived += ended
        self._rows = {}
        self._ended, self._scalars, self._outputs, self._events = [], [], [], []
        shown = self.shown
        shown.put(rows)
        has_other_top = shown.set_remarks(self._remarks) and self._save_top_k > 0
        self._remarks = {}
        ended_numbers = {row.number for row in ended}
        shown.rank_all(row for row in rows if row.values is not None and row.number not in ended_numbers)
        on_ended = self.on_ended
        for row in ended:
            best = shown.rank(row)
            if on_ended is not None:
                on_ended(row, best)
        if self._not_archived or has_other_top:
            self._archive(journal, self._not_archived)
            self._not_archived = []

    def _archive(self, journal: Journal, ended: Sequence[TrialRow]) -> None:
        """Archive ended trials that left the top k, and bring back those that entered it."""
        columns = self.shown.columns
        top = set(self.shown.top(self._save_top_k, self.shown.has_ended))
        risen = sorted(top - self._kept)
        fallen = sorted((self._kept | {row.number for row in ended}) - top)
        self._kept |= set(fallen)  # until it is written
        is_archived = columns.archived(risen + fallen)
        for numbers, archived in ((risen, False), (fallen, True)):
            changed = [number for number in numbers if is_archived[number] != archived]
            if changed:
                journal.set_archived(changed, archived=archived)
                columns.set_archived(changed, archived)
        self._kept = top

    def open_journal(self) -> None:
        """Create the journal, or open it again; a `JournalError` is raised before any trial runs."""
        if self._journal is not None:
            return
        self._journal = self._opened()
        self._journal.set_busy_timeout(_LOCK_SECONDS)
        self._num_written_again = 0
        self.locked_since = None
        self.run = self._journal.owner.token

    def _opened(self, *, whole: bool = True) -> Journal:
        """Create the journal, or own it again unless somebody has continued it; with ``whole`` all of it is read."""
        if self._sequence is None:
            journal = Journal.create(self.path, self.search_id, self.header)
            self._has_owned = True
            self._sequence = journal.sequence  # also where the first write fails: the file is there
            return journal
        journal = Journal.open(self.path, whole=whole)
        if journal.sequence != self._sequence:
            journal.close()
            msg = (
                f"{self.path} was continued elsewhere since this search ended here; "
                "open it again (HyperParameterOptimizer.open) to continue with all of its trials"
            )
            raise JournalError(msg)
        self._has_owned = True
        return journal

    def load(self, past: RestoredTrials) -> None:
        """Show all trials of a journal that is continued."""
        self._sequence = past.sequence
        self._jobs.update(past.jobs)
        self.shown.load(past.columns)
        self.shown.set_remarks(past.journal_state.remarks)
        if self._save_top_k > 0:
            # Not the top: it may be of another size now, and a kill may have come before the last change was written.
            shown = (past.columns["state"] >= TrialState.COMPLETED) & ~past.columns["archived"]
            self._kept = set(past.columns["number"][shown].tolist())

    def heartbeat(self) -> None:
        """Renew the lease that names this process the journal's owner."""
        if self._journal is not None:
            with suppress(JournalBusy):  # the same lock keeps other processes from taking the lease
                self._journal.heartbeat()
            self._notify_if_written_again(self._journal)

    def close_journal(self) -> None:
        """Give the lease back and close the files; `open_journal` takes them up again.

        Raises `JournalError` when the journal was deleted or replaced and cannot be written again.
        """
        self.reader.close()
        journal, self._journal = self._journal, None
        if journal is not None:
            self._sequence = journal.sequence
            journal.close()

    def trial(self, number: int) -> Trial:
        """One trial as the journal has it; ``IndexError`` when there is none of that number."""
        self.shown.columns.state_of(number)
        return self.reader.trial(number)

    def unwritten_ends(self) -> list[TrialRow]:
        """Rows of ended trials that a lock has kept from the journal so far."""
        return list(self._ended)

    def ended_rows(self) -> list[TrialRow]:
        """All durable rows of ended trials as they are shown, in the order of their numbers."""
        if not self.path.exists():
            return []
        with closing(Journal.view(self.path)) as reader:
            _, rows = reader.trials()
        ended = [row.remarked(self.remark_of(row.number)) for row in rows if TrialState(row.state).has_ended]
        return sorted(ended, key=lambda row: row.number)

    def curves(self, numbers: Sequence[int]) -> dict[int, dict[int, float]]:
        """What trials have reported of the first objective, as the journal has it: number to iteration to value.

        Of several values for an iteration the first counts, as it does for the pruner of a trial that runs. Once
        `MOST_REPORTS` were read, of all metrics, the trials before those have none; nor have those whose reports are
        damaged.
        """
        found: dict[int, dict[int, float]] = {}
        num_read = 0
        if not numbers or not self.path.exists():
            return found
        with closing(Journal.view(self.path)) as reader:
            for number in reversed(numbers):
                if num_read >= MOST_REPORTS:
                    break
                with suppress(JournalDamaged):
                    reports = reader.scalars(number)
                    num_read += len(reports)
                    curve = found[number] = {}
                    for title, series, value, iteration in reports:
                        if (title, series) == self._first and (at := iteration or 0) >= 0:
                            curve.setdefault(at, value)
        return found


class RecordedHistory(Sequence[Observation]):
    """All ended trials but those that are left out, as observations; the journal is read when a strategy looks.

    Random and grid never do, so a change of range costs them nothing however many trials there are.
    """

    def __init__(self, recorder: Recorder, space: Space, num_numbered: int, active: frozenset[int]) -> None:
        self._recorder = recorder
        self._unwritten = recorder.unwritten_ends()
        self._space = space
        # Trials that end later are told one by one; the history must not hold them too.
        self._later = active
        self._end = num_numbered
        self._observations: list[Observation] | None = None

    def __len__(self) -> int:
        return len(self._load())

    def __getitem__(self, index: Any) -> Any:
        return self._load()[index]

    def __iter__(self) -> Iterator[Observation]:
        return iter(self._load())

    def _load(self) -> list[Observation]:
        if self._observations is None:
            if self._recorder.locked_since is not None:  # else the controller's thread might wait for it for seconds
                raise JournalBusy(f"another program holds {self._recorder.path} locked")
            rows = {row.number: row for row in self._recorder.ended_rows()}
            rows |= {row.number: row for row in self._unwritten}
            self._observations = [
                Observation.of(row, self._space)
                for number, row in sorted(rows.items())
                if number < self._end and number not in self._later and row.state != TrialState.LEFT_OUT
            ]
        return self._observations
