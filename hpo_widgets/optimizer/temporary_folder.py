"""A folder in the temporary directory that outlives neither its object nor, for long, a process that was killed.

The process holds a lock in its folder for as long as it lives. The next process that makes such a folder removes those
of the same user and kind whose lock nobody holds. A folder without a lock, as one that is being made, is left alone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import weakref
from pathlib import Path

from hpo_widgets.journal.connection import filesystem_type, is_network

with contextlib.suppress(ImportError):  # on Windows, where open files cannot be removed, no folder is locked
    import fcntl

_LOCK = "owner.lock"


class TemporaryFolder(tempfile.TemporaryDirectory[str]):
    """As `tempfile.TemporaryDirectory`, with a lock; those that killed processes have left are removed first.

    Parameters
    ----------
    kind
        What such folders are for, in a word.
    """

    def __init__(self, kind: str) -> None:
        prefix = f"hpo_widgets_{kind}_"
        can_lock = hasattr(os, "O_NOFOLLOW") and not is_network(filesystem_type(Path(tempfile.gettempdir())))
        if can_lock:
            _remove_left(prefix)
        super().__init__(prefix=prefix, ignore_cleanup_errors=True)
        if can_lock:
            with contextlib.suppress(OSError):
                self._unlock = weakref.finalize(self, os.close, _lock(Path(self.name)))

    def cleanup(self) -> None:
        """Remove the folder."""
        super().cleanup()
        if hasattr(self, "_unlock"):
            self._unlock()


def _lock(folder: Path) -> int:
    """Lock a folder, until the descriptor that is returned is closed or this process ends in whatever way."""
    new = folder / f"{_LOCK}.new"
    descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        new.rename(folder / _LOCK)  # only now, so that a lock that nobody holds is that of a dead process
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _remove_left(prefix: str) -> None:
    """Remove the folders of this user whose processes have gone."""
    with contextlib.suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            if entry.name.startswith(prefix):
                with contextlib.suppress(OSError):
                    _remove_if_left(entry)


def _remove_if_left(entry: os.DirEntry[str]) -> None:
    is_own = entry.stat(follow_symlinks=False).st_uid == os.getuid()
    if not is_own or not entry.is_dir(follow_symlinks=False):
        return
    descriptor = os.open(Path(entry.path, _LOCK), os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises where its process, or another remover, lives
        shutil.rmtree(entry.path, ignore_errors=True)
    finally:
        os.close(descriptor)
