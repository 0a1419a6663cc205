"""What the bqplot figures of trials share: axes, the lane of failed trials, the best, the selected, clicks."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
from bqplot import LinearScale, Lines, Scatter

from hpo_widgets.widget import text
from hpo_widgets.widget.plots import style
from hpo_widgets.widget.plots.axes import TIP_DIGITS, UNIT, value_ticks
from hpo_widgets.widget.plots.brush import Brush, ClickCatcher
from hpo_widgets.widget.plots.figure import FigureAxis, plain_figure, tick_traits
from hpo_widgets.widget.plots.points import GrowingPoints, hear_clicks
from hpo_widgets.widget.plots.series import nearest
from hpo_widgets.widget.sync.flow import act_while_cell_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bqplot import Mark, Tooltip

    from hpo_widgets.trials.filter import Mask
    from hpo_widgets.widget.plots.axes import Domain
    from hpo_widgets.widget.plots.brush import Extent
    from hpo_widgets.widget.plots.png import Levels
    from hpo_widgets.widget.plots.series import Floats, Numbers
    from hpo_widgets.widget.plots.style import FigureStyle
    from hpo_widgets.widget.plots.trial_series import TrialSeries

BACKGROUND = {"background": True}
"""What a click on nothing says."""

EMPTY_PLACE = "empty_place"
"""The key under which a `ClickCatcher`'s click says where it was."""

# Pixels of a plot's width and height that are believed.
_LEAST_SIZE, _MOST_SIZE = 50, 2_000
# How far from a trial in a picture a click may be, as a share of the plot.
_REACH = 0.04
_NOBODY = np.empty(0, dtype=np.int64)
# Pixels from the left edge of a figure to the name of its axis of values.
_LABEL = 12


class TrialFigure:
    """Axes, lane and marks of a figure of trials; its subclasses say what is drawn where.

    Parameters
    ----------
    look
        The sizes.
    series
        Values and parameters of all trials.
    x
        Ends and kind of the horizontal axis.
    tip
        What is shown beside the trial under the pointer.
    lane_tip
        The same for a failed trial, which has no value.
    label_x
        Name of the horizontal axis.
    label_y
        Name of the axis of values, empty for none.
    title
        What the figure shows, for those who do not see it.
    on_click
        Called with what a click on a point says, as `GrowingPoints` tells it, and this figure.
    """

    series: TrialSeries
    _has_lane = True
    """Whether failed trials, which have no value, are on a lane at the bottom."""

    _draws_beyond = True
    """Whether trials beyond the axis of values are drawn at its edge: marks for them, made late, cost a page time."""

    _letters: int | None = None
    """Letters that there is room for below the plot; None as long as nobody has said how wide it is."""

    def __init__(
        self,
        look: FigureStyle,
        series: TrialSeries,
        x: Domain,
        tip: Tooltip,
        lane_tip: Tooltip,
        *,
        label_x: str,
        label_y: str,
        title: str,
        on_click: Callable[[object, TrialFigure], None],
    ) -> None:
        self._look = look
        self.series = series
        self._on_click: Callable[[object], None] = lambda said: on_click(said, self)
        self.brush: Brush | None = None
        """Where a drag selects; None as long as it never did."""
        self.catcher: ClickCatcher | None = None
        """What says where an empty place was clicked; None where that means nothing."""
        font = {"tick_style": {"font-size": look.font_size}}
        self.x = FigureAxis(x, self._ticks_x, label_x, label_offset=look.label_offset, grid_lines="none", **font)
        offset = f"{look.margins['left'] - _LABEL}px"
        self.y = FigureAxis(UNIT, self._ticks_y, label_y, side="left", label_offset=offset, **font)
        self._lane_scale = LinearScale(min=0.0, max=1.0, allow_padding=False)
        self._clouds = self._make_clouds(tip, lane_tip)
        self._num_not_finite = 0
        """Trials in the cloud of failed ones that have completed, with a value that has no place on an axis."""
        self._num_beyond = 0
        """Trials whose values lie beyond an axis."""
        self._strip = self._lines(colors=[style.LANE], stroke_width=look.strip, visible=False)
        # Over the points that they mark, so they hear clicks for them.
        self._best = self._over(
            colors=[style.BEST], marker="triangle-up", default_size=look.best, stroke_width=0, tooltip=tip
        )
        self._selected = self._over(**style.RING, tooltip=tip)
        self._below: list[Mark] = [self._strip]
        self._above: list[Mark] = [self._best, self._selected]
        """What lies below and above the clouds of points, from the bottom to the top."""
        self._lane_tip = lane_tip
        self._selected_failed: Scatter | None = None
        self._enqueued: Scatter | None = None
        """Both are made with the first trial that they mark: each mark costs a page time."""
        # The background tells every mark that it was clicked; one of them is heard.
        act_while_cell_runs(self._strip)
        self._strip.on_background_click(lambda _mark, _content: self._on_click(BACKGROUND))
        axes = [self.x.axis, self.y.axis]
        self.figure = plain_figure([], axes, title, margins=look.margins, layout=look.layout)

    @property
    def domain(self) -> Domain:
        """Ends of the axis of values."""
        return self.y.domain

    @property
    def domain_x(self) -> Domain:
        """Ends of the horizontal axis."""
        return self.x.domain

    def let_brush(self, on_brushed: Callable[[TrialFigure], None] | None) -> None:
        """Have a drag select, and ``on_brushed`` called with this figure when `brush` changes; None: hear clicks."""
        if self.brush is None and on_brushed is not None:
            self.brush = Brush(self.figure, self._scales, lambda: on_brushed(self))
        if self.brush is not None:
            self.brush.switch(on=on_brushed is not None)

    def box_of(self, extent: Extent) -> Mapping[str, tuple[Any, ...]]:  # noqa: ARG002 -- for those with parameters
        """Return the part of the space that a brush covers: parameter name to (low, high), or to choices."""
        return {}

    def point_at(self, place: tuple[float, float]) -> Mapping[str, Any]:  # noqa: ARG002 -- likewise
        """Return the values of parameters at a place; empty where the figure has no axis of a parameter."""
        return {}

    def brushed(self, extent: Extent) -> Numbers:
        """Return the trials that are drawn in a rectangle."""
        kept, x, y = self._drawn()
        inside: Numbers = kept[(x >= extent.x[0]) & (x <= extent.x[1]) & (y >= extent.y[0]) & (y <= extent.y[1])]
        return inside

    @property
    def clouds(self) -> list[GrowingPoints]:
        """All clouds of points."""
        return list(self._clouds.values())

    def cloud(self, name: str) -> GrowingPoints:
        """Return one of the clouds of points."""
        return self._clouds[name]

    @property
    def counts(self) -> Counter[str]:
        """How many trials of each group are drawn, and how many beyond the axis of values.

        ``"not finite"`` are those among the failed that have completed.
        """
        counts = Counter({name: len(cloud) for name, cloud in self._clouds.items()})
        counts["failed"] -= self._num_not_finite
        counts["not finite"] = self._num_not_finite
        counts["beyond"] = self._num_beyond
        return counts

    def fade(self, share: float) -> None:
        """Draw points with a share of their opacity, but for the few beyond the axis."""
        for name, cloud in self._clouds.items():
            if name != "beyond":
                cloud.fade(share)

    def set_domain(self, domain: Domain) -> None:
        """Move the ends of the axis of values, or make it another kind of axis."""
        self.y.set_domain(domain, self.figure)
        self._tell_clouds()

    def set_domain_x(self, domain: Domain) -> None:
        """Move the ends of the horizontal axis, with the lane, or make it another kind of axis."""
        self.x.set_domain(domain, self.figure)
        lane_y = self._look.lane_y
        style.put_changed(self._strip, np.array([domain.low, domain.high]), np.array([lane_y, lane_y]))
        self._tell_clouds()

    def set_size(self, size: tuple[int, int]) -> None:
        """Take width and height of the figure on the page, in pixels: pictures and ticks are drawn for them."""
        margins = self._look.margins
        inner = size[0] - margins["left"] - margins["right"], size[1] - margins["top"] - margins["bottom"]
        width, height = np.clip(inner, _LEAST_SIZE, _MOST_SIZE).tolist()  # such as nobody has a page for is no size
        if (letters := width // style.LETTER_WIDTH) != self._letters:
            self._letters = letters
            self.x.draw_ticks()
        for cloud in self.clouds:
            cloud.set_size((width, height))
            if cloud.is_stale:
                cloud.redraw()

    def draw(self, groups: Mapping[str, Numbers], *, is_new: bool = False) -> None:
        """Add trials of each group to its cloud.

        Parameters
        ----------
        groups
            Group (``"inside"``, ``"failed"`` and so on) to numbers of its new trials.
        is_new
            Whether the trials that are there are forgotten first. Default False.
        """
        beyond = [_NOBODY]
        for group, cloud in self._clouds.items():
            if group == "beyond":
                continue
            kept, x, y = self._placed(groups[group])
            self._make_room(x, y)
            if group == "failed":
                before = 0 if is_new else self._num_not_finite
                self._num_not_finite = before + len(self.series.values.not_finite(kept))
                if self._has_lane:
                    y = np.full(len(x), self._look.lane_y)
            elif (is_beyond := self._is_beyond(x, y)).any():
                beyond.append(kept[is_beyond])
                kept, x, y = kept[~is_beyond], x[~is_beyond], y[~is_beyond]
            cloud.put(x, y, kept, self._levels(group, kept), is_new=is_new)
        self._draw_beyond(np.concatenate(beyond), is_new=is_new)
        # The lane is there as long as there are trials on it.
        self._strip.visible = self._has_lane and any(map(self.counts.get, ("failed", "not finite")))

    def _draw_beyond(self, numbers: Numbers, *, is_new: bool) -> None:
        """Draw trials whose values lie beyond the axis at its edge, with the value of each beside the pointer."""
        kept, x, y = self._placed(numbers)
        self._num_beyond = len(kept) + (0 if is_new else self._num_beyond)
        x, edge = self._at_edge(x, y)
        if "beyond" not in self._clouds:
            if not len(kept) or not self._draws_beyond:
                return
            look = style.HOLLOW | {"marker": "triangle-up" if self.series.values.minimise else "triangle-down"}
            traits = {"default_size": self._look.dot, "tooltip": self._lane_tip, "name_points": self._beyond_names}
            self._clouds["beyond"] = self._make_cloud(self._lane, 1, look | traits)
            self._tell_clouds()
            self._show_marks()
        self._clouds["beyond"].put(x, edge, kept, is_new=is_new)

    def draw_best(self, numbers: Numbers) -> None:
        """Mark the best trial, if there is one."""
        self._mark(self._best, numbers)

    def draw_enqueued(self, numbers: Numbers) -> None:
        """Mark the trials that a person has enqueued, but for those beyond the axis."""
        numbers = self._within(numbers)
        if self._enqueued is None and len(numbers):
            self._enqueued = self._over(
                **style.ENQUEUED, default_size=2 * self._look.dot, tooltip=self._selected.tooltip
            )
            self._show_marks()
        if self._enqueued is not None:
            self._mark(self._enqueued, numbers)

    def draw_selected(self, selected: Numbers) -> None:
        """Ring those of the selected trials that are drawn with a value, and the failed ones on their lane."""
        known = self.series.values.known(selected)
        within = self._within(known)
        self._mark(self._selected, within)
        failed, x, _ = self._placed(self.series.values.failed(selected))
        beyond, *at = self._placed(np.setdiff1d(known, within))
        more, edge = self._at_edge(*at)
        if self._selected_failed is None and len(x) + len(more):
            self._selected_failed = self._over(self._lane, **style.RING, tooltip=self._lane_tip)
            self._show_marks()
        if self._selected_failed is not None:
            names = self._failed_names(x, failed)
            if len(more):
                names = np.array([*names, *self._beyond_names(more, beyond)], dtype=str)
            up = np.full(len(x), self._look.lane_y), edge
            style.put_changed(self._selected_failed, np.concatenate([x, more]), np.concatenate(up), names)

    def place(self, at: tuple[float | Floats, float | Floats]) -> Floats:
        """Return where points, given in values of both axes, lie in the figure: shares across and up, shape (2, n)."""
        return np.stack([self.domain_x.place(np.atleast_1d(at[0])), self.domain.place(np.atleast_1d(at[1]))])

    def trial_at(self, at: tuple[float, float]) -> int | None:
        """Return the trial that is drawn next to a point, given in values of both axes; None where none is near."""
        numbers, x, y = self._drawn()
        return nearest(np.hypot(*(self.place((x, y)) - self.place(at))), numbers, _REACH)

    def _mark(self, mark: Mark, numbers: Numbers) -> None:
        """Have a mark lie over some trials, and nothing sent when it does."""
        kept, x, y = self._placed(numbers)
        style.put_changed(mark, x, y, self._names(x, kept))

    def _placed(self, numbers: Numbers) -> tuple[Numbers, Floats, Floats]:
        """Return those of the trials that have a place on the horizontal axis, and where they are on both axes."""
        raise NotImplementedError

    def _is_beyond(self, x: Floats, y: Floats) -> Mask:  # noqa: ARG002 -- for those with values across
        """Which values of the objective have no place on the axis: only an axis up that is not of a parameter."""
        return self.domain.is_beyond(y) if self._has_lane else np.zeros(len(y), dtype=np.bool_)

    def _at_edge(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Return where trials beyond an axis are drawn: on the horizontal axis, and as a share of the other one."""
        return x, self.domain.place_drawn(y)

    def _within(self, numbers: Numbers) -> Numbers:
        """Return those of the trials that have a place on both axes."""
        kept, x, y = self._placed(numbers)
        return kept[~self._is_beyond(x, y)]

    def _drawn(self) -> tuple[Numbers, Floats, Floats]:
        """Return all trials that are drawn with a value, and where: those beyond an axis at its edge."""
        kept, x, y = self._placed(self.series.drawn())
        is_beyond = self._is_beyond(x, y)
        x[is_beyond], shares = self._at_edge(x[is_beyond], y[is_beyond])
        y[is_beyond] = [self.domain.at(share) for share in shares]
        return kept, x, y

    def _levels(self, _group: str, _numbers: Numbers) -> Levels | None:
        """Return the levels of trials of a group whose points have colours."""
        return None

    def _make_room(self, x: Floats, y: Floats) -> None:
        """Make the axes of parameters wider when places lie beyond them."""

    def _names(self, _x: Floats, numbers: Numbers) -> Any:
        """Name points by their trials, which is what a click says of them."""
        return numbers.astype(np.int32)

    def _failed_names(self, x: Floats, numbers: Numbers) -> Any:
        """Name failed trials, whose tooltips have no value to show."""
        return self._names(x, numbers)

    def _beyond_names(self, x: Floats, numbers: Numbers) -> Any:
        """Name trials beyond the axis, with their values."""
        values = [text.number(value, TIP_DIGITS) for value in self.series.values.values[numbers].tolist()]
        return np.array(
            [f"{name} · {value}" for name, value in zip(self._names(x, numbers), values, strict=True)], dtype=str
        )

    def _ticks_x(self, domain: Domain) -> Mapping[str, Any]:
        """Return the traits of the horizontal axis that its ticks are."""
        return self._ticks_y(domain)

    def _ticks_y(self, domain: Domain) -> Mapping[str, Any]:
        return tick_traits(value_ticks(domain, self._look.num_ticks))

    def _make_clouds(self, tip: Tooltip, lane_tip: Tooltip) -> dict[str, GrowingPoints]:
        """Make a cloud for each group of trials: the failed ones on the lane, the others on the axis of values."""
        look = self._look
        clouds = {
            "failed": self._make_cloud(
                self._lane,
                1,
                style.CROSS
                | {
                    "default_size": look.cross,
                    "tooltip": lane_tip,
                    "name_points": self._failed_names,
                },
            )
        }
        shared: dict[str, Any] = {"default_size": look.dot, "colors": [style.DOT], "tooltip": tip}
        # Of two in one place the one that counts more is on top.
        for group, drawn in (("outside", style.FAINT), ("partial", style.HOLLOW), ("inside", style.SOLID)):
            clouds[group] = self._make_cloud(self._scales, look.num_frozen[group], shared | drawn)
        return clouds

    def _make_cloud(self, scales: Mapping[str, Any], num_frozen: int, traits: dict[str, Any]) -> GrowingPoints:
        return GrowingPoints(
            scales,
            self._look,
            num_frozen=num_frozen,
            on_click=self._on_click,
            on_marks=self._show_marks,
            display_names=False,
            **{"name_points": self._names, **traits},
        )

    @property
    def marks(self) -> list[Mark]:
        """All marks but those that are made late, from the bottom to the top."""
        return [*self._below, *(mark for cloud in self.clouds for mark in cloud.marks), *self._above]

    def _show_marks(self) -> None:
        """Have all marks drawn, after some were added."""
        late = [mark for mark in (self._selected_failed, self._enqueued) if mark is not None]
        self.figure.marks = [*self.marks, *late]

    def _lines(self, *, on_values: bool = False, **traits: Any) -> Any:
        return style.empty(Lines, self._scales if on_values else self._lane, **traits)

    def _over(self, scales: Mapping[str, Any] | None = None, **traits: Any) -> Any:
        mark = style.empty(Scatter, scales or self._scales, display_names=False, **traits)
        hear_clicks(mark, self._on_click)
        return mark

    def _tell_clouds(self) -> None:
        for name, cloud in self._clouds.items():
            is_on_lane = self._has_lane and name in {"failed", "beyond"}
            cloud.set_domain((self.domain_x, UNIT if is_on_lane else self.domain))
        self._move_brush()

    def _move_brush(self) -> None:
        if self.brush is not None:
            self.brush.follow(self._scales)

    def _on_catch(self, across: float, up: float) -> None:
        """Say in values of the axes where an empty place was clicked."""
        self._on_click({EMPTY_PLACE: {"click_x": self.domain_x.at(across), "click_y": self.domain.at(up)}})

    @property
    def _scales(self) -> dict[str, Any]:
        """The scales as they are now."""
        return {"x": self.x.scale, "y": self.y.scale}

    @property
    def _lane(self) -> dict[str, Any]:
        """The scales of the lane of failed trials as they are now."""
        return {"x": self.x.scale, "y": self._lane_scale}
