"""A search as Python: the call that makes one with the ranges, limits and settings of this moment, or opens it again.

What a call cannot spell out, such as a sampler object or a function that has no name, is written as a name with
a comment that says what it stands for. Values that may be secret are never written.
"""

from __future__ import annotations

import enum
import itertools
import json
import keyword
import math
import sys
import textwrap
from pathlib import PurePath
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from hpo_widgets.parameters import (
    DiscreteParameterRange,
    LeafParameter,
    LogUniformParameterRange,
    NumericParameter,
    Parameter,
    ParameterSet,
    UniformIntegerParameterRange,
    redeclared,
)
from hpo_widgets.parameters.base import python_value
from hpo_widgets.parameters.choices import UnknownChoice, choice_label
from hpo_widgets.search.limits import Settings
from hpo_widgets.space import Space

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hpo_widgets.objectives import Objective
    from hpo_widgets.space.prior import Prior
    from hpo_widgets.space.space import Point

PACKAGE = "hpo_widgets"
_OPTUNA_OF_CLEARML = "clearml.automation.optuna"

_DEFAULTS: dict[str, object] = {
    "execution_queue": None,
    "optimization_time_limit": None,
    "compute_time_limit": None,
    "auto_connect_task": True,
    "always_create_task": False,
    "spawn_project": None,
    "save_top_k_tasks_only": None,
}
_DEFAULTS |= {
    name: setting.default
    for name, setting in Settings.__dataclass_fields__.items()
    if name not in {"max_number_of_concurrent_tasks", "report_period"}  # one is always written, the other set later
} | {"limits": None, "seed": None}
_NEVER_WRITTEN = {"worker_env": "environment variables are not written here: pass worker_env= again"}

_LONGEST_LINE = 100
_MOST_RECORDED = 100  # results that are written out; the first ones

_STRATEGIES = ("RandomSearch", "GridSearch", "OptimizerOptuna", "OptimizerBOHB")


class Named(NamedTuple):
    """Something that code can only name: the name, and a comment that explains it."""

    name: str
    comment: str = ""


def constructor_call(
    base_task_id: object,
    space: Space,
    objectives: Sequence[Objective],
    strategy: type | str,
    keywords: Mapping[str, object],
    *,
    recorded: Sequence[tuple[Point, Sequence[float]]] = (),
    package: str = PACKAGE,
    variable: str = "optimizer",
    shows_panel: bool = False,
) -> str:
    """Return the statements that make a search like the one described.

    Parameters
    ----------
    base_task_id
        The template experiment: a callable, a path, a Task id, or a `Named`.
    space
        The present space epoch; its ranges become those of the constructor.
    objectives
        What is optimised.
    strategy
        The strategy's class, or the name of one.
    keywords
        All other arguments that are not at their default, in order.
    recorded
        Point and values of each result that people have recorded.
    package
        Where the classes are imported from: ``hpo_widgets`` or ``clearml.automation``.
    variable
        What the search is assigned to.
    shows_panel
        Whether the code ends with the panel of the search.

    Returns
    -------
    str
        Imports, the call and, for what a constructor cannot give, ``optimizer.set_ranges``, ``optimizer.set_priors``
        and ``optimizer.add_trials``.

    Raises
    ------
    ValueError
        For a keyword that Python takes for no name of an argument.
    """
    writer = _Writer(package, variable)
    parameters, ranges = _current_parameters(space, exact=package == PACKAGE)
    single = len(objectives) == 1
    arguments = {
        "base_task_id": writer.expression(base_task_id, "template_experiment"),
        "hyper_parameters": writer.lines(
            [(writer.parameter(parameter), _values(parameter)) for parameter in parameters]
        ),
    }
    for word in ("title", "series", "sign"):
        values = [getattr(objective, word) for objective in objectives]
        arguments[f"objective_metric_{word}"] = writer.expression(values[0] if single else values, word)
    arguments["optimizer_class"] = writer.strategy(strategy)
    for name, value in keywords.items():
        if not is_name(name):
            raise ValueError(f"{name!r} is not the name of an argument")
        arguments[name] = writer.expression(value, name)
    controller = writer.own("HyperParameterOptimizer")
    body = "".join(f"    {name}={text},\n" for name, text in arguments.items())
    statements = [f"{variable} = {controller}(\n{body})"]
    if ranges:
        entries = "".join(f"    {_text(name)}: {writer.expression(range_, name)},\n" for name, range_ in ranges.items())
        statements.append(f"{variable}.set_ranges({{\n{entries}}})")
    if space.priors and package == PACKAGE:
        entries = "".join(f"    {_text(name)}: {_prior(prior)},\n" for name, prior in space.priors.items())
        statements.append(f"{variable}.set_priors({{\n{entries}}})")
    results = ""
    for point, result in recorded[:_MOST_RECORDED]:
        entries = ", ".join(f"{_text(name)}: {writer.expression(value, name)}" for name, value in point.items())
        results += f"    ({{{entries}}}, {writer.expression(result[0] if single else list(result), 'values')}),\n"
    if results:
        statements.append(f"{variable}.add_trials([\n{results}])")
    if len(recorded) > _MOST_RECORDED:
        statements.append(f"# Not written here: {len(recorded) - _MOST_RECORDED} more results that were recorded.")
    if shows_panel:
        statements.append(f"{writer.own('OptimizerWidget')}({variable})")
    return "\n".join([*writer.imports(), "", *writer.comments(), *statements]) + "\n"


def current_arguments(
    settings: Settings,
    wall_limit: float | None,
    limits: Mapping[str, object],
    given: Mapping[str, object],
) -> dict[str, object]:
    """Return the arguments of a search beside its template, space, objectives and strategy.

    Parameters
    ----------
    settings
        Limits and sizes as they are now.
    wall_limit
        Minutes that the search may take in all; None: no limit.
    limits
        Hard bounds of the space.
    given
        What the constructor got beside that; what equals its default is left out.

    Returns
    -------
    dict
        Those that are not at their default, in the constructor's order.
    """
    now: dict[str, object] = {"optimization_time_limit": wall_limit, "limits": dict(limits) or None}
    now |= {
        name: getattr(settings, name) for name in Settings.__dataclass_fields__ if name in _DEFAULTS and name not in now
    }
    merged = {name: given.get(name, default) for name, default in _DEFAULTS.items()} | dict(given) | now
    keywords: dict[str, object] = {"max_number_of_concurrent_tasks": settings.max_number_of_concurrent_tasks}
    for name, value in merged.items():
        if name in _NEVER_WRITTEN:
            if value is not None:
                keywords[name] = Named(name, _NEVER_WRITTEN[name])
            continue
        default = _DEFAULTS.get(name)
        # `!=` of an array is an array: None is asked for by `is`.
        if value is not None if default is None else value != default:
            keywords[name] = value
    return keywords


def arguments_as_kept(header: Mapping[str, Any]) -> dict[str, object]:
    """Return the arguments in a journal's header; one of which it has only the repr becomes a `Named`."""
    only_named = header.get("only_named")
    if only_named is None:
        # The first journals do not say which they are.
        texts = {name: value for name, value in header["arguments"].items() if isinstance(value, str)}
        only_named = [name for name, text in texts.items() if text.startswith("<") and text.endswith(">")]
    return {
        name: Named(name, "as when the search was made") if name in only_named else value
        for name, value in header["arguments"].items()
    }


def opening_call(
    opens: str,
    base_task_id: object,
    strategy: type | str,
    header: Mapping[str, Any],
    space: Space,
    given: Mapping[str, object] = MappingProxyType({}),
) -> str:
    """Return the statements that show a search in another kernel, where it can be continued.

    Parameters
    ----------
    opens
        What it is found by: an id or a path.
    base_task_id
        The template experiment, as for `constructor_call`.
    strategy
        The strategy's class, or the name of one.
    header
        The header of its journal.
    space
        Its present space.
    given
        Arguments as they were given, where they are known: each that a journal cannot hold is given again.

    Returns
    -------
    str
        The import, comments on what has to be defined before, and the call as the last line.
    """
    kept = arguments_as_kept(header).items()
    again = {name: given.get(name, value) for name, value in kept if isinstance(value, Named) and name not in _DEFAULTS}
    again |= {name: Named(name, comment) for name, comment in _NEVER_WRITTEN.items() if given.get(name) is not None}
    if lost := Space.from_dict(space.to_dict()).lost_choices:
        declared = Space.from_dict(header["space"])
        has_more = any(len(space.leaf(name).declared) > len(declared.leaf(name).declared) for name in lost)
        words = ", with the choices that were added at the end" if has_more else ""
        comment = f"as when the search was made, for {', '.join(lost)}{words}"
        again["hyper_parameters"] = Named("hyper_parameters", comment)
    writer = _Writer(PACKAGE, "_")
    panel = writer.own("OptimizerWidget")
    arguments = {"base_task_id": writer.expression(base_task_id, "template_experiment")}
    name = strategy if isinstance(strategy, str) else strategy.__name__
    if name not in _STRATEGIES:
        own = Named(name, "the strategy of this search") if isinstance(strategy, str) else strategy
        arguments["optimizer_class"] = writer.expression(own, name)
    arguments |= {name: writer.expression(value, name) for name, value in again.items()}
    first = writer.own_names()
    uses = f"{', '.join(first)} and what {'it uses' if len(first) == 1 else 'they use'}"
    call = ", ".join([_text(opens), *(f"{name}={text}" for name, text in arguments.items())])
    return "\n".join(
        [
            *writer.imports(),
            "",
            *([f"# First run the cells that define {uses}."] if first else []),
            *writer.comments(),
            f"{panel}.open({call})",
        ]
    )


class _Writer:
    """Writes expressions, and remembers what they need: imports and names of the reader's own."""

    def __init__(self, package: str, variable: str) -> None:
        self._package = package
        self._imports: dict[str, set[str]] = {}
        self._comments: dict[str, str] = {}
        self._meanings: dict[str, object] = {variable: "the search that the code makes"}
        """Each name in the code to a key of the one thing that it stands for."""
        self._meanings |= {name: ("builtins", name) for name in ("float", "set", "frozenset")}
        self._named: list[object] = []
        """Objects whose ``id()`` is a key in ``_meanings``, kept alive so that no other object gets that id."""

    def imports(self) -> list[str]:
        return [_import_line(module, sorted(names)) for module, names in sorted(self._imports.items())]

    def comments(self) -> list[str]:
        # A comment may hold text from a journal, and has to end with its line.
        texts = ((name, " ".join(map(_printable, comment.split()))) for name, comment in self._comments.items())
        return [f"# {name}: {text}" for name, text in texts if text]

    def own_names(self) -> list[str]:
        """The reader's own names that the code uses as they are, without a comment."""
        return [name for name, key in self._meanings.items() if isinstance(key, tuple) and key[0] == "__main__"]

    def own(self, name: str) -> str:
        """Import a class that both packages have."""
        is_apart = name == "OptimizerOptuna" and self._package != PACKAGE
        return self._import(_OPTUNA_OF_CLEARML if is_apart else self._package, name)

    def strategy(self, strategy: type | str) -> str:
        """A strategy's class; one that is known by its name only, from a journal, is written as a name."""
        if isinstance(strategy, type):
            return self.expression(strategy, strategy.__name__)
        return self.own(strategy) if strategy in _STRATEGIES else self.expression(Named(strategy), strategy)

    def lines(self, items: Sequence[tuple[str, str]]) -> str:
        """A list with one item per line, each with its comment."""
        return "[\n" + "".join(f"        {item},{comment}\n" for item, comment in items) + "    ]"

    def _import(self, module: str, name: str) -> str:
        """Import a name, under another one where that is taken by something else."""
        key = (module, name)
        alias = name if self._is_free(name, key) else self._free(f"{module.rpartition('.')[2]}_{name}", key)
        self._meanings[alias] = key
        self._imports.setdefault(module, set()).add(name if alias == name else f"{name} as {alias}")
        return alias

    def _is_free(self, name: str, key: object) -> bool:
        return self._meanings.get(name, key) == key

    def _free(self, name: str, key: object) -> str:
        """A name that stands for nothing else, as near to ``name`` as can be; it is taken from now on."""
        names = itertools.chain([name], (f"{name}_{number}" for number in itertools.count(2)))
        found = next(name for name in names if self._is_free(name, key))
        self._meanings[found] = key
        return found

    def parameter(self, parameter: Parameter, indent: int = 8) -> str:
        """The constructor call of a parameter as declared, in a line that is indented so far."""
        kind = self.own(type(parameter).__name__)
        if isinstance(parameter, ParameterSet):
            inside = indent + 4
            combinations = [
                _fitted(
                    "{",
                    [f"{_text(key)}: {self._part(key, part, inside + 4)}" for key, part in combination.items()],
                    "}",
                    inside,
                )
                for combination in parameter.values
            ]
            return _fitted(f"{kind}([", combinations, "])", indent)
        if isinstance(parameter, DiscreteParameterRange):
            choices = [
                self.expression(choice, f"{parameter.name}_{number}")
                for number, choice in enumerate(parameter.declared, start=1)
            ]
            return _fitted(f"{kind}({_text(parameter.name)}, [", choices, "])", indent)
        assert isinstance(parameter, NumericParameter)  # noqa: S101 -- there is no other kind
        words = [_text(parameter.name), f"min_value={parameter.min_value!r}", f"max_value={parameter.max_value!r}"]
        if isinstance(parameter, LogUniformParameterRange) and parameter.base != 10:
            words.append(f"base={parameter.base!r}")
        default_step = 1 if isinstance(parameter, UniformIntegerParameterRange) else None
        if parameter.step_size != default_step:
            words.append(f"step_size={parameter.step_size!r}")
        if not parameter.include_max_value:
            words.append("include_max_value=False")
        return f"{kind}({', '.join(words)})"

    def _part(self, key: str, part: object, indent: int) -> str:
        return self.parameter(part, indent) if isinstance(part, Parameter) else self.expression(part, key)

    def expression(self, value: object, hint: str) -> str:
        """Python that gives ``value``; ``hint`` is what it is called when code can only name it."""
        value = python_value(value)
        if isinstance(value, enum.Enum):
            where = self._importable(type(value))
            if where is None:
                return self._name(value, hint)
            # Flags that are combined have no name, and a member may be called "a b".
            is_attribute = is_name(str(value.name))
            return f"{where}.{value.name}" if is_attribute else f"{where}({self.expression(value.value, hint)})"
        if type(value) is str:
            return _text(value)
        if (plain := literal(value, hint, self.expression)) is not None:
            return plain
        if isinstance(value, PurePath):
            return f"{self._import('pathlib', 'Path')}({_text(str(value))})"
        if type(value).__module__.partition(".")[0] == "clearml" and isinstance(getattr(value, "id", None), str):
            return _text(value.id)  # type: ignore[attr-defined]  # a Task, which its id stands for
        if isinstance(value, Named):
            return self._explained(_identifier(value.name), value, value.comment)
        if isinstance(value, type) and _is_public(value):
            return self.own(value.__name__)
        return self._importable(value) or self._name(value, hint)

    def _importable(self, value: object) -> str | None:
        """The dotted name by which a function or class is reached, imported where it is in a module."""
        module = getattr(value, "__module__", None)
        qualified = getattr(value, "__qualname__", None)
        if not isinstance(module, str) or not isinstance(qualified, str) or "<" in qualified:
            return None
        found: Any = sys.modules.get(module)
        for part in qualified.split("."):
            found = getattr(found, part, None)
        if found is not value or not all(map(is_name, [*module.split("."), *qualified.split(".")])):
            return None
        first, _, rest = qualified.partition(".")
        if module in ("__main__", "builtins"):
            key = (module, first)
            if not self._is_free(first, key):
                return None
            self._meanings[first] = key
            return qualified
        return ".".join(filter(None, (self._import(module, first), rest)))

    def _name(self, value: object, hint: str) -> str:
        """The reader's own name for an object, or one that a comment explains."""
        for name, item in vars(sys.modules["__main__"]).copy().items():
            if item is value and not name.startswith("_") and self._is_free(name, ("__main__", name)):
                self._meanings[name] = ("__main__", name)
                return name
        what = repr(choice_label(value)) if isinstance(value, UnknownChoice) else f"the {type(value).__name__}"
        self._named.append(value)
        return self._explained(_identifier(hint), id(value), f"{what} of your own code")

    def _explained(self, name: str, key: object, comment: str) -> str:
        name = self._free(name, key)
        self._comments[name] = comment
        return name


def literal(value: Any, hint: str, write: Callable[[Any, str], str]) -> str | None:
    """Write a number, None, bytes or a collection in Python.

    Parameters
    ----------
    value
        Anything.
    hint
        What it is called when code can only name it.
    write
        Writes a part of a collection, with the hint for it.

    Returns
    -------
    str or None
        An expression; None for a value of another kind, a string among them.
    """
    kind = type(value)
    if value is None or kind in (bool, int, bytes):
        return repr(value)
    if kind is float:
        return repr(value) if math.isfinite(value) else f'float("{value}")'
    if kind is dict:
        return "{" + ", ".join(f"{write(key, hint)}: {write(item, str(key))}" for key, item in value.items()) + "}"
    if kind not in (list, tuple, set, frozenset):
        return None
    items = [write(item, f"{hint}_{number}") for number, item in enumerate(value, start=1)]
    if kind is tuple:
        return f"({', '.join(items)}{',' if len(items) == 1 else ''})"
    if kind is list:
        return f"[{', '.join(items)}]"
    return f"{kind.__name__}([{', '.join(sorted(items))}])"


def _fitted(before: str, items: Sequence[str], after: str, indent: int) -> str:
    """Items in brackets: in one line, or one a line where that would be too long or one has several already."""
    line = f"{before}{', '.join(items)}{after}"
    if "\n" not in line and indent + len(line) < _LONGEST_LINE:
        return line
    margin = " " * indent
    return before + "\n" + "".join(f"{margin}    {item},\n" for item in items) + margin + after


def _values(parameter: Parameter) -> str:
    """A comment with the values that the exponents of a log range mean."""
    if not isinstance(parameter, LogUniformParameterRange):
        return ""
    return "  # {:.6g} to {:.6g}".format(*parameter.declared)


def _prior(prior: Prior) -> str:
    """A prior as `set_priors` takes it, its weights to three digits."""
    weights = ", ".join(f"{weight:.3g}" for weight in prior.weights)
    items = [f'"weights": [\n{textwrap.indent(textwrap.fill(weights, _LONGEST_LINE - 12), " " * 12)}\n        ]']
    items += [f'"{key}": {value!r}' for key, value in prior.to_dict().items() if key != "weights"]
    return "{\n" + "".join(f"        {item},\n" for item in items) + "    }"


def _is_public(cls: type) -> bool:
    """Whether both packages, or this one, give a class under its name; a race's grid comes from its module only."""
    if cls.__module__.startswith(f"{PACKAGE}."):
        return cls.__name__ in sys.modules[PACKAGE].__all__
    return cls.__module__.startswith("clearml.automation")


def _import_line(module: str, names: list[str]) -> str:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= _LONGEST_LINE:
        return line
    return f"from {module} import (\n" + "".join(f"    {name},\n" for name in names) + ")"


def _text(value: str) -> str:
    """A string in double quotes, unless it needs escapes there."""
    return json.dumps(value, ensure_ascii=False) if value.isprintable() and '"' not in value else repr(value)


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def _identifier(hint: str) -> str:
    name = "".join(letter if f"_{letter}".isidentifier() else "_" for letter in hint.rpartition("/")[2])
    return name if is_name(name) else f"own_{name}"


def is_name(text: str) -> bool:
    """Tell whether Python takes a text for a name, as of an argument.

    Parameters
    ----------
    text
        The text.

    Returns
    -------
    bool
        False for keywords, too.
    """
    return text.isidentifier() and not keyword.iskeyword(text)


def _current_parameters(space: Space, *, exact: bool) -> tuple[list[Parameter], dict[str, tuple[object, ...]]]:
    """Parameters declared with the ranges of this moment, and the ranges that no declaration gives."""
    parameters: list[Parameter] = []
    ranges: dict[str, tuple[object, ...]] = {}
    for parameter in space.parameters:
        if isinstance(parameter, LeafParameter):
            leaf = space.leaf(parameter.name)
            declared = parameter if leaf.range_key == parameter.range_key else redeclared(leaf, exact=exact)
            parameters.append(parameter if declared is None else declared)
            if declared is None:
                ranges[leaf.name] = leaf.range
        else:
            parameters.append(parameter)
    leaves = {parameter.name for parameter in parameters if isinstance(parameter, LeafParameter)}
    for name in space.names:
        leaf = space.leaf(name)
        if name not in leaves and leaf != leaf.with_range(leaf.declared):
            ranges[name] = leaf.range
    return parameters, ranges
