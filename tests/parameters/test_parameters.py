"""Parameters: what they draw, list and refuse."""

from __future__ import annotations

import collections
import itertools
import math
import pickle
import random
import re
import warnings

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hpo_widgets.parameters import (
    DiscreteParameterRange,
    LogUniformParameterRange,
    Parameter,
    ParameterSet,
    UniformIntegerParameterRange,
    UniformParameterRange,
    as_parameter,
    as_parameters,
)
from tests.space_examples import leaves, log_uniform, parameter_sets, uniform, unit_numbers

EDGES = [0.0, 0.5, math.nextafter(1.0, 0.0)]


def drawn(parameter, u):
    return parameter.from_unit(np.array(u, dtype=float))


# -------------------------------------------------------------------- what all leaves have in common


@given(leaves(), unit_numbers)
def test_every_value_drawn_is_inside_the_range_and_contained(leaf, u):
    for value in drawn(leaf, [*u, *EDGES]):
        assert leaf.contains(value)
        if leaf.kind != "choice":
            assert leaf.range[0] <= value <= leaf.range[1]


@given(leaves(), unit_numbers)
def test_every_value_is_a_python_value(leaf, u):
    for value in drawn(leaf, u):
        if leaf.kind == "choice":
            assert any(value is choice or value == choice for choice in leaf.declared)
        else:
            assert type(value) is (int if leaf.kind == "int" else float)


@given(leaves())
def test_the_dict_form_makes_an_equal_parameter(leaf):
    again = Parameter.from_dict(leaf.to_dict())
    assert again == leaf
    assert hash(again) == hash(leaf)
    assert again.to_dict() == leaf.to_dict()
    assert pickle.loads(pickle.dumps(leaf)) == leaf


@given(leaves())
def test_every_listed_value_is_contained_once(leaf):
    listed = leaf.to_list()
    shown = [listed[index]["x"] for index in range(min(200, listed.size))]
    assert all(leaf.contains(value) for value in shown)
    if leaf.kind != "choice":
        assert all(low < high for low, high in itertools.pairwise(shown))
        assert listed[0]["x"] == leaf.range[0]


@given(leaves(), st.data())
def test_index_and_value_of_a_stepped_range_belong_together(leaf, data):
    if leaf.num_values is None:
        assert leaf.index_of(leaf.range[0]) is None
        return
    index = data.draw(st.integers(0, leaf.num_values - 1))
    assert leaf.index_of(leaf.value_at(index)) == index
    assert leaf.to_list()[index] == {"x": leaf.value_at(index)}
    for outside in (-1, leaf.num_values):
        with pytest.raises(IndexError, match="no value with index"):
            leaf.value_at(outside)


@given(leaves(), st.integers(0, 2**32))
def test_get_value_repeats_with_an_equal_source(leaf, seed):
    first, second = (leaf.get_value(np.random.default_rng(seed)) for _ in range(2))
    assert first == second
    assert leaf.contains(leaf.get_value(random.Random(seed))["x"])
    assert leaf.contains(leaf.get_value()["x"])


@given(uniform() | log_uniform())
@example(LogUniformParameterRange("x", 0, 1, base=2, step_size=0.5000000000002274))
@example(UniformParameterRange("x", 0, 1, step_size=0.5000000000002274))
def test_a_stepped_range_hits_its_maximum_and_nothing_above(leaf):
    if leaf.step is None:
        return
    last = leaf.value_at(leaf.num_values - 1)
    assert drawn(leaf, [math.nextafter(1.0, 0.0)]) == [last]
    assert last == leaf.range[1]


@given(leaves(), st.data())
def test_a_narrower_range_gives_a_subset_of_the_same_steps(leaf, data):
    if leaf.num_values is None or leaf.num_values < 2 or leaf.num_values > 500:
        return
    first, last = sorted(data.draw(st.tuples(*[st.integers(0, leaf.num_values - 1)] * 2)))
    values = [leaf.value_at(index) for index in range(leaf.num_values)]
    part = values[first : last + 1]
    narrow = leaf.with_range(part if leaf.kind == "choice" else (part[0], part[-1]))
    assert [narrow.value_at(index) for index in range(narrow.num_values)] == part
    assert narrow.declared == leaf.declared
    assert Parameter.from_dict(narrow.to_dict()) == narrow
    assert narrow.with_range(leaf.range) == leaf


def test_draws_are_quantiles_so_that_they_rise_with_the_unit_number():
    u = np.linspace(0, 1, 50, endpoint=False)
    for leaf in (
        UniformParameterRange("x", -1, 3),
        UniformParameterRange("x", 0, 1, 0.1),
        LogUniformParameterRange("x", -4, -1),
        UniformIntegerParameterRange("x", 0, 30),
    ):
        values = leaf.from_unit(u)
        assert values == sorted(values)
        assert values[0] == leaf.range[0]


# -------------------------------------------------------------------- floats


def test_stepped_floats_are_the_numbers_that_people_write():
    values = [item["x"] for item in UniformParameterRange("x", 0, 1, 0.1).to_list()]
    assert values == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    many = UniformParameterRange("x", 0, 1, 0.0001)
    assert drawn(many, [0.3]) == [0.3]
    assert many.num_values == 10_001


def test_the_maximum_is_a_value_even_off_the_steps():
    leaf = UniformParameterRange("lr", 0.01, 0.3, step_size=0.05)
    values = [item["lr"] for item in leaf.to_list()]
    assert values == [0.01, 0.06, 0.11, 0.16, 0.21, 0.26, 0.3]
    assert set(drawn(leaf, np.linspace(0, 1, 100, endpoint=False))) == set(values)
    assert [item["lr"] for item in leaf.with_range((0.05, 0.2)).to_list()] == [0.06, 0.11, 0.16]


def test_a_large_stepped_range_hits_its_maximum_off_the_steps_too():
    leaf = UniformParameterRange("x", 0, 1.00005, 0.0001)
    assert leaf.num_values == 10_002
    assert drawn(leaf, [math.nextafter(1.0, 0.0)]) == [1.00005]


def test_include_max_value_false_leaves_the_maximum_out():
    assert not UniformParameterRange("x", 0, 1, include_max_value=False).contains(1.0)
    assert drawn(UniformParameterRange("x", 0, 1, include_max_value=False), [math.nextafter(1.0, 0.0)])[0] < 1.0
    assert UniformParameterRange("x", 0, 1, 0.25, include_max_value=False).range == (0.0, 0.75)
    assert LogUniformParameterRange("x", -3, 0, step_size=1, include_max_value=False).range == (0.001, 0.1)
    assert UniformIntegerParameterRange("x", 1, 8, include_max_value=False).range == (1, 7)


def test_a_range_changed_by_hand_includes_both_ends():
    leaf = UniformParameterRange("x", 0, 1, include_max_value=False).with_range((0.2, 0.5))
    assert leaf.contains(0.2)
    assert leaf.contains(0.5)


def test_a_range_as_wide_as_floats_go_is_drawn_from():
    leaf = UniformParameterRange("x", -1.7e308, 1.7e308)
    assert all(map(math.isfinite, drawn(leaf, EDGES)))
    assert all(math.isfinite(item["x"]) for item in leaf.to_list())


@pytest.mark.filterwarnings("error")
def test_a_log_range_as_wide_as_floats_go_is_drawn_from():
    wide = LogUniformParameterRange("x", -300, 300)
    assert drawn(wide, [0.0, 0.25, 0.5, 0.75]) == pytest.approx([1e-300, 1e-150, 1.0, 1e150], rel=1e-9)
    assert all(wide.contains(value) for value in drawn(wide, EDGES))


def test_a_continuous_range_is_listed_in_a_hundred_steps():
    listed = UniformParameterRange("x", 0, 1).to_list()
    assert len(listed) == 101
    assert listed[7] == {"x": 0.07}
    assert listed[-1] == {"x": 1.0}
    assert len(UniformParameterRange("x", 0, 1, include_max_value=False).to_list()) == 100


def test_rounding_noise_in_a_bound_means_the_step():
    leaf = UniformParameterRange("x", 0, 1, 0.1).with_range((0.1, 0.1 + 0.2))
    assert leaf.range == (0.1, 0.3)
    assert leaf.num_values == 3


# -------------------------------------------------------------------- logarithms


def test_log_bounds_are_exponents_and_the_range_is_in_values():
    leaf = LogUniformParameterRange("lr", -4, -1)
    assert leaf.range == leaf.declared == (0.0001, 0.1)
    assert leaf.kind == "log"
    assert drawn(leaf, [0.5])[0] == pytest.approx(10**-2.5)
    assert LogUniformParameterRange("lr", 0, 10, base=2).range == (1.0, 1024.0)


def test_log_steps_are_steps_of_the_exponent():
    leaf = LogUniformParameterRange("lr", -5, -1, step_size=1)
    assert [item["lr"] for item in leaf.to_list()] == [0.00001, 0.0001, 0.001, 0.01, 0.1]
    assert [item["lr"] for item in leaf.with_range((2e-5, 0.01)).to_list()] == [0.0001, 0.001, 0.01]


def test_a_log_range_must_stay_above_zero():
    with pytest.raises(ValueError, match="log scale and takes a number above 0, got 0"):
        LogUniformParameterRange("lr", -4, -1).with_range((0, 0.1))
    assert not LogUniformParameterRange("lr", -4, -1).contains(-1.0)


@pytest.mark.parametrize(
    ("base", "given", "meant"),
    [
        (10, (-3, -2), "10**-3 write 0.001"),
        (2, (-2.5, 0.5), "2**-2.5 write 0.176777"),
        (10, np.array([-3, -2]), "10**-3 write 0.001"),
    ],
)
def test_a_range_that_is_given_in_exponents_is_refused_with_the_value(base, given, meant):
    with pytest.raises(ValueError, match="a value is given, not its exponent") as raised:
        LogUniformParameterRange("lr", -4, 1, base=base).with_range(given)
    assert str(raised.value).endswith(meant)


@pytest.mark.parametrize("value", [0, -math.inf, math.nan, -1e6, "-3", True])
def test_no_exponent_is_guessed_where_none_can_be_meant(value):
    with pytest.raises(ValueError, match=r"takes a number above 0, got \S+$"):
        LogUniformParameterRange("lr", -4, -1).normalise(value)


def test_log_bounds_given_as_impossible_exponents_are_refused():
    with pytest.raises(ValueError, match="the bounds of 'lr' are exponents of 10"):
        LogUniformParameterRange("lr", 0, 1000)
    with pytest.raises(ValueError, match="base of 'lr' must be above 1, got 0.5"):
        LogUniformParameterRange("lr", 0, 1, base=0.5)


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        ((0.0001, 0.1), "LogUniformParameterRange('lr', -4, -1)"),
        ((1e-5, 1), "LogUniformParameterRange('lr', -5, 0)"),
        ((0.03125, 0.5, 2), "LogUniformParameterRange('lr', -5, -1, base=2)"),
    ],
)
def test_log_bounds_that_look_like_values_are_warned_of_with_the_call_that_was_meant(arguments, meant):
    with pytest.warns(UserWarning, match=r"the bounds of 'lr' are exponents: the range is 1\..*write ") as caught:
        LogUniformParameterRange("lr", *arguments)
    [warning] = caught
    assert str(warning.message).endswith(meant)
    assert warning.filename == __file__


@pytest.mark.parametrize(
    "arguments",
    [
        (-4, -1), (0, 1), (0.5, 1), (1, 3), (0.05, 2), (0, 10, 2), (-0.5, 0.5), (math.log10(1.1), math.log10(5.5)),
    ],
)  # fmt: skip
def test_exponents_are_warned_of_by_nobody(arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LogUniformParameterRange("lr", *arguments)


@pytest.mark.parametrize(
    ("space", "meant"),
    [
        ({"x": (0, 1)}, "[UniformIntegerParameterRange('x', 0, 1)]"),
        (
            {"x": (0.0, 1.5), "lr": (1e-4, 0.1)},
            "[UniformParameterRange('x', 0.0, 1.5), LogUniformParameterRange('lr', -4, -1)]",
        ),
        (
            {"kind": ["a", "b"], "n": [1, 2]},
            "[DiscreteParameterRange('kind', ['a', 'b']), DiscreteParameterRange('n', [1, 2])]",
        ),
        (
            {"kind": "a", "flag": (True, False)},
            "[DiscreteParameterRange('kind', ['a']), DiscreteParameterRange('flag', [True, False])]",
        ),
        ({"x": UniformParameterRange("x", 0, 1)}, "[UniformParameterRange('x', 0.0, 1.0)]"),
        ({f"x{n}": (0, 1) for n in range(9)}, "UniformIntegerParameterRange('x5', 0, 1), ...]"),
    ],
)
def test_a_dict_as_the_space_is_refused_with_the_list_that_was_meant(space, meant):
    with pytest.raises(TypeError) as raised:
        as_parameters(space)
    assert str(raised.value).startswith("hyper_parameters must be a list of Parameter objects, got a dict; write [")
    assert str(raised.value).endswith(meant)


# -------------------------------------------------------------------- whole numbers


@given(st.integers(-5, 5), st.integers(1, 40), st.integers(1, 9))
def test_every_whole_number_is_equally_likely(low, width, step):
    leaf = UniformIntegerParameterRange("n", low, low + width, step)
    count = leaf.num_values
    u = (np.arange(count * 12) + 0.5) / (count * 12)
    assert set(collections.Counter(leaf.from_unit(u)).values()) == {12}


def test_whole_numbers_keep_their_maximum_off_the_steps():
    assert [item["n"] for item in UniformIntegerParameterRange("n", 1, 10, 4).to_list()] == [1, 5, 9, 10]
    assert [item["n"] for item in UniformIntegerParameterRange("n", 1, 10, 4, False).to_list()] == [1, 5, 9]


def test_whole_numbers_without_a_step_size_count_by_one():
    assert UniformIntegerParameterRange("n", 1, 3, None).step == 1


def test_a_large_range_of_whole_numbers_costs_no_memory():
    leaf = UniformIntegerParameterRange("seed", 0, 2**53)
    assert leaf.num_values == 2**53 + 1
    assert leaf.contains(drawn(leaf, [math.nextafter(1.0, 0.0)])[0])
    assert len(leaf.to_list()) == 2**53 + 1
    assert leaf.to_list()[-1] == {"seed": 2**53}


def test_a_stepped_range_may_be_narrowed_to_one_value():
    leaf = UniformIntegerParameterRange("n", 1, 8).with_range((3, 3))
    assert drawn(leaf, EDGES) == [3, 3, 3]


def test_bounds_of_whole_numbers_may_come_as_floats_of_a_slider():
    leaf = UniformIntegerParameterRange("n", 1, 8).with_range([2.0, 6.0])
    assert leaf.range == (2, 6)
    assert all(type(bound) is int for bound in leaf.range)


# -------------------------------------------------------------------- choices

TYPED = [True, 1, 1.0, "1", None, "None"]


@pytest.mark.parametrize("index", range(len(TYPED)))
def test_choices_keep_their_type(index):
    leaf = DiscreteParameterRange("x", TYPED)
    [value] = leaf.from_unit(np.array([(index + 0.5) / len(TYPED)]))
    assert value == TYPED[index]
    assert type(value) is type(TYPED[index])
    assert leaf.index_of(value) == index
    only = leaf.with_range((value,))
    assert [type(choice) for choice in only.range] == [type(value)]
    assert [place for place, other in enumerate(TYPED) if only.contains(other)] == [index]


def test_choices_may_be_any_object():
    values = [[1, 2], {"a": 1}, print, np.zeros(2), (1, (2, 3)), {1, 2}, float("nan")]
    leaf = DiscreteParameterRange("x", values)
    assert [leaf.index_of(value) for value in values] == list(range(len(values)))
    assert leaf.contains([1, 2])
    assert not leaf.contains([1, 2.0])
    assert not leaf.contains([True, 2])
    assert leaf.contains(np.zeros(2))
    assert leaf.contains(float("nan"))


def test_numpy_scalars_become_python_values():
    leaf = DiscreteParameterRange("x", np.array([16, 32]))
    assert [type(value) for value in leaf.declared] == [int, int]
    assert DiscreteParameterRange("x", [np.float64(0.5)]).declared == (0.5,)
    assert leaf.contains(np.int64(16))
    assert leaf.normalise(np.int64(32)) == 32


def test_the_range_of_a_choice_keeps_the_declared_order():
    leaf = DiscreteParameterRange("x", ["a", "b", "c"]).with_range(["c", "a"])
    assert leaf.range == ("a", "c")
    assert leaf.declared == ("a", "b", "c")
    assert leaf.with_range(["b"]).range == ("b",)


def test_labels_tell_choices_apart():
    labels = DiscreteParameterRange("x", TYPED).labels
    assert labels == ("True", "1", "1.0", "'1'", "None", "'None'")
    assert len(set(DiscreteParameterRange("x", [object(), object(), lambda: 0]).labels)) == 3


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ([], ValueError, "'x' has no values to choose from"),
        (["a", "b", "a"], ValueError, "in the choices of 'x' the value 'a' appears twice"),
        ("abc", TypeError, "the choices of 'x' must be a list or tuple"),
        ({1, 2}, TypeError, "must be a list or tuple"),
        (3, TypeError, "must be a list or tuple"),
    ],
)
def test_impossible_choices_are_refused(values, error, message):
    with pytest.raises(error, match=message):
        DiscreteParameterRange("x", values)


@pytest.mark.parametrize(
    ("range_", "message"),
    [
        (("adamw",), "'adamw' is not a choice of 'x'. Did you mean 'adam'?"),
        ((), "must keep at least one choice"),
        ("adam", "must be a list or tuple"),
        ((1,), "Known: 'sgd', 'adam'"),
    ],
)
def test_impossible_ranges_of_choices_are_refused(range_, message):
    with pytest.raises(ValueError, match=message):
        DiscreteParameterRange("x", ["sgd", "adam"]).with_range(range_)


def test_choices_are_added_at_the_end_and_are_allowed():
    few = DiscreteParameterRange("x", ["sgd", "adam", True]).with_range(["adam"])
    more = few.with_choices(iter([1, np.float64(1.0)]))
    assert (more.declared, more.range) == (("sgd", "adam", True, 1, 1.0), ("adam", 1, 1.0))
    assert type(more.declared[-1]) is float
    assert few.declared == ("sgd", "adam", True)
    assert few.with_choices_of(more).range == ("adam",)
    assert few.with_choices_of(more).declared == more.declared


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "no new choice of 'x' is given: list at least one"),
        ("lion", "the choices of 'x' must be a list or tuple"),
        (3, "the choices of 'x' must be a list or tuple"),
        (["adam"], "'adam' is a choice of 'x' already: list new ones only"),
        (["sgd"], "'sgd' is a choice of 'x' already: allow it again with set_range"),
        (["lion", "lion"], "in the choices of 'x' the value 'lion' appears twice"),
    ],
)
def test_what_is_no_new_choice_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        DiscreteParameterRange("x", ["sgd", "adam"]).with_range(["adam"]).with_choices(values)


def test_a_value_that_is_no_choice_names_the_call_that_adds_one():
    with pytest.raises(ValueError, match="Did you mean 'adam'. A search takes a new choice by add_choices."):
        DiscreteParameterRange("x", ["sgd", "adam"]).with_range(["adm"])


def test_a_choice_of_another_type_is_named():
    with pytest.raises(ValueError, match="'2' is not a choice of 'x'. The choice is 2."):
        DiscreteParameterRange("x", [1, 2]).normalise("2")


# -------------------------------------------------------------------- sets


@given(parameter_sets())
def test_the_dict_form_makes_an_equal_set(parameter_set):
    again = Parameter.from_dict(parameter_set.to_dict())
    assert again == parameter_set
    assert hash(again) == hash(parameter_set)
    assert again.name is None


@given(parameter_sets(), st.integers(0, 2**32))
def test_a_set_lists_all_that_it_draws(parameter_set, seed):
    point = parameter_set.get_value(np.random.default_rng(seed))
    assert point
    listed = parameter_set.to_list()
    names = {frozenset(listed[index]) for index in {0, listed.size // 2, listed.size - 1}}
    assert all(isinstance(name, str) for group in names for name in group)


def test_a_set_lists_the_product_of_each_combination():
    parameter_set = ParameterSet(
        [
            {"optimizer": "sgd", "momentum": UniformParameterRange("momentum", 0, 1, 0.5)},
            {"optimizer": "adam", "more": ParameterSet([{"amsgrad": True}, {"amsgrad": False, "eps": 1e-8}])},
        ]
    )
    assert list(parameter_set.to_list()) == [
        {"optimizer": "sgd", "momentum": 0.0},
        {"optimizer": "sgd", "momentum": 0.5},
        {"optimizer": "sgd", "momentum": 1.0},
        {"optimizer": "adam", "amsgrad": True},
        {"optimizer": "adam", "amsgrad": False, "eps": 1e-8},
    ]


def test_a_parameter_in_a_set_keeps_its_own_name():
    parameter_set = ParameterSet([{"key": UniformParameterRange("lr", 0, 1, 1)}])
    assert list(parameter_set.to_list()) == [{"lr": 0.0}, {"lr": 1.0}]


@pytest.mark.parametrize(
    ("combinations", "error", "message"),
    [
        ([], ValueError, "has no combinations"),
        ([{}], ValueError, "combination 1 of the ParameterSet is empty"),
        ([{"a": 1}, ["b"]], TypeError, "combination 2 must be a dict"),
        ({"a": 1}, TypeError, "must be a list of dicts"),
    ],
)
def test_impossible_sets_are_refused(combinations, error, message):
    with pytest.raises(error, match=message):
        ParameterSet(combinations)


# -------------------------------------------------------------------- bad input


@pytest.mark.parametrize("kind", [UniformParameterRange, LogUniformParameterRange, UniformIntegerParameterRange])
class TestEveryNumericRange:
    def test_refuses_bounds_that_do_not_rise(self, kind):
        for bounds in ((3, 1), (2, 2)):
            with pytest.raises(ValueError, match="min_value of 'x' must be below its max_value"):
                kind("x", *bounds)

    def test_says_how_to_hold_a_parameter_at_one_value(self, kind):
        only = {LogUniformParameterRange: "100.0", UniformParameterRange: "2.0", UniformIntegerParameterRange: "2"}
        with pytest.raises(ValueError, match=rf"write DiscreteParameterRange\('x', \[{re.escape(only[kind])}\]\)$"):
            kind("x", 2, 2)
        with pytest.raises(ValueError, match="got 3(.0)? and 1(.0)?$"):
            kind("x", 3, 1)

    def test_refuses_bounds_that_are_not_finite(self, kind):
        for bounds in ((math.nan, 1), (0, math.inf)):
            with pytest.raises(ValueError, match="of 'x' must be finite"):
                kind("x", *bounds)

    def test_refuses_bounds_that_are_no_numbers(self, kind):
        with pytest.raises(TypeError, match="min_value of 'x' must be a number, got '1'"):
            kind("x", "1", 2)

    def test_refuses_steps_that_do_not_lead_on(self, kind):
        for step in (0, -1):
            with pytest.raises(ValueError, match="step_size of 'x' must be above 0"):
                kind("x", 0, 2, step_size=step)

    def test_refuses_an_empty_name(self, kind):
        for name in ("", None, 3):
            with pytest.raises(TypeError, match="a parameter needs a name"):
                kind(name, 0, 1)

    def test_refuses_a_reversed_range(self, kind):
        with pytest.raises(ValueError, match="the range of 'x' must rise from low to high"):
            kind("x", 0, 8).with_range((4, 2))

    def test_refuses_a_range_that_is_no_pair(self, kind):
        for range_ in ((1,), (1, 2, 3), 5, "ab"):
            with pytest.raises(ValueError, match=r"the range of 'x' is a pair \(low, high\)"):
                kind("x", 0, 8).with_range(range_)

    def test_refuses_a_range_that_is_not_finite(self, kind):
        with pytest.raises(ValueError, match="number"):
            kind("x", 0, 8).with_range((1, math.inf))

    def test_refuses_a_range_beyond_its_limits(self, kind):
        parameter = kind("x", 1, 4)
        assert parameter.with_range((1, 20_000), (None, 20_000)).range == (1, 20_000)
        with pytest.raises(ValueError, match=r"reaches beyond its limits \(None, 20\)"):
            parameter.with_range((1, 21), (None, 20))
        with pytest.raises(ValueError, match="reaches beyond its limits"):
            parameter.with_range((1, 21), (2, None))

    def test_widens_beyond_the_declared_range(self, kind):
        leaf = kind("x", 1, 4)
        wide = leaf.with_range((1, 30_000))
        assert wide.declared == leaf.declared
        assert drawn(wide, [math.nextafter(1.0, 0.0)])[0] == pytest.approx(30_000)

    def test_stays_as_it_is(self, kind):
        leaf = kind("x", 1, 4)
        leaf.with_range((1, 9))
        assert leaf.range == leaf.declared
        with pytest.raises(AttributeError):
            leaf.min_value = 0


def test_a_continuous_range_of_one_value_is_refused():
    with pytest.raises(ValueError, match="must rise"):
        UniformParameterRange("x", 0, 1).with_range((0.5, 0.5))


def test_a_range_between_two_steps_is_refused():
    with pytest.raises(ValueError, match="no value of 'x' lies in"):
        UniformParameterRange("x", 0, 1, 0.25).with_range((0.3, 0.4))


def test_fractions_are_refused_where_whole_numbers_are_meant():
    with pytest.raises(ValueError, match="min_value of 'n' must be a whole number, got 1.5: use UniformParameterRange"):
        UniformIntegerParameterRange("n", 1.5, 3)
    with pytest.raises(ValueError, match="'n' takes a whole number, got 2.5"):
        UniformIntegerParameterRange("n", 1, 8).with_range((2.5, 6))
    with pytest.raises(ValueError, match="'n' takes a whole number, got True"):
        UniformIntegerParameterRange("n", 1, 8).normalise(True)
    with pytest.raises(ValueError, match="exact"):
        UniformIntegerParameterRange("n", 0, 2**60)


@pytest.mark.parametrize("beyond", [2**53 + 1, -(2**53) - 1, 1e19, np.int64(2**60)])
def test_whole_numbers_that_a_float_would_round_are_refused_wherever_they_are_given(beyond):
    leaf = UniformIntegerParameterRange("n", 1, 8)
    with pytest.raises(ValueError, match=r"'n' must lie within ±2\*\*53"):
        leaf.normalise(beyond)
    with pytest.raises(ValueError, match=r"'n' must lie within ±2\*\*53"):
        leaf.with_range(sorted((1, beyond)))
    with pytest.raises(ValueError, match=r"'n' must lie within ±2\*\*53"):
        UniformIntegerParameterRange("n", *sorted((1, beyond)))
    assert leaf.normalise(2**53) == 2**53


def test_steps_that_cannot_be_counted_are_refused():
    with pytest.raises(ValueError, match="too small to tell"):
        UniformParameterRange("x", 0, 1e300, 1e-300)


@pytest.mark.parametrize(
    ("leaf", "wider"),
    [
        (UniformParameterRange("x", 0, 1, step_size=0.1), (0, 1e18)),
        (LogUniformParameterRange("x", -1e-11, 1e-11, step_size=1e-12), (1e-300, 1e300)),
    ],
)
def test_a_range_is_not_widened_to_steps_that_cannot_be_counted(leaf, wider):
    with pytest.raises(ValueError, match="too small to tell"):
        leaf.with_range(wider)
    assert leaf.range == leaf.declared


def test_limits_are_not_for_choices():
    with pytest.raises(ValueError, match="declared values are its limit"):
        DiscreteParameterRange("x", [1, 2]).with_range([1], (0, 3))


def test_an_unknown_dict_form_is_refused_with_the_near_match():
    with pytest.raises(ValueError, match="Did you mean 'UniformParameterRange'"):
        Parameter.from_dict({"type": "UniformParamRange", "name": "x"})
    with pytest.raises(ValueError, match="lacks 'max_value'"):
        Parameter.from_dict({"type": "UniformParameterRange", "name": "x", "min_value": 0})


def test_something_that_is_no_parameter_is_refused():
    for thing in ("lr", {"lr": 1}, UniformParameterRange):
        with pytest.raises(TypeError, match="a search varies Parameter objects"):
            as_parameter(thing)


def test_reprs_say_what_was_declared_and_what_is_now():
    assert repr(UniformParameterRange("x", 0, 1, 0.5)) == "UniformParameterRange('x', 0.0, 1.0, step_size=0.5)"
    assert repr(UniformIntegerParameterRange("n", 1, 8).with_range((2, 3))).endswith("('n', 1, 8) now (2, 3)")
    assert repr(DiscreteParameterRange("d", [1, "1"])) == "DiscreteParameterRange('d', [1, '1'])"
    assert "base=2" in repr(LogUniformParameterRange("l", 0, 3, base=2))
    assert "include_max_value=False" in repr(UniformParameterRange("x", 0, 1, include_max_value=False))
    assert repr(ParameterSet([{"a": 1}])) == "ParameterSet([{'a': 1}])"


# -------------------------------------------------------------------- the SDK's parameters


@pytest.fixture(scope="module")
def sdk():
    import clearml.automation

    return clearml.automation


class TestTheSdk:
    def test_parameters_are_converted(self, sdk):
        assert as_parameter(sdk.UniformParameterRange("a", 0, 1, 0.25)) == UniformParameterRange("a", 0, 1, 0.25)
        assert as_parameter(sdk.LogUniformParameterRange("a", -3, 0, 2)) == LogUniformParameterRange("a", -3, 0, 2)
        assert as_parameter(sdk.UniformIntegerParameterRange("a", 0, 9, 2, False)) == UniformIntegerParameterRange(
            "a", 0, 9, 2, False
        )
        assert as_parameter(sdk.DiscreteParameterRange("a", [1, "1"])) == DiscreteParameterRange("a", [1, "1"])
        theirs = sdk.ParameterSet([{"o": "sgd", "m": sdk.UniformParameterRange("m", 0, 1)}, {"o": "adam"}])
        assert as_parameter(theirs) == ParameterSet(
            [{"o": "sgd", "m": UniformParameterRange("m", 0, 1)}, {"o": "adam"}]
        )

    def test_parameters_of_derived_classes_are_converted(self, sdk):
        class Rate(sdk.UniformParameterRange):
            pass

        assert as_parameter(Rate("a", 0, 1)) == UniformParameterRange("a", 0, 1)

    def test_our_dict_forms_can_be_read_by_it(self, sdk):
        form = LogUniformParameterRange("a", -3, 0, step_size=1).to_dict()
        theirs = sdk.parameters.Parameter.from_dict(form)
        assert as_parameter(theirs) == LogUniformParameterRange("a", -3, 0, step_size=1)
        assert [item["a"] for item in theirs.to_list()] == [0.001, 0.01, 0.1, 1.0]

    def test_constructors_have_the_same_arguments_and_defaults(self, sdk):
        import inspect

        for ours in (
            UniformParameterRange,
            LogUniformParameterRange,
            UniformIntegerParameterRange,
            DiscreteParameterRange,
            ParameterSet,
        ):
            theirs = inspect.signature(getattr(sdk, ours.__name__)).parameters.values()
            mine = inspect.signature(ours).parameters.values()
            assert [(p.name, p.default) for p in mine] == [(p.name, p.default) for p in theirs]
