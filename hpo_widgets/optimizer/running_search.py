"""The search that this process runs, as the `Search` protocol shows it; `SearchCommands` has its other half."""

from __future__ import annotations

import time
from concurrent.futures import Future
from typing import TYPE_CHECKING

from hpo_widgets._messages import run_in_thread
from hpo_widgets.controller import Controller
from hpo_widgets.controller.callbacks import CallbackThread
from hpo_widgets.controller.recorder import Recorder
from hpo_widgets.search.as_code import constructor_call
from hpo_widgets.search.current_arguments import present_keywords

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from hpo_widgets.engines.base import JobEngine
    from hpo_widgets.objectives import Objective
    from hpo_widgets.optimizer.definition import Definition
    from hpo_widgets.search import Notice, RemoteSource, SearchStatus, StopReason
    from hpo_widgets.search.budget import Budget
    from hpo_widgets.space import Space
    from hpo_widgets.space.range_history import EpochMark
    from hpo_widgets.trials import Trial, TrialState
    from hpo_widgets.trials.columns import Changes, Snapshot

JOURNALS_OF_THIS_PROCESS: dict[str, Path] = {}
"""Search id to journal of every search made here, so that an id finds its file in whatever folder it is."""


class RunningSearch:
    """What can be seen of a search by its controller.

    Every member may be used from any thread: state belongs to the controller's thread.
    """

    def _setup(self, definition: Definition, search_id: str, path: Path, *, save_top_k: int) -> None:
        self._definition = definition
        JOURNALS_OF_THIS_PROCESS[search_id] = path
        self._job_class: type | None = None
        self._callbacks = CallbackThread(self._callback_failed)
        self._recorder = Recorder(
            search_id,
            path,
            definition.header,
            definition.space,
            definition.objectives,
            save_top_k=save_top_k,
            remote=definition.template.remote,
        )
        self._controller = Controller(
            space=definition.space,
            objectives=definition.objectives,
            strategy=definition.strategy,
            is_seeded=definition.is_seeded,
            settings=definition.settings,
            recorder=self._recorder,
            callbacks=self._callbacks,
            make_engine=self._make_engine,
        )
        for sentence in definition.template.notices:
            self._controller.notice("template", sentence)

    def _make_engine(self, workers: int) -> JobEngine:
        return self._definition.make_engine(workers, self.id, self._job_class)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.status}>"

    @property
    def id(self) -> str:
        """The search id, which also names its journal."""
        return self._recorder.search_id

    @property
    def journal_path(self) -> Path:
        """Where the journal is, or will be once the search was started."""
        return self._recorder.path

    @property
    def name(self) -> str:
        """The search's name; by default the template experiment's."""
        return self._definition.name

    @property
    def space(self) -> Space:
        """The present space epoch."""
        return self._controller.state.space

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """What is optimised."""
        return self._definition.objectives

    @property
    def engine_name(self) -> str:
        """Where trials run."""
        return self._definition.template.place(self._job_class)

    @property
    def strategy_name(self) -> str:
        """The strategy's class name."""
        return type(self._controller.state.strategy).__name__

    @property
    def status(self) -> SearchStatus:
        """What the search is doing."""
        return self._controller.state.status

    @property
    def stop_reason(self) -> StopReason | None:
        """Why the search ended; None while it has not."""
        return self._controller.state.stop_reason

    def is_running(self) -> bool:
        """True while the search runs or pauses."""
        return not self._controller.ended.is_set()

    @property
    def budget(self) -> Budget:
        """Limits, and what is used of them."""
        controller = self._controller
        return controller.state.budget

    @property
    def next_poll(self) -> float | None:
        """Seconds until a server that runs the trials is looked at again; None where there is none."""
        due = self._controller.next_poll
        return None if due is None else max(0.0, due - time.monotonic())

    @property
    def elapsed_minutes(self) -> float:
        """Minutes the search has run; 0 before its start."""
        return self._controller.state.clock.elapsed

    @property
    def epochs(self) -> Sequence[EpochMark]:
        """The space epochs so far, the first included."""
        return self._controller.state.epochs.marks

    @property
    def counts(self) -> dict[TrialState, int]:
        """Number of trials by state."""
        return self._recorder.shown.columns.counts()

    @property
    def best_trial(self) -> Trial | None:
        """The best completed trial, else the best with a value (its ``is_partial`` is True)."""
        number = self._recorder.shown.best()
        return None if number is None else self.trial(number)

    @property
    def errors(self) -> Sequence[Notice]:
        """What went wrong beside trials, oldest first."""
        return self._controller.notices

    @property
    def max_number_of_concurrent_tasks(self) -> int:
        """Trials that run at once at most."""
        return self._controller.state.settings.max_number_of_concurrent_tasks

    @property
    def total_max_jobs(self) -> int | None:
        """The job budget; None: no limit."""
        return self._controller.state.settings.total_max_jobs

    def snapshot(self) -> Snapshot:
        """All trials as columns."""
        return self._recorder.shown.columns.snapshot()

    def changes_since(self, version: int) -> Changes:
        """The trials that changed after a version, as columns."""
        return self._recorder.shown.columns.changes_since(version)

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have ``callback`` called after every change; it must only set a flag."""
        return self._recorder.shown.subscribe(callback)

    def trial(self, number: int) -> Trial:
        """One trial; ``IndexError`` when there is none of that number."""
        return self._recorder.trial(number)

    def log_so_far(self, number: int) -> Future[str | None]:
        """Ask what a trial has printed so far; empty for one of this machine that does not run."""
        job, remote = self._recorder.job_of(number), self._definition.template.remote
        if job is not None and remote is not None:
            return self._console(number, job, remote)
        if self.is_running():
            return self._controller.submit(lambda: self._controller.log(number))
        nothing: Future[str | None] = Future()
        nothing.set_result("")
        return nothing

    def _console(self, number: int, job: str, remote: RemoteSource) -> Future[str | None]:
        """Read what a server keeps of a trial's output, on a thread of its own: a panel does not wait for a server.

        A panel asks for a running trial each second, where a remembered text will do, and for an ended one when it is
        selected or has just ended, where the last lines are what counts.
        """

        def read() -> str:
            return "\n".join(filter(None, remote.output(job, fresh=self.trial(number).state.has_ended)))

        return run_in_thread("hpo_widgets console", read, self._recorder.shown.notify)

    def close_files(self) -> None:
        """Close what reading single trials has opened; it is opened again when somebody asks for one."""
        self._recorder.reader.close()

    def top(self, k: int) -> list[Trial]:
        """The k best trials, best first."""
        return [self.trial(number) for number in self._recorder.shown.top(k)]

    def as_code(self) -> str:
        """The search as Python: imports and the constructor call with the ranges and limits of this moment.

        Objects that code can only name, such as a sampler, are written as names with a comment. Nothing of
        ``worker_env`` is written.
        """
        definition, controller = self._definition, self._controller
        wall_limit = controller.state.settings.optimization_time_limit
        if controller.state.clock.has_own_deadline:
            whole = self.budget.wall_minutes.limit
            wall_limit = None if whole is None else round(whole, 2)
        given = {**definition.given, "worker_env": None if definition.worker_env is None else ...}
        base_task_id = given.pop("base_task_id")
        return constructor_call(
            base_task_id,
            self.space,
            self.objectives,
            type(controller.state.strategy),
            present_keywords(controller.state.settings, wall_limit, self.space.limits, given),
        )

    def _callback_failed(self, error: BaseException) -> None:
        self._controller.notice("callback", f"job_complete_callback raised {type(error).__name__}: {error}")
