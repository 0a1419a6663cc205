"""An unmodified clearml-agent in a process of its own, which needs no network but the API's."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import uuid


class Agent:
    """An unmodified clearml-agent that serves a queue from a home of its own."""

    def __init__(self, queue, folder, environment):
        self.worker = f"hpo-widgets-test-{uuid.uuid4().hex}"
        self.log = folder / "agent.log"
        home = folder / "home"
        temporary = folder / "tmp"
        home.mkdir()
        temporary.mkdir()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "clearml_agent", "daemon", "--foreground", "--cpu-only", "--queue", queue],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=folder,
                start_new_session=True,
                env={
                    **os.environ,
                    **environment,
                    "HOME": str(home),
                    "TMPDIR": str(temporary),
                    "CLEARML_WORKER_ID": self.worker,
                    # Trials run in this environment, so nothing is installed for them.
                    "CLEARML_AGENT_SKIP_PYTHON_ENV_INSTALL": "1",
                    "CLEARML_AGENT_QUEUE_POLL_FREQ_SEC": "0.3",
                },
            )

    def end(self):
        """Ask it to go, which signs it off, and end what is left of it."""
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
