"""Why a controller of the SDK has ended: it says so in no words of its own."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from hpo_widgets.clearml_sdk.launches import MOST_IN_A_ROW
from hpo_widgets.search import StopReason
from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from hpo_widgets.clearml_sdk.children import Children
    from hpo_widgets.clearml_sdk.steering import Steering


def why_ended(optimizer: Any, steering: Steering, children: Children) -> StopReason:
    """Return the reason of an end that nobody asked us for."""
    if steering.error is not None:
        return StopReason("error", f"ClearML's controller ended with an error: {steering.error}")
    if optimizer._thread is not None:  # noqa: SLF001 -- its loop died before we had a hand on it
        return StopReason("error", "ClearML's controller ended with an error; its traceback is where its output goes")
    timeout = optimizer.optimization_timeout
    if timeout is not None and time.time() >= timeout:
        return StopReason("optimization_time_limit", "the time limit has passed")
    if optimizer._stop_event is not None and optimizer._stop_event.is_set():  # noqa: SLF001
        return StopReason("stopped", "stopped by optimizer.stop()")
    return _natural_end(steering, children)


def _natural_end(steering: Steering, children: Children) -> StopReason:
    failures = [sentence for sentence in steering.launches.failures.values() if sentence.startswith("could")]
    launched = len(children.all) - len(failures)
    if failures and (not launched or len(failures) >= MOST_IN_A_ROW):
        return StopReason("launch_failed", f"jobs {failures[-1]}")
    ended = [child for child in children.all if child.state is not TrialState.ABORTED]
    if ended and all("without reporting" in (child.row.error or "") for child in ended):
        return StopReason("objective_never_reported", f"no job reported the objective: each {ended[-1].row.error}")
    limit = steering.total_max_jobs
    if limit and launched >= limit:
        return StopReason("total_max_jobs", f"all {limit} jobs have run")
    if steering.is_optuna and limit:
        skipped = limit - launched
        return StopReason(
            "total_max_jobs",
            f"ClearML's Optuna strategy is done after {launched} of {limit} jobs: "
            f"{skipped} of its points had been tried and counted without being run",
        )
    if steering.is_grid:
        return StopReason("space_exhausted", f"every point of the grid has run, {launched} in all")
    if steering.is_random:
        return StopReason("space_exhausted", f"the random search found no further new point after {launched} jobs")
    return StopReason("space_exhausted", f"the strategy had no further job after {launched}")
