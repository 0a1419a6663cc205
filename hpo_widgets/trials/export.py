"""The shapes in which a search's results leave it: ClearML's dictionaries and a DataFrame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hpo_widgets.trials.trial import TrialState, split_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd

    from hpo_widgets.objectives import Objective
    from hpo_widgets.space import Space
    from hpo_widgets.trials.columns import Snapshot
    from hpo_widgets.trials.trial import Trial


def experiment_details(trial: Trial, parameters: Mapping[str, str], *, all_metrics: bool) -> dict[str, Any]:
    """One entry of ``get_top_experiments_details``, in the shape of ClearML's documentation.

    Parameters
    ----------
    trial
        The trial.
    parameters
        Its parameters as text, by full name.
    all_metrics
        All reported scalars instead of the objectives only.

    Returns
    -------
    dict
        ``{"task_id", "hyper_parameters", "metrics"}``.
    """
    wanted = {objective.key for objective in trial.objectives}
    metrics = {}
    for key, (last, _, low, _, high, *_rest) in trial.summary.items():
        if all_metrics or key in wanted:
            title, series = split_key(key, trial.objectives)
            metrics[key] = {
                "metric": title,
                "variant": series,
                "value": last,
                "min_value": low,
                "max_value": high,
            }
    return {"task_id": trial.id, "hyper_parameters": dict(parameters), "metrics": metrics}


def more_parameters(trial: Trial) -> dict[str, str]:
    """What ``get_top_experiments_details`` adds, beside the parameters, for a trial without a Task."""
    return {
        "trial/number": str(trial.number),
        "trial/state": trial.status,
        "trial/epoch": str(trial.epoch),
        "trial/error": trial.error or "",
    }


def to_dataframe(snapshot: Snapshot, space: Space, objectives: Iterable[Objective]) -> pd.DataFrame:
    """All trials as a DataFrame with typed values, one row a trial, indexed by its number.

    Columns: ``state``, one per objective (``title/series``), one per parameter, ``epoch``,
    ``started`` (UTC), ``seconds``, ``worker``, ``enqueued``, ``archived``.

    Parameters
    ----------
    snapshot
        All trials as columns.
    space
        The declared space, for the types of parameters.
    objectives
        What is optimised.

    Returns
    -------
    pd.DataFrame
        One row a trial.
    """
    import pandas as pd

    numbers = pd.Index(snapshot.numbers, name="number")
    columns: dict[str, Any] = {"state": [TrialState(state).label for state in snapshot.state.tolist()]}
    for index, objective in enumerate(objectives):
        columns[objective.key] = snapshot.values[:, index]
    kinds = {column.name: column.kind for column in space.columns}
    for name, values in snapshot.parameters.items():
        if kinds[name] == "choice":
            choices = space.leaf(name).declared
            # A Series, as pandas makes NaN of the None that is among strings in an array of objects.
            columns[name] = pd.Series(
                [choices[index] if index >= 0 else None for index in values.tolist()], index=numbers, dtype=object
            )
        elif kinds[name] == "int":
            columns[name] = pd.array(
                [None if value != value else int(value) for value in values.tolist()],  # noqa: PLR0124 -- NaN
                dtype="Int64",
            )
        else:
            columns[name] = values
    columns |= {
        "epoch": snapshot.epoch,
        "started": pd.to_datetime(snapshot.started, unit="s", utc=True),
        "seconds": snapshot.ended - snapshot.started,
        "worker": snapshot.worker,
        "enqueued": snapshot.enqueued,
        "archived": snapshot.archived,
    }
    return pd.DataFrame(columns, index=numbers)
