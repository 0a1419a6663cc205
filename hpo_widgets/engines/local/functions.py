"""Persistent workers for a callable: one fresh interpreter each, one connection each, no thread in between.

Why a pool of our own and neither loky nor pebble (3.7.0 and 5.2.3, measured on 2 busy cores, 2 workers,
callables that return at once):

================================  =================  ====================  ==========================
what is needed                    loky               pebble                this pool
================================  =================  ====================  ==========================
trials/s, one per free worker     3,200 - 4,600      6,000 - 7,800         29,000 - 31,000
kill one running trial            no: ``cancel()``   worker gone in 0.09 s worker gone in 0.01 s, or
                                  of it is False                           ``grace`` later
... with the trial's children     no: they live on   no: they live on      yes: its group and what
                                                                           has left it
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

Workers are ended by SIGKILL, so ``atexit`` handlers of a callable's libraries do not run in them: what must
be written is to be written before a trial returns. A trial that is aborted, or leaves threads or
children behind, ends with a fresh worker; the import of the callable's modules is then paid again.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import tempfile
import time
import warnings
from typing import TYPE_CHECKING, Any

import cloudpickle

from hpo_widgets.engines.base import JobEvent, Outcome
from hpo_widgets.engines.local import frames
from hpo_widgets.engines.local.engine import ProcessEngine
from hpo_widgets.engines.local.frames import ABORT, LENGTH, NOBODY, READY, SCALAR, STARTED, STOP, Index, dumps
from hpo_widgets.engines.local.slot import FOREVER, Slot
from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hpo_widgets.engines.local.environment import WorkerEnvironment
    from hpo_widgets.engines.local.template import FunctionTemplate

LARGE = 50 * 1024 * 1024
_LONG = 1000  # characters above which a string choice travels with the callable, not with each trial
_BOOT = "import sys; sys.path[:] = eval(sys.argv.pop(1)); from hpo_widgets.engines.local.worker import main; main()"


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
    worker_env
        Environment variables by the worker's index: a mapping, a sequence or a function of the index.

    Raises
    ------
    TypeError
        When a choice cannot be pickled.
    ValueError
        When `workers` is below 1.
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
        worker_env: WorkerEnvironment = None,
    ) -> None:
        self._payload_fd = -1
        super().__init__(workers=workers, worker_env=worker_env)
        self._path = repr([os.path.abspath(entry) if entry == "" else str(entry) for entry in sys.path])  # noqa: PTH100
        self._coded: dict[str, _Codes] = {}
        for name, values in (choices or {}).items():
            if not all(map(_is_short_scalar, values)):
                self._coded[name] = _Codes(name, values)
        pickled = template.pickled()
        if len(pickled) > LARGE:
            warnings.warn(
                f"{template.name!r} and what it refers to take {len(pickled) / 1e6:.0f} MB"
                f"{template.largest_part()}; every worker process gets a copy, so load such data inside the callable",
                stacklevel=2,
            )
        payload = dumps(
            {
                "function": pickled,
                "wants_trial": template.wants_trial,
                "choices": {name: codes.pickles for name, codes in self._coded.items()},
                "sources": template.sources(),
            },
            5,
        )
        self._payload_fd = _memory("payload")
        with os.fdopen(os.dup(self._payload_fd), "wb") as file:
            file.write(payload)
        for slot in self._slots:
            self._try_spawn(slot)

    def launch(self, number: int, point: Mapping[str, Any]) -> int:
        """Start one trial and return the index of its worker; trouble arrives as its "ended" event."""
        slot = self._take(number)
        if self._coded:
            coded = dict(point)
            for name, codes in self._coded.items():
                if name in coded:
                    coded[name] = codes.encode(coded[name])
            point = coded
        try:
            payload = dumps((number, point), 5)
        except Exception:  # noqa: BLE001 - a value that only cloudpickle can send
            payload = cloudpickle.dumps((number, dict(point)))
        slot.sent = LENGTH.pack(len(payload)) + payload
        self._hand_over(slot)
        return slot.index

    def ask_stop(self, number: int, state: TrialState = TrialState.ABORTED) -> None:
        """Let ``trial.should_stop`` be True; a callable that never reads it is stopped at its next report."""
        slot = self._running.get(number)
        if slot is not None and slot.page is not None:
            slot.stop_state = state
            slot.page[STOP] = number

    def close(self, grace: float = 0.0) -> None:
        """End everything that runs, `grace` seconds for cleaning up; afterwards no process or file is left."""
        super().close(grace)
        fd, self._payload_fd = self._payload_fd, -1
        if fd >= 0:
            os.close(fd)

    # Inside --------------------------------------------------------------------------------------

    def _hand_over(self, slot: Slot) -> None:
        """Send the slot's trial to its worker, a new one if the old one is gone."""
        for _ in range(2):
            if slot.process is None and not self._try_spawn(slot):
                return
            assert slot.connection is not None  # noqa: S101
            assert slot.page is not None  # noqa: S101
            if slot.page[STARTED] == slot.number:  # the same number once more
                slot.page[STOP] = slot.page[ABORT] = slot.page[STARTED] = NOBODY
            try:
                sent = slot.connection.send(slot.sent)
            except BlockingIOError:
                sent = 0
            except OSError:  # it died while idle
                self._discard(slot)
                continue
            if sent != len(slot.sent):
                slot.outgoing = slot.sent[sent:]
                self._poller.add(slot.fd, writable=True)
            return
        self._fail_launch(slot, "its worker process ended before the trial was handed over")

    def _try_spawn(self, slot: Slot) -> bool:
        """Start the slot's worker; without success its trial, if it has one, fails."""
        try:
            self._spawn(slot)
        except Exception as error:
            if slot.number is None and not isinstance(error, OSError):
                raise
            self._fail_launch(slot, f"{type(error).__name__}: {error}")
            return False
        return True

    def _spawn(self, slot: Slot) -> None:
        environment = self._environments.of(slot.index)
        with contextlib.ExitStack() as childs_side:
            page_fd = _memory("page")
            childs_side.callback(os.close, page_fd)
            os.ftruncate(page_fd, frames.PAGE)
            page = _map(page_fd)
            page[STOP] = page[ABORT] = page[STARTED] = NOBODY
            here, there = socket.socketpair()
            childs_side.callback(there.close)
            descriptors = (there.fileno(), self._payload_fd, page_fd)
            command = [sys.executable, "-c", _BOOT, self._path, ",".join(map(str, descriptors))]
            self._start(slot, command, environment, here, descriptors)
            slot.page = page

    def _fail_launch(self, slot: Slot, reason: str) -> None:
        if slot.number is not None:
            sentence = f"no worker process could be started: {reason}"
            self._end(slot, Outcome(TrialState.FAILED, error=sentence, worker=slot.index, launch_failed=True))

    def _terminate(self, slot: Slot) -> None:
        if slot.page is not None and slot.number is not None:
            slot.page[ABORT] = slot.number
        super()._terminate(slot)

    def _handle(self, slot: Slot, message: tuple[Any, ...]) -> None:
        kind, number, first, result, extra = message
        if kind == SCALAR:
            if number == slot.number:  # a thread left behind by an earlier trial is not heard
                self._events.append(JobEvent("scalar", number, first))
        elif kind == READY:
            slot.ready = True
        elif number != slot.number:
            return
        elif extra is None and slot.process is not None and not slot.process.is_cut:
            self._end(slot, Outcome(TrialState.COMPLETED, result, None, None, "", "", first, slot.index))
        else:
            self._ended(slot, first, result, *(extra or (frames.PRINTED, None, None)))

    def _ended(
        self, slot: Slot, duration: float, result: object, flags: int, error: str | None, traceback: str | None
    ) -> None:
        """A trial that ended in any but the plainest way."""
        process = slot.process
        assert process is not None  # noqa: S101
        state = TrialState.COMPLETED
        if flags & frames.ABORTED:
            state = slot.abort_state or TrialState.ABORTED
        elif flags & frames.FAILED:
            state = TrialState.FAILED
        elif flags & frames.STOPPED:
            state = slot.stop_state or TrialState.ABORTED
        if flags & frames.SPENT:
            process.kill()  # first, so that what it left behind prints no more
        stdout = stderr = ""
        if flags & frames.PRINTED or process.is_cut:
            stdout, stderr = process.stdout.take(), process.stderr.take()
        if flags & frames.SPENT:
            self._discard(slot)
        self._end(
            slot,
            Outcome(
                state, result, error, traceback, stdout, stderr, duration, slot.index,
                bool(flags & frames.UNLOADABLE),
            ),
        )  # fmt: skip

    def _died(self, slot: Slot) -> None:
        process = slot.process
        assert process is not None  # noqa: S101
        number = slot.number
        if number is None:
            self._discard(slot)
            return
        has_started = slot.page is not None and slot.page[STARTED] == number
        if slot.ready and not has_started and slot.abort_state is None:
            # It died between two trials: the new one has not begun, so it is not lost.
            self._discard(slot)
            self._hand_over(slot)
            return
        duration = time.monotonic() - slot.began
        stdout, stderr = process.stdout.take(), process.stderr.take()
        if slot.abort_state is not None:
            state = slot.abort_state
            error = "did not end when it was told to, and was killed" if slot.killed_at < FOREVER else None
        elif slot.ready:
            state, error = TrialState.FAILED, f"the trial's process {process.ending()}"
        else:
            state, error = TrialState.FAILED, f"the worker process {process.ending()} while loading the callable"
        launch_failed = not slot.ready and slot.abort_state is None
        self._discard(slot)
        self._end(slot, Outcome(state, None, error, None, stdout, stderr, duration, slot.index, launch_failed))


class _Codes:
    """The declared values of one choice, sent once with the callable; a trial is given an index."""

    def __init__(self, name: str, values: Sequence[object]) -> None:
        self._values = list(values)  # keeps them alive, so that an id stays theirs
        self._by_id = {id(value): Index(index) for index, value in enumerate(self._values)}
        try:
            self.pickles = [cloudpickle.dumps(value) for value in self._values]
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
                    return Index(index)
            except Exception:  # noqa: BLE001, S112 - arrays and the like have no plain answer
                continue
        return value


def _is_short_scalar(value: object) -> bool:
    return value is None or type(value) in {bool, int, float} or (type(value) is str and len(value) <= _LONG)


def _memory(name: str) -> int:
    """The descriptor of an unnamed piece of memory, or of an unnamed file where there is no such memory."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create(f"hpo-widgets-{name}")
    with tempfile.TemporaryFile(prefix="hpo-widgets-", buffering=0) as file:
        return os.dup(file.fileno())


def _map(fd: int) -> memoryview:
    import mmap

    return memoryview(mmap.mmap(fd, frames.PAGE)).cast("q")
