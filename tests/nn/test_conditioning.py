"""What inputs add to the features of atoms: shares, neutrality, sizes, refusals."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mtt import Graph
from mtt.errors import ArchitectureError
from mtt.nn import Conditioning
from mtt.nn.conditioning import Electrons, Number

WIDTH = 3


def graph_of(sizes: list[int], **inputs: object) -> Graph:
    """Structures of these numbers of atoms without any pairs."""
    n, empty = sum(sizes), torch.zeros(0, dtype=torch.long)
    system = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    vectors, zeros = torch.zeros(0, 3, dtype=torch.float64), torch.zeros(n, 3)
    cells = torch.zeros(len(sizes), 3, 3)
    types = torch.arange(n) % 2
    graph = Graph(types, system, len(sizes), empty, empty, vectors, zeros, cells)
    return graph._replace(**inputs)


def numbers(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.fixture
def electrons() -> Electrons:
    torch.manual_seed(0)
    part = Electrons("charge", WIDTH).double()
    torch.nn.init.normal_(part.last.weight)
    return part


def added(part: Electrons, graph: Graph) -> Tensor:
    torch.manual_seed(1)
    x = torch.randn(2, WIDTH, dtype=torch.float64)[graph.types]
    return part(part.prepared(graph), x, graph.system)


def test_a_charge_is_shared_out_in_full_and_depends_on_its_sign(electrons: Electrons) -> None:
    # the sum over atoms of what is linear in the shares is the charge, whatever the size
    torch.nn.init.eye_(electrons.last.weight)
    electrons.values.weight.data.fill_(1e-6)  # silu(x) = x / 2 for small x
    graph = graph_of([2, 5, 9, 3], charges=numbers(1, 1, -2, 0))
    sums = torch.zeros(4, WIDTH, dtype=torch.float64).index_add(
        0, graph.system, added(electrons, graph)
    )
    wanted = numbers(1, 1, -2, 0)[:, None].expand(4, WIDTH) * 0.5e-6
    torch.testing.assert_close(sums, wanted, rtol=1e-5, atol=0)


def test_neutral_singlets_are_what_they_are_without_the_input(electrons: Electrons) -> None:
    assert not added(electrons, graph_of([2, 3], charges=numbers(0, 0))).any()
    assert not added(electrons, graph_of([2, 3])).any()
    found = added(electrons, graph_of([2, 3], charges=numbers(0, 1)))
    assert not found[:2].any()
    assert found[2:].abs().min() > 0
    spin = Electrons("spin_multiplicity", WIDTH).double()
    assert spin.prepared(graph_of([2, 3], spins=numbers(1, 3))).tolist() == [0, 2]


def test_plus_and_minus_are_different(electrons: Electrons) -> None:
    plus, minus = (added(electrons, graph_of([3], charges=numbers(q))) for q in (1, -1))
    assert (plus - minus).abs().max() > 1e-3
    assert (plus + minus).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("charge", numbers(0, 0.5), r"charge 0\.5: the model takes whole numbers"),
        ("charge", numbers(0, float("nan")), r"charge nan"),
        ("spin_multiplicity", numbers(0, 1), r"spin_multiplicity 0\.0?: .* whole numbers from 1"),
    ],
)
def test_states_that_there_are_not_are_refused(name: str, values: Tensor, message: str) -> None:
    field = {"charge": "charges", "spin_multiplicity": "spins"}[name]
    graph = graph_of([1, 1], **{field: values})
    with pytest.raises(ArchitectureError, match=message):
        Electrons(name, WIDTH).prepared(graph)
    with pytest.raises(torch.jit.Error, match=message):  # type: ignore[attr-defined]
        scripted(name)(graph)


def scripted(name: str) -> torch.nn.Module:
    class Prepares(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.all = Conditioning(WIDTH, {name: False})

        def forward(self, graph: Graph) -> list[Tensor]:
            return self.all.prepared(graph)

    return torch.jit.script(Prepares())


def test_numbers_are_counted_in_standard_deviations() -> None:
    both = Conditioning(WIDTH, {"temperature": False, "site": True})
    both.scale("temperature", 300.0, 50.0)
    graph = graph_of([1, 2], numbers={"temperature": numbers(250, 400), "site": numbers(1, 2, 3)})
    temperature, site = both.double().prepared(graph)
    assert temperature.tolist() == [-1, 2]
    assert site.tolist() == [1, 2, 3]
    x = torch.zeros(3, WIDTH, dtype=torch.float64)
    assert not both([temperature, site], x, graph.system).any(), "a new model has none of them"
    torch.nn.init.ones_(both.parts[0].last.weight)
    found = both([temperature, site], x, graph.system)
    torch.testing.assert_close(found[1], found[2])
    assert (found[0] - found[1]).abs().max() > 1e-3


def test_numbers_that_are_missing_are_refused() -> None:
    part = Number("temperature", WIDTH, False)
    with pytest.raises(ArchitectureError, match="needs temperature, which is not given"):
        part.prepared(graph_of([1]))
    nan = {"temperature": numbers(float("nan"))}
    with pytest.raises(ArchitectureError, match="needs temperature, which is missing"):
        part.prepared(graph_of([1], numbers=nan))
    with pytest.raises(torch.jit.Error, match="needs temperature"):  # type: ignore[attr-defined]
        scripted("temperature")(graph_of([1]))
