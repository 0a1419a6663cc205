"""The searches of a folder in plain values, from journals alone."""

from __future__ import annotations

import json
import os

import pytest

from hpo_widgets.journal import DIRECTORY, Journal
from hpo_widgets.optimizer.reopening import find_journal
from hpo_widgets.parameters import UniformParameterRange
from hpo_widgets.search import SearchStatus
from hpo_widgets.space import Space
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialRow, TrialState
from hpo_widgets.viewer import SearchViewer, listing
from hpo_widgets.viewer.listing import JournalListing, describe
from tests.headers import header

SPACE = Space([UniformParameterRange("x", 0, 1)])
START = {"kind": "start", "at": 600.0}
END = {"kind": "end", "at": 700.0, "code": "stopped", "sentence": "stopped by hand", "wall_minutes": 1.5}


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
        with Journal.create(folder / f"{name}-1.sqlite", f"{name}-1", header(SPACE, 8, name=name)) as journal:
            journal.write([row(number, value) for number, value in enumerate(values)], [], outputs, list(events))
        return journal.path

    return write


def test_a_search_that_has_ended_is_told_with_its_best_values(keep, tmp_path):
    path = keep("digits", [0.5, 0.75, 0.25])
    (found,) = JournalListing().newest(tmp_path)["searches"]
    assert json.loads(json.dumps(found)) == found
    assert found == {
        "search_id": "digits-1",
        "opens": "digits-1",
        "title": "digits",
        "status": "stopped",
        "pill": {"word": "stopped", "look": "stopped"},
        "owner_died": False,
        "is_alive": False,
        "ended": 3,
        "total": 8,
        "num_trials": 3,
        "progress": 3 / 8,
        "best": {"value": "0.25", "trial": "#2", "note": ""},
        "objective": "validation / loss",
        "curve": [[0, 0.5], [2, 0.25]],
        "changed_at": path.stat().st_mtime,
    }


def test_a_journal_that_is_not_named_after_its_search_is_opened_by_its_path(keep, tmp_path, monkeypatch):
    """The id is text of the file, which may be anybody's: the name of the file is what the folder has."""
    path = keep("digits", [0.5])
    path.rename(path.with_name("mine.sqlite"))
    (found,) = JournalListing().newest(tmp_path)["searches"]
    assert (found["search_id"], found["opens"]) == ("digits-1", ".hpo_widgets/mine.sqlite")
    monkeypatch.chdir(tmp_path)
    with SearchViewer(find_journal(found["opens"])) as search:
        assert search.id == "digits-1"


def test_the_search_that_changed_last_comes_first(keep, tmp_path):
    for age, name in enumerate(["new", "old"]):
        os.utime(keep(name, [0.5]), (1_000 - age, 1_000 - age))
    assert [found["title"] for found in JournalListing().newest(tmp_path)["searches"]] == ["new", "old"]


def test_a_folder_without_searches_is_an_empty_list(tmp_path):
    assert JournalListing().newest(tmp_path) == {"searches": [], "left_off": 0}


def test_a_journal_is_read_again_only_when_it_has_changed(keep, tmp_path, monkeypatch):
    path = keep("digits", [0.5])
    known, read = JournalListing(), []
    monkeypatch.setattr(listing, "_read", lambda one, before=listing._read: read.append(one) or before(one))
    first = known.newest(tmp_path)["searches"]
    assert known.newest(tmp_path)["searches"] == first
    assert read == [path]
    os.utime(path, (1_000, 1_000))
    known.newest(tmp_path)["searches"]
    assert read == [path, path]


def test_what_a_process_runs_is_looked_at_each_time(keep, tmp_path):
    path = keep("digits", [0.5], [START])
    known = JournalListing()
    with Journal.open(path):
        assert known.newest(tmp_path)["searches"][0]["status"] == "running"
    (found,) = known.newest(tmp_path)["searches"]
    assert (found["status"], found["pill"]) == ("stopped", {"word": "interrupted", "look": "stopped"})


def test_of_more_journals_than_are_read_the_oldest_are_counted(keep, tmp_path, monkeypatch):
    for age, name in enumerate(["new", "old", "older"]):
        os.utime(keep(name, [0.5]), (1_000 - age, 1_000 - age))
    monkeypatch.setattr(listing, "MOST_JOURNALS", 1)
    told = JournalListing().newest(tmp_path)
    assert ([found["title"] for found in told["searches"]], told["left_off"]) == (["new"], 2)


def test_of_a_paused_search_it_is_told_that_its_process_has_gone(keep, tmp_path):
    path = keep("digits", [0.5], [START, {"kind": "pause", "at": 610.0}])
    known = JournalListing()
    told = []
    with Journal.open(path):
        told += known.newest(tmp_path)["searches"]
    told += known.newest(tmp_path)["searches"]
    assert [(one["status"], one["owner_died"]) for one in told] == [("paused", False), ("paused", True)]


def test_what_cannot_be_read_has_a_sentence_and_hides_no_other(keep, tmp_path):
    keep("digits", [0.5])
    (tmp_path / DIRECTORY / "broken.sqlite").write_bytes(b"no journal")
    found = {one["title"]: one for one in JournalListing().newest(tmp_path)["searches"]}
    assert found["digits"]["ended"] == 1
    assert "broken.sqlite" in found["broken"]["problem"]


def test_the_best_of_all_trials_is_told_however_large_the_journal_is(keep, tmp_path):
    path = keep("digits", [0.25, *[0.5] * 1200], outputs=[(0, "x" * 21_000_000, "", "")])
    assert path.stat().st_size > 20_000_000
    (found,) = JournalListing().newest(tmp_path)["searches"]
    assert (found["curve"], found["ended"]) == ([[0, 0.25]], 1201)
    assert found["best"] == {"value": "0.25", "trial": "#0", "note": ""}


def test_the_best_is_marked_where_it_did_not_complete():
    search = ScriptedSearch()
    search.add_trial(0.5, state=TrialState.ABORTED)
    assert describe(search)["best"] == {"value": "0.5", "trial": "#0", "note": " (aborted)"}


def test_of_several_objectives_nothing_is_called_the_best():
    search = ScriptedSearch(titles=["a", "b"], series=["a", "b"], signs=["min", "max"])
    assert describe(search)["best"] is None
    for values in ([0.5, 0.5], [0.25, 0.25], [0.75, 0.25]):
        search.add_trial(values)
    told = describe(search)
    assert told["best"] == {"value": "2 trials on the front", "trial": "#1", "note": ""}
    assert (told["objective"], told["curve"]) == ("", [])


def test_a_search_without_a_result_is_no_success():
    search = ScriptedSearch()
    search.add_trial(state=TrialState.FAILED)
    search.set_status(SearchStatus.COMPLETED)
    assert describe(search)["pill"] == {"word": "all trials failed", "look": "failed"}
