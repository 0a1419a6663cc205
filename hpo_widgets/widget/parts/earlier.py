"""A cell that is run again makes a new search: the panel says so when the earlier one is still running."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

import traitlets as t

from hpo_widgets.widget.assets import asset
from hpo_widgets.widget.parts.part import ViewPart

if TYPE_CHECKING:
    from collections.abc import Callable

    from hpo_widgets.search import Search
    from hpo_widgets.widget.sync.refresher import Refresher, Update

# Every search that a panel of this process has shown, in the order in which they were first shown.
_shown: list[weakref.ref[Search]] = []


def earlier_than(search: Search) -> Search | None:
    """Return the newest search of the same name that was shown before ``search`` and is still running."""
    known = [other for other in (reference() for reference in _shown) if other is not None]
    if not any(other is search for other in known):
        known.append(search)
    _shown[:] = map(weakref.ref, known)
    before = known[: next(index for index, other in enumerate(known) if other is search)]
    running = [other for other in before if other.name == search.name and other.status.is_alive]
    return running[-1] if running else None


class EarlierSearch(ViewPart):
    """One line about an earlier search, with Show and Stop; gone when that search has ended.

    Parameters
    ----------
    earlier
        The search that is still running.
    show
        Called when a person wants to see it.
    refresher
        The refresher of the panel that the line is part of.
    """

    _esm = asset("earlier.js")
    _css = asset("earlier.css")

    sentence = t.Unicode(help="What is said; nothing when the earlier search has ended.").tag(sync=True)

    def __init__(self, earlier: Search, *, show: Callable[[], None], refresher: Refresher) -> None:
        self.earlier = earlier
        self._show = show
        self._unsubscribe: Callable[[], None] | None = earlier.subscribe(refresher.poke)
        super().__init__(refresher.search, refresher=refresher)

    def refresh(self, _update: Update) -> None:
        """Say how far the earlier search is."""
        earlier = self.earlier
        if earlier.status.is_alive:
            count = sum(earlier.counts.values())
            self.sentence = f"An earlier search {earlier.name!r} is still {earlier.status}: {count} trials so far."
        else:
            self.sentence = ""

    def end(self) -> None:
        """Stop following the earlier search."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None

    def _on_show(self, _content: dict[str, object]) -> None:
        self._show()

    def _on_stop(self, _content: dict[str, object]) -> None:
        self.earlier.command("stop")
