"""With what a parameter is part of a point, in words: ``only with solver adam``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hpo_widgets.space import Space
    from hpo_widgets.space.layout import Condition


def conditions(space: Space, labels: Mapping[str, str]) -> dict[str, str]:
    """Say for each parameter that not every point has, by which constants of its `ParameterSet` it comes in.

    Parameters
    ----------
    space
        The space.
    labels
        What each name is called.
    """
    found = {}
    for name, alternatives in space.conditions.items():
        ways = [" and ".join(_words(space, condition, name, labels) for condition in way) for way in alternatives]
        # The constants themselves, such as the solver, bring nothing in; they are what is chosen.
        if all(ways):
            found[name] = f"only with {' or '.join(dict.fromkeys(ways))}"
    return found


def _words(space: Space, condition: Condition, name: str, labels: Mapping[str, str]) -> str:
    leaves, _ = space.sets[condition.parameter_set].combinations[condition.combination]
    occurrences = [space.occurrences[leaf] for leaf in leaves]
    constants: list[Any] = [one.parameter for one in occurrences if one.dimension is None and one.name != name]
    return ", ".join(f"{labels[constant.name]} {constant.labels[0]}" for constant in constants)
