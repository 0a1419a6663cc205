"""Scripts: one process per trial, arguments, reports, ends."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from pathlib import Path

import pytest

import hpo_widgets
from hpo_widgets.engines.local import scripts
from hpo_widgets.engines.local.scripts import ScriptEngine
from hpo_widgets.engines.local.template import ScriptTemplate
from hpo_widgets.trials import TrialState

ABORTED, COMPLETED, FAILED, PRUNED = (
    TrialState.ABORTED,
    TrialState.COMPLETED,
    TrialState.FAILED,
    TrialState.PRUNED,
)

REPORTS = """
import argparse
from hpo_widgets import report_scalar

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, required=True)
parser.add_argument("--num-layers", type=int, default=1)
arguments = parser.parse_args()
print("training")
for epoch in range(3):
    report_scalar("validation", "loss", arguments.lr * arguments.num_layers, epoch)
"""


def test_a_script_gets_its_arguments_and_reports(drive_script):
    driver = drive_script(REPORTS)
    driver.engine.launch(5, {"Args/lr": 0.25, "num_layers": 2})
    outcome = driver.ended(5)
    assert (outcome.state, outcome.result, outcome.error) == (COMPLETED, None, None)
    assert outcome.stdout == "training\n"
    assert driver.scalars[5] == [("validation", "loss", 0.5, epoch) for epoch in range(3)]


def test_a_script_finds_the_number_of_its_trial(drive_script):
    driver = drive_script("import os; print(os.environ['HPO_WIDGETS_TRIAL_NUMBER'])")
    assert [driver.run(number).stdout for number in (0, 7)] == ["0\n", "7\n"]


def test_several_scripts_run_at_once(drive_script):
    driver = drive_script(REPORTS, workers=2)
    workers = {driver.launch(number, lr=number) for number in range(2)}
    assert workers == {0, 1}
    assert driver.engine.free() == 0
    for number in range(2):
        assert driver.ended(number).state == COMPLETED
        assert driver.scalars[number][0][2] == number


def test_a_script_that_raises_fails_with_its_exception(drive_script):
    outcome = drive_script("print('so far')\nraise ValueError('bad')").run()
    assert outcome.state == FAILED
    assert outcome.error == "ValueError: bad"
    assert outcome.traceback.startswith("Traceback")
    assert outcome.stdout == "so far\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            """import atexit, sys
atexit.register(print, "closed", file=sys.stderr)
raise RuntimeError("CUDA error: an illegal access\\n\\nCompile with TORCH_USE_CUDA_DSA.")
""",
            "RuntimeError: CUDA error: an illegal access",
        ),
        (
            "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    raise ValueError('bad') from error",
            "ValueError: bad",
        ),
        (
            "raise SystemExit('╭─ Error ───────────╮\\n│ No such option: x │\\n╰───────────────────╯')",
            "the script ended with exit code 1: No such option: x",
        ),
        ("raise SystemExit('---')", "the script ended with exit code 1"),
        (
            # As hydra does with errors of its own.
            """import os, sys
try:
    raise ValueError("Could not override 'lr'.\\nKey 'lr' is not in struct")
except ValueError as error:
    if os.environ.get("HYDRA_FULL_ERROR") == "1":
        raise
    print(error, "\\n\\nSet the environment variable HYDRA_FULL_ERROR=1 for a complete stack trace.", file=sys.stderr)
    sys.exit(1)
""",
            "ValueError: Could not override 'lr'.",
        ),
        (
            """import sys, traceback
try:
    1 / 0
except ZeroDivisionError:
    traceback.print_exc()
print("gave up", file=sys.stderr)
sys.exit(4)
""",
            "the script ended with exit code 4: gave up",
        ),
    ],
)
def test_the_sentence_on_a_script_that_fails_has_its_reason(drive_script, text, said):
    assert drive_script(text).run().error == said


def test_a_scripts_exit_code_is_told(drive_script):
    assert drive_script("import os; os._exit(3)").run().error == "the script ended with exit code 3"
    assert "SIGSEGV" in drive_script("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)").run().error


def test_an_argument_that_a_script_refuses_is_told(drive_script):
    outcome = drive_script(REPORTS).run(lr="high")
    assert "exit code 2" in outcome.error
    assert "invalid float value: 'high'" in outcome.error


SLOW = """
import signal, sys, time
from pathlib import Path
from hpo_widgets import report_scalar
print("running")
try:
    report_scalar("is", "running", 1, 0)
    time.sleep(1000)
finally:
    Path("cleaned").touch()
"""

CLEANS_UP = "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n" + SLOW
IGNORES = "import signal, sys\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SLOW


@pytest.mark.parametrize("text", [SLOW, CLEANS_UP, IGNORES], ids=["slow", "cleans up", "ignores"])
def test_abort_ends_a_script(drive_script, text, gone):
    driver = drive_script(text)
    driver.begin()
    pid = driver.worker_pid()
    driver.engine.abort(0, 0.1)
    outcome = driver.ended(0)
    assert outcome.state == ABORTED
    assert outcome.stdout == "running\n"
    gone(pid)
    driver.begin(1)


def test_a_script_that_handles_sigterm_cleans_up(drive_script, tmp_path, monkeypatch):
    monkeypatch.setattr(scripts, "_STOP_GRACE", 60.0)  # more than a busy machine needs
    driver = drive_script(CLEANS_UP)
    driver.begin()
    driver.engine.ask_stop(0, PRUNED)
    assert driver.ended(0).state == PRUNED
    assert (tmp_path / "cleaned").exists()


def test_a_script_that_ignores_a_stop_is_killed(drive_script, monkeypatch):
    monkeypatch.setattr(scripts, "_STOP_GRACE", 0.05)
    driver = drive_script(IGNORES)
    driver.begin()
    driver.engine.ask_stop(0, PRUNED)
    assert driver.ended(0).state == PRUNED


@pytest.mark.parametrize("ending", ["", "time.sleep(1000)"], ids=["left behind", "aborted"])
def test_children_of_a_script_end_with_it(drive_script, read_pid, gone, ending):
    driver = drive_script(
        "import subprocess, time\n"
        "from pathlib import Path\n"
        "child = subprocess.Popen(['sleep', '1000'])\n"
        "Path('pid').write_text(f'{child.pid}\\n')\n" + ending
    )
    driver.launch(0)
    pid = read_pid()
    if ending:
        driver.engine.abort(0, 0.0)
    assert driver.ended(0).state == (ABORTED if ending else COMPLETED)
    gone(pid)


def test_a_child_of_a_script_reports_nothing_into_strange_files(drive_script, tmp_path):
    driver = drive_script(
        "import subprocess, sys\n"
        'code = \'from hpo_widgets import report_scalar; files = [open(f"f{n}", "w") for n in range(30)];\'\\\n'
        '       \'report_scalar("a", "b", 1, 1); [f.close() for f in files]\'\n'
        "subprocess.run([sys.executable, '-c', code], check=True)\n"
    )
    outcome = driver.run()
    assert outcome.state == COMPLETED, outcome.error
    assert not any((tmp_path / f"f{n}").read_bytes() for n in range(30))
    assert "RuntimeWarning: report_scalar did nothing: a process that a trial's script has started" in outcome.stderr


def test_the_log_of_a_running_script_can_be_read(drive_script):
    driver = drive_script(SLOW)
    driver.launch(0)
    driver.until(lambda: driver.engine.log(0) == "running", "the log")


def test_many_reports_of_a_script_arrive_all(drive_script):
    driver = drive_script(
        "from hpo_widgets import report_scalar\nfor step in range(20_000): report_scalar('a', 'b', step, step)"
    )
    driver.run()
    assert [iteration for *_, iteration in driver.scalars[0]] == list(range(20_000))


def test_worker_env_reaches_scripts(drive_script):
    driver = drive_script("import os; print(os.environ['GPU'])", worker_env=lambda index: {"GPU": index + 3})
    assert driver.run().stdout == "3\n"


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")
def test_a_script_that_takes_more_memory_than_it_may_fails_with_the_limit(drive_script):
    driver = drive_script("import sys; bytearray(int(sys.argv[2]) * 1_000_000)", max_memory_per_job=0.3)
    assert driver.run(0, megabytes=100).state is TrialState.COMPLETED
    failed = driver.run(1, megabytes=400)
    assert failed.state is TrialState.FAILED
    assert failed.error == ("MemoryError (each process may take 0.3 GB: max_memory_per_job)")


def test_a_value_that_no_command_line_can_hold_fails_its_trial(drive_script):
    driver = drive_script("import sys; print(sys.argv[1:])")
    outcome = driver.run(0, text="a\0b")
    assert outcome.launch_failed
    assert "could not be started" in outcome.error
    assert driver.run(1, text="b").stdout == "['--text', 'b']\n"


def test_a_script_engine_leaks_nothing(tmp_path, counts, nothing_left):
    path = tmp_path / "script.py"
    path.write_text("import time; time.sleep(1000)")
    with closing(ScriptEngine(ScriptTemplate(path), workers=1)) as engine:
        engine.launch(0, {})
    before = counts()
    with closing(ScriptEngine(ScriptTemplate(path), workers=3)) as engine:
        for number in range(3):
            engine.launch(number, {})
        engine.resize(1)
        engine.abort(2, 0.0)
        while not engine.wait(1):
            pass
    nothing_left(before)


def test_the_script_runs_where_the_search_runs_and_finds_its_neighbours(drive_script, tmp_path):
    (tmp_path / "neighbour.py").write_text("x = 7")
    outcome = drive_script("import os, neighbour; print(os.getcwd(), neighbour.x)").run()
    assert outcome.stdout == f"{tmp_path} 7\n"


def test_worker_env_may_set_the_path_of_modules_and_the_script_still_finds_this_package(drive_script, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "module_of_the_script.py").write_text("value = 7")
    driver = drive_script(
        "import os, module_of_the_script; print(os.environ['PYTHONPATH'])",
        worker_env={0: {"PYTHONPATH": str(tmp_path / "mine")}},
    )
    root = Path(hpo_widgets.__file__).parent.parent
    assert driver.run().stdout == f"{tmp_path / 'mine'}{os.pathsep}{root}\n"


def test_an_edit_of_a_script_is_told_with_the_next_trial(drive_script):
    driver = drive_script("print(1)")
    script = driver.engine._template.path
    assert driver.run(0).stdout == "1\n"
    assert driver.notices == []
    script.write_text("print(2)")
    os.utime(script, (1, 1))
    assert driver.run(1).stdout == "2\n"
    assert driver.run(2).stdout == "2\n"
    (notice,) = driver.notices
    assert notice.startswith(f"{script} was changed while the search runs")


def test_an_edit_of_what_a_script_imports_is_told_with_the_next_trial(drive_script, tmp_path):
    package = tmp_path / "models"
    package.mkdir()
    for name, text in {
        "models/__init__.py": "from .nets import depth",
        "models/nets.py": "from . import base\ndepth = base.depth",
        "models/base.py": "depth = 2",
        "data.py": "import models, data",  # a circle
        "unused.py": "",
        "broken.py": "def",
    }.items():
        (tmp_path / name).write_text(text)
    text = """
def main():
    from models import depth
    print(depth)

import json, data
try:
    import broken
except SyntaxError:
    main()
"""
    driver = drive_script(text)
    assert driver.run(0).stdout == "2\n"
    (tmp_path / "unused.py").write_text("x = 1")
    os.utime(tmp_path / "unused.py", (1, 1))
    driver.run(1)
    assert driver.notices == []
    for number, name in enumerate(["models/base.py", "models/__init__.py", "data.py", "broken.py"], start=2):
        os.utime(tmp_path / name, (1, 1))
        driver.run(number)
        assert driver.notices.pop().startswith(f"{tmp_path / name} was changed while the search runs")
    assert driver.notices == []
