"""What a search may try in one space epoch: all parameters with their current ranges."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hpo_widgets.choices import UnknownChoice, python_value
from hpo_widgets.grids import LazyList, concatenate, product
from hpo_widgets.layout import Condition, Layout, Occurrence, SetOccurrence
from hpo_widgets.messages import near_match
from hpo_widgets.parameters import DiscreteParameterRange, Kind, LeafParameter, NumericParameter, Parameter, check_limits
from hpo_widgets.space_json import space_from_json, space_to_json

Point = dict[str, Any]
Range = tuple[Any, ...]


class ColumnSpec(NamedTuple):
    """What is stored under one name.

    Attributes
    ----------
    name : str
        Full name.
    kind : {"float", "log", "int", "choice"}
        What the values are.
    labels : tuple of str or None
        Text of each declared choice; None for numbers.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...] | None


class Space:
    """All parameters with their current ranges; never changes.

    Parameters
    ----------
    parameters : sequence of Parameter
        Ours or the ClearML SDK's.
    limits : mapping of str to (low, high), optional
        Hard bounds, in values, beyond which no range may be widened; None or infinity for no bound.

    Raises
    ------
    ValueError
        For an empty space, a name that is set twice, limits that fall, do not hold the declared range or name
        an unknown parameter.
    TypeError
        For something that is no parameter.
    """

    def __init__(self, parameters: Sequence[Any], limits: Mapping[str, Any] | None = None) -> None:
        self._layout = Layout(parameters)
        self._limits = _checked_limits(self._layout, limits or {})
        self._changed: dict[str, Range] = {}
        self._settle()

    @classmethod
    def _epoch(cls, layout: Layout, limits: dict[str, tuple[Any, Any]], changed: dict[str, Range]) -> Space:
        space = cls.__new__(cls)
        space._layout, space._limits, space._changed = layout, limits, changed
        space._settle()
        return space

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.parameters, self._limits, self._changed)

    def _settle(self) -> None:
        """Work out what each occurrence gives under the current ranges, and which combinations are left."""
        layout = self._layout
        self._leaves: dict[str, LeafParameter] = {}
        # A leaf per occurrence; None where the current range leaves it no value.
        self._active: list[LeafParameter | None] = [None] * len(layout.occurrences)
        for name, column in layout.columns.items():
            range_ = self._changed.get(name)
            leaf = column.parameter
            if range_ is not None:
                leaf = leaf.with_range(range_, self._limits.get(name))
            self._leaves[name] = leaf
            for index in column.occurrences:
                own = layout.occurrences[index].parameter
                if own == column.parameter:
                    self._active[index] = leaf
                else:
                    self._active[index] = own if range_ is None else _within(own, column.parameter, leaf.range)
        self._feasible: list[tuple[int, ...]] = [()] * len(layout.sets)
        for place in reversed(layout.sets):  # inner before outer
            self._feasible[place.index] = tuple(
                number
                for number, (leaves, sets) in enumerate(place.combinations)
                if all(self._active[index] is not None for index in leaves)
                and all(self._feasible[index] for index in sets)
            )
        for is_set, index in layout.top:
            if is_set and not self._feasible[index]:
                changed = sorted(layout.sets[index].names & self._changed.keys())
                raise ValueError(
                    f"these ranges leave no combination of the ParameterSet: allow more for {', '.join(map(repr, changed))}"
                )
        self._encoders = [self._encoder(name) for name in layout.columns]
        self._top_leaves = [
            (layout.occurrences[index].dimension, self._active[index]) for is_set, index in layout.top if not is_set
        ]
        self._top_names = [layout.occurrences[index].name for is_set, index in layout.top if not is_set]
        self._top_sets = [layout.sets[index] for is_set, index in layout.top if is_set]

    # ---------------------------------------------------------------- what there is

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters as declared."""
        return self._layout.parameters

    @property
    def names(self) -> tuple[str, ...]:
        """All names in a fixed order, also those that only some combinations set."""
        return tuple(self._layout.columns)

    @property
    def limits(self) -> Mapping[str, tuple[Any, Any]]:
        """Hard bounds by name; a name without bounds is absent."""
        return MappingProxyType(self._limits)

    @property
    def ranges(self) -> Mapping[str, Range]:
        """Current range of every name, in values: ``(low, high)`` or the allowed choices."""
        return MappingProxyType({name: leaf.range for name, leaf in self._leaves.items()})

    def leaf(self, name: str) -> LeafParameter:
        """Return the leaf parameter of a name, with its current range.

        Where combinations share a name, it is one range or list of choices round the values of all.

        Raises
        ------
        ValueError
            For an unknown name, with a near match.
        """
        if name not in self._leaves:
            raise ValueError(f"the space has no parameter {name!r}. {near_match(name, self.names)}")
        return self._leaves[name]

    @property
    def columns(self) -> tuple[ColumnSpec, ...]:
        """What is stored under each name, in the order of `names`."""
        return tuple(
            ColumnSpec(name, leaf.kind, leaf.labels if isinstance(leaf, DiscreteParameterRange) else None)
            for name, leaf in self._leaves.items()
        )

    @property
    def num_dimensions(self) -> int:
        """Unit coordinates that one point needs; the same in every epoch."""
        return self._layout.num_dimensions

    @property
    def lost_choices(self) -> tuple[str, ...]:
        """Names with choices whose values a stored search could not hold."""
        return tuple(
            name
            for name, leaf in self._leaves.items()
            if any(isinstance(value, UnknownChoice) for value in leaf.declared)
        )

    # ---------------------------------------------------------------- conditions

    @property
    def occurrences(self) -> tuple[Occurrence, ...]:
        """Every place where a leaf or a constant stands, as declared, with the conditions it depends on."""
        return self._layout.occurrences

    @property
    def sets(self) -> tuple[SetOccurrence, ...]:
        """Every ParameterSet, outer before inner, with the conditions it depends on."""
        return self._layout.sets

    @property
    def conditions(self) -> Mapping[str, tuple[tuple[Condition, ...], ...]]:
        """For each name the alternatives under which it is part of a point.

        ``((),)`` for a name that always is. An alternative holds when all its conditions do.
        """
        return MappingProxyType({
            name: tuple(self._layout.occurrences[index].conditions for index in column.occurrences)
            for name, column in self._layout.columns.items()
        })

    def active_leaf(self, occurrence: int) -> LeafParameter | None:
        """Return what an occurrence gives under the current ranges, None when nothing is left of it."""
        return self._active[occurrence]

    def feasible(self, parameter_set: int) -> tuple[int, ...]:
        """Return the combinations of a ParameterSet that the current ranges leave."""
        return self._feasible[parameter_set]

    def selections(self, point: Mapping[str, Any]) -> tuple[int | None, ...] | None:
        """Tell which combination of each ParameterSet a point uses.

        Returns
        -------
        tuple of int or None
            In the order of `sets`, None for a set that is not part of the point; None altogether when
            the point does not belong to the space or lies outside its ranges.
        """
        return self._match(point, lambda index, value: (leaf := self._active[index]) is not None and leaf.contains(value))

    def _match(
        self, point: Mapping[str, Any], accepts: Callable[[int, Any], bool]
    ) -> tuple[int | None, ...] | None:
        layout = self._layout
        chosen: list[int | None] = [None] * len(layout.sets)
        rest = set(point)
        for is_set, index in layout.top:
            if is_set:
                names = layout.sets[index].names & rest
                if not self._match_set(index, point, names, accepts, chosen):
                    return None
                rest -= names
            else:
                name = layout.occurrences[index].name
                if name not in rest or not accepts(index, point[name]):
                    return None
                rest.discard(name)
        return None if rest else tuple(chosen)

    def _match_set(
        self,
        which: int,
        point: Mapping[str, Any],
        names: set[str] | frozenset[str],
        accepts: Callable[[int, Any], bool],
        chosen: list[int | None],
    ) -> bool:
        layout = self._layout
        for number, (leaves, sets) in enumerate(layout.sets[which].combinations):
            own = [layout.occurrences[index].name for index in leaves]
            if not names.issuperset(own):
                continue
            rest = names.difference(own)
            inner = [(index, layout.sets[index].names & rest) for index in sets]
            if rest.difference(*(below for _, below in inner)):
                continue
            trial = list(chosen)
            trial[which] = number
            if all(accepts(index, point[name]) for index, name in zip(leaves, own, strict=True)) and all(
                self._match_set(index, point, below, accepts, trial) for index, below in inner
            ):
                chosen[:] = trial
                return True
        return False

    # ---------------------------------------------------------------- other epochs

    def with_ranges(self, ranges: Mapping[str, Sequence[Any]]) -> Space:
        """Return the next epoch: this space with some ranges changed.

        Parameters
        ----------
        ranges : mapping of str to sequence
            ``(low, high)`` in values, or the allowed choices. A combination of a ParameterSet that is left
            without a value for one of its names is not drawn any more.

        Raises
        ------
        ValueError
            For an unknown name (with a near match), a range that falls, is not finite, leaves its limits or
            holds no value, and when no combination of a ParameterSet is left.
        """
        changed = dict(self._changed)
        for name, range_ in ranges.items():
            self.leaf(name)
            leaf = self._layout.columns[name].parameter.with_range(range_, self._limits.get(name))
            changed[name] = leaf.range
        return self._epoch(self._layout, self._limits, changed)

    # ---------------------------------------------------------------- points

    def points(self, u: npt.NDArray[np.float64]) -> list[Point]:
        """Turn uniform numbers into points.

        Parameters
        ----------
        u : ndarray, shape (n, num_dimensions)
            Numbers in [0, 1).

        Returns
        -------
        list of dict
            n points inside the current ranges. Names of combinations that are not chosen are absent.
        """
        u = np.asarray(u, dtype=np.float64)
        if u.ndim != 2 or u.shape[1] != self.num_dimensions:  # noqa: PLR2004 - rows and columns
            raise ValueError(f"unit numbers must have shape (n, {self.num_dimensions}), got {u.shape}")
        values = [leaf.from_unit(u[:, dimension]) for dimension, leaf in self._top_leaves]  # type: ignore[union-attr]
        names = self._top_names
        points: list[Point] = (
            [dict(zip(names, row)) for row in zip(*values)]  # noqa: B905 - equal by construction, and the hot line
            if values
            else [{} for _ in range(len(u))]
        )
        if self._top_sets:
            rows = np.arange(len(u))
            for place in self._top_sets:
                self._fill(place, u, rows, points)
        return points

    def _fill(self, place: SetOccurrence, u: npt.NDArray[np.float64], rows: npt.NDArray[np.intp], points: list[Point]) -> None:
        """Choose a combination for each of some rows and write its values into their points."""
        feasible = self._feasible[place.index]
        chosen = np.minimum((u[rows, place.dimension] * len(feasible)).astype(np.int64), len(feasible) - 1)
        for which, number in enumerate(feasible):
            members = rows[chosen == which]
            if not len(members):
                continue
            leaves, sets = place.combinations[number]
            for index in leaves:
                leaf, occurrence = self._active[index], self._layout.occurrences[index]
                assert leaf is not None  # noqa: S101 - combinations without a value are not feasible
                unit = np.zeros(len(members)) if occurrence.dimension is None else u[members, occurrence.dimension]
                for row, value in zip(members.tolist(), leaf.from_unit(unit), strict=True):
                    points[row][occurrence.name] = value
            for index in sets:
                self._fill(self._layout.sets[index], u, members, points)

    def contains(self, point: Mapping[str, Any]) -> bool:
        """Tell whether a point is one that the current ranges can give."""
        return self.selections(point) is not None

    @property
    def size(self) -> int | None:
        """Number of points when every range has steps or choices, None when one is continuous."""
        return self._size(self._layout.top)

    def _size(self, parts: Sequence[tuple[bool, int]]) -> int | None:
        total = 1
        for is_set, index in parts:
            if is_set:
                counts = [self._size(_parts(self._layout.sets[index], number)) for number in self._feasible[index]]
                count = None if None in counts else sum(filter(None, counts))
            else:
                leaf = self._active[index]
                count = None if leaf is None else leaf.num_values
            if count is None:
                return None
            total *= count
        return total

    def grid(self) -> LazyList[Point]:
        """List every point, made on demand; the last parameter varies fastest.

        A continuous range is cut into 100 equal steps, of the exponent where it is logarithmic, as in ClearML.
        The list's ``size`` is exact where `len` overflows.
        """
        return product(self._lists(self._layout.top))

    def _lists(self, parts: Sequence[tuple[bool, int]]) -> list[LazyList[Point]]:
        lists: list[LazyList[Point]] = []
        for is_set, index in parts:
            if is_set:
                place = self._layout.sets[index]
                lists.append(
                    concatenate([product(self._lists(_parts(place, number))) for number in self._feasible[index]])
                )
            else:
                leaf = self._active[index]
                assert leaf is not None  # noqa: S101 - only feasible combinations are listed
                lists.append(leaf.to_list())
        return lists

    def normalise(self, point: Mapping[str, Any]) -> Point:
        """Return a point given by hand with the values that were meant, whatever the current ranges.

        numpy scalars become Python ones, 2.0 becomes 2 for a whole number, a choice must be declared with
        the same type.

        Raises
        ------
        ValueError
            For unknown names (with a near match), missing names, values of a wrong type or beyond hard
            limits, and names that no combination of a ParameterSet sets together.
        """
        if not isinstance(point, Mapping):
            raise ValueError(f"a point is a dict of parameter names and values, got {point!r}")  # noqa: TRY004
        values: Point = {}
        for name, value in point.items():
            leaf = self.leaf(name)
            values[name] = leaf.normalise(value)
            if isinstance(leaf, NumericParameter):
                check_limits(name, (values[name], values[name]), self._limits.get(name))
        for is_set, index in self._layout.top:
            if not is_set and (name := self._layout.occurrences[index].name) not in values:
                raise ValueError(f"the point lacks a value for {name!r}")
        if self.selections(values) is None and self._match(values, self._could_be) is None:
            sets = [place.names for place in self._top_sets if place.names & values.keys()] or [
                place.names for place in self._top_sets
            ]
            given = {name: value for name, value in values.items() if any(name in names for names in sets)}
            raise ValueError(f"no combination of the ParameterSet has exactly {given!r}")
        return {name: values[name] for name in self.names if name in values}

    def _could_be(self, index: int, value: Any) -> bool:
        """Tell whether a value fits an occurrence apart from its range."""
        leaf = self._layout.occurrences[index].parameter
        if isinstance(leaf, DiscreteParameterRange):
            return leaf.table.index_of(value) is not None
        return True

    # ---------------------------------------------------------------- stored forms

    def encode(self, point: Mapping[str, Any]) -> list[float | None]:
        """Return a point as numbers in the order of `names`: choices by index, None for absent names."""
        return [encoder(point) for encoder in self._encoders]

    def _encoder(self, name: str) -> Callable[[Mapping[str, Any]], float | None]:
        leaf = self._leaves[name]
        if not isinstance(leaf, DiscreteParameterRange):
            return lambda point: point.get(name)
        index_of = leaf.table.index_of

        def encode(point: Mapping[str, Any]) -> int | None:
            if name not in point:
                return None
            index = index_of(point[name])
            if index is None:
                raise ValueError(f"{point[name]!r} is no choice of {name!r}")
            return index

        return encode

    def decode(self, row: Sequence[float | None]) -> Point:
        """Return the point that `encode` wrote."""
        point: Point = {}
        for (name, leaf), number in zip(self._leaves.items(), row, strict=True):
            if number is None:
                continue
            if leaf.kind == "choice":
                point[name] = leaf.declared[int(number)]
            else:
                point[name] = int(number) if leaf.kind == "int" else float(number)
        return point

    def key(self, point: Mapping[str, Any]) -> tuple[float | None, ...]:
        """Return a hashable that two points share only when they are equal, types included."""
        return tuple([encoder(point) for encoder in self._encoders])

    def to_dict(self) -> dict[str, Any]:
        """Return a form of JSON values only.

        Choices are stored with index, label and type, and with their value where JSON can hold it.
        """
        return space_to_json(self._layout, self._limits, self._changed)

    @classmethod
    def from_dict(cls, form: Mapping[str, Any], choices: Mapping[str, Sequence[Any]] | None = None) -> Space:
        """Return the space that `to_dict` wrote.

        Parameters
        ----------
        form : mapping
            What `to_dict` returned.
        choices : mapping of str to sequence, optional
            The declared values of parameters whose choices JSON cannot hold. Without them such choices
            become place holders that show their label; see `lost_choices`.

        Raises
        ------
        ValueError
            When the given choices are not the stored ones.
        """
        parameters, limits, changed = space_from_json(form, choices or {})
        space = cls(parameters, limits)
        if not changed:
            return space
        ranges = {
            name: tuple(space.leaf(name).declared[index] for index in range_)
            if space.leaf(name).kind == "choice"
            else tuple(range_)
            for name, range_ in changed.items()
        }
        return space.with_ranges(ranges)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Space):
            return NotImplemented
        return (
            self.parameters == other.parameters
            and self._limits == other._limits
            and list(self._leaves.values()) == list(other._leaves.values())
        )

    def __hash__(self) -> int:
        return hash((self.parameters, tuple(self._leaves.values())))

    def __repr__(self) -> str:
        return f"Space({list(self._leaves.values())!r})"


def _rebuild(parameters: tuple[Parameter, ...], limits: dict[str, tuple[Any, Any]], changed: dict[str, Range]) -> Space:
    space = Space(parameters, limits)
    return space.with_ranges(changed) if changed else space


def _parts(place: SetOccurrence, number: int) -> list[tuple[bool, int]]:
    leaves, sets = place.combinations[number]
    return [(False, index) for index in leaves] + [(True, index) for index in sets]


def _within(own: LeafParameter, whole: LeafParameter, range_: Range) -> LeafParameter | None:
    """Return what is left of one combination's parameter when the range of the shared name changes."""
    if isinstance(own, DiscreteParameterRange):
        if isinstance(whole, NumericParameter):
            kept = [value for value in own.range if range_[0] <= value <= range_[1]]
        else:
            allowed = DiscreteParameterRange(own.name, range_)
            kept = [value for value in own.range if allowed.contains(value)]
        return own.with_range(kept) if kept else None
    # An outer edge moves with the shared range; an inner one stays where this combination has it.
    low = range_[0] if own.declared[0] == whole.declared[0] else max(range_[0], own.declared[0])
    high = range_[1] if own.declared[1] == whole.declared[1] else min(range_[1], own.declared[1])
    try:
        return own.with_range((low, high))
    except ValueError:
        return None


def _checked_limits(layout: Layout, limits: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    checked: dict[str, tuple[Any, Any]] = {}
    for name, pair in limits.items():
        if name not in layout.columns:
            raise ValueError(f"limits name an unknown parameter {name!r}. {near_match(name, layout.columns)}")
        leaf = layout.columns[name].parameter
        if isinstance(leaf, DiscreteParameterRange):
            raise ValueError(f"{name!r} is a choice: its declared values are its limit, leave it out of limits")
        if isinstance(pair, (str, bytes)) or not isinstance(pair, Sequence | np.ndarray) or len(pair) != 2:  # noqa: PLR2004
            raise ValueError(f"the limits of {name!r} are a pair (low, high), got {pair!r}")
        low, high = (_limit(name, bound) for bound in pair)
        if low is not None and high is not None and not low < high:
            raise ValueError(f"the limits of {name!r} must rise from low to high, got ({low!r}, {high!r})")
        bounds = leaf.range
        if (low is not None and bounds[0] < low) or (high is not None and bounds[1] > high):
            raise ValueError(f"the limits ({low!r}, {high!r}) of {name!r} do not hold its range {bounds!r}")
        checked[name] = (low, high)
    return checked


def _limit(name: str, bound: Any) -> float | None:
    bound = python_value(bound)
    if bound is None:
        return None
    if isinstance(bound, bool) or not isinstance(bound, (int, float)) or math.isnan(bound):
        raise ValueError(f"a limit of {name!r} must be a number or None, got {bound!r}")
    return None if math.isinf(bound) else bound
