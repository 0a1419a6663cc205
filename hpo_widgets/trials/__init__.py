"""One trial, all trials as columns, and the shapes in which they are handed out."""

from hpo_widgets.trials.trial import (
    NAN,
    Remark,
    Trial,
    TrialRow,
    TrialState,
    split_key,
)

__all__ = [
    "NAN",
    "Remark",
    "Trial",
    "TrialRow",
    "TrialState",
    "split_key",
]
