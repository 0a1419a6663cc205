"""What is searched for the same time: known functions that compute for a while, models on data of scikit-learn's.

Each task has parameters in our words, from which those of the peers are made, and a function to be minimised whose
answer depends on the point alone.
"""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hpo_widgets import (
    DiscreteParameterRange,
    LogUniformParameterRange,
    ParameterSet,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from tests.benchmarks import quality

if TYPE_CHECKING:
    from collections.abc import Callable

COMPUTING = 0.02
"""Seconds of CPU time that a known function takes."""


@dataclass(frozen=True)
class Task:
    """Something to be searched.

    Attributes
    ----------
    name
        Shown.
    make
        Gives what is minimised, by the values of the point, with its data.
    parameters
        Our parameters.
    seconds
        For how long it is searched.
    """

    name: str
    make: Callable[[], Callable[..., float]]
    parameters: list[Any]
    seconds: float


def compute(function: Callable[..., float], **point: Any) -> float:
    """A known function that takes CPU time."""
    end = time.thread_time() + COMPUTING
    while time.thread_time() < end:
        pass
    return function(**point)


def digits(data: Any, c: float, gamma: float, kernel: str, degree: int = 3) -> float:
    """The share of 899 digits that a support vector classifier gets wrong."""
    from sklearn.svm import SVC

    x, x_test, y, y_test = data
    model = SVC(C=c, gamma=gamma, kernel=kernel, degree=degree).fit(x / 16, y)
    return float(np.mean(model.predict(x_test / 16) != y_test))


def breast_cancer(data: Any, rate: float, trees: int, depth: int, share: float, features: float) -> float:
    """The log loss of gradient boosting."""
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.metrics import log_loss

    x, x_test, y, y_test = data
    model = GradientBoostingClassifier(
        learning_rate=rate, n_estimators=trees, max_depth=depth, subsample=share, max_features=features, random_state=0
    )
    return float(log_loss(y_test, model.fit(x, y).predict_proba(x_test)))


def diabetes(data: Any, trees: int, depth: int, leaf: int, features: float, share: float) -> float:
    """The root of the mean squared error of a random forest."""
    from sklearn.ensemble import RandomForestRegressor

    x, x_test, y, y_test = data
    model = RandomForestRegressor(
        n_estimators=trees, max_depth=depth, min_samples_leaf=leaf, max_features=features, max_samples=share,
        random_state=0,
    )  # fmt: skip
    return float(np.sqrt(np.mean((model.fit(x, y).predict(x_test) - y_test) ** 2)))


def _computing(name: str) -> Callable[[], Callable[..., float]]:
    return lambda: functools.partial(compute, quality.FUNCTIONS[name])


def _learning(function: Callable[..., float]) -> Callable[[], Callable[..., float]]:
    """Load the data, and what learns from it, which a person's notebook has before a search."""

    def make() -> Callable[..., float]:
        import sklearn.ensemble
        import sklearn.svm  # noqa: F401
        from sklearn import datasets, model_selection

        x, y = getattr(datasets, f"load_{function.__name__}")(return_X_y=True)
        data = tuple(model_selection.train_test_split(x, y, train_size=0.5, random_state=0))
        return functools.partial(function, data)

    return make


TASKS = {
    **{
        name: Task(name, _computing(name), quality.space(name), 3.0) for name in quality.FUNCTIONS
    },
    "digits": Task(
        "digits, support vectors",
        _learning(digits),
        [
            ParameterSet([
                {"kernel": "rbf", "c": LogUniformParameterRange("c", -2, 3),
                 "gamma": LogUniformParameterRange("gamma", -4, 1)},
                {"kernel": "poly", "c": LogUniformParameterRange("c", -2, 3),
                 "gamma": LogUniformParameterRange("gamma", -4, 1),
                 "degree": UniformIntegerParameterRange("degree", 2, 5)},
            ]),
        ],
        12.0,
    ),
    "breast cancer": Task(
        "breast cancer, gradient boosting",
        _learning(breast_cancer),
        [
            LogUniformParameterRange("rate", -2.5, 0),
            UniformIntegerParameterRange("trees", 10, 120),
            UniformIntegerParameterRange("depth", 1, 6),
            UniformParameterRange("share", 0.2, 1),
            UniformParameterRange("features", 0.05, 1),
        ],
        12.0,
    ),
    "diabetes": Task(
        "diabetes, random forest",
        _learning(diabetes),
        [
            UniformIntegerParameterRange("trees", 10, 120),
            UniformIntegerParameterRange("depth", 1, 12),
            UniformIntegerParameterRange("leaf", 1, 40),
            UniformParameterRange("features", 0.1, 1),
            UniformParameterRange("share", 0.1, 1),
        ],
        12.0,
    ),
}  # fmt: skip


def hyperopt_space(parameters: list[Any]) -> list[Any]:
    """The parameters in hyperopt's words: a list of parts of the point."""
    from hyperopt import hp

    return [
        hp.choice(
            quality.choice_of(parameter),
            [
                {name: _of_hyperopt(part, f"{number} ") for name, part in combination.items()}
                for number, combination in enumerate(parameter.values)
            ],
        )
        if isinstance(parameter, ParameterSet)
        else {parameter.name: _of_hyperopt(parameter, "")}
        for parameter in parameters
    ]


def _of_hyperopt(part: Any, prefix: str) -> Any:
    from hyperopt import hp

    if isinstance(part, LogUniformParameterRange):
        return hp.loguniform(prefix + part.name, *(bound * np.log(10) for bound in (part.min_value, part.max_value)))
    if isinstance(part, UniformIntegerParameterRange):
        return hp.uniformint(prefix + part.name, part.min_value, part.max_value)
    if isinstance(part, UniformParameterRange):
        return hp.uniform(prefix + part.name, part.min_value, part.max_value)
    if isinstance(part, DiscreteParameterRange):
        return hp.choice(prefix + part.name, list(part.values))
    return part
