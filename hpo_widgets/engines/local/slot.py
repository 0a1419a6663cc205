"""A place for one running trial: its index is the worker's index, its process comes and goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

    from hpo_widgets.engines.local.process import Process
    from hpo_widgets.trials import TrialState

FOREVER = float("inf")


class Slot:
    """What an engine knows of one worker; belongs to the engine's thread."""

    __slots__ = (
        "abort_state", "began", "buffer", "connection", "fd", "index", "kill_at", "killed_at", "number",
        "outgoing", "page", "process", "ready", "sent", "stop_state",
    )  # fmt: skip

    def __init__(self, index: int) -> None:
        self.index = index
        self.process: Process | None = None
        self.connection: socket.socket | None = None
        self.fd = -1
        self.buffer = b""
        self.outgoing = b""
        self.sent = b""
        self.page: memoryview | None = None
        self.ready = False
        self.number: int | None = None
        self.began = 0.0
        self.stop_state: TrialState | None = None
        self.abort_state: TrialState | None = None
        self.kill_at = FOREVER
        self.killed_at = FOREVER
