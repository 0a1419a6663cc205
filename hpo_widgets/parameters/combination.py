"""A choice among combinations of constants, parameters and further sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpo_widgets.parameters.base import CLASSES, Parameter, RandomSource, check_name, has_dict_form, python_value
from hpo_widgets.parameters.choices import identity
from hpo_widgets.parameters.convert import as_parameter, is_parameter
from hpo_widgets.parameters.grids import LazyList, concatenate, product


@has_dict_form
@dataclass(frozen=True, eq=False, repr=False)
class ParameterSet(Parameter):
    """One of a list of combinations, each equally likely: conditional parameters, and values that belong together.

    A trial gets the names of its combination only, so a callable needs a default for each name that some combination
    leaves out.

    Parameters
    ----------
    parameter_combinations : sequence of mappings
        Each maps names to constants, to parameters (which keep their own names) or to further
        ParameterSets (whose key is only a place holder).

    Raises
    ------
    ValueError
        When there is no combination, or one is empty or sets a name twice.
    TypeError
        When a combination is not a mapping.

    Examples
    --------
    >>> momentum = UniformParameterRange("momentum", 0, 1)  # doctest: +SKIP
    >>> ParameterSet([{"solver": "adam"}, {"solver": "sgd", "momentum": momentum}])  # doctest: +SKIP
    """

    name: None = None
    values: tuple[Mapping[str, Any], ...] = ()

    def __init__(self, parameter_combinations: Sequence[Mapping[str, Any]] = ()) -> None:
        combinations = []
        if isinstance(parameter_combinations, (str, bytes, Mapping)):
            raise TypeError("parameter_combinations must be a list of dicts, one per combination")
        for number, combination in enumerate(parameter_combinations, start=1):
            if not isinstance(combination, Mapping):
                raise TypeError(f"combination {number} must be a dict of names, got {type(combination).__name__}")
            if not combination:
                raise ValueError(f"combination {number} of the ParameterSet is empty: name at least one parameter")
            combinations.append({key: _part(key, value) for key, value in combination.items()})
        if not combinations:
            raise ValueError("the ParameterSet has no combinations: list at least one")
        object.__setattr__(self, "name", None)
        object.__setattr__(self, "values", tuple(combinations))

    def get_value(self, rng: RandomSource | None = None) -> dict[str, Any]:
        """Draw a combination, then a value for each parameter in it; see `Parameter.get_value`."""
        source: RandomSource = np.random.default_rng() if rng is None else rng
        chosen = self.values[min(int(source.random() * len(self.values)), len(self.values) - 1)]
        point: dict[str, Any] = {}
        for key, part in chosen.items():
            point.update(part.get_value(source) if isinstance(part, Parameter) else {key: part})
        return point

    def to_list(self) -> LazyList[dict[str, Any]]:
        """List the products of all values of every combination, one combination after the other."""
        return concatenate(
            [product([_list(key, part) for key, part in combination.items()]) for combination in self.values]
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the dict form; parameters inside combinations are dict forms too."""
        values = [
            {key: part.to_dict() if isinstance(part, Parameter) else part for key, part in combination.items()}
            for combination in self.values
        ]
        return {"type": type(self).__name__, "name": None, "values": values}

    @classmethod
    def _from_dict(cls, form: Mapping[str, Any]) -> Parameter:
        values = form["values"]
        if not isinstance(values, (list, tuple)) or not all(isinstance(one, Mapping) for one in values):
            raise ValueError(f"the values of a {cls.__name__} are a list of dicts, one per combination")
        return cls([{key: _unpack(part) for key, part in combination.items()} for combination in values])

    def _state(self) -> tuple[Any, ...]:
        # The key of a parameter inside a combination is a place holder: the parameter has its own name.
        return tuple(
            frozenset(
                (None if isinstance(part, Parameter) else key, identity(part)) for key, part in combination.items()
            )
            for combination in self.values
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self.values)!r})"


def _part(key: Any, value: Any) -> Any:
    """Return one entry of a combination: a parameter of ours, or a constant as a Python value."""
    if is_parameter(value):
        return as_parameter(value)
    check_name(key)
    return python_value(value)


def _unpack(part: Any) -> Any:
    """Return one entry of a stored combination."""
    return Parameter.from_dict(part) if isinstance(part, dict) and part.get("type") in CLASSES else part


def _list(key: str, part: Any) -> LazyList[dict[str, Any]]:
    return part.to_list() if isinstance(part, Parameter) else LazyList(1, lambda _: {key: part})
