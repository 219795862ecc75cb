"""Vectors and tensors as files have them: shapes, orders, symmetries, missing values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ase
import ase.io
import numpy as np
import pytest
import torch

from mtt import Dataset
from mtt.data import kinds, read_dataset
from mtt.errors import ConfigError, DataError
from mtt.options import load_eval_options

TENSOR = np.array([[1.0, 2.0, 3.0], [2.5, 4.0, 5.0], [3.5, 5.5, 6.0]])
SYMMETRIC = (TENSOR + TENSOR.T) / 2


def molecule(**info: Any) -> ase.Atoms:
    atoms = ase.Atoms("CO", [[0.0, 0.0, 0.0], [0.0, 0.0, 1.1]])
    atoms.info.update(info)
    return atoms


def read(kind: Any, *frames: ase.Atoms, key: str = "p", **more: Any) -> np.ndarray:
    data = Dataset.from_atoms(frames, {"mtt::p": {"key": key, "type": kind, **more}})
    return data.target("mtt::p").values.numpy()


def cartesian(rank: int = 2, **more: Any) -> dict[str, Any]:
    return {"cartesian": {"rank": rank, **more}}


# ---- shapes and orders


def test_a_tensor_is_read_from_rows_or_nine_numbers() -> None:
    values = read(cartesian(), molecule(p=TENSOR), molecule(p=TENSOR.ravel()))
    np.testing.assert_array_equal(values[..., 0], [TENSOR, TENSOR])


def test_text_is_read_row_by_row_by_every_reader(tmp_path: Path) -> None:
    path = tmp_path / "a.xyz"
    ase.io.write(path, [molecule(p=TENSOR), molecule(p=TENSOR.ravel())])
    for reader in ("extxyz", "ase"):
        systems = {"read_from": str(path), "reader": reader}
        targets = {"mtt::p": {"key": "p", "type": cartesian()}}
        (options,) = load_eval_options({"systems": systems, "targets": targets})
        values = read_dataset(options).target("mtt::p").values
        np.testing.assert_array_equal(values[..., 0], [TENSOR, TENSOR])


@pytest.mark.parametrize(
    ("order", "places"),
    [
        ("voigt", [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]),
        ("vasp", [(0, 0), (1, 1), (2, 2), (0, 1), (1, 2), (2, 0)]),
    ],
)
def test_six_numbers_are_read_in_the_order_that_is_declared(
    order: str, places: list[tuple[int, int]]
) -> None:
    six = np.array([SYMMETRIC[place] for place in places])
    values = read(cartesian(six_numbers=order), molecule(p=six), molecule(p=SYMMETRIC))
    np.testing.assert_allclose(values[..., 0], [SYMMETRIC, SYMMETRIC])
    # it is a property of the file, not of the target
    kind = kinds.of(f'cartesian {{"rank": 2, "six_numbers": "{order}"}}')
    assert kind.text == 'cartesian {"rank": 2, "symmetric": true}'


def test_six_numbers_of_each_atom_are_read_too() -> None:
    atoms = molecule()
    atoms.arrays["p"] = np.array([[1.0, 2, 3, 4, 5, 6], [0, 0, 0, 1, 0, 0]])
    values = read(cartesian(six_numbers="voigt"), atoms, sample_kind="atom")
    assert values.shape == (2, 3, 3, 1)
    assert values[1, 1, 2, 0] == values[1, 2, 1, 0] == values[1].sum() / 2 == 1.0


def test_six_numbers_without_their_order_are_refused_with_both() -> None:
    message = (
        "atoms, frame 1: 'p' for targets.mtt::p: 6 numbers where 9 are expected.* six_numbers .*"
        "voigt for xx, yy, zz, yz, xz, xy .*vasp for xx, yy, zz, xy, yz, zx"
    )
    with pytest.raises(DataError, match=message):
        read(cartesian(), molecule(p=TENSOR), molecule(p=np.arange(6.0)))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.arange(4.0), r"4 values where 3 is expected \(3 components, num_subtargets 1\)"),
        (0.3, "1 values where 3 is expected"),
        ("north", "not a number"),
    ],
)
def test_another_number_of_components_is_refused(value: Any, message: str) -> None:
    with pytest.raises(DataError, match=f"frame 0: 'p' for targets.mtt::p: {message}"):
        read(cartesian(1), molecule(p=value))


def test_vectors_of_atoms_are_refused_the_other_way_round() -> None:
    atoms = molecule(p=np.arange(6.0).reshape(3, 2))
    with pytest.raises(DataError, match=r"\[3, 2\]|no key|exists per structure"):
        read(cartesian(1), atoms, sample_kind="atom")


# ---- symmetries


def test_a_symmetry_that_labels_break_is_refused_with_every_frame() -> None:
    frames = [molecule(p=TENSOR), molecule(p=SYMMETRIC), molecule(p=TENSOR.T)]
    message = r"frames 0, 2: 'p' for targets.mtt::p: not symmetric, as its type says: .* by 0.5"
    with pytest.raises(DataError, match=message):
        read(cartesian(symmetric=True), *frames)
    message = "not traceless, as its type says: the mean of xx, yy, zz and zero differ by 3.67"
    with pytest.raises(DataError, match=message):
        read(cartesian(traceless=True), molecule(p=TENSOR))


def test_rounding_of_a_symmetry_is_removed() -> None:
    rounded = SYMMETRIC - 11 / 3 * np.eye(3)
    rounded[0, 1] += 1e-3
    rounded[2, 2] += 1e-3
    (found,) = read(cartesian(symmetric=True, traceless=True), molecule(p=rounded))[..., 0]
    np.testing.assert_array_equal(found, found.T)
    assert abs(np.trace(found)) < 1e-14
    assert np.abs(found - rounded).max() < 1e-3


def test_a_tensor_that_lacks_a_number_is_missing() -> None:
    lacking = TENSOR.copy()
    lacking[0, 2] = np.nan
    for kind in (cartesian(), cartesian(symmetric=True), cartesian(traceless=True)):
        values = read(kind, molecule(p=lacking), molecule(p=np.full((3, 3), np.nan)),
                      molecule(p=np.zeros((3, 3))))  # fmt: skip
        assert np.isnan(values[:2]).all()
        assert (values[2] == 0).all()


# ---- options


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (cartesian(0), "a tensor of rank 0 is a number: write type: scalar"),
        (cartesian(5), "rank must be 1, 2, 3 or 4, got 5"),
        ({"cartesian": {"rank": True}}, "rank must be 1, 2, 3 or 4, got True"),
        ({"cartesian": {"rnk": 1}}, "unknown key 'rnk' of cartesian; did you mean 'rank'"),
        ({"cartesian": [1]}, r"the parameters of cartesian are a mapping, got \[1\]"),
        (cartesian(1, symmetric=True), "symmetric, traceless and six_numbers are for rank 2"),
        (cartesian(symmetric="yes"), "symmetric must be true or false, got 'yes'"),
        (cartesian(six_numbers="ase"), "six_numbers must be voigt for xx, .*, got 'ase'"),
        ("spherical", "spherical needs irreps"),
        ({"spherical": {"irreps": []}}, "irreps is empty: write a list of"),
        ({"spherical": {"irreps": 1}}, "irreps must be a list of .*, got 1"),
        ({"spherical": {"irreps": [1]}}, r"each of irreps must be \{o3_lambda: 1, .*, got 1"),
        ({"spherical": {"irreps": [{"l": 1}]}}, "unknown key 'l' in irreps"),
        ({"spherical": {"irreps": [{"o3_lambda": -1}]}}, "o3_lambda must be an integer from 0"),
        ({"spherical": {"irreps": [{"o3_lambda": 1, "o3_sigma": 0}]}}, "o3_sigma must be 1, or -1"),
        ({"spherical": {"irreps": [{"o3_lambda": 1}] * 2}}, "o3_lambda 1 with o3_sigma 1 is given"),
        (
            {"spherical": {"irreps": [{"o3_lambda": 1, "num": 0}]}},
            "num, .* must be 1 or more, got 0",
        ),
        (
            {"spherical": {"irreps": {"O8": [{"o3_lambda": 1}]}}},
            "irreps of 'O8', which is not an a",
        ),
        ({"spherical": {"irreps": {1: []}}}, "irreps of 1 is empty: write a list of"),
        ({"spherical": {"irreps": {}}}, "irreps is empty: write a list for each element"),
        ({"spherical": {"irreps": {1: [{"o3_lambda": 1}], "H": [{"o3_lambda": 0}]}}}, ".* twice"),
        (
            {"spherical": {"irreps": [{"o3_lambda": 1}], "product": "x"}},
            "product must be coupled or",
        ),
    ],
)
def test_types_that_do_not_exist_are_refused(kind: Any, message: str) -> None:
    section = {"mtt::p": {"key": "p", "type": kind}}
    with pytest.raises(ConfigError, match=rf"targets.mtt::p.type: {message}"):
        load_eval_options({"systems": "a.xyz", "targets": section})


def test_tensors_are_sums_over_atoms_unless_options_say_so() -> None:
    section = {
        "mtt::a": {"type": cartesian(1)},
        "mtt::b": {"type": cartesian(1), "extensive": False},
        "mtt::c": {"type": {"spherical": {"irreps": [{"o3_lambda": 2, "o3_sigma": 1}]}}},
        "mtt::d": {},
        "non_conservative_stress": {"type": cartesian(2)},
    }
    (options,) = load_eval_options({"systems": "a.xyz", "targets": section})
    sums = [target.extensive for target in options.targets.values()]
    assert sums == [True, False, True, False, False]
    (again,) = load_eval_options(options.to_dict())
    assert again == options


@pytest.mark.parametrize(
    ("name", "section", "message"),
    [
        (
            "non_conservative_forces",
            {},
            "type: non_conservative_force is a tensor of rank 1; write",
        ),
        ("non_conservative_force", {"type": cartesian(1)}, "a value of each atom; write sample_k"),
        ("non_conservative_stress", {"type": cartesian(1)}, "is a tensor of rank 2"),
        ("velocity/a", {"type": cartesian(2), "sample_kind": "atom"}, "velocity is a tensor of ra"),
    ],
)
def test_tensors_of_metatomic_are_what_metatomic_says(
    name: str, section: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        load_eval_options({"systems": "a.xyz", "targets": {name: section}})


def test_a_vector_given_as_scalars_is_reported_with_the_remedy() -> None:
    random = np.random.default_rng(0)
    frames = [molecule(p=random.normal(size=3)) for _ in range(9)]
    section = {"mtt::p": {"key": "p", "num_subtargets": 3}}
    (notice,) = [n for n in Dataset.from_atoms(frames, section).notices if "look like" in n]
    assert "write type: {cartesian: {rank: 1}} in place of num_subtargets" in notice


# ---- what components mean


def test_spherical_components_are_those_of_the_cartesian_tensor() -> None:
    matrix = kinds.of('cartesian {"rank": 2}')
    trace, axial, rest = torch.split(matrix.from_irreducible().T @ torch.tensor(TENSOR.ravel()),
                                     [1, 3, 5])  # fmt: skip
    assert float(trace) == pytest.approx(np.trace(TENSOR) / np.sqrt(3))
    y, z, x = axial * np.sqrt(2)
    off = TENSOR - TENSOR.T
    np.testing.assert_allclose([x, y, z], [off[1, 2], off[2, 0], off[0, 1]])
    xy, yz, zz, xz, xx = rest
    assert float(xy) == pytest.approx(SYMMETRIC[0, 1] * np.sqrt(2))
    assert float(yz) == pytest.approx(SYMMETRIC[1, 2] * np.sqrt(2))
    assert float(xz) == pytest.approx(SYMMETRIC[0, 2] * np.sqrt(2))
    assert float(zz) == pytest.approx((3 * SYMMETRIC[2, 2] - np.trace(SYMMETRIC)) / np.sqrt(6))
    assert float(xx) == pytest.approx((SYMMETRIC[0, 0] - SYMMETRIC[1, 1]) / np.sqrt(2))
