"""One small bqplot figure: the objective against one parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
from bqplot import Axis, Figure, LinearScale, Lines, LogScale, Scatter, Tooltip

from hpo_widgets.widget.plots import style
from hpo_widgets.widget.plots.domain import Domain, domain_of_range
from hpo_widgets.widget.plots.points import GrowingPoints, hear_clicks
from hpo_widgets.widget.plots.ticks import FORMAT, ticks_between, value_ticks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bqplot import Mark

    from hpo_widgets.widget.plots.series import Floats
    from hpo_widgets.widget.plots.slice_series import SliceSeries

# Small marks, so that a dozen figures together send little for one more trial.
HOT = 36
CHUNK = 200
_SIZE = (520, 400)
_LANE_Y = 0.045
_NUM_TICKS = 4
_MOST_LABELS = 8
_LABEL_ROOM = 34
_MOST_NAME = 40
_MOST_CHOICE = 24
_UNIT = Domain(0.0, 1.0)
_AXIS = {"label_color": style.TEXT, "tick_style": {"font-size": "10px"}, "grid_color": style.LINE}


class SliceFigure:
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
        Called with what a click on a point says and the parameter's name.
    """

    def __init__(
        self, name: str, label: str, leaf: Any, objective: str, on_click: Callable[[object, object], None]
    ) -> None:
        self.name = name
        self._choices: Sequence[str] | None = leaf.labels if leaf.kind == "choice" else None
        self._is_whole = leaf.kind in {"int", "choice"}
        self.domain = _UNIT
        self.domain_x = self._first_domain_x(leaf)
        make: Any = LogScale if self.domain_x.is_log else LinearScale
        self._x = make(min=self.domain_x.low, max=self.domain_x.high, allow_padding=False)
        self._y: Any = LinearScale(min=0.0, max=1.0, allow_padding=False)
        lane = {"x": self._x, "y": LinearScale(min=0.0, max=1.0, allow_padding=False)}
        values = {"x": self._x, "y": self._y}
        empty = {"x": style.NONE, "y": style.NONE}
        fixed = {"preserve_domain": style.FIXED}
        short = shortened(label, _MOST_NAME)

        def tell(said: object) -> None:
            on_click(said, name)

        # A choice is in the name of its point: the place on the axis would say nothing.
        fields, labels, formats = ["name", "x", "y"], ["trial", short, objective], ["", ".4~g", ".4~g"]
        if self._choices is not None:
            fields, labels, formats = ["name", "y"], ["trial", objective], ["", ".4~g"]
        tip = Tooltip(fields=fields, labels=labels, formats=formats, show_labels=True)
        shared: dict[str, Any] = {
            "num_hot": HOT,
            "num_in_chunk": CHUNK,
            "size": _SIZE,
            "on_click": tell,
            "tooltip": tip,
            "display_names": False,
        }
        dot: dict[str, Any] = {"colors": [style.DOT], "default_size": 28}
        hollow: dict[str, Any] = {"marker": "diamond", "fill": False, "stroke": style.DOT, "stroke_width": 1.5}
        cross: dict[str, Any] = {"marker": "crosshair", "stroke": style.BAD, "stroke_width": 2, "colors": [style.BAD]}
        self._groups = {
            "outside": GrowingPoints(
                values, num_frozen=1, rgba=(120, 140, 170, 70), opacities=[0.25], stroke_width=0, **dot, **shared
            ),
            "partial": GrowingPoints(values, num_frozen=1, rgba=(130, 130, 130, 160), **hollow, **dot, **shared),
            "inside": GrowingPoints(
                values, num_frozen=2, rgba=(70, 130, 205, 205), opacities=[0.8], stroke_width=0, **dot, **shared
            ),
            "failed": GrowingPoints(lane, num_frozen=1, rgba=(190, 60, 50, 220), default_size=40, **cross, **shared),
        }
        self._strip = Lines(**empty, scales=lane, colors=[style.LANE], stroke_width=12, **fixed)
        self._bounds = Lines(**empty, scales=lane, colors=[style.ACCENT], line_style="dashed", stroke_width=1, **fixed)
        best = {"colors": [style.BEST], "marker": "triangle-up", "default_size": 60, "stroke_width": 0}
        named = {"tooltip": tip, "display_names": False}
        self._best = Scatter(**empty, scales=values, **best, **named, **fixed)
        self._selected = Scatter(**empty, scales=values, **style.RING, **named, **fixed)
        # They lie over the points that they mark.
        hear_clicks(self._best, tell)
        hear_clicks(self._selected, tell)
        self._axis_x = Axis(
            scale=self._x,
            label=short,
            label_offset="30px",
            grid_lines="none",
            tick_format=FORMAT,
            **self._ticks_x(),
            **_AXIS,
        )
        self._axis_y = self._make_axis_y(_UNIT)
        self.figure = Figure(
            marks=self.marks,
            axes=[self._axis_x, self._axis_y],
            animation_duration=0,
            fig_margin={"top": 10, "bottom": 40, "left": 52, "right": 12},
            background_style={"fill": "none"},
            display_toolbar=False,
            padding_y=0.0,
            layout=ipywidgets.Layout(width="auto", height="224px", min_width="0"),
        )
        self._draw_strip()

    @property
    def marks(self) -> list[Mark]:
        """All marks, from the bottom to the top; always the same ones."""
        groups = [mark for name in ("failed", "outside", "partial", "inside") for mark in self._groups[name].marks]
        return [self._strip, self._bounds, *groups, self._best, self._selected]

    @property
    def hot_marks(self) -> list[Scatter]:
        """The marks of the newest points."""
        return [points.hot for points in self._groups.values()]

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

    def set_range(self, chosen: tuple[float, float] | None) -> None:
        """Show the present range where it is narrower than the axis; a wider one makes the axis wider."""
        if chosen is None:
            return
        self._include(np.array(chosen, dtype=float))
        is_narrow = self.domain_x.place(np.array(chosen, dtype=float))
        inner = [bound for bound, at in zip(chosen, is_narrow, strict=True) if 0.08 < at < 0.92]
        x = np.repeat(np.array(inner, dtype=float)[:, None], 2, axis=1) if inner else style.NONE
        y = np.tile([0.0, 1.0], (len(inner), 1)) if inner else style.NONE
        style.put_changed(self._bounds, x, y)

    def draw(self, series: SliceSeries, groups: Mapping[str, Any], *, is_new: bool = False) -> None:
        """Add trials of each group; ``is_new`` forgets those that are there."""
        for group, numbers in groups.items():
            x = series.x(self.name, numbers)
            applies = ~np.isnan(x)
            kept, x = numbers[applies], x[applies]
            self._include(x)
            y = np.full(len(x), _LANE_Y) if group == "failed" else series.y(kept)
            put = self._groups[group].reset if is_new else self._groups[group].extend
            put(x, y, self._names(series, kept))

    def draw_best(self, series: SliceSeries) -> None:
        """Mark the best trial."""
        self._put_values(self._best, series, series.best())

    def draw_selected(self, series: SliceSeries, numbers: Any) -> None:
        """Ring the selected trials."""
        self._put_values(self._selected, series, numbers)

    def _put_values(self, mark: Mark, series: SliceSeries, numbers: Any) -> None:
        x = series.x(self.name, numbers)
        applies = ~np.isnan(x)
        x, y = x[applies], series.y(numbers[applies])
        if not (np.array_equal(mark.x, x) and np.array_equal(mark.y, y)):
            with mark.hold_sync():
                mark.names = self._names(series, numbers[applies])
                style.put(mark, x, y)

    def _names(self, series: SliceSeries, numbers: Any) -> Any:
        if self._choices is None:
            return numbers.astype(np.int32)
        chosen = series.choices(self.name, numbers)
        words = [shortened(self._choices[choice], _MOST_CHOICE) for choice in chosen]
        return np.array([f"{number} {word}" for number, word in zip(numbers, words, strict=True)], dtype=str)

    def _include(self, x: Floats) -> None:
        """Make the axis of the parameter wider when values lie beyond it."""
        place = self.domain_x.place(x)
        if len(x) == 0 or self._choices is not None or (place.min() >= 0 and place.max() <= 1):
            return
        low, high = min(self.domain_x.low, float(x.min())), max(self.domain_x.high, float(x.max()))
        self.domain_x = domain_of_range(low, high, is_log=self.domain_x.is_log)
        with self._x.hold_sync():
            self._x.min, self._x.max = self.domain_x.low, self.domain_x.high
        for name, value in self._ticks_x().items():
            setattr(self._axis_x, name, value)
        self._draw_strip()
        self._tell_points()

    def _first_domain_x(self, leaf: Any) -> Domain:
        if self._choices is not None:
            return Domain(-0.5, len(self._choices) - 0.5)
        low, high = leaf.declared
        return domain_of_range(min(low, leaf.range[0]), max(high, leaf.range[1]), is_log=leaf.kind == "log")

    def _ticks_x(self) -> dict[str, Any]:
        if self._choices is None:
            ticks = ticks_between(self.domain_x, _NUM_TICKS, whole=self._is_whole)
            return {"tick_values": np.array(ticks)}
        count = len(self._choices)
        labelled = range(0, count, -(-count // _MOST_LABELS))
        room = max(3, _LABEL_ROOM // len(labelled))
        return {
            "tick_values": np.array(labelled, dtype=float),
            "tick_labels": {str(index): shortened(self._choices[index], room) for index in labelled},
        }

    def _change_scale(self, domain: Domain) -> None:
        old = self._y
        make: Any = LogScale if domain.is_log else LinearScale
        self._y = make(min=domain.low, max=domain.high, allow_padding=False)
        scales = {"x": self._x, "y": self._y}
        for group in ("inside", "outside", "partial"):
            self._groups[group].set_scales(scales)
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
            side="left",
            tick_format=FORMAT,
            tick_values=np.array(value_ticks(domain, _NUM_TICKS)),
            **_AXIS,
        )

    def _draw_strip(self) -> None:
        style.put(self._strip, np.array([self.domain_x.low, self.domain_x.high]), np.array([_LANE_Y, _LANE_Y]))
        self._tell_points()

    def _tell_points(self) -> None:
        for group, points in self._groups.items():
            points.set_domain(self.domain_x, _UNIT if group == "failed" else self.domain)


def shortened(words: str, most: int) -> str:
    """Return words that fit into so many characters, cut where they are longer."""
    return words if len(words) <= most else f"{words[: most - 1]}…"
