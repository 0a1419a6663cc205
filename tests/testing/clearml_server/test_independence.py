"""The server stands alone: it shares nothing with the client of this package, and says what it needs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import hpo_widgets

PACKAGE = Path(hpo_widgets.__file__).parent


def imported_by(folder):
    """The modules that the files of a folder import, however."""
    names = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add(node.module or "")
    return names


def test_the_server_and_the_client_of_this_package_share_nothing():
    # Two that agree only with each other prove nothing: the server stands on recordings, the client on the SDK.
    server, client = PACKAGE / "testing" / "clearml_server", PACKAGE / "engines" / "clearml"
    assert not [
        name
        for name in imported_by(server)
        if name.startswith(("hpo_widgets.engines", "hpo_widgets.clearml_sdk", "clearml"))
    ]
    assert [name for name in imported_by(server) if name.startswith("hpo_widgets.testing.clearml_server.")]
    assert client.is_dir()
    assert not [name for name in imported_by(client) if name.startswith("hpo_widgets.testing")]
    inside = [name for name in imported_by(server) if name.startswith("hpo_widgets.")]
    assert all(name.startswith("hpo_widgets.testing.clearml_server") for name in inside)


@pytest.mark.parametrize("missing", ["tornado", "jwt"])
def test_without_the_extra_the_import_says_what_to_install(missing):
    code = f"""
import sys
sys.modules["{missing}"] = None
import hpo_widgets.testing.clearml_server
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert 'pip install "hpo-widgets[demo]"' in done.stderr
