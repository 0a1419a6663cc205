"""The figure of the best so far with the choice of what lies across, and its numbers as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
import traitlets as t

from hpo_widgets.search.comparison import Band, band_by_minutes, band_by_trial
from hpo_widgets.widget import text
from hpo_widgets.widget.comparison.best_figure import BestFigure, Line
from hpo_widgets.widget.plots.numbers import MOST_ROWS, NumbersTable, PlotNumbers
from hpo_widgets.widget.sync.flow import act_while_cell_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hpo_widgets.search import Search
    from hpo_widgets.search.comparison import Trace
    from hpo_widgets.widget.sync.refresher import Refresher, Update

TRIALS, MINUTES = "trials", "minutes"


class BestSoFarPlot(ipywidgets.VBox):
    """Draws the best so far of several competitors against trials or minutes.

    Parameters
    ----------
    search
        What the refresher follows.
    names
        The competitors.
    traces
        Gives the best so far of each in each of its repeats.
    value_name
        What the values are.
    refresher
        Says when to draw.
    num_trials
        The budget of each; None: none is known.
    is_whole
        Whether all of it was used, as far as it will be; until then each line ends where its trials do.
    is_log, minimise
        As in `BestFigure`.
    knows_size
        Whether the size that the page tells of a plot is that of this one, as it is the only one. Default True.
    """

    against = t.Enum([TRIALS, MINUTES], TRIALS, help="Two-way. What lies across: the number of trials, or time.")

    def __init__(
        self,
        search: Search,
        names: Sequence[str],
        traces: Callable[[], Mapping[str, Sequence[Trace]]],
        *,
        value_name: str,
        refresher: Refresher,
        num_trials: int | None = None,
        is_whole: Callable[[], bool] = lambda: True,
        is_log: bool | None = None,
        minimise: bool = True,
        knows_size: bool = True,
    ) -> None:
        self._names, self._traces, self._num_trials = tuple(names), traces, num_trials
        self._is_whole = is_whole
        self._value_name = value_name
        self._refresher, self._knows_size = refresher, knows_size
        self._drawn: list[Line] = []
        title = f"{value_name}: {', '.join(names)}, median and middle half"
        self._figure = BestFigure(len(names), value_name, title, is_log=is_log, minimise=minimise)
        self._chooser = ipywidgets.Dropdown(
            options=[TRIALS, MINUTES], description="against", style={"description_width": "initial"},
            layout={"width": "auto"},
        )  # fmt: skip
        act_while_cell_runs(self._chooser)
        controls = ipywidgets.HBox([self._chooser])
        controls.add_class("hpo-plot-controls")
        numbers = NumbersTable(search, make=self.numbers, title="the best so far", refresher=refresher)
        super().__init__([controls, self._figure.figure, numbers])
        for name in ("hpo-part", "hpo-plot", "hpo-plot-host", "hpo-best-host"):
            self.add_class(name)
        t.link((self, "against"), (self._chooser, "value"))
        self.observe(lambda _change: self._refresher.poke(), "against")
        refresher.add(self, is_drawn=True)

    @property
    def figure(self) -> Any:
        """The bqplot figure."""
        return self._figure.figure

    def refresh(self, _update: Update) -> None:
        """Draw the competitors as they are now."""
        size = self._refresher.flow.plot_size("plot") if self._knows_size else None
        if size is not None:
            self._figure.set_width(size[0])
        most = self._num_trials if self._is_whole() else None
        traces = self._traces()
        by_minutes = self.against == MINUTES
        self._drawn = [
            Line(name, band_by_minutes(traces[name]) if by_minutes else band_by_trial(traces[name], most))
            for name in self._names
        ]
        values = np.concatenate([trace.values for some in traces.values() for trace in some] or [np.empty(0)])
        end = None if by_minutes else self._num_trials
        self._figure.draw(self._drawn, by_minutes=by_minutes, end=end, values=values)

    def numbers(self) -> PlotNumbers:
        """Return median and middle half of each competitor, at each place where one of them has changed."""
        across = "minutes" if self.against == MINUTES else "trial"
        changes = [_changes(line.band) for line in self._drawn if len(line.band.at)]
        places = np.unique(np.concatenate(changes)) if changes else np.empty(0)
        shown = places[-MOST_ROWS:]
        rows: list[tuple[Any, ...]] = [
            (round(place, 4) if across == "minutes" else int(place), *map(text.number, self._at(place)))
            for place in shown.tolist()
        ]
        columns = (
            across,
            *(f"{name} {what}" for name in self._names for what in ("median", "quarter", "three quarters")),
        )
        return PlotNumbers(columns, rows, len(places), f"places where a line has a step, by {across}", "to_dataframe()")

    def _at(self, place: float) -> list[float]:
        found: list[float] = []
        for line in self._drawn:
            at = line.band.at
            index = int(np.searchsorted(at, place, side="right")) - 1
            is_known = index >= 0 and (self.against == MINUTES or place <= at[-1])
            band = (line.band.median, line.band.low, line.band.high)
            found += [float(levels[index]) if is_known else np.nan for levels in band]
        return found


def _changes(band: Band) -> Any:
    levels = np.stack([band.low, band.median, band.high])
    has_step = np.append(np.True_, np.any(levels[:, 1:] != levels[:, :-1], axis=0))
    has_step[-1] = True
    return band.at[has_step]
