"""From options to a data set: files, or a packed folder."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from mtt.data import Dataset, pack, read_dataset
from mtt.errors import DataError
from mtt.options import load_eval_options


def options(read_from, unit="angstrom", indices=None, extra=None, **targets):
    written = {
        "systems": {"read_from": str(read_from), "length_unit": unit},
        "targets": {name.replace("__", "::"): target for name, target in targets.items()},
    }
    if extra:
        written["extra_data"] = extra
    (read,) = load_eval_options(written)
    return read if indices is None else type(read)(read.systems, read.targets, {}, indices)


@pytest.fixture
def packed(make_frames, full_info, tmp_path):
    pack(Dataset.from_frames(make_frames(12), full_info), tmp_path / "packed")
    return tmp_path / "packed"


def test_files_are_read_into_memory(real_data):
    file = real_data / "silicon" / "train.xyz"
    dataset = read_dataset(options(file, energy={"key": "energy", "unit": "eV"}))
    assert len(dataset) == 214
    assert dataset.info.atomic_types == (14,)
    assert dataset.is_complete("energy") == (True, True, True)
    assert not dataset.columns.mapped


def test_a_packed_folder_is_opened_with_the_targets_that_are_asked_for(packed):
    dataset = read_dataset(options(packed, energy={"unit": "eV", "forces": True}))
    assert dataset.columns.mapped
    assert list(dataset.info.targets) == ["energy"]
    assert not dataset.info.extra_data
    whole = Dataset.open(packed)
    assert torch.equal(dataset.target("energy").values, whole.target("energy").values)


def test_gradients_that_are_switched_off_are_left_out(packed):
    asked = {"unit": "eV", "forces": True, "stress": False}
    dataset = read_dataset(options(packed, energy=asked))
    assert dataset.info.targets["energy"].gradients == ("positions",)
    assert dataset.target("energy").strain is None


def test_units_that_the_options_leave_out_are_those_of_the_data_set(packed):
    dataset = read_dataset(options(packed, unit="", energy={}))
    assert dataset.info.length_unit == "angstrom"
    assert dataset.info.targets["energy"].unit == "eV"


def test_gradients_that_are_there_by_default_only_may_be_missing(make_frames, full_info, tmp_path):
    energy = full_info.targets["energy"]
    info = full_info.with_targets({"energy": type(energy).energy()})
    pack(Dataset.from_frames(make_frames(3), info), tmp_path / "bare")
    dataset = read_dataset(options(tmp_path / "bare", energy={"unit": "eV"}))
    assert dataset.info.targets["energy"].gradients == ()
    assert [notice.split(": ")[1] for notice in dataset.notices] == [
        "no forces of 'energy', it is not trained on",
        "no stress of 'energy', it is not trained on",
    ]
    with pytest.raises(DataError, match="bare energy: forces is not in the packed data set"):
        read_dataset(options(tmp_path / "bare", energy={"unit": "eV", "forces": True}))


def test_indices_choose_structures_and_with_them_elements(make_frames, full_info, tmp_path):
    frames = make_frames(8)
    pack(Dataset.from_frames(frames, full_info), tmp_path / "packed")
    dataset = read_dataset(options(tmp_path / "packed", indices=[3, 7], energy={"unit": "eV"}))
    assert [dataset.source(i) for i in (0, 1)] == ["seed 0, frame 3", "seed 0, frame 7"]
    elements = {int(z) for i in (3, 7) for z in frames[i].numbers}
    assert set(dataset.info.atomic_types) == elements


def test_a_packed_target_is_what_it_was_packed_as_where_the_options_leave_it_open(
    make_frames, full_info, tmp_path
):
    """Data sets from before hold an energy where no quantity was written."""
    for name, quantity in (("e", "energy"), ("plain", "")):
        target = replace(full_info.targets["mtt::two/numbers"], quantity=quantity)
        info = full_info.with_targets({**full_info.targets, "mtt::two/numbers": target})
        pack(Dataset.from_frames(make_frames(4), info), tmp_path / name)
    asked = {"num_subtargets": 2}
    for name, is_energy in (("e", True), ("plain", False)):
        dataset = read_dataset(options(tmp_path / name, **{"mtt::two/numbers": asked}))
        found = dataset.info.targets["mtt::two/numbers"]
        assert (found.is_energy, found.is_mean) == (is_energy, not is_energy)
    summed = {**asked, "extensive": True}
    dataset = read_dataset(options(tmp_path / "plain", **{"mtt::two/numbers": summed}))
    assert not dataset.info.targets["mtt::two/numbers"].is_mean


def test_all_mistakes_are_reported_at_once(packed):
    wrong = options(
        packed,
        unit="bohr",
        indices=[0, 0, 40],
        energy={"unit": "kcal/mol"},
        mtt__chrge={"quantity": "", "per_atom": True},
    )
    with pytest.raises(DataError) as error:
        read_dataset(wrong)
    text = str(error.value)
    assert "systems.length_unit: lengths are in 'angstrom', not 'bohr'" in text
    assert "energy: unit is 'eV' there, and 'kcal/mol' asked for" in text
    assert "mtt::chrge: is not in the packed data set" in text
    assert "did you mean 'mtt::charge'?" in text
    assert "indices [40] (1 in all) are not in 0 … 11" in text
    assert "an index occurs more than once" in text
