"""What a prior says of values, what is refused, and how it fades."""

from __future__ import annotations

import itertools
import json
import math
import pickle

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
from hpo_widgets.space import Space
from hpo_widgets.space.prior import BETA, FLOOR, Prior
from hpo_widgets.space.range_history import RangeHistory, ranges_since
from tests import space_examples

X = UniformParameterRange("x", 0, 10)
LR = LogUniformParameterRange("lr", -4, 0)
LAYERS = UniformIntegerParameterRange("layers", 1, 8)
SOLVER = DiscreteParameterRange("solver", ["adam", "sgd", None])

MANY = (np.arange(4000) + 0.5) / 4000


def drawn(leaf, prior, exponent=1.0, column=None):
    """What even unit numbers become by a prior."""
    return leaf.from_unit(prior.bent(MANY, leaf, column or leaf, np.full(len(MANY), exponent)))


def share(values, low, high):
    return np.mean([low <= value <= high for value in values])


# What is meant ---------------------------------------------------------------------------------------------------


def test_weights_are_of_equal_bins_of_the_present_range_on_the_scale_of_the_parameter():
    values = drawn(LR, Prior.of(LR, [0, 3, 1, 0]))
    assert share(values, 1e-3, 1e-2) == pytest.approx(0.75, abs=0.02)
    assert share(values, 1e-2, 1e-1) == pytest.approx(0.25, abs=0.02)
    narrow = LR.with_range((1e-2, 1))
    assert Prior.of(narrow, [1, 2]).bounds == (1e-2, 1)


def test_weights_of_choices_go_by_their_order_or_by_a_dict_in_which_the_others_have_none():
    assert Prior.of(SOLVER, [1, 2, 4]).weights == (0.25, 0.5, 1)
    assert Prior.of(SOLVER, {None: 2, "adam": 1}).weights == (0.5, 0, 1)
    assert Prior.of(DiscreteParameterRange("c", ["weights", "b"]), {"weights": 3}).weights == (1, 0)
    assert Prior.of(SOLVER, {"weights": [0, 1, 1], "beta": 3}) == Prior((0, 1, 1), None, 3.0)


def test_a_function_is_asked_for_each_bin_step_or_choice():
    assert Prior.of(LAYERS, lambda layers: layers).weights == tuple(layers / 8 for layers in range(1, 9))
    assert Prior.of(SOLVER, lambda solver: solver is None).weights == (0, 0, 1)
    bell = Prior.of(X, lambda x: math.exp(-((x - 7) ** 2)))
    assert len(bell.weights) == 64
    assert 6.9 < 10 * (np.argmax(bell.weights) + 0.5) / 64 < 7.1


def test_a_range_of_its_own_and_numpy_weights_are_taken():
    prior = Prior.of(X, {"weights": np.array([1, 2]), "range": (2, 4)})
    assert prior.bounds == (2.0, 4.0)
    assert prior.weights == (0.5, 1.0)
    assert prior.to_dict() == {"weights": (0.5, 1.0), "range": (2.0, 4.0)}
    assert Prior.of(X, prior.to_dict()) == prior


@pytest.mark.parametrize(
    ("leaf", "wrong", "words"),
    [
        (X, "high", "sequence of weights"),
        (X, 3, "sequence of weights"),
        (X, [1], "at least 2 bins"),
        (X, [1] * 1001, "at most 1000"),
        (X, [1, -1], "at least 0"),
        (X, [1, math.nan], "at least 0"),
        (X, [1, math.inf], "at least 0"),
        (X, [1, "2"], "at least 0"),
        (X, [1, 10**400], "at least 0"),
        (X, [0, 0], "None removes a prior"),
        (X, {"weight": [1, 2]}, "weights"),
        (X, {"range": (0, 1)}, "lacks its 'weights'"),
        (X, {"weights": [1, 2], "range": (4, 1)}, "must rise"),
        (X, {"weights": [1, 2], "range": 4}, "pair"),
        (X, {"weights": [1, 2], "beta": 0}, "above 0"),
        (X, {"weights": [1, 2], "beta": None}, "above 0"),
        (LR, {"weights": [1, 2], "range": (0, 1)}, "above 0"),
        (SOLVER, [1, 2], "each of its 3 choices"),
        (SOLVER, {"adma": 1}, "adam"),
        (SOLVER, {"weights": [1, 2, 3], "range": (0, 1)}, "no range"),
    ],
)
def test_what_is_no_prior_is_refused_in_words(leaf, wrong, words):
    with pytest.raises(ValueError, match=words) as error:
        Prior.of(leaf, wrong)
    assert leaf.name in str(error.value)


ODD = [10**400, -(10**400), 1e308, 1e-320, math.nan, math.inf, "", "x", b"a", 1j, (), "weights", "adam"]
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 12) | st.floats() | st.sampled_from(ODD),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["weights", "range", "beta", "adam", 3]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.sampled_from([X, LR, LAYERS, SOLVER]), JUNK | st.fixed_dictionaries({"weights": JUNK, "range": JUNK}))
def test_anything_is_a_prior_that_makes_sense_or_a_sentence(leaf, anything):
    prior, sentence = None, ""
    try:
        prior = Prior.of(leaf, anything)
    except ValueError as error:
        sentence = str(error)
    if prior is None:
        assert leaf.name in sentence
        return
    assert max(prior.weights) == 1
    assert min(prior.weights) >= 0
    assert all(leaf.contains(value) for value in drawn(leaf, prior)[::400])
    assert Prior.from_json(leaf, json.loads(json.dumps(prior.to_json()))) == prior


@pytest.mark.parametrize("priors", [3, None, ["x"], "x"])
def test_priors_map_names_to_weights(priors):
    with pytest.raises(ValueError, match="map names"):
        Space([X]).with_priors(priors)


def test_what_a_function_raises_comes_through():
    with pytest.raises(ZeroDivisionError):
        Prior.of(X, lambda _x: 1 / 0)


# Sampling --------------------------------------------------------------------------------------------------------


@given(st.data(), space_examples.leaves(), st.floats(0, 1))
def test_values_stay_in_the_range_whatever_the_prior(data, leaf, exponent):
    sizes = (len(leaf.declared),) * 2 if leaf.kind == "choice" else (2, 50)
    weights = data.draw(st.lists(st.floats(0, 1e6) | st.just(0.0), min_size=sizes[0], max_size=sizes[1]).filter(any))
    if leaf.range[0] == leaf.range[-1] and leaf.kind != "choice":
        return
    prior = Prior.of(leaf, weights)
    u = np.array(data.draw(space_examples.unit_numbers))
    bent = prior.bent(u, leaf, leaf, np.full(len(u), exponent))
    assert ((bent >= 0) & (bent < 1)).all()
    assert all(leaf.contains(value) for value in leaf.from_unit(bent))
    heights = prior.heights(leaf.from_unit(bent), leaf)
    assert ((heights >= FLOOR) & (heights <= 1)).all()


@given(space_examples.leaves(), space_examples.unit_numbers)
def test_a_flat_prior_changes_nothing(leaf, unit):
    if leaf.kind != "choice" and leaf.range[0] == leaf.range[1]:
        return
    u = np.array(unit)
    prior = Prior.of(leaf, [3.0] * (len(leaf.declared) if leaf.kind == "choice" else 7))
    assert prior.bent(u, leaf, leaf, np.ones(len(u))) == pytest.approx(u, abs=1e-9)


@given(st.lists(st.floats(0, 1), min_size=8, max_size=8).filter(any))
def test_each_step_is_drawn_as_often_as_its_weight_says(weights):
    prior = Prior.of(LAYERS, weights)
    values = drawn(LAYERS, prior)
    expected = prior.heights(list(range(1, 9)), LAYERS)
    assert [np.mean(np.equal(values, layers)) for layers in range(1, 9)] == pytest.approx(
        expected / expected.sum(), abs=1e-3
    )


def test_a_narrower_range_cuts_the_prior_and_a_wider_one_goes_on_with_its_ends():
    prior = Prior.of(X, [0, 0, 1, 3, 0])
    cut = X.with_range((4, 8))
    assert share(drawn(cut, prior, column=X), 6, 8) == pytest.approx(0.75, abs=0.02)
    wide = X.with_range((0, 20))
    rising = Prior.of(X, [0, 1])
    assert share(drawn(wide, rising, column=X), 5, 20) > 0.98
    assert rising.heights([20.0], X) == 1


def test_choices_that_are_left_keep_their_weights():
    left = SOLVER.with_range(["sgd", None])
    values = drawn(left, Prior.of(SOLVER, [5, 1, 3]), column=SOLVER)
    assert np.mean([value is None for value in values]) == pytest.approx(0.75, abs=0.02)


def test_a_range_of_very_many_steps_is_drawn_from_at_once():
    wide = UniformIntegerParameterRange("n", 0, 2**50)
    assert share(drawn(wide, Prior.of(wide, [0, 1])), 2**49, 2**50) > 0.98


# Fading ----------------------------------------------------------------------------------------------------------


@given(st.floats(0.1, 100), st.integers(0, 10_000))
def test_the_exponent_is_beta_over_n_at_most_one_and_never_rises(beta, n):
    prior = Prior((1.0, 0.5), (0, 1), beta)
    assert prior.exponent(n) == pytest.approx(min(1, beta / max(n, 1)))
    assert prior.exponent(n + 1) <= prior.exponent(n)


def test_with_more_trials_what_is_drawn_comes_nearer_to_even():
    prior = Prior.of(X, [0, 0, 0, 0, 1])
    shares = [share(drawn(X, prior, prior.exponent(n)), 8, 10) for n in (0, 10, 30, 100, 1000, 100_000)]
    assert shares[0] == shares[1] == pytest.approx(1 / (1 + 4 * FLOOR), abs=0.01)
    assert all(later < earlier for earlier, later in itertools.pairwise(shares[1:]))
    assert shares[-1] == pytest.approx(0.2, abs=0.001)
    assert prior.beta == BETA == 10


# In a space and its history --------------------------------------------------------------------------------------


SPACE = Space([X, LR, LAYERS, SOLVER])


def test_a_space_keeps_priors_through_json_pickle_and_other_ranges():
    space = SPACE.with_priors({"x": [1, 2], "solver": {"sgd": 1}}, 7)
    assert SPACE.priors == {}
    for other in (
        Space.from_dict(json.loads(json.dumps(space.to_dict()))),
        pickle.loads(pickle.dumps(space)),
        space.with_ranges({"x": (1, 2)}),
    ):
        assert other.priors == space.priors
        assert other.priors["x"].since == 7
    assert space != SPACE
    assert "priors" not in SPACE.to_dict()
    assert set(space.with_priors({"x": None}).priors) == {"solver"}


@pytest.mark.parametrize(
    "form", [{"weights": "ab"}, {"weights": [1, 2], "since": -1}, {"weights": [1, 2], "age": 0.5}, {}]
)
def test_a_damaged_prior_is_no_space(form):
    with pytest.raises(ValueError, match="prior"):
        Space.from_dict(SPACE.to_dict() | {"priors": {"x": form}})


def test_an_unknown_name_is_told_with_the_nearest_one():
    with pytest.raises(ValueError, match="layers"):
        SPACE.with_priors({"layer": [1, 2]})


def test_a_prior_is_an_epoch_that_undo_takes_back_and_redo_brings_as_old_as_it_is():
    history = RangeHistory(SPACE)
    mark = history.set_priors({"x": [1, 2]}, 10)
    assert (mark.epoch, mark.changed, mark.changed_priors) == (1, {}, ("x",))
    assert history.space.priors["x"].age == 0
    assert history.set_priors({"x": [1, 2]}, 10) is None
    history.set_ranges({"x": (0, 5)}, 30)
    assert (history.space.priors["x"].since, history.space.priors["x"].age) == (10, 20)
    history.undo(35)
    history.undo(40)
    assert history.space.priors == {}
    assert history.marks[-1].changed_priors == ("x",)
    history.redo(50)
    assert history.space.priors["x"].age == 40
    assert history.set_priors({"x": None}, 60).changed_priors == ("x",)


def test_priors_alone_begin_no_other_ranges():
    history = RangeHistory(SPACE)
    history.set_priors({"x": [1, 2]}, 1)
    assert ranges_since(history.marks) == 0
    history.set_ranges({"x": (0, 5)}, 2)
    history.set_priors({"x": None}, 3)
    assert ranges_since(history.marks) == 2


def test_unit_numbers_of_a_space_follow_its_priors_and_age_with_each_draw():
    space = SPACE.with_priors({"x": {"weights": [0, 0, 0, 1], "beta": 5}})
    u = np.random.default_rng(1).random((2000, space.num_dimensions))
    first, late = space.follow_priors(u, 0), space.follow_priors(u, 10**6)
    assert share([point["x"] for point in space.points(first[:5])], 7.5, 10) > 0.75
    assert np.abs(late - u).max() < 1e-3
    assert (first[:, 1:] == u[:, 1:]).all()
    assert SPACE.follow_priors(u, 0) is u


def test_a_prior_holds_in_each_combination_of_a_parameter_set():
    space = Space(
        [
            ParameterSet(
                [
                    {"kind": "a", "c": DiscreteParameterRange("c", [1, 2])},
                    {"kind": "b", "c": DiscreteParameterRange("c", [2, 3])},
                ]
            )
        ]
    ).with_priors({"c": {2: 1}})
    u = np.random.default_rng(1).random((10, space.num_dimensions))
    points = space.points(space.follow_priors(u, 0))
    assert {point["kind"] for point in points} == {"a", "b"}
    assert sum(point["c"] == 2 for point in points) >= 9


@pytest.mark.parametrize(("low", "exponents"), [(0, (-4, 0)), (1, (0, 2))])
def test_a_weight_belongs_to_a_value_whichever_scale_a_combination_draws_it_on(low, exponents):
    log = LogUniformParameterRange("x", *exponents)
    even = UniformParameterRange("x", low, log.range[1])
    space = Space([ParameterSet([{"kind": "a", "x": even}, {"kind": "b", "x": log}])]).with_priors({"x": [0, 1]})
    above = (low + log.range[1]) / 2, log.range[1]
    part = share(log.from_unit(MANY), *above)
    values = drawn(log, space.priors["x"], column=space.leaf("x"))
    assert share(values, *above) == pytest.approx(part / (part + FLOOR * (1 - part)), abs=0.01)
    u = np.random.default_rng(1).random((10, space.num_dimensions))
    assert {point["kind"] for point in space.points(space.follow_priors(u, 0))} == {"a", "b"}
