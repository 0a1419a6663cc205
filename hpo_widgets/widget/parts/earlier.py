"""One line about what earlier runs of the same cell have left running: searches, or races."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import traitlets as t

from hpo_widgets.search import Replays, SearchStatus
from hpo_widgets.widget.assets import asset
from hpo_widgets.widget.parts.part import ViewPart

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ipywidgets import Box, Widget

    from hpo_widgets.optimizer.race import Race
    from hpo_widgets.search import Search
    from hpo_widgets.widget.sync.refresher import Refresher, Update


_Shown = TypeVar("_Shown", bound="Search | Race")


def _earlier_than(one: _Shown, shown: list[weakref.ref[_Shown]]) -> list[_Shown]:
    """Return those of the same name that were shown before this one and are still running, the newest one last.

    This one joins those that were ``shown``. Another view of this very one is not an earlier one.
    """
    known = [other for other in (reference() for reference in shown) if other is not None]
    if not any(other is one for other in known):
        known.append(one)
    shown[:] = map(weakref.ref, known)
    before = known[: next(index for index, other in enumerate(known) if other is one)]
    return [
        other
        for other in before
        if other.id != one.id and other.name == one.name and other.status.is_alive and not isinstance(other, Replays)
    ]


def common_status(running: Sequence[Search | Race]) -> str:
    """Return the status that all have, in a word; where they differ, that they run."""
    statuses = {str(one.status) for one in running}
    return statuses.pop() if len(statuses) == 1 else str(SearchStatus.RUNNING)


class EarlierRuns(ViewPart, Generic[_Shown]):
    """One line about earlier searches or races, with Show and Stop; hidden once all have ended.

    Show has the panel of the newest one that still runs below the panel that the line is part of, in the place of one
    that was shown before.

    Parameters
    ----------
    earlier
        What is still running, the newest one last.
    tell
        Gives the sentence about those that still run, of which there is at least one.
    make
        Makes the panel of one.
    owner, refresher
        The panel that the line is part of, and its refresher.
    """

    _esm = asset("earlier.js")
    _css = asset("earlier.css")

    sentence = t.Unicode(help="The sentence of the line; empty when all have ended.").tag(sync=True)
    num_running = t.Int(0, help="How many still run.").tag(sync=True)

    def __init__(
        self,
        earlier: Sequence[_Shown],
        *,
        tell: Callable[[Sequence[_Shown]], str],
        make: Callable[[_Shown], Widget],
        owner: Box,
        refresher: Refresher,
        **traits: Any,
    ) -> None:
        self._earlier, self._tell, self._make, self._owner = earlier, tell, make, owner
        self._seen: tuple[_Shown, Widget] | None = None
        """The one whose panel is shown, and that panel."""
        self._subscriptions = [one.subscribe(refresher.poke) for one in earlier]
        super().__init__(refresher.search, refresher=refresher, **traits)
        self.add_class("hpo-earlier-host")

    @classmethod
    def than(cls, one: _Shown, shown: list[weakref.ref[_Shown]], **keywords: Any) -> EarlierRuns[_Shown] | None:
        """Make the line about what was shown before this one and still runs.

        Parameters
        ----------
        one
            What is shown now.
        shown
            All that panels of this process have shown, in the order in which they were first shown; this one is added.
        **keywords
            As for the class.

        Returns
        -------
        EarlierRuns or None
            None where nothing of the same name still runs.
        """
        earlier = _earlier_than(one, shown)
        return cls(earlier, **keywords) if earlier else None

    @property
    def _running(self) -> list[_Shown]:
        return [one for one in self._earlier if one.status.is_alive]

    def refresh(self, _update: Update) -> None:
        """Say how far they are."""
        running = self._running
        with self.hold_sync():
            self.num_running = len(running)
            self.sentence = self._tell(running) if running else ""

    def end(self) -> None:
        """Stop following them, and close the panel that was shown."""
        while self._subscriptions:
            self._subscriptions.pop()()
        if self._seen is not None:
            self._seen[1].close()

    def _on_show(self, _content: dict[str, object]) -> None:
        running, before = self._running, self._seen
        if not running or (before is not None and before[0] is running[-1]):
            return
        with self._refresher.lock:
            self._seen = running[-1], self._make(running[-1])
            self._owner.children = [self._owner.children[0], self._seen[1]]
        if before is not None:
            before[1].close()

    def _on_stop(self, _content: dict[str, object]) -> None:
        for one in self._running:
            one.command("stop")
