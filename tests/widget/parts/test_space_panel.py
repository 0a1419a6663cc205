"""The space panel: what the browser asks for becomes one command, and what it shows is the truth."""

from __future__ import annotations

import math

import pytest

from hpo_widgets import HyperParameterOptimizer
from hpo_widgets.parameters import (
    DiscreteParameterRange,
    LogUniformParameterRange,
    ParameterSet,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from hpo_widgets.search import Notice
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import OptimizerWidget, SpacePanel
from hpo_widgets.widget.parts.space_panel import PendingRanges
from tests.runs import identity


@pytest.fixture
def panel(show, search):
    return show(SpacePanel, search)


def described(panel):
    return {parameter["name"]: parameter for parameter in panel.parameters}


def test_tracks_are_in_values_never_in_exponents(panel):
    lr = described(panel)["lr"]
    assert (lr["kind"], lr["low"], lr["high"]) == ("log", pytest.approx(1e-4), pytest.approx(0.1))
    assert panel.ranges["lr"] == [pytest.approx(1e-4), pytest.approx(0.1)]


def test_choices_are_sent_by_label_and_index(show):
    search = ScriptedSearch([DiscreteParameterRange("c", [True, 1, "1", None])])
    panel = show(SpacePanel, search)
    labels = described(panel)["c"]["choices"]
    assert len(set(labels)) == 4
    assert panel.ranges["c"] == [0, 1, 2, 3]


def test_ranges_set_in_the_browser_become_one_command(panel, search, wire):
    wire.browser_says(panel, kind="set_ranges", id=5, ranges={"lr": [0.001, 0.01], "layers": [2, 3]})
    assert search.commands == [("set_ranges", {"lr": (0.001, 0.01), "layers": (2, 3)})]
    assert all(type(bound) is int for bound in search.commands[0][1]["layers"])


def test_an_end_that_was_moved_takes_back_nothing_of_the_other(panel, search, wire):
    search.set_ranges({"lr": (0.001, 0.1), "activation": ("relu", "tanh")})  # the page has not heard of it
    wire.browser_says(panel, kind="set_ranges", id=5, ranges={"lr": {"upper": 0.01}, "activation": {"0": False}})
    assert search.commands == [("set_ranges", {"lr": (0.001, 0.01), "activation": ("tanh",)})]
    wire.browser_says(panel, kind="set_ranges", id=6, ranges={"activation": {"2": True}, "layers": {"lower": 2.0}})
    ranges = search.space.ranges
    assert (ranges["activation"], ranges["layers"]) == (("tanh", "logistic"), (2, 6))
    assert type(ranges["layers"][0]) is int
    assert len(search.epochs) == 4


class LateSearch(ScriptedSearch):
    """Acts on commands when it is told to, as a search with a thread of its own acts on them in its own time."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def command(self, name, *arguments):
        self.asked.append((name, *arguments))

    def catch_up(self):
        for command in self.asked:
            super().command(*command)


def test_an_end_that_is_moved_after_narrowing_keeps_what_was_narrowed(show, wire):
    search = LateSearch()
    panel = show(OptimizerWidget, search, box={"lr": (0.001, 0.01)})
    wire.browser_says(panel._box_bar, kind="narrow")
    wire.browser_says(panel._space_panel, kind="set_ranges", id=5, ranges={"lr": {"lower": 0.002}})
    search.catch_up()
    assert search.space.ranges["lr"] == (0.002, 0.01)
    search.command("undo")
    search.asked = search.asked[-1:]
    search.catch_up()
    assert search.space.ranges["lr"] == (0.001, 0.01)


def test_an_end_that_has_passed_the_other_by_now_is_answered_with_a_sentence(panel, search, wire, refresh):
    search.set_ranges({"lr": (0.001, 0.01)})
    wire.browser_says(panel, kind="set_ranges", id=5, ranges={"lr": {"lower": 0.05}})
    refresh(panel)
    assert "must rise" in search.errors[0].sentence
    assert (panel.answered, panel.ranges["lr"]) == (5, [0.001, 0.01])


def test_choices_come_back_with_their_type(show, wire):
    search = ScriptedSearch([DiscreteParameterRange("c", [True, 1, "1", None])])
    panel = show(SpacePanel, search)
    wire.browser_says(panel, kind="set_ranges", id=5, ranges={"c": [1, 3]})
    ((_, ranges),) = search.commands
    assert [type(choice) for choice in ranges["c"]] == [int, type(None)]
    wire.browser_says(panel, kind="set_ranges", id=6, ranges={"c": {"1": False, "0": True, "2": True}})
    assert [type(choice) for choice in search.space.ranges["c"]] == [bool, str, type(None)]


def test_the_answer_shows_the_new_ranges(panel, wire, refresh):
    wire.clear()
    wire.browser_says(panel, kind="set_ranges", id=5, ranges={"lr": [0.001, 0.01]})
    refresh(panel)
    assert (panel.answered, panel.ranges["lr"]) == (5, [0.001, 0.01])
    last = wire.updates(panel)[-1]
    assert {"answered", "ranges"} <= set(last)


def test_a_refused_request_is_answered_with_the_old_ranges(show, wire, refresh):
    search = ScriptedSearch([UniformParameterRange("x", 0.0, 1.0)], limits={"x": (0.0, 2.0)})
    panel = show(SpacePanel, search)
    wire.browser_says(panel, kind="set_ranges", id=5, ranges={"x": [0.0, 3.0]})
    refresh(panel)
    assert (panel.answered, panel.ranges["x"]) == (5, [0.0, 1.0])
    assert "limits" in search.errors[0].sentence


def test_limits_and_steps_are_told(show):
    search = ScriptedSearch(
        [
            UniformParameterRange("x", 0.0, 1.0, step_size=0.25),
            UniformIntegerParameterRange("n", 1, 9, step_size=2),
            LogUniformParameterRange("b", 0, 4, base=2),
        ],
        limits={"x": (0.0, None)},
    )
    panel = show(SpacePanel, search)
    x, n, b = (described(panel)[name] for name in "xnb")
    assert (x["step"], x["limit_low"], x["limit_high"]) == (0.25, 0.0, None)
    assert (n["kind"], n["step"], n["origin"]) == ("int", 2, 1)
    assert (b["low"], b["high"], b["base"]) == (1.0, 16.0, 2.0)


def test_sections_are_left_out_of_labels_where_that_leaves_no_two_alike(show):
    names = ["General/lr", "Args/depth", "General/depth", "x"]
    panel = show(SpacePanel, ScriptedSearch([UniformParameterRange(name, 0.0, 1.0) for name in names]))
    assert [parameter["label"] for parameter in panel.parameters] == ["lr", "Args/depth", "General/depth", "x"]
    assert [parameter["name"] for parameter in panel.parameters] == names


def test_a_parameter_that_not_every_point_has_says_with_what_it_comes(show):
    search = ScriptedSearch(
        [
            ParameterSet(
                [
                    {"General/solver": "adam", "beta": UniformParameterRange("beta", 0.8, 0.99)},
                    {"General/solver": "sgd", "momentum": UniformParameterRange("momentum", 0.0, 0.95)},
                    {"General/solver": "nadam", "beta": UniformParameterRange("beta", 0.8, 0.99)},
                ]
            ),
            UniformParameterRange("dropout", 0.0, 0.5),
        ]
    )
    needs = {spec["label"]: spec["needs"] for spec in show(SpacePanel, search).parameters}
    assert needs == {
        "solver": "",
        "beta": "only with solver adam or solver nadam",
        "momentum": "only with solver sgd",
        "dropout": "",
    }


def test_a_choice_of_a_set_in_a_set_says_with_what_the_inner_one_comes(show):
    momentum = UniformParameterRange("momentum", 0.0, 0.95)
    inner = ParameterSet([{"nesterov": True, "momentum": momentum}, {"nesterov": False}])
    search = ScriptedSearch([ParameterSet([{"solver": "adam"}, {"solver": "sgd", "inner": inner}])])
    needs = {spec["label"]: spec["needs"] for spec in show(SpacePanel, search).parameters}
    assert needs == {
        "solver": "", "nesterov": "only with solver sgd", "momentum": "only with solver sgd and nesterov True"
    }  # fmt: skip


def test_a_parameter_that_no_point_has_as_its_choices_are_excluded_says_so_until_one_is_back(show, refresh):
    momentum = UniformParameterRange("momentum", 0.0, 0.95)
    inner = ParameterSet([{"nesterov": True, "momentum": momentum}, {"nesterov": False}])
    search = ScriptedSearch(
        [
            ParameterSet(
                [
                    {"solver": "adam", "beta": UniformParameterRange("beta", 0.8, 0.99)},
                    {"solver": "sgd", "inner": inner},
                ]
            )
        ]
    )
    panel = show(SpacePanel, search)

    def unused():
        refresh(panel)
        return {spec["label"]: spec["needs"] for spec in panel.parameters if spec["is_unused"]}

    assert unused() == {}
    search.set_ranges({"solver": ("adam",)})
    assert unused() == {
        "nesterov": "not used now: only with solver sgd",
        "momentum": "not used now: only with solver sgd and nesterov True",
    }
    search.set_ranges({"solver": ("adam", "sgd"), "nesterov": (False,)})
    assert list(unused()) == ["momentum"]
    search.set_ranges({"solver": ("sgd",)})
    assert list(unused()) == ["beta", "momentum"]
    search.command("undo")
    search.command("undo")
    search.command("undo")
    assert unused() == {}
    assert described(panel)["momentum"]["needs"] == "only with solver sgd and nesterov True"


def test_what_has_no_constants_and_is_not_used_says_that_the_ranges_exclude_it(show):
    def x(low, high):
        return UniformIntegerParameterRange("x", low, high)

    search = ScriptedSearch([ParameterSet([{"x": x(0, 1)}, {"x": x(5, 9), "y": UniformParameterRange("y", 0.0, 1.0)}])])
    search.set_ranges({"x": (0, 1)})
    assert described(show(SpacePanel, search))["y"]["needs"] == "not used now, as the ranges exclude its combination"


def test_a_widened_range_widens_the_track_and_undo_keeps_it(panel, search, refresh):
    search.set_ranges({"dropout": (0.0, 0.9)})
    refresh(panel)
    assert described(panel)["dropout"]["high"] == 0.9
    search.command("undo")
    refresh(panel)
    assert described(panel)["dropout"]["high"] == 0.9
    assert panel.ranges["dropout"] == [0.0, 0.5]


@pytest.mark.parametrize(
    ("parameter", "mistyped"),
    [
        (UniformParameterRange("x", 0.0, 1.0), (0.0, 1e5)),
        (UniformParameterRange("x", 0.0, 1.0), (-1e308, 1e308)),
        (UniformIntegerParameterRange("x", 0, 8), (0, 800)),
        (LogUniformParameterRange("x", -4, -1), (1e-30, 0.1)),
    ],
)
def test_a_bound_that_was_mistyped_leaves_the_track_with_undo(show, refresh, parameter, mistyped):
    search = ScriptedSearch([parameter])
    panel = show(SpacePanel, search)
    (declared,) = search.space.ranges.values()
    search.set_ranges({"x": mistyped})
    refresh(panel)
    assert (described(panel)["x"]["low"], described(panel)["x"]["high"]) == mistyped
    search.command("undo")
    refresh(panel)
    assert (described(panel)["x"]["low"], described(panel)["x"]["high"]) == declared
    search.command("redo")
    refresh(panel)
    assert (described(panel)["x"]["low"], described(panel)["x"]["high"]) == mistyped


def typed(panel, wire, name, text, request="1"):
    wire.browser_says(panel, kind="type", name=name, text=text, id=request)
    return panel.answer


def test_a_choice_that_is_typed_is_one_command_and_is_shown_with_its_trials(panel, search, wire, refresh):
    search.add_trials([0.5, 0.25])
    assert typed(panel, wire, "activation", " gelu ") == {"id": "1", "problem": ""}
    assert search.commands == [("add_choices", "activation", ["gelu"])]
    search.add_trial(0.1, {"lr": 0.01, "dropout": 0.1, "layers": 1, "activation": "gelu"})
    refresh(panel)
    assert described(panel)["activation"]["choices"] == ["relu", "tanh", "logistic", "gelu"]
    assert panel.ranges["activation"] == [0, 1, 2, 3]
    assert panel.tried_3[3] == 1
    assert sum(panel.tried_3) == 3
    assert panel.best["point"][3] == 3


def test_a_prior_has_a_bin_for_a_choice_that_was_added(panel, search, wire, refresh):
    search.set_priors({"activation": [1, 0.5, 0.6]})
    typed(panel, wire, "activation", "gelu")
    refresh(panel)
    assert panel.priors["activation"] == [1, 0.5, 0.6, 0.7]
    assert len(panel.histograms["activation"]) == 4


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("activation", "tanh", "'tanh' is there already"),
        ("activation", "relu", "'relu' is there already: tick it"),
        ("activation", " ", "type the new choice"),
        ("activation", "gelu", "the script takes no gelu"),
    ],
)
def test_what_is_wrong_with_a_new_choice_is_said_at_its_field(panel, search, wire, monkeypatch, name, text, problem):
    search.set_ranges({"activation": ("tanh", "logistic")})
    # As of a search whose template refuses it.
    monkeypatch.setattr(search, "command", lambda *_: search.notify("command", "add_choices: the script takes no gelu"))
    assert typed(panel, wire, name, text) == {"id": "1", "problem": problem}
    assert search.space.ranges["activation"] == ("tanh", "logistic")


def test_only_what_is_wrong_with_a_new_choice_is_said_at_its_field(panel, search, wire, monkeypatch):
    told = []

    def command(*_):
        for sentence in told:
            search.notify("command", sentence)

    monkeypatch.setattr(search, "command", command)
    told[:] = ["set_ranges: lr has no such range"]  # of the controller's thread, about an earlier command
    assert typed(panel, wire, "activation", "gelu") == {"id": "1", "problem": ""}
    told[:] = ["add_choices: the script takes no gelu", "set_ranges: lr has no such range"]
    assert typed(panel, wire, "activation", "gelu") == {"id": "1", "problem": "the script takes no gelu"}


def test_only_choices_in_one_list_take_a_new_one(show, wire):
    schedule = DiscreteParameterRange("schedule", ["step", "cosine"])
    sets = ParameterSet([{"solver": "sgd", "schedule": schedule}, {"solver": "adam"}])
    panel = show(SpacePanel, ScriptedSearch([sets, UniformParameterRange("lr", 0, 1)]))
    parameters = described(panel)
    assert (parameters["solver"]["takes_more"], parameters["schedule"]["takes_more"]) == (False, True)
    for name in ("solver", "lr", "nothing"):
        assert typed(panel, wire, name, "lion") == {}
    assert typed(panel, wire, "schedule", "linear") == {"id": "1", "problem": ""}
    assert panel.search.space.ranges["schedule"] == ("step", "cosine", "linear")


@pytest.mark.parametrize("kind", ["undo", "redo"])
def test_undo_and_redo_are_commands(panel, search, wire, kind):
    wire.browser_says(panel, kind=kind)
    assert search.commands == [(kind,)]


def test_reset_is_one_more_epoch_with_the_first_ranges(panel, search, wire):
    first = dict(search.space.ranges)
    search.set_ranges({"lr": (0.001, 0.01)})
    wire.browser_says(panel, kind="reset")
    assert search.commands == [("set_ranges", first)]
    assert len(search.epochs) == 3


def test_what_a_search_cannot_do_is_told_with_the_reason(panel, search, refresh):
    search.refuse("set_ranges", "This search is only watched.")
    refresh(panel)
    assert panel.commands["set_ranges"] == panel.commands["reset"] == "This search is only watched."


@pytest.mark.parametrize("request_id", [None, "5", math.nan, True, [5]], ids=str)
def test_a_request_without_a_number_is_acted_on_all_the_same(panel, search, wire, refresh, request_id):
    wire.browser_says(panel, kind="set_ranges", id=request_id, ranges={"lr": [0.001, 0.01]})
    refresh(panel)
    assert (panel.answered, panel.ranges["lr"]) == (0, [0.001, 0.01])


def test_one_answer_serves_two_views_whose_clocks_differ(panel, wire, refresh):
    with panel._refresher.lock:
        wire.browser_says(panel, kind="set_ranges", id=900, ranges={"lr": [0.001, 0.01]})
        wire.browser_says(panel, kind="set_ranges", id=5, ranges={"lr": [0.002, 0.01]})
        refresh(panel)
    assert (panel.answered, panel.ranges["lr"]) == (900, [0.002, 0.01])


def test_the_best_trial_is_marked_at_its_point(panel, search, refresh):
    assert panel.best == {}
    search.add_trial(0.5, {"lr": 0.01, "dropout": 0.25, "layers": 3, "activation": "tanh"})
    search.add_trial(0.9)
    refresh(panel)
    assert panel.best == {"name": "#0", "point": [0.01, 0.25, 3.0, 1.0]}


def test_of_several_objectives_the_one_of_the_panel_says_what_is_good(show, refresh):
    search = ScriptedSearch(titles=["a", "b"], series=["loss", "accuracy"], signs=["min", "max"])
    others = {"dropout": 0.25, "layers": 3, "activation": "tanh"}
    search.add_trial((0.5, 0.9), {"lr": 0.1, **others})
    search.add_trial((0.1, 0.2), {"lr": 1e-4, **others})
    panel = show(OptimizerWidget, search)
    ranges = panel._space_panel
    refresh(panel)
    assert (ranges.best["name"], ranges.best["point"][0]) == ("#1 by a / loss", 1e-4)
    assert ranges.tried_0[0] > ranges.tried_0[-1]
    panel.objective = 1
    assert (ranges.best["name"], ranges.best["point"][0]) == ("#0 by b / accuracy", 0.1)
    assert ranges.tried_0[0] < ranges.tried_0[-1]
    search.add_trial((0.9, 0.95), {"lr": 0.01, **others})
    refresh(panel)
    assert ranges.best["name"] == "#2 by b / accuracy"


@pytest.mark.parametrize("value", [math.inf, math.nan, None], ids=str)
def test_a_trial_without_a_finite_value_is_not_marked_as_the_best(panel, search, refresh, value):
    search.add_trial(value)
    search.add_trial(value, state=TrialState.FAILED, error="no")
    refresh(panel)
    assert (panel.best, panel.widen_suggestions) == ({}, [])


def crowd_at_the_upper_end_of_lr(search):
    """Add trials that are the better the larger their lr is."""
    for number in range(80):
        place = number * 37 % 80 / 80
        search.add_trial(
            1 - place,
            {"lr": 10 ** (3 * place - 4), "dropout": number % 7 / 14, "layers": number % 5 + 1, "activation": "tanh"},
        )


def test_an_end_at_which_good_trials_crowd_is_told_and_a_single_one_is_not(panel, search, refresh):
    search.add_trial(0.1, {"lr": 0.09, "dropout": 0.25, "layers": 3, "activation": "tanh"})
    search.add_trials([0.5] * 9)
    refresh(panel)
    assert panel.widen_suggestions == []
    crowd_at_the_upper_end_of_lr(search)
    refresh(panel)
    assert panel.widen_suggestions == [{"name": "lr", "end": "upper", "range": [pytest.approx(1e-4), 0.3]}]
    search.set_ranges({"lr": (1e-4, 0.3)})
    refresh(panel)
    assert panel.widen_suggestions == []


def test_a_search_that_cannot_be_steered_is_offered_no_wider_range(panel, search, refresh):
    search.refuse("set_ranges", "This search is only watched.")
    crowd_at_the_upper_end_of_lr(search)
    refresh(panel)
    assert panel.widen_suggestions == []


def test_a_track_that_grows_gets_a_rug_of_its_own(show, refresh):
    search = ScriptedSearch([UniformParameterRange("x", 0.0, 1.0)])
    panel = show(SpacePanel, search)
    search.add_trial(0.5, {"x": 1.0})
    refresh(panel)
    assert panel.tried_0.rstrip()[-1:] == "h"
    assert len(panel.tried_0.rstrip()) == 128
    search.set_ranges({"x": (0.0, 2.0)})
    refresh(panel)
    assert panel.tried_0.rstrip()[-1:] == "8"
    assert len(panel.tried_0.rstrip()) == 65


def test_a_trial_that_is_counted_anew_after_its_end_is_shown_as_it_is_now(show, refresh):
    search = ScriptedSearch([UniformParameterRange("x", 0.0, 1.0)])
    panel = show(SpacePanel, search)
    search.add_trial(0.5, {"x": 1.0})
    refresh(panel)
    search.end_trial(0, state=TrialState.FAILED, error="no")
    refresh(panel)
    assert panel.tried_0.strip() == "X"


def test_reset_says_what_it_does_or_why_not(panel, search, refresh):
    assert panel.commands["reset"] == "The ranges are those of the start."
    search.set_ranges({"layers": (2, 3)})
    refresh(panel)
    assert panel.commands["reset"] is None
    assert panel.undo_labels["reset"] == "Reset: layers to 1 … 6"


def many(count):
    return [
        LogUniformParameterRange(f"General/a rather long name of parameter {index}", -4, -1) for index in range(count)
    ]


@pytest.mark.parametrize(
    ("parameters", "most"),
    [pytest.param(None, 1_000, id="4"), pytest.param(many(64), 9_000, id="64", marks=pytest.mark.slow)],
)
def test_a_trial_at_20000_sends_little_and_the_same_as_at_200(show, wire, refresh, parameters, most):
    search = ScriptedSearch(parameters)
    panel = show(SpacePanel, search)
    sent = {}
    for number in (200, 20_000):
        search.add_trials([1.0 + at / number for at in range(number - len(search.snapshot()))])
        refresh(panel)
        sizes = []
        for value in (1.5, 0.5 / number, 0.25 / number):  # an ordinary trial, and two better than all before
            wire.clear()
            search.add_trial(value)
            refresh(panel)
            sizes.append(wire.num_bytes())
        sent[number] = max(sizes)
    assert sent[20_000] <= most
    assert sent[20_000] <= 1.2 * sent[200]


def test_the_first_view_of_64_parameters_is_small(show, wire):
    search = ScriptedSearch(many(64))
    search.add_trials([1.0 + at / 2_000 for at in range(2_000)])
    wire.clear()
    show(SpacePanel, search)
    # Without the code of the view, which is the same for all.
    states = [
        {k: v for k, v in message.get("state", {}).items() if k not in {"_esm", "_css"}}
        for _, message in wire.messages()
    ]
    assert sum(len(repr(state)) for state in states) < 50_000


class AnsweringSearch:
    """As much of a search as an answer needs; ``meanwhile`` is what another thread does as it is looked at."""

    def __init__(self):
        self.epochs = [0]
        self.meanwhile = lambda: None
        self.notices = []

    @property
    def errors(self):
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        return self.notices


@pytest.fixture
def answering():
    return AnsweringSearch()


def test_a_new_epoch_or_a_notice_is_the_answer(answering):
    pending = PendingRanges()
    pending.ask(answering, 1.0)
    assert pending.answered(answering) is None
    assert pending.is_waiting
    answering.epochs.append(1)
    assert pending.answered(answering) == 1.0
    pending.ask(answering, 2.0)
    answering.notices.append(Notice("command", "no"))
    assert pending.answered(answering) == 2.0
    assert pending.answered(answering) is None


def test_a_request_is_not_answered_while_it_is_being_made(answering):
    pending = PendingRanges()
    answers = []
    answering.meanwhile = lambda: answers.append(pending.answered(answering))
    pending.ask(answering, 1.0)
    assert answers == [None]
    assert pending.is_waiting


@pytest.fixture
def ways(show):
    """What each step would do, as a panel says it."""
    return lambda search: show(SpacePanel, search).undo_labels


def test_nothing_is_said_where_nothing_would_change(ways):
    assert ways(ScriptedSearch()) == {}


def test_each_step_says_which_range_it_changes_to_what(ways):
    search = ScriptedSearch()
    search.set_ranges({"lr": (0.001, 0.01)})
    assert ways(search) == {"undo": "Undo: lr to 1e-4 … 0.1", "reset": "Reset: lr to 1e-4 … 0.1"}
    search.set_ranges({"lr": (0.002, 0.01), "activation": ("relu", "tanh")})
    search.command("undo")
    assert ways(search) == {
        "undo": "Undo: lr to 1e-4 … 0.1",
        "redo": "Redo: lr to 0.002 … 0.01; activation to relu, tanh",
        "reset": "Reset: lr to 1e-4 … 0.1",
    }


def test_a_step_between_choices_that_are_equal_but_of_other_types_is_said(ways):
    search = ScriptedSearch([DiscreteParameterRange("x", [True, 1])])
    search.set_ranges({"x": [True]})
    search.set_ranges({"x": [1]})
    assert ways(search)["undo"] == "Undo: x to True"


def test_what_is_said_is_what_is_done_on_every_way(ways):
    search = ScriptedSearch([UniformParameterRange("x", 0.0, 1.0)])
    steps = [(0.1, 1), (0.2, 1), "undo", "undo", "redo", (0, 1), (0.1, 1), "undo", "redo", "undo", "undo", "redo"]
    for step in steps:
        if isinstance(step, tuple):
            search.set_ranges({"x": step})
            continue
        said = ways(search)[step]
        search.command(step)
        low, high = search.space.ranges["x"]
        assert said == f"{step.capitalize()}: x to {low:g} … {high:g}"


def test_a_range_set_back_by_hand_is_no_undo(ways):
    search = ScriptedSearch([UniformParameterRange("x", 0.0, 1.0)])
    search.set_ranges({"x": (0.5, 1.0)})
    search.set_ranges({"x": (0.0, 1.0)})
    assert ways(search) == {"undo": "Undo: x to 0.5 … 1"}


def test_many_ranges_and_long_names_are_cut_short(ways):
    search = ScriptedSearch(
        [
            DiscreteParameterRange("c" * 300, ["a" * 300, "b"]),
            *(UniformParameterRange(f"p{index}", 0.0, 1.0) for index in range(4)),
        ]
    )
    search.set_ranges(
        {name: search.space.ranges[name][:1] if name[0] == "c" else (0.5, 1.0) for name in search.space.names}
    )
    sentence = ways(search)["undo"]
    assert len(sentence) < 300
    assert sentence.endswith("; 2 more")


# Priors ----------------------------------------------------------------------------------------------------------


def test_a_prior_drawn_in_the_browser_is_one_command_over_the_track(panel, search, wire, refresh):
    lr = described(panel)["lr"]
    weights = [0.0] * 39 + [0.5]
    drawn = {"weights": weights, "range": [lr["low"], lr["high"]]}
    wire.browser_says(panel, kind="set_priors", id=5, priors={"lr": drawn})
    assert search.commands == [("set_priors", {"lr": drawn})]
    refresh(panel)
    assert panel.answered == 5
    assert panel.priors["lr"] == [0.01] * 39 + [1.0]
    wire.browser_says(panel, kind="set_priors", id=6, priors={"lr": None, "activation": {"weights": [0, 1, 0]}})
    refresh(panel)
    assert panel.priors == {"activation": [0.01, 1.0, 0.01]}


def test_a_prior_is_of_the_track_that_the_page_had_when_it_was_drawn(panel, search, wire, refresh):
    dropout = described(panel)["dropout"]
    drawn = {"weights": [0.0, 1.0], "range": [dropout["low"], dropout["high"]]}
    search.set_ranges({"dropout": (0.0, 1.0)})
    refresh(panel)  # of which the page has not heard
    wire.browser_says(panel, kind="set_priors", id=5, priors={"dropout": drawn})
    refresh(panel)
    # Beyond the upper end of what was drawn, 0.5, lies the weight of its last bin.
    assert panel.priors["dropout"] == [0.01] * 10 + [1.0] * 30


def test_a_prior_of_code_is_shown_in_the_bins_of_the_strip(panel, search, refresh):
    search.set_priors({"layers": lambda layers: layers == 3, "lr": {"weights": [0, 1], "range": (1e-3, 1e-2)}})
    refresh(panel)
    parameters = described(panel)
    assert parameters["layers"]["bins"] == len(panel.priors["layers"]) == 6
    assert [index for index, weight in enumerate(panel.priors["layers"]) if weight == 1] == [2]
    assert parameters["lr"]["bins"] == len(panel.priors["lr"]) == 40
    # From the middle of its bins on: half of one of three decades from a decade and a half on.
    assert panel.priors["lr"] == [0.01] * 20 + [1.0] * 20
    assert panel.undo_labels["undo"] == "Undo: lr without a prior; layers without a prior"


def test_how_much_a_prior_still_counts_is_told(panel, search, refresh):
    search.add_trials([1.0] * 5)
    search.set_priors({"layers": lambda layers: layers})
    search.add_trials([1.0] * 20)
    refresh(panel)
    assert panel.prior_exponents == {"layers": 0.5}


def test_an_open_strip_shows_how_often_each_bin_was_tried(panel, search, wire, refresh):
    assert panel.histograms == {}
    for layers in (1, 1, 1, 6):
        search.add_trial(0.5, {"lr": 1e-4, "dropout": 0.1, "layers": layers, "activation": "relu"})
    for name in ("layers", "lr", "activation", "unknown", None):
        wire.browser_says(panel, kind="open_strip", name=name)
    refresh(panel)
    assert panel.histograms == {"layers": "900003", "lr": "9" + "0" * 39, "activation": "900"}


def test_earlier_trials_stay_those_of_the_present_ranges_where_only_a_prior_changed(panel, search, refresh):
    search.add_trial(0.5, {"lr": 1e-2, "dropout": 0.1, "layers": 2, "activation": "relu"})
    search.set_priors({"lr": [1, 2]})
    refresh(panel)
    assert panel.tried_2.strip().isalpha()
    search.set_ranges({"layers": (1, 4)})
    refresh(panel)
    assert panel.tried_2.strip().isdigit()


@pytest.mark.parametrize(
    "sent",
    [
        {"lr": [1, "x"]},
        {"lr": [[]]},
        {"lr": {"weights": 3}},
        {"lr": 7},
        {"lr": [0] * 40},
        {"lr": [1e999, 1]},
        {"lr": {"weights": [1, 2], "range": [0.1, 0.01]}},
        {"lr": {"weights": [1, 2], "range": [-1, 1]}},
        {"lr": {"weights": [1, 2], "range": [10**400, None]}},
        {"lr": {"range": [0.01, 0.1]}},
    ],
)
def test_impossible_priors_of_a_browser_are_answered_with_a_sentence(show, wire, refresh, sent):
    search = ScriptedSearch()
    panel = show(SpacePanel, search)
    wire.browser_says(panel, kind="set_priors", id=5, priors=sent)
    refresh(panel)
    assert panel.answered == 5
    assert "lr" in search.errors[-1].sentence
    assert panel.priors == {}


def test_the_constraint_of_a_search_is_told_also_where_it_is_viewed(show, tmp_path):
    search = HyperParameterOptimizer(
        identity,
        [UniformParameterRange("x", 0.0, 1.0)],
        constraint=lambda x: x < 0.5,
        journal=tmp_path,
        total_max_jobs=1,
    )
    assert show(SpacePanel, search).constraint == "<lambda>(x)"
    search.enqueue_trial({"x": 0.25})
    search.start()
    assert search.wait()
    assert show(SpacePanel, HyperParameterOptimizer.open(search.journal_path)).constraint == "<lambda>(x)"
    assert show(SpacePanel, ScriptedSearch([UniformParameterRange("x", 0.0, 1.0)])).constraint == ""
