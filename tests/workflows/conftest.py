"""Runs without the export, whose fresh process takes longer than a tiny training."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mtt import train
from mtt.checkpoint import read
from mtt.testing import predictions, systems
from mtt.workflows.run.folder import RunFolder

Fit = Callable[..., RunFolder]

BONDS = {
    "C-C": {"k": 20.0, "r0": 1.5},
    "C-H": {"k": 21.0, "r0": 1.1},
    "C-O": {"k": 22.0, "r0": 1.4},
    "H-O": {"k": 23.0, "r0": 1.0},
}
PRIOR = {
    "topology": {"from": "connectivity"},
    "bonds": BONDS,
    "repulsion": {"sigma": 1.5, "epsilon": 0.03, "cutoff": 3.0},
}
STAGES = [
    {"name": "broad", "num_epochs": 2, "optimizer": "adabelief", "learning_rate": 0.01},
    {"name": "fine", "num_epochs": 2, "optimizer": "yogi", "from": "best"},
]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test runs in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def with_prior() -> Callable[..., dict[str, Any]]:
    """``with_prior(options, **training)``: a copy with springs and walls below the network."""

    def add(options: dict[str, Any], **training: Any) -> dict[str, Any]:
        changed = copy.deepcopy(options)
        changed["architecture"]["model"]["prior"] = copy.deepcopy(PRIOR)
        changed["architecture"]["training"].update(training)
        return changed

    return add


@pytest.fixture(scope="session")
def chain(
    tiny_options: dict[str, Any],
    with_prior: Callable[..., dict[str, Any]],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[dict[str, Any], Path]:
    """Options, and the folder of a run: pre-fit, two stages, averages; exported."""
    folder = tmp_path_factory.mktemp("chain")
    prefit = {"parameters": ["prior.*"], "max_steps": 4}
    options = with_prior(tiny_options, stages=STAGES, ema={"decay": 0.5}, prefit=prefit)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        train(options)
    return options, folder


@pytest.fixture
def stored(chain: tuple[dict[str, Any], Path]) -> dict[str, Any]:
    """The checkpoint of that run."""
    return read(chain[1] / "model.ckpt")


@pytest.fixture(scope="session")
def equal_predictions() -> Callable[..., None]:
    """Compares energies, forces and strain derivatives of two models, on every kind of cell."""

    def check(one: Any, other: Any, tolerance: float = 0.0) -> None:
        structures = systems.ordinary((1, 6, 8))
        pairs = zip(predictions(one, structures), predictions(other, structures), strict=True)
        for a, b in pairs:
            for part in ("values", "forces", "strain"):
                mine, theirs = getattr(a["energy"], part), getattr(b["energy"], part)
                torch.testing.assert_close(mine, theirs, rtol=tolerance, atol=tolerance)

    return check
