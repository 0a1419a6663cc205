"""``auth``, ``users``, ``server``, ``debug``: who asks and who answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpo_widgets.testing.clearml_server.auth import SERVER_VERSION
from hpo_widgets.testing.clearml_server.errors import ApiError
from hpo_widgets.testing.clearml_server.fields import Field
from hpo_widgets.testing.clearml_server.routing import Call, endpoint

if TYPE_CHECKING:
    from hpo_widgets.testing.clearml_server.documents import Document


@endpoint("auth.login", [Field("expiration_sec", int)])
def login(call: Call) -> Document:
    """A token for who presents keys or another token."""
    return {"token": call.store.authority.token(call.data.get("expiration_sec"))}


@endpoint("auth.logout", open_to_all=True)
def logout(call: Call) -> Document:
    """Nothing: tokens end by themselves."""
    del call
    return {}


@endpoint("users.get_current_user")
def get_current_user(call: Call) -> Document:
    """The one user."""
    identity = call.identity
    return {
        "user": {
            "id": identity.user,
            "name": identity.user_name,
            "given_name": identity.user_name,
            "family_name": "",
            "role": identity.role,
            "company": {"id": identity.company, "name": identity.company_name},
            "preferences": {},
        },
        "getting_started": {},
        "settings": {},
    }


@endpoint("users.get_all")
def get_all_users(call: Call) -> Document:
    """The one user, in a list."""
    return {"users": [{"id": call.identity.user, "name": call.identity.user_name}]}


@endpoint("users.get_all_ex")
def get_all_users_ex(call: Call) -> Document:
    """The one user, in a list."""
    return get_all_users(call)


@endpoint("users.get_preferences")
def get_preferences(call: Call) -> Document:
    """No preferences."""
    del call
    return {"preferences": {}}


@endpoint("server.info", since=(2, 12), open_to_all=True)
def server_info(call: Call) -> Document:
    """What this server is."""
    return {
        "version": SERVER_VERSION,
        "build": "in-memory, for tests and demonstrations only",
        "uid": call.identity.company,
    }


@endpoint("server.config")
def server_config(call: Call) -> Document:
    """Not for users."""
    raise _forbidden(call)


@endpoint("server.endpoints")
def server_endpoints(call: Call) -> Document:
    """Not for users."""
    raise _forbidden(call)


def _forbidden(call: Call) -> ApiError:
    return ApiError(403, 20, f"Forbidden (not allowed for role): role={call.identity.role}, allowed=(root, system)")


@endpoint("debug.ping", open_to_all=True)
def ping(call: Call) -> Document:
    """A sign of life."""
    del call
    return {"msg": "ClearML server"}
