"""Brushing in a slice: the box, the trials inside, what the rectangle does when axes change; clicks on empty places."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hpo_widgets.parameters import DiscreteParameterRange
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import HistoryPlot, MapPlot, OptimizerWidget, ParetoPlot, SlicesPlot
from hpo_widgets.widget.plots.axes import rounded_interval


@pytest.fixture
def slices(show, search):
    for number, lr in enumerate((1e-4, 1e-3, 1e-2, 1e-1)):
        search.add_trial(0.1 * (number + 1), {"lr": lr, "dropout": 0.1, "layers": number + 1, "activation": "relu"})
    search.add_trial(None, state=TrialState.FAILED)
    return show(SlicesPlot, search, brushing=True)


def brush(wire, plot, x, y, *, figure=0, held=False):
    """Drag a rectangle, as a page does; `held`: the hand is still on it."""
    selector = plot.figures[figure].figure.interaction
    wire.browser_sets(selector, brushing=held, selected_x=x and list(x), selected_y=list(y))
    plot._refresher.refresh()


def test_a_brush_gives_a_box_and_selects_when_the_hand_lets_go(slices, wire):
    brush(wire, slices, (5e-4, 2e-2), (0.0, 0.25), held=True)
    assert slices.box == {"lr": (5e-4, 2e-2)}
    assert slices.selected == []
    brush(wire, slices, (5e-4, 2e-2), (0.0, 0.25))
    assert slices.selected == [1]
    brush(wire, slices, (5e-4, 2e-2), (0.0, 1.0))
    assert slices.selected == [1, 2]


def test_a_rectangle_in_the_history_goes_with_its_selection_and_one_that_is_a_box_stays(slices, show, search, wire):
    history = show(HistoryPlot, search, brushing=True)
    for plot, x, is_kept in ((history, (-0.5, 1.5), False), (slices, (5e-4, 2e-2), True)):
        brush(wire, plot, x, (0.0, 1.0))
        assert len(plot.selected) == 2
        plot.selected = []
        assert (plot.figures[0].brush.extent is not None) == is_kept


@pytest.mark.parametrize(
    ("figure", "x", "box"),
    [
        (0, (1e-9, 1e-3), {"lr": (1e-4, 1e-3)}),
        (0, (1.23456e-3, 0.0123456), {"lr": (1.23e-3, 0.0123)}),
        (1, (-0.1, 0.123456789), {"dropout": (0.0, 0.1235)}),
        (2, (1.6, 3.4), {"layers": (2, 3)}),
        (2, (1.8, 2.2), {"layers": (2, 2)}),
        (2, (2.2, 2.4), {}),
        (3, (-0.3, 1.2), {"activation": ("relu", "tanh")}),
        (3, (0.2, 0.4), {}),
        (0, (0.5, 1.0), {}),
    ],
    ids=str,
)
def test_a_box_has_values_of_its_parameter(slices, wire, figure, x, box):
    brush(wire, slices, x, (0.0, 1.0), figure=figure)
    assert slices.box == box


@pytest.mark.parametrize("nonsense", [None, (math.nan, 1.0), (0.0, math.inf)], ids=str)
def test_a_rectangle_that_is_gone_or_makes_no_sense_is_no_box(slices, wire, nonsense):
    brush(wire, slices, (1e-3, 1e-2), (0.0, 1.0))
    brush(wire, slices, nonsense, (0.0, 1.0))
    assert slices.box == {}


def test_one_rectangle_is_there_at_a_time_and_goes_with_its_box(slices, wire):
    brush(wire, slices, (1e-3, 1e-2), (0.0, 1.0))
    brush(wire, slices, (0.1, 0.2), (0.0, 1.0), figure=1)
    assert slices.figures[0].brush.extent is None
    assert slices.box == {"dropout": (0.1, 0.2)}
    slices.box = {}
    assert slices.figures[1].brush.extent is None


def test_of_two_hands_that_brush_in_two_windows_the_one_that_moved_last_has_the_box(slices, wire):
    first, second = (slices.figures[index].figure.interaction for index in (0, 1))
    brush(wire, slices, (1e-3, 1e-2), (0.0, 1.0), held=True)
    brush(wire, slices, (0.1, 0.2), (0.0, 1.0), figure=1, held=True)
    assert slices.box == {"dropout": (0.1, 0.2)}
    # Both move before the next update; then one lets go, the other one still holds its rectangle.
    wire.browser_sets(second, brushing=True, selected_x=[0.1, 0.3], selected_y=[0.0, 1.0])
    wire.browser_sets(first, brushing=True, selected_x=[5e-4, 2e-3], selected_y=[0.0, 1.0])
    slices._refresher.refresh()
    assert slices.box == {"lr": (5e-4, 2e-3)}
    assert (slices.figures[1].brush.extent, slices.selected) == (None, [])
    brush(wire, slices, (5e-4, 2e-3), (0.0, 1.0))
    assert (slices.box, slices.selected) == ({"lr": (5e-4, 2e-3)}, [1])
    brush(wire, slices, (0.05, 0.3), (0.0, 1.0), figure=1, held=True)
    assert (slices.box, slices.selected) == ({"dropout": (0.05, 0.3)}, [1])


def test_a_rectangle_stays_at_its_values_when_axes_change(slices, wire, search, refresh):
    brush(wire, slices, (1e-3, 1e-2), (0.05, 0.25))
    selector = slices.figures[0].figure.interaction
    wire.clear()
    search.add_trial(5.0)
    refresh(slices)
    # Taken away and put back: without that it stays at its pixels.
    sent = [update["selected_x"] for update in wire.updates(selector) if "selected_x" in update]
    assert [one is None for one in sent] == [True, False]
    slices.log_scale = True
    assert slices.figures[0].figure.interaction is not selector
    assert slices.figures[0].figure.interaction.y_scale is slices.figures[0].y.scale
    assert slices.figures[0].brush.extent.x == (1e-3, 1e-2)
    assert slices.box == {"lr": (1e-3, 1e-2)}


def test_a_brush_over_choices_that_are_arrays_moves_to_other_ones(show, wire, refresh):
    kernels = [np.zeros(3), np.ones(3)]
    search = ScriptedSearch([DiscreteParameterRange("kernel", kernels)])
    for kernel in kernels:
        search.add_trial(0.5, {"kernel": kernel})
    plot = show(SlicesPlot, search, brushing=True)
    refresh(plot)
    for place, kernel in enumerate(kernels):
        brush(wire, plot, (place - 0.3, place + 0.3), (0.0, 1.0))
        assert plot.box["kernel"][0] is kernel
        assert plot.selected == [place]
        assert plot.figures[0].brush.extent is not None
    plot.box = {"kernel": (kernels[0],)}
    assert plot.figures[0].brush.extent is None


def test_without_the_toggle_clicks_are_heard_again(slices, wire):
    num_open = wire.num_open()
    slices.brushing = False
    assert [figure.figure.interaction for figure in slices.figures] == [None] * 4
    assert wire.num_open() == num_open - 4


def test_a_page_that_is_closed_in_mid_drag_steers_nothing(show, search, wire):
    search.add_trials([0.5, 0.25])
    panel = show(OptimizerWidget, search)
    panel._plots.show("Slices")
    plot = panel.plots["Slices"]
    plot.brushing = True
    brush(wire, plot, (1e-3, 1e-2), (0.0, 1.0), held=True)
    assert (panel.box, panel.selected, search.commands) == ({"lr": (1e-3, 1e-2)}, [], [])


def click_empty(wire, plot, x, y, figure=0):
    """Click where the values are, which the page says as shares of the figure."""
    figure = plot.figures[figure]
    places = figure.domain_x.place(np.array([x])), figure.domain.place(np.array([y]))
    data = {f"click_{name}": float(place[0]) for name, place in zip("xy", places, strict=True)}
    wire.browser_says(figure.catcher.mark, event="element_click", data=data)


def test_a_click_on_an_empty_place_clears_the_selection_first_and_then_offers_the_point(slices, wire):
    slices.selected = [1]
    click_empty(wire, slices, 0.012345, 0.3)
    assert (slices.selected, slices.point) == ([], {})
    click_empty(wire, slices, 0.012345, 0.3)
    assert slices.point == {"lr": 0.0123}
    click_empty(wire, slices, 2.4, 0.3, figure=2)
    assert slices.point == {"layers": 2}
    click_empty(wire, slices, 1.2, 0.3, figure=3)
    assert slices.point == {"activation": "tanh"}
    click_empty(wire, slices, 0.1234567, 0.3, figure=1)
    assert slices.point == {"dropout": 0.123}


def test_the_catcher_fills_the_figure_below_all_points_whatever_the_axes_do(slices, search, refresh, wire):
    wire.clear()
    search.add_trial(5.0)
    refresh(slices)
    slices.log_scale = True
    for figure in slices.figures:
        catcher = figure.figure.marks[0]
        assert catcher is figure.catcher.mark
        for name in ("x", "y"):
            assert list(getattr(catcher, name)) == [catcher.scales[name].min, catcher.scales[name].max] == [0, 1]
        assert not wire.updates(catcher)


@pytest.mark.parametrize(
    "data", [None, {}, {"click_x": "a", "click_y": 0.2}, {"click_x": 1e9, "click_y": 0.2}], ids=str
)
def test_nonsense_of_the_page_offers_nothing(slices, wire, data):
    slices.selected = [1]
    wire.browser_says(slices.figures[0].marks[0], event="element_click", data=data)
    assert (slices.selected, slices.point) == ([1], {})


@pytest.mark.parametrize(
    ("low", "high", "is_log", "rounded"),
    [
        (0.0402771, 0.2500321, False, (0.0403, 0.25)),
        (1.000123, 1.000456, False, (1.0001230, 1.0004560)),
        (12345.678, 23456.789, False, (12350.0, 23460.0)),
        (1.2345e-4, 0.98765, True, (1.23e-4, 0.988)),
        (0.5, 0.5, False, (0.5, 0.5)),
        (-1e308, 1e308, False, (-1e308, 1e308)),
    ],
)
def test_an_interval_has_no_more_digits_than_its_width_deserves(low, high, is_log, rounded):
    assert rounded_interval(low, high, is_log=is_log) == pytest.approx(rounded, rel=1e-7)


def test_a_map_gives_a_box_and_a_point_of_both_parameters(show, search, wire):
    for number, lr in enumerate((1e-4, 1e-3, 1e-2, 1e-1)):
        search.add_trial(0.1, {"lr": lr, "dropout": 0.1 * number, "layers": 2, "activation": "relu"})
    plot = show(MapPlot, search, x="lr", y="dropout", brushing=True)
    brush(wire, plot, (5e-4, 1e3), (-1.0, 0.2500321))
    assert plot.box == {"lr": (5e-4, 1e-1), "dropout": (0.0, 0.25)}
    assert plot.selected == [1, 2]
    plot.selected = []
    click_empty(wire, plot, 0.0123, 0.4)
    assert plot.point == {"lr": 0.0123, "dropout": 0.4}
    plot.x = "activation"
    brush(wire, plot, (0.1, 0.4), (0.0, 0.5))
    assert plot.box == {}
    brush(wire, plot, (-0.1, 1.4), (0.1, 0.5))
    assert plot.box == {"activation": ("relu", "tanh"), "dropout": (0.1, 0.5)}


@pytest.mark.parametrize("kind", [HistoryPlot, ParetoPlot])
def test_a_brush_over_objectives_selects_and_is_no_box(show, wire, kind):
    search = ScriptedSearch(titles=["a", "b"], series=["x", "y"], signs=["min", "min"])
    for values in ((1.0, 0.5), (2.0, 0.75), (3.0, 1.0), (4.0, 0.25)):
        search.add_trial(values)
    plot = show(kind, search, brushing=True)
    brush(wire, plot, (1.5, 3.5), (0.6, 3.5) if kind is HistoryPlot else (0.6, 0.9))
    assert (plot.selected, plot.box) == ([2] if kind is HistoryPlot else [1], {})


@pytest.fixture
def brushed_panel(show, search, wire):
    """A panel where a drag has selected trials 0, 2 and 4 of five."""
    for number in range(5):
        point = {"lr": 0.05 if number % 2 else 0.001, "dropout": 0.1, "layers": 1, "activation": "relu"}
        search.add_trial(0.1 + 0.1 * number, point)
    panel = show(OptimizerWidget, search, plots=["Slices", "Map"])
    panel.plots["Slices"].brushing = True
    brush(wire, panel.plots["Slices"], (5e-4, 5e-3), (0.0, 1.0))
    assert panel.selected == [0, 2, 4]
    return panel


def detailed(panel, **traits):
    for name, value in traits.items():
        setattr(panel, name, value)
    panel._refresher.refresh()
    return panel._details.number


def test_a_brush_of_several_trials_opens_no_details_and_closes_those_that_are_open(brushed_panel, wire):
    assert detailed(brushed_panel) is None
    assert detailed(brushed_panel, selected=[2]) == 2
    brush(wire, brushed_panel.plots["Slices"], (6e-4, 6e-3), (0.0, 1.0))
    assert detailed(brushed_panel) is None
    brush(wire, brushed_panel.plots["Slices"], (6e-4, 6e-3), (0.0, 0.15))
    assert (brushed_panel.selected, detailed(brushed_panel)) == ([0], 0)


def test_what_is_chosen_among_brushed_trials_opens_its_details(brushed_panel):
    # With a key held: one more, one less, and that one again.
    assert detailed(brushed_panel, selected=[0, 2, 4, 1]) == 1
    assert detailed(brushed_panel, selected=[0, 2, 4]) is None
    assert detailed(brushed_panel, selected=[0, 2]) is None
    assert detailed(brushed_panel, selected=[0, 2, 4]) == 4
    assert brushed_panel.plots["Map"].brushed == [0, 2]


@pytest.mark.parametrize("others", [[], [3]], ids=str)
def test_several_trials_that_are_selected_otherwise_show_the_last_after_a_brush_too(brushed_panel, others):
    brushed_panel.selected = others
    assert detailed(brushed_panel, selected=[0, 2]) == 2
