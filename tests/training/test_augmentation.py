"""Training with turned structures: what it teaches, what it leaves alone, and going on."""

import logging

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from mtt.checkpoint import read
from mtt.data import Dataset
from mtt.interface import Run
from mtt.options.schema.validate import validate
from mtt.training import TrainingInterrupted, default_hypers, training_schema
from mtt.training.datasets import TrainingData
from mtt.training.setup import TrainingSetup

RESUMED = {"num_epochs": 2, "batch_size": 4, "augmentation": "o3"}


def test_what_is_none_of_them_is_refused_with_the_nearest():
    stages = [{"num_epochs": 1, "augmentation": "s03"}]
    options = {**default_hypers(), "augmentation": "oh3", "stages": stages}
    found = {fault.path: (fault.what, fault.hint) for fault in validate(options, training_schema())}
    expected = "expected one of 'none', 'so3', 'o3', got the text "
    assert found == {
        ("augmentation",): (expected + "'oh3'", "did you mean 'o3'?"),
        ("stages", 0, "augmentation"): (expected + "'s03'", "did you mean 'so3'?"),
    }


@pytest.fixture
def turned(frames, dataset):
    """The structures from 16 on, each turned, and inverted if asked, in ``n`` ways."""

    def make(n, inverted=False):
        found = []
        for frame in frames[16:]:
            for rotation in Rotation.random(n, random_state=len(found)).as_matrix():
                q = -rotation if inverted else rotation
                found.append(frame._replace(positions=frame.positions @ q.T))
        return Dataset.from_frames(found, dataset.info)

    return make


def energies(model, make_batch, dataset, n):
    """[structures, n] predicted energies of the turned structures."""
    batch = make_batch(dataset, model.eval())
    return model.predict_targets(batch.graph, create_graph=False)["energy"].values.reshape(-1, n)


def test_a_model_without_symmetry_learns_it(make_model, make_trainer, train, make_batch, turned):
    """Its energies of turned and of inverted structures differ less than without augmentation."""
    errors = []
    for kind in ("none", "o3"):
        trainer = make_trainer(num_epochs=12, batch_size=4, augmentation=kind)
        model = train(trainer, make_model(oriented=True))
        plain, inverted = (energies(model, make_batch, turned(8, flip), 8) for flip in (0, 1))
        parity = (plain.mean(1) - inverted.mean(1)).abs()
        errors.append([plain.std(1).mean(), inverted.std(1).mean(), parity.mean()])
    without, augmented = torch.tensor(errors)
    assert (augmented < without / 2).all()


def test_an_invariant_model_learns_the_same(make_model, make_trainer, train, last, rows):
    """Losses and errors of the training are those of turned predictions and turned labels."""
    found = []
    for kind in ("none", "o3"):
        train(make_trainer(augmentation=kind), make_model())
        found.append(rows(last()))
    for one, two in zip(*found, strict=True):
        assert one == pytest.approx(two, rel=1e-8)
    assert found[0] != found[1]  # the last digits


def test_validation_and_pre_fit_see_what_was_given(
    make_model, make_trainer, dataset, validation, assert_equal
):
    model = make_model().to(torch.float64)
    data = TrainingData(model, [dataset], [validation])
    for kind in ("o3", "none"):
        given = make_trainer(augmentation=kind).options
        parts = TrainingSetup(given, Run(seed=5), model, data)
        loaders = [loader for _, loader in parts.make_validation().sets]
        loaders.append(parts.loader(given, data.training, shuffle=False))
        assert {loader.augmentation for loader in loaders} == {"none"}
        assert parts.make_stage(parts.plans[0]).training.augmentation == kind


def test_every_stage_has_its_own(make_model, make_trainer, dataset, validation):
    stages = [{"num_epochs": 1}, {"num_epochs": 1, "augmentation": "none"}]
    options = make_trainer(stages=stages, augmentation="so3").options
    model = make_model().to(torch.float64)
    data = TrainingData(model, [dataset], [validation])
    parts = TrainingSetup(options, Run(seed=5), model, data)
    kinds = [parts.make_stage(plan).training.augmentation for plan in parts.plans]
    assert kinds == ["so3", "none"]
    first, second = (parts.make_stage(parts.plans[0]).training.epoch(i) for i in (0, 1))
    assert not np.isin(next(first).graph.vectors, next(second).graph.vectors).any()


def test_a_run_stopped_within_an_epoch_sees_the_turns_of_one_that_is_not(
    assert_equal, make_model, make_trainer, train, restart, terminate, tmp_path
):
    folder = tmp_path / "stopped"
    train(make_trainer(**RESUMED), make_model(oriented=True))
    with pytest.raises(TrainingInterrupted):
        stopped = make_trainer(listeners=[terminate(2, 2)], **RESUMED)
        train(stopped, make_model(oriented=True), checkpoints=folder)
    model, resumed = restart(folder / "last.ckpt", make_trainer(**RESUMED))
    train(resumed, model, checkpoints=folder)
    straight = read(tmp_path / "checkpoints" / "last.ckpt")
    assert_equal(read(folder / "last.ckpt"), straight)
    # the control: without augmentation, or of another seed, the weights are others
    for others in ({"augmentation": "none"}, {"augmentation": "so3"}, {"seed": 6}):
        model = train(make_trainer(**{**RESUMED, **others}), make_model(oriented=True))
        weights = model.state_dict()["network.0.weight"]
        assert not torch.allclose(weights, straight["model_state_dict"]["network.0.weight"])


def test_a_stopped_epoch_restarts_when_its_structures_turn_in_another_way(
    make_model, make_trainer, train, restart, terminate, tmp_path, caplog
):
    with pytest.raises(TrainingInterrupted):
        train(make_trainer(listeners=[terminate(2, 2)], **RESUMED), make_model())
    other = make_trainer(**{**RESUMED, "augmentation": "none"})
    model, trainer = restart(tmp_path / "checkpoints" / "last.ckpt", other)
    with caplog.at_level(logging.WARNING, "mtt"):
        train(trainer, model)
    assert "have changed since the stop in epoch 2; it is repeated from its start" in caplog.text
