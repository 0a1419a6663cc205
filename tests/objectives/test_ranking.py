"""The order of trials against sorting them anew."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hpo_widgets.objectives import Objective, make_objectives, pareto
from hpo_widgets.objectives.pareto import crowding_distance, fronts_in_turn
from hpo_widgets.objectives.ranking import Ranking, best_rows, improvements

SMALL, LARGE = Objective("a", "b", "min"), Objective("a", "b", "max")
TWO = make_objectives(["a", "c"], ["b", "d"], ["min", "max"])
THREE = make_objectives(["a", "c", "e"], ["b", "d", "f"], ["min", "max", "min_global"])
values = st.sampled_from([0.0, 1.0, -1.0, 2.5, math.inf, -math.inf, math.nan]) | st.floats(-3, 3)


def sorted_anew(trials, objectives):
    """The documented order, worked out from nothing."""
    signs = [1 if objective.minimise else -1 for objective in objectives]
    known = {number: [v * s for v, s in zip(row, signs, strict=True)] for number, row in trials.items()}
    known = {number: row for number, row in sorted(known.items()) if not any(map(math.isnan, row))}
    finite = [number for number, row in known.items() if all(map(math.isfinite, row))]
    rest = sorted((row, number) for number, row in known.items() if number not in set(finite))
    order = []
    if len(objectives) == 1:
        order = sorted(finite, key=lambda number: (known[number], number))
    elif finite:
        table = np.array([known[number] for number in finite])
        for members in fronts_in_turn(table):
            spread = crowding_distance(table[members])
            order += [finite[member] for _, member in sorted(zip(-spread, members, strict=True))]
    return order + [number for _, number in rest]


def best_anew(order, trials, objectives, which):
    """Of `sorted_anew` the best trial by one objective, then by the others in order, infinite ones last."""

    def key(number):
        losses = [value if one.minimise else -value for value, one in zip(trials[number], objectives, strict=True)]
        return not all(map(math.isfinite, losses)), losses[which], losses, number

    return min(order, key=key, default=None)


def machine(objectives):
    class Results(RuleBasedStateMachine):
        def __init__(self):
            super().__init__()
            self.ranking = Ranking(objectives)
            self.trials = {}

        @rule(number=st.integers(0, 12), row=st.tuples(*[values] * len(objectives)))
        def put(self, number, row):
            self.ranking.put(number, row)
            self.trials[number] = row

        @rule(number=st.integers(0, 12))
        def discard(self, number):
            self.ranking.discard(number)
            self.trials.pop(number, None)

        @rule(number=st.integers(0, 12))
        def lose_the_value(self, number):
            self.ranking.put(number, None)
            self.trials.pop(number, None)

        @rule(rows=st.dictionaries(st.integers(0, 12), st.tuples(*[values] * len(objectives)), max_size=5))
        def put_many(self, rows):
            self.ranking.put_all(rows.items())
            self.trials.update(rows)

        @invariant()
        def the_order_is_the_documented_one(self):
            order = sorted_anew(self.trials, objectives)
            for objective in range(len(objectives)):
                assert self.ranking.best_by(objective) == best_anew(order, self.trials, objectives, objective)
            assert self.ranking.top(3) == order[:3]
            assert list(self.ranking) == order

    Results.__name__ = f"ResultsOf{len(objectives)}"
    # An example is fifty steps, after each of which all is sorted anew.
    Results.TestCase.settings = settings(settings(), max_examples=max(20, settings().max_examples // 4))
    return Results.TestCase


TestOneSmall = machine([SMALL])
TestOneLarge = machine([LARGE])
TestTwo = machine(TWO)
TestThree = pytest.mark.slow(machine(THREE))


@given(st.lists(values, max_size=20))
def test_both_signs_put_infinite_values_last_and_leave_nan_out(row):
    for objective in (SMALL, LARGE):
        ranking = Ranking([objective])
        for number, value in enumerate(row):
            ranking.put(number, value)
        order = list(ranking)
        finite = [math.isfinite(row[number]) for number in order]
        assert finite == sorted(finite, reverse=True)
        assert set(order) == {number for number, value in enumerate(row) if not math.isnan(value)}


def test_equal_trials_keep_the_order_of_their_numbers():
    ranking = Ranking([SMALL])
    for number in (3, 1, 2):
        ranking.put(number, (0.5,))
    assert ranking.top(5) == [1, 2, 3]


def test_only_accepted_trials_count_when_asked():
    ranking = Ranking([LARGE])
    for number in range(10):
        ranking.put(number, (float(number),))
    assert ranking.top(2, accept=lambda number: number % 2 == 0) == [8, 6]
    assert ranking.top(0) == []


def test_nothing_is_ranked_without_values():
    ranking = Ranking(TWO)
    ranking.put(1, None)
    ranking.put(2, (1.0, None))
    ranking.discard(7)
    assert ranking.best_by(0) is None
    assert ranking.best_by(1) is None
    assert ranking.top(3) == []


def test_the_ends_of_the_front_come_before_its_middle():
    ranking = Ranking(make_objectives(["a", "c"], ["b", "d"], ["min", "min"]))
    for number, row in enumerate([(2.0, 2.0), (0.0, 4.0), (4.0, 0.0), (1.9, 2.2), (9.0, 9.0)]):
        ranking.put(number, row)
    order = ranking.top(5)
    assert set(order[:2]) == {1, 2}
    assert order[-1] == 4


few = st.integers(0, 3).map(float)
steps = st.tuples(st.integers(0, 12), st.none() | st.tuples(few, few), st.integers(0, 6))


@given(st.lists(steps, max_size=40))
def test_the_first_ones_are_right_also_where_not_all_are_asked_for_between_changes(changes):
    ranking, trials = Ranking(TWO), {}
    for number, row, k in changes:
        ranking.put(number, row)
        trials.pop(number, None)
        if row is not None:
            trials[number] = row
        assert ranking.top(k) == sorted_anew(trials, TWO)[:k]


def test_trials_behind_the_best_ones_have_no_front_worked_out_again(monkeypatch):
    ranking = Ranking(make_objectives(["a", "c"], ["b", "d"], ["min", "min"]))
    # Ten fronts of ten trials.
    ranking.put_all((10 * front + place, (front + place, front - place)) for front in range(10) for place in range(10))
    best = ranking.top(50)
    calls = []
    work_out = pareto._front
    monkeypatch.setattr(pareto, "_front", lambda rows: calls.append(len(rows)) or work_out(rows))
    for number in range(100, 1100):
        ranking.put(number, (100.0 + number % 7, 100.0 - number % 5))
        assert ranking.top(50) == best
    assert calls == []


def test_the_best_by_one_of_several_objectives_is_not_the_loneliest_of_the_front():
    ranking = Ranking(make_objectives(["loss", "size"], ["", ""], ["min", "min"]))
    for number, row in enumerate([(0.1, 9.0), (0.2, 3.0), (5.0, 1.0), (0.1, 9.5), (-math.inf, 0.0)]):
        ranking.put(number, row)
    assert (ranking.best_by(0), ranking.best_by(1)) == (0, 2)
    assert ranking.best_by(0, accept=lambda number: number != 0) == 3
    ranking.discard(0)
    ranking.put(2, None)
    assert (ranking.best_by(0), ranking.best_by(1)) == (3, 1)
    assert ranking.best_by(0, accept=lambda _: False) is None


def test_values_must_be_as_many_as_objectives():
    with pytest.raises(ValueError, match="2 objectives need as many values, got 1"):
        Ranking(TWO).put(0, (1.0,))
    with pytest.raises(ValueError, match="at least one objective"):
        Ranking([])


def test_the_first_of_many_are_found_without_looking_at_the_rest():
    ranking = Ranking([SMALL])
    ranking.put_all((number, (float(-number),)) for number in range(100_000))
    looked_at = []
    top = ranking.top(10, accept=lambda number: looked_at.append(number) or True)
    assert top == looked_at == list(itertools.islice(range(99_999, 0, -1), 10))


@given(st.sampled_from([(SMALL,), (LARGE,), TWO, THREE]), st.data(), st.integers(1, 12))
def test_the_best_rows_of_columns_are_those_that_a_ranking_begins_with(objectives, data, k):
    row = st.tuples(*[values] * len(objectives))
    trials = data.draw(st.lists(row, max_size=12))
    ranking = Ranking(objectives)
    for number, one in enumerate(trials):
        ranking.put(number, one)
    table = np.array(trials).reshape(-1, len(objectives))
    found = best_rows(table, [one.minimise for one in objectives], k)
    assert sorted(found.tolist()) == sorted(ranking.top(k))


@given(st.lists(values, max_size=30), st.booleans())
def test_improvements_are_the_finite_values_that_beat_all_before(row, minimise):
    expected = []
    for place, value in enumerate(row):
        before = [one for one in row[:place] if math.isfinite(one)]
        is_better = all(value < one if minimise else value > one for one in before)
        if math.isfinite(value) and is_better:
            expected.append(place)
    assert improvements(np.array(row, dtype=float), minimise=minimise).tolist() == expected


def test_of_many_improvements_the_first_and_the_last_are_kept():
    kept = improvements(np.arange(500.0), minimise=False, most=60)
    assert (len(kept), kept[0], kept[-1]) == (60, 0, 499)
