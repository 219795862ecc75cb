"""Weights of the loss that change by epoch, in a training."""

import pytest


def loss_with(energy, forces):
    return {"energy": {"weight": energy, "gradients": {"positions": {"weight": forces}}}}


def test_weights_of_the_loss_take_effect_in_their_epoch(
    make_model, make_trainer, train, last, rows
):
    """Seen in the gradient, while the weights of the model stay what they are."""
    scripted = {0: 1.0, 2: 5.0, 4: 1.0}
    train(
        make_trainer(
            num_epochs=5,
            batch_size=16,
            learning_rate=1e-300,
            optimizer="sgd",
            loss=loss_with(scripted, 0.0),
        ),
        make_model(),
    )
    found = rows(last())
    assert [row["weight energy"] for row in found] == [1.0, 1.0, 5.0, 5.0, 1.0]
    assert [row["weight energy forces"] for row in found] == [0.0] * 5
    for name in ("gradient norm", "training loss"):
        ratios = [row[name] / found[0][name] for row in found]
        assert ratios == pytest.approx([1.0, 1.0, 5.0, 5.0, 1.0], rel=1e-12)
    # epochs are compared by the weights after the last change
    assert len({row["validation loss"] for row in found}) == 1


def test_epochs_of_other_weights_are_compared_by_the_last_ones(
    make_model, make_trainer, train, last, rows
):
    scripted = {0: 0.5, 1: 2.0, "interpolation": "linear"}
    train(make_trainer(num_epochs=2, loss=loss_with(scripted, {0: 3.0, 1: 1.0})), make_model())
    checkpoint = last()
    for row in rows(checkpoint):
        per_atom = row["validation energy RMSE"] / 1000
        forces = row["validation forces RMSE"] / 1000
        scale = checkpoint["model_state_dict"]["scale.values"].item()
        expected = 2.0 * (per_atom / scale) ** 2 + 1.0 * (forces / scale) ** 2
        assert row["validation loss"] == pytest.approx(expected, rel=1e-9)


def test_weights_by_epoch_are_those_of_the_stage(make_model, make_trainer, train, last, rows):
    """They begin anew with it."""
    stages = [{"num_epochs": 2}, {"num_epochs": 2}]
    train(make_trainer(stages=stages, loss=loss_with({0: 1.0, 1: 7.0}, 1.0)), make_model())
    assert [row["weight energy"] for row in rows(last())] == [1.0, 7.0, 1.0, 7.0]
