"""Every kind of target that is found keeps its promises, and is tested and described."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path

import ase.build
import numpy as np
import pytest
import torch

from mtt import Dataset, DatasetInfo, TargetInfo
from mtt.data import kinds
from mtt.data.batching.augmentation import rotations
from mtt.data.sample import tensor_map
from mtt.data.target_kind import TargetKind
from mtt.discovery import TARGET_KINDS, Offer
from mtt.errors import ArchitectureError, DataError
from mtt.evaluation.quantities import is_extended
from mtt.graph import Target
from mtt.mlip.support import check_targets

Formula = Callable[[np.ndarray, np.ndarray], np.ndarray]


def scalar(values: np.ndarray, Q: np.ndarray) -> np.ndarray:
    return values


def polar(values: np.ndarray, Q: np.ndarray) -> np.ndarray:
    return np.einsum("ab,nbp->nap", Q, values)


def multipole(values: np.ndarray, Q: np.ndarray) -> np.ndarray:
    charge, (y, z, x) = values[:, :1], values[:, 1:].swapaxes(0, 1)
    x, y, z = np.einsum("ab,bnp->anp", Q, np.stack([x, y, z]))
    return np.concatenate([charge, np.stack([y, z, x], axis=1)], axis=1)


def cartesian(values: np.ndarray, Q: np.ndarray) -> np.ndarray:
    return polar(values, Q)


def matrix(values: np.ndarray, Q: np.ndarray) -> np.ndarray:
    return np.einsum("ac,bd,ncdp->nabp", Q, Q, values)


def spherical(values: np.ndarray, Q: np.ndarray) -> np.ndarray:
    """l = 2, then a pseudovector: as xy, yz, (3zz - 1) / √12, xz and (xx - yy) / 2 turn."""
    xy, yz, zz, xz, rest = values[:, :5].swapaxes(0, 1)
    z2 = zz * 2 / np.sqrt(3)
    x2, y2 = rest - z2 / 2, -rest - z2 / 2
    tensor = np.stack([np.stack(row, 1) for row in ([x2, xy, xz], [xy, y2, yz], [xz, yz, z2])], 1)
    t = matrix(tensor, Q)
    second = [t[:, 0, 1], t[:, 1, 2], t[:, 2, 2] * np.sqrt(3) / 2, t[:, 0, 2]]
    second += [(t[:, 0, 0] - t[:, 1, 1]) / 2]
    axial = np.linalg.det(Q) * polar(values[:, [7, 5, 6]], Q)[:, [1, 2, 0]]
    return np.concatenate([np.stack(second, 1), axial], axis=1)


# text of a kind of that name: components, and values [n, *components, p] turned by Q [3, 3]
FORMULAS = {
    "scalar": ("scalar", (), scalar),
    "cartesian": ('cartesian {"rank": 1}', (3,), cartesian),
    "spherical": (
        'spherical {"irreps": [{"o3_lambda": 2, "o3_sigma": 1}, {"o3_lambda": 1, "o3_sigma": -1}]}',
        (8,),
        spherical,
    ),
}


def channels(values: np.ndarray, Q: np.ndarray) -> np.ndarray:
    """Two numbers, then y, z, x, each in three channels."""
    vectors = values[:, 2:].reshape(len(values), 3, -1)
    turned = polar(vectors[:, [2, 0, 1]], Q)[:, [1, 2, 0]]
    return np.concatenate([values[:, :2], turned.reshape(values[:, 2:].shape)], axis=1)


def product(values: np.ndarray, Q: np.ndarray) -> np.ndarray:
    """All products of two vectors in the order y, z, x."""
    own = values.reshape(len(values), 3, 3, -1)[:, [2, 0, 1]][:, :, [2, 0, 1]]
    return matrix(own, Q)[:, [1, 2, 0]][:, :, [1, 2, 0]].reshape(values.shape)


VARIANTS = {
    "cartesian of rank 2": ('cartesian {"rank": 2}', (3, 3), matrix),
    "spherical with channels": (
        'spherical {"irreps": [{"o3_lambda": 0, "num": 2}, {"o3_lambda": 1, "num": 3}]}',
        (11,),
        channels,
    ),
    "products of vectors": (
        'spherical {"irreps": [{"o3_lambda": 1}], "product": "cartesian"}',
        (9,),
        product,
    ),
}
OTHERS = {
    "polar": ("polar", (3,), polar),
    "multipole": ('multipole {"l": [0, 1]}', (4,), multipole),
}


ALL = FORMULAS | OTHERS


@pytest.fixture(params=sorted(ALL | VARIANTS))
def case(request: pytest.FixtureRequest) -> tuple[TargetKind, tuple[int, ...], Formula]:
    text, components, formula = (ALL | VARIANTS)[request.param]
    return kinds.of(text), components, formula


def test_every_kind_that_is_found_has_a_formula_a_description_and_a_line_in_the_manual(
    root: Path,
) -> None:
    found = TARGET_KINDS.find()
    assert set(found) == set(ALL)
    own = [name for name, one in found.items() if one.origin == "mtt"]
    assert set(own) == set(FORMULAS)
    assert own
    assert missing(own, found, root) == []
    with_others = missing(list(found), found, root)
    assert [re.sub(" of .*", "", one) for one in with_others] == [
        "the schema does not list", "data.md has no row", "data.md has no row",
    ]  # fmt: skip


def missing(names: list[str], found: dict[str, Offer], root: Path) -> list[str]:
    """Where the kinds ``names`` are not described."""
    schema = json.loads((root / "src" / "mtt" / "options" / "options.schema.json").read_text())
    option = schema["$defs"]["type"]
    page = (root / "docs" / "src" / "data.md").read_text(encoding="utf-8")
    gaps = []
    listed = ", ".join(sorted(names))
    if listed not in option["description"] or {*names, None} != set(option["enum"]):
        gaps.append(f"the schema does not list of {listed}")
    for name in sorted(names):
        described = TARGET_KINDS.described()[name]
        if f"| `{name}` | {described} |" not in page:
            gaps.append(f"data.md has no row of {name}: {described}")
    return gaps


def test_a_kind_has_the_name_of_its_module_and_a_text_that_gives_it_again() -> None:
    for name, (text, _, _) in ALL.items():
        kind = kinds.of(text)
        assert kind.name == name
        assert kinds.of(kind.text) == kind
        assert kind.supported_name(False) == name
        assert kind.supported_name(True) == f"{name} per atom"


def test_shapes_follow_from_blocks(case: tuple[TargetKind, tuple[int, ...], Formula]) -> None:
    kind, components, _ = case
    assert kind.components == components
    assert kind.shape(2) == (*components, 2)
    assert kind.size == math.prod(components)
    values = torch.randn(5, *kind.shape(2), dtype=torch.float64)
    parts = kind.split(values)
    assert [part.shape[1:-1] for part in parts] == [block.shape for block in kind.blocks]
    assert torch.equal(kind.joined([part.flatten(1) for part in parts]), values)
    none = kind.joined([part.flatten(1)[:0] for part in parts])  # structures without pairs
    assert none.shape == (0, *kind.shape(2))
    info = TargetInfo(kind=kind.text, sample_kind="atom", properties=2)
    stored = tensor_map("mtt::x", info, Target(values), 0)
    assert torch.equal(kind.joined([block.values.flatten(1) for block in stored.blocks()]), values)


def test_values_turn_by_the_formula(case: tuple[TargetKind, tuple[int, ...], Formula]) -> None:
    kind, components, formula = case
    random = np.random.default_rng(6)
    values = random.normal(size=(1, *components, 2))
    first, second = rotations(random.uniform(size=(2, 3)))
    for Q in (first, -second):
        found = kind.rotated(torch.tensor(values), torch.tensor(Q)[None])
        np.testing.assert_allclose(found, formula(values, Q), atol=1e-14)
    # one after the other is as both at once, and nothing changes where nothing turns
    both = kind.rotated(kind.rotated(torch.tensor(values), torch.tensor(first)[None]),
                        torch.tensor(-second)[None])  # fmt: skip
    at_once = kind.rotated(torch.tensor(values), torch.tensor(-second @ first)[None])
    torch.testing.assert_close(both, at_once)
    still = kind.rotated(torch.tensor(values), torch.eye(3, dtype=torch.float64)[None])
    torch.testing.assert_close(still, torch.tensor(values))


def test_invariants_are_those_that_do_not_change(
    case: tuple[TargetKind, tuple[int, ...], Formula],
) -> None:
    kind, components, _ = case
    random = np.random.default_rng(7)
    values = torch.tensor(random.normal(size=(20, *components, 1)))
    Q = torch.tensor(rotations(random.uniform(size=(20, 3))))
    Q[::2] *= -1
    changed = (kind.rotated(values, Q) - values).abs().reshape(20, -1).amax(dim=0)
    same = tuple(int(i) for i in (changed < 1e-12).nonzero()[:, 0])
    assert kind.invariants == same
    assert kind.is_invariant == (len(same) == kind.size)


def test_parts_share_out_components_and_are_known_by_name(
    case: tuple[TargetKind, tuple[int, ...], Formula],
) -> None:
    kind, _, _ = case
    places = [place for _, some in kind.parts for place in some]
    assert sorted(places) == list(range(kind.size)) * bool(kind.parts)
    assert all(is_extended(f"mtt::t {name} RMSE") for name, _ in kind.parts)
    assert not is_extended("mtt::t RMSE")


@pytest.mark.parametrize("n", [1, 3])
def test_what_is_written_is_read_back(
    case: tuple[TargetKind, tuple[int, ...], Formula], n: int
) -> None:
    kind, _, _ = case
    values = np.random.default_rng(8).normal(size=(n, *kind.shape(2)))
    numbers = kind.written(values)
    assert numbers.shape == (n, kind.size * 2)
    for array in (numbers, values, *([numbers[0]] if n == 1 else [])):
        np.testing.assert_array_equal(kind.read(array, n, 2), values)
    with pytest.raises(ValueError, match=rf"where {n * kind.size * 3} is expected"):
        kind.read(numbers, n, 3)


def test_kinds_that_are_not_there_are_refused_with_those_that_are() -> None:
    info = TargetInfo.from_dict({**TargetInfo().to_dict(), "kind": "vector"})
    message = (
        "unknown kind of target 'vector'; one of cartesian, multipole, polar, scalar, spherical"
    )
    with pytest.raises(DataError, match=message):
        _ = info.shape
    with pytest.raises(ArchitectureError, match=f"mtt::x: {message}; or install the package"):
        check_targets("Model", ("energy",), False, DatasetInfo("", (1,), {"mtt::x": info}))
    for text in ('scalar {"rank": 1}', "scalar {", 'multipole {"l": 1}', "scalar []"):
        with pytest.raises(DataError, match="does not describe a target of kind"):
            kinds.of(text)


def test_scalars_stay_what_they_were() -> None:
    info = TargetInfo(properties=3, sample_kind="atom")
    assert info.kind == kinds.of("scalar").text == "scalar"
    assert (info.shape, info.invariant_columns) == ((3,), [[0], [1], [2]])
    values = torch.randn(4, 3)
    assert kinds.of("scalar").rotated(values, torch.eye(3)) is values
    atoms = ase.build.molecule("H2O")
    atoms.arrays["q"] = np.arange(9.0).reshape(3, 3)
    section = {"key": "q", "sample_kind": "atom", "num_subtargets": 3}
    data = Dataset.from_atoms([atoms], {"mtt::q": section})
    (block,) = data[0]["mtt::q"].blocks()
    assert block.components == []
    assert data[0]["mtt::q"].keys.names == ["_"]
