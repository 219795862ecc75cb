"""Reverse pairs and row widths: found once with the lists, stored with them, checked when read."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch

from mtt.data import Batching, Dataset, Loader, pack
from mtt.data.frames import Frame
from mtt.data.storage.pair_rows import are_opposite
from mtt.errors import DataError
from mtt.nn import neighborhoods, reverse_pairs

CUTOFF = 4.0


@pytest.fixture
def dataset(full_info, make_frames):
    """Molecules, cells, and one so small that atoms see many images of each other."""
    skewed = np.array([[2.1, 0.0, 0.0], [0.5, 2.3, 0.0], [-0.4, 0.6, 1.9]])
    some = make_frames(6)
    points = np.random.default_rng(3).uniform(0, 2, (3, 3))
    small = Frame(np.array([8, 6, 1]), points, skewed, np.ones(3, bool), {}, {}, "a small cell")
    alone = Frame(np.array([6]), points[:1], np.zeros((3, 3)), np.zeros(3, bool), {}, {}, "an atom")
    return Dataset.from_frames([some[0], small, alone, *some[1:]], full_info)


def batches(dataset, device="cpu", **options):
    made = {"batching": Batching(structures=3), "shuffle": True, "dtype": torch.float32}
    return Loader(dataset, (8, 6, 1), cutoff=CUTOFF, device=device, **(made | options)).epoch(1)


def test_a_batch_knows_what_a_model_would_find_in_it(dataset):
    for batch in batches(dataset):
        graph, n_atoms = batch.graph, len(batch.graph.types)
        found = graph.centers, graph.neighbors, graph.vectors
        assert torch.equal(graph.rows.reverse, reverse_pairs(*found, n_atoms))
        atoms = torch.arange(n_atoms)
        expected = neighborhoods(graph.centers, atoms)
        known = neighborhoods(graph.centers, atoms, graph.rows)
        assert torch.equal(known.slots, expected.slots)
        assert known[1:] == expected[1:]
        assert graph.counts == torch.bincount(graph.types, minlength=3).tolist()


def test_counterparts_are_opposite_images(dataset):
    pairs = dataset.pairs(CUTOFF)
    first = np.repeat(pairs.offsets[:-1], pairs.n_pairs)
    reverse = pairs.reverse.numpy() + first
    columns = [pairs.centers.numpy(), pairs.neighbors.numpy(), pairs.shifts.numpy()]
    assert are_opposite(*columns, reverse)
    assert np.array_equal(reverse[reverse], np.arange(len(reverse)))
    assert pairs.widths[2] == 0  # the isolated atom
    assert not are_opposite(*columns, np.roll(reverse, 1))


@pytest.fixture
def packed(dataset, tmp_path):
    pack(dataset, tmp_path / "packed").pairs(CUTOFF)
    return tmp_path / "packed"


def header(packed):
    path = packed / f"neighbors-{CUTOFF}" / "dataset.json"
    return path, json.loads(path.read_text())


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one.graph.rows.reverse, other.graph.rows.reverse)
        assert torch.equal(one.graph.rows.columns, other.graph.rows.columns)
        assert one.graph.rows.width == other.graph.rows.width
        assert one.graph.counts == other.graph.counts


def test_they_are_stored_with_the_lists(dataset, packed):
    assert {"widths", "reverse"} <= header(packed)[1]["arrays"].keys()
    assert_same(batches(Dataset.open(packed)), batches(dataset))


def without_rows(packed):
    """As lists were stored before."""
    path, content = header(packed)
    for name in ("widths", "reverse"):
        del content["arrays"][name]
    path.write_text(json.dumps({**content, "format_version": 1}))
    return path.parent / content["arrays"]["neighbors"]["file"]


def test_lists_that_were_stored_without_them_serve_as_before(dataset, packed):
    without_rows(packed)
    old = Dataset.open(packed)
    assert old.pairs(CUTOFF).reverse is None
    assert_same(batches(old), batches(dataset))


@pytest.mark.parametrize("step", [-1, 8])
def test_lists_without_them_must_name_atoms_that_are_there(packed, step):
    file = without_rows(packed)
    np.save(file, np.load(file) + np.int32(step))
    with pytest.raises(DataError, match="not those of the data set"):
        Dataset.open(packed).pairs(CUTOFF)


@pytest.mark.parametrize("change", ["one is missing", "widths", "reverse", "out of the structure"])
def test_what_does_not_belong_to_the_lists_is_refused(packed, change):
    path, content = header(packed)
    if change == "one is missing":
        del content["arrays"]["widths"]
        path.write_text(json.dumps(content))
    else:
        name = "widths" if change == "widths" else "reverse"
        file = path.parent / content["arrays"][name]["file"]
        array = np.load(file)
        np.save(file, array + 10**6 if change == "out of the structure" else array[::-1])
    with pytest.raises(DataError, match="not those of the data set"):
        Dataset.open(packed).pairs(CUTOFF)
    shutil.rmtree(packed / f"neighbors-{CUTOFF}")
    Dataset.open(packed).pairs(CUTOFF)
