"""What a race, a challenge and a comparison share: they follow several searches as if they were one, by one status."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import ipywidgets

from hpo_widgets.widget.comparison.best_plot import BestSoFarPlot
from hpo_widgets.widget.comparison.snapshot import ComparisonSnapshot, Said
from hpo_widgets.widget.comparison.table import ComparisonTable
from hpo_widgets.widget.parts.export_menu import FileMenu
from hpo_widgets.widget.parts.part import close_tree
from hpo_widgets.widget.parts.snapshot import KeptInNotebook
from hpo_widgets.widget.pictures import WithPicture
from hpo_widgets.widget.sync.refresher import Refresher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from hpo_widgets.search import Search, SearchStatus
    from hpo_widgets.search.comparison import Trace


@dataclass(frozen=True)
class _FollowedVersion:
    """All that a refresher asks of the rows of what it follows here: parts look at the searches themselves.

    Like `Rows` a dataclass, of which the refresher makes one that is anew.
    """

    version: int = 0
    is_anew: bool = False


class _Followed:
    """Several searches, as far as a refresher uses one: ``get_status`` gives the status of all together."""

    def __init__(
        self,
        id: str,  # noqa: A002 -- as a search has it
        get_status: Callable[[], SearchStatus],
        subscribe: Iterable[Callable[[Callable[[], None]], Callable[[], None]]],
    ) -> None:
        self.id, self._get_status, self._subscribe = id, get_status, tuple(subscribe)

    @property
    def status(self) -> SearchStatus:
        return self._get_status()

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        ends = [subscribe(callback) for subscribe in self._subscribe]

        def unsubscribe() -> None:
            for end in ends:
                end()

        return unsubscribe

    def snapshot(self) -> _FollowedVersion:
        return _FollowedVersion()

    def changes_since(self, _version: int) -> _FollowedVersion:
        return _FollowedVersion()


class ComparisonPanel(KeptInNotebook, WithPicture, ipywidgets.VBox):
    """A panel of several searches: the best so far, tables with a verdict, files, and what a notebook keeps.

    Parameters
    ----------
    id, get_status, subscribe
        What a thread is called by, what gives the status of all searches together, and how to hear of changes of each.
    names, value_name, **plot
        The competitors, what the values are, and what else a `BestSoFarPlot` takes.
    label, alone
        As of a `ComparisonTable`.
    file_name, table
        What files are called, and the table that is one of them, as of a `FileMenu`.
    """

    def __init__(
        self,
        id: str,  # noqa: A002 -- as a search has it
        get_status: Callable[[], SearchStatus],
        subscribe: Iterable[Callable[[Callable[[], None]], Callable[[], None]]],
        *,
        names: Sequence[str],
        value_name: str,
        label: str,
        alone: str = "",
        file_name: str,
        table: tuple[str, Callable[[], str]] | None = None,
        **plot: Any,
    ) -> None:
        self._followed = search = cast("Search", _Followed(id, get_status, subscribe))
        self._refresher = refresher = Refresher(search)
        try:
            self._plot = BestSoFarPlot(search, names, self._traces, value_name=value_name, refresher=refresher, **plot)
            self._tables = ComparisonTable(
                search, make=self._make_tables, label=label, alone=alone, refresher=refresher
            )
            self._tables.add_class("hpo-comparison-host")
            self._export = FileMenu(
                search, name=file_name, plot=self._pictured, panel=lambda: self, table=table, refresher=refresher
            )
            parts = self._arrange()
            # Refreshed last: when it says that all has ended, all other parts have shown it.
            self._snapshot = ComparisonSnapshot(
                search, say=self._say, tables=self._tables, pictured=self._pictured, refresher=refresher
            )
            inner = ipywidgets.Box([*parts, self._snapshot])
            inner.add_class("hpo-race-layout")
            super().__init__([inner])
        except BaseException:
            self._end()
            raise
        self.add_class("hpo-panel")
        self.add_class("hpo-race")

    def _arrange(self) -> Sequence[ipywidgets.Widget]:
        """Return what is shown from top to bottom, and have the flow follow the view of one of it."""
        raise NotImplementedError

    def _traces(self) -> Mapping[str, Sequence[Trace]]:
        """Return the best so far of each competitor in each of its repeats."""
        raise NotImplementedError

    def _make_tables(self) -> tuple[list[dict[str, Any]], tuple[str, str]]:
        """Return the tables, and the verdict as a sentence and what it rests on; empty: none."""
        raise NotImplementedError

    def _say(self) -> Said:
        """Say for a notebook what is shown, and how far it is."""
        raise NotImplementedError

    def _pictured(self) -> ipywidgets.Widget:
        return self._plot

    def _end(self) -> None:
        """Free what is no widget."""
        self._refresher.close()

    def close(self) -> None:
        """Stop showing the searches, which go on, and free threads and comms."""
        # A widget whose construction failed is closed when it is collected, too.
        if hasattr(self, "_refresher"):
            self._keep_last_picture()
            self._end()
        close_tree(self)
