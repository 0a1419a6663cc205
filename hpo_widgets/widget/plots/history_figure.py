"""The bqplot figure of the history: axes, lanes, marks, and how they grow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
from bqplot import Axis, Figure, LinearScale, Lines, LogScale, Scatter, Tooltip

from hpo_widgets.widget.plots import style
from hpo_widgets.widget.plots.domain import Domain, num_trials_shown
from hpo_widgets.widget.plots.epochs import EpochMarks
from hpo_widgets.widget.plots.points import GrowingPoints, hear_clicks
from hpo_widgets.widget.plots.ticks import FORMAT, even_ticks, value_ticks

if TYPE_CHECKING:
    from collections.abc import Callable

    from bqplot import Mark

    from hpo_widgets.widget.plots.series import Floats

_LANE_Y = 0.035
_NUM_TICKS = 6
_UNIT = Domain(0.0, 1.0)
_AXIS = {"label_color": style.TEXT, "tick_style": {"font-size": "11px"}, "grid_color": style.LINE}


class HistoryFigure:
    """Everything that is drawn; knows numbers and values, but no search.

    Parameters
    ----------
    name
        Name of the objective, at its axis.
    on_click
        Called with what a click on a point says, as `GrowingPoints` tells it.
    """

    def __init__(self, name: str, on_click: Callable[[Any], None] | None = None) -> None:
        self._name = name
        self.domain = _UNIT
        self.end_x = 0.0
        self._x = LinearScale(min=0.0, max=1.0, allow_padding=False)
        self._y = LinearScale(min=0.0, max=1.0, allow_padding=False)
        lane = {"x": self._x, "y": LinearScale(min=0.0, max=1.0, allow_padding=False)}
        values = {"x": self._x, "y": self._y}
        fixed = {"preserve_domain": style.FIXED}
        empty = {"x": style.NONE, "y": style.NONE}

        tip = Tooltip(fields=["x", "y"], labels=["trial", name], formats=["d", ".4~g"], show_labels=True)
        dot: dict[str, Any] = {"colors": [style.DOT], "tooltip": tip, "default_size": 40, "on_click": on_click}
        self.completed = GrowingPoints(
            values, num_frozen=5, rgba=(70, 130, 205, 205), opacities=[0.8], stroke_width=0, **dot
        )
        hollow: dict[str, Any] = {"marker": "diamond", "fill": False, "stroke": style.DOT, "stroke_width": 1.5}
        self.partial = GrowingPoints(values, num_frozen=1, rgba=(130, 130, 130, 160), **hollow, **dot)
        cross: dict[str, Any] = {"marker": "crosshair", "stroke": style.BAD, "stroke_width": 2, "default_size": 60}
        self._failed = GrowingPoints(
            lane, num_frozen=1, rgba=(190, 60, 50, 220), colors=[style.BAD], on_click=on_click, **cross
        )
        self._strip = Lines(**empty, scales=lane, colors=[style.LANE], stroke_width=15, **fixed)
        self._best_line = Lines(**empty, scales=values, colors=[style.BEST], stroke_width=2, **fixed)
        self._best = Scatter(
            **empty, scales=values, colors=[style.BEST], marker="triangle-up", default_size=70, stroke_width=0, **fixed
        )
        self._selected = Scatter(**empty, scales=values, **style.RING, **fixed)
        if on_click is not None:
            # They lie over the points that they mark.
            for mark in (self._best, self._selected):
                mark.tooltip = tip
                hear_clicks(mark, on_click)
        self.epochs = EpochMarks(lane)
        self._axis_x = Axis(
            scale=self._x,
            label="trial",
            label_offset="32px",
            grid_lines="none",
            tick_format=FORMAT,
            tick_values=[],
            **_AXIS,
        )
        self._axis_y = self._make_axis_y(_UNIT)
        self.figure = Figure(
            marks=self.marks,
            axes=[self._axis_x, self._axis_y],
            animation_duration=0,
            fig_margin={"top": 12, "bottom": 44, "left": 72, "right": 16},
            background_style={"fill": "none"},
            display_toolbar=False,
            padding_y=0.0,
            layout=ipywidgets.Layout(width="auto", height="100%", min_height="320px", min_width="0"),
        )

    @property
    def marks(self) -> list[Mark]:
        """All marks, from the bottom to the top; always the same ones."""
        return [
            self._strip,
            *self._failed.marks,
            *self.epochs.marks,
            *self.partial.marks,
            *self.completed.marks,
            self._best_line,
            self._best,
            self._selected,
        ]

    def set_num_trials(self, num_trials: int, most: int | None) -> None:
        """Make room for so many trials, in steps."""
        end = float(num_trials_shown(num_trials, most))
        if end == self.end_x:
            return
        self.end_x = end
        low, high = -0.015 * end, 1.005 * end
        with self._x.hold_sync():
            self._x.min, self._x.max = low, high
        self._axis_x.tick_values = np.array(even_ticks(0, end, _NUM_TICKS, whole=True))
        style.put(self._strip, np.array([low, high]), np.array([_LANE_Y, _LANE_Y]))
        self._tell_points()

    def set_domain(self, domain: Domain) -> None:
        """Move the ends of the axis of values, or make it another kind of axis."""
        if domain == self.domain:
            return
        if domain.is_log == self.domain.is_log:
            with self._y.hold_sync():
                self._y.min, self._y.max = domain.low, domain.high
            self._axis_y.tick_values = np.array(value_ticks(domain, _NUM_TICKS))
        else:
            self._change_scale(domain)
        self.domain = domain
        self._tell_points()

    def draw_failed(self, numbers: Floats, *, is_new: bool = False) -> None:
        """Add crosses to the lane of failed trials; ``is_new`` forgets those that are there."""
        y = np.full(len(numbers), _LANE_Y)
        if is_new:
            self._failed.reset(numbers, y)
        else:
            self._failed.extend(numbers, y)

    def draw_best(self, x: Floats, y: Floats, last: float, *, least_step: float) -> None:
        """Draw the corners of the best so far, and its level up to the last trial.

        The level alone follows only when it got longer by ``least_step``, a share of the axis.
        """
        if len(x) == 0:
            if len(self._best.x):
                style.put(self._best_line, style.NONE, style.NONE)
                style.put(self._best, style.NONE, style.NONE)
            return
        x, y = np.append(x, last), np.append(y, y[-1])
        drawn_x, drawn_y = np.asarray(self._best_line.x), np.asarray(self._best_line.y)
        is_same = len(drawn_x) == len(x) and np.array_equal(drawn_x[:-1], x[:-1]) and np.array_equal(drawn_y, y)
        if is_same and last - drawn_x[-1] < least_step * self.end_x:
            return
        style.put(self._best_line, x, y)
        if not is_same:
            style.put(self._best, x[-2:-1], y[-2:-1])

    def draw_selected(self, x: Floats, y: Floats) -> None:
        """Ring the selected trials."""
        style.put_changed(self._selected, x, y)

    def _change_scale(self, domain: Domain) -> None:
        old = self._y
        make: Any = LogScale if domain.is_log else LinearScale
        self._y = make(min=domain.low, max=domain.high, allow_padding=False)
        scales = {"x": self._x, "y": self._y}
        for points in (self.completed, self.partial):
            points.set_scales(scales)
        self._best_line.scales = scales
        self._best.scales = scales
        self._selected.scales = scales
        # An axis that is given another scale goes on drawing ticks with the old one.
        old_axis, self._axis_y = self._axis_y, self._make_axis_y(domain)
        self.figure.axes = [self._axis_x, self._axis_y]
        old_axis.close()
        old.close()

    def _make_axis_y(self, domain: Domain) -> Axis:
        return Axis(
            scale=self._y,
            label=self._name,
            label_offset="54px",
            side="left",
            tick_format=FORMAT,
            tick_values=np.array(value_ticks(domain, _NUM_TICKS)),
            **_AXIS,
        )

    def _tell_points(self) -> None:
        ends = Domain(float(self._x.min), float(self._x.max))
        for points in (self.completed, self.partial):
            points.set_domain(ends, self.domain)
        self._failed.set_domain(ends, _UNIT)
