"""The history: the objective of each trial in order, with the best so far and the space epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
import traitlets as t
from bqplot import Axis, Figure, Label, LinearScale, Lines, LogScale, Scatter, Tooltip

from hpo_widgets.widget import text
from hpo_widgets.widget.keywords import refuse_unknown
from hpo_widgets.widget.part import Following
from hpo_widgets.widget.plots.domain import Domain, first_domain, num_trials_shown, wants_log
from hpo_widgets.widget.plots.points import GrowingPoints
from hpo_widgets.widget.plots.series import Floats, HistorySeries

if TYPE_CHECKING:
    from bqplot import Mark

    from hpo_widgets.search import EpochMark, Search
    from hpo_widgets.space import Space
    from hpo_widgets.widget.refresher import Refresher, Update

# The panel's style sheet sets the variables for both themes; the colours here serve without it.
_DOT = "var(--hpo-dot, #3b78c4)"
_BAD = "var(--hpo-bad, #b3261e)"
_BEST = "var(--hpo-best, #d97706)"
_ACCENT = "var(--hpo-accent, #1565c0)"
_LANE_COLOUR = "var(--hpo-lane, #8884)"
_LANE_Y = 0.035
_LABEL_Y = 0.965
# The end of the best-so-far line follows the trials in steps of this share of the axis.
_FOLLOW = 0.005
_FIXED = {"x": True, "y": True}
_NONE = np.empty(0)


class HistoryPlot(Following, ipywidgets.VBox):
    """Draws the objective of each trial by its number, live, as a bqplot figure.

    Completed trials are dots, pruned and aborted ones with a value hollow diamonds, failed ones
    crosses on a lane of their own at the bottom. One more trial costs the same however many there are.

    Parameters
    ----------
    search
        The search to show.
    objective
        Index of the objective, from 0.
    log_scale
        Whether the axis of values is logarithmic. By default it is when there are at least ten
        values, all above 0, and the largest of the better 90 % is a hundred times the smallest.

    Attributes
    ----------
    figure : bqplot.Figure
        The figure, to be laid out or saved.

    Examples
    --------
    >>> HistoryPlot(optimizer, log_scale=True)  # doctest: +SKIP
    """

    objective = t.Int(0, min=0, help="Index of the objective that is drawn.")
    log_scale = t.Bool(None, allow_none=True, help="Logarithmic axis of values; None: where it shows more.")

    def __init__(self, search: Search, *, refresher: Refresher | None = None, **traits: Any) -> None:
        refuse_unknown(type(self), traits)
        objective = traits.get("objective", 0)
        if not 0 <= objective < len(search.objectives):
            msg = f"objective must be below {len(search.objectives)}, the number of objectives, got {objective}"
            raise ValueError(msg)
        self._series = HistorySeries(objective, minimise=search.objectives[objective].minimise)
        self._domain = Domain(0.0, 1.0)
        self._end_x = 0.0
        self._num_epochs = 0
        self._make_figure(text.axis(search.objectives[objective]))
        super().__init__(children=[self.figure], **traits)
        self.add_class("hpo-part")
        self.add_class("hpo-plot-host")
        self._follow(search, refresher)
        self.observe(self._on_log_scale, "log_scale")

    def refresh(self, update: Update) -> None:
        """Draw the trials that have ended since the last time."""
        numbers = self._series.put(update.rows)
        shown = self._series.shown() if self._is_first or self._series.has_rewritten else None
        if shown is None:
            fresh = self._series.shown_of(numbers)
            # Only a new value can make another kind of axis the better one.
            is_log = self._domain.is_log if len(fresh) == 0 else self._wants_log()
            shown = None if is_log == self._domain.is_log else self._series.shown()
        self._grow_x(update.search.total_max_jobs)
        if shown is not None:
            self._draw_all(shown)
        else:
            self._draw_more(numbers)
        self._draw_best()
        self._draw_epochs(update.search.epochs, update.search.space)

    def _on_log_scale(self, _change: object) -> None:
        with self._refresher.lock:
            self._draw_all(self._series.shown())
            self._draw_best()

    def _wants_log(self) -> bool:
        if self.log_scale is not None:
            return bool(self.log_scale) and not np.any(self._series.shown() <= 0)
        values = self._series.shown()
        if self._domain.is_log:
            # Once logarithmic it stays so, as long as it can.
            return not np.any(values <= 0)
        return wants_log(values)

    # -- drawing -----------------------------------------------------------------------------

    def _make_figure(self, name: str) -> None:
        self._x = LinearScale(min=0.0, max=1.0, allow_padding=False)
        self._y = LinearScale(min=0.0, max=1.0, allow_padding=False)
        self._lane = LinearScale(min=0.0, max=1.0, allow_padding=False)
        values, lane = {"x": self._x, "y": self._y}, {"x": self._x, "y": self._lane}
        self._tip = Tooltip(fields=["x", "y"], labels=["trial", name], formats=["d", ".4g"], show_labels=True)
        pointed = {"tooltip": self._tip, "stroke_width": 0, "default_size": 40}
        self._completed = GrowingPoints(
            values, num_frozen=5, rgba=(75, 140, 215, 200), colors=[_DOT], opacities=[0.8], **pointed
        )
        self._partial = GrowingPoints(
            values,
            num_frozen=1,
            rgba=(130, 130, 130, 160),
            colors=[_DOT],
            marker="diamond",
            fill=False,
            **{**pointed, "stroke": _DOT, "stroke_width": 1.5},
        )
        self._failed = GrowingPoints(
            lane,
            num_frozen=1,
            rgba=(190, 60, 50, 220),
            colors=[_BAD],
            marker="cross",
            default_size=46,
            stroke_width=0,
        )
        self._strip = Lines(
            x=_NONE, y=_NONE, scales=lane, colors=[_LANE_COLOUR], stroke_width=14, preserve_domain=_FIXED
        )
        self._best_line = Lines(x=_NONE, y=_NONE, scales=values, colors=[_BEST], stroke_width=2, preserve_domain=_FIXED)
        self._best = Scatter(
            x=_NONE, y=_NONE, scales=values, colors=[_BEST], marker="triangle-up", default_size=70,
            stroke_width=0, preserve_domain=_FIXED,
        )  # fmt: skip
        self._epoch_lines = Lines(
            x=_NONE, y=_NONE, scales=lane, colors=[_ACCENT], line_style="dashed", stroke_width=1, preserve_domain=_FIXED
        )
        self._epoch_labels = Label(
            x=_NONE, y=_NONE, text=[], scales=lane, colors=[_ACCENT], default_size=11, font_weight="normal",
            x_offset=5, preserve_domain=_FIXED,
        )  # fmt: skip
        self._axis_x = Axis(scale=self._x, label="trial", tick_format="d", num_ticks=7, grid_lines="none")
        self._axis_y = Axis(scale=self._y, label=name, orientation="vertical", label_offset="52px", grid_lines="solid")
        self.figure = Figure(
            marks=self._marks(),
            axes=[self._axis_x, self._axis_y],
            animation_duration=0,
            fig_margin={"top": 12, "bottom": 42, "left": 68, "right": 16},
            display_toolbar=False,
            padding_y=0.0,
            layout=ipywidgets.Layout(width="auto", height="340px", min_width="0"),
        )

    def _marks(self) -> list[Mark]:
        return [
            self._strip,
            *self._failed.marks,
            self._epoch_lines,
            self._epoch_labels,
            *self._partial.marks,
            *self._completed.marks,
            self._best_line,
            self._best,
        ]

    @property
    def _is_first(self) -> bool:
        return self._end_x == 0.0

    def _grow_x(self, most: int | None) -> None:
        end = float(num_trials_shown(self._series.num_trials, most))
        if end == self._end_x:
            return
        self._end_x = end
        with self._x.hold_sync():
            self._x.min, self._x.max = -0.015 * end, 1.005 * end
        with self._strip.hold_sync():
            self._strip.x, self._strip.y = np.array([self._x.min, self._x.max]), np.array([_LANE_Y, _LANE_Y])
        self._tell_domain()

    def _set_domain(self, domain: Domain) -> None:
        if domain == self._domain:
            return
        if domain.is_log != self._domain.is_log:
            self._change_scale(is_log=domain.is_log)
        self._domain = domain
        with self._y.hold_sync():
            self._y.min, self._y.max = domain.low, domain.high
        self._tell_domain()

    def _change_scale(self, *, is_log: bool) -> None:
        old = self._y
        make = LogScale if is_log else LinearScale
        low, high = (0.1, 1.0) if is_log else (0.0, 1.0)
        self._y = make(min=low, max=high, allow_padding=False)
        scales = {"x": self._x, "y": self._y}
        for points in (self._completed, self._partial):
            points.set_scales(scales)
        self._best_line.scales = scales
        self._best.scales = scales
        self._axis_y.scale = self._y
        old.close()

    def _tell_domain(self) -> None:
        low, high = float(self._x.min), float(self._x.max)
        for points in (self._completed, self._partial):
            points.set_domain((low, high), self._domain)
        self._failed.set_domain((low, high), Domain(0.0, 1.0))

    def _draw_all(self, shown: Floats) -> None:
        self._set_domain(first_domain(shown, is_log=self._wants_log()))
        numbers = np.arange(self._series.num_trials)
        numbers = numbers[self._series.has_ended(numbers)]
        self._completed.reset(*self._series.completed(numbers))
        self._partial.reset(*self._series.partial(numbers))
        failed = self._series.failed(numbers)
        self._failed.reset(failed, np.full(len(failed), _LANE_Y))

    def _draw_more(self, numbers: np.ndarray[Any, Any]) -> None:
        self._set_domain(self._domain.grown(self._series.shown_of(numbers)))
        self._completed.extend(*self._series.completed(numbers))
        self._partial.extend(*self._series.partial(numbers))
        failed = self._series.failed(numbers)
        self._failed.extend(failed, np.full(len(failed), _LANE_Y))

    def _draw_best(self) -> None:
        x, y = self._series.best_so_far()
        if len(x) == 0:
            if len(self._best.x):
                _put(self._best_line, _NONE, _NONE)
                _put(self._best, _NONE, _NONE)
            return
        last = float(self._series.num_trials - 1)
        x, y = np.append(x, last), np.append(y, y[-1])
        drawn_x, drawn_y = np.asarray(self._best_line.x), np.asarray(self._best_line.y)
        is_same = len(drawn_x) == len(x) and np.array_equal(drawn_x[:-1], x[:-1]) and np.array_equal(drawn_y, y)
        if is_same and last - drawn_x[-1] < _FOLLOW * self._end_x:
            return
        _put(self._best_line, x, y)
        if not is_same:
            _put(self._best, x[-2:-1], y[-2:-1])

    def _draw_epochs(self, epochs: Any, space: Space) -> None:
        if len(epochs) == self._num_epochs:
            return
        self._num_epochs = len(epochs)
        changed = [mark for mark in epochs if mark.changed]
        at = np.array([mark.first_number - 0.5 for mark in changed])
        lines_x = np.repeat(at[:, None], 2, axis=1) if len(at) else _NONE
        lines_y = np.tile(np.array([0.0, 1.0]), (len(at), 1)) if len(at) else _NONE
        _put(self._epoch_lines, lines_x, lines_y)
        with self._epoch_labels.hold_sync():
            self._epoch_labels.x = at
            # Two changes close together write on different lines.
            self._epoch_labels.y = _LABEL_Y - 0.05 * (np.arange(len(at)) % 4)
            self._epoch_labels.text = [_epoch_in_words(mark, space) for mark in changed]


def _epoch_in_words(mark: EpochMark, space: Space) -> str:
    changes = [f"{name} {text.range_in_words(chosen, space.leaf(name).kind)}" for name, chosen in mark.changed.items()]
    words = ", ".join(changes[:2]) + (f" and {len(changes) - 2} more" if len(changes) > 2 else "")
    return f"space {mark.epoch + 1}: {words}"


def _put(mark: Mark, x: Floats, y: Floats) -> None:
    with mark.hold_sync():
        mark.x, mark.y = x, y
