"""OptimizerWidget: the whole panel, and the traits with which code follows and steers a search."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import ipywidgets
import traitlets as t

from hpo_widgets._messages import near_match
from hpo_widgets.search import PreparesWorkers, Replays, SearchStatus
from hpo_widgets.search.readable import wait_for_end
from hpo_widgets.space.prior import Prior
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import text
from hpo_widgets.widget.opening import OpenMethod, release
from hpo_widgets.widget.parts import summary
from hpo_widgets.widget.parts.advice import AdviceLine, Adviser
from hpo_widgets.widget.parts.beacon import SearchBeacon
from hpo_widgets.widget.parts.box_bar import BoxBar
from hpo_widgets.widget.parts.controls import SearchCode, SearchControls
from hpo_widgets.widget.parts.details import TrialDetails
from hpo_widgets.widget.parts.earlier import EarlierRuns, common_status
from hpo_widgets.widget.parts.export_menu import ExportMenu
from hpo_widgets.widget.parts.filter_bar import FilterBar
from hpo_widgets.widget.parts.panel_snapshot import PanelSnapshot
from hpo_widgets.widget.parts.part import as_search, close_half_made, close_tree
from hpo_widgets.widget.parts.point_form import PointForm
from hpo_widgets.widget.parts.replay_bar import ReplayBar
from hpo_widgets.widget.parts.snapshot import KeptInNotebook
from hpo_widgets.widget.parts.space_panel import PendingRanges, SpacePanel
from hpo_widgets.widget.parts.status import StatusPanel
from hpo_widgets.widget.parts.table import TrialTable
from hpo_widgets.widget.parts.waiting import TimeoutTrait, WaitingTrait
from hpo_widgets.widget.pictures import WithPicture
from hpo_widgets.widget.plots.curves import CurvesPlot
from hpo_widgets.widget.plots.distribution import DistributionPlot
from hpo_widgets.widget.plots.history import HistoryPlot
from hpo_widgets.widget.plots.importance import ImportancePlot
from hpo_widgets.widget.plots.map import MapPlot
from hpo_widgets.widget.plots.parallel import ParallelPlot
from hpo_widgets.widget.plots.parameter_choice import MOST_PARAMETERS
from hpo_widgets.widget.plots.pareto import ParetoPlot
from hpo_widgets.widget.plots.plot import Plot, TrialPlot
from hpo_widgets.widget.plots.slices import SlicesPlot
from hpo_widgets.widget.plots.timeline import TimelinePlot
from hpo_widgets.widget.sync.flow import act_while_cell_runs
from hpo_widgets.widget.sync.refresher import Refresher
from hpo_widgets.widget.traits import (
    BoxTrait,
    FilterTrait,
    ObjectiveIndex,
    PointTrait,
    PositiveInt,
    TrialNumbers,
    refuse_unknown,
)

if TYPE_CHECKING:
    import weakref
    from collections.abc import Callable, Iterator, Sequence

    from hpo_widgets.search import Search
    from hpo_widgets.space import Space
    from hpo_widgets.widget.sync.refresher import Update

_STEERING = frozenset({"ranges", "priors", "max_number_of_concurrent_tasks", "total_max_jobs"})
"""Traits by which code steers the search."""
_STATUSES = [str(status) for status in SearchStatus]


class OptimizerWidget(KeptInNotebook, WithPicture, ipywidgets.VBox):
    """The panel of a search: status, controls, space, plots; the last line of a cell shows it.

    Traits follow the search at most ten times a second. Those that say "two-way" steer it: assigning
    one asks the search for the change and returns at once. A refusal by the search appears in the panel's
    notices, and the trait returns to the search's own value.

    Parameters
    ----------
    search
        A `HyperParameterOptimizer`, a live one of ``clearml.automation``, a `replay`, or anything else that is a
        `Search`.
    plots
        The plots to show, in order: ``"History"``, ``"Slices"``, ``"Parallel"``, ``"Map"``, ``"Curves"``,
        ``"Importance"``, ``"Distribution"``, ``"Timeline"``, ``"Pareto"``, or classes of plots.
        Default: all that apply to the search; with several objectives the Pareto front comes first.
    **traits
        Initial values of ``selected``, ``filter``, ``box``, ``point``, ``objective``, ``top_k``, ``wait_timeout`` and,
        of a search that runs, ``waiting``; and layout traits of a ``VBox``.

    Raises
    ------
    TypeError
        When ``search`` is not a search, or for an unknown keyword, with a near match.
    ValueError
        For an unknown plot, one given twice, or one that does not apply to the search.

    Examples
    --------
    >>> OptimizerWidget.open(search_id, base_task_id=train)  # doctest: +SKIP
    >>> panel = OptimizerWidget(optimizer)  # doctest: +SKIP
    >>> panel.ranges = {"lr": (1e-3, 1e-2)}  # doctest: +SKIP
    """

    status = t.Enum(_STATUSES, default_value="idle", read_only=True, help="What the search is doing.")
    stop_reason = t.Unicode(None, allow_none=True, read_only=True, help="Why the search ended, in words.")
    elapsed = t.Float(-1.0, read_only=True, help="Minutes since the start; negative before it.")
    time_limit = t.Float(None, allow_none=True, read_only=True, help="Minutes that the search may take; None: any.")
    num_trials = t.Int(0, read_only=True, help="Number of trials so far, queued and running ones too.")
    num_active = t.Int(0, read_only=True, help="Number of trials that are queued or running.")
    num_failed = t.Int(0, read_only=True, help="Number of failed trials.")
    progress = t.Float(
        None, allow_none=True, read_only=True, help="Used share, 0 to 1, of the budget that ends first; None: no limit."
    )
    best_trial = t.Int(None, allow_none=True, read_only=True, help="Number of the best trial.")
    best_objective = t.Any(
        None, read_only=True, help="Value of the best trial; a tuple when there are several objectives."
    )
    advice = t.Dict(
        default_value=None,
        allow_none=True,
        read_only=True,
        help="What the panel advises: rule, sentence, evidence, trials, command, arguments, label; None: nothing.",
    )
    ranges = t.Instance(
        "collections.abc.Mapping",
        help="Two-way. Name to (low, high) in values, or to the allowed choices. Assigning merges.",
    )
    priors = t.Instance(
        "collections.abc.Mapping",
        help="Two-way. Name to its prior, as of set_prior. Assigning merges; None removes a prior.",
    )
    max_number_of_concurrent_tasks = PositiveInt(1, help="Two-way. Trials that may run at the same time.")
    total_max_jobs = PositiveInt(None, allow_none=True, help="Two-way. Trials that may be run in all; None: any.")
    filter = FilterTrait(help="Two-way. The trials that plots and table show: a TrialFilter, or a dict of its fields.")
    selected = TrialNumbers(help="Two-way. Numbers of the selected trials, shared by all plots.")
    box = BoxTrait(help="Two-way. What was brushed: parameter name to (low, high), or to choices; empty: nothing.")
    point = PointTrait(help="Two-way. Values, by parameter name, of a point that may be tried; empty: none.")
    objective = ObjectiveIndex(help="Two-way. Index of the objective that ranges and plots of one show, from 0.")
    top_k = PositiveInt(10, help="Two-way. How many trials count as the top.")
    waiting = WaitingTrait(help="Two-way. Whether the panel waits for the end of the search, which blocks nothing.")
    wait_timeout = TimeoutTrait(
        None, allow_none=True, help="Two-way. Minutes after which waiting ends in any case; None: it does not."
    )

    open = OpenMethod()
    _untold: list[Any] | None = None
    """Changes of traits of which the refresher has told nobody yet; None: it tells at once."""

    def __init__(self, search: Search | Any, *, plots: Sequence[str | type[Plot]] | None = None, **traits: Any) -> None:
        search = as_search(search)
        refuse_unknown(type(self), traits)
        for name in traits:
            if name in self._following():
                raise TypeError(f"{name} follows the search: set it there, or assign it to the widget afterwards")
        chosen = _chosen_plots(plots, search)
        before = frozenset(vars(self))
        self._search = search
        self._opened: Search | None = None
        """The search, when it was opened for this panel (`open`)."""
        self._pending = PendingRanges()
        self._earlier: EarlierRuns[Search] | None = None
        self._beacon: SearchBeacon | None = None
        self._has_prepared = False
        self._refresher = Refresher(search)
        self._layout_of_parts = ipywidgets.Layout()
        """One for all parts, as the style sheet lays them out: a Layout of its own would cost as much as the part."""
        shared: dict[str, Any] = {"refresher": self._refresher, "layout": self._layout_of_parts}
        try:
            self._status_panel = StatusPanel(search, **shared)
            self._controls = None if isinstance(search, Replays) else SearchControls(search, **shared)
            self._steering = ReplayBar(search, **shared) if self._controls is None else self._controls
            self._code = SearchCode(search, **shared)
            adviser = Adviser()
            self._advice_line = AdviceLine(search, adviser=adviser, **shared)
            self._space_panel = SpacePanel(search, adviser=adviser, **shared)
            # First, as the refresher may make a plot at any time, and links it to these.
            self._details = TrialDetails(search, **shared)
            self._plots = PlotTabs({title: partial(self._make_plot, plot) for title, plot in chosen.items()}, **shared)
            self._filter_bar = FilterBar(search, **shared)
            self._filter_bar.add_class("hpo-filter-host")
            self._box_bar = BoxBar(search, **shared)
            self._box_bar.add_class("hpo-box-host")
            self._point_form = PointForm(search, **shared)
            self._point_form.add_class("hpo-point-host")
            self._export = ExportMenu(search, plot=lambda: self._plots.shown, panel=lambda: self, **shared)
            self._table = TrialTable(search, **shared)
            # Tab goes through them as they are read.
            parts = [
                self._status_panel, self._steering, self._code, self._export, self._advice_line, self._space_panel,
                self._filter_bar, self._plots, self._box_bar, self._point_form, self._table, self._details,
            ]  # fmt: skip
            self._snapshot = PanelSnapshot(
                search,
                status=self._status_panel,
                table=self._table,
                filter_bar=self._filter_bar,
                plot=lambda: self._plots.titled,
                **shared,
            )
            self._earlier = EarlierRuns.than(
                search, _shown, tell=_still_running, make=OptimizerWidget, owner=self, **shared
            )
            if self._earlier is not None:
                parts.append(self._earlier)
            # Refreshed last: when the snapshot says that the search has ended, all other parts have shown it.
            parts.append(self._snapshot)
            self._space_panel.add_class("hpo-space-host")
            if self._controls is not None:
                self._controls.add_class("hpo-controls-host")
            self._code.add_class("hpo-code-host")
            self._parts = ipywidgets.Box(parts, layout=self._layout_of_parts)
            self._parts.add_class("hpo-layout")
            super().__init__(children=[self._parts], **traits)
            # Not a child of the panel, so that the beacon is not saved with it.
            self._beacon = SearchBeacon(
                search, target=self.model_id, notices=self._refresher, layout=self._layout_of_parts
            )
            self._begin()
        except BaseException:
            OptimizerWidget.close(self)
            close_half_made(self, before)  # parts that are no children yet
            raise

    @classmethod
    def _following(cls) -> frozenset[str]:
        """Names of the traits whose values come from the search, so that the constructor takes none for them."""
        return _STEERING | {name for name, trait in cls.class_traits().items() if trait.read_only}

    def _begin(self) -> None:
        """Follow the search, and link the traits that the panel shares with its parts."""
        self.add_class("hpo-panel")
        self._refresher.flow.follow(self._status_panel)
        self._refresher.add(self)
        link = self._refresher.link
        link((self, "selected"), (self._table, "selected"))
        link((self, "selected"), (self._status_panel, "selected"))
        link((self, "selected"), (self._advice_line, "selected"))
        link((self._advice_line, "advised"), (self._space_panel, "advised"), one_way=True)
        self._on_advice(None)
        self._advice_line.observe(self._on_advice, "advice")
        link((self, "top_k"), (self._table, "top_k"))
        link((self, "filter"), (self._filter_bar, "filter"))
        link((self, "box"), (self._box_bar, "box"))
        link((self, "box"), (self._space_panel, "box"), one_way=True)
        for judging in (self._space_panel, self._box_bar):
            link((self, "objective"), (judging, "objective"), one_way=True)
        for part in (self._point_form, self._filter_bar, self._details):
            link((self, "point"), (part, "point"))
        for part in (self._table, self._export):
            link((self, "filter"), (part, "filter"))
        link((self, "selected"), (self._details, "selected"), one_way=True)
        if self._controls is not None:
            link((self, "wait_timeout"), (self._controls, "wait_timeout"))
            self._on_waiting(None)
            self.observe(self._on_waiting, "waiting")
            self._controls.observe(self._on_waited, "waiting")
        self._plots.show_selected()
        self._status_panel.observe(self._on_first_seen, "seen")
        # A refusal may have been shown before the trait had what was asked for.
        self.observe(lambda _change: self._refresher.poke(), list(_STEERING))

    def _on_first_seen(self, _change: object) -> None:
        """Have workers ready for the press of Start of a search that a person looks at."""
        self._status_panel.unobserve(self._on_first_seen, "seen")
        if isinstance(self._search, PreparesWorkers) and self._search.status is SearchStatus.IDLE:
            self._has_prepared = True
            self._search.prepare_workers()

    @property
    def search(self) -> Search:
        """The search that is shown."""
        return self._search

    @property
    def plots(self) -> Mapping[str, Plot]:
        """The plots by the titles of their tabs."""
        return self._plots.plots

    def _pictured(self) -> Plot:
        return self._plots.shown

    def wait(self, timeout: float | None = None) -> bool:
        """Block this cell until the search has ended; a panel that an earlier cell shows steers meanwhile.

        The panel's Wait (``waiting``) blocks nothing.

        Parameters
        ----------
        timeout
            Minutes. Default: until the end.

        Returns
        -------
        bool
            True when it has ended or was never started, False when it timed out.
        """
        own = getattr(self._search, "wait", None)  # which waits for callbacks that are due, too
        return bool(own(timeout)) if callable(own) else wait_for_end(self._search, timeout)

    def refresh(self, update: Update) -> None:
        """Set the traits from the search; called by the refresher only."""
        search = update.search
        counts = search.counts
        best = search.best_trial
        best_values = () if best is None else best.values
        self._pending.answered(search)
        values: dict[str, object] = {
            "status": str(search.status),
            "stop_reason": None if search.stop_reason is None else search.stop_reason.sentence,
            "elapsed": float(search.elapsed_minutes),
            "time_limit": search.budget.wall_minutes.limit,
            "num_trials": sum(counts.values()),
            "num_active": counts.get(TrialState.QUEUED, 0) + counts.get(TrialState.RUNNING, 0),
            "num_failed": counts.get(TrialState.FAILED, 0),
            "progress": summary.progress(search),
            "best_trial": None if best is None else best.number,
            "best_objective": best_values[0] if len(best_values) == 1 else (best_values or None),
            "max_number_of_concurrent_tasks": search.max_number_of_concurrent_tasks,
            "total_max_jobs": search.total_max_jobs,
        }
        if not self._pending.is_waiting:
            values |= _steered(search)
        with self._telling_at_the_end():
            for name, value in values.items():
                self.set_trait(name, value)

    @contextlib.contextmanager
    def _telling_at_the_end(self) -> Iterator[None]:
        """Have observers of what the refresher sets called when all is set.

        traitlets' own hold is of the object, not of the thread: what a cell assigns meanwhile would be checked by
        nobody, and so not asked of the search.
        """
        untold: list[Any] = []
        self._untold = untold
        try:
            yield
        finally:
            self._untold = None
            with contextlib.ExitStack() as calls:  # an observer that raises keeps nothing from the others
                for change in reversed(untold):
                    calls.callback(self._tell_if_so, change)

    def _tell_if_so(self, change: Any) -> None:
        """Tell of a change, unless a cell has assigned another value since, of which it has told."""
        if self._trait_values[change.name] is change.new:
            self.notify_change(change)

    @property
    def _is_search_speaking(self) -> bool:
        """Whether the calling thread sets what the search says, and not an observer what it would have instead."""
        return self._untold is not None and self._refresher.is_writing

    def notify_change(self, change: Any) -> None:
        """Notify the observers of a trait."""
        if self._untold is not None and self._refresher.is_writing:
            self._untold.append(change)
        else:
            super().notify_change(change)

    def forget(self) -> None:
        """Deselect trials that no longer exist because a replay has gone back; called by the refresher only."""
        count = len(self._search.snapshot())
        self.selected = [number for number in self.selected if number < count]

    def close(self) -> None:
        """Stop showing the search, which continues, and free threads and comms; a notebook keeps the last picture."""
        # Garbage collection closes a widget, too, even one whose constructor failed before it had a refresher.
        if hasattr(self, "_refresher"):
            self._keep_last_picture()
            self._refresher.close()
            if self._earlier is not None:
                self._earlier.end()
            if self._beacon is not None:
                self._beacon.close()
            if self._has_prepared and isinstance(self._search, PreparesWorkers):
                self._has_prepared = False  # garbage collection closes a panel once more
                self._search.release_workers()
            if self._opened is not None:
                release(self._opened)
        close_tree(self)

    def __repr__(self) -> str:
        if self.comm is None:
            again = "OptimizerWidget(optimizer)" if self._opened is None else "OptimizerWidget.open(...)"
            return f"<OptimizerWidget {self._search.name!r}: closed; {again} shows the search again>"
        return f"<OptimizerWidget {self._search.name!r}: {self.status}, {text.counted(self.num_trials, 'trial')}>"

    @t.validate("ranges")
    def _check_ranges(self, proposal: dict[str, Any]) -> Mapping[str, tuple[object, ...]]:
        """Merge with the present ranges and ask for them; raise at once for what the space refuses."""
        ranges: dict[str, tuple[object, ...]] = {}
        for name, chosen in proposal["value"].items():
            if isinstance(chosen, (str, bytes)) or not isinstance(chosen, Iterable):
                msg = f"the range of {name!r} is (low, high), or a tuple of the allowed choices, got {chosen!r:.80}"
                raise t.TraitError(msg)
            ranges[name] = tuple(chosen)
        if self._is_search_speaking:
            return MappingProxyType(ranges)
        space = self._search.space
        try:
            wanted = space.with_ranges(ranges)
        except OverflowError as error:
            raise t.TraitError(f"a bound of a range is too large for a number of this machine: {error}") from None
        asked, now = wanted.range_keys, space.range_keys
        self._ask("ranges", {name: chosen for name, chosen in wanted.ranges.items() if asked[name] != now[name]})
        return MappingProxyType(dict(wanted.ranges))

    @t.validate("priors")
    def _check_priors(self, proposal: dict[str, Any]) -> Mapping[str, dict[str, object]]:
        """Merge with the present priors and ask for them; raise at once for what the space refuses."""
        priors = proposal["value"]
        if self._is_search_speaking:
            return MappingProxyType(dict(priors))
        space = self._search.space
        known = _plain_priors(space)
        # An unchanged prior is left out, so that it keeps its age.
        other = {
            name: prior
            for name, prior in priors.items()
            if prior is None or Prior.of(space.leaf(name), prior).to_dict() != known.get(name)
        }
        wanted = _plain_priors(space.with_priors(other))
        names = dict.fromkeys([*known, *wanted])
        self._ask("priors", {name: wanted.get(name) for name in names if wanted.get(name) != known.get(name)})
        return wanted

    @t.validate("max_number_of_concurrent_tasks", "total_max_jobs")
    def _check_limit(self, proposal: dict[str, Any]) -> int | None:
        """Ask for another limit."""
        name: str = proposal["trait"].name
        limit: int | None = proposal["value"]
        if not self._is_search_speaking and not limit == getattr(self, name) == getattr(self._search, name):
            self._search.command(f"set_{name}", limit)
        return limit

    def _ask(self, name: str, changed: dict[str, Any]) -> None:
        """Ask the search for changed ranges or priors.

        Here and not by an observer: who assigns what the trait has already may want what the search has no more.
        """
        if changed:
            self._pending.ask(self._search)
            self._search.command(f"set_{name}", changed)

    def _on_advice(self, _change: object) -> None:
        self.set_trait("advice", self._advice_line.advice)

    def _make_plot(self, plot_class: type[Plot]) -> Plot:
        """Make the plot of a tab that somebody looks at."""
        plot = plot_class(self._search, refresher=self._refresher, hidden=True, layout=self._layout_of_parts)
        for name in ("filter", "selected", "box", "point", "objective"):
            self._refresher.link((self, name), (plot, name))
        if isinstance(plot, TrialPlot):
            self._refresher.link((self._details, "brushed"), (plot, "brushed"))
        if isinstance(plot, ImportancePlot):
            plot.observe(self._on_parameter, "chosen")
        return plot

    # Not a link: the controls answer an assignment with an error when the search has ended in the meantime.
    def _on_waiting(self, _change: object) -> None:
        assert self._controls is not None  # noqa: S101 -- observed where there are some
        with self._refresher.lock:
            try:
                self._controls.waiting = self.waiting
            except t.TraitError:
                # The search has ended since it was asked.
                self.waiting = False
                raise

    def _on_waited(self, _change: object) -> None:
        assert self._controls is not None  # noqa: S101 -- observed where there are some
        with self._refresher.lock:
            self.waiting = self._controls.waiting

    def _on_parameter(self, change: dict[str, Any]) -> None:
        """Show the slice of a parameter whose bar was clicked, as the first one."""
        if change["new"] is None or "Slices" not in self.plots:
            return
        slices = self.plots["Slices"]
        if isinstance(slices, SlicesPlot):
            # Duplicates go before the cut: a clicked parameter that is shown already must not push out another one.
            slices.parameters = tuple(dict.fromkeys([change["new"], *slices.parameters]))[:MOST_PARAMETERS]
            self._plots.show("Slices")


def _plain_priors(space: Space) -> Mapping[str, dict[str, object]]:
    return MappingProxyType({name: prior.to_dict() for name, prior in space.priors.items()})


def _steered(search: Search) -> dict[str, object]:
    """Return the values of the traits that the present space epoch determines."""
    space = search.space
    return {"ranges": MappingProxyType(dict(space.ranges)), "priors": _plain_priors(space)}


_PLOTS: Mapping[str, type[Plot]] = {
    "Pareto": ParetoPlot,
    "History": HistoryPlot,
    "Slices": SlicesPlot,
    "Parallel": ParallelPlot,
    "Map": MapPlot,
    "Curves": CurvesPlot,
    "Importance": ImportancePlot,
    "Distribution": DistributionPlot,
    "Timeline": TimelinePlot,
}


def _chosen_plots(plots: Sequence[str | type[Plot]] | None, search: Search) -> dict[str, type[Plot]]:
    """Return the plots of a panel by the titles of their tabs."""
    if plots is None:
        has_two = {"Pareto": len(search.objectives) > 1, "Map": len(search.space.names) > 1}
        return {title: plot for title, plot in _PLOTS.items() if has_two.get(title, True)}
    given: object = plots
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise TypeError(f"plots is a list of plots, such as ['History', 'Map'], got {given!r:.80}")
    chosen: dict[str, type[Plot]] = {}
    for plot in plots:
        if isinstance(plot, str) and plot in _PLOTS:
            title, made = plot, _PLOTS[plot]
        elif isinstance(plot, type) and issubclass(plot, Plot):
            title = next((known for known, one in _PLOTS.items() if one is plot), plot.__name__.removesuffix("Plot"))
            made = plot
        else:
            raise ValueError(f"there is no plot {plot!r}. {near_match(str(plot), _PLOTS)}")
        if title in chosen:
            raise ValueError(f"the plot {title!r} is given twice")
        made.check(search)
        chosen[title] = made
    if not chosen:
        raise ValueError(f"a panel shows at least one plot: {', '.join(_PLOTS)}")
    return chosen


class PlotTab(ipywidgets.Box):
    """The tab of one plot, which is made when the tab is first shown, or when a page with the panel may be saved."""

    def __init__(self, title: str, make: Callable[[], Plot], refresher: Refresher, layout: ipywidgets.Layout) -> None:
        super().__init__(layout=layout)
        self._make = make
        self._refresher = refresher
        self.add_class("hpo-tab")
        refresher.add(self, name=title, hidden=True)

    @property
    def is_made(self) -> bool:
        """Whether there is a plot already."""
        return bool(self.children)

    def make_plot(self) -> Plot:
        """Return the plot, which the first call makes."""
        with self._refresher.lock:
            if not self.is_made:
                self.children = [self._make()]
            plot: Plot = self.children[0]
            return plot

    def refresh(self, _update: Update) -> None:
        """Make the plot; the refresher calls this when the whole panel must exist, hidden tabs included."""
        self.make_plot()


class PlotTabs(ipywidgets.Tab):
    """Shows one of several plots; nothing is made or sent for the others until they are looked at."""

    def __init__(
        self, plots: Mapping[str, Callable[[], Plot]], refresher: Refresher, layout: ipywidgets.Layout
    ) -> None:
        self._refresher = refresher
        tabs = [PlotTab(title, make, refresher, layout) for title, make in plots.items()]
        super().__init__(children=tabs, titles=list(plots), selected_index=0, layout=layout)
        self.plots = PlotsByTitle(dict(zip(plots, tabs, strict=True)))
        self.add_class("hpo-part")
        self.add_class("hpo-tabs-host")
        act_while_cell_runs(self)
        self.observe(self._on_selected, "selected_index")

    @property
    def shown(self) -> Plot:
        """The plot that is seen."""
        tab: PlotTab = self.children[self.selected_index or 0]
        return tab.make_plot()

    @property
    def titled(self) -> tuple[str, Plot]:
        """The plot that is seen, with its title, and of several objectives the one that it is about."""
        title, plot = self.titles[self.selected_index or 0], self.shown
        return (title if plot.objective_chooser is None else f"{title}: {plot.objective_name}"), plot

    def show(self, title: str) -> None:
        """Bring a plot to the front."""
        self.selected_index = self.titles.index(title)

    def _on_selected(self, change: Mapping[str, Any]) -> None:
        """Show the plot that was chosen; where it cannot be made, the one before stays, and the panel says why."""
        with self._refresher.lock:
            try:
                self.show_selected()
            except Exception as error:  # noqa: BLE001 -- a plot of somebody's own
                self._refresher.tell_failure(self.titles[self.selected_index or 0], error)
                self.selected_index = change["old"]

    def show_selected(self) -> None:
        """Keep the plot that is looked at up to date, and no other."""
        with self._refresher.lock:
            for index, tab in enumerate(self.children):
                if index == self.selected_index:
                    self._refresher.show(tab.make_plot())
                elif tab.is_made:
                    self._refresher.hide(tab.make_plot())


class PlotsByTitle(Mapping[str, Plot]):
    """The plots of a panel; one that nobody has looked at yet is made when it is asked for."""

    def __init__(self, tabs: Mapping[str, PlotTab]) -> None:
        self._tabs = tabs

    def __getitem__(self, title: str) -> Plot:
        return self._tabs[title].make_plot()

    def __iter__(self) -> Iterator[str]:
        return iter(self._tabs)

    def __len__(self) -> int:
        return len(self._tabs)


# Every search that a panel of this process has shown, in the order in which they were first shown.
_shown: list[weakref.ref[Search]] = []


def _still_running(earlier: Sequence[Search]) -> str:
    trials = text.counted(sum(sum(one.counts.values()) for one in earlier), "trial")
    if len(earlier) == 1:
        return f"An earlier search {earlier[0].name!r} is still {earlier[0].status}: {trials} so far."
    return f"{len(earlier)} earlier searches are still {common_status(earlier)}: {trials} so far."
