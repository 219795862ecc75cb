"""Runs without the export, whose fresh process takes longer than a tiny training."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mtt.interface import Listener
from mtt.workflows.folder import RunFolder
from mtt.workflows.listeners import make_events
from mtt.workflows.provenance import provenance
from mtt.workflows.restart import run_folder
from mtt.workflows.train import begin, describe, prepare, run

Fit = Callable[..., RunFolder]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test runs in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def fit() -> Fit:
    """``fit(options, restart=None)``: what ``train`` does, up to the export."""

    def fit(
        options: str | Path | Mapping[str, Any],
        restart: str | Path | None = None,
        *,
        architectures: Sequence[Path] = (),
        listeners: Sequence[Listener] = (),
    ) -> RunFolder:
        plan = prepare(options, Path("model.pt"), restart, (), architectures, False)
        start = begin(plan)
        folder = run_folder(plan.restart)
        origin = provenance(start.provenance, plan.options.seed, plan.data)
        describe(plan, folder, origin)
        with closing(make_events(plan.options, folder.path, listeners)) as events:
            run(plan, start, folder, origin, events)
        return folder

    return fit


@pytest.fixture
def history() -> Callable[[RunFolder], list[dict[str, Any]]]:
    """The epochs in ``history.jsonl``, without what depends on the clock."""

    def history(folder: RunFolder) -> list[dict[str, Any]]:
        lines = (folder.path / "history.jsonl").read_text(encoding="utf-8").splitlines()
        return [_without_clock(json.loads(line)) for line in lines]

    return history


def _without_clock(values: Any) -> Any:
    if isinstance(values, dict):
        return {k: _without_clock(v) for k, v in values.items() if "seconds" not in k}
    return values
