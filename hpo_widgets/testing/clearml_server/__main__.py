"""Run the server by hand until it is interrupted."""

from __future__ import annotations

import signal
import sys

from hpo_widgets.testing.clearml_server.server import DESCRIPTION, ClearmlServer


def main() -> int:
    """Start a server, say how to reach it, and wait for an interrupt."""
    with ClearmlServer() as server:
        lines = [DESCRIPTION, *(f"export {name}={value}" for name, value in server.environment().items())]
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
        wanted = {signal.SIGINT, signal.SIGTERM}
        signal.sigwait(wanted)
    return 0


if __name__ == "__main__":
    # The server's thread must not take the signals: they are blocked before it starts.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    sys.exit(main())
