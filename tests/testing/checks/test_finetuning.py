"""Mistakes in what an architecture says about fine-tuning, each found by its check."""

from __future__ import annotations

import pytest
import torch

from mtt.testing import CHECKS, run

BY_NAME = {check.name: check for check in CHECKS}
HEADS = BY_NAME["heads serve one target each"]
ELEMENTS = BY_NAME["new elements leave the known ones alone"]
ADAPTERS = BY_NAME["low-rank corrections begin as none and merge"]


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        ({"energy": ["network.7"]}, "there are no parameters in 'network.7'"),
        ({"energi": ["network.2"]}, "not every target has the same kinds of modules"),
        ({"energy": ["network.2", "spare"]}, ""),
        ({"energy": ["spare"]}, "the head of energy changes nothing"),
    ],
)
def test_heads_that_are_none(make_subject, tiny, modules, message) -> None:
    class Named(tiny):
        def __init__(self, hypers, dataset_info):
            super().__init__(hypers, dataset_info)
            self.spare = torch.nn.Parameter(torch.zeros(2))

        def head_modules(self):
            return modules

    outcome = run(HEADS, make_subject(Named))
    assert outcome.status == ("failed" if message else "passed")
    assert message in outcome.message


def test_weights_of_known_elements_in_the_wrong_place(make_subject, tiny) -> None:
    class Shuffled(tiny):
        def extend_elements(self, name, known, places):
            return super().extend_elements(name, known, [0, 1, 2])

    outcome = run(ELEMENTS, make_subject(Shuffled))
    assert outcome.status == "failed"
    assert "energy, with more elements: differ by" in outcome.message


def test_what_was_known_before_and_is_forgotten_by_a_checkpoint(make_subject, tiny) -> None:
    class Counting(tiny):
        def remember_elements(self, history):
            self.times = len(history)

        def atomic_energies(self, graph):
            return super().atomic_energies(graph) * (1.0 if hasattr(self, "times") else 1.5)

    outcome = run(ELEMENTS, make_subject(Counting))
    assert outcome.status == "failed"


def test_weights_that_are_read_beside_the_layer(make_subject, tiny) -> None:
    class Beside(tiny):
        def atomic_energies(self, graph):
            layer = self.network[2]
            base = getattr(layer, "parametrizations", None)
            weight = layer.weight if base is None else base.weight.original
            hidden = self.network[:2](self.inputs(graph))
            return (hidden @ weight.t() + layer.bias)[:, 0]

        def inputs(self, graph):
            density = self.densities(graph)
            element = torch.nn.functional.one_hot(graph.types, self.n_types).to(density.dtype)
            return torch.cat([density, element], dim=1)

    outcome = run(ADAPTERS, make_subject(Beside))
    assert outcome.status == "failed"
    assert "with corrections, merged: differ by" in outcome.message


def test_architectures_that_say_nothing_are_left_alone(make_subject, tiny) -> None:
    class Silent(tiny):
        head_modules = tiny.__mro__[1].head_modules
        extend_elements = tiny.__mro__[1].extend_elements

    outcomes = [run(check, make_subject(Silent)) for check in (HEADS, ELEMENTS)]
    assert [outcome.status for outcome in outcomes] == ["does not apply"] * 2
