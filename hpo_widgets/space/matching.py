"""Which combinations of which ParameterSets a point uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hpo_widgets.space.layout import Layout

    Accepts = Callable[[int, Any], bool]


def match(layout: Layout, point: Mapping[str, Any], accepts: Accepts) -> tuple[int | None, ...] | None:
    """Find combinations whose names are exactly those of a point and whose values are accepted.

    Parameters
    ----------
    layout : Layout
        The space's.
    point : mapping
        Names and values.
    accepts : callable
        Tells whether an occurrence, by its index, can have a value.

    Returns
    -------
    tuple of int or None
        For each ParameterSet the first combination that fits, None for a set that is not part of the
        point; None altogether when nothing fits.
    """
    chosen: list[int | None] = [None] * len(layout.sets)
    rest = set(point)
    for is_set, index in layout.top:
        if is_set:
            names = layout.sets[index].names & rest
            if not _match_set(layout, index, point, names, accepts, chosen):
                return None
            rest -= names
        else:
            name = layout.occurrences[index].name
            if name not in rest or not accepts(index, point[name]):
                return None
            rest.discard(name)
    return None if rest else tuple(chosen)


def _match_set(
    layout: Layout,
    which: int,
    point: Mapping[str, Any],
    names: set[str] | frozenset[str],
    accepts: Accepts,
    chosen: list[int | None],
) -> bool:
    """Choose a combination of one set, and of the sets inside it, that sets exactly some names."""
    for number, (leaves, sets) in enumerate(layout.sets[which].combinations):
        own = [layout.occurrences[index].name for index in leaves]
        if not names.issuperset(own):
            continue
        rest = names.difference(own)
        inner = [(index, layout.sets[index].names & rest) for index in sets]
        if rest.difference(*(below for _, below in inner)):
            continue
        trial = list(chosen)
        trial[which] = number
        if all(accepts(index, point[name]) for index, name in zip(leaves, own, strict=True)) and all(
            _match_set(layout, index, point, below, accepts, trial) for index, below in inner
        ):
            chosen[:] = trial
            return True
    return False
