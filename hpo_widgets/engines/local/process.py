"""A process in a session of its own that dies with its parent, and dies whole.

A fresh interpreter is started each time; the parent, which may be a kernel with many threads, is never
forked. The child leads a process group: an interrupt of the parent's group does not reach it, and
killing the group takes its children along.

*Dying with the parent.* The child inherits the read end of a pipe whose write end only the parent has.
On Linux the pipe is armed with ``F_SETOWN`` (the child's group) and ``F_SETSIG`` (SIGKILL): when the
parent is gone, in whatever way, the kernel itself kills the whole group. No thread in the child has to
get hold of the interpreter for that, so a child that is stuck in C code dies as well. Elsewhere a
``/bin/sh`` beside the child reads the pipe and does the same. ``PR_SET_PDEATHSIG`` would not do: it
fires when the *thread* that started the child ends, and spares the child's children.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from hpo_widgets.engines.local.capture import Capture

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows, where no engine starts
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NICENESS = 5

_life_ends: set[int] = set()


def _forget_life_ends() -> None:
    """A fork of the parent must not keep the children alive after the parent's death."""
    for fd in _life_ends:
        with contextlib.suppress(OSError):
            os.close(fd)
    _life_ends.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_life_ends)


def check_platform() -> None:
    """Raise where processes cannot be run as promised.

    Raises
    ------
    OSError
        On a system without process groups, such as Windows outside WSL.
    """
    if not hasattr(os, "killpg") or fcntl is None:
        raise OSError(
            "running trials on this machine needs process groups, which this system does not have; "
            "use Linux, macOS or the Windows Subsystem for Linux, or give a ClearML task as base_task_id"
        )
    if not sys.executable:
        raise OSError("sys.executable is not known, so no worker can be started; run under a Python interpreter")


class Process:
    """One child and the group that it leads.

    Parameters
    ----------
    command
        Program and arguments.
    environment
        All environment variables of the child.
    directory
        Its working directory.
    pass_fds
        Descriptors that it inherits, under the same numbers.

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
    ) -> None:
        self.returncode: int | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self.pidfd = self._life = -1
        self.stdout = Capture()
        try:
            self.stderr = Capture()
            life, self._life = os.pipe()
        except BaseException:
            self._close_files()
            raise
        _life_ends.add(self._life)
        try:
            self._popen = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=self.stdout.fd,
                stderr=self.stderr.fd,
                cwd=directory,
                env=environment,
                pass_fds=(*pass_fds, life),
                start_new_session=True,
            )
            self.pid = self._popen.pid
            self._bind_life(life)
        except BaseException:
            self._close_files()
            raise
        finally:
            os.close(life)
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, self.pid, os.getpriority(os.PRIO_PROCESS, 0) + NICENESS)
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):
                self.pidfd = os.pidfd_open(self.pid)

    def _bind_life(self, life: int) -> None:
        if hasattr(fcntl, "F_SETSIG"):
            fcntl.fcntl(life, fcntl.F_SETOWN, -self.pid)
            fcntl.fcntl(life, fcntl.F_SETSIG, signal.SIGKILL)
            fcntl.fcntl(life, fcntl.F_SETFL, fcntl.fcntl(life, fcntl.F_GETFL) | os.O_ASYNC)
        else:
            self._guard = subprocess.Popen(
                ["/bin/sh", "-c", 'read _; kill -s KILL -- "-$0"', str(self.pid)],
                stdin=life,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )

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
        """Send SIGTERM, to the process or to its whole group."""
        if self.returncode is None:
            with contextlib.suppress(OSError):
                if whole_group:
                    os.killpg(self.pid, signal.SIGTERM)
                else:
                    os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL to the group, and to descendants that have left it."""
        if self.returncode is not None:
            return
        strays = _descendants_elsewhere(self.pid)
        with contextlib.suppress(OSError):
            os.killpg(self.pid, signal.SIGKILL)
        for stray in strays:
            with contextlib.suppress(OSError):
                os.kill(stray, signal.SIGKILL)

    def reap(self, timeout: float = 0.0) -> bool:
        """Take the exit status and kill what is left of the group; False when it still runs."""
        deadline = time.monotonic() + timeout
        while not self.has_ended():
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.001)
        if self.returncode is None:
            # Before the status is taken: afterwards the number could belong to another group.
            with contextlib.suppress(OSError):
                os.killpg(self.pid, signal.SIGKILL)
            self.returncode = self._popen.wait()
        return True

    def close(self) -> None:
        """Close all files; a process that still runs must have been killed."""
        if self._guard is not None:
            self._guard.kill()
            self._guard.wait()
            self._guard = None
        self._close_files()

    def _close_files(self) -> None:
        self.stdout.close()
        if hasattr(self, "stderr"):
            self.stderr.close()
        _life_ends.discard(self._life)
        for name in ("_life", "pidfd"):
            fd = getattr(self, name)
            setattr(self, name, -1)
            if fd >= 0:
                with contextlib.suppress(OSError):
                    os.close(fd)

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
    int(signal.SIGABRT): " (compiled code gave up)",
}
if hasattr(signal, "SIGKILL"):
    _HINTS[int(signal.SIGKILL)] = " (somebody killed it, or memory ran out)"
    _HINTS[int(signal.SIGBUS)] = " (a crash in compiled code, or a full disk)"


def _descendants_elsewhere(pid: int) -> list[int]:
    """Children and their children that are in another process group; Linux only, [] elsewhere."""
    found: list[int] = []
    seen = {pid}
    queue = [pid]
    while queue:
        try:
            tasks = list(Path(f"/proc/{queue.pop()}/task").iterdir())
        except OSError:
            continue
        for task in tasks:
            try:
                children = [int(word) for word in (task / "children").read_text().split()]
            except OSError:
                continue
            queue += [child for child in children if child not in seen]
            seen.update(children)
    for child in seen - {pid}:
        with contextlib.suppress(OSError):
            if os.getpgid(child) != pid:
                found.append(child)
    return found
