"""metatrain: its ``mtt train`` with an options file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from systems import Data

from peers.program import BATCH_SIZE, Job, Program


class Metatrain(Program):
    """An architecture of metatrain, with its defaults where no option is given.

    The best epoch is that of the smallest loss, which is not its default.
    """

    packages = ("metatrain[soap-bpnn]==2026.4.1",)
    environment = "metatrain"
    epoch = r"Epoch: +\d+ .*loss"
    calculator = "metatomic"

    def __init__(
        self, name: str, architecture: str, model: dict[str, Any], training: dict[str, Any]
    ) -> None:
        super().__init__(name)
        self.architecture, self.model, self.training = architecture, model, training

    def write(self, job: Job, python: Path) -> tuple[list[str], str]:
        options = {
            "seed": job.seed,
            "base_precision": 32,
            "final_eval": False,
            "architecture": {
                "name": self.architecture,
                "model": self.model,
                "training": {
                    "batch_size": BATCH_SIZE, "num_epochs": job.n_epochs, "log_interval": 1,
                    "best_model_metric": "loss",  # the default, a product, may keep an early epoch
                    **self.training,
                },
            },
            "training_set": section(job.data, job.data.train),
            "validation_set": section(job.data, job.data.validation),
            "test_set": 0.0,
        }  # fmt: skip
        text = yaml.safe_dump(options, sort_keys=False)
        (job.folder / "options.yaml").write_text(text, encoding="utf-8")
        return [str(python.parent / "mtt"), "train", "options.yaml"], text

    def trained(self, job: Job) -> Path:
        return job.folder / "model.pt"


def section(data: Data, file: Path) -> dict[str, Any]:
    """A data section of an options file."""
    target: dict[str, Any] = {"key": "energy", "unit": "eV", "forces": {"key": "forces"}}
    target["stress"] = {"key": "stress"} if data.stress else False
    return {
        "systems": {"read_from": str(file), "length_unit": "angstrom"},
        "targets": {"energy": target},
    }
