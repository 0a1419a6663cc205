"""Parallel coordinates: an axis for each parameter and each objective, and a line across them for each trial.

What is drawn of many trials is how many lines run through each pixel, as a picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hpo_widgets.trials import TrialState
from hpo_widgets.trials.columns import nan_where_absent
from hpo_widgets.widget import text
from hpo_widgets.widget.plots.axes import (
    LANE,
    Domain,
    clip,
    clip_objective,
    domain_of_range,
    rounded_interval,
    tick_words,
    ticks_between,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hpo_widgets.parameters.choices import ChoiceTable
    from hpo_widgets.trials.columns import Rows
    from hpo_widgets.widget.plots.series import Floats, Numbers

MOST_STRONG = 200
"""Lines that are drawn one by one, those of the best trials."""

_NUM_TICKS = 6
_MOST_CHOICES = 14
# Trials with the same choice or whole number are spread over so much of the axis, and of the distance to the next.
_SPREAD, _SPREAD_OF_STEP = 0.03, 0.4
_GOLDEN = 0.6180339887498949
# Beyond these shares of the axis of a parameter, at both ends, there are no values.
_EDGE = 0.05
# An interval of choices goes so far beyond the outermost ones.
_HALF = 0.4


@dataclass(frozen=True)
class ParallelAxis:
    """An axis of parallel coordinates.

    Attributes
    ----------
    key : str
        Full name of the parameter, or key of the objective.
    label : str
        What is shown for it.
    kind : str
        ``"float"``, ``"log"``, ``"int"``, ``"choice"``, or of an objective ``"min"`` or ``"max"``.
    domain : Domain
        The ends, in values; of choices in their indices.
    table : ChoiceTable or None
        The choices; None for numbers.
    """

    key: str
    label: str
    kind: str
    domain: Domain
    table: ChoiceTable | None = None

    @property
    def choices(self) -> tuple[Any, ...]:
        """The choices in their order; none for numbers."""
        return () if self.table is None else self.table.values

    @property
    def names(self) -> tuple[str, ...]:
        """What is shown for each choice."""
        return () if self.table is None else self.table.labels

    @property
    def is_objective(self) -> bool:
        """Whether an objective lies along it."""
        return self.kind in {"min", "max"}

    @property
    def kind_in_words(self) -> str:
        """What is written below the name."""
        return f"{self.kind}, log" if self.is_objective and self.domain.is_log else self.kind

    def places(self, values: Floats, numbers: Numbers) -> Floats:
        """Return where trials are on the axis.

        Parameters
        ----------
        values
            Their values, or indices of choices, shape (n,); NaN where there is none.
        numbers
            Their numbers, which tell how those of the same value are spread.

        Returns
        -------
        ndarray of float
            Shares of the axis from its low end, shape (n,); NaN where there is no value.
        """
        places = self.domain.place(clip_objective(values) if self.is_objective else clip(values))
        if self.kind in {"int", "choice"}:
            spread = min(_SPREAD, _SPREAD_OF_STEP / (self.domain.high - self.domain.low))
            places = places + spread * (numbers * _GOLDEN % 1.0 - 0.5)
        return np.clip(places, 0.0, 1.0)

    def ticks(self) -> list[tuple[float, str]]:
        """Return the place and the words of each tick."""
        if self.choices:
            labelled = range(0, len(self.choices), -(-len(self.choices) // _MOST_CHOICES))
            return [(self._place(index), self.names[index]) for index in labelled]
        floor = LANE if self.is_objective else 0.0
        values = ticks_between(self.domain, _NUM_TICKS, whole=self.kind == "int")
        values = [value for value in values if self._place(value) >= floor]
        return list(zip(map(self._place, values), tick_words(values), strict=True))

    def within(self, low: float, high: float) -> tuple[Any, ...]:
        """Return what lies between two places.

        Parameters
        ----------
        low, high
            Shares of the axis.

        Returns
        -------
        tuple
            Choices, or (low, high) in values, of which one beyond all values is open; empty where no value lies between
            them, or all do.
        """
        bounds = self.domain.at(min(max(low, 0.0), 1.0)), self.domain.at(min(max(high, 0.0), 1.0))
        if self.choices:
            return tuple(choice for index, choice in enumerate(self.choices) if bounds[0] <= index <= bounds[1])
        if self.kind == "int":
            bounds = float(np.ceil(bounds[0])), float(np.floor(bounds[1]))
        else:
            bounds = rounded_interval(*bounds, is_log=self.domain.is_log)
        first, last = (LANE, 1.0) if self.is_objective else (_EDGE, 1 - _EDGE)
        bounds = -np.inf if low <= first else bounds[0], np.inf if high >= last else bounds[1]
        return bounds if bounds[0] <= bounds[1] and bounds != (-np.inf, np.inf) else ()

    def spans(self, within: Sequence[Any]) -> list[tuple[float, float]]:
        """Return low and high of the places that an interval covers: one span, or one for choices side by side."""
        if not self.choices:
            low, high = (min(max(self._place(float(bound)), 0.0), 1.0) for bound in within)
            return [(low, high)]
        runs: list[list[int]] = []
        for index in self._indices(within):
            if runs and index == runs[-1][-1] + 1:
                runs[-1].append(index)
            else:
                runs.append([index])
        return [(self._place(run[0] - _HALF), self._place(run[-1] + _HALF)) for run in runs]

    def bounds_in_words(self, within: Sequence[Any]) -> tuple[str, str]:
        """Return what is written beside the ends of an interval: nothing beside choices, which are named anyway."""
        if self.choices:
            return "", ""
        low, high = (text.number(float(bound)) if np.isfinite(float(bound)) else "" for bound in within)
        return low, high

    def holds(self, leaf: Any, values: Floats) -> bool:
        """Whether a parameter's present range and some values lie on the axis.

        Parameters
        ----------
        leaf
            The parameter.
        values
            Values of it, shape (n,); NaN where it does not apply.

        Returns
        -------
        bool
            True when all do.
        """
        if self.choices:
            return len(self.choices) == len(leaf.declared)  # more are added at the end
        places = self.domain.place(clip(np.array([*leaf.range, *values[~np.isnan(values)]], dtype=float)))
        return bool(places.min() >= 0 and places.max() <= 1)

    def _indices(self, chosen: Sequence[Any]) -> list[int]:
        assert self.table is not None  # noqa: S101 -- asked of choices only
        return sorted(index for one in chosen if (index := self.table.index_of(one)) is not None)

    def _place(self, value: float) -> float:
        return float(self.domain.place(np.array([np.clip(value, -1e300, 1e300)]))[0])


def parameter_axis(leaf: Any, label: str, values: Floats) -> ParallelAxis:
    """Return the axis of a parameter, which holds its declared and its present range and all values.

    Parameters
    ----------
    leaf
        The parameter.
    label
        What is shown for its name.
    values
        Its values so far, shape (n,); NaN where it does not apply.

    Returns
    -------
    ParallelAxis
        The axis.
    """
    if leaf.kind == "choice":
        return ParallelAxis(leaf.name, label, "choice", Domain(-0.5, len(leaf.table.values) - 0.5), leaf.table)
    bounds = np.array([*leaf.declared, *leaf.range, *values[np.isfinite(values)]], dtype=float)
    domain = domain_of_range(float(bounds.min()), float(bounds.max()), is_log=leaf.kind == "log")
    return ParallelAxis(leaf.name, label, leaf.kind, domain)


class ParallelTrials:
    """Values along some axes by trial number, kept up to date from changed rows.

    Parameters
    ----------
    names
        Full names of the parameters, in the order of their axes; the objectives follow.
    num_objectives
        How many objectives there are.

    Attributes
    ----------
    values : ndarray, shape (num_trials, number of axes)
        Values of ended trials; NaN where there is none or it is not finite.
    states : ndarray, shape (num_trials,)
        State of each trial.
    """

    def __init__(self, names: Sequence[str], num_objectives: int) -> None:
        self._names = tuple(names)
        self.values: Floats = np.empty((0, len(names) + num_objectives))
        self.states: npt.NDArray[np.uint8] = np.empty(0, dtype=np.uint8)

    def __len__(self) -> int:
        return len(self.states)

    def put(self, rows: Rows) -> tuple[Numbers, bool]:
        """Take changed rows; returns who has ended since, and whether a trial that had ended is another now."""
        ended = rows.state >= TrialState.COMPLETED
        numbers: Numbers = rows.numbers[ended]
        missing = int(rows.numbers.max(initial=-1)) + 1 - len(self)
        if missing > 0:
            self.values = np.concatenate([self.values, np.full((missing, self.values.shape[1]), np.nan)])
            self.states = np.concatenate([self.states, np.zeros(missing, dtype=np.uint8)])
        columns = [nan_where_absent(rows.parameters[name][ended]) for name in self._names]
        values = np.column_stack([*columns, rows.values[ended]]).astype(float)
        values[~np.isfinite(values)] = np.nan
        had_ended = self.states[numbers] >= TrialState.COMPLETED
        is_same = np.array_equal(self.values[numbers[had_ended]], values[had_ended], equal_nan=True)
        is_same &= np.array_equal(self.states[numbers[had_ended]], rows.state[ended][had_ended])
        self.values[numbers], self.states[rows.numbers] = values, rows.state
        return numbers[~had_ended], not is_same

    def completed(self) -> npt.NDArray[np.bool_]:
        """Which trials have completed with a value of every objective."""
        has_values = ~np.isnan(self.values[:, len(self._names) :]).any(axis=1)
        completed: npt.NDArray[np.bool_] = (self.states == TrialState.COMPLETED) & has_values
        return completed

    def failed(self) -> npt.NDArray[np.bool_]:
        """Which trials have failed, or completed without a value that can be drawn."""
        failed: npt.NDArray[np.bool_] = (self.states == TrialState.FAILED) | self.not_finite()
        return failed

    def not_finite(self) -> npt.NDArray[np.bool_]:
        """Which trials have completed, but without a value that can be drawn."""
        not_finite: npt.NDArray[np.bool_] = (self.states == TrialState.COMPLETED) & ~self.completed()
        return not_finite

    def places(self, axes: Sequence[ParallelAxis], numbers: Numbers) -> Floats:
        """Return where trials cross the axes.

        Parameters
        ----------
        axes
            The axes.
        numbers
            Numbers of n trials.

        Returns
        -------
        ndarray
            Shares of the axes, shape (n, number of axes); NaN where a trial has no value.
        """
        columns = [axis.places(self.values[numbers, index], numbers) for index, axis in enumerate(axes)]
        return np.column_stack(columns)


def failed_counts(places: Floats, axes: Sequence[ParallelAxis]) -> list[tuple[int, float, int]]:
    """Count failed trials by the last axis that they reach, and there by choice, where there are few.

    Parameters
    ----------
    places
        Where failed trials cross the axes, shape (n, number of axes).
    axes
        The axes.

    Returns
    -------
    list of tuple
        Index of the axis, a place on it, and how many end there.
    """
    is_known = ~np.isnan(places)
    reached = is_known.any(axis=1)
    last = places.shape[1] - 1 - np.argmax(is_known[:, ::-1], axis=1)
    found = []
    for index in np.unique(last[reached]).tolist():
        at = places[reached & (last == index), index]
        count = len(axes[index].choices)
        if not 0 < count <= _MOST_CHOICES:
            found.append((index, 0.0, len(at)))
            continue
        choice, counts = np.unique(np.minimum((at * count).astype(int), count - 1), return_counts=True)
        found += [
            (index, (one + 0.5) / count, many) for one, many in zip(choice.tolist(), counts.tolist(), strict=True)
        ]
    return found


def lines(places: Floats) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return the lines of trials as one broken line, which does not end in a gap: bqplot cannot draw that.

    Places have shape (n, number of axes), with NaN where a line has a gap; the answer is indices of axes, and places.
    """
    count, width = places.shape
    x = np.tile(np.append(np.arange(width, dtype=np.float32), np.nan), count).astype(np.float32)
    y = np.column_stack([places, np.full(count, np.nan)]).ravel().astype(np.float32)
    x[np.isnan(y)] = np.nan
    known = np.flatnonzero(~np.isnan(y))
    end = known[-1] + 1 if len(known) else 0
    return x[:end], y[:end]


def strongest(places: Floats, minimise: Sequence[bool]) -> Numbers:
    """Return which trials are drawn one by one: those that are best along the axes of the objectives, in the mean.

    Parameters
    ----------
    places
        Where trials cross these axes, shape (n, number of objectives).
    minimise
        The direction of each objective.

    Returns
    -------
    ndarray
        Indices of `MOST_STRONG` trials at most.
    """
    losses = np.where(minimise, places, 1 - places).mean(axis=1)
    known = np.flatnonzero(~np.isnan(losses))
    if len(known) <= MOST_STRONG:
        return known
    best: Numbers = known[np.argpartition(losses[known], MOST_STRONG)[:MOST_STRONG]]
    return best


def distances(places: Floats, x: float, y: float) -> Floats:
    """Return how far above or below a point lines are.

    Parameters
    ----------
    places
        Where they cross the axes, shape (n, number of axes).
    x, y
        The point, in axes across and in shares of an axis up.

    Returns
    -------
    ndarray
        Shares of an axis, shape (n,); NaN where a line has a gap.
    """
    left = min(max(int(x), 0), places.shape[1] - 2)
    share = min(max(x - left, 0.0), 1.0)
    # At an axis only the place on it counts: a line may have a gap on one side.
    pair = places[:, [left, left + 1]] if 0 < share < 1 else places[:, [left + round(share)] * 2]
    away: Floats = np.abs(pair @ (1 - share, share) - y)
    return away


def narrowed(leaf: Any, within: Sequence[Any]) -> tuple[Any, ...]:
    """Return what an interval leaves of the present range of a parameter.

    Parameters
    ----------
    leaf
        The parameter.
    within
        Choices, or (low, high) in values.

    Returns
    -------
    tuple
        A narrower range; empty where nothing is left, or all.
    """
    if leaf.kind == "choice":
        wanted = {leaf.table.index_of(one) for one in within}
        inner = tuple(one for one in leaf.range if leaf.table.index_of(one) in wanted)
        return inner if len(inner) < len(leaf.range) else ()  # not compared: choices may be arrays
    low, high = max(within[0], leaf.range[0]), min(within[1], leaf.range[1])
    if (low, high) == leaf.range:
        return ()
    if leaf.step is not None:
        return leaf.steps_between(low, high) or ()
    return (low, high) if low <= high else ()


class LineDensity:
    """How many lines run through each pixel of a picture.

    Parameters
    ----------
    width, height
        Pixels.

    Attributes
    ----------
    counts : ndarray of int32, shape (height, width)
        The lines through each pixel, the highest places first.
    """

    def __init__(self, width: int = 600, height: int = 300) -> None:
        self.counts = np.zeros((height, width), dtype=np.int32)

    def add(self, places: Floats, times: int = 1) -> None:
        """Add lines, or with ``times`` of -1 take them away.

        Parameters
        ----------
        places
            Where they cross the axes, shape (n, number of axes); NaN where they do not.
        times
            How often. Default 1.
        """
        height, width = self.counts.shape
        edges = np.linspace(0, width, places.shape[1]).round().astype(int)
        for index, (start, end) in enumerate(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)):
            pair = places[:, index : index + 2]
            pair = (1.0 - pair[~np.isnan(pair).any(axis=1)]) * (height - 1)
            column = np.arange(end - start)
            share = (column + 0.5) / max(end - start, 1)
            for part in np.array_split(pair, -(-len(pair) // _CHUNK)) if len(pair) else ():
                row = np.outer(part[:, 0], 1 - share) + np.outer(part[:, 1], share)
                at = (row + 0.5).astype(np.int32) * (end - start) + column
                counts = np.bincount(at.ravel(), minlength=height * (end - start))
                self.counts[:, start:end] += times * counts.reshape(height, -1).astype(np.int32)


_CHUNK = 4096
"""Lines that are added at a time, so that they fit into the caches of a processor."""
