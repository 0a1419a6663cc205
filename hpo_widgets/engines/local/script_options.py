"""What a script takes on its command line, as far as its text says so.

The script is read, never run: a parser built by literal ``add_argument``/``click.option`` calls or by
``fire.Fire(function)`` is understood; anything cleverer is left alone and nothing is checked.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

SWITCH = "switch"  # --name or nothing
TWO_WAYS = "two ways"  # --name or --no-name
VALUE = "value"
VALUES = "values"  # --name a b c
REPEATED = "repeated"  # --name a --name b
POSITIONAL = "positional"


@dataclass(frozen=True, slots=True)
class Option:
    """One argument of a script.

    Parameters
    ----------
    name
        Its name in a space: letters, digits and underscores.
    flag
        What stands on the command line, such as ``--learning-rate``; empty for a positional one.
    form
        How a value is written: one of this module's words.
    is_required
        True when the script refuses to run without it.
    off
        What stands on the command line for False when `form` is `TWO_WAYS`.
    """

    name: str
    flag: str
    form: str = VALUE
    is_required: bool = False
    off: str = ""


@dataclass(slots=True)
class Options:
    """All arguments that were found.

    Parameters
    ----------
    style
        ``"argparse"``, ``"click"``, ``"fire"`` or ``"hydra"``.
    found
        Name to option, in the order of the script.
    is_complete
        True when a name that was not found is surely unknown to the script.
    """

    style: str = "argparse"
    found: dict[str, Option] = field(default_factory=dict)
    is_complete: bool = False


def read_options(source: str | bytes) -> Options:
    """Find the arguments of a script.

    Raises
    ------
    SyntaxError, ValueError
        When the script is not Python.
    """
    tree = ast.parse(source)
    modules = _imported(tree)
    if "hydra" in modules:
        return Options("hydra")
    options = Options()
    is_open = False
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        option: Option | None = None
        if called == "add_argument" and "argparse" in modules:
            option = _argparse(node)
        elif called in {"option", "argument"} and "click" in modules:
            options.style = "click"
            option = _click(node, is_argument=called == "argument")
        elif called == "Fire" and "fire" in modules:
            options.style = "fire"
            target = node.args[0] if node.args else None
            function = functions.get(target.id) if isinstance(target, ast.Name) else None
            if function is not None:
                is_open |= function.args.kwarg is not None
                options.found.update((found.name, found) for found in _signature(function))
            continue
        elif called in {"parse_known_args", "parse_known_intermixed_args", "add_subparsers", "set_defaults"}:
            is_open = True
            continue
        else:
            continue
        if option is None:
            is_open = True
        else:
            options.found[option.name] = option
    options.is_complete = bool(options.found) and not is_open
    return options


def _imported(tree: ast.AST) -> set[str]:
    modules: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules.add(node.module.partition(".")[0])
    return modules


def _literal(node: ast.expr | None) -> object:
    return node.value if isinstance(node, ast.Constant) else None


def _argparse(call: ast.Call) -> Option | None:
    flags = [_literal(argument) for argument in call.args]
    if not flags or not all(isinstance(flag, str) for flag in flags):
        return None
    names = [str(flag) for flag in flags]
    keywords = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    if len(keywords) < len(call.keywords):  # **something
        return None
    nargs = _literal(keywords.get("nargs"))
    if not names[0].startswith("-"):
        required = nargs not in {"?", "*"} and "default" not in keywords
        return Option(names[0], "", POSITIONAL, required)
    flag = next((name for name in names if name.startswith("--")), names[0])
    dest = _literal(keywords.get("dest"))
    action = keywords.get("action")
    form, off = VALUE, ""
    if _literal(action) in {"store_true", "store_const", "count"}:
        form = SWITCH
    elif _literal(action) in {"append", "extend"}:
        form = REPEATED
    elif isinstance(action, ast.Attribute) and action.attr == "BooleanOptionalAction":
        form, off = TWO_WAYS, f"--no-{flag.lstrip('-')}"
    elif nargs is not None and nargs != "?":
        form = VALUES
    name = str(dest) if isinstance(dest, str) else flag.lstrip("-").replace("-", "_")
    return Option(name, flag, form, _literal(keywords.get("required")) is True, off)


def _click(call: ast.Call, *, is_argument: bool) -> Option | None:
    words = [_literal(argument) for argument in call.args]
    if not words or not all(isinstance(word, str) for word in words):
        return None
    names = [str(word) for word in words]
    keywords = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    required = _literal(keywords.get("required"))
    if is_argument:
        return Option(names[0].lower(), "", POSITIONAL, required is not False and "default" not in keywords)
    flags = [name for name in names if name.startswith("-")]
    plain = [name for name in names if not name.startswith("-")]
    flag = next((name for name in flags if name.startswith("--")), flags[0] if flags else "")
    form, off = VALUE, ""
    if "/" in flag:
        flag, _, off = (part.strip() for part in flag.partition("/"))
        form = TWO_WAYS
    elif _literal(keywords.get("is_flag")) is True or _literal(keywords.get("count")) is True:
        form = SWITCH
    elif _literal(keywords.get("multiple")) is True:
        form = REPEATED
    elif "nargs" in keywords:
        form = VALUES
    name = plain[0] if plain else flag.lstrip("-").replace("-", "_").lower()
    return Option(name, flag, form, required is True, off)


def _signature(function: ast.FunctionDef) -> list[Option]:
    arguments = function.args
    by_position = [*arguments.posonlyargs, *arguments.args]
    num_required = len(by_position) - len(arguments.defaults)
    found = [
        Option(argument.arg, f"--{argument.arg}", VALUE, index < num_required)
        for index, argument in enumerate(by_position)
    ]
    found += [
        Option(argument.arg, f"--{argument.arg}", VALUE, default is None)
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    ]
    return found
