"""What tests of several architectures compare."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from mtt import Graph, MLIPModel


@pytest.fixture(scope="session")
def compare_scripted() -> Callable[[MLIPModel, Graph], None]:
    """A model in float64 through TorchScript: values and their derivatives are the same."""

    def compare(model: MLIPModel, graph: Graph) -> None:
        results = []
        for function in (model.predict, torch.jit.script(model).predict):
            vectors = graph.vectors.clone().requires_grad_(True)
            energies = function(graph._replace(vectors=vectors))["energy"]
            (gradient,) = torch.autograd.grad(energies.sum(), vectors)
            results.append((energies.detach(), gradient))
        for eager, compiled in zip(*results, strict=True):
            torch.testing.assert_close(compiled, eager, rtol=0, atol=1e-12)

    return compare
