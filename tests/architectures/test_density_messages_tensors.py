"""Vectors and tensors that density_messages reads from its densities."""

from __future__ import annotations

import copy
from typing import Any

import ase
import ase.build
import numpy as np
import pytest
import torch
from metatomic.torch import ModelEvaluationOptions, ModelOutput, load_atomistic_model

from mtt import DatasetInfo, TargetInfo
from mtt.data.batching.augmentation import rotations
from mtt.errors import ArchitectureError
from mtt.exporting import probe
from mtt.exporting.structures import structure
from mtt.mlip import check_parts
from mtt.registry import find
from mtt.testing import graph_of

ARCHITECTURE = find("density_messages").load()
TYPES = (1, 6, 8)
TINY = {
    **dict.fromkeys(("num_channels", "num_features", "num_radial"), 4),
    "cutoff": 3.0,
    "cutoff_width": 2.0,
    "max_angular": 3,
    "num_layers": 2,
}
IRREPS = [(0, 1), (0, -1), (1, 1), (1, -1), (2, 1), (2, -1), (3, 1), (3, -1)]


def spherical(*irreps: tuple[int, int]) -> str:
    listed = ", ".join(f'{{"o3_lambda": {l}, "o3_sigma": {sigma}}}' for l, sigma in irreps)
    return f'spherical {{"irreps": [{listed}]}}'


TARGETS = {
    "energy": TargetInfo.energy(forces=True),
    "mtt::dipole": TargetInfo(kind='cartesian {"rank": 1}', unit="D"),
    "mtt::shielding": TargetInfo(kind='cartesian {"rank": 2}', sample_kind="atom", properties=2),
    "mtt::density": TargetInfo(kind=spherical(*IRREPS), sample_kind="atom", properties=3),
}


def make(targets: dict[str, TargetInfo] = TARGETS, **changes: Any) -> Any:
    torch.manual_seed(3)
    hypers = {**copy.deepcopy(ARCHITECTURE.default_hypers["model"]), **TINY, **changes}
    return ARCHITECTURE.model(hypers, DatasetInfo("angstrom", TYPES, targets)).double().eval()


def molecule() -> ase.Atoms:
    atoms = ase.build.molecule("CH3CH2OH")
    atoms.rattle(0.1, seed=1)
    return atoms


@pytest.fixture(scope="module")
def model() -> Any:
    return make()


def values(model: Any, atoms: ase.Atoms) -> dict[str, torch.Tensor]:
    found = model.predict_targets(graph_of(model, [atoms]))
    return {name: one.values for name, one in found.items()}


def test_every_part_turns_and_none_is_zero(model: Any) -> None:
    atoms, Qs = molecule(), rotations(np.random.default_rng(1).uniform(size=(3, 3)))
    Qs[1] *= -1
    before = values(model, atoms)
    for Q in Qs:
        turned = atoms.copy()
        turned.positions = atoms.positions @ Q.T
        after = values(model, turned)
        for name, target in TARGETS.items():
            matrices = torch.tensor(Q).expand(len(before[name]), 3, 3)
            wanted = target.of_kind.rotated(before[name], matrices)
            assert float((after[name] - wanted).abs().max()) < 1e-12 * float(wanted.abs().max())
    start = 0
    for l, _ in IRREPS:
        part = before["mtt::density"][:, start : start + 2 * l + 1]
        assert float(part.abs().amax(dim=(0, 1)).min()) > 1e-6, l
        start += 2 * l + 1
    antisymmetric = before["mtt::shielding"] - before["mtt::shielding"].transpose(1, 2)
    assert float(antisymmetric.abs().max()) > 1e-6


def test_the_exported_file_keeps_it_to_the_last_digits(model: Any, tmp_path: Any) -> None:
    copy.deepcopy(model).export().save(str(tmp_path / "model.pt"))
    exported = load_atomistic_model(str(tmp_path / "model.pt"))
    lists, unit = exported.requested_neighbor_lists(), torch.eye(3, dtype=torch.float64)
    (Q,) = -rotations(np.random.default_rng(2).uniform(size=(1, 3)))
    systems = []
    for turn in (np.eye(3), Q):
        atoms = molecule()
        atoms.positions = atoms.positions @ turn.T
        content = structure(atoms, lists)
        systems.append(probe.system(content, content["positions"], unit, lists))
    names = [name for name in TARGETS if name != "energy"]
    outputs = {name: ModelOutput(sample_kind=TARGETS[name].sample_kind) for name in names}
    asked = ModelEvaluationOptions(length_unit="angstrom", outputs=outputs)
    found = exported(systems, asked, check_consistency=True)
    shielding = found["mtt::shielding"]
    assert shielding.keys.names == ["_"]
    assert [axis.names for axis in shielding.block().components] == [["xyz_1"], ["xyz_2"]]
    density = found["mtt::density"]
    assert density.keys.names == ["o3_lambda", "o3_sigma"]
    assert density.keys.values.tolist() == [list(one) for one in IRREPS]
    for (l, _), block in zip(IRREPS, density.blocks(), strict=True):
        assert block.components[0].names == ["o3_mu"]
        assert block.components[0].values[:, 0].tolist() == list(range(-l, l + 1))
    for name in names:
        kind = TARGETS[name].of_kind
        rows = [block.values.flatten(1) for block in found[name].blocks()]
        before, after = kind.joined(rows).chunk(2)
        matrices = torch.tensor(Q).expand(len(before), 3, 3)
        wanted = kind.rotated(before, matrices)
        assert float((after - wanted).abs().max()) < 1e-10 * float(wanted.abs().max())


def test_declared_symmetries_are_exact_and_an_isolated_atom_has_no_vector() -> None:
    targets = {
        "mtt::a": TargetInfo(kind='cartesian {"rank": 2, "symmetric": true}'),
        "mtt::b": TargetInfo(kind='cartesian {"rank": 2, "symmetric": true, "traceless": true}'),
        "mtt::c": TargetInfo(kind='cartesian {"rank": 1}'),
    }
    model = make(targets)
    found = values(model, molecule())
    for name in ("mtt::a", "mtt::b"):
        torch.testing.assert_close(found[name], found[name].transpose(1, 2))
    trace = torch.einsum("naap->np", found["mtt::b"])
    torch.testing.assert_close(trace, torch.zeros_like(trace), atol=1e-14, rtol=0)
    alone = values(model, ase.Atoms("O", [[0.0, 0.0, 0.0]]))
    assert all(not bool(one.any()) for one in alone.values())


def test_tensors_leave_the_layers_of_a_model_of_energies_as_they_are() -> None:
    """Older checkpoints fit, and a model of energies can be fine-tuned to tensors."""
    plain, both = make({"energy": TARGETS["energy"]}), make()
    shared = {name: value.shape for name, value in plain.state_dict().items()}
    assert shared.items() <= {n: value.shape for n, value in both.state_dict().items()}.items() | {
        (name, shape) for name, shape in shared.items() if name.endswith(".values")
    }
    both.load_state_dict({n: v for n, v in plain.state_dict().items() if "values" not in n},
                         strict=False)  # fmt: skip
    torch.testing.assert_close(
        values(plain, molecule())["energy"], values(both, molecule())["energy"]
    )


def test_gradients_reach_every_weight(model: Any) -> None:
    one = make()
    found = one.predict_targets(graph_of(one, [molecule()]), create_graph=True)
    sum(target.values.square().sum() for target in found.values()).backward()
    lacking = [n for n, p in one.named_parameters() if p.grad is None or not bool(p.grad.any())]
    assert lacking == []


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (spherical((4, 1)), r"degree l = 4, densities up to 3.*max_angular: 4"),
        ('cartesian {"rank": 3}', r"parts are not known \(cartesian \{\"rank\": 3\}\)"),
    ],
)
def test_what_densities_cannot_hold_is_refused(kind: str, message: str) -> None:
    with pytest.raises(ArchitectureError, match=f"mtt::x .*{message}"):
        make({"mtt::x": TargetInfo(kind=kind)})
    for one in ((1, -1), (0, -1)):
        with pytest.raises(ArchitectureError, match=f"degree l = {one[0]}, densities up to 0"):
            make({"mtt::x": TargetInfo(kind=spherical(one))}, max_angular=0)
    # what an author's architecture may lack
    info = DatasetInfo("angstrom", TYPES, {"mtt::x": TargetInfo(kind=spherical((0, -1)))})
    with pytest.raises(ArchitectureError, match=r"pseudoscalar \(l = 0, σ = -1\)"):
        check_parts(info, 3, "max_angular")


def test_mirror_images_have_opposite_pseudoscalars_and_a_planar_molecule_has_none() -> None:
    """Of a structure: an extensive target, as optical activity is."""
    model = make({"mtt::chirality": TargetInfo(kind=spherical((0, -1)))})
    left = molecule()
    right = left.copy()
    right.positions[:, 0] *= -1
    one, other = (values(model, atoms)["mtt::chirality"] for atoms in (left, right))
    assert float(one.abs()) > 1e-6
    torch.testing.assert_close(other, -one, rtol=1e-12, atol=0)
    water = values(model, ase.build.molecule("H2O"))["mtt::chirality"]
    assert float(water.abs()) < 1e-14


def test_architectures_without_tensors_name_those_that_have_them() -> None:
    other = find("experimental.linear_ace").load()
    info = DatasetInfo("angstrom", TYPES, {"mtt::x": TARGETS["mtt::dipole"]})
    message = (
        r"LinearACE cannot predict target 'mtt::x' \(cartesian\).*it can predict: energy; "
        r"architectures that can predict it: .*density_messages.*pet.*soap_bpnn"
    )
    with pytest.raises(ArchitectureError, match=message):
        other.model(copy.deepcopy(other.default_hypers["model"]), info)
