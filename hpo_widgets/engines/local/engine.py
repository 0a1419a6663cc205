"""What the engines for callables and for scripts share: workers, waiting for them, deadlines, and closing.

All methods but `wake` belong to one thread. That thread is never blocked by a trial: sockets are non-blocking,
what must be killed is killed at its deadline from inside `wait`, and a process that takes long to die is reaped
later. Nothing that a process sends is trusted: a malformed message ends that process and fails its trial, no more.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import socket
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo_widgets.engines.base import JobEvent, Outcome
from hpo_widgets.engines.local.messages import MAX_LINE, MAX_SERIES, BadMessageError, read
from hpo_widgets.engines.local.process import Environments, Process, check_platform
from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hpo_widgets.engines.local.process import WorkerEnvironment

_CHECK_SECONDS = 0.1  # between checks of the size of output files
_SOON = 0.02  # seconds to the next check while one of them grows fast, or a process is about to end
_PATIENCE = 0.05  # seconds that a killed process gets to vanish before its trial counts as ended anyway
_REAPING = 15.0  # seconds that all killed processes together get in `close`; more than `process._PATIENCE`
_LONGEST = 3600.0  # seconds of one wait of the operating system's, which has a limit
_CHUNK = 1 << 16
_LAST_WORDS = 2000  # characters of what a trial printed, in which the reason of its end is looked for
_GIGABYTE = 1_000_000_000
_FILES_A_WORKER, _FILES_BESIDE = 6, 512
"""Open files that a worker takes in this process, and those that everything else in it may take."""
# As Python and NumPy, C++, the C library, PyTorch, JAX, TensorFlow and what loads libraries say it, but not of a GPU's
# memory. A thread takes memory for its stack.
_OUT_OF_MEMORY = re.compile(
    r"(?<!OutOf)MemoryError|bad_alloc|(cannot|can't|unable to|failed to) (allocate|map) |not enough memory"
    r"|memory allocation (still )?failed|Out of memory allocating \d+ bytes|OOM when allocating [^\n]*device:CPU"
    r"|can't start new thread",
    re.IGNORECASE,
)

FOREVER = float("inf")

CLOSING = 2.0
"""Seconds that a process that has closed its connection gets to end, and again to vanish when it was killed then:
people are told how it ended."""


@dataclass(slots=True, eq=False)
class WorkerHandle:
    """What an engine knows of one worker, whose process comes and goes; belongs to the engine's thread."""

    index: int
    process: Process | None = None
    connection: socket.socket | None = None
    fd: int = -1
    buffer: bytes = b""
    outgoing: bytes = b""
    page: memoryview | None = None
    is_ready: bool = False
    has_closed: bool = False
    kill_at: float = FOREVER
    killed_at: float = FOREVER
    # Of the trial that it runs:
    number: int | None = None
    began: float = 0.0
    sent: bytes = b""
    num_handed_over: int = 0
    series: set[tuple[str, str]] = field(default_factory=set)
    outcome: Outcome | None = None
    stop_state: TrialState | None = None
    abort_state: TrialState | None = None


class ProcessEngine(ABC):
    """Base of the engines that run trials in processes of this machine; see `base.JobEngine`.

    Parameters
    ----------
    workers
        How many trials may run at once, at least 1.
    worker_env
        Environment variables by the worker's index: a mapping, a sequence or a function of the index
        (one GPU each: ``lambda index: {"CUDA_VISIBLE_DEVICES": index}``). A value of None removes a variable.
    max_memory_per_job
        Gigabytes (10⁹ bytes) of private memory that each process may take, libraries included; a trial that asks for
        more fails (``RLIMIT_DATA`` of getrlimit(2)). Default: no limit.

    Raises
    ------
    OSError
        On a system without process groups.
    """

    def __init__(
        self, *, workers: int, worker_env: WorkerEnvironment = None, max_memory_per_job: float | None = None
    ) -> None:
        check_platform()
        self._max_memory = max_memory_per_job
        _allow_files(workers)
        self._pid = os.getpid()
        self._environments = Environments(worker_env)
        self._directory = str(Path.cwd())
        # `selectors` would take 4 µs more a wait, with two workers 3 % of an empty trial; epoll no less than this.
        self._poll = select.poll()
        self._wake_here, self._wake_there = socket.socketpair()
        self._wake_here.setblocking(False)
        self._wake_there.setblocking(False)
        self._wake_fd = self._wake_here.fileno()
        self._poll.register(self._wake_fd, select.POLLIN)
        self._events: list[JobEvent] = []
        self._running: dict[int, WorkerHandle] = {}
        self._by_fd: dict[int, WorkerHandle] = {}
        self._dying: list[Process] = []
        self._check_at = FOREVER
        self._is_closed = False
        self._num_workers = workers
        self._workers = [WorkerHandle(index) for index in range(workers)]
        self._idle = self._workers[::-1]
        self._sources: dict[str, float] = {}
        """Files of a person's own code that trials run, with the Unix seconds at which each was changed last."""

    # See `base.JobEngine` --------------------------------------------------------------------------

    def free(self) -> int:
        """How many trials can be launched right now."""
        return max(0, self._num_workers - len(self._running))

    @abstractmethod
    def launch(self, number: int, point: Mapping[str, Any]) -> int:
        """Start one trial and return the index of its worker; trouble arrives as its "ended" event.

        Raises
        ------
        RuntimeError
            When no worker is free, or after `close`.
        """

    @abstractmethod
    def ask_stop(self, number: int, state: TrialState = TrialState.ABORTED) -> None:
        """Ask a trial to end by itself, to be counted as `state`; nothing happens if it has ended."""

    def abort(self, number: int, grace: float = 0.1, state: TrialState = TrialState.ABORTED) -> None:
        """End a trial and all its processes within `grace` seconds; its "ended" event follows."""
        worker = self._running.get(number)
        if worker is None or worker.process is None:
            return
        worker.abort_state = state
        if grace > 0:
            self._terminate(worker)
            worker.kill_at = min(worker.kill_at, time.monotonic() + grace)
            self._check_at = min(self._check_at, worker.kill_at)
        else:
            self._kill(worker)

    def resize(self, workers: int) -> None:
        """Change how many trials may run at once; what is running goes on to its end."""
        _allow_files(workers)
        self._num_workers = workers
        for index in range(len(self._workers), workers):
            self._workers.append(WorkerHandle(index))
        for worker in self._workers[workers:]:
            if worker.number is None:
                self._discard(worker)
        while len(self._workers) > workers and self._workers[-1].number is None:
            self._workers.pop()
        self._idle = [worker for worker in reversed(self._workers[:workers]) if worker.number is None]

    def wait(self, timeout: float | None = None) -> list[JobEvent]:
        """Events since the last call; blocks up to `timeout` seconds (None: no limit) or until `wake`."""
        until = FOREVER if timeout is None else time.monotonic() + timeout
        while True:
            now = time.monotonic()
            if now >= self._check_at:
                self._check(now)
            if self._events or self._is_closed:
                events, self._events = self._events, []
                return events
            pause = min(until, self._check_at) - now
            is_woken = False
            for fd, mask in self._poll.poll(None if pause == FOREVER else min(max(0.0, pause), _LONGEST) * 1000):
                if fd == self._wake_fd:
                    is_woken = True
                    with contextlib.suppress(BlockingIOError):
                        self._wake_here.recv(4096)
                    continue
                worker = self._by_fd.get(fd)
                if worker is None:
                    continue
                if fd == worker.fd:
                    if mask & select.POLLOUT:
                        self._send_rest(worker)
                    if mask & ~select.POLLOUT:
                        self._receive(worker)
                else:
                    self._process_ended(worker)
            if self._events or is_woken or time.monotonic() >= until:
                events, self._events = self._events, []
                return events

    def wake(self) -> None:
        """Let `wait` return now; may be called from any thread, also after `close`."""
        with contextlib.suppress(OSError):  # full: it will wake up anyway; closed: nobody waits
            self._wake_there.send(b"\0")

    def log(self, number: int) -> str:
        """What a running trial has printed so far, its first and last 16 kB; empty for others."""
        worker = self._running.get(number)
        if worker is None or worker.process is None:
            return ""
        parts = (worker.process.stdout.text(), worker.process.stderr.text())
        return "\n".join(part.rstrip("\n") for part in parts if part)

    def close(self) -> None:
        """End everything that runs; afterwards no process or file is left."""
        if self._is_closed or os.getpid() != self._pid:  # a fork's copy: the processes are its parent's
            return
        self._is_closed = True
        for worker in self._workers:
            self._discard(worker)
        until = time.monotonic() + _REAPING
        for process in self._dying:
            process.reap(timeout=max(0.0, until - time.monotonic()))
            process.close()
        self._dying.clear()
        self._running.clear()
        self._events.clear()
        self._wake_here.close()
        self._wake_there.close()

    def __del__(self) -> None:
        with contextlib.suppress(Exception):  # half built, or the interpreter is going down
            self.close()

    # For the engines -----------------------------------------------------------------------------

    @abstractmethod
    def _handle(self, worker: WorkerHandle, message: list[Any]) -> None:
        """Act on one message of a worker's process; raise `BadMessageError` for one that it may not send."""

    @abstractmethod
    def _judge_exit(self, worker: WorkerHandle, process: Process) -> None:
        """End the trial of a process that has ended without saying so, or forget the process of an idle worker."""

    def _closed(self, worker: WorkerHandle) -> None:  # noqa: ARG002 -- for the engines
        """Note that the worker's process has closed its connection, most often because it ends."""
        self._check_at = min(self._check_at, time.monotonic() + _SOON)

    def _tell(self, sentence: str) -> None:
        """Tell people of what concerns no single trial."""
        self._events.append(JobEvent("notice", -1, ("trials", sentence)))

    def _follow_edits(self, files: Iterable[str]) -> None:
        """Tell people from now on when one of these files, which trials run, is changed."""
        self._sources = {file: _changed_at(file) for file in files}

    def _tell_of_edits(self) -> None:
        """Tell people of sources that were changed: a process that starts now runs them as they are now."""
        for file, changed in self._sources.items():
            now = _changed_at(file)
            if now != changed:
                self._sources[file] = now
                self._tell(
                    f"{file} was changed while the search runs. Processes that start from now on use the changed file, "
                    "so earlier and later trials may not be comparable; a new search uses one version for all trials"
                )

    def _report(self, worker: WorkerHandle, message: list[Any]) -> None:
        """Pass one scalar of the worker's trial on."""
        _kind, _number, title, series, value, iteration = message
        name = (title, series)
        if name not in worker.series:
            if len(worker.series) >= MAX_SERIES:
                raise BadMessageError(f"report of more than {MAX_SERIES} series")
            worker.series.add(name)
        assert worker.number is not None  # noqa: S101
        self._events.append(JobEvent("scalar", worker.number, (title, series, value, iteration)))

    def _refuse(self, worker: WorkerHandle, reason: str) -> None:
        """End the worker's process, which cannot be relied on any longer, and fail its trial if it has one."""
        if worker.number is None:
            self._discard(worker)
            return
        launch_failed = not (worker.is_ready or worker.abort_state)
        state = worker.abort_state or TrialState.FAILED
        seconds = time.monotonic() - worker.began
        error = f"the trial's process {reason}"
        self._end_with_process(
            worker,
            Outcome(state, error=error, duration=seconds, worker=worker.index, launch_failed=launch_failed),
        )

    def _end_with_process(self, worker: WorkerHandle, outcome: Outcome) -> None:
        """End the worker's trial once its process and all that the trial left behind are gone."""
        worker.outcome = outcome
        self._kill(worker)

    def _terminate(self, worker: WorkerHandle) -> None:
        """Ask the worker's process to clean up and end."""
        if worker.process is not None:
            worker.process.terminate()

    def _take(self, number: int) -> WorkerHandle:
        """A free worker for the trial `number`."""
        if self._is_closed:
            raise RuntimeError("the engine is closed; build a new one")
        if number in self._running:
            raise RuntimeError(f"trial {number} is running already")
        if not self._idle or len(self._running) >= self._num_workers:
            raise RuntimeError("no worker is free; launch when free() is above 0")
        worker = self._idle.pop()
        worker.number = number
        worker.began = time.monotonic()
        self._running[number] = worker
        if self._check_at == FOREVER:
            self._check_at = worker.began + _CHECK_SECONDS
        return worker

    def _start(
        self,
        worker: WorkerHandle,
        command: Sequence[str],
        environment: Mapping[str, str],
        connection: socket.socket,
        pass_fds: Sequence[int],
    ) -> None:
        """Start the worker's process and watch it; `connection` is this side's end."""
        self._tell_of_edits()
        try:
            worker.process = Process(
                command, environment=environment, directory=self._directory, pass_fds=pass_fds,
                memory=None if self._max_memory is None else int(self._max_memory * _GIGABYTE),
            )  # fmt: skip
        except BaseException:
            connection.close()
            raise
        connection.setblocking(False)
        worker.connection = connection
        worker.fd = connection.fileno()
        worker.buffer = worker.outgoing = b""
        worker.is_ready = worker.has_closed = False
        worker.kill_at = worker.killed_at = FOREVER
        self._by_fd[worker.fd] = worker
        self._poll.register(worker.fd, select.POLLIN)
        if worker.process.pidfd >= 0:
            self._by_fd[worker.process.pidfd] = worker
            self._poll.register(worker.process.pidfd, select.POLLIN)
        if self._check_at == FOREVER:
            self._check_at = time.monotonic() + _CHECK_SECONDS

    def _end(self, worker: WorkerHandle, outcome: Outcome) -> None:
        """The worker's trial has ended; the worker is free, or gone after a resize."""
        number = worker.number
        assert number is not None  # noqa: S101
        if self._is_out_of_memory(outcome):
            outcome = outcome._replace(
                error=f"{outcome.error} (each process may take {self._max_memory:g} GB: max_memory_per_job)"
            )
        self._events.append(JobEvent("ended", number, outcome))
        del self._running[number]
        worker.number = worker.outcome = worker.stop_state = worker.abort_state = None
        worker.sent = b""
        worker.num_handed_over = 0
        if worker.series:
            worker.series = set()
        worker.kill_at = FOREVER
        if worker.index >= self._num_workers:
            self._discard(worker)
            while len(self._workers) > self._num_workers and self._workers[-1].number is None:
                self._workers.pop()
        else:
            if worker.killed_at < FOREVER:  # its process ends soon, and must not get another trial
                self._discard(worker)
            self._idle.append(worker)

    def _kill(self, worker: WorkerHandle) -> None:
        if worker.process is not None:
            worker.process.kill()
        worker.kill_at = FOREVER
        worker.killed_at = time.monotonic()
        self._check_at = min(self._check_at, worker.killed_at + _PATIENCE)

    def _discard(self, worker: WorkerHandle) -> None:
        """Kill the worker's process if there is one, and forget it; a new one is started when needed."""
        process = worker.process
        if process is None:
            return
        self._unwatch(worker.fd)
        self._by_fd.pop(worker.fd, None)
        if process.pidfd >= 0:
            self._unwatch(process.pidfd)
            self._by_fd.pop(process.pidfd, None)
        if worker.connection is not None:
            worker.connection.close()
        worker.process = worker.connection = worker.page = None
        worker.fd = -1
        worker.buffer = worker.outgoing = b""
        worker.kill_at = worker.killed_at = FOREVER
        process.kill()
        if process.reap():
            process.close()
        else:
            self._dying.append(process)
            self._check_at = min(self._check_at, time.monotonic() + _SOON)

    # Inside --------------------------------------------------------------------------------------

    def _send_rest(self, worker: WorkerHandle) -> None:
        connection = worker.connection
        if connection is None:
            return
        with contextlib.suppress(OSError):
            worker.outgoing = worker.outgoing[connection.send(worker.outgoing) :]
        if not worker.outgoing:
            self._poll.register(worker.fd, select.POLLIN)

    def _receive(self, worker: WorkerHandle) -> bool:
        """Handle what has arrived; False when there was nothing, or no more will come."""
        connection, process = worker.connection, worker.process
        if connection is None:
            return False
        try:
            data = connection.recv(_CHUNK)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if data and worker.outcome is not None:  # the trial's outcome is fixed: later messages are dropped
            return True
        if not data:
            self._unwatch(worker.fd)
            self._closed(worker)
            return False
        *lines, rest = (worker.buffer + data if worker.buffer else data).split(b"\n")
        worker.buffer = rest
        reason = f"{rest[:40]!r}… of more than {MAX_LINE} bytes" if len(rest) > MAX_LINE else None
        try:
            for line in lines:
                self._handle(worker, read(line))
                if worker.process is not process or worker.outcome is not None:  # it was the last message that counts
                    return False
        except BadMessageError as error:
            reason = str(error)
        if reason is not None:
            self._refuse(worker, f"sent neither a report nor a result: {reason}")
        return reason is None

    def _process_ended(self, worker: WorkerHandle) -> None:
        """Handle the last messages of a process that has ended, then end its trial."""
        process = worker.process
        if process is None or not process.has_ended():  # a late event of an earlier process
            return
        while self._receive(worker):
            pass
        if worker.process is process:  # else handling its last message has discarded it
            process.reap()
            self._end_after_process(worker, process)

    def _end_after_process(self, worker: WorkerHandle, process: Process) -> None:
        """End the trial of a process that has ended, as its last message says if there was one."""
        outcome = worker.outcome
        if outcome is None:
            self._judge_exit(worker, process)
            return
        outcome = outcome._replace(stdout=process.stdout.take(), stderr=process.stderr.take())
        self._discard(worker)
        self._end(worker, outcome)

    def _is_out_of_memory(self, outcome: Outcome) -> bool:
        """Whether a trial failed under a memory limit with a message that memory ran out."""
        if self._max_memory is None or outcome.state is not TrialState.FAILED:
            return False
        said = (outcome.error, outcome.traceback, outcome.stderr)
        return any(_OUT_OF_MEMORY.search(text[-_LAST_WORDS:]) for text in said if text)

    def _unwatch(self, fd: int) -> None:
        with contextlib.suppress(KeyError):
            self._poll.unregister(fd)

    def _check(self, now: float) -> None:
        """Kill what is overdue, cut long output, reap what has ended, and set the time of the next check."""
        following = self._check_at = FOREVER
        for worker in list(self._workers):
            process = worker.process
            if process is None:
                continue
            if now >= worker.kill_at:
                self._kill(worker)
            if process.pidfd < 0 or worker.killed_at != FOREVER:
                if process.has_ended():
                    self._process_ended(worker)
                    continue
                tells_its_end = worker.has_closed and worker.abort_state is None
                if now >= worker.killed_at + (CLOSING if tells_its_end else _PATIENCE):
                    # Killed, but still busy giving back its memory: its trial ends now, it is reaped later.
                    self._end_after_process(worker, process)
                    continue
                following = min(following, now + _SOON)
            following = min(following, worker.kill_at)
            if worker.number is not None:
                grows = process.stdout.cut() | process.stderr.cut()
                following = min(following, now + (_SOON if grows else _CHECK_SECONDS))
        for process in list(self._dying):
            if process.reap():
                process.close()
                self._dying.remove(process)
        if self._dying:
            following = min(following, now + _SOON)
        self._check_at = min(self._check_at, following)  # a process that was started meanwhile may have set it


def _changed_at(file: str) -> float:
    """Unix seconds at which a file was changed last; 0.0 for one that is not there."""
    try:
        return Path(file).stat().st_mtime
    except OSError:
        return 0.0


def _allow_files(workers: int) -> None:
    """Let this process open as many files as so many workers need, as far as the system has it."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES_A_WORKER * workers + _FILES_BESIDE
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
