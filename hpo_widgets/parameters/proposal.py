"""Ranges to begin with, read from the signature of a function: names, defaults and annotations.

=============================================  ==========================================================
what an argument is                            what is proposed
=============================================  ==========================================================
bool, Literal or Enum, annotated or default    all its values
a whole number                                 half to twice of it
a float of a name such as lr or weight_decay   a log range, two decades to each side
a float below 0.1                              the same
another float below 1                          half of it to half of the way to 1
another float                                  half to twice of it
a text                                         a choice of that text, for a person to complete
seed, verbose, n_jobs, epochs and the like     stays at its default, unless somebody says otherwise
=============================================  ==========================================================

A proposal is only a starting point: knowledge of the function gives better ranges.
"""

from __future__ import annotations

import ast
import enum
import functools
import inspect
import math
import re
import textwrap
import types
import typing
from typing import TYPE_CHECKING, Any, NamedTuple

from hpo_widgets.parameters.base import python_value
from hpo_widgets.parameters.choice import DiscreteParameterRange
from hpo_widgets.parameters.convert import range_between
from hpo_widgets.parameters.ranges import LogUniformParameterRange, UniformIntegerParameterRange, UniformParameterRange

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hpo_widgets.parameters.base import LeafParameter

NO_DEFAULT: Any = inspect.Parameter.empty
"""Stands for the default of an argument that has none, and for the annotation of one that is not annotated."""

TRIAL = "trial"
"""The argument that gets the running trial; no parameter."""

_EXPONENTS = {
    "learning_rate": (-5, -1),
    "lr": (-5, -1),
    "weight_decay": (-6, -2),
    "wd": (-6, -2),
    "eps": (-9, -3),
    "epsilon": (-9, -3),
    "tol": (-6, -2),
    "eta": (-3, 0),
    "alpha": (-4, 1),
    "lambda": (-4, 1),
    "reg": (-4, 1),
    "regularization": (-4, 1),
    "l1": (-6, -1),
    "l2": (-6, -1),
    "penalty": (-4, 1),
    "gamma": (-4, 1),
    "C": (-2, 3),
}
"""Names that are searched on a log scale, and the exponents of 10 to use where the default gives no range."""

_TECHNICAL = re.compile(
    r"(?:.*_)?(?:seed|random_state|verbose|verbosity|n_jobs|num_workers|workers|device|debug|log_every|save_every)"
)
_ITERATIONS = re.compile(r"(?:(?:n|num|max)_)?(?:epochs?|iter|iters|iterations|steps)")
_LARGEST_FRACTION = 1.0
_SMALL = 0.1
_ALMOST_ONE = 0.9
_DECADES = 2


class ProposedRange(NamedTuple):
    """What an argument of a function could be searched in.

    Parameters
    ----------
    name
        The argument.
    range
        The range to begin with; None where none can be derived.
    default
        The value without a search; `NO_DEFAULT` where it has none.
    is_searched
        Whether it is searched unless somebody says otherwise.
    is_closed
        Whether no other choices exist, as for a bool or an Enum.
    note
        Why the argument is not searched, or what a person has to add; empty for none of this.
    """

    name: str
    range: LeafParameter | None
    default: Any = NO_DEFAULT
    is_searched: bool = True
    is_closed: bool = False
    note: str = ""

    @property
    def is_required(self) -> bool:
        """Whether the function cannot be called without it."""
        return self.default is NO_DEFAULT


def propose_parameters(function: Callable[..., object]) -> list[LeafParameter]:
    """Propose what to search of a function: a range for each argument whose name, default or annotation tells one.

    Parameters
    ----------
    function
        A function, method, partial or callable object; it is not called. Of an objective of Optuna, whose only argument
        is ``trial``, the calls of ``trial.suggest_float`` and so on in its text tell the ranges, if these are plain
        values or variables that have some now; each parameter is then part of every point.

    Returns
    -------
    list of Parameter
        To be given as ``hyper_parameters``, after a look at the bounds. Arguments that are left out keep their default.

    Raises
    ------
    ValueError
        For a required argument whose name and annotation give no range: add a parameter for it, or a default. Also for
        an objective of Optuna that asks for a name or a range that is only known while it runs, or whose text is not
        to be had.

    Examples
    --------
    >>> def train(lr=0.001, layers=2, use_bias=True): ...
    >>> [parameter.range for parameter in propose_parameters(train)]
    [(1e-05, 0.1), (1, 4), (False, True)]
    """
    asks = asks_trial(signature_of(function))
    proposed = _asked_ranges(function) if asks else proposed_ranges(function)
    missing = [one.name for one in proposed if one.is_required and one.range is None]
    if asks and not proposed:
        raise ValueError(f"no call of {TRIAL}.suggest_float and the like was found: make a parameter for each")
    if asks and missing:
        raise ValueError(f"{', '.join(missing)}: name and range are not plain values, so make a parameter for each")
    if missing:
        raise ValueError(
            f"no range can be derived for {', '.join(map(repr, missing))}: give a default, or make a parameter for it"
        )
    return [one.range for one in proposed if one.range is not None and one.is_searched]


def proposed_ranges(function: Callable[..., object]) -> list[ProposedRange]:
    """Propose a range for each argument of a function, or note why there is none.

    ``*args`` and ``**kwargs`` are left out, and so is ``trial``. An objective of Optuna has no other argument: what it
    asks its trial for is proposed, as far as its text tells.

    Raises
    ------
    ValueError, TypeError
        When the function has no signature, as some compiled functions, or a required positional-only argument.
    """
    bound = bound_keywords(function)
    found = []
    signature = signature_of(function)
    if asks_trial(signature):
        return [one for one in _asked_ranges(function) if one.range is not None]
    for name, argument in signature.parameters.items():
        if argument.kind in {argument.VAR_POSITIONAL, argument.VAR_KEYWORD} or name == TRIAL:
            continue
        if argument.kind is argument.POSITIONAL_ONLY:
            if argument.default is NO_DEFAULT:
                raise ValueError(f"{name!r} is given by position only: remove the '/' from the signature")
            continue
        proposed = propose_range(name, argument.default, argument.annotation)
        if name in bound:
            proposed = proposed._replace(is_searched=False, note="the partial gives it")
        found.append(proposed)
    return found


def asks_trial(signature: inspect.Signature) -> bool:
    """Whether a function is written as an objective of Optuna: it asks its only argument for each value."""
    parameters = signature.parameters
    return list(parameters) == [TRIAL] and parameters[TRIAL].kind is not inspect.Parameter.POSITIONAL_ONLY


def _suggest_float(name: object, low: object, high: object, *, step: object = None, log: object = False) -> None:
    """Take the arguments of Optuna's method of this name."""


def _suggest_int(name: object, low: object, high: object, *, step: object = 1, log: object = False) -> None:
    """Take the arguments of Optuna's method of this name."""


def _suggest_categorical(name: object, choices: object) -> None:
    """Take the arguments of Optuna's method of this name."""


_SUGGEST = {
    one.__name__.removeprefix("_"): inspect.signature(one)
    for one in (_suggest_float, _suggest_int, _suggest_categorical)
}


def _asked_ranges(function: Callable[..., object]) -> list[ProposedRange]:
    """Read what an objective of Optuna asks its trial for; one without a range is named as it is written."""
    while isinstance(function, functools.partial):
        function = function.func
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):  # made by exec, or a lambda in the middle of an expression
        return []
    variables = {**getattr(function, "__globals__", {}), **_nonlocals(function)}
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    found: dict[str, ProposedRange] = {}
    for call in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
        asked = call.func
        is_ask = isinstance(asked, ast.Attribute) and isinstance(asked.value, ast.Name) and asked.value.id == TRIAL
        if not is_ask or asked.attr not in _SUGGEST:  # type: ignore[attr-defined]  # it is an Attribute
            continue
        one = _asked_range(call, asked.attr, variables)  # type: ignore[attr-defined]  # as above
        same = found.setdefault(one.name, one)
        if same.range != one.range:  # two ranges in two branches
            found[one.name] = one._replace(range=None)
    return list(found.values())


def _nonlocals(function: Callable[..., object]) -> dict[str, Any]:
    names = getattr(getattr(function, "__code__", None), "co_freevars", ())
    cells = getattr(function, "__closure__", None) or ()
    return {name: cell.cell_contents for name, cell in zip(names, cells, strict=True)}


def _asked_range(call: ast.Call, method: str, variables: Mapping[str, Any]) -> ProposedRange:
    """The range of one call of a method of a trial; None where it is not plain."""
    try:
        positional = [_plain(node, variables) for node in call.args]
        named = {str(one.arg): _plain(one.value, variables) for one in call.keywords}
        given = _SUGGEST[method].bind(*positional, **named).arguments
        name = given.pop("name")
        if method == "suggest_categorical":
            return ProposedRange(name, DiscreteParameterRange(name, list(given["choices"])))
        return ProposedRange(name, range_between(name, **given, whole=method == "suggest_int"))
    except (ValueError, TypeError):
        return ProposedRange(ast.unparse(call), None)


def _plain(node: ast.expr, variables: Mapping[str, Any]) -> Any:
    """The value of an expression that computes nothing; raises a ``ValueError`` for any other."""
    if isinstance(node, ast.Name) and isinstance(variables.get(node.id), (bool, int, float, str, list, tuple)):
        return variables[node.id]
    return ast.literal_eval(node)


def bound_keywords(function: object) -> set[str]:
    """Return the names of the arguments that a partial gives, or one inside of it."""
    bound: set[str] = set()
    while isinstance(function, functools.partial):
        bound.update(function.keywords)
        function = function.func
    return bound


def signature_of(function: Callable[..., object]) -> inspect.Signature:
    """Return the signature of a callable, with annotations as objects where they can be found.

    Raises
    ------
    ValueError, TypeError
        When it has none.
    """
    try:
        return inspect.signature(function, eval_str=True)
    except Exception:  # noqa: BLE001 -- an annotation that is text may raise anything
        return inspect.signature(function)


def propose_range(name: str, default: Any = NO_DEFAULT, annotation: Any = NO_DEFAULT) -> ProposedRange:
    """Propose a range for one argument.

    Parameters
    ----------
    name
        What it is called, with a section (``Args/lr``) or without.
    default
        Its default; `NO_DEFAULT` for none.
    annotation
        Its type as annotated, or a list of all its values.

    Returns
    -------
    ProposedRange
        The range to begin with, and what there is to say about it.
    """
    default = python_value(default)
    last = name.rpartition("/")[2]
    choices = _all_values(annotation) or _all_values(type(default))
    if choices:
        if default is None and not isinstance(annotation, (list, tuple)) and None not in choices:
            choices = [*choices, None]
        is_searched = default is NO_DEFAULT or _TECHNICAL.fullmatch(last) is None
        return ProposedRange(name, DiscreteParameterRange(name, choices), default, is_searched, is_closed=True)
    if _TECHNICAL.fullmatch(last) and default is not NO_DEFAULT:
        return ProposedRange(name, _numeric(name, default, annotation), default, is_searched=False)
    if isinstance(default, str):
        return ProposedRange(
            name, DiscreteParameterRange(name, [default]), default, is_searched=False, note="add further choices to try"
        )
    if default is NO_DEFAULT or default is None:
        range_ = _by_name(name, annotation)
        note = ""
        if range_ is None:
            note = "has no default: give it a range" if default is NO_DEFAULT else "no range can be derived for it"
        return ProposedRange(name, range_, default, default is NO_DEFAULT or range_ is not None, note=note)
    number = _numeric(name, default, annotation)
    if number is None:
        return ProposedRange(name, None, default, is_searched=False, note="stays as it is")
    return ProposedRange(name, number, default, is_searched=_ITERATIONS.fullmatch(last) is None)


def _all_values(annotation: Any) -> list[Any]:
    """All values that a type has, where they can be told; ``Literal["a"] | None`` has None, too."""
    if isinstance(annotation, (list, tuple)):
        return list(annotation)
    if annotation is bool:
        return [False, True]
    if inspect.isclass(annotation) and issubclass(annotation, enum.Enum):
        return list(annotation)
    origin = typing.get_origin(annotation)
    if origin is typing.Literal:
        return list(typing.get_args(annotation))
    if origin is typing.Annotated:
        return _all_values(typing.get_args(annotation)[0])
    if origin in {typing.Union, types.UnionType}:
        members = [[None] if one is type(None) else _all_values(one) for one in typing.get_args(annotation)]
        if all(members) and any(one != [None] for one in members):
            return [value for one in members for value in one]
    return []


def _numeric(name: str, default: Any, annotation: Any) -> LeafParameter | None:
    """The range round a number; None for anything else."""
    if isinstance(default, bool) or not isinstance(default, (int, float)) or not math.isfinite(default):
        return None
    exponents = _exponents(name)
    # A whole number may stand for a float: ``C=1``, ``width: float = 2``.
    if isinstance(default, int) and annotation is not float and (annotation is int or exponents is None):
        return _whole_numbers(name, default)
    is_fraction = _SMALL <= default < _LARGEST_FRACTION and (exponents is None or default >= _ALMOST_ONE)
    if default > 0 and not is_fraction and (exponents is not None or default < _SMALL):
        middle = round(math.log10(default))
        top = middle + _DECADES
        # What is below 1 stays there: a learning rate of 0.05 is not tried as 10.
        return LogUniformParameterRange(name, middle - _DECADES, min(top, 0) if default < 1 else top)
    if default == 0 and exponents is not None:
        return LogUniformParameterRange(name, *exponents)
    if default == 0:
        return UniformParameterRange(name, 0.0, 1.0)
    if is_fraction:
        return UniformParameterRange(name, _short(default / 2), _short((1 + default) / 2))
    bounds = _short(default / 2), _short(default * 2)
    return UniformParameterRange(name, min(bounds), max(bounds))


def _whole_numbers(name: str, default: int) -> LeafParameter | None:
    if default == 0:
        return UniformIntegerParameterRange(name, 0, 10)
    if abs(default) > 2**50:  # beyond 2**53 whole numbers are not exact as floats
        return None
    if default < 0:
        return UniformIntegerParameterRange(name, 2 * default, default // 2 + 1)
    return UniformIntegerParameterRange(name, max(1, default // 2), max(2 * default, default + 2))


def _by_name(name: str, annotation: Any) -> LeafParameter | None:
    """The range of an argument whose default tells nothing."""
    exponents = None if annotation is int or annotation is str else _exponents(name)
    return None if exponents is None else LogUniformParameterRange(name, *exponents)


def _exponents(name: str) -> tuple[int, int] | None:
    """The exponents of a name that is usually searched on a log scale: ``lr``, ``Args/head_lr``, ``reg_alpha``."""
    last = name.rpartition("/")[2]
    if last in _EXPONENTS:
        return _EXPONENTS[last]
    folded = f"_{last.lower()}_"
    return next((exponents for word, exponents in _EXPONENTS.items() if f"_{word}_" in folded), None)


def _short(number: float) -> float:
    """The number without the noise of its last digits: 0.15 and not 0.15000000000000002."""
    return float(f"{number:.6g}")
