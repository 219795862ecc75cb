"""How far parameters are below the heads."""

import pytest
import torch

from mtt.mlip.trainable.depth import depths, factors


class Layered(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.species = torch.nn.Embedding(2, 3)
        self.layers = torch.nn.ModuleList(torch.nn.Linear(3, 3) for _ in range(2))
        self.exchanges = torch.nn.ModuleList(torch.nn.Linear(3, 3) for _ in range(2))
        self.heads = torch.nn.ModuleList([torch.nn.Linear(3, 1)])


class Named(Layered):
    __layers__ = ("exchanges", "layers.0", "layers.1")


HEADS = {"energy": ["heads.0"]}


def shown(model: torch.nn.Module, heads: dict[str, list[str]]) -> dict[str, int]:
    return {k.removesuffix(".weight"): v for k, v in depths(model, heads).items() if "weight" in k}


def test_layers_are_counted_from_the_heads_and_lists_of_one_length_go_together():
    assert shown(Layered(), HEADS) == {
        "heads.0": 0,
        "layers.1": 1,
        "exchanges.1": 1,
        "layers.0": 2,
        "exchanges.0": 2,
        "species": 3,
    }


def test_without_heads_the_last_layer_is_the_first_below():
    assert shown(Layered(), {})["heads.0"] == 1


def test_a_class_may_name_its_layers_and_what_it_leaves_out_is_the_lowest():
    assert shown(Named(), HEADS) == {
        "heads.0": 0,
        "layers.1": 1,
        "layers.0": 2,
        "exchanges.0": 3,
        "exchanges.1": 3,
        "species": 3,
    }


def test_the_factor_is_the_decay_to_the_power_of_the_depth():
    found = factors(Layered(), HEADS, 0.5)
    assert found["heads.0.weight"] == 1.0
    assert found["layers.0.bias"] == 0.25
    assert found["species.weight"] == pytest.approx(0.125)
