"""A race of strategies: equal budgets and seeds, pairs by repeat, one Start, Pause and Stop, nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import psutil
import pytest

from hpo_widgets import (
    GridSearch,
    HyperParameterOptimizer,
    OptimizerBOHB,
    OptimizerOptuna,
    Race,
    RandomSearch,
    StrategyRace,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from hpo_widgets.search import SearchStatus
from hpo_widgets.testing.objectives import branin
from hpo_widgets.trials import TrialState

SPACE = [UniformParameterRange("x", -5, 10), UniformParameterRange("y", 0, 15)]
DEADLINE = 1.0
"""Minutes after which a race is taken to hang."""


def slow(x, y, trial):
    import time

    for iteration in range(1000):
        trial.report_scalar("validation", "loss", x + y, iteration)
        time.sleep(0.05)
    return x + y


def failing(x, y):
    raise RuntimeError("no such machine")


def held_at(gate, number):
    """Shut the gate, and return a function of which one trial waits until it is open."""
    gate.shut()
    path = str(gate.path)

    def held(x, y, trial):
        while trial.number == number and not os.path.exists(path):
            time.sleep(0.002)
        return branin(x, y)

    return held


@pytest.fixture
def race():
    """``race(function, space, strategies, ...)`` gives a race that is closed after the test."""
    made = []

    def make(function=branin, space=SPACE, strategies=("grid", "random"), **keywords):
        made.append(Race(function, space, strategies, **{"trials": 4, "repeats": 2, **keywords}))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(scope="module")
def finished():
    """A race of three strategies that has ended."""
    with Race(branin, SPACE, ["grid", "random", "TPE"], trials=9, repeats=2, seed=5) as race:
        assert race.start()
        assert race.wait(DEADLINE)
        yield race


def ended(race):
    race.start()
    assert race.wait(DEADLINE)
    return race


def points(race, repeat, name):
    rows = race.finished[repeat].rows[name]
    return list(zip(rows.parameters["x"].tolist(), rows.parameters["y"].tolist(), strict=True))


def threads():
    return {one for one in threading.enumerate() if one.name == "hpo_widgets race"}


PROGRAM = """
import atexit, os, sys, tempfile, time

tempfile.tempdir = sys.argv[1]


@atexit.register  # first, so that it is called last
def tell():
    stop()
    print(os.listdir(sys.argv[1]))


from hpo_widgets import Race, UniformParameterRange

SPACE = [UniformParameterRange("x", 0, 1), UniformParameterRange("y", 0, 1)]


def slow(x, y):
    import time

    time.sleep(0.01)
    return x


"""


def until(race, condition):
    """Wait for a change of the race after which the condition holds."""
    changed = threading.Event()
    unsubscribe = race.subscribe(changed.set)
    while not condition():
        assert changed.wait(60)
        changed.clear()
    unsubscribe()


def processes():
    """What this process has started, and what that has."""
    return {one.pid for one in psutil.Process().children(recursive=True)}


def test_each_strategy_has_the_same_budget_and_the_same_seed_in_each_repeat(finished):
    assert finished.status is SearchStatus.COMPLETED
    assert [one.seed for one in finished.finished] == [5, 6]
    for repeat in finished.finished:
        assert {name: int((rows.state == TrialState.COMPLETED).sum()) for name, rows in repeat.rows.items()} == {
            "grid": 9, "random": 9, "TPE": 9,
        }  # fmt: skip
    assert finished.num_ended == {"grid": 18, "random": 18, "TPE": 18}


def test_the_grid_is_the_same_in_each_repeat_and_the_others_are_not(finished):
    assert points(finished, 0, "grid") == points(finished, 1, "grid")
    assert points(finished, 0, "random") != points(finished, 1, "random")


def test_the_same_seeds_give_the_same_race(finished, race):
    again = ended(race(strategies=["grid", "random", "TPE"], trials=9, repeats=2, seed=5))
    for name in again.names:
        assert points(again, 1, name) == points(finished, 1, name)
    assert again.summary().pairs == finished.summary().pairs


def test_what_came_out_is_a_summary_and_a_frame(finished):
    summary = finished.summary()
    assert {one.name for one in summary.standings} == {"grid", "random", "TPE"}
    assert sum(one.wins for one in summary.standings) <= 2
    assert all(one.wins + one.losses + one.ties == 2 for one in summary.pairs)
    assert "not distinguishable yet" in str(summary)
    frame = finished.to_dataframe()
    assert frame.groupby(["strategy", "repeat"]).size().tolist() == [9] * 6
    assert set(frame.loc[frame["repeat"] == 2, "seed"]) == {6}
    best = frame[(frame["strategy"] == "random") & (frame["repeat"] == 1)][finished.objective.key].min()
    assert finished.finished[0].traces["random"].end == best


def test_before_the_first_repeat_has_ended_a_summary_says_only_that(race):
    assert str(race().summary()) == "No repeat has ended yet. The verdict needs whole repeats."


def seeded(seed, strategy, repeat, number):
    return float(seed + strategy + repeat + number)


def test_a_parameter_may_be_called_like_what_the_frame_tells_of_the_race(race):
    names = ("seed", "strategy", "repeat", "number")
    one = ended(
        race(seeded, [UniformIntegerParameterRange(name, 1, 9) for name in names], trials=1, repeats=1, seed=77)
    )
    frame = one.to_dataframe()
    assert frame[["strategy", "seed"]].to_numpy().tolist() == [["grid", 77], ["random", 77]]
    drawn = frame[[f"General/{name}" for name in names]].sum(axis=1)
    assert drawn.tolist() == frame[one.objective.key].tolist()


@pytest.mark.parametrize("strategies", [["random", OptimizerBOHB], {"random": "random", "hyperband": OptimizerBOHB}])
def test_a_strategy_may_need_arguments_that_the_race_gives_all_searches(race, strategies):
    one = race(strategies=strategies, min_iteration_per_job=1, max_iteration_per_job=9, objective_metric_sign="max")
    own = OptimizerBOHB(min_iteration_per_job=1, max_iteration_per_job=9).title
    assert one.names == ("random", "hyperband" if isinstance(strategies, dict) else own)


def test_all_strategies_of_a_race_keep_to_a_constraint(race):
    made = race(strategies=["random", "TPE + GP"], constraint=lambda x, y: x < y, trials=12, repeats=1)
    made.start()
    assert made.wait(DEADLINE)
    frame = made.to_dataframe()
    assert len(frame) == 24
    assert (frame["x"] < frame["y"]).all()


def test_distances_from_a_known_optimum_are_compared(finished):
    assert finished.compares_distances
    own = finished.finished[0].traces["TPE"].end
    assert finished.traces()["TPE"][0].end == pytest.approx(own - 0.397887, abs=1e-5)


def test_the_verdict_tells_of_a_trial_that_is_better_than_the_optimum(race, finished):
    # The optimum of Branin's function is its least value; its greatest is wanted here.
    wrong = ended(race(repeats=1, trials=2, objective_metric_sign="max"))
    assert "better than the optimum that the function is said to have, 0.397887" in wrong.summary().verdict
    assert "optimum" not in finished.summary().verdict


def test_after_the_end_start_runs_as_many_repeats_again(race):
    one = ended(race(repeats=1, trials=2))
    assert one.start()
    assert one.wait(DEADLINE)
    assert [repeat.seed for repeat in one.finished] == [0, 1]
    assert one.target == 2


def test_stop_ends_all_processes_and_the_broken_repeat_counts_for_nothing(race):
    before = processes()
    one = race(slow, strategies=["random", "TPE"], workers=2)
    running = threading.Event()

    def note():
        current = one._running
        if current is not None and all(search.counts[TrialState.RUNNING] == 2 for search in current.searches.values()):
            running.set()

    one.subscribe(note)
    one.start()
    assert running.wait(60)
    started = processes() - before
    assert len(started) >= 4
    assert one.stop(DEADLINE)
    assert one.status is SearchStatus.STOPPED
    assert not started & processes()
    for thread in threads():  # it says that it has ended just before it has
        thread.join(60)
    assert threads() == set()
    assert one.finished == ()
    assert one.capabilities["start"] is None


def test_closing_a_race_removes_its_journals_and_keeps_what_came_out(race):
    one = race(repeats=1, trials=2)
    folder = Path(one._folder.name)
    one.start()
    assert one.wait(DEADLINE)
    assert list(folder.iterdir())
    one.close()
    assert not folder.exists()
    assert len(one.to_dataframe()) == 4
    with pytest.raises(RuntimeError, match="closed"):
        one.start()


def test_journals_are_kept_where_one_says(race, tmp_path):
    one = ended(race(repeats=1, trials=2, journal=tmp_path / "kept"))
    one.close()
    assert len(list((tmp_path / "kept").glob("*.sqlite"))) == 2


def test_script_and_journals_stay_where_they_were_when_the_working_directory_changes(race, tmp_path, monkeypatch):
    script, elsewhere = Path("train.py"), tmp_path / "elsewhere"
    script.write_text("from hpo_widgets import report_scalar\nreport_scalar('validation', 'loss', 1.0, 0)\n")
    named = {"objective_metric_title": "validation", "objective_metric_series": "loss"}
    one = race(script, strategies={"a": "random", "b": "random"}, trials=1, repeats=2, journal="kept", **named)
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert ended(one).status is SearchStatus.COMPLETED, one.reason
    assert len(list((tmp_path / "kept").glob("*.sqlite"))) == 4
    assert not list(elsewhere.iterdir())


def test_a_paused_race_launches_nothing_and_goes_on(race, gate):
    held = held_at(gate, 5)

    def have(condition):
        return one._running is not None and all(map(condition, one._running.searches.values()))

    one = race(held, trials=40, repeats=1, strategies=["random", GridSearch])
    one.start()
    until(one, lambda: have(lambda search: search.counts[TrialState.COMPLETED] == 5 and len(search.snapshot()) == 6))
    one.pause()
    assert one.status is SearchStatus.PAUSED
    assert one.capabilities["resume"] is None
    until(one, lambda: have(lambda search: search.status is SearchStatus.PAUSED))
    gate.open()
    until(one, lambda: have(lambda search: not search.get_num_active_experiments()))
    assert one.num_ended == {"random": 6, "grid search": 6}
    assert not one.wait(0.0)
    one.resume()
    assert one.wait(DEADLINE)
    assert one.num_ended == {"random": 40, "grid search": 40}


def test_a_pause_that_is_taken_back_while_a_search_is_busy_does_not_stay(race):
    is_asked, may_answer = threading.Event(), threading.Event()

    class Busy(RandomSearch):
        """Keeps the thread of its search busy with its first point."""

        def ask(self):
            is_asked.set()
            assert may_answer.wait(60 * DEADLINE)
            return super().ask()

    one = race(strategies={"random": "random", "busy": Busy}, repeats=1)
    one.start()
    assert is_asked.wait(60 * DEADLINE)
    random, busy = one._running.searches.values()
    one.pause()
    until(one, lambda: not random.status.is_alive or random.status is SearchStatus.PAUSED)
    one.resume()
    deadline = time.monotonic() + 0.3
    while not busy.errors and time.monotonic() < deadline:  # where the resume is refused, it is so now
        time.sleep(0.002)
    may_answer.set()
    assert one.wait(DEADLINE)
    assert one.num_ended == {"random": 4, "busy": 4}


def test_a_race_can_be_stopped_while_it_is_paused(race):
    one = race(slow, repeats=1)
    one.start()
    one.pause()
    assert one.stop(DEADLINE)
    assert one.status is SearchStatus.STOPPED


def test_a_start_while_a_race_is_stopping_begins_when_it_has_stopped(race, gate):
    gate.shut()
    path = str(gate.path)

    def held(x, y):
        while not os.path.exists(path):
            time.sleep(0.002)
        return branin(x, y)

    one = race(held, trials=3, repeats=1)
    one.start()
    until(one, lambda: one._running is not None)
    one.command("stop")
    assert one.start() is True
    gate.open()
    assert one.wait(DEADLINE)
    assert one.status is SearchStatus.COMPLETED
    assert one.num_ended == dict.fromkeys(one.names, 3)


@pytest.mark.parametrize(
    ("commands", "status"),
    [
        (("start", "pause"), SearchStatus.PAUSED),
        (("start", "pause", "start"), SearchStatus.PAUSED),
        (("start", "pause", "resume"), SearchStatus.RUNNING),
        (("pause", "start"), SearchStatus.RUNNING),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, tuple) else str(given),
)
def test_a_pause_of_a_start_that_waits_for_the_end_of_a_race_holds(race, gate, monkeypatch, commands, status):
    one = race(held_at(gate, 1), trials=3, repeats=1)
    may_end = threading.Event()
    end = one._end
    monkeypatch.setattr(one, "_end", lambda running: (may_end.wait(60), end(running)))
    one.start()
    until(one, lambda: one._running is not None)
    one.command("stop")
    for name in commands:
        getattr(one, name)()
    assert one.status is SearchStatus.STOPPING
    may_end.set()
    until(one, lambda: one.status is status)
    gate.open()
    if status is SearchStatus.PAUSED:
        assert one.wait(0.0005) is False
        assert one._running is None
        one.resume()
    assert one.wait(DEADLINE)
    assert one.num_ended == dict.fromkeys(one.names, 3)


def test_a_start_while_a_race_is_stopping_and_a_stop_after_it_begin_nothing_more(race):
    one = race(slow, repeats=1)
    one.start()
    one.command("stop")
    one.start()
    assert one.stop(DEADLINE)
    assert one.status is SearchStatus.STOPPED


def test_a_stop_returns_with_the_run_that_it_stopped_though_another_has_begun(race, monkeypatch):
    one = race(slow, repeats=1)
    may_end = threading.Event()
    end = one._end

    def end_late(running):
        assert may_end.wait(60)
        end(running)

    monkeypatch.setattr(one, "_end", end_late)
    one.start()
    until(one, lambda: one._running is not None)
    has_stopped = threading.Event()
    stopping = threading.Thread(target=lambda: one.stop(DEADLINE) and has_stopped.set())
    stopping.start()
    until(one, lambda: one.status is SearchStatus.STOPPING)
    one.start()
    may_end.set()
    assert has_stopped.wait(30)
    assert one.status is SearchStatus.RUNNING
    one.stop()
    stopping.join()


def test_a_strategy_that_leaves_by_sys_exit_when_it_is_made_ends_the_race_and_says_so(race):
    class Leaving(RandomSearch):
        is_to_leave = False

        def __init__(self, **keywords):
            if Leaving.is_to_leave:
                raise SystemExit("enough")
            super().__init__(**keywords)

    one = race(strategies={"random": "random", "leaving": Leaving})
    Leaving.is_to_leave = True
    assert ended(one).status is SearchStatus.FAILED
    assert one.reason == "SystemExit: enough"
    assert len(one.finished) == 1


def test_a_subscriber_that_raises_does_a_race_no_harm(race, caplog):
    one, told = race(), threading.Event()
    one.subscribe(lambda: 1 / 0)
    one.subscribe(told.set)
    assert ended(one).status is SearchStatus.COMPLETED
    assert told.is_set()
    assert "subscriber" in caplog.text


def test_a_function_that_always_fails_ends_the_race_and_says_so(race):
    one = ended(race(failing, trials=30, max_failures=2))
    assert one.status is SearchStatus.FAILED
    assert "repeat 1" in one.reason


def test_a_race_for_which_no_thread_is_left_has_failed_and_may_be_started_again(race, monkeypatch):
    one = race(repeats=1, trials=2)
    start = threading.Thread.start

    def no_thread(self):
        if self.name == "hpo_widgets race":
            raise RuntimeError("can't start new thread")
        start(self)

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        assert not one.start()
    assert (one.status, one.reason) == (SearchStatus.FAILED, "no thread could be started: can't start new thread")
    assert one.wait(0.0)
    assert one.stop(0.0)
    assert ended(one).status is SearchStatus.COMPLETED
    assert one.reason == ""


def test_a_repeat_that_ends_while_its_trials_are_counted_is_counted_once(gate):
    held = held_at(gate, 1)

    class Ending(Race):
        """Ends its repeat as soon as somebody looks at those that have ended."""

        @property
        def finished(self):
            gate.open()
            assert self.wait(DEADLINE)
            return super().finished

    with Ending(held, SPACE, ["grid", "random"], trials=2, repeats=1) as one:
        one.start()
        until(one, lambda: one.current and all(len(trace.levels) == 1 for trace in one.current.traces.values()))
        assert one.num_ended == one.num_shown == {"grid": 1, "random": 1}
        assert len(one.finished) == 1
        assert one.num_ended == one.num_shown == {"grid": 2, "random": 2}


def test_a_space_that_is_used_up_ends_a_search_early_and_the_race_goes_on(race):
    few = [UniformIntegerParameterRange("x", 0, 1), UniformIntegerParameterRange("y", 0, 1)]
    one = ended(race(space=few, trials=9, repeats=1))
    assert one.status is SearchStatus.COMPLETED
    assert one.num_ended == {"grid": 4, "random": 4}


def test_strategies_have_names_of_ones_own():
    with Race(
        branin, SPACE, {"few": (OptimizerOptuna, {"max_observations": 30}), "all": "TPE", "by chance": RandomSearch}
    ) as one:
        assert one.names == ("few", "all", "by chance")


def test_names_that_no_message_to_a_page_can_hold_are_spelt_out(race):
    one = race(strategies={"grid": "grid", "r\udcff": "random"}, name="b\ud800")
    assert (one.name, one.names) == (r"b\ud800", ("grid", r"r\udcff"))
    with pytest.raises(ValueError, match="two strategies are called"):
        race(strategies={"r\udcff": "grid", r"r\udcff": "random"})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (lambda: (branin,), "hyper_parameters"),
        (lambda: (HyperParameterOptimizer(branin, SPACE), SPACE), r"got a search; compare\(\[a, b\]\) shows searches"),
    ],
    ids=["no space", "a search"],
)
@pytest.mark.parametrize("kind", [Race, StrategyRace])
def test_what_is_no_function_or_has_no_space_is_answered_with_what_to_give(kind, arguments, said):
    with pytest.raises(TypeError, match=said):
        kind(*arguments())


@pytest.mark.parametrize(
    "runs",
    [
        """
            race = Race(slow, SPACE, ["random", "grid"], trials=5000)
            stop = race.stop
            race.start()
            while not all(race.num_ended.values()):
                time.sleep(0.01)
        """,
        """
            from hpo_widgets.widget import Challenge

            challenge = Challenge(slow, SPACE, "random", trials=5000)
            own, rival = challenge._own, challenge._rival
            stop = lambda: (own.stop(), rival.stop())
            challenge.propose(x=0.5, y=0.5)
            while not len(rival.snapshot()):
                time.sleep(0.01)
        """,
    ],
    ids=["race", "challenge"],
)
def test_a_program_that_ends_while_it_runs_leaves_no_folder(runs, tmp_path):
    own = [sys.executable, "-c", PROGRAM + textwrap.dedent(runs), str(tmp_path)]
    ended = subprocess.run(own, check=False, capture_output=True, text=True, timeout=60 * DEADLINE)
    assert ended.stdout == "[]\n", ended.stderr


@pytest.mark.parametrize(
    ("keywords", "error", "said"),
    [
        ({"strategies": ["grid"]}, ValueError, "2 to 4 strategies, got 1"),
        ({"strategies": ["grid"] * 5}, ValueError, "2 to 4 strategies, got 5"),
        ({"strategies": "grid"}, TypeError, "a list such as"),
        ({"strategies": ["grid", "randm"]}, ValueError, "Did you mean 'random'"),
        ({"strategies": ["grid", dict]}, TypeError, "optimizer_class must be one of"),
        ({"strategies": [OptimizerOptuna] * 2}, ValueError, r"two strategies are called 'TPE \+ GP'"),
        ({"strategies": ["grid", (RandomSearch, {"sed": 1})]}, TypeError, "Did you mean 'seed'"),
        ({"strategies": ["grid", (RandomSearch, {"seed": 1})]}, TypeError, "give seed= to the race"),
        ({"trials": 0}, ValueError, "trials"),
        ({"repeats": 1.5}, (TypeError, ValueError), "repeats"),
        ({"workers": "two"}, (TypeError, ValueError), "workers"),
        ({"seed": -1}, ValueError, "seed must be a whole number"),
        ({"total_max_jobs": 5}, TypeError, "use trials"),
        ({"execution_queue": "default"}, TypeError, "execution_queue"),
        ({"function": "0" * 32}, ValueError, "on this machine"),
        ({"space": [UniformParameterRange("z", 0, 1)]}, (TypeError, ValueError), "z"),
        (
            {
                "objective_metric_title": ["a", "b"],
                "objective_metric_series": ["a", "b"],
                "objective_metric_sign": ["min", "min"],
            },
            ValueError,
            "one objective",
        ),
        ({"journal": "runs/race.sqlite"}, ValueError, "journal is a folder here, .*got 'runs/race.sqlite'"),
        ({"journal": Path("race.sqlite")}, ValueError, "journal is a folder here"),
        ({"journal": "sqlite:///race.db"}, ValueError, "not an address"),
        ({"max_failure": 2}, TypeError, "Did you mean 'max_failures'"),
        ({"repeat": 2}, TypeError, "a race takes no repeat. Did you mean 'repeats'"),
        ({"space": SPACE[0]}, TypeError, "put it in a list"),
        ({"space": {"x": (0, 1)}}, TypeError, "got a dict; write"),
    ],
)
def test_bad_input_is_refused_before_anything_runs(race, keywords, error, said):
    with pytest.raises(error, match=said):
        race(**keywords)
    assert threads() == set()
