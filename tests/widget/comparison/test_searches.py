"""compare: searches side by side, and what cannot be compared."""

from __future__ import annotations

import numpy as np
import pytest
from bqplot import LogScale

from hpo_widgets import (
    DiscreteParameterRange,
    HyperParameterOptimizer,
    UniformIntegerParameterRange,
    UniformParameterRange,
    compare,
)
from hpo_widgets.journal import Journal
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.testing.objectives import sphere
from hpo_widgets.trials import TrialState
from hpo_widgets.viewer import SearchViewer
from hpo_widgets.widget import HistoryPlot
from hpo_widgets.widget.comparison.searches import differences
from tests.viewer.test_viewer import HEADER, START, row

PARAMETERS = [UniformParameterRange("x", 0, 1), UniformParameterRange("y", 0, 1)]


def searched(name, values, parameters=PARAMETERS, **keywords):
    search = ScriptedSearch(parameters, name=name, **keywords)
    search.command("start")
    random = np.random.default_rng(len(name))
    for value in values:
        search.advance(60)
        search.add_trial(float(value), {one.name: float(random.random()) for one in parameters})
    return search


def texts(table):
    return [[cell["text"] for cell in row] for row in table["rows"]]


def test_the_best_so_far_of_each_search_is_drawn_by_trial_and_by_minutes(show, refresh):
    shown = show(compare, [searched("wide", [3, 1, 2]), searched("narrow", [2])])
    assert [line.name for line in shown._plot._drawn] == ["wide", "narrow"]
    assert shown._plot._drawn[0].band.median.tolist() == [3, 1, 1]
    shown._plot.against = "minutes"
    refresh(shown)
    assert len(shown._plot._drawn[0].band.at) == 3
    assert "loss" in shown._plot._figure.y.axis.label


def test_the_axis_of_values_is_logarithmic_where_that_of_the_history_is(show):
    # All but the first trials of the best so far are close together, what was tried is not.
    values = [500, *np.geomspace(2, 400, 30)]
    wide, narrow = searched("wide", values), searched("narrow", values[:20])
    assert show(HistoryPlot, wide).figure.axes[1].scale.__class__ is LogScale
    assert show(compare, [wide, narrow])._plot._figure.y.domain.is_log
    accuracies = [0.03, *[0.1] * 9, *[0.9] * 10, 0.97]
    searches = [searched(name, accuracies, signs="max") for name in ("a", "bb")]
    assert not show(compare, searches)._plot._figure.y.domain.is_log
    even = np.linspace(5, 9, 30)
    assert not show(compare, [searched("a", even), searched("bb", even)])._plot._figure.y.domain.is_log


def test_the_parameters_of_the_best_are_a_table_and_a_frame(show):
    wide, narrow = searched("wide", [3, 1, 2]), searched("narrow", [2])
    shown = show(compare, {"first": wide, "second": narrow})
    best, _importance = shown._tables.tables
    rows = texts(best)
    assert [row[0] for row in rows] == ["first", "second"]
    assert rows[0][1:4] == ["3, running", "1", "#1"]
    assert float(rows[0][4]) == pytest.approx(wide.trial(1).parameters["x"], rel=1e-3)
    frame = shown.to_dataframe()
    assert frame.loc["first", "x"] == wide.trial(1).parameters["x"]
    assert shown._tables.verdict == ("", "")


def test_columns_of_parameters_whose_names_begin_alike_can_be_told_apart(show):
    names = [f"encoder_transformer_block_of_the_{place}_layer_learning_rate" for place in ("first", "third")]
    parameters = [UniformParameterRange(name, 0, 1) for name in names]
    shown = show(compare, [searched(name, [2], parameters) for name in ("a", "b")])
    for table in shown._tables.tables:
        heads = [column["label"] for column in table["columns"][-2:]]
        assert heads == [f"encoder_trans…{place}_layer_learning_rate" for place in ("first", "third")]


def test_a_parameter_that_is_called_like_a_column_has_another_title(show):
    parameters = [UniformParameterRange(name, 10, 11) for name in ("value", "trial", "search", "x")]
    wide, narrow = searched("wide", [3, 1, 2], parameters), searched("narrow", [2], parameters[:1])
    frame = show(compare, {"first": wide, "second": narrow}).to_dataframe()
    assert frame.index.tolist() == ["first", "second"]
    assert frame["value"].tolist() == [1, 2]
    assert frame["trial"].tolist() == [1, 0]
    for name, title in (("value", "General/value"), ("search", "General/search"), ("x", "x")):
        assert frame.loc["first", title] == wide.trial(1).parameters[name]


def test_values_of_the_best_keep_their_types_where_another_search_has_none(show):
    large = 2**53 + 1  # the smallest whole number that is no float
    parameters = [UniformIntegerParameterRange("n", 1, 9), DiscreteParameterRange("kind", ["a", None]),
                  DiscreteParameterRange("large", [large])]  # fmt: skip
    wide, narrow, empty = searched("wide", [], parameters), searched("narrow", [2]), searched("empty", [])
    wide.add_trial(1.0, {"n": 3, "kind": None, "large": large})
    frame = show(compare, [wide, narrow, empty]).to_dataframe()
    assert [repr(frame.loc["wide", name]) for name in ("n", "kind", "large")] == ["3", "None", repr(large)]
    assert frame["trial"].tolist()[:2] == [0, 0]
    assert (frame["x"].dtype, frame["trial"].dtype) == ("float64", "Int64")


def test_a_running_search_is_followed(show, refresh):
    wide, narrow = searched("wide", [3]), searched("narrow", [2])
    shown = show(compare, [wide, narrow])
    narrow.add_trial(0.5, {"x": 0.1, "y": 0.2})
    refresh(shown)
    assert texts(shown._tables.tables[0])[1][2] == "0.5"
    assert shown._plot._drawn[1].band.median.tolist() == [2, 0.5]


def test_an_opened_journal_is_compared_like_a_search(show, tmp_path):
    search = HyperParameterOptimizer(
        sphere, PARAMETERS, total_max_jobs=3, max_number_of_concurrent_tasks=1, journal=tmp_path, seed=1
    )
    search.start()
    assert search.wait(1.0)
    with HyperParameterOptimizer.open(search.journal_path) as viewer:
        shown = show(compare, {"kept": viewer, "run": search})
        kept, run = texts(shown._tables.tables[0])
        assert kept[1] == "3, completed"
        assert kept[2:] == run[2:]
        assert shown.sentences == ()
        shown.close()


def test_of_a_search_whose_process_died_it_is_said(show, tmp_path):
    with Journal.create(tmp_path / "digits-1.sqlite", "digits-1", HEADER) as made:
        made.write([row(0), row(1, TrialState.RUNNING)], [], [], [START])  # and no end
    with SearchViewer(made.path) as viewer:
        shown = show(compare, {"overnight": viewer, "today": searched("today", [2])})
        assert texts(shown._tables.tables[0])[0][1] == "2, interrupted"
        shown.close()


def test_importance_is_computed_for_each_search_that_has_enough_trials(show, refresh):
    some = searched("wide", [])
    random = np.random.default_rng(0)
    for _ in range(60):
        point = {"x": float(random.random()), "y": float(random.random())}
        some.add_trial(abs(point["x"] - 0.3), point)
    few = searched("narrow", [1, 2])
    for one in (some, few):
        one.command("stop")
    shown = show(compare, [some, few])
    rows = texts(shown._tables.tables[1])
    assert int(rows[0][1].rstrip("%")) > int(rows[0][2].rstrip("%"))
    assert rows[1][1:] == ["–", "–"]


def test_what_cannot_be_compared_is_said():
    same = {"a": searched("a", []), "b": searched("b", [])}
    assert differences(same) == []
    other = searched("b", [], [UniformParameterRange("x", 0, 1), UniformParameterRange("z", 0, 1)])
    assert differences({"a": same["a"], "b": other}) == ["The spaces differ: only a has y; only b has z."]
    [said] = differences({"a": same["a"], "b": searched("b", [], signs="max")})
    assert "which one is better cannot be said" in said
    [said] = differences({"a": same["a"], "b": searched("b", [], series="accuracy")})
    assert "which may not be comparable" in said
    same["b"].set_ranges({"x": (0.0, 0.5)})
    assert differences(same) == ["b has another range of x than a."]


def test_ranges_of_choices_are_compared_whatever_the_choices_are():
    def of(name, *choices):
        return searched(name, [], [DiscreteParameterRange("w", list(choices))])

    same = {"a": of("a", np.zeros(2), np.ones(2)), "b": of("b", np.zeros(2), np.ones(2))}
    assert differences(same) == []
    same["b"].set_ranges({"w": (same["b"].space.leaf("w").declared[0],)})
    assert differences(same) == ["b has another range of w than a."]
    assert differences({"a": of("a", True, 2), "b": of("b", 1, 2)}) == ["b has another range of w than a."]


def test_a_search_without_that_parameter_has_a_dash(show):
    other = searched("narrow", [2], [UniformParameterRange("x", 0, 1)])
    shown = show(compare, [searched("wide", [3]), other])
    assert texts(shown._tables.tables[0])[1][-1] == "–"
    assert "The spaces differ: only wide has y." in shown._tables.verdict[1]
    assert shown.sentences == ("The spaces differ: only wide has y.",)


def test_searches_of_one_name_are_told_apart(show):
    shown = show(compare, [searched("digits", [3]), searched("digits", [2])])
    assert list(shown.searches) == ["digits 1", "digits 2"]


def test_a_name_that_is_made_up_is_no_other_search_s_own(show):
    given = [searched(name, [3]) for name in ("digits", "digits", "digits 1")]
    shown = show(compare, given)
    assert shown.searches == {"digits 2": given[0], "digits 3": given[1], "digits 1": given[2]}


def test_closing_leaves_the_searches_and_frees_comms(wire):
    wide, narrow = searched("wide", [3]), searched("narrow", [2])
    shown = compare([wide, narrow])
    shown.close()
    assert wire.num_open() == 0
    assert wide.num_subscribers == narrow.num_subscribers == 0
    assert wide.status.is_alive


def test_a_name_that_no_message_to_a_page_can_hold_is_spelt_out(show):
    shown = show(compare, {"w\udcff": searched("wide", [3]), "narrow": searched("narrow", [2])})
    assert list(shown.searches) == [r"w\udcff", "narrow"]


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        (lambda: [searched("a", [])], ValueError, "2 to 4 searches, got 1"),
        (lambda: [searched("a", []), 3], TypeError, "got a int"),
        (lambda: "ab", TypeError, "a list of searches"),
        (lambda: searched("a", []), TypeError, r"write compare\(\[a, b\]\), got"),
        (lambda: ["a-1", "b-2"], TypeError, r"got a str; HyperParameterOptimizer.open\('a-1'\) opens one by its id"),
        (lambda: [*[searched("a", [])] * 2], ValueError, "the same search twice"),
        (
            lambda: {1: searched("a", []), "1": searched("b", []), "x": searched("c", [])},
            ValueError,
            "two searches of the same name: '1'$",
        ),
    ],
)
def test_bad_input_is_refused(wire, given, error, said):
    with pytest.raises(error, match=said):
        compare(given())
    assert wire.num_open() == 0


def test_searches_may_be_given_one_after_another(show):
    wide, narrow = searched("wide", []), searched("narrow", [])
    shown = show(compare, wide, narrow)
    assert list(shown.searches.values()) == [wide, narrow]


def test_the_best_trials_the_plot_and_a_page_are_files(show):
    shown = show(compare, {"first": searched("wide", [3, 1, 2]), "second": searched("narrow", [2])})
    name, data, _ = shown._export.file("csv")
    assert name == "first-second.csv"
    assert data.decode().splitlines()[0].startswith("search,id,trials,value,trial,x,y")
    assert shown.picture().startswith(b"\x89PNG")
    assert f'data-widget="{shown.model_id}"' in shown._export.file("html")[1].decode()


def test_of_a_journal_that_has_gone_whoever_asks_for_the_best_trials_is_told(show, wire, tmp_path):
    with Journal.create(tmp_path / "digits-1.sqlite", "digits-1", HEADER) as made:
        made.write([row(0)], [], [], [START])
    with SearchViewer(made.path) as viewer:
        shown = show(compare, {"overnight": viewer, "today": searched("today", [2])})
    made.path.unlink()
    wire.clear()
    wire.browser_says(shown._export, kind="export", id="a", what="csv")
    sent = [message for one, message in wire.messages() if one is shown._export.comm]
    (told,) = [message["content"] for message in sent if message.get("method") == "custom"]
    assert (told["kind"], told["id"]) == ("problem", "a")
    assert told["problem"].startswith("csv: ")
    assert str(made.path.parent) in told["problem"]


@pytest.mark.parametrize("failing", ["_plot", "_tables"])
def test_a_part_that_failed_once_shows_the_next_change_and_so_do_the_others(show, refresh, monkeypatch, failing):
    wide, narrow = searched("wide", [3]), searched("narrow", [2])
    shown = show(compare, [wide, narrow])

    def fail(_update):
        raise RuntimeError("once")

    with monkeypatch.context() as once:
        once.setattr(getattr(shown, failing), "refresh", fail)
        refresh(shown)
    narrow.add_trial(0.5, {"x": 0.1, "y": 0.2})
    refresh(shown)
    assert texts(shown._tables.tables[0])[1][2] == "0.5"
    assert shown._plot._drawn[1].band.median.tolist() == [2, 0.5]
