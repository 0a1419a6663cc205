"""How much `make faults` does, the tables of faults that were made on purpose and of long runs, and their page."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import os
import platform
import sqlite3
from pathlib import Path

KILLS = int(os.environ.get("HPO_WIDGETS_KILLS", "8"))
"""How often processes of searches are killed."""
SOAK = int(os.environ.get("HPO_WIDGETS_SOAK", "2000"))
"""How many trials one search has."""
SEED = int(os.environ.get("HPO_WIDGETS_FAULT_SEED", "20"))
"""Chooses moments, victims and points at random."""
PAGE = os.environ.get("HPO_WIDGETS_FAULTS_PAGE")
"""The page that takes the tables; None: none does."""

COUNTS = ("tried", "lost", "doubled", "left_over")
"""What is counted of each kind of fault."""


class Line:
    """One kind of fault: how often it was made, and what came of it; what no test has counted is shown as a dash.

    Parameters
    ----------
    what
        The kind of fault.
    """

    tried = lost = doubled = left_over = 0

    def __init__(self, what):
        self.what = what

    def cells(self):
        """Return the kind and what was counted of it, none of which is 0 only because nobody looked."""
        return self.what, *(vars(self).get(name, "–") for name in COUNTS)


LINES: list[Line] = []
"""Of the present run of pytest."""
SOAKED: list[tuple[str, ...]] = []
"""The same of long runs."""


def line(what):
    """Return the line of a kind of fault, at first an empty one."""
    found = next((one for one in LINES if one.what == what), None)
    if found is None:
        LINES.append(found := Line(what))
    return found


def soaked(what, number, said, growth, *, bar, before, after):
    """Add a long run.

    Parameters
    ----------
    what
        What there was many of.
    number
        How many.
    said
        What was held after each round.
    growth
        Bytes that each further one takes.
    bar
        What that has to be below.
    before, after
        What was held before and afterwards, and the comms that were open then, of a run that has some.
    """
    SOAKED.append(
        (
            what,
            f"{number:,}",
            f"{said[len(said) // 2]['bytes'] / 1e6:.1f} MB",
            f"{said[-1]['bytes'] / 1e6:.1f} MB",
            f"{growth / 1000:.2f} kB",
            f"{bar / 1000:g} kB",
            str(after["threads"] - before["threads"]),
            str(after["processes"] - before["processes"]),
            str(after["files"] - before["files"]),
            str(after.get("comms", "–")),
        )
    )


def faults_as_markdown():
    """Return the lines of the table of faults."""
    return _markdown(("what", "tried", "lost", "doubled", "left over"), (each.cells() for each in LINES))


def soaked_as_markdown():
    """Return the lines of the table of long runs."""
    left = ("threads left", "processes left", "files left", "comms left")
    head = ("what", "how many", "memory half-way", "at the end", "growth each", "at most", *left)
    return _markdown(head, SOAKED)


def _markdown(head, rows):
    return [f"| {' | '.join(map(str, cells))} |" for cells in (head, ["---"] * len(head), *rows)]


def write():
    """Put the tables of this run into the page, each between its two marks; a run without one leaves that one alone."""
    text = Path(PAGE).read_text(encoding="utf-8")
    for name, is_there, lines, seed in (
        ("faults", LINES, faults_as_markdown(), f", seed {SEED}"),
        ("soak", SOAKED, soaked_as_markdown(), ""),
    ):
        if is_there:
            before, mark, rest = text.partition(f"<!-- {name} -->\n")
            _, end, after = rest.partition(f"<!-- end of {name} -->")
            assert mark
            assert end
            text = before + mark + "\n".join([_where(seed), "", *lines, "", ""]) + end + after
    Path(PAGE).write_text(text, encoding="utf-8")


def _where(seed):
    """Say when, with which seed and where the numbers were made."""
    return (
        f"{dt.datetime.now():%Y-%m-%d}{seed}: hpo_widgets {importlib.metadata.version('hpo-widgets')}, "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
        f"{platform.system()} {platform.release().partition('-')[0]} on {platform.machine()}, {os.cpu_count()} cores."
    )
