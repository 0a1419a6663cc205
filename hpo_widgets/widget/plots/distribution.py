"""The distribution of values: the share of trials that are as good as a value, one line a space epoch."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import ipywidgets
import numpy as np
from bqplot import Lines

from hpo_widgets.trials import TrialState
from hpo_widgets.widget.plots import style
from hpo_widgets.widget.plots.axes import (
    UNIT,
    Domain,
    FittedAxis,
    clip_objective,
    even_ticks,
    ticks_between,
)
from hpo_widgets.widget.plots.figure import FigureAxis, plain_figure, tick_traits
from hpo_widgets.widget.plots.numbers import PlotNumbers, passing_rows
from hpo_widgets.widget.plots.plot import Plot

if TYPE_CHECKING:
    from collections.abc import Callable

    from hpo_widgets.search import Search
    from hpo_widgets.trials.columns import Rows
    from hpo_widgets.widget.plots.series import Floats
    from hpo_widgets.widget.sync.refresher import Update

MOST_EPOCHS = 6
"""Lines of so many space epochs are drawn, the newest ones."""

MOST_POINTS = 200
"""Points of one line at most."""

# So many times as long as a drawing of many trials took, none follows while the search goes on.
_PAUSE_FACTOR = 4

_OPACITIES = (0.25, 0.3, 0.4, 0.5, 0.65)
"""Of the lines of earlier epochs, the oldest first."""


class Distribution(NamedTuple):
    """The values of the completed trials of one space epoch.

    Attributes
    ----------
    epoch : int
        The epoch.
    num_trials : int
        Its completed trials with a finite value.
    values, shares : ndarray, shape (n,)
        Rising values, and the share of its trials that are at most as large.
    """

    epoch: int
    num_trials: int
    values: Floats
    shares: Floats


def distributions(rows: Rows, objective: int) -> list[Distribution]:
    """Return the empirical distribution function of each space epoch with completed trials.

    Parameters
    ----------
    rows
        All trials of a search.
    objective
        Index of the objective.

    Returns
    -------
    list of Distribution
        The oldest epoch first, `MOST_EPOCHS` at most, with `MOST_POINTS` points each at most.
    """
    values = rows.values[:, objective]
    completed = (rows.state == TrialState.COMPLETED) & np.isfinite(values)
    found = []
    for epoch in np.unique(rows.epoch[completed])[-MOST_EPOCHS:].tolist():
        ordered = np.sort(clip_objective(values[completed & (rows.epoch == epoch)]))
        count = len(ordered)
        kept = np.unique(np.linspace(0, count - 1, min(count, MOST_POINTS)).round().astype(int))
        found.append(Distribution(epoch, count, ordered[kept], (kept + 1) / count))
    return found


class DistributionPlot(Plot):
    """Draws the share of trials that are at most as large as a value, a line for each space epoch, live.

    The line of the present epoch is orange. Where it rises earlier than those before, more trials are good (where
    small is good): the change of ranges has helped. Where a few values of a line lie far beyond its others, the axis
    ends before them.

    Parameters
    ----------
    search
        The search to show.
    objective
        Index of the objective, from 0; with several it can be chosen. Default: the first one.

    Examples
    --------
    >>> DistributionPlot(optimizer)  # doctest: +SKIP
    """

    def __init__(self, search: Search, *, clock: Callable[[], float] = time.monotonic, **keywords: Any) -> None:
        self._clock = clock
        self._not_before = -np.inf
        self._is_new, self._first_epoch, self._ends_early = True, -1, False
        super().__init__(search, **keywords)

    def make(self, search: Search) -> None:  # noqa: ARG002 -- who shows it knows it
        """Make the figure."""
        self._make_figure()
        self._key = ipywidgets.HTML()

    def _make_figure(self) -> None:
        self._axis = FittedAxis(minimise=self.search.objectives[self.objective].minimise, holds_all=True)
        name = self.objective_name
        self._x = FigureAxis(UNIT, lambda domain: tick_traits(ticks_between(domain, 6)), name, label_offset="32px")
        shares = {"tick_values": np.array(even_ticks(0.0, 1.0, 5)), "tick_format": ".0%"}
        y = FigureAxis(
            Domain(0.0, 1.02), lambda _: shares, "share of completed trials", side="left", label_offset="60px"
        )
        scales = {"x": self._x.scale, "y": y.scale}
        self._lines = [
            style.empty(Lines, scales, colors=[style.DOT], stroke_width=2, interpolation="step-after")
            for _ in range(MOST_EPOCHS)
        ]
        self.figure = plain_figure(
            self._lines, [self._x.axis, y.axis], f"share of trials by {name}, one line per version of the space"
        )

    def _take_objective(self) -> None:
        old = self.figure
        self._make_figure()
        self._show_instead(old, self.figure)
        super()._take_objective()

    def contents(self) -> list[ipywidgets.Widget]:
        """Return the choice of the objective where there are several, the figure and its legend."""
        self.add_class("hpo-plot-host")
        return [*self.objective_line(), self.figure, self._key]

    def refresh(self, update: Update) -> None:
        """Draw the lines of all epochs again, unless the last time took so long that a pause is due."""
        begun = self._clock()
        if not update.at_once and begun < self._not_before:
            return
        drawn = distributions(update.all_rows(self.filter), self.objective)
        if drawn:
            # The oldest line has made room for a new one, and its trials may be all that lie far away.
            self._is_new |= drawn[0].epoch != self._first_epoch
            self._first_epoch = drawn[0].epoch
            held = [one.values[~self._axis.are_beyond_bulk(one.values)] for one in drawn]
            # Before there were ten values, the axis has made room for all.
            ends_early = sum(map(len, held)) < sum(len(one.values) for one in drawn)
            self._is_new |= ends_early != self._ends_early
            self._ends_early = ends_early
            self._axis.fit(np.concatenate(held), anew=self._is_new)
            self._is_new = False
            self._x.set_domain(self._axis.domain, self.figure)
        styles = [*_OPACITIES[-(len(drawn) - 1) :], 1.0] if len(drawn) > 1 else [1.0] * len(drawn)
        for place, line in enumerate(self._lines):
            if place >= len(drawn):
                style.put_changed(line, style.NONE, style.NONE)
                continue
            is_last = place == len(drawn) - 1
            line.colors, line.opacities = [style.BEST if is_last else style.DOT], [styles[place]]
            # From 0, so that one trial is a line too.
            values, shares = drawn[place].values, drawn[place].shares
            style.put_changed(line, np.append(values[0], values), np.append(0.0, shares))
        self._key.value = style.legend(
            ("▬", line.colors[0], 1.0, f"space {one.epoch + 1}: {one.num_trials} completed", True)
            for one, line in zip(drawn, self._lines, strict=False)
        )
        ended = self._clock()
        self._not_before = ended + _PAUSE_FACTOR * (ended - begun)

    def numbers(self) -> PlotNumbers:
        """Return the value that each tenth of the completed trials does not exceed, a column for each space epoch."""
        drawn = distributions(passing_rows(self.search, self.filter), self.objective)
        shares = np.arange(1, 11) / 10
        values = [one.values[np.searchsorted(one.shares, shares - 1e-9)].tolist() for one in drawn]
        rows: list[tuple[Any, ...]] = [
            (f"{share:.0%} at or below", *(column[place] for column in values)) for place, share in enumerate(shares)
        ]
        headings = (f"space {one.epoch + 1}: {one.num_trials} completed" for one in drawn)
        columns = (f"share of trials by {self.objective_name}", *headings)
        rows = rows if drawn else []
        return PlotNumbers(columns, rows, len(rows), "tenths of the completed trials of each space")

    def forget(self) -> None:
        """Choose the ends of the axis by the trials that there are: those of later ones may lie far away."""
        self._not_before, self._is_new = -np.inf, True

    def _on_filter(self, change: object) -> None:
        with self._refresher.lock:
            self.forget()
        super()._on_filter(change)
