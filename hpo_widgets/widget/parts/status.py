"""The status panel: what the search is, what it does, its budgets, its best trial, its problems."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import traitlets as t

from hpo_widgets._messages import run_in_thread
from hpo_widgets.search import ConstrainsPoints, QueuesPoints, SearchStatus, ViewedSearch, in_words
from hpo_widgets.search.limits import typed_positive_int
from hpo_widgets.trials import TrialState
from hpo_widgets.trials.columns import Front
from hpo_widgets.widget.assets import asset
from hpo_widgets.widget.parts import summary
from hpo_widgets.widget.parts.part import NumberFieldPart
from hpo_widgets.widget.traits import TrialNumbers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    from hpo_widgets.search import Search
    from hpo_widgets.widget.sync.refresher import Refresher, Update

_MOST_WORKERS = 1_000
"""Workers that can be typed in: a slip of the finger must not start a million processes."""

_MOST_SELECTED = 100
"""Trials that a press on a count selects at most, the newest."""

_MOST_JOBS = 10**9
_COMMANDS = {
    "workers": "set_max_number_of_concurrent_tasks",
    "jobs": "set_total_max_jobs",
    "retry_failed": "retry_failed",
}
_PAUSE_FACTOR = 10
"""Failed points are not counted again before so many times as long as that took has passed."""


class ShownStatus(t.HasTraits):
    """How a search stands, as the panel and a list of searches say it alike."""

    title = t.Unicode(help="Name of the search.").tag(sync=True)
    status = t.Unicode(SearchStatus.IDLE.value, help="What the search is doing.").tag(sync=True)
    pill = t.Dict(help="The status in a word, and as which status it looks.").tag(sync=True)
    is_view = t.Bool(False, help="Whether another process runs the search.").tag(sync=True)
    best = t.Dict(
        default_value=None,
        allow_none=True,
        help="Value and number of the best trial; of several objectives, what the front is.",
    ).tag(sync=True)

    def _show_standing(self, search: Search, front: Front) -> None:
        self.title = search.name
        self.status = str(search.status)
        self.pill = dict(in_words.pill(search))
        self.is_view = isinstance(search, ViewedSearch) and search.is_view
        has_front = len(search.objectives) > 1
        self.set_trait("best", in_words.front(front.numbers) if has_front else in_words.best(search))


class StatusPanel(ShownStatus, NumberFieldPart):
    """Shows a search in a header line, budgets, counts, the best trial and the newest notices.

    Its traits are words and numbers ready to be shown, all set by the search; everything that
    comes from a trial is shown as text. The numbers of workers and of trials in all can be typed
    over; a budget of trials that is used up can be raised. A press on a count selects those trials; beside the count of
    failed ones another press runs all of their points again.

    Parameters
    ----------
    search
        The search to show.

    Examples
    --------
    >>> StatusPanel(optimizer)  # doctest: +SKIP
    """

    _esm = asset("status.js")
    _css = asset("status.css")

    task = t.Dict(
        default_value=None, allow_none=True, help="Id and page of the Task that a server keeps of the search."
    ).tag(sync=True)
    facts = t.List(t.Unicode(), help="Engine, workers, strategy, objectives.").tag(sync=True)
    strategy = t.Unicode(help="Class of the strategy, of which `facts` has the title.").tag(sync=True)
    budgets = t.List(t.Dict(), help="Used and limit of trials, time and compute.").tag(sync=True)
    counts = t.List(t.Dict(), help="Number of trials in each state.").tag(sync=True)
    num_failed_points = t.Int(0, help="How many points can be run again as they have failed.").tag(sync=True)
    has_front = t.Bool(False, help="Several objectives: there is a front, and no best trial.").tag(sync=True)
    forecast = t.Unicode(help="How many points of people wait; when the search will end, where that can be known.").tag(
        sync=True
    )
    next_poll = t.Unicode(help="When the server of the trials is looked at again; empty without one.").tag(sync=True)
    sentence = t.Unicode(help="Why the search ended, in words.").tag(sync=True)
    since_end = t.Unicode(help="What may run now that the budget was raised since the end; else empty.").tag(sync=True)
    notices = t.List(t.Dict(), help="The newest problems, newest first.").tag(sync=True)
    selected = TrialNumbers(help="Two-way. Numbers of the selected trials; a press on a count changes them.")
    workers = t.Int(1, help="Trials that run at once at most.").tag(sync=True)
    jobs = t.Int(None, allow_none=True, help="Trials in all; None: any number.").tag(sync=True)
    raise_to = t.Int(
        None, allow_none=True, help="What a used-up budget of trials may be raised to; None: it is not."
    ).tag(sync=True)

    def __init__(self, search: Search, *, refresher: Refresher | None = None, **traits: object) -> None:
        self._dismissed: dict[str, float] = {}
        """Sentence of each notice that was dismissed, and when."""
        self._front = Front(search.objectives)
        self._count_not_before = -math.inf
        """When failed points may be counted again, by `time.monotonic`."""
        self._counted: Future[int] | None = None
        """How many there are, where the constraint of the search is asked about each."""
        self._counted_for: tuple[int, ...] = ()
        """The numbers of trials when it was asked last."""
        super().__init__(search, refresher=refresher, **traits)

    def refresh(self, update: Update) -> None:
        """Show the search as it is now."""
        search = update.search
        reason = search.stop_reason
        self.has_front = len(search.objectives) > 1
        if self.has_front:
            self._front.put(update.rows, search.snapshot)
        with self.hold_sync():
            self._show_standing(search, self._front)
            self.set_trait("task", summary.task(search))
            self.facts = summary.facts(search)
            self.strategy = search.strategy_name
            self.budgets = [dict(line) for line in summary.budgets(search)]
            self.counts = [dict(count) for count in summary.counts(search)]
            self.forecast = summary.forecast(search)
            self.next_poll = summary.next_poll(search)
            self.sentence = "" if reason is None else reason.sentence
            self.since_end = summary.since_end(search)
            self._dismiss_outdated(search)
            self.notices = [dict(line) for line in summary.notices(search, self._refresher.notices, self._dismissed)]
            self.workers = search.max_number_of_concurrent_tasks
            self.set_trait("jobs", search.total_max_jobs)
            self.set_trait("raise_to", summary.raised_budget(search))
            self.commands = {field: search.capabilities.get(command) for field, command in _COMMANDS.items()}
            self._count_failed_points(search, at_once=update.at_once)

    def _dismiss_outdated(self, search: Search) -> None:
        """Show a notice that a command did nothing no more once its reason has gone, as by the next command."""
        capabilities = search.capabilities
        for notice in search.errors:
            if notice.is_outdated(capabilities):
                self._dismissed[notice.sentence] = notice.at

    def _count_failed_points(self, search: Search, *, at_once: bool) -> None:
        """Count the failed points that can be run again, which looks at all trials."""
        is_due = at_once or time.monotonic() >= self._count_not_before
        if not isinstance(search, QueuesPoints) or not search.counts.get(TrialState.FAILED, 0):
            self.num_failed_points = 0
        elif not isinstance(search, ConstrainsPoints) or search.constraint is None:
            if is_due:
                self.num_failed_points = self._count(search)
        elif is_due and self._counted is None:
            numbers = (search.num_waiting_points, *search.counts.values())
            if numbers != self._counted_for:
                # The constraint is a function of the user's, which may be slow.
                self._counted_for = numbers
                poke = self._refresher.poke
                self._counted = run_in_thread("hpo_widgets failed points", lambda: self._count(search), poke)
        if self._counted is not None and self._counted.done():
            counted, self._counted = self._counted, None
            self.num_failed_points = counted.result()

    def _count(self, search: QueuesPoints) -> int:
        began = time.monotonic()
        found = len(search.failed_points())
        ended = time.monotonic()
        self._count_not_before = ended + _PAUSE_FACTOR * (ended - began)
        return found

    def forget(self) -> None:
        """Drop what is known of the front."""
        self._front = Front(self.search.objectives)

    @property
    def _fields(self) -> Mapping[str, Callable[[str], None]]:
        return {"workers": self._take_workers, "jobs": self._take_jobs}

    def _take_workers(self, typed: str) -> None:
        self._command("workers", typed_positive_int("the number of workers", typed, most=_MOST_WORKERS))

    def _take_jobs(self, typed: str) -> None:
        self._command(
            "jobs", typed_positive_int("the number of trials in all", typed, most=_MOST_JOBS) if typed else None
        )

    def _command(self, field: str, number: int | None) -> None:
        name = _COMMANDS[field]
        reason = self.search.capabilities.get(name)
        if reason is not None:
            raise ValueError(reason)
        self.search.command(name, number)

    def _on_look(self, content: dict[str, object]) -> None:
        """Select the trials of a state, the newest last: its details are shown."""
        states = [state for state in TrialState if state.label == content.get("state")]
        if not states:
            self._refuse("trials of no known state were asked for")
            return
        rows = self.search.snapshot()
        self.selected = rows.numbers[rows.state == states[0]][-_MOST_SELECTED:]

    def _on_retry_failed(self, _content: dict[str, object]) -> None:
        self._count_not_before = -math.inf
        self.search.command(_COMMANDS["retry_failed"])

    def _on_dismiss(self, content: dict[str, object]) -> None:
        """Show a notice no more, unless it comes again."""
        sentence = content.get("text")
        if isinstance(sentence, str) and any(line["text"] == sentence for line in self.notices):
            notices = (*self.search.errors, *self._refresher.notices)
            self._dismissed[sentence] = max(notice.at for notice in notices if notice.sentence == sentence)
            self._refresher.poke()

    def _on_deselect(self, _content: dict[str, object]) -> None:
        self.selected = []

    def _on_raise(self, _content: dict[str, object]) -> None:
        """Raise a used-up budget by what was offered, and go on."""
        number = summary.raised_budget(self.search)
        if number is not None:
            self.search.command(_COMMANDS["jobs"], number)
            self.search.command("start")
