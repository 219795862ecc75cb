"""The data of a training: one training set, and the validation sets."""

from __future__ import annotations

from collections.abc import Sequence

from mtt.data import Dataset, merge
from mtt.data.combine import with_targets_of
from mtt.errors import TrainingError
from mtt.mlip import MLIPModel
from mtt.training.scoring.validation import named


class TrainingData:
    """What a model is trained and validated on, with its targets and neighbour lists.

    :param training: all training sets as one.
    :param validation: the validation sets that hold structures, by name, in the order of the
        options; a single one may have an empty name.
    :raises TrainingError: there is nothing to train or to validate on.
    """

    def __init__(
        self, model: MLIPModel, training: Sequence[Dataset], validation: Sequence[Dataset]
    ) -> None:
        info = model.dataset_info
        kept = [dataset for dataset in training if len(dataset)]
        self.validation = named(validation, info)
        if not kept:
            raise TrainingError("there are no structures in the training set")
        if not self.validation:
            raise TrainingError(
                "there are no structures in the validation set",
                hint="the best epoch is chosen by the validation set",
            )
        self.training = with_targets_of(merge(kept) if len(kept) > 1 else kept[0], info)

    @property
    def validation_sets(self) -> list[Dataset]:
        """Validation sets in the order of the options."""
        return [dataset for _, dataset in self.validation]

    @property
    def all(self) -> list[Dataset]:
        return [self.training, *self.validation_sets]

    @property
    def names(self) -> list[str]:
        """Names of the validation sets that have their own metrics."""
        return [name for name, _ in self.validation if name]
