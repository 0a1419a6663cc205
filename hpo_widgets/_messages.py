"""Words and answers that several packages share."""

from __future__ import annotations

import difflib
import math
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


_Answer = TypeVar("_Answer")

NO_VALUE = "–"

PRUNED = "pruned: behind the others at the same iteration"
"""Why a pruned trial has ended; where its job is a server's, what the server is told."""

_LEAST_PLAIN = 1e-3
_MOST_PLAIN = 1e6


def printable(text: str) -> str:
    """Spell out what UTF-8 cannot hold (lone surrogates, as in undecodable file names), the rest as it is.

    No file and no message to a page can hold them.
    """
    if not isinstance(text, str):
        raise TypeError(f"A text belongs here, got {text!r}.")
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def number(value: float | None, digits: int = 4) -> str:
    """``value`` with so many significant digits, scientific where plain digits would be long, as axes write it.

    >>> number(0.036412), number(12345678.0), number(0.00001)
    ('0.03641', '1.235e+7', '1e-5')

    Parameters
    ----------
    value
        A number; None and NaN are shown as absent.
    digits
        Significant digits. Default 4.

    Returns
    -------
    str
        The text.
    """
    if value is None or math.isnan(value):
        return NO_VALUE
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    size = abs(value)
    if value == int(value) and size < _MOST_PLAIN:
        return str(int(value))
    if _LEAST_PLAIN <= size < _MOST_PLAIN:
        # By what it is rounded to: 9999.7 has more whole digits than 9999, for which the format turns scientific.
        return f"{value:.{digits}g}" if float(f"{size:.{digits}g}") < 10**digits else f"{value:.0f}"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent):+}"


def counted(count: int, word: str) -> str:
    """Return a count with its noun, which is in the plural unless the count is 1.

    >>> counted(1, "trial"), counted(2, "trial")
    ('1 trial', '2 trials')

    Parameters
    ----------
    count
        The number.
    word
        What is counted, in the singular.

    Returns
    -------
    str
        The text.
    """
    return f"{count} {word}{'' if count == 1 else 's'}"


def short(words: str, most: int) -> str:
    """Shorten a text to at most ``most`` characters.

    Parameters
    ----------
    words
        The text.
    most
        Greatest number of characters, 1 or more.

    Returns
    -------
    str
        The text, ending in ``…`` where it was cut.
    """
    return words if len(words) <= most else words[: most - 1] + "…"


def near_match(word: str, known: Iterable[str]) -> str:
    """Say what was probably meant by a mistyped word.

    Parameters
    ----------
    word : str
        What was given.
    known : iterable of str
        What would have been right.

    Returns
    -------
    str
        ``"Did you mean 'lr'?"``, or the list of the known words (at most twelve) when none is near.
    """
    words = [str(name) for name in known]
    folded = {name.casefold(): name for name in words}
    found = _nearest(str(word).casefold(), list(folded))
    if found:
        return f"Did you mean {folded[found[0]]!r}?"
    if not words:
        return "None is known."
    shown = ", ".join(repr(name) for name in words[:12])
    return f"Known: {shown}{f' and {len(words) - 12} more' if len(words) > 12 else ''}."


def _nearest(word: str, names: list[str]) -> list[str]:
    """The nearest name, or none: by its last part, as sections are what people leave out or mistake."""

    def last(name: str) -> str:
        return name.rpartition("/")[2]

    alike = set(difflib.get_close_matches(last(word), map(last, names), n=len(names) or 1, cutoff=0.6))
    return difflib.get_close_matches(word, [name for name in names if last(name) in alike], n=1, cutoff=0.0)


def run_in_thread(name: str, ask: Callable[[], _Answer], then: Callable[[], None]) -> Future[_Answer]:
    """Ask on a thread of that name, which ends with the answer; returns at once.

    Parameters
    ----------
    name
        Of the thread.
    ask
        Gives the answer; what it raises belongs to whoever asks for the result.
    then
        Called on that thread when the answer is there.
    """
    answer: Future[_Answer] = Future()

    def run() -> None:
        complete(answer, ask)
        then()

    threading.Thread(target=run, name=name, daemon=True).start()
    return answer


def complete(answer: Future[_Answer], ask: Callable[[], _Answer]) -> None:
    """Ask here, unless nobody wants the answer any more, and give it or what was raised to whoever waits for it.

    What ends a thread, such as ``SystemExit``, is raised here as well.
    """
    if not answer.set_running_or_notify_cancel():
        return
    try:
        given = ask()
    except BaseException as error:  # it belongs to the one who asked
        answer.set_exception(error)
        if not isinstance(error, Exception):
            raise
    else:
        answer.set_result(given)
