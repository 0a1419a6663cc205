"""Toy objectives have the minima that they promise, report curves and can be sent to other processes."""

from __future__ import annotations

import math
import pickle

import pytest

from hpo_widgets.testing import objectives


class Trial:
    def __init__(self):
        self.reports = []

    def report_scalar(self, title, series, value, iteration):
        self.reports.append((title, series, value, iteration))


CASES = [
    (objectives.sphere, {"a": 0.0, "b": 0.0, "c": 0.0}, 0.0),
    (objectives.rosenbrock, {"x": 1.0, "y": 1.0}, 0.0),
    (objectives.branin, {"x": math.pi, "y": 2.275}, 0.397887),
    (objectives.branin, {"x": -math.pi, "y": 12.275}, 0.397887),
    (objectives.mixed, {"lr": 10**-2.5, "layers": 3, "activation": "relu"}, 0.03),
]


@pytest.mark.parametrize(("objective", "point", "minimum"), CASES)
def test_the_minimum_is_where_it_is_said_to_be(objective, point, minimum):
    assert objective(**point) == pytest.approx(minimum, abs=1e-5)
    moved = {name: value * 1.1 + 0.1 for name, value in point.items() if isinstance(value, float)}
    assert objective(**{**point, **moved}) > minimum


@pytest.mark.parametrize(("objective", "point", "minimum"), CASES)
def test_the_curve_falls_to_the_value(objective, point, minimum):
    trial = Trial()
    value = objective(**point, trial=trial)
    curve = [report[2] for report in trial.reports]
    assert curve == sorted(curve, reverse=True)
    assert curve[-1] == value
    assert {report[:2] for report in trial.reports} == {("validation", "loss")}
    assert [report[3] for report in trial.reports] == list(range(10))


@pytest.mark.parametrize("objective", [case[0] for case in CASES])
def test_it_can_be_sent_to_another_process(objective):
    assert pickle.loads(pickle.dumps(objective)) is objective
