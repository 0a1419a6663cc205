"""The table of measurements: each row beside its bar and, where there are any, peers of the same run."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import browser, lab  # noqa: F401 -- fixtures, of the browser tests' real JupyterLab

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclasses.dataclass
class Row:
    """One measurement: what, how much, which bar it has to reach, what peers reach."""

    what: str
    measured: str
    bar: str
    peers: str
    reached: bool


_rows: list[Row] = []


@pytest.fixture
def record() -> Callable[..., None]:
    """Add a row to the table and fail, once it is added, when the bar was missed."""

    def add(what: str, measured: str, *, bar: str, reached: bool, peers: str = "–") -> None:
        _rows.append(Row(what, measured, bar, peers, reached))
        assert reached, f"{what}: {measured}, the bar is {bar}"

    return add


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Measure without a browser first: JupyterLab and Chromium stay until the end and take their share of a core."""
    items.sort(key=lambda item: "browser" in item.path.stem)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table in Markdown, ready for a note."""
    if not _rows:
        return
    terminalreporter.write_line("")
    terminalreporter.write_line("| what | measured | bar | peers in this run | reached |")
    terminalreporter.write_line("| --- | --- | --- | --- | --- |")
    for row in _rows:
        mark = "yes" if row.reached else "NO"
        terminalreporter.write_line(f"| {row.what} | {row.measured} | {row.bar} | {row.peers} | {mark} |")
