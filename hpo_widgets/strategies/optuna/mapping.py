"""A space in Optuna's terms: distributions of parameters and of combinations, points in both directions."""

from __future__ import annotations

import bisect
import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FixedTrial

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from optuna.trial import BaseTrial

    from hpo_widgets.parameters import LeafParameter
    from hpo_widgets.space import Occurrence, SetOccurrence, Space

    Point = dict[str, Any]

_TOLERANCE = 1e-9
_MOST_STEPS = 1e7  # from 0 to a value: Optuna, which divides by the step, refuses some values of finer ranges
_NATIVE_CHOICES = (bool, int, float, str, type(None))


class OptunaParameter:
    """A leaf parameter in Optuna's terms.

    Ranges become a float or int distribution of the same values, with ``log`` and ``step``. Where
    Optuna cannot say the same, the parameter is the *index* among its values instead: steps of an
    exponent (even in the exponent, as the index is), steps that miss the maximum of the range or are
    very fine, and choices that Optuna cannot hold or cannot tell apart (objects; ``True`` beside ``1``).

    Parameters
    ----------
    name
        The name in the study.
    leaf
        The parameter with its current range.
    """

    def __init__(self, name: str, leaf: LeafParameter) -> None:
        self.name = name
        self.leaf = leaf
        self._is_index = False
        self.distribution = self._make_distribution()

    def _make_distribution(self) -> BaseDistribution:
        leaf, count = self.leaf, self.leaf.num_values
        if leaf.kind == "choice":
            choices = [leaf.value_at(index) for index in range(count or 0)]
            self._is_index = not can_hold(choices)
            return CategoricalDistribution(range(len(choices)) if self._is_index else choices)
        if count is None:
            low, high = leaf.range
            if not leaf.contains(high):  # an open end
                high = math.nextafter(high, -math.inf)
            return FloatDistribution(low, high, log=leaf.kind == "log")
        if count == 1 or leaf.kind == "log" or not _is_even(leaf, count) or _is_too_fine(leaf):
            self._is_index = True
            return IntDistribution(0, count - 1)
        low, high, step = leaf.value_at(0), leaf.value_at(count - 1), leaf.step
        if leaf.kind == "int":
            return IntDistribution(low, high, step=int(step or 1))
        return FloatDistribution(low, high, step=step)

    def suggest(self, trial: BaseTrial) -> Any:
        """Let Optuna choose, and return the value for a point."""
        distribution, name = self.distribution, self.name
        if isinstance(distribution, FloatDistribution):
            return self.value(
                trial.suggest_float(
                    name,
                    distribution.low,
                    distribution.high,
                    step=distribution.step,
                    log=distribution.log,
                )
            )
        if isinstance(distribution, IntDistribution):
            return self.value(trial.suggest_int(name, distribution.low, distribution.high, step=distribution.step))
        assert isinstance(distribution, CategoricalDistribution)  # noqa: S101  for the type checker
        return self.value(trial.suggest_categorical(name, distribution.choices))

    def value(self, suggested: Any) -> Any:
        """Return the parameter's value for what Optuna suggests."""
        if self._is_index:
            return self.leaf.value_at(int(suggested))
        if self.leaf.kind == "choice" or self.leaf.num_values is None:
            return suggested
        low, high = self.leaf.range
        if not low - _TOLERANCE * abs(low) <= suggested <= high + _TOLERANCE * abs(high):
            return suggested  # from a sampler with values of its own; the caller refuses the point
        # Optuna computes steps in floats; the grid's own value is the one that compares equal.
        return self.leaf.value_at(_nearest_index(self.leaf, suggested))

    def suggestion(self, value: Any) -> Any:
        """Return what Optuna would have suggested for a value inside the range."""
        if self._is_index:
            return self.leaf.index_of(value)
        return value


def can_hold(choices: Sequence[Any]) -> bool:
    """Tell whether Optuna's categorical distribution keeps these choices and tells them apart."""
    if any(type(choice) not in _NATIVE_CHOICES for choice in choices):
        return False
    if any(isinstance(choice, float) and math.isnan(choice) for choice in choices):
        return False
    return len(set(choices)) == len(choices)


def _is_even(leaf: LeafParameter, count: int) -> bool:
    """Tell whether the values of a stepped range are all a step apart, the maximum included."""
    low, high, step = (Decimal(str(n)) for n in (leaf.value_at(0), leaf.value_at(count - 1), leaf.step))
    return high - low == (count - 1) * step


def _is_too_fine(leaf: LeafParameter) -> bool:
    """Tell whether the values of a stepped range are too close for Optuna to find each on its step."""
    if leaf.kind == "int":
        return False
    low, high = leaf.range
    return bool(max(abs(low), abs(high)) > _MOST_STEPS * (leaf.step or 1))


class SpaceMap:
    """The parameters that Optuna is asked for, and how its answers become a point.

    A leaf is a parameter of the same name. A ParameterSet is a categorical parameter, the number of its
    combination, and the leaves of the combination are asked for only when it is chosen. A name for which
    combinations have different ranges becomes one parameter per range: ``lr``, ``lr #2``.

    Parameters
    ----------
    space
        The space of one epoch.

    Attributes
    ----------
    distributions
        All parameters of the study by name.
    common
        Those parameters that every trial has.
    parameters
        The `OptunaParameter` of each, by name; the categorical ones that choose a combination have none.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self.distributions: dict[str, BaseDistribution] = {}
        self.common: dict[str, BaseDistribution] = {}
        self.parameters: dict[str, OptunaParameter] = {}
        self._parameters: dict[int, OptunaParameter] = {}
        self._selectors: dict[int, str] = {}
        self._top_leaves = [o.index for o in space.occurrences if not o.conditions]
        self._top_sets = [place.index for place in space.sets if not place.conditions]
        alike: dict[str, list[tuple[LeafParameter, OptunaParameter]]] = {}
        for occurrence in space.occurrences:
            leaf = space.active_leaf(occurrence.index)
            if leaf is None or occurrence.dimension is None or not space.are_possible(occurrence.conditions):
                continue
            candidates = alike.setdefault(occurrence.name, [])
            parameter = next((parameter for known, parameter in candidates if known == leaf), None)
            if parameter is None:
                name = f"{leaf.name} #{len(candidates) + 1}" if candidates else leaf.name
                parameter = OptunaParameter(name, leaf)
                candidates.append((leaf, parameter))
                self.parameters[name] = parameter
            self._parameters[occurrence.index] = parameter
            self._add(parameter.name, parameter.distribution, is_common=not occurrence.conditions)
        for place in space.sets:
            feasible = space.feasible(place.index)
            if len(feasible) > 1 and space.are_possible(place.conditions):
                name = self._selectors[place.index] = f"ParameterSet {place.index + 1}"
                self._add(name, CategoricalDistribution(feasible), is_common=not place.conditions)
        self._singles = {name: _first_value(one) for name, one in self.distributions.items() if one.single()}

    def _add(self, name: str, distribution: BaseDistribution, *, is_common: bool) -> None:
        self.distributions[name] = distribution
        if is_common:
            self.common[name] = distribution

    def conditions(self, name: str) -> list[list[tuple[str, int]]]:
        """Return when a parameter of the study is part of a point.

        Parameters
        ----------
        name
            Of a parameter, or of one that chooses a combination.

        Returns
        -------
        list of list of tuple
            Alternatives, each of categorical parameters that must have the choice with this index; empty where the
            parameter is part of every point.
        """
        places: list[Occurrence | SetOccurrence] = [
            self.space.occurrences[index] for index, one in self._parameters.items() if one.name == name
        ]
        places += [self.space.sets[index] for index, selector in self._selectors.items() if selector == name]
        alternatives = [
            [
                (self._selectors[index], self.space.feasible(index).index(combination))
                for index, combination in place.conditions
                if index in self._selectors
            ]
            for place in places
        ]
        return [] if [] in alternatives else alternatives

    def suggest(self, trial: BaseTrial) -> Point:
        """Let Optuna choose a point."""
        point: Point = {}
        for occurrence in self._top_leaves:
            self._suggest_leaf(trial, occurrence, point)
        for parameter_set in self._top_sets:
            self._suggest_set(trial, parameter_set, point)
        return point

    def point(self, params: Mapping[str, Any]) -> Point:
        """Return the point of parameters in Optuna's terms; those with a single value may be missing."""
        return self.suggest(FixedTrial({**self._singles, **params}))

    def _suggest_leaf(self, trial: BaseTrial, occurrence: int, point: Point) -> None:
        parameter = self._parameters.get(occurrence)
        if parameter is not None:
            point[parameter.leaf.name] = parameter.suggest(trial)
            return
        constant = self.space.active_leaf(occurrence)
        if constant is not None:
            point[constant.name] = constant.value_at(0)

    def _suggest_set(self, trial: BaseTrial, parameter_set: int, point: Point) -> None:
        feasible = self.space.feasible(parameter_set)
        combination: Any = feasible[0]
        if len(feasible) > 1:
            combination = trial.suggest_categorical(self._selectors[parameter_set], feasible)
        leaves, sets = self.space.sets[parameter_set].combinations[combination]
        for occurrence in leaves:
            self._suggest_leaf(trial, occurrence, point)
        for inner in sets:
            self._suggest_set(trial, inner, point)

    def params(self, point: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return what Optuna would have suggested for a point, None when it is outside the space.

        A value inside its range but between the steps, such as one of an enqueued point, counts as the
        nearest step.
        """
        selections = self.space.selections(point)
        if selections is None:
            point = self._on_steps(point)
            selections = self.space.selections(point)
            if selections is None:
                return None
        params: dict[str, Any] = {
            self._selectors[index]: combination
            for index, combination in enumerate(selections)
            if combination is not None and index in self._selectors
        }
        for index, parameter in self._parameters.items():
            conditions = self.space.occurrences[index].conditions
            if all(selections[which] == combination for which, combination in conditions):
                params[parameter.name] = parameter.suggestion(point[parameter.leaf.name])
        return params

    def _on_steps(self, point: Mapping[str, Any]) -> Point:
        return {name: self._on_step(name, value) for name, value in point.items()}

    def _on_step(self, name: str, value: Any) -> Any:
        """Return the step that is nearest to a number inside a stepped range; anything else as it is."""
        if type(value) not in (int, float) or name not in self.space.names:
            return value
        leaf = self.space.leaf(name)
        if leaf.kind == "choice" or leaf.num_values is None or not leaf.range[0] <= value <= leaf.range[1]:
            return value
        return leaf.value_at(_nearest_index(leaf, value))


def _first_value(distribution: BaseDistribution) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[0]
    assert isinstance(distribution, (FloatDistribution, IntDistribution))  # noqa: S101  there is no other kind
    return distribution.low


def _nearest_index(leaf: LeafParameter, value: float) -> int:
    """Return the index of the step nearest to a number inside a stepped range."""
    if (index := leaf.index_of(value)) is not None:
        return index
    last = (leaf.num_values or 1) - 1
    right = bisect.bisect_left(range(last + 1), value, key=leaf.value_at)
    if right == 0 or right > last:
        return min(right, last)
    below, above = leaf.value_at(right - 1), leaf.value_at(right)
    return right if above - value < value - below else right - 1
