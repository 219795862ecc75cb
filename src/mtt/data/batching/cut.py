"""Several batches that were gathered at once, taken apart."""

from __future__ import annotations

from torch import Tensor

from mtt.data.batching.batch import Batch
from mtt.data.batching.inputs import cut_numbers
from mtt.data.batching.rows import Cuts, cut_rows
from mtt.data.info import DatasetInfo
from mtt.graph import Graph, Target


def cut(batch: Batch, cuts: Cuts, info: DatasetInfo) -> list[Batch]:
    """The batches that ``batch`` holds, as views of its memory."""
    graph = batch.graph
    graphs = map(
        Graph,
        graph.types.split(cuts.atoms),
        graph.system.split(cuts.atoms),
        cuts.structures,
        graph.centers.split(cuts.pairs),
        graph.neighbors.split(cuts.pairs),
        graph.vectors.split(cuts.pairs),
        graph.positions.split(cuts.atoms),
        graph.cells.split(cuts.structures),
        _split(graph.charges, cuts.structures),
        _split(graph.spins, cuts.structures),
        cut_numbers(graph.numbers, info, cuts.structures, cuts.atoms),
        cut_rows(graph.rows, cuts.pairs, cuts.widths),
        cuts.counts,
    )
    targets: list[dict[str, Target]] = [{} for _ in cuts.structures]
    for name, target in batch.targets.items():
        of = {"atom": cuts.atoms, "atom_pair": cuts.pairs}
        sizes = of.get(info.targets[name].sample_kind, cuts.structures)
        parts = map(
            Target,
            target.values.split(sizes),
            _split(target.forces, cuts.atoms),
            _split(target.strain, cuts.structures),
        )
        for labels, part in zip(targets, parts, strict=True):
            labels[name] = part
    counts = batch.n_atoms.split(cuts.structures)
    indices = batch.index.split(cuts.structures)
    volumes = batch.volumes.split(cuts.structures)
    weights = _split(batch.weights, cuts.structures)
    return list(map(Batch, graphs, targets, counts, indices, volumes, weights))


def _split(tensor: Tensor | None, sizes: list[int]) -> tuple[Tensor, ...] | list[None]:
    return [None] * len(sizes) if tensor is None else tensor.split(sizes)
