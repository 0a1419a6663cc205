"""The shapes in which a search's results leave it: ClearML's dictionaries, a DataFrame, CSV and JSON."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from hpo_widgets.trials.trial import TrialState, split_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    import pandas as pd

    from hpo_widgets.objectives import Objective
    from hpo_widgets.space import Space
    from hpo_widgets.trials.columns import Rows
    from hpo_widgets.trials.trial import Trial


class Extra(NamedTuple):
    """What an export has of a trial beside the columns of a search.

    Parameters
    ----------
    error
        What went wrong; None when nothing did.
    last_values
        The last value of each scalar that is not an objective, by ``title/series``.
    task_id
        Its ClearML Task; None where it is none.
    """

    error: str | None
    last_values: Mapping[str, float]
    task_id: str | None = None


def extras_of_trials(
    trials: Iterable[tuple[int, str | None, Mapping[str, Sequence[float]] | None, str | None]],
    objectives: AbstractSet[str],
) -> dict[int, Extra]:
    """Take what an export has of trials beside their columns.

    Parameters
    ----------
    trials
        Number, error, summary and Task of each.
    objectives
        Names of the objectives.

    Returns
    -------
    dict
        By the trial's number; without those of which there is nothing to say.
    """
    extras = {}
    for number, error, summary, task_id in trials:
        last_values = {key: entries[0] for key, entries in (summary or {}).items() if key not in objectives}
        if error is not None or task_id is not None or last_values:
            extras[number] = Extra(error, last_values, task_id)
    return extras


def experiment_details(trial: Trial, parameters: Mapping[str, str], *, all_metrics: bool) -> dict[str, Any]:
    """One entry of ``get_top_experiments_details``, in the shape of ClearML's documentation.

    Parameters
    ----------
    trial
        The trial.
    parameters
        Its parameters as text, by full name.
    all_metrics
        Whether to give all reported scalars, not only the objectives.

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
    """Entries that ``get_top_experiments_details`` adds to the parameters of a trial without a Task."""
    return {
        "trial/number": str(trial.number),
        "trial/state": trial.status,
        "trial/epoch": str(trial.epoch),
        "trial/error": trial.error or "",
    }


@dataclass(frozen=True)
class Export:
    """Trials in the shapes in which they leave a search.

    Parameters
    ----------
    rows
        The trials as columns.
    space
        The declared space, for the types of parameters.
    objectives
        What is optimised.
    extras
        What else is known of trials, by number. Default: nothing, and there are no such columns.
    """

    rows: Rows
    space: Space
    objectives: Sequence[Objective]
    extras: Mapping[int, Extra] | None = None

    def to_dataframe(self, reserved: Iterable[str] = ()) -> pd.DataFrame:
        """The trials as a DataFrame with typed values, one row per trial, indexed by its number.

        Columns: ``state``, one per objective (``title/series``), one per other scalar that was reported or returned
        (its last value), one per parameter, ``epoch``, ``started`` (UTC), ``seconds``, ``worker``, ``enqueued``,
        ``archived``, ``note``, ``tags`` (with commas between), ``task_id`` where trials are ClearML Tasks, ``error``
        (empty for a trial without one). A parameter that is called like another column, such as ``epoch``, or like one
        of the ``reserved`` names, which the caller gives to columns that it adds, has the column ``General/epoch``.
        """
        import pandas as pd

        rows, extras = self.rows, self._in_order()
        numbers = pd.Index(rows.numbers, name="number")
        before: dict[str, Any] = {"state": [TrialState(state).label for state in rows.state.tolist()]}
        for index, objective in enumerate(self.objectives):
            before[objective.key] = rows.values[:, index]
        for key in dict.fromkeys(key for extra in extras for key in extra.last_values):
            before[key] = [extra.last_values.get(key, math.nan) for extra in extras]
        remarks = rows.remarks
        after: dict[str, Any] = {
            "epoch": rows.epoch,
            "started": pd.to_datetime(rows.started, unit="s", utc=True),
            "seconds": rows.seconds,
            "worker": rows.worker,
            "enqueued": rows.enqueued,
            "archived": rows.archived,
            "note": [remarks[number].note if number in remarks else "" for number in rows.numbers.tolist()],
            "tags": [", ".join(remarks[number].tags) if number in remarks else "" for number in rows.numbers.tolist()],
        }
        if any(extra.task_id is not None for extra in extras):
            after["task_id"] = [extra.task_id or "" for extra in extras]
        if self.extras is not None:
            after["error"] = [extra.error or "" for extra in extras]
        titles = column_titles(rows.parameters, {"number", *before, *after, *reserved})
        kinds = {column.name: column.kind for column in self.space.columns}
        parameters: dict[str, Any] = {}
        for name, values in rows.parameters.items():
            if kinds[name] == "choice":
                choices = self.space.leaf(name).declared
                # A Series, as pandas makes NaN of the None that is among strings in an array of objects.
                parameters[titles[name]] = pd.Series(
                    [choices[index] if index >= 0 else None for index in values.tolist()], index=numbers, dtype=object
                )
            elif kinds[name] == "int":
                parameters[titles[name]] = pd.array(
                    [None if value != value else int(value) for value in values.tolist()],  # noqa: PLR0124 -- NaN
                    dtype="Int64",
                )
            else:
                parameters[titles[name]] = values
        return pd.DataFrame({**before, **parameters, **after}, index=numbers)

    def to_csv(self) -> str:
        """The trials as comma-separated values: the columns of `to_dataframe` with the trial's number first."""
        return csv_text(self.to_dataframe())

    def to_records(self) -> list[dict[str, Any]]:
        """The trials as dictionaries of JSON values.

        ``number``, ``state``, ``values`` by objective, ``parameters`` by full name without those that do not apply,
        ``epoch``, ``started`` (Unix seconds), ``seconds``, ``worker``, ``enqueued``, ``archived``, ``note``, ``tags``,
        ``scalars`` (the last value of each other scalar that was reported or returned), ``task_id`` of a trial that is
        a ClearML Task, ``error``. An unknown number is None; an infinite one, which JSON cannot hold, is ``"Infinity"``
        or ``"-Infinity"``. A choice that JSON cannot hold, such as a dict with keys that are no text, is given by its
        label; a tuple is a list.
        """
        rows = self.rows
        leaves: dict[str, Any] = {name: self.space.leaf(name) for name in rows.parameters}
        columns = {name: column.tolist() for name, column in rows.parameters.items()}
        keys = [objective.key for objective in self.objectives]
        started, seconds = rows.started.tolist(), rows.seconds.tolist()
        extras = self._in_order()
        records = []
        for place, number in enumerate(rows.numbers.tolist()):
            point = {name: _json_parameter(leaf, columns[name][place]) for name, leaf in leaves.items()}
            records.append(
                {
                    "number": number,
                    "state": TrialState(int(rows.state[place])).label,
                    "values": {
                        key: _json_number(value) for key, value in zip(keys, rows.values[place].tolist(), strict=True)
                    },
                    "parameters": {name: value for name, value in point.items() if value is not _ABSENT},
                    "epoch": int(rows.epoch[place]),
                    "started": _json_number(started[place]),
                    "seconds": _json_number(seconds[place]),
                    "worker": int(rows.worker[place]),
                    "enqueued": bool(rows.enqueued[place]),
                    "archived": bool(rows.archived[place]),
                    "note": rows.remarks[number].note if number in rows.remarks else "",
                    "tags": list(rows.remarks[number].tags) if number in rows.remarks else [],
                    **({} if self.extras is None else _json_extra(extras[place])),
                }
            )
        return records

    def _in_order(self) -> list[Extra]:
        """Return one entry for each trial, also for those of which nothing is known."""
        known, nothing = self.extras or {}, Extra(None, {})
        return [known.get(number, nothing) for number in self.rows.numbers.tolist()]


def csv_text(frame: pd.DataFrame, *, index: bool = True) -> str:
    """Return a frame as comma-separated values.

    Parameters
    ----------
    frame
        What is written.
    index
        Whether its index is the first column. Default True.

    Returns
    -------
    str
        Lines that end with a line feed, after one with the names of the columns.
    """
    text = frame.to_csv(index=index, lineterminator="\n")
    if "\r" in text:
        # Readers take a carriage return for the end of a line, and the writer does not quote one that stands alone.
        text = frame.to_csv(index=index, lineterminator="\n", quoting=csv.QUOTE_ALL)
    return text


def column_titles(names: Iterable[str], taken: AbstractSet[str]) -> dict[str, str]:
    """Return the title of each parameter's column: its name, with its section where something else has that title.

    Parameters
    ----------
    names
        Full names of the parameters.
    taken
        Titles of other columns.

    Returns
    -------
    dict
        Name to title, no two alike.
    """
    names, taken = tuple(names), set(taken)
    titles: dict[str, str] = {}
    for name in names:
        title = name
        while title in taken or (title != name and title in names):
            title = f"General/{title}"
        titles[name] = title
        taken.add(title)
    return titles


_ABSENT = object()


def _json_extra(extra: Extra) -> dict[str, Any]:
    scalars = {key: _json_number(value) for key, value in extra.last_values.items()}
    task = {} if extra.task_id is None else {"task_id": extra.task_id}
    return {"scalars": scalars, **task, "error": extra.error or ""}


def _json_parameter(leaf: Any, encoded: float) -> Any:
    """Return the value of a parameter in JSON, ``_ABSENT`` where it does not apply."""
    if leaf.kind == "choice":
        if encoded < 0:
            return _ABSENT
        choice = leaf.declared[int(encoded)]
        return choice if _is_json(choice) else leaf.labels[int(encoded)]
    if encoded != encoded:  # noqa: PLR0124 -- NaN
        return _ABSENT
    return int(encoded) if leaf.kind == "int" else float(encoded)


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return _has_text_keys(value)


def _has_text_keys(value: Any) -> bool:
    """Whether all dicts in a value have text as keys, as ``json`` makes text of other keys: {0: 1} is not {"0": 1}."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and _has_text_keys(one) for key, one in value.items())
    return not isinstance(value, (list, tuple)) or all(map(_has_text_keys, value))


def _json_number(value: float) -> float | str | None:
    if math.isnan(value):
        return None
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value
