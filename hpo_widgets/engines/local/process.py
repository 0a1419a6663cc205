"""A trial's process as the controller sees it: started in a fresh interpreter, ended with all of its descendants.

The controller, which may be a kernel with many threads, is never forked. The process leads a session of its own,
so an interrupt of the controller's group does not reach it. It is a `supervisor`, whose child is the worker or the
script. The controller sends it orders through a pipe, the life line, which closes when the controller dies.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import TYPE_CHECKING

from hpo_widgets.engines.local.supervisor import KILL, MEMORY_LIMIT, TERMINATE, TERMINATE_GROUP

if TYPE_CHECKING:
    from collections.abc import Callable

    WorkerEnvironment = (
        Mapping[int, Mapping[str, object]]
        | Sequence[Mapping[str, object]]
        | Callable[[int], Mapping[str, object]]
        | None
    )


try:
    import fcntl
except ImportError:  # pragma: no cover - Windows, where no engine starts
    fcntl = None  # type: ignore[assignment]

HEAD = TAIL = 16 * 1024
CUT_AT = 1024 * 1024


class Capture:
    """One output stream of one process: a file without a name that the process writes and the controller reads.

    A file takes a trial's output at full speed, whatever writes it (Python, C code, children), and can be read while
    the trial runs and after it has died. To keep it small the controller cuts it now and then: the first and the last
    bytes are kept, what lies between is counted and dropped.
    """

    __slots__ = ("_cut", "_head", "_tail", "fd")

    def __init__(self) -> None:
        with tempfile.TemporaryFile(prefix="hpo-widgets-", buffering=0) as file:
            self.fd = os.dup(file.fileno())
        # Appending: after a cut the next write goes to the new end, whoever has the file open.
        fcntl.fcntl(self.fd, fcntl.F_SETFL, fcntl.fcntl(self.fd, fcntl.F_GETFL) | os.O_APPEND)
        self._head = b""
        self._tail = b""
        self._cut = 0

    @property
    def is_cut(self) -> bool:
        """True when something of the running trial's output is held here and no longer in the file."""
        return self._cut > 0

    def cut(self) -> bool:
        """Keep the file small; True when there was something to cut."""
        size = os.fstat(self.fd).st_size
        if size <= CUT_AT:
            return False
        if not self._cut:
            self._head = os.pread(self.fd, HEAD, 0)
        self._tail = os.pread(self.fd, TAIL, size - TAIL)
        os.ftruncate(self.fd, 0)
        self._cut += size
        return True

    def text(self) -> str:
        """What was printed so far as a terminal shows it, where it is long its first and last bytes."""
        size = os.fstat(self.fd).st_size
        if self._cut:
            head = self._head
            tail = (self._tail + os.pread(self.fd, TAIL, max(0, size - TAIL)))[-TAIL:]
            left_out = self._cut + size - len(head) - len(tail)
            head, tail = _as_shown(head), _as_shown(tail)
        else:
            shown = _as_shown(os.pread(self.fd, size, 0))
            if len(shown) <= HEAD + TAIL:
                return _decode(shown)
            head, tail, left_out = shown[:HEAD], shown[-TAIL:], len(shown) - HEAD - TAIL
        return f"{_decode(head)}\n… {left_out} bytes left out …\n{_decode(tail)}"

    def take(self) -> str:
        """The text, after which the file is empty for the next trial."""
        text = self.text()
        os.ftruncate(self.fd, 0)
        self._head = self._tail = b""
        self._cut = 0
        return text

    def close(self) -> None:
        """Close the file."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            with contextlib.suppress(OSError):
                os.close(fd)


_CONTROL = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]")
_ERASE_LINE = b"\x1b[2K"
_BELOW = re.compile(rb"\n[^\n]*?\x1b\[1?A")
"""A line after which the cursor goes up again, as a progress bar below another one writes it."""
_MOST_BARS = 8


def _as_shown(data: bytes) -> bytes:
    """Leave out what a terminal would have overwritten, such as the earlier states of a progress bar, and colours."""
    if b"\r" not in data and b"\x1b" not in data:
        return data
    for _ in range(_MOST_BARS):
        data, count = _BELOW.subn(b"", data)
        if not count:
            break
    lines = _CONTROL.sub(b"", data.replace(_ERASE_LINE, b"\r")).split(b"\n")
    return b"\n".join(line.rstrip(b"\r").rpartition(b"\r")[2] for line in lines)


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "replace")


# Seconds that a supervisor gets to kill everything before its whole group is killed, itself included. A process that
# left the group would then live on, so this is longer than a supervisor waits for the processor on a busy machine.
_PATIENCE = 10.0

_life_lines: set[int] = set()


def _forget_life_lines() -> None:
    """A fork of the parent must not keep the children alive after the parent's death."""
    for fd in _life_lines:
        with contextlib.suppress(OSError):
            os.close(fd)
    _life_lines.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_life_lines)


def check_platform() -> None:
    """Raise an OSError on a system without process groups, such as Windows outside WSL."""
    if not hasattr(os, "killpg") or fcntl is None:
        raise OSError(
            "running trials on this machine needs process groups, which this system does not have; "
            "use Linux, macOS or the Windows Subsystem for Linux, or give a ClearML task as base_task_id"
        )
    if not sys.executable:
        raise OSError("sys.executable is not known, so no worker can be started; run under a Python interpreter")


_BY_INDEX = (
    "worker_env gives each worker's variables by its index, from 0: {0: {'CUDA_VISIBLE_DEVICES': '0'}}, "
    "a list of dicts, or a function of the index; for the same in all: lambda index: {'NAME': 'value'}"
)


def check_worker_environment(own: object) -> None:
    """Raise a TypeError for variables of the environment that are not given by the worker, as `Environments` has them.

    A function's answers are not looked at before a worker starts.
    """
    if own is None or callable(own):
        return
    if isinstance(own, Mapping):
        items = list(own.items())
    elif isinstance(own, Sequence) and not isinstance(own, str):
        items = list(enumerate(own))
    else:
        items = [(None, own)]
    for index, variables in items:
        is_index = isinstance(index, Integral) and not isinstance(index, bool)
        if not is_index or not isinstance(variables, Mapping):
            raise TypeError(_BY_INDEX)


class Process:
    """One supervisor with all that it supervises.

    Parameters
    ----------
    command
        The supervisor's program and arguments.
    environment
        All environment variables of the child.
    directory
        Its working directory.
    pass_fds
        Descriptors that it inherits, under the same numbers.
    memory
        Bytes of private memory that it, and each process that comes of it, may take; None: no limit.

    Raises
    ------
    OSError
        When it cannot be started.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        directory: str,
        pass_fds: Sequence[int] = (),
        memory: int | None = None,
    ) -> None:
        self.returncode: int | None = None
        self._killed_at: float | None = None
        self.pidfd = self._life_line = -1
        if memory is not None:
            environment = {**environment, MEMORY_LIMIT: str(memory)}
        self.stdout = Capture()
        try:
            self.stderr = Capture()
            theirs, self._life_line = os.pipe()
        except BaseException:
            self.close()
            raise
        _life_lines.add(self._life_line)
        try:
            self._popen = subprocess.Popen(
                command,
                stdin=theirs,
                stdout=self.stdout.fd,
                stderr=self.stderr.fd,
                cwd=directory,
                env=environment,
                pass_fds=pass_fds,
                start_new_session=True,
            )
        except BaseException:
            self.close()
            raise
        finally:
            os.close(theirs)
        self.pid = self._popen.pid
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):
                self.pidfd = os.pidfd_open(self.pid)

    @property
    def is_cut(self) -> bool:
        """True when output of the running trial is held here and no longer in the files."""
        return self.stdout.is_cut or self.stderr.is_cut

    def has_ended(self) -> bool:
        """True once it runs no more; it stays unreaped, so that its number is not given to another."""
        if self.returncode is not None:
            return True
        if not hasattr(os, "waitid"):  # macOS before Python 3.13
            return self._popen.poll() is not None
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:  # somebody else in this process has reaped it
            return True

    def terminate(self, *, whole_group: bool = False) -> None:
        """Send SIGTERM, to the worker or script or to its whole group."""
        self._order(TERMINATE_GROUP if whole_group else TERMINATE)

    def kill(self) -> None:
        """Have everything killed; `has_ended` tells when it is gone."""
        if self.returncode is not None or self._killed_at is not None:
            return
        self._killed_at = time.monotonic()
        self._order(KILL)
        with contextlib.suppress(OSError):  # a trial may have stopped its whole group
            os.kill(self.pid, signal.SIGCONT)

    def reap(self, timeout: float = 0.0) -> bool:
        """Take the exit status and kill what is left of the group; False when it still runs."""
        deadline = time.monotonic() + timeout
        while not self.has_ended():
            now = time.monotonic()
            if self._killed_at is not None and now > self._killed_at + _PATIENCE:
                self._kill_group()
            if now >= deadline:
                return False
            time.sleep(0.001)
        if self.returncode is None:
            # Before the status is taken: afterwards the number could belong to another group.
            self._kill_group()
            self.returncode = self._popen.wait()
        return True

    def close(self) -> None:
        """Close all files; a process that still runs must have been killed."""
        self.stdout.close()
        if hasattr(self, "stderr"):
            self.stderr.close()
        _life_lines.discard(self._life_line)
        for name in ("_life_line", "pidfd"):
            fd = getattr(self, name)
            setattr(self, name, -1)
            if fd >= 0:
                with contextlib.suppress(OSError):
                    os.close(fd)

    def _order(self, order: bytes) -> None:
        if self.returncode is None:
            with contextlib.suppress(OSError):  # it has ended
                os.write(self._life_line, order)

    def _kill_group(self) -> None:
        with contextlib.suppress(OSError):
            os.killpg(self.pid, signal.SIGKILL)

    def ending(self) -> str:
        """How it ended, as the end of a sentence."""
        code = self.returncode
        if code is None:
            return "ended"
        if code >= 0:
            return f"ended with exit code {code}"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        hint = _HINTS.get(-code, "")
        return f"was killed by {name}{hint}"


_HINTS = {
    int(signal.SIGSEGV): " (a crash in compiled code)",
    int(signal.SIGABRT): " (compiled code aborted)",
}
if hasattr(signal, "SIGKILL"):
    _HINTS[int(signal.SIGKILL)] = " (somebody killed it, or memory ran out)"
    _HINTS[int(signal.SIGBUS)] = " (a crash in compiled code, or a full disk)"


THREAD_LIMITS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",  # tokenizers of Hugging Face
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "PJRT_NPROC",  # JAX
    "LOKY_MAX_CPU_COUNT",  # the cores that joblib and LightGBM count for n_jobs=-1
)
"""Numeric libraries get one thread per worker, where the user has not said otherwise: the workers share the cores."""


class Environments:
    """Makes the environment of each worker; belongs to the engine's thread.

    Parameters
    ----------
    own
        Variables by the worker's index: a mapping, a sequence or a function of the index. A value of None
        removes a variable.

    Attributes
    ----------
    shared : dict of str to str
        What every worker gets: this process's variables at the engine's beginning, and what the engine adds.
    """

    def __init__(self, own: WorkerEnvironment) -> None:
        self._own = own
        self.shared = dict(os.environ)
        for name in THREAD_LIMITS:
            self.shared.setdefault(name, "1")

    def renewed(self) -> Environments:
        """Return what would be given now."""
        return Environments(self._own)

    def of(self, index: int) -> dict[str, str]:
        """Return the variables of one worker; a ``TypeError`` is raised for a function that returns none."""
        environment = dict(self.shared)
        source = self._own
        if source is None:
            return environment
        if callable(source):
            own: Mapping[str, object] = source(index)
            if not isinstance(own, Mapping):
                raise TypeError(f"{_BY_INDEX}; for worker {index} the function returned {own!r:.80}")
        elif hasattr(source, "get"):
            own = source.get(index, {})
        else:
            own = source[index] if index < len(source) else {}
        for name, value in own.items():
            if value is None:
                environment.pop(name, None)
            else:
                environment[name] = str(value)
        return environment
