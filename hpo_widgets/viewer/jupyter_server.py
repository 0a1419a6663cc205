"""The address at which JupyterLab asks a Jupyter server for the searches that are kept in a folder."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpo_widgets.viewer.listing import JournalListing

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

ADDRESS = ("hpo-widgets", "searches")


def _load_jupyter_server_extension(server: ServerApp) -> None:
    """Have a server answer, to those who may read its files, ``GET hpo-widgets/searches?directory=…``.

    Only folders under the root of the server are looked at. Journals are read on a thread of their own, so that the
    server, on whose event loop kernels speak with pages, waits for no file.
    """
    from jupyter_server.auth.decorator import authorized
    from jupyter_server.base.handlers import APIHandler
    from jupyter_server.utils import url_path_join
    from tornado import web

    listing = JournalListing()
    root = Path(server.root_dir).expanduser().resolve()

    class SearchesHandler(APIHandler):
        auth_resource = "contents"

        @web.authenticated
        @authorized
        async def get(self) -> None:
            try:
                folder = (root / self.get_query_argument("directory", "").strip("/")).resolve()
                with contextlib.suppress(FileNotFoundError):
                    folder.stat()
                is_inside = folder.is_relative_to(root)
            except (OSError, ValueError):  # no file can have that name
                is_inside = False
            if not is_inside:
                raise web.HTTPError(404, "there is no such folder under the root of this server")
            told: dict[str, Any] = await asyncio.to_thread(listing.newest, folder)
            self.finish(told)

    address = url_path_join(server.base_url, *ADDRESS)
    server.web_app.add_handlers(".*$", [(address, SearchesHandler)])  # type: ignore[no-untyped-call]  # it has no types
