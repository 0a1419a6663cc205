"""Optuna's samplers and pruners as search strategies."""

from __future__ import annotations

from hpo_widgets.strategies.optuna.strategy import OptimizerOptuna
from hpo_widgets.strategies.optuna.study import study_from_trials

__all__ = ["OptimizerOptuna", "study_from_trials"]
