"""A condition that a point has to meet before it is run, and that ranges cannot express."""

from __future__ import annotations

import difflib
import inspect
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from hpo_widgets._messages import near_match
from hpo_widgets.engines.local.messages import argument_name
from hpo_widgets.parameters.base import python_value
from hpo_widgets.parameters.proposal import bound_keywords

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hpo_widgets.space import Space

_NUM_TRIED = 10_000
"""Random points of a space, of which a constraint has to allow one at least."""
_MOST_SECONDS = 1.0
"""How long these are tried at most."""
_BLOCK = 250
_LIKENESS = 0.8
"""From this on, the name of an argument is probably a mistyped one of a parameter (`difflib`)."""
_MOST_TEXT = 200


class Constraint:
    """A function of a point's parameters that tells whether the point may be run.

    It is called by the strategy's thread while the search runs, and by whoever enqueues a point.

    Parameters
    ----------
    function
        Takes some or all parameters by keyword, and returns True or False. A point that lacks one for which the
        function has no default, as a `ParameterSet` may leave it out, is allowed without a call.

    Raises
    ------
    TypeError
        When it is not callable, or takes arguments by position only.
    """

    def __init__(self, function: Any) -> None:
        if not callable(function):
            msg = (
                "constraint must be a function of the parameters that returns True for a point that may be run, such "
                f"as lambda width, heads: width % heads == 0, got {function!r:.80}"
            )
            raise TypeError(msg)
        self._function: Callable[..., object] = function
        name = getattr(function, "__name__", None) or getattr(getattr(function, "func", None), "__name__", None)
        self.name = str(name or type(function).__name__)
        try:
            parameters = dict(inspect.signature(function).parameters)
        except (ValueError, TypeError):  # some callables of compiled code have no signature
            parameters = {"parameters": inspect.Parameter("parameters", inspect.Parameter.VAR_KEYWORD)}
        kinds = {name: one.kind for name, one in parameters.items()}
        if inspect.Parameter.POSITIONAL_ONLY in kinds.values():
            raise TypeError(f"constraint {self.name} gets parameters by name: remove the '/' from its signature")
        bound = bound_keywords(function)
        self._takes_any = inspect.Parameter.VAR_KEYWORD in kinds.values()
        self._names = [
            name
            for name, kind in kinds.items()
            if kind in {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
        ]
        self._required = [name for name in self._names if parameters[name].default is inspect.Parameter.empty]
        self._required = [name for name in self._required if name not in bound]

    def __repr__(self) -> str:
        """Return the name with the arguments, such as ``fits(width, heads)``; a journal keeps this."""
        return f"{self.name}({', '.join([*self._names, *(['…'] if self._takes_any else [])])})"

    @classmethod
    def of(cls, function: Any, space: Space) -> Constraint | None:
        """Make a constraint of a function and check that it fits a space.

        Parameters
        ----------
        function
            The function; None where there is no constraint.
        space
            Has the points that it is asked about.

        Returns
        -------
        Constraint or None
            None for None.

        Raises
        ------
        TypeError, ValueError
            As by the constructor and `check`.
        """
        if function is None:
            return None
        constraint = cls(function)
        constraint.check(space)
        return constraint

    def check(self, space: Space) -> None:
        """Refuse what cannot be asked about the points of a space, and what allows none of 10,000 random ones.

        Where that takes more than a second, fewer are asked about.

        Raises
        ------
        ValueError
            For an argument that is no parameter, or probably a mistyped one, or may be either of two, where it takes no
            parameter, and where no point is allowed.
        TypeError
            For an answer other than True and False.
        """
        known: dict[str, str] = {}
        for name in space.names:
            argument = argument_name(name)
            if argument in known and (self._takes_any or argument in self._names):
                both = f"{known[argument]!r} and {name!r}"
                raise ValueError(f"{both} would both reach constraint {self!r} as {argument!r}; rename one")
            known[argument] = name
        for name in self._required:
            if name not in known:
                raise ValueError(f"constraint {self!r}: the space has no parameter {name!r}. {near_match(name, known)}")
        if not self._takes_any and known.keys().isdisjoint(self._names):
            near = near_match(next(iter(self._names), ""), known)
            raise ValueError(f"constraint {self!r} takes no parameter of the space. {near}")
        not_taken = [] if self._takes_any else [name for name in known if name not in self._names]
        for name in self._names:
            meant = [] if name in known else difflib.get_close_matches(name, not_taken, n=1, cutoff=_LIKENESS)
            if meant:
                raise ValueError(
                    f"constraint {self!r}: the space has no parameter {name!r}, so this is always its default. "
                    f"Did you mean {meant[0]!r}? If not, give the argument a name that is less like a parameter's"
                )
        draws, until = np.random.default_rng(0), time.monotonic() + _MOST_SECONDS
        for _ in range(_NUM_TRIED // _BLOCK):
            allows_some = False
            for point in space.points(draws.random((_BLOCK, space.num_dimensions))):
                allows_some |= self.allows(point)
                if time.monotonic() > until:
                    return
            if allows_some:
                return
        raise ValueError(
            f"constraint {self!r} allows none of {_NUM_TRIED:,} random points of the space: it must return True for a "
            "point that may be run. Correct it, or describe the space so that more points meet it"
        )

    def allows(self, point: Mapping[str, Any]) -> bool:
        """Whether a point of full names may be run.

        Raises
        ------
        ValueError
            When the function raises an exception.
        TypeError
            When it returns neither True nor False.
        """
        given = {argument_name(name): value for name, value in point.items()}
        if not all(name in given for name in self._required):
            return True
        if not self._takes_any:
            given = {name: given[name] for name in self._names if name in given}
        try:
            answer = python_value(self._function(**given))
        except (Exception, SystemExit) as error:
            what = f"constraint {self!r} raised {type(error).__name__}: {error!s:.{_MOST_TEXT}}"
            raise ValueError(f"{what}, for {given!r:.{_MOST_TEXT}}") from error
        if not isinstance(answer, bool):
            what = f"constraint {self!r} must return True or False, and returned {answer!r:.80}"
            raise TypeError(f"{what} for {given!r:.{_MOST_TEXT}}")
        return answer
