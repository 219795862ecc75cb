"""An architecture folder that was found, to be loaded when it is chosen."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from mtt.registry.architecture import INIT, Architecture, ArchitectureFolder


@dataclass(frozen=True)
class Found(ArchitectureFolder):
    """An architecture folder that was found.

    :param problem: why it cannot be used, if so.
    """

    problem: str = ""

    @property
    def summary(self) -> str:
        """First line of the docstring of ``__init__.py``, read but not run."""
        try:
            tree = ast.parse((self.folder / INIT).read_text(encoding="utf-8"))
        except (OSError, SyntaxError, ValueError):
            return ""
        return (ast.get_docstring(tree) or "").partition("\n")[0]

    def load(self) -> Architecture:
        """Import the folder and check what it exposes.

        :raises ArchitectureError: it cannot be imported, or a piece is missing or wrong.
        """
        from mtt.registry.load_architecture import load  # a list of architectures does not need it

        return load(self)
