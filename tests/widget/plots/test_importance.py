"""Importance: what is computed for planted and for odd trials, when, and where a click leads."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hpo_widgets.parameters import DiscreteParameterRange, LogUniformParameterRange, ParameterSet, UniformParameterRange
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import ImportancePlot, OptimizerWidget
from hpo_widgets.widget.plots import importance
from hpo_widgets.widget.plots.importance import LEAST_TRIALS, MOST_BARS, MOST_TRIALS, importances
from hpo_widgets.widget.plots.parameter_choice import MOST_PARAMETERS

SPACE = [
    UniformParameterRange("a", 0, 1),
    LogUniformParameterRange("lr", -5, -1),
    DiscreteParameterRange("kind", ["x", "y", "z"]),
]


def planted(value_of, num_trials=200, *, sign="min", space=SPACE):
    """A search with random trials, whose values a function of the point gives."""
    search = ScriptedSearch(space, signs=sign)
    rng = np.random.default_rng(0)
    for _ in range(num_trials):
        point = {
            "a": float(rng.random()), "lr": float(10 ** rng.uniform(-5, -1)), "kind": "xyz"[int(rng.integers(3))],
        }  # fmt: skip
        search.add_trial(value_of(point), point)
    return search


def found(search, *, minimise=True):
    return importances(search.snapshot(), search.space, 0, minimise=minimise)


@pytest.mark.parametrize(
    ("name", "value_of"),
    [
        ("a", lambda point: point["a"]),
        ("lr", lambda point: (math.log10(point["lr"]) + 3) ** 2),
        ("kind", lambda point: "zyx".index(point["kind"])),
    ],
)
def test_the_parameter_that_the_value_depends_on_is_the_most_important(name, value_of):
    shares = found(planted(value_of)).shares
    assert next(iter(shares)) == name
    assert shares[name] > 0.6
    assert sum(shares.values()) == pytest.approx(1)


def test_the_best_are_the_largest_where_large_is_good():
    search = planted(lambda point: min(point["a"], 0.5), sign="max")
    # All values above one half are equally good, so that the best tenth is not where the worst tenth is.
    assert found(search, minimise=False).shares != found(search).shares


def test_below_ten_completed_trials_there_is_none():
    search = planted(lambda point: point["a"], LEAST_TRIALS - 1)
    for state in (TrialState.FAILED, TrialState.PRUNED, TrialState.RUNNING):
        search.add_trial(0.5, state=state)
    search.add_trial(math.nan)
    assert found(search) is None
    search.add_trial(0.5)
    assert found(search).num_trials == LEAST_TRIALS


def test_parameters_that_are_not_in_every_trial_or_never_change_have_no_share():
    space = [
        ParameterSet([
            {"net": "small", "a": UniformParameterRange("a", 0, 1)},
            {"net": "large", "b": UniformParameterRange("b", 0, 1)},
        ]),
        UniformParameterRange("c", 0, 1),
        UniformParameterRange("fixed", 0, 1),
    ]  # fmt: skip
    search = ScriptedSearch(space)
    rng = np.random.default_rng(0)
    for number in range(40):
        inner = {"net": "small", "a": 0.5} if number % 2 else {"net": "large", "b": 0.5}
        c = float(rng.random())
        search.add_trial(c, {**inner, "c": c, "fixed": 0.25})
    said = found(search)
    assert set(said.shares) == {"net", "c"}
    assert set(said.without_share) == {"a", "b", "fixed"}


def test_a_parameter_that_not_every_trial_has_has_a_share_among_those_that_have_it(show):
    search = ScriptedSearch([
        ParameterSet([{"net": "small", "rate": UniformParameterRange("rate", 0, 1)}, {"net": "large"}]),
        UniformParameterRange("c", 0, 1),
    ])  # fmt: skip
    rng = np.random.default_rng(0)
    for number in range(120):
        c, rate = rng.random(2).tolist()
        point = {"net": "small", "rate": rate} if number % 3 else {"net": "large"}
        search.add_trial(point.get("rate", 0.5), {**point, "c": c})
    said = found(search)
    share, num_trials = said.conditional["rate"]
    assert (num_trials, said.without_share) == (80, ())
    assert share > 0.5
    assert "rate" not in said.shares
    plot = show(ImportancePlot, ended(search))
    assert f"Where it applies: rate {share:.0%} in 80 trials." in plot._said.value
    assert ("rate", f"{share:.1%} among the 80 trials that have it") in plot.numbers().rows


@pytest.mark.parametrize("values", [[0.5] * 20, [1e300, -1e300] * 10, [1e-300] * 20], ids=["equal", "huge", "tiny"])
def test_odd_values_give_finite_shares(values):
    remaining = iter(values)
    shares = found(planted(lambda _: next(remaining), len(values))).shares
    assert all(0 <= share <= 1 for share in shares.values())
    if len(set(values)) == 1:
        assert not any(shares.values())


def test_a_long_search_is_looked_at_in_part():
    assert found(planted(lambda point: point["a"], MOST_TRIALS + 500)).num_trials == MOST_TRIALS


def ended(search):
    search.command("start")
    search.command("stop")
    return search


def bars(plot):
    return dict(zip(plot._bars.x, plot._bars.y, strict=True))


def test_the_bars_of_an_ended_search_are_there_at_once(show):
    search = planted(lambda point: point["a"])
    ended(search)
    plot = show(ImportancePlot, search)
    assert list(bars(plot))[-1] == "a"
    assert "200 trials" in plot._said.value


@pytest.mark.parametrize(("num_finite", "said"), [(7, "3 are missing"), (9, "1 is missing"), (0, "10 are missing")])
def test_trials_without_a_finite_value_are_still_missing(show, num_finite, said):
    search = planted(lambda point: point["a"], num_finite)
    search.add_trials([math.nan, None, math.inf, *[math.nan] * 12])
    ended(search)
    plot = show(ImportancePlot, search)
    assert f"; {said}." in plot._said.value
    assert bars(plot) == {}


@pytest.mark.parametrize(
    ("chosen", "change"),
    [
        ({"tags": ("good",)}, lambda search: search.command("set_tags", 20, ["good"])),
        ({"inside": True}, lambda search: search.set_ranges({"a": (0.0, 0.5)})),
        (None, lambda search: search.command("leave_out", list(range(30)))),
        (None, lambda search: (search.command("take_back", 40), search.command("leave_out", 0))),
    ],
    ids=["a tag", "other ranges", "left out", "others left out"],
)
def test_what_passes_the_filter_may_change_though_no_trial_ends(show, refresh, chosen, change):
    search = ended(planted(lambda point: point["a"], 60))
    for number in range(20):
        search.command("set_tags", number, ["good"])
    search.command("leave_out", 40)
    plot = show(ImportancePlot, search, filter=chosen)
    change(search)
    refresh(plot)
    assert plot._said.value == show(ImportancePlot, search, filter=chosen)._said.value


def test_while_a_search_runs_it_is_computed_on_a_thread_and_not_again_at_once(show, refresh):
    search = planted(lambda point: point["a"], 20)
    search.command("start")
    now = [0.0]
    plot = show(ImportancePlot, search, clock=lambda: now[0])
    plot._answer.result(60)
    refresh(plot)
    assert "of 20 trials" in plot._said.value
    search.add_trial(0.5)
    refresh(plot)
    assert plot._answer is None
    now[0] = 100.0
    refresh(plot)
    plot._answer.result(60)
    refresh(plot)
    assert "of 21 trials" in plot._said.value


@pytest.mark.usefixtures("refresh")
def test_what_is_kept_of_a_running_search_is_computed_at_once(show):
    search = planted(lambda point: point["a"], 30)
    search.command("start")
    plot = show(ImportancePlot, search)
    for _ in range(2):  # the second one comes before the pause is over
        search.add_trial(0.5, {"a": 0.5, "lr": 1e-3, "kind": "x"})
        plot._refresher.refresh(is_kept=True)
        assert plot._answer is None
        assert f"of {len(search.snapshot())} trials" in plot._said.value


def test_a_click_on_a_bar_shows_the_slice_of_that_parameter_first(show):
    search = planted(lambda point: point["a"])
    ended(search)
    panel = show(OptimizerWidget, search)
    plot = panel.plots["Importance"]
    panel._plots.show("Importance")
    plot._on_click({"x": "kind"})
    assert panel._plots.titles[panel._plots.selected_index] == "Slices"
    assert panel.plots["Slices"].parameters == ("kind", "a", "lr")
    for nonsense in ({"x": "nobody"}, {}, None, "kind"):
        panel._plots.show("History")
        plot._on_click(nonsense)
        assert panel._plots.titles[panel._plots.selected_index] == "History"


def test_a_click_on_a_bar_takes_no_slice_away_where_all_are_shown(show):
    names = [f"p{index}" for index in range(MOST_PARAMETERS)]
    search = ScriptedSearch([UniformParameterRange(name, 0, 1) for name in names])
    rng = np.random.default_rng(0)
    for _ in range(20):
        search.add_trial(float(rng.random()), {name: float(rng.random()) for name in names})
    ended(search)
    panel = show(OptimizerWidget, search, plots=["Importance", "Slices"])
    panel.plots["Importance"]._on_click({"x": "p5"})
    assert panel.plots["Slices"].parameters == ("p5", *(name for name in names if name != "p5"))


def test_names_that_are_long_and_alike_stay_apart(show):
    names = ["model/" + "x" * 60 + end for end in "ab"]
    search = ScriptedSearch([UniformParameterRange(name, 0, 1) for name in names])
    rng = np.random.default_rng(0)
    for _ in range(20):
        point = {name: float(rng.random()) for name in names}
        search.add_trial(point[names[0]], point)
    ended(search)
    plot = show(ImportancePlot, search)
    assert sorted(bars(plot)) == [f"{'x' * 13}…{'x' * 13}a", f"{'x' * 13}…{'x' * 13}b"]


def test_names_that_cannot_be_told_apart_by_their_ends_have_their_places():
    labels = {name: f"{name}{'x' * 60}" for name in ("ab", "ac", "b")}
    labels["ad"] = f"ac{'x' * 60}y"
    names = importance._short_names(labels)
    assert sorted(names.values()) == sorted(labels)
    assert max(map(len, names)) <= 32


def test_the_bars_have_the_width_that_short_names_leave(show):
    def room_beside(space):
        search = ScriptedSearch(space)
        rng = np.random.default_rng(0)
        for _ in range(30):
            point = {parameter.name: float(rng.random()) for parameter in space}
            search.add_trial(sum(point.values()), point)
        search.command("stop")
        return show(ImportancePlot, search).figure.fig_margin["left"]

    short, longer, longest = (
        room_beside([UniformParameterRange("a", 0, 1), UniformParameterRange(name, 0, 1)])
        for name in ("b", "weight_decay", "w" * 200)
    )
    assert 24 < short < longer < longest == 190


@pytest.mark.parametrize(("num_bars", "padding"), [(2, 0.8), (5, 0.5), (10, 0.3)])
def test_few_bars_are_no_thicker_than_a_tenth_of_the_plot(show, num_bars, padding):
    search = ScriptedSearch([UniformParameterRange(f"p{place}", 0, 1) for place in range(num_bars)])
    search.add_trials([number / 10 for number in range(12)])
    assert show(ImportancePlot, ended(search))._bars.padding == pytest.approx(padding)


def test_parameters_that_have_no_bar_are_counted(show):
    search = ScriptedSearch([UniformParameterRange(f"p{place}", 0, 1) for place in range(MOST_BARS + 6)])
    search.add_trials([number / 10 for number in range(12)])
    ended(search)
    plot = show(ImportancePlot, search)
    assert len(plot._bars.x) == MOST_BARS
    assert "6 more, which explain less, are among the numbers." in plot._said.value
    assert plot.numbers().total == MOST_BARS + 6
