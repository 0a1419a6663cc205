"""Numbers that a person types into the panel: taken, or answered with a sentence that says what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import traitlets as t

from hpo_widgets.widget.parts.part import ViewPart

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LONGEST_ID = 40


class NumberFieldPart(ViewPart):
    """A part with fields to type into; a field's view asks and gets an answer by the request's id."""

    answer = t.Dict(help="The newest request that was typed in: its id, and what is wrong with it or nothing.").tag(
        sync=True
    )

    @property
    def _fields(self) -> Mapping[str, Callable[[str], None]]:
        """Name of each field to what takes its text; a ``ValueError`` or ``TraitError`` says what is wrong."""
        raise NotImplementedError

    def _on_type(self, content: dict[str, object]) -> None:
        name, typed, request = content.get("name"), content.get("text"), content.get("id")
        take = self._fields.get(name) if isinstance(name, str) else None
        if take is None or not isinstance(typed, str) or not isinstance(request, str):
            self._refuse("something was typed into no field of this part")
            return
        try:
            take(typed.strip())
        except (ValueError, t.TraitError) as error:
            problem = str(error)
        else:
            problem = ""
        self.answer = {"id": request[:_LONGEST_ID], "problem": problem}
