"""The base class: baselines, metatomic's call, checkpoints."""

import copy
import subprocess
import sys

import ase
import numpy as np
import pytest
import torch
from metatomic_ase import MetatomicCalculator

from mtt import Dataset, DatasetInfo, TargetInfo
from mtt.errors import ArchitectureError, CheckpointError


def predict(model, make_graph, structures):
    graph = make_graph(structures, [1, 6, 8], model.list_cutoff(), model.dtype)
    return model.predict_targets(graph)["energy"]


def test_energies_are_scaled_network_plus_composition(model, make_graph, ethanol):
    graph = make_graph([ethanol], [1, 6, 8], 3.5)
    with torch.no_grad():
        network = model.atomic_energies(graph).sum().item()
    symbols = ethanol.symbols
    baseline = sum({"H": -13.6, "C": -1026.9, "O": -2041.1}[s] for s in symbols)
    values = predict(model, make_graph, [ethanol]).values
    assert values.dtype == torch.float64
    assert values.item() == pytest.approx(2.5 * network + baseline, rel=1e-13)


def test_a_float32_network_keeps_millielectronvolts_of_large_totals(model, make_graph, ethanol):
    exact = predict(model, make_graph, [ethanol]).values.item()
    single = predict(copy.deepcopy(model).to(torch.float32), make_graph, [ethanol]).values.item()
    assert exact < -4000
    assert abs(single - exact) < 2e-6


def test_a_batch_gives_what_single_structures_give(model, make_graph, ethanol, crystal):
    both = predict(model, make_graph, [ethanol, crystal])
    n = len(ethanol)
    for i, (atoms, rows) in enumerate(((ethanol, slice(0, n)), (crystal, slice(n, None)))):
        alone = predict(model, make_graph, [atoms])
        torch.testing.assert_close(both.values[i], alone.values[0], rtol=1e-13, atol=0)
        torch.testing.assert_close(both.forces[rows], alone.forces, rtol=1e-10, atol=1e-13)
        torch.testing.assert_close(both.strain[i], alone.strain[0], rtol=1e-10, atol=1e-13)


def test_an_isolated_atom_has_a_finite_energy_and_no_force(model, make_graph):
    alone = predict(model, make_graph, [ase.Atoms("O", [[0, 0, 0]])])
    assert torch.isfinite(alone.values).all()
    assert torch.equal(alone.forces, torch.zeros(1, 3).double())


def test_the_exported_model_equals_the_training_code(model, make_graph, ethanol, crystal, tmp_path):
    path = str(tmp_path / "model.pt")
    model.export().save(path)
    for atoms in (ethanol, crystal):
        target = predict(model, make_graph, [atoms])
        atoms.calc = MetatomicCalculator(path, check_consistency=True)
        energy = atoms.get_potential_energy()
        assert energy == pytest.approx(target.values.item(), rel=1e-14)
        np.testing.assert_allclose(atoms.get_forces(), target.forces, rtol=1e-10, atol=1e-12)
    stress = crystal.get_stress(voigt=False) * crystal.get_volume()
    np.testing.assert_allclose(stress, target.strain[0], rtol=1e-10, atol=1e-12)


def test_exporting_leaves_the_model_as_it_was(model):
    before = copy.deepcopy(model.state_dict())
    model.train()
    model.export()
    assert model.training
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_engines_may_ask_for_single_atoms_and_for_energies_per_atom(model, ethanol):
    from metatensor.torch import Labels
    from metatomic.torch import ModelOutput

    dataset = Dataset.from_atoms([ethanol, ethanol], {})
    dataset.prepare(model.requested_neighbor_lists())
    systems = [dataset[i].system for i in range(2)]
    per_atom = ModelOutput(unit="eV", sample_kind="atom")
    whole = model(systems, {"energy": per_atom})["energy"].block()
    assert whole.samples.names == ["system", "atom"]
    chosen = Labels(["system", "atom"], torch.tensor([[1, 0], [1, 4]], dtype=torch.int32))
    atoms = model(systems, {"energy": per_atom}, chosen)["energy"].block()
    assert atoms.samples.values.tolist() == [[1, 0], [1, 4]]
    torch.testing.assert_close(atoms.values, whole.values[[9, 13]])
    per_structure = ModelOutput(unit="eV", sample_kind="system")
    total = model(systems, {"energy": per_structure}, chosen)["energy"].block()
    assert total.samples.values.tolist() == [[1]]
    torch.testing.assert_close(total.values, atoms.values.sum(0, keepdim=True))


def test_exported_energies_come_per_atom_and_per_structure(model, ethanol):
    from metatomic.torch import ModelEvaluationOptions, ModelOutput

    dataset = Dataset.from_atoms([ethanol], {})
    dataset.prepare(model.requested_neighbor_lists())
    exported = model.export()
    found = {}
    for kind in ("atom", "system"):
        outputs = {"energy": ModelOutput(unit="eV", sample_kind=kind)}
        options = ModelEvaluationOptions(length_unit="angstrom", outputs=outputs)
        tensors = exported([dataset[0].system.to(torch.float64)], options, check_consistency=True)
        found[kind] = tensors["energy"].block().values
    assert found["atom"].shape == (9, 1)
    torch.testing.assert_close(found["atom"].sum(0, keepdim=True), found["system"])


def test_several_targets_are_summed_or_kept_per_atom(two_targets, make_graph, ethanol):
    targets = {
        "mtt::mu": TargetInfo(unit="D"),
        "mtt::charge": TargetInfo(unit="e", sample_kind="atom"),
    }
    model = two_targets({}, DatasetInfo("angstrom", (1, 6, 8), targets)).double()
    result = model.predict_targets(make_graph([ethanol] * 2, [1, 6, 8], 3.0))
    assert result["mtt::charge"].values.shape == (18, 1)
    index = torch.tensor([[1, 6, 8].index(z) for z in ethanol.numbers])
    expected = model.tables[0][index].sum()
    torch.testing.assert_close(result["mtt::mu"].values[1, 0], expected)


def test_a_checkpoint_gives_the_same_model_in_every_context(model, model_class):
    checkpoint = model.get_checkpoint()
    checkpoint["best_model_state_dict"] = {
        key: value + 1 for key, value in checkpoint["model_state_dict"].items()
    }
    latest = model_class.load_checkpoint(checkpoint, "restart")
    assert latest.dtype == torch.float64
    for key, value in model.state_dict().items():
        assert torch.equal(latest.state_dict()[key], value)
    for context in ("finetune", "export"):
        best = model_class.load_checkpoint(checkpoint, context)
        for key, value in model.state_dict().items():
            assert torch.equal(best.state_dict()[key], value + 1)


def test_weights_of_another_model_are_refused_by_name(model, model_class):
    checkpoint = model.get_checkpoint()
    name = next(iter(checkpoint["model_state_dict"]))
    checkpoint["model_state_dict"]["renamed"] = checkpoint["model_state_dict"].pop(name)
    with pytest.raises(CheckpointError, match=f'weights do not fit.*"{name}".*"renamed"'):
        model_class.load_checkpoint(checkpoint, "restart")
    with pytest.raises(CheckpointError, match="lacks dataset_info, model_dtype"):
        kept = {k: v for k, v in checkpoint.items() if k not in ("dataset_info", "model_dtype")}
        model_class.load_checkpoint(kept, "restart")


def test_a_checkpoint_is_a_snapshot_not_a_view(model):
    checkpoint = model.get_checkpoint()
    kept = checkpoint["model_state_dict"]["network.0.weight"].clone()
    with torch.no_grad():
        model.network[0].weight.zero_()
    assert torch.equal(checkpoint["model_state_dict"]["network.0.weight"], kept)


def test_an_impossible_target_is_refused_by_name(model_class):
    targets = {"mtt::charge": TargetInfo(sample_kind="atom"), "mtt::gap": TargetInfo()}
    with pytest.raises(ArchitectureError) as refused:
        model_class({"cutoff": 3.0}, DatasetInfo("angstrom", (1,), targets))
    assert "cannot predict target 'mtt::charge' (scalar per atom)" in str(refused.value)
    assert "cannot predict target 'mtt::gap' (scalar)" in str(refused.value)


def test_restarting_with_unknown_elements_or_targets_is_refused(model):
    other = DatasetInfo("bohr", (1, 79), {"mtt::gap": TargetInfo()})
    with pytest.raises(ArchitectureError) as refused:
        model.restart(other)
    message = str(refused.value)
    assert "does not know Au; it was made for H, C, O" in message
    assert "no target 'mtt::gap'" in message
    assert "lengths are in bohr" in message


def test_restarting_with_fewer_elements_keeps_all(model):
    fewer = DatasetInfo("angstrom", (1, 8), {"energy": TargetInfo.energy(forces=True)})
    restarted = model.restart(fewer)
    assert tuple(restarted.dataset_info.atomic_types) == (1, 6, 8)
    assert not restarted.dataset_info.targets["energy"].has_strain


def test_a_missing_class_attribute_is_a_type_error_that_names_it(model_class, info):
    class Nameless(model_class):
        pass

    del_from = "__supported_dtypes__"
    bases = [base for base in Nameless.__mro__ if del_from in vars(base)]
    kept = {base: getattr(base, del_from) for base in bases}
    for base in bases:
        delattr(base, del_from)
    try:
        with pytest.raises(TypeError, match="Nameless lacks the class attribute __supp"):
            Nameless({"cutoff": 3.0}, info)
    finally:
        for base, value in kept.items():
            setattr(base, del_from, value)


def test_importing_the_package_loads_nothing_heavy():
    code = "import sys, mtt; sys.exit('torch' in sys.modules or 'metatomic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
