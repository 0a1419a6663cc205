"""Declarations that give a parameter the range it has now, as if it had been made with it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from hpo_widgets.parameters.choice import DiscreteParameterRange
from hpo_widgets.parameters.numeric import NumericParameter
from hpo_widgets.parameters.ranges import LogUniformParameterRange, UniformIntegerParameterRange, UniformParameterRange

if TYPE_CHECKING:
    from hpo_widgets.parameters.base import LeafParameter

_MOST_NEIGHBOURS = 8


def redeclared(leaf: LeafParameter, *, exact: bool = True) -> LeafParameter | None:
    """Return a parameter whose declared range is the present one of ``leaf``.

    Parameters
    ----------
    leaf
        A parameter whose range was changed.
    exact
        Whether the values must be the same to the last digit. Without it bounds of a log range may differ in
        their last digit, and a single step becomes a choice.

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
    # A maximum that is no value stays none; one that was chosen is one.
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
