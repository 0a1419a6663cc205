"""Processes on this machine that run Tasks (`LocalClearmlJob`): how they begin, whether they live, how they end.

Of the SDK's private names, the code of ``LocalClearmlJob.launch`` is run with another module,
``_job_process`` is read, and ``_local_temp_file`` is read and written. Tried on clearml 2.1.12.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path
from types import FunctionType, SimpleNamespace
from typing import Any

import psutil
from clearml.automation.job import LocalClearmlJob

from hpo_widgets.journal import Owner


def _start_in_own_session(args: list[str], cwd: str, env: dict[str, str]) -> subprocess.Popen[bytes]:
    _, script = args
    if not script:
        raise ValueError("the Task has no script that could run here: run one that calls Task.init, and give its Task")
    if not script.startswith("-") and not Path(cwd, script).is_file():
        raise ValueError(
            f"there is no {script} in {os.path.normpath(cwd)}: start_locally() runs the Task's script from the working "
            "directory, so go to the root of its repository (os.chdir) first"
        )
    return subprocess.Popen(args, cwd=cwd, env=env, start_new_session=True)


_OWN_SESSIONS = SimpleNamespace(Popen=_start_in_own_session)


def launch(job: LocalClearmlJob) -> None:
    """Start the process of the SDK's job in a session of its own, which an interrupt of a kernel or a terminal spares.

    The SDK's own code does it, with another module ``subprocess``, as it has no argument for that.

    Raises
    ------
    ValueError
        When the Task's script is not where it would be run.
    """
    its: Any = LocalClearmlJob.launch
    known = {**its.__globals__, "subprocess": _OWN_SESSIONS}
    FunctionType(its.__code__, known, its.__name__, its.__defaults__, its.__closure__)(job)


def process_of(job: Any) -> subprocess.Popen[bytes] | None:
    """The process of the SDK's job; None for a job that has none (a queue's, or one that ended)."""
    process = getattr(job, "_job_process", None)
    return process if isinstance(process, subprocess.Popen) else None


def here() -> str:
    """Name this machine and its user, whose processes alone can be looked into."""
    return f"{Owner.here().machine} {os.getuid()}"


def running_tasks() -> set[str]:
    """The Tasks that this user's processes on this machine run, whichever program has started them."""
    tasks = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):  # it has ended meanwhile, or is another user's
            tasks.add(process.environ().get("CLEARML_TASK_ID", ""))
    return tasks


def exit_code(job: Any) -> int | None:
    """The exit code of a job's process, None while it runs; its temporary file is removed at its end."""
    process = process_of(job)
    if process is None:
        return None
    code = process.poll()
    if code is not None:
        _forget(job)
    return code


def kill(job: Any) -> None:
    """End a job's process and all of its children at once."""
    process = process_of(job)
    if process is None:
        return
    if process.poll() is None:  # the number of one that has ended may be another process's by now
        with contextlib.suppress(psutil.Error):
            family = psutil.Process(process.pid)
            for member in [*family.children(recursive=True), family]:
                with contextlib.suppress(psutil.Error):  # one that has become another user's does not spare the others
                    member.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5.0)
    _forget(job)


def _forget(job: Any) -> None:
    """Remove the script that the SDK wrote for a Task without a repository."""
    path = getattr(job, "_local_temp_file", None)
    if path:
        with contextlib.suppress(OSError):  # one that cannot be removed keeps nobody from ending other processes
            Path(path).unlink(missing_ok=True)
        job._local_temp_file = None  # noqa: SLF001 -- the SDK does so after waiting, with requests that are not wanted here
