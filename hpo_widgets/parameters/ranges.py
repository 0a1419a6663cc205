"""The numeric ranges: even, logarithmic and whole numbers."""

from __future__ import annotations

import math
import sys
import warnings
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hpo_widgets.parameters.base import Kind, UnitNumbers, has_dict_form, python_value
from hpo_widgets.parameters.numeric import LARGEST_COUNT, NumericParameter

_LARGEST_LOG = math.log(sys.float_info.max)
_LEAST_EXPONENT = 0.1
"""A bound between 0 and this is hardly ever meant as an exponent, but as a value, such as a learning rate."""
_MOST_DIGITS = 4
"""People hardly ever write a bound with more."""


@has_dict_form
@dataclass(frozen=True, eq=False, repr=False)
class UniformParameterRange(NumericParameter):
    """A number drawn evenly between two bounds.

    Parameters
    ----------
    name : str
        Full name.
    min_value, max_value : float
        Bounds; the minimum is always a value.
    step_size : float, optional
        Distance between values, counted from the minimum; the maximum is a value even where it lies off
        the steps. Default: continuous.
    include_max_value : bool, default True
        Whether the maximum is a value.

    Raises
    ------
    ValueError, TypeError
        For bounds that fall or are not finite numbers, and for a step that is not above 0.
    """

    name: str
    min_value: float
    max_value: float
    step_size: float | None = None
    include_max_value: bool = True

    kind: ClassVar[Kind] = "float"


@has_dict_form
@dataclass(frozen=True, eq=False, repr=False)
class LogUniformParameterRange(NumericParameter):
    """A positive number whose logarithm is drawn evenly.

    Parameters
    ----------
    name : str
        Full name.
    min_value, max_value : float
        Bounds of the *exponent*: -4 and -1 with base 10 mean values from 0.0001 to 0.1.
    base : float, default 10
        What is raised to the exponent; above 1.
    step_size : float, optional
        Distance between exponents, counted from the minimum; the maximum is a value even where it lies
        off the steps. Default: continuous.
    include_max_value : bool, default True
        Whether the maximum is a value.

    Raises
    ------
    ValueError, TypeError
        For bounds that fall or are not finite numbers, values too large or small for a float, a base that
        is not above 1 and a step that is not above 0.
    """

    name: str
    min_value: float
    max_value: float
    base: float = 10
    step_size: float | None = None
    include_max_value: bool = True

    kind: ClassVar[Kind] = "log"

    def __post_init__(self) -> None:
        self._check()
        if not self._checked("base", self.base) > 1:
            raise ValueError(f"base of {self.name!r} must be above 1, got {self.base!r}")
        object.__setattr__(self, "base", python_value(self.base))
        for bound in (self.min_value, self.max_value):
            if not 0 < self._from_scale(bound) < math.inf:
                raise ValueError(
                    f"the bounds of {self.name!r} are exponents of {self.base!r}, "
                    f"and {self.base!r}**{bound!r} is too large or too small for a number"
                )
        self._warn_of_values()
        self._declare()

    def _warn_of_values(self) -> None:
        """Warn where the bounds look like values, not like exponents."""
        low, high = self.min_value, self.max_value
        if not (0 < low < _LEAST_EXPONENT and 10 * low <= high <= 1):
            return
        if any(bound != float(f"{bound:.{_MOST_DIGITS}g}") for bound in (low, high)):
            return  # these are exponents that were computed of values
        exponents = ", ".join(f"{round(math.log(bound, self.base), 4) + 0.0:g}" for bound in (low, high))
        base = "" if self.base == 10 else f", base={self.base!r}"
        warnings.warn(
            f"the bounds of {self.name!r} are exponents: the range is {self._from_scale(low):.6g} to "
            f"{self._from_scale(high):.6g}. If its values are meant to be {low!r} to {high!r}, write "
            f"LogUniformParameterRange({self.name!r}, {exponents}{base})",
            UserWarning,
            stacklevel=4,  # the line that calls the constructor, past the dataclass's own
        )

    def _to_scale(self, value: float) -> float:
        low, high = self._declared
        if value == low:
            return self.min_value
        if value == high and self.include_max_value:
            return self.max_value
        return math.log(value) / math.log(self.base)

    def _from_scale(self, position: float) -> float:
        if self.base == 10 and position == int(position):
            return float(f"1e{int(position)}")  # the float that people write, where a power may miss by one digit
        try:
            return float(self.base**position)
        except OverflowError:
            return math.inf

    def _from_scale_all(self, positions: list[float]) -> list[float]:
        return [self._from_scale(position) for position in positions]

    def _is_number(self, value: Any) -> bool:
        return super()._is_number(value) and bool(value > 0)

    def normalise(self, value: Any) -> float:
        """Return a value given by a person as a Python float; see `LeafParameter.normalise`."""
        if self._is_number(value):
            return float(value)
        value = python_value(value)
        message = f"{self.name!r} is searched on a log scale and takes a number above 0, got {value!r}"
        # The constructor takes exponents, as ClearML's does, and all else takes values.
        if super()._is_number(value) and value < 0 < (meant := self._from_scale(value)):
            message += f"; a value is given, not its exponent: for {self.base!r}**{value!r} write {meant:.6g}"
        raise ValueError(message)

    def _continuous(self, u: UnitNumbers) -> list[Any]:
        low, high = self._range
        span = math.log(high) - math.log(low)
        # The second form serves ranges so wide that the ratio of their bounds is no float.
        values = low * np.exp(u * span) if span < _LARGEST_LOG else np.exp(math.log(low) * (1 - u) + math.log(high) * u)
        return np.minimum(np.maximum(values, low), self._top).tolist()  # type: ignore[no-any-return]

    def to_dict(self) -> dict[str, Any]:
        """Return the dict form; bounds are exponents, a current ``range`` is in values."""
        return {**super().to_dict(), "base": self.base}

    def _state(self) -> tuple[Any, ...]:
        return (*super()._state(), self.base)


@has_dict_form
@dataclass(frozen=True, eq=False, repr=False)
class UniformIntegerParameterRange(NumericParameter):
    """A whole number drawn evenly between two bounds.

    Parameters
    ----------
    name : str
        Full name.
    min_value, max_value : int
        Bounds; the minimum is always a value.
    step_size : int, default 1
        Distance between values, counted from the minimum; the maximum is a value even where it lies off
        the steps.
    include_max_value : bool, default True
        Whether the maximum is a value.

    Raises
    ------
    ValueError, TypeError
        For bounds that fall or are not whole numbers, and for a step that is not above 0.
    """

    name: str
    min_value: int
    max_value: int
    step_size: int | None = 1
    include_max_value: bool = True

    kind: ClassVar[Kind] = "int"

    def __post_init__(self) -> None:
        if self.step_size is None:
            object.__setattr__(self, "step_size", 1)
        super().__post_init__()

    def _checked(self, what: str, number: Any) -> int:
        """Return a whole number that is exact as a float, as an int."""
        value = super()._checked(what, number)
        if not value.is_integer():
            raise ValueError(
                f"{what} of {self.name!r} must be a whole number, got {number!r}: use UniformParameterRange"
            )
        if abs(int(number)) > LARGEST_COUNT:  # not of the float, which may be rounded
            raise ValueError(f"{what} of {self.name!r} must lie within ±2**53 to be exact, got {number!r}")
        return int(number)

    def _is_number(self, value: Any) -> bool:
        return super()._is_number(value) and float(value).is_integer()

    def normalise(self, value: Any) -> int:
        """Return a value given by a person as a Python int; see `LeafParameter.normalise`."""
        if not self._is_number(value):
            raise ValueError(f"{self.name!r} takes a whole number, got {value!r}")
        return self._checked("a value", value)
