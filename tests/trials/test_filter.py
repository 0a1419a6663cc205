"""Which trials pass a filter, and what a filter refuses."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from hpo_widgets.parameters import DiscreteParameterRange, ParameterSet, UniformParameterRange
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.trials.filter import TrialFilter, checked_box

KEY = "validation/loss"


@pytest.fixture
def search():
    made = ScriptedSearch()
    for number, lr in enumerate((1e-4, 1e-3, 1e-2, 1e-1)):
        point = {"lr": lr, "dropout": 0.1 * number, "layers": number + 1, "activation": ("relu", "tanh")[number % 2]}
        made.add_trial(1.0 - 0.1 * number, point)
    made.command("set_tags", 1, ["baseline"])
    made.command("set_tags", 3, ["talk", "3 seeds"])
    made.set_ranges({"lr": (1e-3, 1e-2)})
    made.add_trial(0.05, {"lr": 2e-3, "dropout": 0.5, "layers": 6, "activation": "logistic"})
    made.add_trial(None, {"lr": 2e-3, "dropout": 0.5, "layers": 6, "activation": "relu"}, state=TrialState.FAILED)
    return made


def passing(search, **fields):
    chosen = TrialFilter.from_dict(fields).checked(search.space, search.objectives, len(search.epochs))
    return np.flatnonzero(chosen.passing(search.snapshot(), search.space, search.objectives)).tolist()


@pytest.mark.parametrize(
    ("fields", "numbers"),
    [
        ({}, [0, 1, 2, 3, 4, 5]),
        ({"top_k": 2}, [3, 4]),
        ({"top_k": 100}, [0, 1, 2, 3, 4]),
        ({"states": ["failed"]}, [5]),
        ({"states": (TrialState.COMPLETED, "failed")}, [0, 1, 2, 3, 4, 5]),
        ({"epochs": (1,)}, [4, 5]),
        ({"inside": True}, [1, 2, 4, 5]),
        ({"tags": ["baseline", "3 seeds"]}, [1, 3]),
        ({"tags": ("nobody",)}, []),
        ({"within": {"lr": (1e-3, 2e-3)}}, [1, 4, 5]),
        ({"within": {"lr": (None, 1e-3)}}, [0, 1]),
        ({"within": {"layers": (2, 3)}}, [1, 2]),
        ({"within": {"activation": ["tanh", "logistic"]}}, [1, 3, 4]),
        ({"within": {KEY: (0.0, 0.75)}}, [3, 4]),
        ({"within": {KEY: (0.75, math.inf)}, "inside": True}, [1, 2]),
        ({"top_k": 3, "states": ["completed"], "epochs": [0]}, [2, 3]),
    ],
    ids=str,
)
def test_a_trial_passes_when_it_meets_all_conditions(search, fields, numbers):
    assert passing(search, **fields) == numbers


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"topk": 3}, r"no field 'topk'\. Did you mean 'top_k'\?"),
        ({"top_k": 0}, "top_k is a whole number from 1 on, got 0"),
        ({"top_k": True}, "top_k is a whole number"),
        ({"top_k": 1.5}, "top_k is a whole number"),
        ({"states": ["complete"]}, r"'complete' is not a state of a trial\. Did you mean 'completed'\?"),
        ({"states": "completed"}, "states is a tuple"),
        ({"epochs": 1}, "epochs is a tuple"),
        ({"epochs": [-1]}, "an entry of epochs is a whole number from 0 on"),
        ({"epochs": [7]}, "versions of the space that do not exist: 7; the search has had 2"),
        ({"tags": "talk"}, "tags is a tuple"),
        ({"tags": [3]}, "tags are a list of words"),
        ({"within": ["lr"]}, "within maps names to ranges"),
        ({"within": {"Lr": (0, 1)}}, r"no parameter and no objective 'Lr'\. Did you mean 'lr'\?"),
        ({"within": {"validation/los": (0, 1)}}, "Did you mean 'validation/loss'"),
        ({"within": {"lr": 0.1}}, r"the range of 'lr' is \(low, high\)"),
        ({"within": {"lr": (0.1,)}}, r"the range of 'lr' is a pair"),
        ({"within": {"lr": (0.1, 0.01)}}, "must rise from low to high"),
        ({"within": {"lr": ("a", 1)}}, "a bound of 'lr' is a number"),
        ({"within": {"lr": (math.nan, 1)}}, "a bound of 'lr' is a number"),
        ({"within": {"activation": ["relo"]}}, "Did you mean 'relu'"),
        ({"within": {"activation": []}}, "the choices of 'activation' are empty"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused_in_words(search, fields, message):
    with pytest.raises(ValueError, match=message):
        passing(search, **fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"within": {"Lr": (0, 1)}}, r"no parameter and no objective 'Lr'\. Did you mean 'lr'\?"),
        ({"within": {"validation/los": (0, 1)}}, "Did you mean 'validation/loss'"),
        ({"within": {"lr": (0.1, 0.01)}}, "must rise from low to high"),
        ({"within": {"activation": ["relo"]}}, "Did you mean 'relu'"),
        ({"epochs": [7]}, "versions of the space that do not exist: 7"),
    ],
    ids=str,
)
@pytest.mark.parametrize("form", [TrialFilter.from_dict, dict], ids=["filter", "dict"])
def test_a_filter_that_makes_no_sense_exports_nothing(search, tmp_path, form, fields, message):
    for export in (search.to_csv, search.to_json):
        with pytest.raises(ValueError, match=message):
            export(tmp_path / "trials", filter=form(fields))
    assert not list(tmp_path.iterdir())


def test_a_filter_of_an_export_may_have_an_open_end_and_be_a_dict(search):
    fields = {"within": {"lr": (None, 1e-3)}}
    for chosen in (fields, TrialFilter.from_dict(fields)):
        assert [trial["number"] for trial in json.loads(search.to_json(filter=chosen))] == passing(search, **fields)
        assert len(search.to_csv(filter=chosen).splitlines()) == 1 + len(passing(search, **fields))


def test_a_condition_can_be_taken_out():
    chosen = TrialFilter(top_k=3, inside=True, within={"lr": (0, 1), "layers": (1, 2)})
    assert chosen.without("top_k").top_k is None
    assert dict(chosen.without("within", "lr").within) == {"layers": (1, 2)}
    assert chosen.without("within") == TrialFilter(top_k=3, inside=True)
    assert chosen.without("epochs") == chosen
    assert chosen.without("top_k").without("inside").without("within").is_empty


def test_filters_are_equal_by_what_they_ask_for_and_cannot_be_changed():
    chosen = TrialFilter(states=["failed", "completed"], within={"lr": [0, 1]})
    assert chosen == TrialFilter(states=("completed", "failed"), within={"lr": (0, 1)})
    assert hash(chosen) == hash(TrialFilter(states=("completed", "failed")))
    with pytest.raises(TypeError):
        chosen.within["lr"] = (2, 3)


def test_a_trial_without_a_parameter_is_inside_the_ranges_and_in_no_interval():
    search = ScriptedSearch(
        [
            ParameterSet([{"solver": "adam", "beta": UniformParameterRange("beta", 0.0, 1.0)}, {"solver": "sgd"}]),
            DiscreteParameterRange("c", [1, "1", None]),
        ]
    )
    search.add_trial(0.5, {"solver": "adam", "beta": 0.5, "c": 1})
    search.add_trial(0.5, {"solver": "sgd", "c": "1"})
    search.set_ranges({"beta": (0.6, 1.0)})
    assert passing(search, inside=True) == [1]
    assert passing(search, within={"beta": (0.0, 1.0)}) == [0]
    assert passing(search, within={"c": ["1"]}) == [1]


@pytest.mark.parametrize("fields", [{"top_k": 3}, {"states": ["failed"]}, {"inside": True}, {"within": {KEY: (0, 1)}}])
def test_a_search_without_trials_has_none_that_pass(fields):
    assert passing(ScriptedSearch(), **fields) == []


def test_a_box_has_the_values_that_are_meant(search):
    assert checked_box({"layers": (None, 3), "activation": ["tanh"]}, search.space) == {
        "layers": (-math.inf, 3),
        "activation": ("tanh",),
    }
    with pytest.raises(ValueError, match="Did you mean 'layers'"):
        checked_box({"layer": (1, 2)}, search.space)


def test_filters_are_compared_whatever_the_choices_are():
    def chosen(*values):
        return TrialFilter(within={"kernel": values})

    ones = chosen(np.ones(3))
    assert ones == chosen(np.ones(3))
    assert hash(ones) == hash(chosen(np.ones(3)))
    assert ones != chosen(np.zeros(3))
    assert ones != chosen(np.ones((3, 3)))
    assert chosen(1, 3) == chosen(1.0, np.int64(3))
    assert chosen(True) != chosen(1)


def test_a_trial_that_is_left_out_passes_only_a_filter_that_asks_for_it(search):
    search.command("leave_out", [3, 4])
    assert passing(search) == [0, 1, 2, 5]
    assert passing(search, top_k=2) == [1, 2]
    assert passing(search, inside=True) == [1, 2, 5]
    assert passing(search, tags=["3 seeds"]) == []
    assert passing(search, states=["left out"]) == [3, 4]
    assert passing(search, states=["left out", "failed"]) == [3, 4, 5]
    assert [trial["state"] for trial in json.loads(search.to_json())].count("left out") == 2
    search.command("take_back", [3, 4])
    assert passing(search, top_k=2) == [3, 4]
