"""A notebook open in a page of JupyterLab, as a person has it before them; and what its kernel says."""

from __future__ import annotations

import ast
import contextlib
import itertools
import json
import os
import pathlib
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Locator, Page

ARTEFACTS = pathlib.Path(__file__).parents[1] / "artefacts"
TAKES_PICTURES = os.environ.get("HPO_WIDGETS_PICTURES") == "1"
PATIENCE = 120.0
"""Seconds after which what a test waits for in a page is taken to hang. What is otherwise there in an instant may take
a part of a minute on a machine that has other things to do."""
_COUNTER = itertools.count()
# What the browser says that is no fault of the page: requests to other machines, whose names it does not resolve.
# The third is what anywidget says of a module that takes over two seconds to load, on a busy machine; the module
# repairs its model (`test_a_panel_whose_views_were_loaded_too_late_follows_its_search`). The last is JupyterLab's own:
# it asks a kernel that is being ended, or whose page is being left, for the state of its debugger.
HARMLESS = (
    "net::ERR_NAME_NOT_RESOLVED", "Failed to load resource", "[anywidget] Failed to initialize model.",
    "Could not restore the debugger state",
)  # fmt: skip


@dataclass
class Lab:
    """A running JupyterLab.

    Attributes
    ----------
    base
        Its address.
    root
        The folder that it serves.
    opens
        The path under which a notebook is opened.
    """

    base: str
    root: pathlib.Path
    opens: str = "lab/tree"


@dataclass
class Notebook:
    """A notebook open in a page of JupyterLab.

    Attributes
    ----------
    page
        The page.
    lab
        The server.
    console_errors
        What the browser complained of.
    """

    page: Page
    lab: Lab
    console_errors: list[str] = field(default_factory=list)

    def open(self, *cells: str) -> None:
        """Write a notebook of code cells and open it; nothing runs yet."""
        # A name of its own: pages that open the same file share its kernel.
        name = f"test-{next(_COUNTER)}.ipynb"
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        about = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
        notebook = {
            "cells": [{**about, "id": str(place), "source": cell} for place, cell in enumerate(cells)],
            "metadata": {"kernelspec": kernel},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        (self.lab.root / name).write_text(json.dumps(notebook), encoding="utf-8")
        self.open_file(name)

    def show(self, *cells: str) -> Locator:
        """Open a notebook of code cells, run them all, and give the first panel that they show."""
        self.open(*cells)
        self.run_all()
        return self.panel()

    def open_file(self, name: str) -> None:
        """Open a notebook that is in the server's folder."""
        if self.page.url.startswith(f"{self.lab.base}/lab"):
            self.page.evaluate(OPEN_INSTEAD, name)
            self.console_errors.clear()  # a kernel that is shut down leaves requests without an answer
        else:
            self.page.goto(f"{self.lab.base}/{self.lab.opens}/{name}?reset")
        self.page.wait_for_selector(".jp-Notebook .jp-Cell")
        self.page.wait_for_function(IS_CURRENT, arg=name)
        self.page.evaluate(
            """async () => {
              const app = window.jupyterapp;
              await app.restored;
              await app.shell.currentWidget.sessionContext.ready;
            }"""
        )

    def set_only_cell(self, source: str) -> None:
        """Give the notebook's only cell another source, and no output; nothing runs yet."""
        self.page.evaluate(
            """source => {
              const { model } = window.jupyterapp.shell.currentWidget.content.widgets[0];
              model.clearExecution();
              model.sharedModel.setSource(source);
            }""",
            source,
        )

    def leave(self) -> None:
        """Shut the kernel down and tidy the page; the next test opens another notebook in it."""
        self.command("kernelmenu:shutdown")
        self.tidy()

    def tidy(self) -> None:
        """Make the page look as a new one does."""
        self.command("filebrowser:activate")
        self.page.mouse.up()
        self.page.set_viewport_size(VIEWPORT)
        self.use_theme(dark=False)

    def save(self) -> str:
        """Save the notebook; its name in the server's folder."""
        self.command("docmanager:save")
        return self.path()

    def save_with_picture(self) -> str:
        """Save the notebook with what its panels show now, however long the kernel takes to draw it."""
        with self.longer(10_000):  # for which a save waits for its pictures
            return self.save()

    def path(self) -> str:
        """Path of the notebook in the server's folder."""
        return self.page.evaluate("() => window.jupyterapp.shell.currentWidget?.context?.path ?? ''")

    def open_beside(self, **replaced: str) -> tuple[str, str]:
        """Run a copy of the saved notebook, with some words replaced, beside it; gives the paths of both."""
        first = self.path()
        second, text = f"beside-{first}", (self.lab.root / first).read_text(encoding="utf-8")
        for old, new in replaced.items():
            text = text.replace(old, new)
        (self.lab.root / second).write_text(text, encoding="utf-8")
        self.command("docmanager:open", path=second)
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.ready")
        self.run_all()
        return first, second

    def restart(self, path: str | None = None) -> None:
        """Restart the kernel, of the notebook of a path where several are open."""
        self.page.evaluate(
            """async path => {
              const isMeant = widget => widget.sessionContext && (path === null || widget.context.path === path);
              const { sessionContext } = [...window.jupyterapp.shell.widgets('main')].find(isMeant);
              await sessionContext.session.kernel.restart();
              await sessionContext.ready;
            }""",
            path,
        )

    def load_again(self) -> None:
        """Save the notebook, leave the page and open it again."""
        name = self.save()
        self.page.goto("about:blank")
        self.open_file(name)

    def run_all(self) -> None:
        """Run all cells, and wait until they have run."""
        self.command("notebook:run-all-cells")

    def start_all(self) -> None:
        """Have all cells run, without waiting."""
        self.page.evaluate("() => { void window.jupyterapp.commands.execute('notebook:run-all-cells'); }")

    def run_cell(self, index: int) -> None:
        """Run one cell, and wait until it has run."""
        self._make_active(index)
        self.command("notebook:run-cell")

    def start_cell(self, index: int) -> None:
        """Have one cell run, without waiting."""
        self._make_active(index)
        self.page.evaluate("() => { void window.jupyterapp.commands.execute('notebook:run-cell'); }")

    def busy_prompts(self) -> Locator:
        """The prompts of the cells that run, or wait to."""
        return self.page.locator(".jp-NotebookPanel .jp-InputArea-prompt", has_text="[*]")

    def be_busy(self, index: int) -> None:
        """Have a cell run that does not end by itself, and wait until it does."""
        self.start_cell(index)
        self.busy_prompts().wait_for()

    def _make_active(self, index: int) -> None:
        self.page.evaluate("index => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = index; }", index)

    def command(self, name: str, **arguments: object) -> None:
        """Run one of JupyterLab's commands."""
        self.page.evaluate(
            "([name, arguments]) => window.jupyterapp.commands.execute(name, arguments).then(() => undefined)",
            [name, arguments],
        )

    def use_theme(self, *, dark: bool) -> None:
        """Change to Lab's dark or light theme, if it is not there already, and wait until it is."""
        shown = f"body[data-jp-theme-light={'false' if dark else 'true'}]"
        if self.page.locator(shown).count() == 0:
            self.command("apputils:change-theme", theme="JupyterLab Dark" if dark else "JupyterLab Light")
            self.page.wait_for_selector(shown, state="attached")

    def kernel(self, expression: str, deadline: float | None = None) -> Any:
        """Value of an expression in the kernel, by way of JSON; waits for a running cell, at most until a deadline."""
        reply = self.page.evaluate(
            """async ([code, seconds]) => {
              // Not the current widget: that may be a view of an output.
              const notebook = [...window.jupyterapp.shell.widgets('main')].find(widget => widget.sessionContext);
              const { kernel } = notebook.sessionContext.session;
              const future = kernel.requestExecute({code: '', silent: true, user_expressions: {it: code}});
              const late = new Promise((_, fail) => {
                if (seconds !== null) {
                  setTimeout(() => fail(new Error(`no answer within ${seconds} s`)), 1000 * seconds);
                }
              });
              return (await Promise.race([future.done, late])).content.user_expressions.it;
            }""",
            [f"__import__('json').dumps({expression})", deadline],
        )
        assert reply["status"] == "ok", reply
        # The value arrives as the repr of a JSON string.
        return json.loads(ast.literal_eval(reply["data"]["text/plain"]))

    def wait_kernel(self, expression: str, deadline: float = PATIENCE) -> Any:
        """Ask the kernel until an expression is true."""
        end = time.monotonic() + deadline
        while not (value := self.kernel(expression)):
            assert time.monotonic() < end, f"{expression} did not become true within {deadline} s"
            self.page.wait_for_timeout(50)
        return value

    @contextlib.contextmanager
    def longer(self, delay: int) -> Iterator[None]:
        """Have each timer of so many milliseconds that the page starts meanwhile run for five minutes instead."""
        end = self.page.evaluate_handle(LONGER, [delay, 300_000])
        try:
            yield
        finally:
            end.evaluate("end => end()")

    def panel(self) -> Locator:
        """The panel in the output of a cell."""
        return self.page.locator(".jp-OutputArea .hpo-panel").first

    def set_panel_width(self, width: int) -> None:
        """Give the panel of the kernel's ``widget`` a width, in pixels, and wait until the page has laid it out."""
        self.kernel(f"setattr(widget.layout, 'width', '{width}px')")
        self.page.wait_for_function(
            "([panel, width]) => getComputedStyle(panel).width === `${width}px`",
            arg=[self.panel().element_handle(), width],
        )
        rest(self.panel())

    def screenshot(self, name: str, of: Locator | None = None) -> None:
        """Keep a picture for a person who asked for pictures, or of a test that failed; it decides nothing.

        Without a picture, too, what it shows is in view and painted afterwards. For a picture it is at rest as well;
        a test that measures something at rest calls `rest` itself.
        """
        takes = TAKES_PICTURES or name.startswith("failed-")
        if of is not None:
            if takes:
                rest(of)
            of.scroll_into_view_if_needed()
        self.page.evaluate(PAINTED)
        if takes:
            ARTEFACTS.mkdir(exist_ok=True)
            (of or self.page).screenshot(path=ARTEFACTS / f"{name}.png")

    def screenshots_in_both_themes(self, name: str, of: Locator | None = None) -> None:
        """Keep pictures in the dark theme, then in the light one, which the page has afterwards; see `screenshot`.

        Without pictures the light theme is enough: a change of theme takes longer than most of what is looked at.
        """
        for dark in (True, False) if TAKES_PICTURES else (False,):
            self.use_theme(dark=dark)
            self.screenshot(f"{name}-{'dark' if dark else 'light'}", of)

    def complaints(self) -> list[str]:
        """What the browser complained of, without what cannot be helped."""
        return [error for error in self.console_errors if not any(word in error for word in HARMLESS)]


VIEWPORT = {"width": 1400, "height": 1000}
# Opened before the others are closed: an empty JupyterLab would show its launcher.
OPEN_INSTEAD = """
async name => {
  const { commands, shell } = window.jupyterapp;
  const others = [...shell.widgets('main')];
  await commands.execute('docmanager:open', { path: name });
  for (const widget of others) {
    await widget.sessionContext?.shutdown().catch(() => undefined);
    widget.dispose();
  }
}
"""
IS_CURRENT = """
name => {
  const shell = window.jupyterapp?.shell;
  const opened = [...(shell?.widgets('main') ?? [])].find(widget => widget.context?.path === name);
  // On a busy machine the focus may have gone with what was closed: then no widget is the current one.
  if (opened && shell.currentWidget !== opened) {
    shell.activateById(opened.id);
  }
  return Boolean(opened?.sessionContext) && shell.currentWidget === opened;
}
"""
# bqplot lays a figure out 300 ms after its size has changed, and a busy page draws late: rest is as many looks alike as
# take longer, each after a frame. A panel that never rests is shown as it is.
PAINTED = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
"""Resolves when a page has painted what it was told so far."""

LONGER = """
([delay, longer]) => {
  const { setTimeout } = window;
  window.setTimeout = (act, wait, ...rest) => setTimeout(act, wait === delay ? longer : wait, ...rest);
  return () => { window.setTimeout = setTimeout; };
}
"""
"""Gives timers of one length that a page starts from now on another one, until what it returns is called."""
_WHEN_AT_REST = """
async node => {
  for (let before = '', alike = 0, looks = 0; alike < 6 && looks < 30; looks++) {
    await new Promise(done => setTimeout(() => requestAnimationFrame(done), 60));
    alike = before === node.innerHTML ? alike + 1 : 0;
    before = node.innerHTML;
  }
}
"""


def rest(of: Locator) -> None:
    """Wait until something changes no more, or as long as what never rests may be waited for."""
    of.evaluate(_WHEN_AT_REST)


def copy_with_easy_training(notebook: pathlib.Path, folder: pathlib.Path, *, epochs: int) -> None:
    """Copy one of our notebooks with a search that leaves a busy machine room for the page meanwhile.

    Its training, of so many epochs, is of four in the copy, with a rest in each, and one worker imports what it needs.
    """
    text = notebook.read_text(encoding="utf-8")
    easier = {
        f"for epoch in range({epochs}):\\n": "for epoch in range(4):\\n        __import__('time').sleep(0.1)\\n",
        "max_number_of_concurrent_tasks=2": "max_number_of_concurrent_tasks=1",
    }
    for written, easy in easier.items():
        assert text.count(written) == 1
        text = text.replace(written, easy)
    (folder / notebook.name).write_text(text, encoding="utf-8")


@contextlib.contextmanager
def new_context(browser: Browser) -> Iterator[BrowserContext]:
    """Give pages a cache, a clipboard and settings in common."""
    context = browser.new_context(viewport=VIEWPORT)
    context.set_default_timeout(1000 * PATIENCE)
    try:
        yield context
    finally:
        context.close()


@contextlib.contextmanager
def open_page(lab: Lab, context: BrowserContext) -> Iterator[Notebook]:
    """Open a page of JupyterLab for as long as it is needed; what it complains of is kept."""
    page = context.new_page()
    opened = Notebook(page, lab)
    page.on("console", lambda said: opened.console_errors.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: opened.console_errors.append(str(error)))
    # A notebook that is closed while it is being saved leaves a dialog over the next one.
    of_closed = page.get_by_role("dialog", name=re.compile("^File Save Error .*Disposed$"))
    page.add_locator_handler(of_closed, lambda dialog: dialog.get_by_role("button").click())
    try:
        yield opened
    finally:
        with contextlib.suppress(Exception):  # a page that has crashed has no kernel to shut down
            opened.command("kernelmenu:shutdown")
        page.close()
