"""Pictures of plots without a browser: the marks and axes of bqplot figures, drawn by matplotlib as PNG or SVG.

The scales of a mark turn its values into shares of the plot, from 0 to 1, which matplotlib draws on a linear axis: so
an image lies on a logarithmic axis as it does in the browser. Colours are those of the light theme. No text is parsed
as a formula.
"""

from __future__ import annotations

import contextlib
import io
import math
import re
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from ipywidgets import Widget

from hpo_widgets.widget.parts.part import widgets_of
from hpo_widgets.widget.plots import style
from hpo_widgets.widget.plots.png import few_colours_picture
from hpo_widgets.widget.sync.refresher import Refresher
from hpo_widgets.widget.text import short_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from hpo_widgets.widget.plots.map_figure import ColourScale

FORMATS = ("png", "svg")

_DPI = 96
_DENSITY = 2
"""Pixels of a PNG per CSS pixel, as most screens have."""
_MOST_SMALL = 95_000
"""Greatest length of a small picture in bytes: a notebook stores it twice, each time a third longer, as base64."""
_WIDTH, _HEIGHT, _SMALL_HEIGHT = 760, 420, 260
_NUM_COLUMNS = 3
_MOST_NAME = 46
"""Letters for which there is room along an axis of a small picture."""
_TOP = 12
"""Top margin, in pixels, of a figure that writes nothing above its plot."""
_MUTED, _LINE = "#5f6368", "#d9dce0"
_DASHES = {"solid": "-", "dashed": (0, (5, 4)), "dotted": (0, (1, 3)), "dash_dotted": "-."}
_MARKERS = {
    "circle": "o", "cross": "P", "diamond": "D", "square": "s", "triangle-down": "v", "triangle-up": "^",
    "arrow": "^", "rectangle": "s", "ellipse": "o", "crosshair": "x",
}  # fmt: skip
_ALIGN = {"start": "left", "middle": "center", "end": "right"}
_VARIABLE = re.compile(r"var\(\s*--[\w-]+\s*,\s*([^)]+)\)")


def picture(shown: Widget, format: str = "png") -> bytes:  # noqa: A002 -- the word of everybody who saves pictures
    """Draw all figures of a widget as they are now; a plot that nobody sees is brought up to date for it.

    Parameters
    ----------
    shown
        A plot, or any other widget with figures of bqplot in it.
    format
        ``"png"`` or ``"svg"``.

    Returns
    -------
    bytes
        The file.

    Raises
    ------
    ValueError
        For another format, or a widget without a figure.
    TypeError
        For a figure with a mark of a kind that cannot be drawn, and for anything but a widget, such as a search.
    """
    if not isinstance(shown, Widget):
        raise TypeError(f"a picture is of a widget, such as HistoryPlot(optimizer), got {shown!r:.80}")
    if format not in FORMATS:
        raise ValueError(f"a picture is {' or '.join(FORMATS)}, got {format!r:.80}")
    file = io.BytesIO()
    drawn = _drawing(shown, looks=True)
    with _quiet():
        drawn.savefig(file, format=format, dpi=_DPI * _DENSITY if format == "png" else _DPI)
    return file.getvalue()


class WithPicture:
    """Mixin of widgets that can draw the plot that they show."""

    _refresher: Refresher

    def _pictured(self) -> Widget:
        """Return the plot that is seen."""
        raise NotImplementedError

    def picture(self, format: str = "png") -> bytes:  # noqa: A002 -- the word of everybody who saves pictures
        """Draw the plot that is seen as it is now, without a browser.

        Parameters
        ----------
        format
            ``"png"`` or ``"svg"``.

        Returns
        -------
        bytes
            The file.

        Raises
        ------
        ValueError
            For another format.
        """
        with self._refresher.lock:
            self._refresher.refresh(draws=True)
            return picture(self._pictured(), format)


def small_picture(shown: Widget, most_bytes: int = _MOST_SMALL) -> bytes:
    """Draw all figures of a widget as they are now, in few colours, for a notebook that keeps it with each save.

    Parameters
    ----------
    shown
        As in `picture`.
    most_bytes
        Greatest length of the file. A longer picture is halved in width and height, then given fewer colours; with
        the fewest it is returned whatever its length. Default 95,000.

    Returns
    -------
    bytes
        A PNG file.

    Raises
    ------
    ValueError, TypeError
        As in `picture`.
    """
    drawn = _drawing(shown)
    drawn.set_dpi(_DPI * _DENSITY)
    with _quiet():
        drawn.canvas.draw()
    pixels = np.asarray(drawn.canvas.buffer_rgba())[..., :3]
    file = few_colours_picture(pixels)
    if len(file) > most_bytes:
        halved = _halved(pixels)
        for most_colours in (256, 64, 16):
            file = few_colours_picture(halved, most_colours)
            if len(file) <= most_bytes:
                break
    return file


def _halved(pixels: np.ndarray) -> np.ndarray:
    """Return a drawing of half the width and height: the mean of each four pixels."""
    height, width = (size // 2 * 2 for size in pixels.shape[:2])
    corners = [pixels[down:height:2, right:width:2].astype(np.uint16) for down in (0, 1) for right in (0, 1)]
    halved: np.ndarray = (sum(corners[1:], corners[0]) // 4).astype(np.uint8)
    return halved


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the warning about characters that the font lacks: they are drawn as boxes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


_UNDRAWABLE = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 does not allow: control characters and halves of surrogate pairs."""


def _drawing(shown: Widget, *, looks: bool = False) -> Any:
    """Draw all figures of a widget into one figure of matplotlib; ``looks`` brings a plot up to date for it."""
    refresher = getattr(shown, "_refresher", None)
    if not isinstance(refresher, Refresher):
        return _figures_of(shown)
    with refresher.lock:
        if looks:
            refresher.look_at(shown)
        return _figures_of(shown)


def _figures_of(shown: Widget) -> Any:
    import bqplot
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    figures = [one for one in widgets_of(shown) if isinstance(one, bqplot.Figure)]
    if not figures:
        raise ValueError(f"a {type(shown).__name__} has no figure to draw")
    columns = min(_NUM_COLUMNS, len(figures))
    rows = math.ceil(len(figures) / columns)
    height = (_HEIGHT if len(figures) == 1 else _SMALL_HEIGHT) * rows
    drawn = Figure(figsize=(_WIDTH / _DPI, height / _DPI), dpi=_DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(drawn)
    if len(figures) > 1 and (caption := getattr(shown, "caption", "")):
        drawn.suptitle(caption, fontsize=9, color="#202124", parse_math=False)
    for place, figure in enumerate(figures):
        # Figures side by side have no room for a title each, only for the labels of the axes.
        _draw_figure(drawn.add_subplot(rows, columns, place + 1), figure, "" if len(figures) > 1 else figure.title)
    if len(figures) == 1 and (colours := getattr(shown, "colours", None)) is not None:
        _draw_colours(drawn.axes[0], colours)
    for one in drawn.findobj(Text):
        # Text may come from anywhere: an SVG file must not hold these characters, and fonts have no shape for them.
        one.set_text(_UNDRAWABLE.sub("\ufffd", one.get_text()))
    return drawn


class _Place:
    """Where values of one scale lie along a plot, as shares from 0 to 1.

    Parameters
    ----------
    scale
        A scale of bqplot.
    values
        All values that marks have on the scale, for the ends that the scale leaves open.
    """

    def __init__(self, scale: Any, values: np.ndarray) -> None:
        import bqplot

        self.scale = scale
        self.is_log = isinstance(scale, bqplot.LogScale)
        self.domain = None
        if isinstance(scale, bqplot.OrdinalScale):
            self.domain = [str(one) for one in (scale.domain or dict.fromkeys(map(str, values)))]
            self.low, self.high = -0.5, max(len(self.domain), 1) - 0.5
            return
        known = values[np.isfinite(values.astype(float))].astype(float) if len(values) else np.empty(0)
        if self.is_log:
            known = known[known > 0]
        low, high = (known.min(), known.max()) if len(known) else (0.1 if self.is_log else 0.0, 1.0)
        low, high = (given if given is not None else found for given, found in ((scale.min, low), (scale.max, high)))
        self.low, self.high = self._even(float(low)), self._even(float(high))
        if scale.reverse:
            self.low, self.high = self.high, self.low

    def _even(self, value: float) -> float:
        """Return a value, on a logarithmic scale its logarithm: in these units the scale is linear."""
        if not self.is_log:
            return value
        return math.log10(value) if value > 0 else -math.inf

    def share(self, values: Any) -> np.ndarray:
        """Return where values lie; NaN where they cannot be drawn."""
        if self.domain is not None:
            places = {name: place for place, name in enumerate(self.domain)}
            even = np.array([places.get(str(one), math.nan) for one in np.atleast_1d(values)], dtype=float)
        else:
            even = np.atleast_1d(np.asarray(values, dtype=float))
            if self.is_log:
                with np.errstate(divide="ignore", invalid="ignore"):
                    even = np.log10(even)
        # Halved first: the width of a scale may overflow a float.
        width = self.high / 2 - self.low / 2
        shares: np.ndarray = (even / 2 - self.low / 2) / width if width else np.full(len(even), 0.5)
        return np.where(np.isfinite(shares), shares, math.nan)


def _draw_figure(axes: Any, figure: Any, title: str) -> None:
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_axis_off()
    if title:
        # Above what a figure writes over the plot itself.
        over = max(0.0, float(figure.fig_margin.get("top", 0)) - _TOP)
        axes.set_title(title, pad=6 + over * 72 / _DPI, fontsize=9, color="#202124", parse_math=False)
    values: dict[str, list[np.ndarray]] = {}
    for mark in figure.marks:
        for name, scale in mark.scales.items():
            data = getattr(mark, name, None)
            if data is not None and not mark.preserve_domain.get(name, False):
                values.setdefault(scale.model_id, []).append(np.ravel(np.asarray(data)))
    places: dict[str, _Place] = {}

    def place_of(scale: Any) -> _Place:
        if scale.model_id not in places:
            known = values.get(scale.model_id, [])
            places[scale.model_id] = _Place(scale, np.concatenate(known) if known else np.empty(0))
        return places[scale.model_id]

    names = short_names([axis.label for axis in figure.axes if axis.label], _MOST_NAME)
    for axis in figure.axes:
        _draw_axis(axes, axis, place_of, names.get(axis.label, ""))
    for order, mark in enumerate(figure.marks):
        if mark.visible:
            draw = next((_DRAW[kind.__name__] for kind in type(mark).__mro__ if kind.__name__ in _DRAW), None)
            if draw is None:
                msg = f"a picture cannot show a mark of the kind {type(mark).__name__}, only {', '.join(_DRAW)}"
                raise TypeError(msg)
            draw(axes, mark, place_of, 3 + order)


def _draw_colours(axes: Any, colours: ColourScale) -> None:
    """Draw what the colours of a map mean, right of it."""
    from matplotlib.colors import ListedColormap

    bar = axes.inset_axes((1.04, 0, 0.018, 1))
    bar.set_axis_off()
    ramp = ListedColormap([_colour(one) for one in colours.colours])
    shares = np.arange(len(colours.colours), dtype=float)[:, None]
    bar.imshow(shares, cmap=ramp, aspect="auto", extent=(0, 1, 0, 1), origin="lower", interpolation="nearest")
    text = {"color": _MUTED, "parse_math": False, "textcoords": "offset points", "annotation_clip": False}
    for share, words in colours.ticks:
        bar.annotate(words, (1, share), (5, 0), ha="left", va="center", fontsize=8, **text)
    if colours.best is not None:
        mark = {"marker": ">", "s": 18, "linewidths": 0, "clip_on": False}
        bar.scatter(-0.7, colours.best, color=_colour(style.BEST), **mark)
        bar.set_xlim(0, 1)
        bar.set_ylim(0, 1)
    bar.annotate(colours.direction, (0, 0), (0, -6), ha="left", va="top", fontsize=8, **text)


def _draw_axis(axes: Any, axis: Any, place_of: Callable[[Any], _Place], name: str) -> None:
    """Draw ticks, grid and label; an axis that stands at a value of another one has a line of its own."""
    if not axis.visible:
        return
    is_vertical = axis.orientation == "vertical" or axis.side in {"left", "right"}
    place = place_of(axis.scale)
    ticks = _ticks(axis, place)
    shares = place.share(ticks) if len(ticks) else np.empty(0)
    at = 1.0 if axis.side in {"right", "top"} else 0.0
    offset = axis.offset or {}
    if "value" in offset:
        scale = offset.get("scale")
        at = float(place_of(scale).share(offset["value"])[0]) if scale is not None else at
        axes.plot(*(([at, at], [0, 1]) if is_vertical else ([0, 1], [at, at])), color=_MUTED, lw=0.8, zorder=1)
    sign = 1 if axis.side in {"right", "top"} else -1
    text = {
        "fontsize": 8,
        "color": _MUTED,
        "parse_math": False,
        "textcoords": "offset points",
        "annotation_clip": False,
        "zorder": 99,
    }
    for tick, share in zip(ticks, shares.tolist(), strict=True):
        if not -1e-6 <= share <= 1 + 1e-6:
            continue
        words = _tick_words(axis, tick)
        if is_vertical:
            if axis.grid_lines != "none" and "value" not in offset:
                axes.plot([0, 1], [share, share], color=_LINE, lw=0.7, zorder=0)
            align = "left" if sign > 0 else "right"
            axes.annotate(words, (at, share), (5 * sign, 0), ha=align, va="center", **text)
        else:
            if axis.grid_lines != "none" and "value" not in offset:
                axes.plot([share, share], [0, 1], color=_LINE, lw=0.7, zorder=0)
            axes.annotate(words, (share, at), (0, 5 * sign), ha="center", va="bottom" if sign > 0 else "top", **text)
    if name:
        label = {**text, "fontsize": 9}
        if "value" in offset:
            axes.annotate(name, (at, 1), (0, 8), ha="center", va="bottom", **label)
        elif is_vertical:
            axes.annotate(name, (at, 0.5), (46 * sign, 0), ha="center", va="center", rotation=90, **label)
        else:
            axes.annotate(name, (0.5, at), (0, 22 * sign), ha="center", va="center", **label)


def _ticks(axis: Any, place: _Place) -> Sequence[Any]:
    if axis.tick_values is not None and len(axis.tick_values):
        return list(np.asarray(axis.tick_values).tolist())
    if place.domain is not None:
        return place.domain
    from matplotlib.ticker import LogLocator, MaxNLocator

    low, high = sorted((place.low, place.high))
    if place.is_log:
        return [float(one) for one in LogLocator(numticks=6).tick_values(10**low, 10**high)]
    return [float(one) for one in MaxNLocator(6).tick_values(low, high)]


def _tick_words(axis: Any, tick: Any) -> str:
    """Write a number as an axis does, in the formats of d3 that plots use."""
    labels = {str(key): str(words) for key, words in (axis.tick_labels or {}).items()}
    if isinstance(tick, str):
        return labels.get(tick, tick)
    if f"{tick:g}" in labels:
        return labels[f"{tick:g}"]
    wanted = axis.tick_format or ""
    if wanted == "d":
        return f"{tick:.0f}"
    if found := re.fullmatch(r"\.(\d+)([%ef])", wanted):
        return f"{tick:.{found[1]}{found[2]}}"
    digits = found[1] if (found := re.fullmatch(r"\.(\d+)~[eg]", wanted)) else 6
    return f"{tick:.{digits}g}"


def _colour(given: Any, default: str = "#3b78c4", opacity: float = 1.0) -> tuple[float, ...]:
    """Return a colour as RGBA of matplotlib; for a variable of the style sheet its fallback."""
    from matplotlib.colors import to_rgba

    found = _VARIABLE.search(str(given))
    *rgb, alpha = to_rgba(found[1].strip() if found else given or default)
    return (*rgb, alpha * opacity)


def _of_each(given: Iterable[Any], count: int, default: Any) -> list[Any]:
    """Return ``count`` entries; a shorter list is repeated, as bqplot does."""
    entries = list(given) or [default]
    return [entries[index % len(entries)] for index in range(count)]


def _points(mark: Any, place_of: Callable[[Any], _Place]) -> tuple[np.ndarray, np.ndarray]:
    x, y = place_of(mark.scales["x"]).share(mark.x), place_of(mark.scales["y"]).share(mark.y)
    count = min(len(x), len(y))
    return x[:count], y[:count]


def _draw_scatter(axes: Any, mark: Any, place_of: Callable[[Any], _Place], order: int) -> None:
    x, y = _points(mark, place_of)
    if not len(x):
        return
    given = list(zip(_of_each(mark.colors, len(x), None), _of_each(mark.opacities, len(x), 1.0), strict=True))
    colours = [_colour(colour, opacity=opacity) for colour, opacity in given]
    if mark.color is not None and len(mark.color) and "color" in mark.scales:
        ramp = _ramp(mark.scales["color"], np.asarray(mark.color)[: len(x)])
        colours = [(*rgb, alpha * opacity) for (*rgb, alpha), (_, opacity) in zip(ramp, given, strict=False)]
    marker = _MARKERS.get(mark.marker, "o")
    strokes: Any = [_colour(mark.stroke, opacity=opacity) for _, opacity in given] if mark.stroke else "none"
    sizes = {"s": float(mark.default_size) * 4 / math.pi * (72 / _DPI) ** 2, "zorder": order, "clip_on": False}
    width = float(mark.stroke_width or 0) * 72 / _DPI
    if marker == "x":
        axes.scatter(x, y, c=colours, marker=marker, linewidths=max(width, 1.2), **sizes)
    else:
        looks = {"facecolors": colours if mark.fill else "none", "edgecolors": strokes, "linewidths": width}
        axes.scatter(x, y, c=None, marker=marker, **looks, **sizes)


def _ramp(scale: Any, values: np.ndarray) -> list[tuple[float, ...]]:
    """Return the colour of each value on a colour scale."""
    import bqplot
    from matplotlib.colors import LinearSegmentedColormap

    colours = [_colour(one) for one in scale.colors or ["#b4cbe9", "#0a3478"]]
    if isinstance(scale, bqplot.OrdinalColorScale):
        # By its place in the domain, which no mark has all values of.
        places = {one: place for place, one in enumerate(scale.domain)}
        return [colours[places.setdefault(one, len(places)) % len(colours)] for one in values.tolist()]
    values = values.astype(float)
    place = _Place(scale, values)
    ramp = LinearSegmentedColormap.from_list("ramp", colours)
    shares = np.nan_to_num(np.clip(place.share(values), 0.0, 1.0))
    return [tuple(colour) for colour in ramp(shares).tolist()]


def _draw_lines(axes: Any, mark: Any, place_of: Callable[[Any], _Place], order: int) -> None:
    across, up = np.atleast_2d(np.asarray(mark.x)), np.atleast_2d(np.asarray(mark.y, dtype=float))
    drawstyle = {"step-after": "steps-post", "step-before": "steps-pre"}.get(mark.interpolation, "default")
    colours = _of_each(mark.colors, len(up), None)
    opacities = _of_each(mark.opacities, len(up), 1.0)
    for index, row in enumerate(up):
        x = place_of(mark.scales["x"]).share(across[index % len(across)])
        y = place_of(mark.scales["y"]).share(row)
        count = min(len(x), len(y))
        axes.plot(
            x[:count], y[:count], color=_colour(colours[index], opacity=opacities[index]), drawstyle=drawstyle,
            lw=float(mark.stroke_width) * 72 / _DPI, ls=_DASHES.get(mark.line_style, "-"), zorder=order,
            clip_on=bool(mark.apply_clip), solid_capstyle="butt",
        )  # fmt: skip
        if mark.fill == "inside":
            fill = _of_each(mark.fill_colors, len(up), colours[index])[index]
            share = _of_each(mark.fill_opacities, len(up), 0.3)[index]
            axes.fill(x[:count], y[:count], color=_colour(fill, opacity=share), lw=0, zorder=order)
        if mark.fill == "bottom":
            axes.fill_between(x[:count], y[:count], 0, color=_colour(colours[index]), alpha=0.3, lw=0, zorder=order)


def _draw_bars(axes: Any, mark: Any, place_of: Callable[[Any], _Place], order: int) -> None:
    is_lying = mark.orientation == "horizontal"
    along, up = place_of(mark.scales["x"]), place_of(mark.scales["y"])
    at = along.share(mark.x)
    base, ends = float(up.share(mark.base)[0]), np.atleast_2d(np.asarray(mark.y, dtype=float))
    if not len(at):
        return
    step = 1 / len(along.domain) if along.domain else float(np.min(np.diff(np.sort(at)))) if len(at) > 1 else 0.1
    width = step * (1 - float(mark.padding))
    colours = _of_each(mark.colors, max(len(ends), len(at)), None)
    for index, row in enumerate(ends):
        tops = up.share(row)
        count = min(len(at), len(tops))
        colour: Any = [_colour(one) for one in colours[:count]] if len(ends) == 1 else _colour(colours[index])
        draw = axes.barh if is_lying else axes.bar
        draw(at[:count], tops[:count] - base, width, base, color=colour, zorder=order)


def _draw_image(axes: Any, mark: Any, place_of: Callable[[Any], _Place], order: int) -> None:
    if not mark.image.value:
        return
    from matplotlib.image import imread

    corners = [*place_of(mark.scales["x"]).share(mark.x)[:2], *place_of(mark.scales["y"]).share(mark.y)[:2]]
    if len(corners) == 4 and np.isfinite(corners).all() and corners[0] != corners[1] and corners[2] != corners[3]:
        pixels = imread(io.BytesIO(mark.image.value), format="png")
        opacity = float(_of_each(getattr(mark, "opacities", ()), 1, 1.0)[0])
        axes.imshow(pixels, extent=corners, aspect="auto", zorder=order, alpha=opacity, interpolation="bilinear")
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)


def _draw_label(axes: Any, mark: Any, place_of: Callable[[Any], _Place], order: int) -> None:
    x, y = _points(mark, place_of)
    words = [str(one) for one in (mark.text if mark.text is not None else ())]
    colours = _of_each(mark.colors, len(words), None)
    for index, (across, up, text) in enumerate(zip(x.tolist(), y.tolist(), words, strict=False)):
        if math.isnan(across) or math.isnan(up):
            continue
        axes.annotate(
            text, (across, up), (mark.x_offset * 72 / _DPI, -mark.y_offset * 72 / _DPI), textcoords="offset points",
            ha=_ALIGN.get(mark.align, "left"), va="center", color=_colour(colours[index], "#202124"),
            fontsize=float(mark.default_size) * 72 / _DPI, fontweight=mark.font_weight, zorder=order, parse_math=False,
            annotation_clip=bool(mark.apply_clip),
        )  # fmt: skip


_DRAW: dict[str, Callable[[Any, Any, Callable[[Any], _Place], int], None]] = {
    "Scatter": _draw_scatter,
    "Lines": _draw_lines,
    "Bars": _draw_bars,
    "Image": _draw_image,
    "Label": _draw_label,
}
