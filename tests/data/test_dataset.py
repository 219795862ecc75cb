"""Data sets: views, columns, samples."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from metatomic.torch import NeighborListOptions
from vesin.metatomic import NeighborList

from mtt.data import Dataset
from mtt.errors import ConfigError, DataError


@pytest.fixture
def dataset(make_frames, full_info):
    return Dataset.from_frames(make_frames(20), full_info)


def test_columns_follow_the_view(dataset, make_frames):
    frames = make_frames(20)
    chosen = [7, 3, 3, 0]
    view = dataset.select([19, 7, 3, 0]).select([1, 2, 2, 3])
    assert len(view) == 4
    assert view.n_atoms.tolist() == [len(frames[i].numbers) for i in chosen]
    assert view.types.tolist() == [z for i in chosen for z in frames[i].numbers.tolist()]
    energy = view.target("energy")
    assert energy.values.dtype == torch.float64
    assert energy.values[:, 0].tolist() == [
        frames[i].labels["energy"].values.item() for i in chosen
    ]
    forces = np.concatenate([frames[i].labels["energy"].forces for i in chosen])
    assert np.array_equal(energy.forces, forces)
    assert np.array_equal(energy.strain[1], frames[3].labels["energy"].strain)
    assert view.extra("mtt::weight").shape == (4, 1)
    assert [view.source(i) for i in range(4)] == [f"seed 0, frame {i}" for i in chosen]


def test_a_view_shares_the_memory_of_its_data_set(dataset):
    assert dataset.select([1, 2]).columns is dataset.columns


@pytest.mark.parametrize("index", [-1, 20])
def test_structures_outside_of_the_data_set_cannot_be_selected(dataset, index):
    with pytest.raises(IndexError, match="20 structures"):
        dataset.select([0, index])


def test_a_view_may_be_empty(dataset):
    empty = dataset.select([])
    assert len(empty) == 0
    assert empty.composition((1, 6)).shape == (0, 2)
    assert empty.target("energy").forces.shape == (0, 3)
    assert empty.n_pairs(3.0).shape == (0,)


def test_composition_counts_atoms(dataset, make_frames):
    counts = dataset.select(range(5, 12)).composition((8, 1, 6))
    assert counts.dtype == torch.float64
    for row, frame in zip(counts.tolist(), make_frames(20)[5:12], strict=True):
        found = Counter(frame.numbers.tolist())
        assert row == [found[8], found[1], found[6]]


def test_composition_and_elements_are_found_in_more_structures_than_a_chunk(
    make_frames, full_info, monkeypatch
):
    frames = make_frames(20)
    whole = Dataset.from_frames(frames, full_info)
    counts, found = whole.composition((1, 8)), whole.first_with([8])
    monkeypatch.setattr("mtt.data.storage.columns.CHUNK", 3)
    monkeypatch.setattr("mtt.data.storage.blocks.CHUNK", 3)
    pieces = Dataset.from_frames(frames, full_info)
    assert torch.equal(pieces.composition((1, 8)), counts)
    assert pieces.first_with([8]) == found
    assert found is not None
    assert 8 in frames[found[0]].numbers
    assert whole.first_with([26]) is None
    assert torch.equal(pieces.pairs(4.0).centers, whole.pairs(4.0).centers)


def test_completeness_is_known_for_values_forces_and_strain(make_frames, full_info):
    frames = make_frames(6)
    labels = frames[4].labels
    forces = labels["energy"].forces.copy()
    forces[0, 1] = np.nan
    frames[4] = frames[4]._replace(labels={"energy": labels["energy"]._replace(forces=forces)})
    dataset = Dataset.from_frames(frames, full_info)
    assert dataset.is_complete("energy") == (True, False, True)
    assert dataset.is_complete("mtt::charge") == (False, False, False)
    assert dataset.select([0, 1]).is_complete("energy") == (True, True, True)
    assert dataset.select([0, 1]).is_complete("mtt::charge") == (True, False, False)


def test_structures_come_back_as_atoms_with_the_cell_they_came_with(dataset, make_frames):
    frame = make_frames(20)[6]
    atoms = dataset.atoms(6)
    assert atoms.numbers.tolist() == frame.numbers.tolist()
    assert np.array_equal(atoms.positions, frame.positions)
    assert np.array_equal(atoms.cell.array, frame.cell)
    assert np.array_equal(atoms.pbc, frame.pbc)


def test_a_sample_holds_a_system_in_float64(dataset, make_frames):
    frame, system = make_frames(20)[6], dataset[6].system
    assert system.types.tolist() == frame.numbers.tolist()
    assert torch.equal(system.positions, torch.tensor(frame.positions))
    assert torch.equal(system.cell, torch.tensor(frame.cell * frame.pbc[:, None]))
    assert system.pbc.tolist() == frame.pbc.tolist()


def test_a_sample_holds_labels_as_tensor_maps(dataset, make_frames):
    frame, sample = make_frames(20)[6], dataset[6]
    assert list(sample) == ["energy", "mtt::charge", "mtt::two/numbers", "mtt::weight"]
    assert sample.energy is sample["energy"]
    block = sample["energy"].block()
    labels = frame.labels["energy"]
    assert torch.equal(block.values, torch.tensor(labels.values))
    assert (block.samples.names, block.samples.values.tolist()) == (["system"], [[6]])
    assert block.properties.names == ["energy"]
    positions = block.gradient("positions")
    assert torch.equal(positions.values[:, :, 0], -torch.tensor(labels.forces))
    assert positions.samples.names == ["sample", "system", "atom"]
    assert positions.samples.values.tolist() == [[0, 6, i] for i in range(len(frame.numbers))]
    assert [axis.names for axis in positions.components] == [["xyz"]]
    strain = block.gradient("strain")
    assert torch.equal(strain.values[0, :, :, 0], torch.tensor(labels.strain))
    assert strain.samples.names == ["sample"]
    assert [axis.names for axis in strain.components] == [["xyz_1"], ["xyz_2"]]

    charge = sample["mtt::charge"].block()
    assert charge.samples.names == ["system", "atom"]
    assert charge.properties.names == ["charge"]
    assert sample["mtt::two/numbers"].block().properties.names == ["two_numbers"]
    assert sample["mtt::two/numbers"].block().values.shape == (1, 2)


def test_a_sample_says_what_it_has(dataset):
    with pytest.raises(AttributeError, match=r"a sample has system, energy, .* not 'enrgy'"):
        dataset[0].enrgy
    with pytest.raises(IndexError):
        dataset[20]
    assert torch.equal(dataset[-1].energy.block().values, dataset[19].energy.block().values)


REQUESTED = [
    NeighborListOptions(cutoff=4.0, full_list=True, strict=True),
    NeighborListOptions(cutoff=4.0, full_list=False, strict=True),
    NeighborListOptions(cutoff=3.0, full_list=False, strict=False),
]


def test_requested_neighbor_lists_agree_with_metatomic(dataset):
    dataset.prepare(REQUESTED)
    dataset.prepare(REQUESTED[:1])
    for i in range(len(dataset)):
        system = dataset.select([i])[0].system
        assert len(system.known_neighbor_lists()) == 3
        for options in REQUESTED:
            ours = system.get_neighbor_list(options)
            reference = NeighborList(options, "angstrom", skin=0.0).compute(system)
            assert once(ours) == pytest.approx(once(reference))
            vectors = ours.values[:, :, 0]
            assert len(vectors) == len(reference.values)
            assert (vectors.norm(dim=1) < options.cutoff).all()


def once(block):
    """Sorted distances of the pairs, which do not tell one direction from the other."""
    return block.values.norm(dim=1).reshape(-1).sort().values.tolist()


def test_a_half_list_holds_every_pair_of_the_full_list_once(dataset):
    dataset.prepare(REQUESTED)
    for i in range(len(dataset)):
        system = dataset[i].system
        full, half = (system.get_neighbor_list(options) for options in REQUESTED[:2])
        rows = [tuple(row) for row in half.samples.values.tolist()]
        back = [(j, i, -a, -b, -c) for i, j, a, b, c in rows]
        assert sorted(rows + back) == sorted(tuple(row) for row in full.samples.values.tolist())


def test_a_cutoff_in_another_unit_is_converted(dataset):
    options = NeighborListOptions(cutoff=0.4, full_list=True, strict=True)
    options.length_unit = "nm"
    dataset.prepare([options])
    found = dataset[2].system.get_neighbor_list(options)
    assert len(found.values) == dataset.n_pairs(4.0)[2]


def test_a_data_set_can_be_made_of_atoms():
    atoms = []
    for energy in (-1.0, -2.0):
        one = Atoms("OH", [[0, 0, 0], [0.9, 0, 0]])
        one.calc = SinglePointCalculator(one, energy=energy, forces=[[0.5, 0, 0], [-0.5, 0, 0]])
        atoms.append(one)
    dataset = Dataset.from_atoms(atoms, {"energy": {"key": "energy", "unit": "eV"}})
    assert dataset.info.atomic_types == (1, 8)
    assert dataset.info.targets["energy"].gradients == ("positions",)
    assert dataset.target("energy").values[:, 0].tolist() == [-1.0, -2.0]
    assert dataset.target("energy").forces[:, 0].tolist() == [0.5, -0.5, 0.5, -0.5]


def test_targets_of_atoms_are_checked_as_in_the_options():
    with pytest.raises(ConfigError, match="did you mean 'key'"):
        Dataset.from_atoms([Atoms("H")], {"energy": {"kye": "energy"}})
    with pytest.raises(DataError, match="energy"):
        Dataset.from_atoms([Atoms("H")], {"energy": {"key": "energy", "unit": "eV"}})
