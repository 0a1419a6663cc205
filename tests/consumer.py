"""What somebody writes who uses the package from outside, checked by mypy and basedpyright as theirs would be.

It is never run: `make lint` checks it against the types that the package gives away (``py.typed``).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, assert_type

from hpo_widgets import (
    DiscreteParameterRange,
    GridSearch,
    HyperParameterOptimizer,
    LogUniformParameterRange,
    OptimizerOptuna,
    OptimizerWidget,
    RandomSearch,
    Trial,
    UniformIntegerParameterRange,
    UniformParameterRange,
    report_scalar,
)
from hpo_widgets.search import Search  # noqa: TC001 -- as people write it
from hpo_widgets.trials import TrialState


def train(lr: float, layers: int, activation: str) -> float:
    """Return a loss."""
    for epoch in range(10):
        report_scalar("validation", "loss", lr / (epoch + layers), epoch)
    return lr * layers + len(activation)


space = [
    LogUniformParameterRange("lr", -4, -1),
    UniformIntegerParameterRange("layers", 1, 4),
    UniformParameterRange("dropout", 0.0, 0.5, step_size=0.1),
    DiscreteParameterRange("activation", ["relu", "tanh"]),
]
optimizer = HyperParameterOptimizer(
    train,
    space,
    objective_metric_title="validation",
    objective_metric_series="loss",
    objective_metric_sign="min",
    optimizer_class=OptimizerOptuna,
    max_number_of_concurrent_tasks=2,
    total_max_jobs=20,
)
assert_type(optimizer, HyperParameterOptimizer)
HyperParameterOptimizer(Path("train.py"), space, optimizer_class=GridSearch)
HyperParameterOptimizer("0123456789abcdef0123456789abcdef", space, optimizer_class=RandomSearch)


def on_end(job_id: str, value: float | None, iteration: int | None, parameters: Mapping[str, Any], top: str) -> None:
    """Hear of each trial that has ended."""
    print(job_id, value, iteration, dict(parameters), top)


assert_type(optimizer.start(on_end), bool)
assert_type(optimizer.wait(timeout=10.0), bool)
optimizer.set_range("lr", (1e-3, 1e-2))
optimizer.set_ranges({"lr": (1e-3, 1e-2), "activation": ["relu"]})
assert_type(optimizer.add_choices("activation", ["gelu"]), None)
assert_type(optimizer.enqueue_trial({"lr": 0.01, "layers": 2, "dropout": 0.1, "activation": "relu"}), None)

best = optimizer.best_trial
assert_type(best, Trial | None)
if best is not None:
    assert_type(best.number, int)
    assert_type(best.state, TrialState)
    assert_type(best.value, float | None)
for trial in optimizer.top(3):
    assert_type(trial, Trial)
frame = optimizer.to_dataframe()
print(frame.shape, optimizer.get_num_active_experiments(), optimizer.elapsed_minutes)

panel = OptimizerWidget(optimizer, plots=["History", "Slices"])
assert_type(panel, OptimizerWidget)
shown: Search = optimizer
OptimizerWidget(shown)
