"""How the next point is chosen. Names load on first use, so that nobody pays for Optuna unasked."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hpo_widgets.strategies.base import Observation, Proposal, SearchStrategy
    from hpo_widgets.strategies.bohb import OptimizerBOHB
    from hpo_widgets.strategies.optuna import OptimizerOptuna, study_from_trials
    from hpo_widgets.strategies.registry import resolve
    from hpo_widgets.strategies.sampling import GridSearch, RandomSearch

_HOMES = {
    "GridSearch": "sampling",
    "Observation": "base",
    "OptimizerBOHB": "bohb",
    "OptimizerOptuna": "optuna",
    "Proposal": "base",
    "RandomSearch": "sampling",
    "SearchStrategy": "base",
    "resolve": "registry",
    "study_from_trials": "optuna",
}

__all__ = [
    "GridSearch",
    "Observation",
    "OptimizerBOHB",
    "OptimizerOptuna",
    "Proposal",
    "RandomSearch",
    "SearchStrategy",
    "resolve",
    "study_from_trials",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return __all__
