"""Accuracy tables show what the files of results hold: all of it, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

Import = Callable[[str], ModuleType]
ROOT = Path(__file__).resolve().parent.parent.parent / "benchmarks" / "accuracy"


@pytest.fixture
def results(module: Import) -> ModuleType:
    return module("results")


@pytest.fixture
def table(module: Import) -> ModuleType:
    return module("table")


def make(results: ModuleType, **changes: Any) -> Any:
    values: dict[str, Any] = {
        "table": "acac", "data": "acac", "model_name": "nequip", "seed": 1, "threads": 2,
        "processor": "a processor, 2 cores", "minutes": 10.0, "date": "2026-11-21T08:00:00+00:00",
        "command": "train config", "hypers": "lr: 0.01", "versions": {"torch": "2.13.0"},
        "seconds": 598.2, "epochs": 120, "errors": {"validation": {"forces_rmse": 50.6}},
    }  # fmt: skip
    return results.Result(**(values | changes))


def columns(table: ModuleType) -> tuple[Any, ...]:
    return (
        table.Column("F", table.error("validation", "forces_rmse"), 1),
        table.Column("wall s", lambda r: r.seconds),
        table.Column("peak MB", lambda r: r.peak_mb),
    )


def lines(table: ModuleType, found: list[Any]) -> list[str]:
    text: str = table.markdown("T", found, columns(table))
    return [line for line in text.splitlines() if line.startswith("| ")][1:]


def test_a_run_is_a_line_and_what_is_not_known_is_a_dash(
    results: ModuleType, table: ModuleType
) -> None:
    assert lines(table, [make(results)]) == ["| nequip | acac | 10 | 50.6 | 598 | – | 1 |"]


def test_seeds_share_a_line_with_mean_and_deviation(results: ModuleType, table: ModuleType) -> None:
    second = make(results, seed=2, errors={"validation": {"forces_rmse": 52.6}}, seconds=600.2)
    (line,) = lines(table, [second, make(results)])
    assert line == "| nequip | acac | 10 | 51.6 ± 1.4 | 599 ± 1 | – | 1, 2 |"


def test_a_failure_is_a_line_with_its_reason(results: ModuleType, table: ModuleType) -> None:
    failed = make(results, errors={}, failed="exit 1: nequip-train\nnoise | more\nValueError: x")
    (line,) = lines(table, [failed])
    assert line.startswith("| nequip | acac | 10 | failed: exit 1: nequip-train … ValueError: x |")
    assert line.count("|") == 8


def test_what_worked_stays_when_a_later_run_fails(results: ModuleType, table: ModuleType) -> None:
    later = make(results, date="2026-11-22T08:00:00+00:00", errors={}, failed="no memory")
    other_seed = make(results, seed=2, errors={}, failed="no memory")
    assert lines(table, [make(results), later, other_seed]) == lines(table, [make(results)])


def test_the_newest_of_two_runs_counts(results: ModuleType, table: ModuleType) -> None:
    later = make(results, date="2026-11-22T08:00:00+00:00", seconds=601.0)
    assert lines(table, [later, make(results)]) == lines(table, [later])


def test_machines_and_budgets_are_not_mixed(results: ModuleType, table: ModuleType) -> None:
    found = [
        make(results, minutes=60.0),
        make(results, processor="another", threads=8),
        make(results),
    ]
    text = table.markdown("T", found, columns(table))
    heads = [line for line in text.splitlines() if line.startswith("## ")]
    assert heads == ["## a processor, 2 cores; 2 threads", "## another; 8 threads", "## Runs"]
    budgets = [line.split("|")[3].strip() for line in lines(table, found)[:2]]
    assert budgets == ["10", "60"]


def test_every_run_is_listed_with_what_it_takes_to_repeat_it(
    results: ModuleType, table: ModuleType
) -> None:
    text = table.markdown("T", [make(results)], columns(table), "A note.")
    for part in ("A note.", "seed 1", "2 threads", "torch 2.13.0", "`train config`", "lr: 0.01"):
        assert part in text


def test_results_are_added_and_never_overwritten(
    results: ModuleType, table: ModuleType, tmp_path: Path
) -> None:
    first = make(results, curve=[[10.0, 2.5, 80.0], [20.0, 1.5, 60.0]])
    second = make(results, seconds=1.0)
    paths = {results.save(one, tmp_path) for one in (first, second)}
    assert len(paths) == 2
    results.save(make(results, table="silicon"), tmp_path)
    assert results.load(tmp_path, "acac") == [first, second]
    path = table.write("acac", "T", columns(table), tmp_path)
    assert path == tmp_path / "acac.md"
    assert "| nequip | acac | 10 |" in path.read_text(encoding="utf-8")


RENDERED = sorted((ROOT / "results").glob("*.md"))


def test_there_are_kept_tables() -> None:
    assert RENDERED


@pytest.mark.parametrize("kept", RENDERED, ids=[path.stem for path in RENDERED])
def test_a_kept_table_shows_its_kept_results(kept: Path, tmp_path: Path) -> None:
    for file in kept.parent.glob(f"{kept.stem}-*.json"):
        shutil.copy(file, tmp_path)
    command = [sys.executable, str(ROOT / f"{kept.stem}.py"), "--render", "--out", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    again = (tmp_path / kept.name).read_text(encoding="utf-8")
    assert again == kept.read_text(encoding="utf-8")


def test_published_numbers_are_in_the_same_table(results: ModuleType, table: ModuleType) -> None:
    reference = table.Reference("MACE (published)", "acac", {"F": 5.1})
    text = table.markdown("T", [make(results)], columns(table), references=[reference])
    assert "| 1 |\n| MACE (published) | acac | – | 5.1 | – | – | – |\n" in text


def test_the_table_of_groups_has_a_line_for_every_group_of_every_model(
    results: ModuleType, module: Import
) -> None:
    groups = module("groups")
    made = [
        make(results, seed=seed, groups={"validation": {"melt": {"forces_rmse": 50.0 + seed}}})
        for seed in (1, 3)
    ]
    other = {"crystal": {"forces_rmse": 7.0}, "melt": {"forces_rmse": 40.0}}
    made.append(make(results, model_name="mace", groups={"validation": other}))
    made.append(make(results, model_name="pet", failed="no memory", groups={}))
    measures = (groups.Measure("F", "forces_rmse", 1), groups.Measure("S", "stress_rmse", 3))
    assert groups.markdown(made, measures).splitlines() == [
        "| data | group | model | minutes | F | S |",
        "|---|---|---|---|---|---|",
        "| acac | crystal | mace | 10 | 7.0 | – |",
        "| acac | melt | mace | 10 | 40.0 | – |",
        "| acac | melt | nequip | 10 | 52.0 ± 1.4 | – |",
    ]
