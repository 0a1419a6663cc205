"""What the server was asked: one entry for each request, for tests that count them."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime


@dataclass(frozen=True)
class LoggedRequest:
    """One request that was answered. No key, token or body is kept.

    Attributes
    ----------
    endpoint : str
        ``service.action``; the path, if it named no endpoint.
    method : str
        The HTTP method.
    status : int
        The HTTP status of the answer; 0 when the connection was cut.
    subcode : int
        ``meta.result_subcode`` of the answer.
    worker : str
        Who says to ask, ``X-ClearML-Worker``; "" when nobody does.
    client : str
        With which program, ``X-ClearML-Client`` or ``X-ClearML-Agent``.
    time : datetime.datetime
        When it came, in UTC by the machine's clock.
    seconds : float
        How long the answer took.
    request_size, response_size : int
        Bytes of the bodies, uncompressed.
    """

    endpoint: str
    method: str
    status: int
    subcode: int
    worker: str
    client: str
    time: datetime
    seconds: float
    request_size: int
    response_size: int


class RequestLog:
    """The requests in order of their answers. The server's thread (``clearml-server``) adds, any thread may read."""

    def __init__(self) -> None:
        self._entries: list[LoggedRequest] = []
        self._lock = threading.Lock()

    def __len__(self) -> int:
        with self._lock:
            return len(self._entries)

    def __iter__(self) -> Iterator[LoggedRequest]:
        return iter(self.since(0))

    def add(self, entry: LoggedRequest) -> None:
        """Add an entry."""
        with self._lock:
            self._entries.append(entry)

    def since(self, mark: int) -> tuple[LoggedRequest, ...]:
        """The entries from a mark on; a mark is what ``len`` was."""
        with self._lock:
            return tuple(self._entries[mark:])

    def count(
        self,
        endpoint: str | None = None,
        *,
        status: int | None = None,
        worker: str | None = None,
        since: int = 0,
    ) -> int:
        """How many requests there were.

        Parameters
        ----------
        endpoint : str, optional
            Only those of one endpoint.
        status : int, optional
            Only those with this HTTP status.
        worker : str, optional
            Only those of this worker.
        since : int, default 0
            Only those from this mark on; a mark is what ``len`` was.

        Returns
        -------
        int
            The number.
        """
        return sum(
            (endpoint is None or entry.endpoint == endpoint)
            and (status is None or entry.status == status)
            and (worker is None or entry.worker == worker)
            for entry in self.since(since)
        )

    def clear(self) -> None:
        """Forget all entries."""
        with self._lock:
            self._entries.clear()
