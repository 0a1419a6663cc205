"""What all plots share: the filter, which trials a click selects, what is brushed."""

from __future__ import annotations

import ipywidgets
import numpy as np
import pytest
import traitlets as t

from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.trials.filter import TrialFilter
from hpo_widgets.widget import (
    HistoryPlot,
    MapPlot,
    OptimizerWidget,
    ParetoPlot,
    SlicesPlot,
)
from hpo_widgets.widget.parts.part import widgets_of


@pytest.fixture
def filled(search):
    search.add_trials([0.5, 0.25, 0.75, 0.125])
    search.add_trial(state=TrialState.FAILED)
    search.add_trial(0.9, state=TrialState.PRUNED)
    return search


def drawn(plot):
    """Numbers of the trials that each cloud of the first figure shows."""
    return {name: cloud._numbers.tolist() for name, cloud in plot.figures[0]._clouds.items()}


@pytest.mark.parametrize("kind", [HistoryPlot, SlicesPlot])
def test_trials_that_do_not_pass_are_not_drawn(show, filled, refresh, kind):
    plot = show(kind, filled, filter={"top_k": 2})
    assert drawn(plot) == {"inside": [1, 3], "outside": [], "partial": [], "failed": []}
    plot.filter = TrialFilter(states=("failed", "pruned"))
    refresh(plot)
    assert drawn(plot) == {"inside": [], "outside": [], "partial": [5], "failed": [4]}
    plot.filter = None
    refresh(plot)
    assert drawn(plot) == {"inside": [0, 1, 2, 3], "outside": [], "partial": [5], "failed": [4]}


def test_a_trial_that_is_pushed_out_of_the_top_goes(show, filled, refresh):
    plot = show(HistoryPlot, filled, filter={"top_k": 2})
    filled.add_trial(0.2)
    refresh(plot)
    assert drawn(plot)["inside"] == [3, 6]
    filled.add_trial(0.8)
    refresh(plot)
    assert drawn(plot)["inside"] == [3, 6]


def test_a_trial_that_completes_comes_in(show, filled, refresh):
    number = filled.add_trial(0.3, state=TrialState.RUNNING)
    plot = show(HistoryPlot, filled, filter={"states": ["completed"]})
    assert drawn(plot)["inside"] == [0, 1, 2, 3]
    filled.end_trial(number, 0.3)
    refresh(plot)
    assert drawn(plot)["inside"] == [0, 1, 2, 3, number]


def test_the_axis_holds_what_passes(show, filled, refresh):
    plot = show(HistoryPlot, filled)
    assert plot.figures[0].domain.high > 0.75
    plot.filter = {"top_k": 2}
    refresh(plot)
    assert plot.figures[0].domain.high < 0.5


def test_running_trials_the_best_and_the_selected_follow_the_filter(show, filled, refresh):
    filled.add_trial(0.3, state=TrialState.RUNNING)
    plot = show(HistoryPlot, filled, selected=[0, 4])
    figure = plot.figures[0]
    assert figure._best.x.tolist() == [3]
    plot.filter = {"states": ["completed"], "within": {"validation/loss": (0.3, None)}}
    refresh(plot)
    assert (figure._best.x.tolist(), figure._running.x.tolist()) == ([], [])
    assert (figure._selected.x.tolist(), figure._selected_failed.x.tolist()) == ([0], [])
    assert plot.selected == [0, 4]


def test_the_front_is_that_of_the_trials_that_pass(show, refresh):
    search = ScriptedSearch(titles=["a", "b"], series=["x", "y"], signs=["min", "min"])
    for values in ((1.0, 1.0), (2.0, 0.5), (0.5, 3.0)):
        search.add_trial(values)
    plot = show(ParetoPlot, search)
    assert plot.figures[0]._front.names.tolist() == [2, 0, 1]
    plot.filter = {"within": {"a/x": (0.75, None)}}
    refresh(plot)
    assert plot.figures[0]._front.names.tolist() == [0, 1]


def test_all_plots_of_a_panel_have_one_filter(show, filled, refresh, acknowledge):
    panel = show(OptimizerWidget, filled, filter={"top_k": 2})
    acknowledge(panel)
    assert {plot.filter for plot in panel.plots.values()} == {TrialFilter(top_k=2)}
    panel.plots["History"].filter = {"inside": True, "states": ["completed"]}
    assert panel.filter == panel.plots["Timeline"].filter == TrialFilter(inside=True, states=("completed",))
    filled.set_ranges({"layers": (7, 8)})
    for title in panel.plots:
        panel._plots.show(title)
        refresh(panel)
    assert drawn(panel.plots["History"])["outside"] == []
    assert drawn(panel.plots["Slices"])["outside"] == []
    assert all(len(line.x) == 0 for line in panel.plots["Distribution"]._lines)
    assert all(len(line.x) == 0 for line in panel.plots["Timeline"]._lines.values())
    assert panel.plots["Importance"]._said.value.endswith("fewer pass the filter.")


def test_a_filter_is_worked_out_once_for_all_plots(show, filled, refresh, monkeypatch):
    panel = show(OptimizerWidget, filled, plots=["History", "Slices", "Distribution", "Timeline"])
    refresh(panel)
    asked = []
    passing = TrialFilter.passing
    monkeypatch.setattr(TrialFilter, "passing", lambda *given: asked.append(1) or passing(*given))
    with panel._refresher.lock:  # no other thread refreshes
        panel.filter = {"states": ["completed"]}
        filled.add_trial(0.5)
        panel._refresher.refresh(everything=True)
        assert len(asked) == 1


@pytest.mark.parametrize(
    ("name", "nonsense", "message"),
    [
        ("filter", 3, "filter is a TrialFilter or a dict"),
        ("filter", {"topk": 3}, "Did you mean 'top_k'"),
        ("filter", {"epochs": [5]}, "do not exist: 5"),
        ("filter", {"within": {"Lr": (0, 1)}}, "Did you mean 'lr'"),
        ("box", {"lrr": (0, 1)}, "Did you mean 'lr'"),
        ("box", {"lr": 1}, r"box: the range of 'lr' is \(low, high\)"),
        ("box", [1], "a box maps names"),
        ("point", {"lrr": 1}, "Did you mean 'lr'"),
        ("point", {"layers": 1.5}, "point: .*layers"),
        ("point", [1], "point maps names of parameters to values"),
        ("selected", [9], "trials that do not exist: 9; the search has 6 so far"),
    ],
    ids=str,
)
def test_nonsense_is_refused_in_words(show, filled, name, nonsense, message):
    for widget in (show(OptimizerWidget, filled), show(HistoryPlot, filled)):
        before = getattr(widget, name)
        with pytest.raises(t.TraitError, match=message):
            setattr(widget, name, nonsense)
        assert getattr(widget, name) == before


def click(wire, plot, number, *, adds=None):
    """Click a trial's point, as a page does that says before whether a key was held."""
    if adds is not None:
        wire.browser_says(plot._refresher.flow.view, kind="click_on_figure", adds=adds)
    wire.browser_says(plot.figures[0].cloud("inside").hot, event="element_click", data={"x": number, "name": number})


def test_a_click_with_a_key_adds_and_takes_out(show, wire, filled):
    panel = show(OptimizerWidget, filled)
    plot = panel.plots["History"]
    click(wire, plot, 1, adds=False)
    click(wire, plot, 3, adds=True)
    assert panel.selected == [1, 3]
    click(wire, plot, 1, adds=True)
    assert panel.selected == [3]
    click(wire, plot, 2, adds=False)
    assert panel.selected == [2]
    wire.browser_says(panel._refresher.flow.view, kind="click_on_figure", adds="nonsense")
    click(wire, plot, 0)
    assert panel.selected == [0]


@pytest.mark.parametrize("num_trials", [0, 5])
def test_a_filter_of_a_search_without_results_shows_nothing(show, search, refresh, num_trials):
    search.add_trials([None] * num_trials, TrialState.FAILED)
    panel = show(OptimizerWidget, search, filter={"top_k": 3, "inside": True})
    search.add_trial(np.nan, state=TrialState.FAILED)
    refresh(panel)
    assert drawn(panel.plots["History"]) == {"inside": [], "outside": [], "partial": [], "failed": []}


@pytest.mark.parametrize("kind", [HistoryPlot, SlicesPlot, MapPlot])
def test_trials_that_a_person_has_enqueued_are_marked_and_told_of(show, filled, refresh, kind):
    plot = show(kind, filled)
    figure = plot.figures[0]
    assert figure._enqueued is None, "most searches have none, and each mark costs a page time"
    filled.command("enqueue_trial", {"lr": 0.001, "dropout": 0.25, "layers": 3, "activation": "tanh"})
    filled.end_trial(6, 0.3)
    refresh(plot)
    figure = plot.figures[0]
    assert [int(str(name).split()[0]) for name in figure._enqueued.names] == [6]
    assert figure.figure.marks[-1] is figure._enqueued
    assert any("enqueued" in one.value for one in (*widgets_with_words(plot),))
    plot.filter = {"states": ["failed"]}
    refresh(plot)
    assert len(figure._enqueued.x) == 0


def test_an_enqueued_trial_is_marked_on_an_axis_that_has_become_logarithmic(show, filled, refresh):
    plot = show(HistoryPlot, filled, log_scale=False)
    plot.log_scale = True
    filled.command("enqueue_trial", {"lr": 0.001, "dropout": 0.25, "layers": 3, "activation": "tanh"})
    filled.end_trial(6, 0.3)
    refresh(plot)
    figure = plot.figures[0]
    assert figure._enqueued.scales == {"x": figure.x.scale, "y": figure.y.scale}


def widgets_with_words(plot):
    return [one for one in widgets_of(plot) if isinstance(one, (ipywidgets.HTML, ipywidgets.Label))]


@pytest.mark.parametrize("kind", [HistoryPlot, SlicesPlot, MapPlot])
def test_a_trial_that_is_left_out_is_drawn_only_where_the_filter_asks_for_it_and_then_hollow(
    show, filled, refresh, kind
):
    plot = show(kind, filled, selected=[3])
    filled.command("leave_out", [3, 4])
    refresh(plot)
    figure = plot.figures[0]
    assert drawn(plot) == {"inside": [0, 1, 2], "outside": [], "partial": [5], "failed": []}
    assert [str(name).split()[0] for name in figure._best.names] == ["1"]
    assert len(figure._selected.x) == 0
    assert 3 not in [int(row[0][1:]) for row in plot.numbers().rows]
    plot.filter = {"states": ["left out"]}
    refresh(plot)
    assert drawn(plot) == {"inside": [], "outside": [], "partial": [3], "failed": []}
    plot.filter = None
    filled.command("take_back", [3, 4])
    refresh(plot)
    assert drawn(plot) == {"inside": [0, 1, 2, 3], "outside": [], "partial": [5], "failed": [4]}
    assert [str(name).split()[0] for name in figure._best.names] == ["3"]


def test_the_line_of_the_best_and_the_axis_are_those_without_what_is_left_out(show, refresh):
    searches = ScriptedSearch(), ScriptedSearch()
    for search, values in zip(searches, ([0.5, 0.25, 1e-9, 0.125], [0.5, 0.25, 0.25, 0.125]), strict=True):
        search.add_trials(values)
    plot, expected = (show(HistoryPlot, search) for search in searches)
    searches[0].command("leave_out", 2)
    refresh(plot)
    ours, theirs = plot.figures[0], expected.figures[0]
    assert ours._best_line.y.tolist() == theirs._best_line.y.tolist()
    assert ours.domain == theirs.domain
