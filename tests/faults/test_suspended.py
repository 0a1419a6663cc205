"""Processes that are stopped (SIGSTOP) and go on, as in a laptop that is shut: deadlines, lease and results survive."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import psutil
import pytest

from hpo_widgets.journal import Journal, JournalInUse
from hpo_widgets.search import SearchStatus
from hpo_widgets.trials import TrialState
from hpo_widgets.viewer import SearchViewer
from tests.conftest import DEADLINE
from tests.faults import table
from tests.faults.account import Account, witnessed
from tests.journal.conftest import change_owner

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has subreapers, which see what is left")

BUDGET = 20


@pytest.fixture
def running(owners, tmp_path):
    """``running(...)`` starts a search in another process; gives its journal once trials run."""

    def start(**order):
        path = tmp_path / "search.sqlite"
        keywords = {"total_max_jobs": BUDGET, **order.pop("keywords", {})}
        files = {"journal": str(path), "ledger": str(tmp_path / "ledger"), "witness": str(tmp_path / "witness")}
        owners.start(**files, is_new=True, seed=table.SEED, keywords=keywords, **order)
        owners.wait_for("running")
        return path

    return start


def send(number, processes):
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process if isinstance(process, int) else process.pid, number)


def suspend(path, processes):
    """Stop a search, but not in the middle of a commit to its journal, whose lock it would keep."""
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        send(signal.SIGSTOP, processes)
        # One thread takes the signal and stops the others, which run on until it has the processor.
        until = time.monotonic() + DEADLINE
        while not all(map(has_stopped, processes)):
            assert time.monotonic() < until
            time.sleep(0.001)
        holder.execute("ROLLBACK")


def has_stopped(process):
    """Whether all threads of a process are stopped, or have ended."""
    tasks = Path(f"/proc/{process if isinstance(process, int) else process.pid}/task")
    with suppress(OSError):  # it has ended
        states = [(task / "stat").read_text().rpartition(")")[2].split()[0] for task in tasks.iterdir()]
        return set(states) <= {"T", "Z", "X"}
    return True


def wait_until_idle(process):
    """Wait until a process waits for something and has not been woken for some looks."""
    until, switches, looks = time.monotonic() + DEADLINE, None, 0
    while looks < 10:
        assert time.monotonic() < until
        before, switches = switches, process.num_ctx_switches()
        looks = looks + 1 if process.status() == psutil.STATUS_SLEEPING and switches == before else 0
        time.sleep(0.01)


def wait_for_line(path, beginning):
    until = time.monotonic() + DEADLINE
    while not path.exists() or not any(line.startswith(beginning) for line in path.read_text().splitlines()):
        assert time.monotonic() < until
        time.sleep(0.002)


def rows_of(path):
    with Journal.view(path) as reader:
        reader.check_whole()
        return reader.trials()[1]


def test_a_search_that_is_suspended_again_and_again_loses_no_trial(owners, running, record):
    line = record("SIGSTOP and SIGCONT of kernel and workers")
    path = running(most_seconds=0.02, keywords={"time_limit_per_job": 1, "optimization_time_limit": 5})
    rng = random.Random(table.SEED)
    while (said := owners.wait(0.05 * rng.random())) is None:
        supervisors, workers = owners.tree()
        everyone = [owners.pid, *supervisors, *workers]
        chosen = rng.choice([everyone, [owners.pid], workers, supervisors + workers])
        rng.shuffle(chosen)
        send(signal.SIGSTOP, chosen)
        said = owners.wait(0.05 * rng.random())
        rng.shuffle(chosen)
        send(signal.SIGCONT, chosen)
        line.tried += 1
        if said is not None:
            break
    assert (said[0], said[1][:2]) == ("ended", ["COMPLETED", "total_max_jobs"]), said
    left = owners.reap()
    line.left_over = len(left)
    account = Account(path.with_name("ledger"))
    account.known.update(witnessed(path.with_name("witness")))
    with Journal.view(path) as reader:
        rows = account.compare(reader, line)
    assert (sorted(row.number for row in rows), len(account.known), left) == (list(range(BUDGET)), BUDGET, [])


def test_a_trial_that_ends_while_its_kernel_is_suspended_keeps_its_result_though_its_time_is_over(
    owners, running, gate, tmp_path
):
    gate.shut()
    keywords = {"time_limit_per_job": 59, "total_max_jobs": 5}
    later = tmp_path / "an hour later"
    path = running(workers=1, most_seconds=0.02, held=[[3], str(gate.path)], later=str(later), keywords=keywords)
    ledger = path.with_name("ledger")
    wait_for_line(ledger, "begun 3 ")
    suspend(path, [owners.pid])
    [worker] = owners.tree()[1]
    gate.open()
    wait_for_line(ledger, "ended 3 ")
    wait_until_idle(worker)  # and its result is on the way
    later.touch()
    with pytest.raises(JournalInUse):
        Journal.open(path)
    with SearchViewer(path) as viewer:
        assert viewer.status is SearchStatus.RUNNING
    send(signal.SIGCONT, [owners.pid])
    owners.wait_for("ended")
    assert owners.reap() == []
    [row] = [row for row in rows_of(path) if row.number == 3]
    assert (row.state, row.error) == (TrialState.COMPLETED, None)
    assert row.duration > 59 * 60


def test_a_suspended_kernel_whose_search_was_taken_over_elsewhere_ends_and_writes_nothing_more(owners, running):
    path = running(most_seconds=0.02, keywords={"total_max_jobs": 1000})
    supervisors, workers = owners.tree()
    everyone = [owners.pid, *supervisors, *workers]
    suspend(path, everyone)
    change_owner(path, machine="another host", host="node7", heartbeat=time.time() - 3600)
    with Journal.open(path) as successor:
        aborted = successor.abort_interrupted()
        before = successor.reader.trials()
        send(signal.SIGCONT, everyone)
        _status, code, sentence = owners.wait_for("ended")
        assert code == "error"
        assert "has taken over" in sentence
        assert owners.reap() == []
        assert successor.reader.trials() == before
        assert len(aborted) <= 2
