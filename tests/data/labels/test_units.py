"""Names of units."""

from __future__ import annotations

import pytest
from metatomic.torch import unit_conversion_factor

from mtt.data.findings import Findings
from mtt.data.labels.units import (
    ENERGIES,
    LENGTHS,
    check_units,
    declared,
    force_unit,
    shown,
    stress_unit,
)
from mtt.errors import DataError
from mtt.options import TargetOptions


def check(length: str, unit: str, quantity: str = "energy") -> None:
    findings = Findings()
    check_units(length, {"x": TargetOptions(quantity, "", None, "x", unit)}, findings)
    findings.raise_if_any()


def test_the_units_that_messages_name_are_known_to_metatomic() -> None:
    for unit, other in [*[(u, "angstrom") for u in LENGTHS], *[(u, "eV") for u in ENERGIES]]:
        assert unit_conversion_factor(unit, other) > 0
        check(*((unit, "eV") if other == "angstrom" else ("angstrom", unit)))


@pytest.mark.parametrize("unit", ["D", "e", "e·Å", "e*A", "Bohr^3", "ppm", "debeye", "kJ/mol/K"])
def test_units_of_other_quantities_are_free_text(unit: str) -> None:
    check("angstrom", unit, quantity="")
    check("angstrom", unit, quantity="dipole")
    assert declared(unit) == {"e·Å": "e*angstrom", "ppm": "", "debeye": ""}.get(unit, unit)


def test_units_may_be_left_out_and_case_does_not_matter() -> None:
    check("", "")
    check("Angstrom", "EV")


def test_a_unit_of_another_dimension_is_refused() -> None:
    with pytest.raises(DataError, match="length_unit: unknown unit 'eV'"):
        check("eV", "eV")
    with pytest.raises(DataError, match="unit: unknown unit 'angstrom'"):
        check("angstrom", "angstrom")
    with pytest.raises(DataError, match="unknown unit 'Hartre'; did you mean 'Hartree'"):
        check("angstrom", "Hartre")


def test_units_of_derivatives_and_the_ones_that_are_shown() -> None:
    assert force_unit("eV", "angstrom") == "eV/Å"
    assert stress_unit("eV", "Angstrom") == "eV/Å³"
    assert stress_unit("Hartree", "bohr") == "Hartree/a₀³"
    assert force_unit("kcal/mol", "m") == "kcal/mol/m"
    assert force_unit("", "angstrom") == stress_unit("eV", "") == ""
    assert shown("eV/Å") == ("meV/Å", 1e3)
    assert shown("eV") == ("meV", 1e3)
    assert shown("Hartree") == ("Hartree", 1.0)
