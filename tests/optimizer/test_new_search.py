"""The kernel's half of the form for a new search: functions, rows, errors at their fields, and code that runs."""

from __future__ import annotations

import ast
import functools
import json
import os
import sys
import threading
import types
from pathlib import Path

import pytest
from jupyter_client.manager import start_new_kernel

from hpo_widgets import (
    DiscreteParameterRange,
    GridSearch,
    HyperParameterOptimizer,
    LogUniformParameterRange,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from hpo_widgets.optimizer import new_search
from hpo_widgets.widget import OptimizerWidget

PACKAGE = Path(__file__).resolve().parents[2]
CELLS = '''
import enum
from typing import Literal

class Kind(enum.Enum):
    FAST = 1
    SLOW = 2

def train(lr=0.001, layers=2, kind: Kind = Kind.FAST, activation: Literal["relu", "tanh"] = "relu",
          method="adam", bias=True, dropout=0.5, seed=0, trial=None, *, width):
    """Train a <b>network</b>.

    More."""
    return lr

def anything(x=1.0, **more):
    return x

async def later(x=1.0):
    return x

half = lambda x=0.5: x
_private = train
not_a_function = 3
'''


@pytest.fixture
def main(monkeypatch):
    """The namespace of a notebook in which `CELLS` has run."""
    module = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", module)
    exec(compile(CELLS, "<cell>", "exec", dont_inherit=True), vars(module))
    module.slow = functools.partial(module.train, layers=4)
    return vars(module)


def ask(**question):
    """What the page gets: the answer by way of JSON."""
    told = new_search.answer(json.dumps(question))._repr_mimebundle_()["application/json"]
    return json.loads(json.dumps(told))


def source(text, kind="function"):
    return {"kind": kind, "text": text}


def rows_of(text, kind="function"):
    return ask(kind="propose", source=source(text, kind))["rows"]


def form(text="train", kind="function", **changed):
    """The form as it is filled in when a person has chosen what a trial runs, with some fields changed."""
    rows = changed.pop("rows", None)
    filled = {"objective": "", "sign": "min", "strategy": "OptimizerOptuna", "trials": "20", "workers": ""}
    rows = rows_of(text, kind) if rows is None else rows
    return {"source": source(text, kind), "rows": rows, **filled, **changed}


def write(*arguments, **changed):
    return ask(kind="write", form=form(*arguments, **changed))


def row(rows, name):
    return next(one for one in rows if one["name"] == name)


def change(rows, name, **changed):
    row(rows, name).update(changed)
    return rows


def run(answer, namespace):
    """Run the cell in the notebook; the search that it makes."""
    assert answer["errors"] == {}
    tree = ast.parse(answer["code"])
    shown = tree.body.pop()
    exec(compile(tree, "<cell>", "exec"), namespace)
    widget = eval(ast.unparse(shown), namespace)
    assert isinstance(widget, OptimizerWidget)
    widget.close()
    return namespace[ast.unparse(shown.value.args[0])]


@pytest.mark.usefixtures("main")
def test_functions_of_the_notebook_are_listed_in_the_order_in_which_they_were_made():
    found = ask(kind="functions")
    assert [one["name"] for one in found["functions"]] == ["train", "anything", "later", "half", "slow"]
    assert found["functions"][1]["signature"] == "anything(x=1.0, **more)"
    assert "Kind = <Kind.FAST" in found["functions"][0]["signature"]


def test_functions_of_modules_beside_the_notebook_are_listed_and_others_are_not(main, tmp_path, monkeypatch):
    (tmp_path / "beside_the_notebook.py").write_text("def tune(x=1): return x", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    exec("from beside_the_notebook import tune; from json import dumps", main)
    assert [one["name"] for one in ask(kind="functions")["functions"]][-1] == "tune"
    assert "from beside_the_notebook import tune" in write("tune")["code"]


@pytest.mark.usefixtures("main")
def test_each_argument_is_a_row_with_its_default_and_what_is_proposed():
    rows = rows_of("train")
    assert [one["name"] for one in rows] == [
        "lr", "layers", "kind", "activation", "method", "bias", "dropout", "seed", "width",
    ]  # fmt: skip
    lr, kind, method, width = (row(rows, name) for name in ("lr", "kind", "method", "width"))
    assert (lr["kind"], lr["low"], lr["high"], lr["default"]) == ("log", "1e-05", "0.1", "0.001")
    assert (kind["options"], kind["chosen"], kind["default"]) == (["Kind.FAST", "Kind.SLOW"], [0, 1], "Kind.FAST")
    assert (method["choices"], method["searched"]) == ("adam", False)
    assert (width["required"], width["default"], width["low"]) == (True, None, "")


def test_the_written_cell_makes_the_search_that_the_form_describes(main):
    rows = change(rows_of("train"), "lr", low="0.0001", high="1")
    change(rows, "layers", searched=False)
    change(rows, "activation", chosen=[1, 0])
    change(rows, "method", searched=True, choices="adam, sgd, None")
    change(rows, "width", kind="int", low="16", high="64")
    answer = write(rows=rows, sign="max", strategy="GridSearch", trials="30", workers="3", objective="validation/acc")
    search = run(answer, main)
    assert isinstance(search, HyperParameterOptimizer)
    assert list(search.space.parameters) == [
        LogUniformParameterRange("lr", -4, 0),
        DiscreteParameterRange("kind", [main["Kind"].FAST, main["Kind"].SLOW]),
        DiscreteParameterRange("activation", ["tanh", "relu"]),
        DiscreteParameterRange("method", ["adam", "sgd", None]),
        DiscreteParameterRange("bias", [False, True]),
        UniformParameterRange("dropout", 0.25, 0.75),
        UniformIntegerParameterRange("width", 16, 64),
    ]
    [objective] = search.objectives
    assert (objective.title, objective.series, objective.sign) == ("validation", "acc", "max")
    assert type(search.get_optimizer()) is GridSearch
    assert (search.total_max_jobs, search.max_number_of_concurrent_tasks) == (30, 3)
    assert search.status == "idle"
    assert "# 0.0001 to 1\n" in answer["code"]


def test_a_second_search_leaves_the_first_its_name(main):
    first = run(write("anything"), main)
    second = run(write("anything"), main)
    assert (main["optimizer"], main["optimizer_2"]) == (first, second)


def test_a_partial_and_a_lambda_are_named_as_in_the_notebook(main):
    assert "base_task_id=half," in write("half")["code"]
    rows = change(rows_of("slow"), "width", low="1", high="2")
    assert not row(rows, "layers")["searched"]
    search = run(write("slow", rows=rows), main)
    assert "layers" not in search.space.names


def test_a_function_of_any_keywords_takes_a_parameter_by_name(main):
    assert ask(kind="propose", source=source("anything"))["takes_more"]
    added = {**row(rows_of("anything"), "x"), "name": "y", "kind": "int", "low": "1", "high": "3"}
    search = run(write("anything", rows=[added]), main)
    assert list(search.space.parameters) == [UniformIntegerParameterRange("y", 1, 3)]


@pytest.mark.parametrize(
    ("name", "changed", "field", "said"),
    [
        ("lr", {"low": ""}, "low", "give the lowest"),
        ("lr", {"low": "0"}, "low", "above 0"),
        ("lr", {"high": "x"}, "high", "'x' is not a number"),
        ("lr", {"low": "1", "high": "0.1"}, "high", "rises"),
        ("layers", {"high": "2.5"}, "high", "whole"),
        ("kind", {"chosen": [0]}, "choices", "two"),
        ("method", {"searched": True}, "choices", "two"),
        ("method", {"searched": True, "choices": "a, a"}, "choices", "twice"),
        ("width", {"searched": False}, "searched", "has no default"),
        ("seed", {"searched": True, "name": "sede"}, "name", "Did you mean 'seed'"),
        ("seed", {"searched": True, "name": "lr"}, "name", "twice"),
        ("seed", {"searched": True, "name": " "}, "name", "name the parameter"),
    ],
)
@pytest.mark.usefixtures("main")
def test_what_is_wrong_with_a_row_is_told_at_its_field(name, changed, field, said):
    rows = change(rows_of("train"), "width", low="1", high="2")
    place = [one["name"] for one in rows].index(name)
    rows[place].update(changed)
    answer = write(rows=rows)
    assert answer["code"] == ""
    assert list(answer["errors"]) == [f"rows.{place}.{field}"]
    assert said in answer["errors"][f"rows.{place}.{field}"]


@pytest.mark.parametrize(
    ("changed", "field", "said"),
    [
        ({"trials": "many"}, "trials", "whole number of at least 1"),
        ({"trials": ""}, "trials", "whole number of at least 1"),
        ({"workers": "0"}, "workers", "whole number of at least 1"),
        ({"source": source("")}, "source", "choose a function"),
        ({"source": source("hlaf")}, "source", "Did you mean 'half'"),
        ({"source": source("later")}, "source", "async"),
        ({"source": source("no.py", "script"), "objective": "a/b"}, "source", "there is no script"),
        ({"source": source("x", "task"), "objective": "a/b"}, "source", "32 hexadecimal digits"),
        ({"source": source("0" * 32, "task")}, "objective", "name the scalar"),
    ],
)
@pytest.mark.usefixtures("main")
def test_what_is_wrong_with_another_field_is_told_there(changed, field, said):
    answer = write("half", **changed)
    assert list(answer["errors"]) == [field]
    assert said in answer["errors"][field]


@pytest.mark.usefixtures("main")
def test_a_search_of_nothing_is_refused():
    assert list(write("half", rows=change(rows_of("half"), "x", searched=False))["errors"]) == ["rows"]


@pytest.mark.parametrize("given", [source("later"), source("gone"), source("no.py", "script"), source("x", "task")])
@pytest.mark.usefixtures("main")
def test_what_cannot_be_searched_has_no_rows(given):
    assert ask(kind="propose", source=given) == {"rows": [], "takes_more": False, "about": "", "sign": "min"}


def test_a_script_is_read_and_named_as_it_was_typed(main, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text(
        "import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument('--lr', type=float, default=0.01)",
        encoding="utf-8",
    )
    found = ask(kind="propose", source=source("train.py", "script"))
    assert [one["name"] for one in found["rows"]] == ["lr"]
    assert not found["takes_more"]
    answer = write("train.py", "script", objective="validation/loss")
    assert 'base_task_id=Path("train.py"),' in answer["code"]
    assert run(answer, main).space.leaf("lr").range == (0.0001, 1.0)


def test_a_task_that_cannot_be_read_can_be_written_all_the_same(monkeypatch):
    def refuse(_text):
        raise RuntimeError("no credentials")

    monkeypatch.setattr(new_search, "make_template", refuse)
    found = ask(kind="propose", source=source("0" * 32, "task"))
    assert (found["rows"], found["takes_more"]) == ([], True)
    assert "no credentials" in found["about"]


@pytest.mark.parametrize(("name", "sign"), [("accuracy", "max"), ("f1_score", "max"), ("loss", "min")])
def test_the_goal_follows_the_name_of_the_function(main, name, sign):
    main[name] = main["half"]
    assert ask(kind="propose", source=source(name))["sign"] == sign


def test_the_example_is_a_function_that_can_be_searched(main):
    exec(ask(kind="functions")["example"], main)
    search = run(write("train"), main)
    assert search.space.names == ("lr", "layers", "activation")
    assert main["train"](0.01, 3, "relu") == 0


def test_beside_a_running_cell_a_question_ends_no_cell(monkeypatch):
    shell = pytest.importorskip("IPython.core.interactiveshell").InteractiveShell.instance()
    ended = []
    shell.events.register("post_execute", lambda: ended.append(threading.current_thread().name))
    monkeypatch.setattr("IPython.core.getipython.get_ipython", lambda: shell)

    def beside():
        new_search.leave_figures()
        shell.events.trigger("post_execute")

    try:
        thread = threading.Thread(target=beside, name="beside")
        thread.start()
        thread.join()
        shell.events.trigger("post_execute")
        new_search.leave_figures()
        shell.events.trigger("post_execute")
        assert ended == [threading.current_thread().name] * 2
    finally:
        type(shell).clear_instance()


FIGURE = """
%matplotlib inline
import pathlib, time
import matplotlib.pyplot as plt
def train(lr=0.1): return lr
lines = plt.plot([1, 2])
print("drawn", flush=True)
while not pathlib.Path("answered").exists():
    time.sleep(0.01)
print(len(plt.get_fignums()), "figure")
"""


@pytest.mark.slow
def test_a_kernel_answers_while_a_cell_draws_and_leaves_its_figure_alone(tmp_path):
    path = os.pathsep.join(filter(None, [str(PACKAGE), os.environ.get("PYTHONPATH")]))
    manager, client = start_new_kernel(cwd=str(tmp_path), env=os.environ | {"PYTHONPATH": path})
    try:
        cell = client.execute(FIGURE)
        while client.get_iopub_msg(timeout=60)["content"].get("text") != "drawn\n":
            pass
        client.control_channel.send(client.session.msg("create_subshell_request", {}))
        subshell = client.get_control_msg(timeout=60)["content"]["subshell_id"]
        module = '__import__("hpo_widgets.optimizer.new_search", fromlist=["answer"])'
        question = {
            "code": f"{module}.leave_figures()", "silent": True, "store_history": False, "allow_stdin": False,
            "user_expressions": {"answer": f"{module}.answer({json.dumps(json.dumps({'kind': 'functions'}))})"},
        }  # fmt: skip
        message = client.session.msg("execute_request", question)
        message["header"]["subshell_id"] = subshell
        client.shell_channel.send(message)
        # A kernel that was slow to begin still answers what it was asked until it was ready.
        while (reply := client.get_shell_msg(timeout=60))["parent_header"]["msg_id"] != message["header"]["msg_id"]:
            pass
        answered = reply["content"]["user_expressions"]["answer"]["data"]["application/json"]
        assert [one["name"] for one in answered["functions"]] == ["train"]
        (tmp_path / "answered").touch()
        shown = []
        while not shown or shown[-1][0] != "display_data":
            message = client.get_iopub_msg(timeout=60)
            if message["msg_type"] in {"stream", "display_data"}:
                shown.append((message["msg_type"], message["parent_header"]["msg_id"], message["content"].get("text")))
        assert shown == [("stream", cell, "1 figure\n"), ("display_data", cell, None)]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
