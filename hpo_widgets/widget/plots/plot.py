"""What all plots share: following a search, the objective, the kind of its axis, the selection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
import traitlets as t

from hpo_widgets.widget.keywords import refuse_unknown
from hpo_widgets.widget.part import Following
from hpo_widgets.widget.plots.fitting import FittedAxis
from hpo_widgets.widget.selection import TrialNumbers, clicked, is_trial

if TYPE_CHECKING:
    from hpo_widgets.search import Search
    from hpo_widgets.widget.refresher import Refresher

# So many of the selected trials are ringed at most, the last ones.
MOST_RINGED = 500


class TrialPlot(Following, ipywidgets.VBox):
    """A plot of trials; see its subclasses.

    Parameters
    ----------
    search
        The search to show.
    """

    _number_is_in = "x"
    """What of a clicked point says the number of its trial: its ``x``, or its ``name``."""

    objective = t.Int(0, min=0, help="Index of the objective that is drawn; set once, at construction.")
    log_scale = t.Bool(None, allow_none=True, help="Logarithmic axis of values; None: where it shows more.")
    selected = TrialNumbers(help="Two-way. Numbers of the selected trials.")

    def __init__(
        self, search: Search, *, refresher: Refresher | None = None, hidden: bool = False, **traits: Any
    ) -> None:
        refuse_unknown(type(self), traits)
        objective = traits.get("objective", 0)
        if not 0 <= objective < len(search.objectives):
            msg = f"objective must be below {len(search.objectives)}, the number of objectives, got {objective}"
            raise ValueError(msg)
        self._shown_search = search
        self._axis = FittedAxis()
        self._make(search, objective)
        super().__init__(**traits)
        self.children = self._contents()
        self._axis.log_scale = self.log_scale
        self.add_class("hpo-part")
        self._follow(search, refresher, hidden=hidden)
        self.observe(self._on_log_scale, "log_scale")
        self.observe(self._on_selected, "selected")
        if self.selected:
            self._on_selected(None)

    @property
    def search(self) -> Search:
        """The search that is shown."""
        return self._shown_search

    def _make(self, search: Search, objective: int) -> None:
        """Make what is drawn; called before the widget exists."""
        raise NotImplementedError

    def _contents(self) -> list[ipywidgets.Widget]:
        """Return what is shown from top to bottom."""
        raise NotImplementedError

    def _draw_everything(self) -> None:
        """Fit the axes and draw all again."""
        raise NotImplementedError

    def _draw_selected(self) -> None:
        """Ring the selected trials."""
        raise NotImplementedError

    def _nearest(self, x: float, y: float, source: object) -> int | None:
        """Return the trial that is drawn next to a point of a picture."""
        raise NotImplementedError

    def _on_log_scale(self, _change: object) -> None:
        with self._refresher.lock:
            self._axis.log_scale = self.log_scale
            self._draw_everything()

    def _on_selected(self, _change: object) -> None:
        with self._refresher.lock:
            self._draw_selected()

    def _on_click(self, said: object, source: object = None) -> None:
        """Select the trial that was clicked; what the browser says is checked, and nonsense ignored."""
        if not isinstance(said, dict):
            return
        with self._refresher.lock:
            if "click_x" in said:
                number = self._clicked_in_picture(said, source)
            else:
                # A point without a name of ours is called "Dot3" by bqplot, after its place in its mark.
                number = _number_of(said.get(self._number_is_in))
            if is_trial(self.search, number):
                self.selected = clicked(self.selected, int(number or 0))

    def _clicked_in_picture(self, said: dict[str, Any], source: object) -> int | None:
        try:
            x, y = float(said["click_x"]), float(said["click_y"])
        except (KeyError, TypeError, ValueError):
            return None
        return self._nearest(x, y, source) if np.isfinite(x) and np.isfinite(y) else None


def _number_of(said: object) -> int | None:
    """Return the trial's number that a point carries: as a number, or as the first word of its name."""
    if isinstance(said, str):
        word = said.partition(" ")[0]
        return int(word) if word.isascii() and word.isdigit() else None
    if isinstance(said, float):
        return int(said) if said.is_integer() else None
    return said if isinstance(said, int) else None
