"""Where a sampler has sampled recently: the area over a range control.

A model cannot be asked what it would draw without drawing it. What it drew last, under the present ranges, tells:
it goes back to where it found good values. Enqueued points and those of earlier ranges tell nothing of it.
"""

from __future__ import annotations

import functools
from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np

from hpo_widgets.parameters.numeric import shares
from hpo_widgets.widget.parts.rug import MANY, Floats

if TYPE_CHECKING:
    from hpo_widgets.space import Space
    from hpo_widgets.trials.columns import Rows

MOST_BINS = 41
"""Across a range. Steps are shown apart up to 40 of them, and each has a bin of its own then."""

FEW_BINS = 21
"""Bins where there are more than `MANY` parameters, so that a trial, which changes them all, stays small."""

MOST_SAMPLES = 48
"""So many draws are remembered: a model that has changed its mind is seen to."""

_LEAST_SAMPLES = 10
"""Fewer draws say nothing: samplers begin at random."""

_NO_PREFERENCE = frozenset({"RandomSearch", "GridSearch"})
"""Names of strategies of which it is known that they never prefer a value without a prior."""

_TOP = 9
# As many even draws are mixed in, so that a sampler at random looks nearly even.
_EVEN_DRAWS = 12.0
_KERNEL_WIDTH = 1 / 16


class RecentSamples:
    """The newest values that a strategy drew of each numeric parameter, of trials of one space epoch."""

    def __init__(self, space: Space, epoch: int, strategy: str) -> None:
        leaves: dict[str, Any] = {name: space.leaf(name) for name in space.names}
        self._leaves = {name: None if leaf.kind == "choice" else leaf for name, leaf in leaves.items()}
        self._num_bins = FEW_BINS if len(leaves) > MANY else MOST_BINS
        self._epoch = epoch
        if strategy in _NO_PREFERENCE:
            self._leaves = {name: leaf if name in space.priors else None for name, leaf in self._leaves.items()}
        self._has_preferences = any(leaf is not None for leaf in self._leaves.values())
        self._newest = -1
        self._values: dict[str, deque[float]] = {name: deque(maxlen=MOST_SAMPLES) for name in leaves}

    def put(self, rows: Rows) -> bool:
        """Take changed rows; those that came before change nothing. Returns whether there was a new draw."""
        is_new = (rows.numbers > self._newest) & (rows.epoch == self._epoch)
        is_new &= ~(rows.enqueued | rows.is_recorded)
        if not self._has_preferences or not is_new.any():
            return False
        fresh = np.flatnonzero(is_new)
        fresh = fresh[np.argsort(rows.numbers[fresh])][-MOST_SAMPLES:]
        self._newest = int(rows.numbers[fresh[-1]])
        for name, leaf in self._leaves.items():
            if leaf is not None:
                drawn = rows.parameters[name][fresh]
                self._values[name].extend(drawn[~np.isnan(drawn)].tolist())
        return True

    def shown(self) -> list[str]:
        """Return a text for each parameter, in their order, of one digit per bin from the low end of its range.

        The more draws, the higher the digit, 9 where they are most. Empty where every value is as likely, as far as
        is known.
        """
        return [_profile(leaf, self._values[name], self._num_bins) for name, leaf in self._leaves.items()]


def _profile(leaf: Any, drawn: deque[float], num_bins: int) -> str:
    if leaf is None or len(drawn) < _LEAST_SAMPLES or leaf.range[0] == leaf.range[1]:
        return ""
    values = np.clip(np.fromiter(drawn, dtype=np.float64), *leaf.range)
    bins = np.rint(shares(values, *leaf.range, is_log=leaf.kind == "log") * (num_bins - 1)).astype(np.intp)
    counts = np.bincount(bins, minlength=num_bins)
    if leaf.num_values is None or leaf.num_values >= num_bins:
        heights = counts @ _smoothing(num_bins) + _EVEN_DRAWS / num_bins
    else:
        heights = counts + _EVEN_DRAWS / leaf.num_values
    digits: list[int] = np.rint(_TOP * heights / heights.max()).astype(int).tolist()
    return "".join(map(str, digits))


@functools.cache
def _smoothing(num_bins: int) -> Floats:
    at = np.arange(num_bins)
    kernel = np.exp(-0.5 * (np.subtract.outer(at, at) / (_KERNEL_WIDTH * num_bins)) ** 2)
    # What is even stays so up to both ends.
    smoothing: Floats = kernel / kernel.sum(axis=0)
    return smoothing
