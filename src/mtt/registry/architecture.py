"""An architecture: its folder, and what is loaded from it."""

from __future__ import annotations

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
class ArchitectureFolder:
    """Where an architecture is; nothing of it is imported yet.

    :param name: as in ``architecture: name:`` of an options file.
    :param state: what may be expected of it.
    :param origin: where it comes from: ``"mtt"``, a package, an option or a variable.
    :param module: dotted name to import it by; empty for a folder outside of any package.
    """

    name: str
    folder: Path
    state: State
    origin: str
    module: str = ""
