"""One small bqplot figure: the objective against one parameter."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from bqplot import Tooltip

from hpo_widgets.widget import text
from hpo_widgets.widget.plots import style
from hpo_widgets.widget.plots.axes import Domain, domain_of_range, rounded_interval, ticks_between
from hpo_widgets.widget.plots.brush import ClickCatcher
from hpo_widgets.widget.plots.figure import tick_traits
from hpo_widgets.widget.plots.style import FigureStyle
from hpo_widgets.widget.plots.trial_figure import EMPTY_PLACE, TrialFigure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bqplot import Mark

    from hpo_widgets.widget.plots.brush import Extent
    from hpo_widgets.widget.plots.series import Floats
    from hpo_widgets.widget.plots.trial_series import Numbers, TrialSeries

MOST_HOT = 144
"""Points in the hot marks of all figures, before some are frozen."""

_NUM_TICKS = 4
_MOST_LABELS = 8
_LABEL_ROOM = 34
_MOST_NAME = 26
_MOST_CHOICE = 20
# Small marks and pictures, so that a dozen figures together send little for one more trial.
_STYLE = FigureStyle(
    margins={"top": 10, "bottom": 40, "left": 52, "right": 12},
    layout={"width": "auto", "height": "198px", "min_width": "0"},
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
    num_frozen={"outside": 2, "partial": 1, "inside": 4},
)


class SliceFigure(TrialFigure):
    """Everything that is drawn of one parameter.

    Parameters
    ----------
    name, label
        Name of the parameter, and what is shown for it.
    leaf
        The parameter.
    objective
        Name of the objective.
    on_click
        Called with what a click on a point says and this figure.
    """

    def __init__(
        self, name: str, label: str, leaf: Any, objective: str, on_click: Callable[[object, TrialFigure], None]
    ) -> None:
        self.name = name
        self._choices: Sequence[str] | None = leaf.labels if leaf.kind == "choice" else None
        self._is_whole = leaf.kind in {"int", "choice"}
        short = text.short(label, _MOST_NAME)
        # A choice is in the name of its point: the place on the axis would say nothing.
        place = {"x": (short, ".4~g")} if self._choices is None else {}
        super().__init__(
            _STYLE,
            self._first_domain_x(leaf),
            _tip({**place, "y": (objective, ".4~g")}),
            _tip(place),
            label_x=short,
            label_y="",
            title=f"{objective} of each trial against {label}",
            on_click=on_click,
        )
        self._leaf = leaf
        self._ends = leaf.declared[0], leaf.declared[-1]
        """Ends of what may be brushed and clicked of numbers: of the declared and the present range together."""
        self._bounds = self._lines(colors=[style.ACCENT], line_style="dashed", stroke_width=1)
        self._catcher = ClickCatcher(self._values, lambda said: self._on_click({EMPTY_PLACE: said}))
        self.figure.marks = self.marks
        self.set_domain_x(self.domain_x)

    @property
    def marks(self) -> list[Mark]:
        """All marks, from the bottom to the top; always the same ones."""
        clouds = [mark for cloud in self.clouds for mark in cloud.marks]
        return [
            self._catcher.mark,
            self._strip,
            self._bounds,
            *clouds,
            self._best,
            self._selected,
            self._selected_failed,
        ]

    def set_range(self, chosen: tuple[float, float] | None) -> None:
        """Show the present range where it is narrower than the axis; a wider one makes the axis wider."""
        if chosen is None:
            return
        declared = self._leaf.declared
        self._ends = min(declared[0], chosen[0]), max(declared[1], chosen[1])
        self._make_room(np.array(chosen, dtype=float))
        is_narrow = self.domain_x.place(np.array(chosen, dtype=float))
        inner = [bound for bound, at in zip(chosen, is_narrow, strict=True) if 0.08 < at < 0.92]
        x = np.repeat(np.array(inner, dtype=float)[:, None], 2, axis=1) if inner else style.NONE
        y = np.tile([0.0, 1.0], (len(inner), 1)) if inner else style.NONE
        style.put_changed(self._bounds, x, y)

    def box_of(self, extent: Extent) -> Mapping[str, tuple[Any, ...]]:
        """Return the interval of the parameter that a brush covers, or the choices; empty where it covers none."""
        low, high = extent.x
        if self._choices is not None:
            chosen = [choice for index, choice in enumerate(self._leaf.declared) if low <= index <= high]
            return {self.name: tuple(chosen)} if chosen else {}
        if self._is_whole:
            low, high = math.ceil(low), math.floor(high)
        else:
            low, high = rounded_interval(low, high, is_log=self.domain_x.is_log)
        low, high = max(low, self._ends[0]), min(high, self._ends[1])
        return {self.name: (low, high)} if low < high or (low == high and self._is_whole) else {}

    def point_at(self, x: float, y: float) -> Mapping[str, Any]:  # noqa: ARG002 -- the objective is what will be seen
        """Return the value of the parameter at a place."""
        if self._choices is not None:
            return {self.name: self._leaf.declared[min(max(round(x), 0), len(self._choices) - 1)]}
        low, high = self._ends
        value = min(max(x, low), high)
        if self._is_whole:
            return {self.name: round(value)}
        if self.domain_x.is_log:
            value = float(f"{value:.3g}")
        else:
            value, _ = rounded_interval(value, value + high - low, is_log=False)
        return {self.name: min(max(value, low), high)}

    def _tell_clouds(self) -> None:
        super()._tell_clouds()
        self._catcher.fill(self.domain_x, self.domain)

    def _placed(self, series: TrialSeries, numbers: Numbers) -> tuple[Numbers, Floats]:
        x = series.x(self.name, numbers)
        applies = ~np.isnan(x)
        return numbers[applies], x[applies]

    def _names(self, x: Floats, numbers: Numbers) -> Any:
        """Number of each trial, and what was chosen: the trials of a choice are spread round its index."""
        if self._choices is None:
            return super()._names(x, numbers)
        words = [text.short(self._choices[round(place)], _MOST_CHOICE) for place in x.tolist()]
        return np.array([f"{number} {word}" for number, word in zip(numbers, words, strict=True)], dtype=str)

    def _make_room(self, x: Floats) -> None:
        place = self.domain_x.place(x)
        if len(x) == 0 or self._choices is not None or (place.min() >= 0 and place.max() <= 1):
            return
        low, high = min(self.domain_x.low, float(x.min())), max(self.domain_x.high, float(x.max()))
        self.set_domain_x(domain_of_range(low, high, is_log=self.domain_x.is_log))

    def _first_domain_x(self, leaf: Any) -> Domain:
        if self._choices is not None:
            return Domain(-0.5, len(self._choices) - 0.5)
        low, high = leaf.declared
        return domain_of_range(min(low, leaf.range[0]), max(high, leaf.range[1]), is_log=leaf.kind == "log")

    def _ticks_x(self, domain: Domain) -> dict[str, Any]:
        if self._choices is None:
            return tick_traits(ticks_between(domain, _NUM_TICKS, whole=self._is_whole))
        count = len(self._choices)
        labelled = range(0, count, -(-count // _MOST_LABELS))
        room = max(3, _LABEL_ROOM // len(labelled))
        return {
            "tick_values": np.array(labelled, dtype=float),
            "tick_labels": {str(index): text.short(self._choices[index], room) for index in labelled},
        }


def _tip(shown: Mapping[str, tuple[str, str]]) -> Tooltip:
    """Return what names the trial under the pointer: field to label and format, after its number."""
    labels, formats = zip(("trial", ""), *shown.values(), strict=True)
    return Tooltip(fields=["name", *shown], labels=list(labels), formats=list(formats), show_labels=True)
