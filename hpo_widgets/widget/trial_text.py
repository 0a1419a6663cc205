"""The values of a trial in words, for the table and the details."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from hpo_widgets.widget import text

if TYPE_CHECKING:
    from hpo_widgets.space import Space
    from hpo_widgets.trials import Trial

# Whole numbers up to here are exact in a float, and of use in full.
_MOST_EXACT = 10**15


def parameter(space: Space, trial: Trial, name: str, *, digits: int = 4) -> str:
    """Value of a parameter: numbers with significant digits, choices by their label."""
    if name not in trial.parameters:
        return text.NO_VALUE
    leaf: Any = space.leaf(name)
    value: Any = trial.parameters[name]
    if leaf.kind != "choice":
        if leaf.kind == "int" and abs(value) < _MOST_EXACT:
            return str(int(value))
        return text.number(float(value), digits)
    index = leaf.table.index_of(value)
    return text.NO_VALUE if index is None else str(leaf.labels[index])


def seconds(length: float) -> str:
    """How long something took: ``12 ms``, ``1.6 s``, ``1:12``."""
    if not math.isfinite(length):
        return text.NO_VALUE
    if length < 0.0995:
        return f"{max(0.0, length) * 1e3:.0f} ms"
    if length < 59.95:
        return f"{length:.1f} s"
    return text.duration(length / 60)


def without_section(names: tuple[str, ...]) -> list[str]:
    """Each name without its section, where that leaves no two alike."""
    short = [name.rpartition("/")[2] for name in names]
    return [tail if tail and short.count(tail) == 1 else name for name, tail in zip(names, short, strict=True)]


def tail(lines: str, num_bytes: int) -> str:
    """Return the end of a text, whole lines where it has some, at most so many bytes of UTF-8."""
    data = lines.encode("utf-8", "replace")
    if len(data) <= num_bytes:
        return data.decode()
    end = data[-num_bytes:].decode("utf-8", "ignore")
    _, newline, whole = end.partition("\n")
    return f"…\n{whole if newline and whole else end}"
