"""The Export menu: trials, the plot that is seen and the whole panel as files that the page downloads."""

from __future__ import annotations

import codecs
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import traitlets as t

from hpo_widgets.journal import JournalError
from hpo_widgets.search.readable import extras_of
from hpo_widgets.trials.export import Export
from hpo_widgets.widget import text
from hpo_widgets.widget.assets import asset
from hpo_widgets.widget.parts.part import ViewPart
from hpo_widgets.widget.pictures import picture
from hpo_widgets.widget.saved_page import save_html
from hpo_widgets.widget.traits import FilterTrait

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ipywidgets import Widget

    from hpo_widgets.search import Search
    from hpo_widgets.trials.columns import Rows
    from hpo_widgets.widget.sync.refresher import Refresher, Update

_SEVERAL = "With several objectives there is no best trial: select one, its details have its parameters."
_NONE_YET = "No trial has a result yet."
_LONGEST_ID = 40
_KINDS = {
    "csv": "text/csv",
    "json": "application/json",
    "png": "image/png",
    "svg": "image/svg+xml",
    "html": "text/html",
}


class FileMenu(ViewPart):
    """A menu that makes files in the kernel and hands them to the page, which needs no server to save them.

    The plot that is seen comes as PNG or SVG, drawn without a browser; the whole widget as a page that stands alone.

    Parameters
    ----------
    search
        What is shown.
    name
        What files are called, and the page's title.
    plot
        Gives the plot that is seen.
    panel
        Gives what is saved as a page.
    table
        Gives the CSV of a table, where there is one, and what it is called in the menu.
    """

    _esm = asset("export.js")
    _css = asset("export.css")

    files = t.List(t.Dict(), help="The kind of each file that can be made, and what the menu calls it.").tag(sync=True)
    trials = t.Unicode(help="Which trials are exported, in words.").tag(sync=True)
    best = t.Unicode(help="The parameters of the best trial as a dict in Python.").tag(sync=True)

    _tables: Mapping[str, str] = {}
    """What the menu calls each kind of file of trials."""

    def __init__(
        self,
        search: Search,
        *,
        name: str,
        plot: Callable[[], Widget],
        panel: Callable[[], Widget],
        table: tuple[str, Callable[[], str]] | None = None,
        refresher: Refresher | None = None,
        **traits: object,
    ) -> None:
        self._name, self._plot, self._panel, self._table = name, plot, panel, table
        tables = self._tables if table is None else {"csv": table[0]}
        kinds = {**tables, "png": "Plot as PNG", "svg": "Plot as SVG", "html": "Panel as a page"}
        files = [{"what": kind, "text": words} for kind, words in kinds.items()]
        super().__init__(search, refresher=refresher, files=files, commands={"export": None}, **traits)

    def refresh(self, _update: Update) -> None:
        """Change nothing: a file is made when somebody asks for it."""

    def file(self, kind: str) -> tuple[str, bytes, str]:
        """Make a file of a kind of `files`: its name, what is in it, and for trials in words which ones these are."""
        name = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in self._name)[:60]
        data, words = self._contents(kind)
        return f"{name or 'search'}.{kind}", data, words

    def _contents(self, kind: str) -> tuple[bytes, str]:
        if kind in {"png", "svg"}:
            with self._refresher.lock:
                self._refresher.catch_up()
                return picture(self._plot(), kind), ""
        if kind == "csv" and self._table is not None:
            return _csv_file(self._table[1]()), ""
        with tempfile.TemporaryDirectory() as folder:
            return save_html(self._panel(), Path(folder) / "page.html", title=self._name).path.read_bytes(), ""

    def _on_export(self, content: dict[str, object]) -> None:
        """Make a file; every view of every page gets the answer, and knows by the request's id whether it had asked."""
        kind, request = content.get("what"), content.get("id")
        kinds = {one["what"] for one in self.files}
        if not isinstance(request, str) or not isinstance(kind, str) or kind not in kinds:
            self._refuse("a page wants a file of no known kind, or without saying for what")
            return
        request = request[:_LONGEST_ID]
        try:
            name, data, words = self.file(kind)
        except (JournalError, OSError, TypeError, ValueError) as error:
            self.send({"kind": "problem", "id": request, "problem": f"{kind}: {error}"[:300]})
            return
        self.send({"kind": "file", "id": request, "name": name, "type": _KINDS[kind], "words": words}, buffers=[data])


class ExportMenu(FileMenu):
    """The menu of a search: beside plot and page its trials as CSV or JSON, those that pass the filter.

    The parameters of the best trial are a dict for the clipboard.

    Parameters
    ----------
    search, plot, panel, **traits
        As of a `FileMenu`, and the first value of ``filter``.
    """

    _tables = {"csv": "Trials as CSV", "json": "Trials as JSON"}  # noqa: RUF012 -- never changed

    filter = FilterTrait(help="Two-way. The trials that are exported: a TrialFilter, or a dict of its fields.")

    def __init__(
        self, search: Search, *, plot: Callable[[], Widget], panel: Callable[[], Widget], **traits: Any
    ) -> None:
        super().__init__(search, name=search.name, plot=plot, panel=panel, **traits)
        self.observe(lambda _change: self._refresher.poke(), "filter")

    def refresh(self, update: Update) -> None:
        """Say which trials there are, and keep the parameters of the best one at hand: a page may copy at once only."""
        search = update.search
        best = None if len(search.objectives) > 1 else search.best_trial
        with self.hold_sync():
            self.best = "" if best is None else text.as_dict(best.parameters)
            why_not = None if best is not None else _SEVERAL if len(search.objectives) > 1 else _NONE_YET
            self.commands = {"best": why_not, "export": None}
            # The numbers are told with the file: here they would be sent with each trial.
            self.trials = "all trials" if self.filter.is_empty else "trials that pass the filter"

    def _contents(self, kind: str) -> tuple[bytes, str]:
        if kind not in self._tables:
            return super()._contents(kind)
        search = self.search
        everything: Rows = search.snapshot()
        passing, words = everything, text.counted(len(everything), "trial")
        if not self.filter.is_empty:
            passing = everything.where(self.filter.passing(everything, search.space, search.objectives))
            words = f"{len(passing)} of {words}, by the filter"
        export = Export(passing, search.space, search.objectives, extras_of(search, passing))
        if kind == "csv":
            return _csv_file(export.to_csv()), words
        return json.dumps(export.to_records(), ensure_ascii=False).encode(errors="backslashreplace"), words


def _csv_file(table: str) -> bytes:
    """Return a table as UTF-8, with a mark of that where it has letters of which spreadsheets otherwise make others."""
    return (b"" if table.isascii() else codecs.BOM_UTF8) + table.encode(errors="backslashreplace")
