"""A model that carries a prior: energies, derivatives, baselines, checkpoints, export."""

import copy

import ase.build
import numpy as np
import pytest
import torch
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from mtt import Dataset
from mtt.baselines.prior.culprit import check_molecules
from mtt.errors import ArchitectureError, DataError

PRIOR = {
    "topology": {"from": "connectivity"},
    "bonds": {"C-C": {"k": 20.0, "r0": 1.45}, "H-C": {"k": 21.0, "r0": 1.05}},
    "angles": {"H-C-H": {"k": 2.0, "theta0": 1.8}, "C-C-C": {"k": 2.0, "theta0": 1.9}},
    "dihedrals": {"C-C-O-H": {"cos": [0.25, 0.05]}},
    "repulsion": {"sigma": 2.0, "epsilon": 0.3, "cutoff": 4.5},
}


@pytest.fixture
def make(model_class, info):
    """A float64 model with weights, a scale and a baseline of some size."""

    def build(prior=PRIOR, info=info, **hypers):
        torch.manual_seed(1)
        options = {"cutoff": 3.5, **hypers, **({"prior": prior} if prior else {})}
        model = model_class(options, info).to(torch.float64)
        model.composition.values[:] = -13.6
        model.scale.values[:] = 2.5
        return model

    return build


def totals(model, *structures, make_graph):
    graph = make_graph(
        structures, model.dataset_info.atomic_types, model.list_cutoff(), model.dtype
    )
    return model.predict_targets(graph, all_gradients=True)["energy"]


def test_the_prior_is_added_to_the_network_and_sees_its_own_cutoff(make, make_graph, ethanol):
    model, plain = make(), make(None)
    assert plain.prior is None
    assert (plain.list_cutoff(), model.list_cutoff()) == (3.5, 4.5)
    graph = make_graph([ethanol], (1, 6, 8), 4.5)
    both = totals(model, ethanol, make_graph=make_graph)
    network = totals(plain, ethanol, make_graph=make_graph)
    classical = model.prior(graph).detach().sum()
    assert abs(classical.item()) > 0.1
    torch.testing.assert_close(both.values.sum(), network.values.sum() + classical)


def test_parameters_stay_float64_in_a_float32_model(make, make_graph, ethanol):
    model = make().to(torch.float32)
    assert {p.dtype for p in model.prior.parameters()} == {torch.float64}
    exact = make().to(torch.float32).to(torch.float64)
    assert torch.equal(exact.prior.bonds.log_k, make().prior.bonds.log_k)
    found = totals(model.to(torch.float32), ethanol, make_graph=make_graph)
    assert (found.values.dtype, found.forces.dtype) == (torch.float64, torch.float32)


@pytest.mark.parametrize("source", ["connectivity", "data"])
def test_forces_and_stress_are_finite_differences(source, make, make_graph, crystal):
    # molecules in a skewed cell, one of them cut by its boundary
    atoms = ase.build.molecule("CH3CH2OH")
    atoms.rattle(0.06, seed=2)
    atoms.set_cell([[5.9, 0, 0], [0.7, 5.4, 0], [0.2, -0.5, 5.7]])
    atoms.pbc = True
    atoms.positions += [2.7, 0.8, 1.9]
    atoms.wrap()
    model = make({**PRIOR, "topology": {"from": source}})
    if source == "data":
        atoms.calc = SinglePointCalculator(atoms, energy=0.0)
        few = Dataset.from_atoms([atoms], {"energy": {"unit": "eV", "forces": False}})
        model.prior.topology.set([], [])
        model.fit_baselines(few, {})
    found = totals(model, atoms, make_graph=make_graph)
    h = 1e-5
    for i, axis in ((0, 0), (2, 1), (8, 2)):
        energies = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions[i, axis] += sign * h
            energies.append(totals(model, moved, make_graph=make_graph).values.item())
        slope = (energies[0] - energies[1]) / (2 * h)
        assert found.forces[i, axis].item() == pytest.approx(-slope, abs=1e-7)
    for a, b in ((0, 0), (0, 1), (2, 1)):
        energies = []
        for sign in (1, -1):
            strain = np.eye(3)
            strain[a, b] += sign * h / 2
            strain[b, a] += sign * h / 2
            strained = atoms.copy()
            strained.set_cell(atoms.cell.array @ strain, scale_atoms=True)
            energies.append(totals(model, strained, make_graph=make_graph).values.item())
        slope = (energies[0] - energies[1]) / (2 * h)
        assert found.strain[0, a, b].item() == pytest.approx(slope, abs=1e-6)


def labelled(model, structures, make_graph):
    """``structures`` with energies and forces by the prior of ``model`` alone."""
    for atoms in structures:
        graph = make_graph([atoms], (1, 6, 8), model.list_cutoff())
        vectors = graph.vectors.requires_grad_(True)
        energy = model.prior(graph._replace(vectors=vectors)).sum()
        (g,) = torch.autograd.grad(energy, vectors)
        forces = torch.zeros(len(atoms), 3, dtype=torch.float64)
        forces = forces.index_add(0, graph.centers, g).index_add(0, graph.neighbors, -g)
        counts = [-13.6, -1029.5, -2041.25]
        composition = sum(counts[(1, 6, 8).index(z)] for z in atoms.numbers)
        atoms.calc = SinglePointCalculator(
            atoms, energy=energy.item() + composition, forces=forces.numpy()
        )
    return Dataset.from_atoms(structures, {"energy": {"unit": "eV", "forces": True}})


def molecules():
    found = []
    for i, name in enumerate(["CH3CH2OH", "CH4", "C2H6", "CH3OH", "H2O", "trans-butane"]):
        atoms = ase.build.molecule(name)
        atoms.rattle(0.05, seed=i)
        found.append(atoms)
    return found


def test_composition_and_scale_are_what_the_prior_leaves(make, make_graph):
    model = make()
    dataset = labelled(model, molecules(), make_graph)
    model.fit_baselines(dataset, {})
    wanted = [[-13.6], [-1029.5], [-2041.25]]
    torch.testing.assert_close(
        model.composition.values, torch.tensor(wanted, dtype=torch.float64), rtol=1e-9, atol=0
    )
    assert model.scales["energy"] == 1.0  # no force is left to learn
    plain = make(None)
    plain.fit_baselines(dataset, {})
    forces = dataset.target("energy").forces
    assert plain.scales["energy"] == pytest.approx(forces.square().mean().sqrt().item())


def test_without_forces_the_scale_is_what_prior_and_composition_leave(make, make_graph):
    model = make()
    structures = molecules()
    full = labelled(model, structures, make_graph)
    energies = full.target("energy").values[:, 0].tolist()
    for atoms, energy in zip(structures, energies, strict=True):
        atoms.calc = SinglePointCalculator(atoms, energy=energy)
    structures[0].calc.results["energy"] += 0.9  # nine atoms
    dataset = Dataset.from_atoms(structures, {"energy": {"unit": "eV", "forces": False}})
    given = {"energy": {1: -13.6, 6: -1029.5, 8: -2041.25}}
    model.fit_baselines(dataset, {"atomic_baseline": given})
    assert model.scales["energy"] == pytest.approx(np.sqrt(0.1**2 / 6), rel=1e-6)


def test_start_values_by_inversion_come_with_the_baselines(make):
    inverted = {
        "topology": {"from": "connectivity"},
        "temperature": 300.0,
        "bonds": {"H-C": "invert"},
    }
    structures = molecules()
    for atoms in structures:
        atoms.calc = SinglePointCalculator(atoms, energy=0.0)
    dataset = Dataset.from_atoms(structures, {"energy": {"unit": "eV", "forces": False}})
    model = make(inverted)
    assert model.prior.values() == {"bonds": {}}
    model.fit_baselines(dataset, {})
    assert 0.9 < model.prior.values()["bonds"]["H-C"]["r0"] < 1.2


@pytest.mark.parametrize("source", ["connectivity", "data"])
def test_checkpoints_hold_the_prior(source, make, make_graph, ethanol):
    model = make({**PRIOR, "topology": {"from": source}})
    ethanol.calc = SinglePointCalculator(ethanol, energy=-1.0)
    few = Dataset.from_atoms([ethanol], {"energy": {"unit": "eV", "forces": False}})
    model.fit_baselines(few, {})
    with torch.no_grad():
        model.prior.bonds.minimum += 0.01
    checkpoint = model.get_checkpoint()
    names = [name for name in checkpoint["model_state_dict"] if name.startswith("prior.")]
    assert "prior.bonds.log_k" in names
    again = type(model).load_checkpoint(copy.deepcopy(checkpoint), "restart")
    one, two = (totals(m, ethanol, make_graph=make_graph) for m in (model, again))
    assert torch.equal(one.values, two.values)
    assert torch.equal(one.forces, two.forces)


def test_models_without_a_prior_are_what_they_were(make):
    assert not any("prior" in name for name in make(None).state_dict())
    assert make(None).hypers == {"cutoff": 3.5}


def test_trainable_false_freezes_every_value(make):
    frozen = make({**PRIOR, "trainable": False})
    assert not any(p.requires_grad for p in frozen.prior.parameters())
    assert all(p.requires_grad for p in make().prior.parameters())


def test_a_prior_without_an_energy_is_refused(two_targets, info):
    from mtt import TargetInfo

    charges = info.with_targets({"charge": TargetInfo(sample_kind="atom")})
    with pytest.raises(ArchitectureError, match=r"prior: a prior needs a target that is an energy"):
        two_targets({"prior": PRIOR}, charges)


def test_engines_get_the_cutoff_of_the_prior(make):
    long = {"topology": {"from": "data", "longest_bond": 3.0}, "bonds": PRIOR["bonds"]}
    model = make(long)
    assert model.list_cutoff() == 3.5
    assert model.export().capabilities().interaction_range == 6.0


def test_a_network_sees_no_pairs_beyond_its_own_cutoff(make, make_graph):
    far = Atoms("CC", [[0, 0, 0], [0, 0, 4.0]])
    model = make({"repulsion": {"sigma": 1e-3, "epsilon": 1e-3, "cutoff": 6.0}})
    alone = totals(make(None), far, make_graph=make_graph)
    found = totals(model, far, make_graph=make_graph)
    torch.testing.assert_close(found.values, alone.values, rtol=0, atol=1e-12)


@pytest.fixture
def permuted(make):
    """A model that knows ethanol, and ethanols of which the last has its atoms in another order."""
    frames = []
    for i in range(4):
        atoms = ase.build.molecule("CH3CH2OH")
        atoms.rattle(0.05, seed=i)
        atoms = atoms[::-1] if i == 3 else atoms
        atoms.calc = SinglePointCalculator(atoms, energy=-0.1 * i, forces=np.zeros((9, 3)))
        frames.append(atoms)
    targets = {"energy": {"unit": "eV", "forces": True}}
    model = make({**PRIOR, "topology": {"from": "data"}})
    model.fit_baselines(Dataset.from_atoms(frames[:3], targets), {})
    return model, Dataset.from_atoms(frames, targets)


def test_molecules_that_the_prior_does_not_know_are_named_by_file_and_frame(permuted):
    model, data = permuted
    message = r"atoms, frame 3: the prior lists no molecule of these elements in this order \(H H"
    with pytest.raises(DataError, match=message):
        model.offsets(data)
    with pytest.raises(DataError, match=message):
        check_molecules(model.prior, data)
    with pytest.raises(DataError, match=message):
        model.offsets(data.select([1, 3, 0]))
    check_molecules(model.prior, data.select([0, 1, 2]))
    check_molecules(None, data)
