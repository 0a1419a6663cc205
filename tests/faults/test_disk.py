"""A disk that is full: the search ends and says so, keeps what it had seen, and goes on once there is space."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing, suppress

import pytest

from hpo_widgets import HyperParameterOptimizer
from hpo_widgets.journal import Journal, JournalError
from hpo_widgets.trials import TrialState
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


def chatty(x):
    print("x" * 1000)
    return x


@pytest.mark.parametrize("is_taken_up", [False, True])
def test_a_search_on_a_full_disk_ends_and_goes_on_when_there_is_space(small_disk, search, record, is_taken_up):
    folder, enlarge = small_disk
    record("disk full, at 400 kB").tried += 1
    seen = {}

    def completed(job, value, *_):
        assert seen.setdefault(int(job.rpartition("/")[2]), value) == value

    made = search(chatty, journal=folder, total_max_jobs=BUDGET)
    finished(made, completed)
    assert made.stop_reason.code == "error"
    assert "could not be written" in made.stop_reason.sentence
    assert 0 < len(seen) < BUDGET
    assert not made.is_running()
    with closing(Journal.view(made.journal_path)) as reader:
        reader.check_whole()
        kept = {row.number: row.values[0] for row in reader.trials()[1] if row.state == TrialState.COMPLETED}
    assert kept == seen

    if is_taken_up:  # by whoever has none of what the first one could not write
        with suppress(JournalError):
            again = HyperParameterOptimizer.open(made.journal_path, base_task_id=chatty)
            again.start(completed)
            again.wait()
        with closing(Journal.view(made.journal_path)) as reader:
            reader.check_whole()
            assert {row.number: row.values[0] for row in reader.trials()[1] if row.number in seen} == seen
    assert not enlarge().returncode
    last = HyperParameterOptimizer.open(made.journal_path, base_task_id=chatty) if is_taken_up else made
    finished(last, completed)
    assert last.stop_reason.code == "total_max_jobs"
    viewer = HyperParameterOptimizer.open(made.journal_path)
    assert viewer.counts == last.counts
    assert sum(viewer.counts.values()) == BUDGET
    assert {number: viewer.trial(number).values[0] for number in seen} == seen
    assert viewer.counts[TrialState.COMPLETED] == len(seen)
    # Two of each search that the full disk ended: the second one may have begun two, if there was room to write so.
    assert viewer.counts[TrialState.ABORTED] <= 2 * (1 + is_taken_up)
    viewer.close()
