"""Values of pairs that density_messages reads from densities and vectors."""

from __future__ import annotations

import copy
from typing import Any

import ase
import ase.build
import numpy as np
import pytest
import torch

from mtt import DatasetInfo, TargetInfo
from mtt.data import kinds
from mtt.data.batching.augmentation import rotations
from mtt.registry import find
from mtt.testing import graph_of

ARCHITECTURE = find("density_messages").load()
TINY = {
    **dict.fromkeys(("num_channels", "num_features", "num_radial"), 4),
    "cutoff": 3.0,
    "cutoff_width": 1.0,
    "max_angular": 2,
    "num_layers": 2,
}
BASIS = (
    'spherical {"irreps": {"1": [{"o3_lambda": 0, "num": 1}], "6": [{"o3_lambda": 0, "num": 2}, '
    '{"o3_lambda": 1, "num": 1}], "8": [{"o3_lambda": 1, "num": 2}]}, "product": "%s"}'
)
TARGETS = {
    f"mtt::{product}": TargetInfo(
        sample_kind="atom_pair", kind=kinds.of(BASIS % product).for_pairs().text, exchange=exchange
    )
    for product, exchange in (("coupled", "symmetric"), ("cartesian", "antisymmetric"))
}


@pytest.fixture(scope="module")
def model() -> Any:
    torch.manual_seed(3)
    hypers = {**copy.deepcopy(ARCHITECTURE.default_hypers["model"]), **TINY}
    info = DatasetInfo("angstrom", (1, 6, 8), TARGETS)
    return ARCHITECTURE.model(hypers, info).double().eval()


def values(model: Any, atoms: ase.Atoms) -> dict[str, torch.Tensor]:
    found = model.predict_targets(graph_of(model, [atoms]))
    return {name: one.values for name, one in found.items()}


def molecule() -> ase.Atoms:
    atoms = ase.build.molecule("CH3CH2OH")
    atoms.rattle(0.1, seed=1)
    return atoms


@pytest.mark.parametrize("inverted", [False, True])
def test_blocks_of_matrices_turn_with_the_molecule(model: Any, inverted: bool) -> None:
    turn = rotations(np.array([[0.2, 0.6, 0.9]]))[0] * (-1 if inverted else 1)
    atoms = molecule()
    before = values(model, atoms)
    atoms.positions = atoms.positions @ turn.T
    for name, found in values(model, atoms).items():
        kind = TARGETS[name].of_kind
        matrices = torch.from_numpy(turn).expand(len(found), 3, 3)
        torch.testing.assert_close(found, kind.rotated(before[name], matrices), rtol=0, atol=1e-12)
        parts = zip(kind.blocks, kind.split(before[name]), strict=True)
        assert all(float(part.abs().max()) > 1e-6 for block, part in parts if block.key[-1] != 8)


def test_the_other_pair_has_the_exchanged_block(model: Any) -> None:
    graph = graph_of(model, [molecule()])
    assert graph.rows is not None
    for name, found in model.predict_targets(graph).items():
        info = TARGETS[name]
        places, signs = torch.tensor(info.of_kind.exchange).T
        sign = -1.0 if info.exchange == "antisymmetric" else 1.0
        other = sign * found.values[graph.rows.reverse][:, places] * signs[:, None]
        torch.testing.assert_close(found.values, other, rtol=0, atol=1e-14)


def test_values_vanish_at_the_cutoff(model: Any) -> None:
    near, far = (values(model, ase.Atoms("OC", [[0, 0, 0], [d, 0, 0]])) for d in (1.5, 2.999))
    for name in TARGETS:
        assert float(far[name].abs().max()) < 1e-4 * float(near[name].abs().max())
    assert len(values(model, ase.Atoms("OC", [[0, 0, 0], [3.1, 0, 0]]))["mtt::coupled"]) == 0
