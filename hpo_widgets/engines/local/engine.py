"""What both engines share: their slots, the one place of waiting, deadlines, output, and the end of everything.

All methods but `wake` belong
to one thread. That thread is never blocked by a trial: sockets are non-blocking, what must be killed is
killed at its deadline from inside `wait`, and a process that takes long to die is reaped later.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hpo_widgets.engines.base import JobEvent, Outcome
from hpo_widgets.engines.local.environment import Environments
from hpo_widgets.engines.local.frames import split
from hpo_widgets.engines.local.poller import Poller
from hpo_widgets.engines.local.process import Process, check_platform
from hpo_widgets.engines.local.slot import FOREVER, Slot
from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from hpo_widgets.engines.local.environment import WorkerEnvironment

_HOUSEKEEPING = 0.1  # seconds between looks at the size of output files
_SOON = 0.02  # the same, while one of them grows fast
_PATIENCE = 0.05  # seconds that a killed process gets to vanish before its trial counts as ended anyway
_CHUNK = 1 << 16


class ProcessEngine(ABC):
    """Base of the engines that run trials in processes of this machine; see `base.JobEngine`.

    Parameters
    ----------
    workers
        How many trials may run at once, at least 1.
    worker_env
        Environment variables by the worker's index: a mapping, a sequence or a function of the index
        (one GPU each: ``lambda index: {"CUDA_VISIBLE_DEVICES": index}``). A value of None removes a variable.

    Raises
    ------
    ValueError
        When `workers` is below 1.
    OSError
        On a system without process groups.
    """

    def __init__(self, *, workers: int, worker_env: WorkerEnvironment = None) -> None:
        check_platform()
        _check_workers(workers)
        self._pid = os.getpid()
        self._environments = Environments(worker_env)
        self._directory = str(Path.cwd())
        self._poller = Poller()
        self._wake_here, self._wake_there = socket.socketpair()
        self._wake_here.setblocking(False)
        self._wake_there.setblocking(False)
        self._wake_fd = self._wake_here.fileno()
        self._poller.add(self._wake_fd)
        self._events: list[JobEvent] = []
        self._running: dict[int, Slot] = {}
        self._by_fd: dict[int, Slot] = {}
        self._dying: list[Process] = []
        self._housekeeping_at = FOREVER
        self._is_closed = False
        self._workers = workers
        self._slots = [Slot(index) for index in range(workers)]
        self._idle = self._slots[::-1]

    # The contract --------------------------------------------------------------------------------

    @property
    def num_workers(self) -> int:
        """How many trials may run at once."""
        return self._workers

    def free(self) -> int:
        """How many trials can be launched right now."""
        return max(0, self._workers - len(self._running))

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
        slot = self._running.get(number)
        if slot is None or slot.process is None:
            return
        slot.abort_state = state
        if grace > 0:
            self._terminate(slot)
            slot.kill_at = min(slot.kill_at, time.monotonic() + grace)
            self._housekeeping_at = min(self._housekeeping_at, slot.kill_at)
        else:
            self._kill(slot)

    def resize(self, workers: int) -> None:
        """Change how many trials may run at once; what is running goes on to its end."""
        _check_workers(workers)
        self._workers = workers
        for index in range(len(self._slots), workers):
            self._slots.append(Slot(index))
        for slot in self._slots[workers:]:
            if slot.number is None:
                self._discard(slot)
        while len(self._slots) > workers and self._slots[-1].number is None:
            self._slots.pop()
        self._idle = [slot for slot in reversed(self._slots[:workers]) if slot.number is None]

    def wait(self, timeout: float | None = None) -> list[JobEvent]:
        """Events since the last call; blocks up to `timeout` seconds (None: no limit) or until `wake`."""
        until = FOREVER if timeout is None else time.monotonic() + timeout
        while True:
            now = time.monotonic()
            if now >= self._housekeeping_at:
                self._keep_house(now)
            if self._events or self._is_closed:
                events, self._events = self._events, []
                return events
            pause = min(until, self._housekeeping_at) - now
            is_woken = False
            for fd, mask in self._poller.ready(None if pause == FOREVER else max(0.0, pause)):
                if fd == self._wake_fd:
                    is_woken = True
                    with contextlib.suppress(BlockingIOError):
                        self._wake_here.recv(4096)
                    continue
                slot = self._by_fd.get(fd)
                if slot is None:
                    continue
                if fd == slot.fd:
                    if mask & select.POLLOUT:
                        self._send_rest(slot)
                    if mask & ~select.POLLOUT:
                        self._receive(slot)
                else:
                    self._gone(slot)
            if self._events or is_woken or time.monotonic() >= until:
                events, self._events = self._events, []
                return events

    def wake(self) -> None:
        """Let `wait` return now; may be called from any thread, also after `close`."""
        with contextlib.suppress(OSError):  # full: it will wake up anyway; closed: nobody waits
            self._wake_there.send(b"\0")

    def log(self, number: int) -> str:
        """What a running trial has printed so far, its first and last 16 kB; empty for others."""
        slot = self._running.get(number)
        if slot is None or slot.process is None:
            return ""
        parts = (slot.process.stdout.text(), slot.process.stderr.text())
        return "\n".join(part.rstrip("\n") for part in parts if part)

    def close(self, grace: float = 0.0) -> None:
        """End everything that runs, `grace` seconds for cleaning up; afterwards no process or file is left."""
        if self._is_closed or os.getpid() != self._pid:  # a fork's copy: the processes are its parent's
            return
        if grace > 0 and self._running:
            for number in list(self._running):
                self.abort(number, grace)
            until = time.monotonic() + grace + 2 * _PATIENCE
            while self._running and time.monotonic() < until:
                self.wait(max(0.0, until - time.monotonic()))
        self._is_closed = True
        for slot in self._slots:
            self._discard(slot)
        for process in self._dying:
            process.reap(timeout=5.0)
            process.close()
        self._dying.clear()
        self._running.clear()
        self._events.clear()
        self._poller.remove(self._wake_fd)
        self._poller.close()
        self._wake_here.close()
        self._wake_there.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> Literal[False]:
        self.close()
        return False

    def __del__(self) -> None:
        with contextlib.suppress(Exception):  # half built, or the interpreter is going down
            self.close()

    # For the engines -----------------------------------------------------------------------------

    @abstractmethod
    def _handle(self, slot: Slot, message: tuple[Any, ...]) -> None:
        """Act on one message of a slot's process."""

    @abstractmethod
    def _died(self, slot: Slot) -> None:
        """The slot's process has ended and was reaped; its messages were handled, its files still open."""

    def _terminate(self, slot: Slot) -> None:
        """Ask the slot's process to clean up and end."""
        if slot.process is not None:
            slot.process.terminate()

    def _take(self, number: int) -> Slot:
        """A free slot for the trial `number`."""
        if self._is_closed:
            raise RuntimeError("the engine is closed; build a new one")
        if number in self._running:
            raise RuntimeError(f"trial {number} is running already")
        if not self._idle or len(self._running) >= self._workers:
            raise RuntimeError("no worker is free; launch when free() is above 0")
        slot = self._idle.pop()
        slot.number = number
        slot.began = time.monotonic()
        self._running[number] = slot
        if self._housekeeping_at == FOREVER:
            self._housekeeping_at = slot.began + _HOUSEKEEPING
        return slot

    def _start(
        self,
        slot: Slot,
        command: Sequence[str],
        environment: Mapping[str, str],
        connection: socket.socket,
        pass_fds: Sequence[int],
    ) -> None:
        """Start the slot's process and watch it; `connection` is this side's end."""
        try:
            slot.process = Process(command, environment=environment, directory=self._directory, pass_fds=pass_fds)
        except BaseException:
            connection.close()
            raise
        connection.setblocking(False)
        slot.connection = connection
        slot.fd = connection.fileno()
        slot.buffer = slot.outgoing = b""
        slot.ready = False
        slot.kill_at = slot.killed_at = FOREVER
        self._by_fd[slot.fd] = slot
        self._poller.add(slot.fd)
        if slot.process.pidfd >= 0:
            self._by_fd[slot.process.pidfd] = slot
            self._poller.add(slot.process.pidfd)
        if self._housekeeping_at == FOREVER:
            self._housekeeping_at = time.monotonic() + _HOUSEKEEPING

    def _end(self, slot: Slot, outcome: Outcome) -> None:
        """The slot's trial has ended; the slot is free, or gone after a resize."""
        number = slot.number
        assert number is not None  # noqa: S101
        self._events.append(JobEvent("ended", number, outcome))
        del self._running[number]
        slot.number = slot.stop_state = slot.abort_state = None
        slot.sent = b""
        slot.kill_at = FOREVER
        if slot.index >= self._workers:
            self._discard(slot)
            while len(self._slots) > self._workers and self._slots[-1].number is None:
                self._slots.pop()
        else:
            self._idle.append(slot)

    def _kill(self, slot: Slot) -> None:
        if slot.process is not None:
            slot.process.kill()
        slot.kill_at = FOREVER
        slot.killed_at = time.monotonic()
        self._housekeeping_at = min(self._housekeeping_at, slot.killed_at + _PATIENCE)

    def _discard(self, slot: Slot) -> None:
        """Kill the slot's process if there is one, and forget it; a new one is started when needed."""
        process = slot.process
        if process is None:
            return
        self._poller.remove(slot.fd)
        self._by_fd.pop(slot.fd, None)
        if process.pidfd >= 0:
            self._poller.remove(process.pidfd)
            self._by_fd.pop(process.pidfd, None)
        if slot.connection is not None:
            slot.connection.close()
        slot.process = slot.connection = slot.page = None
        slot.fd = -1
        slot.buffer = slot.outgoing = b""
        slot.kill_at = slot.killed_at = FOREVER
        process.kill()
        if process.reap():
            process.close()
        else:
            self._dying.append(process)
            self._housekeeping_at = min(self._housekeeping_at, time.monotonic() + _SOON)

    # Inside --------------------------------------------------------------------------------------

    def _send_rest(self, slot: Slot) -> None:
        connection = slot.connection
        if connection is None:
            return
        with contextlib.suppress(OSError):
            slot.outgoing = slot.outgoing[connection.send(slot.outgoing) :]
        if not slot.outgoing:
            self._poller.add(slot.fd)

    def _receive(self, slot: Slot) -> bool:
        """Handle what has arrived; False at the end of the connection."""
        connection = slot.connection
        if connection is None:
            return False
        try:
            data = connection.recv(_CHUNK)
        except BlockingIOError:
            return True
        except OSError:
            data = b""
        if not data:
            # Closed: a worker's or script's end, of which its pidfd or the next look tells the rest.
            self._poller.remove(slot.fd)
            self._housekeeping_at = min(self._housekeeping_at, time.monotonic() + _SOON)
            return False
        messages, slot.buffer = split(slot.buffer + data if slot.buffer else data)
        for message in messages:
            self._handle(slot, message)
        return True

    def _gone(self, slot: Slot) -> None:
        """The slot's process has ended: take what it had still to say, then judge its end."""
        process = slot.process
        if process is None or not process.has_ended():  # a late event of an earlier process
            return
        while slot.process is process and self._pending(slot):
            pass
        if slot.process is process:  # else its last message made an end of it
            process.reap()
            self._died(slot)

    def _pending(self, slot: Slot) -> bool:
        connection = slot.connection
        if connection is None:
            return False
        try:
            data = connection.recv(_CHUNK)
        except OSError:
            return False
        if not data:
            return False
        messages, slot.buffer = split(slot.buffer + data)
        for message in messages:
            self._handle(slot, message)
        return True

    def _keep_house(self, now: float) -> None:
        """Kill what is overdue, cut long output, reap the dead; sets the time of the next round."""
        following = FOREVER
        for slot in list(self._slots):
            process = slot.process
            if process is None:
                continue
            if now >= slot.kill_at:
                self._kill(slot)
            if process.pidfd < 0 or slot.killed_at != FOREVER:
                if process.has_ended():
                    self._gone(slot)
                    continue
                if now >= slot.killed_at + _PATIENCE:
                    # Killed, but still busy giving back its memory: its trial ends now, it is reaped later.
                    self._died(slot)
                    continue
                following = min(following, now + _SOON)
            following = min(following, slot.kill_at)
            if slot.number is not None:
                grows = process.stdout.cut() | process.stderr.cut()
                following = min(following, now + (_SOON if grows else _HOUSEKEEPING))
        for process in list(self._dying):
            if process.reap():
                process.close()
                self._dying.remove(process)
        if self._dying:
            following = min(following, now + _SOON)
        self._housekeeping_at = following


def _check_workers(workers: int) -> None:
    if workers < 1:
        raise ValueError(f"at least one worker is needed, got {workers}")
