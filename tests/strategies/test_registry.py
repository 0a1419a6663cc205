from __future__ import annotations

import logging
import os
import subprocess
import sys

import optuna
import pytest

from hpo_widgets.strategies import GridSearch, OptimizerBOHB, OptimizerOptuna, RandomSearch, SearchStrategy, resolve
from hpo_widgets.strategies.registry import by_common_name

OURS = {
    "RandomSearch": RandomSearch,
    "GridSearch": GridSearch,
    "OptimizerOptuna": OptimizerOptuna,
    "OptimizerBOHB": OptimizerBOHB,
}
THEIRS = {
    "RandomSearch": "clearml.automation.optimization",
    "GridSearch": "clearml.automation.optimization",
    "OptimizerOptuna": "clearml.automation.optuna.optuna",
    "OptimizerBOHB": "clearml.automation.hpbandster.bandster",
}


@pytest.mark.parametrize("name", OURS)
def test_clearmls_classes_are_known_by_name(name):
    assert resolve(type(name, (), {"__module__": THEIRS[name]})) is OURS[name]


def test_clearmls_real_classes_are_known():
    automation = pytest.importorskip("clearml.automation")
    assert resolve(automation.RandomSearch) is RandomSearch
    assert resolve(automation.GridSearch) is GridSearch


def test_a_class_of_ones_own_is_taken():
    class Mine(RandomSearch):
        pass

    assert resolve(Mine) is Mine


@pytest.mark.parametrize(
    "given",
    [
        "RandomSearch",
        None,
        dict,
        type("RandomSearch", (), {"__module__": "somewhere.else"}),
        type("Other", (), {"__module__": "clearml.automation.optimization"}),
        type("RandomSearch", (), {"__module__": "clearml.automation_like"}),
    ],
)
def test_anything_else_is_refused_with_what_is_accepted(given):
    with pytest.raises(
        TypeError, match=r"RandomSearch, GridSearch, OptimizerOptuna, OptimizerBOHB .*SearchStrategy; got"
    ):
        resolve(given)


def test_an_instance_is_refused_with_how_to_pass_its_arguments():
    with pytest.raises(TypeError, match="pass the class itself and its arguments as keywords"):
        resolve(RandomSearch(seed=1))


def test_a_class_without_ask_is_refused():
    class Idle(SearchStrategy):
        pass

    with pytest.raises(TypeError, match=r"Idle does not define ask\(\)"):
        resolve(Idle)


def test_neither_optuna_nor_clearml_is_imported_for_random_search():
    code = (
        "import sys; from hpo_widgets.strategies import resolve, RandomSearch; resolve(RandomSearch); "
        "print(sorted({'optuna', 'clearml', 'scipy'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60, env=environment
    )
    assert done.stdout.strip() == "[]"


def test_names_of_the_package_load_on_first_use():
    from hpo_widgets import strategies

    assert set(strategies.__all__) <= set(dir(strategies))
    for name in strategies.__all__:
        assert getattr(strategies, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        strategies.Nothing  # noqa: B018


def test_a_strategy_is_titled_by_what_it_does():
    titles = [resolve(cls)().title for cls in (RandomSearch, GridSearch, OptimizerOptuna)]
    assert titles == ["random search", "grid search", "TPE + GP"]
    assert OptimizerOptuna(optuna_sampler=optuna.samplers.RandomSampler()).title == "Random"


@pytest.mark.parametrize(
    ("name", "title"),
    [("grid", "grid"), ("random", "random search"), ("tpe", "TPE"), ("tpe + gp", "TPE + GP"), (" Sobol ", "QMC")],
)
def test_a_strategy_is_known_by_what_people_call_it(name, title):
    strategy, keywords = by_common_name(name, 12)
    assert strategy(**keywords).title == title


def test_strategies_by_common_name_prune_nothing_and_the_grid_fits_the_budget():
    for name in ("TPE", "TPE + GP", "Sobol"):
        assert isinstance(by_common_name(name, 12)[1]["optuna_pruner"], optuna.pruners.NopPruner)
    assert by_common_name("grid", 12)[1] == {"points": 12}


def test_a_strategy_of_a_common_name_is_made_without_a_warning(caplog):
    optunas = logging.getLogger("optuna")
    optunas.addHandler(caplog.handler)
    try:
        for name in ("TPE", "TPE + GP", "Sobol"):
            by_common_name(name, 12)
    finally:
        optunas.removeHandler(caplog.handler)
    assert caplog.messages == []


def test_a_mistyped_common_name_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'random'"):
        by_common_name("randm", 12)
