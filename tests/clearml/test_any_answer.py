"""Whatever a server answers: it is read, or refused with an error that the threads of a search expect."""

from __future__ import annotations

import json
import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo_widgets import UniformParameterRange
from hpo_widgets.engines.clearml import poll_thread
from hpo_widgets.engines.clearml.active_jobs import ActiveJob, ActiveJobs, Pace
from hpo_widgets.engines.clearml.poll_thread import ObjectiveIterations, PollThread
from hpo_widgets.engines.clearml.reading import TaskRecords, UnreadableTaskError, read_task
from hpo_widgets.engines.clearml.server import ClearmlError, _data
from hpo_widgets.objectives import make_objectives
from hpo_widgets.space import Space
from hpo_widgets.trials import TrialState
from tests.clearml.fake_server import FakeServer, Idle


def _deep(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


ODD = [10**30, 10**400, 1e308, math.nan, "", "a", "1", "x" * 5000, "\ud800", "2026-01-01T00:00:00", {}, []]
LEAVES = st.none() | st.booleans() | st.integers(-3, 12) | st.floats() | st.sampled_from(ODD)
JUNK = LEAVES | st.lists(LEAVES, max_size=2) | st.dictionaries(st.text(max_size=3), LEAVES, max_size=2)


def near(strategy):
    return st.one_of(strategy, strategy, strategy, JUNK)


NUMBERS = near(st.floats() | st.integers(0, 9))
ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        **{name: near(st.text(max_size=3)) for name in ("metric", "variant")},
        **dict.fromkeys(("value", "min_value", "max_value", "min_value_iteration", "count"), NUMBERS),
    },
)
VALUES = near(st.just({"value": "1"}))
TIMES = near(st.sampled_from(["2026-01-01T00:00:00.5", "2026-01-01T00:01:00+02:00", "now"]))
TASKS = st.fixed_dictionaries(
    {"id": near(st.just("a"))},
    optional={
        "status": near(st.sampled_from(["created", "queued", "in_progress", "stopped", "failed", "completed"])),
        "status_reason": JUNK,
        "status_message": JUNK,
        "system_tags": near(st.just(["archived"])),
        "last_iteration": NUMBERS,
        "last_metrics": near(st.dictionaries(st.just("m"), near(st.dictionaries(st.just("v"), near(ENTRIES))))),
        "hyperparams": near(st.dictionaries(st.just("Args"), near(st.dictionaries(st.just("x"), VALUES)))),
        **dict.fromkeys(("started", "completed", "status_changed", "last_update"), TIMES),
    },
)  # fmt: skip


@given(near(TASKS))
def test_a_task_of_any_form_is_read_or_unreadable(task):
    view = None
    try:
        view = read_task(task)
    except UnreadableTaskError as found:
        error = found
    if view is None:
        assert error.task_id is None or error.task_id == task["id"]
        assert len(str(error)) < 500
        return
    assert view.state is None or isinstance(view.state, TrialState)
    assert view.seconds is None or 0 <= view.seconds < math.inf
    assert len(view.reason.encode()) < 20_000
    for names, summary in view.summary.scalars.items():
        "/".join(names).encode()
        assert len(summary) == 7
        assert all(type(summary[place]) is int and abs(summary[place]) < 2**63 for place in (1, 3, 5, 6))
    json.dumps({name: value.encode("utf-8", "replace").decode() for name, value in view.values.items()})


META = near(st.fixed_dictionaries({}, optional={"result_code": NUMBERS, "result_subcode": JUNK, "result_msg": JUNK}))
ANSWERS = near(st.fixed_dictionaries({"meta": META, "data": JUNK})).map(lambda answer: json.dumps(answer).encode())


@given(ANSWERS | st.binary(max_size=20) | st.just(b"[" * 100_000), st.sampled_from([200, 400, 500, 502]))
def test_an_answer_of_any_form_is_data_or_an_error_of_clearml(content, status):
    with suppress(ClearmlError):
        assert isinstance(_data("tasks.get_all", status, content), dict)


POINTS = near(st.lists(NUMBERS, max_size=2))
CURVE = near(st.fixed_dictionaries({}, optional={"x": POINTS, "y": POINTS}))
CURVES = near(st.dictionaries(st.text(max_size=3), near(st.dictionaries(st.just("v"), CURVE))))


@given(CURVES, st.dictionaries(st.just("events"), near(st.lists(near(st.fixed_dictionaries({"msg": JUNK}))))))
def test_curves_and_consoles_of_any_form_are_read_or_unreadable(curves, log):
    with suppress(ClearmlError):
        for title, series, value, iteration in TaskRecords(FakeServer(curves)).scalars("a"):
            assert (type(value), type(iteration)) == (float, int)
            f"{title}{series}".encode()
    TaskRecords(FakeServer(log)).output("a")[0].encode()


@given(CURVES)
def test_the_curves_that_tell_of_a_limit_may_have_any_form(curves):
    iterations = ObjectiveIterations(FakeServer(curves), make_objectives("m", "v", "min"), lambda: True, 3)
    entry = {"metric": "m", "variant": "v", "value": 1.0, "count": 2}
    view = read_task({"id": "a", "status": "in_progress", "last_iteration": 9, "last_metrics": {"m": {"v": entry}}})
    with suppress(UnreadableTaskError):
        assert iterations.is_limit_exceeded(view) in {True, False}
    assert iterations.written_into(view).summary.last_iteration == 9


@pytest.mark.parametrize(
    ("value", "y", "iteration"),
    [
        (0.5, [0.4, 0.5, 0.6], 5),
        (0.1, [0.4, 0.10000000149, 0.6], 5),  # as a number of 32 bits
        (0.4, [0.4, 0.4, 0.6], 5),
        (math.nan, [0.4, math.nan, 0.6], 5),
        (0.7, [0.4, 0.5, 0.6], 6),
        (0.7, [], 6),
    ],
)
def test_the_iteration_of_a_value_is_that_of_its_own_report_though_the_curve_goes_on(value, y, iteration):
    curves = {"m": {"v": {"x": [4, 5, 6], "y": y}}}
    iterations = ObjectiveIterations(FakeServer(curves), make_objectives("m", "v", "min"), lambda: True, 5)
    entry = {"metric": "m", "variant": "v", "value": value, "count": 2}
    view = read_task({"id": "a", "status": "in_progress", "last_iteration": 9, "last_metrics": {"m": {"v": entry}}})
    assert iterations.written_into(view).summary.scalars["m", "v"][1] == iteration
    assert iterations.is_limit_exceeded(view)


@pytest.fixture
def polled():
    """Three active jobs, of which the first has an answer that says nothing of it that can be read."""
    jobs = ActiveJobs(Pace(0.1))
    with jobs.changed:
        for number in range(3):
            jobs.add(ActiveJob(number, {"General/x": 0.5}, task=str(number), launched=0.0))
    objectives = make_objectives("m", "v", "min")
    answer = {"tasks": [{"id": "0", "status": "unheard"}, *({"id": str(n), "status": "in_progress"} for n in (1, 2))]}
    server = FakeServer(answer)
    space = Space([UniformParameterRange("General/x", 0, 1)])
    iterations = ObjectiveIterations(server, objectives, lambda: False)
    thread = PollThread(jobs, server, None, Idle(), Idle(), iterations, space)
    return jobs, thread, answer


def test_a_task_that_cannot_be_read_holds_up_no_other_and_is_told_once(polled):
    jobs, thread, answer = polled
    thread.look(jobs.followed())
    thread.look(jobs.followed())
    events = jobs.take_events(0)
    assert sorted(event.number for event in events if event.kind == "started") == [1, 2]
    (notice,) = [event for event in events if event.kind == "notice"]
    assert notice.data[1] == "what the ClearML server says of Task 0 cannot be read (KeyError: 'unheard')"
    answer["tasks"][0]["status"] = "in_progress"
    thread.look(jobs.followed())
    assert [(event.kind, event.number) for event in jobs.take_events(0)] == [("started", 0)]


def test_what_was_found_of_a_task_is_forgotten_once_it_is_followed_no_more(polled):
    jobs, thread, answer = polled
    thread._iterations = ObjectiveIterations(FakeServer(answer), make_objectives("m", "v", "min"), lambda: True)
    entry = {"metric": "m", "variant": "v", "value": 1.0}
    reported = {"last_metrics": {"m": {"v": entry}}}
    answer["m"] = {"v": {"x": [3], "y": [1.0]}}
    answer["tasks"] = [{"id": str(number), "status": "in_progress", **reported} for number in range(3)]
    thread.look(jobs.followed())
    assert thread._iterations._found.keys() == {"0", "1", "2"}
    answer["tasks"][1]["status"] = "completed"
    for _ in range(2):
        thread.look(jobs.followed())
    assert thread._iterations._found.keys() == {"0", "2"}


@pytest.mark.parametrize("states", [("completed", "in_progress"), ("in_progress", "completed"), ("queued", "failed")])
def test_a_task_that_one_answer_names_twice_is_as_it_was_until_the_server_agrees_with_itself(polled, states):
    jobs, thread, answer = polled
    others = answer["tasks"][1:]
    answer["tasks"] = [{"id": "0", "status": "in_progress"}, *others]
    thread.look(jobs.followed())
    assert [(event.kind, event.number) for event in jobs.take_events(0)] == [("started", number) for number in range(3)]
    answer["tasks"] = [{"id": "0", "status": status} for status in states] + others
    for _ in range(2):
        thread.look(jobs.followed())
    (notice,) = jobs.take_events(0)
    words = [poll_thread.read_task({"id": "0", "status": status}).state.label for status in states]
    assert notice.data[1] == (
        f"what the ClearML server says of Task 0 cannot be read (ValueError: one answer names it twice, as "
        f"{words[0]} and as {words[1]})"
    )
    answer["tasks"] = [{"id": "0", "status": "completed"}] * 2 + others
    for _ in range(2):
        thread.look(jobs.followed())
    assert [(event.kind, event.number) for event in jobs.take_events(0)] == [("ended", 0)]


class Unprintable:
    """A value that takes part in no comparison."""

    def __str__(self):
        raise RuntimeError("no text")


def test_what_goes_wrong_with_one_task_holds_up_no_other_and_is_told_once(polled):
    jobs, thread, answer = polled
    jobs.by_number[0].point["General/x"] = Unprintable()
    for task in answer["tasks"]:
        task |= {"status": "in_progress", "hyperparams": {"General": {"x": {"value": "0.5"}}}}
    thread.look(jobs.followed())
    answer["tasks"][2]["status"] = "completed"
    thread.look(jobs.followed())
    events = jobs.take_events(0)
    assert [event.number for event in events if event.kind == "ended"] == [2]
    (notice,) = [event for event in events if event.kind == "notice"]
    assert notice.data[1] == "what the ClearML server says of Task 0 cannot be read (RuntimeError: no text)"


@pytest.mark.parametrize("text", ["{[1]: 2}", "{{}}", "1" * 400])
def test_a_task_that_was_edited_to_what_is_no_value_fails_and_the_others_go_on(polled, text):
    jobs, thread, answer = polled
    answer["tasks"][0] |= {"status": "completed", "hyperparams": {"General": {"x": {"value": text}}}}
    answer["tasks"][1]["status"] = "completed"
    thread.look(jobs.followed())
    ended = {event.number: event.data for event in jobs.take_events(0) if event.kind == "ended"}
    assert ended[0].state is TrialState.FAILED
    assert ended[0].error.startswith(f"its Task was edited on the server: General/x is {text!r}")
    assert ended[1].state is TrialState.COMPLETED


@pytest.mark.parametrize("tasks", [None, 5, "tasks", {"a": 1}, [None], [{"status": "queued"}], [{"id": 5}]])
def test_an_answer_in_which_no_task_can_be_told_is_an_error_that_is_tried_again(polled, tasks):
    jobs, thread, answer = polled
    answer["tasks"] = tasks
    with pytest.raises(ClearmlError):
        thread.look(jobs.followed())
    assert jobs.take_events(0) == []
    assert len(jobs.by_number) == 3


RUNS = {"id": "0", "status": "in_progress", "started": "2026-01-01T00:00:00"}
RUNS_AGAIN = {**RUNS, "started": "2026-01-01T02:00:00"}
REPORTED = {**RUNS, "last_metrics": {"m": {"v": {"metric": "m", "variant": "v", "value": 1.0}}}}


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ([RUNS, {"status": "queued"}], ["started", "queued"]),
        ([RUNS, {"status": "queued", "started": RUNS["started"]}, {"status": "queued"}], ["started", "queued"]),
        ([RUNS, {"status": "created"}, {"status": "queued"}], ["started", "queued"]),
        ([REPORTED, RUNS_AGAIN], ["summary", "started", "queued", "summary", "started"]),
        ([RUNS, RUNS, RUNS_AGAIN, RUNS_AGAIN], ["started", "queued", "started"]),
        ([RUNS, {**RUNS_AGAIN, "status": "completed"}], ["started", "queued", "ended"]),
        ([REPORTED, {"status": "queued"}, RUNS_AGAIN], ["summary", "started", "queued", "summary", "started"]),
        ([RUNS, {**RUNS, "status": "completed"}], ["started", "ended"]),
    ],
)
def test_a_task_that_was_put_back_into_its_queue_begins_anew_also_where_no_look_has_seen_it_wait(
    polled, seen, expected
):
    jobs, thread, answer = polled
    followed = {"0": jobs.followed()["0"]}
    for said in seen:
        answer["tasks"] = [{"id": "0", **said}]
        thread.look(followed)
    events = jobs.take_events(0)
    assert [event.kind for event in events] == expected
    summaries = [len(event.data.scalars) for event in events if event.kind == "summary"]
    assert summaries == [1, 0][: len(summaries)]


def test_an_answer_without_a_task_ends_its_trial_only_if_the_next_ones_lack_it_too(polled, monkeypatch):
    jobs, thread, answer = polled
    running = [{"id": str(number), "status": "in_progress"} for number in range(3)]
    monkeypatch.setattr(poll_thread, "SETTLE_SECONDS", math.inf)
    answer["tasks"] = []
    thread.look(jobs.followed())
    assert jobs.take_events(0) == []
    assert all(job.is_unsettled for job in jobs.by_number.values())
    answer["tasks"] = running
    thread.look(jobs.followed())
    assert {event.kind for event in jobs.take_events(0)} == {"started"}
    # What was missing before counts no more.
    monkeypatch.setattr(poll_thread, "SETTLE_SECONDS", 0.0)
    assert not any(job.is_unsettled for job in jobs.by_number.values())
    answer["tasks"] = running[:2]
    thread.look(jobs.followed())
    [ended] = jobs.take_events(0)
    assert (ended.kind, ended.number, ended.data.error) == ("ended", 2, "its Task was deleted on the server")
