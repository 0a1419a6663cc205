"""Small tables with intervals and a verdict: standings, pairs, the parameters of the best."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import traitlets as t

from hpo_widgets.search.comparison import Pair, Standing, verdict
from hpo_widgets.widget import text
from hpo_widgets.widget.assets import asset
from hpo_widgets.widget.parts.part import ViewPart

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hpo_widgets.search import Search
    from hpo_widgets.widget.sync.refresher import Refresher, Update

    Cells = dict[str, Any]


def cell(words: str, *, series: int | None = None, strong: bool = False, muted: bool = False) -> Cells:
    """Return a cell of a `ComparisonTable`.

    Parameters
    ----------
    words
        What it says.
    series
        Which competitor's line stands before the words. Default: none.
    strong, muted
        How the words look.

    Returns
    -------
    dict
        The cell.
    """
    return {"text": words, "series": series, "strong": strong, "muted": muted, "interval": None}


def _interval_cell(low: float, share: float, high: float, even: float, series: int) -> Cells:
    """Return a cell that draws an interval of a share with a mark at even chances, and says it."""
    words = f"{100 * low:.0f} … {100 * high:.0f} %"
    return {**cell(words, muted=True), "interval": [low, share, high, even, series]}


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Cells]], note: str = "") -> dict[str, Any]:
    """Return a table of a `ComparisonTable`.

    Parameters
    ----------
    title
        What it is about, for who reads rather than looks.
    columns
        The headings; the first column names its row. One that begins with ``>`` has numbers.
    rows
        Cells by row.
    note
        What stands below. Default: nothing.

    Returns
    -------
    dict
        The table.
    """
    headings = [{"label": one.removeprefix(">"), "is_number": one.startswith(">")} for one in columns]
    return {"title": title, "columns": headings, "rows": [list(row) for row in rows], "note": note}


class ComparisonTable(ViewPart):
    """Shows tables one below the other, and a verdict.

    Parameters
    ----------
    search
        What the refresher follows.
    make
        Gives the tables, and the verdict as a sentence and what it rests on; empty: none.
    label
        What the tables are about.
    alone
        What is shown, where no other view of it says that its kernel has ended. Default: one does.
    """

    _esm = asset("comparison.js")
    _css = asset("comparison.css")

    label = t.Unicode(help="What the tables are about.").tag(sync=True)
    alone = t.Unicode(help="What is shown, where no other view says that its kernel has ended.").tag(sync=True)
    tables = t.List(t.Dict(), help="Title, columns, rows of cells and note of each table.").tag(sync=True)
    verdict = t.Tuple(t.Unicode(), t.Unicode(), default_value=("", ""), help="A sentence, and what it rests on.").tag(
        sync=True
    )

    def __init__(
        self,
        search: Search,
        *,
        make: Callable[[], tuple[list[dict[str, Any]], tuple[str, str]]],
        label: str,
        alone: str = "",
        refresher: Refresher,
    ) -> None:
        self._make = make
        super().__init__(search, refresher=refresher, label=label, alone=alone)

    def refresh(self, _update: Update) -> None:
        """Show the tables of now."""
        tables, said = self._make()
        with self.hold_sync():
            self.tables = tables
            self.verdict = said


def _middle_half(one: Standing) -> str:
    return f"{text.number(one.low, 3)} … {text.number(one.high, 3)}" if one.num_repeats else text.NO_VALUE


def standings_tables(
    some: Sequence[Standing], against: Sequence[Pair], names: Sequence[str], note: str
) -> tuple[list[dict[str, Any]], tuple[str, str]]:
    """Return the tables of a race, and its verdict.

    Parameters
    ----------
    some, against
        Standings and pairs, the first ones first.
    names
        The competitors in their order, which gives the looks.
    note
        What ends and areas are.

    Returns
    -------
    tuple
        The tables, and the verdict.
    """
    series = {name: index for index, name in enumerate(names)}
    rows = [
        [
            cell(one.name, series=series[one.name], strong=True),
            cell(text.number(one.end, 3)),
            cell(_middle_half(one), muted=True),
            cell(f"{one.area:.2f}" if one.area == one.area else text.NO_VALUE),
            cell(str(one.wins), strong=True),
            _interval_cell(
                one.interval[0], one.wins / max(one.num_repeats, 1), one.interval[1], 1 / len(names), series[one.name]
            ) if one.num_repeats else cell(text.NO_VALUE, muted=True),
        ]
        for one in some
    ]  # fmt: skip
    pair_rows = [
        [
            cell(f"{one.first} ahead of {one.second}"),
            cell(f"{one.wins} of {one.wins + one.losses}" + (f", {one.ties} equal" if one.ties else "")),
            _interval_cell(
                one.interval[0], one.wins / max(one.wins + one.losses, 1), one.interval[1], 0.5, series[one.first]
            ) if one.wins + one.losses else cell(text.NO_VALUE, muted=True),
            cell(one.verdict, strong=one.is_decided),
        ]
        for one in against
    ]  # fmt: skip
    tables = [
        table("Standings", ["strategy", ">end", ">middle half", ">area", ">wins", "share of wins, 95 %"], rows, note),
        table("Pairs", ["pair", ">repeats", "share, 95 %", "verdict"], pair_rows),
    ]
    return tables, verdict(some, against)
