"""One test of many rows: each is tried, and those that fail are named. A test for each would cost more than the row."""

from __future__ import annotations


def each(rows, check):
    """Check all rows of a mapping; raise what the checks of some have raised together, each with its name."""
    failed = []
    for name, row in rows.items():
        try:
            check(row)
        except Exception as error:
            error.add_note(name)
            failed.append(error)
    if failed:
        raise ExceptionGroup(f"of {len(rows)}", failed)
