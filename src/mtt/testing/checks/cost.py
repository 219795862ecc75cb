"""What a model costs, counted and not timed: the same on every machine, whatever else runs there.

Operations and the memory of their results are seen as PyTorch dispatches them (forward and
backward alike), which is before any device decides how long they take.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mtt.graph import Graph
from mtt.mlip import MLIPModel
from mtt.testing import systems
from mtt.testing.checks.derivatives import force_loss
from mtt.testing.failure import DoesNotApply
from mtt.testing.measure import Measured, Note
from mtt.testing.predictions import graph_of
from mtt.testing.subject import Subject

CELLS = (12, 24, 48)  # of four atoms each, in a row
LARGEST_PER_PAIR = 0.5  # bytes; a table of truth values has 1
STRUCTURES = (2, 16)
SLACK = 0.1
REPEATS = 3


class Counts(NamedTuple):
    """Number of all operations, and bytes of their results (views have none)."""

    operations: int
    allocated: int


def check_memory(subject: Subject) -> Iterator[Measured | Note]:
    """The memory of all results is a + b n for n atoms of equal surroundings, without n².

    The part that is quadratic follows from n, 2n and 4n atoms, to the byte: B(4n) - 3 B(2n) +
    2 B(n) = 6 c n², whatever a and b are.
    """
    rods = [systems.rod(subject.elements, cells) for cells in CELLS]
    model = subject.graph_model()
    found = []
    for rod in rods:
        if model is None:
            found.append(_counted(lambda one=rod: subject.predict([one])).allocated)  # type: ignore[misc]
        else:
            graph = graph_of(model, [rod])
            found.append(_counted(_prediction(model, graph)).allocated)
    n = len(rods[0])
    quadratic = (found[2] - 3 * found[1] + 2 * found[0]) / (6 * n**2)
    per_atom = (found[1] - found[0]) / n
    yield Note(f"{per_atom / 1024:.1f} KiB of results an atom")
    yield Measured(
        "memory of all results, by pairs of atoms near and far", max(quadratic, 0.0), per_atom,
        LARGEST_PER_PAIR, unit="bytes a pair", verb="grows by",
        where=f"structures of {n} to {len(rods[2])} atoms",
    )  # fmt: skip


def check_operations(subject: Subject) -> Iterator[Measured | Note]:
    """A batch of many structures takes as many operations as one of two."""
    model = subject.graph_model()
    if model is None:
        raise DoesNotApply("structures come to it one by one, not as one graph")
    molecule = systems.cluster(subject.elements)
    few, many = (_step(subject, model, [molecule] * n) for n in STRUCTURES)
    counts = [_counted(step).operations for step in (few, many)]
    seconds = min(_seconds(many) for _ in range(REPEATS))
    yield Note(
        f"{counts[1]} operations and {1e3 * seconds:.0f} ms for a training step with "
        f"{STRUCTURES[1]} structures of {len(molecule)} atoms, {STRUCTURES[1] / seconds:.0f} "
        f"structures/s ({model.dtype}, {model.device.type})"
    )
    yield Measured(
        f"operations from {STRUCTURES[0]} structures to {STRUCTURES[1]}",
        float(counts[1] - counts[0]), float(counts[1]), SLACK * counts[0], verb="grow by",
    )  # fmt: skip


def _prediction(model: MLIPModel, graph: Graph) -> Callable[[], Any]:
    return lambda: model.predict_targets(graph, all_gradients=True)


def _step(subject: Subject, model: MLIPModel, structures: list[Any]) -> Callable[[], Any]:
    """Forward, forces, loss and the gradient of all weights."""
    graph = graph_of(model, structures)
    weights = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not subject.energies or not weights:
        return _prediction(model, graph)

    def step() -> None:
        loss = force_loss(model, graph)
        if loss.requires_grad:
            torch.autograd.grad(loss, weights, allow_unused=True)

    return step


def _seconds(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _counted(call: Callable[[], Any]) -> Counts:
    call()  # what is computed once, and kept, does not count
    with _Counter() as counter:
        call()
    return Counts(counter.operations, counter.allocated)


class _Counter(TorchDispatchMode):
    """Counts every operation of torch, and the bytes that are new in its results."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = 0
        self.allocated = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        given = {place_of(leaf) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)}
        self.operations += 1
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor) and place_of(leaf) not in given:
                self.allocated += leaf.untyped_storage().nbytes()
        return result


def place_of(tensor: Tensor) -> int:
    """The address of the storage of ``tensor``; the same for all its views."""
    return tensor.untyped_storage().data_ptr()
