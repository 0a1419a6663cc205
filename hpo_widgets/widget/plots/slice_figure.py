"""One small bqplot figure: the objective against one parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hpo_widgets.widget.plots import style
from hpo_widgets.widget.plots.axes import TIP_FORMAT, ParameterAxis
from hpo_widgets.widget.plots.brush import ClickCatcher
from hpo_widgets.widget.plots.figure import tooltip
from hpo_widgets.widget.plots.style import FigureStyle
from hpo_widgets.widget.plots.trial_figure import TrialFigure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hpo_widgets.widget.plots.axes import Domain
    from hpo_widgets.widget.plots.brush import Extent
    from hpo_widgets.widget.plots.series import Floats, Numbers
    from hpo_widgets.widget.plots.trial_series import TrialSeries

MOST_HOT = 144
"""Points in the hot marks of all figures, before some are frozen."""

_NUM_TICKS = 4
_LABEL_ROOM = 30
MOST_NAME = 26
"""Characters of a parameter's name below its figure at most."""
_MOST_CHOICE = 20
# Small marks and pictures, so that a dozen figures together send little for one more trial.
_STYLE = FigureStyle(
    margins={"top": 10, "bottom": 40, "left": 52, "right": 18},
    layout={"width": "auto", "height": "182px", "min_width": "0"},
    font_size="10px",
    num_ticks=_NUM_TICKS,
    label_offset="30px",
    dot=28,
    cross=40,
    best=60,
    lane_y=0.045,
    strip=12,
    picture=(260, 150),
    picture_bytes=5_000,
    num_hot=64,
    num_in_chunk=120,
    num_frozen={"outside": 2, "partial": 1, "inside": 3},
)


class SliceFigure(TrialFigure):
    """Everything that is drawn of one parameter.

    Parameters
    ----------
    series
        Values and parameters of all trials.
    name, label
        Name of the parameter, and what is shown for it.
    short
        What is shown for it where there is little room.
    leaf
        The parameter.
    objective
        Name of the objective.
    on_click
        Called with what a click on a point says and this figure.
    """

    _draws_beyond = False

    def __init__(
        self,
        series: TrialSeries,
        name: str,
        label: str,
        short: str,
        leaf: Any,
        objective: str,
        on_click: Callable[[object, TrialFigure], None],
    ) -> None:
        self.name = name
        self.across = ParameterAxis(leaf)
        place = {"name": ("trial", "")}
        if (form := self.across.tip_format) is not None:
            place["x"] = (short, form)
        super().__init__(
            _STYLE,
            series,
            self.across.domain,
            tooltip({**place, "y": (objective, TIP_FORMAT)}),
            tooltip(place),
            label_x=short,
            label_y="",
            title=f"{objective} of each trial against {label}",
            on_click=on_click,
        )
        self._bounds = self._lines(colors=[style.ACCENT], line_style="dashed", stroke_width=1)
        self.catcher = ClickCatcher(self._on_catch)
        self._below = [self.catcher.mark, *self._below, self._bounds]
        self._show_marks()
        self.set_domain_x(self.domain_x)

    def set_range(self, chosen: tuple[float, float] | None) -> None:
        """Show the present range where it is narrower than the axis; a wider one makes the axis wider."""
        if chosen is None:
            return
        ends = np.array(chosen, dtype=float)
        self._make_room(ends, style.NONE)
        is_narrow = self.domain_x.place(ends)
        inner = [bound for bound, at in zip(chosen, is_narrow, strict=True) if 0.08 < at < 0.92]
        style.put_changed(self._bounds, *style.vertical_lines(np.array(inner, dtype=float)))

    def box_of(self, extent: Extent) -> Mapping[str, tuple[Any, ...]]:
        """Return the interval of the parameter that a brush covers, or the choices; empty where it covers none."""
        return self.across.box(extent.x)

    def point_at(self, place: tuple[float, float]) -> Mapping[str, Any]:
        """Return the value of the parameter at a place; the objective is what will be seen."""
        return {self.name: self.across.value_at(place[0])}

    def _placed(self, numbers: Numbers) -> tuple[Numbers, Floats, Floats]:
        x = self.series.x(self.name, numbers)
        kept = numbers[applies := ~np.isnan(x)]
        return kept, x[applies], self.series.y(kept)

    def _names(self, x: Floats, numbers: Numbers) -> Any:
        """Number of each trial, and what was chosen: the trials of a choice are spread round its index."""
        if self.across.choices is None:
            return super()._names(x, numbers)
        words = self.across.words(x, _MOST_CHOICE)
        return np.array([f"{number} {word}" for number, word in zip(numbers, words, strict=True)], dtype=str)

    def _make_room(self, x: Floats, y: Floats) -> None:  # noqa: ARG002 -- its axis up is not of a parameter
        self.set_domain_x(self.across.make_room(x))

    def _ticks_x(self, _domain: Domain) -> dict[str, Any]:
        return self.across.ticks(_NUM_TICKS, _LABEL_ROOM)
