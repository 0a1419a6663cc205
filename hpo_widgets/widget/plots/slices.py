"""Slices: the objective against each parameter, one small figure a parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets

from hpo_widgets.widget import text
from hpo_widgets.widget.parts.part import close_tree
from hpo_widgets.widget.plots.axes import choices_of
from hpo_widgets.widget.plots.parameter_choice import ParameterChoice
from hpo_widgets.widget.plots.plot import TrialPlot
from hpo_widgets.widget.plots.slice_figure import MOST_HOT, MOST_NAME, SliceFigure

if TYPE_CHECKING:
    from hpo_widgets.search import Search
    from hpo_widgets.widget.plots.numbers import PlotNumbers


class SlicesPlot(ParameterChoice, TrialPlot):
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

    _most_hot = MOST_HOT
    _size_name = "slices"

    def make(self, search: Search) -> None:
        """Make what figures are put into; they are made when somebody looks."""
        super().make(search)
        self._figures: dict[tuple[object, ...], SliceFigure] = {}
        """By what they were made for: name and choices of a parameter, and the objective."""
        self._grid = ipywidgets.Box()
        self._grid.add_class("hpo-slices-grid")
        self._caption = ipywidgets.Label()
        self._caption.add_class("hpo-muted")

    def contents(self) -> list[ipywidgets.Widget]:
        """Return the caption, the choice of objective and parameters where there are many, and the figures."""
        self.add_class("hpo-slices-host")
        head = ipywidgets.HBox([self._caption, self.make_select_button()])
        head.add_class("hpo-slices-head")
        return [*self.objective_line(), head, *self.parameter_chooser(), self._grid]

    @property
    def figures(self) -> tuple[SliceFigure, ...]:
        """What is drawn of each parameter shown; empty as long as nobody has looked."""
        return tuple(self._figures.values())

    @property
    def caption(self) -> str:
        """What the figures show, which have no room to say it themselves."""
        return str(self._caption.value)

    def numbers(self) -> PlotNumbers:
        """Return the newest trials with the parameters that are shown."""
        return self._newest_numbers(parameters=self.parameters)

    def _draw_everything(self) -> None:
        self._make_figures()
        for figure in self.figures:
            shown = self.search.space.leaf(figure.name)
            figure.set_range(None if shown.kind == "choice" else shown.range)
        super()._draw_everything()

    def _draw_enqueued(self) -> None:
        super()._draw_enqueued()
        more = "; □ enqueued" if len(self._series.enqueued()) else ""
        if num_beyond := max((figure.counts["beyond"] for figure in self.figures), default=0):
            more += f"; {num_beyond} beyond the axis"
        self._caption.value = f"{self.objective_name} against each parameter; faint: outside the ranges{more}"

    def _make_figures(self) -> None:
        """Make the figures that are not there yet, and close those that are not shown any more."""
        objective, space = self.objective_name, self.search.space
        shown = {(name, choices_of(space.leaf(name)), objective): name for name in self.parameters}
        old = self._figures
        if list(old) == list(shown):
            return
        labels = text.labels(space.names)
        short = text.short_names([*labels.values()], MOST_NAME)
        self._figures = {}
        for key, name in shown.items():
            figure = old.pop(key, None)
            if figure is None:
                names = name, labels[name], short[labels[name]]
                figure = SliceFigure(self._series, *names, space.leaf(name), objective, self._on_click)
            self._figures[key] = figure
        self._grid.children = [figure.figure for figure in self.figures]
        for figure in old.values():
            close_tree(figure.figure)

    def _draw_parameters(self) -> None:
        if self._figures:
            self._draw_everything()
