"""What is checked: an architecture with its options, and models of it in both precisions."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ase
import torch
from torch import Tensor

from mtt import registry
from mtt.data import Dataset
from mtt.data.info import DatasetInfo, TargetInfo
from mtt.errors import ArchitectureError, Problem, did_you_mean
from mtt.graph import Target
from mtt.interface import ModelInterface
from mtt.mlip import MLIPModel
from mtt.options.yaml.overrides import deep_merge
from mtt.testing.predictions import AnyModel, predictions

ELEMENTS = (1, 6, 8)
SEED = 2
SCALE = 1.7


class Subject:
    """An architecture, ready to be checked.

    :param architecture: a loaded one, its name, or its folder.
    :param model_hypers: laid over the folder's defaults; small models are checked faster.
    :param dataset_info: what the models are made for; an energy of hydrogen, carbon and oxygen
        if None.
    :param checkpoints: stored ones of earlier versions; those in ``checkpoints/`` of the folder
        if None.
    :raises ArchitectureError: it cannot be found or loaded.
    """

    def __init__(
        self,
        architecture: registry.Architecture | str | Path,
        *,
        model_hypers: Mapping[str, Any] | None = None,
        dataset_info: DatasetInfo | None = None,
        checkpoints: Sequence[Path] | None = None,
    ) -> None:
        self.architecture = _loaded(architecture)
        own = sorted((self.architecture.folder / "checkpoints").glob("*.ckpt"))
        self.checkpoints: list[Path] = own if checkpoints is None else list(checkpoints)
        trainer, defaults = self.architecture.trainer, self.architecture.default_hypers
        self.model_hypers: dict[str, Any] = deep_merge(defaults["model"], dict(model_hypers or {}))
        self.training_hypers: dict[str, Any] = deep_merge(
            trainer.platform_hypers(), defaults["training"]
        )
        self.info = dataset_info or default_info()
        self.exceptions: dict[str, str] = dict(self.architecture.model.__conformance_exceptions__)
        self._models: dict[torch.dtype, ModelInterface] = {}
        self._exported: bytes | None = None

    @property
    def elements(self) -> list[int]:
        return [int(number) for number in self.info.atomic_types]

    @property
    def energies(self) -> list[str]:
        """Names of the targets that are energies."""
        return [name for name, target in self.info.targets.items() if target.is_energy]

    def build(self, hypers: Mapping[str, Any] | None = None) -> ModelInterface:
        """A new model, as it is before training; the same one each time."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            chosen = self.model_hypers if hypers is None else hypers
            model: ModelInterface = self.architecture.model(copy.deepcopy(dict(chosen)), self.info)
        return model

    def model(self, dtype: torch.dtype = torch.float64) -> ModelInterface:
        """The model with weights as after training, in ``dtype``; shared by all checks.

        New weights may hide mistakes, since some begin as zeros: they are moved a little, and
        baselines are fitted to energies of single atoms.
        """
        if dtype not in self._models:
            model = self.build()
            _move_weights(model)
            if isinstance(model, MLIPModel) and len(self.energies) == len(self.info.targets):
                scales = dict.fromkeys(self.energies, SCALE)
                hypers = {**self.training_hypers, "fixed_scaling_weights": scales}
                model.fit_baselines(self._single_atoms(), hypers)
            self._models[dtype] = model.to(dtype).eval()
        return self._models[dtype]

    def exported(self) -> bytes:
        """The file that users get from the float64 model; made once."""
        if self._exported is None:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "model.pt")
                copy.deepcopy(self.model()).export().save(str(path))
                self._exported = path.read_bytes()
        return self._exported

    def graph_model(self) -> MLIPModel | None:
        """The float64 model, if it is an ``MLIPModel``."""
        model = self.model()
        return model if isinstance(model, MLIPModel) else None

    def cutoffs(self) -> list[float]:
        """Radii at which neighbours come into the model's sight, ascending, each once."""
        model = self.model()
        requested = model.requested_neighbor_lists()
        radii = {float(options.engine_cutoff(self.info.length_unit)) for options in requested}
        if isinstance(model, MLIPModel):
            radii.add(float(model.cutoff))
        return sorted(radii)

    def reach(self) -> float:
        """A distance at which structures do not feel each other, messages included."""
        model = self.model()
        own = model.interaction_range() if isinstance(model, MLIPModel) else 0.0
        return 1.0 + max([own, *(4 * cutoff for cutoff in self.cutoffs())])

    def dataset(self, structures: Sequence[ase.Atoms]) -> Dataset:
        return Dataset.from_atoms(structures, {}, length_unit=self.info.length_unit)

    def predict(
        self,
        structures: Sequence[ase.Atoms],
        model: AnyModel | None = None,
        batch_size: int = 1,
    ) -> list[dict[str, Target]]:
        """Predictions in float64, structure by structure; see :func:`predictions`.

        :param model: the float64 one of :meth:`model` if None.
        """
        chosen = self.model() if model is None else model
        return predictions(chosen, structures, info=self.info, batch_size=batch_size)

    def _single_atoms(self) -> Dataset:
        """Atoms with energies of no simple ratio."""
        structures, targets = [], {}
        for number in self.elements:
            one = ase.Atoms([number], [[0.0, 0.0, 0.0]])
            for name in self.energies:
                one.info[name] = -0.37 * number**0.5
            structures.append(one)
        for name in self.energies:
            unit = self.info.targets[name].unit
            targets[name] = {"key": name, "unit": unit, "quantity": "energy"}
        return Dataset.from_atoms(structures, targets, length_unit=self.info.length_unit)


def default_info() -> DatasetInfo:
    """An energy with forces and stress, of hydrogen, carbon and oxygen."""
    return DatasetInfo(
        "angstrom", ELEMENTS, {"energy": TargetInfo.energy(forces=True, stress=True)}
    )


def check_exceptions(subject: Subject, names: Sequence[str]) -> None:
    """Refuse exceptions that a model declares from checks that do not exist.

    :raises ArchitectureError: one problem for each of them.
    """
    owner = subject.architecture.model.__name__
    problems = [
        Problem(f"there is no check {name!r}", f"{owner}.__conformance_exceptions__", hint)
        for name, hint in ((n, did_you_mean(n, names)) for n in subject.exceptions)
        if name not in names
    ]
    if problems:
        raise ArchitectureError.collect(problems)


def _loaded(architecture: registry.Architecture | str | Path) -> registry.Architecture:
    if isinstance(architecture, registry.Architecture):
        return architecture
    if isinstance(architecture, str):
        return registry.find(architecture).load()
    folder = architecture.resolve()
    for found in registry.discover([folder]).values():
        if found.folder.resolve() == folder:
            return registry.find(found.name, [folder]).load()
    raise ArchitectureError("is not an architecture folder", where=str(folder))


def _move_weights(model: ModelInterface) -> None:
    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.requires_grad:
                continue
            size = 0.3 / max(parameter.shape[-1:], default=1) ** 0.5
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float32)
            parameter.add_(size * noise.to(parameter.dtype))


def same_weights(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> bool:
    """Whether two state dicts hold the same, to the last bit."""
    return list(first) == list(second) and all(
        torch.equal(first[name], second[name]) for name in first
    )
