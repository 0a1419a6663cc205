"""The Tasks below an optimizer Task: the best of them, and what they tell of the search that made them."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any

from clearml import Task

from hpo_widgets.clearml.reading import read_summary
from hpo_widgets.clearml.server import server
from hpo_widgets.objectives import ScalarSummary, make_objectives
from hpo_widgets.ranking import Ranking

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hpo_widgets.clearml.server import Server

PAGE = 500


def children(server: Server, parent: str, only_fields: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Fields of all Tasks below one, archived ones included, the oldest first, by one request for 500 of them."""
    page = 0
    while True:
        answer = server.call(
            "tasks.get_all",
            parent=parent,
            only_fields=list(only_fields),
            order_by=["created", "id"],
            page=page,
            page_size=PAGE,
            search_hidden=True,
        )
        tasks = answer.get("tasks") or ()
        yield from tasks
        if len(tasks) < PAGE:
            return
        page += 1


def metric_path(title: str, series: str) -> str:
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
    """The best Tasks below an optimizer Task by any scalars, best first; never one that failed or lacks one."""
    objectives = make_objectives(title, series, sign)
    fields = ["id", "status", "last_iteration", *(metric_path(one.title, one.series) for one in objectives)]
    ranking = Ranking(objectives)
    ids: list[str] = []
    for task in children(server(), optimizer_task_id, fields):
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
    best = [ids[number] for number in ranking.top(top_k)]
    tasks: Sequence[Any] = Task.get_tasks(task_ids=best) if best else []
    return tasks
