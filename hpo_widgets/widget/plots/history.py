"""The history: the objective of each trial in order, with the best so far and the space epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets
import numpy as np

from hpo_widgets.widget import text
from hpo_widgets.widget.plots import style
from hpo_widgets.widget.plots.domain import clip
from hpo_widgets.widget.plots.history_figure import MOST_HOT, HistoryFigure
from hpo_widgets.widget.plots.plot import MOST_RINGED, TrialPlot
from hpo_widgets.widget.plots.points import settle_one
from hpo_widgets.widget.plots.series import HistorySeries, nearest

if TYPE_CHECKING:
    import numpy.typing as npt
    from bqplot import Figure
    from ipywidgets import Widget

    from hpo_widgets.search import Search
    from hpo_widgets.widget.refresher import Update

# The level of the best so far follows the trials in steps of this share of the axis.
_FOLLOW = 0.005
# Where each trial is better than all before it, the best so far has steps of this share of the axis.
_STEP = 0.01
_SIGNS = "&ensp;".join(
    f'<span style="color: {colour}">{sign}</span> {word}'
    for sign, word, colour in (
        ("●", "completed", style.DOT),
        ("◇", "ended early", style.DOT),
        ("✕", "failed", style.BAD),
        ("▲", "best so far", style.BEST),
    )
)
_KEY = f'<span class="hpo-key">{_SIGNS}</span>'
# How far from a trial in the picture a click may be, as a share of the plot.
_REACH = 0.03


class HistoryPlot(TrialPlot):
    """Draws the objective of each trial by its number, live, as a bqplot figure.

    Completed trials are dots, pruned and aborted ones with a value hollow diamonds, failed ones
    crosses on a lane of their own at the bottom. One more trial costs the same however many there are.

    Parameters
    ----------
    search
        The search to show.
    objective
        Index of the objective, from 0.
    log_scale
        Whether the axis of values is logarithmic. By default it is when there are at least ten
        values, all above 0, and the largest of the better 90 % is twenty times the smallest.
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

    def _make(self, search: Search, objective: int) -> None:
        shown = search.objectives[objective]
        self._series = HistorySeries(objective, minimise=shown.minimise)
        self._drawing = HistoryFigure(text.axis(shown), self._on_click)

    def _contents(self) -> list[Widget]:
        self.add_class("hpo-plot-host")
        return [self._drawing.figure, ipywidgets.HTML(_KEY)]

    @property
    def figure(self) -> Figure:
        """The bqplot figure."""
        return self._drawing.figure

    def refresh(self, update: Update) -> None:
        """Draw the trials that have ended since the last time."""
        search, drawing = update.search, self._drawing
        fresh = self._series.put(update.rows)
        drawing.set_num_trials(self._series.num_trials, search.total_max_jobs)
        if self._series.has_rewritten:
            self._draw_everything()
        else:
            self._draw_more(fresh)
            self._draw_best()
            settle_one(drawing.clouds, MOST_HOT)
        if self.selected:
            self._draw_selected()
        drawing.epochs.draw(search.epochs, search.space, drawing.end_x)

    def _draw_everything(self) -> None:
        series, drawing = self._series, self._drawing
        self._axis.fit(series.shown())
        drawing.set_domain(self._axis.domain)
        numbers = np.flatnonzero(series.has_ended(np.arange(series.num_trials)))
        drawing.cloud("completed").reset(*series.completed(numbers))
        drawing.cloud("partial").reset(*series.partial(numbers))
        drawing.draw_failed(series.failed(numbers), is_new=True)
        self._draw_best()

    def _draw_more(self, fresh: npt.NDArray[np.int64]) -> None:
        series, drawing = self._series, self._drawing
        self._axis.extend(series.shown_of(fresh), series.shown)
        drawing.set_domain(self._axis.domain)
        drawing.cloud("completed").extend(*series.completed(fresh))
        drawing.cloud("partial").extend(*series.partial(fresh))
        drawing.draw_failed(series.failed(fresh))

    def _draw_best(self) -> None:
        x, y = self._series.best_so_far(_STEP * self._drawing.end_x)
        self._drawing.draw_best(x, y, float(self._series.num_trials - 1), least_step=_FOLLOW)

    def _draw_selected(self) -> None:
        numbers = self._series.known(self.selected[-MOST_RINGED:])
        self._drawing.draw_selected(numbers.astype(float), clip(self._series.values[numbers]))

    def _nearest(self, x: float, y: float, _source: object) -> int | None:
        series, domain = self._series, self._axis.domain
        numbers = series.known(range(series.num_trials))
        across = (numbers - x) / max(self._drawing.end_x, 1.0)
        up = domain.place(clip(series.values[numbers])) - domain.place(np.array([y]))
        return nearest(np.hypot(across, up), numbers, _REACH)
