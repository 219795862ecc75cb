"""Mistakes of an author with inputs, each found by its check."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from mtt.nn import Conditioning
from mtt.testing import CHECKS, run

BY_NAME = {check.name: check for check in CHECKS}
EFFECT = BY_NAME["inputs change their own structure"]
BEGINNING = BY_NAME["a new input begins without effect"]
ENGINES = BY_NAME["engines are asked for the inputs"]
ALL = (EFFECT, BEGINNING, ENGINES)


@pytest.fixture
def taking(tiny: Any) -> Any:
    """The tiny model with the platform's block, as its page describes."""

    class Taking(tiny):
        __supported_inputs__ = ("charge", "spin_multiplicity", "number", "number per atom")

        def __init__(self, hypers, dataset_info):
            super().__init__(hypers, dataset_info)
            self.species = torch.nn.Embedding(self.n_types, 3)
            inputs = self.input_names
            self.conditioning = Conditioning(3, inputs) if inputs else None

        def atomic_energies(self, graph):
            energies = super().atomic_energies(graph)
            conditioning = self.conditioning
            if conditioning is None:
                return energies
            x = self.species(graph.types)
            return energies + self.added(conditioning, graph, x).sum(dim=1)

        def added(self, conditioning, graph, x):
            return conditioning(conditioning.prepared(graph), x, graph.system)

        def input_modules(self):
            found = self.conditioning
            return {} if found is None else found.modules_by_input("conditioning")

    return Taking


def test_a_model_with_the_block_of_the_platform_keeps_its_promises(make_subject, taking) -> None:
    subject = make_subject(taking)
    outcomes = [run(check, subject) for check in (EFFECT, BEGINNING)]
    assert [one.message for one in outcomes] == ["", ""]


def test_models_of_structures_alone_have_nothing_to_check(make_subject, tiny) -> None:
    subject = make_subject(tiny)
    assert {run(check, subject).status for check in ALL} == {"does not apply"}


def test_an_input_that_is_declared_and_not_read(make_subject, taking) -> None:
    class Deaf(taking):
        def added(self, conditioning, graph, x):
            tables = conditioning.prepared(graph)
            return conditioning([torch.zeros_like(tables[0]), *tables[1:]], x, graph.system)

    outcome = run(EFFECT, make_subject(Deaf))
    assert outcome.status == "failed"
    assert "nothing that is predicted depends on the input charge" in outcome.message


def test_an_input_that_reaches_other_structures_of_the_batch(make_subject, taking) -> None:
    class Leaking(taking):
        def added(self, conditioning, graph, x):
            return super().added(conditioning, graph, x).mean(dim=0, keepdim=True).expand_as(x)

    outcome = run(EFFECT, make_subject(Leaking))
    assert outcome.status == "failed"
    assert "in a batch of structures with other inputs" in outcome.message


def test_an_input_that_has_an_effect_at_once(make_subject, taking) -> None:
    class Hasty(taking):
        def __init__(self, hypers, dataset_info):
            super().__init__(hypers, dataset_info)
            if self.conditioning is not None:
                torch.nn.init.ones_(self.conditioning.parts[0].last.weight)

    outcome = run(BEGINNING, make_subject(Hasty))
    assert outcome.status == "failed"
    assert "energy of a new model where charge changes" in outcome.message


def test_an_input_that_engines_are_not_asked_for(make_subject, taking) -> None:
    class Silent(taking):
        def export(self, metadata=None, *, dtype=torch.float64):
            self.input_names = {"charge": False}
            return super().export(metadata, dtype=dtype)

    outcome = run(ENGINES, make_subject(Silent))
    assert outcome.status == "failed"
    assert "engines are asked for charge, the inputs are ase::arrays::a_number" in outcome.message
