"""A model that is fitted in seconds to energies and forces, for the scan to hold labels against."""

from __future__ import annotations

import copy
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from mtt.data import Batching, Dataset, Loader
from mtt.data.info import POSITIONS
from mtt.graph import Target
from mtt.interface import Run
from mtt.mlip import MLIPModel
from mtt.nn import building
from mtt.options.yaml.overrides import deep_merge
from mtt.registry.quick import quick_fit
from mtt.scanning.fit.fitted import Fitted, FitTo
from mtt.stopping import stop_if_asked
from mtt.training.reporting.silent import silent

_ATOMS = 20_000
"""That are fitted, about; a part of the structures represents the others."""
_ENERGIES = 30.0
"""Weight of energies beside that of forces, whose error per atom is so much smaller."""


def fitter(architectures: Sequence[Path] = ()) -> FitTo:
    """What fits an energy and its forces to a data set, with the architecture that is quickest.

    :param architectures: folders of architectures outside of the package.
    """

    def fit(dataset: Dataset, name: str, forces_alone: bool = False) -> Fitted:
        start = time.perf_counter()
        only = _without_stress(dataset, name)
        architecture, options = quick_fit(only.info, architectures)
        defaults = architecture.default_hypers
        model_hypers = deep_merge(
            deep_merge(architecture.model.platform_hypers(), defaults["model"]), options["model"]
        )
        training = deep_merge(
            deep_merge(architecture.trainer.platform_hypers(), defaults["training"]),
            {**options["training"], "loss": _loss(only, name, forces_alone)},
        )
        with building(0, torch.float64):
            model = architecture.model(copy.deepcopy(model_hypers), only.info)
        assert isinstance(model, MLIPModel), "quick_fit is of models of the platform"
        trainer = architecture.trainer(training)
        trainer.run = Run(architecture=architecture.name, own_loggers=False)
        most = _ATOMS // 3 if forces_alone else _ATOMS
        some = only.select(_representatives(only, most))
        with tempfile.TemporaryDirectory() as folder, silent():
            devices = [torch.device("cpu")]
            trainer.train(model, torch.float64, devices, [some], [some], folder)
        return _predictions(model, only, name, architecture.name, start)

    return fit


def _without_stress(dataset: Dataset, name: str) -> Dataset:
    """The energy ``name`` with its forces alone."""
    target = dataset.info.targets[name]
    kept = replace(target, gradients=tuple(g for g in target.gradients if g == POSITIONS))
    return dataset.keep_targets(replace(dataset.info, targets={name: kept}, extra_data={}))


def _loss(dataset: Dataset, name: str, forces_alone: bool) -> dict[str, object]:
    entry: dict[str, object] = {"type": "mse", "weight": 1.0, "gradients": {}}
    if dataset.info.targets[name].has_forces:
        forces = {"type": "mse", "weight": 1.0}
        entry |= {"weight": 0.0 if forces_alone else _ENERGIES, "gradients": {POSITIONS: forces}}
    return {name: entry}


def _representatives(dataset: Dataset, most: int) -> np.ndarray:
    """Every so many-th structure, so that there are not too many atoms."""
    total = int(dataset.n_atoms.sum())
    return np.arange(0, len(dataset), max(1, -(-total // most)))


def _predictions(
    model: MLIPModel, dataset: Dataset, name: str, architecture: str, start: float
) -> Fitted:
    loader = Loader(
        dataset,
        model.dataset_info.atomic_types,
        dtype=torch.float64,
        batching=Batching(structures=8),
        shuffle=False,
        cutoff=model.list_cutoff(),
    )
    model.eval()
    parts: list[Target] = []
    for batch in loader.epoch():
        parts.append(model.predict_targets(batch.graph, all_gradients=True)[name])
        stop_if_asked()
    energy, forces, strain = (
        torch.cat([one for one in column if one is not None]).numpy()
        for column in zip(*parts, strict=True)
    )
    return Fitted(architecture, energy[:, 0], forces, strain, time.perf_counter() - start)
