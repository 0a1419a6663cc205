"""The map: two parameters against each other, each trial in the colour of its value."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import ipywidgets
import numpy as np
import traitlets as t

from hpo_widgets._messages import near_match, run_in_thread
from hpo_widgets.search import ConstrainsPoints
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import text
from hpo_widgets.widget.parts.part import close_tree
from hpo_widgets.widget.plots import style
from hpo_widgets.widget.plots.axes import choices_of
from hpo_widgets.widget.plots.importance import LEAST_TRIALS, Importances, importances
from hpo_widgets.widget.plots.map_constraint import Refusals, refusals
from hpo_widgets.widget.plots.map_figure import ColourScale, MapFigure, colour_scale
from hpo_widgets.widget.plots.plot import TrialPlot
from hpo_widgets.widget.sync.flow import act_while_cell_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future

    from hpo_widgets.search import Search
    from hpo_widgets.widget.plots.axes import Domain
    from hpo_widgets.widget.plots.numbers import PlotNumbers
    from hpo_widgets.widget.sync.refresher import Update

_MOST_NAME = 40
_MOST_OPTION = 28
_PAUSE_SECONDS = 1.0
_PAUSE_FACTOR = 10
"""The constraint is asked again only after so many times as long as its last answers took."""


class _Question(NamedTuple):
    """What the constraint is asked for a figure, and how the answer is called in the legend."""

    figure: MapFigure
    words: str
    answer: Future[Refusals]


class MapPlot(TrialPlot):
    """Draws two parameters of each trial against each other, live, in the colour of its value.

    Completed trials are dots, small and faint where they are outside the present ranges, which are a dashed rectangle.
    Pruned and aborted trials are hollow diamonds, failed ones red crosses, running ones hollow circles. Colours go from
    the worst to the best value along the axis that `HistoryPlot` has. The background shows the mean of the trials that
    are near and fades where none is. Hatched is where the constraint of the search refuses points that have the other
    values of the best trial; a constraint that takes more than a second for all of the map is not drawn. Trials without
    one of the two parameters are not drawn, but counted.

    Parameters
    ----------
    search
        The search to show; its space has two or more parameters.
    objective
        Index of the objective that gives the colours, from 0; with several it can be chosen. Default: the first one.
    log_scale, selected
        As in `HistoryPlot`.
    x, y
        Names of the parameters across and up. By default the first two, and from ten completed trials on the two most
        important ones, unless somebody has chosen.
    background
        Whether there is a background.

    Raises
    ------
    ValueError
        For a space with one parameter, and for one parameter twice.

    Examples
    --------
    >>> MapPlot(optimizer, x="lr", y="dropout")  # doctest: +SKIP
    """

    x = t.Unicode(help="Two-way. Name of the parameter across.")
    y = t.Unicode(help="Two-way. Name of the parameter up.")
    background = t.Bool(True, help="Two-way. Whether a smoothed background is drawn.")

    def __init__(self, search: Search, *, clock: Callable[[], float] = time.monotonic, **keywords: Any) -> None:
        self._clock = clock
        self._background_at = -np.inf
        self._is_background_stale = True
        self._drawn_colours: Domain | None = None
        self._answer: Future[Importances | None] | None = None
        self._refusals: _Question | None = None
        self._asked: tuple[object, ...] = ()
        """What it was asked about last."""
        self._ask_not_before = -np.inf
        self._refused = ""
        """In words what is drawn as refused; empty: nothing."""
        self._waits_for_importance = not {"x", "y"} & keywords.keys()
        super().__init__(search, **keywords)

    @classmethod
    def check(cls, search: Search) -> None:
        """Refuse a space with one parameter."""
        names = search.space.names
        if len(names) < 2:
            raise ValueError(f"a map needs two parameters, and the space has one, {names[0]!r}: look at its Slices")

    def make(self, search: Search) -> None:
        """Make what the figure is put into; it is made when somebody looks."""
        names = search.space.names
        super().make(search)
        self._labels = text.labels(names)
        self._figure: MapFigure | None = None
        self.colours: ColourScale | None = None
        """What the colours mean; None as long as nothing is drawn."""
        self._shown: tuple[object, ...] = ()
        """What the figure was made for."""
        self._is_narrow = False
        self._waiting: Callable[[], Sequence[Mapping[str, Any]]] | None = None
        self._host = ipywidgets.Box()
        self._host.add_class("hpo-plot-host")
        self._bar = ipywidgets.HTML()
        self._key = ipywidgets.HTML()
        self._said = ipywidgets.Label()
        self._swap = ipywidgets.Button(description="⇄", tooltip="swap x and y", layout={"width": "auto"})
        self._toggle = ipywidgets.Checkbox(description="background", indent=False, layout={"width": "auto"})

    def contents(self) -> list[ipywidgets.Widget]:
        """Return the choice of parameters, the figure with its colours, and the legend."""
        self.add_class("hpo-plot-host")
        if self.x and self.x == self.y:
            raise ValueError(f"a map has two parameters, got {self.x!r} twice")
        names = self.search.space.names
        waits = self._waits_for_importance
        self.x = self.x or next(name for name in names if name != self.y)
        self.y = self.y or next(name for name in names if name != self.x)
        self._waits_for_importance = waits
        options = [(self._labels[name], name) for name in names]
        self._choosers = {
            name: self._make_chooser(name, name, options, most=_MOST_OPTION, max_width="40%") for name in ("x", "y")
        }
        self._toggle.value = self.background
        for control in (self._swap, self._toggle):
            act_while_cell_runs(control)
        self._swap.on_click(lambda _button: self.set_trait("x", self.y))
        self._toggle.observe(lambda change: self.set_trait("background", change["new"]), "value")
        self.observe(self._on_axis, ["x", "y"])
        self.observe(self._on_background, "background")
        self.observe(self._on_point, "point")
        chosen = [*self._choosers.values(), self._swap, *self.make_objective_chooser("colour")]
        controls = ipywidgets.HBox([*chosen, self._toggle, self.make_select_button()])
        controls.add_class("hpo-plot-controls")
        self._name = ipywidgets.Label(self.objective_name)
        self._name.add_class("hpo-muted")
        colours = ipywidgets.VBox([self._name, self._bar])
        colours.add_class("hpo-ramp-host")
        shown = ipywidgets.HBox([self._host, colours])
        shown.add_class("hpo-map")
        self._said.add_class("hpo-muted")
        return [controls, shown, self._key, self._said]

    @property
    def figures(self) -> tuple[MapFigure, ...]:
        """What is drawn: one figure; none as long as nobody has looked."""
        return () if self._figure is None else (self._figure,)

    def refresh(self, update: Update) -> None:
        """Draw the trials that have ended since the last time, those that run, and from time to time the background."""
        self._take_importance(update)
        super().refresh(update)
        if self._axis.domain != self._drawn_colours:  # all trials have other colours now
            self._draw_everything()
        self._is_background_stale |= bool(len(update.rows))
        self._draw_what_changes(at_once=update.at_once)

    def show_own(self, waiting: Callable[[], Sequence[Mapping[str, Any]]]) -> None:
        """Show points of a person, who enqueues all of them: marked are those that wait, which ``waiting`` gives."""
        self._waiting = waiting

    def _draw_enqueued(self) -> None:
        if self._waiting is None:
            super()._draw_enqueued()

    def numbers(self) -> PlotNumbers:
        """Return the newest trials with both parameters."""
        return self._newest_numbers(parameters=(self.x, self.y))

    def _draw_everything(self) -> None:
        pair, space = (self.x, self.y), self.search.space
        shown = (*pair, *(choices_of(space.leaf(name)) for name in pair), self.objective_name)
        if shown != self._shown:
            self._shown = shown
            self._make_figure()
        assert self._figure is not None  # noqa: S101 -- it was just made
        self._is_narrow = self._figure.draw_ranges(self.search.space)
        super()._draw_everything()
        self._drawn_colours, self._is_background_stale = self._axis.domain, True

    def _make_figure(self) -> None:
        old, space = self._figure, self.search.space
        self._figure = MapFigure(
            self._series,
            (self.x, self.y),
            (space.leaf(self.x), space.leaf(self.y)),
            (self._labels[self.x], self._labels[self.y]),
            self.objective_name,
            self.search.objectives[self.objective].minimise,
            self._on_click,
        )
        self._background_at, self._asked, self._refused = -np.inf, (), ""
        self._host.children = [self._figure.figure]
        if old is not None:
            close_tree(old.figure)

    def _take_refusals(self) -> None:
        """Draw what the constraint refuses where the other values are those of the best trial; it is asked on a thread.

        It is a function of the user's, so it is asked only for another such trial or other axes, and not often.
        """
        search, figure = self.search, self._figure
        if not isinstance(search, ConstrainsPoints) or search.constraint is None or figure is None:
            return
        if self._refusals is not None:
            if not self._refusals.answer.done():
                return
            (asked_figure, words, answer), self._refusals = self._refusals, None
            found = answer.result()
            self._ask_not_before = self._clock() + _PAUSE_FACTOR * found.seconds
            domains = figure.across.domain, figure.up.domain
            if asked_figure is figure and self._asked[:2] == domains:
                figure.draw_refused(found.picture)
                self._refused = words if found.picture is not None and found.picture.any() else ""
        best, space, pair = search.best_by(self.objective), search.space, figure.pair
        point = {} if best is None else best.parameters
        others = {name: value for name, value in point.items() if name not in pair}
        axes = figure.across, figure.up
        encoded = [None] * len(space.names) if best is None else space.encode(point)
        about = (
            *(axis.domain for axis in axes),
            space.columns,
            [one for name, one in zip(space.names, encoded, strict=True) if name not in pair],
        )
        is_due = not self._asked or self._clock() >= self._ask_not_before or not search.status.is_alive
        if about != self._asked and is_due:
            self._asked = about
            words = "refused by the constraint"
            if best is not None and others:
                words += f", with the other values of trial {best.number}"
            poke = self._refresher.poke
            answer = run_in_thread("hpo_widgets map constraint", lambda: refusals(search, pair, axes, others), poke)
            self._refusals = _Question(figure, words, answer)

    def _draw_what_changes(self, *, at_once: bool = False) -> None:
        """Draw what is about all trials: running ones, from time to time the background, colours and legend."""
        self._take_refusals()
        figure, series, search = self._figure, self._series, self.search
        assert figure is not None  # noqa: S101 -- called after all was drawn
        num_running = figure.draw_running()
        counts = figure.counts
        now = self._clock()
        is_due = now >= self._background_at + _PAUSE_SECONDS or at_once or not search.status.is_alive
        if self._is_background_stale and is_due:
            self._background_at, self._is_background_stale = now, False
            ended = series.passing(series.ended())
            figure.draw_background(series.values.completed(ended if self.background else ended[:0]))
            self._said.value = self._sentence(len(ended) - len(figure.placed(ended)))
        best = self._best()
        is_known = len(best) > 0
        minimise = search.objectives[self.objective].minimise
        value = float(series.y(best)[0]) if is_known else None
        has_colours = counts["inside"] + counts["outside"] > 0
        self.colours = colour_scale(self._axis.domain, value, minimise=minimise) if has_colours else None
        self._bar.value = "" if self.colours is None else self.colours.as_html()
        dot = style.RAMP_NAMES[-2]
        shown = series.values.completed(series.passing(series.ended()))
        num_beyond = int(self._axis.domain.is_beyond(series.y(figure.placed(shown))).sum())
        offered = [self.point, *(() if self._waiting is None else self._waiting())]
        drawn = (
            ("●", dot, 1, "completed", counts["inside"]),
            ("•", dot, 0.7, "outside the ranges", counts["outside"]),
            ("●", style.RAMP_NAMES[0], 1, f"{num_beyond} beyond the colours", num_beyond),
            ("○", style.DOT, 1, "running", num_running),
            ("◇", style.DOT, 1, style.hollow(self.filter), counts["partial"]),
            ("✕", style.BAD, 1, "failed", counts["failed"]),
            ("✕", style.BAD, 1, style.NOT_FINITE, counts["not finite"]),
            ("▲", style.BEST, 1, "best", is_known),
            ("□", style.TEXT, 1, "enqueued", self._waiting is None and len(series.enqueued())),
            ("□", style.ACCENT, 1, "to be tried", figure.draw_offered(offered)),
            ("┄", style.ACCENT, 1, "present ranges", self._is_narrow),
            ("▨", style.TEXT, 1, self._refused, self._refused),
        )
        self._key.value = style.legend(drawn)

    def _sentence(self, num_without: int) -> str:
        """Say which trials are not drawn."""
        conditions = self.search.space.conditions
        names = [name for name in (self.x, self.y) if conditions[name] != ((),)]
        if not num_without or not names:
            return ""
        words = " or ".join(text.short_names([self._labels[name] for name in names], _MOST_NAME).values())
        return f"{text.counted(num_without, 'trial')} without {words} {'is' if num_without == 1 else 'are'} not drawn."

    def _take_importance(self, update: Update) -> None:
        """Show the two most important parameters, once, where nobody has chosen; they are computed on a thread."""
        search = update.search
        if self.brushing:  # nothing changes under the hand
            self._waits_for_importance = False
        if self._answer is not None and self._answer.done():
            answer, self._answer = self._answer, None
            self._show_important(answer.result())
        elif (
            self._waits_for_importance
            and (self._answer is None or update.at_once)
            and search.counts.get(TrialState.COMPLETED, 0) >= LEAST_TRIALS
        ):
            space, minimise = search.space, search.objectives[self.objective].minimise

            def ask() -> Importances | None:
                return importances(search.snapshot(), space, self.objective, minimise=minimise)

            if update.at_once:
                self._answer = None  # which is not waited for
                self._show_important(ask())
            else:
                self._answer = run_in_thread("hpo_widgets map", ask, self._refresher.poke)

    def _show_important(self, found: Importances | None) -> None:
        if found is None or not self._waits_for_importance:  # somebody has chosen meanwhile
            return
        names = [name for name, share in found.shares.items() if share > 0]
        if len(names) > 1:
            self.x, self.y = names[:2]
        self._waits_for_importance = False

    def _take_objective(self) -> None:
        self._name.value = self.objective_name
        super()._take_objective()

    @t.validate("x", "y")
    def _check_name(self, proposal: Mapping[str, Any]) -> str:
        name: str = proposal["value"]
        names = self.search.space.names
        if name not in names:
            raise t.TraitError(f"the space has no parameter {name!r:.80}. {near_match(name, names)}")
        # Who chooses what is shown already has chosen, too.
        self._waits_for_importance = False
        return name

    def _on_axis(self, change: Mapping[str, Any]) -> None:
        """Show what was chosen; the same parameter twice swaps the two."""
        with self._refresher.lock:
            other = "y" if change["name"] == "x" else "x"
            if getattr(self, other) == change["new"]:
                self.set_trait(other, change["old"])  # which draws
                return
            if self._figure is not None and self._figure.pair != (self.x, self.y):
                self._draw_everything()
                self._draw_what_changes()

    def _on_log_scale(self, change: object) -> None:
        with self._refresher.lock:
            super()._on_log_scale(change)
            self._draw_what_changes()

    def _on_background(self, _change: object) -> None:
        with self._refresher.lock:
            self._toggle.value = self.background
            self._background_at, self._is_background_stale = -np.inf, True
            if self._figure is not None:
                self._draw_what_changes()

    def _on_point(self, _change: object) -> None:
        with self._refresher.lock:
            if self._figure is not None:
                self._draw_what_changes()

    def _fade(self) -> None:
        """Leave all points as they are: faded over one another, their colours would say something else."""
