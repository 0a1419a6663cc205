"""Who asks: keys, tokens, the ways to present them, and the endpoint that hands tokens out."""

from __future__ import annotations

import base64
import binascii
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import jwt

from hpo_widgets.testing.clearml_server._api.documents import Document, new_id
from hpo_widgets.testing.clearml_server._api.errors import ApiError, bad_request
from hpo_widgets.testing.clearml_server._api.routing import Call, Field, endpoint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jwt.types import Options

    from hpo_widgets.testing.clearml_server._api.documents import Clock

COOKIE = "clearml_token_basic"
_DEFAULT_LIFETIME = timedelta(days=30)
_SERVER_VERSION = "2.3.0"
_ALGORITHM = "HS256"
_IMPERSONATION = ("X-ClearML-Impersonate-As", "X-ClearML-Act-As", "X-Trains-Impersonate-As", "X-Trains-Act-As")


@dataclass(frozen=True)
class Identity:
    """The one user of the server and the company that all belongs to."""

    user: str = field(default_factory=new_id)
    user_name: str = "tests"
    company: str = field(default_factory=new_id)
    company_name: str = "clearml"
    role: str = "user"


@dataclass(frozen=True)
class Keys:
    """A random pair of keys, which no `repr` shows."""

    access: str = field(default_factory=lambda: secrets.token_hex(10).upper(), repr=False)
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(36), repr=False)


class Authority:
    """Hands out tokens and tells who presents them.

    Parameters
    ----------
    clock : Clock
        The server's time, by which tokens end.
    """

    def __init__(self, clock: Clock) -> None:
        self.identity = Identity()
        self.keys = Keys()
        self._clock = clock
        self._signing_key = secrets.token_hex(32)
        self._ends: dict[str, int] = {}
        """When each token ends whose signature was checked: a client sends the same with every request."""

    def token(self, expiration: int | None) -> str:
        """A new token."""
        issued = self._clock.now()
        lifetime = _DEFAULT_LIFETIME if not expiration else timedelta(seconds=expiration)
        payload = {
            "auth_type": "Bearer",
            "identity": {
                "user": self.identity.user,
                "user_name": self.identity.user_name,
                "company": self.identity.company,
                "company_name": self.identity.company_name,
                "role": self.identity.role,
            },
            "env": "demo",
            "iat": int(issued.timestamp()),
            "exp": int((issued + lifetime).timestamp()),
            "session_id": new_id(),
            "api_version": "2.34",
            "server_version": _SERVER_VERSION,
            "server_build": "in-memory",
            "feature_set": "basic",
        }
        return jwt.encode(payload, self._signing_key, algorithm=_ALGORITHM)

    def identify(self, headers: Mapping[str, str], cookie: str | None) -> Identity:
        """Who asks.

        Raises `ApiError`: 401 without good credentials, 400/6 for somebody who wants to be somebody else.
        """
        presented = headers.get("Authorization")
        if presented:
            scheme, _, credentials = presented.partition(" ")
            if scheme.lower() == "basic":
                self._check_keys(credentials)
            elif scheme.lower() == "bearer":
                self._check_token(credentials.strip())
            else:
                raise ApiError(401, 10, "Unauthorized (bad authentication header type)")
        elif cookie:
            self._check_token(cookie)
        else:
            raise ApiError(401, 20, "Unauthorized (missing credentials)")
        if any(headers.get(name) for name in _IMPERSONATION):
            raise bad_request(6, "Impersonation error", "impersonation not allowed", role=self.identity.role)
        return self.identity

    def _check_keys(self, credentials: str) -> None:
        try:
            access, _, secret = base64.b64decode(credentials, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            access = secret = ""
        known = secrets.compare_digest(access.encode(), self.keys.access.encode())
        if not (secrets.compare_digest(secret.encode(), self.keys.secret.encode()) and known):
            raise ApiError(401, 22, "Unauthorized (invalid credentials) (failed to locate provided credentials)")

    def _check_token(self, token: str) -> None:
        if token not in self._ends:
            # The end is looked at below, by the server's clock, which may be set otherwise than the machine's.
            unchecked: Options = {"verify_exp": False, "verify_iat": False}
            try:
                payload: Document = jwt.decode(token, self._signing_key, algorithms=[_ALGORITHM], options=unchecked)
            except jwt.InvalidTokenError as error:
                raise ApiError(401, 30, f"Invalid token (invalid jwt token): reason={error}") from None
            self._ends[token] = payload["exp"]
        if self._ends[token] <= self._clock.now().timestamp():
            raise ApiError(401, 30, "Invalid token (invalid jwt token): reason=Signature has expired")


@endpoint("auth.login", [Field("expiration_sec", int)])
def login(call: Call) -> Document:
    """A token for who presents keys or another token."""
    return {"token": call.store.authority.token(call.data.get("expiration_sec"))}


@endpoint("debug.ping", open_to_all=True)
def ping(call: Call) -> Document:
    """A sign of life."""
    del call
    return {"msg": "ClearML server"}
