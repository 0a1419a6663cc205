"""The plots of the panel, one behind the other, under a list of tabs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets

from hpo_widgets.widget.sync.subshell import act_while_cell_runs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hpo_widgets.widget.plots.plot import TrialPlot
    from hpo_widgets.widget.sync.refresher import Refresher


class PlotTabs(ipywidgets.Tab):
    """Shows one of several plots; nothing is sent for the others until they are looked at.

    Parameters
    ----------
    plots
        Title to plot. All but the first were added to the refresher as hidden ones.
    refresher
        The refresher that the plots follow.
    """

    def __init__(self, plots: Mapping[str, TrialPlot], refresher: Refresher) -> None:
        self._refresher = refresher
        super().__init__(children=list(plots.values()), titles=list(plots), selected_index=0)
        self.add_class("hpo-part")
        self.add_class("hpo-tabs-host")
        act_while_cell_runs(self)
        self.observe(self._on_shown, "selected_index")

    def _on_shown(self, _change: object) -> None:
        with self._refresher.lock:
            for index, plot in enumerate(self.children):
                if index == self.selected_index:
                    self._refresher.show(plot)
                else:
                    self._refresher.hide(plot)
