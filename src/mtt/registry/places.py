"""The places of architecture folders. Nothing is imported."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from pathlib import Path

from mtt.discovery import source_of
from mtt.errors import ArchitectureError, did_you_mean
from mtt.registry.architecture import DEFAULTS, INIT, State
from mtt.registry.found import Found

VARIABLE = "MTT_ARCHITECTURES"
GROUP = "mtt.architectures"

_PACKAGE = Path(__file__).parent.parent
# folder of the package, prefix of the names in it, what may be expected of them
_BUILT_IN: tuple[tuple[str, str, State], ...] = (
    ("architectures", "", "stable"),
    ("experimental", "experimental.", "experimental"),
    ("deprecated", "deprecated.", "deprecated"),
)


def search(extra_dirs: Sequence[str | Path]) -> Iterator[Found]:
    """Every architecture folder, place by place; names may come twice.

    :raises ArchitectureError: one of ``extra_dirs``, or of the variable, is not a folder.
    """
    yield from _built_in()
    for folder, origin in _given(extra_dirs):
        for one in _architectures_in(folder):
            yield Found(one.name, one, "external", origin)
    for point in _entry_points(tuple(sys.path)):
        yield _installed(point)


def missing_files(folder: Path) -> list[str]:
    """What ``folder`` lacks to be an architecture."""
    return [name for name in (INIT, DEFAULTS) if not (folder / name).is_file()]


def almost(name: str, extra_dirs: Sequence[str | Path]) -> Iterator[Path]:
    """Folders called ``name`` that would be an architecture, were they complete."""
    parents = [_PACKAGE / place for place, _, _ in _BUILT_IN]
    for folder, _ in _given(extra_dirs):
        parents += [folder, folder.parent] if folder.name == name else [folder]
    for parent in parents:
        folder = parent / name
        # unlike Path.is_dir, no error for a name that is too long for a file
        if os.path.isdir(folder) and missing_files(folder):
            yield folder


def _built_in() -> Iterator[Found]:
    for place, prefix, state in _BUILT_IN:
        for folder in _architectures_in(_PACKAGE / place):
            name = folder.name
            yield Found(f"{prefix}{name}", folder, state, "mtt", f"mtt.{place}.{name}")


def _given(extra_dirs: Sequence[str | Path]) -> Iterator[tuple[Path, str]]:
    variable = [part for part in os.environ.get(VARIABLE, "").split(os.pathsep) if part]
    given = [(path, "--architectures") for path in extra_dirs]
    for path, origin in [*given, *((path, VARIABLE) for path in variable)]:
        folder = Path(path).expanduser().resolve()
        if not os.path.isdir(folder):
            near = [item.name for item in folder.parent.glob("*")]
            raise ArchitectureError(
                f"{path} is not a folder", where=origin, hint=did_you_mean(folder.name, near)
            )
        yield folder, origin


def _architectures_in(folder: Path) -> list[Path]:
    """``folder`` itself, or the architectures that it holds."""
    if not folder.is_dir():
        return []
    if not missing_files(folder):
        return [folder]
    hidden = (".", "_")
    return sorted(
        item
        for item in folder.iterdir()
        if item.is_dir() and not item.name.startswith(hidden) and not missing_files(item)
    )


@cache
def _entry_points(path: tuple[str, ...]) -> EntryPoints:
    """Of the packages on ``path``, which take 20 ms to find."""
    return entry_points(group=GROUP)


def _installed(point: EntryPoint) -> Found:
    """What an installed package offers: ``name = package.module.of.the.folder``."""
    origin = f"package {point.dist.name}" if point.dist is not None else "entry point"
    folder = _locate(point.module)
    if folder is None:
        problem = f"the entry point of {origin} names {point.module!r}, which is not a package"
        folder = Path(*point.module.split("."))
    else:
        lacking = missing_files(folder)
        problem = f"{folder} lacks {' and '.join(lacking)}" if lacking else ""
    return Found(point.name, folder, "external", origin, point.module, problem)


def _locate(module: str) -> Path | None:
    """Folder of a package, found without importing it or its parents."""
    spec = source_of(module)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations))).resolve()
