"""Compares searches in plain numbers: best so far, bands over repeats, area, wins, and confidence intervals."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hpo_widgets.trials.columns import Rows

Floats = npt.NDArray[np.float64]

LEAST_DISTANCE = 1e-9
"""A value that is nearer to the optimum counts as this far away: on a logarithmic axis 0 has no place."""

_MOST_MOMENTS = 400
"""Moments that a band over time has at most."""

_LEAST_IDLE_SECONDS = 60.0

_Z95 = 1.959963984540054
"""Standard deviations on either side of the mean that enclose 95 % of a normal distribution."""


class Trace(NamedTuple):
    """The best so far of one search, at the end of each of its trials, in the order in which they ended.

    Attributes
    ----------
    levels : ndarray, shape (n,)
        The best value up to each trial, among completed ones that have a finite value of every objective; infinite, of
        the sign that is worse than any value, before the first.
    minutes : ndarray, shape (n,)
        Minutes since the first trial began, without pauses.
    values : ndarray, shape (m,)
        The finite values of all these trials but those that are left out, in no particular order.
    """

    levels: Floats
    minutes: Floats
    values: Floats

    @property
    def end(self) -> float:
        """The best of all; infinite or NaN where there is none."""
        return float(self.levels[-1]) if len(self.levels) else math.nan


def best_levels(values: Floats, can_be_best: npt.NDArray[np.bool_], *, minimise: bool) -> Floats:
    """Return the best value of an objective up to each trial.

    Parameters
    ----------
    values
        Of all trials in order, shape (n,).
    can_be_best
        Which of them can be the best, as `Rows.can_be_best` says; shape (n,).
    minimise
        Whether a lesser value is better.

    Returns
    -------
    array of float
        Shape (n,); infinite, of the sign that is worse than any value, before the first.
    """
    sign = 1.0 if minimise else -1.0
    levels: Floats = sign * np.minimum.accumulate(np.where(can_be_best, sign * values, np.inf))
    return levels


def trace_of(rows: Rows, *, minimise: bool = True, pauses: Sequence[tuple[float, float]] = ()) -> Trace:
    """Return the best so far of a search by its first objective.

    Parameters
    ----------
    rows
        Its trials as columns.
    minimise
        The direction. Default: a lesser value is better.
    pauses
        Begin and end of each pause, in Unix seconds; pauses do not count. Default: none.

    Returns
    -------
    Trace
        An entry for each trial that has ended.
    """
    ended = rows.state >= TrialState.COMPLETED
    order = np.flatnonzero(ended)[np.argsort(rows.ended[ended], kind="stable")]
    values = rows.values[order, 0]
    levels = best_levels(values, rows.can_be_best[order], minimise=minimise)
    is_drawn = np.isfinite(values) & (rows.state[order] != TrialState.LEFT_OUT)
    started = rows.started[np.isfinite(rows.started)]
    start = float(started.min()) if len(started) else 0.0
    return Trace(levels, active_seconds(rows.ended[order], start, pauses) / 60, values[is_drawn])


def active_seconds(moments: Floats, start: float, pauses: Sequence[tuple[float, float]]) -> Floats:
    """Return the seconds from a start to some moments, without the pauses between.

    Parameters
    ----------
    moments
        Unix seconds, shape (n,); a NaN, as of a trial that never ran, counts as the moment before it in the array.
    start
        Unix seconds.
    pauses
        Beginning and end of each pause, which do not overlap.

    Returns
    -------
    array of float
        Shape (n,), at least 0, never falling where the moments do not.
    """
    known = np.fmax.accumulate(np.where(np.isfinite(moments), moments, start)) if len(moments) else moments
    passed = known - start
    for begin, end in pauses:
        passed = passed - np.clip(np.minimum(known, end) - max(begin, start), 0, None)
    seconds: Floats = np.clip(passed, 0, None)
    return seconds


def idle_times(rows: Rows) -> list[tuple[float, float]]:
    """Return beginning and end, in Unix seconds, of each time in which no trial of a search ran.

    It was paused then, or had ended and was opened again. Times below a minute are left out: it was choosing points.
    """
    ran = np.isfinite(rows.started) & np.isfinite(rows.ended)
    order = np.argsort(rows.started[ran], kind="stable")
    begins: Floats = rows.started[ran][order]
    ends: Floats = np.maximum.accumulate(rows.ended[ran][order])
    return [
        (float(end), float(begin))
        for end, begin in zip(ends[:-1], begins[1:], strict=True)
        if begin - end >= _LEAST_IDLE_SECONDS
    ]


def distances(trace: Trace, optimum: float, *, minimise: bool) -> Trace:
    """Return how far the best so far is from a known optimum: less is better, whatever the direction was.

    Parameters
    ----------
    trace
        The best so far.
    optimum
        The best value that there is.
    minimise
        The direction.

    Returns
    -------
    Trace
        At least `LEAST_DISTANCE`, which can be drawn on a logarithmic axis.
    """
    levels, values = (
        np.maximum(some - optimum if minimise else optimum - some, LEAST_DISTANCE)
        for some in (trace.levels, trace.values)
    )
    return Trace(levels, trace.minutes, values)


class Band(NamedTuple):
    """The best so far of several searches together; all arrays have the shape (n,).

    Attributes
    ----------
    at : ndarray
        Numbers of trials, from 1, or minutes, rising.
    low, median, high : ndarray
        The quartiles of the searches' levels.
    """

    at: Floats
    low: Floats
    median: Floats
    high: Floats


_NO_BAND = Band(np.empty(0), np.empty(0), np.empty(0), np.empty(0))


def band_by_trial(traces: Sequence[Trace], num_trials: int | None = None) -> Band:
    """Return median and middle half of several searches after each trial.

    Parameters
    ----------
    traces
        One per search. A search that ended early keeps its last level.
    num_trials
        Trials to go up to. Default: as many as the longest search has.

    Returns
    -------
    Band
        It begins with the first trial after which each search has a value.
    """
    most = max((len(trace.levels) for trace in traces), default=0) if num_trials is None else num_trials
    if not traces or most == 0 or any(len(trace.levels) == 0 for trace in traces):
        return _NO_BAND
    levels = np.stack([trace.levels[np.minimum(np.arange(most), len(trace.levels) - 1)] for trace in traces])
    return _band(np.arange(1.0, most + 1), levels)


def band_by_minutes(traces: Sequence[Trace]) -> Band:
    """Return median and middle half of several searches at each moment at which a trial ended, 400 at most.

    The band begins with the first moment at which each search has a value. One that ended early keeps its last level.
    """
    if not traces or any(len(trace.levels) == 0 for trace in traces):
        return _NO_BAND
    moments = np.unique(np.concatenate([trace.minutes for trace in traces]))
    if len(moments) > _MOST_MOMENTS:
        moments = moments[np.linspace(0, len(moments) - 1, _MOST_MOMENTS).round().astype(int)]
    levels = np.stack([_levels_at(trace, moments) for trace in traces])
    return _band(moments, levels)


def _levels_at(trace: Trace, moments: Floats) -> Floats:
    place = np.searchsorted(trace.minutes, moments, side="right") - 1
    return np.where(place >= 0, trace.levels[np.maximum(place, 0)], np.nan)


def _band(at: Floats, levels: Floats) -> Band:
    known = np.isfinite(levels).all(axis=0)
    if not known.any():
        return _NO_BAND
    low, median, high = np.quantile(levels[:, known], [0.25, 0.5, 0.75], axis=0)
    return Band(at[known], low, median, high)


def steps(at: Floats, levels: Floats) -> tuple[Floats, Floats]:
    """Return the corners of a line that keeps its level until the next one.

    Parameters
    ----------
    at, levels
        Where each level begins, and the level, shape (n,).

    Returns
    -------
    tuple of array
        Horizontal and vertical coordinates, without the corners between equal levels.
    """
    if len(at) == 0:
        return at, levels
    changed = np.flatnonzero(np.append(np.True_, levels[1:] != levels[:-1]))
    x = np.append(np.repeat(at[changed], 2)[1:], at[-1])
    return x, np.repeat(levels[changed], 2)


def area(trace: Trace, num_trials: int, *, is_log: bool) -> float:
    """Return the mean level of the best so far over the trials of a budget: the area under the curve for each trial.

    Parameters
    ----------
    trace
        The best so far. A search that ended early keeps its last level.
    num_trials
        The budget.
    is_log
        Whether to take the mean of decimal logarithms, for curves that are drawn on a logarithmic axis.

    Returns
    -------
    float
        The mean from the first value on; NaN where there is none.
    """
    if len(trace.levels) == 0:
        return math.nan
    levels = trace.levels[np.minimum(np.arange(num_trials), len(trace.levels) - 1)]
    levels = levels[np.isfinite(levels)]
    if len(levels) == 0 or (is_log and np.any(levels <= 0)):
        return math.nan
    return float(np.mean(np.log10(levels) if is_log else levels))


def wilson_interval(wins: int, total: int) -> tuple[float, float]:
    """Return the 95 % interval of Wilson for a share.

    Parameters
    ----------
    wins, total
        How often something happened, of how many times.

    Returns
    -------
    tuple of float
        Low and high end; 0 and 1 where nothing was counted.

    References
    ----------
    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the American
    Statistical Association 22 (1927).
    """
    if total == 0:
        return 0.0, 1.0
    share, square = wins / total, _Z95 * _Z95
    middle = share + square / (2 * total)
    reach = _Z95 * math.sqrt(share * (1 - share) / total + square / (4 * total * total))
    scale = 1 + square / total
    # With no win, and with all wins, rounding must not move the ends away from 0 and 1.
    low = 0.0 if wins == 0 else max(0.0, (middle - reach) / scale)
    high = 1.0 if wins == total else min(1.0, (middle + reach) / scale)
    return low, high


class Standing(NamedTuple):
    """One competitor over all repeats.

    Attributes
    ----------
    name : str
        Its name.
    end, low, high : float
        Median and middle half of the best values at the end; NaN without a repeat.
    area : float
        Mean of `area` over the repeats.
    wins : int
        Repeats in which nobody else was as good.
    num_repeats : int
        Repeats in all.
    interval : tuple of float
        95 % interval of the share of wins.
    """

    name: str
    end: float
    low: float
    high: float
    area: float
    wins: int
    num_repeats: int
    interval: tuple[float, float]


def standings(
    traces: Mapping[str, Sequence[Trace]], num_trials: int, *, minimise: bool, is_log: bool
) -> list[Standing]:
    """Return how all competitors stand, most wins first.

    Parameters
    ----------
    traces
        Name to the best so far in each repeat, as many for each name.
    num_trials
        The budget of each repeat.
    minimise
        Whether a lesser value is better.
    is_log
        Whether areas are of logarithms.

    Returns
    -------
    list of Standing
        In descending order of wins; those with equal wins by their median, best first.
    """
    sign = 1.0 if minimise else -1.0
    ends = {name: np.array([cost_of(trace.end, minimise=minimise) for trace in some]) for name, some in traces.items()}
    found = []
    for name, some in traces.items():
        others = [costs for other, costs in ends.items() if other != name]
        wins = int(np.sum(np.all([ends[name] < costs for costs in others], axis=0))) if others and some else 0
        known = sign * ends[name][np.isfinite(ends[name])]
        low, end, high = np.quantile(known, [0.25, 0.5, 0.75]).tolist() if len(known) else (math.nan,) * 3
        areas = [one for trace in some if not math.isnan(one := area(trace, num_trials, is_log=is_log))]
        mean = float(np.mean(areas)) if areas else math.nan
        found.append(Standing(name, end, low, high, mean, wins, len(some), wilson_interval(wins, len(some))))
    return sorted(found, key=lambda one: (-one.wins, sign * one.end if not math.isnan(one.end) else math.inf))


def cost_of(best: float | None, *, minimise: bool) -> float:
    """Return what is to be small of a best value, so that it can be compared.

    Parameters
    ----------
    best
        The value; None where there is none.
    minimise
        Whether a lesser value is better.

    Returns
    -------
    float
        Infinite where there is no finite value: an infinite one of either sign is worse than any other.
    """
    if best is None or not math.isfinite(best):
        return math.inf
    return best if minimise else -best


class Pair(NamedTuple):
    """Two competitors against each other, repeat by repeat.

    Attributes
    ----------
    first, second : str
        Their names; ``first`` is the one that was better more often.
    wins, losses, ties : int
        Repeats in which ``first`` was better, worse, and as good.
    interval : tuple of float
        95 % interval of the share of wins among the repeats that were decided.
    """

    first: str
    second: str
    wins: int
    losses: int
    ties: int
    interval: tuple[float, float]

    @property
    def is_decided(self) -> bool:
        """Whether even chances lie outside of the interval."""
        return self.interval[0] > 0.5

    @property
    def verdict(self) -> str:
        """In a word or two; a tie in all repeats, and no repeat yet, decide nothing."""
        if self.wins + self.losses == 0:
            return "always equal" if self.ties else "no repeat yet"
        return "ahead" if self.is_decided else "not distinguishable yet"


def pairs(traces: Mapping[str, Sequence[Trace]], *, minimise: bool) -> list[Pair]:
    """Return all pairs of competitors.

    Parameters
    ----------
    traces
        Name to the best so far in each repeat, as many for each name.
    minimise
        Whether a lesser value is better.

    Returns
    -------
    list of Pair
        In the order of the names.
    """
    found = []
    for first, second in itertools.combinations(traces, 2):
        costs = [
            (cost_of(one.end, minimise=minimise), cost_of(two.end, minimise=minimise))
            for one, two in zip(traces[first], traces[second], strict=True)
        ]
        wins, losses = sum(one < two for one, two in costs), sum(two < one for one, two in costs)
        ties = len(costs) - wins - losses
        if losses > wins:
            first, second, wins, losses = second, first, losses, wins  # noqa: PLW2901 -- the better one comes first
        found.append(Pair(first, second, wins, losses, ties, wilson_interval(wins, wins + losses)))
    return found


def verdict(some: Sequence[Standing], against: Sequence[Pair]) -> tuple[str, str]:
    """Say what can be said of the two that stand first.

    Parameters
    ----------
    some
        All competitors, in the order of `standings`.
    against
        All pairs (`pairs`).

    Returns
    -------
    tuple of str
        One sentence, and what it rests on.
    """
    top = {one.name for one in some[:2]}
    pair = next((one for one in against if {one.first, one.second} == top), None)
    if pair is None or not pair.wins + pair.losses + pair.ties:
        return "No repeat has ended yet.", "The verdict needs whole repeats."
    counted = pair.wins + pair.losses
    if counted == 0:
        return (
            f"{pair.first} and {pair.second} are not distinguishable.",
            f"They were equal in all {pair.ties} repeats.",
        )
    low, high = (round(100 * end) for end in pair.interval)
    ties = f", {pair.ties} equal" if pair.ties else ""
    if pair.is_decided:
        return (
            f"{pair.first} is ahead of {pair.second}.",
            f"{pair.wins} of {counted}{ties} is a share of {low} to {high} %, which excludes 50 %.",
        )
    return (
        f"{pair.first} and {pair.second} are not distinguishable yet.",
        f"{pair.wins} of {counted}{ties} fits any share from {low} to {high} %; more repeats narrow it.",
    )
