"""Priors of a search: what is refused, the journal, the way back, and the code of a search."""

from __future__ import annotations

import pytest

from hpo_widgets import (
    DiscreteParameterRange,
    GridSearch,
    HyperParameterOptimizer,
    LogUniformParameterRange,
    OptimizerOptuna,
    RandomSearch,
    UniformParameterRange,
)
from hpo_widgets.viewer import SearchViewer
from tests.runs import finished

PARAMETERS = [
    UniformParameterRange("x", 0, 1),
    LogUniformParameterRange("lr", -4, -1),
    DiscreteParameterRange("solver", ["adam", "sgd"]),
]


def loss(x, lr, solver):
    return x + lr + len(solver)


@pytest.fixture
def made(tmp_path):
    """``made(...)`` makes a search of six trials in a journal of the test's own."""

    def make(strategy=RandomSearch, **keywords):
        return HyperParameterOptimizer(
            base_task_id=loss,
            hyper_parameters=PARAMETERS,
            optimizer_class=strategy,
            **{"total_max_jobs": 6, "max_number_of_concurrent_tasks": 1, "seed": 3, "journal": tmp_path} | keywords,
        )

    return make


def points(search):
    return [search.trial(number).parameters for number in range(len(search.snapshot()))]


@pytest.mark.parametrize("strategy", [RandomSearch, OptimizerOptuna])
def test_trials_are_proposed_by_it_and_it_is_there_when_the_search_is_opened_again(made, strategy):
    search = made(strategy)
    search.set_prior("x", [0, 0, 0, 1])
    search.set_priors({"solver": {"sgd": 1}})
    finished(search)
    assert sum(point["x"] > 0.75 for point in points(search)) >= 5
    assert sum(point["solver"] == "sgd" for point in points(search)) >= 5
    assert {search.trial(number).epoch for number in range(6)} == {2}

    again = HyperParameterOptimizer.open(search.id, base_task_id=loss)
    assert (
        again.priors
        == search.priors
        == {
            "x": {"weights": (0, 0, 0, 1), "range": (0, 1)},
            "solver": {"weights": (0, 1)},
        }
    )
    assert again.space.priors["x"].since == 0
    again.set_total_max_jobs(10)
    finished(again)
    assert sum(point["x"] > 0.75 for point in points(again)[6:]) >= 3
    viewer = SearchViewer(search._recorder.path)
    assert viewer.space.priors["x"].weights == (0, 0, 0, 1)
    viewer.close()


def test_a_random_search_that_is_opened_again_draws_what_it_would_have_drawn(made):
    whole = made(total_max_jobs=20)
    whole.set_prior("x", [0, 1, 5])
    finished(whole)
    part = made(total_max_jobs=7)
    part.set_prior("x", [0, 1, 5])
    finished(part)
    again = HyperParameterOptimizer.open(part.id, base_task_id=loss)
    again.set_total_max_jobs(20)
    finished(again)
    assert points(again) == points(whole)


def test_undo_takes_it_back_and_none_takes_it_away(made):
    search = made()
    search.set_prior("x", [1, 2])
    search.set_prior("x", None)
    assert search.priors == {}
    search.undo()
    assert search.priors["x"]["weights"] == (0.5, 1)
    search.undo()
    assert search.priors == {}
    search.redo()
    assert search.priors["x"]["weights"] == (0.5, 1)


@pytest.mark.parametrize(
    ("name", "prior", "words"),
    [("y", [1, 2], "'x'"), ("x", [1, -2], "at least 0"), ("solver", [1], "2 choices"), ("x", "abc", "weights")],
)
def test_a_wrong_one_is_refused_before_anything_changes(made, name, prior, words):
    search = made()
    with pytest.raises(ValueError, match=words):
        search.set_priors({"lr": [1, 2], name: prior})
    assert search.priors == {}
    assert len(search.epochs) == 1


def test_a_strategy_that_follows_none_says_so(made):
    search = made(GridSearch)
    assert "grid search follows no prior" in search.capabilities["set_prior"]
    with pytest.raises(ValueError, match="grid search follows no prior"):
        search.set_prior("x", [1, 2])
    search.set_prior("x", None)
    search.command("set_priors", {"x": [1, 2]})
    assert "set_priors did nothing" in search.errors[-1].sentence


def test_its_code_sets_the_same_priors(made):
    search = made()
    search.set_priors({"lr": lambda lr: 1 / lr, "solver": [1, 0.5]})
    code = search.as_code()
    scope = {"loss": loss}
    statement = code[code.index("optimizer.set_priors") :]
    again = made()
    exec(statement.split("\nOptimizerWidget")[0], scope | {"optimizer": again})
    assert again.space.priors["lr"].weights == pytest.approx(search.space.priors["lr"].weights, rel=1e-2)
    assert again.space.priors["lr"].bounds == pytest.approx(search.space.priors["lr"].bounds)
    assert again.priors["solver"] == search.priors["solver"]
    assert max(map(len, code.splitlines())) <= 120
