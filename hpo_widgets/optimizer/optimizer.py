"""`HyperParameterOptimizer`, the search controller with ClearML's API, on this machine and on a ClearML server.

This module is the public face: it checks, translates and waits. The state of a search belongs to
the controller's thread (`hpo_widgets.controller`), what is durable to the recorder.
"""

from __future__ import annotations

import atexit
import contextlib
import math
import os
import sys
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from hpo_widgets._messages import run_in_thread
from hpo_widgets.controller import Controller
from hpo_widgets.controller.callbacks import CallbackThread
from hpo_widgets.controller.recorder import Recorder
from hpo_widgets.engines.base import default_concurrency
from hpo_widgets.journal import Journal, opened_by
from hpo_widgets.optimizer.commands import PendingStarts, SearchCommands
from hpo_widgets.optimizer.definition import Definition, define, names_a_task
from hpo_widgets.optimizer.from_optuna import search_from_study
from hpo_widgets.optimizer.reopening import (
    JOURNALS_OF_THIS_PROCESS,
    SEARCHES_OF_THIS_PROCESS,
    find_journal,
    open_search,
)
from hpo_widgets.search import SearchStatus
from hpo_widgets.search.as_code import constructor_call, current_arguments, opening_call
from hpo_widgets.search.limits import SECONDS_A_MINUTE, positive_int, seconds_to_wait
from hpo_widgets.search.readable import ReadableSearch, wait_for_end, wait_until
from hpo_widgets.strategies.base import Observation
from hpo_widgets.strategies.sampling import RandomSearch
from hpo_widgets.viewer.journal_state import write_copy

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    import optuna

    from hpo_widgets.objectives import Objective
    from hpo_widgets.search import Notice, RemoteSource, StopReason
    from hpo_widgets.search.budget import Budget
    from hpo_widgets.space import Space
    from hpo_widgets.space.prior import GivenPrior
    from hpo_widgets.space.range_history import EpochMark
    from hpo_widgets.strategies.base import SearchStrategy
    from hpo_widgets.trials import Trial
    from hpo_widgets.trials.columns import Rows, TrialStore
    from hpo_widgets.trials.export import Extra


class HyperParameterOptimizer(ReadableSearch):
    """Hyperparameter search controller: runs a template experiment repeatedly with different values.

    Names and units (minutes) are those of ``clearml.automation.HyperParameterOptimizer``, and so are most defaults.

    Parameters
    ----------
    base_task_id
        The template experiment: a callable, a `pathlib.Path` to a script, or a ClearML Task, its id or
        ``"project/name"``. A callable gets its parameters by keyword, and ``trial`` if its signature has it. A Task is
        cloned for each trial.
    hyper_parameters
        Parameter objects, of hpo_widgets or of ``clearml.automation``.
    objective_metric_title, objective_metric_series, objective_metric_sign
        The scalar to optimise: strings, or equal-length sequences for several objectives. Signs:
        ``min`` ``max`` (the last value), ``min_global`` ``max_global`` (the extreme over all
        reports). Default sign of a single objective: ``min``. Title and series default to what a callable returns; for
        a script or a Task they are required.
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
        Whether a search on ClearML stores arguments and space in its own Task, by default the script's current one, or
        a Task to use. If an agent runs that Task, its values override the arguments of the code.
    always_create_task
        Whether a search on ClearML makes a Task of its own if this process has none, or its Task keeps an earlier
        search.
    spawn_project
        Project of the trials on ClearML; the journal's group. Default: that of the search's Task, else the
        template's.
    save_top_k_tasks_only
        Above 0: archive (hide, not lose) ended trials beyond the k best, on ClearML also their Tasks. Default: keep
        all.
    **optimizer_kwargs
        ``total_max_jobs``, ``time_limit_per_job`` (minutes), ``min_iteration_per_job``,
        ``max_iteration_per_job``, ``seed``, ``max_failures`` (in a row; default 10),
        ``max_memory_per_job`` (gigabytes of 10⁹ bytes of private memory, libraries included, that each process of a
        trial may take; callables and scripts, on Linux),
        ``allow_duplicates`` (default False),
        ``constraint`` (a function of some or all parameters, which it gets by keyword, such as
        ``lambda width, heads: width % heads == 0``: only points for which it returns True are run; it is called here,
        on a thread of its own; it does not apply to points that lack a parameter that it needs),
        ``stop_grace`` (seconds from the exception or signal by which a trial is
        stopped to SIGKILL; default 0.1), ``name``,
        ``journal`` (directory, or the ``.sqlite`` file itself; default ``.hpo_widgets``),
        ``limits`` (name to hard bounds), ``worker_env`` (of callables and scripts: a function, mapping or sequence from
        a worker's index, from 0, to environment variables; a value of None removes one; default: those of this
        process),
        ``arguments`` (how a script gets its parameters: ``argparse``, ``click``, ``fire``, ``hydra``, or a list of
        strings with ``{name}`` and ``{value}``), ``pool_period_min`` (minutes: a ClearML server is polled after an
        eighth of it where there is news, and after up to twice as much of it while nothing happens; default 0.1),
        and the keywords of the strategy. Unknown ones raise ``TypeError``.

    Raises
    ------
    TypeError, ValueError
        For invalid input, with a correction, before anything runs.
    OSError
        For `max_memory_per_job` on a system other than Linux.

    Examples
    --------
    >>> space = [LogUniformParameterRange("lr", -4, -1)]  # doctest: +SKIP
    >>> optimizer = HyperParameterOptimizer(train, space, total_max_jobs=50)  # doctest: +SKIP
    >>> optimizer.start(); optimizer.wait(); optimizer.best_trial.parameters  # doctest: +SKIP
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
        given: Any = base_task_id
        if not isinstance(given, Definition):  # `open` has made one from a journal
            given = define(
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
        definition: Definition = given
        self._definition = definition
        JOURNALS_OF_THIS_PROCESS[definition.search_id] = definition.path
        self._callbacks = CallbackThread(self._callback_failed)
        self._recorder = Recorder(
            definition.search_id,
            definition.path,
            definition.header,
            definition.space,
            definition.objectives,
            save_top_k=definition.save_top_k,
            remote=definition.template.remote,
        )
        self._controller = Controller(
            space=definition.space,
            objectives=definition.objectives,
            strategy=definition.strategy,
            is_seeded=definition.is_seeded,
            settings=definition.settings,
            recorder=self._recorder,
            callbacks=self._callbacks,
            make_engine=definition.make_engine,
            constraint=definition.constraint,
        )
        self._starts = PendingStarts(self._controller.gate)
        parts = (self, definition, self._controller, self._recorder, self._starts)
        self._commands = SearchCommands(*parts, wait=True)
        self._queued_commands = SearchCommands(*parts, wait=False)
        for sentence in definition.template.notices:
            self._controller.notice("template", sentence)
        SEARCHES_OF_THIS_PROCESS.add(self)
        if definition.past is not None:
            past, definition.past = definition.past, None  # its columns are large
            self._controller.restore(past)

    def _callback_failed(self, error: BaseException) -> None:
        self._controller.notice("callback", f"job_complete_callback raised {type(error).__name__}: {error}")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.status}>"

    # Start and end --------------------------------------------------------------------------------

    def start(self, job_complete_callback: Callable[..., Any] | None = None) -> bool:
        """Start the search, or continue it with what is left of its budget.

        Parameters
        ----------
        job_complete_callback
            Called once for each job that ends with an objective, in order, with (job_id, objective_value,
            objective_iteration, job_parameters, top_performance_job_id). It is called on a thread of its own, so it
            may call any method. Default: the one given before, if any.

        Returns
        -------
        bool
            True, without waiting, when the search was started or runs already; one that is stopping starts again when
            it has stopped. False when nothing of the budget is left (`stop_reason` says what is used up), or when
            `stop` was called while this call waited for a ClearML server.

        Raises
        ------
        JournalError
            When the journal cannot be written, or another process runs the search or has continued it since it was
            opened here; nothing has run then.
        ValueError
            When the execution queue does not exist.
        ClearmlError
            When the trials are for a ClearML server that does not answer.
        """
        if job_complete_callback is not None:
            if not callable(job_complete_callback):
                raise TypeError(f"job_complete_callback must be callable, got {job_complete_callback!r}")
            self._controller.callback_queue.callback = job_complete_callback
        return self._commands.start()

    def prepare_workers(self) -> None:
        """Start worker processes ahead of `start`, so that the first trials need not wait for what they import.

        The processes import the installed packages that the callable uses, if they are loaded here; the callable itself
        and your own modules are loaded at the start. A panel does so when it is first shown.
        One search of a process has such workers at most, and they end after ten minutes without a start.
        Does nothing while the search runs, for scripts, on ClearML and with a ``job_class`` of your own.
        """

        def prepare() -> None:
            if not self.is_running():
                with contextlib.suppress(Exception):  # the start will say what is wrong
                    self._definition.prepare_engine(self._controller.state.most_at_once)

        self._controller.submit(prepare)

    def release_workers(self) -> None:
        """End the workers that `prepare_workers` has started, unless a run uses them."""
        self._definition.template.release()

    def start_locally(self, job_complete_callback: Callable[..., Any] | None = None) -> bool:
        """Start on this machine: the trials of a ClearML Task run as processes here, without a queue.

        A callable or script runs here anyway: the same as `start`.

        Raises
        ------
        RuntimeError
            When the search runs already, with its trials on a queue, as after **Start** in the panel.
        """
        local, job_class = self._definition.template.local_job_class, self._definition.job_class
        is_at_work = self.status in {SearchStatus.RUNNING, SearchStatus.PAUSED}
        if local is not None and is_at_work and not (job_class and issubclass(job_class, local)):
            raise RuntimeError(
                f"start_locally() did nothing: the search runs already, with its trials on {self.engine_name}; call "
                "stop(), and start_locally() then continues it on this machine"
            )
        if local is not None and not is_at_work:
            if self._definition.has_default_concurrency:
                self._definition.has_default_concurrency = False
                self.set_max_number_of_concurrent_tasks(default_concurrency())
            self._definition.job_class = local
        return self.start(job_complete_callback)

    def stop(self, timeout: float | None = None, wait_for_reporter: bool = True) -> None:
        """Stop: running trials get ``stop_grace`` seconds to clean up, then are killed.

        On ClearML it returns once every abort has been sent, or tried at a server that does not answer. The search
        counts as stopping until the server confirms that all Tasks have ended, for five minutes at most; then it ends,
        and `stop_reason` names the Tasks that may still run. A start that still waits for the server is cancelled.
        Idempotent and safe from any thread, a callback's included.

        Parameters
        ----------
        timeout
            Minutes to wait at most for the end. Default: until it has ended (under a second).
        wait_for_reporter
            Wait also for callbacks that have not returned, and for the last report to ClearML. Default True.

        Raises
        ------
        RuntimeError
            When a callback of `subscribe` has kept the search from stopping for a minute, as one does that waits for
            the thread that calls this. The search stops when the callback returns.
        """
        seconds = seconds_to_wait(timeout)
        deadline = None if seconds is None else time.monotonic() + seconds
        stopping = self._commands.stop()
        if self._controller.is_current:
            return
        if stopping is not None:
            try:
                # Of the run that it stops: the next one may have begun by now.
                aborts_sent = self._controller.result_of(stopping, _left(deadline))
            except TimeoutError:
                return
            if not self._controller.wait_until(aborts_sent.wait, _left(deadline)):
                return
        if wait_for_reporter:
            self._wait_for_rest(deadline)

    def wait(self, timeout: float | None = None, *, progress: bool = False) -> bool:
        """Wait for the end of the search without stopping it; interruptible.

        Parameters
        ----------
        timeout
            Minutes. Default: until the end.
        progress
            Whether to draw a bar with the best value so far meanwhile, on the standard error stream.

        Returns
        -------
        bool
            True when the search has ended, and at once when nobody has started it, as with ClearML's controller. False
            when it timed out, or when a ClearML server has not taken the last report a minute after the end. A start
            that still waits for a ClearML server is waited for, too.

        Raises
        ------
        RuntimeError
            On the search's own thread, as in a callback of `subscribe`, where it would never return.
        """
        seconds = seconds_to_wait(timeout)
        deadline = None if seconds is None else time.monotonic() + seconds
        if self._controller.is_current:
            msg = "wait() on the search's own thread would never return; call it elsewhere"
            raise RuntimeError(msg)
        if not self._wait_for_starts(deadline):
            return False
        if progress and not wait_for_end(self, timeout, progress=True):
            return False
        if not self._controller.ended.wait(_left(deadline)):
            return False
        return self._wait_for_rest(deadline)

    def _wait_for_starts(self, deadline: float | None) -> bool:
        """Wait until what was started has begun or failed to; not in a subscriber, as that may be called by a start."""
        if self._recorder.shown.seconds_told(threading.current_thread()) > 0:
            return True
        return self._starts.wait(_left(deadline))

    def _wait_for_rest(self, deadline: float | None) -> bool:
        """Wait for the callbacks that are due and, once the search has ended, for its last report."""
        if not self._callbacks.wait(_left(deadline)):
            return False
        if self._callbacks.is_current or not self._controller.ended.is_set():
            return True
        return self._definition.template.wait_for_reports(_left(deadline))

    async def wait_async(self, timeout: float | None = None) -> bool:
        """`wait` for coroutines: other tasks of the event loop continue meanwhile.

        A cell that awaits it holds the cells after it, as `wait` does; an ``asyncio.create_task`` of it holds none.

        Parameters
        ----------
        timeout
            Minutes. Default: until the end.

        Returns
        -------
        bool
            As `wait`.
        """
        import asyncio

        seconds = seconds_to_wait(timeout)
        deadline = None if seconds is None else time.monotonic() + seconds
        if self._starts and not await asyncio.to_thread(self._wait_for_starts, deadline):
            return False
        ended = self._controller.ended  # of this run: the next one may have begun before its end is seen
        left = _left(deadline)
        if not await wait_until(self, ended.is_set, None if left is None else left / SECONDS_A_MINUTE):
            return False
        if self._wait_for_rest(time.monotonic()):  # also where no time is left
            return True
        try:
            async with asyncio.timeout(_left(deadline)):
                return await asyncio.to_thread(self._wait_for_rest, deadline)
        except TimeoutError:
            return False

    def is_running(self) -> bool:
        """True while the search runs or pauses."""
        return not self._controller.ended.is_set()

    # Time -----------------------------------------------------------------------------------------

    def set_time_limit(self, in_minutes: float | None = None, specific_time: dt.datetime | None = None) -> None:
        """Set the search's time limit; neither argument: no limit.

        Parameters
        ----------
        in_minutes
            Minutes from now.
        specific_time
            A moment, naive local or aware.

        Raises
        ------
        TypeError, ValueError
            For a moment in the past, minutes that are not above 0, and what is neither a number nor a ``datetime``.
        """
        self._commands.set_time_limit(in_minutes, specific_time)

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

    @property
    def elapsed_minutes(self) -> float:
        """Minutes the search has run; 0 before its start."""
        return self._controller.state.clock.elapsed

    # Settings -------------------------------------------------------------------------------------

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
        self._definition.job_class = job_class

    def set_report_period(self, report_period_minutes: float) -> None:
        """Set how often progress is reported, to the journal and to the search's own Task, in minutes (default 10).

        Raises
        ------
        TypeError, ValueError
            When it is not a number above 0 and of at most a year.
        """
        self._commands.set_report_period(report_period_minutes)

    def set_max_number_of_concurrent_tasks(self, number: int) -> None:
        """Change how many trials run at once; running ones finish.

        Raises
        ------
        TypeError, ValueError
            When it is not a whole number of at least 1.
        """
        self._commands.set_max_number_of_concurrent_tasks(number)

    def set_total_max_jobs(self, number: int | None) -> None:
        """Change the job budget, which a trial that was aborted before it ran does not use up; None: no limit.

        Less than was launched already becomes that number: nothing more is launched, and ``errors`` says so.

        Raises
        ------
        TypeError, ValueError
            When it is not a whole number of at least 1, and not None.
        """
        self._commands.set_total_max_jobs(number)

    def set_compute_time_limit(self, minutes: float | None) -> None:
        """Change the compute budget, in minutes; None: no limit.

        Raises
        ------
        TypeError, ValueError
            When it is not a number above 0, and not None.
        """
        self._commands.set_compute_time_limit(minutes)

    # Steering -------------------------------------------------------------------------------------

    @property
    def capabilities(self) -> dict[str, str | None]:
        """Each command, with None if it is possible now, else with the reason why not."""
        return self._commands.capabilities

    def command(self, name: str, *arguments: Any) -> None:
        """Request one of the commands of `Search` and return at once; problems appear in ``errors``.

        Parameters
        ----------
        name
            The name of the method.
        *arguments
            Its arguments.
        """
        self._queued_commands.command(name, *arguments)

    def pause(self) -> None:
        """Launch no more trials; running ones finish, those in a ClearML queue are taken out, time limits continue."""
        self._commands.pause()

    def resume(self) -> None:
        """Launch again; starts a search that was reopened paused, with the errors of `start`."""
        self._commands.resume()

    def set_range(self, name: str, range: Sequence[Any]) -> None:  # noqa: A002 -- the field's word
        """Narrow or widen one range.

        Parameters
        ----------
        name
            The parameter.
        range
            ``(low, high)`` in parameter values, or the allowed choices.

        Raises
        ------
        ValueError
            As `set_ranges`.
        """
        self._commands.set_range(name, range)

    def set_ranges(self, ranges: Mapping[str, Sequence[Any]]) -> None:
        """Change several ranges in one step of `undo`: trials proposed from now on lie inside, history is kept.

        Raises
        ------
        ValueError
            For unknown names (with the nearest one) and impossible ranges; nothing changes then.
        """
        self._commands.set_ranges(ranges)

    def add_choices(self, name: str, values: Sequence[Any]) -> None:
        """Add choices to a parameter, before, while or after the search runs; all trials are kept.

        Trials proposed from now on may have them, and grid search runs what it lacks. They come after the choices that
        are there, and in a prior each has the mean weight of these. `undo` excludes them, as `set_range` would, and
        `redo` allows them again. A search that is opened again has them.

        Parameters
        ----------
        name
            The parameter, a `DiscreteParameterRange`, also one inside a single combination of a `ParameterSet`.
        values
            The new choices, of any type.

        Raises
        ------
        ValueError
            For an unknown name (with the nearest one), a range of numbers, no value, a choice that is there already,
            values that the template experiment does not take or whose text is too long for a journal, and where
            combinations of a `ParameterSet` set the name; nothing changes then.
        TypeError
            For a value that cannot be sent to a worker process.

        Examples
        --------
        >>> optimizer.add_choices("kind", ["resnet"])  # doctest: +SKIP
        """
        self._commands.add_choices(name, values)

    def set_prior(self, name: str, prior: GivenPrior) -> None:
        """Say which values of a parameter are likely to be good, before or while the search runs.

        Random search and Optuna's TPE propose the next trials accordingly. The prior fades with evidence: n trials
        later, its weights are raised to the power ``beta / n``, at most 1 (πBO, Hvarfner et al., ICLR 2022). No value
        of the range is excluded: its weight is at least 1 % of the greatest. `undo` takes the prior back, and a search
        that is opened again keeps it.

        Parameters
        ----------
        name
            The parameter.
        prior
            Weights of any scale: a sequence, one for each of equal bins of the present range, on the parameter's own
            scale (of the logarithm for a log range), or one for each declared choice; a dict of choices and weights,
            0 for the others; a function from a value to its weight; or a dict with ``weights`` and, where they are
            others, ``range`` (low, high) and ``beta`` (10). None removes the prior.

        Raises
        ------
        ValueError
            For an unknown name (with the nearest one), what is no prior, and a strategy that follows none; nothing
            changes then.

        Examples
        --------
        >>> optimizer.set_prior("lr", [0, 1, 4, 1, 0])  # doctest: +SKIP
        >>> optimizer.set_prior("solver", {"adam": 3, "sgd": 1})  # doctest: +SKIP
        >>> optimizer.set_prior("lr", lambda lr: math.exp(-(math.log10(lr / 3e-3) ** 2)))  # doctest: +SKIP
        """
        self._commands.set_prior(name, prior)

    def set_priors(self, priors: Mapping[str, GivenPrior]) -> None:
        """Set the priors of several parameters in one step of `undo`; see `set_prior`.

        Raises
        ------
        ValueError
            As `set_prior`.
        """
        self._commands.set_priors(priors)

    def undo(self) -> None:
        """Go back to the ranges, choices and priors before the last change; does nothing if there is none."""
        self._commands.undo()

    def redo(self) -> None:
        """Take back the last `undo`; does nothing if there is none, or if something was changed since."""
        self._commands.redo()

    def enqueue_trial(self, parameters: Mapping[str, Any]) -> None:
        """Run a given point next, even if it was run before; it counts against the budget.

        If the budget is used up, the point waits until ``total_max_jobs`` is raised, and ``errors`` says so.
        Before the start the points wait, and are run first.

        Parameters
        ----------
        parameters
            A value for each parameter, by name; of a `ParameterSet` those of one combination. It may lie outside the
            present range, not beyond ``limits``.

        Raises
        ------
        ValueError
            For an unknown name (with the nearest one), a missing one, a value of a wrong type or beyond ``limits``.
        """
        self._commands.enqueue_trial(parameters)

    def add_trial(
        self,
        parameters: Mapping[str, Any],
        values: float | Sequence[float] | Mapping[str, float],
        *,
        note: str = "",
        tags: Sequence[str] = (),
    ) -> int:
        """Record a result that you have already, of an earlier run or a paper, as a completed trial.

        Nothing runs, and no limit counts it, neither ``total_max_jobs`` nor ``compute_time_limit``. It has the next
        number, no worker, no start and no duration; its ``is_recorded`` is True. It is written to the journal at once:
        before the start, while the search runs and after its end. ``job_complete_callback`` is not called.

        It may be the best trial. Strategies that learn do so from the next proposal on, if its point lies inside the
        present ranges. No strategy proposes the point again, unless ``allow_duplicates`` is set. A pruner does not
        compare with it, as it has no curve.

        Parameters
        ----------
        parameters
            A value for each parameter, as for `enqueue_trial`: it may lie outside the present range, not beyond
            ``limits``.
        values
            The value of the objective. Of several objectives one each, in their order, or a dict by their names
            (``"title/series"``, or the series alone, the title of an empty one), which may hold other scalars too.
            Infinite ones rank last.
        note
            As for `set_note`. Default: none.
        tags
            As for `set_tags`. Default: none.

        Returns
        -------
        int
            The number of the trial.

        Raises
        ------
        ValueError
            For parameters that `enqueue_trial` refuses, a missing value and one that is no number, such as NaN, and
            on ClearML, where each trial is a Task.
        JournalError
            When the journal cannot be written, for instance as the disk is full. After any error nothing is recorded.

        Examples
        --------
        >>> optimizer.add_trial({"lr": 0.01, "kind": "fast"}, 0.034, tags=["paper"])  # doctest: +SKIP
        """
        number = self._commands.add_trial(parameters, values, note, tags)
        assert number is not None  # noqa: S101 -- these commands are waited for
        return number

    def add_trials(
        self,
        results: Iterable[tuple[Mapping[str, Any], float | Sequence[float] | Mapping[str, float]]],
        *,
        note: str = "",
        tags: Sequence[str] = (),
    ) -> list[int]:
        """Record many results as completed trials, as `add_trial` does one, but by one write of the journal.

        Parameters
        ----------
        results
            Pairs of parameters and values, each as for `add_trial`. All are checked before the first is recorded.
        note, tags
            Note and tags of each of these trials, as for `add_trial`. Default: none.

        Returns
        -------
        list of int
            The numbers of the trials, in the order of the results.

        Raises
        ------
        TypeError
            For what is no pair.
        ValueError
            For results that `add_trial` refuses: the message names the first of them, as in ``results[17]: …``.
        JournalError
            When the journal cannot be written. After any error none of the results is recorded.

        Examples
        --------
        >>> points = earlier[["lr", "kind"]].to_dict("records")  # doctest: +SKIP
        >>> optimizer.add_trials(zip(points, earlier["loss"]), tags=["2025"])  # doctest: +SKIP
        """
        numbers = self._commands.add_trials(results, note, tags)
        assert numbers is not None  # noqa: S101 -- these commands are waited for
        return numbers

    def retry(self, trial: Trial | int) -> None:
        """Run a trial's point again, as `enqueue_trial`; the retry counts against the budget.

        Parameters
        ----------
        trial
            The trial, or its number.

        Raises
        ------
        IndexError
            If there is no such trial.
        TypeError, ValueError
            For what is neither a trial nor a number, for a trial of another search, whose point `enqueue_trial`
            takes, and for a point that the constraint does not allow.
        """
        self._commands.retry(trial)

    def retry_failed(self) -> int:
        """Run all points again that have failed and have no result, as `retry`: each once, the oldest first.

        A point is not run again if another trial of it has completed, was pruned, runs or waits, nor if the constraint
        does not allow it (``errors`` says so). Those that the budget has no room for wait until ``total_max_jobs`` is
        raised, and ``errors`` says to what. After its end the search is started again by `start`.

        Returns
        -------
        int
            How many points were queued.
        """
        return self._commands.retry_failed()

    def failed_points(self) -> list[int]:
        """Find the points that `retry_failed` would queue now, in their order: the number of a failed trial of each."""
        return self._commands.failed_points()

    def allows(self, parameters: Mapping[str, Any]) -> bool:
        """Whether the `constraint` lets a point be run; True for all points where there is none.

        Parameters
        ----------
        parameters
            The point, as for `enqueue_trial`.

        Raises
        ------
        TypeError, ValueError
            For what is no point of the space, and when the function raises an exception or returns neither True nor
            False.
        """
        return self._commands.allows(parameters)

    def stop_trial(self, trial: Trial | int) -> None:
        """End one trial that runs or waits, as `stop` ends all; the search goes on.

        It counts as aborted, and against the budget if it has run. A trial that has ended stays as it is.

        Parameters
        ----------
        trial
            The trial, or its number.

        Raises
        ------
        IndexError
            If there is no such trial.
        TypeError, ValueError
            For what is neither a trial nor a number, and for a trial of another search.
        """
        self._commands.stop_trial(trial)

    def set_note(self, trial: Trial | int, note: str) -> None:
        """Keep a text about a trial, in the journal and, where it is a Task on ClearML, below the Task's comment.

        Parameters
        ----------
        trial
            The trial, or its number.
        note
            The text, up to 4000 characters; empty removes it.

        Raises
        ------
        IndexError
            If there is no such trial.
        TypeError, ValueError
            If it is not a text or too long, and for a trial of another search.
        """
        self._commands.set_note(trial, note)

    def set_tags(self, trial: Trial | int, tags: Sequence[str]) -> None:
        """Give a trial tags, in the journal and, where it is a Task on ClearML, at the Task, whose other tags stay.

        Parameters
        ----------
        trial
            The trial, or its number.
        tags
            All of its tags: up to 20, of at most 60 characters each; empty removes them.

        Raises
        ------
        IndexError
            If there is no such trial.
        TypeError, ValueError
            If they are not a list of words, too many or too long, and for a trial of another search.
        """
        self._commands.set_tags(trial, tags)

    def leave_out(self, trials: Trial | int | Iterable[Trial | int]) -> None:
        """Leave trials whose results are wrong out of the search; nothing is deleted, and `take_back` restores them.

        A trial that is left out is in the state ``left out``: it is not ranked, so it is not the best, nor on the
        Pareto front, and importance, advice and the strategy do not know of it. What learns from trials begins anew
        with the others, so the next proposal is made without it. It counts in all budgets, as it did run, and no
        strategy proposes its point again, unless ``allow_duplicates`` was given.

        Parameters
        ----------
        trials
            A trial, or its number, or several: all of them are left out, or none.

        Raises
        ------
        IndexError
            If there is no such trial.
        TypeError, ValueError
            For what is neither a trial nor a number, for a trial of another search, and for one that has not ended.

        Examples
        --------
        >>> optimizer.leave_out([3, 7])  # doctest: +SKIP
        """
        self._commands.leave_out(trials)

    def take_back(self, trials: Trial | int | Iterable[Trial | int]) -> None:
        """Have trials count again that were left out by `leave_out`; for others it changes nothing.

        Parameters
        ----------
        trials
            A trial, or its number, or several: all of them are taken back, or none.

        Raises
        ------
        IndexError
            If there is no such trial.
        TypeError, ValueError
            For what is neither a trial nor a number, and for a trial of another search.
        """
        self._commands.take_back(trials)

    # What the search is ---------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The search id, which also names its journal."""
        return self._recorder.search_id

    @property
    def journal_path(self) -> Path:
        """Where the journal is, or will be once the search was started or a result was recorded."""
        return self._recorder.path

    @property
    def optimizer_task_id(self) -> str | None:
        """The id of the ClearML Task that keeps the search once it was started, and by which `open` finds it anywhere.

        None where the search has no such Task: its trials are no Tasks, or the Task keeps another search.
        """
        return self._definition.template.kept_by(self.id)

    @property
    def optimizer_task_page(self) -> str | None:
        """Address of that Task's page in ClearML's web application.

        None if there is no such Task, or the configuration of ClearML does not name the application.
        """
        task, remote = self.optimizer_task_id, self._definition.template.remote
        return None if task is None or remote is None else remote.page(task)

    def backup(self, path: str | Path) -> Path:
        """Write a copy of the journal that can be viewed and continued like any other, also while the search runs.

        Copying the file by other means misses what is still in its log, and takes away its locks.

        Parameters
        ----------
        path : str or pathlib.Path
            The new file, or the folder for one of the same name.

        Returns
        -------
        pathlib.Path
            The new file.

        Raises
        ------
        JournalError
            When there is such a file, it cannot be written, or the search has no journal yet, as it was never started.
        """
        with Journal.view(self.journal_path) as reader:
            return write_copy(reader, path)

    @property
    def name(self) -> str:
        """The search's name; by default the template experiment's."""
        return self._definition.name

    @property
    def space(self) -> Space:
        """The present space epoch."""
        return self._controller.state.space

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """What is optimised."""
        return self._definition.objectives

    @property
    def engine_name(self) -> str:
        """Where trials run."""
        return self._definition.template.place(self._definition.job_class)

    @property
    def strategy_name(self) -> str:
        """The strategy's class name."""
        return type(self._controller.state.strategy).__name__

    @property
    def strategy_title(self) -> str:
        """The display name of the strategy, such as ``random search``."""
        return self._controller.state.strategy.title

    @property
    def constraint(self) -> str | None:
        """What points have to meet before they are run, such as ``fits(width, heads)``; None: nothing."""
        constraint = self._controller.state.constraint
        return None if constraint is None else repr(constraint)

    @property
    def status(self) -> SearchStatus:
        """What the search is doing."""
        return self._controller.state.status

    @property
    def stop_reason(self) -> StopReason | None:
        """Why the search ended; None while it has not."""
        return self._controller.state.stop_reason

    @property
    def budget(self) -> Budget:
        """Limits and used amounts."""
        return self._controller.state.budget

    @property
    def next_poll(self) -> float | None:
        """Seconds until the server that runs the trials is polled again; None: no such server, or none planned."""
        due = self._controller.next_poll
        return None if due is None else max(0.0, due - time.monotonic())

    @property
    def num_waiting_points(self) -> int:
        """How many points of `enqueue_trial`, `retry` and `retry_failed` wait for a free worker."""
        return len(self._controller.state.enqueued)

    @property
    def epochs(self) -> Sequence[EpochMark]:
        """The space epochs so far, the first included."""
        return self._controller.state.epochs.marks

    @property
    def errors(self) -> Sequence[Notice]:
        """Notices of what went wrong, apart from failed trials, oldest first."""
        return self._controller.notices

    @property
    def max_number_of_concurrent_tasks(self) -> int:
        """Trials that run at once at most."""
        return self._controller.state.settings.max_number_of_concurrent_tasks

    @property
    def total_max_jobs(self) -> int | None:
        """The job budget; None: no limit."""
        return self._controller.state.settings.total_max_jobs

    # Trials ---------------------------------------------------------------------------------------

    @property
    def _store(self) -> TrialStore:
        return self._recorder.shown

    @property
    def _declared_space(self) -> Space:
        return self._controller.state.epochs.first_space

    def _experiments(self, trials: Sequence[Trial]) -> Sequence[Any]:
        return self._definition.template.experiments(trials)

    def _parameters_of(self, trial: Trial) -> Mapping[str, str]:
        return self._definition.template.parameters_of(trial)

    def _more_parameters(self, trials: Sequence[Trial]) -> Sequence[Mapping[str, str]]:
        return self._definition.template.hyper_parameters(trials)

    def _extras_of(self, rows: Rows) -> Mapping[int, Extra]:
        return self._recorder.reader.extras(rows)

    def trial(self, number: int) -> Trial:
        """One trial; ``IndexError`` if there is no trial of that number."""
        return self._recorder.trial(number)

    def log_so_far(self, number: int) -> Future[str | None]:
        """Ask what a trial has printed so far; empty for one of this machine that does not run."""
        job, remote = self._recorder.job_of(number), self._definition.template.remote
        if job is not None and remote is not None:
            return self._console(number, job, remote)
        if self.is_running():
            return self._controller.submit(lambda: self._controller.log(number))
        nothing: Future[str | None] = Future()
        nothing.set_result("")
        return nothing

    def _console(self, number: int, job: str, remote: RemoteSource) -> Future[str | None]:
        """Read what a server keeps of a trial's output, on a thread of its own: a panel does not wait for a server.

        A panel asks for a running trial each second, for which a cached text is enough. It asks for an ended trial when
        that is selected or has just ended; then the last lines count, and the server is asked again.
        """

        def read() -> str:
            return "\n".join(filter(None, remote.output(job, fresh=self.trial(number).state.has_ended)))

        return run_in_thread("hpo_widgets console", read, self._recorder.shown.notify)

    def close_files(self) -> None:
        """Close the files that were opened to read single trials; reading one opens them again."""
        self._recorder.reader.close()

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
        objective_metric_title, objective_metric_series, objective_metric_sign
            The scalars, as for the constructor.
        optimizer_task_id
            The id of an optimizer Task on ClearML: its best children come as Tasks. Or a search id of this machine
            (or the path of a journal).
        top_k
            How many at most.

        Returns
        -------
        sequence
            Best first.

        Raises
        ------
        JournalError, ValueError
            If there is no such search, and no such Task.
        """
        positive_int("top_k", top_k)
        if names_a_task(optimizer_task_id):
            from hpo_widgets.engines.clearml.children import top_children

            return top_children(
                objective_metric_title, objective_metric_series, objective_metric_sign, optimizer_task_id, top_k
            )
        from hpo_widgets.viewer import SearchViewer

        with SearchViewer(find_journal(optimizer_task_id)) as viewer:
            return viewer.top_by(objective_metric_title, objective_metric_series, objective_metric_sign, top_k)

    def as_code(self) -> str:
        """The search as Python: imports, the constructor call with the present ranges and limits, recorded results.

        Objects that code can only name, such as a sampler, are written as names with a comment. ``worker_env`` is not
        written.
        """
        definition, controller = self._definition, self._controller
        wall_limit = controller.state.settings.optimization_time_limit
        if controller.state.clock.has_own_deadline:
            whole = self.budget.wall_minutes.limit
            wall_limit = None if whole is None else round(whole, 2)
        given = {**definition.given, "worker_env": None if definition.worker_env is None else ...}
        base_task_id = given.pop("base_task_id")
        return constructor_call(
            base_task_id,
            self.space,
            self.objectives,
            type(controller.state.strategy),
            current_arguments(controller.state.settings, wall_limit, self.space.limits, given),
            recorded=self._recorded(),
        )

    def opening_code(self) -> str:
        """Python that shows this search again in another kernel, where **Continue** continues it.

        It finds the search once there is a journal: from the first start or the first recorded result on. What a
        journal cannot hold, such as the function or a sampler, is given again, each by a name that a comment explains.
        Nothing of ``worker_env`` is written.
        """
        definition = self._definition
        return opening_call(
            opened_by(self.journal_path, self.id),
            definition.template.base_task_id,
            type(self._controller.state.strategy),
            definition.header,
            self.space,
            definition.given,
        )

    def to_optuna(self) -> optuna.Study:
        """The search so far as an Optuna study, for Optuna's own plots and analyses.

        A trial that is left out has Optuna's state ``FAIL``, which its samplers and plots ignore.
        """
        from hpo_widgets.strategies.optuna import study_from_trials

        rows = self._recorder.ended_rows()
        space = self._declared_space
        return study_from_trials(space, self.objectives, [Observation.of(row, space) for row in rows], self.name)

    @classmethod
    def open(
        cls,
        journal_or_task_id: str | Path,
        search: str | None = None,
        *,
        base_task_id: Callable[..., Any] | Path | str | None = None,
        journal: str | Path | None = None,
        **optimizer_kwargs: Any,
    ) -> Any:
        """Open a search again: to continue it, or to look at it.

        Parameters
        ----------
        journal_or_task_id
            A search id, or the beginning of one that fits one journal only; a journal's path; a directory of journals
            together with ``search``; or the id of an optimizer Task on ClearML: what became of its trials is read from
            their Tasks, those that still wait or run are taken over by `start`, and the journal is written anew where
            it is missing. The id of an optimizer Task of ClearML's own controller
            gives a view.
        search
            The id of a search in the directory ``journal_or_task_id``.
        base_task_id
            The template experiment. With it the search can be continued by `start`, unless a live
            process owns it; without it there is a view of it (`SearchViewer`). It may be of another kind than
            before: a search that was tried on a callable continues with a ClearML Task and ``execution_queue=``. Not
            needed for an optimizer Task.
        journal
            The directory of journals in which a search id is looked up, or the journal itself, as for the constructor;
            of an optimizer Task, where its journal is or is written. Default: where this process made the search, else
            ``.hpo_widgets``.
        **optimizer_kwargs
            Arguments that a journal cannot hold, such as ``optuna_sampler``, ``worker_env`` or ``constraint`` (None:
            there is none from now on), and those that say where trials run: ``execution_queue``, ``spawn_project``,
            ``pool_period_min``. ``optimizer_class`` has the search go on with another strategy, in a new version of the
            space. What the journal keeps is
            refused: ``name``, ``limits``, budgets, and ``hyper_parameters`` other than those of the search.

        Returns
        -------
        HyperParameterOptimizer or SearchViewer
            The viewer when there is no ``base_task_id`` or the owner lives; another view, with the same members as
            far as `Search` has them, for a search of ClearML's own controller.

        Raises
        ------
        JournalError
            When there is no such search, with near matches, its journal cannot be read, or a living process elsewhere
            runs the search of a Task.
        FileNotFoundError
            When there is no journal at a path.
        TypeError
            For an argument that the journal keeps, and for one that it cannot hold and that is missing beside
            ``base_task_id``: the message names it.
        ValueError
            When what is given does not fit the search, `journal` is another place than a path that is given besides,
            or a Task keeps no search.
        ClearmlError
            When the ClearML server of a Task does not answer.
        """
        return open_search(
            cls, journal_or_task_id, search, base_task_id=base_task_id, journal=journal, keywords=optimizer_kwargs
        )

    @classmethod
    def from_optuna(
        cls,
        study: optuna.Study,
        base_task_id: Callable[..., Any] | Path | None = None,
        hyper_parameters: Sequence[Any] | None = None,
        **optimizer_kwargs: Any,
    ) -> Any:
        """Make a search that begins with the trials of a study of Optuna: to look at them, or to go on.

        The study is read once and not changed. Its trials are those of the search: completed, pruned and failed ones,
        with their times, interim values and user attributes that are numbers; they count against ``total_max_jobs`` and
        ``compute_time_limit``, and strategies learn from them. A trial that runs becomes an aborted one, and one that
        waits is passed over.

        Parameters
        ----------
        study
            A study of Optuna, such as that of ``optuna.load_study``.
        base_task_id
            The callable or the script of further trials, with the study's parameters as arguments. Default: the
            trials can only be viewed.
        hyper_parameters
            Parameter objects. Default: those of the study, as wide as the widest range of its trials, with a
            `ParameterSet` for those that depend on a choice; a whole number on a log scale is drawn evenly.
        **optimizer_kwargs
            All other arguments of the constructor. ``name`` is the study's by default, and so are title, series and
            sign of its objectives: its metric names, or ``objective``, or ``objective_0`` and so on. Without
            ``base_task_id`` only ``name``, ``journal`` and ``limits`` are taken.

        Returns
        -------
        HyperParameterOptimizer or SearchViewer
            The viewer when there is no ``base_task_id``. `open` opens either again, by its ``id``.

        Raises
        ------
        TypeError
            When `study` is no study, and for arguments that need ``base_task_id``.
        ValueError
            When the parameters cannot be found out (the message says what to give as `hyper_parameters`), when those
            that are given do not hold the study's values, and for a ClearML Task.
        JournalError
            When the journal cannot be written.

        Examples
        --------
        >>> study = optuna.load_study(study_name="cnn", storage="sqlite:///cnn.db")  # doctest: +SKIP
        >>> OptimizerWidget(HyperParameterOptimizer.from_optuna(study))  # doctest: +SKIP
        """
        return search_from_study(cls, study, base_task_id, hyper_parameters, optimizer_kwargs)


_PID = os.getpid()


@atexit.register
def _tell_of_unfinished() -> None:
    """Say that a program ends before its search: trials end with it, and nothing else would tell why."""
    if os.getpid() != _PID or "ipykernel" in sys.modules:  # nobody reads what a kernel says at its end
        return
    for search in list(SEARCHES_OF_THIS_PROCESS):
        trials_are_here = search._definition.template.remote is None  # noqa: SLF001 -- the class of this module
        if trials_are_here and search.is_running():
            sys.stderr.write(
                f"hpo_widgets: the search {search.id} was still running when the program ended, and its trials end "
                "with it; call wait() to wait for the end of a search\n"
            )


def _left(deadline: float | None) -> float | None:
    """Seconds until a moment of ``time.monotonic()``, 0 when it has passed; None: there is none."""
    return None if deadline is None or deadline == math.inf else max(0.0, deadline - time.monotonic())
