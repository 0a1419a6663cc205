"""How the values of a trial are written on a script's command line.

===========  =========================================  =============================================
style        one value                                  other values
===========  =========================================  =============================================
argparse     ``--name value``                           a list: ``--name a b``, or the flag repeated where
                                                        the script says ``action="append"``
click        ``--name value``                           a list: the flag repeated (``multiple=True``)
fire         ``--name=value``                           Python literals: ``--name=[1,2]``, ``--name=None``
hydra        ``name=value``                             ``name=[1,2]``, ``name=null``, ``name=true``
a sequence   its strings, with ``{name}`` and           as for argparse, a list joined by commas
of strings   ``{value}`` filled in, for each parameter
===========  =========================================  =============================================

With argparse and click True and False are written ``True`` and ``False``; where the script declares a
switch (``store_true``, ``is_flag``) the flag is given or left out, and ``--no-name`` where it has one.
None leaves the argument out. Floats are written so that they read back as the same number. The section
of ``Section/name`` is not written. A list is a list, tuple or set; anything else that is no plain value
is written as JSON if it can be, else as its ``str``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hpo_widgets.engines.local import script_options
from hpo_widgets.engines.local.messages import argument_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hpo_widgets.engines.local.script_options import Option, Options

STYLES = ("argparse", "click", "fire", "hydra")


def arguments_of(point: Mapping[str, Any], options: Options, template: Sequence[str] | None = None) -> list[str]:
    """The arguments of one trial, in the order of the point; positional ones last, in the script's order."""
    flags: list[str] = []
    by_position: dict[str, str] = {}
    for full, value in point.items():
        name = argument_name(full)
        option = options.found.get(name) or script_options.Option(name, f"--{name}")
        if template is not None:
            if value is not None:
                text = ",".join(map(_text, value)) if _is_list(value) else _text(value)
                flags += [part.replace("{name}", name).replace("{value}", text) for part in template]
        elif options.style == "hydra":
            flags.append(f"{name}={_hydra(value)}")
        elif options.style == "fire":
            flags.append(f"--{name}={_python(value)}")
        elif option.form == script_options.POSITIONAL:
            if value is not None:
                by_position[name] = _text(value)
        else:
            flags += _flag(option, value, is_click=options.style == "click")
    if by_position:
        flags += ["--", *(by_position[name] for name in options.found if name in by_position)]
    return flags


def _flag(option: Option, value: Any, *, is_click: bool) -> list[str]:
    if value is None:
        return []
    flag = option.flag
    if option.form == script_options.SWITCH and isinstance(value, bool):
        return [flag] if value else []
    if option.form == script_options.TWO_WAYS and isinstance(value, bool):
        return [flag if value else option.off]
    if _is_list(value):
        texts = [_text(item) for item in value]
        if option.form == script_options.REPEATED or (is_click and option.form != script_options.VALUES):
            return [word for text in texts for word in (flag, text)]
        return [flag, *texts]
    text = _text(value)
    # A value that looks like a flag (-1e-05 to argparse, for one) is bound to its own.
    if text.startswith("-") and flag.startswith("--"):
        return [f"{flag}={text}"]
    return [flag, text]


def _is_list(value: object) -> bool:
    return isinstance(value, (list, tuple, set, frozenset))


def _text(value: object) -> str:
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, (dict, list, tuple)):
        try:
            return json.dumps(value)
        except (TypeError, ValueError):
            return str(value)
    return str(value)


def _python(value: object) -> str:
    if isinstance(value, str):
        # Plain words stay as they are; words that would read as something else are quoted.
        return repr(value) if _reads_as_python(value) else value
    return repr(value)


def _reads_as_python(text: str) -> bool:
    import ast

    try:
        return not isinstance(ast.literal_eval(text), str)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
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
    if isinstance(value, str):
        if value.replace("_", "").replace("-", "").replace(".", "").isalnum() and not _reads_as_python(value):
            return value
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"'{escaped}'"
    return _text(value)
