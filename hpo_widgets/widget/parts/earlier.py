"""One line about what earlier runs of the same cell have left running: searches, or races."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import traitlets as t

from hpo_widgets.search import Replays, SearchStatus
from hpo_widgets.widget.assets import asset
from hpo_widgets.widget.parts.part import ViewPart

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hpo_widgets.widget.sync.refresher import Refresher, Update


class MayRunOn(Protocol):
    """A search or a race, as far as the line speaks of it."""

    @property
    def id(self) -> str:
        """What no other one has."""
        ...

    @property
    def name(self) -> str:
        """What it is called: the same, when its cell is run again."""
        ...

    @property
    def status(self) -> SearchStatus:
        """What it is doing."""
        ...

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have ``callback`` called after each change; returns what ends that."""
        ...

    def command(self, name: str, /) -> None:
        """Ask for a command, such as ``stop``."""
        ...


_Shown = TypeVar("_Shown", bound=MayRunOn)


def earlier_than(one: _Shown, shown: list[weakref.ref[_Shown]]) -> list[_Shown]:
    """Return those of the same name that were shown before this one and are still running.

    Parameters
    ----------
    one
        What is shown now.
    shown
        All that panels of this process have shown, in the order in which they were first shown; this one is added.

    Returns
    -------
    list of searches or races
        The newest one last; another view of this very one is not an earlier one.
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


def common_status(running: Sequence[MayRunOn]) -> str:
    """Return the status that all have, in a word; where they differ, that they run."""
    statuses = {str(one.status) for one in running}
    return statuses.pop() if len(statuses) == 1 else str(SearchStatus.RUNNING)


class EarlierRuns(ViewPart, Generic[_Shown]):
    """One line about earlier searches or races, with Show and Stop; hidden once all have ended.

    Parameters
    ----------
    earlier
        What is still running, the newest one last.
    tell
        Gives the sentence about those that still run, of which there is at least one.
    show
        Called with the newest that still runs when a person presses Show.
    refresher
        The refresher of the panel that the line is part of.
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
        show: Callable[[_Shown], None],
        refresher: Refresher,
        **traits: Any,
    ) -> None:
        self._earlier = earlier
        self._tell, self._show = tell, show
        self._subscriptions = [one.subscribe(refresher.poke) for one in earlier]
        super().__init__(refresher.search, refresher=refresher, **traits)

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
        """Stop following them."""
        while self._subscriptions:
            self._subscriptions.pop()()

    def _on_show(self, _content: dict[str, object]) -> None:
        if running := self._running:
            self._show(running[-1])

    def _on_stop(self, _content: dict[str, object]) -> None:
        for one in self._running:
            one.command("stop")
