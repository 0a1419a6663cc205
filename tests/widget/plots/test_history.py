"""The history: what is drawn how, on which axis, and where the best line goes."""

from __future__ import annotations

import contextlib
import math
import re

import numpy as np
import pytest
from bqplot import LinearScale, LogScale
from traitlets import TraitError

from hpo_widgets.parameters import UniformIntegerParameterRange
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import CurvesPlot, DistributionPlot, HistoryPlot, MapPlot, ParallelPlot, SlicesPlot, text
from hpo_widgets.widget.parts.part import widgets_of
from hpo_widgets.widget.plots.brush import Extent
from tests.widget.plots.test_png import size_of

OVER_DECADES = [10.0**-number for number in range(12)]


def numbers_in(plot):
    """Numbers of the trials of each cloud, when all are still in the hot mark."""
    return {name: cloud.hot.names.tolist() for name, cloud in plot.figures[0]._clouds.items() if len(cloud)}


def scales_of_values(plot):
    figure = plot.figures[0]
    marks = [*figure.cloud("inside").marks, *figure.cloud("outside").marks, figure._best_line, figure._best]
    return {mark.scales["y"] for mark in marks}


def test_the_picture_of_old_trials_is_as_large_as_the_plot_is_on_the_page(show, search, refresh, wire):
    search.add_trials([0.5, 0.25] * 3000)
    plot = show(HistoryPlot, search)
    picture = plot.figures[0].cloud("inside").marks[0]
    for told, drawn in (((698, 456), [600, 400]), ((10**9, -5), [2000, 50])):
        wire.browser_sets(plot._refresher.flow.view, plot_sizes={"plot": told, "slices": [300, 200]})
        refresh(plot)
        assert size_of(picture.image.value) == pytest.approx(drawn, abs=1)


def test_the_ring_of_the_first_and_of_the_last_trial_is_whole(show, search):
    search.add_trials([0.5, 0.25] * 500)
    domain = show(HistoryPlot, search).figures[0].domain_x
    radius, width = 7, 300  # px, of a ring and of a narrow plot
    least = radius / width * (domain.high - domain.low)
    assert 0 - domain.low >= least
    assert domain.high - 999 >= least


@pytest.mark.parametrize("kind", [HistoryPlot, MapPlot])
def test_fewer_numbers_are_written_below_a_narrow_figure(show, refresh, wire, kind):
    parameters = [UniformIntegerParameterRange(name, 0, 10_000) for name in ("budget", "size")]
    search = ScriptedSearch(parameters, jobs=10_000)
    search.add_trials([0.5, 0.25] * 4000)
    plot = show(kind, search)

    def written(width):
        wire.browser_sets(plot._refresher.flow.view, plot_sizes={"plot": [width, 400]})
        refresh(plot)
        return plot.figures[0].x.axis.tick_values.tolist()

    wide = written(900)
    assert len(wide) > 4
    assert 2 <= len(written(250)) <= 3
    assert written(900) == wide


@pytest.mark.parametrize("sizes", [{"plot": [1]}, {"plot": "wide"}, {"plot": [1.5, 2]}, 7, None])
def test_what_is_no_size_is_not_taken(show, search, refresh, wire, sizes):
    plot = show(HistoryPlot, search)
    view = plot._refresher.flow.view
    with contextlib.suppress(TraitError):
        wire.browser_sets(view, plot_sizes=sizes)
    assert plot._refresher.flow.plot_size("plot") is None
    refresh(plot)


def test_the_more_trials_the_fainter_each(show, search, refresh):
    plot = show(HistoryPlot, search)
    opacities = []
    for num_trials in (100, 500, 3000, 10_000):
        search.add_trials([0.5] * (num_trials - len(search._trials)))
        refresh(plot)
        cloud = plot.figures[0].cloud("inside")
        while cloud.is_stale:
            search.add_trial(0.5)
            refresh(plot)
        opacities.append(cloud.hot.opacities[0])
    assert opacities == pytest.approx([0.8, 0.6, 0.4, 0.24])


def test_the_plot_is_named_by_what_it_shows(show, search):
    assert show(HistoryPlot, search).figure.title == "validation / loss of each trial in order"


def test_the_number_of_failed_trials_stands_beside_their_lane_where_no_trial_is(show, refresh):
    search = ScriptedSearch(jobs=10)
    plot = show(HistoryPlot, search)
    search.add_trials([0.5] * 9)
    search.add_trial(state=TrialState.FAILED)
    refresh(plot)
    (figure,) = plot.figures
    label = figure._lane_label
    assert (label.x.tolist(), label.align, label.apply_clip) == ([figure.domain_x.low], "end", False)
    assert figure.domain_x.low < 0


def test_each_trial_is_drawn_as_what_it_is_and_changes_with_the_ranges(show, search, refresh):
    plot = show(HistoryPlot, search)
    others = {"dropout": 0.1, "layers": 2, "activation": "relu"}
    search.add_trial(0.5, {"lr": 1e-3, **others})
    search.add_trial(0.4, {"lr": 5e-2, **others})
    search.add_trial(0.3, {"lr": 5e-2, **others}, state=TrialState.PRUNED)
    search.add_trial(state=TrialState.FAILED, error="no")
    refresh(plot)
    assert numbers_in(plot) == {"inside": [0, 1], "partial": [2], "failed": ["3 no"]}
    search.set_ranges({"lr": (1e-4, 1e-2)})
    refresh(plot)
    # Those of a range that was left are faint; all are drawn anew, from frozen marks on.
    sizes = {name: len(cloud) for name, cloud in plot.figures[0]._clouds.items()}
    assert sizes == {"inside": 1, "outside": 1, "partial": 1, "failed": 1}
    search.command("undo")
    refresh(plot)
    assert len(plot.figures[0].cloud("inside")) == 2


@pytest.mark.parametrize(
    ("values", "asked", "is_log"),
    [
        (OVER_DECADES, None, True),
        (OVER_DECADES, False, False),
        ([0.5, 0.4], None, False),
        ([0.5, 0.4], True, True),
        ([0.5, 0.0], True, False),
    ],
)
def test_the_axis_of_values_is_logarithmic_where_it_shows_more_or_is_asked_to_be(show, search, values, asked, is_log):
    search.add_trials(values)
    plot = show(HistoryPlot, search, log_scale=asked)
    (scale,) = scales_of_values(plot)
    assert type(scale) is (LogScale if is_log else LinearScale)
    assert plot.figures[0].y.axis.label == ("validation / loss (log)" if is_log else "validation / loss")


@pytest.mark.parametrize("kind", [HistoryPlot, SlicesPlot, CurvesPlot, DistributionPlot, ParallelPlot])
@pytest.mark.parametrize(("sign", "is_log"), [("min", True), ("max", False)])
def test_good_values_near_the_upper_end_are_not_drawn_close_together_on_a_logarithmic_axis(show, kind, sign, is_log):
    search = ScriptedSearch(signs=sign)
    values = [0.03, *[0.1] * 9, *[0.9] * 10, 0.97]
    search.add_trials(values)
    for number, value in enumerate(values):
        search.report(number, [value])
    plot = show(kind, search)
    axis = plot._fitted[0] if kind is ParallelPlot else plot._axis
    assert axis.domain.is_log is is_log


@pytest.mark.parametrize(
    ("kind", "axis"),
    [(HistoryPlot, lambda plot: plot.figures[0].y.axis), (DistributionPlot, lambda plot: plot._x.axis)],
)
def test_the_axis_of_values_has_its_whole_name_for_the_page_to_shorten(show, kind, axis):
    search = ScriptedSearch(titles=["validation"], series=["loss " * 20], signs=["min"])
    search.add_trials([0.5])
    assert axis(show(kind, search)).label == f"validation / {'loss ' * 20}"


def test_another_kind_of_axis_can_be_asked_for_later_and_leaves_no_widget_behind(show, wire, search):
    search.add_trials(OVER_DECADES)
    plot = show(HistoryPlot, search)
    num_open = wire.num_open()
    for is_log in (False, True):
        plot.log_scale = is_log
        (scale,) = scales_of_values(plot)
        assert type(scale) is (LogScale if is_log else LinearScale)
    assert wire.num_open() == num_open


@pytest.mark.parametrize(("sign", "best", "level"), [("min", 2, 0.25), ("max", 1, 0.75)])
def test_the_best_line_steps_at_each_better_trial_and_goes_on_to_the_last(show, refresh, sign, best, level):
    search = ScriptedSearch(signs=sign)
    plot = show(HistoryPlot, search)
    search.add_trials([0.5, 0.75, 0.25, 0.5])
    refresh(plot)
    figure = plot.figures[0]
    assert np.asarray(figure._best_line.x).tolist() == [0, best, best, 3]
    assert np.asarray(figure._best_line.y).tolist() == [0.5, 0.5, level, level]
    assert (figure._best.x.tolist(), figure._best.y.tolist(), figure._best.names.tolist()) == ([best], [level], [best])


def test_a_best_trial_that_turns_out_to_be_none_is_marked_no_longer(show, search, refresh):
    search.add_trial(0.5)
    plot = show(HistoryPlot, search)
    search.end_trial(0, state=TrialState.FAILED, error="taken back")
    refresh(plot)
    figure = plot.figures[0]
    assert [len(mark.x) for mark in (figure._best, figure._best_line, figure.cloud("inside").hot)] == [0, 0, 0]
    assert len(figure.cloud("failed")) == 1


@pytest.mark.parametrize("objective", [-1, 2, 10**6])
def test_an_objective_that_is_not_there_is_refused_in_words(objective):
    search = ScriptedSearch(titles=["a", "b"], series=["x", "y"], signs=["min", "max"])
    with pytest.raises(ValueError, match="below 2, the number of objectives"):
        HistoryPlot(search, objective=objective)


def test_a_selected_failed_trial_has_a_ring_on_its_lane(show, search, refresh):
    plot = show(HistoryPlot, search)
    search.add_trial(0.5)
    search.add_trial(state=TrialState.FAILED, error="ValueError: loss is NaN\nat epoch 3")
    refresh(plot)
    plot.selected = [0, 1]
    figure = plot.figures[0]
    assert (figure._selected.x.tolist(), figure._selected_failed.x.tolist()) == ([0], [1])
    assert figure._selected_failed.names.tolist() == ["1 ValueError: loss is NaN"]
    plot.selected = []
    assert len(figure._selected_failed.x) == 0


def test_a_click_on_the_background_selects_nothing(show, search, refresh, wire):
    plot = show(HistoryPlot, search)
    search.add_trials([0.5, 0.4])
    refresh(plot)
    plot.selected = [1]
    wire.browser_says(plot.figures[0]._strip, event="background_click")
    assert plot.selected == []


@pytest.mark.parametrize("low", [32.0, 0.015625])
def test_before_the_first_trial_has_ended_the_values_so_far_are_drawn_on_an_axis_that_fits_them(
    show, search, refresh, low
):
    plot = show(HistoryPlot, search)
    refresh(plot)
    search.add_trial(low, state=TrialState.RUNNING)
    search.add_trial(low + 0.25 * low, state=TrialState.RUNNING)
    refresh(plot)
    figure = plot.figures[0]
    assert (figure._running.x.tolist(), figure._running.y.tolist()) == ([0, 1], [low, 1.25 * low])
    assert figure.domain.low < low
    assert 1.25 * low < figure.domain.high < 1.5 * low


def test_before_the_first_trial_has_ended_the_axis_stays_while_values_so_far_change_and_grows_in_steps(
    show, search, refresh
):
    plot = show(HistoryPlot, search)
    numbers = [search.add_trial(value, state=TrialState.RUNNING) for value in (2.0, 3.0)]
    refresh(plot)
    figure, domains = plot.figures[0], []
    for share in np.linspace(1.0, 0.2, 40):
        for number, value in zip(numbers, (2.0, 3.0), strict=True):
            search.end_trial(number, share * value, state=TrialState.RUNNING)
        refresh(plot)
        assert figure._running.y.tolist() == pytest.approx([share * 2.0, share * 3.0])
        domains.append(figure.domain)
    assert figure.domain.high == domains[0].high
    assert len(set(domains)) < 10


@pytest.mark.parametrize("num_ended", [1, 2])
def test_beside_the_first_trials_that_have_ended_there_is_room_for_all_that_run(show, search, refresh, num_ended):
    plot = show(HistoryPlot, search)
    search.add_trials([0.5, 0.51][:num_ended])
    for value in (2.0, 3.0):
        search.add_trial(value, state=TrialState.RUNNING)
    refresh(plot)
    figure = plot.figures[0]
    assert figure._running.y.tolist() == [2.0, 3.0]
    assert figure.domain.low < 0.5
    assert 3.0 < figure.domain.high < 4.0


def test_the_value_so_far_goes_when_a_trial_ends_and_stays_inside_the_axis(show, search, refresh):
    plot = show(HistoryPlot, search)
    search.add_trials([1.0, 2.0, 3.0])
    number = search.add_trial(1e6, state=TrialState.RUNNING)
    refresh(plot)
    figure = plot.figures[0]
    assert figure.domain.high < 10
    assert figure._running.y.tolist() == [figure.domain.high]
    search.end_trial(number, 2.5)
    refresh(plot)
    assert len(figure._running.x) == 0


@pytest.mark.parametrize(("sign", "ended", "best", "bad"), [("max", 0.4, 0.95, -50.0), ("min", 0.95, 0.05, 1e6)])
def test_there_is_room_for_a_running_trial_that_is_better_than_all_that_have_ended(
    show, refresh, sign, ended, best, bad
):
    search = ScriptedSearch(signs=sign)
    search.add_trials([ended, ended + 0.01, ended - 0.01])
    plot = show(HistoryPlot, search)
    search.add_trial(best, state=TrialState.RUNNING)
    search.add_trial(bad, state=TrialState.RUNNING)
    refresh(plot)
    figure = plot.figures[0]
    assert figure._running.y.tolist()[0] == best
    assert figure.domain.low < best < figure.domain.high
    assert figure.domain.high - figure.domain.low < 2


def test_the_legend_has_only_what_is_drawn(show, search, refresh):
    plot = show(HistoryPlot, search)
    refresh(plot)
    assert ">" not in plot._legend.value.replace('<span class="hpo-key"></span>', "")
    search.add_trial(0.5)
    search.add_trial(0.6, state=TrialState.PRUNED)
    refresh(plot)
    words = re.findall(r"</i> ([^<]*)<", plot._legend.value)
    assert words == ["completed", "pruned", "best so far"]


def test_the_lane_is_there_with_the_first_failed_trial_and_tells_how_many_there_are(show, search, refresh):
    plot = show(HistoryPlot, search)
    search.add_trial(0.5)
    refresh(plot)
    figure = plot.figures[0]
    assert not figure._strip.visible
    for _ in range(2):
        search.add_trial(state=TrialState.FAILED)
    refresh(plot)
    assert figure._strip.visible
    assert list(figure._lane_label.text) == ["2 failed"]


def test_a_completed_trial_with_an_infinite_value_is_not_called_failed(show, search, refresh):
    plot = show(HistoryPlot, search)
    (figure,) = plot.figures
    search.add_trials([0.5, math.inf])
    refresh(plot)
    assert figure.cloud("failed").hot.names.tolist() == ["1 completed with ∞"]
    assert list(figure._lane_label.text) == ["1 not finite"]
    assert re.findall(r"</i> ([^<]*)<", plot._legend.value)[1] == "completed, value not finite"
    search.add_trial(state=TrialState.FAILED)
    refresh(plot)
    assert list(figure._lane_label.text) == ["1 failed", "1 not finite"]
    failed, completed = figure._lane_label.y
    assert failed > completed
    plot.filter = {"states": ["failed"]}
    refresh(plot)
    assert list(figure._lane_label.text) == ["1 failed"]
    assert "not finite" not in plot._legend.value


@pytest.mark.parametrize(("sign", "bad", "edge"), [("min", 1e9, 0.975), ("max", -1e9, 0.11)])
def test_a_trial_far_beyond_all_others_is_a_triangle_at_the_edge_of_the_axis(show, refresh, wire, sign, bad, edge):
    search = ScriptedSearch(signs=sign)
    search.add_trials(np.linspace(0.3, 0.4, 20).tolist())
    plot = show(HistoryPlot, search)
    figure, before = plot.figures[0], plot.figures[0].domain
    assert "beyond" not in plot._legend.value
    search.add_trials([bad, 0.35])
    refresh(plot)
    assert figure.domain == before
    assert numbers_in(plot) == {"inside": [*range(20), 21], "beyond": [f"20 · {text.number(bad)}"]}
    beyond = figure.cloud("beyond").hot
    assert (beyond.y.tolist(), beyond.scales["y"]) == ([edge], figure._lane_scale)
    assert "1 beyond the axis" in plot._legend.value
    assert max(figure._best_line.y) < 1
    plot.selected = [20, 21]
    assert (figure._selected.names.tolist(), figure._selected_failed.y.tolist()) == ([21], [edge])
    assert figure.trial_at((20.0, figure.domain.at(edge))) == 20
    assert 20 in figure.brushed(Extent((19.5, 20.5), (figure.domain.low, figure.domain.high)))


def test_trials_beyond_the_axis_come_onto_it_when_there_are_many(show, search, refresh):
    search.add_trials([*np.linspace(0.3, 0.4, 20).tolist(), 5.0])
    plot = show(HistoryPlot, search)
    assert plot.figures[0].counts["beyond"] == 1
    search.add_trials(np.linspace(1.0, 6.0, 30).tolist())
    refresh(plot)
    assert (plot.figures[0].counts["beyond"], plot.figures[0].counts["inside"]) == (0, 51)
    assert "beyond" not in plot._legend.value


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (SlicesPlot, "; 1 beyond the axis"),
        (MapPlot, "1 beyond the colours"),
        (ParallelPlot, "1 beyond the end of an axis"),
    ],
)
def test_each_plot_of_trials_says_how_many_lie_beyond_its_axis(show, search, kind, words):
    search.add_trials(np.linspace(0.3, 0.4, 20).tolist())
    assert "beyond" not in said(show(kind, search))
    search.add_trial(1e9)
    assert words in said(show(kind, search))


def said(plot):
    """All words of a plot."""
    return " ".join(str(one.value) for one in widgets_of(plot) if hasattr(one, "value"))


def test_the_legend_names_what_is_left_out_where_the_filter_asks_for_it(show, search, refresh):
    search.add_trials([0.5, 0.25])
    search.command("leave_out", 0)
    plot = show(HistoryPlot, search)
    assert "left out" not in plot._legend.value
    plot.filter = {"states": ["left out"]}
    refresh(plot)
    assert "left out" in plot._legend.value


def test_the_best_so_far_leads_to_the_best_where_a_trial_has_no_value_of_another_objective(show):
    search = ScriptedSearch(titles=["error", "size"], series=["error", "size"], signs=["min", "min"])
    for pair in ([0.5, 1.0], [0.1, math.inf], [0.3, 2.0]):
        search.add_trial(pair)
    plot = show(HistoryPlot, search)
    (drawing,) = plot.figures
    assert drawing._best.x.tolist() == [search.best_by(0).number] == [2]
    assert drawing._best_line.y.tolist()[-1] == 0.3
    place = list(plot.numbers().columns).index("best so far")
    assert [row[place] for row in plot.numbers().rows] == [0.3, 0.5, 0.5]
