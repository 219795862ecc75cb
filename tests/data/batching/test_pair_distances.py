"""Labels of pairs in batches, and those that no model sees."""

from __future__ import annotations

from dataclasses import replace

import ase
import numpy as np
import pytest
import torch

from mtt import Dataset
from mtt.data import Batching, Loader, kinds, merge, pack
from mtt.data.batching.pair_distances import check_pairs
from mtt.data.combine import with_targets_of
from mtt.data.frames import Frame, FrameLabels
from mtt.data.info import DatasetInfo, TargetInfo
from mtt.errors import DataError

VECTOR = TargetInfo(sample_kind="atom_pair", kind='cartesian {"rank": 1}')
INFO = DatasetInfo("angstrom", (1, 8, 29), {"mtt::r": VECTOR})


def vectors_of(atoms: ase.Atoms, cutoff: float, source: str) -> Frame:
    """A structure whose labels of pairs are their vectors."""
    rows, vectors = [], []
    images = [0] if not atoms.pbc.any() else [-2, -1, 0, 1, 2]
    shifts = np.stack(np.meshgrid(images, images, images, indexing="ij"), -1).reshape(-1, 3)
    for i in range(len(atoms)):
        for j in range(len(atoms)):
            for shift in shifts:
                vector = atoms.positions[j] - atoms.positions[i] + shift @ atoms.cell.array
                if 0 < np.linalg.norm(vector) < cutoff:
                    rows.append([i, j, *shift])
                    vectors.append(vector)
    order = np.random.default_rng(0).permutation(len(rows))
    pairs, values = np.array(rows)[order], np.array(vectors)[order][:, :, None]
    labels = {"mtt::r": FrameLabels(values, pairs=pairs)}
    of = (atoms.numbers.astype(np.int64), atoms.positions, atoms.cell.array, atoms.pbc)
    return Frame(*of, labels, {}, source)


@pytest.fixture(scope="module")
def data() -> Dataset:
    water = ase.Atoms("OH2", [[0, 0, 0], [0, 0, 1.0], [0, 1.0, 0]])
    copper = ase.Atoms("Cu2", [[0, 0, 0], [1.3, 1.4, 1.5]], cell=[2.5, 2.6, 2.7], pbc=True)
    frames = [vectors_of(one, 3.0, f"a.xyz, frame {i}") for i, one in enumerate([water, copper])]
    return Dataset.from_frames(frames, INFO)


def batch_of(data: Dataset, cutoff: float, **more: object) -> tuple[torch.Tensor, torch.Tensor]:
    """Labels and vectors of all pairs of one batch."""
    loader = Loader(
        data, data.info.atomic_types, cutoff=cutoff, dtype=torch.float64,
        batching=Batching(structures=10), shuffle=False, **more,  # type: ignore[arg-type]
    )  # fmt: skip
    (batch,) = loader.epoch()
    return batch.targets["mtt::r"].values[..., 0], batch.graph.vectors


def test_labels_have_the_place_of_their_pair(data: Dataset) -> None:
    torch.testing.assert_close(*batch_of(data, 3.0))
    torch.testing.assert_close(*batch_of(data.select([1, 0, 1]), 3.0))


def test_pairs_without_a_label_are_nan(data: Dataset) -> None:
    labels, vectors = batch_of(data, 4.0)
    near = torch.linalg.vector_norm(vectors, dim=1) < 3.0
    assert 0 < int(near.sum()) < len(near)
    torch.testing.assert_close(labels[near], vectors[near])
    assert bool(labels[~near].isnan().all())


def test_labels_turn_with_the_structures(data: Dataset) -> None:
    labels, vectors = batch_of(data, 3.0, augmentation="o3", seed=3)
    torch.testing.assert_close(labels, vectors)
    assert float((vectors - batch_of(data, 3.0)[1]).abs().max()) > 0.1


def test_labels_of_joined_data_sets_follow_one_another(data: Dataset) -> None:
    molecule = ase.Atoms("OH", [[0, 0, 0], [1, 1, 0]])
    other = Dataset.from_frames([vectors_of(molecule, 3.0, "b")], INFO)
    bare = other.keep_targets(INFO.with_targets({}))
    joined = merge([data, other, with_targets_of(bare, INFO)])
    labels, vectors = batch_of(joined, 3.0)
    torch.testing.assert_close(labels[:-2], vectors[:-2])
    assert bool(labels[-2:].isnan().all())


def test_a_label_outside_of_the_cutoff_is_refused(data: Dataset) -> None:
    check_pairs(data, 3.0)
    message = (
        r"a.xyz, frame 0: the pair of H1 and H2 has a label of 'mtt::r' at 1.414 angstrom, outside "
        r"of the model's cutoff of 1.2 angstrom \(\d+ pairs of 2 structures\); write "
        r"architecture.model.cutoff: 2.8, or leave these labels out of the file"
    )
    with pytest.raises(DataError, match=message):
        check_pairs(data, 1.2)
    with pytest.raises(DataError, match=r"a.xyz, frame 1: the pair of Cu0 and Cu0 in cell \["):
        check_pairs(data.select([1]), 2.4)


def test_values_of_pairs_are_not_packed(data: Dataset, tmp_path: object) -> None:
    with pytest.raises(DataError, match="values of pairs cannot be packed: mtt::r"):
        pack(data, f"{tmp_path}/packed")


def test_another_kind_of_the_target_is_not_there(data: Dataset) -> None:
    scalar = replace(VECTOR, kind=kinds.of("scalar").text)
    with pytest.raises(DataError, match="there are no values of 'mtt::r' like that"):
        data.keep_targets(INFO.with_targets({"mtt::r": scalar}))
    assert data.keep_targets(INFO).info == INFO
