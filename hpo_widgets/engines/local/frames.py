"""What travels between the controller and a trial's process: a length, then a pickled tuple.

Both ends are the same interpreter and the same installation. This module is imported by every worker
and by every script that reports, so it needs the standard library only.
"""

from __future__ import annotations

import pickle
import struct
from typing import Any

LENGTH = struct.Struct("<I")

# Kinds of frames from a trial: (kind, number, a, b, c).
SCALAR = 0  # a = (title, series, value, iteration)
ENDED = 1  # a = seconds, b = result, c = None or (flags, error, traceback)
READY = 2  # the worker has loaded its callable

# Flags of an ended trial.
FAILED = 1  # it raised, or returned what nobody can use
STOPPED = 2  # it ended because it was asked to stop
ABORTED = 4  # the abort's exception reached it
PRINTED = 8  # there is something in its output files
SPENT = 16  # it left threads or children behind, or was aborted: the worker is not to be used again
UNLOADABLE = 32  # the callable could not be loaded, so nothing ran

# The page of memory that a worker shares with the controller, as 64-bit integers of trial numbers.
STOP = 0  # controller: this trial is asked to stop
ABORT = 1  # controller: this trial is to be aborted (SIGTERM says: look here)
STARTED = 2  # worker: this trial has begun
NOBODY = -1
PAGE = 4096


class Index(int):
    """In the place of a choice that was sent with the callable: its index among the declared ones."""

    __slots__ = ()


dumps = pickle.dumps
loads = pickle.loads


def frame(message: object) -> bytes:
    """One message, ready to be sent."""
    payload = dumps(message, 5)
    return LENGTH.pack(len(payload)) + payload


def split(data: bytes) -> tuple[list[Any], bytes]:
    """The complete messages at the start of `data`, and the bytes that are left."""
    messages = []
    position, total = 0, len(data)
    while total - position >= 4:
        (size,) = LENGTH.unpack_from(data, position)
        end = position + 4 + size
        if end > total:
            break
        messages.append(loads(data[position + 4 : end]))
        position = end
    return messages, data[position:]
