"""Parallel coordinates: where lines run, what is counted, and how intervals and the filter go together."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hpo_widgets.parameters import (
    DiscreteParameterRange,
    LogUniformParameterRange,
    ParameterSet,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import ParallelPlot
from hpo_widgets.widget.plots.axes import Domain
from hpo_widgets.widget.plots.parallel_lines import (
    MOST_STRONG,
    LineDensity,
    ParallelAxis,
    ParallelTrials,
    distances,
    failed_counts,
    lines,
    narrowed,
    parameter_axis,
    strongest,
)
from hpo_widgets.widget.plots.parameter_choice import MOST_PARAMETERS

NAN = math.nan
NUMBERS = np.arange(1000)


def axis(parameter, values=()):
    return parameter_axis(parameter, parameter.name, np.array(values, dtype=float))


LR = LogUniformParameterRange("lr", -4, -1)
DROPOUT = UniformParameterRange("dropout", 0.0, 0.5)
LAYERS = UniformIntegerParameterRange("layers", 1, 6)
ACTIVATION = DiscreteParameterRange("activation", ["relu", "tanh", 1, True, "1"])


def test_each_parameter_has_the_scale_of_its_own():
    assert axis(LR).places(np.array([1e-4, 10**-2.5, 1e-1]), NUMBERS[:3])[1] == pytest.approx(0.5)
    assert axis(DROPOUT).places(np.array([0.25]), NUMBERS[:1]) == pytest.approx(0.5)
    choices = axis(ACTIVATION)
    np.testing.assert_allclose(choices.places(np.arange(5.0), NUMBERS[:5]), [0.1, 0.3, 0.5, 0.7, 0.9], atol=0.02)
    assert [words for _, words in choices.ticks()] == list(ACTIVATION.labels)


def test_ticks_differ_where_a_range_is_narrow():
    words = [words for _, words in axis(UniformParameterRange("offset", 1000.1, 1000.9)).ticks()]
    assert len(set(words)) == len(words) >= 3


def test_trials_alike_are_spread_a_little_and_always_in_the_same_way():
    for one in (axis(LAYERS), axis(ACTIVATION)):
        places = one.places(np.full(100, 2.0), NUMBERS[:100])
        assert len(set(places.tolist())) > 90
        assert 0.01 < np.ptp(places) < 0.05
        np.testing.assert_array_equal(one.places(np.full(5, 2.0), NUMBERS[7:12]), places[7:12])
    many = axis(UniformIntegerParameterRange("many", 0, 10_000))
    assert np.ptp(many.places(np.full(100, 2.0), NUMBERS[:100])) < 1e-4


@pytest.mark.parametrize("values", [[], [0.2], [5.0, -3.0], [1e300, -1e300], [NAN, NAN]], ids=str)
def test_the_axis_of_a_parameter_holds_all_its_values(values):
    made = axis(DROPOUT, values)
    places = made.places(np.array([0.0, 0.5, *values]), NUMBERS[: 2 + len(values)])
    known = places[~np.isnan(places)]
    assert len(known) == 2 + np.isfinite(values).sum()
    assert np.all((known >= 0) & (known <= 1))
    assert made.holds(DROPOUT, np.array(values))
    assert not axis(DROPOUT).holds(DROPOUT, np.array([0.7]))


def test_what_is_brushed_is_an_interval_in_values():
    low, high = axis(LR).within(axis(LR)._place(1e-3), axis(LR)._place(1e-2))
    assert (low, high) == pytest.approx((1e-3, 1e-2))
    assert axis(LAYERS).within(axis(LAYERS)._place(1.6), axis(LAYERS)._place(3.3)) == (2, 3)
    assert axis(LAYERS).within(axis(LAYERS)._place(1.6), axis(LAYERS)._place(1.8)) == ()
    assert axis(DROPOUT).within(0.5, 1.0) == (0.25, math.inf)
    assert axis(DROPOUT).within(0.0, 0.5) == (-math.inf, 0.25)
    assert axis(DROPOUT).within(0.0, 1.0) == ()
    assert axis(ACTIVATION).within(0.05, 0.35) == ("relu", "tanh")
    assert axis(ACTIVATION).within(0.15, 0.25) == ()


def test_an_interval_covers_the_places_it_came_from_and_choices_side_by_side_are_one():
    for one in (axis(LR), axis(DROPOUT)):
        (span,) = one.spans(one.within(0.25, 0.75))
        assert span == pytest.approx((0.25, 0.75), abs=0.01)
    assert axis(DROPOUT).spans((-math.inf, math.inf)) == [(0.0, 1.0)]
    spans = axis(ACTIVATION).spans(("relu", "tanh", True))
    np.testing.assert_allclose(spans, [(0.02, 0.38), (0.62, 0.78)], atol=1e-9)


def test_a_box_is_what_an_interval_leaves_of_the_present_range():
    assert narrowed(DROPOUT, (0.1, 9.0)) == (0.1, 0.5)
    assert narrowed(DROPOUT, (-1.0, 9.0)) == ()
    assert narrowed(DROPOUT, (0.6, 0.9)) == ()
    assert narrowed(ACTIVATION.with_range(["relu", 1]), (True, 1)) == (1,)
    batch = UniformIntegerParameterRange("batch", 16, 256, step_size=16)
    assert narrowed(batch, (20.0, 300.0)) == (32, 256)
    assert narrowed(batch, (33.0, 40.0)) == ()
    assert narrowed(LAYERS, (1.5, 4.2)) == (2, 4)
    assert narrowed(batch.with_range((20, 50)), (0, 256)) == ()


def test_a_box_may_be_of_choices_that_are_arrays():
    zeros, ones = np.zeros(2), np.ones(2)
    kernel = DiscreteParameterRange("kernel", [zeros, ones])
    assert [one is ones for one in narrowed(kernel, (ones,))] == [True]
    assert narrowed(kernel, kernel.declared) == ()


def test_a_line_breaks_where_a_trial_has_no_value_and_does_not_end_in_a_gap():
    x, y = lines(np.array([[0.1, NAN, 0.3], [0.4, 0.5, NAN]]))
    np.testing.assert_array_equal(x, np.float32([0, NAN, 2, NAN, 0, 1]))
    np.testing.assert_array_equal(y, np.float32([0.1, NAN, 0.3, NAN, 0.4, 0.5]))
    for nothing in (np.empty((0, 3)), np.full((2, 3), NAN)):
        assert [part.tolist() for part in lines(nothing)] == [[], []]


def test_lines_are_counted_in_each_pixel_and_taken_away_again():
    rng = np.random.default_rng(0)
    places = rng.random((5000, 4))
    places[::7, 1] = NAN
    density = LineDensity(60, 30)
    density.add(places)
    # Each line runs once through each column of the gaps that it crosses.
    per_column = density.counts.sum(axis=0)
    whole = ~np.isnan(places)
    assert per_column[0] == (whole[:, 0] & whole[:, 1]).sum()
    assert per_column[-1] == 5000
    more = LineDensity(60, 30)
    more.add(places[:1000])
    more.add(places[1000:])
    np.testing.assert_array_equal(more.counts, density.counts)
    density.add(places, -1)
    assert not density.counts.any()
    density.add(np.empty((0, 4)))


def test_a_line_is_drawn_from_its_left_to_its_right_place():
    density = LineDensity(10, 11)
    density.add(np.array([[0.0, 1.0]]))
    assert [int(row) for row in density.counts.argmax(axis=0)] == sorted(density.counts.argmax(axis=0).tolist())[::-1]
    flat = LineDensity(10, 11)
    flat.add(np.array([[1.0, 1.0]]))
    assert flat.counts[0].tolist() == [1] * 10


def test_failed_trials_are_counted_where_they_end_and_there_by_choice():
    axes = [axis(DROPOUT), axis(ACTIVATION), ParallelAxis("loss", "loss", "min", Domain(0.0, 1.0))]
    places = np.array([[0.1, 0.1, NAN], [0.2, 0.12, NAN], [0.3, 0.9, NAN], [0.4, NAN, NAN], [NAN, NAN, NAN]])
    assert failed_counts(places, axes) == [(0, 0.0, 1), (1, pytest.approx(0.1), 2), (1, pytest.approx(0.9), 1)]
    assert failed_counts(np.empty((0, 3)), axes) == []


def test_the_best_are_drawn_one_by_one_by_all_objectives():
    places = np.random.default_rng(0).random((1000, 2))
    chosen = strongest(places, [True, False])
    assert len(chosen) == MOST_STRONG
    losses = places[:, 0] - places[:, 1]
    assert losses[chosen].max() <= np.delete(losses, chosen).min()
    assert strongest(np.array([[0.5], [NAN]]), [True]).tolist() == [0]


def test_a_click_is_near_to_the_line_that_runs_through_it():
    places = np.array([[0.0, 1.0, NAN], [1.0, 0.0, 0.5]])
    np.testing.assert_allclose(distances(places, 0.25, 0.25), [0.0, 0.5])
    np.testing.assert_allclose(distances(places, 1.0, 1.0), [0.0, 1.0])
    np.testing.assert_allclose(distances(places, 1.5, 0.25), [NAN, 0.0])
    np.testing.assert_allclose(distances(places, 9.0, 0.5), [NAN, 0.0])


def test_values_are_kept_as_trials_end(search):
    trials = ParallelTrials(search.space.names, 1)
    running = search.add_trial(state=TrialState.RUNNING)
    search.add_trial(math.inf)
    search.add_trial(0.5)
    snapshot = search.snapshot()
    assert trials.put(snapshot)[0].tolist() == [1, 2]
    assert trials.completed().tolist() == [False, False, True]
    assert trials.failed().tolist() == [False, True, False]
    search.end_trial(running, 0.25)
    fresh, has_rewritten = trials.put(search.changes_since(snapshot.version))
    assert (fresh.tolist(), has_rewritten) == ([0], False)
    fresh, has_rewritten = trials.put(search.snapshot())
    assert (fresh.tolist(), has_rewritten) == ([], False)


def is_drawable(plot):
    """Whether all marks have finite places on the axes, with gaps only within a line."""
    for mark in plot._drawing.lines.values():
        x, y = np.asarray(mark.x), np.asarray(mark.y)
        known = ~np.isnan(x)
        if len(x) and not (known[0] and known[-1]):
            return False
        if not np.array_equal(known, ~np.isnan(y)) or np.any((y[known] < 0) | (y[known] > 1)):
            return False
    return all(np.all(np.isfinite(mark.x)) and np.all(np.isfinite(mark.y)) for mark in plot._drawing.labels.values())


@pytest.mark.parametrize(
    "values",
    [[], [0.5], [0.5, 0.4], [0.5] * 30, [1e300, -1e300], [1e-300, 1e300], [math.inf, -math.inf, NAN, 0.5], [NAN] * 3],
    ids=str,
)
def test_odd_values_are_drawn(show, refresh, search, values):
    plot = show(ParallelPlot, search)
    search.add_trials(values)
    refresh(plot)
    assert is_drawable(plot)
    num_lines = np.isfinite(values).sum()
    assert len(plot._strong) == num_lines


def test_failed_trials_have_dashed_lines_and_their_number(show, search):
    search.add_trials([None] * 5, TrialState.FAILED)
    plot = show(ParallelPlot, search)
    assert is_drawable(plot)
    assert len(plot._drawing.lines["failed"].x) == 5 * 6 - 2
    words = plot._drawing.labels["failed"].text.tolist()
    assert sum(int(one.split()[0]) for one in words) == 5
    assert all(one.endswith("failed ✕") for one in words)


def test_a_completed_trial_with_an_infinite_value_is_not_called_failed(show, search):
    search.add_trials([0.5, math.inf])
    plot = show(ParallelPlot, search)
    assert plot._drawing.labels["failed"].text.tolist() == ["1 ✕"]
    assert "completed, value not finite" in plot._key.value
    assert "</i> failed<" not in plot._key.value


def test_parameters_that_do_not_apply_leave_a_gap(show):
    space = [UniformParameterRange("z", 0, 1), ParameterSet([{"kind": "a", "x": 0.5}, {"kind": "b"}])]
    search = ScriptedSearch(space)
    search.add_trials([0.5, 0.4, 0.3, 0.2])
    plot = show(ParallelPlot, search)
    places = plot._places(np.arange(4))
    assert np.isnan(places).any()
    assert is_drawable(plot)


def test_long_names_are_cut_and_never_html(show):
    markup = "<img src=x onerror=alert(1)>" * 10
    search = ScriptedSearch([UniformParameterRange(markup, 0, 1), DiscreteParameterRange("c", [markup + "1", "b"])])
    search.add_trials([0.5, 0.4])
    plot = show(ParallelPlot, search)
    assert "<img" not in plot._key.value
    assert all(len(words) <= 11 for words in plot._drawing.labels["names"].text.tolist())
    assert all(len(words) <= 11 for words in plot._drawing.labels["ticks"].text.tolist())


@pytest.mark.parametrize(("width", "is_told"), [(600, True), (900, False)])
def test_the_legend_says_that_the_objective_is_to_be_scrolled_to(show, refresh, wire, width, is_told):
    search = ScriptedSearch([UniformParameterRange(f"x{index}", 0, 1) for index in range(7)])
    plot = show(ParallelPlot, search)
    wire.browser_sets(plot._refresher.flow.view, plot_sizes={"plot": [width, 400], "slices": [300, 200]})
    refresh(plot)
    assert ("scroll to the right for the objective" in plot._key.value) is is_told


def test_long_names_that_begin_alike_stay_apart(show):
    search = ScriptedSearch([UniformParameterRange(f"the_same_beginning_{index}", 0, 1) for index in range(3)])
    plot = show(ParallelPlot, search)
    assert plot._drawing.labels["names"].text.tolist()[:3] == ["the_s…ing_0", "the_s…ing_1", "the_s…ing_2"]


def test_long_names_that_differ_in_their_middle_only_stay_apart(show):
    search = ScriptedSearch([UniformParameterRange(f"encoder_{one}_learning_rate", 0, 1) for one in ("first", "third")])
    plot = show(ParallelPlot, search)
    assert plot._drawing.labels["names"].text.tolist()[:2] == ["enc…first_…", "enc…third_…"]


def test_of_many_parameters_twelve_are_shown_and_others_can_be_chosen(show, refresh):
    search = ScriptedSearch([UniformParameterRange(f"p{index}", 0, 1) for index in range(64)])
    search.add_trials([0.5, 0.4, 0.3])
    plot = show(ParallelPlot, search)
    assert len(plot._axes) == MOST_PARAMETERS + 1
    plot.parameters = ("p60", "p3")
    refresh(plot)
    assert [one.label for one in plot._axes] == ["p60", "p3", "validation / loss"]
    assert is_drawable(plot)


@pytest.fixture
def plot(show, search):
    """A plot of 400 trials, a hundred of them with the least dropout."""
    search.command("start")
    search.add_trials([0.5 + (number * 0.618 % 1) for number in range(400)])
    now = [0.0]
    made = show(ParallelPlot, search, clock=lambda: now[0])
    made.now = now
    return made


def brush(plot, wire, index, low, high):
    """Do what dragging along an axis does, of which the page tells."""
    wire.browser_sets(plot._drawing._brush._selector, brushing=True)
    wire.browser_sets(
        plot._drawing._brush._selector, brushing=False, selected_x=[index - 0.1, index + 0.05], selected_y=[low, high]
    )


def test_dragging_along_an_axis_lets_only_some_trials_pass(plot, wire, refresh, search):
    brush(plot, wire, 1, 0.2, 0.6)
    low, high = plot.filter.within["dropout"]
    assert 0 < low < high < 0.5
    assert dict(plot.box) == {"dropout": (low, high)}
    assert plot._drawing._brush._selector.selected_x is None
    refresh(plot)
    dropout = search.snapshot().parameters["dropout"]
    passing = int(((dropout >= low) & (dropout <= high)).sum())
    assert f"{passing} of 400 pass the filter" in plot._key.value
    assert (plot._counted == 2).sum() == passing
    np.testing.assert_allclose(plot._drawing._intervals.x, [1, 1])
    np.testing.assert_allclose(plot._drawing._intervals.y, [0.2, 0.6], atol=0.01)
    assert len(plot._drawing.labels["ends"].text) == 2


def test_an_interval_of_an_objective_filters_and_offers_no_range(plot, wire, refresh):
    brush(plot, wire, 4, 0.0, 0.5)
    assert set(plot.filter.within) == {"validation/loss"}
    assert dict(plot.box) == {}


def test_a_double_click_clears_the_interval_of_its_axis_alone(plot, wire, refresh):
    brush(plot, wire, 1, 0.2, 0.6)
    brush(plot, wire, 3, 0.0, 0.5)
    assert set(plot.filter.within) == {"dropout", "activation"}
    said = {"event": "element_click", "data": {"click_x": 0.8, "click_y": 0.4}}
    wire.browser_says(plot._drawing.pictures["passing"], **said)
    assert set(plot.filter.within) == {"activation"}
    assert set(plot.box) == {"activation"}
    refresh(plot)
    assert np.all(np.asarray(plot._drawing._intervals.x) == 3)


def test_a_double_click_clears_the_axis_of_its_first_click_and_leaves_the_selection(plot, wire, search):
    """The first click may select a trial, whose details move the axes before the second click."""
    brush(plot, wire, 1, 0.2, 0.6)
    plot.selected = [7]
    at = {"click_x": 1.0, "click_y": plot._places(plot._best())[0, 1]}
    wire.browser_says(plot._drawing.pictures["others"], event="element_click", data=at)
    assert plot.selected == [search.best_trial.number]
    wire.browser_says(plot._drawing.pictures["passing"], event="element_click", data={"click_x": 2.7, "click_y": 0.1})
    assert (dict(plot.filter.within), plot.selected) == ({}, [7])
    # What follows is no part of it.
    wire.browser_says(plot._drawing.pictures["passing"], event="element_click", data={"click_x": 2.7, "click_y": 0.1})
    assert plot.selected == [7]


def test_a_filter_that_is_set_elsewhere_is_drawn_and_one_that_goes_takes_its_box_along(plot, wire, refresh):
    plot.filter = {"within": {"activation": ("relu",)}}
    refresh(plot)
    assert len(plot._drawing._intervals.x) == 2
    assert dict(plot.box) == {}
    brush(plot, wire, 1, 0.2, 0.6)
    assert set(plot.box) == {"activation", "dropout"}
    plot.filter = plot.filter.without("within")
    assert dict(plot.box) == {}
    refresh(plot)
    assert len(plot._drawing._intervals.x) == 0


@pytest.mark.parametrize(
    "said",
    [None, {}, {"click_x": "a", "click_y": 1}, {"click_x": NAN, "click_y": 0.5}, {"click_x": math.inf, "click_y": 0.5}],
    ids=str,
)
def test_nonsense_of_a_page_changes_nothing(plot, wire, said):
    for picture in plot._drawing.pictures.values():
        wire.browser_says(picture, event="element_click", data=said)
    wire.browser_sets(plot._drawing._brush._selector, brushing=True)
    wire.browser_sets(plot._drawing._brush._selector, brushing=False, selected_x=[NAN, NAN], selected_y=[0.1, 0.4])
    wire.browser_sets(plot._drawing._brush._selector, brushing=True)
    wire.browser_sets(plot._drawing._brush._selector, brushing=False, selected_x=[0.0], selected_y=[0.1])
    assert plot.filter.is_empty
    assert plot.selected == []


def test_a_click_selects_the_trial_of_a_line_and_one_beside_selects_none(plot, wire):
    best = plot.search.best_trial.number
    place = plot._places(np.array([best]))[0, -1]
    said = {"event": "element_click", "data": {"click_x": 4.0, "click_y": float(place)}}
    wire.browser_says(plot._drawing.pictures["others"], **said)
    assert plot.selected == [best]
    assert len(plot._drawing.lines["selected"].x) == 5
    said["data"]["click_y"] = -0.5
    wire.browser_says(plot._drawing.pictures["others"], **said)
    assert plot.selected == []
    assert len(plot._drawing.lines["selected"].x) == 0


def test_a_new_trial_is_a_line_at_once_and_goes_into_the_picture_within_a_second(plot, wire, refresh, search):
    wire.clear()
    search.add_trial(0.9)
    refresh(plot)
    assert len(plot._drawing.lines["fresh"].x) == 5
    pictures = [one.comm for one in plot._drawing.pictures.values()]
    assert not wire.touched() & set(pictures)
    plot.now[0] += 1.0
    refresh(plot)
    assert len(plot._drawing.lines["fresh"].x) == 0
    assert plot._counted[400] == 2
    assert wire.touched() & set(pictures)


def test_the_picture_is_what_it_would_be_if_all_were_drawn_anew(plot, wire, refresh, search, show):
    brush(plot, wire, 1, 0.2, 0.6)
    refresh(plot)
    search.add_trials([0.7] * 50)
    search.add_trial(1e6)  # moves an axis
    plot.now[0] += 1.0
    refresh(plot)
    brush(plot, wire, 0, 0.1, 0.9)
    refresh(plot)
    anew = LineDensity()
    anew.add(plot._places(np.flatnonzero(plot._counted == 2)))
    np.testing.assert_array_equal(plot._densities["passing"].counts, anew.counts)
    anew = LineDensity()
    anew.add(plot._places(np.flatnonzero(plot._counted == 1)))
    np.testing.assert_array_equal(plot._densities["others"].counts, anew.counts)


def test_nothing_is_sent_when_nothing_has_changed(plot, wire, refresh):
    plot.now[0] += 1.0
    refresh(plot)
    wire.clear()
    plot.now[0] += 1.0
    refresh(plot)
    assert wire.updates() == []


def test_with_several_objectives_the_front_is_marked_and_no_trial_is_called_best(show):
    search = ScriptedSearch(titles=["error", "size"], series=["error", "size"], signs=["min", "min"])
    for pair in ([0.1, 3.0], [0.2, 1.0], [0.3, 2.0]):
        search.add_trial(pair)
    plot = show(ParallelPlot, search)
    assert [one.kind for one in plot._axes[-2:]] == ["min", "min"]
    assert plot._front.tolist() == [0, 1]
    assert "not dominated" in plot._key.value
    assert ">best<" not in plot._key.value
    assert len(plot._drawing.labels["best"].text) == 0


def test_with_a_filter_too_no_trial_that_was_ended_early_is_on_the_front(show):
    search = ScriptedSearch(titles=["error", "size"], series=["error", "size"], signs=["min", "min"])
    for pair in ([1.0, 1.0], [2.0, 0.5]):
        search.add_trial(pair)
    for state in (TrialState.ABORTED, TrialState.PRUNED):
        search.add_trial([0.1, 0.1], state=state)
    plot = show(ParallelPlot, search, filter={"inside": True})
    assert "4 of 4 pass the filter" in plot._key.value
    assert plot._front.tolist() == [0, 1]


def test_a_trial_that_is_left_out_has_a_line_only_where_the_filter_asks_for_it(show, search, refresh):
    search.add_trials([0.5, 0.25, 0.75])
    search.command("leave_out", 1)
    plot = show(ParallelPlot, search)
    assert plot._counted.tolist() == [2, 0, 2]
    plot.filter = {"states": ["left out"]}
    refresh(plot)
    assert plot._counted.tolist() == [1, 2, 1]


def test_a_choice_that_was_added_has_a_place_on_its_axis(show, search, refresh):
    search.add_trials([0.5, 0.25, 0.75])
    plot = show(ParallelPlot, search)
    search.command("add_choices", "activation", ["gelu"])
    refresh(plot)
    assert [words for _, words in plot._axes[3].ticks()] == ["relu", "tanh", "logistic", "gelu"]
    search.add_trial(0.1, {"lr": 0.01, "dropout": 0.1, "layers": 1, "activation": "gelu"})
    refresh(plot)
    assert plot._axes[3].places(plot._trials.values[3:, 3], np.array([3])) == pytest.approx(0.875, abs=0.05)
    assert plot._drawing.figure in plot._host.children


def test_the_axis_of_the_objective_does_not_stretch_to_what_is_left_out(show, search, refresh):
    search.add_trials([0.5, 0.25, 0.75, 400.0])
    plot = show(ParallelPlot, search)
    search.command("leave_out", 3)
    refresh(plot)
    assert plot._axes[-1].domain.high < 1
    plot.filter = {"states": ["left out"]}
    refresh(plot)
    assert plot._axes[-1].domain.high >= 400
    plot.filter = None
    refresh(plot)
    assert plot._axes[-1].domain.high < 1


def test_the_mark_of_the_best_covers_no_label(show):
    search = ScriptedSearch([DROPOUT], titles="loss", series="loss")
    search.add_trial(1.0)
    plot = show(ParallelPlot, search)
    ticks = plot._drawing.labels["ticks"]
    (best,) = plot._drawing.labels["best"].y
    beside = ticks.y[ticks.x == 1]
    assert len(beside) > 2
    assert abs(beside - best).min() > 0.04
