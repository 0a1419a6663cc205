"""What grows with the size of a search grows in step with it, or less; the figures are those of ``growth.py``."""

from __future__ import annotations

from typing import Any

import pytest

from tests.benchmarks.growth import TABLES, exponent, measure, table

pytestmark = pytest.mark.timeout(1200)

FIGURES = {
    # Per trial, report or Task: they are not to grow at all, but for what is known to.
    "trials": {
        "open a view, ms": 1.1,
        "panel, ms": 1.1,
        "a view, MB": 1.2,
        "one more, CPU ms": 0.6,
        "search and panel, MB": 1.1,
    },
    "trials in a page": {"page, MB": 0.1, "heap, MB": 0.2, "nodes": 0.3, "process, MB": 0.2},
    "workers": {"a trial, CPU ms": 0.3, "memory, MB": 1.0},
    "parameters": {"a trial, CPU ms": 0.8, "panel, ms": 1.0, "journal, bytes a trial": 1.1},
    "reports": {"a report, CPU µs": 0.2, "journal, bytes a report": 0.2, "its curve, ms": 1.1},
    "tasks": {"launch, ms a Task": 0.2, "quiet, CPU s": 1.25, "quiet, requests a poll": 1.1, "ended, CPU s": 1.25},
}
"""Of each table the figures that are looked at, with the power of the size by which each may grow at most."""


@pytest.mark.parametrize("what", TABLES)
def test_growth(what: str, record: Any, capsys: Any) -> None:
    """Measure at all sizes, print the table, and compare the two largest sizes."""
    sizes = TABLES[what][1]
    rows = {size: measure(what, size) for size in sizes}
    with capsys.disabled():
        print(f"\n\n{table(what, rows)}\n")
    for name, most in FIGURES[what].items():
        grown = exponent(rows, name)
        ends = " → ".join(f"{rows[size][name]:.3g}" for size in sizes[-2:])
        record(
            f"{name}, {sizes[-2]:,} → {sizes[-1]:,} {what}",
            f"{ends}: grows with the power {grown:.2f}",
            bar=f"≤ {most}",
            reached=grown <= most,
        )
