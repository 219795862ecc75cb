"""Values under a key, in every spelling."""

from __future__ import annotations

import numpy as np
import pytest

from mtt.data.labels.keys import existing, numbers_in, scalars, suggestion, symmetric, vectors

MATRIX = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 5.0], [3.0, 5.0, 6.0]])
VOIGT = [1.0, 4.0, 6.0, 5.0, 3.0, 2.0]  # xx, yy, zz, yz, xz, xy


@pytest.mark.parametrize(
    "spelling",
    [
        MATRIX,
        MATRIX.ravel().tolist(),
        np.array(VOIGT),
        "1 4 6 5 3 2",
        "1 2 3 2 4 5 3 5 6",
        "_JSON [[1, 2, 3], [2, 4, 5], [3, 5, 6]]",
    ],
)
def test_every_spelling_of_a_symmetric_matrix_gives_the_same(spelling: object) -> None:
    np.testing.assert_array_equal(symmetric(spelling), MATRIX)


def test_rounding_is_symmetrised_and_more_is_refused() -> None:
    rounded = MATRIX + np.array([[0, 0.01, 0], [0, 0, 0], [0, 0, 0]])
    assert symmetric(rounded)[0, 1] == symmetric(rounded)[1, 0] == pytest.approx(2.005)
    with pytest.raises(ValueError, match="not symmetric: components differ by 1"):
        symmetric(MATRIX + np.array([[0, 1, 0], [0, 0, 0], [0, 0, 0]]))


def test_one_missing_component_makes_a_matrix_missing_and_a_vector_of_one_atom() -> None:
    assert np.isnan(symmetric([1.0, 1.0, np.nan, 0.0, 0.0, 0.0])).all()
    forces = np.ones((3, 3))
    forces[1, 2] = np.nan
    np.testing.assert_array_equal(np.isnan(vectors(forces, 3)).all(axis=1), [False, True, False])
    assert np.isnan(forces).sum() == 1  # what was read stays as it is


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("abc", "not a number: 'abc'"),
        (True, "not a number: 'True'"),
        ("1.0D-01", "not a number: '1.0D-01' .write the exponent with E."),
        ("None", "write nan where there is no label"),
        ({"a": 1}, "not a number"),
        ("-1.5 2.0", "2 values where 1 is expected"),
        ("inf", "infinite"),
        (np.ones((2, 2)), r"shape \[2, 2\] where 1 is expected"),
    ],
)
def test_a_value_that_is_not_a_scalar_is_reported(value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        scalars(value, 1, 1)


def test_scalars_have_one_row_per_sample() -> None:
    assert scalars("1 2 3", 1, 3).tolist() == [[1.0, 2.0, 3.0]]
    assert scalars(np.array([1, 2]), 2, 1).tolist() == [[1.0], [2.0]]
    assert scalars(np.array([True, False]), 2, 1).tolist() == [[1.0], [0.0]]
    assert np.isnan(scalars("nan", 1, 1)).all()
    with pytest.raises(
        ValueError, match=r"3 values where 2 is expected \(2 atoms, num_subtargets 1\)"
    ):
        scalars(np.ones(3), 2, 1)


def test_vectors_and_matrices_of_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \[2\] where \[2, 3\] is expected"):
        vectors(np.ones(2), 2)
    with pytest.raises(ValueError, match=r"infinite \(atom 1\)"):
        vectors(np.array([[0.0] * 3, [np.inf, 0.0, 0.0]]), 2)
    with pytest.raises(ValueError, match=r"shape \[5\] where \[3, 3\], \[9\] or \[6\]"):
        symmetric(np.ones(5))


def test_json_and_lists_of_words_are_numbers() -> None:
    assert numbers_in("_JSON [1.5, 2]").tolist() == [1.5, 2.0]
    assert numbers_in(["1.5", "2"]).tolist() == [1.5, 2.0]
    with pytest.raises(ValueError, match="not a number"):
        numbers_in("_JSON {")


def test_messages_about_keys_name_what_exists() -> None:
    assert existing([], "per atom") == "keys per atom: none"
    assert existing(map(str, range(20)), "per atom").endswith("and 8 more")
    assert suggestion("forces", {"force": 1}, {}, per_atom=True) == "did you mean 'force'?"
    assert "exists per structure" in suggestion("q", {}, {"q": 1}, per_atom=True)
