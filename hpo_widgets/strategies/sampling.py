"""Strategies that only sample: random search, the whole grid in its order, an even grid of a given size."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from hpo_widgets.strategies.base import Proposal, SearchStrategy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hpo_widgets.objectives import Objective
    from hpo_widgets.space import Space
    from hpo_widgets.strategies.base import Observation

BLOCK = 64  # points drawn at once; part of the sequence's definition, so never change it
_FALLBACK_AFTER = 64  # points already seen in a row before what is left of a finite space is listed
_MOST_REFUSED = 100_000  # random points in a row that a constraint refuses before its space counts as exhausted


class PointStream:
    """The sequence of random points of one space epoch: point n follows from (seed, epoch, n).

    Where the space has priors, points follow them, less and less the more points are drawn (`hpo_widgets.space.prior`).

    NumPy's Philox is keyed by seed and epoch and its counter is set to the number of the block of
    64 points that holds point n, so no point depends on how many were drawn before it.

    Parameters
    ----------
    space
        Where the points lie.
    seed, epoch
        Integers of at least 0.
    """

    def __init__(self, space: Space, seed: int, epoch: int) -> None:
        self._space = space
        self._key = np.random.SeedSequence([seed, epoch]).generate_state(2, np.uint64)
        self._block = -1
        self._points: Sequence[dict[str, Any]] = ()

    def __getitem__(self, n: int) -> dict[str, Any]:
        block, offset = divmod(n, BLOCK)
        if block != self._block:
            self._points = self._space.points(self._units(block))
            self._block = block
        return dict(self._points[offset])

    def first_allowed(self, start: int, allows: Callable[[dict[str, Any]], bool]) -> tuple[int, dict[str, Any]] | None:
        """Return the first point from number ``start`` on that is allowed, with its number.

        Parameters
        ----------
        start
            The number of the first point to look at.
        allows
            Tells whether a point is allowed.

        Returns
        -------
        tuple or None
            Number and point; None where 100,000 points in a row are not allowed.
        """
        for n in range(start, start + _MOST_REFUSED):
            if allows(point := self[n]):
                return n, point
        return None

    def _units(self, block: int) -> np.ndarray:
        philox = np.random.Philox(key=self._key, counter=[0, 0, 0, block])
        units = np.random.Generator(philox).random((BLOCK, self._space.num_dimensions))
        return self._space.follow_priors(units, block * BLOCK)

    def integer(self, n: int, below: int) -> int:
        """Return a number in [0, below), of any size, that follows from (seed, epoch, n) alone.

        Parameters
        ----------
        n
            Which number of the sequence, from 0.
        below
            The number is less than that.

        Returns
        -------
        int
            The number.
        """
        philox = np.random.Philox(key=self._key, counter=[0, 0, 1, n])
        high, low = (int(word) for word in philox.random_raw(2))
        return ((high << 64) | low) * below >> 128


def first_unseen(space: Space, is_seen: Callable[[dict[str, Any]], bool], start: int) -> dict[str, Any] | None:
    """Return the first unseen point of a finite space's grid, searching from ``start`` to the end and from 0 on.

    Parameters
    ----------
    space
        A space of known size.
    is_seen
        Tells which points to leave out.
    start
        An index into the grid.

    Returns
    -------
    dict or None
        The point; None when all are seen.
    """
    grid = space.grid()
    size = grid.size
    for step in range(size):
        point = grid[(start + step) % size]
        if not is_seen(point):
            return point
    return None


class RandomSearch(SearchStrategy):
    """Draw points independently and uniformly: each parameter on its own scale.

    A prior counts in full for the first ``beta`` points (default 10). Its weights are then raised to the power
    ``beta / n``, n being the number of points drawn with it, so that it fades.

    Point n follows from (seed, epoch, n) alone, also after the search is opened again. On a finite
    space, once 64 points in a row were seen already, an unseen point of the grid is taken instead; when there
    is none left, or a constraint has refused 100,000 points in a row, `ask` returns None.

    Parameters
    ----------
    seed
        An integer of at least 0. Default: a fresh one, kept in ``seed``.
    """

    @property
    def title(self) -> str:
        """The display name of the strategy."""
        return "random search"

    def why_no_prior(self) -> str | None:
        """Say nothing: it follows priors."""
        return None

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
        self._stream = PointStream(space, self.seed, epoch)
        self._size = space.size
        self._drawn = draws

    def ask(self) -> Proposal | None:
        """Return the next point, or None when every point of a finite space is seen."""
        size = self._size
        if size is None:
            found = self._stream.first_allowed(self._drawn, self.allows)
            if found is None:
                return None
            draw, point = found
            self._drawn = draw + 1
            return Proposal(point, draw)
        for _ in range(_FALLBACK_AFTER):
            draw = self._drawn
            self._drawn += 1
            point = self._stream[draw]
            if not self.seen(point):
                return Proposal(point, draw)
        draw = self._drawn
        self._drawn += 1
        left = first_unseen(self.space, self.seen, self._stream.integer(draw, size))
        return None if left is None else Proposal(left, draw)


class GridSearch(SearchStrategy):
    """Go through the grid of a space in its order; draw n is point n of the epoch's grid.

    The grid is never built: a grid of 10**12 points costs as much memory as one of 10. A change of
    range begins a new grid, of which the points that were run already are not run again.

    Parameters
    ----------
    seed
        Kept for the record only: a grid has nothing random.
    """

    @property
    def title(self) -> str:
        """The display name of the strategy."""
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
        self._grid, self._size = self._points_of(space)
        self._next = draws

    def _points_of(self, space: Space) -> tuple[Sequence[dict[str, Any]], int]:
        """Return the points of the grid, and how many there are, which may be more than a length can be."""
        grid = space.grid()
        return grid, grid.size

    def ask(self) -> Proposal | None:
        """Return the next point of the grid that is not seen, or None after the last one."""
        while self._next < self._size:
            index = self._next
            self._next += 1
            point = self._grid[index]
            if not self.seen(point):
                return Proposal(dict(point), index)
        return None


class EvenGrid(GridSearch):
    """Go through an even grid of at most ``points`` points over the whole space, whatever the steps of its parameters.

    The range of each parameter, on its own scale, is cut into equal cells with one point in the middle of each. All
    parameters have as equal a number of cells as ``points`` allows. The last parameter varies fastest.

    Parameters
    ----------
    points
        How many points the grid has at most.
    seed
        Kept for the record only: a grid has nothing random.
    """

    def __init__(self, *, points: int, seed: int | None = None) -> None:
        super().__init__(seed=seed)
        if type(points) is not int or points < 1:
            msg = f"points must be a whole number of at least 1, got {points!r}"
            raise ValueError(msg)
        self.points = points

    @property
    def title(self) -> str:
        """The display name of the strategy."""
        return "grid"

    def _points_of(self, space: Space) -> tuple[Sequence[dict[str, Any]], int]:
        cells = even_cells(space, self.points)
        places = np.indices(cells).reshape(len(cells), -1).T
        points = space.points((places + 0.5) / np.array(cells))
        return points, len(points)


def even_cells(space: Space, most: int) -> list[int]:
    """Return the number of cells of each dimension of a space, with at most ``most`` cells in all.

    Parameters
    ----------
    space
        The space.
    most
        Cells in all at most.

    Returns
    -------
    list of int
        One number for each dimension, at most that of its values; as equal as possible, the first ones larger.
    """
    limits = [most] * space.num_dimensions
    for occurrence in space.occurrences:
        if occurrence.dimension is not None:
            leaf = space.active_leaf(occurrence.index)
            limits[occurrence.dimension] = 1 if leaf is None else leaf.num_values or most
    for place in space.sets:
        limits[place.dimension] = max(1, len(space.feasible(place.index)))
    cells = [1] * space.num_dimensions
    while True:
        total = math.prod(cells)
        larger = [
            dimension
            for dimension, count in enumerate(cells)
            if count < limits[dimension] and total // count * (count + 1) <= most
        ]
        if not larger:
            return cells
        cells[min(larger, key=lambda dimension: cells[dimension])] += 1
