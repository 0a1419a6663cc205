"""The searches of a folder, each as a few JSON values, for the list of searches in JupyterLab."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from hpo_widgets.journal import DIRECTORY, JournalError
from hpo_widgets.journal.naming import changed_at, journals
from hpo_widgets.objectives.ranking import improvements
from hpo_widgets.search import ViewedSearch, in_words
from hpo_widgets.trials import TrialState
from hpo_widgets.trials.columns import Front
from hpo_widgets.viewer.viewer import SearchViewer

if TYPE_CHECKING:
    from pathlib import Path

    from hpo_widgets.search import Search

MOST_JOURNALS = 50
"""Journals of a folder that are read, the newest."""
_MOST_STEPS = 60


class JournalListing:
    """Lists the searches that are kept under a folder, and remembers those that no process runs.

    All members may be used from any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[Path, tuple[tuple[int, ...], dict[str, Any]]] = {}

    def newest(self, folder: Path) -> dict[str, Any]:
        """Return the newest ``searches`` of a folder, the one that changed last first, and how many are ``left_off``.

        A journal that cannot be read has a ``problem``, a sentence, in place of a status.
        """
        paths = journals(folder / DIRECTORY)
        with self._lock:
            found = [self._search(path) for path in paths[:MOST_JOURNALS]]
        return {"searches": found, "left_off": len(paths) - len(found)}

    def _search(self, path: Path) -> dict[str, Any]:
        stamp = _stamp(path)
        before, told = self._known.get(path, ((), {}))
        if before != stamp:
            told = _read(path)
            # A search that runs is read again each time: when its process is killed, the file does not change.
            if not told["is_alive"]:
                self._known[path] = (stamp, told)
        return told


def _stamp(path: Path) -> tuple[int, ...]:
    """Times and sizes of a journal's files, one of which changes whenever the journal does."""
    stamp: list[int] = []
    for one in (path, path.with_name(f"{path.name}-wal")):
        try:
            about = one.stat()
        except OSError:
            continue
        # A reader may leave an empty log.
        stamp += [about.st_mtime_ns, about.st_size] if about.st_size else []
    return tuple(stamp)


def _read(path: Path) -> dict[str, Any]:
    told: dict[str, Any] = {"search_id": path.stem, "opens": path.stem, "title": path.stem, "is_alive": False}
    try:
        told["changed_at"] = changed_at(path)
        with SearchViewer(path) as search:
            if search.id != path.stem:
                # The folder finds it by the name of its file alone.
                told["opens"] = f"{DIRECTORY}/{path.name}"
            return told | describe(search)
    except (JournalError, OSError) as error:
        return told | {"problem": str(error)}


def describe(search: Search) -> dict[str, Any]:
    """Return how a search stands, in JSON values: the fields that the list of searches has."""
    counts, objectives = search.counts, search.objectives
    has_front = len(objectives) > 1
    rows, front = search.snapshot(), Front(objectives)
    curve: list[list[float]] = []
    if has_front:
        front.put(rows, search.snapshot)
    else:
        values = np.where(rows.state == TrialState.COMPLETED, rows.values[:, 0], np.nan)
        improved = improvements(values, minimise=objectives[0].minimise, most=_MOST_STEPS)
        curve = list(map(list, zip(rows.numbers[improved].tolist(), values[improved].tolist(), strict=True)))
    title, series = objectives[0].title, objectives[0].series
    return {
        "search_id": search.id,
        "title": search.name,
        "status": str(search.status),
        "pill": in_words.pill(search),
        "owner_died": isinstance(search, ViewedSearch) and search.owner_died,
        "is_alive": search.status.is_alive,
        "ended": in_words.num_done(search),
        "total": search.total_max_jobs,
        "num_trials": sum(counts.values()),
        "progress": search.budget.progress,
        "best": in_words.front(front.numbers) if has_front else in_words.best(search),
        "objective": "" if has_front else title if title == series else f"{title} / {series}",
        "curve": curve,
    }
