"""`HyperParameterOptimizer`, the search controller with ClearML's API, on this machine and on a ClearML server.

This module is the public face: it checks, translates and waits. The state of a search belongs to
the controller's thread (`hpo_widgets.controller`), what is durable to the recorder.
"""

from __future__ import annotations

import datetime as dt
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hpo_widgets.engines.base import default_concurrency
from hpo_widgets.journal import DIRECTORY, find, journal_path, new_search_id
from hpo_widgets.optimizer.definition import define, names_a_task
from hpo_widgets.optimizer.running_search import JOURNALS_OF_THIS_PROCESS
from hpo_widgets.optimizer.search_commands import SearchCommands
from hpo_widgets.optimizer.settings import above_zero, whole_above_zero
from hpo_widgets.search.limits import SECONDS_A_MINUTE
from hpo_widgets.strategies.base import Observation
from hpo_widgets.strategies.random import RandomSearch
from hpo_widgets.trials import Trial, TrialState
from hpo_widgets.trials.export import experiment_details, to_dataframe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import optuna
    import pandas as pd

    from hpo_widgets.strategies.base import SearchStrategy


class HyperParameterOptimizer(SearchCommands):
    """Hyperparameter search controller: runs a template experiment again and again with other values.

    Names, defaults and units (minutes) are those of ``clearml.automation.HyperParameterOptimizer``.

    Parameters
    ----------
    base_task_id
        The template experiment: a callable, a `pathlib.Path` to a script, or a ClearML Task or its id. A callable
        gets its parameters by keyword, and ``trial`` if its signature has it. A Task is cloned for each trial.
    hyper_parameters
        Parameter objects, of hpo_widgets or of ``clearml.automation``.
    objective_metric_title, objective_metric_series, objective_metric_sign
        The scalar to optimise: strings, or equal-length sequences for several objectives. Signs:
        ``min`` ``max`` (the last value), ``min_global`` ``max_global`` (the extreme over all
        reports). Default for a callable: what it returns, minimised.
    optimizer_class
        `RandomSearch` (default), `GridSearch`, `OptimizerOptuna`, `OptimizerBOHB`, ClearML's classes of
        the same names, or a class derived from `SearchStrategy`.
    max_number_of_concurrent_tasks
        Trials that run at once. Default: the cores of this machine; 10 in a queue.
    execution_queue
        Name of the queue that trials on ClearML are sent to. Default: ``default``. Without effect on this machine.
    optimization_time_limit
        Minutes of the whole search, counted from `start`. Default: no limit.
    compute_time_limit
        Minutes of all jobs together. Default: no limit.
    auto_connect_task
        Whether a search on ClearML stores arguments and space in its own Task, which is the script's current one, or
        which Task that is. Where that Task runs for an agent, what it says wins over the arguments of the code.
    always_create_task
        Whether a search on ClearML makes a Task of its own where there is none.
    spawn_project
        Project of the trials on ClearML; the journal's group. Default: that of the search's Task, else the
        template's.
    save_top_k_tasks_only
        Above 0: archive (hide, not lose) ended trials beyond the k best, on ClearML also their Tasks. Default: keep
        all.
    **optimizer_kwargs
        ``total_max_jobs``, ``time_limit_per_job`` (minutes), ``min_iteration_per_job``,
        ``max_iteration_per_job``, ``seed``, ``max_failures`` (in a row; default 10),
        ``allow_duplicates`` (default False), ``stop_grace`` (seconds; default 0.1), ``name``,
        ``journal`` (directory; default ``.hpo_widgets``), ``limits`` (name to hard bounds),
        ``worker_env`` (worker index to environment variables), ``arguments`` (how a script gets
        its parameters), ``pool_period_min`` (minutes between two looks at a ClearML server while nothing happens;
        default 0.1), and the keywords of the strategy. Unknown ones raise ``TypeError``.

    Raises
    ------
    TypeError, ValueError
        For bad input, with what to do about it, before anything runs.
    """

    def __init__(
        self,
        base_task_id: Callable[..., Any] | Path | str,
        hyper_parameters: Sequence[Any],
        objective_metric_title: str | Sequence[str] | None = None,
        objective_metric_series: str | Sequence[str] | None = None,
        objective_metric_sign: str | Sequence[str] | None = None,
        optimizer_class: type = RandomSearch,
        max_number_of_concurrent_tasks: int | None = None,
        execution_queue: str | None = None,
        optimization_time_limit: float | None = None,
        compute_time_limit: float | None = None,
        auto_connect_task: Any = True,
        always_create_task: bool = False,
        spawn_project: str | None = None,
        save_top_k_tasks_only: int | None = None,
        **optimizer_kwargs: Any,
    ) -> None:
        definition = define(
            base_task_id=base_task_id,
            hyper_parameters=hyper_parameters,
            objective_metric_title=objective_metric_title,
            objective_metric_series=objective_metric_series,
            objective_metric_sign=objective_metric_sign,
            optimizer_class=optimizer_class,
            max_number_of_concurrent_tasks=max_number_of_concurrent_tasks,
            optimization_time_limit=optimization_time_limit,
            compute_time_limit=compute_time_limit,
            recorded={
                "execution_queue": execution_queue,
                "auto_connect_task": auto_connect_task,
                "always_create_task": always_create_task,
                "spawn_project": spawn_project,
                "save_top_k_tasks_only": save_top_k_tasks_only,
            },
            optimizer_kwargs=optimizer_kwargs,
        )
        search_id = new_search_id(definition.name)
        self._setup(
            definition,
            search_id,
            journal_path(definition.journal, search_id),
            save_top_k=save_top_k_tasks_only or 0,
        )

    # ClearML's members ----------------------------------------------------------------------------

    def start(self, job_complete_callback: Callable[..., Any] | None = None) -> bool:
        """Start the search, or continue it with what is left of its budget.

        Parameters
        ----------
        job_complete_callback
            Called once per job that ends with an objective, in order, with (job_id,
            objective_value, objective_iteration, job_parameters, top_performance_job_id), on a
            thread of its own: it may call any method. Default: the one given before, if any.

        Returns
        -------
        bool
            True at once when started or already running, also while it is stopping: then it starts again when it has
            stopped. False when nothing of the budget is left (`stop_reason` says what), or when `stop` came while a
            ClearML server was waited for.

        Raises
        ------
        JournalError
            When the journal cannot be written, or another process runs the search or has continued it since it was
            opened here; nothing has run then.
        ValueError
            When the execution queue is not there.
        ClearmlError
            When the trials are for a ClearML server that does not answer.
        """
        if job_complete_callback is not None:
            self._controller.callback_queue.callback = _checked_callback(job_complete_callback)
        return self._begin_run(self._starts.announce(), self._controller.start)

    def start_locally(self, job_complete_callback: Callable[..., Any] | None = None) -> bool:
        """Start on this machine: the trials of a ClearML Task run as processes here, without a queue.

        A callable or script runs here anyway: the same as `start`.
        """
        local = self._definition.template.local_job_class
        if local is not None and not self.is_running():
            if self._definition.has_default_concurrency:
                self._definition.has_default_concurrency = False
                self.set_max_number_of_concurrent_tasks(default_concurrency())
            self._job_class = local
        return self.start(job_complete_callback)

    def stop(self, timeout: float | None = None, wait_for_reporter: bool = True) -> None:
        """Stop: running trials get ``stop_grace`` seconds to clean up, then are killed.

        On ClearML it returns once every abort has been sent, or tried at a server that is away; the search is stopping
        until the server agrees, for five minutes at most. Then it ends, and `stop_reason` names the Tasks that may
        still run. A start that still waits for the server is taken back.
        Idempotent and safe from any thread, a callback's included.

        Parameters
        ----------
        timeout
            Minutes to wait at most for the end. Default: until it has ended (under a second).
        wait_for_reporter
            Wait also for the callbacks that are due. Default True.
        """
        deadline = None if timeout is None else time.monotonic() + timeout * SECONDS_A_MINUTE
        stopping = self._stop_run()
        if self._controller.is_current:
            return
        if stopping is not None:
            try:
                # Of the run that it stops: the next one may have begun by now.
                has_sent_all = stopping.result(_left(deadline)).wait(_left(deadline))
            except TimeoutError:
                return
            if not has_sent_all:
                return
        if wait_for_reporter:
            self._wait_for_rest(deadline)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end of the search without stopping it; interruptible.

        Parameters
        ----------
        timeout
            Minutes. Default: until the end, which a time limit brings in time.

        Returns
        -------
        bool
            True when the search has ended (or was never started), False when it timed out. Also False when a ClearML
            server has not taken the last report a minute after the end.
        """
        timeout = None if timeout is None else float(timeout) * SECONDS_A_MINUTE
        deadline = None if timeout is None else time.monotonic() + max(0.0, timeout)
        if self._controller.is_current:
            msg = "wait() on the search's own thread would never return; call it elsewhere"
            raise RuntimeError(msg)
        if not self._controller.ended.wait(None if timeout is None else max(0.0, timeout)):
            return False
        return self._wait_for_rest(deadline)

    def _wait_for_rest(self, deadline: float | None) -> bool:
        """Wait for the callbacks that are due and, once the search has ended, for its last report."""
        if not self._callbacks.wait(_left(deadline)):
            return False
        if self._callbacks.is_current or not self._controller.ended.is_set():
            return True
        return self._definition.template.wait_for_reports(_left(deadline))

    async def wait_async(self, timeout: float | None = None) -> bool:
        """`wait` for coroutines: other cells and widgets go on meanwhile."""
        import asyncio

        loop = asyncio.get_running_loop()
        changed = asyncio.Event()

        def wake() -> None:
            # The loop may be gone before its last subscription is.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(changed.set)

        unsubscribe = self.subscribe(wake)
        seconds = None if timeout is None else max(0.0, float(timeout) * SECONDS_A_MINUTE)
        deadline = None if seconds is None else time.monotonic() + seconds
        ended = self._controller.ended  # of this run: the next one may have begun before its end is seen
        try:
            async with asyncio.timeout(seconds):
                while not ended.is_set():
                    await changed.wait()
                    changed.clear()
                return await asyncio.to_thread(self._wait_for_rest, deadline)
        except TimeoutError:
            return False
        finally:
            unsubscribe()

    def set_time_limit(self, in_minutes: float | None = None, specific_time: dt.datetime | None = None) -> None:
        """Set the search's time limit: minutes from now, or a moment; neither: no limit.

        Raises
        ------
        ValueError
            For a moment in the past or minutes that are not above 0.
        """
        self._do(lambda: self._controller.commands.set_deadline(_deadline(in_minutes, specific_time)))

    def get_time_limit(self) -> dt.datetime | None:
        """The moment at which the search ends, as naive local time; None without a limit."""
        return self._controller.state.clock.deadline

    def reached_time_limit(self) -> bool:
        """True once a started search is past its limit, and from then on; False without a limit."""
        return self._controller.state.clock.is_past_deadline

    def elapsed(self) -> float:
        """Minutes since the start, frozen at the end; negative before the start."""
        clock = self._controller.state.clock
        return clock.elapsed if clock.was_started else -1.0

    def is_active(self) -> bool:
        """True while the search runs or pauses, and before it was started (as ClearML's)."""
        return not self._controller.state.clock.was_started or self.is_running()

    def get_num_active_experiments(self) -> int:
        """Number of jobs that are queued or running now."""
        if not self.is_running():
            return 0  # also where a full disk kept their ends from being written
        counts = self.counts
        return counts[TrialState.QUEUED] + counts[TrialState.RUNNING]

    def get_active_experiments(self) -> Sequence[Any]:
        """The trials that are queued or running now; on ClearML their Tasks."""
        if not self.is_running():
            return []
        snapshot = self.snapshot()
        active = snapshot.numbers[snapshot.state <= TrialState.RUNNING]
        return self._definition.template.experiments([self.trial(int(number)) for number in active])

    def get_top_experiments(self, top_k: int) -> Sequence[Any]:
        """The best trials, best first, on ClearML their Tasks; never one without the objective.

        Running, pruned and aborted trials with a value rank too; ±inf ranks last. Several
        objectives: by non-dominated front, then by spread.
        """
        whole_above_zero("top_k", top_k)
        return self._definition.template.experiments(self.top(top_k))

    def get_top_experiments_details(
        self,
        top_k: int,
        all_metrics: bool = False,
        all_hyper_parameters: bool = False,
        only_completed: bool = False,
    ) -> list[dict[str, Any]]:
        """The best trials as dictionaries: ``task_id``, ``hyper_parameters`` (str), ``metrics``.

        Parameters
        ----------
        top_k
            How many at most; sorted over all trials, then cut.
        all_metrics
            All reported scalars instead of the objectives only.
        all_hyper_parameters
            Also what belongs to other sections than the searched parameters.
        only_completed
            Leave out running, pruned and aborted trials.
        """
        whole_above_zero("top_k", top_k)
        accept = self._recorder.shown.is_completed if only_completed else None
        trials = [self.trial(number) for number in self._recorder.shown.top(top_k, accept)]
        template = self._definition.template
        more = template.hyper_parameters(trials) if all_hyper_parameters else [{}] * len(trials)
        return [
            experiment_details(trial, {**template.parameters_of(trial), **others}, all_metrics=all_metrics)
            for trial, others in zip(trials, more, strict=True)
        ]

    @classmethod
    def get_optimizer_top_experiments(
        cls,
        objective_metric_title: str | Sequence[str],
        objective_metric_series: str | Sequence[str],
        objective_metric_sign: str | Sequence[str],
        optimizer_task_id: str,
        top_k: int,
    ) -> Sequence[Any]:
        """The best trials of any search, by any scalars that it reported.

        Parameters
        ----------
        optimizer_task_id
            The id of an optimizer Task on ClearML: its best children come as Tasks. Or a search id of this machine
            (or the path of a journal).
        """
        whole_above_zero("top_k", top_k)
        if names_a_task(optimizer_task_id):
            from hpo_widgets.engines.clearml.children import top_children

            return top_children(
                objective_metric_title, objective_metric_series, objective_metric_sign, optimizer_task_id, top_k
            )
        from hpo_widgets.viewer import SearchViewer

        with SearchViewer(find_journal(optimizer_task_id)) as viewer:
            return viewer.top_by(objective_metric_title, objective_metric_series, objective_metric_sign, top_k)

    def get_optimizer(self) -> SearchStrategy:
        """The strategy that chooses points."""
        return self._controller.state.strategy

    def set_default_job_class(self, job_class: Any) -> None:
        """Set the class that runs jobs from the next `start` on.

        Parameters
        ----------
        job_class
            On this machine a class with the methods of `hpo_widgets.engines.base.JobEngine`, made with
            the arguments of the default one (`FunctionPool` or `ScriptEngine`). For a ClearML Task
            ``clearml.automation.ClearmlJob``, ``LocalClearmlJob`` or a class derived from one of them.

        Raises
        ------
        TypeError
            For anything else.
        """
        self._definition.template.check_job_class(job_class)
        self._job_class = job_class

    def set_report_period(self, report_period_minutes: float) -> None:
        """Set how often progress is reported, to the journal and to the search's own Task, in minutes (default 10)."""
        minutes = above_zero("report_period_minutes", report_period_minutes)
        self._do(lambda: self._controller.commands.set_settings(report_period=minutes))

    # Beyond ClearML -------------------------------------------------------------------------------

    def pause(self) -> None:
        """Launch nothing more; running trials finish, time limits run on."""
        self._do(self._controller.pause)

    def resume(self) -> None:
        """Launch again; starts a search that was reopened paused, with the errors of `start`."""
        if self._is_resuming("resume"):
            self._begin_run(self._starts.announce(), self._resume_run)
        else:
            self._do(self._controller.resume)

    def set_range(self, name: str, range: Sequence[Any]) -> None:  # noqa: A002 -- the field's word
        """Narrow or widen one range: ``(low, high)`` in parameter values, or the allowed choices."""
        self.set_ranges({name: range})

    def set_ranges(self, ranges: Mapping[str, Sequence[Any]]) -> None:
        """Change ranges in one gesture: the next trial proposed lies inside, history is kept.

        Raises
        ------
        ValueError
            For unknown names (with the nearest one) and impossible ranges; nothing changes then.
        """
        self.space.with_ranges(ranges)  # raises here, whatever thread the search is on
        self._do(lambda: self._controller.commands.set_ranges(ranges))

    def undo(self) -> None:
        """Go back to the ranges before the last change."""
        self._do(self._controller.commands.undo)

    def redo(self) -> None:
        """Take back the last `undo`."""
        self._do(self._controller.commands.redo)

    def enqueue_trial(self, parameters: Mapping[str, Any]) -> None:
        """Run a point of one's own next, duplicate or not; it counts against the budget."""
        point = self.space.normalise(parameters)
        self._do(lambda: self._controller.commands.enqueue(dict(point)))

    def retry(self, trial: Trial | int) -> None:
        """Run a trial's point again; the retry counts against the budget."""
        number = trial.number if isinstance(trial, Trial) else trial
        self.enqueue_trial(self.trial(number).parameters)

    def set_max_number_of_concurrent_tasks(self, number: int) -> None:
        """Change how many trials run at once; running ones finish."""
        number = whole_above_zero("max_number_of_concurrent_tasks", number)
        self._do(lambda: self._controller.commands.set_settings(max_number_of_concurrent_tasks=number))

    def set_total_max_jobs(self, number: int | None) -> None:
        """Change the job budget; None: no limit."""
        if number is not None:
            number = whole_above_zero("total_max_jobs", number)
        self._do(lambda: self._controller.commands.set_settings(total_max_jobs=number))

    def set_compute_time_limit(self, minutes: float | None) -> None:
        """Change the compute budget, in minutes; None: no limit."""
        minutes = above_zero("compute_time_limit", minutes)
        self._do(lambda: self._controller.commands.set_settings(compute_time_limit=minutes))

    def to_dataframe(self) -> pd.DataFrame:
        """All trials with typed values, one row a trial."""
        return to_dataframe(self.snapshot(), self._definition.space, self.objectives)

    def to_optuna(self) -> optuna.Study:
        """The search so far as an Optuna study, for Optuna's own plots and analyses."""
        from hpo_widgets.strategies.optuna import study_from_trials

        rows = self._recorder.ended_rows()
        space = self._definition.space
        return study_from_trials(space, self.objectives, [Observation.of(row, space) for row in rows], self.name)

    @classmethod
    def open(
        cls,
        journal_or_task_id: str | Path,
        search: str | None = None,
        *,
        base_task_id: Callable[..., Any] | Path | str | None = None,
        **optimizer_kwargs: Any,
    ) -> Any:
        """Open a search again: to continue it, or to look at it.

        Parameters
        ----------
        journal_or_task_id
            A search id, a journal's path, a directory of journals together with ``search``, or the id of an
            optimizer Task on ClearML: what became of its trials is read from their Tasks, those that still wait or
            run are taken over by `start`, and the journal is written anew where it is missing (``journal=`` names
            its directory). The id of an optimizer Task of ClearML's own controller gives a view.
        base_task_id
            The template experiment. With it the search can be continued by `start`, unless a live
            process owns it; without it there is a view of it (`SearchViewer`). It may be of another kind than
            before: a search that was tried on a callable goes on with a ClearML Task and ``execution_queue=``. Not
            needed for an optimizer Task.
        **optimizer_kwargs
            Arguments that a journal cannot hold, such as ``optuna_sampler`` or ``worker_env``, and those that say
            where trials run: ``execution_queue``, ``spawn_project``, ``pool_period_min``.

        Returns
        -------
        HyperParameterOptimizer or SearchViewer
            The viewer when there is no ``base_task_id`` or the owner lives; another view, with the same members as
            far as `Search` has them, for a search of ClearML's own controller.
        """
        from hpo_widgets.optimizer.reopening import reattach, reopen

        if search is None and names_a_task(journal_or_task_id):
            return reattach(cls, str(journal_or_task_id), base_task_id, optimizer_kwargs)
        path = find_journal(journal_or_task_id, search)
        return reopen(cls, path, base_task_id, optimizer_kwargs)


def find_journal(journal_or_task_id: str | Path, search: str | None = None) -> Path:
    """The journal that a path, a directory with a search id, or a search id alone names."""
    path = Path(journal_or_task_id)
    if search is not None:
        return find(search, path)
    if path.is_file():
        return path
    if isinstance(journal_or_task_id, Path) or path.suffix == ".sqlite":
        msg = f"there is no journal at {path}"
        raise FileNotFoundError(msg)
    known = JOURNALS_OF_THIS_PROCESS.get(str(journal_or_task_id))
    return known if known is not None and known.is_file() else find(str(journal_or_task_id), DIRECTORY)


def _checked_callback(callback: Any) -> Callable[..., Any]:
    if not callable(callback):
        msg = f"job_complete_callback must be callable, got {callback!r}"
        raise TypeError(msg)
    return callback  # type: ignore[no-any-return]


def _left(deadline: float | None) -> float | None:
    """Seconds until a moment of ``time.monotonic()``, 0 when it has passed; None: there is none."""
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def _deadline(in_minutes: float | None, specific_time: Any) -> dt.datetime | None:
    now = dt.datetime.now()
    if specific_time is not None:
        if not isinstance(specific_time, dt.datetime):
            msg = f"specific_time must be a datetime, got {specific_time!r}"
            raise TypeError(msg)
        if specific_time.tzinfo is not None:
            specific_time = specific_time.astimezone().replace(tzinfo=None)
        if specific_time <= now:
            msg = f"the time limit {specific_time:%Y-%m-%d %H:%M:%S} lies in the past; it is {now:%H:%M:%S} now"
            raise ValueError(msg)
        return cast("dt.datetime", specific_time)
    minutes = above_zero("in_minutes", in_minutes)
    return None if minutes is None else now + dt.timedelta(minutes=minutes)
