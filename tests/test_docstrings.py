"""Public functions and methods with several arguments say what each is, and what they return."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import pkgutil
import textwrap

import hpo_widgets

REQUIRED = {"PR01", "PR02", "RT01"}
"""Codes of numpydoc: a parameter that is not documented, one that does not exist, a missing Returns."""


def public_modules():
    found = pkgutil.walk_packages(hpo_widgets.__path__, "hpo_widgets.")
    names = ["hpo_widgets", *(module.name for module in found)]
    return [name for name in names if not any(part.startswith("_") for part in name.split("."))]


def arguments_of(function):
    return [name for name in inspect.signature(function).parameters if name not in {"self", "cls"}]


@functools.cache
def modules():
    return [importlib.import_module(name) for name in public_modules()]


@functools.cache
def contracts():
    """Name and arguments of each method of the package's protocols, which say what they are for all who have them."""
    return {
        (name, *arguments_of(method))
        for module in modules()
        for member in vars(module).values()
        if inspect.isclass(member) and getattr(member, "_is_protocol", False)
        for name, method in vars(member).items()
        if inspect.isfunction(method)
    }


def is_override(owner, name, function):
    """Whether a method repeats one of a base class or a protocol, which says what the arguments are."""
    if getattr(owner, "_is_protocol", False):
        return False
    return any(name in vars(base) for base in owner.__mro__[1:]) or (name, *arguments_of(function)) in contracts()


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
    # Only when it is used: it brings the whole of Sphinx.
    from numpydoc.validate import validate

    returns = inspect.signature(function).return_annotation
    return [
        f"{code} {message}"
        for code, message in validate(name)["errors"]
        if code in REQUIRED and not (code == "RT01" and returns in (None, "None"))
    ]


@functools.cache
def functions():
    """Qualified name to function, for all of them with several arguments."""
    found = {name: function for module in modules() for name, function in functions_of(module).items()}
    return {name: function for name, function in found.items() if len(arguments_of(function)) > 1}


def test_there_are_functions_to_look_at():
    assert "hpo_widgets.strategies.registry.resolve" not in functions()  # it has one argument
    assert "hpo_widgets.search.as_code.constructor_call" in functions()


def test_the_arguments_and_the_answer_of_a_public_function_are_documented():
    lacking = {name: missing(name, function) for name, function in functions().items()}
    assert {name: lacks for name, lacks in lacking.items() if lacks} == {}


def raised(function):
    """Names of the exceptions that a function raises itself; those of functions inside it belong to these."""
    found, waiting = set(), ast.parse(textwrap.dedent(inspect.getsource(function))).body[0].body[:]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            name = ast.unparse(node.exc.func).rpartition(".")[2]
            found |= {name} if name[0].isupper() else set()
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return found


def test_what_a_public_function_raises_itself_is_documented():
    lacking = {
        name: raised(one) for name, one in functions().items() if "\nRaises\n---" not in (inspect.getdoc(one) or "")
    }
    assert {name: errors for name, errors in lacking.items() if errors} == {}
    assert raised(functions()["hpo_widgets.search.as_code.constructor_call"]) == {"ValueError"}
