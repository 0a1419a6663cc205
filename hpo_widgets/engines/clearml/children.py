"""The Tasks below an optimizer Task: the best of them, and what they tell of the search that made them."""

from __future__ import annotations

import hashlib
import json
import math
from typing import TYPE_CHECKING, Any

from clearml import Task

from hpo_widgets._messages import PRUNED
from hpo_widgets.engines.base import Recovered
from hpo_widgets.engines.clearml import local_jobs
from hpo_widgets.engines.clearml.base_task import BaseTask
from hpo_widgets.engines.clearml.launching import SECTION
from hpo_widgets.engines.clearml.reading import POLL_FIELDS, TaskView, UnreadableTaskError, read_summary, read_task
from hpo_widgets.engines.clearml.server import PAGE, pages, server
from hpo_widgets.engines.clearml.values import difference, fields_of
from hpo_widgets.objectives import ScalarSummary, make_objectives
from hpo_widgets.objectives.ranking import Ranking
from hpo_widgets.trials import TrialRow, TrialState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hpo_widgets.engines.clearml.server import Server
    from hpo_widgets.space import Space

_GONE = "its process has ended without reporting an end"


def children(
    server: Server, parent: str, only_fields: Sequence[str], *, newest_first: bool = False
) -> Iterator[dict[str, Any]]:
    """Fields of all Tasks below one, archived ones included, the oldest first, by one request for 500 of them.

    Each request is sent when what it is for is needed.

    Parameters
    ----------
    server
        The server to ask.
    parent
        The id of the Task above them.
    only_fields
        Names of the fields.
    newest_first
        Whether the newest come first instead.
    """
    order = ["-created", "-id"] if newest_first else ["created", "id"]
    page = 0
    while True:
        tasks = server.find_tasks(
            parent=parent,
            only_fields=list(only_fields),
            order_by=order,
            page=page,
            page_size=PAGE,
            search_hidden=True,
        )
        yield from tasks
        if len(tasks) < PAGE:
            return
        page += 1


def _metric_path(title: str, series: str) -> str:
    """The path of one scalar among the fields of a Task."""
    first, second = (hashlib.md5(name.encode(), usedforsecurity=False).hexdigest() for name in (title, series))
    return f"last_metrics.{first}.{second}"


def top_children(
    title: str | Sequence[str],
    series: str | Sequence[str],
    sign: str | Sequence[str],
    optimizer_task_id: str,
    top_k: int,
) -> Sequence[Any]:
    """The best Tasks below an optimizer Task by any scalars, best first; never one that failed or lacks one.

    Parameters
    ----------
    title, series, sign
        What is optimised: three strings, or three lists of the same length.
    optimizer_task_id
        The id of the Task above them.
    top_k
        How many at most.

    Returns
    -------
    sequence
        ``clearml.Task`` objects.

    Raises
    ------
    ValueError
        When the server knows no such Task.
    """
    asked = server()
    objectives = make_objectives(title, series, sign)
    fields = ["id", "status", "last_iteration", *(_metric_path(one.title, one.series) for one in objectives)]
    ranking = Ranking(objectives)
    ids: list[str] = []
    task = None
    for task in children(asked, optimizer_task_id, fields):
        if task.get("status") == "failed":
            continue
        scalars = read_summary(task).scalars
        found = [
            one.measure(ScalarSummary.from_list(scalars[one.title, one.series]))
            for one in objectives
            if (one.title, one.series) in scalars
        ]
        values = [measure.value for measure in found if measure is not None and not math.isnan(measure.value)]
        if len(values) == len(objectives):
            ranking.put(len(ids), tuple(values))
            ids.append(str(task["id"]))
    if task is None:
        BaseTask.read(asked, optimizer_task_id)  # no Task below it: there may be no such Task
    best = [ids[number] for number in ranking.top(top_k)]
    tasks: Sequence[Any] = Task.get_tasks(task_ids=best) if best else []
    return tasks


def recover(
    server: Server,
    parent: str,
    search_id: str,
    rows: Sequence[TrialRow],
    space: Space,
    tell: Callable[[str], None],
) -> list[Recovered]:
    """What became of a search's trials, by the Tasks below its parent.

    Parameters
    ----------
    server
        The server to ask.
    parent
        The optimizer Task, or the template where there is none.
    search_id
        The search's id, which its Tasks carry.
    rows
        The trials that the journal knows.
    space
        The space of their points.
    tell
        Called with a sentence for each Task that cannot be taken up.

    Returns
    -------
    list of Recovered
        Trials whose state in the journal is out of date, and trials that it does not know. A trial that the journal
        has as aborted, but whose Task completed, counts as completed. Of several Tasks of a trial that it does not
        know, the oldest that is no draft is taken, else the oldest draft. One that ran on this machine, and whose
        process is gone, counts as aborted, and one that completed with other values than the trial's as failed. One
        that was stopped as pruned, by its reason, is pruned.
    """
    known = {row.number: row for row in rows}
    jobs = {row.job: row.number for row in rows if row.job is not None}
    has_job = set(jobs.values())
    found: dict[int, Recovered] = {}
    here: list[Recovered] = []
    machine = local_jobs.here()
    drafts: set[int] = set()
    for task in _candidates(server, parent, rows, space):
        facts = _facts(task)
        number = jobs.get(str(task["id"]))
        if number is None and facts.get("search") == search_id:
            number = _number(facts)
            if number is None:
                tell(_unreadable(task, facts))
                continue
            is_draft = task.get("status") == "created"
            if number in has_job or (number in found and (is_draft or number not in drafts)):
                continue  # a person's clone, or what a launch has left behind: the trial itself is another Task
            if is_draft:
                drafts.add(number)
            else:
                drafts.discard(number)
        if number is None:
            continue
        row = known.get(number) or _row(number, facts)
        if row is None:
            tell(_unreadable(task, facts))
            continue
        row.job = str(task["id"])
        row.archived = "archived" in (task.get("system_tags") or ())
        try:
            view = read_task(task)
        except UnreadableTaskError as error:  # the trial is followed all the same: its Task may be readable later
            tell(str(error))
            found[number] = Recovered(row, TrialState.QUEUED)
            continue
        # A draft was made, but not sent to a queue any more.
        state = TrialState.QUEUED if view.state is None else view.state
        reason = f"its Task has {'failed' if state is TrialState.FAILED else 'stopped'}: {view.reason or 'no reason'}"
        if state is TrialState.ABORTED and PRUNED in view.reason:
            state, reason = TrialState.PRUNED, PRUNED
        edited = _edited(view, row, space) if state is TrialState.COMPLETED else None
        if edited is not None:
            state, reason = TrialState.FAILED, edited
        found[number] = Recovered(row, state, reason, view.summary, view.seconds)
        was_queued = (task.get("execution") or {}).get("queue") is not None  # by a person, for an agent
        if state is TrialState.RUNNING and facts.get("machine") == machine and not was_queued:
            here.append(found[number])
    found |= _without_processes(server, here)
    gone = [
        Recovered(row, None, None if row.job is None else "its Task was deleted on the server")
        for row in rows
        if row.number not in found and not TrialState(row.state).has_ended
    ]
    changed = [
        recovered
        for number, recovered in found.items()
        if number not in known
        or not TrialState(known[number].state).has_ended
        or (known[number].state == TrialState.ABORTED and recovered.state is TrialState.COMPLETED)
    ]
    return sorted(changed + gone, key=lambda recovered: recovered.row.number)


def _edited(view: TaskView, row: TrialRow, space: Space) -> str | None:
    """What of a Task's values was edited, in words; None: nothing."""
    try:
        return difference(space.decode(row.parameters), view.values)
    except (ArithmeticError, LookupError, TypeError, ValueError):  # the point is damaged, as the journal's reader says
        return None


def _without_processes(server: Server, found: Sequence[Recovered]) -> dict[int, Recovered]:
    """Those of the trials of this machine whose processes are gone, as aborted, which the server is told, too.

    A process that was killed has told it nothing, and it would take the Task to run on.
    """
    running = local_jobs.running_tasks() if found else set()
    gone = {one.row.number: one for one in found if one.row.job not in running}
    for page in pages([str(one.row.job) for one in gone.values()]):
        server.call("tasks.stop_many", ids=page, status_reason=_GONE)
    return {number: one._replace(state=TrialState.ABORTED, error=_GONE) for number, one in gone.items()}


def _candidates(server: Server, parent: str, rows: Sequence[TrialRow], space: Space) -> Iterator[dict[str, Any]]:
    """The Tasks below a parent, then those of unended trials that are below another one.

    The parent is another one where the optimizer Task was deleted, or the search is opened with another template.
    """
    fields = [*POLL_FIELDS, *fields_of([*space.names, f"{SECTION}/search"]), "execution.queue"]
    elsewhere = {row.job: None for row in rows if row.job is not None and not TrialState(row.state).has_ended}
    for task in children(server, parent, fields):
        elsewhere.pop(str(task["id"]), None)
        yield task
    yield from server.tasks(list(elsewhere), fields)


def _facts(task: dict[str, Any]) -> dict[str, str]:
    entries = (task.get("hyperparams") or {}).get(SECTION) or {}
    return {name: str(entry.get("value")) for name, entry in entries.items()}


def _number(facts: dict[str, str]) -> int | None:
    """The number of a trial; None when its Task does not tell it any more."""
    text = facts.get("trial", "")
    return int(text) if text.isascii() and text.isdigit() else None


def _unreadable(task: dict[str, Any], facts: dict[str, str]) -> str:
    return (
        f"Task {task['id']} is marked as a trial of this search, but its marks were edited and cannot be read "
        f"({', '.join(f'{name}: {text}' for name, text in facts.items())}); it is ignored"
    )


def _row(number: int, facts: dict[str, str]) -> TrialRow | None:
    """The row of a trial that the journal does not know; None when its Task does not tell enough."""
    try:
        return TrialRow(
            number,
            TrialState.QUEUED,
            int(facts["epoch"]),
            json.loads(facts["point"]),
            draw=int(facts["draw"]),
            enqueued=facts["enqueued"] == "True",
        )
    except (KeyError, ValueError):
        return None
