"""Numbers that a person types into the panel: taken, or answered with a sentence that says what is wrong."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import traitlets as t

from hpo_widgets.widget.parts.part import ViewPart

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LONGEST_ID = 40


def whole(typed: str, what: str, *, most: int) -> int:
    """Return a whole number from 1 to ``most``, or raise a ``ValueError`` that says what ``what`` is."""
    try:
        number = int(typed)
    except ValueError:
        number = 0
    if number < 1:
        msg = f"{what} is a whole number of at least 1, not {_quoted(typed)}"
        raise ValueError(msg)
    if number > most:
        msg = f"{what} is at most {most} here, not {_quoted(typed)}"
        raise ValueError(msg)
    return number


def minutes(typed: str, what: str) -> float:
    """Return minutes above 0, or raise a ``ValueError``."""
    try:
        number = float(typed)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        msg = f"{what} is in minutes and above 0, such as 5 or 0.5, not {_quoted(typed)}"
        raise ValueError(msg)
    return number


def _quoted(typed: str) -> str:
    return f"“{typed[:30]}{'…' if len(typed) > 30 else ''}”" if typed else "nothing"


class TypedPart(ViewPart):
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
