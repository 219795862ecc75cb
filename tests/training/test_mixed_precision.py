"""16-bit products in a training: where they act, and the loss scale of float16."""

import logging
import math

import numpy as np
import pytest
import torch

from mtt.checkpoint import read

FLOAT32 = {"dtype": torch.float32}
SCALE = 2.0**26
"""A loss scale at which the gradients of the tests overflow float16."""


def copied(model):
    return {name: value.detach().clone() for name, value in model.named_parameters()}


def set_scale(trainer, scale):
    scaler = trainer._fit.stage.step.scaler
    scaler.load_state_dict({**scaler.state_dict(), "scale": scale})


@pytest.mark.parametrize("amp", ["bf16", "fp16"])
def test_training_in_mixed_precision_learns_about_what_float32_does(
    make_model, make_trainer, train, rows, tmp_path, amp
):
    found = {}
    for name in (None, amp):
        folder = tmp_path / str(name)
        trainer = make_trainer(num_epochs=12, amp=name)
        train(trainer, make_model(), checkpoints=folder, **FLOAT32)
        found[name] = [row["validation loss"] for row in rows(read(folder / "last.ckpt"))]
    assert found[amp] != found[None]
    assert found[amp][-1] < 0.5 * found[amp][0]
    assert found[amp][-1] == pytest.approx(found[None][-1], rel=0.1)


@pytest.mark.parametrize(("amp", "inside"), [("bf16", torch.bfloat16), ("fp16", torch.float16)])
def test_mixed_precision_acts_in_training_steps_and_never_in_the_validation(
    make_model, make_trainer, train, amp, inside
):
    model, seen = make_model(), {True: set(), False: set()}
    model.network[0].register_forward_hook(
        lambda module, inputs, output: seen[module.training].add(output.dtype)
    )
    train(make_trainer(num_epochs=2, amp=amp), model, **FLOAT32)
    assert seen == {True: {inside}, False: {torch.float32}}
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_autocast_ends_where_a_step_raises(make_model, make_trainer, train):
    class Broken(RuntimeError):
        pass

    model = make_model()

    def fail(module, inputs):
        raise Broken

    model.network.register_forward_pre_hook(fail)
    with pytest.raises(Broken):
        train(make_trainer(amp="bf16"), model, **FLOAT32)
    assert not torch.is_autocast_enabled("cpu")


@pytest.mark.parametrize("combination", ["sum", "config"])
def test_an_overflow_of_the_scaled_loss_changes_nothing_but_the_scale(
    make_model, make_trainer, train, listen, caplog, combination
):
    """Weights, moments, average and the schedule stay; the scale is halved; all goes on."""
    model, seen = make_model().float(), []
    trainer = make_trainer(
        num_epochs=3, amp="fp16", ema=True, gradient_combination=combination, grad_clip_norm=0.5
    )

    def listener(category, values, epoch):
        fit = trainer._fit
        if category == "run_start":
            set_scale(trainer, SCALE)
        if category == "progress":
            stage = fit.stage
            seen.append(
                {
                    "weights": copied(fit.model),
                    "step": fit.state.step,
                    "n": stage.average.n,
                    "scale": stage.step.scaler.get_scale(),
                    "position": fit.state.epoch_steps,
                    "moments": len(stage.step.optimizer.state),
                }
            )

    start = copied(model)
    with caplog.at_level(logging.WARNING, "mtt"):
        train(listen(trainer, listener), model, **FLOAT32)
    skipped = [one for one in seen if one["step"] == 0]
    assert 0 < len(skipped) < 18
    assert [one["scale"] for one in skipped] == [SCALE / 2**k for k in range(1, len(skipped) + 1)]
    for one in skipped:
        assert (one["n"], one["position"] % 6, one["moments"]) == (0, 0, 0)
        assert all(torch.equal(one["weights"][name], value) for name, value in start.items())
    taken = seen[len(skipped) :]
    assert [one["step"] for one in taken] == list(range(1, len(taken) + 1))
    assert [one["n"] for one in taken] == list(range(1, len(taken) + 1))
    assert len({one["scale"] for one in taken}) == 1
    assert not torch.equal(taken[-1]["weights"]["network.0.weight"], start["network.0.weight"])
    # looking for the scale is nothing to worry about
    assert not caplog.records


def test_the_gradient_is_unscaled_before_it_is_clipped_and_reported(
    make_model, make_trainer, train, listen, rows, tmp_path
):
    """The norms do not depend on the scale, and are about those of float32."""
    norms = {}
    for amp, scale in ((None, None), ("fp16", 2.0**4), ("fp16", 2.0**10)):
        trainer = make_trainer(
            num_epochs=1, batch_size=16, amp=amp, optimizer="sgd", grad_clip_norm=1e-3
        )
        moved, model = {}, make_model().float()
        start = copied(model)

        def listener(category, values, epoch, trainer=trainer, scale=scale, moved=moved):
            if category == "run_start" and scale is not None:
                set_scale(trainer, scale)
            if category == "progress":
                moved.update(copied(trainer._fit.model))

        folder = tmp_path / f"{scale}"
        train(
            listen(trainer, listener),
            model,
            checkpoints=folder,
            **FLOAT32,
        )
        (row,) = rows(read(folder / "last.ckpt"))
        norms[scale] = row["gradient norm"]
        step = torch.cat([(moved[name] - start[name]).flatten() for name in start])
        rate = trainer._fit.stage.step.optimizer.param_groups[0]["lr"]
        assert torch.linalg.vector_norm(step).item() == pytest.approx(1e-3 * rate, rel=1e-2)
    assert norms[2.0**4] == pytest.approx(norms[None], rel=0.05)
    assert norms[2.0**10] == pytest.approx(norms[2.0**4], rel=0.01)


def test_an_epoch_of_overflows_alone_is_written_down_without_training_errors(
    make_model, make_trainer, train, listen, rows, last
):
    trainer = make_trainer(num_epochs=2, amp="fp16", batch_size=16)

    def listener(category, values, epoch):
        if category == "run_start":
            set_scale(trainer, 2.0**60)

    train(listen(trainer, listener), make_model(), **FLOAT32)
    checkpoint = last()
    assert checkpoint["trainer_state"]["step"] == 0
    assert checkpoint["best_epoch"] == 1
    one, two = rows(checkpoint)
    assert one["validation loss"] == two["validation loss"]
    assert math.isnan(one["training loss"]) or one["training loss"] == 0.0
    assert np.isfinite(one["learning rate"])


def test_the_loss_scale_survives_a_restart(
    make_model, make_trainer, train, listen, restart, last, tmp_path
):
    trainer = make_trainer(num_epochs=1, amp="fp16")

    def listener(category, values, epoch):
        if category == "run_start":
            set_scale(trainer, 512.0)

    train(listen(trainer, listener), make_model(), **FLOAT32)
    assert last()["trainer_state"]["parts"]["scaler"]["scale"] == 512.0
    path = tmp_path / "checkpoints" / "last.ckpt"
    model, resumed = restart(path, make_trainer(num_epochs=2, amp="fp16"))
    train(resumed, model, **FLOAT32)
    scaler = resumed._fit.stage.step.scaler
    assert scaler.get_scale() == 512.0
    assert scaler.state_dict()["_growth_tracker"] == 12
