"""NequIP: ``nequip-train`` with a configuration of Hydra."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from ase.data import chemical_symbols

from peers.program import BATCH_SIZE, Job, Program

CUTOFF = 5.0  # Å


class Nequip(Program):
    """Three layers of 32 features up to l = 1; eager while it trains, AOTInductor for ASE."""

    packages = ("nequip==0.19.1",)
    environment = "nequip"
    epoch = r"^epoch \d+ of \d+"  # inside/epoch_lines.py
    calculator = "nequip"

    def write(self, job: Job, python: Path) -> tuple[list[str], str]:
        symbols = [chemical_symbols[z] for z in job.data.elements]
        configuration = {
            "run": ["train"],
            "hydra": {"run": {"dir": "."}, "output_subdir": None},
            "data": _data(job, symbols),
            "trainer": _trainer(job.n_epochs),
            "training_module": _training(job, symbols),
        }
        text = yaml.safe_dump(configuration, sort_keys=False)
        (job.folder / "config.yaml").write_text(text, encoding="utf-8")
        return [str(python.parent / "nequip-train"), "-cp", str(job.folder), "-cn", "config"], text

    def trained(self, job: Job) -> Path:
        return job.folder / "best.ckpt"

    def compiled(self, job: Job, python: Path) -> tuple[list[str], Path] | None:
        result = job.folder / "compiled.nequip.pt2"
        command = [str(python.parent / "nequip-compile"), str(self.trained(job)), str(result)]
        return [*command, "--mode", "aotinductor", "--device", "cpu", "--target", "ase"], result


def _data(job: Job, symbols: list[str]) -> dict[str, Any]:
    def loader(batch_size: int, shuffle: bool) -> dict[str, Any]:
        target = "torch.utils.data.DataLoader"
        return {"_target_": target, "batch_size": batch_size, "shuffle": shuffle}

    return {
        "_target_": "nequip.data.datamodule.ASEDataModule",
        "seed": job.seed,
        "train_file_path": str(job.data.train),
        "val_file_path": str(job.data.validation),
        "transforms": [
            {
                "_target_": "nequip.data.transforms.ChemicalSpeciesToAtomTypeMapper",
                "model_type_names": symbols,
                "chemical_species_to_atom_type_map": {name: name for name in symbols},
            },
            {"_target_": "nequip.data.transforms.NeighborListTransform", "r_max": CUTOFF},
        ],
        "train_dataloader": loader(BATCH_SIZE, True),
        "val_dataloader": loader(50, False),
        "stats_manager": {
            "_target_": "nequip.data.CommonDataStatisticsManager",
            "type_names": symbols,
            "dataloader_kwargs": {"batch_size": 50},
        },
    }


def _trainer(n_epochs: int) -> dict[str, Any]:
    return {
        "_target_": "lightning.Trainer",
        "accelerator": "cpu",
        "max_epochs": n_epochs,
        "check_val_every_n_epoch": 1,
        "num_sanity_val_steps": 0,
        "enable_progress_bar": False,
        "logger": False,
        "callbacks": [
            {
                "_target_": "lightning.pytorch.callbacks.ModelCheckpoint",
                "monitor": "val0_epoch/weighted_sum",
                "dirpath": ".",
                "filename": "best",
                "save_top_k": 1,
            },
            {"_target_": "epoch_lines.EpochLines"},
        ],
    }


def _training(job: Job, symbols: list[str]) -> dict[str, Any]:
    loss, metrics = "nequip.train.EnergyForceLoss", "nequip.train.EnergyForceMetrics"
    coefficients = {"total_energy": 1.0, "forces": 1.0}
    if job.data.stress:
        loss, metrics = (
            loss.replace("Force", "ForceStress"),
            metrics.replace("Force", "ForceStress"),
        )
        coefficients["stress"] = 1.0
    shifts: Any = "${training_data_stats:per_atom_energy_mean}"
    if job.data.isolated:
        shifts = {chemical_symbols[z]: job.data.isolated[z] for z in job.data.elements}
    return {
        "_target_": "nequip.train.EMALightningModule",
        "ema_decay": 0.99,
        "loss": {"_target_": loss, "per_atom_energy": True, "coeffs": coefficients},
        "val_metrics": {"_target_": metrics},
        "optimizer": {"_target_": "torch.optim.Adam", "lr": 0.01},
        "lr_scheduler": {
            "scheduler": {
                "_target_": "torch.optim.lr_scheduler.CosineAnnealingLR",
                "T_max": job.n_epochs,
                "eta_min": 1e-5,
            },
            "interval": "epoch",
            "frequency": 1,
        },
        "model": {
            "_target_": "nequip.model.NequIPGNNModel",
            "seed": job.seed,
            "model_dtype": "float32",
            "type_names": symbols,
            "r_max": CUTOFF,
            "num_layers": 3,
            "l_max": 1,
            "num_features": 32,
            "parity": True,
            "avg_num_neighbors": "${training_data_stats:num_neighbors_mean}",
            "per_type_energy_shifts": shifts,
            "per_type_energy_scales": "${training_data_stats:forces_rms}",
        },
    }
