"""HTTP: from a request of the API to an endpoint's function and back, and the file server."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from tornado.web import Application, RequestHandler

from hpo_widgets.testing.clearml_server._api import endpoints
from hpo_widgets.testing.clearml_server._api.auth import COOKIE
from hpo_widgets.testing.clearml_server._api.documents import Document, encode, new_id
from hpo_widgets.testing.clearml_server._api.errors import ApiError
from hpo_widgets.testing.clearml_server._api.routing import FIRST_VERSION, Call, Route, route
from hpo_widgets.testing.clearml_server.request_log import LoggedRequest, RequestLog

if TYPE_CHECKING:
    from hpo_widgets.testing.clearml_server._api.faults import Fault, Faults
    from hpo_widgets.testing.clearml_server._api.store import Store

__all__ = ["endpoints", "make_application"]

logger = logging.getLogger(__name__)

JSON_LINES = frozenset({"application/json-lines", "application/jsonlines"})
_FORM = "application/x-www-form-urlencoded"


def _not_understood() -> ApiError:
    return ApiError(400, 0, "The browser (or proxy) sent a request that this server could not understand.")


def _fields_of(query: str, content_type: str, body: bytes) -> Document:
    """The fields of a request.

    An empty body and ``null`` are ``{}``. A name that a query or form has several times is a list.
    """
    fields = _form(query)
    if content_type == _FORM:
        return fields | _form(_text(body))
    data = _json(_text(body))
    if data is not None and not isinstance(data, Mapping):
        raise ApiError(500, 0, "Data should be a dict")
    return fields | dict(data or {})


def _lines_of(content_type: str, body: bytes) -> list[Any]:
    """The lines of a batch."""
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


def _enveloped(route: Route | None, trx: str | None, data: Document, error: ApiError | None = None) -> Document:
    """An answer: ``meta`` says how it went, ``data`` is what was asked for.

    ``trx`` is the transaction that the request named; the answer's own id where it named none.
    """
    identifier = new_id()
    code, subcode, message = (200, 0, "OK") if error is None else (error.code, error.subcode, error.message)
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


class _ApiHandler(RequestHandler):
    """Answers every path of the API; all methods are alike."""

    def initialize(self, store: Store, log: RequestLog, faults: Faults) -> None:
        """Take what the application hands to each handler."""
        self.store = store
        self.log = log
        self.faults = faults
        self.route: Route | None = None
        self.subcode = 0
        self.cut = False
        self.came = datetime.now(UTC)
        self.started = time.perf_counter()

    def set_default_headers(self) -> None:
        """Say nothing of the framework."""
        self.clear_header("Server")

    async def get(self, path: str) -> None:
        """Answer one request."""
        del path
        await self.faults.hold()
        if self.request.headers.get("Content-Encoding", "identity").lower() != "identity":
            self._write_text(415, "Content encoding is not supported (gzip)")
            return
        trx = self.request.headers.get("X-ClearML-Trx") or self.request.headers.get("X-Trains-Trx")
        fault = None
        try:
            self.route = route(self.request.path)
            fault = self.faults.take(self.route.name)
            body = _enveloped(self.route, trx, self._data(fault))
        except ApiError as error:
            body = _enveloped(self.route, trx, {}, error)
        except Exception as error:
            # What a handler did not foresee is answered as the server does it: status 500 with Python's own words.
            logger.debug("error 500 in %s", self.request.path, exc_info=True)
            body = _enveloped(self.route, trx, {}, ApiError(500, 0, str(error)))
        if fault is not None and not fault.status:
            self._cut()
            return
        self._write_json(body)

    post = put = delete = patch = get

    async def head(self, path: str) -> None:
        """Say that the server is there."""
        del path
        self._enter()

    async def options(self, path: str) -> None:
        """Allow everything."""
        del path
        self._enter()

    def _data(self, fault: Fault | None) -> Document:
        if fault is not None and not (fault.after or fault.halfway):
            raise _failure(fault)
        assert self.route is not None  # noqa: S101 - tells the type checker what the caller did
        found = self.route.required()
        headers = self.request.headers
        identity = self.store.identity
        if not found.open_to_all:
            identity = self.store.authority.identify(headers, self.get_cookie(COOKIE))
        content_type = headers.get("Content-Type", "").partition(";")[0].strip().lower()
        lines: list[Any] = []
        data: Document = {}
        if found.batch:
            lines = _lines_of(content_type, self.request.body)
        elif content_type not in JSON_LINES:
            data = _fields_of(self.request.query, content_type, self.request.body)
        is_halfway = fault is not None and fault.halfway
        result = found.answer(Call(self.store, identity, self.route.version, data, lines, halfway=is_halfway))
        if fault is not None and fault.after:
            raise _failure(fault)
        if found.name == "auth.login":
            self.set_cookie(COOKIE, result["token"], httponly=True, samesite="Lax")
        return result

    def _write_json(self, body: Document) -> None:
        self.set_status(body["meta"]["result_code"])
        self.subcode = body["meta"]["result_subcode"]
        self.set_header("Content-Type", "application/json")
        self._write_body(encode(body))

    def _write_text(self, status: int, text: str) -> None:
        self.set_status(status)
        self._write_body(text.encode())

    def _write_body(self, content: bytes) -> None:
        self._enter(len(content))
        self.write(content)

    def _cut(self) -> None:
        """End the connection without an answer."""
        self.cut = True
        self._enter()
        self.detach().close()

    def _enter(self, size: int = 0) -> None:
        """Log the request: before its answer goes out, so that who has the answer finds the entry."""
        headers = self.request.headers
        self.log.add(
            LoggedRequest(
                endpoint=self.route.name if self.route else self.request.path,
                method=self.request.method or "",
                status=0 if self.cut else self.get_status(),
                subcode=self.subcode,
                worker=headers.get("X-ClearML-Worker", ""),
                client=headers.get("X-ClearML-Client", "") or headers.get("X-ClearML-Agent", ""),
                time=self.came,
                seconds=time.perf_counter() - self.started,
                request_size=len(self.request.body),
                response_size=size,
            ),
        )


def _failure(fault: Fault) -> ApiError:
    return ApiError(fault.status, fault.subcode, fault.message)


def make_application(store: Store, log: RequestLog, faults: Faults) -> Application:
    """The API, at the root of its port."""
    handlers = [(r"(/.*)", _ApiHandler, {"store": store, "log": log, "faults": faults})]
    return Application(handlers, compress_response=True, log_function=_silent)


def _silent(handler: RequestHandler) -> None:
    """Write no access log: `RequestLog` has it."""


class _FileHandler(RequestHandler):
    """The file server: what is posted can be read again and deleted."""

    def initialize(self, files: dict[str, bytes]) -> None:
        """Take what the application hands to each handler."""
        self.files = files

    def set_default_headers(self) -> None:
        """Say nothing of the framework."""
        self.clear_header("Server")

    def post(self, path: str) -> None:
        """Keep the uploaded files: each part of a form under its name, or a plain body under the path."""
        uploads = [(name, file) for name, files in self.request.files.items() for file in files]
        for name, file in uploads:
            self.files["/".join(part for part in (path, name) if part).strip("/")] = file["body"]
        if not uploads:
            self.files[path] = self.request.body

    put = post

    def get(self, path: str) -> None:
        """Hand out a file."""
        content = self.files.get(path)
        if content is None:
            self.set_status(404)
            return
        self.set_header("Content-Type", "application/octet-stream")
        self.write(content)

    head = get

    def delete(self, path: str) -> None:
        """Forget a file."""
        if self.files.pop(path, None) is None:
            self.set_status(404)


def make_file_application(files: dict[str, bytes]) -> Application:
    """The file server, at the root of its port."""
    return Application([(r"/(.*)", _FileHandler, {"files": files})], log_function=_silent)
