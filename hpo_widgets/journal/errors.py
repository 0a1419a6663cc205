"""What can go wrong with a journal, each in a sentence that says what to do."""

from __future__ import annotations

import sqlite3
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class JournalError(Exception):
    """A journal cannot be made, read or written; the message says why and what to do."""


class JournalNotFound(JournalError):  # noqa: N818 -- named for what it says, like FileNotFoundError's kin
    """There is no journal of that name; the message lists near ones."""


class JournalDamaged(JournalError):  # noqa: N818
    """The file is no journal, or parts of it are missing or overwritten. It was left untouched."""


class JournalVersionError(JournalError):
    """The journal was written by another version of this package, which says which. It was left untouched."""


class JournalBusy(JournalError):  # noqa: N818
    """Another process held the file locked for longer than the busy timeout."""


class JournalLeaseLost(JournalError):  # noqa: N818
    """Another process has taken over the journal that this one owned."""


class JournalInUse(JournalError):  # noqa: N818
    """A live process owns the journal, so it can be viewed and followed, but not continued.

    Attributes
    ----------
    host : str
        Name of the machine on which the owner runs.
    pid : int
        Its process id there.
    """

    def __init__(self, message: str, host: str, pid: int) -> None:
        super().__init__(message)
        self.host = host
        self.pid = pid


class Damage(Exception):  # noqa: N818 -- as `JournalDamaged`, which `explained` makes of it
    """What is wrong with a file, as the end of a sentence."""


@contextmanager
def explained(path: Path, doing: str) -> Iterator[None]:
    """Raise a `JournalError` that names the journal in place of SQLite's errors and of `Damage`.

    Parameters
    ----------
    path : pathlib.Path
        The journal.
    doing : str
        What is done in the block, as in ``"written"``, ``"opened"``.
    """
    try:
        yield
    except (Damage, sqlite3.Error) as error:
        raise explanation(error, path, doing) from error


def explanation(error: Damage | sqlite3.Error, path: Path, doing: str) -> JournalError:
    """Return the error that `explained` raises.

    Parameters
    ----------
    error
        What was raised.
    path, doing
        As for `explained`.

    Returns
    -------
    JournalError
        To be raised ``from error``.
    """
    if isinstance(error, Damage):
        # Its frames have what was read, which may be large, and somebody may keep the error: Python does for a while.
        traceback.clear_frames(error.__traceback__)
        return _damaged(path, str(error))
    code = getattr(error, "sqlite_errorcode", None)
    primary = None if code is None else code & 0xFF
    said = str(error)
    if primary in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return JournalBusy(
            f"{path} could not be {doing}: another program has locked it (a backup, a database browser?). "
            "Nothing of this was stored; try again when the other program has finished."
        )
    if primary in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB} or "malformed" in said:
        return _damaged(path, said)
    if primary == sqlite3.SQLITE_INTERRUPT:
        return _damaged(path, "reading it was interrupted, or does not end")
    if primary == sqlite3.SQLITE_TOOBIG:
        if doing in {"read", "opened"}:
            return _damaged(path, "it holds a longer text than a journal may")
        return JournalError(
            f"{path} could not be {doing}: something in it, such as a choice, is a longer text than a journal takes. "
            "Nothing of this was stored; what was stored before is safe."
        )
    if primary == sqlite3.SQLITE_FULL:
        return JournalError(
            f"{path} could not be {doing}: the disk is full. Nothing of this was stored; what was stored before is "
            "safe. Free some space, or keep the journal of the next search elsewhere (journal=)."
        )
    if primary in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}:
        return JournalError(
            f"{path} could not be {doing}: {said}. Its folder must be one that this process may write to: "
            "copy the file of a search that has ended to such a folder, and open it there."
        )
    if primary == sqlite3.SQLITE_IOERR:
        return JournalError(
            f"{path} could not be {doing}: the file system refused ({said}). Nothing of this was stored; what was "
            "stored before is safe. Look for a full disk, a quota or a lost network drive."
        )
    return JournalError(f"{path} could not be {doing}: {said}.")


@contextmanager
def reported_as_damage(path: Path, what: str) -> Iterator[None]:
    """Raise `JournalDamaged` in place of the errors that damaged content causes in other code.

    Parameters
    ----------
    path : pathlib.Path
        The journal.
    what : str
        What is read in the block, for the message.
    """
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError, ValueError) as error:
        raise _damaged(path, f"{what} is not as a search writes it ({type(error).__name__}: {error!s:.200})") from error


def _damaged(path: Path, why: str) -> JournalDamaged:
    return JournalDamaged(
        f"{path} is damaged or not a journal: {why}. It was left untouched; continue from a copy of it, or start a "
        "new search."
    )
