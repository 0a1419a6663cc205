"""The table of measurements: each row beside its bar and, where there are any, peers of the same run."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from tests.benchmarks.rows import RESULTS, SPREAD, Row, Samples, missed, save, table
from tests.benchmarks.searches import make_journal
from tests.browser.conftest import browser, lab  # noqa: F401 -- fixtures, of the browser tests' real JupyterLab

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from pathlib import Path

_rows: list[Row] = []
_planned: list[str] = []
_seen: set[str] = set()
_began = dt.datetime.now().astimezone()


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Add a row to the table. The test goes on, and fails at its end when a bar was missed.

    ``record(what, measured, bar=..., reached=..., peers=..., why=...)``: what is measured is `Samples`, or a text where
    a median says nothing, and so is each peer of a dictionary; ``peers`` may be a text as a whole, too. ``why`` is a
    sentence for the page that says why the bar is missed where it is.
    """

    def add(
        what: str,
        measured: Samples | str,
        *,
        bar: str,
        reached: bool,
        peers: Mapping[str, Samples | str] | str = "–",
        why: str = "",
    ) -> None:
        _rows.append(Row(what, measured, bar, peers, bool(reached), request.node.nodeid, why))

    return add


@pytest.fixture(scope="session")
def journal_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """``journal_of(trials)``: a journal of so many ended trials, to be read only; made once."""
    made: dict[int, Path] = {}

    def get(trials: int) -> Path:
        if trials not in made:
            made[trials] = make_journal(tmp_path_factory.mktemp("journal"), trials)
        return made[trials]

    return get


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, Any, Any]:
    """Fail where a bar was missed, once all rows of the test are there."""
    result = yield
    misses = [row for row in _rows if row.test == pyfuncitem.nodeid and row.reached is False]
    if misses:
        pytest.fail("\n".join(f"{row.what}: {row.measured}, the bar is {row.bar}" for row in misses), pytrace=False)
    return result


_LAST = ("quality", "browser", "growth")
"""What comes after the rest: JupyterLab and Chromium stay until the end and take their share of a core, and where the
time does not suffice for all, what is missing is how large searches grow."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests in the order of `_LAST`."""
    items.sort(key=lambda item: [name in item.path.stem for name in reversed(_LAST)])


def pytest_collection_finish(session: pytest.Session) -> None:
    """Keep what is to be measured: what the time does not suffice for gets a row, too."""
    _planned[:] = [item.nodeid for item in session.items]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Give a test that broke before it had measured anything a row that says so, and write down what there is."""
    if not report.passed and not any(row.test == report.nodeid for row in _rows):
        crash = getattr(report.longrepr, "reprcrash", None)
        said = crash.message if crash else report.longrepr[-1] if report.skipped else report.longreprtext
        lines = [line for line in said.strip().splitlines() if line]
        reason = f"not measured: {lines[0][:200] if lines else report.outcome}"
        _rows.append(Row(_name(report.nodeid), reason, "", "–", None if report.skipped else False, report.nodeid))
    if report.when == "teardown":
        _seen.add(report.nodeid)
        save(_rows, _began)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write down everything, with a row for what there was no time for."""
    if not _seen:
        return
    _rows.extend(
        Row(_name(test), "not measured: the time was over", "", "–", None, test)
        for test in _planned
        if test not in _seen
    )
    save(_rows, _began)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table in Markdown, ready for a note."""
    if not _rows:
        return
    terminalreporter.write_line("")
    rows = [row.form() for row in _rows]
    for line in [*table(rows), *missed(rows)]:
        terminalreporter.write_line(line)
    terminalreporter.write_line("")
    terminalreporter.write_line(f"Each number is the {SPREAD}. All measurements are in {RESULTS}.")


def _name(test: str) -> str:
    return test.rpartition("::")[2].removeprefix("test_").replace("_", " ")
