"""Persistent workers for a callable: one fresh interpreter each, one connection each, no thread in between.

Why a pool of our own and neither loky nor pebble (3.7.0 and 5.2.3, measured on 2 busy cores, 2 workers,
callables that return at once):

================================  =================  ====================  ==========================
what is needed                    loky               pebble                this pool
================================  =================  ====================  ==========================
trials/s, one per free worker     3,200 - 4,600      6,000 - 7,800         29,000 - 31,000
kill one running trial            no: ``cancel()``   worker gone in 0.09 s worker gone in 0.01 s, or
                                  of it is False                           ``grace`` later
... with the trial's children     no: they live on   no: they live on      yes, daemons too (Linux)
a neighbour is killed             every running      nothing is lost       nothing is lost
                                  future fails, the
                                  executor is broken
scalars while a trial runs        no                 no                    yes
a trial's own output              no                 no                    yes
never a fork of the kernel, nor   yes                one or the other      yes
an import of ``__main__``
================================  =================  ====================  ==========================

``concurrent.futures.ProcessPoolExecutor`` reached 7,600 - 9,800 trials/s in the same run. What makes the
difference: it, loky and pebble pass each result through two threads and locked queues; here the one
thread of the controller waits on all connections at once, a trial is one ``send`` and one ``recv`` for
it, and requests to stop lie in a page of shared memory that the trial reads without a system call.

Workers are ended by SIGKILL, so ``atexit`` handlers of a callable's libraries do not run in them: a trial must
write its files before it returns. After a trial that is aborted, or leaves threads or children behind, the worker
is replaced by a fresh one, which imports the callable's modules again.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import signal
import socket
import sys
import tempfile
import time
import warnings
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloudpickle

from hpo_widgets.engines.base import JobEvent, Outcome
from hpo_widgets.engines.local import messages
from hpo_widgets.engines.local.engine import CLOSING, FOREVER, ProcessEngine, WorkerHandle
from hpo_widgets.engines.local.messages import (
    ABORT,
    LOAD,
    NOBODY,
    POINT_HEADER,
    READY,
    SCALAR,
    STARTED,
    STOP,
    UNUSED,
    ChoiceIndex,
)
from hpo_widgets.engines.local.pickling import (
    find_largest,
    libraries_of,
    notebook_sources,
    own_files_of,
    pickle_for_worker,
)
from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hpo_widgets.engines.local.process import Process, WorkerEnvironment
    from hpo_widgets.engines.local.template import FunctionTemplate
    from hpo_widgets.objectives import Objective

_LARGE = 50 * 1024 * 1024
_MANY_SPENT = 3  # workers that were replaced after a trial, of which people are told
_MOST_HAND_OVERS = 3  # workers that may die between trials before one trial, which then fails
_STARTING = 30.0  # seconds in which a worker that has loaded the callable begins a trial
_LONG = 1000  # characters above which a string choice travels with the callable, not with each trial
_UNUSED_SECONDS = 600.0  # after which a process that was started ahead of its search ends, unless it was asked
_BOOT = """
import sys
sys.path[:] = eval(sys.argv.pop(1))
descriptors = [int(word) for word in sys.argv.pop(1).split(",")]
from hpo_widgets.engines.local.supervisor import supervise
supervise(descriptors)
from hpo_widgets.engines.local.worker import main
main(*descriptors, float(sys.argv.pop(1)), sys.argv[1:])
"""
"""The program of a worker. It forks before it loads the worker's modules, which keeps the supervisor small."""


class FunctionPool(ProcessEngine):
    """Runs trials of a callable in persistent workers; see `base.JobEngine` for its methods.

    Parameters
    ----------
    template
        The callable.
    workers
        How many trials may run at once.
    choices
        Name to declared values of the parameters that are choices. Values that are not short plain scalars
        are sent to a worker once, and each trial gets a copy of its own.
    objectives
        What the search optimises, for callables that report or return it without its name.
    worker_env, max_memory_per_job
        See `ProcessEngine`.
    is_loaded
        False: the processes load the installed libraries that the callable needs, and then wait for `load`. One that
        waits for ten minutes ends, and `load` replaces it.

    Raises
    ------
    TypeError
        When a choice cannot be pickled.
    OSError
        On a system without process groups.

    Warns
    -----
    UserWarning
        When the callable and what it refers to take more than 50 MB.
    """

    def __init__(
        self,
        template: FunctionTemplate,
        *,
        workers: int,
        choices: Mapping[str, Sequence[object]] | None = None,
        objectives: Sequence[Objective] = (),
        worker_env: WorkerEnvironment = None,
        max_memory_per_job: float | None = None,
        is_loaded: bool = True,
    ) -> None:
        self._payload_fd = -1
        super().__init__(workers=workers, worker_env=worker_env, max_memory_per_job=max_memory_per_job)
        self._path = _absolute_path()
        self._libraries: list[str] = []
        self._declared: dict[str, DeclaredChoices] = {}
        self._payload_fd = _memory("payload")
        self._is_loaded = False
        self._num_spent = 0
        self._held: deque[tuple[int, Mapping[str, Any]]] = deque()
        """Numbers and points of the trials that wait for the next free worker."""
        self._given: dict[int, dict[str, str]] = {}
        """The variables of each process that waits, by its worker's index."""
        if is_loaded:
            self.load(template, choices, objectives)
        else:
            self._libraries = libraries_of(template.function)
            for worker in self._workers:
                self._try_spawn(worker)

    @property
    def is_current(self) -> bool:
        """Whether all processes still wait for `load`, and new ones would get the same variables, folder and path.

        A function that was given as `worker_env` is asked once more.
        """
        now = self._environments.renewed()
        return (
            not any(worker.process is None or worker.process.has_ended() for worker in self._workers)
            and self._directory == str(Path.cwd())
            and self._path == _absolute_path()
            and all(self._given[worker.index] == now.of(worker.index) for worker in self._workers)
        )

    def load(
        self,
        template: FunctionTemplate,
        choices: Mapping[str, Sequence[object]] | None = None,
        objectives: Sequence[Objective] = (),
    ) -> None:
        """Give the callable as it is now to all processes, and start those that are missing; once in a pool's life.

        Parameters
        ----------
        template
            The callable.
        choices, objectives
            As for the constructor.

        Raises
        ------
        TypeError
            When a choice cannot be pickled.
        """
        for name, values in (choices or {}).items():
            if not all(map(_is_short_scalar, values)):
                self._declared[name] = DeclaredChoices(name, values)
        function = template.function
        self._libraries = libraries_of(function)
        pickled = pickle_for_worker(function)
        if len(pickled) > _LARGE:
            largest = find_largest(function)
            warnings.warn(
                f"{template.name!r} and what it refers to take {len(pickled) / 1e6:.0f} MB"
                f"{f' (most of it is {largest})' if largest else ''}; every worker process gets a copy, so load such "
                "data inside the callable",
                stacklevel=2,
            )
        payload = pickle.dumps(
            {
                "function": pickled,
                "wants_trial": template.wants_trial,
                "asks_trial": template.asks_trial,
                "objectives": [(one.title, one.series) for one in objectives],
                "choices": {name: declared.pickles for name, declared in self._declared.items()},
                "sources": notebook_sources(function),
            },
            5,
        )
        with os.fdopen(os.dup(self._payload_fd), "wb") as file:
            file.write(payload)
        self._is_loaded = True
        self._follow_edits(own_files_of(function))
        for worker in self._workers:
            if worker.process is not None and not self._ask_to_load(worker):
                self._discard(worker)
            if worker.process is None:
                self._try_spawn(worker)

    def launch(self, number: int, point: Mapping[str, Any]) -> int:
        """Start one trial and return the index of its worker; trouble arrives as its "ended" event."""
        worker = self._take(number)
        if self._declared:
            coded = dict(point)
            for name, declared in self._declared.items():
                if name in coded:
                    coded[name] = declared.encode(coded[name])
            point = coded
        try:
            payload = pickle.dumps(point, 5)
        except Exception:  # noqa: BLE001 - a value that only cloudpickle can send
            try:
                payload = cloudpickle.dumps(dict(point))
            except Exception as error:  # noqa: BLE001 - nor that can: whatever the value raises
                self._fail_launch(worker, f"its parameters cannot be sent to one ({type(error).__name__}: {error})")
                return worker.index
        worker.sent = POINT_HEADER.pack(number, len(payload)) + payload
        self._hand_over(worker)
        return worker.index

    def hold(self, number: int, point: Mapping[str, Any]) -> None:
        """Hold one more trial, to be launched as soon as a worker becomes free; see `base.HoldingEngine`."""
        self._held.append((number, point))

    def drop_held(self) -> None:
        """Forget the trials that are held."""
        self._held.clear()

    def ask_stop(self, number: int, state: TrialState = TrialState.ABORTED) -> None:
        """Let ``trial.should_stop`` be True; a callable that never reads it is stopped at its next report."""
        worker = self._running.get(number)
        if worker is not None and worker.page is not None:
            worker.stop_state = state
            worker.page[STOP] = number

    def close(self) -> None:
        """End everything that runs; afterwards no process or file is left."""
        super().close()
        self._held.clear()
        fd, self._payload_fd = self._payload_fd, -1
        if fd >= 0:
            os.close(fd)

    # Inside --------------------------------------------------------------------------------------

    def _end(self, worker: WorkerHandle, outcome: Outcome) -> None:
        ended = worker.number
        super()._end(worker, outcome)
        if not self._held:
            return
        # After a trial that failed the search may be over; and a worker without a process has to be started first.
        is_ready = worker.process is not None and not worker.has_closed
        if is_ready and outcome.state is TrialState.COMPLETED and self.free() > 0:  # none after a resize, maybe
            number, point = self._held.popleft()
            place = len(self._events)
            index = self.launch(number, point)
            self._events.insert(place, JobEvent("launched", number, (index, self._workers[index].began, ended)))

    def _hand_over(self, worker: WorkerHandle) -> None:
        """Send the worker its trial, after starting its process if that is gone."""
        while worker.num_handed_over < _MOST_HAND_OVERS:
            worker.num_handed_over += 1
            if worker.process is None and not self._try_spawn(worker):
                return
            assert worker.connection is not None  # noqa: S101
            assert worker.page is not None  # noqa: S101
            if worker.page[STARTED] == worker.number:  # the same number once more
                worker.page[STOP] = worker.page[ABORT] = worker.page[STARTED] = NOBODY
            try:
                sent = worker.connection.send(worker.sent)
            except BlockingIOError:
                sent = 0
            except OSError:  # it died while idle
                self._discard(worker)
                continue
            if worker.num_handed_over > 1:
                worker.began = time.monotonic()
            if not worker.is_ready and worker.number is not None:
                self._events.append(JobEvent("loading", worker.number, None))
            if sent != len(worker.sent):
                worker.outgoing = worker.sent[sent:]
                self._poll.register(worker.fd, select.POLLIN | select.POLLOUT)
            return
        self._fail_launch(worker, f"{_MOST_HAND_OVERS} in a row ended before they began the trial")

    def _try_spawn(self, worker: WorkerHandle) -> bool:
        """Start the worker's process; without success its trial, if it has one, fails."""
        try:
            self._spawn(worker)
        except Exception as error:
            if worker.number is None and not isinstance(error, OSError):
                raise
            self._fail_launch(worker, f"{type(error).__name__}: {error}")
            return False
        return True

    def _spawn(self, worker: WorkerHandle) -> None:
        environment = self._environments.of(worker.index)
        with contextlib.ExitStack() as childs_side:
            page_fd = _memory("page")
            childs_side.callback(os.close, page_fd)
            os.ftruncate(page_fd, messages.PAGE)
            page = _map(page_fd)
            page[STOP] = page[ABORT] = page[STARTED] = NOBODY
            here, there = socket.socketpair()
            childs_side.callback(there.close)
            descriptors = (there.fileno(), self._payload_fd, page_fd)
            command = [
                sys.executable, "-c", _BOOT, repr(self._path_of(environment)), ",".join(map(str, descriptors)),
                str(_UNUSED_SECONDS), *self._libraries,
            ]  # fmt: skip
            self._start(worker, command, environment, here, descriptors)
            worker.page = page
        if self._is_loaded:
            self._ask_to_load(worker)
        else:
            self._given[worker.index] = environment

    def _ask_to_load(self, worker: WorkerHandle) -> bool:
        """Ask the worker's process to load the callable; False when it has ended."""
        assert worker.connection is not None  # noqa: S101
        try:
            worker.connection.send(LOAD)
        except OSError:
            return False
        return True

    def _path_of(self, environment: Mapping[str, str]) -> list[str]:
        """Where a worker looks for modules: where this process does, after a PYTHONPATH that `worker_env` gives it."""
        own = environment.get("PYTHONPATH", "")
        if own == self._environments.shared.get("PYTHONPATH", ""):
            return self._path
        return [*(str(Path(self._directory, entry)) for entry in own.split(os.pathsep) if entry), *self._path]

    def _fail_launch(self, worker: WorkerHandle, reason: str) -> None:
        if worker.number is not None:
            sentence = f"no worker process could be started: {reason}"
            self._end(worker, Outcome(TrialState.FAILED, error=sentence, worker=worker.index, launch_failed=True))

    def _terminate(self, worker: WorkerHandle) -> None:
        if worker.page is not None and worker.number is not None:
            worker.page[ABORT] = worker.number
        super()._terminate(worker)

    def _handle(self, worker: WorkerHandle, message: list[Any]) -> None:
        kind = message[0]
        if kind == READY:
            worker.is_ready = True
            worker.began = time.monotonic()
            if worker.number is not None:  # loading is not counted
                self._events.append(JobEvent("started", worker.number, time.time()))
            return
        if message[1] != worker.number:  # a thread left behind by an earlier trial is not heard
            return
        if kind == SCALAR:
            self._report(worker, message)
            return
        _kind, _number, seconds, result, details = message
        if details is None and worker.process is not None and not worker.process.is_cut:
            self._end(worker, Outcome(TrialState.COMPLETED, result, None, None, "", "", seconds, worker.index))
        else:
            self._ended(worker, seconds, result, *(details or (messages.PRINTED, None, None)))

    def _check(self, now: float) -> None:
        for worker in self._running.values():
            # The trial before has reported its end but keeps the process busy: a fresh process gets the new one.
            if (
                worker.is_ready
                and worker.killed_at == FOREVER
                and now > worker.began + _STARTING
                and worker.page is not None
                and worker.page[STARTED] != worker.number
            ):
                self._kill(worker)
        super()._check(now)

    def _closed(self, worker: WorkerHandle) -> None:
        super()._closed(worker)
        worker.has_closed = True
        # Without a connection it can neither report nor return a result.
        worker.kill_at = min(worker.kill_at, time.monotonic() + CLOSING)

    def _ended(
        self,
        worker: WorkerHandle,
        duration: float,
        result: object,
        flags: int,
        error: str | None,
        traceback: str | None,
    ) -> None:
        """End a trial that did more than return a value: it printed, failed, or was stopped or aborted."""
        process = worker.process
        assert process is not None  # noqa: S101
        state = TrialState.COMPLETED
        if flags & messages.ABORTED:
            state = worker.abort_state or TrialState.ABORTED
        elif flags & messages.FAILED:
            state = TrialState.FAILED
        elif flags & messages.STOPPED:
            state = worker.stop_state or TrialState.ABORTED
        launch_failed = bool(flags & messages.UNLOADABLE)
        outcome = Outcome(state, result, error, traceback, "", "", duration, worker.index, launch_failed)
        if flags & messages.SPENT and not flags & messages.ABORTED:
            self._count_spent()
        # After a trial that ran out of memory, what it still holds would be missing in the next one.
        if flags & messages.SPENT or self._is_out_of_memory(outcome):
            self._end_with_process(worker, outcome)
            return
        if flags & messages.PRINTED or process.is_cut:
            outcome = outcome._replace(stdout=process.stdout.take(), stderr=process.stderr.take())
        self._end(worker, outcome)

    def _count_spent(self) -> None:
        """Count a trial that costs its worker; people are told when it is no exception, once."""
        self._num_spent += 1
        if self._num_spent == _MANY_SPENT:
            self._tell(
                f"{_MANY_SPENT} trials have left processes or threads running, as a pool of n_jobs=2 does. Each costs "
                "a worker, and the next one loads everything again: use n_jobs=1, or end in the function what it starts"
            )

    def _judge_exit(self, worker: WorkerHandle, process: Process) -> None:
        number = worker.number
        if number is None:
            self._discard(worker)
            return
        has_started = worker.page is not None and worker.page[STARTED] == number
        is_between = worker.is_ready or process.returncode == UNUSED
        if is_between and not has_started and worker.abort_state is None:
            # It died between two trials, or waited too long for the first: the trial has not begun, so it is not lost.
            self._discard(worker)
            self._hand_over(worker)
            return
        duration = time.monotonic() - worker.began
        stdout, stderr = process.stdout.take(), process.stderr.take()
        if worker.abort_state is not None:
            state = worker.abort_state
            error = "did not end when it was told to, and was killed" if worker.killed_at < FOREVER else None
        elif worker.has_closed and worker.killed_at < FOREVER and process.returncode in {None, -signal.SIGKILL}:
            state, error = TrialState.FAILED, "the trial's process closed its connection to the search"
        elif worker.is_ready:
            state, error = TrialState.FAILED, f"the trial's process {process.ending()}"
        else:
            state, error = TrialState.FAILED, f"the worker process {process.ending()} while loading the callable"
        launch_failed = not worker.is_ready and worker.abort_state is None
        self._discard(worker)
        self._end(worker, Outcome(state, None, error, None, stdout, stderr, duration, worker.index, launch_failed))


class DeclaredChoices:
    """The declared values of one choice, sent once with the callable; a trial is given an index."""

    def __init__(self, name: str, values: Sequence[object]) -> None:
        self._values = list(values)  # keeps them alive, so that an id stays theirs
        self._by_id = {id(value): ChoiceIndex(index) for index, value in enumerate(self._values)}
        try:
            self.pickles = [pickle_for_worker(value) for value in self._values]
        except Exception as error:
            raise TypeError(f"a choice of {name!r} cannot be sent to a worker process: {error}") from error

    def encode(self, value: object) -> object:
        """The index of a declared value; other values travel as they are."""
        known = self._by_id.get(id(value))
        if known is not None:
            return known
        for index, declared in enumerate(self._values):
            try:
                if type(declared) is type(value) and bool(declared == value):
                    return ChoiceIndex(index)
            except Exception:  # noqa: BLE001, S112 - arrays and the like have no plain answer
                continue
        return value


def _is_short_scalar(value: object) -> bool:
    return value is None or type(value) in {bool, int, float} or (type(value) is str and len(value) <= _LONG)


def _absolute_path() -> list[str]:
    """Where this process looks for modules, whatever its working directory will be."""
    return [os.path.abspath(entry) if entry == "" else str(entry) for entry in sys.path]  # noqa: PTH100


def _memory(name: str) -> int:
    """The descriptor of an unnamed piece of memory, or of an unnamed file where there is no such memory."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create(f"hpo-widgets-{name}")
    with tempfile.TemporaryFile(prefix="hpo-widgets-", buffering=0) as file:
        return os.dup(file.fileno())


def _map(fd: int) -> memoryview:
    import mmap

    return memoryview(mmap.mmap(fd, messages.PAGE)).cast("q")
