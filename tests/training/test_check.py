"""Wrong options are found before anything is computed or written."""

import numpy as np
import pytest
import torch

from mtt.data import Dataset
from mtt.errors import ConfigError


@pytest.mark.parametrize(
    ("dtype", "hypers", "message"),
    [
        (
            torch.float64,
            {"scheduler": {"name": "plateau", "metric": "forces RMES"}},
            "did you mean 'forces RMSE'",
        ),
        (torch.float64, {"tf32": True}, "training.tf32: there is no TF32 on cpu"),
        (torch.float64, {"amp": "bf16"}, "training.amp: mixed precision works on float32"),
        (
            torch.float64,
            {"stages": [{"num_epochs": 1}, {"num_epochs": 1, "amp": "fp16"}]},
            r"stages\[1\].amp: mixed precision works on float32",
        ),
        (torch.float64, {"max_time": "soon"}, "'soon' is not a valid training time"),
        (torch.float64, {"max_time": 0}, "0 is not a valid training time"),
        (torch.float64, {"optimizer": "adma"}, "did you mean 'adam'"),
        (torch.float64, {"scheduler": "cosin"}, "did you mean 'cosine'"),
        (torch.float64, {"best_model_metric": "los"}, "best_model_metric: unknown metric 'los'"),
        (
            torch.float64,
            {"optimizer": "lbfgs", "gradient_combination": "config"},
            "gradient_combination: the line search of L-BFGS",
        ),
        (torch.float32, {"optimizer": "lbfgs", "amp": "fp16"}, "training.amp: the line search"),
        (
            torch.float64,
            {
                "stages": [{"name": "a", "num_epochs": 1, "optimizer": "schedulefree_sgd"}],
                "ema": True,
            },
            r"stages\[0\].ema: a schedule-free optimizer averages the weights itself",
        ),
        (
            torch.float64,
            {"stages": [{"num_epochs": 1, "from": "best"}]},
            r"stages\[0\].from: the first stage cannot begin with the best",
        ),
        (
            torch.float64,
            {"stages": [{"num_epochs": 1}, {"num_epochs": 1, "loss": "mes"}]},
            "unknown loss 'mes'; did you mean 'mse'",
        ),
        (
            torch.float64,
            {"prefit": {"parameters": ["netwrok.*"]}},
            r"prefit.parameters: 'netwrok.\*' matches none of the parameters",
        ),
    ],
)
def test_wrong_options_are_refused_before_anything_is_written(
    make_model, make_trainer, train, check, tmp_path, dtype, hypers, message
):
    """By the check, which moves nothing of the model, and by the training itself."""
    model = make_model()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(ConfigError, match=message):
        check(make_trainer(tmp_path, **hypers), model, dtype)
    assert list(tmp_path.iterdir()) == []
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(p.requires_grad and p.grad is None for p in model.parameters())
    with pytest.raises(ConfigError, match=message):
        train(make_trainer(tmp_path, **hypers), model, dtype=dtype)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("hypers", "message"),
    [
        ({"best_model_metric": "forces RMSE"}, r"_metric: no validation structure .* forces RMSE;"),
        (
            {"best_model_metric": "rmse_prod"},
            r"best_model_metric: no .* label for forces RMSE; take",
        ),
        ({"best_model_metric": "bulk forces MAE"}, "no .* has a label for bulk forces MAE"),
        (
            {"scheduler": {"name": "plateau", "metric": "forces RMSE"}},
            "scheduler.metric: no validation structure has a label for forces RMSE",
        ),
        ({"best_model_metric": "energy RMSE"}, ""),
        ({"best_model_metric": "surface loss"}, ""),
        ({}, ""),
    ],
)
def test_a_metric_without_any_label_is_refused_before_the_training(
    make_model, make_trainer, dataset, frames, tmp_path, hypers, message
):
    """Otherwise no epoch would be the best, or the learning rate never fall: told at the end."""
    bare = [
        frame._replace(
            labels={
                name: each._replace(forces=np.full_like(each.forces, np.nan))
                for name, each in frame.labels.items()
            }
        )
        for frame in frames[16:]
    ]
    sets = [Dataset.from_frames(bare[:3], dataset.info, name="bulk"),
            Dataset.from_frames(bare[3:], dataset.info, name="surface")]  # fmt: skip
    given = (torch.float64, [torch.device("cpu")], [dataset], sets)
    trainer = make_trainer(num_epochs=1, **hypers)
    if not message:
        trainer.check(make_model(), *given)
        trainer.train(make_model(), *given, str(tmp_path / "checkpoints"))
        return
    for act in (trainer.check, lambda *all_given: trainer.train(*all_given, str(tmp_path))):
        with pytest.raises(ConfigError, match=message):
            act(make_model(), *given)
    assert list(tmp_path.iterdir()) == []


def test_a_check_changes_nothing_of_the_training_after_it(
    assert_equal, make_model, make_trainer, train, check, tmp_path
):
    runs = []
    for first in (False, True):
        trainer, model = make_trainer(num_epochs=1, ema=True), make_model(dropout=0.2)
        if first:
            check(trainer, model)
        runs.append(train(trainer, model, checkpoints=tmp_path / str(first)))
    assert_equal(*(dict(model.state_dict()) for model in runs))
