"""Vectors and tensors that soap_bpnn reads from the densities of its power spectrum."""

from __future__ import annotations

import copy
from typing import Any

import ase
import ase.build
import numpy as np
import pytest
import torch

from mtt import DatasetInfo, TargetInfo
from mtt.data.batching.augmentation import rotations
from mtt.errors import ArchitectureError
from mtt.registry import find
from mtt.testing import graph_of

ARCHITECTURE = find("soap_bpnn").load()
TYPES = (1, 6, 8)
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


def make(targets: Any = TARGETS, types: Any = TYPES, hidden: int = 1, max_angular: int = 3) -> Any:
    torch.manual_seed(3)
    hypers = copy.deepcopy(ARCHITECTURE.default_hypers["model"])
    cutoff = {"radius": 3.0, "width": 1.0}
    hypers["soap"] = {"max_angular": max_angular, "max_radial": 3, "cutoff": cutoff}
    hypers["bpnn"] = {
        "num_hidden_layers": hidden,
        "num_neurons_per_layer": 4,
        "layernorm": True,
    }
    hypers["heads"] = {name: "mlp" for name in targets if name == "mtt::dipole"}
    return ARCHITECTURE.model(hypers, DatasetInfo("angstrom", types, targets)).double().eval()


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
    for name, places in TARGETS["mtt::density"].of_kind.parts:
        part = before["mtt::density"][:, list(places)]
        assert float(part.abs().amax(dim=(0, 1)).min()) > 1e-8, name
    antisymmetric = before["mtt::shielding"] - before["mtt::shielding"].transpose(1, 2)
    assert float(antisymmetric.abs().max()) > 1e-6


def test_a_planar_molecule_has_no_pseudoscalar_and_an_isolated_atom_no_vector(model: Any) -> None:
    water = values(model, ase.build.molecule("H2O"))["mtt::density"]
    assert float(water[:, 1].abs().max()) < 1e-14 < 1e-6 < float(water[:, 0].abs().max())
    alone = values(model, ase.Atoms("O", [[0.0, 0.0, 0.0]]))
    assert not bool(alone["mtt::dipole"].any())


def test_tensors_leave_a_model_of_energies_as_it_is(model: Any) -> None:
    plain = make({"energy": TARGETS["energy"]})
    names = set(plain.state_dict())
    assert {name for name in names if name.startswith("heads.")} == {"heads.0.last.weight"}
    own = {name: value for name, value in plain.state_dict().items() if "values" not in name}
    both = make()
    both.load_state_dict(own, strict=False)
    torch.testing.assert_close(
        values(plain, molecule())["energy"], values(both, molecule())["energy"]
    )


def test_gradients_reach_every_weight_and_scripts_give_the_same() -> None:
    one = make()
    graph = graph_of(one, [molecule()])
    found = one.predict_targets(graph, create_graph=True)
    sum(target.values.square().sum() for target in found.values()).backward()
    lacking = [n for n, p in one.named_parameters() if p.grad is None or not bool(p.grad.any())]
    assert lacking == []
    scripted = torch.jit.script(one).predict(graph)
    for name, wanted in one.predict(graph).items():
        torch.testing.assert_close(scripted[name], wanted, rtol=0, atol=1e-12)


def test_a_new_element_changes_no_tensor_of_the_others() -> None:
    old, new = make(types=(1, 8)), make()
    state = old.state_dict()
    for name, value in new.state_dict().items():
        if value.shape != state[name].shape:
            state[name] = new.extend_elements(name, state[name], [0, 2])
    new.load_state_dict(state)
    new.remember_elements([[1, 8]])
    water = ase.build.molecule("H2O2")
    before, after = values(old, water), values(new, water)
    for name in TARGETS:
        torch.testing.assert_close(after[name], before[name])


@pytest.mark.parametrize(
    ("kind", "more", "message"),
    [
        (spherical((4, 1)), {}, r"degree l = 4, densities up to 3.*max_angular: 4"),
        (spherical((1, -1)), {"max_angular": 0}, "degree l = 1, densities up to 0"),
        (spherical((0, -1)), {"max_angular": 0}, "max_angular: 1"),
        ('cartesian {"rank": 3}', {}, r"parts are not known"),
        ('cartesian {"rank": 1}', {"hidden": 0}, "vectors and tensors need a hidden layer"),
    ],
)
def test_what_the_expansion_cannot_hold_is_refused(kind: str, more: Any, message: str) -> None:
    with pytest.raises(ArchitectureError, match=f"mtt::x.*{message}"):
        make({"mtt::x": TargetInfo(kind=kind)}, **more)
