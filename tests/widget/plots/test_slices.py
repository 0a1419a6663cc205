"""Slices: who is drawn where, what one more trial costs, what nobody looks at, and what is selected."""

from __future__ import annotations

import math

import numpy as np
import pytest
import traitlets as t

from hpo_widgets.parameters import (
    DiscreteParameterRange,
    LogUniformParameterRange,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import MapPlot, OptimizerWidget, SlicesPlot
from hpo_widgets.widget.plots.parameter_choice import MOST_PARAMETERS
from hpo_widgets.widget.sync.flow import MOST_UNSEEN
from tests.widget.plots.test_png import size_of

MARKUP = "<img src=x onerror=alert(1)>"
SLICES = 1


def test_hidden_tabs_send_nothing(show, wire, search, refresh, acknowledge):
    panel = show(OptimizerWidget, search)
    acknowledge(panel)
    search.command("start")
    search.add_trials([0.5, 0.25])
    refresh(panel)
    assert panel.plots["Slices"].figures == ()
    panel._plots.selected_index = SLICES
    assert len(panel.plots["Slices"].figures) == 4
    drawn = wire.comms_of(panel.plots["History"])
    wire.clear()
    search.add_trial(0.125)
    refresh(panel)
    assert not wire.touched() & drawn
    panel._plots.selected_index = 0
    assert len(panel.plots["History"]._drawing.cloud("inside")) == 3


@pytest.mark.parametrize("end", ["stop", "save", "silence"])
def test_hidden_tabs_are_true_when_they_may_be_saved(show, search, refresh, acknowledge, end):
    panel = show(OptimizerWidget, search)
    if end != "silence":
        acknowledge(panel)
    search.command("start")
    search.add_trials([0.5, 0.25])
    if end == "stop":
        search.command("stop")
    if end == "save":
        panel._refresher.refresh(everything=True)
    refresh(panel)
    if end == "silence":  # several updates have no answer by now
        for _ in range(MOST_UNSEEN + 1):
            refresh(panel)
    assert [len(figure.cloud("inside")) for figure in panel.plots["Slices"].figures] == [2] * 4


def test_trials_outside_the_present_ranges_are_faded(show, search, refresh):
    for lr in (1e-3, 0.05):
        search.add_trial(0.5, {"lr": lr, "dropout": 0.1, "layers": 2, "activation": "relu"})
    search.add_trial(0.5, {"lr": 1e-3, "dropout": 0.1, "layers": 2, "activation": "tanh"})
    plot = show(SlicesPlot, search)
    assert sizes(plot) == {"inside": 3, "outside": 0, "partial": 0, "failed": 0}
    search.set_ranges({"lr": (1e-4, 1e-2), "activation": ("relu",)})
    refresh(plot)
    assert sizes(plot) == {"inside": 1, "outside": 2, "partial": 0, "failed": 0}


def sizes(plot, figure=0):
    return {name: len(points) for name, points in plot.figures[figure]._clouds.items()}


def test_axes_are_logarithmic_where_the_parameter_is_and_choices_are_named(show, search):
    plot = show(SlicesPlot, search)
    assert [figure.domain_x.is_log for figure in plot.figures] == [True, False, False, False]
    assert plot.figures[3].x.axis.tick_labels == {"0": "relu", "1": "tanh", "2": "logistic"}


def test_a_wider_axis_has_ticks_all_along(show, search, refresh):
    plot = show(SlicesPlot, search)
    search.add_trial(0.5)
    search.set_ranges({"lr": (1e-9, 1e-1)})
    refresh(plot)
    figure = plot.figures[0]
    places = figure.domain_x.place(np.asarray(figure.x.axis.tick_values))
    assert places.min() < 0.3
    assert places.max() > 0.7
    assert np.diff(places).min() > 0.15


def test_a_slice_is_named_by_what_it_shows(show, search):
    titles = [figure.figure.title for figure in show(SlicesPlot, search).figures]
    assert titles[0] == "validation / loss of each trial against lr"
    assert len(titles) == 4


def test_a_whole_number_beside_the_pointer_is_written_out(show):
    search = ScriptedSearch(
        [
            UniformIntegerParameterRange("batch", 1, 100_000),
            UniformParameterRange("x", 0.0, 1.0),
            DiscreteParameterRange("kind", ["a", "b"]),
        ]
    )
    shown = [*show(SlicesPlot, search).figures, *show(MapPlot, search, x="x", y="batch").figures]
    tips = [figure.cloud("inside").hot.tooltip for figure in shown]
    formats = [dict(zip(tip.fields, tip.formats, strict=True)) for tip in tips]
    assert [one.get("x") for one in formats] == ["d", ".7~g", None, ".7~g"]
    assert formats[-1]["y"] == "d"


def test_choices_are_spread_round_their_place(show, search):
    search.add_trials([0.5] * 50)
    plot = show(SlicesPlot, search)
    points = plot.figures[3].cloud("inside")
    assert np.all(np.abs(points._x - np.round(points._x)) <= 0.3)
    assert len(set(points._x.tolist())) == 50


@pytest.mark.parametrize(
    "values",
    [[], [0.5], [0.5] * 30, [1e-300, 1e300], [math.inf, -math.inf, math.nan, 0.5], [5e-324, 1.7e308]],
    ids=str,
)
def test_only_finite_numbers_are_drawn(show, search, refresh, values):
    plot = show(SlicesPlot, search)
    for value in values:
        search.add_trial(value)
        refresh(plot)
    for figure in plot.figures:
        for points in figure.clouds:
            assert np.all(np.isfinite(points._x))
            assert np.all(np.isfinite(points._y))
        assert -math.inf < figure.domain.low < figure.domain.high < math.inf
    assert sum(sizes(plot).values()) == len(values)


def test_all_failed_trials_are_on_the_lane(show, search):
    search.add_trials([None] * 5, TrialState.FAILED)
    plot = show(SlicesPlot, search)
    assert sizes(plot) == {"inside": 0, "outside": 0, "partial": 0, "failed": 5}


def test_extreme_and_odd_parameters_are_drawn(show, refresh):
    names = [MARKUP, '"quoted"', "مرحبا", "🙂", "General/a", "Args/a"]
    search = ScriptedSearch(
        [
            LogUniformParameterRange("tiny to huge", -150, 150),
            UniformParameterRange("wide", -1e300, 1e300),
            DiscreteParameterRange("choice", ["x" * 300, MARKUP, None, True, 1]),
            *(UniformParameterRange(name, 0.0, 1.0) for name in names),
        ]
    )
    search.add_trials([0.5, 0.25, 1.0])
    plot = show(SlicesPlot, search)
    search.add_trial(0.75)
    refresh(plot)
    assert all(sizes(plot, index)["inside"] == 4 for index in range(9))
    assert list(plot.figures[2].x.axis.tick_labels.values()) == ["xxxxx…", "<img …", "None", "True", "1"]
    assert [figure.x.axis.label for figure in plot.figures[-2:]] == ["General/a", "Args/a"]


def test_of_many_parameters_the_chosen_ones_are_drawn(show, wire):
    search = ScriptedSearch([UniformParameterRange(f"p{index}", 0.0, 1.0) for index in range(64)])
    search.add_trials([0.5, 0.25])
    plot = show(SlicesPlot, search)
    assert [figure.name for figure in plot.figures] == [f"p{index}" for index in range(12)]
    num_open = wire.num_open()
    wire.browser_sets(plot._chooser, index=[40, 2])
    assert [figure.name for figure in plot.figures] == list(plot.parameters) == ["p40", "p2"]
    assert [sizes(plot, index)["inside"] for index in (0, 1)] == [2, 2]
    assert wire.num_open() < num_open
    wire.browser_sets(plot._chooser, index=[])
    assert len(plot.figures) == 2
    wire.browser_sets(plot._chooser, index=list(range(20)))
    assert len(plot.figures) == MOST_PARAMETERS
    with pytest.raises(t.TraitError, match="Did you mean 'p63'"):
        plot.parameters = ["p633"]
    with pytest.raises(t.TraitError, match="at most 12"):
        plot.parameters = [f"p{index}" for index in range(13)]


def test_one_parameter_is_shown_at_least(show, search):
    plot = show(SlicesPlot, search, parameters=())
    with pytest.raises(t.TraitError, match="at least one parameter is shown"):
        plot.parameters = ()
    assert [figure.name for figure in plot.figures] == list(plot.parameters) == list(search.space.names)


def test_a_click_selects_the_trial_in_all_plots(show, wire, search, refresh):
    search.add_trials([0.5, 0.25, 0.75])
    panel = show(OptimizerWidget, search)
    panel._plots.selected_index = SLICES
    hot = panel.plots["Slices"].figures[0].cloud("inside").hot
    wire.browser_says(hot, event="element_click", data={"x": 0.01, "y": 0.75, "name": 2, "index": 2})
    assert panel.selected == panel.plots["History"].selected == panel.plots["Slices"].selected == [2]
    assert panel.plots["History"]._drawing._selected.x.tolist() == [2]
    assert len(panel.plots["Slices"].figures[0]._selected.x) == 1
    choice = panel.plots["Slices"].figures[3].cloud("inside").hot
    wire.browser_says(choice, event="element_click", data={"x": 0.1, "y": 0.5, "name": "1 tanh"})
    assert panel.selected == [1]
    dot = {"x": 1, "y": 0.25, "index": 0, "name": 1, "unique_id": "Dot0"}
    wire.browser_says(panel.plots["History"]._drawing.cloud("inside").hot, event="element_click", data=dot)
    assert panel.selected == []


def test_a_click_on_the_picture_selects_the_nearest_trial(show, wire, search):
    search.add_trials([1.0 + index / 20_000 for index in range(20_000)])
    panel = show(OptimizerWidget, search)
    panel._plots.selected_index = SLICES
    figure = panel.plots["Slices"].figures[0]
    x = float(panel.plots["Slices"]._series.x("lr", np.array([5]))[0])
    wire.browser_says(
        figure.cloud("inside").marks[0], event="element_click", data={"click_x": x, "click_y": 1.0 + 5 / 20_000}
    )
    assert panel.selected == [5]
    picture = panel.plots["History"]._drawing.cloud("inside").marks[0]
    wire.browser_says(picture, event="element_click", data={"click_x": 700.2, "click_y": 1.035})
    assert panel.selected == [700]


def test_numpy_numbers_are_selected_once_each(show, search):
    search.add_trials([0.5, 0.25])
    panel = show(OptimizerWidget, search)
    panel.selected = np.array([1, 0, 1])
    assert panel.selected == panel.plots["Slices"].selected == [1, 0]


def test_closing_leaves_no_comm_open_whichever_tabs_were_looked_at(wire, search):
    search.add_trials([0.5] * 3)
    panel = OptimizerWidget(search)
    for title in panel.plots:
        panel._plots.show(title)
    panel.close()
    assert wire.num_open() == 0


def test_no_picture_lies_below_0_at_the_moment_at_which_an_axis_turns_logarithmic(show, search):
    search.add_trials([0.01, *np.linspace(0.02, 1.0, 5_000)])
    plot = show(SlicesPlot, search, log_scale=False)
    picture = plot.figures[0].cloud("inside").marks[0]
    assert picture.visible
    assert picture.y[0] < 0
    lowest = []
    picture.observe(lambda _change: lowest.append(picture.y[0]), "scales")
    plot.log_scale = True
    assert plot.figures[0].domain.is_log
    assert len(lowest) == 1
    assert lowest[0] > 0


def test_the_ring_has_the_name_of_the_trial_that_is_selected_where_several_lie_in_one_place(show):
    search = ScriptedSearch([UniformParameterRange("x", 0, 1)])
    for state in (TrialState.COMPLETED, TrialState.FAILED):
        for _ in range(2):
            search.add_trial(None if state is TrialState.FAILED else 0.5, {"x": 0.25}, state=state)
    plot = show(SlicesPlot, search, selected=[0, 2])
    plot.selected = [1, 3]
    figure = plot.figures[0]
    assert (figure._selected.names.tolist(), figure._selected_failed.names.tolist()) == ([1], [3])


def picture_size(figure):
    """Width and height of the picture of its oldest trials."""
    return size_of(figure.cloud("inside").marks[0].image.value)


def test_a_figure_that_is_made_later_has_its_pictures_as_large_as_it_is_on_the_page(show, search, refresh, wire):
    search.add_trials([0.5] * 3000)
    plot = show(SlicesPlot, search, parameters=["lr"])
    wire.browser_sets(plot._refresher.flow.view, plot_sizes={"slices": [450, 300]})
    refresh(plot)
    before = picture_size(plot.figures[0])
    plot.parameters = ["dropout"]
    assert picture_size(plot.figures[0]) == before


def test_axes_of_parameters_whose_names_begin_alike_can_be_told_apart(show):
    names = [f"encoder_transformer_block_{end}" for end in ("first_learning_rate", "second_learning_rate")]
    search = ScriptedSearch([UniformParameterRange(name, 0, 1) for name in names])
    search.add_trials([0.5])
    plot = show(SlicesPlot, search)
    first, second = (figure.figure.axes[0].label for figure in plot.figures)
    assert "first" in first
    assert "second" in second
    assert all(len(label) <= 26 for label in (first, second))


def test_a_choice_that_was_added_has_a_place_and_other_figures_stay(show, search, refresh):
    search.add_trials([0.5, 0.25, 0.75])
    plot = show(SlicesPlot, search)
    *before, _ = plot.figures
    search.command("add_choices", "activation", ["gelu"])
    search.add_trial(0.1, {"lr": 0.01, "dropout": 0.1, "layers": 1, "activation": "gelu"})
    refresh(plot)
    *others, last = plot.figures
    assert others == before
    assert last.across.choices == ("relu", "tanh", "logistic", "gelu")
    assert last._placed(np.array([3]))[1] == pytest.approx(3, abs=0.5)
    assert plot._grid.children[-1] is last.figure
    search.command("undo")
    refresh(plot)
    assert plot.figures[-1] is last
    assert 3 in last.cloud("outside")._numbers
