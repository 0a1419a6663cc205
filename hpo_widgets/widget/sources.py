"""What can be shown: a search, or a controller of the ClearML SDK, which is seen as one."""

from __future__ import annotations

from hpo_widgets.search import Search


def as_search(shown: object) -> Search:
    """Return the search that an object is or stands for.

    Parameters
    ----------
    shown
        A `Search`, or a live ``clearml.automation.HyperParameterOptimizer``, started or not; it is recognised by its
        class's home, so that nobody imports clearml to ask.

    Raises
    ------
    TypeError
        For anything else.
    """
    if isinstance(shown, Search):
        return shown
    if any(
        kind.__name__ == "HyperParameterOptimizer" and kind.__module__.startswith("clearml.")
        for kind in type(shown).__mro__
    ):
        from hpo_widgets.clearml_sdk.search import adapt

        return adapt(shown)
    raise TypeError(
        "OptimizerWidget shows what hpo_widgets or clearml.automation searches with: a HyperParameterOptimizer or "
        f"another Search, got a {type(shown).__name__}"
    )
