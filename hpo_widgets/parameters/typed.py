"""Parameters as a person types them: bounds, steps and choices that come as text, in values and never as exponents."""

from __future__ import annotations

import ast
import math
from typing import TYPE_CHECKING

from hpo_widgets.parameters.ranges import LogUniformParameterRange, UniformIntegerParameterRange, UniformParameterRange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hpo_widgets.parameters.numeric import NumericParameter

_MOST_DIGITS = 12
_SAME = 1e-6


def typed_number(text: str) -> float:
    """Return the number that a text stands for.

    Raises
    ------
    ValueError
        When the text is not a number.
    """
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number") from None


def typed_whole(text: str) -> int:
    """Return the whole number that a text stands for.

    Raises
    ------
    ValueError
        When the text is not a whole number.
    """
    number = typed_number(text)
    if not number.is_integer():
        raise ValueError(f"{text!r} is not a whole number")
    return int(number)


def typed_literal(text: str) -> object:
    """Return a number, a truth value or a quoted text where the text is one, else the text itself."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    return value if isinstance(value, int | float | str) else text


def typed_range(name: str, kind: str, low: str, high: str, step: str | None = None) -> NumericParameter:
    """Return the range between two bounds.

    Parameters
    ----------
    name
        The parameter's name.
    kind
        ``"float"``, ``"int"`` or ``"log"``.
    low, high
        Bounds in values, also for a log range.
    step
        Distance between values; ignored for a log range. Default: 1 for ``"int"``, none for ``"float"``.

    Returns
    -------
    NumericParameter
        A range of the class that `kind` names.

    Raises
    ------
    ValueError
        For a text that is not a number, and for bounds that do not rise.
    """
    least, greatest = typed_number(low), typed_number(high)
    if kind == "log":
        if not 0 < least < greatest:
            raise ValueError(f"a logarithmic range lies above 0 and rises, got {least:g} to {greatest:g}")
        return LogUniformParameterRange(name, _exponent(least), _exponent(greatest))
    if kind == "int":
        whole_step = 1 if step is None else typed_whole(step)
        return UniformIntegerParameterRange(name, typed_whole(low), typed_whole(high), step_size=whole_step)
    return UniformParameterRange(name, least, greatest, step_size=None if step is None else typed_number(step))


def typed_choices(text: str) -> list[object]:
    """Return the choices of a comma-separated text: literals by their values, other words as strings.

    Parameters
    ----------
    text
        ``"adam, sgd"``, ``"16, 32, None"``, ``"(64,), (64, 32)"``.
    """
    try:
        items = ast.parse(f"[{text}]", mode="eval").body
        assert isinstance(items, ast.List)  # noqa: S101 -- a bracket that was closed too early is a syntax error
        return [item.id if isinstance(item, ast.Name) else ast.literal_eval(item) for item in items.elts]
    except (AssertionError, ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return [None if word == "None" else typed_literal(word) for word in map(str.strip, text.split(",")) if word]


def typed_choice(text: str, known: Sequence[object]) -> object:
    """Return a further choice that a text stands for, of a type that others have.

    Parameters
    ----------
    text
        ``"resnet"``, ``"64"``, ``"(64, 32)"``.
    known
        The choices that there are.

    Returns
    -------
    object
        The choice.

    Raises
    ------
    ValueError
        For a text that is of another type.
    """
    kinds = {type(choice) for choice in known}
    if not text:
        raise ValueError("type the new choice")
    if kinds == {str}:
        return text
    values = typed_choices(text)
    value = values[0] if len(values) == 1 else None
    if type(value) is int and float in kinds and int not in kinds:
        return float(value)
    are_numbers = kinds <= {int, float}
    if len(values) != 1 or (type(value) not in kinds and not (are_numbers and type(value) is float)):
        example = next((choice for choice in known if choice is not None), None)
        what = "no number, as the other choices are" if are_numbers else f"of another kind than {example!r:.60}"
        raise ValueError(f"{text!r:.60} is {what}: in code, add_choices takes any value")
    return value


def _exponent(value: float) -> float:
    """Return the shortest exponent of 10 whose power differs from the value by a millionth of it at most."""
    exponent = math.log10(value)
    if not math.isfinite(exponent):
        return exponent
    rounded = (round(exponent, digits) for digits in range(_MOST_DIGITS))
    return next((short for short in rounded if math.isclose(10**short, value, rel_tol=_SAME)), exponent)
