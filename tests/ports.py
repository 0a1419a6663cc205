"""Ports for servers that listen some time after their port was chosen."""

from __future__ import annotations

import contextlib
import random
import socket

FIRST_GIVEN = 32_768
"""The first port that Linux gives to a connection, and to a server that listens on any port."""


def free_port() -> int:
    """A free port that nobody is given meanwhile who asks for any, as other tests and kernels do all the time."""
    any_number = random.SystemRandom()  # which no test seeds
    while True:
        port = any_number.randrange(20_000, FIRST_GIVEN)
        with contextlib.suppress(OSError), socket.socket() as tried:
            tried.bind(("127.0.0.1", port))
            return port
