"""What the present ranges leave of a layout, and the points that can be made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hpo_widgets.parameters.grids import LazyList, concatenate, product
from hpo_widgets.space.bounds import Limits, within

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from hpo_widgets.parameters import LeafParameter
    from hpo_widgets.space.layout import Layout, SetOccurrence

Point = dict[str, Any]
Range = tuple[Any, ...]


class Options:
    """What may be chosen in one space epoch; never changes.

    Parameters
    ----------
    layout
        The parameters as declared.
    limits
        Hard bounds by name.
    changed
        Ranges that differ from the declared ones, by name.

    Attributes
    ----------
    leaves : dict of str to LeafParameter
        Each name's parameter with its present range.
    active : list of LeafParameter or None
        What each occurrence gives; None where the present range leaves it no value.
    feasible : list of tuple of int
        For each ParameterSet the combinations that are left.
    top_sets : list of SetOccurrence
        The sets that every point has a combination of.

    Raises
    ------
    ValueError
        When no combination of a ParameterSet is left.
    """

    def __init__(self, layout: Layout, limits: Limits, changed: Mapping[str, Range]) -> None:
        self._layout = layout
        self.leaves: dict[str, LeafParameter] = {}
        self.active: list[LeafParameter | None] = [None] * len(layout.occurrences)
        for name, column in layout.columns.items():
            range_ = changed.get(name)
            leaf = column.parameter
            if range_ is not None:
                leaf = leaf.with_range(range_, limits.get(name))
            self.leaves[name] = leaf
            for index in column.occurrences:
                own = layout.occurrences[index].parameter
                if own == column.parameter:
                    self.active[index] = leaf
                else:
                    self.active[index] = own if range_ is None else within(own, column.parameter, leaf.range)
        self.feasible: list[tuple[int, ...]] = [()] * len(layout.sets)
        for place in reversed(layout.sets):  # inner before outer
            self.feasible[place.index] = tuple(
                number
                for number, (leaves, sets) in enumerate(place.combinations)
                if all(self.active[index] is not None for index in leaves)
                and all(self.feasible[index] for index in sets)
            )
        self.top_sets = [layout.sets[index] for is_set, index in layout.top if is_set]
        for place in self.top_sets:
            if not self.feasible[place.index]:
                names = ", ".join(map(repr, sorted(place.names & changed.keys())))
                raise ValueError(f"these ranges leave no combination of the ParameterSet: allow more for {names}")
        top = [layout.occurrences[index] for is_set, index in layout.top if not is_set]
        self._top_names = [occurrence.name for occurrence in top]
        self._top_leaves = [(occurrence.dimension, self._some(occurrence.index)) for occurrence in top]

    def _some(self, occurrence: int) -> LeafParameter:
        """Return what an occurrence of the top level or of a feasible combination gives."""
        leaf = self.active[occurrence]
        if leaf is None:  # pragma: no cover - the feasible combinations are chosen by this
            raise LookupError(f"{self._layout.occurrences[occurrence].name!r} has no value in these ranges")
        return leaf

    def points(self, u: npt.NDArray[np.float64]) -> list[Point]:
        """Turn rows of uniform numbers into points; see `Space.points`."""
        u = np.asarray(u, dtype=np.float64)
        if u.ndim != 2 or u.shape[1] != self._layout.num_dimensions:
            raise ValueError(f"unit numbers must have shape (n, {self._layout.num_dimensions}), got {u.shape}")
        values = [leaf.from_unit(u[:, dimension]) for dimension, leaf in self._top_leaves]
        names = self._top_names
        points: list[Point] = (
            [dict(zip(names, row)) for row in zip(*values)]  # noqa: B905 - equal by construction, and the hot line
            if values
            else [{} for _ in range(len(u))]
        )
        if self.top_sets:
            rows = np.arange(len(u))
            for place in self.top_sets:
                self._fill(place, u, rows, points)
        return points

    def _fill(
        self, place: SetOccurrence, u: npt.NDArray[np.float64], rows: npt.NDArray[np.intp], points: list[Point]
    ) -> None:
        """Choose a combination for each of some rows and write its values into their points."""
        feasible = self.feasible[place.index]
        chosen = np.minimum((u[rows, place.dimension] * len(feasible)).astype(np.int64), len(feasible) - 1)
        for which, number in enumerate(feasible):
            members = rows[chosen == which]
            if not len(members):
                continue
            leaves, sets = place.combinations[number]
            for index in leaves:
                leaf, occurrence = self._some(index), self._layout.occurrences[index]
                unit = np.zeros(len(members)) if occurrence.dimension is None else u[members, occurrence.dimension]
                for row, value in zip(members.tolist(), leaf.from_unit(unit), strict=True):
                    points[row][occurrence.name] = value
            for index in sets:
                self._fill(self._layout.sets[index], u, members, points)

    @property
    def size(self) -> int | None:
        """Number of points, None when one range is continuous."""
        return self._size(self._layout.top)

    def _size(self, parts: Sequence[tuple[bool, int]]) -> int | None:
        total = 1
        for is_set, index in parts:
            if is_set:
                counts = [self._size(_parts(self._layout.sets[index], number)) for number in self.feasible[index]]
                count = None if None in counts else sum(filter(None, counts))
            else:
                count = self._some(index).num_values
            if count is None:
                return None
            total *= count
        return total

    def grid(self) -> LazyList[Point]:
        """List every point, made on demand; see `Space.grid`."""
        return product(self._lists(self._layout.top))

    def _lists(self, parts: Sequence[tuple[bool, int]]) -> list[LazyList[Point]]:
        lists: list[LazyList[Point]] = []
        for is_set, index in parts:
            if is_set:
                place = self._layout.sets[index]
                lists.append(
                    concatenate([product(self._lists(_parts(place, number))) for number in self.feasible[index]])
                )
            else:
                lists.append(self._some(index).to_list())
        return lists


def _parts(place: SetOccurrence, number: int) -> list[tuple[bool, int]]:
    leaves, sets = place.combinations[number]
    return [(False, index) for index in leaves] + [(True, index) for index in sets]
