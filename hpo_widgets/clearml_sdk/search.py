"""A search of ClearML's own SDK as a `Search`: what plots, tables and controls see of it."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any

from hpo_widgets.clearml_sdk.kept import KeptController
from hpo_widgets.clearml_sdk.live import LiveController
from hpo_widgets.engines.clearml.reading import page_of
from hpo_widgets.search import check_command
from hpo_widgets.search.readable import extras_of
from hpo_widgets.trials.export import Export

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future

    import pandas as pd

    from hpo_widgets.objectives import Objective
    from hpo_widgets.search import Notice, SearchStatus, StopReason
    from hpo_widgets.search.budget import Budget
    from hpo_widgets.space import Space
    from hpo_widgets.space.range_history import EpochMark
    from hpo_widgets.trials import Trial, TrialState
    from hpo_widgets.trials.columns import Changes, Snapshot

# By `id()` of the SDK's controller. Search and controller keep each other alive, so an id is reused only after both.
_known: weakref.WeakValueDictionary[int, SdkSearch] = weakref.WeakValueDictionary()
_known_lock = threading.Lock()


def adapt(optimizer: Any, *, locally: bool = False) -> SdkSearch:
    """Return the search of a controller of the SDK, the same object for each call, so that all panels agree.

    Parameters
    ----------
    optimizer
        A ``clearml.automation.HyperParameterOptimizer``, started or not. Its class is not touched.
    locally
        Whether Start means ``start_locally``: Tasks run in processes of this machine. Default False: on its queue.

    Returns
    -------
    SdkSearch
        The search; it is the same object in every call for a controller.
    """
    with _known_lock:
        search = _known.get(id(optimizer))
        if search is None:
            controller = LiveController(optimizer, locally=locally)
            search = _known[id(optimizer)] = controller.search = SdkSearch(controller)
        return search


def view(task_id: str) -> SdkSearch:
    """Return a view of a search that the SDK's controller runs or ran elsewhere, by its optimizer Task's id.

    Raises
    ------
    ValueError
        When there is no such Task, or it keeps no search of the SDK's.
    ClearmlError
        When the server does not answer.
    """
    return SdkSearch(KeptController(task_id))


class SdkSearch:
    """A search of the ClearML SDK.

    From the first `subscribe` to the end of the last subscription, a thread of its own asks the server about the
    search's Tasks, by one request each second for all that run. `close` ends the thread, but not the search.

    The strategy of a live controller is patched (`hpo_widgets.clearml_sdk.patches`): nothing beyond
    ``total_max_jobs`` is launched, a free place is filled when a job ends and not a pool period later, a random search
    draws points of its own unless a seed was set (``set_random_seed``), stepped ranges give their maximum too, and
    ``stop`` stops every strategy.

    Parameters
    ----------
    controller
        What runs the search, or keeps it.
    """

    def __init__(self, controller: LiveController | KeptController) -> None:
        self.controller = controller
        self._trials = controller.trials

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.status}>"

    @property
    def id(self) -> str:
        """The optimizer Task's id, or one made of the controller's."""
        return self.controller.id

    @property
    def optimizer_task_id(self) -> str | None:
        """The optimizer Task's id; None where the controller has no such Task."""
        return self.controller.optimizer_task_id

    @property
    def optimizer_task_page(self) -> str | None:
        """Address of that Task's page in ClearML's web application; None where that is not known."""
        task = self.optimizer_task_id
        return None if task is None else page_of(task)

    @property
    def name(self) -> str:
        """The base Task's name."""
        return self.controller.name

    @property
    def engine_name(self) -> str:
        """Where trials run."""
        return self.controller.engine_name

    @property
    def strategy_name(self) -> str:
        """The strategy's class name."""
        return self.controller.strategy_name

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """What is optimised."""
        return self.controller.objectives

    @property
    def space(self) -> Space:
        """The present space epoch."""
        return self.controller.history.space

    @property
    def epochs(self) -> Sequence[EpochMark]:
        """The space epochs so far."""
        return self.controller.history.marks

    @property
    def status(self) -> SearchStatus:
        """What the search is doing."""
        return self.controller.status

    @property
    def stop_reason(self) -> StopReason | None:
        """Why the search ended; None while it has not."""
        return self.controller.reason

    @property
    def elapsed_minutes(self) -> float:
        """Minutes it has run; 0 before its start."""
        return self.controller.elapsed_minutes

    @property
    def budget(self) -> Budget:
        """Limits, and what is used of them: jobs that have ended, not those that run."""
        return self.controller.budget

    @property
    def max_number_of_concurrent_tasks(self) -> int:
        """Trials that run at once at most."""
        return self.controller.concurrency

    @property
    def total_max_jobs(self) -> int | None:
        """The job budget; None: no limit."""
        return self.controller.total_max_jobs

    @property
    def counts(self) -> Mapping[TrialState, int]:
        """Number of trials by state."""
        return self._trials.store.columns.counts()

    @property
    def best_trial(self) -> Trial | None:
        """The best completed trial by the first objective, else the best with a value."""
        return self._trials.best()

    def best_by(self, objective: int) -> Trial | None:
        """The best completed trial by one objective, given by its index, else the best with a value."""
        return self._trials.best(objective)

    @property
    def errors(self) -> Sequence[Notice]:
        """What went wrong beside trials, oldest first."""
        return self.controller.notices.shown

    @property
    def capabilities(self) -> Mapping[str, str | None]:
        """Command to None when it can be done now, else to the sentence that says why not."""
        return self.controller.commands.capabilities

    def command(self, name: str, *arguments: Any) -> None:
        """Ask for one of `COMMANDS` and return at once, as `Search.command`; what goes wrong appears in ``errors``."""
        check_command(name)
        controller = self.controller
        reason = controller.commands.capabilities[name]
        if reason is not None:
            controller.notices.tell("command", f"{name} did nothing: {reason}")
            return
        try:
            getattr(controller.commands, name)(*arguments)
        except Exception as error:  # noqa: BLE001 -- nobody waits for it: it is shown instead
            controller.notices.tell("command", f"{name}: {error}")

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Watch the search and have ``callback`` called after every change; it must only set a flag."""
        return self.controller.watcher.subscribe(callback)

    def close(self) -> None:
        """End watching, until somebody subscribes anew. The search goes on."""
        self.controller.watcher.close()

    def snapshot(self) -> Snapshot:
        """All trials as columns."""
        return self._trials.store.columns.snapshot()

    def changes_since(self, version: int) -> Changes:
        """The trials that changed after a version, as columns."""
        return self._trials.store.columns.changes_since(version)

    def trial(self, number: int) -> Trial:
        """One trial, with its Task's id; curves and console are read from the server when asked for."""
        return self._trials.trial(number)

    def top(self, k: int) -> list[Trial]:
        """The k best trials, best first."""
        return self._trials.top(k)

    def log_so_far(self, number: int) -> Future[str | None]:
        """Ask for the end of a trial's console; a thread of its own waits for the server."""
        return self._trials.log_so_far(number)

    def to_dataframe(self) -> pd.DataFrame:
        """All trials with typed values, one row per trial."""
        rows = self.snapshot()
        return Export(rows, self.controller.declared, self.objectives, extras_of(self, rows)).to_dataframe()

    def as_code(self) -> str:
        """The controller as Python: imports and the constructor call with the ranges and limits of this moment."""
        return self.controller.as_code()
