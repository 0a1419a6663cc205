"""Search ids, the folder that holds journals, and how an id finds its file."""

from __future__ import annotations

import difflib
import re
import secrets
import time
import unicodedata
from pathlib import Path

from hpo_widgets.journal.errors import JournalError, JournalNotFound

DIRECTORY = ".hpo_widgets"
"""Where journals are kept by default, under the working directory."""

SUFFIX = ".sqlite"
"""What the name of every journal ends with."""

_LONGEST_NAME = 40
_issued: set[str] = set()


def new_search_id(name: str | None = None) -> str:
    """Make a readable id that no other search has.

    Parameters
    ----------
    name : str, optional
        What the search is called, any text. Letters and digits of ASCII are kept in lower case (accents are
        dropped), the rest becomes hyphens, so that the id is a file name on every system; the journal's header
        keeps the name as it is. Default: ``"search"``.

    Returns
    -------
    str
        ``"digits-mlp-20261124-153012-a3f1c2"``: name, local date and time, and a random part.
    """
    ascii_name = unicodedata.normalize("NFKD", name or "").encode("ascii", "ignore").decode("ascii")
    words = re.sub(r"[^a-z0-9]+", "-", ascii_name.lower())[:_LONGEST_NAME].strip("-") or "search"
    while True:
        search_id = f"{words}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
        if search_id not in _issued:
            _issued.add(search_id)
            return search_id


def journals(directory: str | Path = DIRECTORY) -> list[Path]:
    """List the journals of a folder, the one that changed last first (none if there is no such folder)."""
    found = []
    for path in Path(directory).expanduser().glob(f"*{SUFFIX}"):
        try:
            found.append((changed_at(path), path))
        except OSError:
            continue  # it went away meanwhile
    return [path for _, path in sorted(found, reverse=True)]


def changed_at(path: Path) -> float:
    """Return when a journal was changed last, in Unix seconds; raises an ``OSError`` where there is none.

    What a process writes stays in SQLite's log beside the file, often until that process closes the journal.
    """
    latest = path.stat().st_mtime
    try:
        log = path.with_name(f"{path.name}-wal").stat()
    except OSError:
        return latest
    # A reader may leave an empty log.
    return max(latest, log.st_mtime) if log.st_size else latest


def find(search_id: str, directory: str | Path = DIRECTORY) -> Path:
    """Find the journal of a search.

    Parameters
    ----------
    search_id : str
        The id, in upper or lower case; or the beginning of it, when that fits one journal only.
    directory : str or pathlib.Path
        The folder of journals. Default: ``.hpo_widgets`` under the working directory.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    JournalNotFound
        When there is none, or several begin like that; the message lists near matches.
    """
    paths = {path.stem: path for path in journals(directory)}
    wanted = str(search_id).casefold().removesuffix(SUFFIX)
    for stem, path in paths.items():
        if stem.casefold() == wanted:
            return path
    beginning = [stem for stem in paths if wanted and stem.casefold().startswith(wanted)]
    if len(beginning) == 1:
        return paths[beginning[0]]
    if beginning:
        raise JournalNotFound(f"Several searches begin with {search_id!r}: {_listed(beginning)}. Give the whole id.")
    if not paths:
        raise JournalNotFound(f"There is no search {search_id!r}: the folder {directory} holds no journals.")
    folded = {stem.casefold(): stem for stem in paths}
    near = [folded[match] for match in difflib.get_close_matches(wanted, folded, n=5, cutoff=0.6)]
    hint = f"Did you mean {_listed(near)}?" if near else f"The latest are {_listed(list(paths)[:5])}."
    raise JournalNotFound(f"There is no search {search_id!r} in the folder {directory}. {hint}")


def opened_by(path: Path, search_id: str) -> str:
    """Return what opens a search in the working directory: its id where `find` finds the journal by it, else a path.

    Parameters
    ----------
    path
        The journal.
    search_id
        The search's id.

    Returns
    -------
    str
        The id, or the path: relative where it can be, as a notebook may be read in another clone.
    """
    try:
        here = Path.cwd()
        if path.stem == search_id and path.resolve().parent == Path(DIRECTORY).resolve():
            return search_id
    except OSError:  # the working directory has gone
        return str(path)
    if not path.is_relative_to(here):
        return str(path)
    where = str(path.relative_to(here))
    # Without its suffix a path could be the "project/name" of a Task.
    return where if path.suffix == SUFFIX else f"./{where}"


def journal_place(given: str | Path) -> Path:
    """Return what is given as ``journal=`` as a path.

    Raises
    ------
    ValueError
        For the address of a database.
    RuntimeError
        For a ``~`` of somebody whose home is not known.
    """
    if "://" in str(given):
        raise ValueError(
            f"journal is a folder, such as 'runs', or a file, such as 'runs/one{SUFFIX}', not an address: "
            f"got {given!r:.80}"
        )
    return Path(given).expanduser()


def folder_of_journals(given: str | Path) -> Path:
    """Return the absolute path of what is given as ``journal=`` to something that makes several searches.

    Raises
    ------
    ValueError
        For a ``.sqlite`` file, which holds one search, and for what `journal_place` refuses.
    RuntimeError
        For a ``~`` of somebody whose home is not known.
    """
    path = journal_place(given or DIRECTORY).absolute()
    if _is_a_journal(path):
        raise ValueError(
            f"journal is a folder here, such as 'runs', in which each search has a file of its own: got {given!r:.80}"
        )
    return path


def journal_path(path: str | Path, search_id: str) -> Path:
    """Return the path for a new journal: ``path`` itself if it names a ``.sqlite`` file, else a file in that folder.

    Parameters
    ----------
    path
        A ``.sqlite`` file, or a directory.
    search_id
        The search's id, usable as a file name.

    Returns
    -------
    Path
        The file's path: absolute, so that it holds when the process goes to another folder.

    Raises
    ------
    ValueError
        When the id cannot be part of a file name, and for what `journal_place` refuses.
    RuntimeError
        For a ``~`` of somebody whose home is not known.
    """
    path = journal_place(path).absolute()
    if _is_a_journal(path):
        return path
    if not search_id or Path(search_id).name != search_id or "\\" in search_id:
        raise ValueError(f"{search_id!r} cannot be a search id: it must be usable as a file name. See new_search_id().")
    return path / f"{search_id}{SUFFIX}"


def _is_a_journal(path: Path) -> bool:
    """Whether a path names a journal itself, not the folder of it."""
    return path.suffix == SUFFIX and not path.is_dir()


def prepare_directory(directory: Path) -> None:
    """Create the folder of journals, with a ``.gitignore`` so that no repository takes them up.

    A new folder is accessible to its user only, whatever the umask; an existing one keeps its permissions.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        ignore = directory / ".gitignore"
        if directory.name == DIRECTORY and not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
    except OSError as error:
        raise JournalError(
            f"The folder {directory} for the search's journal cannot be made or written to ({error.strerror}). "
            "Choose another one (journal=)."
        ) from error


def _listed(stems: list[str]) -> str:
    return ", ".join(repr(stem) for stem in stems[:5]) + (f" and {len(stems) - 5} more" if len(stems) > 5 else "")
