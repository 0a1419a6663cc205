"""The Pareto plot: who is on the front, where its line goes, which objectives are shown."""

from __future__ import annotations

import math

import numpy as np
import pytest
import traitlets as t

from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import HistoryPlot, OptimizerWidget, ParetoPlot, text
from hpo_widgets.widget.plots.series import corners

SIGNS = {"error": "min", "size": "min", "accuracy": "max"}


def search_for(*names):
    """A search for objectives of these names."""
    return ScriptedSearch(titles=list(names), series=list(names), signs=[SIGNS[name] for name in names])


@pytest.fixture
def two():
    """A search for a small error and a small size."""
    return search_for("error", "size")


def front(plot):
    """Numbers of the trials that are drawn as the front, in its order."""
    return plot.figures[0]._front.names.tolist()


def test_the_front_holds_the_trials_that_no_other_dominates_from_one_end_to_the_other(show, two, refresh):
    for values in [(0.5, 10.0), (0.1, 90.0), (0.5, 20.0), (0.3, 30.0), (0.2, 95.0)]:
        two.add_trial(values)
    plot = show(ParetoPlot, two)
    assert front(plot) == [1, 3, 0]
    two.add_trial((0.25, 15.0))
    refresh(plot)
    assert front(plot) == [1, 5, 0]
    steps = plot.figures[0]._steps
    assert steps.x.tolist() == [0.1, 0.25, 0.25, 0.5, 0.5]
    assert steps.y.tolist() == [90.0, 90.0, 15.0, 15.0, 10.0]


def test_the_front_is_what_it_would_be_among_all_trials_at_once(show, two, refresh):
    rng = np.random.default_rng(0)
    plot = show(ParetoPlot, two)

    def check():
        refresh(plot)
        assert front(plot) == front(show(ParetoPlot, two, filter=plot.filter))

    for _ in range(5):
        for values in rng.integers(0, 20, (8, 2)).tolist():
            two.add_trial(values)
        check()
    running = two.add_trial(state=TrialState.RUNNING)
    check()
    plot.filter = {"within": {"error/error": (5, 20)}}
    check()
    two.end_trial(running, (-1.0, -1.0))
    check()
    plot.filter = None
    check()
    assert front(plot) == [running]


def test_the_line_goes_along_the_level_of_each_trial_to_the_next():
    x, y = corners(np.array([1.0, 2.0]), np.array([5.0, 3.0]))
    assert (x.tolist(), y.tolist()) == ([1.0, 2.0, 2.0], [5.0, 5.0, 3.0])
    assert [part.tolist() for part in corners(np.empty(0), np.empty(0))] == [[], []]


def test_a_large_value_is_good_where_the_objective_says_so(show):
    search = search_for("error", "accuracy")
    for values in [(0.5, 10.0), (0.1, 5.0), (0.6, 9.0), (0.2, 4.0)]:
        search.add_trial(values)
    assert front(show(ParetoPlot, search)) == [1, 0]


@pytest.mark.parametrize(
    ("values", "state"),
    [
        ((None, 1.0), TrialState.COMPLETED),
        ((math.nan, 0.0), TrialState.COMPLETED),
        ((math.inf, -1.0), TrialState.COMPLETED),
        ((-math.inf, -1.0), TrialState.COMPLETED),
        ((0.0, 0.0), TrialState.FAILED),
        ((0.0, 0.0), TrialState.PRUNED),
        ((0.0, 0.0), TrialState.RUNNING),
    ],
    ids=str,
)
def test_a_trial_without_both_final_values_is_not_on_the_front(show, two, values, state):
    two.add_trial((0.5, 0.5))
    two.add_trial(values, state=state)
    plot = show(ParetoPlot, two)
    assert front(plot) == [0]
    assert [row[0] for row in plot.numbers().rows if "on the front" in row] == ["#0"]
    drawn = [mark for mark in plot.figures[0].marks if hasattr(mark, "x")]
    assert all(np.isfinite(mark.x).all() and np.isfinite(mark.y).all() for mark in drawn)


def test_an_axis_is_logarithmic_where_that_shows_more(show, two, refresh):
    two.add_trials([(0.1 + 0.01 * number, 10.0**number) for number in range(12)])
    plot = show(ParetoPlot, two)
    figure = plot.figures[0]
    assert (figure.domain_x.is_log, figure.domain.is_log) == (False, True)
    plot.log_scale = True
    assert (figure.domain_x.is_log, figure.domain.is_log) == (True, True)
    assert figure.figure.axes[0].label == "error (log)"
    two.add_trial((-1.0, 1.0))
    refresh(plot)
    assert not figure.domain_x.is_log
    assert front(plot)[0] == 12


def test_whether_an_axis_shows_more_is_asked_of_the_objective_that_is_on_it(show, refresh):
    search = search_for("error", "accuracy")
    values = [0.03, *[0.1] * 9, *[0.9] * 10, 0.97]
    search.add_trials(list(zip(values, values, strict=True)))
    plot = show(ParetoPlot, search)
    assert (plot.figures[0].domain_x.is_log, plot.figures[0].domain.is_log) == (True, False)
    plot.pair = (1, 0)
    assert (plot.figures[0].domain_x.is_log, plot.figures[0].domain.is_log) == (False, True)


def test_both_axes_are_logarithmic_from_the_beginning_where_that_was_asked_for(show, two):
    two.add_trials([(0.5, 10.0), (0.1, 90.0)])
    figure = show(ParetoPlot, two, log_scale=True).figures[0]
    assert (figure.domain_x.is_log, figure.domain.is_log) == (True, True)


def test_of_many_objectives_any_two_are_shown(show):
    search = search_for("error", "size", "accuracy")
    for values in [(0.5, 10.0, 1.0), (0.1, 90.0, 2.0), (0.6, 95.0, 3.0)]:
        search.add_trial(values)
    plot = show(ParetoPlot, search)
    assert front(plot) == [1, 0]
    plot.pair = (0, 2)
    assert front(plot) == [1, 2]
    assert [axis.label for axis in plot.figures[0].figure.axes] == ["error", "accuracy"]
    across, up = plot._choosers
    assert (across.value, up.value) == (0, 2)
    across.value = 2  # what is shown up already: the two change places
    assert plot.pair == (2, 0)
    for wrong in [(0, 0), (0, 3), (-1, 0)]:
        with pytest.raises(t.TraitError):
            plot.pair = wrong


def near(num=20, high=0.4):
    """Pairs of which the first and the last are the front."""
    some = np.linspace(0.3, high, num)
    return np.stack([some, 1000 * some[::-1] + 5 * np.sin(np.arange(num))], axis=1).tolist()


@pytest.mark.parametrize("bad", [(1e9, 350.0), (0.35, 1e9), (1e9, 1e9)])
def test_a_trial_far_beyond_the_others_is_a_triangle_at_the_edge_of_either_axis(show, two, refresh, bad):
    two.add_trials(near())
    plot = show(ParetoPlot, two)
    (figure,) = plot.figures
    before = figure.domain_x, figure.domain
    two.add_trials([bad, (0.36, 370.0)])
    refresh(plot)
    assert (figure.domain_x, figure.domain) == before
    assert (figure.counts["inside"], figure.counts["beyond"]) == (21, 1)
    triangle = figure.cloud("beyond").hot
    at = triangle.x[0] if bad[0] < 1e9 else figure.domain_x.place(triangle.x)[0], triangle.y[0]
    places = figure.place((0.35, 350.0))[:, 0]
    assert at[0] == pytest.approx(0.975 if bad[0] == 1e9 else 0.35)
    assert at[1] == pytest.approx(0.975 if bad[1] == 1e9 else places[1])
    assert triangle.names.tolist() == [f"20 · {text.number(bad[0])} · {text.number(bad[1])}"]
    assert "△" in plot._key.value
    assert "1 beyond an axis" in plot._key.value
    plot.selected = [20, 21]
    assert (figure._selected.names.tolist(), figure._selected_failed.x.tolist()) == ([21], triangle.x.tolist())
    assert figure.trial_at((triangle.x[0], figure.domain.at(triangle.y[0]))) == 20


def test_the_axes_hold_the_front_however_bad_it_is_in_one_of_both(show, two, refresh):
    two.add_trials([*near(), (0.35, 1e9)])
    plot = show(ParetoPlot, two)
    (figure,) = plot.figures
    assert figure.counts["beyond"] == 1
    two.add_trial((0.1, 1e9))  # the least error of all
    refresh(plot)
    assert figure.counts["beyond"] == 0
    assert front(plot)[0] == 21
    drawn = figure._front
    assert not figure.domain.is_beyond(drawn.y).any()
    assert not figure.domain_x.is_beyond(drawn.x).any()


def test_triangles_stay_at_the_edge_of_an_axis_that_grows(show, two, refresh):
    two.add_trials([*near(), (1e9, 350.0)])
    plot = show(ParetoPlot, two)
    (figure,) = plot.figures
    before = figure.domain_x
    two.add_trial((0.2, 450.0))
    refresh(plot)
    assert figure.domain_x != before
    assert figure.domain_x.place(figure.cloud("beyond").hot.x).tolist() == pytest.approx([0.975])


def test_what_else_is_on_the_front_of_all_has_no_rim_beyond_an_axis(show):
    search = search_for("error", "size", "accuracy")
    search.add_trials([(*pair, 0.5) for pair in near()] + [(1e9, 350.0, 0.9), (0.37, 380.0, 0.8)])
    plot = show(ParetoPlot, search)
    assert plot.figures[0].counts["beyond"] == 1
    assert plot.figures[0]._front_of_all.names.tolist() == [21]


def test_of_two_objectives_no_choice_is_made(show, two, wire):
    two.add_trials([(0.5, 10.0), (0.1, 90.0)])
    plot = show(ParetoPlot, two)
    made = [message["state"].get("_model_name") for _, message in wire.messages() if "state" in message]
    assert "FigureModel" in made
    assert "DropdownModel" not in made
    plot.pair = (1, 0)
    assert [axis.label for axis in plot.figures[0].figure.axes] == ["size", "error"]


def test_of_three_objectives_what_else_is_on_the_front_of_all_has_a_rim(show, refresh):
    search = search_for("error", "size", "accuracy")
    values = [(0.5, 10.0, 1.0), (0.1, 90.0, 2.0), (0.6, 95.0, 3.0), (0.7, 96.0, 2.5)]
    search.add_trials(values)
    plot = show(ParetoPlot, search)

    def rimmed():
        mark = plot.figures[0]._front_of_all
        return [] if mark is None else mark.names.tolist()

    assert (front(plot), rimmed()) == ([1, 0], [2])
    assert "not dominated in these two" in plot._key.value
    assert "not dominated in all 3" in plot._key.value
    numbers = plot.numbers()
    columns = [numbers.columns.index(heading) for heading in ("trial", "front", "front of all 3")]
    on = "on the front"
    said = [tuple(row[column] for column in columns) for row in numbers.rows]
    assert sorted(said) == [("#0", on, on), ("#1", on, on), ("#2", "", on), ("#3", "", "")]
    search.add_trial((0.65, 97.0, 4.0))
    refresh(plot)
    assert rimmed() == [2, 4]
    plot.pair = (0, 2)
    assert (front(plot), rimmed()) == ([1, 2, 4], [0])
    plot.filter = {"within": {"error/error": (0.5, None)}}
    refresh(plot)
    assert (front(plot), rimmed()) == ([0, 2, 4], [])
    search.add_trial((0.0, 0.0, 9.0))
    plot.filter = None
    refresh(plot)
    assert (front(plot), rimmed()) == ([5], [])


def test_of_two_objectives_there_is_one_front(show, two):
    two.add_trials([(0.5, 10.0), (0.1, 90.0), (0.5, 20.0)])
    plot = show(ParetoPlot, two)
    assert plot.figures[0]._front_of_all is None
    assert "in these two" not in plot._key.value


def test_a_search_with_one_objective_has_no_front(show, search):
    with pytest.raises(ValueError, match="needs two objectives"):
        show(ParetoPlot, search)


def test_a_click_selects_and_the_selected_are_ringed(show, two):
    two.add_trials([(0.5, 10.0), (0.1, 90.0)])
    plot = show(ParetoPlot, two)
    plot._on_click({"name": 1}, plot.figures[0])
    assert plot.selected == [1]
    ring = plot.figures[0]._selected
    assert (ring.x.tolist(), ring.y.tolist()) == ([0.1], [90.0])


def test_a_selected_trial_without_a_value_up_is_ringed_on_an_axis_that_has_become_logarithmic(show, two):
    two.add_trials([(10.0**number, 0.1 + 0.01 * number) for number in range(12)])
    two.add_trial((5.0, None))
    plot = show(ParetoPlot, two)
    figure = plot.figures[0]
    assert figure.domain_x.is_log
    plot.selected = [12]
    ring = figure._selected_failed
    assert ring.x.tolist() == [5.0]
    assert ring.scales["x"] is figure.x.scale


def test_one_more_trial_touches_what_is_new_only(show, two, refresh, wire):
    two.add_trials([(number / 500, 1 - number / 500) for number in range(400)])
    plot = show(ParetoPlot, two)
    refresh(plot)
    wire.clear()
    two.add_trial((0.9, 0.9))
    refresh(plot)
    assert wire.num_bytes() < 4_000


def test_with_two_objectives_the_front_is_the_first_tab(show, two, search):
    assert list(show(OptimizerWidget, two).plots) == [
        "Pareto",
        "History",
        "Slices",
        "Parallel",
        "Map",
        "Curves",
        "Importance",
        "Distribution",
        "Timeline",
    ]
    assert list(show(OptimizerWidget, search).plots) == [
        "History",
        "Slices",
        "Parallel",
        "Map",
        "Curves",
        "Importance",
        "Distribution",
        "Timeline",
    ]


def test_a_panel_shows_the_plots_that_were_asked_for_in_their_order(show, search):
    class OwnPlot(HistoryPlot):
        """A plot of somebody's own."""

    panel = show(OptimizerWidget, search, plots=["Slices", OwnPlot, HistoryPlot])
    assert list(panel.plots) == ["Slices", "Own", "History"]
    assert type(panel.plots["Own"]) is OwnPlot
    assert panel._plots.titles == ("Slices", "Own", "History")
    for wrong, said in [
        (["Historie"], "Did you mean 'History'"),
        (["History", HistoryPlot], "given twice"),
        ([], "at least one plot"),
        (["Pareto"], "needs two objectives"),
    ]:
        with pytest.raises(ValueError, match=said):
            show(OptimizerWidget, search, plots=wrong)
