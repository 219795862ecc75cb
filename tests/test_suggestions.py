"""A mistyped name is answered with the one that was meant."""

import pytest

from mtt.errors import did_you_mean


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("cutof", ["width", "cutoff"], "cutoff"),
        ("O3", ["none", "so3", "o3"], "o3"),
        ("EPOCHS", ["num_epochs", "batch_size"], "num_epochs"),
        ("Fe", ["FE", "Fes"], "Fes"),
        (13, [1, 31, 130], "130"),
    ],
)
def test_the_nearest_name_is_meant(name, known, meant):
    assert did_you_mean(name, known) == f"did you mean {meant!r}?"


def test_a_name_like_no_other_has_no_suggestion():
    assert did_you_mean("xyz", ["cutoff", "width"]) == ""
    assert did_you_mean("cutoff", []) == ""
