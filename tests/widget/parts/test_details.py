"""TrialDetails: everything that is known of the selected trial, as text, and little of it on the wire."""

from __future__ import annotations

import ast
import json
import math
from concurrent.futures import Future
from dataclasses import replace
from types import SimpleNamespace

import pytest
import traitlets

from hpo_widgets.parameters import DiscreteParameterRange, UniformParameterRange
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.widget.parts.details import TrialDetails, sparkline

MARKUP = "<img src=x onerror=alert(1)>"
POINT = {"lr": 0.00856123456, "dropout": 0.195, "layers": 3, "activation": "relu"}


class Output:
    """Where a trial's output comes from, instead of a journal."""

    def __init__(self, stdout="", stderr="", traceback=""):
        self.kept = stdout, stderr, traceback

    def scalars(self, _number):
        return []

    def output(self, _number):
        return self.kept

    def page(self, _number):
        return None


@pytest.fixture
def details(show, search):
    return show(TrialDetails, search)


def select(details, refresh, number):
    details.selected = [number]
    refresh(details)


def test_nothing_is_shown_without_a_selection(details, search, refresh):
    search.add_trial(0.5)
    refresh(details)
    assert (details.number, details.state, details.parameters) == (None, "", [])


def test_the_selected_trial_is_shown_in_full(details, search, refresh):
    search.add_trial(0.0364123456, POINT, seconds=1.6)
    search._trials[0] = replace(
        search._trials[0],
        summary={"validation/accuracy": [0.9, 4, 0.1, 0, 0.95, 3, 5], "validation/loss": [0.25, 4, 0.25, 4, 2.0, 0, 5]},
        source=Output("epoch 1\nepoch 2\n", "a warning\n"),
    )
    select(details, refresh, 0)
    assert (details.number, details.state, details.sentence) == (0, "completed", "")
    assert details.parameters[0] == ["lr", "0.0085612346"]
    assert details.parameters[2:] == [["layers", "3"], ["activation", "relu"]]
    assert details.scalars == [
        ["validation / loss", "0.25", "0.25", "2", "5"],
        ["validation / accuracy", "0.9", "0.1", "0.95", "5"],
    ]
    assert ["took", "1.6 s"] in details.times
    assert details.log == "epoch 1\nepoch 2\na warning"


@pytest.mark.parametrize(
    ("state", "value", "result"),
    [
        (TrialState.COMPLETED, 0.0364123456, "validation / loss 0.036412346"),
        (TrialState.RUNNING, 0.5, "validation / loss 0.5 so far"),
        (TrialState.RUNNING, None, ""),
        (TrialState.FAILED, None, ""),
    ],
    ids=str,
)
def test_the_objective_is_told_as_far_as_the_trial_has_it(details, search, refresh, state, value, result):
    search.add_trial(value, state=state)
    select(details, refresh, 0)
    assert details.result == result


def test_each_of_several_objectives_is_told(show, refresh):
    search = ScriptedSearch(titles=["m", "m"], series=["accuracy", "seconds"], signs=["max", "min"])
    details = show(TrialDetails, search)
    search.add_trial((0.9, 12.5))
    select(details, refresh, 0)
    assert details.result == "m / accuracy 0.9 · m / seconds 12.5"


def test_a_failed_trial_shows_its_sentence_and_traceback(details, search, refresh):
    search.add_trial(state=TrialState.FAILED, error="ValueError: loss is NaN")
    search._trials[0] = replace(search._trials[0], source=Output(traceback="Traceback ...\nValueError: loss is NaN"))
    select(details, refresh, 0)
    assert (details.state, details.sentence) == ("failed", "ValueError: loss is NaN")
    assert details.traceback.startswith("Traceback")


def test_the_trial_selected_last_is_the_one(details, search, refresh):
    search.add_trials([0.5, 0.25])
    details.selected = [0, 1]
    refresh(details)
    assert (details.number, details.num_selected) == (1, 2)
    select(details, refresh, 1)
    assert (details.number, details.num_selected) == (1, 1)


def test_a_selected_trial_follows_the_search(details, search, refresh):
    search.add_trial(state=TrialState.RUNNING)
    select(details, refresh, 0)
    assert (details.state, details.sentence) == ("running", "Its output is shown when it has ended.")
    search.end_trial(0, 0.5)
    refresh(details)
    assert details.state == "completed"
    assert details.scalars[0][:2] == ["validation / loss", "0.5"]


def test_other_trials_cost_nothing(details, wire, search, refresh, monkeypatch):
    search.add_trial(0.5)
    select(details, refresh, 0)
    wire.clear()
    monkeypatch.setattr(search, "trial", lambda _number: pytest.fail("a trial was read"))
    search.add_trial(0.25)
    refresh(details)
    assert wire.updates(details) == []


def test_a_retry_of_no_trial_is_no_command(details, wire, search, refresh):
    wire.browser_says(details, kind="retry", number=0)
    assert search.commands == []
    search.add_trial(state=TrialState.FAILED, error="no")
    select(details, refresh, 0)
    wire.browser_says(details, kind="retry", number="nonsense")
    wire.browser_says(details, kind="retry")
    assert search.commands == []


def test_what_is_pressed_is_done_with_the_trial_of_the_page_though_another_one_is_shown_by_now(
    details, wire, search, refresh
):
    search.add_trial(state=TrialState.FAILED, error="no")
    search.add_trial(0.5)
    select(details, refresh, 1)
    wire.browser_says(details, kind="retry", number=0)
    assert search.commands == [("retry", 0)]
    wire.browser_says(details, kind="vary", number=0)
    assert details.point == search.trial(0).parameters


def test_stop_is_for_the_trial_of_the_page(details, wire, search, refresh):
    search.add_trial(state=TrialState.RUNNING)
    search.add_trial(state=TrialState.RUNNING)
    select(details, refresh, 1)
    wire.browser_says(details, kind="stop", number=0)
    wire.browser_says(details, kind="stop", number=9)
    assert search.commands == [("stop_trial", 0)]


def test_retry_says_why_not(details, search, refresh):
    search.refuse("retry", "this is a view")
    refresh(details)
    assert details.commands == {
        "retry": "this is a view",
        "stop_trial": None,
        "enqueue_trial": None,
        "set_note": None,
        "set_tags": None,
        "leave_out": None,
        "take_back": None,
    }


@pytest.mark.parametrize("number", [0, 99, 10**30])
def test_a_number_without_trial_is_said(details, refresh, number):
    select(details, refresh, number)
    assert details.sentence == f"There is no trial {number} in this search."
    assert details.state == ""


@pytest.mark.parametrize("value", ["all", [-1], [0.5], [None], None, 3])
def test_nonsense_from_code_is_refused(details, value):
    with pytest.raises(traitlets.TraitError):
        details.selected = value


def test_long_output_is_cut_at_its_beginning_and_an_update_stays_small(details, wire, search, refresh):
    search.add_trial(state=TrialState.FAILED, error="🙂" * 10_000)
    lines = "\n".join(f"line {number} 🙂" for number in range(100_000))
    search._trials[0] = replace(search._trials[0], source=Output(lines, "", lines))
    wire.clear()
    select(details, refresh, 0)
    assert details.log.startswith("…\nline")
    assert details.log.endswith("line 99999 🙂")
    sent = sum(len(json.dumps(state, ensure_ascii=False).encode()) for state in wire.updates(details))
    assert sent < 16_000


def test_64_parameters_and_a_choice_of_300_characters_are_shown_whole(show, refresh):
    long = "c" * 300
    search = ScriptedSearch(
        [*(UniformParameterRange(f"x{index}", 0.0, 1.0) for index in range(64)), DiscreteParameterRange("c", [long])]
    )
    details = show(TrialDetails, search)
    search.add_trial(0.5)
    select(details, refresh, 0)
    assert len(details.parameters) == 65
    assert details.parameters[-1] == ["c", long]


@pytest.mark.parametrize("name", [MARKUP, "a/b/c", "🙂", "\u202eright to left", "שלום"], ids=ascii)
def test_names_values_and_output_are_text_as_they_are(show, refresh, name):
    search = ScriptedSearch([DiscreteParameterRange(name, [name, "b"])], titles=name, series="loss")
    details = show(TrialDetails, search)
    search.add_trial(0.5, {name: name}, state=TrialState.FAILED, error=name)
    search._trials[0] = replace(search._trials[0], source=Output(name, "", name))
    select(details, refresh, 0)
    assert details.parameters == [[name, name]]
    assert (details.sentence, details.log, details.traceback) == (name, name, name)


@pytest.mark.parametrize("value", [math.inf, -math.inf, 1e-300, 1e300, 5e-324])
def test_extreme_values_are_sent_as_text(details, wire, search, refresh, value):
    search.add_trial(value, seconds=1e300)
    select(details, refresh, 0)
    assert details.scalars[0][1] != "–"
    for state in wire.updates(details):
        json.dumps(state, allow_nan=False)


def test_choices_of_other_types_are_shown_by_their_label(show, refresh):
    search = ScriptedSearch([DiscreteParameterRange("c", [True, 1, "1", None])])
    details = show(TrialDetails, search)
    search.add_trial(0.5, {"c": None})
    select(details, refresh, 0)
    assert details.parameters == [["c", "None"]]


def test_closing_frees_everything(wire, search):
    details = TrialDetails(search, selected=[0])
    details.close()
    assert wire.num_open() == 0
    assert search.num_subscribers == 0


class Talking(ScriptedSearch):
    """A search that can tell what its running trials print, when the test says so."""

    def __init__(self):
        super().__init__(name="talking")
        self.asked = []

    def log_so_far(self, number):
        self.asked.append((number, Future()))
        return self.asked[-1][1]

    def answer(self, text):
        self.asked[-1][1].set_result(text)
        self.changed()


@pytest.fixture
def talking(show, refresh, monkeypatch):
    """A search with two running trials, the first of which somebody looks at, and a clock that stands still."""
    clock = [100.0]
    monkeypatch.setattr("hpo_widgets.widget.parts.details.time.monotonic", lambda: clock[0])
    search = Talking()
    search.clock = clock
    search.add_trial(state=TrialState.RUNNING)
    search.add_trial(state=TrialState.RUNNING)
    search.details = show(TrialDetails, search)
    search.details.selected = [0]
    refresh(search.details)
    return search


def test_a_running_trial_shows_what_it_prints_as_it_prints_it(talking, wire, refresh):
    details = talking.details
    talking.answer("epoch 1\n")
    refresh(details)
    assert (details.log, details.sentence) == ("epoch 1", "")
    talking.clock[0] += 1
    refresh(details)
    wire.clear()
    talking.answer("epoch 1\nepoch 2\n")
    refresh(details)
    assert wire.updates(details) == [{"log": "epoch 1\nepoch 2"}]


def test_a_log_is_asked_for_once_a_second_and_never_twice_at_once(talking, refresh):
    for _ in range(5):
        talking.clock[0] += 10
        refresh(talking.details)
    assert [number for number, _ in talking.asked] == [0]
    talking.answer("")
    refresh(talking.details)
    refresh(talking.details)
    assert talking.details.sentence == "It has printed nothing so far."
    # The answer took long enough for the next question; from then on the clock decides.
    talking.answer("")
    for _ in range(5):
        refresh(talking.details)
    assert [number for number, _ in talking.asked] == [0, 0]
    talking.clock[0] += 1
    refresh(talking.details)
    assert [number for number, _ in talking.asked] == [0, 0, 0]


def test_only_the_trial_that_somebody_looks_at_is_asked_for(talking, refresh):
    talking.details.selected = [1]
    refresh(talking.details)
    first, second = talking.asked
    assert second[0] == 1
    # What comes too late for the first is not shown as the second's.
    first[1].set_result("the first's")
    refresh(talking.details)
    assert talking.details.log == ""
    talking.answer("the second's")
    refresh(talking.details)
    assert talking.details.log == "the second's"
    talking.details.selected = []
    talking.clock[0] += 10
    refresh(talking.details)
    assert len(talking.asked) == 2


def test_a_report_does_not_make_the_log_flicker(talking, wire, refresh):
    talking.answer("epoch 1")
    refresh(talking.details)
    wire.clear()
    talking.end_trial(0, 0.5, state=TrialState.RUNNING)
    refresh(talking.details)
    assert talking.details.scalars
    assert not any("log" in state for state in wire.updates(talking.details))


def test_the_end_of_a_trial_ends_asking_and_shows_what_was_kept(talking, refresh):
    talking.answer("epoch 1")
    refresh(talking.details)
    talking.end_trial(0, 0.5)
    talking._trials[0] = replace(talking._trials[0], source=Output("epoch 1\nepoch 2\n"))
    talking.clock[0] += 10
    refresh(talking.details)
    assert (talking.details.state, talking.details.log) == ("completed", "epoch 1\nepoch 2")
    assert len(talking.asked) == 1


@pytest.fixture
def elsewhere(talking, refresh):
    """`talking`, where the trial is a job of a server that must not be waited for."""

    class Slow(Output):
        def output(self, number):
            raise AssertionError("the panel would wait for the server")

    def move():
        trial = talking._trials[0]
        talking._trials[0] = replace(trial, id=f"{trial.number:032x}", source=Slow())
        refresh(talking.details)

    talking.move = move
    return talking


def test_what_a_server_keeps_is_asked_for_and_not_waited_for(elsewhere, refresh):
    elsewhere.end_trial(0, 0.25, state=TrialState.RUNNING)
    elsewhere.move()
    assert (elsewhere.details.log, elsewhere.details.sentence) == ("", "")
    elsewhere.answer("epoch 1")
    refresh(elsewhere.details)
    assert elsewhere.details.log == "epoch 1"


def test_what_a_server_keeps_of_an_ended_trial_is_asked_for_once_more(elsewhere, refresh):
    elsewhere.answer("epoch 1")
    refresh(elsewhere.details)
    elsewhere.end_trial(0, 0.25)
    elsewhere.move()
    elsewhere.answer("epoch 1\ndone\n")
    for _ in range(5):
        elsewhere.clock[0] += 10
        refresh(elsewhere.details)
    assert (elsewhere.details.state, elsewhere.details.log) == ("completed", "epoch 1\ndone")
    assert len(elsewhere.asked) == 2


def test_an_answer_that_failed_leaves_what_there_is(talking, refresh):
    talking.answer("epoch 1")
    refresh(talking.details)
    talking.clock[0] += 1
    refresh(talking.details)
    talking.asked[-1][1].set_exception(OSError("closed"))
    refresh(talking.details)
    assert talking.details.log == "epoch 1"


def test_where_a_log_cannot_be_told_it_is_said_when_it_comes(talking, refresh):
    talking.answer(None)
    refresh(talking.details)
    assert (talking.details.log, talking.details.sentence) == ("", "Its output is shown when it has ended.")


def test_a_long_log_is_cut_at_its_beginning_and_is_text(talking, wire, refresh):
    wire.clear()
    talking.answer("🙂" * 10_000 + f"\n{MARKUP}\n")
    refresh(talking.details)
    assert talking.details.log.endswith(MARKUP)
    assert sum(len(json.dumps(state, ensure_ascii=False).encode()) for state in wire.updates(talking.details)) < 16_000


class Curves(Output):
    """A source with one curve, of 1000 reports."""

    def scalars(self, _number):
        return [("validation", "loss", math.nan if at == 5 else 1000.0 - at, at) for at in range(1000)]


def test_each_scalar_has_a_small_curve(details, search, refresh):
    search.add_trial(0.5, POINT)
    search._trials[0] = replace(
        search._trials[0],
        summary={"validation/loss": [1.0, 999, 1.0, 999, 1000.0, 0, 1000]},
        source=Curves(),
    )
    select(details, refresh, 0)
    (shape,) = details.curves
    assert shape.startswith("M0 0L")
    assert shape.endswith("L100 100")
    assert shape.count("L") == 59


@pytest.mark.parametrize(
    ("x", "y", "shape"),
    [
        ([], [], ""),
        ([1], [2.0], ""),
        ([1, 2], [math.nan, 2.0], ""),
        ([1, 3], [2.0, 2.0], "M0 100L100 100"),
        ([1, 1], [-1e308, 1e308], "M0 100L0 0"),
        ([0, 1, 4], [0.0, 1.0, 0.5], "M0 100L25 0L100 50"),
    ],
)
def test_a_curve_fills_its_box(x, y, shape):
    assert sparkline(x, y) == shape


def test_curves_of_very_many_reports_and_of_a_server_are_not_read(details, search, refresh):
    search.add_trials([0.5, 0.25])
    summary = {"validation/loss": [1.0, 9, 1.0, 9, 2.0, 0, 60_000]}
    search._trials[0] = replace(search._trials[0], summary=summary, source=Curves())
    few = {"validation/loss": [1.0, 9, 1.0, 9, 2.0, 0, 60]}
    search._trials[1] = replace(search._trials[1], summary=few, source=Curves(), id="a-task")
    for number in (0, 1):
        select(details, refresh, number)
        assert details.curves == [""]


def test_curves_of_a_running_trial_with_many_reports_are_read_again_after_a_pause_only(
    details, search, refresh, monkeypatch
):
    clock = SimpleNamespace(now=0.0, monotonic=lambda: clock.now)

    class Slow(Curves):
        """Reading it takes a second."""

        def scalars(self, number):
            clock.now += 1.0
            return super().scalars(number)

    monkeypatch.setattr("hpo_widgets.widget.parts.details.time", clock)
    search.command("start")
    search.add_trial(0.5, POINT, state=TrialState.RUNNING)
    summary = {"validation/loss": [1.0, 999, 1.0, 999, 1000.0, 0, 3000]}
    search._trials[0] = replace(search._trials[0], summary=summary, source=Slow())
    select(details, refresh, 0)
    search.command("set_note", 0, "changed")
    refresh(details)
    assert (clock.now, details.note) == (1.0, "changed")
    assert details.curves[0]
    clock.now = 20.0
    refresh(details)  # though nothing has changed since
    assert clock.now == 21.0
    search._trials[0] = replace(search._trials[0], state=TrialState.COMPLETED)
    search.command("set_note", 0, "ended")
    refresh(details)
    assert clock.now == 22.0


def test_the_parameters_are_there_as_a_dict(details, search, refresh):
    search.add_trial(0.5, POINT)
    select(details, refresh, 0)
    assert ast.literal_eval(details.as_dict) == POINT


def test_a_note_and_tags_are_commands_and_shown(details, search, refresh, wire):
    search.add_trial(0.5, POINT)
    select(details, refresh, 0)
    wire.browser_says(details, kind="note", number=0, note=f" {MARKUP} ")
    wire.browser_says(details, kind="tag", number=0, tag="baseline", is_on=True)
    assert search.commands == [("set_note", 0, MARKUP), ("set_tags", 0, ["baseline"])]
    refresh(details)
    assert (details.note, details.tags) == (MARKUP, ["baseline"])


def test_tags_of_a_page_that_has_not_heard_of_the_last_one_are_all_kept(details, search, refresh, wire):
    search.add_trial(0.5, POINT)
    select(details, refresh, 0)
    for tag, is_on in (("baseline", True), ("odd", True), ("baseline", False), ("odd", True), ("again", True)):
        wire.browser_says(details, kind="tag", number=0, tag=tag, is_on=is_on)
    assert search.trial(0).tags == ("odd", "again")


def test_tags_are_changed_while_the_last_change_is_not_shown_yet(details, search, refresh, wire, monkeypatch):
    search.add_trial(0.5, POINT)
    select(details, refresh, 0)
    command, held = search.command, []
    monkeypatch.setattr(search, "command", lambda *asked: held.append(asked))
    for tag in ("baseline", "odd"):
        wire.browser_says(details, kind="tag", number=0, tag=tag, is_on=True)
    command(*held.pop(0))
    wire.browser_says(details, kind="tag", number=0, tag="baseline", is_on=False)
    assert held == [("set_tags", 0, ["baseline", "odd"]), ("set_tags", 0, ["odd"])]
    # What comes from elsewhere is kept.
    command("set_tags", 0, ["elsewhere"])
    wire.browser_says(details, kind="tag", number=0, tag="here", is_on=True)
    assert held[-1] == ("set_tags", 0, ["elsewhere", "here"])


def test_a_tag_that_changes_nothing_is_no_command(details, search, refresh, wire):
    search.add_trial(0.5, POINT)
    select(details, refresh, 0)
    for tag, is_on in (("baseline", True), ("baseline", True), ("odd", False)):
        wire.browser_says(details, kind="tag", number=0, tag=tag, is_on=is_on)
    assert search.commands == [("set_tags", 0, ["baseline"])]


@pytest.mark.parametrize(
    "content",
    [
        {"kind": "note", "number": 0, "note": 5},
        {"kind": "note", "number": 7, "note": "x"},
        {"kind": "note", "number": True, "note": "x"},
        {"kind": "note", "note": "x"},
        {"kind": "note", "number": 0, "note": "x" * 5000},
        {"kind": "tag", "number": 0, "tag": 1, "is_on": True},
        {"kind": "tag", "number": 0, "tag": "x", "is_on": 1},
        {"kind": "tag", "number": 7, "tag": "x", "is_on": False},
        {"kind": "tag", "number": 0, "tag": "x" * 100, "is_on": True},
    ],
    ids=lambda content: str(content)[:60],
)
def test_a_note_or_tag_that_makes_no_sense_is_refused(details, search, refresh, wire, content):
    search.add_trial(0.5, POINT)
    select(details, refresh, 0)
    wire.browser_says(details, **content)
    assert search.commands == []
    assert len(details._refresher.notices) == 1


def test_of_a_recorded_result_only_the_time_is_told_at_which_it_was_recorded(details, search, refresh):
    search.add_trial(0.25, POINT, seconds=math.nan)
    select(details, refresh, 0)
    assert [label for label, _ in details.times] == ["recorded", "worker", "space"]


def test_a_trial_is_left_out_and_taken_back_and_its_result_stays_to_be_seen(details, search, refresh, wire):
    search.add_trial(0.5, POINT)
    search.add_trial(0.25, POINT)
    select(details, refresh, 1)
    wire.browser_says(details, kind="leave_out", number=1)
    refresh(details)
    assert (details.state, details.result) == ("left out", "validation / loss 0.25")
    assert search.best_trial.number == 0
    wire.browser_says(details, kind="take_back", number=1)
    wire.browser_says(details, kind="leave_out", number=9)
    refresh(details)
    assert (details.state, search.best_trial.number) == ("completed", 1)
    assert search.commands == [("leave_out", 1), ("take_back", 1)]
