"""What a notebook keeps of a widget: a picture and a few words, for whoever opens it without its kernel.

They are part of the widget's output, beside the live view: as HTML and PNG for GitHub, nbviewer and nbconvert, and as a
type of this package, which its JupyterLab extension draws in the place of "model not found" (``js/src/panel``).

A page has them renewed: when it saves the notebook, and when all that is shown has ended, it asks for new ones. Where
there is no page, they are renewed at the end of each cell (`_StoredOutput`). What is closed renews them a last time.
"""

from __future__ import annotations

import base64
import html
import logging
import time
import weakref
from typing import TYPE_CHECKING, Any

import traitlets as t
from IPython.display import publish_display_data

from hpo_widgets.widget import text
from hpo_widgets.widget.assets import asset
from hpo_widgets.widget.parts.part import ViewPart
from hpo_widgets.widget.pictures import small_picture
from hpo_widgets.widget.sync.flow import is_run_by_page
from hpo_widgets.widget.sync.refresher import after_each_cell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ipywidgets import Widget

    from hpo_widgets.search import Search
    from hpo_widgets.widget.sync.refresher import Refresher, Update

MIME = "application/vnd.hpo-widgets.snapshot+json"
"""The type of this package. A snapshot of another ``version`` is shown as its plain text."""

VERSION = 1
_log = logging.getLogger(__name__)
_publish: Any = publish_display_data  # IPython has no types for it
MOST_LETTERS, MOST_IN_A_CELL, _MOST_COLUMNS = 200, 60, 12
"""A notebook is mailed, diffed and kept: a snapshot stays small whatever a search is called and has."""
DID = {
    "idle": "had not been started",
    "running": "was running",
    "paused": "was paused",
    "stopping": "was being stopped",
    "stopped": "had been stopped",
    "completed": "was complete",
    "failed": "had failed",
}
"""Status to what is said of it afterwards."""
_UNSAID: dict[str, Any] = {
    "facts": [],
    "budgets": [],
    "counts": [],
    "best": "",
    "verdict": "",
    "reason": "",
    "space": [],
    "shown": "",
    "table": {"caption": "", "columns": [], "rows": []},
    "code": "",
    "again": "",
}
"""What has nothing to be said of it."""


class SnapshotPart(ViewPart):
    """Shows nothing; makes what the notebook keeps of a widget, and hands it to a page that asks.

    A subclass says in `words` what is kept beside the picture, and in `said_of_end` when all has ended.
    """

    _esm = asset("snapshot.js")
    _css = asset("snapshot.css")

    end = t.Unicode(help="How what is shown has ended, and with how many trials; empty before.").tag(sync=True)

    def __init__(
        self,
        search: Search,
        *,
        pictured: Callable[[], Widget],
        refresher: Refresher | None = None,
        **traits: object,
    ) -> None:
        self._pictured = pictured
        self._kept: dict[str, Any] = {}
        super().__init__(search, refresher=refresher, **traits)

    def words(self) -> dict[str, Any]:
        """Return what is kept in words: ``name``, ``about``, ``did``, ``plot``, and what there is of `_UNSAID`."""
        raise NotImplementedError

    def said_of_end(self) -> str:
        """Say how all has ended, in other words for each end; empty before."""
        raise NotImplementedError

    def has_values(self) -> bool:
        """Whether there is something to plot."""
        raise NotImplementedError

    def refresh(self, _update: Update) -> None:
        """Tell the page when all has ended: what is short may have begun and ended since the last update."""
        self.end = self.said_of_end()

    def _kept_table(
        self, caption: str, columns: Sequence[tuple[str, bool]], rows: Iterable[tuple[str, Sequence[str]]]
    ) -> dict[str, Any]:
        """Heading and whether it has numbers of each column, mark and cells of each row, as far as there is room."""
        return {
            "caption": text.short(caption, MOST_LETTERS),
            "columns": [
                {"label": text.short(label, MOST_IN_A_CELL), "is_number": is_number}
                for label, is_number in columns[:_MOST_COLUMNS]
            ],
            "rows": [
                {"mark": mark, "cells": [text.short(cell, MOST_IN_A_CELL) for cell in cells[:_MOST_COLUMNS]]}
                for mark, cells in rows
            ],
        }

    def data(self) -> dict[str, Any]:
        """Return what the output has beside the live view, by mime type, as the widget is now."""
        with self._refresher.lock:
            self._refresher.catch_up()
            kept = {"version": VERSION, "at": time.time(), **_UNSAID, **self.words()}
            png = self._picture()
        # As long as nothing has changed it is the same, its time too: saving again leaves the file as it is.
        if {**self._kept.get(MIME, {}), "at": 0} != {**kept, "at": 0} or self._kept.get("image/png", "") != png:
            line = _line(kept)
            self._kept = {"text/plain": line, "text/html": _html(kept, png, line), MIME: kept}
            if png:
                self._kept["image/png"] = png
        return self._kept

    def send_last(self) -> None:
        """Send every page what the output is to have from now on, if there is an output."""
        if self._kept:
            self.send({"kind": "snapshot", "data": self.data()})

    def _picture(self) -> str:
        """Return the plot that is seen as base64 of a PNG; empty while there is nothing to plot."""
        if not self.has_values():
            return ""
        try:
            return base64.b64encode(small_picture(self._pictured())).decode()
        except (TypeError, ValueError) as error:  # a plot of somebody's own, with marks that cannot be drawn
            _log.warning("the notebook keeps no picture of the plot: %s", error)
            return ""

    def _on_snapshot(self, content: dict[str, object]) -> None:
        request = content.get("id")
        if not isinstance(request, str):
            self._refuse("a page wants a picture without saying for what")
            return
        self.send({"kind": "snapshot", "id": request[:MOST_LETTERS], "data": self.data()})


class KeptInNotebook:
    """Mixin of widgets of which a notebook keeps a picture and a few words, for display without a kernel."""

    _snapshot: SnapshotPart
    _refresher: Refresher
    _stored: _StoredOutput | None = None

    def _repr_mimebundle_(self, **keywords: Any) -> dict[str, Any]:
        """Return the live view and, for display without a kernel, a picture, a table and a line of text."""
        parent: Any = super()
        data: dict[str, Any] = parent._repr_mimebundle_(**keywords) or {}
        try:
            return data | self._snapshot.data()
        except Exception:  # noqa: BLE001 -- it is shown though it cannot be pictured
            _log.exception("the notebook keeps no picture of %r", self)
            return data

    def _ipython_display_(self, **_keywords: Any) -> None:
        """Show it as an output that can be updated later, in a notebook that runs without a page."""
        shown: Any = self
        if is_run_by_page() or shown.comm is None:
            raise NotImplementedError  # IPython then shows what `_repr_mimebundle_` returns
        if self._stored is None:
            self._stored = _StoredOutput(shown.model_id, weakref.WeakMethod(self._unseen_output))
        self._stored.show(self._repr_mimebundle_())

    def _unseen_output(self) -> dict[str, Any] | None:
        """Return the present output; None once a page has shown the live view, which a new output would restart."""
        return None if self._refresher.flow.was_ever_seen else self._repr_mimebundle_()

    def _keep_last_picture(self) -> None:
        """Have the notebook keep it as it is now, before it is closed; what was closed before is not there any more."""
        shown: Any = self
        if shown.comm is None:
            return
        try:
            self._snapshot.send_last()
        except Exception:  # noqa: BLE001 -- it is closed though it cannot be pictured
            _log.exception("the notebook keeps no picture of the end of %r", self)
        if self._stored is not None:
            self._stored.close()


class _StoredOutput:
    """The output of a widget in a notebook that runs without a page, kept true to the end of the last cell.

    What runs such a notebook (nbclient, papermill, nbconvert) keeps an output as it was when it was shown, often before
    the first trial. Nobody looks at it while cells run, so the output is replaced at the end of each cell.

    ``fresh`` gives what gives all of the output by mime type, or None where it has to stay as it is; a weak reference,
    so that a widget that is dropped is freed.
    """

    def __init__(self, display_id: str, fresh: Callable[[], Callable[[], dict[str, Any] | None] | None]) -> None:
        self._display_id, self._fresh = display_id, fresh
        self._stored: dict[str, Any] = {}
        self._forget = after_each_cell(self._renew)

    def show(self, data: dict[str, Any]) -> None:
        """Show the widget."""
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


def _line(kept: dict[str, Any]) -> str:
    """Return what is kept in one line."""
    moment = time.strftime("%Y-%m-%d %H:%M", time.localtime(kept["at"]))
    counts = ", ".join(one["text"] for one in kept["counts"])
    about = f"{kept['about'][:1].upper()}{kept['about'][1:]}"
    said = [f"{about} {kept['did']} at {moment}", counts, kept["best"], kept["verdict"].removesuffix(".")]
    return "; ".join(filter(None, said))


def _html(kept: dict[str, Any], png: str, line: str) -> str:
    """Return a picture and a small table, in elements and attributes that readers of notebooks leave in.

    Everything that comes from a search is text.
    """
    say = html.escape
    columns = kept["table"]["columns"]
    parts = [f"<p>{say(line)}.</p>"]
    if kept["shown"]:
        parts.append(f"<p>{say(kept['shown'])}.</p>")
    if png:
        alt = say(f"{kept['plot']} of the {kept['about']}")
        parts.append(f'<img alt="{alt}" width="760" src="data:image/png;base64,{png}">')
    if kept["table"]["rows"]:
        head = "".join(f"<th>{say(column['label'])}</th>" for column in columns)
        rows = "".join(
            f"<tr>{''.join(f'<td>{say(cell)}</td>' for cell in row['cells'])}</tr>" for row in kept["table"]["rows"]
        )
        parts.append(f"<p>{say(kept['table']['caption'])}:</p>")
        parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>")
    if kept["code"]:
        parts.append(f"<p>To continue:</p><pre><code>{say(kept['code'])}</code></pre>")
    return f"<div>{''.join(parts)}</div>"
