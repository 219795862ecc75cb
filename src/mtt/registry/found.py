"""An architecture folder that was found, to be loaded when it is chosen."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from mtt.discovery import source_of
from mtt.registry.architecture import INIT, Architecture, ArchitectureFolder
from mtt.registry.install import install_command

EXTRA, PACKAGES = "__extra__", "__packages__"
"""Names in ``__init__.py``: the extra that installs what the folder needs, and the modules."""


@dataclass(frozen=True)
class Found(ArchitectureFolder):
    """An architecture folder that was found.

    :param problem: why it cannot be used, if so.
    """

    problem: str = ""

    @property
    def summary(self) -> str:
        """First line of the docstring of ``__init__.py``, read but not run."""
        return (ast.get_docstring(self._source()) or "").partition("\n")[0]

    @property
    def missing(self) -> tuple[str, ...]:
        """Modules that it names in ``__packages__`` and that are not installed."""
        named = self._declared(PACKAGES)
        names = [one for one in named if isinstance(one, str)] if isinstance(named, tuple) else []
        return tuple(name for name in names if source_of(name) is None)

    @property
    def install(self) -> str:
        """The command that installs what is :attr:`missing`; empty where nothing is."""
        missing = self.missing
        if not missing:
            return ""
        distribution, extra = self.distribution, self._declared(EXTRA)
        if isinstance(extra, str):
            return f"pip install '{distribution}[{extra}]'"
        return install_command(missing[0], self.name, distribution)

    @property
    def distribution(self) -> str:
        """The package whose extras install what it needs."""
        return self.origin.removeprefix("package ") if self.module else "mtt"

    def load(self) -> Architecture:
        """Import the folder and check what it exposes.

        :raises ArchitectureError: it cannot be imported, or a piece is missing or wrong.
        """
        from mtt.registry.load_architecture import load  # a list of architectures does not need it

        return load(self)

    def _source(self) -> ast.Module:
        try:
            return ast.parse((self.folder / INIT).read_text(encoding="utf-8"))
        except (OSError, SyntaxError, ValueError):
            return ast.Module([], [])

    def _declared(self, name: str) -> object:
        """The literal that ``name`` is assigned in ``__init__.py``; None for anything else."""
        for node in self._source().body:
            if isinstance(node, ast.Assign) and any(
                isinstance(target, ast.Name) and target.id == name for target in node.targets
            ):
                try:
                    return ast.literal_eval(node.value)
                except ValueError:
                    return None
        return None
