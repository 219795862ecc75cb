"""Sphinx configuration: ``sphinx-build -W -b html docs/src docs/build/html``."""

import sys
from pathlib import Path

from mtt import __version__

sys.path.insert(0, str(Path(__file__).parent.parent / "extensions"))

project = "mtt"
author = "the mtt developers"
copyright = "2026, the mtt developers"
release = __version__
version = __version__

extensions = [
    "architecture_pages",
    "check_tables",
    "myst_parser",
    "option_tables",
    "promise_tables",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
nitpicky = False

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_format = "short"
autodoc_default_options = {"show-inheritance": True}

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["manual.css"]
html_extra_path = ["_redirects"]  # former names of pages
html_title = f"mtt {__version__}"
