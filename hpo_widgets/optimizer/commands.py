"""The commands of a search that this process runs, and why some of them are refused at the moment."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from hpo_widgets._messages import counted
from hpo_widgets.controller.active_trial import recorded_row
from hpo_widgets.engines.base import StartedSearch
from hpo_widgets.journal import fits_in_event
from hpo_widgets.parameters.base import python_value
from hpo_widgets.search import COMMANDS, SearchStatus, check_command, did_nothing
from hpo_widgets.search.limits import (
    SECONDS_A_MINUTE,
    TimeLimit,
    optional_positive_int,
    positive_int,
    positive_minutes,
    positive_period,
)
from hpo_widgets.trials import Remark, Trial, TrialState
from hpo_widgets.trials.trial import checked_note, checked_tags

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from hpo_widgets.controller import Controller
    from hpo_widgets.controller.recorder import Recorder
    from hpo_widgets.optimizer.definition import Definition
    from hpo_widgets.search import Search
    from hpo_widgets.space.prior import GivenPrior
    from hpo_widgets.trials import TrialRow

_Result = TypeVar("_Result")

_WITHOUT_RESULT = frozenset({TrialState.FAILED, TrialState.ABORTED})

_MANY_A_CORE = 4
"""Workers per core up to which nothing is said: trials that wait for a disk or a network may want more than one."""

_WHY_NO_RESULTS = (
    "each trial of a search on ClearML is a Task: to have the strategy learn from results that you have, add them to "
    "an Optuna study and give OptimizerOptuna continue_previous_study=; enqueue_trial runs a point as a Task"
)


class PendingStarts:
    """The starts of one search that have not begun a run yet: they may wait for a server, and a stop cancels them.

    Every member may be used from any thread. One lock guards which starts are not cancelled. It is held while a run
    begins, so that a stop comes either before the beginning, which it prevents, or after it, when there is a run to
    stop. It is entered by itself: Python may raise an interrupt (Ctrl-C) in `threading.Condition.__enter__` when that
    has taken the lock already, and nobody would give it back.

    Parameters
    ----------
    gate
        That lock: the one under which the search begins and ends runs, so that a subscriber that hears of either may
        stop the search.
    """

    def __init__(self, gate: threading.RLock) -> None:
        self._turn = threading.Lock()
        self._gate = gate
        self._changed = threading.Condition(gate)
        self._waiting: set[object] = set()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def register(self) -> object:
        """Register a start, which can be cancelled from now on."""
        start = object()
        with self._gate:
            self._waiting.add(start)
        return start

    def cancel(self) -> bool:
        """Cancel all starts that wait: none of them begins a run; returns whether there were any."""
        with self._gate:
            had_any = bool(self._waiting)
            self._waiting.clear()
            self._changed.notify_all()
        return had_any

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until no start waits any more; False when that took longer than the given time (default: no limit)."""
        with self._gate:
            return self._changed.wait_for(lambda: not self._waiting, seconds)

    @contextmanager
    def acquire(self, start: object) -> Iterator[None]:
        """Wait until no other start is in this context; on leaving it, this start is no longer registered."""
        try:
            with self._turn:
                yield
        finally:
            with self._gate:
                self._waiting.discard(start)
                self._changed.notify_all()

    def begin(self, start: object, begin: Callable[[], bool]) -> bool:
        """Begin a run, unless the start was cancelled.

        Parameters
        ----------
        start
            The start that was registered.
        begin
            Begins the run, and returns whether it did.

        Returns
        -------
        bool
            Whether a run was begun.
        """
        with self._gate:
            return start in self._waiting and begin()


class SearchCommands:
    """The commands of a search, which are queued to the controller's thread; a part of `HyperParameterOptimizer`.

    Every member may be used from any thread.

    Parameters
    ----------
    search
        The search, which is handed to the followers of its run.
    definition
        The search's checked arguments.
    controller
        Owns the search's state.
    recorder
        Keeps its trials.
    starts
        The starts that wait, shared by all objects that command this search.
    wait
        Whether a method returns only when it is done, and raises its error. Else it returns at once, and an error
        becomes a notice.
    """

    def __init__(
        self,
        search: Search,
        definition: Definition,
        controller: Controller,
        recorder: Recorder,
        starts: PendingStarts,
        *,
        wait: bool,
    ) -> None:
        self._search = search
        self._definition = definition
        self._controller = controller
        self._recorder = recorder
        self._starts = starts
        self._wait = wait
        self._asking = threading.Lock()
        self._last_asker: threading.Thread | None = None
        """The thread that asks, or waits to ask, the constraint for the newest command that has to; set under
        ``_asking``."""

    @property
    def _is_running(self) -> bool:
        return not self._controller.ended.is_set()

    @property
    def capabilities(self) -> dict[str, str | None]:
        """Command to None when it can be done now, else to the sentence that says why not."""
        state = self._controller.state
        possible: dict[str, str | None] = dict.fromkeys(COMMANDS)
        is_starting, is_running = bool(self._starts), self._is_running
        if is_running:
            possible["start"] = "the search is running"
        elif is_starting:
            possible["start"] = possible["resume"] = "the search is starting"
        else:
            nothing_left = state.why_nothing_left()
            possible["start"] = None if nothing_left is None else nothing_left.sentence
        if not is_running:
            possible["pause"] = "the search is not running"
            possible["stop"] = None if is_starting else "the search is not running"
            possible["stop_trial"] = "the search is not running"
        if state.is_paused:
            possible["pause"] = "the search is paused already"
        else:
            possible["resume"] = "the search is not paused"
        possible["set_prior"] = possible["set_priors"] = state.strategy.why_no_prior()
        is_here = self._definition.template.remote is None
        possible["add_trial"] = possible["add_trials"] = None if is_here else _WHY_NO_RESULTS
        if not state.epochs.can_undo:
            possible["undo"] = "no range was changed"
        if not state.epochs.can_redo:
            possible["redo"] = "no change of a range was undone"
        return possible

    def command(self, name: str, *arguments: Any) -> None:
        """Ask for one of `COMMANDS` and return at once, as `Search.command`; what goes wrong becomes a notice."""
        check_command(name)
        reason = self.capabilities[name]
        if reason is not None:
            self._controller.notice("command", did_nothing(name, reason))
            return
        with self._telling(name):
            getattr(self, name)(*arguments)

    @contextmanager
    def _telling(self, name: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 -- nobody waits for it: people are told instead
            self._controller.notice("command", f"{name}: {error}")

    def _do(self, name: str, function: Callable[[], _Result]) -> _Result | None:
        """Run a function on the thread that owns the state; returns its result, None where that is not waited for."""
        future = self._controller.submit(function)
        if self._wait:
            result: _Result = self._controller.result_of(future)
            return result

        def tell(done: Future[Any]) -> None:
            with self._telling(name):
                done.result()

        future.add_done_callback(tell)
        return None

    # Beginning and end of a run -------------------------------------------------------------------

    def start(self) -> bool:
        """Start or continue; False when nothing is left of the budget, or a stop came first."""
        return self._start("start", self._controller.start)

    def resume(self) -> None:
        """Launch again; a search that was reopened paused is started."""
        if not self._is_running and self._controller.state.status is SearchStatus.PAUSED:
            self._start("resume", self._resume_run)
        else:
            self._do("resume", self._controller.resume)

    def _start(self, name: str, begin: Callable[[], bool]) -> bool:
        start = self._starts.register()
        if self._wait or self._definition.template.remote is None:
            return self._begin_run(start, begin)
        # A start first asks the server for its queue, and a panel must not wait for a server.
        self._recorder.shown.notify()
        self._in_thread(name, lambda: self._begin_run(start, begin))
        return True

    def _in_thread(self, name: str, act: Callable[[], object]) -> threading.Thread:
        """Do what waits, as for a server, on a thread of its own, which is returned; a failure becomes a notice."""

        def run() -> None:
            with self._telling(name):
                act()
            self._recorder.shown.notify()

        thread = threading.Thread(target=run, name=f"hpo_widgets {name}", daemon=True)
        thread.start()
        return thread

    def _begin_run(self, start: object, begin: Callable[[], bool]) -> bool:
        """Begin a run once all that it needs is there."""
        template = self._definition.template
        with self._starts.acquire(start):
            ended = self._controller.ended
            if ended.is_set():
                template.before_start(self._definition.job_class, self._recorder.search_id)
                for sentence in template.notices_at_start(self._recorder.search_id):
                    self._controller.notice("template", sentence)
            if not self._starts.begin(start, begin):
                return False
            # The same event means that an earlier run, which is followed already, just goes on.
            if self._controller.ended is not ended:
                template.started(self._followed())
        return True

    def _resume_run(self) -> bool:
        self._controller.submit(self._controller.resume).result()
        return self._is_running

    def stop(self) -> Future[threading.Event] | None:
        """Stop the run, or cancel the starts that wait for one; returns at once.

        The future's event is set once every abort has been sent; None: nothing runs.
        """
        was_starting = self._starts.cancel()
        if self._is_running:
            return self._controller.submit(self._controller.stop)
        if was_starting:  # else nothing has changed, and a subscriber that stops would be told of its stop
            self._recorder.shown.notify()
        return None

    def _followed(self) -> StartedSearch:
        """What the template may follow of a run."""
        controller, recorder = self._controller, self._recorder

        def state() -> dict[str, Any]:
            owner, clock = recorder.owner(), controller.state.clock
            limit = clock.time_limit
            # Before their number: a point that is enqueued meanwhile is not taken for one that was launched since.
            waiting = list(controller.state.enqueued)
            return {
                "search": recorder.search_id,
                "run": recorder.run,
                "owner": None if owner is None else dataclasses.asdict(owner),
                "header": dict(recorder.header),
                "space": controller.state.space.to_dict(),
                "epoch": controller.state.epochs.number,
                "settings": dataclasses.asdict(controller.state.settings),
                "wall_minutes": clock.elapsed,
                "is_paused": controller.state.is_paused,
                "has_own_deadline": clock.has_own_deadline,
                "deadline": limit and limit.recorded,
                "enqueued": waiting,
                "num_enqueued_launched": controller.state.num_enqueued - len(waiting),
                "left_out": recorder.shown.columns.left_out(),
            }

        return StartedSearch(
            search=self._search,
            job_of=recorder.job_of,
            top=recorder.shown.top,
            state=state,
            report_seconds=lambda: controller.state.settings.report_period * SECONDS_A_MINUTE,
            wait_for_end=controller.ended.wait,
            tell=lambda sentence: controller.notice("report", sentence),
            leave=lambda sentence: controller.submit(lambda: controller.leave(sentence)),
        )

    # Steering -------------------------------------------------------------------------------------

    def pause(self) -> None:
        """Launch nothing more."""
        self._do("pause", self._controller.pause)

    def set_range(self, name: str, range: Sequence[Any]) -> None:  # noqa: A002 -- the field's word
        """Change one range.

        Parameters
        ----------
        name
            The parameter's full name.
        range
            ``(low, high)`` in parameter values, or the allowed choices.
        """
        self.set_ranges({name: range})

    def set_ranges(self, ranges: Mapping[str, Sequence[Any]]) -> None:
        """Change ranges; they are checked where they are changed, by the owner of the state."""
        self._do("set_ranges", lambda: self._controller.set_ranges(ranges))

    def add_choices(self, name: str, values: Sequence[Any]) -> None:
        """Add choices, which the template and the strategy have to take.

        Parameters
        ----------
        name
            The parameter's full name.
        values
            The new choices.

        Raises
        ------
        ValueError
            When the journal could not hold all choices, or the parameter, the template or the strategy refuses one.
        """
        definition, state = self._definition, self._controller.state
        before = state.space
        space = before.with_choices({name: values})
        added = space.leaf(name).declared[len(before.leaf(name).declared) :]
        if not fits_in_event(space.to_dict()):
            raise ValueError(
                f"with them the choices are a longer text than a journal takes: give {name!r} short names, such as "
                "those of files, and have the trial look up what they stand for"
            )
        definition.template.check_choices(name, added)
        definition.template.check_search(space, definition.objectives)
        state.strategy.check(space, definition.objectives)
        self._do("add_choices", lambda: self._controller.add_choices({name: added}))

    def set_prior(self, name: str, prior: GivenPrior) -> None:
        """Set one prior.

        Parameters
        ----------
        name
            The parameter's full name.
        prior
            What `Prior.of` takes; None removes it.
        """
        self.set_priors({name: prior})

    def set_priors(self, priors: Mapping[str, GivenPrior]) -> None:
        """Set priors. A prior given as a function is called on the caller's thread, not on the controller's."""
        space = self._controller.state.space.with_priors(priors)
        drawn = {name: space.priors.get(name) for name in priors}
        self._do("set_priors", lambda: self._controller.set_priors(drawn))

    def undo(self) -> None:
        """Go back to the ranges and priors before the last change."""
        self._do("undo", self._controller.undo)

    def redo(self) -> None:
        """Take back the last undo."""
        self._do("redo", self._controller.redo)

    def enqueue_trial(self, parameters: Mapping[str, Any]) -> None:
        """Run a point next; where the budget of trials is used up, people are told that it waits for a larger one."""
        self._enqueue_point("enqueue_trial", parameters)

    def add_trial(
        self, parameters: Mapping[str, Any], values: object, note: str = "", tags: Sequence[str] = ()
    ) -> int | None:
        """Record a result as a trial, as `add_trials` does.

        Parameters
        ----------
        parameters, values
            Its point, and its values as for `recorded_row`.
        note, tags
            As for `set_note` and `set_tags`.

        Returns
        -------
        int or None
            The trial's number; None where nobody waits for it.
        """
        numbers = self._record("add_trial", lambda: [self._row(parameters, values)], note, tags)
        return None if numbers is None else numbers[0]

    def add_trials(
        self, results: Iterable[tuple[Mapping[str, Any], object]], note: str = "", tags: Sequence[str] = ()
    ) -> list[int] | None:
        """Record results as trials, all of them or none.

        Parameters
        ----------
        results
            A point and its values each, as for `recorded_row`.
        note, tags
            As for `set_note` and `set_tags`; for each trial.

        Returns
        -------
        list of int or None
            The trials' numbers; None where nobody waits for them.

        Raises
        ------
        TypeError
            For what is no pair.
        ValueError
            For what is no result of this search, and on ClearML.
        """
        return self._record("add_trials", lambda: list(self._rows(results)), note, tags)

    def _record(
        self, name: str, rows: Callable[[], list[TrialRow]], note: str, tags: Sequence[str]
    ) -> list[int] | None:
        """Record results that are made, and so checked, on the caller's thread: a run goes on meanwhile."""
        why_not = self.capabilities[name]
        if why_not is not None:
            raise ValueError(why_not)
        remark, made = Remark(checked_note(note), checked_tags(tags)), rows()
        return self._do(name, lambda: self._controller.add_trials(made, remark))

    def _row(self, parameters: Mapping[str, Any], values: object) -> TrialRow:
        state = self._controller.state
        return recorded_row(state.space.encode(state.space.normalise(parameters)), values, state.objectives)

    def _rows(self, results: Iterable[object]) -> Iterator[TrialRow]:
        """Yield the row of each result; an error tells which of them is wrong."""
        for place, result in enumerate(results):
            if not isinstance(result, (tuple, list)) or len(result) != 2:
                raise TypeError(f"results[{place}] is a pair of parameters and values, got {result!r:.80}")
            try:
                yield self._row(*result)
            except ValueError as error:
                raise ValueError(f"results[{place}]: {error}") from error

    def retry(self, trial: Trial | int) -> None:
        """Run a trial's point again."""
        self._enqueue_point("retry", self._recorder.trial(self._number_of(trial)).parameters)

    def allows(self, parameters: Mapping[str, Any]) -> bool:
        """Whether the constraint lets a point be run; calls it on the caller's thread."""
        constraint = self._controller.state.constraint
        point = self._controller.state.space.normalise(parameters)
        return constraint is None or constraint.allows(point)

    def _enqueue_point(self, name: str, parameters: Mapping[str, Any]) -> None:
        """Queue a point that a person wants to be run; one that the constraint does not allow is refused."""
        space = self._controller.state.space
        point = space.normalise(parameters)
        encoded = space.encode(point)

        def enqueue() -> None:
            self._check_allowed(point)
            self._enqueue(name, lambda: [encoded])

        self._after_constraint(name, enqueue)

    def _check_allowed(self, point: Mapping[str, Any]) -> None:
        if not self.allows(point):
            constraint = self._controller.state.constraint
            raise ValueError(f"the constraint {constraint!r} of this search does not allow this point")

    def _after_constraint(self, name: str, act: Callable[[], _Result]) -> _Result | None:
        """Do what asks the constraint, which may be slow: on a thread of its own unless the caller waits for it.

        It is done after what was asked for earlier, so that points run in the order in which they were queued.
        """
        if self._wait or self._controller.state.constraint is None:
            return act()
        with self._asking:
            earlier = self._last_asker

            def act_in_turn() -> None:
                if earlier is not None:
                    earlier.join()
                act()

            self._last_asker = self._in_thread(name, act_in_turn)
        return None

    def retry_failed(self) -> int:
        """Run the points of failed trials again; returns how many were queued, 0 where that is not waited for.

        A notice tells of those that the constraint does not allow.
        """

        def enqueue() -> int:
            constraint = self._controller.state.constraint
            refused = {} if constraint is None else self._refused(self._failed_points())
            if refused:
                number, why = next(iter(refused.items()))
                points = f"{counted(len(refused), 'failed point')} {'is' if len(refused) == 1 else 'are'} not run again"
                self._controller.notice("command", f"retry_failed: {points}; of trial {number}: {why}")

            def find() -> list[list[float | None]]:
                rows = self._recorder.shown.columns.snapshot()
                failed = rows.failed_points(self._under_way())
                return rows.encoded([number for number in failed if number not in refused])

            return self._enqueue("retry_failed", find) or 0

        return self._after_constraint("retry_failed", enqueue) or 0

    def failed_points(self) -> list[int]:
        """Find the points that `retry_failed` would queue: a trial of each; asks the constraint about each."""
        failed = self._failed_points()
        if self._controller.state.constraint is None:
            return failed
        refused = self._refused(failed)
        return [number for number in failed if number not in refused]

    def _failed_points(self) -> list[int]:
        return self._recorder.shown.columns.snapshot().failed_points(self._under_way())

    def _refused(self, numbers: Sequence[int]) -> dict[int, str]:
        """Find the trials whose points the constraint does not allow, or not without an error, and why."""
        refused: dict[int, str] = {}
        rows, space = self._recorder.shown.columns.snapshot(), self._controller.state.space
        for number, encoded in zip(numbers, rows.encoded(numbers), strict=True):
            try:
                self._check_allowed(space.decode(encoded))
            except (TypeError, ValueError) as error:
                refused[number] = str(error)
        return refused

    def _under_way(self) -> list[list[float | None]]:
        """Points that wait, that run, and that have just ended with a result that is not shown yet."""
        state = self._controller.state
        active = [trial.row for trial in list(state.active.values())]
        ended = [row for row in self._recorder.unwritten_ends() if row.state not in _WITHOUT_RESULT]
        return [*list(state.enqueued), *(row.parameters for row in (*active, *ended))]

    def stop_trial(self, trial: Trial | int) -> None:
        """End a trial that runs or waits."""
        number = self._number_of(trial)
        self._do("stop_trial", lambda: self._controller.stop_trial(number))

    def _number_of(self, trial: Trial | int) -> int:
        """Return the number of a trial of this search; raise for one that it does not have."""
        recorder = self._recorder
        if isinstance(trial, Trial):
            # A trial that was read before its job had an id is named as one of this machine.
            own = (recorder.job_of(trial.number), f"{recorder.search_id}/{trial.number}")
            if trial.id not in own:
                raise ValueError(
                    f"trial {trial.name} ({trial.id}) belongs to another search than {recorder.search_id}; "
                    "enqueue_trial(trial.parameters) runs its point here"
                )
            trial = trial.number
        trial = python_value(trial)
        if isinstance(trial, bool) or not isinstance(trial, int):
            raise TypeError(f"a trial is given by its number, or as the Trial that the search gives, got {trial!r:.80}")
        recorder.shown.columns.state_of(trial)  # raises where there is none
        return trial

    def set_note(self, trial: Trial | int, note: str) -> None:
        """Keep a text about a trial.

        Parameters
        ----------
        trial
            The trial, or its number.
        note
            The text; empty removes it.
        """
        self._remark("set_note", trial, note=checked_note(note))

    def set_tags(self, trial: Trial | int, tags: Sequence[str]) -> None:
        """Give a trial tags.

        Parameters
        ----------
        trial
            The trial, or its number.
        tags
            All of its tags.
        """
        self._remark("set_tags", trial, tags=checked_tags(tags))

    def leave_out(self, trials: Trial | int | Iterable[Trial | int]) -> None:
        """Leave trials that have ended out of the search, all of them or none.

        Parameters
        ----------
        trials
            A trial, or its number, or several.
        """
        numbers = self._numbers_of(trials)
        for number in numbers:
            state = self._recorder.shown.columns.state_of(number)
            if not state.has_ended:
                has_job = "waits for a worker" if state is TrialState.QUEUED else "runs"
                raise ValueError(
                    f"trial {number} still {has_job}: only what has ended can be left out. Wait for its end, or end it "
                    f"by stop_trial({number})"
                )
        self._do("leave_out", lambda: self._controller.set_left_out(numbers, left_out=True))

    def take_back(self, trials: Trial | int | Iterable[Trial | int]) -> None:
        """Have trials count again that were left out, all of them or none.

        Parameters
        ----------
        trials
            A trial, or its number, or several.
        """
        numbers = self._numbers_of(trials)
        self._do("take_back", lambda: self._controller.set_left_out(numbers, left_out=False))

    def _numbers_of(self, trials: Trial | int | Iterable[Trial | int]) -> list[int]:
        several = trials if isinstance(trials, Iterable) else [trials]
        return list(dict.fromkeys(map(self._number_of, several)))

    def _remark(self, name: str, trial: Trial | int, **changes: Any) -> None:
        number = self._number_of(trial)

        def remark() -> None:
            before = self._recorder.remark(number, **changes)
            job, remote = self._recorder.job_of(number), self._definition.template.remote
            if job is not None and remote is not None:
                # Where it fails, the journal has the change anyway.
                self._in_thread(name, remote.remark(job, before, lambda: self._recorder.remark_of(number)))

        self._do(name, remark)

    def _enqueue(self, name: str, find: Callable[[], list[list[float | None]]]) -> int | None:
        """Queue encoded points that the owner of the state finds, and say how many need a larger budget of trials."""

        def enqueue() -> int:
            state, points = self._controller.state, find()
            for point in points:
                self._controller.enqueue(point)
            limit = state.settings.total_max_jobs
            needed = state.num_launched + len(state.enqueued)
            if points and limit is not None and needed > limit:
                why = _why_they_wait(len(points), min(len(points), needed - limit), limit, needed)
                self._controller.notice("command", why)
            return len(points)

        return self._do(name, enqueue)

    # Limits ---------------------------------------------------------------------------------------

    def set_max_number_of_concurrent_tasks(self, number: int) -> None:
        """Change how many trials run at once; a notice says so where they are many for this machine."""
        number = positive_int("max_number_of_concurrent_tasks", number)
        self._set("set_max_number_of_concurrent_tasks", max_number_of_concurrent_tasks=number)
        template = self._definition.template
        cores = template.default_concurrency
        if template.remote is None and number > _MANY_A_CORE * cores:
            self._controller.notice(
                "command",
                f"{number:,} workers are many for {counted(cores, 'core')}: more than one per core help only where "
                "trials mostly wait, and each takes memory of its own",
            )

    def set_total_max_jobs(self, number: int | None) -> None:
        """Change the job budget; None: no limit. It is at least what was launched already, and a notice says so."""
        number = optional_positive_int("total_max_jobs", number)

        def change() -> None:
            used = self._controller.state.num_launched
            total = number if number is None else max(number, used)
            self._controller.set_settings(total_max_jobs=total)
            if total != number:
                self._controller.notice(
                    "command", f"{used} trials were launched already, so the budget is {used} trials, not {number}"
                )

        self._do("set_total_max_jobs", change)

    def set_compute_time_limit(self, minutes: float | None) -> None:
        """Change the compute budget, in minutes; None: no limit."""
        minutes = positive_minutes("compute_time_limit", minutes)
        self._set("set_compute_time_limit", compute_time_limit=minutes)

    def set_report_period(self, minutes: float) -> None:
        """Change how often progress is reported, in minutes."""
        self._set("set_report_period", report_period=positive_period("report_period_minutes", minutes))

    def _set(self, name: str, **changes: object) -> None:
        self._do(name, lambda: self._controller.set_settings(**changes))

    def set_time_limit(self, in_minutes: float | None = None, specific_time: dt.datetime | None = None) -> None:
        """Set the search's time limit: minutes from now, or a moment; neither: no limit.

        Parameters
        ----------
        in_minutes
            From now. Default None.
        specific_time
            A moment, local time unless it names a zone. Default None.

        Raises
        ------
        ValueError
            For a moment in the past, or minutes that are not above 0.
        """
        limit: TimeLimit | None = None
        if specific_time is not None:
            limit = TimeLimit.at(specific_time)
        elif (minutes := positive_minutes("in_minutes", in_minutes)) is not None:
            limit = TimeLimit.in_seconds(minutes * SECONDS_A_MINUTE)
        self._do("set_time_limit", lambda: self._controller.set_time_limit(limit))


def _why_they_wait(num_points: int, num_waiting: int, limit: int, needed: int) -> str:
    """Say why some of the points that were queued last wait, and which budget they need.

    Without names of methods: people type a point and a budget into fields, too.
    """
    if num_waiting < num_points:
        room = f"as the budget of {counted(limit, 'trial')} has room for {num_points - num_waiting}"
        return f"{num_waiting} of {num_points} points wait, {room}; raise the budget to {needed} to run them"
    used = "the only trial of the budget is used" if limit == 1 else f"all {limit} trials of the budget are used"
    if num_points == 1:
        return f"the trial waits, as {used}; raise the budget to run it"
    return f"{num_points} points wait, as {used}; raise the budget to {needed} to run them"
