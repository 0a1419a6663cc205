"""What can vary: the Parameter classes, how they are sampled, listed and written down.

The constructors, their defaults and the dict form are those of ``clearml.automation``. Everything a
parameter returns is in parameter *values*: the range of ``LogUniformParameterRange("lr", -4, -1)``
is ``(0.0001, 0.1)``.

A parameter never changes. Its declaration stays as the constructor got it; `LeafParameter.with_range` returns
another parameter with the same declaration and another current range. Steps keep counting from the declared
minimum, so that narrowing a range leaves a subset of the same values.
"""

from __future__ import annotations

from hpo_widgets.parameters.base import Kind, LeafParameter, Parameter
from hpo_widgets.parameters.choice import DiscreteParameterRange
from hpo_widgets.parameters.combination import ParameterSet
from hpo_widgets.parameters.convert import as_parameter, as_parameters, range_between, redeclared
from hpo_widgets.parameters.numeric import NumericParameter, as_pair, check_limits
from hpo_widgets.parameters.proposal import ProposedRange, propose_parameters, propose_range, proposed_ranges
from hpo_widgets.parameters.ranges import LogUniformParameterRange, UniformIntegerParameterRange, UniformParameterRange

__all__ = [
    "DiscreteParameterRange",
    "Kind",
    "LeafParameter",
    "LogUniformParameterRange",
    "NumericParameter",
    "Parameter",
    "ParameterSet",
    "ProposedRange",
    "UniformIntegerParameterRange",
    "UniformParameterRange",
    "as_pair",
    "as_parameter",
    "as_parameters",
    "check_limits",
    "propose_parameters",
    "propose_range",
    "proposed_ranges",
    "range_between",
    "redeclared",
]
