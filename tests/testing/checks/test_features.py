"""Mistakes in features of atoms fail their check."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mtt import Graph
from mtt.testing import CHECKS, run

(CHECK,) = (one for one in CHECKS if one.name == "features are those of atoms")


def features(tiny, change):
    class Changed(tiny):
        def atomic_features(self, graph: Graph) -> dict[str, Tensor]:
            found = change(self.densities(graph), graph)
            return {"feature": found, "energy": found}

    return Changed


def test_sums_over_neighbours_are_features(make_subject, tiny) -> None:
    outcome = run(CHECK, make_subject(features(tiny, lambda found, graph: found)))
    assert outcome.status == "passed", outcome.message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda found, graph: found + graph.positions[:, :1], "feature, rotated"),
        (
            lambda found, graph: found + torch.arange(len(found))[:, None],
            "feature, in another order",
        ),
        (lambda found, graph: graph.types[:, None].double(), "feature does not change"),
    ],
)
def test_other_numbers_are_found(make_subject, tiny, change, message) -> None:
    outcome = run(CHECK, make_subject(features(tiny, change)))
    assert outcome.status == "failed"
    assert outcome.message.startswith(message)
