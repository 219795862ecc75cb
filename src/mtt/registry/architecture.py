"""An architecture: as found in its folder, and as loaded from it."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from mtt.interface import ModelInterface, TrainerInterface

State = Literal["stable", "experimental", "deprecated", "external"]

INIT = "__init__.py"
DEFAULTS = "default-hypers.yaml"
SCHEMA = "schema-hypers.json"
PAGE = "README.md"


@dataclass(frozen=True)
class Architecture:
    """A loaded architecture.

    :param name: as in ``architecture: name:`` of an options file.
    :param model: built as ``model(hypers["model"], dataset_info)``.
    :param trainer: built as ``trainer(hypers["training"])``.
    :param authors: pairs of ``"Name <mail>"`` and ``"@handle"``.
    :param maintainers: the same.
    :param default_hypers: ``{name, model, training}``.
    :param schema: JSON Schema of the merged hypers, if the folder has one.
    :param deprecation: of a deprecated one, until when it stays and what replaces it.
    """

    name: str
    folder: Path
    state: State
    model: type[ModelInterface]
    trainer: type[TrainerInterface]
    authors: list[tuple[str, str]]
    maintainers: list[tuple[str, str]]
    default_hypers: dict[str, Any]
    schema: dict[str, Any] | None
    deprecation: str = ""


@dataclass(frozen=True)
class Found:
    """An architecture folder that was found; nothing of it is imported yet.

    :param name: as in ``architecture: name:`` of an options file.
    :param state: what may be expected of it.
    :param origin: who brought it: ``"mtt"``, a package, an option or a variable.
    :param module: dotted name to import it by; empty for a folder outside of any package.
    :param problem: why it cannot be used, if so.
    """

    name: str
    folder: Path
    state: State
    origin: str
    module: str = ""
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
        from mtt.registry.load import load

        return load(self)
