"""Which part of a map the constraint of a search refuses, while the other parameters have the values of one point."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hpo_widgets.search import ConstrainsPoints
    from hpo_widgets.widget.plots.axes import ParameterAxis
    from hpo_widgets.widget.plots.png import Levels

_PIXELS, _FEW_PIXELS = 256, 64
"""Pixels along each axis; fewer where there are too many pairs of values to ask about each."""
_MOST_POINTS = 4096
_MOST_SECONDS = 1.0
"""How long a constraint is asked; a slower one is not drawn."""
_STRIPE, _STRIPE_WIDTH = 8, 2

PALETTE = np.array([[0, 0, 0, 0], [128, 128, 128, 48], [128, 128, 128, 140]], dtype=np.uint8)
"""Nothing, what is refused, and the stripes over it, so that it is not told by its shade alone."""


class Refusals(NamedTuple):
    """What a constraint refuses of a map.

    Attributes
    ----------
    picture : ndarray, shape (_PIXELS, _PIXELS), or None
        From the top, indices of `PALETTE`; None where the constraint is not known here, or too slow.
    seconds : float
        How long it took to answer.
    """

    picture: Levels | None
    seconds: float


def refusals(
    search: ConstrainsPoints,
    pair: tuple[str, str],
    axes: tuple[ParameterAxis, ParameterAxis],
    others: Mapping[str, Any],
) -> Refusals:
    """Ask the constraint of a search about points all over a map.

    What is no point of the space, or makes the constraint raise an exception, does not count as refused.

    Parameters
    ----------
    search
        The search.
    pair, axes
        Names of the parameters across and up, and their axes.
    others
        Values of the other parameters.

    Returns
    -------
    Refusals
        What it refuses.
    """
    began = time.monotonic()
    pixels = _PIXELS
    columns, rows = (axis.places_along(pixels) for axis in axes)
    if len(set(columns)) * len(set(rows)) > _MOST_POINTS:
        pixels = _FEW_PIXELS
        columns, rows = (axis.places_along(pixels) for axis in axes)
    refused: set[tuple[float | None, float | None]] = set()
    for across, up in itertools.product(*({one for one in places if one is not None} for places in (columns, rows))):
        point = {**others, pair[0]: axes[0].value_at(across), pair[1]: axes[1].value_at(up)}
        try:
            if not search.allows(point):
                refused.add((across, up))
        except (TypeError, ValueError):
            continue
        except RuntimeError:  # a journal does not hold the function
            return Refusals(None, time.monotonic() - began)
        if time.monotonic() - began > _MOST_SECONDS:
            return Refusals(None, time.monotonic() - began)
    cells = np.array([[(across, up) in refused for across in columns] for up in reversed(rows)])
    cells = cells.repeat(_PIXELS // pixels, axis=0).repeat(_PIXELS // pixels, axis=1)
    down, right = np.indices(cells.shape)
    stripes = (down + right) % _STRIPE < _STRIPE_WIDTH
    return Refusals(np.where(cells, 1 + stripes, 0).astype(np.uint8), time.monotonic() - began)
