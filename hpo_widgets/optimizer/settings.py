"""The limits and sizes that a person gives a search, each checked before anything runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hpo_widgets.engines.base import default_concurrency
from hpo_widgets.search.limits import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping


def make_settings(
    *,
    max_number_of_concurrent_tasks: int | None,
    optimization_time_limit: float | None,
    compute_time_limit: float | None,
    keywords: Mapping[str, Any],
    concurrency: int | None = None,
) -> Settings:
    """Limits and sizes, each checked; ``concurrency`` is that of the template where none is asked for."""
    max_failures = keywords.get("max_failures", 10)
    return Settings(
        max_number_of_concurrent_tasks=(
            concurrency or default_concurrency()
            if max_number_of_concurrent_tasks is None
            else whole_above_zero("max_number_of_concurrent_tasks", max_number_of_concurrent_tasks)
        ),
        total_max_jobs=_optional(whole_above_zero, "total_max_jobs", keywords),
        optimization_time_limit=above_zero("optimization_time_limit", optimization_time_limit),
        compute_time_limit=above_zero("compute_time_limit", compute_time_limit),
        time_limit_per_job=above_zero("time_limit_per_job", keywords.get("time_limit_per_job")),
        min_iteration_per_job=_optional(whole_above_zero, "min_iteration_per_job", keywords),
        max_iteration_per_job=_optional(whole_above_zero, "max_iteration_per_job", keywords),
        max_failures=None if max_failures is None else whole_above_zero("max_failures", max_failures),
        allow_duplicates=bool(keywords.get("allow_duplicates", False)),
        stop_grace=_not_negative("stop_grace", keywords.get("stop_grace", 0.1)),
    )


def whole_above_zero(name: str, value: object) -> int:
    """An int of at least 1, or an error that says so."""
    if isinstance(value, bool) or not isinstance(value, int):
        msg = f"{name} must be a whole number of at least 1, got {value!r}"
        raise TypeError(msg)
    if value < 1:
        msg = f"{name} must be at least 1, got {value}; leave it out for no limit"
        raise ValueError(msg)
    return value


def above_zero(name: str, minutes: object) -> float | None:
    """Minutes above 0 or None, or an error that says so."""
    if minutes is None:
        return None
    if isinstance(minutes, bool) or not isinstance(minutes, (int, float)):
        msg = f"{name} must be a number of minutes, got {minutes!r}"
        raise TypeError(msg)
    if not minutes > 0:
        msg = f"{name} is in minutes and must be above 0, got {minutes}; leave it out for no limit"
        raise ValueError(msg)
    return float(minutes)


def _not_negative(name: str, seconds: object) -> float:
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds >= 0:
        msg = f"{name} must be a number of seconds of at least 0, got {seconds!r}"
        raise ValueError(msg)
    return float(seconds)


def _optional(check: Any, name: str, keywords: Mapping[str, Any]) -> Any:
    value = keywords.get(name)
    return None if value is None else check(name, value)
