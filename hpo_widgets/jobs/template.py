"""The template experiment on this machine: a callable or a script, checked before anything runs."""

from __future__ import annotations

import difflib
import functools
import inspect
from typing import TYPE_CHECKING

from hpo_widgets.jobs.pickling import find_culprit, find_largest, notebook_sources, pickle_callable
from hpo_widgets.jobs.worker import argument_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

TRIAL = "trial"


class FunctionTemplate:
    """A callable that is run again and again with other values.

    Parameters
    ----------
    function
        Function, method, ``functools.partial``, callable object or class. It gets its parameters by
        keyword, and the running trial as ``trial`` if its signature has an argument of that name.

    Raises
    ------
    TypeError
        When it is not callable, is an async or a generator function, or cannot be pickled; the message
        names the culprit.
    """

    def __init__(self, function: Callable[..., object]) -> None:
        if not callable(function):
            raise TypeError(f"a template experiment is a callable, not a {type(function).__name__}")
        self.function = function
        self.name = _name(function)
        inner = _innermost(function)
        if inspect.iscoroutinefunction(inner) or inspect.isasyncgenfunction(inner) or inspect.isgeneratorfunction(inner):
            raise TypeError(
                f"{self.name!r} is an async or generator function, which computes nothing when it is called; "
                "give a plain function (it may call asyncio.run inside)"
            )
        try:
            self._parameters: dict[str, inspect.Parameter] | None = dict(inspect.signature(function).parameters)
        except (ValueError, TypeError):  # some callables of compiled code have no signature
            self._parameters = None
        trial = (self._parameters or {}).get(TRIAL)
        self.wants_trial = trial is not None and trial.kind in {trial.POSITIONAL_OR_KEYWORD, trial.KEYWORD_ONLY}
        try:
            self.pickled()
        except Exception as error:
            culprit = find_culprit(function)
            where = f"; the culprit is {culprit}" if culprit else ""
            raise TypeError(
                f"{self.name!r} cannot be sent to a worker process ({type(error).__name__}: {error}){where}: "
                "create such objects inside the callable"
            ) from error

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name})"

    def pickled(self) -> bytes:
        """The callable as it is now; what lives in a notebook or a script goes by value."""
        return pickle_callable(self.function)

    def largest_part(self) -> str:
        """A half sentence on what makes the pickle large; empty when nothing stands out."""
        largest = find_largest(self.function)
        return f" (most of it is {largest})" if largest else ""

    def sources(self) -> dict[str, list[str]]:
        """Lines of the notebook cells that the callable comes from, for the tracebacks of its trials."""
        return notebook_sources(self.function)

    def check(self, names: Iterable[str]) -> None:
        """Compare the names of a space with the signature.

        Parameters
        ----------
        names
            Full names, with a section or without.

        Raises
        ------
        ValueError
            For a name that the callable does not take, with a near match; for two names that reach it as
            one; for a required argument that the space lacks; for a positional-only argument.
        """
        full = list(names)
        given = _short_names(full, self.name)
        if self._parameters is None:
            return
        parameters = self._parameters
        if TRIAL in given and TRIAL in parameters:
            raise ValueError(
                f"{given[TRIAL]!r} cannot be a parameter of the space: {self.name!r} gets the running trial under that name"
            )
        takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        allowed = [
            name for name, p in parameters.items()
            if p.kind in {p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY} and name != TRIAL
        ]  # fmt: skip
        for name, p in parameters.items():
            if p.kind is p.POSITIONAL_ONLY and (p.default is p.empty or name in given) and not (takes_any and p.default is not p.empty):
                raise ValueError(
                    f"{self.name!r} takes {name!r} by position only, but parameters are passed by name; "
                    "remove the '/' from its signature"
                )
        if not takes_any:
            for name, whole in given.items():
                if name not in allowed:
                    raise ValueError(unknown_name(whole, name, allowed, repr(self.name)))
        bound = _bound_keywords(self.function)
        missing = [name for name in allowed if parameters[name].default is inspect.Parameter.empty and name not in given and name not in bound]
        if missing:
            raise ValueError(missing_names(missing, repr(self.name)))


def unknown_name(whole: str, name: str, allowed: list[str], owner: str) -> str:
    """The sentence on a name that nobody takes."""
    near = difflib.get_close_matches(name, allowed, n=1)
    takes = ", ".join(map(repr, allowed[:12])) + (", …" if len(allowed) > 12 else "")
    hint = f"; did you mean {near[0]!r}?" if near else (f"; it takes {takes}" if allowed else "; it takes none")
    return f"{owner} has no parameter {whole!r}{hint}"


def missing_names(missing: list[str], owner: str) -> str:
    """The sentence on required arguments that a space lacks."""
    listed = ", ".join(map(repr, missing))
    those = "it" if len(missing) == 1 else "them"
    return f"{owner} requires {listed}, which the space lacks: add {those} to hyper_parameters or give {those} a default"


def _short_names(names: list[str], owner: str) -> dict[str, str]:
    short: dict[str, str] = {}
    for name in names:
        key = argument_name(name)
        if key in short:
            raise ValueError(f"{short[key]!r} and {name!r} would both reach {owner!r} as {key!r}; rename one")
        short[key] = name
    return short


def _innermost(function: object) -> object:
    while isinstance(function, functools.partial):
        function = function.func
    if not inspect.isroutine(function) and not inspect.isclass(function):
        return getattr(type(function), "__call__", function)
    return function


def _bound_keywords(function: object) -> set[str]:
    bound: set[str] = set()
    while isinstance(function, functools.partial):
        bound.update(function.keywords)
        function = function.func
    return bound


def _name(function: object) -> str:
    while isinstance(function, functools.partial):
        function = function.func
    name = getattr(function, "__name__", None) or type(function).__name__
    return "function" if name == "<lambda>" else str(name)
