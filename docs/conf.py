"""What `make docs` makes a site of: the pages of this repository as they are, and a reference from docstrings.

The sources are read from the root of the repository, so that a page links to its neighbours, in `docs/` or not, by the
paths that hold on every other host, too. Sphinx warns of a link that leads nowhere and of a page that no list names;
`make docs` takes both for failures.
"""

from __future__ import annotations

import importlib.metadata
import shutil
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from pygments.lexers import YamlLexer
from sphinx.addnodes import pending_xref
from sphinx.util.inspect import signature, stringify_signature
from traitlets import HasTraits

if TYPE_CHECKING:
    from docutils.nodes import document
    from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[1]

NAVIGATION = {
    "Tutorial": {
        "Getting started": "docs/getting-started",
        "Notebooks": "docs/notebooks",
    },
    "How to": {
        "Find your way in JupyterLab": "docs/jupyterlab",
        "Read the plots": "docs/plots",
        "Understand the advice": "docs/advice",
        "Draw a prior": "docs/priors",
        "Search on ClearML": "docs/clearml",
        "Keep a panel in a notebook": "docs/reopened",
        "Use other hosts than JupyterLab": "docs/hosts",
        "Teach with races and comparisons": "docs/teaching",
    },
    "Reference": {
        "hpo_widgets": "docs/reference/hpo_widgets",
        "hpo_widgets.widget": "docs/reference/widget",
        "hpo_widgets.testing": "docs/reference/testing",
        "Members and their tests": "docs/members",
        "Measurements": "BENCHMARKS",
        "Changes": "CHANGELOG",
    },
    "How it works": {
        "Architecture": "docs/architecture",
        "How far it scales": "docs/scale",
        "What is trusted": "SECURITY",
        "What survives what": "docs/faults",
        "Beside other tools": "docs/comparison",
        "Contributing": "CONTRIBUTING",
        "What first-time users met": "docs/first_walk",
    },
}
"""Heading to the pages below it, each with its title in the list at the side."""

project = "hpo_widgets"
release = importlib.metadata.version("hpo-widgets")
project_copyright = "the authors of hpo_widgets"
extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc"]
root_doc = "README"
# Only what the list names is read, and the rest of the repository is not walked through.
include_patterns = ["*.md", "docs/**"]
exclude_patterns = [path.name for path in ROOT.iterdir() if path.is_dir() and path.name != "docs"]
myst_heading_anchors = 3
suppress_warnings = ["myst.header"]  # the README's headings begin below its pictures

default_role = "py:obj"  # `Name` in a docstring is a name of Python's, and a link where the site has it
autodoc_default_options = {
    "members": True,
    "show-inheritance": True,
    # What ipywidgets, strings and enumerations bring stands in their own manuals.
    "inherited-members": "AnyWidget, Box, DOMWidget, Enum, HasTraits, Widget, dict, str, tuple",
}
autodoc_member_order = "bysource"
numpydoc_show_class_members = False  # autodoc lists them
python_maximum_signature_line_length = 100
python_use_unqualified_type_names = True

toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = "hpo_widgets"
html_copy_source = False
html_show_sourcelink = False


def add_navigation(_app: Sphinx, name: str, source: list[str]) -> None:
    """Append the lists of pages to the first page, whose text is the README's."""
    if name != root_doc:
        return
    for heading, pages in NAVIGATION.items():
        lines = "\n".join(f"{title} <{page}>" for title, page in pages.items())
        source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {heading}\n\n{lines}\n```\n"


def name_folders(app: Sphinx, page: document) -> None:
    """Show links to folders of the repository, of which the site has no page, as their words."""
    here = ROOT / PurePosixPath(app.env.docname).parent
    for link in list(page.findall(pending_xref)):
        if link["reftype"] == "myst" and (here / link["reftarget"]).is_dir():
            link.replace_self(link.children)


def show_constructor(_app: Sphinx, _what: str, _name: str, member: object, *_: object) -> tuple[str, str] | None:
    """Show what a widget's constructor takes: those of traitlets have a ``__new__`` that takes anything."""
    if not isinstance(member, type) or not issubclass(member, HasTraits):
        return None
    return stringify_signature(signature(member.__init__, bound_method=True)), ""


def finish(app: Sphinx, error: Exception | None) -> None:
    """Add what HTML inside of pages refers to, and the page that a server shows first."""
    if error is None:
        out = Path(app.outdir)
        shutil.copytree(ROOT / "docs" / "images", out / "docs" / "images", dirs_exist_ok=True)
        (out / "index.html").write_text(
            f'<!doctype html><title>{html_title}</title><meta http-equiv="refresh" content="0; url={root_doc}.html">\n',
            encoding="utf-8",
        )


def setup(app: Sphinx) -> None:
    """Register the changes above."""
    app.connect("source-read", add_navigation)
    app.connect("doctree-read", name_folders)
    app.connect("autodoc-process-signature", show_constructor)
    app.add_lexer("hocon", YamlLexer)  # clearml.conf's format, of which Pygments has no lexer
    app.connect("build-finished", finish)
