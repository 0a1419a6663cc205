"""The counts of the table: what is lost, has run twice or is left over is counted, and fails its test."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest

from hpo_widgets.trials import TrialState
from tests.faults import account as accounts
from tests.faults.table import Line


def journal(values):
    """What reads a journal of trials that have completed with these values, and of those that were aborted: None."""
    rows = [
        SimpleNamespace(
            number=number, values=[value], state=TrialState.ABORTED if value is None else TrialState.COMPLETED
        )
        for number, value in values.items()
    ]
    return SimpleNamespace(check_whole=lambda: None, trials=lambda: (0, rows))


@pytest.fixture
def begin(account):
    """``begin(number)`` writes down that a trial has begun."""

    def write(number):
        with account.ledger.open("a") as ledger:
            ledger.write(f"begun {number} 0.5 1\n")

    return write


@pytest.mark.parametrize("found", [{0: 0.5}, {0: 0.5, 1: None}, {0: 0.5, 1: 0.75}], ids=["no row", "aborted", "other"])
def test_a_trial_that_was_seen_and_is_not_there_with_its_value_is_lost(account, found):
    account.told("search/0", 0.5)
    account.told("search/1", 0.25)
    line = Line("bolt")
    with pytest.raises(AssertionError):
        account.compare(journal(found), line)
    assert (line.lost, line.doubled) == (1, 0)


def test_what_the_journal_has_is_known_from_then_on(account):
    line = Line("bolt")
    account.compare(journal({0: 0.5}), line)
    with pytest.raises(AssertionError):
        account.compare(journal({}), line)
    assert line.lost == 1


def test_a_trial_that_begins_again_under_the_next_owner_is_doubled_where_the_journal_had_it(account, begin):
    line = Line("bolt")
    begin(0)
    begin(1)
    account.compare(journal({0: None}), line)
    begin(1)
    account.compare(journal({0: None, 1: 0.5}), line)
    assert (line.lost, line.doubled) == (0, 0)
    begin(1)
    with pytest.raises(AssertionError):
        account.compare(journal({0: None, 1: 0.5}), line)
    assert line.doubled == 1


def test_a_trial_that_one_owner_begins_twice_is_doubled(account, begin):
    line = Line("bolt")
    begin(0)
    begin(0)
    with pytest.raises(AssertionError):
        account.compare(journal({0: 0.5}), line)
    assert line.doubled == 1


def test_a_process_that_does_not_end_is_left_over(account, monkeypatch):
    monkeypatch.setattr(accounts, "DEADLINE", 0.0)
    line = Line("bolt")
    account.count_processes(line)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        with pytest.raises(AssertionError):
            account.count_processes(line)
        child.stdin.close()
    assert line.left_over == 1
