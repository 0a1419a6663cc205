"""How the parameters of a space lie: leaf occurrences, ParameterSets, conditions, columns.

A layout follows from the declared parameters alone and is the same in every space epoch, so that dimensions,
columns and choice indices keep their meaning when a range changes.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

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
    as_parameters,
)
from hpo_widgets.parameters.choices import identity

if TYPE_CHECKING:
    from collections.abc import Sequence


class Condition(NamedTuple):
    """One combination of one ParameterSet must be chosen.

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
        Ours or the ClearML SDK's.

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
        """Let constants that share a name with a numeric range be numbers of the same type."""
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


def _check_duplicates(names: list[frozenset[str]]) -> None:
    seen: set[str] = set()
    for group in names:
        if twice := seen & group:
            raise ValueError(f"the parameter {min(twice)!r} is given twice: each name may be set once in a point")
        seen |= group


def _hull(name: str, numeric: list[NumericParameter], leaves: list[LeafParameter]) -> NumericParameter:
    """Return one range round all the values that combinations give a name."""
    low = min(min(leaf.declared) for leaf in leaves)
    high = max(max(leaf.declared) for leaf in leaves)
    if numeric[0].kind == "int":
        return UniformIntegerParameterRange(name, low, high)
    if all(leaf.kind == "log" for leaf in numeric) and low > 0:
        whole = LogUniformParameterRange(name, math.floor(math.log10(low)), math.ceil(math.log10(high)))
        return whole.with_range((low, high))
    return UniformParameterRange(name, low, high)
