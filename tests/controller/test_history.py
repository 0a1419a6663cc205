"""What strategies learn of trials that have ended."""

from __future__ import annotations

import pytest

from hpo_widgets.controller.history import History, observation_of
from hpo_widgets.parameters import DiscreteParameterRange, UniformParameterRange
from hpo_widgets.space import Space
from hpo_widgets.strategies.base import Observation
from hpo_widgets.trials import TrialRow, TrialState

SPACE = Space([UniformParameterRange("x", 0, 1), DiscreteParameterRange("kind", ["a", None])])


def row(number, state=TrialState.COMPLETED, **fields):
    return TrialRow(number, int(state), 0, SPACE.encode({"x": number / 10, "kind": None}), **fields)


class Recorder:
    """Ended rows, and how often somebody asked for them."""

    def __init__(self, rows):
        self.rows = rows
        self.times_read = 0

    def ended_rows(self):
        self.times_read += 1
        return self.rows


@pytest.fixture
def recorder():
    return Recorder([row(number, values=[float(number)], iteration=[2]) for number in range(6)])


def test_an_observation_has_the_point_with_its_own_types():
    found = observation_of(row(5, TrialState.PRUNED, values=[0.5, 2.0], iteration=[3, 4]), SPACE)
    assert found == Observation(5, {"x": 0.5, "kind": None}, TrialState.PRUNED, (0.5, 2.0), (3, 4))
    assert type(found.state) is TrialState


@pytest.mark.parametrize("values", [None, [None], [0.5, None]])
def test_values_that_are_not_all_there_are_none(values):
    assert observation_of(row(1, TrialState.FAILED, values=values), SPACE).values is None


def test_an_iteration_that_is_unknown_is_the_first():
    found = observation_of(row(1, TrialState.FAILED, values=[1.0, None], iteration=[None, 7]), SPACE)
    assert found.iteration == (0, 7)


def test_the_journal_is_read_when_somebody_looks_and_once(recorder):
    history = History(recorder, SPACE, 6, frozenset())
    assert recorder.times_read == 0
    assert len(history) == 6
    assert [observation.number for observation in history] == list(range(6))
    assert history[-1].values == (5.0,)
    assert [observation.number for observation in history[1:3]] == [1, 2]
    assert recorder.times_read == 1


def test_trials_that_are_told_one_by_one_later_are_not_in_it(recorder):
    history = History(recorder, SPACE, 4, frozenset({1, 2}))
    assert [observation.number for observation in history] == [0, 3]


def test_a_history_stays_as_it_was_when_it_was_read(recorder):
    history = History(recorder, SPACE, 10, frozenset())
    assert len(history) == 6
    recorder.rows.append(row(6))
    assert len(history) == 6
