"""Directly predicted forces and stress, as ASE's calculator reads them from an exported file."""

from __future__ import annotations

from typing import Any

import ase.build
import numpy as np
import pytest
import torch

from mtt import DatasetInfo, TargetInfo
from mtt.options.yaml.overrides import deep_merge
from mtt.registry import find
from mtt.testing import graph_of

SMALL: dict[str, dict[str, Any]] = {
    "density_messages": {
        **dict.fromkeys(("num_channels", "num_features", "num_radial"), 4),
        "cutoff": 3.0,
        "cutoff_width": 2.0,
        "max_angular": 2,
        "num_layers": 1,
    },
    "pet": {
        **dict.fromkeys(("d_pet", "d_node", "d_head", "d_feedforward"), 4),
        **dict.fromkeys(("num_heads", "num_gnn_layers", "num_attention_layers"), 1),
        "cutoff": 3.0,
    },
    "soap_bpnn": {
        "soap": {"max_radial": 2, "max_angular": 2, "cutoff": {"radius": 3.0, "width": 1.0}},
        "bpnn": {"num_neurons_per_layer": 4, "num_hidden_layers": 1},
    },
}
DIRECT = {
    "non_conservative_force": TargetInfo(
        kind='cartesian {"rank": 1}', unit="eV/Å", sample_kind="atom"
    ),
    "non_conservative_stress": TargetInfo(
        kind='cartesian {"rank": 2, "symmetric": true}', unit="eV/Å^3", extensive=False
    ),
}
ENERGY = {"energy": TargetInfo.energy(forces=True, stress=True)}


@pytest.mark.parametrize("name", SMALL)
def test_ases_calculator_takes_forces_and_stress_from_the_model_itself(name: str) -> None:
    metatomic_ase = pytest.importorskip("metatomic_ase")
    torch.manual_seed(3)
    folder = find(name).load()
    hypers = deep_merge(folder.default_hypers["model"], SMALL[name])
    info = DatasetInfo("angstrom", (1, 8), {**ENERGY, **DIRECT})
    model = folder.model(hypers, info).double().eval()
    atoms = ase.build.molecule("H2O2", cell=[4.0, 4.5, 5.0], pbc=True)
    atoms.rattle(0.1, seed=1)
    own = model.predict_targets(graph_of(model, [atoms]))
    exported = model.export()
    for direct in (True, False):
        atoms.calc = metatomic_ase.MetatomicCalculator(
            exported, non_conservative=direct, check_consistency=True
        )
        forces, stress = own["energy"].forces, own["energy"].strain / atoms.get_volume()
        if direct:
            forces = own["non_conservative_force"].values[:, :, 0]
            forces = forces - forces.mean(0)  # the calculator leaves no net force
            stress = own["non_conservative_stress"].values[..., 0]
        close = {"rtol": 1e-9, "atol": 1e-12}
        np.testing.assert_allclose(atoms.get_forces(), forces.numpy(), **close)
        np.testing.assert_allclose(atoms.get_stress(voigt=False), stress[0].numpy(), **close)
        energy = float(own["energy"].values)
        assert atoms.get_potential_energy() == pytest.approx(energy, rel=1e-12)
