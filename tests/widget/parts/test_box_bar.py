"""The line about a brushed box: what is inside, and what its buttons ask of the search."""

from __future__ import annotations

import numpy as np
import pytest

from hpo_widgets.parameters import DiscreteParameterRange
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import OptimizerWidget
from hpo_widgets.widget.parts.box_bar import BoxBar


@pytest.fixture
def filled(search):
    for number, lr in enumerate((1e-4, 1e-3, 1e-2, 1e-1)):
        search.add_trial(0.1 * (number + 1), {"lr": lr, "dropout": 0.1, "layers": 2, "activation": "relu"})
    search.add_trial(None, {"lr": 2e-3, "dropout": 0.1, "layers": 2, "activation": "tanh"}, state=TrialState.FAILED)
    return search


def said(bar):
    return "".join(bar.sentence)


@pytest.mark.parametrize(
    ("box", "sentence"),
    [
        ({"lr": (1e-3, 1e-2)}, "narrow lr to 0.001 … 0.01: 3 of 5 trials inside, best inside 0.2"),
        ({"lr": (2e-3, 3e-3)}, "narrow lr to 0.002 … 0.003: 1 of 5 trials inside"),
        ({"lr": (1e-3, 1e-2), "layers": (3, 4)}, "narrow to this box: 0 of 5 trials inside"),
        ({"activation": ("relu",)}, "narrow activation to relu: 4 of 5 trials inside, best inside 0.1"),
        ({"dropout": (0.0, 0.9)}, "set dropout to 0 … 0.9: 5 of 5 trials inside, best inside 0.1"),
        ({}, ""),
    ],
    ids=str,
)
def test_a_box_is_described(show, filled, refresh, box, sentence):
    bar = show(BoxBar, filled, box=box)
    refresh(bar)
    assert said(bar) == sentence


def test_choices_may_be_arrays(show, wire, refresh):
    zeros, ones = np.zeros(3), np.ones(3)
    search = ScriptedSearch([DiscreteParameterRange("kernel", [zeros, ones])])
    search.add_trials([0.5, 0.5])
    bar = show(BoxBar, search, box={"kernel": (ones,)})
    refresh(bar)
    assert said(bar).startswith("narrow kernel to ")
    assert bar.action == "Narrow ranges"
    wire.browser_says(bar, kind="narrow")
    assert search.space.range_keys["kernel"] == (1,)
    bar.box = {"kernel": (zeros,)}
    refresh(bar)
    assert bar.action == "Set ranges"


def test_the_figures_are_every_second_part(show, filled):
    bar = show(BoxBar, filled, box={"lr": (1e-3, 1e-2)})
    assert bar.sentence[1::2] == ["0.001 … 0.01", "3", "0.2"]
    bar.box = {"lr": (1e-3, 1e-2), "layers": (1, 4)}
    bar._refresher.refresh()
    assert bar.sentence[1::2] == ["3", "0.2"]


def test_the_best_inside_follows_the_direction(show):
    search = ScriptedSearch(signs="max")
    search.add_trials([0.5, 0.75])
    assert said(show(BoxBar, search, box={"layers": (1, 6)})).endswith("best inside 0.75")


def test_of_several_objectives_the_one_of_the_panel_says_what_is_best_inside(show, refresh):
    search = ScriptedSearch(titles=["a", "b"], series=["loss", "accuracy"], signs=["min", "max"])
    others = {"dropout": 0.25, "layers": 3, "activation": "tanh"}
    search.add_trial((0.5, 0.9), {"lr": 0.1, **others})
    search.add_trial((0.1, 0.2), {"lr": 1e-4, **others})
    panel = show(OptimizerWidget, search, box={"layers": (1, 6)})
    refresh(panel)
    assert said(panel._box_bar).endswith("best inside 0.1 by a / loss")
    panel.objective = 1
    refresh(panel)
    assert said(panel._box_bar).endswith("best inside 0.9 by b / accuracy")


def test_narrowing_is_one_version_of_the_space_and_can_be_undone(show, filled, wire, refresh):
    panel = show(OptimizerWidget, filled, box={"lr": (1e-3, 1e-2), "activation": ("relu", "tanh")})
    refresh(panel)
    assert panel._space_panel.preview == {
        "lr": {"range": [1e-3, 1e-2], "words": "box: 0.001 … 0.01"},
        "activation": {"range": [0, 1], "words": "box: relu, tanh"},
    }
    wire.browser_says(panel._box_bar, kind="narrow")
    assert filled.commands == [("set_ranges", {"lr": (1e-3, 1e-2), "activation": ("relu", "tanh")})]
    assert len(filled.epochs) == 2
    assert panel.box == {}
    refresh(panel)
    assert (said(panel._box_bar), panel._space_panel.preview) == ("", {})
    wire.browser_says(panel._space_panel, kind="undo")
    assert filled.space.ranges["lr"] == (1e-4, 1e-1)


def test_clearing_steers_nothing(show, filled, wire):
    panel = show(OptimizerWidget, filled, box={"lr": (1e-3, 1e-2)})
    wire.browser_says(panel._box_bar, kind="clear")
    assert (panel.box, filled.commands) == ({}, [])


@pytest.mark.parametrize("box", [{"lr": (1e-3, 1e-3)}, {"dropout": (-1.0, 2.0)}], ids=str)
def test_a_box_that_cannot_be_the_ranges_says_why(show, wire, refresh, box):
    search = ScriptedSearch(limits={"dropout": (0.0, 0.8)})
    bar = show(BoxBar, search, box=box)
    refresh(bar)
    assert bar.commands["set_ranges"]
    wire.browser_says(bar, kind="narrow")
    assert search.commands == []


def test_a_search_that_takes_no_ranges_says_why(show, filled, refresh):
    filled.refuse("set_ranges", "The search has ended.")
    bar = show(BoxBar, filled, box={"lr": (1e-3, 1e-2)})
    refresh(bar)
    assert bar.commands == {"set_ranges": "The search has ended.", "clear": None}


def test_an_open_end_stays_where_it_is(show, filled, wire):
    bar = show(BoxBar, filled, box={"layers": (None, 4)})
    wire.browser_says(bar, kind="narrow")
    assert filled.commands == [("set_ranges", {"layers": (1, 4)})]


def test_a_trial_that_is_left_out_is_not_in_a_box(show, search, refresh):
    for number in range(3):
        search.add_trial(0.1 * number, {"lr": 1e-2, "dropout": 0.1, "layers": 2, "activation": "relu"})
    search.command("leave_out", 0)
    bar = show(BoxBar, search, box={"lr": (1e-3, 1e-1)})
    refresh(bar)
    assert "2 of 2 trials inside, best inside 0.1" in "".join(bar.sentence)
