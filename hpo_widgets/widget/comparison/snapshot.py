"""What a notebook keeps of what shows several searches, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hpo_widgets.widget import text
from hpo_widgets.widget.parts.snapshot import MOST_LETTERS, SnapshotPart

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ipywidgets import Widget

    from hpo_widgets.search import Search
    from hpo_widgets.widget.comparison.table import ComparisonTable
    from hpo_widgets.widget.sync.refresher import Refresher


class Said(NamedTuple):
    """What is said of several searches: texts are empty where there is nothing to say."""

    name: str
    about: str  # the name within a sentence
    did: str  # in the past tense
    again: str  # how it is seen again
    plot: str  # what is pictured
    counts: Sequence[str]  # how many trials each has
    has_values: bool  # whether there is something to plot
    verdict: tuple[str, str]  # a sentence, and what it rests on
    facts: Sequence[str] = ()
    best: str = ""  # of all
    end: str = ""  # how all has ended, in other words for each end


class ComparisonSnapshot(SnapshotPart):
    """What a notebook keeps of a race, a challenge or a comparison, as ``say`` says, with the first of its tables."""

    def __init__(
        self,
        search: Search,
        *,
        say: Callable[[], Said],
        tables: ComparisonTable,
        pictured: Callable[[], Widget],
        refresher: Refresher,
    ) -> None:
        self._say, self._tables = say, tables
        super().__init__(search, pictured=pictured, refresher=refresher)

    def said_of_end(self) -> str:
        """Say how all has ended."""
        return self._say().end

    def has_values(self) -> bool:
        """Whether there is something to plot."""
        return self._say().has_values

    def words(self) -> dict[str, Any]:
        """Return the searches in words."""
        said = self._say()
        first: dict[str, Any] = self._tables.tables[0]
        verdict, why = said.verdict
        return {
            "name": text.short(said.name, MOST_LETTERS),
            "about": text.short(said.about, MOST_LETTERS),
            "did": said.did,
            "facts": [text.short(fact, MOST_LETTERS) for fact in said.facts],
            "counts": [{"text": text.short(count, MOST_LETTERS), "is_bad": False} for count in said.counts],
            "best": text.short(said.best, MOST_LETTERS),
            "verdict": text.short(verdict, MOST_LETTERS),
            "reason": text.short(why, MOST_LETTERS),
            "plot": said.plot,
            "table": self._kept_table(
                first["title"],
                [(column["label"], column["is_number"]) for column in first["columns"]],
                [("", [cell["text"] for cell in row]) for row in first["rows"]],
            ),
            "again": said.again,
        }
