"""The Task that is cloned again and again: what it has, and whether a space and objectives fit it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from hpo_widgets._messages import near_match
from hpo_widgets.engines.clearml.server import PAGE
from hpo_widgets.engines.clearml.values import can_be_kept, fits, full_name, split_name
from hpo_widgets.objectives import MONITOR

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hpo_widgets.engines.clearml.server import Server
    from hpo_widgets.objectives import Objective
    from hpo_widgets.space import Space

_FIELDS = ["id", "name", "project", "hyperparams", "last_metrics", "tags"]
_INEXACT = frozenset({"bool", "list", "tuple", "dict"})
"""Types that no value of a numeric range has."""


@dataclass(frozen=True)
class BaseTask:
    """A ClearML Task as its server describes it.

    Attributes
    ----------
    project
        Id of its project; None: it has none.
    hyperparams
        Its parameters as the API has them: section to name to entry.
    last_metrics
        Its scalars as the API has them.
    """

    id: str
    name: str
    project: str | None
    tags: Sequence[str] = ()
    hyperparams: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict, repr=False)
    last_metrics: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, server: Server, task: Any) -> Self:
        """Read a Task.

        Parameters
        ----------
        server
            The server to ask.
        task
            The Task, its id, or ``"project/name"``: of several Tasks of that name the one that was updated last, of
            those that are not archived if there are any.

        Returns
        -------
        BaseTask
            What the server says of it.

        Raises
        ------
        ValueError
            When the server knows no such Task, with a near match for a name.
        """
        task_id = id_of(task)
        if "/" in task_id:
            task_id = _id_by_name(server, task_id)
        found = server.tasks([task_id], _FIELDS)
        if not found:
            raise ValueError(f"there is no Task {task_id} on the ClearML server {server.host}")
        fields = found[0]
        return cls(
            id=task_id,
            name=str(fields.get("name") or task_id),
            project=fields.get("project"),
            tags=tuple(fields.get("tags") or ()),
            hyperparams=fields.get("hyperparams") or {},
            last_metrics=fields.get("last_metrics") or {},
        )

    def check_names(self, names: Iterable[str]) -> list[str]:
        """Refuse a name that the Task does not have, with a near match; returns what cannot be known, in sentences."""
        known = [f"{section}/{name}" for section, entries in self.hyperparams.items() for name in entries]
        if not known:
            sentence = (
                f"Task {self.name!r} has no parameters, as it has never run; whether its script takes "
                f"{', '.join(map(repr, names))} will only be known when it runs"
            )
            return [sentence]
        for name in names:
            if full_name(name) not in known:
                raise ValueError(f"Task {self.name!r} has no parameter {full_name(name)!r}. {near_match(name, known)}")
        return []

    def check_values(self, space: Space) -> None:
        """Refuse values of a space that the script would not get as they are, by the types of its parameters."""
        for column in space.columns:
            leaf = space.leaf(column.name)
            kind = self._kind(column.name)
            if column.kind == "choice":
                self._check_choices(column.name, leaf.declared, kind)
            elif column.kind != "int" and str(kind).partition("/")[0] == "int":
                raise ValueError(
                    f"{column.name!r} is an int in Task {self.name!r}, but {type(leaf).__name__} gives fractions: "
                    "use UniformIntegerParameterRange"
                )
            elif str(kind).partition("/")[0] in _INEXACT:
                raise ValueError(
                    f"{column.name!r} is a {kind} in Task {self.name!r}, but {type(leaf).__name__} gives numbers: "
                    "use DiscreteParameterRange"
                )

    def _kind(self, name: str) -> str | None:
        """The type of a parameter; None: it is not known."""
        section, short = split_name(name)
        entry = self.hyperparams.get(section, {}).get(short, {})
        kind: str | None = entry.get("type")
        is_list = str(entry.get("value")).startswith("[")
        # An argument of argparse that takes several values has the type of one of them.
        return f"list/{kind}" if is_list and kind in {"int", "float"} else kind

    def _check_choices(self, name: str, choices: Sequence[Any], kind: str | None) -> None:
        for value in choices:
            if not can_be_kept(value):
                raise ValueError(
                    f"{value!r} cannot be a choice of {name!r} on ClearML, where values are text: give numbers, "
                    "strings, booleans, None, or lists and dicts of them"
                )
            if not fits(value, kind):
                raise ValueError(
                    f"{name!r} is of type {kind} in Task {self.name!r}; its script would not get {value!r}"
                )

    def check_objectives(self, objectives: Iterable[Objective]) -> list[str]:
        """Refuse a scalar that the Task, which has reported others, does not report; returns what cannot be known."""
        reported = [
            f"{entry.get('metric')}/{entry.get('variant')}"
            for variants in self.last_metrics.values()
            for entry in variants.values()
        ]
        own = [key for key in reported if not key.startswith(MONITOR)]
        missing = [objective.key for objective in objectives if objective.key not in reported]
        if missing and own:
            raise ValueError(
                f"Task {self.name!r} has not reported the objective {missing[0]!r}. {near_match(missing[0], own)}"
            )
        return [
            f"Task {self.name!r} has reported nothing yet; whether trials report {key!r} will be known when they run"
            for key in missing
        ]


def _id_by_name(server: Server, name: str) -> str:
    project_name, _, task_name = name.rpartition("/")
    project = server.project_id(project_name)
    if project is None:
        known = [str(project["name"]) for project in server.call("projects.get_all", only_fields=["name"])["projects"]]
        raise ValueError(
            f"the Task {name!r} cannot be found: there is no project {project_name!r} on the ClearML server. "
            f"{near_match(project_name, known)}"
        )
    in_project = {"project": [project], "order_by": ["-last_update"], "page": 0, "page_size": PAGE}
    only = ["id", "name"]
    named = {"name": f"^{re.escape(task_name)}$", "only_fields": only, **in_project}
    # As for the SDK and in the web pages, archived ones count only where there is no other.
    tasks = server.call("tasks.get_all", system_tags=["-archived"], **named)["tasks"]
    tasks = tasks or server.call("tasks.get_all", **named)["tasks"]
    if not tasks:
        known = [str(task["name"]) for task in server.call("tasks.get_all", only_fields=only, **in_project)["tasks"]]
        raise ValueError(
            f"there is no Task {task_name!r} in the project {project_name!r}. {near_match(task_name, known)}"
        )
    return str(tasks[0]["id"])


def id_of(task: Any) -> str:
    """The id of a Task that is given as one, or the text that names it."""
    return task.strip() if isinstance(task, str) else str(task.id)
