"""Texts of a search that files, pictures and messages to a page have no place for, or take for something else."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET

import pytest

from hpo_widgets.objectives import Objective
from hpo_widgets.parameters import DiscreteParameterRange, LogUniformParameterRange, UniformParameterRange
from hpo_widgets.search import Notice
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import OptimizerWidget

HALF = "\ud800"
CONTROL = "\x00\x1b[31m\x07"
MARKUP = "]]>&amp;--><script>hit()</script><img src=x onerror=hit()>$x^{2"


def search_of(name, choice):
    search = ScriptedSearch(
        [UniformParameterRange(f"{name}/x", 0, 1), LogUniformParameterRange("lr", -4, -1),
         DiscreteParameterRange("choice", [choice, "b"])],
        titles=name, series=name, name=name,
    )  # fmt: skip
    search.command("start")
    search.add_trials([0.5, 0.25, 0.125])
    search.add_trial(state=TrialState.FAILED, error=choice)
    search.notify("callback", choice)
    search.command("set_note", 1, choice)
    search.command("set_tags", 1, [choice])
    return search


@pytest.mark.parametrize(
    ("name", "choice"), [("name", HALF), (CONTROL, CONTROL), (MARKUP, MARKUP)], ids=["half", "control", "markup"]
)
def test_texts_of_any_letters_reach_messages_files_and_pictures(show, wire, refresh, name, choice):
    panel = show(OptimizerWidget, search_of(name, choice))
    panel.selected = [1, 3]
    refresh(panel)
    for _, message in wire.messages():
        content = {part: value for part, value in message.items() if part != "buffers"}
        json.dumps(content, ensure_ascii=False, default=lambda _: None).encode()
    json.dumps(panel._snapshot.data(), ensure_ascii=False).encode()
    rows = list(csv.reader(io.StringIO(panel._export.file("csv")[1].decode())))
    assert len(rows) >= 5
    assert len(json.loads(panel._export.file("json")[1])) == 4
    drawn = ET.fromstring(panel.picture("svg"))
    kinds = {element.tag.partition("}")[2] for element in drawn.iter()}
    assert kinds <= {"svg", "metadata", "RDF", "Work", "type", "date", "format", "creator", "Agent", "title", "defs",
                     "style", "g", "path", "use", "clipPath", "rect", "image"}  # fmt: skip


@pytest.mark.parametrize(
    "make",
    [
        lambda: UniformParameterRange(HALF, 0, 1),
        lambda: DiscreteParameterRange(HALF, ["a"]),
        lambda: Objective(HALF, "a"),
    ],
)  # fmt: skip
def test_a_name_that_no_page_can_hold_is_refused(make):
    with pytest.raises(ValueError, match="half of a surrogate pair"):
        make()


def test_a_notice_spells_out_what_no_page_can_hold():
    assert Notice("command", f"no file {HALF}").sentence == "no file \\ud800"
