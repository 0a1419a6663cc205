"""Processes that own a search, cheap enough to be killed by the hundred.

This module is a program, too: it imports what a search needs, and forks an owner whenever it is asked for one. It is
the subreaper of all that an owner leaves behind, so that `Owners.reap` sees every process of a dead search.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
DEADLINE = 60.0
"""Seconds after which something that is waited for is taken to hang."""


class Owners:
    """Starts owners and says what becomes of them.

    Attributes
    ----------
    pid : int or None
        The present owner.
    """

    def __init__(self, directory):
        self.pid = None
        self._log = (directory / "owners.log").open("ab")
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.owners"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=ROOT,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )
        self._said = b""

    def start(self, **order):
        """Have a new process own a search; `own` has what it can be told."""
        self.pid = self._ask("start", **order)

    def wait(self, seconds):
        """Wait until the owner says something; None when it has not in so many seconds."""
        until = time.monotonic() + seconds
        while b"\n" not in self._said:
            ready, _, _ = select.select([self._server.stdout], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                return None
            data = os.read(self._server.stdout.fileno(), 1 << 16)
            if not data:
                raise EOFError(f"the server of owners has ended; see {self._log.name}")
            self._said += data
        line, _, self._said = self._said.partition(b"\n")
        return json.loads(line)

    def wait_for(self, kind):
        """Wait until the owner says a thing of a kind; what it says before is dropped."""
        until = time.monotonic() + DEADLINE
        while (said := self.wait(until - time.monotonic())) is not None:
            if said[0] == kind:
                return said[1]
            if said[0] == "error":
                raise AssertionError(said[1])
        raise TimeoutError(f"no word of {kind!r}; see {self._log.name}")

    def tree(self):
        """Return the processes below the owner: supervisors, and the workers below those."""
        try:
            supervisors = psutil.Process(self.pid).children()
            return supervisors, [worker for each in supervisors for worker in each.children()]
        except psutil.NoSuchProcess:
            return [], []

    def reap(self):
        """Wait until nothing that the owner has started is left; returns what is left after all."""
        left = self._ask("reap")
        self.pid = None
        self._said = b""
        return left

    def end(self):
        """Kill the owner if there is one."""
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self.reap()

    def close(self):
        """End the server and all that it started."""
        self._server.stdin.close()
        self._server.wait(DEADLINE)
        self._server.stdout.close()
        self._log.close()

    def _ask(self, what, **more):
        self._server.stdin.write(json.dumps({"what": what, **more}).encode() + b"\n")
        self._server.stdin.flush()
        return self.wait_for(what)


def _say(kind, what=None):
    # In one call of the system, so that the words of an owner and of the server stay apart.
    os.write(1, json.dumps([kind, what]).encode() + b"\n")


def objective_with(ledger, most_seconds, held=(), gate=None):
    """Return an objective that writes down in a file, durably, that it has begun and that it has ended.

    The trials whose numbers are in ``held`` go on once there is a file ``gate``.
    """

    def objective(x, trial):
        import os
        import time

        descriptor = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, f"begun {trial.number} {x!r} {os.getpid()}\n".encode())
            trial.report_scalar("validation", "half", x / 2, 0)
            while trial.number in held and not os.path.exists(gate):
                time.sleep(0.002)
            time.sleep(x * most_seconds)
            trial.report_scalar("validation", "half", x / 2, 1)
            os.write(descriptor, f"ended {trial.number} {x!r} {os.getpid()}\n".encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return x

    return objective


def _let_an_hour_go_by_once_there_is(path):
    """Have this process find an hour gone by, as one that was suspended for so long does, from when there is a file."""
    now = time.monotonic
    time.monotonic = lambda: now() + 3600 * os.path.exists(path)


def own(order):
    """Own a search until it has ended, or this process has been killed."""
    from hpo_widgets import HyperParameterOptimizer, UniformParameterRange
    from hpo_widgets.strategies.registry import named

    if "later" in order:
        _let_an_hour_go_by_once_there_is(order["later"])
    witness = os.open(order["witness"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    objective = objective_with(order["ledger"], order.get("most_seconds", 0.01), *order.get("held", ()))
    path = Path(order["journal"])
    if order["is_new"]:
        search = HyperParameterOptimizer(
            objective,
            [UniformParameterRange("x", 0, 1)],
            journal=path,
            optimizer_class=named(order.get("strategy", "RandomSearch")),
            max_number_of_concurrent_tasks=order.get("workers", 2),
            max_failures=None,
            seed=order.get("seed", 1),
            **order.get("keywords", {}),
        )
        for x in order.get("enqueued", ()):
            search.enqueue_trial({"x": x})
    else:
        search = HyperParameterOptimizer.open(path, base_task_id=objective)

    def completed(job, value, *_):
        os.write(witness, f"{job.rpartition('/')[2]} {value!r}\n".encode())

    search.start(completed)
    _say("running")
    search.wait()
    _say("ended", [search.status.name, search.stop_reason.code, search.stop_reason.sentence])


def _serve():
    import hpo_widgets.optimizer
    import hpo_widgets.strategies.optuna  # noqa: F401 -- so that no owner has to load them
    from hpo_widgets.engines.local.supervisor import become_subreaper

    become_subreaper()
    for line in sys.stdin.buffer:
        order = json.loads(line)
        if order["what"] == "reap":
            _say("reap", _left(DEADLINE / 2))
            continue
        pid = os.fork()
        if not pid:
            _be_owner(order)
        _say("start", pid)
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    _left(DEADLINE / 2)


def _be_owner(order):
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        own(order)
        code = 0
    except BaseException:
        _say("error", traceback.format_exc()[-3000:])
    finally:
        os._exit(code)


def _left(seconds):
    """Wait until this process has no descendant any more; names what is left after so many seconds."""
    until = time.monotonic() + seconds
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return []
        if not pid:
            if time.monotonic() > until:
                return [str(process) for process in psutil.Process().children(recursive=True)]
            time.sleep(0.002)


if __name__ == "__main__":
    _serve()
