"""What an endpoint takes: the fields of a request, checked in the order and in the words of the server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hpo_widgets.testing.clearml_server.errors import validation_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hpo_widgets.testing.clearml_server.documents import Document

TRUE_WORDS = frozenset({"1", "true", "yes", "y", "on"})


@dataclass(frozen=True)
class Field:
    """One field of a request.

    Attributes
    ----------
    name : str
        Its name in the body.
    kind : type or None
        ``str``, ``int``, ``float``, ``bool``, ``list`` or ``dict``; None takes anything.
    required : bool, default False
        Whether a request without it is refused.
    choices : frozenset of str, default empty
        The only values that are taken; empty takes all.
    filled : bool, default False
        A list must have an item, and may not be left out.
    maximum : int or None, default None
        The greatest number that is taken.
    items : tuple of Field, default ()
        The fields of each item of a list of objects.
    """

    name: str
    kind: type | None = None
    required: bool = False
    choices: frozenset[str] = frozenset()
    filled: bool = False
    maximum: int | None = None
    items: tuple[Field, ...] = ()

    def checked(self, value: Any) -> Any:
        """The value in the field's type, or `ValueError` with the server's words for what is wrong."""
        if value is None:
            if self.required:
                raise ValueError("field is required!.")
            return None
        value = _converted(value, self.kind)
        if self.choices and value not in self.choices:
            msg = f"value '{value}' is not a valid choice.."
            raise ValueError(msg)
        if self.filled and not value:
            raise ValueError("value '[]' length is lower than allowed minimum '1'..")
        if self.maximum is not None and value > self.maximum:
            msg = f"'{value}' is bigger than maximum ('{self.maximum}').."
            raise ValueError(msg)
        if self.items:
            for item in value:
                self._check_item(item)
        return value

    def _check_item(self, item: Any) -> None:
        for field in self.items:
            if field.name in item:
                try:
                    field.checked(item[field.name])
                except ValueError as error:
                    msg = f"error for field '{field.name}': {error}."
                    raise ValueError(msg) from None
        for field in self.items:
            if field.required and field.name not in item:
                msg = f"(\"error for field '{field.name}'.\", validationerror('field is required!'))."
                raise ValueError(msg)


def _converted(value: Any, kind: type | None) -> Any:
    if kind is None or type(value) is kind:
        return value
    if kind is bool:
        return value.lower() in TRUE_WORDS if isinstance(value, str) else bool(value)
    if kind in {int, float} and isinstance(value, str | int | float):
        try:
            return kind(value)
        except ValueError:
            pass
    if kind is list and isinstance(value, str):
        return [value]  # a query string repeats a name for a list, and gives one value when it comes once
    shown = str(value).lower() if isinstance(value, bool) else repr(value)
    msg = f"('value is wrong, expected type \"{kind.__name__}\"', {shown})."
    raise ValueError(msg)


def check(data: Document, fields: Sequence[Field]) -> Document:
    """The data with its values in their types.

    What is given is checked first, then what is missing, in the order of the names; unknown fields stay as they are.

    Parameters
    ----------
    data : dict
        The body of the request.
    fields : sequence of Field
        What the endpoint takes.

    Returns
    -------
    dict
        A new document.

    Raises
    ------
    ApiError
        400/12, in the words of the server.
    """
    by_name = {field.name: field for field in fields}
    result = dict(data)
    for name, value in data.items():
        field = by_name.get(name)
        if field is None or (value is None and field.required):
            continue  # a null is as good as nothing
        try:
            result[name] = field.checked(value)
        except ValueError as error:
            raise validation_error(f"error for field '{name}': {error}") from None
        if value is None:
            del result[name]
    for name in sorted(by_name):
        if result.get(name) is None and (by_name[name].required or by_name[name].filled):
            raise validation_error(_missing(by_name[name]))
    return result


def _missing(field: Field) -> str:
    if field.filled:
        return f"error for field '{field.name}'. value '[]' length is lower than allowed minimum '1'."
    return f"error for field '{field.name}'. field is required!"


def missing_names(data: Document, names: Iterable[str]) -> tuple[str, ...]:
    """The names that the data lacks, for the endpoints that do no more than ask for them.

    Parameters
    ----------
    data : dict
        The body of the request.
    names : Iterable[str]
        What must be there.

    Returns
    -------
    tuple[str, ...]
        Those that are absent or null.
    """
    return tuple(name for name in names if data.get(name) is None)
