"""Documents: what the store keeps, as nested dicts; paths that lead into them, and questions to lists of them."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from hpo_widgets.testing.clearml_server._api.errors import bad_request, unresolved_field, validation_error

if TYPE_CHECKING:
    from collections.abc import Sequence


class Clock:
    """The time of the server: the machine's, plus a skew, which any thread may set: it is replaced as a whole.

    Attributes
    ----------
    skew : datetime.timedelta
        How far the server is ahead of the machine; zero at first.
    """

    def __init__(self) -> None:
        self.skew = timedelta()

    def now(self) -> datetime:
        """The time now, in UTC, with microseconds."""
        return datetime.now(UTC) + self.skew


def stored(moment: datetime) -> datetime:
    """A time as the store keeps it: whole milliseconds."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def written(moment: datetime) -> str:
    """A time as answers show it: six digits of a second, with the offset."""
    return moment.isoformat(timespec="microseconds")


def milliseconds(moment: datetime) -> int:
    """A time as events carry it: milliseconds since 1970."""
    return int(moment.timestamp() * 1000)


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
    """The value at a path, or `MISSING`."""
    value: Any = document
    for name in path:
        if not isinstance(value, Mapping) or name not in value:
            return MISSING
        value = value[name]
    return value


def _projection(document: Document, paths: Iterable[str]) -> Document:
    """The parts of a document that the paths name.

    A part that is absent is left out; the dicts that would hold it stay, empty.
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


LARGEST_PAGE = 500


def selected_fields(data: Document, known: frozenset[str]) -> list[str]:
    """The fields that a request wants, ``only_fields``; empty for all.

    Raises `ApiError`: 400/14 for a field that they cannot have.
    """
    wanted = list(data.get("only_fields") or ())
    for path in wanted:
        if path.partition(".")[0] not in known:
            raise unresolved_field(path)
    return wanted


def projected(documents: Iterable[Document], fields: Sequence[str]) -> list[Document]:
    """The documents with only the wanted fields; no fields give whole documents."""
    if not fields:
        return list(documents)
    return [_projection(document, fields) for document in documents]


def ordered(documents: list[Document], order_by: Any, known: frozenset[str]) -> list[Document]:
    """The documents in the order that a request asks for.

    What lacks a field comes last, in either direction; ties are in the order of the ids.

    Raises `ApiError`: 400/14 for a field that they cannot have.
    """
    if not order_by or isinstance(order_by, str):
        return documents
    result = sorted(documents, key=lambda document: str(document["id"]))
    for name in reversed(list(order_by)):
        path = name.removeprefix("-").split(".")
        if path[0] not in known:
            raise unresolved_field(name.removeprefix("-"))
        found: list[tuple[Any, Document]] = []
        without: list[Document] = []
        for document in result:
            value = value_at(document, path)
            if value is MISSING or value is None:
                without.append(document)
            else:
                found.append((_comparable(value), document))
        found.sort(key=lambda pair: pair[0], reverse=name.startswith("-"))
        result = [document for _, document in found] + without
    return result


def _comparable(value: Any) -> tuple[int, Any]:
    """A key that puts values of one kind in their order, and NaN below the numbers."""
    if isinstance(value, bool):
        return 4, value
    if isinstance(value, int | float):
        return (1, 0.0) if value != value else (2, value)  # noqa: PLR0124 - NaN
    if isinstance(value, str):
        return 3, value
    if isinstance(value, list):
        return 5, [str(item) for item in value]
    if isinstance(value, dict):
        return 6, str(value)
    return 7, value


def page_of(documents: list[Document], data: Document) -> list[Document]:
    """The page that a request asks for, by ``page`` and ``page_size`` or by ``start`` and ``size``.

    It has no more than `LARGEST_PAGE` documents, whatever size is asked for.

    Raises `ApiError`: 400/12 for a size or a page that cannot be.
    """
    page, size = data.get("page"), data.get("page_size")
    if page is not None or size is not None:
        if page is not None and page < 0:
            raise validation_error("page must be >=0", field="page")
        if size is not None and size < 1:
            raise validation_error("page_size must be >0", field="page_size")
        size = min(size or LARGEST_PAGE, LARGEST_PAGE)
        first = (page or 0) * size
        return documents[first : first + size]
    if data.get("size") is not None:
        first = data.get("start") or 0
        return documents[first : first + min(data["size"], LARGEST_PAGE)]
    return documents[:LARGEST_PAGE]


def pattern(text: str) -> re.Pattern[str]:
    """A regular expression that is searched for anywhere in a text.

    Raises `ApiError`: 400/21 if it is none.
    """
    try:
        return re.compile(text)
    except re.error as error:
        raise bad_request(21, "Malformed regular expression", err=error, extra_info=None) from None


def as_list(value: Any) -> list[Any]:
    """One value or several as a list."""
    return list(value) if isinstance(value, list | tuple) else [value]


def listed(documents: Iterable[Document], data: Document, known: frozenset[str]) -> list[Document]:
    """The documents whose ``id`` and ``name`` a request asks for, in its order, of its page."""
    found = list(documents)
    if data.get("id"):
        ids = set(as_list(data["id"]))
        found = [document for document in found if document["id"] in ids]
    if data.get("name"):
        expression = pattern(data["name"])
        found = [document for document in found if expression.search(document["name"])]
    return page_of(ordered(found, data.get("order_by"), known), data)
