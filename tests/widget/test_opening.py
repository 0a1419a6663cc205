"""OptimizerWidget.open: on the class a search, on a widget the comm; who opened a file closes it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import traitlets

from hpo_widgets import HyperParameterOptimizer, OptimizerWidget, UniformParameterRange
from hpo_widgets.journal import JournalError
from hpo_widgets.search import SearchStatus
from hpo_widgets.trials import TrialState
from hpo_widgets.viewer import SearchViewer

pytestmark = pytest.mark.usefixtures("wire")

OWNER = """
import sys, time
from hpo_widgets import HyperParameterOptimizer, UniformParameterRange

def train(x):
    if x > 0.5:
        time.sleep(600)
    return x

optimizer = HyperParameterOptimizer(
    train, [UniformParameterRange("x", 0, 1)],
    total_max_jobs=1000, max_number_of_concurrent_tasks=2, seed=1, name="digits",
)
optimizer.start()
print(optimizer.id, flush=True)
sys.stdin.read()
"""


def train(x):
    return x


def search_of(**keywords):
    keywords = {"total_max_jobs": 5, "max_number_of_concurrent_tasks": 1, "name": "digits", **keywords}
    return HyperParameterOptimizer(train, [UniformParameterRange("x", 0, 1)], **keywords)


@pytest.fixture
def ended():
    """Give the id of a search that has ended after five trials."""
    made = search_of()
    made.start()
    assert made.wait()
    return made.id


@pytest.fixture
def open_panel():
    """Open panels that are closed at the end of the test."""
    made = []

    def opened(*arguments, **keywords):
        made.append(OptimizerWidget.open(*arguments, **keywords))
        return made[-1]

    yield opened
    for panel in made:
        panel.close()


@pytest.fixture
def owner():
    """Another process that runs a search of which trials hang; killed by `kill`, with its workers."""
    process = subprocess.Popen([sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process.search_id = process.stdout.readline().strip()
    yield process
    process.kill()
    process.communicate()


def open_files(path):
    """How many files of the journal this process holds open."""
    links = []
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # another thread has closed it meanwhile
            links.append(os.readlink(link))
    return sum(link.startswith(str(path)) for link in links)


def test_repr_of_a_closed_panel_says_that_its_search_can_be_opened_again(open_panel, ended):
    panel = open_panel(ended)
    panel.close()
    assert repr(panel) == "<OptimizerWidget 'digits': closed; OptimizerWidget.open(...) shows the search again>"


def test_the_class_opens_a_search_and_a_widget_its_comm(ended, open_panel, wire):
    panel = open_panel(ended)
    assert isinstance(panel.search, SearchViewer)
    assert (panel.num_trials, panel.status) == (5, "completed")
    # What ipywidgets calls while a widget is made; the second time there is nothing to do.
    comm = panel.comm
    assert comm is not None
    panel.open()
    assert panel.comm is comm
    panel.close()
    assert panel.comm is None
    assert wire.num_open() == 0


def test_a_widget_that_shows_a_search_opens_no_other(ended, open_panel):
    panel = open_panel(ended)
    with pytest.raises(TypeError, match=rf"opened by the class, OptimizerWidget.open\(...\); .* shows {ended}"):
        panel.open(ended)
    with pytest.raises(TypeError, match="opened by the class"):
        panel.open(base_task_id=train)


def test_help_tells_of_opening_a_search():
    assert OptimizerWidget.open.__doc__.startswith("Show a search again")
    assert OptimizerWidget.open.__self__ is OptimizerWidget


def test_a_derived_panel_opens_as_itself(ended):
    class Mine(OptimizerWidget):
        pass

    panel = Mine.open(ended)
    assert type(panel) is Mine
    panel.close()


def test_with_its_callable_a_search_is_continued(ended, open_panel, until):
    panel = open_panel(ended, base_task_id=train, top_k=3)
    assert (panel.num_trials, panel.top_k, panel.search.capabilities["set_total_max_jobs"]) == (5, 3, None)
    panel.search.set_total_max_jobs(8)
    panel._controls._on_command({"name": "start"})
    assert panel.wait()
    until(panel.search, lambda: panel.search.counts[TrialState.COMPLETED] == 8)


def test_without_it_there_is_a_view_that_says_what_is_missing(ended, open_panel):
    panel = open_panel(ended)
    assert "base_task_id=" in panel._controls.commands["start"]
    assert "base_task_id=" in panel._status_panel.commands["jobs"]


def test_a_panel_of_what_this_process_runs_steers_it_and_leaves_it_when_closed(open_panel, until, held, gate):
    gate.shut()
    made = HyperParameterOptimizer(held, [UniformParameterRange("x", 0, 1)], total_max_jobs=2, name="held")
    made.start()
    until(made, lambda: made.counts[TrialState.RUNNING] > 0)
    try:
        for given in ({}, {"base_task_id": held}):
            panel = open_panel(made.id, top_k=3, **given)
            assert (panel.search, panel.top_k) == (made, 3)
            panel.search.pause()
            assert made.status is SearchStatus.PAUSED
            made.resume()
            panel.close()
            assert made.is_running()
        gate.open()
        assert made.wait()
        assert len(made.to_dataframe()) == 2
        assert isinstance(open_panel(made.id).search, SearchViewer)
    finally:
        made.stop()


def running_values(rows):
    """The parameters of the trials that run."""
    return rows.parameters["x"][rows.state == TrialState.RUNNING]


@pytest.fixture
def busy(owner, until):
    """The path of the journal of the other process, both of whose workers have trials that do not end."""
    path = Path(".hpo_widgets") / f"{owner.search_id}.sqlite"
    with SearchViewer(path) as look:
        until(look, lambda: sum(running_values(look.snapshot()) > 0.5) == 2 and look.counts[TrialState.COMPLETED] > 0)
    return path


def test_with_a_live_owner_there_is_a_view_and_after_its_death_start_continues(owner, busy, open_panel):
    panel = open_panel(owner.search_id, base_task_id=train)
    assert isinstance(panel.search, SearchViewer)
    assert panel.status == "running"
    assert panel._controls.commands["start"].startswith("another process runs this search (process ")
    panel.close()
    owner.kill()
    owner.wait()
    panel = open_panel(owner.search_id, base_task_id=train)
    before = panel.num_trials
    counts = panel.search.counts
    assert (panel.status, counts[TrialState.RUNNING], counts[TrialState.ABORTED]) == ("stopped", 0, 2)
    panel.search.set_total_max_jobs(before + 3)
    panel._controls._on_command({"name": "start"})
    assert panel.wait()
    assert panel.search.counts[TrialState.ABORTED] == 2
    assert sum(panel.search.counts.values()) == before + 3


def die(owner):
    owner.kill()
    owner.wait()


def test_a_view_takes_the_search_over_when_its_owner_has_died(owner, busy, open_panel, until, held, gate):
    gate.shut()
    panel = open_panel(owner.search_id, base_task_id=held)
    search, controls = panel.search, panel._controls
    assert (search.is_view, search.owner_died, controls.owner_died) == (True, False, False)
    assert panel._status_panel.is_view
    with pytest.raises(RuntimeError, match=r"start\(\) cannot be done here: another process runs this search"):
        search.start()
    die(owner)
    until(search, lambda: search.owner_died)
    panel._refresher.refresh()
    assert (controls.owner_died, controls.commands["start"], controls.status) == (True, None, "stopped")
    assert "start it to take the search over" in controls.commands["pause"]
    before = {trial.number: trial.parameters["x"] for trial in map(search.trial, search.snapshot().numbers.tolist())}

    controls._on_command({"name": "start"})
    # The same budget, and this process steers now.
    until(search, lambda: not search.is_view and search.status is SearchStatus.RUNNING)
    search.set_total_max_jobs(len(before) + 4)
    panel.search.set_ranges({"x": (0.25, 0.5)})
    gate.open()
    assert panel.wait()
    panel._refresher.refresh()
    rows = search.snapshot()
    assert rows.numbers.tolist() == list(range(len(before) + 4))
    assert rows.parameters["x"][: len(before)].tolist() == list(before.values())
    assert (search.counts[TrialState.ABORTED], search.counts[TrialState.RUNNING]) == (2, 0)
    assert (panel.status, panel.num_trials, controls.owner_died) == ("completed", len(before) + 4, False)
    assert "raise the number of trials to continue" in controls.commands["start"]
    assert not panel._status_panel.is_view
    # What it tells of the death, once.
    (notice,) = search.errors
    assert notice.sentence.startswith("the process that ran this search was killed")
    panel.close()
    assert open_files(busy.resolve()) == 0


def test_code_that_starts_a_view_waits_for_what_it_started(owner, busy, held, gate):
    gate.shut()
    with HyperParameterOptimizer.open(owner.search_id, base_task_id=held, worker_env={0: {"A": "b"}}) as search:
        die(owner)
        with SearchViewer(busy) as look:
            before = len(look.snapshot())
        assert search.start()
        assert "worker_env=worker_env" in search.opening_code()  # as it was started here
        search.set_total_max_jobs(before + 2)
        gate.open()
        assert search.wait()
        assert len(search.snapshot()) == before + 2
        assert search.start() is False


def test_a_view_that_does_not_know_what_the_search_runs_says_how_to_take_it_over(owner, busy, open_panel, until):
    panel = open_panel(owner.search_id)
    die(owner)
    until(panel.search, lambda: panel.search.owner_died)
    panel._refresher.refresh()
    assert (panel._controls.owner_died, panel._status_panel.is_view) == (True, True)
    assert panel._controls.commands["start"] == "this is a view of a journal; to continue, open it with base_task_id="


def test_what_keeps_a_search_from_being_taken_over_is_told(owner, busy, open_panel, until):
    panel = open_panel(owner.search_id, base_task_id=lambda other: other)
    die(owner)
    until(panel.search, lambda: panel.search.owner_died)
    panel.search.command("start")
    until(panel.search, lambda: bool(panel.search.errors))
    assert panel.search.errors[-1].sentence.startswith("start: ")
    until(panel.search, lambda: panel.search.capabilities["start"] is None)
    assert panel.search.is_view


def test_of_two_views_one_takes_over_and_the_other_goes_on_viewing(owner, busy, open_panel, until, held, gate):
    gate.shut()
    first, second = (open_panel(owner.search_id, base_task_id=held).search for _ in range(2))
    die(owner)
    until(second, lambda: second.owner_died)
    until(first, lambda: first.owner_died)
    first.start()
    until(second, lambda: second.status is SearchStatus.RUNNING)
    with pytest.raises(RuntimeError, match="this process itself runs this search"):
        second.start()
    assert second.is_view
    first.stop()


def test_closing_the_panel_closes_what_it_opened_and_no_more(ended):
    path = Path(".hpo_widgets") / f"{ended}.sqlite"
    threads = set(threading.enumerate())
    for keywords in ({}, {"base_task_id": train}):
        panel = OptimizerWidget.open(ended, **keywords)
        panel.selected = [0]
        panel._refresher.refresh()
        assert open_files(path.resolve()) > 0
        panel.close()
        panel.close()
        assert open_files(path.resolve()) == 0
        assert set(threading.enumerate()) <= threads
    viewer = SearchViewer(path)
    OptimizerWidget(viewer).close()
    viewer.refresh()
    assert viewer.counts[TrialState.COMPLETED] == 5
    viewer.close()


def test_a_panel_that_cannot_be_made_leaves_no_file_open(ended):
    path = Path(".hpo_widgets") / f"{ended}.sqlite"
    threads = set(threading.enumerate())
    for value in ({"selected": [99]}, {"top_k": 0}, {"wait_timeout": -1}, {"waiting": True}):
        with pytest.raises(traitlets.TraitError):
            OptimizerWidget.open(ended, **value)
    assert (open_files(path.resolve()), set(threading.enumerate()) - threads) == (0, set())


def test_closing_does_not_stop_a_search_that_was_continued(ended, open_panel, until):
    panel = open_panel(ended, base_task_id=train)
    search = panel.search
    search.set_total_max_jobs(None)
    search.start()
    panel.close()
    now = search.counts[TrialState.COMPLETED]
    until(search, lambda: search.counts[TrialState.COMPLETED] > now)
    assert search.status is SearchStatus.RUNNING
    search.stop()


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        (lambda known: known[:-1] + ("0" if known[-1] != "0" else "1"), "Did you mean '{known}'"),
        (lambda _known: "elsewhere", "The latest are '{known}'"),
        (lambda known: f".hpo_widgets/{known}.sqlit", None),
        (lambda _known: "nowhere.sqlite", "there is no journal at nowhere.sqlite"),
    ],
    ids=["mistyped", "unknown", "a path without its end", "a path"],
)
def test_a_search_that_there_is_not_gets_a_sentence_with_near_ones(ended, change, hint):
    with pytest.raises((JournalError, FileNotFoundError)) as raised:
        OptimizerWidget.open(change(ended))
    if hint is not None:
        assert hint.format(known=ended) in str(raised.value)


@pytest.mark.parametrize("given", [None, 3, "", "  ", [], b"digits"], ids=repr)
def test_what_is_no_id_is_refused(given):
    with pytest.raises(TypeError, match="takes a search id or the path of a journal"):
        OptimizerWidget.open(given)


def test_a_search_in_place_of_its_id_is_refused_with_the_way_to_show_it():
    made = search_of()
    with pytest.raises(TypeError, match=r"write OptimizerWidget\(search\)"):
        OptimizerWidget.open(made)
    with pytest.raises(TypeError, match=r"search is the id of a search in the directory .hpo_widgets, got 3"):
        OptimizerWidget.open(".hpo_widgets", 3)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"top_kk": 3}, "'top_kk'. Did you mean 'top_k'"),
        ({"worker_env": {}}, "worker_env: arguments need base_task_id="),
        ({"base_task_id": train, "worker_enf": {}}, "worker_enf"),
    ],
    ids=["of the widget", "without a template", "of the search"],
)
def test_unknown_keywords_are_refused(ended, keywords, message):
    with pytest.raises(TypeError, match=message):
        OptimizerWidget.open(ended, **keywords)
