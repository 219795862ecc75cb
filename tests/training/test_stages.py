"""Trainings of several stages: fresh optimizers, one best, one count of epochs."""

import logging
from dataclasses import replace

import pytest
import torch

from mtt.training import TrainingInterrupted

FIRST = {"name": "first", "num_epochs": 2, "optimizer": "adabelief"}
SECOND = {"name": "second", "num_epochs": 3, "optimizer": "yogi", "learning_rate": 0.002}


def copied(model):
    return {name: value.detach().clone() for name, value in model.named_parameters()}


def first_weights(model):
    """Fills with the weights at the first training forward of every epoch of 6 batches."""
    found, count = [], iter(range(1000))

    def look(module, inputs):
        if module.training and next(count) % 6 == 0:
            found.append(copied(model))

    model.network.register_forward_pre_hook(look)
    return found


@pytest.mark.parametrize("source", ["last", "best"])
@pytest.mark.parametrize("ema", [False, True])
def test_a_stage_begins_with_exactly_the_declared_weights(
    make_model, make_trainer, train, listen, source, ema
):
    """The best are those that were validated: the averages, with ema."""
    model, after, bests = make_model(), {}, {}
    trainer = make_trainer(
        ema=ema,
        stages=[
            {"num_epochs": 1},
            {"num_epochs": 1, "learning_rate": 3.0},  # ruins what there was
            {"num_epochs": 1, "from": source},
        ],
    )

    def listener(category, values, epoch):
        if category == "epoch":
            after[epoch] = copied(model)
        if category == "best":
            bests[epoch] = {n: trainer.best[n].clone() for n, _ in model.named_parameters()}

    started = first_weights(model)
    train(listen(trainer, listener), model)
    expected = after[2] if source == "last" else bests[max(e for e in bests if e <= 2)]
    assert len(started) == 3
    assert all(torch.equal(started[2][name], value) for name, value in expected.items())
    if source == "best":
        assert any(not torch.equal(expected[name], after[2][name]) for name in expected)


def test_the_gradient_of_a_stages_first_step_is_that_at_the_declared_weights(
    make_model, make_trainer, train, listen, make_batch, dataset, make_step
):
    model, seen = make_model(), {}
    trainer = make_trainer(
        batch_size=16,
        learning_rate=0.05,
        stages=[{"num_epochs": 3}, {"num_epochs": 1, "from": "best", "optimizer": "sgd"}],
    )

    def listener(category, values, epoch):
        if category == "progress" and epoch == 4:
            seen["gradient"] = {n: p.grad.clone() for n, p in model.named_parameters()}
            seen["best"] = dict(trainer.best)

    train(listen(trainer, listener), model)
    step, _ = make_step(optimizer=torch.optim.SGD)
    step.model.load_state_dict(seen["best"])
    loss = trainer._fit.stage.loss
    step(loss, [make_batch(dataset, step.model)], 0.0)
    size = torch.cat([p.grad.flatten() for p in step.model.parameters()]).norm().item()
    factor = min(1.0, 1.0 / size)  # of clipping
    for name, p in step.model.named_parameters():
        torch.testing.assert_close(seen["gradient"][name], factor * p.grad, rtol=1e-5, atol=1e-9)


def test_a_stage_has_a_fresh_optimizer_and_schedule_and_the_epochs_continue(
    make_model, make_trainer, train, listen, last, rows
):
    """AdaBelief, then Yogi."""
    types, rates, starts = [], [], []
    trainer = make_trainer(stages=[FIRST, SECOND], scheduler={"name": "linear", "warmup_steps": 0})

    def listener(category, values, epoch):
        if category == "run_start":
            starts.append(values["num_epochs"])
        if category == "progress":
            optimizer = trainer._fit.stage.step.optimizer
            types.append(type(optimizer).__name__)
            rates.append(optimizer.param_groups[0]["lr"])

    train(listen(trainer, listener), make_model())
    assert starts == [5]
    assert types == ["AdaBelief"] * 12 + ["Yogi"] * 18
    falling = [
        *(0.01 * (1 - k / 12) for k in range(12)),
        *(0.002 * (1 - k / 18) for k in range(18)),
    ]
    assert rates == pytest.approx(falling, rel=1e-12)
    checkpoint = last()
    state = checkpoint["trainer_state"]
    assert (checkpoint["epoch"], state["step"], state["stage"], state["stage_start"]) == (
        5,
        30,
        1,
        2,
    )
    found = rows(checkpoint)
    assert [row["epoch"] for row in found] == [1, 2, 3, 4, 5]
    assert [row["stage"] for row in found] == [1, 1, 2, 2, 2]
    (group,) = {g["optimizer"] for g in state["parts"]["optimizer"]["param_groups"]}
    assert group == "yogi"


def test_a_second_stage_of_the_same_optimizer_has_no_moments_of_the_first(
    make_model, make_trainer, train, last
):
    train(make_trainer(stages=[{"num_epochs": 3}, {"num_epochs": 1}]), make_model())
    moments = last()["trainer_state"]["parts"]["optimizer"]["state"]
    assert {float(one["step"]) for one in moments.values()} == {6.0}


def test_best_is_one_record_of_all_stages(make_model, make_trainer, train, listen, last, rows):
    """A second stage that ruins everything changes neither value nor weights of the best."""
    bests = {}
    trainer = make_trainer(
        stages=[
            {"num_epochs": 3},
            {"num_epochs": 2, "learning_rate": 10.0, "optimizer": "sgd", "grad_clip_norm": None},
        ],
        refit_baseline=False,
    )

    def listener(category, values, epoch):
        if category == "best":
            bests[epoch] = values["value"], {k: v.clone() for k, v in trainer.best.items()}

    train(listen(trainer, listener), make_model())
    checkpoint = last()
    assert checkpoint["epoch"] == 5
    assert checkpoint["best_epoch"] == max(bests) <= 3
    value, weights = bests[max(bests)]
    assert checkpoint["best_metric"] == value
    assert all(torch.equal(weights[k], v) for k, v in checkpoint["best_model_state_dict"].items())
    found = rows(checkpoint)
    assert found[-1]["validation loss"] > 10 * found[2]["validation loss"]
    assert last("best")["epoch"] == max(bests)


def test_a_later_stage_replaces_the_best_where_it_is_better(make_model, make_trainer, train, last):
    train(make_trainer(stages=[{"num_epochs": 1}, {"num_epochs": 3}]), make_model())
    assert last()["best_epoch"] > 1


def test_stages_of_other_losses_are_judged_by_the_last_one(
    make_model, make_trainer, train, last, rows
):
    """So that their epochs can be compared: the best is one record."""

    def loss(energy, forces):
        return {"energy": {"weight": energy, "gradients": {"positions": {"weight": forces}}}}

    stages = [{"num_epochs": 2, "loss": loss(0.0, 1.0)}, {"num_epochs": 2, "loss": loss(3.0, 1.0)}]
    trainer = make_trainer(stages=stages, learning_rate=1e-300, optimizer="sgd")
    train(trainer, make_model())
    found = rows(last())
    # the weights never move
    assert len({row["validation loss"] for row in found}) == 1
    assert [row["weight energy"] for row in found] == [0.0, 0.0, 3.0, 3.0]
    assert [row["weight energy forces"] for row in found] == [1.0] * 4
    assert found[0]["training loss"] < found[2]["training loss"]


@pytest.mark.parametrize("ema", [False, True])
def test_parameters_stay_the_same_objects_through_prefit_stages_and_a_restart(
    make_model, make_trainer, train, listen, restart, terminate, tmp_path, ema
):
    def watched(trainer, model):
        owned, seen = [id(p) for p in model.parameters()], []

        def listener(category, values, epoch):
            if category in ("run_start", "progress", "epoch"):
                fit = trainer._fit
                groups = fit.stage.step.optimizer.param_groups
                held = [id(p) for group in groups for p in group["params"]]
                live = [id(p) for p in fit.model.parameters()]
                seen.append(live == owned and sorted(held) == sorted(owned))

        return listener, seen

    options = {
        "ema": ema,
        "prefit": {"parameters": ["network.3.*"], "max_steps": 3},
        "stages": [{"num_epochs": 1}, {"num_epochs": 2, "from": "best", "optimizer": "yogi"}],
    }
    trainer, model = make_trainer(**options), make_model()
    listener, seen = watched(trainer, model)
    with pytest.raises(TrainingInterrupted, match="stopped by SIGTERM"):
        train(listen(trainer, listener, terminate(2, 3)), model)
    fresh = make_trainer(**options)
    model, resumed = restart(tmp_path / "checkpoints" / "last.ckpt", fresh)
    listener, more = watched(resumed, model)
    train(listen(resumed, listener), model)
    assert all(seen) and all(more)
    assert (len(seen), len(more)) == (1 + 6 + 1 + 3, 1 + 3 + 1 + 6 + 1)


def test_without_stages_or_changing_weights_the_history_has_no_such_columns(
    make_model, make_trainer, train, last, rows
):
    train(make_trainer(num_epochs=1), make_model())
    (row,) = rows(last())
    assert "stage" not in row
    assert not [name for name in row if name.startswith("weight")]


def test_stages_of_one_loss_have_no_columns_of_weights(make_model, make_trainer, train, last, rows):
    train(make_trainer(stages=[{"num_epochs": 1}, {"num_epochs": 1}]), make_model())
    found = rows(last())
    assert [row["stage"] for row in found] == [1, 2]
    assert not [name for name in found[0] if name.startswith("weight")]


def test_early_stopping_ends_its_own_stage_alone(
    make_model, make_trainer, train, last, caplog, rows
):
    trainer = make_trainer(
        optimizer="sgd",
        stages=[
            # nothing ever gets better
            {
                "name": "flat",
                "num_epochs": 9,
                "learning_rate": 1e-300,
                "early_stopping": {"patience": 2},
            },
            {"name": "rest", "num_epochs": 2},
        ],
    )
    with caplog.at_level(logging.INFO, "mtt"):
        train(trainer, make_model())
    checkpoint = last()
    assert [row["stage"] for row in rows(checkpoint)] == [1, 1, 1, 2, 2]
    assert "flat ends early after epoch 3: no progress in 2 epochs" in caplog.text
    assert checkpoint["trainer_state"]["stage_start"] == 3


def test_the_provenance_contains_prefit_and_stages(make_model, make_trainer, train, last, restart):
    options = {
        "prefit": {"parameters": ["network.3.bias"], "max_steps": 4},
        "stages": [{"name": "one", "num_epochs": 1}, {"num_epochs": 1, "from": "best"}],
    }
    trainer = make_trainer(**options)
    trainer.run = replace(trainer.run, provenance={"kind": "scratch"})
    train(trainer, make_model())
    told = last()["provenance"]
    assert told["kind"] == "scratch"
    assert told["prefit"]["parameters"] == ["network.3.bias"]
    assert told["stages"] == [
        {"name": "one", "from": "last", "epoch": 0},
        {"name": "stage_2", "from": "best", "epoch": 1},
    ]
    assert last("best")["provenance"]["stages"][0] == told["stages"][0]
