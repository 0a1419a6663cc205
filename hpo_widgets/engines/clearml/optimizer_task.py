"""The Task of the search itself: the parent of its trials, which keeps its arguments, its space and who runs it."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from clearml import Task

from hpo_widgets.engines.clearml.base_task import BaseTask, id_of
from hpo_widgets.engines.clearml.launching import TAG
from hpo_widgets.engines.clearml.server import ClearmlError, server
from hpo_widgets.journal import JournalError, JournalInUse, Owner
from hpo_widgets.journal.lease import SILENCE
from hpo_widgets.parameters import Parameter, as_parameter
from hpo_widgets.strategies.registry import named, resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hpo_widgets.search.limits import Settings

logger = logging.getLogger("hpo_widgets")

SPACE = "parameter_optimization_space"
"""The SDK's key for the space in the Task's configuration."""

SECTION = "opt"
"""What holds the search's arguments in the section ``General`` of the Task's parameters."""

_CONFIGURATION = "hpo_widgets"
"""The configuration object that lets the search be taken up again without its journal."""

STATE_FIELD = f"configuration.{_CONFIGURATION}"
"""The field of a Task that holds it; whatever else a person has connected may be large."""

_STATE = {
    "search",
    "run",
    "owner",
    "header",
    "space",
    "epoch",
    "settings",
    "wall_minutes",
    "is_paused",
    "has_own_deadline",
    "deadline",
    "enqueued",
    "num_enqueued_launched",
    "left_out",
}
"""What it keeps of a search, all of which is needed to take it up again."""

_OPTIONS = (
    "base_task_id",
    "objective_metric_title",
    "objective_metric_series",
    "objective_metric_sign",
    "max_number_of_concurrent_tasks",
    "execution_queue",
    "optimization_time_limit",
    "compute_time_limit",
)
_OBJECTIVE = ("objective_metric_title", "objective_metric_series", "objective_metric_sign")
_BASIC = (str, int, float, list, tuple, dict, type(None))


class _HasSettings(Protocol):
    """What is needed of a `Definition`, which belongs to a package above."""

    template: Any
    settings: Settings
    header: dict[str, Any]


_Made = TypeVar("_Made", bound=_HasSettings)

_SEARCHES: dict[str, str] = {}
"""Task to the search that this process was the first to keep in it."""


class TakenOverError(Exception):
    """Another process has taken the search over, and its trials with it."""


class OptimizerTask:
    """The Task that a search is connected with.

    Parameters
    ----------
    task
        The SDK's Task.
    stores_arguments
        Whether arguments and space go into it (``auto_connect_task``).
    is_resumed
        Whether no process of its own runs the Task, as the one that made it has gone, or it is not this process's
        current one: it begins with the search and ends with it.
    keeps_another
        Whether it is known to keep another search.
    last_run
        The run that it told of last, where it is resumed.

    Attributes
    ----------
    is_read_only : bool
        Whether it is no more than the parent of the trials, because it has ended or keeps another search.
    is_continued : bool
        Whether an earlier process may have reported to it.
    known_runs : set
        The runs whose trials this process knows: those before it took over, and its own.
    """

    def __init__(
        self,
        task: Any,
        *,
        stores_arguments: bool,
        is_resumed: bool = False,
        keeps_another: bool = False,
        last_run: str | None = None,
    ) -> None:
        self.task = task
        self.id = str(task.id)
        self._is_resumed = is_resumed
        has_ended = not is_resumed and str(task.status) not in {"created", "in_progress"}
        self.is_read_only = has_ended or keeps_another
        self._stores_arguments = stores_arguments and not self.is_read_only
        self._kept = ""
        self.is_continued = last_run is not None
        self.known_runs = {last_run}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id})"

    def begin(self) -> None:
        """Let a Task run that no process of its own runs."""
        if self._is_resumed and not self.is_read_only and str(self.task.status) != "in_progress":
            self.task.mark_started(force=True)

    def end(self) -> None:
        """End a Task that no process of its own ends."""
        if self._is_resumed and not self.is_read_only:
            self.task.mark_completed()

    def tag(self) -> None:
        """Mark it as an optimizer, as the SDK does."""
        if not self.is_read_only and TAG not in (self.task.get_tags() or ()):
            self.task.add_tags([TAG])

    def connect(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Store the constructor's arguments in the Task; where it runs remotely, return them with what the Task has.

        Objects that are no plain values, such as a sampler, are not stored.
        """
        if not self._stores_arguments:
            return dict(arguments)
        space = {SPACE: [as_parameter(parameter).to_dict() for parameter in arguments["hyper_parameters"]]}
        # The SDK writes what the Task has into the dictionaries that it is given, where it runs remotely.
        stored_space = self.task.connect_configuration(space)
        extra = {name: value for name, value in arguments.items() if name not in _ALL}
        options = {name: arguments.get(name) for name in _OPTIONS}
        for name in _OBJECTIVE:
            options[name] = [options[name]] if isinstance(options[name], str) else options[name]
        options["base_task_id"] = id_of(options["base_task_id"])
        options["optimizer_kwargs"] = {name: value for name, value in extra.items() if isinstance(value, _BASIC)}
        strategy = arguments.get("optimizer_class")
        options["optimizer_class"] = resolve(strategy).__name__
        stored = self._connected(options)
        if Task.running_locally():
            return dict(arguments)
        return _merged(arguments, extra, stored, stored_space)

    def _connected(self, options: dict[str, Any]) -> Mapping[str, Any]:
        """The options as the Task has them: below ``General/opt``, as the SDK's code, or in a section ``opt``."""
        names = [] if Task.running_locally() else list(self.task.get_parameters() or ())
        is_in_section = any(name.startswith(f"{SECTION}/") for name in names)
        if is_in_section and not any(name.startswith(f"General/{SECTION}/") for name in names):
            return cast("Mapping[str, Any]", self.task.connect(options, name=SECTION))
        return cast("Mapping[str, Any]", self.task.connect({SECTION: options})[SECTION])

    def keep(self, state: Mapping[str, Any]) -> None:
        """Keep what is needed to take the search up again (JSON values); nothing is sent when it is the same.

        Raises
        ------
        ClearmlError
            When the Task keeps another search of this process, or has ended, or the server does not answer.
        TakenOverError
            When another process has kept a run of its own there; that stays.
        """
        self.known_runs.add(state.get("run"))
        text = json.dumps(state, indent=1)
        if self.is_read_only or text == self._kept:
            return
        self._refuse_second_search(str(state.get("search")))
        self._refuse_taken_over(state)
        # After an answer: the one before may have been on its way while this machine slept.
        by_server = json.dumps(_by_clock(state, server().clock_ahead), indent=1)
        try:
            self.task.set_configuration_object(_CONFIGURATION, config_text=by_server, config_type="json")
        except ValueError as error:  # the SDK changes no Task that has ended
            raise ClearmlError(
                f"the optimizer Task {self.id} has ended, so the search is only kept in its journal ({error})"
            ) from error
        self._kept = text

    def kept(self, search_id: str) -> dict[str, Any] | None:
        """What the Task keeps of a search; None: nothing, or of another one, as a person's clone of the Task does."""
        for task in server().tasks([self.id], [STATE_FIELD]):
            state = read_state(task)
            if state is not None and state.get("search") == search_id:
                return state
        return None

    def refuse_others(self, search_id: str) -> None:
        """Refuse a search that another process runs (`JournalInUse`), or has run since (`JournalError`)."""
        state = None if self.is_read_only else self.kept(search_id)
        if state is None:
            return
        refuse_living(state)
        if state.get("run") not in self.known_runs:
            msg = (
                f"the search {search_id} was continued elsewhere since it was opened here; open it again "
                "(HyperParameterOptimizer.open) to continue with all of its trials"
            )
            raise JournalError(msg)

    def _refuse_taken_over(self, state: Mapping[str, Any]) -> None:
        """Raise `TakenOverError` when the Task keeps a run of the same search that is not known here."""
        search_id = str(state.get("search"))
        kept = self.kept(search_id)
        if kept is None or kept.get("run") in self.known_runs:
            return
        owner = kept.get("owner")
        other = "another process" if owner is None else f"process {owner['pid']} on {owner['host']}"
        raise TakenOverError(
            f"the search {search_id} was taken over by {other}, as nothing was heard of this process for more than "
            f"{SILENCE:.0f} s. Nothing more is launched here, and running trials are followed there; open the search "
            "again (HyperParameterOptimizer.open) to continue it when it has ended there"
        )

    @property
    def keeps_search(self) -> bool:
        """Whether this process has kept a search in it."""
        return self.id in _SEARCHES

    def may_keep(self, search_id: str) -> bool:
        """Whether it keeps a search, or will once that was started."""
        return not self.is_read_only and _SEARCHES.get(self.id, search_id) == search_id

    def _refuse_second_search(self, search_id: str) -> None:
        """Leave a Task alone, from now on, that keeps another search of this process, which is found by it."""
        first = _SEARCHES.setdefault(self.id, search_id)
        if first != search_id:
            self.is_read_only = True
            raise ClearmlError(
                f"the optimizer Task {self.id} already keeps the search {first}, so this one is only kept in its "
                "journal and not reported to the Task; always_create_task=True gives a further search a Task of its own"
            )


_ALL = {
    *_OPTIONS,
    "hyper_parameters",
    "optimizer_class",
    "auto_connect_task",
    "always_create_task",
    "spawn_project",
    "save_top_k_tasks_only",
    "worker_env",
}


def _merged(
    arguments: Mapping[str, Any], extra: Mapping[str, Any], stored: Mapping[str, Any], stored_space: Mapping[str, Any]
) -> dict[str, Any]:
    """The arguments with what the Task has instead."""
    merged = dict(arguments)
    for name in _OPTIONS:
        merged[name] = _typed(stored.get(name), arguments.get(name))
    for name in _OBJECTIVE:
        value = merged[name]
        if isinstance(value, (list, tuple)) and len(value) == 1:
            merged[name] = value[0]
    for name, value in (stored.get("optimizer_kwargs") or {}).items():
        merged[name] = _typed(value, extra.get(name))
    merged["hyper_parameters"] = [Parameter.from_dict(form) for form in stored_space[SPACE]]
    try:
        merged["optimizer_class"] = named(str(stored.get("optimizer_class")))
    except KeyError:
        logger.warning("clearml: the strategy %s is not known here; it stays", stored.get("optimizer_class"))
    return merged


def _typed(stored: Any, given: Any) -> Any:
    """A stored value; text that took the place of None, which has no type, is read as what it looks like."""
    if given is not None or not isinstance(stored, str):
        return stored
    if not stored:
        return None
    try:
        return json.loads(stored)
    except ValueError:
        return stored


def _find(arguments: Mapping[str, Any]) -> OptimizerTask | None:
    """The Task to connect with: the one that was given, or this process's current one; None: there is none."""
    given = arguments.get("auto_connect_task", True)
    if isinstance(given, Task):
        return OptimizerTask(given, stores_arguments=True)
    if not isinstance(given, bool) and given is not None:
        raise TypeError(f"auto_connect_task must be True, False or a clearml.Task, got {given!r}")
    current: Any = Task.current_task()
    return None if current is None else OptimizerTask(current, stores_arguments=bool(given))


def _create(base: BaseTask, arguments: Mapping[str, Any]) -> OptimizerTask:
    """Make the Task of a search in the project of its base Task: this process's current one, if there is none yet."""
    project = None
    if base.project is not None:
        project = server().call("projects.get_by_id", project=base.project)["project"]["name"]
    named: dict[str, Any] = {"project_name": project, "task_name": f"Optimizing: {base.name}"}
    is_further = Task.current_task() is not None
    task: Any
    if is_further:
        task = Task.create(**named, task_type=Task.TaskTypes.optimizer.value)
    else:
        task = Task.init(**named, task_type=Task.TaskTypes.optimizer, reuse_last_task_id=False)
    stores_arguments = bool(arguments.get("auto_connect_task", True))
    return OptimizerTask(task, stores_arguments=stores_arguments, is_resumed=is_further)


def connected(make: Callable[[Mapping[str, Any]], _Made], arguments: Mapping[str, Any]) -> _Made:
    """Define a search and connect it with its own Task.

    On this machine arguments are checked before anything is stored. Where the Task runs for an agent, what it has
    wins over the code's arguments, and is checked then.

    Parameters
    ----------
    make
        Checks arguments and makes a `Definition` of them.
    arguments
        Those of the controller's constructor, by name.

    Returns
    -------
    _Made
        The definition, with the optimizer Task where there is one.
    """
    optimizer_task = _find(arguments)
    if optimizer_task is not None and optimizer_task.keeps_search and arguments.get("always_create_task"):
        optimizer_task = None  # it is that of an earlier search
    creates = optimizer_task is None and bool(arguments.get("always_create_task"))
    if Task.running_locally():
        definition = make(arguments)
        if creates:
            optimizer_task = _create(definition.template.base, arguments)
        if optimizer_task is not None:
            concurrency = definition.settings.max_number_of_concurrent_tasks
            own = {"base_task_id": definition.template.base_task_id, "max_number_of_concurrent_tasks": concurrency}
            optimizer_task.connect({**arguments, **own})
    else:
        if creates:
            optimizer_task = _create(BaseTask.read(server(), arguments["base_task_id"]), arguments)
        definition = make(arguments if optimizer_task is None else optimizer_task.connect(arguments))
    if isinstance(arguments.get("auto_connect_task"), Task):
        definition.header["arguments"]["auto_connect_task"] = arguments["auto_connect_task"].id
    if optimizer_task is not None:
        optimizer_task.tag()
        definition.template.join(optimizer_task)
        definition.header.update(definition.template.facts)
    return definition


# What it keeps of its search ----------------------------------------------------------------------


def keeps_search_of_sdk(task_id: str) -> bool:
    """Whether a Task is the optimizer Task of a search by the SDK's own controller, and of none by this package."""
    return any(
        _CONFIGURATION not in (task.get("configuration") or {})
        and f"{SECTION}/base_task_id" in ((task.get("hyperparams") or {}).get("General") or {})
        for task in server().tasks([task_id], [STATE_FIELD, "hyperparams.General"])
    )


def kept_state(optimizer_task_id: str) -> dict[str, Any]:
    """What an optimizer Task keeps of its search; ``ValueError`` when there is no such Task, or no search in it."""
    found = server().tasks([optimizer_task_id], ["name", STATE_FIELD])
    if not found:
        raise ValueError(f"there is no Task {optimizer_task_id} on the ClearML server {server().host}")
    state = read_state(found[0])
    if state is None or not state.keys() >= _STATE or not isinstance(state["header"], dict):
        raise ValueError(
            f"Task {found[0].get('name')!r} is not the optimizer Task of a search of hpo_widgets; a search without one "
            "is opened by its id or journal, with base_task_id="
        )
    return state


def read_state(task: Mapping[str, Any]) -> dict[str, Any] | None:
    """The same, of a Task's fields; None when it keeps no search, or what a person has made of one."""
    kept = (task.get("configuration") or {}).get(_CONFIGURATION) or {}
    try:
        state = json.loads(kept.get("value") or "")
    except ValueError:
        return None
    return state if isinstance(state, dict) and state.keys() >= {"search", "run"} else None


def _by_clock(state: Mapping[str, Any], ahead: float) -> Mapping[str, Any]:
    """The same with the owner's last sign of life by a clock that is so many seconds ahead; the server's is kept."""
    owner = state.get("owner")
    return state if owner is None else {**state, "owner": {**owner, "heartbeat": owner["heartbeat"] + ahead}}


def refuse_living(state: Mapping[str, Any]) -> None:
    """Raise `JournalInUse` when the process that keeps an optimizer Task up to date is alive, wherever it is."""
    kept = _by_clock(state, -server().clock_ahead).get("owner")
    owner = None if kept is None else Owner(**kept)
    if owner is not None and owner.is_alive:
        msg = (
            f"the search {state['search']} is running in process {owner.pid} on {owner.host}, last heard of "
            f"{max(0.0, owner.silent_for):.0f} s ago. Watch it there; to continue it here, stop it there first. If "
            f"that machine is gone, wait until nothing has been heard of it for {SILENCE:.0f} s"
        )
        raise JournalInUse(msg, owner.host, owner.pid)
