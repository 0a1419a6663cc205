"""What was tried of each parameter, in bins: the rug under a range control and the counts on choices.

A rug is a short text, one character per bin, so that it is as small with a million trials as with ten, and a
trial changes it only where something new or better was found. How good a bin is follows from the rank of its
best trial among all, so that it means the same for losses near 1e-300 and near 1e300.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hpo_widgets.parameters.numeric import shares
from hpo_widgets.trials import TrialState
from hpo_widgets.trials.columns import never_ran

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hpo_widgets.space import Space
    from hpo_widgets.trials.columns import Rows

Floats = npt.NDArray[np.float64]
Tracks = dict[str, tuple[float, float]]

MOST_BINS = 128
"""Two pixels each on a track of the panel's width."""

FEW_BINS = 64
"""Bins where there are more than `MANY` parameters, so that a trial that is good in all of them stays small."""

MANY = 16

NUM_LEVELS = 8

# What a bin holds at best; also what is remembered of each trial.
_NOTHING, _FAILED, _PARTIAL, _COMPLETED = range(4)
_SIGNS = np.frombuffer(b" x" + b"12345678" + b"X" + b"abcdefgh", dtype=np.uint8)
_OF_THIS_EPOCH = 1 + NUM_LEVELS
_TOP = 9
# Levels are set again when there are so many more trials.
_GROWTH = 1.1


class _Rug:
    """The bins of one numeric parameter on a track from ``low`` to ``high``; few whole numbers have one each."""

    def __init__(self, low: float, high: float, kind: str, most_bins: int = MOST_BINS) -> None:
        self._low, self._high = low, high
        self._is_log = kind == "log"
        is_counted = kind == "int" and high - low < most_bins
        self._size = int(high - low) + 1 if is_counted else most_bins
        self._kinds = np.zeros(self._size, dtype=np.uint8)
        self._losses = np.full(self._size, math.inf)
        self._epochs = np.full(self._size, -1, dtype=np.int32)

    def put(self, values: Floats, trials: _Ended) -> None:
        """Take trials with their values of this parameter; NaN where it does not apply to one."""
        # A value off the track, of an enqueued point, has no place on it.
        keep = (values >= self._low) & (values <= self._high)
        bins = np.rint(shares(values[keep], self._low, self._high, is_log=self._is_log) * (self._size - 1)).astype(
            np.intp
        )
        np.maximum.at(self._kinds, bins, trials.kinds[keep])
        np.minimum.at(self._losses, bins, trials.losses[keep])
        np.maximum.at(self._epochs, bins, trials.epochs[keep])

    def text(self, levels: Levels, epoch: int) -> str:
        """Return one character per bin, from the low end of the track to its high end.

        A space: nothing was tried; ``x``: all failed; ``1`` to ``8``: the better, the higher. Since ``epoch``, the
        first version of the space that had the present ranges, these are ``X`` and ``a`` to ``h``.
        """
        signs = np.zeros(self._size, dtype=np.intp)
        signs[self._kinds == _FAILED] = 1
        signs[self._kinds == _PARTIAL] = 2
        completed = self._kinds == _COMPLETED
        signs[completed] = 1 + levels.of(self._losses[completed])
        signs[(self._epochs >= epoch) & (signs > 0)] += _OF_THIS_EPOCH
        return _SIGNS[signs].tobytes().decode("ascii")


@dataclass(frozen=True)
class _Ended:
    """Trials that have ended: how, with what loss (infinite without one), in which epoch."""

    kinds: npt.NDArray[np.uint8]
    losses: Floats
    epochs: npt.NDArray[np.int32]


class Levels:
    """Which losses are how good: the best trial has level 8, the worse half level 1.

    Each level holds the same factor fewer trials than the one below, whatever their number: with 100 trials
    the upper ones begin at the ranks 52, 27, 14, 7, 4, 2 and 1.
    """

    def __init__(self) -> None:
        self._ends: Floats = np.empty(0)
        self._num_trials = 0

    def fit(self, losses: Floats) -> None:
        """Set the levels again when there are a tenth more trials.

        In between each new best trial has the highest level, beside the former one: rugs are not sent again for
        one trial.
        """
        count = len(losses)
        if count == 0 or count < _GROWTH * self._num_trials:
            return
        self._num_trials = count
        ranks = [round(count ** (level / (NUM_LEVELS - 1))) - 1 for level in range(NUM_LEVELS - 1)]
        self._ends = np.partition(losses, sorted(set(ranks)))[ranks]

    def of(self, losses: Floats) -> npt.NDArray[np.intp]:
        """Return the level of each loss, 1 to 8."""
        return NUM_LEVELS - np.searchsorted(self._ends, losses, side="left")


class TriedValues:
    """What was tried of every parameter of a space.

    Parameters
    ----------
    space
        The space; only its names and choices count.
    tracks
        Name to both ends of the track, for the numeric ones.
    minimise
        The direction of the objective by which trials are judged.
    objective
        Its index. Default: the first one.
    bins
        Name to the number of bins of its track in which trials are counted, for the numeric ones. Default: none.
    """

    def __init__(
        self,
        space: Space,
        tracks: Tracks,
        *,
        minimise: bool,
        objective: int = 0,
        bins: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        leaves: dict[str, Any] = {name: space.leaf(name) for name in space.names}
        self._names = space.names
        self._sign, self._objective = 1.0 if minimise else -1.0, objective
        most_bins = FEW_BINS if len(leaves) > MANY else MOST_BINS
        self._rugs = {
            name: _Rug(*tracks[name], leaf.kind, most_bins) for name, leaf in leaves.items() if leaf.kind != "choice"
        }
        self._tracks = tracks
        self._is_log = {name: leaf.kind == "log" for name, leaf in leaves.items() if leaf.kind != "choice"}
        self._counts = {
            name: np.zeros(len(leaf.declared) if leaf.kind == "choice" else bins[name], dtype=np.int64)
            for name, leaf in leaves.items()
            if leaf.kind == "choice" or name in bins
        }
        self._levels = Levels()
        # By trial number: what has been put into the bins, and who has been counted.
        self._kinds: npt.NDArray[np.uint8] = np.zeros(0, dtype=np.uint8)
        self._losses: Floats = np.empty(0)
        self._is_counted: npt.NDArray[np.bool_] = np.zeros(0, dtype=np.bool_)

    def put(self, rows: Rows) -> bool:
        """Take changed rows; the same row may come again.

        Returns
        -------
        bool
            False when a trial that is in the bins has changed: what is in bins cannot be taken out, so all must
            be put into new ones.
        """
        if len(rows) == 0:
            return True
        self._reserve(int(rows.numbers.max()) + 1)
        self._count(rows)
        ended = self._judged(rows)
        before = self._kinds[rows.numbers]
        is_same = (ended.kinds == before) & (ended.losses == self._losses[rows.numbers])
        if np.any((before != _NOTHING) & ~is_same):
            return False
        fresh = (ended.kinds != _NOTHING) & (before == _NOTHING)
        self._kinds[rows.numbers] = ended.kinds
        self._losses[rows.numbers] = ended.losses
        if fresh.any():
            trials = _Ended(ended.kinds[fresh], ended.losses[fresh], ended.epochs[fresh])
            for name, rug in self._rugs.items():
                rug.put(rows.parameters[name][fresh], trials)
        return True

    def shown(self, epoch: int) -> list[str | list[int]]:
        """Return for each parameter, in their order, the text of its rug or the trials of each choice."""
        self._levels.fit(self._losses[self._kinds == _COMPLETED])
        return [
            self._rugs[name].text(self._levels, epoch) if name in self._rugs else self._counts[name].tolist()
            for name in self._names
        ]

    def histogram(self, name: str) -> str:
        """Return how many trials had the values of each bin, or each choice: a digit each, 9 where there are most."""
        counts = self._counts[name]
        digits: list[int] = np.ceil(_TOP * counts / counts.max(initial=1)).astype(int).tolist()
        return "".join(map(str, digits))

    def _judged(self, rows: Rows) -> _Ended:
        losses = self._sign * rows.values[:, self._objective]
        is_finite = np.isfinite(losses)
        is_completed = (rows.state == TrialState.COMPLETED) & is_finite
        kinds = np.full(len(rows), _NOTHING, dtype=np.uint8)
        # A trial that ended early says little of a value, one without a usable objective nothing good.
        kinds[rows.state >= TrialState.COMPLETED] = _FAILED
        kinds[((rows.state == TrialState.PRUNED) | (rows.state == TrialState.ABORTED)) & is_finite] = _PARTIAL
        kinds[is_completed] = _COMPLETED
        kinds[_never_ran(rows) | (rows.state == TrialState.LEFT_OUT)] = _NOTHING
        return _Ended(kinds, np.where(is_completed, losses, math.inf), rows.epoch)

    def _count(self, rows: Rows) -> None:
        fresh = (rows.state >= TrialState.RUNNING) & ~_never_ran(rows) & ~self._is_counted[rows.numbers]
        self._is_counted[rows.numbers[fresh]] = True
        for name, counts in self._counts.items():
            places = rows.parameters[name][fresh]
            if name in self._is_log:
                low, high = self._tracks[name]
                inside = places[(places >= low) & (places <= high)]
                places = np.floor(shares(inside, low, high, is_log=self._is_log[name]) * len(counts))
                places = np.minimum(places, len(counts) - 1).astype(np.intp)
            np.add(counts, np.bincount(places[places >= 0], minlength=len(counts)), out=counts)

    def _reserve(self, num_trials: int) -> None:
        capacity = len(self._kinds)
        if num_trials > capacity:
            more = max(num_trials, 2 * capacity) - capacity
            self._kinds = np.concatenate([self._kinds, np.zeros(more, dtype=np.uint8)])
            self._losses = np.concatenate([self._losses, np.full(more, math.inf)])
            self._is_counted = np.concatenate([self._is_counted, np.zeros(more, dtype=np.bool_)])


def _never_ran(rows: Rows) -> np.ndarray:
    """Whether trials were aborted before they ran, so that their values were not tried."""
    return never_ran({"state": rows.state, "started": rows.started})
