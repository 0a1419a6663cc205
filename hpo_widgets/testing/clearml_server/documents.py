"""Documents: what the store keeps, as nested dicts, and the dotted paths that lead into them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from hpo_widgets.testing.clearml_server.clock import written

Document = dict[str, Any]


class Missing:
    """What a path leads to that leads nowhere."""

    def __bool__(self) -> bool:
        return False


MISSING: Final = Missing()


def new_id() -> str:
    """A fresh id of 32 hexadecimal digits."""
    return uuid.uuid4().hex


def encode(value: Any) -> bytes:
    """A value as JSON; NaN and the infinities as the bare words that the server writes."""
    return json.dumps(value, default=_encode_other).encode()


def _encode_other(value: Any) -> Any:
    if isinstance(value, datetime):
        return written(value)
    msg = f"{type(value).__name__} has no JSON form"
    raise TypeError(msg)


def value_at(document: Mapping[str, Any], path: Iterable[str]) -> Any:
    """The value at a path, or `MISSING`.

    Parameters
    ----------
    document : dict
        What to read.
    path : Iterable[str]
        Names from the outside in.

    Returns
    -------
    Any
        The value, or `MISSING`.
    """
    value: Any = document
    for name in path:
        if not isinstance(value, Mapping) or name not in value:
            return MISSING
        value = value[name]
    return value


def projection(document: Document, paths: Iterable[str]) -> Document:
    """The parts of a document that the paths name.

    A part that is absent is left out; the dicts that would hold it stay, empty.

    Parameters
    ----------
    document : dict
        What to take from; it is not copied deeper than the paths reach.
    paths : iterable of str
        Dotted paths.

    Returns
    -------
    dict
        A new document.
    """
    result: Document = {}
    for path in paths:
        source: Any = document
        target = result
        *way, last = path.split(".")
        for name in way:
            source = source.get(name, MISSING)
            if not isinstance(source, dict):
                break
            target = target.setdefault(name, {})
        else:
            if last in source:
                target[last] = source[last]
    return result


def without_nulls(document: Document) -> Document:
    """The document without what is None at its top: unset fields are absent in answers."""
    return {name: value for name, value in document.items() if value is not None}
