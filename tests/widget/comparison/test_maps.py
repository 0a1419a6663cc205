"""Where competitors have looked: the same axes, background and optima for all."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from hpo_widgets import DiscreteParameterRange, UniformParameterRange
from hpo_widgets.objectives.landscape import with_landscape
from hpo_widgets.space import Space
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.testing.objectives import branin, rosenbrock
from hpo_widgets.trials import TrialState
from hpo_widgets.widget.comparison.maps import LookMap, background, look_maps

PARAMETERS = [UniformParameterRange("x", -5, 10), UniformParameterRange("y", 0, 15)]
SPACE = Space(PARAMETERS)


@pytest.fixture
def searched():
    search = ScriptedSearch(PARAMETERS)
    search.command("start")
    search.add_trial(3.0, {"x": 1.0, "y": 2.0})
    search.add_trial(1.0, {"x": 3.0, "y": 4.0})
    search.add_trial(None, {"x": 5.0, "y": 6.0}, state=TrialState.FAILED)
    search.add_trial(None, {"x": 7.0, "y": 8.0}, state=TrialState.RUNNING)
    return search.snapshot()


def look(**keywords):
    return LookMap("grid", 0, SPACE, ("x", "y"), b"", (), **keywords)


def test_trials_that_have_ended_are_points_and_the_best_is_a_triangle(searched):
    one = look()
    one.draw(searched)
    assert one._trials.x.tolist() == [1, 3, 5]
    assert one._trials.names.tolist() == ["0 · 3", "1 · 1", "2 · –"]
    assert (one._best.x.tolist(), one._best.y.tolist()) == ([3], [4])
    one.draw(None)
    assert (one._trials.x.tolist(), one._best.x.tolist(), one._value.value) == ([], [], "")


def test_the_best_is_that_of_completed_trials_in_either_direction(searched):
    for minimise, expected in ((True, ([3], "best 1")), (False, ([1], "best 3"))):
        one = look(minimise=minimise)
        one.draw(searched)
        assert (one._best.x.tolist(), one._value.value) == expected
        one.draw(ScriptedSearch(PARAMETERS).snapshot())
        assert (one._best.x.tolist(), one._value.value) == ([], "")


def test_all_maps_have_the_same_axes_background_and_optima():
    maps = look_maps(branin, ["grid", "TPE"], SPACE, ("x", "y"), minimise=True)
    assert maps[0].x.domain == maps[1].x.domain
    pictures = [one.figure.marks[0].image.value for one in maps]
    assert pictures == [background(branin, SPACE, ("x", "y"), minimise=True)] * 2
    optima = [place[0] for place in branin.landscape.places(("x", "y"))]
    assert [one._optima.x.tolist() for one in maps] == [optima, optima]
    assert maps[0]._trials.colors != maps[1]._trials.colors


def test_a_function_that_is_slow_has_no_background_and_is_not_waited_for():
    asked = []
    slow = with_landscape(0.0)(lambda x, y: asked.append(x) or x + y)
    assert background(slow, SPACE, ("x", "y"), minimise=True, clock=itertools.count().__next__) == b""
    assert len(asked) == 2


def test_the_background_is_a_picture_of_a_known_function_only():
    assert background(branin, SPACE, ("x", "y"), minimise=True).startswith(b"\x89PNG")
    for other in (UniformParameterRange("z", 0, 15), DiscreteParameterRange("y", [0, 15])):
        space = Space([PARAMETERS[0], other])
        assert background(branin, space, ("x", other.name), minimise=True) == b""
    assert background(branin, Space([*PARAMETERS, UniformParameterRange("z", 0, 1)]), ("x", "y"), minimise=True) == b""
    assert background(max, SPACE, ("x", "y"), minimise=True) == b""
    assert background(rosenbrock, SPACE, ("x", "y"), minimise=True) != background(
        branin, SPACE, ("x", "y"), minimise=True
    )


def test_a_choice_has_its_place_and_an_optimum_too():
    space = Space([UniformParameterRange("x", 0, 1), DiscreteParameterRange("c", ["a", "b"])])
    one = LookMap("grid", 0, space, ("x", "c"), b"", [(0.5, "b"), (0.5, "z")])
    assert one._optima.y.tolist()[0] == 1
    assert np.isnan(one._optima.y.tolist()[1])


def test_points_in_the_places_of_another_repeat_have_their_own_values(searched):
    again = ScriptedSearch(PARAMETERS)
    again.add_trial(2.0, {"x": 1.0, "y": 2.0})
    again.add_trial(0.5, {"x": 3.0, "y": 4.0})
    again.add_trial(None, {"x": 5.0, "y": 6.0}, state=TrialState.FAILED)
    one = look()
    for rows in (searched, again.snapshot()):
        one.draw(rows)
    assert one._trials.names.tolist() == ["0 · 2", "1 · 0.5", "2 · –"]
    assert one._best.names.tolist() == ["1 · 0.5"]
