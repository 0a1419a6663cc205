"""Parameters made of something else: of objects of other packages, and of parameters whose range was changed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from typing import Any

from hpo_widgets.parameters.base import CLASSES, LeafParameter, Parameter
from hpo_widgets.parameters.choice import DiscreteParameterRange
from hpo_widgets.parameters.numeric import NumericParameter
from hpo_widgets.parameters.ranges import LogUniformParameterRange, UniformIntegerParameterRange, UniformParameterRange

_MOST_MEANT = 6
"""Greatest number of constructors that the error for a dict writes out."""

_LOG_RATIO = 100
"""A range whose maximum is at least so many times its minimum is usually searched on a log scale."""


def as_parameter(obj: Any) -> Parameter:
    """Return a parameter for our own or the ClearML SDK's parameter object.

    Parameters
    ----------
    obj : Parameter or ``clearml.automation`` Parameter
        Ours are returned unchanged; the SDK's are recognised by their class name, so that the SDK need not
        be imported.

    Raises
    ------
    TypeError
        For anything else.
    """
    if isinstance(obj, Parameter):
        return obj
    name = _class_name(obj)
    if name is not None:
        return Parameter.from_dict({**obj.to_dict(), "type": name})
    raise TypeError(
        f"a search varies Parameter objects ({', '.join(CLASSES)}, ours or clearml.automation's), got {obj!r}"
    )


def as_parameters(given: Any) -> list[Parameter]:
    """Return the parameters of a space that somebody gave, each as `as_parameter` does.

    Parameters
    ----------
    given : iterable of Parameter
        Ours or the ClearML SDK's.

    Raises
    ------
    TypeError
        For anything else; for a dict, the message writes out the constructors that were probably meant.
    """
    if isinstance(given, Mapping):
        meant = ", ".join(_meant(str(name), range_) for name, range_ in itertools.islice(given.items(), _MOST_MEANT))
        more = ", ..." if len(given) > _MOST_MEANT else ""
        raise TypeError(f"hyper_parameters must be a list of Parameter objects, got a dict; write [{meant}{more}]")
    if isinstance(given, Parameter):
        raise TypeError("hyper_parameters is a list of Parameter objects, got a single one: put it in a list")
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise TypeError(f"hyper_parameters must be a list of Parameter objects, got {given!r}")
    return [as_parameter(parameter) for parameter in given]


def _meant(name: str, range_: Any) -> str:
    """The constructor that an entry of a dict meant: a pair of numbers is a range, all else a choice."""
    if is_parameter(range_):
        return repr(range_)
    values = (
        list(range_) if isinstance(range_, Iterable) and not isinstance(range_, (str, bytes, Mapping)) else [range_]
    )
    is_pair = isinstance(range_, tuple) and len(values) == 2
    if is_pair and all(isinstance(bound, (int, float)) and not isinstance(bound, bool) for bound in values):
        low, high = values
        if isinstance(low, int) and isinstance(high, int):
            return f"UniformIntegerParameterRange({name!r}, {low}, {high})"
        if low > 0 and high >= _LOG_RATIO * low:
            return f"LogUniformParameterRange({name!r}, {math.log10(low):.4g}, {math.log10(high):.4g})"
        return f"UniformParameterRange({name!r}, {low!r}, {high!r})"
    return f"DiscreteParameterRange({name!r}, {values!r})"


def is_parameter(obj: Any) -> bool:
    """Tell whether `as_parameter` takes an object."""
    return isinstance(obj, Parameter) or _class_name(obj) is not None


def _class_name(obj: Any) -> str | None:
    """Return the name of our class that an object of the SDK's, or of a class derived from it, stands for."""
    if isinstance(obj, type) or not callable(getattr(obj, "to_dict", None)):
        return None
    return next((kind.__name__ for kind in type(obj).__mro__ if kind.__name__ in CLASSES), None)


_MOST_NEIGHBOURS = 8


def redeclared(leaf: LeafParameter, *, exact: bool = True) -> LeafParameter | None:
    """Return a parameter whose declared range is the present one of ``leaf``.

    Parameters
    ----------
    leaf
        A parameter whose range was changed.
    exact
        Whether the values must be the same to the last digit (default). If False, bounds of a log range may differ
        in their last digit, and a range of a single step becomes a choice.

    Returns
    -------
    LeafParameter or None
        None when no declaration gives exactly these values.
    """
    if isinstance(leaf, DiscreteParameterRange):
        return DiscreteParameterRange(leaf.name, leaf.range)
    assert isinstance(leaf, NumericParameter)  # noqa: S101 -- there is no other kind
    count = leaf.num_values
    low, high = leaf.range if count is None else (leaf.value_at(0), leaf.value_at(count - 1))
    if count == 1:
        return None if exact else DiscreteParameterRange(leaf.name, [low])
    # A maximum that the declaration excludes stays excluded; one that a person has set is included.
    include = not leaf._open_end  # noqa: SLF001 -- the same package's
    step = leaf.step_size
    if isinstance(leaf, LogUniformParameterRange):
        lows, highs = (_exponents(bound, leaf.base) for bound in (low, high))
        if not exact:
            return LogUniformParameterRange(leaf.name, lows[0], highs[0], leaf.base, step, include)
        for least in lows:
            for greatest in highs:
                found = LogUniformParameterRange(leaf.name, least, greatest, leaf.base, step, include)
                if _is_same(found, leaf, (low, high)):
                    return found
        return None
    plain: NumericParameter
    if isinstance(leaf, UniformIntegerParameterRange):
        plain = UniformIntegerParameterRange(leaf.name, int(low), int(high), leaf.step_size, include)
    else:
        plain = UniformParameterRange(leaf.name, low, high, step, include)
    return plain if not exact or _is_same(plain, leaf, (low, high)) else None


def range_between(
    name: str, low: float, high: float, *, step: float | None = None, log: bool = False, whole: bool = False
) -> LeafParameter:
    """Return a parameter whose range is given as Optuna has it, by values also on a log scale.

    Parameters
    ----------
    name
        Its name.
    low, high
        Both are values.
    step
        Distance between values. Default: continuous, or 1.
    log
        Whether it is searched on a log scale; whole numbers never are, and are drawn evenly.
    whole
        Whether its values are whole numbers.

    Returns
    -------
    LeafParameter
        The parameter; a choice if `low` is `high`. A bound of a log scale that is no power of 10 may be the next float
        outside of the range.
    """
    if low == high:
        return DiscreteParameterRange(name, [low])
    if whole:
        return UniformIntegerParameterRange(name, int(low), int(high), None if step is None else int(step))
    if log and low > 0:
        return LogUniformParameterRange(name, _exponent(low, -math.inf), _exponent(high, math.inf))
    return UniformParameterRange(name, low, high, step)


def _exponent(value: float, outwards: float) -> float:
    """Return the exponent of 10 whose power is a bound of a range, or the nearest float outside of it."""
    exponent = math.log10(value)
    if exponent.is_integer():
        return exponent
    return next(near for near in _exponents(value, 10) if (10**near <= value if outwards < 0 else 10**near >= value))


def _exponents(value: float, base: float) -> list[float]:
    """Exponents whose power is ``value`` or the floats next to it, likeliest first."""
    exponent = math.log10(value) if base == 10 else math.log(value, base)
    found = [round(exponent, digits) for digits in (6, 9, 12, 15)]
    below = above = exponent
    for _ in range(_MOST_NEIGHBOURS):
        found += [below, above]
        below, above = math.nextafter(below, -math.inf), math.nextafter(above, math.inf)
    return sorted(dict.fromkeys(found), key=lambda near: abs(base**near - value))


def _is_same(found: NumericParameter, leaf: NumericParameter, bounds: tuple[float, float]) -> bool:
    """Whether two parameters give the same values."""
    if found.range != bounds or found.num_values != leaf.num_values:
        return False
    count = leaf.num_values
    return count is None or all(found.value_at(at) == leaf.value_at(at) for at in {0, 1, count // 2, count - 1})
