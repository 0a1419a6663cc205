"""One leaf parameter as one Optuna parameter: its distribution, and values both ways."""

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

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optuna.trial import Trial

    from hpo_widgets.parameters import LeafParameter

_TOLERANCE = 1e-9
_NATIVE_CHOICES = (bool, int, float, str, type(None))


class Slot:
    """A leaf parameter in the words of Optuna.

    Ranges become a float or int distribution of the same values, with ``log`` and ``step``. Where
    Optuna cannot say the same, the parameter is the *index* among its values instead: steps of an
    exponent (even in the exponent, as the index is), steps that miss the maximum of the range, and
    choices that Optuna cannot hold or cannot tell apart (objects; ``True`` beside ``1``).

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
        if count == 1 or leaf.kind == "log" or not _is_even(leaf, count):
            self._is_index = True
            return IntDistribution(0, count - 1)
        low, high, step = leaf.value_at(0), leaf.value_at(count - 1), leaf.step
        if leaf.kind == "int":
            return IntDistribution(low, high, step=int(step or 1))
        return FloatDistribution(low, high, step=step)

    def suggest(self, trial: Trial) -> Any:
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
            return suggested  # of a sampler with values of its own; the caller refuses the point
        # Optuna computes steps in floats; the grid's own value is the one that compares equal.
        return self.leaf.value_at(self.nearest_index(self.leaf, suggested))

    def suggestion(self, value: Any) -> Any:
        """Return what Optuna would have suggested for a value inside the range."""
        if self._is_index:
            return self.leaf.index_of(value)
        return value

    @staticmethod
    def nearest_index(leaf: LeafParameter, value: float) -> int:
        """Return the index of the step nearest to a number inside a stepped range."""
        if (index := leaf.index_of(value)) is not None:
            return index
        last = (leaf.num_values or 1) - 1
        right = bisect.bisect_left(range(last + 1), value, key=leaf.value_at)
        if right == 0 or right > last:
            return min(right, last)
        below, above = leaf.value_at(right - 1), leaf.value_at(right)
        return right if above - value < value - below else right - 1


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
