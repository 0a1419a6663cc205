"""The bqplot figure of the map: two parameters, colours, the background."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from bqplot import OrdinalColorScale

from hpo_widgets.widget import text
from hpo_widgets.widget.plots import map_constraint, style
from hpo_widgets.widget.plots.axes import LANE, TIP_DIGITS, UNIT, ParameterAxis, tick_words, value_ticks
from hpo_widgets.widget.plots.brush import ClickCatcher
from hpo_widgets.widget.plots.figure import tooltip
from hpo_widgets.widget.plots.history_figure import STYLE
from hpo_widgets.widget.plots.map_series import PALETTE, goodness, intervals, levels, rectangles, smoothed
from hpo_widgets.widget.plots.png import indexed_picture
from hpo_widgets.widget.plots.trial_figure import TrialFigure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bqplot import Scatter, Tooltip

    from hpo_widgets.space import Space
    from hpo_widgets.widget.plots.axes import Domain
    from hpo_widgets.widget.plots.brush import Extent
    from hpo_widgets.widget.plots.png import Levels
    from hpo_widgets.widget.plots.points import GrowingPoints
    from hpo_widgets.widget.plots.series import Floats, Numbers
    from hpo_widgets.widget.plots.trial_series import TrialSeries

_LOOK = dataclasses.replace(
    STYLE,
    margins={**STYLE.margins, "right": 8},
    picture_bytes=30_000,
    num_frozen={"outside": 2, "partial": 1, "inside": 4},
)
COLOURED = ("outside", "inside")
"""Groups of trials that have the colours of their values."""

# Size of a trial outside the ranges.
_SMALL = 18
# Where a choice is up, its names stand between the axis and its name.
_BESIDE_CHOICES = dataclasses.replace(_LOOK, margins={**_LOOK.margins, "left": 120})
_NUM_TICKS, _LETTERS = 6, 60
_FEW_LETTERS, _MOST_LETTERS = 7, 13
_MOST_NAME, _MOST_CHOICE = 40, 20


class MapFigure(TrialFigure):
    """Everything that is drawn of two parameters; trials that lack one of them have no place.

    Parameters
    ----------
    series
        Values and parameters of all trials.
    pair
        Names of the parameters across and up.
    parameters, labels
        The parameters, and what is shown for each.
    objective, minimise
        Name of the objective, and its direction.
    on_click
        Called with what a click on a point says and this figure.
    """

    _has_lane = False

    def __init__(
        self,
        series: TrialSeries,
        pair: tuple[str, str],
        parameters: tuple[Any, Any],
        labels: tuple[str, str],
        objective: str,
        minimise: bool,
        on_click: Callable[[object, TrialFigure], None],
    ) -> None:
        self.pair = pair
        self.across, self.up = map(ParameterAxis, parameters)
        self._minimise = minimise
        self._colours = UNIT
        shown_names = text.short_names(labels, _MOST_NAME)
        short = [shown_names[label] for label in labels]
        shown = {
            field: (label, form)
            for field, label, axis in zip("xy", short, (self.across, self.up), strict=True)
            if (form := axis.tip_format) is not None
        }
        tip = tooltip({"name": ("trial", ""), **shown})
        self._has_room = max(map(len, self.up.choices or ("",))) <= _FEW_LETTERS
        super().__init__(
            _LOOK if self._has_room else _BESIDE_CHOICES,
            series,
            self.across.domain,
            tip,
            tip,
            label_x=labels[0],
            label_y=labels[1],
            title=f"{labels[1]} of each trial against {labels[0]}, in the colour of its {objective}",
            on_click=on_click,
        )
        self._background = style.Picture(scales=self._scales, visible=False)
        self._refused: style.Picture | None = None
        """Made with the first that is drawn."""
        self._ranges = self._lines(on_values=True, colors=[style.ACCENT], line_style="dashed", stroke_width=1)
        self._running = self._over(**style.RUNNING, default_size=_LOOK.dot, tooltip=tip)
        self._offered: Scatter | None = None
        """Made with the first point that it marks."""
        self.catcher = ClickCatcher(self._on_catch)
        self._below = [self._background, self.catcher.mark, *self._below, self._ranges]
        self._above = [self._running, *self._above]
        self._show_marks()
        self.y.set_domain(self.up.domain, self.figure)
        self._tell_clouds()

    def box_of(self, extent: Extent) -> Mapping[str, tuple[Any, ...]]:
        """Return what a brush covers of both parameters; empty where it covers no value of one of them."""
        across, up = self.across.box(extent.x), self.up.box(extent.y)
        return {**across, **up} if across and up else {}

    def point_at(self, place: tuple[float, float]) -> Mapping[str, Any]:
        """Return the values of both parameters at a place."""
        return {self.pair[0]: self.across.value_at(place[0]), self.pair[1]: self.up.value_at(place[1])}

    def set_domain(self, domain: Domain) -> None:
        """Take the ends of the ramp of colours."""
        self._colours = domain

    def placed(self, numbers: Numbers) -> Numbers:
        """Return those of the trials that have both parameters."""
        return self._placed(numbers)[0]

    def _goodness(self, numbers: Numbers) -> Floats:
        return goodness(self.series.y(numbers), self._colours, minimise=self._minimise)

    def _levels(self, group: str, numbers: Numbers) -> Levels | None:
        return levels(self._goodness(numbers)) if group in COLOURED else None

    def draw_selected(self, selected: Numbers) -> None:
        """Ring the selected trials; the failed ones have a place here too."""
        values = self.series.values
        self._mark(self._selected, np.concatenate([values.known(selected), values.failed(selected)]))

    def draw_running(self) -> int:
        """Mark the trials that run; returns how many."""
        running = self.placed(self.series.under_way())
        self._mark(self._running, running)
        return len(running)

    def draw_offered(self, points: Sequence[Mapping[str, Any]]) -> bool:
        """Mark points that are to be tried, where they have both parameters; returns whether any is marked."""
        drawn = [point for point in points if set(self.pair) <= set(point)]
        if drawn and self._offered is None:
            self._offered = self._over(**style.OFFERED, default_size=3 * _LOOK.dot)
            self._above.append(self._offered)
            self._show_marks()
        if self._offered is not None:
            axes = zip((self.across, self.up), self.pair, strict=True)
            at = [np.array([axis.place_of(point[name]) for point in drawn]) for axis, name in axes]
            style.put_changed(self._offered, *at)
        return bool(drawn)

    def draw_ranges(self, space: Space) -> bool:
        """Draw the present ranges as a rectangle where they are narrower than the axes; returns whether they are."""
        axes = (self.across, self.up)
        bounds = [intervals(space.leaf(name), axis) for name, axis in zip(self.pair, axes, strict=True)]
        self._make_room(*(np.array(some).ravel() for some in bounds))
        inner = [
            bound
            for some, axis in zip(bounds, axes, strict=True)
            for bound in axis.domain.place(np.array(some)).ravel()
        ]
        is_narrow = any(0.08 < place < 0.92 for place in inner)
        style.put_changed(self._ranges, *(rectangles(*bounds) if is_narrow else (style.NONE, style.NONE)))
        return is_narrow

    def draw_background(self, numbers: Numbers) -> None:
        """Draw how good those of the completed trials that have a place are in each neighbourhood; none of no trial."""
        kept, x, y = self._placed(numbers)
        if not len(kept):
            self._background.visible = False
            return
        choices = len(self.across.choices or ()), len(self.up.choices or ())
        across, up = self.place((x, y))
        picture = indexed_picture(smoothed(across, up, self._goodness(kept), choices=choices), PALETTE)
        self._background.put(
            picture,
            x=[self.domain_x.low, self.domain_x.high],
            y=[self.domain.low, self.domain.high],
            visible=True,
        )

    def draw_refused(self, picture: Levels | None) -> None:
        """Draw what the constraint refuses, as `map_constraint.refusals` gives it; None: nothing."""
        if picture is None or not picture.any():
            if self._refused is not None:
                self._refused.visible = False
            return
        if self._refused is None:
            self._refused = style.Picture(scales=self._scales)
            self._below.insert(1, self._refused)  # right over the background
            self._show_marks()
        self._refused.put(
            indexed_picture(picture, map_constraint.PALETTE),
            x=[self.domain_x.low, self.domain_x.high],
            y=[self.domain.low, self.domain.high],
            visible=True,
        )

    def _make_room(self, x: Floats, y: Floats) -> None:
        self.set_domain_x(self.across.make_room(x))
        self.y.set_domain(self.up.make_room(y), self.figure)
        self._tell_clouds()

    def _make_clouds(self, tip: Tooltip, lane_tip: Tooltip) -> dict[str, GrowingPoints]:
        shared: dict[str, Any] = {"tooltip": tip, "default_size": _LOOK.dot}
        failed = shared | style.CROSS | {"tooltip": lane_tip, "default_size": _LOOK.cross}
        colour = OrdinalColorScale(domain=list(range(len(style.RAMP))), colors=style.RAMP_NAMES)
        scales = {**self._scales, "color": colour}
        coloured = shared | {
            "rgb": style.RAMP,
            "stroke": style.SURFACE,
            "stroke_width": 0.5,
            "preserve_domain": {**style.FIXED, "color": True},
        }
        faint = {"opacities": [0.6], "default_size": _SMALL}
        frozen = _LOOK.num_frozen
        return {
            "outside": self._make_cloud(scales, frozen["outside"], coloured | faint),
            "partial": self._make_cloud(self._scales, frozen["partial"], shared | style.HOLLOW),
            "inside": self._make_cloud(scales, frozen["inside"], coloured | {"opacities": [0.95]}),
            "failed": self._make_cloud(self._scales, 1, failed),
        }

    def _placed(self, numbers: Numbers) -> tuple[Numbers, Floats, Floats]:
        x, y = self.series.x(self.pair[0], numbers), self._up_of(numbers)
        has_both = np.isfinite(x) & np.isfinite(y)
        return numbers[has_both], x[has_both], y[has_both]

    def _up_of(self, numbers: Numbers) -> Floats:
        return self.series.x(self.pair[1], numbers, is_second=True)

    def _names(self, x: Floats, numbers: Numbers) -> Any:
        """Return the number of each trial, its value and what was chosen."""
        words = self.across.words(x, _MOST_CHOICE), self.up.words(self._up_of(numbers), _MOST_CHOICE)
        values = [text.number(value, TIP_DIGITS) for value in self.series.values.values[numbers].tolist()]
        names = [
            " · ".join(filter(None, (str(number), *said)))
            for number, *said in zip(numbers.tolist(), values, *words, strict=True)
        ]
        return np.array(names, dtype=str)

    def _ticks_x(self, _domain: Domain) -> Mapping[str, Any]:
        return self.across.ticks(_NUM_TICKS, min(_LETTERS, self._letters or _LETTERS))

    def _ticks_y(self, _domain: Domain) -> Mapping[str, Any]:
        return self.up.ticks(_NUM_TICKS, _LETTERS, each=_FEW_LETTERS if self._has_room else _MOST_LETTERS)


@dataclass(frozen=True)
class ColourScale:
    """What the colours of a map mean.

    Attributes
    ----------
    colours : sequence of str
        From the bottom to the top.
    ticks : sequence of tuple
        Shares of the height, and words.
    best : float or None
        The share at which the best trial is; None: no trial.
    direction : str
        Which values are good.
    """

    colours: Sequence[str]
    ticks: Sequence[tuple[float, str]]
    best: float | None
    direction: str

    def as_html(self) -> str:
        """Return the ramp of colours with its ticks as HTML; nothing in it comes from a search but numbers."""
        share = 100 / len(self.colours)
        stops = ", ".join(
            f"{colour} {place * share:.1f}% {(place + 1) * share:.1f}%" for place, colour in enumerate(self.colours)
        )
        ticks = "".join(f'<span style="bottom: {100 * at:.1f}%">{words}</span>' for at, words in self.ticks)
        mark = ""
        if self.best is not None:
            mark = f'<i style="bottom: {100 * self.best:.1f}%; color: {style.BEST}">▶</i>'
        ramp = f'<div style="background: linear-gradient(to top, {stops})"></div>'
        return f'<div class="hpo-ramp">{ramp}{mark}{ticks}</div><div>{self.direction}</div>'


def colour_scale(domain: Domain, best: float | None, *, minimise: bool) -> ColourScale:
    """Return what the colours of a map mean.

    Parameters
    ----------
    domain
        The ends of the axis of values.
    best
        The best value, which is marked; None for none.
    minimise
        Whether small is good, which is then at the bottom.

    Returns
    -------
    ColourScale
        The scale.
    """

    def at(value: float) -> float:
        place = (float(domain.place(np.array([value]))[0]) - LANE) / (1 - LANE)
        return min(max(place, 0.0), 1.0)

    values = value_ticks(domain, _NUM_TICKS)
    return ColourScale(
        style.RAMP_NAMES[::-1] if minimise else style.RAMP_NAMES,
        list(zip(map(at, values), tick_words(values), strict=True)),
        None if best is None else at(best),
        f"{'lower' if minimise else 'higher'} is better",
    )
