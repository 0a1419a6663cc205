"""Slices: the objective against each parameter, one small figure a parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets
import traitlets as t

from hpo_widgets._messages import near_match
from hpo_widgets.widget import text
from hpo_widgets.widget.parts.part import close_tree
from hpo_widgets.widget.plots.plot import TrialPlot
from hpo_widgets.widget.plots.slice_figure import MOST_HOT, SliceFigure
from hpo_widgets.widget.plots.trial_series import leaf
from hpo_widgets.widget.sync.flow import act_while_cell_runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hpo_widgets.search import Search

MOST_FIGURES = 12
"""Figures at the same time, so that the cost of a trial does not grow with the number of parameters."""

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

    _most_hot = MOST_HOT
    _size_name = "slices"

    parameters = t.Tuple(help="Two-way. Names of the parameters that are shown, at most twelve.")

    def make(self, search: Search) -> None:
        """Make what figures are put into; they are made when somebody looks."""
        super().make(search)
        self._objective_name = text.axis(search.objectives[self.objective])
        self._figures: list[SliceFigure] = []
        self._grid = ipywidgets.Box()
        self._grid.add_class("hpo-slices-grid")
        self._caption = ipywidgets.Label(f"{self._objective_name} against each parameter; faint: outside the ranges")
        self._caption.add_class("hpo-muted")
        self._chooser: ipywidgets.SelectMultiple | None = None
        if len(search.space.names) > MOST_FIGURES:
            self._chooser = _chooser(search.space.names)

    def contents(self) -> list[ipywidgets.Widget]:
        """Return the caption, the choice of parameters where there are many, and the figures."""
        self.add_class("hpo-slices-host")
        head = ipywidgets.HBox([self._caption, self.make_select_button()])
        head.add_class("hpo-slices-head")
        if not self.parameters:
            self.parameters = self.search.space.names[:MOST_FIGURES]
        self.observe(self._on_parameters, "parameters")
        if self._chooser is None:
            return [head, self._grid]
        self._chooser.value = self.parameters
        act_while_cell_runs(self._chooser)
        self._chooser.observe(self._on_chosen, "value")
        return [head, self._chooser, self._grid]

    @property
    def figures(self) -> tuple[SliceFigure, ...]:
        """What is drawn of each parameter shown; empty as long as nobody has looked."""
        return tuple(self._figures)

    def _draw_everything(self) -> None:
        if [figure.name for figure in self._figures] != list(self.parameters):
            self._make_figures()
        for figure in self._figures:
            shown = leaf(self.search.space, figure.name)
            figure.set_range(None if shown.kind == "choice" else shown.range)
        super()._draw_everything()

    def _make_figures(self) -> None:
        old = {figure.name: figure for figure in self._figures}
        labels = text.labels(self.search.space.names)
        self._figures = [
            old.pop(name)
            if name in old
            else SliceFigure(name, labels[name], leaf(self.search.space, name), self._objective_name, self._on_click)
            for name in self.parameters
        ]
        self._grid.children = [figure.figure for figure in self._figures]
        for figure in old.values():
            close_tree(figure.figure)

    @t.validate("parameters")
    def _check_parameters(self, proposal: dict[str, Any]) -> tuple[str, ...]:
        names = tuple(dict.fromkeys(proposal["value"]))
        for name in names:
            if name not in self.search.space.names:
                raise t.TraitError(
                    f"the space has no parameter {name!r:.80}. {near_match(str(name), self.search.space.names)}"
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
        options=[(f"{index + 1}: {text.short(name, _MOST_OPTION)}", name) for index, name in enumerate(names)],
        rows=_NUM_ROWS,
        description=f"Parameters (of {len(names)}, at most {MOST_FIGURES})",
        style={"description_width": "initial"},
        layout={"width": "auto", "max_width": "560px"},
    )
    chooser.add_class("hpo-slices-chooser")
    return chooser
