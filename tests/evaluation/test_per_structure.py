"""Errors of each structure: exact, whatever the batches, and with what the files say of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import ase
import ase.io
import numpy as np
import pytest
import torch

from mtt import MLIPModel, TargetInfo
from mtt.data import Dataset, merge, pack, read_dataset
from mtt.evaluation import PerStructure, evaluate, predict
from mtt.options import load_eval_options


def errors_of(model: MLIPModel, dataset: Dataset, batch_size: int = 2) -> PerStructure:
    found = PerStructure(dataset)
    for prediction in predict(model, dataset, batch_size=batch_size):
        found.update(prediction)
    return found


@pytest.mark.parametrize("batch_size", [1, 2, 10])
def test_the_errors_of_a_structure_are_numpys_whatever_the_batch_size(
    model: MLIPModel, dataset: Dataset, batch_size: int
) -> None:
    (whole,) = predict(model, dataset, batch_size=10)
    predicted, label = whole.targets["energy"], dataset.target("energy")
    assert predicted.forces is not None
    assert predicted.strain is not None
    sizes = dataset.n_atoms.tolist()
    forces = torch.split(predicted.forces - label.forces, sizes)
    for i, row in enumerate(errors_of(model, dataset, batch_size).rows()):
        energy = float(predicted.values[i, 0] - label.values[i, 0]) / sizes[i]
        assert row["energy error"] == pytest.approx(energy, rel=1e-9)
        wrong = forces[i].numpy()
        assert row["forces RMSE"] == pytest.approx(np.sqrt((wrong**2).mean()), rel=1e-9)
        assert row["forces MaxAE"] == pytest.approx(np.abs(wrong).max(), rel=1e-9)
        if i in (1, 4):
            strain = (predicted.strain - label.strain)[i].numpy() / float(dataset.volumes[i])
            assert row["stress RMSE"] == pytest.approx(np.sqrt((strain**2).mean()), rel=1e-9)
        else:
            assert row["stress RMSE"] is None, "not periodic in all directions"


def test_a_row_says_where_a_structure_is_from_and_what_it_is_made_of(
    model: MLIPModel, dataset: Dataset
) -> None:
    chosen = dataset.select([4, 0])
    rows = list(errors_of(model, chosen).rows())
    assert [(row["file"], row["frame"], row["atoms"]) for row in rows] == [
        ("set.xyz", 4, 7),
        ("set.xyz", 0, 5),
    ]
    for row, atoms in zip(rows, (chosen.atoms(0), chosen.atoms(1)), strict=True):
        assert row["formula"] == atoms.get_chemical_formula(mode="hill")


def test_the_errors_of_all_structures_together_are_those_of_the_report(
    model: MLIPModel, dataset: Dataset
) -> None:
    report = evaluate(model, dataset, extended=True)
    found = errors_of(model, dataset)
    assert [one.name for one in found.errors] == ["energy", "forces", "stress"]
    for one in found.errors:
        rmse, mae, worst, _ = one.pooled()
        assert rmse == pytest.approx(report.errors[f"{one.name} RMSE"], rel=1e-12)
        assert mae == pytest.approx(report.errors[f"{one.name} MAE"], rel=1e-12)
        assert worst == pytest.approx(report.errors[f"{one.name} MaxAE"], rel=1e-12)


def test_targets_of_atoms_and_of_several_numbers_have_rmse_and_largest_error(
    make_model: Callable[..., MLIPModel], make_dataset: Callable[..., Dataset]
) -> None:
    targets = {"mtt::charges": TargetInfo("", "e", "atom", properties=2)}
    dataset = make_dataset(targets)
    model = make_model(dataset.info)
    (whole,) = predict(model, dataset, batch_size=10)
    wrong = whole.targets["mtt::charges"].values - dataset.target("mtt::charges").values
    parts = torch.split(wrong, dataset.n_atoms.tolist())
    for row, part in zip(errors_of(model, dataset).rows(), parts, strict=True):
        assert row["mtt::charges RMSE"] == pytest.approx(float(part.square().mean().sqrt()))
        assert row["mtt::charges MaxAE"] == pytest.approx(float(part.abs().max()))


def test_the_worst_are_those_of_the_greatest_error_of_any_quantity(
    model: MLIPModel, dataset: Dataset
) -> None:
    label = dataset.target("energy")
    assert label.forces is not None
    first = int(dataset.n_atoms[:2].sum())
    dataset.columns.rows["forces:energy"][first : first + 8] += 1000.0
    found = errors_of(model, dataset)
    assert found.worst(1).tolist() == [2]
    assert found.worst(10).tolist()[0] == 2
    assert len(found.worst(10)) == 5
    errors = {one.name: one for one in found.errors}["forces"]
    share = errors.rmse[2] / errors.pooled()[0]
    assert found.badness[2] == pytest.approx(share)


def test_a_prediction_that_is_nan_is_worst_and_no_label_is_no_error(
    model: MLIPModel, dataset: Dataset
) -> None:
    dataset.columns.rows["values:energy"][0] = math.nan
    with torch.no_grad():
        model.embedding.weight[2] = math.nan  # oxygen, in all structures but one
    found = errors_of(model, dataset)
    rows = list(found.rows())
    assert rows[0]["energy error"] is None
    assert np.isfinite(rows[3]["energy error"])
    oxygen = [i for i in range(5) if 8 in dataset.atoms(i).numbers]
    assert all(math.isnan(rows[i]["forces RMSE"]) for i in oxygen)
    assert set(found.worst(len(oxygen)).tolist()) == set(oxygen)


# ------------------------------------------------------------------------- keys of the files


@pytest.fixture
def labelled(tmp_path: Path) -> Dataset:
    """Two files with words and numbers, read as ``mtt eval`` reads them."""
    generator = np.random.default_rng(0)
    sets = []
    for name, kinds in (("a", ["bulk", "slab", "bulk"]), ("b", ["", "slab"])):
        frames = []
        for i, kind in enumerate(kinds):
            atoms = ase.Atoms("CO", [[0, 0, 0], [0, 0, generator.uniform(1, 3)]])
            atoms.info |= {"energy": -float(i), "U": 0.5 * i} | (
                {"config_type": kind} if kind else {}
            )
            frames.append(atoms)
        path = tmp_path / f"{name}.xyz"
        ase.io.write(path, frames)
        (options,) = load_eval_options(
            {"systems": str(path), "targets": {"energy": {"unit": "eV", "forces": False}}}
        )
        sets.append(read_dataset(options))
    return merge(sets)


@pytest.fixture
def pair_model(make_model: Callable[..., MLIPModel], labelled: Dataset) -> MLIPModel:
    return make_model(labelled.info)


def test_errors_by_group_share_out_the_whole(pair_model: MLIPModel, labelled: Dataset) -> None:
    found = errors_of(pair_model, labelled)
    groups = found.by_group("config_type")
    assert [(group.value, group.n_structures) for group in groups] == [
        ("bulk", 2),
        ("slab", 2),
        ("", 1),
    ]
    (energy,) = found.errors
    squares = sum(group.errors["energy"][0] ** 2 * group.errors["energy"][3] for group in groups)
    assert math.sqrt(squares / 5) == pytest.approx(energy.pooled()[0], rel=1e-12)
    slabs = energy.rmse[[1, 4]]
    assert groups[1].errors["energy"][0] == pytest.approx(np.sqrt((slabs**2).mean()), rel=1e-12)


def test_what_the_files_say_of_a_structure_is_in_its_row(
    pair_model: MLIPModel, labelled: Dataset
) -> None:
    rows = list(errors_of(pair_model, labelled.select([4, 2, 3])).rows())
    assert [row["info config_type"] for row in rows] == ["slab", "bulk", None]
    assert [float(row["info U"]) for row in rows] == [0.5, 1.0, 0.0]
    assert [row["frame"] for row in rows] == [1, 2, 0]


def test_packed_data_keep_no_such_keys(
    pair_model: MLIPModel, labelled: Dataset, tmp_path: Path
) -> None:
    found = errors_of(pair_model, pack(labelled, tmp_path / "packed"))
    assert found.info == {}
    assert set(next(found.rows())) == {"file", "frame", "atoms", "formula", "energy error"}
    with pytest.raises(KeyError):
        found.by_group("config_type")
