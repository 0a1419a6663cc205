"""Finds the strategy that an ``optimizer_class`` means: this package's, a user's, or ClearML's by its name."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

from hpo_widgets._messages import near_match
from hpo_widgets.strategies.base import SearchStrategy

_MODULES = {
    "RandomSearch": "hpo_widgets.strategies.sampling",
    "GridSearch": "hpo_widgets.strategies.sampling",
    "OptimizerOptuna": "hpo_widgets.strategies.optuna",
    "OptimizerBOHB": "hpo_widgets.strategies.bohb",
}
_CLEARML_PACKAGE = "clearml.automation"


def named(name: str) -> type[SearchStrategy]:
    """Return one of our strategies by the name of its class, importing its module only now."""
    strategy: type[SearchStrategy] = getattr(import_module(_MODULES[name]), name)
    return strategy


def names_with(keyword: str) -> list[str]:
    """Names of those of our strategies whose constructor takes a keyword."""
    return [name for name in _MODULES if keyword in named(name).keywords()]


def resolve(optimizer_class: object) -> type[SearchStrategy]:
    """Return the strategy class that ``optimizer_class`` stands for.

    Parameters
    ----------
    optimizer_class
        One of our strategies, a class derived from `SearchStrategy`, or ClearML's class of the same
        name from ``clearml.automation``, which is recognised without importing clearml.

    Raises
    ------
    TypeError
        For anything else; the message says what is accepted.
    """
    accepted = (
        f"optimizer_class must be one of {', '.join(_MODULES)} (of hpo_widgets or of "
        "clearml.automation) or a class derived from hpo_widgets.SearchStrategy"
    )
    if not inspect.isclass(optimizer_class):
        if isinstance(optimizer_class, SearchStrategy):
            accepted += "; pass the class itself and its arguments as keywords of the controller"
        msg = f"{accepted}; got {optimizer_class!r}"
        raise TypeError(msg)
    if issubclass(optimizer_class, SearchStrategy):
        if inspect.isabstract(optimizer_class):
            missing = ", ".join(sorted(optimizer_class.__abstractmethods__))
            msg = f"optimizer_class {optimizer_class.__name__} does not define {missing}()"
            raise TypeError(msg)
        return optimizer_class
    module = optimizer_class.__module__
    if f"{module}.".startswith(f"{_CLEARML_PACKAGE}.") and optimizer_class.__name__ in _MODULES:
        return named(optimizer_class.__name__)
    msg = f"{accepted}; got {module}.{optimizer_class.__qualname__}"
    raise TypeError(msg)


COMMON_NAMES = ("grid", "random", "TPE", "TPE + GP", "Sobol")
"""Strategies by the names that people call them; see `by_common_name`."""


def by_common_name(name: str, num_trials: int) -> tuple[type[SearchStrategy], dict[str, Any]]:
    """Return the strategy with a common name, set up for a budget of trials that are not pruned.

    ``grid`` is an even grid of at most ``num_trials`` points over all ranges: on a space without steps `GridSearch`
    would use up the budget in one corner. ``TPE`` and ``Sobol`` are Optuna's samplers, ``TPE + GP`` is the default of
    `OptimizerOptuna`; none of them prunes.

    Parameters
    ----------
    name
        One of `COMMON_NAMES`, in any case.
    num_trials
        The budget.

    Returns
    -------
    tuple
        The class, and its keywords.

    Raises
    ------
    ValueError
        For another name, with the nearest one.
    """
    known = {common.casefold(): common for common in COMMON_NAMES}
    common = known.get(name.strip().casefold())
    if common is None:
        msg = f"no strategy is called {name!r}. {near_match(name, COMMON_NAMES)}"
        raise ValueError(msg)
    if common == "grid":
        return import_module("hpo_widgets.strategies.sampling").EvenGrid, {"points": num_trials}
    if common == "random":
        return named("RandomSearch"), {}
    samplers = import_module("hpo_widgets.strategies.optuna.samplers")
    return named("OptimizerOptuna"), samplers.without_pruning(common)
