"""soap_bpnn with several targets: shared layers, one head each."""

import ase.build
import numpy as np
import pytest
import torch
from ase.calculators.singlepoint import SinglePointCalculator

from mtt import Dataset, load_model, train
from mtt.registry import find

SOAP = {"max_angular": 1, "max_radial": 2, "cutoff": {"radius": 2.5, "width": 0.5}}
TARGETS = {
    "energy": {"unit": "eV", "forces": True, "stress": False},
    "mtt::dipole_norm": {"quantity": "", "key": "mu", "unit": ""},
    "mtt::q": {"quantity": "", "key": "q", "sample_kind": "atom", "num_subtargets": 2},
}


@pytest.fixture
def molecules():
    rng = np.random.default_rng(4)
    structures = []
    for name in ("CH4", "H2O", "CH3OH", "C2H6", "NH3", "CO2"):
        atoms = ase.build.molecule(name)
        atoms.info["mu"] = float(len(atoms))
        atoms.arrays["q"] = np.stack([atoms.numbers / 10, rng.normal(size=len(atoms))], axis=1)
        forces = rng.normal(size=(len(atoms), 3))
        atoms.calc = SinglePointCalculator(atoms, energy=-10.0 * len(atoms), forces=forces)
        structures.append(atoms)
    return structures


@pytest.mark.parametrize("hidden", [0, 2])
@pytest.mark.parametrize("heads", [{}, {"mtt::q": "mlp", "energy": "mlp"}])
def test_every_target_gets_values_of_its_shape(molecules, hidden, heads):
    dataset = Dataset.from_atoms(molecules, TARGETS)
    architecture = find("soap_bpnn").load()
    hypers = {**architecture.default_hypers["model"], "soap": SOAP, "heads": heads}
    hypers["bpnn"] = {"num_hidden_layers": hidden, "num_neurons_per_layer": 4, "layernorm": True}
    model = architecture.model(hypers, dataset.info).double()
    dataset.prepare(model.requested_neighbor_lists())
    systems = [dataset[i].system for i in range(len(dataset))]
    values = model(systems, model.supported_outputs())
    n_atoms = int(dataset.n_atoms.sum())
    shapes = {name: tuple(one.block().values.shape) for name, one in values.items()}
    # energies are declared per atom; engines ask for sums as well
    expected = {"energy": (n_atoms, 1), "mtt::dipole_norm": (6, 1), "mtt::q": (n_atoms, 2)}
    width = 4 if hidden else model.soap.n_features
    features = {name: (n_atoms, width) for name in model.feature_names if name}
    assert shapes == expected | features
    scripted = torch.jit.script(model)
    for name, one in scripted(systems, model.supported_outputs()).items():
        torch.testing.assert_close(one.block().values, values[name].block().values)


def test_several_targets_train_export_and_come_back(molecules, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frames = [atoms for atoms in molecules for _ in range(3)]
    ase.io.write("molecules.xyz", frames)
    training = {"num_epochs": 2, "batch_size": 6}
    result = train(
        {
            "seed": 0,
            "base_precision": 64,
            "architecture": {
                "name": "soap_bpnn",
                "atomic_types": [1, 6, 7, 8],
                "model": {"soap": SOAP, "heads": {"mtt::q": "mlp"}},
                "training": training,
            },
            "training_set": {"systems": "molecules.xyz", "targets": TARGETS},
            "validation_set": 0.25,
        }
    )
    quantities = {row.quantity for row in result.reports["validation"].rows}
    assert {"energy", "forces", "mtt::dipole_norm", "mtt::q"} <= quantities
    outputs = load_model("model.pt").capabilities().outputs
    assert {name for name in outputs if not name.startswith(("feature", "mtt::aux"))} == set(
        TARGETS
    )
    assert outputs["mtt::q"].sample_kind == "atom"
