"""The same structure twice, in one set, across sets, and with other labels."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import ase
import numpy as np
import pytest

Frames = list[ase.Atoms]
Found = Callable[..., list[Any]]
Relabel = Callable[..., None]
Keep = Callable[[ase.Atoms], None]
FramesOf = Callable[[Any], dict[str, list[int]]]


@pytest.fixture
def hidden(keep_labels: Keep) -> Callable[[ase.Atoms], ase.Atoms]:
    """A copy that looks different: shifted, across the borders of its cell, atoms exchanged."""

    def hidden(atoms: ase.Atoms) -> ase.Atoms:
        done = copy.deepcopy(atoms)
        order = np.arange(len(done))
        (alike,) = np.nonzero(done.numbers == 29)
        order[alike] = alike[::-1]
        forces = done.calc.results["forces"][order]
        done = done[order]
        done.calc = copy.deepcopy(atoms.calc)
        done.calc.results["forces"] = forces
        done.positions += [1.1, -2.3, 0.4]
        if done.pbc.any():
            done.wrap()
        keep_labels(done)
        return done

    return hidden


@pytest.mark.parametrize("kind", ["cluster", "crystal"])
def test_structures_of_training_in_other_sets_are_wrong_however_they_are_written(
    kind: str,
    request: pytest.FixtureRequest,
    found: Found,
    hidden: Callable[[ase.Atoms], ase.Atoms],
    frames_of: FramesOf,
) -> None:
    frames: Frames = request.getfixturevalue(kind)
    held_out = [*frames[20:25], hidden(frames[3]), hidden(frames[17])]
    parts = {"training": [frames[:20]], "validation": [held_out]}
    (one,) = found(parts, "leaks between sets")
    assert one.severity == "wrong"
    assert one.what == "2 structures of validation occur in training too"
    assert frames_of(one) == {"validation": [5, 6], "training": [3, 17]}
    assert one.number == pytest.approx(100 * 2 / 7)


def test_test_structures_that_chose_the_best_epoch_are_suspicious(
    cluster: Frames, found: Found
) -> None:
    parts = {
        "training": [cluster[:10]],
        "validation": [cluster[10:20]],
        "test": [[*cluster[20:24], cluster[12]]],
    }
    (one,) = found(parts, "leaks between sets")
    assert (one.severity, one.what) == (
        "suspicious",
        "1 structure of test occurs in validation too",
    )


def test_copies_inside_of_a_set_are_suspicious(
    cluster: Frames, found: Found, frames_of: FramesOf
) -> None:
    frames = [*cluster[:10], cluster[4], cluster[4], cluster[7]]
    (one,) = found(frames, "duplicates")
    assert one.severity == "suspicious"
    assert one.what == "3 structures of training occur earlier in it"
    assert frames_of(one) == {"training": [10, 11, 12]}


@pytest.mark.parametrize(
    ("label", "change"),
    [("energy", lambda energy: energy + 0.1), ("forces", lambda forces: forces + 0.2)],
)
def test_one_structure_with_two_labels_is_wrong(
    cluster: Frames,
    found: Found,
    relabel: Relabel,
    frames_of: FramesOf,
    label: str,
    change: Callable[[Any], Any],
) -> None:
    again = copy.deepcopy(cluster[4])
    relabel(again, **{label: change})
    found_here = found([*cluster[:10], again], "duplicates")
    (one,) = [finding for finding in found_here if finding.severity == "wrong"]
    assert "of the same structure differs" in one.what or "on the same structure differ" in one.what
    assert frames_of(one) == {"training": [4, 10]}


def test_similar_structures_and_other_images_of_a_molecule_are_not_copies(
    cluster: Frames, found: Found, keep_labels: Keep
) -> None:
    moved, mirrored = copy.deepcopy(cluster[0]), copy.deepcopy(cluster[1])
    moved.positions[2, 0] += 0.005
    mirrored.positions[:, 0] *= -1
    for atoms in (moved, mirrored):
        keep_labels(atoms)
    assert found([*cluster[:10], moved, mirrored], "duplicates") == []
    parts = {"training": [cluster[:20]], "validation": [cluster[20:]]}
    assert found(parts, "leaks between sets") == []
