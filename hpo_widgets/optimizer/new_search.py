"""Answers the questions of the form "New search" of JupyterLab: what can be searched, in which ranges, as which code.

The form is a table of texts; only this module knows functions, scripts and Tasks. Questions and answers are JSON. No
state is kept between two questions, so that it does not matter which thread answers them, whether a cell runs
meanwhile, or whether the kernel was restarted.
"""

from __future__ import annotations

import enum
import functools
import inspect
import itertools
import json
import sys
import threading
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, NamedTuple

from hpo_widgets._messages import near_match, short
from hpo_widgets.engines.base import default_concurrency
from hpo_widgets.engines.local.template import ScriptTemplate, check_computes
from hpo_widgets.objectives import Objective
from hpo_widgets.optimizer.definition import make_template, names_a_task
from hpo_widgets.parameters import DiscreteParameterRange, Parameter, ProposedRange, propose_range, proposed_ranges
from hpo_widgets.parameters.choices import choice_label
from hpo_widgets.parameters.proposal import asks_trial, signature_of
from hpo_widgets.parameters.typed import typed_choices, typed_literal, typed_number, typed_range, typed_whole
from hpo_widgets.search.as_code import constructor_call
from hpo_widgets.search.limits import typed_positive_int
from hpo_widgets.space import Space

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

STRATEGIES = {
    "OptimizerOptuna": "TPE and Gaussian process: learns from the trials so far",
    "RandomSearch": "Random",
    "GridSearch": "Grid: every combination",
}
"""Class name of a strategy to its words in the form; strategies with required arguments are left out."""

EXAMPLE = """\
import math
from typing import Literal


def train(lr: float = 0.01, layers: int = 2, activation: Literal["relu", "tanh"] = "relu"):
    \"\"\"Train with these values, and return the number to minimise; put your own code here.\"\"\"
    loss = (math.log10(lr) + 2) ** 2 + abs(layers - 3) + (activation == "tanh")
    return loss
"""
"""A function to begin with, for a notebook that has none."""

_FIRST_TRIALS = 50
_LONGEST_ABOUT = 200
_LARGE_IS_GOOD = ("acc", "auc", "f1", "score", "r2", "reward", "precision", "recall", "iou", "bleu")


class FormAnswer(dict[str, Any]):
    """An answer to the form, which a kernel displays as JSON."""

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:  # noqa: ARG002
        return {"application/json": dict(self)}


class FieldErrors(dict[str, str]):
    """Name of a field of the form to what is wrong there."""

    def read(self, field: str, read: Callable[..., Any], *arguments: Any) -> Any:
        """Call what reads a field; None, and its message is kept, when that is refused.

        Parameters
        ----------
        field
            Its name in the form.
        read
            Raises a ValueError or TypeError with what is wrong.
        *arguments
            What it is called with.

        Returns
        -------
        object
            What was read.
        """
        try:
            return read(*arguments)
        except (ValueError, TypeError, OSError) as error:
            self[field] = str(error)
            return None


def leave_figures() -> None:
    """Make IPython leave out its ``post_execute`` hooks at the end of this request.

    The request may run on a thread of its own beside a cell, whose figures the hooks would show and close.
    """
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    if shell is None or threading.current_thread() is threading.main_thread():
        return
    events, thread, trigger = shell.events, threading.get_ident(), shell.events.trigger

    def trigger_elsewhere(event: str, *arguments: object, **keywords: object) -> None:
        if event == "post_execute" and threading.get_ident() == thread:
            del events.trigger
        else:
            trigger(event, *arguments, **keywords)

    events.trigger = trigger_elsewhere  # type: ignore[method-assign]  # of this one request


def answer(question: str) -> FormAnswer:
    """Answer a question of the form; what is wrong with a field is in the answer, by the name of the field.

    A question is JSON: ``{"kind": "functions"}``, ``{"kind": "propose", "source": …}`` or
    ``{"kind": "write", "form": …}``.
    """
    asked = json.loads(question)
    if asked["kind"] == "functions":
        found = functions_of_main().items()
        functions = [{"name": name, "signature": _signature_text(name, function)} for name, function in found]
        return FormAnswer(
            functions=functions,
            strategies=STRATEGIES,
            trials=_FIRST_TRIALS,
            workers=default_concurrency(),
            example=EXAMPLE.rstrip("\n"),
        )
    if asked["kind"] == "propose":
        return propose(asked["source"])
    return write(asked["form"])


def functions_of_main() -> dict[str, Callable[..., object]]:
    """Callables of ``__main__`` that a trial could run, by name: defined in the notebook or in modules beside it."""
    here = Path.cwd()
    return {
        name: value
        for name, value in vars(sys.modules["__main__"]).copy().items()
        if not name.startswith("_") and name.isidentifier() and _is_own(value, here)
    }


def _is_own(value: Any, here: Path) -> bool:
    if isinstance(value, functools.partial):
        return True
    if inspect.isfunction(value) or inspect.ismethod(value):
        home = value.__module__
    elif callable(value) and not isinstance(value, type):
        home = type(value).__module__
    else:
        return False
    if home == "__main__":
        return True
    path = getattr(sys.modules.get(home), "__file__", None)
    return path is not None and Path(path).is_relative_to(here) and "site-packages" not in path


def _signature_text(name: str, function: Callable[..., object]) -> str:
    try:
        return short(f"{name}{inspect.signature(function)}".replace("__main__.", ""), _LONGEST_ABOUT)
    except (ValueError, TypeError):
        return f"{name}(…)"


# What is known of what a trial runs ----------------------------------------------------------------


class _Source(NamedTuple):
    """What a trial runs, as the form names it."""

    base_task_id: Any
    """The constructor's argument of that name."""
    proposed: Sequence[ProposedRange] = ()
    takes_more: bool = True
    """Whether it may take parameters beyond ``proposed``."""
    about: str = ""
    goal_of: str = ""
    """The name that tells whether large values are good."""


def _source(given: Mapping[str, str], *, asks_server: bool) -> _Source:
    """Find what the form names; a ValueError, TypeError or OSError says why it cannot be used."""
    text = given["text"].strip()
    if given["kind"] == "function":
        return _function(text)
    if given["kind"] == "script":
        return _script(text)
    if not text:
        raise ValueError("give the id of the Task that is cloned, 32 hexadecimal digits, or project/name")
    if not names_a_task(text):
        raise ValueError(f"{text!r} is neither the id of a Task, 32 hexadecimal digits, nor project/name")
    return _Source(text, _task_proposed(text) if asks_server else ())


def _function(name: str) -> _Source:
    functions = functions_of_main()
    if not name:
        raise ValueError("choose a function: what it computes with its arguments is a trial")
    if name not in functions:
        raise ValueError(f"{name!r} is no longer a function of this kernel. {near_match(name, functions)}")
    function = functions[name]
    check_computes(function)
    signature = signature_of(function)
    takes_more = asks_trial(signature) or any(one.kind is one.VAR_KEYWORD for one in signature.parameters.values())
    about = (inspect.getdoc(function) or "").partition("\n")[0] if inspect.isroutine(function) else ""
    return _Source(function, proposed_ranges(function), takes_more, short(about, _LONGEST_ABOUT), name)


def _script(text: str) -> _Source:
    if not text:
        raise ValueError("give the path of a Python script, from the folder of the notebook")
    template = ScriptTemplate(text)
    options = template.options
    proposed = [option.proposed() for option in options.found.values()]
    return _Source(PurePath(text), proposed, not options.is_complete, f"read as a script of {options.style}")


def _task_proposed(task: str) -> list[ProposedRange]:
    base = make_template(task).base  # type: ignore[attr-defined]  # a Task's template has it
    # Not closed: the form has these choices as text, so that writing the code need not ask the server again.
    return [
        propose_range(f"{section}/{name}", typed_literal(str(entry.get("value"))))._replace(is_closed=False)
        for section, entries in base.hyperparams.items()
        for name, entry in entries.items()
    ]


def propose(given: Mapping[str, str]) -> FormAnswer:
    """Propose the rows of the form for what a trial runs; none where there is no such thing: `write` says why.

    It is given by ``kind``: function, script or task; and ``text``: its name, path or id.
    """
    about = ""
    try:
        source = _source(given, asks_server=True)
        about = source.about
    except Exception as error:
        if given["kind"] == "task" and names_a_task(given["text"].strip()):
            # The server may not answer, or credentials may be missing here: the cell may be run where there are some.
            source = _Source(given["text"])
            about = f"Its parameters cannot be read ({error}); add them by name, such as Args/lr."
        elif isinstance(error, (ValueError, TypeError, OSError)):
            source = _Source(None, takes_more=False)
        else:
            raise
    return FormAnswer(
        rows=[_row(one) for one in source.proposed],
        takes_more=source.takes_more,
        about=about,
        sign="max" if any(word in source.goal_of.lower() for word in _LARGE_IS_GOOD) else "min",
    )


def _row(one: ProposedRange) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": one.name,
        "kind": "float" if one.range is None else one.range.kind,
        "low": "",
        "high": "",
        "choices": "",
        "options": None,
        "chosen": [],
        "searched": one.is_searched,
        "required": one.is_required,
        "default": None if one.is_required else _label(one.default),
        "note": one.note,
    }
    if isinstance(one.range, DiscreteParameterRange):
        if one.is_closed:
            row["options"] = list(map(_label, one.range.values))
            row["chosen"] = list(one.range.allowed)
        else:
            row["choices"] = ", ".join(map(_choice_text, one.range.values))
    elif one.range is not None:
        row["low"], row["high"] = map(repr, one.range.range)
    return row


def _label(value: object) -> str:
    return f"{type(value).__name__}.{value.name}" if isinstance(value, enum.Enum) else choice_label(value)


def _choice_text(value: object) -> str:
    """What a person types for a choice."""
    return value if isinstance(value, str) and typed_choices(value) == [value] else repr(value)


# The code ------------------------------------------------------------------------------------------


def write(form: Mapping[str, Any]) -> FormAnswer:
    """Write the cell that a form describes by its ``source``, ``rows`` and other fields, which are texts.

    The answer has its ``code``, empty when there is something wrong, and ``errors``: name of a field to what is wrong.
    """
    errors = FieldErrors()
    source = errors.read("source", functools.partial(_source, asks_server=False), form["source"])
    proposed = {} if source is None else {one.name: one for one in source.proposed}
    parameters: list[Parameter] = []
    names: set[str] = set()
    for index, row in enumerate(form["rows"]):
        name = row["name"].strip()
        if row["searched"]:
            problem = _name_problem(name, names, source)
            if problem:
                errors[f"rows.{index}.name"] = problem
            names.add(name)
            parameters += _parameter(f"rows.{index}", {**row, "name": name or "?"}, proposed.get(name), errors)
        elif row["required"]:
            errors[f"rows.{index}.searched"] = f"{name} has no default: a trial needs a value of it"
    if not parameters and not errors:
        errors["rows"] = "choose at least one parameter to search"
    workers = form["workers"].strip()
    keywords = {}
    if workers:
        number = errors.read("workers", typed_positive_int, "the number at once", workers)
        keywords["max_number_of_concurrent_tasks"] = number
    keywords["total_max_jobs"] = errors.read(
        "trials", typed_positive_int, "the number of trials", form["trials"].strip()
    )
    objective = errors.read("objective", _objective, form)
    space: Space | None = None if errors else errors.read("rows", Space, parameters)
    if source is None or space is None:
        return FormAnswer(code="", errors=dict(errors))
    code = constructor_call(
        source.base_task_id, space, [objective], form["strategy"], keywords, variable=_free_variable(), shows_panel=True
    )
    return FormAnswer(code=code.rstrip("\n"), errors={})


def _name_problem(name: str, taken: set[str], source: _Source | None) -> str:
    if not name:
        return "name the parameter"
    if name in taken:
        return f"{name} is there twice"
    if source is None or source.takes_more or any(one.name == name for one in source.proposed):
        return ""
    return f"there is no such parameter. {near_match(name, [one.name for one in source.proposed])}"


def _parameter(
    field: str, row: Mapping[str, Any], proposed: ProposedRange | None, errors: FieldErrors
) -> list[Parameter]:
    """The parameter of a row, or none and what is wrong with it."""
    name = row["name"]
    if row["kind"] == "choice":
        return list(filter(None, [errors.read(f"{field}.choices", _choices, row, proposed)]))
    bounds = {word: errors.read(f"{field}.{word}", _bound, row[word].strip(), row["kind"]) for word in ("low", "high")}
    if None in bounds.values():
        return []
    made = errors.read(f"{field}.high", typed_range, name, row["kind"], row["low"].strip(), row["high"].strip())
    return [] if made is None else [made]


def _bound(text: str, kind: str) -> float:
    if not text:
        raise ValueError("give the lowest and the highest value")
    number = typed_whole(text) if kind == "int" else typed_number(text)
    if kind == "log" and not number > 0:
        raise ValueError(f"a log scale has values above 0, not {text}")
    return number


def _choices(row: Mapping[str, Any], proposed: ProposedRange | None) -> Parameter:
    if row["options"] is not None:
        if proposed is None or not isinstance(proposed.range, DiscreteParameterRange):
            raise ValueError("its values are no longer known: choose the function again")
        chosen = [proposed.range.values[index] for index in row["chosen"]]
    else:
        chosen = typed_choices(row["choices"])
    if len(chosen) < 2:
        raise ValueError("choose at least two values" if row["options"] else "give at least two, separated by commas")
    return DiscreteParameterRange(row["name"], chosen)


def _objective(form: Mapping[str, Any]) -> Objective:
    key = form["objective"].strip()
    if key:
        return Objective.named(key, form["sign"])
    if form["source"]["kind"] != "function":
        raise ValueError("name the scalar that it reports, such as validation/loss")
    return Objective.named("objective", form["sign"])  # what a function returns


def _free_variable() -> str:
    """A name that the notebook does not use yet: an earlier search keeps its own."""
    taken = vars(sys.modules["__main__"])
    names = itertools.chain(["optimizer"], (f"optimizer_{number}" for number in itertools.count(2)))
    return next(name for name in names if name not in taken)
