"""Waiting for several descriptors at once, with as little between the controller and the kernel as can be."""

from __future__ import annotations

import select


class Poller:
    """``epoll`` where there is one, ``poll`` elsewhere; one interface in seconds."""

    def __init__(self) -> None:
        self._epoll = select.epoll() if hasattr(select, "epoll") else None
        self._poll = None if self._epoll is not None else select.poll()

    def add(self, fd: int, *, writable: bool = False) -> None:
        """Watch `fd` for input, and for room to write if `writable`; adding it again changes that."""
        events = select.POLLIN | (select.POLLOUT if writable else 0)
        if self._epoll is None:
            assert self._poll is not None  # noqa: S101
            self._poll.register(fd, events)
            return
        try:
            self._epoll.register(fd, events)
        except FileExistsError:
            self._epoll.modify(fd, events)

    def remove(self, fd: int) -> None:
        """Watch `fd` no longer; must come before it is closed."""
        try:
            if self._epoll is not None:
                self._epoll.unregister(fd)
            elif self._poll is not None:
                self._poll.unregister(fd)
        except (KeyError, OSError):
            return

    def ready(self, timeout: float | None) -> list[tuple[int, int]]:
        """Descriptors with their events; waits up to `timeout` seconds, without limit if None."""
        if self._epoll is not None:
            return self._epoll.poll(timeout)
        assert self._poll is not None  # noqa: S101
        return self._poll.poll(None if timeout is None else int(timeout * 1000) + 1)

    def close(self) -> None:
        """Close the kernel's object."""
        if self._epoll is not None:
            self._epoll.close()
