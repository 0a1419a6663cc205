"""Workers that wait for the start of their search: what they have loaded, and when they are used or ended."""

from __future__ import annotations

import gc
import os
import resource
import subprocess
import sys
import time
import types

import psutil
import pytest

from hpo_widgets import HyperParameterOptimizer, RandomSearch, UniformParameterRange
from hpo_widgets.engines.base import EngineOptions
from hpo_widgets.engines.local import functions
from hpo_widgets.engines.local import template as local_template
from hpo_widgets.engines.local.functions import FunctionPool
from hpo_widgets.engines.local.pickling import libraries_of
from hpo_widgets.engines.local.template import FunctionTemplate
from hpo_widgets.space import Space
from hpo_widgets.trials import TrialState
from tests.engines.local.conftest import is_running

SPACE = Space([UniformParameterRange("x", 0, 1)])
OPTIONS = EngineOptions("a search")


def pid_of_worker(x):
    return os.getpid()


def loads_a_library(x):
    # Never imported by itself: only its name is read from the code.
    if x > 2:
        from sortedcontainers import sortedset

        return sortedset
    return "sortedcontainers.sortedset" in sys.modules


@pytest.fixture
def workers():
    """``workers()`` gives the processes that this process has started since the beginning of the test and that run."""

    def running():
        return {child for child in psutil.Process().children() if is_running(child.pid)}

    before = running()
    return lambda: running() - before


@pytest.fixture(autouse=True)
def _two_processors(monkeypatch):
    monkeypatch.setattr(FunctionTemplate, "default_concurrency", 2)


@pytest.fixture
def prepare(workers):
    """``prepare(template, ...)`` has a template prepare workers, which are ended after the test; they are returned."""
    templates = []

    def start(template, number=1, *, job_class=None, options=OPTIONS):
        templates.append(template)
        template.prepare(number, job_class=job_class, options=options)
        return workers()

    yield start
    for template in templates:
        template.release()


def start(drive_engine, template, workers=1, job_class=None, options=OPTIONS):
    return drive_engine(template.make_engine(workers, space=SPACE, job_class=job_class, options=options))


def test_a_start_uses_the_prepared_workers(workers, prepare, drive_engine):
    template = FunctionTemplate(pid_of_worker)
    prepared = prepare(template, 2)
    driver = start(drive_engine, template, workers=2)
    assert workers() == prepared
    ran = psutil.Process(int(driver.run(0, x=0.5).result))
    assert ran.parent() in prepared


def test_a_prepared_worker_has_loaded_the_library_before_the_callable_asks_for_it(prepare, drive_engine):
    import sortedcontainers.sortedset  # noqa: F401 -- as a notebook that uses it has

    template = FunctionTemplate(loads_a_library)
    prepare(template)
    assert start(drive_engine, template).run(0, x=0.5).result == 1


def test_a_worker_that_was_not_prepared_loads_the_library_before_its_first_trial_too(drive):
    import sortedcontainers.sortedset  # noqa: F401 -- as above

    assert drive(loads_a_library).run(0, x=0.5).result == 1


def test_what_this_process_has_not_loaded_is_not_loaded_ahead(monkeypatch):
    monkeypatch.delitem(sys.modules, "sortedcontainers.sortedset", raising=False)
    monkeypatch.delitem(sys.modules, "sortedcontainers", raising=False)
    assert libraries_of(loads_a_library) == []


@pytest.mark.parametrize(
    "setting",
    [
        "os.environ['HPO_WIDGETS_OF_THIS_TEST'] = '1'",
        "os.environ.update(HPO_WIDGETS_OF_THIS_TEST='1')",
        "(lambda variables: variables.setdefault('HPO_WIDGETS_OF_THIS_TEST', '1'))(os.environ)",
        "exec('', {'before': os.environ.pop('HPO_WIDGETS_OF_THIS_TEST', None)})",
        "sys.path.insert(0, '.')",
        "sys.path += ['.']",
        "from os import environ as env; env['HPO_WIDGETS_OF_THIS_TEST'] = '1'",
        "from os import environ\n    environ['HPO_WIDGETS_OF_THIS_TEST'] = str(before)",
        "import sys; sys.path.insert(0, '.')",
        "import sys as system; system.path.insert(0, '.')",
        "from sys import path; path.append('.')",
    ],
)
def test_what_a_callable_sets_before_it_imports_is_set_before(drive, setting):
    import sortedcontainers.sortedset

    source = f"""
import os, sys
def train(x):
    before = "sortedcontainers" in __import__("sys").modules
    {setting}
    import sortedcontainers.sortedset
    return before
"""
    module = types.ModuleType("__main__")
    exec(source, module.__dict__)
    assert sortedcontainers.__name__ in sys.modules
    assert drive(module.train).run(0, x=0.5).result == 0


@pytest.mark.parametrize(
    "reading",
    [
        "os.environ['HOME']",
        "os.environ[NAME]",
        "os.environ.get('HOME')",
        "'HOME' in os.environ",
        "{**os.environ, 'HOME': ''}",
        "(lambda: os.environ['HOME'])()",
        "print(os.path.join('a', 'b'), file=sys.stderr)",
    ],
)
def test_libraries_are_found_of_a_callable_that_changes_nothing_that_an_import_needs(reading):
    import sortedcontainers.sortedset

    module = types.ModuleType("__main__")
    source = f"""
import os, sys
NAME = "HOME"
def train(x):
    {reading}
    import sortedcontainers.sortedset
"""
    exec(source, module.__dict__)
    assert sortedcontainers.sortedset.__name__ in libraries_of(module.train)


def test_libraries_are_found_beside_much_data():
    module = types.ModuleType("__main__")
    exec("import numpy\ndef train(x):\n    return numpy.sum(zz_data)", module.__dict__)
    module.zz_data = [float(number) for number in range(500)]
    assert "numpy" in libraries_of(module.train)


def test_a_worker_may_have_descriptors_of_any_number(drive):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2048:
        pytest.skip("this user may not open so many files")
    opened = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (2048, hard))
    try:
        while not opened or opened[-1] < 1024:
            opened.append(os.open(os.devnull, os.O_RDONLY))
        assert drive(pid_of_worker).run(0, x=0.5).error is None
    finally:
        for descriptor in opened:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_garbage_collection_may_release_workers_at_any_moment(prepare):
    template = FunctionTemplate(pid_of_worker)

    class Closed:
        def __init__(self):
            self.itself = self

        def __del__(self):
            template.release()

    threshold = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for _ in range(3):
            Closed()
            template.prepare(1, job_class=None, options=OPTIONS)
    finally:
        gc.set_threshold(*threshold)
    gc.collect()
    template.release()


def test_the_callable_is_loaded_as_it_is_at_the_start(prepare, drive_engine):
    module = types.ModuleType("__main__")
    exec("factor = 2\ndef scale(x):\n    return factor * x", module.__dict__)  # as a cell does
    template = FunctionTemplate(module.scale)
    prepare(template)
    module.factor = 10
    assert start(drive_engine, template).run(0, x=1.0).result == 10


def test_a_module_of_ones_own_is_loaded_as_it_is_at_the_start(prepare, drive_engine, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    path = tmp_path / "own_module_of_this_test.py"
    path.write_text("VALUE = 1\ndef train(x):\n    return VALUE\n")
    import own_module_of_this_test as own

    try:
        template = FunctionTemplate(own.train)
        assert libraries_of(own.train) == []
        prepare(template)
        path.write_text("VALUE = 22\ndef train(x):\n    return VALUE\n")
        assert start(drive_engine, template).run(0, x=1.0).result == 22
    finally:
        del sys.modules["own_module_of_this_test"]


@pytest.mark.parametrize("change", ["environment", "worker_env", "folder", "path"])
def test_workers_that_were_prepared_for_other_circumstances_are_replaced(
    prepare, drive_engine, tmp_path, monkeypatch, gone, change
):
    def seen(x):
        return {
            "environment": float(os.environ.get("HPO_WIDGETS_OF_THIS_TEST") == "later"),
            "worker_env": float(os.environ.get("HPO_WIDGETS_OF_THIS_WORKER") == "later"),
            "folder": float(os.getcwd() == folder),
            "path": float(folder in sys.path),
        }

    (tmp_path / "other").mkdir()
    folder = str(tmp_path / "other")
    variables = {"HPO_WIDGETS_OF_THIS_WORKER": "earlier"}
    options = OPTIONS._replace(worker_env=lambda _index: variables)
    template = FunctionTemplate(seen)
    prepared = prepare(template, options=options)
    if change == "worker_env":
        variables["HPO_WIDGETS_OF_THIS_WORKER"] = "later"
    elif change == "environment":
        monkeypatch.setenv("HPO_WIDGETS_OF_THIS_TEST", "later")
    elif change == "folder":
        monkeypatch.chdir(folder)
    else:
        monkeypatch.syspath_prepend(folder)
    assert start(drive_engine, template, options=options).run(0, x=1.0).result[change] == 1
    gone(*(process.pid for process in prepared))


def test_more_and_fewer_workers_than_were_prepared(workers, prepare, drive_engine):
    template = FunctionTemplate(pid_of_worker)
    assert len(prepare(template, 2)) == 2
    driver = start(drive_engine, template, workers=3)
    for number in range(3):
        driver.launch(number, x=0.5)
    assert len({driver.ended(number).result for number in range(3)}) == 3
    driver.engine.close()
    prepared = prepare(template, 2)
    driver = start(drive_engine, template, workers=1)
    driver.until(lambda: workers() < prepared, "the end of a worker too many")
    assert driver.run(0, x=0.5).error is None


def test_a_machine_of_many_processors_has_few_workers_ready(prepare, drive_engine, monkeypatch):
    monkeypatch.setattr(local_template, "_MOST_PREPARED", 1)
    template = FunctionTemplate(pid_of_worker)
    assert len(prepare(template, 2)) == 1
    driver = start(drive_engine, template, workers=2)
    driver.launch(0, x=0.5)
    driver.launch(1, x=0.5)
    assert driver.ended(0).result != driver.ended(1).result


def test_a_process_keeps_the_workers_of_one_search_ready(prepare, gone):
    first = prepare(FunctionTemplate(pid_of_worker))
    second = prepare(FunctionTemplate(loads_a_library))
    gone(*(process.pid for process in first))
    assert not first & second
    assert len(second) == 1


def test_preparing_again_changes_nothing(prepare):
    template = FunctionTemplate(pid_of_worker)
    assert prepare(template) == prepare(template)


def test_released_workers_are_gone(prepare, gone):
    template = FunctionTemplate(pid_of_worker)
    prepared = prepare(template, 2)
    template.release()
    gone(*(process.pid for process in prepared))
    template.release()


def test_workers_whose_search_is_forgotten_are_gone(workers, gone):
    template = FunctionTemplate(pid_of_worker)
    template.prepare(1, job_class=None, options=OPTIONS)
    prepared = workers()
    assert prepared
    del template
    gc.collect()
    gone(*(process.pid for process in prepared))


def test_a_worker_that_nobody_starts_ends_by_itself_and_is_replaced(prepare, drive_engine, monkeypatch, gone):
    monkeypatch.setattr(functions, "_UNUSED_SECONDS", 0.0)
    template = FunctionTemplate(pid_of_worker)
    prepared = prepare(template)
    gone(*(process.pid for process in prepared))
    monkeypatch.undo()
    outcome = start(drive_engine, template).run(0, x=0.5)
    assert outcome.error is None


def test_a_trial_is_not_lost_when_its_worker_ends_at_the_moment_of_the_start(drive_engine, monkeypatch):
    template = FunctionTemplate(pid_of_worker)
    pool = FunctionPool(template, workers=1, is_loaded=False)
    driver = drive_engine(pool)
    first = driver.worker_pid()
    with monkeypatch.context() as lost:
        lost.setattr(FunctionPool, "_ask_to_load", lambda *_: True)
        pool.load(template)
    driver.launch(
        0, x=0.5
    )  # which is no order to load the callable, so that the worker ends with the trial in its hands
    outcome = driver.ended(0)
    assert (outcome.error, outcome.launch_failed) == (None, False)
    assert driver.worker_pid() != first


def test_a_class_of_ones_own_is_not_prepared(prepare):
    class Own(FunctionPool):
        pass

    assert prepare(FunctionTemplate(pid_of_worker), job_class=Own) == set()


def test_a_search_prepares_before_it_runs_and_not_while_it_does(workers, tmp_path, gone):
    def waits(x):
        while not go.exists():
            time.sleep(0.005)
        return os.getpid()

    go = tmp_path / "go"
    search = HyperParameterOptimizer(
        waits, [UniformParameterRange("x", 0, 1)], optimizer_class=RandomSearch, total_max_jobs=3,
        max_number_of_concurrent_tasks=1, journal=tmp_path,
    )  # fmt: skip
    search.prepare_workers()
    prepared = workers()
    assert len(prepared) == 1
    search.start()
    search.prepare_workers()
    go.touch()
    assert search.wait(1)
    ran = {int(trial.value) for trial in search.get_top_experiments(3)}
    assert len(ran) == 1
    gone(*(process.pid for process in prepared))
    assert workers() == set()


def test_no_more_workers_are_prepared_than_trials_are_left(workers, search):
    made = search(pid_of_worker, total_max_jobs=1)
    made.prepare_workers()
    assert len(workers()) == 1
    made.release_workers()


def test_a_start_starts_no_more_workers_than_trials_are_left(workers, two_running, gate, until):
    made = two_running(total_max_jobs=2, max_number_of_concurrent_tasks=6)
    assert len(workers()) == 2
    made.set_total_max_jobs(6)
    until(made, lambda: made.counts[TrialState.RUNNING] == len(workers()) == 6)
    gate.open()
    assert made.wait()


def test_what_is_wrong_is_said_by_the_start_and_not_while_preparing(workers, tmp_path):
    def raises(index):
        msg = "no such graphics card"
        raise LookupError(msg)

    search = HyperParameterOptimizer(
        pid_of_worker, [UniformParameterRange("x", 0, 1)], worker_env=raises, total_max_jobs=1,
        max_number_of_concurrent_tasks=1, journal=tmp_path,
    )  # fmt: skip
    search.prepare_workers()
    assert workers() == set()
    search.start()
    assert search.wait(1)
    assert "no such graphics card" in search.stop_reason.sentence


def test_prepared_workers_end_with_a_kernel_that_is_killed(gone):
    program = """
import sys, time, psutil
from hpo_widgets.engines.base import EngineOptions
from hpo_widgets.engines.local.template import FunctionTemplate

template = FunctionTemplate(max)
template.prepare(1, job_class=None, options=EngineOptions("a search"))
(supervisor,) = psutil.Process().children()
while not (workers := supervisor.children()):
    time.sleep(0.001)
print(supervisor.pid, workers[0].pid, flush=True)
time.sleep(3600)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as kernel:
        pids = [int(word) for word in kernel.stdout.readline().split()]
        kernel.kill()
    assert len(pids) == 2
    gone(*pids)
