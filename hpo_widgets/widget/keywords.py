"""Unknown keywords are refused before traitlets can swallow them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpo_widgets._messages import near_match

if TYPE_CHECKING:
    from collections.abc import Iterable

    from traitlets import HasTraits


def refuse_unknown(owner: type[HasTraits], names: Iterable[str]) -> None:
    """Raise a ``TypeError`` with a near match for the first name that is no trait of ``owner``."""
    known = [name for name in owner.class_trait_names() if not name.startswith("_")]
    for name in names:
        if name in known:
            continue
        msg = f"{owner.__name__} has no keyword {name!r}. {near_match(name, known)}"
        raise TypeError(msg)
