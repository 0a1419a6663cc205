"""The distribution of values: shares by space epoch, a bounded number of points, an axis that holds them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import DistributionPlot
from hpo_widgets.widget.plots.distribution import MOST_EPOCHS, MOST_POINTS, distributions


@pytest.fixture
def search():
    """A search for two objectives of the same name."""
    return ScriptedSearch(jobs=100)


def found(search):
    return distributions(search.snapshot(), 0)


def test_the_share_of_a_value_is_that_of_the_trials_up_to_it(search):
    search.add_trials([0.4, 0.1, 0.3, 0.2])
    (one,) = found(search)
    assert one.num_trials == 4
    assert one.values.tolist() == [0.1, 0.2, 0.3, 0.4]
    assert one.shares.tolist() == [0.25, 0.5, 0.75, 1.0]


def test_only_completed_trials_with_a_finite_value_count(search):
    search.add_trials([0.5, math.nan, math.inf])
    search.add_trial(0.1, state=TrialState.PRUNED)
    search.add_trial(0.1, state=TrialState.FAILED)
    (one,) = found(search)
    assert one.values.tolist() == [0.5]
    assert found(ScriptedSearch(jobs=1)) == []


def test_each_space_epoch_has_a_line_of_its_own(search):
    search.add_trials([0.5, 0.4])
    search.set_ranges({"lr": (0.001, 0.01)})
    search.add_trials([0.2])
    assert [(one.epoch, one.num_trials) for one in found(search)] == [(0, 2), (1, 1)]


def test_of_many_epochs_the_newest_are_drawn(search):
    for number in range(MOST_EPOCHS + 3):
        search.set_ranges({"lr": (0.001, 0.01 + number / 1000)})
        search.add_trial(0.5)
    assert len(found(search)) == MOST_EPOCHS
    assert found(search)[-1].epoch == len(search.epochs) - 1


def test_a_line_has_a_limited_number_of_points_and_both_ends(search):
    search.add_trials(np.random.default_rng(0).random(5000).tolist())
    (one,) = found(search)
    assert len(one.values) == MOST_POINTS
    assert one.shares[-1] == 1.0
    assert np.all(np.diff(one.values) >= 0)


def drawn(plot):
    return [line for line in plot._lines if len(line.x)]


def test_the_present_epoch_stands_out_and_all_are_named(show, search, refresh):
    search.add_trials([0.5, 0.4])
    plot = show(DistributionPlot, search)
    assert len(drawn(plot)) == 1
    search.set_ranges({"lr": (0.001, 0.01)})
    search.add_trials([0.2])
    refresh(plot)
    before, now = drawn(plot)
    assert before.opacities[0] < now.opacities[0] == 1.0
    assert before.colors != now.colors
    assert "space 1: 2 completed" in plot._key.value
    assert "space 2: 1 completed" in plot._key.value


def test_a_line_rises_from_0_so_that_one_trial_is_a_line_too(show, search, refresh):
    search.add_trials([0.5, 0.4])
    search.set_ranges({"lr": (0.001, 0.01)})
    search.add_trials([0.2])
    two, one = drawn(show(DistributionPlot, search))
    assert (two.x.tolist(), two.y.tolist()) == ([0.4, 0.4, 0.5], [0.0, 0.5, 1.0])
    assert (one.x.tolist(), one.y.tolist()) == ([0.2, 0.2], [0.0, 1.0])


def test_the_axis_leaves_a_version_of_the_space_that_is_drawn_no_more(show, search, refresh):
    search.add_trials([1_000.0, 10_000.0])
    plot = show(DistributionPlot, search)
    for number in range(MOST_EPOCHS):
        assert plot._x.domain.high >= 10_000
        search.set_ranges({"lr": (0.001, 0.01 + number / 1000)})
        search.add_trials([1.0, 1.2])
        refresh(plot)
    assert plot._x.domain.high < 10


def test_a_few_values_far_beyond_the_others_leave_the_axis_to_those(show, search, refresh):
    search.add_trials([1e9, 0.3, 0.31])
    plot = show(DistributionPlot, search)
    assert plot._x.domain.high > 1e9
    search.add_trials(np.linspace(0.3, 0.34, 17).tolist())
    refresh(plot)
    assert plot._x.domain.high < 1
    assert drawn(plot)[0].x.max() == 1e9  # the line goes on
    search.add_trial(1e8)
    refresh(plot)
    assert plot._x.domain.high < 1


def test_the_plot_is_named_in_the_words_of_its_key(show, search):
    assert show(DistributionPlot, search).figure.title.endswith("one line per version of the space")


@pytest.mark.parametrize(
    "values", [[], [0.5], [0.5] * 30, [1e-300, 1e300], [-1e300, 1e300], [5e-324, 1.7e308], [0.0, 1.0]], ids=str
)
def test_odd_values_have_an_axis_that_holds_them(show, search, refresh, values):
    search.add_trials(values)
    plot = show(DistributionPlot, search)
    assert math.isfinite(plot._x.scale.min)
    assert plot._x.scale.min < plot._x.scale.max
    for line in drawn(plot):
        assert np.all((line.x >= plot._x.scale.min) & (line.x <= plot._x.scale.max))


def test_the_axis_becomes_logarithmic_where_that_shows_more_and_linear_again(show, search, refresh):
    search.add_trials([10.0**-number for number in range(12)])
    plot = show(DistributionPlot, search)
    assert plot._x.domain.is_log
    assert plot._x.axis.label.endswith("(log)")
    search.add_trial(-1.0)
    refresh(plot)
    assert not plot._x.domain.is_log
    assert plot.figure.axes[0].scale is plot._x.scale
    assert all(line.scales["x"] is plot._x.scale for line in plot._lines)


def test_a_filter_that_leaves_few_trials_has_the_axis_look_closely(show, search, refresh):
    search.add_trials([*np.linspace(1_000, 10_000, 10), *np.linspace(1.0, 1.2, 10)])
    plot = show(DistributionPlot, search)
    assert plot._x.domain.high > 10_000
    plot.filter = {"top_k": 3}
    refresh(plot)
    assert plot._x.domain.high < 10
    plot.filter = None
    refresh(plot)
    assert plot._x.domain.high > 10_000


def test_a_drawing_that_took_long_is_followed_by_a_pause_but_for_the_end_and_a_filter(
    show, search, refresh, monkeypatch
):
    now = [0.0]

    def slow(*given):
        now[0] += 0.05
        return distributions(*given)

    monkeypatch.setattr("hpo_widgets.widget.plots.distribution.distributions", slow)
    search.command("start")
    search.add_trials([0.5, 0.4])
    plot = show(DistributionPlot, search, clock=lambda: now[0])

    def num_drawn():
        refresh(plot)
        return len(plot._lines[0].x) - 1  # which begins at 0

    search.add_trial(0.3)
    assert num_drawn() == 2
    now[0] += 0.6
    assert num_drawn() == 3
    search.add_trial(0.2)
    plot.filter = {"states": ["completed"]}
    assert num_drawn() == 4
    search.add_trial(0.1)
    search.command("stop")
    assert num_drawn() == 5
