"""What a search is: its constructor's arguments, checked before anything runs."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from inspect import signature
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from hpo_widgets._messages import near_match, printable
from hpo_widgets.controller.constraint import Constraint
from hpo_widgets.engines.base import EngineOptions
from hpo_widgets.engines.local.messages import MAX_NAME
from hpo_widgets.engines.local.template import FunctionTemplate, ScriptTemplate
from hpo_widgets.journal import DIRECTORY, journal_path, new_search_id
from hpo_widgets.objectives import Objective, make_objectives
from hpo_widgets.parameters.base import python_value
from hpo_widgets.search.limits import Settings
from hpo_widgets.space import Space
from hpo_widgets.strategies.registry import names_with, resolve

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hpo_widgets.controller.state import RestoredTrials
    from hpo_widgets.engines.base import JobEngine
    from hpo_widgets.engines.local.process import WorkerEnvironment
    from hpo_widgets.engines.template import Template
    from hpo_widgets.strategies.base import SearchStrategy

CONTROLLER_KEYWORDS = (
    "total_max_jobs",
    "time_limit_per_job",
    "min_iteration_per_job",
    "max_iteration_per_job",
    "max_memory_per_job",
    "pool_period_min",
    "max_failures",
    "allow_duplicates",
    "constraint",
    "stop_grace",
    "name",
    "journal",
    "limits",
    "worker_env",
    "arguments",
)
"""Keywords beyond the named ones that the controller itself takes; others go to the strategy."""
TOP_K = "save_top_k_tasks_only"


@dataclass(slots=True)
class Definition:
    """A checked search: everything that `HyperParameterOptimizer` needs to begin, or to go on with one."""

    template: Template
    space: Space
    objectives: tuple[Objective, ...]
    strategy: SearchStrategy
    is_seeded: bool
    settings: Settings
    name: str
    search_id: str
    path: Path
    """Where the journal is, or will be once the search was started."""
    worker_env: WorkerEnvironment = field(repr=False)  # may hold credentials
    header: dict[str, Any]
    save_top_k: int = 0
    """Archive ended trials beyond the k best; 0 or less keeps all."""
    has_default_concurrency: bool = False
    """Whether ``max_number_of_concurrent_tasks`` was left at its default."""
    job_class: type | None = None
    """What runs the trials from the next start on, in place of the default engine."""
    constraint: Constraint | None = None
    """What points have to meet before they are run."""
    given: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The template experiment and further arguments as they were given, for `as_code`."""
    past: RestoredTrials | None = field(default=None, repr=False)
    """What a search that is opened again takes up."""

    def make_engine(self, workers: int) -> JobEngine:
        """Make the engine that runs the trials."""
        return self.template.make_engine(
            workers, space=self.space, job_class=self.job_class, options=self._engine_options
        )

    def prepare_engine(self, workers: int) -> None:
        """Start ahead of a run what its engine can use."""
        self.template.prepare(workers, job_class=self.job_class, options=self._engine_options)

    @property
    def _engine_options(self) -> EngineOptions:
        return EngineOptions(
            self.search_id,
            self.worker_env,
            self.objectives,
            max_iteration_per_job=self.settings.max_iteration_per_job,
            max_memory_per_job=self.settings.max_memory_per_job,
            wants_reports=self._wants_reports,
        )

    def _wants_reports(self) -> bool:
        return self.strategy.wants_reports


_TASK_ID = re.compile(r"[0-9a-f]{32}")
_TASK_NAME = re.compile(r"[^./~\\].*/.*[^/](?<!\.py)(?<!\.sqlite)")
"""``"project/name"``; no path, neither of a script or a journal nor one that begins at a folder."""


def names_a_task(base_task_id: object) -> bool:
    """Whether ``base_task_id`` is a ClearML Task or the id of one."""
    if isinstance(base_task_id, str):
        text = base_task_id.strip()
        return bool(_TASK_ID.fullmatch(text) or _TASK_NAME.fullmatch(text))
    # A Task is recognised by its class's home, so that nobody imports clearml to ask.
    return any(cls.__module__.partition(".")[0] == "clearml" for cls in type(base_task_id).__mro__)


def make_template(base_task_id: object, arguments: str | Sequence[str] | None = None) -> Template:
    """The template experiment that ``base_task_id`` names.

    Parameters
    ----------
    base_task_id
        What the constructor's argument of that name was.
    arguments
        How a script gets its parameters (`ScriptEngine`).

    Returns
    -------
    Template
        Its callable, script or Task.

    Raises
    ------
    TypeError, ValueError
        With what is accepted, when it is neither a callable nor the path of a script nor a ClearML Task that exists.
    """
    if names_a_task(base_task_id):
        from hpo_widgets.engines.clearml.template import TaskTemplate

        return TaskTemplate(base_task_id)
    if isinstance(base_task_id, Path):
        return ScriptTemplate(base_task_id, arguments)
    if callable(base_task_id) and not isinstance(base_task_id, type):
        return FunctionTemplate(base_task_id)
    if isinstance(base_task_id, str) and base_task_id.endswith(".py"):
        msg = f"base_task_id names a script by a str; pass pathlib.Path({base_task_id!r})"
        raise TypeError(msg)
    msg = (
        "base_task_id must be a callable, a pathlib.Path of a script, or a ClearML Task, its id "
        f"(32 hexadecimal digits) or 'project/name', got {base_task_id!r}"
    )
    if isinstance(base_task_id, (int, float)):
        msg += "; give the function itself, not what it returns"
    if base_task_id is None:
        msg += "; Task.get_task returns None if its project has no such Task: give 'project/name' to see a similar name"
    raise TypeError(msg)


_CALLED_HERE = {
    **dict.fromkeys(("n_trials", "num_trials", "trials", "max_trials", "max_evals", "num_samples"), "total_max_jobs"),
    **dict.fromkeys(("n_jobs", "n_workers", "workers", "max_workers"), "max_number_of_concurrent_tasks"),
    **dict.fromkeys(("metric", "monitor"), "objective_metric_title and objective_metric_series"),
    **dict.fromkeys(("direction", "directions", "mode"), 'objective_metric_sign ("min" or "max")'),
    **dict.fromkeys(("timeout", "time_budget_s"), "optimization_time_limit (minutes)"),
    **dict.fromkeys(("storage", "study_name"), "journal (a folder) and name"),
    "sampler": "optuna_sampler, with optimizer_class=OptimizerOptuna",
    "pruner": "optuna_pruner, with optimizer_class=OptimizerOptuna",
    "random_state": "seed",
    **dict.fromkeys(
        ("constraints", "constraints_func", "parameter_constraints"),
        "constraint, a function of the parameters that returns True for a point that may be run",
    ),
}
"""What other tools (Optuna, hyperopt, Ray Tune, scikit-learn) call an argument, and what it is called here."""


def split_keywords(
    optimizer_kwargs: Mapping[str, Any], strategy_class: type[SearchStrategy], also_known: Iterable[str] = ()
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Sort keywords into the controller's and the strategy's.

    Parameters
    ----------
    optimizer_kwargs
        All of them.
    strategy_class
        Says by its constructor which it takes.
    also_known
        Names of other arguments, one of which a misspelt keyword may mean.

    Returns
    -------
    tuple of dict
        The controller's and the strategy's; a keyword of both is in both.

    Raises
    ------
    TypeError
        For an unknown one, with the strategy that takes it, the nearest known one, or what it is called here.
    """
    for_strategy = strategy_class.keywords()
    known = dict.fromkeys([*CONTROLLER_KEYWORDS, *for_strategy])
    controller: dict[str, Any] = {}
    strategy: dict[str, Any] = {}
    for keyword, value in optimizer_kwargs.items():
        if keyword not in known:
            if keyword in _CALLED_HERE:
                hint = f"Here it is {_CALLED_HERE[keyword]}."
            elif takers := names_with(keyword):
                hint = f"It needs optimizer_class={' or '.join(takers)}."
            else:
                hint = near_match(keyword, [*known, *also_known])
            taker = f"HyperParameterOptimizer with {strategy_class.__name__}"
            raise TypeError(f"{taker} takes no keyword {keyword!r}. {hint}")
        if keyword in CONTROLLER_KEYWORDS:
            controller[keyword] = value
        if keyword in for_strategy:
            strategy[keyword] = value
    return controller, strategy


def define(*, recorded: Mapping[str, Any], optimizer_kwargs: Mapping[str, Any], **own: Any) -> Definition:
    """Check all arguments of `HyperParameterOptimizer` and put them into a `Definition`.

    The arguments of a search on ClearML are stored in its own Task; where an agent runs that Task, they come from it.

    Parameters
    ----------
    recorded
        Arguments that the journal's header keeps, by name.
    optimizer_kwargs
        Keywords for the controller and the strategy.
    **own
        The other arguments of the constructor, by name.

    Returns
    -------
    Definition
        The checked definition of the search.

    Raises
    ------
    TypeError, ValueError
        For an invalid argument, with what to do about it.
    """
    if not names_a_task(own["base_task_id"]):
        return _define(recorded=recorded, optimizer_kwargs=optimizer_kwargs, **own)
    from hpo_widgets.engines.clearml.optimizer_task import connected

    def make(arguments: Mapping[str, Any]) -> Definition:
        named = {**own, **recorded}
        return _define(
            **{name: arguments[name] for name in own},
            recorded={name: arguments[name] for name in recorded},
            optimizer_kwargs={name: value for name, value in arguments.items() if name not in named},
        )

    return connected(make, {**own, **recorded, **optimizer_kwargs})


def _define(
    *,
    base_task_id: object,
    hyper_parameters: Sequence[object],
    objective_metric_title: str | Sequence[str] | None,
    objective_metric_series: str | Sequence[str] | None,
    objective_metric_sign: str | Sequence[str] | None,
    optimizer_class: object,
    max_number_of_concurrent_tasks: int | None,
    optimization_time_limit: float | None,
    compute_time_limit: float | None,
    recorded: Mapping[str, Any],
    optimizer_kwargs: Mapping[str, Any],
) -> Definition:
    recorded = {**recorded, TOP_K: checked_top_k(recorded.get(TOP_K))}
    strategy_class = resolve(optimizer_class)
    keywords, strategy_keywords = split_keywords(optimizer_kwargs, strategy_class, [*_NAMED, *recorded])
    template = make_template(base_task_id, keywords.get("arguments"))
    template.configure({**recorded, **keywords})
    space = Space(hyper_parameters, keywords.get("limits"))
    template.check(space.names)
    title = _default(objective_metric_title, template, "objective_metric_title")
    series = _default(objective_metric_series, template, "objective_metric_series")
    if not objective_metric_sign and not (isinstance(title, str) and isinstance(series, str)):
        raise ValueError(
            "several objectives need a sign each: objective_metric_sign=, a list such as ['min'] that is as long as "
            "that of the titles"
        )
    objectives = make_objectives(title, series, objective_metric_sign or "min")
    too_long = next((name for one in objectives for name in (one.title, one.series) if len(name) > MAX_NAME), None)
    if too_long is not None:
        raise ValueError(
            f"title and series of an objective have at most {MAX_NAME} characters, and {too_long[:30]!r}… has "
            f"{len(too_long)}: give a shorter name, and report under it"
        )
    template.check_search(space, objectives)
    constraint = Constraint.of(keywords.get("constraint"), space)
    strategy = strategy_class(**strategy_keywords)
    strategy.check(space, objectives)
    has_default_concurrency = max_number_of_concurrent_tasks is None
    settings = Settings.checked(
        keywords,
        max_number_of_concurrent_tasks=(
            template.default_concurrency if max_number_of_concurrent_tasks is None else max_number_of_concurrent_tasks
        ),
        optimization_time_limit=optimization_time_limit,
        compute_time_limit=compute_time_limit,
    )
    name = keywords.get("name") or template.name
    if not isinstance(name, str):
        msg = f"name must be a str, got {name!r}"
        raise TypeError(msg)
    name = printable(name)
    header = {
        "name": name,
        "template": template.name,
        "engine": template.kind,
        "strategy": strategy_class.__name__,
        "strategy_title": printable(strategy.title),
        "seed": strategy.seed,
        "is_seeded": strategy_keywords.get("seed") is not None,
        "space": space.to_dict(),
        "objectives": [[o.title, o.series, o.sign] for o in objectives],
        "settings": {field: getattr(settings, field) for field in Settings.__dataclass_fields__},
        # The environment of workers may hold credentials, which never reach a file.
        **as_recorded(
            {k: v for k, v in {**recorded, **optimizer_kwargs}.items() if k != "worker_env"}
            | ({} if constraint is None else {"constraint": constraint})
        ),
        "group": recorded.get("spawn_project"),
        **template.facts,
    }
    search_id = new_search_id(name)
    return Definition(
        template=template,
        space=space,
        objectives=objectives,
        strategy=strategy,
        is_seeded=strategy_keywords.get("seed") is not None,
        settings=settings,
        name=name,
        search_id=search_id,
        path=journal_path(keywords.get("journal") or DIRECTORY, search_id),
        worker_env=keywords.get("worker_env"),
        header=header,
        save_top_k=recorded[TOP_K] or 0,
        has_default_concurrency=has_default_concurrency,
        constraint=constraint,
        given={"base_task_id": template.base_task_id, **recorded, **optimizer_kwargs},
    )


_NAMED = tuple(name for name in signature(_define).parameters if name not in {"recorded", "optimizer_kwargs"})
"""Arguments of the constructor, besides those that the journal's header keeps by name."""

_KIND_IN_WORDS = {"script": "script", "clearml": "ClearML Task", "callable": "callable"}


def _default(given: Any, template: Template, name: str) -> Any:
    """A callable may just return its objective; a script has to say what it reports."""
    if given is not None:
        return given
    if template.default_objective is None:
        msg = f"{name} is needed for a {_KIND_IN_WORDS[template.kind]}: name the scalar that it reports"
        raise TypeError(msg)
    return template.default_objective


def checked_top_k(value: object) -> int | None:
    """Return how many of the best trials are not archived (None, 0 and, as in ClearML, -1: all); no float is taken."""
    value = python_value(value)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise TypeError(f"{TOP_K} must be a whole number of trials, or None to keep all, got {value!r:.80}")
    return value


def as_recorded(given: Mapping[str, object]) -> dict[str, Any]:
    """Return the entries of a journal's header that keep arguments; nothing is pickled.

    These are ``arguments``: each in JSON values, a scalar of numpy as Python's, a path as text, a ClearML Task by its
    id, and what JSON cannot hold by its repr; and ``only_named``: the names of these last.
    """
    arguments: dict[str, object] = {}
    only_named = []
    for name, value in given.items():
        kept = python_value(value)
        if isinstance(kept, PurePath):
            kept = str(kept)
        elif names_a_task(kept) and not isinstance(kept, str):
            kept = getattr(kept, "id", kept)
        try:
            json.dumps(kept, allow_nan=True)
        except (TypeError, ValueError):
            kept = repr(kept)
            only_named.append(name)
        arguments[name] = kept
    return {"arguments": arguments, "only_named": only_named}
