"""The numbers of a plot as a table, for who reads rather than looks; made when somebody asks for them."""

from __future__ import annotations

import logging
import re
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import bqplot
import numpy as np
import traitlets as t

from hpo_widgets.search import Replays
from hpo_widgets.widget import text
from hpo_widgets.widget.assets import asset
from hpo_widgets.widget.parts.part import ViewPart, widgets_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ipywidgets import Widget

    from hpo_widgets.search import Search
    from hpo_widgets.space import Space
    from hpo_widgets.trials import Trial
    from hpo_widgets.trials.columns import Rows
    from hpo_widgets.trials.filter import TrialFilter
    from hpo_widgets.widget.sync.refresher import Refresher, Update

    Cell = str | int | float | None

_log = logging.getLogger(__name__)

MOST_ROWS = 200
"""Rows of a table at most."""

ALL_TRIALS = "Export, Trials as CSV, or to_dataframe()"
"""Where all trials are to be had."""


class PlotNumbers(NamedTuple):
    """What a plot shows, as a table.

    Attributes
    ----------
    columns : tuple of str
        The headings; the first column names its row.
    rows : list of tuple
        Numbers, words, or None for what there is not; `MOST_ROWS` at most.
    total : int
        How many rows there would be in all.
    words : str
        What the rows are, in the plural, and which: ``"trials, the newest first"``.
    all_in : str
        Where all of them are to be had.
    """

    columns: tuple[str, ...]
    rows: list[tuple[Cell, ...]]
    total: int
    words: str
    all_in: str = ALL_TRIALS

    @property
    def sentence(self) -> str:
        """How many rows there are, of how many, and where the others are."""
        if not self.total:
            return f"Nothing is drawn yet: no {self.words.partition(',')[0]}."
        if len(self.rows) == self.total:
            words = re.sub(r"s\b", "", self.words, count=1) if self.total == 1 else self.words
            return f"{self.total:,} {words}."
        return f"{len(self.rows):,} of {self.total:,} {self.words}. All of them: {self.all_in}."


def passing_rows(search: Search, chosen: TrialFilter) -> Rows:
    """Return all trials of a search that pass a filter.

    Parameters
    ----------
    search
        The search.
    chosen
        The filter.

    Returns
    -------
    Rows
        The trials as columns, by number.
    """
    rows = search.snapshot()
    return rows.where(chosen.passing(rows, search.space, search.objectives))


def trial_numbers(
    search: Search,
    numbers: Sequence[int],
    words: str,
    *,
    objectives: Iterable[int] = (0,),
    parameters: Iterable[str] = (),
    more: Mapping[str, Callable[[Trial], Cell]] | None = None,
) -> PlotNumbers:
    """Return a table with a row for each of some trials.

    Parameters
    ----------
    search
        The search.
    numbers
        The trials, in their order; the first `MOST_ROWS` have rows.
    words
        What they are, and in which order.
    objectives
        Indices of the objectives that have columns. Default: the first one.
    parameters
        Full names of the parameters that have columns. Default: none.
    more
        Heading of each further column, before the state, to what gives its cell.

    Returns
    -------
    PlotNumbers
        Columns: the trial, objectives, parameters, ``more``, the state.
    """
    objectives, parameters, more = list(objectives), list(parameters), more or {}
    labels = text.labels(search.space.names)
    trials = [search.trial(number) for number in numbers[:MOST_ROWS]]
    rows: list[tuple[Cell, ...]] = [
        (
            trial.name,
            *(trial.values[index] for index in objectives),
            *(_parameter(search.space, trial, name) for name in parameters),
            *(cell_of(trial) for cell_of in more.values()),
            ", ".join([trial.state.label] + ["enqueued"] * trial.enqueued + ["recorded"] * trial.is_recorded),
        )
        for trial in trials
    ]
    columns = (
        "trial",
        *(text.axis(search.objectives[index]) for index in objectives),
        *(labels[name] for name in parameters),
        *more,
        "state",
    )
    return PlotNumbers(columns, rows, len(numbers), words)


def _parameter(space: Space, trial: Trial, name: str) -> Cell:
    leaf: Any = space.leaf(name)
    if name not in trial.parameters:
        return None
    value: Any = trial.parameters[name]
    return text.parameter(space, trial, name) if leaf.kind == "choice" else value


def mark_numbers(shown: Widget) -> PlotNumbers:
    """Return the coordinates of all marks of a widget's figures: what there is for a plot of whatever kind.

    Columns: the mark, and what its axes are called.
    """
    marks = [
        (figure, mark)
        for figure in widgets_of(shown)
        if isinstance(figure, bqplot.Figure)
        for mark in figure.marks
        if isinstance(mark, bqplot.Mark) and {"x", "y"} <= mark.scales.keys() and not isinstance(mark, bqplot.Image)
    ]
    names = [(_axis_name(figure, mark, "x"), _axis_name(figure, mark, "y")) for figure, mark in marks]
    across, up = (next(iter(one)) if len(one := {pair[at] for pair in names}) == 1 else "xy"[at] for at in (0, 1))
    rows: list[tuple[Cell, ...]] = []
    total = 0
    for _, mark in marks:
        word = mark.labels[0] if len(mark.labels) else type(mark).__name__.lower()
        x, y = np.atleast_2d(np.asarray(mark.x)), np.atleast_2d(np.asarray(mark.y))
        for line in range(len(y)):
            points = list(zip(x[line % len(x)].tolist(), y[line].tolist(), strict=False))
            total += len(points)
            rows += [(word, *map(_cell, point)) for point in points[: MOST_ROWS - len(rows)]]
    return PlotNumbers(("mark", across, up), rows, total, "points that are drawn", "the marks of the figure, in code")


def _axis_name(figure: bqplot.Figure, mark: bqplot.Mark, name: str) -> str:
    return next((axis.label for axis in figure.axes if axis.scale is mark.scales[name] and axis.label), name)


def _cell(value: object) -> Cell:
    return value if isinstance(value, int | float) or value is None else str(value)


class NumbersTable(ViewPart):
    """A button that shows the numbers of a plot as a table in its place, as they are at that moment.

    While it is closed it has no table and does nothing at an update.

    Parameters
    ----------
    search
        The search.
    make
        Makes the numbers.
    title
        What the plot is called.
    **traits
        First values of traits.
    """

    _esm = asset("numbers.js")
    _css = asset("numbers.css")

    is_open = t.Bool(False, help="Two-way. Whether the table is shown.").tag(sync=True, two_way=True)
    title = t.Unicode(help="What the plot is called.").tag(sync=True)
    sentence = t.Unicode(help="How many rows there are of how many, and as of when.").tag(sync=True)
    columns = t.List(t.Dict(), help="Heading of each column, and whether it has numbers.").tag(sync=True)
    rows = t.List(t.List(t.Unicode()), help="The cells of each row.").tag(sync=True)
    commands = t.Dict({"open": None}, help="`open` to None when it can be done, else to why not.").tag(sync=True)

    def __init__(
        self,
        search: Search,
        *,
        make: Callable[[], PlotNumbers],
        refresher: Refresher | None = None,
        **traits: object,
    ) -> None:
        self._make = make
        super().__init__(search, refresher=refresher, **traits)
        self.observe(lambda _change: self.make_again(), "is_open")

    def refresh(self, _update: Update) -> None:
        """Change nothing: a table that changes while it is read cannot be read."""

    def make_again(self) -> None:
        """Have the numbers of this moment, or none while it is closed."""
        shown = self.made() if self.is_open else {"sentence": "", "columns": [], "rows": []}
        with self.hold_sync():
            for name, value in shown.items():
                self.set_trait(name, value)

    def made(self) -> dict[str, Any]:
        """Return the traits that show the numbers of this moment, for a page that is saved too."""
        try:
            with self._refresher.lock:
                made = self._make()
        except Exception as error:  # noqa: BLE001 -- a plot of somebody's own may raise anything
            _log.exception("the numbers of %s cannot be shown", self.title)
            return {"sentence": f"The numbers cannot be shown: {error}"[:300], "columns": [], "rows": []}
        columns = [
            {"label": heading, "is_number": not any(isinstance(row[place], str) for row in made.rows)}
            for place, heading in enumerate(made.columns)
        ]
        now = self.search.moment if isinstance(self.search, Replays) else time.time()
        rows = [[_in_words(cell) for cell in row] for row in made.rows[:MOST_ROWS]]
        return {"sentence": f"{made.sentence} As of {text.clock(now)}.", "columns": columns, "rows": rows}

    def _on_update(self, _content: dict[str, object]) -> None:
        self.make_again()


def _in_words(cell: Cell) -> str:
    if isinstance(cell, str):
        return cell
    return str(cell) if isinstance(cell, int) and not isinstance(cell, bool) else text.number(cell)
