"""One owner at a time, and the next one only when the last is dead."""

from __future__ import annotations

import gc
import json
import os
import signal
import time

import pytest

from hpo_widgets.journal import Journal, JournalInUse, JournalLeaseLost, find, lease
from tests.journal.conftest import change_owner

OWN = """
import sys
from hpo_widgets.journal import Journal, JournalError, TrialRow
journal = Journal.create(sys.argv[1], "shared", {})
journal.write([TrialRow(number=0, state=1, epoch=0, parameters=[1])])
print(journal.path, flush=True)
sys.stdin.readline()
journal.close()
"""


@pytest.fixture
def owned_elsewhere(directory, run_python):
    """A journal with a live owner in another process: (path, process)."""
    process = run_python(OWN, directory)
    return process.stdout.readline().strip(), process


def test_with_a_live_owner_a_journal_can_be_viewed_but_not_opened(owned_elsewhere):
    path, process = owned_elsewhere
    with pytest.raises(JournalInUse, match="viewed and followed meanwhile") as caught:
        Journal.open(path)
    assert caught.value.pid == process.pid
    assert str(process.pid) in str(caught.value)
    assert caught.value.host in str(caught.value)
    with Journal.view(path) as reader:
        assert len(reader.trials()[1]) == 1
        assert reader.owner().pid == process.pid
        assert reader.owner().is_alive


def test_a_killed_owner_is_succeeded_at_once_even_before_it_was_reaped(owned_elsewhere, make_row):
    path, process = owned_elsewhere
    process.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, and still in the process table
    with Journal.open(path) as journal:
        assert journal.last_owner_seen is not None
        journal.write([make_row(1)])
        assert len(journal.reader.trials()[1]) == 2


def test_an_owner_that_closed_leaves_no_trace(owned_elsewhere):
    path, process = owned_elsewhere
    process.communicate("\n", timeout=60)
    with Journal.view(path) as reader:
        assert reader.owner() is None
    with Journal.open(path) as journal:
        assert journal.last_owner_seen is None


def test_this_process_is_as_good_an_owner_as_any_other(journal):
    with pytest.raises(JournalInUse, match="this process itself"):
        Journal.open(journal.path)


# Of an owner Python is right to warn: it should be closed.
@pytest.mark.filterwarnings("ignore:unclosed database:ResourceWarning")
def test_a_journal_that_was_dropped_without_closing_is_free(directory, make_row):
    journal = Journal.create(directory, "dropped", {})
    journal.write([make_row(0)])
    path = journal.path
    del journal
    gc.collect()
    with Journal.open(path) as again:
        assert again.reader.trials()[1] == [make_row(0)]


def test_another_process_that_got_the_owners_id_is_not_the_owner(owned_elsewhere):
    path, _ = owned_elsewhere
    with Journal.view(path) as reader:
        started = reader.owner().started
    change_owner(path, process_started=started - 1000)
    Journal.open(path).close()


def test_an_owner_of_unknown_start_time_counts_as_alive_while_its_id_does(owned_elsewhere):
    path, _ = owned_elsewhere
    change_owner(path, process_started=None)
    with pytest.raises(JournalInUse):
        Journal.open(path)


def test_an_owner_elsewhere_is_gone_after_a_minute_of_silence(owned_elsewhere):
    path, _ = owned_elsewhere
    change_owner(path, machine="another host", host="node7", heartbeat=time.time() - 50)
    with pytest.raises(JournalInUse, match=r"node7, last heard of 5\d s ago"):
        Journal.open(path)
    change_owner(path, heartbeat=time.time() - lease.SILENCE - 1)
    Journal.open(path).close()


def test_an_owner_that_was_succeeded_learns_it_at_its_next_write(journal, make_row):
    journal.write([make_row(0)])
    change_owner(journal.path, machine="another host", heartbeat=time.time() - 3600)
    with Journal.open(journal.path) as successor:
        before = successor.sequence
        for action in (
            lambda: journal.write([make_row(1)]),
            journal.heartbeat,
            lambda: journal.set_header({}),
            lambda: journal.set_archived([0], archived=True),
            journal.abort_interrupted,
        ):
            with pytest.raises(JournalLeaseLost, match=f"Process {os.getpid()} on .* has taken over"):
                action()
        assert successor.reader.trials() == (before, [make_row(0)])
        journal.close()
        successor.write([make_row(2)])
        assert successor.reader.owner() is not None


def test_of_many_takers_one_wins(directory, run_python):
    Journal.create(directory, "shared", {}).close()
    path = directory / "shared.sqlite"
    change_owner(path, token="dead", pid=2**22 - 1, machine="another host", host="gone", heartbeat=0.0)
    takers = [
        run_python(
            """
import sys
from hpo_widgets.journal import Journal, JournalInUse
print("ready", flush=True)
sys.stdin.readline()
try:
    journal = Journal.open(sys.argv[1])
    print("won", flush=True)
except JournalInUse as error:
    print("lost", error.pid, flush=True)
sys.stdin.readline()
""",
            path,
        )
        for _ in range(4)
    ]
    assert [taker.stdout.readline() for taker in takers] == ["ready\n"] * 4
    for taker in takers:
        taker.stdin.write("\n")
        taker.stdin.flush()
    said = [taker.stdout.readline().split() for taker in takers]
    winners = [taker.pid for taker, words in zip(takers, said, strict=True) if words == ["won"]]
    assert len(winners) == 1
    assert [words for words in said if words != ["won"]] == [["lost", str(winners[0])]] * 3


def test_a_heartbeat_renews_the_lease_and_changes_nothing_else(journal, make_row):
    sequence = journal.write([make_row(0)])
    change_owner(journal.path, heartbeat=0.0)
    journal.heartbeat()
    assert time.time() - journal.reader.owner().heartbeat < 3600
    assert journal.reader.sequence == sequence
    change_owner(journal.path, heartbeat=0.0)
    journal.write([make_row(1)])
    assert time.time() - journal.reader.owner().heartbeat < 3600


def test_one_process_is_one_whenever_it_is_asked(run_python):
    here = lease.Owner.here()
    child = run_python(
        f"""
import json
from hpo_widgets.journal import lease
print(json.dumps([lease._process_start({os.getpid()}), lease._machine()]))
"""
    )
    started, machine = json.loads(child.communicate(timeout=60)[0])
    assert machine == here.machine
    assert lease._same_start(started, here.started)


def test_looking_at_a_journal_in_its_owners_process_does_not_unlock_it(journal, make_row, run_python):
    # POSIX drops a process's locks on a file when any descriptor of it is closed; SQLite alone minds that.
    journal.write([make_row(0)])
    Journal.view(journal.path).close()
    with pytest.raises(JournalInUse):
        Journal.open(journal.path)
    find(journal.search_id, journal.path.parent)
    browser = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
print(connection.execute("SELECT count(*) FROM trials").fetchone()[0])
connection.close()
"""
    assert run_python(browser, journal.path).stdout.read().strip() == "1"
    assert journal.path.with_name(journal.path.name + "-wal").exists()
    journal.write([make_row(1)])
    assert run_python(browser, journal.path).stdout.read().strip() == "2"
