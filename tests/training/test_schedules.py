"""Learning rates by their formula, and as torch's schedulers have them."""

import math

import pytest
import torch

from mtt.discovery import SCHEDULES
from mtt.errors import ConfigError
from mtt.options.training import parse
from mtt.training.schedules import make_schedule


def schedule(scheduler=None, total=100, per_epoch=10, peak=2.0, warmup=0.1):
    hypers = {"scheduler": scheduler, "learning_rate": peak, "warmup_fraction": warmup}
    return make_schedule(parse(hypers), total, per_epoch)


def torch_rates(make, total, peak=2.0, every=1):
    """Rates of a torch scheduler that steps after every ``every`` optimizer steps."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=peak)
    scheduler = make(optimizer)
    rates = []
    for step in range(total):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if (step + 1) % every == 0:
            scheduler.step()
    return rates


def one_cycle(step):
    if step <= 29:
        return 0.04 + 0.96 * (1 - math.cos(math.pi * step / 29)) / 2
    return 4e-6 + (1 - 4e-6) * (1 + math.cos(math.pi * (step - 29) / 70)) / 2


FORMULAS = {
    "constant": ({}, lambda step: 1.0),
    "cosine": ({"min_factor": 0.1}, lambda s: 0.55 + 0.45 * math.cos(math.pi * (s - 10) / 90)),
    "exponential": ({"factor": 0.5}, lambda step: 0.5 ** ((step - 10) / 10)),
    "linear": ({"min_factor": 0.1}, lambda step: 1 - 0.01 * (step - 10)),
    "one_cycle": ({}, one_cycle),
    "plateau": ({}, lambda step: 1.0),  # as long as it has seen no validation
    "step": ({"every": 3, "factor": 0.5}, lambda step: 0.5 ** (step // 30)),
    "warmup_stable_decay": ({"decay_fraction": 0.3}, lambda s: min(1.0, 1 - (s - 70) / 30)),
}
"""Options, and the part of the peak by the step: of 100, 10 in an epoch, 10 of the warm-up."""

NAMES = [{"name": name, **options} for name, (options, _) in FORMULAS.items()]
WARMING = [one for one in NAMES if one["name"] != "one_cycle"]


@pytest.mark.parametrize("name", SCHEDULES.names())
def test_every_schedule_is_its_formula(name):
    options, formula = FORMULAS[name]
    rate = schedule({"name": name, **options})
    found = [rate(step) for step in range(10, 100)]
    assert found == pytest.approx([2.0 * formula(step) for step in range(10, 100)], abs=1e-12)


@pytest.mark.parametrize("scheduler", WARMING)
def test_every_schedule_begins_with_the_warm_up(scheduler):
    rate = schedule(scheduler)
    assert [rate(step) for step in range(10)] == pytest.approx([0.2 * (i + 1) for i in range(10)])
    assert rate(10) == pytest.approx(2.0, rel=0.01)


@pytest.mark.parametrize("scheduler", NAMES)
@pytest.mark.parametrize("warmup", [0.0, 0.001, 1.0])
def test_every_step_has_a_rate_between_zero_and_the_peak(scheduler, warmup):
    rate = schedule(scheduler, total=7, per_epoch=1, peak=1e-3, warmup=warmup)
    assert all(0 < rate(step) <= 1e-3 for step in range(7))
    assert 0 <= rate(10_000) <= 1e-3


@pytest.mark.parametrize("scheduler", NAMES)
def test_schedules_are_pure_functions_of_the_step(scheduler):
    rate = schedule(scheduler)
    forwards = [rate(step) for step in range(100)]
    assert [rate(step) for step in reversed(range(100))] == forwards[::-1]


def test_the_default_is_half_a_cosine_down_to_zero():
    rate = schedule()
    for step in range(10, 101):
        assert rate(step) == pytest.approx(1 + math.cos(math.pi * (step - 10) / 90), abs=1e-12)
    assert rate(1000) == pytest.approx(0.0, abs=1e-12)


def test_min_factor_is_where_a_schedule_ends():
    for name in ("cosine", "linear", "exponential", "warmup_stable_decay"):
        rate = schedule({"name": name, "min_factor": 0.25})
        assert rate(100) == pytest.approx(0.5, abs=1e-12)


def test_warm_up_in_steps_from_a_part_of_the_peak():
    rate = schedule({"name": "constant", "warmup_steps": 4, "warmup_from": 0.2})
    assert [rate(i) for i in range(6)] == pytest.approx([0.8, 1.2, 1.6, 2.0, 2.0, 2.0])


def test_exponential_falls_by_the_factor_every_epoch():
    rate = schedule({"name": "exponential", "factor": 0.5}, warmup=0.0)
    theirs = torch_rates(lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.5**0.1), 100)
    assert [rate(i) for i in range(100)] == pytest.approx(theirs)
    assert schedule("exponential")(100) == pytest.approx(0.02)


def test_step_falls_at_whole_epochs_of_the_stage():
    rate = schedule({"name": "step", "every": 3, "factor": 0.5}, warmup=0.0)
    make = lambda o: torch.optim.lr_scheduler.StepLR(o, 3, 0.5)  # noqa: E731
    assert [rate(i) for i in range(100)] == pytest.approx(torch_rates(make, 100, every=10))
    warmed = schedule({"name": "step", "every": 3, "factor": 0.5})
    assert [warmed(i) for i in range(10, 100)] == [rate(i) for i in range(10, 100)]


@pytest.mark.parametrize("anneal", ["cos", "linear"])
@pytest.mark.parametrize("total", [11, 100])
def test_one_cycle_is_that_of_torch(anneal, total):
    rate = schedule({"name": "one_cycle", "anneal_strategy": anneal}, total=total)

    def make(optimizer):
        return torch.optim.lr_scheduler.OneCycleLR(
            optimizer, 2.0, total_steps=total, anneal_strategy=anneal, cycle_momentum=False
        )

    theirs = torch_rates(make, total - 1)
    assert [rate(i) for i in range(total - 1)] == pytest.approx(theirs, abs=1e-12)
    assert rate(total - 1) == pytest.approx(2.0 / 25 / 1e4)


def test_linear_is_that_of_torch_and_may_end_before_the_training():
    rate = schedule({"name": "linear", "min_factor": 0.1, "steps": 40}, warmup=0.0)
    make = lambda o: torch.optim.lr_scheduler.LinearLR(o, 1.0, 0.1, 40)  # noqa: E731
    assert [rate(i) for i in range(100)] == pytest.approx(torch_rates(make, 100))


@pytest.mark.parametrize(
    ("shape", "part"),
    [
        ("linear", lambda p: 1 - p),
        ("sqrt", lambda p: 1 - p**0.5),
        ("cosine", lambda p: 0.5 + 0.5 * math.cos(math.pi * p)),
    ],
)
def test_warmup_stable_decay_falls_in_the_last_part_only(shape, part):
    rate = schedule({"name": "warmup_stable_decay", "shape": shape, "decay_fraction": 0.3})
    assert [rate(i) for i in range(9, 71)] == [2.0] * 62
    for step in range(70, 101):
        assert rate(step) == pytest.approx(2 * part((step - 70) / 30), abs=1e-12)


LOSSES = [3.0, 2.0, 2.0, 2.1, 2.0, 1.9999, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.6, 0.6, 0.6]
PLATEAU = {"name": "plateau", "factor": 0.5, "patience": 2, "threshold": 1e-2}


@pytest.mark.parametrize("extra", [{}, {"cooldown": 2}, {"min_lr": 0.6}, {"mode": "max"}])
def test_plateau_is_that_of_torch(extra):
    rate = schedule({**PLATEAU, **extra}, warmup=0.0)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    own = {k: v for k, v in PLATEAU.items() if k != "name"}
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **{**own, **extra})
    seen = set()
    for loss in LOSSES:
        rate.observe({"loss": loss})
        theirs.step(loss)
        assert rate(0) == rate(50) == optimizer.param_groups[0]["lr"]
        seen.add(rate(0))
    assert len(seen) > 1


def test_plateau_takes_what_is_not_finite_for_the_last_finite_value():
    rate = schedule(PLATEAU, warmup=0.0)
    for loss in (math.nan, math.inf, math.nan, math.nan, 2.0, math.nan, math.nan):
        rate.observe({"loss": loss})
        assert rate(0) == 2.0
    rate.observe({"loss": math.nan})
    assert rate(0) == 1.0


def test_plateau_resumes_from_its_state():
    straight, first, second = (schedule({**PLATEAU, "cooldown": 1}) for _ in range(3))
    for i, loss in enumerate(LOSSES):
        straight.observe({"loss": loss})
        (first if i < 5 else second).observe({"loss": loss})
        if i == 4:
            second.load_state_dict(first.state_dict())
    assert second.state_dict() == straight.state_dict()
    assert second(60) == straight(60) < 2.0


def test_a_state_of_another_schedule_is_passed_over():
    rate = schedule(PLATEAU)
    rate.load_state_dict(schedule("cosine").state_dict())
    assert rate(50) == 2.0
    cosine = schedule("cosine")
    cosine.load_state_dict(rate.state_dict())
    assert cosine(10) == 2.0


def test_plateau_of_another_metric_resets_its_best_and_keeps_the_rate():
    old = schedule({**PLATEAU, "patience": 0})
    for loss in (1.0, 1.0):
        old.observe({"loss": loss})
    new = schedule({**PLATEAU, "metric": "forces RMSE"})
    new.load_state_dict(old.state_dict())
    new.observe({"forces RMSE": 100.0})
    assert new.state_dict()["best"] == 100.0
    assert new(50) == 1.0


def test_a_metric_that_does_not_exist_is_named():
    rate = schedule({**PLATEAU, "metric": "force RMSE"})
    with pytest.raises(ConfigError, match=r"scheduler.metric: .*did you mean 'forces RMSE'\?"):
        rate.check_metrics(["loss", "energy RMSE", "forces RMSE"])
    schedule("cosine").check_metrics([])


@pytest.mark.parametrize(
    ("scheduler", "message"),
    [
        ("cosin", r"architecture.training.scheduler: unknown schedule .*did you mean 'cosine'\?"),
        ({"name": "step", "evry": 3}, r"scheduler.evry: unknown option; did you mean 'every'\?"),
        ({"name": "step"}, "'every' is missing"),
        ({"name": "step", "every": 0}, r"scheduler.every: expected a number above 0, not 0"),
        ({"name": "plateau", "patience": 1.5}, "patience: expected an integer of at least 0"),
        ({"name": "plateau", "factor": "half"}, "factor: expected a number between 0 and 1"),
        ({"name": "plateau", "mode": "low"}, "mode: expected one of min, max, not 'low'"),
        ({"name": "cosine", "warmup_fraction": 0.1}, "set it next to scheduler, not in it"),
        ({"name": "linear", "lr": 0.1}, "use learning_rate"),
        ({"name": "one_cycle", "warmup_steps": 5}, "warmup_steps: unknown option"),
    ],
)
def test_wrong_options_of_a_schedule_are_named(scheduler, message):
    with pytest.raises(ConfigError, match=message):
        schedule(scheduler)


def test_all_wrong_options_are_reported_at_once():
    with pytest.raises(ConfigError) as caught:
        schedule({"name": "plateau", "patiance": 3, "factor": 2, "min_lr": -1})
    assert len(caught.value.problems) == 3
