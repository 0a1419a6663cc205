"""Parameter values as a ClearML Task keeps them: text with the name of a type beside it."""

from __future__ import annotations

import ast
import json
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SECTION = "General"
"""Where a parameter without a section belongs."""

_SCALARS = (bool, int, float, str, type(None))


def split_name(name: str) -> tuple[str, str]:
    """``"Args/lr"`` into section and name; a name without section belongs to ``General``."""
    section, slash, rest = name.partition("/")
    return (section, rest) if slash else (SECTION, name)


def full_name(name: str) -> str:
    """The name with its section."""
    return "/".join(split_name(name))


def fields_of(names: Iterable[str]) -> list[str]:
    """The fields of a Task that hold the values of some parameters."""
    sections = {split_name(name)[0] for name in names}
    # The API reads a dot as a separator in the name of a field.
    can_be_named = not any("." in section for section in sections)
    return sorted(f"hyperparams.{section}" for section in sections) if can_be_named else ["hyperparams"]


def text_of(value: Any) -> str:
    """The text of a value: nothing for None, JSON for lists and dicts, else as Python prints it."""
    if value is None:
        return ""
    if isinstance(value, (list, tuple, dict)):
        return json.dumps(value)
    return str(value)


def type_of(value: Any) -> str | None:
    """The type's name that goes with the text: ``"float"``, ``"list/int"``; None for None."""
    if value is None:
        return None
    name = type(value).__name__
    members = list(value.values()) if isinstance(value, dict) else value
    if isinstance(value, (list, tuple, dict)) and members:
        kinds = {type(member).__name__ for member in members}
        if len(kinds) == 1:
            return f"{name}/{kinds.pop()}"
    return name


def can_be_kept(value: Any) -> bool:
    """Whether a Task can hold a value so that its script gets it back: JSON scalars, lists and dicts of them."""
    if isinstance(value, _SCALARS):
        return True
    if isinstance(value, (list, tuple)):
        return all(can_be_kept(member) for member in value)
    if isinstance(value, dict):
        return all(isinstance(key, str) and can_be_kept(member) for key, member in value.items())
    return False


def fits(value: Any, type_name: str | None) -> bool:
    """Whether the script gets a value back as it is, where its Task says that the parameter is of a type.

    Parameters
    ----------
    value
        What the trial is to get.
    type_name
        The type in the Task, such as ``"int"`` or ``"list/float"``; None: any.

    Returns
    -------
    bool
        True when nothing is known against it.
    """
    if value is None or not type_name:
        return True
    kind = type_name.partition("/")[0]
    if kind == "int":
        return isinstance(value, bool) is False and (isinstance(value, int) or _is(int, value))
    if kind == "float":
        return not isinstance(value, bool) and (isinstance(value, (int, float)) or _is(float, value))
    if kind == "bool":
        return isinstance(value, bool) or str(value).strip().lower() in {"true", "false"}
    if kind in {"list", "tuple", "dict"}:
        return type(value).__name__ in ({"list", "tuple"} if kind != "dict" else {"dict"}) or isinstance(value, str)
    return True


def _is(kind: type, value: Any) -> bool:
    """Whether a text reads as a number of a kind."""
    if not isinstance(value, str):
        return False
    try:
        kind(value)
    except ValueError:
        return False
    return True


def entry(value: Any, section: str, name: str, template: dict[str, Any] | None) -> dict[str, Any]:
    """One parameter as it goes into a Task; type and description are the template's where it has them.

    None goes without a type: an empty text of no type is what a script reads back as None.

    Parameters
    ----------
    value
        The parameter's value.
    section, name
        The parts of its full name.
    template
        The same parameter of the template, with its type and description; None: it has none.

    Returns
    -------
    dict
        Fields of a parameter of a Task.
    """
    known = template or {}
    made = {"section": section, "name": name, "value": text_of(value), "description": known.get("description") or ""}
    kind = None if value is None else known.get("type") or type_of(value)
    return made if kind is None else {**made, "type": kind}


def is_same(text: str, value: Any) -> bool:
    """Whether a text that a Task holds is that of a value, whoever wrote it down.

    Parameters
    ----------
    text
        What the Task has.
    value
        What the trial was given.

    Returns
    -------
    bool
        Numbers are the same within a relative 1e-6.
    """
    own = text_of(value)
    if text.strip().casefold() == own.casefold() or (value is None and text in {"", "None"}):
        return True
    read, meant = literal(text), literal(own)
    if isinstance(read, (int, float)) and isinstance(meant, (int, float)):
        try:
            return math.isclose(read, meant, rel_tol=1e-6)
        except OverflowError:  # an integer that no float holds
            return False
    return type(read) is type(meant) and bool(read == meant)


def difference(point: Mapping[str, Any], texts: Mapping[str, str]) -> str | None:
    """What is not a trial's in the values of its Task, in words; None: nothing.

    Parameters
    ----------
    point
        Name to value of each parameter of the trial.
    texts
        Full name to text of the parameters of its Task.

    Returns
    -------
    str or None
        A sentence on the first that differs; what the Task does not have does not.
    """
    for name, value in point.items():
        own = full_name(name)
        text = texts.get(own)
        if text is not None and not is_same(text, value):
            return f"its Task was edited on the server: {own} is {text!r} there and not {text_of(value)!r}"
    return None


def literal(text: str) -> Any:
    """What a text stands for: JSON, a Python literal, or itself."""
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            continue
    return text
