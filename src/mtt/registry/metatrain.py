"""Folders that were written for metatrain: what to write instead of their imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from mtt.errors import Problem
from mtt.options.yaml.load import parse

PEER = "metatrain"


def foreign_imports(folder: Path) -> list[Problem]:
    """One problem for every import of metatrain in the Python files of ``folder``.

    Files that are not Python are passed over: their import reports that.
    """
    problems: list[Problem] = []
    for path in sorted(folder.rglob("*.py")):
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (OSError, SyntaxError, ValueError):
            continue
        for line, module, names in _imports(tree):
            what = f"imports {', '.join(names) or module}"
            what += f" from {module}" if names else ""
            hint = "; ".join(dict.fromkeys(_instead(module, name) for name in names or [""]))
            problems.append(Problem(f"{what}, which mtt does not have", f"{path}:{line}", hint))
    return problems


def _imports(tree: ast.AST) -> Iterator[tuple[int, str, list[str]]]:
    """Line, module and names of the imports of metatrain."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level and _is_theirs(node.module):
            yield node.lineno, str(node.module), [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if _is_theirs(alias.name):
                    yield node.lineno, alias.name, []


def _is_theirs(module: str | None) -> bool:
    return (module or "").partition(".")[0] == PEER


def _instead(module: str, name: str) -> str:
    """``write: from mtt import DatasetInfo``, for ``from module import name``."""
    table, asked = _table(), module
    # `from metatrain.utils import abc` names a module, too
    if f"{module}.{name}" in table:
        asked = f"{module}.{name}"
    text = ""
    while not text:
        known = table.get(asked, {})
        text = known.get(name) or known.get("*", "")
        if not text and known:  # a module of names alone
            text = "; ".join(dict.fromkeys(known.values()))
        asked = asked.rpartition(".")[0]
    if not text.startswith(("from ", "import ")):
        return text
    code, comma, more = text.partition(", and ")
    return f"write `{code}`{comma}{more}"


@cache
def _table() -> dict[str, dict[str, Any]]:
    text = files("mtt.registry").joinpath("metatrain.yaml").read_text(encoding="utf-8")
    table: dict[str, dict[str, Any]] = parse(text, "metatrain.yaml").values
    return table
