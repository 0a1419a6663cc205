"""The panel of a race: what it shows of a race that has ended, its buttons, and what it frees."""

from __future__ import annotations

import threading
import time

import pytest

from hpo_widgets import Race, StrategyRace, UniformParameterRange
from hpo_widgets.objectives.landscape import with_landscape
from hpo_widgets.testing.objectives import branin
from hpo_widgets.widget.comparison.strategy_race import start_word

SPACE = [UniformParameterRange("x", -5, 10), UniformParameterRange("y", 0, 15)]
DEADLINE = 1.0


@pytest.fixture(scope="module")
def finished():
    """A race that has ended."""
    with Race(branin, SPACE, ["grid", "random"], trials=9, repeats=2) as race:
        race.start()
        assert race.wait(DEADLINE)
        yield race


@pytest.fixture
def panel(show, finished):
    return show(StrategyRace, finished)


def test_a_race_that_has_ended_offers_as_many_repeats_again(panel):
    head = panel._head
    assert (head.status, head.start_word, head.facts) == (
        "completed", "Start 2 more", "9 trials × 2 repeats · same budget, same seeds",
    )  # fmt: skip
    assert [one["text"] for one in head.strategies] == ["18 / 18", "18 / 18"]
    assert head.commands["start"] is None
    assert head.commands["pause"] == "the race is not running"
    assert head.progress.startswith("2 of 2 repeats")


def test_standings_pairs_and_verdict_are_tables_of_words(panel, finished):
    standings, pairs = panel._tables.tables
    assert [row[0]["text"] for row in standings["rows"]] == [one.name for one in finished.summary().standings]
    low, share, high, even, _series = standings["rows"][0][-1]["interval"]
    assert 0 <= low <= share <= high <= 1
    assert even == 0.5
    assert "ahead of" in pairs["rows"][0][0]["text"]
    assert pairs["rows"][0][1]["text"].endswith("of 2")
    assert "not distinguishable yet" in panel._tables.verdict[0]
    assert "above the optimum" in standings["note"]


def test_the_maps_show_the_repeat_that_was_chosen(panel, finished):
    shown = panel._maps[1]._trials
    newest = shown.x.tolist()
    assert newest == finished.finished[1].rows["random"].parameters["x"].tolist()
    panel.repeat = 1
    panel._refresher.refresh()
    assert shown.x.tolist() == finished.finished[0].rows["random"].parameters["x"].tolist()
    assert panel._chooser.value == 1
    with pytest.raises(Exception, match="at most 2"):
        panel.repeat = 3


def test_the_figure_is_against_trials_or_time_and_has_its_numbers_as_a_table(panel):
    assert panel._plot._figure.x.axis.label == "trial"
    panel._plot.against = "minutes"
    panel._refresher.refresh()
    assert panel._plot._figure.x.axis.label == "seconds"
    numbers = panel._plot.numbers()
    assert numbers.columns[:2] == ("minutes", "grid median")
    assert numbers.rows


def test_a_page_asks_for_commands_and_for_nothing_else(panel, wire, monkeypatch):
    asked = []
    monkeypatch.setattr(panel.race, "command", asked.append)
    for name in ("start", "pause", "resume", "stop", "close", 3):
        wire.browser_says(panel._head, kind="command", name=name)
    assert asked == ["start", "pause", "resume", "stop"]
    wire.browser_sets(panel._head, title="mine")
    assert panel._head.title == "Race on branin"


def test_closing_frees_all_comms_and_leaves_a_race_that_was_given(wire, finished):
    panel = StrategyRace(finished)
    panel.close()
    assert wire.num_open() == 0
    assert finished.capabilities["start"] is None


def test_a_race_that_was_made_here_is_closed_with_its_panel(wire):
    panel = StrategyRace(branin, SPACE, ["grid", "random"], trials=3, repeats=1)
    assert panel.start()
    assert panel.wait(DEADLINE)
    panel.close()
    assert wire.num_open() == 0
    assert panel.race.capabilities["start"] == "the race is closed"


@pytest.fixture
def begun(show):
    """A race in its only repeat, of whose strategies each has more than 20 of 3,000 trials."""
    panel = show(StrategyRace, branin, SPACE, ["grid", "random"], trials=3000, repeats=1)
    begun = threading.Event()
    panel.race.subscribe(lambda: begun.set() if min(panel.race.num_ended.values()) > 20 else None)
    panel.start()
    assert begun.wait(60)
    return panel


def test_what_runs_is_drawn_before_a_repeat_has_ended(begun):
    begun.pause()
    begun._refresher.refresh()
    assert begun._head.status == "paused"
    # No line goes on to trials that have not run.
    assert all(20 < line.band.at[-1] < 3000 for line in begun._plot._drawn)
    assert len(begun._maps[0]._trials.x) > 0
    assert begun._tables.verdict[0] == "No repeat has ended yet."
    assert start_word(begun.race) == "Start"
    begun.stop()


def test_what_a_stop_breaks_off_stays_to_be_seen_until_the_next_repeat_runs(begun):
    assert begun.stop(1)
    begun._refresher.refresh()
    assert begun._head.progress.startswith("0 of 1 repeat, one broken off · ")
    num_kept = [len(begun.race.broken.traces[name].levels) for name in begun.race.names]
    assert min(num_kept) > 20
    assert [one["text"] for one in begun._head.strategies] == [f"{count} / 3000" for count in num_kept]
    assert all(len(line.band.at) > 20 for line in begun._plot._drawn)
    assert all(len(one._trials.x) > 20 for one in begun._maps)
    assert begun._tables.verdict[0] == "No repeat has ended yet."
    assert begun.race.num_ended == {"grid": 0, "random": 0}
    assert begun._repr_mimebundle_()["image/png"]

    again = threading.Event()
    begun.race.subscribe(lambda: again.set() if begun.race.current else None)
    begun.start()
    assert again.wait(60)
    assert begun.race.broken is None


def test_an_earlier_race_of_the_cell_that_still_runs_is_told_of_shown_and_stopped(show, wire):
    first = show(StrategyRace, lambda x, y: time.sleep(600), SPACE, ["grid", "random"], name="slow")
    assert first.start()
    second = show(StrategyRace, branin, SPACE, ["grid", "random"], name="slow")
    line = second._earlier
    assert line.sentence == "An earlier race on 'slow' is still running, on the same machine as this one."
    assert show(StrategyRace, branin, SPACE, ["grid", "random"], name="other")._earlier is None
    assert show(StrategyRace, first.race)._earlier is None

    wire.browser_says(line, kind="show")
    assert second.children[1].race is first.race
    wire.browser_says(line, kind="stop")
    assert first.wait(DEADLINE)
    second._refresher.refresh()
    assert line.sentence == ""


def test_several_earlier_races_that_run_are_counted_and_stopped_together(show, wire):
    earlier = [show(StrategyRace, lambda x, y: time.sleep(600), SPACE, ["grid", "random"], name="slow") for _ in "ab"]
    assert all(one.start() for one in earlier)
    line = show(StrategyRace, branin, SPACE, ["grid", "random"], name="slow")._earlier
    assert line.sentence == "2 earlier races are still running, on the same machine as this one."
    wire.browser_says(line, kind="stop")
    assert all(one.wait(DEADLINE) for one in earlier)


def test_a_space_of_one_parameter_has_no_map(show):
    panel = show(StrategyRace, lambda x: x, [UniformParameterRange("x", 0, 1)], ["grid", "random"])
    assert panel._maps == []
    assert panel._looks.children == ()


def test_an_optimum_is_in_the_key_where_it_is_in_the_maps(show):
    known = with_landscape(0.0, {"x": 1.0, "y": 2.0})(lambda x, y, z: x * y * z)
    space = [*SPACE, UniformParameterRange("z", 0, 1)]
    keys = [show(StrategyRace, known, space, ["grid", "random"], y=y)._said.value for y in ("y", "z")]
    assert keys == ["▲ best found · ✚ optimum", "▲ best found"]


@pytest.mark.parametrize(
    ("arguments", "keywords", "error", "said"),
    [
        ((branin,), {}, TypeError, "needs hyper_parameters"),
        ((branin, SPACE), {"x": "z"}, ValueError, "no parameter 'z'"),
        ((branin, SPACE), {"x": "x", "y": "x"}, ValueError, "twice"),
        ((branin, SPACE, ["grid", "randm"]), {}, ValueError, "Did you mean 'random'"),
    ],
)
def test_bad_input_is_refused_before_anything_is_opened(wire, arguments, keywords, error, said):
    with pytest.raises(error, match=said):
        StrategyRace(*arguments, **keywords)
    assert wire.num_open() == 0


def test_a_race_that_is_made_takes_nothing_else(wire, finished):
    with pytest.raises(TypeError, match="takes no trials"):
        StrategyRace(finished, trials=3)


def test_the_picture_is_that_of_the_best_so_far(panel):
    assert panel.picture().startswith(b"\x89PNG")


def test_before_a_repeat_has_ended_there_is_no_file_of_trials(show):
    menu = show(StrategyRace, branin, SPACE, ["grid", "random"])._export
    with pytest.raises(ValueError, match="no repeat has ended yet"):  # which the menu tells whoever asked
        menu.file("csv")


def test_its_trials_its_plot_and_a_page_of_it_are_files(panel, finished):
    assert [one["what"] for one in panel._export.files] == ["csv", "png", "svg", "html"]
    name, data, _ = panel._export.file("csv")
    assert name == "-".join(finished.names) + ".csv"
    assert len(data.decode().splitlines()) == 1 + len(finished.to_dataframe())
    assert panel._export.file("png")[1].startswith(b"\x89PNG")
    page = panel._export.file("html")[1].decode()
    assert f'data-widget="{panel.model_id}"' in page
    assert "this is a saved page" in page
