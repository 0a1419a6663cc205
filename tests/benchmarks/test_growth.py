"""What grows with the size of a search grows in step with it, or less; the figures are those of ``growth.py``."""

from __future__ import annotations

import statistics
from typing import Any

import pytest

from tests.benchmarks.growth import TABLES, exponent, measure
from tests.benchmarks.rows import TURNS, Samples

pytestmark = pytest.mark.timeout(1200)

_OF_A_PAGE = {"page, MB": 0.1, "heap, MB": 0.2, "nodes": 0.3, "process, MB": 0.2}
FIGURES = {
    # Per trial, report or Task: they are not to grow at all, but for what is known to.
    "trials": {
        "open a view, ms": 1.1,
        "panel, ms": 1.1,
        "a view, MB": 1.2,
        "one more, CPU ms": 0.6,
        "search and panel, MB": 1.1,
    },
    "trials in a page": _OF_A_PAGE,
    "parameters in a page": _OF_A_PAGE,
    "workers in a page": _OF_A_PAGE,
    "reports in a page": _OF_A_PAGE,
    "workers": {"a trial, CPU ms": 0.3, "memory, MB": 1.0},
    "parameters": {"a trial, CPU ms": 0.8, "panel, ms": 1.0, "journal, bytes a trial": 1.1},
    "reports": {"a report, CPU µs": 0.2, "journal, bytes a report": 0.2, "its curve, ms": 1.1},
    "tasks": {"launch, ms a Task": 0.2, "quiet, CPU s": 1.25, "quiet, requests a poll": 1.1, "ended, CPU s": 1.25},
}
"""Of each table the figures that are looked at, with the power of the size by which each may grow at most."""

REPEATED = {"trials", "workers", "parameters", "reports"}
"""What takes seconds is measured `TURNS` times; pages and Tasks, which take minutes, once."""


@pytest.mark.parametrize("what", FIGURES)
def test_growth(what: str, record: Any) -> None:
    """Measure at the two largest sizes, in turns, and compare them."""
    sizes = TABLES[what][1][-2:]
    turns = [{size: measure(what, size) for size in sizes} for _ in range(TURNS if what in REPEATED else 1)]
    for name, most in FIGURES[what].items():
        ends = " → ".join(f"{statistics.median(rows[size][name] for rows in turns):.3g}" for size in sizes)
        power = Samples([exponent(rows, name) for rows in turns], "", ends)
        record(
            f"{name}, {sizes[0]:,} → {sizes[1]:,} {what}: the power with which it grows",
            power if what in REPEATED else f"{power.median:.2f} (measured once), {ends}",
            bar=f"≤ {most}",
            reached=power.median <= most,
        )
