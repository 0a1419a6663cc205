"""``%hpo``: a line magic that lists and steers the searches of an IPython session, where there is no panel."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, Any, TypeGuard

from IPython.core import error

from hpo_widgets._messages import near_match
from hpo_widgets.cli.kept import plain, print_best, print_table, standing
from hpo_widgets.search.in_words import pill
from hpo_widgets.search.readable import ReadableSearch, is_over, wait_for_end

if TYPE_CHECKING:
    from collections.abc import Iterator

    from IPython.core.interactiveshell import InteractiveShell

    from hpo_widgets.search import Search

NAME = "hpo"

_DONE = {
    "pause": "launches no more trials until %hpo resume",
    "resume": "launches trials again",
    "stop": "has stopped; the trials so far are kept",
}
"""Command of a search to the words that are printed after the search's variable."""

_OF_THE_SHELL = {"In", "Out", "_ih", "_oh", "_dh"}
"""Variables in which IPython keeps inputs and results of cells; each result has one of its own, such as ``_3``, too."""

_WORDS = ("show", "wait", *_DONE)

_LONGEST_WAIT = 5.0
"""Seconds in which a search pauses or resumes, unless it cannot."""


def register(shell: InteractiveShell) -> None:
    """Give a shell the magic; what ``%load_ext hpo_widgets`` does."""
    shell.magics_manager.register_function(HpoMagic(shell).hpo, magic_kind="line", magic_name=NAME)


def unregister(shell: InteractiveShell) -> None:
    """Take the magic away again, as ``%unload_ext hpo_widgets`` does."""
    shell.magics_manager.magics["line"].pop(NAME, None)


class HpoMagic:
    """The magic of one shell, on whose main thread it runs.

    Parameters
    ----------
    shell
        The shell whose variables are looked through.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell

    def hpo(self, line: str) -> None:
        """List the searches of this session, or do something with one of them.

        ::

            %hpo                  list them: variable, name, status, trials, best value
            %hpo show [SEARCH]    its best trials
            %hpo wait [SEARCH]    wait for its end, with a bar; Ctrl+C ends the waiting, not the search
            %hpo pause [SEARCH]   launch no more trials
            %hpo resume [SEARCH]  launch trials again
            %hpo stop [SEARCH]    end it and its running trials

        SEARCH is a variable, such as ``optimizer`` or ``searches['wide']``, or the name of the search. It can be left
        out where only one search can be meant.
        """
        word, _, which = line.strip().partition(" ")
        found = dict(_searches(self._shell.user_ns))
        if word and word not in _WORDS:
            raise error.UsageError(f"%hpo has no {word!r}. {near_match(word, _WORDS)}")
        if not found:
            print("no variable of this session holds a search")
        elif not word:
            print_table([["variable", "search", "status", "trials", "best"], *(_row(*one) for one in found.items())])
        else:
            self._do(word, _named(found, which.strip()))

    @staticmethod
    def _do(word: str, meant: dict[str, Search]) -> None:
        """Run a command on the only search that can take it, or print why none can."""
        possible = {variable: search for variable, search in meant.items() if _why_not(word, search) is None}
        if len(possible) > 1:
            raise error.UsageError(f"which one? %hpo {word} {f' or %hpo {word} '.join(possible)}")
        if not possible:
            # Not an error: a notebook that runs from top to bottom goes on, although its search has ended by then.
            for variable, search in meant.items():
                print(f"{variable}: {_why_not(word, search)}")
            return
        ((variable, search),) = possible.items()
        if word == "show":
            print(f"{plain(search.name)} ({plain(search.id)}): {pill(search)['word']}")
            print_best(search, 10)
        elif word == "wait":
            _wait(search)
        else:
            search.command(word)
            if word == "stop":
                wait_for_end(search)
            else:
                _wait_until_done(search, word)
            print(f"{variable} {_DONE[word]}")


def _wait(search: Search) -> None:
    """Wait for the end of a search with a bar, and print what it has found."""
    try:
        if isinstance(search, ReadableSearch):
            search.wait(progress=True)
        else:
            wait_for_end(search, progress=True)
    except KeyboardInterrupt:
        print("\nthe search continues; %hpo stop ends it", file=sys.stderr)
        raise
    print_best(search, 3)


def _wait_until_done(search: Search, word: str) -> None:
    """Wait until a search has carried out a command, so that the next line finds it done."""
    changed = threading.Event()
    unsubscribe = search.subscribe(changed.set)
    deadline = time.monotonic() + _LONGEST_WAIT
    try:
        while search.capabilities[word] is None and (left := deadline - time.monotonic()) > 0:
            changed.wait(left)
            changed.clear()
    finally:
        unsubscribe()


def _why_not(word: str, search: Search) -> str | None:
    """Return why a search cannot take a command now; None when it can."""
    if word == "show":
        return None
    if word == "wait":
        if not is_over(search):
            return None
        return f"the search is {search.status}" + ", and the process that ran it has ended" * search.status.is_alive
    return search.capabilities[word]


def _named(found: dict[str, Search], which: str) -> dict[str, Search]:
    """Return the searches that a variable or a search's name refers to; all of them for an empty text."""
    meant = {variable: search for variable, search in found.items() if which in {"", variable, search.name}}
    if not meant:
        known = [*found, *(search.name for search in found.values())]
        raise error.UsageError(f"{which!r} is not a search of this session. {near_match(which, known)}")
    return meant


def _row(variable: str, search: Search) -> list[str]:
    return [variable, plain(search.name), pill(search)["word"], *standing(search)]


def _searches(variables: dict[str, Any]) -> Iterator[tuple[str, Search]]:
    """Yield each search that variables hold once, with the expression that the user writes for it.

    A variable may hold a search, a panel of one, or a list or dict of them; results of cells, such as ``_3``, count
    where no variable has the search.
    """
    known: set[int] = set()
    names = [name for name in variables if name not in _OF_THE_SHELL]
    for name in sorted(names, key=lambda name: name.startswith("_")):
        for words, search in _held(name, variables[name]):
            if id(search) not in known:
                known.add(id(search))
                yield words, search


def _held(name: str, value: Any) -> Iterator[tuple[str, Search]]:
    """Give the searches that one variable holds."""
    if _is_search(value):
        yield name, value
    elif isinstance(value, dict):
        yield from ((f"{name}[{key!r}]", one) for key, one in value.items() if _is_search(one))
    elif isinstance(value, list | tuple):
        yield from ((f"{name}[{index}]", one) for index, one in enumerate(value) if _is_search(one))
    elif type(value).__module__.startswith("hpo_widgets."):
        panel_of = getattr(value, "search", None)
        if _is_search(panel_of):
            yield name, panel_of


def _is_search(value: Any) -> TypeGuard[Search]:
    """Look at the class alone: a variable may hold anything, and reading its attributes could run any code."""
    return all(hasattr(type(value), member) for member in ("capabilities", "changes_since", "command"))
