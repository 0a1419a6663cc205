"""The program of one worker: load a callable once, then run one trial after another.

It is started as a fresh interpreter, with descriptors of its connection, of the callable's pickle and of
a page of memory that it shares with the controller, and with the names of the libraries that the callable needs.
It imports these first, and loads the callable when it is asked to. By itself it needs the standard library only.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import pickle
import signal
import socket
import sys
import threading
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from hpo_widgets.engines.local import messages, reporting
from hpo_widgets.engines.local.messages import (
    ABORT,
    MAX_SENTENCE,
    MAX_TRACEBACK,
    POINT_HEADER,
    READY_LINE,
    STARTED,
    ChoiceIndex,
    argument_name,
    ended_line,
    plain_result,
)
from hpo_widgets.engines.local.reporting import RunningTrial, TrialAborted, TrialStopped
from hpo_widgets.engines.local.supervisor import become_subreaper

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

_OUTPUT_FDS = (1, 2)
_PATIENCE = 0.05  # seconds that a thread gets to end after its trial


class Worker:
    """One worker: its connection, its callable and the trial that it runs."""

    def __init__(self, connection: socket.socket, page: memoryview) -> None:
        self._connection = connection
        self.page = page
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._main = threading.get_ident()
        self._sending = False
        self._abort_when_sent = False
        self._aborting = False
        self._trial: RunningTrial | None = None
        self._function: Callable[..., object] | None = None
        self._why_not = ("", "")
        self._wants_trial = self._asks_trial = False
        self._objectives: list[tuple[str, str]] = []
        self._choices: dict[str, list[bytes]] = {}
        self._names: dict[str, str] = {}
        self._threads: set[threading.Thread] = set()
        self._streams = (sys.stdout, sys.stderr)
        self._directory = os.open(".", os.O_RDONLY)
        self._outputs = [(os.dup(fd), fd) for fd in _OUTPUT_FDS]
        self._umask = os.umask(0)
        os.umask(self._umask)

    # Connection ----------------------------------------------------------------------------------

    def send(self, line: bytes) -> None:
        """Send one message whole; the abort's exception waits until it is out."""
        if threading.get_ident() != self._main:
            with self._lock:
                self._connection.sendall(line)
            return
        self._sending = True
        try:
            with self._lock:
                self._connection.sendall(line)
        finally:
            self._sending = False
        if self._abort_when_sent:
            self._abort_when_sent = False
            raise TrialAborted

    def _on_terminate(self, _signal: int, _frame: FrameType | None) -> None:
        trial = self._trial
        # The page says whom the signal means: one that comes late must not hit the next trial.
        if trial is None or self._aborting or self.page[ABORT] != trial.number:
            return
        self._aborting = True
        if self._sending:
            self._abort_when_sent = True
        else:
            raise TrialAborted

    def leave(self) -> None:
        """In a forked child: neither write into the connection nor keep it open, and die of SIGTERM."""
        self._connection.close()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _hold_terminate(hold=False)

    # Loading -------------------------------------------------------------------------------------

    def load(self, payload: mmap.mmap) -> None:
        """Load the callable; when that fails, every trial will be told why."""
        try:
            head = pickle.loads(payload)  # noqa: S301 - written by the controller of the same user
            self._wants_trial = head["wants_trial"]
            self._asks_trial = head["asks_trial"]
            self._objectives = head["objectives"]
            self._choices = head["choices"]
            _give_sources(head["sources"])
            self._function = _unpickle(head["function"])
        except BaseException as error:  # noqa: BLE001 - whatever the import of the user's modules raises
            reason = f"the callable could not be loaded in a worker process: {_sentence_of(error)}"
            self._why_not = (reason[:MAX_SENTENCE], _traceback_of(error))
        for stream in self._streams:
            _flush(stream)
        self._threads = set(threading.enumerate())
        signal.signal(signal.SIGTERM, self._on_terminate)
        self.send(READY_LINE)

    # Trials --------------------------------------------------------------------------------------

    def serve(self) -> None:
        """Run trials until the controller closes the connection."""
        receive = self._connection.recv
        header = POINT_HEADER
        while True:
            data = receive(65536)
            if not data:
                return
            while len(data) < header.size or len(data) - header.size < header.unpack_from(data)[1]:
                more = receive(1 << 20)
                if not more:
                    return
                data += more
            number = header.unpack_from(data)[0]
            # From here on its end is the trial's own, also when its point ends the process.
            self.page[STARTED] = number
            try:
                line = self._run(number, data[header.size :])
            except TrialAborted:  # came between the end of the callable and the note of it
                flags = messages.ABORTED | messages.SPENT | messages.PRINTED
                line = ended_line(number, 0.0, None, (flags, None, None))
            self._trial = None
            self.send(line)

    def _run(self, number: int, pickled: bytes) -> bytes:
        if self._function is None:
            flags = messages.FAILED | messages.UNLOADABLE | messages.PRINTED
            return ended_line(number, 0.0, None, (flags, *self._why_not))
        try:
            point = pickle.loads(pickled)  # noqa: S301 - written by the controller of the same user
            parameters = self._with_choices(point) if self._choices else point
            arguments = {} if self._asks_trial else self._arguments(parameters)
        except BaseException as raised:  # noqa: BLE001 - whatever the loading of a value raises
            reason = f"the trial's parameters could not be loaded in a worker process: {_sentence_of(raised)}"
            details = (messages.FAILED | messages.PRINTED, reason[:MAX_SENTENCE], _traceback_of(raised))
            return ended_line(number, 0.0, None, details)
        flags = 0
        result: object = None
        error: str | None = None
        traceback: str | None = None
        reporting.current_trial = trial = RunningTrial(number, parameters, self, self._pid, self._objectives)
        begun = perf_counter()
        try:
            if self._wants_trial:
                arguments["trial"] = trial
            self._aborting = self._abort_when_sent = False
            self._trial = trial
            begun = perf_counter()
            result = self._function(**arguments)
            duration = perf_counter() - begun
            self._trial = None
            if os.getpid() != self._pid:
                sys.exit()  # a child that the trial has forked: it ends here as it would at the end of a script
        except TrialStopped:
            duration = perf_counter() - begun
            self._trial = None
            flags = messages.STOPPED
        except TrialAborted:
            duration = perf_counter() - begun
            self._trial = None
        except BaseException as raised:
            if os.getpid() != self._pid:
                raise
            # SystemExit and KeyboardInterrupt end a trial only.
            duration = perf_counter() - begun
            self._trial = None
            # The latter is Optuna's way to end a trial that its pruner gives up.
            if trial.was_stopped or (trial.was_told and type(raised).__name__ == "TrialPruned"):
                flags = messages.STOPPED
            else:
                flags, error, traceback = messages.FAILED, _sentence_of(raised), _traceback_of(raised)
        else:
            try:
                if self._asks_trial and isinstance(result, (tuple, list)):
                    result = self._named(result)
                result = plain_result(result)
            except TypeError as verdict:
                result, flags, error = None, messages.FAILED, str(verdict)
            except Exception as raised:  # noqa: BLE001 - a class of dicts or numbers that raises
                result, flags = None, messages.FAILED
                error = f"returned an object that cannot be read: {_sentence_of(raised)}"
        trial.has_ended = True
        reporting.current_trial = None
        if trial.was_told:
            flags |= messages.STOPPED
        if self._aborting:
            flags |= messages.ABORTED | messages.SPENT
        flags |= self._tidy()
        return ended_line(number, duration, result, (flags, error, traceback) if flags else None)

    def _with_choices(self, point: dict[str, Any]) -> dict[str, Any]:
        point = dict(point)
        for name, pickles in self._choices.items():
            index = point.get(name)
            if type(index) is ChoiceIndex:
                # Unpickled for each trial: what one trial does to its value, no other sees.
                point[name] = _unpickle(pickles[index])
        return point

    def _named(self, values: Sequence[object]) -> object:
        """Name the values that an objective of Optuna returns for several objectives; raises a TypeError for others."""
        keys = [f"{title}/{series}" for title, series in self._objectives]
        if len(values) != len(keys):
            raise TypeError(f"returned {len(values)} values for {len(keys)} objectives, {', '.join(keys)}")
        return dict(zip(keys, values, strict=True))

    def _arguments(self, point: dict[str, Any]) -> dict[str, Any]:
        names = self._names
        try:
            return {names[name]: value for name, value in point.items()}
        except KeyError:
            for name in point:
                names[name] = argument_name(name)
            return {names[name]: value for name, value in point.items()}

    def _tidy(self) -> int:
        """Bring the process back to where the trial found it; flags say what could not be undone."""
        flags = 0
        out, err = self._streams
        if sys.stdout is not out:
            _flush(sys.stdout)
            sys.stdout = out
        if sys.stderr is not err:
            _flush(sys.stderr)
            sys.stderr = err
        try:
            out.flush()
            err.flush()
            for kept, fd in self._outputs:  # it may have led its output elsewhere, below `sys.stdout`
                os.dup2(kept, fd)
            if any(os.lseek(fd, 0, os.SEEK_END) for fd in _OUTPUT_FDS):
                flags |= messages.PRINTED
            os.fchdir(self._directory)
            os.umask(self._umask)
        except (OSError, ValueError):  # it closed what is not its own
            flags |= messages.PRINTED | messages.SPENT
        if signal.getsignal(signal.SIGTERM) != self._on_terminate:
            signal.signal(signal.SIGTERM, self._on_terminate)
        signal.setitimer(signal.ITIMER_REAL, 0)  # an alarm that it has left on would end a later trial
        if has_children() or (threading.active_count() > len(self._threads) and self._has_threads()):
            flags |= messages.SPENT
        return flags

    def _has_threads(self) -> bool:
        deadline = perf_counter() + _PATIENCE
        for thread in threading.enumerate():
            if thread in self._threads:
                continue
            if type(thread).__module__ == "tqdm._monitor":  # sleeps nearly always, and serves the next trial
                self._threads.add(thread)
                continue
            thread.join(max(0.0, deadline - perf_counter()))
            if thread.is_alive():
                return True
        return False


def has_children() -> bool:
    """True when a child process that a trial has started is still running; children that have ended are reaped."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    # A lock of multiprocessing, as a progress bar has one, starts a process that stays and serves the next trials.
    module = sys.modules.get("multiprocessing.resource_tracker")
    tracker = getattr(getattr(module, "_resource_tracker", None), "_pid", None)
    return tracker is None or _living_children() != {tracker}


def _living_children() -> set[int]:
    try:
        return {
            int(pid)
            for task in Path("/proc/self/task").iterdir()
            for pid in (task / "children").read_text(encoding="ascii").split()
        }
    except OSError:  # there is no such file on macOS
        import psutil

        return {child.pid for child in psutil.Process().children()}


def _sentence_of(error: BaseException) -> str:
    """``ValueError: message`` in one bounded line."""
    if isinstance(error, SystemExit):
        return f"called sys.exit({error.code!r})"[:MAX_SENTENCE]
    try:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    except Exception:  # noqa: BLE001 - an exception whose str raises
        lines = []
    text = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    return text if len(text) <= MAX_SENTENCE else text[: MAX_SENTENCE - 1] + "…"


def _traceback_of(error: BaseException) -> str:
    """The traceback from the callable on, bounded; its end matters most."""
    import traceback

    try:
        first = error.__traceback__.tb_next if error.__traceback__ is not None else None
        text = "".join(traceback.format_exception(type(error), error, first or error.__traceback__))
    except Exception:  # noqa: BLE001 - as above, or out of memory
        return _sentence_of(error)
    if len(text) <= MAX_TRACEBACK:
        return text
    head, tail = text[: MAX_TRACEBACK // 4], text[-MAX_TRACEBACK * 3 // 4 :]
    return f"{head}\n… {len(text) - len(head) - len(tail)} characters left out …\n{tail}"


def _hold_terminate(*, hold: bool = True) -> None:
    """Hold SIGTERM back while a fork is made.

    Python forgets signals that reach a child before its interpreter is ready, and a `multiprocessing` pool
    that waits for its terminated children would wait for ever.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK if hold else signal.SIG_UNBLOCK, {signal.SIGTERM})


def _unpickle(data: bytes) -> Any:
    """Load what `pickle_for_worker` has made; this process's ``__main__`` gets what it has of the controller's."""
    value, of_main = pickle.loads(data)  # noqa: S301 - written by the controller of the same user
    vars(sys.modules["__main__"]).update(of_main)
    return value


def _flush(stream: Any) -> None:
    with contextlib.suppress(Exception):  # closed, or not even a stream
        stream.flush()


def _give_sources(sources: dict[str, list[str]]) -> None:
    """Let tracebacks show the lines of functions that live in a notebook's cells."""
    if sources:
        import linecache

        for filename, lines in sources.items():
            linecache.cache[filename] = (sum(map(len, lines)), None, lines, filename)


def _import(libraries: Sequence[str]) -> None:
    """Import what the callable will need; what cannot be imported raises again where it is used."""
    import importlib

    for name in libraries:
        with contextlib.suppress(BaseException):
            importlib.import_module(name)


def _is_asked_to_load(connection: socket.socket, seconds: float) -> bool:
    """Wait for the order to load the callable; False when it does not come in time, or the controller has gone."""
    import select

    poll = select.poll()  # which takes descriptors of any number, as `select.select` does not
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(seconds * 1000)) and connection.recv(1) == messages.LOAD


def main(connection_fd: int, payload_fd: int, page_fd: int, patience: float, libraries: Sequence[str]) -> None:
    """Run as a worker.

    Parameters
    ----------
    connection_fd, payload_fd, page_fd
        Descriptors of the connection to the controller, the callable's pickle and the shared page of memory.
    patience
        Seconds in which it has to be asked to load the callable; afterwards it ends.
    libraries
        Names of modules to import before that.
    """
    sys.argv[:] = [""]
    # What a trial leaves behind becomes a child of this process, where the end of the trial finds it.
    become_subreaper()
    for descriptor in (connection_fd, payload_fd, page_fd):
        os.set_inheritable(descriptor, False)
    import faulthandler

    faulthandler.enable()
    try:
        import resource

        # The dump of a crashed trial's memory would cost seconds and gigabytes.
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    except (ImportError, ValueError, OSError):
        pass
    # Line by line, so that the log of a running trial can be read.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    connection = socket.socket(fileno=connection_fd)
    page = memoryview(mmap.mmap(page_fd, messages.PAGE)).cast("q")
    os.close(page_fd)
    pid = os.getpid()
    worker = Worker(connection, page)
    os.register_at_fork(
        before=_hold_terminate, after_in_parent=lambda: _hold_terminate(hold=False), after_in_child=worker.leave
    )
    _import(libraries)
    if not _is_asked_to_load(connection, patience):
        os._exit(messages.UNUSED)
    with mmap.mmap(payload_fd, 0, access=mmap.ACCESS_READ) as payload:
        os.close(payload_fd)
        worker.load(payload)
    try:
        worker.serve()
    except BaseException:
        if os.getpid() != pid:
            raise
        # A worker that cannot go on has to end.
        sys.excepthook(*sys.exc_info())
        _flush(sys.stderr)
        os._exit(70)
