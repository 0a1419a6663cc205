"""The contract between the controller and whatever runs its trials."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Protocol, runtime_checkable

from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from hpo_widgets.objectives import Objective
    from hpo_widgets.search import Search
    from hpo_widgets.space import Space
    from hpo_widgets.trials import Trial, TrialRow


class Outcome(NamedTuple):
    """How a trial ended.

    Parameters
    ----------
    state
        ``COMPLETED``, ``FAILED``, ``ABORTED`` or ``PRUNED``.
    result
        What the callable returned: None, a number, or a dict of names to numbers; always None for scripts.
    error
        One sentence that says what went wrong; None when nothing did.
    traceback
        The Python traceback of an exception, bounded to about 32 kB.
    stdout, stderr
        What the trial printed, each bounded to its first and last 16 kB.
    duration
        Seconds of running; loading the callable, or waiting in a queue, is not counted.
    worker
        Index of the worker that ran it, from 0.
    launch_failed
        True when the trial never ran because its process or its callable could not be brought up.
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


class JobEvent(NamedTuple):
    """Something that a running trial did.

    Parameters
    ----------
    kind
        ``"scalar"`` with data ``(title, series, value, iteration)``, or ``"ended"`` with an `Outcome`. Of a
        `QueueEngine` also ``"job"`` with the id that its server gave the job; ``"started"`` with the Unix seconds of
        this machine's clock at which it left the queue, or ``"queued"`` with None when it is back in it;
        ``"summary"`` with a `Summary`; and ``"notice"`` with ``(source, sentence)``, which is of no trial.
    number
        The trial's number; -1 for a notice.
    data
        As the kind says.
    """

    kind: Literal["scalar", "ended", "job", "queued", "started", "summary", "notice"]
    number: int
    data: Any


class Summary(NamedTuple):
    """All that a server tells of a running trial's scalars: no single reports, but what became of them.

    Parameters
    ----------
    scalars
        ``(title, series)`` to last, last iteration, least, its iteration, greatest, its iteration, count.
    last_iteration
        The highest iteration of any report; -1: none yet.
    """

    scalars: Mapping[tuple[str, str], Sequence[float]]
    last_iteration: int


class JobEngine(Protocol):
    """Runs trials; every method but `wake` belongs to one thread, the controller's."""

    @property
    def num_workers(self) -> int:
        """How many trials may run at once."""
        ...

    def free(self) -> int:
        """How many trials can be launched right now: a worker gets a trial only when it is free."""
        ...

    def launch(self, number: int, point: Mapping[str, Any]) -> int:
        """Start one trial and return the index of its worker; trouble arrives as its "ended" event."""
        ...

    def ask_stop(self, number: int, state: TrialState = TrialState.ABORTED) -> None:
        """Ask a trial to end by itself, to be counted as `state`; nothing happens if it has ended."""
        ...

    def abort(self, number: int, grace: float = 0.1, state: TrialState = TrialState.ABORTED) -> None:
        """End a trial: an exception lets it clean up, after `grace` seconds its processes are killed."""
        ...

    def resize(self, workers: int) -> None:
        """Change how many trials may run at once; what is running goes on to its end."""
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

    def close(self, grace: float = 0.0) -> None:
        """End everything that runs, `grace` seconds for cleaning up; afterwards no process or file is left."""
        ...


@runtime_checkable
class QueueEngine(JobEngine, Protocol):
    """Runs trials as jobs of a server, where they wait in a queue before they run."""

    @property
    def next_poll(self) -> float | None:
        """``time.monotonic()`` of the next look at the server; None: none is due."""
        ...

    def describe(self, row: TrialRow) -> None:
        """Tell of a trial's row before its launch."""
        ...

    def adopt(self, number: int, job: str, point: Mapping[str, Any]) -> None:
        """Take over a job that an earlier process launched; its events follow."""
        ...

    def give_reason(self, number: int, sentence: str) -> None:
        """Say why a trial is about to be stopped or aborted, for the server's own records."""
        ...

    def has_sent_aborts(self) -> bool:
        """Whether every abort so far has been sent, or tried once at a server that does not answer."""
        ...


def default_concurrency() -> int:
    """Number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


class Recovered(NamedTuple):
    """What became of a trial while nobody followed it.

    Parameters
    ----------
    row
        The trial, as the journal has it or as its job tells.
    state
        Its state now; None: its job is gone, or was never made.
    error
        Why it ended so, in the server's words.
    summary
        Its scalars.
    seconds
        How long it has run, by the server's clock; None: it has not.
    """

    row: TrialRow
    state: TrialState | None
    error: str | None = None
    summary: Summary = Summary({}, -1)
    seconds: float | None = None


class StartedSearch(NamedTuple):
    """What a template may follow of a search while it runs.

    Parameters
    ----------
    search
        What there is to see.
    job_of
        Number of a trial to the id of its job; None: it has none.
    top
        Numbers of the k best trials, best first.
    state
        All that is needed to take the search up again, beside its trials (JSON values).
    report_seconds
        How long it is from one report to the next.
    wait_for_end
        Waits so many seconds at most; True once the run has ended.
    tell
        Tells people a sentence.
    """

    search: Search
    job_of: Callable[[int], str | None]
    top: Callable[[int], Sequence[int]]
    state: Callable[[], Mapping[str, Any]]
    report_seconds: Callable[[], float]
    wait_for_end: Callable[[float], bool]
    tell: Callable[[str], None]


class RemoteSource(Protocol):
    """Reads what a server keeps of a job, when somebody looks at its trial."""

    def scalars(self, job: str) -> Sequence[tuple[str, str, float, int]]:
        """All reports: (title, series, value, iteration)."""
        ...

    def output(self, job: str, *, fresh: bool = False) -> tuple[str, str, str]:
        """What it printed: (stdout, stderr, traceback); ``fresh`` asks the server whatever is remembered."""
        ...


class Template(ABC):
    """What is run again and again with other values, checked before anything runs.

    Attributes
    ----------
    name : str
        What people call it; the search's name by default.
    kind : str
        The word of the journal's header: ``callable``, ``script`` or ``clearml``.
    """

    name: str
    kind: ClassVar[str]

    @property
    @abstractmethod
    def base_task_id(self) -> Any:
        """What the controller's argument of that name was: a callable, a path, or a Task's id."""

    def place(self, job_class: type | None) -> str:  # noqa: ARG002 -- for those that run in several places
        """Where its trials run, in words."""
        return "this machine"

    @property
    def facts(self) -> Mapping[str, Any]:
        """What a journal's header keeps of it beside its name and kind (JSON values)."""
        return {}

    def configure(self, arguments: Mapping[str, Any]) -> None:  # noqa: B027 -- most have none
        """Take up those of the controller's arguments that are of this kind of template alone."""

    @property
    def remote(self) -> RemoteSource | None:
        """Where curves and logs of its trials are, if they are not in the journal."""
        return None

    @property
    def default_objective(self) -> str | None:
        """Title and series of the objective where none is named; None: one has to be named."""
        return None

    @property
    def default_concurrency(self) -> int:
        """Trials that run at once where the search does not say: the cores that this process may use."""
        return default_concurrency()

    @property
    def notices(self) -> Sequence[str]:
        """What could not be checked, in sentences for a person."""
        return ()

    @abstractmethod
    def check(self, names: Iterable[str]) -> None:
        """Raise ``ValueError`` for parameter names that it does not take, and for required ones that are missing."""

    def check_search(self, space: Space, objectives: Sequence[Objective]) -> None:  # noqa: B027 -- most have none
        """Raise ``ValueError`` for what else of a search does not fit it."""

    def check_job_class(self, job_class: Any) -> None:
        """Raise ``TypeError`` for a class that cannot run its jobs."""
        missing = [name for name in ENGINE_METHODS if not callable(getattr(job_class, name, None))]
        if not isinstance(job_class, type) or missing:
            raise TypeError(
                "job_class must be a class with the methods of hpo_widgets.jobs.base.JobEngine on "
                f"this machine, got {job_class!r}" + (f" without {', '.join(missing)}" if missing else "")
            )

    def before_start(self, job_class: type | None) -> None:  # noqa: B027 -- most have none
        """Raise ``ValueError`` for what has to be there before the first launch and is not."""

    def resume(self, header: Mapping[str, Any]) -> None:  # noqa: B027 -- most have none
        """Take up what a journal's header keeps of it (`facts`)."""

    def recover(self, search_id: str, rows: Sequence[TrialRow]) -> Sequence[Recovered] | None:  # noqa: ARG002
        """Find out what became of the trials that were not ended when their search's process died.

        Returns those that have changed, also ones that the journal does not know; None: a trial ends with the process.
        """
        return None

    def started(self, source: StartedSearch) -> None:  # noqa: B027 -- most have none
        """Follow a run that has just begun, on a thread of its own."""

    def wait_for_reports(self, timeout: float | None) -> bool:  # noqa: ARG002 -- most have none
        """Wait for the last report of a run that has ended; False when ``timeout`` seconds passed first."""
        return True

    @property
    def local_job_class(self) -> type | None:
        """The class that ``start_locally`` uses; None: everything runs on this machine anyway."""
        return None

    @abstractmethod
    def make_engine(self, workers: int, *, space: Space, job_class: type | None, options: EngineOptions) -> JobEngine:
        """Bring up what runs its trials."""

    def parameters_of(self, trial: Trial) -> dict[str, str]:
        """A trial's parameters as text, by full name, as ``get_top_experiments_details`` gives them."""
        return trial.get_parameters()

    def experiments(self, trials: Sequence[Trial]) -> Sequence[Any]:
        """Trials as ``get_top_experiments`` returns them."""
        return trials

    def hyper_parameters(self, trials: Sequence[Trial]) -> Sequence[Mapping[str, str]]:
        """What ``get_top_experiments_details`` adds when asked for the parameters of all sections."""
        return [
            {
                "trial/number": str(trial.number),
                "trial/state": trial.status,
                "trial/epoch": str(trial.epoch),
                "trial/error": trial.error or "",
            }
            for trial in trials
        ]


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
    """

    search_id: str
    worker_env: Any = None
