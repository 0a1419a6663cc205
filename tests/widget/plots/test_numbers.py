"""The numbers of plots: what each table has, when it is made, and what is said of the rows that it leaves out."""

from __future__ import annotations

import bqplot
import ipywidgets
import numpy as np
import pytest

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
    Plot,
    SlicesPlot,
    TimelinePlot,
)
from hpo_widgets.widget.plots.numbers import MOST_ROWS, PlotNumbers

ALL = [CurvesPlot, DistributionPlot, HistoryPlot, ImportancePlot, MapPlot, ParallelPlot, SlicesPlot, TimelinePlot]
POINT = {"lr": 0.001, "dropout": 0.25, "layers": 3, "activation": "tanh"}


class OwnPlot(Plot):
    """As in the documentation: no word of numbers."""

    def make(self, search):
        scales = {"x": bqplot.LinearScale(), "y": bqplot.LinearScale()}
        self.bars = bqplot.Bars(x=[1.0, 2.0], y=[3, 4], scales=scales)
        axes = [bqplot.Axis(scale=scales["x"], label="seconds"), bqplot.Axis(scale=scales["y"], label="trials")]
        self.figure = bqplot.Figure(marks=[self.bars], axes=axes)

    def contents(self):
        return [self.figure]

    def refresh(self, update):
        pass


@pytest.fixture
def filled(search):
    """Trials of a kind each, the second one the best, the third of another space."""
    search.add_trial(0.5, POINT)
    search.add_trial(0.25, {**POINT, "lr": 0.01})
    search.set_ranges({"layers": (2, 3)})
    search.add_trial(0.75, POINT)
    search.add_trial(state=TrialState.FAILED, error="ValueError: no", point=POINT)
    search.add_trial(state=TrialState.RUNNING, point=POINT)
    return search


def column(made, heading):
    """The cells of a column by trial."""
    place = made.columns.index(heading)
    return {row[0]: row[place] for row in made.rows}


def test_the_history_tells_the_newest_first_with_the_best_so_far_and_the_space(show, filled):
    made = show(HistoryPlot, filled).numbers()
    assert made.columns == ("trial", "validation / loss", "best so far", "space", "state")
    assert made.rows == [
        ("#4", None, 0.25, 2, "running"),
        ("#3", None, 0.25, 2, "failed"),
        ("#2", 0.75, 0.25, 2, "completed"),
        ("#1", 0.25, 0.25, 1, "completed"),
        ("#0", 0.5, 0.5, 1, "completed"),
    ]
    assert made.sentence == "5 trials, the newest first."


@pytest.mark.parametrize(
    ("total", "words", "sentence"),
    [
        (1, "trials, the newest first", "1 trial, the newest first."),
        (1, "curves of loss, the best first", "1 curve of loss, the best first."),
        (2, "curves of loss, the best first", "2 curves of loss, the best first."),
        (0, "trials, the newest first", "Nothing is drawn yet: no trials."),
    ],
)
def test_a_table_says_of_one_row_that_it_is_one(total, words, sentence):
    assert PlotNumbers(("trial",), [(str(number),) for number in range(total)], total, words).sentence == sentence


def test_slices_and_map_tell_the_parameters_that_they_show(show, filled):
    slices = show(SlicesPlot, filled, parameters=["activation", "layers"]).numbers()
    assert slices.columns == ("trial", "validation / loss", "activation", "layers", "state")
    assert slices.rows[-1] == ("#0", 0.5, "tanh", 3, "completed")
    shown = show(MapPlot, filled, x="lr", y="dropout").numbers()
    assert shown.columns == ("trial", "validation / loss", "lr", "dropout", "state")
    assert column(shown, "lr")["#1"] == 0.01


def test_parallel_tells_the_best_first_and_every_objective(show):
    search = ScriptedSearch(titles=["a", "b"], series=["x", "y"], signs=["min", "max"])
    for values in ([0.5, 1.0], [0.1, 2.0], [0.3, 0.9]):
        search.add_trial(values)
    search.add_trial(state=TrialState.FAILED)
    made = show(ParallelPlot, search).numbers()
    assert [row[0] for row in made.rows] == ["#1", *[row[0] for row in made.rows[1:3]], "#3"]
    assert made.columns == ("trial", "a / x", "b / y", "lr", "dropout", "layers", "activation", "state")


def test_pareto_marks_the_front_of_both_objectives_that_are_shown(show):
    search = ScriptedSearch(titles=["a", "b", "c"], series=["x", "y", "z"], signs=["min", "max", "min"])
    for values in ([0.5, 1.0, 1.0], [0.1, 2.0, 3.0], [0.3, 0.9, 0.5]):
        search.add_trial(values)
    plot = show(ParetoPlot, search)
    assert [row[:4] for row in plot.numbers().rows] == [
        ("#1", 0.1, 2.0, "on the front"),
        ("#2", 0.3, 0.9, ""),
        ("#0", 0.5, 1.0, ""),
    ]
    plot.pair = (0, 2)
    front = [row[0] for row in plot.numbers().rows if row[3]]
    assert front == ["#1", "#2"]


def test_curves_tell_where_each_one_begins_and_ends(show):
    search = ScriptedSearch()
    for number, values in enumerate([[3.0, 1.0, 2.0], [0.5, 0.25]]):
        search.add_trial(values[-1])
        search.report(number, values)
    search.command("start")
    search.command("stop")
    made = show(CurvesPlot, search).numbers()
    assert made.columns[:7] == (
        "trial", "first iteration", "value", "last iteration", "last value", "least", "greatest"
    )  # fmt: skip
    assert sorted(made.rows) == [
        ("#0", 0, 3.0, 2, 2.0, 1.0, 3.0, "completed"),
        ("#1", 0, 0.5, 1, 0.25, 0.25, 0.5, "completed"),
    ]


def test_importance_tells_the_share_of_each_parameter(show, search):
    for at in range(20):
        search.add_trial(at / 20, {**POINT, "dropout": at / 40})
    search.command("start")
    search.command("stop")
    made = show(ImportancePlot, search).numbers()
    assert made.rows == [("dropout", "100.0%")]
    assert show(ImportancePlot, ScriptedSearch()).numbers().rows == []


def test_the_distribution_tells_tenths_of_each_space(show, search):
    search.add_trials([float(at) for at in range(1, 21)])
    search.set_ranges({"layers": (2, 3)})
    search.add_trials([5.0])
    made = show(DistributionPlot, search).numbers()
    assert made.columns[1:] == ("space 1: 20 completed", "space 2: 1 completed")
    assert (made.rows[0], made.rows[4], made.rows[-1]) == (
        ("10% at or below", 2.0, 5.0),
        ("50% at or below", 10.0, 5.0),
        ("100% at or below", 20.0, 5.0),
    )


def test_the_timeline_tells_worker_start_and_end(show, filled):
    made = show(TimelinePlot, filled).numbers()
    assert made.columns == ("trial", "worker", "start after", "end after", "ran for", "state")
    first = made.rows[-1]
    assert (first[0], first[2], first[-1]) == ("#0", "< 1 ms", "completed")
    assert column(made, "end after")["#4"] == "–"


def test_a_plot_of_ones_own_tells_the_coordinates_of_its_marks(show, filled):
    made = show(OwnPlot, filled).numbers()
    assert made.columns == ("mark", "seconds", "trials")
    assert made.rows == [("bars", 1.0, 3), ("bars", 2.0, 4)]


@pytest.mark.parametrize("kind", [HistoryPlot, SlicesPlot, MapPlot, ParallelPlot, TimelinePlot])
def test_the_numbers_are_those_of_trials_that_pass_the_filter(show, filled, kind):
    made = show(kind, filled, filter={"top_k": 1}).numbers()
    assert [row[0] for row in made.rows] == ["#1"]


@pytest.mark.parametrize("kind", [*ALL, OwnPlot])
def test_a_table_is_made_when_it_is_asked_for_and_says_how_many_rows_there_are(show, search, refresh, wire, kind):
    search.add_trials(np.linspace(0.1, 1.0, MOST_ROWS + 50).tolist())
    plot = show(kind, search)
    table = plot._numbers_table
    wire.clear()
    search.add_trial(0.3)
    refresh(plot)
    assert wire.updates(table) == []
    assert (table.rows, table.sentence) == ([], "")
    wire.browser_sets(table, is_open=True)
    assert table.sentence
    assert len(table.rows) <= MOST_ROWS
    assert all(len(row) == len(table.columns) for row in table.rows)
    if kind in {HistoryPlot, MapPlot, ParallelPlot, SlicesPlot, TimelinePlot}:
        assert table.sentence.startswith(f"{MOST_ROWS} of {MOST_ROWS + 51} trials")
        assert "All of them: Export, Trials as CSV, or to_dataframe()." in table.sentence
    wire.browser_sets(table, is_open=False)
    assert (table.rows, table.columns, table.sentence) == ([], [], "")


def test_an_open_table_stays_as_it_is_until_it_is_updated_or_the_filter_changes(show, filled, refresh, wire):
    plot = show(HistoryPlot, filled)
    table = plot._numbers_table
    wire.browser_sets(table, is_open=True)
    filled.add_trial(0.125)
    refresh(plot)
    assert len(table.rows) == 5
    wire.browser_says(table, kind="update")
    assert table.rows[0] == ["#5", "0.125", "0.125", "2", "completed"]
    assert [one["is_number"] for one in table.columns] == [False, True, True, True, False]
    plot.filter = {"states": ["failed"]}
    assert [row[0] for row in table.rows] == ["#3"]


def test_numbers_that_raise_are_said_and_take_nothing_with_them(show, filled, wire, caplog):
    class Broken(OwnPlot):
        def numbers(self):
            raise RuntimeError("no numbers today")

    table = show(Broken, filled)._numbers_table
    wire.browser_sets(table, is_open=True)
    assert table.sentence == "The numbers cannot be shown: no numbers today"
    assert "no numbers today" in caplog.text


def test_each_tab_of_a_panel_has_a_table_that_is_named_after_it(show, filled):
    panel = show(OptimizerWidget, filled)
    for title, plot in panel.plots.items():
        assert isinstance(plot.children[-1], ipywidgets.DOMWidget)
        assert plot.children[-1].title == title
