"""Structures as a model sees them, batch by batch, in the order of the data set."""

from __future__ import annotations

from collections.abc import Iterator

from mtt.data import Batch, Batching, Dataset, Loader
from mtt.mlip.model import MLIPModel


def batches_of(model: MLIPModel, dataset: Dataset, structures: int) -> Iterator[Batch]:
    """All structures of ``dataset``, in the precision and on the device of ``model``.

    :param structures: of a batch; the last one has what is left.
    :raises DataError: an element that the model does not know.
    """
    return Loader(
        dataset,
        model.dataset_info.atomic_types,
        cutoff=model.list_cutoff(),
        dtype=model.dtype,
        device=model.device,
        batching=Batching(structures=structures),
        shuffle=False,
    ).epoch()
