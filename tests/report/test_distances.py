"""Distances to the training set in the features of the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
import torch

from mtt import load_model
from mtt.data import Dataset, merge
from mtt.mlip.trainable.features import features_of, last_weights
from mtt.report.collect import Limits, Sample, sample
from mtt.report.distances import TOO_LONG, _features, distances


@pytest.fixture(scope="module")
def model(trained: Path) -> Any:
    return load_model(trained / "model.ckpt")


@pytest.fixture(scope="module")
def training(ethanol: Path) -> Dataset:
    return Dataset.from_atoms(ase.io.read(ethanol, ":10"), {})


@pytest.fixture(scope="module")
def found(model: Any, training: Dataset, ethanol: Path) -> Sample:
    """Ten structures that were trained on, and ten far ones."""
    frames = ase.io.read(ethanol, ":10")
    for atoms in frames[1:]:
        atoms.positions *= 1.3
    parts = {"test": [Dataset.from_atoms(frames, {})], "training": [training]}
    return sample(model, parts, Limits())


def test_a_structure_of_the_training_set_has_distance_0_and_a_stretched_one_is_far(
    model: Any, training: Dataset, found: Sample
) -> None:
    facts, values = distances(model, found, [training], 60.0)
    assert (facts["target"], facts["reference"], facts["whole"]) == ("energy", 10, 10)
    test = np.array([found.parts[part] == "test" for part in found.part])
    assert np.isnan(values[~test]).all()
    frames = [found.source[i] for i in np.flatnonzero(test)]
    order = values[test][np.argsort(frames)]
    assert order[0] == pytest.approx(0.0, abs=1e-6)
    assert order[1:].min() > 2 * facts["usual"] > 0


def test_a_distance_is_the_root_mean_square_of_scaled_differences(
    model: Any, training: Dataset, found: Sample
) -> None:
    _, values = distances(model, found, [training], 60.0)
    weights = last_weights(model, "energy")
    held = [i for i, part in enumerate(found.part) if found.parts[part] == "test"]
    both = merge([training, found.members[held[0]][0]])
    rows = torch.stack(
        [row for some in _features(model, "energy", weights, both, "cpu") for row in some]
    ).numpy()
    rows = rows[:, rows.std(axis=0) > 0] / rows[:, rows.std(axis=0) > 0].std(axis=0)
    for i in held:
        mine = rows[10 + found.members[i][1]]
        expected = np.sqrt(((mine - rows[:10]) ** 2).mean(axis=1)).min()
        assert values[i] == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_features_of_a_batch_are_those_of_its_structures(model: Any, training: Dataset) -> None:
    weights = last_weights(model, "energy")
    (whole,) = _features(model, "energy", weights, training, "cpu")
    for i in (0, 7):
        ((alone,),) = _features(model, "energy", weights, training.select([i]), "cpu")
        torch.testing.assert_close(whole[i], alone)
    assert features_of.__module__ == "mtt.mlip.trainable.features"


def test_why_there_are_no_distances_is_said(
    model: Any, training: Dataset, found: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts, values = distances(model, found, [training], 0.0)
    assert facts == {"problem": TOO_LONG}
    assert np.isnan(values).all()
    few = sample(model, {"test": [training.select(range(9))], "training": [training]}, Limits())
    facts, _ = distances(model, few, [training], 60.0)
    assert "only 9 of the predicted structures were not trained on" in facts["problem"]
    alone = sample(model, {"training": [training]}, Limits())
    facts, _ = distances(model, alone, [training], 60.0)
    assert facts["problem"] == "There are no structures that were not trained on."
    monkeypatch.setattr(model, "head_modules", dict)
    facts, _ = distances(model, found, [training], 60.0)
    assert facts["problem"].endswith("the architecture does not say what its last layer is.")
