"""A rectangle that is dragged over a figure, and what catches clicks on its empty places."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, NamedTuple

import ipywidgets
import numpy as np
from bqplot import Image, LinearScale
from bqplot.interacts import BrushSelector

from hpo_widgets.widget.plots import style
from hpo_widgets.widget.plots.points import hear_clicks, place_of
from hpo_widgets.widget.sync.flow import act_while_cell_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bqplot import Figure


class Extent(NamedTuple):
    """Where a brush is, in values of both axes."""

    x: tuple[float, float]
    y: tuple[float, float]


class Brush:
    """Lets a rectangle be dragged over a figure while it is on; then no point hears a click.

    Parameters
    ----------
    figure
        The figure.
    scales
        Its scales, ``x`` and ``y``.
    on_brushed
        Called when the rectangle was moved or is gone, on the thread that handles messages of the page; what is there
        is looked up in `extent`.
    """

    def __init__(self, figure: Figure, scales: Mapping[str, Any], on_brushed: Callable[[], None]) -> None:
        self._figure = figure
        self._scales = dict(scales)
        self._on_brushed = on_brushed
        self._selector: BrushSelector | None = None
        self._is_setting = False
        self._ends: list[tuple[Any, Any]] = []

    @property
    def is_held(self) -> bool:
        """Whether a hand is on the rectangle."""
        return self._selector is not None and bool(self._selector.brushing)

    @property
    def extent(self) -> Extent | None:
        """Where the rectangle is; None: nowhere, and for what makes no sense."""
        if self._selector is None:
            return None
        ends = []
        for selected in (self._selector.selected_x, self._selector.selected_y):
            if selected is None or np.shape(selected) != (2,):
                return None
            bounds = np.sort(np.asarray(selected, dtype=float))
            if not np.isfinite(bounds).all():
                return None
            ends.append((float(bounds[0]), float(bounds[1])))
        return Extent(*ends)

    def switch(self, *, on: bool) -> None:
        """Have drags brush, or clicks be heard again; a rectangle that is there goes."""
        if on == (self._selector is not None):
            return
        old, self._selector = self._selector, self._make() if on else None
        self._figure.interaction = self._selector
        if old is not None:
            old.close()

    def clear(self) -> None:
        """Take the rectangle away; nobody is told."""
        if self._selector is not None and self._selector.selected_x is not None:
            self._is_setting = True
            try:
                with self._selector.hold_sync():
                    self._selector.selected_x = self._selector.selected_y = None
            finally:
                self._is_setting = False

    def follow(self, scales: Mapping[str, Any]) -> None:
        """Keep the rectangle at its values after the ends of an axis, or its scale, have changed.

        bqplot leaves it at its pixels, and a selector at the scales that it was made with.
        """
        is_other = any(self._scales[name] is not scales[name] for name in ("x", "y"))
        ends = [(scales[name].min, scales[name].max) for name in ("x", "y")]
        has_moved, self._ends = ends != self._ends, ends
        self._scales = dict(scales)
        selector, extent = self._selector, self.extent
        if selector is None or not (is_other or has_moved):
            return
        self._is_setting = True
        try:
            if is_other:
                self._selector = self._figure.interaction = self._make()
                selector.close()
                selector = self._selector
            elif extent is not None:
                selector.selected_x = None
            if extent is not None:
                with selector.hold_sync():
                    selector.selected_x, selector.selected_y = np.array(extent.x), np.array(extent.y)
        finally:
            self._is_setting = False

    def _make(self) -> BrushSelector:
        # Without marks: in the page it would mark each point, of which pictures know nothing.
        selector = BrushSelector(x_scale=self._scales["x"], y_scale=self._scales["y"], marks=[], color=style.ACCENT)
        act_while_cell_runs(selector)
        selector.observe(self._on_change, ["selected_x", "selected_y", "brushing"])
        return selector

    def _on_change(self, _change: object) -> None:
        if not self._is_setting:
            self._on_brushed()


# One transparent pixel.
_PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAAC0lEQVR4nGNgAAIAAAUAAXpeqz8AAAAASUVORK5CYII="
)


class ClickCatcher:
    """A transparent picture below all marks: a click on an empty place says where, which a background does not.

    It has a scale of its own, so that it fills the figure whatever the axes do.

    Parameters
    ----------
    on_click
        Called with where a click was, as shares of the figure: ``x`` from the left, ``y`` from below. What the page
        says is checked; nonsense is ignored.
    """

    def __init__(self, on_click: Callable[[float, float], None]) -> None:
        unit = LinearScale(min=0.0, max=1.0, allow_padding=False)
        self.mark = Image(
            image=ipywidgets.Image(value=_PIXEL, format="png"),
            scales={"x": unit, "y": unit},
            x=[0.0, 1.0],
            y=[0.0, 1.0],
        )

        def hear(said: object) -> None:
            place = place_of(said)
            if place is not None and all(0 <= share <= 1 for share in place):
                on_click(*place)

        hear_clicks(self.mark, hear)
