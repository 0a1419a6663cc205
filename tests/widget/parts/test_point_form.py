"""The form for a point to be tried: where its values come from, what is checked, what is queued."""

from __future__ import annotations

import threading

import pytest

from hpo_widgets import HyperParameterOptimizer
from hpo_widgets.parameters import LogUniformParameterRange, ParameterSet, UniformParameterRange
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import OptimizerWidget
from hpo_widgets.widget.parts.point_form import PointForm
from tests.conftest import DEADLINE
from tests.runs import X, identity, wait_for

BEST = {"lr": 0.003739, "dropout": 0.125, "layers": 3, "activation": "tanh"}


@pytest.fixture
def filled(search):
    search.add_trial(0.25, BEST)
    search.add_trial(0.5)
    return search


def values(form):
    return {field["name"]: field["value"] for field in form.fields}


def test_what_was_clicked_is_completed_from_the_best_trial(show, filled):
    form = show(PointForm, filled, point={"lr": 0.01})
    assert values(form) == {"lr": "0.01", "dropout": "0.125", "layers": "3", "activation": "1"}
    assert form.sentence == "The other values are those of trial #0, the best."


def test_without_a_trial_it_is_completed_from_the_middle(show, search):
    form = show(PointForm, search, point={"lr": 0.01})
    assert values(form) == {"lr": "0.01", "dropout": "0.25", "layers": "4", "activation": "1"}
    assert "middle of the ranges" in form.sentence


def test_a_variation_has_all_values_of_the_trial(show, filled, wire, refresh):
    panel = show(OptimizerWidget, filled, selected=[0])
    refresh(panel)
    wire.browser_says(panel._details, kind="vary", number=0)
    assert panel.point == BEST
    form = panel._point_form
    assert (values(form)["lr"], form.sentence) == ("0.003739", "")


def test_values_outside_the_present_ranges_are_named_as_they_are_typed(show, filled, wire):
    filled.command("set_range", "activation", ["relu", "logistic"])
    form = show(PointForm, filled, point=BEST)
    assert form.sentence == "Outside the ranges, but runs all the same: activation."
    typed = values(form)
    wire.browser_says(form, kind="edit", values=typed | {"lr": "5", "layers": "9"})
    assert form.sentence == "Outside the ranges, but runs all the same: lr, layers, activation."
    wire.browser_says(form, kind="edit", values=typed | {"activation": "0"})
    assert form.sentence == ""
    form.point = {"lr": 5.0}
    assert form.sentence == (
        "The other values are those of trial #0, the best. Outside the ranges, but runs all the same: lr, activation."
    )


def test_a_point_is_queued_next_and_the_form_closes(show, filled, wire, refresh):
    panel = show(OptimizerWidget, filled, point={"lr": 0.01})
    form = panel._point_form
    typed = values(form) | {"dropout": " 2e-1 ", "layers": "5"}
    wire.browser_says(form, kind="queue", id="1", values=typed)
    wanted = {"lr": 0.01, "dropout": 0.2, "layers": 5, "activation": "tanh"}
    assert filled.commands == [("enqueue_trial", wanted)]
    assert form.answer == {"id": "1", "fields": {}, "problem": ""}
    assert (panel.point, form.fields) == ({}, [])
    queued = filled.trial(2)
    assert (queued.enqueued, queued.state, queued.parameters) == (True, TrialState.QUEUED, wanted)


@pytest.mark.parametrize(
    ("name", "typed", "problem"),
    [
        ("lr", "small", "Type a number"),
        ("lr", "", "Give a value."),
        ("lr", "1e999", "Type a number"),
        ("lr", "nan", "Type a number"),
        ("lr", "-1", "above 0"),
        ("layers", "2.5", "Type a whole number."),
        ("dropout", "0.9", "The limit is 0.8."),
        ("dropout", "-0.1", "The limit is 0."),
        ("activation", "7", "Choose a value."),
        ("activation", "relu", "Choose a value."),
        ("activation", "", "Give a value."),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_not_queued(show, wire, name, typed, problem):
    search = ScriptedSearch(limits={"dropout": (0.0, 0.8)})
    form = show(PointForm, search, point=BEST)
    wire.browser_says(form, kind="queue", id="1", values=values(form) | {name: typed})
    assert list(form.answer["fields"]) == [name]
    assert problem in form.answer["fields"][name]
    assert search.commands == []
    assert form.point == BEST


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        (LogUniformParameterRange("f", -4.5, -0.5), 10**-0.5),
        (UniformParameterRange("f", 1e6, 1e6 + 1), 1e6 + 0.25),
    ],
    ids=["at the end", "close together"],
)
def test_what_the_form_offers_can_be_queued_as_it_is(show, wire, parameter, value):
    search = ScriptedSearch([parameter], limits={"f": parameter.range})
    form = show(PointForm, search, point={"f": value})
    wire.browser_says(form, kind="queue", id="1", values=values(form))
    assert form.answer == {"id": "1", "fields": {}, "problem": ""}
    assert search.commands == [("enqueue_trial", {"f": value})]


def test_parameters_of_other_combinations_may_be_empty_and_what_does_not_fit_together_is_said(show, wire):
    search = ScriptedSearch(
        [ParameterSet([{"solver": "adam", "beta": UniformParameterRange("beta", 0.0, 1.0)}, {"solver": "sgd"}])]
    )
    search.add_trial(0.5, {"solver": "sgd"})
    form = show(PointForm, search, point={"solver": "sgd"})
    given = values(form)
    assert given["beta"] == ""
    wire.browser_says(form, kind="queue", id="1", values=given)
    assert search.commands == [("enqueue_trial", {"solver": "sgd"})]
    form.point = {"solver": "sgd"}
    wire.browser_says(form, kind="queue", id="2", values=given | {"beta": "0.5"})
    assert "no combination" in form.answer["problem"]
    assert form.answer["fields"] == {"beta": "Leave this empty."}
    wire.browser_says(form, kind="queue", id="3", values=given | {"solver": "0"})
    assert form.answer["fields"] == {"beta": "Give a value."}
    assert len(search.commands) == 1


def test_what_is_typed_is_the_point_of_the_panel_and_the_fields_stay_as_they_are(show, filled, wire):
    panel = show(OptimizerWidget, filled, point={"lr": 0.01})
    form = panel._point_form
    offered = values(form)
    wire.clear()
    wire.browser_says(form, kind="edit", values=offered | {"dropout": "0.3"})
    assert panel.point == {"lr": 0.01, "dropout": 0.3, "layers": 3, "activation": "tanh"}
    assert wire.updates(form) == []
    for typed in ("0.3e", "-", "high", ""):  # half of a number, and none
        wire.browser_says(form, kind="edit", values=offered | {"dropout": typed})
    assert panel.point["dropout"] == 0.3
    wire.browser_says(form, kind="cancel")
    assert (panel.point, form.fields) == ({}, [])
    wire.browser_says(form, kind="edit", values=offered)
    assert panel.point == {}


@pytest.mark.parametrize("content", [{}, {"values": 3, "id": "1"}, {"values": {"lr": 1}, "id": 2}], ids=str)
def test_nonsense_of_a_page_queues_nothing(show, filled, wire, content):
    form = show(PointForm, filled, point={"lr": 0.01})
    for kind in ("queue", "edit"):
        wire.browser_says(form, kind=kind, **content)
    assert filled.commands == []
    assert form.point == {"lr": 0.01}


def test_a_search_that_takes_no_points_says_why(show, filled, refresh):
    filled.refuse("enqueue_trial", "The search has ended.")
    form = show(PointForm, filled, point={"lr": 0.01})
    refresh(form)
    assert form.commands == {"enqueue_trial": "The search has ended.", "add_trial": None, "edit": None}


def test_a_result_is_recorded_with_the_point_and_the_form_closes(show, filled, wire):
    panel = show(OptimizerWidget, filled, point={"lr": 0.01})
    form = panel._point_form
    assert form.objectives == ["validation / loss"]
    wire.browser_says(form, kind="record", id="1", values=values(form) | {"layers": "5"}, results=[" 1e-3 "])
    wanted = {"lr": 0.01, "dropout": 0.125, "layers": 5, "activation": "tanh"}
    assert filled.commands == [("add_trial", wanted, [0.001])]
    assert form.answer == {"id": "1", "fields": {}, "problem": ""}
    assert panel.point == {}
    assert (filled.trial(2).is_recorded, filled.trial(2).value) == (True, 0.001)


def test_what_is_wrong_with_a_result_or_its_point_is_said_and_nothing_is_recorded(show, wire):
    search = ScriptedSearch(titles=["error", "size"], series=["error", "size"], signs=["min", "min"])
    form = show(PointForm, search, point=BEST)
    typed = values(form)
    wire.browser_says(form, kind="record", id="1", values=typed | {"lr": "small"}, results=["0.5", "nan"])
    assert list(form.answer["fields"]) == ["lr"]
    assert list(form.answer["results"]) == ["1"]
    wire.browser_says(form, kind="record", id="2", values=typed | {"lr": "small"}, results=["0.5", "1"])
    assert (list(form.answer["fields"]), form.answer.get("results")) == (["lr"], None)
    wire.browser_says(form, kind="record", id="3", values=typed, results=["0.5"])
    assert search.commands == []
    assert form.point == BEST


def test_with_a_real_search_the_result_is_a_trial_that_did_not_run(show, tmp_path, wire):
    made = HyperParameterOptimizer(identity, [X], journal=tmp_path / "journals")
    form = show(PointForm, made, point={"x": 0.25})
    wire.browser_says(form, kind="record", id="1", values={"x": "0.25"}, results=["0.5"])
    assert (made.trial(0).parameters, made.trial(0).value, made.trial(0).is_recorded) == ({"x": 0.25}, 0.5, True)
    assert made.errors == []


def test_a_choice_that_is_added_while_the_form_is_open_is_offered_there(show, search, refresh, wire):
    form = show(PointForm, search)
    form.point = {"lr": 0.01}
    search.command("add_choices", "activation", ["gelu"])
    refresh(form)
    fields = {field["name"]: field for field in form.fields}
    assert fields["activation"]["choices"] == ["relu", "tanh", "logistic", "gelu"]
    values = {name: field["value"] for name, field in fields.items()} | {"activation": "3"}
    wire.browser_says(form, kind="queue", id="1", values=values)
    assert search.commands[-1][1]["activation"] == "gelu"


def test_choices_are_looked_up_only_when_the_space_has_changed(show, search, refresh, monkeypatch):
    form = show(PointForm, search, point={"lr": 0.01})
    refresh(form)
    asked = []
    leaf = type(search.space).leaf
    monkeypatch.setattr(type(search.space), "leaf", lambda space, name: (asked.append(name), leaf(space, name))[1])
    search.add_trial(0.5)
    refresh(form)
    assert asked == []
    search.command("set_range", "activation", ["relu"])
    asked.clear()
    refresh(form)
    assert asked == ["activation"]


def constrained(tmp_path, constraint):
    return HyperParameterOptimizer(identity, [X], constraint=constraint, journal=tmp_path, total_max_jobs=1)


def test_a_point_that_the_constraint_refuses_is_told_before_the_press_and_not_queued_by_it(show, tmp_path, wire):
    search = constrained(tmp_path, lambda x: x < 0.5)
    form = show(PointForm, search, point={"x": 0.25})
    wait_for(lambda: not form.sentence, "no answer")
    assert form.refusal == ""
    wire.browser_says(form, kind="edit", values={"x": "0.75"})
    wait_for(lambda: form.refusal, "no answer")
    assert form.refusal == "The constraint <lambda>(x) does not allow this point."
    wire.browser_says(form, kind="queue", id="1", values={"x": "0.75"})
    assert form.answer == {"id": "1", "fields": {}, "problem": form.refusal}
    wire.browser_says(form, kind="edit", values={"x": "0.3"})
    wait_for(lambda: not form.sentence, "no answer")
    assert form.refusal == ""
    wire.browser_says(form, kind="queue", id="2", values={"x": "0.3"})
    wait_for(lambda: search.num_waiting_points, "it was not queued")
    assert form.point == {}


def test_what_the_constraint_raises_is_told_before_the_press(show, tmp_path):
    form = show(PointForm, constrained(tmp_path, lambda x: 1 / x > 0), point={"x": 0.0})
    wait_for(lambda: form.refusal, "no answer")
    assert form.refusal.startswith("constraint <lambda>(x) raised ZeroDivisionError")


def test_a_result_is_recorded_though_the_constraint_refuses_its_point(show, tmp_path, wire):
    search = constrained(tmp_path, lambda x: x < 0.5)
    form = show(PointForm, search, point={"x": 0.75})
    wire.browser_says(form, kind="record", id="1", values={"x": "0.75"}, results=["0.1"])
    wait_for(lambda: len(search.snapshot()), "it was not recorded")


def test_a_constraint_that_takes_long_is_waited_for_by_nobody_and_asked_only_about_the_newest_point(
    show, tmp_path, wire
):
    may_answer, asked = threading.Event(), []

    def is_slow(x):
        if threading.current_thread() is not threading.main_thread():
            asked.append(x)
            assert may_answer.wait(DEADLINE)
        return x != 0.75

    search = constrained(tmp_path, is_slow)
    form = show(PointForm, search, point={"x": 0.125})
    for typed in ("0.25", "0.5", "0.75"):
        wire.browser_says(form, kind="edit", values={"x": typed})
    assert form.sentence == "Waits for the answer of the constraint is_slow(x)."
    wire.browser_says(form, kind="queue", id="1", values={"x": "0.75"})
    assert "has not answered yet" in form.answer["problem"]
    assert form.point == {"x": 0.75}
    may_answer.set()
    wait_for(lambda: form.refusal, "no answer")
    assert form.refusal == "The constraint is_slow(x) does not allow this point."
    assert (form.sentence, asked) == ("", [0.125, 0.75])
    assert search.num_waiting_points == 0


def test_a_press_on_run_again_does_not_wait_for_a_slow_constraint(tmp_path):
    may_answer = threading.Event()

    def is_slow(x):
        return threading.current_thread() is threading.main_thread() or may_answer.wait(DEADLINE)

    search = constrained(tmp_path, is_slow)
    number = search.add_trial({"x": 0.5}, 0.5)
    search.command("retry", number)
    assert search.num_waiting_points == 0
    may_answer.set()
    wait_for(lambda: search.num_waiting_points == 1, "it was not queued")
