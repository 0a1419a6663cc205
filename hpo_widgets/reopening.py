"""Continues a search from its journal: in another kernel, after a crash, or just later."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from hpo_widgets.as_code import arguments_as_kept
from hpo_widgets.chronicle import Chronicle
from hpo_widgets.definition import Definition, make_template, split_keywords
from hpo_widgets.journal import Journal, JournalError, JournalReader
from hpo_widgets.parameters import as_parameter
from hpo_widgets.space import Space
from hpo_widgets.strategies.registry import named, resolve
from hpo_widgets.trials import TrialState
from hpo_widgets.viewer import SearchViewer

if TYPE_CHECKING:
    from pathlib import Path

    from hpo_widgets.optimizer import HyperParameterOptimizer
    from hpo_widgets.strategies.base import SearchStrategy


def reopen(
    cls: type[HyperParameterOptimizer],
    path: Path,
    base_task_id: Any,
    keywords: dict[str, Any],
) -> HyperParameterOptimizer | SearchViewer:
    """A search to continue, or a view of it when it lives elsewhere or its callable is missing."""
    if base_task_id is None:
        if keywords:
            msg = f"{', '.join(keywords)}: arguments need base_task_id=, without it there is a view only"
            raise TypeError(msg)
        return SearchViewer(path)
    with closing(Journal.view(path)) as reader:
        owner = reader.owner()
        if owner is not None and owner.is_alive:
            return SearchViewer(path)
        is_interrupted = owner is not None or reader.counts()[TrialState.RUNNING] > 0
    if is_interrupted:
        with closing(Journal.open(path)) as journal:
            journal.abort_interrupted()
    with closing(Journal.view(path)) as reader:
        last_sign = None if owner is None else owner.heartbeat
        return _continued(cls, reader, base_task_id, keywords, last_sign)


def _continued(
    cls: type[HyperParameterOptimizer],
    reader: JournalReader,
    base_task_id: Any,
    keywords: dict[str, Any],
    last_sign: float | None,
) -> HyperParameterOptimizer:
    header = reader.header
    hyper_parameters = keywords.pop("hyper_parameters", None)
    choices = {}
    if hyper_parameters is not None:
        given = Space([as_parameter(parameter) for parameter in hyper_parameters])
        choices = {column.name: given.leaf(column.name).declared for column in given.columns if column.kind == "choice"}
    chronicle = Chronicle(header, choices)
    lost = chronicle.declared_space.lost_choices
    if lost:
        msg = (
            f"the choices of {', '.join(lost)} are objects that a journal cannot hold; "
            "pass hyper_parameters= as when the search was made"
        )
        raise JournalError(msg)
    sequence = reader.sequence
    chronicle.follow(reader.events())
    bulk, jobs = reader.columns(), reader.jobs()
    if last_sign is not None:
        chronicle.end_interrupted(last_sign)
    definition = _definition(chronicle, base_task_id, keywords, reader.path)
    optimizer = cls.__new__(cls)
    save_top_k = header["arguments"].get("save_top_k_tasks_only") or 0
    optimizer._setup(definition, reader.search_id, reader.path, save_top_k=save_top_k)  # noqa: SLF001 -- the other half of the constructor
    optimizer._recorder.load(bulk, sequence, jobs)  # noqa: SLF001
    optimizer._controller.restore(chronicle, bulk)  # noqa: SLF001
    return optimizer


def _definition(chronicle: Chronicle, base_task_id: Any, keywords: dict[str, Any], path: Path) -> Definition:
    header = chronicle.header
    optimizer_class = keywords.pop("optimizer_class", None)
    strategy_class: type[SearchStrategy]
    try:
        strategy_class = resolve(optimizer_class) if optimizer_class else named(header["strategy"])
    except KeyError:
        msg = f"the search's strategy was {header['strategy']}; pass it as optimizer_class="
        raise TypeError(msg) from None
    recorded = {
        keyword: value for keyword, value in header["arguments"].items() if keyword in strategy_class.keywords()
    }
    controller_keywords, strategy_keywords = split_keywords(keywords, strategy_class)
    arguments = controller_keywords.get("arguments") or header["arguments"].get("arguments")
    template = make_template(base_task_id, arguments)
    template.check(chronicle.declared_space.names)
    strategy = strategy_class(**{**recorded, "seed": header["seed"], **strategy_keywords})
    strategy.check(chronicle.space, chronicle.objectives)
    return Definition(
        template=template,
        space=chronicle.declared_space,
        objectives=chronicle.objectives,
        strategy=strategy,
        is_seeded=header["is_seeded"],
        settings=chronicle.settings,
        name=chronicle.name,
        journal=path,
        worker_env=controller_keywords.get("worker_env"),
        header=dict(header),
        given={
            **arguments_as_kept(header["arguments"]),
            "base_task_id": base_task_id,
            **controller_keywords,
            **strategy_keywords,
        },
    )
