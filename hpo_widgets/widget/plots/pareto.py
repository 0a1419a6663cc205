"""Two objectives against each other: every trial, and the front of those that no other trial dominates."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
import traitlets as t

from hpo_widgets.objectives.pareto import pareto_front
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import text
from hpo_widgets.widget.parts.part import close_tree
from hpo_widgets.widget.plots import style
from hpo_widgets.widget.plots.axes import TIP_DIGITS, TIP_FORMAT, UNIT, FittedAxis, clip_objective
from hpo_widgets.widget.plots.figure import tooltip
from hpo_widgets.widget.plots.history_figure import STYLE
from hpo_widgets.widget.plots.numbers import passing_rows, trial_numbers
from hpo_widgets.widget.plots.plot import TrialPlot
from hpo_widgets.widget.plots.series import ObjectiveValues, corners
from hpo_widgets.widget.plots.trial_figure import TrialFigure
from hpo_widgets.widget.plots.trial_series import TrialSeries
from hpo_widgets.widget.sync.flow import act_while_cell_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bqplot import Scatter, Tooltip

    from hpo_widgets.objectives import Objective
    from hpo_widgets.search import Search
    from hpo_widgets.space import Space
    from hpo_widgets.trials.columns import Rows
    from hpo_widgets.trials.filter import Mask
    from hpo_widgets.widget.plots.numbers import PlotNumbers
    from hpo_widgets.widget.plots.series import Floats, Numbers


class PairSeries(TrialSeries):
    """Values of all objectives by trial number, two of which are shown: one across and one up.

    Parameters
    ----------
    objectives
        All objectives of the search, at least two.
    space
        The space as it is now.
    """

    def __init__(self, objectives: Sequence[Objective], space: Space) -> None:
        super().__init__(1, minimise=objectives[1].minimise, space=space)
        self._minimise = [one.minimise for one in objectives]
        self._all = [ObjectiveValues(index, minimise=minimise) for index, minimise in enumerate(self._minimise)]
        self.show((0, 1))

    def show(self, pair: tuple[int, int]) -> None:
        """Show these objectives: the first one across, the second one up."""
        self._pair = pair
        self.values = self._all[pair[1]]
        self._forget_front()

    def _forget_front(self) -> None:
        """Have the fronts found again among all trials."""
        self._candidates: dict[tuple[int, ...], Numbers] = {}
        """By objectives: the front that was found last, and the trials that have ended since."""

    def put(self, rows: Rows) -> Numbers:
        """Take changed rows; returns the numbers of the trials that are to be drawn and were not."""
        others = [one for one in self._all if one is not self.values]
        for one in others:
            one.put(rows)
        fresh = super().put(rows)
        self.values.has_rewritten |= any(one.has_rewritten for one in others)
        self._candidates = {shown: np.union1d(some, fresh) for shown, some in self._candidates.items()}
        if self.values.has_rewritten:
            self._forget_front()
        return fresh

    def let_pass(self, passes: Mask | None, fresh: Numbers) -> bool:
        """Leave out the trials that do not pass a filter; see `TrialSeries.let_pass`."""
        has_changed = super().let_pass(passes, fresh)
        if has_changed:
            self._forget_front()
        return has_changed

    def across(self, numbers: Numbers) -> Floats:
        """Values of the objective that is shown across; NaN where there is none."""
        return self._finite(self._pair[0], numbers)

    def _finite(self, objective: int, numbers: Numbers) -> Floats:
        values = self._all[objective].values[numbers]
        return np.where(np.isfinite(values), clip_objective(values), np.nan)

    def shown_across(self, numbers: Numbers) -> Floats:
        """Values across of those of some trials that are drawn, in no particular order."""
        x = self.across(np.concatenate([self.values.completed(numbers), self.values.partial(numbers)]))
        return x[np.isfinite(x)]

    def front_values(self, objective: int) -> Floats:
        """Values of an objective on the front of the two that are shown."""
        return self._finite(objective, self.front())

    def front(self) -> Numbers:
        """Completed trials that no other one dominates in both objectives, from the best across to the best up."""
        front = self._undominated(self._pair)
        across = self.across(front)
        return front[np.argsort(across if self._minimise[self._pair[0]] else -across, kind="stable")]

    def front_of_all(self) -> Numbers:
        """Completed trials of which no other one is better in one of all objectives and as good in the others."""
        return self._undominated(tuple(range(len(self._all))))

    def _undominated(self, objectives: tuple[int, ...]) -> Numbers:
        candidates = self._candidates[objectives] if objectives in self._candidates else self.ended()
        completed = self.values.completed(self.passing(candidates))
        values = np.stack([self._finite(index, completed) for index in objectives], axis=1)
        # What one of the front dominates stays dominated.
        front: Numbers = completed[pareto_front(values, [self._minimise[index] for index in objectives])]
        self._candidates[objectives] = front
        return front


class ParetoFigure(TrialFigure):
    """Everything that is drawn; knows two axes of values, but no search.

    Parameters
    ----------
    series
        Values of all trials.
    names
        Names of the objectives across and up.
    on_click
        Called with what a click on a point says and this figure.
    """

    series: PairSeries

    def __init__(
        self,
        series: PairSeries,
        names: tuple[str, str],
        on_click: Callable[[object, TrialFigure], None],
    ) -> None:
        tip = tooltip({"name": ("trial", ""), "x": (names[0], TIP_FORMAT), "y": (names[1], TIP_FORMAT)})
        super().__init__(
            STYLE,
            series,
            UNIT,
            tip,
            tooltip({"name": ("trial", "")}),
            label_x=names[0],
            label_y=names[1],
            title=f"{names[1]} of each trial against {names[0]}, with the trials that no other dominates",
            on_click=on_click,
        )
        self._steps = self._lines(on_values=True, colors=[style.BEST], stroke_width=2)
        self._front = self._over(colors=[style.BEST], default_size=STYLE.dot, stroke_width=0, tooltip=tip)
        self._front_of_all: Scatter | None = None
        """Made with the first trial that it marks."""
        self._above = [self._steps, self._front, self._selected]
        self._show_marks()

    def _make_clouds(self, tip: Tooltip, lane_tip: Tooltip) -> dict[str, Any]:
        clouds = super()._make_clouds(tip, lane_tip)
        del clouds["failed"]  # such a trial has no value, and so no place
        return clouds

    def draw_front(self, numbers: Numbers) -> None:
        """Draw the trials of the front, which come from one end to the other, and its line."""
        self._mark(self._front, numbers)
        style.put_changed(self._steps, *corners(self.series.across(numbers), self.series.y(numbers)))

    def draw_front_of_all(self, numbers: Numbers) -> None:
        """Mark trials that are on the front for an objective that is not shown, but for those beyond an axis."""
        numbers = self._within(numbers)
        if self._front_of_all is None and len(numbers):
            look: dict[str, Any] = {"stroke": style.BEST, "stroke_width": 1.5, "default_size": STYLE.dot}
            # Without a fill only the rim would hear a click.
            self._front_of_all = self._over(colors=[style.SURFACE], **look, tooltip=self._front.tooltip)
            self._above.insert(0, self._front_of_all)
            self._show_marks()
        if self._front_of_all is not None:
            self._mark(self._front_of_all, numbers)

    def _placed(self, numbers: Numbers) -> tuple[Numbers, Floats, Floats]:
        x = self.series.across(numbers)
        kept = numbers[is_known := np.isfinite(x)]
        return kept, x[is_known], self.series.y(kept)

    def _is_beyond(self, x: Floats, y: Floats) -> Mask:
        return self.domain_x.is_beyond(x) | super()._is_beyond(x, y)

    def _at_edge(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        domain = self.domain_x
        edge = np.array([domain.at(share) for share in domain.place_drawn(x)], dtype=float)
        return np.where(domain.is_beyond(x), edge, x), self.domain.place_drawn(y)

    def _beyond_names(self, x: Floats, numbers: Numbers) -> Any:
        """Name trials beyond an axis, with both values."""
        values = zip(self.series.across(numbers).tolist(), self.series.y(numbers).tolist(), strict=True)
        words = (" · ".join(text.number(value, TIP_DIGITS) for value in pair) for pair in values)
        return np.array(
            [f"{name} · {said}" for name, said in zip(self._names(x, numbers), words, strict=True)], dtype=str
        )


class ParetoPlot(TrialPlot):
    """Draws two objectives of each trial against each other, live, with their Pareto front.

    The front is orange with a line along its steps: no trial lies beyond it. Of three or more objectives
    it is that of the two that are shown; what else is on the front of all has an orange rim. Other completed trials are
    dots, faint where they are outside the present ranges, pruned and aborted ones with both values hollow diamonds.
    Failed trials are not shown. Triangles at the edge are trials far beyond the bulk of an objective's values.

    Parameters
    ----------
    search
        The search to show; it has two or more objectives.
    pair
        Indices of the objectives across and up, from 0. Default: the first two.
    log_scale
        Whether both axes are logarithmic; by default each where it shows more, as in `HistoryPlot`.
    selected
        Numbers of the trials that are ringed; a click on a trial selects it.

    Raises
    ------
    ValueError
        For a search with one objective.

    Examples
    --------
    >>> ParetoPlot(optimizer)  # doctest: +SKIP
    """

    pair = t.Tuple(
        t.Int(min=0), t.Int(min=0), default_value=(0, 1), help="Two-way. The objectives across and up, by index."
    )

    _series: PairSeries

    @classmethod
    def check(cls, search: Search) -> None:
        """Refuse a search with one objective."""
        if len(search.objectives) < 2:
            raise ValueError(
                f"a Pareto front needs two objectives, and the search has one, {search.objectives[0].key!r}: "
                "look at its History"
            )

    def make(self, search: Search) -> None:
        """Make the figure."""
        self._axis_x, self._axis = map(self._make_axis, self.pair)
        self._series = self._make_series(search)
        self._names = [text.axis(one) for one in search.objectives]
        self._key = ipywidgets.HTML()
        self._host = ipywidgets.Box()
        self._host.add_class("hpo-plot-host")
        # Of two objectives there is nothing to choose.
        words = ("Across", "Up") if len(self._names) > 2 else ()
        self._choosers = [
            ipywidgets.Dropdown(
                options=[(text.short(name, 60), index) for index, name in enumerate(self._names)],
                value=place,
                description=word,
            )
            for place, word in enumerate(words)
        ]
        self._drawing = self._make_figure((0, 1))

    def _make_series(self, search: Search) -> PairSeries:
        series = PairSeries(search.objectives, search.space)
        series.show(self.pair)
        return series

    def _make_axis(self, objective: int) -> FittedAxis:
        """Return an axis that follows the bulk of the values, but holds the front, which may be bad in one of them."""
        minimise = self.search.objectives[objective].minimise
        held = partial(self._front_values, objective)
        return FittedAxis(self.log_scale, minimise=minimise, always_held=held)

    def _front_values(self, objective: int) -> Floats:
        return self._series.front_values(objective)

    def _make_figure(self, pair: tuple[int, int]) -> ParetoFigure:
        drawing = ParetoFigure(self._series, (self._names[pair[0]], self._names[pair[1]]), self._on_click)
        self._host.children = [drawing.figure]
        return drawing

    def contents(self) -> list[ipywidgets.Widget]:
        """Return the choice of objectives where there are more than two, the figure and its legend."""
        self.add_class("hpo-plot-host")
        self.observe(self._on_pair, "pair")
        if self.pair != (0, 1):
            self._on_pair(None)
        if not self._choosers:
            return [self._host, self.make_foot(self._key)]
        for place, chooser in enumerate(self._choosers):
            act_while_cell_runs(chooser)
            chooser.observe(lambda change, place=place: self._on_chosen(place, change["new"]), "value")
        controls = ipywidgets.HBox(self._choosers)
        controls.add_class("hpo-plot-controls")
        return [controls, self._host, self.make_foot(self._key)]

    @property
    def figures(self) -> tuple[ParetoFigure]:
        """What is drawn: one figure."""
        return (self._drawing,)

    def numbers(self) -> PlotNumbers:
        """Return the front of both objectives, then the other trials, the newest first."""
        rows = passing_rows(self.search, self.filter)
        completed = np.flatnonzero(rows.state == TrialState.COMPLETED)
        values = np.where(np.isfinite(rows.values), rows.values, np.nan)[completed]

        def front_of(objectives: Sequence[int]) -> list[int]:
            minimise = [self.search.objectives[index].minimise for index in objectives]
            found: list[int] = rows.numbers[completed[pareto_front(values[:, objectives], minimise)]].tolist()
            return found

        count, front = len(self._names), front_of(self.pair)
        fronts = {"front": set(front)}
        if count > 2:
            fronts[f"front of all {count}"] = set(front_of(range(count)))
        numbers = [*front, *np.setdiff1d(rows.numbers, front)[::-1].tolist()]
        more = {
            heading: lambda trial, some=some: "on the front" if trial.number in some else ""
            for heading, some in fronts.items()
        }
        return trial_numbers(
            self.search,
            numbers,
            "trials, the front first, then the newest",
            objectives=self.pair,
            more=more,
        )

    def _make_room(self, fresh: Numbers) -> bool:
        series, before = self._series, (self._axis_x.domain, self._axis.domain)
        has_moved = self._axis_x.extend(series.shown_across(series.passing(fresh)), self._shown_across)
        has_moved |= super()._make_room(fresh)
        # Trials at an edge are drawn at its value across.
        has_other_edge = before != (self._axis_x.domain, self._axis.domain) and self._drawing.counts["beyond"] > 0
        return has_moved or has_other_edge

    def _shown_across(self) -> Floats:
        return self._series.shown_across(self._series.passing(np.arange(self._series.values.num_trials)))

    def _draw_everything(self) -> None:
        self._axis_x.log_scale = self.log_scale
        self._axis_x.fit(self._shown_across())
        super()._draw_everything()

    def _draw(self, groups: Mapping[str, Numbers], *, is_new: bool = False) -> None:
        self._drawing.set_domain_x(self._axis_x.domain)
        super()._draw(groups, is_new=is_new)

    def _draw_best(self) -> None:
        drawing = self._drawing
        front = self._series.front()
        drawing.draw_front(front)
        has_more = len(self._names) > 2
        elsewhere = np.setdiff1d(self._series.front_of_all(), front) if has_more else front[:0]
        drawing.draw_front_of_all(elsewhere)
        counts = drawing.counts
        beyond = counts["beyond"]
        drawn = (
            ("●", style.BEST, 1, f"not dominated{' in these two' if has_more else ''}", len(front)),
            ("○", style.BEST, 1, f"not dominated in all {len(self._names)}", len(elsewhere)),
            ("●", style.DOT, 1, "completed", counts["inside"]),
            ("●", style.DOT, 0.5, "outside the ranges", counts["outside"]),
            ("◇", style.DOT, 1, style.hollow(self.filter), counts["partial"]),
            (style.BEYOND[self._series.values.minimise], style.DOT, 1, f"{beyond} beyond an axis", beyond),
            ("□", style.TEXT, 1, "enqueued", len(self._series.enqueued())),
        )
        self._key.value = style.legend(drawn)

    @t.validate("pair")
    def _check_pair(self, proposal: Mapping[str, Any]) -> tuple[int, int]:
        pair: tuple[int, int] = proposal["value"]
        count = len(self.search.objectives)
        if max(pair) >= count or pair[0] == pair[1]:
            raise t.TraitError(f"pair names two of the {count} objectives by index, from 0, got {pair}")
        return pair

    def _on_pair(self, _change: object) -> None:
        with self._refresher.lock:
            old = self._drawing
            self._series.show(self.pair)
            self._axis_x, self._axis = map(self._make_axis, self.pair)
            self._drawing = self._make_figure(self.pair)
            close_tree(old.figure)
            for chooser, index in zip(self._choosers, self.pair, strict=bool(self._choosers)):
                chooser.value = index
            self._draw_everything()

    def _on_chosen(self, place: int, index: int) -> None:
        """Show what was chosen; the same objective twice swaps the two."""
        pair = list(self.pair)
        if pair[1 - place] == index:
            pair[1 - place] = pair[place]
        pair[place] = index
        self.pair = tuple(pair)
