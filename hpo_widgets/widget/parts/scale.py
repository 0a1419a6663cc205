"""Where values sit on a track, as shares of it: even in the logarithm where the parameter is."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def shares(values: Floats, low: float, high: float, *, is_log: bool) -> Floats:
    """Return the share of the way from ``low`` to ``high``, which differ, at which each value is."""
    if is_log:
        start, end = math.log(low), math.log(high)
        return (np.log(values) - start) / (end - start)
    # By halves: the width of a track may be more than a float holds.
    return (values / 2 - low / 2) / (high / 2 - low / 2)
