"""Watch and steer hyperparameter searches in Jupyter.

The public names are imported when they are first used: a search without widgets does not load them, and a widget does
not load samplers that it does not use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hpo_widgets.engines.local.reporting import report_scalar
    from hpo_widgets.objectives import Objective
    from hpo_widgets.optimizer import HyperParameterOptimizer
    from hpo_widgets.optimizer.race import Race
    from hpo_widgets.optimizer.reopening import replay
    from hpo_widgets.parameters import (
        DiscreteParameterRange,
        LogUniformParameterRange,
        Parameter,
        ParameterSet,
        UniformIntegerParameterRange,
        UniformParameterRange,
        propose_parameters,
    )
    from hpo_widgets.strategies import GridSearch, OptimizerBOHB, OptimizerOptuna, RandomSearch, SearchStrategy
    from hpo_widgets.trials import Trial
    from hpo_widgets.widget import OptimizerWidget, StrategyRace, compare

    __version__: str

# Where each public name lives.
_HOMES = {
    "DiscreteParameterRange": "parameters",
    "GridSearch": "strategies",
    "HyperParameterOptimizer": "optimizer",
    "LogUniformParameterRange": "parameters",
    "Objective": "objectives",
    "OptimizerBOHB": "strategies",
    "OptimizerOptuna": "strategies",
    "OptimizerWidget": "widget",
    "Parameter": "parameters",
    "ParameterSet": "parameters",
    "Race": "optimizer.race",
    "RandomSearch": "strategies",
    "SearchStrategy": "strategies",
    "StrategyRace": "widget",
    "Trial": "trials",
    "UniformIntegerParameterRange": "parameters",
    "UniformParameterRange": "parameters",
    "compare": "widget",
    "propose_parameters": "parameters",
    "replay": "optimizer.reopening",
    "report_scalar": "engines.local.reporting",
}

__all__ = [
    "DiscreteParameterRange",
    "GridSearch",
    "HyperParameterOptimizer",
    "LogUniformParameterRange",
    "Objective",
    "OptimizerBOHB",
    "OptimizerOptuna",
    "OptimizerWidget",
    "Parameter",
    "ParameterSet",
    "Race",
    "RandomSearch",
    "SearchStrategy",
    "StrategyRace",
    "Trial",
    "UniformIntegerParameterRange",
    "UniformParameterRange",
    "__version__",
    "compare",
    "propose_parameters",
    "replay",
    "report_scalar",
]


if not TYPE_CHECKING:  # a type checker must not take every name for a public one

    def __getattr__(name: str) -> Any:
        """Import a public name from its home the first time it is asked for."""
        if name == "__version__":
            from importlib.metadata import version

            value: Any = version("hpo-widgets")
        elif name in _HOMES:
            value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    """List the public names beside what the module holds already."""
    return sorted({*globals(), *__all__})


def load_ipython_extension(shell: Any) -> None:
    """Give an IPython shell the line magic ``%hpo``; what ``%load_ext hpo_widgets`` calls."""
    from hpo_widgets.cli.line_magic import register

    register(shell)


def unload_ipython_extension(shell: Any) -> None:
    """Take the line magic away; what ``%unload_ext hpo_widgets`` calls."""
    from hpo_widgets.cli.line_magic import unregister

    unregister(shell)


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    """Say where the JupyterLab extension is built, and the name under which JupyterLab knows it."""
    return [{"src": "labextension", "dest": "hpo-widgets"}]


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    """Say what a Jupyter server loads, to list the searches that are kept in a folder."""
    return [{"module": "hpo_widgets.viewer.jupyter_server"}]
