"""Of several ranks the first one writes: the workflow asks for it wherever a file is made."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import pytest

from mtt import train
from mtt.ranks import SerialRanks

T = TypeVar("T")


class Witness(SerialRanks):
    """One rank that knows which files were there after each piece of the first rank's work."""

    def __init__(self) -> None:
        self.written: list[set[str]] = []

    def on_first(self, work: Callable[[], T]) -> T:
        before = files()
        result = work()
        self.written.append(files() - before)
        return result


def files() -> set[str]:
    return {path.name for path in Path().rglob("*") if path.is_file()}


def test_files_of_a_run_are_written_by_the_first_rank_its_log_and_its_loggers(
    tiny: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    witness = Witness()
    workflow = import_module("mtt.workflows.train")
    monkeypatch.setattr(workflow, "joined", lambda environment: nullcontext(witness))
    train(tiny)
    by_first = set().union(*witness.written)
    assert {"model.pt", "model.ckpt", "last.ckpt", "best.ckpt", "evaluation.json"} <= by_first
    assert {"options_restart.yaml", "command.json", "provenance.json"} <= by_first
    assert files() - by_first == {"train.log", "train.csv", "history.jsonl"}
