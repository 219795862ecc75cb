"""The extra ``test`` installs what the tests import, and nothing of the documentation's."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
EXTENSIONS = ROOT / "docs" / "extensions"


def imported(path: Path, *, anywhere: bool) -> set[str]:
    """Packages that a file imports, at its top or ``anywhere`` in it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree) if anywhere else tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def run_by_tests() -> set[Path]:
    """Modules of the documentation's extensions that tests name, and those that these import."""
    texts = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests/docs").glob("*.py"))
    waiting = {EXTENSIONS / name for name in re.findall(r'"(\w+\.py)"', texts)}
    found: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path in found or not path.is_file():
            continue
        found.add(path)
        waiting |= {EXTENSIONS / f"{name}.py" for name in imported(path, anywhere=False)}
    return found


def required(extra: str) -> set[str]:
    """Normalized names of all distributions that ``pip install -e .[extra]`` brings."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {"": project["dependencies"], **project["optional-dependencies"]}
    found: set[str] = set()
    waiting = [Requirement(text) for text in [*extras[""], *extras[extra]]]
    while waiting:
        one = waiting.pop()
        name = normalized(one.name)
        if name == "mtt":
            waiting += [Requirement(text) for key in one.extras for text in extras[key]]
        elif name not in found:
            found.add(name)
            waiting += needed(one)
    return found


def needed(requirement: Requirement) -> Iterator[Requirement]:
    """What an installed distribution needs in turn."""
    try:
        texts = requires(requirement.name) or []
    except PackageNotFoundError:  # not for this platform
        return
    for one in map(Requirement, texts):
        extras = requirement.extras or {""}
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in extras):
            yield one


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_extra_of_the_tests_installs_what_they_import() -> None:
    documented = run_by_tests()
    assert {path.name for path in documented} > {"check_rows.py", "option_rows.py"}
    names = set().union(*(imported(path, anywhere=False) for path in documented))
    for path in (ROOT / "tests").rglob("*.py"):
        names |= imported(path, anywhere=True)
    installed = packages_distributions()
    ours = {"mtt"} | {path.stem for folder in ("tests", "docs", "benchmarks") for path in
                      (ROOT / folder).rglob("*.py")}  # fmt: skip
    foreign = names - ours - set(sys.stdlib_module_names)
    assert foreign >= {"ase", "hypothesis", "numpy", "pytest", "scipy", "torch"}
    allowed = required("test")
    missing = {n for n in foreign if not allowed & {normalized(d) for d in installed.get(n, [])}}
    assert missing == set()
