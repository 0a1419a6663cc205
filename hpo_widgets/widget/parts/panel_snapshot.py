"""What a notebook keeps of the panel of a search, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hpo_widgets.search import SearchStatus
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import text
from hpo_widgets.widget.parts.snapshot import DID, MOST_IN_A_CELL, MOST_LETTERS, SnapshotPart

if TYPE_CHECKING:
    from collections.abc import Callable

    from hpo_widgets.search import Search
    from hpo_widgets.widget.parts.filter_bar import FilterBar
    from hpo_widgets.widget.parts.status import StatusPanel
    from hpo_widgets.widget.parts.table import TrialTable
    from hpo_widgets.widget.plots.plot import Plot
    from hpo_widgets.widget.sync.refresher import Refresher

_MOST_ROWS, _MOST_PARAMETERS, _MOST_FACTS = 5, 24, 8
_NOT_ENDED = frozenset({TrialState.RUNNING.label, TrialState.QUEUED.label})


class PanelSnapshot(SnapshotPart):
    """What a notebook keeps of the panel of a search.

    Its words are those of the status panel, the table's first rows, the filter's conditions, and the title of the plot.
    """

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
        super().__init__(search, pictured=lambda: plot()[1], refresher=refresher, **traits)

    def said_of_end(self) -> str:
        """Say how the search has ended, and with how many trials."""
        search = self.search
        has_ended = search.status is not SearchStatus.IDLE and not search.status.is_alive
        return f"{search.status}, {text.counted(sum(search.counts.values()), 'trial')}" if has_ended else ""

    def has_values(self) -> bool:
        """Whether a trial has ended."""
        return bool(text.ended(self.search.counts))

    def words(self) -> dict[str, Any]:
        """Return the search in words."""
        search, status = self.search, self._status
        columns, rows = self._table.shown_rows(_MOST_ROWS)
        word = status.pill.get("word", status.status)
        best: dict[str, str] | None = status.best
        title, _plot = self._plot()
        name = text.short(status.title, MOST_LETTERS)
        return {
            "name": name,
            "about": f"search {name!r}",
            "did": DID.get(word, word),
            "facts": [text.short(fact, MOST_LETTERS) for fact in status.facts[:_MOST_FACTS]],
            # Running trials are counted beside.
            "budgets": [{**line, "text": line["text"].partition(",")[0]} for line in status.budgets],
            "counts": [
                {"text": _count(one["label"], one["number"]), "is_bad": one["is_bad"]}
                for one in status.counts
                if one["number"] or one["label"] not in _NOT_ENDED
            ],
            "best": "" if best is None else _best(best, has_front=status.has_front),
            "has_front": status.has_front,
            "reason": text.short(status.sentence, MOST_LETTERS),
            "space": [
                {
                    "name": text.short(name, MOST_IN_A_CELL),
                    "range": text.short(text.range_in_words(chosen, search.space.leaf(name).kind), MOST_IN_A_CELL),
                }
                for name, chosen in list(search.space.ranges.items())[:_MOST_PARAMETERS]
            ],
            "shown": text.short(self._filter_bar.sentence, MOST_LETTERS),
            "plot": text.short(title, MOST_IN_A_CELL),
            "table": self._kept_table(
                self._table.caption(_MOST_ROWS),
                [(column["label"], column["kind"] in {"number", "seconds"}) for column in columns],
                [(row["mark"], row["cells"]) for row in rows],
            ),
            "code": text.opening_code(search),
        }


def _count(label: str, number: int) -> str:
    if label in _NOT_ENDED:
        return f"{number} {'was' if number == 1 else 'were'} {label}"
    return f"{number} {label}"


def _best(best: dict[str, str], *, has_front: bool) -> str:
    return best["value"] if has_front else f"best {best['value']} at {best['trial']}{best['note']}"
