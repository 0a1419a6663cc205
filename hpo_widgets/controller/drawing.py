"""Draws from a strategy until a point is new."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    from hpo_widgets.objectives import Objective
    from hpo_widgets.space import Space
    from hpo_widgets.strategies.base import Observation, Proposal, SearchStrategy

MAX_DUPLICATES_IN_A_ROW = 1000
"""After so many repeats in a row the strategy is taken to have nothing new to offer."""


class Drawing:
    """A strategy and what was tried; belongs to the thread that asks the strategy.

    Parameters
    ----------
    seen
        Every point that was tried, encoded; the controller's thread adds to it.
    alone
        Held by the thread that asks the strategy, where that is not the controller's.
    """

    def __init__(
        self,
        strategy: SearchStrategy,
        objectives: tuple[Objective, ...],
        seen: set[tuple[float | None, ...]],
        *,
        allow_duplicates: bool,
        alone: threading.Lock,
    ) -> None:
        self.alone = alone
        self.strategy = strategy
        self.objectives = objectives
        self.seen_keys = seen
        self.allow_duplicates = allow_duplicates
        self.space: Space | None = None
        strategy.seen = self.seen

    def seen(self, point: dict[str, object]) -> bool:
        """Whether the point was tried; ``in`` on a set is atomic, the controller alone adds."""
        if self.space is None or self.allow_duplicates:
            return False
        return tuple(self.space.encode(point)) in self.seen_keys

    def begin(self, space: Space, epoch: int, history: Sequence[Observation], draws: int) -> None:
        """Have the strategy begin a space epoch."""
        self.space = space
        self.strategy.begin(space, self.objectives, epoch, history, draws)

    def draw(self) -> tuple[Proposal, list[float | None]] | None:
        """The next point that was not tried, with its encoded form; None: the strategy offers none."""
        space = self.space
        if space is None:
            return None
        ask, encode, seen_keys = self.strategy.ask, space.encode, self.seen_keys
        checks = not type(self.strategy).__module__.startswith("hpo_widgets.")
        for _ in range(MAX_DUPLICATES_IN_A_ROW):
            proposal = ask()
            if proposal is None:
                return None
            if checks and not space.contains(proposal.point):
                msg = f"proposed {proposal.point!r}, which is not a point of the present space"
                raise ValueError(msg)
            encoded = encode(proposal.point)
            if self.allow_duplicates or tuple(encoded) not in seen_keys:
                return proposal, encoded
            self.strategy.dropped(proposal)
        return None
