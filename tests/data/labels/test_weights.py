"""Weights of structures: from the options to the batch, through every store."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import ase
import numpy as np
import pytest
import torch

from mtt.data import Batching, Dataset, Loader, merge, pack, read_dataset
from mtt.errors import DataError
from mtt.options import DatasetOptions, TargetOptions

Make = Callable[..., DatasetOptions]


@pytest.fixture
def weighted_file(file: Callable[..., Path], h2: Callable[..., ase.Atoms]) -> Path:
    weights = [1.0, 0.0, 2.5]
    return file(*(h2(energy=float(i), w=weight) for i, weight in enumerate(weights)))


def batches(dataset: Dataset, size: int = 2, **options: object) -> list[torch.Tensor | None]:
    loader = Loader(
        dataset, (1, 6, 8), cutoff=3.0, dtype=torch.float32,
        batching=Batching(structures=size), shuffle=False, **options,
    )  # fmt: skip
    return [batch.weights for batch in loader.epoch()]


def test_a_number_is_the_weight_of_all_structures(
    weighted_file: Path, energy_options: Make
) -> None:
    options = replace(energy_options(weighted_file), weight=2.0)
    assert read_dataset(options).weights.tolist() == [2.0, 2.0, 2.0]


def test_a_key_names_a_weight_per_structure(weighted_file: Path, energy_options: Make) -> None:
    dataset = read_dataset(replace(energy_options(weighted_file), weight="w"))
    assert dataset.weights.tolist() == [1.0, 0.0, 2.5]
    assert dataset.weights.dtype == torch.float64
    assert dataset.select([2, 0]).weights.tolist() == [2.5, 1.0]
    chosen = replace(energy_options(weighted_file, indices=[2, 1]), weight="w")
    assert read_dataset(chosen).weights.tolist() == [2.5, 0.0]


def test_without_weights_every_structure_counts_once_and_batches_carry_none(
    weighted_file: Path, energy_options: Make
) -> None:
    dataset = read_dataset(energy_options(weighted_file))
    assert dataset.weights.tolist() == [1.0, 1.0, 1.0]
    assert batches(dataset) == [None, None]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0, -2.0], r"set.xyz, frame 1: 'w' for weight: negative: -2"),
        ([np.nan, 1.0], r"set.xyz, frame 0: 'w' for weight: not a number: nan"),
        ([1.0, np.inf], r"set.xyz, frame 1: 'w' for weight: infinite"),
        (["high", 1.0], r"set.xyz, frame 0: 'w' for weight: not a number: 'high'"),
        ([1.0, None], r"set.xyz, frame 1: no 'w' for weight .keys per structure: energy.*; write"),
    ],
)
def test_weights_that_are_none_are_refused_with_file_frame_and_key(
    file, h2, energy_options: Make, refuse, weights: list[object], message: str
) -> None:
    frames = [h2(energy=1.0, **({} if one is None else {"w": one})) for one in weights]
    told = refuse(replace(energy_options(file(*frames)), weight="w"))
    assert re.search(message, told), told


def test_a_key_that_no_structure_has_is_refused(
    weighted_file: Path, energy_options: Make, refuse
) -> None:
    told = refuse(replace(energy_options(weighted_file), weight="weigth"))
    assert "set.xyz: no 'weigth' in any structure, for weight" in told


def test_batches_carry_the_weights_of_their_structures(
    weighted_file: Path, energy_options: Make
) -> None:
    dataset = read_dataset(replace(energy_options(weighted_file), weight="w"))
    assert [part.tolist() for part in batches(dataset)] == [[1.0, 0.0], [2.5]]
    assert [part.tolist() for part in batches(dataset.select([2, 1, 0]))] == [[2.5, 0.0], [1.0]]
    assert [part.tolist() for part in batches(dataset, size=3)] == [[1.0, 0.0, 2.5]]


def test_merged_data_sets_keep_their_weights(weighted_file: Path, energy_options: Make) -> None:
    options = energy_options(weighted_file)
    parts = [replace(options, weight="w"), options, replace(options, weight=3.0)]
    merged = merge([read_dataset(one) for one in parts])
    assert merged.weights.tolist() == [1.0, 0.0, 2.5, 1.0, 1.0, 1.0, 3.0, 3.0, 3.0]
    assert torch.equal(torch.cat(batches(merged)), merged.weights)


@pytest.fixture
def packed(weighted_file: Path, energy_options: Make, tmp_path: Path) -> Path:
    dataset = read_dataset(replace(energy_options(weighted_file), weight="w"))
    pack(dataset, tmp_path / "packed")
    return tmp_path / "packed"


def test_packing_keeps_weights(packed: Path, energy_options: Make) -> None:
    for weight in (None, "w"):
        opened = read_dataset(replace(energy_options(packed), weight=weight))
        assert opened.weights.tolist() == [1.0, 0.0, 2.5]
    assert [part.tolist() for part in batches(opened)] == [[1.0, 0.0], [2.5]]
    assert merge([opened, opened]).weights.tolist() == [1.0, 0.0, 2.5] * 2


def test_a_number_means_the_same_for_a_packed_data_set_as_for_a_file(
    packed: Path, energy_options: Make, tmp_path: Path
) -> None:
    opened = read_dataset(replace(energy_options(packed, indices=[0, 2]), weight=4.0))
    assert opened.weights.tolist() == [4.0, 4.0]
    assert torch.cat(batches(opened)).tolist() == [4.0, 4.0]
    pack(opened, tmp_path / "again")
    assert Dataset.open(tmp_path / "again").weights.tolist() == [4.0, 4.0]


def test_a_packed_data_set_of_version_1_has_no_weights(
    packed: Path, energy_options: Make, tmp_path: Path
) -> None:
    header = json.loads((packed / "dataset.json").read_text())
    (packed / header["arrays"].pop("weights")["file"]).unlink()
    (packed / "dataset.json").write_text(json.dumps(header))
    with pytest.raises(DataError, match="the array 'weights' is missing"):
        Dataset.open(packed)
    (packed / "dataset.json").write_text(json.dumps(header | {"format_version": 1}))
    opened = Dataset.open(packed)
    assert opened.weights.tolist() == [1.0, 1.0, 1.0]
    assert batches(opened) == [None, None]
    assert merge([opened, opened.weighted(2.0)]).weights.tolist() == [1.0] * 3 + [2.0] * 3
    pack(opened, tmp_path / "again")
    assert Dataset.open(tmp_path / "again").weights.tolist() == [1.0, 1.0, 1.0]
    with pytest.raises(DataError, match="'w' is asked for, but all weights are 1 in the packed"):
        read_dataset(replace(energy_options(packed), weight="w"))


def test_structures_in_memory_take_weights_too(h2: Callable[..., ase.Atoms]) -> None:
    atoms = [h2(energy=1.0, w=2.0), h2(energy=2.0, w=0.5)]
    targets = {"energy": {"key": "energy", "unit": "eV"}}
    assert Dataset.from_atoms(atoms, targets, weight="w").weights.tolist() == [2.0, 0.5]
    assert Dataset.from_atoms(atoms, targets, weight=3.0).weights.tolist() == [3.0, 3.0]


@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf])
def test_weights_of_frames_are_checked_too(make_frames, full_info, weight: float) -> None:
    frames = make_frames(3)
    frames[1] = frames[1]._replace(weight=weight)
    with pytest.raises(DataError, match=f"seed 0, frame 1: the weight {weight:g} is not a finite"):
        Dataset.from_frames(frames, full_info)


@pytest.fixture
def masked(file, h2, energy_options: Make) -> Callable[..., DatasetOptions]:
    """Two values per structure, with a mask of them."""

    def make(*masks: object) -> DatasetOptions:
        frames = [h2(energy=1.0, x=np.array([1.0, 2.0, 3.0]), mask=mask) for mask in masks]
        path = file(*frames)
        target = TargetOptions("", str(path), None, "x", num_subtargets=3)
        mask = replace(target, key="mask")
        options = energy_options(path, extra={"mtt::x_mask": mask})
        return replace(options, targets={"mtt::x": target})

    return make


def test_a_mask_makes_labels_missing(masked: Callable[..., DatasetOptions]) -> None:
    options = masked(np.array([1, 0, 1]), np.array([True, True, True]), np.array([0.0, 0.0, 0.0]))
    values = read_dataset(options).target("mtt::x").values
    nan = float("nan")
    expected = torch.tensor([[1.0, nan, 3.0], [1.0, 2.0, 3.0], [nan, nan, nan]])
    torch.testing.assert_close(values, expected.double(), equal_nan=True)


def test_an_invalid_mask_is_refused(masked: Callable[..., DatasetOptions], refuse) -> None:
    told = refuse(masked(np.array([1.0, 0.5, 1.0])))
    assert "frame 0: the mask of 'mtt::x' holds something else than 0 and 1" in told
    options = masked(np.array([1.0, 0.0, 1.0]))
    wrong = replace(options.extra_data["mtt::x_mask"], key="energy", num_subtargets=1)
    told = refuse(replace(options, extra_data={"mtt::x_mask": wrong}))
    assert "the mask of 'mtt::x' has not the shape of its values: [1, 1], not [1, 3]" in told
