"""Values of structures and atoms in metatensor's files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import metatensor.torch as mts
import numpy as np
import pytest
import torch
from metatensor.torch import Labels, TensorBlock, TensorMap

from mtt import Dataset
from mtt.data import read_dataset
from mtt.errors import DataError
from mtt.options import load_eval_options

Save = Callable[..., str]
Read = Callable[..., Dataset]

BASIS = {
    "spherical": {
        "irreps": {
            1: [{"o3_lambda": 0, "o3_sigma": 1}],
            8: [{"o3_lambda": 1, "o3_sigma": 1, "num": 2}],
        }
    }
}
KEYS = ["o3_lambda", "o3_sigma", "atom_type"]


def block(samples: Any, values: Any, l: int, name: str = "n") -> TensorBlock:
    numbers = torch.as_tensor(values, dtype=torch.float64)
    return TensorBlock(
        numbers,
        Labels(["system", "atom"], torch.tensor(samples)),
        [Labels("o3_mu", torch.arange(-l, l + 1)[:, None])],
        Labels(name, torch.arange(numbers.shape[-1])[:, None]),
    )


def test_an_atomic_basis_has_the_numbers_of_each_element(read: Read) -> None:
    hydrogen = block([[0, 1], [0, 2], [1, 1]], [[[1.0]], [[2.0]], [[3.0]]], 0)
    oxygen = block([[1, 0], [0, 0]], np.arange(12.0).reshape(2, 3, 2), 1)
    keys = Labels(KEYS, torch.tensor([[1, 1, 8], [0, 1, 1]]))
    mts.save("x.mts", TensorMap(keys, [oxygen, hydrogen]))
    data = read(sample_kind="atom", type=BASIS)
    values = data.target("mtt::x").values[:, :, 0]
    assert values.shape == (5, 7)
    assert values[:, 0].nan_to_num(-1.0).tolist() == [-1.0, 1.0, 2.0, -1.0, 3.0]
    assert values[0, 1:].tolist() == np.arange(6.0, 12.0).tolist()
    assert values[3, 1:].tolist() == np.arange(6.0).tolist()
    found = data[0]["mtt::x"]
    expected = torch.arange(6.0).reshape(1, 3, 2) + 6.0
    torch.testing.assert_close(found.block({"atom_type": 8}).values, expected.double())


def test_atoms_without_some_of_their_blocks_are_counted(read: Read) -> None:
    scalars = block([[0, 0], [1, 0]], [[[1.0]], [[2.0]]], 0)
    vectors = block([[1, 0]], [[[1.0], [2.0], [3.0]]], 1)
    keys = Labels(KEYS, torch.tensor([[0, 1, 8], [1, 1, 8]]))
    mts.save("x.mts", TensorMap(keys, [scalars, vectors]))
    irreps = [{"o3_lambda": l, "o3_sigma": 1} for l in (0, 1)]
    data = read(sample_kind="atom", type={"spherical": {"irreps": {1: irreps[:1], 8: irreps}}})
    labelled = data.target("mtt::x").values.isfinite().flatten(1).any(dim=1)
    assert labelled.tolist() == [False, False, False, True, False]
    wanted = "atoms with numbers in some of their blocks, not in all, do not count (1)"
    assert any(wanted in notice for notice in data.notices)


def test_channels_are_found_by_their_labels(read: Read) -> None:
    oxygen = block([[0, 0]], np.arange(6.0).reshape(1, 3, 2), 1)
    swapped = Labels("n", torch.tensor([[1], [0]]))
    other = TensorBlock(oxygen.values.flip(-1), oxygen.samples, oxygen.components, swapped)
    mts.save("x.mts", TensorMap(Labels(KEYS, torch.tensor([[1, 1, 8]])), [other]))
    values = read(sample_kind="atom", type=BASIS).target("mtt::x").values
    assert values[0, 1:, 0].tolist() == np.arange(6.0).tolist()


@pytest.mark.parametrize(
    ("key", "samples", "values", "section", "message"),
    [
        ((0, 1, 6), [[0, 0]], [[[1.0]]], {"type": BASIS}, r"\(0, 1, 6\) is not part of the target"),
        ((0, 1, 1), [[0, 0]], [[[1.0]]], {"type": BASIS}, "block of H for atom 0, which is O"),
        ((0, 1, 1), [[0, 7]], [[[1.0]]], {"type": BASIS}, "names an atom 7, of 3 atoms"),
        ((0, 1, 1), [[0, 1]], [[[1.0, 2.0]]], {"type": BASIS}, "2 properties, where 1 are"),
        ((0, 1, 1), [[0, 1]], [[[np.inf]]], {"type": BASIS}, "frame 0: infinite values"),
        ((0, 1, 1), [[0, 1]], [[[np.nan]]], {"type": BASIS}, "has no label of targets.mtt::x"),
        ((0, 1, 1), [[0, 1]], [[[1.0]]], {"type": {"cartesian": {"rank": 1}}},
         r"components \[1\], where \[3\] are|components xyz are \[0\], where \[0, 1, 2\]"),
    ],
)  # fmt: skip
def test_what_is_not_the_target_is_refused(
    key: Any, samples: Any, values: Any, section: Any, message: str, read: Read
) -> None:
    mts.save("x.mts", TensorMap(Labels(KEYS, torch.tensor([key])), [block(samples, values, 0)]))
    with pytest.raises(DataError, match=message):
        read(sample_kind="atom", **section)


def test_a_tensor_without_its_type_is_refused_with_what_to_write(read: Read) -> None:
    keys = Labels(KEYS, torch.tensor([(0, 1, 1), (1, 1, 1)]))
    blocks = [block([[0, 1]], [[[1.0]]], 0) for _ in keys]
    mts.save("x.mts", TensorMap(keys, blocks))
    message = f"the keys {', '.join(KEYS)}, which a scalar does not have.* write the type of the"
    with pytest.raises(DataError, match=message):
        read(sample_kind="atom")


def test_samples_of_another_kind_are_refused(save: Save, read: Read) -> None:
    save(["_"], {(0,): ([[0], [1]], [[1.0], [2.0]])}, "system")
    with pytest.raises(DataError, match="samples are system, where system, atom are expected"):
        read(sample_kind="atom")
    assert read().target("mtt::x").values.tolist() == [[1.0], [2.0]]


def test_numbers_of_systems_that_are_others_keep_their_order(save: Save, read: Read) -> None:
    save(["_"], {(0,): ([[17], [4]], [[1.0], [2.0]])}, "system")
    assert read().target("mtt::x").values.tolist() == [[2.0], [1.0]]


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]])
def test_an_energy_comes_with_the_gradients_of_its_blocks(save: Save, order: list[int]) -> None:
    save(["_"], {(0,): ([[0], [1]], [[1.0], [2.0]])}, "system")
    whole = mts.load("x.mts").block().copy()
    slope = torch.arange(15.0, dtype=torch.float64).reshape(5, 3, 1)
    rows = torch.tensor([[0, 0], [0, 1], [0, 2], [1, 0], [1, 1]])
    xyz = Labels("xyz", torch.tensor(order)[:, None])
    of = (Labels(["sample", "atom"], rows), [xyz], whole.properties)
    whole.add_gradient("positions", TensorBlock(slope[:, order], *of))
    mts.save("x.mts", TensorMap(Labels("_", torch.tensor([[0]])), [whole]))
    (options,) = load_eval_options(
        {"systems": "s.xyz", "targets": {"energy": {"read_from": "x.mts", "unit": "eV"}}}
    )
    data = read_dataset(options)
    assert data.info.targets["energy"].gradients == ("positions",)
    forces = data.target("energy").forces
    assert forces is not None
    torch.testing.assert_close(forces, -slope[..., 0])


def test_a_gradient_with_other_components_is_refused(save: Save) -> None:
    save(["_"], {(0,): ([[0], [1]], [[1.0], [2.0]])}, "system")
    whole = mts.load("x.mts").block().copy()
    of = (
        Labels(["sample", "atom"], torch.tensor([[0, 0]])),
        [Labels("xyz", torch.arange(1, 4)[:, None])],
    )
    slope = torch.zeros(1, 3, 1, dtype=torch.float64)
    whole.add_gradient("positions", TensorBlock(slope, *of, whole.properties))
    mts.save("x.mts", TensorMap(Labels("_", torch.tensor([[0]])), [whole]))
    (options,) = load_eval_options(
        {"systems": "s.xyz", "targets": {"energy": {"read_from": "x.mts", "unit": "eV"}}}
    )
    message = "gradient 'positions': the components xyz are .1, 2, 3., where .0, 1, 2. are expected"
    with pytest.raises(DataError, match=message):
        read_dataset(options)


def test_another_file_is_refused(read: Read) -> None:
    with pytest.raises(DataError, match=r"x\.mts: no such file"):
        read()
    with open("x.mts", "w") as file:
        file.write("nothing")
    with pytest.raises(DataError, match=r"x\.mts: is not a TensorMap"):
        read()
