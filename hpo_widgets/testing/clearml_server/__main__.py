"""Run the server by hand until it is interrupted."""

from __future__ import annotations

import signal
import sys
import threading

from hpo_widgets.testing.clearml_server.server import DESCRIPTION, ClearmlServer


def main() -> int:
    """Start a server, say how to reach it, and wait for an interrupt."""
    interrupted = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: interrupted.set())
    with ClearmlServer() as server:
        lines = [f"# {DESCRIPTION}", *(f"export {name}={value}" for name, value in server.environment().items())]
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
        interrupted.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
