"""Scalars on their way from a trial to the controller."""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from hpo_widgets import report_scalar
from hpo_widgets.objectives import make_objectives
from hpo_widgets.trials import TrialState


def test_scalars_arrive_while_the_trial_runs_and_before_its_end(drive, tmp_path):
    def train(trial):
        trial.report_scalar("validation", "loss", 0.5, iteration=3)
        while not Path("go").exists():
            time.sleep(0.005)

    driver = drive(train)
    driver.launch(0)
    assert driver.reported(0) == [("validation", "loss", 0.5, 3)]
    assert 0 not in driver.outcomes
    (tmp_path / "go").touch()
    driver.ended(0)


def test_many_fast_reports_arrive_all_and_in_order(drive):
    def train(trial):
        for step in range(100_000):
            trial.report_scalar("a", "b", step, step)

    driver = drive(train)
    driver.run()
    assert [iteration for *_, iteration in driver.scalars[0]] == list(range(100_000))


def test_threads_of_a_trial_may_report(drive):
    def train(trial):
        with ThreadPoolExecutor(8) as executor:
            list(executor.map(lambda step: trial.report_scalar("a", "b", step, step), range(5000)))

    driver = drive(train)
    driver.run()
    assert sorted(iteration for *_, iteration in driver.scalars[0]) == list(range(5000))


def test_numpy_numbers_nan_and_infinity_can_be_reported(drive):
    def train(trial):
        import numpy as np

        trial.report_scalar("a", "b", np.float32(0.5), np.int64(1))
        trial.report_scalar("a", "b", float("nan"), 2)
        trial.report_scalar("a", "b", -np.inf, 3.0)
        trial.report_scalar("a", "b", 1, np.float64(4))

    driver = drive(train)
    assert driver.run().state == TrialState.COMPLETED
    first, second, third, fourth = driver.scalars[0]
    assert first == ("a", "b", 0.5, 1)
    assert type(first[2]) is float
    assert type(first[3]) is int
    assert math.isnan(second[2])
    assert third == ("a", "b", -math.inf, 3)
    assert fourth == ("a", "b", 1.0, 4)


@pytest.mark.parametrize(
    ("value", "iteration"),
    [
        ("high", 1),
        (1.0, "first"),
        (None, 0),
        (1.0, math.nan),
        (1.0, -math.inf),
        (1.0, 0.5),
        pytest.param(10**400, 1, id="huge"),
    ],
)
def test_a_report_that_is_no_number_fails_the_trial_with_a_sentence(drive, value, iteration):
    outcome = drive(lambda trial: trial.report_scalar("a", "b", value, iteration)).run()
    assert outcome.state == TrialState.FAILED
    assert "report_scalar takes" in outcome.error


def test_the_top_level_function_reports_below_a_callable(drive):
    def train(x):
        from hpo_widgets import report_scalar

        report_scalar("a", "b", x, 0)

    driver = drive(train)
    driver.run(0, x=1)
    driver.run(1, x=2)
    assert driver.scalars == {0: [("a", "b", 1.0, 0)], 1: [("a", "b", 2.0, 0)]}


def test_outside_a_search_a_report_does_nothing(monkeypatch):
    report_scalar("a", "b", 1.0, 0)
    for text in ("", "nonsense", "1:2", "999:1"):
        monkeypatch.setenv("HPO_WIDGETS_REPORT", text)
        report_scalar("a", "b", 1.0, 0)
    with pytest.raises(TypeError, match="a number as value"):
        report_scalar("a", "b", "high", 0)


# As an objective of Optuna asks its trial ---------------------------------------------------------------------------


LOSS = make_objectives("validation", "loss", "min")
TWO = make_objectives(["loss", "size"], ["loss", "size"], ["min", "min"])


def test_a_function_of_the_trial_alone_asks_for_its_values(drive):
    def objective(trial):
        assert trial.params == {"General/rate": 0.25, "units": 8, "solver": ("adam", None)}
        rate = trial.suggest_float("rate", 1e-4, 1e-1, log=True)
        assert rate == trial.suggest_float("General/rate", 0, 1, step=0.1)
        units = trial.suggest_int("units", 1, 4, step=1)
        solver = trial.suggest_categorical("solver", ["sgd"])
        return rate + units + len(solver)

    driver = drive(objective)
    driver.run(**{"General/rate": 0.25, "units": 8, "solver": ("adam", None)})
    assert driver.outcomes[0].result == 10.25


def test_a_function_with_other_arguments_too_may_ask_its_trial(drive):
    driver = drive(lambda units, trial, **_others: units - trial.suggest_int("depth", 1, 9))
    driver.run(units=8, depth=3)
    assert driver.outcomes[0].result == 5


def test_a_name_that_the_search_does_not_have_fails_the_trial_with_those_that_it_has(drive):
    driver = drive(lambda trial: trial.suggest_float("momentum", 0, 1))
    driver.run(rate=0.5)
    assert driver.outcomes[0].state is TrialState.FAILED
    assert "no parameter 'momentum', only 'rate'" in driver.outcomes[0].error


def test_report_names_the_objective_and_numbers_of_the_user_become_scalars(drive):
    def objective(trial):
        trial.set_user_attr("before", 1)
        trial.report(0.5, step=np.int64(4))
        trial.set_user_attr("accuracy", np.float32(0.25))
        for other in ("text", True, None, [1, 2]):
            trial.set_user_attr("other", other)
        assert trial.should_prune() is False
        return 0.5

    driver = drive(objective, objectives=LOSS)
    driver.run()
    assert driver.outcomes[0].state is TrialState.COMPLETED, driver.outcomes[0].error
    assert driver.scalars[0] == [
        ("before", "before", 1.0, 0), ("validation", "loss", 0.5, 4), ("accuracy", "accuracy", 0.25, 4)
    ]  # fmt: skip


def test_a_pruned_exception_ends_a_trial_that_was_told_to_stop(drive):
    class TrialPruned(Exception):  # noqa: N818 -- the name that Optuna has
        """As Optuna's, which is told by its name."""

    def objective(trial):
        step = 0
        while not trial.should_prune():
            trial.report(1.0, step)
            step += 1
        raise TrialPruned

    driver = drive(objective, objectives=LOSS)
    driver.launch(0)
    driver.reported(0)
    driver.engine.ask_stop(0, TrialState.PRUNED)
    assert driver.ended(0).state is TrialState.PRUNED


def test_a_tuple_is_one_value_for_each_objective(drive):
    driver = drive(lambda trial: (trial.suggest_float("x"), 2), objectives=TWO)
    driver.run(x=0.5)
    assert driver.outcomes[0].result == {"loss/loss": 0.5, "size/size": 2}


def test_another_number_of_values_fails_the_trial_with_the_names_of_the_objectives(drive):
    driver = drive(lambda trial: [trial.suggest_float("x")], objectives=TWO)
    driver.run(x=0.5)
    assert driver.outcomes[0].error == "returned 1 values for 2 objectives, loss/loss, size/size"


def test_report_needs_a_single_objective(drive):
    driver = drive(lambda trial: trial.report(0.5, 0), objectives=TWO)
    driver.run()
    assert "call trial.report_scalar" in driver.outcomes[0].error
