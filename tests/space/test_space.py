"""The space: points, epochs, grids and stored forms."""

from __future__ import annotations

import itertools
import json
import pickle
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo_widgets.parameters import (
    DiscreteParameterRange,
    LogUniformParameterRange,
    ParameterSet,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from hpo_widgets.parameters.choices import UnknownChoice, identity
from hpo_widgets.space import Space
from tests.space_examples import parameter_lists

spaces = parameter_lists().map(Space)


def draw_points(space, n=16, seed=0):
    return space.points(np.random.default_rng(seed).random((n, space.num_dimensions)))


def plain():
    return Space(
        [
            LogUniformParameterRange("lr", -4, -1),
            UniformIntegerParameterRange("layers", 1, 8),
            DiscreteParameterRange("kind", [True, 1, 1.0, "1", None, "None"]),
        ],
        limits={"lr": (1e-6, 1)},
    )


def conditional():
    return Space(
        [
            UniformParameterRange("dropout", 0, 0.5, 0.25),
            ParameterSet(
                [
                    {"optimizer": "sgd", "momentum": UniformParameterRange("momentum", 0.5, 1, 0.25)},
                    {
                        "optimizer": "adam",
                        "momentum": 0,
                        "inner": ParameterSet([{"amsgrad": True}, {"beta": 0.9, "eps": 1}]),
                    },
                    {"optimizer": "none"},
                ]
            ),
        ]
    )


# -------------------------------------------------------------------- properties


@given(spaces, st.integers(0, 2**32))
def test_every_point_drawn_belongs_to_the_space(space, seed):
    for point in draw_points(space, seed=seed):
        assert space.contains(point)
        assert set(point) <= set(space.names)


@given(spaces, st.integers(0, 2**32))
def test_the_names_of_every_point_are_in_every_point(space, seed):
    assert all(space.names_of_every_point <= set(point) for point in draw_points(space, seed=seed))


def test_a_name_that_all_combinations_set_however_deep_is_in_every_point():
    assert conditional().names_of_every_point == {"dropout", "optimizer"}
    inner = ParameterSet([{"beta": 0.9, "eps": 1}, {"beta": UniformParameterRange("beta", 0, 1)}])
    space = Space([ParameterSet([{"kind": "a", "beta": 0.5}, {"kind": "b", "inner": inner}])])
    assert space.names_of_every_point == {"kind", "beta"}


@given(spaces)
def test_rows_and_points_say_the_same(space):
    for point in draw_points(space):
        row = space.encode(point)
        assert len(row) == len(space.names)
        again = space.decode(json.loads(json.dumps(row)))
        assert again == point
        assert {name: type(value) for name, value in again.items()} == {n: type(v) for n, v in point.items()}
        assert [name for name, number in zip(space.names, row, strict=True) if number is None] == [
            name for name in space.names if name not in point
        ]


@given(spaces)
def test_points_are_normal_already(space):
    for point in draw_points(space):
        normal = space.normalise(point)
        assert normal == point
        assert list(normal) == [name for name in space.names if name in point]


@given(spaces)
def test_keys_tell_different_points_apart(space):
    points = draw_points(space, 8) + draw_points(space, 8)
    for one, other in itertools.combinations(points, 2):
        equal = [(n, type(v), repr(v)) for n, v in sorted(one.items())] == [
            (n, type(v), repr(v)) for n, v in sorted(other.items())
        ]
        assert (space.key(one) == space.key(other)) == equal
        assert equal <= (hash(space.key(one)) == hash(space.key(other)))


def test_a_set_inside_a_combination_is_stored_beside_a_parameter_of_any_name():
    inner = ParameterSet([{"a": 1}, {"a": 2}])
    space = Space([ParameterSet([{f"set {number}": number, "place": inner} for number in range(2)])])
    assert space.names == ("set 0", "a", "set 1")
    again = Space.from_dict(json.loads(json.dumps(space.to_dict())))
    assert again == space
    assert again.names == space.names


@given(spaces)
def test_the_json_form_makes_an_equal_space(space):
    form = json.loads(json.dumps(space.to_dict()))
    again = Space.from_dict(form)
    assert again == space
    assert hash(again) == hash(space)
    assert again.to_dict() == space.to_dict()
    assert again.columns == space.columns
    assert pickle.loads(pickle.dumps(space)) == space


@given(spaces, st.data())
def test_every_point_of_the_grid_belongs_to_the_space(space, data):
    grid = space.grid()
    assert (space.size is None) or space.size == grid.size
    for _ in range(5):
        assert space.contains(grid[data.draw(st.integers(0, grid.size - 1))])


@given(spaces)
def test_a_changed_range_is_what_is_drawn_from(space):
    wide = {}
    for name in space.names:
        leaf = space.leaf(name)
        top = len(space.conditions[name]) == 1 and space.conditions[name] == ((),)
        if not top:
            continue
        if leaf.kind == "choice":
            wide[name] = leaf.range[-1:]
        elif leaf.num_values is None:
            wide[name] = (leaf.range[0], (leaf.range[0] + leaf.range[1]) / 2)
        else:
            wide[name] = (leaf.range[0], leaf.value_at(leaf.num_values // 2))
    narrow = space.with_ranges(wide)
    for name, range_ in wide.items():
        assert narrow.ranges[name] == tuple(range_)
    for point in draw_points(narrow):
        assert narrow.contains(point)
        assert space.contains(point) or any(space.leaf(n).num_values is None for n in wide)
        for name, range_ in wide.items():
            if space.leaf(name).kind == "choice":
                assert point[name] in range_
            else:
                assert range_[0] <= point[name] <= range_[1]
    assert narrow.with_ranges({name: space.ranges[name] for name in wide}) == space
    assert Space.from_dict(json.loads(json.dumps(narrow.to_dict()))) == narrow
    assert narrow.num_dimensions == space.num_dimensions
    assert pickle.loads(pickle.dumps(narrow)) == narrow


@given(spaces)
def test_selections_tell_the_combinations_of_a_point(space):
    for point in draw_points(space):
        chosen = space.selections(point)
        expected = set()
        for occurrence in space.occurrences:
            if all(chosen[condition.parameter_set] == condition.combination for condition in occurrence.conditions):
                expected.add(occurrence.name)
                assert space.active_leaf(occurrence.index).contains(point[occurrence.name])
        assert expected == set(point)


# -------------------------------------------------------------------- what there is


def test_a_plain_space_describes_itself():
    space = plain()
    assert space.names == ("lr", "layers", "kind")
    assert space.num_dimensions == 3
    assert space.size is None
    assert dict(space.ranges) == {"lr": (1e-4, 0.1), "layers": (1, 8), "kind": (True, 1, 1.0, "1", None, "None")}
    assert dict(space.limits) == {"lr": (1e-6, 1)}
    assert [(column.kind, column.labels is None) for column in space.columns] == [
        ("log", True),
        ("int", True),
        ("choice", False),
    ]
    assert dict(space.conditions) == {"lr": ((),), "layers": ((),), "kind": ((),)}
    assert "lr" in repr(space)
    with pytest.raises(TypeError):
        space.ranges["lr"] = (0, 1)


def test_combinations_are_flattened_into_columns():
    space = conditional()
    assert space.names == ("dropout", "optimizer", "momentum", "amsgrad", "beta", "eps")
    assert space.leaf("optimizer").declared == ("sgd", "adam", "none")
    assert space.leaf("momentum").kind == "float"
    assert space.leaf("momentum").range == (0.0, 1.0)
    assert space.num_dimensions == 4  # dropout, the set, momentum, the inner set
    assert space.conditions["optimizer"] == (((0, 0),), ((0, 1),), ((0, 2),))
    assert space.conditions["eps"] == (((0, 1), (1, 1)),)
    assert space.size == 3 * (3 + 2 + 1)
    assert list(space.grid())[:5] == [
        {"dropout": 0.0, "optimizer": "sgd", "momentum": 0.5},
        {"dropout": 0.0, "optimizer": "sgd", "momentum": 0.75},
        {"dropout": 0.0, "optimizer": "sgd", "momentum": 1.0},
        {"dropout": 0.0, "optimizer": "adam", "momentum": 0.0, "amsgrad": True},
        {"dropout": 0.0, "optimizer": "adam", "momentum": 0.0, "beta": 0.9, "eps": 1},
    ]


def test_every_combination_is_equally_likely():
    space = conditional()
    u = np.full((300, space.num_dimensions), 0.5)
    u[:, 1] = (np.arange(300) + 0.5) / 300
    drawn = [point["optimizer"] for point in space.points(u)]
    assert [drawn.count(name) for name in ("sgd", "adam", "none")] == [100, 100, 100]


def test_the_last_parameter_varies_fastest_in_the_grid():
    space = Space([DiscreteParameterRange("a", [1, 2]), DiscreteParameterRange("b", ["x", "y"])])
    assert [tuple(point.values()) for point in space.grid()] == [(1, "x"), (1, "y"), (2, "x"), (2, "y")]


def test_a_grid_of_any_size_costs_nothing():
    space = Space([UniformParameterRange(f"p{number}", 0, 1) for number in range(20)])
    assert space.size is None
    assert space.grid().size == 101**20
    assert space.contains(space.grid()[101**20 // 3])
    assert Space([UniformIntegerParameterRange(f"p{n}", 0, 10**9) for n in range(5)]).size == (10**9 + 1) ** 5


def test_unit_numbers_must_have_one_column_per_dimension():
    with pytest.raises(ValueError, match=r"must have shape \(n, 3\), got \(4, 2\)"):
        plain().points(np.zeros((4, 2)))
    assert plain().points(np.zeros((0, 3))) == []


# -------------------------------------------------------------------- epochs


def test_a_choice_under_combinations_steers_which_are_drawn():
    space = conditional().with_ranges({"optimizer": ["adam"]})
    assert space.ranges["optimizer"] == ("adam",)
    assert {point["optimizer"] for point in draw_points(space, 50)} == {"adam"}
    assert space.feasible(0) == (1,)
    assert space.size == 3 * 2
    inner = space.with_ranges({"amsgrad": [True]})
    assert inner.size == 3 * 2
    assert not space.contains({"dropout": 0.0, "optimizer": "none"})


def test_a_range_leaves_out_combinations_without_a_value_in_it():
    space = conditional().with_ranges({"momentum": (0.6, 1.0)})
    points = draw_points(space, 60)
    assert {point["optimizer"] for point in points} == {"sgd", "none"}
    assert {point["momentum"] for point in points if "momentum" in point} == {0.75, 1.0}


def test_ranges_that_leave_no_combination_are_refused():
    space = Space([ParameterSet([{"a": 1, "b": 1}, {"a": 2, "b": 2}])])
    with pytest.raises(ValueError, match="leave no combination of the ParameterSet: allow more for 'a', 'b'"):
        space.with_ranges({"a": [1], "b": [2]})


def test_a_range_that_combinations_share_is_widened_at_its_edges():
    space = Space(
        [
            ParameterSet([{"x": UniformParameterRange("x", 0, 1)}, {"x": UniformParameterRange("x", 11, 12)}]),
        ]
    )
    assert space.leaf("x").range == (0.0, 12.0)
    space = space.with_ranges({"x": (-5, 11.5)})
    low, high = (space.active_leaf(index).range for index in (0, 1))
    assert (low, high) == ((-5.0, 1.0), (11.0, 11.5))
    assert space.with_ranges({"x": (2, 20)}).feasible(0) == (1,)


def test_a_shared_log_range_is_widened_at_its_edges_also_between_powers_of_ten():
    low, high = LogUniformParameterRange("lr", -4.5, -2), LogUniformParameterRange("lr", -3.5, -0.5)
    space = Space([ParameterSet([{"o": "sgd", "lr": low}, {"o": "adam", "lr": high}])])
    assert space.leaf("lr").range == (low.range[0], high.range[1])
    space = space.with_ranges({"lr": (1e-5, 1)})
    assert [space.active_leaf(index).range for index in (1, 3)] == [(1e-5, 1e-2), (high.range[0], 1.0)]


def test_an_equal_parameter_in_several_combinations_is_one():
    shared = LogUniformParameterRange("lr", -4, -1)
    space = Space([ParameterSet([{"o": "sgd", "lr": shared}, {"o": "adam", "lr": shared}])], limits={"lr": (None, 1)})
    assert space.leaf("lr") == shared
    space = space.with_ranges({"lr": (1e-5, 1)})
    assert [space.active_leaf(index).range for index in (1, 3)] == [(1e-5, 1.0)] * 2


def test_a_change_checks_what_changes_once_and_no_other_range(monkeypatch):
    space = plain().with_ranges({"layers": (2, 4)})
    checked = []
    for kind in (LogUniformParameterRange, UniformIntegerParameterRange):

        def with_range(self, *given, check=kind.with_range):
            checked.append(self.name)
            return check(self, *given)

        monkeypatch.setattr(kind, "with_range", with_range)

    space = space.with_ranges({"lr": (1e-3, 1e-2)})

    assert checked == ["lr"]
    assert (space.ranges["lr"], space.ranges["layers"]) == ((1e-3, 1e-2), (2, 4))


def test_ranges_are_merged_into_those_changed_before():
    space = plain().with_ranges({"layers": (2, 4)}).with_ranges({"lr": (1e-5, 1e-3)})
    assert space.ranges["layers"] == (2, 4)
    assert space.ranges["lr"] == (1e-5, 1e-3)
    assert plain().ranges["layers"] == (1, 8)


def test_unit_numbers_mean_the_same_dimension_in_every_epoch():
    space = conditional()
    u = np.random.default_rng(0).random((40, space.num_dimensions))
    narrow = space.with_ranges({"optimizer": ["adam"]})
    assert [p["dropout"] for p in space.points(u)] == [p["dropout"] for p in narrow.points(u)]
    assert narrow.encode(narrow.points(u)[0])[1] == space.encode(narrow.points(u)[0])[1] == 1


@pytest.mark.parametrize(
    ("ranges", "message"),
    [
        ({"learning": (0, 1)}, "the space has no parameter 'learning'"),
        ({"layer": (1, 2)}, "Did you mean 'layers'?"),
        ({"lr": (1e-7, 1e-2)}, "reaches beyond its limits"),
        ({"lr": (0.1, 0.01)}, "must rise from low to high"),
        ({"layers": (1.5, 2)}, "takes a whole number"),
        ({"kind": [2]}, "2 is not a choice of 'kind'"),
        ({"kind": []}, "at least one choice"),
    ],
)
def test_impossible_ranges_are_refused(ranges, message):
    with pytest.raises(ValueError, match=message):
        plain().with_ranges(ranges)


# -------------------------------------------------------------------- construction


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ([], ValueError, "the space is empty"),
        (["lr"], TypeError, "a search varies Parameter objects"),
        (UniformParameterRange("x", 0, 1), TypeError, "put it in a list"),
        ([UniformParameterRange("x", 0, 1), DiscreteParameterRange("x", [1])], ValueError, "'x' is given twice"),
        ([UniformParameterRange("x", 0, 1), ParameterSet([{"x": 1}])], ValueError, "'x' is given twice"),
        ([ParameterSet([{"x": 1}]), ParameterSet([{"x": 2}])], ValueError, "'x' is given twice"),
        ([ParameterSet([{"x": 1, "y": ParameterSet([{"x": 2}])}])], ValueError, "'x' is given twice"),
        (
            [ParameterSet([{"x": "auto"}, {"x": UniformParameterRange("x", 0, 1)}])],
            ValueError,
            "'x' is a numeric range in one combination and something else in another",
        ),
        (
            [ParameterSet([{"x": UniformIntegerParameterRange("x", 0, 1)}, {"x": UniformParameterRange("x", 0, 1)}])],
            ValueError,
            "'x' is a whole number in one combination and not in another",
        ),
    ],
)
def test_impossible_spaces_are_refused(parameters, error, message):
    with pytest.raises(error, match=message):
        Space(parameters)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"layer": (0, 9)}, "limits name an unknown parameter 'layer'. Did you mean 'layers'?"),
        ({"layers": (9, 0)}, "the limits of 'layers' must rise"),
        ({"layers": (2, 9)}, r"the limits \(2, 9\) of 'layers' do not hold its range \(1, 8\)"),
        ({"layers": 9}, r"is a pair \(low, high\)"),
        ({"layers": ("a", 9)}, "must be a number or None"),
        ({"layers": (float("nan"), 9)}, "must be a number or None"),
        ({"kind": (0, 9)}, "declared values are its limit"),
    ],
)
def test_impossible_limits_are_refused(limits, message):
    with pytest.raises(ValueError, match=message):
        Space(plain().parameters, limits=limits)


def test_limits_may_be_open_on_one_side():
    space = Space([UniformIntegerParameterRange("n", 1, 8)], limits={"n": (None, np.int64(16))})
    assert space.with_ranges({"n": (-5, 16)}).ranges["n"] == (-5, 16)
    assert dict(Space(space.parameters, {"n": (-np.inf, np.inf)}).limits) == {"n": (None, None)}


def test_the_sdks_parameters_are_taken():
    import clearml.automation as sdk

    assert Space([sdk.UniformParameterRange("x", 0, 1)]) == Space([UniformParameterRange("x", 0, 1)])


# -------------------------------------------------------------------- enqueued points


def test_a_point_by_hand_becomes_python_values():
    point = plain().normalise({"layers": np.float64(3.0), "kind": np.bool_(True), "lr": np.float32(0.5)})
    assert point == {"lr": 0.5, "layers": 3, "kind": True}
    assert [type(value) for value in point.values()] == [float, int, bool]


def test_a_point_by_hand_may_lie_outside_the_range_but_not_beyond_limits():
    space = plain()
    point = space.normalise({"lr": 0.5, "layers": 20, "kind": "1"})
    assert not space.contains(point)
    assert space.decode(space.encode(point)) == point
    with pytest.raises(ValueError, match="reaches beyond its limits"):
        space.normalise({"lr": 2, "layers": 2, "kind": 1})


def test_a_choice_by_hand_keeps_its_type():
    for value in (True, 1, 1.0, "1", None, "None"):
        assert repr(plain().normalise({"lr": 0.01, "layers": 2, "kind": value})["kind"]) == repr(value)


@pytest.mark.parametrize(
    ("point", "message"),
    [
        ({"lr": 0.01, "layers": 2}, "the point lacks a value for 'kind'$"),
        ({"lr": 0.01}, "the point lacks a value for 'layers', 'kind'$"),
        ({"lr": 0.01, "layer": 2, "kind": 1}, "no parameter 'layer'. Did you mean 'layers'?"),
        ({"lr": "0.01", "layers": 2, "kind": 1}, "'lr' is searched on a log scale and takes a number above 0"),
        ({"lr": 0.01, "layers": True, "kind": 1}, "'layers' takes a whole number, got True"),
        ({"lr": 0.01, "layers": 2, "kind": 2}, "2 is not a choice of 'kind'"),
        ([("lr", 1)], "a point is a dict"),
    ],
)
def test_impossible_points_are_refused(point, message):
    with pytest.raises(ValueError, match=message):
        plain().normalise(point)


@pytest.mark.parametrize(
    "point",
    [
        {"dropout": 0.0},
        {"dropout": 0.0, "optimizer": "sgd"},
        {"dropout": 0.0, "optimizer": "none", "momentum": 0.5},
        {"dropout": 0.0, "optimizer": "adam", "momentum": 0.0, "amsgrad": True, "beta": 0.9},
    ],
)
def test_names_that_no_combination_sets_together_are_refused(point):
    with pytest.raises(ValueError, match="no combination of the ParameterSet has exactly"):
        conditional().normalise(point)
    assert conditional().selections(point) is None


@pytest.mark.parametrize(
    ("point", "difference"),
    [
        ({"optimizer": "sgd"}, "The nearest one, with optimizer 'sgd', also has 'momentum'"),
        ({"optimizer": "none", "momentum": 0.5}, "The nearest one, with optimizer 'none', has no 'momentum'"),
        (
            {"optimizer": "adam", "beta": 0.9, "momentum": 0},
            "The nearest one, with optimizer 'adam' and momentum 0.0 and beta 0.9, also has 'eps'",
        ),
        ({"momentum": 0.5, "amsgrad": True, "eps": 1}, "also has 'optimizer', and has no 'amsgrad' and 'eps'"),
        ({"momentum": 0.5}, "The nearest one also has 'optimizer'"),
    ],
)
def test_what_a_point_differs_by_from_the_nearest_combination_is_said(point, difference):
    with pytest.raises(ValueError, match=f"{re.escape(difference)}$"):
        conditional().normalise({"dropout": 0.0, **point})


def test_values_that_no_combination_takes_differ_by_no_name():
    space = Space([ParameterSet([{"a": 1, "b": 2}, {"a": 2, "b": 1}])])
    assert space.misfit({"a": 1, "b": 1}) == ([], [])
    with pytest.raises(ValueError, match=re.escape("has exactly {'a': 1, 'b': 1}") + "$"):
        space.normalise({"a": 1, "b": 1})


def test_a_conditional_point_by_hand_is_found():
    space = conditional()
    point = space.normalise({"optimizer": "adam", "eps": 1, "beta": 0.9, "momentum": 0, "dropout": 0.5})
    assert space.selections(point) == (1, 1)
    assert space.encode(point) == [0.5, 1, 0.0, None, 0, 0]


def test_a_choice_that_is_not_declared_has_no_row():
    with pytest.raises(ValueError, match="2 is not a choice of 'kind'"):
        plain().encode({"lr": 0.1, "layers": 1, "kind": 2})
    with pytest.raises(ValueError, match="'kind' has no choice number 9"):
        plain().decode([0.1, 1, 9])


# -------------------------------------------------------------------- choices that JSON cannot hold


class Activation:
    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return f"Activation({self.name})"


ACTIVATIONS = [Activation("relu"), Activation("tanh"), (64, 64)]


def test_objects_come_back_from_the_live_choices():
    space = Space([DiscreteParameterRange("f", ACTIVATIONS)]).with_ranges({"f": ACTIVATIONS[1:]})
    form = json.loads(json.dumps(space.to_dict()))
    again = Space.from_dict(form, choices={"f": ACTIVATIONS})
    assert again == space
    assert again.lost_choices == ()


def test_objects_are_shown_by_label_without_the_live_choices():
    space = Space([ParameterSet([{"f": choice} for choice in ACTIVATIONS])])
    again = Space.from_dict(json.loads(json.dumps(space.to_dict())))
    assert again.lost_choices == ("f",)
    assert again.columns == space.columns
    lost = again.decode([1])["f"]
    assert isinstance(lost, UnknownChoice)
    assert (lost.label, repr(lost)) == ("Activation(tanh)", "<unknown choice Activation(tanh)>")
    assert lost.type_name.endswith("Activation")
    assert again.decode([2])["f"] == (64, 64)
    assert Space.from_dict(again.to_dict()) == again


def test_other_choices_than_the_stored_ones_are_refused():
    form = Space([DiscreteParameterRange("f", ACTIVATIONS)]).to_dict()
    for choices in (ACTIVATIONS[:1], [1, 2, 3]):
        with pytest.raises(ValueError, match="the choices given for 'f' are not the stored ones"):
            Space.from_dict(form, choices={"f": choices})


@pytest.mark.parametrize("index", [-1, 6, True, 1.0, "1"])
def test_the_stored_number_of_no_choice_is_refused(index):
    form = plain().to_dict()
    allowed = {**form["parameters"][2], "allowed": [index]}
    for changed in ({"parameters": [*form["parameters"][:2], allowed]}, {"ranges": {"kind": [0, index]}}):
        with pytest.raises(ValueError, match="is the number of none of 6 choices"):
            Space.from_dict({**form, **changed})


def test_the_stored_number_of_no_given_choice_is_refused():
    form = Space([DiscreteParameterRange("f", ACTIVATIONS)]).to_dict()
    form["parameters"][0]["values"][0]["index"] = -1
    with pytest.raises(ValueError, match="the choices given for 'f' are not the stored ones"):
        Space.from_dict(form, choices={"f": ACTIVATIONS})


def test_a_newer_form_is_refused():
    with pytest.raises(ValueError, match="the stored space has version 99"):
        Space.from_dict({**plain().to_dict(), "version": 99})


# -------------------------------------------------------------------- more choices


NESTED = ParameterSet(
    [
        {"solver": "sgd", "schedule": DiscreteParameterRange("schedule", ["step", "cosine"])},
        {"solver": "adam"},
    ]
)


def test_added_choices_leave_the_numbers_of_all_others_and_the_ranges():
    space = Space([DiscreteParameterRange("kind", ["a", 1]), UniformParameterRange("x", 0, 1), NESTED])
    narrow = space.with_ranges({"kind": [1], "x": (0.25, 0.5)})
    points = space.points(np.random.default_rng(0).random((20, space.num_dimensions)))
    more = narrow.with_choices({"kind": [True, (2, 3)], "schedule": ["linear"]})
    assert [more.encode(point) for point in points] == [space.encode(point) for point in points]
    assert more.ranges == {
        "kind": (1, True, (2, 3)),
        "x": (0.25, 0.5),
        "solver": ("sgd", "adam"),
        "schedule": ("step", "cosine", "linear"),
    }
    assert more.num_dimensions == space.num_dimensions
    assert narrow.ranges["kind"] == (1,)
    assert more.extends(narrow)
    assert not narrow.extends(more)
    again = Space.from_dict(json.loads(json.dumps(more.to_dict())))
    assert again == more
    assert pickle.loads(pickle.dumps(more)) == more
    drawn = {point["kind"] for point in more.points(np.random.default_rng(0).random((60, more.num_dimensions)))}
    assert drawn == {1, (2, 3)}
    older = narrow.with_choices_of(more)
    assert older.ranges == narrow.ranges
    assert older.leaf("kind").declared == more.leaf("kind").declared
    assert older.with_ranges({"kind": ["a", (2, 3)]}).ranges["kind"] == ("a", (2, 3))


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"kin": ["c"]}, "the space has no parameter 'kin'. Did you mean 'kind'?"),
        ({"x": [3]}, "'x' is a range of numbers: widen it with set_range"),
        ({"solver": ["lion"]}, "the choices of 'solver' are parts of combinations of a ParameterSet"),
        ({"kind": []}, "no new choice of 'kind' is given"),
        (["kind"], "choices map names to lists of new choices"),
    ],
)
def test_what_takes_no_choice_is_refused(choices, message):
    space = Space([DiscreteParameterRange("kind", ["a", "b"]), UniformParameterRange("x", 0, 1), NESTED])
    with pytest.raises(ValueError, match=message):
        space.with_choices(choices)


@given(
    st.lists(st.integers(0, 9), min_size=1, unique=True),
    st.lists(st.lists(st.integers(10, 99) | st.text(max_size=3), min_size=1), max_size=4),
)
def test_however_choices_are_added_each_point_keeps_its_row(first, added):
    spaces = [Space([DiscreteParameterRange("x", first)])]
    for values in added:
        known = {identity(choice) for choice in spaces[-1].leaf("x").declared}
        new = list({identity(value): value for value in values if identity(value) not in known}.values())
        if new:
            spaces.append(spaces[-1].with_choices({"x": new}))
    last = Space.from_dict(json.loads(json.dumps(spaces[-1].to_dict())))
    for space in spaces:
        assert last.extends(space)
        assert [last.encode(point) for point in space.grid()] == [space.encode(point) for point in space.grid()]
        assert space.with_choices_of(last).ranges == space.ranges
    assert [last.decode([index])["x"] for index in range(last.size)] == [point["x"] for point in spaces[-1].grid()]


def test_live_choices_may_lack_those_that_were_added_and_place_holders_stand_for_them():
    more = Space([DiscreteParameterRange("f", ACTIVATIONS)]).with_choices({"f": [Activation("gelu")]})
    form = json.loads(json.dumps(more.to_dict()))
    again = Space.from_dict(form, choices={"f": ACTIVATIONS}, may_lack=True)
    assert again.lost_choices == ("f",)
    assert again.leaf("f").declared[:3] == tuple(ACTIVATIONS)
    with pytest.raises(ValueError, match="are not the stored ones"):
        Space.from_dict(form, choices={"f": [*ACTIVATIONS, 7]}, may_lack=True)
