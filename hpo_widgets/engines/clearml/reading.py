"""What the server says of a Task: its state, values and scalars at a look, and its curves and console on demand."""

from __future__ import annotations

import datetime as dt
import math
import re
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from hpo_widgets._messages import printable, short
from hpo_widgets.engines.base import Summary
from hpo_widgets.engines.clearml.server import UNKNOWN_TASK, ClearmlError, RequestFailedError, without_user
from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from hpo_widgets.engines.clearml.server import Server
    from hpo_widgets.trials import Remark

POLL_FIELDS = [
    "id",
    "status",
    "status_reason",
    "status_message",
    "status_changed",
    "last_iteration",
    "last_metrics",
    "last_update",
    "started",
    "completed",
    "system_tags",
]
"""What one look at all running Tasks asks for."""

_STATES = {
    "created": None,
    "queued": TrialState.QUEUED,
    "in_progress": TrialState.RUNNING,
    "stopped": TrialState.ABORTED,
    "failed": TrialState.FAILED,
    "completed": TrialState.COMPLETED,
    "closed": TrialState.COMPLETED,
    "publishing": TrialState.COMPLETED,
    "published": TrialState.COMPLETED,
}


@dataclass(frozen=True, slots=True)
class TaskView:
    """One Task at the moment of a look.

    Attributes
    ----------
    state
        The trial's state; None for a draft, which nobody has sent to a queue.
    reason
        The server's words for its state; empty when it has none.
    summary
        Its scalars.
    seconds
        How long it has run by the server's clock, up to its end or its last sign of life; None: it has not.
    values
        The texts of those of its parameters that were asked for, by full name.
    started
        When its present run began, by the server's clock; None: it has not.
    """

    id: str
    state: TrialState | None
    reason: str
    summary: Summary
    seconds: float | None
    values: Mapping[str, str]
    started: dt.datetime | None = None


class UnreadableTaskError(ClearmlError):
    """What a server says of a Task is nothing that ClearML says of one.

    Attributes
    ----------
    task_id : str or None
        The Task; None where not even that is said.
    """

    def __init__(self, task_id: str | None, problem: BaseException) -> None:
        what = f"{type(problem).__name__}: {problem!s:.200}"
        super().__init__(f"what the ClearML server says of Task {task_id!s:.80} cannot be read ({what})")
        self.task_id = task_id


@contextmanager
def _reading(task_id: str | None) -> Iterator[None]:
    """Raise `UnreadableTaskError` in the place of what an answer of any form makes other code raise."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise UnreadableTaskError(task_id, error) from error


def read_task(task: Mapping[str, Any]) -> TaskView:
    """Read one Task of an answer to ``tasks.get_all``; raises `UnreadableTaskError` for what is none."""
    with _reading(None):
        task_id = task["id"]
        if not isinstance(task_id, str):
            raise TypeError(f"the id of a Task is {task_id!r:.80}")
    with _reading(task_id):
        state = _STATES[task.get("status", "created")]
        said = (_text(task.get("status_reason")).strip(), _text(task.get("status_message")).strip())
        reason = " ".join(dict.fromkeys(filter(None, said)))
        if not reason and "archived" in (task.get("system_tags") or ()):
            reason = "it was archived"
        summary, seconds = read_summary(task), _seconds(task, state)
        return TaskView(task_id, state, reason, summary, seconds, read_values(task), moment_of(task.get("started")))


def _text(said: object) -> str:
    """Return a text that can be kept and sent to a page: of bounded length, without halves of surrogate pairs."""
    return printable(str(said or "")[:_MOST_LETTERS])


_MOST_LETTERS = 2000


def read_iterations(
    task_id: str, curves: Mapping[str, Any], values: Mapping[tuple[str, str], float]
) -> dict[tuple[str, str], tuple[int, int]]:
    """Return the iterations at which some scalars have been reported last, 0 for one without reports.

    A curve may be newer than the value that was read before it, so the value is looked for in it. Where the curve
    does not have it, because the server thins out curves of many points, its last iteration stands for both.

    Parameters
    ----------
    task_id
        The Task, for the message.
    curves
        An answer to ``events.scalar_metrics_iter_histogram``.
    values
        Title and series of each scalar, with its last value as it was known before.

    Returns
    -------
    dict
        For each scalar the iteration of that value, and the last one of the curve.

    Raises
    ------
    UnreadableTaskError
        When the answer has another form.
    """
    iterations = {}
    with _reading(task_id):
        for key, value in values.items():
            curve = curves.get(key[0], {}).get(key[1], {})
            x = [_whole(one) for one in curve.get("x") or ()]
            newest = max(x, default=0)
            same = [at for at, y in zip(x, curve.get("y") or (), strict=False) if _is_reported(value, _number(y))]
            iterations[key] = (max(same, default=newest), newest)
    return iterations


def _is_reported(value: float, y: float | None) -> bool:
    """Whether a point of a curve, whose numbers have 32 bits, is a value."""
    if y is None:
        return False
    return math.isclose(value, y, rel_tol=1e-6) or (math.isnan(value) and math.isnan(y))


def read_values(task: Mapping[str, Any]) -> dict[str, str]:
    """The texts of a Task's parameters by full name."""
    return {
        f"{section}/{name}": str(entry.get("value") or "")
        for section, entries in (task.get("hyperparams") or {}).items()
        for name, entry in entries.items()
    }


def read_summary(task: Mapping[str, Any]) -> Summary:
    """Read the scalars of a Task.

    The server keeps no iteration with the last value of a scalar, so the highest iteration of the whole Task stands
    for it. It writes the least and the greatest value a moment after the last one, which may be one of them already;
    their iterations follow with the next look.
    """
    last_iteration = _whole(task.get("last_iteration") or 0)
    scalars = {}
    for variants in (task.get("last_metrics") or {}).values():
        for entry in variants.values():
            value = _number(entry.get("value"))
            if value is None:
                continue
            low, high = _number(entry.get("min_value")), _number(entry.get("max_value"))
            scalars[_text(entry.get("metric")), _text(entry.get("variant"))] = [
                value,
                last_iteration,
                value if low is None or value < low else low,
                _whole(entry.get("min_value_iteration") or 0),
                value if high is None or value > high else high,
                _whole(entry.get("max_value_iteration") or 0),
                _whole(entry.get("count") or 1),
            ]
    return Summary(scalars, last_iteration if scalars else -1)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value)


def _whole(value: Any) -> int:
    """Return a whole number that a journal can hold."""
    number = int(value)
    if not -(2**63) <= number < 2**63:
        raise OverflowError("a number is larger than 63 bits")
    return number


def _seconds(task: Mapping[str, Any], state: TrialState | None) -> float | None:
    """Only differences of the server's times are used: its clock may be wrong."""
    started = moment_of(task.get("started"))
    if started is None:
        return None
    ended = None
    if state is not None and state.has_ended:
        ended = moment_of(task.get("completed")) or moment_of(task.get("status_changed"))
    ended = ended or moment_of(task.get("last_update"))
    return None if ended is None else max(0.0, (ended - started).total_seconds())


def moment_of(text: object) -> dt.datetime | None:
    """A time as the server writes it, which is UTC where it names no zone; None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)


KEPT_SECONDS = 5.0
"""A page that is drawn again within this time asks no server."""

_LOG_LINES = 500
_MOST_KEPT = 32

_Answer = TypeVar("_Answer")


class TaskRecords:
    """Reads curves and console of Tasks; may be used from any thread."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str], tuple[float, object]] = {}
        self._remarks: dict[str, Remark] = {}
        """What a Task is known to have of what people have written, by its id."""
        self._telling = threading.Lock()
        """Held during the requests that write it, one after another; never by the controller's thread."""

    def scalars(self, job: str) -> list[tuple[str, str, float, int]]:
        """All reports of a Task, curve by curve: (title, series, value, iteration); none of one that was deleted.

        The server thins curves of many points out.
        """
        return self._remembered("scalars", job, lambda: self._scalars(job))

    def output(self, job: str, *, fresh: bool = False) -> tuple[str, str, str]:
        """The last lines of a Task's console, all as stdout, which the server keeps; see `RemoteSource.output`."""
        if fresh:
            with self._lock:
                self._kept.pop(("output", job), None)
        try:
            return self._remembered("output", job, lambda: (_read_console(self._server, job), "", ""))
        except ClearmlError as error:
            return f"The console of this trial cannot be read now: {error}", "", ""

    def page(self, job: str) -> str | None:
        """Address of a Task's page in ClearML's web application; None where the configuration does not name it."""
        return page_of(job)

    def remark(self, job: str, before: Remark, newest: Callable[[], Remark]) -> Callable[[], None]:
        """Keep a note below the Task's own comment, and tags among its own; see `RemoteSource.remark`."""
        with self._lock:
            self._remarks.setdefault(job, before)

        def tell() -> None:
            with self._telling:
                with self._lock:
                    known = self._remarks[job]
                after = newest()
                self._edit_remark(job, known, after)
                with self._lock:
                    self._remarks[job] = after

        return tell

    def _edit_remark(self, job: str, before: Remark, after: Remark) -> None:
        found = self._server.call("tasks.get_all", id=[job], only_fields=["tags", "comment"])["tasks"]
        if not found:
            raise ClearmlError(f"Task {job} is not on the ClearML server any more; the journal still has it")
        (task,) = found
        changes: dict[str, Any] = {}
        if after.note != before.note:
            own = str(task.get("comment") or "").removesuffix(before.note).rstrip()
            changes["comment"] = "\n\n".join(filter(None, (own, after.note)))
        if after.tags != before.tags:
            others = [tag for tag in task.get("tags") or () if tag not in before.tags]
            changes["tags"] = list(dict.fromkeys([*others, *after.tags]))
        if changes:
            self._server.call("tasks.edit", task=job, force=True, **changes)

    def _scalars(self, job: str) -> list[tuple[str, str, float, int]]:
        try:
            curves = self._server.call("events.scalar_metrics_iter_histogram", task=job, key="iter")
        except RequestFailedError as error:
            if (error.code, error.subcode) != (400, UNKNOWN_TASK):
                raise
            return []  # it was deleted, and with it what it had reported
        with _reading(job):
            return [
                (_text(title), _text(series), float(y), _whole(x))
                for title, variants in curves.items()
                for series, curve in variants.items()
                for x, y in zip(curve.get("x") or (), curve.get("y") or (), strict=False)
            ]

    def _remembered(self, kind: str, job: str, ask: Callable[[], _Answer]) -> _Answer:
        now = time.monotonic()
        with self._lock:
            kept = self._kept.get((kind, job))
        if kept is not None and now - kept[0] < KEPT_SECONDS:
            return kept[1]  # type: ignore[return-value]
        answer = ask()
        with self._lock:
            while len(self._kept) >= _MOST_KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[kind, job] = (now, answer)
        return answer


def _read_console(server: Server, job: str) -> str:
    """The last lines of a Task's console, the newest last; raises ``ClearmlError`` when it cannot be read."""
    answer = server.call("events.get_task_log", task=job, batch_size=_LOG_LINES, navigate_earlier=True)
    with _reading(job):
        events = sorted(answer.get("events") or (), key=lambda event: event.get("timestamp") or 0)
        lines = (str(event.get("msg") or "").rstrip("\n") for event in events)
        return _KEY.sub(r"\1****", printable("\n".join(lines)))


_KEY = re.compile(r"((?:access_key|\bs3\.(?:\S+\.)?key) ?= ?)[^\s*]+", re.IGNORECASE)
"""An agent begins the console of a Task with its settings, of which it hides passwords, tokens and secret keys only."""


_TRACEBACK = "Traceback (most recent call last):"
_ERROR = re.compile(r"(clearml_agent: )?ERROR\b", re.IGNORECASE)
_MOST_OF_CAUSE = 300


def cause_of_failure(server: Server, task: str) -> str:
    """Ask for the console of a Task that has failed; empty where it tells nothing, or cannot be read.

    Parameters
    ----------
    server
        The server to ask.
    task
        The Task's id.

    Returns
    -------
    str
        What was raised last, or the last line that says ``ERROR``, as pip's and the agent's do.
    """
    try:
        console = _read_console(server, task)
    except ClearmlError:
        return ""
    return short(_last_error(console), _MOST_OF_CAUSE)


def _last_error(console: str) -> str:
    """Return the line of a console that says what went wrong, by the last traceback in it; empty for none."""
    _, traceback, after = console.rpartition(_TRACEBACK)
    if traceback:
        raised = (line for line in after.splitlines() if line.strip() and not line[0].isspace())
        return next(raised, "").strip()
    return next((line.strip() for line in reversed(after.splitlines()) if _ERROR.match(line.strip())), "")


def page_of(task_id: str) -> str | None:
    """Address of a Task's page in ClearML's web application; None where the configuration does not name that."""
    from clearml.backend_api import Session

    try:
        host = without_user(str(Session.get_app_server_host()))
    except ValueError:
        return None
    return f"{host}/projects/*/experiments/{task_id}/output/log" if host.startswith("http") else None
