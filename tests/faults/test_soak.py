"""A search of many trials, many searches in one kernel, a panel that is shown again and again: what is held stays flat.

Memory is the resident set of a process of its own, after a collection of garbage. Growth is the slope of a straight
line through the second half of the rounds: by then all is loaded, and caches are full.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from tests.faults import soak, table
from tests.faults.owners import ROOT

FULL = 100_000
"""Trials of the full form, to which the other numbers are in proportion."""

pytestmark = pytest.mark.slow


@pytest.fixture
def rounds(tmp_path):
    """``rounds(what, number)`` gives what the program said, a dict a round."""

    def run(what, number):
        command = [sys.executable, "-m", "tests.faults.soak", what, str(number), str(tmp_path)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert not ended.returncode, ended.stderr
        return [json.loads(line) for line in ended.stdout.splitlines()]

    return run


def scaled(number, least):
    return max(least, round(number * table.SOAK / FULL))


def growth(said, of="bytes"):
    """Bytes, or blocks of Python's allocator, that each further trial, search or panel takes."""
    second_half = said[len(said) // 2 :]
    return float(np.polyfit([one["number"] for one in second_half], [one[of] for one in second_half], 1)[0])


def held(one):
    return {name: one[name] for name in ("threads", "processes", "files")}


def judge(what, number, said, *, bar, before, after, most_blocks=None):
    """Add a line to the table, and compare it with what is allowed: bytes, or of few rounds blocks where given.

    A few pages more for the resident set, at a moment of the allocator's choice, are no line through few rounds.
    """
    grown = growth(said)
    table.soaked(what, number, said, grown, bar=bar, before=before, after=after)
    if most_blocks is not None and table.SOAK < FULL:
        assert growth(said, "blocks") < most_blocks
    else:
        assert grown < bar
    assert held(after) == held(before)


def test_a_search_of_many_trials_keeps_columns_of_them_and_nothing_else(rounds):
    number = scaled(FULL, 1000)
    idle, *said, ended = rounds("trials", number)
    what = f"trials of one search, {soak.SCALARS_A_TRIAL} scalars each"
    # Over a few thousand trials a column that doubles, or a page more of the allocator, weighs as much as a trial.
    judge(what, number, said, bar=1000 if number >= FULL else 3000, before=idle, after=ended)


def test_many_searches_in_one_kernel_leave_nothing(rounds):
    number = scaled(200, 12)
    said = rounds("searches", number)
    judge("searches in one kernel", number, said, bar=20_000, most_blocks=100, before=said[0], after=said[-1])


def test_a_panel_that_is_shown_again_and_again_leaves_nothing(rounds):
    number = scaled(50, 8)
    said = rounds("panels", number)
    judge("panels of one search", number, said, bar=100_000, most_blocks=500, before=said[0], after=said[-1])
    assert said[-1]["opened"] > 10 * number
    assert {(one["comms"], one["widgets"]) for one in said} == {(0, 0)}
