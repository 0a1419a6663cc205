"""What all plots of trials share: following a search, drawing what is new, the filter, the selection."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
import traitlets as t

from hpo_widgets.trials.filter import comparable_ranges
from hpo_widgets.widget import text
from hpo_widgets.widget.parts.part import Following, clicked, close_half_made, close_tree
from hpo_widgets.widget.plots import style
from hpo_widgets.widget.plots.axes import FittedAxis
from hpo_widgets.widget.plots.numbers import NumbersTable, PlotNumbers, mark_numbers, passing_rows, trial_numbers
from hpo_widgets.widget.plots.points import place_of, settle_one
from hpo_widgets.widget.plots.trial_figure import BACKGROUND, EMPTY_PLACE
from hpo_widgets.widget.plots.trial_series import TrialSeries
from hpo_widgets.widget.sync.flow import FlowView, act_while_cell_runs
from hpo_widgets.widget.traits import (
    BoxTrait,
    FilterTrait,
    ObjectiveIndex,
    PointTrait,
    TrialNumbers,
    refuse_unknown,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import bqplot

    from hpo_widgets.search import Search
    from hpo_widgets.widget.plots.series import Numbers
    from hpo_widgets.widget.plots.trial_figure import TrialFigure
    from hpo_widgets.widget.sync.refresher import Refresher, Update

# So many of the selected and of the enqueued trials are marked at most, the last ones.
_MOST_MARKED = 500
_MOST_OPTION = 60


class Plot(Following, ipywidgets.VBox):
    """A live plot: what is common to all of them.

    A subclass makes what is drawn in `make`, says in `contents` what is shown from top to bottom, and draws in
    `refresh`; what it says in `numbers` is shown as a table when somebody asks for it.

    Parameters
    ----------
    search
        The search to show.
    """

    objective = ObjectiveIndex(help="Two-way. Index of the objective that is drawn, from 0.")
    filter = FilterTrait(help="Two-way. The trials that are shown: a TrialFilter, or a dict of its fields.")
    selected = TrialNumbers(help="Two-way. Numbers of the selected trials.")
    box = BoxTrait(help="Two-way. What was brushed: parameter name to (low, high), or to choices; empty: nothing.")
    point = PointTrait(help="Two-way. Values, by parameter name, at an empty place that was clicked; empty: none.")

    objective_chooser: ipywidgets.Dropdown | None = None
    """Where a person chooses the objective; None where there is one only, or the plot shows all of them."""

    def __init__(
        self, search: Search, *, refresher: Refresher | None = None, hidden: bool = False, **traits: Any
    ) -> None:
        refuse_unknown(type(self), traits)
        self.check(search)
        self._shown_search = search
        before = frozenset(vars(self))
        super().__init__(**traits)
        self._take_refresher(search, refresher)
        try:
            self._make_all(search, hidden=hidden)
        except BaseException:
            if self._owns_refresher:
                self._refresher.close()
            close_half_made(self, before, kept=traits.get("layout"))  # which is that of all parts of a panel
            raise

    def _make_all(self, search: Search, *, hidden: bool) -> None:
        self.make(search)
        contents = self.contents()  # before anything follows the search: a plot of somebody's own may fail here
        self._numbers_table = NumbersTable(
            search,
            make=self.numbers,
            title=type(self).__name__.removesuffix("Plot"),
            refresher=self._refresher,
            layout=self.layout_of_parts,
        )
        self.children = [*contents, self._numbers_table]
        if self._owns_refresher:
            # A figure of bqplot acknowledges nothing by itself.
            view = FlowView()
            self._refresher.flow.follow(view)
            self.children = [*self.children, view]
        self.add_class("hpo-part")
        self.add_class("hpo-plot")
        self._refresher.add(self, hidden=hidden, is_drawn=True)
        self.observe(self._on_filter, "filter")
        self.observe(self._on_objective, "objective")

    @property
    def search(self) -> Search:
        """The search that is shown."""
        return self._shown_search

    @cached_property
    def layout_of_parts(self) -> ipywidgets.Layout:
        """One for all that the style sheet lays out: each widget costs a page time, and a layout is one."""
        return ipywidgets.Layout()

    def _on_filter(self, _change: object) -> None:
        """Have `refresh` called, which looks at the filter."""
        self._refresher.poke()
        if self._numbers_table.is_open:
            self._numbers_table.make_again()

    @property
    def objective_name(self) -> str:
        """The objective that is drawn, as an axis names it."""
        return text.axis(self.search.objectives[self.objective])

    def _on_objective(self, _change: object) -> None:
        with self._refresher.lock:
            self._take_objective()
            if self._numbers_table.is_open:
                self._numbers_table.make_again()

    def _take_objective(self) -> None:
        """Draw another objective; a subclass makes anew what goes by it, but for the trials, before."""
        self._refresher.show_anew(self)

    def _show_instead(self, old: bqplot.Figure, new: bqplot.Figure) -> None:
        """Show a figure in the place of another one, which is closed."""
        self.children = [new if one is old else one for one in self.children]
        close_tree(old)

    def _make_chooser(
        self,
        name: str,
        word: str,
        options: Sequence[tuple[str, Any]],
        *,
        most: int = _MOST_OPTION,
        max_width: str = "100%",
    ) -> ipywidgets.Dropdown:
        """Return where a person chooses the value of a trait from what is shown for each value, and the values.

        It follows the trait, and has all of what is shown for its value as its tooltip. A page that chooses nothing is
        shown what is drawn.
        """
        short = text.short_names([words for words, _value in options], most)
        whole = {value: words for words, value in options}
        chooser = ipywidgets.Dropdown(
            options=[(short[words], value) for words, value in options], value=getattr(self, name), description=word,
            tooltip=whole[getattr(self, name)], style={"description_width": "initial"},
            layout={"width": "auto", "max_width": max_width},
        )  # fmt: skip
        act_while_cell_runs(chooser)

        def follow(_change: object) -> None:
            with self._refresher.lock:
                chooser.value = getattr(self, name)
                chooser.tooltip = whole[chooser.value]

        def choose(change: Mapping[str, Any]) -> None:
            with self._refresher.lock:
                if change["new"] is not None:
                    self.set_trait(name, change["new"])
                follow(change)

        chooser.observe(choose, "value")
        self.observe(follow, name)
        return chooser

    def make_objective_chooser(self, word: str = "objective") -> list[ipywidgets.Dropdown]:
        """Return where a person chooses the objective, if there are several: a widget costs a page time."""
        objectives = self.search.objectives
        if len(objectives) == 1:
            return []
        options = [(text.axis(one), index) for index, one in enumerate(objectives)]
        self.objective_chooser = self._make_chooser("objective", word, options)
        return [self.objective_chooser]

    def objective_line(self) -> list[ipywidgets.HBox]:
        """Return the choice of the objective as what stands above a figure, if there are several."""
        chooser = self.make_objective_chooser()
        if not chooser:
            return []
        line = ipywidgets.HBox(chooser, layout=self.layout_of_parts)
        line.add_class("hpo-plot-controls")
        return [line]

    @classmethod
    def check(cls, search: Search) -> None:
        """Raise a ``ValueError`` for a search of which the plot has nothing to show."""

    def make(self, search: Search) -> None:
        """Make what is drawn, once; traits have their first values."""
        raise NotImplementedError

    def contents(self) -> list[ipywidgets.Widget]:
        """Return what is shown from top to bottom."""
        raise NotImplementedError

    def numbers(self) -> PlotNumbers:
        """Return what is drawn as a table, for who cannot see it: by default the coordinates of all marks."""
        return mark_numbers(self)


class TrialPlot(Plot):
    """A plot with a point for each trial; see its subclasses.

    Parameters
    ----------
    search
        The search to show.
    """

    _most_hot = 100
    """Points in the hot marks of all figures, before some are frozen."""
    _size_name = "plot"
    """As which the page tells the size of a figure."""

    log_scale = t.Bool(None, allow_none=True, help="Logarithmic axis of values: yes, no, or None: where it shows more.")
    brushing = t.Bool(False, help="Two-way. Whether a drag in a figure selects the trials in its rectangle.")
    brushed = TrialNumbers(help="Two-way. Numbers of the trials that the last such drag has selected.")

    def __init__(self, search: Search, **keywords: Any) -> None:
        self._brushed: TrialFigure | None = None
        """The figure whose brush was moved since the last refresh."""
        self._own_box: Mapping[str, tuple[Any, ...]] = {}
        self._told_size: tuple[tuple[int, int], list[TrialFigure]] | None = None
        """The last size that was told, and the figures that were told it."""
        self._num_epochs = len(search.epochs)
        super().__init__(search, **keywords)
        self.observe(self._on_log_scale, "log_scale")
        self.observe(self._on_selected, "selected")
        self.observe(self._on_brushing, "brushing")
        self.observe(self._on_box, "box")
        self._on_brushing(None)
        if self.selected:
            self._on_selected(None)

    def make(self, search: Search) -> None:
        """Make the series of values and their axis; a subclass makes the figures."""
        self._axis = self._make_axis(self.objective)
        self._series = self._make_series(search)

    def _make_series(self, search: Search) -> TrialSeries:
        minimise = search.objectives[self.objective].minimise
        return TrialSeries(self.objective, minimise=minimise, space=search.space)

    def _take_objective(self) -> None:
        """Begin with an axis for the values of another objective."""
        self._axis = self._make_axis(self.objective)
        super()._take_objective()

    def _make_axis(self, objective: int) -> FittedAxis:
        minimise = self.search.objectives[objective].minimise
        return FittedAxis(self.log_scale, minimise=minimise)

    @property
    def figures(self) -> Sequence[TrialFigure]:
        """What is drawn; empty as long as nobody has looked."""
        raise NotImplementedError

    def numbers(self) -> PlotNumbers:
        """Return the newest trials that pass the filter."""
        return self._newest_numbers()

    def _newest_numbers(self, **columns: Any) -> PlotNumbers:
        newest = passing_rows(self.search, self.filter).numbers[::-1].tolist()
        columns = {"objectives": (self.objective,), **columns}
        return trial_numbers(self.search, newest, "trials, the newest first", **columns)

    def refresh(self, update: Update) -> None:
        """Draw the trials that have ended since the last time."""
        search, series = update.search, self._series
        fresh = series.put(update.rows)
        self._take_brush()
        has_entered = len(search.epochs) != self._num_epochs
        if has_entered:
            self._num_epochs = len(search.epochs)
            series.enter(search.space)
        has_passed = series.let_pass(update.passing(self.filter), fresh)
        if not self.figures or has_entered or has_passed or series.values.has_rewritten:
            self._draw_everything()
            return
        self._take_size()
        before = self._axis.domain
        if self._make_room(fresh):
            self._draw_everything()
            return
        groups = series.groups(fresh)
        self._draw(groups)
        if self._axis.domain == before:  # that all axes move is enough for one update
            settle_one([cloud for figure in self.figures for cloud in figure.clouds], self._most_hot)

    def _make_room(self, fresh: Numbers) -> bool:
        """Make room on the axis for fresh trials; returns whether others have to be drawn otherwise from now on."""
        series = self._series
        return self._axis.extend(series.values.shown_of(series.passing(fresh)), series.shown)

    def forget(self) -> None:
        """Drop all values; the next drawing is of everything."""
        self._series = self._make_series(self.search)
        for figure in self.figures:
            figure.series = self._series
        self._num_epochs = 0

    def _draw_everything(self) -> None:
        """Fit the axes and draw all again."""
        series = self._series
        self._on_brushing(None)
        self._take_size()
        self._axis.fit(series.shown())
        self._draw(series.groups(series.ended()), is_new=True)

    def _draw(self, groups: Mapping[str, Numbers], *, is_new: bool = False) -> None:
        """Draw trials of each group, in the place of all others or with them, and what is marked."""
        self._fade()
        for figure in self.figures:
            figure.set_domain(self._axis.domain)
            figure.draw(groups, is_new=is_new)
        self._draw_best()
        self._draw_enqueued()
        if is_new or self.selected:
            self._draw_selected()

    def _take_size(self) -> None:
        """Draw pictures for the size that the plot has on the page."""
        size = self._refresher.flow.plot_size(self._size_name)
        if size is not None and (size, [*self.figures]) != self._told_size:
            self._told_size = size, [*self.figures]
            for figure in self.figures:
                figure.set_size(size)

    def _fade(self) -> None:
        share = style.fading(self._series.values.num_trials)
        for figure in self.figures:
            figure.fade(share)

    def _draw_best(self) -> None:
        """Mark the best trial."""
        best = self._best()
        for figure in self.figures:
            figure.draw_best(best)

    def _draw_enqueued(self) -> None:
        """Mark the trials that a person has enqueued."""
        numbers = self._series.enqueued()[-_MOST_MARKED:]
        for figure in self.figures:
            figure.draw_enqueued(numbers)

    def _best(self) -> Numbers:
        """Return the trial that all of the panel calls the best by the objective."""
        best = self.search.best_by(self.objective)
        known = self._series.values.known([] if best is None else [best.number])
        return self._series.passing(known) if len(known) else self._series.best()

    def _draw_selected(self) -> None:
        """Ring the selected trials."""
        drawn = [one for one in self.selected if one < self._series.values.num_trials]
        chosen = self._series.passing(np.array(drawn, dtype=np.int64))[-_MOST_MARKED:]
        for figure in self.figures:
            figure.draw_selected(chosen)

    def make_select_button(self) -> ipywidgets.ToggleButton:
        """Return a button that turns drags in the figures into a selection, and back."""
        button = ipywidgets.ToggleButton(
            description="▭ select",
            layout=self.layout_of_parts,
            tooltip="Drag in a figure: select the trials inside, and see what narrowing the ranges to it would leave",
        )
        button.add_class("hpo-select")
        act_while_cell_runs(button)
        self._refresher.link((self, "brushing"), (button, "value"))
        return button

    def make_foot(self, legend: ipywidgets.HTML) -> ipywidgets.HBox:
        """Return the line below a figure: its legend, and the button for selecting."""
        foot = ipywidgets.HBox([legend, self.make_select_button()], layout=self.layout_of_parts)
        foot.add_class("hpo-plot-foot")
        return foot

    def _take_brush(self) -> None:
        """Take what was brushed since the last time: its box, and, when the hand has let go, the trials inside."""
        figure, self._brushed = self._brushed, None
        if figure is None or figure.brush is None or figure not in self.figures:
            return
        for other in self.figures:
            if other is not figure and other.brush is not None:
                other.brush.clear()
        extent = figure.brush.extent
        self._own_box = {} if extent is None else figure.box_of(extent)
        self.box = self._own_box
        if extent is not None and not figure.brush.is_held:
            self.brushed = self.selected = figure.brushed(extent).tolist()

    def _on_brushed(self, figure: TrialFigure) -> None:
        with self._refresher.lock:
            self._brushed = figure
        self._refresher.poke()

    def _on_brushing(self, _change: object) -> None:
        with self._refresher.lock:
            for figure in self.figures:
                figure.let_brush(self._on_brushed if self.brushing else None)

    def _on_box(self, _change: object) -> None:
        """Leave no rectangle over another box than its own."""
        with self._refresher.lock:
            if comparable_ranges(self.box) != comparable_ranges(self._own_box):
                self._clear_brushes()

    def _clear_brushes(self) -> None:
        """Leave no rectangle."""
        for figure in self.figures:
            if figure.brush is not None:
                figure.brush.clear()

    def _on_log_scale(self, _change: object) -> None:
        with self._refresher.lock:
            self._axis.log_scale = self.log_scale
            self._draw_everything()

    def _on_selected(self, _change: object) -> None:
        with self._refresher.lock:
            self._draw_selected()
            if not self.selected and not self._own_box:
                # A rectangle over trials in their order stands for the selection alone.
                self._clear_brushes()

    def _on_click(self, said: object, figure: TrialFigure) -> None:
        """Select the trial that was clicked; what the browser says is checked, and nonsense ignored."""
        if not isinstance(said, dict):
            return
        with self._refresher.lock:
            if said == BACKGROUND:
                self.selected = []
                return
            if EMPTY_PLACE in said:
                self._on_empty_place(said[EMPTY_PLACE], figure)
                return
            if "click_x" in said:
                place = place_of(said)
                number = None if place is None else figure.trial_at(place)
                if number is None:
                    self._on_empty_place(said, figure)
                    return
            else:
                number = number_of(said.get("name"))
            if _is_trial(self.search, number):
                self.selected = clicked(self.selected, int(number or 0), adds=self._refresher.flow.adds)

    def _on_empty_place(self, said: object, figure: TrialFigure) -> None:
        """Take the selection away where there is one, else offer the point at that place."""
        place = place_of(said)
        if place is None or np.any(np.abs(figure.place(place) - 0.5) > 0.5):
            return
        if self.selected:
            self.selected = []
        elif point := figure.point_at(place):
            self.point = point


def number_of(said: object) -> int | None:
    """Return the trial's number that a point carries: as a number, or as the first word of its name."""
    if isinstance(said, str):
        word = said.partition(" ")[0]
        return int(word) if word.isascii() and word.isdigit() else None
    if isinstance(said, float):
        return int(said) if said.is_integer() else None
    return said if isinstance(said, int) else None


def _is_trial(search: Search, number: object) -> bool:
    """Whether what a browser says is the number of a trial."""
    return isinstance(number, int) and not isinstance(number, bool) and 0 <= number < sum(search.counts.values())
