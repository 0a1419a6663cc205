"""What a callable may return: nothing, a number, or a dict of names to numbers.

Runs in the worker, so it knows numpy's and torch's scalars by what they can do, not by importing them.
"""

from __future__ import annotations

import numbers

MAX_SERIES = 10_000
_HOW = "return a number, a dict of 'title/series' to number, or report with trial.report_scalar"


def plain_result(result: object) -> object:
    """The result as None, int, float or dict of str to int or float.

    Raises
    ------
    TypeError
        With a sentence that says what was returned and what to return.
    """
    if result is None or type(result) is float or type(result) is int:
        return result
    if isinstance(result, dict):
        if len(result) > MAX_SERIES:
            raise TypeError(f"returned a dict of {len(result)} items; return at most {MAX_SERIES}")
        return {_key(key): _entry(key, value) for key, value in result.items()}
    number = plain_number(result)
    if number is None:
        raise TypeError(f"returned {_describe(result)}; {_HOW}")
    return number


def plain_number(value: object) -> float | int | None:
    """A Python number for anything that is one: numpy scalars, arrays and tensors of one element; else None."""
    if isinstance(value, bool):
        return int(value)
    if type(value) is float or type(value) is int:
        return value
    if isinstance(value, (str, bytes)):
        return None
    try:
        if isinstance(value, numbers.Integral):
            return int(value)
        if isinstance(value, numbers.Real):
            return float(value)
        item = getattr(value, "item", None)
        if callable(item):  # numpy, torch, jax: raises unless there is exactly one element
            value = item()
            if isinstance(value, (bool, int)):
                return int(value)
            return float(value) if isinstance(value, numbers.Real) else None
        if hasattr(value, "__float__"):  # decimal.Decimal, tensors of other libraries
            return float(value)
    except Exception:  # noqa: BLE001 - it says that it is no number, in its own way
        return None
    return None


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"returned a dict with the key {_short(key)}; keys are strings 'title/series'")
    return key


def _entry(key: object, value: object) -> float | int:
    number = plain_number(value)
    if number is None:
        raise TypeError(f"returned {_describe(value)} for {_short(key)}; return numbers")
    return number


def _describe(value: object) -> str:
    name = type(value).__name__
    if name == "coroutine":
        return "a coroutine (the callable is an async function)"
    article = "an" if name[:1].lower() in "aeiou" else "a"
    return f"{article} {name} ({_short(value)})"


def _short(value: object) -> str:
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a repr that raises must not hide what was returned
        return "…"
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:59] + "…"
