"""The optimizer that the options ask for: its options, and the learning it does."""

import sys

import numpy as np
import pytest
import torch

from mtt.errors import ConfigError, TrainingError
from mtt.options.training import EmaOptions, TrainingOptions, parse
from mtt.training.optimizers import averages, make_optimizer, needs_closure, preset
from mtt.training.optimizers.named.ours.mlip import CorrectedAMSGrad
from mtt.training.schedules import make_schedule


def optimizer(model, **hypers):
    return make_optimizer(model, parse(hypers))


@pytest.mark.parametrize(
    ("hypers", "kind", "decay"),
    [
        ({}, torch.optim.Adam, 0.0),
        ({"weight_decay": 0.1}, torch.optim.AdamW, 0.1),
        ({"optimizer": "adam", "weight_decay": 0.1}, torch.optim.Adam, 0.1),
        ({"optimizer": "adamw"}, torch.optim.AdamW, 0.0),
    ],
)
def test_weight_decay_makes_adam_adamw(hypers, kind, decay):
    made = optimizer(torch.nn.Linear(2, 1), **hypers)
    assert type(made) is kind
    assert made.param_groups[0]["weight_decay"] == decay
    assert made.param_groups[0]["lr"] == 1e-3
    assert made.param_groups[0]["fused"] is True


def test_options_of_the_optimizer_reach_it():
    options = {"name": "adamw", "betas": [0.5, 0.75], "eps": 1e-4, "amsgrad": True}
    group = optimizer(torch.nn.Linear(2, 1), optimizer=options).param_groups[0]
    assert (group["betas"], group["eps"], group["amsgrad"]) == ((0.5, 0.75), 1e-4, True)
    assert optimizer(torch.nn.Linear(2, 1), optimizer="amsgrad").param_groups[0]["amsgrad"]


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ("adamww", r"unknown optimizer 'adamww'; did you mean 'adamw'\?"),
        ({"name": "adam", "beta": [0.9, 0.9]}, r"optimizer.beta: .*did you mean 'betas'\?"),
        ({"name": "yogi", "initial_acumulator": 1}, r"did you mean 'initial_accumulator'\?"),
        ({"name": "adam", "lr": 0.1}, "optimizer.lr: not an option of it; use learning_rate"),
        ({"name": "soap", "weight_decay": 0.1}, "use weight_decay beside optimizer"),
        ({"name": "adam", "fused": False}, "optimizer.fused: .*fastest kernels"),
        ({"name": "adam", "maximize": True}, "optimizer.maximize: unknown option"),
        ({"name": "amsgrad", "amsgrad": False}, "optimizer.amsgrad: unknown option"),
        ({"name": "adam", "betas": 0.9}, "betas: expected a list of 2 numbers, not 0.9"),
        ({"name": "adam", "betas": [0.9, 1.5]}, "optimizer: adam: Invalid beta"),
        ({"name": "yogi", "betas": [0.9, 1.5]}, "optimizer: yogi: "),
        ({"name": "mlip", "betas": [0.9, 1.5]}, r"optimizer: mlip: betas must be in \[0, 1\)"),
        ({"name": "mlip", "eps": -1.0}, "eps must be at least 0"),
        ({"name": "adam", "eps": "small"}, "optimizer.eps: expected a number, not 'small'"),
        ({"name": "sgd", "nesterov": 1}, "nesterov: expected true or false, not 1"),
        ({"name": "sgd", "nesterov": True}, "optimizer: sgd: Nesterov"),
        ({"name": "lbfgs", "max_iter": 1.5}, "max_iter: expected an integer"),
        ({"name": "lbfgs", "line_search_fn": "wolfe"}, "expected one of null, strong_wolfe"),
        ({"name": "schedulefree_adamw", "warmup_steps": 5}, "warmup_steps: .*warmup_fraction"),
    ],
)
def test_wrong_options_of_an_optimizer_are_named(chosen, message):
    with pytest.raises(ConfigError, match=message) as caught:
        optimizer(torch.nn.Linear(2, 2), optimizer=chosen)
    assert caught.value.problems[0].where.startswith("architecture.training.optimizer")


def test_all_wrong_options_are_reported_at_once():
    with pytest.raises(ConfigError) as caught:
        optimizer(torch.nn.Linear(2, 1), optimizer={"name": "adam", "bets": 1, "eps": "x", "lr": 1})
    assert len(caught.value.problems) == 3


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pytorch_optimizer", None)
    with pytest.raises(ConfigError, match=r"'yogi' needs .*pip install 'mtt\[optimizers\]'"):
        optimizer(torch.nn.Linear(2, 1), optimizer="yogi")
    assert type(optimizer(torch.nn.Linear(2, 1), optimizer="adam")) is torch.optim.Adam


def test_what_an_optimizer_cannot_do_is_refused():
    model = torch.nn.Linear(2, 1)
    with pytest.raises(ConfigError, match=r"training.weight_decay: lbfgs has no weight decay"):
        optimizer(model, optimizer="lbfgs", weight_decay=0.1)
    for name in ("lbfgs", "prodigy"):
        with pytest.raises(ConfigError, match=f"{name} has one learning rate"):
            optimizer(model, learning_rate_factors={"weight": 0.1}, optimizer=name)
    with pytest.raises(ConfigError, match="muon is for matrices"):
        optimizer(model, optimizer="muon")


def test_a_model_without_parameters_is_refused():
    with pytest.raises(TrainingError, match="Identity has no parameters to train"):
        optimizer(torch.nn.Identity())


def test_only_lbfgs_needs_a_closure_and_only_schedule_free_ones_average():
    model = torch.nn.Linear(2, 2)
    made = {name: optimizer(model, optimizer=name) for name in ("adam", "lbfgs", "muon", "yogi")}
    made["free"] = optimizer(model, optimizer="schedulefree_sgd")
    assert [name for name, one in made.items() if needs_closure(one)] == ["lbfgs"]
    assert [name for name, one in made.items() if averages(one)] == ["free"]


# ---------------------------------------------------------------- trajectories

WEIGHTS = {"weight": np.array([[1.0, -2.0, 0.5]]), "bias": np.array([0.3])}


def gradient(weights, step):
    """Of a bowl whose minimum wanders."""
    return {name: 2.0 * (w - np.cos(0.3 * step + w.size)) for name, w in weights.items()}


def walk(made, model, steps, rate=lambda step: 0.05, clip=np.inf):
    """``steps`` optimizer steps as the engine takes them: L2, clip, update."""
    for step in range(steps):
        values = {name: p.detach().numpy() for name, p in model.named_parameters()}
        slopes = gradient(values, step)
        for name, p in model.named_parameters():
            p.grad = torch.from_numpy(slopes[name])
        for group in made.param_groups:
            group["lr"] = rate(step) * group["lr_factor"]
            for p in group["params"]:
                p.grad.add_(p.detach(), alpha=group["l2"])
        torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        made.step()
    return {name: p.detach().numpy() for name, p in model.named_parameters()}


def bowl():
    model = torch.nn.Linear(3, 1).double()
    model.load_state_dict({name: torch.from_numpy(w.copy()) for name, w in WEIGHTS.items()})
    return model


def adam_by_hand(steps, *, l2, shrink, maximum, rate=lambda step: 0.05, clip=np.inf):
    """Adam in numpy; ``l2`` and ``shrink`` act on the weight and spare the bias."""
    weights = {name: w.copy() for name, w in WEIGHTS.items()}
    m, v, top = ({name: 0.0 * w for name, w in WEIGHTS.items()} for _ in range(3))
    for step in range(steps):
        g = gradient(weights, step)
        g["weight"] = g["weight"] + l2 * weights["weight"]
        norm = np.sqrt(sum((one**2).sum() for one in g.values()))
        factor = min(1.0, clip / (norm + 1e-6))
        weights["weight"] = weights["weight"] * (1 - rate(step) * shrink)
        for name, w in weights.items():
            m[name] = 0.9 * m[name] + 0.1 * g[name] * factor
            v[name] = 0.999 * v[name] + 0.001 * (g[name] * factor) ** 2
            first, second = 1 - 0.9 ** (step + 1), 1 - 0.999 ** (step + 1)
            corrected = v[name] / second
            if maximum == "corrected":
                corrected = top[name] = np.maximum(top[name], corrected)
            elif maximum == "raw":
                top[name] = np.maximum(top[name], v[name])
                corrected = top[name] / second
            weights[name] = w - rate(step) * m[name] / first / (np.sqrt(corrected) + 1e-8)
    return weights


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("adam", {"l2": 0.2, "shrink": 0.0, "maximum": ""}),
        ("adamw", {"l2": 0.0, "shrink": 0.2, "maximum": ""}),
        ("amsgrad", {"l2": 0.2, "shrink": 0.0, "maximum": "raw"}),
        ("mlip", {"l2": 0.2, "shrink": 0.0, "maximum": "corrected"}),
    ],
)
def test_fifty_steps_follow_the_formulas_and_spare_the_bias(name, expected):
    model = bowl()
    made = optimizer(model, optimizer=name, weight_decay=0.2)
    found, wanted = walk(made, model, 50), adam_by_hand(50, **expected)
    for key in WEIGHTS:
        np.testing.assert_allclose(found[key], wanted[key], rtol=0, atol=1e-12)


def test_the_default_mlip_recipe_is_reproduced():
    """L2 before the clip, AMSGrad over corrected moments, rates by optimizer steps."""
    options = preset(parse({"optimizer": "mlip", "weight_decay": 0.2}))
    shorter = {"warmup_steps": 10, "warmup_from": 0.1, "steps": 30, "min_factor": 0.2}
    options = options.having(scheduler={"name": options.scheduler.name, **shorter})
    rate = make_schedule(options, total_steps=1000, steps_per_epoch=5)

    def by_hand(step):
        if step < 10:
            return 0.01 * (0.1 + 0.9 * (step + 1) / 10)
        return 0.01 * (1 - 0.8 * min(1, (step - 10) / 30))

    model = bowl()
    found = walk(make_optimizer(model, options), model, 50, rate, clip=0.5)
    wanted = adam_by_hand(50, l2=0.2, shrink=0, maximum="corrected", rate=by_hand, clip=0.5)
    for key in WEIGHTS:
        np.testing.assert_allclose(found[key], wanted[key], rtol=0, atol=1e-12)


def test_the_two_amsgrads_differ_after_a_large_first_gradient():
    results = []
    for make in (CorrectedAMSGrad, lambda p, lr: torch.optim.Adam(p, lr, amsgrad=True)):
        weight = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
        made = make([weight], lr=0.1)
        for step in range(30):
            weight.grad = torch.full_like(weight, 100.0 if step == 0 else 1.0)
            made.step()
        results.append(-weight.item())
    assert results[0] < 0.8 * results[1]


def test_muon_takes_matrices_and_adamw_the_rest():
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Linear(3, 1)).double()
    twin = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Linear(3, 1)).double()
    twin.load_state_dict(model.state_dict())
    made = optimizer(model, optimizer="muon", weight_decay=0.1, learning_rate=0.01)
    groups = {tuple(g["param_names"]): g["matrices"] for g in made.param_groups}
    assert groups == {("0.weight",): True, ("0.bias", "1.bias"): False, ("1.weight",): False}
    muon = torch.optim.Muon(
        [twin[0].weight], lr=0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"
    )
    adamw = [
        torch.optim.AdamW([twin[1].weight], lr=0.01, weight_decay=0.1),
        torch.optim.AdamW([twin[0].bias, twin[1].bias], lr=0.01, weight_decay=0.0),
    ]
    for step in range(10):
        for net, parts in ((model, [made]), (twin, [muon, *adamw])):
            net.zero_grad()
            net(torch.full((2, 4), 1.0 + step, dtype=torch.float64)).square().sum().backward()
            for part in parts:
                part.step()
    for p, q in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-10, atol=1e-12)


# ---------------------------------------------------------------- presets


def test_a_preset_sets_what_was_left_at_the_platforms_default():
    left = preset(parse({"optimizer": "mlip"}))
    assert (left.learning_rate, left.grad_clip_norm, left.ema) == (0.01, 500.0, EmaOptions(0.99))
    rate = make_schedule(left, total_steps=10, steps_per_epoch=1)
    assert {rate(step) for step in (0, 1, 4000, 10**6)} == {0.01}
    chosen = {"learning_rate": 0.3, "grad_clip_norm": 2.0, "ema": True, "scheduler": "cosine"}
    mine = parse({"optimizer": {"name": "mlip"}, **chosen})
    assert preset(mine) == mine


def test_a_preset_changes_nothing_else():
    plain = TrainingOptions()
    assert preset(plain) == plain
    changed = preset(parse({"optimizer": "lbfgs"}))
    assert {key for key, value in vars(plain).items() if getattr(changed, key) != value} == {
        "optimizer",
        "learning_rate",
        "scheduler",
        "warmup_fraction",
        "grad_clip_norm",
    }
