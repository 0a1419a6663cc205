"""The bqplot figure of the history: trials by number, the best so far, space epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets
import numpy as np
from bqplot import Label

from hpo_widgets.widget.plots import style
from hpo_widgets.widget.plots.axes import LANE, TIP_FORMAT, UNIT, Domain, even_ticks, ticks_side_by_side
from hpo_widgets.widget.plots.epochs import EpochMarks
from hpo_widgets.widget.plots.figure import FILLS_TAB, tooltip
from hpo_widgets.widget.plots.style import FigureStyle
from hpo_widgets.widget.plots.trial_figure import TrialFigure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from hpo_widgets.widget.plots.series import Floats, Numbers
    from hpo_widgets.widget.plots.trial_series import TrialSeries

_NUM_TICKS = 6
# The axis goes beyond the first and the last trial by this share of it: the ring of a selected one is whole.
_BEYOND = 0.025
# The level of the best so far follows the trials in steps of this share of the axis.
_FOLLOW = 0.005
# Where each trial is better than all before it, the best so far has steps of this share of the axis.
_STEP = 0.01
# A level beyond the axis is drawn so far outside of it, as a share of it.
_OUTSIDE = 0.2
# Half of what two lines beside the lane are apart, as a share of the height.
_LANE_LINE = 0.02
STYLE = FigureStyle(
    margins={"top": 12, "bottom": 44, "left": 72, "right": 26},
    layout=FILLS_TAB,
    font_size="11px",
    num_ticks=_NUM_TICKS,
    label_offset="32px",
    dot=40,
    cross=60,
    best=70,
    lane_y=0.035,
    strip=15,
    picture=(900, 360),
    picture_bytes=10_500,
    num_hot=200,
    num_in_chunk=400,
    num_frozen={"outside": 3, "partial": 2, "inside": 5},
)


class HistoryFigure(TrialFigure):
    """Everything that is drawn; knows numbers and values, but no search.

    Parameters
    ----------
    series
        Values of all trials.
    name
        Name of the objective, at its axis.
    on_click
        Called with what a click on a point says and this figure.
    end_of
        Gives how a trial without a point ended, in a few words.
    """

    def __init__(
        self,
        series: TrialSeries,
        name: str,
        on_click: Callable[[object, TrialFigure], None],
        end_of: Callable[[int], str],
    ) -> None:
        self._end_of = end_of
        layout = ipywidgets.Layout()
        tip = tooltip({"x": ("trial", "d"), "y": (name, TIP_FORMAT)}, layout=layout)
        lane_tip = tooltip({"name": ("trial", "")}, layout=layout)
        running_tip = tooltip({"x": ("running trial", "d"), "y": (f"{name} so far", TIP_FORMAT)}, layout=layout)
        super().__init__(
            STYLE,
            series,
            UNIT,
            tip,
            lane_tip,
            label_x="trial",
            label_y=name,
            title=f"{name} of each trial in order",
            on_click=on_click,
        )
        self.end_x = 0.0
        self._best_line = self._lines(on_values=True, colors=[style.BEST], stroke_width=2)
        # Beside the axis, where the lane has no tick: on the lane each place may be that of a failed trial.
        beside = {"align": "end", "x_offset": -6, "y_offset": 4, "apply_clip": False}
        self._lane_label = style.empty(Label, self._lane, **style.LABEL, **beside)
        self._running = self._over(**style.RUNNING, default_size=STYLE.dot, tooltip=running_tip)
        self.epochs = EpochMarks(self._lane)
        self._below += [self._lane_label, *self.epochs.marks]
        self._above = [self._running, self._best_line, *self._above]
        self._show_marks()

    def draw_lane(self) -> None:
        """Write beside the lane how many trials on it have failed, and how many have completed."""
        counts = self.counts
        # There is room for three digits, or four before "failed".
        drawn = [
            f"{count if count < most else f'{count // 1000}k'} {name}"
            for name, most in (("failed", 10_000), ("not finite", 1_000))
            if (count := counts[name])
        ]
        step = _LANE_LINE * (len(drawn) - 1)
        places = np.linspace(STYLE.lane_y + step, STYLE.lane_y - step, len(drawn)).tolist()
        style.put_labels(
            self._lane_label, [(self.domain_x.low, y, words) for y, words in zip(places, drawn, strict=True)]
        )

    def draw_running(self) -> None:
        """Draw the values so far of running trials; those beyond the axis at its bad end."""
        x, y = self.series.running()
        y = np.clip(y, self.domain.at(LANE), self.domain.high)
        style.put_changed(self._running, x, y, x.astype(np.int32))

    def set_end(self, end: float) -> None:
        """Take the end of the axis of trials."""
        if end != self.end_x:
            self.end_x = end
            self.set_domain_x(Domain(-_BEYOND * end, (1 + _BEYOND) * end))

    def _ticks_x(self, domain: Domain) -> Mapping[str, Any]:
        end = domain.high / (1 + _BEYOND)
        ticks = ticks_side_by_side(lambda most: even_ticks(0, end, most, whole=True), _NUM_TICKS, self._letters)
        return {"tick_values": np.array(ticks), "tick_format": "d"}

    def draw_best_line(self) -> None:
        """Draw the corners of the best so far, and its level up to the last trial.

        The level alone follows only when it got longer by a share of the axis, or shorter, as a replay has gone back.
        """
        x, y = self.series.values.best_so_far(_STEP * self.end_x)
        if len(x) == 0:
            style.put_changed(self._best_line, style.NONE, style.NONE)
            return
        # What lies far beyond the axis has no place in pixels either.
        y = np.clip(y, self.domain.at(-_OUTSIDE), self.domain.at(1 + _OUTSIDE))
        last = float(self.series.values.num_trials - 1)
        x, y = np.append(x, last), np.append(y, y[-1])
        drawn_x, drawn_y = np.asarray(self._best_line.x), np.asarray(self._best_line.y)
        is_same = np.array_equal(drawn_x[:-1], x[:-1]) and np.array_equal(drawn_y, y)
        if not is_same or last < drawn_x[-1] or last - drawn_x[-1] >= _FOLLOW * self.end_x:
            style.put(self._best_line, x, y)

    def _failed_names(self, _x: Floats, numbers: Numbers) -> Any:
        return np.array([f"{number} {self._end_of(number)}" for number in numbers.tolist()], dtype=str)

    def _placed(self, numbers: Numbers) -> tuple[Numbers, Floats, Floats]:
        return numbers, numbers.astype(float), self.series.y(numbers)
