"""Targets that are not sums: the mean over atoms, with one constant and no composition."""

from __future__ import annotations

from typing import Any

import ase
import numpy as np
import pytest
import torch
from metatomic.torch import ModelOutput

from mtt import Dataset, DatasetInfo, TargetInfo
from mtt.errors import ArchitectureError, ConfigError
from mtt.mlip.fitting import check_given, fit_scales, fit_weights
from mtt.options.training import BaselineOptions

GAP = TargetInfo(unit="eV", extensive=False)
OTHERS = {"scale_targets": True}


@pytest.fixture
def molecules() -> list[ase.Atoms]:
    """Chains of two to seven atoms."""
    found = []
    for i, n in enumerate(range(2, 8)):
        atoms = ase.Atoms(
            f"C{n - 1}H", positions=np.arange(3 * n).reshape(n, 3), info={"gap": 1.0 + i}
        )
        atoms.info["sum"] = -3.0 * (n - 1) - 0.5
        found.append(atoms)
    return found


def data(molecules: list[ase.Atoms], **target: Any) -> Dataset:
    return Dataset.from_atoms(molecules, {"mtt::x": {"key": "gap", **target}})


def test_what_a_structure_predicts_is_the_mean_over_its_atoms_in_every_call(
    two_targets: Any, make_graph: Any, ethanol: ase.Atoms
) -> None:
    targets = {"mtt::gap": GAP, "mtt::sum": TargetInfo()}
    model = two_targets({}, DatasetInfo("angstrom", (1, 6, 8), targets)).double()
    index = torch.tensor([[1, 6, 8].index(z) for z in ethanol.numbers])
    result = model.predict_targets(make_graph([ethanol] * 2, [1, 6, 8], 3.0))
    expected = model.tables[0][index].mean()
    torch.testing.assert_close(result["mtt::gap"].values, expected.repeat(2, 1))
    torch.testing.assert_close(result["mtt::sum"].values[0, 0], model.tables[1][index].sum())
    dataset = Dataset.from_atoms([ethanol, ethanol[:4]], {})
    dataset.prepare(model.requested_neighbor_lists())
    systems = [dataset[i].system for i in range(2)]
    scripted = torch.jit.script(model)
    for call in (model, scripted):
        values = call(systems, {"mtt::gap": ModelOutput(sample_kind="system")})["mtt::gap"]
        own = torch.stack([model.tables[0][index].mean(), model.tables[0][index[:4]].mean()])
        torch.testing.assert_close(values.block().values[:, 0], own)


def test_it_has_one_constant_and_no_composition_unless_asked(molecules: list[ase.Atoms]) -> None:
    dataset = data(molecules)
    weights = fit_weights(dataset, dataset.info, {}, {})
    torch.testing.assert_close(weights["mtt::x"], torch.full((2, 1), 3.5, dtype=torch.float64))
    scale = fit_scales(dataset, dataset.info, weights, BaselineOptions.of(OTHERS), {})["mtt::x"]
    assert scale == pytest.approx(float(np.std(np.arange(6.0))))
    given = fit_weights(dataset, dataset.info, {"mtt::x": {1: 1.0, 6: 2.0}}, {})
    assert given["mtt::x"][:, 0].tolist() == [1.0, 2.0]


def test_a_mean_by_name_has_a_composition_of_shares(molecules: list[ase.Atoms]) -> None:
    for atoms in molecules:
        shares = (atoms.numbers == 6).mean()
        atoms.info["gap"] = 2.0 * shares + 7.0 * (1.0 - shares)
    dataset = data(molecules, aggregation="mean")
    weights = fit_weights(dataset, dataset.info, {}, {})["mtt::x"]
    torch.testing.assert_close(weights[:, 0], torch.tensor([7.0, 2.0], dtype=torch.float64))
    for other in ("max", "learned"):
        dataset = data(molecules, aggregation=other)
        constant = fit_weights(dataset, dataset.info, {}, {})["mtt::x"]
        assert constant.unique().numel() == 1
        fit_weights(dataset, dataset.info, {"mtt::x": 4.0}, {})
        with pytest.raises(ConfigError, match="numbers of elements do not add up in mtt::x"):
            check_given(BaselineOptions.of({"atomic_baseline": {"mtt::x": {1: 1.0}}}), dataset.info)


def test_an_extensive_target_has_a_composition(molecules: list[ase.Atoms]) -> None:
    dataset = data(molecules, key="sum", extensive=True)
    weights = fit_weights(dataset, dataset.info, {}, {})["mtt::x"]
    torch.testing.assert_close(weights[:, 0], torch.tensor([-0.5, -3.0], dtype=torch.float64))


def test_models_from_before_are_sums() -> None:
    old = {**TargetInfo("", "eV").to_dict()}
    assert "extensive" not in old
    assert TargetInfo.from_dict(old).extensive
    assert not TargetInfo.from_dict(old).is_mean
    assert TargetInfo.from_dict(GAP.to_dict()) == GAP
    assert GAP.is_mean
    assert not TargetInfo("energy", "eV", extensive=False).is_mean


def test_a_trained_model_keeps_what_its_targets_are(two_targets: Any) -> None:
    """Options without a quantity leave open what a model already knows."""
    for known in (TargetInfo("energy", "eV"), TargetInfo("", "eV"), GAP):
        model = two_targets({}, DatasetInfo("angstrom", (1, 6), {"mtt::x": known}))
        model.restart(DatasetInfo("angstrom", (1, 6), {"mtt::x": GAP}))
        assert model.dataset_info.targets["mtt::x"] == known
    with pytest.raises(ArchitectureError, match="extensive is True in the data and False in the"):
        model.restart(DatasetInfo("angstrom", (1, 6), {"mtt::x": TargetInfo("", "eV")}))


def test_a_trained_model_keeps_its_aggregation_and_rank(two_targets: Any) -> None:
    known = TargetInfo("", "eV", extensive=False, aggregation="mean", rank=3, properties=9)
    model = two_targets({}, DatasetInfo("angstrom", (1, 6), {"mtt::x": known}))
    plain = TargetInfo("", "eV", extensive=False, properties=9)
    model.restart(DatasetInfo("angstrom", (1, 6), {"mtt::x": plain}))
    assert model.dataset_info.targets["mtt::x"] == known
    other = TargetInfo("", "eV", extensive=False, aggregation="max", properties=9)
    with pytest.raises(ArchitectureError, match="aggregation is 'max' in the data and 'mean' in"):
        model.restart(DatasetInfo("angstrom", (1, 6), {"mtt::x": other}))


def test_a_model_of_one_energy_says_how_it_can_have_more(model_class: Any) -> None:
    two = {"energy": TargetInfo.energy(), "energy/pbe": TargetInfo.energy()}
    with pytest.raises(
        ArchitectureError, match=r"write predict\(graph\), .* in place of atomic_en"
    ):
        model_class({"cutoff": 3.0}, DatasetInfo("angstrom", (1,), two))
    with pytest.raises(ArchitectureError, match="of the structure, write quantity: energy"):
        model_class({"cutoff": 3.0}, DatasetInfo("angstrom", (1,), {"mtt::U0": GAP}))
