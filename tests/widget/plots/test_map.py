"""The map: which colours trials have, what the background says, which parameters are shown."""

from __future__ import annotations

import math
import re
import threading

import numpy as np
import pytest
import traitlets as t

from hpo_widgets.parameters import DiscreteParameterRange, LogUniformParameterRange, ParameterSet, UniformParameterRange
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import MapPlot, OptimizerWidget
from hpo_widgets.widget.plots import style
from hpo_widgets.widget.plots.axes import Domain, ParameterAxis, first_domain
from hpo_widgets.widget.plots.importance import LEAST_TRIALS, importances
from hpo_widgets.widget.plots.map_figure import colour_scale
from hpo_widgets.widget.plots.map_series import (
    NUM_BINS,
    PALETTE,
    goodness,
    intervals,
    levels,
    rectangles,
    smoothed,
)

BEST = len(style.RAMP) - 1
MARKUP = "<img src=x onerror=alert(1)>"


def seen(plot, group="inside"):
    """Levels of the trials of a group, by number."""
    cloud = plot.figures[0].cloud(group)
    return dict(zip(cloud._numbers.tolist(), cloud._levels.tolist(), strict=True))


def ended(search):
    search.command("start")
    search.command("stop")


@pytest.mark.parametrize("minimise", [True, False])
def test_the_best_value_has_the_last_colour_and_the_worst_the_first(minimise):
    values = np.array([0.0, 5.0, 10.0])
    domain = first_domain(values, is_log=False)
    found = levels(goodness(values, domain, minimise=minimise)).tolist()
    assert found == ([BEST, 4, 0] if minimise else [0, 4, BEST])


def test_colours_are_even_on_a_logarithmic_axis():
    values = 10.0 ** np.arange(-4, 5)
    found = levels(goodness(values, first_domain(values, is_log=True), minimise=True))
    assert found.tolist() == sorted(found.tolist(), reverse=True)
    assert len(set(found.tolist())) >= 7


@pytest.mark.parametrize("values", [[], [0.5], [0.5, 0.5], [1e300, -1e300], [1e-300, 1e-290]], ids=str)
def test_odd_values_have_a_colour(values):
    found = levels(goodness(np.array(values), first_domain(np.array(values), is_log=False), minimise=True))
    assert len(found) == len(values)
    assert (found <= BEST).all()


def opacity(picture):
    return PALETTE[picture][:, :, 3]


def test_the_background_fades_where_no_trial_is_near():
    picture = smoothed(np.full(200, 0.1), np.full(200, 0.9), np.ones(200))
    assert picture.shape == (NUM_BINS, NUM_BINS)
    # From the top: the trials are at the upper left.
    assert opacity(picture)[6, 6] > 100
    assert opacity(picture)[-6, -6] == 0
    assert not smoothed(np.empty(0), np.empty(0), np.empty(0)).any()


def test_the_background_is_the_mean_of_the_trials_that_are_near():
    x = np.array([0.1, 0.1, 0.9, 0.9])
    picture = PALETTE[smoothed(x, np.full(4, 0.5), np.array([1.0, 1.0, 0.0, 0.0]))].astype(int)
    middle = NUM_BINS // 2
    assert abs(picture[middle, 6, :3] - style.RAMP[-1]).max() <= 12
    assert abs(picture[middle, -6, :3] - style.RAMP[0]).max() <= 12


def test_nothing_is_smoothed_over_the_borders_of_choices():
    picture = smoothed(np.full(50, 0.25), np.full(50, 0.5), np.ones(50), choices=(2, 0))
    middle = opacity(picture)[NUM_BINS // 2]
    assert len(set(middle[: NUM_BINS // 2].tolist())) == 1
    assert middle[0] > 0
    assert not middle[NUM_BINS // 2 :].any()


def test_ranges_are_rectangles_one_for_each_run_of_choices():
    kind = DiscreteParameterRange("kind", ["a", "b", "c", "d"])
    axis = ParameterAxis(kind)
    assert intervals(kind.with_range(("a", "b", "d")), axis) == [(-0.5, 1.5), (2.5, 3.5)]
    number = UniformParameterRange("n", 0, 10).with_range((2, 3))
    assert intervals(number, ParameterAxis(number)) == [(2.0, 3.0)]
    x, y = rectangles([(-0.5, 1.5), (2.5, 3.5)], [(2.0, 3.0)])
    assert np.isnan(x).nonzero()[0].tolist() == np.isnan(y).nonzero()[0].tolist() == [5]
    assert len(x) == 11
    assert [len(part) for part in rectangles([], [(0.0, 1.0)])] == [0, 0]


def test_the_bar_of_colours_has_the_best_at_its_end_and_no_words_of_the_search():
    low = colour_scale(Domain(0.0, 1.0), 0.25, minimise=True).as_html()
    high = colour_scale(Domain(0.0, 1.0), None, minimise=False).as_html()
    first, last = style.RAMP_NAMES[0], style.RAMP_NAMES[-1]
    assert low.index(last) < low.index(first)
    assert high.index(first) < high.index(last)
    assert "lower is better" in low
    assert "higher is better" in high
    assert "▶" in low
    assert "▶" not in high
    wide = colour_scale(Domain(1e-3, 1e5, is_log=True), None, minimise=True).as_html()
    assert "1e4" in wide.replace("10000", "1e4")


def test_a_map_without_a_value_has_no_bar_of_colours(show, search, refresh):
    search.add_trial(state=TrialState.FAILED)
    plot = show(MapPlot, search)
    assert plot._bar.value == ""
    search.add_trial(0.5)
    refresh(plot)
    assert "lower is better" in plot._bar.value


def test_trials_are_drawn_where_their_parameters_are_in_the_colour_of_their_value(show, search):
    for value, lr in [(0.1, 1e-3), (0.9, 1e-2), (0.5, 2e-3)]:
        search.add_trial(value, {"lr": lr, "dropout": 0.25, "layers": 2, "activation": "tanh"})
    plot = show(MapPlot, search)
    assert (plot.x, plot.y) == ("lr", "dropout")
    figure = plot.figures[0]
    assert figure.domain_x.is_log
    assert figure.cloud("inside")._x.tolist() == [1e-3, 1e-2, 2e-3]
    assert set(figure.cloud("inside")._y.tolist()) == {0.25}
    assert seen(plot) == {0: BEST, 1: 0, 2: seen(plot)[2]}
    assert 0 < seen(plot)[2] < BEST
    assert figure._best.x.tolist() == [1e-3]
    assert "#" not in plot._bar.value.replace(", #", "").replace("(#", "")


def test_states_are_told_apart_and_have_their_places(show, search):
    at = {"dropout": 0.1, "layers": 2, "activation": "relu"}
    search.add_trial(0.5, {"lr": 1e-3, **at})
    search.add_trial(None, {"lr": 2e-3, **at}, state=TrialState.FAILED, error="boom")
    search.add_trial(math.nan, {"lr": 3e-3, **at})
    search.add_trial(0.7, {"lr": 4e-3, **at}, state=TrialState.PRUNED)
    search.add_trial(None, {"lr": 5e-3, **at}, state=TrialState.RUNNING)
    plot = show(MapPlot, search)
    figure = plot.figures[0]
    assert figure.cloud("failed")._x.tolist() == [2e-3, 3e-3]
    assert figure.cloud("partial")._x.tolist() == [4e-3]
    assert figure._running.x.tolist() == [5e-3]
    for word in ("completed", "failed", "pruned", "running", "best"):
        assert word in plot._key.value
    plot.selected = [0, 1]
    assert figure._selected.x.tolist() == [1e-3, 2e-3]


def test_a_better_value_gives_all_trials_their_colours_anew(show, search, refresh):
    search.add_trials([0.5, 0.6, 0.7])
    plot = show(MapPlot, search)
    assert seen(plot)[0] == BEST
    search.add_trial(0.01)
    refresh(plot)
    assert seen(plot)[3] == BEST
    assert seen(plot)[0] < BEST


def test_trials_outside_the_present_ranges_are_small_and_the_ranges_are_drawn(show, search, refresh):
    for lr in (1e-3, 5e-2):
        search.add_trial(0.5, {"lr": lr, "dropout": 0.1, "layers": 2, "activation": "relu"})
    plot = show(MapPlot, search)
    assert len(plot.figures[0]._ranges.x) == 0
    search.set_ranges({"lr": (1e-4, 1e-2)})
    refresh(plot)
    figure = plot.figures[0]
    assert list(seen(plot)) == [0]
    assert list(seen(plot, "outside")) == [1]
    assert figure.cloud("outside").hot.default_size < figure.cloud("inside").hot.default_size
    assert figure._ranges.x.tolist() == pytest.approx([1e-4, 1e-2, 1e-2, 1e-4, 1e-4])
    assert "present ranges" in plot._key.value


def test_parameters_are_chosen_and_change_places(show, search):
    search.add_trials([0.5, 0.6])
    plot = show(MapPlot, search, x="dropout")
    assert (plot.x, plot.y) == ("dropout", "lr")
    plot.y = "dropout"
    assert (plot.x, plot.y) == ("lr", "dropout")
    plot._choosers["x"].value = "activation"
    assert plot.x == "activation"
    assert [axis.label for axis in plot.figures[0].figure.axes] == ["activation", "dropout"]
    plot._swap.click()
    assert (plot.x, plot.y) == ("dropout", "activation")
    assert [plot._choosers[name].value for name in "xy"] == ["dropout", "activation"]
    with pytest.raises(t.TraitError, match="Did you mean 'dropout'"):
        plot.x = "dropuot"


def important(num_trials, *, sign="min"):
    """A search whose values depend on its last two parameters."""
    search = ScriptedSearch([UniformParameterRange(name, 0, 1) for name in "abcd"], signs=sign)
    rng = np.random.default_rng(0)
    for _ in range(num_trials):
        point = {name: float(rng.random()) for name in "abcd"}
        search.add_trial(point["d"] + 0.8 * point["c"], point)
    return search


def test_the_two_most_important_parameters_are_shown_first(show):
    search = important(200)
    ended(search)
    plot = show(MapPlot, search)
    assert {plot.x, plot.y} == {"c", "d"}


@pytest.fixture
def asked(monkeypatch):
    """How often importance was asked for; the answers come when the event is set."""
    numbers, may_answer = [], threading.Event()

    def ask(rows, *arguments, **keywords):
        numbers.append(len(rows.numbers))
        assert may_answer.wait(60)
        return importances(rows, *arguments, **keywords)

    monkeypatch.setattr("hpo_widgets.widget.plots.map.importances", ask)
    yield numbers, may_answer
    may_answer.set()


def take_answer(plot, may_answer, refresh):
    answer = plot._answer
    may_answer.set()
    answer.result(60)
    refresh(plot)
    refresh(plot)


def test_while_a_search_runs_importance_is_computed_on_a_thread_and_once(show, refresh, asked):
    numbers, may_answer = asked
    search = important(LEAST_TRIALS - 1)
    search.command("start")
    plot = show(MapPlot, search)
    refresh(plot)
    assert (plot._answer, numbers) == (None, [])
    search.add_trial(0.5)
    refresh(plot)
    take_answer(plot, may_answer, refresh)
    search.add_trial(0.5)
    refresh(plot)
    assert plot._answer is None
    assert numbers == [LEAST_TRIALS]


def choose_another(plot):
    plot._choosers["y"].value = "c"


def choose_what_is_shown(plot):
    plot.y = "b"


def begin_to_brush(plot):
    plot.brushing = True


@pytest.mark.parametrize(
    ("act", "pair"),
    [(choose_another, ("a", "c")), (choose_what_is_shown, ("a", "b")), (begin_to_brush, ("a", "b"))],
    ids=["chosen", "shown already", "brushed"],
)
def test_a_choice_stays(show, refresh, asked, act, pair):
    numbers, may_answer = asked
    search = important(200)
    search.command("start")
    plot = show(MapPlot, search)
    act(plot)
    take_answer(plot, may_answer, refresh)
    assert (plot.x, plot.y) == pair
    show(MapPlot, search, x="b", y="a")
    assert len(numbers) == 1


def test_the_background_is_drawn_at_most_once_a_second_and_can_be_left_out(show, search, refresh):
    now = [0.0]
    search.command("start")
    search.add_trials([0.5, 0.6])
    plot = show(MapPlot, search, clock=lambda: now[0])
    mark = plot.figures[0]._background
    first = mark.image
    assert mark.visible
    search.add_trial(0.55)
    refresh(plot)
    assert mark.image is first
    now[0] = 1.5
    refresh(plot)
    assert mark.image is not first
    plot._toggle.value = False
    assert not plot.background
    assert not mark.visible
    plot.background = True
    assert plot._toggle.value
    assert mark.visible


@pytest.mark.parametrize(("count", "said"), [(1, "1 trial without b is"), (3, "3 trials without b are")])
def test_trials_without_a_parameter_are_not_drawn_but_counted(show, count, said):
    space = [
        ParameterSet([{"net": "small", "a": 1.0}, {"net": "large", "b": UniformParameterRange("b", 0, 1)}]),
        UniformParameterRange("c", 0, 1),
    ]
    search = ScriptedSearch(space)
    for number in range(count):
        search.add_trial(0.5, {"net": "small", "a": 1.0, "c": 0.1 * number})
    search.add_trial(0.4, {"net": "large", "b": 0.3, "c": 0.2})
    search.add_trial(None, {"net": "large", "b": 0.5, "c": 0.5}, state=TrialState.ABORTED)
    plot = show(MapPlot, search, x="b", y="c")
    assert list(seen(plot)) == [count]
    assert plot._said.value == f"{said} not drawn."
    plot.x = "net"
    assert plot._said.value == ""
    assert len(seen(plot)) == count + 1


def test_one_parameter_is_no_pair(search):
    with pytest.raises(ValueError, match="a map has two parameters, got 'lr' twice"):
        MapPlot(search, x="lr", y="lr")
    assert search.num_subscribers == 0


def test_two_choices_are_spread_over_their_square(show):
    search = ScriptedSearch([DiscreteParameterRange(name, ["x", "y"]) for name in "ab"])
    for _ in range(100):
        search.add_trial(0.5, {"a": "x", "b": "y"})
    cloud = show(MapPlot, search).figures[0].cloud("inside")
    assert abs(np.corrcoef(cloud._x, cloud._y)[0, 1]) < 0.3
    assert np.ptp(cloud._x) > 0.5


@pytest.mark.parametrize(
    "values",
    [[], [0.5], [0.5, 0.4], [math.nan] * 3, [0.5] * 20, [1e300, -1e300, math.inf, -math.inf, math.nan, 1e-300]],
    ids=["none", "one", "two", "no value", "equal", "odd"],
)
def test_bad_values_are_drawn_or_crossed(show, search, values, refresh):
    search.add_trials(values)
    ended(search)
    plot = show(MapPlot, search)
    refresh(plot)
    figure = plot.figures[0]
    assert sum(len(figure.cloud(name)) for name in ("inside", "failed")) == len(values)
    for mark in figure.marks:
        assert np.isfinite(np.asarray(mark.x, dtype=float)).all()


def test_a_completed_trial_with_an_infinite_value_is_not_called_failed(show, search):
    search.add_trials([0.5, math.inf])
    plot = show(MapPlot, search)
    assert "completed, value not finite" in plot._key.value
    assert "</i> failed<" not in plot._key.value


def test_a_search_of_which_all_trials_failed_has_crosses_and_no_background(show, search):
    search.add_trials([None] * 4, TrialState.FAILED)
    plot = show(MapPlot, search)
    assert len(plot.figures[0].cloud("failed")) == 4
    assert not plot.figures[0]._background.visible


def test_one_parameter_is_no_map(show):
    search = ScriptedSearch([UniformParameterRange("a", 0, 1)])
    with pytest.raises(ValueError, match="look at its Slices"):
        show(MapPlot, search)
    assert "Map" not in show(OptimizerWidget, search).plots


def test_long_choices_have_room_beside_the_name_of_their_axis(show):
    search = ScriptedSearch([
        DiscreteParameterRange("few", ["a", "b"]),
        DiscreteParameterRange("many", [f"facebook/wav2vec2-large-{size}" for size in (300, 960, 1500)]),
    ])  # fmt: skip
    room = {}
    for up, across in (("few", "many"), ("many", "few")):
        figure = show(MapPlot, search, x=across, y=up).figures[0]
        words = figure.y.axis.tick_labels.values()
        assert len(set(words)) == len(words)
        room[up] = figure.figure.fig_margin["left"], figure.y.axis.label_offset
        assert max(map(len, words)) <= 13
    assert room == {"few": (72, "60px"), "many": (120, "108px")}


def test_many_long_names_and_choices_are_shown_as_text(show):
    many = [LogUniformParameterRange(f"section {index}/{'n' * 300}{index}", -3, 0) for index in range(62)]
    choices = [MARKUP, "c" * 300, '"quoted" 😀 \u202eright']
    search = ScriptedSearch([DiscreteParameterRange(MARKUP, choices), DiscreteParameterRange("b", choices), *many])
    search.add_trials([0.5, 0.4, 0.3])
    plot = show(MapPlot, search)
    assert len(plot._choosers["x"].options) == 64
    assert all(len(label) <= 60 for label, _ in plot._choosers["x"].options)
    names = plot.figures[0].cloud("inside").hot.names.tolist()
    assert all(len(name) < 60 for name in names)
    assert names[1].split()[0] == "1"
    assert MARKUP not in plot._key.value + plot._bar.value


def test_a_logarithmic_ramp_is_chosen_and_told_by_its_ticks(show, search):
    search.add_trials([0.01, 0.5, 1.0])
    plot = show(MapPlot, search)
    before, linear = seen(plot), plot._bar.value
    plot.log_scale = True
    assert seen(plot)[1] < before[1]
    assert plot._bar.value != linear


def test_ticks_of_the_ramp_differ_where_values_lie_close_together(show, search):
    search.add_trials([1000.1, 1000.5, 1000.9])
    labels = re.findall(r"<span[^>]*>([^<]+)</span>", show(MapPlot, search)._bar.value)
    assert len(set(labels)) == len(labels) >= 3


def test_a_filter_leaves_trials_out_and_stretches_the_ramp(show, search, refresh):
    search.add_trials([0.1, 0.2, 0.9])
    plot = show(MapPlot, search)
    plot.filter = {"top_k": 2}
    refresh(plot)
    assert seen(plot) == {0: BEST, 1: 0}


def test_the_point_that_may_be_tried_is_marked_where_both_parameters_are_known(show, search):
    plot = show(MapPlot, search, x="lr", y="activation", point={"lr": 0.01, "activation": "tanh"})
    (figure,) = plot.figures

    def marked():
        return figure._offered.x.tolist(), figure._offered.y.tolist()

    assert marked() == ([0.01], [1.0])
    assert figure._offered in figure.figure.marks
    assert "to be tried" in plot._key.value
    plot.point = {"lr": 0.02, "activation": "relu"}
    assert marked() == ([0.02], [0.0])
    plot.y = "layers"
    assert plot.figures[0]._offered is None
    plot.point = {"lr": 0.02, "layers": 3}
    plot.point = {}
    assert plot.figures[0]._offered.x.tolist() == []
    assert "to be tried" not in plot._key.value


def test_a_click_selects(show, search):
    search.add_trials([0.5, 0.4])
    plot = show(MapPlot, search)
    plot._on_click({"name": "1 · 0.4"}, plot.figures[0])
    assert plot.selected == [1]


def test_one_more_trial_touches_what_is_new_only(show, search, refresh, wire):
    search.command("start")
    search.add_trials((0.5 + 0.5 * np.random.default_rng(0).random(3000)).tolist())
    plot = show(MapPlot, search, x="lr", y="dropout", clock=lambda: 0.0)
    refresh(plot)
    wire.clear()
    search.add_trial(0.9)
    refresh(plot)
    assert wire.num_bytes() < 8_000


def test_another_pair_closes_what_the_one_before_was_drawn_with(show, search, wire):
    search.add_trials([0.5, 0.4])
    plot = show(MapPlot, search)
    before = wire.num_open()
    plot.x = "layers"
    plot.x = "activation"
    assert wire.num_open() <= before + 2


def test_the_objective_that_is_chosen_gives_the_colours(show, refresh):
    search = ScriptedSearch(titles=["a", "b"], series=["x", "y"], signs=["min", "max"])
    for values in ([0.0, 0.0], [0.5, 5.0], [1.0, 10.0]):
        search.add_trial(values)
    plot = show(MapPlot, search, x="lr", y="dropout")
    assert seen(plot) == {0: BEST, 1: 4, 2: 0}
    plot.objective = 1
    assert seen(plot) == {0: 0, 1: 4, 2: BEST}
    assert plot._name.value == "b / y"
    search.add_trial([2.0, 20.0])
    refresh(plot)
    assert seen(plot)[3] == BEST
    plot.filter = {"states": ["failed"]}
    refresh(plot)
    plot.objective = 0
    assert seen(plot) == {}


def test_parameters_whose_names_begin_alike_can_be_told_apart_and_have_all_of_their_names_as_tooltips(show):
    names = [f"encoder_transformer_block_{end}" for end in ("first_learning_rate", "second_learning_rate", "dropout")]
    search = ScriptedSearch([UniformParameterRange(name, 0, 1) for name in names])
    search.add_trials([0.5, 0.25])
    plot = show(MapPlot, search, x=names[0], y=names[1])
    chooser = plot._choosers["x"]
    assert [label for label, _name in chooser.options] == [
        "encoder_t…first_learning_ra…", "encoder_t…second_learning_r…", "encoder_trans…_block_dropout",
    ]  # fmt: skip
    assert chooser.tooltip == names[0]
    plot.x = names[2]
    assert chooser.tooltip == names[2]
    labels = [axis.label for axis in plot._figure.figure.axes if axis.label]
    assert labels == [names[2], names[1]]


def test_a_choice_that_was_added_has_a_place(show, search, refresh):
    search.add_trials([0.5, 0.25, 0.75])
    plot = show(MapPlot, search, x="activation", y="lr")
    search.command("add_choices", "activation", ["gelu"])
    search.add_trial(0.1, {"lr": 0.01, "dropout": 0.1, "layers": 1, "activation": "gelu"})
    refresh(plot)
    [figure] = plot.figures
    assert figure.across.choices == ("relu", "tanh", "logistic", "gelu")
    assert set(seen(plot)) == {0, 1, 2, 3}
    assert plot._host.children == (figure.figure,)
