"""The distribution of values: the share of trials that are as good as a value, one line a space epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import ipywidgets
import numpy as np
from bqplot import Axis, LinearScale, Lines

from hpo_widgets.trials import TrialState
from hpo_widgets.widget import text
from hpo_widgets.widget.plots import style
from hpo_widgets.widget.plots.axes import (
    clip_objective,
    even_ticks,
    first_domain,
    tick_format,
    ticks_between,
    wants_log,
)
from hpo_widgets.widget.plots.plot import Plot
from hpo_widgets.widget.plots.trial_figure import UNIT, make_scale

if TYPE_CHECKING:
    from hpo_widgets.search import Search
    from hpo_widgets.trials.columns import Rows
    from hpo_widgets.widget.plots.series import Floats
    from hpo_widgets.widget.sync.refresher import Update

MOST_EPOCHS = 6
"""Lines of so many space epochs are drawn, the newest ones."""

MOST_POINTS = 200
"""Points of one line at most."""

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
    small is good): the change of ranges has helped.

    Parameters
    ----------
    search
        The search to show.
    objective
        Index of the objective, from 0.

    Examples
    --------
    >>> DistributionPlot(optimizer)  # doctest: +SKIP
    """

    def make(self, search: Search) -> None:
        """Make the figure."""
        self._name = text.axis(search.objectives[self.objective])
        self._domain = UNIT
        self._x, self._y = make_scale(UNIT), LinearScale(min=0.0, max=1.02)
        self._lines = [
            Lines(
                x=style.NONE,
                y=style.NONE,
                scales={"x": self._x, "y": self._y},
                colors=[style.DOT],
                stroke_width=2,
                interpolation="step-after",
                preserve_domain=style.FIXED,
            )
            for _ in range(MOST_EPOCHS)
        ]
        self._axis_x = self._make_axis_x()
        axis_y = Axis(
            scale=self._y,
            side="left",
            label="share of completed trials",
            label_offset="54px",
            tick_format=".0%",
            tick_values=np.array(even_ticks(0.0, 1.0, 5)),
            label_color=style.TEXT,
            tick_style={"font-size": "11px"},
            grid_color=style.LINE,
        )
        self.figure = style.plain_figure(
            self._lines, [self._axis_x, axis_y], f"share of trials by {self._name}, one line a space epoch"
        )
        self._key = ipywidgets.HTML()

    def _make_axis_x(self) -> Axis:
        ticks = ticks_between(self._domain, 6)
        return Axis(
            scale=self._x,
            label=f"{self._name}{' (log)' if self._domain.is_log else ''}",
            label_offset="32px",
            tick_values=np.array(ticks),
            tick_format=tick_format(ticks),
            label_color=style.TEXT,
            tick_style={"font-size": "11px"},
            grid_color=style.LINE,
        )

    def contents(self) -> list[ipywidgets.Widget]:
        """Return the figure and its legend."""
        self.add_class("hpo-plot-host")
        return [self.figure, self._key]

    def refresh(self, update: Update) -> None:
        """Draw the lines of all epochs again; each has a limited number of points."""
        drawn = distributions(update.search.snapshot(), self.objective)
        if drawn:
            self._fit(np.concatenate([one.values for one in drawn]))
        styles = [*_OPACITIES[-(len(drawn) - 1) :], 1.0] if len(drawn) > 1 else [1.0] * len(drawn)
        for place, line in enumerate(self._lines):
            if place >= len(drawn):
                style.put_changed(line, style.NONE, style.NONE)
                continue
            is_last = place == len(drawn) - 1
            line.colors, line.opacities = [style.BEST if is_last else style.DOT], [styles[place]]
            style.put_changed(line, drawn[place].values, drawn[place].shares)
        self._key.value = style.legend(
            ("▬", line.colors[0], 1.0, f"space {one.epoch + 1}: {one.num_trials} completed")
            for one, line in zip(drawn, self._lines, strict=False)
        )

    def _fit(self, values: Floats) -> None:
        """Have the axis hold all values; it grows in steps and is fitted again for another kind of axis only."""
        is_log = (self._domain.is_log and bool(np.all(values > 0))) or wants_log(values)
        domain = first_domain(values, is_log=is_log)
        is_same_kind = is_log == self._domain.is_log
        if is_same_kind and self._domain is not UNIT:
            domain = self._domain.grown(values)
        if domain == self._domain:
            return
        self._domain = domain
        if is_same_kind:
            with self._x.hold_sync():
                self._x.min, self._x.max = domain.low, domain.high
            ticks = ticks_between(domain, 6)
            with self._axis_x.hold_sync():
                self._axis_x.tick_values, self._axis_x.tick_format = np.array(ticks), tick_format(ticks)
            return
        old, self._x = self._x, make_scale(domain)
        for line in self._lines:
            line.scales = {"x": self._x, "y": self._y}
        # An axis that is given another scale goes on drawing ticks with the old one.
        old_axis, self._axis_x = self._axis_x, self._make_axis_x()
        self.figure.axes = [self._axis_x, self.figure.axes[1]]
        old_axis.close()
        old.close()
