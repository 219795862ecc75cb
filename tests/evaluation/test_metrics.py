"""Errors against numpy on the whole set at once."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from mtt.data.info import DatasetInfo, TargetInfo
from mtt.evaluation.metrics import Errors, Metric, display, names, units
from mtt.graph import Target

N_ATOMS = torch.tensor([3, 1, 4, 2, 5])
VOLUMES = torch.tensor([0.0, 10.0, 27.0, math.inf, 8.0], dtype=torch.float64)
INFO = DatasetInfo("angstrom", (1, 8), {"energy": TargetInfo.energy(forces=True, stress=True)})


def random_target(seed: int) -> Target:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int, dtype: torch.dtype) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    return Target(
        normal(5, 1, dtype=torch.float64) - 9391.0,
        normal(int(N_ATOMS.sum()), 3, dtype=torch.float32),
        normal(5, 3, 3, dtype=torch.float32),
    )


def batch(target: Target, chosen: list[int]) -> Target:
    system = torch.repeat_interleave(torch.arange(5), N_ATOMS)
    atoms = torch.isin(system, torch.tensor(chosen))
    assert target.forces is not None
    assert target.strain is not None
    return Target(target.values[chosen], target.forces[atoms], target.strain[chosen])


def errors_in_batches(prediction: Target, label: Target, batches: list[list[int]]) -> Errors:
    errors = Errors(INFO, totals=True)
    for chosen in batches:
        errors.update(
            {"energy": batch(prediction, chosen)},
            {"energy": batch(label, chosen)},
            N_ATOMS[chosen],
            VOLUMES[chosen],
        )
    return errors


def test_errors_equal_numpys_on_the_whole_set() -> None:
    prediction, label = random_target(0), random_target(1)
    errors = errors_in_batches(prediction, label, [[0, 1, 2, 3, 4]]).compute()

    energy = (prediction.values - label.values)[:, 0].numpy()
    forces = (prediction.forces.double() - label.forces.double()).numpy()
    strain = (prediction.strain.double() - label.strain.double()).numpy()
    periodic = [1, 2, 4]
    stress = strain[periodic] / VOLUMES.numpy()[periodic, None, None]
    expected = {
        "energy": energy / N_ATOMS.numpy(),
        "energy total": energy,
        "forces": forces,
        "stress": stress,
    }
    assert list(errors) == [f"{key} {kind}" for key in expected for kind in ("RMSE", "MAE")]
    for key, values in expected.items():
        assert errors[f"{key} RMSE"] == pytest.approx(np.sqrt(np.mean(values**2)), rel=1e-14)
        assert errors[f"{key} MAE"] == pytest.approx(np.mean(np.abs(values)), rel=1e-14)


@pytest.mark.parametrize("batches", [[[0], [1], [2], [3], [4]], [[0, 1], [2, 3], [4]]])
def test_batches_of_any_size_give_the_errors_of_one_batch(
    batches: list[list[int]],
) -> None:
    prediction, label = random_target(0), random_target(1)
    whole = errors_in_batches(prediction, label, [[0, 1, 2, 3, 4]]).compute()
    assert errors_in_batches(prediction, label, batches).compute() == pytest.approx(
        whole, rel=1e-14
    )


def test_sums_of_two_processes_add_up_to_the_errors_of_one() -> None:
    prediction, label = random_target(0), random_target(1)
    whole = errors_in_batches(prediction, label, [[0, 1, 2, 3, 4]])
    first = errors_in_batches(prediction, label, [[0, 3]])
    first.sums += errors_in_batches(prediction, label, [[1], [2, 4]]).sums
    assert first.compute() == pytest.approx(whole.compute(), rel=1e-14)


def test_missing_labels_do_not_count() -> None:
    prediction, label = random_target(0), random_target(1)
    label.values[2] = torch.nan
    label.forces[:4] = torch.nan
    label.strain[1] = torch.nan
    errors = errors_in_batches(prediction, label, [[0, 1, 2], [3, 4]]).compute()
    energy = ((prediction.values - label.values)[:, 0] / N_ATOMS)[[0, 1, 3, 4]].numpy()
    forces = (prediction.forces.double() - label.forces.double())[4:].numpy()
    assert errors["energy RMSE"] == pytest.approx(np.sqrt(np.mean(energy**2)), rel=1e-14)
    assert errors["forces MAE"] == pytest.approx(np.mean(np.abs(forces)), rel=1e-14)


def test_a_prediction_that_is_not_a_number_shows_in_the_error() -> None:
    prediction, label = random_target(0), random_target(1)
    prediction.forces[0, 0] = torch.nan
    errors = errors_in_batches(prediction, label, [[0, 1, 2, 3, 4]]).compute()
    assert math.isnan(errors["forces RMSE"])
    assert math.isfinite(errors["energy RMSE"])


def test_a_quantity_without_any_label_has_no_error() -> None:
    prediction, label = random_target(0), random_target(1)
    label.strain[:] = torch.nan
    errors = errors_in_batches(prediction, label, [[0, 1], [2, 3, 4]]).compute()
    assert math.isnan(errors["stress RMSE"])
    assert math.isfinite(errors["forces RMSE"])


def test_a_constant_error_of_a_large_energy_is_exact() -> None:
    label = Target(torch.full((5, 1), -9391.123456789, dtype=torch.float64))
    prediction = Target(label.values + 1e-6 * N_ATOMS[:, None])
    info = DatasetInfo("angstrom", (1,), {"energy": TargetInfo.energy()})
    errors = Errors(info)
    errors.update({"energy": prediction}, {"energy": label}, N_ATOMS, VOLUMES)
    assert errors.compute()["energy RMSE"] == pytest.approx(1e-6, rel=1e-5)


def test_names_and_units_follow_the_targets() -> None:
    info = DatasetInfo(
        "angstrom",
        (1,),
        {
            "energy": TargetInfo(
                "energy", "eV", gradients=("positions", "strain"), strain_name="virial"
            ),
            "energy/pbe": TargetInfo.energy("hartree", forces=True),
            "mtt::gap": TargetInfo("", "eV"),
            "mtt::charges": TargetInfo("charge", "e", sample_kind="atom"),
        },
    )
    shown = units(info)
    assert {name: shown[name] for name in shown if name.endswith("RMSE")} == {
        "energy RMSE": "meV/atom",
        "energy total RMSE": "meV",
        "forces RMSE": "meV/Å",
        "virial RMSE": "meV/atom",
        "energy/pbe RMSE": "hartree/atom",
        "energy/pbe total RMSE": "hartree",
        "energy/pbe forces RMSE": "hartree/Å",
        "mtt::gap RMSE": "meV",
        "mtt::charges RMSE": "e",
    }
    assert "energy total RMSE" not in names(info)
    assert set(names(info, totals=True)) == set(shown)


def test_values_are_shown_in_the_unit_beside_them() -> None:
    assert display(INFO, {"energy RMSE": 0.0012, "stress MAE": 2e-5}) == [
        Metric("energy RMSE", pytest.approx(1.2), "meV/atom"),
        Metric("stress MAE", pytest.approx(0.02), "meV/Å³"),
    ]


def test_an_unknown_unit_is_left_as_it_is() -> None:
    info = DatasetInfo("", (1,), {"energy": TargetInfo.energy("", forces=True)})
    assert display(info, {"forces RMSE": 0.5}) == [Metric("forces RMSE", 0.5, "")]
    info = DatasetInfo("", (1,), {"energy": TargetInfo.energy("eV", forces=True)})
    assert display(info, {"forces RMSE": 0.5}) == [Metric("forces RMSE", 0.5, "")]


def test_per_atom_targets_count_atoms_and_missing_targets_are_left_out() -> None:
    info = DatasetInfo(
        "angstrom",
        (1,),
        {"q": TargetInfo(sample_kind="atom", properties=2), "gap": TargetInfo()},
    )
    label = Target(torch.zeros(15, 2, dtype=torch.float64))
    label.values[0, 0] = torch.nan
    prediction = Target(torch.full((15, 2), 2.0, dtype=torch.float64))
    errors = Errors(info)
    errors.update({"q": prediction}, {"q": label}, N_ATOMS, VOLUMES)
    assert errors.sums[0].tolist() == [4.0 * 29, 2.0 * 29, 29.0]
    assert errors.compute()["q RMSE"] == 2.0
    assert math.isnan(errors.compute()["gap MAE"])
