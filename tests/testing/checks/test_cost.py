"""Memory and operations are counted, and mistakes in both are found by their check alone."""

from __future__ import annotations

import torch
from torch import Tensor

from mtt import Graph
from mtt.testing import CHECKS, run, systems
from mtt.testing.checks import cost

BY_NAME = {check.name: check for check in CHECKS}
MEMORY = BY_NAME["memory grows with the number of atoms"]
OPERATIONS = BY_NAME["a larger batch takes no more operations"]
CONTROLS = [
    BY_NAME[name]
    for name in (
        "a rotation turns forces and keeps energies",
        "a batch predicts what single structures do",
        "forces are derivatives of the energy",
    )
]


def statuses(subject) -> dict[str, str]:
    outcomes = [run(check, subject) for check in (MEMORY, OPERATIONS, *CONTROLS)]
    return {outcome.check.name: outcome.message for outcome in outcomes if outcome.failure}


def test_a_table_of_atoms_by_atoms_is_found_to_the_byte(make_subject, tiny) -> None:
    class Table(tiny):
        def atomic_energies(self, graph: Graph) -> Tensor:
            energies = super().atomic_energies(graph)
            same = graph.system[:, None] == graph.system[None, :]  # one byte for each pair
            return energies + 0.0 * same.any(dim=1).to(energies.dtype)

    found = statuses(make_subject(Table))
    assert list(found) == [MEMORY.name]
    assert "grows by 1.0e+00 bytes a pair" in found[MEMORY.name]


def test_a_loop_over_the_structures_is_found(make_subject, tiny) -> None:
    class Looping(tiny):
        def atomic_energies(self, graph: Graph) -> Tensor:
            energies = super().atomic_energies(graph)
            parts = [energies[graph.system == i] for i in range(graph.n_systems)]
            return torch.cat(parts)

    found = statuses(make_subject(Looping))
    assert list(found) == [OPERATIONS.name]
    assert "operations from 2 structures to 16: grow by" in found[OPERATIONS.name]


def test_counts_are_reported(make_subject) -> None:
    subject = make_subject()
    memory, operations = run(MEMORY, subject), run(OPERATIONS, subject)
    assert memory.status == operations.status == "passed"
    assert memory.measured.endswith("KiB of results an atom")
    assert "ms for a training step with 16 structures of 7 atoms" in operations.measured
    assert operations.measured.endswith("structures/s (torch.float64, cpu)")


def test_results_are_counted_and_views_are_not() -> None:
    x = torch.zeros(10, dtype=torch.float64)

    def call() -> Tensor:
        return (x + 1.0).reshape(2, 5).t().exp()

    counts = cost._counted(call)
    assert counts == cost.Counts(operations=4, allocated=160)


def test_the_atoms_of_a_rod_have_the_same_neighbours(make_subject) -> None:
    subject = make_subject()
    energies = [
        float(subject.predict([systems.rod(subject.elements, n)])[0]["energy"].values)
        for n in (12, 24)
    ]
    assert abs(energies[1] - 2 * energies[0]) < 1e-10 * abs(energies[1])
