"""`OptimizerWidget.open`: on the class it opens a search by its id, on a widget it opens the comm.

The name ``open`` has two meanings here. `HyperParameterOptimizer.open` opens a search again, and its users expect the
same of the widget; but every widget has an ``open()`` without arguments, by which ipywidgets opens the comm to the page
while a widget is made. A descriptor tells access on the class from access on a widget.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from types import MethodType
from typing import TYPE_CHECKING, Any

import ipywidgets

from hpo_widgets.search import Search

if TYPE_CHECKING:
    from collections.abc import Callable

    from hpo_widgets.widget.panel import OptimizerWidget


class OpenMethod:
    """``open`` of the class is `open_search`, ``open`` of a widget is ipywidgets' own."""

    def __get__(self, widget: OptimizerWidget | None, owner: type[OptimizerWidget]) -> Callable[..., Any]:
        if widget is None:
            return MethodType(open_search, owner)
        return MethodType(_open_comm, widget)


def open_search(
    cls: type[OptimizerWidget],
    journal_or_task_id: str | Path,
    search: str | None = None,
    *,
    base_task_id: Any = None,
    **keywords: Any,
) -> OptimizerWidget:
    """Show a search again: after a restart of the kernel, or while this process or another one runs it.

    Parameters
    ----------
    journal_or_task_id
        A search id, or the beginning of one that fits one journal only; a journal's path; a directory of journals
        together with ``search``; or the id of an optimizer Task on ClearML, which needs no ``base_task_id``.
    search
        The search id, when ``journal_or_task_id`` is a directory.
    base_task_id
        The template experiment. With it **Continue** continues the search, or **Take over** once the process that
        runs it has ended; without it, unless a Task keeps the search, there is a view only.
    **keywords
        Initial values of the widget's traits (``selected``, ``top_k``, ...), and arguments of
        `HyperParameterOptimizer.open`: ``journal`` (where the id is looked up), and what a journal cannot hold, such as
        ``optuna_sampler`` or ``worker_env``.

    Returns
    -------
    OptimizerWidget
        The panel. While this process runs the search, it shows and steers that one, as a panel made of it does.
        Closing the panel closes the files that were opened for it.

    Raises
    ------
    JournalError
        When there is no such search, with near matches, or its journal cannot be read.
    FileNotFoundError
        When there is no journal at a path.
    TypeError
        For an argument of a wrong type, a keyword that looks like a misspelt trait, an argument that the journal keeps,
        and one that it cannot hold and that is missing beside ``base_task_id``: the message names it.
    ValueError
        When what is given does not fit the search, or a Task keeps no search.
    ClearmlError
        When the ClearML server of a Task does not answer.

    Examples
    --------
    >>> OptimizerWidget.open("digits-20261124-153012-a3f1c2", base_task_id=train)  # doctest: +SKIP
    """
    from hpo_widgets.optimizer import HyperParameterOptimizer
    from hpo_widgets.optimizer.reopening import running_here
    from hpo_widgets.viewer import SearchViewer

    _check(cls, journal_or_task_id, search)
    public = {name for name in cls.class_trait_names() if not name.startswith("_")} - cls._following()
    traits = {name: value for name, value in keywords.items() if name in public}
    others = {name: value for name, value in keywords.items() if name not in public}
    if base_task_id is None:
        _refuse_mistyped(cls, others, public)
    opened = HyperParameterOptimizer.open(journal_or_task_id, search, base_task_id=base_task_id, **others)
    running = running_here(opened.path) if isinstance(opened, SearchViewer) else None
    if running is not None:
        release(opened)
        return cls(running, **traits)
    try:
        widget = cls(opened, **traits)
    except BaseException:
        release(opened)
        raise
    widget._opened = opened
    return widget


def release(opened: Any) -> None:
    """Close the files of a search that was opened for a panel; one that can be continued reopens them when needed."""
    close = getattr(opened, "close", None) or getattr(opened, "close_files", None)
    if close is not None:
        close()


def _open_comm(widget: OptimizerWidget, *arguments: object, **keywords: object) -> None:
    """Open the comm to the page, as of every widget; ``OptimizerWidget.open(id)`` opens a search."""
    if arguments or keywords:
        name = type(widget).__name__
        msg = f"a search is opened by the class, {name}.open(...); this {name} shows {widget.search.id} already"
        raise TypeError(msg)
    ipywidgets.Widget.open(widget)


def _check(cls: type[OptimizerWidget], journal_or_task_id: object, search: object) -> None:
    if isinstance(journal_or_task_id, Search):
        msg = f"open() takes the id of a search; to show a search object, write {cls.__name__}(search)"
        raise TypeError(msg)
    if not isinstance(journal_or_task_id, (str, Path)) or not str(journal_or_task_id).strip():
        msg = f"open() takes a search id or the path of a journal, got {journal_or_task_id!r:.80}"
        raise TypeError(msg)
    if search is not None and not isinstance(search, str):
        msg = f"search is the id of a search in the directory {journal_or_task_id}, got {search!r:.80}"
        raise TypeError(msg)


def _refuse_mistyped(cls: type[OptimizerWidget], names: dict[str, Any], traits: set[str]) -> None:
    for name in names:
        near = difflib.get_close_matches(name, traits, n=1, cutoff=0.7)
        if near:
            msg = f"{cls.__name__}.open() has no keyword {name!r}. Did you mean {near[0]!r}?"
            raise TypeError(msg)
