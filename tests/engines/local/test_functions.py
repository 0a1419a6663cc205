"""Callables in persistent workers: what comes back, whatever a trial does."""

from __future__ import annotations

import functools
import importlib
import math
import os
import resource
import signal
import subprocess
import sys
import threading
import time
import types
import warnings
from pathlib import Path

import pytest

import hpo_widgets
from hpo_widgets.engines.local.functions import FunctionPool
from hpo_widgets.engines.local.pickling import own_files_of
from hpo_widgets.engines.local.template import FunctionTemplate
from hpo_widgets.trials import TrialState
from tests.conftest import DEADLINE

linux = pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")

COMPLETED, FAILED = TrialState.COMPLETED, TrialState.FAILED


def test_the_result_comes_back_with_the_worker_that_ran_it(drive):
    driver = drive(lambda lr: lr * 2)
    worker = driver.launch(7, lr=0.25)
    outcome = driver.ended(7)
    assert (outcome.state, outcome.result, outcome.worker) == (COMPLETED, 0.5, worker)
    assert outcome.error is None
    assert outcome.traceback is None
    assert outcome.duration >= 0


def test_a_worker_gets_a_trial_only_when_it_is_free(drive):
    driver = drive(lambda x: x, workers=2)
    assert driver.engine.free() == 2
    driver.launch(0, x=1)
    driver.launch(1, x=2)
    assert driver.engine.free() == 0
    with pytest.raises(RuntimeError, match="no worker is free"):
        driver.launch(2, x=3)
    assert driver.ended(0).result == 1
    assert driver.ended(1).result == 2
    assert driver.engine.free() == 2


def test_a_trial_that_is_held_is_launched_as_soon_as_another_has_completed(drive):
    driver = drive(lambda x: x, workers=2)
    for number in (2, 3):
        driver.engine.hold(number, {"x": number * 10})
    driver.launch(0, x=0)
    assert driver.ended(0).result == 0
    driver.launch(1, x=10)
    for number in (1, 2, 3):
        assert driver.ended(number).result == number * 10
    launches = [number for kind, number in driver.told if kind == "launched"]
    assert launches == [2, 3]
    assert driver.engine.free() == 2


def test_the_launch_of_a_held_trial_is_told_first_with_its_worker_and_moment(drive):
    driver = drive(lambda trial, x: trial.report_scalar("a", "b", x, 0))
    driver.run(0, x=0)
    before = time.monotonic()
    driver.launch(1, x=1)
    driver.engine.hold(2, {"x": 2})
    events = []
    while not any(event.kind == "ended" and event.number == 2 for event in events):
        events += driver.engine.wait(DEADLINE)
    of_held = [event for event in events if event.number == 2]
    assert [event.kind for event in of_held] == ["launched", "scalar", "ended"]
    worker, began, ended = of_held[0].data
    assert (worker, ended) == (of_held[-1].data.worker, 1) == (0, 1)
    assert before <= began <= time.monotonic()
    kinds = [(event.kind, event.number) for event in events]
    assert kinds.index(("ended", 1)) < kinds.index(("launched", 2))


def end_as_told(trial, how):
    if how == "fails":
        raise RuntimeError("no luck")
    if how == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    trial.report_scalar("a", "b", 1.0, 0)
    while how == "stops":
        time.sleep(0.001)
        trial.report_scalar("a", "b", 1.0, 0)
    if how == "leaves a thread":
        threading.Thread(target=time.sleep, args=(DEADLINE,), daemon=True).start()


@pytest.mark.parametrize("how", ["fails", "dies", "stops", "is aborted", "leaves a thread"])
def test_only_a_completed_trial_whose_worker_goes_on_is_followed_by_a_held_one(drive, how):
    driver = drive(end_as_told, workers=2)
    driver.launch(0, how="stops" if how == "is aborted" else how)
    driver.engine.hold(1, {"how": "returns"})
    if how in {"stops", "is aborted"}:
        driver.reported(0)
        (driver.engine.ask_stop if how == "stops" else driver.engine.abort)(0)
    driver.ended(0)
    assert ("launched", 1) not in driver.told
    assert driver.engine.free() == 2
    driver.engine.drop_held()
    assert driver.run(1, how="returns").state == COMPLETED


def wait_for_file(path):
    while not os.path.exists(path):
        time.sleep(0.001)


def test_a_worker_that_leaves_after_a_resize_gets_no_held_trial(drive, tmp_path):
    driver = drive(wait_for_file, workers=2)
    first, second = tmp_path / "first", tmp_path / "second"
    assert driver.launch(0, path=str(first)) == 0
    assert driver.launch(1, path=str(second)) == 1
    driver.engine.hold(2, {"path": str(first)})
    driver.engine.resize(1)
    second.touch()
    driver.ended(1)
    assert ("launched", 2) not in driver.told
    first.touch()
    assert driver.ended(2).worker == 0


def test_after_a_resize_a_held_trial_is_not_launched_beside_as_many_as_may_run(drive, tmp_path):
    driver = drive(wait_for_file, workers=3)
    files = [tmp_path / str(number) for number in range(4)]
    for number in range(3):
        driver.launch(number, path=str(files[number]))
    driver.engine.hold(3, {"path": str(files[3])})
    driver.engine.resize(2)
    files[0].touch()
    assert driver.ended(0).worker == 0
    assert ("launched", 3) not in driver.told
    files[1].touch()
    driver.ended(1)
    assert ("launched", 3) in driver.told
    files[3].touch()
    assert driver.ended(3).worker == 1


def test_what_is_no_longer_held_is_not_launched(drive):
    driver = drive(lambda x: x)
    driver.launch(0, x=0)
    driver.engine.hold(1, {"x": 1})
    driver.engine.drop_held()
    driver.engine.hold(2, {"x": 2})
    driver.ended(0)
    assert driver.ended(2).result == 2
    assert 1 not in driver.outcomes


def test_plain_results_come_back_as_they_are(drive):
    values = [None, 1, -2.5, math.inf, -math.inf, {"a/b": 1.5, "a/c": 2}]
    driver = drive(lambda place: values[place])
    for number, value in enumerate(values):
        outcome = driver.run(number, place=number)
        assert outcome.state == COMPLETED
        assert outcome.result == value
        assert type(outcome.result) is type(value)


def test_numpy_scalars_become_python_numbers(drive):
    def scalar(name):
        import numpy as np

        return getattr(np, name)(1)

    driver = drive(scalar)
    for number, name in enumerate(("float32", "float64", "int64", "bool_")):
        result = driver.run(number, name=name).result
        assert result == 1
        assert type(result) in {int, float}, name


def test_a_result_that_nobody_can_use_fails_with_a_sentence(drive):
    results = [
        ("abc", "returned a str ('abc'); return a number, a dict"),
        ([1, 2], "returned a list ([1, 2]); return a number"),
        ((1.0, 2.0), "returned a tuple"),
        ({"a/b": "high"}, "returned a str ('high') for 'a/b'; return numbers"),
        ({1: 2.0}, "returned a dict with the key 1; keys are strings"),
        (object, "returned a type"),
        (b"12", "returned a bytes"),
    ]
    driver = drive(lambda place: results[place][0])
    for number, (_, sentence) in enumerate(results):
        outcome = driver.run(number, place=number)
        assert outcome.state == FAILED
        assert sentence in outcome.error
        assert outcome.result is None


def test_an_exception_fails_the_trial_with_its_message_and_traceback(drive):
    def train(lr):
        raise ValueError(f"bad lr {lr}\nand more")

    outcome = drive(train).run(lr=3)
    assert outcome.state == FAILED
    assert outcome.error == "ValueError: bad lr 3"
    assert "and more" in outcome.traceback
    assert "raise ValueError(f" in outcome.traceback, "the line of the source is shown"
    assert "worker.py" not in outcome.traceback


def test_an_exception_whose_str_raises_is_still_told(drive):
    def train():
        class BrokenError(Exception):
            def __str__(self):
                raise RuntimeError

        raise BrokenError

    assert drive(train).run().error.startswith("BrokenError")


def test_a_deep_recursion_has_a_bounded_traceback(drive):
    def train():
        def fall(depth):
            return fall(depth + 1) + 1

        return fall(0)

    outcome = drive(train).run()
    assert outcome.error.startswith("RecursionError")
    assert len(outcome.traceback) < 50_000


def test_sys_exit_costs_the_trial_only(drive):
    def train(code):
        sys.exit(code)

    driver = drive(train)
    pid = driver.worker_pid()
    outcome = driver.run(0, code=3)
    assert outcome.state == FAILED
    assert outcome.error == "called sys.exit(3)"
    driver.run(1, code=0)
    assert driver.worker_pid() == pid


def test_os_exit_names_the_exit_code_and_keeps_the_output(drive):
    def train():
        print("so far")
        os._exit(17)

    outcome = drive(train).run()
    assert outcome.state == FAILED
    assert "exit code 17" in outcome.error
    assert outcome.stdout == "so far\n"
    assert not outcome.launch_failed


def test_a_segfault_names_the_signal_and_shows_where(drive):
    def train():
        import ctypes

        ctypes.string_at(0)

    outcome = drive(train).run()
    assert outcome.state == FAILED
    assert "SIGSEGV" in outcome.error
    assert "string_at" in outcome.stderr


def test_a_worker_that_dies_costs_its_own_trial_only_and_is_replaced(drive, tmp_path):
    def train(kind):
        if kind == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if kind == "wait":
            while not Path("go").exists():
                time.sleep(0.005)
        return 1.0

    driver = drive(train, workers=2)
    driver.launch(0, kind="wait")
    assert "SIGKILL" in driver.run(1, kind="die").error
    assert driver.run(2, kind="quick").result == 1.0, "replaced"
    assert 0 not in driver.outcomes
    (tmp_path / "go").touch()
    assert driver.ended(0).result == 1.0


def test_a_worker_that_dies_while_idle_costs_nothing(drive, gone):
    def own_pid():
        return os.getpid()

    driver = drive(own_pid)
    pid = driver.run(0).result
    for number in range(1, 6):
        os.kill(int(pid), signal.SIGKILL)
        if number % 2:
            gone(int(pid))
        killed, pid = pid, driver.run(number).result
        assert pid not in {None, killed}


def test_parameters_arrive_by_keyword_without_their_section(drive):
    def train(trial, lr, **others):
        trial.report_scalar("seen", ",".join(sorted(trial.parameters)), lr, 0)
        return {"seen/" + name: value for name, value in others.items()}

    driver = drive(train)
    driver.engine.launch(4, {"Args/lr": 0.5, "General/layers": 3, "width": 8})
    assert driver.ended(4).result == {"seen/layers": 3, "seen/width": 8}
    assert driver.scalars[4] == [("seen", "Args/lr,General/layers,width", 0.5, 0)]


def test_a_callable_without_trial_is_not_given_one(drive):
    assert drive(lambda **given: float("trial" in given)).run(x=1).result == 0.0


class Model:
    scale = 3

    def train(self, x, trial):
        return x * self.scale + trial.number

    def __call__(self, x):
        return x * self.scale


@pytest.mark.usefixtures("by_value")
@pytest.mark.parametrize("function", [Model().train, Model(), functools.partial(Model.train, Model())], ids=type)
def test_methods_callable_objects_and_partials_run(drive, function):
    assert drive(function).run(0, x=2).result == 6


def test_choices_of_any_kind_arrive_as_declared(drive):
    def sentinel(x):
        return x + 1

    declared = [True, 1, 1.0, "1", None, (1, 2), [3], {"a": 1}, sentinel, "x" * 5000]

    def train(choice):
        kinds = [bool, int, float, str, type(None), tuple, list, dict]
        if callable(choice):
            return choice(41)
        if isinstance(choice, str) and len(choice) > 10:
            return len(choice)
        return kinds.index(type(choice))

    driver = drive(train, choices={"choice": declared})
    results = [driver.run(number, choice=value).result for number, value in enumerate(declared)]
    assert results == [0, 1, 2, 3, 4, 5, 6, 7, 42, 5000]


def test_what_a_trial_does_to_its_choice_no_other_trial_sees(drive):
    def train(layers):
        layers.append(1)
        return len(layers)

    declared = [[1, 2], [3]]
    driver = drive(train, choices={"layers": declared})
    assert [driver.run(n, layers=declared[0]).result for n in range(3)] == [3, 3, 3]
    assert declared == [[1, 2], [3]]


def test_an_equal_choice_that_is_another_object_arrives_too(drive):
    driver = drive(len_of, choices={"layers": [(1, 2), (3,)]})
    assert driver.run(0, layers=tuple([1, 2])).result == 2  # noqa: C409 - another object on purpose


len_of = functools.partial(lambda **values: len(values["layers"]))


@pytest.mark.parametrize("in_a_choice", [False, True])
def test_a_trial_can_pickle_what_a_cell_defines(drive, monkeypatch, in_a_choice):
    source = """
import pickle, concurrent.futures, multiprocessing
class Net:
    def __init__(self, width): self.width = width
def double(x): return 2 * x
def train(kind=None):
    context = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(1, context) as pool:
        width = pool.submit((kind or own)[1], 21).result()
    return pickle.loads(pickle.dumps((kind or own)[0](width))).width
own = None
"""
    module = types.ModuleType("__main__")
    exec(source, module.__dict__)
    monkeypatch.setitem(sys.modules, "__main__", module)
    parts = (module.Net, module.double)
    if in_a_choice:
        driver = drive(module.train, choices={"kind": [parts]})
        outcome = driver.run(0, kind=parts)
    else:
        module.own = parts
        outcome = drive(module.train).run(0)
    assert (outcome.error, outcome.result) == (None, 42)


def test_a_choice_that_cannot_be_sent_says_so():
    with pytest.raises(TypeError, match="choice of 'lock' cannot be sent"):
        FunctionPool(FunctionTemplate(len_of), workers=1, choices={"lock": [threading.Lock()]})


def test_a_callable_that_cannot_be_loaded_fails_each_trial_with_the_reason(drive, tmp_path, monkeypatch):
    (tmp_path / "vanishing.py").write_text("def train(x): return x\n")
    monkeypatch.syspath_prepend(tmp_path)
    import vanishing

    (tmp_path / "vanishing.py").unlink()
    driver = drive(vanishing.train)
    for number in range(2):
        outcome = driver.run(number, x=1)
        assert outcome.state == FAILED
        assert outcome.launch_failed
        assert "could not be loaded" in outcome.error
        assert "No module named 'vanishing'" in outcome.error


def test_a_module_that_kills_its_importer_fails_the_trial(drive, tmp_path, monkeypatch):
    path = tmp_path / "deadly.py"
    path.write_text("def train(x): return x\n")
    monkeypatch.syspath_prepend(tmp_path)
    import deadly

    path.write_text("import os; os._exit(9)\ndef train(x): return x\n")
    driver = drive(deadly.train)
    outcome = driver.run(0, x=1)
    assert outcome.launch_failed
    assert "exit code 9 while loading the callable" in outcome.error


def test_a_trial_begins_when_its_worker_has_loaded_the_callable(drive, gate, tmp_path, monkeypatch):
    path = tmp_path / "slow_to_load.py"
    path.write_text("def train(x): return x\n")
    monkeypatch.syspath_prepend(tmp_path)
    import slow_to_load

    wait = f"import os, time\nwhile not os.path.exists({str(gate.path)!r}): time.sleep(0.002)\n"
    path.write_text(wait + path.read_text())
    gate.shut()
    driver = drive(slow_to_load.train)
    driver.launch(0, x=1)
    driver.step()
    assert driver.told == [("loading", 0)]
    gate.open()
    driver.ended(0)
    driver.run(1, x=1)
    assert driver.told == [("loading", 0), ("started", 0)]


def test_modules_beside_the_caller_are_found(drive, tmp_path, monkeypatch):
    (tmp_path / "beside.py").write_text("def train(x): return x + 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    import beside

    assert drive(beside.train).run(x=1).result == 2


def test_a_large_callable_is_warned_of_and_still_runs(drive):
    data = bytes(60 * 1024 * 1024)

    def train(x):
        return len(data) + x

    with pytest.warns(UserWarning, match=r"take 63 MB \(most of it is the variable 'data' around 'train'"):
        driver = drive(train)
    assert driver.run(x=1).result == len(data) + 1


def test_a_small_callable_is_not_warned_of(drive):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drive(lambda: 1.0)


def test_worker_env_gives_each_worker_its_own(drive):
    def train(trial, x):
        return {"gpu/gpu": float(os.environ["GPU"]), "has/home": float("HOME" in os.environ)}

    driver = drive(train, workers=2, worker_env=lambda index: {"GPU": index + 10, "HOME": None})
    workers = [driver.launch(0, x=0), driver.launch(1, x=0)]
    assert sorted(workers) == [0, 1]
    for number, worker in enumerate(workers):
        assert driver.ended(number).result == {"gpu/gpu": worker + 10, "has/home": 0}


@linux
def test_a_trial_that_takes_more_memory_than_it_may_fails_with_the_limit_and_costs_its_worker(drive):
    kept = []

    def train(megabytes):
        kept.append(bytearray(megabytes * 1_000_000))
        return os.getpid()

    driver = drive(train, workers=1, max_memory_per_job=0.3)
    assert driver.run(0, megabytes=150).state is TrialState.COMPLETED
    failed = driver.run(1, megabytes=200)
    assert failed.state is TrialState.FAILED
    assert failed.error == "MemoryError (each process may take 0.3 GB: max_memory_per_job)"
    # Nothing of what filled the worker is left for the next trial.
    assert driver.run(2, megabytes=200).state is TrialState.COMPLETED


@linux
@pytest.mark.parametrize("gigabytes", [0.001, 0.012])
def test_a_limit_that_is_too_low_for_what_a_trial_loads_is_named(drive, gigabytes):
    def train():
        import numpy  # noqa: ICN001 -- of the worker

        return numpy.ones(10).sum()

    failed = drive(train, workers=1, max_memory_per_job=gigabytes).run()
    assert failed.state is TrialState.FAILED
    assert failed.error.endswith(f" (each process may take {gigabytes:g} GB: max_memory_per_job)")


@linux
@pytest.mark.parametrize(
    "said",
    [
        "RESOURCE_EXHAUSTED: Out of memory allocating 3200000000 bytes.",  # JAX 0.10
        "OOM when allocating tensor on /job:localhost/replica:0/task:0/device:CPU:0 by allocator cpu",  # TensorFlow
        "can't start new thread",
    ],
)
def test_the_limit_of_memory_is_named_whichever_library_met_it(drive, said):
    def train():
        raise RuntimeError(said)

    failed = drive(train, max_memory_per_job=1.0).run()
    assert failed.error == f"RuntimeError: {said} (each process may take 1 GB: max_memory_per_job)"


@linux
@pytest.mark.parametrize(
    "said",
    [
        "CUDA out of memory. Tried to allocate 2.00 GiB",
        "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 3200000000 bytes.",
        "OOM when allocating tensor on /job:localhost/replica:0/task:0/device:GPU:0 by allocator GPU_0_bfc",
    ],
)
def test_no_other_failure_is_blamed_on_the_limit_of_memory(drive, said):
    def train():
        print("pin_memory is set", file=sys.stderr)
        raise RuntimeError(said)

    failed = drive(train, max_memory_per_job=1.0).run()
    assert failed.error == f"RuntimeError: {said}"


@linux
def test_a_limit_that_the_system_does_not_allow_is_the_systems():
    code = """
import os, resource
from hpo_widgets.engines.local import supervisor
resource.setrlimit(resource.RLIMIT_DATA, (1_000_000_000, 2_000_000_000))
os.environ[supervisor.MEMORY_LIMIT] = "3000000000"
supervisor._limit_memory()
print(*resource.getrlimit(resource.RLIMIT_DATA), os.environ.get(supervisor.MEMORY_LIMIT))
"""
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert said.split() == ["2000000000", "2000000000", "None"]


@linux
def test_what_a_trial_starts_has_the_same_limit_of_memory(drive):
    def train():
        subprocess.run([sys.executable, "-c", "bytearray(400_000_000)"], check=False)

    assert drive(train, max_memory_per_job=0.3).run().stderr.strip().endswith("MemoryError")
    assert drive(train).run().stderr == ""


def test_a_limit_of_memory_that_this_system_cannot_keep_is_refused(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(OSError, match="max_memory_per_job needs Linux: leave it out"):
        FunctionTemplate(int).configure({"max_memory_per_job": 1.0})
    FunctionTemplate(int).configure({})


def test_many_workers_may_open_their_files(drive):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (600, hard))
        driver = drive(lambda: 1, workers=2)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 600
        driver.engine.resize(100)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 1000
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_workers_are_nicer_than_their_parent(drive):
    here = os.getpriority(os.PRIO_PROCESS, 0)
    assert drive(lambda: os.getpriority(os.PRIO_PROCESS, 0)).run().result == min(19, here + 5)


def _weighs_sessions() -> bool:
    """Whether this kernel shares processors between sessions before it does between processes."""
    setting = Path("/proc/sys/kernel/sched_autogroup_enabled")
    return setting.exists() and setting.read_text().strip() == "1"


@pytest.mark.skipif(not _weighs_sessions(), reason="this kernel does not weigh sessions as a whole")
def test_the_session_of_a_worker_is_nicer_too(drive):
    from_here = Path("/proc/self/autogroup").read_text()
    result = drive(lambda: {Path("/proc/self/autogroup").read_text(): 1}).run().result
    (of_worker,) = result
    # A process that no session was begun for, as of a service, has none of its own: the file is empty.
    assert of_worker != from_here
    assert of_worker.split()[1:] == ["nice", "5"]


def test_each_trial_starts_in_the_directory_of_the_pool(drive, tmp_path):
    def train():
        here = str(Path.cwd())
        os.chdir("/")
        return {here: 1}

    driver = drive(train)
    assert [driver.run(number).result for number in range(2)] == [{str(tmp_path): 1}] * 2


@pytest.mark.parametrize("fd", [1, 2])
def test_each_trial_has_its_own_output_where_the_one_before_led_it_elsewhere(drive, tmp_path, fd):
    def train():
        os.write(fd, b"here\n")
        os.dup2(os.open("elsewhere", os.O_WRONLY | os.O_CREAT | os.O_APPEND), fd)
        os.write(fd, b"there\n")
        return os.getpid()

    driver = drive(train)
    outcomes = [driver.run(number) for number in range(3)]
    assert [(outcome.stdout, outcome.stderr)[fd - 1] for outcome in outcomes] == ["here\n"] * 3
    assert (tmp_path / "elsewhere").read_text() == "there\n" * 3
    assert len({outcome.result for outcome in outcomes}) == 1


def test_each_trial_has_the_umask_of_the_pool(drive):
    def train():
        return os.umask(0o777)

    driver = drive(train)
    driver.run()
    here = os.umask(0o022)
    os.umask(here)
    assert driver.run(1).result == here


def test_workers_import_no_widgets_and_no_numpy_by_themselves(drive):
    def train():
        heavy = {"numpy", "ipywidgets", "bqplot", "pandas", "optuna", "clearml"}
        return dict.fromkeys(heavy & set(sys.modules), 1)

    assert drive(train).run().result == {}


def test_resizing_while_running(drive, tmp_path):
    def train(x):
        while not Path("go").exists():
            time.sleep(0.005)
        return x

    driver = drive(train, workers=2)
    driver.launch(0, x=0)
    driver.launch(1, x=1)
    driver.engine.resize(4)
    assert driver.engine.free() == 2
    assert {driver.launch(2, x=2), driver.launch(3, x=3)} == {2, 3}
    driver.engine.resize(1)
    assert driver.engine.free() == 0
    (tmp_path / "go").touch()
    assert [driver.ended(number).result for number in range(4)] == [0, 1, 2, 3]
    assert driver.engine.free() == 1
    assert driver.launch(4, x=4) == 0
    assert driver.ended(4).result == 4
    assert len(driver.engine._workers) == 1


def test_many_trials_through_two_workers_lose_nothing(drive):
    driver = drive(lambda x: x * 2, workers=2)
    launched = 0
    while len(driver.outcomes) < 3000:
        while driver.engine.free() and launched < 3000:
            driver.launch(launched, x=launched)
            launched += 1
        driver.step()
    assert all(driver.outcomes[number].result == 2 * number for number in range(3000))


def test_a_point_larger_than_the_sockets_buffer_arrives(drive):
    driver = drive(lambda text: text.count("x"))
    assert driver.run(text="x" * 5_000_000).result == 5_000_000


def test_wake_ends_a_wait_from_another_thread(drive):
    driver = drive(lambda: 1)
    threading.Timer(0.05, driver.engine.wake).start()
    assert driver.engine.wait(None) == []
    driver.engine.close()
    driver.engine.wake()


def test_a_platform_without_process_groups_is_told_clearly(monkeypatch):
    monkeypatch.delattr(os, "killpg")
    with pytest.raises(OSError, match="needs process groups"):
        FunctionPool(FunctionTemplate(lambda: 1), workers=1)


def test_a_number_may_be_run_again_after_its_end(drive):
    def train(trial):
        return float(trial.should_stop)

    driver = drive(train)
    driver.launch(3)
    driver.engine.ask_stop(3, TrialState.PRUNED)
    driver.ended(3)
    driver.outcomes.clear()
    assert driver.run(3).result == 0.0
    driver.launch(4)
    with pytest.raises(RuntimeError, match="running already"):
        driver.launch(4)


def test_a_worker_env_that_raises_is_told(drive):
    def environment(index):
        if index:
            raise LookupError("no such card")
        return {}

    with pytest.raises(LookupError, match="no such card"):
        FunctionPool(FunctionTemplate(lambda: 1), workers=2, worker_env=environment)
    driver = drive(lambda: 1, worker_env=environment)
    driver.engine.resize(2)
    driver.launch(0)
    driver.launch(1)
    assert {driver.ended(0).launch_failed, driver.ended(1).launch_failed} == {False, True}


def test_a_worker_env_that_returns_no_variables_is_told_with_the_worker():
    with pytest.raises(TypeError, match=r"worker_env gives each worker's variables .* for worker 0 .* returned None"):
        FunctionPool(FunctionTemplate(lambda: 1), workers=2, worker_env=lambda index: {"A": 1} if index else None)


def test_a_progress_bars_monitor_costs_no_new_worker(drive):
    def train():
        from tqdm import tqdm

        return sum(tqdm(range(10), file=open("/dev/null", "w")))

    driver = drive(train)
    pid = driver.worker_pid()
    assert [driver.run(number).result for number in range(3)] == [45] * 3
    assert driver.worker_pid() == pid


@pytest.mark.parametrize(("leaves", "num_workers"), [("nothing", 1), ("a child", 3)], ids=["nothing", "child"])
def test_the_process_that_multiprocessing_keeps_for_its_locks_costs_no_new_worker(drive, leaves, num_workers):
    def train(leaves):
        import multiprocessing
        import subprocess

        multiprocessing.get_context("spawn").Lock()
        if leaves == "a child":
            subprocess.Popen(["sleep", "600"])
        return os.getpid()

    driver = drive(train)
    assert len({driver.run(number, leaves=leaves).result for number in range(3)}) == num_workers


def test_a_trial_that_closes_every_descriptor_costs_itself_only(drive):
    def train(x):
        if x:
            os.closerange(3, 1 << 20)
        return x

    driver = drive(train)
    assert driver.run(0, x=1).state == FAILED
    assert driver.run(1, x=0).state == COMPLETED


def test_worker_env_may_set_the_path_of_modules_and_it_goes_first(drive, tmp_path, monkeypatch):
    for folder, value in (("everybody", 1), ("one", 2)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "module_of_the_worker.py").write_text(f"value = {value}")
    monkeypatch.syspath_prepend(tmp_path / "everybody")

    def train():
        import module_of_the_worker

        return module_of_the_worker.value

    driver = drive(train, workers=2, worker_env={1: {"PYTHONPATH": "one"}})
    workers = {driver.launch(number): number for number in range(2)}
    assert [driver.ended(workers[index]).result for index in range(2)] == [1, 2]


def test_an_edit_of_what_a_callable_imports_is_told_when_the_next_worker_starts(drive, tmp_path, monkeypatch):
    inner, outer, unused = (tmp_path / f"{name}_{tmp_path.name}.py" for name in ("inner", "outer", "unused"))
    inner.write_text("FACTOR = 2\n")
    unused.write_text("")
    outer.write_text(
        "import os\n"
        f"import inner_{tmp_path.name}\n\n"
        "def train(x):\n"
        "    if x == 3:\n"
        "        os._exit(1)\n"
        f"    return x * inner_{tmp_path.name}.FACTOR\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module(unused.stem)
    driver = drive(importlib.import_module(outer.stem).train)
    assert driver.run(0, x=1).result == 2
    for path in (inner, unused):
        path.write_text("FACTOR = 20\n")
        os.utime(path, (1, 1))
    assert driver.run(1, x=1).result == 2
    assert driver.notices == []
    assert driver.run(2, x=3).state is TrialState.FAILED
    assert driver.run(3, x=1).result == 20
    (notice,) = driver.notices
    assert notice.startswith(f"{inner} was changed while the search runs")
    assert driver.run(4, x=3).state is TrialState.FAILED
    assert driver.run(5, x=1).result == 20
    assert len(driver.notices) == 1


def test_what_this_package_consists_of_is_not_read_for_edits():
    def train(x):
        from hpo_widgets import report_scalar

        report_scalar("validation", "loss", x, 0)

    files = own_files_of(train)
    assert __file__ in files
    assert not {Path(file) for file in files} & {*Path(hpo_widgets.__file__).parent.rglob("*.py")}


def test_an_edit_of_what_only_workers_import_is_told_too(drive, tmp_path, monkeypatch):
    (tmp_path / "package_of_workers").mkdir()
    inner, outer, unused = (tmp_path / "package_of_workers" / f"{name}.py" for name in ("inner", "outer", "unused"))
    inner.write_text("FACTOR = 2\n")
    unused.write_text("")
    outer.write_text("import json, numpy\nfrom . import inner\n")
    monkeypatch.syspath_prepend(tmp_path)

    def train(x):
        from package_of_workers import outer

        if x == 3:
            os._exit(1)
        return x * outer.inner.FACTOR

    driver = drive(train)
    assert driver.run(0, x=1).result == 2
    assert "package_of_workers" not in sys.modules
    for path in (inner, unused):
        path.write_text("FACTOR = 20\n")
        os.utime(path, (1, 1))
    assert driver.run(1, x=3).state is TrialState.FAILED
    assert driver.run(2, x=1).result == 20
    (notice,) = driver.notices
    assert notice.startswith(f"{inner} was changed while the search runs")
