"""The first predictions of a fine-tuning against the labels, and what becomes of the baseline."""

from __future__ import annotations

from dataclasses import replace

import ase.build
import ase.io
import numpy as np
import pytest
import torch
from ase.calculators.singlepoint import SinglePointCalculator

from mtt import Dataset, DatasetInfo, TargetInfo
from mtt.architectures.soap_bpnn import __model__ as SoapBPNN
from mtt.data import read_dataset
from mtt.errors import ConfigError
from mtt.mlip.finetune.fine_tune import fine_tune
from mtt.options import load_eval_options
from mtt.options.training import parse
from mtt.options.yaml.overrides import deep_merge
from mtt.registry import find
from mtt.testing import predictions
from mtt.workflows.finetune.labels import compare_with_labels
from mtt.workflows.finetune.sample import ATOMS, FEWEST, STRUCTURES, compare

HYPERS = {"soap": {"max_angular": 1, "max_radial": 1}, "bpnn": {"num_neurons_per_layer": 3}}
ENERGY = TargetInfo.energy(forces=True)
INFO = DatasetInfo("angstrom", (1, 6, 8), {"energy": ENERGY})
KNOWN = ["CH4", "C2H2", "CH3OH", "H2O", "CH3CH2OH", "CO2", "C2H6", "C3H8", "C2H4", "H2CO"]
SHIFT = {1: 4.0, 6: -300.0, 8: 120.0}


def hypers():
    return deep_merge(find("soap_bpnn").load().default_hypers["model"], HYPERS)


@pytest.fixture(scope="module")
def source():
    """A model that predicts its own labels: random, not small."""
    torch.manual_seed(0)
    model = SoapBPNN(hypers(), INFO).to(torch.float64)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
        model.composition.values.copy_(torch.tensor([[-0.5], [-38.0], [-75.0]]))
    return model


@pytest.fixture(scope="module")
def labelled(source):
    """``labelled(change)``: structures with energies and forces of the model, changed."""
    frames = []
    for i, name in enumerate(KNOWN * 3):
        atoms = ase.build.molecule(name)
        atoms.rattle(0.08, seed=i)
        frames.append(atoms)
    found = [one["energy"] for one in predictions(source, frames)]

    def make(energy=lambda e, atoms, i: e, forces=lambda f: f, n=30):
        made = []
        for i, (atoms, one) in enumerate(zip(frames[:n], found[:n], strict=True)):
            copied = atoms.copy()
            copied.calc = SinglePointCalculator(
                copied,
                energy=energy(float(one.values), atoms, i),
                forces=forces(one.forces.numpy()),
            )
            made.append(copied)
        return made

    return make


def shifted(e, atoms, i):
    return e + sum(SHIFT[z] for z in atoms.numbers)


def dataset(frames, name="energy", **more):
    targets = {name: {"key": "energy", "unit": "eV", "quantity": "energy", "forces": True, **more}}
    return Dataset.from_atoms(frames, targets)


def options(baseline="auto", inherit=None, **training):
    finetune = {"read_from": "x", "method": "full", "baseline": baseline}
    finetune["inherit_heads"] = inherit or {}
    return parse({"finetune": finetune, **training})


def compared(source, data, training=None, sets=None):
    training = training or options()
    made = fine_tune(source, source.hypers, data.info, data, training)
    found = compare_with_labels(made.model, source, made.counterparts, sets or [data], training)
    return made.model, found


def correction(model, source):
    return (model.composition.values - source.composition.values)[:, 0]


WANTED = torch.tensor(list(SHIFT.values()), dtype=torch.float64)


def test_labels_that_the_source_predicts_leave_everything_as_it_is(source, labelled, caplog):
    model, found = compared(source, dataset(labelled()))
    assert found.notices == ()
    assert found.report.errors["energy RMSE"] < 1e-9
    assert torch.equal(model.composition.values, source.composition.values)
    assert "warning" not in caplog.text.lower()


def test_an_offset_per_element_is_named_with_its_size_and_refitted(source, labelled, caplog):
    with caplog.at_level("INFO"):
        model, found = compared(source, dataset(labelled(shifted)))
    torch.testing.assert_close(correction(model, source), WANTED, rtol=1e-9, atol=1e-9)
    (notice,) = found.notices
    assert not notice.warns
    assert "one number per element explains more than 99.99 % of it: H +4, C -300, O +120 eV" in (
        caplog.text
    )
    assert "The baseline is refitted (finetune.baseline: auto)" in caplog.text
    rows = {row.quantity: row for row in found.report.rows}
    assert rows["energy"].rmse > 1e4 and rows["energy"].unit == "meV/atom"
    assert rows["energy, refitted"].rmse < 1e-6
    facts = found.facts["targets"]["energy"]
    assert facts["baseline"] == "refitted"
    assert facts["offset"] == pytest.approx({"H": 4.0, "C": -300.0, "O": 120.0})
    assert f"step 0: energy {rows['energy'].rmse:.4g} meV/atom; forces" in caplog.text
    assert "on 30 structures of the training set" in caplog.text


def test_keep_leaves_the_baseline_and_warns_with_the_figure(source, labelled):
    model, found = compared(source, dataset(labelled(shifted)), options("keep"))
    assert torch.equal(model.composition.values, source.composition.values)
    (notice,) = found.notices
    assert notice.warns and "finetune.baseline: refit removes it" in str(notice)
    assert notice.number == pytest.approx(found.facts["targets"]["energy"]["mean_residual"])


def test_refit_changes_what_auto_would_leave(source, labelled):
    def little(e, atoms, i):
        return e + 0.001 * len(atoms) + 0.002 * (-1) ** i * len(atoms)

    data = dataset(labelled(little))
    kept, found = compared(source, data)
    assert torch.equal(kept.composition.values, source.composition.values)
    assert found.facts["targets"]["energy"]["baseline"] == "kept"
    model, found = compared(source, data, options("refit"))
    assert float(correction(model, source).abs().max()) > 0.0
    assert "(finetune.baseline: refit)" in found.notices[0].what


def test_what_atomic_baseline_gives_is_kept_exactly(source, labelled):
    given = {1: -11.0, 6: -22.0, 8: -33.0}
    training = options(atomic_baseline={"energy": given})
    model, found = compared(source, dataset(labelled()), training)
    assert model.composition.values[:, 0].tolist() == list(given.values())
    (notice,) = found.notices
    assert notice.warns and "The atomic_baseline of the options is kept" in notice.what


def test_refit_and_a_whole_atomic_baseline_contradict_each_other(source, labelled):
    training = options("refit", atomic_baseline={"energy": 0.0})
    with pytest.raises(ConfigError, match=r"finetune.baseline: atomic_baseline gives .* energy"):
        compared(source, dataset(labelled()), training)


def test_an_inherited_head_is_compared_and_refitted_too(source, labelled):
    data = dataset(labelled(shifted), "energy/other")
    model, found = compared(source, data, options(inherit={"energy/other": "energy"}))
    torch.testing.assert_close(correction(model, source), WANTED, rtol=1e-9, atol=1e-9)
    assert "labels of energy/other (from energy) minus predictions" in found.notices[0].what


def test_a_fresh_head_is_not_compared(source, labelled):
    data = dataset(labelled(shifted), "energy/other")
    _, found = compared(source, data)
    assert found is None


def test_one_composition_gets_the_smallest_numbers(source, labelled):
    data = dataset([atoms for atoms in labelled(shifted) if len(atoms) == 9])
    model, found = compared(source, data)
    change = correction(model, source)
    counts = torch.tensor([6.0, 2.0, 1.0], dtype=torch.float64)
    total = 6 * SHIFT[1] + 2 * SHIFT[6] + SHIFT[8]
    torch.testing.assert_close(change, total * counts / counts.square().sum())
    assert "compositions determine 1 of 3; the smallest are taken" in found.notices[0].what


def test_one_structure_is_enough_where_the_offset_is_large(source, labelled):
    data = dataset(labelled(shifted, n=1))
    model, found = compared(source, data)
    assert "few structures" in found.notices[0].what
    assert float(correction(model, source)[1]) != 0.0


@pytest.mark.parametrize(
    ("factor", "unit"), [(23.0605, "kcal/mol"), (1 / 27.2114, "Hartree"), (96.485, "kJ/mol")]
)
def test_labels_in_another_unit_are_a_factor_not_a_constant(source, labelled, factor, unit):
    frames = labelled(lambda e, atoms, i: factor * e, lambda forces: factor * forces)
    _, found = compared(source, dataset(frames))
    said = [notice for notice in found.notices if notice.warns]
    assert [f"as labels in {unit}" in notice.what for notice in said] == [True, True]
    assert said[0].number == pytest.approx(factor, rel=1e-6)


def test_forces_of_the_opposite_sign_are_named(source, labelled):
    _, found = compared(source, dataset(labelled(forces=lambda forces: -forces)))
    (notice,) = found.notices
    assert notice.warns and "reverse their sign" in notice.advice


def test_what_no_composition_explains_is_a_warning_with_the_figure(source, labelled):
    random = np.random.default_rng(1).normal(0.0, 5.0, 30)
    frames = labelled(lambda e, atoms, i: float(random[i]) * len(atoms))
    _, found = compared(source, dataset(frames))
    warning = found.notices[-1]
    assert warning.warns and "is left that no number per element explains" in warning.what
    assert warning.number == pytest.approx(5.0, rel=0.3)


def test_a_structure_that_is_far_off_is_named_and_does_not_move_the_baseline(source, labelled):
    def spoilt(e, atoms, i):
        return shifted(e, atoms, i) + 500.0 * (i == 17)

    model, found = compared(source, dataset(labelled(spoilt)))
    torch.testing.assert_close(correction(model, source), WANTED, rtol=1e-9, atol=1e-9)
    assert "frame 17" in found.notices[-1].what
    assert found.notices[-1].warns


def test_references_that_differ_from_file_to_file_are_named(source, labelled, tmp_path):
    sets = []
    for name, change in (("a.xyz", lambda e, atoms, i: e), ("b.xyz", shifted)):
        ase.io.write(tmp_path / name, labelled(change))
        targets = {"energy": {"key": "energy", "unit": "eV", "stress": False}}
        sets.append({"systems": str(tmp_path / name), "targets": targets})
    data = [read_dataset(one) for one in load_eval_options(sets)]
    _, found = compared(source, data[0], sets=data)
    warning = found.notices[-1]
    assert "references of energy differ from file to file" in warning.what
    assert "a.xyz" in warning.what and "b.xyz" in warning.what
    assert "energy/NAME" in warning.advice


def test_without_labels_of_energies_the_forces_are_compared(source, labelled):
    data = dataset(labelled(forces=lambda forces: -forces))
    data.columns.rows["values:energy"].fill_(float("nan"))
    model, found = compared(source, data)
    assert [row.quantity for row in found.report.rows] == ["forces"]
    assert torch.equal(model.composition.values, source.composition.values)
    assert "reverse their sign" in found.notices[0].advice


def test_new_elements_take_what_the_network_leaves_over(source, labelled):
    small = replace(INFO, atomic_types=(1, 6))
    torch.manual_seed(1)
    hydrocarbons = SoapBPNN(hypers(), small).to(torch.float64)
    model, _ = compared(hydrocarbons, dataset(labelled(shifted)))
    frames = labelled(shifted)
    found = torch.tensor([float(one["energy"].values) for one in predictions(model, frames)])
    wanted = torch.tensor([atoms.get_potential_energy() for atoms in frames])
    sizes = torch.tensor([len(atoms) for atoms in frames])
    assert float(((found - wanted) / sizes).square().mean().sqrt()) < 2.0


def test_other_quantities_without_a_baseline_do_not_get_one(labelled):
    info = DatasetInfo("angstrom", (1, 6, 8), {"mtt::gap": TargetInfo("", "eV")})
    torch.manual_seed(2)
    source = SoapBPNN(hypers(), info).to(torch.float64)
    frames = labelled()
    for atoms in frames:
        atoms.info["gap"] = 500.0
    data = Dataset.from_atoms(frames, {"mtt::gap": {"key": "gap", "unit": "eV", "quantity": ""}})
    model, found = compared(source, data)
    assert not bool(model.composition.values.any())
    assert [row.quantity for row in found.report.rows] == ["mtt::gap"]


def test_the_cost_is_bounded_and_every_element_is_seen(source, labelled):
    data = dataset(labelled())
    large = data.select(np.r_[np.zeros(2000, dtype=int), [4], np.zeros(2000, dtype=int)])
    found = compare(source, [large], ["energy"])
    assert len(found.structures) <= STRUCTURES + 3
    assert 8 in found.structures.types
    assert found.name == f"{len(found.structures)} of 4001 structures of the training set"
    assert FEWEST * 9 < ATOMS
