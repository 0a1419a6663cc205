"""Saved pages: one HTML file that shows widgets as they are now, without a kernel and without network.

The file carries everything: the states of the widgets, the small manager that makes views of them
(``js/src/views/saved.ts``) and the browser half of each widget library in use, taken from where the
library's own wheel installed it. Its content security policy forbids every request.
"""

from __future__ import annotations

import contextlib
import html
import json
import os
import re
import secrets
import site
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ipywidgets import Widget

    from hpo_widgets.widget.sync.refresher import Refresher

STATE_MIME = "application/vnd.jupyter.widget-state+json"
VIEW_MIME = "application/vnd.jupyter.widget-view+json"

PAGE_VERSION = 1
"""Version of the page's own layout, in its ``generator`` line."""

_STATIC = Path(__file__).parent.parent / "static"
# Their browser halves are part of saved.js.
_BUILT_IN = frozenset({"@jupyter-widgets/base", "@jupyter-widgets/controls"})
_REFERENCE = "IPY_MODEL_"

_PAGE = """\
<!DOCTYPE html>
<!-- Carries browser code of ipywidgets and Lumino (Project Jupyter Contributors, BSD-3-Clause), and, where they are
in use, bqplot and bqscales (bqplot contributors, Apache-2.0) and anywidget (Trevor Manz, MIT). -->
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="hpo_widgets page {version}">
<title>{title}</title>
<style>
{style}
</style>
</head>
<body>
<header><h1>{title}</h1><p>{note}</p></header>
<main>
{places}
</main>
<script type="application/json" id="widget-state">{state}</script>
{moments}{libraries}
<script type="module" nonce="{nonce}">{script}</script>
</body>
</html>
"""

_NOTE = "Saved page: it shows the state when it was saved, and its controls are off."
_REFUSAL = "this is a saved page: nothing runs behind it"


class PlayedBack(NamedTuple):
    """The data with which a page plays a search back.

    Attributes
    ----------
    states : dict
        Model id to its state at the end, for all models of the page.
    bar : str
        Model id of the replay's bar; the page answers its messages in the place of a kernel.
    data : str
        What `js/src/lib/page_replay.ts` reads: base64 of compressed JSON.
    """

    states: dict[str, Any]
    bar: str
    data: str


@dataclass(frozen=True)
class SavedPage:
    """A page that was written: where, and how many bytes each of its parts takes."""

    path: Path
    parts: Mapping[str, int]

    @property
    def size(self) -> int:
        """Size of the file in bytes."""
        return sum(self.parts.values())

    def __str__(self) -> str:
        listing = ", ".join(f"{name} {size / 1e3:,.0f} kB" for name, size in self.parts.items())
        return f"{self.path} ({self.size / 1e6:.1f} MB: {listing})"

    def _repr_html_(self) -> str:
        """Show a notebook a link to the page."""
        from IPython.display import FileLink

        make: Any = FileLink  # IPython has no types for it
        return str(make(os.path.relpath(self.path), result_html_suffix=f" ({self.size / 1e6:.1f} MB)")._repr_html_())


def save_html(
    widgets: Widget | Sequence[Widget],
    path: str | Path,
    *,
    title: str = "Hyperparameter search",
    note: str = _NOTE,
) -> SavedPage:
    """Write a page that shows live widgets as they are now, without a kernel and without network.

    Parameters
    ----------
    widgets
        One widget, or several to show below one another.
    path
        The file to write; an existing one is replaced, missing folders are made.
    title, note
        The page's title and the line beside it, as plain text.

    Returns
    -------
    SavedPage
        The path and the size of each part; its ``str`` is a one-line report.

    Raises
    ------
    FileNotFoundError
        If the front end of a widget library in use is not installed beside its Python package.
    TypeError
        For anything but widgets, such as a search without its panel.
    """
    # Deferred: reading an executed notebook needs no ipywidgets.
    from ipywidgets import Widget
    from ipywidgets.embed import dependency_state

    shown = list(widgets) if isinstance(widgets, Iterable) and not isinstance(widgets, str) else [widgets]
    for one in shown:
        if not isinstance(one, Widget):
            raise TypeError(f"a page shows widgets, such as OptimizerWidget(optimizer), got {one!r:.80}")
    roots = [widget.model_id for widget in shown]
    with _at_one_moment(dependency_state(shown)):
        states = with_numbers(dependency_state(shown, drop_defaults=False))
    return _write(states, roots, Path(path), title, note)


def save_played_back(panel: Widget, path: str | Path, played_back: PlayedBack, *, title: str, note: str) -> SavedPage:
    """Write a page that plays a panel back; see `hpo_widgets.widget.replay_page`.

    Parameters
    ----------
    panel
        The panel.
    path, title, note
        As in `save_html`.
    played_back
        What it shows at each moment.

    Returns
    -------
    SavedPage
        The path and the size of each part.
    """
    return _write(played_back.states, [panel.model_id], Path(path), title, note, played_back)


def widget_states() -> dict[str, Any]:
    """Give the states of all widgets of this process as they are now, as a notebook's metadata holds them.

    A notebook that is executed without a browser takes the states from the messages of the kernel, which may miss the
    end of a search that ended with the last cell. This function asks the widgets themselves.

    Returns
    -------
    dict
        What belongs under ``metadata.widgets[STATE_MIME]``.
    """
    from ipywidgets.widgets import widget

    def everything() -> list[Any]:
        return list(widget._instances.values())  # noqa: SLF001 -- ipywidgets fails where one is made meanwhile

    with _at_one_moment(one.model_id for one in everything()):
        states: dict[str, Any] = widget.Widget.get_manager_state(drop_defaults=False, widgets=everything())
        return {**states, "state": with_numbers(states["state"])}


def _widget(model_id: str) -> Any:
    from ipywidgets import widget_serialization

    return widget_serialization["from_json"](f"{_REFERENCE}{model_id}", None)


def with_numbers(states: dict[str, Any]) -> dict[str, Any]:
    """Add the tables of numbers of all plots, which a page without a kernel cannot request."""
    from hpo_widgets.widget.plots.numbers import NumbersTable

    for model_id, model in states.items():
        if isinstance(table := _widget(model_id), NumbersTable):
            model["state"].update(table.made())
    return states


@contextlib.contextmanager
def _at_one_moment(model_ids: Iterable[str]) -> Iterator[None]:
    """Refresh those of the widgets that show a search, and no more until the end of the block."""
    from hpo_widgets.widget.sync.refresher import Refresher

    found = {getattr(_widget(model_id), "_refresher", None) for model_id in model_ids}
    refreshers = [one for one in found if isinstance(one, Refresher)]
    with _held(refreshers):
        for refresher in refreshers:
            refresher.refresh(is_kept=True)
        yield


def _held(refreshers: Sequence[Refresher]) -> contextlib.ExitStack:
    """Take the locks of all refreshers."""
    waiting = list(refreshers)
    while True:
        with contextlib.ExitStack() as held:
            for place, refresher in enumerate(waiting):
                # With locks in hand none is waited for: who has it may be waiting for one of these.
                if not refresher.lock.acquire(blocking=place == 0):
                    break
                held.callback(refresher.lock.release)
            else:
                return held.pop_all()
        waiting.insert(0, waiting.pop(place))


def save_notebook_html(
    notebook: Mapping[str, Any],
    path: str | Path,
    *,
    title: str = "Hyperparameter search",
    note: str = _NOTE,
) -> SavedPage:
    """Write a page that shows the widgets in the outputs of an executed notebook.

    Parameters
    ----------
    notebook
        The notebook, as ``nbformat.read`` or ``nbclient`` give it, with the widgets' states in its metadata.
    path, title, note
        As in `save_html`.

    Returns
    -------
    SavedPage
        The path and the size of each part.

    Raises
    ------
    ValueError
        If the notebook shows no widget or was saved without the widgets' states.
    FileNotFoundError
        If the front end of a widget library in use is not installed beside its Python package.
    """
    states = notebook["metadata"].get("widgets", {}).get(STATE_MIME, {}).get("state", {})
    roots = [model_id for model_id in _views(notebook) if model_id in states]
    if not roots:
        msg = (
            "the notebook has no widget to show: execute it with the widgets' states stored in its metadata "
            "(nbclient does, JupyterLab with Settings → Save Widget State Automatically)"
        )
        raise ValueError(msg)
    return _write(states, roots, Path(path), title, note)


def _views(notebook: Mapping[str, Any]) -> list[str]:
    """Model ids of the widgets in the notebook's outputs, each once, in order."""
    found: dict[str, None] = {}
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            view = output.get("data", {}).get(VIEW_MIME)
            if view is not None:
                found[view["model_id"]] = None
    return list(found)


def _write(
    states: Mapping[str, Any],
    roots: list[str],
    path: Path,
    title: str,
    note: str,
    played_back: PlayedBack | None = None,
) -> SavedPage:
    path = Path(os.path.expanduser(path))  # noqa: PTH111 -- which leaves a name that is no home folder as it is
    # A moment may refer to models that no longer exist at the end, so all are kept.
    found = reachable(states, roots) if played_back is None else states
    needed = {model_id: _commanding_nobody(states[model_id]) for model_id in found}
    moments = ""
    if played_back is not None:
        needed[played_back.bar] = states[played_back.bar]
        moments = (
            f'<script type="application/gzip" id="moments" data-bar="{html.escape(played_back.bar)}">'
            f"{played_back.data}</script>\n"
        )
    state = _json({"version_major": 2, "version_minor": 0, "state": needed})
    modules = sorted(_modules(needed) - _BUILT_IN)
    libraries = {name: _library(name).read_text(encoding="utf-8") for name in modules}
    style = _static("saved.css").replace("</", "<\\/")
    script = _script(_static("saved.js"))
    nonce = secrets.token_urlsafe(16)
    page = _PAGE.format(
        policy=_policy(nonce),
        version=PAGE_VERSION,
        title=html.escape(title),
        note=html.escape(note),
        style=style,
        places="\n".join(f'<div data-widget="{html.escape(root)}"></div>' for root in roots),
        state=state,
        moments=moments,
        libraries="\n".join(
            f'<script type="text/amd" data-module="{html.escape(name)}">{_script(text)}</script>'
            for name, text in libraries.items()
        ),
        nonce=nonce,
        script=script,
    )
    data = page.encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    parts = {"state": len(state.encode()), "manager": len(script.encode()) + len(style.encode())}
    parts |= {name: len(_script(text).encode()) for name, text in libraries.items()}
    if moments:
        parts["moments"] = len(moments)
    parts["page"] = len(data) - sum(parts.values())
    return SavedPage(path, parts)


def _policy(nonce: str) -> str:
    """Return a policy that forbids requests; only this page's scripts run, and the modules that anywidget makes."""
    return (
        f"default-src 'none'; script-src 'nonce-{nonce}' blob:; style-src 'unsafe-inline' blob:; "
        "img-src data: blob:; font-src data:; base-uri 'none'; form-action 'none'"
    )


def _json(value: object) -> str:
    """Return JSON that cannot end the script element that holds it, whatever its strings contain."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _script(text: str) -> str:
    """Return code that cannot end the script element that holds it, and means the same to the browser."""
    return re.sub(r"<(/script|!--)", r"<\\\1", text, flags=re.IGNORECASE)


def _commanding_nobody(model: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a model whose commands, if it has any, are all refused; its controls show the reason."""
    state = model["state"]
    commands = state.get("commands")
    if not isinstance(commands, dict):
        return model
    return {**model, "state": {**state, "commands": dict.fromkeys(commands, _REFUSAL)}}


def reachable(states: Mapping[str, Any], roots: Iterable[str]) -> Iterator[str]:
    """Give the roots and every model that they refer to, directly or not.

    Parameters
    ----------
    states
        Model ids to states, as widgets are saved.
    roots
        Model ids.

    Yields
    ------
    str
        Model ids, each once; ids without a state are left out.
    """
    waiting, seen = list(roots), set[str]()
    while waiting:
        model_id = waiting.pop()
        if model_id in seen or model_id not in states:
            continue
        seen.add(model_id)
        yield model_id
        waiting.extend(_references(states[model_id]["state"]))


def _references(value: object) -> Iterator[str]:
    if isinstance(value, str):
        if value.startswith(_REFERENCE):
            yield value.removeprefix(_REFERENCE)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _references(item)


def _modules(states: Mapping[str, Any]) -> set[str]:
    """The browser modules that the models and their views come from."""
    found = set()
    for model in states.values():
        found.add(model["model_module"])
        view = model["state"].get("_view_module")
        if view is not None:
            found.add(view)
    return found


def _static(name: str) -> str:
    path = _STATIC / name
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        msg = f"{path} is missing: build the front end by installing the package (`pip install -e .`)"
        raise FileNotFoundError(msg) from None


def _library(module: str) -> Path:
    """The browser half of a widget library, where its wheel put it for notebook servers."""
    folders = _nbextension_folders()
    for folder in folders:
        path = folder / module / "index.js"
        if path.is_file():
            return path
    msg = (
        f"the front end of the widget library {module!r} was not found: {module}/index.js in none of "
        f"{', '.join(map(str, folders))}; reinstall that library in this environment"
    )
    raise FileNotFoundError(msg)


def _nbextension_folders() -> list[Path]:
    """Return the folders where wheels put such files: of this environment, of the user, of the base Python."""
    # Debian's Python, which Colab has too, installs to /usr/local, which is not its prefix.
    bases = dict.fromkeys([sys.prefix, sysconfig.get_path("data"), site.getuserbase(), sys.base_prefix, "/usr/local"])
    return [Path(base) / "share" / "jupyter" / "nbextensions" for base in bases]
