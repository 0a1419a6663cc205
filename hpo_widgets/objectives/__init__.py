"""What is optimised, and the order of trials."""

from hpo_widgets.objectives.objective import (
    MONITOR,
    SIGNS,
    Objective,
    ScalarSummary,
    make_objectives,
)

__all__ = [
    "MONITOR",
    "SIGNS",
    "Objective",
    "ScalarSummary",
    "make_objectives",
]
