"""A search that the SDK's controller runs or ran elsewhere, read from its optimizer Task and the Tasks below it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clearml import Task

from hpo_widgets.clearml_sdk.search import SdkSearch
from hpo_widgets.engines.clearml.children import children
from hpo_widgets.engines.clearml.reading import POLL_FIELDS, TaskView, read_task, read_values
from hpo_widgets.engines.clearml.server import PAGE, server
from hpo_widgets.engines.clearml.values import is_same, literal
from hpo_widgets.objectives import make_objectives
from hpo_widgets.parameters import Parameter, as_parameter
from hpo_widgets.search import COMMANDS, SearchStatus, StopReason
from hpo_widgets.search.as_code import constructor_call
from hpo_widgets.search.limits import SECONDS_A_MINUTE
from hpo_widgets.space import Space
from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hpo_widgets.clearml_sdk.tasks import TaskTrial

_OPTIONS = "General/opt/"
"""Where the SDK keeps the controller's arguments in the parameters of its optimizer Task."""
SPACE = ("General", "parameter_optimization_space")
"""The configuration object of the Task that holds the space, and the key of the space in it."""
POLL_SECONDS = 5.0
"""Seconds between two requests for the Tasks while the search runs."""
_POLL_ENDED_SECONDS = 60.0
_TASK_FIELDS = [field for field in POLL_FIELDS if field != "last_metrics"]
"""What is asked of the optimizer Task, whose own scalars nobody needs."""
_WHY_NO_COMMANDS = "this is a view of a search of ClearML's own controller, which runs elsewhere or has ended"


class KeptSearch(SdkSearch):
    """A search as an optimizer Task of the SDK keeps it: it can be shown, but takes no commands.

    Written by the watcher's thread, read by any.

    Parameters
    ----------
    task_id
        The optimizer Task's id.

    Raises
    ------
    ValueError
        When there is no such Task, or it keeps no search of the SDK's.
    ClearmlError
        When the server does not answer.
    """

    engine_name = "ClearML"
    capabilities: Mapping[str, str | None] = dict.fromkeys(COMMANDS, _WHY_NO_COMMANDS)

    def __init__(self, task_id: str) -> None:
        task: Any = Task.get_task(task_id=task_id)
        texts = task.get_parameters() or {}
        self._options: dict[str, Any] = {
            name.removeprefix(_OPTIONS): literal(text) if text else None
            for name, text in texts.items()
            if name.startswith(_OPTIONS)
        }
        form = (task.get_configuration_object_as_dict(SPACE[0]) or {}).get(SPACE[1])
        if "objective_metric_title" not in self._options or not form:
            raise ValueError(
                f"Task {task.name!r} is not the optimizer Task of a search of ClearML: it has no arguments below "
                f"{_OPTIONS}, or no {SPACE[1]} in its configuration"
            )
        strategy_name = str(self._options.get("optimizer_class", "SearchStrategy"))
        title, series, sign = (self._options[f"objective_metric_{word}"] for word in ("title", "series", "sign"))
        declared = Space([as_parameter(Parameter.from_dict(one)) for one in form])
        super().__init__(task_id, str(task.name), strategy_name, declared, make_objectives(title, series, sign))
        self._view: TaskView | None = None
        self.look()

    def _limit(self, name: str) -> float | None:
        """A limit by its name; the SDK keeps it among the controller's arguments or among the strategy's."""
        limit = self._options.get(name, self._options.get(f"optimizer_kwargs/{name}"))
        return limit if isinstance(limit, (int, float)) and limit > 0 else None

    @property
    def max_number_of_concurrent_tasks(self) -> int:
        """Trials that run at once at most."""
        return int(self._limit("max_number_of_concurrent_tasks") or 1)

    @property
    def total_max_jobs(self) -> int | None:
        """The job budget; None: no limit."""
        total = self._limit("total_max_jobs")
        return None if total is None else int(total)

    @property
    def elapsed_minutes(self) -> float:
        """Minutes from its start to its end or its last sign of life, by the server's clock."""
        view = self._view
        return 0.0 if view is None else (view.seconds or 0.0) / SECONDS_A_MINUTE

    @property
    def status(self) -> SearchStatus:
        """What the search is doing, by the states of the optimizer Task and of its trials."""
        reason = self.stop_reason
        if reason is not None:
            return self.trials.status_after(reason)
        is_running = self._view is not None and self._view.state is TrialState.RUNNING
        return SearchStatus.RUNNING if is_running or self.trials.active else SearchStatus.IDLE

    @property
    def stop_reason(self) -> StopReason | None:
        """Why the search ended, as far as its Task tells; None while it runs or has not started."""
        view, total = self._view, self.total_max_jobs
        num_ended = self.trials.num_ended
        if view is None:
            return StopReason("stopped", "its optimizer Task was deleted on the server")
        if view.state in (None, TrialState.QUEUED, TrialState.RUNNING):
            return None
        if view.state is TrialState.FAILED:
            return StopReason("error", f"its optimizer Task has failed: {view.reason or 'no reason is kept'}")
        if total is not None and num_ended >= total:
            return StopReason("total_max_jobs", f"all {total} jobs have run")
        limit = self._limit("optimization_time_limit")
        if limit is not None and self.elapsed_minutes >= limit:
            return StopReason("optimization_time_limit", "the time limit has passed")
        state = "was stopped" if view.state is TrialState.ABORTED else "is completed"
        return StopReason("stopped", f"its optimizer Task {state} after {num_ended} jobs. {view.reason}".strip())

    def as_code(self) -> str:
        """The constructor call that the optimizer Task keeps."""
        names = ("max_number_of_concurrent_tasks", "execution_queue", "optimization_time_limit", "compute_time_limit")
        keywords = {name: self._options.get(name) for name in names}
        keywords |= {
            name.removeprefix("optimizer_kwargs/"): value
            for name, value in self._options.items()
            if name.startswith("optimizer_kwargs/")
        }
        return constructor_call(
            str(self._options.get("base_task_id")),
            self.declared,
            self.objectives,
            self.strategy_name,
            {name: value for name, value in keywords.items() if value is not None},
            package="clearml.automation",
        )

    def look(self) -> None:
        """Read the Tasks from the server once."""
        with self._looking:
            before = self.status, self.stop_reason
            found = server().tasks([self.id], _TASK_FIELDS)
            self._view = read_task(found[0]) if found else None
            changed = self._discover() + self.trials.ask()
            self.trials.show(changed)
            if changed or (self.status, self.stop_reason) != before:
                self.trials.store.notify()

    def _pause(self) -> float:
        return POLL_SECONDS if self.status.is_alive else _POLL_ENDED_SECONDS

    def _discover(self) -> list[TaskTrial]:
        """Add the Tasks that are new below the optimizer Task."""
        new = self._new_tasks()
        tasks = {task["id"]: task for task in server().tasks(new, ["id", "comment", "hyperparams"])}
        added = [self.trials.add(task_id, self._point(tasks[task_id]), 0) for task_id in new if task_id in tasks]
        return [trial for trial in added if trial is not None]

    def _new_tasks(self) -> list[str]:
        """Ids of the Tasks that are not known, the oldest first; all that is older than a page with a known one is."""
        new: list[str] = []
        is_met = False
        for place, task in enumerate(children(server(), self.id, ["id"], newest_first=True), 1):
            if self.trials.knows(task["id"]):
                is_met = True
            else:
                new.append(task["id"])
            if is_met and place % PAGE == 0:
                break
        # A Task that comes meanwhile moves the last of a page to the next one.
        return list(dict.fromkeys(reversed(new)))

    def _point(self, task: Mapping[str, Any]) -> dict[str, Any]:
        """The point of a trial: the comment names the parameters that the SDK set, the Task holds their values."""
        texts = read_values(task)
        named = {line.partition("=")[0] for line in str(task.get("comment") or "").splitlines()}
        point = {}
        for name in self.declared.names:
            if name in texts and (name in named or not named & set(self.declared.names)):
                point[name] = self._parameter_value(name, texts[name])
        return point

    def _parameter_value(self, name: str, text: str) -> Any:
        column = next(column for column in self.declared.columns if column.name == name)
        if column.kind == "choice":
            choices = self.declared.leaf(name).declared
            return next((choice for choice in choices if is_same(text, choice)), literal(text))
        return literal(text)
