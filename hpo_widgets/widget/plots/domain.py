"""The ends of an axis: they grow in steps, so that a live plot is not laid out again for each point."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_GROWTH = 1.5
_FIRST_TRIALS = 20
_MARGIN = 0.06
# Room above the values, where the labels of space epochs are.
_HEADROOM = 0.1
# Values beyond this are drawn at this: the width of an axis must be finite too.
_MOST = 1e300
_LEAST_POSITIVE = 1e-300
# Room for the lane of failed trials under the values, as a share of the axis.
LANE = 0.09
_WIDE = 20.0
_LEAST_VALUES = 10


@dataclass(frozen=True)
class Domain:
    """Both ends of an axis of values, with the lane of failed trials at its low end.

    Attributes
    ----------
    low, high : float
        Ends of the axis; on a logarithmic one above 0.
    is_log : bool
        Whether the axis is logarithmic.
    """

    low: float
    high: float
    is_log: bool = False

    def place(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Share of the axis, 0 at its low end and 1 at its high end."""
        low, high = _forward(self.low, is_log=self.is_log), _forward(self.high, is_log=self.is_log)
        forward = np.log10(np.maximum(values, _LEAST_POSITIVE)) if self.is_log else values
        return (forward / 2 - low / 2) / (high / 2 - low / 2)

    def at(self, place: float) -> float:
        """Return the value at a share of the axis: the inverse of `place`."""
        low, high = _forward(self.low, is_log=self.is_log), _forward(self.high, is_log=self.is_log)
        return _backward(low + 2 * place * (high / 2 - low / 2), is_log=self.is_log)

    def grown(self, values: npt.NDArray[np.float64]) -> Domain:
        """Return the domain that also holds ``values``: the same when it does, else larger by a step."""
        if len(values) == 0:
            return self
        places = self.place(values)
        least, most = float(places.min()), float(places.max())
        low, high = _forward(self.low, is_log=self.is_log), _forward(self.high, is_log=self.is_log)
        width = high / 2 - low / 2
        if least >= LANE and most <= 1:
            return self
        # A step at least, so that a slow drift does not redraw the axis for each trial.
        step = _GROWTH - 1
        if least < LANE:
            low += 2 * width * min(-step, (least - LANE) * (1 + _MARGIN))
        if most > 1:
            high += 2 * width * max(step, (most - 1) * (1 + _MARGIN))
        return Domain(_backward(low, is_log=self.is_log), _backward(high, is_log=self.is_log), self.is_log)


def first_domain(values: npt.NDArray[np.float64], *, is_log: bool) -> Domain:
    """Return the domain that holds ``values`` with a margin and the lane below.

    None gives 0 to 1; equal ones are put in the middle.
    """
    if len(values) == 0:
        return Domain(0.1, 1.0, is_log=True) if is_log else Domain(-LANE, 1.0)
    kept = clip(values)
    low, high = float(kept.min()), float(kept.max())
    if is_log:
        low, high = math.log10(max(low, _LEAST_POSITIVE)), math.log10(max(high, _LEAST_POSITIVE))
    half = high / 2 - low / 2
    if half == 0:
        half = max(abs(low) * 0.05, 1e-9) if low and not is_log else 0.5
        low, high = low - half, high + half
    margin = 2 * half * _MARGIN
    return Domain(
        _backward(low - margin - 2 * half * LANE * (1 + 2 * LANE + 2 * _MARGIN), is_log=is_log),
        _backward(high + 2 * half * _HEADROOM, is_log=is_log),
        is_log,
    )


def wants_log(values: npt.NDArray[np.float64]) -> bool:
    """Whether a logarithmic axis shows ``values`` better.

    The rule: there are at least ten values, all above 0, and the largest of the better 90 % is at
    least twenty times the smallest.
    """
    if len(values) < _LEAST_VALUES or float(values.min()) <= 0:
        return False
    return float(np.quantile(values, 0.9)) / float(max(values.min(), _LEAST_POSITIVE)) >= _WIDE


def clip(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Values as they can be drawn: no larger than an axis can be wide."""
    return np.clip(values, -_MOST, _MOST)


def num_trials_shown(num_trials: int, most: int | None) -> int:
    """End of the axis of trials: steps of one half more, and no further than there will be trials."""
    end = _FIRST_TRIALS
    while end < num_trials:
        end = int(end * _GROWTH)
    return end if most is None else max(min(end, most), num_trials, 1)


def _forward(value: float, *, is_log: bool) -> float:
    """Tell where a value lies on the scale on which the axis is even."""
    return math.log10(max(value, _LEAST_POSITIVE)) if is_log else value


def _backward(place: float, *, is_log: bool) -> float:
    """Return the value at a place on that scale, as far as an axis can go."""
    if is_log:
        return float(10.0 ** min(max(place, math.log10(_LEAST_POSITIVE)), math.log10(_MOST)))
    return min(max(place, -_MOST), _MOST)
