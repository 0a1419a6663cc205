"""The process between the controller and a trial's process: it ends whatever a trial started, whoever dies first.

`supervise` forks. The child goes on as the worker, or is replaced by the script; the parent waits for two things:
the end of the child, and the *life line*, a pipe whose other end only the controller has. When either ends, it
kills all descendants, waits until they are gone, and ends as the child did. So the controller sees one process,
with the exit status of the trial's, and once it is gone nothing of the trial is left.

Linux gives a process the descendants that lost their parent when it calls itself a *subreaper*: no new session
and no double fork leads out of it. Should the supervisor itself be killed, Linux kills the process group, because
a second pipe is armed for that (``F_SETSIG``); no thread of a stuck trial has to run for it. Other
systems have neither: there a trial's process group is killed, and what left the group lives on.

A supervisor for each worker needs no protocol but the pipe, and costs a fork (see `docs/architecture.md`). With
the worker as the only subreaper, what it started survives when controller and worker are killed.

A script's supervisor loads this file alone, so it needs the standard library only.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys

_LIFE_LINE = 0
"""The life line is the supervisor's standard input; the child's is empty."""

TERMINATE = b"t"
"""Send SIGTERM to the trial's process."""
TERMINATE_GROUP = b"g"
"""Send SIGTERM to the trial's process and those of its children that have not left its group."""
KILL = b"k"
"""Kill everything; the end of the life line says the same."""

MEMORY_LIMIT = "HPO_WIDGETS_MEMORY_LIMIT"
"""The variable that says how many bytes of private memory a trial's process, and each that it starts, may take."""

_NICENESS = 5
_PR_SET_CHILD_SUBREAPER = 36


def become_subreaper() -> None:
    """Let descendants that lose their parent become children of this process; Linux only."""
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _limit_memory() -> None:
    """Apply the memory limit, if one is set, to this process and all that it starts.

    Files and shared memory do not count.
    """
    limit = os.environ.pop(MEMORY_LIMIT, None)
    if limit is None:
        return
    import resource

    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    allowed = int(limit) if hard == resource.RLIM_INFINITY else min(int(limit), hard)
    resource.setrlimit(resource.RLIMIT_DATA, (allowed, allowed))


def _give_way() -> None:
    """Lower this process's priority, so that trials do not slow down the kernel or a browser."""
    os.nice(_NICENESS)
    # With autogroups Linux shares the processor between sessions, and a process's niceness counts inside its own only.
    with contextlib.suppress(OSError):
        descriptor = os.open("/proc/self/autogroup", os.O_WRONLY)
        try:
            os.write(descriptor, b"%d" % _NICENESS)
        finally:
            os.close(descriptor)


def supervise(descriptors: list[int], *, keep_armed: bool = False) -> None:
    """Fork; the child returns from this call, the parent supervises it and never returns.

    Parameters
    ----------
    descriptors
        What only the child is to have open, such as its connection.
    keep_armed
        Whether the child is going to call ``exec``, through which the armed pipe has to stay open.
    """
    become_subreaper()
    _limit_memory()
    armed, held = os.pipe()
    _arm(armed)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, _nothing)
    signal.set_wakeup_fd(wake)
    child = os.fork()
    if not child:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for descriptor in (held, woken, wake):
            os.close(descriptor)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, _LIFE_LINE)
        os.close(nothing)
        os.set_inheritable(armed, keep_armed)
        _give_way()
        return
    try:
        for descriptor in (armed, *descriptors):
            os.close(descriptor)
        _watch(child, woken)
    finally:
        os.killpg(0, signal.SIGKILL)  # only reached by an error


def _watch(child: int, woken: int) -> None:
    """Follow orders until there is no child or nobody to give them, kill what is left, and end as the child did."""
    import select

    # What is sent to the whole group is not meant for this process.
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - {signal.SIGCHLD})
    poll = select.poll()
    poll.register(_LIFE_LINE, select.POLLIN)
    poll.register(woken, select.POLLIN)
    status: int | None = None
    order = TERMINATE
    while status is None and order in {TERMINATE, TERMINATE_GROUP}:
        ready = [descriptor for descriptor, _ in poll.poll()]
        if woken in ready:
            os.read(woken, 4096)
            status = _reap(child)
        if _LIFE_LINE in ready and status is None:
            order = os.read(_LIFE_LINE, 1)
            if order == TERMINATE:
                os.kill(child, signal.SIGTERM)
            elif order == TERMINATE_GROUP:
                os.killpg(0, signal.SIGTERM)
                if os.getpgid(child) != os.getpgid(0):  # it has left the group
                    os.kill(child, signal.SIGTERM)
    killed = _kill_all(child)
    if not order:  # without a controller nobody else kills what is left of the group
        os.killpg(0, signal.SIGKILL)
    _end_like(killed if status is None else status)


def _nothing(*_arguments: object) -> None:
    """Handle SIGCHLD, so that it wakes."""


def _arm(pipe: int) -> None:
    """Have the operating system kill this process's group when the pipe's other end is closed; Linux only."""
    import fcntl

    if hasattr(fcntl, "F_SETSIG"):
        fcntl.fcntl(pipe, fcntl.F_SETOWN, -os.getpgid(0))
        fcntl.fcntl(pipe, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)


def _reap(child: int) -> int | None:
    """Take the status of all children that have ended, and return that of `child` if it has."""
    found = None
    try:
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == child:
                found = status
            elif not pid:
                return found
    except ChildProcessError:
        return found


def _kill_all(child: int) -> int:
    """Kill all descendants, wait until they have ended, and return the status of `child`."""
    found = signal.SIGKILL.value
    while True:
        # The children of whoever is killed become children of this process, for the next round.
        num_killed = 0
        for pid in _children(child):
            try:
                os.kill(pid, signal.SIGKILL)
                num_killed += 1
            except OSError:  # it has ended, or runs as another user
                continue
        try:
            pid, status = os.waitpid(-1, 0 if num_killed else os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == child:
            found = status
        elif not pid and not num_killed:
            return found


def _children(child: int) -> list[int]:
    try:
        with open("/proc/thread-self/children", encoding="ascii") as file:  # noqa: PTH123 -- pathlib takes 10 ms to import
            return list(map(int, file.read().split()))
    except OSError:
        return [child]


def _end_like(status: int) -> None:
    """End this process as another one has ended."""
    if os.WIFSIGNALED(status):
        import resource

        number = os.WTERMSIG(status)
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        if number not in {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status))


def run(connection: int, command: list[str]) -> None:
    """Become a program that is supervised.

    Parameters
    ----------
    connection
        Descriptor of the program's connection to the controller.
    command
        The program and its arguments.
    """
    supervise([connection], keep_armed=True)
    os.execv(command[0], command)  # noqa: S606 -- there is no shell on purpose
