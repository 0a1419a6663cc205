"""Round numbers along an axis."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from hpo_widgets.widget.plots.domain import LANE, Domain

if TYPE_CHECKING:
    from collections.abc import Sequence

FORMAT = ".6~g"
"""How bqplot writes a tick: at most six digits, without trailing zeros."""

_STEPS = (1.0, 2.0, 5.0, 10.0)
_MOST_DECADES_WITH_PARTS = 2.5
# So many decades apart, from 2.2e-308 to 1.8e308 at the most.
_DECADES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


def even_ticks(low: float, high: float, most: int, *, whole: bool = False) -> list[float]:
    """Round numbers at even distances from ``low`` to ``high``, at most ``most`` and one more.

    Parameters
    ----------
    low, high
        Ends of the axis.
    most
        About how many.
    whole
        Whether only whole numbers make sense.
    """
    width = high / most - low / most
    if not 0 < width < math.inf:
        return []
    unit = 10.0 ** math.floor(math.log10(width))
    step = next(unit * part for part in _STEPS if unit * part >= width * 0.999)
    step = max(1.0, step) if whole else step
    first, last = math.ceil(low / step), math.floor(high / step)
    return [float(f"{count * step:.12g}") for count in range(first, last + 1)]


def value_ticks(domain: Domain, most: int) -> list[float]:
    """Ticks of an axis of values, none on the lane of failed trials."""
    floor = domain.at(LANE)
    return [tick for tick in ticks_between(domain, most) if floor <= tick]


def ticks_between(domain: Domain, most: int, *, whole: bool = False) -> list[float]:
    """Ticks over the whole of an axis."""
    if domain.is_log:
        ticks = _log_ticks(domain, most)
    else:
        ticks = even_ticks(domain.low, domain.high, most, whole=whole)
    return [tick for tick in ticks if domain.low <= tick <= domain.high]


def _log_ticks(domain: Domain, most: int) -> list[float]:
    low, high = math.log10(domain.low), math.log10(domain.high)
    if high - low < 1:
        return even_ticks(domain.low, domain.high, most)
    parts: Sequence[float] = (1.0, 2.0, 5.0) if high - low <= _MOST_DECADES_WITH_PARTS else (1.0,)
    every = next(step for step in _DECADES if step >= (high - low) / most)
    decades = [decade for decade in range(math.floor(low), math.ceil(high) + 1) if decade % every == 0]
    return [float(f"{part}e{decade}") for decade in decades for part in parts]
