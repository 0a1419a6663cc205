"""Who owns a journal: one process, named by host, process id and start time, with a heartbeat.

On the owner's own machine the process table decides: the owner lives while a process of its id lives that
started when it did. From elsewhere (another host on a shared disk, another container) only the heartbeat can be
seen: an owner that has been silent for `SILENCE` seconds counts as gone. Clocks of hosts that share a journal
should agree to within that time.
"""

from __future__ import annotations

import os
import platform
import secrets
import time
import weakref
from dataclasses import dataclass
from pathlib import Path

import psutil

from hpo_widgets.journal.errors import JournalInUse

SILENCE = 60.0
"""Seconds without a heartbeat after which an owner that cannot be looked up counts as gone."""

_SAME_START = 1.0
"""Start times of one process, asked twice, differ by less than this many seconds."""


class LeaseHold:
    """Stands for a lease as long as somebody in this process keeps it."""

    __slots__ = ("__weakref__",)


_OWNED_HERE: weakref.WeakValueDictionary[str, LeaseHold] = weakref.WeakValueDictionary()
"""Leases of this process by token. A journal that is dropped without `close` drops its hold, and so is free."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that may write a journal.

    Parameters
    ----------
    host : str
        Name of the machine, for people.
    machine : str
        Identifies its process table: host, boot and process namespace.
    pid : int
        Process id there.
    started : float or None
        When the process started, in seconds after the machine's start (no clock change moves it); None where
        the system does not say.
    heartbeat : float
        Its last sign of life, Unix seconds.
    token : str
        Identifies this lease among those of the same process.
    """

    host: str
    machine: str
    pid: int
    started: float | None
    heartbeat: float
    token: str

    @classmethod
    def here(cls) -> Owner:
        """Describe this process as the owner of a new lease."""
        pid = os.getpid()
        return cls(platform.node(), _machine(), pid, _process_start(pid), time.time(), secrets.token_hex(8))

    @property
    def silent_for(self) -> float:
        """Seconds since its last sign of life."""
        return time.time() - self.heartbeat

    @property
    def is_here(self) -> bool:
        """True when its process would be in this process's own process table."""
        return self.machine == _machine()

    @property
    def is_this_process(self) -> bool:
        """True when it is the process that asks."""
        return self.is_here and self.pid == os.getpid()

    @property
    def is_alive(self) -> bool:
        """Whether the owner must be taken to be at work still."""
        if not self.is_here:
            return self.silent_for < SILENCE
        if self.pid == os.getpid() and _same_start(self.started, _process_start(self.pid)):
            return self.token in _OWNED_HERE
        try:
            if psutil.Process(self.pid).status() == psutil.STATUS_ZOMBIE:
                return False
        except psutil.NoSuchProcess:
            return False
        except psutil.Error:
            return True  # it exists, but may not be asked
        return _same_start(self.started, _process_start(self.pid))


def hold(owner: Owner) -> LeaseHold:
    """Mark a lease of this process as held; it counts as dropped once the returned object is gone."""
    _OWNED_HERE[owner.token] = kept = LeaseHold()
    return kept


def release(owner: Owner) -> None:
    """Forget a lease of this process."""
    _OWNED_HERE.pop(owner.token, None)


def refuse_living(owner: Owner | None, path: Path) -> None:
    """Raise `JournalInUse` when there is an owner and it is alive.

    Parameters
    ----------
    owner
        The process that holds the journal; None: nobody does.
    path
        The journal, for the message.

    Raises
    ------
    JournalInUse
        When the owner is alive.
    """
    if owner is not None and owner.is_alive:
        raise JournalInUse(_in_use(owner, path), owner.host, owner.pid)


def _in_use(owner: Owner, path: Path) -> str:
    if owner.is_this_process:
        who = f"this process itself ({owner.pid} on {owner.host})"
    else:
        who = f"process {owner.pid} on {owner.host}"
    when = "" if owner.is_here else f", last heard of {max(0.0, owner.silent_for):.0f} s ago"
    return (
        f"{path} belongs to a search that is running in {who}{when}. It can be viewed and followed meanwhile "
        "(Journal.view); to continue it here, stop the other one first."
    )


def _process_start(pid: int) -> float | None:
    """Say when a process started, in seconds after the machine did."""
    try:
        # In this order psutil computes both from the same reading of the clock.
        booted = psutil.boot_time()
        return float(psutil.Process(pid).create_time() - booted)
    except (psutil.Error, OSError):
        return None


def _same_start(one: float | None, other: float | None) -> bool:
    """Compare start times; an unknown one is taken to be the same."""
    return one is None or other is None or abs(one - other) < _SAME_START


def _machine() -> str:
    """Name this process's process table."""
    parts = [platform.node()]
    try:
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    except OSError:
        pass  # not Linux: the host's name must do
    return " ".join(parts)
