"""Which parameters weight decay acts on, and at which rate they learn."""

import pytest
import torch
from torch import nn

from mtt.errors import ConfigError
from mtt.options.training import parse
from mtt.training.optimizers import make_optimizer


class EquivariantRMSNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(3))


class Network(nn.Module):
    """What the layers of models look like; weights are flat, stacked and plain."""

    __no_weight_decay__ = ("radial.*", "*.mixing")

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(3, 4)
        self.linear = nn.Linear(4, 4)
        self.flat = nn.ParameterDict({"0e": nn.Parameter(torch.ones(16))})
        self.species = nn.ParameterDict(
            {"weight": torch.ones(3, 4, 4), "bias": torch.ones(3, 4), "bias_0": torch.ones(3)}
        )
        self.norms = nn.ModuleList([nn.LayerNorm(4), EquivariantRMSNorm()])
        self.edge_norm = nn.Linear(4, 1, bias=False)
        self.normal_modes = nn.Linear(4, 1, bias=False)
        self.radial = nn.ParameterDict({"width": torch.ones(5)})
        self.block = nn.ParameterDict({"mixing": torch.ones(2, 2), "weight": torch.ones(7)})
        self.prior = nn.ParameterDict({"force_constants": torch.ones(4)})
        self.frozen = nn.Linear(4, 4).requires_grad_(False)


def groups(model=None, **hypers):
    model = model or Network()
    made = make_optimizer(model, parse(hypers))
    names = {id(p): name for name, p in model.named_parameters()}
    for group in made.param_groups:
        assert [names[id(p)] for p in group["params"]] == group["param_names"]
    return made.param_groups


DECAYING = {
    "embedding.weight",
    "linear.weight",
    "flat.0e",
    "species.weight",
    "normal_modes.weight",
    "block.weight",
}
SPARED = {
    "linear.bias",
    "species.bias",
    "species.bias_0",
    "norms.0.weight",
    "norms.0.bias",
    "norms.1.gain",
    "edge_norm.weight",
    "radial.width",
    "block.mixing",
    "prior.force_constants",
}


@pytest.mark.parametrize(
    ("name", "key"), [("adamw", "weight_decay"), ("lion", "weight_decay"), ("mlip", "l2")]
)
def test_decay_spares_biases_norms_priors_and_what_the_model_names(name, key):
    decays = {}
    for group in groups(optimizer=name, weight_decay=0.1):
        decays.setdefault(group[key], set()).update(group["param_names"])
    assert decays == {0.1: DECAYING, 0.0: SPARED}


def test_without_decay_there_is_one_group():
    (group,) = groups(optimizer="adamw")
    assert set(group["param_names"]) == DECAYING | SPARED
    assert (group["weight_decay"], group["l2"], group["lr_factor"]) == (0.0, 0.0, 1.0)


def test_frozen_parameters_are_in_no_group():
    for name in ("adamw", "muon", "soap"):
        held = {
            n for group in groups(optimizer=name, weight_decay=0.1) for n in group["param_names"]
        }
        assert held == DECAYING | SPARED


def test_decay_of_the_spared_is_none_even_while_they_learn():
    model = Network()
    made = make_optimizer(model, parse({"weight_decay": 0.5}))
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    made.step()
    moved = {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    assert moved == DECAYING


def test_learning_rates_of_some_parameters_are_multiples():
    found = groups(
        optimizer="adamw",
        weight_decay=0.1,
        learning_rate=0.2,
        learning_rate_factors={"linear.weight": 0.5, "linear.*": 0.1, "block.*": 0.1},
    )
    rates = {(g["lr_factor"], g["weight_decay"]): (g["lr"], g["param_names"]) for g in found}
    assert rates[0.5, 0.1] == (0.1, ["linear.weight"])
    assert rates[0.1, 0.1] == (pytest.approx(0.02), ["block.weight"])
    assert rates[0.1, 0.0] == (pytest.approx(0.02), ["linear.bias", "block.mixing"])
    assert len(found) == 5


def test_a_part_of_a_name_is_a_pattern_too():
    found = groups(learning_rate=0.2, learning_rate_factors={"linear": 0.5})
    slow = [name for g in found if g["lr_factor"] == 0.5 for name in g["param_names"]]
    assert sorted(slow) == ["linear.bias", "linear.weight"]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("frozen.*", r"every parameter called 'frozen\.\*' is frozen; leave it out"),
        (
            "lienar.*",
            r"'lienar\.\*' matches none of the parameters; did you mean 'linear'",
        ),
    ],
)
def test_a_pattern_of_nothing_that_is_trained_is_refused(pattern, message):
    with pytest.raises(ConfigError, match=message) as caught:
        groups(learning_rate_factors={"linear.*": 0.5, pattern: 0.1})
    assert "architecture.training.learning_rate_factors" in str(caught.value)


def test_muon_takes_hidden_matrices_only():
    matrices = [g["param_names"] for g in groups(optimizer="muon") if g["matrices"]]
    assert matrices == [["linear.weight"]]


def test_shared_parameters_are_held_once():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight
    (group,) = groups(model)
    assert group["param_names"] == ["0.weight", "0.bias", "1.bias"]


class Layers(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(2))
        self.last = nn.Linear(2, 1)


def test_rates_fall_with_the_depth_below_the_last_layer_and_multiply_other_factors():
    tuned = {"read_from": "source.ckpt", "depth_decay": 0.5}
    given = {"learning_rate": 0.1, "learning_rate_factors": {"layers.1": 3.0}}
    found = {
        name: (group["lr_factor"], group["lr"])
        for group in groups(Layers(), finetune=tuned, **given)
        for name in group["param_names"]
    }
    assert found["last.weight"] == pytest.approx((0.5, 0.05))
    assert found["layers.1.bias"] == pytest.approx((0.75, 0.075))
    assert found["layers.0.weight"] == pytest.approx((0.125, 0.0125))


def test_an_optimizer_with_one_rate_has_no_rates_by_depth():
    tuned = {"read_from": "source.ckpt", "depth_decay": 0.5}
    with pytest.raises(ConfigError, match=r"finetune.depth_decay: lbfgs has one learning rate"):
        groups(Layers(), finetune=tuned, optimizer="lbfgs")
