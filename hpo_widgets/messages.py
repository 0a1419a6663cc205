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
    found = difflib.get_close_matches(str(word).casefold(), folded, n=1, cutoff=0.6)
    if not found:
        # A name may be given without its section ("lr" for "Args/lr"), which is far away in letters.
        found = [name for name in folded if name.rpartition("/")[2] == str(word).casefold().rpartition("/")[2]][:1]
    if found:
        return f"Did you mean {folded[found[0]]!r}?"
    if not words:
        return "None is known."
    shown = ", ".join(repr(name) for name in words[:12])
    return f"Known: {shown}{', ...' if len(words) > 12 else ''}."
