"""The timeline: which worker ran which trial when, so that idle time and stragglers are seen.

A search on a server does not number its workers: there each trial has the lowest row that is free when it begins.
"""

from __future__ import annotations

import time
from heapq import heappop, heappush
from typing import TYPE_CHECKING, NamedTuple

import ipywidgets
import numpy as np
from bqplot import Axis, LinearScale, Lines

from hpo_widgets.search import Replays
from hpo_widgets.search.limits import SECONDS_A_MINUTE
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import text
from hpo_widgets.widget.plots import style
from hpo_widgets.widget.plots.axes import even_ticks
from hpo_widgets.widget.plots.figure import AXIS, plain_figure
from hpo_widgets.widget.plots.numbers import PlotNumbers, passing_rows, trial_numbers
from hpo_widgets.widget.plots.plot import Plot

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hpo_widgets.search import Search
    from hpo_widgets.trials.columns import Rows
    from hpo_widgets.widget.plots.series import Floats
    from hpo_widgets.widget.sync.refresher import Update

MOST_BARS = 1000
"""So many places along the time tell bars apart: shorter gaps between short bars alike are not drawn."""

_BORDER, _LONG = 3, 12
"""Of bars that touch, those that are so many places long are drawn that much apart, so that each trial is seen."""

MOST_LANES = 64
"""Workers that are drawn, the first ones."""

_DRAWN = (
    (TrialState.COMPLETED, style.DOT, 0.85),
    (TrialState.PRUNED, style.DOT, 0.45),
    (TrialState.ABORTED, style.TEXT, 0.6),
    (TrialState.LEFT_OUT, style.TEXT, 0.3),
    (TrialState.FAILED, style.BAD, 0.9),
    (TrialState.RUNNING, style.ACCENT, 0.35),
)
"""State, colour and opacity of its bars."""

_LATE_SECONDS, _LATE_SHARE = 15.0, 0.2
"""By so much at most, and by so much of its time, the end of a server's trial may be drawn too late."""

_PAUSE_SECONDS = 1.0
_HEIGHT, _THICKEST, _THINNEST = 260, 22, 2
_GROWTH = 1.5
_LEAST_END = 0.1  # minutes that are shown of a search that has just begun
_UNITS = ((3.0, "seconds", 60.0), (180.0, "minutes", 1.0), (np.inf, "hours", 1 / 60))
"""The most minutes that are told in a unit, the unit, and how many make a minute."""

NONE_HAS_RUN = "No trial has run so far: recorded results have no times."
"""Said instead of a legend where all trials were recorded."""


class Bars(NamedTuple):
    """Bars of trials of one state.

    Attributes
    ----------
    start, end : ndarray, shape (n,)
        Minutes from the start of the search.
    lane : ndarray, shape (n,)
        The worker, or the row of a trial whose worker has no number.
    """

    start: Floats
    end: Floats
    lane: Floats


def first_start(rows: Rows) -> float:
    """Return when the first of the trials that have begun began, in Unix seconds; infinity where none has."""
    return float(rows.started[np.isfinite(rows.started)].min(initial=np.inf))


def bars(rows: Rows, now: float, first: float | None = None) -> dict[TrialState, Bars]:
    """Return when each worker ran trials, by the state that these are in.

    Short bars of one worker and one state that are closer together than a thousandth of the whole time become one, so
    that what is drawn does not grow with the number of trials. A long one that the next long one touches ends a little
    earlier.

    Parameters
    ----------
    rows
        The trials that are shown.
    now
        Unix seconds, to which the bars of running trials go.
    first
        Unix seconds from which time counts, which are those of a search though only some of its trials are shown.
        Default: the first start of these trials.

    Returns
    -------
    dict
        One entry for each state that is drawn.
    """
    has_run = np.isfinite(rows.started)
    started, state, worker = rows.started[has_run], rows.state[has_run], rows.worker[has_run]
    ended = np.maximum(np.where(np.isfinite(rows.ended[has_run]), rows.ended[has_run], now), started)
    first = first_start(rows) if first is None else first
    begin, end = (started - first) / SECONDS_A_MINUTE, (ended - first) / SECONDS_A_MINUTE
    least_gap = end.max(initial=0.0) / MOST_BARS
    lane = _lanes(started, ended, worker, state)
    return {one: _joined(begin, end, lane, (state == one) & (lane < MOST_LANES), least_gap) for one, *_ in _DRAWN}


def _lanes(started: Floats, ended: Floats, worker: np.ndarray, state: np.ndarray) -> np.ndarray:
    """Return the row of each trial: its worker's, or where that has no number the lowest one that is free."""
    lanes = worker.copy()
    late = np.minimum(_LATE_SECONDS, _LATE_SHARE * (ended - started))
    until = ended - np.where(state == TrialState.RUNNING, 0.0, late)
    order = np.flatnonzero(worker < 0)
    order = order[np.argsort(started[order], kind="stable")]
    busy: list[tuple[float, int]] = []
    free: list[int] = []
    for at, begins, ends in zip(order.tolist(), started[order].tolist(), until[order].tolist(), strict=True):
        while busy and busy[0][0] <= begins:
            heappush(free, heappop(busy)[1])
        lanes[at] = heappop(free) if free else len(busy)
        heappush(busy, (ends, lanes[at]))
    return lanes


def _joined(begin: Floats, end: Floats, worker: np.ndarray, chosen: np.ndarray, least_gap: float) -> Bars:
    """Join those of the chosen bars on one lane that have less than a gap between them; long ones get a border."""
    order = np.lexsort((begin[chosen], worker[chosen]))
    start, stop, lane = begin[chosen][order], end[chosen][order], worker[chosen][order].astype(float)
    if len(start) == 0:
        return Bars(start, stop, lane)
    is_long = stop - start >= _LONG * least_gap
    has_border = is_long[:-1] & is_long[1:] & (lane[1:] == lane[:-1]) & (start[1:] >= stop[:-1])
    stop[:-1][has_border] = np.minimum(stop[:-1], start[1:] - _BORDER * least_gap)[has_border]
    is_new = np.append(np.True_, (lane[1:] != lane[:-1]) | (start[1:] - stop[:-1] >= least_gap))
    first = np.flatnonzero(is_new)
    return Bars(start[first], np.maximum.reduceat(stop, first), lane[first])


class TimelinePlot(Plot):
    """Draws each trial as a bar from its start to its end, on the row of its worker, live.

    Completed trials are solid, pruned ones fainter, failed ones red, aborted ones grey, those that are left out of the
    search pale; running ones grow. A gap is a worker without work. Agents of a ClearML server have no rows of their
    own: there are as many as trials ran at once. Drawn at most once a second.

    Parameters
    ----------
    search
        The search to show.

    Examples
    --------
    >>> TimelinePlot(optimizer)  # doctest: +SKIP
    """

    def __init__(
        self,
        search: Search,
        *,
        clock: Callable[[], float] = time.time,
        **keywords: Any,
    ) -> None:
        self._clock = clock
        self._drawn_at = -np.inf
        self._last_end, self._per_minute, self._num_lanes = 0.0, 1.0, 0
        super().__init__(search, **keywords)

    def make(self, search: Search) -> None:  # noqa: ARG002 -- time has no objective
        """Make the figure."""
        self._x, self._y = LinearScale(min=0.0, max=1.0), LinearScale(min=0.0, max=1.0)
        self._lines = {
            state: style.empty(Lines, {"x": self._x, "y": self._y}, colors=[colour], opacities=[opacity])
            for state, colour, opacity in _DRAWN
        }
        self._axis_x = Axis(scale=self._x, label_offset="32px", **AXIS)
        self._axis_y = Axis(scale=self._y, side="left", label="worker", label_offset="60px", tick_format="d", **AXIS)
        self._axis_y.grid_lines = "none"
        self.figure = plain_figure(
            [*self._lines.values()], [self._axis_x, self._axis_y], "when each worker ran which trials"
        )
        self._key = ipywidgets.HTML()

    def contents(self) -> list[ipywidgets.Widget]:
        """Return the figure and its legend."""
        self.add_class("hpo-plot-host")
        return [self.figure, self._key]

    def refresh(self, update: Update) -> None:
        """Draw all bars, when the last time is long enough ago or this may be what is saved."""
        search, now = update.search, self._clock()
        # A clock that somebody has set back is as good as long ago.
        if not update.at_once and self._drawn_at <= now < self._drawn_at + _PAUSE_SECONDS:
            return
        self._drawn_at = now
        rows = search.snapshot()
        first = first_start(rows)
        passing = rows if self.filter.is_empty else update.all_rows(self.filter)
        drawn = bars(passing, self._end_of_running(search, rows, first), first)
        self._axis_y.label = "worker" if np.any(rows.worker >= 0) or first == np.inf else "at once"
        self._fit(drawn)
        for state, some in drawn.items():
            x = np.stack([some.start, some.end], axis=1) * self._per_minute
            style.put_changed(self._lines[state], *style.broken_line(x, np.stack([some.lane] * 2, axis=1)))
        has_none = first == np.inf and bool(np.any(rows.state == TrialState.COMPLETED))
        self._key.value = (
            f'<span class="hpo-key">{NONE_HAS_RUN}</span>'
            if has_none
            else style.legend(
                ("▬", colour, opacity, state.label, len(drawn[state].start)) for state, colour, opacity in _DRAWN
            )
        )

    def forget(self) -> None:
        """Fit the axis of time anew."""
        self._last_end, self._drawn_at = 0.0, -np.inf

    def numbers(self) -> PlotNumbers:
        """Return the trials that ran, the newest first: the worker, and when since the first start."""
        everything = self.search.snapshot()
        # A worker was busy with a trial, too, that is left out of the search since.
        rows = everything if self.filter.is_empty else passing_rows(self.search, self.filter)
        has_run, first = np.isfinite(rows.started), first_start(everything)
        return trial_numbers(
            self.search,
            rows.numbers[has_run][::-1].tolist(),
            "trials that ran, the newest first",
            objectives=(),
            more={
                "worker": lambda trial: trial.worker if trial.worker >= 0 else text.NO_VALUE,
                "start after": lambda trial: text.seconds(trial.started - first),
                "end after": lambda trial: text.seconds(trial.ended - first),
                "ran for": lambda trial: text.seconds(trial.duration),
            },
        )

    def _end_of_running(self, search: Search, rows: Rows, first: float) -> float:
        """Return until when running trials have run as far as is known, in Unix seconds."""
        if isinstance(search, Replays):
            return search.moment
        if search.status.is_alive:
            return self._clock()
        # Its process was killed. The rows know when something happened last, its minutes when it gave its last sign of
        # life; those leave out the time before it was continued.
        known = np.concatenate([rows.started, rows.ended])
        last_sign = first + SECONDS_A_MINUTE * search.elapsed_minutes
        return float(known[np.isfinite(known)].max(initial=last_sign))

    def _on_filter(self, change: object) -> None:
        self._drawn_at = -np.inf
        super()._on_filter(change)

    def _fit(self, drawn: dict[TrialState, Bars]) -> None:
        """Make room in steps, so that the axes are not laid out again each second."""
        last = max((float(some.end.max(initial=0.0)) for some in drawn.values()), default=0.0)
        if not self.search.status.is_alive:
            self._last_end = last or _LEAST_END
        elif last > self._last_end or self._last_end == 0.0:
            self._last_end = max(last * _GROWTH, _LEAST_END)
        word, self._per_minute = next((word, factor) for most, word, factor in _UNITS if self._last_end <= most)
        end = self._last_end * self._per_minute
        self._x.max = end * 1.005
        with self._axis_x.hold_sync():
            self._axis_x.label = f"{word} from the start"
            self._axis_x.tick_values = np.array(even_ticks(0.0, end, 8))
        lanes = 1 + int(max((some.lane.max(initial=0) for some in drawn.values()), default=0))
        if lanes != self._num_lanes:
            self._num_lanes = lanes
            with self._y.hold_sync():
                self._y.min, self._y.max = -0.6, lanes - 0.4
            self._axis_y.tick_values = np.array(even_ticks(0, lanes - 1, 10, whole=True) if lanes > 1 else [0.0])
            thickness = float(np.clip(0.6 * _HEIGHT / lanes, _THINNEST, _THICKEST))
            for line in self._lines.values():
                line.stroke_width = thickness
