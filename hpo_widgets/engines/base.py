"""The contract between the controller and whatever runs its trials."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeGuard

from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from contextlib import AbstractContextManager

    from hpo_widgets.objectives import Objective
    from hpo_widgets.search import Search
    from hpo_widgets.trials import TrialRow


class Outcome(NamedTuple):
    """How a trial ended.

    Parameters
    ----------
    state
        ``COMPLETED``, ``FAILED``, ``ABORTED`` or ``PRUNED``.
    result
        What the callable returned: None, a number, or a dict of names to numbers; always None for scripts.
    error
        One sentence that says what went wrong; None when nothing did. Of a completed trial that reported nothing, what
        is to be said of that.
    traceback
        The Python traceback of an exception, bounded to about 32 kB.
    stdout, stderr
        What the trial printed, each bounded to its first and last 16 kB.
    duration
        Seconds of running; waiting in a queue is not counted, nor is loading the callable, unless its process ends
        meanwhile.
    worker
        Index of the worker that ran it, from 0.
    launch_failed
        True when the trial never ran because its process or its callable could not be brought up.
    ended_elsewhere
        True when nobody here asked for its end: somebody has stopped or removed its job at the server.
    """

    state: TrialState
    result: object = None
    error: str | None = None
    traceback: str | None = None
    stdout: str = ""
    stderr: str = ""
    duration: float = 0.0
    worker: int = 0
    launch_failed: bool = False
    ended_elsewhere: bool = False


class JobEvent(NamedTuple):
    """Something that a running trial did.

    Parameters
    ----------
    kind
        ``"scalar"`` with data ``(title, series, value, iteration)``, or ``"ended"`` with an `Outcome`. A trial begins
        with its launch, unless ``"loading"`` with None says that its worker is not ready yet; then ``"started"`` with
        the Unix seconds of this machine's clock follows. Of a `QueueEngine` also ``"job"`` with the id that its server
        gave the job; ``"started"`` when it left the queue, or ``"queued"`` with None when it returned to the queue;
        ``"summary"`` with a `Summary`; and ``"notice"`` with ``(source, sentence)``, which concerns no single trial.
        Of a `HoldingEngine` also ``"launched"``, before any other event of a trial that was held, with the index of its
        worker, ``time.monotonic()`` at its launch and the number of the trial that had ended there then.
    number
        The trial's number; -1 for a notice.
    data
        As the kind says.
    """

    kind: Literal["scalar", "ended", "launched", "loading", "job", "queued", "started", "summary", "notice"]
    number: int
    data: Any


class Summary(NamedTuple):
    """What a server keeps of a running trial's scalars: extremes and the last value, not each report.

    Parameters
    ----------
    scalars
        ``(title, series)`` to ``[last, iteration, min, iteration, max, iteration, count]``. The iteration of the last
        value may be the highest of any report where the server keeps no other, and the strategy needs none.
    last_iteration
        The highest iteration of any report; -1 before the first.
    """

    scalars: Mapping[tuple[str, str], Sequence[float]]
    last_iteration: int


class JobEngine(Protocol):
    """Runs trials; all methods but `wake` are called by one thread, the controller's."""

    def free(self) -> int:
        """How many trials can be launched right now: a worker gets a trial only when it is free."""
        ...

    def launch(self, number: int, point: Mapping[str, Any]) -> int:
        """Start one trial; a failure to start it arrives as its "ended" event.

        Parameters
        ----------
        number
            The trial's number.
        point
            Full parameter names to values.

        Returns
        -------
        int
            Index of the worker that runs it.

        Raises
        ------
        RuntimeError
            When no worker is free, the trial is running, or the engine is closed.
        """
        ...

    def ask_stop(self, number: int, state: TrialState = TrialState.ABORTED) -> None:
        """Ask a trial to end by itself; nothing happens if it has ended.

        Parameters
        ----------
        number
            The trial's number.
        state
            The state that it ends in if it follows.
        """
        ...

    def abort(self, number: int, grace: float = 0.1, state: TrialState = TrialState.ABORTED) -> None:
        """End a trial; its "ended" event follows.

        Parameters
        ----------
        number
            The trial's number.
        grace
            Seconds to clean up, after an exception or SIGTERM, before its processes are killed.
        state
            The state that it ends in.
        """
        ...

    def resize(self, workers: int) -> None:
        """Change how many trials may run at once; trials that run already are not stopped."""
        ...

    def wait(self, timeout: float | None = None) -> list[JobEvent]:
        """Events since the last call; blocks up to `timeout` seconds (None: no limit) or until `wake`."""
        ...

    def wake(self) -> None:
        """Let `wait` return now; may be called from any thread."""
        ...

    def log(self, number: int) -> str:
        """What a running trial has printed so far, its first and last 16 kB; empty for others."""
        ...

    def close(self) -> None:
        """End all trials; afterwards no process or file is left."""
        ...


class HoldingEngine(JobEngine, Protocol):
    """Holds trials and launches each as soon as a worker has completed another, before the controller hears of it.

    So a worker runs its next trial while the controller still records the last one. After a trial that has failed or
    was stopped none is launched, as the search may be over. A trial that is held has not been launched.
    """

    def hold(self, number: int, point: Mapping[str, Any]) -> None:
        """Hold one more trial; they are launched in their order, and a "launched" event of each follows.

        Parameters
        ----------
        number
            The trial's number.
        point
            Full parameter names to values.
        """
        ...

    def drop_held(self) -> None:
        """Forget the trials that are held."""
        ...


def can_hold_trials(engine: JobEngine) -> TypeGuard[HoldingEngine]:
    """Whether an engine can hold trials, by the methods of its class.

    What one gets by ``__getattr__`` does not count: the engine behind it would launch without asking the one in front.
    """
    return all(hasattr(type(engine), name) for name in ("hold", "drop_held"))


class QueueEngine(JobEngine, Protocol):
    """Runs trials as jobs of a server, where they wait in a queue before they run."""

    @property
    def next_poll(self) -> float | None:
        """``time.monotonic()`` of the next request to the server for news; None: none is planned."""
        ...

    def describe(self, row: TrialRow) -> None:
        """Take the row of a trial that is about to be launched."""
        ...

    def adopt(self, number: int, job: str, point: Mapping[str, Any]) -> None:
        """Take over a job that an earlier process launched; its events follow.

        Parameters
        ----------
        number
            The trial's number.
        job
            The server's id of the job.
        point
            Full parameter names to values.
        """
        ...

    def give_reason(self, number: int, sentence: str) -> None:
        """Say why a trial is about to be stopped or aborted, for the server's own records.

        Parameters
        ----------
        number
            The trial's number.
        sentence
            The reason.
        """
        ...

    def set_paused(self, paused: bool) -> None:
        """Keep jobs from beginning, or let them begin again.

        Jobs that wait in the queue are taken out of it, and go back in their order; running trials continue.
        """
        ...

    def withdraw(self, numbers: Collection[int], sentence: str) -> None:
        """End trials as aborted whose jobs still wait; one that has begun meanwhile goes on.

        Parameters
        ----------
        numbers
            The trials' numbers.
        sentence
            Why; becomes their error.
        """
        ...

    def together(self) -> AbstractContextManager[object]:
        """Gather the aborts and adoptions of this context, to act on them together at its end."""
        ...

    def has_sent_aborts(self) -> bool:
        """Whether every abort so far has been sent, or tried once at a server that does not answer."""
        ...

    def may_go_on(self) -> Collection[int]:
        """Trials whose jobs run, or will run, after `close` if the server has not taken their abort."""
        ...

    def release(self) -> Collection[int]:
        """Follow no longer the jobs that run elsewhere, so that `close` leaves them alone; returns their trials."""
        ...


def has_queue(engine: JobEngine) -> TypeGuard[QueueEngine]:
    """Whether an engine runs trials as jobs of a server, by the methods of its class; see `can_hold_trials`."""
    return all(hasattr(type(engine), name) for name in ("describe", "adopt", "withdraw"))


def default_concurrency() -> int:
    """Number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


class Recovered(NamedTuple):
    """What became of a trial while no process followed its search.

    Parameters
    ----------
    row
        The trial, as the journal or its job has it.
    state
        Its state now; None: its job was deleted, or never made.
    error
        Why it ended in this state, in the server's words; None: it was never launched, where there is no job.
    summary
        Its scalars; None: what is known of them holds.
    seconds
        How long it has run, by the server's clock; None: it has not run.
    """

    row: TrialRow
    state: TrialState | None
    error: str | None = None
    summary: Summary | None = None
    seconds: float | None = None


class StartedSearch(NamedTuple):
    """What a template may follow of a search while it runs.

    Parameters
    ----------
    search
        Its trials and its status.
    job_of
        Returns the id of a trial's job by the trial's number; None: it has none.
    top
        Numbers of the k best trials, best first.
    state
        Returns all that is needed to continue the search, apart from its trials (JSON values).
    report_seconds
        Returns the seconds from one report to the next.
    wait_for_end
        Waits for at most the given number of seconds; True once the run has ended.
    tell
        Shows people a sentence.
    leave
        Ends the run without its jobs, which another process has taken over, and tells people why.
    """

    search: Search
    job_of: Callable[[int], str | None]
    top: Callable[[int], Sequence[int]]
    state: Callable[[], Mapping[str, Any]]
    report_seconds: Callable[[], float]
    wait_for_end: Callable[[float], bool]
    tell: Callable[[str], None]
    leave: Callable[[str], object]


ENGINE_METHODS = ("free", "launch", "ask_stop", "abort", "resize", "wait", "wake", "log", "close")
"""What a class of `JobEngine` has to have."""


class EngineOptions(NamedTuple):
    """What an engine may need to know of the search beside its template and space.

    Parameters
    ----------
    search_id
        Names the search in a server's records.
    worker_env
        Environment variables by the worker's index.
    objectives
        What is optimised.
    max_iteration_per_job
        A `QueueEngine` stops a job that reports an objective at a later iteration; None: no limit.
    max_memory_per_job
        Gigabytes that a process of this machine may take; None: no limit.
    wants_reports
        Returns whether the strategy compares trials by interim values of the first objective, so that a `QueueEngine`
        has to tell the iteration of each.
    """

    search_id: str
    worker_env: Any = None
    objectives: tuple[Objective, ...] = ()
    max_iteration_per_job: int | None = None
    max_memory_per_job: float | None = None
    wants_reports: Callable[[], bool] = lambda: False

    @property
    def of_processes(self) -> dict[str, Any]:
        """The keywords of an engine that starts processes.

        A memory limit is left out unless it is set, so that a user's own engine need not take it.
        """
        keywords: dict[str, Any] = {"worker_env": self.worker_env}
        if self.max_memory_per_job is not None:
            keywords["max_memory_per_job"] = self.max_memory_per_job
        return keywords
