"""The chips of the filter: what they say, what the page may ask for, and what is refused at the form."""

from __future__ import annotations

import numpy as np
import pytest

from hpo_widgets.parameters import DiscreteParameterRange
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials.filter import TrialFilter
from hpo_widgets.widget import OptimizerWidget
from hpo_widgets.widget.parts.filter_bar import FilterBar


@pytest.fixture
def bar(show, search):
    search.add_trials([0.5, 0.25, 0.75, 0.125])
    search.set_ranges({"lr": (1e-3, 1e-2)})
    return show(FilterBar, search)


def texts(bar):
    return [chip["text"] for chip in bar.chips]


def test_each_condition_is_a_chip(bar, refresh):
    bar.filter = {
        "top_k": 50,
        "states": ["pruned", "completed"],
        "epochs": [0, 1],
        "inside": True,
        "within": {
            "dropout": (0.04, 0.25),
            "lr": (None, 0.01),
            "layers": (2, None),
            "activation": ["tanh", "relu"],
            "validation/loss": (None, 0.5),
        },
    }
    refresh(bar)
    assert texts(bar) == [
        "top 50", "completed or pruned", "space 1 or 2", "in range",
        "dropout 0.04 … 0.25", "lr ≤ 0.01", "layers ≥ 2", "activation tanh, relu", "validation / loss ≤ 0.5",
    ]  # fmt: skip
    assert [chip["value"] for chip in bar.chips][-4:] == [[None, 0.01], [2, None], [1, 0], [None, 0.5]]


def test_another_filter_is_shown_whatever_the_choices_are(show, refresh):
    kernels = [np.zeros(3), np.ones(3), np.eye(3)]
    search = ScriptedSearch([DiscreteParameterRange("kernel", kernels)])
    for kernel in [*kernels, kernels[2]]:
        search.add_trial(0.5, {"kernel": kernel})
    panel = show(OptimizerWidget, search)
    for choice, left in ((1, [1, 4]), (2, [2, 4])):
        panel.filter = {"within": {"kernel": (kernels[choice],)}}
        refresh(panel)
        assert (panel._filter_bar.left, [chip["value"] for chip in panel._filter_bar.chips]) == (left, [[choice]])
        assert len(panel._table.order) == left[0]


def test_the_number_left_is_told_while_there_is_a_filter(bar, search, refresh):
    assert bar.left == []
    bar.filter = {"top_k": 3}
    refresh(bar)
    assert bar.left == [3, 4]
    search.add_trial(0.9)
    refresh(bar)
    assert bar.left == [3, 5]
    bar.filter = None
    refresh(bar)
    assert bar.left == []


ASKED = [
    ("top_k", "", " 5 ", TrialFilter(top_k=5)),
    ("states", "", ["failed"], TrialFilter(states=("failed",))),
    ("epochs", "", [1], TrialFilter(epochs=(1,))),
    ("inside", "", True, TrialFilter(inside=True)),
    ("tags", "", ["talk"], TrialFilter(tags=("talk",))),
    ("within", "lr", ["1e-3", ""], TrialFilter(within={"lr": (1e-3, float("inf"))})),
    ("within", "activation", [2], TrialFilter(within={"activation": ("logistic",)})),
    ("within", "validation/loss", ["", "0.3"], TrialFilter(within={"validation/loss": (float("-inf"), 0.3)})),
]


@pytest.mark.parametrize(("condition", "name", "value", "chosen"), ASKED, ids=str)
def test_the_page_adds_and_removes_conditions(bar, wire, refresh, condition, name, value, chosen):
    wire.browser_says(bar, kind="add", id="1", condition=condition, name=name, value=value)
    assert bar.filter == chosen
    assert bar.answer == {"id": "1", "problem": ""}
    refresh(bar)
    wire.browser_says(bar, kind="remove", condition=condition, name=name)
    assert bar.filter.is_empty


REFUSED = [
    ("top_k", "", "0", "Type a whole number from 1 on."),
    ("top_k", "", "many", "Type a whole number"),
    ("top_k", "", "the ten best of them", "Type a whole number"),
    ("top_k", "", "9" * 30, "No search has as many trials: type a smaller number."),
    ("top_k", "", "9" * 5000, "No search has as many trials: type a smaller number."),
    ("states", "", [], "Choose a state."),
    ("tags", "", [], "Choose a tag."),
    ("states", "", ["done"], "'done' is not a state of a trial"),
    ("epochs", "", [7], "do not exist: 7"),
    ("within", "lr", ["", ""], "Type a lower or an upper bound."),
    ("within", "lr", ["a", ""], "Type a number"),
    ("within", "lr", ["0.1", "0.01"], "The range must rise: type a lower bound that is not above the upper one."),
    ("within", "lr", ["nan", ""], "Type a number"),
    ("within", "nothing", ["1", "2"], "no parameter and no objective 'nothing'"),
    ("within", "activation", [9], "are empty"),
    ("within", "lr", None, "Choose a value."),
]


@pytest.mark.parametrize(("condition", "name", "value", "problem"), REFUSED, ids=lambda one: str(one)[:40])
def test_what_makes_no_sense_is_said_at_the_form(bar, wire, condition, name, value, problem):
    wire.browser_says(bar, kind="add", id="7", condition=condition, name=name, value=value)
    assert bar.answer["id"] == "7"
    assert problem in bar.answer["problem"]
    assert bar.filter.is_empty


def test_nonsense_of_a_page_changes_nothing(bar, wire):
    bar.filter = {"top_k": 2}
    for content in (
        {"kind": "add", "condition": "archived", "id": "1", "value": 1},
        {"kind": "add", "condition": ["top_k"], "id": "1", "value": 1},
        {"kind": "add", "condition": "top_k", "value": "3"},
        {"kind": "remove", "condition": "is_empty"},
        {"kind": "remove", "condition": "within", "name": "lr"},
    ):
        wire.browser_says(bar, **content)
        assert bar.filter == TrialFilter(top_k=2)


def test_all_conditions_are_cleared_at_once(bar, wire):
    bar.filter = {"top_k": 2, "inside": True}
    wire.browser_says(bar, kind="clear")
    assert bar.filter.is_empty


def test_the_bar_of_a_panel_filters_its_plots_and_offers_a_point(show, search, wire):
    search.add_trials([0.5, 0.25])
    panel = show(OptimizerWidget, search)
    wire.browser_says(panel._filter_bar, kind="add", id="1", condition="top_k", value="1")
    assert panel.filter == panel.plots["History"].filter == TrialFilter(top_k=1)
    wire.browser_says(panel._filter_bar, kind="try")
    assert panel.point == search.trial(1).parameters
    wire.browser_says(panel._filter_bar, kind="try")
    assert panel.point == {}


def test_a_trial_sends_nothing_to_the_bar_without_a_filter(bar, search, refresh, wire):
    wire.clear()
    search.add_trial(0.5)
    refresh(bar)
    assert wire.updates(bar) == []


def test_tags_that_trials_have_are_offered_and_are_a_chip(bar, search, refresh):
    assert bar.tags == []
    search.command("set_tags", 1, ["talk", "3 seeds"])
    bar.filter = {"tags": ["talk"]}
    refresh(bar)
    assert bar.tags == ["3 seeds", "talk"]
    assert (texts(bar), bar.left) == (["tag talk"], [1, 4])


def test_trials_that_are_left_out_are_no_condition_of_the_filter(show, search, refresh):
    bar = show(FilterBar, search)
    search.add_trials([0.5, 0.25])
    search.command("leave_out", 0)
    refresh(bar)
    assert (bar.left, bar.sentence) == ([], "")


def test_a_choice_that_was_added_can_be_filtered_by(bar, search, refresh, wire):
    search.command("add_choices", "activation", ["gelu"])
    refresh(bar)
    [offered] = [one["choices"] for one in bar.names if one["name"] == "activation"]
    assert offered == ["relu", "tanh", "logistic", "gelu"]
    wire.browser_says(bar, kind="add", condition="within", name="activation", value=[3], id="1")
    refresh(bar)
    assert texts(bar) == ["activation gelu"]
