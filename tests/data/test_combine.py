"""Several data sets as one."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from metatomic.torch import NeighborListOptions

from mtt.data import Dataset, DatasetInfo, TargetInfo, merge
from mtt.data.combine import with_targets_of
from mtt.errors import DataError


@pytest.fixture
def datasets(make_frames, full_info):
    """One with energies, forces and stress; one with energies and forces and a scalar."""
    first = full_info.with_targets({"energy": TargetInfo.energy(forces=True, stress=True)})
    second = replace(
        full_info,
        atomic_types=(1, 8, 9),
        targets={
            "energy": TargetInfo.energy(forces=True),
            "mtt::two/numbers": full_info.targets["mtt::two/numbers"],
        },
        extra_data={},
    )
    return [
        Dataset.from_frames(make_frames(6), first),
        Dataset.from_frames(make_frames(5, seed=1), second),
    ]


def test_a_merged_data_set_has_all_elements_targets_and_gradients(datasets):
    info = merge(datasets).info
    assert info.atomic_types == (1, 6, 8, 9)
    assert list(info.targets) == ["energy", "mtt::two/numbers"]
    assert info.targets["energy"].gradients == ("positions", "strain")
    assert list(info.extra_data) == ["mtt::weight"]


def test_labels_that_a_data_set_lacks_are_nan(datasets):
    merged = merge(datasets)
    energy = merged.target("energy")
    one, two = (dataset.target("energy") for dataset in datasets)
    assert torch.equal(energy.values, torch.cat([one.values, two.values]))
    assert torch.equal(energy.forces, torch.cat([one.forces, two.forces]))
    assert torch.equal(energy.strain[:6], one.strain)
    assert energy.strain[6:].isnan().all()
    assert merged.target("mtt::two/numbers").values[:6].isnan().all()
    assert merged.extra("mtt::weight").isnan()[:, 0].tolist() == [False] * 6 + [True] * 5
    assert merged.is_complete("energy") == (True, True, False)


def test_structures_keep_their_order_and_their_names(datasets):
    merged = merge([datasets[0].select([4, 2]), datasets[1].select([3])])
    assert [merged.source(i) for i in range(3)] == [
        "seed 0, frame 4",
        "seed 0, frame 2",
        "seed 1, frame 3",
    ]
    assert merged.atoms(2) == datasets[1].atoms(3)
    assert merged.n_pairs(3.0).tolist() == [
        *datasets[0].n_pairs(3.0)[[4, 2]],
        datasets[1].n_pairs(3.0)[3],
    ]


def test_merging_copies_nothing(datasets):
    merged = merge(datasets)
    piece = merged.columns.rows["positions"].pieces[0]
    assert piece.data_ptr() == datasets[0].columns.rows["positions"].data_ptr()
    assert merge(datasets[:1]) is datasets[0]


def test_merged_data_sets_can_be_merged_and_selected(datasets):
    merged = merge([merge(datasets), datasets[0]]).select([16, 8, 0])
    assert [merged.source(i) for i in range(3)] == [
        "seed 0, frame 5",
        "seed 1, frame 2",
        "seed 0, frame 0",
    ]
    values = merged.target("energy").values
    assert values[0] == datasets[0].target("energy").values[5]
    assert values[1] == datasets[1].target("energy").values[2]


def test_requested_neighbour_lists_and_notices_are_kept(datasets):
    options = NeighborListOptions(cutoff=3.0, full_list=True, strict=True)
    datasets[0].prepare([options])
    datasets[0].notices = datasets[1].notices = ("no stress",)
    merged = merge(datasets)
    assert merged.notices == ("no stress",)
    assert merged[10].system.known_neighbor_lists() == [options]


def test_data_sets_that_disagree_are_refused_with_all_reasons(make_frames, full_info):
    one = Dataset.from_frames(make_frames(2), full_info)
    other = Dataset(
        one.columns,
        DatasetInfo(
            "bohr",
            (1,),
            {"energy": TargetInfo.energy(unit="meV"), "mtt::weight": TargetInfo()},
            {},
        ),
    )
    with pytest.raises(DataError) as error:
        merge([one, other])
    assert str(error.value).splitlines() == [
        "length_unit: the data sets have different units of length: 'angstrom' and 'bohr'",
        "energy: unit is 'eV' in one data set and 'meV' in another",
        "mtt::weight: is a target in one data set and extra data in another",
    ]


def test_targets_of_others_come_without_labels(datasets):
    first, second = datasets
    second = second.select([4, 1])
    second.name = "held out"
    view = with_targets_of(second, first.info)
    assert view.info.targets["energy"].gradients == ("positions", "strain")
    assert (view.name, len(view), view.source(0)) == ("held out", 2, second.source(0))
    assert torch.equal(view.target("energy").forces, second.target("energy").forces)
    assert view.target("energy").strain.isnan().all()
    assert list(view.info.targets) == ["energy", "mtt::two/numbers"]
    assert view.info.atomic_types == second.info.atomic_types


def test_a_data_set_that_has_all_targets_stays_as_it_is(datasets):
    assert with_targets_of(datasets[0], datasets[1].info.with_targets({})) is datasets[0]
