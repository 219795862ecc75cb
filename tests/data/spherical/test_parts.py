"""Radial channels, products, and irreps of each element: shapes, labels, what files have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
import torch

from mtt import Dataset
from mtt.data import kinds
from mtt.data.kinds.spherical import Spherical
from mtt.data.target_kind import TargetKind
from mtt.errors import ConfigError, DataError
from mtt.options import load_eval_options

BASIS = {1: [{"o3_lambda": 0, "num": 2}], 8: [{"o3_lambda": 0, "num": 1}, {"o3_lambda": 1}]}


def spherical(irreps: Any, **more: Any) -> dict[str, Any]:
    return {"spherical": {"irreps": irreps, **more}}


def read(atoms: ase.Atoms, kind: Any, **more: Any) -> Dataset:
    section = {"key": "p", "type": kind, "sample_kind": "atom", **more}
    return Dataset.from_atoms([atoms], {"mtt::p": section})


def water(p: Any) -> ase.Atoms:
    atoms = ase.Atoms("OH2", [[0, 0, 0], [0, 0, 1.0], [0, 1.0, 0]])
    atoms.arrays["p"] = np.asarray(p, dtype=float)
    return atoms


def basis() -> TargetKind:
    return kinds.of('spherical {"irreps": {"8": [{"o3_lambda": 0}, {"o3_lambda": 1}], '
                    '"1": [{"o3_lambda": 0, "num": 2}]}}')  # fmt: skip


# ---- channels and products


def test_channels_are_the_last_index_and_the_properties_of_the_block() -> None:
    p = np.arange(3 * 8.0).reshape(3, 8)
    data = read(water(p), spherical([{"o3_lambda": 0, "num": 2}, {"o3_lambda": 1, "num": 2}]))
    assert data.target("mtt::p").values.shape == (3, 8, 1)
    first, second = data[0]["mtt::p"].blocks()
    assert data[0]["mtt::p"].keys.values.tolist() == [[0, 1], [1, 1]]
    assert (first.properties.names, second.properties.names) == (["n"], ["n"])
    np.testing.assert_array_equal(second.values, p[:, 2:].reshape(3, 3, 2))
    (whole,) = kinds.of('spherical {"irreps": [{"o3_lambda": 1, "num": 2}]}').blocks
    assert whole.properties("p", 2).labels == ((0, 0), (0, 1), (1, 0), (1, 1))


def test_channels_before_components_are_refused() -> None:
    kind = spherical([{"o3_lambda": 1, "num": 2}])
    message = r"atoms, frame 0: 'p' for targets.mtt::p: shape \[2, 3\] where \[3, 2\] is expected: "
    with pytest.raises(DataError, match=message + "m first, radial channels last; transpose it"):
        read(water(np.zeros((3, 2, 3))), kind)
    assert read(water(np.zeros((3, 3, 2))), kind).target("mtt::p").values.shape == (3, 6, 1)
    with pytest.raises(DataError, match=r"shape \[3, 5\] where 18 is expected .*6 components"):
        read(water(np.zeros((3, 5))), kind)


def test_a_coupled_product_is_the_cartesian_one_in_other_coordinates() -> None:
    irreps: Any = ({"o3_lambda": 0, "num": 2}, {"o3_lambda": 1})
    pairs, coupled = Spherical(irreps, "cartesian"), Spherical(irreps, "coupled")
    assert pairs.key_names == ("o3_lambda_1", "o3_lambda_2", "o3_sigma_1", "o3_sigma_2")
    assert [block.key for block in pairs.blocks][1:3] == [(0, 1, 1, 1), (1, 0, 1, 1)]
    assert [axis.name for axis in pairs.blocks[1].axes] == ["o3_mu_1", "o3_mu_2"]
    assert [block.key for block in coupled.blocks] == [(0, 1), (1, 1), (2, 1)]
    channels = coupled.blocks[0].channels
    assert channels is not None
    assert channels.names == ("l_1", "l_2", "n_1", "n_2")
    assert channels.labels[-1] == (1, 1, 0, 0)
    # without the pseudovector of two vectors
    assert coupled.size == pairs.size - 3 == 5 + 3 * 4 + 5
    matrix = pairs.from_irreducible()
    torch.testing.assert_close(matrix.T @ matrix, torch.eye(pairs.size, dtype=torch.float64))
    trace = [group for group in pairs.invariant_groups if len(group) > 1]
    assert trace == [(pairs.size - 9, pairs.size - 5, pairs.size - 1)]


# ---- irreps of each element


def test_rows_of_atoms_hold_their_own_numbers_first(tmp_path: Path) -> None:
    rows = [[1, 2, 3, 4], [5, 6, np.nan, np.nan], [7, 8, np.nan, np.nan]]
    data = read(water(rows), spherical(BASIS))
    values = data.target("mtt::p").values
    assert values.shape == (3, 6, 1)
    nan = np.nan
    wanted = [[nan, nan, 1, 2, 3, 4], [5, 6, nan, nan, nan, nan], [7, 8, nan, nan, nan, nan]]
    np.testing.assert_array_equal(values[..., 0], wanted)
    assert not any("missing" in notice for notice in data.notices)
    labels = data[0]["mtt::p"]
    assert labels.keys.names == ["o3_lambda", "o3_sigma", "atom_type"]
    assert labels.keys.values.tolist() == [[0, 1, 1], [0, 1, 8], [1, 1, 8]]
    assert [block.samples.values.tolist() for block in labels.blocks()][:2] == [
        [[0, 1], [0, 2]], [[0, 0]],
    ]  # fmt: skip
    kind = data.info.targets["mtt::p"].of_kind
    numbers = np.array([8, 1, 1])
    np.testing.assert_array_equal(kind.written_atoms(values.numpy(), numbers), rows)
    path = tmp_path / "a.xyz"  # and through a file
    ase.io.write(path, water(rows))
    again = read(ase.io.read(path), spherical(BASIS)).target("mtt::p").values
    np.testing.assert_array_equal(again, values)


def test_a_row_that_lacks_a_number_is_missing_and_counted() -> None:
    rows = [[1, np.nan, 3, 4], [5, 6, np.nan, np.nan], [7, 8, np.nan, np.nan]]
    data = read(water(rows), spherical(BASIS))
    assert bool(data.target("mtt::p").values[0].isnan().all())
    (notice,) = [one for one in data.notices if "missing" in one]
    assert "1 of 1 structures, 1 atoms" in notice


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.zeros((3, 4)), r"4 numbers of atom 1 where 2 are expected: write nan after them"),
        (np.zeros((3, 3)), r"shape \[3, 3\] where \[3, 4\] is expected: a row of 4 numbers for "
         "each atom, 2 of element 1, 4 of element 8, then nan"),
    ],
)  # fmt: skip
def test_rows_of_another_length_are_refused(rows: Any, message: str) -> None:
    with pytest.raises(DataError, match=f"frame 0: 'p' for targets.mtt::p: {message}"):
        read(water(rows), spherical(BASIS))


def test_values_of_each_element_turn_by_themselves() -> None:
    kind = basis()
    assert kinds.of(kind.text) == kind
    assert kind.elements == (1, 8)
    assert kind.size == 6
    assert kind.invariants == (0, 1, 2)
    values = torch.full((2, 6, 1), torch.nan, dtype=torch.float64)
    values[0, :2], values[1, 2:] = 1.0, torch.tensor([[4.0], [1.0], [2.0], [3.0]]).double()
    turn = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]).double().expand(2, 3, 3)
    found = kind.rotated(values, turn)[..., 0]
    assert found[0, :2].tolist() == [1.0, 1.0]
    torch.testing.assert_close(found[1, 2:], torch.tensor([4.0, 3, 2, -1]).double())  # y, z, x


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"type": spherical(BASIS)}, "sample_kind: irreps of each element are for values of atoms"),
        (
            {"type": spherical([{"o3_lambda": 1, "num": 2}]), "num_subtargets": 2},
            r"num_subtargets: 2, where irreps have their own numbers of channels \(num\)",
        ),
        (
            {"type": spherical(BASIS), "sample_kind": "atom_pair", "read_from": "a.mts"},
            "type: for pairs, irreps of each element need a product; write product",
        ),
    ],
)
def test_options_that_contradict_irreps_are_refused(section: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=f"targets.mtt::p.{message}|{message}"):
        load_eval_options({"systems": "a.xyz", "targets": {"mtt::p": section}})
