"""Mistakes that only an engine meets, each found by its check."""

from typing import Dict, List, Optional

import torch
from metatensor.torch import Labels, TensorMap
from metatomic.torch import ModelOutput, NeighborListOptions, System
from torch import Tensor

from mtt import Graph
from mtt.mlip.systems import atom_samples, systems_to_graph
from mtt.mlip.tensor_map import of_samples, tensor_map
from mtt.testing import CHECKS, run

BY_NAME = {check.name: check for check in CHECKS}
EXPORT = BY_NAME["the exported model predicts the same"]
ENGINES = BY_NAME["the exported model runs in engines"]
SELECTED = BY_NAME["engines may ask for some of the atoms"]
RANGE = BY_NAME["no atom feels beyond the declared range"]
ALL = (EXPORT, ENGINES, SELECTED, RANGE)


def failed(subject) -> dict[str, str]:
    outcomes = [run(check, subject) for check in ALL]
    return {o.check.name: o.message for o in outcomes if o.failure}


def with_messages(tiny, layers: float):
    """A model whose atoms feel their neighbours' neighbours, and declare ``layers`` cutoffs."""

    class Messages(tiny):
        def interaction_range(self) -> float:
            return layers * self.cutoff

        def atomic_energies(self, graph: Graph) -> Tensor:
            density = self.densities(graph)
            r = torch.linalg.vector_norm(graph.vectors, dim=1, keepdim=True)
            messages = density.tanh()[graph.neighbors] * self.smooth(r)
            density = density + torch.zeros_like(density).index_add(0, graph.centers, messages)
            element = torch.nn.functional.one_hot(graph.types, self.n_types).to(density.dtype)
            return self.network(torch.cat([density, element], dim=1))[:, 0]

    return Messages


def test_messages_reach_further_than_the_cutoff(make_subject, tiny) -> None:
    found = failed(make_subject(with_messages(tiny, 1.0)))
    assert list(found) == [RANGE.name]
    assert "the declared range is 3.5" in found[RANGE.name]
    assert failed(make_subject(with_messages(tiny, 2.0))) == {}


class Whole:
    """The part of a model that leaves out what ``selected_atoms`` says."""

    def forward(
        self,
        systems: List[System],
        outputs: Dict[str, ModelOutput],
        selected_atoms: Optional[Labels] = None,
    ) -> Dict[str, TensorMap]:
        options = NeighborListOptions(cutoff=self.cutoff, full_list=True, strict=True)
        graph = systems_to_graph(systems, options, self.type_index, self.precision.dtype)
        samples = atom_samples(systems)
        results: Dict[str, TensorMap] = {}
        for name, atomic in self._atomic_values(graph).items():
            of = of_samples(atomic, samples, None, "sum", len(systems))
            results[name] = tensor_map(*of, self.tensor_layouts[name])
        return results


def test_a_sum_over_atoms_that_were_not_asked_for(make_subject, tiny) -> None:
    found = failed(make_subject(type("Deaf", (Whole, tiny), {})))
    assert list(found) == [SELECTED.name]


def test_a_model_that_cannot_be_exported_is_reported_once(make_subject, tiny) -> None:
    class Pythonic(tiny):
        def smooth(self, r: Tensor) -> Tensor:
            return {3: (1 - r / self.cutoff) ** 3}[sum([1, 2], start=0)]

    subject = make_subject(Pythonic)
    outcomes = [run(check, subject) for check in ALL]
    assert [outcome.status for outcome in outcomes] == ["failed", *["does not apply"] * 3]


def test_a_unit_that_the_file_does_not_declare(make_subject, tiny) -> None:
    class Unlabelled(tiny):
        def supported_outputs(self):
            found = super().supported_outputs()
            found["energy"].unit = "kcal/mol"
            return found

    found = failed(make_subject(Unlabelled))
    assert ENGINES.name in found
    assert "energy through ASE, and the model's: differ by" in found[ENGINES.name]


def test_an_isolated_atom_has_forces_in_an_engine(make_subject, tiny) -> None:
    class Early(tiny):
        def atomic_energies(self, graph: Graph) -> Tensor:
            if graph.centers.shape[0] == 0:
                # does not depend on the positions, and has no gradient of its own
                density = torch.zeros(
                    [graph.types.shape[0], 4 * self.n_types], dtype=graph.vectors.dtype
                )
            else:
                density = self.densities(graph)
            element = torch.nn.functional.one_hot(graph.types, self.n_types).to(density.dtype)
            return self.network(torch.cat([density, element], dim=1))[:, 0]

    assert failed(make_subject(Early)) == {}
