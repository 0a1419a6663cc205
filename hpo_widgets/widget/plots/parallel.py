"""Parallel coordinates, live, with intervals of axes as a filter."""

from __future__ import annotations

import functools
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np

from hpo_widgets.objectives.pareto import pareto_front
from hpo_widgets.objectives.ranking import Ranking
from hpo_widgets.trials import TrialState
from hpo_widgets.trials.filter import TrialFilter, comparable_ranges
from hpo_widgets.widget import text
from hpo_widgets.widget.parts.part import clicked, close_tree
from hpo_widgets.widget.plots import style
from hpo_widgets.widget.plots.axes import FittedAxis, clip_objective
from hpo_widgets.widget.plots.numbers import MOST_ROWS, passing_rows, trial_numbers
from hpo_widgets.widget.plots.parallel_figure import ParallelFigure
from hpo_widgets.widget.plots.parallel_lines import (
    MOST_STRONG,
    LineDensity,
    ParallelAxis,
    ParallelTrials,
    distances,
    failed_counts,
    narrowed,
    parameter_axis,
    strongest,
)
from hpo_widgets.widget.plots.parameter_choice import ParameterChoice
from hpo_widgets.widget.plots.plot import Plot
from hpo_widgets.widget.plots.png import density_picture
from hpo_widgets.widget.plots.series import HOLLOW_STATES, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hpo_widgets.search import Search
    from hpo_widgets.widget.plots.numbers import PlotNumbers
    from hpo_widgets.widget.plots.series import Floats, Numbers
    from hpo_widgets.widget.sync.refresher import Update

_PAUSE_SECONDS = 1.0
_MOST_MARKED = 50
# How far from a line a click may be, as a share of an axis.
_REACH = 0.03
# The best is on top of the others, a thick line with a triangle.
_REACH_OF_BEST = 0.01
_PICTURES = {"others": (0x75, 0x75, 0x75), "passing": (0x3B, 0x78, 0xC4)}
_OTHERS, _PASSING = 1, 2
_NOBODY = np.empty(0, dtype=np.int64)


class ParallelPlot(ParameterChoice, Plot):
    """Draws each trial as a line across an axis for each parameter and each objective, live.

    The best 200 trials are lines of their own, all together a picture that is darker where there are more; the best
    one, or with several objectives the front, is orange. Failed trials are dashed, with their number where they end.
    Dragging along an axis sets an interval, which is a part of ``filter``: trials that do not pass become faint. A
    double click on an axis clears its interval. A click on a line selects its trial.

    Parameters
    ----------
    search
        The search to show.
    parameters
        Names of the parameters that are shown, at most twelve; by default the first ones.
    filter, selected
        As in `HistoryPlot`.

    Examples
    --------
    >>> ParallelPlot(optimizer, parameters=["lr", "dropout"])  # doctest: +SKIP
    """

    def __init__(self, search: Search, *, clock: Callable[[], float] = time.monotonic, **keywords: Any) -> None:
        self._clock = clock
        self._drawing: ParallelFigure | None = None
        self._fresh, self._settled_at, self._drawn_filter = _NOBODY, -np.inf, TrialFilter()
        self._selected_before: list[int] = []
        """The selection before the last click."""
        self._own_box: Mapping[str, tuple[Any, ...]] = {}
        self._is_scrolled = False
        super().__init__(search, **keywords)
        self.observe(self._on_selected, "selected")

    def make(self, search: Search) -> None:
        """Make what the figure is put into; it is made when somebody looks."""
        self._minimise = [one.minimise for one in search.objectives]
        self._host = ipywidgets.Box()
        self._host.add_class("hpo-plot-host")
        self._host.add_class("hpo-parallel-host")
        self._key = ipywidgets.HTML()

    def contents(self) -> list[ipywidgets.Widget]:
        """Return the choice of parameters where there are many, the figure and the legend."""
        self.add_class("hpo-plot-host")
        return [*self.parameter_chooser(), self._host, self._key]

    def refresh(self, update: Update) -> None:
        """Draw the trials that have ended since the last time, and once a second all again."""
        search = update.search
        if self._drawing is None:
            drawing = self._begin(search)
            is_due = True
        else:
            drawing = self._drawing
            fresh, has_rewritten = self._trials.put(update.rows)
            self._fresh = np.concatenate([self._fresh, fresh])
            # Axes of objectives do not stretch to what is left out of the search, unless the filter asks for it.
            asks_otherwise = self.filter.asks_for_left_out != self._drawn_filter.asks_for_left_out
            has_moved = self._fit(None if has_rewritten or asks_otherwise else fresh)
            if has_moved or has_rewritten:
                self._clear_pictures()
            is_due = has_moved or has_rewritten or self.filter != self._drawn_filter
        size = self._refresher.flow.plot_size("plot")
        drawing.set_axes(self._axes, 0 if size is None else size[0])
        was_scrolled, self._is_scrolled = self._is_scrolled, size is not None and size[0] < drawing.least_width
        is_due |= self._is_scrolled != was_scrolled
        mask = update.passing(self.filter)
        self._passes = np.full(len(self._trials), mask is None)
        if mask is not None:  # trials that have begun since it was made do not pass yet
            self._passes[: len(mask)] = mask[: len(self._passes)]
        now = self._clock()
        if is_due or update.at_once or now >= self._settled_at + _PAUSE_SECONDS:
            self._settled_at, self._drawn_filter = now, self.filter
            self._settle(drawing)
        else:
            is_drawn = self._trials.completed()[self._fresh] & self._passes[self._fresh]
            self._draw("fresh", self._fresh[is_drawn][-MOST_STRONG:])
        self._draw_best(drawing)
        self._draw_selected()

    def forget(self) -> None:
        """Drop all values; the axes stay as long as they hold what follows."""
        self._trials = ParallelTrials(self.parameters, len(self.search.objectives))
        self._fitted = [FittedAxis(minimise=minimise) for minimise in self._minimise]
        self._fresh, self._settled_at = _NOBODY, -np.inf
        self._clear_pictures()

    def numbers(self) -> PlotNumbers:
        """Return the trials that pass the filter, the best first, and behind them those without a value."""
        search, rows = self.search, passing_rows(self.search, self.filter)
        completed = rows.state == TrialState.COMPLETED
        ranking = Ranking(search.objectives)
        ranking.load(rows.numbers[completed], rows.values[completed])
        best = ranking.top(MOST_ROWS)
        numbers = [*best, *np.setdiff1d(rows.numbers, best)[::-1].tolist()]
        return trial_numbers(
            search,
            numbers,
            "trials, the best first",
            objectives=range(len(search.objectives)),
            parameters=self.parameters,
        )

    def _begin(self, search: Search) -> ParallelFigure:
        """Make the figure, and what goes with it, for the parameters that are shown."""
        self.forget()
        self._trials.put(search.snapshot())
        self._axes: list[ParallelAxis] = []
        self._fit(None)
        objectives = " and ".join(text.axis(one) for one in search.objectives)
        drawing = self._drawing = ParallelFigure(
            self._axes,
            f"{objectives} and {len(self.parameters)} parameters of each trial in parallel coordinates",
            on_click=self._on_click,
            on_clear=self._on_clear,
            on_brush=self._on_brush,
        )
        old, self._host.children = self._host.children, [drawing.figure]
        for one in old:
            close_tree(one)
        self._clear_pictures()
        return drawing

    def _fit(self, fresh: Numbers | None) -> bool:
        """Have the axes hold ``fresh`` trials, None for all; returns whether one has other ends now."""
        space, values, count = self.search.space, self._trials.values, len(self.parameters)
        is_left_out = self._trials.states == TrialState.LEFT_OUT
        if is_left_out.any() and not self.filter.asks_for_left_out:
            values = values.copy()
            values[is_left_out, count:] = np.nan
        some = values if fresh is None else values[fresh]
        labels = text.labels(space.names)
        axes = []
        for index, name in enumerate(self.parameters):
            parameter = space.leaf(name)
            is_held = bool(self._axes) and self._axes[index].holds(parameter, some[:, index])
            made = self._axes[index] if is_held else parameter_axis(parameter, labels[name], values[:, index])
            axes.append(made)
        for index, (objective, fitted) in enumerate(zip(self.search.objectives, self._fitted, strict=True), count):
            if fresh is None:
                fitted.fit(_drawable(values[:, index]))
            else:
                fitted.extend(_drawable(some[:, index]), functools.partial(_drawable, values[:, index]))
            kind = "min" if objective.minimise else "max"
            axes.append(ParallelAxis(objective.key, text.axis(objective), kind, fitted.domain))
        before, self._axes = self._axes, axes
        return axes != before

    def _clear_pictures(self) -> None:
        self._densities = {name: LineDensity() for name in _PICTURES}
        self._counted = np.zeros(0, dtype=np.int8)
        self._are_pictures_stale = True

    def _settle(self, drawing: ParallelFigure) -> None:
        """Draw everything but the best and the selected trials again."""
        trials = self._trials
        completed = trials.completed()
        # Those that are left out of the search only where the filter asks for them.
        is_hollow = np.isin(trials.states, HOLLOW_STATES) & ((trials.states != TrialState.LEFT_OUT) | self._passes)
        is_shown = completed | is_hollow
        is_passing = completed if self.filter.is_empty else is_shown & self._passes
        wanted = np.where(is_passing, _PASSING, is_shown).astype(np.int8)
        counted = np.zeros_like(wanted)
        counted[: len(self._counted)] = self._counted
        for code, (name, rgb) in enumerate(_PICTURES.items(), _OTHERS):
            has_changed = (wanted == code) != (counted == code)
            for times, chosen in ((1, wanted == code), (-1, counted == code)):
                self._densities[name].add(self._places(np.flatnonzero(has_changed & chosen)), times)
            if has_changed.any() or self._are_pictures_stale:
                drawing.pictures[name].put(density_picture(self._densities[name].counts, rgb))
        self._counted, self._are_pictures_stale = wanted, False
        passing = np.flatnonzero(is_passing)
        # A value of a trial that was ended early is none that it has reached.
        comparable = np.flatnonzero(is_passing & completed) if len(self._minimise) > 1 else _NOBODY
        objectives = trials.values[comparable, len(self.parameters) :]
        self._front = comparable[pareto_front(objectives, self._minimise)]
        self._strong = strongest(self._places(passing)[:, len(self.parameters) :], self._minimise)
        self._strong = np.union1d(passing[self._strong], self._front)
        failed = np.flatnonzero(trials.failed() & self._passes)
        self._failed, self._fresh = failed[-MOST_STRONG:], _NOBODY
        for name, numbers in (("strong", self._strong), ("failed", self._failed), ("fresh", _NOBODY)):
            self._draw(name, numbers)
        num_not_finite = int((trials.not_finite() & self._passes).sum())
        drawing.draw_failed(failed_counts(self._places(failed), self._axes), "" if num_not_finite else "failed")
        self._draw_intervals(drawing)
        self._tell(len(passing), int(is_shown.sum()), (len(failed) - num_not_finite, num_not_finite), len(self._best()))

    def _draw_intervals(self, drawing: ParallelFigure) -> None:
        within = self.filter.within
        drawing.draw_intervals(
            [
                (index, *span, axis.bounds_in_words(within[axis.key]))
                for index, axis in enumerate(self._axes)
                if axis.key in within
                for span in axis.spans(within[axis.key])
            ]
        )

    def _tell(self, num_passing: int, num_shown: int, num_ended: tuple[int, int], num_best: int) -> None:
        """Write the legend, of dashed lines how many have failed and completed; no word of it comes from a search."""
        is_all = self.filter.is_empty
        passing = f"{num_passing} {'completed' if is_all else f'of {num_shown} pass the filter'}"
        most = f", the best {MOST_STRONG} strong" if num_passing > MOST_STRONG else ""
        best = "best" if len(self._minimise) == 1 else "not dominated"
        count = len(self.parameters)
        values = self._trials.values[self._trials.completed() & self._passes, count:]
        is_beyond = [axis.domain.is_beyond(values[:, index]) for index, axis in enumerate(self._axes[count:])]
        objectives = "the objective" if len(self._minimise) == 1 else "the objectives"
        num_beyond = int(np.any(is_beyond, axis=0).sum())
        drawn = (
            ("▬", style.DOT, 1.0, f"{passing}{most}", num_passing or not is_all),
            ("▬", style.TEXT, 0.5, "pruned or aborted" if is_all else "others", num_shown - num_passing),
            ("┅", style.BAD, 1.0, "failed", num_ended[0]),
            ("┅", style.BAD, 1.0, style.NOT_FINITE, num_ended[1]),
            ("▬", style.BEST, 1.0, best, num_best),
            ("", style.TEXT, 1.0, f"{num_beyond} beyond the end of an axis", num_beyond),
            ("", style.TEXT, 1.0, f"scroll to the right for {objectives}", self._is_scrolled),
            ("", style.TEXT, 1.0, "drag along an axis to filter · double-click clears", True),
        )
        self._key.value = style.legend(drawn)

    def _best(self) -> Numbers:
        """Return the best trial, or of several objectives the front, as far as they pass."""
        best = None if len(self._minimise) > 1 else self.search.best_trial
        if best is None:
            return self._front[-_MOST_MARKED:]
        is_known = best.number < len(self._trials) and self._passes[best.number]
        return np.array([best.number]) if is_known else _NOBODY

    def _draw_best(self, drawing: ParallelFigure) -> None:
        numbers = self._best()
        self._draw("best", numbers)
        # One of several of a front is not called the best.
        is_one = len(self._minimise) == 1 and len(numbers) == 1
        place = float(self._places(numbers)[0, -1]) if is_one else np.nan
        # One without a finite value has no place.
        drawing.draw_best((int(numbers[0]), place) if np.isfinite(place) else None)

    def _draw_selected(self) -> None:
        known = np.array([one for one in self.selected if one < len(self._passes)], dtype=np.int64)
        self._draw("selected", known[self._passes[known]][-_MOST_MARKED:])

    def _places(self, numbers: Numbers) -> Floats:
        return self._trials.places(self._axes, numbers)

    def _draw(self, name: str, numbers: Numbers) -> None:
        if self._drawing is not None:
            self._drawing.draw(name, self._places(numbers))

    def _draw_parameters(self) -> None:
        if self._drawing is not None:
            self._drawing = None
            self._refresher.poke()

    def _on_selected(self, _change: object) -> None:
        with self._refresher.lock:
            if self._drawing is not None:
                self._draw_selected()

    def _on_filter(self, change: object) -> None:
        super()._on_filter(change)
        # An interval that was taken out of the filter elsewhere is not offered any more either.
        if self._own_box and comparable_ranges(self.box) == comparable_ranges(self._own_box):
            self._offer()

    def _on_click(self, x: float, y: float) -> None:
        """Select the trial whose line was clicked: the best first, then one of those that are drawn one by one."""
        with self._refresher.lock:
            self._selected_before = self.selected
            shown = np.concatenate([self._strong, self._fresh, self._failed])
            counted = np.flatnonzero(self._counted)
            for numbers, reach in ((self._best(), _REACH_OF_BEST), (shown, _REACH), (counted, _REACH)):
                number = nearest(distances(self._places(numbers), x, y), numbers, reach)
                if number is not None:
                    self.selected = clicked(self.selected, number, adds=self._refresher.flow.adds)
                    return
            self.selected = []

    def _on_clear(self, index: int, has_clicked: bool) -> None:
        """Clear an axis that was double-clicked; what its first click has selected was not meant."""
        with self._refresher.lock:
            self._set_within(self._axes[index].key, ())
            if has_clicked:
                self.selected = self._selected_before

    def _on_brush(self, index: int, low: float, high: float) -> None:
        with self._refresher.lock:
            axis = self._axes[index]
            if within := axis.within(low, high):
                self._set_within(axis.key, within)

    def _set_within(self, key: str, within: tuple[Any, ...]) -> None:
        """Let only trials pass that lie in an interval of an axis, or, without one, those anywhere along it."""
        with self._refresher.lock:
            others = {name: one for name, one in self.filter.within.items() if name != key}
            self.filter = replace(self.filter, within=others | ({key: within} if within else {}))
            self._offer()

    def _offer(self) -> None:
        """Offer to narrow the ranges to the intervals of parameters."""
        space = self.search.space
        inner = {
            name: narrowed(space.leaf(name), within)
            for name, within in self.filter.within.items()
            if name in space.names
        }
        self.box = {name: bounds for name, bounds in inner.items() if bounds}
        self._own_box = self.box


def _drawable(column: Floats) -> Floats:
    """Values that an axis of an objective has to hold."""
    return clip_objective(column[~np.isnan(column)])
