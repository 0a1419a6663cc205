"""The timeline: which bars there are, how many at most, and how its axes follow."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

from hpo_widgets.search import SearchStatus
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import TimelinePlot
from hpo_widgets.widget.plots.timeline import MOST_BARS, MOST_LANES, NONE_HAS_RUN, bars

DONE, FAILED, RUNNING = TrialState.COMPLETED, TrialState.FAILED, TrialState.RUNNING


def trials(*each):
    """Rows of trials, each given as worker, start, end and state."""
    worker, started, ended, state = (
        (np.array(column) for column in zip(*each, strict=True)) if each else [np.empty(0)] * 4
    )
    return SimpleNamespace(worker=worker, started=started.astype(float), ended=ended.astype(float), state=state)


def as_lists(some):
    return [column.tolist() for column in some]


def test_each_trial_is_a_bar_on_the_row_of_its_worker_in_minutes_from_the_first_start():
    drawn = bars(trials((0, 600, 660, DONE), (1, 660, 720, FAILED), (0, 720, 840, DONE)), now=900)
    assert as_lists(drawn[DONE]) == [[0, 2], [1, 4], [0, 0]]
    assert as_lists(drawn[FAILED]) == [[1], [2], [1]]
    assert as_lists(drawn[RUNNING]) == [[], [], []]


def test_the_bar_of_a_running_trial_goes_up_to_now():
    drawn = bars(trials((0, 600, math.nan, RUNNING)), now=720)
    assert as_lists(drawn[RUNNING]) == [[0], [2], [0]]


@pytest.mark.parametrize(
    "odd",
    [(0, math.nan, math.nan, TrialState.QUEUED), (-1, math.nan, 660, DONE), (MOST_LANES, 600, 660, DONE)],
    ids=["queued", "ended before it began", "of a worker beyond the last row"],
)
def test_what_did_not_run_on_a_row_has_no_bar(odd):
    drawn = bars(trials(odd, (0, 600, 660, DONE)), now=900)
    assert sum(len(some.start) for some in drawn.values()) == 1


def test_trials_whose_workers_have_no_numbers_take_the_lowest_row_that_is_free():
    drawn = bars(
        trials(
            (-1, 0, 60, DONE),
            (-1, 30, 300, DONE),
            (-1, 61, math.nan, RUNNING),
            (-1, 170, 180, FAILED),
            # It began before the end of what it follows was noticed, and the one after it while another one runs.
            (-1, 290, 400, DONE),
            (-1, 595, math.nan, RUNNING),
        ),
        now=600,
    )
    assert as_lists(drawn[DONE]) == [[0, 0.5], [1, 400 / 60], [0, 1]]
    assert as_lists(drawn[FAILED])[2] == [2]
    assert as_lists(drawn[RUNNING])[2] == [0, 1]


def test_a_row_for_each_of_more_trials_at_once_than_are_drawn_is_left_out():
    drawn = bars(trials(*((-1, 0, 60, DONE) for _ in range(MOST_LANES + 3))), now=60)
    assert as_lists(drawn[DONE])[2] == list(range(MOST_LANES))


def test_a_clock_that_was_set_back_gives_no_bar_to_the_left():
    drawn = bars(trials((0, 600, 60, DONE), (0, 660, 720, DONE)), now=0)
    assert all(np.all(some.end >= some.start) for some in drawn.values())


def test_short_bars_that_touch_become_one_and_a_gap_that_can_be_seen_stays():
    close = [(0, 6 * at, 6 * at + 5.99, DONE) for at in range(10)]
    drawn = bars(trials(*close, (0, 900, 960, DONE), (1, 0, 60, DONE)), now=960)
    assert as_lists(drawn[DONE])[0] == [0, 15, 0]
    assert as_lists(drawn[DONE])[2] == [0, 0, 1]


def test_long_bars_that_touch_are_seen_apart_and_none_loses_more_than_a_border():
    close = [(0, 60 * at, 60 * at + 60, DONE) for at in range(10)]
    drawn = bars(trials(*close), now=600)[DONE]
    assert drawn.start.tolist() == list(range(10))
    assert drawn.end.tolist() == pytest.approx([*(at + 0.97 for at in range(9)), 10])


def test_what_is_drawn_does_not_grow_with_the_number_of_trials():
    rng = np.random.default_rng(0)
    starts = np.sort(rng.uniform(0, 3600, 20_000))
    drawn = bars(trials(*((0, start, start + 0.01, DONE) for start in starts)), now=3600)
    assert len(drawn[DONE].start) <= MOST_BARS


@pytest.fixture
def followed(show):
    """The plot of a search that runs, with a trial that it has not drawn, and its clock as a list of one time."""
    search = ScriptedSearch(jobs=10)
    search.command("start")
    now = [search.now]
    plot = show(TimelinePlot, search, clock=lambda: now[0])
    search.add_trial(0.5)
    return plot, now


def test_the_plot_follows_a_search_once_a_second(followed, refresh):
    plot, now = followed
    refresh(plot)
    assert len(plot._lines[DONE].x) == 0
    now[0] += 1.0
    refresh(plot)
    assert len(plot._lines[DONE].x) == 2
    assert "completed" in plot._key.value
    assert "failed" not in plot._key.value
    assert plot._x.max >= plot._lines[DONE].x[-1]


def test_the_plot_follows_a_search_after_its_clock_was_set_back(followed, refresh):
    plot, now = followed
    now[0] -= 3600
    refresh(plot)
    assert len(plot._lines[DONE].x) == 2


@pytest.mark.parametrize("num_trials", [0, 1, 2])
def test_few_trials_are_drawn(show, num_trials):
    search = ScriptedSearch(jobs=10)
    search.add_trials([0.5] * num_trials)
    plot = show(TimelinePlot, search)
    assert np.isfinite(plot._x.max)
    assert plot._x.max > 0


@pytest.mark.parametrize(("seconds", "word", "end"), [(60, "seconds", 60), (600, "minutes", 10), (36_000, "hours", 10)])
def test_the_time_is_told_in_a_unit_that_fits(show, seconds, word, end):
    search = ScriptedSearch(jobs=10)
    search.command("start")
    search.add_trial(0.5, seconds=seconds)
    search.command("stop")
    plot = show(TimelinePlot, search)
    assert plot._axis_x.label == f"{word} from the start"
    assert plot._lines[DONE].x[-1] == pytest.approx(end)


def test_of_a_short_search_that_has_ended_the_bars_take_the_whole_width(show, refresh):
    search = ScriptedSearch()
    search.command("start")
    plot = show(TimelinePlot, search)
    search.add_trial(0.5, seconds=1)
    refresh(plot)
    assert plot._x.max == pytest.approx(6, rel=0.01)
    search.command("stop")
    refresh(plot)
    assert plot._x.max == pytest.approx(1, rel=0.01)


def test_with_a_filter_time_still_counts_from_the_first_start_of_all_trials(show):
    search = ScriptedSearch(jobs=10)
    search.command("start")
    search.add_trial(0.5, seconds=60)
    search.advance(600)
    search.add_trial(0.25, seconds=60)
    search.command("stop")
    plot = show(TimelinePlot, search, filter={"top_k": 1})
    assert plot._axis_x.label == "minutes from the start"
    assert plot._lines[DONE].x.tolist() == pytest.approx([10, 11])
    assert plot.numbers().rows[0][2:4] == ("10:00", "11:00")


def killed(search, *, seconds):
    """Start two trials, one of which ends after a minute, and kill the search when the other one has run a while."""
    search.command("start")
    search.advance(60)
    search.add_trial(0.5, seconds=60)
    search.add_trial(state=RUNNING)
    search.advance(seconds)
    search.set_status(SearchStatus.STOPPED)


def test_a_trial_of_a_killed_search_has_run_up_to_its_last_sign_of_life(show):
    search = ScriptedSearch()
    killed(search, seconds=45)
    plot = show(TimelinePlot, search, clock=lambda: search.now + 3 * 86_400)
    assert plot._axis_x.label == "seconds from the start"
    assert plot._lines[DONE].x.tolist() == pytest.approx([0, 60])
    assert plot._lines[RUNNING].x.tolist() == pytest.approx([60, 105])


def test_a_trial_of_a_search_that_was_killed_after_it_was_continued_has_run_as_long_as_others(show):
    search = ScriptedSearch()
    search.add_trial(0.5, seconds=60)
    search.now += 86_400  # which its minutes do not count
    killed(search, seconds=60)
    plot = show(TimelinePlot, search)
    assert plot._lines[RUNNING].x[0] == plot._lines[DONE].x[-1]
    assert plot._lines[RUNNING].x[-1] >= plot._lines[RUNNING].x[0]


def test_a_recorded_result_has_no_bar_no_row_in_the_numbers_and_does_not_stretch_time(show, search, refresh):
    search.add_trial(0.5, seconds=60.0)
    plot = show(TimelinePlot, search)
    refresh(plot)
    before = plot._x.max
    search.now += 3600
    search.add_trial(0.25, seconds=math.nan)
    refresh(plot)
    assert (plot._x.max, len(plot.numbers().rows)) == (before, 1)
    assert NONE_HAS_RUN not in plot._key.value


def test_without_trials_that_ran_it_is_said_that_recorded_ones_have_no_times(show, search, refresh):
    plot = show(TimelinePlot, search)
    assert NONE_HAS_RUN not in plot._key.value
    search.add_trial(0.25, seconds=math.nan)
    refresh(plot)
    assert NONE_HAS_RUN in plot._key.value


def test_a_trial_that_is_left_out_has_a_pale_bar_as_its_worker_was_busy(show, search, refresh):
    search.add_trials([0.5, 0.25])
    search.command("leave_out", 0)
    plot = show(TimelinePlot, search)
    assert "left out" in plot._key.value
    assert len(plot.numbers().rows) == 2
