"""The whole engine on a small real model."""

import csv
import json
import logging

import pytest
import torch

from mtt.checkpoint import read
from mtt.data import Dataset
from mtt.errors import ConfigError, TrainingError

MEASURED = ("train", "validation", "system", "epoch")
"""Events of every epoch, in their order."""


def test_a_training_learns_and_leaves_its_files(history, make_model, make_trainer, train, tmp_path):
    seen = []
    trainer = make_trainer(tmp_path, [lambda *event: seen.append(event)], num_epochs=20)
    train(trainer, make_model())
    records = history(tmp_path / "history.jsonl")
    assert [record["epoch"] for record in records] == list(range(1, 21))
    assert records[-1]["validation forces RMSE"] < 0.5 * records[0]["validation forces RMSE"]
    with open(tmp_path / "train.csv", encoding="utf-8", newline="") as file:
        names, units, *rows = csv.reader(file)
    assert len(rows) == 20
    assert dict(zip(names, units, strict=True))["training forces RMSE"] == "meV/Å"
    kept = {path.name for path in (tmp_path / "checkpoints").iterdir()}
    assert {"last.ckpt", "best.ckpt", "epoch_2.ckpt", "epoch_18.ckpt"} <= kept
    categories = [category for category, _, _ in seen]
    assert categories[0] == "run_start" and categories[-1] == "end"
    assert categories.count("epoch") == 20
    assert categories.count("progress") == 20 * 6
    assert [e for c, v, e in seen if c == "progress" and v["batch"] == v["n_batches"]] == list(
        range(1, 21)
    )


def test_the_order_of_events_is_best_epoch_checkpoint(make_model, make_trainer, train):
    seen = []
    train(make_trainer(listeners=[lambda c, v, e: seen.append((c, e))]), make_model())
    shown = [event for event in seen if event[0] not in ("progress", "checkpoint", "best")]
    epochs = [(kind, i) for i in range(1, 5) for kind in MEASURED]
    assert shown == [("run_start", 0), *epochs, ("end", 4)]
    for kind in ("best", "checkpoint"):
        assert seen.index(("validation", 1)) < seen.index((kind, 1)) < seen.index(("epoch", 1))
    saved = seen.index(("checkpoint", 2), seen.index(("epoch", 2)))
    assert seen.index(("epoch", 2)) < saved < seen.index(("progress", 3))


def test_best_is_what_was_validated_and_last_is_what_came_last(
    assert_equal, make_model, make_trainer, train, make_batch, validation, tmp_path
):
    seen = {}

    def listener(category, values, epoch):
        if category == "best":
            seen[epoch] = values["value"]

    # a large constant step makes later epochs worse
    trainer = make_trainer(
        listeners=[listener],
        num_epochs=12,
        learning_rate=0.3,
        warmup_fraction=0.9,
        refit_baseline=False,
    )
    model = train(trainer, make_model())
    checkpoint = read(tmp_path / "checkpoints" / "last.ckpt")
    assert checkpoint["epoch"] == 12
    assert checkpoint["best_epoch"] == max(seen) < 12
    assert checkpoint["best_metric"] == seen[max(seen)]
    assert_equal(checkpoint["model_state_dict"], dict(model.state_dict()))
    assert_equal(checkpoint["best_model_state_dict"], trainer.best)
    on_disk = read(tmp_path / "checkpoints" / "best.ckpt")
    assert on_disk["epoch"] == on_disk["best_epoch"] == max(seen)
    assert_equal(on_disk["model_state_dict"], trainer.best)

    best = type(model).load_checkpoint(checkpoint, "export")
    batch = make_batch(validation, best)
    predicted = best.eval().predict_targets(batch.graph)["energy"]
    scale = best.scales["energy"]
    per_atom = (predicted.values - batch.targets["energy"].values)[:, 0] / batch.n_atoms / scale
    forces = (predicted.forces - batch.targets["energy"].forces) / scale
    loss = per_atom.square().mean() + forces.square().mean()
    assert loss.item() == pytest.approx(checkpoint["best_metric"], rel=1e-12)


def test_validation_of_any_batch_size_gives_the_same_numbers(make_model, make_trainer, train):
    rows = []
    for size in (1, 4, 100):
        trainer = make_trainer(
            listeners=[lambda c, v, e: c == "epoch" and rows.append(v)],
            num_epochs=1,
            batch_size=size,
            log_mae=True,
            learning_rate=1e-300,  # the weights stay what they are
        )
        train(trainer, make_model())
    for row in rows[1:]:
        for name, value in row["metrics"].items():
            if name not in ("seconds", "learning rate", "gradient norm"):
                assert value == pytest.approx(rows[0]["metrics"][name], rel=1e-11), name


def test_parameters_have_one_owner(make_model, make_trainer, train):
    model, trainer = make_model(), make_trainer()
    owned = [id(p) for p in model.parameters()]
    train(trainer, model)
    assert [id(p) for p in model.parameters()] == owned
    groups = trainer._fit.stage.step.optimizer.param_groups
    assert [id(p) for group in groups for p in group["params"]] == owned


@pytest.mark.parametrize("decay", [None, 0.1])
def test_frozen_parameters_never_move(make_model, make_trainer, train, decay):
    model = make_model()
    model.network[0].weight.requires_grad_(False)
    before = model.network[0].weight.clone()
    train(make_trainer(weight_decay=decay), model)
    assert torch.equal(model.network[0].weight, before)


def test_a_checkpoint_that_cannot_be_written_does_not_end_the_training(
    make_model, make_trainer, train, tmp_path, caplog
):
    blocked = tmp_path / "checkpoints"
    blocked.write_text("a file where the folder should be")

    def unblock(category, values, epoch):
        if category == "progress" and epoch == 4:
            blocked.unlink(missing_ok=True)

    with caplog.at_level(logging.ERROR, "mtt"):
        train(make_trainer(listeners=[unblock]), make_model())
    assert "checkpoint not saved, the training continues" in caplog.text
    assert read(blocked / "last.ckpt")["epoch"] == 4


def test_nothing_to_validate_on_is_refused(make_model, make_trainer, dataset, tmp_path):
    cpu = [torch.device("cpu")]
    with pytest.raises(TrainingError, match="no structures in the validation set"):
        make_trainer().train(make_model(), torch.float64, cpu, [dataset], [], str(tmp_path))


def test_what_is_not_available_is_refused_together(make_trainer):
    with pytest.raises(ConfigError) as caught:
        make_trainer(
            distributed=True,
            log_separate_blocks=True,
            finetune={"method": "lora", "config": {"rank": 0, "alhpa": 2}},
        )
    text = str(caught.value)
    assert "training.distributed: not available yet: this name here; give batch_size_per" in text
    assert "log_separate_blocks" in text
    assert "finetune.read_from: there is nothing to fine-tune" in text


def test_a_training_is_a_function_of_its_seed(make_model, make_trainer, train, tmp_path):
    runs = [
        train(make_trainer(seed=seed), make_model(dropout=0.1), checkpoints=tmp_path / str(i))
        for i, seed in enumerate((3, 3, 4))
    ]
    weights = [model.network[0].weight for model in runs]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_batches_by_atoms_train_on_every_structure(make_model, make_trainer, train):
    seen = []
    train(
        make_trainer(
            listeners=[lambda c, v, e: c == "progress" and seen.append(v["n_batches"])],
            max_atoms_per_batch=20,
            num_epochs=2,
        ),
        make_model(),
    )
    assert set(seen) <= {4, 5}


def test_an_unlabelled_part_of_the_data_is_trained_around(
    make_model, make_trainer, train, frames, tmp_path
):
    changed = list(frames[:16])
    for i in (0, 3, 4):
        labels = changed[i].labels["energy"]
        changed[i] = changed[i]._replace(
            labels={"energy": labels._replace(values=labels.values * float("nan"))}
        )
    labels = changed[7].labels["energy"]
    changed[7] = changed[7]._replace(
        labels={"energy": labels._replace(forces=labels.forces * float("nan"))}
    )
    info = make_model().dataset_info
    model = train(make_trainer(batch_size=1), make_model(), Dataset.from_frames(changed, info))
    assert all(torch.isfinite(value).all() for value in model.parameters())
    state = read(tmp_path / "checkpoints" / "last.ckpt")["trainer_state"]
    assert state["step"] == 4 * 16
    rows = json.loads(state["history"])
    assert all(row["training loss"] == row["training loss"] for row in rows)
