"""A search of ClearML's own SDK as a `Search`: what plots, tables and controls see of it, whoever runs it."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, cast

from hpo_widgets._messages import run_in_thread
from hpo_widgets.clearml_sdk.tasks import TaskTrials
from hpo_widgets.clearml_sdk.watcher import Notices, Watcher
from hpo_widgets.engines.clearml.reading import page_of
from hpo_widgets.search import check_command, did_nothing
from hpo_widgets.search.budget import Budget, Limit
from hpo_widgets.search.readable import extras_of
from hpo_widgets.space.range_history import RangeHistory
from hpo_widgets.trials.export import Export

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future

    import pandas as pd

    from hpo_widgets.clearml_sdk.tasks import TaskTrial
    from hpo_widgets.objectives import Objective
    from hpo_widgets.search import Notice, Search, SearchStatus
    from hpo_widgets.space import Space
    from hpo_widgets.space.range_history import EpochMark
    from hpo_widgets.trials import Trial, TrialState
    from hpo_widgets.trials.columns import Changes, Snapshot


class SdkSearch(ABC):
    """A search of the ClearML SDK: a controller of this process (`LiveSearch`), or one that is seen by its Task.

    From the first `subscribe` to the end of the last subscription, a thread of its own asks the server about the
    search's Tasks, by one request for all that run. `close` ends the thread, but not the search.

    Attributes
    ----------
    id
        The optimizer Task's id, or one made of this object's.
    commands
        Has a method for each of `COMMANDS` that can ever be done.

    Parameters
    ----------
    optimizer_task_id
        The optimizer Task's id; None where the controller has no such Task.
    name, strategy_name
        What people call the search; the class name of its strategy.
    declared
        The space as it was declared.
    objectives
        What is optimised.
    """

    commands: Any = None

    def __init__(
        self,
        optimizer_task_id: str | None,
        name: str,
        strategy_name: str,
        declared: Space,
        objectives: tuple[Objective, ...],
    ) -> None:
        self.id = optimizer_task_id or f"sdk-{id(self):x}"
        self.optimizer_task_id = optimizer_task_id
        self.name = name
        self.strategy_name = strategy_name
        self.declared = declared
        self.objectives = objectives
        self.history = RangeHistory(declared)
        self.notices = Notices()
        self.trials = TaskTrials(declared, objectives, self._limit, self._was_pruned, self.notices)
        self.watcher = Watcher(self.look, self._pause, self.trials.store, self.notices)
        self._looking = threading.Lock()

    def __repr__(self) -> str:
        return f"<SdkSearch {self.id} {self.status}>"

    # What a kind of search has to give ------------------------------------------------------------------

    @property
    @abstractmethod
    def status(self) -> SearchStatus:
        """What the search is doing."""

    @property
    @abstractmethod
    def capabilities(self) -> Mapping[str, str | None]:
        """Command to None when it can be done now, else to the sentence that says why not."""

    @abstractmethod
    def look(self) -> None:
        """Read what has happened since the last look; raises ``ClearmlError`` when the server does not answer."""

    @abstractmethod
    def _pause(self) -> float:
        """Seconds until the next look."""

    @abstractmethod
    def _limit(self, name: str) -> float | None:
        """A limit by the name of the argument that sets it; None: there is none."""

    @property
    @abstractmethod
    def elapsed_minutes(self) -> float:
        """Minutes it has run; 0 before its start."""

    def _was_pruned(self, trial: TaskTrial) -> bool:  # noqa: ARG002 -- of most searches nobody knows
        """Whether a trial whose Task was stopped was pruned."""
        return False

    # What it shows --------------------------------------------------------------------------------------

    @property
    def optimizer_task_page(self) -> str | None:
        """Address of the optimizer Task's page in ClearML's web application; None where that is not known."""
        return None if self.optimizer_task_id is None else page_of(self.optimizer_task_id)

    @property
    def space(self) -> Space:
        """The present space epoch."""
        return self.history.space

    @property
    def epochs(self) -> Sequence[EpochMark]:
        """The space epochs so far."""
        return self.history.marks

    @property
    def budget(self) -> Budget:
        """Limits, and what is used of them: jobs that have ended, not those that run."""
        total, per_job = self._limit("total_max_jobs"), self._limit("max_iteration_per_job")
        return Budget(
            jobs=Limit(total, self.trials.num_ended),
            iterations=Limit(total * per_job if total and per_job else None, self.trials.num_iterations),
            compute_minutes=Limit(self._limit("compute_time_limit"), self.trials.compute_minutes),
            wall_minutes=Limit(self._limit("optimization_time_limit"), self.elapsed_minutes),
        )

    @property
    def counts(self) -> Mapping[TrialState, int]:
        """Number of trials by state."""
        return self.trials.store.columns.counts()

    @property
    def best_trial(self) -> Trial | None:
        """The best completed trial by the first objective, else the best with a value."""
        return self.best_by(0)

    def best_by(self, objective: int) -> Trial | None:
        """The best completed trial by one objective, given by its index, else the best with a value."""
        number = self.trials.store.best(objective)
        return None if number is None else self.trial(number)

    @property
    def errors(self) -> Sequence[Notice]:
        """What went wrong beside trials, oldest first."""
        return self.notices.shown

    def command(self, name: str, *arguments: Any) -> None:
        """Ask for one of `COMMANDS` and return at once, as `Search.command`; what goes wrong appears in ``errors``."""
        check_command(name)
        reason = self.capabilities[name]
        if reason is not None:
            self.notices.tell("command", did_nothing(name, reason))
            return
        try:
            getattr(self.commands, name)(*arguments)
        except Exception as error:  # noqa: BLE001 -- nobody waits for it: it is shown instead
            self.notices.tell("command", f"{name}: {error}")

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Watch the search and have ``callback`` called after every change; it must only set a flag."""
        return self.watcher.subscribe(callback)

    def close(self) -> None:
        """End watching, until somebody subscribes anew. The search goes on."""
        self.watcher.close()

    def snapshot(self) -> Snapshot:
        """All trials as columns."""
        return self.trials.store.columns.snapshot()

    def changes_since(self, version: int) -> Changes:
        """The trials that changed after a version, as columns."""
        return self.trials.store.columns.changes_since(version)

    def trial(self, number: int) -> Trial:
        """One trial, with its Task's id; curves and console are read from the server when asked for."""
        return self.trials.trial(number)

    def top(self, k: int) -> list[Trial]:
        """The k best trials, best first."""
        return [self.trial(number) for number in self.trials.store.top(k)]

    def log_so_far(self, number: int) -> Future[str | None]:
        """Ask for the end of a trial's console; a thread of its own waits for the server, and notifies subscribers."""

        def read() -> str:
            return "\n".join(filter(None, self.trials.output(number)))

        return run_in_thread("hpo_widgets clearml console", read, self.trials.store.notify)

    def to_dataframe(self) -> pd.DataFrame:
        """All trials with typed values, one row per trial."""
        rows = self.snapshot()
        extras = extras_of(cast("Search", self), rows)
        return Export(rows, self.declared, self.objectives, extras).to_dataframe()
