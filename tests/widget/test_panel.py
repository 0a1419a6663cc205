"""OptimizerWidget: traits follow the search, assignments become commands, closing frees everything."""

from __future__ import annotations

import gc
import sys
import threading
import weakref

import ipywidgets
import numpy as np
import psutil
import pytest
import traitlets

from hpo_widgets import HyperParameterOptimizer, UniformParameterRange
from hpo_widgets.parameters import DiscreteParameterRange
from hpo_widgets.search import SearchStatus
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.widget import HistoryPlot, OptimizerWidget
from hpo_widgets.widget import panel as panel_module
from hpo_widgets.widget.plots.plot import Plot
from tests.conftest import DEADLINE


@pytest.fixture
def panel(show, search):
    return show(OptimizerWidget, search)


def test_traits_tell_of_a_search_that_has_not_started(panel):
    assert (panel.status, panel.num_trials, panel.best_trial, panel.best_objective) == ("idle", 0, None, None)
    assert panel.elapsed < 0
    assert panel.time_limit == 5
    assert panel.progress == 0
    assert panel.stop_reason is None


def test_several_objectives_give_a_tuple(show, refresh):
    search = ScriptedSearch(titles=["a", "b"], series=["x", "y"], signs=["min", "max"])
    panel = show(OptimizerWidget, search)
    search.add_trial([0.5, 2.0])
    refresh(panel)
    assert panel.best_objective == (0.5, 2.0)


def test_what_a_page_and_a_cell_select_at_the_same_time_leaves_all_parts_with_the_same(panel, search):
    search.add_trials([0.1] * 8)
    parts = [panel._table, panel._status_panel, panel.plots["History"]]
    errors = []

    def select(owner):
        try:
            for number in range(500):
                owner.selected = [number % 8]
        except traitlets.TraitError as error:
            errors.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        hands = [threading.Thread(target=select, args=(owner,)) for owner in (panel, *parts)]
        for hand in hands:
            hand.start()
        for hand in hands:
            hand.join()
    finally:
        sys.setswitchinterval(interval)
    assert errors == []
    assert {tuple(part.selected) for part in parts} == {tuple(panel.selected)}


def test_a_plot_may_be_made_before_the_panel_is_whole(show, monkeypatch):
    class MadeAtOnce(panel_module.PlotTabs):
        """As when the refresher makes the plots while the panel is still being made."""

        def __init__(self, *arguments, **keywords):
            super().__init__(*arguments, **keywords)
            assert all(self.plots.values())

    monkeypatch.setattr(panel_module, "PlotTabs", MadeAtOnce)
    panel = show(OptimizerWidget, ScriptedSearch())
    assert all(isinstance(plot, Plot) for plot in panel.plots.values())


def test_assigning_ranges_merges(panel, refresh):
    panel.ranges = {"lr": (0.001, 0.01)}
    panel.ranges = {"layers": (2, 3)}
    refresh(panel)
    assert panel.ranges["lr"] == (0.001, 0.01)
    assert panel.ranges["layers"] == (2, 3)
    assert panel.ranges["dropout"] == (0.0, 0.5)


def test_choices_that_are_arrays_can_be_assigned(show):
    first, second = np.array([1, 2]), np.array([3, 4])
    search = ScriptedSearch([DiscreteParameterRange("weights", [first, second])])
    panel = show(OptimizerWidget, search)
    panel.ranges = {"weights": (second,)}
    assert search.space.range_keys["weights"] == (1,)


def test_assigned_priors_become_one_command_of_what_changed_and_merge(panel, search, refresh):
    panel.priors = {"layers": [1, 2], "activation": {"tanh": 1}}
    panel.priors = {"layers": None, "activation": np.array([0, 1, 0])}
    refresh(panel)
    assert panel.priors == {"activation": {"weights": (0, 1, 0)}}
    layers = {"weights": (0.5, 1), "range": (1, 6)}
    assert search.commands == [
        ("set_priors", {"layers": layers, "activation": {"weights": (0, 1, 0)}}),
        ("set_priors", {"layers": None}),
    ]


@pytest.mark.parametrize("priors", [{"lr": [1]}, {"layer": [1, 2]}, {"lr": "abc"}, 3])
def test_impossible_priors_raise_at_once(panel, search, priors):
    with pytest.raises((ValueError, traitlets.TraitError)):
        panel.priors = priors
    assert search.commands == []
    assert panel.priors == {}


def test_assigned_ranges_stay_until_the_search_has_answered(show, refresh):
    search = ScriptedSearch(obeys=False)
    panel = show(OptimizerWidget, search)
    panel.ranges = {"lr": (0.001, 0.01)}
    refresh(panel)
    assert panel.ranges["lr"] == (0.001, 0.01)
    search.notify("command", "not now")
    refresh(panel)
    assert panel.ranges["lr"] == (0.0001, 0.1)


def test_a_read_only_mapping_protects_from_changes_that_nobody_sees(panel):
    with pytest.raises(TypeError):
        panel.ranges["lr"] = (0.001, 0.01)


def test_what_a_cell_assigns_while_the_panel_is_refreshed_is_checked_and_asked_for(panel, search, refresh, monkeypatch):
    is_inside, may_go_on, set_trait = threading.Event(), threading.Event(), panel.set_trait

    def set_later(name, value):
        is_inside.set()
        assert may_go_on.wait(DEADLINE)
        set_trait(name, value)

    monkeypatch.setattr(panel, "set_trait", set_later)
    refreshing = threading.Thread(target=refresh, args=(panel,))
    refreshing.start()
    try:
        assert is_inside.wait(DEADLINE)
        panel.max_number_of_concurrent_tasks = 7
        panel.ranges = {"lr": (1e-3, 1e-2)}
        with pytest.raises(ValueError, match="rise"):
            panel.ranges = {"lr": (1e-2, 1e-3)}
    finally:
        may_go_on.set()
        refreshing.join()
    assert search.commands == [("set_max_number_of_concurrent_tasks", 7), ("set_ranges", {"lr": (1e-3, 1e-2)})]


def test_what_an_observer_assigns_in_answer_to_the_search_is_checked_and_asked_for(panel, search, refresh):
    refused = []

    def steer(_change):
        panel.ranges = {"lr": (1e-3, 1e-2)}
        panel.total_max_jobs = 300
        try:
            panel.ranges = {"lr": (1e-2, 1e-3)}
        except ValueError as error:
            refused.append(str(error))

    panel.observe(steer, "num_trials")
    search.add_trial(0.25)
    refresh(panel)
    assert search.commands == [("set_ranges", {"lr": (1e-3, 1e-2)}), ("set_total_max_jobs", 300)]
    assert panel.ranges["dropout"] == (0.0, 0.5)
    assert len(refused) == 1
    refresh(panel)
    assert (panel.ranges["lr"], panel.total_max_jobs) == ((1e-3, 1e-2), 300)


def test_ranges_that_follow_what_is_brushed_are_asked_for(panel, search, wire, refresh):
    search.add_trials([0.5, 0.25, 0.75])
    panel._plots.show("Slices")
    plot = panel.plots["Slices"]
    plot.brushing = True
    panel.observe(lambda change: setattr(panel, "ranges", dict(change["new"])), "box")
    selector = plot.figures[0].figure.interaction
    wire.browser_sets(selector, brushing=False, selected_x=[1e-3, 1e-2], selected_y=[0.0, 1.0])
    refresh(panel)
    assert search.commands == [("set_ranges", {"lr": (1e-3, 1e-2)})]
    assert panel.ranges["dropout"] == (0.0, 0.5)


@pytest.mark.usefixtures("refresh")  # so that the panel lags behind
def test_what_the_panel_still_shows_can_be_asked_for(panel, search):
    search.set_ranges({"lr": (1e-3, 1e-2)})
    search.set_priors({"layers": [1, 2]})
    search.budget.jobs.limit = 50
    panel.ranges = {"lr": panel.ranges["lr"]}
    panel.priors = {"layers": None}
    panel.total_max_jobs = panel.total_max_jobs
    assert search.commands == [
        ("set_ranges", {"lr": (1e-4, 1e-1)}),
        ("set_priors", {"layers": None}),
        ("set_total_max_jobs", 200),
    ]


def test_what_the_search_has_already_is_not_asked_for(panel, search):
    panel.ranges = {"lr": panel.ranges["lr"]}
    panel.priors = {}
    panel.total_max_jobs = panel.total_max_jobs
    assert search.commands == []


def test_who_observes_one_trait_finds_the_others_of_the_same_moment(panel, search, refresh):
    names, seen = ["num_trials", "best_trial", "best_objective", "progress"], []
    panel.observe(lambda _change: seen.append([getattr(panel, name) for name in names]), names)
    search.add_trial(0.25)
    refresh(panel)
    assert len(seen) == len(names)
    assert seen == [seen[0]] * len(names)


def test_who_observes_a_trait_is_told_last_what_it_is(panel, search, refresh):
    told = []

    def assign_in_a_cell(_change):
        cell = threading.Thread(target=setattr, args=(panel, "total_max_jobs", 30))
        cell.start()
        cell.join()

    # Observers are called when all is set, those of this trait before those of the other.
    panel.observe(assign_in_a_cell, "num_trials")
    panel.observe(lambda change: told.append(change["new"]), "total_max_jobs")
    search.add_trial(0.25)
    search.command("set_total_max_jobs", 20)
    refresh(panel)
    assert told[-1] == panel.total_max_jobs == 30


def test_an_observer_that_raises_keeps_no_change_from_others(panel, search, refresh):
    told = []
    panel.observe(lambda _change: 1 / 0, "num_trials")
    panel.observe(lambda change: told.append(change["new"]), "best_trial")
    search.add_trial(0.25)
    refresh(panel)
    assert told == [panel.best_trial] == [0]


def test_every_public_trait_says_what_it_is():
    own = set(OptimizerWidget.class_own_traits())
    assert {name for name in own if OptimizerWidget.class_traits()[name].help} == own


def test_unknown_keyword_is_refused_with_the_near_match(search):
    with pytest.raises(TypeError, match=r"OptimizerWidget has no keyword 'selectd'. Did you mean 'selected'\?"):
        OptimizerWidget(search, selectd=[1])
    assert search.num_subscribers == 0


@pytest.mark.parametrize("name", ["ranges", "total_max_jobs", "status"])
def test_what_follows_the_search_has_no_first_value_of_its_own(search, name):
    with pytest.raises(TypeError, match=f"{name} follows the search"):
        OptimizerWidget(search, **{name: None})


def test_something_that_is_no_search_is_refused():
    with pytest.raises(TypeError, match="HyperParameterOptimizer or another Search, got a list$"):
        OptimizerWidget([])
    with pytest.raises(TypeError, match="HyperParameterOptimizer itself: show what it has made$"):
        OptimizerWidget(HyperParameterOptimizer)


@pytest.mark.parametrize("given", ["History", HistoryPlot])
def test_one_plot_that_is_in_no_list_is_refused(search, given):
    with pytest.raises(TypeError, match=r"plots is a list of plots, such as \['History', 'Map'\], got"):
        OptimizerWidget(search, plots=given)


def test_a_panel_in_the_place_of_its_search_is_refused_with_where_the_search_is(show, search):
    with pytest.raises(TypeError, match="got a OptimizerWidget, whose search is its .search$"):
        OptimizerWidget(show(OptimizerWidget, search))
    with pytest.raises(TypeError, match="got a Label, which is shown as it is$"):
        OptimizerWidget(ipywidgets.Label())


def test_first_values_can_be_given(show, search):
    search.add_trials([0.5] * 4)
    panel = show(OptimizerWidget, search, selected=[3], top_k=5)
    assert (panel.selected, panel.top_k) == ([3], 5)


def test_tab_goes_through_the_parts_as_they_are_read(panel):
    parts = [type(part).__name__ for part in panel._parts.children]
    in_order = ["StatusPanel", "SearchControls", "SearchCode", "ExportMenu", "SpacePanel", "PlotTabs", "TrialTable"]
    assert [name for name in parts if name in in_order] == in_order


def test_repr_is_short_however_many_trials_there_are(panel, search, refresh):
    search.add_trials([0.5] * 1000)
    refresh(panel)
    assert repr(panel) == "<OptimizerWidget 'scripted': idle, 1000 trials>"


def test_repr_of_a_closed_panel_says_what_shows_the_search_again(panel):
    panel.close()
    assert repr(panel) == "<OptimizerWidget 'scripted': closed; OptimizerWidget(optimizer) shows the search again>"


def test_a_panel_is_few_widgets_until_its_tabs_are_looked_at(show, search, refresh, acknowledge, wire):
    search.command("start")
    search.add_trials([0.5] * 20)
    panel = show(OptimizerWidget, search)
    acknowledge(panel)
    refresh(panel)
    num_widgets = wire.num_open()
    assert num_widgets < 60
    panel._plots.show("Timeline")
    assert wire.num_open() > num_widgets
    assert not panel._plots.children[list(panel.plots).index("Slices")].is_made


def test_two_panels_show_one_search(show, search, refresh):
    first, second = show(OptimizerWidget, search), show(OptimizerWidget, search)
    first.ranges = {"lr": (0.001, 0.01)}
    refresh(second)
    assert second.ranges["lr"] == (0.001, 0.01)
    first.close()
    search.add_trial(0.5)
    refresh(second)
    assert second.num_trials == 1


def test_closing_frees_threads_comms_and_subscription_but_not_the_search(wire, search):
    before = set(threading.enumerate())
    panel = OptimizerWidget(search)
    assert len(set(threading.enumerate()) - before) == 1
    search.command("start")
    panel.close()
    assert set(threading.enumerate()) <= before
    assert wire.num_open() == 0
    assert search.num_subscribers == 0
    assert search.status is SearchStatus.RUNNING


@pytest.fixture
def earlier(show):
    search = ScriptedSearch(name="digits")
    search.id = "digits-earlier"
    show(OptimizerWidget, search)
    search.command("start")
    search.add_trials([0.5, 0.25])
    return search


def earlier_line(panel):
    return None if panel._earlier is None else panel._earlier.sentence


class Broken(HistoryPlot):
    """A plot of somebody's own with a mistake, after its figure was made."""

    def contents(self):
        raise RuntimeError("a mistake")


@pytest.mark.usefixtures("refresh")  # no thread makes plots meanwhile
@pytest.mark.parametrize(
    "keywords",
    [{"plots": ["Historie"]}, {"plots": [Broken]}, {"selected": [99]}, {"filter": {"withn": {}}}, {"top_k": 0}],
    ids=str,
)
def test_a_panel_that_cannot_be_made_leaves_nothing_open(earlier, wire, keywords):
    num_open, num_subscribers, threads = wire.num_open(), earlier.num_subscribers, set(threading.enumerate())
    search = ScriptedSearch(name="digits")
    with pytest.raises((ValueError, traitlets.TraitError, RuntimeError)):
        OptimizerWidget(search, **keywords)
    assert wire.num_open() == num_open
    assert earlier.num_subscribers == num_subscribers
    assert search.num_subscribers == 0
    assert set(threading.enumerate()) <= threads


def test_what_a_panel_cannot_be_made_with_is_not_closed(search, wire):
    class Own(OptimizerWidget):
        """A panel that keeps what it is given."""

        def __init__(self, search, given, **traits):
            self.given = given
            super().__init__(search, **traits)

    given = ipywidgets.Label()
    with pytest.raises(traitlets.TraitError):
        Own(search, given, top_k=0)
    assert {one for one in wire.comms if one.is_open} == wire.comms_of(given)


@pytest.mark.usefixtures("refresh")
def test_a_plot_that_cannot_be_made_leaves_nothing_open_and_the_panel_whole(show, search, wire):
    half_made = []

    class Kept(Broken):
        """Outlives the error that made it."""

        def contents(self):
            half_made.append(self)
            return super().contents()

    panel = show(OptimizerWidget, search, plots=["History", Kept])
    num_open, num_parts = wire.num_open(), len(panel._refresher._parts)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="a mistake"):
            panel.plots["Kept"]
        half_made[-1].close()  # as garbage collection does
    assert (wire.num_open(), len(panel._refresher._parts)) == (num_open, num_parts)
    assert panel.plots["History"].layout.comm.is_open


class Moody(Plot):
    """A plot of somebody's own that fails in one of its methods as long as it is told to."""

    fails_in = ""

    def _step(self, name):
        if self.fails_in == name:
            raise ZeroDivisionError("float division by zero")

    def make(self, _search):
        self._step("make")
        self.seen = ipywidgets.Label()
        self._numbers = set()

    def contents(self):
        return [self.seen]

    def refresh(self, update):
        self._step("refresh")
        self._numbers |= set(update.rows.numbers.tolist())
        self.seen.value = str(sorted(self._numbers))


@pytest.mark.parametrize("step", ["make", "refresh"])
@pytest.mark.parametrize("again", ["a trial ends", "a second look"])
def test_a_plot_that_fails_when_it_is_first_seen_is_said_and_shows_all_trials_later(
    show, search, refresh, wire, monkeypatch, step, again
):
    search.add_trials([0.5, 0.25])
    panel = show(OptimizerWidget, search, plots=["History", Moody])
    monkeypatch.setattr(Moody, "fails_in", step)
    wire.browser_sets(panel._plots, selected_index=1)
    refresh(panel)
    sentence = "Moody could not be drawn: ZeroDivisionError: float division by zero"
    assert [line["text"] for line in panel._status_panel.notices] == [sentence]
    assert panel._plots.selected_index == (0 if step == "make" else 1)
    monkeypatch.setattr(Moody, "fails_in", "")
    if again == "a trial ends":
        search.add_trial(0.125)
        refresh(panel)
    if again == "a second look" or step == "make":
        wire.browser_sets(panel._plots, selected_index=0)
        wire.browser_sets(panel._plots, selected_index=1)
    assert panel.plots["Moody"].seen.value == str(search.snapshot().numbers.tolist())
    assert panel._refresher.is_hidden(panel.plots["History"])


def test_a_hidden_plot_that_cannot_be_made_for_a_saved_page_is_said_by_its_title(
    show, search, refresh, monkeypatch, caplog
):
    panel = show(OptimizerWidget, search, plots=["History", Moody])
    monkeypatch.setattr(Moody, "fails_in", "make")
    panel._refresher.refresh(everything=True)
    refresh(panel)
    assert [line["text"] for line in panel._status_panel.notices] == [
        "Moody could not be drawn: ZeroDivisionError: float division by zero"
    ]
    assert "Moody could not be drawn" in caplog.text


@pytest.fixture
def several(show):
    """Three searches of a cell that was run three times; all run."""
    searches = []
    for number in range(3):
        search = ScriptedSearch(name="digits")
        search.id = f"digits-earlier-{number}"
        show(OptimizerWidget, search)
        search.command("start")
        search.add_trials([0.5, 0.25])
        searches.append(search)
    return searches


def test_all_earlier_searches_that_run_are_told_of_until_the_last_has_ended(show, several, refresh):
    panel = show(OptimizerWidget, ScriptedSearch(name="digits"))
    assert [one.commands for one in several] == [[("start",)]] * 3
    told = []
    for place in (2, 0, 1):
        told.append((earlier_line(panel), panel._earlier.num_running))
        several[place].set_status(SearchStatus.COMPLETED)
        refresh(panel)
    assert [*told, (earlier_line(panel), panel._earlier.num_running)] == [
        ("3 earlier searches are still running: 6 trials so far.", 3),
        ("2 earlier searches are still running: 4 trials so far.", 2),
        ("An earlier search 'digits' is still running: 2 trials so far.", 1),
        ("", 0),
    ]


def test_the_status_that_earlier_searches_have_in_common_is_told(show, several, refresh):
    several[0].set_status(SearchStatus.PAUSED)
    panel = show(OptimizerWidget, ScriptedSearch(name="digits"))
    assert earlier_line(panel).startswith("3 earlier searches are still running:")
    for search in several[1:]:
        search.set_status(SearchStatus.PAUSED)
    refresh(panel)
    assert earlier_line(panel).startswith("3 earlier searches are still paused:")


def test_stop_stops_all_earlier_searches_and_no_other(show, several, wire):
    search = ScriptedSearch(name="digits")
    panel = show(OptimizerWidget, search)
    search.command("start")
    several[0].set_status(SearchStatus.COMPLETED)
    wire.browser_says(panel._earlier, kind="stop")
    assert [one.status for one in several] == [SearchStatus.COMPLETED, *2 * [SearchStatus.STOPPED]]
    assert search.status is SearchStatus.RUNNING


def test_show_has_the_panel_of_the_newest_earlier_search_that_runs(show, several, wire):
    panel = show(OptimizerWidget, ScriptedSearch(name="digits"))
    shown = []
    for newest in reversed(several):
        wire.browser_says(panel._earlier, kind="show")
        wire.browser_says(panel._earlier, kind="show")
        (one,) = panel.children[1:]
        assert one.search is newest
        shown.append(one)
        newest.set_status(SearchStatus.COMPLETED)
    wire.browser_says(panel._earlier, kind="show")  # none runs any more
    assert panel.children[1:] == (shown[-1],)
    assert [one.comm is None for one in shown] == [True, True, False]  # closed or not


def test_other_names_ended_searches_and_the_search_itself_are_not_told_of(show, earlier):
    assert earlier_line(show(OptimizerWidget, ScriptedSearch(name="other"))) is None
    assert earlier_line(show(OptimizerWidget, earlier)) is None
    earlier.command("stop")
    assert earlier_line(show(OptimizerWidget, ScriptedSearch(name="digits"))) is None


def test_another_view_of_the_search_itself_is_not_told_of(show, earlier):
    view = ScriptedSearch(name="digits")
    view.id = earlier.id
    assert earlier_line(show(OptimizerWidget, view)) is None


def test_closing_leaves_the_earlier_search_alone(earlier, wire):
    num_subscribers, threads = earlier.num_subscribers, set(threading.enumerate())
    panel = OptimizerWidget(ScriptedSearch(name="digits"))
    wire.browser_says(panel._earlier, kind="show")
    panel.close()
    assert earlier.num_subscribers == num_subscribers
    for thread in set(threading.enumerate()) - threads:
        thread.join(10)  # that of the advice ends with its answer
    assert set(threading.enumerate()) <= threads
    assert earlier.status is SearchStatus.RUNNING


def test_what_a_page_may_not_send_is_told_in_the_notices(panel, wire, refresh):
    wire.browser_sets(panel._table, top_k=-1)
    wire.browser_sets(panel._status_panel, status="banana")
    refresh(panel)
    newest, oldest = [line["text"] for line in panel._status_panel.notices]
    assert newest == "status cannot be set by a page; nothing was changed"
    assert oldest.startswith("top_k must be a whole number of at least 1")
    assert (panel.top_k, panel._status_panel.status) == (10, "idle")


@pytest.mark.slow
@pytest.mark.parametrize("is_shared", [True, False], ids=["of one search", "of a search each"])
def test_fifty_panels_cost_fifty_times_one_and_leave_nothing_behind(wire, refresh, acknowledge, is_shared):
    one = ScriptedSearch()
    searches = [one if is_shared else ScriptedSearch(name=f"search {place}") for place in range(50)]
    before = set(threading.enumerate())
    lone = OptimizerWidget(ScriptedSearch(name="alone"))
    num_of_one = wire.num_open()
    lone.close()
    panels = [OptimizerWidget(search) for search in searches]
    assert len(set(threading.enumerate()) - before) == (1 if is_shared else 50)
    assert wire.num_open() == 50 * num_of_one
    for panel in panels:
        acknowledge(panel)
    for search in dict.fromkeys(searches):
        search.command("start")
        search.add_trials([0.5] * 20)
    for panel in panels:
        refresh(panel)
    num_messages = []
    for panel in panels:
        wire.clear()
        panel.search.add_trial(0.75)
        refresh(panel)
        num_messages.append(len(wire.messages()))
    # The last one of many updates as the first one does: none looks at the others.
    assert max(num_messages) <= 2 * min(num_messages)
    for panel in panels:
        panel.close()
    assert set(threading.enumerate()) <= before
    assert wire.num_open() == 0
    assert [search.num_subscribers for search in searches] == [0] * 50


def test_a_closed_panel_is_freed(search):
    panel = OptimizerWidget(search)
    freed = weakref.ref(panel)
    panel.close()
    del panel
    gc.collect()
    assert freed() is None


@pytest.mark.slow
def test_a_panel_that_is_shown_no_more_is_hardly_refreshed(show, search, acknowledge, monkeypatch):
    """As when its cell is run again: the view is gone, the widget is still there."""
    forgotten, shown = show(OptimizerWidget, search), show(OptimizerWidget, search)
    now = 1000.0
    for panel in (forgotten, shown):
        panel._refresher._clock = panel._refresher.flow._clock = lambda: now
    acknowledge(shown)
    num_refreshed = {forgotten: 0, shown: 0}
    for panel in num_refreshed:
        refresh = panel._refresher.refresh

        def counted(panel=panel, refresh=refresh):
            num_refreshed[panel] += 1
            refresh()

        monkeypatch.setattr(panel._refresher, "refresh", counted)
    search.command("start")
    thread = shown._refresher._thread
    thread._refresh_those_due()
    for second in range(1, 601):
        now = 1000.0 + second
        thread._refresh_those_due()
    assert num_refreshed[shown] >= 600
    assert num_refreshed[forgotten] < 40


def test_with_two_objectives_the_panel_tells_of_the_front_and_calls_no_trial_the_best(show, refresh, monkeypatch):
    search = ScriptedSearch(titles=["a", "b"], series=["x", "y"], signs=["min", "max"])
    for values in ([0.5, 1.0], [0.1, 0.2], [0.3, 0.9]):
        search.add_trial(values)
    # Whatever the search calls the best, here not the best by the first objective.
    monkeypatch.setattr(ScriptedSearch, "best_by", lambda self, _objective: self.trial(2))
    panel = show(OptimizerWidget, search, plots=["History"])
    refresh(panel)
    in_table = [panel._table.trait_values()[f"row_{slot}"] for slot in panel._table.order]
    assert panel.best_trial == 2
    assert panel._status_panel.best == {"value": "3 trials on the front", "trial": "#2", "note": ""}
    assert {row["number"]: row["mark"] for row in in_table} == dict.fromkeys(range(3), "front")
    assert panel.plots["History"]._drawing._best.x.tolist() == [2.0]


class Preparing(ScriptedSearch):
    """A search that notes when it is asked to have its workers ready."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def prepare_workers(self):
        self.asked.append("prepare")

    def release_workers(self):
        self.asked.append("release")


def test_workers_are_made_ready_once_a_page_shows_the_panel_and_let_go_with_it(show, acknowledge, refresh):
    search = Preparing()
    panel = show(OptimizerWidget, search)
    refresh(panel)
    assert search.asked == []
    acknowledge(panel)
    refresh(panel)
    refresh(panel)
    assert search.asked == ["prepare"]
    other = show(OptimizerWidget, search)
    other.close()  # which no page has shown
    assert search.asked == ["prepare"]
    panel.close()
    panel.close()  # as garbage collection does
    assert search.asked == ["prepare", "release"]


def test_no_workers_are_made_ready_for_a_search_that_has_begun(show, acknowledge, refresh):
    search = Preparing()
    search.command("start")
    panel = show(OptimizerWidget, search)
    refresh(panel)
    acknowledge(panel)
    assert search.asked == []


def test_the_workers_of_a_panel_on_a_page_end_with_it(show, acknowledge, refresh, tmp_path):
    search = HyperParameterOptimizer(
        max, [UniformParameterRange("x", 0, 1)], max_number_of_concurrent_tasks=1, journal=tmp_path
    )
    panel = show(OptimizerWidget, search)
    refresh(panel)
    before = set(psutil.Process().children())
    acknowledge(panel)
    (worker,) = set(psutil.Process().children()) - before
    panel.close()
    psutil.wait_procs([worker], timeout=60)
    assert not worker.is_running()
