"""The house rules that a machine can check; CONTRIBUTING.md tells them in words."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CORE = ROOT / "src" / "mtt"
PLUGINS = ("architectures", "experimental", "deprecated")
TEMPLATE = CORE / "scaffold" / "template"  # an architecture too, which new ones are copies of

MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 50
LONG_FILES: dict[str, str] = {}  # path: reason
LONG_FUNCTIONS: dict[str, str] = {}  # path::name: reason
FOREIGN_METHODS = {  # documented by torch, click and PyYAML, whose classes ask for them
    "forward", "backward", "extra_repr", "state_dict", "load_state_dict",
    "list_commands", "get_command", "format_commands", "ignore_aliases",
}  # fmt: skip
BROAD_EXCEPTS = {  # path: reason
    "src/mtt/ranks.py": "an error of the first rank is raised on all of them",
    "src/mtt/processes/distributed.py": "an error that cannot be pickled is raised by what it says",
    "src/mtt/cli/main.py": "the outermost frame: writes the report of a bug, exit code 70",
    "src/mtt/training/reporting/events.py": "a failing logger is reported and switched off",
    "src/mtt/workflows/run/remote.py": "a failing copy is tried again and reported",
}


UNPICKLES = {
    "src/mtt/processes/distributed.py": "what ranks of one job send each other, never a file"
}


def python_files(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    assert found, f"no Python files in {folders}"
    return found


def check(offenders: Iterable[str]) -> None:
    """Fail with one offender per line."""
    listed = sorted(offenders)
    assert not listed, "\n" + "\n".join(listed)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.fixture(autouse=True, scope="module")
def parsed_once() -> Iterator[None]:
    """All files, for all tests of this file and no longer."""
    yield
    tree_of.cache_clear()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def at(path: Path, node: ast.AST) -> str:
    return f"{name_of(path)}:{getattr(node, 'lineno', 1)}"


def room(path: Path) -> str:
    return path.relative_to(CORE).parts[0].removesuffix(".py")


def is_plugin(path: Path) -> bool:
    return room(path) in PLUGINS or path.is_relative_to(TEMPLATE)


def core_files() -> list[Path]:
    return [path for path in python_files("src/mtt") if not is_plugin(path)]


def architecture_names() -> list[str]:
    found = [path for path in CORE.rglob("default-hypers.yaml") if room(path) in PLUGINS]
    assert found
    return [path.parent.name for path in found]


def test_public_names_exist_and_are_loaded_on_first_use() -> None:
    import mtt

    assert all(getattr(mtt, name) is not None for name in mtt.__all__)


def test_the_core_holds_no_name_of_an_architecture() -> None:
    names = re.compile(rf"\b({'|'.join(map(re.escape, architecture_names()))})\b")
    files = [*core_files(), *CORE.rglob("*.yaml"), *CORE.rglob("*.json")]
    offenders = [
        f"{name_of(path)}:{number}"
        for path in files
        if room(path) not in PLUGINS
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if names.search(line)
    ]
    check(offenders)


def test_files_are_short() -> None:
    lengths = {
        name_of(path): len(path.read_text().splitlines())
        for path in python_files("src", "tests", "examples", "benchmarks")
    }
    long = {name for name, lines in lengths.items() if lines > MAX_FILE_LINES}
    check(f"{name}: {lengths[name]} lines" for name in long - set(LONG_FILES))
    assert set(LONG_FILES) - long == set(), "no longer an exception"


def test_functions_are_short() -> None:
    long = {}
    for path in python_files("src", "tests", "examples", "benchmarks"):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                lines = node.end_lineno - node.lineno + 1
                if lines > MAX_FUNCTION_LINES:
                    long[f"{name_of(path)}::{node.name}"] = lines
    check(f"{name}: {long[name]} lines" for name in set(long) - set(LONG_FUNCTIONS))
    assert set(LONG_FUNCTIONS) - set(long) == set(), "no longer an exception"


def test_no_module_is_called_utils() -> None:
    offenders = [name_of(path) for path in CORE.rglob("*") if path.stem in ("utils", "helpers")]
    check(offenders)


def test_nothing_is_unpickled() -> None:
    offenders = []
    for path in python_files("src", "tests", "examples", "benchmarks"):
        if name_of(path) in UNPICKLES:
            continue
        for node in ast.walk(tree_of(path)):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            safe = [k.value for k in node.keywords if k.arg == "weights_only"]
            if any(not (isinstance(v, ast.Constant) and v.value is True) for v in safe):
                offenders.append(f"{at(path, node)}: weights_only is not True")
            if called == "torch.load" and not safe:
                offenders.append(f"{at(path, node)}: torch.load without weights_only=True")
            if re.fullmatch(r"(pickle|dill|cloudpickle|joblib)\.(load|loads|Unpickler)", called):
                offenders.append(f"{at(path, node)}: {called}")
            allows = [k for k in node.keywords if k.arg == "allow_pickle"]
            if called in ("numpy.load", "np.load") and allows:
                offenders.append(f"{at(path, node)}: allow_pickle")
    check(offenders)


def test_only_render_prints() -> None:
    offenders = [
        at(path, node)
        for path in python_files("src")
        if name_of(path) != "src/mtt/cli/render/terminal.py"
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "click.echo")
    ]
    check(offenders)


def test_nothing_is_left_to_be_done() -> None:
    note = re.compile(r"\b(TODO|FIXME|XXX)\b")
    offenders = []
    for path in python_files("src", "examples", "benchmarks"):
        lines = enumerate(path.read_text().splitlines(), start=1)
        offenders += [f"{name_of(path)}:{number}" for number, line in lines if note.search(line)]
        offenders += [
            f"{at(path, node)}: NotImplementedError"
            for node in ast.walk(tree_of(path))
            if isinstance(node, ast.Raise) and "NotImplementedError" in ast.unparse(node)
        ]
    check(offenders)


def test_no_error_is_swallowed() -> None:
    offenders = set()
    for path in python_files("src"):
        for node in ast.walk(tree_of(path)):
            if not isinstance(node, ast.ExceptHandler):
                continue
            caught = {ast.unparse(n) for n in ast.walk(node.type)} if node.type else {"Exception"}
            raises = any(isinstance(n, ast.Raise) for n in ast.walk(node))
            if caught & {"Exception", "BaseException"} and not raises:
                offenders.add(name_of(path))
    check(offenders - set(BROAD_EXCEPTS))
    assert set(BROAD_EXCEPTS) - offenders == set(), "no longer an exception"


def documented_elsewhere() -> set[str]:
    """Names of methods that some class documents: an override inherits the promise."""
    return {
        member.name
        for path in python_files("src")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ClassDef)
        for member in node.body
        if isinstance(member, ast.FunctionDef) and ast.get_docstring(member)
    }


def public_definitions(body: list[ast.stmt]) -> list[ast.FunctionDef | ast.ClassDef]:
    return [
        node
        for node in body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    ]


def test_every_public_thing_has_a_docstring() -> None:
    inherited = documented_elsewhere() | FOREIGN_METHODS
    missing = []
    for path in python_files("src"):
        tree = tree_of(path)
        things = public_definitions(tree.body)
        for owner in [node for node in things if isinstance(node, ast.ClassDef)]:
            things += [
                member
                for member in public_definitions(owner.body)
                if len(member.body) > 1  # a single statement is its own explanation
                and not (owner.bases and member.name in inherited)
            ]
        missing += [
            f"{at(path, thing)}: {thing.name}" for thing in things if not ast.get_docstring(thing)
        ]
        missing += [] if ast.get_docstring(tree) or not tree.body else [f"{name_of(path)}: module"]
    check(missing)
