"""What a notebook keeps of a panel: a picture and a few words, for whoever opens it without its kernel.

They are part of the panel's output, beside the live view: as HTML and PNG for GitHub, nbviewer and nbconvert, and as a
type of this package, which its JupyterLab extension draws in the place of "model not found" (``js/src/panel``).

A page has them renewed: when it saves the notebook, and when the search has ended, it asks for new ones. Where there is
no page, they are renewed at the end of each cell (`StoredOutput`). A panel that is closed renews them a last time.
"""

from __future__ import annotations

import base64
import html
import logging
import time
from typing import TYPE_CHECKING, Any

import traitlets as t
from IPython.display import publish_display_data

from hpo_widgets.search import SearchStatus
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import text
from hpo_widgets.widget.assets import asset
from hpo_widgets.widget.parts.part import ViewPart
from hpo_widgets.widget.pictures import small_picture
from hpo_widgets.widget.sync.refresher import after_each_cell

if TYPE_CHECKING:
    from collections.abc import Callable

    from hpo_widgets.search import Search
    from hpo_widgets.widget.parts.filter_bar import FilterBar
    from hpo_widgets.widget.parts.status import StatusPanel
    from hpo_widgets.widget.parts.table import TrialTable
    from hpo_widgets.widget.plots.plot import Plot
    from hpo_widgets.widget.sync.refresher import Refresher, Update

MIME = "application/vnd.hpo-widgets.snapshot+json"
"""The type of this package. A snapshot of another ``version`` is shown as its plain text."""

VERSION, WITHOUT_PICTURE = 1, 0
_log = logging.getLogger(__name__)
_publish: Any = publish_display_data  # IPython has no types for it
# A notebook is mailed, diffed and kept: a snapshot stays small whatever a search is called and has.
_MOST_ROWS, _MOST_COLUMNS, _MOST_PARAMETERS, _MOST_FACTS = 5, 12, 24, 8
_MOST_LETTERS, _MOST_IN_A_CELL = 200, 60
_DID = {
    "idle": "had not been started",
    "running": "was running",
    "paused": "was paused",
    "stopping": "was being stopped",
    "stopped": "had been stopped",
    "completed": "was complete",
    "failed": "had failed",
}
_NOT_ENDED = frozenset({TrialState.RUNNING.label, TrialState.QUEUED.label})


class SnapshotPart(ViewPart):
    """Shows nothing in the panel; makes what the notebook keeps of it, and hands it to a page that asks.

    Parameters
    ----------
    search
        The search.
    status
        The status panel, whose words are kept.
    table
        The table, whose first rows are kept as they are seen.
    filter_bar
        The filter, whose conditions are kept: picture and table have the trials that pass.
    plot
        Gives the plot that is seen, and its title.
    """

    _esm = asset("snapshot.js")
    _css = asset("snapshot.css")

    end = t.Unicode(help="How the search has ended, and with how many trials; empty before it has.").tag(sync=True)

    def __init__(
        self,
        search: Search,
        *,
        status: StatusPanel,
        table: TrialTable,
        filter_bar: FilterBar,
        plot: Callable[[], tuple[str, Plot]],
        refresher: Refresher | None = None,
        **traits: object,
    ) -> None:
        self._status, self._table, self._filter_bar, self._plot = status, table, filter_bar, plot
        self._kept: dict[str, Any] = {}
        super().__init__(search, refresher=refresher, **traits)

    def refresh(self, update: Update) -> None:
        """Tell the page when the search ends: one that is short may have begun and ended since the last update."""
        search = update.search
        has_ended = search.status is not SearchStatus.IDLE and not search.status.is_alive
        self.end = f"{search.status}, {sum(search.counts.values())} trials" if has_ended else ""

    def data(self) -> dict[str, Any]:
        """Return what the panel's output has beside the live view, by mime type, as the panel is now."""
        with self._refresher.lock:
            self._refresher.catch_up()
            kept = self._words()
            png = self._picture()
        # As long as nothing has changed it is the same, its time too: saving again leaves the file as it is.
        if {**self._kept.get(MIME, {}), "at": 0} != {**kept, "at": 0} or self._kept.get("image/png", "") != png:
            line = _line(kept)
            self._kept = {"text/plain": line, "text/html": _html(kept, png, line), MIME: kept}
            if png:
                self._kept["image/png"] = png
        return self._kept

    def send_last(self) -> None:
        """Send every page what the panel's output is to have from now on, if the panel is an output."""
        if self._kept:
            self.send({"kind": "snapshot", "data": self.data()})

    def _words(self) -> dict[str, Any]:
        search, status = self.search, self._status
        columns, rows = self._table.shown_rows(_MOST_ROWS)
        word = status.pill.get("word", status.status)
        best: dict[str, str] | None = status.best
        title, _plot = self._plot()
        return {
            "version": VERSION,
            "at": time.time(),
            "name": text.short(status.title, _MOST_LETTERS),
            "did": _DID.get(word, word),
            "facts": [text.short(fact, _MOST_LETTERS) for fact in status.facts[:_MOST_FACTS]],
            # Running trials are counted beside.
            "budgets": [{**line, "text": line["text"].partition(",")[0]} for line in status.budgets],
            "counts": [
                {"text": _count(one["label"], one["number"]), "is_bad": one["is_bad"]}
                for one in status.counts
                if one["number"] or one["label"] not in _NOT_ENDED
            ],
            "best": "" if best is None else _best(best, has_front=status.has_front),
            "reason": text.short(status.sentence, _MOST_LETTERS),
            "space": [
                {
                    "name": text.short(name, _MOST_IN_A_CELL),
                    "range": text.short(text.range_in_words(chosen, search.space.leaf(name).kind), _MOST_IN_A_CELL),
                }
                for name, chosen in list(search.space.ranges.items())[:_MOST_PARAMETERS]
            ],
            "shown": text.short(self._filter_bar.sentence, _MOST_LETTERS),
            "plot": text.short(title, _MOST_IN_A_CELL),
            "table": {
                "caption": text.short(self._table.caption(_MOST_ROWS), _MOST_LETTERS),
                "columns": [
                    {
                        "label": text.short(column["label"], _MOST_IN_A_CELL),
                        "is_number": column["kind"] in {"number", "seconds"},
                    }
                    for column in columns[:_MOST_COLUMNS]
                ],
                "rows": [
                    {
                        "mark": row["mark"],
                        "cells": [text.short(cell, _MOST_IN_A_CELL) for cell in row["cells"][:_MOST_COLUMNS]],
                    }
                    for row in rows
                ],
            },
            "code": text.opening_code(search),
        }

    def _picture(self) -> str:
        """Return the plot that is seen as base64 of a PNG; empty while there is nothing to plot."""
        if not text.ended(self.search.counts):
            return ""
        _title, plot = self._plot()
        try:
            return base64.b64encode(small_picture(plot)).decode()
        except (TypeError, ValueError) as error:  # a plot of somebody's own, with marks that cannot be drawn
            _log.warning("the notebook keeps no picture of the plot: %s", error)
            return ""

    def _on_snapshot(self, content: dict[str, object]) -> None:
        request = content.get("id")
        if not isinstance(request, str):
            self._refuse("a page wants a picture without saying for what")
            return
        self.send({"kind": "snapshot", "id": request[:_MOST_LETTERS], "data": self.data()})


class KeptAsLine:
    """Mixin of widgets of which a notebook keeps no picture, but a line that says how they are seen again."""

    def _described(self) -> str:
        """Return what this is, in a few words."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **keywords: Any) -> dict[str, Any]:
        """Return the live view and, for display without a kernel, a line of text in the place of "model not found"."""
        parent: Any = super()
        line = f"{self._described()}. It is seen while its kernel runs: run its cell again."
        data: dict[str, Any] = parent._repr_mimebundle_(**keywords) or {}
        return data | {"text/plain": line, MIME: {"version": WITHOUT_PICTURE}}


class StoredOutput:
    """The output of a panel in a notebook that runs without a page, kept true to the end of the last cell.

    What runs such a notebook (nbclient, papermill, nbconvert) keeps an output as it was when it was shown, often before
    the first trial. Nobody looks at it while cells run, so the output is replaced at the end of each cell.

    Parameters
    ----------
    display_id
        A name for the output.
    fresh
        Gives what gives all of the output, by mime type, or None where it has to stay as it is; a weak reference, so
        that a panel that is dropped is freed.
    """

    def __init__(self, display_id: str, fresh: Callable[[], Callable[[], dict[str, Any] | None] | None]) -> None:
        self._display_id, self._fresh = display_id, fresh
        self._stored: dict[str, Any] = {}
        self._forget = after_each_cell(self._renew)

    def show(self, data: dict[str, Any]) -> None:
        """Show the panel."""
        self._stored = data
        _publish(data, transient={"display_id": self._display_id})

    def close(self) -> None:
        """Renew the output a last time."""
        self._forget()
        self._renew()

    def _renew(self) -> None:
        give = self._fresh()
        data = None if give is None else give()
        if data is not None and data != self._stored:
            self._stored = data
            _publish(data, transient={"display_id": self._display_id}, update=True)


def _count(label: str, number: int) -> str:
    if label in _NOT_ENDED:
        return f"{number} {'was' if number == 1 else 'were'} {label}"
    return f"{number} {label}"


def _best(best: dict[str, str], *, has_front: bool) -> str:
    return best["value"] if has_front else f"best {best['value']} at {best['trial']}{best['note']}"


def _line(kept: dict[str, Any]) -> str:
    """Return the search in one line."""
    moment = time.strftime("%Y-%m-%d %H:%M", time.localtime(kept["at"]))
    counts = ", ".join(one["text"] for one in kept["counts"])
    return "; ".join(filter(None, [f"Search {kept['name']!r} {kept['did']} at {moment}", counts, kept["best"]]))


def _html(kept: dict[str, Any], png: str, line: str) -> str:
    """Return a picture and a small table, in elements and attributes that readers of notebooks leave in.

    Everything that comes from the search is text.
    """
    say = html.escape
    columns = kept["table"]["columns"]
    parts = [f"<p>{say(line)}.</p>"]
    if kept["shown"]:
        parts.append(f"<p>{say(kept['shown'])}.</p>")
    if png:
        alt = say(f"{kept['plot']} of the search {kept['name']}")
        parts.append(f'<img alt="{alt}" width="760" src="data:image/png;base64,{png}">')
    if kept["table"]["rows"]:
        head = "".join(f"<th>{say(column['label'])}</th>" for column in columns)
        rows = "".join(
            f"<tr>{''.join(f'<td>{say(cell)}</td>' for cell in row['cells'])}</tr>" for row in kept["table"]["rows"]
        )
        parts.append(f"<p>{say(kept['table']['caption'])}:</p>")
        parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>")
    if kept["code"]:
        parts.append(f"<p>To go on:</p><pre><code>{say(kept['code'])}</code></pre>")
    return f"<div>{''.join(parts)}</div>"
