"""Parameter objects of the SDK that follow the ranges of a space."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from clearml.automation.parameters import Parameter as SdkParameter
from clearml.automation.parameters import RandomSeed, UniformParameterRange

from hpo_widgets.parameters import LeafParameter, as_parameter, redeclared
from hpo_widgets.space import Space

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from random import Random

DEFAULT_SEED = 1337
"""The SDK's: every process draws the same points in the same order until somebody sets another."""


class SteeredParameter(SdkParameter):
    """A parameter that draws from our ranges: in steps its maximum too, in sets only what the ranges leave.

    Parameters
    ----------
    name
        The parameter's name, None for a set of combinations.
    space
        The parameter alone, with its present range.
    source
        Where random numbers come from; None: the SDK's own generator, which ``set_random_seed`` seeds.
    """

    def __init__(self, name: str | None, space: Space, source: Random | None) -> None:
        super().__init__(name)
        self._space = space
        self._source = source

    def get_value(self) -> dict[str, Any]:
        """Draw a value."""
        source = self._source or RandomSeed._random  # noqa: SLF001 -- what set_random_seed replaces
        unit = np.array([[source.random() for _ in range(self._space.num_dimensions)]])
        return self._space.points(unit)[0]

    def to_list(self) -> list[dict[str, Any]]:
        """Every value."""
        return list(self._space.grid())


def steered(declared: Sequence[Any], space: Space, source: Random | None) -> list[Any]:
    """Return the SDK's parameters with the ranges of ``space``, those that are as declared unchanged.

    Parameters
    ----------
    declared
        The SDK's parameter objects.
    space
        The space that they make up, with its present ranges.
    source
        Random numbers for all of them, also the unchanged ones; None: the SDK's, and unchanged ones stay the SDK's
        objects unless they would never draw their maximum.
    """
    parameters = []
    for parameter in declared:
        alone = Space([as_parameter(parameter)])
        changed = _changed(alone, space)
        if not changed and source is None and not _misses_its_maximum(parameter):
            parameters.append(parameter)
        else:
            parameters.append(SteeredParameter(parameter.name, alone.with_ranges(changed), source))
    return parameters


def redeclared_for_optuna(declared: Sequence[Any], space: Space) -> list[Any]:
    """Return parameters of the SDK's own classes with the ranges of ``space``; Optuna's strategy takes no others."""
    parameters = []
    for parameter in declared:
        ours = as_parameter(parameter)
        if isinstance(ours, LeafParameter) and space.leaf(ours.name).range != ours.range:
            now = redeclared(space.leaf(ours.name), exact=False)
            assert now is not None  # noqa: S101 -- there always is one that is not exact
            parameters.append(SdkParameter.from_dict(now.to_dict()))
        else:
            parameters.append(parameter)
    return parameters


def _changed(alone: Space, space: Space) -> Mapping[str, tuple[Any, ...]]:
    return {name: space.ranges[name] for name in alone.names if space.ranges[name] != alone.ranges[name]}


def _misses_its_maximum(parameter: Any) -> bool:
    """Whether the SDK draws every step of a range but the last."""
    return isinstance(parameter, UniformParameterRange) and bool(parameter.step_size) and bool(parameter.include_max)
