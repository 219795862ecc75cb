"""The suite as authors meet it: a class to inherit, outcomes to show, exceptions to declare."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
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
    run_all,
    systems,
)
from mtt.testing.measure import Measured, Note, compared
from mtt.testing.suite import show

RESOURCES = Path(__file__).parent.parent / "resources" / "architectures"


class TestInherited(ArchitectureTests):
    """Five lines are a whole suite, for a folder outside of the package."""

    architecture = RESOURCES / "radial_sum"
    model_hypers = {"cutoff": 3.0}
    dataset_info = DatasetInfo("angstrom", (3, 9), {"energy": TargetInfo.energy("kcal/mol")})


def test_checks_have_different_names_and_say_what_they_do() -> None:
    assert len(set(NAMES)) == len(NAMES) == len(CHECKS) >= 20
    assert all(check.function.__doc__ for check in CHECKS)
    assert all(check.meaning.endswith(".") and check.look.endswith(".") for check in CHECKS)
    texts = [text for check in CHECKS for text in (check.meaning, check.look)]
    assert len(set(texts)) == len(texts)


def test_the_checks_need_no_pytest() -> None:
    code = "import sys, mtt.testing; sys.exit('pytest' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_declared_exception_is_measured_and_reported(make_subject, tiny) -> None:
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
    told = (
        r"energy where a neighbour crosses the cutoff \(3\.5\): \S+ eV \(relative 2.9e-02\); forces"
    )
    assert re.match(told, declared.measured)
    assert needless.message == "nobody asked (the check passes nevertheless)"


def test_an_exception_from_an_unknown_check_is_refused(make_subject, tiny) -> None:
    class Misspelt(tiny):
        __conformance_exceptions__ = {"a translation changes everything": "why not"}

    with pytest.raises(ArchitectureError, match="did you mean 'a translation changes nothing'"):
        check_exceptions(make_subject(Misspelt), NAMES)


def test_an_error_of_an_architecture_is_reported_with_its_cause(make_subject, tiny) -> None:
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


def test_outcomes_come_one_by_one_in_order_with_the_time_they_took(make_subject) -> None:
    seen: list[str] = []

    def passes(subject: Subject) -> None:
        seen.append("run")

    checks = [Check("one", passes), Check("two", passes)]
    outcomes = run_all(make_subject(), checks, lambda outcome: seen.append(outcome.check.name))
    assert seen == ["run", "one", "run", "two"]
    assert [outcome.check.name for outcome in outcomes] == ["one", "two"]
    assert all(outcome.seconds > 0 and outcome.status == "passed" for outcome in outcomes)


def test_only_a_failure_carries_its_meaning(make_subject) -> None:
    def fails(subject: Subject) -> Iterator[Measured]:
        yield compared("energy", torch.ones(1), torch.zeros(1), 0.1, unit="eV")

    check = Check("energies are zero", fails, meaning="They are not.", look="Up.")
    broken = run(check, make_subject())
    assert (broken.meaning, broken.look) == ("They are not.", "Up.")
    assert broken.message == "energy: differ by 1.0e+00 eV, the largest is 1.0e+00"
    with pytest.raises(CheckFailed) as caught:
        show(broken)
    assert str(caught.value).splitlines()[1:] == ["It means: They are not.", "Where to look: Up."]
    sound = run(Check("so what", lambda subject: None, meaning="No.", look="No."), make_subject())
    assert (sound.meaning, sound.look, sound.measured) == ("", "", "")


def test_the_worst_of_all_structures_is_reported(make_subject, tiny) -> None:
    class Declared(tiny):
        __conformance_exceptions__ = {"energies are zero": "it is young"}

    def measures(subject: Subject) -> Iterator[Measured | Note]:
        for size in (1.0, 3.0, 2.0):
            yield compared("energy", torch.full([1], size), torch.zeros(1), 0.1, size=10.0)
        yield Note("and slowly")

    outcome = run(Check("energies are zero", measures), make_subject(Declared))
    assert (outcome.status, outcome.message) == ("declared", "it is young")
    assert outcome.measured == "energy: 3.0e+00 (relative 3.0e-01); and slowly"
    with pytest.raises(pytest.skip.Exception, match=r"it is young \(energy: 3"):
        show(outcome)


def test_what_a_check_holds_is_let_go_when_it_fails(make_subject) -> None:
    seen = []

    def fails(subject: Subject) -> Iterator[Measured]:
        try:
            yield compared("energy", torch.ones(1), torch.zeros(1), 0.1)
        finally:
            seen.append("closed")

    outcome = run(Check("a file is closed", fails), make_subject())
    assert (outcome.status, seen) == ("failed", ["closed"])


def test_a_comparison_fails_for_nan_and_for_other_shapes() -> None:
    one = torch.ones(2)
    assert compared("x", one, one, 0.0).good
    lost = compared("x", one * torch.nan, one, 1.0)
    assert not lost.good
    assert str(lost).startswith("x: differ by nan")
    with pytest.raises(CheckFailed, match=r"x: \[2\] numbers, not \[1\]"):
        compared("x", one, one[:1], 1.0)
    other = compared("x", one, 2 * one, 0.1, unit="eV", where="water")
    assert not other.good
    assert str(other) == "x in water: differ by 1.0e+00 eV, the largest is 2.0e+00"


def test_a_folder_that_is_not_an_architecture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchitectureError, match="is not an architecture folder"):
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
