"""The curves: how they are sampled and read, which are strong, what is said where there are none."""

from __future__ import annotations

import math
import threading

import numpy as np
import pytest

from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import CurvesPlot
from hpo_widgets.widget.plots import curve_reading
from hpo_widgets.widget.plots.axes import Domain
from hpo_widgets.widget.plots.curve_reading import (
    MOST_CURVES,
    MOST_POINTS,
    Curve,
    grid_places,
    nearest_curve,
    path,
    read_curves,
    sampled,
    spread,
)

DONE = TrialState.COMPLETED
LOSS = "validation/loss"
MARKUP = "<img src=x onerror=alert(1)>"


def curve(x, y, state=DONE):
    return Curve(np.array(x, dtype=float), np.array(y, dtype=float), state)


def ended(*curves, states=()):
    """An ended search whose trials have reported these values."""
    search = ScriptedSearch()
    for number, values in enumerate(curves):
        state = states[number] if number < len(states) else DONE
        search.add_trial(values[-1] if len(values) else None, state=state)
        search.report(number, values)
    search.command("start")
    search.command("stop")
    return search


def drawn(plot, name):
    """The points of a line, without its gaps."""
    x = plot._lines[name].x
    return x[~np.isnan(x)].tolist() if len(x) else []


def test_a_long_curve_keeps_its_ends_and_its_extremes():
    values = np.ones(50_000)
    values[[12_345, 23_456]] = 9.0, -9.0
    x, y = sampled(range(50_000), values)
    assert len(x) <= MOST_POINTS
    assert (x[0], x[-1]) == (0, 49_999)
    assert (y.max(), y.min()) == (9.0, -9.0)
    assert (np.diff(x) > 0).all()


def test_a_curve_that_is_sampled_as_it_grows_stays_as_fine_everywhere():
    x = y = np.empty(0)
    for iteration in range(3000):
        x, y = sampled([*x, iteration], [*y, math.sin(iteration)])
    assert len(x) <= MOST_POINTS
    assert np.diff(x).max() < 3000 / 20


def test_many_reports_of_one_iteration_are_cut():
    x, _ = sampled([5] * 1000, [0.5] * 1000)
    assert len(x) == MOST_POINTS


@pytest.mark.parametrize(
    ("iterations", "values", "kept"),
    [
        ([], [], []),
        ([3], [0.5], [3]),
        ([2, 1, 3], [0.2, 0.1, 0.3], [1, 2, 3]),
        ([0, 1, 2, 3], [math.nan, math.inf, -math.inf, 1e300], [3]),
        ([None, 1], [0.5, 0.4], [1]),
        (range(MOST_POINTS), [0.5] * MOST_POINTS, range(MOST_POINTS)),
    ],
    ids=["none", "one", "unordered", "odd", "no iteration", "as many as fit"],
)
def test_a_short_curve_keeps_its_finite_values_in_the_order_of_iterations(iterations, values, kept):
    x, y = sampled(iterations, values)
    assert x.tolist() == list(kept)
    assert np.isfinite(y).all()


def test_curves_are_one_line_that_does_not_end_in_a_gap():
    x, y = path([curve([0, 1], [5, 6]), curve([], []), curve([2], [7])])
    np.testing.assert_array_equal(x, [0, 1, np.nan, 2])
    np.testing.assert_array_equal(y, [5, 6, np.nan, 7])
    assert [len(part) for part in path([])] == [0, 0]


def test_a_curve_is_nowhere_before_its_first_and_after_its_last_report():
    places = grid_places([curve([25, 50], [0.0, 1.0]), curve([], [])], Domain(0, 100), Domain(0, 1))
    known = np.flatnonzero(np.isfinite(places[0]))
    assert (known[0], known[-1]) == (30, 60)
    assert places[0][60] == 1.0
    assert np.isnan(places[1]).all()


def test_labels_stand_apart_in_the_order_of_their_places_and_inside():
    places = np.array([0.5, 0.5, 0.99, 0.98, 0.1])
    found = spread(places)
    assert np.diff(np.sort(found)).min() >= 0.05 - 1e-9
    assert found.max() <= 1.0
    assert found[4] == 0.1
    assert np.argsort(found, kind="stable").tolist() == np.argsort(places, kind="stable").tolist()
    assert len(spread(np.empty(0))) == 0


def test_the_curve_next_to_a_place_is_found():
    curves = {3: curve([0, 10], [0.0, 1.0]), 4: curve([0, 5], [1.0, 0.0]), 5: curve([], [])}
    assert nearest_curve(curves, 8, 0.79, Domain(0, 1), 0.04) == 3
    assert nearest_curve(curves, 1, 0.8, Domain(0, 1), 0.04) == 4
    assert nearest_curve(curves, 8, 0.2, Domain(0, 1), 0.04) is None
    assert nearest_curve({}, 8, 0.2, Domain(0, 1), 0.04) is None


def test_a_look_ends_when_its_time_is_over_and_goes_on_next_time(monkeypatch):
    search = ended([0.5], [0.4], [0.3])
    assert list(read_curves(search, dict.fromkeys([2, 0, 1]), LOSS, ()).curves) == [2, 0, 1]
    monkeypatch.setattr(curve_reading, "_MOST_REPORTS", 1)
    assert list(read_curves(search, dict.fromkeys([0, 1, 2]), LOSS, ()).curves) == [0, 1]
    monkeypatch.setattr(curve_reading, "LOOK_SECONDS", -1)
    assert list(read_curves(search, dict.fromkeys([2, 0, 1]), LOSS, ()).curves) == [2]


def test_of_a_known_curve_what_is_new_is_read():
    search = ended([0.5] * 1000)
    known = read_curves(search, {0: None}, LOSS, ()).curves[0]
    assert known.key == 1000
    assert len(known.x) <= MOST_POINTS
    search.report(0, [0.1])
    search.report(0, [9.0], ("train", "loss"))
    asked = []
    search._reports.scalars_after = lambda number, after: (
        asked.append(after) or type(search._reports).scalars_after(search._reports, number, after)
    )
    found = read_curves(search, {0: known}, LOSS, ())
    assert asked == [1000]
    assert (found.curves[0].x[-1], found.curves[0].y[-1]) == (1000, 0.1)
    assert set(found.scalars) == {LOSS, "train/loss"}
    again = read_curves(search, {0: found.curves[0]}, LOSS, ()).curves[0]
    assert again.x.tolist() == found.curves[0].x.tolist()


def test_of_trials_at_a_server_only_those_that_are_asked_for_are_read(monkeypatch):
    search = ended([0.5], [0.4])
    monkeypatch.setattr("hpo_widgets.trials.Trial.is_elsewhere", property(lambda trial: trial.number < 2))
    found = read_curves(search, dict.fromkeys([0, 1]), LOSS, [1])
    assert list(found.curves) == [1]
    assert found.elsewhere == {0}


def test_the_best_the_top_and_the_selected_are_strong_and_labelled(show):
    search = ended(*[[1.0, 0.9 - 0.1 * number] for number in range(8)])
    plot = show(CurvesPlot, search, top_k=3, selected=[0])
    assert drawn(plot, "best") == [0, 1]
    assert len(drawn(plot, "top")) == 4
    assert drawn(plot, "selected") == [0, 1]
    assert [word.split()[0] for word in plot._labels.text.tolist()] == ["▲", "#6", "#5", "#0"]
    assert "8 of 8 trials" in plot._said.value
    for word in ("best", "top 3", "selected", "others"):
        assert word in plot._key.value


def test_the_others_are_a_picture(show):
    empty = show(CurvesPlot, ended([0.5, 0.4]), top_k=1)._faint.image.value
    assert show(CurvesPlot, ended([0.5, 0.4], [0.9, 0.8]), top_k=1)._faint.image.value != empty


def test_the_picture_is_of_the_scalar_and_the_trials_that_are_shown(show, refresh):
    search = ended([0.5, 0.4], [0.9, 0.8])
    plot = show(CurvesPlot, search, top_k=1)
    both = plot._faint.image.value
    plot.filter = {"top_k": 1}
    refresh(plot)
    assert not plot._density.counts.any()
    plot.filter = {}
    refresh(plot)
    assert plot._faint.image.value == both
    plot.scalar = "nobody/reports"
    refresh(plot)
    assert not plot._density.counts.any()
    assert plot._faint.image.value != both


def test_how_a_trial_ended_is_marked_at_the_end_of_its_curve(show):
    states = [DONE, TrialState.PRUNED, TrialState.ABORTED, TrialState.FAILED, TrialState.RUNNING]
    search = ended([1, 0.5, 0.4], [1, 0.9], [1, 0.8], [1.0], [1, 0.7], states=states)
    ends = show(CurvesPlot, search)._ends
    assert ends["ended early"].x.tolist() == [1, 1]
    assert set(ends["ended early"].names.tolist()) == {1, 2}
    assert ends["failed"].names.tolist() == ends["single"].names.tolist() == [3]
    assert ends["running"].y.tolist() == [0.7]


def test_another_scalar_is_chosen_on_the_page_or_by_code(show, refresh):
    search = ended([0.5, 0.4])
    search.report(0, [0.1, 0.2, 0.3], ("train", "accuracy"))
    plot = show(CurvesPlot, search)
    refresh(plot)
    assert plot.scalar == LOSS
    assert plot._chooser.options == (("validation / loss", LOSS), ("train / accuracy", "train/accuracy"))
    plot._chooser.value = "train/accuracy"
    assert plot.scalar == "train/accuracy"
    refresh(plot)
    assert drawn(plot, "best") == [0, 1, 2]
    plot.scalar = "nobody/reports"
    refresh(plot)
    assert "has reported nobody/reports" in plot._said.value
    assert plot._chooser.value == "nobody/reports"


@pytest.mark.parametrize(
    ("given", "objective", "shown"),
    [
        ({}, [0.5], "train/accuracy"),
        ({}, [0.5, 0.4], LOSS),
        ({"scalar": LOSS}, [0.5], LOSS),
    ],
    ids=["objective reported once", "objective reported twice", "chosen by code"],
)
def test_by_default_a_scalar_with_curves_is_shown(show, refresh, given, objective, shown):
    search = ScriptedSearch()
    search.command("start")
    plot = show(CurvesPlot, search, **given)
    search.add_trial(state=TrialState.RUNNING)
    search.report(0, [0.1, 0.2, 0.3], ("train", "accuracy"))
    refresh(plot)
    assert plot.scalar == LOSS  # it may still be reported more than once
    search.add_trial(0.5, state=TrialState.PRUNED)
    search.report(1, [0.5])
    search.report(1, [0.1, 0.2, 0.3], ("train", "accuracy"))
    refresh(plot)
    assert plot.scalar == LOSS  # it was ended early
    search.add_trial(objective[-1])
    search.report(2, [0.1, 0.2, 0.3], ("train", "accuracy"))
    search.report(2, range(9), (":monitor:machine", "cpu_usage"))
    search.report(2, objective)
    search.command("stop")
    refresh(plot)
    refresh(plot)
    assert plot.scalar == shown
    assert plot._chooser.value == shown


def test_what_is_saved_of_a_search_shows_the_curves_of_that_scalar_at_once(show):
    search = ended([0.5])
    search.report(0, [0.1, 0.2, 0.3], ("train", "accuracy"))
    plot = show(CurvesPlot, search)
    assert plot.scalar == "train/accuracy"
    assert drawn(plot, "best") == [0, 1, 2]


def test_the_axis_of_iterations_is_that_of_the_scalar_that_is_shown(show, refresh):
    search = ScriptedSearch()
    search.command("start")
    search.add_trial(None, state=TrialState.RUNNING)
    search.report(0, [0.1] * 5_000, ("train", "loss"))
    search.report(0, [0.4] * 10)
    search.set_status("stopped")  # its kernel was killed: the trial goes on to count as running
    plot = show(CurvesPlot, search, scalar="train/loss")
    assert plot._x.domain.high > 5_000
    plot.scalar = LOSS
    refresh(plot)
    assert len(drawn(plot, "running")) == 10
    assert plot._x.domain.high < 30


def test_a_search_without_reports_is_told_how_to_report(show):
    search = ScriptedSearch()
    search.add_trial(0.5)
    search.command("start")
    search.command("stop")
    assert "trial.report_scalar" in show(CurvesPlot, search)._said.value
    assert show(CurvesPlot, ScriptedSearch())._said.value == ""


def test_a_running_trial_grows_and_its_curve_is_read_on_a_thread(show, refresh, monkeypatch):
    may_read, readers = threading.Event(), []

    def wait(*arguments):
        readers.append(threading.current_thread().name)
        assert may_read.wait(60)
        return read_curves(*arguments)

    monkeypatch.setattr("hpo_widgets.widget.plots.curves.read_curves", wait)
    search = ScriptedSearch()
    search.command("start")
    search.add_trial(None, state=TrialState.RUNNING)
    search.report(0, [0.9, 0.8])
    now = [0.0]
    plot = show(CurvesPlot, search, clock=lambda: now[0])
    assert plot._answer is not None  # and the plot is there, while nothing could be read
    answer = plot._answer
    may_read.set()
    answer.result(60)
    for seconds, longer in ((10, []), (20, [0.7]), (30, [])):
        search.report(0, longer)
        now[0] = seconds
        refresh(plot)
        if plot._answer is not None:
            plot._answer.result(60)
    now[0] = 40
    refresh(plot)
    assert len(drawn(plot, "running")) == 3
    assert set(readers) == {"hpo_widgets curves"}


def test_what_cannot_be_read_is_told_and_tried_again_later(show, refresh, monkeypatch):
    def fail(*_arguments):
        raise OSError("no such server")

    monkeypatch.setattr("hpo_widgets.widget.plots.curves.read_curves", fail)
    search = ScriptedSearch()
    search.command("start")
    search.add_trial(0.5)
    now = [0.0]
    plot = show(CurvesPlot, search, clock=lambda: now[0])
    while not plot._problem:
        refresh(plot)
        now[0] += 0.1
    assert plot._answer is None
    now[0] += 60
    refresh(plot)
    assert "no such server" in plot._said.value


def test_only_the_newest_and_the_strong_of_very_many_are_read(show):
    search = ScriptedSearch()
    search.add_trials([0.1] + [0.5] * (MOST_CURVES + 100))
    plot = show(CurvesPlot, search, top_k=1)
    assert len(plot._shown) == MOST_CURVES
    assert plot._shown[0] == 0
    assert plot._shown[1] == MOST_CURVES + 100


def test_no_more_of_the_best_are_asked_for_than_can_be_drawn(show, monkeypatch):
    asked, search = [], ScriptedSearch()
    search.add_trials([0.5, 0.25])
    monkeypatch.setattr(search, "top", lambda k: asked.append(k) or ScriptedSearch.top(search, k))
    assert show(CurvesPlot, search, top_k=10_000)._shown == [1, 0]
    assert max(asked) <= MOST_CURVES


def test_the_axis_is_logarithmic_where_that_shows_more_or_as_asked(show):
    plot = show(CurvesPlot, ended([100.0, 10.0, 1.0, 0.1] * 5))
    assert plot._y.domain.is_log
    assert plot._toggle.value
    plot._toggle.value = False
    assert plot.log_scale is False
    assert not plot._y.domain.is_log
    negative = show(CurvesPlot, ended([1.0, -1.0]))
    negative._toggle.value = True
    assert not negative._y.domain.is_log
    assert not negative._toggle.value


def test_a_curve_that_ends_far_beyond_all_others_leaves_the_axis_to_them(show):
    usual = [[1.0, 0.3 + number / 500] for number in range(12)]
    search = ended(*usual, [1.0, 1e9])
    plot = show(CurvesPlot, search)
    assert 1.0 < plot._y.domain.high < 2.0
    assert "13 of 13 trials, 1 beyond the axis" in plot._said.value
    plot.log_scale = False
    assert plot._y.domain.high > 1e9
    assert "beyond" not in show(CurvesPlot, ended(*usual))._said.value


def test_an_axis_that_was_logarithmic_for_one_scalar_is_chosen_anew_for_another(show, refresh):
    search = ended([100.0, 10.0, 1.0, 0.1] * 5)
    search.report(0, [0.5, 0.6, 0.7] * 5, ("train", "accuracy"))
    plot = show(CurvesPlot, search)
    assert plot._y.domain.is_log
    plot.scalar = "train/accuracy"
    refresh(plot)
    assert len(drawn(plot, "best")) == 15
    assert not plot._y.domain.is_log
    assert (plot._toggle.value, plot.log_scale) == (False, None)


def test_a_click_selects_the_curve_that_is_near(show):
    plot = show(CurvesPlot, ended([1.0, 0.0], [0.0, 1.0]))

    def click(iteration, value):
        places = [plot._x.domain.place(np.array([iteration])), plot._y.domain.place(np.array([value]))]
        plot._on_click(dict(zip(("click_x", "click_y"), map(float, np.concatenate(places)), strict=True)))

    click(0.1, 0.88)
    assert plot.selected == [0]
    click(0.9, 0.5)
    assert plot.selected == []
    plot._on_click({"name": 1})
    assert plot.selected == [1]
    for nonsense in (None, {}, {"name": 99}, {"click_x": "a", "click_y": None}, {"click_x": math.nan, "click_y": 0}):
        plot._on_click(nonsense)
        assert plot.selected == [1]


def test_a_filter_leaves_curves_out(show, refresh):
    plot = show(CurvesPlot, ended([1.0, 0.5], [1.0, 0.4], states=[TrialState.PRUNED]))
    plot.filter = {"states": ("completed",)}
    refresh(plot)
    assert plot._said.value == "1 of 1 trial"
    assert len(plot._ends["ended early"].x) == 0


def test_a_filter_that_leaves_few_curves_has_both_axes_look_closely(show, refresh):
    far = [[1000.0 * number] * 50 for number in range(1, 11)]
    near = [[1 + number / 50] * 10 for number in range(10)]
    plot = show(CurvesPlot, ended(*far, *near))
    assert (plot._x.domain.high > 49, plot._y.domain.high > 10_000) == (True, True)
    plot.filter = {"top_k": 3}
    refresh(plot)
    assert plot._x.domain.high < 20
    assert plot._y.domain.high < 10


def test_a_filter_that_leaves_a_short_curve_of_running_trials_has_the_axis_look_closely(show, refresh):
    search = ScriptedSearch()
    search.command("start")
    for number, (dropout, length) in enumerate([(0.1, 5_000), (0.4, 10)]):
        point = {"lr": 0.01, "dropout": dropout, "layers": 2, "activation": "relu"}
        search.add_trial(None, point, state=TrialState.RUNNING)
        search.report(number, [0.5] * length)
    now = [0.0]
    plot = show(CurvesPlot, search, clock=lambda: now[0])

    def look_again():
        for _ in range(3):
            if plot._answer is not None:
                plot._answer.result(60)
            now[0] += 100.0
            refresh(plot)

    look_again()
    assert plot._x.domain.high > 5_000
    plot.filter = {"within": {"dropout": (0.3, 0.5)}}
    look_again()
    assert plot._x.domain.high < 30


@pytest.mark.parametrize(
    "curves",
    [[], [[]], [[0.5]], [[0.5], [0.4, 0.3]], [[math.nan, math.inf]] * 3, [[0.5] * 20] * 3, [[1e300, -1e300, 1e-300]]],
    ids=["none", "no report", "one", "two", "no value", "equal", "odd"],
)
def test_odd_curves_are_drawn_with_finite_numbers(show, curves):
    plot = show(CurvesPlot, ended(*curves))
    for mark in plot.figure.marks:
        x, y = np.asarray(mark.x, dtype=float), np.asarray(mark.y, dtype=float)
        assert not np.isinf(x).any()
        assert not np.isinf(y).any()
        assert len(x) == 0 or not np.isnan([x[-1], y[-1]]).any()
    for axis in (plot._x, plot._y):
        assert math.isfinite(axis.domain.high - axis.domain.low)


def test_names_of_scalars_are_text_and_short(show):
    search = ended([0.5])
    search.report(0, [0.1], (MARKUP, "s" * 300))
    search.report(0, [0.1], ("", "alone"))
    plot = show(CurvesPlot, search)
    assert [len(label) <= 60 for label, _ in plot._chooser.options] == [True] * 3
    assert plot._chooser.options[2] == ("alone", "/alone")
    assert MARKUP not in plot._key.value


def test_an_end_has_the_name_of_its_trial_where_another_one_has_ended_in_the_same_place(show, refresh):
    search = ended([1.0, 0.5], [1.0, 0.5], states=[TrialState.PRUNED] * 2)
    plot = show(CurvesPlot, search)
    for number in range(2):
        search.command("set_tags", number, [f"tag {number}"])
        plot.filter = {"tags": [f"tag {number}"]}
        refresh(plot)
        assert plot._ends["ended early"].names.tolist() == [number]


def test_the_curve_of_a_trial_that_is_left_out_is_drawn_only_where_the_filter_asks_for_it(show, refresh):
    search = ended([0.5, 0.25], [0.5, 0.125], [0.5, 0.75])
    plot = show(CurvesPlot, search, selected=[1])
    assert len(plot.numbers().rows) == 3
    search.command("leave_out", 1)
    refresh(plot)
    assert [row[0] for row in plot.numbers().rows] == ["#0", "#2"]
    plot.filter = {"states": ["left out"]}
    refresh(plot)
    assert [row[0] for row in plot.numbers().rows] == ["#1"]


def test_fewer_iterations_are_written_below_a_narrow_figure(show, refresh, wire):
    search = ScriptedSearch()
    search.add_trial(0.5)
    search.report(0, [1.0] * 2001)
    plot = show(CurvesPlot, search)

    def written(width):
        wire.browser_sets(plot._refresher.flow.view, plot_sizes={"plot": [width, 400]})
        refresh(plot)
        return plot._x.axis.tick_values.tolist()

    wide = written(900)
    assert wide == list(range(0, 2001, 200))
    assert written(300) == [0, 1000, 2000]
    assert written(900) == wide
