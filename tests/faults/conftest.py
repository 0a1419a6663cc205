"""What faults were made and what came of them: a table at the end of a run, and in a page where that is asked for."""

from __future__ import annotations

import pytest

from tests.faults import table
from tests.faults.account import Account
from tests.faults.owners import Owners


@pytest.fixture
def record():
    """``record(what)`` gives the line of a kind of fault in the table, which the test counts on."""
    return table.line


@pytest.fixture
def account(tmp_path):
    """An `Account` of a search that the test runs in this process."""
    return Account(tmp_path / "ledger")


@pytest.fixture(scope="session")
def server_of_owners(tmp_path_factory):
    owners = Owners(tmp_path_factory.mktemp("owners"))
    yield owners
    owners.close()


@pytest.fixture
def owners(server_of_owners):
    """`Owners` of which none is left after the test."""
    yield server_of_owners
    server_of_owners.end()


def pytest_terminal_summary(terminalreporter, exitstatus):
    """Print the tables, and write them into the page that was asked for, unless some test has failed."""
    for found, lines in ((table.LINES, table.faults_as_markdown()), (table.SOAKED, table.soaked_as_markdown())):
        if found:
            terminalreporter.write_line("")
            for line in lines:
                terminalreporter.write_line(line)
    if table.PAGE and exitstatus == pytest.ExitCode.OK:
        table.write()
