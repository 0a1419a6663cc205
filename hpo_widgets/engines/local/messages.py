"""The messages between the controller and the process of a trial, and the limits of their numbers and names.

A worker receives pickles, because a callable and its points are Python objects of any kind. It answers in text, one
line of JSON a message, and the controller never unpickles what a process sends. A line ends with a newline and
holds none, so whatever else a trial writes into the connection spoils one line, never those after it. With a length
before each message, such bytes could be read as a length, and the controller would wait for data that never comes.

`read` checks each line in full: a process can send anything. Every worker and every script that reports imports
this module, so it needs the standard library only, and knows the scalars of numpy and torch by what they can do.
"""

from __future__ import annotations

import json
import numbers
import struct
from typing import Any

# Kinds of messages from a trial's process.
SCALAR = 0  # [SCALAR, number, title, series, value, iteration]
ENDED = 1  # [ENDED, number, seconds, result, null or [flags, error, traceback]]
READY = 2  # [READY]: the worker has loaded its callable, or knows why it cannot

# Flags of an ended trial.
FAILED = 1  # it raised, or returned something that is no result
STOPPED = 2  # it ended because it was asked to stop
ABORTED = 4  # the abort's exception reached it
PRINTED = 8  # there is something in its output files
SPENT = 16  # it left threads or children behind, or was aborted: the worker is not to be used again
UNLOADABLE = 32  # the callable could not be loaded, so nothing ran
_ALL_FLAGS = 63

# The page of memory that a worker shares with the controller, as 64-bit integers of trial numbers.
STOP = 0  # controller: this trial is asked to stop
ABORT = 1  # controller: this trial is to be aborted (SIGTERM says: look here)
STARTED = 2  # worker: this trial has begun
NOBODY = -1
PAGE = 4096

LOAD = b"l"
"""The first byte that a worker receives: load the callable."""
UNUSED = 75
"""The exit code of a worker that was not asked to load a callable in time: any code that Python itself does not use."""

POINT_HEADER = struct.Struct("<qQ")
"""Before the pickle of a point: the trial's number and the length of the pickle."""

MAX_LINE = 4 * 1024 * 1024
MAX_SERIES = 10_000
"""Series of one trial, returned or reported."""
MAX_NAME = 500
"""Characters of a title, a series or a key."""
MAX_SENTENCE = 500
MAX_TRACEBACK = 32 * 1024
_HOW = "return a number, a dict of names to numbers, or report with trial.report_scalar"

_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
_decode = json.JSONDecoder().raw_decode


class ChoiceIndex(int):
    """Stands for a choice that was sent with the callable: its index among the declared values."""

    __slots__ = ()


class BadMessageError(ValueError):
    """What a process sent is no message of a trial."""


def argument_name(name: str) -> str:
    """How a callable or a script calls the parameter ``Section/name``: ``name``."""
    section, slash, rest = name.partition("/")
    return rest if slash else section


# Written in the trial's process ----------------------------------------------------------------------


class ScalarLines:
    """Writes the scalars that one trial reports.

    Parameters
    ----------
    number
        The trial's number.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._beginnings: dict[tuple[str, str], str] = {}

    def line(self, title: object, series: object, value: object, iteration: object) -> bytes:
        """Write one scalar as a message.

        Parameters
        ----------
        title, series
            Strings of at most 500 characters.
        value
            Anything that is one number.
        iteration
            An integer of at most 63 bits.

        Returns
        -------
        bytes
            The message.

        Raises
        ------
        TypeError
            When `value` is not a number, or `iteration` not a whole one.
        ValueError
            When a name is too long, a number too large, or the trial has too many series.
        """
        if type(value) is not float:
            plain = plain_number(value)
            if plain is None:
                raise TypeError(f"report_scalar takes a number as value, not a {type(value).__name__}")
            if not _fits(plain):
                raise ValueError(f"report_scalar takes numbers below 1.8e308, not an int of {_bits(plain)} bits")
            value = float(plain)
        if type(iteration) is not int:
            plain = plain_number(iteration)
            # What is not finite minus itself is NaN, which is not 0.
            if plain is None or plain - plain != 0 or plain != int(plain):
                raise TypeError(f"report_scalar takes an integer as iteration, not {_short(iteration)}")
            iteration = int(plain)
        if not -(2**63) <= iteration < 2**63:
            raise ValueError(f"report_scalar takes an iteration of at most 63 bits, not {_short(iteration)}")
        name = (
            title if type(title) is str else _plain_text(title),
            series if type(series) is str else _plain_text(series),
        )
        beginning = self._beginnings.get(name)
        if beginning is None:
            beginning = self._begin(name)
        text = repr(value) if value - value == 0.0 else _encode(value)
        return f"{beginning}{text},{iteration}]\n".encode("ascii")

    def _begin(self, name: tuple[str, str]) -> str:
        for part, text in zip(("title", "series"), name, strict=True):
            if len(text) > MAX_NAME:
                raise ValueError(f"report_scalar takes a {part} of at most {MAX_NAME} characters, not {len(text)}")
        if len(self._beginnings) >= MAX_SERIES:
            raise ValueError(f"report_scalar takes at most {MAX_SERIES} pairs of title and series in one trial")
        beginning = f"[{SCALAR},{self._number},{_encode(name[0])},{_encode(name[1])},"
        self._beginnings[name] = beginning
        return beginning


def ended_line(
    number: int, seconds: float, result: object, details: tuple[int, str | None, str | None] | None = None
) -> bytes:
    """Write the end of a trial as a message.

    Parameters
    ----------
    number
        The trial's number.
    seconds
        How long it ran.
    result
        What `plain_result` made of what it returned.
    details
        Flags, a sentence and a traceback, unless it just returned.

    Returns
    -------
    bytes
        The message; one that says so when the result takes more than 4 MiB.
    """
    if details is None and type(result) is float and result - result == 0.0:
        return f"[{ENDED},{number},{seconds!r},{result!r},null]\n".encode("ascii")
    line = f"{_encode([ENDED, number, seconds, result, details])}\n".encode("ascii")
    if len(line) <= MAX_LINE:
        return line
    flags = details[0] if details is not None else 0
    sentence = f"returned a dict that takes {len(line) / 2**20:.0f} MiB; return less than {MAX_LINE // 2**20} MiB"
    return ended_line(number, seconds, None, (flags | FAILED, sentence, None))


READY_LINE = f"[{READY}]\n".encode("ascii")


def plain_result(result: object) -> object:
    """The result as None, int, float or dict of str to int or float.

    Raises
    ------
    TypeError
        With a sentence that says what was returned and what to return.
    """
    if result is None or type(result) is float:
        return result
    if isinstance(result, dict):
        if len(result) > MAX_SERIES:
            raise TypeError(f"returned a dict of {len(result)} items; return at most {MAX_SERIES}")
        return {_key(key): _entry(value, f" for {_short(key)}", "return numbers") for key, value in result.items()}
    return _entry(result, "", _HOW)


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
    except Exception:  # noqa: BLE001 - it says that it is not a number, in its own way
        return None
    return None


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"returned a dict with the key {_short(key)}; keys are strings, such as 'title/series'")
    if len(key) > MAX_NAME:
        raise TypeError(f"returned a dict with a key of {len(key)} characters; keys have at most {MAX_NAME}")
    return _plain_text(key)


def _entry(value: object, where: str, how: str) -> float | int:
    number = plain_number(value)
    if number is None:
        raise TypeError(f"returned {_describe(value)}{where}; {how}")
    if not _fits(number):
        raise TypeError(f"returned an int of {_bits(number)} bits{where}; return numbers below 1.8e308")
    return number


def _fits(number: float) -> bool:
    """Whether a number has a float: the controller computes with floats."""
    try:
        float(number)
    except OverflowError:
        return False
    return True


def _bits(number: float) -> int:
    return int(number).bit_length()


def _plain_text(value: object) -> str:
    """A value as a plain `str`: of a member of a string enum its value, of other objects what `str` makes of them."""
    return str.__str__(value) if isinstance(value, str) else str.__str__(str(value))


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


# Read by the controller ------------------------------------------------------------------------------


def read(line: bytes) -> list[Any]:
    """Check one line that a process sent.

    Parameters
    ----------
    line
        What it sent, without the newline.

    Returns
    -------
    list
        The message, as this module's constants describe it.

    Raises
    ------
    BadMessageError
        For anything else.
    """
    try:
        text = line.decode("ascii")
        message, end = _decode(text)
        if end == len(text) and type(message) is list and _CHECKS[len(message)](message):
            return message
    except (ValueError, RecursionError, KeyError):
        pass
    raise BadMessageError(f"{line[:40]!r}{'…' if len(line) > 40 else ''}")


def _is_scalar(message: list[Any]) -> bool:
    kind, number, title, series, value, iteration = message
    if not (
        type(kind) is type(number) is type(iteration) is int
        and kind == SCALAR
        and type(value) is float
        and -(2**63) <= iteration < 2**63
        and type(title) is type(series) is str
        and len(title) <= MAX_NAME
        and len(series) <= MAX_NAME
    ):
        return False
    if not (title.isascii() and series.isascii()):
        message[2:4] = _storable(title), _storable(series)
    return True


def _is_end(message: list[Any]) -> bool:
    kind, number, seconds, result, details = message
    if not (type(kind) is type(number) is int and kind == ENDED and type(seconds) is float and 0 <= seconds < 1e12):
        return False
    if type(result) is not float and result is not None and not _is_number(result):
        if type(result) is not dict or len(result) > MAX_SERIES:
            return False
        if not all(_is_name(key) and _is_number(value) for key, value in result.items()):
            return False
        message[3] = {_storable(key): value for key, value in result.items()}
    if details is None:
        return True
    if type(details) is not list or len(details) != 3:
        return False
    flags, error, traceback = details
    if type(flags) is not int or not 0 <= flags <= _ALL_FLAGS:
        return False
    if not all(part is None or type(part) is str for part in (error, traceback)):
        return False
    message[4] = (
        flags,
        error and _storable(error[:MAX_SENTENCE]),
        traceback and _storable(traceback[: 2 * MAX_TRACEBACK]),
    )
    return True


def _is_ready(message: list[Any]) -> bool:
    return type(message[0]) is int and message[0] == READY


_CHECKS = {6: _is_scalar, 5: _is_end, 1: _is_ready}


def _is_number(value: object) -> bool:
    return type(value) is float or (type(value) is int and _fits(value))


def _is_name(text: object) -> bool:
    return type(text) is str and len(text) <= MAX_NAME


def _storable(text: str) -> str:
    """Text without halves of surrogate pairs, which no file and no message to a browser can hold."""
    return text.encode("utf-8", "backslashreplace").decode()
