"""Reads single trials out of a journal, from any thread: parameters, curves, logs."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from hpo_widgets.journal import Journal, JournalError, reported_as_damage
from hpo_widgets.trials import Remark, Trial, TrialState
from hpo_widgets.trials.export import Extra

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from hpo_widgets.journal import JournalReader
    from hpo_widgets.objectives import Objective
    from hpo_widgets.search import RemoteSource
    from hpo_widgets.space import Space
    from hpo_widgets.trials import TrialRow
    from hpo_widgets.trials.columns import Rows


class TrialReader:
    """A journal's trials, one at a time; opens the file on first use.

    One lock guards the connection, which may be used from any thread.

    Parameters
    ----------
    remote
        Reads the curves and logs of trials that run as jobs of a server; None: the journal has them all.
    remark
        Returns what people have said about a trial. Default: nothing.
    """

    def __init__(
        self,
        path: Path,
        search_id: str,
        space: Space,
        objectives: tuple[Objective, ...],
        remote: RemoteSource | None = None,
        remark: Callable[[int], Remark] | None = None,
    ) -> None:
        self._remote = remote
        self._remark = remark or (lambda _number: Remark())
        self.cut_off: Mapping[int, TrialRow] = {}
        """What became of the trials that ran when the process of the search ended, by number: no journal has it."""
        self.path = path
        self._search_id = search_id
        self.space = space
        """Decodes the points; who keeps this reader replaces it when choices were added."""
        self._objectives = objectives
        self._names = {objective.key for objective in objectives}
        self._lock = threading.Lock()
        self._reader: JournalReader | None = None

    def trial(self, number: int) -> Trial:
        """One trial; ``IndexError`` when the journal has none of that number."""
        with self._lock:
            row = self.as_shown(self._open().row(number))
        with reported_as_damage(self.path, f"trial {number}"):
            id_ = row.job or f"{self._search_id}/{row.number}"
            trial = Trial.from_row(row, id_, self.space.decode(row.parameters), self._objectives, self)
        remark = self._remark(number)
        return replace(trial, note=remark.note, tags=remark.tags)

    def as_shown(self, row: TrialRow) -> TrialRow:
        """Return what is shown of a trial, given what the journal has."""
        ended = self.cut_off.get(row.number, row) if row.state == TrialState.RUNNING else row
        return ended.remarked(self._remark(row.number))

    def extras(self, rows: Rows) -> dict[int, Extra]:
        """What an export has of these trials beside their columns, by number.

        Where the journal cannot be read any more, that is said of each that may have an error: an export needs nothing
        else from it.
        """
        try:
            with self._lock:
                found = self._open().extras(rows.numbers.tolist(), self._names) if len(rows) else {}
        except JournalError as error:
            not_known = Extra(f"not known: {error}", {})
            return dict.fromkeys(rows.numbers[rows.state > TrialState.COMPLETED].tolist(), not_known)
        for number in self.cut_off.keys() & set(rows.numbers.tolist()):
            known = found.get(number, Extra(None, {}))
            found[number] = known._replace(error=known.error or self.cut_off[number].error)
        return found

    def scalars(self, number: int) -> list[tuple[str, str, float, int]]:
        """A trial's reports in report order: (title, series, value, iteration)."""
        return self.scalars_after(number, 0)[1]

    def scalars_after(self, number: int, after: int) -> tuple[int, list[tuple[str, str, float, int]]]:
        """What a trial has reported since a key, and the new key; a server gives all reports, with the key 0."""
        job = self._job(number)
        if job is not None and self._remote is not None:
            return 0, list(self._remote.scalars(job))
        with self._lock:
            return self._open().scalars_after(number, after)

    def output(self, number: int) -> tuple[str, str, str]:
        """What a trial printed, and its traceback."""
        job = self._job(number)
        if job is not None and self._remote is not None:
            return self._remote.output(job)
        with self._lock:
            return self._open().output(number)

    def page(self, number: int) -> str | None:
        """Address of the page that a trial's server has for it."""
        job = self._job(number)
        return None if job is None or self._remote is None else self._remote.page(job)

    def _job(self, number: int) -> str | None:
        if self._remote is None:
            return None
        with self._lock:
            return self._open().row(number).job

    def close(self) -> None:
        """Close the file; it is opened again when somebody asks."""
        with self._lock:
            if self._reader is not None:
                self._reader.close()
                self._reader = None

    def _open(self) -> JournalReader:
        if self._reader is None:
            self._reader = Journal.view(self.path)
        return self._reader
