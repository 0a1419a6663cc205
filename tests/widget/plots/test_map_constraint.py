"""What the map shows of a constraint: where it refuses points that have the other values of the best trial."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hpo_widgets import HyperParameterOptimizer
from hpo_widgets.parameters import (
    DiscreteParameterRange,
    ParameterSet,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.viewer import SearchViewer
from hpo_widgets.widget import MapPlot
from hpo_widgets.widget.plots import map_constraint
from hpo_widgets.widget.plots.axes import ParameterAxis
from hpo_widgets.widget.plots.map_constraint import refusals
from tests.runs import wait_for

X, Y, Z = (UniformParameterRange(name, 0, 1) for name in "xyz")
WORDS = "refused by the constraint"


def objective(**values):
    return sum(value for value in values.values() if isinstance(value, float))


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch):
    """What is refused is found however busy the machine is."""
    monkeypatch.setattr(map_constraint, "_MOST_SECONDS", math.inf)


@pytest.fixture
def search(tmp_path):
    """``search(parameters, constraint)`` makes one; nothing runs."""

    def make(parameters, constraint):
        return HyperParameterOptimizer(objective, parameters, constraint=constraint, journal=tmp_path)

    return make


def refused(made, pair, others=None):
    """Whether a place of the map is refused, by its shares of both axes from the lower left."""
    axes = tuple(ParameterAxis(made.space.leaf(name)) for name in pair)
    picture = refusals(made, pair, axes, others or {}).picture
    size = len(picture)

    def at(*values):
        across, up = (
            float(axis.domain.place(np.array([axis.place_of(v)]))[0]) for axis, v in zip(axes, values, strict=True)
        )
        return bool(picture[size - 1 - int(up * size), int(across * size)])

    return at


def test_what_the_constraint_refuses_is_found_and_the_margins_of_the_axes_are_not(search):
    at = refused(search([X, Y], lambda x, y: x + y < 1), ("x", "y"))
    assert [at(0.1, 0.1), at(0.1, 0.95), at(0.9, 0.2), at(0.95, 0.95)] == [False, True, True, True]
    assert not at(1.03, 1.03)


def test_each_pair_of_whole_numbers_has_its_own_answer(search):
    width, heads = UniformIntegerParameterRange("width", 16, 64), UniformIntegerParameterRange("heads", 1, 8)
    at = refused(search([width, heads], lambda width, heads: width % heads == 0), ("width", "heads"))
    assert all(at(w, h) is (w % h != 0) for w in range(16, 65) for h in range(1, 9))


def test_the_others_have_the_values_that_are_given_and_choices_are_steps(search):
    kind = DiscreteParameterRange("kind", [["a"], ["b"]])
    made = search([X, kind, Z], lambda x, kind, z: kind == ["a"] or x < z)
    at = refused(made, ("x", "kind"), {"z": 0.5})
    assert [at(0.9, ["a"]), at(0.9, ["b"]), at(0.2, ["b"])] == [False, True, False]


def test_what_is_no_point_or_raises_an_exception_is_not_refused(search):
    sets = ParameterSet([{"solver": "sgd", "y": Y}, {"solver": "adam"}])
    made = search([X, sets, Z], lambda x, z: 1 / z > 2 + x)
    axes = ParameterAxis(X), ParameterAxis(Y)
    assert not refusals(made, ("x", "y"), axes, {"solver": "adam", "z": 0.5}).picture.any()
    assert not refusals(made, ("x", "y"), axes, {"solver": "sgd", "z": 0.0}).picture.any()
    assert refusals(made, ("x", "y"), axes, {"solver": "sgd", "z": 0.5}).picture.any()


def test_a_constraint_that_is_slow_is_not_drawn(search, monkeypatch):
    monkeypatch.setattr(map_constraint, "_MOST_SECONDS", 0.0)
    assert (
        refusals(search([X, Y], lambda x, y: x < y), ("x", "y"), (ParameterAxis(X), ParameterAxis(Y)), {}).picture
        is None
    )


def drawn(plot, refresh):
    """What is said of the constraint, once it has answered."""
    if plot._refusals is not None:
        wait_for(plot._refusals.answer.done, "no answer")
    refresh(plot)
    mark = plot.figures[0]._refused
    return plot._key.value, mark is not None and mark.visible


def test_the_map_says_which_trial_the_other_values_are_of(show, refresh, search):
    made = search([X, Y, Z], lambda x, y, z: x + y < 2 * z)
    made.add_trial({"x": 0.1, "y": 0.1, "z": 0.5}, 0.5)
    now = [0.0]
    plot = show(MapPlot, made, x="x", y="y", clock=lambda: now[0])
    words, is_visible = drawn(plot, refresh)
    assert f"{WORDS}, with the other values of trial 0" in words
    assert is_visible
    before = plot.figures[0]._refused.image.value
    made.add_trial({"x": 0.1, "y": 0.1, "z": 0.25}, 0.4)
    now[0] += 100.0
    refresh(plot)
    words, _ = drawn(plot, refresh)
    assert "trial 1" in words
    assert plot.figures[0]._refused.image.value != before


class Running(ScriptedSearch):
    """Refuses all points."""

    constraint = "never()"

    def allows(self, _parameters):
        return False


def test_while_a_search_runs_the_constraint_is_not_asked_at_each_better_trial(show, refresh):
    running = Running([X, Y, Z])
    running.command("start")
    running.add_trial(0.5, {"x": 0.1, "y": 0.1, "z": 0.5})
    now = [0.0]
    plot = show(MapPlot, running, clock=lambda: now[0])
    assert "trial 0" in drawn(plot, refresh)[0]
    running.add_trial(0.1 if running.objectives[0].minimise else 0.9, {"x": 0.1, "y": 0.1, "z": 0.25})
    refresh(plot)
    assert plot._refusals is None
    now[0] += 100.0
    refresh(plot)
    assert "trial 1" in drawn(plot, refresh)[0]


def test_two_parameters_have_no_others_and_need_no_trial(show, refresh, search):
    plot = show(MapPlot, search([X, Y], lambda x, y: x < y))
    words, _ = drawn(plot, refresh)
    assert WORDS in words
    assert "trial" not in words


def test_another_pair_is_asked_anew(show, refresh, search):
    made = search([X, Y, Z], lambda x, y: x < y)
    made.add_trial({"x": 0.1, "y": 0.9, "z": 0.25}, 0.5)
    now = [0.0]
    plot = show(MapPlot, made, x="x", y="y", clock=lambda: now[0])
    assert WORDS in drawn(plot, refresh)[0]
    plot.x = "z"
    assert WORDS not in plot._key.value
    assert WORDS in drawn(plot, refresh)[0]


def test_a_view_whose_journal_does_not_hold_the_constraint_draws_nothing_of_it(show, refresh, search):
    made = search([X, Y], lambda x, y: x < y)
    made.add_trial({"x": 0.1, "y": 0.9}, 0.5)
    with SearchViewer(made.journal_path) as viewer:
        words, is_visible = drawn(show(MapPlot, viewer), refresh)
    assert (WORDS in words, is_visible) == (False, False)
