"""Augmented batches: structures and labels turn together, and nothing else does."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from mtt.data import Batch, Batching, Dataset, DatasetInfo, Frame, Loader, TargetInfo, merge, pack
from mtt.data.batching.augmentation import Augmentation, make_turns
from mtt.graph import Target
from mtt.registry import find

MakeFrames = Callable[..., list[Frame]]


def load(dataset: Dataset, augmentation: Augmentation = "none", **options: object) -> Loader:
    defaults = {"shuffle": True, "seed": 5, "batching": Batching(7), "dtype": torch.float64}
    given = defaults | {"cutoff": 4.0} | options
    return Loader(dataset, (1, 6, 8), augmentation=augmentation, **given)


def tensors(batch: Batch) -> dict[str, torch.Tensor]:
    parts = batch.graph._asdict().items()
    found = {name: part for name, part in parts if isinstance(part, torch.Tensor)}
    for name, target in batch.targets.items():
        parts = target._asdict().items()
        found |= {f"{name}.{part}": value for part, value in parts if value is not None}
    return found | {name: getattr(batch, name) for name in ("n_atoms", "index", "volumes")}


def assert_same(one: Batch, two: Batch) -> None:
    ours, theirs = tensors(one), tensors(two)
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert torch.equal(value, theirs[name]), name


@pytest.fixture
def dataset(make_frames: MakeFrames, full_info: DatasetInfo) -> Dataset:
    return Dataset.from_frames(make_frames(30), full_info)


@pytest.mark.parametrize("kind", ["so3", "o3"])
def test_structures_and_labels_turn_and_nothing_else(dataset: Dataset, kind: Augmentation) -> None:
    turns = make_turns(kind, len(dataset), 5, 2)
    assert turns is not None
    turned = {"vectors", "positions", "cells", "energy.forces", "energy.strain"}
    for plain, batch in zip(load(dataset).epoch(2), load(dataset, kind).epoch(2), strict=True):
        before, after = tensors(plain), tensors(batch)
        assert before.keys() == after.keys()
        same = {name for name in before if torch.equal(before[name], after[name])}
        assert before.keys() - same == turned  # the neighbour lists too are what they were
        q = turns(plain.index.numpy()).numpy()
        rows = {"vectors": plain.graph.system[plain.graph.centers]}
        rows |= dict.fromkeys(("positions", "energy.forces"), plain.graph.system)
        for name, owner in rows.items():
            for row, one, v in zip(owner.tolist(), before[name], after[name], strict=True):
                np.testing.assert_allclose(v, q[row] @ one.numpy(), rtol=0, atol=1e-13)
        for i in range(len(q)):
            cell, strain = before["cells"][i].numpy(), before["energy.strain"][i].numpy()
            np.testing.assert_allclose(after["cells"][i], cell @ q[i].T, rtol=0, atol=1e-13)
            expected = q[i] @ strain @ q[i].T
            np.testing.assert_allclose(after["energy.strain"][i], expected, rtol=0, atol=1e-13)


def test_turned_vectors_are_formed_in_float64_before_they_are_rounded(
    make_frames: MakeFrames, full_info: DatasetInfo
) -> None:
    far = [one._replace(positions=one.positions + 1e5) for one in make_frames(8, periodic=False)]
    dataset = Dataset.from_frames(far, full_info)
    for single, double in zip(
        load(dataset, "o3", dtype=torch.float32).epoch(), load(dataset, "o3").epoch(), strict=True
    ):
        assert torch.equal(single.graph.vectors, double.graph.vectors.float())
        assert torch.equal(single.targets["energy"].forces, double.targets["energy"].forces.float())


def test_missing_labels_stay_missing_and_no_others_get_lost(
    make_frames: MakeFrames, full_info: DatasetInfo
) -> None:
    frames = make_frames(6)
    for i, frame in enumerate(frames):
        energy = frame.labels["energy"]
        if i % 2:
            energy.forces[0] = np.nan
            energy.strain[:] = np.nan
    dataset = Dataset.from_frames(frames, full_info)
    for plain, batch in zip(load(dataset).epoch(), load(dataset, "o3").epoch(), strict=True):
        for one, two in zip(plain.targets["energy"], batch.targets["energy"], strict=True):
            assert torch.equal(one.isnan(), two.isnan())
        assert plain.targets["energy"].forces.isnan().any()


@pytest.mark.parametrize("size", [1, 4, 30])
def test_turns_do_not_depend_on_batches_order_or_ranks(dataset: Dataset, size: int) -> None:
    whole = next(load(dataset, "o3", shuffle=False, batching=Batching(30)).epoch(4))
    for options in ({}, {"shuffle": False}, {"rank": 1, "world_size": 2}, {"background": True}):
        for batch in load(dataset, "o3", batching=Batching(size), **options).epoch(4):
            index, graph = batch.index, batch.graph
            for name in ("cells", "energy.strain"):
                assert torch.equal(tensors(batch)[name], tensors(whole)[name][index])
            for number, i in enumerate(index.tolist()):
                ours, theirs = graph.system == number, whole.graph.system == i
                assert torch.equal(graph.positions[ours], whole.graph.positions[theirs])
                forces = batch.targets["energy"].forces[ours]
                assert torch.equal(forces, whole.targets["energy"].forces[theirs])


def test_an_epoch_continues_from_any_batch(dataset: Dataset) -> None:
    batches = list(load(dataset, "o3", batching=Batching(4)).epoch(3))
    for start in range(len(batches)):
        rest = load(dataset, "o3", batching=Batching(4)).epoch(3, start=start)
        for one, two in zip(batches[start:], rest, strict=True):
            assert_same(one, two)


def test_epochs_differ(dataset: Dataset) -> None:
    loader = load(dataset, "so3", shuffle=False, batching=Batching(30))
    first, second = next(loader.epoch(0)), next(loader.epoch(1))
    assert not torch.isclose(first.graph.vectors, second.graph.vectors).all(1).any()
    torch.testing.assert_close(first.graph.vectors.norm(dim=1), second.graph.vectors.norm(dim=1))


def test_every_way_to_store_structures_gives_the_same_turns(
    dataset: Dataset, tmp_path: Path
) -> None:
    expected = list(load(dataset, "o3").epoch(1))
    one, two = np.arange(11), np.arange(11, 30)
    packed = pack(dataset, tmp_path / "packed")
    for same in (packed, merge([packed.select(one), dataset.select(two)])):
        for ours, theirs in zip(load(same, "o3").epoch(1), expected, strict=True):
            assert_same(ours, theirs)


@pytest.mark.parametrize("kind", ["so3", "o3"])
def test_labels_turn_as_the_predictions_of_an_equivariant_model(
    make_frames: MakeFrames, kind: Augmentation
) -> None:
    """soap_bpnn predicts for turned structures what it predicts for plain ones, turned."""
    targets = {
        "energy": TargetInfo.energy(forces=True, stress=True),
        "mtt::charge": TargetInfo(sample_kind="atom"),
    }
    info = DatasetInfo("angstrom", (1, 6, 8), targets)
    frames = [frame for frame in make_frames(24, seed=3) if len(frame.numbers) > 1]
    dataset = Dataset.from_frames(frames, info)
    architecture = find("soap_bpnn").load()
    hypers = copy.deepcopy(architecture.default_hypers["model"])
    hypers["soap"] |= {"max_angular": 2, "max_radial": 2, "cutoff": {"radius": 4.0, "width": 1.0}}
    torch.manual_seed(0)
    model = architecture.model(hypers, info).to(torch.float64)

    def scored(augmentation: Augmentation) -> tuple[Batch, dict[str, Target]]:
        batch = next(load(dataset, augmentation, batching=Batching(len(dataset))).epoch(1))
        return batch, model.predict_targets(batch.graph, create_graph=False)

    (plain, before), (batch, after) = scored("none"), scored(kind)
    turns = make_turns(kind, len(dataset), 5, 1)
    assert turns is not None
    q = turns(plain.index.numpy())
    atoms = q[plain.graph.system]
    for name in targets:
        torch.testing.assert_close(after[name].values, before[name].values, rtol=1e-10, atol=1e-10)
    forces = (atoms @ before["energy"].forces[:, :, None])[:, :, 0]
    strain = q @ before["energy"].strain @ q.mT
    assert float(forces.norm()) > 0.1
    torch.testing.assert_close(after["energy"].forces, forces, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(after["energy"].strain, strain, rtol=1e-10, atol=1e-10)
    # and so the error of every atom, and of every structure, is what it was
    for part, dims in (("forces", 1), ("strain", (1, 2))):
        one, two = (
            (getattr(found["energy"], part) - getattr(given.targets["energy"], part)).norm(dim=dims)
            for given, found in ((plain, before), (batch, after))
        )
        torch.testing.assert_close(one, two, rtol=1e-10, atol=1e-10)
