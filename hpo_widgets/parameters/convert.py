"""From parameter objects of other packages, and from dict forms, to our classes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from typing import Any

from hpo_widgets.parameters.base import CLASSES, Parameter

_MOST_MEANT = 6
"""So many constructors are written out for a dict."""

_LOG_RATIO = 100
"""A range whose bounds are so far apart is usually searched on a log scale."""


def as_parameter(obj: Any) -> Parameter:
    """Return a parameter for our own or the ClearML SDK's parameter object.

    Parameters
    ----------
    obj : Parameter or ``clearml.automation`` Parameter
        Ours are returned unchanged; the SDK's are recognised by their class name, so that the SDK need not
        be imported.

    Raises
    ------
    TypeError
        For anything else.
    """
    if isinstance(obj, Parameter):
        return obj
    name = _class_name(obj)
    if name is not None:
        return Parameter.from_dict({**obj.to_dict(), "type": name})
    raise TypeError(
        f"a search varies Parameter objects ({', '.join(CLASSES)}, ours or clearml.automation's), got {obj!r}"
    )


def as_parameters(given: Any) -> list[Parameter]:
    """Return the parameters of a space that somebody gave, each as `as_parameter` does.

    Parameters
    ----------
    given : iterable of Parameter
        Ours or the ClearML SDK's.

    Raises
    ------
    TypeError
        For anything else; for a dict with the list of constructors that was meant.
    """
    if isinstance(given, Mapping):
        meant = ", ".join(_meant(str(name), range_) for name, range_ in itertools.islice(given.items(), _MOST_MEANT))
        more = ", ..." if len(given) > _MOST_MEANT else ""
        raise TypeError(f"the space is a list of Parameter objects, got a dict; write [{meant}{more}]")
    if isinstance(given, Parameter):
        raise TypeError("the space is a list of parameters, got a single one: put it in a list")
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise TypeError(f"the space must be a list of Parameter objects, got {given!r}")
    return [as_parameter(parameter) for parameter in given]


def _meant(name: str, range_: Any) -> str:
    """The constructor that an entry of a dict meant: a pair of numbers is a range, all else a choice."""
    if is_parameter(range_):
        return repr(range_)
    values = (
        list(range_) if isinstance(range_, Iterable) and not isinstance(range_, (str, bytes, Mapping)) else [range_]
    )
    is_pair = isinstance(range_, tuple) and len(values) == 2
    if is_pair and all(isinstance(bound, (int, float)) and not isinstance(bound, bool) for bound in values):
        low, high = values
        if isinstance(low, int) and isinstance(high, int):
            return f"UniformIntegerParameterRange({name!r}, {low}, {high})"
        if low > 0 and high >= _LOG_RATIO * low:
            return f"LogUniformParameterRange({name!r}, {math.log10(low):.4g}, {math.log10(high):.4g})"
        return f"UniformParameterRange({name!r}, {low!r}, {high!r})"
    return f"DiscreteParameterRange({name!r}, {values!r})"


def is_parameter(obj: Any) -> bool:
    """Tell whether `as_parameter` takes an object."""
    return isinstance(obj, Parameter) or _class_name(obj) is not None


def _class_name(obj: Any) -> str | None:
    """Return the name of our class that an object of the SDK's, or of a class derived from it, stands for."""
    if isinstance(obj, type) or not callable(getattr(obj, "to_dict", None)):
        return None
    return next((kind.__name__ for kind in type(obj).__mro__ if kind.__name__ in CLASSES), None)
