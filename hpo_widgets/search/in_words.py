"""The status and the best of a search in a few words: the same in its panel and in every list of searches."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from hpo_widgets._messages import counted, number
from hpo_widgets.search.protocol import SearchStatus, ViewedSearch
from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hpo_widgets.search.protocol import Search
    from hpo_widgets.trials import Trial


class Pill(TypedDict):
    """The status in a word, and as which status it looks."""

    word: str
    look: str


class Best(TypedDict):
    """The best trial so far; of several objectives the size of the front, and its newest trial."""

    value: str
    trial: str
    note: str


def pill(search: Search) -> Pill:
    """Return the status in a word and how it looks.

    A search of which no trial has a result is no success, and nobody has stopped one whose process died.
    """
    status = str(search.status)
    if search.status is SearchStatus.STOPPED and isinstance(search, ViewedSearch) and search.owner_died:
        return {"word": "interrupted", "look": status}
    ended = sum(count for state, count in search.counts.items() if state.has_ended)
    had_results = search.counts.get(TrialState.LEFT_OUT, 0) > 0  # a person has looked at these
    if search.status is SearchStatus.COMPLETED and ended and not had_results and best(search) is None:
        has_only_failed = search.counts.get(TrialState.FAILED, 0) == ended
        return {"word": "all trials failed" if has_only_failed else "ended without a result", "look": "failed"}
    return {"word": status, "look": status}


def num_done(search: Search) -> int:
    """Return how many trials are done of those that may be run: one that was aborted before it ran is not."""
    ended = sum(count for state, count in search.counts.items() if state.has_ended)
    return min(ended, int(search.budget.jobs.used))  # the budget knows of trials before they are durable and shown


def best(search: Search) -> Best | None:
    """Return the best trial, marked where it did not complete; None before the first value."""
    trial = search.best_trial
    if trial is None or all(value is None for value in trial.values):
        return None
    return {
        "value": ", ".join(number(value) for value in trial.values),
        "trial": f"#{trial.number}",
        "note": note(trial),
    }


def note(trial: Trial) -> str:
    """Return what to add to the number of a trial whose value is not that of a whole run: its state; else nothing."""
    return f" ({trial.state.label})" if trial.is_partial else ""


def front(numbers: Sequence[int]) -> Best | None:
    """Return how many trials are on the Pareto front, of several objectives in the place of the best; None: none."""
    if not numbers:
        return None
    count = len(numbers)
    return {
        "value": f"{counted(count, 'trial')} on the front",
        "trial": f"#{max(numbers)}",
        "note": "",
    }


def ranked_by(search: Search) -> str:
    """Return what to add to the best trial of several objectives, as it is the best by the first; else nothing."""
    if len(search.objectives) == 1:
        return ""
    # Spelt out: it may come from anybody's journal, and go to a terminal, which acts on control characters.
    return f" by {repr(search.objectives[0].key)[1:-1]}"
