"""The choice of the objective: by whom it is made, what is drawn anew, what stays, what is refused."""

from __future__ import annotations

from concurrent.futures import Future

import ipywidgets
import numpy as np
import pytest
import traitlets as t

from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import (
    CurvesPlot,
    DistributionPlot,
    HistoryPlot,
    ImportancePlot,
    MapPlot,
    OptimizerWidget,
    ParallelPlot,
    ParetoPlot,
    SlicesPlot,
    TimelinePlot,
)
from hpo_widgets.widget.parts.part import widgets_of
from hpo_widgets.widget.plots import importance

KINDS = [HistoryPlot, SlicesPlot, MapPlot, ImportancePlot, DistributionPlot]
POINTS = [HistoryPlot, SlicesPlot]


@pytest.fixture
def search():
    """A search for a small error and a great size, which spans decades."""
    found = ScriptedSearch(titles=["error", "size"], series=["error", "size"], signs=["min", "max"])
    found.command("start")
    for number in range(12):
        found.add_trial([0.5 - 0.01 * number if number != 3 else 0.1, 10.0 ** (number % 5)])
    return found


def y_axis(plot):
    return plot.figures[0].y.axis


def drawn(plot, figure=0):
    """Values of the trials that are drawn, by number."""
    return dict(sorted(zip(plot.figures[figure].cloud("inside")._numbers.tolist(), heights(plot, figure), strict=True)))


def heights(plot, figure):
    return plot.figures[figure].cloud("inside")._y.tolist()


def best(plot):
    return np.asarray(plot.figures[0]._best.y).tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_chooses_the_objective_and_sees_what_code_has_chosen(show, search, wire, kind):
    plot = show(kind, search, objective=1)
    chooser = plot.objective_chooser
    assert (chooser.options, chooser.value) == ((("error", 0), ("size", 1)), 1)
    wire.browser_sets(chooser, index=0)
    assert plot.objective == 0
    wire.clear()
    plot.objective = 1
    assert {"index": 1} in wire.updates(chooser)
    assert any("size" in column for column in plot.numbers().columns)


@pytest.mark.parametrize("kind", POINTS)
def test_all_trials_are_drawn_anew_with_the_axis_and_the_best_of_the_objective(show, search, refresh, kind):
    plot = show(kind, search)
    assert not plot.figures[0].domain.is_log
    assert best(plot) == [0.1]
    plot.objective = 1
    assert drawn(plot) == {number: 10.0 ** (number % 5) for number in range(12)}
    assert plot.figures[0].domain.is_log
    assert best(plot) == [1e4]
    search.add_trial([0.9, 1e6])
    refresh(plot)
    assert drawn(plot)[12] == 1e6
    assert best(plot) == [1e6]
    plot.objective = 0
    assert drawn(plot)[12] == 0.9
    assert not plot.figures[0].domain.is_log
    assert best(plot) == [0.1]


def test_the_history_names_the_objective_and_its_best_so_far_goes_the_other_way(show, search):
    plot = show(HistoryPlot, search)
    assert y_axis(plot).label == "error"
    plot.objective = 1
    assert y_axis(plot).label == "size (log)"
    assert plot.figure.title == "size of each trial in order"
    assert plot.figure in plot.children
    line = np.asarray(plot.figures[0]._best_line.y)
    assert (line[0], line[-1]) == (1.0, 1e4)
    assert np.all(np.diff(line) >= 0)


def test_the_slices_say_which_objective_they_are_about(show, search):
    plot = show(SlicesPlot, search)
    assert plot._caption.value.startswith("error against each parameter")
    plot.objective = 1
    assert plot._caption.value.startswith("size against each parameter")
    assert {figure.figure.title.partition(" of ")[0] for figure in plot.figures} == {"size"}
    assert list(plot._grid.children) == [figure.figure for figure in plot.figures]


def test_the_distribution_is_that_of_the_objective_on_an_axis_of_its_own(show, search):
    plot = show(DistributionPlot, search)
    plot.objective = 1
    assert (plot._x.axis.label, plot._x.domain.is_log) == ("size (log)", True)
    assert plot.figure.title.startswith("share of trials by size")
    assert plot.figure in plot.children
    assert np.asarray(plot._lines[0].x).tolist()[1:] == sorted(10.0 ** (number % 5) for number in range(12))
    assert plot.numbers().columns[0] == "share of trials by size"
    plot.objective = 0
    assert (plot._x.axis.label, plot._x.domain.is_log) == ("error", False)


@pytest.fixture
def planted():
    """A search whose error goes by the learning rate alone, and whose size by the number of layers."""
    found = ScriptedSearch(titles=["error", "size"], series=["error", "size"], signs=["min", "max"])
    random = np.random.default_rng(5)
    for _ in range(80):
        point = {
            "lr": float(10 ** random.uniform(-4, -1)),
            "dropout": float(random.uniform(0, 0.5)),
            "layers": int(random.integers(1, 7)),
            "activation": "relu",
        }
        found.add_trial([abs(np.log10(point["lr"]) + 2), float(point["layers"])], point)
    return found


def test_the_importance_is_computed_anew(show, planted):
    plot = show(ImportancePlot, planted)
    assert list(plot._bars.x)[-1] == "lr"
    plot.objective = 1
    assert list(plot._bars.x)[-1] == "layers"
    assert "best tenth by size of 80 trials" in plot._said.value
    assert plot.figure.title == "importance of each parameter for size"
    assert plot.numbers().columns == ("parameter", "share of the importance by size")


def test_while_a_search_goes_on_no_importance_of_the_objective_before_is_shown(show, planted, monkeypatch, refresh):
    asked = []
    monkeypatch.setattr(
        importance, "run_in_thread", lambda _name, ask, _poke: asked.append((ask, Future())) or asked[-1][1]
    )
    planted.command("start")
    plot = show(ImportancePlot, planted)
    plot.objective = 1
    assert (list(plot._bars.x), plot._said.value) == ([], "The importance is being computed.")
    assert plot.numbers().rows == []
    for ask, answer in asked:  # that of the objective before, too
        answer.set_result(ask())
    refresh(plot)
    assert len(asked) == 2
    assert list(plot._bars.x)[-1] == "layers"


def test_a_choice_in_one_plot_of_a_panel_is_that_of_all(show, search, wire):
    panel = show(OptimizerWidget, search, plots=[*KINDS, ParetoPlot, ParallelPlot, TimelinePlot])
    assert {plot.objective for plot in panel.plots.values()} == {0}
    wire.browser_sets(panel.plots["Slices"].objective_chooser, index=1)
    assert panel.objective == 1
    choosers = [plot.objective_chooser for plot in panel.plots.values() if plot.objective_chooser is not None]
    assert [chooser.value for chooser in choosers] == [1] * len(KINDS)
    panel.objective = 0
    assert {plot.objective for plot in panel.plots.values()} == {0}


def test_a_tab_that_is_opened_after_the_choice_shows_what_was_chosen(show, search):
    panel = show(OptimizerWidget, search, objective=1)
    panel._plots.show("Slices")
    assert panel.plots["Slices"]._caption.value.startswith("size against each parameter")
    with pytest.raises(t.TraitError, match="objective must be below 2"):
        panel.objective = 2


@pytest.mark.parametrize(("shown", "then"), [("error/error", "size/size"), ("train/loss", "train/loss")])
def test_curves_show_the_objective_that_is_chosen_unless_they_show_another_scalar(show, search, shown, then):
    plot = show(CurvesPlot, search, scalar=shown)
    plot.objective = 1
    assert plot.scalar == then


@pytest.mark.parametrize("kind", POINTS)
def test_selection_filter_and_brushing_stay(show, search, kind):
    search.add_trial([0.7, 0.5], state=TrialState.PRUNED)
    plot = show(kind, search, selected=[2, 4], filter={"states": ["completed"]}, brushing=True)
    plot.objective = 1
    assert plot.selected == [2, 4]
    assert sorted(np.asarray(plot.figures[0]._selected.y).tolist()) == [1e2, 1e4]
    assert len(plot.figures[0].cloud("partial")) == 0
    assert plot.figures[0].brush is not None
    plot.selected = [1]
    assert np.asarray(plot.figures[0]._selected.y).tolist() == [10.0]


@pytest.mark.parametrize("kind", POINTS)
def test_an_axis_that_was_asked_to_be_linear_stays_so(show, search, kind):
    plot = show(kind, search, log_scale=False)
    plot.objective = 1
    assert not plot.figures[0].domain.is_log


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_drawn_before_is_closed(show, search, wire, kind):
    plot = show(kind, search)
    plot.objective = 1
    before = wire.num_open()
    plot.objective = 0
    plot.objective = 1
    assert wire.num_open() <= before + 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("index", [2, -1, "size", None])
def test_code_that_names_no_objective_is_told(show, search, kind, index):
    plot = show(kind, search)
    with pytest.raises(t.TraitError, match="objective"):
        plot.objective = index
    assert plot.objective == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_that_names_no_objective_changes_nothing(show, search, wire, kind):
    plot = show(kind, search, objective=1)
    for index in (7, -1, "0", None):
        wire.browser_sets(plot.objective_chooser, index=index)
        assert (plot.objective, plot.objective_chooser.index) == (1, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_one_objective_is_no_choice_and_no_widget(show, kind):
    plot = show(kind, ScriptedSearch())
    assert plot.objective_chooser is None
    words = [one.description for one in widgets_of(plot) if isinstance(one, ipywidgets.Dropdown)]
    assert words == (["x", "y"] if kind is MapPlot else [])


@pytest.mark.parametrize("title", ["History", "Slices", "Map"])
def test_a_tab_that_nobody_sees_shows_the_objective_once_it_is_seen(show, search, title):
    panel = show(OptimizerWidget, search, plots=["Timeline", title])
    plot = panel.plots[title]
    panel._plots.show(title)
    panel._plots.show("Timeline")
    plot.objective = 1
    plot.selected = [4]
    search.add_trial([0.9, 1e6])
    panel._plots.show(title)
    assert len(plot.figures[0].cloud("inside")) == 13
    assert plot.selected == [4]


def test_what_a_notebook_keeps_says_which_objective_is_pictured(show, search):
    panel = show(OptimizerWidget, search, plots=["History", "Timeline"])
    panel.plots["History"].objective = 1
    search.command("stop")
    assert panel._snapshot.words()["plot"] == "History: size"
    panel._plots.show("Timeline")
    assert panel._snapshot.words()["plot"] == "Timeline"


def test_an_open_table_of_numbers_follows(show, search):
    plot = show(SlicesPlot, search)
    plot._numbers_table.is_open = True
    plot.objective = 1
    assert plot._numbers_table.columns[1]["label"] == "size"
