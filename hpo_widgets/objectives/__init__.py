"""What is optimised, and the order of trials."""

from hpo_widgets.objectives.objective import (
    SIGNS,
    Objective,
    ScalarSummary,
    make_objectives,
)

__all__ = [
    "SIGNS",
    "Objective",
    "ScalarSummary",
    "make_objectives",
]
