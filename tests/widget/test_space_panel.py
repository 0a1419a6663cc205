"""The space panel: what the browser asks for becomes one command, and what it shows is the truth."""

from __future__ import annotations

import pytest

from hpo_widgets.parameters import (
    DiscreteParameterRange,
    LogUniformParameterRange,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.widget import SpacePanel


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


def test_choices_come_back_with_their_type(show, wire):
    search = ScriptedSearch([DiscreteParameterRange("c", [True, 1, "1", None])])
    panel = show(SpacePanel, search)
    wire.browser_says(panel, kind="set_ranges", id=5, ranges={"c": [1, 3]})
    ((_, ranges),) = search.commands
    assert [type(choice) for choice in ranges["c"]] == [int, type(None)]


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


def test_a_widened_range_widens_the_track_and_undo_keeps_it(panel, search, refresh):
    search.set_ranges({"dropout": (0.0, 0.9)})
    refresh(panel)
    assert described(panel)["dropout"]["high"] == 0.9
    search.command("undo")
    refresh(panel)
    assert described(panel)["dropout"]["high"] == 0.9
    assert panel.ranges["dropout"] == [0.0, 0.5]


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


@pytest.mark.parametrize(
    "content",
    [
        {"kind": "set_ranges"},
        {"kind": "set_ranges", "ranges": {"unknown": [0, 1]}},
        {"kind": "set_ranges", "ranges": None},
        {"kind": "close"},
        {"kind": 3},
        {},
    ],
)
def test_messages_that_make_no_sense_do_nothing(panel, search, wire, content):
    wire.browser_says(panel, **content)
    assert search.commands == []
