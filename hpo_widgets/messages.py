"""Words that several error messages share."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


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
    return f"Known: {shown}{', ...' if len(words) > 12 else ''}."


def _nearest(word: str, names: list[str]) -> list[str]:
    """The nearest name, or none: by its last part first, as sections are what people leave out or mistake."""

    def last(name: str) -> str:
        return name.rpartition("/")[2]

    alike = set(difflib.get_close_matches(last(word), map(last, names), n=len(names) or 1, cutoff=0.6))
    candidates = [name for name in names if last(name) in alike]
    return difflib.get_close_matches(word, candidates or names, n=1, cutoff=0.0 if candidates else 0.6)
