"""L-BFGS, which evaluates the loss itself, through a whole training."""

from itertools import pairwise

import pytest
import torch

from mtt.training import TrainingInterrupted

LBFGS = {
    "optimizer": {"name": "lbfgs", "max_iter": 5},
    "batch_size": 16,
    "learning_rate": 0.001,  # the platform's default, in whose place the preset's comes
}


def test_lbfgs_learns_on_the_whole_set_and_never_gets_worse_on_it(
    make_model, make_trainer, train, last, rows
):
    train(make_trainer(num_epochs=6, **LBFGS), make_model())
    found = rows(last())
    losses = [row["training loss"] for row in found]
    assert all(later <= earlier for earlier, later in pairwise(losses))
    assert losses[-1] < 0.1 * losses[0]
    # the preset: the line search finds the length of the step
    assert {row["learning rate"] for row in found} == {1.0}


def test_accumulated_batches_are_one_function_to_the_line_search(
    make_model, make_trainer, train, tmp_path
):
    found = []
    for size, k in ((16, 1), (4, 4)):
        options = {**LBFGS, "batch_size": size, "gradient_accumulation": k, "num_epochs": 2}
        model = train(make_trainer(**options), make_model(), checkpoints=tmp_path / f"{k}")
        found.append(model)
    for one, two in zip(*(model.parameters() for model in found), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-6, atol=1e-8)


def test_lbfgs_is_never_clipped(assert_equal, make_model, make_trainer, train, tmp_path):
    runs = [
        train(
            make_trainer(num_epochs=1, grad_clip_norm=norm, **LBFGS),
            make_model(),
            checkpoints=tmp_path / str(norm),
        )
        for norm in (None, 1e-6)
    ]
    assert_equal(*(dict(model.state_dict()) for model in runs))


def test_lbfgs_with_ema_averages_once_per_step(make_model, make_trainer, train, last):
    train(make_trainer(num_epochs=3, ema=True, **LBFGS), make_model())
    state = last()["trainer_state"]
    assert state["parts"]["average"]["n"] == state["step"] == 3


def test_a_stopped_lbfgs_run_resumes_bit_for_bit(
    assert_equal, make_model, make_trainer, train, listen, terminate, restart, last, rows, tmp_path
):
    """With its curvature pairs."""
    straight = train(make_trainer(num_epochs=4, **LBFGS), make_model())
    whole = rows(last())
    with pytest.raises(TrainingInterrupted):
        train(listen(make_trainer(num_epochs=4, **LBFGS), terminate(3, 1)), make_model())
    path = tmp_path / "checkpoints" / "last.ckpt"
    model, trainer = restart(path, make_trainer(num_epochs=4, **LBFGS))
    train(trainer, model)
    assert_equal(dict(straight.state_dict()), dict(model.state_dict()))
    assert rows(last()) == whole


def test_a_last_stage_of_lbfgs_polishes_the_best_weights(
    make_model, make_trainer, train, last, rows
):
    stages = [
        {"num_epochs": 4},
        {"num_epochs": 3, "from": "best", **LBFGS},
    ]
    train(make_trainer(stages=stages), make_model())
    checkpoint = last()
    found = rows(checkpoint)
    assert found[-1]["training loss"] < found[3]["training loss"]
    assert checkpoint["trainer_state"]["step"] == 4 * 6 + 3


@pytest.mark.parametrize("evaluation", [2, 9])
def test_an_evaluation_that_is_not_finite_never_reaches_the_weights(
    make_model, make_trainer, train, listen, last, rows, caplog, evaluation
):
    """The step is taken back and told; the next one begins with the gradient alone."""
    model, count, seen = make_model().double(), iter(range(1, 10_000)), []
    start = model.network[0].weight.detach().clone()

    def spoil(module, inputs, output):
        return output * torch.nan if module.training and next(count) == evaluation else output

    model.network.register_forward_hook(spoil)
    trainer = make_trainer(
        num_epochs=6, batch_size=8, **{k: LBFGS[k] for k in LBFGS if k != "batch_size"}
    )

    def listener(category, values, epoch):
        if category == "progress":
            seen.append((trainer._fit.state.step, model.network[0].weight.detach().clone()))

    train(listen(trainer, listener), model)
    steps = [step for step, _ in seen]
    (skipped,) = [k for k in range(12) if steps[k] == ([0, *steps])[k]]
    before = seen[skipped - 1][1] if skipped else start
    assert torch.equal(seen[skipped][1], before)
    assert last()["trainer_state"]["step"] == 11
    (message,) = [m for m in caplog.messages if "update is skipped" in m]
    assert "the line search met weights of which the loss is not finite" in message
    losses = [row["training loss"] for row in rows(last())]
    assert losses[-1] < 0.2 * losses[0]
