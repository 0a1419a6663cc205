"""A disk that is full: the search ends and says so, keeps what it had seen, and goes on once there is space."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing, suppress

import pytest

from hpo_widgets import HyperParameterOptimizer
from hpo_widgets.journal import Journal, JournalError
from hpo_widgets.trials import TrialState
from tests.faults import table
from tests.runs import finished

BUDGET = 400


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 400 kB, and a function that gives it more."""
    folder = tmp_path / "small"
    folder.mkdir()

    def mount(options):
        return subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, text=True, check=False
        )

    if sys.platform != "linux" or (mounted := mount("size=400k")).returncode:
        pytest.skip("only root can mount a small disk" if sys.platform == "linux" else "mounts are Linux's here")
    assert not mounted.stderr
    yield folder, lambda: mount("remount,size=40m")
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def chatty_after(begin):
    """Return an objective that does what another one does, and prints a lot."""

    def chatty(x, trial):
        begin(x, trial)
        print("x" * 1000)
        return x

    return chatty


@pytest.mark.parametrize("is_taken_up", [False, True])
def test_a_search_on_a_full_disk_ends_and_goes_on_when_there_is_space(small_disk, search, account, record, is_taken_up):
    folder, enlarge = small_disk
    line = record("disk full, at 400 kB")
    line.tried += 1
    chatty = chatty_after(account.objective())

    def compare():
        seen = account.known
        with closing(Journal.view(made.journal_path)) as reader:
            account.compare(reader, line)
        assert account.known == seen

    made = search(chatty, journal=folder, total_max_jobs=BUDGET, seed=table.SEED)
    finished(made, account.told)
    assert made.stop_reason.code == "error"
    assert "could not be written" in made.stop_reason.sentence
    assert 0 < len(account.known) < BUDGET
    assert not made.is_running()
    compare()

    if is_taken_up:  # by whoever has none of what the first one could not write
        with suppress(JournalError):
            again = HyperParameterOptimizer.open(made.journal_path, base_task_id=chatty)
            again.start(account.told)
            again.wait()
        compare()
    assert not enlarge().returncode
    last = HyperParameterOptimizer.open(made.journal_path, base_task_id=chatty) if is_taken_up else made
    finished(last, account.told)
    seen = account.known
    account.settle(line, made.journal_path)
    assert last.stop_reason.code == "total_max_jobs"
    viewer = HyperParameterOptimizer.open(made.journal_path)
    assert viewer.counts == last.counts
    assert sum(viewer.counts.values()) == BUDGET
    assert {number: viewer.trial(number).values[0] for number in seen} == seen
    assert viewer.counts[TrialState.COMPLETED] == len(seen)
    # Two of each search that the full disk ended: the second one may have begun two, if there was room to write so.
    assert viewer.counts[TrialState.ABORTED] <= 2 * (1 + is_taken_up)
    viewer.close()
