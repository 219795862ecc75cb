"""The suite as authors meet it: a class to inherit, outcomes to show, exceptions to declare."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mtt import DatasetInfo, TargetInfo
from mtt.errors import ArchitectureError
from mtt.testing import (
    CHECKS,
    NAMES,
    ArchitectureTests,
    Check,
    CheckFailed,
    Subject,
    check_exceptions,
    run,
    systems,
)
from mtt.testing.check import compare

RESOURCES = Path(__file__).parent.parent / "resources" / "architectures"


class TestInherited(ArchitectureTests):
    """Five lines are a whole suite, for a folder outside of the package."""

    architecture = RESOURCES / "radial_sum"
    model_hypers = {"cutoff": 3.0}
    dataset_info = DatasetInfo("angstrom", (3, 9), {"energy": TargetInfo.energy("kcal/mol")})


def test_checks_have_different_names_and_say_what_they_do() -> None:
    assert len(set(NAMES)) == len(NAMES) == len(CHECKS) >= 20
    assert all(check.function.__doc__ for check in CHECKS)


def test_the_checks_need_no_pytest() -> None:
    code = "import sys, mtt.testing; sys.exit('pytest' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_declared_exception_is_measured_and_told(make_subject, tiny) -> None:
    class Sharp(tiny):
        __conformance_exceptions__ = {
            "energies and forces are continuous at the cutoff": "made for one lattice",
            "a supercell has a multiple of the energy": "nobody asked",
        }

        def smooth(self, r: torch.Tensor) -> torch.Tensor:
            return torch.ones_like(r)

    subject = make_subject(Sharp)
    by_name = {check.name: check for check in CHECKS}
    declared, needless = (run(by_name[name], subject) for name in subject.exceptions)
    assert declared.status == needless.status == "declared"
    assert declared.message == "made for one lattice"
    assert declared.measured.startswith("energy of a dimer jump by ")
    assert needless.message == "nobody asked (the check passes nevertheless)"


def test_an_exception_from_an_unknown_check_is_refused(make_subject, tiny) -> None:
    class Misspelt(tiny):
        __conformance_exceptions__ = {"a translation changes everything": "why not"}

    with pytest.raises(ArchitectureError, match="did you mean 'a translation changes nothing'"):
        check_exceptions(make_subject(Misspelt), NAMES)


def test_what_an_architecture_raises_is_told_with_its_cause(make_subject, tiny) -> None:
    class Raising(tiny):
        def smooth(self, r):
            raise ValueError("the neighbours are too many\nand more")

    check = next(check for check in CHECKS if check.name == "a translation changes nothing")
    outcome = run(check, make_subject(Raising))
    assert outcome.status == "failed"
    assert outcome.message == "tiny: ValueError: the neighbours are too many"
    assert isinstance(outcome.failure.__cause__, ValueError)


def test_a_failure_says_what_and_where_to_look(make_subject) -> None:
    def fails(subject: Subject) -> None:
        raise CheckFailed("the sky falls", hint="look up")

    outcome = run(Check("the sky stays", fails), make_subject())
    assert (outcome.status, outcome.message) == ("failed", "the sky falls; look up")


def test_a_comparison_fails_for_nan_and_for_other_shapes() -> None:
    one = torch.ones(2)
    compare("x", one, one, 0.0, "")
    with pytest.raises(CheckFailed, match="x: differ by nan"):
        compare("x", one * torch.nan, one, 1.0, "")
    with pytest.raises(CheckFailed, match=r"x: \[2\] numbers, not \[1\]"):
        compare("x", one, one[:1], 1.0, "")
    with pytest.raises(CheckFailed, match=r"the largest is 2\.0e"):
        compare("x", one, 2 * one, 0.1, "")


def test_a_folder_that_is_no_architecture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchitectureError, match="is no architecture folder"):
        Subject(tmp_path)


def test_structures_are_the_same_each_time_and_hold_every_element() -> None:
    elements = (1, 6, 7, 8)
    for first, second in zip(systems.ordinary(elements), systems.ordinary(elements), strict=True):
        assert first == second
        assert set(first.numbers) == set(elements)
        distances = first.get_all_distances(mic=True)
        assert distances[distances > 0].min() > 0.7
    boundaries = [one.pbc.tolist() for one in systems.ordinary(elements)]
    assert boundaries == [[False] * 3, [True] * 3, [True, True, False]]
    assert systems.dimer((1, 8), 2.5).get_distance(0, 1) == pytest.approx(2.5)


def test_models_of_one_subject_agree_in_their_weights(make_subject) -> None:
    subject = make_subject()
    double, single = subject.model(), subject.model(torch.float32)
    assert (double.dtype, single.dtype) == (torch.float64, torch.float32)
    for a, b in zip(double.parameters(), single.parameters(), strict=True):
        assert torch.equal(a.float(), b)
