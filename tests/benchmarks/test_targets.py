"""Tables of any targets: trivial predictors, folds, lines, and how tensors turn."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import ase
import numpy as np
import pytest
import torch

from mtt import Target

Import = Callable[[str], ModuleType]


def molecules(numbers: list[int], charges: tuple[int, ...] = (0,)) -> list[ase.Atoms]:
    """CₙH₂ₙ₊₂ with a label linear in its composition, the charge and its square."""
    found = []
    for n in numbers:
        for charge in charges:
            atoms = ase.Atoms(f"C{n}H{2 * n + 2}")
            label = 1.0 - 38.0 * n - 0.5 * len(atoms) + 9.0 * charge + 3.0 * charge**2
            atoms.info |= {"label": label, "charge": charge}
            found.append(atoms)
    return found


def test_a_label_linear_in_the_composition_is_predicted_by_it_alone(module: Import) -> None:
    targets = module("targets")
    frames = {"train": molecules([1, 2, 4]), "validation": [], "test": molecules([3, 5])}
    task = targets.Task(frames, {})
    assert targets.off_the_composition(task, "label") == pytest.approx([0, 0], abs=1e-9)
    labels = [atoms.info["label"] for atoms in frames["train"]]
    off = [atoms.info["label"] - np.mean(labels) for atoms in frames["test"]]
    assert targets.off_the_mean(task, "label") == pytest.approx(off)


def test_a_charge_counts_for_the_composition_where_it_is_asked_for(module: Import) -> None:
    targets = module("targets")
    charges = (0, 1, -1)
    frames = {
        "train": molecules([1, 2, 4], charges), "validation": [], "test": molecules([3], charges),
    }  # fmt: skip
    task = targets.Task(frames, {})
    assert targets.off_the_composition(task, "label", "charge") == pytest.approx([0] * 3, abs=1e-9)
    # least squares over the three charges: their mean is 3 · 2/3 above the neutral molecule
    assert targets.off_the_composition(task, "label") == pytest.approx([-2, 10, -8], abs=1e-9)


def test_every_molecule_is_tested_once_and_never_trained_on_then(module: Import) -> None:
    frames = molecules(list(range(1, 24)))
    tested = []
    for parts in module("qm9").folds(frames, seed=1):
        ids = [[id(one) for one in parts[part]] for part in module("targets").PARTS]
        assert len(set().union(*ids)) == sum(map(len, ids)) == len(frames)
        tested += ids[2]
    assert sorted(tested) == sorted(id(one) for one in frames)


def test_seeds_share_a_line_and_what_has_no_trivial_predictor_a_dash(module: Import) -> None:
    results, target_table = module("results"), module("target_table")
    found = []
    for seed, error in ((1, 0.2), (2, 0.4)):
        rows = [target_table.row("dipole", error, "e Å", mean=2.0, digits=2)]
        one = results.Result("tensors", "ethanol", "pet", seed, 1, "a processor")
        one.extra = {"rows": rows, "cpu_seconds": 60.0}
        found.append(one)
    line = "| ethanol | dipole | pet | 0.30 ± 0.14 | 2.00 ± 0.00 | – | e Å, RMSE |"
    assert target_table.markdown(found).splitlines()[2:] == [line]


def test_a_command_is_shown_without_folders(
    module: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["/a/b/born.py", "--environment", "tblite=/c", "--seeds", "1", "2", "--out", "/d"]
    monkeypatch.setattr("sys.argv", words)
    assert module("target_arguments").shown() == "born.py --seeds 1 2"


def test_files_of_the_examples_come_before_those_of_the_reference_data(
    module: Import, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    making = module("making")
    (tmp_path / "a.xyz").write_text("x")
    monkeypatch.setenv("MTT_DATA", str(tmp_path))
    recipe = making.Recipe("x", "make_ions.py", (), ("a.xyz",), examples=("ethanol.xyz",))
    assert recipe.paths() == [making.EXAMPLES / "ethanol.xyz", tmp_path / "a.xyz"]


def _turn() -> torch.Tensor:
    c, s = math.cos(0.7), math.sin(0.7)
    return -torch.tensor([[c, -s, 0], [s, c, 0], [0, 0, 1]], dtype=torch.float64)


def test_the_derivatives_of_a_vector_turn_on_all_their_indices(module: Import) -> None:
    """Of μ = Σ (u·r) r: ∂μ_a/∂r_b = u_b r_a + (u·r) δ_ab, and the strain derivative by r too."""
    info = module("kinds_of_targets").TARGETS["mtt::t1"]
    turn, random = _turn(), torch.Generator().manual_seed(1)
    r, u = (torch.randn(n, 3, dtype=torch.float64, generator=random) for n in (4, 1))

    def target(r: torch.Tensor, u: torch.Tensor) -> Target:
        along = r @ u[0]
        slopes = u[0][None, :, None] * r[:, None, :] + along[:, None, None] * torch.eye(3)
        strain = torch.einsum("na,nbc->abc", r, slopes)[None]
        values = (along[:, None] * r).sum(0)
        return Target(values[None, :, None], slopes[..., None], strain[..., None])

    found = module("kinds_of_targets").turned(info, target(r, u), turn)
    for one, wanted in zip(found, target(r @ turn.T, u @ turn.T), strict=True):
        torch.testing.assert_close(one, wanted, rtol=0, atol=1e-12)


def test_the_largest_difference_is_relative_to_the_largest_number(module: Import) -> None:
    found = module("equivariance").Largest()
    for size, off in ((4.0, 0.02), (8.0, 0.01)):
        found.add("dipole", torch.tensor([size + off]), torch.tensor([size]))
    found.add("charge", torch.tensor([0.5]), torch.tensor([1.0]))
    assert found.relative() == {"dipole": pytest.approx(0.02 / 8, rel=1e-4), "charge": 0.5}


def test_random_turns_are_orthogonal_and_half_of_them_invert(module: Import) -> None:
    turns: list[Any] = module("equivariance").rotations(3, seed=2)
    assert [round(np.linalg.det(one)) for one in turns] == [1, -1] * 3
    for one in turns:
        assert one @ one.T == pytest.approx(np.eye(3), abs=1e-12)
