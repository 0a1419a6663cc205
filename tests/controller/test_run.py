"""Whole runs of a search: when a strategy is asked, and what it was told by then."""

from __future__ import annotations

from typing import ClassVar

import pytest

from hpo_widgets.strategies.base import Proposal, SearchStrategy
from tests.runs import finished, identity


class Watching(SearchStrategy):
    """Notes at each ask how many of its trials are unfinished."""

    is_model_based = True
    made: ClassVar = []

    def __init__(self, *, seed=None):
        super().__init__(seed=seed)
        self.num_asked = 0
        self.num_told = 0
        self.unfinished = []
        self.made.append(self)

    def ask(self):
        self.unfinished.append(self.num_asked - self.num_told)
        self.num_asked += 1
        return Proposal({"x": 1.0 / self.num_asked})

    def tell(self, observation):
        self.num_told += 1


@pytest.mark.parametrize("num_workers", [1, 3])
def test_a_model_is_asked_for_workers_that_are_free_and_for_no_trial_too_many(search, num_workers):
    made = search(identity, optimizer_class=Watching, total_max_jobs=30, max_number_of_concurrent_tasks=num_workers)
    finished(made)
    [strategy] = Watching.made[-1:]
    assert strategy.num_asked == 30
    assert max(strategy.unfinished) <= num_workers - 1


def test_enqueued_points_occupy_workers_and_count_as_trials_that_are_left(search):
    made = search(identity, optimizer_class=Watching, total_max_jobs=6, max_number_of_concurrent_tasks=3)
    for number in range(4):
        made.enqueue_trial({"x": 0.9 + number / 100})
    finished(made)
    [strategy] = Watching.made[-1:]
    assert len(made.snapshot()) == 6
    assert strategy.num_asked == 2
