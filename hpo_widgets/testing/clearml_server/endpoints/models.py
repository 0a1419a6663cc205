"""``models``: none are kept; the questions that the SDK asks are answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpo_widgets.testing.clearml_server.errors import bad_request
from hpo_widgets.testing.clearml_server.fields import Field
from hpo_widgets.testing.clearml_server.routing import Call, endpoint

if TYPE_CHECKING:
    from hpo_widgets.testing.clearml_server.documents import Document


@endpoint("models.get_all")
def get_all(call: Call) -> Document:
    """No models."""
    del call
    return {"models": []}


@endpoint("models.get_all_ex")
def get_all_ex(call: Call) -> Document:
    """No models."""
    return get_all(call)


@endpoint("models.get_by_id", [Field("model", str, required=True)])
def get_by_id(call: Call) -> Document:
    """No model has the id."""
    raise bad_request(201, "Invalid model id", id=call.data["model"], company=call.store.identity.company)
