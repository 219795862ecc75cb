"""Imports go down only, and never in circles; folders stay small enough to look through."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORE = ROOT / "src" / "mtt"
PLUGINS = ("architectures", "experimental", "deprecated")
TEMPLATE = CORE / "scaffold" / "template"  # an architecture too, which new ones are copies of

# From the ground up. A room imports lower levels only, and no neighbour on its own level.
LEVELS = (
    {"errors", "_version", "disk", "harmonics", "regular"},
    {"discovery"},
    {"graph", "options", "progress", "ranks", "stopping"},
    {"nn", "data", "fetching", "processes"},
    {"interface"},
    {"registry"},
    {"checkpoint"},
    {"baselines"},
    {"mlip", "scanning"},
    {"evaluation", "exporting", "importing"},
    {"training"},
    {"report"},
    {"workflows", "extend"},
    {"testing"},
    {"checking", "drafting", "scaffold"},
    {"cli"},
    {"__main__"},
)
LEVEL = {room: level for level, rooms in enumerate(LEVELS) for room in rooms}

MAX_MODULES = 16  # of a folder


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def imports(path: Path) -> tuple[tuple[ast.stmt, str, list[str]], ...]:
    """``(node, absolute module, imported names)`` of every import, relative ones resolved.

    Those under ``TYPE_CHECKING`` count: readers follow them too.
    """
    return tuple(imports_in(path))


def imports_in(path: Path) -> Iterator[tuple[ast.stmt, str, list[str]]]:
    package = list(path.relative_to(ROOT / "src").parent.parts)
    for node in ast.walk(ast.parse(path.read_text(), filename=str(path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name, []
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield node, module, [alias.name for alias in node.names]


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(CORE.parent).with_suffix("").parts).removesuffix(".__init__")


def import_graph(files: Sequence[Path]) -> dict[str, set[str]]:
    """Module to the modules of mtt that it imports; ``from package import name`` is of the name's
    module where it is one, else of the package."""
    modules = {module_of(path) for path in files}
    graph: dict[str, set[str]] = {module: set() for module in modules}
    for path in files:
        here = module_of(path)
        for _, module, names in imports(path):
            inner = {f"{module}.{name}" for name in names} & modules
            outer = {module} & modules if not names or len(inner) < len(names) else set()
            graph[here] |= (inner | outer) - {here}
    return graph


def circle_in(graph: Mapping[str, set[str]]) -> list[str]:
    """A way from a node back to itself; empty where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def folder_of(module: str) -> str:
    """The folder inside of a room that a module is in: ``data.reading``; empty for none."""
    path = CORE.joinpath(*module.split(".")[1:])
    parts = module.split(".")[1:] if path.is_dir() else module.split(".")[1:-1]
    return ".".join(parts[:2]) if len(parts) > 1 else ""


def room_of(folder: str) -> str:
    return folder.partition(".")[0]


def room(path: Path) -> str:
    return path.relative_to(CORE).parts[0].removesuffix(".py")


def is_plugin(path: Path) -> bool:
    return room(path) in PLUGINS or path.is_relative_to(TEMPLATE)


def core_files() -> list[Path]:
    return [path for path in sorted(CORE.rglob("*.py")) if not is_plugin(path)]


def plugin_files() -> list[Path]:
    found = [path for path in sorted(CORE.rglob("*.py")) if is_plugin(path)]
    assert found
    return found


def test_imports_go_down_only() -> None:
    offenders = []
    for path in core_files():
        here = room(path)
        if here == "__init__":
            continue
        assert here in LEVEL, f"{name_of(path)}: a room without a level; add it to LEVELS"
        for node, module, names in imports(path):
            if module.split(".")[0] != "mtt":
                continue
            rooms = [module.split(".")[1]] if "." in module else names
            for there in rooms:
                if there != here and LEVEL.get(there, len(LEVELS)) >= LEVEL[here]:
                    offenders.append(f"{name_of(path)}:{node.lineno}: {here} imports {there}")
    assert sorted(offenders) == []


def test_no_imports_go_in_circles() -> None:
    assert circle_in(import_graph([*core_files(), *plugin_files()])) == []


def test_no_folders_of_a_room_go_in_circles() -> None:
    folders: dict[str, set[str]] = {}
    for module, targets in import_graph(core_files()).items():
        here = folder_of(module)
        theirs = {folder_of(target) for target in targets}
        same_room = {one for one in theirs if here and one and room_of(one) == room_of(here)}
        if here:
            folders.setdefault(here, set()).update(same_room - {here})
    assert len(folders) > 10, "folders inside of rooms"
    assert circle_in(folders) == []


def test_no_folder_is_crowded() -> None:
    counts = Counter(path.parent for path in core_files() if path.name != "__init__.py")
    crowded = {name_of(folder): n for folder, n in counts.items() if n > MAX_MODULES}
    assert crowded == {}


def test_architectures_import_public_names_only() -> None:
    allowed = {"mtt", "mtt.nn", "mtt.mlip", "mtt.errors"}
    offenders = []
    for path in plugin_files():
        own = ".".join(path.parent.relative_to(CORE.parent).parts)
        for node, module, _ in imports(path):
            outside = module.split(".")[0] == "mtt" and not f"{module}.".startswith(f"{own}.")
            if outside and module not in allowed:
                offenders.append(f"{name_of(path)}:{node.lineno}: {module}")
    assert sorted(offenders) == []
