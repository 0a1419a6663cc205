"""The contract between the controller and whatever runs its trials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from collections.abc import Mapping


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
        Seconds of running; loading the callable is not counted.
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
        ``"scalar"`` with data ``(title, series, value, iteration)``, or ``"ended"`` with an `Outcome`.
    number
        The trial's number.
    data
        As the kind says.
    """

    kind: Literal["scalar", "ended"]
    number: int
    data: Any


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
