"""best.ckpt holds the best epoch whatever comes later: kills, copies, worse and NaN metrics."""

import math
import os
import shutil

import pytest
import torch

from mtt.checkpoint import newest_valid, read


class Killed(BaseException):
    """The process ends here: nothing may catch it."""


class Spoiler:
    """Spoils what the network says in validation: from epoch 4 on it is worse, then NaN."""

    def __init__(self, kill_in=None):
        self.epoch, self.kill_in = 1, kill_in

    def __call__(self, category, values, epoch):
        if category == "progress":
            self.epoch = epoch
            if epoch == self.kill_in:
                raise Killed

    def __deepcopy__(self, memo):
        return self  # also of the copy of the model that holds its average

    def hook(self, module, inputs, output):
        if module.training or self.epoch <= 3:
            return output
        return 3.0 * output + (5.0 if self.epoch % 2 == 0 else torch.nan)


def spoilt(model, spoiler):
    model.network.register_forward_hook(spoiler.hook)
    return model


@pytest.mark.parametrize("ema", [False, {"decay": 0.5}])
def test_the_best_epoch_survives_a_kill_a_copy_and_worse_and_nan_metrics(
    assert_equal, make_model, make_trainer, train, restart, rows, tmp_path, ema
):
    options = {"num_epochs": 8, "checkpoint_interval": 1, "ema": ema, "refit_baseline": False}
    killed, copied = tmp_path / "killed", tmp_path / "copied"
    spoiler = Spoiler(kill_in=5)
    with pytest.raises(Killed):
        trainer = make_trainer(listeners=[spoiler], **options)
        train(trainer, spoilt(make_model(), spoiler), checkpoints=killed)
    best = read(killed / "best.ckpt")
    assert (best["epoch"], best["best_epoch"]) == (3, 3)

    shutil.copytree(killed, copied)
    names = sorted(copied.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    for age, path in enumerate(names):  # the oldest becomes the youngest
        os.utime(path, (1e9 - age, 1e9 - age))
    newest = newest_valid(copied)
    assert newest == (copied / "last.ckpt", ())
    assert read(newest.path)["epoch"] == 4

    spoiler = Spoiler()
    model, trainer = restart(newest.path, make_trainer(listeners=[spoiler], **options))
    train(trainer, spoilt(model, spoiler), checkpoints=copied)
    last = read(copied / "last.ckpt")
    assert (last["epoch"], last["best_epoch"]) == (8, 3)
    assert_equal(read(copied / "best.ckpt"), best)
    assert_equal(last["best_model_state_dict"], best["best_model_state_dict"])
    assert last["best_metric"] == best["best_metric"]
    exported = type(model).load_checkpoint(last, "export")
    assert_equal(dict(exported.state_dict()), dict(best["best_model_state_dict"]))
    metrics = [row["validation loss"] for row in rows(last)]
    assert [math.isnan(value) for value in metrics] == 4 * [False] + [True, False, True, False]
