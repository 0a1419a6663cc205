from __future__ import annotations

import doctest

import numpy as np
import pytest

from hpo_widgets.objectives import make_objectives
from hpo_widgets.parameters import DiscreteParameterRange, UniformIntegerParameterRange, UniformParameterRange
from hpo_widgets.space import Space
from hpo_widgets.strategies import (
    GridSearch,
    Observation,
    OptimizerBOHB,
    OptimizerOptuna,
    Proposal,
    RandomSearch,
    SearchStrategy,
)
from hpo_widgets.trials import TrialRow, TrialState

SPACE = Space([UniformParameterRange("x", -5, 5), UniformParameterRange("y", -5, 5)])


class Centre(SearchStrategy):
    """The smallest strategy there can be."""

    supports_several_objectives = False

    def __init__(self, *, height: float = 0.5, seed: int | None = None):
        super().__init__(seed=seed)
        self.height = height

    def ask(self) -> Proposal | None:
        return Proposal(self.space.points(np.full((1, self.space.num_dimensions), self.height))[0])


def test_a_strategy_of_ones_own_needs_only_ask(drive):
    search = drive(Centre(height=0.5), SPACE)
    assert search.run(1, lambda point: point["x"]) == [{"x": 0.0, "y": 0.0}]


def test_the_documented_example_of_a_strategy_improves_on_its_first_point(drive):
    examples = doctest.DocTestParser().get_examples(SearchStrategy.__doc__)
    names = {}
    exec("".join(example.source for example in examples), names)
    search = drive(names["Walk"](seed=4, distance=0.2), SPACE)
    points = search.run(60, lambda point: point["x"] ** 2 + point["y"] ** 2)
    losses = [point["x"] ** 2 + point["y"] ** 2 for point in points]
    assert min(losses) < losses[0] / 4
    search.begin(SPACE.with_ranges({"x": (1, 2)}))
    assert len(search.run(10, lambda point: point["x"])) == 10


@pytest.mark.parametrize(
    ("kind", "keyword", "near"),
    [
        (RandomSearch, "sed", "seed"),
        (GridSearch, "sedd", "seed"),
        (OptimizerOptuna, "optuna_samplr", "optuna_sampler"),
        (OptimizerBOHB, "min_iterations_per_job", "min_iteration_per_job"),
        (Centre, "heigth", "height"),
    ],
)
def test_an_unknown_keyword_is_refused_with_a_near_match(kind, keyword, near):
    with pytest.raises(TypeError, match=f"{kind.__name__} has no keyword '{keyword}'.*Did you mean '{near}'"):
        kind(**{keyword: 1})


def test_keywords_are_listed_for_the_controller():
    assert RandomSearch.keywords() == ("seed",)
    assert set(Centre.keywords()) == {"height", "seed"}
    assert {"optuna_sampler", "optuna_pruner", "continue_previous_study", "seed"} <= set(OptimizerOptuna.keywords())


def test_keywords_that_are_passed_on_include_those_of_the_base():
    class Passing(Centre):
        def __init__(self, *, width=1, **keywords):
            super().__init__(**keywords)
            self.width = width

    assert set(Passing.keywords()) == {"width", "height", "seed"}
    assert Passing(width=2, height=3, seed=1).height == 3


@pytest.mark.parametrize("seed", [-1, 1.5, "7", True])
def test_a_seed_is_a_whole_number_of_at_least_0(seed):
    with pytest.raises(ValueError, match="seed must be an integer of at least 0"):
        RandomSearch(seed=seed)


def test_a_numpy_integer_is_a_seed():
    assert type(RandomSearch(seed=np.int64(3)).seed) is int


def test_without_a_seed_a_fresh_one_is_kept(drive):
    first = RandomSearch()
    assert not first.is_seeded
    assert RandomSearch(seed=0).is_seeded
    again = RandomSearch(seed=first.seed)
    assert drive(first, SPACE).run(5, sum_of) == drive(again, SPACE).run(5, sum_of)
    assert RandomSearch().seed != first.seed


def test_several_objectives_are_refused_where_only_one_is_taken():
    objectives = make_objectives(["a", "b"], ["a", "b"], ["min", "max"])
    with pytest.raises(ValueError, match="Centre takes one objective, got 2"):
        Centre().check(SPACE, objectives)
    RandomSearch().check(SPACE, objectives)


def test_reasons_against_parameters_are_raised_before_anything_runs():
    class WholeOnly(Centre):
        def unsupported(self, parameter):
            return None if parameter.kind == "int" else f"{parameter.name} is not a whole number"

    objectives = make_objectives("a", "b", "min")
    WholeOnly().check(Space([UniformIntegerParameterRange("n", 1, 3)]), objectives)
    with pytest.raises(ValueError, match="x is not a whole number; y is not a whole number"):
        WholeOnly().begin(SPACE, objectives, 0, [], 0)


def sum_of(point):
    return point["x"] + point["y"]


WITH_CHOICE = Space([UniformParameterRange("x", 0, 1), DiscreteParameterRange("kind", ["a", None])])


def ended(number, state=TrialState.COMPLETED, **fields):
    return TrialRow(number, int(state), 0, WITH_CHOICE.encode({"x": number / 10, "kind": None}), **fields)


def test_an_observation_has_the_point_with_its_own_types():
    found = Observation.of(ended(5, TrialState.PRUNED, values=[0.5, 2.0], iteration=[3, 4]), WITH_CHOICE)
    assert found == Observation(5, {"x": 0.5, "kind": None}, TrialState.PRUNED, (0.5, 2.0), (3, 4))
    assert type(found.state) is TrialState


@pytest.mark.parametrize("values", [None, [None], [0.5, None]])
def test_values_that_are_not_all_there_are_none(values):
    assert Observation.of(ended(1, TrialState.FAILED, values=values), WITH_CHOICE).values is None


def test_an_iteration_that_is_unknown_is_the_first():
    found = Observation.of(ended(1, TrialState.FAILED, values=[1.0, None], iteration=[None, 7]), WITH_CHOICE)
    assert found.iteration == (0, 7)
