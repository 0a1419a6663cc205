"""Test functions of the optimisation literature, with known optima: plain functions that run in other processes.

Each reports its value under ``("validation", "loss")`` once an iteration, on a curve that falls towards it, and
returns it. All are minimised and need nothing but the standard library. Those with a ``landscape`` tell their
optimum to whoever draws them.
"""

from __future__ import annotations

import math
import random
from typing import Any, Protocol

from hpo_widgets.objectives.landscape import with_landscape

_NUM_ITERATIONS = 10


class TakesReports(Protocol):
    """What a test function asks of the ``trial`` that it is given."""

    def report_scalar(self, title: str, series: str, value: float, iteration: int) -> None:
        """Take one value of a curve.

        Parameters
        ----------
        title, series
            Names of the scalar.
        value
            The value.
        iteration
            The iteration, from 0.
        """


@with_landscape(0.0, everywhere=0.0)
def sphere(trial: TakesReports | None = None, **coordinates: float) -> float:
    r"""Sum the squares of all coordinates.

    Formula: :math:`\sum_i x_i^2`. Domain: any, customarily -5.12 to 5.12. Optimum: 0 at the origin.

    Parameters
    ----------
    trial
        Where the curve is reported. Default: nowhere.
    **coordinates
        Any number of numeric parameters.

    Returns
    -------
    float
        The value, at least 0.
    """
    return _reported(trial, math.fsum(value * value for value in coordinates.values()))


@with_landscape(0.0, {"x": 1.0, "y": 1.0})
def rosenbrock(x: float, y: float, trial: TakesReports | None = None) -> float:
    r"""Return the Rosenbrock function, a long, flat, curved valley.

    Formula: :math:`(1 - x)^2 + 100 (y - x^2)^2`. Domain: ``x`` from -2 to 2, ``y`` from -1 to 3. Optimum: 0 at (1, 1).
    Source: H. H. Rosenbrock, "An automatic method for finding the greatest or least value of a function", The Computer
    Journal 3 (1960).

    Parameters
    ----------
    x, y
        The point.
    trial
        Where the curve is reported. Default: nowhere.

    Returns
    -------
    float
        The value, at least 0.
    """
    return _reported(trial, (1 - x) ** 2 + 100 * (y - x * x) ** 2)


@with_landscape(
    0.39788735772973816, {"x": -math.pi, "y": 12.275}, {"x": math.pi, "y": 2.275}, {"x": 9.42477796, "y": 2.475}
)
def branin(x: float, y: float, trial: TakesReports | None = None) -> float:
    r"""Return the Branin function, which has three equal optima.

    Formula: :math:`(y - 5.1 x^2 / (4 \pi^2) + 5 x / \pi - 6)^2 + 10 (1 - 1 / (8 \pi)) \cos x + 10`. Domain: ``x`` from
    -5 to 10, ``y`` from 0 to 15. Optimum: 0.397887 at (-pi, 12.275), (pi, 2.275) and (9.42478, 2.475). Source:
    L. C. W. Dixon and G. P. Szegö, "The global optimization problem", Towards Global Optimization 2 (1978).

    Parameters
    ----------
    x, y
        The point.
    trial
        Where the curve is reported. Default: nowhere.

    Returns
    -------
    float
        The value, at least 0.397887.
    """
    curve = y - 5.1 / (4 * math.pi**2) * x * x + 5 / math.pi * x - 6
    return _reported(trial, curve * curve + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10)


@with_landscape(
    0.0,
    {"x": 3.0, "y": 2.0},
    {"x": -2.805118, "y": 3.131312},
    {"x": -3.779310, "y": -3.283186},
    {"x": 3.584428, "y": -1.848126},
)
def himmelblau(x: float, y: float, trial: TakesReports | None = None) -> float:
    r"""Return Himmelblau's function, which has four equal optima.

    Formula: :math:`(x^2 + y - 11)^2 + (x + y^2 - 7)^2`. Domain: -5 to 5 for both. Optimum: 0 at (3, 2),
    (-2.805118, 3.131312), (-3.779310, -3.283186) and (3.584428, -1.848126). Source: D. M. Himmelblau, Applied
    Nonlinear Programming (1972).

    Parameters
    ----------
    x, y
        The point.
    trial
        Where the curve is reported. Default: nowhere.

    Returns
    -------
    float
        The value, at least 0.
    """
    return _reported(trial, (x * x + y - 11) ** 2 + (x + y * y - 7) ** 2)


@with_landscape(0.0, everywhere=0.0)
def rastrigin(trial: TakesReports | None = None, **coordinates: float) -> float:
    r"""Return the Rastrigin function, a bowl with many local optima.

    Formula: :math:`\sum_i (x_i^2 - 10 \cos(2 \pi x_i) + 10)`. Domain: -5.12 to 5.12 each. Optimum: 0 at the origin.
    Source: L. A. Rastrigin, Systems of Extremal Control (1974).

    Parameters
    ----------
    trial
        Where the curve is reported. Default: nowhere.
    **coordinates
        Any number of numeric parameters.

    Returns
    -------
    float
        The value, at least 0.
    """
    terms = (value * value - 10 * math.cos(2 * math.pi * value) + 10 for value in coordinates.values())
    return _reported(trial, math.fsum(terms))


_HARTMANN_WEIGHTS = (1.0, 1.2, 3.0, 3.2)
_HARTMANN_SCALES = (
    (10.0, 3.0, 17.0, 3.5, 1.7, 8.0),
    (0.05, 10.0, 17.0, 0.1, 8.0, 14.0),
    (3.0, 3.5, 1.7, 10.0, 17.0, 8.0),
    (17.0, 8.0, 0.05, 10.0, 0.1, 14.0),
)
_HARTMANN_CENTRES = (
    (0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886),
    (0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991),
    (0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650),
    (0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381),
)


@with_landscape(
    -3.32236801, {"x1": 0.20169, "x2": 0.150011, "x3": 0.476874, "x4": 0.275332, "x5": 0.311652, "x6": 0.6573}
)
def hartmann6(
    x1: float,
    x2: float,
    x3: float,
    x4: float,
    x5: float,
    x6: float,
    trial: TakesReports | None = None,
) -> float:
    r"""Return the Hartmann function of six dimensions, which has four wells of different depth.

    Formula: :math:`-\sum_{i=1}^4 \alpha_i \exp(-\sum_{j=1}^6 A_{ij} (x_j - P_{ij})^2)`. Domain: 0 to 1 each. Optimum:
    -3.32237 at (0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573). Source: J. K. Hartman, "Some experiments in
    global optimization", Naval Research Logistics Quarterly 20 (1973).

    Parameters
    ----------
    x1, x2, x3, x4, x5, x6
        The point.
    trial
        Where the curve is reported. Default: nowhere.

    Returns
    -------
    float
        The value, from -3.32237 to 0.
    """
    point = (x1, x2, x3, x4, x5, x6)
    value = 0.0
    for weight, scales, centres in zip(_HARTMANN_WEIGHTS, _HARTMANN_SCALES, _HARTMANN_CENTRES, strict=True):
        distance = math.fsum(a * (x - p) ** 2 for a, x, p in zip(scales, point, centres, strict=True))
        value -= weight * math.exp(-distance)
    return _reported(trial, value)


def noisy_sphere(trial: TakesReports | None = None, noise: float = 0.1, **coordinates: float) -> float:
    r"""Return the value of `sphere` with noise that differs from call to call.

    Formula: :math:`\sum_i x_i^2 + \epsilon`, :math:`\epsilon` normal. Domain: any. Optimum: the mean is 0 at the
    origin. Source: made for these tests.

    Parameters
    ----------
    trial
        Where the curve is reported. Default: nowhere.
    noise
        Standard deviation of the noise. Default: 0.1.
    **coordinates
        Any number of numeric parameters.

    Returns
    -------
    float
        The noisy value; it may be below 0.
    """
    value = math.fsum(coordinate * coordinate for coordinate in coordinates.values())
    return _reported(trial, value + random.gauss(0.0, noise))


@with_landscape(0.03, {"lr": 10**-2.5, "layers": 3, "activation": "relu"})
def mixed(lr: float, layers: int, activation: str, trial: TakesReports | None = None, **_others: Any) -> float:
    r"""Return a value like the validation loss of a network, over a number, a count and a choice.

    Formula: :math:`0.03 + 0.06 (\log_{10} lr + 2.5)^2 + 0.004 (layers - 3)^2 + c`, where c is 0 for ``"relu"``,
    0.01 for ``"tanh"`` and 0.05 for others. Domain: ``lr`` from 1e-5 to 1, ``layers`` from 1 to 8, any text.
    Optimum: 0.03 at ``lr=10**-2.5``, ``layers=3``, ``activation="relu"``. Source: made for these tests.

    Parameters
    ----------
    lr
        Above 0.
    layers
        A whole number.
    activation
        The name of an activation function.
    trial
        Where the curve is reported. Default: nowhere.
    **_others
        Ignored.

    Returns
    -------
    float
        The value, at least 0.03.
    """
    loss = 0.03 + 0.06 * (math.log10(lr) + 2.5) ** 2 + 0.004 * (layers - 3) ** 2
    return _reported(trial, loss + {"relu": 0.0, "tanh": 0.01}.get(activation, 0.05))


def conditional(
    kernel: str,
    degree: int = 2,
    width: float = 1.0,
    trial: TakesReports | None = None,
) -> float:
    r"""Return a value that depends on another parameter for each choice of ``kernel``.

    Formula: :math:`0.2 + (degree - 3)^2 / 10` for ``kernel="polynomial"``, :math:`0.1 + (\log_{10} width)^2` for any
    other. Domain: ``degree`` from 1 to 6 (polynomial only), ``width`` from 0.01 to 100 (others only). Optimum: 0.1 at
    ``kernel="radial"``, ``width=1``. Source: made for these tests.

    Parameters
    ----------
    kernel
        ``"polynomial"`` or another name.
    degree
        Used with ``"polynomial"`` only. Default: 2.
    width
        Above 0, used with the others only. Default: 1.
    trial
        Where the curve is reported. Default: nowhere.

    Returns
    -------
    float
        The value, at least 0.1.
    """
    if kernel == "polynomial":
        return _reported(trial, 0.2 + (degree - 3) ** 2 / 10)
    return _reported(trial, 0.1 + math.log10(width) ** 2)


def zdt1(**coordinates: float) -> dict[str, float]:
    r"""Return two objectives, of which one gets worse as the other improves.

    Formula: :math:`f_1 = x_1`, :math:`f_2 = g (1 - \sqrt{f_1 / g})` with
    :math:`g = 1 + 9 \sum_{i \ge 2} x_i / (n - 1)`, over the coordinates in the order of their names.
    Domain: 0 to 1 each. Optimum: the front
    :math:`f_2 = 1 - \sqrt{f_1}`, where all but the first are 0. Source: E. Zitzler, K. Deb and L. Thiele,
    "Comparison of multiobjective evolutionary algorithms", Evolutionary Computation 8 (2000).

    Parameters
    ----------
    **coordinates
        At least two numeric parameters.

    Returns
    -------
    dict of str to float
        ``{"objective/f1": ..., "objective/f2": ...}``, both minimised.
    """
    first, *rest = (coordinates[name] for name in sorted(coordinates))
    g = 1 + 9 * math.fsum(rest) / len(rest)
    return {"objective/f1": first, "objective/f2": g * (1 - math.sqrt(first / g))}


def _reported(trial: TakesReports | None, value: float) -> float:
    """Report a curve that falls to ``value``, and return it."""
    if trial is not None:
        for iteration in range(_NUM_ITERATIONS):
            excess = abs(value) + 1.0
            share = 0.0 if iteration == _NUM_ITERATIONS - 1 else math.exp(-iteration)
            trial.report_scalar("validation", "loss", value + share * excess, iteration)
    return value
