"""A search in a program that goes to another folder, or ends before its search does."""

from __future__ import annotations

import subprocess
import sys

from hpo_widgets import HyperParameterOptimizer, RandomSearch, UniformParameterRange
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
    assert "wait() waits for the end" in ended.stderr
