"""One process for each trial of a script.

A script is run as ``python script.py --name value …`` (see `command_line`), in a process group of its
own, and reports with ``hpo_widgets.report_scalar``. It needs no other change and no ``__main__`` guard.
"""

from __future__ import annotations

import os
import re
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo_widgets._messages import short
from hpo_widgets.engines.base import Outcome
from hpo_widgets.engines.local.engine import ProcessEngine
from hpo_widgets.engines.local.messages import SCALAR, BadMessageError
from hpo_widgets.engines.local.reporting import NUMBER_VARIABLE, VARIABLE
from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hpo_widgets.engines.local.engine import WorkerHandle
    from hpo_widgets.engines.local.process import Process, WorkerEnvironment
    from hpo_widgets.engines.local.template import ScriptTemplate

_MAX_SENTENCE = 500
_WORD = re.compile(r"\w")
_FRAME = " \t│┃|"
_REPORTED_NOTHING = (
    "it reported nothing: a script reports by hpo_widgets.report_scalar(title, series, value, iteration), not by what "
    "it prints or logs"
)
_STOP_GRACE = 2.0  # seconds between SIGTERM and SIGKILL for a script that is asked to stop
_SUPERVISE = (
    "import sys; sys.path.append(sys.argv[1]); import supervisor; supervisor.run(int(sys.argv[2]), sys.argv[3:])"
)


class ScriptEngine(ProcessEngine):
    """Runs trials of a script; see `base.JobEngine` for its methods.

    Parameters
    ----------
    template
        The script.
    workers
        How many trials may run at once.
    worker_env, max_memory_per_job
        See `ProcessEngine`.

    Raises
    ------
    OSError
        On a system without process groups.
    """

    def __init__(
        self,
        template: ScriptTemplate,
        *,
        workers: int,
        worker_env: WorkerEnvironment = None,
        max_memory_per_job: float | None = None,
    ) -> None:
        super().__init__(workers=workers, worker_env=worker_env, max_memory_per_job=max_memory_per_job)
        self._template = template
        self._follow_edits(template.own_files())
        # What it prints is to be read while it runs.
        self._environments.shared.setdefault("PYTHONUNBUFFERED", "1")
        self._environments.shared.setdefault("PYTHONIOENCODING", "utf-8:backslashreplace")
        # Of its own errors hydra prints no exception otherwise, and ends with a line that names this variable.
        self._environments.shared.setdefault("HYDRA_FULL_ERROR", "1")

    def launch(self, number: int, point: Mapping[str, Any]) -> int:
        """Start one trial and return the index of its worker; trouble arrives as its "ended" event."""
        worker = self._take(number)
        try:
            self._spawn(worker, number, self._template.arguments(point))
        except Exception as error:  # noqa: BLE001 - too many processes, a NUL in a value, worker_env's own
            sentence = f"the script could not be started: {type(error).__name__}: {error}"
            self._end(worker, Outcome(TrialState.FAILED, error=sentence, worker=worker.index, launch_failed=True))
        return worker.index

    def ask_stop(self, number: int, state: TrialState = TrialState.ABORTED) -> None:
        """Send SIGTERM to the script and its children, SIGKILL after two seconds."""
        worker = self._running.get(number)
        if worker is not None and worker.abort_state is None:
            self.abort(number, _STOP_GRACE, state)

    # Inside --------------------------------------------------------------------------------------

    def _spawn(self, worker: WorkerHandle, number: int, arguments: Sequence[str]) -> None:
        environment = self._environments.of(worker.index)
        environment[NUMBER_VARIABLE] = str(number)
        _add_own_package(environment)
        here, there = socket.socketpair()
        with there:
            descriptor = there.fileno()
            environment[VARIABLE] = f"{descriptor}:{os.fstat(descriptor).st_ino}"
            # The supervisor needs neither site-packages nor what the environment says of Python.
            supervised_by = [sys.executable, "-I", "-S", "-c", _SUPERVISE, str(Path(__file__).parent), str(descriptor)]
            command = [*supervised_by, sys.executable, str(self._template.path), *arguments]
            self._start(worker, command, environment, here, (descriptor,))
        worker.is_ready = True  # nothing has to be loaded: what it does from now on is the trial's own

    def _terminate(self, worker: WorkerHandle) -> None:
        if worker.process is not None:
            worker.process.terminate(whole_group=True)

    def _handle(self, worker: WorkerHandle, message: list[Any]) -> None:
        if message[0] != SCALAR:
            raise BadMessageError(f"a message of kind {message[0]}, which a script cannot send")
        if worker.number is not None:
            self._report(worker, message)

    def _judge_exit(self, worker: WorkerHandle, process: Process) -> None:
        duration = time.monotonic() - worker.began
        stdout, stderr = process.stdout.take(), process.stderr.take()
        state, error, traceback = TrialState.COMPLETED, None, None
        if worker.abort_state is not None:
            state = worker.abort_state
        elif process.returncode != 0:
            state = TrialState.FAILED
            start = stderr.rfind("Traceback (most recent call last)")
            traceback = stderr[start:] if start >= 0 else None
            died_of_it = traceback if process.returncode == 1 else None  # else it was only printed
            error = _sentence(process.ending(), stderr, died_of_it)
        elif worker.buffer:
            state, error = TrialState.FAILED, f"the script ended in the middle of a report: {worker.buffer[:40]!r}"
        elif not worker.series:
            error = _REPORTED_NOTHING
        index = worker.index
        self._discard(worker)
        self._end(worker, Outcome(state, None, error, traceback, stdout, stderr, duration, index))


def _sentence(ending: str, stderr: str, traceback: str | None) -> str:
    """The exception of which a script died, or else how it ended and its last line of words."""
    if traceback is not None:
        # A message may have several lines, and more may be printed after it.
        exception = next((line for line in traceback.splitlines()[1:] if line[:1].strip()), "")
        if exception:
            return short(exception, _MAX_SENTENCE)
    # What draws frames round an error, as typer does, ends with a line of them.
    said = next((line for line in reversed(stderr.splitlines()) if _WORD.search(line)), "").strip(_FRAME)
    return short(f"the script {ending}" + (f": {said}" if said else ""), _MAX_SENTENCE)


def _add_own_package(environment: dict[str, str]) -> None:
    """Let the script import this very package when it is not installed beside Python's other packages."""
    root = Path(__file__).resolve().parents[3]
    if root.name in {"site-packages", "dist-packages"}:
        return
    known = environment.get("PYTHONPATH", "")
    if str(root) not in known.split(os.pathsep):
        environment["PYTHONPATH"] = f"{known}{os.pathsep}{root}" if known else str(root)
