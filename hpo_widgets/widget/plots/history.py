"""The history: the objective of each trial in order, with the best so far and the space epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets
import numpy as np

from hpo_widgets.search.comparison import best_levels
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import text
from hpo_widgets.widget.plots import style
from hpo_widgets.widget.plots.axes import TIP_DIGITS, num_trials_shown
from hpo_widgets.widget.plots.history_figure import HistoryFigure
from hpo_widgets.widget.plots.plot import TrialPlot

if TYPE_CHECKING:
    from bqplot import Figure
    from ipywidgets import Widget

    from hpo_widgets.search import Search
    from hpo_widgets.widget.plots.numbers import PlotNumbers
    from hpo_widgets.widget.sync.refresher import Update

_MOST_ERROR = 48


class HistoryPlot(TrialPlot):
    """Draws the objective of each trial by its number, live, as a bqplot figure.

    Completed trials are dots, faint where they are outside the present ranges, pruned and aborted ones
    with a value hollow diamonds, failed ones crosses on a lane of their own at the bottom, and so is
    one that completed with a value that is not finite. Where a few bad values would leave the others hardly any room,
    the axis ends before them, and triangles at its edge stand for them. One more trial costs the same however many
    there are.

    Parameters
    ----------
    search
        The search to show.
    objective
        Index of the objective, from 0; with several it can be chosen. Default: the first one.
    log_scale
        Whether the axis of values is logarithmic; if it is given, the axis holds all values. By default it is
        logarithmic when there are at least ten values, all above 0, and the largest of the better 90 % (of the better
        half, if the objective is maximised) is twenty times the smallest.
    selected
        Numbers of the trials that are ringed; a click on a trial selects it.

    Attributes
    ----------
    figure : bqplot.Figure
        The figure, to be laid out or saved.

    Examples
    --------
    >>> HistoryPlot(optimizer, log_scale=True)  # doctest: +SKIP
    """

    def make(self, search: Search) -> None:
        """Make the figure."""
        super().make(search)
        self._drawing = self._make_figure()
        self._ends: dict[int, str] = {}

    def _make_figure(self) -> HistoryFigure:
        return HistoryFigure(self._series, self.objective_name, self._on_click, self._end_of)

    def _take_objective(self) -> None:
        self._ends.clear()  # how a trial ended is told by the objective
        old, self._drawing = self.figure, self._make_figure()
        self._show_instead(old, self.figure)
        super()._take_objective()

    def contents(self) -> list[Widget]:
        """Return the choice of the objective, the figure, and its legend beside the button for selecting."""
        self.add_class("hpo-plot-host")
        self.add_class("hpo-history-host")
        self._legend = ipywidgets.HTML(style.legend(()), layout=self.layout_of_parts)
        return [*self.objective_line(), self._drawing.figure, self.make_foot(self._legend)]

    @property
    def figure(self) -> Figure:
        """The bqplot figure."""
        return self._drawing.figure

    @property
    def figures(self) -> tuple[HistoryFigure]:
        """What is drawn: one figure."""
        return (self._drawing,)

    def refresh(self, update: Update) -> None:
        """Draw the trials that have ended since the last time, and the space epochs."""
        search, drawing = update.search, self._drawing
        drawing.set_end(num_trials_shown(sum(search.counts.values()), search.total_max_jobs))
        super().refresh(update)
        running, values = self._series.running()
        self._axis.make_room_for_running(values)
        drawing.set_domain(self._axis.domain)
        drawing.draw_running()
        drawing.draw_lane()
        counts = drawing.counts
        is_partial = counts["partial"] > 0
        minimise = search.objectives[self.objective].minimise
        drawn = (
            ("●", style.DOT, 1, "completed", counts["inside"]),
            ("●", style.DOT, 0.5, "outside the ranges", counts["outside"]),
            ("○", style.DOT, 1, "running, value so far", len(running)),
            ("◇", style.DOT, 1, "pruned", is_partial and search.counts.get(TrialState.PRUNED)),
            ("◇", style.DOT, 1, "aborted", is_partial and search.counts.get(TrialState.ABORTED)),
            (style.BEYOND[minimise], style.DOT, 1, f"{counts['beyond']} beyond the axis", counts["beyond"]),
            ("◇", style.DOT, 1, TrialState.LEFT_OUT.label, is_partial and self.filter.asks_for_left_out),
            ("✕", style.BAD, 1, "failed", counts["failed"]),
            ("✕", style.BAD, 1, style.NOT_FINITE, counts["not finite"]),
            ("▲", style.BEST, 1, "best so far", len(self._series.best())),
            ("□", style.TEXT, 1, "enqueued", len(self._series.enqueued())),
        )
        self._legend.value = style.legend(drawn)
        drawing.epochs.draw(search.epochs, search.space, drawing.end_x)

    def numbers(self) -> PlotNumbers:
        """Return the newest trials with the best so far, which is that of all trials, and their space epochs."""
        rows, objective = self.search.snapshot(), self.objective
        minimise = self.search.objectives[objective].minimise
        levels = best_levels(rows.values[:, objective], rows.can_be_best, minimise=minimise)
        best = dict(zip(rows.numbers.tolist(), np.where(np.isfinite(levels), levels, np.nan).tolist(), strict=True))
        more = {"best so far": lambda trial: best.get(trial.number), "space": lambda trial: trial.epoch + 1}
        return self._newest_numbers(more=more)

    def _end_of(self, number: int) -> str:
        """How a trial without a point ended, in the words that a tooltip has room for: for a failed one, why."""
        if number not in self._ends:
            trial = self.search.trial(number)
            if trial.state == TrialState.COMPLETED:
                value = trial.values[self.objective]
                self._ends[number] = f"completed with {'no value' if value is None else text.number(value, TIP_DIGITS)}"
            else:
                lines = (trial.error or "failed").splitlines()
                self._ends[number] = text.short(lines[0], _MOST_ERROR)
        return self._ends[number]

    def _draw_best(self) -> None:
        super()._draw_best()
        self._drawing.draw_best_line()
