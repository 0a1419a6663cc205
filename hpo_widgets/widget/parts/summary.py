"""A search in a few words and numbers: what the status panel shows, apart from how it is shown."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING, TypedDict

from hpo_widgets._messages import counted, printable
from hpo_widgets.search import KeptByTask, PollsServer, QueuesPoints, SearchStatus, TitlesStrategy
from hpo_widgets.search.in_words import num_done
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hpo_widgets.search import Notice, Search
    from hpo_widgets.search.budget import Limit

_NEWEST_NOTICES = 5
_LEAST_TRIALS = 3
_LEAST_RAISE = 10
_BAD = (TrialState.FAILED,)


class _BudgetLine(TypedDict):
    """One budget: used and limit in words, the used share from 0 to 1 or None without a limit."""

    name: str
    text: str
    fraction: float | None


class Count(TypedDict):
    """How many trials are in a state."""

    label: str
    number: int
    is_bad: bool


class _NoticeLine(TypedDict):
    """A notice with the time of day at which it came last, and how often it came."""

    at: str
    text: str
    count: int


def facts(search: Search) -> list[str]:
    """Engine, workers, strategy and objectives, in this order; of ClearML, how many trials wait and run at once."""
    most, engine = search.max_number_of_concurrent_tasks, search.engine_name
    return [
        engine,
        f"{most} at once" if engine.startswith("ClearML") else text.counted(most, "worker"),
        search.strategy_title if isinstance(search, TitlesStrategy) else search.strategy_name,
        *(text.objective(one) for one in search.objectives),
    ]


def task(search: Search) -> dict[str, str] | None:
    """Id and page of the Task that a server keeps of a search, the page empty where it is not known; None: no Task."""
    if not isinstance(search, KeptByTask) or (own := search.optimizer_task_id) is None:
        return None
    return {"id": printable(own), "page": search.optimizer_task_page or ""}


def budgets(search: Search) -> list[_BudgetLine]:
    """Trials, time and compute; iterations only where they are limited."""
    budget = search.budget
    lines = [
        _trials(search),
        _line("time", budget.wall_minutes, text.duration),
        _line("compute", budget.compute_minutes, text.duration),
    ]
    if budget.iterations.limit is not None:
        lines.append(_line("iterations", budget.iterations, text.number))
    return lines


def _trials(search: Search) -> _BudgetLine:
    """Trials that are done, of those that may be run; one that is launched has used the budget but is not done."""
    limit = search.total_max_jobs
    done, running = num_done(search), search.counts.get(TrialState.RUNNING, 0)
    words = f"{text.number(done)} done" if limit is None else f"{text.number(done)} of {text.number(limit)} done"
    if running:
        words += f", {text.number(running)} running"
    return {"name": "trials", "text": words, "fraction": None if limit is None else min(1.0, done / limit)}


def _line(name: str, limit: Limit, in_words: Callable[[float], str]) -> _BudgetLine:
    used = in_words(limit.used)
    if limit.limit is None:
        return {"name": name, "text": used, "fraction": None}
    share = limit.used / limit.limit if limit.limit > 0 else 1.0
    return {"name": name, "text": f"{used} / {in_words(limit.limit)}", "fraction": min(1.0, share)}


def progress(search: Search) -> float | None:
    """Return the used share of the budget that will end the search first; None when nothing is limited."""
    shares = [line["fraction"] for line in budgets(search)]
    return max((share for share in shares if share is not None), default=None)


def since_end(search: Search) -> str:
    """What a search may run that has ended with its trials used up and got a larger budget since; else empty.

    It stands beside the reason of the end, which stays as it was, also in a picture that a notebook keeps.
    """
    reason, limit, used = search.stop_reason, search.total_max_jobs, int(search.budget.jobs.used)
    if reason is None or reason.code != "total_max_jobs" or (limit is not None and used >= limit):
        return ""
    can_continue = search.capabilities.get("start") is None
    if limit is None:
        return f"the budget has no limit now{': Continue runs more' if can_continue else ''}"
    more = f"Continue runs {limit - used} more" if can_continue else f"{limit - used} more may run"
    return f"the budget is {text.counted(limit, 'trial')} now: {more}"


def raised_budget(search: Search) -> int | None:
    """Return what a search whose trials are used up may be raised to; None: no need, or no way.

    That is half as many again, or what the points of people need that wait.
    """
    limit, used = search.total_max_jobs, int(search.budget.jobs.used)
    if limit is None or search.status.is_alive or used < limit:
        return None
    if search.capabilities.get("set_total_max_jobs") is not None:
        return None
    # More may be used than a limit that was lowered allows.
    return used + max(_LEAST_RAISE, used // 2, _num_waiting(search))


def counts(search: Search) -> list[Count]:
    """Trials by state: completed always, running as long as the search is alive, the others where there are some."""
    present = search.counts
    is_alive = search.status.is_alive or search.status is SearchStatus.IDLE
    order = (
        TrialState.RUNNING,
        TrialState.QUEUED,
        TrialState.COMPLETED,
        TrialState.PRUNED,
        TrialState.ABORTED,
        TrialState.FAILED,
        TrialState.LEFT_OUT,
    )
    return [
        {"label": state.label, "number": present.get(state, 0), "is_bad": state in _BAD}
        for state in order
        if present.get(state, 0) or state is TrialState.COMPLETED or (state is TrialState.RUNNING and is_alive)
    ]


def next_poll(search: Search) -> str:
    """When the server that runs the trials is looked at again: ``next poll in 0:04``; empty where there is none."""
    seconds = search.next_poll if isinstance(search, PollsServer) else None
    if seconds is None:
        return ""
    return f"next poll in {text.duration(math.ceil(seconds) / 60)}" if seconds else "polling now"


def forecast(search: Search) -> str:
    """When the search will end, where that can be known: ``ends in about 1:20``; what a pause does not stop.

    Before it how many points of people wait: ``2 points wait · ends in about 1:20``. After the end they wait for a
    person, who has a button of that name.
    """
    num_points = _num_waiting(search)
    left = time_left(search)
    if search.status is SearchStatus.PAUSED and search.budget.wall_minutes.limit is not None:
        end = "the time limit runs on"
    else:
        end = f"ends in about {left}" if left else ""
    points = f"{counted(num_points, 'point')} wait{'s' if num_points == 1 else ''}" if num_points else ""
    if points and not search.status.is_alive and search.status is not SearchStatus.IDLE:
        points += " for Continue"
    return " · ".join(filter(None, (points, end)))


def _num_waiting(search: Search) -> int:
    """How many points of people wait."""
    return search.num_waiting_points if isinstance(search, QueuesPoints) else 0


def time_left(search: Search) -> str:
    """How long a running search will go on, where that can be known: ``1:20``."""
    if search.status is not SearchStatus.RUNNING:
        return ""
    minutes = _minutes_left(search)
    if minutes is None or not math.isfinite(minutes):
        return ""
    seconds = minutes * 60
    # Coarse enough not to flicker.
    rounded = 10 * round(seconds / 10) if seconds > 60 else 5 * math.ceil(seconds / 5)
    return text.duration(rounded / 60)


def _minutes_left(search: Search) -> float | None:
    budget, elapsed = search.budget, search.elapsed_minutes
    left: list[float] = []
    if budget.wall_minutes.limit is not None:
        left.append(budget.wall_minutes.limit - budget.wall_minutes.used)
    done = num_done(search)
    if elapsed > 0 and done >= _LEAST_TRIALS:
        # A trial that runs has used the budget, and its time is still to come.
        if budget.jobs.limit is not None:
            left.append((budget.jobs.limit - done) * elapsed / done)
        compute = budget.compute_minutes
        if compute.limit is not None and compute.used > 0:
            left.append((compute.limit - compute.used) * elapsed / compute.used)
    return max(0.0, min(left)) if left else None


def notices(
    search: Search, own: Sequence[Notice] = (), dismissed: Mapping[str, float] = MappingProxyType({})
) -> list[_NoticeLine]:
    """List the newest notices, newest first, each sentence once, and how many there are besides.

    Parameters
    ----------
    search
        The search.
    own
        Notices of the widget itself.
    dismissed
        Sentence to when it was dismissed, Unix seconds: only later notices of it are listed.

    Returns
    -------
    list of _NoticeLine
        Lines to show, newest first.
    """
    found: dict[str, tuple[float, int]] = {}
    for notice in sorted((*search.errors, *own), key=lambda notice: notice.at):
        if notice.at > dismissed.get(notice.sentence, -math.inf):
            _, count = found.pop(notice.sentence, (0.0, 0))
            found[notice.sentence] = (notice.at, count + 1)
    newest = [*found.items()][::-1]
    lines: list[_NoticeLine] = [
        {"at": text.clock(at), "text": sentence, "count": count} for sentence, (at, count) in newest[:_NEWEST_NOTICES]
    ]
    earlier = len(newest) - len(lines)
    if earlier:
        lines.append({"at": "", "text": f"and {earlier} earlier", "count": 1})
    return lines
