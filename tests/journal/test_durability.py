"""A write that has returned survives SIGKILL."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from hpo_widgets.journal import Journal, JournalError, find, journals

WRITE = """
import sys
from hpo_widgets.journal import Journal, TrialRow
journal = Journal.create(sys.argv[1], sys.argv[2], {"name": "killed"})
size = int(sys.argv[3])
number = 0
while True:
    rows = [TrialRow(number=number + n, state=2, epoch=0, parameters=[number + n], error="x" * 20) for n in range(size)]
    sequence = journal.write(
        rows, [(row.number, "t", "s", 1.0, 0) for row in rows], [(number, "printed", "", "")], [{"kind": "wrote"}]
    )
    number += size
    sys.stdout.write(f"{sequence} {number}\\n")
    sys.stdout.flush()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="uses SIGKILL")
@pytest.mark.parametrize(("size", "writes"), [(1, 1), (1, 700), (40, 130), (2000, 3)])
def test_every_write_that_returned_is_there_after_a_kill(directory, run_python, size, writes):
    writer = run_python(WRITE, directory, "killed", size)
    for _ in range(writes):
        line = writer.stdout.readline()
    writer.send_signal(signal.SIGKILL)
    rest = writer.stdout.read()
    assert writer.wait(60) == -signal.SIGKILL, writer.stderr.read()
    # A last line that was cut off by the kill says nothing.
    whole = [line, *[each for each in rest.splitlines(keepends=True) if each.endswith("\n")]]
    sequence, count = map(int, whole[-1].split())
    with Journal.open(find("killed", directory)) as journal:
        journal.reader.check_whole()
        reached, rows = journal.reader.trials()
        # The write that was under way is there as a whole, or not at all.
        assert reached in {sequence, sequence + 1}
        expected = count + size * (reached - sequence)
        assert [row.number for row in rows] == list(range(expected))
        assert [row.parameters[0] for row in rows] == list(range(expected))
        assert journal.reader.scalars(expected - 1) == [("t", "s", 1.0, 0)]
        assert len(journal.reader.events()) == expected // size
        assert journal.reader.output(count - size) == ("printed", "", "")


@pytest.mark.skipif(sys.platform == "win32", reason="uses SIGKILL")
def test_a_journal_whose_maker_is_killed_is_not_there(directory, run_python):
    maker = run_python(
        """
import os, sys
from hpo_widgets.journal import Journal, writer
writer.insert_state = lambda *_: os.kill(os.getpid(), 9)
Journal.create(sys.argv[1], "killed", {})
""",
        directory,
    )
    maker.communicate(timeout=60)
    assert maker.returncode == -signal.SIGKILL
    assert journals(directory) == []
    with Journal.create(directory, "killed", {"name": "again"}) as journal:
        assert journals(directory) == [journal.path]


def test_an_interrupt_when_a_journal_gets_its_name_leaves_none(directory, monkeypatch):
    link = os.link

    def interrupted(*paths):
        link(*paths)
        raise KeyboardInterrupt

    with monkeypatch.context() as pressed:
        pressed.setattr("os.link", interrupted)
        with pytest.raises(KeyboardInterrupt):
            Journal.create(directory, "one", {})
    with Journal.create(directory, "one", {"name": "again"}) as journal:
        assert journals(directory) == [journal.path]


def test_a_file_system_without_links_gets_a_journal_and_keeps_one_that_is_there(directory, monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", refuse)
    with Journal.create(directory, "one", {"name": "first"}) as journal:
        assert journal.reader.header == {"name": "first"}
    with pytest.raises(JournalError, match="already"):
        Journal.create(directory, "one", {"name": "second"})
    assert sorted(path.name for path in directory.iterdir()) == [".gitignore", "one.sqlite"]


@pytest.mark.skipif(sys.platform == "win32", reason="uses SIGKILL")
def test_a_killed_writers_journal_can_be_viewed_before_anyone_opens_it(directory, run_python):
    writer = run_python(WRITE, directory, "killed", 5)
    for _ in range(20):
        writer.stdout.readline()
    writer.send_signal(signal.SIGKILL)
    writer.communicate(timeout=60)
    before = find("killed", directory).read_bytes()
    with Journal.view(find("killed", directory)) as reader:
        assert len(reader.trials()[1]) >= 100
        assert not reader.owner().is_alive
    assert find("killed", directory).read_bytes() == before


@pytest.mark.skipif(sys.platform == "win32", reason="uses SIGKILL")
def test_without_a_write_ahead_log_a_write_cut_in_two_is_taken_back(directory, run_python):
    writer = run_python(
        """
import os, sys
from types import SimpleNamespace
from hpo_widgets.journal import Journal, TrialRow, connection
connection.psutil.disk_partitions = lambda all: [SimpleNamespace(mountpoint="/", fstype="nfs4", opts="rw")]
journal = Journal.create(sys.argv[1], "killed", {})
rows = [TrialRow(number=n, state=2, epoch=0, parameters=[n], error="x" * 1000) for n in range(500)]
journal.write(rows)
journal._connection.execute("PRAGMA cache_size = 5")  # so that the file is changed before the commit
journal._connection.execute("BEGIN IMMEDIATE")
journal._connection.execute("UPDATE trials SET more = '[]'")
print(os.path.getsize(f"{journal.path}-journal"), flush=True)
os.kill(os.getpid(), 9)
""",
        directory,
    )
    said = writer.stdout.read()
    assert writer.wait(60) == -signal.SIGKILL, writer.stderr.read()
    assert int(said) > 0
    path = find("killed", directory)
    with Journal.view(path) as reader:
        sequence, rows = reader.trials()
        assert [row.state for row in rows] == [2] * 500
        assert sequence == 2
    with Journal.open(path) as journal:
        assert [row.error for row in journal.reader.trials()[1]] == ["x" * 1000] * 500
