"""Commands of `hpo-widgets`: words become a search, and what is kept of it is read or played again."""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from hpo_widgets import GridSearch, HyperParameterOptimizer, RandomSearch, UniformParameterRange
from hpo_widgets.cli import main
from hpo_widgets.cli.run import objective, parameter
from hpo_widgets.journal import Journal
from hpo_widgets.parameters import (
    DiscreteParameterRange,
    LogUniformParameterRange,
    UniformIntegerParameterRange,
)
from hpo_widgets.trials import TrialState
from hpo_widgets.viewer import SearchViewer
from tests.runs import identity
from tests.viewer.test_viewer import HEADER, START, row

PACKAGE = Path(__file__).resolve().parents[2]

SCRIPT = """
import argparse, time
from hpo_widgets import report_scalar
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float)
parser.add_argument("--layers", type=int, default=2)
arguments = parser.parse_args()
report_scalar("validation", "loss", abs(arguments.lr - 0.01) + arguments.layers, 0)
{rest}
"""


def test_without_a_command_all_are_listed(capsys):
    assert main([]) == 2
    said = capsys.readouterr().err
    assert "usage: hpo-widgets" in said
    assert all(
        f"\n    {word}  " in said for word in ("demo", "run", "continue", "list", "show", "export", "replay", "lab")
    )


@pytest.mark.parametrize(
    ("words", "made"),
    [
        ("lr: log 1e-4 1e-1", LogUniformParameterRange("lr", -4, -1)),
        ("layers: int 1 4", UniformIntegerParameterRange("layers", 1, 4)),
        ("batch: int 16 128 step 16", UniformIntegerParameterRange("batch", 16, 128, step_size=16)),
        ("Args/dropout: float 0 0.5 step 0.1", UniformParameterRange("Args/dropout", 0, 0.5, step_size=0.1)),
        ("kind: choice adam 2 0.5 True", DiscreteParameterRange("kind", ["adam", 2, 0.5, True])),
        ("kernel: choice \"a b\" c 'd  e'", DiscreteParameterRange("kernel", ["a b", "c", "d  e"])),
    ],
)
def test_words_describe_a_parameter(words, made):
    assert parameter(words) == made


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("lr log 1 2", "has no name"),
        ("lr: logg 1 2", "Did you mean 'log'"),
        ("lr:", "not a kind of parameter"),
        ("lr: float 1", r"write 'float LOW HIGH \[step S\]'"),
        ("lr: log 1 2 step 3", "write 'log LOW HIGH'"),
        ("lr: log 0 1", "lies above 0"),
        ("lr: float 1 x", "'x' is not a number"),
        ("lr: int 1.5 2", "'1.5' is not a whole number"),
        ("lr: float 2 1", "lr"),
        ("kind: choice", "give the choices"),
        ('kind: choice "a b', "No closing quotation"),
    ],
)
def test_words_that_describe_none_are_answered_with_what_would(words, said):
    with pytest.raises(argparse.ArgumentTypeError, match=said):
        parameter(words)


@pytest.mark.parametrize(
    ("words", "made"),
    [
        ("validation/loss", ("validation", "loss", "min")),
        ("validation/accuracy:max", ("validation", "accuracy", "max")),
        ("a/b/c:min", ("a/b", "c", "min")),
        ("accuracy:max", ("accuracy", "accuracy", "max")),
    ],
)
def test_an_objective_is_title_series_and_sign(words, made):
    assert objective(words) == made


@pytest.mark.parametrize("words", ["loss:minimum", ":min", ""])
def test_what_is_no_objective_is_answered_with_one(words):
    with pytest.raises(argparse.ArgumentTypeError, match="validation/loss:min"):
        objective(words)


def test_the_help_says_what_an_objective_without_a_slash_is(capsys):
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    said = capsys.readouterr().out

    assert "a name without a slash is both" in " ".join(said.split())
    # All examples stand above the one call that reports.
    assert re.findall(r"--objective (\S+)", said[said.index("examples:") :]) == [
        "validation/loss:min",
        "validation/accuracy:max",
    ]


def command(folder, *words, rest=""):
    """Start `hpo-widgets run` for the script."""
    (folder / "train.py").write_text(SCRIPT.format(rest=rest), encoding="utf-8")
    path = os.pathsep.join(filter(None, [str(PACKAGE), os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        [sys.executable, "-m", "hpo_widgets", "run", "train.py", "--param", "lr: log 1e-4 1e-1",
         "--objective", "validation/loss", *words],
        cwd=folder, env=os.environ | {"PYTHONPATH": path}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_a_script_is_searched_and_the_best_trials_are_printed(tmp_path):
    running = command(tmp_path, "--trials", "3", "--seed", "1", "--strategy", "random")
    stdout, stderr = running.communicate(timeout=120)
    assert running.returncode == 0, stderr
    assert "3 trials: 3 completed" in stdout
    assert re.search(r"^trial +validation/loss +lr\n#\d +2\.\d+ +\S+$", stdout, re.MULTILINE), stdout
    assert "3/3" in stderr
    (journal,) = (tmp_path / ".hpo_widgets").glob("train-*.sqlite")
    with SearchViewer(journal) as search:
        assert search.status == "completed"


@pytest.mark.slow
def test_ctrl_c_stops_the_search_and_its_trials_and_keeps_what_has_ended(tmp_path):
    running = command(tmp_path, "--workers", "1", rest="time.sleep(60 if arguments.lr < 1 else 0)")
    line = running.stderr.readline()
    journal = Path(tmp_path, re.search(r"kept in (.*)", line).group(1))
    with closing(SearchViewer(journal)) as search:
        while not search.snapshot().state.tolist():
            search.refresh()
    running.send_signal(signal.SIGINT)
    stdout, stderr = running.communicate(timeout=60)
    assert running.returncode == 130, stderr
    assert "stopping" in stderr
    assert "1 aborted" in stdout
    with SearchViewer(journal) as search:
        assert search.status == "stopped"
    to_go_on = re.search(r"to continue: hpo-widgets (continue train-\S+ train.py)\n", stderr).group(1)
    (tmp_path / "train.py").write_text(SCRIPT.format(rest=""), encoding="utf-8")
    words = [sys.executable, "-m", "hpo_widgets", *to_go_on.split(), "--trials", "3"]
    ended = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "3 trials: 2 completed, 1 aborted" in ended.stdout


def test_a_search_goes_on_with_another_budget_and_number_of_workers(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text(SCRIPT.format(rest=""), encoding="utf-8")
    words = ["--param", "lr: float 0 1", "--objective", "validation/loss", "--trials", "1", "--strategy", "random"]
    assert main(["run", "train.py", *words]) == 0
    assert main(["continue", "train", "train.py"]) == 2
    assert "is used up: raise it with --trials or --minutes" in capsys.readouterr().err
    assert main(["continue", "train", "train.py", "--trials", "3", "--workers", "1", "--minutes", "5"]) == 0
    assert "3 trials: 3 completed" in capsys.readouterr().out
    (journal,) = Path(".hpo_widgets").glob("train-*.sqlite")
    with SearchViewer(journal) as search:
        assert (search.total_max_jobs, search.max_number_of_concurrent_tasks) == (3, 1)
        assert search.get_time_limit() is not None


def test_failed_trials_are_run_again_where_a_search_goes_on(tmp_path, monkeypatch, capsys, caplog):
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text(SCRIPT.format(rest="raise OSError('no space left on device')"), encoding="utf-8")
    words = ["--param", "lr: float 0 1", "--objective", "validation/loss", "--trials", "2", "--strategy", "random"]
    assert main(["run", "train.py", *words]) == 1
    Path("train.py").write_text(SCRIPT.format(rest=""), encoding="utf-8")
    capsys.readouterr()
    assert main(["continue", "train", "train.py", "--retry-failed"]) == 2
    said = capsys.readouterr().err
    assert "to be run first: 2 points\n" in said
    assert "2 points wait, as all 2 trials of the budget are used; raise the budget to 4 to run them" in caplog.text
    assert "is used up: raise it with --trials or --minutes" in said
    assert main(["continue", "train", "train.py", "--retry-failed", "--trials", "4"]) == 0
    said = capsys.readouterr()
    assert "to be run first: 2 points\n" in said.err  # not twice
    assert "4 trials: 2 completed, 2 failed" in said.out


def test_the_code_of_a_search_over_a_script_names_where_that_is(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text(SCRIPT.format(rest=""), encoding="utf-8")
    words = ["--param", "lr: float 0 1", "--objective", "validation/loss", "--trials", "1", "--strategy", "random"]
    assert main(["run", "train.py", *words]) == 0
    capsys.readouterr()
    assert main(["show", "train", "--code"]) == 0
    said = capsys.readouterr().out
    assert "from pathlib import Path\n" in said
    assert f'base_task_id=Path("{tmp_path}/train.py"),\n' in said
    Path("train.py").rename("moved.py")
    assert main(["continue", "train", "moved.py", "--trials", "2"]) == 0
    capsys.readouterr()
    assert main(["show", "train", "--code"]) == 0
    assert f'base_task_id=Path("{tmp_path}/moved.py"),\n' in capsys.readouterr().out


def test_what_cannot_go_on_is_said_before_anything_runs(kept, tmp_path, capsys, gate, held, until):
    script = tmp_path / "train.py"
    script.write_text(SCRIPT.format(rest=""), encoding="utf-8")
    here = ["--journal", str(tmp_path)]
    assert main(["continue", "nobody", str(script), *here]) == 2
    assert "There is no search 'nobody'" in capsys.readouterr().err
    assert main(["continue", kept.id, str(tmp_path / "trian.py"), *here]) == 2
    assert "Did you mean 'train.py'" in capsys.readouterr().err
    assert main(["continue", kept.id, str(script), *here]) == 2
    assert "'x'" in capsys.readouterr().err  # the script takes no such argument
    gate.shut()
    running = HyperParameterOptimizer(held, [UniformParameterRange("x", 0, 1)], name="held", journal=tmp_path)
    running.start()
    until(running, lambda: running.counts[TrialState.RUNNING] > 0)
    try:
        assert main(["continue", running.id, str(script), *here]) == 2
        assert f"{running.id} cannot be continued: this process itself runs this search" in capsys.readouterr().err
    finally:
        running.stop()


@pytest.mark.slow
def test_no_completed_trial_is_exit_code_1(tmp_path):
    running = command(tmp_path, "--trials", "1", rest="raise SystemExit(3)")
    stdout, _ = running.communicate(timeout=120)
    assert running.returncode == 1
    assert "1 failed" in stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--param", "lrr: log 1e-4 1e-1"], "Did you mean 'lr'"),
        (["--param", "lr: log 1e-4 1e-1", "--minutes", "0"], "in minutes and above 0"),
        (["--param", "lr: log 1e-4 1e-1", "--trials", "0"], "trials"),
    ],
)
def test_what_does_not_fit_is_said_before_anything_runs(tmp_path, monkeypatch, capsys, words, said):
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text(SCRIPT.format(rest=""), encoding="utf-8")
    try:
        code = main(["run", "train.py", "--objective", "validation/loss", *words])
    except SystemExit as exit_:
        code = exit_.code
    assert code == 2
    assert said in capsys.readouterr().err
    assert not Path(".hpo_widgets").exists()


def test_a_journal_that_cannot_be_written_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text(SCRIPT.format(rest=""), encoding="utf-8")
    Path("kept.sqlite").write_text("no journal", encoding="utf-8")
    words = ["--param", "lr: float 0 1", "--objective", "validation/loss", "--trials", "1", "--journal", "kept.sqlite"]
    assert main(["run", "train.py", *words]) == 1
    assert capsys.readouterr().err.startswith("hpo-widgets run: ")
    assert Path("kept.sqlite").read_text(encoding="utf-8") == "no journal"


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")
def test_trials_get_the_limits_that_are_asked_for(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text(SCRIPT.format(rest=""), encoding="utf-8")
    words = ["run", "train.py", "--param", "lr: float 0 1", "--objective", "validation/loss", "--trials", "1"]
    assert main([*words, "--trial-minutes", "5", "--trial-memory", "2.5"]) == 0
    capsys.readouterr()
    assert main(["show", "train", "--code"]) == 0
    said = capsys.readouterr().out
    assert "    time_limit_per_job=5.0,\n" in said
    assert "    max_memory_per_job=2.5,\n" in said
    assert main([*words, "--trial-memory", "-1"]) == 2
    assert "max_memory_per_job" in capsys.readouterr().err


def test_a_strategy_that_needs_iterations_gets_them(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text(SCRIPT.format(rest=""), encoding="utf-8")
    words = ["--param", "lr: float 0 1", "--objective", "validation/loss", "--trials", "2", "--strategy", "bohb"]
    assert main(["run", "train.py", *words]) == 2
    assert "iteration_per_job" in capsys.readouterr().err
    assert main(["run", "train.py", *words, "--min-iterations", "1", "--max-iterations", "3"]) == 0


@pytest.fixture
def kept(tmp_path):
    """A finished search of three trials, whose name would clear a terminal."""
    search = HyperParameterOptimizer(
        identity, [UniformParameterRange("x", 0, 1)], optimizer_class=RandomSearch, total_max_jobs=3, seed=1,
        name="train \x1b[2J", journal=tmp_path,
    )  # fmt: skip
    search.start()
    assert search.wait()
    return search


def test_the_searches_of_a_folder_are_listed(kept, tmp_path, capsys):
    assert main(["list", "--journal", str(tmp_path)]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(kept.id)
    assert "completed" in line
    assert f"3 of 3 trials  best {kept.best_trial.value:.6g} at #{kept.best_trial.number}" in line


def test_a_search_is_shown_by_the_beginning_of_its_id(kept, tmp_path, capsys):
    assert main(["show", "train", "--journal", str(tmp_path), "--top", "2"]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "3 trials: 3 completed" in out
    assert len(re.findall(r"^#\d", out, re.MULTILINE)) == 2
    assert main(["show", str(kept.journal_path), "--code"]) == 0
    assert "HyperParameterOptimizer(" in capsys.readouterr().out


def test_a_single_trial_is_told_in_the_singular(tmp_path, capsys):
    with Journal.create(tmp_path / "digits-1.sqlite", "digits-1", HEADER) as made:
        made.write([row(0)], [], [], [START])
    out = tmp_path / "trials.csv"
    assert main(["show", "digits", "--journal", str(tmp_path)]) == 0
    assert main(["list", "--journal", str(tmp_path)]) == 0
    assert main(["export", "digits", "--journal", str(tmp_path), "--out", str(out)]) == 0
    told = capsys.readouterr()
    assert "\n1 trial: 1 completed\n" in told.out
    assert "1 of 5000 trials" in told.out
    assert told.err == f"1 trial written to {out}\n"
    only = {**HEADER, "settings": {**HEADER["settings"], "total_max_jobs": 1}}
    with Journal.create(tmp_path / "one" / "digits-1.sqlite", "digits-1", only) as made:
        made.write([row(0)], [], [], [START])
    assert main(["list", "--journal", str(tmp_path / "one")]) == 0
    assert "1 of 1 trial  " in capsys.readouterr().out


def test_a_search_whose_process_was_killed_says_so(tmp_path, capsys):
    with Journal.create(tmp_path / "digits-1.sqlite", "digits-1", HEADER) as made:
        made.write([row(0), row(1, TrialState.RUNNING)], [], [], [START])  # and no end
    assert main(["show", "digits", "--journal", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "digits (digits-1), RandomSearch: interrupted\n2 trials: 1 completed, 1 aborted\n" in said
    assert "\nthe process that ran it ended before the search did\n" in said
    assert "#1 (aborted)" in said
    assert main(["list", "--journal", str(tmp_path)]) == 0
    assert "interrupted  2 of 5000 trials" in capsys.readouterr().out


def test_all_trials_are_exported(kept, tmp_path, capsys):
    assert main(["export", kept.id, "--journal", str(tmp_path)]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.startswith("number,state,objective/objective,x")
    assert len(rows) == 3
    out = tmp_path / "trials.json"
    assert main(["export", kept.id, "--journal", str(tmp_path), "--out", str(out)]) == 0
    assert json.loads(out.read_text()) == json.loads(kept.to_json())
    assert [row["number"] for row in json.loads(out.read_text())] == [0, 1, 2]


def test_a_file_of_another_kind_is_written_only_when_its_format_is_chosen(kept, tmp_path, capsys):
    out = tmp_path / "trials.XLSX"
    assert main(["export", str(kept.journal_path), "--out", str(out)]) == 2
    assert "is neither CSV nor JSON: name it *.csv or *.json, or use --format" in capsys.readouterr().err
    assert not out.exists()
    assert main(["export", str(kept.journal_path), "--out", str(out), "--format", "csv"]) == 0
    assert out.read_text() == kept.to_csv()


def test_a_search_is_played_to_its_end(kept, tmp_path, capsys):
    assert main(["replay", kept.id[:8], "--journal", str(tmp_path), "--speed", "1e6"]) == 0
    played = capsys.readouterr()
    assert main(["show", kept.id[:8], "--journal", str(tmp_path)]) == 0
    assert played.out == "".join(capsys.readouterr().out.splitlines(keepends=True)[1:])
    assert f"best {kept.best_trial.value:.4g} at #{kept.best_trial.number}" in played.err
    with pytest.raises(SystemExit):
        main(["replay", kept.id, "--speed", "0"])
    assert "a number above 0" in capsys.readouterr().err


def test_a_page_that_plays_a_search_back_is_written(kept, tmp_path, capsys):
    page = tmp_path / "pages" / "replay.html"
    assert main(["replay", str(kept.journal_path), "--page", str(page), "--moments", "2", "--speed", "1000"]) == 0
    assert "moments" in capsys.readouterr().err
    assert 'id="moments"' in page.read_text(encoding="utf-8")
    assert '"speed":1000.0,' in page.read_text(encoding="utf-8")
    assert main(["replay", str(kept.journal_path), "--page", str(page), "--moments", "1"]) == 2
    assert "at least 2" in capsys.readouterr().err
    assert main(["replay", str(kept.journal_path), "--page", str(tmp_path)]) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert main(["replay", str(kept.journal_path), "--moments", "5"]) == 2
    assert "--page" in capsys.readouterr().err


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_letters_that_the_output_has_not_are_spelt_out(tmp_path, encoding):
    search = HyperParameterOptimizer(
        lambda kind: 0.5, [DiscreteParameterRange("kind", ["a\udc80", "\xe4"])], optimizer_class=GridSearch,
        journal=tmp_path,
    )  # fmt: skip
    search.start()
    assert search.wait()
    strict = os.environ | {"PYTHONIOENCODING": f"{encoding}:strict"}
    for words in (["export"], ["show"], ["export", "--format", "json"]):
        command = [sys.executable, "-m", "hpo_widgets", *words, str(search.journal_path)]
        ended = subprocess.run(command, env=strict, capture_output=True, check=False)
        assert (ended.returncode, ended.stderr) == (0, b"")
        assert b"a\\udc80" in ended.stdout
        if "json" in words:
            assert json.loads(ended.stdout) == json.loads(search.to_json())
        else:
            assert "\xe4".encode(encoding, errors="backslashreplace") in ended.stdout


def test_a_file_is_written_to_the_home_folder_also_where_no_shell_puts_that_in(kept, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main(["export", str(kept.journal_path), "--out=~/trials.csv"]) == 0
    assert f"written to {tmp_path / 'trials.csv'}" in capsys.readouterr().err
    assert (tmp_path / "trials.csv").is_file()
    with pytest.raises(SystemExit):
        main(["export", str(kept.journal_path), "--out=~nobody-of-this-name/trials.csv"])
    assert "no home folder is known" in capsys.readouterr().err


def test_an_output_that_nobody_reads_any_more_is_no_error(kept, tmp_path):
    command = [sys.executable, "-m", "hpo_widgets", "export", kept.id, "--journal", str(tmp_path)]
    read_end, write_end = os.pipe()
    os.close(read_end)
    ended = subprocess.run(command, stdout=write_end, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write_end)
    assert (ended.returncode, ended.stderr) == (141, "")


def twice(x):
    return {"a/a": x, "b/b": x}


def test_of_several_objectives_show_tells_how_large_the_front_is(tmp_path, capsys):
    both = {"objective_metric_title": ["a", "b"], "objective_metric_series": ["a", "b"]}
    space = [UniformParameterRange("x", 0, 1)]
    options = {"objective_metric_sign": ["min", "max"], "journal": tmp_path, "total_max_jobs": 4}
    search = HyperParameterOptimizer(twice, space, **both, **options)
    search.start()
    assert search.wait()
    assert main(["show", search.id, "--journal", str(tmp_path)]) == 0
    assert "4 trials on the front, first in the table\n" in capsys.readouterr().out


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("words", [["export"], ["export", "--format", "json"], ["show"]])
def test_an_output_on_a_full_disk_is_said_in_one_line(kept, tmp_path, words):
    command = [sys.executable, "-m", "hpo_widgets", *words, kept.id, "--journal", str(tmp_path)]
    with open("/dev/full", "w") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    said = f"hpo-widgets {words[0]}: the output cannot be written: No space left on device\n"
    assert (ended.returncode, ended.stderr) == (1, said)


def test_a_command_without_an_output_is_no_error(kept, tmp_path):
    command = [sys.executable, "-m", "hpo_widgets", "list", "--journal", str(tmp_path)]
    without_output = ["sh", "-c", 'exec "$@" >&-', "sh", *command]
    ended = subprocess.run(without_output, stderr=subprocess.PIPE, text=True, check=False)
    assert "Traceback" not in ended.stderr
    assert ended.returncode == 0


@pytest.mark.parametrize("words", [["list"], ["show", "nobody"], ["export", "nobody"], ["replay", "nobody"]])
def test_without_such_a_search_it_is_said(tmp_path, capsys, words):
    assert main([*words, "--journal", str(tmp_path / "nothing")]) == 2
    assert "nothing" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["list"], ["show", "nobody"], ["run", "train.py"]])
def test_the_address_of_a_database_is_no_folder_of_journals(capsys, words):
    with pytest.raises(SystemExit, match="2"):
        main([*words, "--journal", "sqlite:///x.db"])
    assert "--journal: journal is a folder" in capsys.readouterr().err
