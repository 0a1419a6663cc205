"""The progress bar: what it draws in a terminal and in a file, and that `wait` draws it."""

from __future__ import annotations

import io
from contextlib import closing

from hpo_widgets.search.progress import ProgressBar
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from tests.runs import identity


class Terminal(io.StringIO):
    def isatty(self):
        return True


def drawn(search, file=None):
    """What a bar of a search writes to a file, or to one that takes the place of the terminal."""
    file = io.StringIO() if file is None else file
    with closing(ProgressBar(file=file)) as bar:
        bar.draw(search)
    return file.getvalue()


def test_in_a_file_each_state_is_a_line():
    search, file = ScriptedSearch(jobs=4), io.StringIO()
    with closing(ProgressBar(file=file)) as bar:
        for value in (0.5, 0.25):
            search.add_trial(value)
            bar.draw(search)
            bar.draw(search)
    assert "\r" not in file.getvalue()
    first, *lines = file.getvalue().splitlines()
    assert first.startswith("searching")
    assert list(dict.fromkeys(line.split("best ")[1].rstrip("]") for line in lines)) == ["0.5 at #0", "0.25 at #1"]
    assert "2/4" in lines[-1]


def test_in_a_terminal_the_line_is_drawn_over():
    search = ScriptedSearch(jobs=4)
    search.add_trial(0.5)
    line = drawn(search, Terminal())
    assert "\r" in line
    assert "1/4" in line


def test_all_values_of_the_best_trial_are_told_and_by_which_objective_it_is_the_best():
    search = ScriptedSearch(titles=["a", "b"], series=["a", "b"], signs=["min", "max"])
    search.add_trial([0.5, 2.0])
    assert "best 0.5 2 at #0 by a/a" in drawn(search)


def test_a_best_trial_that_did_not_complete_says_so():
    search = ScriptedSearch()
    search.add_trial(0.5, state=TrialState.ABORTED)
    assert "best 0.5 at #0 (aborted)]" in drawn(search)


def test_wait_draws_the_bar_until_the_end(search, capsys):
    made = search(identity, total_max_jobs=3)
    made.start()
    assert made.wait(progress=True)
    assert "3/3" in capsys.readouterr().err


def test_wait_with_a_bar_times_out_too(two_running, gate, capsys):
    made = two_running(total_max_jobs=2)
    assert not made.wait(0.001, progress=True)
    assert "0/2" in capsys.readouterr().err
    gate.open()
    assert made.wait()


def test_what_had_ended_before_counts_for_the_share_and_not_for_the_rate():
    search = ScriptedSearch(jobs=20)
    for _ in range(10):
        search.add_trial(0.5)
    last = drawn(search).splitlines()[-1]
    assert "10/20" in last
    assert "? trials/s" in last
