"""Where each competitor has looked: one map each, with the same axes, background and optima."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
from bqplot import Image, Scatter

from hpo_widgets.objectives.landscape import landscape_of
from hpo_widgets.trials import TrialState
from hpo_widgets.trials.columns import nan_where_absent
from hpo_widgets.widget import text
from hpo_widgets.widget.plots import style
from hpo_widgets.widget.plots.axes import ParameterAxis
from hpo_widgets.widget.plots.figure import FigureAxis, plain_figure, tooltip
from hpo_widgets.widget.plots.png import indexed_picture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from hpo_widgets.space import Space
    from hpo_widgets.trials.columns import Rows

_MARGINS = {"top": 8, "bottom": 26, "left": 40, "right": 10}
_NUM_TICKS, _LETTERS = 5, 30
_BINS = 72
_MOST_SECONDS = 2.0
_OPACITY = 0.5
_MOST_NAME = 24


def background(
    function: object,
    space: Space,
    pair: tuple[str, str],
    *,
    minimise: bool,
    clock: Callable[[], float] = time.monotonic,
) -> bytes:
    """Return a picture of a function of two numbers, in ranks of its values: the best tenth is as dark as can be.

    Parameters
    ----------
    function
        What `landscape_of` knows; another one is not called.
    space
        The space.
    pair
        The parameters across and up.
    minimise
        Whether small is good.
    clock
        Seconds that never go back.

    Returns
    -------
    bytes
        A PNG file; empty where there is nothing to draw, as where the space has more parameters or one is a choice, and
        where the function is so slow that whoever runs the cell would wait.
    """
    leaves: list[Any] = [space.leaf(name) for name in pair]
    is_whole_space = set(space.names) == set(pair) and all(leaf.kind != "choice" for leaf in leaves)
    if not is_whole_space or landscape_of(function) is None or not callable(function):
        return b""
    middles = ((np.arange(_BINS) + 0.5) / _BINS).tolist()
    across, up = ([axis.domain.at(place) for place in middles] for axis in map(ParameterAxis, leaves))
    values = np.empty((_BINS, _BINS))
    end = clock() + _MOST_SECONDS
    try:
        for (row, y), (column, x) in itertools.product(enumerate(up[::-1]), enumerate(across)):
            if clock() > end:
                return b""
            values[row, column] = float(function(**{pair[0]: x, pair[1]: y}))
    except Exception:  # noqa: BLE001 -- the function has other parameters, or does not take the margins
        return b""
    if not np.isfinite(values).all():
        return b""
    # Ranks, as the values of such functions go over many powers of ten.
    costs = values if minimise else -values
    ranks = np.argsort(np.argsort(costs, axis=None, kind="stable"), kind="stable").reshape(costs.shape)
    good = 1 - ranks / (costs.size - 1)
    places = np.linspace(0, len(style.RAMP) - 1, 16)
    shades = np.stack([np.interp(places, np.arange(len(style.RAMP)), channel) for channel in style.RAMP.T])
    palette = np.column_stack([shades.T, np.linspace(0.05, _OPACITY, 16) * 255]).round().astype(np.uint8)
    return indexed_picture(np.round(good**2 * 15).astype(np.uint8), palette)


class LookMap:
    """The trials of one competitor at two of their parameters.

    Parameters
    ----------
    name, series
        The competitor, and which one it is.
    space
        The space.
    pair
        Names of the parameters across and up.
    picture
        What is behind the trials; empty: nothing.
    optima
        Where the optima are.
    minimise
        Whether small is good. Default True.
    """

    def __init__(
        self,
        name: str,
        series: int,
        space: Space,
        pair: tuple[str, str],
        picture: bytes,
        optima: Sequence[tuple[Any, ...]],
        *,
        minimise: bool = True,
    ) -> None:
        self._pair, self._minimise = pair, minimise
        self.has_background, self.has_optima = bool(picture), bool(optima)
        axes = [ParameterAxis(space.leaf(one)) for one in pair]
        across, up = axes
        self.x = FigureAxis(across.domain, lambda _: across.ticks(_NUM_TICKS, _LETTERS), grid_lines="none")
        self.y = FigureAxis(up.domain, lambda _: up.ticks(_NUM_TICKS, _LETTERS), side="left", grid_lines="none")
        scales = {"x": self.x.scale, "y": self.y.scale}
        shared: dict[str, Any] = {"scales": scales, "preserve_domain": style.FIXED}
        tip = tooltip({"name": ("trial", "")})
        # Names are shown beside the pointer only.
        points = dict(x=style.NONE, y=style.NONE, display_names=False, **shared)
        self._trials = Scatter(
            **points, colors=[style.SERIES[series]], stroke=style.SURFACE, stroke_width=1, default_size=36, tooltip=tip
        )
        self._best = Scatter(
            **points, colors=[style.BEST], marker="triangle-up", stroke=style.SURFACE, stroke_width=1,
            default_size=110, tooltip=tip,
        )  # fmt: skip
        places = np.array([(across.place_of(x), up.place_of(y)) for x, y in optima], dtype=float)
        places = places.reshape(-1, 2)
        self._optima = Scatter(
            x=places[:, 0], y=places[:, 1], **shared, colors=[style.STRONG_TEXT], marker="cross", stroke=style.SURFACE,
            stroke_width=1, default_size=90,
        )  # fmt: skip
        marks: list[Any] = [self._trials, self._optima, self._best]
        if picture:
            ends = {"x": [across.domain.low, across.domain.high], "y": [up.domain.low, up.domain.high]}
            marks.insert(0, Image(image=ipywidgets.Image(value=picture, format="png"), **ends, **shared))
        title = f"where {name} has looked: {pair[1]} against {pair[0]}"
        layout = {"width": "auto", "height": "230px", "min_width": "0"}
        self.figure = plain_figure(marks, [self.x.axis, self.y.axis], title, margins=_MARGINS, layout=layout)
        self._head = ipywidgets.Label(name)
        self._name = text.short(name, _MOST_NAME)
        self._head.add_class("hpo-series")
        self._head.add_class(f"hpo-series-{series}")
        self._value = ipywidgets.Label()
        self._value.add_class("hpo-muted")
        head = ipywidgets.HBox([self._head, self._value])
        head.add_class("hpo-look-head")
        self.shown = ipywidgets.VBox([head, self.figure])
        self.shown.add_class("hpo-look")

    def draw(self, rows: Rows | None) -> None:
        """Draw the trials of one repeat, as columns; None: there is none."""
        x = y = style.NONE
        names, is_best, value = np.empty(0, dtype=str), np.empty(0, dtype=bool), ""
        if rows is not None:
            columns = [nan_where_absent(rows.parameters[name]) for name in self._pair]
            drawn = rows.is_counted & np.isfinite(columns).all(axis=0)
            x, y = (column[drawn] for column in columns)
            words = zip(rows.numbers[drawn].tolist(), map(text.number, rows.values[drawn, 0].tolist()), strict=True)
            names = np.array([" · ".join(map(str, one)) for one in words], dtype=str)
            best = _place_of_best(rows, minimise=self._minimise)
            if best is not None:
                value = f"best {text.number(float(rows.values[best, 0]), 3)}"
            is_best = np.flatnonzero(drawn) == (-1 if best is None else best)
        style.put_changed(self._trials, x, y, names)
        style.put_changed(self._best, x[is_best], y[is_best], names[is_best])
        self._value.value = value


def _place_of_best(rows: Rows, *, minimise: bool) -> int | None:
    """Return the row of the best completed trial, the first one of those that are equal; None where there is none."""
    known = (rows.state == TrialState.COMPLETED) & np.isfinite(rows.values[:, 0])
    if not known.any():
        return None
    return int(np.argmin(np.where(known, rows.values[:, 0] * (1 if minimise else -1), np.inf)))


def look_maps(
    function: object, names: Iterable[str], space: Space, pair: tuple[str, str], *, minimise: bool
) -> list[LookMap]:
    """Return a map for each competitor, all with the same axes, background and optima.

    Parameters
    ----------
    function
        What is optimised; its background and optima are shown where they are known.
    names
        The competitors.
    space, pair
        The space, and the names of the parameters across and up.
    minimise
        Whether small is good.

    Returns
    -------
    list of LookMap
        One for each, without trials.
    """
    behind, landscape = background(function, space, pair, minimise=minimise), landscape_of(function)
    optima = [] if landscape is None else landscape.places(pair)
    return [LookMap(name, series, space, pair, behind, optima, minimise=minimise) for series, name in enumerate(names)]


def grid_of(maps: Iterable[LookMap]) -> ipywidgets.Box:
    """Return what shows maps side by side."""
    grid = ipywidgets.Box([one.shown for one in maps])
    grid.add_class("hpo-looks-grid")
    return grid
