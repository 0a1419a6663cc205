"""The searches of a folder in plain values, from journals alone."""

from __future__ import annotations

import json
import os
from dataclasses import asdict

import pytest

from hpo_widgets.journal import DIRECTORY, Journal
from hpo_widgets.optimizer.reopening import find_journal
from hpo_widgets.parameters import UniformParameterRange
from hpo_widgets.search.limits import Settings
from hpo_widgets.space import Space
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialRow, TrialState
from hpo_widgets.viewer import SearchViewer, listing
from hpo_widgets.viewer.listing import JournalListing, describe

SPACE = Space([UniformParameterRange("x", 0, 1)])
START = {"kind": "start", "at": 600.0}
END = {"kind": "end", "at": 700.0, "code": "stopped", "sentence": "stopped by hand", "wall_minutes": 1.5}


def header(name):
    return {
        "name": name,
        "objectives": [["validation", "loss", "min"]],
        "settings": asdict(Settings(2, total_max_jobs=8)),
        "space": SPACE.to_dict(),
        "strategy": "RandomSearch",
        "template": "train",
        "engine": "callable",
        "seed": 1,
        "is_seeded": False,
        "arguments": {},
    }


def row(number, value, state=TrialState.COMPLETED):
    summary = {"validation/loss": [value, 0, value, 0, value, 0, 1]}
    times = {"started": 600.0, "ended": 606.0}
    return TrialRow(
        number, int(state), 0, SPACE.encode({"x": 0.5}), values=[value], summary=summary, iteration=[0], **times
    )


@pytest.fixture
def keep(tmp_path):
    """``keep(name, values)`` writes the journal of a search that has ended."""

    def write(name, values, events=(START, END), outputs=()):
        folder = tmp_path / DIRECTORY
        folder.mkdir(exist_ok=True)
        with Journal.create(folder / f"{name}-1.sqlite", f"{name}-1", header(name)) as journal:
            journal.write([row(number, value) for number, value in enumerate(values)], [], outputs, list(events))
        return journal.path

    return write


def test_a_search_that_has_ended_is_told_with_its_best_values(keep, tmp_path):
    path = keep("digits", [0.5, 0.75, 0.25])
    (found,) = JournalListing().searches(tmp_path)
    assert json.loads(json.dumps(found)) == found
    assert found == {
        "search_id": "digits-1",
        "opens": "digits-1",
        "title": "digits",
        "status": "stopped",
        "is_alive": False,
        "ended": 3,
        "total": 8,
        "num_trials": 3,
        "progress": 3 / 8,
        "best": {"value": "0.25", "trial": "#2"},
        "objective": "validation / loss",
        "curve": [[0, 0.5], [2, 0.25]],
        "changed_at": path.stat().st_mtime,
    }


def test_a_journal_that_is_not_named_after_its_search_is_opened_by_its_path(keep, tmp_path, monkeypatch):
    """The id is text of the file, which may be anybody's: the name of the file is what the folder has."""
    path = keep("digits", [0.5])
    path.rename(path.with_name("mine.sqlite"))
    (found,) = JournalListing().searches(tmp_path)
    assert (found["search_id"], found["opens"]) == ("digits-1", ".hpo_widgets/mine.sqlite")
    monkeypatch.chdir(tmp_path)
    with SearchViewer(find_journal(found["opens"])) as search:
        assert search.id == "digits-1"


def test_the_search_that_changed_last_comes_first(keep, tmp_path):
    for age, name in enumerate(["new", "old"]):
        os.utime(keep(name, [0.5]), (1_000 - age, 1_000 - age))
    assert [found["title"] for found in JournalListing().searches(tmp_path)] == ["new", "old"]


def test_a_folder_without_searches_is_an_empty_list(tmp_path):
    assert JournalListing().searches(tmp_path) == []


def test_a_journal_is_read_again_only_when_it_has_changed(keep, tmp_path, monkeypatch):
    path = keep("digits", [0.5])
    known, read = JournalListing(), []
    monkeypatch.setattr(listing, "_read", lambda one, before=listing._read: read.append(one) or before(one))
    first = known.searches(tmp_path)
    assert known.searches(tmp_path) == first
    assert read == [path]
    os.utime(path, (1_000, 1_000))
    known.searches(tmp_path)
    assert read == [path, path]


def test_what_a_process_runs_is_looked_at_each_time(keep, tmp_path):
    path = keep("digits", [0.5], [START])
    known = JournalListing()
    with Journal.open(path):
        assert known.searches(tmp_path)[0]["status"] == "running"
    assert known.searches(tmp_path)[0]["status"] == "stopped"


def test_what_cannot_be_read_has_a_sentence_and_hides_no_other(keep, tmp_path):
    keep("digits", [0.5])
    (tmp_path / DIRECTORY / "broken.sqlite").write_bytes(b"no journal")
    found = {one["title"]: one for one in JournalListing().searches(tmp_path)}
    assert found["digits"]["ended"] == 1
    assert "broken.sqlite" in found["broken"]["problem"]


def test_the_best_of_all_trials_is_told_however_large_the_journal_is(keep, tmp_path):
    path = keep("digits", [0.25, *[0.5] * 1200], outputs=[(0, "x" * 21_000_000, "", "")])
    assert path.stat().st_size > 20_000_000
    (found,) = JournalListing().searches(tmp_path)
    assert (found["curve"], found["best"], found["ended"]) == ([[0, 0.25]], {"value": "0.25", "trial": "#0"}, 1201)


def test_of_several_objectives_nothing_is_called_the_best():
    search = ScriptedSearch(titles=["a", "b"], series=["a", "b"], signs=["min", "max"])
    search.add_trial([0.5, 0.5])
    told = describe(search)
    assert (told["best"], told["objective"], told["curve"]) == (None, "", [])
