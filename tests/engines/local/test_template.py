"""Templates: what is wrong with a callable or a script is said before anything runs."""

from __future__ import annotations

import ast
import functools
import math
import threading
from pathlib import Path, PurePosixPath

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from hpo_widgets import (
    DiscreteParameterRange,
    ParameterSet,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from hpo_widgets.engines.local.template import FunctionTemplate, ScriptTemplate
from hpo_widgets.space import Space


def train(lr, layers=2, *, momentum=0.9, trial=None):
    return lr * layers * momentum


def anything(lr, **others):
    return lr


class Model:
    def fit(self, lr, trial):
        return lr

    def __call__(self, lr, depth):
        return lr


@pytest.mark.parametrize(
    ("function", "name", "wants_trial"),
    [
        (train, "train", True),
        (anything, "anything", False),
        (functools.partial(train, layers=3), "train", True),
        (Model().fit, "fit", True),
        (Model(), "Model", False),
        (lambda lr: lr, "lambda lr", False),
        (max, "max", False),
    ],
)
def test_names_and_whether_the_trial_is_wanted(function, name, wants_trial):
    template = FunctionTemplate(function)
    assert template.name == name
    assert template.wants_trial is wants_trial


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (train, ["lr"]),
        (train, ["Args/lr", "General/momentum"]),
        (anything, ["lr", "whatever", "Section/else"]),
        (functools.partial(train, 0.1), ["momentum"]),
        (functools.partial(train, lr=0.1), ["momentum"]),
        (Model().fit, ["lr"]),
        (Model(), ["lr", "depth"]),
        (max, ["no", "signature"]),
    ],
)
def test_spaces_that_fit_pass(function, names):
    FunctionTemplate(function).check(names)


@pytest.mark.parametrize(
    ("function", "names", "message"),
    [
        (train, ["lr", "momentun"], r"'train' has no parameter 'momentun'\. Did you mean 'momentum'\?"),
        (train, ["Args/lr", "Args/layer"], r"no parameter 'Args/layer'\. Did you mean 'layers'\?"),
        (train, ["lr", "zzz"], r"no parameter 'zzz'\. Known: 'lr', 'layers', 'momentum'"),
        (train, ["layers"], r"'train' requires 'lr', missing from the space"),
        (Model(), ["lr"], r"'Model' requires 'depth'"),
        (train, ["lr", "trial"], r"'trial' cannot be a parameter of the space"),
        (train, ["A/lr", "B/lr"], r"'A/lr' and 'B/lr' would both reach 'train' as 'lr'"),
        (lambda lr, /, x=1: lr, ["lr"], r"takes 'lr' by position only"),
        (lambda x, /, **others: x, ["lr"], r"takes 'x' by position only"),
        (functools.partial(train, 0.1), ["lr"], r"no parameter 'lr'"),
        (lambda t: t, ["lr"], r"no parameter 'lr'\. Known: 't'\. If it is an objective of Optuna, .* 'trial'"),
    ],
)
def test_spaces_that_do_not_fit_are_told_why(function, names, message):
    with pytest.raises(ValueError, match=message):
        FunctionTemplate(function).check(names)


SOME_HAVE_MOMENTUM = Space(
    [
        UniformParameterRange("Args/lr", 0, 1),
        ParameterSet([{"solver": "adam"}, {"solver": "sgd", "momentum": UniformParameterRange("momentum", 0, 1)}]),
    ]
)


@pytest.mark.parametrize(
    "function",
    [
        lambda lr, solver, momentum=0.0: lr,
        lambda lr, solver, **others: lr,
        functools.partial(lambda lr, solver, momentum: lr, momentum=0.0),
    ],
)
def test_an_argument_with_a_default_may_be_left_out_by_a_combination(function):
    FunctionTemplate(function).check_search(SOME_HAVE_MOMENTUM, ())


def test_an_argument_that_a_combination_leaves_out_needs_a_default(script):
    message = "requires 'momentum', which not every combination of the ParameterSet sets: give it a default"
    path = script("import fire\ndef train(lr, solver, momentum): pass\nfire.Fire(train)\n")
    for template in (FunctionTemplate(lambda lr, solver, momentum: lr), ScriptTemplate(path)):
        template.check(SOME_HAVE_MOMENTUM.names)
        with pytest.raises(ValueError, match=message):
            template.check_search(SOME_HAVE_MOMENTUM, ())


def test_what_is_no_callable_is_refused():
    with pytest.raises(TypeError, match="is a callable, not a int"):
        FunctionTemplate(3)


def test_async_and_generator_functions_are_refused():
    async def later():
        return 1

    def bit_by_bit():
        yield 1

    for function in (later, bit_by_bit, functools.partial(later)):
        with pytest.raises(TypeError, match="async or generator function"):
            FunctionTemplate(function)


def test_the_culprit_of_a_pickling_failure_is_named():
    lock = threading.Lock()

    def closure():
        return lock

    def default(x=lock):
        return x

    def deep():
        return closure()

    class Holder:
        def __init__(self):
            self.inner = {"key": [lock]}

        def run(self):
            return 1

    cases = [
        (closure, "the variable 'lock' around 'closure' (a lock)"),
        (default, "default 0 of 'default' (a lock)"),
        (deep, "the variable 'lock' around 'closure' (a lock)"),
        (Holder().run, "item 0 of a list (a lock)"),
        (functools.partial(max, lock), "argument 0 of the partial (a lock)"),
    ]
    for function, culprit in cases:
        with pytest.raises(TypeError, match="cannot be sent to a worker process") as caught:
            FunctionTemplate(function)
        assert f"the cause is {culprit}" in str(caught.value)


def test_a_global_culprit_of_a_main_function_is_named():
    namespace = {"__name__": "__main__", "lock": threading.Lock()}
    exec("def train(x):\n    with lock:\n        return x\n", namespace)
    with pytest.raises(TypeError, match=r"the global 'lock' of 'train' \(a lock\)"):
        FunctionTemplate(namespace["train"])


def test_a_function_with_lines_for_the_shell_is_told_what_to_use_instead():
    class Shell:
        lock = threading.Lock()

        def get_ipython(self):
            return self

    text = TransformerManager().transform_cell("def train(x):\n    !echo {x}\n    return x\n")
    namespace = {"__name__": "__main__", "get_ipython": Shell().get_ipython}
    exec(text, namespace)
    with pytest.raises(TypeError, match=r"'train' .* begins with ! or %.*subprocess\.run"):
        FunctionTemplate(namespace["train"])


@pytest.fixture
def script(tmp_path):
    """``script(text)`` writes a script."""

    def write(text):
        path = tmp_path / "train_model.py"
        path.write_text(text)
        return path

    return write


ARGPARSE = """
import argparse
p = argparse.ArgumentParser()
p.add_argument("data", nargs="?")
p.add_argument("-l", "--learning-rate", type=float, required=True)
p.add_argument("--momentum", type=float, default=0.9)
p.add_argument("--wd", dest="weight_decay")
p.add_argument("--nesterov", action="store_true")
p.add_argument("--shuffle", action=argparse.BooleanOptionalAction)
p.add_argument("--layers", nargs="+")
p.add_argument("--tag", action="append")
p.parse_args()
"""


def test_a_scripts_name_is_its_stem(script):
    assert ScriptTemplate(script("")).name == "train_model"


def test_spaces_that_fit_a_script_pass(script):
    ScriptTemplate(script(ARGPARSE)).check(["Args/learning_rate", "momentum", "weight_decay", "layers"])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["learning_rate", "momentun"], r"'train_model.py' has no parameter 'momentun'\. Did you mean 'momentum'\?"),
        (["momentum"], r"requires 'learning_rate', missing from the space"),
        (["A/learning_rate", "B/learning_rate"], "would both reach"),
    ],
)
def test_spaces_that_do_not_fit_a_script_are_told_why(script, names, message):
    with pytest.raises(ValueError, match=message):
        ScriptTemplate(script(ARGPARSE)).check(names)


@pytest.mark.parametrize(
    "text",
    [
        "print('no parser at all')",
        "import argparse\np = argparse.ArgumentParser()\np.add_argument('--x')\np.parse_known_args()",
        (
            "import argparse\np = argparse.ArgumentParser()\np.add_argument('--x')\n"
            "for n in ('a', 'b'): p.add_argument('--' + n)"
        ),
        (
            "import argparse\nfrom common import base\np = argparse.ArgumentParser(parents=[base])\n"
            "p.add_argument('--x')\np.parse_args()"
        ),
        (
            "import argparse\nimport common\np = argparse.ArgumentParser()\np.add_argument('--x')\n"
            "p = common.Trainer.add_arguments(p)\np.parse_args()"
        ),
        (
            "import argparse\nimport common\np = argparse.ArgumentParser()\np.add_argument('--x')\n"
            "common.add_arguments(parser=p)\np.parse_args()"
        ),
        "import argparse\nfrom common import make_parser\np = make_parser()\np.add_argument('--x')\np.parse_args()",
        (
            "import click\nfrom common import of_a_model\n@click.command()\n@of_a_model\n"
            "@click.option('--x')\ndef main(**_): ..."
        ),
    ],
)
def test_what_the_text_does_not_say_is_not_checked(script, text):
    ScriptTemplate(script(text)).check(["anything"])


@pytest.mark.parametrize(
    "text",
    [
        (
            "import argparse\np = argparse.ArgumentParser()\np.add_argument('--x')\n"
            "p.add_argument('rest', nargs=argparse.REMAINDER)\np.parse_args()"
        ),
        "import click\n@click.command()\n@click.option('--x')\n@click.argument('rest', nargs=-1)\ndef main(**_): ...",
        "import typer\ndef main(x: float, rest: float = typer.Option(default=0.1, help='more')): ...\ntyper.run(main)",
        "import typer\ndef main(x: float, rest: list = typer.Option(default_factory=list)): ...\ntyper.run(main)",
    ],
)
def test_what_a_script_runs_without_is_not_asked_for(script, text):
    template = ScriptTemplate(script(text))
    template.check(["x"])
    assert "rest" in template.options.found


@pytest.mark.parametrize(
    "text",
    [
        (
            "import argparse\ndef add_more(parser):\n    parser.add_argument('--z')\n"
            "base = argparse.ArgumentParser(add_help=False)\nbase.add_argument('--x')\n"
            "p = argparse.ArgumentParser(parents=[base])\nadd_more(p)\ngroup = p.add_argument_group('more')\n"
            "group.add_argument('--y')\nmain(p.parse_args())"
        ),
        (
            "import click\ndef of_a_model(function):\n    return click.option('--y')(function)\n@click.command()\n"
            "@of_a_model\n@click.option('--x')\n@click.pass_context\ndef main(**_): ..."
        ),
    ],
)
def test_arguments_that_functions_of_the_script_add_are_all(script, text):
    template = ScriptTemplate(script(text))
    template.check(["x", "y"])
    with pytest.raises(ValueError, match="has no parameter 'other'"):
        template.check(["other"])


def test_values_on_an_argparse_command_line(script):
    template = ScriptTemplate(script(ARGPARSE))
    point = {
        "Args/learning_rate": 1e-05,
        "momentum": -1e-05,
        "weight_decay": None,
        "nesterov": True,
        "shuffle": False,
        "layers": (64, 32),
        "tag": ["a", "b"],
        "data": "digits",
    }
    assert template.arguments(point) == [
        "--learning-rate", "1e-05", "--momentum=-1e-05", "--nesterov", "--no-shuffle",
        "--layers", "64", "32", "--tag", "a", "--tag", "b", "--", "digits",
    ]  # fmt: skip
    assert template.arguments({"nesterov": False, "other": True, "shuffle": True}) == ["--other", "True", "--shuffle"]


def test_values_on_a_click_command_line(script):
    text = (
        "import click\n@click.command()\n@click.option('--lr', required=True)\n"
        "@click.option('--layer', multiple=True)\n@click.option('--warm/--cold')\n"
        "@click.option('--fast', is_flag=True)\ndef main(**given): pass\n"
    )
    template = ScriptTemplate(script(text))
    template.check(["lr", "layer"])
    with pytest.raises(ValueError, match="Did you mean 'layer'"):
        template.check(["lr", "layers"])
    assert template.arguments({"lr": 0.1, "layer": [1, 2], "warm": False, "fast": True}) == [
        "--lr", "0.1", "--layer", "1", "--layer", "2", "--cold", "--fast",
    ]  # fmt: skip


def test_values_on_a_fire_command_line(script):
    text = "import fire\ndef train(lr, layers=(1,), name='a'): pass\nfire.Fire(train)\n"
    template = ScriptTemplate(script(text))
    with pytest.raises(ValueError, match="requires 'lr'"):
        template.check(["layers"])
    assert template.arguments({"lr": 0.1, "layers": (1, 2), "name": "adam", "x": None, "y": "1"}) == [
        "--lr=0.1", "--layers=(1, 2)", "--name=adam", "--x=None", "--y='1'",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("age,income", "'age,income'"),
        ("[a]", "'[a]'"),
        ("a # b", "'a # b'"),
        ("'a'", "\"'a'\""),
        ("a/b-c.d", "a/b-c.d"),
        (PurePosixPath("my data/a"), "'my data/a'"),
        (PurePosixPath("data/a"), "data/a"),
    ],
)
def test_a_string_stays_one_for_fire(script, text, word):
    path = script("import fire\ndef train(features): pass\nfire.Fire(train)\n")
    assert ScriptTemplate(path).arguments({"features": text}) == [f"--features={word}"]


def test_infinity_is_a_number_for_fire_and_nan_is_refused(script):
    template = ScriptTemplate(script("import fire\ndef train(lr): pass\nfire.Fire(train)\n"))
    for value in (math.inf, -math.inf, [1, -math.inf], (math.inf,), (0.5, [math.inf])):
        (word,) = template.arguments({"lr": value})
        assert ast.literal_eval(word.removeprefix("--lr=")) == value  # which is what fire does
    for values in ([0.5, math.nan], [[math.nan], [0.5]]):
        with pytest.raises(ValueError, match="'Args/lr' cannot be nan"):
            template.check_search(Space([DiscreteParameterRange("Args/lr", values)]), ())


def test_a_positional_argument_that_nothing_can_stand_for_is_asked_for(script):
    text = (
        "import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument('width', nargs='?')\n"
        "parser.add_argument('depth', nargs='?', type=int, default=2)\nparser.parse_args()\n"
    )
    template = ScriptTemplate(script(text))
    template.check(["width"])
    message = "'depth' comes after 'width' on the script's command line, which has no default"
    with pytest.raises(ValueError, match=message):
        template.check(["depth"])
    depth = UniformIntegerParameterRange("depth", 1, 8)
    template.check_search(Space([DiscreteParameterRange("width", [1, 3]), depth]), ())
    with pytest.raises(ValueError, match=message):
        template.check_search(Space([DiscreteParameterRange("width", [None, 3]), depth]), ())
    template.check_search(Space([ParameterSet([{"width": 3, "depth": 4}, {"width": 1}])]), ())
    template.check_search(Space([ParameterSet([{"width": 3, "depth": 4}, {"depth": None}])]), ())
    with pytest.raises(ValueError, match=message):
        template.check_search(Space([ParameterSet([{"width": 3, "depth": 4}, {"depth": 5}])]), ())


def test_values_on_a_hydra_command_line(script):
    template = ScriptTemplate(script("import hydra\n"))
    template.check(["model.lr"])
    point = {"model.lr": 0.1, "on": True, "none": None, "layers": [1, 2], "name": "a b", "word": "adam", "digit": "1"}
    assert template.arguments(point) == [
        "model.lr=0.1", "on=true", "none=null", "layers=[1,2]", "name='a b'", "word=adam", "digit='1'",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("null", "'null'"),
        ("True", "'True'"),
        ("false", "'false'"),
        ("NaN", "'NaN'"),
        ("-inf", "'-inf'"),
        ("1e5", "'1e5'"),
        ("größe", "'größe'"),
        ("", "''"),
        (r"C:\data", r"'C:\data'"),
        ("C:\\data\\", r"'C:\data\\'"),
        ("it's", r"'it\'s'"),
        (r"a\'b", r"'a\\\'b'"),
        ("nullable", "nullable"),
        ("adam-w_2.0", "adam-w_2.0"),
        (PurePosixPath("my data/a"), "'my data/a'"),
    ],
)
def test_a_string_stays_one_for_hydra(script, text, word):
    template = ScriptTemplate(script("import hydra\n"))
    assert template.arguments({"name": text, "names": [text]}) == [f"name={word}", f"names=[{word}]"]


def test_a_template_of_ones_own(script):
    template = ScriptTemplate(script(ARGPARSE), arguments=["--set", "{name}:{value}"])
    template.check(["anything"])
    assert template.arguments({"Args/lr": 0.5, "layers": [1, 2]}) == ["--set", "lr:0.5", "--set", "layers:1,2"]


def test_templates_of_arguments_are_checked(script):
    with pytest.raises(ValueError, match=r"unknown style of arguments 'argparser'\. Did you mean 'argparse'\?"):
        ScriptTemplate(script(""), arguments="argparser")
    with pytest.raises(ValueError, match=r"with \{name\} and \{value\}"):
        ScriptTemplate(script(""), arguments=["--lr"])


def test_scripts_that_cannot_be_run_are_refused(script, tmp_path):
    path = script("x = 1")
    with pytest.raises(FileNotFoundError, match=r"there is no script .*Did you mean 'train_model.py'\?"):
        ScriptTemplate(tmp_path / "train_mode.py")
    with pytest.raises(FileNotFoundError, match="there is no script"):
        ScriptTemplate(tmp_path / "nowhere" / "train.py")
    with pytest.raises(IsADirectoryError, match="is not a file"):
        ScriptTemplate(tmp_path)
    path.write_text("def broken(:")
    with pytest.raises(ValueError, match="is not a Python script"):
        ScriptTemplate(path)


def test_a_script_that_may_not_be_read_is_refused(script, monkeypatch):
    path = script("x = 1")

    def refuse(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(PermissionError, match="cannot be read: Permission denied"):
        ScriptTemplate(path)
