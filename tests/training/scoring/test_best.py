"""Which epoch is best."""

import pytest
import torch

from mtt import DatasetInfo, TargetInfo
from mtt.errors import ConfigError
from mtt.options.training import parse
from mtt.training.losses.from_options import make_loss
from mtt.training.scoring.best import BestRule
from mtt.training.scoring.validation import metric_names
from mtt.training.state import Best

INFO = DatasetInfo("angstrom", [1], {"energy": TargetInfo.energy(forces=True)})


def rule(metric="loss", sets=(), **hypers):
    hypers = parse({"best_model_metric": metric, **hypers})
    return BestRule(hypers, INFO, make_loss(hypers, INFO, {"energy": 1.0}), sets)


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


def test_a_plain_metric_is_judged_on_all_validation_structures_and_a_prefixed_one_on_its_set():
    metrics = {"forces RMSE": 3.0, "bulk forces RMSE": 2.0, "surface forces RMSE": 5.0}
    metrics |= {"loss": 0.3, "bulk loss": 0.2, "surface loss": 0.5}
    sets = ("bulk", "surface")
    assert rule("forces RMSE", sets).value(metrics) == 3.0
    assert rule("surface forces RMSE", sets).value(metrics) == 5.0
    assert rule("bulk loss", sets).value(metrics) == 0.2
    assert rule("loss", sets).value(metrics) == 0.3


def test_products_leave_out_what_is_part_of_something_else():
    names = metric_names(INFO, True, ("bulk",))
    metrics = dict.fromkeys(names, 100.0)
    metrics |= {"energy RMSE": 2.0, "forces RMSE": 5.0}
    metrics |= {"bulk energy RMSE": 3.0, "bulk forces RMSE": 7.0}
    assert rule("rmse_prod", ("bulk",), extended_metrics=True).value(metrics) == 10.0
    assert rule("bulk rmse_prod", ("bulk",), extended_metrics=True).value(metrics) == 21.0


def test_the_higher_cosine_is_better():
    chosen = rule("bulk forces cosine", ("bulk",), extended_metrics=True)
    assert chosen.metric == chosen.identity == "1 - bulk forces cosine"
    value = chosen.value({"bulk forces cosine": 0.75})
    assert value == 0.25
    best = Best(chosen.identity, 1, value, {})
    assert chosen.improves(chosen.value({"bulk forces cosine": 0.8}), best)
    assert not chosen.improves(chosen.value({"bulk forces cosine": 0.7}), best)


def test_the_largest_error_can_choose():
    assert rule("forces MaxAE", extended_metrics=True).value({"forces MaxAE": 0.5}) == 0.5


def test_a_metric_that_is_known_only_when_extended_says_so():
    for metric in ("forces cosine", "bulk forces MaxAE"):
        with pytest.raises(ConfigError, match=r"extended_metrics: true"):
            rule(metric, ("bulk",))


def test_a_set_that_does_not_exist_is_refused_with_the_nearest_name():
    with pytest.raises(ConfigError, match=r"unknown metric 'bulc loss'.*'bulk loss'"):
        rule("bulc loss", ("bulk", "surface"))
    with pytest.raises(ConfigError, match=r"unknown metric 'bulk loss'"):
        rule("bulk loss")


def test_the_loss_on_one_set_is_not_compared_with_that_on_all():
    one, all_sets = rule("bulk loss", ("bulk",)), rule("loss", ("bulk",))
    assert not one.comparable(Best(all_sets.identity, 1, 0.1, {}))
    assert all_sets.comparable(Best(rule("loss").identity, 1, 0.1, {}))
