"""The template experiment on this machine: a callable or a script, checked before anything runs."""

from __future__ import annotations

import functools
import inspect
import sys
import threading
import weakref
from pathlib import Path
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, ClassVar

from hpo_widgets._messages import near_match
from hpo_widgets.engines.local.messages import argument_name
from hpo_widgets.engines.local.pickling import find_culprit, pickle_for_worker, uses_shell, with_imports
from hpo_widgets.engines.local.process import check_worker_environment
from hpo_widgets.engines.local.script_arguments import STYLES, read_options
from hpo_widgets.engines.template import Template
from hpo_widgets.parameters.proposal import TRIAL, asks_trial, bound_keywords

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from hpo_widgets.engines.base import EngineOptions, JobEngine
    from hpo_widgets.engines.local.functions import FunctionPool
    from hpo_widgets.objectives import Objective
    from hpo_widgets.space import Space

_LONGEST_NAME = 60
_MOST_PREPARED = 8
"""Each may hold hundreds of megabytes of libraries, for a search that perhaps nobody starts."""
_LOCK = threading.RLock()
"""Guards which workers wait for a start; garbage collection may release some on a thread that holds it."""
_prepared: weakref.ref[FunctionTemplate] | None = None
"""The template whose workers have been made ready last."""
_COMPUTES_LATER = (inspect.iscoroutinefunction, inspect.isasyncgenfunction, inspect.isgeneratorfunction)


class _LocalTemplate(Template):
    """What runs in processes of this machine."""

    limits_memory: ClassVar[bool] = sys.platform == "linux"

    def configure(self, arguments: Mapping[str, Any]) -> None:
        """Refuse a limit of memory that cannot be kept here, and variables that are not given by the worker."""
        if arguments.get("max_memory_per_job") is not None and sys.platform != "linux":
            raise OSError("max_memory_per_job needs Linux: leave it out, or limit memory in the trial's own code")
        check_worker_environment(arguments.get("worker_env"))


class FunctionTemplate(_LocalTemplate):
    """A callable that is run again and again with other values.

    Parameters
    ----------
    function
        Function, method, ``functools.partial``, callable object or class. It gets its parameters by
        keyword, and the running trial as ``trial`` if its signature has an argument of that name. One whose only
        argument is ``trial`` gets nothing else: it asks for its parameters, as an objective of Optuna does.

    Raises
    ------
    TypeError
        When it is not callable, is an async or a generator function, or cannot be pickled; the message
        names the culprit.
    """

    kind: ClassVar[str] = "callable"

    def __init__(self, function: Callable[..., object]) -> None:
        if not callable(function):
            raise TypeError(f"a template experiment is a callable, not a {type(function).__name__}")
        self.function = function
        self._pool: FunctionPool | None = None
        """Guarded by `_LOCK`; the pool itself belongs to the thread that has taken it."""
        self.name = _name(function)
        check_computes(function)
        try:
            signature = inspect.signature(function)
        except (ValueError, TypeError):  # some callables of compiled code have no signature
            self._parameters: dict[str, inspect.Parameter] | None = None
            self.asks_trial = False
        else:
            self._parameters = dict(signature.parameters)
            self.asks_trial = asks_trial(signature)
            """Whether it is written for Optuna: it asks its trial for each value."""
        trial = (self._parameters or {}).get(TRIAL)
        self.wants_trial = trial is not None and trial.kind in {trial.POSITIONAL_OR_KEYWORD, trial.KEYWORD_ONLY}
        try:
            pickle_for_worker(function)
        except Exception as error:
            if uses_shell(function):
                raise TypeError(
                    f"{self.name!r} cannot be sent to a worker process, which has no IPython: it has a line that "
                    "begins with ! or %, or uses get_ipython(); run a command by subprocess.run(...)"
                ) from error
            culprit = find_culprit(function)
            where = f"; the cause is {culprit}" if culprit else ""
            raise TypeError(
                f"{self.name!r} cannot be sent to a worker process ({type(error).__name__}: {error}){where}: "
                "create such objects inside the callable"
            ) from error

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name})"

    @property
    def base_task_id(self) -> Callable[..., object]:
        """The callable."""
        return self.function

    @property
    def default_objective(self) -> str | None:
        """A callable may just return its objective."""
        return "objective"

    def notices_at_start(self, search_id: str) -> Sequence[str]:
        """Say that a cell has defined the function otherwise: who has corrected it expects the new one to run."""
        name = _redefined(self.function)
        sentence = (
            f"{name} was defined otherwise since this search was made, which still runs the earlier one. To use the "
            "new one, run the cell that makes the search again, or continue this search with "
            f"OptimizerWidget.open({search_id!r}, base_task_id={name})"
        )
        return () if name is None else (sentence,)

    def prepare(self, workers: int, *, job_class: type | None, options: EngineOptions) -> None:
        """Start worker processes, at most one per processor and eight in all, which import what the callable needs.

        One search of this process has such workers at most: those of another one are ended.
        """
        global _prepared  # noqa: PLW0603 -- there is one in a process
        if job_class is not None:
            return
        from hpo_widgets.engines.local.functions import FunctionPool

        with _LOCK:
            if self._pool is not None and self._pool.is_current:
                return
            earlier = None if _prepared is None else _prepared()
            for template in (earlier, self):
                if template is not None:
                    template.release()
            number = min(workers, self.default_concurrency, _MOST_PREPARED)
            self._pool = FunctionPool(self, workers=number, is_loaded=False, **options.of_processes)
            _prepared = weakref.ref(self)

    def release(self) -> None:
        """End the workers that `prepare` has started and no run has taken."""
        if (pool := self._take_pool()) is not None:
            pool.close()

    def _take_pool(self) -> FunctionPool | None:
        with _LOCK:
            pool, self._pool = self._pool, None
        return pool

    def make_engine(self, workers: int, *, space: Space, job_class: type | None, options: EngineOptions) -> JobEngine:
        """Start worker processes, or use those that `prepare` has started."""
        from hpo_widgets.engines.local.functions import FunctionPool

        choices = {column.name: space.leaf(column.name).declared for column in space.columns if column.kind == "choice"}
        pool = self._take_pool()
        if pool is not None and job_class is None and pool.is_current:
            pool.resize(workers)
            pool.load(self, choices, options.objectives)
            return pool
        if pool is not None:
            pool.close()
        keywords = {"workers": workers, "choices": choices, **options.of_processes}
        if job_class is not None:
            engine: JobEngine = job_class(self, **keywords)
            return engine
        return FunctionPool(self, objectives=options.objectives, **keywords)

    def check(self, names: Iterable[str]) -> None:
        """Refuse a name that the signature lacks or has by position only, and a space that lacks a required one."""
        given = _short_names(names, self.name)
        parameters = self._parameters
        if parameters is None or self.asks_trial:
            return
        if TRIAL in given and TRIAL in parameters:
            raise ValueError(
                f"{given[TRIAL]!r} cannot be a parameter of the space: "
                f"{self.name!r} gets the running trial under that name"
            )
        takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        for name, p in parameters.items():
            if p.kind is p.POSITIONAL_ONLY and (p.default is p.empty or (name in given and not takes_any)):
                raise ValueError(
                    f"{self.name!r} takes {name!r} by position only, but parameters are passed by name; "
                    "remove the '/' from its signature"
                )
        allowed = None if takes_any else self._by_name
        _check_names(given, allowed, self._required, self.name, may_ask_trial=len(parameters) == 1)

    @property
    def _by_name(self) -> list[str]:
        """Arguments that can be parameters of a space."""
        return [
            name for name, p in (self._parameters or {}).items()
            if p.kind in {p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY} and name != TRIAL
        ]  # fmt: skip

    @property
    def _required(self) -> list[str]:
        """Those of them that have no default."""
        parameters, bound = self._parameters or {}, bound_keywords(self.function)
        return [
            name for name in self._by_name if parameters[name].default is inspect.Parameter.empty and name not in bound
        ]

    def check_choices(self, name: str, values: Sequence[Any]) -> None:
        """Refuse a choice that no worker process can be sent."""
        from hpo_widgets.engines.local.functions import DeclaredChoices

        DeclaredChoices(name, values)

    def check_search(self, space: Space, objectives: Sequence[Objective]) -> None:  # noqa: ARG002 -- it may report any
        """Refuse a required argument that some combination of a space leaves out."""
        _check_combinations(self._required, space, self.name)


class ScriptTemplate(_LocalTemplate):
    """A script that is run again and again with other arguments.

    Parameters
    ----------
    path
        The Python script.
    arguments
        How values are written: ``"argparse"``, ``"click"``, ``"fire"``, ``"hydra"``, or a sequence of strings with
        ``{name}`` and ``{value}``, such as ``["--set", "{name}:{value}"]``. Default: what the script imports, else
        argparse.

    Raises
    ------
    FileNotFoundError, PermissionError, IsADirectoryError
        When it cannot be read.
    ValueError
        When it is not Python, or `arguments` is unknown.
    """

    kind: ClassVar[str] = "script"

    def __init__(self, path: str | os.PathLike[str], arguments: str | Sequence[str] | None = None) -> None:
        self.path = Path(path).expanduser().absolute()
        self.name = self.path.stem
        if not self.path.exists():
            there = [entry.name for entry in self.path.parent.glob("*.py")] if self.path.parent.is_dir() else []
            raise FileNotFoundError(f"there is no script {str(self.path)!r}. {near_match(self.path.name, there)}")
        if not self.path.is_file():
            raise IsADirectoryError(f"{str(self.path)!r} is not a file; give the path of a Python script")
        try:
            source = self.path.read_bytes()
        except OSError as error:
            raise PermissionError(f"the script {str(self.path)!r} cannot be read: {error.strerror}") from error
        try:
            self.options = read_options(source)
        except (SyntaxError, ValueError) as error:
            raise ValueError(f"{str(self.path)!r} is not a Python script: {error}") from error
        if isinstance(arguments, str):
            if arguments not in STYLES:
                raise ValueError(
                    f"unknown style of arguments {arguments!r}. {near_match(arguments, STYLES)} "
                    "A template is a list of strings with {name} and {value}."
                )
            self.options.style = arguments
        elif arguments is not None:
            template = self.options.template = tuple(arguments)
            if not all(isinstance(part, str) for part in template) or "{value}" not in "".join(template):
                raise ValueError(
                    f"a template of arguments is a list of strings with {{name}} and {{value}}, got {arguments!r}"
                )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    @property
    def base_task_id(self) -> Path:
        """The script's absolute path."""
        return self.path

    @property
    def facts(self) -> Mapping[str, Any]:
        """Where the script is, for the code that opens the search again; nobody runs it from there."""
        return {"script": str(self.path)}

    def own_files(self) -> list[str]:
        """The script and the modules beside it that it imports, also through each other, as far as their texts say."""
        return list(map(str, with_imports([self.path], self.path.parent)))

    def make_engine(self, workers: int, *, space: Space, job_class: type | None, options: EngineOptions) -> JobEngine:  # noqa: ARG002 -- a command line is text
        """Be ready to start processes."""
        from hpo_widgets.engines.local.scripts import ScriptEngine

        engine: JobEngine = (job_class or ScriptEngine)(self, workers=workers, **options.of_processes)
        return engine

    def arguments(self, point: Mapping[str, Any]) -> list[str]:
        """The command line of one trial, after the script's name."""
        return self.options.arguments_of(point)

    def check(self, names: Iterable[str]) -> None:
        """Refuse a name that the script does not take, and a space without a required argument or one before another.

        Nothing is checked where the text does not say.
        """
        given = _short_names(names, self.path.name)
        if self.options.template is None:
            allowed = self.options.found if self.options.is_complete else None
            _check_names(given, allowed, self._required, self.path.name)
            self.options.check_positions(given)

    @property
    def _required(self) -> list[str]:
        return [name for name, option in self.options.found.items() if option.is_required]

    def check_search(self, space: Space, objectives: Sequence[Objective]) -> None:  # noqa: ARG002 -- a script tells none
        """Refuse a value that the script cannot be told, and a needed argument that some combination leaves out."""
        if self.options.template is None:
            may_be_none = set()
            for name in space.names:
                declared = space.leaf(name).declared
                self.options.check_values(name, declared)
                if any(value is None for value in declared):
                    may_be_none.add(name)
            _check_combinations(self._required, space, self.path.name)
            for occurrence, names in space.names_together():
                if any(value is not None for value in occurrence.parameter.declared):
                    self.options.check_positions(names - may_be_none | {occurrence.name})


def check_computes(function: Callable[..., object]) -> None:
    """Raise a TypeError for a callable that computes nothing when it is called: an async or a generator function."""
    if any(kind(_innermost(function)) for kind in _COMPUTES_LATER):
        raise TypeError(
            f"{_name(function)!r} is an async or generator function, which computes nothing when it is called; "
            "give a plain function (it may call asyncio.run inside)"
        )


def _redefined(function: Callable[..., object]) -> str | None:
    """Name of a notebook's function that the notebook defines otherwise by now; None: it does not, or is unknown."""
    inner: Any = inspect.unwrap(_innermost_partial(function))
    if not inspect.isfunction(inner) or inner.__module__ != "__main__" or inner.__qualname__ != inner.__name__:
        return None
    now = inspect.unwrap(vars(sys.modules["__main__"]).get(inner.__name__, inner))
    # A cell that runs once more makes another function, which does the same.
    return inner.__name__ if inspect.isfunction(now) and _definition(now) != _definition(inner) else None


def _definition(function: FunctionType) -> tuple[object, ...]:
    """Return what a function does, wherever it is defined: its code and those of its defaults that compare well."""
    defaults = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    return _placeless(function.__code__), *(one for one in defaults if isinstance(one, (int, float, str)))


def _placeless(code: CodeType) -> CodeType:
    consts = tuple(_placeless(one) if isinstance(one, CodeType) else one for one in code.co_consts)
    return code.replace(co_firstlineno=1, co_consts=consts)


def _check_names(
    given: Mapping[str, str],
    allowed: Collection[str] | None,
    required: Iterable[str],
    owner: str,
    *,
    may_ask_trial: bool = False,
) -> None:
    """Raise a ValueError for a name that is not allowed (None: all are), and for a required one that is not given."""
    for name, whole in given.items():
        if allowed is not None and name not in allowed:
            near = near_match(name, allowed)
            if may_ask_trial and "Did you mean" not in near:
                near += f" If it is an objective of Optuna, call its argument {TRIAL!r}."
            raise ValueError(f"{owner!r} has no parameter {whole!r}. {near}")
    _require(
        required, given, owner, "missing from the space: add {those} to hyper_parameters or give {those} a default"
    )


def _check_combinations(required: Iterable[str], space: Space, owner: str) -> None:
    """Raise a ValueError for a required argument that not every combination of a ParameterSet sets."""
    always = {argument_name(name) for name in space.names_of_every_point}
    _require(required, always, owner, "which not every combination of the ParameterSet sets: give {those} a default")


def _require(required: Iterable[str], given: Collection[str], owner: str, otherwise: str) -> None:
    missing = [name for name in required if name not in given]
    if missing:
        otherwise = otherwise.format(those="it" if len(missing) == 1 else "them")
        raise ValueError(f"{owner!r} requires {', '.join(map(repr, missing))}, {otherwise}")


def _short_names(names: Iterable[str], owner: str) -> dict[str, str]:
    short: dict[str, str] = {}
    for name in names:
        key = argument_name(name)
        if key in short:
            raise ValueError(f"{short[key]!r} and {name!r} would both reach {owner!r} as {key!r}; rename one")
        short[key] = name
    return short


def _innermost_partial(function: object) -> Any:
    while isinstance(function, functools.partial):
        function = function.func
    return function


def _innermost(function: object) -> object:
    function = _innermost_partial(function)
    if not inspect.isroutine(function) and not inspect.isclass(function):
        return type(function).__call__
    return function


def _name(function: object) -> str:
    function = _innermost_partial(function)
    name = str(getattr(function, "__name__", None) or type(function).__name__)
    if name != "<lambda>":
        return name
    parameters = ", ".join(inspect.signature(function).parameters)  # type: ignore[arg-type]  # a lambda is callable
    return f"lambda {parameters[:_LONGEST_NAME]}".strip()
