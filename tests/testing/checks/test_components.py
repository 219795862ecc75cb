"""Mistakes in vectors and tensors fail the checks that they should fail."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mtt import Graph
from mtt.errors import ArchitectureError
from mtt.testing import CHECKS, run

TURNING = "vectors and tensors turn with the structure"
FOLLOWING = "vectors and tensors follow their atoms"
COMPONENTS = "exported vectors and tensors have their components"
VECTORS = ('cartesian {"rank": 1}', "scalar")
NAMES = (TURNING, FOLLOWING, COMPONENTS)


@pytest.fixture
def vectors(tiny):
    """A sound model of vectors: sums over the neighbours of weighted pair vectors, twice.

    Weights depend on the neighbour's element: sums of equal and opposite vectors are zero.
    """

    class Vectors(tiny):
        __supported_targets__ = ("cartesian",)

        def __init__(self, hypers, dataset_info):
            super().__init__(hypers, dataset_info)
            self.weights = torch.nn.Parameter(torch.randn(4, 2))
            if any(t.kind not in VECTORS for t in dataset_info.targets.values()):
                raise ArchitectureError("only vectors")

        def fields(self, graph: Graph) -> Tensor:
            weights = (self.pairs(graph) @ self.weights) * (
                1.0 + graph.types[graph.neighbors, None]
            )
            pairs = graph.vectors[:, :, None] * weights[:, None, :]
            zeros = pairs.new_zeros(graph.types.shape[0], 3, 2)
            return zeros.index_add(0, graph.centers, pairs)

        def predict(self, graph: Graph) -> dict[str, Tensor]:
            return {self.target_names[0]: self.fields(graph)}

    return Vectors


def failed(subject) -> set[str]:
    outcomes = [run(check, subject) for check in CHECKS if check.name in NAMES]
    assert {one.status for one in outcomes} <= {"passed", "failed"}
    return {one.check.name for one in outcomes if one.status == "failed"}


def test_a_sound_model_passes_and_kinds_that_it_refuses_are_left_out(make_subject, vectors) -> None:
    assert failed(make_subject(vectors)) == set()


def test_components_in_another_order_do_not_turn(make_subject, vectors) -> None:
    class Swapped(vectors):
        def predict(self, graph: Graph) -> dict[str, Tensor]:
            return {self.target_names[0]: self.fields(graph)[:, [1, 2, 0]]}

    assert failed(make_subject(Swapped)) == {TURNING}


def test_a_pseudovector_is_not_a_vector(make_subject, vectors) -> None:
    class Crossed(vectors):
        def predict(self, graph: Graph) -> dict[str, Tensor]:
            fields = self.fields(graph)
            crossed = torch.linalg.cross(fields, fields.flip(2), dim=1)
            return {self.target_names[0]: crossed}

    assert failed(make_subject(Crossed)) == {TURNING}


def test_vectors_of_zero_are_no_vectors(make_subject, vectors) -> None:
    class Nothing(vectors):
        def predict(self, graph: Graph) -> dict[str, Tensor]:
            return {self.target_names[0]: 0.0 * self.fields(graph)}

    assert failed(make_subject(Nothing)) == {TURNING}


def test_positions_follow_no_atom(make_subject, vectors) -> None:
    class Placed(vectors):
        def predict(self, graph: Graph) -> dict[str, Tensor]:
            return {self.target_names[0]: self.fields(graph) + graph.positions[:, :, None]}

    assert FOLLOWING in failed(make_subject(Placed))


def test_labels_of_another_kind_are_found_in_the_exported_file(make_subject, vectors) -> None:
    class Mislabelled(vectors):
        def __init__(self, hypers, dataset_info):
            super().__init__(hypers, dataset_info)
            for name, (keys, numbers, axes, *rest) in self.tensor_layouts.items():
                wrong = [["xyz_1", *axis[1:]] for axis in axes]
                self.tensor_layouts[name] = (keys, numbers, wrong, *rest)

    assert failed(make_subject(Mislabelled)) == {COMPONENTS}


def test_a_kind_that_is_declared_and_always_refused_is_found(make_subject, vectors) -> None:
    class Refusing(vectors):
        __supported_targets__ = ("spherical",)

    assert failed(make_subject(Refusing)) == set(NAMES)
