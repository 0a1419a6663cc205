"""The way back: what undo, redo and reset will do is said before it is done."""

from __future__ import annotations

from hpo_widgets.parameters import DiscreteParameterRange, UniformParameterRange
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.widget.parts.undo_labels import undo_labels


def ways(search):
    return undo_labels(search.epochs, search.space)


def test_nothing_is_said_where_nothing_would_change():
    assert ways(ScriptedSearch()) == {}


def test_each_step_says_which_range_it_changes_to_what():
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


def test_what_is_said_is_what_is_done_on_every_way():
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


def test_a_range_set_back_by_hand_is_no_undo():
    search = ScriptedSearch([UniformParameterRange("x", 0.0, 1.0)])
    search.set_ranges({"x": (0.5, 1.0)})
    search.set_ranges({"x": (0.0, 1.0)})
    assert ways(search) == {"undo": "Undo: x to 0.5 … 1"}


def test_many_ranges_and_long_names_are_cut_short():
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
