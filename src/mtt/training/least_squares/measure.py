"""The data of a fit, its loss, and how it is scored: the columns that every training has."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from mtt.data import Batching, Dataset, Loader, merge
from mtt.data.combine import with_targets_of
from mtt.errors import TrainingError
from mtt.mlip import LinearMLIPModel
from mtt.training.losses.from_options import make_loss
from mtt.training.losses.loss import Loss
from mtt.training.reporting.history_columns import Record
from mtt.training.scoring.best import BestRule
from mtt.training.scoring.judged import judge_labels
from mtt.training.scoring.validation import Validation, named


class Measure:
    """Batches and scores, for a model as it is now.

    :raises ConfigError: options that do not fit the data.
    :raises TrainingError: there is nothing to train or to validate on.
    """

    def __init__(
        self,
        hypers: Mapping[str, Any],
        model: LinearMLIPModel,
        train_datasets: Sequence[Dataset],
        val_datasets: Sequence[Dataset],
    ) -> None:
        self._given = (hypers, model, train_datasets, val_datasets)
        self.hypers, self.model, info = hypers, model, model.dataset_info
        kept = [dataset for dataset in train_datasets if len(dataset)]
        self._sets = named(val_datasets, info)
        for what, there in (("training", kept), ("validation", self._sets)):
            if not there:
                raise TrainingError(f"there are no structures in the {what} set")
        merged = with_targets_of(merge(kept) if len(kept) > 1 else kept[0], info)
        every = [merged, *(dataset for _, dataset in self._sets)]
        for dataset in every:
            dataset.prepare(model.requested_neighbor_lists())
        self.training = self._loader(merged)
        self.loss: Loss = make_loss(hypers, info, model.scales, *every)

    def again(self) -> Measure:
        """The same with the scales that the model has now."""
        return Measure(*self._given)

    @property
    def record(self) -> Record:
        """Columns of the history: those of every training."""
        names = [name for name, _ in self._sets if name]
        extended, log_mae = self.hypers["extended_metrics"], self.hypers["log_mae"]
        return Record(self.model.dataset_info, log_mae, extended, names, [])

    @property
    def best_rule(self) -> BestRule:
        """What the solution is judged by.

        :raises ConfigError: no metric has this name.
        """
        names = [name for name, _ in self._sets if name]
        judged = judge_labels(self._sets, self.model)
        return BestRule(self.hypers, self.model.dataset_info, self.loss, names, judged)

    def scores(
        self, model: LinearMLIPModel, interrupted: Callable[[], None]
    ) -> tuple[dict[str, float], dict[str, float]]:
        """Loss and errors on the training set, and on the validation sets."""
        loaders = [(name, self._loader(dataset)) for name, dataset in self._sets]
        parts = ([("", self.training)], loaders)
        found = [
            Validation(part, self.loss, model.dataset_info, self.hypers["extended_metrics"]).run(
                model, interrupted
            )
            for part in parts
        ]
        return {**found[0], "gradient norm": float("nan")}, found[1]

    def _loader(self, dataset: Dataset) -> Loader:
        atoms = self.hypers["max_atoms_per_batch"]
        return Loader(
            dataset,
            self.model.dataset_info.atomic_types,
            dtype=torch.float64,
            device=self.model.device,
            batching=Batching(
                structures=self.hypers["batch_size"] if atoms is None else None, atoms=atoms
            ),
            shuffle=False,
            cutoff=self.model.list_cutoff(),
        )


def fingerprint(
    hypers: Mapping[str, Any], train_datasets: Sequence[Dataset], val_datasets: Sequence[Dataset]
) -> str:
    """What the solution follows from: options, structures and labels."""
    digest = hashlib.sha256(json.dumps(hypers, sort_keys=True, default=str).encode())
    for dataset in (*train_datasets, *val_datasets):
        digest.update(dataset.n_atoms.numpy().tobytes() + dataset.types.numpy().tobytes())
        digest.update(dataset.weights.numpy().tobytes())
        for name in dataset.info.targets:
            for labels in dataset.target(name):
                digest.update(b"" if labels is None else labels.numpy().tobytes())
    return digest.hexdigest()
