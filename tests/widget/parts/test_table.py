"""TrialTable: what a row says, what an update costs, selection from both sides, odd input."""

from __future__ import annotations

import json
import math
from concurrent.futures import Future
from dataclasses import replace

import numpy as np
import pytest
import traitlets

from hpo_widgets.parameters import DiscreteParameterRange, UniformIntegerParameterRange, UniformParameterRange
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.widget.parts.table import MOST_ROWS, PAGE_ROWS, TrialTable

SORTED_BY_NOTHING = {"name": "<b>nothing</b>", "is_descending": False}
MARKUP = "<img src=x onerror=alert(1)>"
POINT = {"lr": 0.00856, "dropout": 0.195, "layers": 3, "activation": "relu"}


@pytest.fixture
def table(show, search):
    return show(TrialTable, search)


def rows(table):
    return [getattr(table, f"row_{slot}") for slot in table.order]


def numbers(table):
    return [row["number"] for row in rows(table)]


def headings(table):
    return [column["label"] for column in table.columns]


def summarise(search, number, **scalars):
    """Give a trial of the double what a real one has: a summary of all its scalars."""
    summary = {key.replace("__", "/"): [value, 4, value, 0, value, 4, 5] for key, value in scalars.items()}
    search._trials[number] = replace(search._trials[number], summary=summary)


def sent_bytes(wire, table):
    return sum(len(json.dumps(state)) for state in wire.updates(table))


def test_a_search_without_trials_has_headings_and_no_rows(table):
    assert headings(table) == ["trial", "validation / loss", "lr", "dropout", "layers", "activation", "time", "state"]
    assert rows(table) == []


def test_rows_are_best_first_and_the_best_is_marked(table, search, refresh):
    for value in (0.5, 0.25, 0.75):
        search.add_trial(value)
    refresh(table)
    assert numbers(table) == [1, 0, 2]
    assert [row["mark"] for row in rows(table)] == ["best", "", ""]


def test_a_row_says_what_is_known_of_its_trial(table, search, refresh):
    search.add_trial(0.036412, POINT, seconds=1.6)
    refresh(table)
    assert rows(table)[0]["cells"] == ["#0", "0.03641", "0.00856", "0.195", "3", "relu", "1.6 s", "completed"]


def test_a_running_trial_tells_how_long_it_has_run_so_far(show, search, refresh):
    now = [search.now]
    search.command("start")
    number = search.add_trial(0.5, state=TrialState.RUNNING)
    table = show(TrialTable, search, selected=[number], clock=lambda: now[0])
    time_of = headings(table).index("time")
    assert rows(table)[0]["cells"][time_of] == "0:00"
    now[0] += 75
    refresh(table)  # nothing else has happened
    assert rows(table)[0]["cells"][time_of] == "1:15"
    assert rows(table)[0]["seconds"] is None  # what trials are sorted by is known at the end
    search.advance(75)
    search.end_trial(number, 0.4)
    now[0] += 5
    refresh(table)
    assert rows(table)[0]["cells"][time_of] == "1:15"


def test_the_newest_failed_trials_come_last_with_their_sentence(table, search, refresh):
    search.add_trial(0.5)
    for number in range(5):
        search.add_trial(state=TrialState.FAILED, error=f"{MARKUP * 100}\nValueError: {number}")
    refresh(table)
    assert numbers(table) == [0, 5, 4, 3]
    assert rows(table)[1]["error"] == "…\nValueError: 4"
    assert rows(table)[1]["cells"][1] == "–"


def test_the_sentence_of_a_failed_trial_begins_with_the_kind_of_its_error(table, search, refresh):
    search.add_trial(state=TrialState.FAILED, error="RuntimeError: " + "sizes do not match " * 40)
    refresh(table)
    assert rows(table)[0]["error"].startswith("RuntimeError: sizes")


def test_a_failed_trial_that_is_run_again_leaves_the_failed_ones(table, search, refresh):
    search.add_trial(state=TrialState.FAILED, error="no")
    refresh(table)
    search.end_trial(0, 0.5)
    refresh(table)
    assert [row["cells"][-1] for row in rows(table)] == ["completed"]


def test_other_scalars_get_columns_that_stay(table, search, refresh):
    search.add_trial(0.5)
    summarise(search, 0, validation__loss=0.5, validation__accuracy=0.985)
    refresh(table)
    assert headings(table)[:3] == ["trial", "validation / loss", "accuracy"]
    assert rows(table)[0]["cells"][2] == "0.985"
    search.add_trial(0.25)
    refresh(table)
    assert headings(table)[2] == "accuracy"
    assert rows(table)[0]["cells"][2] == "–"


def test_several_selected_trials_are_left_out_together_and_taken_back(table, search, wire, refresh):
    search.add_trials([0.5, 0.25, 0.75])
    running = search.add_trial(state=TrialState.RUNNING)
    failed = search.add_trial(state=TrialState.FAILED, error="it broke")
    for selected, offered in (([0], {}), ([0, running], {"command": "leave_out", "count": 1})):
        table.selected = selected
        refresh(table)
        assert table.together == offered
    table.selected = [2, 0, running, failed]
    refresh(table)
    assert table.together == {"command": "leave_out", "count": 3}
    wire.browser_says(table, kind="leave_out", numbers=table.selected)
    assert search.commands == [("leave_out", [0, 2, failed])]
    refresh(table)
    assert table.together == {"command": "take_back", "count": 3}
    assert search.best_trial.number == 1
    wire.browser_says(table, kind="take_back", numbers=table.selected)
    assert search.commands[1:] == [("take_back", [0, 2, failed])]
    refresh(table)
    assert table.together == {"command": "leave_out", "count": 3}
    search.end_trial(running, 0.1)
    refresh(table)
    assert table.together == {"command": "leave_out", "count": 4}


def test_what_is_left_out_already_is_not_left_out_again(table, search, wire, refresh):
    search.add_trials([0.5, 0.25])
    search.command("leave_out", [0])
    table.selected = [0, 1]
    refresh(table)
    assert table.together == {"command": "leave_out", "count": 1}
    wire.browser_says(table, kind="leave_out", numbers=[0, 1])
    assert search.commands[1:] == [("leave_out", [1])]


@pytest.mark.parametrize("numbers", [None, "0", [True], ["0"], {}, [[0]]], ids=str)
def test_what_is_no_list_of_trials_is_not_left_out(table, search, wire, numbers):
    search.add_trials([0.5, 0.25])
    wire.browser_says(table, kind="leave_out", numbers=numbers)
    assert search.commands == []


@pytest.mark.parametrize("numbers", [[], [-1], [5], [10**40]], ids=str)
def test_trials_that_there_are_not_are_not_left_out(table, search, wire, numbers):
    search.add_trials([0.5, 0.25])
    wire.browser_says(table, kind="leave_out", numbers=numbers)
    assert search.commands == []


def test_what_a_trial_reports_and_returns_has_the_column_of_the_objective_only(table, search, refresh):
    number = search.add_trial(state=TrialState.RUNNING)
    summarise(search, number, train__curve=0.7)  # as it falls to what the trial will return
    refresh(table)
    search.end_trial(number, 0.5)
    summarise(search, number, train__curve=0.5)
    refresh(table)
    assert headings(table)[:3] == ["trial", "validation / loss", "lr"]
    number = search.add_trial(0.25)
    summarise(search, number, train__curve=0.3)
    refresh(table)
    assert headings(table)[:4] == ["trial", "validation / loss", "curve", "lr"]
    assert [row["cells"][2] for row in rows(table)] == ["0.3", "0.5"]


def test_a_scalar_that_ends_as_an_objective_or_a_parameter_does_is_named_with_its_title(table, search, refresh):
    number = search.add_trial(0.5)
    summarise(search, number, train__loss=0.4, schedule__lr=0.1, train__error=0.3)
    refresh(table)
    assert headings(table)[1:5] == ["validation / loss", "train / loss", "schedule / lr", "error"]


def test_what_clearml_reports_of_the_machine_takes_no_column_from_the_scalars_of_a_trial(table, search, refresh):
    search.add_trial(0.5)
    machine = {f":monitor:machine__{name}": 1.0 for name in ("cpu_usage", "disk_read", "disk_write", "network_rx")}
    summarise(search, 0, **machine, validation__accuracy=0.985)
    refresh(table)
    assert headings(table)[:4] == ["trial", "validation / loss", "accuracy", "lr"]


def test_top_k_says_how_many_rows_there_are(show, search, refresh):
    search.add_trials([number / 20 for number in range(20)])
    table = show(TrialTable, search, top_k=3)
    assert numbers(table) == [0, 1, 2]
    table.top_k = 5
    refresh(table)
    assert numbers(table) == [0, 1, 2, 3, 4]


def test_an_enormous_top_k_shows_so_many_rows_and_says_so(show, search):
    search.add_trials([number / 200 for number in range(200)])
    table = show(TrialTable, search, top_k=10**9)
    assert len(rows(table)) == MOST_ROWS
    assert "first 100" in table.note


@pytest.mark.parametrize(
    "content",
    [{"kind": "select", "numbers": value} for value in (None, "all", [-1], [0.5], [None], [True], [10**30], {"0": 1})]
    + [{"kind": "set", "name": "top_k", "value": value} for value in (0, -3, "all", None, 1.5, True, [])]
    + [{"kind": "turn", "step": value} for value in (0, 2, "1", None, 0.5, True)]
    + [
        {"kind": "click", "number": number, "adds": adds}
        for number, adds in ((-1, True), (7, False), (0, 1), ("0", True))
    ]
    + [{"kind": "hide", "name": name, "is_hidden": hides} for name, hides in ((1, True), (None, True), ("lr", 1))]
    + [{"kind": "set", "name": "sorting", "value": value} for value in ([], {"name": "x"}, SORTED_BY_NOTHING, None)]
    + [{"kind": "set", "name": name, "value": 1} for name in ("columns", "nonsense", None, ["page"])]
    + [{"kind": "retry", "number": value} for value in (-1, 99, "0", None, True)]
    + [{"kind": "select"}, {"kind": "set"}, {"kind": "retry"}, {"kind": 3}, {}],
    ids=str,
)
def test_nonsense_from_the_browser_is_not_acted_on(table, wire, search, refresh, content):
    search.add_trials([0.5, 0.25])
    refresh(table)
    wire.browser_says(table, **content)
    assert (table.selected, table.top_k, search.commands) == ([], 10, [])
    assert len(table._refresher.notices) == (content.get("kind") in {"select", "set", "turn", "click", "hide"})


@pytest.mark.parametrize(
    "state",
    [{"selected": value} for value in ([-1], [7], "x", None, 3, {"0": 1}, [None], [[0]], [0.5], [True])]
    + [{"top_k": value} for value in (-1, 0, None, "all", 1.5, [])]
    + [{"order": [5]}, {"columns": []}, {"note": "x"}, {"row_0": {}}, {"nonsense": 1}],
    ids=str,
)
def test_nonsense_in_a_trait_from_the_browser_is_refused_told_and_taken_back(table, wire, search, refresh, state):
    search.add_trial(0.5)
    refresh(table)
    before = table.get_state()
    wire.clear()
    wire.browser_sets(table, **state)
    assert table.get_state() == before
    (notice,) = table._refresher.notices
    assert (notice.source, notice.sentence.endswith("; nothing was changed")) == ("page", True)
    # The page hears what holds.
    told = {name: value for update in wire.updates(table) for name, value in update.items()}
    assert told == {name: before[name] for name in state if name in before}


def test_a_click_selects_and_is_told_to_every_view(table, wire, search, refresh):
    search.add_trials([0.5, 0.25])
    refresh(table)
    wire.clear()
    wire.browser_says(table, kind="select", numbers=[1, 0, 1])
    assert table.selected == [1, 0]
    assert {"selected": [1, 0]} in wire.updates(table)


def test_clicks_of_a_page_that_has_not_heard_of_the_last_one_all_count(table, wire, search, refresh):
    search.add_trials([0.5, 0.25, 0.75])
    refresh(table)
    for number, adds in ((2, False), (0, True), (1, True), (2, True)):
        wire.browser_says(table, kind="click", number=number, adds=adds)
    assert table.selected == [0, 1]
    wire.browser_says(table, kind="click", number=1, adds=False)
    assert table.selected == [1]
    wire.browser_says(table, kind="click", number=1, adds=False)
    assert table.selected == []


def test_pages_turned_one_after_the_other_are_all_turned(table, wire, search, refresh):
    search.add_trials([0.5] * (4 * PAGE_ROWS))
    wire.browser_says(table, kind="set", name="shows_all", value=True)
    refresh(table)
    for step in (1, 1, -1, 1):
        wire.browser_says(table, kind="turn", step=step)
    assert table.page == 2
    for _press in range(5):
        wire.browser_says(table, kind="turn", step=-1)
    assert (table.page, table._refresher.notices) == (0, [])


def test_retry_is_a_command_with_its_reason_where_it_cannot_be_done(table, wire, search, refresh):
    search.add_trial(state=TrialState.FAILED, error="no")
    refresh(table)
    wire.browser_says(table, kind="retry", number=0)
    assert search.commands == [("retry", 0)]
    search.refuse("retry", "this is a view")
    refresh(table)
    assert table.commands["retry"] == "this is a view"


def test_a_trial_that_enters_the_top_sends_its_row_and_the_order_only(table, wire, search, refresh):
    search.add_trials([number / 20 + 0.5 for number in range(20)])
    refresh(table)
    wire.clear()
    search.add_trial(0.92)
    search.add_trial(0.52)
    refresh(table)
    changed = set().union(*wire.updates(table))
    assert "order" in changed
    assert len([name for name in changed if name.startswith("row_")]) == 1
    assert numbers(table)[1] == 21


def test_a_trial_that_does_not_enter_the_top_sends_and_reads_nothing(show, wire, search, refresh, monkeypatch):
    search.add_trials((0.5 + np.arange(20_000) / 40_000).tolist())
    table = show(TrialTable, search)
    wire.clear()
    monkeypatch.setattr(search, "top", lambda _k: pytest.fail("the top was read"))
    search.add_trial(0.9)
    refresh(table)
    assert wire.updates(table) == []


def test_an_update_with_64_parameters_stays_small(show, wire, refresh):
    search = ScriptedSearch([UniformParameterRange(f"Section/parameter_{index}", 0.0, 1.0) for index in range(64)])
    search.add_trials([number / 20 + 0.5 for number in range(20)])
    table = show(TrialTable, search)
    wire.clear()
    search.add_trial(0.25)
    refresh(table)
    assert 0 < sent_bytes(wire, table) < 16_000
    assert len(table.columns) == 64 + 4
    assert headings(table)[2] == "parameter_0"


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([0.5], ["0.5"]),
        ([0.5] * 3, ["0.5"] * 3),
        ([1e-300, 1e300], ["1e-300", "1e+300"]),
        ([math.inf, 0.5, -math.inf], ["0.5", "-∞", "∞"]),
        ([5e-324, 1.7e308], ["4.941e-324", "1.7e+308"]),
    ],
    ids=str,
)
def test_extreme_values_are_shown_and_only_finite_numbers_sent(table, wire, search, refresh, values, shown):
    for value in values:
        search.add_trial(value, seconds=math.inf)
    refresh(table)
    assert [row["cells"][1] for row in rows(table)] == shown
    for state in wire.updates(table):
        json.dumps(state, allow_nan=False)


def test_whole_numbers_are_shown_in_full(show, refresh):
    search = ScriptedSearch([UniformIntegerParameterRange("units", 1, 10**12)])
    table = show(TrialTable, search)
    search.add_trial(0.5, {"units": 123_456_789_012})
    refresh(table)
    assert rows(table)[0]["cells"][2] == "123456789012"


def test_values_that_differ_late_are_told_apart_by_more_digits_as_far_as_that_helps(table, search, refresh):
    for value in (45123.3, 45123.4, 45260.0, 45123.30000001):
        # The others differ by little, and yet in the fourth digit.
        summarise(search, search.add_trial(value), train__loss=0.05 + value % 1 / 1e4, train__accuracy=value / 1e9)
    refresh(table)
    cells = [row["cells"] for row in rows(table)]
    assert [cell[1] for cell in cells] == ["45123.3", "45123.3", "45123.4", "45260"]
    loss, accuracy = map(headings(table).index, ("train / loss", "accuracy"))
    assert [cell[loss] for cell in cells] == ["0.05003", "0.05003", "0.05004", "0.05"]
    assert [cell[accuracy] for cell in cells] == ["4.51233e-5", "4.51233e-5", "4.51234e-5", "4.526e-5"]


def test_several_objectives_have_a_column_each(show, refresh):
    search = ScriptedSearch(titles=["a", "b"], series=["x", "y"], signs=["min", "max"])
    table = show(TrialTable, search)
    search.add_trial([0.5, 2.0])
    refresh(table)
    assert headings(table)[1:3] == ["a / x", "b / y"]
    assert rows(table)[0]["cells"][1:3] == ["0.5", "2"]


def test_a_selected_trial_that_is_not_of_the_top_has_a_row_that_says_so(show, search, refresh):
    search.add_trials([number / 20 for number in range(20)])
    search.add_trial(state=TrialState.FAILED, error="no")
    table = show(TrialTable, search, top_k=3)
    table.selected = [15, 1, 9]
    refresh(table)
    assert numbers(table) == [0, 1, 2, 15, 9, 20]
    assert [row.get("note") for row in rows(table)] == [None] * 3 + ["not in top 3"] * 2 + [None]
    table.selected = [9]
    refresh(table)
    assert numbers(table) == [0, 1, 2, 9, 20]
    table.selected = []
    refresh(table)
    assert numbers(table) == [0, 1, 2, 20]


def test_a_first_selection_is_checked_and_shown(show, wire, search):
    search.add_trials([number / 20 for number in range(20)])
    table = show(TrialTable, search, top_k=3, selected=np.array([15]))
    assert (table.selected, numbers(table)) == ([15], [0, 1, 2, 15])
    subscribed = search.num_subscribers
    with pytest.raises(traitlets.TraitError, match="do not exist: 20; the search has 20 so far"):
        TrialTable(search, selected=[20])
    assert search.num_subscribers == subscribed


def test_a_selected_trial_that_falls_out_of_the_top_keeps_a_row(show, search, refresh):
    search.add_trials([0.5, 0.4])
    table = show(TrialTable, search, top_k=2, selected=[0])
    search.add_trial(0.1)
    refresh(table)
    assert numbers(table) == [2, 1, 0]
    assert rows(table)[2]["note"] == "not in top 2"


def test_a_selected_failed_trial_has_one_row_with_its_error(table, search, refresh):
    for number in range(5):
        search.add_trial(state=TrialState.FAILED, error=f"ValueError: {number}")
    table.selected = [4, 0]
    refresh(table)
    assert numbers(table) == [0, 4, 3, 2]
    assert rows(table)[0]["error"] == "ValueError: 0"


def test_a_great_selection_has_as_many_rows_as_there_is_room_and_a_note(show, search, refresh):
    search.add_trials([number / 500 for number in range(500)])
    table = show(TrialTable, search, top_k=10)
    table.selected = list(range(400))
    refresh(table)
    assert len(rows(table)) == MOST_ROWS
    assert numbers(table)[-1] == 399
    assert table.note == "300 more selected trials have no row."


def test_choices_that_are_numbers_stand_and_sort_as_numbers(show):
    search = ScriptedSearch(
        [
            DiscreteParameterRange("width", [16, 128, 256]),
            DiscreteParameterRange("mixed", [1, "auto"]),
            DiscreteParameterRange("flag", [True, False]),
        ]
    )
    search.add_trial(0.5)
    kinds = {column["label"]: column["kind"] for column in show(TrialTable, search).columns}
    assert (kinds["width"], kinds["mixed"], kinds["flag"]) == ("number", "text", "text")


def test_choices_sort_as_numbers_whatever_their_size_with_what_is_no_number_last(show, refresh):
    search = ScriptedSearch([DiscreteParameterRange("size", [10**400, 2**53 + 1, math.nan, -0.5, 2**53])])
    table = show(TrialTable, search)
    for number in range(5):
        search.add_trial(0.5, {"size": search.space.leaf("size").declared[number]})
    table.shows_all = True
    assert sort(table, refresh, "size") == [3, 4, 1, 0, 2]
    assert sort(table, refresh, "size", is_descending=True) == [0, 1, 4, 3, 2]


@pytest.fixture
def all_trials(table, search, refresh):
    """The table of all of 60 trials, three of which failed."""
    for number in range(60):
        is_failed = number % 20 == 19
        search.add_trial(
            None if is_failed else (number * 37 % 60) / 60,
            {**POINT, "layers": number % 6 + 1, "activation": ["tanh", "relu", "logistic"][number % 3]},
            state=TrialState.FAILED if is_failed else TrialState.COMPLETED,
        )
    table.shows_all = True
    refresh(table)
    return table


def sort(table, refresh, name, *, is_descending=False):
    table.sorting = {"name": name, "is_descending": is_descending}
    refresh(table)
    return numbers(table)


def test_all_trials_come_page_by_page_the_newest_first(all_trials, refresh):
    assert numbers(all_trials) == list(range(59, 34, -1))
    assert all_trials.num_rows == 60
    all_trials.page = 2
    refresh(all_trials)
    assert numbers(all_trials) == list(range(9, -1, -1))
    all_trials.page = 99
    refresh(all_trials)
    assert (all_trials.page, numbers(all_trials)) == (2, list(range(9, -1, -1)))


def test_all_trials_are_sorted_by_any_column_with_what_is_missing_last(all_trials, search, refresh):
    values = search.snapshot().values[:, 0]
    assert sort(all_trials, refresh, "validation / loss") == np.argsort(values)[:25].tolist()
    all_trials.page = 2
    refresh(all_trials)
    assert sorted(numbers(all_trials)[-3:]) == [19, 39, 59]
    assert sort(all_trials, refresh, "validation / loss", is_descending=True)[-3:] == [59, 39, 19]
    all_trials.page = 0
    assert sort(all_trials, refresh, "layers")[:11] == [54, 48, 42, 36, 30, 24, 18, 12, 6, 0, 55]
    # Choices by their labels.
    assert {number % 3 for number in sort(all_trials, refresh, "activation")[:20]} == {2}
    assert sort(all_trials, refresh, "trial")[:3] == [0, 1, 2]
    assert sort(all_trials, refresh, "state")[0] == 58
    assert len(sort(all_trials, refresh, "time")) == 25


def test_all_trials_are_sorted_by_a_scalar_beside_the_objectives(all_trials, search, refresh):
    for number in range(0, 60, 2):
        summarise(search, number, validation__accuracy=number / 100)
    summarise(search, 1, validation__accuracy=0.995)
    all_trials.page = 1
    refresh(all_trials)
    all_trials.page = 0
    best_first = sort(all_trials, refresh, "validation/accuracy", is_descending=True)
    assert best_first[:4] == [1, 58, 56, 54]
    all_trials.page = 2
    refresh(all_trials)
    assert all(number % 2 for number in numbers(all_trials)[-10:]), "those without a value are the last"
    with pytest.raises(traitlets.TraitError, match="cannot be sorted by 'validation/accurcy'"):
        all_trials.sorting = {"name": "validation/accurcy", "is_descending": False}


def test_the_scalars_of_many_trials_are_read_on_a_thread_and_those_of_ended_ones_once(show, refresh, monkeypatch):
    search = ScriptedSearch()
    search.add_trials([0.5] * 1000)
    for number in range(1000):
        summarise(search, number, validation__accuracy=number % 100)
    table = show(TrialTable, search, shows_all=True)
    asked, answers = [], []
    trial = ScriptedSearch.trial

    def counted(self, number):
        asked.append(number)
        return trial(self, number)

    def later(_name, act, _tell):
        answers.append((Future(), act))
        return answers[-1][0]

    monkeypatch.setattr(ScriptedSearch, "trial", counted)
    monkeypatch.setattr("hpo_widgets.widget.parts.table.run_in_thread", later)
    sort(table, refresh, "validation/accuracy", is_descending=True)
    assert table.note.startswith("The scalars of all trials are being read")
    assert len(asked) < 50, "the rows of the page and the best"
    ((answer, act),) = answers
    answer.set_result(act())
    refresh(table)
    assert numbers(table)[:2] == [999, 899]
    assert table.note == ""
    del asked[:]
    search.add_trial(0.5)
    refresh(table)
    assert set(asked) - set(numbers(table)) <= {1000, search.best_trial.number}, "what ended was read before"
    assert len(answers) == 1


def test_a_trial_that_a_person_has_enqueued_says_so(show, search, refresh):
    table = show(TrialTable, search)
    search.command("enqueue_trial", {"lr": 0.001, "dropout": 0.25, "layers": 3, "activation": "tanh"})
    search.end_trial(0, 0.25)
    search.add_trial(0.5)
    refresh(table)
    assert {row["number"]: row.get("note") for row in rows(table)} == {0: "enqueued", 1: None}


def test_the_filter_of_the_plots_holds_for_the_top_and_for_all(all_trials, refresh):
    all_trials.filter = {"within": {"layers": (5, 6)}}
    refresh(all_trials)
    assert (all_trials.num_rows, all_trials.is_filtered) == (20, True)
    assert {number % 6 for number in numbers(all_trials)} == {4, 5}
    all_trials.shows_all = False
    refresh(all_trials)
    values = [float(row["cells"][1]) for row in rows(all_trials)[:10]]
    assert values == sorted(values)
    assert {number % 6 for number in numbers(all_trials)} <= {4, 5}
    all_trials.filter = None
    refresh(all_trials)
    assert all_trials.is_filtered is False


def test_a_table_without_rows_says_why(table, search, refresh):
    def note(**view):
        for name, value in view.items():
            setattr(table, name, value)
        refresh(table)
        assert rows(table) == []
        return table.note

    assert note() == "No trial has a result yet."
    assert note(shows_all=True) == "There are no trials yet."
    search.add_trial(0.5, POINT)
    search.add_trial(point={**POINT, "layers": 5}, state=TrialState.RUNNING)
    assert note(filter={"within": {"layers": (1, 2)}}) == "No trial passes the filter."
    assert note(shows_all=False) == "No trial passes the filter."
    assert note(filter={"within": {"layers": (5, 6)}}) == "No trial that passes the filter has a result yet."
    table.filter = None
    refresh(table)
    assert (numbers(table), table.note) == ([0], "")


@pytest.mark.slow
def test_a_hundred_thousand_trials_send_one_page(show, search, wire, refresh):
    search.add_trials(np.random.default_rng(0).random(100_000).tolist())
    table = show(TrialTable, search, shows_all=True)
    wire.clear()
    table.page = 3999
    refresh(table)
    assert numbers(table) == list(range(24, -1, -1))
    assert sent_bytes(wire, table) < 10_000


def test_with_several_objectives_the_front_is_marked_and_nothing_is_the_best(show, refresh):
    search = ScriptedSearch(titles=["a", "b"], series=["x", "y"], signs=["min", "max"])
    table = show(TrialTable, search)
    for values in ([0.5, 1.0], [0.1, 0.2], [0.3, 0.1]):
        search.add_trial(values)
    refresh(table)
    assert {row["number"]: row["mark"] for row in rows(table)} == {0: "front", 1: "front", 2: ""}
    search.add_trial([0.05, 2.0])
    refresh(table)
    assert {row["number"]: row["mark"] for row in rows(table)} == {0: "", 1: "", 2: "", 3: "front"}


def test_columns_are_hidden_by_name(table, wire):
    for name, is_hidden in (("lr", True), ("time", True), ("lr", False), ("state", True), ("time", True)):
        wire.browser_says(table, kind="hide", name=name, is_hidden=is_hidden)
    assert table.hidden == ["state", "time"]
    assert {"state", "time"} <= set(headings(table))


def test_columns_of_one_name_have_headings_of_their_own_and_are_sorted_and_hidden_each_by_its_own(show, refresh):
    search = ScriptedSearch(
        [DiscreteParameterRange("loss", ["hinge", "log"]), UniformParameterRange("time", 0, 1)],
        titles="loss",
        series="loss",
    )
    for value, loss, at in ((0.3, "hinge", 0.5), (0.1, "log", 0.2), (0.2, "hinge", 0.9)):
        search.add_trial(value, {"loss": loss, "time": at}, seconds=10 * value)
    summarise(search, 0, time=1.0)
    table = show(TrialTable, search, shows_all=True)
    heads = ["loss", "scalar time", "parameter loss", "parameter time"]
    assert headings(table) == ["trial", *heads, "time", "state"]
    names = [column["name"] for column in table.columns]
    assert len(set(names)) == len(names)
    objective, _, parameter, time_parameter, time_taken = names[1:6]
    assert sort(table, refresh, objective) == [1, 2, 0]
    assert sort(table, refresh, parameter) == [2, 0, 1]
    assert sort(table, refresh, time_parameter) == [1, 0, 2]
    assert sort(table, refresh, time_taken) == [1, 2, 0]
    table.hidden = [parameter]
    assert [column["name"] for column in table.shown_rows(3)[0]] == [one for one in names if one != parameter]


def test_a_scalar_that_comes_late_takes_no_name_from_a_column_that_is_there(show, refresh):
    search = ScriptedSearch([UniformParameterRange("lr", 0, 1)])
    search.add_trial(0.5)
    table = show(TrialTable, search)
    before = [column["name"] for column in table.columns]
    search.add_trial(0.25)
    summarise(search, 1, lr=1.0)
    refresh(table)
    assert [column["name"] for column in table.columns if column["name"] in before] == before
    assert len({column["name"] for column in table.columns}) == len(before) + 1


def test_heads_of_parameters_that_a_head_would_cut_alike_differ_in_what_is_seen(show):
    begin, end = "encoder_of_the_language_model_weights_of_the_", "_layer_learning_rate"
    names = [f"{begin}{one}{end}" for one in ("first", "third")]
    others = ["dropout_of_the_language_model_weights_of_the_first_layer"]
    table = show(TrialTable, ScriptedSearch([UniformParameterRange(name, 0, 1) for name in names + others]))
    first, third, other = headings(table)[2:5]
    assert ("first" in first[:34], "third" in third[:34], other) == (True, True, others[0])
    assert [column["name"] for column in table.columns][2:4] == names


def test_heads_of_parameters_that_differ_beyond_the_lines_of_a_head_differ_in_them(show):
    names = [f"encoder_transformer_block_first_{end}" for end in ("learning_rate", "dropout_rate", "weight_decay")]
    table = show(TrialTable, ScriptedSearch([UniformParameterRange(name, 0, 1) for name in names]))
    heads = headings(table)[2:5]
    assert [head[-12:] for head in heads] == ["earning_rate", "dropout_rate", "weight_decay"]
    assert max(map(len, heads)) <= 26


def test_a_trial_whose_result_was_recorded_says_so(show, search, refresh):
    table = show(TrialTable, search)
    search.add_trial(0.25, seconds=math.nan)
    search.add_trial(0.5)
    refresh(table)
    assert {row["number"]: row.get("note") for row in rows(table)} == {0: "recorded", 1: None}


def test_a_trial_that_is_left_out_is_in_no_top_but_among_all_trials(table, search, refresh):
    search.add_trials([0.5, 0.25, 0.75])
    refresh(table)
    search.command("leave_out", 1)
    refresh(table)
    assert [(row["number"], row["mark"]) for row in rows(table)] == [(0, "best"), (2, "")]
    table.selected = [1]
    refresh(table)
    assert [(row["number"], row["cells"][-1]) for row in rows(table)][-1] == (1, "left out")
    table.shows_all = True
    refresh(table)
    assert [(row["number"], row["cells"][-1]) for row in rows(table)] == [
        (2, "completed"), (1, "left out"), (0, "completed"),
    ]  # fmt: skip
    table.filter = {"states": ["left out"]}
    refresh(table)
    assert numbers(table) == [1]
    table.filter = {"inside": True}
    refresh(table)
    assert numbers(table) == [2, 0]
