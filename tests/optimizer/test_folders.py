"""A search in a program that goes to another folder, or ends before its search does."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hpo_widgets import HyperParameterOptimizer, OptimizerWidget, RandomSearch, UniformParameterRange
from hpo_widgets.journal import JournalNotFound
from hpo_widgets.optimizer import reopening
from hpo_widgets.viewer import SearchViewer
from tests.runs import identity

UNFINISHED = """
from hpo_widgets import HyperParameterOptimizer, RandomSearch, UniformParameterRange

def slow(x):
    import time
    time.sleep(60)

search = HyperParameterOptimizer(
    slow, [UniformParameterRange("x", 0, 1)], optimizer_class=RandomSearch, total_max_jobs=2, name="slow"
)
search.start()
"""


def made_in(folder, monkeypatch, journal):
    monkeypatch.chdir(folder)
    return HyperParameterOptimizer(
        identity, [UniformParameterRange("x", 0, 1)], optimizer_class=RandomSearch, total_max_jobs=4, journal=journal
    )


def test_a_search_is_kept_where_it_began_though_the_program_goes_to_another_folder(tmp_path, monkeypatch):
    (tmp_path / "first").mkdir()
    search = made_in(tmp_path / "first", monkeypatch, "kept")
    search.start()
    monkeypatch.chdir(tmp_path)
    assert search.wait()
    assert search.journal_path.parent == tmp_path / "first" / "kept"
    assert search.best_trial.number in range(4)
    search.set_total_max_jobs(6)
    assert search.start()
    assert search.wait()
    assert len(search.to_optuna().trials) == 6
    monkeypatch.chdir(tmp_path / "first")
    with SearchViewer(search.journal_path.relative_to(tmp_path / "first")) as viewer:
        monkeypatch.chdir(tmp_path)
        assert viewer.best_trial.number == search.best_trial.number


def test_a_journal_may_be_named_by_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    search = made_in(tmp_path, monkeypatch, "~/kept")
    assert search.journal_path.parent == tmp_path / "kept"
    search.start()
    assert search.wait()
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    for where in ((f"~/kept/{search.id}.sqlite",), ("~/kept", search.id)):
        with HyperParameterOptimizer.open(*where) as viewer:
            assert viewer.id == search.id


def test_a_program_that_ends_before_its_search_says_so(tmp_path):
    script = tmp_path / "search.py"
    script.write_text(UNFINISHED, encoding="utf-8")
    ended = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "the search slow-" in ended.stderr
    assert "call wait() to wait for the end" in ended.stderr


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A search that has ended, whose journal is in ``runs``, in a program that has made no search of that id."""
    search = made_in(tmp_path, monkeypatch, "runs")
    search.start()
    assert search.wait()
    monkeypatch.delitem(reopening.JOURNALS_OF_THIS_PROCESS, search.id)
    return search


@pytest.mark.parametrize("again", [{}, {"base_task_id": identity}], ids=["view", "to continue"])
def test_open_looks_an_id_up_in_the_folder_that_is_given_as_journal(kept, again):
    for place in ("runs", kept.journal_path.parent, kept.journal_path, str(kept.journal_path)):
        for name in (kept.id, kept.id[:-2]):
            opened = HyperParameterOptimizer.open(name, journal=place, **again)
            assert (opened.id, opened.journal_path, len(opened.snapshot())) == (kept.id, kept.journal_path, 4)


def test_a_panel_looks_an_id_up_in_the_folder_that_is_given_as_journal(kept):
    panel = OptimizerWidget.open(kept.id, journal="runs")
    try:
        assert panel.search.journal_path == kept.journal_path
    finally:
        panel.close()


def test_open_says_in_which_place_it_has_looked(kept, tmp_path):
    with pytest.raises(JournalNotFound, match="no search 'other' in the folder runs. The latest are"):
        HyperParameterOptimizer.open("other", journal="runs")
    with pytest.raises(JournalNotFound, match=f"no search 'other' in .*, which holds '{kept.id}'"):
        HyperParameterOptimizer.open("other", journal=kept.journal_path)
    with pytest.raises(FileNotFoundError, match="no journal at other.sqlite"):
        HyperParameterOptimizer.open(kept.id, journal="other.sqlite")


def test_open_refuses_a_journal_beside_another_place(kept):
    for where in ((kept.journal_path,), ("runs", kept.id)):
        for place in ("runs", kept.journal_path):
            with HyperParameterOptimizer.open(*where, journal=place) as viewer:
                assert viewer.id == kept.id
        with pytest.raises(ValueError, match="journal='elsewhere' and .* are different places: give only one of them"):
            HyperParameterOptimizer.open(*where, journal="elsewhere")


def test_open_refuses_the_address_of_a_database_as_the_journal(kept):
    with pytest.raises(ValueError, match="journal is a folder, .* not an address: got 'sqlite:///x.db'"):
        HyperParameterOptimizer.open(kept.id, journal="sqlite:///x.db")
