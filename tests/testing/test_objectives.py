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
    (objectives.branin, {"x": 9.42478, "y": 2.475}, 0.397887),
    (objectives.himmelblau, {"x": 3.0, "y": 2.0}, 0.0),
    (objectives.himmelblau, {"x": -2.805118, "y": 3.131312}, 0.0),
    (objectives.himmelblau, {"x": -3.779310, "y": -3.283186}, 0.0),
    (objectives.himmelblau, {"x": 3.584428, "y": -1.848126}, 0.0),
    (objectives.rastrigin, {"a": 0.0, "b": 0.0}, 0.0),
    (
        objectives.hartmann6,
        {"x1": 0.20169, "x2": 0.150011, "x3": 0.476874, "x4": 0.275332, "x5": 0.311652, "x6": 0.6573},
        -3.32237,
    ),
    (objectives.noisy_sphere, {"a": 0.0, "noise": 0.0}, 0.0),
    (objectives.conditional, {"kernel": "radial", "width": 1.0}, 0.1),
    (objectives.mixed, {"lr": 10**-2.5, "layers": 3, "activation": "relu"}, 0.03),
]


IDS = [f"{objective.__name__}-{number}" for number, (objective, _, _) in enumerate(CASES)]


@pytest.mark.parametrize(("objective", "point", "minimum"), CASES, ids=IDS)
def test_the_minimum_is_where_it_is_said_to_be(objective, point, minimum):
    assert objective(**point) == pytest.approx(minimum, abs=1e-5)
    moved = {name: value * 1.1 + 0.1 for name, value in point.items() if isinstance(value, float)}
    moved.pop("noise", None)
    assert objective(**{**point, **moved}) > minimum


@pytest.mark.parametrize(("objective", "point", "minimum"), CASES, ids=IDS)
def test_the_curve_falls_to_the_value(objective, point, minimum):
    trial = Trial()
    value = objective(**point, trial=trial)
    curve = [report[2] for report in trial.reports]
    assert curve == sorted(curve, reverse=True)
    assert curve[-1] == value
    assert {report[:2] for report in trial.reports} == {("validation", "loss")}
    assert [report[3] for report in trial.reports] == list(range(10))


@pytest.mark.parametrize(("x1", "f2"), [(0.0, 1.0), (0.25, 0.5), (1.0, 0.0)])
def test_the_front_of_zdt1_is_where_all_but_the_first_coordinate_are_0(x1, f2):
    on_front = objectives.zdt1(x1=x1, x2=0.0, x3=0.0)
    off_front = objectives.zdt1(x1=x1, x2=0.5, x3=0.0)

    assert on_front == {"objective/f1": x1, "objective/f2": pytest.approx(f2)}
    assert off_front["objective/f2"] > on_front["objective/f2"]


def test_noise_differs_from_call_to_call():
    assert len({objectives.noisy_sphere(a=1.0) for _ in range(5)}) == 5


OBJECTIVES = sorted({case[0] for case in CASES}, key=lambda objective: objective.__name__)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda objective: objective.__name__)
def test_it_can_be_sent_to_another_process(objective):
    assert pickle.loads(pickle.dumps(objective)) is objective
