"""What the bqplot figures of trials share: axes, the lane of failed trials, the best, the selected, clicks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
from bqplot import Axis, Figure, LinearScale, Lines, LogScale, Scatter

from hpo_widgets.widget.plots import style
from hpo_widgets.widget.plots.domain import Domain
from hpo_widgets.widget.plots.points import GrowingPoints, hear_clicks
from hpo_widgets.widget.plots.ticks import FORMAT, value_ticks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bqplot import Mark, Tooltip

    from hpo_widgets.widget.plots.series import Floats

UNIT = Domain(0.0, 1.0)
"""The ends of an axis before there is anything to draw, and those of the lane."""


@dataclass(frozen=True)
class Look:
    """Sizes in which figures differ.

    Attributes
    ----------
    margins : mapping
        Room round the plot for the axes, in pixels: ``top``, ``bottom``, ``left``, ``right``.
    layout : mapping
        Traits of the figure's layout.
    font_size : str
        Size of the numbers along the axes.
    num_ticks : int
        About how many numbers are along the axis of values.
    label_offset : str
        Distance of the horizontal axis to its label.
    dot, cross, best : int
        Size of a trial, a failed trial and the mark of the best.
    lane_y, strip : float
        Where the lane's crosses are, as a share of the height, and its width in pixels.
    picture : tuple of int
        Width and height of the picture of the oldest trials.
    picture_bytes : int
        Its length at most.
    num_hot, num_in_chunk : int
        Points in a hot mark and in a frozen one at most.
    """

    margins: Mapping[str, int]
    layout: Mapping[str, str]
    font_size: str
    num_ticks: int
    label_offset: str
    dot: int
    cross: int
    best: int
    lane_y: float
    strip: float
    picture: tuple[int, int]
    picture_bytes: int
    num_hot: int
    num_in_chunk: int


class TrialFigure:
    """Axes, lane and marks of a figure of trials; its subclasses say what is drawn where.

    Parameters
    ----------
    look
        The sizes.
    x
        Ends and kind of the horizontal axis.
    tip
        What is shown beside the trial under the pointer.
    label_x
        Name of the horizontal axis.
    label_y
        Name of the axis of values, None for none.
    on_click
        Called with what a click on a point says, as `GrowingPoints` tells it.
    """

    def __init__(
        self,
        look: Look,
        x: Domain,
        tip: Tooltip,
        *,
        label_x: str,
        label_y: str | None,
        on_click: Callable[[Any], None] | None,
    ) -> None:
        self._look = look
        self._label_y = label_y
        self._tip, self._on_click = tip, on_click
        self.domain = UNIT
        self.domain_x = x
        self._x = _scale(x)
        self._y = _scale(UNIT)
        self._lane = {"x": self._x, "y": _scale(UNIT)}
        self._clouds: dict[str, GrowingPoints] = {}
        self._strip = self._lines(colors=[style.LANE], stroke_width=look.strip)
        self._best = self._over(
            colors=[style.BEST], marker="triangle-up", default_size=look.best, stroke_width=0, tooltip=tip
        )
        self._selected = self._over(**style.RING, tooltip=tip)
        self._axis_x = Axis(
            scale=self._x,
            label=label_x,
            label_offset=look.label_offset,
            grid_lines="none",
            tick_format=FORMAT,
            tick_values=[],
            **self._axis_look,
        )
        self._axis_y = self._make_axis_y(UNIT)
        self.figure = Figure(
            axes=[self._axis_x, self._axis_y],
            animation_duration=0,
            fig_margin=dict(look.margins),
            background_style={"fill": "none"},
            display_toolbar=False,
            padding_y=0.0,
            layout=ipywidgets.Layout(**look.layout),
        )

    @property
    def clouds(self) -> list[GrowingPoints]:
        """All clouds of points."""
        return list(self._clouds.values())

    @property
    def hot_marks(self) -> list[Scatter]:
        """The marks of the newest points."""
        return [cloud.hot for cloud in self.clouds]

    def cloud(self, name: str) -> GrowingPoints:
        """Return one of the clouds of points."""
        return self._clouds[name]

    def set_domain(self, domain: Domain) -> None:
        """Move the ends of the axis of values, or make it another kind of axis."""
        if domain == self.domain:
            return
        if domain.is_log == self.domain.is_log:
            with self._y.hold_sync():
                self._y.min, self._y.max = domain.low, domain.high
            self._axis_y.tick_values = np.array(value_ticks(domain, self._look.num_ticks))
        else:
            self._change_scale(domain)
        self.domain = domain
        self._tell_clouds()

    def _set_domain_x(self, domain: Domain, ticks: Mapping[str, Any]) -> None:
        """Move the ends of the horizontal axis, with the lane."""
        self.domain_x = domain
        with self._x.hold_sync():
            self._x.min, self._x.max = domain.low, domain.high
        with self._axis_x.hold_sync():
            for name, value in ticks.items():
                setattr(self._axis_x, name, value)
        lane_y = self._look.lane_y
        style.put(self._strip, np.array([domain.low, domain.high]), np.array([lane_y, lane_y]))
        self._tell_clouds()

    def _add_cloud(self, name: str, *, num_frozen: int, **traits: Any) -> None:
        """Add a cloud of points on the axis of values; ``traits`` are those of its marks."""
        shared: dict[str, Any] = {"default_size": self._look.dot, "colors": [style.DOT], "tooltip": self._tip}
        self._clouds[name] = self._make_cloud(self._values, num_frozen, shared | traits)

    def _add_lane(self, name: str, **traits: Any) -> None:
        """Add the crosses of failed trials."""
        cross = style.CROSS | {"default_size": self._look.cross}
        self._clouds[name] = self._make_cloud(self._lane, 1, cross | traits)

    def _make_cloud(self, scales: Mapping[str, Any], num_frozen: int, traits: dict[str, Any]) -> GrowingPoints:
        look = self._look
        return GrowingPoints(
            scales,
            num_frozen=num_frozen,
            num_hot=look.num_hot,
            num_in_chunk=look.num_in_chunk,
            size=look.picture,
            picture_bytes=look.picture_bytes,
            on_click=self._on_click,
            **traits,
        )

    @property
    def _values(self) -> dict[str, Any]:
        return {"x": self._x, "y": self._y}

    @property
    def _on_values(self) -> list[Mark]:
        """Marks on the axis of values beside the clouds."""
        return [self._best, self._selected]

    def _lines(self, *, on_values: bool = False, **traits: Any) -> Lines:
        scales = self._values if on_values else self._lane
        return Lines(x=style.NONE, y=style.NONE, scales=scales, preserve_domain=style.FIXED, **traits)

    def _over(self, **traits: Any) -> Scatter:
        """Make a mark that lies over the points that it marks: it hears clicks for them."""
        mark = Scatter(x=style.NONE, y=style.NONE, scales=self._values, preserve_domain=style.FIXED, **traits)
        if self._on_click is not None:
            hear_clicks(mark, self._on_click)
        return mark

    def _change_scale(self, domain: Domain) -> None:
        old, self._y = self._y, _scale(domain)
        for cloud in self.clouds:
            if cloud.hot.scales["y"] is old:
                cloud.set_scales(self._values)
        for mark in self._on_values:
            mark.scales = self._values
        # An axis that is given another scale goes on drawing ticks with the old one.
        old_axis, self._axis_y = self._axis_y, self._make_axis_y(domain)
        self.figure.axes = [self._axis_x, self._axis_y]
        old_axis.close()
        old.close()

    def _make_axis_y(self, domain: Domain) -> Axis:
        kind = " (log)" if domain.is_log else ""
        named = {} if self._label_y is None else {"label": f"{self._label_y}{kind}", "label_offset": "54px"}
        return Axis(
            scale=self._y,
            side="left",
            tick_format=FORMAT,
            tick_values=np.array(value_ticks(domain, self._look.num_ticks)),
            **named,
            **self._axis_look,
        )

    @property
    def _axis_look(self) -> dict[str, Any]:
        return {
            "label_color": style.TEXT,
            "tick_style": {"font-size": self._look.font_size},
            "grid_color": style.LINE,
        }

    def _tell_clouds(self) -> None:
        for cloud in self.clouds:
            is_on_lane = cloud.hot.scales["y"] is self._lane["y"]
            cloud.set_domain(self.domain_x, UNIT if is_on_lane else self.domain)

    def _lane_y(self, x: Floats) -> Floats:
        """Height of the crosses on the lane."""
        return np.full(len(x), self._look.lane_y)


def _scale(domain: Domain) -> Any:
    make: Any = LogScale if domain.is_log else LinearScale
    return make(min=domain.low, max=domain.high, allow_padding=False)
