"""Toy objectives with known minima: plain functions that a search can run in other processes.

Each reports its value under ``("validation", "loss")`` once an iteration, on a curve that falls
towards it, and returns it. All are to be minimised and need nothing but the standard library.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

_NUM_ITERATIONS = 10


class Reports(Protocol):
    """What a toy objective asks of the ``trial`` it is given."""

    def report_scalar(self, title: str, series: str, value: float, iteration: int) -> None:
        """Take one value of a curve."""


def sphere(trial: Reports | None = None, **coordinates: float) -> float:
    """Sum the squares of all coordinates; 0 at the origin.

    Parameters
    ----------
    trial
        Where the curve is reported; None reports nothing.
    **coordinates
        Any number of numeric parameters.
    """
    return _reported(trial, math.fsum(value * value for value in coordinates.values()))


def rosenbrock(x: float, y: float, trial: Reports | None = None) -> float:
    """Give a long curved valley; 0 at ``x = y = 1``. Customary ranges: -2 to 2 and -1 to 3."""
    return _reported(trial, (1 - x) ** 2 + 100 * (y - x * x) ** 2)


def branin(x: float, y: float, trial: Reports | None = None) -> float:
    """Give three equal minima of 0.397887. Customary ranges: ``x`` from -5 to 10, ``y`` from 0 to 15."""
    curve = y - 5.1 / (4 * math.pi**2) * x * x + 5 / math.pi * x - 6
    return _reported(trial, curve * curve + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10)


def mixed(lr: float, layers: int, activation: str, trial: Reports | None = None, **_others: Any) -> float:
    """Give something like a validation loss: best near ``lr=0.003``, three layers, ``activation="relu"``."""
    loss = 0.03 + 0.06 * (math.log10(lr) + 2.5) ** 2 + 0.004 * (layers - 3) ** 2
    return _reported(trial, loss + {"relu": 0.0, "tanh": 0.01}.get(activation, 0.05))


def _reported(trial: Reports | None, value: float) -> float:
    """Report a curve that falls to ``value``, and return it."""
    if trial is not None:
        for iteration in range(_NUM_ITERATIONS):
            excess = abs(value) + 1.0
            share = 0.0 if iteration == _NUM_ITERATIONS - 1 else math.exp(-iteration)
            trial.report_scalar("validation", "loss", value + share * excess, iteration)
    return value
