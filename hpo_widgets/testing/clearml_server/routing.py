"""Endpoints by name and version: how a path becomes a function."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from hpo_widgets.testing.clearml_server.documents import Document
from hpo_widgets.testing.clearml_server.errors import ApiError, bad_request
from hpo_widgets.testing.clearml_server.fields import Field, check, missing_names

if TYPE_CHECKING:
    from hpo_widgets.testing.clearml_server.auth import Identity
    from hpo_widgets.testing.clearml_server.store import Store

SERVICES = frozenset(
    {
        "auth",
        "debug",
        "events",
        "login",
        "models",
        "organization",
        "pipelines",
        "projects",
        "queues",
        "reports",
        "server",
        "serving",
        "tasks",
        "users",
        "workers",
    }
)


class Version(NamedTuple):
    """A version of the API, such as 2.34."""

    major: int
    minor: int

    def shown(self, asked: Version) -> str | float:
        """The version as an answer writes it: a number when an old version was asked for, else a string."""
        text = f"{self.major}.{self.minor}"
        return float(text) if asked <= NUMBERS_UP_TO else text


API_VERSION = Version(2, 34)
FIRST_VERSION = Version(1, 0)
NUMBERS_UP_TO = Version(2, 0)


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
        missing = missing_names(call.data, self.required)
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
    """Register a function as an endpoint.

    Parameters
    ----------
    name : str
        ``service.action``.
    fields : sequence of Field, default ()
        What it takes; other fields are ignored.
    since : tuple of int, default (1, 0)
        The version that introduced it.
    required : sequence of str, default ()
        Fields that must be there, for the endpoints that check no types.
    open_to_all : bool, default False
        Whether it needs no credentials.
    batch : bool, default False
        Whether it takes JSON lines.

    Returns
    -------
    Callable[[Handler], Handler]
        A decorator, which returns the function as it is.
    """

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

    Raises
    ------
    ApiError
        400/0 for a path that names no service of the API.
    """
    match = _PATH.fullmatch(path)
    if match is None or match["service"] not in SERVICES:
        raise ApiError(400, 0, f"Invalid request path {path}")
    name = f"{match['service']}.{match['action']}"
    version = Version(int(match["major"]), int(match["minor"])) if match["major"] else API_VERSION
    found = next((one for one in _ENDPOINTS.get(name, ()) if one.since <= version), None)
    return Route(name, version, found)
