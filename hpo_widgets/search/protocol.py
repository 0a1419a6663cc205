"""The `Search` protocol: all that a widget needs to know of a search, whoever runs it.

Four sources implement it: the controller, the adapter round a live ClearML controller, the
journal reader and the replay of a journal. A widget never asks which one it has: it asks ``capabilities``.
"""

from __future__ import annotations

import enum
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from hpo_widgets._messages import near_match, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future

    from hpo_widgets.objectives import Objective
    from hpo_widgets.search.budget import Budget
    from hpo_widgets.space import Space
    from hpo_widgets.space.range_history import EpochMark
    from hpo_widgets.trials import Remark, Trial, TrialState
    from hpo_widgets.trials.columns import Changes, Snapshot


class SearchStatus(enum.StrEnum):
    """What a search is doing."""

    IDLE = "idle"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    STOPPED = "stopped"
    COMPLETED = "completed"
    FAILED = "failed"

    @property
    def is_alive(self) -> bool:
        """True while trials run or may still be launched."""
        return self in _ALIVE


_DID_NOTHING = " did nothing: "
_ALIVE = frozenset({SearchStatus.RUNNING, SearchStatus.PAUSED, SearchStatus.STOPPING})

STOP_CODES = (
    "total_max_jobs",
    "optimization_time_limit",
    "compute_time_limit",
    "space_exhausted",
    "max_failures",
    "objective_never_reported",
    "stopped",
    "launch_failed",
    "error",
)
"""Every way in which a search can end."""

END_STATUS = {
    "stopped": SearchStatus.STOPPED,
    "max_failures": SearchStatus.FAILED,
    "objective_never_reported": SearchStatus.FAILED,
    "launch_failed": SearchStatus.FAILED,
    "error": SearchStatus.FAILED,
}
"""The status that follows from a stop reason's code; ``completed`` for the others."""

COMMANDS = (
    "start",
    "pause",
    "resume",
    "stop",
    "set_range",
    "set_ranges",
    "add_choices",
    "set_prior",
    "set_priors",
    "undo",
    "redo",
    "enqueue_trial",
    "add_trial",
    "add_trials",
    "retry",
    "retry_failed",
    "stop_trial",
    "set_note",
    "set_tags",
    "leave_out",
    "take_back",
    "set_max_number_of_concurrent_tasks",
    "set_total_max_jobs",
    "set_compute_time_limit",
    "set_time_limit",
)
"""Everything a person can ask of a search; the keys of ``Search.capabilities``."""


def check_command(name: str) -> None:
    """Refuse, as a ``ValueError`` with a near match, what is not one of `COMMANDS`."""
    if name not in COMMANDS:
        msg = f"{name!r} is not a command of a search. {near_match(name, COMMANDS)}"
        raise ValueError(msg)


@dataclass(frozen=True)
class StopReason:
    """Why a search ended: a code of `STOP_CODES` and a sentence for a person."""

    code: str
    sentence: str

    def __str__(self) -> str:
        return self.sentence


MOST_NOTICES = 100
"""Notices of a search that are shown at most, the newest; its journal keeps all."""


@dataclass(frozen=True)
class Notice:
    """Something a person should know: an error of a callback, a worker, the journal, a command.

    Attributes
    ----------
    source : str
        Where it comes from, such as ``command``, ``callback`` or ``journal``.
    sentence : str
        What happened.
    at : float
        When, in Unix seconds.
    """

    source: str
    sentence: str
    at: float = field(default_factory=time.time)

    @property
    def is_of_failed_start(self) -> bool:
        """Whether it says why a start has failed, which concerns nobody once a later one has begun a run."""
        return self.source == "command" and self.sentence.startswith(("start: ", "resume: "))

    def is_outdated(self, capabilities: Mapping[str, str | None]) -> bool:
        """Whether it says that a command did nothing, for a reason that holds no more.

        Parameters
        ----------
        capabilities
            Those of its search: command to why it cannot be done now, None where it can.
        """
        command, parted, reason = self.sentence.partition(_DID_NOTHING)
        is_of_command = bool(parted) and self.source == "command" and command in capabilities
        return is_of_command and printable(capabilities[command] or "") != reason

    def __post_init__(self) -> None:
        object.__setattr__(self, "sentence", printable(self.sentence))


def did_nothing(command: str, reason: str) -> str:
    """Return the sentence of a notice that a command did nothing.

    Parameters
    ----------
    command
        One of `COMMANDS`.
    reason
        Why, as the capabilities of the search say it.

    Returns
    -------
    str
        The sentence; `Notice.is_outdated` reads it.
    """
    return f"{command}{_DID_NOTHING}{reason}"


@runtime_checkable
class Search(Protocol):
    """A search as plots, tables and controls see it. All members may be used from any thread."""

    @property
    def id(self) -> str:
        """The search's readable and unique id, by which its journal is found."""
        ...

    @property
    def name(self) -> str:
        """What the search is called."""
        ...

    @property
    def space(self) -> Space:
        """The present space epoch."""
        ...

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """What is optimised."""
        ...

    @property
    def engine_name(self) -> str:
        """Where trials run."""
        ...

    @property
    def strategy_name(self) -> str:
        """How points are chosen."""
        ...

    @property
    def status(self) -> SearchStatus:
        """What the search is doing."""
        ...

    @property
    def stop_reason(self) -> StopReason | None:
        """Why it ended; None while it has not."""
        ...

    @property
    def budget(self) -> Budget:
        """Limits, and what is used of them."""
        ...

    @property
    def elapsed_minutes(self) -> float:
        """Minutes it has run; 0 before its start."""
        ...

    @property
    def epochs(self) -> Sequence[EpochMark]:
        """The space epochs so far, the first included."""
        ...

    @property
    def counts(self) -> Mapping[TrialState, int]:
        """Number of trials by state."""
        ...

    @property
    def best_trial(self) -> Trial | None:
        """The best completed trial by the first objective, else the best with a value: `best_by` for 0."""
        ...

    @property
    def errors(self) -> Sequence[Notice]:
        """Notices of what went wrong, apart from failed trials, oldest first."""
        ...

    @property
    def capabilities(self) -> Mapping[str, str | None]:
        """Command name to None when it can be done now, else to the sentence that says why not."""
        ...

    @property
    def max_number_of_concurrent_tasks(self) -> int:
        """Trials that run at once at most."""
        ...

    @property
    def total_max_jobs(self) -> int | None:
        """The job budget; None: no limit."""
        ...

    def snapshot(self) -> Snapshot:
        """All trials, as columns."""
        ...

    def changes_since(self, version: int) -> Changes:
        """The trials that changed after ``version``, as columns."""
        ...

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have ``callback`` called after every change, on the search's own thread.

        It must only set a flag. Returns the function that ends the subscription.
        """
        ...

    def trial(self, number: int) -> Trial:
        """One trial with its parameters, values and access to its curves and logs."""
        ...

    def best_by(self, objective: int) -> Trial | None:
        """The best completed trial by one objective, given by its index, else the best with a value."""
        ...

    def top(self, k: int) -> Sequence[Trial]:
        """The k best trials, best first."""
        ...

    def command(self, name: str, *arguments: object) -> None:
        """Ask for one of `COMMANDS` and return at once; what goes wrong appears in ``errors``.

        Parameters
        ----------
        name
            One of `COMMANDS`.
        *arguments
            As the method of that name takes them.
        """
        ...


@runtime_checkable
class PollsServer(Protocol):
    """A search whose trials run at a server, which is polled."""

    @property
    def next_poll(self) -> float | None:
        """Seconds until the next poll; None: none is planned."""
        ...


@runtime_checkable
class QueuesPoints(Protocol):
    """A search that keeps the points of people until a worker is free."""

    @property
    def num_waiting_points(self) -> int:
        """How many enqueued points no worker has taken yet."""
        ...

    def failed_points(self) -> Sequence[int]:
        """Find the points that the command ``retry_failed`` queues: the number of a failed trial of each."""
        ...


@runtime_checkable
class KeptByTask(Protocol):
    """A search that may have a Task of its own at a ClearML server."""

    @property
    def optimizer_task_id(self) -> str | None:
        """The Task's id; None where there is none."""
        ...

    @property
    def optimizer_task_page(self) -> str | None:
        """Address of the server's page for it; None where there is none, or it is not known."""
        ...


@runtime_checkable
class TitlesStrategy(Protocol):
    """A search that knows what a person calls its strategy."""

    @property
    def strategy_title(self) -> str:
        """The title, such as ``random search``."""
        ...


@runtime_checkable
class ConstrainsPoints(Protocol):
    """A search of which not every point of its space may be run."""

    @property
    def constraint(self) -> str | None:
        """What points have to meet, such as ``fits(width, heads)``; None: nothing."""
        ...

    def allows(self, parameters: Mapping[str, Any]) -> bool:
        """Whether a point meets it; the function, which may be slow, is called on the caller's thread."""
        ...


@runtime_checkable
class ViewedSearch(Protocol):
    """A search that may be at work in another process, as its journal tells."""

    @property
    def is_view(self) -> bool:
        """Whether this process does not run it."""
        ...

    @property
    def owner_died(self) -> bool:
        """Whether the process that ran it has gone in the middle of it, so that another one may take it over."""
        ...


@runtime_checkable
class GivesCode(Protocol):
    """A search that can be written as Python."""

    def as_code(self) -> str:
        """The constructor call with the ranges, limits and settings of this moment, and its imports."""
        ...


@runtime_checkable
class OpensAgain(Protocol):
    """A search that a journal keeps, so that another kernel can show it again."""

    def opening_code(self) -> str:
        """The call that does so, its imports, and comments on what has to be defined before."""
        ...


@runtime_checkable
class PreparesWorkers(Protocol):
    """A search whose worker processes can be started before the search is."""

    def prepare_workers(self) -> None:
        """Start them, so that the first trials begin sooner; nothing happens while it runs, or when it has none."""
        ...

    def release_workers(self) -> None:
        """End those that were prepared and that no run has used."""
        ...


@runtime_checkable
class TellsLogs(Protocol):
    """A search that can tell what a running trial has printed so far; others show it at its end."""

    def log_so_far(self, number: int) -> Future[str | None]:
        """Ask, from any thread, for what a trial has printed so far; returns at once.

        The future's text is bounded to about 32 kB and empty for a trial that does not run; it is None where the output
        cannot be read. Subscribers are notified when it is there.
        """
        ...


@runtime_checkable
class Replays(Protocol):
    """A past search that is played back: its state is that of a moment of its history."""

    @property
    def moment(self) -> float:
        """Unix seconds of that moment."""
        ...

    @property
    def num_epochs_in_all(self) -> int:
        """Versions of the space that there will be at the end."""
        ...

    @property
    def is_playing(self) -> bool:
        """Whether time goes on."""
        ...


class RemoteSource(Protocol):
    """Reads what a server keeps of a job, when somebody looks at its trial."""

    def scalars(self, job: str) -> Sequence[tuple[str, str, float, int]]:
        """All reports: (title, series, value, iteration)."""
        ...

    def output(self, job: str, *, fresh: bool = False) -> tuple[str, str, str]:
        """What a job printed: (stdout, stderr, traceback).

        Parameters
        ----------
        job
            The job's id at the server.
        fresh
            Whether to ask the server even if an answer is cached. Default False.
        """
        ...

    def page(self, job: str) -> str | None:
        """Address of the server's page for a job; None where that is not known."""
        ...

    def remark(self, job: str, before: Remark, newest: Callable[[], Remark]) -> Callable[[], None]:
        """Return a function that writes a trial's note and tags to its job, and returns once the server has them.

        Parameters
        ----------
        job
            The job's id at the server.
        before
            Note and tags before the change; other tags of the job stay.
        newest
            Returns note and tags at the moment of writing, so that the order of several writes does not matter.
        """
        ...
