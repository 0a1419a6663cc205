"""The shapes in which results leave a search."""

from __future__ import annotations

import csv
import io
import json
import math

import numpy as np
import pytest

from hpo_widgets.engines.local.template import FunctionTemplate
from hpo_widgets.objectives import make_objectives
from hpo_widgets.parameters import (
    DiscreteParameterRange,
    ParameterSet,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from hpo_widgets.space import Space
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import Trial, TrialRow, TrialState
from hpo_widgets.trials.columns import TrialStore
from hpo_widgets.trials.export import Export, Extra, experiment_details

OBJECTIVES = make_objectives(["validation", "a/b"], ["loss", "c"], ["min", "max"])
SPACE = Space(
    [
        UniformParameterRange("Args/lr", 0, 1),
        UniformIntegerParameterRange("layers", 1, 8),
        DiscreteParameterRange("kind", [None, True, (2, 3), "None"]),
        ParameterSet([{"solver": "adam", "beta": UniformParameterRange("beta", 0, 1)}, {"solver": "sgd"}]),
    ]
)


def row(number, point, state=TrialState.COMPLETED, **fields):
    return TrialRow(number, int(state), 0, SPACE.encode(point), **fields)


def trial_of(one):
    return Trial.from_row(one, f"digits-1/{one.number}", SPACE.decode(one.parameters), OBJECTIVES, None)


ADAM = {"Args/lr": 0.5, "layers": 3, "kind": (2, 3), "solver": "adam", "beta": 0.25}
SGD = {"Args/lr": 0.75, "layers": 4, "kind": None, "solver": "sgd"}


def details(*, all_metrics=False, all_hyper_parameters=False):
    summary = {
        "validation/loss": [0.5, 9, 0.25, 7, 2.0, 0, 10],
        "a/b/c": [1.0, 9, 1.0, 9, 1.0, 9, 1],
        "train/loss": [0.1, 9, 0.1, 9, 3.0, 0, 10],
    }
    trial = trial_of(row(3, ADAM, summary=summary, error="was late"))
    return experiment_details(trial, parameters(trial, everything=all_hyper_parameters), all_metrics=all_metrics)


def parameters(trial, *, everything):
    [more] = FunctionTemplate(lambda x: x).hyper_parameters([trial]) if everything else [{}]
    return {**trial.get_parameters(), **more}


def test_details_have_the_searched_parameters_as_text_and_the_objectives():
    assert details() == {
        "task_id": "digits-1/3",
        "hyper_parameters": {
            "Args/lr": "0.5",
            "General/layers": "3",
            "General/kind": "(2, 3)",
            "General/solver": "adam",
            "General/beta": "0.25",
        },
        "metrics": {
            "validation/loss": {
                "metric": "validation",
                "variant": "loss",
                "value": 0.5,
                "min_value": 0.25,
                "max_value": 2.0,
            },
            "a/b/c": {"metric": "a/b", "variant": "c", "value": 1.0, "min_value": 1.0, "max_value": 1.0},
        },
    }


def test_all_metrics_are_the_other_scalars_too():
    assert list(details(all_metrics=True)["metrics"]) == ["validation/loss", "a/b/c", "train/loss"]


def test_all_hyper_parameters_are_what_is_known_of_the_trial_too():
    found = details(all_hyper_parameters=True)["hyper_parameters"]
    assert list(found)[:5] == list(details()["hyper_parameters"])
    assert {name: value for name, value in found.items() if name.startswith("trial/")} == {
        "trial/number": "3",
        "trial/state": "completed",
        "trial/epoch": "0",
        "trial/error": "was late",
    }


def test_a_run_time_is_what_was_measured_also_where_a_clock_was_set_meanwhile():
    measured = row(0, SGD, started=100.0, ended=40.0, duration=2.5)
    by_times_of_day = row(1, SGD, started=100.0, ended=103.0)
    runs = row(2, SGD, TrialState.RUNNING, started=100.0)
    never_ran = row(3, SGD, TrialState.ABORTED, ended=103.0)
    all_rows = [measured, by_times_of_day, runs, never_ran]
    shown = TrialStore(SPACE, OBJECTIVES)
    shown.put(all_rows)
    rows = shown.columns.snapshot()
    trials = [trial_of(one) for one in all_rows]
    assert [trial.duration for trial in trials[:2]] == [2.5, 3.0]
    assert [math.isnan(trial.duration) for trial in trials[2:]] == [True, True]
    assert trials[2] == trial_of(runs)
    assert Export(rows, SPACE, OBJECTIVES).to_dataframe()["seconds"].tolist()[:2] == [2.5, 3.0]
    assert [record["seconds"] for record in Export(rows, SPACE, OBJECTIVES).to_records()] == [2.5, 3.0, None, None]


def test_a_trial_without_reports_has_no_metrics():
    trial = trial_of(row(0, SGD, TrialState.QUEUED))
    found = experiment_details(trial, parameters(trial, everything=True), all_metrics=True)
    assert found["metrics"] == {}
    assert found["hyper_parameters"]["trial/error"] == ""


@pytest.fixture
def rows():
    shown = TrialStore(SPACE, OBJECTIVES)
    shown.put(
        [
            row(0, ADAM, values=[0.5, 1.0], iteration=[9, 9], started=100.0, ended=102.5, worker=1),
            row(1, SGD, TrialState.RUNNING, started=200.0, enqueued=True),
            row(2, {**SGD, "kind": True}, TrialState.FAILED, values=[0.25, None], iteration=[1, None], archived=True),
        ]
    )
    return shown.columns.snapshot()


@pytest.fixture
def frame(rows):
    return Export(rows, SPACE, OBJECTIVES).to_dataframe()


def test_csv_has_the_columns_and_values_of_the_frame(rows, frame):
    lines = list(csv.reader(io.StringIO(Export(rows, SPACE, OBJECTIVES).to_csv())))
    assert lines[0] == ["number", *frame.columns]
    assert [line[:3] for line in lines[1:]] == [
        ["0", "completed", "0.5"],
        ["1", "running", ""],
        ["2", "failed", "0.25"],
    ]


def test_records_are_json_with_the_values_that_a_trial_has(rows):
    records = Export(rows, SPACE, OBJECTIVES).to_records()
    assert json.loads(json.dumps(records, allow_nan=False))[0] == {
        "number": 0,
        "state": "completed",
        "values": {"validation/loss": 0.5, "a/b/c": 1.0},
        "parameters": {"Args/lr": 0.5, "layers": 3, "kind": [2, 3], "solver": "adam", "beta": 0.25},
        "epoch": 0,
        "started": 100.0,
        "seconds": 2.5,
        "worker": 1,
        "enqueued": False,
        "archived": False,
        "note": "",
        "tags": [],
    }
    assert records[1]["parameters"] == SGD
    assert (records[1]["seconds"], records[1]["values"]["a/b/c"], records[1]["enqueued"]) == (None, None, True)
    assert records[2]["parameters"]["kind"] is True


def test_what_went_wrong_is_the_last_column(rows):
    error = 'ValueError: "no",\nluck'
    extras = {2: Extra(error, {})}
    frame = Export(rows, SPACE, OBJECTIVES, extras).to_dataframe()
    assert frame.columns[-1] == "error"
    assert frame["error"].tolist() == ["", "", error]
    lines = list(csv.reader(io.StringIO(Export(rows, SPACE, OBJECTIVES, extras).to_csv())))
    assert [line[-1] for line in lines] == ["error", "", "", error]
    records = Export(rows, SPACE, OBJECTIVES, extras).to_records()
    assert [record["error"] for record in records] == ["", "", error]


def test_tasks_have_a_column_where_trials_are_tasks(rows):
    extras = {0: Extra(None, {}, "a1"), 2: Extra("no luck", {})}
    frame = Export(rows, SPACE, OBJECTIVES, extras).to_dataframe()
    assert frame.columns[-2:].tolist() == ["task_id", "error"]
    assert frame["task_id"].tolist() == ["a1", "", ""]
    assert [record.get("task_id") for record in Export(rows, SPACE, OBJECTIVES, extras).to_records()] == [
        "a1",
        None,
        None,
    ]


def test_other_scalars_than_objectives_have_a_column_each_after_them(rows):
    extras = {
        0: Extra(None, {"train/loss": 0.25}),
        1: Extra(None, {"train/loss": math.inf, "time/epoch": 3.0}),
    }
    frame = Export(rows, SPACE, OBJECTIVES, extras).to_dataframe()
    assert frame.columns[:5].tolist() == ["state", "validation/loss", "a/b/c", "train/loss", "time/epoch"]
    assert frame["train/loss"].tolist()[:2] == [0.25, math.inf]
    assert frame["time/epoch"].isna().tolist() == [True, False, True]
    records = Export(rows, SPACE, OBJECTIVES, extras).to_records()
    assert [record["scalars"] for record in records] == [
        {"train/loss": 0.25},
        {"train/loss": "Infinity", "time/epoch": 3.0},
        {},
    ]


def test_a_parameter_that_is_called_error_has_a_column_of_its_own(rows):
    space = Space([UniformIntegerParameterRange("error", 1, 99)])
    shown = TrialStore(space, OBJECTIVES)
    shown.put([TrialRow(0, 3, 0, space.encode({"error": 7}))])
    frame = Export(shown.columns.snapshot(), space, OBJECTIVES, {0: Extra("no luck", {})}).to_dataframe()
    assert (frame["General/error"].tolist(), frame["error"].tolist()) == ([7], ["no luck"])


def test_values_that_json_does_not_have_are_words():
    space = Space([DiscreteParameterRange("kind", [math.inf, frozenset({1})])])
    shown = TrialStore(space, OBJECTIVES)
    shown.put([TrialRow(0, 2, 0, space.encode({"kind": frozenset({1})}), values=[math.inf, -math.inf])])
    (record,) = Export(shown.columns.snapshot(), space, OBJECTIVES).to_records()
    assert record["values"] == {"validation/loss": "Infinity", "a/b/c": "-Infinity"}
    assert record["parameters"] == {"kind": space.leaf("kind").labels[1]}
    json.dumps(record, allow_nan=False)


@pytest.mark.parametrize("choice", [{0: 1}, {None: 1}, {True: 1, "true": 2}, [({"a": {0: 1}},)]])
def test_a_dict_whose_keys_json_would_change_is_its_label(choice):
    space = Space([DiscreteParameterRange("kind", [choice, {"0": (1,)}])])
    shown = TrialStore(space, OBJECTIVES)
    shown.put([TrialRow(n, 2, 0, [n], values=[0.5, 1.0]) for n in range(2)])
    records = Export(shown.columns.snapshot(), space, OBJECTIVES).to_records()
    read = [record["parameters"]["kind"] for record in json.loads(json.dumps(records))]
    assert read == [repr(choice), {"0": [1]}]


def test_a_dataframe_has_a_row_a_trial_and_a_column_a_word(frame):
    assert frame.index.name == "number"
    assert frame.index.tolist() == [0, 1, 2]
    objectives, run = ("validation/loss", "a/b/c"), ("epoch", "started", "seconds", "worker", "enqueued", "archived")
    run += ("note", "tags")
    assert list(frame.columns) == ["state", *objectives, *SPACE.names, *run]
    assert frame["state"].tolist() == ["completed", "running", "failed"]


def test_values_of_parameters_keep_their_types(frame):
    assert frame["kind"].tolist() == [(2, 3), None, True]
    assert frame["layers"].dtype == "Int64"
    assert frame["layers"].tolist() == [3, 4, 4]
    assert frame["Args/lr"].dtype == np.float64
    assert frame["solver"].tolist() == ["adam", "sgd", "sgd"]


def test_a_parameter_that_is_called_like_another_column_has_one_of_its_own():
    names = ("epoch", "state", "number", "seed", "validation/loss", "seconds", "General/seconds")
    space = Space([UniformIntegerParameterRange(name, 1, 99) for name in names])
    shown = TrialStore(space, OBJECTIVES)
    point = {name: 10 + place for place, name in enumerate(names)}
    shown.put([TrialRow(0, 2, 3, space.encode(point), values=[0.5, 1.0])])
    frame = Export(shown.columns.snapshot(), space, OBJECTIVES).to_dataframe(reserved=["seed"])
    assert (frame.index.tolist(), frame["state"].tolist(), frame["epoch"].tolist()) == ([0], ["completed"], [3])
    assert (frame["validation/loss"].tolist(), "seed" in frame) == ([0.5], False)
    titles = [name if name == "General/seconds" else f"General/{name}" for name in names]
    titles[names.index("seconds")] = "General/General/seconds"
    assert frame[titles].iloc[0].tolist() == list(point.values())


def test_two_parameters_of_which_an_objective_has_the_title_have_a_column_each():
    space = Space([UniformIntegerParameterRange(name, 1, 99) for name in ("epoch", "General/epoch")])
    objectives = make_objectives("General", "epoch", "min")
    shown = TrialStore(space, objectives)
    shown.put([TrialRow(0, 2, 3, space.encode({"epoch": 10, "General/epoch": 11}), values=[0.5])])
    frame = Export(shown.columns.snapshot(), space, objectives).to_dataframe()
    assert frame["General/epoch"].tolist() == [0.5]
    assert {10, 11} <= set(frame.iloc[0])


def test_csv_has_a_line_a_trial_also_where_a_text_has_a_carriage_return():
    ends = ["\n", "\r", "\r\n", "a\rb", ",", '"', ""]
    space = Space([DiscreteParameterRange("end", ends)])
    shown = TrialStore(space, OBJECTIVES)
    shown.put([TrialRow(n, 2, 0, space.encode({"end": end}), values=[0.5, None]) for n, end in enumerate(ends)])
    text = Export(shown.columns.snapshot(), space, OBJECTIVES, {0: Extra("no\rluck", {})}).to_csv()
    lines = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [line["end"] for line in lines] == ends
    assert [line["number"] for line in lines] == [*map(str, range(len(ends)))]
    assert (lines[0]["error"], lines[0]["a/b/c"]) == ("no\rluck", "")


def test_none_stays_none_among_strings():
    space = Space([DiscreteParameterRange("kind", ["a", None])])
    shown = TrialStore(space, OBJECTIVES)
    shown.put([TrialRow(n, 2, 0, space.encode({"kind": kind})) for n, kind in enumerate(["a", None])])
    assert Export(shown.columns.snapshot(), space, OBJECTIVES).to_dataframe()["kind"].tolist() == ["a", None]


def test_what_there_is_not_is_missing(frame):
    assert frame["beta"].isna().tolist() == [False, True, True]
    assert frame["validation/loss"].isna().tolist() == [False, True, False]
    assert frame["a/b/c"].isna().tolist() == [False, True, True]
    assert frame["seconds"].isna().tolist() == [False, True, True]
    assert frame["started"].isna().tolist() == [False, False, True]


def test_moments_are_utc_and_lengths_are_seconds(frame):
    assert str(frame["started"].dt.tz) == "UTC"
    assert frame["started"][0].timestamp() == 100.0
    assert frame["seconds"][0] == 2.5
    assert frame["enqueued"].tolist() == [False, True, False]
    assert frame["archived"].tolist() == [False, False, True]
    assert frame["worker"].tolist() == [1, -1, -1]


def test_an_int_that_does_not_apply_is_missing_in_an_int_column():
    space = Space([ParameterSet([{"a": 1, "n": UniformIntegerParameterRange("n", 1, 3)}, {"a": 2}])])
    shown = TrialStore(space, OBJECTIVES)
    shown.put([TrialRow(n, 2, 0, space.encode(point)) for n, point in enumerate([{"a": 1, "n": 2}, {"a": 2}])])
    frame = Export(shown.columns.snapshot(), space, OBJECTIVES).to_dataframe()
    assert frame["n"].dtype == "Int64"
    assert frame["n"].isna().tolist() == [False, True]


def test_a_search_without_trials_is_an_empty_frame_with_its_columns():
    frame = Export(TrialStore(SPACE, OBJECTIVES).columns.snapshot(), SPACE, OBJECTIVES).to_dataframe()
    assert len(frame) == 0
    assert "validation/loss" in frame
    assert "beta" in frame


@pytest.mark.parametrize("write", ["to_csv", "to_json"])
def test_a_file_is_written_whatever_letters_a_choice_has(tmp_path, write):
    search = ScriptedSearch([DiscreteParameterRange("file", ["a\udc80", "b"])])
    search.add_trial(0.5, {"file": "a\udc80"})
    path = tmp_path / "trials"
    path.write_text("an earlier one")
    getattr(search, write)(path)
    assert r"a\udc80" in path.read_text(encoding="utf-8")
