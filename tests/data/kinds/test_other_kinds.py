"""Kinds that another package adds: options, labels, batches, packed data, samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ase
import ase.io
import numpy as np
import pytest
import torch

from mtt import Dataset
from mtt.data import Batching, Loader, merge, pack, read_dataset
from mtt.data.batching.augmentation import make_turns
from mtt.data.statistics import statistics
from mtt.errors import ConfigError, DataError
from mtt.options import load_eval_options
from mtt.scanning.scan import scan

MULTIPOLE = 'multipole {"l": [0, 1]}'
DIPOLE, MOMENTS = "mtt::dipole", "mtt::moments"


@pytest.fixture(scope="module")
def dataset(molecules: list[ase.Atoms], targets: dict[str, Any]) -> Dataset:
    return Dataset.from_atoms(molecules, targets)


def turned(atoms: ase.Atoms, Q: np.ndarray) -> ase.Atoms:
    """The structure, and labels that turn as vectors do."""
    copied = atoms.copy()
    copied.positions = atoms.positions @ Q.T
    copied.info["dipole"] = Q @ atoms.info["dipole"]
    moments = atoms.arrays["moments"].reshape(-1, 4, 2).copy()
    moments[:, [3, 1, 2]] = np.einsum("ab,ibp->iap", Q, moments[:, [3, 1, 2]])
    copied.arrays["moments"] = moments.reshape(-1, 8)
    return copied


# ---- options and files


def test_options_name_a_kind_and_its_parameters(targets: dict[str, Any]) -> None:
    (read_back,) = load_eval_options({"systems": "a.xyz", "targets": targets})
    assert [one.kind for one in read_back.targets.values()] == ["scalar", "polar", MULTIPOLE]
    written = {name: one.to_dict()["type"] for name, one in read_back.targets.items()}
    assert written == {"energy": "scalar", DIPOLE: "polar", MOMENTS: {"multipole": {"l": [0, 1]}}}


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"type": "polra"}, "did you mean 'polar'"),
        ({"type": "cartesian"}, r"cartesian needs rank; write type: \{cartesian: \{rank: ...\}\}"),
        ({"type": "polar", "quantity": "energy"}, "an energy is a scalar"),
        ({"type": "polar", "forces": True}, "only one energy per structure has forces"),
    ],
)
def test_options_that_name_no_kind_are_refused(section: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_eval_options({"systems": "a.xyz", "targets": {"mtt::x": section}})


def test_parameters_of_another_kind_are_refused(molecules: list[ase.Atoms]) -> None:
    for parameters, message in (
        ({"l": [2]}, r"targets.mtt::x.type: l is \[2\]: degrees are 0 and 1"),
        ({"rank": 2}, "unknown key 'rank' of multipole; known keys are l"),
    ):
        section = {"mtt::x": {"key": "dipole", "type": {"multipole": parameters}}}
        with pytest.raises(ConfigError, match=message):
            Dataset.from_atoms(molecules, section)


def test_labels_have_the_components_of_their_kind(
    dataset: Dataset, molecules: list[ase.Atoms], file: Path, targets: dict[str, Any]
) -> None:
    assert dataset.info.targets[DIPOLE].shape == (3, 1)
    assert dataset.info.targets[MOMENTS].shape == (4, 2)
    dipoles = np.array([atoms.info["dipole"] for atoms in molecules])
    moments = np.concatenate([atoms.arrays["moments"] for atoms in molecules])
    np.testing.assert_array_equal(dataset.target(DIPOLE).values, dipoles[:, :, None])
    np.testing.assert_array_equal(dataset.target(MOMENTS).values, moments.reshape(-1, 4, 2))
    (options,) = load_eval_options({"systems": str(file), "targets": targets})
    from_file = read_dataset(options)
    for name in targets:
        torch.testing.assert_close(from_file.target(name).values, dataset.target(name).values)


def test_a_vector_without_one_component_is_missing_as_a_whole(molecules: list[ase.Atoms]) -> None:
    atoms = molecules[0].copy()
    atoms.info["dipole"] = np.array([0.1, np.nan, 0.2])
    section = {DIPOLE: {"key": "dipole", "type": "polar"}}
    data = Dataset.from_atoms([atoms, molecules[1]], section)
    assert data.target(DIPOLE).values.isnan()[:, :, 0].tolist() == [[True] * 3, [False] * 3]
    assert any("'dipole' is NaN, a missing label, in 1 of 2" in notice for notice in data.notices)


def test_another_number_of_components_is_refused(molecules: list[ase.Atoms]) -> None:
    section = {DIPOLE: {"key": "dipole", "type": "polar", "num_subtargets": 2}}
    message = r"3 values where 6 is expected \(3 components, num_subtargets 2\)"
    with pytest.raises(DataError, match=message):
        Dataset.from_atoms(molecules, section)


# ---- batches


@pytest.mark.parametrize("augmentation", ["so3", "o3"])
def test_labels_turn_with_their_structures(
    dataset: Dataset, molecules: list[ase.Atoms], targets: dict[str, Any], augmentation: str
) -> None:
    turns = make_turns(augmentation, len(dataset), 4, 1)
    matrices = turns(np.arange(len(dataset))).numpy()
    assert (np.linalg.det(matrices) < 0).any() == (augmentation == "o3")
    pairs = zip(molecules, matrices, strict=True)
    expected = Dataset.from_atoms([turned(*pair) for pair in pairs], targets)
    loader = Loader(
        dataset, (1, 6, 8), cutoff=3.5, dtype=torch.float64, batching=Batching(5), shuffle=True,
        seed=4, augmentation=augmentation,
    )  # fmt: skip
    for batch in loader.epoch(1):
        wanted = expected.select(batch.index)
        for name in (DIPOLE, MOMENTS):
            assert batch.targets[name].values.shape[1:] == dataset.info.targets[name].shape
            torch.testing.assert_close(batch.targets[name].values, wanted.target(name).values)


def test_packed_and_merged_data_keep_kinds(
    dataset: Dataset, molecules: list[ase.Atoms], targets: dict[str, Any], tmp_path: Path
) -> None:
    other = Dataset.from_atoms(molecules[:3], {"energy": targets["energy"]})
    whole = pack([dataset, other], tmp_path / "packed")
    assert whole.info.targets[MOMENTS] == dataset.info.targets[MOMENTS]
    for name in (DIPOLE, MOMENTS):
        found, wanted = whole.target(name).values, dataset.target(name).values
        assert torch.equal(found[: len(wanted)], wanted)
        assert bool(found[len(wanted) :].isnan().all())
    plain = {DIPOLE: {**targets[DIPOLE], "type": "scalar", "num_subtargets": 3}}
    with pytest.raises(DataError, match=f"{DIPOLE}: kind is 'polar' in one data set and 'scalar'"):
        merge([dataset, Dataset.from_atoms(molecules, plain)])


def test_scans_and_statistics_take_them_as_they_are(dataset: Dataset) -> None:
    assert not [one for one in scan({"training": [dataset]}) if MOMENTS in one.what]
    rows = {row.name: row for row in statistics(dataset).rows}
    dipole = rows[DIPOLE]
    assert (dipole.labelled, dipole.total, dipole.unit) == (len(dataset), len(dataset), "D")
    wanted = dataset.target(DIPOLE).values.square().mean().sqrt()
    assert dipole.rms == pytest.approx(float(wanted))
    second = dataset.target(MOMENTS).values[..., 1]
    assert rows[f"{MOMENTS}[1]"].mean == pytest.approx(float(second.mean()))
    assert rows[f"{MOMENTS}[1]"].labelled == len(second)


def test_samples_have_the_blocks_of_their_kind(dataset: Dataset) -> None:
    sample = dataset[1]
    (dipole,) = sample[DIPOLE].blocks()
    assert [axis.names for axis in dipole.components] == [["xyz"]]
    assert torch.equal(dipole.values, dataset.select([1]).target(DIPOLE).values)
    moments = sample[MOMENTS]
    assert moments.keys.names == ["o3_lambda", "o3_sigma"]
    assert moments.keys.values.tolist() == [[0, 1], [1, 1]]
    blocks = [block.values for block in moments.blocks()]
    assert [list(block.shape[1:]) for block in blocks] == [[1, 2], [3, 2]]
    assert torch.equal(torch.cat(blocks, dim=1), dataset.select([1]).target(MOMENTS).values)
