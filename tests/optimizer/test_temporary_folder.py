"""Temporary folders: those of processes that were killed go when the next one is made, and no other ones."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from hpo_widgets.optimizer import temporary_folder
from hpo_widgets.optimizer.temporary_folder import TemporaryFolder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no folder is locked there")

OWNER = """
import sys
from hpo_widgets.optimizer.temporary_folder import TemporaryFolder
folder = TemporaryFolder(sys.argv[1])
print(folder.name, flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


@pytest.fixture
def owner():
    """``owner(kind)`` starts a process with a folder, and gives both."""
    processes = []

    def start(kind="race"):
        command = [sys.executable, "-c", OWNER, kind]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        folder = Path(process.stdout.readline().strip())
        (folder / "journal.sqlite").write_text("rows")
        return process, folder

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def kill(process):
    process.kill()
    process.wait()


def test_what_a_killed_process_has_left_goes_and_what_a_living_one_has_stays(owner):
    (killed, left), (_, living), (other, of_another_kind) = owner(), owner(), owner("challenge")
    kill(killed)
    kill(other)
    assert left.exists()
    with TemporaryFolder("race") as made, TemporaryFolder("race"):
        assert not left.exists()
        assert (living / "journal.sqlite").exists()
        assert (of_another_kind / "journal.sqlite").exists()
        assert Path(made).exists()
    assert not Path(made).exists()


def test_what_another_user_has_left_stays(owner, monkeypatch):
    process, left = owner()
    kill(process)
    monkeypatch.setattr(os, "getuid", lambda: left.stat().st_uid + 1)
    TemporaryFolder("race").cleanup()
    assert (left / "journal.sqlite").exists()


def test_links_and_folders_without_a_lock_stay(owner, temporary):
    process, left = owner("challenge")
    kill(process)
    link = temporary / "hpo_widgets_race_link"
    link.symlink_to(left)
    unlocked = temporary / "hpo_widgets_race_new"
    unlocked.mkdir()
    locked_by_link = temporary / "hpo_widgets_race_locked_by_link"
    locked_by_link.mkdir()
    (locked_by_link / "owner.lock").symlink_to(left / "owner.lock")
    TemporaryFolder("race").cleanup()
    assert (left / "journal.sqlite").exists()
    assert link.is_symlink()
    assert unlocked.exists()
    assert locked_by_link.exists()


def test_on_a_network_file_system_whose_locks_may_be_of_one_machine_nothing_is_removed(owner, monkeypatch):
    process, left = owner()
    kill(process)
    monkeypatch.setattr(temporary_folder, "filesystem_type", lambda _path: "nfs4")
    with TemporaryFolder("race") as made:
        assert not list(Path(made).iterdir())
    assert (left / "journal.sqlite").exists()
