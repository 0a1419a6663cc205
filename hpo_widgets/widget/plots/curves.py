"""The curves: what trials reported over their iterations, those of the best and the selected strong."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
import traitlets as t
from bqplot import Label, LinearScale, Lines, Scatter

from hpo_widgets._messages import run_in_thread
from hpo_widgets.search import Replays
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import text
from hpo_widgets.widget.parts.part import clicked
from hpo_widgets.widget.plots import style
from hpo_widgets.widget.plots.axes import (
    UNIT,
    FittedAxis,
    domain_of_range,
    even_ticks,
    ticks_between,
    ticks_side_by_side,
)
from hpo_widgets.widget.plots.curve_reading import (
    MOST_CURVES,
    MOST_SCALARS,
    ReadCurves,
    grid_places,
    nearest_curve,
    path,
    read_curves,
    spread,
)
from hpo_widgets.widget.plots.figure import FigureAxis, plain_figure, tick_traits
from hpo_widgets.widget.plots.numbers import MOST_ROWS, PlotNumbers
from hpo_widgets.widget.plots.parallel_lines import LineDensity
from hpo_widgets.widget.plots.plot import Plot, number_of
from hpo_widgets.widget.plots.png import density_picture
from hpo_widgets.widget.plots.points import hear_clicks, place_of
from hpo_widgets.widget.sync.flow import act_while_cell_runs
from hpo_widgets.widget.traits import PositiveInt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from concurrent.futures import Future

    from bqplot import Mark

    from hpo_widgets.search import Search
    from hpo_widgets.widget.plots.axes import Domain
    from hpo_widgets.widget.plots.curve_reading import Curve
    from hpo_widgets.widget.sync.refresher import Update

# Seconds between two looks at what was reported: at least, for each second that looking and drawing took, and after a
# look that failed.
_LEAST_PAUSE, _PAUSE_FACTOR, _LONG_PAUSE = 0.05, 4.0, 10.0
# Ends of trials that did not complete are marked on so many curves, the newest; so many of the selected have labels.
_MOST_ENDS, _MOST_LABELS = 200, 12
_REACH = 0.04
# Up to so many faint curves are drawn alike; many more have this share of their opacity.
_FAINT, _FAINTEST = 50, 0.25
_GROWTH = 1.5
_MOST_NAME = 60
# Pixels beside the plot.
_LEFT, _RIGHT = 72, 120
_HOW = (
    'No trial has reported a scalar so far. In a trial: trial.report_scalar("title", "series", value, iteration=epoch)'
)
_HOW_IN_A_TASK = (
    "No trial has reported a scalar so far. In the script: "
    'Logger.current_logger().report_scalar("title", "series", value, iteration=epoch)'
)
_AT_A_SERVER = "The curves of these trials are at the ClearML server, and cannot be played back."
_LINES: dict[str, dict[str, Any]] = {
    "running": {"colors": [style.DOT], "opacities": [0.8], "stroke_width": 1},
    "top": {"colors": [style.DOT], "stroke_width": 2},
    "selected": {"colors": [style.ACCENT], "stroke_width": 2.5},
    "best": {"colors": [style.BEST], "stroke_width": 3},
    "leads": {"colors": [style.TEXT], "opacities": [0.5], "stroke_width": 1, "apply_clip": False},
}
_ENDS: dict[str, dict[str, Any]] = {
    "single": {"colors": [style.DOT], "default_size": 20, "stroke_width": 0},
    "running": {**style.RUNNING, "default_size": 30},
    "ended early": {name: value for name, value in style.HOLLOW.items() if name != "rgb"} | {"default_size": 40},
    "failed": {name: value for name, value in style.CROSS.items() if name != "rgb"} | {"default_size": 50},
}
_EARLY = (TrialState.PRUNED, TrialState.ABORTED)


class CurvesPlot(Plot):
    """Draws what trials have reported of one scalar over their iterations, live.

    Those of the best trials and of the selected ones are strong, with their numbers at the right end; all others are
    faint. A curve that ends with a diamond is of a pruned or aborted trial, one with a cross of a failed one. Curves
    are read in the background and sampled; at most a thousand are drawn, the newest. Of trials whose reports a
    ClearML server keeps only the strong ones are read.

    Parameters
    ----------
    search
        The search to show.
    scalar
        Which scalar: its title and series with a slash between them. Default: the objective; where trials report that
        only once, the scalar that they report most often, as soon as one is completed.
    log_scale
        As in `HistoryPlot`.
    top_k
        So many of the best trials are strong.
    selected
        Numbers of the trials that are strong too; a click on a curve selects it.

    Examples
    --------
    >>> CurvesPlot(optimizer, scalar="train/loss", log_scale=True)  # doctest: +SKIP
    """

    scalar = t.Unicode(help="Two-way. Title and series of the scalar that is shown, with a slash between them.")
    log_scale = t.Bool(None, allow_none=True, help="Logarithmic axis of values: yes, no, or None: where it shows more.")
    top_k = PositiveInt(5, help="How many of the best trials are strong.")

    def __init__(self, search: Search, *, clock: Callable[[], float] = time.monotonic, **keywords: Any) -> None:
        self._clock = clock
        self._answer: Future[ReadCurves] | None = None
        """What is being read of `_asked`."""
        self._asked = ""
        self._not_before, self._look_seconds = -np.inf, 0.0
        self._states = np.empty(0, dtype=np.uint8)
        self._curves: dict[int, Curve] = {}
        """What was read of the scalar, by trial."""
        self._elsewhere: set[int] = set()
        self._shown: list[int] = []
        """The trials whose curves are drawn as far as they were read, the strong ones first."""
        self._strong: list[int] = []
        self._num_trials = self._num_beyond = 0
        self._problem = ""
        self._has_reports = self._is_offering = False
        self._density, self._density_place = LineDensity(), (UNIT, UNIT)
        self._counted: dict[int, Curve] = {}
        """The curves in the picture of the faint ones."""
        self._num_fitted = 0
        self._end = 0.0
        self._width: int | None = None
        """Pixels of the figure on the page; None as long as nobody has said."""
        super().__init__(search, **keywords)

    def make(self, search: Search) -> None:
        """Make the figure."""
        self._is_default = not self.scalar
        self.scalar = self.scalar or search.objectives[self.objective].key
        self._axis = self._make_axis()
        self._titles = {one.key: (one.title, one.series) for one in search.objectives}
        self._x = FigureAxis(
            UNIT,
            lambda domain: tick_traits(self._iterations_along(domain)),
            "iteration",
            label_offset="32px",
            grid_lines="none",
        )
        self._y = FigureAxis(UNIT, lambda domain: tick_traits(ticks_between(domain, 6)), side="left")
        scales = {"x": self._x.scale, "y": self._y.scale}
        # In shares of both axes: in values it would have no place for a moment when an axis turns logarithmic.
        unit = {name: LinearScale(min=0.0, max=1.0, allow_padding=False) for name in ("x", "y")}
        self._faint = style.Picture(
            density_picture(np.zeros((1, 1), dtype=np.int32), style.SOLID["rgb"]),
            scales=unit,
            x=[0.0, 1.0],
            y=[0.0, 1.0],
        )
        self._lines = {name: style.empty(Lines, scales, **traits) for name, traits in _LINES.items()}
        self._ends = {
            name: style.empty(Scatter, scales, **traits, display_names=False) for name, traits in _ENDS.items()
        }
        # They stand beside the plot.
        self._labels = style.empty(Label, scales, **style.LABEL, align="start", x_offset=10, apply_clip=False)
        for mark in (self._faint, *self._ends.values()):
            hear_clicks(mark, self._on_click)
        self.figure = plain_figure(
            [self._faint, *self._lines.values(), *self._ends.values(), self._labels],
            [self._x.axis, self._y.axis],
            "",
            margins={"left": _LEFT, "right": _RIGHT},
        )
        self._chooser = ipywidgets.Dropdown(
            description="scalar", style={"description_width": "initial"}, layout={"width": "auto", "max_width": "70%"}
        )
        self._toggle = ipywidgets.Checkbox(description="log", indent=False, layout={"width": "auto"})
        self._said, self._key = ipywidgets.Label(), ipywidgets.HTML()

    def contents(self) -> list[ipywidgets.Widget]:
        """Return the choice of the scalar, the figure, its legend and what is shown of how many."""
        self.add_class("hpo-plot-host")
        self.add_class("hpo-curves")
        self._offer()
        for control in (self._chooser, self._toggle):
            act_while_cell_runs(control)
        self._chooser.observe(self._on_chosen, "value")
        self._toggle.observe(self._on_toggle, "value")
        self.observe(self._on_scalar, "scalar")
        self.observe(self._on_drawn_otherwise, ["selected", "top_k"])
        self.observe(self._on_log_scale, "log_scale")
        self._said.add_class("hpo-muted")
        controls = ipywidgets.HBox([self._chooser, self._toggle, self._said])
        controls.add_class("hpo-plot-controls")
        return [controls, self.figure, self._key]

    def _iterations_along(self, domain: Domain) -> list[float]:
        """Return the iterations that are written along the axis: fewer where the figure is narrow."""
        room = None if self._width is None else (self._width - _LEFT - _RIGHT) // style.LETTER_WIDTH
        return ticks_side_by_side(lambda most: even_ticks(domain.low, domain.high, most, whole=True), 8, room)

    def refresh(self, update: Update) -> None:
        """Draw what was read, and have more read in the background; what may be saved is read at once."""
        size = self._refresher.flow.plot_size("plot")
        if size is not None and size[0] != self._width:
            self._width = size[0]
            self._x.draw_ticks()
        rows = update.rows
        missing_states = int(rows.numbers.max(initial=-1)) + 1 - len(self._states)
        self._states = np.concatenate([self._states, np.zeros(max(missing_states, 0), dtype=np.uint8)])
        self._states[rows.numbers] = rows.state
        if self._answer is not None and self._answer.done():
            answer, self._answer = self._answer, None
            self._take(answer)
        now = self._clock()
        if not update.at_once and (self._answer is not None or now < self._not_before):
            return
        self._choose(update)
        before: tuple[str, int] | None = None
        while update.at_once and (missing := self._missing()) and (self.scalar, len(missing)) != before:
            before = self.scalar, len(missing)
            self._keep(read_curves(update.search, missing, self.scalar, ()))
            if not update.is_kept and self.scalar == before[0]:
                break
        if self._answer is None and not update.is_kept and (missing := self._missing()):
            search, scalar, strong = update.search, self.scalar, self._strong
            self._asked = scalar
            self._answer = run_in_thread(
                "hpo_widgets curves", lambda: read_curves(search, missing, scalar, strong), self._refresher.poke
            )
        self._draw()
        pause = max(_LEAST_PAUSE, _PAUSE_FACTOR * (self._clock() - now + self._look_seconds))
        self._not_before = max(self._not_before, self._clock() + pause)

    def forget(self) -> None:
        """Drop all curves but those of trials that have ended all the same; what is being read is not waited for."""
        rows = self.search.snapshot()
        ended = set(rows.numbers[rows.state >= TrialState.COMPLETED].tolist())
        self._curves = {one: curve for one, curve in self._curves.items() if one in ended and curve.state.has_ended}
        self._states, self._answer, self._not_before = np.empty(0, dtype=np.uint8), None, -np.inf
        self._shown, self._strong, self._elsewhere = [], [], set()
        self._fit_anew()

    def numbers(self) -> PlotNumbers:
        """Return what is drawn of each curve: its first, last, least and greatest value, the strong ones first."""
        with self._refresher.lock:
            drawn = self._drawn()
            rows: list[tuple[Any, ...]] = [
                (
                    f"#{number}", int(curve.x[0]), float(curve.y[0]), int(curve.x[-1]), float(curve.y[-1]),
                    float(curve.y.min()), float(curve.y.max()), curve.state.label,
                )
                for number, curve in list(drawn.items())[:MOST_ROWS]
            ]  # fmt: skip
        columns = ("trial", "first iteration", "value", "last iteration", "last value", "least", "greatest", "state")
        words = f"curves of {self.scalar}, the best and the selected first"
        return PlotNumbers(columns, rows, len(drawn), words, "search.trial(number).get_reported_scalars()")

    def _take_objective(self) -> None:
        """Show the objective, unless somebody looks at another scalar."""
        if any(self.scalar == one.key for one in self.search.objectives):
            self.scalar = self.search.objectives[self.objective].key
            self._is_default = True
        super()._take_objective()

    def _choose(self, update: Update) -> None:
        """Choose the trials that are shown, and those that are strong."""
        passes = update.passing(self.filter)
        is_shown = self._states >= TrialState.RUNNING
        if passes is not None:
            is_shown &= passes[: len(is_shown)]
        started = np.flatnonzero(is_shown)
        self._num_trials = len(started)
        top = [trial.number for trial in update.search.top(min(self.top_k, MOST_CURVES))]
        strong = [one for one in dict.fromkeys([*top, *self.selected]) if one < len(is_shown) and is_shown[one]]
        self._strong = strong[:MOST_CURVES]
        running = np.flatnonzero(is_shown & (self._states == TrialState.RUNNING)).tolist()
        newest = started[::-1][:MOST_CURVES].tolist()
        self._shown = list(dict.fromkeys([*self._strong, *running, *newest]))[:MOST_CURVES]
        # Those that were shown before may be shown again when the filter changes.
        if len(self._curves) > 4 * MOST_CURVES:
            self._curves = {one: self._curves[one] for one in self._shown if one in self._curves}

    def _missing(self) -> dict[int, Curve | None]:
        """Return the trials whose curves are not known yet, or may have grown, with what is known."""
        if self._shown and self._refresher.is_hidden(self) and self.search.trial(self._shown[0]).is_elsewhere:
            return {}  # a server is asked for what somebody looks at
        strong = set(self._strong)
        return {
            number: self._curves.get(number)
            for number in self._shown
            if (number not in self._curves or not self._curves[number].state.has_ended)
            and (number not in self._elsewhere or number in strong)
        }

    def _take(self, answer: Future[ReadCurves]) -> None:
        error = answer.exception()
        self._problem = "" if error is None else f"The curves cannot be read now: {error}"
        if error is not None:
            self._not_before = self._clock() + _LONG_PAUSE
            return
        self._look_seconds = answer.result().seconds
        if self._asked == self.scalar:
            self._keep(answer.result())

    def _keep(self, found: ReadCurves) -> None:
        self._curves |= found.curves
        self._has_reports |= bool(found.scalars)
        self._elsewhere = (self._elsewhere | found.elsewhere) - found.curves.keys()
        if found.scalars.keys() - self._titles.keys():
            self._titles = dict(list({**self._titles, **found.scalars}.items())[:MOST_SCALARS])
            self._offer()
        longest = max(found.longest, key=found.longest.__getitem__, default=self.scalar)
        if self._is_default and found.longest.get(longest, 0) > 1:
            self._is_default = False
            if found.longest.get(self.scalar, 0) <= 1:
                self.scalar = longest

    def _drawn(self) -> dict[int, Curve]:
        """Return the curves that are drawn, the strong ones first."""
        known = {number: self._curves[number] for number in self._shown if number in self._curves}
        return {number: curve for number, curve in known.items() if len(curve.x)}

    def _draw(self) -> None:
        drawn = self._drawn()
        self._fit(drawn)
        best = self.search.best_trial if len(self.search.objectives) == 1 else None
        strong = [number for number in self._strong if number in drawn]
        groups = {
            "best": [number for number in strong if best is not None and number == best.number],
            "selected": [number for number in strong if number in self.selected],
            "running": [number for number, curve in drawn.items() if not curve.state.has_ended],
        }
        groups["top"] = [number for number in strong if number not in {*groups["best"], *groups["selected"]}]
        for name, numbers in groups.items():
            style.put_changed(self._lines[name], *path(drawn[number] for number in numbers))
        faint = {number: drawn[number] for number in drawn.keys() - strong if drawn[number].state.has_ended}
        self._draw_faint(faint)
        states = {
            "single": [number for number, curve in drawn.items() if len(curve.x) == 1],
            "running": groups["running"],
            "ended early": [number for number, curve in drawn.items() if curve.state in _EARLY],
            "failed": [number for number, curve in drawn.items() if curve.state is TrialState.FAILED],
        }
        for name, numbers in states.items():
            self._draw_ends(self._ends[name], drawn, numbers)
        self._draw_labels({number: drawn[number] for number in strong[:_MOST_LABELS]}, groups["best"])
        self._say(len(drawn), len(faint), groups, states)

    def _fit(self, drawn: Mapping[int, Curve]) -> None:
        """Have the axes hold all curves, but for a few that end far beyond the others; they grow in steps."""
        last = np.array([curve.y[-1] for curve in drawn.values()], dtype=float)
        is_beyond = self._axis.are_beyond_bulk(last)
        self._num_beyond = int(is_beyond.sum())
        held = [curve.y for curve, beyond in zip(drawn.values(), is_beyond.tolist(), strict=True) if not beyond]
        values = np.concatenate([style.NONE, *held])
        is_new = len(drawn) >= 2 * self._num_fitted
        self._num_fitted = len(drawn) if is_new else self._num_fitted
        self._axis.fit(values, anew=is_new)
        self._y.set_domain(self._axis.domain, self.figure)
        if self._toggle.value != self._axis.domain.is_log:
            self._toggle.value = self._axis.domain.is_log
        low = min((float(curve.x[0]) for curve in drawn.values()), default=0.0)
        ended, running = (
            max((float(curve.x[-1]) for curve in drawn.values() if curve.state.has_ended is has_ended), default=low)
            for has_ended in (True, False)
        )
        if running <= ended:
            self._end = ended
        elif running > self._end:
            self._end = low + _GROWTH * (running - low)
        self._x.set_domain(domain_of_range(low, max(self._end, low), is_log=False), self.figure)

    def _fit_anew(self) -> None:
        """Have the next drawing choose the ends of both axes by what is shown then, not by what they have held."""
        self._num_fitted, self._end = 0, 0.0

    def _draw_faint(self, curves: Mapping[int, Curve]) -> None:
        """Draw curves as a picture of where many run; only those that came and went are counted."""
        place = self._x.domain, self._y.domain
        is_stale = place != self._density_place and bool(self._counted)
        if place != self._density_place:
            self._density, self._density_place, self._counted = LineDensity(), place, {}
        come = {number: curve for number, curve in curves.items() if number not in self._counted}
        gone = {number: curve for number, curve in self._counted.items() if number not in curves}
        for changed, times in ((come, 1), (gone, -1)):
            if changed:
                self._density.add(grid_places(list(changed.values()), *place), times)
        if come or gone or is_stale:
            self._counted = dict(curves)
            opacity = _FAINTEST + (1 - _FAINTEST) * _FAINT / max(_FAINT, len(curves))
            picture = density_picture(self._density.counts, style.SOLID["rgb"], least_opacity=0.4 * opacity)
            self._faint.put(picture)

    @staticmethod
    def _draw_ends(mark: Mark, drawn: Mapping[int, Curve], numbers: Iterable[int]) -> None:
        some = sorted(numbers)[-_MOST_ENDS:]
        x, y = (np.array([getattr(drawn[number], end)[-1] for number in some], dtype=float) for end in ("x", "y"))
        style.put_changed(mark, x, y, np.array(some, dtype=np.int32))

    def _draw_labels(self, curves: Mapping[int, Curve], best: Sequence[int]) -> None:
        """Write the numbers of curves at the right end, with a line from the end of each."""
        x, y = self._x.domain, self._y.domain
        last_x = np.array([curve.x[-1] for curve in curves.values()], dtype=float)
        last_y = np.array([curve.y[-1] for curve in curves.values()], dtype=float)
        at = np.array([y.at(place) for place in spread(y.place(last_y)).tolist()])
        words = [
            f"{'▲ ' if number in best else ''}#{number}  {text.number(curve.y[-1])}" for number, curve in curves.items()
        ]
        style.put_labels(self._labels, [(x.high, place, word) for place, word in zip(at.tolist(), words, strict=True)])
        ends = (last_x, np.full(len(at), x.high)), (last_y, at)
        style.put_changed(self._lines["leads"], *style.broken_line(*(np.stack(pair, axis=1) for pair in ends)))

    def _say(
        self, num_drawn: int, num_faint: int, groups: Mapping[str, Sequence[int]], states: Mapping[str, Sequence[int]]
    ) -> None:
        counts = {name: len(some) for name, some in {**groups, **states}.items()}
        entries = (
            ("━", style.BEST, 1, "best", counts["best"]),
            ("━", style.DOT, 1, f"top {self.top_k}", counts["top"]),
            ("━", style.ACCENT, 1, "selected", counts["selected"]),
            ("─", style.DOT, 0.5, "others", num_faint),
            ("○", style.DOT, 1, "running", counts["running"]),
            ("◇", style.DOT, 1, "pruned or aborted", counts["ended early"]),
            ("✕", style.BAD, 1, "failed", counts["failed"]),
        )
        self._key.value = style.legend(entries)
        self._said.value = self._problem or self._sentence(num_drawn)

    def _sentence(self, num_drawn: int) -> str:
        """Say how many curves are drawn, or why none is."""
        if num_drawn:
            beyond = f", {self._num_beyond} beyond the axis" if self._num_beyond else ""
            return f"{num_drawn:,} of {text.counted(self._num_trials, 'trial')}{beyond}"
        if not self._num_trials or self._missing() or self._answer is not None:
            return ""
        if not self._has_reports:
            if not self.search.trial(self._shown[0]).is_elsewhere:
                return _HOW
            return _AT_A_SERVER if isinstance(self.search, Replays) else _HOW_IN_A_TASK
        return f"No trial that is shown has reported {text.short(self.scalar, _MOST_NAME)}."

    def _offer(self) -> None:
        """Offer the scalars that were seen, and the one that is shown."""
        titles = {**self._titles, self.scalar: self._titles.get(self.scalar, ("", self.scalar))}
        options = [
            (text.short(" / ".join(dict.fromkeys(filter(None, names))), _MOST_NAME), key)
            for key, names in titles.items()
        ]
        if list(self._chooser.options) != options:
            self._is_offering = True
            self._chooser.options = options
        self._chooser.value = self.scalar
        self._is_offering = False
        self.figure.title = f"{self._chooser.label} of each trial over its iterations"

    def _on_chosen(self, change: Mapping[str, Any]) -> None:
        if not self._is_offering and change["new"] is not None:
            self.scalar = change["new"]

    def _on_scalar(self, _change: object) -> None:
        with self._refresher.lock:
            self._is_default = False
            self._curves, self._axis = {}, self._make_axis()
            self._fit_anew()
            self._density_place = UNIT, UNIT
            self._offer()
            self._on_drawn_otherwise(None)

    def _on_drawn_otherwise(self, _change: object) -> None:
        """Draw again soon."""
        self._not_before = -np.inf
        self._refresher.poke()

    def _on_filter(self, change: object) -> None:
        with self._refresher.lock:
            self._fit_anew()
        self._not_before = -np.inf
        super()._on_filter(change)

    def _on_log_scale(self, _change: object) -> None:
        with self._refresher.lock:
            self._axis.log_scale, self._num_fitted = self.log_scale, 0
            self._draw()

    def _make_axis(self) -> FittedAxis:
        directions = {one.key: one.minimise for one in self.search.objectives}
        return FittedAxis(self.log_scale, minimise=directions.get(self.scalar, True), holds_all=True)

    def _on_toggle(self, change: Mapping[str, Any]) -> None:
        if change["new"] != self._axis.domain.is_log:
            self.log_scale = change["new"]
            self._toggle.value = self._axis.domain.is_log  # values of 0 have no place on a logarithmic axis

    def _on_click(self, said: object) -> None:
        """Select the trial whose curve was clicked; what the browser says is checked, and nonsense ignored."""
        if not isinstance(said, dict):
            return
        with self._refresher.lock:
            place = place_of(said)
            drawn = self._drawn()
            if place is None:
                number = number_of(said.get("name"))
            else:  # shares of both axes
                number = nearest_curve(drawn, self._x.domain.at(place[0]), place[1], self._y.domain, _REACH)
            if number in drawn:
                self.selected = clicked(self.selected, int(number or 0), adds=self._refresher.flow.adds)
            elif place is not None:
                self.selected = []
