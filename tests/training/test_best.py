"""Which epoch is best."""

import pytest
import torch

from mtt import DatasetInfo, TargetInfo
from mtt.errors import ConfigError
from mtt.training import default_hypers
from mtt.training.best import BestRule
from mtt.training.state import Best

INFO = DatasetInfo("angstrom", [1], {"energy": TargetInfo.energy(forces=True)})


def rule(metric="loss", **hypers):
    return BestRule({**default_hypers(), "best_model_metric": metric, **hypers}, INFO)


def test_best_is_the_lowest_finite_value_and_the_first_of_equals():
    best, chosen = None, rule()
    values = [float("nan"), 3.0, 1.0, 2.0, 1.0, float("-inf"), float("inf")]
    for epoch, value in enumerate(values, start=1):
        if chosen.improves(value, best):
            best = Best(chosen.identity, epoch, value, {"w": torch.zeros(1)})
    assert (best.epoch, best.value) == (3, 1.0)


def test_products_take_all_errors_of_their_kind():
    metrics = {
        "loss": 9.0, "energy RMSE": 2.0, "energy MAE": 3.0, "forces RMSE": 5.0, "forces MAE": 7.0,
    }  # fmt: skip
    assert rule("rmse_prod").value(metrics) == 10.0
    assert rule("mae_prod").value(metrics) == 21.0
    assert rule("forces MAE").value(metrics) == 7.0
    assert rule().value(metrics) == 9.0


def test_an_unknown_metric_is_refused_by_name():
    with pytest.raises(ConfigError, match=r"unknown metric 'force RMSE'.*'forces RMSE'"):
        rule("force RMSE")


def test_losses_of_different_weights_are_not_compared():
    best = Best(rule().identity, 1, 0.1, {})
    assert rule().comparable(best)
    assert not rule(loss="mae").comparable(best)
    assert not rule("rmse_prod").comparable(best)
    assert rule("rmse_prod", loss="mae").comparable(Best("rmse_prod", 1, 0.1, {}))
