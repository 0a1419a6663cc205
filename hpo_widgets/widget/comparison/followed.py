"""How a widget follows several searches as if they were one: by one flag, and one status."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hpo_widgets.search import Search, SearchStatus


@dataclass(frozen=True)
class _FollowedVersion:
    """All that a refresher asks of the rows of what it follows here: parts look at the searches themselves.

    Like `Rows` a dataclass, of which the refresher makes one that is anew.
    """

    version: int = 0
    is_anew: bool = False


class Followed:
    """Several searches, as the refresher of what shows them together follows them.

    Parameters
    ----------
    id
        What the refresher's thread is called by.
    status
        Gives the status of all together.
    subscribe
        How to hear of the changes of each.
    """

    def __init__(
        self,
        id: str,  # noqa: A002 -- as a search has it
        status: Callable[[], SearchStatus],
        subscribe: Iterable[Callable[[Callable[[], None]], Callable[[], None]]],
    ) -> None:
        self.id = id
        self._status = status
        self._subscribe = tuple(subscribe)

    @property
    def status(self) -> SearchStatus:
        """What they are doing."""
        return self._status()

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have ``callback`` called after a change of any of them; returns the function that ends it."""
        ends = [subscribe(callback) for subscribe in self._subscribe]

        def unsubscribe() -> None:
            for end in ends:
                end()

        return unsubscribe

    def snapshot(self) -> _FollowedVersion:
        """Say that there is something to show."""
        return _FollowedVersion()

    def changes_since(self, _version: int) -> _FollowedVersion:
        """Say that there is something to show."""
        return _FollowedVersion()

    def as_search(self) -> Search:
        """Return this, typed as what a refresher takes: of a search it uses no more than there is here."""
        return cast("Search", self)
