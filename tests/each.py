"""One test of many rows: each is tried, and those that fail are named. A test for each would cost more than the row."""

from __future__ import annotations


def each(rows, check):
    """Check all rows of a mapping; raise what the checks of some have raised together, with their names.

    What ends a test, such as its limit of time, ends the rows, too.
    """
    failed = {}
    for name, row in rows.items():
        try:
            check(row)
        except BaseException as error:
            error.add_note(name)
            failed[name] = error
            if not isinstance(error, Exception):
                break
    if failed:
        raise BaseExceptionGroup(f"{len(failed)} of {len(rows)}: {', '.join(failed)}", list(failed.values()))
