"""A ClearML Task as the template experiment: what is asked of it before anything runs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from clearml import Task
from clearml.automation import ClearmlJob
from clearml.automation.job import BaseJob, LocalClearmlJob

from hpo_widgets._messages import near_match
from hpo_widgets.engines.clearml.base_task import BaseTask
from hpo_widgets.engines.clearml.children import recover
from hpo_widgets.engines.clearml.optimizer_task import STATE_FIELD, OptimizerTask, read_state
from hpo_widgets.engines.clearml.reading import TaskRecords, read_values
from hpo_widgets.engines.clearml.reporting import ReportThread
from hpo_widgets.engines.clearml.server import NAME_IS_TAKEN, RequestFailedError, Server, server
from hpo_widgets.engines.clearml.values import full_name, text_of
from hpo_widgets.engines.template import Template
from hpo_widgets.search.limits import positive_period

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from hpo_widgets.engines.base import EngineOptions, JobEngine, Recovered, StartedSearch
    from hpo_widgets.objectives import Objective
    from hpo_widgets.space import Space
    from hpo_widgets.trials import Trial, TrialRow

_QUEUE_CONCURRENCY = 10
"""Trials that run at once by default: they are queued for other machines."""


class TaskTemplate(Template):
    """A ClearML Task that is cloned again and again with other values.

    Parameters
    ----------
    base_task
        The Task or its id.

    Raises
    ------
    ValueError
        When the server knows no such Task.
    ClearmlError
        Without credentials, or when the server does not answer or does not accept them.
    """

    kind: ClassVar[str] = "clearml"
    queue = "default"
    """Name of the execution queue."""
    pool_period = 0.1
    """Minutes; the server is polled after an eighth of it where there is news, else after up to twice as much."""
    project: str | None = None
    """Project of the trials by name; None: the template's."""
    parent: str | None = None
    """Id of the optimizer Task, which the trials are children of; None: they are the template's."""

    def __init__(self, base_task: Any) -> None:
        self.server: Server = server()
        self.base = base = BaseTask.read(self.server, base_task)
        self.id = base.id
        self.name = base.name
        self._records = TaskRecords(self.server)
        self._notices: list[str] = []
        self._optimizer_task: OptimizerTask | None = None
        self._saves_top = False
        self._reporter: ReportThread | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id})"

    @property
    def base_task_id(self) -> str:
        """The Task's id."""
        return self.id

    def place(self, job_class: type | None) -> str:
        """The queue, or this machine."""
        is_local = job_class is not None and issubclass(job_class, LocalClearmlJob)
        return "ClearML, this machine" if is_local else f"ClearML, queue {self.queue}"

    @property
    def facts(self) -> Mapping[str, Any]:
        """Which Task on which server, for whoever continues the search."""
        return {"clearml": {"base_task_id": self.id, "server": self.server.host, "optimizer_task": self.parent}}

    @property
    def remote(self) -> TaskRecords:
        """The server's own records of the trials."""
        return self._records

    def configure(self, arguments: Mapping[str, Any]) -> None:
        """Take up queue, period and project; a TypeError or ValueError says what is accepted."""
        if arguments.get("max_memory_per_job") is not None:
            raise ValueError(
                "max_memory_per_job limits processes of this machine; for jobs of a queue, give the template's "
                "container a limit, such as Task.set_base_docker(docker_arguments='--memory=8g')"
            )
        if arguments.get("worker_env") is not None:
            self._notices.append(
                "worker_env has no effect on a ClearML Task: a Task gets its environment from its agent (one GPU each: "
                "`clearml-agent daemon --gpus 0`), or with start_locally() from this process"
            )
        for name in ("execution_queue", "spawn_project"):
            value = arguments.get(name)
            if value is not None and not isinstance(value, str):
                raise TypeError(f"{name} must be a name, got {value!r}")
        minutes = arguments.get("pool_period_min")
        if minutes is not None:
            self.pool_period = positive_period("pool_period_min", minutes)
        self.queue = arguments.get("execution_queue") or self.queue
        self.project = arguments.get("spawn_project") or None
        self._saves_top = (arguments.get("save_top_k_tasks_only") or 0) > 0

    @property
    def default_concurrency(self) -> int:
        """Trials wait in a queue for other machines."""
        return _QUEUE_CONCURRENCY

    @property
    def notices(self) -> Sequence[str]:
        """What could not be checked."""
        return tuple(self._notices)

    # Checks ---------------------------------------------------------------------------------------

    def check(self, names: Iterable[str]) -> None:
        """Refuse a name that the Task does not have, with a near match: its script would never see the value."""
        self._notices += self.base.check_names(names)

    def check_search(self, space: Space, objectives: Sequence[Objective]) -> None:
        """Compare values with the types of the Task's parameters, and objectives with what it has reported."""
        self.base.check_values(space)
        self._notices += self.base.check_objectives(objectives)

    def check_job_class(self, job_class: Any) -> None:
        """Only the SDK's job classes, and what derives from them, can run a Task."""
        if not (isinstance(job_class, type) and issubclass(job_class, BaseJob)):
            raise TypeError(
                "job_class must be clearml.automation.ClearmlJob, clearml.automation.job.LocalClearmlJob or a class "
                f"derived from one of them, as the trials are ClearML Tasks, got {job_class!r}"
            )

    def before_start(self, job_class: type | None, search_id: str) -> None:
        """Look at who runs the search, and for the queue, unless the jobs run on this machine."""
        if self._optimizer_task is not None:
            self._optimizer_task.refuse_others(search_id)
        if job_class is None or not issubclass(job_class, LocalClearmlJob):
            self.queue_id()

    def queue_id(self) -> str:
        """The id of the execution queue; ``ValueError`` when there is none of that name."""
        name = self.queue
        answer = self.server.call("queues.get_all", name=f"^{re.escape(name)}$", only_fields=["id", "name"])
        for queue in answer.get("queues") or ():
            if queue.get("name", name) == name:
                return str(queue["id"])
        known = [str(queue.get("name")) for queue in self.server.call("queues.get_all", only_fields=["name"])["queues"]]
        raise ValueError(
            f"there is no queue {name!r} on the ClearML server. {near_match(name, known)} "
            "Pass execution_queue=, create it with its first agent (`clearml-agent daemon --create-queue --queue "
            f"{name}`), or run on this machine with start_locally()"
        )

    # Running --------------------------------------------------------------------------------------

    def join(self, optimizer_task: OptimizerTask) -> None:
        """Make the trials children of the search's own Task."""
        self._optimizer_task = optimizer_task
        self.parent = optimizer_task.id

    def resume(self, header: Mapping[str, Any], search_id: str) -> None:
        """Take up the search's own Task again, if it had one that is still there.

        Where that keeps another search, it is the parent of the trials only, as it was before.
        """
        own = (header.get("clearml") or {}).get("optimizer_task")
        for task in [] if own is None else self.server.tasks([own], [STATE_FIELD, "status"]):
            state = read_state(task) or {"search": search_id, "run": None}
            keeps_another = state["search"] != search_id
            current: Any = Task.current_task()
            is_current = current is not None and str(current.id) == own
            # A search that has ended in its process has no owner; what runs on is the Task of a kernel that lives.
            is_run = is_current or (state.get("owner") is None and task.get("status") == "in_progress")
            sdk_task: Any = current if is_current else Task.get_task(task_id=own)
            self.join(
                OptimizerTask(
                    sdk_task,
                    stores_arguments=False,
                    # The SDK kills the process that runs a Task when anybody else ends it.
                    is_resumed=not is_run,
                    keeps_another=keeps_another,
                    last_run=None if keeps_another else state["run"],
                )
            )

    def recover(self, search_id: str, rows: Sequence[TrialRow], space: Space) -> Sequence[Recovered]:
        """Look at the Tasks that an earlier process launched."""
        return recover(self.server, self.parent or self.id, search_id, rows, space, self._notices.append)

    def has_run_beside(self, runs: Collection[str]) -> bool:
        """Whether the search's own Task tells of another run."""
        own = self._optimizer_task
        return own is not None and not own.known_runs <= {None, *runs}

    def kept_by(self, search_id: str) -> str | None:
        """The search's own Task, unless that keeps another search or none."""
        own = self._optimizer_task
        return own.id if own is not None and own.may_keep(search_id) else None

    def started(self, source: StartedSearch) -> None:
        """Report to the optimizer Task and keep the archive, on a thread of its own."""
        if self._reporter is None:
            self._reporter = ReportThread(self.server, self._optimizer_task, self.queue, archives=self._saves_top)
        self._reporter.begin(source)

    def wait_for_reports(self, timeout: float | None) -> bool:
        """Wait for the last report."""
        return self._reporter is None or self._reporter.wait(timeout)

    @property
    def local_job_class(self) -> type | None:
        """The SDK's class for processes on this machine."""
        local: type = LocalClearmlJob
        return local

    def make_engine(self, workers: int, *, space: Space, job_class: type | None, options: EngineOptions) -> JobEngine:
        """Bring up the threads that launch and follow Tasks."""
        from hpo_widgets.engines.clearml.engine import ClearmlEngine

        return ClearmlEngine(self, workers, space=space, job_class=job_class or ClearmlJob, options=options)

    def project_id(self) -> str | None:
        """The project of the trials, made if it is new; None: that of the template."""
        if self.project is None:
            return None
        # As the server keeps it.
        name = "/".join(part.strip() for part in self.project.split("/") if part.strip())
        found = self.server.project_id(name)
        if found is not None:
            return found
        try:
            made = self.server.call("projects.create", name=name, description="HPO process spawned Tasks")
        except RequestFailedError as error:
            if error.subcode == NAME_IS_TAKEN:  # another search has made it meanwhile
                found = self.server.project_id(name)
            if found is None:
                raise ValueError(f"the project {name!r} cannot be made: {error.message}") from error
            return found
        return str(made["id"])

    # What people are given ------------------------------------------------------------------------

    def parameters_of(self, trial: Trial) -> dict[str, str]:
        """Parameters as the Task keeps them."""
        return {full_name(name): text_of(value) for name, value in trial.parameters.items()}

    def experiments(self, trials: Sequence[Trial]) -> Sequence[Any]:
        """Trials as Tasks, in their order; those whose Tasks were deleted are left out."""
        known = {task["id"] for task in self.server.tasks([trial.id for trial in trials], ["id"])}
        ids = [trial.id for trial in trials if trial.id in known]
        tasks: Sequence[Any] = Task.get_tasks(task_ids=ids) if ids else []
        return tasks

    def hyper_parameters(self, trials: Sequence[Trial]) -> Sequence[Mapping[str, str]]:
        """The parameters of all sections, read from the server by one request."""
        tasks = self.server.tasks([trial.id for trial in trials], ["id", "hyperparams"])
        by_id = {task["id"]: read_values(task) for task in tasks}
        return [by_id.get(trial.id, {}) for trial in trials]
