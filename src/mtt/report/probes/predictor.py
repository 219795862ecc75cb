"""Energies, forces and strain derivatives of structures, by the model of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import ase
import numpy as np
import torch
from metatomic.torch import unit_conversion_factor
from numpy.typing import NDArray

from mtt.data import Dataset
from mtt.errors import DataError
from mtt.evaluation.inputs import inputs_of
from mtt.evaluation.outputs import model_info
from mtt.evaluation.predict import predict
from mtt.interface import ModelInterface
from mtt.mlip.states import STATES

_ATOMS = 4000  # of a batch


class Predicted(NamedTuple):
    """What is predicted of structures, in eV and Å; their order is kept."""

    energies: NDArray[Any]  # [n]
    forces: list[NDArray[Any]]  # [n_atoms, 3] of each


class Predictor:
    """Predicts an energy of a model in eV, with forces in eV/Å, for structures in Å.

    ``elements`` are atomic numbers that it knows, ``angstrom`` is one Å in its unit of length.

    :param device: that the model is moved to.
    :raises DataError: the model predicts no energy, or in units that cannot be converted; it takes
        numbers beside structures, charge and spin.
    """

    def __init__(self, model: ModelInterface, device: torch.device | str = "cpu") -> None:
        info = model_info(model)
        names = [name for name, one in info.targets.items() if one.is_energy]
        if not names:
            raise DataError("the model predicts no energy")
        numbers = sorted(set(inputs_of(model)) - set(STATES))
        if numbers:
            what = f"the model takes {', '.join(numbers)}"
            raise DataError(f"{what}, which the structures of the physical tests do not have")
        self.target = "energy" if "energy" in names else names[0]
        self.elements = [int(z) for z in info.atomic_types]
        unit, length = info.targets[self.target].unit, info.length_unit
        if not length:
            raise DataError("the unit of length is not given (length_unit under systems)")
        if not unit:
            raise DataError(f"the unit of the energy is not given (unit under {self.target})")
        try:
            self._energy = float(unit_conversion_factor(unit, "eV"))
            self.angstrom = float(unit_conversion_factor("angstrom", length))
        except (ValueError, RuntimeError) as error:
            raise DataError(f"units cannot be converted: {error}") from error
        self._model, self._device, self._unit = model, device, length

    @property
    def cutoff(self) -> float:
        """The largest one of the neighbour lists, in Å; 0 where the model asks for none."""
        lists = self._model.requested_neighbor_lists()
        return max((float(one.engine_cutoff("angstrom")) for one in lists), default=0.0)

    def __call__(self, structures: Sequence[ase.Atoms]) -> Predicted:
        """Predict ``structures``, at most some thousand atoms at once."""
        scaled = [self._scaled(atoms) for atoms in structures]
        dataset = Dataset.from_atoms(scaled, {}, length_unit=self._unit)
        largest = max(len(atoms) for atoms in structures)
        energies, forces = np.zeros(len(structures)), []
        batch = max(1, _ATOMS // largest)
        for one in predict(self._model, dataset, batch_size=batch, device=self._device):
            found = one.targets[self.target]
            index = one.index.cpu().numpy()
            energies[index] = found.values.detach().double().cpu().numpy().reshape(-1)
            assert found.forces is not None
            rows = found.forces.detach().double().cpu().numpy()
            ends = one.n_atoms.cpu().numpy().cumsum()
            forces += np.split(rows * (self._energy * self.angstrom), ends[:-1])
        return Predicted(energies * self._energy, forces)

    def _scaled(self, atoms: ase.Atoms) -> ase.Atoms:
        """In the unit of length of the model."""
        if self.angstrom == 1.0:
            return atoms
        other = atoms.copy()
        other.set_cell(atoms.cell * self.angstrom, scale_atoms=True)
        if not atoms.cell.any():
            other.positions = atoms.positions * self.angstrom
        return other
