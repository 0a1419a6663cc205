"""A whole space in the words of Optuna: parameters, selectors of combinations, points both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from optuna.distributions import BaseDistribution, CategoricalDistribution

from hpo_widgets.strategies.optuna.slots import Slot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optuna.trial import Trial

    from hpo_widgets.parameters import LeafParameter
    from hpo_widgets.space import Space

    Point = dict[str, Any]


class SpaceMap:
    """What Optuna is asked for, and how that becomes a point.

    A leaf is a parameter of its own name. A ParameterSet is a categorical parameter, the number of its
    combination, and the leaves of the combination are asked for only when it is chosen. A name that
    combinations give different ranges is a parameter per range: ``lr``, ``lr #2``.

    Parameters
    ----------
    space
        The space of one epoch.

    Attributes
    ----------
    distributions
        All parameters of the study by name.
    common
        Those that every trial has.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self.distributions: dict[str, BaseDistribution] = {}
        self.common: dict[str, BaseDistribution] = {}
        self._slots: dict[int, Slot] = {}
        self._selectors: dict[int, str] = {}
        self._top_leaves = [o.index for o in space.occurrences if not o.conditions]
        self._top_sets = [place.index for place in space.sets if not place.conditions]
        alike: dict[str, list[tuple[LeafParameter, Slot]]] = {}
        for occurrence in space.occurrences:
            leaf = space.active_leaf(occurrence.index)
            if leaf is None or occurrence.dimension is None:
                continue
            slots = alike.setdefault(occurrence.name, [])
            slot = next((slot for known, slot in slots if known == leaf), None)
            if slot is None:
                name = f"{leaf.name} #{len(slots) + 1}" if slots else leaf.name
                slot = Slot(name, leaf)
                slots.append((leaf, slot))
            self._slots[occurrence.index] = slot
            self._add(slot.name, slot.distribution, is_common=not occurrence.conditions)
        for place in space.sets:
            feasible = space.feasible(place.index)
            if len(feasible) > 1:
                name = self._selectors[place.index] = f"ParameterSet {place.index + 1}"
                self._add(name, CategoricalDistribution(feasible), is_common=not place.conditions)

    def _add(self, name: str, distribution: BaseDistribution, *, is_common: bool) -> None:
        self.distributions[name] = distribution
        if is_common:
            self.common[name] = distribution

    def suggest(self, trial: Trial) -> Point:
        """Let Optuna choose a point."""
        point: Point = {}
        for occurrence in self._top_leaves:
            self._suggest_leaf(trial, occurrence, point)
        for parameter_set in self._top_sets:
            self._suggest_set(trial, parameter_set, point)
        return point

    def _suggest_leaf(self, trial: Trial, occurrence: int, point: Point) -> None:
        slot = self._slots.get(occurrence)
        if slot is not None:
            point[slot.leaf.name] = slot.suggest(trial)
            return
        constant = self.space.active_leaf(occurrence)
        if constant is not None:
            point[constant.name] = constant.value_at(0)

    def _suggest_set(self, trial: Trial, parameter_set: int, point: Point) -> None:
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

        A value inside its range but between the steps, such as one of a point by hand, counts as the
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
        for index, slot in self._slots.items():
            conditions = self.space.occurrences[index].conditions
            if all(selections[which] == combination for which, combination in conditions):
                params[slot.name] = slot.suggestion(point[slot.leaf.name])
        return params

    def _on_steps(self, point: Mapping[str, Any]) -> Point:
        stepped = {name: leaf for name in point if (leaf := self._stepped(name)) is not None}
        return {name: nearest_step(stepped[name], value) if name in stepped else value for name, value in point.items()}

    def _stepped(self, name: str) -> LeafParameter | None:
        if name not in self.space.names:
            return None
        leaf = self.space.leaf(name)
        return leaf if leaf.kind != "choice" and leaf.num_values is not None else None


def nearest_step(leaf: LeafParameter, value: Any) -> Any:
    """Return the value of a stepped range that is nearest to a number inside it."""
    low, high = leaf.range
    if type(value) not in (int, float) or not low <= value <= high:
        return value
    return leaf.value_at(Slot.nearest_index(leaf, value))
