"""A live ``clearml.automation.HyperParameterOptimizer`` as a `Search`: watched, steered, stopped."""

from __future__ import annotations

import threading
import weakref
from inspect import signature
from typing import TYPE_CHECKING, Any

from hpo_widgets._messages import run_in_thread
from hpo_widgets.clearml_sdk.commands import SdkCommands
from hpo_widgets.search.as_code import constructor_call
from hpo_widgets.search.budget import Budget, Limit
from hpo_widgets.search.limits import SECONDS_A_MINUTE
from hpo_widgets.trials import Trial, TrialState
from hpo_widgets.trials.export import to_dataframe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Future

    import pandas as pd

    from hpo_widgets.search import Notice, StopReason
    from hpo_widgets.space.range_history import EpochMark
    from hpo_widgets.trials.columns import Changes, Snapshot

# By the controller's id: a search holds its controller, so that the id is another's only when both are gone.
_known: weakref.WeakValueDictionary[int, SdkSearch] = weakref.WeakValueDictionary()
_known_lock = threading.Lock()


def adapt(optimizer: Any) -> SdkSearch:
    """Return the one `SdkSearch` of a controller of the SDK: two panels on it show the same search."""
    with _known_lock:
        search = _known.get(id(optimizer))
        if search is None:
            search = _known[id(optimizer)] = SdkSearch(optimizer)
        return search


class SdkSearch(SdkCommands):
    """A live controller of the ClearML SDK, started or not, as plots, tables and controls see a search.

    A thread of its own, from the first `subscribe` to the end of the last subscription, asks the server about the
    controller's Tasks, by one request each second for all that run. It ends with `close`, the search does not.

    The strategy object is taken in hand: nothing beyond ``total_max_jobs`` is launched, a free place is filled when a
    job ends and not a pool period later, a random search draws points of its own unless a seed was set
    (``set_random_seed``), a stepped range its maximum too, and `stop` stops every strategy.

    Parameters
    ----------
    optimizer
        The controller. Its class is not touched.
    locally
        Whether Start means ``start_locally``: Tasks run in processes of this machine. Default False: on its queue.
    """

    # The Search protocol --------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The optimizer Task's id, or one made of the base Task's."""
        task = self._optimizer._task  # noqa: SLF001
        return f"sdk-{id(self._optimizer):x}" if task is None else str(task.id)

    @property
    def name(self) -> str:
        """The base Task's name."""
        return str(self._steering.strategy._base_task_name)  # noqa: SLF001

    @property
    def engine_name(self) -> str:
        """Where trials run."""
        job_class = self._steering.strategy._job_class  # noqa: SLF001
        if job_class.__name__ == "LocalClearmlJob" or (self.locally and not self.was_started):
            return "ClearML, on this machine"
        return f"ClearML, queue {self._optimizer.execution_queue}"

    @property
    def strategy_name(self) -> str:
        """The strategy's class name."""
        return type(self._steering.strategy).__name__

    @property
    def stop_reason(self) -> StopReason | None:
        """Why the search ended; None while it has not."""
        return self._reason

    @property
    def budget(self) -> Budget:
        """Limits, and what is used of them."""
        steering, children = self._steering, list(self._children.all)
        per_job, total = steering.strategy.max_iteration_per_job, steering.total_max_jobs
        used = sum(max(child.row.iteration or [0], key=lambda at: at or 0) or 0 for child in children)
        return Budget(
            jobs=Limit(total or None, len(children)),
            iterations=Limit(total * per_job if total and per_job else None, max(0, used)),
            compute_minutes=Limit(self._compute_limit, self.compute_minutes),
            wall_minutes=Limit(self.wall_limit, self.elapsed_minutes),
        )

    @property
    def wall_limit(self) -> float | None:
        """Minutes that the search may take in all; None: any."""
        began, timeout = self._optimizer.optimization_start_time, self._optimizer.optimization_timeout
        if began is None:
            return self._limit_minutes
        return None if timeout is None else (self._minutes_before + (timeout - began) / SECONDS_A_MINUTE) or None

    @property
    def epochs(self) -> Sequence[EpochMark]:
        """The space epochs so far."""
        return self._epochs.marks

    @property
    def counts(self) -> Mapping[TrialState, int]:
        """Number of trials by state."""
        return self._shown.columns.counts()

    @property
    def best_trial(self) -> Trial | None:
        """The best completed trial, else the best with a value."""
        number = self._shown.best()
        return None if number is None else self.trial(number)

    @property
    def errors(self) -> Sequence[Notice]:
        """What went wrong beside trials, oldest first."""
        return self._notices

    @property
    def max_number_of_concurrent_tasks(self) -> int:
        """Trials that run at once at most."""
        return self._steering.concurrency

    @property
    def total_max_jobs(self) -> int | None:
        """The job budget."""
        return self._steering.total_max_jobs

    def snapshot(self) -> Snapshot:
        """All trials as columns."""
        return self._shown.columns.snapshot()

    def changes_since(self, version: int) -> Changes:
        """The trials that changed after a version, as columns."""
        return self._shown.columns.changes_since(version)

    def trial(self, number: int) -> Trial:
        """One trial, with its Task's id; curves and console are read from the server when asked for."""
        if not 0 <= number < len(self._children.all):
            raise IndexError(f"there is no trial {number}: the search has {len(self._children.all)} so far")
        child = self._children.all[number]
        return Trial.from_row(child.row, child.task_id, dict(child.point), self.objectives, self._source)

    def log_so_far(self, number: int) -> Future[str | None]:
        """Ask for the end of a trial's console; a thread of its own waits for the server."""

        def read() -> str:
            return "\n".join(filter(None, self._source.output(number)))

        return run_in_thread("hpo_widgets clearml console", read, self._shown.notify)

    def top(self, k: int) -> list[Trial]:
        """The k best trials, best first."""
        return [self.trial(number) for number in self._shown.top(k)]

    def to_dataframe(self) -> pd.DataFrame:
        """All trials with typed values, one row a trial."""
        return to_dataframe(self.snapshot(), self._declared, self.objectives)

    def as_code(self) -> str:
        """The controller as Python: imports and the constructor call with the ranges and limits of this moment."""
        strategy, optimizer = self._steering.strategy, self._optimizer
        wall = self.wall_limit
        keywords: dict[str, object] = {
            "max_number_of_concurrent_tasks": self._steering.concurrency,
            "execution_queue": optimizer.execution_queue,
            "optimization_time_limit": None if wall is None else round(wall, 2),
            "compute_time_limit": self._compute_limit,
            "save_top_k_tasks_only": optimizer._save_top_k_tasks_only or None,  # noqa: SLF001
            "pool_period_min": strategy.pool_period_minutes,
            "time_limit_per_job": strategy.time_limit_per_job,
            "min_iteration_per_job": strategy.min_iteration_per_job,
            "max_iteration_per_job": strategy.max_iteration_per_job,
            "total_max_jobs": strategy.total_max_jobs,
        }
        for name in ("optuna_sampler", "optuna_pruner"):
            keywords[name] = getattr(strategy, f"_{name}", None)
        # The Optuna strategy has arguments that may be None, but not left out.
        required = {name for name, one in signature(type(strategy)).parameters.items() if one.default is one.empty}
        return constructor_call(
            optimizer.base_task_id,
            self.space,
            self.objectives,
            type(strategy),
            {name: value for name, value in keywords.items() if value is not None or name in required},
            package="clearml.automation",
        )
