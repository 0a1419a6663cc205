"""The panel of a replay: it shows each moment as a panel that has come to it for the first time, and its bar plays."""

from __future__ import annotations

import numpy as np
import pytest
import traitlets

from hpo_widgets.journal import Journal
from hpo_widgets.parameters import DiscreteParameterRange, LogUniformParameterRange, UniformParameterRange
from hpo_widgets.search import SearchStatus
from hpo_widgets.space import Space
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialRow, TrialState
from hpo_widgets.viewer import SearchReplay
from hpo_widgets.widget import CurvesPlot, DistributionPlot, HistoryPlot, OptimizerWidget
from hpo_widgets.widget.parts.replay_bar import ReplayBar
from hpo_widgets.widget.plots.numbers import mark_numbers
from tests.headers import header

SPACE = Space(
    [LogUniformParameterRange("lr", -4, -1), UniformParameterRange("dropout", 0, 0.5),
     DiscreteParameterRange("activation", ["relu", "tanh"])]
)  # fmt: skip
NUM_TRIALS = 40
ENDS = [TrialState.COMPLETED, TrialState.COMPLETED, TrialState.FAILED, TrialState.COMPLETED, TrialState.PRUNED]
DURATION = 10.0 * (NUM_TRIALS + 2)


def plant(path, num_objectives=1):
    """The journal of a search: a trial begins every ten seconds, runs fifteen, and reports twice."""
    objectives = [["validation", "loss", "min"], ["size", "parameters", "min"]][:num_objectives]
    told = header(SPACE, 50, objectives=objectives, strategy="OptimizerOptuna")
    random = np.random.default_rng(1)
    narrow = SPACE.with_ranges({"dropout": (0.1, 0.3)})
    with Journal.create(path, "digits-1", told) as journal:
        journal.write([], [], [], [{"kind": "start", "at": 1000.0}])
        for number, point in enumerate(SPACE.points(random.random((NUM_TRIALS, SPACE.num_dimensions)))):
            started = 1000.0 + 10 * number
            state = ENDS[number % len(ENDS)]
            values = None if state is TrialState.FAILED else random.random(num_objectives).round(3).tolist()
            row = TrialRow(
                number, int(state), int(number >= 20), SPACE.encode(point), values,
                None if values is None else [1] * num_objectives, started, started + 15.0, number % 2,
                error="broken" if values is None else None,
            )  # fmt: skip
            reports = [
                (number, title, series, value + 1 - iteration, iteration)
                for iteration in (0, 1)
                for (title, series, _), value in zip(objectives, values or (), strict=False)
            ]
            journal.write([row], reports, [], [])
            if number == 19:
                event = {"kind": "set_ranges", "at": started, "space": narrow.to_dict(), "first_number": 20, "epoch": 1}
                journal.write([], [], [], [event])
        end = {"kind": "end", "at": 1000.0 + DURATION, "code": "stopped", "sentence": "over", "wall_minutes": 7.0}
        journal.write([], [], [], [end])
    return path


@pytest.fixture
def replay(tmp_path):
    """``replay(...)`` gives a replay of a search of forty trials, which is closed after the test."""
    made = []

    def make(num_objectives=1, **keywords):
        path = tmp_path / f"digits{num_objectives}.sqlite"
        if not path.exists():
            plant(path, num_objectives)
        made.append(SearchReplay(path, **keywords))
        return made[-1]

    yield make
    for one in made:
        one.close()


def seen(panel):
    """What is drawn and said, of all parts that show trials at once."""
    plots = {title: plot for title, plot in panel.plots.items() if title not in {"Curves", "Importance"}}
    drawn = {title: sorted(map(repr, mark_numbers(plot).rows)) for title, plot in plots.items()}
    status, table, space, beacon = panel._status_panel, panel._table, panel._space_panel, panel._beacon
    beacon._refresher.refresh()
    return drawn | {
        "list": (beacon.curve, beacon.best, beacon.num_trials),
        "status": (status.counts, status.best, status.budgets, status.status),
        "table": table.shown_rows(100),
        "space": (space.ranges, space.best, [getattr(space, f"tried_{index}") for index in range(3)]),
        "samples": space.recent_samples,
        "traits": (panel.num_trials, panel.num_active, panel.best_trial, panel.best_objective, dict(panel.ranges)),
    }


def choose_map(panel):
    """Show two parameters in the map, which would choose the most important ones when it has found them."""
    panel.plots["Map"].x, panel.plots["Map"].y = "activation", "lr"


@pytest.mark.usefixtures("refresh")
@pytest.mark.parametrize(
    ("num_objectives", "plots"),
    [
        (1, ["History", "Timeline"]),
        pytest.param(1, None, marks=pytest.mark.slow),
        pytest.param(2, None, marks=pytest.mark.slow),
    ],
)
def test_a_moment_looks_the_same_whether_it_is_come_to_from_before_or_from_after(
    show, wire, replay, num_objectives, plots
):
    search = replay(num_objectives)
    panel = show(OptimizerWidget, search, plots=plots)
    wire.browser_says(panel._beacon, kind="follow")
    if plots is None:
        choose_map(panel)
    for position in (255.0, 415.0, 155.0, 0.0, 255.0):
        search.seek(position)
        panel._refresher.refresh(everything=True)
    panel.selected = [3, 22]
    search.seek(88.0)
    panel._refresher.refresh(everything=True)
    assert panel.selected == [3]
    panel.selected = []

    fresh = replay(num_objectives)
    fresh.seek(88.0)
    other = show(OptimizerWidget, fresh, plots=plots)
    wire.browser_says(other._beacon, kind="follow")
    if plots is None:
        choose_map(other)
    for one in (panel, other):
        one._refresher.refresh(everything=True)
    expected, found = seen(other), seen(panel)
    assert {name: found[name] for name in expected if found[name] != expected[name]} == {}
    assert len(expected["History"]) > 5
    assert panel.num_trials == 9
    # Bars of trials that run go to that moment, not to this day.
    assert max(at for row in mark_numbers(panel.plots["Timeline"]).rows for at in row[1:2]) <= 88.0


def test_curves_of_the_future_go(show, refresh, replay):
    search = replay()
    now = [0.0]
    plot = show(CurvesPlot, search, clock=lambda: now[0])

    def look():
        for _ in range(3):
            now[0] += 100.0
            refresh(plot)
            if plot._answer is not None:
                plot._answer.result()
        return {row[0]: row[3] for row in plot.numbers().rows}

    search.seek(DURATION)
    assert len(look()) == sum(state is not TrialState.FAILED for state in ENDS) * NUM_TRIALS // len(ENDS)
    search.seek(16.0)  # the first trial has ended, the second one has reported once
    assert look() == {"#0": 1, "#1": 0}


def test_a_distribution_has_no_room_for_values_of_the_future(show, refresh, replay):
    search = replay()
    search.seek(30.0)
    early = show(DistributionPlot, search)._x.domain
    search.seek(DURATION)
    plot = show(DistributionPlot, search)
    assert plot._x.domain != early
    search.seek(30.0)
    refresh(plot)
    assert plot._x.domain == early


def test_the_best_so_far_ends_with_the_last_trial_when_a_replay_goes_back(show, refresh, replay):
    search = replay()
    plot = show(HistoryPlot, search)
    corners = set()
    for position in (DURATION, 390.0, 330.0, 270.0, 210.0, 150.0):
        search.seek(position)
        refresh(plot)
        line = plot.figures[0]._best_line
        assert line.x[-1] == len(search.snapshot()) - 1
        corners.add(tuple(line.x[:-1]))
    assert len(corners) < 6  # of two moments at least they are the same


def test_a_filter_by_a_version_of_the_space_stays_when_a_replay_goes_back_before_it(
    show, wire, refresh, acknowledge, replay
):
    search = replay()
    panel = show(OptimizerWidget, search, plots=["History", "Distribution"])
    acknowledge(panel)  # a tab that nobody has looked at is not made
    search.seek(DURATION - 1)
    refresh(panel)
    panel.filter = {"epochs": (1,)}
    search.seek(50.0)
    refresh(panel)
    assert len(search.epochs) == 1
    assert [tab.is_made for tab in panel._plots.children] == [True, False]
    panel._plots.selected_index = 1
    assert panel.plots["Distribution"].filter == panel.filter
    wire.browser_says(panel._filter_bar, kind="add", condition="inside", value=True, id="a")
    assert panel._filter_bar.answer == {"id": "a", "problem": ""}
    assert (panel.filter.epochs, panel.filter.inside) == ((1,), True)
    with pytest.raises(traitlets.TraitError, match="do not exist: 2; the search has had 2"):
        panel.filter = {"epochs": (2,)}


def test_a_replay_that_no_panel_can_show_leaves_no_comm_open(wire, replay):
    with pytest.raises(traitlets.TraitError):
        OptimizerWidget(replay(), top_k=0)
    assert wire.num_open() == 0


def test_the_bar_plays_and_goes_where_a_page_says(show, wire, refresh, replay):
    clock = [0.0]
    search = replay(speed=5.0, clock=lambda: clock[0])
    panel = show(OptimizerWidget, search)
    bar = next(part for part in panel._parts.children if isinstance(part, ReplayBar))
    assert (bar.duration, bar.speed, bar.speeds) == (DURATION, 5.0, [0.1, 1.0, 2.0, 5.0, 10.0, 100.0])
    assert bar.words == "1 of 40 trials, 0:00 of 7:00"

    wire.browser_says(bar, kind="seek", position=45.0, id=7)
    refresh(panel)
    assert (bar.position, bar.answered, bar.words) == (45.0, 7.0, "5 of 40 trials, 0:45 of 7:00")
    # Of a page whose clock is behind: the one that has asked before still has its answer.
    wire.browser_says(bar, kind="seek", position=45.0, id=6)
    refresh(panel)
    assert (bar.position, bar.answered) == (45.0, 7.0)
    wire.browser_says(bar, kind="play", on=True)
    clock[0] += 3.0
    search.refresh()
    refresh(panel)
    assert (bar.position, bar.is_playing, panel.num_trials) == (60.0, True, 7)
    wire.browser_says(bar, kind="speed", speed=100.0)
    wire.browser_says(bar, kind="play", on=False)
    refresh(panel)
    assert (bar.is_playing, bar.speed, search.is_playing) == (False, 100.0, False)


@pytest.mark.parametrize(
    "said",
    [
        {"kind": "seek", "position": "9", "id": 1},
        {"kind": "seek", "position": 9.0},
        {"kind": "seek", "position": 10**400, "id": 1},
        {"kind": "seek", "position": float("nan"), "id": 1},
        {"kind": "speed", "speed": 3.0},
        {"kind": "speed", "speed": True},
    ],
)
def test_nonsense_of_a_page_moves_nothing_and_is_told(show, wire, refresh, replay, said):
    search = replay()
    panel = show(OptimizerWidget, search, plots=["History"])
    bar = next(part for part in panel._parts.children if isinstance(part, ReplayBar))
    wire.browser_says(bar, **said)
    refresh(panel)
    assert (search.position, search.speed) == (0.0, 10.0)
    assert "nothing was changed" in panel._status_panel.notices[0]["text"]


def test_nothing_is_steered_and_nothing_waited_for(show, refresh, replay):
    search = replay()
    panel = show(OptimizerWidget, search, plots=["History"])
    before = panel.ranges
    panel.ranges = {"dropout": (0.2, 0.3)}
    refresh(panel)
    assert panel.ranges == before
    assert any("this is a replay" in line["text"] for line in panel._status_panel.notices)
    with pytest.raises(traitlets.TraitError, match="a replay runs nothing"):
        panel.waiting = True
    assert search.status is SearchStatus.RUNNING  # as it was then
    # It is no search that is still running.
    assert show(OptimizerWidget, ScriptedSearch(name="digits"))._earlier is None


def test_what_was_never_started_cannot_be_played(show, tmp_path):
    path = plant(tmp_path / "digits.sqlite")
    with Journal.view(path) as reader:
        header = reader.header
    Journal.create(tmp_path / "new.sqlite", "digits-2", header).close()
    with SearchReplay(tmp_path / "new.sqlite") as search:
        panel = show(OptimizerWidget, search, plots=["History"])
        bar = next(part for part in panel._parts.children if isinstance(part, ReplayBar))
        assert bar.commands == {"play": "nothing was recorded: this search was never started"}


def test_a_bar_is_of_a_replay(show):
    with pytest.raises(TypeError, match="plays a replay, got a ScriptedSearch"):
        show(ReplayBar, ScriptedSearch())
