"""The choice of parameters in plots that do not show all of them at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets
import traitlets as t

from hpo_widgets._messages import near_match
from hpo_widgets.widget import text
from hpo_widgets.widget.sync.flow import act_while_cell_runs

if TYPE_CHECKING:
    from hpo_widgets.search import Search
    from hpo_widgets.widget.sync.refresher import Refresher

MOST_PARAMETERS = 12
"""Parameters at the same time, so that the cost of a trial does not grow with their number."""

_MOST_OPTION = 60
_NUM_ROWS = 5


class ParameterChoice(t.HasTraits):
    """What a plot has that shows some of the parameters; mixed into a `Plot`."""

    search: Search
    _refresher: Refresher

    parameters = t.Tuple(help="Two-way. Names of the parameters that are shown, one to twelve.")

    def _draw_parameters(self) -> None:
        """Draw other parameters."""
        raise NotImplementedError

    def parameter_chooser(self) -> list[ipywidgets.Widget]:
        """Choose the first parameters, unless some were, and return where a person chooses, if there are many."""
        names = self.search.space.names
        self._chooser: ipywidgets.SelectMultiple | None = None
        if not self.parameters:
            self.parameters = names[:MOST_PARAMETERS]
        self.observe(self._on_parameters, "parameters")
        if len(names) <= MOST_PARAMETERS:
            return []
        short = text.short_names(names, _MOST_OPTION)
        self._chooser = ipywidgets.SelectMultiple(
            options=[(f"{index + 1}: {short[name]}", name) for index, name in enumerate(names)],
            value=self.parameters,
            rows=_NUM_ROWS,
            description=f"Parameters (of {len(names)}, at most {MOST_PARAMETERS})",
            style={"description_width": "initial"},
            layout={"width": "auto", "max_width": "560px"},
        )
        self._chooser.add_class("hpo-parameter-chooser")
        act_while_cell_runs(self._chooser)
        self._chooser.observe(self._on_chosen, "value")
        return [self._chooser]

    @t.validate("parameters")
    def _check_parameters(self, proposal: dict[str, Any]) -> tuple[str, ...]:
        names = tuple(dict.fromkeys(proposal["value"]))
        if not names and self.parameters:
            raise t.TraitError("at least one parameter is shown")
        for name in names:
            if name not in self.search.space.names:
                raise t.TraitError(
                    f"the space has no parameter {name!r:.80}. {near_match(str(name), self.search.space.names)}"
                )
        if len(names) > MOST_PARAMETERS:
            raise t.TraitError(f"at most {MOST_PARAMETERS} parameters are shown at once, got {len(names)}")
        return names

    def _on_parameters(self, _change: object) -> None:
        with self._refresher.lock:
            if self._chooser is not None:
                self._chooser.value = self.parameters
            self._draw_parameters()

    def _on_chosen(self, change: dict[str, Any]) -> None:
        """Show what was chosen: the first twelve, and never nothing."""
        with self._refresher.lock:
            if change["new"]:
                self.parameters = change["new"][:MOST_PARAMETERS]
            if self._chooser is not None:
                self._chooser.value = self.parameters
