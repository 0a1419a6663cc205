"""``auth``, ``debug``: who asks, and that the server is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpo_widgets.testing.clearml_server.fields import Field
from hpo_widgets.testing.clearml_server.routing import Call, endpoint

if TYPE_CHECKING:
    from hpo_widgets.testing.clearml_server.documents import Document


@endpoint("auth.login", [Field("expiration_sec", int)])
def login(call: Call) -> Document:
    """A token for who presents keys or another token."""
    return {"token": call.store.authority.token(call.data.get("expiration_sec"))}


@endpoint("debug.ping", open_to_all=True)
def ping(call: Call) -> Document:
    """A sign of life."""
    del call
    return {"msg": "ClearML server"}
