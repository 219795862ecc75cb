"""Energies of atoms as the user gives them."""

import pytest
import torch

from mtt.baselines.given import by_number, table_of
from mtt.errors import ConfigError


@pytest.mark.parametrize("given", [-3.5, {1: -3.5, 8: -3.5}, {"H": -3.5, "8": -3.5}])
def test_one_number_or_one_per_element_by_symbol_or_number(given):
    numbers = by_number("energy", given, [1, 8])
    assert numbers == {1: -3.5, 8: -3.5}
    table, rows = table_of("energy", numbers, [1, 8], 1)
    assert (table.tolist(), rows) == ([[-3.5], [-3.5]], [0, 1])


def test_elements_that_are_not_given_are_left_to_be_fitted():
    table, rows = table_of("energy", by_number("energy", {"O": 2, "U": 5}, [1, 6, 8]), [1, 6, 8], 1)
    assert (table.tolist(), rows) == ([[0.0], [0.0], [2.0]], [2])


def test_a_target_of_several_properties_may_have_a_number_for_each():
    numbers = by_number("mtt::x", {"H": [1.0, 2.0], "O": 3.0}, [1, 8])
    table, _ = table_of("mtt::x", numbers, [1, 8], 2)
    torch.testing.assert_close(table, torch.tensor([[1.0, 2.0], [3.0, 3.0]], dtype=torch.float64))
    with pytest.raises(ConfigError, match="2 numbers for an element, but mtt::x has 3 properties"):
        table_of("mtt::x", numbers, [1, 8], 3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"Hx": 1.0}, r"atomic_baseline.energy: 'Hx' is not an element; did you mean 'H'"),
        ({119: 1.0}, "119 is not an element; give one for all elements, or {H: -13.6"),
        ({True: 1.0}, "True is not an element"),
        ({1: 1.0, "H": 1.0}, "the element 'H' is given twice"),
        ({"H": []}, r"\[\] is not a finite number"),
        ({"H": [1.0, "x"]}, r"\[1.0, 'x'\] is not a finite number"),
        ([1.0], r"\[1.0\] is not a finite number"),
    ],
)
def test_what_gives_no_energy_of_an_element_is_refused(given, message):
    with pytest.raises(ConfigError, match=message):
        by_number("energy", given, [1])
