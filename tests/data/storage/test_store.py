"""Packed data sets: the same data on disk, whole or not at all, and damage is told."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mtt.data import Batching, Dataset, Loader, merge, pack, pack_frames
from mtt.errors import DataError


@pytest.fixture
def dataset(make_frames, full_info):
    return Dataset.from_frames(make_frames(20), full_info)


@pytest.fixture
def packed(dataset, tmp_path):
    folder = tmp_path / "packed"
    pack(dataset, folder)
    return folder


def names_in(folder):
    return sorted(path.name for path in Path(folder).rglob("*"))


def test_a_packed_data_set_is_the_data_set(assert_equal, dataset, packed):
    opened = Dataset.open(packed)
    assert opened.columns.mapped
    assert not dataset.columns.mapped
    assert_equal(opened, dataset)


def test_frames_of_a_generator_are_packed_some_at_a_time(
    assert_equal, make_frames, full_info, tmp_path, monkeypatch
):
    monkeypatch.setattr("mtt.data.storage.blocks.CHUNK", 3)
    frames = make_frames(20)
    open_info = replace(full_info, atomic_types=())
    packed = pack_frames(iter(frames), open_info, tmp_path / "packed")
    assert_equal(packed, Dataset.from_frames(frames, full_info))


def test_a_view_and_several_data_sets_are_packed_as_one(
    assert_equal, make_frames, full_info, tmp_path
):
    one = Dataset.from_frames(make_frames(10), full_info)
    two = Dataset.from_frames(make_frames(10, seed=1), full_info).select([9, 2])
    assert_equal(pack([one, two], tmp_path / "both"), merge([one, two]))


def test_reading_changes_nothing_on_disk(packed):
    before = {path: path.read_bytes() for path in packed.iterdir()}
    opened = Dataset.open(packed)
    opened.columns.rows["positions"].zero_()  # reaches this process' pages alone
    assert {path: path.read_bytes() for path in packed.iterdir()} == before
    assert Dataset.open(packed).columns.rows["positions"].abs().max() > 0


def test_an_existing_folder_is_not_touched(dataset, packed):
    before = names_in(packed)
    with pytest.raises(DataError, match=r"packed: exists already; choose another folder"):
        pack(dataset, packed)
    assert names_in(packed) == before


def test_nothing_is_left_when_packing_fails(make_frames, full_info, tmp_path):
    def broken():
        yield from make_frames(5)
        raise RuntimeError("the source broke")

    with pytest.raises(RuntimeError, match="the source broke"):
        pack_frames(broken(), full_info, tmp_path / "packed")
    with pytest.raises(DataError, match="there is no structure to pack"):
        pack_frames([], full_info, tmp_path / "packed")
    assert names_in(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_reported(dataset, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"file/packed: cannot be written: .*; choose a folder"):
        pack(dataset, tmp_path / "file" / "packed")


def test_a_full_disk_leaves_nothing_behind(dataset, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match="cannot be written: No space left on device"):
        pack(dataset, tmp_path / "packed")
    assert names_in(tmp_path) == []


def rewrite(folder, **changes):
    path = folder / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def file_of(folder, name):
    return folder / json.loads((folder / "dataset.json").read_text())["arrays"][name]["file"]


def test_a_folder_that_is_not_a_packed_data_set_is_reported(tmp_path):
    with pytest.raises(DataError, match=r"holds no dataset\.json; pack files with `mtt data pack`"):
        Dataset.open(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"dataset\.json: cannot be read"),
        ("[]", "does not describe an mtt data set"),
        ('{"format": "something"}', "does not describe an mtt data set"),
        ('{"format": "an mtt data set", "format_version": 1}', "lists no arrays"),
        (
            '{"format": "an mtt data set", "format_version": 1, "arrays": {}}',
            "is damaged: dataset.json lacks or misstates 'info'",
        ),
        (
            '{"format": "an mtt data set", "format_version": 1, "arrays": {"x": 3}}',
            r"dataset\.json: misstates the array 'x'",
        ),
    ],
)
def test_an_invalid_description_is_reported(packed, text, message):
    (packed / "dataset.json").write_text(text)
    with pytest.raises(DataError, match=message):
        Dataset.open(packed)


def test_a_newer_format_is_reported(packed):
    rewrite(packed, format_version=3)
    with pytest.raises(DataError, match="format version 3, this mtt reads up to 2; update mtt"):
        Dataset.open(packed)


def test_a_missing_or_truncated_file_is_named(packed, dataset, tmp_path):
    path = file_of(packed, "positions")
    os.truncate(path, path.stat().st_size - 8)
    with pytest.raises(DataError, match=rf"{path.name}: cannot be read: .*; pack the data again"):
        Dataset.open(packed)
    path.unlink()
    with pytest.raises(DataError, match=rf"{path.name}: cannot be read"):
        Dataset.open(packed)


def test_a_file_of_another_data_set_is_named(packed):
    path = file_of(packed, "positions")
    np.save(path, np.zeros((3, 3)))
    with pytest.raises(DataError, match=rf"{path.name}: holds float64 \[3, 3\] instead of float64"):
        Dataset.open(packed)


def test_sizes_that_do_not_belong_together_are_reported(packed):
    rewrite(packed, n_structures=21)
    with pytest.raises(DataError, match=r"is damaged: 'offsets' is int64 \(21,\), not .*\(22,\)"):
        Dataset.open(packed)
    rewrite(packed, n_structures=20)
    offsets = np.load(file_of(packed, "offsets"))
    np.save(file_of(packed, "offsets"), offsets[::-1])
    with pytest.raises(DataError, match="offsets are not those of its atoms"):
        Dataset.open(packed)


def test_a_path_in_the_description_does_not_lead_out_of_the_folder(packed, tmp_path):
    arrays = json.loads((packed / "dataset.json").read_text())["arrays"]
    file = Path(arrays["positions"]["file"])
    shutil.move(packed / file, tmp_path / file)
    arrays["positions"]["file"] = f"../{file}"
    rewrite(packed, arrays=arrays)
    with pytest.raises(DataError, match="cannot be read"):
        Dataset.open(packed)


def test_neighbour_lists_are_kept_in_the_folder_by_cutoff(dataset, packed):
    first = Dataset.open(packed).pairs(4.0)
    stored = packed / "neighbors-4.0"
    before = {path: path.stat().st_mtime_ns for path in stored.iterdir()}
    again = Dataset.open(packed).pairs(4.0)
    assert {path: path.stat().st_mtime_ns for path in stored.iterdir()} == before
    for pairs in (first, again, dataset.pairs(4.0)):
        assert np.array_equal(pairs.offsets, first.offsets)
        assert torch.equal(pairs.centers, first.centers)
        assert torch.equal(pairs.shifts, first.shifts)
    Dataset.open(packed).pairs(3.5)
    assert (packed / "neighbors-3.5").is_dir()


def test_without_periodic_structures_no_shifts_are_read(make_frames, full_info, tmp_path):
    dataset = Dataset.from_frames(make_frames(8, periodic=False), full_info)
    assert dataset.pairs(4.0).shifts is None
    assert pack(dataset, tmp_path / "packed").pairs(4.0).shifts is None


def test_damaged_neighbour_lists_are_reported(packed):
    Dataset.open(packed).pairs(4.0)
    offsets = file_of(packed / "neighbors-4.0", "offsets")
    np.save(offsets, np.load(offsets) + 1)
    with pytest.raises(DataError, match=r"neighbors-4\.0: .* not those of the data set; remove"):
        Dataset.open(packed).pairs(4.0)


def test_lists_of_a_folder_that_cannot_be_written_live_elsewhere(dataset, packed, monkeypatch):
    def refuse(*args, dir=None, **kwargs):
        if dir == packed:
            raise PermissionError(13, "Permission denied")
        return make(*args, dir=dir, **kwargs)

    make = tempfile.mkdtemp
    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    pairs = Dataset.open(packed).pairs(4.0)
    assert torch.equal(pairs.neighbors, dataset.pairs(4.0).neighbors)
    assert not (packed / "neighbors-4.0").exists()


def test_lists_that_another_process_has_just_stored_are_used(packed, monkeypatch):
    slow, fast = Dataset.open(packed), Dataset.open(packed)
    expected = fast.pairs(4.0).centers.clone()
    folder = packed / "neighbors-4.0"
    aside = folder.rename(packed / "aside")
    rename = os.rename

    def late(source, target):
        if aside.exists():
            rename(aside, folder)
        rename(source, target)

    monkeypatch.setattr(os, "rename", late)
    assert torch.equal(slow.pairs(4.0).centers, expected)
    assert not [name for name in names_in(packed) if name.startswith(".")]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux' accounts")
def test_memory_does_not_grow_with_what_is_read_from_disk(full_info, make_frames, tmp_path):
    def from_files():
        """Memory that is mapped from files, in bytes."""
        status = Path("/proc/self/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith("RssFile"))
        return int(line.split()[1]) * 1024

    (frame,) = make_frames(1, periodic=False)
    random = np.random.default_rng(0)
    positions = random.uniform(0, 60, (400, 3))
    large = frame._replace(numbers=np.full(400, 6), positions=positions, labels={})
    packed = pack_frames([large] * 800, full_info, tmp_path / "packed")
    size = sum(path.stat().st_size for path in (tmp_path / "packed").iterdir())
    loader = Loader(
        packed,
        (1, 6, 8),
        cutoff=2.0,
        dtype=torch.float32,
        batching=Batching(10),
        shuffle=True,
    )
    before = peak = from_files()
    for number, _ in enumerate(loader.epoch()):
        if number % 4 == 0:
            peak = max(peak, from_files())
    assert size > 10 * 2**20
    assert peak - before < size / 2
