"""Questions to lists of documents: projections, order and pages, for Tasks, projects and queues alike."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from hpo_widgets.testing.clearml_server.documents import MISSING, Document, projection, value_at
from hpo_widgets.testing.clearml_server.errors import bad_request, unresolved_field, validation_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LARGEST_PAGE = 500


def selected_fields(data: Document, known: frozenset[str]) -> list[str]:
    """The fields that a request wants, ``only_fields``; empty for all.

    Parameters
    ----------
    data : dict
        The request.
    known : frozenset of str
        The fields that the documents may have.

    Returns
    -------
    list[str]
        Dotted paths.

    Raises
    ------
    ApiError
        400/14 for a field that they cannot have.
    """
    wanted = list(data.get("only_fields") or ())
    for path in wanted:
        if path.partition(".")[0] not in known:
            raise unresolved_field(path)
    return wanted


def projected(documents: Iterable[Document], fields: Sequence[str]) -> list[Document]:
    """The documents with only the wanted fields; no fields give whole documents.

    Parameters
    ----------
    documents : Iterable[dict]
        Whole documents.
    fields : Sequence[str]
        Dotted paths.

    Returns
    -------
    list[dict]
        New documents, or the ones given.
    """
    if not fields:
        return list(documents)
    return [projection(document, fields) for document in documents]


def ordered(documents: list[Document], order_by: Any, known: frozenset[str]) -> list[Document]:
    """The documents in the order that a request asks for.

    What lacks a field comes last, in either direction; ties are in the order of the ids.

    Parameters
    ----------
    documents : list of dict
        What to order.
    order_by : list of str or None
        Dotted paths, with "-" before those that descend. A plain string is ignored, as the server does.
    known : frozenset of str
        The fields that the documents may have.

    Returns
    -------
    list[dict]
        A new list, or the one given when there is nothing to order by.

    Raises
    ------
    ApiError
        400/14 for a field that they cannot have.
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

    Parameters
    ----------
    documents : list[dict]
        All that were found, in order.
    data : dict
        The request.

    Returns
    -------
    list[dict]
        Those of the page.

    Raises
    ------
    ApiError
        400/12 for a size or a page that cannot be.
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

    Raises
    ------
    ApiError
        400/21 if it is none.
    """
    try:
        return re.compile(text)
    except re.error as error:
        raise bad_request(21, "Malformed regular expression", err=error, extra_info=None) from None


def as_list(value: Any) -> list[Any]:
    """One value or several as a list."""
    return list(value) if isinstance(value, list | tuple) else [value]
