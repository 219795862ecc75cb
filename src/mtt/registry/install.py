"""How to get a module that an architecture needs and that is not installed."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, metadata, requires


def install_command(module: str, architecture: str, distribution: str = "mtt") -> str:
    """The ``pip install`` that brings ``module``.

    Through the extra of ``distribution`` that is called like the architecture or asks for the
    module, else by the module's own name.
    """
    extra = _extra(module, architecture.rpartition(".")[2], distribution)
    if extra is not None:
        return f"pip install '{distribution}[{extra}]'"  # some shells expand brackets
    return f"pip install {module.partition('.')[0].replace('_', '-')}"


def _extra(module: str, architecture: str, distribution: str) -> str | None:
    try:
        extras = metadata(distribution).get_all("Provides-Extra") or []
        requirements = requires(distribution) or []
    except PackageNotFoundError:  # used from a source tree
        return None
    for extra in extras:
        if _same(extra, architecture):
            return str(extra)
    for requirement in requirements:
        package = re.match(r"[\w.-]+", requirement)
        marker = re.search(r"""extra\s*==\s*['"]([^'"]+)['"]""", requirement)
        if package and marker and _brings(package[0], module):
            return marker[1]
    return None


def _brings(package: str, module: str) -> bool:
    """Whether ``package`` is called like the module, or like its first part."""
    return any(_same(package, name) for name in (module, module.partition(".")[0]))


def _same(first: str, second: str) -> bool:
    """Whether two names are one to pip (PEP 503)."""
    return re.sub(r"[-_.]+", "-", first).lower() == re.sub(r"[-_.]+", "-", second).lower()
