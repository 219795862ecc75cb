"""Targets of ``mtt check``: an architecture, by its folder or name, or an options file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mtt import registry
from mtt.errors import ArchitectureError, MttError, Problem, did_you_mean
from mtt.registry.architecture import DEFAULTS, SCHEMA
from mtt.registry.places import missing_files
from mtt.regular import unreadable

Kind = Literal["architecture", "options"]

_YAML = (".yaml", ".yml", ".json")
_MODELS = (".ckpt", ".pt", ".zip")


@dataclass(frozen=True)
class Target:
    """A target as it was found; nothing of it is imported or read yet.

    :param text: what the user wrote.
    :param architecture: of an architecture; None of an options file.
    """

    text: str
    architecture: registry.Found | None = None

    @property
    def kind(self) -> Kind:
        return "options" if self.architecture is None else "architecture"


def find_targets(texts: Sequence[str], architectures: Sequence[Path] = ()) -> list[Target]:
    """The target of each of ``texts``.

    :param architectures: folders of architectures outside of the package, for names.
    :raises ArchitectureError: everything that is neither.
    """
    targets: list[Target] = []
    problems: list[Problem] = []
    for text in texts:
        try:
            targets.append(_target(text, architectures))
        except MttError as error:
            problems += error.problems
    if problems:
        raise ArchitectureError.collect(problems)
    return targets


def _target(text: str, architectures: Sequence[Path]) -> Target:
    path = Path(text).expanduser()
    wrong = unreadable(path)
    if wrong:
        raise ArchitectureError(wrong.what, where=text, hint=wrong.hint)
    if path.is_file():
        return _file(text, path)
    folder = path.resolve()
    if path.is_dir() and folder.name:
        for found in registry.discover([folder]).values():
            if found.folder.resolve() == folder:
                return Target(text, registry.find(found.name, [folder], where=text))
    if path.name != text or path.suffix in _YAML + _MODELS:  # a path, not a name
        raise _no_architecture(text, path)
    if path.is_dir() and text not in registry.discover(architectures):
        raise _no_architecture(text, path)
    return Target(text, registry.find(text, architectures, where=text))


def _file(text: str, path: Path) -> Target:
    folder = path.resolve().parent
    own = path.suffix == ".py" or path.name in (DEFAULTS, SCHEMA)
    if own and not missing_files(folder):
        what = "is a file of an architecture"
        raise ArchitectureError(what, where=text, hint=f"give the folder: mtt check {path.parent}")
    if path.suffix in _YAML:
        return Target(text)
    hint = f"mtt show {text} says what it is" if path.suffix in _MODELS else ""
    raise _neither(text, hint)


def _no_architecture(text: str, path: Path) -> ArchitectureError:
    """Why a path is not a target."""
    if not path.is_dir():
        near = [item.name for item in path.parent.glob("*")]
        hint = did_you_mean(path.name, near)
        return ArchitectureError("no such file or folder", where=text, hint=hint)
    inside = [
        str(path / found.folder.name)
        for found in registry.discover([path]).values()
        if found.folder.parent == path.resolve()
    ]
    if inside:
        return _neither(text, f"it holds architectures: mtt check {' '.join(inside)}")
    lacking = " and ".join(missing_files(path))
    return ArchitectureError(
        f"is not an architecture: it lacks {lacking}", where=text, hint="mtt new NAME writes one"
    )


def _neither(text: str, hint: str) -> ArchitectureError:
    what = "is neither an architecture's folder or name, nor an options file (.yaml)"
    return ArchitectureError(what, where=text, hint=hint)
