"""A search that begins with the trials of a study of Optuna."""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING, Any

from hpo_widgets._messages import counted, printable
from hpo_widgets.controller.active_trial import ActiveTrial
from hpo_widgets.controller.recorder import Recorder
from hpo_widgets.journal.connection import remove
from hpo_widgets.optimizer.definition import names_a_task
from hpo_widgets.optimizer.reopening import KEPT, open_search
from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import optuna

    from hpo_widgets.optimizer.definition import Definition
    from hpo_widgets.optimizer.optimizer import HyperParameterOptimizer
    from hpo_widgets.search import Search

_TRIALS_A_WRITE = 1000


def search_from_study(
    kind: type[HyperParameterOptimizer],
    study: optuna.Study,
    base_task_id: Callable[..., Any] | Path | None,
    hyper_parameters: Sequence[Any] | None,
    keywords: dict[str, Any],
) -> HyperParameterOptimizer | Search:
    """Write a journal with the trials of a study, and open it.

    Parameters
    ----------
    kind
        The class of a search to continue.
    study, base_task_id, hyper_parameters, keywords
        As of `HyperParameterOptimizer.from_optuna`.

    Returns
    -------
    HyperParameterOptimizer or Search
        A search to continue, or a view of it.

    Raises
    ------
    TypeError, ValueError
        As of `HyperParameterOptimizer.from_optuna`.
    """
    from hpo_widgets.strategies.optuna import existing_study

    existing_study.check_study(study)
    if names_a_task(base_task_id):
        raise ValueError(
            "on ClearML each trial is a Task, which the trials of a study are not: to have OptimizerOptuna learn from "
            "them, give the study as continue_previous_study= of a new search"
        )
    if base_task_id is None and (astray := keywords.keys() - {"name", "journal", "limits"}):
        msg = f"{', '.join(sorted(astray))}: arguments need base_task_id=; without it the trials can only be viewed"
        raise TypeError(msg)
    title, series, sign = existing_study.objectives_of(study)
    given = {
        "objective_metric_title": title if len(title) > 1 else title[0],
        "objective_metric_series": series if len(series) > 1 else series[0],
        "objective_metric_sign": sign if len(sign) > 1 else sign[0],
        "name": printable(study.study_name),
        **keywords,
    }
    parameters = existing_study.parameters_of(study) if hyper_parameters is None else hyper_parameters
    made = kind(_objective if base_task_id is None else base_task_id, parameters, **given)
    if len(made.objectives) != len(title):
        raise ValueError(f"the study has {counted(len(title), 'objective')}, got {len(made.objectives)}")
    definition = made._definition  # noqa: SLF001 -- the same package's
    if base_task_id is None:
        definition.header["strategy_title"] = "Optuna"  # which strategy it was, a study does not keep
    _write(definition, study)
    named = signature(kind).parameters.keys() - {"optimizer_class"}
    again = {name: value for name, value in keywords.items() if name not in KEPT | named | {"journal"}}
    if base_task_id is not None and hyper_parameters is not None:
        again["hyper_parameters"] = hyper_parameters
    return open_search(kind, definition.path, None, base_task_id=base_task_id, journal=None, keywords=again)


def _objective(**_point: object) -> float:
    """Stand for the experiment of a study that is only looked at; no trial runs it."""
    raise NotImplementedError


_objective.__name__ = _objective.__qualname__ = "objective"  # what such code is to call it


def _write(definition: Definition, study: optuna.Study) -> None:
    """Write a new journal with the trials of a study, or none."""
    from hpo_widgets.strategies.optuna.existing_study import trials_of

    recorder = Recorder(
        definition.search_id, definition.path, definition.header, definition.space, definition.objectives,
        save_top_k=definition.save_top_k,
    )  # fmt: skip
    recorder.open_journal()
    is_whole = False
    try:
        for row, curve, results in trials_of(study, definition.space, definition.objectives):
            trial = ActiveTrial(row, None, 0.0)
            for report in (*curve, *results):
                trial.report(*report)
            trial.refresh(definition.objectives)
            recorder.ended(trial.finish(TrialState(row.state), row.ended, row.error, row.duration))
            for report in curve:
                recorder.scalar(row.number, *report)
            if row.number % _TRIALS_A_WRITE == 0:
                recorder.flush()
        recorder.flush()
        is_whole = True
    finally:
        recorder.close_journal()
        if not is_whole:
            remove(definition.path)
