"""Grid search: every point of the grid, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpo_widgets.strategies.base import Proposal, SearchStrategy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hpo_widgets.objectives import Objective
    from hpo_widgets.space import Space
    from hpo_widgets.strategies.base import Observation


class GridSearch(SearchStrategy):
    """Go through the grid of a space in its order; draw n is point n of the epoch's grid.

    The grid is never built: a grid of 10**12 points costs as much memory as one of 10. A change of
    range begins a new grid, from which the points that were run already are left out.

    Parameters
    ----------
    seed
        Kept for the record only: a grid has nothing random.
    """

    @property
    def title(self) -> str:
        """What a person calls the strategy."""
        return "grid search"

    def begin(
        self,
        space: Space,
        objectives: Sequence[Objective],
        epoch: int,
        history: Sequence[Observation],
        draws: int,
    ) -> None:
        """Start on a space. See `SearchStrategy.begin`."""
        super().begin(space, objectives, epoch, history, draws)
        self._grid = space.grid()
        self._size = self._grid.size
        self._next = draws

    def ask(self) -> Proposal | None:
        """Return the next point of the grid that is not seen, or None after the last one."""
        while self._next < self._size:
            index = self._next
            self._next += 1
            point = self._grid[index]
            if not self.seen(point):
                return Proposal(dict(point), index)
        return None
