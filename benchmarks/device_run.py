"""A training whose steps are taken one by one: a part of ``device.py``."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from mtt.data import Dataset
from mtt.options.training import parse
from mtt.ranks import SerialRanks
from mtt.registry import find
from mtt.training.build import make_losses, make_stage
from mtt.training.numerics.precision import check_precision
from mtt.training.options.defaults import default_hypers
from mtt.training.plan import stage_plans
from mtt.training.stage import Stage

SIZES: dict[str, dict[str, Any]] = {
    "small": {"num_channels": 16, "num_features": 32, "num_layers": 2},
    "default": {},
}
SHORT: dict[str, dict[str, Any]] = {
    "small": {"num_channels": 4, "num_features": 8, "num_layers": 1, "max_angular": 1},
    "default": {"num_channels": 4, "num_features": 8, "num_layers": 2, "max_angular": 1},
}
PRECISIONS: dict[str, dict[str, Any]] = {
    "float32": {},
    "TF32": {"tf32": True},
    "bfloat16": {"amp": "bf16"},
}


@dataclass
class Run:
    """What was asked for, and what was found."""

    device: torch.device
    frames: list[Any]
    batch_size: int
    end: float
    short: bool
    results: dict[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Seconds that one speed is measured for."""
        return 0.5 if self.short else 4.0

    @property
    def left(self) -> float:
        return self.end - time.monotonic()

    def synchronize(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def make(run: Run, name: str, model: dict[str, Any], training: dict[str, Any]) -> Stage:
    """A training of the architecture ``name`` on the run's frames, ready for its first step."""
    target = {"key": "energy", "unit": "eV", "forces": True, "stress": False}
    dataset = Dataset.from_atoms(run.frames, {"energy": target})
    architecture = find(name).load()
    torch.manual_seed(0)
    made = architecture.model({**architecture.default_hypers["model"], **model}, dataset.info)
    made = made.to(torch.float32)
    options = parse({**default_hypers(), "batch_size": run.batch_size, **training})
    check_precision(options, run.device, made.dtype)
    made.fit_baselines(dataset, options)
    made.to(run.device).train()
    plans = stage_plans(options)
    (loss,) = make_losses(plans, made, [dataset])
    return make_stage(plans[0], made, dataset, loss, 0, SerialRanks())


def steps(stage: Stage) -> Iterator[float]:
    """Take one step after another, over as many epochs as are asked for: structures of each."""
    for epoch in itertools.count():
        batches = iter(stage.training.epoch(epoch))
        while (batch := next(batches, None)) is not None:
            result = stage.step(stage.loss, [batch], 1e-4)
            if result.fault:
                raise SystemExit(f"a step failed: {result.fault}")
            yield float(batch.graph.n_systems)
