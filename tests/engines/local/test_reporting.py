"""Scalars on their way from a trial to the controller."""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hpo_widgets import report_scalar
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
