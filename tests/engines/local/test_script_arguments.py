"""What the text of a script tells of its arguments: ranges to begin with, and how switches are written."""

from __future__ import annotations

import argparse
import enum
import math
from contextlib import nullcontext

import click
import pytest

from hpo_widgets.engines.local.script_arguments import read_options
from hpo_widgets.engines.local.template import ScriptTemplate
from hpo_widgets.parameters import (
    DiscreteParameterRange,
    LogUniformParameterRange,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from hpo_widgets.space import Space

ARGPARSE = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("data", default="here")
parser.add_argument("--learning-rate", type=float, default=1e-3)
parser.add_argument("--width", type=float, default=2)
parser.add_argument("--layers", type=int, default=-4)
parser.add_argument("--activation", choices=["relu", "tanh"], default="relu")
parser.add_argument("--method", default="adam")
parser.add_argument("--bias", action=argparse.BooleanOptionalAction, default=True)
parser.add_argument("--fast", action="store_true")
parser.add_argument("--sizes", type=int, nargs="+", default=[1])
parser.add_argument("--out", default=make())
parser.add_argument("--needed", type=int, required=True)
"""
CLICK = """
import click
@click.command()
@click.option("--lr", default=0.01)
@click.option("--kind", type=click.Choice(["a", "b"]))
@click.option("--shout/--no-shout", default=False)
def main(lr, kind, shout): ...
"""
FIRE = """
import fire
def main(lr=0.01, *, width: float = 1, name): ...
fire.Fire(main)
"""


def proposed(script):
    return {option.name: option.proposed() for option in read_options(script).found.values()}


def test_false_is_false_to_a_script_that_calls_bool():
    script = "import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument('--bias', type=bool)\n"
    parser = argparse.ArgumentParser()
    parser.add_argument("--bias", type=bool)
    for value in (True, False, 1, 0):
        words = read_options(script).arguments_of({"bias": value})
        assert parser.parse_args(words).bias is bool(value)


def test_false_is_false_to_bool_by_position_and_in_a_list_too():
    script = argparse_script(
        "parser.add_argument('fast', nargs='?', type=bool, default=False)",
        "parser.add_argument('depth', nargs='?', type=int, default=2)",
        "parser.add_argument('--masks', nargs='+', type=bool)",
    )
    for value in (True, False):
        point = {"fast": value, "depth": 3, "masks": [True, value]}
        assert read_back(script, point) == point
        assert read_back(script, {"fast": int(value)})["fast"] is value
    assert read_back(script, {"depth": 3})["fast"] is False


@pytest.mark.parametrize(
    ("point", "read"),
    [
        ({"depth": 5}, (64, 5)),
        ({"width": 3}, (3, 2)),
        ({"depth": 5, "width": None}, (64, 5)),
        ({"depth": None, "width": 3}, (3, 2)),
        ({"depth": 5, "width": 3}, (3, 5)),
        ({}, (64, 2)),
    ],
    ids=str,
)
def test_a_positional_argument_that_is_left_out_keeps_its_default(point, read):
    parser = argparse.ArgumentParser()
    parser.add_argument("width", nargs="?", type=int, default=64)
    parser.add_argument("depth", nargs="?", type=int, default=2)
    declared = (
        "import argparse\nparser = argparse.ArgumentParser()\n"
        "parser.add_argument('width', nargs='?', type=int, default=64)\n"
        "parser.add_argument('depth', nargs='?', type=int, default=2)\n"
    )
    found = parser.parse_args(read_options(declared).arguments_of(point))
    assert (found.width, found.depth) == read


@pytest.mark.parametrize("flag", ["-l", "-lr", "--lr"])
def test_a_small_negative_number_is_bound_to_its_flag(flag):
    parser = argparse.ArgumentParser()
    parser.add_argument(flag, dest="lr", type=float)
    declared = f"import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument({flag!r}, dest='lr')\n"
    assert parser.parse_args(read_options(declared).arguments_of({"lr": -1e-05})).lr == -1e-05


@pytest.mark.parametrize("declared", ["action='append'", "action='extend', nargs='+'", "nargs='+'"])
def test_small_and_infinite_negative_numbers_of_a_list_are_no_flags(declared):
    script = argparse_script(f"parser.add_argument('--lr', type=float, {declared})")
    point = {"lr": [-1e-05, 0.5, -2.5e-300, -1e20, -3.0, -math.inf, math.inf]}
    assert read_back(script, point) == point


class Colour(str, enum.Enum):  # noqa: UP042 -- it differs from a StrEnum in what `str` makes of it
    RED = "red"


class Depth(int, enum.Enum):
    DEEP = 8


class Shown(str, enum.Enum):  # noqa: UP042 -- likewise
    RED = "red"

    def __str__(self):
        return self.name


def test_a_member_of_an_enumeration_is_written_as_the_plain_value_that_it_is():
    script = argparse_script(
        "parser.add_argument('kind', choices=['red'])",
        "parser.add_argument('--depth', type=int)",
        "parser.add_argument('--colours', nargs='+')",
    )
    read = {"kind": "red", "depth": 8, "colours": ["red"]}
    assert read_back(script, {"kind": Colour.RED, "depth": Depth.DEEP, "colours": [Colour.RED]}) == read
    assert read_back(click_script("'--colour'"), {"colour": Colour.RED}) == {"colour": "red"}
    assert read_back(click_script("'--colour'"), {"colour": Shown.RED}) == {"colour": "RED"}
    words = read_options(FIRE).arguments_of({"name": Colour.RED, "width": Depth.DEEP, "lr": [Colour.RED]})
    assert words == ["--name=red", "--width=8", "--lr=['red']"]


def test_the_declarations_of_argparse_tell_ranges():
    found = proposed(ARGPARSE)
    assert [(name, one.range) for name, one in found.items() if one.is_searched] == [
        ("learning_rate", LogUniformParameterRange("learning_rate", -5, -1)),
        ("width", UniformParameterRange("width", 1, 4)),
        ("layers", UniformIntegerParameterRange("layers", -8, -1)),
        ("activation", DiscreteParameterRange("activation", ["relu", "tanh"])),
        ("bias", DiscreteParameterRange("bias", [False, True])),
        ("fast", DiscreteParameterRange("fast", [False, True])),
        ("needed", None),
    ]
    assert found["method"].range == DiscreteParameterRange("method", ["adam"])
    assert (found["bias"].default, found["fast"].default) == (True, False)
    assert found["needed"].is_required
    assert found["out"].range is None


@pytest.mark.parametrize(
    ("script", "searched"),
    [
        (CLICK, {"lr": (0.0001, 1.0), "kind": ("a", "b"), "shout": (False, True)}),
        (FIRE, {"lr": (0.0001, 1.0), "width": (0.5, 2.0), "name": None}),
    ],
)
def test_so_do_those_of_click_and_fire(script, searched):
    found = {name: one.range and one.range.range for name, one in proposed(script).items() if one.is_searched}
    assert found == searched


ARGPARSE_SWITCHES = {
    "on": """parser.add_argument("--bias", action="store_true")""",
    "off": """parser.add_argument("-n", "--no-bias", dest="bias", action="store_false")""",
    "by its own name": """parser.add_argument("--bias", action="store_false")""",
    "both by one word": """parser.add_argument("--bias", action=argparse.BooleanOptionalAction)""",
    "both by an imported word": """parser.add_argument("--bias", action=BooleanOptionalAction, default=True)""",
    "on and off": """
parser.add_argument("--bias", action="store_true", default=True)
parser.add_argument("--no-bias", dest="bias", action="store_false")
""",
    "off and on": """
parser.add_argument("--no-bias", dest="bias", action="store_false")
parser.add_argument("--bias", action="store_true")
""",
    "two constants": """
parser.add_argument("--bias", action="store_const", const=True, default=True)
parser.add_argument("--no-bias", dest="bias", action="store_const", const=False)
""",
    "off by default": """
parser.add_argument("--bias", action="store_true")
parser.add_argument("--no-bias", dest="bias", action="store_false")
""",
}
CLICK_SWITCHES = {
    "on": """@click.option("--bias", is_flag=True)""",
    "off": """@click.option("--no-bias", "bias", flag_value=False, default=True)""",
    "both": """@click.option("--bias/--no-bias", default=True)""",
    "both by letters too": """@click.option("-b/-n", "--bias/--no-bias")""",
    "on and off": """
@click.option("--bias", "bias", flag_value=True, default=True)
@click.option("--no-bias", "bias", flag_value=False)
""",
}


@pytest.mark.parametrize("value", [True, False])
@pytest.mark.parametrize("declared", ARGPARSE_SWITCHES.values(), ids=ARGPARSE_SWITCHES)
def test_a_switch_of_argparse_reads_the_value_that_was_written(declared, value):
    script = f"""
import argparse
from argparse import BooleanOptionalAction
parser = argparse.ArgumentParser()
{declared}
"""
    read = {}
    exec(script, read)
    for written in (value, int(value)):
        assert read["parser"].parse_args(read_options(script).arguments_of({"bias": written})).bias is value
    default = read["parser"].parse_args([]).bias
    assert proposed(script)["bias"].default is bool(default)


@pytest.mark.parametrize("value", [True, False])
@pytest.mark.parametrize("declared", CLICK_SWITCHES.values(), ids=CLICK_SWITCHES)
def test_so_does_one_of_click(declared, value):
    script = f"""
import click
@click.command()
{declared}
def main(bias):
    return bias
"""
    read = {}
    exec(script, read)
    arguments = read_options(script).arguments_of({"bias": value})
    assert read["main"].main(arguments, standalone_mode=False) is value


def read_back(script, point):
    """What the script's own parser makes of the command line for a point."""
    names = {}
    exec(script, names)
    arguments = read_options(script).arguments_of(point)
    if "click" in names:
        return names["main"].main(arguments, standalone_mode=False)
    return vars(names["parser"].parse_args(arguments))


def argparse_script(*declared):
    return "\n".join(["import argparse", "parser = argparse.ArgumentParser()", *declared])


def click_script(declared):
    return f"import click\n@click.command()\n@click.option({declared})\ndef main(**point): return point\n"


def argparse_count(default):
    return argparse_script(f"parser.add_argument('-v', '--level', action='count', default={default})")


def click_count(default):
    return click_script(f"'-v', '--level', count=True, default={default}")


@pytest.mark.parametrize("default", [0, 1, 2])
@pytest.mark.parametrize("counting", [argparse_count, click_count])
def test_a_counted_flag_reads_the_number_that_was_written(counting, default):
    script = counting(default)
    lowest = default if counting is argparse_count else min(default, 1)
    for value in range(lowest, 5):
        assert read_back(script, {"level": value}) == {"level": value}
    proposed_range = proposed(script)["level"].range
    assert lowest <= proposed_range.min_value <= default <= proposed_range.max_value
    for value in (lowest - 1, -1):
        with pytest.raises(ValueError, match=f"default {default}, so 'level' cannot be {value}: .*at least {lowest}"):
            read_options(script).arguments_of({"level": value})


@pytest.mark.parametrize(
    ("counting", "default", "first", "fits"),
    [
        (argparse_count, 2, 1, False),
        (argparse_count, 2, 2, True),
        (click_count, 2, 0, False),
        (click_count, 2, 1, True),
    ],
)
def test_a_range_that_no_counted_flag_can_say_is_refused_before_anything_runs(counting, default, first, fits, tmp_path):
    path = tmp_path / "script.py"
    path.write_text(counting(default))
    template, space = ScriptTemplate(path), Space([UniformIntegerParameterRange("Args/level", first, 4)])
    with nullcontext() if fits else pytest.raises(ValueError, match=f"'level' cannot be {first}"):
        template.check_search(space, ())


def test_a_flag_that_is_counted_on_from_an_unknown_number_is_refused_by_the_script():
    with pytest.raises(SystemExit):
        read_back("START = 1\n" + argparse_count("START"), {"level": 2})


CONSTANTS = [(0, 1), (1, 0), (2, 0), ("a", "b"), (0.5, None)]


@pytest.mark.parametrize(
    ("style", "const", "default"),
    [
        *(("argparse", *pair) for pair in [*CONSTANTS, (False, True), (True, 0)]),
        *(("click", *pair) for pair in CONSTANTS),  # True and False are its own switch
    ],
)
def test_a_switch_with_a_value_of_its_own_reads_that_value_and_its_default(style, const, default):
    if style == "argparse":
        script = argparse_script(
            f"parser.add_argument('--mode', action='store_const', const={const!r}, default={default!r})"
        )
    else:
        script = click_script(f"'--mode', is_flag=True, flag_value={const!r}, default={default!r}")
    for value in (const, default):
        read = read_back(script, {"mode": value})["mode"]
        assert (type(read), read) == (type(value), value)
    assert proposed(script)["mode"].range == DiscreteParameterRange("mode", [default, const])


@pytest.mark.parametrize(
    ("const", "default", "value"),
    [(5, 7, 0), (5, 7, 1), (0, 5, 1), (False, None, 0), (False, None, True), (5, True, False)],
)
def test_what_such_a_switch_cannot_say_is_refused_by_the_script(const, default, value):
    script = argparse_script(f"parser.add_argument('--mode', action='store_const', const={const}, default={default})")
    with pytest.raises(SystemExit):
        read_back(script, {"mode": value})


def test_true_and_false_say_whether_such_a_switch_is_given():
    script = argparse_script("parser.add_argument('--mode', action='store_const', const=5, default=7)")
    assert [read_back(script, {"mode": value})["mode"] for value in (True, False)] == [5, 7]
    script = argparse_script("A = 5", "parser.add_argument('--mode', action='store_const', const=A, default=7)")
    assert [read_back(script, {"mode": value})["mode"] for value in (True, False)] == [5, 7]


@pytest.mark.parametrize(
    ("script", "value"),
    [
        (argparse_script("parser.add_argument('--bias', action='store_true', default=True)"), True),
        (argparse_script("parser.add_argument('--bias', action='store_false', default=False)"), False),
        (click_script("'--bias', is_flag=True, default=True"), True),
    ],
)
def test_a_switch_that_stores_its_default_is_refused_the_other_value(script, value, tmp_path):
    path = tmp_path / "script.py"
    path.write_text(script)
    template = ScriptTemplate(path)
    for written in (value, int(value)):
        template.check_search(Space([DiscreteParameterRange("Args/bias", [written])]), ())
        assert read_back(script, {"bias": written})["bias"] is value
    for written in (not value, int(not value)):
        with pytest.raises(ValueError, match=f"'Args/bias' cannot be {written}: change the default in the script"):
            template.check_search(Space([DiscreteParameterRange("Args/bias", [value, written])]), ())
        with pytest.raises((SystemExit, click.ClickException)):
            read_back(script, {"bias": written})
    assert proposed(script)["bias"].range == DiscreteParameterRange("bias", [value])


TYPER = """
import typer
from typing import Annotated, Literal
app = typer.Typer()
{decorator}
def main(
    context: typer.Context,
    data: str,
    lr: float = 0.1,
    num_layers: Annotated[int, typer.Option("-l", "--layers", help="depth")] = 2,
    use_bias: bool = True,
    shuffle: Annotated[bool, typer.Option("--shuffle")] = False,
    amp: bool | None = typer.Option(False, "--amp/--full"),
    batch_size: int = typer.Option(...),
    order: Literal["up", "down"] = "up",
    seeds: list[int] = typer.Option([1], help="several"),
    kind: Annotated[str, typer.Argument()] = "adam",
): ...
{call}
"""


@pytest.mark.parametrize(("decorator", "call"), [("@app.command()", "app()"), ("", "typer.run(main)")])
def test_arguments_of_the_only_command_of_typer_are_read(decorator, call):
    options = read_options(TYPER.format(decorator=decorator, call=call))
    assert options.is_complete
    assert [name for name, option in options.found.items() if option.is_required] == ["data", "batch_size"]
    assert options.found["order"].type == ["up", "down"]
    point = {
        "data": "-x",
        "lr": -0.5,
        "num_layers": 3,
        "use_bias": False,
        "shuffle": True,
        "amp": False,
        "seeds": [1, 2],
    }
    assert options.arguments_of({**point, "batch_size": 8, "kind": "sgd"}) == [
        *["--lr=-0.5", "--layers", "3", "--no-use-bias", "--shuffle", "--full", "--seeds", "1", "--seeds", "2"],
        *["--batch-size", "8", "--", "-x", "sgd"],
    ]
    point = {"use_bias": True, "shuffle": False, "amp": True}
    assert options.arguments_of(point) == ["--use-bias", "--amp"]


@pytest.mark.parametrize("rest", ["@app.command()\ndef other(): ...", "@app.callback()\ndef common(): ..."])
def test_nothing_is_checked_of_a_typer_script_with_several_commands(rest):
    script = TYPER.format(decorator="@app.command()", call=rest)
    assert read_options(script).is_complete is False


def test_nothing_is_checked_of_a_typer_script_whose_names_are_computed():
    script = "import typer\ndef main(x: int = typer.Option(1, *names), y: float = 2.0): ...\ntyper.run(main)"
    options = read_options(script)
    assert not options.is_complete
    assert options.arguments_of({"y": 0.5}) == ["--y", "0.5"]
