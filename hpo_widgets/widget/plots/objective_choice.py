"""The choice of the objective in plots that show one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets
import traitlets as t

from hpo_widgets.widget import text
from hpo_widgets.widget.parts.part import close_tree
from hpo_widgets.widget.plots.plot import Plot
from hpo_widgets.widget.sync.flow import act_while_cell_runs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bqplot import Figure

_MOST_OPTION = 60


class ObjectiveChoice(Plot):
    """A plot of one objective, which can be chosen where there are several; all is then drawn anew.

    Parameters
    ----------
    search
        The search to show.
    """

    objective = t.Int(0, min=0, help="Two-way. Index of the objective that is drawn, from 0.")

    _objective_chooser: ipywidgets.Dropdown | None = None

    @property
    def objective_name(self) -> str:
        """The objective that is drawn, as an axis names it."""
        return text.axis(self.search.objectives[self.objective])

    def objective_chooser(self, word: str = "objective") -> list[ipywidgets.Dropdown]:
        """Return where a person chooses, if there are several objectives.

        Parameters
        ----------
        word
            What is chosen. Default: the objective.

        Returns
        -------
        list of ipywidgets.Dropdown
            One, or none: a widget costs a page time.
        """
        objectives = self.search.objectives
        if len(objectives) == 1:
            return []
        self._objective_chooser = ipywidgets.Dropdown(
            options=[(text.short(text.axis(one), _MOST_OPTION), index) for index, one in enumerate(objectives)],
            value=self.objective, description=word, style={"description_width": "initial"},
            layout={"width": "auto", "max_width": "100%"},
        )  # fmt: skip
        act_while_cell_runs(self._objective_chooser)
        self._objective_chooser.observe(self._on_chosen_objective, "value")
        return [self._objective_chooser]

    def objective_line(self) -> list[ipywidgets.HBox]:
        """Return the choice as what stands above a figure, if there are several objectives."""
        chooser = self.objective_chooser()
        if not chooser:
            return []
        line = ipywidgets.HBox(chooser, layout=self.layout_of_parts)
        line.add_class("hpo-plot-controls")
        return [line]

    def _show_instead(self, old: Figure, new: Figure) -> None:
        """Show a figure in the place of another one, which is closed."""
        self.children = [new if one is old else one for one in self.children]
        close_tree(old)

    @t.validate("objective")
    def _check_objective(self, proposal: Mapping[str, Any]) -> int:
        index: int = proposal["value"]
        if index >= (count := len(self.search.objectives)):
            raise t.TraitError(f"objective must be below {count}, the number of objectives, got {index}")
        return index

    @t.observe("objective")
    def _on_objective(self, _change: object) -> None:
        if not self.children:  # nothing is drawn yet
            return
        with self._refresher.lock:
            if self._objective_chooser is not None:
                self._objective_chooser.value = self.objective
            self._take_objective()
            self._refresher.show_anew(self)
            if self._numbers_table.is_open:
                self._numbers_table.make_again()

    def _on_chosen_objective(self, change: Mapping[str, Any]) -> None:
        """Draw what was chosen; a page that chooses nothing is shown what is drawn."""
        with self._refresher.lock:
            if change["new"] is not None:
                self.objective = change["new"]
            if self._objective_chooser is not None:
                self._objective_chooser.value = self.objective
