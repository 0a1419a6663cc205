"""The history: the objective of each trial in order, with the best so far and the space epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
import traitlets as t

from hpo_widgets.widget import text
from hpo_widgets.widget.keywords import refuse_unknown
from hpo_widgets.widget.part import Following
from hpo_widgets.widget.plots import style
from hpo_widgets.widget.plots.domain import first_domain, wants_log
from hpo_widgets.widget.plots.history_figure import HistoryFigure
from hpo_widgets.widget.plots.series import HistorySeries

if TYPE_CHECKING:
    import numpy.typing as npt
    from bqplot import Figure

    from hpo_widgets.search import Search
    from hpo_widgets.widget.refresher import Refresher, Update

# The level of the best so far follows the trials in steps of this share of the axis.
_FOLLOW = 0.005
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
# Up to so many values the axis is fitted again when their number has doubled; later it only grows.
_MOST_FITTED = 64


class HistoryPlot(Following, ipywidgets.VBox):
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

    Attributes
    ----------
    figure : bqplot.Figure
        The figure, to be laid out or saved.

    Examples
    --------
    >>> HistoryPlot(optimizer, log_scale=True)  # doctest: +SKIP
    """

    objective = t.Int(0, min=0, help="Index of the objective that is drawn; set once, at construction.")
    log_scale = t.Bool(None, allow_none=True, help="Logarithmic axis of values; None: where it shows more.")

    def __init__(self, search: Search, *, refresher: Refresher | None = None, **traits: Any) -> None:
        refuse_unknown(type(self), traits)
        objective = traits.get("objective", 0)
        if not 0 <= objective < len(search.objectives):
            msg = f"objective must be below {len(search.objectives)}, the number of objectives, got {objective}"
            raise ValueError(msg)
        shown = search.objectives[objective]
        self._series = HistorySeries(objective, minimise=shown.minimise)
        self._drawing = HistoryFigure(text.axis(shown))
        self._num_values = self._num_fitted = 0
        super().__init__(children=[self._drawing.figure, ipywidgets.HTML(_KEY)], **traits)
        self.add_class("hpo-part")
        self.add_class("hpo-plot-host")
        self._follow(search, refresher)
        self.observe(self._on_log_scale, "log_scale")

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
            self._draw_all()
        else:
            self._draw_more(fresh)
        self._draw_best()
        drawing.epochs.draw(search.epochs, search.space, drawing.end_x)

    def _on_log_scale(self, _change: object) -> None:
        with self._refresher.lock:
            self._draw_all()
            self._draw_best()

    def _wants_log(self) -> bool:
        values = self._series.shown()
        if self.log_scale is not None:
            return bool(self.log_scale) and not np.any(values <= 0)
        if self._drawing.domain.is_log:
            # Once logarithmic it stays so, as long as it can.
            return not np.any(values <= 0)
        return wants_log(values)

    def _draw_all(self) -> None:
        """Fit the axis to all values and draw all trials again."""
        self._fit()
        series, drawing = self._series, self._drawing
        numbers = np.flatnonzero(series.has_ended(np.arange(series.num_trials)))
        drawing.completed.reset(*series.completed(numbers))
        drawing.partial.reset(*series.partial(numbers))
        drawing.draw_failed(series.failed(numbers), is_new=True)

    def _draw_more(self, fresh: npt.NDArray[np.int64]) -> None:
        series, drawing = self._series, self._drawing
        values = series.shown_of(fresh)
        self._num_values += len(values)
        must_fit = drawing.domain.is_log and bool(np.any(values <= 0))
        if must_fit or self._num_values >= 2 * self._num_fitted:
            self._fit(anew=must_fit or self._num_fitted <= _MOST_FITTED)
        drawing.set_domain(drawing.domain.grown(values))
        drawing.completed.extend(*series.completed(fresh))
        drawing.partial.extend(*series.partial(fresh))
        drawing.draw_failed(series.failed(fresh))

    def _fit(self, *, anew: bool = True) -> None:
        """Choose the kind of axis and, with ``anew`` or for another kind, its ends."""
        values = self._series.shown()
        self._num_values = self._num_fitted = len(values)
        is_log = self._wants_log()
        if anew or is_log != self._drawing.domain.is_log:
            self._drawing.set_domain(first_domain(values, is_log=is_log))

    def _draw_best(self) -> None:
        x, y = self._series.best_so_far()
        self._drawing.draw_best(x, y, float(self._series.num_trials - 1), least_step=_FOLLOW)
