"""Ranges that were asked for on one thread and are answered on another."""

from __future__ import annotations

import pytest

from hpo_widgets.search import Notice
from hpo_widgets.widget.sync.pending_ranges import PendingRanges


class Search:
    """As much of a search as an answer needs; ``meanwhile`` is what another thread does as it is looked at."""

    def __init__(self):
        self.epochs = [0]
        self.meanwhile = lambda: None
        self.notices = []

    @property
    def errors(self):
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        return self.notices


@pytest.fixture
def search():
    return Search()


def test_a_new_epoch_or_a_notice_is_the_answer(search):
    pending = PendingRanges()
    pending.ask(search, 1.0)
    assert pending.answered(search) is None
    assert pending.is_waiting
    search.epochs.append(1)
    assert pending.answered(search) == 1.0
    pending.ask(search, 2.0)
    search.notices.append(Notice("command", "no"))
    assert pending.answered(search) == 2.0
    assert pending.answered(search) is None


def test_a_request_is_not_answered_while_it_is_being_made(search):
    pending = PendingRanges()
    answers = []
    search.meanwhile = lambda: answers.append(pending.answered(search))
    pending.ask(search, 1.0)
    assert answers == [None]
    assert pending.is_waiting
