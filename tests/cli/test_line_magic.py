"""`%hpo`: a line of IPython lists the searches of a session, waits for them and stops them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import types
from pathlib import Path

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from hpo_widgets.search import SearchStatus, StopReason
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import OptimizerWidget
from hpo_widgets.widget.sync.flow import cells

PACKAGE = Path(__file__).resolve().parents[2]


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """A shell of IPython that has loaded the extension."""
    # A panel that the magic makes takes it that a cell runs: that is over with the shell.
    for name, value in vars(cells).items():
        monkeypatch.setattr(cells, name, value)
    made = InteractiveShell.instance(
        ipython_dir=str(tmp_path / "ipython"),
        user_module=types.ModuleType("shell_of_a_test"),
        config=Config({"HistoryManager": {"enabled": False}}),
    )
    made.run_line_magic("load_ext", "hpo_widgets")
    yield made
    InteractiveShell.clear_instance()


@pytest.fixture
def hpo(shell, capsys):
    """Runs a line of the magic and hands back what it printed."""

    def run(line: str = "") -> str:
        capsys.readouterr()
        shell.run_line_magic("hpo", line)
        return capsys.readouterr().out

    return run


def running(**keywords):
    search = ScriptedSearch(**keywords)
    search.command("start")
    return search


def ended(**keywords):
    search = running(**keywords)
    search.add_trial(0.25)
    search.set_status(SearchStatus.COMPLETED, StopReason("total_max_jobs", "all trials"))
    return search


def test_searches_are_listed_by_the_words_that_reach_them(shell, hpo):
    shell.user_ns |= {
        "optimizer": running(name="digits", jobs=10),
        "searches": {"wide": ended(name="first"), 3: "no search"},
        "others": [object(), ended(name="second")],
    }
    shell.user_ns["optimizer"].add_trial(0.5)

    heading, *lines = (re.split(r"  +", line) for line in hpo().splitlines())

    assert heading == ["variable", "search", "status", "trials", "best"]
    assert lines == [
        ["optimizer", "digits", "running", "1 of 10", "0.5 at #0"],
        ["searches['wide']", "first", "completed", "1", "0.25 at #0"],
        ["others[1]", "second", "completed", "1", "0.25 at #0"],
    ]


def test_a_search_of_a_panel_or_of_a_result_is_listed_once(shell, hpo):
    search = running(name="shown")
    panel = OptimizerWidget(search)
    try:
        shell.user_ns |= {"_3": panel, "panel": panel}
        assert re.findall(r"^(\w+) +shown", hpo(), re.MULTILINE) == ["panel"]
        shell.user_ns["optimizer"] = search
        shell.user_ns.pop("panel")
        assert re.findall(r"^(\w+) +shown", hpo(), re.MULTILINE) == ["optimizer"]
    finally:
        panel.close()


def test_a_name_that_would_clear_the_terminal_is_spelt_out(shell, hpo):
    shell.user_ns["optimizer"] = running(name="a \x1b[2J")

    assert "\x1b" not in hpo()
    assert "\x1b" not in hpo("show")


def test_a_session_without_searches_says_so(hpo):
    assert hpo() == "no variable of this session holds a search\n"
    assert hpo("stop") == "no variable of this session holds a search\n"


@pytest.mark.parametrize("which", ["two", "two's name"])
def test_a_search_is_meant_by_its_variable_or_its_name(shell, hpo, which):
    shell.user_ns |= {"one": running(name="one's name"), "two": running(name="two's name")}

    hpo(f"pause {which}")

    assert [shell.user_ns[name].status for name in ("one", "two")] == ["running", "paused"]


def test_a_line_returns_when_the_search_has_paused(shell, hpo):
    class Slow(ScriptedSearch):
        """Pauses on a thread of its own, and not before somebody waits for it."""

        is_waited_for = threading.Event()

        def command(self, name, *arguments):
            if name == "pause":
                threading.Thread(target=self.pause_later).start()
            else:
                super().command(name, *arguments)

        def pause_later(self):
            if self.is_waited_for.wait(30):
                super().command("pause")

        def subscribe(self, callback):
            unsubscribe = super().subscribe(callback)
            self.is_waited_for.set()
            return unsubscribe

    search = shell.user_ns["optimizer"] = Slow()
    search.command("start")

    hpo("pause")

    assert search.status == "paused"
    search.is_waited_for.set()


def test_without_a_name_the_only_one_that_runs_is_meant(shell, hpo):
    shell.user_ns |= {"old": ended(), "new": running()}

    assert "new has stopped" in hpo("stop")
    assert shell.user_ns["new"].status == "stopped"


def test_one_of_several_must_be_named(shell, hpo):
    shell.user_ns |= {"one": running(), "two": running()}

    with pytest.raises(UsageError, match="which one\\? %hpo stop one or %hpo stop two"):
        hpo("stop")
    assert [shell.user_ns[name].status for name in ("one", "two")] == ["running", "running"]


@pytest.mark.parametrize(
    ("line", "said"), [("stpo", "Did you mean 'stop'"), ("wait optimiser", "Did you mean 'optimizer'")]
)
def test_a_wrong_word_is_answered_with_the_near_one(shell, hpo, line, said):
    shell.user_ns["optimizer"] = running()

    with pytest.raises(UsageError, match=said):
        hpo(line)


def test_what_cannot_be_done_now_is_said_and_is_no_error(shell, hpo):
    shell.user_ns["optimizer"] = ended()

    assert hpo("wait optimizer") == "optimizer: the search is completed\n"
    assert hpo("pause").startswith("optimizer: ")


def test_nobody_waits_for_a_paused_search_whose_process_has_gone(shell, hpo):
    class Viewed(ScriptedSearch):
        is_view, owner_died = True, True

    search = shell.user_ns["optimizer"] = Viewed()
    search.command("start")
    search.command("pause")
    search.refuse("stop", "this is a view")
    assert hpo("wait optimizer") == "optimizer: the search is paused, and the process that ran it has ended\n"


def test_the_best_trials_are_shown(shell, hpo):
    search = shell.user_ns["optimizer"] = ended(name="digits")
    search.add_trial(0.125)

    said = hpo("show")

    assert said.startswith("digits (digits-0): completed\n2 trials: 2 completed\nended because: all trials\ntrial ")
    assert re.findall(r"^#(\d) +([\d.]+)", said, re.MULTILINE) == [("1", "0.125"), ("0", "0.25")]


def test_a_trial_that_did_not_complete_is_marked_among_the_best(shell, hpo):
    search = shell.user_ns["optimizer"] = running()
    search.add_trial(0.125, state=TrialState.ABORTED)
    assert "0.125 at #0 (aborted)" in hpo()

    search.add_trial(0.25)

    assert re.findall(r"^#(.+?)  +([\d.]+)", hpo("show"), re.MULTILINE) == [("0 (aborted)", "0.125"), ("1", "0.25")]
    assert "0.25 at #1\n" in hpo()


def test_of_several_objectives_the_list_says_by_which_one_a_trial_is_the_best(shell, hpo):
    search = shell.user_ns["optimizer"] = running(titles=["a", "b"], series=["a", "b"], signs=["min", "max"])
    search.add_trial([0.5, 2.0])

    assert "0.5 2 at #0 by a/a\n" in hpo()


def test_waiting_ends_with_the_search_and_shows_the_best(shell, hpo):
    search = shell.user_ns["optimizer"] = running()
    search.add_trial(0.25)
    end = threading.Thread(
        target=lambda: search.set_status(SearchStatus.COMPLETED, StopReason("total_max_jobs", "all trials"))
    )
    subscribe = search.subscribe

    def subscribe_and_end(callback):
        unsubscribe = subscribe(callback)
        end.start()
        return unsubscribe

    search.subscribe = subscribe_and_end

    said = hpo("wait")

    end.join()
    assert "1 trial: 1 completed" in said
    assert re.search(r"^#0 +0\.25", said, re.MULTILINE), said


def test_ctrl_c_ends_the_waiting_and_not_the_search(shell, hpo, capsys):
    search = shell.user_ns["optimizer"] = running()

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    search.wait = interrupt

    with pytest.raises(KeyboardInterrupt):
        hpo("wait")
    assert "the search continues; %hpo stop ends it" in capsys.readouterr().err
    assert search.status == "running"


def test_the_help_of_the_magic_names_every_word(shell):
    words = shell.magics_manager.magics["line"]["hpo"].__doc__

    assert re.findall(r"%hpo (\w+) \[SEARCH\]", words) == ["show", "wait", "pause", "resume", "stop"]


def test_the_magic_goes_with_the_extension(shell):
    shell.run_line_magic("unload_ext", "hpo_widgets")

    assert shell.find_line_magic("hpo") is None


STORY = """\
%load_ext hpo_widgets
import time
from hpo_widgets import HyperParameterOptimizer, UniformParameterRange
space = [UniformParameterRange("x", 0, 1)]
optimizer = HyperParameterOptimizer(lambda x: x, space, total_max_jobs=3, name="short")
assert optimizer.start()
%hpo wait optimizer
endless = HyperParameterOptimizer(lambda x: time.sleep(600), space, name="endless")
assert endless.start()
%hpo stop
%hpo
"""


@pytest.mark.slow
def test_plain_ipython_waits_for_a_search_with_a_bar_and_stops_another(tmp_path):
    path = os.pathsep.join(filter(None, [str(PACKAGE), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--no-banner", "--colors=nocolor", "-c", STORY],
        env=os.environ | {"PYTHONPATH": path, "IPYTHONDIR": str(tmp_path / "ipython")},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert "3/3" in done.stderr
    assert "3 trials: 3 completed" in done.stdout
    assert "endless has stopped" in done.stdout
    assert re.search(r"^optimizer +short +completed +3 of 3 +\S+ at #\d$", done.stdout, re.MULTILINE), done.stdout
    assert re.search(r"^endless +endless +stopped", done.stdout, re.MULTILINE), done.stdout
