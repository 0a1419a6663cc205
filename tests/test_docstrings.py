"""Public functions and methods with several arguments say what each is, and what they return."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest
from numpydoc.validate import validate

import hpo_widgets

REQUIRED = {"PR01", "PR02", "RT01"}
"""Codes of numpydoc: a parameter that is not documented, one that does not exist, a missing Returns."""


def public_modules():
    found = pkgutil.walk_packages(hpo_widgets.__path__, "hpo_widgets.")
    names = ["hpo_widgets", *(module.name for module in found)]
    return [name for name in names if not any(part.startswith("_") for part in name.split("."))]


def arguments_of(function):
    return [name for name in inspect.signature(function).parameters if name not in {"self", "cls"}]


def contracts(modules):
    """Name and arguments of each method of the package's protocols, which say what they are for all who have them."""
    return {
        (name, *arguments_of(method))
        for module in modules
        for member in vars(module).values()
        if inspect.isclass(member) and getattr(member, "_is_protocol", False)
        for name, method in vars(member).items()
        if inspect.isfunction(method)
    }


def is_override(owner, name, function):
    """Whether a method repeats one of a base class or a protocol, which says what the arguments are."""
    if getattr(owner, "_is_protocol", False):
        return False
    return any(name in vars(base) for base in owner.__mro__[1:]) or (name, *arguments_of(function)) in CONTRACTS


def functions_of(module):
    """Qualified name to function, for every public function and method that a module defines."""
    found = {}
    for name, member in vars(module).items():
        if name.startswith("_") or getattr(member, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(member):
            found[f"{module.__name__}.{name}"] = member
        elif inspect.isclass(member):
            for inner, value in vars(member).items():
                function = inspect.unwrap(getattr(value, "__func__", value))
                if (
                    not inner.startswith("_")
                    and inspect.isfunction(function)
                    and not is_override(member, inner, function)
                ):
                    found[f"{module.__name__}.{name}.{inner}"] = function
    return found


def missing(name, function):
    """What the docstring of a function lacks."""
    returns = inspect.signature(function).return_annotation
    return [
        f"{code} {message}"
        for code, message in validate(name)["errors"]
        if code in REQUIRED and not (code == "RT01" and returns in (None, "None"))
    ]


MODULES = [importlib.import_module(name) for name in public_modules()]
CONTRACTS = contracts(MODULES)
FUNCTIONS = {
    name: function
    for module in MODULES
    for name, function in functions_of(module).items()
    if len(arguments_of(function)) > 1
}


def test_there_are_functions_to_look_at():
    assert "hpo_widgets.strategies.registry.resolve" not in FUNCTIONS  # it has one argument
    assert "hpo_widgets.search.as_code.constructor_call" in FUNCTIONS


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_the_arguments_and_the_answer_of_a_public_function_are_documented(name):
    assert missing(name, FUNCTIONS[name]) == []
