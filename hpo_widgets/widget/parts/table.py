"""The table of trials, the top ones or all, sortable, with rows to select.

It is a real ``<table>`` in a small browser module of its own; why none of the well-kept table widgets is used, and
what they cost, is told in ``docs/architecture.md``. Each row is a trait of its own and a trial keeps its trait as long
as it is shown: a trial that enters the top sends its own row and the new order, and a trial that does not enter it
sends nothing. Of all trials one page is sent: they are sorted in the kernel, from columns.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import traitlets as t

from hpo_widgets._messages import near_match, run_in_thread
from hpo_widgets.objectives import MONITOR
from hpo_widgets.objectives.ranking import Ranking
from hpo_widgets.search import Replays
from hpo_widgets.search.limits import SECONDS_A_MINUTE
from hpo_widgets.trials import TrialState
from hpo_widgets.trials.columns import Front
from hpo_widgets.widget import text
from hpo_widgets.widget.assets import asset
from hpo_widgets.widget.parts.part import ViewPart, clicked
from hpo_widgets.widget.traits import FilterTrait, PositiveInt, TrialNumbers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from concurrent.futures import Future

    import numpy.typing as npt

    from hpo_widgets.search import Search
    from hpo_widgets.space import Space
    from hpo_widgets.trials import Trial
    from hpo_widgets.trials.columns import Rows
    from hpo_widgets.widget.sync.refresher import Refresher, Update

    Numbers = npt.NDArray[np.int64]

MOST_ROWS = 100
"""Rows of the top that are shown at most, however large ``top_k`` is."""
PAGE_ROWS = 25
"""Rows of a page of all trials."""
_NUM_FAILED = 3
_NONE_PASSES = "No trial passes the filter."
_NUM_SCALARS = 4
_DIGITS, _MOST_DIGITS = 4, 7
"""Significant digits of objectives and other scalars, and those up to which more tell the rows apart."""
_MOST_AT_ONCE = 200
"""The other scalars of so many trials are read at once, of more on a thread."""
_CHOSEN_BY_A_PAGE = frozenset({"top_k", "shows_all", "sorting"})
_PAUSE_FACTOR = 10
"""Trials are not sorted again before so many times as long as it took has passed."""
_IN_A_HEAD = 26
"""Characters that three lines of a head have room for, which end where words do."""

_REMARKS = ("leave_out", "take_back")

_TIME = -2
"""Where the time is among the cells of a row."""


class _TableColumn(NamedTuple):
    """A column: how it looks, its name, what it says of a trial, and by what all trials are sorted."""

    kind: str
    label: str
    name: str
    cell: Callable[[Trial], str]
    key: Callable[[Rows], np.ndarray]


class TrialTable(ViewPart):
    """The ``top_k`` best trials of a search, best first, and below them its three newest failed ones; or all trials.

    Of the top, a selected trial that is neither has a row between the two, which says so: what plots show as selected
    is found here. All trials come page by page, sorted by any column; without an order the newest come first. Columns:
    trial, objectives, up to four other scalars (last value) that are not just what the trial has returned, parameters,
    time, state; some can be hidden. A click on a heading sorts, a click on a row selects its trial. With several
    objectives no trial is called the best: those on the Pareto front are marked. Several selected trials can be left
    out of the search together, or be taken back.

    Parameters
    ----------
    search
        The search to show.
    **traits
        First values of ``selected``, ``top_k``, ``filter``, ``shows_all``, ``sorting``, ``page`` and ``hidden``.

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
    filter = FilterTrait(help="Two-way. The trials that have a row: a TrialFilter, or a dict of its fields.")
    is_filtered = t.Bool(False, help="Whether the filter leaves trials out.").tag(sync=True)
    shows_all = t.Bool(False, help="Two-way. All trials page by page, not the top alone.").tag(sync=True, two_way=True)
    sorting = t.Dict(
        help="Two-way. Name of the column by which all trials are sorted, and `is_descending`; empty: newest first."
    ).tag(sync=True, two_way=True)
    page = t.Int(0, min=0, help="Two-way. The page of all trials, from 0.").tag(sync=True, two_way=True)
    num_rows = t.Int(0, help="Rows that all pages have together.").tag(sync=True)
    page_rows = t.Int(PAGE_ROWS, help="Rows of a page.").tag(sync=True)
    hidden = t.List(t.Unicode(), help="Two-way. Names of the columns that are not shown.").tag(sync=True, two_way=True)
    columns = t.List(t.Dict(), help="Heading and kind of each column.").tag(sync=True)
    order = t.List(t.Int(), help="The rows from top to bottom: n is the trait `row_n`.").tag(sync=True)
    note = t.Unicode(help="What a person should know of the rows that are not there.").tag(sync=True)
    together = t.Dict(
        help="What can be done with several selected trials: `command`, and `count` of those trials; empty: nothing."
    ).tag(sync=True)

    def __init__(
        self,
        search: Search,
        *,
        refresher: Refresher | None = None,
        clock: Callable[[], float] = time.time,
        **traits: object,
    ) -> None:
        self._clock = clock
        self._running: dict[int, float] = {}
        """Slots of the running trials that have a row, and when each trial began."""
        self._slots: list[int | None] = []
        self._scalars: list[str] = []
        self._beyond: list[int] = []
        self._last_scalars = _LastScalars()
        self._failed: list[int] = []
        self._worst = math.nan
        self._front = Front(search.objectives)
        self._not_before = -math.inf
        """When all trials may be sorted again, by `time.monotonic`."""
        self._is_stale = True
        self._is_selection_new = True
        super().__init__(search, refresher=refresher, **traits)
        self.observe(self._observe_view, ["top_k", "filter", "shows_all", "sorting", "page"])
        self.observe(self._observe_selected, "selected")

    def refresh(self, update: Update) -> None:
        """Show the top again when it may have changed."""
        search = update.search
        with self.hold_sync():
            possible = search.capabilities
            self.commands = {"select": None, **{name: possible.get(name) for name in ("retry", *_REMARKS)}}
            self._show_together(update.rows)
            if len(search.objectives) > 1 and self._front.put(update.rows, search.snapshot):
                self._is_stale = True
            if not self._may_change(search, update.rows):
                self._tell_times()
                return
            began = time.monotonic()
            self._is_stale = began < self._not_before and not update.at_once
            if self._is_stale:
                self._tell_times()
                return
            self.is_filtered = not self.filter.is_empty
            if self.shows_all:
                self._show_page(search, update.all_rows(self.filter) if self.is_filtered else search.snapshot())
            else:
                self._show_top(search, update.all_rows(self.filter) if self.is_filtered else None)
            if self.shows_all or self.is_filtered:
                ended = time.monotonic()
                self._not_before = ended + _PAUSE_FACTOR * (ended - began)

    def forget(self) -> None:
        """Drop what is known of the front, of failed trials and of other scalars."""
        self._front, self._last_scalars = Front(self.search.objectives), _LastScalars()
        self._failed, self._is_stale, self._not_before = [], True, -math.inf
        self._is_selection_new = True

    def shown_rows(self, most: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Return the columns that are not hidden, and the first rows of what is seen, each with a cell for each."""
        shown = [place for place, column in enumerate(self.columns) if column["name"] not in self.hidden]
        rows = [getattr(self, f"row_{slot}") for slot in self.order[:most]]
        return [self.columns[place] for place in shown], [
            {**row, "cells": [row["cells"][place] for place in shown]} for row in rows
        ]

    def caption(self, most: int) -> str:
        """Say which trials the first rows of what is seen are, so many at most, and in what order."""
        if not self.shows_all:
            return "Best trials first, failed ones last"
        first = self.page * PAGE_ROWS
        last = first + len(self.order[:most])
        order = ", newest first"
        if self.sorting:
            labels = {column["name"]: column["label"] for column in self.columns}
            name = self.sorting["name"]
            direction = "descending" if self.sorting["is_descending"] else "ascending"
            order = f" by {labels.get(name, name)}, {direction}"
        return f"All trials{order}: rows {first + 1:,}–{last:,} of {self.num_rows:,}"

    def _may_change(self, search: Search, rows: Rows) -> bool:
        """Whether these rows can change what is shown; keeps the newest failed ones."""
        failed = rows.state == TrialState.FAILED
        self._is_stale |= self._last_scalars.has_answer
        known = set(self._failed) - set(rows.numbers.tolist())
        newest = sorted(known | set(rows.numbers[failed][-_NUM_FAILED:].tolist()))[-_NUM_FAILED:]
        if newest != self._failed:
            self._failed, self._is_stale = newest, True
        if self._is_stale or len(rows) == 0:
            return self._is_stale
        if self.shows_all or not self.filter.is_empty:
            return True
        shown = [number for number in self._slots if number is not None]
        if np.isin(rows.numbers, shown).any():
            return True
        # An order of several objectives, or a top with room, takes any value.
        values = rows.values[~failed, 0]
        if len(search.objectives) > 1 or math.isnan(self._worst):
            return not bool(np.isnan(rows.values[~failed]).all())
        better = values <= self._worst if search.objectives[0].minimise else values >= self._worst
        return bool(better.any())

    def _show_top(self, search: Search, passing: Rows | None) -> None:
        """Show the best of all trials, or of those that pass the filter."""
        wanted = min(self.top_k, MOST_ROWS)
        failed = [search.trial(number) for number in reversed(self._failed)]
        if passing is None:
            top = list(search.top(wanted))
            none_shown = "No trial has a result yet."
        else:
            ranking, ended = Ranking(search.objectives), passing.state != TrialState.FAILED
            ranking.load(passing.numbers[ended], passing.values[ended])
            top = [search.trial(number) for number in ranking.top(wanted)]
            failed = [trial for trial in failed if trial.number in passing.numbers]
            none_shown = "No trial that passes the filter has a result yet." if len(passing) else _NONE_PASSES
        self._worst = math.nan if len(top) < wanted or top[-1].value is None else top[-1].value
        shown = {trial.number for trial in top}
        self._beyond, num_without_row = self._selected_beyond(shown | {trial.number for trial in failed})
        beyond = [search.trial(number) for number in self._beyond]
        self._put(search, top + beyond + [trial for trial in failed if trial.number not in shown], f"top {wanted}")
        self.num_rows = len(self.order)
        self.note = self._note(num_without_row) if self.order else none_shown

    def _show_page(self, search: Search, rows: Rows) -> None:
        order = self._sorted(search, rows)
        last = max(0, (len(order) - 1) // PAGE_ROWS)
        self.page = min(self.page, last)
        numbers = rows.numbers[order[self.page * PAGE_ROWS : (self.page + 1) * PAGE_ROWS]].tolist()
        self._beyond = []
        self._put(search, [search.trial(number) for number in numbers])
        self.num_rows, self.note = len(order), ""
        if self._last_scalars.is_reading:
            self.note = "The scalars of all trials are being read: the order is not complete yet."
        elif not self.order:
            self.note = _NONE_PASSES if self.is_filtered else "There are no trials yet."

    def _sorted(self, search: Search, rows: Rows) -> Numbers:
        """The places of all trials in the order of a column: what has no value last, of equals the newest first."""
        newest_first: Numbers = np.arange(len(rows))[::-1]
        if not self.sorting:
            return newest_first
        keys = {column.name: column.key for column in self._all_columns(search)}
        key = keys[self.sorting["name"]](rows).astype(float)[newest_first]
        if self.sorting["is_descending"]:
            key = -key
        return newest_first[np.argsort(key, kind="stable")]

    def _all_columns(self, search: Search, trials: Sequence[Trial] = ()) -> list[_TableColumn]:
        """All columns, also those that are hidden; of two with one name or heading one has its kind before it.

        Objectives and scalars have as many digits as tell those of these trials apart.
        """
        space, scalar_keys = search.space, tuple(self._scalars)
        taken = {"trial", "time", "state"}
        headings = set(taken)

        def objective(place: int, label: str) -> _TableColumn:
            return _TableColumn(
                "number", _distinct(label, "objective", headings), _distinct(label, "objective", taken),
                _number_cell(lambda trial: trial.values[place], trials), lambda rows: rows.values[:, place],
            )  # fmt: skip

        def parameter(name: str, label: str) -> _TableColumn:
            return _TableColumn(
                "number" if _is_numeric(space, name) else "text",
                _distinct(label, "parameter", headings), _distinct(name, "parameter", taken),
                lambda trial: text.parameter(space, trial, name), partial(_parameter_key, space, name),
            )  # fmt: skip

        def scalar(key: str, label: str) -> _TableColumn:
            return _TableColumn(
                "number", _distinct(label, "scalar", headings), _distinct(key, "scalar", taken),
                _number_cell(lambda trial: float(trial.summary[key][0]) if key in trial.summary else None, trials),
                partial(self._last_scalars.column, search, scalar_keys, key, self._refresher.poke),
            )  # fmt: skip

        objectives = [objective(place, text.axis(one)) for place, one in enumerate(search.objectives)]
        parameters = [parameter(*named) for named in text.labels(space.names).items()]
        # Named last, as they come while a search runs: no column that is there gets another name.
        # With their titles where an objective or a parameter ends in the same word.
        labels = text.labels([*scalar_keys, *(one.key for one in search.objectives), *space.names])
        scalars = [scalar(key, key.replace("/", " / ") if labels[key] == key else labels[key]) for key in scalar_keys]
        return [
            _TableColumn("trial", "trial", "trial", lambda trial: f"#{trial.number}", lambda rows: rows.numbers),
            *objectives,
            *scalars,
            *parameters,
            _TableColumn("seconds", "time", "time", self._time_of, lambda rows: rows.seconds),
            _TableColumn("state", "state", "state", lambda trial: trial.state.label, lambda rows: rows.state),
        ]

    def _put(self, search: Search, trials: Sequence[Trial], among: str = "") -> None:
        """Show trials in this order; those beyond a place ``among`` others are marked."""
        has_front = len(search.objectives) > 1
        front = set(self._front.numbers) if has_front else set()
        best = None if has_front else search.best_trial
        self._find_scalars(search, trials)
        columns = self._all_columns(search, trials)
        heads = _heads([one.label for one in columns])
        self.columns = [{"kind": one.kind, "label": heads[one.label], "name": one.name} for one in columns]
        self._assign([trial.number for trial in trials])
        self._running = {self._slots.index(trial.number): trial.started for trial in trials if self._is_running(trial)}
        for trial in trials:
            is_best = best is not None and best.number == trial.number
            mark = "best" if is_best else "front" if trial.number in front else ""
            row = {
                "number": trial.number,
                "cells": [column.cell(trial) for column in columns],
                "seconds": trial.duration if math.isfinite(trial.duration) else None,
                "error": text.sentence_of(trial.error or "", 300) if trial.state is TrialState.FAILED else "",
                "mark": mark,
            }
            is_beyond = trial.number in self._beyond and trial.state is not TrialState.FAILED
            notes = ["enqueued"] * trial.enqueued + ["recorded"] * trial.is_recorded + [f"not in {among}"] * is_beyond
            if notes:
                row["note"] = " · ".join(notes)
            self.set_trait(f"row_{self._slots.index(trial.number)}", row)
        self.order = [self._slots.index(trial.number) for trial in trials]

    def _time_of(self, trial: Trial) -> str:
        """Say how long a trial took, or how long it has run so far."""
        return self._so_far(trial.started) if self._is_running(trial) else text.seconds(trial.duration)

    def _is_running(self, trial: Trial) -> bool:
        """Whether a trial runs at this moment: not one that ran when its process was killed."""
        return trial.state is TrialState.RUNNING and math.isfinite(trial.started) and self.search.status.is_alive

    def _so_far(self, started: float) -> str:
        now = self.search.moment if isinstance(self.search, Replays) else self._clock()
        return text.duration((now - started) / SECONDS_A_MINUTE)

    def _tell_times(self) -> None:
        """Say of the running trials that have a row how long they have run so far."""
        for slot, started in self._running.items() if self.search.status.is_alive else ():
            row: dict[str, Any] = getattr(self, f"row_{slot}")
            cells = [*row["cells"]]
            cells[_TIME] = self._so_far(started)
            self.set_trait(f"row_{slot}", {**row, "cells": cells})

    def _selected_beyond(self, shown: set[int]) -> tuple[list[int], int]:
        """Selected trials without a row, the last ones where there are too many, and the number of the others."""
        beyond = [number for number in self.selected if number not in shown]
        room = max(0, MOST_ROWS - len(shown))
        kept = beyond[len(beyond) - room :] if len(beyond) > room else beyond
        return kept, len(beyond) - len(kept)

    def _note(self, num_without_row: int) -> str:
        sentences = []
        if self.top_k > MOST_ROWS:
            sentences.append(f"The first {MOST_ROWS} of the top {self.top_k} are shown.")
        if num_without_row:
            sentences.append(
                f"{num_without_row} more selected {'trial has' if num_without_row == 1 else 'trials have'} no row."
            )
        return " ".join(sentences)

    def _find_scalars(self, search: Search, trials: Sequence[Trial]) -> None:
        """Give a column to scalars beside the objectives, but to none of the machine; one that is there stays.

        What a callable both reports under a name of its own and returns has the column of the objective only.
        """
        taken = {one.key for one in search.objectives}
        for trial in trials:
            if not trial.state.has_ended and not any(value is not None for value in trial.values):
                continue
            for key, summary in trial.summary.items():
                is_new = key not in taken and key not in self._scalars and not key.startswith(MONITOR)
                if is_new and len(self._scalars) < _NUM_SCALARS and summary[0] not in trial.values:
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

    @t.validate("sorting")
    def _check_sorting(self, proposal: dict[str, Any]) -> dict[str, Any]:
        """Refuse what is no column to sort by."""
        given: dict[str, Any] = proposal["value"]
        if not given:
            return {}
        known = [column.name for column in self._all_columns(self.search)]
        if set(given) != {"name", "is_descending"} or type(given["is_descending"]) is not bool:
            raise t.TraitError(f"sorting is {{'name': ..., 'is_descending': True or False}}, got {given!r:.200}")
        name = given["name"]
        if not isinstance(name, str) or name not in known:
            raise t.TraitError(f"all trials cannot be sorted by {name!r:.80}. {near_match(str(name), known)}")
        return dict(given)

    def _observe_view(self, _change: object) -> None:
        self._is_stale, self._not_before = True, -math.inf
        self._refresher.poke()

    def _observe_selected(self, _change: object) -> None:
        self._is_selection_new = True
        if not self.shows_all:
            shown = {number for number in self._slots if number is not None}
            beyond, _ = self._selected_beyond(shown - set(self._beyond))
            self._is_stale |= set(beyond) != set(self._beyond)
        self._refresher.poke()

    def _show_together(self, rows: Rows) -> None:
        """Offer to leave the selected trials out, or, once all of them are, to take them back; of one, details do."""
        if not self._is_selection_new and not np.isin(rows.numbers, self.selected).any():
            return
        self._is_selection_new = False
        counts = {name: len(self._meant_by(name, self.selected)) for name in _REMARKS if len(self.selected) > 1}
        self.together = next(({"command": name, "count": count} for name, count in counts.items() if count), {})

    def _meant_by(self, command: str, numbers: list[int]) -> list[int]:
        """Return those of some trials that a command makes others: what has ended and counts, or what was left out."""
        rows, wanted = self.search.snapshot(), set(numbers)
        is_out = rows.state == TrialState.LEFT_OUT
        can_be = is_out if command == "take_back" else (rows.state >= TrialState.COMPLETED) & ~is_out
        return [number for number in rows.numbers[can_be].tolist() if number in wanted]

    def _on_leave_out(self, content: dict[str, object]) -> None:
        self._remark("leave_out", content)

    def _on_take_back(self, content: dict[str, object]) -> None:
        self._remark("take_back", content)

    def _remark(self, command: str, content: dict[str, object]) -> None:
        """Leave the trials that a page meant out together, or take them back."""
        numbers = content.get("numbers")
        if not isinstance(numbers, list) or not all(type(number) is int for number in numbers):
            self._refuse("what was done with the selected trials is of no trials of this search")
        elif meant := self._meant_by(command, numbers):
            self.search.command(command, meant)

    def _on_select(self, content: dict[str, object]) -> None:
        self._set("selected", content.get("numbers"))

    def _on_click(self, content: dict[str, object]) -> None:
        number, adds = content.get("number"), content.get("adds")
        if type(number) is not int or type(adds) is not bool:
            self._refuse("a click on a row is on no trial")
            return
        self._set("selected", clicked(self.selected, number, adds=adds))

    def _on_turn(self, content: dict[str, object]) -> None:
        """Turn pages from the one that is shown here: the last click may not have reached the page that clicks."""
        step = content.get("step")
        if type(step) is not int or abs(step) != 1:
            self._refuse("a page of the table is turned by one")
            return
        last = max(0, (self.num_rows - 1) // PAGE_ROWS)
        self._set("page", min(max(0, self.page + step), last))

    def _on_hide(self, content: dict[str, object]) -> None:
        name, is_hidden = content.get("name"), content.get("is_hidden")
        known = {column["name"] for column in self.columns}
        if not isinstance(name, str) or name not in known or type(is_hidden) is not bool:
            self._refuse("a page wants to hide what is no column")
            return
        self._set("hidden", [one for one in self.hidden if one != name] + [name] * is_hidden)

    def _on_set(self, content: dict[str, object]) -> None:
        """Set what a page may choose of what the table shows."""
        name = content.get("name")
        if not isinstance(name, str) or name not in _CHOSEN_BY_A_PAGE:
            self._refuse("a page wants to set what is none of its choices")
            return
        self._set(name, content.get("value"))
        if name in {"sorting", "shows_all"} and self.page:
            self.page = 0

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


class _LastScalars:
    """The last values of other scalars than the objectives, which columns of trials do not have.

    They are read when somebody sorts by one, and those of ended trials once. Used by the refresher's thread only.
    """

    def __init__(self) -> None:
        self._keys: tuple[str, ...] = ()
        self._known: dict[int, Mapping[str, float]] = {}
        self._settled: set[int] = set()
        """Trials that had ended when they were read."""
        self._answer: Future[list[Trial]] | None = None

    @property
    def is_reading(self) -> bool:
        """Whether trials are being read on a thread."""
        return self._answer is not None

    @property
    def has_answer(self) -> bool:
        """Whether trials that were read on a thread are there."""
        return self._answer is not None and self._answer.done()

    def column(
        self, search: Search, keys: tuple[str, ...], key: str, poke: Callable[[], None], rows: Rows
    ) -> np.ndarray:
        """Return the last value of a scalar of each trial, as far as it was read, and have the others read.

        Values of all ``keys`` are kept of what is read. NaN: there is none, or none yet. ``poke`` is called on another
        thread when more was read.
        """
        if keys != self._keys:
            self._keys, self._known, self._settled, self._answer = keys, {}, set(), None
        if self._answer is not None and self._answer.done():
            answer, self._answer = self._answer, None
            self._keep(answer.result())
        numbers = rows.numbers.tolist()
        missing = [one for one in numbers if one not in self._settled]
        if len(missing) <= _MOST_AT_ONCE:
            self._keep(map(search.trial, missing))
        elif self._answer is None:
            self._answer = run_in_thread("hpo_widgets table", lambda: [*map(search.trial, missing)], poke)
        nothing: Mapping[str, float] = {}
        return np.array([self._known.get(one, nothing).get(key, math.nan) for one in numbers], dtype=float)

    def _keep(self, trials: Iterable[Trial]) -> None:
        for trial in trials:
            self._known[trial.number] = {
                key: float(trial.summary[key][0]) for key in self._keys if key in trial.summary
            }
            if trial.state.has_ended:
                self._settled.add(trial.number)


def _heads(labels: Sequence[str]) -> Mapping[str, str]:
    """Map each label to its head: where those that a head has room for are alike, it is shortened in its middle."""
    alike = Counter(label[:_IN_A_HEAD] for label in set(labels))
    whole = {label: label for label in labels}
    return whole | text.short_names([label for label in whole if alike[label[:_IN_A_HEAD]] > 1], _IN_A_HEAD)


def _number_cell(value_of: Callable[[Trial], float | None], trials: Sequence[Trial]) -> Callable[[Trial], str]:
    """Return what writes the number of a trial, with the digits that tell those of some trials apart."""
    values = set(map(value_of, trials))

    def num_told(digits: int) -> int:
        return len({text.number(one, digits) for one in values})

    most = num_told(_MOST_DIGITS)
    digits = next(digits for digits in range(_DIGITS, _MOST_DIGITS + 1) if num_told(digits) == most)
    return lambda trial: text.number(value_of(trial), digits)


def _is_numeric(space: Space, name: str) -> bool:
    """Whether the values of a parameter, of a choice too, are numbers, which stand and sort as such."""
    leaf: Any = space.leaf(name)
    return leaf.kind != "choice" or all(
        isinstance(choice, (int, float)) and not isinstance(choice, bool) for choice in leaf.declared
    )


def _parameter_key(space: Space, name: str, rows: Rows) -> np.ndarray:
    """Return the numbers by which a parameter is sorted: ranks of choices, by label where they are no numbers."""
    leaf: Any = space.leaf(name)
    column = rows.parameters[name]
    if leaf.kind != "choice":
        return column
    compared = leaf.declared if _is_numeric(space, name) else leaf.labels  # as they are: 10**400 is no float
    known = [index for index, one in enumerate(compared) if not (isinstance(one, float) and math.isnan(one))]
    ranks = np.full(len(compared) + 1, math.nan)  # NaN for a choice of NaN, and where the parameter is absent
    ranks[sorted(known, key=compared.__getitem__)] = np.arange(len(known))
    key: np.ndarray = ranks[column]
    return key


def _distinct(name: str, kind: str, taken: set[str]) -> str:
    """Return a name and take it, with the kind of its column before it as often as it is taken already."""
    while name in taken:
        name = f"{kind} {name}"
    taken.add(name)
    return name
