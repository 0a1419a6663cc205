"""One line about what an earlier run of the same cell has left running: a search, or a race."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import traitlets as t

from hpo_widgets.search import Replays
from hpo_widgets.widget.assets import asset
from hpo_widgets.widget.parts.part import ViewPart

if TYPE_CHECKING:
    from collections.abc import Callable

    from hpo_widgets.search import SearchStatus
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


def earlier_than(one: _Shown, shown: list[weakref.ref[_Shown]]) -> _Shown | None:
    """Return the newest of the same name that was shown before this one and is still running.

    Parameters
    ----------
    one
        What is shown now.
    shown
        All that panels of this process have shown, in the order in which they were first shown; this one is added.

    Returns
    -------
    a search or race
        None where there is none; another view of this very one is not an earlier one.
    """
    known = [other for other in (reference() for reference in shown) if other is not None]
    if not any(other is one for other in known):
        known.append(one)
    shown[:] = map(weakref.ref, known)
    before = known[: next(index for index, other in enumerate(known) if other is one)]
    running = [
        other
        for other in before
        if other.id != one.id and other.name == one.name and other.status.is_alive and not isinstance(other, Replays)
    ]
    return running[-1] if running else None


class EarlierRun(ViewPart):
    """One line about an earlier search or race, with Show and Stop; hidden once that has ended.

    Parameters
    ----------
    earlier
        What is still running.
    tell
        Gives the sentence about it, as long as it runs.
    show
        Called when a person presses Show.
    refresher
        The refresher of the panel that the line is part of.
    """

    _esm = asset("earlier.js")
    _css = asset("earlier.css")

    sentence = t.Unicode(help="The sentence of the line; empty when the earlier one has ended.").tag(sync=True)

    def __init__(
        self,
        earlier: MayRunOn,
        *,
        tell: Callable[[], str],
        show: Callable[[], None],
        refresher: Refresher,
        **traits: Any,
    ) -> None:
        self.earlier = earlier
        self._tell, self._show = tell, show
        self._unsubscribe: Callable[[], None] | None = earlier.subscribe(refresher.poke)
        super().__init__(refresher.search, refresher=refresher, **traits)

    def refresh(self, _update: Update) -> None:
        """Say how far it is."""
        self.sentence = self._tell() if self.earlier.status.is_alive else ""

    def end(self) -> None:
        """Stop following it."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None

    def _on_show(self, _content: dict[str, object]) -> None:
        self._show()

    def _on_stop(self, _content: dict[str, object]) -> None:
        self.earlier.command("stop")
