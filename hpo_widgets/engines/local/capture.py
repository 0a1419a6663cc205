"""What a trial prints: a file without a name that the trial writes and the controller reads.

A file takes a trial's output at full speed, whatever writes it (Python, C code, children), and can be
read while the trial runs and after it has died. To keep it small the controller cuts it now and then:
the first and the last bytes are kept, what lies between is counted and dropped.
"""

from __future__ import annotations

import contextlib
import os
import tempfile

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows, where no engine starts
    fcntl = None  # type: ignore[assignment]

HEAD = TAIL = 16 * 1024
CUT_AT = 1024 * 1024


class Capture:
    """One output stream of one process."""

    __slots__ = ("_cut", "_head", "_tail", "fd")

    def __init__(self) -> None:
        with tempfile.TemporaryFile(prefix="hpo-widgets-", buffering=0) as file:
            self.fd = os.dup(file.fileno())
        # Appending: after a cut the next write goes to the new end, whoever has the file open.
        fcntl.fcntl(self.fd, fcntl.F_SETFL, fcntl.fcntl(self.fd, fcntl.F_GETFL) | os.O_APPEND)
        self._head = b""
        self._tail = b""
        self._cut = 0

    @property
    def is_cut(self) -> bool:
        """True when something of the running trial's output is held here and no longer in the file."""
        return self._cut > 0

    def cut(self) -> bool:
        """Keep the file small; True when there was something to cut."""
        size = os.fstat(self.fd).st_size
        if size <= CUT_AT:
            return False
        if not self._cut:
            self._head = os.pread(self.fd, HEAD, 0)
        self._tail = os.pread(self.fd, TAIL, size - TAIL)
        os.ftruncate(self.fd, 0)
        self._cut += size
        return True

    def text(self) -> str:
        """The first and the last bytes of what was printed so far, as text."""
        size = os.fstat(self.fd).st_size
        if not self._cut and size <= HEAD + TAIL:
            return _decode(os.pread(self.fd, HEAD + TAIL, 0))
        head = self._head or os.pread(self.fd, HEAD, 0)
        tail = (self._tail + os.pread(self.fd, TAIL, max(0, size - TAIL)))[-TAIL:]
        left_out = self._cut + size - len(head) - len(tail)
        return f"{_decode(head)}\n… {left_out} bytes left out …\n{_decode(tail)}"

    def take(self) -> str:
        """The text, after which the file is empty for the next trial."""
        text = self.text()
        os.ftruncate(self.fd, 0)
        self._head = self._tail = b""
        self._cut = 0
        return text

    def close(self) -> None:
        """Close the file."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            with contextlib.suppress(OSError):
                os.close(fd)


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "replace")
