"""Hard limits of a space, and what a changed range leaves of a name that combinations share."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from hpo_widgets._messages import near_match
from hpo_widgets.parameters import DiscreteParameterRange, LeafParameter, NumericParameter, as_pair
from hpo_widgets.parameters.choices import python_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hpo_widgets.space.layout import Layout

Limits = dict[str, tuple[float | None, float | None]]


def checked_limits(layout: Layout, limits: Mapping[str, Any]) -> Limits:
    """Return hard limits as pairs of numbers or None.

    Parameters
    ----------
    layout
        The parameters of the space.
    limits
        Name to (low, high); None, for one of them, is no limit.

    Returns
    -------
    Limits
        Name to (low, high) in numbers, None for no limit.

    Raises
    ------
    ValueError
        For an unknown name, a choice, bounds that fall or are no numbers, and limits that do not hold
        the declared range.
    """
    checked: Limits = {}
    for name, given in limits.items():
        if name not in layout.columns:
            raise ValueError(f"limits name an unknown parameter {name!r}. {near_match(name, layout.columns)}")
        leaf = layout.columns[name].parameter
        if isinstance(leaf, DiscreteParameterRange):
            raise ValueError(f"{name!r} is a choice: its declared values are its limit, leave it out of limits")  # noqa: TRY004 - a wrong value of limits
        low, high = (_limit(name, bound) for bound in as_pair(f"the limit of {name!r}", given))
        if low is not None and high is not None and not low < high:
            raise ValueError(f"the limits of {name!r} must rise from low to high, got ({low!r}, {high!r})")
        bounds = leaf.range
        if (low is not None and bounds[0] < low) or (high is not None and bounds[1] > high):
            raise ValueError(f"the limits ({low!r}, {high!r}) of {name!r} do not hold its range {bounds!r}")
        checked[name] = (low, high)
    return checked


def _limit(name: str, bound: Any) -> float | None:
    bound = python_value(bound)
    if bound is None:
        return None
    if isinstance(bound, bool) or not isinstance(bound, (int, float)) or math.isnan(bound):
        raise ValueError(f"a limit of {name!r} must be a number or None, got {bound!r}")
    return None if math.isinf(bound) else bound


def within(own: LeafParameter, whole: LeafParameter, range_: tuple[Any, ...]) -> LeafParameter | None:
    """Return what is left of one combination's parameter when the range of the shared name changes.

    Parameters
    ----------
    own : LeafParameter
        What the combination declares.
    whole : LeafParameter
        What all combinations declare under the name.
    range_ : tuple
        The new range of the name.

    Returns
    -------
    LeafParameter or None
        None when the combination is left without a value.
    """
    if isinstance(own, DiscreteParameterRange):
        if isinstance(whole, NumericParameter):
            kept = [value for value in own.declared if range_[0] <= value <= range_[1]]
        else:
            allowed = DiscreteParameterRange(own.name, range_)
            kept = [value for value in own.declared if allowed.contains(value)]
        return own.with_range(kept) if kept else None
    # An outer edge moves with the shared range; an inner one stays where this combination has it.
    low = range_[0] if own.declared[0] == whole.declared[0] else max(range_[0], own.declared[0])
    high = range_[1] if own.declared[1] == whole.declared[1] else min(range_[1], own.declared[1])
    try:
        return own.with_range((low, high))
    except ValueError:
        return None
