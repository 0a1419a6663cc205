"""The arguments that would make a search as it is now: those that it was given, with what was changed since."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpo_widgets.search.as_code import Named
from hpo_widgets.search.limits import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEFAULTS: dict[str, object] = {
    "execution_queue": None,
    "optimization_time_limit": None,
    "compute_time_limit": None,
    "auto_connect_task": True,
    "always_create_task": False,
    "spawn_project": None,
    "save_top_k_tasks_only": None,
    "total_max_jobs": None,
    "time_limit_per_job": None,
    "min_iteration_per_job": None,
    "max_iteration_per_job": None,
    "max_failures": 10,
    "allow_duplicates": False,
    "stop_grace": 0.1,
    "limits": None,
    "seed": None,
}
_NEVER_WRITTEN = {"worker_env": "environment variables are not written here: pass worker_env= again"}


def present_keywords(
    settings: Settings,
    wall_limit: float | None,
    limits: Mapping[str, object],
    given: Mapping[str, object],
) -> dict[str, object]:
    """Return the arguments of a search beside its template, space, objectives and strategy.

    Parameters
    ----------
    settings
        Limits and sizes as they are now.
    wall_limit
        Minutes that the search may take in all; None: any.
    limits
        Hard bounds of the space.
    given
        What the constructor got beside that; what equals its default is left out.
    """
    now: dict[str, object] = {"optimization_time_limit": wall_limit, "limits": dict(limits) or None}
    now |= {
        name: getattr(settings, name) for name in Settings.__dataclass_fields__ if name in _DEFAULTS and name not in now
    }
    merged = {name: given.get(name, default) for name, default in _DEFAULTS.items()} | dict(given) | now
    keywords: dict[str, object] = {"max_number_of_concurrent_tasks": settings.max_number_of_concurrent_tasks}
    for name, value in merged.items():
        if name in _NEVER_WRITTEN:
            if value is not None:
                keywords[name] = Named(name, _NEVER_WRITTEN[name])
        elif value != _DEFAULTS.get(name):
            keywords[name] = value
    return keywords


def arguments_as_kept(kept: Mapping[str, object]) -> dict[str, object]:
    """Return a journal's arguments; what it holds only the repr of becomes a name."""
    return {
        name: Named(name, "as when the search was made")
        if isinstance(value, str) and value.startswith("<") and value.endswith(">")
        else value
        for name, value in kept.items()
    }
