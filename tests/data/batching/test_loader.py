"""Batches against a structure-by-structure construction; order, resuming, all ways to store."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from mtt.data import Batching, Dataset, Loader, merge, pack
from mtt.data.batching.order import plan
from mtt.data.batching.to_device import fits
from mtt.errors import DataError

CUTOFF = 4.0


def load(dataset, dtype=torch.float64, structures=7, **options):
    defaults = {"shuffle": True, "seed": 5, "batching": Batching(structures)}
    return Loader(dataset, (8, 6, 1), cutoff=CUTOFF, dtype=dtype, **(defaults | options))


def tensors(batch):
    """All tensors of a batch by name."""
    found = {f"graph.{name}": part for name, part in batch.graph._asdict().items()}
    found |= {f"rows.{name}": part for name, part in found.pop("graph.rows")._asdict().items()}
    found |= {f"numbers.{name}": part for name, part in found.pop("graph.numbers").items()}
    for name, target in batch.targets.items():
        found |= {f"{name}.{part}": value for part, value in target._asdict().items()}
    found |= {name: getattr(batch, name) for name in ("n_atoms", "index", "volumes")}
    return found


def assert_same(batches, others):
    for batch, other in zip(batches, others, strict=True):
        ours, theirs = tensors(batch), tensors(other)
        assert ours.keys() == theirs.keys()
        for name, value in ours.items():
            if isinstance(value, torch.Tensor):
                torch.testing.assert_close(value, theirs[name], rtol=0, atol=0, equal_nan=True)
            else:
                assert value == theirs[name]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_batch_is_what_a_loop_over_its_structures_would_make(make_frames, full_info, dtype):
    frames = make_frames(30)
    dataset = Dataset.from_frames(frames, full_info)
    lists = dataset.pairs(CUTOFF)
    seen = []
    for batch in load(dataset, dtype).epoch(0):
        types, system, centers, neighbors, vectors, cells = [], [], [], [], [], []
        first = 0
        for number, i in enumerate(batch.index.tolist()):
            frame = frames[i]
            types += [(8, 6, 1).index(z) for z in frame.numbers]
            system += [number] * len(frame.numbers)
            cell = frame.cell * frame.pbc[:, None]
            cells.append(cell)
            for row in range(lists.offsets[i], lists.offsets[i + 1]):
                a, b = int(lists.centers[row]), int(lists.neighbors[row])
                centers.append(first + a)
                neighbors.append(first + b)
                shift = lists.shifts[row].numpy().astype(float)
                vectors.append(frame.positions[b] - frame.positions[a] + shift @ cell)
            first += len(frame.numbers)
            seen.append(i)
        chosen = [frames[i] for i in batch.index.tolist()]
        graph = batch.graph
        assert graph.types.tolist() == types
        assert graph.system.tolist() == system
        assert graph.n_systems == len(chosen)
        assert graph.centers.tolist() == centers == sorted(centers)
        assert graph.neighbors.tolist() == neighbors
        expected = torch.tensor(np.array(vectors)).to(dtype)
        torch.testing.assert_close(graph.vectors, expected, rtol=1e-6, atol=1e-14)
        positions = np.concatenate([frame.positions for frame in chosen])
        assert torch.equal(graph.positions, torch.tensor(positions).to(dtype))
        assert torch.equal(graph.cells, torch.tensor(np.stack(cells)).to(dtype))
        assert batch.n_atoms.tolist() == [len(frame.numbers) for frame in chosen]
        volumes = [abs(np.linalg.det(frame.cell)) for frame in chosen]
        assert batch.volumes.tolist() == pytest.approx(volumes)
        for name, target in batch.targets.items():
            labels = [frame.labels[name] for frame in chosen]
            values = torch.tensor(np.concatenate([label.values for label in labels]))
            assert torch.equal(target.values, values)
        energy = batch.targets["energy"]
        forces = np.concatenate([frame.labels["energy"].forces for frame in chosen])
        strain = np.stack([frame.labels["energy"].strain for frame in chosen])
        assert torch.equal(energy.forces, torch.tensor(forces).to(dtype))
        assert torch.equal(energy.strain, torch.tensor(strain).to(dtype))
        assert batch.targets["mtt::charge"].forces is None
    assert sorted(seen) == list(range(30))


def test_vectors_are_formed_in_float64_before_they_are_rounded(make_frames, full_info):
    far = [
        frame._replace(positions=frame.positions + 1e6) for frame in make_frames(8, periodic=False)
    ]
    dataset = Dataset.from_frames(far, full_info)
    exact = list(load(dataset, torch.float64).epoch())
    rounded = list(load(dataset, torch.float32).epoch())
    for one, other in zip(exact, rounded, strict=True):
        assert torch.equal(one.graph.vectors.float(), other.graph.vectors)
        assert other.graph.vectors.norm(dim=1).min() > 1e-3


def test_every_way_to_store_structures_gives_the_same_batches(make_frames, full_info, tmp_path):
    dataset = Dataset.from_frames(make_frames(40), full_info)
    packed = pack(dataset, tmp_path / "packed")
    one, two = np.arange(15), np.arange(15, 40)
    expected = list(load(dataset).epoch(3))
    for same in (
        packed,
        Dataset.open(tmp_path / "packed"),
        merge([dataset.select(one), dataset.select(two)]),
        merge([packed.select(one), dataset.select(two)]),
        merge([merge([packed.select(one[:3]), packed.select(one[3:])]), packed.select(two)]),
    ):
        assert_same(load(same).epoch(3), expected)
        assert_same(load(same, background=True).epoch(3), expected)


def test_many_batches_at_once_are_the_same_as_one_by_one(make_frames, full_info, monkeypatch):
    dataset = Dataset.from_frames(make_frames(40), full_info)
    together = list(load(dataset).epoch(1))
    monkeypatch.setattr("mtt.data.batching.loader._ROWS_CPU", 1)
    assert_same(load(dataset).epoch(1), together)


def test_an_epoch_can_be_resumed_in_its_middle(make_frames, full_info):
    dataset = Dataset.from_frames(make_frames(40), full_info)
    straight = list(load(dataset).epoch(4))
    assert_same(load(dataset).epoch(4, start=2), straight[2:])
    assert_same(load(dataset, background=True).epoch(4, start=2), straight[2:])
    assert list(load(dataset).epoch(4, start=len(straight))) == []


def test_epochs_differ_when_shuffled_and_do_not_when_not(make_frames, full_info):
    dataset = Dataset.from_frames(make_frames(20), full_info)
    shuffled = [torch.cat([b.index for b in load(dataset).epoch(k)]) for k in (0, 1)]
    assert not torch.equal(*shuffled)
    for epoch in (0, 1):
        index = torch.cat([b.index for b in load(dataset, shuffle=False).epoch(epoch)])
        assert index.tolist() == list(range(20))


def test_index_counts_in_the_view_and_volumes_follow_it(make_frames, full_info):
    dataset = Dataset.from_frames(make_frames(20), full_info).select([7, 3, 11, 0])
    for batch in load(dataset, structures=3).epoch():
        assert torch.equal(batch.volumes, dataset.volumes[batch.index])
        assert torch.equal(
            batch.targets["energy"].values, dataset.target("energy").values[batch.index]
        )


def test_ranks_divide_an_epoch_as_planned(make_frames, full_info):
    dataset = Dataset.from_frames(make_frames(23), full_info)
    loaders = [load(dataset, structures=4, rank=rank, world_size=2) for rank in (0, 1)]
    assert {loader.n_batches(0) for loader in loaders} == {6}
    for rank, loader in enumerate(loaders):
        expected = plan(
            dataset.n_atoms.numpy(), Batching(4), shuffle=True, seed=5, rank=rank, world_size=2
        )
        index = torch.cat([batch.index for batch in loader.epoch(0)])
        assert index.tolist() == expected.structures.tolist()


def test_a_rank_without_structures_gets_a_batch_of_none(make_frames, full_info):
    dataset = Dataset.from_frames(make_frames(5), full_info)
    loader = load(dataset, structures=4, shuffle=False, rank=1, world_size=2)
    (_, empty) = loader.epoch()
    assert (empty.graph.n_systems, len(empty.graph.types), len(empty.graph.centers)) == (0, 0, 0)
    assert empty.graph.cells.shape == (0, 3, 3)
    assert empty.targets["energy"].values.shape == (0, 1)


def test_batches_by_atoms_keep_to_their_limit(make_frames, full_info):
    dataset = Dataset.from_frames(make_frames(40), full_info)
    loader = load(dataset, batching=Batching(atoms=15))
    batches = list(loader.epoch(1))
    assert len(batches) == loader.n_batches(1)
    assert max(int(batch.n_atoms.sum()) for batch in batches) <= 15
    assert sorted(torch.cat([batch.index for batch in batches]).tolist()) == list(range(40))


def test_a_structure_larger_than_a_batch_is_named(make_frames, full_info):
    dataset = Dataset.from_frames(make_frames(8), full_info)
    with pytest.raises(
        DataError, match=r"seed 0, frame \d: \d atoms do not fit .* 2 atoms; max_at"
    ):
        load(dataset, batching=Batching(atoms=2))


def test_an_element_that_the_model_does_not_know_is_named(make_frames, full_info):
    frames = make_frames(9)
    frames[6] = frames[6]._replace(numbers=np.where(np.arange(len(frames[6].numbers)) == 1, 26, 1))
    dataset = Dataset.from_frames(frames, replace(full_info, atomic_types=(1, 6, 8, 26)))
    with pytest.raises(DataError, match=r"seed 0, frame 6: element Fe \(26\) is not among"):
        load(dataset)
    load(dataset.select([0, 1, 2]))  # info names iron, but these structures have none


def test_vectors_can_carry_a_gradient(make_frames, full_info):
    (batch, *_) = load(Dataset.from_frames(make_frames(9), full_info)).epoch()
    vectors = batch.graph.vectors.requires_grad_()
    (gradient,) = torch.autograd.grad((vectors**2).sum(), vectors)
    assert torch.equal(gradient, 2 * vectors)


def test_what_a_user_does_to_a_batch_does_not_reach_the_data(make_frames, full_info):
    dataset = Dataset.from_frames(make_frames(9), full_info)
    for batch in load(dataset).epoch():
        for value in tensors(batch).values():
            if isinstance(value, torch.Tensor):
                value.zero_()
    assert_same(load(dataset).epoch(), load(Dataset.from_frames(make_frames(9), full_info)).epoch())


def test_an_abandoned_epoch_leaves_no_thread_behind(make_frames, full_info):
    dataset = Dataset.from_frames(make_frames(40), full_info)
    batches = load(dataset, structures=1, background=True).epoch()
    next(batches)
    batches.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("mtt-loader")]


def test_missing_labels_are_nan(make_frames, full_info):
    frames = make_frames(6)
    frames[2] = frames[2]._replace(labels={})
    dataset = Dataset.from_frames(frames, full_info)
    (batch,) = load(dataset, shuffle=False).epoch()
    assert batch.targets["energy"].values.isnan()[:, 0].tolist() == [i == 2 for i in range(6)]
    assert batch.targets["energy"].strain[2].isnan().all()
    assert batch.targets["energy"].forces[batch.graph.system == 2].isnan().all()


def test_batches_for_another_device_are_gathered_on_the_host_and_sent(make_frames, full_info):
    dataset = Dataset.from_frames(make_frames(20), full_info)
    batches = list(load(dataset, device="meta").epoch())
    assert sum(batch.graph.n_systems for batch in batches) == 20
    assert all(
        value.is_meta
        for batch in batches
        for value in tensors(batch).values()
        if torch.is_tensor(value)
    )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("free", [0, 2**33])
def test_batches_on_a_gpu_are_the_same_whether_the_data_fit_or_not(
    make_frames, full_info, monkeypatch, free
):
    dataset = Dataset.from_frames(make_frames(40), full_info)
    expected = list(load(dataset).epoch(2))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free, 2**34))
    found = [batch.to(torch.device("cpu")) for batch in load(dataset, device="cuda").epoch(2)]
    assert_same(found, expected)


def test_data_stay_on_the_host_unless_they_leave_most_of_a_gpu_free(full_info):
    sizes = {"n_atoms": 10, "n_structures": 2, "n_pairs": 30}
    per_atom = 1 + 24 + 24 + 8  # numbers, positions, forces, one scalar per atom
    per_structure = 72 + 3 + 8 + 8 + 8 + 72 + 16 + 8
    needed = 10 * per_atom + 2 * per_structure + 30 * 18
    assert fits(full_info, **sizes, free=4 * needed)
    assert not fits(full_info, **sizes, free=4 * needed - 1)
