"""The search controller with ClearML's API: checks, translates, waits."""

from hpo_widgets.optimizer.optimizer import (
    HyperParameterOptimizer,
)

__all__ = [
    "HyperParameterOptimizer",
]
