import copy
from pathlib import Path
from typing import Any, Dict, List

import torch
from metatomic.torch import System, register_autograd_neighbors

from mtt import ModelInterface, TrainerInterface


class RadialSumTrainer(TrainerInterface):
    """Adam, one structure at a time; energies and, where there are labels, forces."""

    __checkpoint_version__ = 1

    def __init__(self, hypers: Dict[str, Any]) -> None:
        super().__init__(hypers)
        self.epoch = 0
        self.optimizer_state: Dict[str, Any] | None = None
        self.best: Dict[str, Any] = {"loss": float("inf"), "weights": None}

    def train(self, model, dtype, devices, train_datasets, val_datasets, checkpoint_dir):
        model.to(dtype)
        optimizer = torch.optim.Adam(model.parameters(), lr=self.hypers["learning_rate"])
        if self.optimizer_state is not None:
            optimizer.load_state_dict(self.optimizer_state)
        while self.epoch < self.hypers["num_epochs"]:
            for dataset in train_datasets:
                for i in range(len(dataset)):
                    optimizer.zero_grad()
                    self._loss(model, dataset[i], dtype).backward()
                    optimizer.step()
            self.epoch += 1
            self.optimizer_state = optimizer.state_dict()
            loss = sum(
                float(self._loss(model, dataset[i], dtype).detach())
                for dataset in val_datasets
                for i in range(len(dataset))
            )
            if loss < self.best["loss"]:
                self.best = {"loss": loss, "weights": copy.deepcopy(model.state_dict())}
            self.save_checkpoint(model, Path(checkpoint_dir) / "last.ckpt")

    def _loss(self, model: ModelInterface, sample: Any, dtype: torch.dtype) -> torch.Tensor:
        (name,) = model.supported_outputs()
        system = with_gradient(sample.system, model.requested_neighbor_lists())
        outputs = {name: model.supported_outputs()[name]}
        energy = model([system.to(dtype)], outputs)[name].block().values
        label = sample[name].block()
        loss = ((energy - label.values.to(dtype)) / len(system)).square().sum()
        if "positions" in label.gradients_list():
            (gradient,) = torch.autograd.grad(energy.sum(), system.positions, create_graph=True)
            wanted = label.gradient("positions").values[:, :, 0].to(dtype)
            loss = loss + self.hypers["force_weight"] * (gradient - wanted).square().mean()
        return loss

    def save_checkpoint(self, model: ModelInterface, path: str | Path) -> None:
        checkpoint = model.get_checkpoint()
        checkpoint.update(
            trainer_ckpt_version=self.__checkpoint_version__,
            architecture_name="radial_sum",
            best_weights=self.best["weights"] or checkpoint["weights"],
            best_loss=self.best["loss"],
            epoch=self.epoch,
            optimizer=self.optimizer_state,
        )
        torch.save(checkpoint, path)

    @classmethod
    def load_checkpoint(cls, checkpoint, hypers, context) -> "RadialSumTrainer":
        trainer = cls(hypers)
        if context == "restart":
            trainer.epoch = checkpoint["epoch"]
            trainer.optimizer_state = checkpoint["optimizer"]
            trainer.best = {"loss": checkpoint["best_loss"], "weights": checkpoint["best_weights"]}
        return trainer

    @classmethod
    def upgrade_checkpoint(cls, checkpoint: Dict[str, Any]) -> Dict[str, Any]:
        return checkpoint


def with_gradient(system: System, lists: List[Any]) -> System:
    """A copy of ``system`` whose positions, and vectors of pairs, carry a gradient."""
    positions = system.positions.clone().requires_grad_(True)
    copied = System(system.types, positions, system.cell, system.pbc)
    for options in lists:
        neighbors = copy.deepcopy(system.get_neighbor_list(options))
        register_autograd_neighbors(copied, neighbors)
        copied.add_neighbor_list(options, neighbors)
    return copied
