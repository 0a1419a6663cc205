"""The ends of the axes hold every value, above the lane of failed trials, and grow in steps."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo_widgets.parameters import (
    DiscreteParameterRange,
    LogUniformParameterRange,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from hpo_widgets.widget.plots.axes import (
    LANE,
    Domain,
    FittedAxis,
    ParameterAxis,
    clip,
    clip_objective,
    first_domain,
    num_trials_shown,
    wants_log,
)

ANY = st.floats(min_value=-1e300, max_value=1e300)
POSITIVE = st.floats(min_value=5e-324, max_value=1.7e308)


def holds(domain, values):
    places = domain.place(np.array(values))
    return bool(np.all(places >= LANE - 1e-6) and np.all(places <= 1 + 1e-6))


@pytest.mark.parametrize(("values", "is_log"), [(ANY, False), (POSITIVE, True)], ids=["even", "logarithmic"])
@given(data=st.data())
def test_an_axis_holds_all_values_above_the_lane(values, is_log, data):
    first, later = data.draw(st.lists(values, min_size=1, max_size=20)), data.draw(st.lists(values, max_size=20))
    drawn, more = clip_objective(np.array(first)), clip_objective(np.array(later))
    domain = first_domain(drawn, is_log=is_log)
    for value in more:
        domain = domain.grown(np.array([value]))
    assert (0 if is_log else -math.inf) < domain.low < domain.high
    assert holds(domain, [*drawn, *more])


def test_values_inside_change_nothing():
    domain = first_domain(np.array([0.0, 1.0]), is_log=False)
    assert domain.grown(np.array([0.5, 1.0, 0.0])) is domain


def test_a_slow_drift_moves_the_axis_a_few_times_only():
    domain = first_domain(np.array([0.0, 1.0]), is_log=False)
    moved = 0
    for value in np.linspace(1.0, 100.0, 1000):
        grown = domain.grown(np.array([value]))
        moved += grown is not domain
        domain = grown
    assert moved <= 45


@pytest.mark.parametrize("is_log", [False, True])
def test_an_axis_that_has_grown_is_not_empty_where_nothing_is(is_log):
    domain = first_domain(np.array([1e-3, 1.0]), is_log=is_log)
    for value in (1.5, 5e-4):
        domain = domain.grown(np.array([value]))
        places = domain.place(np.array([5e-4, 1e-3, 1.0, 1.5]))
        assert places.max() > 0.85
        assert places[places > LANE].min() < LANE + 0.15


def test_a_logarithmic_axis_grows_by_less_than_half_a_decade_beyond_its_values():
    domain = first_domain(np.array([1e-5, 1.0]), is_log=True)
    assert domain.grown(np.array([3.0])).high <= 3.0 * 10**0.5


def test_equal_values_are_put_in_the_middle():
    domain = first_domain(np.array([3.0, 3.0]), is_log=False)
    assert 0.3 < domain.place(np.array([3.0]))[0] < 0.8


def test_no_values_give_an_axis_from_0_to_1():
    assert first_domain(np.empty(0), is_log=False).high == 1.0
    assert holds(first_domain(np.empty(0), is_log=False), [0.0, 1.0])


@given(st.floats(min_value=0.0, max_value=1.0))
def test_at_is_the_inverse_of_place(share):
    domain = Domain(1e-3, 10.0, is_log=True)
    assert domain.place(np.array([domain.at(share)]))[0] == pytest.approx(share, abs=1e-9)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0] * 20, False),
        ([0.001, 1.0], False),
        ([0.001] + [1.0] * 10, True),
        ([0.0] + [1.0] * 10, False),
        ([-1.0] + [1.0] * 10, False),
        # One outlier at the bad end alone is no reason.
        ([1.0] * 20 + [1e6], False),
    ],
)
def test_when_a_logarithmic_axis_shows_more(values, expected):
    assert wants_log(np.array(values)) is expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        # Accuracies, and what a logarithm would draw close together of them.
        ([0.03, *[0.1] * 9, *[0.9] * 10, 0.97], False),
        ([0.001] + [1.0] * 10, False),
        ([10.0 ** (number % 5) for number in range(12)], True),
    ],
)
def test_where_high_is_good_the_better_half_decides_whether_it_shows_more(values, expected):
    assert wants_log(np.array(values), minimise=False) is expected


def test_values_that_no_axis_holds_are_drawn_at_its_end():
    assert np.all(np.isfinite(clip(np.array([-1.7e308, 1.7e308, math.inf, -math.inf]))))


def test_values_that_no_logarithmic_axis_has_above_the_lane_are_drawn_at_its_floor():
    drawn = clip_objective(np.array([5e-324, 1e-250, 1.0, 0.0, -5e-324, math.inf]))
    assert drawn.tolist() == [1e-250, 1e-250, 1.0, 0.0, -5e-324, 1e300]


@pytest.mark.parametrize(
    ("num_trials", "most", "end"),
    [
        (0, None, 20),
        (20, None, 20),
        (21, None, 30),
        (0, 8, 8),
        (100, 120, 100),
        (101, 120, 120),
        (300, 200, 300),
        (0, 0, 1),
    ],
)
def test_the_axis_of_trials_grows_in_steps_and_ends_with_the_budget(num_trials, most, end):
    assert num_trials_shown(num_trials, most) == end


def test_choices_that_begin_alike_are_told_apart():
    axis = ParameterAxis(DiscreteParameterRange("kind", [f"a long category {number}" for number in range(30)]))
    labels = [*axis.ticks(4, letters=24)["tick_labels"].values()]
    assert labels[:2] == ["…0", "…4"]
    assert len(set(labels)) == len(labels)
    assert axis.words(np.array([0.2, 28.9]), 8) == ["…0", "…29"]


@pytest.mark.parametrize(
    "parameter",
    [UniformParameterRange("width", 0.0, 1e300), UniformIntegerParameterRange("seed", -(2**53), 2**53)],
    ids=str,
)
def test_long_numbers_side_by_side_are_fewer(parameter):
    shown = [f"{tick:g}" for tick in ParameterAxis(parameter).ticks(4, letters=20)["tick_values"]]
    assert len(shown) >= 2
    assert len(" ".join(shown)) <= 20


def test_long_choices_side_by_side_are_fewer_and_can_be_read():
    axis = ParameterAxis(DiscreteParameterRange("kind", [f"{number:03d} of a long name" for number in range(200)]))
    shown = [*axis.ticks(4, letters=30)["tick_labels"].values()]
    assert shown == ["000 o…", "040 o…", "080 o…", "120 o…", "160 o…"]


STEPPED = [
    (UniformIntegerParameterRange("n", 16, 256, step_size=16), (20.3, 100.2), (32, 96)),
    (UniformIntegerParameterRange("n", 16, 256, step_size=16), (31.6, 40.0), (32, 32)),
    (UniformIntegerParameterRange("n", 16, 256, step_size=16), (33.0, 40.0), None),
    (UniformIntegerParameterRange("n", 10, 50, step_size=15), (0.0, 60.0), (10, 50)),
    (UniformIntegerParameterRange("n", 16, 256, step_size=16).with_range((64, 128)), (20.3, 300.0), (32, 256)),
    (UniformParameterRange("n", 0.0, 1.0, step_size=0.1), (0.26, 0.77), (0.3, 0.7)),
    (LogUniformParameterRange("n", -4, -1, step_size=1), (2e-4, 0.05), (1e-3, 1e-2)),
]


@pytest.mark.parametrize(("parameter", "stretch", "expected"), STEPPED, ids=str)
def test_a_stretch_of_steps_begins_and_ends_with_one(parameter, stretch, expected):
    assert ParameterAxis(parameter).box(stretch) == ({} if expected is None else {"n": expected})


BULK = [*np.linspace(0.30, 0.34, 19)]
LONG_TAIL = [0.03 + 0.4 / (1 + number) for number in range(37)]


@pytest.mark.parametrize(
    ("values", "minimise", "held"),
    [
        ([*BULK, 1e9], True, BULK),
        ([*BULK, -1e9], False, BULK),
        ([*BULK, 1e-9, 1e300], True, [*BULK, 1e-9]),
        ([*BULK[:8], 1e9], True, [*BULK[:8], 1e9]),
        ([*BULK, 0.4], True, [*BULK, 0.4]),
        (LONG_TAIL, True, LONG_TAIL),
        ([*BULK, -1e9], True, [*BULK, -1e9]),
        ([0.3] * 19 + [1e9], True, [0.3, 1e9]),
    ],
    ids=[
        "bad",
        "bad where high is good",
        "logarithmic",
        "few values",
        "not far",
        "a long tail",
        "the best one",
        "all others equal",
    ],
)
def test_a_few_bad_values_do_not_leave_the_others_one_line(values, minimise, held):
    axis = FittedAxis(minimise=minimise)
    axis.fit(np.array(values))
    assert holds(axis.domain, held)
    assert axis.domain.is_beyond(np.array(values)).sum() == len(set(values) - set(held))
    if len(held) < len(set(values)) and max(held) < 2 * min(held):
        places = axis.domain.place(np.array(held))
        assert places.max() - places.min() > 0.2


def test_a_bad_value_that_comes_later_does_not_move_the_axis_and_many_such_do():
    axis, values = FittedAxis(), [*BULK]

    def take(*more):
        values.extend(more)
        axis.extend(np.array(more), lambda: np.array(values))

    axis.fit(np.array(values))
    take(1e9)
    assert axis.domain.high < 0.5
    for number in range(40):
        take(0.4 + number / 40)
    assert holds(axis.domain, values[20:])


@pytest.mark.parametrize("log_scale", [False, True])
def test_an_axis_of_a_given_kind_holds_all_values(log_scale):
    axis = FittedAxis(log_scale)
    axis.fit(np.array([*BULK, 1e9]))
    assert holds(axis.domain, [*BULK, 1e9])
