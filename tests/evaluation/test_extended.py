"""Extended errors against numpy on the whole set at once, for any batches and missing labels."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mtt.data.info import DatasetInfo, TargetInfo
from mtt.evaluation.metrics import Errors, display, names, units
from mtt.evaluation.quantities import is_extended
from mtt.graph import Target

ATOMIC_TYPES = (1, 6, 8)
INFO = DatasetInfo(
    "angstrom",
    ATOMIC_TYPES,
    {
        "energy": TargetInfo.energy(forces=True, stress=True),
        "mtt::charge": TargetInfo("charge", "e", sample_kind="atom"),
    },
)
PAIRS = {"xx": (0, 0), "yy": (1, 1), "zz": (2, 2), "yz": (1, 2), "xz": (0, 2), "xy": (0, 1)}


class Structures(NamedTuple):
    """Predictions and labels of several structures."""

    n_atoms: torch.Tensor
    volumes: torch.Tensor
    types: torch.Tensor
    predictions: dict[str, Target]
    labels: dict[str, Target]

    def take(self, chosen: list[int]) -> Structures:
        owner = torch.repeat_interleave(torch.arange(len(self.n_atoms)), self.n_atoms)
        atoms = torch.cat([(owner == i).nonzero()[:, 0] for i in chosen])

        def part(targets: dict[str, Target]) -> dict[str, Target]:
            energy, charge = targets["energy"], targets["mtt::charge"]
            return {
                "energy": Target(
                    energy.values[chosen], energy.forces[atoms], energy.strain[chosen]
                ),
                "mtt::charge": Target(charge.values[atoms]),
            }

        return Structures(
            self.n_atoms[chosen],
            self.volumes[chosen],
            self.types[atoms],
            part(self.predictions),
            part(self.labels),
        )


def structures(seed: int, n: int = 6, missing: float = 0.0) -> Structures:
    """Random numbers; each label is missing with the probability ``missing``."""
    random = np.random.default_rng(seed)
    n_atoms = random.integers(1, 6, n)
    total = int(n_atoms.sum())
    volumes = random.choice([0.0, math.inf, 8.0, 31.0], n)

    def targets(missing: float) -> dict[str, Target]:
        def numbers(*shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
            values = random.normal(size=shape)
            values[random.random(shape) < missing] = np.nan
            return torch.tensor(values).to(dtype)

        energy = Target(
            numbers(n, 1),
            numbers(total, 3, dtype=torch.float32),
            numbers(n, 3, 3, dtype=torch.float32),
        )
        return {"energy": energy, "mtt::charge": Target(numbers(total, 1))}

    return Structures(
        torch.tensor(n_atoms),
        torch.tensor(volumes),
        torch.tensor(random.integers(0, 3, total)),
        targets(0.0),
        targets(missing),
    )


def scored(data: Structures, batches: list[list[int]], extended: bool = True) -> Errors:
    errors = Errors(INFO, totals=True, extended=extended)
    for chosen in batches:
        one = data.take(chosen)
        errors.update(one.predictions, one.labels, one.n_atoms, one.volumes, types=one.types)
    return errors


def in_one(data: Structures) -> Errors:
    return scored(data, [list(range(len(data.n_atoms)))])


def of_numpy(data: Structures) -> dict[str, float]:
    """All metrics of :data:`INFO`, from the definitions."""
    energy, label = data.predictions["energy"], data.labels["energy"]
    n_atoms, types = data.n_atoms.numpy(), data.types.numpy()
    forces = (energy.forces.double() - label.forces.double()).numpy()
    charge = (data.predictions["mtt::charge"].values - data.labels["mtt::charge"].values).numpy()
    total = (energy.values - label.values).numpy()
    volumes = data.volumes.numpy()
    periodic = np.isfinite(volumes) & (volumes > 0)
    strain = (energy.strain.double() - label.strain.double()).numpy()[periodic]
    stress = strain / volumes[periodic, None, None]
    quantities: dict[str, NDArray[np.float64]] = {
        "energy": total / n_atoms[:, None],
        "energy total": total,
        "forces": forces,
        "stress": stress,
        "mtt::charge": charge,
    }
    for i, symbol in enumerate(["H", "C", "O"]):
        quantities[f"forces {symbol}"] = forces[types == i]
        quantities[f"mtt::charge {symbol}"] = charge[types == i]
    for i, axis in enumerate("xyz"):
        quantities[f"forces {axis}"] = forces[:, i]
    for name, (i, j) in PAIRS.items():
        both = stress[:, [i, j], [j, i]] if i != j else stress[:, i, i]
        quantities[f"stress {name}"] = both
    expected = {}
    for name, values in quantities.items():
        known = values[np.isfinite(values)]
        expected[f"{name} RMSE"] = np.sqrt(np.mean(known**2)) if known.size else math.nan
        expected[f"{name} MAE"] = np.mean(np.abs(known)) if known.size else math.nan
        expected[f"{name} MaxAE"] = np.max(np.abs(known)) if known.size else math.nan
    return {**expected, "forces cosine": cosine_of_numpy(energy.forces, label.forces)}


def cosine_of_numpy(predicted: torch.Tensor, true: torch.Tensor) -> float:
    cosines = [
        np.dot(one, other) / np.linalg.norm(one) / np.linalg.norm(other)
        for one, other in zip(predicted.double().numpy(), true.double().numpy(), strict=True)
        if np.isfinite(other).all() and other.any()
    ]
    return float(np.mean(cosines)) if cosines else math.nan


def test_every_extended_error_is_numpys() -> None:
    data = structures(0, n=12)
    assert in_one(data).compute() == pytest.approx(of_numpy(data), rel=1e-12)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    missing=st.sampled_from([0.0, 0.3, 1.0]),
    order=st.permutations(range(6)),
    cuts=st.sets(st.integers(1, 5)),
)
def test_any_batches_and_any_missing_labels_give_the_errors_of_one_batch(
    seed: int, missing: float, order: list[int], cuts: set[int]
) -> None:
    data = structures(seed, missing=missing)
    ends = [0, *sorted(cuts), 6]
    batches = [order[i:j] for i, j in pairwise(ends)]
    found = scored(data, batches).compute()
    assert found == pytest.approx(of_numpy(data), rel=1e-10, nan_ok=True)
    assert found == pytest.approx(in_one(data).compute(), rel=1e-12, nan_ok=True)


def test_extended_adds_metrics_and_leaves_the_others_bitwise_unchanged() -> None:
    data, batches = structures(3, missing=0.2), [[0, 4], [1], [2, 3, 5]]
    plain = scored(data, batches, extended=False).compute()
    extended = scored(data, batches).compute()
    assert list(extended)[: len(plain)] == list(plain)
    assert {name: extended[name] for name in plain} == plain
    assert set(extended) - set(plain) == set(of_numpy(data)) - set(plain)
    assert names(INFO, totals=True, extended=True) == list(extended)
    assert names(INFO, totals=True) == list(plain)


def test_exact_zeros_are_kept() -> None:
    data = structures(1, n=12)
    same = data._replace(predictions=data.labels)
    found = in_one(same).compute()
    assert found.pop("forces cosine") == pytest.approx(1.0, abs=1e-15)
    assert set(found.values()) == {0.0}


def test_elements_and_components_share_out_the_whole() -> None:
    errors = in_one(structures(2, missing=0.3))
    rows = dict(zip(errors.counts(), errors.sums, strict=True))
    for quantity, parts in {"forces": ["H", "C", "O"], "stress": [*PAIRS]}.items():
        shared = sum(rows[f"{quantity} {part}"] for part in parts)
        torch.testing.assert_close(shared, rows[quantity], rtol=1e-13, atol=0)


def test_an_element_that_no_structure_has_has_no_error() -> None:
    data = structures(4)
    data.types[data.types == 2] = 0
    found = in_one(data).compute()
    assert math.isnan(found["forces O RMSE"])
    assert math.isnan(found["forces O MaxAE"])
    assert math.isfinite(found["forces H RMSE"])


def test_atoms_without_a_reference_force_have_no_direction() -> None:
    data = structures(5)
    label, predicted = data.labels["energy"].forces, data.predictions["energy"].forces
    label[0] = 0.0
    label[1, 2] = math.nan
    errors = in_one(data)
    assert errors.counts()["forces cosine"] == len(label) - 2
    expected = cosine_of_numpy(predicted, label)
    assert errors.compute()["forces cosine"] == pytest.approx(expected, rel=1e-13)


def test_a_predicted_force_of_zero_is_perpendicular_to_all() -> None:
    data = structures(6)
    data.predictions["energy"].forces[:] = 0.0
    assert in_one(data).compute()["forces cosine"] == 0.0


def test_a_prediction_that_is_not_a_number_shows_where_it_counts_and_only_there() -> None:
    data = structures(7, n=12)
    element = int(data.types[0])
    data.predictions["energy"].forces[0, 1] = math.nan
    found = in_one(data).compute()
    symbol, *others = [["H", "C", "O"][i] for i in (element, *({0, 1, 2} - {element}))]
    broken = ["forces", f"forces {symbol}", "forces y"]
    sound = ["forces x", "forces z", "energy", *(f"forces {other}" for other in others)]
    kinds = ("RMSE", "MAE", "MaxAE")
    assert all(math.isnan(found[f"{name} {kind}"]) for name in broken for kind in kinds)
    assert all(math.isfinite(found[f"{name} {kind}"]) for name in sound for kind in kinds)
    assert math.isnan(found["forces cosine"])


def test_merged_errors_are_those_of_all_structures() -> None:
    data = structures(8, missing=0.2)
    first, second = scored(data, [[0, 3]]), scored(data, [[1], [2, 4, 5]])
    first.merge(second)
    assert first.compute() == pytest.approx(in_one(data).compute(), rel=1e-13, nan_ok=True)
    summed, most = second.sums + scored(data, [[0, 3]]).sums, second.maxima
    assert torch.equal(first.sums, summed)  # what all_reduce makes of two processes
    assert torch.equal(first.maxima, torch.maximum(most, scored(data, [[0, 3]]).maxima))


def test_a_target_that_one_batch_lacks_is_not_counted_there() -> None:
    data = structures(9)
    one, other = data.take([0, 1, 2]), data.take([3, 4, 5])
    errors = Errors(INFO, totals=True, extended=True)
    errors.update(one.predictions, one.labels, one.n_atoms, one.volumes, types=one.types)
    charge = {"mtt::charge": other.labels["mtt::charge"]}
    errors.update(other.predictions, charge, other.n_atoms, other.volumes, types=other.types)
    found = errors.compute()
    assert found["forces H RMSE"] == scored(data, [[0, 1, 2]]).compute()["forces H RMSE"]
    assert found["mtt::charge MaxAE"] == in_one(data).compute()["mtt::charge MaxAE"]


def test_a_cosine_has_no_unit_and_parts_have_that_of_the_whole() -> None:
    shown = units(INFO, extended=True)
    assert list(shown) == names(INFO, totals=True, extended=True)
    assert shown["forces cosine"] == ""
    assert shown["forces C MaxAE"] == shown["forces RMSE"] == "meV/Å"
    assert shown["stress xy MAE"] == "meV/Å³"
    values = {metric.name: metric.value for metric in display(INFO, dict.fromkeys(shown, 0.5))}
    assert (values["forces cosine"], values["forces x RMSE"]) == (0.5, 500.0)


def test_extended_metrics_are_known_by_their_names() -> None:
    plain = names(INFO, totals=True)
    extended = [name for name in names(INFO, totals=True, extended=True) if name not in plain]
    assert all(map(is_extended, extended))
    assert not any(is_extended(name) for name in [*plain, "loss", "mtt::E2 forces RMSE"])


def test_an_update_never_waits_for_the_device() -> None:
    """Tensors without data: whoever looks at a number, as a synchronisation does, fails."""
    data = structures(10)

    def meta(targets: dict[str, Target]) -> dict[str, Target]:
        return {
            name: Target(*(None if part is None else part.to("meta") for part in target))
            for name, target in targets.items()
        }

    errors = Errors(INFO, totals=True, extended=True)
    sizes = (each.to("meta") for each in (data.n_atoms, data.volumes))
    errors.update(meta(data.predictions), meta(data.labels), *sizes, types=data.types.to("meta"))
    assert errors.sums.is_meta
    assert errors.maxima.is_meta
