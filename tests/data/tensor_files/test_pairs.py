"""Values of pairs of atoms in metatensor's files: what is read, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ase.io
import numpy as np
import pytest
import torch

from mtt import Dataset
from mtt.errors import DataError

Save = Callable[..., str]
Read = Callable[..., Dataset]

S, P = {"o3_lambda": 0, "o3_sigma": 1}, {"o3_lambda": 1, "o3_sigma": 1}
BASIS = {"spherical": {"irreps": {1: [S], 8: [P]}, "product": "cartesian"}}
KEYS = ["o3_lambda_1", "o3_lambda_2", "o3_sigma_1", "o3_sigma_2"]
KEYS += ["first_atom_type", "second_atom_type"]


def pair(system: int, first: int, second: int, *shift: int) -> list[int]:
    return [system, first, second, *(shift or (0, 0, 0))]


def test_labels_are_of_the_pairs_that_the_file_names(save: Save, read: Read) -> None:
    samples = [pair(1, 0, 1), pair(0, 2, 0), pair(0, 0, 1)]
    save(["_"], {(0,): (samples, [[1.0], [2.0], [np.nan]])}, "atom_pair")
    data = read(sample_kind="atom_pair")
    labels = data.pair_labels("mtt::x")
    assert labels is not None
    assert labels.offsets.tolist() == [0, 1, 2]  # a value that is NaN is none
    assert labels.pairs.tolist() == [pair(0, 2, 0)[1:], pair(0, 0, 1)[1:]]
    assert data.target("mtt::x").values[:, 0].tolist() == [2.0, 1.0]
    block = data.select([1])[0]["mtt::x"].block()
    assert block.samples.values.tolist() == [pair(0, 0, 1)]


def test_the_blocks_of_two_elements_are_of_pairs_of_these(save: Save, read: Read) -> None:
    blocks: dict[tuple[int, ...], Any] = {
        (0, 1, 1, 1, 1, 8): ([pair(0, 1, 0)], [[[[5.0], [6.0], [7.0]]]]),
    }
    save(KEYS, blocks, "atom_pair", o3_mu_1=[0], o3_mu_2=[-1, 0, 1])
    data = read(sample_kind="atom_pair", type=BASIS)
    kind = data.info.targets["mtt::x"].of_kind
    assert kind.size == 16  # H H, H O, O H, O O
    assert kind.elements == (1, 8)
    values = data.target("mtt::x").values[0, :, 0]
    assert values[values.isfinite()].tolist() == [5.0, 6.0, 7.0]
    tensor = data[0]["mtt::x"]
    assert tensor.keys.names == KEYS
    assert [len(block.samples) for block in tensor.blocks()] == [0, 1, 0, 0]


def test_pairs_without_some_of_their_blocks_are_counted(save: Save, read: Read) -> None:
    samples, axes = [pair(0, 0, 1), pair(0, 0, 2)], {"o3_mu_1": [0], "o3_mu_2": [0]}
    more = {
        "spherical": {"irreps": {1: [S, {**S, "o3_sigma": -1}], 8: [S]}, "product": "cartesian"}
    }
    blocks: dict[tuple[int, ...], Any] = {
        (0, 0, 1, 1, 8, 1): (samples, torch.ones(2, 1, 1, 1)),
        (0, 0, 1, -1, 8, 1): (samples[:1], torch.ones(1, 1, 1, 1)),
    }
    save(KEYS, blocks, "atom_pair", **axes)
    data = read(sample_kind="atom_pair", type=more)
    labels = data.pair_labels("mtt::x")
    assert labels is not None
    assert labels.pairs.tolist() == [samples[0][1:]]
    wanted = "pairs with numbers in some of their blocks, not in all, do not count (1)"
    assert any(wanted in notice for notice in data.notices)


def test_a_block_of_other_elements_than_its_pair_is_refused(save: Save, read: Read) -> None:
    blocks = {(0, 1, 1, 1, 1, 8): ([pair(0, 0, 1)], torch.zeros(1, 1, 3, 1))}
    save(KEYS, blocks, "atom_pair", o3_mu_1=[0], o3_mu_2=[-1, 0, 1])
    message = "frame 0: the .mts file has a block of H and O for atoms 0 and 1, which are O and H"
    with pytest.raises(DataError, match=message):
        read(sample_kind="atom_pair", type=BASIS)


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        (pair(0, 0, 3), "frame 0: the .mts file names a pair of atoms 0 and 3, of 3 atoms"),
        (pair(1, 1, 1), "frame 1: .* for an atom with itself, atom 1; .* sample_kind: atom"),
        (
            pair(1, 0, 1, 1, 0, 0),
            "frame 1: .* a cell_shift along an axis that is not periodic: .1, 0, 0",
        ),
        (pair(2, 0, 1), "samples name the system 2, but there are 2 structures"),
    ],
)
def test_a_pair_that_is_none_is_refused(
    sample: list[int], message: str, save: Save, read: Read
) -> None:
    save(["_"], {(0,): ([sample], [[1.0]])}, "atom_pair")
    with pytest.raises(DataError, match=message):
        read(sample_kind="atom_pair")


def test_labels_that_are_not_symmetric_as_declared_are_refused(save: Save, read: Read) -> None:
    tensor = torch.arange(9.0).reshape(3, 3, 1)
    samples = [pair(0, 0, 1), pair(0, 1, 0)]
    axes = {"xyz_1": [0, 1, 2], "xyz_2": [0, 1, 2]}
    section: Any = {"sample_kind": "atom_pair", "type": {"cartesian": {"rank": 2}}}
    save(
        ["_"], {(0,): (samples, torch.stack([tensor, tensor.transpose(0, 1)]))}, "atom_pair", **axes
    )
    read(**section, exchange="symmetric")
    message = "not antisymmetric, which exchange requires: atoms 0 and 1 differ from 1 and 0"
    with pytest.raises(DataError, match=message):
        read(**section, exchange="antisymmetric")


def test_pairs_with_images_have_their_shifts(save: Save, read: Read) -> None:
    ase.io.write("s.xyz", ase.Atoms("Cu", cell=[2.5, 2.6, 2.7], pbc=True))
    save(["_"], {(0,): ([pair(0, 0, 0, 0, -1, 0)], [[3.0]])}, "atom_pair")
    labels = read(sample_kind="atom_pair").pair_labels("mtt::x")
    assert labels is not None
    assert labels.pairs.tolist() == [[0, 0, 0, -1, 0]]


def test_a_pair_with_an_image_is_named_with_its_shift(save: Save, read: Read) -> None:
    ase.io.write("s.xyz", ase.Atoms("Cu", cell=[2.5, 2.6, 2.7], pbc=True))
    samples = [pair(0, 0, 0, 0, 1, 0), pair(0, 0, 0, 0, -1, 0)]
    save(["_"], {(0,): (samples, [[3.0], [4.0]])}, "atom_pair")
    with pytest.raises(DataError, match=r"atoms 0 and 0 in cell \[0, -1, 0\] differ from 0 and 0"):
        read(sample_kind="atom_pair", exchange="symmetric")
