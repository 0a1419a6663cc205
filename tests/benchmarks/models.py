"""Models of scikit-learn on its own data, each fitted in some milliseconds: what candidates for the default tune.

Each has a function of the values of a point, whose answer depends on these alone, and our parameters. The data are
standardised and split in halves.
"""

from __future__ import annotations

import functools
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hpo_widgets import (
    DiscreteParameterRange,
    LogUniformParameterRange,
    UniformIntegerParameterRange,
    UniformParameterRange,
)

if TYPE_CHECKING:
    from collections.abc import Callable


class Model(NamedTuple):
    """What is tuned.

    Attributes
    ----------
    data
        The name of the data, by which `_data` loads them.
    error
        What is minimised, by the data and the values of a point.
    parameters
        Our parameters.
    """

    data: str
    error: Callable[..., float]
    parameters: list[Any]

    def make(self) -> Callable[..., float]:
        """Load the data; return what is minimised, by the values of a point."""
        return functools.partial(self.error, _data(self.data))


@functools.cache
def _data(name: str) -> tuple[Any, ...]:
    from sklearn import datasets, model_selection

    if name == "friedman":
        x, y = datasets.make_friedman1(600, n_features=10, noise=1.0, random_state=0)
    elif name == "made":
        x, y = datasets.make_classification(600, 20, n_informative=6, n_redundant=6, flip_y=0.05, random_state=1)
    else:
        x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    x = (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-9)
    return tuple(model_selection.train_test_split(x, y, train_size=0.5, random_state=0))


def _log_loss(model: Any, data: tuple[Any, ...]) -> float:
    from sklearn.metrics import log_loss

    x, x_test, y, y_test = data
    return float(log_loss(y_test, _fitted(model, x, y).predict_proba(x_test)))


def _root_of_squares(model: Any, data: tuple[Any, ...]) -> float:
    x, x_test, y, y_test = data
    return float(np.sqrt(np.mean((_fitted(model, x, y).predict(x_test) - y_test) ** 2)))


def _fitted(model: Any, x: Any, y: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that its epochs are few, and that numbers overflow
        return model.fit(x, y)


def _network(data: Any, rate: float, momentum: float, units: int, alpha: float, activation: str) -> float:
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(
        hidden_layer_sizes=(units,), activation=activation, solver="sgd", learning_rate_init=rate, momentum=momentum,
        alpha=alpha, batch_size=32, max_iter=12, random_state=0,
    )  # fmt: skip
    return _log_loss(model, data)


def _diverging(data: Any, rate: float, momentum: float, units: int, alpha: float) -> float:
    """A network of which a quarter of all points fail: their weights become infinite."""
    from sklearn.neural_network import MLPRegressor

    x, x_test, y, y_test = data
    model = MLPRegressor(
        hidden_layer_sizes=(units,), solver="sgd", learning_rate_init=rate, momentum=momentum, alpha=alpha,
        batch_size=20, max_iter=15, random_state=0,
    )  # fmt: skip
    error = _root_of_squares(model, (x, x_test, y / 77, y_test / 77))  # 77 is their standard deviation
    if not error < 1e6:
        raise FloatingPointError("diverged")
    return error


def _linear(data: Any, alpha: float, eta: float, ratio: float, penalty: str, average: bool) -> float:
    from sklearn.linear_model import SGDClassifier

    model = SGDClassifier(
        loss="log_loss", learning_rate="adaptive", alpha=alpha, eta0=eta, l1_ratio=ratio, penalty=penalty,
        average=average, max_iter=5, tol=None, random_state=0,
    )  # fmt: skip
    return _log_loss(model, data)


def _boosting(data: Any, rate: float, trees: int, depth: int, share: float, features: float) -> float:
    from sklearn.ensemble import GradientBoostingRegressor

    model = GradientBoostingRegressor(
        learning_rate=rate, n_estimators=trees, max_depth=depth, subsample=share, max_features=features, random_state=0
    )
    return _root_of_squares(model, data)


def _extra_trees(data: Any, trees: int, depth: int, leaf: int, features: float, split: int) -> float:
    from sklearn.ensemble import ExtraTreesRegressor

    model = ExtraTreesRegressor(
        trees, max_depth=depth, min_samples_leaf=leaf, max_features=features, min_samples_split=split, random_state=0
    )
    return _root_of_squares(model, data)


def _classes(data: Any, c: float, gamma: float, kernel: str) -> float:
    from sklearn.svm import SVC

    x, x_test, y, y_test = data
    return float(np.mean(SVC(C=c, gamma=gamma, kernel=kernel).fit(x, y).predict(x_test) != y_test))


def _regression(data: Any, c: float, gamma: float, epsilon: float) -> float:
    from sklearn.svm import SVR

    return _root_of_squares(SVR(C=c, gamma=gamma, epsilon=epsilon), data)


def _forest(data: Any, trees: int, depth: int, leaf: int, features: float, criterion: str) -> float:
    from sklearn.ensemble import RandomForestClassifier

    model = RandomForestClassifier(
        trees, max_depth=depth, min_samples_leaf=leaf, max_features=features, criterion=criterion, random_state=0
    )
    return _log_loss(model, data)


MODELS = {
    "breast cancer, neural network": Model(
        "breast_cancer",
        _network,
        [
            LogUniformParameterRange("rate", -4, 0),
            UniformParameterRange("momentum", 0, 0.99),
            UniformIntegerParameterRange("units", 4, 48),
            LogUniformParameterRange("alpha", -6, 1),
            DiscreteParameterRange("activation", ["relu", "tanh", "logistic"]),
        ],
    ),
    "digits, linear model": Model(
        "digits",
        _linear,
        [
            LogUniformParameterRange("alpha", -7, 0),
            LogUniformParameterRange("eta", -5, 0),
            UniformParameterRange("ratio", 0, 1),
            DiscreteParameterRange("penalty", ["l2", "elasticnet"]),
            DiscreteParameterRange("average", [True, False]),
        ],
    ),
    "diabetes, gradient boosting": Model(
        "diabetes",
        _boosting,
        [
            LogUniformParameterRange("rate", -2.5, 0),
            UniformIntegerParameterRange("trees", 10, 100),
            UniformIntegerParameterRange("depth", 1, 6),
            UniformParameterRange("share", 0.2, 1),
            UniformParameterRange("features", 0.05, 1),
        ],
    ),
    "Friedman 1, extra trees": Model(
        "friedman",
        _extra_trees,
        [
            UniformIntegerParameterRange("trees", 5, 60),
            UniformIntegerParameterRange("depth", 1, 16),
            UniformIntegerParameterRange("leaf", 1, 30),
            UniformParameterRange("features", 0.1, 1),
            UniformIntegerParameterRange("split", 2, 30),
        ],
    ),
    "made classes, support vectors": Model(
        "made",
        _classes,
        [
            LogUniformParameterRange("c", -3, 3),
            LogUniformParameterRange("gamma", -4, 1),
            DiscreteParameterRange("kernel", ["rbf", "sigmoid"]),
        ],
    ),
    "diabetes, support vectors": Model(
        "diabetes",
        _regression,
        [
            LogUniformParameterRange("c", -2, 4),
            LogUniformParameterRange("gamma", -5, 1),
            LogUniformParameterRange("epsilon", -2, 2),
        ],
    ),
    "wine, random forest": Model(
        "wine",
        _forest,
        [
            UniformIntegerParameterRange("trees", 5, 60),
            UniformIntegerParameterRange("depth", 1, 10),
            UniformIntegerParameterRange("leaf", 1, 20),
            UniformParameterRange("features", 0.05, 1),
            DiscreteParameterRange("criterion", ["gini", "entropy"]),
        ],
    ),
}
DIVERGING = Model(
    "diabetes",
    _diverging,
    [
        LogUniformParameterRange("rate", -4, 0.5),
        UniformParameterRange("momentum", 0, 0.99),
        UniformIntegerParameterRange("units", 4, 64),
        LogUniformParameterRange("alpha", -6, 0),
    ],
)
"""One of which some trials fail."""
