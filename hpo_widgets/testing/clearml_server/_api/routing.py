"""Endpoints by name and version: how a path becomes a function, and what fields it takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from hpo_widgets.testing.clearml_server._api.documents import Document
from hpo_widgets.testing.clearml_server._api.errors import ApiError, bad_request, validation_error

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hpo_widgets.testing.clearml_server._api.auth import Identity
    from hpo_widgets.testing.clearml_server._api.store import Store

_TRUE_WORDS = frozenset({"1", "true", "yes", "y", "on"})


@dataclass(frozen=True)
class Field:
    """One field of a request.

    Attributes
    ----------
    name : str
        Its name in the body.
    kind : type or None
        ``str``, ``int``, ``float``, ``bool``, ``list`` or ``dict``; None takes anything.
    required : bool, default False
        Whether a request without it is refused.
    choices : frozenset of str, default empty
        The only values that are taken; empty takes all.
    filled : bool, default False
        A list must have an item, and may not be left out.
    maximum : int or None, default None
        The greatest number that is taken.
    items : tuple of Field, default ()
        The fields of each item of a list of objects.
    """

    name: str
    kind: type | None = None
    required: bool = False
    choices: frozenset[str] = frozenset()
    filled: bool = False
    maximum: int | None = None
    items: tuple[Field, ...] = ()

    def checked(self, value: Any) -> Any:
        """The value in the field's type, or `ValueError` with the server's words for what is wrong."""
        if value is None:
            if self.required:
                raise ValueError("field is required!.")
            return None
        value = _converted(value, self.kind)
        if self.choices and value not in self.choices:
            msg = f"value '{value}' is not a valid choice.."
            raise ValueError(msg)
        if self.filled and not value:
            raise ValueError("value '[]' length is lower than allowed minimum '1'..")
        if self.maximum is not None and value > self.maximum:
            msg = f"'{value}' is bigger than maximum ('{self.maximum}').."
            raise ValueError(msg)
        if self.items:
            for item in value:
                self._check_item(item)
        return value

    def _check_item(self, item: Any) -> None:
        for part in self.items:
            if part.name in item:
                try:
                    part.checked(item[part.name])
                except ValueError as error:
                    msg = f"error for field '{part.name}': {error}."
                    raise ValueError(msg) from None
        for part in self.items:
            if part.required and part.name not in item:
                msg = f"(\"error for field '{part.name}'.\", validationerror('field is required!'))."
                raise ValueError(msg)


def _converted(value: Any, kind: type | None) -> Any:
    if kind is None or type(value) is kind:
        return value
    if kind is bool:
        return value.lower() in _TRUE_WORDS if isinstance(value, str) else bool(value)
    if kind in {int, float} and isinstance(value, str | int | float):
        try:
            return kind(value)
        except ValueError:
            pass
    if kind is list and isinstance(value, str):
        return [value]  # a query string repeats a name for a list, and gives one value when it comes once
    shown = str(value).lower() if isinstance(value, bool) else repr(value)
    msg = f"('value is wrong, expected type \"{kind.__name__}\"', {shown})."
    raise ValueError(msg)


def check(data: Document, fields: Sequence[Field]) -> Document:
    """The data with its values in their types.

    What is given is checked first, then what is missing, in the order of the names; unknown fields stay as they are.

    Raises `ApiError`: 400/12, in the words of the server.
    """
    by_name = {field.name: field for field in fields}
    result = dict(data)
    for name, value in data.items():
        field = by_name.get(name)
        if field is None or (value is None and field.required):
            continue  # a null is as good as nothing
        try:
            result[name] = field.checked(value)
        except ValueError as error:
            raise validation_error(f"error for field '{name}': {error}") from None
        if value is None:
            del result[name]
    for name in sorted(by_name):
        if result.get(name) is None and (by_name[name].required or by_name[name].filled):
            raise validation_error(_missing(by_name[name]))
    return result


def _missing(field: Field) -> str:
    if field.filled:
        return f"error for field '{field.name}'. value '[]' length is lower than allowed minimum '1'."
    return f"error for field '{field.name}'. field is required!"


def _missing_names(data: Document, names: Iterable[str]) -> tuple[str, ...]:
    """The names that the data lacks, for the endpoints that do no more than ask for them."""
    return tuple(name for name in names if data.get(name) is None)


_SERVICES = frozenset({
    "auth", "debug", "events", "login", "models", "organization", "pipelines", "projects", "queues", "reports",
    "server", "serving", "tasks", "users", "workers",
})  # fmt: skip


class Version(NamedTuple):
    """A version of the API, such as 2.34."""

    major: int
    minor: int

    def shown(self, asked: Version) -> str | float:
        """The version as an answer writes it: a number when an old version was asked for, else a string."""
        text = f"{self.major}.{self.minor}"
        return float(text) if asked <= _NUMBERS_UP_TO else text


_API_VERSION = Version(2, 34)
FIRST_VERSION = Version(1, 0)
_NUMBERS_UP_TO = Version(2, 0)


@dataclass(frozen=True)
class Call:
    """One request, as an endpoint sees it.

    Attributes
    ----------
    store : Store
        Everything that the server knows.
    identity : Identity
        Who asks.
    version : Version
        The version that was asked for.
    data : dict
        The fields of the request, checked.
    lines : list
        The lines of a batch.
    halfway : bool
        Whether something happens in the middle of it (`ClearmlServer.interrupt_next`).
    """

    store: Store
    identity: Identity
    version: Version
    data: Document
    lines: list[Any] = field(default_factory=list)
    halfway: bool = False

    @property
    def task(self) -> Document:
        """The Task that the request names, or error 400/101."""
        return self.store.task(self.data["task"])


Handler = Callable[[Call], Document]


@dataclass(frozen=True)
class Endpoint:
    """A function of the API with the version that introduced it and the fields that it takes."""

    name: str
    since: Version
    handler: Handler
    fields: tuple[Field, ...] = ()
    required: tuple[str, ...] = ()
    open_to_all: bool = False
    batch: bool = False

    def answer(self, call: Call) -> Document:
        """Check the fields, then act."""
        missing = _missing_names(call.data, self.required)
        if missing:
            raise bad_request(11, "Missing required fields", missing=missing)
        data = check(call.data, self.fields)
        return self.handler(replace(call, data=data))


_ENDPOINTS: dict[str, list[Endpoint]] = {}


def endpoint(
    name: str,
    fields: Sequence[Field] = (),
    *,
    since: tuple[int, int] = (1, 0),
    required: Sequence[str] = (),
    open_to_all: bool = False,
    batch: bool = False,
) -> Callable[[Handler], Handler]:
    """Register a function as an endpoint."""

    def register(handler: Handler) -> Handler:
        versions = _ENDPOINTS.setdefault(name, [])
        versions.append(
            Endpoint(name, Version(*since), handler, tuple(fields), tuple(required), open_to_all, batch),
        )
        versions.sort(key=lambda one: one.since, reverse=True)
        return handler

    return register


@dataclass(frozen=True)
class Route:
    """What a path asks for: a name, a version, and the endpoint if there is one."""

    name: str
    version: Version
    endpoint: Endpoint | None

    def required(self) -> Endpoint:
        """The endpoint, or error 404."""
        if self.endpoint is None:
            version = f"{self.version.major}.{self.version.minor}"
            raise ApiError(404, 0, f"Unable to find endpoint for name {self.name} and version {version}")
        return self.endpoint


_PATH = re.compile(r"/(?:v(?P<major>\d+)\.(?P<minor>\d+)/)?(?P<service>[a-z_]+)\.(?P<action>[A-Za-z0-9_]+)/?")


def route(path: str) -> Route:
    """What a path asks for.

    Raises `ApiError`: 400/0 for a path that names no service of the API.
    """
    match = _PATH.fullmatch(path)
    if match is None or match["service"] not in _SERVICES:
        raise ApiError(400, 0, f"Invalid request path {path}")
    name = f"{match['service']}.{match['action']}"
    version = Version(int(match["major"]), int(match["minor"])) if match["major"] else _API_VERSION
    found = next((one for one in _ENDPOINTS.get(name, ()) if one.since <= version), None)
    return Route(name, version, found)
