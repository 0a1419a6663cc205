"""How one trial becomes a Task: cloned with its values by one request, then enqueued by another, or started here."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

from clearml.automation import ClearmlJob
from clearml.automation.job import LocalClearmlJob

from hpo_widgets.engines.clearml import local_jobs
from hpo_widgets.engines.clearml.server import ALREADY_QUEUED, NO_SUCH_QUEUE, NOT_IN_QUEUE, RequestFailedError
from hpo_widgets.engines.clearml.values import entry, full_name, split_name

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from hpo_widgets.engines.clearml.active_jobs import ActiveJob
    from hpo_widgets.engines.clearml.template import TaskTemplate

TAG = "optimization"
"""The SDK's own tag for trials and optimizers."""

SECTION = "hpo_widgets"
"""The section of a trial's parameters that says which trial of which search it is, how its point was chosen, and
on which machine its process is, where there is one."""


class TaskFactory:
    """Makes Tasks of points and sends them to the queue, or starts them here.

    Name, comment, tags, parent and project of a Task are those that the SDK's own controller gives. Values go into
    the clone's first request, so that a queue costs two requests a trial; whether a request that got no answer has
    made a Task is found out by `find`.

    Parameters
    ----------
    job_class
        One of the SDK's, or derived from one; `ClearmlJob` and `LocalClearmlJob` themselves are served by fewer
        requests than their constructors need.
    """

    def __init__(self, template: TaskTemplate, job_class: Any, search_id: str) -> None:
        self._template = template
        self._server = template.server
        self._job_class = job_class
        self._search_id = search_id
        self._queue_id: str | None = None
        self._project_id: str | None = None
        self._is_ready = False
        self.is_local = issubclass(job_class, LocalClearmlJob)
        self._is_custom = job_class not in {ClearmlJob, LocalClearmlJob}

    @property
    def parent(self) -> str:
        """The Task that the trials are children of."""
        return self._template.parent or self._template.id

    def prepare(self) -> None:
        """Look up queue and project, once; ``ValueError`` when the queue is not there."""
        if self._is_ready:
            return
        if not self.is_local:
            self._queue_id = self._template.queue_id()
        self._project_id = self._template.project_id()
        if self._project_id is None and self._template.parent is not None:
            found = self._server.tasks([self._template.parent], ["project"])
            self._project_id = found[0].get("project") if found else None
        self._is_ready = True

    def make(self, job: ActiveJob) -> None:
        """Make the Task of a trial, and the SDK's job where there has to be one; the job has them afterwards."""
        self.prepare()
        name, comment = self._name(job.point), "\n".join(_lines(job.point))
        own_parent = self._template.parent
        tags = [TAG, f"opt: {own_parent}" if own_parent else "opt"]
        if self._is_custom:
            job.job = self._job_class(
                base_task_id=self._template.id,
                parameter_override={full_name(key): value for key, value in job.point.items()},
                tags=tags,
                parent=own_parent,
                name=name,
                comment=comment,
                project=self._project_id,
            )
            job.task = str(job.job.task_id())
            return
        answer = self._server.call(
            "tasks.clone",
            task=self._template.id,
            new_task_name=name,
            new_task_comment=comment,
            new_task_tags=sorted({*self._template.base.tags, *tags}),
            new_task_parent=self.parent,
            new_task_project=self._project_id,
            new_task_hyperparams=self._hyperparams(job),
        )
        job.task = str(answer["id"])

    def _name(self, point: Mapping[str, Any]) -> str:
        return f"{self._template.name}: {' '.join(_lines(point))}"

    def _hyperparams(self, job: ActiveJob) -> dict[str, Any]:
        """All parameters of a trial's Task; what its row says of it is among them, so that it can be recovered."""
        whole: dict[str, Any] = copy.deepcopy(dict(self._template.base.hyperparams))
        for name, value in job.point.items():
            section, short = split_name(name)
            entries = whole.setdefault(section, {})
            entries[short] = entry(value, section, short, entries.get(short))
        facts: dict[str, object] = {"search": self._search_id, "trial": job.number}
        row = job.row
        if row is not None:
            point_as_kept = json.dumps(row.parameters)
            facts |= {"epoch": row.epoch, "draw": row.draw, "enqueued": row.enqueued, "point": point_as_kept}
        if self.is_local:
            facts["machine"] = local_jobs.here()
        whole[SECTION] = {name: entry(value, SECTION, name, None) for name, value in facts.items()}
        return whole

    def find(self, job: ActiveJob, known: set[str]) -> str | None:
        """The Task that a request without an answer has made for a trial; None: it has made none.

        The newest Tasks come first, and the one that is looked for is among them. A class of the user's own makes
        Tasks that do not say which trial they are: there it is the draft of the same name that is no known trial's.

        Parameters
        ----------
        job
            The trial.
        known
            Ids of Tasks that are other trials' already.

        Returns
        -------
        str or None
            The Task's id.
        """
        tasks = self._server.find_tasks(
            parent=self.parent,
            only_fields=["id", "status", "name", "hyperparams"],
            order_by=["-created"],
            page=0,
            page_size=200,
            search_hidden=True,
        )
        for task in tasks:
            facts = (task.get("hyperparams") or {}).get(SECTION) or {}
            told = {name: facts[name].get("value") for name in ("search", "trial") if name in facts}
            is_it = told == {"search": self._search_id, "trial": str(job.number)}
            if self._is_custom:
                is_it = task.get("name") == self._name(job.point) and task.get("status") == "created"
            if is_it and task["id"] not in known:
                return str(task["id"])
        return None

    def is_draft(self, task_id: str) -> bool:
        """Whether a Task has not been enqueued or started; False for one that is gone."""
        return [task.get("status") for task in self._server.tasks([task_id], ["id", "status"])] == ["created"]

    def in_no_queue(self, task_ids: Collection[str]) -> set[str]:
        """Find those of some Tasks that are queued by their status and that no queue has, so that no agent gets them.

        The server died before it added the entry, or a process of this package, or an agent, that had just removed it.
        """
        if self.is_local or self._is_custom or not task_ids:
            return set()
        queues = self._server.call("queues.get_all", search_hidden=True)["queues"]
        entered = {entry.get("task") for queue in queues for entry in queue.get("entries") or ()}
        # In this order: if an agent takes a Task between the two requests, its status is no longer "queued".
        found = self._server.tasks([task for task in task_ids if task not in entered], ["id", "status", "last_worker"])
        return {str(task["id"]) for task in found if task.get("status") == "queued" and not task.get("last_worker")}

    def send(self, job: ActiveJob) -> None:
        """Send a trial's Task to the queue, or start its process.

        Raises
        ------
        ClearmlError
            When the server does not take it.
        """
        self.prepare()
        if self._is_custom:
            custom = job.job or self._job_class(base_task_id=job.task, disable_clone_task=True)
            if not custom.launch(self._template.queue):
                raise ValueError(f"{self._job_class.__name__}.launch could not launch Task {job.task}")
            job.job = custom
        elif self.is_local:
            # The Task is the trial's own already: the job takes it as it is.
            local = LocalClearmlJob(base_task_id=job.task, disable_clone_task=True)
            local_jobs.launch(local)
            job.job = local
        else:
            try:
                self._server.call("tasks.enqueue", task=job.task, queue=self._queue_id)
            except RequestFailedError as error:
                if error.subcode != ALREADY_QUEUED:  # an earlier request without an answer had done it
                    raise

    def where_they_wait(self, task_ids: list[str]) -> dict[str, tuple[str | None, str | None]]:
        """Return the status of each Task that exists, and the id of the queue that it was last sent to."""
        found = self._server.tasks(task_ids, ["id", "status", "execution.queue"])
        return {str(task["id"]): (task.get("status"), (task.get("execution") or {}).get("queue")) for task in found}

    def take_entry(self, task_id: str, queue_id: str) -> bool:
        """Take a Task's entry out of a queue, so that no agent gets it any more; False where it has none there.

        `make_draft` alone would be one request less, but it has a Task count as a draft that an agent has just started,
        and the agent ends it then.

        Parameters
        ----------
        task_id
            The Task's id.
        queue_id
            The queue's id.

        Returns
        -------
        bool
            Whether it waited there.
        """
        try:
            self._server.call("queues.remove_task", queue=queue_id, task=task_id)
        except RequestFailedError as error:
            if error.subcode not in {NO_SUCH_QUEUE, NOT_IN_QUEUE}:
                raise
            return False
        return True

    def make_draft(self, task_id: str) -> None:
        """Have a Task that is queued count as a draft again."""
        self._server.call("tasks.dequeue", task=task_id, status_reason="held while the search is paused")


def _lines(point: Mapping[str, Any]) -> list[str]:
    return [f"{name}={point[name]}" for name in sorted(point)]
