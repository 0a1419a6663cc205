"""Suggests wider ranges where a point lies near an end, with new bounds that are round numbers."""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from hpo_widgets.parameters.numeric import shares

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hpo_widgets.space import Space

MOST_SUGGESTIONS = 3
"""Suggestions at most; those whose ends are nearest are kept."""

_NEAR = 0.07
_LEAST_FACTOR = 2.0
_SHARE = 0.25
_ENDS = ("lower", "upper")


class WidenSuggestion(TypedDict):
    """A range worth widening: at which end, and the range it would be then."""

    name: str
    end: str
    range: list[float]


def widen_suggestions(space: Space, best: Sequence[float | None]) -> list[WidenSuggestion]:
    """Find the ranges with the best trial near an end; `advice.best_at_end` tests whether that is more than chance.

    Parameters
    ----------
    space
        The space as it is now.
    best
        The best trial's point, in `Space.encode` form.

    Returns
    -------
    list of WidenSuggestion
        The nearest to its end first; ranges that cannot grow within their limits are left out.
    """
    found: list[tuple[float, WidenSuggestion]] = []
    for name, value in zip(space.names, best, strict=True):
        leaf: Any = space.leaf(name)
        place = None if value is None or leaf.kind == "choice" else _place(leaf, value)
        if place is None or _NEAR < place < 1 - _NEAR:
            continue
        end = int(place > 1 / 2)
        bound = _widened(leaf, end, space.limits.get(name, (None, None))[end])
        if bound is None:
            continue
        chosen = (leaf.range[0], bound) if end else (bound, leaf.range[1])
        try:
            space.with_ranges({name: chosen})
        except ValueError:
            continue
        found.append((min(place, 1 - place), WidenSuggestion(name=name, end=_ENDS[end], range=list(chosen))))
    found.sort(key=operator.itemgetter(0))
    return [suggestion for _, suggestion in found[:MOST_SUGGESTIONS]]


def _place(leaf: Any, value: float) -> float | None:
    """Return the share of the range below a value, on the parameter's scale; None outside, and for a range of one."""
    low, high = map(float, leaf.range)
    if not low <= value <= high or low == high:
        return None
    return float(shares(np.array(value, dtype=np.float64), low, high, is_log=leaf.kind == "log"))


def _widened(leaf: Any, end: int, limit: float | None) -> float | None:
    """Return a round bound further out; None when there is none."""
    old = leaf.range[end]
    out = 1 if end else -1
    if leaf.kind == "log":
        bound = _further_on_log(leaf, old, out)
    elif leaf.step is not None:
        bound = _further_by_steps(leaf, old, out)
    else:
        bound = _further(leaf, old, out)
    for most in (limit, _natural_end(leaf, end)):
        if most is not None and (bound - most) * out > 0:
            bound = most
    if leaf.kind == "int":
        bound = math.floor(bound) if end else math.ceil(bound)
    return bound if math.isfinite(bound) and (bound - old) * out > 0 else None


def _natural_end(leaf: Any, end: int) -> float | None:
    """Return the bound that no suggestion crosses: 0, 1 for counts, or 1 for shares."""
    low, high = leaf.range
    if leaf.kind == "log":
        return None
    if end == 0 and low >= 0:
        return 1 if leaf.kind == "int" and low >= 1 else 0
    if end == 1 and high <= 0:
        return 0
    if end == 1 and leaf.kind == "float" and low >= 0 and high <= 1:
        return 1
    return None


def _further_on_log(leaf: Any, old: float, out: int) -> float:
    """Return a step of 1, 3, 10 … on a scale of tens, else of whole powers or steps."""
    try:
        if leaf.base != 10 or leaf.step is not None:
            step = leaf.step or 1.0
            at_least = math.ceil(math.log(_LEAST_FACTOR) / math.log(leaf.base) / step - 1e-9)
            return float(old * leaf.base ** (out * step * at_least))
        wanted = old * _LEAST_FACTOR**out
        tens = math.floor(math.log10(wanted))
        nice = [float(f"{digit}e{power}") for power in (tens - 1, tens, tens + 1) for digit in (1, 3)]
        if out > 0:
            return min(value for value in nice if value >= wanted)
        return max(value for value in nice if value <= wanted)
    except (OverflowError, ValueError):
        return math.inf


def _further_by_steps(leaf: Any, old: float, out: int) -> float:
    low, high = leaf.range
    steps = max(1, round((high / 2 - low / 2) * 2 * _SHARE / leaf.step))
    at = (old - leaf.declared[0]) / leaf.step
    return _tidy(leaf.declared[0] + leaf.step * ((math.floor(at) if out > 0 else math.ceil(at)) + out * steps))


def _further(leaf: Any, old: float, out: int) -> float:
    low, high = leaf.range
    more = (high / 2 - low / 2) * 2 * _SHARE
    if not math.isfinite(more):
        return math.inf
    unit = 10.0 ** math.floor(math.log10(more))
    return _tidy(out * math.ceil(_tidy((out * old + more) / unit)) * unit)


def _tidy(value: float) -> float:
    """Drop the last bits of binary arithmetic: 0.30000000000000004 is 0.3."""
    return float(f"{value:.12g}")
