"""One transaction a write: all or nothing, numbered, and said in words when it cannot be."""

from __future__ import annotations

import gc
import logging
import signal
import sqlite3
import sys
import threading
import time
from contextlib import closing
from types import SimpleNamespace

import psutil
import pytest

from hpo_widgets.journal import (
    Journal,
    JournalBusy,
    JournalError,
    connection,
    find,
    new_search_id,
)
from hpo_widgets.trials import TrialState
from hpo_widgets.trials.trial import STORED_STATES
from tests.conftest import DEADLINE


def test_every_write_has_the_next_sequence_number(journal, make_row):
    first = journal.sequence
    assert journal.write([make_row(0)]) == first + 1
    assert journal.write(scalars=[(0, "t", "s", 1.0, 0)]) == first + 2
    assert journal.write(outputs=[(0, "out", "err", "trace")]) == first + 3
    assert journal.write(events=[{"kind": "start"}]) == first + 4
    assert journal.set_header({"name": "new"}) == first + 5
    assert journal.set_archived([0], archived=True) == first + 6
    assert journal.sequence == journal.reader.sequence == first + 6


def test_a_write_replaces_trials_and_logs_and_adds_reports_and_events(journal, make_row):
    journal.write([make_row(0, state=1)], [(0, "t", "s", 1.0, 0)], [(0, "a", "", "")], [{"kind": "start", "at": 5.0}])
    journal.write([make_row(0)], [(0, "t", "s", 2.0, 1), (0, "t", "r", 3.0, 1)], [(0, "b", "", "")], [{"kind": "stop"}])
    assert journal.reader.row(0) == make_row(0)
    assert journal.reader.scalars(0) == [("t", "s", 1.0, 0), ("t", "s", 2.0, 1), ("t", "r", 3.0, 1)]
    assert journal.reader.output(0) == ("b", "", "")
    assert [event["kind"] for event in journal.reader.events()] == ["start", "stop"]
    assert journal.reader.events()[0] == {"sequence": 2, "kind": "start", "at": 5.0}


def test_what_a_trial_has_reported_while_nothing_could_be_written_takes_several_rows(journal, make_row):
    reports = [(0, "t", "s", number / 7, number) for number in range(250_000)]
    journal.write([make_row(0)], reports)
    journal.write(scalars=[(0, "t", "s", 0.0, 250_000)])
    assert journal.reader.scalars(0) == [report[1:] for report in [*reports, (0, "t", "s", 0.0, 250_000)]]
    with closing(sqlite3.connect(journal.path)) as other:
        lengths = [length for (length,) in other.execute("SELECT length(data) FROM scalars")]
    assert len(lengths) == 4
    assert max(lengths) < connection.MOST_BYTES / 8


def test_an_event_keeps_its_keys_and_needs_a_kind(journal):
    journal.write(events=[{"kind": "set_range", "name": "lr", "range": [0.1, None]}])
    (event,) = journal.reader.events()
    assert event["range"] == [0.1, None]
    assert event["at"] > 0
    with pytest.raises(ValueError, match="needs a kind"):
        journal.write(events=[{"name": "lr"}])
    with pytest.raises(ValueError, match="rename that key"):
        journal.write(events=[{"kind": "x", "sequence": 3}])


def test_a_trial_is_kept_as_it_has_ended_whether_it_is_left_out_or_not(journal, make_row):
    # Each journal has one number of trials for each of these states: another one would make older journals damaged.
    assert [state.label for state in STORED_STATES] == [
        "queued", "running", "completed", "failed", "aborted", "pruned",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="unknown state"):
        journal.write([make_row(0, state=TrialState.LEFT_OUT)])


def test_the_sequence_goes_on_after_a_reopening(journal, make_row):
    journal.write([make_row(0)], [(0, "t", "s", 1.0, 0)])
    last = journal.sequence
    journal.close()
    with Journal.open(journal.path) as again:
        assert again.sequence == last
        assert again.write([make_row(1)], [(1, "t", "s", 1.0, 0), (1, "t", "new", 2.0, 0)]) == last + 1
        assert again.reader.scalars(1) == [("t", "s", 1.0, 0), ("t", "new", 2.0, 0)]


def test_archiving_touches_only_these_trials(journal, make_row):
    journal.write([make_row(n) for n in range(4)])
    before = journal.sequence
    journal.set_archived([1, 3], archived=True)
    _, changed = journal.reader.trials(since=before)
    assert changed == [make_row(1, archived=True), make_row(3, archived=True)]
    journal.set_archived([1], archived=False)
    assert journal.reader.columns()["archived"].tolist() == [False, False, False, True]


def test_a_full_disk_is_said_in_words_and_leaves_nothing_half_written(journal, make_row):
    journal.write([make_row(0)], [(0, "t", "s", 1.0, 0)])
    before = journal.sequence
    pages = journal._connection.execute("PRAGMA page_count").fetchone()[0]
    journal._connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    many = [make_row(n) for n in range(1, 2000)]
    with pytest.raises(JournalError, match=r"disk is full.*Free some space"):
        journal.write(many, [(1, "new", "metric", 1.0, 0)], events=[{"kind": "start"}])
    assert journal.sequence == journal.reader.sequence == before
    assert journal.reader.trials() == (before, [make_row(0)])
    assert journal.reader.events() == []
    # Once there is space, the same write succeeds.
    journal._connection.execute("PRAGMA max_page_count = 1000000")
    assert journal.write(many, [(1, "new", "metric", 1.0, 0)]) == before + 1
    assert journal.reader.scalars(1) == [("new", "metric", 1.0, 0)]


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX")
def test_a_file_size_limit_raises_and_the_journal_opens_whole_afterwards(directory, run_python):
    child = run_python(
        """
import resource, sys
from hpo_widgets.journal import Journal, JournalError, TrialRow
journal = Journal.create(sys.argv[1], "limited", {})
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
number = 0
try:
    while number < 100_000:
        journal.write([TrialRow(number + n, 2, 0, [0.1], error="x" * 50) for n in range(10)])
        number += 10
except JournalError as error:
    print(number, error)
""",
        directory,
    )
    said, errors = child.communicate(timeout=60)
    assert child.returncode == 0, errors
    written, _, sentence = said.partition(" ")
    assert "could not be written" in sentence
    assert "Nothing of this was stored" in sentence
    assert int(written) > 0
    with Journal.open(find("limited", directory)) as journal:
        assert len(journal.reader.trials()[1]) == int(written)
        journal.reader.check_whole()


def test_a_locked_file_is_waited_for_and_then_said_to_be_locked(directory, make_row):
    with Journal.create(directory, "locked", {}) as journal:
        journal.set_busy_timeout(0.05)
        with closing(sqlite3.connect(journal.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(JournalBusy, match="another program has locked it"):
                journal.write([make_row(0)])
            other.execute("ROLLBACK")
        assert journal.write([make_row(0)]) == 2


def test_a_lock_that_is_released_in_time_is_not_noticed(journal, make_row):
    locked = threading.Event()
    let_go = threading.Event()

    def hold():
        with closing(sqlite3.connect(journal.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            locked.set()
            let_go.wait(30)
            other.execute("ROLLBACK")

    journal.set_busy_timeout(60)
    holder = threading.Thread(target=hold)
    holder.start()
    assert locked.wait(30)
    threading.Timer(0.05, let_go.set).start()
    assert journal.write([make_row(0)]) == 2
    holder.join(30)


def test_opening_a_locked_file_says_so(directory, monkeypatch):
    monkeypatch.setattr("hpo_widgets.journal.connection.BUSY_TIMEOUT", 0.05)
    Journal.create(directory, "locked", {}).close()
    path = find("locked", directory)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalBusy, match="locked"):
            Journal.open(path)
        other.execute("ROLLBACK")
    Journal.open(path).close()


@pytest.mark.parametrize("place", ["file/in/the/way", "file"])
def test_a_folder_that_cannot_be_made_is_said_before_anything_runs(tmp_path, place):
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match=r"cannot be made.*journal="):
        Journal.create(tmp_path / place, "one", {})


@pytest.mark.skipif(sys.platform != "linux", reason="uses a file system that no one can write to")
def test_a_folder_that_cannot_be_written_to_is_said_before_anything_runs():
    with pytest.raises(JournalError, match=r"cannot be made.*journal="):
        Journal.create("/proc", "one", {})


def test_a_journal_whose_making_fails_leaves_no_file(directory, monkeypatch):
    monkeypatch.setattr("hpo_widgets.journal.schema.TABLES", ("CREATE TABLE nonsense",))
    with pytest.raises(JournalError, match="could not be made"):
        Journal.create(directory, "one", {})
    assert [path.name for path in directory.iterdir()] == [".gitignore"]


@pytest.mark.skipif(sys.platform == "win32", reason="uses POSIX users")
def test_in_a_read_only_folder_a_journal_can_be_viewed_but_not_opened(run_python):
    child = run_python(
        """
import os, shutil, tempfile
from pathlib import Path
from hpo_widgets.journal import Journal, JournalError, TrialRow

outside = Path(tempfile.mkdtemp())
inside = outside / "read-only"
try:
    outside.chmod(0o755)
    with Journal.create(inside, "closed", {"name": "closed"}) as journal:
        journal.write([TrialRow(number=0, state=2, epoch=0, parameters=[1])])
    live = Journal.create(outside, "live", {})
    live.write([TrialRow(number=0, state=2, epoch=0, parameters=[1])])
    for name in ("live.sqlite", "live.sqlite-wal"):
        shutil.copy(outside / name, inside / name)
    for path in inside.iterdir():
        path.chmod(0o644)
    inside.chmod(0o555)
    former = os.geteuid()
    if former == 0:
        os.seteuid(65534)
    with Journal.view(inside / "closed.sqlite") as reader:
        print(reader.header["name"], len(reader.trials()[1]), reader.wait_for_change(reader.sequence, timeout=0.01))
    for action in (
        lambda: Journal.open(inside / "closed.sqlite"),
        lambda: Journal.create(inside, "new", {}),
        lambda: Journal.view(inside / "live.sqlite"),
    ):
        try:
            action()
        except JournalError as error:
            print(type(error).__name__, error)
    os.seteuid(former)
finally:
    inside.chmod(0o755)
    shutil.rmtree(outside)
"""
    )
    said, errors = child.communicate(timeout=60)
    assert child.returncode == 0, errors
    view, opened, made, unmerged = said.splitlines()
    assert view == "closed 1 2"
    assert opened.startswith("JournalError")
    assert "must be one that this process may write to" in opened
    assert "copy the file" in opened
    assert made.startswith("JournalError")
    assert "cannot be made" in made
    assert unmerged.startswith("JournalError")
    assert "Copy both files" in unmerged


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs", "lustre", "9p"])
def test_on_a_network_file_system_a_rollback_journal_is_used_and_that_is_said_once(
    tmp_path, monkeypatch, caplog, make_row, kind
):
    mounts = [
        SimpleNamespace(mountpoint="/", fstype="ext4", opts="rw"),
        SimpleNamespace(mountpoint=str(tmp_path), fstype=kind, opts="rw"),
        SimpleNamespace(mountpoint=str(tmp_path / "elsewhere"), fstype="tmpfs", opts="rw"),
    ]
    monkeypatch.setattr(connection.psutil, "disk_partitions", lambda **_: mounts)
    with caplog.at_level(logging.WARNING, logger="hpo_widgets"):
        with Journal.create(tmp_path / "searches", "one", {}) as journal:
            mode = journal._connection.execute("PRAGMA journal_mode").fetchone()[0]
            with Journal.view(journal.path) as reader:
                sequence = journal.write([make_row(0)])
                assert reader.wait_for_change(sequence - 1, timeout=30) == sequence
                assert reader.trials()[1] == [make_row(0)]
        Journal.create(tmp_path / "searches", "two", {}).close()
        with Journal.open(journal.path) as again:
            again.write([make_row(1)])
    assert mode == b"truncate"
    (warning,) = [record.getMessage() for record in caplog.records]
    assert kind in warning
    assert "network file system" in warning


def test_on_a_local_file_system_the_write_ahead_log_is_used(journal, caplog):
    assert journal._connection.execute("PRAGMA journal_mode").fetchone()[0] == b"wal"
    assert journal._connection.execute("PRAGMA synchronous").fetchone()[0] == 1
    assert caplog.records == []


def test_a_file_system_without_shared_memory_gets_a_rollback_journal(directory, monkeypatch, caplog, make_row):
    real = sqlite3.connect

    class WithoutSharedMemory(sqlite3.Connection):
        def execute(self, statement, *values):
            if statement == "PRAGMA journal_mode=WAL":
                error = sqlite3.OperationalError("disk I/O error")
                error.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMMAP
                raise error
            return super().execute(statement, *values)

    monkeypatch.setattr(connection.sqlite3, "connect", lambda *a, **k: real(*a, factory=WithoutSharedMemory, **k))
    with Journal.create(directory, "one", {}) as journal:
        journal.write([make_row(0)])
        assert journal.reader.row(0) == make_row(0)
    assert "rollback journal" in caplog.text


def test_a_closed_journal_says_that_it_is_closed(journal, make_row):
    journal.close()
    journal.close()
    for action in (lambda: journal.write([make_row(0)]), journal.heartbeat, lambda: journal.set_header({})):
        with pytest.raises(JournalError, match="is closed"):
            action()


def test_a_fork_of_the_owner_cannot_write(journal, make_row, monkeypatch):
    monkeypatch.setattr("hpo_widgets.journal.writer.os.getpid", lambda: 1)
    with pytest.raises(JournalError, match="a fork of it cannot"):
        journal.write([make_row(0)])


def test_running_trials_of_a_dead_owner_are_aborted_at_its_last_sign_of_life(directory, run_python):
    child = run_python(
        """
import os, sys
from hpo_widgets.journal import Journal, TrialRow
journal = Journal.create(sys.argv[1], "dies", {})
states = [2, 1, 0, 1, 3]
journal.write([TrialRow(number=n, state=s, epoch=0, parameters=[n], started=100.0) for n, s in enumerate(states)])
print(journal.path, flush=True)
os.kill(os.getpid(), 9)
""",
        directory,
    )
    path = child.communicate(timeout=60)[0].strip()
    assert child.returncode == -signal.SIGKILL
    with Journal.open(path) as journal:
        before = journal.sequence
        # Nothing is changed unasked.
        assert journal.reader.counts()[TrialState.RUNNING] == 2
        assert journal.abort_interrupted() == [1, 3]
        sequence, changed = journal.reader.trials(since=before)
        assert sequence == journal.sequence == before + 1
        assert [(row.number, row.state) for row in changed] == [(1, TrialState.ABORTED), (3, TrialState.ABORTED)]
        assert all(row.error.startswith("Aborted: the process that ran the search ended while") for row in changed)
        assert all(row.ended == journal.last_owner_seen for row in changed)
        assert journal.reader.counts() == {
            TrialState.QUEUED: 1, TrialState.RUNNING: 0, TrialState.COMPLETED: 1, TrialState.FAILED: 1,
            TrialState.ABORTED: 2, TrialState.PRUNED: 0,
        }  # fmt: skip
        assert journal.abort_interrupted() == []


def test_a_closed_journal_is_one_file(journal, make_row):
    journal.write([make_row(0)])
    assert journal.reader.row(0)
    journal.close()
    assert sorted(path.name for path in journal.path.parent.iterdir()) == [".gitignore", journal.path.name]


def test_no_file_stays_open(directory, make_row):
    process = psutil.Process()
    count = process.num_fds if hasattr(process, "num_fds") else process.num_handles

    def once():
        search_id = new_search_id("files")
        with Journal.create(directory, search_id, {}) as journal:
            journal.write([make_row(0)])
            journal.reader.trials()
            with Journal.view(journal.path) as reader:
                reader.columns()
            with pytest.raises(JournalError):
                Journal.open(journal.path)
        with Journal.open(journal.path) as journal:
            journal.write([make_row(1)])
        journal.path.write_bytes(journal.path.read_bytes()[:5000])
        with pytest.raises(JournalError):
            Journal.open(journal.path)
        with pytest.raises(JournalError):
            Journal.view(directory / "nothing.sqlite")

    once()
    gc.collect()
    before = count()
    for _ in range(20):
        once()
    gc.collect()
    deadline = time.monotonic() + DEADLINE
    while count() > before:  # a thread of an earlier test may hold one for a moment
        assert time.monotonic() < deadline
        time.sleep(0.005)
