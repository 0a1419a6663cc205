"""What is known of a search without its journal, and with it what the journal lacks: the counts of the table."""

from __future__ import annotations

import time
from collections import Counter

import psutil

from hpo_widgets.journal import Journal
from hpo_widgets.trials import TrialState
from tests.faults.owners import DEADLINE, objective_with


class Account:
    """Which trials of a search were seen to have completed, and how often each has begun.

    Parameters
    ----------
    ledger
        Where trials write down that they begin and end.

    Attributes
    ----------
    known : dict
        Trials that somebody has seen to have completed, with their values.
    """

    def __init__(self, ledger):
        self.ledger = ledger
        self.known = {}
        self._begun = Counter()
        self._recorded = set()
        self._children = _children()

    def objective(self, held=(), gate=None):
        """Return an objective that is written down; see `objective_with`."""
        return objective_with(str(self.ledger), 0.0, held, gate and str(gate))

    def told(self, job, value, *_):
        """Be the callback of the search."""
        self.known.setdefault(int(job.rpartition("/")[2]), value)

    def written(self, what):
        """Return numbers and values of the trials that have ``"begun"`` or ``"ended"``; a last line may be cut off."""
        if not self.ledger.exists():
            return []
        lines = [line.split() for line in self.ledger.read_text().splitlines(keepends=True) if line.endswith("\n")]
        return [(int(number), float(x)) for kind, number, x, _ in lines if kind == what]

    def compare(self, reader, *lines):
        """Count on lines what a search that nobody runs has lost, and what ran again though the journal knew of it.

        To be called after each owner of the search, as what the journal had not heard of may begin again under the next
        one. Gives the rows of the journal.
        """
        reader.check_whole()
        rows = reader.trials()[1]
        completed = completed_of(rows)
        lost = {number: value for number, value in self.known.items() if completed.get(number) != value}
        begun = Counter(number for number, _ in self.written("begun"))
        since = begun - self._begun
        again = {number: times for number, times in since.items() if times > (number not in self._recorded)}
        for line in lines:
            line.lost += len(lost)
            line.doubled += len(again)
        assert not lost, (lost, [row for row in rows if row.number in lost])
        assert not again, (again, begun, self._recorded)
        self.known, self._begun, self._recorded = completed, begun, {row.number for row in rows}
        return rows

    def settle(self, line, path):
        """Compare with the journal of a search of this process that has ended, and count the processes it left."""
        with Journal.view(path) as reader:
            self.compare(reader, line)
        self.count_processes(line)

    def count_processes(self, line):
        """Count on a line the processes below this one that were not there at first, once they had time to end."""
        until = time.monotonic() + DEADLINE
        while (left := _children() - self._children) and time.monotonic() < until:
            time.sleep(0.01)
        line.left_over += len(left)
        assert not left, left


def completed_of(rows):
    """Return the values of the trials that have completed."""
    return {row.number: row.values[0] for row in rows if row.state == TrialState.COMPLETED}


def witnessed(path):
    """Return what the callback of an owner wrote down; a last line may be cut off."""
    if not path.exists():
        return {}
    pairs = [line.split() for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return {int(number): float(value) for number, value in pairs}


def _children():
    return set(psutil.Process().children(recursive=True))
