"""What a running search tells of a trial before its end: the output so far, asked for from any thread."""

from __future__ import annotations

import os
import threading
import time

import pytest

from hpo_widgets.search import TellsLogs
from hpo_widgets.trials import TrialState
from hpo_widgets.viewer import SearchViewer
from tests.conftest import DEADLINE


@pytest.fixture
def talker(held):
    """A callable that prints, and ends once the gate is open."""

    def talk(x):
        print("before the gate", flush=True)
        os.write(2, b"and a complaint\n")
        held(x)
        print("behind it")
        return x

    return talk


def printed(search, number=0):
    return search.log_so_far(number).result(DEADLINE)


def test_the_output_of_a_running_trial_can_be_read(search, until, gate, talker):
    gate.shut()
    made = search(talker, total_max_jobs=1)
    assert isinstance(made, TellsLogs)
    assert printed(made) == ""
    made.start()
    until(made, lambda: made.counts[TrialState.RUNNING] == 1)
    told = threading.Event()
    unsubscribe = made.subscribe(told.set)
    end = time.monotonic() + DEADLINE
    while "complaint" not in printed(made):
        assert time.monotonic() < end
    assert printed(made) == "before the gate\nand a complaint"
    # Who asks need not wait: a change is told when the answer is there.
    assert told.wait(DEADLINE)
    unsubscribe()
    assert printed(made, 1) == ""
    gate.open()
    assert made.wait()
    assert printed(made) == ""
    assert made.trial(0).get_output()[0] == "before the gate\nbehind it\n"


def test_a_question_to_a_search_that_is_just_ending_is_answered(search, until, gate, talker):
    gate.shut()
    made = search(talker, total_max_jobs=1)
    made.start()
    until(made, lambda: made.counts[TrialState.RUNNING] == 1)
    asked = [made.log_so_far(0) for _ in range(3)]
    made.stop()
    asked += [made.log_so_far(0) for _ in range(3)]
    assert all(isinstance(answer.result(DEADLINE), str) for answer in asked)


def test_a_viewer_does_not_claim_to_tell_what_it_cannot(search, talker):
    made = search(talker, total_max_jobs=1)
    made.start()
    made.wait()
    with SearchViewer(made.journal_path) as viewer:
        assert not isinstance(viewer, TellsLogs)
