"""The trait of a number that counts something: whole, at least 1, and no truth value."""

from __future__ import annotations

from typing import Any

import traitlets as t


class WholeNumber(t.Int[Any, Any]):
    """An ``Int`` of at least 1 that refuses ``True``, which Python counts as 1 and which is a slip here."""

    def __init__(self, default_value: Any = 1, **keywords: Any) -> None:
        super().__init__(default_value, min=1, **keywords)

    def validate(self, obj: Any, value: Any) -> int | None:
        """Return the number, or raise a ``TraitError`` that says what is wrong."""
        if isinstance(value, bool):
            msg = f"{self.name} is a whole number of at least 1, got {value}"
            raise t.TraitError(msg)
        found: int | None = super().validate(obj, value)
        return found
