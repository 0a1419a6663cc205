"""What every test gets: a working directory of its own, no widgets of others, and hypothesis without a clock."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import cloudpickle
import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

import tests
from hpo_widgets import HyperParameterOptimizer, UniformParameterRange
from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.workermanage import WorkerController

# Tests import from these before their fixtures are asked for.
pytest.register_assert_rewrite("tests.member_rows")

# Trials get the functions of test modules as they get those of a notebook, by value: by name, each worker would import
# the test module, and with it pytest and all that the tests need.
cloudpickle.register_pickle_by_value(tests)

# jsonschema, which clearml, nbformat and JupyterLab import, compiles a grammar of addresses when it is imported and
# finds one: two seconds of computing. No test needs it, so neither this process nor any that it starts finds it.
sys.modules["rfc3987_syntax"] = None
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(Path(__file__).parent / "hidden"), os.environ.get("PYTHONPATH")])
)

# What a shell runs in the background ignores Ctrl+C, and so would each kernel and command that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

DEADLINE = 60.0
"""Seconds after which something that a test waits for is taken to hang."""

# Without a deadline, which on a shared machine would measure the neighbours. In continuous integration the examples
# are the same every time; at a desk they are new ones. `--hypothesis-profile thorough` takes ten times as many.
settings.register_profile("fast", deadline=None, max_examples=20, derandomize=bool(os.environ.get("CI")))
settings.register_profile("thorough", parent=settings.get_profile("fast"), max_examples=200)
settings.load_profile("fast")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def _working_directory(tmp_path, monkeypatch):
    """Journals go below the working directory by default: a test leaves nothing in the checkout."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _known_seeds(monkeypatch, request):
    """What a search without a seed draws follows from the test's id: a test sees the same points in every run."""
    monkeypatch.setattr("secrets.randbits", random.Random(request.node.nodeid).getrandbits)


@pytest.fixture
def local_zone(monkeypatch):
    """Make the local time that of a zone."""
    if not hasattr(time, "tzset"):
        pytest.skip("this system has no tzset")

    def live_in(zone):
        monkeypatch.setenv("TZ", zone)
        time.tzset()

    yield live_in
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def berlin(local_zone):
    """The local time is that of a place with summer time."""
    local_zone("Europe/Berlin")


@pytest.fixture
def search(tmp_path):
    """``search(callable_or_script, parameters, ...)`` gives a search that is stopped after the test."""
    searches = []

    def make(base_task_id, hyper_parameters=None, **keywords):
        keywords = {"journal": tmp_path / "journals", "max_number_of_concurrent_tasks": 2, **keywords}
        if hyper_parameters is None:
            hyper_parameters = [UniformParameterRange("x", 0, 1)]
        searches.append(HyperParameterOptimizer(base_task_id, hyper_parameters, **keywords))
        return searches[-1]

    yield make
    for made in searches:
        made.stop()


@pytest.fixture
def until():
    """``until(search, condition)`` waits for a change of the search after which the condition holds."""

    def wait(search, condition):
        changed = threading.Event()
        unsubscribe = search.subscribe(changed.set)
        try:
            while not condition():
                assert changed.wait(DEADLINE), f"it did not happen: {search!r} {search.counts} {search.errors}"
                changed.clear()
        finally:
            unsubscribe()

    return wait


class Gate:
    """A door before which trials wait; open unless a test shuts it."""

    def __init__(self, path):
        self.path = path
        self.open()

    def shut(self):
        self.path.unlink(missing_ok=True)

    def open(self):
        self.path.touch()


@pytest.fixture
def gate(tmp_path):
    """A `Gate`; trials get its path, as they run in other processes."""
    return Gate(tmp_path / "gate")


@pytest.fixture
def held(gate):
    """A callable that returns x once the gate is open."""
    path = str(gate.path)

    def hold(x):
        while not os.path.exists(path):
            time.sleep(0.002)
        return x

    return hold


@pytest.fixture
def two_running(search, held, gate, until):
    """``two_running(...)`` gives a search, of `held` by default, of which two trials wait before the shut gate."""

    def start(hyper_parameters=None, *, base_task_id=held, **keywords):
        gate.shut()
        made = search(base_task_id, hyper_parameters, **keywords)
        made.start()
        until(made, lambda: made.counts[TrialState.RUNNING] == 2)
        return made

    return start


@pytest.fixture(autouse=True)
def _no_widget_outlives_its_test():
    """ipywidgets keeps every open widget of the process: what is saved of them all must be this test's."""
    yield
    if "ipywidgets" in sys.modules:
        sys.modules["ipywidgets"].Widget.close_all()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run browser tests first: with several workers the longest tests begin early, on one worker with one JupyterLab.

    The other workers take over what is left of that worker's share.

    In continuous integration a browser test that fails is run once more: pages of a strange machine, busy with four
    tests at a time, meet moments that no other run had. `.ci/run` lists what was run again, which is to be mended.
    """
    items.sort(key=lambda item: item.get_closest_marker("browser") is None)
    if os.environ.get("CI"):
        for item in items:
            if item.get_closest_marker("browser"):
                item.add_marker(pytest.mark.flaky(reruns=1))


class LongestFirst(LoadFileScheduling):
    """Files to workers, the longest first, but those of one browser to the same workers as long as there are some.

    A Chromium and its pages of JupyterLab end where a worker's next test is of another folder. Two workers begin with
    tests/browser, one with tests/hosts and one with the other tests: in more Chromiums pages compete for two cores.
    """

    BEGIN_WITH = ("browser", "browser", "hosts", "")
    SECONDS: ClassVar[dict[str, int]] = {
        "tests/browser/test_use.py": 230,
        "tests/browser/test_panel.py": 200,
        "tests/browser/test_side_panel.py": 200,
        "tests/browser/test_controls.py": 170,
        "tests/browser/test_states.py": 150,
        "tests/browser/test_accessibility.py": 130,
        "tests/browser/test_continue.py": 120,
        "tests/browser/test_advice.py": 110,
        "tests/browser/test_race.py": 100,
        "tests/browser/test_new_search.py": 90,
        "tests/browser/test_space.py": 80,
        "tests/browser/test_replay.py": 70,
        "tests/browser/test_quickstart.py": 70,
        "tests/browser/test_other_plots.py": 70,
        "tests/browser/test_kernel.py": 70,
        "tests/browser/test_take_over.py": 60,
        "tests/browser/test_all_trials.py": 60,
        "tests/browser/test_table.py": 60,
        "tests/browser/test_gestures.py": 60,
        "tests/hosts/test_reopened.py": 300,
        "tests/hosts/test_voila.py": 200,
        "tests/hosts/test_live.py": 90,
        "tests/clearml/test_agent.py": 140,
        "tests/widget/test_wire.py": 120,
        "tests/clearml/test_sdk_controller.py": 100,
        "tests/cli/test_demo.py": 90,
        "tests/test_notebooks.py": 80,
        "tests/test_package.py": 70,
        "tests/clearml/test_optimizer_task.py": 60,
        "tests/clearml/test_notebook.py": 40,
        "tests/clearml/test_waiting.py": 40,
    }
    """What files that take a minute or more take in ``make test-slow`` on four workers of two cores, or the longest
    test where each is handed out by itself; it decides nothing but the order."""
    APART = frozenset({
        "tests/clearml/test_reattach.py",
        "tests/faults/test_soak.py",
        "tests/optimizer/test_asks.py",
        "tests/optimizer/test_members.py",
        "tests/search/test_advice.py",
        "tests/test_notebooks.py",
        "tests/test_readme.py",
        "tests/widget/test_any_message.py",
    })  # fmt: skip
    """Files whose tests share nothing that is costly to make: each is handed out by itself."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return nodeid if file in self.APART else file

    def _assign_work_unit(self, node: WorkerController) -> None:
        begins_with = self.BEGIN_WITH[self.nodes.index(node) % len(self.BEGIN_WITH)]

        def rank(scope: str) -> tuple[bool, bool, int]:
            file = scope.partition("::")[0]
            folder = Path(file).parent.name
            # What a worker that died had finished is in the queue once more.
            is_left = not all(self.workqueue[scope].values())
            is_own = begins_with == (folder if folder in self.BEGIN_WITH else "")
            return is_left, is_own, self.SECONDS.get(file, 0)

        self.workqueue.move_to_end(max(self.workqueue, key=rank), last=False)
        super()._assign_work_unit(node)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LongestFirst | None:
    """Hand out the longest files first where a worker takes a file at a time, as in ``make test-slow``."""
    return LongestFirst(config, log) if config.getvalue("dist") == "loadfile" else None
