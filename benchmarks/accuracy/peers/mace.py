"""MACE: ``mace_run_train`` with a file of its options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from peers.program import BATCH_SIZE, Job, Program

LEFT = 0.03  # of the learning rate when stage two begins
STAGE_TWO = 0.75  # of the epochs are stage one
SHORTEST = 8  # epochs that make two stages worth it


class Mace(Program):
    """64 scalar channels in two layers; stage two turns the weights to the energies."""

    packages = ("mace-torch==0.3.16",)
    environment = "mace"
    epoch = r"Epoch \d+: .*loss="
    calculator = "mace"
    precise = "mace_float64"

    def write(self, job: Job, python: Path) -> tuple[list[str], str]:
        second = max(1, int(STAGE_TWO * job.n_epochs))
        options: dict[str, Any] = {
            "name": "mace", "seed": job.seed, "device": "cpu", "default_dtype": "float32",
            "train_file": str(job.data.train), "valid_file": str(job.data.validation),
            "energy_key": "energy", "forces_key": "forces", "stress_key": "stress",
            "E0s": "average",  # with those of free atoms the energies learn late
            "model": "MACE", "num_channels": 64, "max_L": 0, "num_interactions": 2,
            "correlation": 3, "r_max": 5.0, "num_workers": 0,
            "batch_size": BATCH_SIZE, "valid_batch_size": 50, "eval_interval": 1,
            "max_num_epochs": job.n_epochs, "patience": job.n_epochs,
            "lr": 0.01, "scheduler": "ExponentialLR", "lr_scheduler_gamma": LEFT ** (1 / second),
            "amsgrad": True, "ema": True, "ema_decay": 0.99,
            "loss": "weighted", "energy_weight": 1.0, "forces_weight": 100.0,
        }  # fmt: skip
        if job.data.stress:
            options |= {"loss": "stress", "stress_weight": 1.0, "compute_stress": True}
        if job.n_epochs >= SHORTEST:
            options |= {
                "swa": True, "start_swa": second, "swa_lr": 1e-3,
                "swa_energy_weight": 1000.0, "swa_forces_weight": 100.0,
            }  # fmt: skip
        text = yaml.safe_dump(options, sort_keys=False)
        (job.folder / "options.yaml").write_text(text, encoding="utf-8")
        return [str(python.parent / "mace_run_train"), "--config", "options.yaml"], text

    def trained(self, job: Job) -> Path:
        second = job.folder / "mace_stagetwo.model"
        return second if second.is_file() else job.folder / "mace.model"
