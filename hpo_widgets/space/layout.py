"""The structure of a space: leaf occurrences, ParameterSets, conditions, columns, hard limits.

A layout follows from the declared parameters alone and is the same in every space epoch, so that dimensions,
columns and choice indices keep their meaning when a range changes. Choices that are added come after the others.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from hpo_widgets._messages import near_match
from hpo_widgets.parameters import (
    DiscreteParameterRange,
    Kind,
    LeafParameter,
    LogUniformParameterRange,
    NumericParameter,
    Parameter,
    ParameterSet,
    UniformIntegerParameterRange,
    UniformParameterRange,
    as_pair,
    as_parameters,
)
from hpo_widgets.parameters.base import python_value
from hpo_widgets.parameters.choices import identity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    Accepts = Callable[[int, Any], bool]

Limits = dict[str, tuple[float | None, float | None]]


class Condition(NamedTuple):
    """The condition that one ParameterSet uses one of its combinations.

    Attributes
    ----------
    parameter_set : int
        Index into `Layout.sets`.
    combination : int
        Index of the combination.
    """

    parameter_set: int
    combination: int


@dataclass(frozen=True)
class Occurrence:
    """One place where a leaf parameter or a constant stands.

    Attributes
    ----------
    index : int
        Index into `Layout.occurrences`.
    parameter : LeafParameter
        As declared; a constant is a choice of one value.
    conditions : tuple of Condition
        All must hold for it to be part of a point, outermost first; empty at the top level.
    dimension : int or None
        Its column of unit coordinates; None for a constant.
    """

    index: int
    parameter: LeafParameter
    conditions: tuple[Condition, ...]
    dimension: int | None

    @property
    def name(self) -> str:
        """Full name of the parameter."""
        return self.parameter.name


@dataclass(frozen=True)
class SetOccurrence:
    """One ParameterSet, with what each of its combinations holds.

    Attributes
    ----------
    index : int
        Index into `Layout.sets`; an outer set comes before the sets inside it.
    conditions : tuple of Condition
        All must hold for it to be part of a point, outermost first; empty at the top level.
    dimension : int
        Its column of unit coordinates.
    combinations : tuple
        For each combination the indices of its leaf occurrences and of its sets.
    names : frozenset of str
        All names under any of its combinations, however deep.
    """

    index: int
    conditions: tuple[Condition, ...]
    dimension: int
    combinations: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]
    names: frozenset[str]


@dataclass(frozen=True)
class Column:
    """One name with everything that may be stored under it.

    Attributes
    ----------
    name : str
        Full name.
    occurrences : tuple of int
        Indices of the occurrences of the name; one, unless combinations share it.
    parameter : LeafParameter
        The occurrence's own parameter, or one that holds the values of all.
    """

    name: str
    occurrences: tuple[int, ...]
    parameter: LeafParameter

    @property
    def kind(self) -> Kind:
        """What the values are."""
        return self.parameter.kind


class Layout:
    """The flat form of a list of parameters.

    Parameters
    ----------
    parameters : sequence
        Parameters of this package or of the ClearML SDK.

    Attributes
    ----------
    parameters : tuple of Parameter
        As declared.
    occurrences : tuple of Occurrence
        In order of declaration.
    sets : tuple of SetOccurrence
        Outer before inner.
    top : tuple of (bool, int)
        The top level in order: (is it a set, its index).
    columns : dict of str to Column
        By name, in order of first appearance.
    num_dimensions : int
        Columns of unit coordinates needed.

    Raises
    ------
    ValueError
        When there is no parameter, a name is set twice, or combinations disagree on what a name is.
    """

    def __init__(self, parameters: Sequence[Any]) -> None:
        self.parameters = tuple(as_parameters(parameters))
        if not self.parameters:
            raise ValueError("the space is empty: give at least one parameter to vary")
        self._occurrences: list[Occurrence] = []
        self._sets: list[SetOccurrence | None] = []
        self._dimensions = itertools.count()
        top = [self._place(parameter, ()) for parameter in self.parameters]
        self.top = tuple((is_set, index) for is_set, index, _ in top)
        _check_duplicates([names for _, _, names in top])
        self.sets = tuple(place for place in self._sets if place is not None)
        self.num_dimensions = next(self._dimensions)
        self.columns = self._merge()
        self.occurrences = tuple(self._occurrences)

    def _place(self, parameter: Parameter, conditions: tuple[Condition, ...]) -> tuple[bool, int, frozenset[str]]:
        """Record a parameter; return (is it a set, its index, the names it may set)."""
        if isinstance(parameter, LeafParameter):
            index = len(self._occurrences)
            self._occurrences.append(Occurrence(index, parameter, conditions, next(self._dimensions)))
            return False, index, frozenset([parameter.name])
        if not isinstance(parameter, ParameterSet):
            raise TypeError(f"a {type(parameter).__name__} is neither a range, a list of choices nor a ParameterSet")
        index = len(self._sets)
        self._sets.append(None)  # keeps the place before the sets inside
        dimension = next(self._dimensions)
        combinations = []
        all_names: set[str] = set()
        for number, combination in enumerate(parameter.values):
            leaves: list[int] = []
            sets: list[int] = []
            names: list[frozenset[str]] = []
            inside = (*conditions, Condition(index, number))
            for key, part in combination.items():
                if isinstance(part, Parameter):
                    is_set, place, below = self._place(part, inside)
                    (sets if is_set else leaves).append(place)
                    names.append(below)
                else:
                    leaves.append(len(self._occurrences))
                    constant = DiscreteParameterRange(key, [part])
                    self._occurrences.append(Occurrence(leaves[-1], constant, inside, None))
                    names.append(frozenset([key]))
            _check_duplicates(names)
            all_names.update(*names)
            combinations.append((tuple(leaves), tuple(sets)))
        self._sets[index] = SetOccurrence(index, conditions, dimension, tuple(combinations), frozenset(all_names))
        return True, index, frozenset(all_names)

    def takes_choices(self, name: str) -> bool:
        """Whether the choices of a name stand in one list, to which others can be added."""
        places = [self.occurrences[index] for index in self.columns[name].occurrences]
        return len(places) == 1 and places[0].dimension is not None and places[0].parameter.kind == "choice"

    def with_choices(self, choices: Mapping[str, Sequence[Any]]) -> Layout:
        """Return this layout with further choices at the end of those of some names.

        Raises
        ------
        ValueError
            For a name whose choices are parts of combinations of a ParameterSet, and as
            `DiscreteParameterRange.with_choices`.
        """
        for name in choices:
            if not self.takes_choices(name):
                raise ValueError(
                    f"the choices of {name!r} are parts of combinations of a ParameterSet, to which a search takes no "
                    "other: make a new search with them, which can learn from this one by continue_previous_study"
                )
        return Layout([_with_choices(parameter, choices) for parameter in self.parameters])

    @property
    def names_of_every_point(self) -> frozenset[str]:
        """Names that are part of every point, whichever combinations it uses."""
        leaves = tuple(index for is_set, index in self.top if not is_set)
        return self._names_in_all(leaves, tuple(index for is_set, index in self.top if is_set))

    def names_together(self) -> Iterator[tuple[Occurrence, frozenset[str]]]:
        """Each occurrence with the names that are part of every point that it is part of."""
        always = self.names_of_every_point
        for one in self.occurrences:
            inside = (self._names_in_all(*self.sets[index].combinations[chosen]) for index, chosen in one.conditions)
            yield one, always.union(*inside)

    def _names_in_all(self, leaves: tuple[int, ...], sets: tuple[int, ...]) -> frozenset[str]:
        """Return the names of some leaves, and those that all combinations of each of some sets have."""
        own = frozenset(self.occurrences[index].name for index in leaves)
        inside = [
            frozenset.intersection(*(self._names_in_all(*combination) for combination in self.sets[index].combinations))
            for index in sets
        ]
        return own.union(*inside)

    def _merge(self) -> dict[str, Column]:
        places: dict[str, list[int]] = {}
        for occurrence in self._occurrences:
            places.setdefault(occurrence.name, []).append(occurrence.index)
        columns = {}
        for name, indices in places.items():
            leaves = [self._occurrences[index].parameter for index in indices]
            numeric = [leaf for leaf in leaves if isinstance(leaf, NumericParameter)]
            if len(set(leaves)) == 1:
                merged = leaves[0]
            elif not numeric:
                distinct = {identity(value): value for leaf in leaves for value in leaf.declared}
                merged = DiscreteParameterRange(name, list(distinct.values()))
            else:
                leaves = self._as_numbers(name, indices, numeric)
                merged = _hull(name, numeric, leaves)
            columns[name] = Column(name, tuple(indices), merged)
        return columns

    def _as_numbers(self, name: str, indices: list[int], numeric: list[NumericParameter]) -> list[LeafParameter]:
        """Convert constants that share a name with a numeric range to numbers of its type."""
        whole = {leaf.kind == "int" for leaf in numeric}
        if len(whole) > 1:
            raise ValueError(f"{name!r} is a whole number in one combination and not in another: use two names")
        for index in indices:
            occurrence = self._occurrences[index]
            if isinstance(occurrence.parameter, DiscreteParameterRange):
                try:
                    values = [numeric[0].normalise(value) for value in occurrence.parameter.declared]
                except ValueError as error:
                    raise ValueError(
                        f"{name!r} is a numeric range in one combination and something else in another "
                        f"({error}): use two names"
                    ) from error
                number = DiscreteParameterRange(name, values)
                self._occurrences[index] = Occurrence(index, number, occurrence.conditions, occurrence.dimension)
        return [self._occurrences[index].parameter for index in indices]


def _with_choices(parameter: Parameter, choices: Mapping[str, Sequence[Any]]) -> Parameter:
    """Return a parameter with further choices, inside the combinations of a ParameterSet too."""
    if isinstance(parameter, DiscreteParameterRange):
        return parameter.with_choices(choices[parameter.name]) if parameter.name in choices else parameter
    if not isinstance(parameter, ParameterSet):
        return parameter
    return ParameterSet(
        [
            {key: _with_choices(part, choices) if isinstance(part, Parameter) else part for key, part in one.items()}
            for one in parameter.values
        ]
    )


def _check_duplicates(names: list[frozenset[str]]) -> None:
    seen: set[str] = set()
    for group in names:
        if twice := seen & group:
            raise ValueError(f"the parameter {min(twice)!r} is given twice: each name may be set once in a point")
        seen |= group


def _hull(name: str, numeric: list[NumericParameter], leaves: list[LeafParameter]) -> NumericParameter:
    """Return one range that holds every value that a combination gives to the name."""
    low = min(min(leaf.declared) for leaf in leaves)
    high = max(max(leaf.declared) for leaf in leaves)
    if numeric[0].kind == "int":
        return UniformIntegerParameterRange(name, low, high)
    if all(leaf.kind == "log" for leaf in numeric) and low > 0:
        whole = LogUniformParameterRange(name, math.floor(math.log10(low)), math.ceil(math.log10(high)))
        return whole.with_range((low, high))
    return UniformParameterRange(name, low, high)


def match(layout: Layout, point: Mapping[str, Any], accepts: Accepts) -> tuple[int | None, ...] | None:
    """Find combinations whose names are exactly those of a point and whose values are accepted.

    Parameters
    ----------
    layout : Layout
        The space's.
    point : mapping
        Names and values.
    accepts : callable
        Tells whether an occurrence, by its index, can have a value.

    Returns
    -------
    tuple of int or None
        For each ParameterSet the first combination that fits, None for a set that is not part of the
        point; None altogether when nothing fits.
    """
    chosen: list[int | None] = [None] * len(layout.sets)
    rest = set(point)
    for is_set, index in layout.top:
        if is_set:
            names = layout.sets[index].names & rest
            if not _match_set(layout, index, point, names, accepts, chosen):
                return None
            rest -= names
        else:
            name = layout.occurrences[index].name
            if name not in rest or not accepts(index, point[name]):
                return None
            rest.discard(name)
    return None if rest else tuple(chosen)


def _match_set(
    layout: Layout,
    which: int,
    point: Mapping[str, Any],
    names: set[str] | frozenset[str],
    accepts: Accepts,
    chosen: list[int | None],
) -> bool:
    """Choose a combination of one set, and of the sets inside it, that sets exactly some names."""
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
            _match_set(layout, index, point, below, accepts, trial) for index, below in inner
        ):
            chosen[:] = trial
            return True
    return False


class Misfit(NamedTuple):
    """How a point differs from the combinations that are nearest to it.

    Attributes
    ----------
    num_refused : int
        How many of its values these do not take.
    missing : frozenset of str
        Names that these have besides.
    superfluous : frozenset of str
        Names of the point that these do not have.
    constants : frozenset of str
        Names of the point that are constants of these.
    """

    num_refused: int = 0
    missing: frozenset[str] = frozenset()
    superfluous: frozenset[str] = frozenset()
    constants: frozenset[str] = frozenset()

    def and_(self, others: Iterable[Misfit]) -> Misfit:
        """Add how the point differs elsewhere."""
        num_refused, missing, superfluous, constants = self
        for other in others:
            num_refused += other.num_refused
            missing |= other.missing
            superfluous |= other.superfluous
            constants |= other.constants
        return Misfit(num_refused, missing, superfluous, constants)


def misfit(layout: Layout, point: Mapping[str, Any], accepts: Accepts) -> Misfit:
    """Compare a point with the combinations that refuse the fewest of its values, and of these have its names the most.

    Parameters
    ----------
    layout : Layout
        The space's.
    point : mapping
        Names and values.
    accepts : callable
        Tells whether an occurrence, by its index, can have a value.

    Returns
    -------
    Misfit
        The sum over all ParameterSets.
    """
    return Misfit().and_(_misfit_of_set(layout, index, point, accepts) for is_set, index in layout.top if is_set)


def _misfit_of_set(layout: Layout, which: int, point: Mapping[str, Any], accepts: Accepts) -> Misfit:
    """Compare a point with the nearest combination of one set, and of the sets inside it."""
    given = layout.sets[which].names & point.keys()
    found = []
    for leaves, sets in layout.sets[which].combinations:
        own = {layout.occurrences[index].name: layout.occurrences[index] for index in leaves}
        here = Misfit(
            sum(name in given and not accepts(one.index, point[name]) for name, one in own.items()),
            frozenset(own.keys() - given),
            given.difference(own, *(layout.sets[index].names for index in sets)),
            frozenset(name for name, one in own.items() if name in given and one.dimension is None),
        )
        found.append(here.and_(_misfit_of_set(layout, index, point, accepts) for index in sets))
    return min(found, key=lambda one: (one.num_refused, len(one.missing) + len(one.superfluous)))


def checked_limits(layout: Layout, limits: Mapping[str, Any]) -> Limits:
    """Return hard limits as pairs of numbers or None.

    Parameters
    ----------
    layout
        The parameters of the space.
    limits
        Name to (low, high); None, for one of them, is no limit.

    Returns
    -------
    Limits
        Name to (low, high) in numbers, None for no limit.

    Raises
    ------
    ValueError
        For an unknown name, a choice, bounds that fall or are no numbers, and limits that do not hold
        the declared range.
    """
    checked: Limits = {}
    for name, given in limits.items():
        if name not in layout.columns:
            raise ValueError(f"limits name an unknown parameter {name!r}. {near_match(name, layout.columns)}")
        leaf = layout.columns[name].parameter
        if isinstance(leaf, DiscreteParameterRange):
            raise ValueError(f"{name!r} is a choice: its declared values are its limit, leave it out of limits")  # noqa: TRY004 - a wrong value of limits
        low, high = (_limit(name, bound) for bound in as_pair(f"the limit of {name!r}", given))
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


def within(own: LeafParameter, whole: LeafParameter, range_: tuple[Any, ...]) -> LeafParameter | None:
    """Return what is left of one combination's parameter when the range of the shared name changes.

    Parameters
    ----------
    own : LeafParameter
        What the combination declares.
    whole : LeafParameter
        What all combinations declare under the name; its range is from the least to the greatest of their values.
    range_ : tuple
        The new range of the name.

    Returns
    -------
    LeafParameter or None
        None when the combination is left without a value.
    """
    if isinstance(own, DiscreteParameterRange):
        if isinstance(whole, NumericParameter):
            kept = [value for value in own.declared if range_[0] <= value <= range_[1]]
        else:
            allowed = DiscreteParameterRange(own.name, range_)
            kept = [value for value in own.declared if allowed.contains(value)]
        return own.with_range(kept) if kept else None
    # An outer edge moves with the shared range; an inner one stays where this combination has it.
    low = range_[0] if own.declared[0] == whole.range[0] else max(range_[0], own.declared[0])
    high = range_[1] if own.declared[1] == whole.range[1] else min(range_[1], own.declared[1])
    try:
        return own.with_range((low, high))
    except ValueError:
        return None
