"""The Export menu: files that hold what is seen, sent as bytes; what cannot be made says why."""

from __future__ import annotations

import ast
import codecs
import csv
import io
import json

import pandas as pd
import pytest

from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import OptimizerWidget

POINT = {"lr": 0.00856, "dropout": 0.195, "layers": 3, "activation": "relu"}


@pytest.fixture
def panel(show, search):
    for number in range(6):
        search.add_trial(0.5 - number / 10, {**POINT, "layers": number + 1})
    return show(OptimizerWidget, search)


def downloads(wire, panel):
    return [
        (message["content"], message["buffers"])
        for one, message in wire.messages()
        if one is panel._export.comm and message.get("method") == "custom"
    ]


@pytest.mark.parametrize(
    ("kind", "media_type", "begin"),
    [
        ("csv", "text/csv", b"number,state,validation/loss,lr"),
        ("json", "application/json", b'[{"number": 0, "state": "completed"'),
        ("png", "image/png", b"\x89PNG"),
        ("svg", "image/svg+xml", b"<?xml"),
        ("html", "text/html", b"<!DOCTYPE html>"),
    ],
)
def test_each_kind_of_file_is_sent_with_its_name_and_type(panel, wire, kind, media_type, begin):
    wire.clear()
    wire.browser_says(panel._export, kind="export", id="a", what=kind)
    ((content, (data,)),) = downloads(wire, panel)
    told = {"kind": "file", "id": "a", "name": f"scripted.{kind}", "type": media_type}
    assert content == {**told, "words": content["words"]}
    assert content["words"] == ("6 trials" if kind in {"csv", "json"} else "")
    assert bytes(data).startswith(begin)


def test_trials_are_those_that_pass_the_filter_and_it_is_said(panel, refresh):
    panel.filter = {"within": {"layers": (3, 4)}}
    refresh(panel)
    assert panel._export.trials == "trials that pass the filter"
    _, data, words = panel._export.file("csv")
    assert words == "2 of 6 trials, by the filter"
    assert [line["layers"] for line in csv.DictReader(io.StringIO(data.decode()))] == ["3", "4"]
    _, data, _ = panel._export.file("json")
    assert [trial["parameters"]["layers"] for trial in json.loads(data)] == [3, 4]


def test_a_spreadsheet_is_told_that_a_csv_has_other_letters_than_ascii(panel, search):
    assert panel._export.file("csv")[1].isascii()
    search.add_trial(None, POINT, state=TrialState.FAILED, error="ValueError: zu groß")
    _, data, _ = panel._export.file("csv")
    assert data.startswith(codecs.BOM_UTF8)
    assert pd.read_csv(io.BytesIO(data), index_col="number")["error"][6] == "ValueError: zu groß"
    assert json.loads(panel._export.file("json")[1])[6]["error"] == "ValueError: zu groß"


def test_files_have_what_went_wrong_in_a_trial(panel, search):
    search.add_trial(None, POINT, state=TrialState.FAILED, error="ValueError: no luck")
    _, data, _ = panel._export.file("csv")
    assert [line["error"] for line in csv.DictReader(io.StringIO(data.decode()))] == [""] * 6 + ["ValueError: no luck"]
    _, data, _ = panel._export.file("json")
    assert json.loads(data)[-1]["error"] == "ValueError: no luck"


def test_the_best_parameters_are_a_dict_in_python(panel):
    assert ast.literal_eval(panel._export.best) == {**POINT, "layers": 6}


def test_several_objectives_have_no_best_parameters(show):
    search = ScriptedSearch(titles=["a", "b"], series=["x", "y"], signs=["min", "max"])
    search.add_trial([0.5, 1.0])
    panel = show(OptimizerWidget, search)
    assert panel._export.best == ""
    assert "there is no best trial" in panel._export.commands["best"]


@pytest.mark.parametrize(
    ("what", "request_id"), [("pdf", "a"), (None, "a"), (3, "a"), (["csv"], "a"), ("csv", None), ("csv", 3)], ids=str
)
def test_a_file_of_no_known_kind_and_for_nobody_is_refused(panel, wire, what, request_id):
    wire.clear()
    wire.browser_says(panel._export, kind="export", id=request_id, what=what)
    assert downloads(wire, panel) == []
    assert len(panel._refresher.notices) == 1


def test_whoever_asks_again_for_a_file_that_cannot_be_made_is_told_again_why(panel, wire, monkeypatch):
    monkeypatch.setattr(
        "hpo_widgets.widget.parts.export_menu.picture", lambda *_: (_ for _ in ()).throw(ValueError("no figure"))
    )
    wire.clear()
    for request in "ab":
        wire.browser_says(panel._export, kind="export", id=request, what="png")
    told = [content for content, _ in downloads(wire, panel)]
    assert told == [{"kind": "problem", "id": request, "problem": "png: no figure"} for request in "ab"]


def test_the_name_of_a_file_is_safe(show):
    search = ScriptedSearch(name="../../etc/<b>passwd")
    search.add_trial(0.5)
    name, _, _ = show(OptimizerWidget, search)._export.file("csv")
    assert name == "------etc--b-passwd.csv"
