"""The table of the top trials and the newest failed ones, sortable, with rows to select.

It is a real ``<table>`` in a small browser module of its own; why none of the well-kept table widgets is used, and
what they cost, is told in ``docs/architecture.md``. Each row is a trait of its own and a trial keeps its trait as long
as it is shown: a trial that enters the top sends its own row and the new order, and a trial that does not enter it
sends nothing.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets as t

from hpo_widgets.trials import TrialState
from hpo_widgets.widget import text
from hpo_widgets.widget.assets import asset
from hpo_widgets.widget.parts.part import ViewPart
from hpo_widgets.widget.traits import PositiveInt, TrialNumbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hpo_widgets.search import Search
    from hpo_widgets.space import Space
    from hpo_widgets.trials import Trial
    from hpo_widgets.trials.columns import Rows
    from hpo_widgets.widget.sync.refresher import Refresher, Update

MOST_ROWS = 100
"""Rows of the top that are shown at most, however large ``top_k`` is."""
_NUM_FAILED = 3
_NUM_SCALARS = 4


class TrialTable(ViewPart):
    """The ``top_k`` best trials of a search, best first, and below them its three newest failed ones.

    A selected trial that is neither has a row between the two, which says so: what plots show as selected is
    found here. Columns: trial, objectives, up to four other scalars (last value), parameters, time, state. A click on a
    heading sorts, a click on a row selects its trial.

    Parameters
    ----------
    search
        The search to show.
    **traits
        First values of ``selected`` and ``top_k``.

    Examples
    --------
    >>> TrialTable(optimizer, top_k=5)  # doctest: +SKIP
    """

    _esm = asset("table.js")
    _css = asset("table.css")

    selected = TrialNumbers(help="Two-way. Numbers of the selected trials.").tag(sync=True, two_way=True)
    top_k = PositiveInt(10, help="Two-way. How many trials count as the top; the table shows 100 at most.").tag(
        sync=True, two_way=True
    )
    columns = t.List(t.Dict(), help="Heading and kind of each column.").tag(sync=True)
    order = t.List(t.Int(), help="The rows from top to bottom: n is the trait `row_n`.").tag(sync=True)
    note = t.Unicode(help="What a person should know of the rows that are not there.").tag(sync=True)
    commands = t.Dict(help="Command to None when it can be done now, else to the sentence that says why not.").tag(
        sync=True
    )

    def __init__(self, search: Search, *, refresher: Refresher | None = None, **traits: object) -> None:
        self._slots: list[int | None] = []
        self._scalars: list[str] = []
        self._failed: list[int] = []
        self._beyond: list[int] = []
        self._worst = math.nan
        self._is_stale = True
        super().__init__(search, refresher=refresher, **traits)
        self.observe(self._on_top_k, "top_k")
        self.observe(self._on_selected, "selected")

    def refresh(self, update: Update) -> None:
        """Show the top again when it may have changed."""
        search = update.search
        with self.hold_sync():
            self.commands = {"select": None, "retry": search.capabilities.get("retry")}
            if self._may_change(search, update.rows):
                self._is_stale = False
                self._show(search)

    def _may_change(self, search: Search, rows: Rows) -> bool:
        """Whether these rows can change what is shown; keeps the newest failed ones."""
        failed = rows.state == TrialState.FAILED
        known = set(self._failed) - set(rows.numbers.tolist())
        newest = sorted(known | set(rows.numbers[failed][-_NUM_FAILED:].tolist()))[-_NUM_FAILED:]
        if newest != self._failed:
            self._failed, self._is_stale = newest, True
        if self._is_stale or len(rows) == 0:
            return self._is_stale
        shown = [number for number in self._slots if number is not None]
        if np.isin(rows.numbers, shown).any():
            return True
        # An order of several objectives, or a top with room, takes any value.
        values = rows.values[~failed, 0]
        if len(search.objectives) > 1 or math.isnan(self._worst):
            return not bool(np.isnan(rows.values[~failed]).all())
        better = values <= self._worst if search.objectives[0].minimise else values >= self._worst
        return bool(better.any())

    def _show(self, search: Search) -> None:
        wanted = min(self.top_k, MOST_ROWS)
        top = list(search.top(wanted))
        failed = [search.trial(number) for number in reversed(self._failed)]
        self._worst = math.nan if len(top) < wanted or top[-1].value is None else top[-1].value
        shown = {trial.number for trial in top}
        self._beyond, num_left_out = self._selected_beyond(shown | set(self._failed))
        beyond = [search.trial(number) for number in self._beyond]
        trials = top + beyond + [trial for trial in failed if trial.number not in shown]
        best = search.best_trial
        self._find_scalars(search, trials)
        names = tuple(search.space.names)
        self.columns = self._columns(search, names)
        self._assign([trial.number for trial in trials])
        for trial in trials:
            is_best = best is not None and best.number == trial.number
            row = {"number": trial.number, **self._row(search, trial, names), "is_best": is_best}
            if trial.number in self._beyond and trial.state is not TrialState.FAILED:
                row["note"] = f"not among the top {wanted}"
            self.set_trait(f"row_{self._slots.index(trial.number)}", row)
        self.order = [self._slots.index(trial.number) for trial in trials]
        self.note = self._note(num_left_out)

    def _selected_beyond(self, shown: set[int]) -> tuple[list[int], int]:
        """Selected trials without a row, the last ones where there are too many, and the number of the others."""
        beyond = [number for number in self.selected if number not in shown]
        room = max(0, MOST_ROWS - len(shown))
        kept = beyond[len(beyond) - room :] if len(beyond) > room else beyond
        return kept, len(beyond) - len(kept)

    def _note(self, num_left_out: int) -> str:
        sentences = []
        if self.top_k > MOST_ROWS:
            sentences.append(f"The first {MOST_ROWS} of the top {self.top_k} are shown.")
        if num_left_out:
            sentences.append(
                f"{num_left_out} more selected {'trial has' if num_left_out == 1 else 'trials have'} no row."
            )
        return " ".join(sentences)

    def _find_scalars(self, search: Search, trials: Sequence[Trial]) -> None:
        """Give a column to scalars beside the objectives; one that is there stays."""
        taken = {one.key for one in search.objectives}
        for trial in trials:
            for key in trial.summary:
                if len(self._scalars) < _NUM_SCALARS and key not in taken and key not in self._scalars:
                    self._scalars.append(key)

    def _assign(self, numbers: list[int]) -> None:
        """Give each trial a slot, the one it has when it has one."""
        self._slots = [number if number in numbers else None for number in self._slots]
        for number in numbers:
            if number in self._slots:
                continue
            if None in self._slots:
                self._slots[self._slots.index(None)] = number
            else:
                self._slots.append(number)
        new = [f"row_{slot}" for slot in range(len(self._slots)) if not self.has_trait(f"row_{slot}")]
        if new:
            self.add_traits(**{name: t.Dict(help="One row.").tag(sync=True) for name in new})

    def _columns(self, search: Search, names: tuple[str, ...]) -> list[dict[str, Any]]:
        columns = [_column("trial", "trial")]
        columns += [_column("number", text.axis(one)) for one in search.objectives]
        labels = text.labels(self._scalars).values()
        columns += [_column("number", label, key) for key, label in zip(self._scalars, labels, strict=True)]
        for name, label in text.labels(names).items():
            kind = "number" if _is_numeric(search.space, name) else "text"
            columns.append(_column(kind, label, name))
        return [*columns, _column("seconds", "time"), _column("state", "state")]

    def _row(self, search: Search, trial: Trial, names: tuple[str, ...]) -> dict[str, Any]:
        return {
            "cells": [
                f"#{trial.number}",
                *(text.number(value) for value in trial.values),
                *(text.number(float(trial.summary[key][0]) if key in trial.summary else None) for key in self._scalars),
                *(text.parameter(search.space, trial, name) for name in names),
                text.seconds(trial.duration),
                trial.state.label,
            ],
            "seconds": trial.duration if math.isfinite(trial.duration) else None,
            "error": text.tail(trial.error or "", 300) if trial.state is TrialState.FAILED else "",
        }

    def _on_top_k(self, _change: object) -> None:
        self._is_stale = True
        self._refresher.poke()

    def _on_selected(self, _change: object) -> None:
        shown = {number for number in self._slots if number is not None}
        beyond, _ = self._selected_beyond(shown - set(self._beyond))
        if set(beyond) != set(self._beyond):
            self._is_stale = True
            self._refresher.poke()

    def _on_select(self, content: dict[str, object]) -> None:
        self._set("selected", content.get("numbers"))

    def _on_top(self, content: dict[str, object]) -> None:
        self._set("top_k", content.get("value"))

    def _set(self, name: str, value: Any) -> None:
        """Set a trait to what a page has sent, or say why it stays as it is."""
        try:
            self.set_trait(name, value)
        except t.TraitError as error:
            self._refuse(str(error))

    def _on_retry(self, content: dict[str, object]) -> None:
        number = content.get("number")
        if type(number) is int and number in self._slots:
            self.search.command("retry", number)


def _is_numeric(space: Space, name: str) -> bool:
    """Whether the values of a parameter, of a choice too, are numbers, which stand and sort as such."""
    leaf: Any = space.leaf(name)
    return leaf.kind != "choice" or all(
        isinstance(choice, (int, float)) and not isinstance(choice, bool) for choice in leaf.declared
    )


def _column(kind: str, label: str, name: str = "") -> dict[str, str]:
    return {"kind": kind, "label": label, "name": name or label}
