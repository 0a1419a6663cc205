"""The trait of a number that counts something: whole, at least 1, and no truth value."""

from __future__ import annotations

from typing import Any

import traitlets as t

from hpo_widgets.search.limits import positive_int


class WholeNumber(t.Int[Any, Any]):
    """An ``Int`` of at least 1 that refuses ``True``, which Python counts as 1 and which is a slip here."""

    def __init__(self, default_value: Any = 1, **keywords: Any) -> None:
        super().__init__(default_value, min=1, **keywords)

    def validate(self, obj: Any, value: Any) -> int | None:
        """Return the number, or raise a ``TraitError`` that says what is wrong."""
        try:
            return super().validate(obj, value if value is None else positive_int(str(self.name), value))  # type: ignore[no-any-return]
        except (TypeError, ValueError) as error:
            raise t.TraitError(str(error)) from None
