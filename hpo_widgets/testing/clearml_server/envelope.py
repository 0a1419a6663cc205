"""The envelope of every answer: ``meta`` says how it went, ``data`` is what was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpo_widgets.testing.clearml_server.documents import Document, new_id
from hpo_widgets.testing.clearml_server.routing import FIRST_VERSION, Route

if TYPE_CHECKING:
    from hpo_widgets.testing.clearml_server.errors import ApiError


def answer(route: Route | None, trx: str | None, data: Document) -> Document:
    """A good answer.

    Parameters
    ----------
    route : Route or None
        What was asked for.
    trx : str or None
        The transaction that the request named; the answer's own id when it named none.
    data : dict
        What was asked for.

    Returns
    -------
    dict
        ``meta`` and ``data``.
    """
    return _enveloped(route, trx, (200, 0, "OK"), data)


def refusal(route: Route | None, trx: str | None, error: ApiError) -> Document:
    """An answer that is an error; its data are an empty object.

    Parameters
    ----------
    route : Route or None
        What was asked for; None: nothing that there is.
    trx : str or None
        The transaction that the request named; None: the answer's own id.
    error : ApiError
        What is wrong.

    Returns
    -------
    dict
        ``meta`` and ``data``.
    """
    return _enveloped(route, trx, (error.code, error.subcode, error.message), {})


def _enveloped(route: Route | None, trx: str | None, result: tuple[int, int, str], data: Document) -> Document:
    code, subcode, message = result
    identifier = new_id()
    return {
        "meta": {
            "id": identifier,
            "trx": trx or identifier,
            "endpoint": _described(route),
            "result_code": code,
            "result_subcode": subcode,
            "result_msg": message,
            "error_stack": None,
            "error_data": {},
        },
        "data": data,
    }


def _described(route: Route | None) -> Document:
    if route is None:
        version = FIRST_VERSION.shown(FIRST_VERSION)
        return {"name": "", "requested_version": version, "actual_version": None}
    found = route.endpoint
    return {
        "name": route.name,
        "requested_version": route.version.shown(route.version),
        "actual_version": None if found is None else found.since.shown(route.version),
    }
