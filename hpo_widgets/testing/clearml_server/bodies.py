"""What a request carries, whatever way it was sent: query, form, JSON, or JSON lines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from hpo_widgets.testing.clearml_server.errors import ApiError

if TYPE_CHECKING:
    from hpo_widgets.testing.clearml_server.documents import Document

JSON_LINES = frozenset({"application/json-lines", "application/jsonlines"})
FORM = "application/x-www-form-urlencoded"


def _not_understood() -> ApiError:
    return ApiError(400, 0, "The browser (or proxy) sent a request that this server could not understand.")


def fields_of(query: str, content_type: str, body: bytes) -> Document:
    """The fields of a request.

    An empty body and ``null`` are ``{}``. A name that a query or form has several times is a list.

    Parameters
    ----------
    query : str
        What follows the question mark.
    content_type : str
        The kind of body, without its parameters; JSON when it is not given.
    body : bytes
        The body.

    Returns
    -------
    dict
        Name to value.

    Raises
    ------
    ApiError
        400/0 for what is no JSON, 500/0 for JSON that is no object.
    """
    fields = _form(query)
    if content_type == FORM:
        return fields | _form(_text(body))
    data = _json(_text(body))
    if data is not None and not isinstance(data, Mapping):
        raise ApiError(500, 0, "Data should be a dict")
    return fields | dict(data or {})


def lines_of(content_type: str, body: bytes) -> list[Any]:
    """The lines of a batch.

    Parameters
    ----------
    content_type : str
        The kind of body: JSON lines are several, any other kind is one object.
    body : bytes
        The body.

    Returns
    -------
    list[Any]
        One object a line.

    Raises
    ------
    ApiError
        400/0 for what is no JSON, 500/0 for JSON that is no object.
    """
    text = _text(body)
    if content_type in JSON_LINES:
        lines = [_json(line) for line in text.splitlines() if line.strip()]
    else:
        lines = [_json(text)]
    items = [line for line in lines if line]
    if not all(isinstance(line, Mapping) for line in items):
        raise ApiError(500, 0, "Data should be a dict")
    return items


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise _not_understood() from None


def _json(text: str) -> Any:
    if not text.strip():
        return None
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise _not_understood() from None


def _form(text: str) -> Document:
    values = parse_qs(text, keep_blank_values=True)
    return {name: found[0] if len(found) == 1 else found for name, found in values.items()}
