"""SIGKILL at random moments: what was seen as completed stays so, nothing is counted twice, the budget is kept exactly.

`make faults` does this five hundred times; the tests do it a few times, with the same seed every time.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from contextlib import suppress
from itertools import count

import pytest

from hpo_widgets.journal import Journal
from hpo_widgets.trials import TrialState
from tests.faults import table
from tests.faults.account import Account, completed_of, witnessed
from tests.faults.owners import DEADLINE

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has subreapers, which see what is left")

BUDGET = 40
WORKERS = 2
ENQUEUED = [0.125, 0.25, 0.375, 0.5, 0.625]
TARGETS = {"kernel": 4, "worker": 3, "kernel and workers": 3, "all workers": 1, "supervisor": 1}
"""Whom to kill, and how often as a share of all kills."""


class KilledSearch:
    """One search that is killed until it has ended all the same.

    Parameters
    ----------
    owners
        Starts processes that own it.
    directory
        Where its journal is.
    rng
        Chooses moments and victims.
    lines
        A line of the table for each of `TARGETS`.
    strategy
        Name of the strategy.
    """

    def __init__(self, owners, directory, rng, lines, strategy):
        directory.mkdir()
        self.owners = owners
        self.rng = rng
        self.lines = lines
        self.strategy = strategy
        self.journal = directory / "search.sqlite"
        self.ledger = directory / "ledger"
        self.witness = directory / "witness"
        self.seed = rng.randrange(1000)
        self.account = Account(self.ledger)

    def run(self, kills):
        """Kill at most so often; then let it end. Returns how often it killed."""
        num_kills = 0
        while True:
            num_begun = len(self.account.written("begun"))
            self.owners.start(
                journal=str(self.journal),
                ledger=str(self.ledger),
                witness=str(self.witness),
                is_new=not self.journal.exists(),
                strategy=self.strategy,
                seed=self.seed,
                workers=WORKERS,
                enqueued=ENQUEUED,
                keywords={"total_max_jobs": BUDGET},
            )
            victim, killed, code = "", set(), None
            # Mostly from when a trial runs, on a slow machine too; else from before the journal is made.
            if num_kills < kills and self.rng.random() < 0.75:
                code = self.begin_after(num_begun)
            while num_kills < kills and code is None and "kernel" not in victim:
                # Up to after the last trial.
                code = self.end_within(self.rng.choice((0.05, 0.2, 0.5)) * self.rng.random())
                if code is None:
                    if self.rng.random() < 0.5:
                        self.look()
                    victim = self.kill()
                    num_kills += bool(victim)
                    killed |= {victim} - {""}
            if code is None and "kernel" not in victim:
                code = self.owners.wait_for("ended")[1]
            # What is wrong may have come of any kill of this owner, or where there was none of that of the one before.
            self.check([self.lines[each] for each in killed or {"kernel"}], self.owners.reap())
            if code == "total_max_jobs":
                self.check_end()
                return num_kills
            # Workers that are killed while they load end a search, which is started again then.
            assert code in {None, "launch_failed"}

    def begin_after(self, num_begun):
        """Wait until more trials have begun than so many; gives the reason of the search's end if it comes to that."""
        until, code = time.monotonic() + DEADLINE, None
        while code is None and len(self.account.written("begun")) <= num_begun:
            assert time.monotonic() < until
            code = self.end_within(0.002)
        return code

    def end_within(self, seconds):
        """Let the search run for a while; gives the reason of its end if it comes to that."""
        said = self.owners.wait(seconds)
        while said is not None and said[0] == "running":
            said = self.owners.wait(seconds)
        if said is None:
            return None
        assert said[0] == "ended", said
        return said[1][1]

    def kill(self):
        """Kill somebody; returns whom, and nothing where there was nobody yet."""
        victim = self.rng.choices(list(TARGETS), list(TARGETS.values()))[0]
        supervisors, workers = self.owners.tree() if victim != "kernel" else ([], [])
        pids = {
            "kernel": [self.owners.pid],
            "kernel and workers": [self.owners.pid, *(process.pid for process in supervisors + workers)],
            "all workers": [process.pid for process in workers],
            "worker": [process.pid for process in workers[:1]],
            "supervisor": [process.pid for process in supervisors[:1]],
        }[victim]
        self.rng.shuffle(pids)
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not pids:
            return ""
        self.lines[victim].tried += 1
        return victim

    def look(self):
        """See what the journal says, as any other process may at any time."""
        if self.journal.exists():
            with Journal.view(self.journal) as reader:
                self.account.known.update(completed_of(reader.trials()[1]))

    def check(self, lines, left):
        """Compare the journal of a search that nobody runs with all that was seen before."""
        for line in lines:
            line.left_over += len(left)
        assert not left, left
        self.account.known.update(witnessed(self.witness))
        if not self.journal.exists():
            assert not self.account.known
            return
        with Journal.view(self.journal) as reader:
            rows = self.account.compare(reader, *lines)
            assert reader.owner() is None or not reader.owner().is_alive
        assert sorted(row.number for row in rows) == list(range(len(rows)))
        assert len(rows) <= BUDGET
        ended = set(self.account.written("ended"))
        for number, value in self.account.known.items():
            assert (number, value) in ended, (number, value)

    def check_end(self):
        """Check a search that has ended by itself: the budget, and each trial's end."""
        with Journal.view(self.journal) as reader:
            rows = sorted(reader.trials()[1], key=lambda row: row.number)
            enqueued = [event["parameters"] for event in reader.events() if event["kind"] == "enqueue_trial"]
        assert [row.number for row in rows] == list(range(BUDGET))
        assert all(TrialState(row.state).has_ended for row in rows)
        # Whoever is killed as he starts has not yet written what was asked before.
        assert enqueued in ([], [[x] for x in ENQUEUED])
        assert [row.parameters for row in rows if row.enqueued] == enqueued
        begun = self.account.written("begun")
        num_begun = len({number for number, _ in begun})
        self.lines["begun again"].tried += len(begun) - num_begun
        if self.strategy == "RandomSearch":
            # What is begun again is the same point again.
            assert len(set(begun)) == num_begun


def test_what_has_completed_survives_sigkill_and_the_budget_is_kept(owners, tmp_path, record):
    rng = random.Random(table.SEED)
    lines = {target: record(f"SIGKILL of {target}") for target in TARGETS}
    again = lines["begun again"] = record("trials begun again, of which the journal had not heard")
    num_kills = 0
    for number in count():
        strategy = "OptimizerOptuna" if number % 4 == 3 else "RandomSearch"
        search = KilledSearch(owners, tmp_path / str(number), rng, lines, strategy)
        num_kills += search.run(table.KILLS - num_kills)
        if num_kills >= table.KILLS:
            break
    assert sum(lines[target].tried for target in TARGETS) == table.KILLS
    # The launch of a short trial is durable some milliseconds later: so each kill of the kernel costs at most as many
    # trials as there are workers.
    assert again.tried <= WORKERS * (lines["kernel"].tried + lines["kernel and workers"].tried)
    if table.KILLS >= 500:
        # Else nobody has looked whether the same point is begun again.
        assert again.tried
