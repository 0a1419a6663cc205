"""What the map shows, as plain arrays: how good trials are, where they are, and what is near them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hpo_widgets.widget.plots import style
from hpo_widgets.widget.plots.axes import LANE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hpo_widgets.widget.plots.axes import Domain, ParameterAxis
    from hpo_widgets.widget.plots.png import Levels
    from hpo_widgets.widget.plots.series import Floats

NUM_BINS = 64
"""Bins of the background along each axis."""

# Of the background: colours between those of the ramp, steps in which it fades, its opacity where many trials are.
_NUM_COLOURS, _NUM_FADES, _OPACITY = 17, 15, 0.6
# How far a trial tells of its neighbourhood: this share of an axis for one trial, and less for many.
_REACH = 0.25


def goodness(values: Floats, domain: Domain, *, minimise: bool) -> Floats:
    """Return how good values are: 0 at the worst end of an axis, 1 at the best one.

    Parameters
    ----------
    values
        Values of the objective, shape (n,).
    domain
        The ends of its axis.
    minimise
        Whether small is good.

    Returns
    -------
    array of float
        Shape (n,).
    """
    share = (domain.place(values) - LANE) / (1 - LANE)
    good: Floats = np.clip(1 - share if minimise else share, 0, 1)
    return good


def levels(good: Floats) -> Levels:
    """Return the index of `style.RAMP` for how good trials are."""
    num_levels = len(style.RAMP)
    return np.minimum(good * num_levels, num_levels - 1).astype(np.uint8)


def smoothed(x: Floats, y: Floats, good: Floats, *, choices: tuple[int, int] = (0, 0)) -> npt.NDArray[np.uint8]:
    """Return a smoothed picture of how good trials are, which fades where none is near.

    Parameters
    ----------
    x, y
        Places of trials along both axes, 0 to 1, shape (n,).
    good
        How good each is, 0 to 1.
    choices
        Number of choices along each axis, over whose borders nothing is smoothed; 0 for a number.

    Returns
    -------
    ndarray, shape (NUM_BINS, NUM_BINS)
        From the top; indices of `PALETTE`.
    """
    reach = _REACH * max(len(x), 1) ** (-1 / 6)
    near_x, near_y = (_nearness(reach, count) for count in choices)
    place = [np.clip(share * NUM_BINS, 0, NUM_BINS - 1).astype(np.int64) for share in (1 - y, x)]
    at = place[0] * NUM_BINS + place[1]
    shape = (NUM_BINS, NUM_BINS)
    count = np.bincount(at, minlength=NUM_BINS**2).reshape(shape).astype(float)
    total = np.bincount(at, weights=good, minlength=NUM_BINS**2).reshape(shape)
    evidence = near_y[::-1, ::-1] @ count @ near_x
    mean = near_y[::-1, ::-1] @ total @ near_x / np.maximum(evidence, 1e-12)
    fade = np.round((_NUM_FADES - 1) * evidence / (evidence + 1)).astype(np.int64)
    colour = np.clip(np.round(mean * (_NUM_COLOURS - 1)), 0, _NUM_COLOURS - 1).astype(np.int64)
    return np.where(fade > 0, 1 + colour * _NUM_FADES + fade, 0).astype(np.uint8)


def _nearness(reach: float, num_choices: int) -> Floats:
    """Return how much each bin of an axis tells of each other, 1 for itself."""
    place = (np.arange(NUM_BINS) + 0.5) / NUM_BINS
    if num_choices:
        choice = np.floor(place * num_choices)
        same: Floats = (choice[:, None] == choice).astype(float)
        return same
    near: Floats = np.exp(-0.5 * ((place[:, None] - place) / reach) ** 2)
    return near


def _palette() -> npt.NDArray[np.uint8]:
    """Return nothing, then for each colour all fades."""
    places = np.linspace(0, len(style.RAMP) - 1, _NUM_COLOURS)
    colours = np.stack([np.interp(places, np.arange(len(style.RAMP)), column) for column in style.RAMP.T], axis=1)
    opacity = np.tile(np.linspace(0, 255 * _OPACITY, _NUM_FADES), _NUM_COLOURS)
    entries = np.column_stack([np.repeat(colours, _NUM_FADES, axis=0), opacity])
    return np.concatenate([np.zeros((1, 4)), entries]).round().astype(np.uint8)


PALETTE = _palette()
"""Red, green, blue and opacity by the indices of `smoothed`."""


def rectangles(across: Sequence[tuple[float, float]], up: Sequence[tuple[float, float]]) -> tuple[Floats, Floats]:
    """Return the outlines of all rectangles of one interval across and one up, as `style.broken_line` does.

    Parameters
    ----------
    across, up
        Low and high end of each interval.

    Returns
    -------
    tuple of array
        Across and up.
    """
    corners = [
        ((left, right, right, left, left), (low, low, high, high, low)) for left, right in across for low, high in up
    ]
    return style.broken_line(*np.array(corners, dtype=float).reshape(-1, 2, 5).swapaxes(0, 1))


def intervals(parameter: Any, axis: ParameterAxis) -> list[tuple[float, float]]:
    """Return where the present range of a parameter lies along its axis: one interval, or one for each run of choices.

    Parameters
    ----------
    parameter
        The parameter, with its present range.
    axis
        Its axis.

    Returns
    -------
    list of tuple
        Low and high end of each, from low to high.
    """
    if parameter.kind != "choice":
        low, high = parameter.range
        return [(float(low), float(high))]
    allowed = sorted(parameter.allowed)
    starts = [one for one in allowed if one - 1 not in allowed]
    ends = [one for one in allowed if one + 1 not in allowed]
    return [
        (max(start - 0.5, axis.domain.low), min(end + 0.5, axis.domain.high))
        for start, end in zip(starts, ends, strict=True)
    ]
