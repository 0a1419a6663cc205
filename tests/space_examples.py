"""Hypothesis strategies that make parameters and spaces."""

from __future__ import annotations

from hypothesis import strategies as st

from hpo_widgets.parameters import (
    DiscreteParameterRange,
    LogUniformParameterRange,
    ParameterSet,
    UniformIntegerParameterRange,
    UniformParameterRange,
)

bounded = st.floats(-1e6, 1e6, allow_nan=False)
unit_numbers = st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=20)
json_scalars = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-5, 5) | st.text("ab1", max_size=2)
choice_values = json_scalars | st.tuples(st.integers(0, 3), st.integers(0, 3)) | st.lists(st.booleans(), max_size=2)


@st.composite
def uniform(draw, name="x"):
    low, width = draw(bounded), draw(st.floats(0.1, 1e6))
    parts = draw(st.none() | st.floats(0.5, 6000))
    step = None if parts is None else width / parts
    return UniformParameterRange(name, low, low + width, step, draw(st.booleans()) or bool(step and parts < 1))


@st.composite
def log_uniform(draw, name="x"):
    # Exponents just above 0 look like values, and are warned of.
    low, width = draw(st.floats(-8, 0) | st.floats(0.1, 8)), draw(st.floats(0.01, 6))
    parts = draw(st.none() | st.floats(0.5, 6000))
    step = None if parts is None else width / parts
    base = draw(st.sampled_from([2, 10, 2.718281828459045]))
    return LogUniformParameterRange(name, low, low + width, base, step, draw(st.booleans()) or bool(step and parts < 1))


@st.composite
def integers(draw, name="x"):
    low, width = draw(st.integers(-10_000, 10_000)), draw(st.integers(1, 10_000))
    return UniformIntegerParameterRange(name, low, low + width, draw(st.integers(1, 5000)), draw(st.booleans()))


@st.composite
def choices(draw, name="x"):
    values = draw(st.lists(choice_values, min_size=1, max_size=6, unique_by=lambda value: (type(value), repr(value))))
    return DiscreteParameterRange(name, [value for value in values if value != 0 or repr(value) != "-0.0"] or [None])


def leaves(name="x"):
    return uniform(name) | log_uniform(name) | integers(name) | choices(name)


@st.composite
def parameter_sets(draw, prefix="s", depth=1):
    combinations = []
    for number in range(draw(st.integers(1, 3))):
        combination = {f"{prefix}.kind": f"kind {number}"}
        for place in range(draw(st.integers(0, 2))):
            name = f"{prefix}.{number}.{place}"
            combination[name] = draw(leaves(name) | json_scalars)
        if depth and draw(st.booleans()):
            combination[f"{prefix}.{number}"] = draw(parameter_sets(f"{prefix}.{number}.inner", depth - 1))
        combinations.append(combination)
    return ParameterSet(combinations)


@st.composite
def parameter_lists(draw):
    parameters = [draw(leaves(f"p{number}")) for number in range(draw(st.integers(0, 3)))]
    parameters += [draw(parameter_sets(f"s{number}")) for number in range(draw(st.integers(0 if parameters else 1, 2)))]
    return draw(st.permutations(parameters))
