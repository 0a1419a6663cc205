"""Optuna's samplers and pruners as search strategies; the only folder but for ``bohb`` that imports Optuna."""

from __future__ import annotations

from hpo_widgets.strategies.optuna.export import study_from_trials
from hpo_widgets.strategies.optuna.strategy import OptimizerOptuna

__all__ = ["OptimizerOptuna", "study_from_trials"]
