"""A journal that is deleted, moved or replaced under its owner is written again, or its loss is said."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import sys
import time

import pytest

from hpo_widgets import DiscreteParameterRange, GridSearch, HyperParameterOptimizer, report_scalar
from hpo_widgets.controller import run
from hpo_widgets.journal import Journal, JournalError, connection
from hpo_widgets.viewer import SearchViewer

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be deleted there")


def delete_folder(path):
    shutil.rmtree(path.parent)


def delete_file(path):
    path.unlink()


def move(path):
    path.rename(path.with_name("moved.sqlite"))


def move_folder(path):
    path.parent.rename(path.parent.with_name("elsewhere"))


def delete_log(path):
    path.with_name(path.name + "-wal").unlink()


def delete_index(path):
    path.with_name(path.name + "-shm").unlink()


def delete_all_files(path):
    for each in path.parent.glob(path.name + "*"):
        each.unlink()


def copy_and_browse(path):
    """Take SQLite's locks away, as closing any descriptor of the file does; then another program reads it."""
    shutil.copy(path, path.with_name("copy.sqlite"))
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT * FROM trials').fetchall(); c.close()"
    )
    assert os.spawnl(os.P_WAIT, sys.executable, sys.executable, "-c", code, str(path)) == 0
    assert not path.with_name(path.name + "-wal").exists()


VANISHED = [delete_folder, delete_file, move, move_folder, delete_log, delete_index, delete_all_files]
if sqlite3.sqlite_version_info < (3, 51):  # later ones keep the log although their locks were taken away
    VANISHED.append(copy_and_browse)


def replace_by_text(path):
    path.unlink()
    path.write_text("mine", encoding="utf-8")


def replace_by_another_journal(path):
    with Journal.create(path.with_name("another.sqlite"), "another", {}) as another:
        another.write(events=[{"kind": "another"}])
    another.path.replace(path)


def replace_by_an_older_copy(path):
    shutil.copy(path, path.with_name("older"))
    path.with_name("older").replace(path)


REPLACED = [replace_by_text, replace_by_another_journal, replace_by_an_older_copy]


@pytest.mark.parametrize("vanish", VANISHED)
def test_what_vanished_is_written_again_with_the_next_write(journal, make_row, vanish, caplog):
    journal.write([make_row(0)], [(0, "t", "s", 1.0, 0)], events=[{"kind": "start"}])
    with Journal.view(journal.path) as viewer:
        sequence = viewer.sequence
        vanish(journal.path)
        assert viewer.row(0) == make_row(0)
        last = journal.write([make_row(1)], [(1, "t", "s", 2.0, 0)])
        assert "was written again" in caplog.text
        # A reader of the file before goes over to the new one.
        assert viewer.wait_for_change(sequence, timeout=30) == last
        assert viewer.trials(since=sequence) == (last, [make_row(1)])
        assert [event["kind"] for event in viewer.events()] == ["start"]
        assert journal.reader.scalars(1) == [("t", "s", 2.0, 0)]
    journal.write([make_row(2)])
    with Journal.view(journal.path) as viewer:
        assert viewer.owner().is_alive
        assert [row.number for row in viewer.trials()[1]] == [0, 1, 2]


@pytest.mark.parametrize("vanish", VANISHED)
@pytest.mark.parametrize("when", ["heartbeat", "close"])
def test_a_heartbeat_and_the_end_write_it_again_too(journal, make_row, vanish, when):
    journal.write([make_row(0)])
    vanish(journal.path)
    getattr(journal, when)()
    with Journal.view(journal.path) as viewer:
        assert viewer.row(0) == make_row(0)
        assert (viewer.owner() is None) == (when == "close")
    journal.close()
    with Journal.open(journal.path) as again:
        again.write([make_row(1)])
        assert len(again.reader.trials()[1]) == 2
    assert not list(journal.path.parent.glob("*.partial*"))


@pytest.mark.parametrize("replace", REPLACED)
@pytest.mark.parametrize("when", ["write", "heartbeat", "close"])
def test_a_file_that_took_the_place_is_left_and_the_journal_is_beside_it(journal, make_row, replace, when):
    journal.write([make_row(0)])
    replace(journal.path)
    before = journal.path.read_bytes()
    with pytest.raises(JournalError, match=r"replaced by another file.*-rescued\.sqlite"):
        getattr(journal, when)()
    with pytest.raises(JournalError, match="replaced by another file"):
        journal.write([make_row(1)])
    journal.close()
    assert journal.path.read_bytes() == before
    rescued = journal.path.with_name(f"{journal.search_id}-rescued.sqlite")
    with Journal.open(rescued) as again:
        assert again.reader.row(0) == make_row(0)
        assert again.search_id == journal.search_id


def test_a_reader_does_not_go_over_to_another_search(journal, make_row):
    journal.write([make_row(0)])
    with Journal.view(journal.path) as viewer:
        replace_by_another_journal(journal.path)
        with pytest.raises(JournalError, match="journal of another search"):
            viewer.row(0)
    with pytest.raises(JournalError, match="replaced"):
        journal.close()


def test_where_it_cannot_be_written_again_that_is_said_and_the_next_write_tries_anew(journal, make_row):
    journal.write([make_row(0)])
    folder = journal.path.parent
    delete_folder(journal.path)
    folder.write_text("in the way", encoding="utf-8")
    for action in (lambda: journal.write([make_row(1)]), journal.heartbeat):
        with pytest.raises(JournalError, match="deleted or moved while its search was running, and cannot be written"):
            action()
    folder.unlink()
    journal.write([make_row(1)])
    assert journal.reader.trials()[1] == [make_row(0), make_row(1)]


@pytest.mark.skipif(sys.platform == "win32", reason="uses SIGKILL")
def test_results_survive_a_kill_after_the_owner_copied_its_file_and_another_program_read_it(directory, run_python):
    writer = run_python(
        """
import shutil, sqlite3, subprocess, sys
from hpo_widgets.journal import Journal, TrialRow
journal = Journal.create(sys.argv[1], "copied", {})
for number in range(300):
    journal.write([TrialRow(number, 2, 0, [number])])
    if number == 100:
        shutil.copy(journal.path, sys.argv[1] + "/copy")
        code = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT * FROM trials')"
        subprocess.run([sys.executable, "-c", code, journal.path], check=True)
print("written", flush=True)
sys.stdin.readline()
""",
        directory,
    )
    assert writer.stdout.readline() == "written\n"
    writer.send_signal(signal.SIGKILL)
    writer.communicate(timeout=60)
    with Journal.open(directory / "copied.sqlite") as journal:
        assert len(journal.reader.trials()[1]) == 300


def test_a_backup_is_a_journal_of_that_moment_that_nobody_owns(journal, make_row, tmp_path):
    journal.write([make_row(0, state=1)], [(0, "t", "s", 1.0, 0)], [(0, "out", "", "")], [{"kind": "start"}])
    path = journal.reader.backup(tmp_path / "copies" / "one.sqlite")
    journal.write([make_row(0), make_row(1)])
    assert path == tmp_path / "copies" / "one.sqlite"
    with Journal.open(path) as copy:
        assert copy.reader.trials()[1] == [make_row(0, state=1)]
        assert copy.reader.output(0) == ("out", "", "")
        assert copy.abort_interrupted() == [0]
    with pytest.raises(JournalError, match="cannot be written"):
        journal.reader.backup(path)
    assert journal.reader.backup(path.parent) == path.parent / journal.path.name
    assert sorted(each.name for each in path.parent.iterdir()) == sorted(["one.sqlite", journal.path.name])
    # The owner's lock on its file is as it was.
    assert journal.reader.owner().is_alive
    assert len(journal.reader.trials()[1]) == 2


def test_a_backup_for_which_the_disk_is_too_small_leaves_no_file_and_is_named(journal, tmp_path, monkeypatch):
    def is_full(*_arguments):
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    path = tmp_path / "copies" / "one.sqlite"
    with monkeypatch.context() as patch:
        patch.setattr(connection, "put_state", is_full)
        with pytest.raises(JournalError, match=rf"{re.escape(str(path))} could not be written: the disk is full"):
            journal.reader.backup(path)
    assert list(path.parent.iterdir()) == []
    assert journal.reader.backup(path) == path


def search_in_which(happens, directory):
    """Run a search of 60 trials to its end; after 20 of them something happens to its journal."""
    go_on, happened = directory / "go on", []

    def objective(x):
        while x >= 20 and not go_on.exists():
            time.sleep(0.001)
        report_scalar("title", "series", x, 0)
        return x

    called = []

    def call_back(*_arguments):
        called.append(1)
        if len(called) == 20:
            try:
                happened.append(happens(search.journal_path))
            finally:
                go_on.touch()

    directory.mkdir()
    search = HyperParameterOptimizer(
        objective, [DiscreteParameterRange("x", range(60))], optimizer_class=GridSearch,
        max_number_of_concurrent_tasks=2, journal=directory / "searches",
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "HEARTBEAT_SECONDS", 600.0)  # none writes in between what happens and what looks at it
        search.start(call_back)
        assert search.wait(60)
    assert happened
    return search


@pytest.mark.parametrize("vanish", VANISHED)
def test_a_search_whose_journal_vanishes_has_all_of_it_at_the_end(tmp_path, vanish):
    search = search_in_which(vanish, tmp_path / "here")
    assert search.status == "completed"
    with SearchViewer(search.journal_path) as viewer:
        assert viewer.status == "completed"
        assert len(viewer.snapshot()) == 60
        assert viewer.snapshot().values.tolist() == search.snapshot().values.tolist()
    assert search.trial(59).get_reported_scalars()["title"]["series"]["y"] == [59]


@pytest.mark.parametrize("replace", REPLACED)
def test_a_search_whose_journal_is_replaced_ends_with_an_error_that_says_where_it_is(tmp_path, replace):
    search = search_in_which(replace, tmp_path / "here")
    assert search.status == "failed"
    assert "replaced by another file" in search.stop_reason.sentence
    (rescued,) = (tmp_path / "here" / "searches").glob("*-rescued.sqlite")
    assert str(rescued) in search.stop_reason.sentence
    with SearchViewer(rescued) as viewer:
        assert len(viewer.snapshot()) >= 20
