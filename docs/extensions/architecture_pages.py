"""Writes a page for every architecture that is found, before Sphinx looks for pages.

They are written to ``architectures/`` of the sources, which git ignores. ``MTT_ARCHITECTURES``, or
``architecture_folders`` of ``conf.py``, adds folders outside of the package.
"""

from __future__ import annotations

from pathlib import Path

from architecture_text import pages, write
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from mtt.errors import MttError

FOLDER = "architectures"


def write_pages(app: Sphinx) -> None:
    """Called when the configuration is known."""
    try:
        contents = pages(app.config.architecture_folders)
    except MttError as error:
        raise ExtensionError(str(error)) from error
    write(Path(app.srcdir) / FOLDER, contents)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_config_value("architecture_folders", [], "env")
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
