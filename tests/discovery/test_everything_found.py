"""Everything that is found by being there is tested, described in the schema, and in the manual."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from mtt.discovery import (
    AVERAGES,
    KINDS,
    LOGGERS,
    LOSSES,
    OPTIMIZERS,
    READERS,
    SCHEDULES,
    TARGET_KINDS,
    Plugins,
)
from mtt.options import SCHEMA_PATH
from mtt.training import training_schema


@dataclass(frozen=True)
class Place:
    """Where the things of one kind are described.

    :param tests: file with a test of all of them, and the name of its table with a case for each.
    :param schema: the description that names them.
    :param page: of the manual, with a table whose row has name and description.
    """

    tests: tuple[str, str]
    schema: Callable[[], str]
    page: str


def training_option(name: str) -> Callable[[], str]:
    return lambda: training_schema()["properties"][name]["description"]


def loggers_option() -> str:
    """Those in the list, and those that are options."""
    options = json.loads(Path(SCHEMA_PATH).read_text(encoding="utf-8"))["properties"]
    return " ".join([options["loggers"]["description"], *options])


def reader_option() -> str:
    schema = json.loads(Path(SCHEMA_PATH).read_text(encoding="utf-8"))
    return schema["$defs"]["reader"]["description"]


def type_option() -> str:
    schema = json.loads(Path(SCHEMA_PATH).read_text(encoding="utf-8"))
    return schema["$defs"]["type"]["description"]


PLACES = {
    AVERAGES: Place(
        ("training/averaging/test_every_average.py", "CASES"), training_option("ema"), "averaging"
    ),
    LOGGERS: Place(("training/reporting/test_every_logger.py", "CASES"), loggers_option, "logging"),
    LOSSES: Place(("training/losses/test_loss.py", "FORMULAS"), training_option("loss"), "losses"),
    OPTIMIZERS: Place(
        ("training/test_optimizer_formulas.py", "FORMULAS"),
        training_option("optimizer"),
        "optimizers",
    ),
    READERS: Place(("data/files/test_every_reader.py", "CASES"), reader_option, "data"),
    SCHEDULES: Place(
        ("training/test_schedules.py", "FORMULAS"), training_option("scheduler"), "schedules"
    ),
    TARGET_KINDS: Place(("data/kinds/test_every_kind.py", "FORMULAS"), type_option, "data"),
}


def own(kind: Plugins) -> list[str]:
    """Without what other packages add."""
    return [name for name, one in kind.find().items() if one.origin == "mtt"]


def cases(path: Path, table: str) -> set[str]:
    """The keys of a table that a file of tests assigns."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and table in map(ast.unparse, node.targets):
            assert isinstance(node.value, ast.Dict), table
            return {key.value for key in node.value.keys if isinstance(key, ast.Constant)}
    raise AssertionError(f"{path} has no {table}")


@pytest.mark.parametrize(
    ("kind", "name"),
    [pytest.param(kind, name, id=f"{kind.what} {name}") for kind in KINDS for name in own(kind)],
)
def test_everything_that_is_found_is_tested_described_and_in_the_manual(
    kind: Plugins, name: str, root: Path
) -> None:
    place = PLACES[kind]
    file, table = place.tests
    assert name in cases(root / "tests" / file, table), f"{table} of {file} has no case for it"
    assert re.search(rf"\b{name}\b", place.schema()), "the schema does not name it"
    described = kind.described()[name].replace("|", "\\|")
    assert described, "its docstring says nothing"
    page = (root / "docs" / "src" / f"{place.page}.md").read_text(encoding="utf-8")
    row = re.search(rf"^\| `{name}` \| (.*?) \|($| )", page, re.MULTILINE)
    assert row, f"{place.page}.md has no row for it"
    assert row[1] == described, f"{place.page}.md does not say: {described}"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.what)
def test_every_kind_has_things_and_cases_for_no_others(kind: Plugins, root: Path) -> None:
    assert own(kind)
    file, table = PLACES[kind].tests
    assert cases(root / "tests" / file, table) == set(own(kind))
