"""Slices: the objective against each parameter, one small figure a parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
import traitlets as t

from hpo_widgets.messages import near_match
from hpo_widgets.widget import text
from hpo_widgets.widget.closing import close_tree
from hpo_widgets.widget.plots.plot import MOST_RINGED, TrialPlot
from hpo_widgets.widget.plots.points import settle_one
from hpo_widgets.widget.plots.series import nearest
from hpo_widgets.widget.plots.slice_figure import MOST_HOT, SliceFigure, shortened
from hpo_widgets.widget.plots.slice_series import SliceSeries, leaf
from hpo_widgets.widget.subshell import act_while_cell_runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hpo_widgets.search import Search
    from hpo_widgets.widget.refresher import Update

MOST_FIGURES = 12
"""Figures at the same time, so that the cost of a trial does not grow with the number of parameters."""

_REACH = 0.05
_MOST_OPTION = 60
_NUM_ROWS = 5


class SlicesPlot(TrialPlot):
    """Draws the objective of each trial against each parameter, live.

    Axes are logarithmic where the parameter is; choices stand side by side, their trials spread a
    little. Trials outside the present ranges are faded, pruned and aborted ones hollow diamonds,
    failed ones crosses on a lane of their own. A click on a trial selects it.

    Parameters
    ----------
    search
        The search to show.
    objective, log_scale, selected
        As in `HistoryPlot`.
    parameters
        Names of the parameters that are shown, at most twelve; by default the first ones.

    Examples
    --------
    >>> SlicesPlot(optimizer, parameters=["lr", "dropout"])  # doctest: +SKIP
    """

    _number_is_in = "name"

    parameters = t.Tuple(help="Two-way. Names of the parameters that are shown, at most twelve.")

    def _make(self, search: Search, objective: int) -> None:
        shown = search.objectives[objective]
        self._space = search.space
        self._num_epochs = len(search.epochs)
        self._series = SliceSeries(objective, minimise=shown.minimise, space=search.space)
        self._objective_name = text.axis(shown)
        self._figures: list[SliceFigure] = []
        self._grid = ipywidgets.Box()
        self._grid.add_class("hpo-slices-grid")
        self._caption = ipywidgets.Label(f"{self._objective_name} against each parameter; faint: outside the ranges")
        self._caption.add_class("hpo-muted")
        self._chooser: ipywidgets.SelectMultiple | None = None
        if len(search.space.names) > MOST_FIGURES:
            self._chooser = _chooser(search.space.names)

    def _contents(self) -> list[ipywidgets.Widget]:
        self.add_class("hpo-slices-host")
        if not self.parameters:
            self.parameters = self._space.names[:MOST_FIGURES]
        self.observe(self._on_parameters, "parameters")
        if self._chooser is None:
            return [self._caption, self._grid]
        self._chooser.value = self.parameters
        act_while_cell_runs(self._chooser)
        self._chooser.observe(self._on_chosen, "value")
        return [self._caption, self._chooser, self._grid]

    @property
    def figures(self) -> tuple[SliceFigure, ...]:
        """What is drawn of each parameter shown; empty as long as nobody has looked."""
        return tuple(self._figures)

    def refresh(self, update: Update) -> None:
        """Draw the trials that have ended since the last time."""
        search = update.search
        fresh = self._series.put(update.rows)
        has_entered = len(search.epochs) != self._num_epochs
        if has_entered:
            self._num_epochs, self._space = len(search.epochs), search.space
            self._series.enter(search.space)
        if not self._figures or has_entered or self._series.values.has_rewritten:
            self._draw_everything()
            return
        values, domain = self._series.values, self._axis.domain
        self._axis.extend(values.shown_of(fresh), values.shown)
        groups, best = self._series.groups(fresh), self._series.best()
        for figure in self._figures:
            figure.set_domain(self._axis.domain)
            figure.draw(self._series, groups)
            figure.draw_best(self._series, best)
        if self._axis.domain == domain:  # that all axes move is enough for one update
            settle_one([cloud for figure in self._figures for cloud in figure.clouds], MOST_HOT)
        if self.selected:
            self._draw_selected()

    def _draw_everything(self) -> None:
        self._axis.fit(self._series.values.shown())
        if [figure.name for figure in self._figures] != list(self.parameters):
            self._make_figures()
        groups, best = self._series.groups(self._series.ended()), self._series.best()
        for figure in self._figures:
            shown = leaf(self._space, figure.name)
            figure.set_range(None if shown.kind == "choice" else shown.range)
            figure.set_domain(self._axis.domain)
            figure.draw(self._series, groups, is_new=True)
            figure.draw_best(self._series, best)
        self._draw_selected()

    def _make_figures(self) -> None:
        old = {figure.name: figure for figure in self._figures}
        labels = text.labels(self._space.names)
        self._figures = [
            old.pop(name)
            if name in old
            else SliceFigure(name, labels[name], leaf(self._space, name), self._objective_name, self._on_click)
            for name in self.parameters
        ]
        self._grid.children = [figure.figure for figure in self._figures]
        for figure in old.values():
            close_tree(figure.figure)

    def _draw_selected(self) -> None:
        numbers = self._series.values.known(self.selected[-MOST_RINGED:])
        for figure in self._figures:
            figure.draw_selected(self._series, numbers)

    def _nearest(self, x: float, y: float, source: object) -> int | None:
        figure = next(figure for figure in self._figures if figure.name == source)
        numbers = self._series.values.known(range(self._series.values.num_trials))
        at = figure.domain_x.place(np.array([x]))
        across = figure.domain_x.place(self._series.x(figure.name, numbers)) - at
        up = figure.domain.place(self._series.y(numbers)) - figure.domain.place(np.array([y]))
        return nearest(np.hypot(across, up), numbers, _REACH)

    @t.validate("parameters")
    def _check_parameters(self, proposal: dict[str, Any]) -> tuple[str, ...]:
        names = tuple(dict.fromkeys(proposal["value"]))
        for name in names:
            if name not in self._space.names:
                raise t.TraitError(
                    f"the space has no parameter {name!r:.80}. {near_match(str(name), self._space.names)}"
                )
        if len(names) > MOST_FIGURES:
            raise t.TraitError(f"at most {MOST_FIGURES} parameters are shown at once, got {len(names)}")
        return names

    def _on_parameters(self, _change: object) -> None:
        with self._refresher.lock:
            if self._chooser is not None:
                self._chooser.value = self.parameters
            if self._figures:
                self._draw_everything()

    def _on_chosen(self, change: dict[str, Any]) -> None:
        """Show what was chosen: the first twelve, and never nothing."""
        with self._refresher.lock:
            if change["new"]:
                self.parameters = change["new"][:MOST_FIGURES]
            if self._chooser is not None:
                self._chooser.value = self.parameters


def _chooser(names: Sequence[str]) -> ipywidgets.SelectMultiple:
    chooser = ipywidgets.SelectMultiple(
        options=[(f"{index + 1}: {shortened(name, _MOST_OPTION)}", name) for index, name in enumerate(names)],
        rows=_NUM_ROWS,
        description=f"Parameters (of {len(names)}, at most {MOST_FIGURES})",
        style={"description_width": "initial"},
        layout={"width": "auto", "max_width": "560px"},
    )
    chooser.add_class("hpo-slices-chooser")
    return chooser
