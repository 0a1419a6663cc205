"""The table has what tests have counted and nothing else, and the page has it only when all of them have passed."""

from __future__ import annotations

import os
import shutil
import subprocess
from types import SimpleNamespace

import pytest

from tests.faults import table
from tests.faults.conftest import pytest_terminal_summary

MARKS = "before\n<!-- faults -->\nkept\n<!-- end of faults -->\n<!-- soak -->\nkept\n<!-- end of soak -->\n"


@pytest.fixture
def page(tmp_path, monkeypatch):
    """A page, and tables of this test alone."""
    path = tmp_path / "faults.md"
    path.write_text(MARKS, encoding="utf-8")
    monkeypatch.setattr(table, "PAGE", str(path))
    monkeypatch.setattr(table, "LINES", [])
    monkeypatch.setattr(table, "SOAKED", [])
    return path


def end(exitstatus):
    """Let a run of pytest end; returns what it prints."""
    said = []
    pytest_terminal_summary(SimpleNamespace(write_line=said.append), exitstatus)
    return said


def test_what_no_test_has_counted_is_a_dash_and_what_was_counted_is_a_number(page):
    line = table.line("bolt")
    line.tried += 3
    table.line("bolt").lost += 0
    table.line("hail").doubled += 2
    shown = ["| bolt | 3 | 0 | – | – |", "| hail | – | – | 2 | – |"]
    assert end(pytest.ExitCode.OK)[-2:] == shown
    assert "\n".join(shown) in page.read_text(encoding="utf-8")


def test_a_table_of_which_there_is_nothing_is_left_alone(page):
    table.line("bolt").tried += 1
    end(pytest.ExitCode.OK)
    before, after = page.read_text(encoding="utf-8").split("<!-- end of faults -->")
    assert "kept" not in before
    assert after == MARKS.partition("<!-- end of faults -->")[2]


@pytest.mark.parametrize("status", [pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED])
def test_the_page_of_a_run_that_did_not_pass_is_left_alone(page, status):
    table.line("bolt").lost += 1
    assert "| bolt | – | 1 | – | – |" in end(status)
    assert page.read_text(encoding="utf-8") == MARKS


@pytest.mark.skipif(shutil.which("make") is None, reason="this machine has no make")
def test_only_a_whole_run_is_written_into_the_page(repository):
    environment = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "PYTEST_ARGS"}}

    def told(*arguments):
        command = ["make", "--dry-run", "faults", *arguments]
        return subprocess.check_output(command, cwd=repository, env=environment, text=True)

    assert "HPO_WIDGETS_FAULTS_PAGE" in told()
    part = told("PYTEST_ARGS=-k clocks")
    assert "tests/faults" in part
    assert "-k clocks" in part
    assert "HPO_WIDGETS_FAULTS_PAGE" not in part
