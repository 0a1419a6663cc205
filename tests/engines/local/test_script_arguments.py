"""What the text of a script tells of its arguments: ranges to begin with, and how switches are written."""

from __future__ import annotations

import pytest

from hpo_widgets.engines.local.script_arguments import arguments_of, read_options
from hpo_widgets.parameters import (
    DiscreteParameterRange,
    LogUniformParameterRange,
    UniformIntegerParameterRange,
    UniformParameterRange,
)

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
        assert read["parser"].parse_args(arguments_of({"bias": written}, read_options(script))).bias is value
    default = read["parser"].parse_args([]).bias
    assert proposed(script)["bias"].default is bool(default)


@pytest.mark.parametrize("value", [True, False])
@pytest.mark.parametrize("declared", CLICK_SWITCHES.values(), ids=CLICK_SWITCHES)
def test_so_does_one_of_click(declared, value):
    pytest.importorskip("click")
    script = f"""
import click
@click.command()
{declared}
def main(bias):
    return bias
"""
    read = {}
    exec(script, read)
    arguments = arguments_of({"bias": value}, read_options(script))
    assert read["main"].main(arguments, standalone_mode=False) is value


@pytest.mark.parametrize("value", [0, 1, 3])
def test_a_counted_flag_is_given_as_often_as_its_number_says(value):
    script = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("-v", "--verbose", action="count", default=0)
"""
    read = {}
    exec(script, read)
    assert read["parser"].parse_args(arguments_of({"verbose": value}, read_options(script))).verbose == value
    assert proposed(script)["verbose"].default == 0


def test_click_counts_a_flag_too():
    click = pytest.importorskip("click")
    script = """
import click
@click.command()
@click.option("-v", "--verbose", count=True)
def main(verbose): ...
"""
    main = click.Command(
        "main", params=[click.Option(["-v", "--verbose"], count=True)], callback=lambda verbose: verbose
    )
    arguments = arguments_of({"verbose": 2}, read_options(script))
    assert main.main(arguments, standalone_mode=False) == 2
