"""From parameter objects of other packages, and from dict forms, to our classes."""

from __future__ import annotations

from typing import Any

from hpo_widgets.parameters.base import CLASSES, Parameter


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


def is_parameter(obj: Any) -> bool:
    """Tell whether `as_parameter` takes an object."""
    return isinstance(obj, Parameter) or _class_name(obj) is not None


def _class_name(obj: Any) -> str | None:
    """Return the name of our class that an object of the SDK's, or of a class derived from it, stands for."""
    if isinstance(obj, type) or not callable(getattr(obj, "to_dict", None)):
        return None
    return next((kind.__name__ for kind in type(obj).__mro__ if kind.__name__ in CLASSES), None)
