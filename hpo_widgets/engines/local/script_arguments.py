"""What a script takes on its command line, and how the values of a trial are written there.

The script is read, never run: a parser built by literal ``add_argument``/``click.option`` calls, by
``fire.Fire(function)`` or from the only command of ``typer`` is understood; anything cleverer is left alone and nothing
is checked. Values are written so:

===========  =========================================  =============================================
style        one value                                  other values
===========  =========================================  =============================================
argparse     ``--name value``                           a list: ``--name a b``, or the flag repeated where
                                                        the script says ``action="append"``
click, typer ``--name value``                           a list: the flag repeated (``multiple=True``)
fire         ``--name=value``                           Python literals: ``--name=[1,2]``, ``--name=None``
hydra        ``name=value``                             ``name=[1,2]``, ``name=null``, ``name=true``
a sequence   its strings, with ``{name}`` and           as for argparse, a list joined by commas
of strings   ``{value}`` filled in, for each parameter
===========  =========================================  =============================================

With argparse and click True and False are written ``True`` and ``False``; where the script declares a
switch (``store_true``, ``is_flag``) the flag is given or left out, and ``--no-name`` where it has one; 1 and 0
are as good as True and False. A switch that turns something off (``store_false``, ``flag_value=False``) is given
for False. A switch that stores a value of its own (``store_const``, ``flag_value=0``) is given for that very value
and left out for its default; True and False also say whether to give it, unless it stores one of them. A counted flag
is given as often as its number says with click (``count=True``), and as often as its number exceeds its default with
argparse (``action="count"``). A value that the script cannot be told is refused: a number that no number of flags says,
NaN for fire, and False for a switch that is on without its flag, too (``store_true`` with ``default=True``).
None leaves the argument out. Floats are written so that they read back as the same number. A member of an enumeration
that is a string or a number is written as that, except for hydra and where its class has a ``__str__`` of its own. The
section of ``Section/name`` is not written. A list is a list, tuple or set; anything else that is no plain value is
written as JSON if it can be, else as its ``str``.
"""

from __future__ import annotations

import ast
import json
import math
import re
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any

from hpo_widgets.engines.local.messages import argument_name
from hpo_widgets.parameters.proposal import NO_DEFAULT, ProposedRange, propose_range
from hpo_widgets.parameters.ranges import UniformIntegerParameterRange

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

STYLES = ("argparse", "click", "fire", "hydra")

_SWITCH = "switch"  # --name or nothing
_SWITCH_OFF = "switch off"  # nothing or --no-name
_TWO_WAYS = "two ways"  # --name or --no-name
_CONSTANT = "constant"  # --name or nothing, for a value of the script's own
_COUNTED = "counted"  # --name --name
_COUNTED_ON = "counted on"  # the same, added to the default
_VALUE = "value"
VALUES = "values"  # --name a b c
_REPEATED = "repeated"  # --name a --name b
_POSITIONAL = "positional"

_PLAIN_WORD = re.compile(r"[\w./+-]+")
_HYDRA_WORD = re.compile(r"(?!-?(?:null|true|false|inf|nan)\Z)[\w.-]+", re.ASCII | re.IGNORECASE)
"""What hydra reads as text without quotes, unless it is a number."""
_BEFORE_QUOTE = re.compile(r"(\\*)('|\Z)")
"""Backslashes that hydra takes for escapes: those before a quote, also before the closing one."""


@dataclass(frozen=True, slots=True)
class _ScriptOption:
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
        What stands on the command line for False when `form` is `_TWO_WAYS` or `_SWITCH_OFF`.
    default
        Its value without a flag, where the text says so.
    type
        The annotation that its declaration stands for: a type, or a list of all its values.
    gives
        The value that the flag of a switch stands for; `NO_DEFAULT` where the text does not say.
    """

    name: str
    flag: str
    form: str = _VALUE
    is_required: bool = False
    off: str = ""
    default: object = None
    type: object = NO_DEFAULT
    gives: object = NO_DEFAULT

    @property
    def lowest(self) -> int:
        """The smallest number that a counted flag can be given."""
        if self.form == _COUNTED_ON:
            return self.default if isinstance(self.default, int) else 0
        # Without its flag it has its default, so 0 can be written only where that is the default.
        return 1 if self.default else 0

    def num_flags(self, value: int) -> int:
        """How often a counted flag is given for a number; a ValueError when no number of flags says that."""
        if value < self.lowest:
            raise ValueError(
                f"{self.flag!r} is a counted flag with the default {self.default or 0!r}, so {self.name!r} cannot be "
                f"{value}: give it values of at least {self.lowest}"
            )
        return value - self.lowest if self.form == _COUNTED_ON else value

    @property
    def unsaid(self) -> bool | None:
        """The one of True and False that a switch cannot say, as its flag stores its default; None: it says both."""
        if self.form == _SWITCH and self.default is True:
            return False
        return True if self.form == _SWITCH_OFF and self.default is False else None

    def proposed(self) -> ProposedRange:
        """What it could be searched in."""
        default = NO_DEFAULT if self.is_required else self.default
        if self.form in {VALUES, _REPEATED}:
            return ProposedRange(self.name, None, default, is_searched=self.is_required, note="takes several values")
        if self.form == _CONSTANT and self.gives is not NO_DEFAULT:
            choices = [self.default] if _is_same(self.default, self.gives) else [self.default, self.gives]
            return propose_range(self.name, self.default, choices)
        if self.form in {_COUNTED, _COUNTED_ON}:
            proposed = propose_range(self.name, self.default or 0, int)
            if isinstance(proposed.range, UniformIntegerParameterRange) and proposed.range.min_value < self.lowest:
                highest = max(int(proposed.range.max_value), self.lowest + 1)
                return proposed._replace(range=UniformIntegerParameterRange(self.name, self.lowest, highest))
            return proposed
        if self.unsaid is not None:
            return propose_range(self.name, self.default, [self.default])
        if self.form in {_SWITCH, _SWITCH_OFF, _TWO_WAYS, _CONSTANT}:
            return propose_range(self.name, bool(self.default), bool)
        return propose_range(self.name, default, self.type)


@dataclass(slots=True)
class _ScriptOptions:
    """All arguments that were found.

    Parameters
    ----------
    style
        ``"argparse"``, ``"click"``, ``"fire"`` or ``"hydra"``.
    found
        Name to option, in the order of the script.
    is_complete
        True when a name that was not found is surely unknown to the script.
    template
        Strings with ``{name}`` and ``{value}``, instead of a style.
    """

    style: str = "argparse"
    found: dict[str, _ScriptOption] = field(default_factory=dict)
    is_complete: bool = False
    template: tuple[str, ...] | None = None

    def arguments_of(self, point: Mapping[str, Any]) -> list[str]:
        """Write the command line of one trial: positional arguments last, in the script's order."""
        flags: list[str] = []
        by_position: dict[str, str] = {}
        for full, value in point.items():
            name = argument_name(full)
            option = self.found.get(name) or _ScriptOption(name, f"--{name}")
            if self.template is not None:
                if value is not None:
                    text = ",".join(map(_text, value)) if _is_list(value) else _text(value)
                    flags += [part.replace("{name}", name).replace("{value}", text) for part in self.template]
            elif self.style == "hydra":
                flags.append(f"{name}={_hydra(value)}")
            elif self.style == "fire":
                flags.append(f"--{name}={_python(value)}")
            elif option.form == _POSITIONAL:
                if value is not None:
                    by_position[name] = _word(option, value, is_click=self.style == "click")
            else:
                flags += _flag(option, value, is_click=self.style == "click")
        if by_position:
            flags += ["--", *self._in_order(by_position)]
        return flags

    def check_positions(self, names: Iterable[str]) -> None:
        """Raise a ValueError where a positional argument has no value and no known default, and a later one has one."""
        if self.style in {"argparse", "click"}:
            self._in_order({argument_name(name): "" for name in names})

    def _in_order(self, texts: Mapping[str, str]) -> list[str]:
        """Write positional arguments in the script's order, with the default where one is left out before another."""
        positional = [option for option in self.found.values() if option.form == _POSITIONAL]
        while positional and positional[-1].name not in texts:
            positional.pop()
        for option in positional:
            if option.name not in texts and (option.default is None or _is_list(option.default)):
                raise ValueError(
                    f"{positional[-1].name!r} comes after {option.name!r} on the script's command line, which has no "
                    f"default: give {option.name!r} a value in hyper_parameters"
                )
        is_click = self.style == "click"
        defaults = {option.name: _word(option, option.default, is_click=is_click) for option in positional}
        return [texts.get(name, default) for name, default in defaults.items()]

    def check_values(self, name: str, values: Iterable[object]) -> None:
        """Raise a ValueError for one of a parameter's values that a counted flag, a switch or fire cannot say."""
        values = list(values)
        if self.style == "fire" and any(map(_has_nan, values)):
            raise ValueError(f"{name!r} cannot be nan: fire would hand on the text 'nan'; leave it out")
        option = self.found.get(argument_name(name))
        if option is None or self.style not in {"argparse", "click"}:
            return
        for value in values:
            if not isinstance(value, int):
                continue
            if option.form in {_COUNTED, _COUNTED_ON}:
                option.num_flags(value)
            elif value == option.unsaid:
                raise ValueError(
                    f"{option.flag!r} is a switch that stores {option.default}, which is its default, too, so {name!r} "
                    f"cannot be {value!r}: change the default in the script, or leave {value!r} out"
                )


def read_options(source: str | bytes) -> _ScriptOptions:
    """Find the arguments of a script; a SyntaxError or ValueError when it is not Python."""
    tree = ast.parse(source)
    modules = _imported(tree)
    if "hydra" in modules:
        return _ScriptOptions("hydra")
    if "typer" in modules:
        return _typer(tree)
    options = _ScriptOptions()
    is_open = False
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = _called(node)
        option: _ScriptOption | None = None
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
            options.found[option.name] = _with_opposite(option, options.found.get(option.name))
    is_open |= "argparse" in modules and _takes_from_elsewhere(tree, functions)
    is_open |= options.style == "click" and _is_decorated_elsewhere(functions.values(), functions)
    options.is_complete = bool(options.found) and not is_open
    return options


_MAKES_PARSER = {"ArgumentParser", "add_argument_group", "add_mutually_exclusive_group"}
_OF_CLICK = {"command", "group", "option", "argument", "pass_context", "pass_obj", "version_option", "help_option"}


def _takes_from_elsewhere(tree: ast.AST, own: Collection[str]) -> bool:
    """Whether a parser of argparse may have arguments that another file adds, which has none of the ``own`` functions.

    They are those of its parents, or of a function that has made it or is given it.
    """
    nodes = list(ast.walk(tree))
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    made = [
        (_called(target), _called(node.value))
        for node in nodes
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        for target in node.targets
    ]
    parsers = {name for name, maker in made if maker in _MAKES_PARSER}
    parsers |= {
        _called(call.func.value)
        for call in calls
        if isinstance(call.func, ast.Attribute) and call.func.attr == "add_argument"
    }
    parsers.discard("")
    if any(name in parsers and maker not in _MAKES_PARSER and maker not in own for name, maker in made):
        return True
    for call in calls:
        parents = [word.value for word in call.keywords if word.arg == "parents"]
        if any(_called(one) not in parsers for value in parents for one in getattr(value, "elts", [value])):
            return True
        given = [one for one in (*call.args, *(word.value for word in call.keywords)) if not isinstance(one, ast.Call)]
        if _called(call) not in own and any(_called(one) in parsers for one in given):
            return True
    return False


def _is_decorated_elsewhere(functions: Iterable[ast.FunctionDef], own: Collection[str]) -> bool:
    """Whether a command of click may have options that a decorator of another file adds."""
    decorators = [{_called(one) for one in function.decorator_list} for function in functions]
    return any(names & {"option", "argument"} and names - _OF_CLICK - set(own) for names in decorators)


def _with_opposite(option: _ScriptOption, earlier: _ScriptOption | None) -> _ScriptOption:
    """Join a switch with the earlier one that sets the same name to the other value; its default counts."""
    if earlier is not None:
        for on, off in ((option, earlier), (earlier, option)):
            if on.gives is True and off.gives is False:
                return replace(earlier, flag=on.flag, off=off.flag, form=_TWO_WAYS, gives=NO_DEFAULT)
    return option


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


_TYPES = {"int": int, "float": float, "str": str, "bool": bool}
_TRUE = ast.Constant(value=True)
_OPTIONAL = {"OPTIONAL", "ZERO_OR_MORE", "REMAINDER"}
"""What argparse calls the numbers of a positional argument that a script runs without."""


def _declared_type(keywords: Mapping[str, ast.expr]) -> object:
    """What ``choices=`` or ``type=`` says of the values."""
    choices, kind = keywords.get("choices"), keywords.get("type")
    if isinstance(kind, ast.Call) and getattr(kind.func, "attr", "") == "Choice" and kind.args:  # click's
        choices = kind.args[0]
    values = _plain(choices)
    if isinstance(values, (list, tuple)) and values and len(set(map(repr, values))) == len(values):
        return list(values)
    return _TYPES.get(getattr(kind, "id", ""), NO_DEFAULT)


def _plain(node: ast.expr | None) -> object:
    """The value of a literal, also of a list; None for anything else."""
    try:
        return None if node is None else ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _known(node: ast.expr | None) -> object:
    """The value of a literal, `NO_DEFAULT` for anything else, and None where nothing is given."""
    value = _plain(node)
    return NO_DEFAULT if value is None and node is not None and not isinstance(node, ast.Constant) else value


def _argparse(call: ast.Call) -> _ScriptOption | None:
    flags = [_literal(argument) for argument in call.args]
    if not flags or not all(isinstance(flag, str) for flag in flags):
        return None
    names = [str(flag) for flag in flags]
    keywords = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    if len(keywords) < len(call.keywords):  # **something
        return None
    nargs = _literal(keywords.get("nargs"))
    if not names[0].startswith("-"):
        is_optional = nargs in {"?", "*", "..."} or _called(keywords.get("nargs")) in _OPTIONAL
        required = not is_optional and "default" not in keywords
        return _ScriptOption(
            names[0], "", _POSITIONAL, required, "", _plain(keywords.get("default")), _declared_type(keywords)
        )
    flag = next((name for name in names if name.startswith("--")), names[0])
    dest = _literal(keywords.get("dest"))
    action = keywords.get("action")
    form, off, default = _VALUE, "", _plain(keywords.get("default"))
    gives: object = NO_DEFAULT
    if _literal(action) == "store_true":
        form, gives = _SWITCH, True
    elif _literal(action) == "store_const":
        form, gives = _CONSTANT, _known(keywords.get("const"))
    elif _literal(action) == "count":
        # What is counted on from an unknown number is written as a value, which the script refuses.
        form = _VALUE if _known(keywords.get("default")) is NO_DEFAULT else _COUNTED_ON
    elif _literal(action) == "store_false":
        form, off, gives = _SWITCH_OFF, flag, False
        default = default if "default" in keywords else True
    elif _literal(action) in {"append", "extend"}:
        form = _REPEATED
    elif "BooleanOptionalAction" in {getattr(action, "attr", ""), getattr(action, "id", "")}:
        form, off = _TWO_WAYS, f"--no-{flag.lstrip('-')}"
    elif nargs is not None and nargs != "?":
        form = VALUES
    name = str(dest) if isinstance(dest, str) else flag.lstrip("-").replace("-", "_")
    required = _literal(keywords.get("required")) is True
    return _ScriptOption(name, flag, form, required, off, default, _declared_type(keywords), gives)


def _click(call: ast.Call, *, is_argument: bool) -> _ScriptOption | None:
    words = [_literal(argument) for argument in call.args]
    if not words or not all(isinstance(word, str) for word in words):
        return None
    names = [str(word) for word in words]
    keywords = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    required = _literal(keywords.get("required"))
    if is_argument:
        is_needed = required is not False and "default" not in keywords and _plain(keywords.get("nargs")) != -1
        default = _plain(keywords.get("default"))
        return _ScriptOption(names[0].lower(), "", _POSITIONAL, is_needed, "", default, _declared_type(keywords))
    flags = [name for name in names if name.startswith("-")]
    plain = [name for name in names if not name.startswith("-")]
    flag = next((name for name in flags if name.startswith("--")), flags[0] if flags else "")
    form, off = _VALUE, ""
    gives: object = NO_DEFAULT
    if "/" in flag:
        flag, _, off = (part.strip() for part in flag.partition("/"))
        form = _TWO_WAYS
    elif _literal(keywords.get("flag_value")) is False:
        form, off, gives = _SWITCH_OFF, flag, False
    elif _literal(keywords.get("is_flag")) is True and _literal(keywords.get("flag_value", _TRUE)) is not True:
        form, gives = _CONSTANT, _known(keywords["flag_value"])
    elif any(_literal(keywords.get(word)) is True for word in ("is_flag", "flag_value")):
        form, gives = _SWITCH, True
    elif _literal(keywords.get("count")) is True:
        form = _COUNTED
    elif _literal(keywords.get("multiple")) is True:
        form = _REPEATED
    elif "nargs" in keywords:
        form = VALUES
    name = plain[0] if plain else flag.lstrip("-").replace("-", "_").lower()
    default = _plain(keywords.get("default"))
    return _ScriptOption(name, flag, form, required is True, off, default, _declared_type(keywords), gives)


def _typer(tree: ast.AST) -> _ScriptOptions:
    """What the only command of a typer script takes; one of several would have to be named first."""
    options = _ScriptOptions("click")  # on which typer is built
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    run = {
        node.args[0].id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and _called(node) == "run" and node.args and isinstance(node.args[0], ast.Name)
    }
    commands = [
        function
        for function in functions
        if function.name in run or any(_called(one) in {"command", "callback"} for one in function.decorator_list)
    ]
    if len(commands) == 1:
        found = [_typer_option(*one) for one in _annotated(commands[0]) if _called(one[0].annotation) != "Context"]
        options.found = {option.name: option for option in found if option is not None}
        options.is_complete = None not in found and bool(found)
    return options


def _typer_option(argument: ast.arg, default: ast.expr | None) -> _ScriptOption | None:
    """Return what an argument of a typer command is on the command line; None where the text does not say."""
    name, annotation = argument.arg, argument.annotation
    said: list[ast.expr] = []
    if isinstance(annotation, ast.Subscript) and _called(annotation.value) == "Annotated":
        annotation, *said = getattr(annotation.slice, "elts", [None])
    about = next((one for one in [*said, default] if _called(one) in {"Option", "Argument"}), None)
    words = list(about.args) if isinstance(about, ast.Call) else []
    given = {word.arg: word.value for word in about.keywords} if isinstance(about, ast.Call) else {}
    if about is not None and about is default:
        default = words.pop(0) if words else given.get("default")
    default = default or given.get("default_factory")
    is_required = default is None or _literal(default) is Ellipsis
    is_argument = is_required if about is None else _called(about) == "Argument"
    kinds = {one.id for one in ast.walk(annotation) if isinstance(one, ast.Name)} if annotation else set()
    kinds -= {"Optional", "typing"}
    declared = kinds.pop() if len(kinds) == 1 else ""
    type_ = _TYPES.get(declared, NO_DEFAULT)
    if isinstance(annotation, ast.Subscript) and _called(annotation.value) == "Literal":
        values = _plain(annotation.slice)
        type_ = list(values) if isinstance(values, tuple) else [values]
    many = isinstance(annotation, ast.Subscript) and _called(annotation.value) in {"list", "List"}
    if is_argument:
        return _ScriptOption(name, "", _POSITIONAL, is_required, "", None if is_required else _plain(default), type_)
    names = [_literal(word) for word in words]
    if not all(isinstance(one, str) for one in names):
        return None
    long = next((str(one) for one in names if str(one).startswith("--")), str(names[0]) if names else "")
    flag, slash, off = (part.strip() for part in long.partition("/"))
    form = _REPEATED if many else _VALUE
    if not long:
        flag = f"--{name.lower().replace('_', '-')}"
    if declared == "bool":
        form = _SWITCH if long and not slash else _TWO_WAYS
        off = off or f"--no-{flag.lstrip('-')}"
    return _ScriptOption(name, flag, form, is_required, off, None if is_required else _plain(default), type_)


def _called(node: ast.AST | None) -> str:
    """The last name of what a node calls, or is."""
    node = node.func if isinstance(node, ast.Call) else node
    return str(getattr(node, "attr", None) or getattr(node, "id", ""))


def _annotated(function: ast.FunctionDef) -> Iterator[tuple[ast.arg, ast.expr | None]]:
    """Yield each argument of a function, with its default."""
    arguments = function.args
    by_position = [*arguments.posonlyargs, *arguments.args]
    num_required = len(by_position) - len(arguments.defaults)
    defaults: list[ast.expr | None] = [*[None] * num_required, *arguments.defaults, *arguments.kw_defaults]
    yield from zip([*by_position, *arguments.kwonlyargs], defaults, strict=True)


def _signature(function: ast.FunctionDef) -> list[_ScriptOption]:
    return [
        _ScriptOption(
            argument.arg,
            f"--{argument.arg}",
            _VALUE,
            default is None,
            "",
            _plain(default),
            _TYPES.get(getattr(argument.annotation, "id", ""), NO_DEFAULT),
        )
        for argument, default in _annotated(function)
    ]


def _flag(option: _ScriptOption, value: Any, *, is_click: bool) -> list[str]:
    flag = option.flag
    if option.form == _CONSTANT:
        if _is_same(value, option.gives):
            return [flag]
        if _is_same(value, option.default):
            return []
        # Where the flag stores a bool, or its default is True, the other bool cannot mean "leave the flag out".
        if isinstance(value, bool) and not isinstance(option.gives, bool) and option.default is not True:
            return [flag] if value else []
    if value is None:
        return []
    if option.form in {_COUNTED, _COUNTED_ON} and isinstance(value, int):
        return [flag] * option.num_flags(value)
    is_on = bool(value) if isinstance(value, int) and value in {0, 1} else None
    if option.unsaid is not None and is_on is not None:
        # Without its flag it has the only value that it can have; the script refuses another one.
        return [] if is_on is not option.unsaid else [f"{flag}={value}"]
    if option.form == _SWITCH and is_on is not None:
        return [flag] if is_on else []
    if option.form == _SWITCH_OFF and is_on is not None:
        return [] if is_on else [option.off]
    if option.form == _TWO_WAYS and is_on is not None:
        return [flag if is_on else option.off]
    if not _is_list(value):
        return _bound(flag, _word(option, value, is_click=is_click), is_click=is_click)
    if option.form == _REPEATED or (is_click and option.form != VALUES):
        texts = [_word(option, item, is_click=is_click) for item in value]
        return [word for text in texts for word in _bound(flag, text, is_click=is_click)]
    return [flag, *(_no_flag(item) or _word(option, item, is_click=is_click) for item in value)]


def _bound(flag: str, text: str, *, is_click: bool) -> list[str]:
    """Write one value with its flag."""
    # A value that looks like a flag (-1e-05 to argparse, for one) is bound to its own; click binds it to a short one.
    if text.startswith("-") and (flag.startswith("--") or not is_click):
        return [f"{flag}={text}"]
    return [flag, text]


def _word(option: _ScriptOption, value: object, *, is_click: bool) -> str:
    """Write one value of an argument."""
    if option.type is bool and not is_click and isinstance(value, int) and not value:
        return ""  # bool("False") and bool("0") are True
    return _text(value)


def _no_flag(value: object) -> str:
    """Write a negative number as digits, as argparse takes anything else for a flag; empty: it is none."""
    if type(value) is not float or not value < 0:
        return ""
    # An infinite one is a number that no float can hold; the point has a script refuse it that wants an int.
    return f"{Decimal(repr(value)):f}" if math.isfinite(value) else f"-1{'0' * 309}.0"


def _is_same(value: object, other: object) -> bool:
    """Whether two values are one for a script, to which 0, 0.0 and False differ."""
    return type(value) is type(other) and value == other


def _is_list(value: object) -> bool:
    return isinstance(value, (list, tuple, set, frozenset))


def _plain_member(value: object) -> object:
    """The string or number that a member of an enumeration is, which its ``str`` does not say; else the value."""
    if isinstance(value, Enum) and isinstance(value, (str, int, float)) and type(value).__str__ is Enum.__str__:
        return value.value
    return value


def _text(value: object) -> str:
    value = _plain_member(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, (dict, list, tuple)):
        try:
            return json.dumps(value)
        except (TypeError, ValueError):
            return str(value)
    return str(value)


def _python(value: object) -> str:
    value = _plain_member(value)
    if isinstance(value, str):
        # Plain words stay as they are. Others are quoted: fire reads "a,b" and "[a]" as tuple and list of words.
        return value if _PLAIN_WORD.fullmatch(value) and not _reads_as_python(value) else repr(value)
    written = _repr(value)
    return written if _reads_as_python(written) else _python(str(value))


def _repr(value: object) -> str:
    """Write a Python literal, also of what has none: an infinite number is one that no float can hold."""
    value = _plain_member(value)
    if isinstance(value, float) and math.isinf(value):
        return "1e999" if value > 0 else "-1e999"
    if type(value) is list:
        return f"[{', '.join(map(_repr, value))}]"
    if type(value) is tuple:
        return f"({', '.join(map(_repr, value))}{',' * (len(value) == 1)})"
    return repr(value)


def _has_nan(value: Any) -> bool:
    return any(map(_has_nan, value)) if _is_list(value) else isinstance(value, float) and math.isnan(value)


def _reads_as_python(text: str) -> bool:
    try:
        return not isinstance(ast.literal_eval(text), str)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False


def _hydra(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if _is_list(value):
        return "[" + ",".join(map(_hydra, value)) + "]"  # type: ignore[call-overload]
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_hydra(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (int, float)):
        return _text(value)
    text = str(value)
    if _HYDRA_WORD.fullmatch(text) and not _reads_as_python(text):
        return text
    escaped = _BEFORE_QUOTE.sub(lambda found: found[1] * 2 + ("\\'" if found[2] else ""), text)
    return f"'{escaped}'"
