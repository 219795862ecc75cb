"""What pet predicts: forces, ranges, smoothness, precision, several targets."""

import copy

import ase
import ase.build
import pytest
import torch

from mtt import DatasetInfo, TargetInfo
from mtt.mlip.networks import PlainNetwork
from mtt.registry import find
from mtt.testing import CHECKS, Subject, graph_of, run

ARCHITECTURE = find("pet").load()
TYPES = (1, 6, 8)
INFO = DatasetInfo("angstrom", TYPES, {"energy": TargetInfo.energy(forces=True, stress=True)})
TINY = {
    **dict.fromkeys(("d_pet", "d_node", "d_head", "d_feedforward"), 8),
    "cutoff": 3.0,
    "num_heads": 2,
    "num_attention_layers": 1,
}
VARIANTS = {
    "defaults": {},
    "as first published": {
        "featurizer_type": "residual",
        "transformer_type": "PostLN",
        "normalization": "LayerNorm",
        "activation": "SiLU",
    },
    "cosine": {"cutoff_function": "Cosine", "cutoff_width": 1.5, "attention_temperature": 2.0},
    "one layer": {"num_gnn_layers": 1, "num_attention_layers": 2},
    "metatrain's, adaptive, of charge and spin": {
        "formulation": "metatrain",
        "d_node": 12,
        "num_neighbors_adaptive": 4.5,
        "cutoff_width_adaptive": 0.7,
        "system_conditioning": True,
    },
    "metatrain's, of one width, adaptive by a grid": {
        "formulation": "metatrain",
        "transformer_type": "PostLN",
        "featurizer_type": "residual",
        "num_gnn_layers": 1,
        "num_neighbors_adaptive": 4,
        "adaptive_cutoff_method": "grid",
    },
}
CPU = torch.device("cpu")


def make(info=INFO, dtype=torch.float64, **changes):
    torch.manual_seed(3)
    defaults = copy.deepcopy(ARCHITECTURE.default_hypers["model"])
    return ARCHITECTURE.model({**defaults, **TINY, **changes}, info).to(dtype)


def predict(model, *frames):
    return model.predict_targets(graph_of(model, list(frames)), all_gradients=True)["energy"]


def molecule() -> ase.Atoms:
    atoms = ase.build.molecule("CH3CH2OH")
    atoms.rattle(0.1, seed=1)
    return atoms


def crystal() -> ase.Atoms:
    atoms = ase.build.bulk("C", "diamond", a=3.6)
    atoms.numbers[0] = 8
    atoms.rattle(0.1, seed=4)
    return atoms


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("frame", [molecule(), crystal()], ids=["molecule", "crystal"])
def test_forces_are_derivatives_of_the_energy(variant, frame):
    model = make(**VARIANTS[variant])
    generator = torch.Generator().manual_seed(0)
    shift = torch.randn(len(frame), 3, generator=generator, dtype=torch.float64)
    step, energies = 1e-4, []
    for factor in (-2, -1, 1, 2):
        moved = frame.copy()
        moved.positions += factor * step * shift.numpy()
        energies.append(float(predict(model, moved).values))
    low, left, right, high = energies
    slope = (low - 8 * left + 8 * right - high) / (12 * step)
    assert -float((predict(model, frame).forces * shift).sum()) == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize("variant", VARIANTS)
def test_compiled_models_predict_the_same(variant, compare_scripted):
    model = make(**VARIANTS[variant]).eval()
    compare_scripted(model, graph_of(model, [molecule(), crystal(), ase.Atoms("H")]))


def test_energies_have_a_continuous_slope_of_the_force_at_the_cutoff():
    model = make()

    def at(r: float) -> tuple[float, float]:
        atoms = ase.Atoms("OCH", [[0, 0, 0], [-0.3, -1.1, 0.2], [0, 0, r]])
        predicted = predict(model, atoms)
        return float(predicted.values), float(predicted.forces[2, 2])

    gap = 1e-4
    (_, f0), (e1, f1), (_, f2) = (at(3.0 + k * gap) for k in (-1, 0, 1))
    beyond, _ = at(3.5)
    assert e1 == pytest.approx(beyond, abs=1e-13)
    assert (f0, f1, f2) == pytest.approx((0, 0, 0), abs=1e-12)
    assert abs(at(2.7)[1]) > 1e-4  # it is felt within


def test_messages_carry_one_cutoff_further_with_each_layer():
    def felt(layers: int, place: float, **changes) -> float:
        """By the last atom of a chain 2 Å apart, when the one at ``place`` moves."""
        model = make(num_gnn_layers=layers, **changes)
        chain = ase.Atoms("COHCOH", [[2.0 * k, 0.1 * k**2, 0] for k in range(6)])
        moved = chain.copy()
        moved.positions[int(place)] += [0.0, 0.0, 0.3]
        atoms = [model.predict(graph_of(model, [one]))["energy"][5, 0] for one in (chain, moved)]
        return float((atoms[1] - atoms[0]).detach().abs())

    published = VARIANTS["as first published"]
    assert felt(1, 4, **published) > 1e-6
    assert felt(1, 3, **published) == 0
    assert felt(2, 3, **published) > 1e-9
    assert felt(2, 2, **published) == 0
    assert make(num_gnn_layers=3, **published).interaction_range() == 9.0
    # the last messages, too, come from neighbours
    assert felt(1, 3) > 1e-9
    assert felt(1, 2) == 0
    assert felt(2, 2) > 1e-12
    assert felt(2, 1) == 0
    assert make(num_gnn_layers=3).interaction_range() == 12.0


def test_no_net_force_and_no_force_on_isolated_atoms():
    model = make()
    forces = predict(model, molecule(), ase.Atoms("O")).forces
    assert float(forces[:9].sum(0).abs().max()) < 1e-13
    assert bool((forces[9] == 0).all())


@pytest.mark.parametrize("autocast", [torch.bfloat16, torch.float16])
def test_mixed_precision_agrees_with_float32_within_its_digits(autocast):
    model = make(dtype=torch.float32, d_pet=32, d_node=32, d_head=32, d_feedforward=32)
    graph = graph_of(model, [molecule(), crystal()])
    exact = model.predict_targets(graph)["energy"]
    low = model.predict_targets(graph, network=PlainNetwork(model, autocast))["energy"]
    assert [part.dtype for part in low] == [torch.float64, torch.float32, torch.float32]
    for one, two in zip(low, exact, strict=True):
        assert 0 < float((one - two).norm() / two.norm()) < 4e-2
    # the geometry has not passed through 16 bits
    assert float(low.forces[:9].sum(0).abs().max()) < 1e-5 * float(low.forces.abs().sum())


def test_targets_of_structures_and_of_atoms_have_separate_readouts():
    targets = {
        "energy": TargetInfo.energy(forces=True),
        "mtt::charge": TargetInfo(unit="e", sample_kind="atom"),
        "mtt::levels": TargetInfo(properties=3),
    }
    info = DatasetInfo("angstrom", TYPES, targets)
    model = make(info, featurizer_type="residual")
    found = model.predict_targets(graph_of(model, [molecule(), crystal()]))
    shapes = {name: list(target.values.shape) for name, target in found.items()}
    assert shapes == {"energy": [2, 1], "mtt::charge": [11, 1], "mtt::levels": [2, 3]}
    subject = Subject(ARCHITECTURE, model_hypers=TINY, dataset_info=info)
    (check,) = [one for one in CHECKS if one.name == "heads serve one target each"]
    assert run(check, subject).status == "passed"
