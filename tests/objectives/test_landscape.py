"""What is known in full of a function goes with it."""

from __future__ import annotations

import pickle

import pytest

from hpo_widgets.objectives.landscape import Landscape, landscape_of, with_landscape
from hpo_widgets.testing import objectives


@with_landscape(1.0, {"x": 2.0, "y": 3.0})
def known(x, y):
    return 1.0 + (x - 2) ** 2 + (y - 3) ** 2


def test_a_function_tells_its_optimum_and_stays_as_it_is():
    found = landscape_of(known)
    assert found == Landscape(1.0, ({"x": 2.0, "y": 3.0},))
    assert known(**found.points[0]) == found.optimum
    assert found.places(["y", "x"]) == [(3.0, 2.0)]
    assert found.places(["z"]) == []


def test_a_function_of_any_coordinates_has_its_optimum_at_the_same_value_of_each():
    assert landscape_of(objectives.sphere).places(["a", "b"]) == [(0.0, 0.0)]


@pytest.mark.parametrize("given", [({"x": 2.0, "y": 3.0},), ({"x": 2.0}, 1.0), (1.0, 2.0)], ids=str)
def test_what_is_no_optimum_or_no_point_is_refused_at_once(given):
    with pytest.raises(TypeError, match="with_landscape"):
        with_landscape(*given)


def test_other_things_tell_nothing():
    assert landscape_of(len) is None
    assert landscape_of(type("Odd", (), {"landscape": "hills"})()) is None


def test_each_landscape_of_the_test_functions_is_true_and_travels_by_name():
    functions = [one for one in vars(objectives).values() if landscape_of(one) is not None]
    assert len(functions) >= 7
    for function in functions:
        landscape = landscape_of(function)
        points = landscape.points or [{"a": landscape.everywhere, "b": landscape.everywhere}]
        for point in points:
            assert abs(function(**point) - landscape.optimum) < 1e-5
        assert pickle.loads(pickle.dumps(function)) is function
