"""The arithmetic of ``last_metrics``: what a batch of scalars does to the summary that a Task carries."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from hpo_widgets.testing.clearml_server.events import iteration_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hpo_widgets.testing.clearml_server.documents import Document

MEAN_DIGITS = 2


def name_key(name: str) -> str:
    """The key of a metric or variant: the MD5 of its raw name, so that dots and dollars are safe in paths."""
    return hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()


def summarise(task: Document, scalars: Iterable[Document], *, with_extremes: bool = True) -> None:
    """Work one batch of scalars into the Task's ``last_metrics``.

    Parameters
    ----------
    task : dict
        The Task.
    scalars : iterable of dict
        The batch's scalar events of that Task which have a value, in order of their lines.
    with_extremes : bool, default True
        Whether the second of the server's two updates happens too, which writes the least and the greatest value.
    """
    batches: dict[tuple[str, str], list[Document]] = {}
    for event in scalars:
        batches.setdefault((event["metric"], event["variant"]), []).append(event)
    metrics = task["last_metrics"]
    for (metric, variant), events in batches.items():
        variants = metrics.setdefault(name_key(metric), {})
        key = name_key(variant)
        if key in variants:
            _merge(variants[key], events)
        else:
            variants[key] = _first(metric, variant, events)
        if with_extremes:
            _extend(variants[key], events)


def _first(metric: str, variant: str, events: list[Document]) -> Document:
    lowest = min(events, key=iteration_of)
    values = [event["value"] for event in events]
    return {
        "metric": metric,
        "variant": variant,
        "value": _latest(events),
        "first_value": float(lowest["value"]),
        "first_value_iteration": iteration_of(lowest),
        "count": len(events),
        "mean_value": _rounded(sum(values) / len(values)),
    }


def _merge(summary: Document, events: list[Document]) -> None:
    count = summary["count"] + len(events)
    total = summary["mean_value"] * summary["count"] + sum(event["value"] for event in events)
    summary["value"] = _latest(events)
    summary["count"] = count
    # The next mean is worked out from the rounded one, as the server does.
    summary["mean_value"] = _rounded(total / count)


def _latest(events: list[Document]) -> Any:
    """The value of the highest iteration; of equals the later line."""
    latest = events[0]
    for event in events[1:]:
        if iteration_of(event) >= iteration_of(latest):
            latest = event
    return latest["value"]


def _extend(summary: Document, events: list[Document]) -> None:
    """Move the extremes; the first holder keeps its iteration on ties."""
    for event in events:
        value = event["value"]
        if "min_value" not in summary or value < summary["min_value"] or _is_nan(summary["min_value"]):
            summary["min_value"] = value
            summary["min_value_iteration"] = iteration_of(event)
        if "max_value" not in summary or value > summary["max_value"]:
            summary["max_value"] = value
            summary["max_value_iteration"] = iteration_of(event)


def _is_nan(value: Any) -> bool:
    return bool(value != value)  # noqa: PLR0124 - only NaN differs from itself


def _rounded(mean: float) -> float:
    return round(float(mean), MEAN_DIGITS)
